"""Python values as SinterValues, and back.

This is the general way, for all kinds of values; `Session` has a shorter one for arrays whose memory can be handed over as it lies.
"""

from __future__ import annotations

import ctypes
import sys

import numpy as np

from . import abi, dtypes
from .abi import MAP, NONE, SEQUENCE, SHAPES, TENSOR, VALUE, VALUE_BYTES
from .port import Port


class Block:
    """Owns what a run allocated for one output, until nothing in Python shows any of it."""

    __slots__ = ("address", "memory", "release", "__array_interface__")

    def __init__(self, memory, address: int, release: int):
        self.memory = memory  # keeps the SinterValue at `address` alive
        self.address = address
        self.release = _releases.get(release) or _releases.setdefault(release, abi.RELEASE(release))

    def __del__(self):
        self.release(self.address)


_releases: dict[int, object] = {}


class _View:
    """Memory inside of a block, for NumPy."""

    block: Block
    __array_interface__: dict


# ---- in


def write(value, port: Port, target: int, keep: list) -> None:
    """Writes `value` as the SinterValue at the address `target`. What it points to is added to `keep`."""
    kind, elements, count = NONE, 0, 0
    if value is None:
        pass
    elif port.kind == "sequence":
        if isinstance(value, (str, bytes, dict)) or not hasattr(value, "__len__"):
            raise TypeError(f"input '{port.name}' is a sequence: give a list, not {type(value).__name__}")
        kind, count = SEQUENCE, len(value)
        elements = _write_all(list(value), [port.elements[0]] * count, keep)
    elif port.kind == "map":
        if not isinstance(value, dict):
            raise TypeError(f"input '{port.name}' is a map: give a dict, not {type(value).__name__}")
        kind, count = MAP, 2
        elements = _write_all([list(value), list(value.values())], port.elements, keep)
    else:
        return write_tensor(value, port, target, keep)
    memory = (ctypes.c_char * VALUE_BYTES).from_address(target)
    VALUE.pack_into(memory, 0, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, elements, count, 0, 0)


def _write_all(values, ports, keep) -> int:
    memory = (abi.Value * max(len(values), 1))()
    keep.append(memory)
    address = ctypes.addressof(memory)
    for index, (value, port) in enumerate(zip(values, ports)):
        write(value, port, address + index * VALUE_BYTES, keep)
    return address


