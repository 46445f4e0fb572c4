#!/usr/bin/env python3
"""Compiles quantized files as onnxruntime's tools write them, and runs them beside onnxruntime at several sizes.

    quantized.py --sinter .build/release/sinter            # all
    quantized.py --sinter .build/release/sinter lstm        # those whose names hold this text

Small random networks go through quantize_dynamic, quantize_static (as operators and as QuantizeLinear pairs), the optimizer for
transformers and that of sessions. Besides, DequantizeLinear and QuantizeLinear of all narrow types are tried with blocks along each axis.

Bytes between layers are rounded, and where a sum is nearly a half, another order of additions gives the next byte. So results agree if
19 of 20 elements are equal up to 1e-4 of the largest, and no element differs by more than a twentieth of it.
"""

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from judging import main

FLOAT, INT32 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT32
GENERATOR = np.random.default_rng(5)


# Networks


class Network:
    """An ONNX model while it is written: `add` gives the name of a node's first result."""

    def __init__(self, name):
        self.name, self.nodes, self.constants, self.inputs, self.feeds = name, [], {}, [], []

    def input(self, name, element, shape):
        self.inputs.append(helper.make_tensor_value_info(name, element, shape))
        return name

    def constant(self, value):
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def weights(self, *shape, scale=None):
        return self.constant((GENERATOR.standard_normal(shape) * (scale or shape[0] ** -0.5)).astype(np.float32))

    def add(self, op, *inputs, outputs=1, **attributes):
        names = [f"v{len(self.nodes)}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=f"n{len(self.nodes)}", **attributes))
        return names[0] if outputs == 1 else names

    def model(self, *outputs, opset=17):
        ports = [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs]
        constants = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, self.name, self.inputs, ports, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
        return onnx.shape_inference.infer_shapes(model)


def normal(*shape):
    return GENERATOR.standard_normal(shape).astype(np.float32)


def dense():
    net = Network("dense")
    x = net.input("x", FLOAT, ["n", 48])
    for inner, outer in ((48, 96), (96, 24)):
        x = net.add("Add", net.add("MatMul", x, net.weights(inner, outer)), net.weights(outer, scale=0.1))
        x = net.add("Relu", x) if outer == 96 else x
    y = net.add("Gemm", x, net.weights(24, 7), net.weights(7, scale=0.1))
    return net.model(y), [[normal(n, 48)] for n in (1, 4, 19)]


def images():
    net = Network("images")
    x = net.input("x", FLOAT, ["n", 3, 12, 12])
    x = net.add("Relu", net.add("Conv", x, net.weights(8, 3, 3, 3, scale=0.2), net.weights(8, scale=0.1), pads=[1, 1, 1, 1]))
    y = net.add("LeakyRelu", net.add("Conv", x, net.weights(8, 8, 3, 3, scale=0.1), pads=[1, 1, 1, 1]), alpha=0.1)
    # Of an odd number of bytes, no mean lies half-way between two bytes, where the order of additions would decide.
    y = net.add("AveragePool", net.add("Add", x, y), kernel_shape=[3, 3], strides=[2, 2])
    y = net.add("Concat", y, net.add("Mul", y, net.add("Sigmoid", y)), axis=1)
    y = net.add("Flatten", net.add("GlobalAveragePool", y))
    y = net.add("Softmax", net.add("Gemm", y, net.weights(16, 5), net.weights(5)), axis=-1)
    return net.model(y), [[normal(n, 3, 12, 12)] for n in (1, 2, 5)]


def lstm():
    net = Network("lstm")
    x = net.input("x", FLOAT, ["t", "n", 10])
    y = net.add(
        "LSTM", x, net.weights(2, 64, 10, scale=0.3), net.weights(2, 64, 16, scale=0.3), net.weights(2, 128, scale=0.1),
        hidden_size=16, direction="bidirectional")
    y = net.add("Transpose", y, perm=[0, 2, 1, 3])
    y = net.add("Reshape", y, net.constant([0, 0, -1]))
    return net.model(net.add("MatMul", y, net.weights(32, 6))), [[normal(t, n, 10)] for t, n in ((1, 1), (6, 3), (17, 2))]


def encoder():
    """A transformer of one layer, spelled as PyTorch exports it, so that onnxruntime's optimizer finds its parts."""
    size, heads, net = 32, 4, Network("encoder")
    ids, segments, mask = (net.input(name, INT32, ["n", "s"]) for name in ("input_ids", "segment_ids", "mask"))

    def norm(x):
        return net.add("LayerNormalization", x, net.weights(size, scale=1), net.weights(size, scale=0.1), axis=-1, epsilon=1e-12)

    def linear(x, inner, outer):
        return net.add("Add", net.weights(outer, scale=0.1), net.add("MatMul", x, net.weights(inner, outer)))

    def split(x, perm):
        return net.add("Transpose", net.add("Reshape", x, net.constant([0, 0, heads, size // heads])), perm=perm)

    words = net.add("Gather", net.weights(50, size, scale=1), ids)
    kinds = net.add("Gather", net.weights(2, size, scale=1), segments)
    length = net.add("Gather", net.add("Shape", ids), net.constant(1), axis=0)
    places = net.add(
        "Slice", net.constant(np.arange(24)[None]), net.constant([0]), net.add("Unsqueeze", length, net.constant([0])), net.constant([1]))
    places = net.add("Gather", net.weights(24, size, scale=1), places)
    x = norm(net.add("Add", net.add("Add", words, kinds), places))
    open_ = net.add("Unsqueeze", net.add("Unsqueeze", mask, net.constant([1])), net.constant([2]))
    open_ = net.add("Cast", open_, to=FLOAT)
    shift = net.add("Mul", net.add("Sub", net.constant(np.float32(1)), open_), net.constant(np.float32(-10000)))
    q, k, v = (split(linear(x, size, size), perm) for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
    scores = net.add("Div", net.add("MatMul", q, k), net.constant(np.float32((size // heads) ** 0.5)))
    attended = net.add("MatMul", net.add("Softmax", net.add("Add", scores, shift), axis=-1), v)
    attended = net.add("Reshape", net.add("Transpose", attended, perm=[0, 2, 1, 3]), net.constant([0, 0, size]))
    x = norm(net.add("Add", linear(attended, size, size), x))
    wide = linear(x, size, 64)
    erf = net.add("Add", net.add("Erf", net.add("Div", wide, net.constant(np.float32(2 ** 0.5)))), net.constant(np.float32(1)))
    wide = net.add("Mul", net.add("Mul", wide, erf), net.constant(np.float32(0.5)))
    y = norm(net.add("Add", linear(wide, 64, size), x))
    feeds = []
    for n, s in ((1, 1), (2, 7), (3, 24)):
        mask = np.arange(s)[None] < GENERATOR.integers(1, s + 1, (n, 1))
        feeds.append([GENERATOR.integers(0, limit, (n, s)).astype(np.int32) for limit in (50, 2)] + [mask.astype(np.int32)])
    return net.model(y), feeds


# What tools make of them


def extended(source, target):
    """What onnxruntime writes of a model that it has optimized for any processor."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath, options.log_severity_level = target, 4
    onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return onnx.load(target)


def files(folder):
    """Name, model and inputs of each file."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
    from onnxruntime.transformers.optimizer import optimize_model

    target = str(Path(folder, "quantized.onnx"))
    options = {"DefaultTensorType": FLOAT}
    networks = {make.__name__: make() for make in (dense, images, lstm, encoder)}
    optimized = {}
    for name, (model, feeds) in networks.items():
        source = str(Path(folder, f"{name}.onnx"))
        onnx.save(model, source)
        yield f"extended {name}", extended(source, target), feeds
        if name == "encoder":
            fused = optimize_model(source, "bert", num_heads=4, hidden_size=32, opt_level=0)
            fused.save_model_to_file(target)
            optimized["optimized encoder"] = (onnx.load(target), feeds)
            yield "optimized encoder", onnx.load(target), feeds
    for name, (model, feeds) in (networks | optimized).items():
        source = str(Path(folder, "source.onnx"))
        onnx.save(model, source)
        for per_channel in (False, True):
            for weight in (QuantType.QInt8, QuantType.QUInt8):
                quantize_dynamic(source, target, per_channel=per_channel, weight_type=weight, extra_options=options)
                yield f"dynamic {name}, {weight} a {'channel' if per_channel else 'tensor'}", onnx.load(target), feeds
        if name not in ("dense", "images"):
            continue

        class Reader(CalibrationDataReader):
            def __init__(self):
                self.feeds = iter([{"x": feed[0][:1]} for feed in feeds])

            def get_next(self):
                return next(self.feeds, None)

        for form in (QuantFormat.QOperator, QuantFormat.QDQ):
            for activation, weight in ((QuantType.QUInt8, QuantType.QInt8), (QuantType.QInt8, QuantType.QInt8)):
                quantize_static(
                    source, target, Reader(), quant_format=form, activation_type=activation, weight_type=weight, per_channel=form.value == 1)
                yield f"static {name}, {form}, {activation}", onnx.load(target), feeds


NARROW = [
    np.int8, np.uint8, ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.int2, ml_dtypes.uint2, ml_dtypes.float4_e2m1fn,
    ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3fnuz, ml_dtypes.float8_e5m2fnuz,
]


def blocks(folder):
    """Constants of narrow types that are dequantized before a product, and numbers that are quantized, in blocks along each axis."""
    for dtype in map(np.dtype, NARROW):
        isInteger = "int" in dtype.name
        low, high = (ml_dtypes.iinfo(dtype).min, ml_dtypes.iinfo(dtype).max + 1) if isInteger else (-4, 4)
        for axis in (0, 1, -1):
            shape = [4, 9, 8]
            entries = list(shape)
            entries[axis] = -(-entries[axis] // 2)
            net = Network("blocks")
            values, zeros = (GENERATOR.integers(low, high, sizes).astype(np.float32).astype(dtype) for sizes in (shape, entries))
            scale = net.constant(GENERATOR.uniform(0.25, 1, entries).astype(np.float32))
            zero = [net.constant(zeros)] if isInteger else []
            real = net.add("DequantizeLinear", net.constant(values), scale, *zero, axis=axis, block_size=2)
            x, y = net.input("x", FLOAT, [4, "m", 9]), net.input("y", FLOAT, ["a", "b", "c"])
            kind = {} if zero else {"output_dtype": helper.np_dtype_to_tensor_dtype(dtype)}
            narrow = net.add("QuantizeLinear", y, scale, *zero, axis=axis, block_size=2, **kind)
            model = net.model(net.add("MatMul", x, real), net.add("Cast", narrow, to=FLOAT), opset=25)
            yield f"blocks of {dtype.name}, axis {axis}", model, [[normal(4, m, 9), normal(*shape) * 2] for m in (0, 1, 5)]


# Comparison


def difference(ours, theirs):
    """What keeps two lists of results from agreeing; empty where nothing does."""
    for index, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"result {index} is {a.dtype}{list(a.shape)}, not {b.dtype}{list(b.shape)}"
        if not a.size:
            continue
        distance = np.abs(a.astype(np.float64) - b.astype(np.float64)) / max(float(np.abs(b).max()), 1e-30)
        far = np.mean(distance > 1e-4)
        if not (far <= 0.05 and distance.max() <= 0.05):
            return f"result {index}: {far:.1%} of elements differ, by {distance.max():.2g} of the largest"
    return ""


def compared(folder):
    for source in (files, blocks):
        for name, model, feeds in source(folder):
            def compare(run, theirs, feeds=feeds):
                return next(filter(None, (difference(run(feed), theirs(feed)) for feed in feeds)), "")
            yield name, model, compare


if __name__ == "__main__":
    main(__doc__, compared)
