"""Sinter compiles machine-learning models ahead of time into small native libraries, and runs them.

    import sinter
    model = sinter.compile("resnet50.onnx")
    probabilities = model(images)

`compile` gives a `Model`, as `load` does for a library that was compiled before. Arrays of NumPy, torch and JAX go in and come out
without copies.
"""

from .compiler import compile
from .drawing import Drawing, graph
from .errors import (
    BusyError, CompileError, DataError, Error, InvalidArgumentError, OutOfMemoryError, Problem, RunError, ShapeMismatchError, UnsupportedCPUError,
)
from .model import Model, Outputs, Session, load
from .port import Port
from .tools import bench, check, export_onnx, inspect, profile, quantize

__version__ = "0.1.0"

# Without `compile`, so that `from sinter import *` leaves Python's own as it is.
__all__ = [
    "BusyError", "CompileError", "DataError", "Drawing", "Error", "InvalidArgumentError", "Model", "OutOfMemoryError", "Outputs",
    "Port", "Problem", "RunError", "Session", "ShapeMismatchError", "UnsupportedCPUError", "bench", "check",
    "export", "export_onnx", "graph", "inspect", "load", "profile", "quantize",
]


def export(model, *args, **options):
    """A model from a file as simplified ONNX (`export_onnx`), or a torch module as a compiled `Model` (`sinter.torch.export`).

    The first argument decides: a path, bytes, a ModelProto or an ONNXProgram are a file.
    """
    if hasattr(model, "state_dict") or type(model).__module__.split(".")[0] == "torch" and not hasattr(type(model), "model_proto"):
        from . import torch

        return torch.export(model, *args, **options)
    return export_onnx(model, *args, **options)
