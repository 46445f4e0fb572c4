#!/bin/bash
# onnxruntime 1.31.1, RNN, GRU and LSTM: a sequence of length 0 in a batch loses its initial state.
#
# sequence_lens says how many steps each sequence has. Where it is 0 no step is taken, so that the last state is the one that the layer was
# given; onnxruntime gives zeros for it. A network that goes on from its last state, step by step, forgets at every such step.
#
# Seen: Y_h is [0, 0] for a sequence of length 0 that begins with [0.1, 0.2], in all three; the other sequences of the batch are right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install onnxruntime==1.31.1 onnx==1.23.2 numpy
"$work/venv/bin/python" - <<'PYTHON'
import numpy as np, onnxruntime as ort
from onnx import TensorProto, helper

draw = np.random.default_rng(0)
start = np.float32([[[0.1, 0.2], [0.3, 0.4]]])
for kind, gates in (('RNN', 1), ('GRU', 3), ('LSTM', 4)):
    feed = {
        'x': draw.standard_normal((3, 2, 2)).astype(np.float32), 'w': draw.standard_normal((1, 2 * gates, 2)).astype(np.float32),
        'r': draw.standard_normal((1, 2 * gates, 2)).astype(np.float32), 'steps': np.int32([0, 3]), 'h': start}
    names = ['x', 'w', 'r', '', 'steps', 'h'] + ['c'] * (kind == 'LSTM')
    feed |= {'c': start} if kind == 'LSTM' else {}
    results = ['', 'y_h'] + ['y_c'] * (kind == 'LSTM')
    graph = helper.make_graph(
        [helper.make_node(kind, names, results, hidden_size=2)], 'g',
        [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape) for name, value in feed.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2, 2]) for name in results[1:]])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 22)], ir_version=10)
    states = ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider']).run(None, feed)
    print(kind, *(state[0, 0] for state in states))
    assert all((state[0, 0] == 0).all() for state in states), 'onnxruntime has changed'
    assert all((state[0, 1] != 0).all() for state in states), 'the other sequence has changed'
PYTHON
