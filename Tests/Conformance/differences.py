#!/usr/bin/env python3
"""Holds the rows of docs/differences.md: where runtimes disagree, Sinter gives the value that the page says.

    differences.py --sinter .build/release/sinter            # all
    differences.py --sinter .build/release/sinter Resize     # rows whose names hold this text

Every row of the page has a case of its name here, and every case a row. The values come from definitions, written out in NumPy.
"""

import argparse
import re
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from sizes import Died, Refused, answers, compile_library, library_runner, text

PAGE = Path(__file__).parents[2] / "docs" / "differences.md"
NAN, INF = np.nan, np.inf
F, I64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
CASES = {}


def f32(*values, shape=None):
    return np.array(values, np.float32).reshape(shape or -1)


def case(row, op, inputs, expected, opset=23, domain="", results=None, constants=(), sign=False, **attributes):
    """One node; inputs are values or None, expected those of the first results, None for one that is not looked at."""
    nodes = [helper.make_node(op, [f"x{i}" if v is not None else "" for i, v in enumerate(inputs)], [f"y{i}" for i in range(len(expected))], domain=domain, **attributes)]
    graph_case(row, nodes, {f"x{i}": v for i, v in enumerate(inputs) if v is not None}, expected, opset, results, constants, sign)


def graph_case(row, nodes, inputs, expected, opset=23, results=None, constants=(), sign=False):
    kinds = results or [helper.np_dtype_to_tensor_dtype(np.asarray(v).dtype) if v is not None else F for v in expected]
    ports = [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(np.asarray(v).dtype), np.shape(v)) for k, v in inputs.items() if k not in constants]
    held = [numpy_helper.from_array(np.asarray(v), k) for k, v in inputs.items() if k in constants]
    outputs = [helper.make_tensor_value_info(f"y{i}", kind, None) for i, kind in enumerate(kinds)]
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("ai.onnx.ml", 5)]
    model = helper.make_model(helper.make_graph(nodes, "g", ports, outputs, held), opset_imports=opsets, ir_version=13 if opset > 23 else 10)
    CASES.setdefault(row, []).append((model, [np.asarray(v) for k, v in inputs.items() if k not in constants], expected, sign))


