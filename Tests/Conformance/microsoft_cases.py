"""Operators of onnxruntime's own domain, for sizes.py; see size_cases.py.

Scales are powers of two wherever bytes are compared: then all that comes before rounding is exact, and the bytes are determined.
"""

import numpy as np

from size_cases import case, has_no_image, is_empty, lengths, positions, weights, within


def _scale(generator, shape, shapes):
    return 2.0 ** generator.integers(-3, 0, shape)


def _coarse(generator, shape, shapes):
    """Scales of sums, which are large."""
    return 2.0 ** generator.integers(3, 7, shape)


def _bytes(*shape, signed=False):
    values = np.arange(int(np.prod(shape))) * 89 % 256
    return (values - 128).astype(np.int8).reshape(shape) if signed else values.astype(np.uint8).reshape(shape)


_SIGNED = within(-128, 128)
_OP = "com.microsoft."
_SCALES = {"s": np.float32(0.25), "t": np.float32(0.5), "u": np.float32(2), "p": np.uint8(120), "q": np.int8(3)}

def has_single_rows(shapes):
    """Rows of one element: their softmax is 1, which onnxruntime does not hold within a byte."""
    return is_empty(shapes) or shapes[0][-1] == 1 or shapes[0][1] == 1


def wraps(shapes):
    """What is added has another number of examples: onnxruntime begins again, or leaves some out."""
    return is_empty(shapes) or shapes[1][0] != shapes[0][0]


def ignores_mask(shapes):
    """A mask of one column, which onnxruntime takes for none."""
    return is_empty(shapes) or shapes[1][1] == 1


def _even(generator, shape, shapes):
    """Zero points: rounding half to even gives the same before they are added and after."""
    return 2 * generator.integers(30, 90, shape)


# Elementwise

for _name in ("QLinearAdd", "QLinearMul"):
    _drawn = {"x1": _scale, "x4": _scale, "x6": _scale if _name == "QLinearAdd" else _coarse}
    case(
        _name, f"z = {_OP}{_name}(x0, x1, x2, x3, x4, x5, x6, x7)", "uint8: m n", "", "uint8:", "uint8: m n", "", "uint8:",
        "", "uint8:", values=_drawn)
    case(
        f"{_name} of signed bytes", f"z = {_OP}{_name}(x0, x1, x2, x3, x4, x5, x6, x7)", "int8: a b c", "", "int8:", "int8: c",
        "", "int8:", "", "int8:", values={"x0": _SIGNED, "x3": _SIGNED, "x1": _scale, "x4": _scale, "x6": _coarse})
_ONE = ("uint8: m n", "", "uint8:", "", "uint8:")
for _name, _result in (("QLinearSigmoid", 2.0 ** -8), ("QLinearLeakyRelu<alpha=0.25>", 0.125)):
    case(
        _name.split("<")[0], f"z = {_OP}{_name}(x0, x1, x2, r, x3)", *_ONE[:3], "uint8:", values={"x1": _scale},
        constants={"r": np.float32(_result)})
    case(
        _name.split("<")[0] + " of signed bytes", f"z = {_OP}{_name}(x0, x1, x2, r, x3)", "int8: m n", "", "int8:", "int8:",
        values={"x0": _SIGNED, "x1": _scale}, constants={"r": np.float32(_result)})
for _axis, _opset in ((-1, 13), (1, 13), (1, 12), (-1, 12)):
    case(
        f"QLinearSoftmax, axis {_axis}, opset {_opset}", f"z = {_OP}QLinearSoftmax<axis={_axis}, opset={_opset}>(x0, x1, x2, r, x3)",
        "uint8: a m n", "", "uint8:", "uint8:", values={"x1": within(0.01, 0.2)}, constants={"r": np.float32(2.0 ** -8)},
        undefined=has_single_rows)

# Pools and joins

for _title, _options in (
    ("", "kernel_shape=[2, 2]"), (", padded steps", "kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]"),
    (", padding counted", "kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1"),
    (", ceiling", "kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1"),
):
    case(
        f"QLinearAveragePool{_title}", f"z = {_OP}QLinearAveragePool<{_options}>(x0, x1, x2, x3, x4)", "uint8: n c h w", *_ONE[1:],
        values={"x1": _scale, "x3": _scale, "x4": _even}, undefined=has_no_image)
case(
    "QLinearAveragePool, channels last", f"z = {_OP}QLinearAveragePool<kernel_shape=[2, 2], channels_last=1>(x0, x1, x2, x3, x4)",
    "uint8: n h w c", *_ONE[1:], values={"x1": _scale, "x3": _scale, "x4": _even}, undefined=has_no_image)
case(
    "QLinearAveragePool of the whole image", f"z = {_OP}QLinearAveragePool<kernel_shape=[2, 3]>(x0, x1, x2, x3, p)", "uint8: n c =2 =3",
    *_ONE[1:4], values={"x1": _scale, "x3": _scale}, undefined=has_no_image, constants={"p": np.uint8(6)})
for _last in (0, 1):
    case(
        f"QLinearGlobalAveragePool, channels_last {_last}",
        f"z = {_OP}QLinearGlobalAveragePool<channels_last={_last}>(x0, x1, x2, x3, x4)", "uint8: n c h w", *_ONE[1:],
        values={"x1": _scale, "x3": _scale}, undefined=has_no_image)
