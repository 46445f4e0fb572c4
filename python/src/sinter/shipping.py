"""Compiled libraries on their way to the machines of a cluster."""

from __future__ import annotations

import functools
import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Optional, Union

import numpy as np

from . import errors
from .model import Model, load


@dataclass(frozen=True)
class LibraryFiles:
    """A library and the weights beside it, if any: their contents, or nothing but the path that every machine finds them at.

    Workers of one machine load the same file, whose pages, weights among them, are in memory once.
    """

    library: str  #: the name of its file, or its path where there are no contents
    digest: str  #: of all contents
    contents: Optional[Mapping[str, np.ndarray]]  #: bytes by the name of the file; None: the files are read where they are

    @classmethod
    def of(cls, model: Union[Model, str, os.PathLike], shared: bool = False) -> "LibraryFiles":
        """- `shared`: the path is of a file system that all machines have, so nothing is carried there."""
        opened = model if isinstance(model, Model) else load(model, threads=1)
        if opened.states:
            names = ", ".join(port.name for port in opened.states)
            raise errors.Error(f"{opened.path.name} keeps state ({names}), so that a row's result would depend on the rows before it on its worker")
        if shared:
            return cls(str(opened.path), "", None)
        beside = Path(opened._weights) if opened._weights else opened.path.parent / f"{opened.name}.weights"
        files = {opened.path.name: opened.path}
        if beside.is_file():
            files[f"{opened.name}.weights"] = beside
        contents = {name: np.fromfile(path, np.uint8) for name, path in files.items()}
        digest = hashlib.sha256()
        for name, content in contents.items():
            digest.update(f"{name} {content.size} ".encode())
            digest.update(content)
        return cls(opened.path.name, digest.hexdigest(), contents)

    def open(self, threads: int) -> Model:
        """The library, opened once in a process."""
        return _open(self.path(), threads)

    def path(self) -> str:
        """Where the library lies on this machine. The first to ask writes it there."""
        if self.contents is None:
            return self.library
        folder = _own_folder() / self.digest
        folder.mkdir(mode=0o700, exist_ok=True)
        # The library last: who sees it finds the weights as well.
        for name in sorted(self.contents, key=lambda name: name == self.library):
            _write(folder / name, self.contents[name])
        return str(folder / self.library)


@functools.lru_cache(maxsize=8)
def _open(path: str, threads: int) -> Model:
    return load(path, threads=threads)


def _own_folder() -> Path:
    """A folder for temporary files that nobody else can write to: what lies there is loaded as code."""
    folder = Path(tempfile.gettempdir()) / f"sinter-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & 0o022:
        raise errors.Error(f"{folder} is not a folder that only this user can write to: remove it, or set TMPDIR to another place")
    return folder


def _write(path: Path, content: np.ndarray) -> None:
    """Writes a file that is not there yet; others see all of it or nothing."""
    if path.is_file() and path.stat().st_size == content.size:
        return
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as file:
            content.tofile(file)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
