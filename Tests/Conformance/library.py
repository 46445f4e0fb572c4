"""A compiled model as a Python object, through the C interface of sinter.h.

    model = Library("libdigits.so")
    with model.open(threads=1) as session:
        scores, = session.run([images])

Values are what the onnx package uses: NumPy arrays (with ml_dtypes for what NumPy lacks, object arrays of str for
text), lists for sequences, dicts for maps, None for an optional that is empty.
"""

import ctypes as c
import os

import ml_dtypes
import numpy as np

OK, NONE, TENSOR, SEQUENCE, MAP = 0, 0, 1, 2, 3
STATUS = ["ok", "invalid argument", "shape mismatch", "out of memory", "busy", "unsupported CPU", "runtime error"]
TEXT = np.dtype(object)

# (DLPack's code, bits) of each element type.
_FLOATS = [
    "4 16 bfloat16", "7 8 float8_e3m4", "8 8 float8_e4m3", "9 8 float8_e4m3b11fnuz", "10 8 float8_e4m3fn",
    "11 8 float8_e4m3fnuz", "12 8 float8_e5m2", "13 8 float8_e5m2fnuz", "14 8 float8_e8m0fnu", "15 6 float6_e2m3fn",
    "16 6 float6_e3m2fn", "17 4 float4_e2m1fn", "0 2 int2", "0 4 int4", "1 2 uint2", "1 4 uint4",
]
CODES = {TEXT: (200, 128), np.dtype(bool): (6, 8)}
for _code, _letter, _sizes in ((0, "i", (1, 2, 4, 8)), (1, "u", (1, 2, 4, 8)), (2, "f", (2, 4, 8)), (5, "c", (8, 16))):
    CODES |= {np.dtype(f"{_letter}{size}"): (_code, 8 * size) for size in _sizes}
for _row in _FLOATS:
    _code, _bits, _name = _row.split()
    CODES[np.dtype(getattr(ml_dtypes, _name))] = (int(_code), int(_bits))
TYPES = {pair: dtype for dtype, pair in CODES.items()}


def _structure(name, *fields):
    return type(name, (c.Structure,), {"_fields_": list(fields)} if fields else {})


Device = _structure("Device", ("type", c.c_int32), ("id", c.c_int32))
DataType = _structure("DataType", ("code", c.c_uint8), ("bits", c.c_uint8), ("lanes", c.c_uint16))
Tensor = _structure(
    "Tensor", ("data", c.c_void_p), ("device", Device), ("ndim", c.c_int32), ("dtype", DataType),
    ("shape", c.POINTER(c.c_int64)), ("strides", c.POINTER(c.c_int64)), ("byte_offset", c.c_uint64))
Text = _structure("Text", ("bytes", c.c_void_p), ("length", c.c_uint64))
Value = _structure("Value")
Value._fields_ = [
    ("kind", c.c_int32), ("tensor", Tensor), ("elements", c.POINTER(Value)), ("count", c.c_size_t),
    ("release", c.CFUNCTYPE(None, c.POINTER(Value))), ("owner", c.c_void_p)]
RawPort = _structure("RawPort")
RawPort._fields_ = [
    ("name", c.c_char_p), ("kind", c.c_int32), ("optional", c.c_int32), ("dtype", DataType), ("ndim", c.c_int32),
    ("shape", c.POINTER(c.c_int64)), ("dimension", c.POINTER(c.c_char_p)), ("elements", c.POINTER(RawPort))]
Options = _structure("Options", ("size", c.c_size_t), ("threads", c.c_int32), ("weights", c.c_char_p))
Table = _structure(
    "Table", ("abi_version", c.c_uint32), ("name", c.c_char_p), ("producer", c.c_char_p), ("target", c.c_char_p),
    ("input_count", c.c_size_t), ("inputs", c.POINTER(RawPort)),
    ("output_count", c.c_size_t), ("outputs", c.POINTER(RawPort)),
    ("open", c.CFUNCTYPE(c.c_int32, c.POINTER(Options), c.POINTER(c.c_void_p))),
    ("run", c.CFUNCTYPE(c.c_int32, c.c_void_p, c.POINTER(Value), c.POINTER(Value))),
    ("message", c.CFUNCTYPE(c.c_char_p, c.c_void_p)),
    ("close", c.CFUNCTYPE(None, c.c_void_p)))


