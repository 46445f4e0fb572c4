"""Each test of the suite as another file with the same meaning, which must give the same results.

    symbolic    every size of every input is a symbol of its own
    constant    every input is stored in the file, so that the compiler computes what it can of the graph
    exported    what `sinter export --unoptimized` writes: the checker takes it, and the operators are those that were read
    simplified  what `sinter export` writes: the checker takes it
"""

import itertools
import subprocess
from collections import Counter

import numpy as np

from suite import fed

MODES = ("plain", "symbolic", "constant", "exported", "simplified")


# Sizes that stay numbers, since they say what the graph is and not how large its values are: of an operator's input all axes, or those from one on.
_LIST = "is a list with an entry for each axis, so that its length is a rank"
_WINDOW = "has the sizes of a window behind its first two axes, which no kernel_shape tells"
_FIXED = {
    **{name: {1: (0, _LIST)} for name in ("AffineGrid", "CenterCropPad", "Expand", "Reshape", "Squeeze", "Tile", "Unsqueeze")},
    **{name: {1: (0, _LIST)} for name in (
        "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum",
        "ReduceSumSquare")},
    **{name: {1: (2, _WINDOW)} for name in ("Conv", "ConvTranspose", "ConvInteger", "DeformConv")},
    "Col2Im": {1: (0, _LIST), 2: (0, _LIST)},
    "ConstantOfShape": {0: (0, _LIST)},
    "GatherND": {1: (-1, "has tuples of indices along its last axis, whose length is a number of axes")},
    "MaxUnpool": {2: (0, _LIST)},
    "Pad": {1: (0, _LIST), 3: (0, _LIST)},
    "QLinearConv": {3: (2, _WINDOW)},
    "Resize": {1: (0, _LIST), 2: (0, _LIST), 3: (0, _LIST)},
    "ScatterND": {1: (-1, "has tuples of indices along its last axis, whose length is a number of axes")},
    "Slice": {1: (0, _LIST), 2: (0, _LIST), 3: (0, _LIST), 4: (0, _LIST)},
    "Split": {1: (0, "is a list with an entry for each result")},
    "TopK": {1: (0, "holds one number")},
    "Upsample": {1: (0, _LIST)},
}


class Impossible(Exception):
    """A test that has no such variant. The argument says why."""


# Sizes that are symbols


def symbolic(path):
    """The model with a symbol for each size of each input that may be one; what it declares of other values is forgotten."""
    import onnx

    model = onnx.load(path)
    fixed = {
        name: axis for node in model.graph.node for index, (axis, reason) in _FIXED.get(node.op_type, {}).items()
        for name in node.input[index:index + 1]
        if reason != _WINDOW or all(attribute.name != "kernel_shape" for attribute in node.attribute)}
    for port in fed(model):
        dimensions = _dimensions(port.type)
        for axis, dimension in enumerate(dimensions):
            if port.name in fixed and axis >= fixed[port.name] % max(len(dimensions), 1):
                continue
            dimension.Clear()
            dimension.dim_param = f"{port.name}.{axis}"
    _forget_sizes(model)
    return model


def _forget_sizes(model):
    del model.graph.value_info[:]
    for port in model.graph.output:
        for dimension in _dimensions(port.type):
            dimension.Clear()


def _dimensions(kind):
    """The sizes that a type declares, those of a sequence's or an optional's elements too."""
    match kind.WhichOneof("value"):
        case "tensor_type":
            return list(kind.tensor_type.shape.dim)
        case "sequence_type":
            return _dimensions(kind.sequence_type.elem_type)
        case "optional_type":
            return _dimensions(kind.optional_type.elem_type)
        case _:
            return []


# Inputs that are constants


