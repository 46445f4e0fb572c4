"""Small networks with random weights, as ONNX models: what quantizers and optimizers are given to work on."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

FLOAT, INT32 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT32
GENERATOR = np.random.default_rng(5)



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


def residual():
    """Convolutions as in a mobile network: depthwise, 1 by 1, a residual sum, a squeeze, two results of one convolution."""
    net = Network("residual")
    x = net.input("x", FLOAT, ["n", 3, 13, 12])
    x = net.add("Clip", net.add("Conv", x, net.weights(8, 3, 3, 3, scale=0.3), net.weights(8, scale=0.1), strides=[2, 2], pads=[1, 1, 1, 1]),
                net.constant(np.float32(0)), net.constant(np.float32(6)))
    y = net.add("Relu", net.add("Conv", x, net.weights(16, 8, 1, 1, scale=0.4), net.weights(16, scale=0.1)))
    y = net.add("Relu", net.add("Conv", y, net.weights(16, 1, 3, 3, scale=0.4), net.weights(16, scale=0.1), group=16, pads=[1, 1, 1, 1]))
    squeezed = net.add("HardSigmoid", net.add("Conv", net.add("GlobalAveragePool", y), net.weights(16, 16, 1, 1, scale=0.2), net.weights(16, scale=0.1)))
    y = net.add("Conv", net.add("Mul", y, squeezed), net.weights(8, 16, 1, 1, scale=0.3), net.weights(8, scale=0.1))
    x = net.add("Add", x, y)
    x = net.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    x = net.add("Concat", x, net.add("Conv", x, net.weights(4, 8, 3, 3, scale=0.2), pads=[2, 2, 2, 2], dilations=[2, 2]), axis=1)
    x = net.add("Flatten", net.add("GlobalAveragePool", x))
    return net.model(net.add("Gemm", x, net.weights(5, 12), net.weights(5), transB=1)), [[normal(n, 3, 13, 12)] for n in (1, 2, 5)]


def transposed():
    net = Network("transposed")
    x = net.input("x", FLOAT, ["n", 6, 5, 4])
    x = net.add("Relu", net.add("ConvTranspose", x, net.weights(6, 4, 4, 4, scale=0.2), net.weights(4, scale=0.1), strides=[2, 2], pads=[1, 1, 1, 1]))
    x = net.add("ConvTranspose", x, net.weights(4, 1, 3, 3, scale=0.3), strides=[2, 2], output_padding=[1, 1], group=2)
    x = net.add("Resize", x, "", net.constant(np.array([1, 1, 2, 2], np.float32)), mode="nearest")
    return net.model(net.add("Tanh", x)), [[normal(n, 6, 5, 4)] for n in (1, 3)]


def sequence():
    net = Network("sequence")
    x = net.input("x", FLOAT, ["n", 5, 24])
    for inner, dilation in ((5, 1), (8, 2), (8, 4)):
        x = net.add("Pad", x, net.constant([0, 0, 2 * dilation, 0, 0, 0]))
        x = net.add("Relu", net.add("Conv", x, net.weights(8, inner, 3, scale=0.3), net.weights(8, scale=0.1), dilations=[dilation]))
    x = net.add("AveragePool", x, kernel_shape=[3], strides=[3])
    x = net.add("MatMul", net.add("Transpose", x, perm=[0, 2, 1]), net.weights(8, 6))
    return net.model(net.add("LogSoftmax", x, axis=-1)), [[normal(n, 5, 24)] for n in (1, 4)]


def volume():
    net = Network("volume")
    x = net.input("x", FLOAT, ["n", 2, 5, 6, 7])
    x = net.add("LeakyRelu", net.add("Conv", x, net.weights(6, 2, 3, 3, 3, scale=0.2), net.weights(6, scale=0.1), pads=[1] * 6), alpha=0.1)
    x = net.add("MaxPool", x, kernel_shape=[1, 2, 2], strides=[1, 2, 2])
    x = net.add("Conv", x, net.weights(4, 3, 2, 3, 1, scale=0.3), net.weights(4, scale=0.1), group=2, strides=[2, 1, 1])
    return net.model(net.add("Sigmoid", x)), [[normal(n, 2, 5, 6, 7)] for n in (1, 2)]


def gated():
    """Recurrent layers, which static quantizers leave, between products, which they take; and products of two computed values."""
    net = Network("gated")
    x = net.input("x", FLOAT, ["t", "n", 10])
    x = net.add("Relu", net.add("MatMul", x, net.weights(10, 12)))
    x = net.add("GRU", x, net.weights(1, 48, 12, scale=0.3), net.weights(1, 48, 16, scale=0.3), net.weights(1, 96, scale=0.1), hidden_size=16)
    x = net.add("Transpose", net.add("Squeeze", x, net.constant([1])), perm=[1, 0, 2])
    scores = net.add("Softmax", net.add("MatMul", x, net.add("Transpose", x, perm=[0, 2, 1])), axis=-1)
    x = net.add("MatMul", scores, x)
    return net.model(net.add("Add", net.add("MatMul", x, net.weights(16, 6)), net.weights(6))), [[normal(t, n, 10)] for t, n in ((1, 1), (6, 3), (17, 2))]
