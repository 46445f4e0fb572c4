#!/bin/bash
# onnxruntime 1.31.1, MatMulNBits with g_idx: packed zero points are ignored.
#
# A 4-bit weight matrix whose rows belong to groups by an explicit g_idx (here: the order that is implied without it) and whose zero
# points are packed must give (q - zero) * scale. onnxruntime takes 8 for each zero point instead, without a word, as soon as g_idx is
# given; without g_idx it uses them. Quantizers with activation order (GPTQ) write g_idx.
#
# Seen: largest difference from the definition 0 to rounding without g_idx, several units with it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install onnxruntime==1.31.1 onnx==1.23.2 numpy
"$work/venv/bin/python" - <<'PYTHON'
import numpy as np, onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

K, N, BLOCK = 64, 4, 16
blocks = K // BLOCK
random = np.random.default_rng(1)
q = random.integers(0, 16, (N, K))
zeros = random.integers(0, 16, (N, blocks))
scales = random.uniform(0.5, 1.5, (N, blocks)).astype(np.float32)
pack = lambda x: (x[..., 0::2] | x[..., 1::2] << 4).astype(np.uint8)
weights = (q - np.repeat(zeros, BLOCK, 1)) * np.repeat(scales, BLOCK, 1)
x = random.standard_normal((2, K)).astype(np.float32)

def run(with_order):
    constants = {'B': pack(q).reshape(N, blocks, BLOCK // 2), 'scales': scales.reshape(-1), 'zeros': pack(zeros).reshape(-1)}
    names = ['x', 'B', 'scales', 'zeros']
    if with_order:
        constants['order'] = np.repeat(np.arange(blocks, dtype=np.int32), BLOCK)
        names.append('order')
    node = helper.make_node('MatMulNBits', names, ['y'], domain='com.microsoft', K=K, N=N, bits=4, block_size=BLOCK)
    graph = helper.make_graph(
        [node], 'g', [helper.make_tensor_value_info('x', TensorProto.FLOAT, [2, K])],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, [2, N])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', 17), helper.make_opsetid('com.microsoft', 1)], ir_version=8)
    return ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider']).run(None, {'x': x})[0]

right = x @ weights.T
middle = x @ ((q - 8) * np.repeat(scales, BLOCK, 1)).T
plain, ordered = run(False), run(True)
difference = lambda a, b: float(np.abs(a - b).max())
print('without g_idx: off by', difference(plain, right))
print('with g_idx: off by', difference(ordered, right), '- and by', difference(ordered, middle), 'from zero points of 8')
assert difference(plain, right) < 1e-3, 'the plain form has changed'
assert difference(ordered, right) > 1 and difference(ordered, middle) < 1e-3, 'g_idx no longer loses zero points'
PYTHON
