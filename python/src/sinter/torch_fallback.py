"""What runs in torch, and why: told once."""

from __future__ import annotations

import warnings
from typing import Callable

from torch import fx


class TorchFallbackWarning(UserWarning):
    """Some part of a model runs in torch."""


told: set[str] = set()


def warn(reason: str) -> None:
    if reason not in told:
        told.add(reason)
        warnings.warn(TorchFallbackWarning(f"runs in torch: {reason}"), stacklevel=3)


def fall_back(graph: fx.GraphModule, reason: str) -> Callable:
    warn(reason)
    return graph.forward


def reason_of(error: Exception) -> str:
    """The cause that exporters wrap, in a line or two."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:2])}" if lines else type(error).__name__
