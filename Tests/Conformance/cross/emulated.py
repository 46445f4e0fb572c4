"""Compiled libraries for other processors, run under qemu on this one: run_library.c in Python."""

import contextlib
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from library import CODES, MAP, NONE, OK, SEQUENCE, STATUS, TENSOR, TEXT, TYPES, LibraryError, pack, unpack  # noqa: E402


class Machine:
    """A processor to compile for, and the one that qemu takes on for it."""

    def __init__(self, architecture, cpu, emulated=None, folder=None):
        self.architecture, self.cpu, self.emulated = architecture, cpu, emulated
        self.triple = f"{architecture}-linux-gnu"
        self.name = f"{architecture}/{cpu}"
        self.folder = folder

    @property
    def flags(self):
        return ["--target", self.triple, "--cpu", self.cpu]

    def emulator(self):
        return [f"qemu-{self.architecture}", "-L", f"/usr/{self.triple}"] + (["-cpu", self.emulated] if self.emulated else [])

    def program(self):
        """run_library for this architecture, built on first use."""
        path = Path(self.folder, f"run_library-{self.architecture}")
        if not path.exists():
            include = HERE.parents[2] / "Sources" / "SinterABI" / "include"
            subprocess.run(
                [f"{self.triple}-gcc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-I", str(include),
                 str(HERE / "run_library.c"), "-o", str(path), "-lm"], check=True)
        return str(path)

    def run(self, library, data_sets, seconds=240, threads=1):
        """Yields for each data set the outputs of two runs; raises LibraryError with the status and message of what was refused."""
        with tempfile.TemporaryDirectory(prefix="sinter-cross-") as folder:
            inputs, outputs = Path(folder, "inputs"), Path(folder, "outputs")
            inputs.write_bytes(struct.pack("<Q", len(data_sets)) + b"".join(
                struct.pack("<Q", len(values)) + b"".join(map(encoded, values)) for values in data_sets))
            command = self.emulator() + [self.program(), library, str(inputs), str(outputs), str(threads)]
            try:
                done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds)
            except subprocess.TimeoutExpired:
                raise LibraryError(f"the run took over {seconds} s") from None
            if done.returncode:
                raise LibraryError(f"exit status {done.returncode}: {done.stderr.strip()[:300]}")
            with contextlib.closing(outputs.open("rb")) as file:
                reader = Reader(file)
                reader.expect_ok()
                for _ in data_sets:
                    yield [reader.results() for _ in range(2)]


def encoded(value):
    if value is None:
        return struct.pack("<I", NONE)
    if isinstance(value, dict):
        parts = [np.array(list(value.keys())), np.array(list(value.values()))]
        parts = [part.astype("f4") if part.dtype == "f8" else part for part in parts]
        return struct.pack("<IQ", MAP, 2) + b"".join(map(encoded, parts))
    if isinstance(value, (list, tuple)):
        return struct.pack("<IQ", SEQUENCE, len(value)) + b"".join(map(encoded, value))
    array = np.asarray(value)
    if array.dtype.kind in "US":
        array = array.astype(object)
    code, bits = CODES[array.dtype]
    head = struct.pack("<IIII", TENSOR, code, bits, array.ndim) + struct.pack(f"<{array.ndim}q", *array.shape)
    if array.dtype == TEXT:
        texts = [item if isinstance(item, bytes) else str(item).encode() for item in array.flat]
        return head + b"".join(struct.pack("<Q", len(text)) + text for text in texts)
    data = (pack(array, bits) if bits < 8 else np.ascontiguousarray(array)).tobytes()
    return head + struct.pack("<Q", len(data)) + data


class Reader:
    """What run_library wrote, in its order."""

    def __init__(self, file):
        self.file = file

    def numbers(self, form):
        size = struct.calcsize("<" + form)
        data = self.file.read(size)
        if len(data) != size:
            raise LibraryError("the outputs end too early")
        return struct.unpack("<" + form, data)

    def expect_ok(self):
        status, = self.numbers("I")
        if status != OK:
            length, = self.numbers("Q")
            name = STATUS[status] if status < len(STATUS) else f"status {status}"
            raise LibraryError(f"{name}: {self.file.read(length).decode(errors='replace')}")

    def results(self):
        self.expect_ok()
        count, = self.numbers("Q")
        return [self.value() for _ in range(count)]

    def value(self):
        kind, = self.numbers("I")
        if kind == NONE:
            return None
        if kind == TENSOR:
            return self.tensor()
        count, = self.numbers("Q")
        elements = [self.value() for _ in range(count)]
        return elements if kind == SEQUENCE else dict(zip(elements[0].tolist(), elements[1].tolist(), strict=True))

    def tensor(self):
        code, bits, rank = self.numbers("III")
        shape = self.numbers(f"{rank}q")
        if (code, bits) not in TYPES:
            raise LibraryError(f"an output of element type {(code, bits)}")
        dtype, count = TYPES[code, bits], int(np.prod(shape, dtype=np.int64))
        if dtype == TEXT:
            array = np.empty(count, object)
            array[:] = [self.file.read(self.numbers("Q")[0]).decode() for _ in range(count)]
            return array.reshape(shape)
        length, = self.numbers("Q")
        raw = np.frombuffer(self.file.read(length), np.uint8).copy()
        return (unpack(raw, bits, count).view(dtype) if bits < 8 else raw.view(dtype)[:count]).reshape(shape)
