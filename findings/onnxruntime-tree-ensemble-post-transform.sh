#!/bin/bash
# onnxruntime 1.31.1, ai.onnx.ml TreeEnsemble (version 5): post_transform 1 and 2 have changed places.
#
# The operator tells the transform of scores by a number: 1 is softmax, 2 the logistic function. onnxruntime computes the logistic function for
# 1 and softmax for 2. TreeEnsembleClassifier and TreeEnsembleRegressor name transforms by words and are right.
#
# Seen for scores [1, 0]: 1 gives [0.731, 0.5], 2 gives [0.731, 0.269]; meant is the other way round.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install onnxruntime==1.31.1 onnx==1.23.2 numpy
"$work/venv/bin/python" - <<'PYTHON'
import numpy as np, onnx, onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper


def tensor(value, kind=np.float32):
    return numpy_helper.from_array(np.array([value] if np.isscalar(value) else value, kind))


def scores(transform):
    """One branch at 0, whose leaf on the left adds 1 to the first of two targets."""
    node = helper.make_node(
        'TreeEnsemble', ['x'], ['y'], domain='ai.onnx.ml', n_targets=2, aggregate_function=1, post_transform=transform, tree_roots=[0],
        nodes_featureids=[0], nodes_modes=tensor(0, np.uint8), nodes_splits=tensor(0.0), nodes_truenodeids=[0], nodes_trueleafs=[1],
        nodes_falsenodeids=[1], nodes_falseleafs=[1], leaf_targetids=[0, 1], leaf_weights=tensor([1.0, 2.0]))
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name, size in (('x', 1), ('y', 2))]
    graph = helper.make_graph([node], 'g', ports[:1], ports[1:])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', 22), helper.make_opsetid('ai.onnx.ml', 5)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    session = ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider'])
    return session.run(None, {'x': np.float32([[-1]])})[0][0]


told = onnx.defs.get_schema('TreeEnsemble', 5, 'ai.onnx.ml').attributes['post_transform'].description
assert "'SOFTMAX' (1), 'LOGISTIC' (2)" in told, 'the specification has changed'
raw = scores(0)
softmax, logistic = np.exp(raw) / np.exp(raw).sum(), 1 / (1 + np.exp(-raw))
print('scores', raw, ' 1:', scores(1), ' 2:', scores(2))
assert np.allclose(scores(1), logistic) and np.allclose(scores(2), softmax), 'onnxruntime has changed'
PYTHON