def refused_case(row, op, shapes, reason, opset=23, **attributes):
    """One node whose inputs have these shapes, each size being a symbol: a run that ends with an error which holds the reason."""
    ports = [helper.make_tensor_value_info(f"x{i}", F, [f"d{i}_{axis}" for axis in range(len(shape))]) for i, shape in enumerate(shapes)]
    node = helper.make_node(op, [port.name for port in ports], ["y"], **attributes)
    graph = helper.make_graph([node], "g", ports, [helper.make_tensor_value_info("y", F, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    CASES.setdefault(row, []).append((model, [np.ones(shape, np.float32) for shape in shapes], reason, False))


# Attention


def attention(q, k, v, mask):
    scores = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]) + mask
    with np.errstate(all="ignore"):
        weights = np.exp(scores - np.where(np.isinf(scores.max(-1, keepdims=True)), 0, scores.max(-1, keepdims=True)))
        weights = np.nan_to_num(weights / weights.sum(-1, keepdims=True), nan=0.0)
    return (weights @ v).astype(np.float32)


G = np.random.default_rng(3)
Q, K, V = (G.standard_normal((1, 1, 3, 2)).astype(np.float32) for _ in range(3))
SEEN = np.array([[False] * 3, [True, False, True], [True] * 3])
case("Attention: a row that is masked whole", "Attention", [Q, K, V, SEEN], [attention(Q, K, V, np.where(SEEN, 0, -INF))])
LAST = np.array([[True, True, False]])
TRIANGLE = np.where(np.tril(np.ones((3, 3))) > 0, 0, -INF)
case("Attention: causal, with a mask of one row", "Attention", [Q, K, V, LAST], [attention(Q, K, V, np.where(LAST, 0, -INF) + TRIANGLE)], is_causal=1)
RAW = (Q @ K.swapaxes(-1, -2) / np.sqrt(2)).astype(np.float32)
ADDED = f32(0.5, -1, 2, 0, 1, 0, 3, 0, -2, shape=(3, 3))
for mode, want in ((0, RAW), (1, np.tanh(RAW / 0.5) * np.float32(0.5))):
    case("Attention: what qk_matmul_output_mode gives out", "Attention", [Q, K, V, ADDED], [None, None, None, want.astype(np.float32)], softcap=0.5, qk_matmul_output_mode=mode)

def sparse_attention(length, counts, block=16, heads=4, key_heads=2, size=8):
    """Inputs of SparseAttention over a buffer of four blocks, two layouts, and the first result: of each sample dense attention in doubles."""
    layouts = np.array([[[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 1, 1, 1]], [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 1, 1]]], bool)
    columns = [np.nonzero(layout)[1] for layout in layouts]
    rows = np.array([[0, *np.cumsum(layout.sum(1))] for layout in layouts], np.int32)
    entries = np.array([np.pad(one, (0, max(map(len, columns)) - len(one)), constant_values=-1) for one in columns], np.int32)
    draw = lambda *shape: G.standard_normal(shape).astype(np.float32)
    batch, limit = len(counts), 4 * block
    q, k, v = draw(batch, length, heads * size), draw(batch, length, key_heads * size), draw(batch, length, key_heads * size)
    keys, values = draw(batch, key_heads, limit, size), draw(batch, key_heads, limit, size)
    result = np.zeros((batch, length, heads, size))
    for sample, count in enumerate(counts):
        first = count - length
        places = np.arange(first, count)
        for head in range(heads):
            own = head * key_heads // heads
            whole = [np.concatenate([past[sample, own, :first], new[sample].reshape(length, key_heads, size)[:, own]]).astype(float) for past, new in ((keys, k), (values, v))]
            seen = layouts[head % 2][places[:, None] // block, np.arange(count) // block] & (np.arange(count) <= places[:, None])
            mask = np.where(seen, 0, -INF)
            result[sample, :, head] = attention(q[sample].reshape(length, heads, size)[:, head].astype(float), *whole, mask)
    total, told = np.array([max(counts)], np.int32), np.array(counts, np.int32)
    return [q, k, v, keys, values, rows, entries, total, told], result.reshape(batch, length, heads * size).astype(np.float32)


for LENGTH, COUNTS in ((40, [40, 40]), (1, [50, 33])):
    SPARSE, DENSE = sparse_attention(LENGTH, COUNTS)
    case("SparseAttention of samples that end early", "SparseAttention", SPARSE, [DENSE, None, None], domain="com.microsoft", results=[F, F, F],
         constants=("x5", "x6", "x7"), num_heads=4, kv_num_heads=2, sparse_block_size=16)


# Conversions


def cast(row, values, to, expected, opset=23, sign=False, **attributes):
    nodes = [helper.make_node("Cast", ["x"], ["q"], to=to, **attributes), helper.make_node("Cast", ["q"], ["y0"], to=F)]
    for constants in ((), ("x",)):
        graph_case(row, nodes, {"x": values}, [expected], opset, constants=constants, sign=sign)


cast("Cast of floats to integers of 2 and 4 bits", f32(1.5, -1.7, 2.5, 0.9, -0.9), TensorProto.INT4, f32(1, -1, 2, 0, 0), 21)
cast("Cast of floats to integers of 2 and 4 bits", f32(1.5, -1.7, 0.9), TensorProto.INT2, f32(1, -1, 0), 25)
E8M0 = "Cast to float8e8m0"
for mode, want in (("up", f32(4, 2, 2, 1, 4, 8)), ("down", f32(2, 2, 1, 0.5, 2, 4)), ("nearest", f32(4, 2, 2, 1, 2, 4))):
    cast(E8M0, f32(3, 2, 1.5, 0.75, 2.4, 5), TensorProto.FLOAT8E8M0, want, 24, round_mode=mode)
cast(E8M0, f32(0, INF, 3e38, NAN, -2, -INF, 1e-45), TensorProto.FLOAT8E8M0, f32(2.0**-127, 2.0**127, 2.0**127, NAN, NAN, NAN, 2.0**-127), 24)
cast(E8M0, f32(0, INF, 3e38, NAN, -2, 1e-45, 4), TensorProto.FLOAT8E8M0, f32(NAN, NAN, NAN, NAN, NAN, NAN, 4), 24, round_mode="nearest", saturate=0)
E5M2 = "Infinities of float8e5m2"
cast(E5M2, f32(INF, -INF, 1e9, 1), TensorProto.FLOAT8E5M2, f32(INF, -INF, INF, 1), 19, saturate=0)
cast(E5M2, f32(INF, -INF, 1e9, 1), TensorProto.FLOAT8E5M2, f32(57344, -57344, 57344, 1), 19)
MOVED = [helper.make_node("Cast", ["x"], ["q"], to=TensorProto.FLOAT8E5M2, saturate=0), helper.make_node("Transpose", ["q"], ["t"], perm=[1, 0]), helper.make_node("Cast", ["t"], ["y0"], to=F)]
graph_case(E5M2, MOVED, {"x": f32(INF, 1, 2, -INF, shape=(2, 2))}, [f32(INF, 2, 1, -INF, shape=(2, 2))], 21, constants=("x",))

# Order, with NaN

case("Unique with NaN", "Unique", [f32(NAN, 2, NAN, 1, 2)], [f32(1, 2, NAN, NAN), None, None, np.array([1, 2, 1, 1])], results=[F, I64, I64, I64])
WINS = "MaxPool, ArgMax and TopK with NaN"
case(WINS, "MaxPool", [f32(1, NAN, 2, 0, shape=(1, 1, 4))], [f32(NAN, NAN, 2, shape=(1, 1, 3))], kernel_shape=[2])
case(WINS, "MaxPool", [f32(1, NAN, 2, 0, shape=(1, 1, 4))], [f32(NAN, NAN, 2, shape=(1, 1, 3)), np.array([1, 1, 2]).reshape(1, 1, 3)], kernel_shape=[2])
case(WINS, "ArgMax", [f32(1, NAN, 3)], [np.array([1])])
case(WINS, "TopK", [f32(1, NAN, 3), np.array([2])], [f32(NAN, 3), np.array([1, 2])], constants=("x1",))

# Images

SEVEN = np.arange(7, dtype=np.float32).reshape(1, 1, 7)
NINE = np.floor(np.arange(9) / np.float32(9 / 7)).astype(np.float32).reshape(1, 1, 9)
case("Resize by scales: the size of the result", "Resize", [SEVEN, None, f32(1, 1, 9 / 7)], [NINE], constants=("x2",), mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
ROW = np.arange(4, dtype=np.float32).reshape(1, 1, 4)
case("Resize by scales: aligned corners", "Resize", [ROW, None, f32(1, 1, 0.6)], [f32(0, 3 / 1.4, shape=(1, 1, 2))], constants=("x2",), mode="linear", coordinate_transformation_mode="align_corners")


def antialiased(x, outputs, exclude):
    """Linear, the window widened by the factor; taps beyond the edge repeat it, or do not count."""
    scale = outputs / len(x)
    reach = int(np.ceil(1 / scale))
    result = []
    for i in range(outputs):
        at = (i + 0.5) / scale - 0.5
        places = np.floor(at).astype(int) + np.arange(2 * reach) - reach + 1
        weights = np.maximum(1 - np.abs(at - places) * scale, 0)
        if exclude:
            weights = weights * ((places >= 0) & (places < len(x)))
        result.append((weights / weights.sum()) @ x[places.clip(0, len(x) - 1)])
    return np.array(result, np.float32).reshape(1, 1, -1)


LINE = f32(5, 1, 2, 8, 3, 0, 7)
for exclude in (0, 1):
    case("Resize with antialias: what lies beyond an edge", "Resize", [LINE.reshape(1, 1, 7), None, None, np.array([1, 1, 3])], [antialiased(LINE.astype(np.float64), 3, exclude)],
         constants=("x3",), mode="linear", antialias=1, exclude_outside=exclude)


def cubic(x, at):
    a, base = -0.75, int(np.floor(at))
    t = at - base
    near, far = lambda d: ((a + 2) * d - (a + 3)) * d * d + 1, lambda d: ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    weights = [far(1 + t), near(t), near(1 - t), far(2 - t)]
    return sum(w * x[min(max(base + k - 1, 0), len(x) - 1)] for k, w in enumerate(weights))


PLACES = np.array([-1.3, -1.02, 0.4, 1.1])
IMAGE = f32(5, 1, 2, 8)
GRID = np.stack([PLACES, np.zeros(4)], -1).astype(np.float32).reshape(1, 1, 4, 2)
case("GridSample: cubic, with border padding", "GridSample", [IMAGE.reshape(1, 1, 1, 4), GRID], [np.array([cubic(IMAGE.astype(np.float64), ((p + 1) * 4 - 1) / 2) for p in PLACES], np.float32).reshape(1, 1, 1, 4)],
     mode="cubic", padding_mode="border")
case("ImageDecoder of a gray image, in colors", "ImageDecoder", [np.frombuffer(b"P5 2 1 255 \x07\xc8", np.uint8)], [np.array([[[7] * 3, [200] * 3]], np.uint8)])
case("AveragePool: rounded up, padding counted", "AveragePool", [f32(1, 2, 3, 4, shape=(1, 1, 4))], [f32(1, 3, 2, shape=(1, 1, 3))], kernel_shape=[3], strides=[2], pads=[1, 1], ceil_mode=1, count_include_pad=1)

# Reductions and normalization

EMPTY = np.zeros(0, np.int64)
for op, want in (("ReduceL1", f32(3, 2)), ("ReduceSumSquare", f32(9, 4)), ("ReduceSum", f32(-3, 2))):
    case("Reductions over no axes: noop_with_empty_axes", op, [f32(-3, 2), EMPTY], [want], constants=("x1",), noop_with_empty_axes=1)
case("ReduceLogSumExp of minus infinity", "ReduceLogSumExp", [f32(-INF, -INF)], [f32(-INF)])
CUBE = np.arange(8, dtype=np.float32).reshape(2, 2, 2) ** 2 / 8
FLAT = CUBE.reshape(2, 4).astype(np.float64)
SOFT = np.exp(FLAT) / np.exp(FLAT).sum(1, keepdims=True)
for op, want in (("Softmax", SOFT), ("LogSoftmax", np.log(SOFT))):
    case("Softmax and LogSoftmax before opset 13", op, [CUBE], [want.astype(np.float32).reshape(2, 2, 2)], 11)
for opset in (10, 12, 13):
    case("Dropout's mask in inference", "Dropout", [f32(1, 2)], [f32(1, 2), np.array([True, True])], opset)
case("MeanVarianceNormalization of a constant channel", "MeanVarianceNormalization", [f32(*[3] * 4, shape=(1, 1, 2, 2))], [np.zeros((1, 1, 2, 2), np.float32)])


def lrn(x, size, alpha=0.5, beta=0.75, bias=1.0):
    c = x.shape[1]
    sums = np.stack([(x[:, max(0, i - (size - 1) // 2):min(c, i + size // 2 + 1)] ** 2).sum(1) for i in range(c)], 1)
    return (x / (bias + alpha / size * sums) ** beta).astype(np.float32)


for size, channels in ((2, 4), (4, 7), (3, 70)):
    x = G.standard_normal((1, channels, 2)).astype(np.float32)
    case("LRN with an even size, or with many channels", "LRN", [x], [lrn(x.astype(np.float64), size)], size=size, alpha=0.5)
PAIR = f32(1, 3)
ROWS = np.stack([np.arange(4), np.arange(4)[::-1] ** 2], 0).astype(np.float32).reshape(1, 4, 2) + f32(0, 1)


def grouped(scale):
    halves = ROWS.reshape(1, 2, 4).astype(np.float64)
    halves = (halves - halves.mean(2, keepdims=True)) / np.sqrt(halves.var(2, keepdims=True) + 1e-5)
    return (halves.reshape(1, 4, 2) * np.reshape(scale, (1, 4, 1))).astype(np.float32)


case("GroupNormalization: scales per group or per channel", "GroupNormalization", [ROWS, PAIR, PAIR * 0], [grouped([1, 1, 3, 3])], 18, num_groups=2)
case("GroupNormalization: scales per group or per channel", "GroupNormalization", [ROWS, f32(1, 2, 3, 4), f32(0, 0, 0, 0)], [grouped([1, 2, 3, 4])], 21, num_groups=2)
HALF = np.array([[1, 2], [3, -4]], np.float16)
case("RMSNormalization of f16 with a scale of f32", "RMSNormalization", [HALF, f32(1, 0.5)], [((HALF / np.sqrt((HALF.astype(np.float32) ** 2).mean(1, keepdims=True) + 1e-5)).astype(np.float16) * f32(1, 0.5)).astype(np.float32)])

# Recurrent layers and loops

X, W, R = (G.standard_normal(shape).astype(np.float32) for shape in ((3, 2, 2), (1, 2, 2), (1, 2, 2)))


def rnn(lengths=(3, 3), clip=None, start=np.zeros((2, 2))):
    h, rows = start, []
    for t in range(3):
        z = X[t] @ W[0].T + h @ R[0].T
        new = np.tanh(z if clip is None else z.clip(-clip, clip))
        runs = (t < np.array(lengths)).reshape(2, 1)
        h = np.where(runs, new, h)
        rows.append(np.where(runs, new, 0))
    return [np.stack(rows).astype(np.float32).reshape(3, 1, 2, 2), h.astype(np.float32).reshape(1, 2, 2)]


KNOWN = "Recurrent layers: sequence_lens, clip, input_forget"
case(KNOWN, "RNN", [X, W, R, None, np.array([1, 3], np.int32)], rnn((1, 3)), hidden_size=2)
case(KNOWN, "RNN", [X, W, R], rnn(clip=0.3), hidden_size=2, clip=0.3)
START = f32(0.1, 0.2, 0.3, 0.4, shape=(1, 2, 2))
case("Recurrent layers: a sequence of no step", "RNN", [X, W, R, None, np.array([0, 3], np.int32), START], rnn((0, 3), start=START[0]), hidden_size=2)
W4, R4 = (G.standard_normal((1, 8, 2)).astype(np.float32) for _ in range(2))


def lstm():
    s = lambda z: 1 / (1 + np.exp(-z))
    h, c = np.zeros((2, 2)), np.zeros((2, 2))
    for t in range(3):
        i, o, _, g = np.split(X[t] @ W4[0].T + h @ R4[0].T, 4, 1)
        c = (1 - s(i)) * c + s(i) * np.tanh(g)
        h = s(o) * np.tanh(c)
    return h.astype(np.float32).reshape(1, 2, 2)


case(KNOWN, "LSTM", [X, W4, R4], [None, lstm()], hidden_size=2, input_forget=1)
info = helper.make_tensor_value_info
BODY = helper.make_graph([helper.make_node("Add", ["c", "c"], ["n"]), helper.make_node("Identity", ["go"], ["on"])], "b",
                         [info("i", I64, []), info("go", BOOL, []), info("c", F, [1])], [info("on", BOOL, []), info("n", F, [1])])
case("Loop with a count and no condition", "Loop", [np.int64(3), None, f32(1)], [f32(8)], constants=("x0",), body=BODY)

# Sizes that do not fit

EMPTY = "Concat and MatMul of values without elements"
refused_case(EMPTY, "Concat", [(0, 0), (3, 2)], "must be equal, but are 0", axis=-1)
refused_case(EMPTY, "Concat", [(2, 2), (0, 3)], "must be equal, but are 2", axis=-1)
refused_case(EMPTY, "MatMul", [(2, 1, 0), (3, 0, 3)], "or one of them 1, but are 2")

# Trees

ONE_BRANCH = dict(
    aggregate_function=1, n_targets=2, leaf_targetids=[0, 1], leaf_weights=numpy_helper.from_array(f32(1, 2)), nodes_featureids=[0],
    nodes_falseleafs=[1], nodes_falsenodeids=[1], nodes_modes=numpy_helper.from_array(np.array([0], np.uint8)),
    nodes_splits=numpy_helper.from_array(f32(0)), nodes_trueleafs=[1], nodes_truenodeids=[0], tree_roots=[0])
LEAVES = f32(1, 0, 0, 2, shape=(2, 2))
for kind, scores in (1, np.exp(LEAVES) / np.exp(LEAVES).sum(1, keepdims=True)), (2, 1 / (1 + np.exp(-LEAVES))):
    case("TreeEnsemble: post_transform 1 and 2", "TreeEnsemble", [f32(-1, 1, shape=(2, 1))], [scores], domain="ai.onnx.ml", post_transform=kind, **ONE_BRANCH)

# Arithmetic

case("Mod of floats: the sign of zero", "Mod", [f32(-4, 4, 4, -4, 5, -5), f32(2, -2, 2, -2, 3, 3)], [f32(0, -0.0, 0, -0.0, 2, 1)], sign=True)
BYTES = [np.array([1, 3, 5, 7], np.uint8), np.float32(0.5), np.uint8(0), np.array([0, 0, 0, 0], np.uint8), np.float32(0.5), np.uint8(0), np.float32(1), np.uint8(0)]
case("QLinearAdd and QLinearMul: halves", "QLinearAdd", BYTES, [np.array([0, 2, 2, 4], np.uint8)], domain="com.microsoft", constants=tuple(f"x{i}" for i in (1, 2, 4, 5, 6, 7)))
TWOS = [BYTES[0], BYTES[1], BYTES[2], np.array([2] * 4, np.uint8), *BYTES[4:]]
case("QLinearAdd and QLinearMul: halves", "QLinearMul", TWOS, [np.array([0, 2, 2, 4], np.uint8)], domain="com.microsoft", constants=tuple(f"x{i}" for i in (1, 2, 4, 5, 6, 7)))
# s/u is 1 and t/u a half in f32, so that each sum lies at a half; s·a + t·b in f32, divided by u, lies just below.
SCALES = {"s": np.float32(0.007843137718737125), "t": np.float32(0.003921568859368563), "u": np.float32(0.007843137718737125), "y": np.uint8(128), "z": np.uint8(0)}
SUMS = [
    helper.make_node("DequantizeLinear", ["a", "s", "y"], ["x"]), helper.make_node("DequantizeLinear", ["b", "t", "z"], ["w"]),
    helper.make_node("Add", ["x", "w"], ["v"]), helper.make_node("QuantizeLinear", ["v", "u", "z"], ["y0"])]
graph_case(
    "Sums of dequantized bytes: halves", SUMS, {"a": np.array([216, 152, 110, 134], np.uint8), "b": np.array([255] * 4, np.uint8), **SCALES},
    [np.array([216, 152, 110, 134], np.uint8)], constants=tuple(SCALES))


def right(got, want, sign):
    if want is None:
        return True
    want = np.asarray(want)
    if got.dtype != want.dtype or got.shape != want.shape:
        return False
    if want.dtype.kind != "f":
        return np.array_equal(got, want)
    same = np.allclose(got, want, 1e-5, 1e-6, equal_nan=True)
    return same and (not sign or np.array_equal(np.signbit(got), np.signbit(want)))


def problem(sinter, case):
    model, feed, expected, sign = case
    with tempfile.TemporaryDirectory(prefix="sinter-differences-") as folder:
        try:
            path = compile_library(sinter, model, folder)
            got = answers(lambda: library_runner(path), [feed])[0]
        except (Refused, Died) as failure:
            return str(failure)
    if isinstance(expected, str):
        return "" if isinstance(got, Refused) and expected in str(got) else f"{text(got)}; expected an error that holds {expected!r}"
    if isinstance(got, list) and len(got) == len(expected) and all(right(a, b, sign) for a, b in zip(got, expected)):
        return ""
    return f"{text(got)}; expected {text([np.asarray(v) for v in expected if v is not None])}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="texts in the names of the rows to try (all)")
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    sinter, failed, tried = str(Path(arguments.sinter).resolve()), 0, 0
    rows = re.findall(r"^\| ([^|]*[^| ]) \|", PAGE.read_text().partition("## What exporters")[0], re.MULTILINE)
    rows = [row.replace("`", "") for row in rows if row not in ("what", "---") and not row.startswith("-")]
    for name in sorted(set(rows) ^ set(CASES)):
        failed += 1
        print(f"FAIL  {name}: {'no case' if name in rows else 'not on the page'}")
    for name, cases in CASES.items():
        if arguments.names and not any(part in name for part in arguments.names):
            continue
        problems = [found for found in (problem(sinter, one) for one in cases) if found]
        tried += 1
        failed += bool(problems)
        print(f"{'FAIL' if problems else 'ok':6}{name} ({len(cases)}){': ' if problems else ''}{'; '.join(problems)[:600]}", flush=True)
    print("FAIL" if failed or not tried else "PASS")
    return 1 if failed or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
