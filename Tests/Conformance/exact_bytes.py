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
    """The same model with unsigned weights, where they are signed, stored in it, and meet unsigned bytes."""
    if not overflows():
        return model
    model = onnx.ModelProto.FromString(model.SerializeToString())
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    ports = {port.name: port.type.tensor_type.elem_type for port in model.graph.input}

    def unsigned(name):
        moved = f"{name}/unsigned"
        if moved not in constants:
            values = numpy_helper.to_array(constants[name]).astype(np.int32) + 128
            constants[moved] = numpy_helper.from_array(values.astype(np.uint8), moved)
            model.graph.initializer.append(constants[moved])
        return moved

    def is_signed(name):
        return name in constants and constants[name].data_type == TensorProto.INT8

    for node in model.graph.node:
        left, products = PRODUCTS.get(node.op_type, (None, []))
        if left is not None and (is_signed(node.input[left] if left < len(node.input) else "") or ports.get(node.input[0]) == TensorProto.INT8):
            continue
        for weight, zero in products:
            name = node.input[zero] if zero < len(node.input) else ""
            if not is_signed(node.input[weight]) or name and not is_signed(name):
                continue
            if not name:
                node.input.extend([""] * (zero + 1 - len(node.input)))
                name = f"{node.input[weight]}/zero"
                constants[name] = helper.make_tensor(name, TensorProto.INT8, [], [0])
            node.input[weight], node.input[zero] = unsigned(node.input[weight]), unsigned(name)
    return model
