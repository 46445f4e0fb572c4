"""Drawings of models."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Mapping, Optional, Union

from . import command
from .command import Source, bindings, model_file
from .errors import CompileError


class Drawing:
    """A graph, which notebooks show. `dot` is its text for graphviz; `svg` is None where graphviz is not installed."""

    def __init__(self, dot: str, svg: Optional[str]):
        self.dot = dot
        self.svg = svg

    def save(self, path: Union[str, os.PathLike]) -> None:
        """Writes the SVG, or the text for a path that ends in .dot."""
        text = self.dot if str(path).endswith(".dot") else self.svg
        if text is None:
            raise ValueError("graphviz is not installed: only .dot files can be written")
        Path(path).write_text(text, encoding="utf-8")

    def _repr_svg_(self) -> Optional[str]:
        return self.svg

    def __repr__(self) -> str:
        return f"<sinter.Drawing of {self.dot.count(chr(10))} lines>" if self.svg else self.dot


def graph(model: Source, stage: str = "imported", *, fold: bool = False, sizes: Optional[Mapping[str, int]] = None) -> Drawing:
    """Draws a model: as "imported", "optimized", or "fused" into kernels. `fold` draws blocks that repeat once, with their number."""
    with tempfile.TemporaryDirectory(prefix="sinter-") as folder, model_file(model) as file:
        arguments = [file, "--stage", stage, *bindings("--bind", sizes)] + (["--fold"] if fold else [])
        dot, svg = Path(folder) / "graph.dot", Path(folder) / "graph.svg"
        command.run("graph", *arguments, "-o", dot)
        try:
            command.run("graph", *arguments, "-o", svg)
        except CompileError as error:
            if error.problems[0].id != "graph.dot":
                raise
            return Drawing(dot.read_text(encoding="utf-8"), None)
        return Drawing(dot.read_text(encoding="utf-8"), svg.read_text(encoding="utf-8"))
