"""torch modules through Sinter: `torch.compile(model, backend="sinter")` and `sinter.export`.

Torch's own exporter writes ONNX, with sizes symbolic where torch says that they are. What it cannot write, or Sinter cannot compile, runs
in torch, and a `TorchFallbackWarning` names each such place once, with its reason.
"""

from __future__ import annotations

import copy
import logging
import warnings
from typing import Any, Callable, Optional

import torch
from torch import fx
from torch.fx.passes.split_module import split_module

from . import compiler, tools
from .errors import Error
from .model import Model


class TorchFallbackWarning(UserWarning):
    """Some part of a model runs in torch."""


class Unsupported(Error):
    """Why a part of a model cannot be a library of its own."""


class Impure(Unsupported):
    """The part changes what others see."""


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
    _demand_pure(program)
    return compiler.compile(_onnx(program), output, **options)


def backend(graph: fx.GraphModule, example_inputs: list, *, options: Optional[dict] = None, **_) -> Callable:
    """The backend "sinter" of `torch.compile`. `options` are those of `sinter.compile`; threads are torch's unless told otherwise."""
    options = {"threads": torch.get_num_threads(), **(options or {})}
    if torch.is_grad_enabled() and any(isinstance(x, torch.Tensor) and x.requires_grad for x in example_inputs):
        return _fall_back(graph, "gradients are asked for; call the model under torch.no_grad() or torch.inference_mode()")
    if torch.is_grad_enabled() and any(parameter.requires_grad for parameter in graph.parameters()):
        return _fall_back(graph, "gradients are asked for; call the model under torch.no_grad() or torch.inference_mode()")
    if not any(node.op.startswith("call") for node in graph.graph.nodes):
        return graph.forward
    return _Lazy(graph, [_Input(node, given) for node, given in zip(_placeholders(graph), example_inputs)], options)


class _Lazy:
    """Compiles when it is first called, on tensors that are there: exporters are not made to run inside of dynamo."""

    def __init__(self, graph: fx.GraphModule, inputs: list["_Input"], options: dict):
        self.graph, self.inputs, self.options = graph, inputs, options
        self.run: Optional[Callable] = None

    def __call__(self, *args):
        if self.run is None:
            self.run = self._compiled(args)
        return self.run(*args)

    @torch._dynamo.disable
    def _compiled(self, args) -> Callable:
        try:
            return _Part(self.graph, self.inputs, args, self.options)
        except Exception as error:  # the exporter raises whatever a model makes it
            return _in_parts(self.graph, self.inputs, args, self.options, error)


class _Input:
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


def _placeholders(graph: fx.GraphModule) -> list[fx.Node]:
    return [node for node in graph.graph.nodes if node.op == "placeholder"]


# ---- one part of a model


class _Part:
    """A graph of torch as a library. Weights are constants of it: where they change, it is compiled anew."""

    def __init__(self, graph: fx.GraphModule, inputs: list[_Input], args, options: dict):
        self.graph, self.inputs, self.options = graph, inputs, options
        self._compile(args)

    @torch._dynamo.disable
    def _compile(self, args) -> None:
        frozen, self.used, self.constants, self.outputs = _frozen(self.graph, self.inputs, args)
        self.versions = [tensor._version for tensor in self.constants]
        shapes = tuple({axis: torch.export.Dim.AUTO for axis in self.inputs[position].open} for position in self.used)
        with torch.no_grad():
            program = torch.export.export(frozen, tuple(args[position] for position in self.used), dynamic_shapes=shapes or None)
        _demand_pure(program)
        self.model = compiler.compile(_onnx(program), **self.options)

    def __call__(self, *args):
        # Constants that training has touched are not those that were compiled in.
        if [tensor._version for tensor in self.constants] != self.versions:
            self._compile(args)
        result = self.model(*[args[position] for position in self.used])
        results = iter([result] if len(self.model.outputs) == 1 else result)
        return [next(results) if is_tensor else None for is_tensor in self.outputs]


def _frozen(graph: fx.GraphModule, inputs: list[_Input], args):
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
    placeholders = _placeholders(result)
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


def _demand_pure(program: "torch.export.ExportedProgram") -> None:
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


def _onnx(program: "torch.export.ExportedProgram"):
    """The program as a ModelProto, by torch's exporter, which prints its progress and is kept from it."""
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exported = torch.onnx.export(program, dynamo=True, verbose=False, optimize=True)
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
    return exported.model_proto


# ---- models of which some part cannot be exported


def _in_parts(graph: fx.GraphModule, inputs: list[_Input], args, options: dict, error: Exception) -> Callable:
    """Splits a graph at the operators that cannot be exported; those run in torch, and all between them in libraries."""
    calls = [node for node in graph.graph.nodes if node.op.startswith("call")]
    # Libraries give memory of their own where torch gives views, so that nothing may be changed through one of these between parts.
    is_whole = isinstance(error, Impure) or any(map(_changes_in_place, calls)) or any(known.size for known in inputs)
    values = None if is_whole else _values(graph, args)
    found: dict[fx.Node, str] = {}
    if values is not None and len(calls) > 1:
        _find(graph, _groups(calls), values, {node.name: known for node, known in zip(_placeholders(graph), inputs)}, found)
    if not found or len(found) == len(calls):
        return _fall_back(graph, _reason(error))
    number, part_of, was_found = 0, {}, calls[0] in found
    for node in calls:
        number += (node in found) != was_found
        was_found = node in found
        part_of[node] = number
    split = split_module(graph, None, lambda node: part_of.get(node, 0), keep_original_order=True)
    of_name = {node.name: known for node, known in zip(_placeholders(graph), inputs)}
    of_args = {node.name: value for node, value in zip(_placeholders(graph), args)}
    for call in [node for node in split.graph.nodes if node.op == "call_module"]:
        number = int(call.target.rsplit("_", 1)[1])
        inside = [node for node in calls if part_of[node] == number]
        if inside[0] in found:
            for reason in dict.fromkeys(found[node] for node in inside):
                _warn(f"{_label(next(node for node in inside if found[node] == reason))}: {reason}")
            continue
        part = split.get_submodule(call.target)
        names = [node.target for node in _placeholders(part)]
        given = [of_args[name] if name in of_args else values[name] for name in names]
        known = [of_name.get(node.target) or _Input(node, value) for node, value in zip(_placeholders(part), given)]
        try:
            setattr(split, call.target, _Module(_Part(part, known, given, options), part))
        except Exception as again:
            _warn(f"{_label(inside[0])} to {_label(inside[-1])}: {_reason(again)}")
    return split.forward