case(
    "QLinearConcat", f"z = {_OP}QLinearConcat<axis=1>(x0, x1, x2, x3, x4, x5, x6, x7)", "", "uint8:", "uint8: m a", "", "uint8:",
    "uint8: m b", "", "uint8:", values={"x0": _scale, "x3": _scale, "x6": _scale}, undefined=is_empty)

# Products

for _type, _b in (("uint8", {}), ("int8", {"x1": _SIGNED})):
    case(
        f"DynamicQuantizeMatMul by {_type}", f"z = {_OP}DynamicQuantizeMatMul(x0, x1, x2, x3)", "m k", f"{_type}: k n", "n",
        f"{_type}: n", values={"x2": within(0.01, 0.1), **_b}, undefined=is_empty)
case(
    "DynamicQuantizeMatMul by constants", f"z = {_OP}DynamicQuantizeMatMul(x0, w, s, q, b)", "a m 3",
    constants={"w": _bytes(3, 5, signed=True), "b": weights(5), **_SCALES}, undefined=is_empty)
case(
    "DynamicQuantizeMatMul of batches", f"z = {_OP}DynamicQuantizeMatMul(x0, x1, x2, x3)", "a m k", "uint8: a k n", "", "uint8: a 1 n",
    values={"x2": within(0.01, 0.1)}, undefined=is_empty)
case(
    "MatMulIntegerToFloat", f"z = {_OP}MatMulIntegerToFloat(x0, x1, x2, x3, x4, x5)", "uint8: m k", "int8: k n", "", "n", "uint8:",
    "int8: n", values={"x1": _SIGNED, "x2": _scale, "x3": _scale}, undefined=is_empty)
case(
    "MatMulIntegerToFloat by constants", f"z = {_OP}MatMulIntegerToFloat(x0, w, s, t, p, q, b)", "uint8: a m 3",
    constants={"w": _bytes(3, 5, signed=True), "b": weights(5), **_SCALES}, undefined=is_empty)
for _a, _b in ((0, 0), (1, 0), (0, 1), (1, 1)):
    case(
        f"QGemm, transA {_a}, transB {_b}", f"z = {_OP}QGemm<transA={_a}, transB={_b}, alpha=0.5>(x0, s, p, x1, x2, q, x3, x4, p)",
        "uint8: k m" if _a else "uint8: m k", "int8: n k" if _b else "int8: k n", "", "int32: n", "", constants=_SCALES,
        values={"x1": _SIGNED, "x2": _scale, "x3": within(-999, 999), "x4": _coarse}, undefined=is_empty)
case(
    "QGemm, floats", f"z = {_OP}QGemm(x0, s, p, x1, x2, x3)", "uint8: m k", "int8: k n", "n", "int8: n", constants=_SCALES,
    values={"x1": _SIGNED, "x2": _scale, "x3": _SIGNED}, undefined=is_empty)
case(
    "QGemm by constants", f"z = {_OP}QGemm(x0, s, p, w, r, c, b, u, p)", "uint8: m 3",
    constants={
        **_SCALES, "w": _bytes(3, 5, signed=True), "r": np.float32([0.25, 0.5, 1, 0.125, 0.5]), "c": np.int8([1, -2, 3, 0, 9]),
        "b": np.int32([5, -70, 300, 0, 1])}, undefined=is_empty)
