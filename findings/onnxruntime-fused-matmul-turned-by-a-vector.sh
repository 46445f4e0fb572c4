#!/bin/bash
# onnxruntime 1.31.1, FusedMatMul on the processor: a matrix that is to be transposed is read as it lies, if it is multiplied by a vector.
#
# FusedMatMul(A, b, transA=1) of A [k, m] and b [k] is Aᵀ · b. What comes out is A's elements, in their order, taken as a matrix [m, k], times
# b: no error, the right shape, other numbers. With b as a matrix of one column the result is right.
#
# Seen: differences of more than 1 by the vector, 0 up to rounding by the matrix of one column.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install onnxruntime==1.31.1 onnx==1.23.2 numpy
"$work/venv/bin/python" - <<'PYTHON'
import numpy as np, onnxruntime as ort
from onnx import TensorProto, helper

random = np.random.default_rng(1)
a = random.standard_normal((5, 4)).astype(np.float32)

def run(b):
    node = helper.make_node('FusedMatMul', ['a', 'b'], ['y'], domain='com.microsoft', transA=1)
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, value.shape) for name, value in (('a', a), ('b', b))]
    graph = helper.make_graph([node], 'g', ports, [helper.make_tensor_value_info('y', TensorProto.FLOAT, None)])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', 17), helper.make_opsetid('com.microsoft', 1)], ir_version=8)
    return ort.InferenceSession(model.SerializeToString(), providers=['CPUExecutionProvider']).run(['y'], {'a': a, 'b': b})[0]

b = random.standard_normal(5).astype(np.float32)
by_matrix = np.abs(run(b[:, None])[:, 0] - a.T @ b).max()
by_vector = np.abs(run(b) - a.T @ b).max()
as_it_lies = np.abs(run(b) - a.reshape(4, 5) @ b).max()
print('by a matrix of one column:', by_matrix)
print('by a vector:              ', by_vector, '; from A as [4, 5]:', as_it_lies)
assert by_matrix < 1e-5 and as_it_lies < 1e-5 and by_vector > 1e-2, 'this has changed'
PYTHON
