"""Models on Ray Data: a pool of actors, each with the library open.

    import ray, sinter.ray
    images = ray.data.read_parquet("images")
    scored = sinter.ray.map_batches(images, "libresnet50.so", inputs={"x": "pixels"}, outputs={"y": "score"}, workers=8)

Actors of one machine load one file, so that its weights are in memory once. Where an actor or its machine is lost, Ray runs its batches again on
another one: a batch has the same result wherever it runs.
"""

from __future__ import annotations

import os
from typing import Any, Mapping, Optional, Sequence, Union

import numpy as np
import ray

from . import errors
from .model import Model
from .rows import RowModel
from .shipping import LibraryFiles

__all__ = ["Predictor", "map_batches"]


def map_batches(
    dataset: "ray.data.Dataset",
    model: Union[Model, str, os.PathLike],
    *,
    inputs: Optional[Mapping[str, str]] = None,
    outputs: Optional[Mapping[str, str]] = None,
    keep: Optional[Sequence[str]] = None,
    workers: Union[int, tuple[int, int]] = 1,
    threads: int = 1,
    batch_size: int = 256,
    shared: bool = False,
    **options: Any,
) -> "ray.data.Dataset":
    """A data set with the model's outputs as columns.

    - `model`: a library's path, or what `sinter.compile` gave. It is carried to the machines once, through Ray's object store.
    - `inputs`, `outputs`: columns by the names of ports, where they differ. The first axis of each is the rows.
    - `keep`: the columns that stay, all of them by default.
    - `workers`: actors, or the fewest and the most of them.
    - `threads`: of each actor, which Ray counts as that many of its CPUs.
    - `batch_size`: rows of a run.
    - `shared`: the library's path is of a file system that all machines have, so it is loaded from there.
    - `options`: of Ray's `map_batches`.

    Raises `sinter.Error` where the library keeps state, or a port has no axis for the rows.
    """
    files = LibraryFiles.of(model, shared)
    RowModel(model if isinstance(model, Model) else files.open(threads), inputs, outputs)  # refuses here what no worker could do
    size = {"size": workers} if isinstance(workers, int) else {"min_size": workers[0], "max_size": workers[1]}
    arguments = {"files": ray.put(files), "inputs": inputs, "outputs": outputs, "keep": keep, "threads": threads}
    return dataset.map_batches(
        Predictor, fn_constructor_kwargs=arguments, compute=ray.data.ActorPoolStrategy(**size), num_cpus=threads, batch_size=batch_size,
        batch_format="numpy", **options)


class Predictor:
    """What an actor runs: a callable class as `map_batches` takes it, with batches of NumPy."""

    def __init__(
        self, files: "ray.ObjectRef", inputs: Optional[Mapping[str, str]] = None, outputs: Optional[Mapping[str, str]] = None,
        keep: Optional[Sequence[str]] = None, threads: int = 1,
    ):
        self._model = RowModel(ray.get(files).open(threads), inputs, outputs)
        self._keep = keep

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        count = len(next(iter(batch.values()))) if batch else 0
        missing = [name for name in self._keep or () if name not in batch]
        if missing:
            raise errors.Error(f"there is no column {missing[0]!r} to keep; columns are {', '.join(batch)}")
        kept = batch if self._keep is None else {name: batch[name] for name in self._keep}
        return {**kept, **self._model(batch, count)}
