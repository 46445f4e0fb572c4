#!/bin/bash
# onnxruntime 1.31.1, com.microsoft.QLinearSoftmax along an axis of one element: the byte wraps around.
#
# The softmax of one element is 1. With the scale 1/256 that quantizers choose for softmax, 1 is 256, which saturates to 255 in an unsigned
# byte. onnxruntime gives 0: a certain event becomes an impossible one. Two elements of which one takes all give 255.
#
# Seen: [0] for one element, [255, 0] for two.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install onnxruntime==1.31.1 onnx==1.23.2 numpy
"$work/venv/bin/python" - <<'PYTHON'
import numpy as np, onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

def softmax(x):
    constants = {
        'x_scale': np.float32(0.5), 'x_zero': np.uint8(0), 'y_scale': np.float32(1 / 256), 'y_zero': np.uint8(0)}
    node = helper.make_node(
        'QLinearSoftmax', ['x', *constants], ['y'], domain='com.microsoft', axis=-1, opset=13)
    graph = helper.make_graph(
        [node], 'g', [helper.make_tensor_value_info('x', TensorProto.UINT8, x.shape)],
        [helper.make_tensor_value_info('y', TensorProto.UINT8, x.shape)],
        [numpy_helper.from_array(np.array(value), name) for name, value in constants.items()])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', 17), helper.make_opsetid('com.microsoft', 1)], ir_version=8)
    return ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider']).run(None, {'x': x})[0]

one, two = softmax(np.array([[9]], np.uint8)), softmax(np.array([[250, 0]], np.uint8))
print('one element:', one.tolist(), ' two elements:', two.tolist())
assert two.tolist() == [[255, 0]], 'two elements have changed'
assert one.tolist() == [[0]], 'one element no longer wraps'
PYTHON
