#!/bin/bash
# onnxruntime 1.31.1, quantize_dynamic: an LSTM whose weights other nodes reorder stays in f32, and nothing says so.
#
# PyTorch's exporter (torch.onnx.export with dynamo=True, seen with 2.13.0) leaves the order of an LSTM's gates to nodes: its W and R are
# Slice, Concat and Unsqueeze of initializers. quantize_dynamic replaces an LSTM by DynamicQuantizeLSTM only where W and R are initializers
# themselves; else it returns without an error, and the file has neither a quantized node nor fewer bytes. quant_pre_process, which folds
# those nodes, is what makes the difference; the advice to run it is the same line that every file gets.
#
# Seen: 0 quantized nodes and 100 % of the bytes without pre-processing, 1 node and about a quarter of the bytes with it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install onnxruntime==1.31.1 onnx==1.23.2 numpy sympy
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import os
import numpy as np, onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quantize_dynamic
from onnxruntime.quantization.shape_inference import quant_pre_process

WIDTH = 128
random = np.random.default_rng(1)
constants = {'w': random.standard_normal((4 * WIDTH, WIDTH)).astype('f4'), 'r': random.standard_normal((4 * WIDTH, WIDTH)).astype('f4'),
             'b': np.zeros((1, 8 * WIDTH), 'f4'), 'zero': np.array([0], 'i8')}
constants |= {f'at{gate}': np.array([gate * WIDTH], 'i8') for gate in range(5)}
nodes = []
for side, name in (('w', 'W'), ('r', 'R')):
    # PyTorch's gates are i, f, g, o; ONNX's are i, o, f, g.
    for gate in range(4):
        nodes.append(helper.make_node('Slice', [side, f'at{gate}', f'at{gate + 1}', 'zero'], [f'{side}{gate}']))
    nodes.append(helper.make_node('Concat', [f'{side}{gate}' for gate in (0, 3, 1, 2)], [f'{side}_gates'], axis=0))
    nodes.append(helper.make_node('Unsqueeze', [f'{side}_gates', 'zero'], [name]))
nodes.append(helper.make_node('LSTM', ['x', 'W', 'R', 'b'], ['y'], hidden_size=WIDTH))
graph = helper.make_graph(
    nodes, 'g', [helper.make_tensor_value_info('x', TensorProto.FLOAT, [10, 1, WIDTH])],
    [helper.make_tensor_value_info('y', TensorProto.FLOAT, [10, 1, 1, WIDTH])],
    [numpy_helper.from_array(value, name) for name, value in constants.items()])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, 'lstm.onnx')

def quantized(source):
    quantize_dynamic(source, 'out.onnx')
    found = sum(node.op_type == 'DynamicQuantizeLSTM' for node in onnx.load('out.onnx').graph.node)
    return found, os.path.getsize('out.onnx') / os.path.getsize('lstm.onnx')

plain = quantized('lstm.onnx')
quant_pre_process('lstm.onnx', 'prepared.onnx', skip_symbolic_shape=True)
prepared = quantized('prepared.onnx')
print(f'as exported: {plain[0]} quantized nodes, {plain[1]:.0%} of the bytes')
print(f'pre-processed: {prepared[0]} quantized nodes, {prepared[1]:.0%} of the bytes')
assert plain[0] == 0 and plain[1] > 0.95, 'LSTMs with computed weights are quantized now'
assert prepared[0] == 1 and prepared[1] < 0.4, 'pre-processed LSTMs are no longer quantized'
PYTHON
