"""Models on Spark: a function for `mapInPandas`, and the schema of what it gives.

    import sinter.spark
    scored = sinter.spark.map_in_pandas(images, "libresnet50.so", inputs={"x": "pixels"}, outputs={"y": "score"}, keep=["id"])

The library is carried to the machines once, as a broadcast. Tasks of one machine load one file, so that its weights are in memory once. Where an
executor is lost, Spark runs its tasks again on another one: rows have the same results wherever they run.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence, Union

import numpy as np
from pyspark.sql import functions, types

from . import errors
from .model import Model
from .port import Port
from .rows import RowModel
from .shipping import LibraryFiles

__all__ = ["map_in_pandas", "schema"]

# Spark's types, and those of NumPy that hold their elements. Spark has no unsigned types: the next wider one holds them.
_TYPES = {
    "bool": (types.BooleanType, "bool"), "int8": (types.ByteType, "int8"), "int16": (types.ShortType, "int16"),
    "int32": (types.IntegerType, "int32"), "int64": (types.LongType, "int64"), "uint8": (types.ShortType, "int16"),
    "uint16": (types.IntegerType, "int32"), "uint32": (types.LongType, "int64"), "float16": (types.FloatType, "float32"),
    "bfloat16": (types.FloatType, "float32"), "float32": (types.FloatType, "float32"), "float64": (types.DoubleType, "float64"),
    "text": (types.StringType, "object"),
}


def map_in_pandas(
    frame: Any,
    model: Union[Model, str, os.PathLike],
    *,
    inputs: Optional[Mapping[str, str]] = None,
    outputs: Optional[Mapping[str, str]] = None,
    keep: Optional[Sequence[str]] = None,
    threads: int = 1,
    shared: bool = False,
) -> Any:
    """A data frame with the model's outputs as columns: numbers and text, or arrays of them where an output has more axes than the rows.

    - `model`: a library's path, or what `sinter.compile` gave.
    - `inputs`, `outputs`: columns by the names of ports, where they differ. The first axis of each is the rows. Arrays of numbers are read in the
      input's sizes, flat ones as well.
    - `keep`: the columns that stay, all of them by default.
    - `threads`: of each task; Spark's `spark.task.cpus` should be as many.
    - `shared`: the library's path is of a file system that all machines have, so it is loaded from there.

    A run takes the rows that Spark hands over at once, `spark.sql.execution.arrow.maxRecordsPerBatch` at most. Raises `sinter.Error` where the library
    keeps state, a port has no axis for the rows, or an output has elements that Spark has no type for.
    """
    files = LibraryFiles.of(model, shared)
    rows = RowModel(model if isinstance(model, Model) else files.open(threads), inputs, outputs)
    kept = list(frame.columns if keep is None else keep)
    missing = [name for name in [*rows.inputs.values(), *kept] if name not in frame.columns]
    if missing:
        raise errors.Error(f"there is no column {missing[0]!r}; columns are {', '.join(frame.columns)}")
    kept = [name for name in kept if name not in rows.outputs.values()]
    fields = [frame.schema[name] for name in kept] + schema(rows.model.outputs, rows.outputs).fields
    # Spark takes a dot in a name for a field of a structure, so columns travel under names of their own.
    travelling = {name: f"c{index}" for index, name in enumerate(dict.fromkeys([*kept, *rows.inputs.values()]))}
    selected = frame.select(*(functions.col(f"`{name}`").alias(alias) for name, alias in travelling.items()))
    carried = frame.sparkSession.sparkContext.broadcast(files)
    return selected.mapInPandas(_function(carried, inputs, outputs, kept, travelling, threads), types.StructType(fields))


def schema(outputs: Sequence[Port], columns: Mapping[str, str]) -> types.StructType:
    """The columns that outputs become, by the outputs' names."""
    return types.StructType([types.StructField(columns[port.name], _type(port)) for port in outputs])


def _type(port: Port) -> types.DataType:
    if port.dtype not in _TYPES:
        raise errors.Error(f"output {port} has elements that Spark has no type for: cast them in the model")
    found = _TYPES[port.dtype][0]()
    for _ in port.shape[1:]:
        found = types.ArrayType(found)
    return found


def _function(carried, inputs, outputs, kept: list[str], travelling: dict[str, str], threads: int) -> Callable[[Iterator], Iterator]:
    def run(frames: Iterator) -> Iterator:
        import pandas

        rows = RowModel(carried.value.open(threads), inputs, outputs)
        for frame in frames:
            results = rows({name: frame[travelling[name]].to_numpy() for name in rows.inputs.values()}, len(frame))
            columns = {name: frame[travelling[name]] for name in kept}
            for port in rows.model.outputs:
                name = rows.outputs[port.name]
                columns[name] = pandas.Series(_cells(results[name], _TYPES[port.dtype][1]), index=frame.index)
            yield pandas.DataFrame(columns)

    return run


def _cells(result: np.ndarray, element: str) -> Any:
    """One value a row, as Arrow takes them: numbers, or arrays of one axis in lists."""
    result = np.asarray(result).astype(element, copy=False)
    return result if result.ndim == 1 else [_nested(row) for row in result]


def _nested(row: np.ndarray) -> Any:
    return row if row.ndim == 1 else [_nested(part) for part in row]
