"""Keeps onnxruntime's sums of bytes exact on processors where they are not.

Without VNNI it adds products of unsigned and signed bytes in pairs of 16 bits, where large weights overflow. Products of unsigned bytes are exact
everywhere, so signed weights become unsigned ones that are 128 more, and so do their zero points.
"""

import re
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# Of each operator: the input whose type says whether bytes on the left are signed, and the places of weights and their zero points.
PRODUCTS = {
    "MatMulInteger": (2, [(1, 3)]), "ConvInteger": (2, [(1, 3)]), "QLinearMatMul": (2, [(3, 5)]), "QLinearConv": (2, [(3, 5)]),
    "DynamicQuantizeMatMul": (None, [(1, 3)]), "MatMulIntegerToFloat": (4, [(1, 5)]), "QGemm": (2, [(3, 5)]), "QAttention": (6, [(1, 7)]),
    "DynamicQuantizeLSTM": (None, [(1, 9), (2, 11)]),
}


def overflows():
    """Whether this processor is one of those."""
    flags = re.search(r"^flags\s*:(.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return bool(flags) and not {"avx512_vnni", "avx_vnni"} & set(flags[1].split())


def exact(model):
    """The same model with unsigned weights where signed ones meet unsigned bytes."""
    if not overflows():
        return model
    model = onnx.ModelProto.FromString(model.SerializeToString())
    graph = model.graph
    types = {port.name: port.type.tensor_type.elem_type for port in graph.input} | {tensor.name: tensor.data_type for tensor in graph.initializer}
    moved, nodes = {}, []

    def constant(name, value):
        graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    def unsigned(name):
        """The name of what is 128 more."""
        if name not in moved:
            wide, more, moved[name] = f"{name}/wide", f"{name}/more", f"{name}/unsigned"
            nodes.extend([
                helper.make_node("Cast", [name], [wide], to=TensorProto.INT32),
                helper.make_node("Add", [wide, constant(f"{name}/by", np.int32(128))], [more]),
                helper.make_node("Cast", [more], [moved[name]], to=TensorProto.UINT8)])
        return moved[name]

    def given(node, place):
        return node.input[place] if place < len(node.input) else ""

    for node in graph.node:
        left, products = PRODUCTS.get(node.op_type, (None, []))
        if left is not None and TensorProto.INT8 in (types.get(given(node, left)), types.get(node.input[0])):
            continue
        for weight, zero in products:
            if types.get(given(node, weight)) != TensorProto.INT8:
                continue
            node.input.extend([""] * (zero + 1 - len(node.input)))
            node.input[zero] = unsigned(node.input[zero] or constant(f"{node.input[weight]}/zero", np.int8(0)))
            node.input[weight] = unsigned(node.input[weight])
    operators = list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes + operators)
    return model
