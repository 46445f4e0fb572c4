#!/bin/bash
# onnxruntime 1.31.1, ai.onnx.ml TreeEnsembleRegressor: the base value of a target that no reached leaf votes for is lost.
#
# base_values are added to each target's sum. With several targets, one that gets no vote from the leaves that an input reaches should be
# its base value; onnxruntime gives 0 there. Boosted models with one tree a target and class hold such targets.
#
# Seen: targets [7, 0] where [7, 20] is meant: base values 5 and 20, and a leaf that adds 2 to the first.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install onnxruntime==1.31.1 onnx==1.23.2 numpy
"$work/venv/bin/python" - <<'PYTHON'
import numpy as np, onnxruntime as ort
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

node = helper.make_node(
    'TreeEnsembleRegressor', ['x'], ['y'], domain='ai.onnx.ml', n_targets=2, base_values=[5.0, 20.0], aggregate_function='SUM',
    nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_featureids=[0, 0, 0], nodes_values=[0.5, 0.0, 0.0],
    nodes_modes=['BRANCH_LEQ', 'LEAF', 'LEAF'], nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0],
    target_treeids=[0, 0], target_nodeids=[1, 2], target_ids=[0, 1], target_weights=[2.0, 3.0])
graph = helper.make_graph(
    [node], 'g', [helper.make_tensor_value_info('x', TensorProto.FLOAT, [1, 1])],
    [helper.make_tensor_value_info('y', TensorProto.FLOAT, [1, 2])])
model = helper.make_model(
    graph, opset_imports=[helper.make_opsetid('', 17), helper.make_opsetid('ai.onnx.ml', 3)], ir_version=8)
x = np.zeros((1, 1), np.float32)
seen = ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider']).run(None, {'x': x})[0]
meant = ReferenceEvaluator(model).run(None, {'x': x})[0]
print('onnxruntime', seen.tolist(), ' reference', np.asarray(meant).tolist())
assert np.allclose(meant, [[7, 20]]), 'the reference has changed'
assert np.allclose(seen, [[7, 0]]), 'onnxruntime has changed'
PYTHON
