"""One session of a library: its memory and its threads."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from ctypes import addressof, memmove
from typing import Optional, Union

import numpy as np

from . import abi, dtypes, errors, values
from .abi import SHAPES, TENSOR, TENSOR_BYTES, TENSOR_OFFSET, VALUE, VALUE_BYTES, capsule_pointer
from .port import Port
from .values import Block

_unpack = VALUE.unpack_from
_ndarray = np.ndarray


class Signature:
    """What is the same in every call of a library, looked up once."""

    def __init__(self, library):
        self.inputs: tuple[Port, ...] = library.inputs
        self.outputs: tuple[Port, ...] = library.outputs
        self.states: tuple[Port, ...] = library.states
        self.input_count = len(self.inputs)
        self.names = tuple(port.name for port in self.inputs)
        self.positions = {name: index for index, name in enumerate(self.names)}
        self.output_names = tuple(port.name for port in self.outputs)
        self.output_type = abi.Value * max(1, len(self.outputs))
        self.input_type = abi.Value * max(1, len(self.inputs))
        self.plans = [_OutputPlan(index, port) for index, port in enumerate(self.outputs)]

    def state(self, name: str) -> int:
        """The number of a state in the library's table."""
        for index, port in enumerate(self.states):
            if port.name == name:
                return index
        names = ", ".join(port.name for port in self.states)
        raise KeyError(f"there is no state {name!r}; " + (f"states are {names}" if names else "the library has none"))


class _OutputPlan:
    """How one output becomes an array; `typestr` is None where the general way is gone."""

    def __init__(self, index: int, port: Port):
        self.offset = index * VALUE_BYTES
        self.name = port.name
        self.typestr: Optional[str] = None
        self.shape = None  # where it never changes
        if port.kind != "tensor" or port.optional or port.dtype is None:
            return
        self.element = dtypes._BY_NAME[port.dtype]
        if self.element.is_text or self.element.is_packed:
            return
        self.typestr = self.element.storage.str
        if port.shape is not None and all(isinstance(size, int) and size > 0 for size in port.shape):
            self.shape = port.shape


