"""Models of which some part cannot be exported."""

from __future__ import annotations

import copy
from typing import Any, Callable, Optional

import torch
from torch import fx
from torch.fx.passes.split_module import split_module

from . import tools
from .torch_fallback import fall_back, reason_of, warn
from .torch_part import Impure, Input, Part, demand_pure, frozen_of, onnx_of, placeholders_of


def in_parts(graph: fx.GraphModule, inputs: list[Input], args, options: dict, error: Exception) -> Callable:
    """Splits a graph at the operators that cannot be exported; those run in torch, and all between them in libraries."""
    calls = [node for node in graph.graph.nodes if node.op.startswith("call")]
    # Libraries give memory of their own where torch gives views, so that nothing may be changed through one of these between parts.
    is_whole = isinstance(error, Impure) or any(map(_changes_in_place, calls)) or any(known.size for known in inputs)
    values = None if is_whole else _values(graph, args)
    found: dict[fx.Node, str] = {}
    if values is None:
        return fall_back(graph, reason_of(error))
    if len(calls) > 1:
        _find(graph, _groups(calls), values, {node.name: known for node, known in zip(placeholders_of(graph), inputs)}, found)
    if not found or len(found) == len(calls):
        return fall_back(graph, reason_of(error))
    number, part_of, was_found = 0, {}, calls[0] in found
    for node in calls:
        number += (node in found) != was_found
        was_found = node in found
        part_of[node] = number
    split = split_module(graph, None, lambda node: part_of.get(node, 0), keep_original_order=True)
    of_name = {node.name: known for node, known in zip(placeholders_of(graph), inputs)}
    of_args = {node.name: value for node, value in zip(placeholders_of(graph), args)}
    for call in [node for node in split.graph.nodes if node.op == "call_module"]:
        number = int(call.target.rsplit("_", 1)[1])
        inside = [node for node in calls if part_of[node] == number]
        if inside[0] in found:
            for reason in dict.fromkeys(found[node] for node in inside):
                warn(f"{_label(next(node for node in inside if found[node] == reason))}: {reason}")
            continue
        part = split.get_submodule(call.target)
        names = [node.target for node in placeholders_of(part)]
        given = [of_args[name] if name in of_args else values[name] for name in names]
        known = [of_name.get(node.target) or Input(node, value) for node, value in zip(placeholders_of(part), given)]
        try:
            setattr(split, call.target, _Module(Part(part, known, given, options), part))
        except Exception as again:
            warn(f"{_label(inside[0])} to {_label(inside[-1])}: {reason_of(again)}")
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

    def __init__(self, part: Part, original: fx.GraphModule):
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
    graph: fx.GraphModule, groups: list[list[fx.Node]], values: dict, known: dict[str, Input], found: dict[fx.Node, str],
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
                    inputs.append(known.get(argument.name) or Input(argument, args[-1]))
    for node in nodes:
        mapping[node] = part.node_copy(node, lambda argument: mapping[argument])
    part.output(tuple(
        mapping[node] for node in nodes
        if isinstance(values[node.name], torch.Tensor) and any(user not in inside for user in node.users)))
    try:
        module = fx.GraphModule(graph, part)
        frozen, used, _, _ = frozen_of(module, inputs, args)
        with torch.no_grad():
            program = torch.export.export(frozen, tuple(args[position] for position in used))
        demand_pure(program)
        problems = tools.check(onnx_of(program))
        if not problems:
            return
        reason = str(problems[0])
    except Exception as error:
        reason = reason_of(error)
    if len(groups) == 1:
        found.update({node: reason for node in nodes})
        return
    middle = len(groups) // 2
    _find(graph, groups[:middle], values, known, found)
    _find(graph, groups[middle:], values, known, found)
