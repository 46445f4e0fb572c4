"""Compiled libraries, loaded."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from ctypes import POINTER
from pathlib import Path
from typing import Any, Iterator, Optional, Sequence, Union

import numpy as np

from . import abi, errors, port
from .port import Port
from .session import Outputs, Session, Signature, arguments

__all__ = ["Model", "Outputs", "Session", "load"]


def load(path: Union[str, os.PathLike], *, threads: int = 0, weights: Union[str, os.PathLike, None] = None) -> "Model":
    """Loads a library that Sinter compiled.

    `threads`: that each call runs on; 0 for as many as this process may use. `weights`: the file of weights, where the library keeps
    them beside it and they were moved.
    """
    return Model(path, threads=threads, weights=weights)


class Model:
    """A compiled model, called like a function.

        y = model(x)                           # by position
        y = model(input_ids=ids, mask=None)    # by name
        model(x, out=y)                        # into memory that is there

    Tensors are arrays of NumPy, torch, JAX or whatever has `__dlpack__`, on the CPU, with any strides; they are read where they lie.
    Lists and numbers become arrays of the port's type. Sequences are lists, maps are dicts, text is `str`, an optional that is left
    out is None. Outputs are NumPy's, in the library's memory, which goes when the last array of it does; they are torch's tensors where
    a tensor of torch went in. Elements narrower than a byte, and text, are copied.

    Any number of threads may call a model at once: each call has a session of its own, and Python's other threads go on while the
    library works. Sessions are kept for the next call, as many as there were calls at once.

    A library with `states`, such as parameters that it trains, has one session here, so that what one call leaves is what the next one finds;
    calls of several threads wait for each other.
    """

    def __init__(self, path, *, threads: int = 0, weights=None, source: Optional[Path] = None, folder=None):
        self.path = Path(path).resolve()
        self.threads = threads
        #: The ONNX file that it was compiled from, where that is known.
        self.source = source
        self._folder = folder  # temporary, and gone with this object
        self._weights = weights
        try:
            self._handle = ctypes.CDLL(str(self.path), mode=os.RTLD_NOW | os.RTLD_LOCAL)
        except OSError as error:
            raise errors.Error(f"{path} cannot be loaded: {error}") from None
        try:
            entry = self._handle.sinter_library
        except AttributeError:
            raise errors.Error(f"{path} is no library of Sinter: it has no sinter_library") from None
        entry.restype = POINTER(abi.LibraryTable)
        entry.argtypes = []
        self._table = table = entry().contents
        if not 1 <= table.abi_version <= abi.ABI_VERSION:
            raise errors.Error(f"{path} has version {table.abi_version} of the C interface, expected one up to {abi.ABI_VERSION}: compile it again")
        self.name: str = table.name.decode()
        self.producer: str = table.producer.decode()
        self.target: str = table.target.decode()
        self.inputs: tuple[Port, ...] = tuple(port.describe(table.inputs[i]) for i in range(table.input_count))
        self.outputs: tuple[Port, ...] = tuple(port.describe(table.outputs[i]) for i in range(table.output_count))
        count = table.state_count if table.abi_version >= 2 else 0
        #: What it carries from one call to the next.
        self.states: tuple[Port, ...] = tuple(port.describe(table.states[i]) for i in range(count))
        self._signature = Signature(self)
        self._input_count = len(self.inputs)
        self._idle = [Session(self, threads, weights)]
        self._turn = threading.Lock() if self.states else None

    def __call__(self, *args, out=None, **named) -> Any:
        """Runs once. Returns the only output, or all of them as `Outputs`.

        `out`: an array, a list of them in the order of the outputs, or a dict by name; what is missing or None is allocated.
        Raises `InvalidArgumentError`, `ShapeMismatchError`, `DataError` or another `RunError`.
        """
        values: Sequence = args
        if named or len(args) != self._input_count:
            values = arguments(self._signature, args, named)
        if self._turn is not None:
            with self._turn:
                return self._only().run(values, out)
        try:
            session = self._idle.pop()
        except IndexError:
            session = Session(self, self.threads, self._weights)
        try:
            return session.run(values, out)
        finally:
            self._idle.append(session)

    def run(self, inputs: dict[str, Any], out=None) -> dict[str, Any]:
        """Runs once on values by name, and returns outputs by name, whatever Python thinks of the names."""
        result = self(out=out, **inputs)
        return dict(zip(self._signature.output_names, result if len(self.outputs) != 1 else [result]))

    def session(self, threads: Optional[int] = None) -> Session:
        """A session of one's own, whose state, where the library has some, begins as the library has it."""
        return Session(self, self.threads if threads is None else threads, self._weights)

    def close(self) -> None:
        """Closes the idle sessions; the next call opens a new one. State goes with its session, so save it before."""
        with self._turn or contextlib.nullcontext():
            while self._idle:
                self._idle.pop().close()

    def state(self, name: str) -> np.ndarray:
        """A copy of a state. Raises KeyError where there is none of that name."""
        with self._in_turn() as session:
            return session.state(name)

    def set_state(self, name: str, value) -> None:
        """Copies an array of the state's type and sizes into it."""
        with self._in_turn() as session:
            session.set_state(name, value)

    def save_state(self, path: Union[str, os.PathLike]) -> None:
        """Writes all states as a safetensors file, which replaces what was at `path` when it is complete."""
        with self._in_turn() as session:
            session.save_state(path)

    def restore_state(self, path: Union[str, os.PathLike]) -> None:
        """Reads all states back. A file that lacks one, has others, or has one of another type or shape is refused and changes nothing."""
        with self._in_turn() as session:
            session.restore_state(path)

    @contextlib.contextmanager
    def _in_turn(self) -> Iterator[Session]:
        """The session that has the model's state, for one thread at a time."""
        if self._turn is None:
            raise errors.Error(f"{self.path.name} has no state")
        with self._turn:
            yield self._only()

    def _only(self) -> Session:
        if not self._idle:
            self._idle.append(Session(self, self.threads, self._weights))
        return self._idle[0]

    def graph(self, **options):
        """A drawing of what it was compiled from: `sinter.graph`."""
        if self.source is None:
            raise errors.Error(f"it is not known what {self.path.name} was compiled from: sinter.graph takes the ONNX file")
        from .drawing import graph

        return graph(self.source, **options)

    def __repr__(self) -> str:
        def ports(ports):
            return ", ".join(map(str, ports))

        return f"<sinter.Model {self.name}: ({ports(self.inputs)}) -> ({ports(self.outputs)})>"