class LibraryError(Exception):
    """A call that the library refused, or a library that breaks its interface."""


class Port:
    def __init__(self, raw):
        self.name = raw.name.decode() if raw.name else ""
        self.kind, self.optional = raw.kind, bool(raw.optional)
        self.dtype = TYPES.get((raw.dtype.code, raw.dtype.bits)) if raw.kind in (TENSOR, SEQUENCE) else None
        self.of_maps = raw.kind == SEQUENCE and bool(raw.elements) and raw.elements[0].kind == MAP
        self.shape = [raw.shape[i] for i in range(raw.ndim)] if raw.ndim >= 0 else None

    def refusal(self, value):
        """Why `value` does not fit the description, or None."""
        if value is None:
            return None if self.optional else f"{self.name} is empty and not described as optional"
        kind = {list: SEQUENCE, dict: MAP}.get(type(value), TENSOR)
        if kind != self.kind:
            return f"{self.name} is of kind {kind}, described as {self.kind}"
        if self.of_maps:
            wrong = next((item for item in value if not isinstance(item, dict)), None)
            return None if wrong is None else f"{self.name} holds {type(wrong).__name__}, described as maps"
        for array in {TENSOR: [value], SEQUENCE: value, MAP: []}[kind]:
            if array.dtype != self.dtype and not (array.dtype.kind in "OUS" and self.dtype == TEXT):
                return f"{self.name} is of {array.dtype}, described as {self.dtype}"
            if self.shape is None:
                continue
            if array.ndim != len(self.shape) or any(d not in (-1, n) for d, n in zip(self.shape, array.shape)):
                return f"{self.name} has the shape {array.shape}, described as {self.shape}"
        return None


class Library:
    def __init__(self, path):
        entry = c.CDLL(os.path.abspath(path), mode=os.RTLD_NOW | os.RTLD_LOCAL).sinter_library
        entry.restype, entry.argtypes = c.POINTER(Table), []
        self.table = entry().contents
        if self.table.abi_version not in (1, 2):
            raise LibraryError(f"interface version {self.table.abi_version}, expected 1 or 2")
        self.inputs = [Port(self.table.inputs[i]) for i in range(self.table.input_count)]
        self.outputs = [Port(self.table.outputs[i]) for i in range(self.table.output_count)]

    def open(self, threads=0):
        return Session(self.table, threads)