def write_tensor(value, port: Port, target: int, keep: list) -> None:
    """Likewise, of a tensor: anything with `__dlpack__`, and whatever NumPy makes an array of."""
    if isinstance(value, (dict, set)) or isinstance(value, (list, tuple)) and any(isinstance(part, np.ndarray) for part in value):
        raise TypeError(f"input '{port.name}' is a tensor: give an array, not {type(value).__name__}")
    memory = (ctypes.c_char * VALUE_BYTES).from_address(target)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(value, torch.Tensor):
        value = value.detach().resolve_conj().resolve_neg()
        capsule = torch.utils.dlpack.to_dlpack(value)
    elif not isinstance(value, np.ndarray) and hasattr(value, "__dlpack__") and not isinstance(value, np.generic):
        capsule = value.__dlpack__()
    else:
        return _write_array(_array(value, port), port, memory, keep)
    VALUE.pack_into(memory, 0, TENSOR, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    ctypes.memmove(target + abi.TENSOR_OFFSET, abi.capsule_pointer(capsule, b"dltensor"), abi.TENSOR_BYTES)
    keep.append(capsule)


def _array(value, port: Port) -> np.ndarray:
    """Python's own numbers and texts take the port's type; arrays keep theirs."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, np.generic):
        return np.asarray(value)
    return np.asarray(value, dtype=port.numpy_dtype)


def _write_array(array: np.ndarray, port: Port, memory, keep: list) -> None:
    element = dtypes.of_numpy(array.dtype)
    strides = 0
    if element.is_text:
        data = _texts(array, keep)
    elif element.is_packed:
        stored = pack(np.ascontiguousarray(array), element.bits)
        keep.append(stored)
        data = stored.ctypes.data
    else:
        if array.dtype.byteorder == ">" or any(step % array.itemsize for step in array.strides):
            array = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
        data = array.ctypes.data
        if not array.flags.c_contiguous:
            steps = SHAPES[array.ndim](*(step // array.itemsize for step in array.strides))
            keep.append(steps)
            strides = ctypes.addressof(steps)
    shape = SHAPES[array.ndim](*array.shape)
    keep.append(array)
    keep.append(shape)
    VALUE.pack_into(
        memory, 0, TENSOR, data, abi.CPU, 0, array.ndim, element.code, element.bits, 1, ctypes.addressof(shape), strides, 0, 0, 0, 0, 0)


def _texts(array: np.ndarray, keep: list) -> int:
    encoded = [text if isinstance(text, bytes) else str(text).encode("utf-8", "surrogateescape") for text in array.ravel()]
    joined = b"".join(encoded)
    buffer = ctypes.create_string_buffer(joined, max(len(joined), 1))
    strings = np.empty((max(len(encoded), 1), 2), np.uint64)
    lengths = np.array([len(text) for text in encoded], np.uint64)
    strings[:len(encoded), 1] = lengths
    strings[:len(encoded), 0] = ctypes.addressof(buffer) + np.cumsum(lengths) - lengths if encoded else 0
    keep.extend((buffer, strings))
    return strings.ctypes.data


def pack(array: np.ndarray, bits: int) -> np.ndarray:
    """Elements narrower than a byte side by side, the first in the low bits."""
    spread = np.unpackbits(array.ravel().view(np.uint8)[:, None], axis=1, bitorder="little")
    return np.packbits(spread[:, :bits], bitorder="little")


def unpack(packed: np.ndarray, bits: int, count: int) -> np.ndarray:
    """Back to a byte an element. Signed ones come with their sign, as ml_dtypes keeps them."""
    spread = np.unpackbits(packed, count=count * bits, bitorder="little").reshape(count, bits)
    return np.packbits(spread, axis=1, bitorder="little").ravel()


# ---- out


def read(memory, offset: int, block: Block):
    """The Python value of the SinterValue in `memory`. Its arrays lie where the run put them, and keep `block` alive."""
    (kind, data, device, _, ndim, code, bits, _, shape, strides, byte_offset, elements, count, _, _) = VALUE.unpack_from(memory, offset)
    if kind == NONE:
        return None
    if kind == TENSOR:
        sizes = tuple(SHAPES[ndim].from_address(shape)) if ndim else ()
        return array_of(dtypes.of_code(code, bits), sizes, data + byte_offset if data else 0, block)
    parts = (ctypes.c_char * (count * VALUE_BYTES)).from_address(elements) if count else b""
    values = [read(parts, index * VALUE_BYTES, block) for index in range(count)]
    if kind == SEQUENCE:
        return values
    return dict(zip(values[0].tolist(), values[1].tolist()))


def array_of(element: dtypes.ElementType, shape: tuple, data: int, block: Block) -> np.ndarray:
    """A dense array in memory that `block` owns; a copy where elements are packed or text."""
    count = 1
    for size in shape:
        count *= size
    if element.is_text:
        return _read_texts(shape, count, data)
    if count == 0:
        return np.empty(shape, element.numpy)
    view = _View()
    view.block = block
    if element.is_packed:
        view.__array_interface__ = {
            "shape": ((count * element.bits + 7) // 8,), "typestr": "|u1", "data": (data, False), "version": 3}
        return unpack(np.asarray(view), element.bits, count).view(element.numpy).reshape(shape)
    storage = element.storage
    view.__array_interface__ = {"shape": shape, "typestr": storage.str, "data": (data, False), "version": 3}
    array = np.asarray(view)
    return array if element.is_native else array.view(element.numpy)


def _read_texts(shape: tuple, count: int, data: int) -> np.ndarray:
    texts = np.empty(count, object)
    strings = (abi.String * count).from_address(data) if count else ()
    for index, string in enumerate(strings):
        texts[index] = ctypes.string_at(string.bytes, string.length).decode("utf-8", "surrogateescape") if string.length else ""
    return texts.reshape(shape)
