#!/bin/bash
# onnxruntime 1.31.1, com.microsoft.SparseAttention, two samples of which one has fewer positions: its result is wrong.
#
# A prompt of 40 positions; the second sample has 23, the rest is padding behind them. Its first query sees one key alone, its own, so that the result
# of this query is the value of this key, whatever the scores are. onnxruntime gives other numbers; where both samples have 40 positions, it gives
# the value.
#
# Seen: a distance of 0 where the second sample has 40 positions, of more than 1 where it has 23.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install onnxruntime==1.31.1 onnx==1.23.2 numpy
"$work/venv/bin/python" - <<'PYTHON'
import numpy as np, onnxruntime as ort
from onnx import helper, numpy_helper

generator = np.random.default_rng(0)
draw = lambda *shape: generator.standard_normal(shape).astype(np.float32)
blocks = {'rows': np.int32([[0, 1, 3, 6, 10]]), 'columns': np.int32([[0, 0, 1, 0, 1, 2, 0, 1, 2, 3]]), 'total': np.int32([40])}
inputs = {'q': draw(2, 40, 32), 'k': draw(2, 40, 32), 'v': draw(2, 40, 32), 'past_k': draw(2, 2, 64, 16), 'past_v': draw(2, 2, 64, 16)}

def distance(counts):
    feed = inputs | {'counts': np.int32(counts)}
    node = helper.make_node(
        'SparseAttention', ['q', 'k', 'v', 'past_k', 'past_v', *blocks, 'counts'], ['y', 'k_out', 'v_out'],
        domain='com.microsoft', num_heads=2, kv_num_heads=2, sparse_block_size=16)
    port = lambda name, value: helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
    graph = helper.make_graph(
        [node], 'g', [port(*item) for item in feed.items()],
        [port('y', inputs['q']), port('k_out', inputs['past_k']), port('v_out', inputs['past_v'])],
        [numpy_helper.from_array(value, name) for name, value in blocks.items()])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', 17), helper.make_opsetid('com.microsoft', 1)], ir_version=9)
    session = ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    binding = session.io_binding()
    values = {name: ort.OrtValue.ortvalue_from_numpy(value.copy()) for name, value in feed.items()}
    for name, value in values.items():
        binding.bind_ortvalue_input(name, value)
    binding.bind_output('y')  # the caches are written where they are read
    binding.bind_ortvalue_output('k_out', values['past_k'])
    binding.bind_ortvalue_output('v_out', values['past_v'])
    session.run_with_iobinding(binding)
    return float(np.abs(binding.get_outputs()[0].numpy()[1, 0] - inputs['v'][1, 0]).max())

whole, ragged = distance([40, 40]), distance([40, 23])
print('distance of the first query from its only value, with 40 positions:', whole, ' with 23:', ragged)
assert whole < 1e-6, 'samples of one length have changed'
assert ragged > 1e-3, 'samples that end early are right now'
PYTHON
