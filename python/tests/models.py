"""Small models for the tests."""

import onnx
from onnx import TensorProto as T
from onnx import helper as h


def model(nodes, inputs, outputs, opset=21, initializers=(), domains=()):
    """A ModelProto of nodes and of ports as `(name, element type, sizes)` or ready ValueInfoProtos."""

    def port(given):
        return given if isinstance(given, onnx.ValueInfoProto) else h.make_tensor_value_info(*given)

    graph = h.make_graph(nodes, "test", [port(given) for given in inputs], [port(given) for given in outputs], list(initializers))
    imports = [h.make_opsetid("", opset)] + [h.make_opsetid(domain, version) for domain, version in domains]
    return h.make_model(graph, opset_imports=imports, ir_version=10)


def relu(shape=("n", 4)):
    return model([h.make_node("Relu", ["x"], ["y"])], [("x", T.FLOAT, shape)], [("y", T.FLOAT, shape)])


def product():
    """y = a · b, and s = Σ a, of any sizes that fit."""
    nodes = [h.make_node("MatMul", ["a", "b"], ["y"]), h.make_node("ReduceSum", ["a"], ["s"], keepdims=0)]
    return model(nodes, [("a", T.FLOAT, ["m", "k"]), ("b", T.FLOAT, ["k", "n"])], [("y", T.FLOAT, ["m", "n"]), ("s", T.FLOAT, [])])


def identity(element, shape=("n", 3), opset=21):
    return model([h.make_node("Identity", ["x"], ["y"])], [("x", element, shape)], [("y", element, shape)], opset)


def counter(initial=5):
    """y = x + state, after which state is greater by one."""
    nodes = [h.make_node("Add", ["x", "state"], ["y"]), h.make_node("Add", ["state", "one"], ["next"])]
    result = model(
        nodes, [("x", T.INT64, ["n"]), ("state", T.INT64, [])], [("y", T.INT64, ["n"]), ("next", T.INT64, [])],
        initializers=[h.make_tensor("state", T.INT64, [], [initial]), h.make_tensor("one", T.INT64, [], [1])])
    result.metadata_props.add(key="sinter.state:state", value="next")
    return result
