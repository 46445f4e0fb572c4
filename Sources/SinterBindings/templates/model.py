"""The model @NAME@, compiled by sinter @VERSION@: one file, which needs Python's own library and, for arrays, NumPy.

    from @IDENTIFIER@ import Model
    model = Model()            # lib@NAME@.so beside this file; Model(path, threads=1)
    y = model(x)               # one value per port; several outputs come as a tuple
    model.save_state(path)     # where model.states has any; also restore_state, state(name), set_state(name, value)

With NumPy, inputs are arrays and outputs are arrays. Without, they are anything with Python's buffer protocol (array.array, memoryview), and
outputs are memoryviews in the port's shape. Text is lists of str. Sequences, optionals and maps are for the package sinter, and for C.
@PORTS@
"""

import contextlib
import ctypes
import os
import threading
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int32, c_int64, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p

try:
    import numpy
except ImportError:
    numpy = None

# DLPack's codes and bits: the letter of Python's buffers, and NumPy's name.
_TYPES = {
    (0, 8): ("b", "int8"), (0, 16): ("h", "int16"), (0, 32): ("i", "int32"), (0, 64): ("q", "int64"),
    (1, 8): ("B", "uint8"), (1, 16): ("H", "uint16"), (1, 32): ("I", "uint32"), (1, 64): ("Q", "uint64"),
    (2, 16): ("e", "float16"), (2, 32): ("f", "float32"), (2, 64): ("d", "float64"), (6, 8): ("?", "bool"),
    (5, 64): (None, "complex64"), (5, 128): (None, "complex128"),
}
_CODES = {name: code for code, (_, name) in _TYPES.items()}
_LETTERS = {letter: code for code, (letter, _) in _TYPES.items() if letter} | {"l": (0, 64), "L": (1, 64)}
_TEXT = (200, 128)


