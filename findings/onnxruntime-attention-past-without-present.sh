#!/bin/bash
# onnxruntime 1.31.1, MultiHeadAttention and GroupQueryAttention on the processor: with a past, but without results for the present, the
# attended values are computed from memory that nobody wrote.
#
# The keys and values of past and present are joined in the buffers of the results present_key and present_value. Both are optional. A node
# that does not ask for them, such as the last one of a chain, gets numbers without meaning, often NaN; asking for them mends it.
#
# Seen: NaN or values that differ by more than 1 without the results, equal up to rounding with them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install onnxruntime==1.31.1 onnx==1.23.2 numpy
"$work/venv/bin/python" - <<'PYTHON'
import numpy as np, onnxruntime as ort
from onnx import TensorProto, helper

BATCH, LENGTH, PAST, HEADS, SIZE = 2, 3, 4, 2, 4
random = np.random.default_rng(1)
x = {name: random.standard_normal((BATCH, LENGTH, HEADS * SIZE)).astype(np.float32) for name in ('q', 'k', 'v')}
x |= {name: random.standard_normal((BATCH, HEADS, PAST, SIZE)).astype(np.float32) for name in ('pk', 'pv')}

def heads(a):
    return a.reshape(BATCH, LENGTH, HEADS, SIZE).transpose(0, 2, 1, 3)

keys = np.concatenate([x['pk'], heads(x['k'])], 2)
values = np.concatenate([x['pv'], heads(x['v'])], 2)
scores = heads(x['q']) @ keys.swapaxes(2, 3) / SIZE ** 0.5
weights = np.exp(scores - scores.max(-1, keepdims=True))
expected = (weights / weights.sum(-1, keepdims=True) @ values).transpose(0, 2, 1, 3).reshape(BATCH, LENGTH, -1)

def run(results):
    node = helper.make_node(
        'MultiHeadAttention', ['q', 'k', 'v', '', '', '', 'pk', 'pv'], results, domain='com.microsoft', num_heads=HEADS)
    graph = helper.make_graph(
        [node], 'g', [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in x.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in results])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', 17), helper.make_opsetid('com.microsoft', 1)], ir_version=8)
    session = ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    return [np.abs(session.run(['y'], x)[0] - expected).max() for _ in range(3)]

print('with results for the present, three runs:   ', run(['y', 'keys', 'values']))
print('without results for the present, three runs:', run(['y']))
PYTHON