_IN_PLACE = {"setitem", "delitem"} | {
    f"i{name}" for name in ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift", "and", "or", "xor")}


def _changes_in_place(node: fx.Node) -> bool:
    """Whether an operator may write into what it is given, by its name, as torch names them."""
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    if node.kwargs.get("inplace") or "out" in node.kwargs:
        return True
    is_operator = getattr(node.target, "__module__", "") in ("_operator", "operator")
    return name.endswith("_") and not name.endswith("__") or is_operator and name in _IN_PLACE


def _label(node: fx.Node) -> str:
    """A node and the line of the model that it stands for."""
    stack = [line.strip() for line in (node.meta.get("stack_trace") or "").splitlines() if line.strip(" ^~")]
    return f"{node.name} ({stack[-1]})" if stack else node.name


class _Module(torch.nn.Module):
    """A part in the place of a submodule, which gives one value where that gives no tuple."""

    def __init__(self, part: _Part, original: fx.GraphModule):
        super().__init__()
        self.part = [part]
        output = next(node for node in original.graph.nodes if node.op == "output")
        self.is_single = not isinstance(output.args[0], (tuple, list))

    def forward(self, *args):
        results = self.part[0](*args)
        return results[0] if self.is_single else tuple(results)


def _values(graph: fx.GraphModule, args) -> Optional[dict[str, Any]]:
    """An example of each value of the graph, by its name; None where it does not run by itself."""
    values: dict[str, Any] = {}

    class Recorder(fx.Interpreter):
        def run_node(self, node):
            values[node.name] = super().run_node(node)
            return values[node.name]

    try:
        # What changes in place, or draws random numbers, must do so once only.
        with torch.no_grad(), torch.random.fork_rng():
            Recorder(copy.deepcopy(graph)).run(*[x.clone() if isinstance(x, torch.Tensor) else x for x in args])
    except Exception:
        return None
    return values


def _groups(calls: list[fx.Node]) -> list[list[fx.Node]]:
    """Operators that must stay together: one that gives a tuple, and those that take its elements."""
    groups: list[list[fx.Node]] = []
    for node in calls:
        if groups and node.op == "call_function" and getattr(node.target, "__name__", "") == "getitem" and node.args[0] in groups[-1]:
            groups[-1].append(node)
        else:
            groups.append([node])
    return groups


def _find(
    graph: fx.GraphModule, groups: list[list[fx.Node]], values: dict, known: dict[str, _Input], found: dict[fx.Node, str],
) -> None:
    """Notes the operators among `groups` that cannot be exported, by halving."""
    nodes = [node for group in groups for node in group]
    inside = set(nodes)
    part = fx.Graph()
    mapping: dict[fx.Node, fx.Node] = {}
    inputs, args = [], []
    for node in nodes:
        for argument in node.all_input_nodes:
            if argument not in inside and argument not in mapping:
                if argument.op == "get_attr":
                    mapping[argument] = part.get_attr(argument.target)
                else:
                    mapping[argument] = part.placeholder(argument.name)
                    args.append(values[argument.name])
                    inputs.append(known.get(argument.name) or _Input(argument, args[-1]))
    for node in nodes:
        mapping[node] = part.node_copy(node, lambda argument: mapping[argument])
    part.output(tuple(
        mapping[node] for node in nodes
        if isinstance(values[node.name], torch.Tensor) and any(user not in inside for user in node.users)))
    try:
        module = fx.GraphModule(graph, part)
        frozen, used, _, _ = _frozen(module, inputs, args)
        with torch.no_grad():
            program = torch.export.export(frozen, tuple(args[position] for position in used))
        _demand_pure(program)
        problems = tools.check(_onnx(program))
        if not problems:
            return
        reason = str(problems[0])
    except Exception as error:
        reason = _reason(error)
    if len(groups) == 1:
        found.update({node: reason for node in nodes})
        return
    middle = len(groups) // 2
    _find(graph, groups[:middle], values, known, found)
    _find(graph, groups[middle:], values, known, found)


# ---- what is told


_told: set[str] = set()


def _warn(reason: str) -> None:
    if reason not in _told:
        _told.add(reason)
        warnings.warn(TorchFallbackWarning(f"runs in torch: {reason}"), stacklevel=3)


def _fall_back(graph: fx.GraphModule, reason: str) -> Callable:
    _warn(reason)
    return graph.forward


def _reason(error: Exception) -> str:
    """The cause that exporters wrap, in a line or two."""
    while error.__cause__ is not None and isinstance(error.__cause__, Exception):
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:2])}" if lines else type(error).__name__
