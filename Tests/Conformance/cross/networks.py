"""Models that are compiled for other processors: products of bytes whose results are integers, and small networks of floats."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

FLOAT, UINT8, INT8, INT32 = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32
GENERATOR = np.random.default_rng(11)


def model(nodes, inputs, outputs, constants, opset=17):
    ports = [[helper.make_tensor_value_info(*port) for port in side] for side in (inputs, outputs)]
    parameters = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "m", *ports, parameters)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def bytes_of(dtype, *shape):
    return GENERATOR.integers(0, 256, shape, np.uint8).view(dtype)


# Integers: (name, model, data sets). All bytes occur, so that signs and saturation show.


def matrix_products():
    for left, right in ((np.uint8, np.int8), (np.uint8, np.uint8), (np.int8, np.int8), (np.int8, np.uint8)):
        for depth, columns in ((4, 16), (37, 5), (64, 48), (131, 33)):
            types = [helper.np_dtype_to_tensor_dtype(np.dtype(kind)) for kind in (left, right)]
            node = helper.make_node("MatMulInteger", ["a", "b", "za", "zb"], ["y"])
            constants = {"b": bytes_of(right, depth, columns), "za": bytes_of(left, 1)[0], "zb": bytes_of(right, columns)}
            yield (
                f"MatMulInteger {np.dtype(left)} {np.dtype(right)} {depth}x{columns}",
                model([node], [("a", types[0], ["rows", depth])], [("y", INT32, ["rows", columns])], constants),
                [[bytes_of(left, rows, depth)] for rows in (0, 1, 2, 7, 30)])


def computed_products():
    node = helper.make_node("MatMulInteger", ["a", "b"], ["y"])
    ports = [("a", UINT8, ["rows", "depth"]), ("b", INT8, ["depth", "columns"])]
    sets = [[bytes_of(np.uint8, m, k), bytes_of(np.int8, k, n)] for m, k, n in ((0, 4, 4), (1, 1, 1), (3, 9, 7), (33, 70, 41))]
    yield "MatMulInteger of two inputs", model([node], ports, [("y", INT32, ["rows", "columns"])], {}), sets


def convolutions():
    for channels, outputs, group, window in ((3, 8, 1, 3), (16, 20, 1, 1), (12, 12, 12, 3), (8, 12, 2, 2)):
        node = helper.make_node(
            "ConvInteger", ["x", "w", "zx"], ["y"], pads=[window // 2] * 4, strides=[1, 2], group=group)
        constants = {"w": bytes_of(np.int8, outputs, channels // group, window, window), "zx": np.uint8(97)}
        yield (
            f"ConvInteger {channels} to {outputs} channels, {group} groups, {window}x{window}",
            model([node], [("x", UINT8, ["n", channels, 11, 9])], [("y", INT32, None)], constants),
            [[bytes_of(np.uint8, n, channels, 11, 9)] for n in (0, 1, 3)])


def requantized():
    node = helper.make_node("QLinearMatMul", ["a", "sa", "za", "b", "sb", "zb", "sy", "zy"], ["y"])
    constants = {
        "sa": np.float32(0.02), "za": np.uint8(120), "b": bytes_of(np.int8, 75, 29), "sb": np.float32(0.013), "zb": np.int8(0),
        "sy": np.float32(0.9), "zy": np.uint8(131)}
    sets = [[bytes_of(np.uint8, rows, 75)] for rows in (1, 5, 17)]
    yield "QLinearMatMul", model([node], [("a", UINT8, ["rows", 75])], [("y", UINT8, None)], constants), sets
    node = helper.make_node("QLinearConv", ["x", "sx", "zx", "w", "sw", "zw", "sy", "zy", "bias"], ["y"], pads=[1] * 4)
    constants = {
        "sx": np.float32(0.02), "zx": np.uint8(7), "w": bytes_of(np.int8, 10, 6, 3, 3), "sw": np.float32(0.01), "zw": np.int8(0),
        "sy": np.float32(1.1), "zy": np.uint8(128), "bias": np.arange(10, dtype=np.int32) * 1000}
    sets = [[bytes_of(np.uint8, n, 6, 13, 7)] for n in (1, 2)]
    yield "QLinearConv", model([node], [("x", UINT8, ["n", 6, 13, 7])], [("y", UINT8, None)], constants), sets


def integers():
    for family in (matrix_products, computed_products, convolutions, requantized):
        yield from family()


# Floats.


def weights(*shape):
    return (GENERATOR.standard_normal(shape) * shape[0] ** -0.5).astype(np.float32)


def normal(*shape):
    return GENERATOR.standard_normal(shape).astype(np.float32)


def elementwise():
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["s"]), helper.make_node("Exp", ["x"], ["e"]),
        helper.make_node("Sub", ["s", "e"], ["d"]), helper.make_node("Tanh", ["d"], ["y"])]
    sets = [[normal(n, 7)] for n in (0, 1, 2, 33)]
    return "elementwise", model(nodes, [("x", FLOAT, ["n", 7])], [("y", FLOAT, ["n", 7])], {}), sets


def mlp():
    nodes, constants, x = [], {}, "x"
    for layer, (inner, outer) in enumerate(((20, 64), (64, 48), (48, 10))):
        constants |= {f"w{layer}": weights(inner, outer), f"b{layer}": normal(outer)}
        y = "y" if layer == 2 else f"h{layer}"
        nodes.append(helper.make_node("Gemm", [x, f"w{layer}", f"b{layer}"], [f"g{layer}" if layer < 2 else "y"]))
        if layer < 2:
            nodes.append(helper.make_node("Relu", [f"g{layer}"], [y]))
        x = y
    sets = [[normal(n, 20)] for n in (0, 1, 3, 50)]
    return "mlp", model(nodes, [("x", FLOAT, ["n", 20])], [("y", FLOAT, ["n", 10])], constants), sets


def transformer(width=48, heads=4, words=100):
    """An embedding, two blocks of attention and GELU, layer normalization: any number of words and of sentences."""
    nodes, constants = [helper.make_node("Gather", ["table", "ids"], ["e"])], {"table": weights(words, width) * 4}
    part = width // heads
    constants |= {
        "split": np.array([0, 0, heads, part], np.int64), "join": np.array([0, 0, width], np.int64),
        "scale": np.float32(part**-0.5), "half": np.float32(0.5), "one": np.float32(1), "root": np.float32(2**-0.5)}

    def add(op, *inputs, **attributes):
        name = f"v{len(nodes)}"
        nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def dense(x, inner, outer):
        name = f"w{len(constants)}"
        constants[name], constants[name + "b"] = weights(inner, outer), normal(outer) * np.float32(0.1)
        return add("Add", add("MatMul", x, name), name + "b")

    def norm(x):
        name = f"n{len(constants)}"
        constants[name], constants[name + "b"] = 1 + normal(width) * np.float32(0.1), normal(width) * np.float32(0.1)
        return add("LayerNormalization", x, name, name + "b", axis=-1)

    x = "e"
    for _ in range(2):
        q, k, v = (add("Transpose", add("Reshape", dense(x, width, width), "split"), perm=perm)
                   for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
        scores = add("Softmax", add("Mul", add("MatMul", q, k), "scale"), axis=-1)
        mixed = add("Reshape", add("Transpose", add("MatMul", scores, v), perm=[0, 2, 1, 3]), "join")
        x = norm(add("Add", x, dense(mixed, width, width)))
        inner = dense(x, width, 4 * width)
        gelu = add("Mul", add("Mul", inner, add("Add", add("Erf", add("Mul", inner, "root")), "one")), "half")
        x = norm(add("Add", x, dense(gelu, 4 * width, width)))
    nodes[-1].output[0] = "y"
    sets = [[GENERATOR.integers(0, words, (n, length))] for n, length in ((1, 1), (1, 9), (2, 37))]
    ports = [("ids", TensorProto.INT64, ["n", "length"])]
    return "transformer", model(nodes, ports, [("y", FLOAT, ["n", "length", width])], constants), sets


def convolutional():
    nodes, constants, x = [], {}, "x"
    for layer, (inner, outer, window, stride) in enumerate(((3, 16, 3, 1), (16, 32, 3, 2), (32, 32, 3, 1), (32, 24, 1, 1))):
        constants |= {f"w{layer}": weights(outer, inner, window, window) * np.float32(0.5), f"b{layer}": normal(outer)}
        nodes.append(helper.make_node(
            "Conv", [x, f"w{layer}", f"b{layer}"], [f"c{layer}"], pads=[window // 2] * 4, strides=[stride] * 2))
        nodes.append(helper.make_node("Relu", [f"c{layer}"], [f"r{layer}"]))
        x = f"r{layer}"
    nodes += [helper.make_node("MaxPool", [x], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
              helper.make_node("GlobalAveragePool", ["p"], ["y"])]
    sets = [[normal(n, 3, 22, 18)] for n in (1, 3)]
    return "convolutional", model(nodes, [("x", FLOAT, ["n", 3, 22, 18])], [("y", FLOAT, None)], constants), sets


def floats():
    return [elementwise(), mlp(), transformer(), convolutional()]


# Weights of few bits, which ONNX Runtime sums in another way: (name, model, data sets), to be held against libraries for x86-64.


def blocks():
    for bits, level, zeros in ((4, 4, True), (4, 4, False), (2, 4, True), (8, 4, True), (4, 1, True)):
        depth, columns, block = 96, 33, 32
        count, size = depth // block, block * bits // 8
        constants = {"w": GENERATOR.integers(0, 256, (columns, count, size), np.uint8),
                     "s": (GENERATOR.random((columns, count)) / 2**bits).astype(np.float32)}
        if zeros:
            constants["z"] = GENERATOR.integers(0, 256, (columns, -(-count * bits // 8)), np.uint8)
        node = helper.make_node(
            "MatMulNBits", ["x", *constants], ["y"], domain="com.microsoft", K=depth, N=columns, bits=bits, block_size=block,
            accuracy_level=level)
        made = model([node], [("x", FLOAT, ["n", depth])], [("y", FLOAT, ["n", columns])], constants)
        made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
        yield (f"MatMulNBits of {bits} bits, accuracy level {level}, {'' if zeros else 'no '}zero points", made,
               [[normal(n, depth)] for n in (1, 3, 20)])
