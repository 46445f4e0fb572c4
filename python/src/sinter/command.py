"""The `sinter` command, which does all compiling."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Union

from .errors import CompileError, Error, Problem

if TYPE_CHECKING:
    import onnx
    import torch

#: A path, the bytes of an ONNX file, an onnx.ModelProto, or what `torch.onnx.export` returns.
Source = Union[str, os.PathLike, bytes, "onnx.ModelProto", "torch.onnx.ONNXProgram"]


def path() -> str:
    """Where the command is: `SINTER_COMMAND`, else the one inside this package, else `sinter` on the PATH."""
    named = os.environ.get("SINTER_COMMAND")
    if named:
        return named
    inside = Path(__file__).parent / "bin" / "sinter"
    if inside.exists():
        return str(inside)
    found = shutil.which("sinter")
    # The script that this package installs under the same name only calls what is looked for here.
    if found and not _is_script(found):
        return found
    raise Error("the sinter command is not found: install the wheel that brings it, or set SINTER_COMMAND to its path")


def _is_script(file: str) -> bool:
    with open(file, "rb") as opened:
        return opened.read(2) == b"#!"


def run(*arguments: object) -> str:
    """Runs the command and returns what it printed.

    Raises `CompileError` with everything it told of, and ValueError for arguments that it does not know.
    """
    line = [path(), *map(str, arguments)]
    try:
        result = subprocess.run(line, capture_output=True, text=True, errors="replace", env={**os.environ, "SINTER_JSON_ERRORS": "1"})
    except OSError as error:
        raise Error(f"{line[0]} cannot be started: {error}") from None
    if result.returncode == 0:
        return result.stdout
    if result.returncode == 2:
        raise ValueError(result.stderr.strip())
    raise CompileError(_problems(result))


def _problems(result: subprocess.CompletedProcess) -> list[Problem]:
    start = result.stderr.rfind("\n[") + 1
    try:
        return [problem(entry) for entry in json.loads(result.stderr[start:])]
    except ValueError:
        said = result.stderr.strip() or f"it ended with status {result.returncode}"
        return [Problem("internal error", "command.failed", f"the sinter command failed: {said}")]


def problem(entry: dict) -> Problem:
    """A problem of the command's JSON."""
    return Problem(entry["kind"], entry["id"], entry["message"], entry["places"], entry.get("hint"), entry.get("output"))


def run_json(*arguments: object) -> Any:
    """Runs the command with `--json` and returns what it wrote there."""
    with tempfile.TemporaryDirectory(prefix="sinter-") as folder:
        file = Path(folder) / "out.json"
        run(*arguments, "--json", file)
        return json.loads(file.read_text())


def bindings(option: str, sizes) -> list[str]:
    """`--bind batch=1` for each of a dict of sizes; several numbers of one size as a list."""
    found = []
    for name, size in (sizes or {}).items():
        numbers = size if isinstance(size, (list, tuple)) else [size]
        found += [option, f"{name}={','.join(str(int(number)) for number in numbers)}"]
    return found


class Folder:
    """A temporary folder that goes with its last user."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="sinter-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


@contextlib.contextmanager
def model_file(model: Source) -> Iterator[Path]:
    """The path of a model, in a temporary file where it is none yet."""
    if isinstance(model, (str, os.PathLike)):
        yield Path(model)
        return
    with tempfile.TemporaryDirectory(prefix="sinter-") as folder:
        yield write(model, Path(folder))


def write(model: Source, folder: Path) -> Path:
    """Writes a model as `model.onnx` into a folder. The weights of an ONNXProgram, which then become part of no message, and those of 2 GB and
    more go into a file beside it."""
    file = folder / "model.onnx"
    if isinstance(model, (bytes, bytearray, memoryview)):
        file.write_bytes(model)
    elif hasattr(model, "SerializeToString"):
        try:
            file.write_bytes(model.SerializeToString())
        except ValueError:  # no message of protobuf is that large
            from onnx import save_model

            save_model(model, file, save_as_external_data=True, location="model.data")
    elif hasattr(type(model), "model_proto"):  # a property that would make the message
        model.save(file, external_data=True)
    else:
        raise TypeError(f"a model is a path, bytes, an onnx.ModelProto or a torch.onnx.ONNXProgram, not {type(model).__name__}")
    return file


def main() -> None:
    """The script `sinter`: the command itself."""
    program = path()
    os.execv(program, [program, *sys.argv[1:]])
