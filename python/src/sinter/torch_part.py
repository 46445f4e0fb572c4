"""One graph of torch as one library."""

from __future__ import annotations

import logging
import warnings

import torch
from torch import fx

from . import compiler
from .errors import Error


class Unsupported(Error):
    """Why a part of a model cannot be a library of its own."""


class Impure(Unsupported):
    """The part changes what others see."""


class Input:
    """What dynamo knows of one of a graph's inputs."""

    def __init__(self, node: fx.Node, given):
        value = node.meta.get("example_value", given)
        self.is_static = _is_static(node, given)
        #: The name of the size that it is, where it is an open one.
        self.size = str(value) if isinstance(value, torch.SymInt) else None
        #: The names of its open sizes, by axis.
        self.open: dict[int, str] = {}
        if isinstance(value, torch.Tensor) and not self.is_static:
            self.open = {axis: str(size) for axis, size in enumerate(value.shape) if isinstance(size, torch.SymInt)}


def placeholders_of(graph: fx.GraphModule) -> list[fx.Node]:
    return [node for node in graph.graph.nodes if node.op == "placeholder"]


class Part:
    """A graph of torch as a library. Weights are constants of it: where they change, it is compiled anew."""

    def __init__(self, graph: fx.GraphModule, inputs: list[Input], args, options: dict):
        self.graph, self.inputs, self.options = graph, inputs, options
        self._compile(args)

    @torch._dynamo.disable
    def _compile(self, args) -> None:
        frozen, self.used, self.constants, self.outputs = frozen_of(self.graph, self.inputs, args)
        self.versions = _versions(self.constants)
        shapes = tuple({axis: torch.export.Dim.AUTO for axis in self.inputs[position].open} for position in self.used)
        with torch.no_grad():
            program = torch.export.export(frozen, tuple(args[position] for position in self.used), dynamic_shapes=shapes or None)
        demand_pure(program)
        # The library goes with this object, so that its weights need not pass through a linker.
        self.model = compiler.compile(onnx_of(program), **{"weights_beside": True, **self.options})

    def __call__(self, *args):
        # Constants that training has touched are not those that were compiled in.
        if _versions(self.constants) != self.versions:
            self._compile(args)
        result = self.model(*[args[position] for position in self.used])
        results = iter([result] if len(self.model.outputs) == 1 else result)
        return [next(results) if is_tensor else None for is_tensor in self.outputs]


def _versions(tensors) -> list:
    """What differs where a tensor was changed or got other memory. Tensors of inference mode count no changes, and none are counted that are
    made through `.data`."""
    return [(tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version) for tensor in tensors]


def frozen_of(graph: fx.GraphModule, inputs: list[Input], args):
    """The graph with parameters and buffers as its own, and without inputs that are sizes of others.

    Returns it, the positions of the inputs that are left, the tensors that became constants, and which outputs are tensors.
    """
    result = fx.GraphModule(graph, fx.Graph())
    mapping: dict[fx.Node, fx.Node] = {}
    result.graph.graph_copy(graph.graph, mapping)
    output = next(node for node in graph.graph.nodes if node.op == "output")
    results = list(output.args[0]) if isinstance(output.args[0], (tuple, list)) else [output.args[0]]
    for node in results:
        value = node.meta.get("example_value", node.meta.get("val")) if isinstance(node, fx.Node) else node
        if value is not None and not isinstance(value, torch.Tensor):
            raise Unsupported("an output is no tensor")
    result.graph.output(tuple(mapping[node] for node in results if node is not None))
    placeholders = placeholders_of(result)
    sizes = {name: (node, axis) for node, known in zip(placeholders, inputs) for axis, name in known.open.items()}
    used, constants = [], [*graph.parameters(), *graph.buffers()]
    for position, (node, known, given) in enumerate(zip(placeholders, inputs, args)):
        if known.is_static:
            constants.append(given)
            result.register_buffer(f"constant_{position}", given.detach())
            with result.graph.inserting_before(node):
                node.replace_all_uses_with(result.graph.get_attr(f"constant_{position}"))
            result.graph.erase_node(node)
        elif isinstance(given, torch.Tensor):
            if given.device.type != "cpu":
                raise Unsupported(f"an input is on {given.device}: libraries run on the CPU")
            used.append(position)
        elif isinstance(given, int):
            if known.size is None:
                node.replace_all_uses_with(given)
            elif node.users:
                if known.size not in sizes:
                    raise Unsupported(f"the size {known.size} is none of an input")
                with result.graph.inserting_after(placeholders[-1]):
                    node.replace_all_uses_with(result.graph.call_function(torch.ops.aten.sym_size.int, sizes[known.size]))
            if node is placeholders[-1]:
                placeholders.pop()
            result.graph.erase_node(node)
        else:
            raise Unsupported(f"an input is no tensor but {type(given).__name__}")
    result.graph.lint()
    result.recompile()
    return result.train(graph.training), used, constants, [node is not None for node in results]


def _is_static(node: fx.Node, example) -> bool:
    """A parameter or buffer that dynamo hands over as an input."""
    if not isinstance(example, torch.Tensor):
        return False
    return isinstance(example, torch.nn.Parameter) or "_dynamo_static_input_type" in node.meta.get("tensor_dict", {})


def demand_pure(program: "torch.export.ExportedProgram") -> None:
    """What a graph of ONNX does not say must not be in the program."""
    if any(map(_may_change, program.graph.nodes)):
        program = program.run_decompositions({})  # which turns changes into results
    signature = program.graph_signature
    changed = [*signature.user_inputs_to_mutate.values(), *signature.buffers_to_mutate.values()]
    if changed:
        raise Impure(f"{', '.join(map(str, changed))} is changed in place")
    for node in program.graph.nodes:
        if isinstance(node.target, torch._ops.OpOverload) and torch.Tag.nondeterministic_seeded in node.target.tags:
            if not _draws_nothing(node):
                raise Unsupported(f"{node.target} draws random numbers")


def _may_change(node: fx.Node) -> bool:
    """Operators that write into what they are given, those among them that do not say so."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return False
    if node.target in (torch.ops.aten.batch_norm.default, torch.ops.aten.instance_norm.default):
        return bool(node.args[5])
    return node.target._schema.is_mutable


def _draws_nothing(node: fx.Node) -> bool:
    """Dropout that is switched off, and layers whose dropout is."""
    if node.target is torch.ops.aten.dropout.default:
        return node.args[1] == 0 or not node.args[2]
    names = [argument.name for argument in node.target._schema.arguments]
    given = dict(zip(names, node.args)) | dict(node.kwargs)
    for argument in node.target._schema.arguments:
        given.setdefault(argument.name, argument.default_value)
    rate = next((given[name] for name in ("dropout_p", "dropout", "p") if name in given), None)
    return rate == 0 or given.get("train") is False


def onnx_of(program: "torch.export.ExportedProgram") -> "torch.onnx.ONNXProgram":
    """The program as ONNX, by torch's exporter, which tells of its progress and of constants that it could not fold, and is kept from both."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.onnx.export(program, dynamo=True, verbose=False, optimize=True)
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
