#!/bin/bash
# NNCF 3.4.0, compress_weights of an ONNX model with a convolution: the file that it writes does not run.
#
# The scale of a convolution's weights should be a list with one entry a result channel. NNCF averages over the second axis alone: the scale
# of weights of [8, 3, 3, 3] has the shape [8, 1, 1] or [8, 3, 3], which DequantizeLinear does not take. onnxruntime loads the file and fails when it runs.
#
# Seen: a model of one convolution with a kernel of 1 × 1, compressed to int8, whose run ends with an error of DequantizeLinear.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install nncf==3.4.0 onnx==1.23.2 onnxruntime==1.31.1
"$work/venv/bin/python" - <<'PYTHON' 2>/dev/null
import numpy as np, nncf, onnx, onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

weights = np.random.default_rng(1).standard_normal((8, 3, 1, 1)).astype(np.float32)
graph = helper.make_graph(
    [helper.make_node('Conv', ['x', 'w'], ['y'], name='conv')], 'g',
    [helper.make_tensor_value_info('x', TensorProto.FLOAT, [1, 3, 5, 5])],
    [helper.make_tensor_value_info('y', TensorProto.FLOAT, [1, 8, 5, 5])], [numpy_helper.from_array(weights, 'w')])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
x = np.ones((1, 3, 5, 5), np.float32)

def run(model):
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(model.SerializeToString(), options, providers=['CPUExecutionProvider']).run(None, {'x': x})[0]

print('before:', run(model).shape)
compressed = nncf.compress_weights(model, mode=nncf.CompressWeightsMode.INT8_ASYM)
scales = [list(t.dims) for t in compressed.graph.initializer if t.data_type == TensorProto.FLOAT]
print('shapes of scales:', scales)
try:
    run(compressed)
except Exception as error:
    print('after:', str(error).split('Status Message:')[-1].strip()[-120:])
else:
    raise AssertionError('the compressed model runs now')
PYTHON