class Session:
    """Runs a library, one call at a time: a second call from another thread meanwhile raises `BusyError`.

    A `Model` opens sessions by itself; open one with `Model.session` to have its memory and threads for yourself. Each session of a library
    with state, such as parameters that it trains, has its own, which begins as the library has it.
    """

    def __init__(self, library, threads: int = 0, weights=None):
        self._pointer = ctypes.c_void_p()
        self._table = table = library._table
        self.threads = threads
        options = abi.Options(
            size=ctypes.sizeof(abi.Options), threads=threads, weights=None if weights is None else os.fsencode(weights))
        status = table.open(ctypes.byref(options), ctypes.byref(self._pointer))
        if status:
            raise errors.of_status(status, table.message(None).decode("utf-8", "replace"))
        signature = library._signature
        self._signature = signature
        self._handle = self._pointer.value
        self._run = table.run
        self._inputs = signature.input_type()
        self._input_address = addressof(self._inputs)
        self._is_simple = all(port.kind == "tensor" for port in signature.inputs)
        self._free = threading.Lock()

    def __call__(self, *args, out=None, **named):
        """As `Model.__call__`."""
        if named or len(args) != self._signature.input_count:
            args = arguments(self._signature, args, named)
        return self.run(args, out)

    def run(self, args, out=None):
        """Runs on one value a port, in their order. Returns the only output, or all of them as `Outputs`."""
        self._acquire()
        try:
            signature = self._signature
            keep: list = []
            torch = self._write(args, keep)
            outputs = signature.output_type()
            address = addressof(outputs)
            given = None
            if out is not None:
                given = _given(signature, out)
                for plan, array in zip(signature.plans, given):
                    if array is not None:
                        _write_output(array, address + plan.offset, plan.name, keep)
            status = self._run(self._handle, self._input_address, address)
            self._demand(status)
        finally:
            self._free.release()
        if given is None:
            results = [self._read(plan, outputs, address, torch) for plan in signature.plans]
        else:
            results = [
                self._read(plan, outputs, address, torch) if array is None else array for plan, array in zip(signature.plans, given)]
        return results[0] if len(results) == 1 else Outputs._make(results, signature.output_names)

    def _write(self, args, keep):
        """Fills in the inputs. Returns the torch module where outputs are to be its tensors."""
        target = self._input_address
        torch = sys.modules.get("torch")
        is_torch = False
        for index, value in enumerate(args):
            capsule = None
            if type(value) is _ndarray:
                try:
                    capsule = value.__dlpack__()
                except (BufferError, RuntimeError, TypeError):
                    pass  # read-only memory, and types that DLPack lacks
            elif torch is not None and isinstance(value, torch.Tensor):
                is_torch = True
                # Views that are conjugated or negated when they are read do not hold what their memory does.
                if not value.requires_grad and not value.is_conj() and not value.is_neg():
                    try:
                        capsule = torch.utils.dlpack.to_dlpack(value)
                    except (BufferError, RuntimeError):
                        pass
            if capsule is not None and self._is_simple:
                ctypes.c_int32.from_address(target).value = TENSOR
                memmove(target + TENSOR_OFFSET, capsule_pointer(capsule, b"dltensor"), TENSOR_BYTES)
                keep.append(capsule)
            else:
                values.write(value, self._signature.inputs[index], target, keep)
            target += VALUE_BYTES
        return torch if is_torch else None

    @staticmethod
    def _read(plan, outputs, address, torch):
        kind, data, _, _, ndim, _, _, _, shape, _, _, _, _, release, _ = _unpack(outputs, plan.offset)
        if not release:
            return None if kind == abi.NONE else values.read(outputs, plan.offset, None)
        block = Block(outputs, address + plan.offset, release)
        if plan.typestr is None:
            result = values.read(outputs, plan.offset, block)
            if torch is not None and isinstance(result, _ndarray) and result.dtype != object:
                return torch.from_numpy(result)
            return result
        sizes = plan.shape
        if sizes is None:
            sizes = tuple(SHAPES[ndim].from_address(shape)) if ndim else ()
            if 0 in sizes:
                array = np.empty(sizes, plan.element.storage)
                data = 0
        if data:
            block.__array_interface__ = {"shape": sizes, "typestr": plan.typestr, "data": (data, False), "version": 3}
            array = np.asarray(block)
        if torch is not None:
            tensor = torch.from_numpy(array)
            return tensor if plan.element.is_native else tensor.view(getattr(torch, plan.element.name))
        if not plan.element.is_native:
            return array.view(plan.element.numpy)
        return array

    @property
    def states(self) -> tuple[Port, ...]:
        """What it carries from one run to the next."""
        return self._signature.states

    def state(self, name: str) -> _ndarray:
        """A copy of a state. Raises KeyError where there is none of that name."""
        index = self._signature.state(name)
        memory = (abi.Value * 1)()
        self._acquire()
        try:
            self._demand(self._table.read_state(self._handle, index, addressof(memory)))
        finally:
            self._free.release()
        return self._read(_OutputPlan(0, self.states[index]), memory, addressof(memory), None)

    def set_state(self, name: str, value) -> None:
        """Copies an array of the state's type and sizes into it; numbers and lists become one of its type."""
        index = self._signature.state(name)
        memory = (abi.Value * 1)()
        keep: list = []
        values.write_tensor(value, self.states[index], addressof(memory), keep)
        self._acquire()
        try:
            self._demand(self._table.write_state(self._handle, index, addressof(memory)))
        finally:
            self._free.release()

    def save_state(self, path: Union[str, os.PathLike]) -> None:
        """Writes all states as a safetensors file, which replaces what was at `path` when it is complete."""
        self._pass_file(path, "save_state")

    def restore_state(self, path: Union[str, os.PathLike]) -> None:
        """Reads all states back. A file that lacks one, has others, or has one of another type or shape is refused and changes nothing."""
        self._pass_file(path, "restore_state")

    def _pass_file(self, path, function: str) -> None:
        if not self.states:
            raise errors.Error("the library has no state")
        self._acquire()
        try:
            self._demand(getattr(self._table, function)(self._handle, os.fsencode(path)))
        finally:
            self._free.release()

    def _acquire(self) -> None:
        """Keeps other threads out until `_free` is released."""
        if not self._free.acquire(False):
            raise errors.BusyError("this session is inside a run of another thread; open one for each, or call the model")
        if not self._handle:
            self._free.release()
            raise errors.Error("the session is closed")

    def _demand(self, status: int) -> None:
        if status:
            raise errors.of_status(status, self._table.message(self._handle).decode("utf-8", "replace"))

    def close(self) -> None:
        """Gives its memory back and ends its threads. Arrays that came out of it stay."""
        if self._pointer:
            self._table.close(self._pointer)
            self._pointer = ctypes.c_void_p()
            self._handle = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        self.close()


