"""ONNX files of given numbers of nodes for tests of the viewer: blocks of a transformer under the names that PyTorch's exporter gives."""
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH, LENGTH = 8, 4


class Builder:
    def __init__(self, seed):
        self.nodes, self.weights, self.random = [], [], numpy.random.default_rng(seed)

    def weight(self, name, *shape):
        values = self.random.standard_normal(shape).astype(numpy.float32) * 0.2
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def node(self, operator, inputs, name, **attributes):
        result = f"{name}_output"
        self.nodes.append(helper.make_node(operator, inputs, [result], name=name, **attributes))
        return result

    def block(self, x, path):
        """Nineteen nodes: attention of one head, then two layers."""
        sides = []
        for side in ("query", "key", "value"):
            product = self.node("MatMul", [x, self.weight(f"{path}.attention.{side}.weight", WIDTH, WIDTH)], f"/{path}/attention/{side}/MatMul")
            sides.append(self.node("Add", [product, self.weight(f"{path}.attention.{side}.bias", WIDTH)], f"/{path}/attention/{side}/Add"))
        query, key, value = sides
        turned = self.node("Transpose", [key], f"/{path}/attention/Transpose", perm=[0, 2, 1])
        scores = self.node("MatMul", [query, turned], f"/{path}/attention/MatMul")
        scaled = self.node("Mul", [scores, self.weight(f"{path}.scale")], f"/{path}/attention/Mul")
        mixed = self.node("Softmax", [scaled], f"/{path}/attention/Softmax", axis=-1)
        mixed = self.node("MatMul", [mixed, value], f"/{path}/attention/MatMul_1")
        x = self.node("Add", [x, mixed], f"/{path}/Add")
        inner = self.node("MatMul", [x, self.weight(f"{path}.up.weight", WIDTH, 2 * WIDTH)], f"/{path}/mlp/up/MatMul")
        inner = self.node("Add", [inner, self.weight(f"{path}.up.bias", 2 * WIDTH)], f"/{path}/mlp/up/Add")
        inner = self.node("Relu", [inner], f"/{path}/mlp/Relu")
        inner = self.node("MatMul", [inner, self.weight(f"{path}.down.weight", 2 * WIDTH, WIDTH)], f"/{path}/mlp/down/MatMul")
        inner = self.node("Add", [inner, self.weight(f"{path}.down.bias", WIDTH)], f"/{path}/mlp/down/Add")
        x = self.node("Add", [x, inner], f"/{path}/Add_1")
        x = self.node("Mul", [x, self.weight(f"{path}.norm.weight", WIDTH)], f"/{path}/norm/Mul")
        return self.node("Add", [x, self.weight(f"{path}.norm.bias", WIDTH)], f"/{path}/norm/Add")


def make(path, nodes, seed=1):
    """Writes a model of about that many nodes."""
    builder, x, number = Builder(seed), "x", 0
    while len(builder.nodes) + 21 <= nodes:
        x = builder.block(x, f"blocks.{number}")
        # Now and then something that the others lack, so that not all is one repetition.
        if number % 50 == 49:
            x = builder.node("Tanh", [x], f"/blocks.{number}/Tanh")
        number += 1
    while len(builder.nodes) < nodes:
        x = builder.node("Sigmoid", [x], f"/head/Sigmoid_{len(builder.nodes)}")
    shape = ["batch", LENGTH, WIDTH]
    graph = helper.make_graph(
        builder.nodes, f"blocks{nodes}", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, shape)], builder.weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


if __name__ == "__main__":
    import sys
    make(sys.argv[1], int(sys.argv[2]))
