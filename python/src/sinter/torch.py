"""torch modules through Sinter: `torch.compile(model, backend="sinter")` and `sinter.export`.

Torch's own exporter writes ONNX, with sizes symbolic where torch says that they are. What it cannot write, or Sinter cannot compile, runs
in torch, and a `TorchFallbackWarning` names each such place once, with its reason.
"""

from __future__ import annotations

from typing import Callable, Optional

import torch
from torch import fx

from . import compiler
from .model import Model
from .torch_fallback import TorchFallbackWarning, fall_back
from .torch_part import Input, Part, Unsupported, demand_pure, onnx_of, placeholders_of
from .torch_split import in_parts

__all__ = ["TorchFallbackWarning", "Unsupported", "backend", "export"]


def export(
    module: "torch.nn.Module", args: tuple = (), kwargs: Optional[dict] = None, *, dynamic_shapes=None, output=None, **options,
) -> Model:
    """Compiles a torch module for inference.

    `args`, `kwargs`: example inputs; `dynamic_shapes`: which of their sizes stay open, as `torch.export.export` takes it. `output` and
    `options` are those of `sinter.compile`. Raises `CompileError`, or what torch's exporter raises.
    """
    args = args if isinstance(args, tuple) else (args,)
    with torch.no_grad():
        program = torch.export.export(module, args, kwargs, dynamic_shapes=dynamic_shapes)
    demand_pure(program)
    return compiler.compile(onnx_of(program), output, **options)


def backend(graph: fx.GraphModule, example_inputs: list, *, options: Optional[dict] = None, **_) -> Callable:
    """The backend "sinter" of `torch.compile`. `options` are those of `sinter.compile`; threads are torch's unless told otherwise."""
    options = {"threads": torch.get_num_threads(), **(options or {})}
    tensors = [*graph.parameters(), *(x for x in example_inputs if isinstance(x, torch.Tensor))]
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        return fall_back(graph, "gradients are asked for; call the model under torch.no_grad() or torch.inference_mode()")
    if not any(node.op.startswith("call") for node in graph.graph.nodes):
        return graph.forward
    return _Lazy(graph, [Input(node, given) for node, given in zip(placeholders_of(graph), example_inputs)], options)


class _Lazy:
    """Compiles when it is first called, on tensors that are there: exporters are not made to run inside of dynamo."""

    def __init__(self, graph: fx.GraphModule, inputs: list["Input"], options: dict):
        self.graph, self.inputs, self.options = graph, inputs, options
        self.run: Optional[Callable] = None

    def __call__(self, *args):
        if self.run is None:
            self.run = self._compiled(args)
        return self.run(*args)

    @torch._dynamo.disable
    def _compiled(self, args) -> Callable:
        try:
            return Part(self.graph, self.inputs, args, self.options)
        except Exception as error:  # the exporter raises whatever a model makes it
            return in_parts(self.graph, self.inputs, args, self.options, error)