class Outputs(tuple):
    """Several outputs: by position as in any tuple, by name as `outputs["logits"]` or, where Python allows that name, `outputs.logits`."""

    _names: tuple[str, ...]

    @classmethod
    def _make(cls, results, names):
        outputs = cls(results)
        outputs._names = names
        return outputs

    def __getitem__(self, key):
        if isinstance(key, str):
            try:
                return tuple.__getitem__(self, self._names.index(key))
            except ValueError:
                raise KeyError(f"there is no output {key!r}; outputs are {', '.join(self._names)}") from None
        return tuple.__getitem__(self, key)

    def __getattr__(self, name):
        if name != "_names" and name in self._names:
            return self[name]
        raise AttributeError(name)

    def keys(self):
        return self._names

    def items(self):
        return zip(self._names, self)

    def __reduce__(self):
        return Outputs._make, (list(self), self._names)

    def __repr__(self):
        return "Outputs(" + ", ".join(f"{name}={value!r}" for name, value in self.items()) + ")"


def arguments(signature: Signature, args, named) -> list:
    """One value a port, of arguments by position and by name. What has no value is None, where the port allows that."""
    if len(args) > signature.input_count:
        raise TypeError(f"{len(args)} arguments for {signature.input_count} inputs: {', '.join(map(str, signature.inputs))}")
    found = list(args) + [_MISSING] * (signature.input_count - len(args))
    for name, value in named.items():
        position = signature.positions.get(name)
        if position is None:
            raise TypeError(f"there is no input {name!r}; inputs are {', '.join(signature.names)}")
        if found[position] is not _MISSING:
            raise TypeError(f"input {name!r} is given twice")
        found[position] = value
    for index, value in enumerate(found):
        if value is _MISSING:
            if not signature.inputs[index].optional:
                missing = [str(port) for port, given in zip(signature.inputs, found) if given is _MISSING and not port.optional]
                raise TypeError(f"no value for {'; '.join(missing)}")
            found[index] = None
    return found


_MISSING = object()


def _given(signature: Signature, out) -> list:
    """The array that each output is to be written into, or None."""
    count = len(signature.outputs)
    if isinstance(out, dict):
        unknown = [name for name in out if name not in signature.output_names]
        if unknown:
            raise TypeError(f"there is no output {unknown[0]!r}; outputs are {', '.join(signature.output_names)}")
        return [out.get(name) for name in signature.output_names]
    arrays = list(out) if isinstance(out, (list, tuple)) else [out]
    if len(arrays) != count:
        raise TypeError(f"out holds {len(arrays)} arrays for {count} outputs; a dict names those that are given")
    return arrays


def _write_output(array, target: int, name: str, keep: list) -> None:
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(array, torch.Tensor):
        if array.is_conj() or array.is_neg():
            raise ValueError(f"the tensor for output '{name}' is a conjugate or negative view: give memory that holds its own values")
        capsule = torch.utils.dlpack.to_dlpack(array.detach())
    elif isinstance(array, _ndarray):
        if not array.flags.writeable:
            raise ValueError(f"the array for output '{name}' is read-only")
        if array.dtype == object:
            raise TypeError(f"output '{name}' cannot be written into an array of objects")
        try:
            capsule = array.__dlpack__()
        except (BufferError, RuntimeError, TypeError):  # types that DLPack lacks
            return _write_array(array, target, name, keep)
    else:
        raise TypeError(f"output '{name}' is written into arrays of NumPy or torch, not into {type(array).__name__}")
    ctypes.c_int32.from_address(target).value = TENSOR
    memmove(target + TENSOR_OFFSET, capsule_pointer(capsule, b"dltensor"), TENSOR_BYTES)
    keep.append(capsule)


def _write_array(array: _ndarray, target: int, name: str, keep: list) -> None:
    """The same of a type that NumPy takes from ml_dtypes."""
    if not array.flags.c_contiguous:
        raise ValueError(f"the array for output '{name}' has strides that are not dense: {array.strides}")
    shape = SHAPES[array.ndim](*array.shape)
    element = dtypes.of_numpy(array.dtype)
    if element.is_packed:
        raise TypeError(f"output '{name}' of {element} cannot be written into an array, which has a byte for each element")
    keep.extend((array, shape))
    memory = (ctypes.c_char * VALUE_BYTES).from_address(target)
    VALUE.pack_into(
        memory, 0, TENSOR, array.ctypes.data, abi.CPU, 0, array.ndim, element.code, element.bits, 1, addressof(shape), 0, 0, 0, 0, 0, 0)
