"""The command's other tools, as functions that return data."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, Iterable, Mapping, Optional, Union

import numpy as np

from . import command
from .command import Source, bindings, model_file
from .errors import CompileError, Problem
from .model import Model

PathLike = Union[str, os.PathLike]
Inputs = Optional[Mapping[str, Any]]


def check(model: Source, *, sizes: Optional[Mapping[str, int]] = None) -> list[Problem]:
    """Everything that would keep a model from compiling; an empty list where nothing does."""
    with model_file(model) as file:
        try:
            command.run("check", file, *bindings("--bind", sizes))
        except CompileError as error:
            return error.problems
    return []


def inspect(model: Union[Source, Model], *, sizes: Optional[Mapping[str, int]] = None) -> dict:
    """What a model or a compiled library holds: ports, operators, constants, operations, memory, and what must hold of sizes."""
    if isinstance(model, Model):
        return command.run_json("inspect", model.path)
    with model_file(model) as file:
        return command.run_json("inspect", file, *bindings("--bind", sizes))


def profile(
    model: Union[Source, Model], inputs: Inputs = None, *, sizes: Optional[Mapping[str, int]] = None, threads: int = 0, runs: int = 20,
    peaks: bool = True, trace: Optional[PathLike] = None, folded: Optional[PathLike] = None,
) -> dict:
    """Where the time of a run goes: each kernel with its time, speed, layer and nodes.

    `inputs`: arrays by name; what is missing is made up, with `sizes` for symbolic sizes. `peaks`: also measures what the machine can do.
    `trace` and `folded`: files for chrome://tracing and for flame graphs. A `Model` must have been compiled with `profile=True`.
    """
    options = ["--threads", threads, "--runs", runs, *bindings("--size", sizes)]
    options += [] if peaks else ["--no-peaks"]
    for option, value in {"--trace": trace, "--folded": folded}.items():
        options += [] if value is None else [option, value]
    with tempfile.TemporaryDirectory(prefix="sinter-") as folder, _library(model) as file:
        return command.run_json("profile", file, *_inputs(inputs, Path(folder)), *options)


def bench(
    model: Union[Source, Model], inputs: Inputs = None, *, sizes: Optional[Mapping[str, Union[int, Iterable[int]]]] = None,
    bind: Optional[Mapping[str, Union[int, Iterable[int]]]] = None, threads: Union[int, Iterable[int]] = 1, seconds: float = 2.0,
    warm_up: float = 0.5,
) -> list[dict]:
    """Latency, throughput, time to the first result and memory, for each combination of sizes and threads, each in a process of its own.

    `sizes`: of made-up inputs of one library that takes any; `bind`: compiled in. Several numbers of one size as a list.
    """
    counts = [threads] if isinstance(threads, int) else list(threads)
    options = ["--threads", ",".join(map(str, counts)), "--seconds", seconds, "--warm-up", warm_up]
    options += bindings("--size", sizes) + bindings("--bind", bind)
    with tempfile.TemporaryDirectory(prefix="sinter-") as folder, _library(model) as file:
        return command.run_json("bench", file, *_inputs(inputs, Path(folder)), *options)


def export_onnx(model: Source, output: PathLike, *, sizes: Optional[Mapping[str, int]] = None) -> Path:
    """Writes the simplified graph as standard ONNX."""
    with model_file(model) as file:
        command.run("export", file, "-o", output, *bindings("--bind", sizes))
    return Path(output)


def quantize(
    model: Source, output: PathLike, data: Union[Mapping[str, Any], PathLike, None] = None, *,
    sizes: Optional[Mapping[str, int]] = None, method: str = "minmax", percentile: float = 99.99, per_tensor: bool = False,
    symmetric: bool = False, results: str = "convolutions", exclude: Iterable[str] = (), max_loss: Optional[float] = None,
    weights: str = "int8", block: int = 32, form: str = "qdq", threads: int = 0,
) -> dict:
    """Writes the model in bytes as standard ONNX, and returns each layer's error.

    `data`: what ranges are taken from: arrays by input whose first axis counts samples, or a path as `sinter quantize --data` takes it.
    `weights="int4"` quantizes the weights of MatMul and Gemm alone, without data. `sinter quantize --help` tells of each option.
    """
    options = ["--method", method, "--percentile", percentile, "--results", results, "--threads", threads]
    options += ["--weights", weights, "--block", block, "--format", form, *bindings("--bind", sizes)]
    options += ["--per-tensor"] if per_tensor else []
    options += ["--symmetric"] if symmetric else []
    options += [] if max_loss is None else ["--max-loss", max_loss]
    exclude = list(exclude)
    options += ["--exclude", *exclude] if exclude else []
    with tempfile.TemporaryDirectory(prefix="sinter-") as folder, model_file(model) as file:
        if isinstance(data, Mapping):
            archive = Path(folder) / "data.npz"
            arrays: dict[str, Any] = {name: np.asarray(value) for name, value in data.items()}
            np.savez(archive, **arrays)
            data = archive
        options += [] if data is None else ["--data", data]
        report = Path(folder) / "report.json"
        command.run("quantize", file, "-o", output, "--report", report, *options)
        return json.loads(report.read_text())


def _library(model: Union[Source, Model]):
    return model_file(model.path if isinstance(model, Model) else model)


def _inputs(inputs: Inputs, folder: Path) -> list[str]:
    """Arguments of the command for values by name: an `.npy` file for each array, `.npz` for each list, nothing for None."""
    arguments = []
    for number, (name, value) in enumerate((inputs or {}).items()):
        if value is None:
            arguments.append(f"{name}=")
            continue
        file = folder / f"{number}.{'npz' if isinstance(value, list) else 'npy'}"
        if isinstance(value, list):
            np.savez(file, *[np.asarray(element) for element in value])
        else:
            np.save(file, np.asarray(value))
        arguments.append(f"{name}={file}")
    return arguments
