#!/bin/bash
# onnxruntime 1.31.1 on x86-64: QLinearConv of signed bytes takes many times as long as of unsigned ones.
#
# Signed bytes on both sides are what quantize_static writes unless activation_type says otherwise. Convolutions of unsigned images by signed weights
# have kernels of their own; of signed images they do not, although both mean the same with zero points 128 apart. Files of DequantizeLinear and
# QuantizeLinear suffer less, as do products: it shows in models in the form of operators (QuantFormat.QOperator).
#
# Seen: 3×3, 64 channels in and out, 56×56 pixels, one thread: 0.61 ms unsigned and 16.9 ms signed on an Emerald Rapids core; in whole resnet50, 254 ms
# beside 25 in the other form on a Zen 5 core, 955 beside 129 on a Skylake core. The results are equal, byte for byte.
set -euo pipefail
[ "$(uname -m)" = x86_64 ] || { echo "this is about x86-64"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q install onnx==1.23.2 onnxruntime==1.31.1
"$work/venv/bin/python" - <<'PYTHON'
import inspect, time
import numpy as np, onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(1)
image = rng.integers(0, 256, (1, 64, 56, 56))
# Small enough that no sum of two products exceeds 16 bits, which processors without VNNI add them in.
weights = rng.integers(-60, 61, (64, 64, 3, 3)).astype(np.int8)

def run(offset, dtype, element):
    """The image less an offset, its zero point likewise: the fastest of 20 runs, and the result with the offset put back."""
    constants = {'scale': np.float32(0.02), 'zero': np.array(128 - offset, dtype), 'w': weights, 'w_scale': np.float32(0.002),
                 'w_zero': np.int8(0)}
    node = helper.make_node('QLinearConv', ['x', 'scale', 'zero', 'w', 'w_scale', 'w_zero', 'scale', 'zero'], ['y'], pads=[1] * 4)
    graph = helper.make_graph(
        [node], 'g', [helper.make_tensor_value_info('x', element, image.shape)],
        [helper.make_tensor_value_info('y', element, image.shape)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=['CPUExecutionProvider'])
    feed = {'x': (image - offset).astype(dtype)}
    result = session.run(None, feed)[0].astype(int) + offset
    times = []
    for _ in range(20):
        start = time.perf_counter()
        session.run(None, feed)
        times.append(time.perf_counter() - start)
    return min(times) * 1e3, result

unsigned, expected = run(0, np.uint8, TensorProto.UINT8)
signed, given = run(128, np.int8, TensorProto.INT8)
print(f'unsigned {unsigned:.2f} ms, signed {signed:.2f} ms; equal: {np.array_equal(expected, given)}')
assert np.array_equal(expected, given)
assert signed > 3 * unsigned, 'signed bytes are no longer slow'

from onnxruntime.quantization import quantize_static
default = inspect.signature(quantize_static).parameters['activation_type'].default
print('quantize_static, activation_type:', default)
assert 'QInt8' in str(default)
PYTHON