class Session:
    def __init__(self, table, threads):
        self.table, self.handle = table, c.c_void_p()
        options = Options(size=c.sizeof(Options), threads=threads)
        self.expect_ok(table.open(c.byref(options), c.byref(self.handle)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.table.close(self.handle)

    def expect_ok(self, status):
        if status != OK:
            name = STATUS[status] if 0 < status < len(STATUS) else f"status {status}"
            raise LibraryError(f"{name}: {(self.table.message(self.handle) or b'no message').decode(errors='replace')}")

    def run(self, values):
        keep = []
        inputs = (Value * len(values))(*(to_value(value, keep) for value in values))
        outputs = (Value * self.table.output_count)()
        self.expect_ok(self.table.run(self.handle, inputs, outputs))
        results = [from_value(output) for output in outputs]
        for output in outputs:
            if output.release:
                output.release(c.byref(output))
        return results


def to_value(value, keep):
    """The C form of a Python value. All memory that it points to is appended to `keep`."""
    if value is None:
        return Value(kind=NONE)
    if isinstance(value, dict):
        parts = [np.array(list(value.keys())), np.array(list(value.values()))]
        return _aggregate(MAP, [part.astype("f4") if part.dtype == "f8" else part for part in parts], keep)
    if isinstance(value, (list, tuple)):
        return _aggregate(SEQUENCE, value, keep)
    array = np.asarray(value)
    if array.dtype.kind in "US":
        array = array.astype(object)
    code, bits = CODES[array.dtype]
    shape = (c.c_int64 * max(array.ndim, 1))(*array.shape)
    if array.dtype == TEXT:
        encoded = [item if isinstance(item, bytes) else str(item).encode() for item in array.flat]
        buffers = [c.create_string_buffer(item, len(item) + 1) for item in encoded]
        memory = (Text * max(len(encoded), 1))(*(Text(c.addressof(b), len(e)) for b, e in zip(buffers, encoded)))
        keep += [buffers, memory]
        data = c.addressof(memory)
    else:
        memory = pack(array, bits) if bits < 8 else np.ascontiguousarray(array)
        keep.append(memory)
        data = memory.ctypes.data
    keep.append(shape)
    tensor = Tensor(data, Device(1, 0), array.ndim, DataType(code, bits, 1), c.cast(shape, c.POINTER(c.c_int64)))
    return Value(kind=TENSOR, tensor=tensor)


def _aggregate(kind, items, keep):
    elements = (Value * max(len(items), 1))(*(to_value(item, keep) for item in items))
    keep.append(elements)
    return Value(kind=kind, elements=c.cast(elements, c.POINTER(Value)), count=len(items))


def from_value(value):
    if value.kind == NONE:
        return None
    if value.kind == TENSOR:
        return _from_tensor(value.tensor)
    elements = [from_value(value.elements[i]) for i in range(value.count)]
    if value.kind == SEQUENCE:
        return elements
    if value.kind == MAP and len(elements) == 2:
        return dict(zip(elements[0].tolist(), elements[1].tolist(), strict=True))
    raise LibraryError(f"an output of kind {value.kind} with {value.count} elements")


def _from_tensor(tensor):
    pair = (tensor.dtype.code, tensor.dtype.bits)
    if pair not in TYPES or tensor.dtype.lanes != 1 or tensor.device.type != 1:
        raise LibraryError(f"an output of element type {pair}, {tensor.dtype.lanes} lanes, device {tensor.device.type}")
    dtype, bits = TYPES[pair], pair[1]
    shape = tuple(tensor.shape[i] for i in range(tensor.ndim))
    count = int(np.prod(shape, dtype=np.int64))
    if count == 0:
        return np.empty(shape, dtype)
    if not tensor.data or min(shape, default=1) < 0:
        raise LibraryError(f"an output of the shape {shape} at address {tensor.data}")
    dense = [int(np.prod(shape[i + 1:], dtype=np.int64)) for i in range(len(shape))]
    if tensor.strides and any(tensor.strides[i] != dense[i] for i in range(len(shape)) if shape[i] > 1):
        raise LibraryError("an output that is not dense")
    address = tensor.data + tensor.byte_offset
    if dtype == TEXT:
        texts = (Text * count).from_address(address)
        array = np.empty(count, object)
        array[:] = [c.string_at(text.bytes, text.length).decode() if text.length else "" for text in texts]
        return array.reshape(shape)
    raw = np.frombuffer((c.c_uint8 * -(-count * bits // 8)).from_address(address), np.uint8).copy()
    return (unpack(raw, bits, count).view(dtype) if bits < 8 else raw.view(dtype)).reshape(shape)


def pack(array, bits):
    """Elements of less than a byte, the first in the low bits."""
    planes = np.unpackbits(np.ascontiguousarray(array).reshape(-1, 1).view(np.uint8), axis=1, bitorder="little")
    return np.packbits(planes[:, :bits].reshape(-1), bitorder="little")


def unpack(packed, bits, count):
    planes = np.unpackbits(packed, bitorder="little")[: count * bits].reshape(count, bits)
    return np.packbits(planes, axis=1, bitorder="little").reshape(-1)
