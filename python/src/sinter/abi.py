"""sinter.h for ctypes: the tables of compiled libraries.

A SinterTensor has the layout of DLPack's DLTensor, so that one is copied onto the other. Values of a run are read and written as bytes,
in the layout VALUE, which is several times as fast as field by field.
"""

from __future__ import annotations

import ctypes
import struct
from ctypes import (
    CFUNCTYPE, POINTER, Structure, c_char_p, c_int32, c_int64, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p,
)

ABI_VERSION = 2
NONE, TENSOR, SEQUENCE, MAP = range(4)
KIND_NAMES = ("nothing", "a tensor", "a sequence", "a map")
CPU = 1
STRING_CODE, STRING_BITS = 200, 128


class DataType(Structure):
    _fields_ = [("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16)]


class Tensor(Structure):
    _fields_ = [
        ("data", c_void_p), ("device_type", c_int32), ("device_id", c_int32), ("ndim", c_int32), ("dtype", DataType),
        ("shape", c_void_p), ("strides", c_void_p), ("byte_offset", c_uint64),
    ]


class String(Structure):
    _fields_ = [("bytes", c_void_p), ("length", c_uint64)]


class Value(Structure):
    _fields_ = [
        ("kind", c_int32), ("tensor", Tensor), ("elements", c_void_p), ("count", c_size_t), ("release", c_void_p), ("owner", c_void_p),
    ]


#: kind; of the tensor: data, device type and number, ndim, code, bits, lanes, shape, strides, byte offset; elements, count, release, owner
VALUE = struct.Struct("=i4xQiiiBBHQQQQQQQ")
VALUE_BYTES = ctypes.sizeof(Value)
TENSOR_OFFSET = Value.tensor.offset
TENSOR_BYTES = ctypes.sizeof(Tensor)
assert VALUE.size == VALUE_BYTES == 88 and TENSOR_BYTES == 48 and TENSOR_OFFSET == 8

SHAPES = [c_int64 * ndim for ndim in range(65)]


class PortDescription(Structure):
    pass


PortDescription._fields_ = [
    ("name", c_char_p), ("kind", c_int32), ("optional", c_int32), ("dtype", DataType), ("ndim", c_int32),
    ("shape", POINTER(c_int64)), ("dimension", POINTER(c_char_p)), ("elements", POINTER(PortDescription)),
]


class Options(Structure):
    _fields_ = [
        ("size", c_size_t), ("threads", c_int32), ("weights", c_char_p), ("parallel", c_void_p), ("allocate", c_void_p),
        ("deallocate", c_void_p), ("host", c_void_p),
    ]


class LibraryTable(Structure):
    """`run` takes addresses as numbers. ctypes lets other Python threads go on while any of these functions works.

    A table of version 1 ends before `state_count`.
    """

    _fields_ = [
        ("abi_version", c_uint32), ("name", c_char_p), ("producer", c_char_p), ("target", c_char_p),
        ("input_count", c_size_t), ("inputs", POINTER(PortDescription)),
        ("output_count", c_size_t), ("outputs", POINTER(PortDescription)),
        ("open", CFUNCTYPE(c_int32, POINTER(Options), POINTER(c_void_p))),
        ("run", CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p)),
        ("message", CFUNCTYPE(c_char_p, c_void_p)),
        ("close", CFUNCTYPE(None, c_void_p)),
        ("state_count", c_size_t), ("states", POINTER(PortDescription)),
        ("read_state", CFUNCTYPE(c_int32, c_void_p, c_size_t, c_void_p)),
        ("write_state", CFUNCTYPE(c_int32, c_void_p, c_size_t, c_void_p)),
        ("save_state", CFUNCTYPE(c_int32, c_void_p, c_char_p)),
        ("restore_state", CFUNCTYPE(c_int32, c_void_p, c_char_p)),
    ]


RELEASE = CFUNCTYPE(None, c_void_p)

capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
capsule_pointer.restype = c_void_p
capsule_pointer.argtypes = [ctypes.py_object, c_char_p]