for _bits, _k, _size in ((4, 40, 16), (4, 64, 32), (8, 40, 16), (2, 64, 16)):
    _blocks = -(-_k // _size)
    _constants = {
        "w": _bytes(5, _blocks, _size * _bits // 8), "s": weights(5, _blocks), "b": weights(5),
        "z": _bytes(5, -(-_blocks * _bits // 8))}
    _call = f"{_OP}MatMulNBits<K={_k}, N=5, bits={_bits}, block_size={_size}>"
    case(f"MatMulNBits, {_bits} bits, {_size} of {_k}", f"y = {_call}(x0, w, s)", f"m {_k}", outputs=("y",), constants=_constants)
    case(
        f"MatMulNBits, {_bits} bits, {_size} of {_k}, zero points", f"y = {_call}(x0, w, s, z, , b)", f"a m {_k}", outputs=("y",),
        constants=_constants)
case(
    "MatMulNBits, numbers as zero points", f"y = {_OP}MatMulNBits<K=40, N=5, bits=4, block_size=16>(x0, w, s, z)", "m 40",
    outputs=("y",), constants={"w": _bytes(5, 3, 8), "s": weights(5, 3), "z": weights(5, 3) * 9})
case(
    "MatMulNBits, weights as inputs", f"y = {_OP}MatMulNBits<K=40, N=5, bits=4, block_size=16>(x0, x1, x2, x3)", "m 40",
    "uint8: 5 3 8", "5 3", "uint8: 5 2", outputs=("y",))

# Lookups

for _bits, _size in ((4, 16), (8, 32)):
    case(
        f"GatherBlockQuantized of {_bits} bits", f"z = {_OP}GatherBlockQuantized<bits={_bits}, block_size=16>(x0, x1, x2)",
        "uint8: m 16", "int64: a b", f"m {_size * 8 // _bits // 16 * 16 // _size}", values={"x1": positions(0, 0)}, undefined=is_empty)
case(
    "GatherBlockQuantized, constants", f"z = {_OP}GatherBlockQuantized<bits=4, block_size=16>(w, x0, s, p)", "int64: a",
    values={"x0": within(-6, 6)}, constants={"w": _bytes(6, 20), "s": weights(6, 3), "p": _bytes(6, 2)})

# Sequences and attention

_GATES = {
    "w": _bytes(1, 3, 16, signed=True), "r": _bytes(1, 4, 16, signed=True), "b": weights(1, 32), "s": np.float32([0.01]),
    "q": np.int8([3])}
case(
    "DynamicQuantizeLSTM", f"z, h, c = {_OP}DynamicQuantizeLSTM<hidden_size=4>(x0, w, r, b, , , , , s, q, s, q)", "t n 3",
    outputs=("z", "h", "c"), constants=_GATES, undefined=is_empty)
for _direction in ("forward", "reverse"):
    case(
        f"DynamicQuantizeLSTM {_direction}, lengths",
        f'z, h, c = {_OP}DynamicQuantizeLSTM<hidden_size=4, direction="{_direction}">(x0, w, r, b, x1, x2, x3, , s, q, s, q)',
        "t n 3", "int32: n", "1 n 4", "1 n 4", outputs=("z", "h", "c"), constants=_GATES, undefined=is_empty,
        values={"x1": lengths(0, 0), "x2": within(-0.5, 0.5), "x3": within(-0.5, 0.5)})
case(
    "DynamicQuantizeLSTM both ways, scales of columns",
    f'z = {_OP}DynamicQuantizeLSTM<hidden_size=4, direction="bidirectional", clip=0.5>(x0, w, r, b, , , , p, s, q, s, q)', "t n 3",
    constants={
        "w": _bytes(2, 3, 16), "r": _bytes(2, 4, 16), "b": weights(2, 32), "s": np.full((2, 16), 0.01, np.float32),
        "q": np.full((2, 16), 120, np.uint8), "p": weights(2, 12)}, undefined=is_empty)
_HEADS = {"w": _bytes(6, 24, signed=True), "b": weights(24), "s": np.float32(0.02), "t": np.float32(0.01), "p": np.uint8(120), "q": np.int8(3)}
for _title, _mask, _size in (
    ("", "", ()), (", mask of keys", "x1", ("int32: n m",)), (", mask of queries and keys", "x1", ("int32: n m m",)),
    (", lengths", "x1", ("int32: n",)),
):
    for _causal in (0, 1):
        case(
            f"QAttention{_title}, unidirectional {_causal}",
            f"z = {_OP}QAttention<num_heads=2, unidirectional={_causal}>(x0, w, b, s, t, {_mask}, p, q)", "uint8: n m 6", *_size,
            constants=_HEADS, values={"x1": lengths(0, 1) if _title == ", lengths" else within(0, 2)},
            undefined=ignores_mask if _title == ", mask of keys" else is_empty)
case(
    "QAttention with a past", f"z, y = {_OP}QAttention<num_heads=2>(x0, w, b, s, t, , p, q, x1)", "uint8: n m 6", "2 n 2 p 4",
    outputs=("z", "y"), constants=_HEADS, undefined=is_empty)
_TABLES = {
    "w": _bytes(7, 4), "o": _bytes(4, 4), "e": _bytes(2, 4), "g": _bytes(4), "b": _bytes(4), "s": np.float32(0.02), "p": np.uint8(120)}
_EMBED = f"z, c = {_OP}QEmbedLayerNormalization"
case(
    "QEmbedLayerNormalization", f"{_EMBED}(x0, x1, w, o, e, g, b, x2, s, s, s, s, s, p, p, p, p, p)", "int32: n m", "int32: n m",
    "int32: n m", outputs=("z", "c"), constants=_TABLES, undefined=is_empty,
    values={"x0": within(0, 7), "x1": within(0, 2), "x2": within(0, 2)})
case(
    "QEmbedLayerNormalization of words and places", f"{_EMBED}(x0, , w, o, , g, b, , s, s, , s, s, p, p, , p, p)", "int32: n m",
    outputs=("z", "c"), constants=_TABLES, undefined=is_empty, values={"x0": within(0, 7)})

# What onnxruntime's optimizer makes of transformers

case("BiasGelu", f"z = {_OP}BiasGelu(x0, x1)", "a m n", "n")
case("FastGelu", f"z = {_OP}FastGelu(x0)", "m n")
case("FastGelu with a bias", f"z = {_OP}FastGelu(x0, x1)", "a m n", "n", undefined=is_empty)
case(
    "SkipLayerNormalization", f"z, , , y = {_OP}SkipLayerNormalization(x0, x1, x2, x3, x4)", "a m n", "a m n", "n", "n", "n",
    outputs=("z", "y"), undefined=wraps)
case("SkipLayerNormalization of one example", f"z = {_OP}SkipLayerNormalization(x0, x1, x2)", "a m n", "m n", "n", undefined=is_empty)
case(
    "SkipSimplifiedLayerNormalization", f"z = {_OP}SkipSimplifiedLayerNormalization(x0, x1, x2, x3)", "a m n", "a m n", "n", "n",
    undefined=wraps)
_FLOATS = {"w": weights(7, 4), "o": weights(4, 4), "e": weights(2, 4), "g": weights(4), "b": weights(4)}
case(
    "EmbedLayerNormalization", f"z, c, y = {_OP}EmbedLayerNormalization(x0, x1, w, o, e, g, b, x2, x3)", "int32: n m", "int32: n m",
    "int32: n m", "int32: 1 m", outputs=("z", "c", "y"), constants=_FLOATS, undefined=is_empty,
    values={"x0": within(0, 7), "x1": within(0, 2), "x2": within(0, 2), "x3": within(0, 4)})
case(
    "EmbedLayerNormalization of words and places", f"z, c = {_OP}EmbedLayerNormalization(x0, , w, o, , g, b)", "int32: n m",
    outputs=("z", "c"), constants=_FLOATS, undefined=is_empty, values={"x0": within(0, 7)})
_PROJECTION = {"w": weights(6, 24), "b": weights(24)}
for _causal in (0, 1):
    case(
        f"com.microsoft.Attention, mask of keys, unidirectional {_causal}",
        f"z = {_OP}Attention<num_heads=2, unidirectional={_causal}>(x0, w, b, x1)", "n m 6", "int32: n m", constants=_PROJECTION,
        values={"x1": within(0, 2)}, undefined=ignores_mask)
case(
    "com.microsoft.Attention with a bias of scores", f"z = {_OP}Attention<num_heads=2, scale=0.5>(x0, w, b, , , x1)", "n m 6", "n 2 m m",
    constants=_PROJECTION, undefined=is_empty)
case(
    "com.microsoft.Attention with a past", f"z, y = {_OP}Attention<num_heads=2>(x0, w, b, , x1)", "n m 6", "2 n 2 p 4", outputs=("z", "y"), constants=_PROJECTION, undefined=is_empty)
case(
    "com.microsoft.Attention, values of another size", f"z = {_OP}Attention<num_heads=2, qkv_hidden_sizes=[4, 4, 16]>(x0, w, b)",
    "n m 6", constants=_PROJECTION, undefined=is_empty)

def _unaligned(generator, shape, shapes):
    """Corners of boxes, in and around the image, whose places lie between elements."""
    return generator.integers(-9, 40, shape) / 31 + 0.003


def _far_from_singular(generator, shape, shapes):
    return generator.permuted(np.broadcast_to(3 * np.eye(*shape[-2:]), shape), axis=-2) + generator.uniform(-0.5, 0.5, shape)


def no_matrix(shapes):
    """onnxruntime joins what does not fit if it is empty, and does not turn a matrix whose partner is a vector."""
    return is_empty(shapes)


for _name in ("Gelu", "QuickGelu", "QuickGelu<alpha=0.5>"):
    case(f"com.microsoft.{_name}", f"z = {_OP}{_name}(x0)", "m n")
for _a, _b, _alpha in ((0, 0, 1.0), (1, 0, 0.5), (0, 1, 2.0), (1, 1, 0.25)):
    case(
        f"FusedMatMul, transA {_a}, transB {_b}", f"z = {_OP}FusedMatMul<transA={_a}, transB={_b}, alpha={_alpha}>(x0, x1)",
        "a k m" if _a else "a m k", "a n k" if _b else "a k n", undefined=no_matrix)
    case(
        f"FusedMatMul of batches, transA {_a}, transB {_b}",
        f"z = {_OP}FusedMatMul<transBatchA=1, transBatchB=1, transA={_a}, transB={_b}>(x0, x1)", "k a b m" if _a else "m a b k",
        "n a b k" if _b else "k a b n", undefined=no_matrix)
case("FusedMatMul of a row", f"z = {_OP}FusedMatMul<transA=1>(x0, x1)", "k", "k n", undefined=no_matrix)
case("TransposeMatMul", f"z = {_OP}TransposeMatMul<transB=1>(x0, x1)", "m k", "n k", undefined=no_matrix)
for _name, _numbers in (
    ("Relu", ""), ("Tanh", ""), ("Sigmoid", ""), ("Softplus", ""), ("Softsign", ""), ("LeakyRelu", "activation_alpha=0.3"),
    ("Elu", "activation_alpha=0.3"), ("ThresholdedRelu", "activation_alpha=0.3"), ("Celu", "activation_alpha=0.3"),
    ("HardSigmoid", "activation_alpha=0.3, activation_beta=0.4"), ("ScaledTanh", "activation_alpha=0.3, activation_beta=0.4"),
    ("ParametricSoftplus", "activation_alpha=0.3, activation_beta=0.4"), ("Selu", "activation_alpha=0.3, activation_gamma=0.4"),
):
    case(
        f"FusedGemm, {_name}", f'z = {_OP}FusedGemm<activation="{_name}", transB=1, beta=0.5{", " * bool(_numbers)}{_numbers}>(x0, x1, x2)',
        "m k", "n k", "n", undefined=is_empty)
_WINDOWS = {"w": weights(4, 2, 3, 3), "b": weights(4)}
for _name, _numbers in (
    ("Relu", ""), ("Tanh", ""), ("Sigmoid", ""), ("HardSwish", ""), ("LeakyRelu", "0.3"), ("Clip", "-0.1, 0.2"), ("HardSigmoid", "0.3, 0.4")
):
    _options = f'activation="{_name}"' + (f", activation_params=[{_numbers}]" if _numbers else "")
    case(
        f"FusedConv, {_name}", f"z = {_OP}FusedConv<pads=[1, 1, 1, 1], {_options}>(x0, w, b)", "n 2 h w", constants=_WINDOWS,
        undefined=has_no_image)
    case(
        f"FusedConv, {_name}, a sum", f"z = {_OP}FusedConv<pads=[1, 1, 1, 1], {_options}>(x0, w, b, x1)", "n 2 h w", "n 4 h w",
        constants=_WINDOWS, undefined=is_empty)
case(
    "FusedConv, a sum without bias", f'z = {_OP}FusedConv<activation="Relu", strides=[2, 1], kernel_shape=[3, 3]>(x0, w, , x1)', "n 2 2*h+1 w+2",
    "n 4 h w", constants=_WINDOWS, undefined=is_empty)
for _axis, _scale_sizes in ((-1, "n"), (1, "m n")):
    case(
        f"SimplifiedLayerNormalization, axis {_axis}", f"z, y = SimplifiedLayerNormalization<axis={_axis}, epsilon=0.01>(x0, x1)",
        "a m n", _scale_sizes, outputs=("z", "y"), undefined=is_empty)
case(
    "SkipLayerNormalization, all results", f"z, c, d, y = {_OP}SkipLayerNormalization<epsilon=0.01>(x0, x1, x2, x3, x4)", "a m n", "a m n",
    "n", "n", "n", outputs=("z", "c", "d", "y"), undefined=wraps)
case(
    "SkipSimplifiedLayerNormalization, all results", f"z, c, d, y = {_OP}SkipSimplifiedLayerNormalization<epsilon=0.01>(x0, x1, x2, x3)",
    "a m n", "a m n", "n", "n", outputs=("z", "c", "d", "y"), undefined=wraps)

# What exporters wrote before ONNX had it

case(
    "Inverse", f"z = {_OP}Inverse(x0)", "a n n", values={"x0": _far_from_singular},
    undefined=lambda shapes: shapes[0][1] != shapes[0][2])  # onnxruntime reads beyond a matrix that is not square
case("com.microsoft.Trilu", f"z = {_OP}Trilu(x0, x1)", "a m n", "int64:")
case("com.microsoft.Trilu, lower", f"z = {_OP}Trilu<upper=0>(x0)", "m n")
case("com.microsoft.Unique", f"z, c, d = {_OP}Unique(x0)", "n", outputs=("z", "c", "d"), values={"x0": within(0, 3)})
for _axis in (0, 1, -1):
    case(f"ExpandDims at {_axis}", f"z = {_OP}ExpandDims(x0, k)", "m n", constants={"k": np.int32(_axis)})
for _mode in ("constant", "reflect", "edge", "wrap"):
    case(
        f"com.microsoft.Pad, {_mode}", f'z = {_OP}Pad<mode="{_mode}">(x0, p)', "m+1 n+1", constants={"p": np.int64([[0, 1, 1, 0]])},
        undefined=lambda shapes: min(shapes[0]) < 2)
for _mode in ("bilinear", "nearest", "bicubic"):
    case(
        f"com.microsoft.GridSample, {_mode}", f'z = {_OP}GridSample<mode="{_mode}", align_corners=1>(x0, x1)', "n c h w", "n p q 2",
        values={"x1": within(-1.3, 1.3)}, undefined=is_empty)
for _mode in ("bilinear", "nearest"):
    case(
        f"CropAndResize, {_mode}", f'z = {_OP}CropAndResize<mode="{_mode}", extrapolation_value=7.0>(x0, x1, x2, s)', "n c h w", "r 4",
        "int32: r", values={"x1": _unaligned, "x2": positions(0, 0, backward=False)}, constants={"s": np.int32([3, 5])},
        undefined=is_empty)
case(
    "CropAndResize to a point", f"z = {_OP}CropAndResize(x0, x1, x2, s)", "n c h w", "r 4", "int32: r",
    values={"x1": _unaligned, "x2": positions(0, 0, backward=False)}, constants={"s": np.int32([1, 2])}, undefined=is_empty)
for _size in (1, 2, 3):
    case(
        f"NGramRepeatBlock of {_size}", f"z = {_OP}NGramRepeatBlock<ngram_size={_size}>(x0, x1)", "int64: n 2*m+1", "n 4",
        values={"x0": within(0, 3)}, undefined=lambda shapes: is_empty(shapes) or shapes[1][1] < 3)

# Attention of projected queries, keys and values. Without a result for keys and values onnxruntime reads memory that it did not write.

_MHA = f"z, k, v = {_OP}MultiHeadAttention<num_heads=2"
_THREE = ("z", "k", "v")
for _title, _options in (("", ""), (", scaled", ", scale=0.25")):
    case(f"MultiHeadAttention{_title}", f"{_MHA}{_options}>(x0, x1, x2)", "n m 8", "n l 8", "n l 12", outputs=_THREE, undefined=is_empty)
case(
    "MultiHeadAttention with a bias, scores", f"z, k, v, s = {_OP}MultiHeadAttention<num_heads=2>(x0, x1, x2, b, , x3)", "n m 8", "n l 8", "n l 12",
    "n 2 m l", outputs=("z", "k", "v", "float s"), constants={"b": weights(28)}, undefined=is_empty)


def is_cross(shapes):
    """onnxruntime lets the last query see all keys, if there are others than its own."""
    return is_empty(shapes) or shapes[0][1] != shapes[1][1]


case("MultiHeadAttention, unidirectional", f"{_MHA}, unidirectional=1>(x0, x1, x2)", "n m 8", "n m 8", "n m 8", outputs=_THREE, undefined=is_cross)
for _title, _sizes, _values in ((", lengths", "int32: n", lengths(1, 1)), (", keys", "int32: n l", within(0, 2)), (", queries and keys", "int32: n m l", within(0, 2))):
    case(
        f"MultiHeadAttention, a mask of{_title[1:]}", f"{_MHA}, mask_filter_value=-9.0>(x0, x1, x2, , x3, x4)", "n m 8", "n l 8", "n l 8", _sizes, "1 1 m l",
        outputs=_THREE, values={"x3": _values}, undefined=is_empty)


def has_other_heads(shapes):
    """onnxruntime does not compare the sizes of values and of their past."""
    return is_empty(shapes) or shapes[2][2] != 8 or shapes[4][3] != 4


_PAST = ("n m 8", "n m 8", "n m 8", "n 2 p 4", "n 2 p 4")
for _causal in (0, 1):
    case(
        f"MultiHeadAttention with a past, unidirectional {_causal}", f"{_MHA}, unidirectional={_causal}>(x0, x1, x2, , , , x3, x4)", *_PAST,
        outputs=_THREE, undefined=has_other_heads)
case(
    "MultiHeadAttention with a past and a mask", f"{_MHA}, mask_filter_value=-9.0>(x0, x1, x2, b, x5, x6, x3, x4)", *_PAST, "int32: n p+m", "n 1 m p+m", outputs=_THREE,
    constants={"b": weights(24)}, values={"x5": within(0, 2)}, undefined=is_empty)
case(
    "MultiHeadAttention of heads", f"z = {_OP}MultiHeadAttention<num_heads=2>(x0, x1, x2, b)", "n m 8", "n 2 l 4", "n 2 l 4",
    constants={"b": weights(24)}, undefined=lambda shapes: is_empty(shapes) or shapes[1] != shapes[2])


def overflows(shapes):
    """The fill of the cases below does not fit."""
    return is_empty(shapes) or shapes[3][2] < 1 + shapes[0][1]


for _causal in (0, 1):
    case(
        f"MultiHeadAttention with a buffer, unidirectional {_causal}", f"{_MHA}, unidirectional={_causal}>(x0, x1, x2, , , , x3, x4, f)", *_PAST,
        outputs=_THREE, constants={"f": np.int32([1])}, undefined=overflows)
_DECODER = f"z, k, v = {_OP}DecoderMaskedMultiHeadAttention<num_heads=2, past_present_share_buffer=1>"
_ONE = ("n 1 8", "n 1 8", "n 1 8", "n 2 p 4", "n 2 p 4")
case(
    "DecoderMaskedMultiHeadAttention", f"{_DECODER}(x0, x1, x2, , , x3, x4, f, , , b)", *_ONE, outputs=_THREE,
    constants={"f": np.int32([1]), "b": weights(24)}, undefined=overflows)
case(
    "DecoderMaskedMultiHeadAttention with a mask", f"{_DECODER}(x0, x1, x2, x5, , x3, x4, f)", *_ONE, "int32: n 2", outputs=_THREE,
    constants={"f": np.int32([1])}, values={"x5": within(0, 2)}, undefined=overflows)
case(
    "DecoderMaskedMultiHeadAttention, scores",
    f"z, k, v, s = {_OP}DecoderMaskedMultiHeadAttention<num_heads=2, past_present_share_buffer=1, output_qk=1>(x0, x1, x2, x5, , x3, x4, f)",
    *_ONE, "int32: n 2", outputs=("z", "k", "v", "float s"), constants={"f": np.int32([1])}, values={"x5": within(0, 2)}, undefined=overflows)
case(
    "MultiHeadAttention with a buffer whose fill is told",
    f"z, k, v = {_OP}MultiHeadAttention<num_heads=2, unidirectional=1>(x0, x1, x2, , , , x3, x4, x5)", *_PAST, "int32: 1", outputs=_THREE,
    values={"x5": within(1, 2)}, undefined=overflows)
case(
    "DecoderMaskedMultiHeadAttention of beams", f"{_DECODER}(x0, x1, x2, , , x3, x4, f, w, x5)", *(x.replace("n", "2*n", 1) for x in _ONE),
    "int32: n 2 p", outputs=_THREE, constants={"f": np.int32([1]), "w": np.int32([2])}, values={"x5": within(0, 2)},
    undefined=lambda shapes: overflows(shapes) or shapes[5][:2] != [shapes[0][0] // 2, 2])
case(
    "DecoderMaskedMultiHeadAttention of heads", f"z = {_OP}DecoderMaskedMultiHeadAttention<num_heads=2>(x0, x1, x2, x3)", "n 1 8",
    "n 2 l 4", "n 2 l 4", "int32: n l", values={"x3": within(0, 2)},
    undefined=lambda shapes: is_empty(shapes) or shapes[1] != shapes[2])

# A decoder's attention. Of many samples onnxruntime takes either a prompt or one position each.


def _last(generator, shape, shapes):
    """Positions less one, where all samples have as many as fit."""
    return np.full(shape, shapes[3][2] + shapes[0][1] - 1 if len(shapes) > 4 and len(shapes[3]) == 4 else shapes[0][1] - 1)


def _all(generator, shape, shapes):
    return _last(generator, shape, shapes) + 1


def _ragged(generator, shape, shapes):
    """Positions less one of samples that fill a buffer as far as they do."""
    return generator.integers(0, shapes[3][2], shape)


def _greatest(generator, shape, shapes):
    return np.full(shape, shapes[3][2])


def misfits(shapes):
    """Sizes that onnxruntime does not look at, or takes no samples of."""
    return is_empty(shapes) or shapes[0][:2] != shapes[1][:2] or shapes[0][:2] != shapes[2][:2]


def misfits_past(shapes):
    return misfits(shapes) or (shapes[0][0] > 1 and shapes[0][1] > 1) or shapes[3] != shapes[4] or (
        len(shapes) == 8 and shapes[7] == [shapes[0][0], shapes[7][1]] and shapes[7][1] != shapes[0][1])


_GQA = f"z, k, v = {_OP}GroupQueryAttention<num_heads=4, kv_num_heads=2"
_TABLE = {"c": weights(9, 8), "s": weights(9, 8)[::-1].copy(), "h": weights(4)}
_PROMPT = ("n m 64", "n m 32", "n m 32", "int32: n", "int32:")
for _title, _options, _more in (
    ("", "", ""), (", window", ", local_window_size=2", ""), (", soft cap", ", softcap=1.5, scale=0.5", ""), (", not causal", ", causal=0", ""),
    (", smooth", ", smooth_softmax=1", ""), (", sink", ", softcap=1.5, local_window_size=2", ", , , , , h"), (", rotary", ", do_rotary=1", ", c, s"),
    (", rotary pairs", ", do_rotary=1, rotary_interleaved=1", ", c, s"),
):
    case(
        f"GroupQueryAttention{_title}", f"{_GQA}{_options}>(x0, x1, x2, , , x3, x4{_more})", *_PROMPT, outputs=_THREE, constants=_TABLE,
        values={"x3": _last, "x4": _all}, undefined=misfits)
case(
    "GroupQueryAttention, packed", f"{_GQA}, do_rotary=1>(x0, , , , , x1, x2, c, s)", "n m 128", "int32: n", "int32:", outputs=_THREE, constants=_TABLE,
    values={"x1": _last, "x2": _all}, undefined=is_empty)
_GROWING = ("n m 64", "n m 32", "n m 32", "n 2 p 16", "n 2 p 16", "int32: n", "int32:")
for _title, _options, _more, _size in (
    ("", ", do_rotary=1", ", c, s", ()), (", window", ", local_window_size=2", "", ()), (", positions", ", do_rotary=1", ", c, s, x7", ("int64: n m",)),
    (", numbers", ", softcap=1.5", ", , , , x7", ("n 1 m p+m",)), (", sink", ", local_window_size=3", ", , , , x7, h", ("1 4 m p+m",)),
):
    case(
        f"GroupQueryAttention with a past{_title}", f"{_GQA}{_options}>(x0, x1, x2, x3, x4, x5, x6{_more})", *_GROWING, *_size, outputs=_THREE,
        constants=_TABLE, values={"x5": _last, "x6": _all} | ({"x7": within(0, 9)} if "int64: n m" in _size else {}), undefined=misfits_past)
for _mode in (1, 2):
    case(
        f"GroupQueryAttention with a past, qk_output {_mode}",
        f"z, k, v, q = {_OP}GroupQueryAttention<num_heads=4, kv_num_heads=2, qk_output={_mode}, softcap=1.5>(x0, x1, x2, x3, x4, x5, x6)", *_GROWING,
        outputs=("z", "k", "v", "float q"), constants=_TABLE, values={"x5": _last, "x6": _all}, undefined=misfits_past)
for _title, _options, _more in (("", ", do_rotary=1", ", c, s"), (", window", ", local_window_size=2", ""), (", sink", "", ", , , , , h")):
    # Behind a sample's positions buffers hold what is left open, so that only the first result is compared.
    case(
        f"GroupQueryAttention with a buffer{_title}",
        f"z, , = {_OP}GroupQueryAttention<num_heads=4, kv_num_heads=2{_options}>(x0, x1, x2, x3, x4, x5, x6{_more})".replace("z, , =", "z, k, v ="),
        "n 1 64", "n 1 32", "n 1 32", *_GROWING[3:], constants=_TABLE, values={"x5": _ragged, "x6": _greatest},
        undefined=lambda shapes: misfits_past(shapes) or shapes[3][2] < 2)

# Angles

_TURNS = {"c": weights(9, 4), "s": weights(9, 4)[::-1].copy(), "d": weights(9, 2), "e": weights(9, 2)[::-1].copy(), "p": np.int64([3])}
for _title, _options, _shape, _call in (
    ("", "", "n m 16", "x0, x1, c, s"), (", pairs", "<interleaved=1>", "n m 16", "x0, x1, c, s"), (" of heads", "", "n 2 m 8", "x0, x1, c, s"),
    (" in part", "<rotary_embedding_dim=4, num_heads=2>", "n m 16", "x0, x1, d, e"), (", packed", "<is_packed_batching=1>", "n m 16", "x0, x1, c, s"),
):
    case(
        f"com.microsoft.RotaryEmbedding{_title}", f"z = {_OP}RotaryEmbedding{_options}({_call})", _shape, "int64: n m", constants=_TURNS,
        values={"x1": within(0, 9)}, undefined=is_empty)
case("com.microsoft.RotaryEmbedding from a place on", f"z = {_OP}RotaryEmbedding(x0, p, c, s)", "n m 16", constants=_TURNS, undefined=is_empty)

# Experts. Of equal logits onnxruntime chooses the last ones; random ones are not equal.

_LAYERS = {
    "a": weights(5, 12, 8), "b": weights(5, 12), "c": weights(5, 8, 12), "d": weights(5, 8), "e": weights(5, 24, 8), "f": weights(5, 24)}
for _name in ("relu", "gelu", "silu", "identity"):
    case(
        f"MoE, {_name}", f'z = {_OP}MoE<k=2, activation_type="{_name}">(x0, x1, a, b, c, d)', "t 8", "t 5", constants=_LAYERS, undefined=is_empty)
for _k in (1, 3):
    case(
        f"MoE, {_k} experts, normalized", f"z = {_OP}MoE<k={_k}, normalize_routing_weights=1>(x0, x1, a, , c)", "n m 8", "n*m 5", constants=_LAYERS,
        undefined=is_empty)
for _options in ("", ", activation_alpha=1.702, activation_beta=1.0, swiglu_limit=0.75"):
    case(
        f"MoE, swiglu{_options[:19]}", f'z = {_OP}MoE<k=2, activation_type="swiglu", swiglu_fusion=1{_options}>(x0, x1, e, f, c, d)', "t 8", "t 5",
        constants=_LAYERS, undefined=is_empty)
for _bits in (2, 4, 8):
    _share = 8 // _bits
    _packed = {
        "a": _bytes(5, 32, 32 // _share), "b": weights(5, 32), "c": _bytes(5, 32, 32 // _share), "d": weights(5, 32),
        "s": (np.abs(weights(5, 32)) + 0.1) / 2 ** _bits, "g": (np.abs(weights(5, 32, 2)) + 0.1) / 2 ** _bits, "y": _bytes(5, 32 // _share),
        "w": _bytes(5, 32, -(-2 // _share))}
    # Without router_weights onnxruntime normalizes whatever the attribute says.
    _call = f'z = {_OP}QMoE<k=2, expert_weight_bits={_bits}, normalize_routing_weights=1, activation_type="silu"'
    case(f"QMoE, {_bits} bits", f"{_call}>(x0, x1, a, s, b, c, s, d)", "t 32", "t 5", constants=_packed, undefined=is_empty)
    case(
        f"QMoE, {_bits} bits, zero points", f"{_call}>(x0, x1, a, s, , c, s, , , , , y, y)", "t 32", "t 5", constants=_packed, undefined=is_empty)
    if _bits < 8:  # of blocks of bytes onnxruntime rounds the tokens
        case(
            f"QMoE, {_bits} bits in blocks", f"{_call}, block_size=16>(x0, x1, a, g, b, c, g, d)", "t 32", "t 5", constants=_packed,
            undefined=is_empty)
        case(
            f"QMoE, {_bits} bits in blocks, zero points", f"{_call}, block_size=16>(x0, x1, a, g, , c, g, , , , , w, w)", "t 32", "t 5",
            constants=_packed, undefined=is_empty)
    case(
        f"QMoE, {_bits} bits, router_weights", f"{_call}>(x0, x1, a, s, b, c, s, d, , , , , , , x2)", "t 32", "t 5", "t 5", constants=_packed,
        values={"x2": within(0.1, 1.0)}, undefined=is_empty)


def _begin(generator, shape, shapes):
    """Where predictions begin: there is one more of them than the source has from there on."""
    return np.full(shape, shapes[0][0] + 1 - shapes[2][0])


def not_predicted(shapes):
    return is_empty(shapes) or shapes[2][0] > shapes[0][0] + 1


for _least, _most in ((1, 3), (2, 3), (1, 1)):
    _call = f"z, y = {_OP}BifurcationDetector<min_ngram_size={_least}, max_ngram_size={_most}>"
    case(
        f"BifurcationDetector, {_least} to {_most}", f"{_call}(x0, x1, x3, x2)", "int64: a+b+c", "int64: d", "int64: c+1", "int64:", outputs=("z", "y"),
        values={"x0": within(0, 3), "x1": within(0, 3), "x2": within(0, 3), "x3": _begin}, undefined=not_predicted)
    case(
        f"BifurcationDetector without predictions, {_least} to {_most}", f"{_call}(x0, x1, k)", "int64: a+b+c", "int64: d", outputs=("z", "y"),
        values={"x0": within(0, 3), "x1": within(0, 3)}, constants={"k": np.int64(0)}, undefined=is_empty)
