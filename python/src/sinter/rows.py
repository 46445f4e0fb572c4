"""A library on the rows of a table: columns in, columns out."""

from __future__ import annotations

import math
from typing import Mapping, Optional

import numpy as np

from . import errors
from .model import Model
from .port import Port


class RowModel:
    """Runs a library on columns of a table, so that each row has a result of its own.

    The first axis of every input and output is the rows. Where its size is a number, rows go in pieces of that many; the last piece is filled up
    with copies of its last row, whose results are dropped.

    - `inputs`: the column of each input, by the input's name; without it, the column of that name.
    - `outputs`: the column that each output becomes, likewise.
    """

    def __init__(self, model: Model, inputs: Optional[Mapping[str, str]] = None, outputs: Optional[Mapping[str, str]] = None):
        self.model = model
        self.inputs = _columns("input", model.inputs, inputs)
        self.outputs = _columns("output", model.outputs, outputs)
        repeated = [name for name in self.outputs.values() if list(self.outputs.values()).count(name) > 1]
        if repeated:
            raise errors.Error(f"two outputs become the column {repeated[0]!r}")
        sizes = {port.shape[0] for port in (*model.inputs, *model.outputs)}
        numbers = {size for size in sizes if isinstance(size, int)}
        if numbers and (len(sizes) > 1 or numbers == {0}):
            raise errors.Error(
                f"inputs and outputs of {model.path.name} differ in the size of their first axis, which is to be the rows: "
                + "; ".join(map(str, (*model.inputs, *model.outputs))))
        self._piece: Optional[int] = numbers.pop() if numbers else None

    def __call__(self, columns: Mapping[str, object], count: int) -> dict[str, np.ndarray]:
        """The outputs' columns for `count` rows. Raises `sinter.Error` where columns are missing or do not fit the inputs."""
        values = {}
        for port in self.model.inputs:
            column = self.inputs[port.name]
            if column not in columns:
                raise errors.Error(f"there is no column {column!r} for input {port}; columns are {', '.join(map(str, columns))}")
            values[port.name] = _array(columns[column], column, port, count)
        if self._piece is None:
            results = self._run(values, count)
        else:
            pieces = [self._run_piece(values, start, count) for start in range(0, count, self._piece)]
            results = {
                port.name: np.concatenate([piece[port.name] for piece in pieces]) if pieces else _none(port) for port in self.model.outputs}
        return {self.outputs[name]: result for name, result in results.items()}

    def _run_piece(self, values: dict, start: int, count: int) -> dict[str, np.ndarray]:
        end = min(start + self._piece, count)
        rows = np.minimum(np.arange(start, start + self._piece), count - 1)
        results = self._run({name: value[rows] for name, value in values.items()}, self._piece)
        return {name: result[:end - start] for name, result in results.items()}

    def _run(self, values: dict, count: int) -> dict[str, np.ndarray]:
        results = self.model.run(values)
        for port in self.model.outputs:
            shape = np.shape(results[port.name])
            if not shape or shape[0] != count:
                raise errors.Error(f"output {port} has the sizes {list(shape)} for {count} rows, expected one result for each row")
        return results


def _columns(kind: str, ports: tuple[Port, ...], given: Optional[Mapping[str, str]]) -> dict[str, str]:
    given = dict(given or {})
    names = [port.name for port in ports]
    unknown = [name for name in given if name not in names]
    if unknown:
        raise errors.Error(f"there is no {kind} {unknown[0]!r}; {kind}s are {', '.join(names)}")
    for port in ports:
        if port.kind != "tensor" or port.optional or not port.shape:
            raise errors.Error(f"{kind} {port} is not a tensor whose first axis could be the rows of a table")
    return {name: given.get(name, name) for name in names}


def _none(port: Port) -> np.ndarray:
    """No rows of an output."""
    return np.empty([0] + [size if isinstance(size, int) else 0 for size in port.shape[1:]], port.numpy_dtype)


def _array(column, name: str, port: Port, count: int) -> np.ndarray:
    """All rows of a column as one array of the port's type."""
    values = column if isinstance(column, np.ndarray) else np.asarray(column)
    if values.dtype == object:
        missing = [row for row, value in enumerate(values) if value is None]
        if missing:
            raise errors.Error(f"column {name!r} has no value in row {missing[0]} of its batch, which input {port} needs")
    if port.dtype == "text":
        return values.astype(object)
    if values.dtype == object:
        rows = [_dense(row, name) for row in values]
        shapes = {row.shape for row in rows}
        if len(shapes) > 1:
            first, other, *_ = sorted(shapes)
            raise errors.Error(f"rows of column {name!r} have different sizes, {list(first)} and {list(other)}: batch rows of one size")
        values = np.stack(rows) if rows else np.empty([0] + [size if isinstance(size, int) else 0 for size in port.shape[1:]], port.numpy_dtype)
    wanted = port.shape[1:]
    if values.ndim == 2 and len(wanted) != 1 and all(isinstance(size, int) for size in wanted) and values.shape[1] == math.prod(wanted):
        values = values.reshape(count, *wanted)
    return _converted(values, name, port)


def _converted(values: np.ndarray, name: str, port: Port) -> np.ndarray:
    """Numbers of the port's type: integers as integers that hold them, and as floats; floats as floats of any width."""
    wanted = np.dtype(port.numpy_dtype)
    if values.dtype.kind in "iu" and wanted.kind in "iu":
        limits = np.iinfo(wanted)
        if values.size and not (int(values.min()) >= limits.min and int(values.max()) <= limits.max):
            raise errors.Error(
                f"column {name!r} holds integers from {values.min()} to {values.max()}, which input {port} has no room for: convert it first")
        return values.astype(wanted, copy=False)
    if not np.can_cast(values.dtype, wanted, "same_kind"):
        raise errors.Error(f"column {name!r} holds {values.dtype}, which input {port} does not take: convert it first")
    return values.astype(wanted, copy=False)


def _dense(row, name: str) -> np.ndarray:
    """An array of lists in lists or arrays in arrays, as tables hold them."""
    if isinstance(row, (list, tuple)) or isinstance(row, np.ndarray) and row.dtype == object:
        parts = [_dense(part, name) for part in row]
        if len({part.shape for part in parts}) > 1:
            raise errors.Error(f"a row of column {name!r} is no array: its parts have different sizes")
        return np.stack(parts) if parts else np.empty(0, np.float32)
    return np.asarray(row)