def constant(path, values):
    """The model with its inputs stored: tensors as initializers, sequences and optionals made of such by nodes."""
    import onnx

    model = onnx.load(path)
    graph, nodes = model.graph, []
    ports, names = fed(model), _Names(model)
    for port, value in zip(ports, values, strict=True):
        nodes += _stored(graph, port.name, port.type, value, names)
    kept = [port for port in graph.input if port.name not in {port.name for port in ports}]
    del graph.input[:]
    graph.input.extend(kept)
    old = list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes + old)
    return model


class _Names:
    """Names that no value of a model has."""

    def __init__(self, model):
        self.taken = {name for node in model.graph.node for name in itertools.chain(node.input, node.output)}
        self.count = 0

    def new(self):
        self.count += 1
        name = f"stored_{self.count}"
        return self.new() if name in self.taken else name


def _stored(graph, name, kind, value, names):
    """Adds initializers for a value to the graph, and gives the nodes that make the value of them."""
    import onnx

    match kind.WhichOneof("value"):
        case "tensor_type":
            graph.initializer.append(_tensor(name, kind.tensor_type.elem_type, value))
            return []
        case "sequence_type":
            element = kind.sequence_type.elem_type
            if not value:
                if element.WhichOneof("value") != "tensor_type":
                    raise Impossible("no node makes an empty sequence of maps")
                return [onnx.helper.make_node("SequenceEmpty", [], [name], dtype=element.tensor_type.elem_type)]
            parts = [names.new() for _ in value]
            before = [node for part, item in zip(parts, value) for node in _stored(graph, part, element, item, names)]
            return [*before, onnx.helper.make_node("SequenceConstruct", parts, [name])]
        case "optional_type":
            element = kind.optional_type.elem_type
            if value is None:
                return [onnx.helper.make_node("Optional", [], [name], type=element)]
            part = names.new()
            return [*_stored(graph, part, element, value, names), onnx.helper.make_node("Optional", [part], [name])]
        case _:
            raise Impossible("no node makes a map of constants")


def _tensor(name, element, value):
    import onnx

    array = np.asarray(value)
    if element == onnx.TensorProto.STRING:
        texts = [item if isinstance(item, bytes) else str(item).encode() for item in array.reshape(-1)]
        return onnx.helper.make_tensor(name, element, array.shape, texts)
    tensor = onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
    tensor.data_type = element
    return tensor


# Round trips


class Wrong(Exception):
    """An exported file that is not what it should be. The argument says why."""


def exported(sinter, path, target, simplified, seconds):
    """Writes the model at `path` to `target` as `sinter export` does, and holds the file to the rules."""
    import onnx

    command = [sinter, "export", str(path), "-o", str(target)] + ([] if simplified else ["--unoptimized"])
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Wrong(f"export took over {seconds} s") from None
    if done.returncode:
        raise Wrong(f"export: {done.stderr.strip() or f'exit status {done.returncode}'}")
    before, after = onnx.load(path), onnx.load(target)
    if problem := _refusal(after):
        if not _refusal(before):  # some of the suite's own files are refused as well
            raise Wrong(f"the checker says of the exported file: {problem}")
    if not simplified:
        was, is_now = _operators(before.graph), _operators(after.graph)
        if was != is_now:
            raise Wrong(f"operators differ: {_told(was - is_now)} became {_told(is_now - was)}")


def _refusal(model):
    """What onnx's checker and its strict shape inference have against a model; empty where nothing."""
    import onnx

    try:
        onnx.checker.check_model(model, full_check=True)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except Exception as error:  # whatever the checker raises
        return str(error).strip()[:600]
    return ""


def _operators(graph):
    """How often each operator stands in a graph and those inside of it. Constants may be stored in either way, and names be given or not."""
    import onnx

    counts = Counter()
    for node in graph.node:
        if node.op_type not in ("Constant", "Identity"):
            counts[f"{node.domain}.{node.op_type}".removeprefix("ai.onnx.").lstrip(".")] += 1
        for attribute in node.attribute:
            for inner in [attribute.g, *attribute.graphs] if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS) else []:
                counts += _operators(inner)
    return counts


def _told(counts):
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing"
