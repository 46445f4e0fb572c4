"""From a model to a compiled library."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterable, Mapping, Optional, Union

from . import command
from .model import Model


def compile(
    model: command.Source,
    output: Union[str, os.PathLike, None] = None,
    *,
    cpu: Union[str, Iterable[str]] = "host",
    sizes: Optional[Mapping[str, int]] = None,
    threads: int = 0,
    weights_beside: bool = False,
    tune: bool = False,
    winograd: bool = True,
    math: str = "f32",
    flush_subnormals: Optional[bool] = None,
    profile: bool = False,
    header: bool = False,
    name: Optional[str] = None,
    machine: Union[str, os.PathLike, None] = None,
    report: Union[str, os.PathLike, None] = None,
) -> Model:
    """Compiles an ONNX model and loads it.

    - `model`: a path, the bytes of a file, an onnx.ModelProto, or what `torch.onnx.export` returns.
    - `output`: the library to write, as `libresnet50.so`; by default it is temporary and goes with the `Model`.
    - `cpu`: what it is to run on: "host", "x86-64-v2" to "x86-64-v4", a processor's name, or several of them.
    - `sizes`: symbolic sizes to fix, as `{"batch": 1}`. All others stay open.
    - `threads`: that each call runs on, 0 for as many as this process may use.
    - `weights_beside`: keeps the weights in a file beside the library.
    - `tune`: measures products and convolutions on this machine and takes the fastest schedule of each.
    - `winograd`: False computes convolutions by direct sums only, which is slower and a little closer.
    - `math`: "bf16" rounds weights of products and convolutions to bf16, in half the memory, and what they are multiplied with where that is faster.
    - `flush_subnormals`: computes with zeros in place of subnormal numbers, on which some processors are slow; by default where the model computes
      gradients, and in no other.
    - `profile`: has the library note when each kernel runs, for `sinter.profile`.
    - `header`: writes the library's C header beside it.
    - `name`: in the library's table; `machine`: a file of `sinter tune-machine`; `report`: a file that gets what fused and what did not.

    Raises `CompileError`, whose `problems` are all reasons that were found.
    """
    options: list[object] = ["--cpu", cpu if isinstance(cpu, str) else ",".join(cpu), *command.bindings("--bind", sizes)]
    flags = {"--weights-beside": weights_beside, "--tune": tune, "--no-winograd": not winograd, "--profile": profile, "--header": header}
    options += [flag for flag, is_on in flags.items() if is_on]
    if flush_subnormals is not None:
        options.append("--flush-subnormals" if flush_subnormals else "--no-flush-subnormals")
    for option, value in {"--math": math, "--name": name, "--machine": machine, "--report": report}.items():
        options += [] if value is None else [option, value]
    options += ["--threads", os.cpu_count() or 1]

    file = Path(model) if isinstance(model, (str, os.PathLike)) else None
    if output is None or file is None:
        folder = command.Folder()
        source = file or command.write(model, folder.path)
        if output is None:
            output = folder.path / "libmodel.so"
            options += ["--name", source.stem] if name is None else []
    else:
        folder, source = None, file
    command.run("compile", source, "-o", output, *options)
    return Model(output, threads=threads, source=source, folder=folder)
