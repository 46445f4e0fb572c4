"""PNG files as arrays, and how different two of them look."""
import struct
import zlib

import numpy


def read(path):
    """The pixels of a file as a browser writes it: rows × columns × three channels of 8 bits."""
    with open(path, "rb") as file:
        data = file.read()
    place, packed = 8, b""
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place:place + 8])
        content = data[place + 8:place + 8 + length]
        if kind == b"IHDR":
            width, height, depth, color = struct.unpack(">IIBB", content[:10])
        elif kind == b"IDAT":
            packed += content
        place += length + 12
    channels = {2: 3, 6: 4}[color]
    assert depth == 8
    lines = numpy.frombuffer(zlib.decompress(packed), numpy.uint8).reshape(height, 1 + width * channels)
    result = numpy.zeros((height, width * channels), numpy.uint8)
    for row in range(height):
        result[row] = unfiltered(lines[row, 0], lines[row, 1:], result[row - 1] if row else numpy.zeros_like(result[0]), channels)
    return result.reshape(height, width, channels)[:, :, :3]


def unfiltered(kind, line, above, channels):
    if kind == 0:
        return line
    if kind == 2:
        return line + above
    steps = line.reshape(-1, channels).astype(numpy.int32)
    if kind == 1:
        return numpy.cumsum(steps, axis=0).astype(numpy.uint8).reshape(-1)
    over = above.reshape(-1, channels).astype(numpy.int32)
    result = numpy.zeros_like(steps)
    left = over_left = numpy.zeros(channels, numpy.int32)
    for column in range(len(steps)):
        if kind == 3:
            guess = (left + over[column]) // 2
        else:
            first = left + over[column] - over_left
            a, b, c = abs(first - left), abs(first - over[column]), abs(first - over_left)
            guess = numpy.where((a <= b) & (a <= c), left, numpy.where(b <= c, over[column], over_left))
        left = (steps[column] + guess) & 255
        result[column], over_left = left, over[column]
    return result.astype(numpy.uint8).reshape(-1)


def difference(a, b, block=12):
    """The share of squares whose mean colour differs by more than a tenth: letters may be drawn a little otherwise, boxes may not stand elsewhere."""
    if a.shape != b.shape:
        return 1.0
    height, width = a.shape[0] // block * block, a.shape[1] // block * block

    def means(picture):
        part = picture[:height, :width].astype(numpy.float64)
        return part.reshape(height // block, block, width // block, block, 3).mean(axis=(1, 3))

    return float((numpy.abs(means(a) - means(b)).max(axis=2) > 25).mean())