class SinterError(RuntimeError):
    """`status` is a SinterStatus of sinter.h."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class _Type(Structure):
    _fields_ = [("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16)]


class _Tensor(Structure):
    _fields_ = [
        ("data", c_void_p), ("device", c_int32 * 2), ("ndim", c_int32), ("type", _Type), ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)), ("byte_offset", c_uint64),
    ]


class _String(Structure):
    _fields_ = [("bytes", c_void_p), ("length", c_uint64)]


class _Value(Structure):
    pass


_Release = CFUNCTYPE(None, POINTER(_Value))
_Value._fields_ = [
    ("kind", c_int32), ("tensor", _Tensor), ("elements", POINTER(_Value)), ("count", c_size_t), ("release", _Release), ("owner", c_void_p),
]


class _Port(Structure):
    _fields_ = [
        ("name", c_char_p), ("kind", c_int32), ("optional", c_int32), ("type", _Type), ("ndim", c_int32), ("shape", POINTER(c_int64)),
        ("dimension", POINTER(c_char_p)), ("elements", c_void_p),
    ]


class _Options(Structure):
    _fields_ = [("size", c_size_t), ("threads", c_int32), ("weights", c_char_p)]


class _Library(Structure):
    _fields_ = [
        ("abi_version", c_uint32), ("name", c_char_p), ("producer", c_char_p), ("target", c_char_p), ("input_count", c_size_t),
        ("inputs", POINTER(_Port)), ("output_count", c_size_t), ("outputs", POINTER(_Port)),
        ("open", CFUNCTYPE(c_int32, POINTER(_Options), POINTER(c_void_p))),
        ("run", CFUNCTYPE(c_int32, c_void_p, POINTER(_Value), POINTER(_Value))),
        ("message", CFUNCTYPE(c_char_p, c_void_p)), ("close", CFUNCTYPE(None, c_void_p)),
        # Libraries of version 1 end here.
        ("state_count", c_size_t), ("states", POINTER(_Port)),
        ("read_state", CFUNCTYPE(c_int32, c_void_p, c_size_t, POINTER(_Value))),
        ("write_state", CFUNCTYPE(c_int32, c_void_p, c_size_t, POINTER(_Value))),
        ("save_state", CFUNCTYPE(c_int32, c_void_p, c_char_p)), ("restore_state", CFUNCTYPE(c_int32, c_void_p, c_char_p)),
    ]


class _Owner:
    """Keeps what a run allocated until nothing shows it any more."""

    def __init__(self, values, index):
        self.values, self.index = values, index

    def __del__(self):
        value = self.values[self.index]
        if value.release:
            value.release(ctypes.byref(value))


class Model:
    """Any number of threads may call it at once; each call has a session of its own. With state there is one session, and calls take turns."""

    def __init__(self, path=None, threads=0, weights=None):
        self._free, self._turn = [], threading.Lock()
        path = path or os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib@NAME@.so")
        entry = ctypes.CDLL(os.path.abspath(path), mode=os.RTLD_NOW | os.RTLD_LOCAL).sinter_library
        entry.restype = POINTER(_Library)
        self._library = library = entry().contents
        if library.abi_version not in (1, 2):
            raise SinterError(1, f"{path} has version {library.abi_version} of sinter.h, expected 1 or 2")
        self._options = _Options(ctypes.sizeof(_Options), threads, os.fsencode(weights) if weights else None)
        self.inputs = [_describe(library.inputs[i]) for i in range(library.input_count)]
        self.outputs = [_describe(library.outputs[i]) for i in range(library.output_count)]
        self.states = [_describe(library.states[i]) for i in range(library.state_count)] if library.abi_version > 1 else []
        self._free.append(self._open())

    def __call__(self, *values):
        library = self._library
        if len(values) != library.input_count:
            raise TypeError(f"{len(values)} values for {library.input_count} inputs: {', '.join(port[0] for port in self.inputs)}")
        keep = []
        inputs = (_Value * max(1, len(values)))()
        for value, port, target in zip(values, self.inputs, inputs):
            _write(value, port, target, keep)
        outputs = (_Value * max(1, library.output_count))()
        self._call(lambda session: library.run(session, inputs, outputs))
        results = tuple(_read(outputs, i) for i in range(library.output_count))
        return results[0] if len(results) == 1 else results

    def state(self, name):
        """A copy of a state."""
        values, index = (_Value * 1)(), self._state(name)
        self._call(lambda session: self._library.read_state(session, index, values))
        return _read(values, 0)

    def set_state(self, name, value):
        index, values, keep = self._state(name), (_Value * 1)(), []
        _write(value, self.states[index], values[0], keep)
        self._call(lambda session: self._library.write_state(session, index, values))

    def save_state(self, path):
        """Writes all states as a safetensors file, which replaces what was there when it is complete."""
        self._demand_states()
        self._call(lambda session: self._library.save_state(session, os.fsencode(path)))

    def restore_state(self, path):
        """Reads them back. A file that does not have just these states is refused and changes nothing."""
        self._demand_states()
        self._call(lambda session: self._library.restore_state(session, os.fsencode(path)))

    def _state(self, name):
        names = [port[0] for port in self.states]
        if name not in names:
            raise KeyError(f"there is no state {name!r}; states are {', '.join(names) or 'none'}")
        return names.index(name)

    def _demand_states(self):
        if not self.states:
            raise SinterError(1, "the library has no state")

    def _call(self, function):
        """Calls a function of the library on a session that no other call uses."""
        with self._turn if self.states else contextlib.nullcontext():
            try:
                session = self._free.pop()
            except IndexError:
                session = self._open()
            try:
                status = function(session)
                if status:
                    raise SinterError(status, self._library.message(session).decode("utf-8", "replace"))
            finally:
                self._free.append(session)

    def _open(self):
        session = c_void_p()
        status = self._library.open(ctypes.byref(self._options), ctypes.byref(session))
        if status:
            raise SinterError(status, self._library.message(None).decode("utf-8", "replace"))
        return session

    def __del__(self):
        while self._free:
            self._library.close(self._free.pop())


def _text(name):
    return name.decode("utf-8", "replace")


def _describe(port):
    """Name, element type and sizes; symbols of sizes by name, None for what only a run tells."""
    if port.kind != 1:
        raise TypeError(f"{_text(port.name)} is no tensor: use the package sinter")
    code = port.type.code, port.type.bits
    sizes = []
    for axis in range(max(0, port.ndim)):
        symbol = port.dimension[axis] if port.dimension else None
        sizes.append(port.shape[axis] if port.shape[axis] >= 0 else symbol and _text(symbol))
    return _text(port.name), "text" if code == _TEXT else _TYPES.get(code, (None, f"code {code}"))[1], tuple(sizes)


def _write(value, port, target, keep):
    name, type_name, _ = port
    if type_name == "text":
        return _write_text(value, target, keep)
    if numpy is not None:
        array = value if isinstance(value, numpy.ndarray) else numpy.asarray(value, None if hasattr(value, "dtype") else type_name)
        array = numpy.ascontiguousarray(array, array.dtype.newbyteorder("="))
        shape, code, data = array.shape if array.ndim == numpy.ndim(value) else numpy.shape(value), _CODES.get(array.dtype.name), array.ctypes.data
        keep.append(array)
    else:
        view = memoryview(value)
        if not view.c_contiguous:
            view = memoryview(view.tobytes()).cast("B").cast(view.format, view.shape)
        shape, code = view.shape, _LETTERS.get(view.format)
        if view.readonly:
            copy = ctypes.create_string_buffer(view.tobytes(), max(1, view.nbytes))
        else:
            copy = (ctypes.c_char * view.nbytes).from_buffer(view.cast("B") if view.nbytes else bytearray(0))
        keep.extend((view, copy))
        data = ctypes.addressof(copy)
    if code is None:
        raise TypeError(f"no element type of {name} is like that of {type(value).__name__}")
    _set(target, data, code, shape, keep)


def _write_text(value, target, keep):
    shape, flat = [], value
    while isinstance(flat, (list, tuple)) or numpy is not None and isinstance(flat, numpy.ndarray):
        shape.append(len(flat))
        flat = flat[0] if len(flat) else None
    texts = [value]
    for _ in shape:
        texts = [element for part in texts for element in part]
    encoded = [ctypes.create_string_buffer(str(text).encode()) for text in texts]
    strings = (_String * max(1, len(texts)))(*(_String(ctypes.addressof(buffer), len(buffer) - 1) for buffer in encoded))
    keep.extend((encoded, strings))
    _set(target, ctypes.addressof(strings), _TEXT, shape, keep)


def _set(target, data, code, shape, keep):
    sizes = (c_int64 * len(shape))(*shape)
    keep.append(sizes)
    target.kind = 1
    target.tensor = _Tensor(data, (c_int32 * 2)(1, 0), len(shape), _Type(*code, 1), ctypes.cast(sizes, POINTER(c_int64)), None, 0)


def _read(values, index):
    owner, tensor = _Owner(values, index), values[index].tensor
    shape = tuple(tensor.shape[:tensor.ndim]) if tensor.ndim else ()
    code = tensor.type.code, tensor.type.bits
    count = 1
    for size in shape:
        count *= size
    if code == _TEXT:
        strings = (_String * count).from_address(tensor.data) if count else []
        texts = [ctypes.string_at(text.bytes, text.length).decode("utf-8", "replace") if text.length else "" for text in strings]
        for size in reversed(shape[1:]):
            texts = [texts[i:i + size] for i in range(0, len(texts), size)] if size else [[] for _ in range(shape[0])]
        return texts if shape else texts[0]
    letter, name = _TYPES.get(code, (None, None))
    if name is None:
        raise TypeError(f"elements of code {code[0]} with {code[1]} bits are for the package sinter")
    buffer = (ctypes.c_char * (count * code[1] // 8)).from_address(tensor.data) if count else (ctypes.c_char * 0)()
    buffer._owner = owner
    if numpy is not None:
        return numpy.ndarray(shape, name, buffer)
    view = memoryview(buffer).cast("B")
    return view.cast(letter, shape) if count and shape else view.cast(letter)
