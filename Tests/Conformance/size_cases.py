"""The models that sizes.py tries: an operator each, in ONNX's text form, every input dimension a symbol of its own.

    case("Gemm", "z = Gemm(x0, x1, x2)", "m k", "k n", "m n")

The inputs x0, x1, … are told by sizes that fit: a letter is any size, the same wherever it stands, a number is that
size, and an expression of letters, without spaces, is computed. A type before a colon replaces `float`. A size after an
equals sign is a number in the model as well, for sizes that code is made for; such a model is also tried with a symbol there,
as "…, all open", and then may be refused when it is compiled.
"""

from dataclasses import dataclass, replace

import numpy as np

CASES = {}
REFERENCE = "onnx"  # onnx's reference implementation, as a judge
NOT_THERE = "onnxruntime has no such operator"
JOINS = "onnxruntime joins what does not fit if it is empty"
CONDITIONS = "onnxruntime ignores conditions for elements that there are not"
NUMPY = "numpy.matmul is the definition"  # and onnxruntime leaves sums of nothing unset


@dataclass
class Case:
    name: str
    body: str
    inputs: list  # (element type, sizes that fit) of each
    outputs: list
    constants: dict
    values: dict  # how an input's elements are drawn: a function of a generator, its shape and the shapes of all inputs
    opset: int
    judge: str
    why: str  # why the judge is not onnxruntime
    undefined: object  # a function of all shapes: whether the results are left open, so that such shapes are not drawn
    departs: str  # where the judge departs from the definition
    fits: object  # a function of all shapes: whether they fit where the judge departs, and None where it does not
    may_be_refused: bool = False  # when it is compiled


def case(
    name, body, *inputs, outputs=("z",), constants=None, values=None, opset=18, why="", undefined=lambda shapes: False,
    departs="", fits=lambda shapes: None
):
    """With a reason `why`, onnx's reference implementation is the judge. What `fits` tells goes before what the judge says of shapes."""
    assert name not in CASES, name
    split = [text.split(":") if ":" in text else ("float", text) for text in inputs]
    constants = {key: np.asarray(value) for key, value in (constants or {}).items()}
    CASES[name] = Case(
        name, body, [(element, sizes.split()) for element, sizes in split], list(outputs), constants, values or {}, opset,
        REFERENCE if why else "onnxruntime", why, undefined, departs, fits)
    if any("=" in text for text in inputs):
        opened = [(element, sizes.replace("=", "").split()) for element, sizes in split]
        CASES[f"{name}, all open"] = replace(CASES[name], name=f"{name}, all open", inputs=opened, may_be_refused=True)


def weights(*shape):
    """Floats in -0.5 ..< 0.5 without an order."""
    count = int(np.prod(shape))
    return ((np.arange(count) * 37 % 101) / 101 - 0.5).astype(np.float32).reshape(shape)


def within(low, high):
    """Numbers of a range: integers, or floats if the bounds are."""
    if isinstance(low, float):
        return lambda generator, shape, shapes: generator.uniform(low, high, shape)
    return lambda generator, shape, shapes: generator.integers(low, high, shape)


def positions(of, axis, backward=True):
    """Positions along an axis of input number `of`, and from its end."""

    def draw(generator, shape, shapes):
        size = max(shapes[of][axis], 1)
        return generator.integers(-size if backward else 0, size, shape)

    return draw


def lengths(of, axis):
    """Lengths of parts of an axis of input number `of`, none of which is empty."""
    return lambda generator, shape, shapes: generator.integers(1, max(shapes[of][axis], 1) + 1, shape)


def is_empty(shapes):
    return any(0 in shape for shape in shapes)


def has_no_image(shapes):
    """Channels or places are missing: onnxruntime takes only batches that are empty."""
    return 0 in shapes[0][1:]


def has_no_steps(shapes):
    return any(shape[:1] == [0] for shape in shapes)


def splits_emptily(axis, count):
    """The last of so many parts would be empty."""
    return lambda shapes: (count - 1) * -(-shapes[0][axis] // count) >= shapes[0][axis]


# Elementwise

for _name in ("Add", "Sub", "Mul", "Div", "Less", "Equal"):
    case(_name, f"z = {_name}(x0, x1)", "m n", "m n")
for _name in ("Max", "Min", "Sum", "Mean"):
    case(f"{_name} of three", f"z = {_name}(x0, x1, x2)", "m n", "m n", "n")
case("Add, ranks 3 and 1", "z = Add(x0, x1)", "a b c", "c")
case("Add, ranks 2 and 4", "z = Add(x0, x1)", "c d", "a b c d")
case("Add of a scalar", "z = Add(x0, x1)", "m n", "")
case("Add of a constant", "z = Add(x0, w)", "m 3", constants={"w": weights(2, 3)})
case("Pow", "z = Pow(x0, x1)", "m n", "m n", values={"x0": within(0.1, 3.0)})
case("Mod", "z = Mod(x0, x1)", "int64: m n", "int64: m n", values={"x1": within(1, 5)})
case("Mod of floats", "z = Mod<fmod=1>(x0, x1)", "m n", "m n", values={"x1": within(0.5, 3.0)})
case("And", "z = And(x0, x1)", "bool: m n", "bool: m n")
case("BitShift", 'z = BitShift<direction="LEFT">(x0, x1)', "uint8: m n", "uint8: m n", values={"x1": within(0, 8)})
case("BitwiseXor", "z = BitwiseXor(x0, x1)", "int32: m n", "int32: m n")
case("Where", "z = Where(x0, x1, x2)", "bool: n", "n", "n")
case("Where, ranks 1, 2, 3", "z = Where(x0, x1, x2)", "bool: c", "b c", "a b c")
case("PRelu", "z = PRelu(x0, x1)", "m n", "n")
case("PRelu of channels", "z = PRelu(x0, x1)", "n c h", "c 1")
case("Clip to inputs", "z = Clip(x0, x1, x2)", "m n", "", "")

# Products

case("MatMul, 1 and 1", "z = MatMul(x0, x1)", "k", "k", why=NUMPY)
case("MatMul, 1 and 2", "z = MatMul(x0, x1)", "k", "k n", why=NUMPY)
case("MatMul, 2 and 1", "z = MatMul(x0, x1)", "m k", "k", why=NUMPY)
case("MatMul, 2 and 2", "z = MatMul(x0, x1)", "m k", "k n", why=NUMPY)
case("MatMul, 1 and 3", "z = MatMul(x0, x1)", "k", "b k n", why=NUMPY)
case("MatMul, 3 and 1", "z = MatMul(x0, x1)", "b m k", "k", why=NUMPY)
case("MatMul, 2 and 3", "z = MatMul(x0, x1)", "m k", "b k n", why=NUMPY)
case("MatMul, 3 and 2", "z = MatMul(x0, x1)", "b m k", "k n", why=NUMPY)
case("MatMul, 3 and 3", "z = MatMul(x0, x1)", "b m k", "b k n", why=NUMPY)
case("MatMul, 4 and 3", "z = MatMul(x0, x1)", "a b m k", "b k n", why=NUMPY)
case("MatMul, 4 and 4", "z = MatMul(x0, x1)", "a b m k", "a b k n", why=NUMPY)
case("MatMul by a constant", "z = MatMul(x0, w)", "b m 3", constants={"w": weights(3, 4)}, why=NUMPY)
case("Gemm", "z = Gemm(x0, x1)", "m k", "k n")
case("Gemm, A turned", "z = Gemm<transA=1>(x0, x1)", "k m", "k n")
case("Gemm, B turned", "z = Gemm<transB=1>(x0, x1)", "m k", "n k")
case("Gemm, both turned", "z = Gemm<transA=1, transB=1>(x0, x1)", "k m", "n k")
case("Gemm with C", "z = Gemm<alpha=0.5, beta=2.0>(x0, x1, x2)", "m k", "k n", "m n")
case("Gemm with C, B turned", "z = Gemm<transB=1>(x0, x1, x2)", "m k", "n k", "m n")
case("Gemm with a row C", "z = Gemm(x0, x1, x2)", "m k", "k n", "n")
case("Gemm with a scalar C", "z = Gemm(x0, x1, x2)", "m k", "k n", "")
case("Gemm by constants", "z = Gemm<transB=1>(x0, w, c)", "m 3", constants={"w": weights(4, 3), "c": weights(4)})
for _equation, _inputs in (
    ("ij,jk->ik", ["i j", "j k"]), ("bij,bjk->bik", ["b i j", "b j k"]), ("ij->ji", ["i j"]), ("ii->i", ["i i"]),
    ("i,j->ij", ["i", "j"]), ("ij,ij->", ["i j", "i j"]), ("bhqd,bhkd->bhqk", ["b h q d", "b h k d"]),
    ("...ij,...jk->...ik", ["a i j", "a j k"]), ("ij,jk,kl->il", ["i j", "j k", "k l"]), ("bij->bi", ["b i j"]),
):
    _arguments = ", ".join(f"x{i}" for i in range(len(_inputs)))
    case(f"Einsum {_equation}", f'z = Einsum<equation="{_equation}">({_arguments})', *_inputs)
case("MatMulInteger", "z = MatMulInteger(x0, x1)", "uint8: m k", "int8: k n", why=NUMPY)
case(
    "MatMulInteger, zero points", "z = MatMulInteger(x0, x1, x2, x3)", "uint8: m k", "int8: k n", "uint8:", "int8: n",
    why=NUMPY)
case("MatMulInteger, 3 and 3", "z = MatMulInteger(x0, x1)", "uint8: b m k", "uint8: b k n", why=NUMPY)
case(
    "QLinearMatMul", "z = QLinearMatMul(x0, s, p, x1, s, p, t, p)", "uint8: m k", "uint8: k n",
    constants={"s": np.float32(0.05), "t": np.float32(0.7), "p": np.uint8(120)}, why=NUMPY)
case(
    "QLinearMatMul, a scale per column", "z = QLinearMatMul(x0, s, p, x1, x2, q, t, p)", "uint8: m k", "int8: k 3", "3",
    constants={"s": np.float32(0.05), "t": np.float32(0.7), "p": np.uint8(120), "q": np.zeros(3, np.int8)},
    values={"x2": within(0.01, 0.1)}, why=NUMPY)

# Convolutions

_IMAGE = "n 3 h w"
case("Conv 1d", "z = Conv(x0, w)", "n 3 w", constants={"w": weights(2, 3, 2)})
case("Conv 2d", "z = Conv(x0, w)", _IMAGE, constants={"w": weights(2, 3, 2, 2)})
case("Conv 2d, padded", "z = Conv<pads=[1, 1, 1, 1]>(x0, w)", _IMAGE, constants={"w": weights(2, 3, 3, 3)})
case("Conv 2d with bias", "z = Conv(x0, w, b)", _IMAGE, constants={"w": weights(2, 3, 2, 2), "b": weights(2)})
case("Conv 2d, computed bias", "z = Conv(x0, w, x1)", _IMAGE, "2", constants={"w": weights(2, 3, 2, 2)})
case("Conv 2d, computed weights", "z = Conv(x0, x1)", "n c h w", "o c =2 =2")
case("Conv 2d, all computed", "z = Conv<pads=[1, 1, 1, 1]>(x0, x1, x2)", "n c h w", "o c =2 =2", "o")
case("Conv 2d, declared kernel", "z = Conv<kernel_shape=[2, 2]>(x0, x1)", "n c h w", "o c 2 2")
case(
    "Conv 2d, steps", "z = Conv<strides=[2, 2], pads=[1, 0, 1, 0]>(x0, w)", _IMAGE, constants={"w": weights(2, 3, 2, 2)})
case("Conv 2d, dilated", "z = Conv<dilations=[2, 1]>(x0, w)", _IMAGE, constants={"w": weights(2, 3, 2, 2)})
case(
    "Conv 2d, SAME_UPPER", 'z = Conv<auto_pad="SAME_UPPER", strides=[2, 2]>(x0, w)', _IMAGE,
    constants={"w": weights(2, 3, 3, 3)})
case("Conv 2d, pointwise", "z = Conv(x0, w)", _IMAGE, constants={"w": weights(2, 3, 1, 1)})
case("Conv 2d, groups", "z = Conv<group=2>(x0, w)", "n 4 h w", constants={"w": weights(4, 2, 2, 2)})
case("Conv 2d, computed groups", "z = Conv<group=2>(x0, x1)", "n 2*c h w", "4 c =2 =2")
case("Conv 2d, depthwise", "z = Conv<group=3, pads=[1, 1, 1, 1]>(x0, w)", _IMAGE, constants={"w": weights(3, 1, 3, 3)})
case("Conv 3d", "z = Conv(x0, w)", "n 2 d h w", constants={"w": weights(2, 2, 2, 1, 2)})
case("Conv 3d, computed weights", "z = Conv<pads=[1, 1, 1, 1, 1, 1]>(x0, x1)", "n c d h w", "o c =2 =2 =2")
case(
    "ConvInteger", "z = ConvInteger(x0, w)", "uint8: n 3 h w",
    constants={"w": np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2)})
case("ConvInteger, computed weights", "z = ConvInteger(x0, x1)", "uint8: n c h w", "uint8: o c =2 =2")
case(
    "QLinearConv", "z = QLinearConv(x0, s, p, w, s, q, t, p)", "uint8: n 3 h w",
    constants={
        "s": np.float32(0.05), "t": np.float32(0.7), "p": np.uint8(120), "q": np.int8(0),
        "w": (np.arange(24) - 12).astype(np.int8).reshape(2, 3, 2, 2)})
case("ConvTranspose 1d", "z = ConvTranspose(x0, w)", "n 3 w", constants={"w": weights(3, 2, 2)})
case("ConvTranspose 2d", "z = ConvTranspose<strides=[2, 2]>(x0, w)", _IMAGE, constants={"w": weights(3, 2, 3, 3)})
case("ConvTranspose 2d, computed weights", "z = ConvTranspose(x0, x1)", "n c h w", "c o =2 =2")
case(
    "ConvTranspose 2d, padded", "z = ConvTranspose<strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1]>(x0, w)", _IMAGE,
    constants={"w": weights(3, 2, 3, 3)})
case("ConvTranspose 2d, groups", "z = ConvTranspose<group=2>(x0, w)", "n 4 h w", constants={"w": weights(4, 2, 2, 2)})
case(
    "DeformConv", "z = DeformConv<pads=[1, 1, 1, 1]>(x0, w, x1)", "n =2 h w", "n =18 h w", opset=19,
    constants={"w": weights(3, 2, 3, 3)})
case(
    "DeformConv with a mask", "z = DeformConv(x0, w, x1, , x2)", "n =2 h+1 w+1", "n =8 h w", "n =4 h w", opset=19,
    constants={"w": weights(3, 2, 2, 2)})

# Normalization

case(
    "BatchNormalization", "z = BatchNormalization(x0, x1, x2, x3, x4)", "n c h", "c", "c", "c", "c",
    values={"x4": within(0.5, 2.0)})
case(
    "BatchNormalization by constants", "z = BatchNormalization(x0, s, s, s, v)", "n 3 h w",
    constants={"s": weights(3), "v": np.float32([0.5, 1, 2])})
case(
    "BatchNormalization in training", "z, m, v = BatchNormalization<training_mode=1, momentum=0.75>(x0, x1, x2, x3, x4)", "n c h w",
    "c", "c", "c", "c", outputs=("z", "m", "v"), values={"x4": within(0.5, 2.0)},
    undefined=lambda shapes: is_empty(shapes) or any(shape != shapes[0][1:2] for shape in shapes[1:]), why="onnxruntime has no training")
case("InstanceNormalization", "z = InstanceNormalization(x0, x1, x2)", "n c h w", "c", "c")
case("GroupNormalization, opset 18", "z = GroupNormalization<num_groups=2>(x0, x1, x2)", "n 4 h w", "2", "2")
case("GroupNormalization, opset 21", "z = GroupNormalization<num_groups=2>(x0, x1, x2)", "n 4 h w", "4", "4", opset=21)
case("LayerNormalization", "z = LayerNormalization(x0, x1)", "m n", "n")
case("LayerNormalization with bias", "z = LayerNormalization(x0, x1, x2)", "a m n", "n", "n")
case("LayerNormalization of two axes", "z = LayerNormalization<axis=1>(x0, x1, x2)", "a m n", "m n", "m n")
case(
    "LayerNormalization, all results", "z, m, d = LayerNormalization(x0, x1, x2)", "a m n", "n", "n", outputs=("z", "m", "d"))
case("RMSNormalization", "z = RMSNormalization(x0, x1)", "a m n", "n", opset=23)
case("LRN", "z = LRN<size=3, alpha=0.5>(x0)", "n c h w")
case("LpNormalization", "z = LpNormalization<axis=1, p=2>(x0)", "m n")
case(
    "MeanVarianceNormalization", "z = MeanVarianceNormalization<axes=[0, 2]>(x0)", "n c h",
    undefined=lambda shapes: shapes[0][0] * shapes[0][2] <= 1)

# Shapes

case("Reshape to [0, 3]", "z = Reshape(x0, s)", "m 3", constants={"s": [0, 3]})
case("Reshape to [0, -1]", "z = Reshape(x0, s)", "a b c", constants={"s": [0, -1]})
case("Reshape to [2, -1]", "z = Reshape(x0, s)", "2*m n", constants={"s": [2, -1]})
case("Reshape to [-1, 2, 2]", "z = Reshape(x0, s)", "2*m 2*n", constants={"s": [-1, 2, 2]})
case("Reshape to [0, 0, 2, -1]", "z = Reshape(x0, s)", "a b 2*c", constants={"s": [0, 0, 2, -1]})
case("Reshape to [0, 3], zeros kept", "z = Reshape<allowzero=1>(x0, s)", "0 n", constants={"s": [0, 3]})
case("Reshape to a shape", "s = Shape(x1)\nz = Reshape(x0, s)", "m n", "n m")
case(
    "Reshape to a size and -1", "n = Shape<start=0, end=1>(x1)\ns = Concat<axis=0>(n, r)\nz = Reshape(x0, s)", "a*m n", "a",
    constants={"r": [-1]})
case(
    "Reshape to 0, -1 and a size", "n = Shape<start=0, end=1>(x1)\ns = Concat<axis=0>(r, n)\nz = Reshape(x0, s)", "m a*n", "a",
    constants={"r": [0, -1]})
for _axis in (0, 1, 2, -1):
    case(f"Flatten, axis {_axis}", f"z = Flatten<axis={_axis}>(x0)", "a b c")
case("Squeeze", "z = Squeeze(x0, a)", "1 n", constants={"a": [0]})
case("Squeeze of two axes", "z = Squeeze(x0, a)", "1 n 1", constants={"a": [0, -1]})
case("Unsqueeze", "z = Unsqueeze(x0, a)", "m n", constants={"a": [0, -1]})
case("Expand to a shape", "s = Shape(x1)\nz = Expand(x0, s)", "m 1", "m n")
case("Expand to a longer shape", "s = Shape(x1)\nz = Expand(x0, s)", "n", "m n")
case("Expand to a constant", "z = Expand(x0, s)", "3 1", constants={"s": [2, 3, 2]})
case("Tile", "z = Tile(x0, r)", "m n", constants={"r": [2, 3]})
case("Tile by a shape", "r = Shape(x1)\nz = Tile(x0, r)", "m n", "a b")
case("Transpose", "z = Transpose<perm=[2, 0, 1]>(x0)", "a b c")
case("Transpose of all axes", "z = Transpose(x0)", "a b c")
case("Shape", "z = Shape(x0)", "a b c")
case("Size", "z = Size(x0)", "a b c")
case("Split by sizes", "z, y = Split<axis=0>(x0, s)", "5 n", constants={"s": [2, 3]}, outputs=("z", "y"))
case(
    "Split in two", "z, y = Split<axis=1, num_outputs=2>(x0)", "m n", outputs=("z", "y"), undefined=splits_emptily(1, 2))
case(
    "Split in three", "z, y, x = Split<axis=0, num_outputs=3>(x0)", "m n",
    outputs=("z", "y", "x"), undefined=splits_emptily(0, 3))
case("Split in two, opset 13", "z, y = Split<axis=0>(x0)", "2*m n", outputs=("z", "y"), opset=13)
case(
    "Split by computed sizes", "a = Shape<start=0, end=1>(x1)\nb = Shape<start=1, end=2>(x1)\ns = Concat<axis=0>(a, b)\n"
    "z, y = Split<axis=0>(x0, s)", "a+b n", "a b", outputs=("z", "y"))
_TO_END = np.iinfo(np.int64).max
for _title, _starts, _ends, _steps in (
    ("1:3", 1, 3, 1), ("-2:", -2, _TO_END, 1), (":-1", 0, -1, 1), ("::2", 0, _TO_END, 2), ("::-1", -1, -_TO_END, -1),
    ("3:0:-1", 3, 0, -1), ("-1:-4:-2", -1, -4, -2), ("1:1", 1, 1, 1),
):
    case(
        f"Slice {_title}", "z = Slice(x0, s, e, a, t)", "m n",
        constants={"s": [_starts], "e": [_ends], "a": [0], "t": [_steps]})
case("Slice of two axes", "z = Slice(x0, s, e, a)", "m n", constants={"s": [1, 0], "e": [_TO_END, -1], "a": [1, 0]})
case("Slice :n", "e = Shape(x1)\nz = Slice(x0, s, e, s)", "m n", "a", constants={"s": [0]})
case("Slice :-n", "n = Shape(x1)\ne = Neg(n)\nz = Slice(x0, s, e, s)", "m n", "a", constants={"s": [0]})
case("Slice n:", "s = Shape(x1)\nz = Slice(x0, s, e, a)", "m n", "a", constants={"e": [_TO_END], "a": [0]})
case("Slice -n:", "n = Shape(x1)\ns = Neg(n)\nz = Slice(x0, s, e, a)", "m n", "a", constants={"e": [_TO_END], "a": [0]})
case(
    "Slice n-1:", "n = Shape(x1)\ns = Sub(n, o)\nz = Slice(x0, s, e, a)", "m n", "a",
    constants={"o": [1], "e": [_TO_END], "a": [0]})
case(
    "Slice m-n:m", "m = Shape<start=0, end=1>(x0)\nn = Shape(x1)\ns = Sub(m, n)\nz = Slice(x0, s, m, a)", "m n", "a",
    constants={"a": [0]})
case(
    "Slice n::-1", "s = Shape(x1)\nz = Slice(x0, s, e, a, t)", "m n", "a",
    constants={"e": [-_TO_END], "a": [0], "t": [-1]})
case("Concat of two, axis 0", "z = Concat<axis=0>(x0, x1)", "a n", "b n", why=JOINS)
case("Concat of three, axis -1", "z = Concat<axis=-1>(x0, x1, x2)", "m a", "m b", "m c", why=JOINS)
case("Concat of three, axis 1", "z = Concat<axis=1>(x0, x1, x2)", "m a n", "m b n", "m c n", why=JOINS)
case("Concat with a constant", "z = Concat<axis=0>(x0, w)", "m 3", constants={"w": weights(2, 3)}, why=JOINS)
case("CenterCropPad", "z = CenterCropPad(x0, s)", "m n", constants={"s": [3, 2]}, why=NOT_THERE)
case("CenterCropPad to a shape", "s = Shape(x1)\nz = CenterCropPad<axes=[1]>(x0, s)", "m n", "a", why=NOT_THERE)
for _mode in ("constant", "reflect", "edge", "wrap"):
    case(f"Pad, {_mode}", f'z = Pad<mode="{_mode}">(x0, p)', "m n", constants={"p": [1, 2, 0, 1]}, opset=19)
case("Pad, negative", "z = Pad(x0, p)", "m n", constants={"p": [-1, 2, 0, -2]})
case("Pad of an axis", "z = Pad(x0, p, , a)", "m n", constants={"p": [2, 1], "a": [1]})
case("Pad by a size", "n = Shape(x1)\np = Concat<axis=0>(n, n)\nz = Pad(x0, p)", "m", "a")
case("SpaceToDepth", "z = SpaceToDepth<blocksize=2>(x0)", "n c 2*h 2*w")
case("DepthToSpace", "z = DepthToSpace<blocksize=2>(x0)", "n =8 h w")
case("DepthToSpace, CRD", 'z = DepthToSpace<blocksize=2, mode="CRD">(x0)', "n =8 h w")
case("ConstantOfShape", "s = Shape(x0)\nz = ConstantOfShape(s)", "a b c")
case("EyeLike", "z = EyeLike<k=1>(x0)", "m n")
case("Trilu", "z = Trilu<upper=0>(x0)", "a m n")
case("Trilu, above", "z = Trilu<upper=1>(x0, k)", "m n", constants={"k": np.int64(1)})
case("Range", "s = Shape(x0)\nn = Squeeze(s)\nz = Range(o, n, i)", "n", constants={"o": np.int64(0), "i": np.int64(1)})
case(
    "Range in twos", "s = Shape(x0)\nn = Squeeze(s)\nz = Range(o, n, i)", "n",
    constants={"o": np.int64(1), "i": np.int64(2)})
case(
    "Range downward", "s = Shape(x0)\nn = Squeeze(s)\nz = Range(n, o, i)", "n",
    constants={"o": np.int64(0), "i": np.int64(-1)})

# Selection

case("Gather by constants", "z = Gather(x0, i)", "3 n", constants={"i": [0, -1, 2]})
case("Gather", "z = Gather(x0, x1)", "m n", "int64: a b", values={"x1": positions(0, 0)})
case("Gather, axis 1", "z = Gather<axis=1>(x0, x1)", "m n", "int64: a", values={"x1": positions(0, 1)})
case("Gather of a place", "z = Gather<axis=1>(x0, x1)", "m n", "int64:", values={"x1": positions(0, 1)})
case("GatherElements", "z = GatherElements<axis=0>(x0, x1)", "m n", "int64: a n", values={"x1": positions(0, 0)})
case("GatherElements, axis 1", "z = GatherElements<axis=1>(x0, x1)", "m n", "int64: m a", values={"x1": positions(0, 1)})
case(
    "GatherND", "z = GatherND(x0, x1)", "m n", "int64: a =1", values={"x1": positions(0, 0)},
    undefined=lambda shapes: shapes[0][0] == 0)
case(
    "GatherND, a batch", "z = GatherND<batch_dims=1>(x0, x1)", "b m n", "int64: b =1", values={"x1": positions(0, 1)},
    why="onnxruntime does not compare the batches", undefined=lambda shapes: shapes[0][1] == 0,
    departs="the reference neither shapes nor compares what is empty",
    fits=lambda shapes: shapes[0][0] == shapes[1][0] if is_empty(shapes) else None)
case(
    "ScatterElements", "z = ScatterElements<axis=0>(x0, x1, x2)", "m n", "int64: 1 n", "1 n",
    values={"x1": positions(0, 0)})
case(
    "ScatterElements, added", 'z = ScatterElements<axis=1, reduction="add">(x0, x1, x2)', "m n", "int64: m a", "m a",
    values={"x1": positions(0, 1)})
case("ScatterND", "z = ScatterND(x0, x1, x2)", "m n", "int64: 1 =1", "1 n", values={"x1": positions(0, 0)})
case(
    "ScatterND, added", 'z = ScatterND<reduction="add">(x0, x1, x2)', "m n", "int64: a =1", "a n",
    values={"x1": positions(0, 0)})
case("TopK", "z, y = TopK(x0, k)", "m 4", constants={"k": [3]}, outputs=("z", "y"))
case("TopK, a computed count", "k = Shape(x1)\nz, y = TopK<axis=0>(x0, k)", "4 n", "a", outputs=("z", "y"))
case("ArgMax", "z = ArgMax<axis=1>(x0)", "m n")
case("ArgMax, axis dropped", "z = ArgMax<axis=0, keepdims=0, select_last_index=1>(x0)", "m n")
case(
    "OneHot", "z = OneHot(x0, d, v)", "int64: m n",
    constants={"d": np.int64(3), "v": np.float32([0.5, 2])}, values={"x0": within(-4, 4)})
case(
    "OneHot, a computed depth", "s = Shape(x1)\nz = OneHot<axis=0>(x0, s, v)", "int64: n", "a",
    constants={"v": np.float32([0, 1])}, values={"x0": within(-4, 4)}, undefined=lambda shapes: shapes[1] == [0])
case("NonZero", "z = NonZero(x0)", "bool: m n")
case(
    "Compress", "z = Compress<axis=0>(x0, x1)", "m n", "bool: m", departs=CONDITIONS,
    fits=lambda shapes: False if shapes[1][0] > shapes[0][0] else None)
case(
    "Compress of all elements", "z = Compress(x0, x1)", "m n", "bool: a", departs=CONDITIONS,
    fits=lambda shapes: False if shapes[1][0] > shapes[0][0] * shapes[0][1] else None)
case(
    "Unique", "z, i, j, c = Unique(x0)", "int64: n", outputs=("z", "i", "j", "c"), values={"x0": within(0, 3)})
case("Unique rows", "z = Unique<axis=0>(x0)", "int64: m n", values={"x0": within(0, 2)})
case(
    "NonMaxSuppression", "z = NonMaxSuppression(x0, x1, c, o, s)", "b n =4", "b c n",
    constants={"c": np.int64(2), "o": np.float32(0.5), "s": np.float32(0.2)},
    values={"x0": within(0.0, 1.0), "x1": within(0.0, 1.0)})
case(
    "ReverseSequence", "z = ReverseSequence<time_axis=0, batch_axis=1>(x0, x1)", "t b n", "int64: b",
    values={"x1": lengths(0, 0)})

# Reductions

for _name in ("ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean", "ReduceProd", "ReduceLogSumExp", "ReduceL2"):
    _undefined = is_empty if _name == "ReduceMean" else lambda shapes: False
    case(f"{_name}", f"z = {_name}(x0, a)", "m n", constants={"a": [1]}, opset=20, undefined=_undefined)
    case(
        f"{_name}, axis dropped", f"z = {_name}<keepdims=0>(x0, a)", "m n p", constants={"a": [0, 2]}, opset=20,
        undefined=_undefined)
case("ReduceSum of all", "z = ReduceSum<keepdims=0>(x0)", "m n")
case(
    "ReduceSum of no axes", "z = ReduceSum<noop_with_empty_axes=1>(x0, a)", "m n",
    constants={"a": np.zeros(0, np.int64)})
case("ReduceMax of all", "z = ReduceMax(x0, a)", "m n", constants={"a": np.zeros(0, np.int64)}, opset=20)
case("CumSum", "z = CumSum(x0, a)", "m n", constants={"a": np.int64(0)})
case("CumSum, exclusive and reverse", "z = CumSum<exclusive=1, reverse=1>(x0, a)", "m n", constants={"a": np.int64(-1)})
for _name in ("Softmax", "LogSoftmax", "Hardmax"):
    case(_name, f"z = {_name}(x0)", "a m n")
    case(f"{_name}, axis 1", f"z = {_name}<axis=1>(x0)", "a m n")
case("Softmax, opset 11", "z = Softmax<axis=1>(x0)", "a m n", opset=11)
case("Det", "z = Det(x0)", "b =3 =3")
case("DFT", "z = DFT(x0, , a)", "b n =1", constants={"a": np.int64(1)}, opset=20)
case("DFT, one side", "z = DFT<onesided=1>(x0, , a)", "b n =1", constants={"a": np.int64(1)}, opset=20)
case("DFT of a length", "z = DFT(x0, l, a)", "b n =2", constants={"a": np.int64(1), "l": np.int64(4)}, opset=20)
case("STFT", "z = STFT(x0, t, w)", "b 4+n 1", constants={"t": np.int64(2), "w": weights(4)})
case("Col2Im", "z = Col2Im(x0, i, k)", "n 4*c 4", constants={"i": [3, 3], "k": [2, 2]})

# Images

for _name in ("MaxPool", "AveragePool"):
    for _title, _options in (
        ("", "kernel_shape=[2, 2]"), (", padded steps", "kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]"),
        (", ceiling", "kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1"),
    ):
        case(f"{_name}{_title}", f"z = {_name}<{_options}>(x0)", "n c h w", undefined=has_no_image, opset=19)
for _title, _call, _image in (
    ("MaxPool 1d", "MaxPool<kernel_shape=[2]>", "n c w"), ("MaxPool 3d", "MaxPool<kernel_shape=[2, 1, 2]>", "n c d h w"),
    ("AveragePool, padding counted", "AveragePool<kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1>", "n c h w"),
    ("LpPool", "LpPool<kernel_shape=[2, 2], p=2>", "n c h w"), ("GlobalAveragePool", "GlobalAveragePool", "n c h w"),
    ("GlobalMaxPool", "GlobalMaxPool", "n c h w"), ("GlobalLpPool", "GlobalLpPool", "n c h w"),
    ("GlobalLpPool, p 1", "GlobalLpPool<p=1>", "n c h w"), ("GlobalLpPool, p 3", "GlobalLpPool<p=3>", "n c d h w"),
):
    case(_title, f"z = {_call}(x0)", _image, undefined=has_no_image)
case(
    "MaxPool with indices", "z, i = MaxPool<kernel_shape=[2, 2], strides=[1, 1]>(x0)", "n c h w", outputs=("z", "i"),
    undefined=has_no_image)
case(
    "MaxUnpool", "z = MaxUnpool<kernel_shape=[2, 2], strides=[2, 2]>(x0, x1)", "n c h w", "int64: n c h w",
    values={"x1": lambda generator, shape, shapes: np.arange(np.prod(shape)).reshape(shape)})
case("Resize to sizes", "z = Resize(x0, , , s)", "1 2 h w", constants={"s": [1, 2, 3, 5]})
case(
    "Resize to a shape", 's = Shape(x1)\nz = Resize<mode="linear", axes=[2, 3]>(x0, , , s)', "n c h w", "a b")
for _mode in ("nearest", "linear", "cubic"):
    case(
        f"Resize by scales, {_mode}", f'z = Resize<mode="{_mode}">(x0, , s)', "n c h w",
        constants={"s": np.float32([1, 1, 2, 1.5])})
case(
    "Resize by scales, aligned", 'z = Resize<mode="linear", coordinate_transformation_mode="align_corners">(x0, , s)',
    "n c h w", constants={"s": np.float32([1, 1, 2, 0.6])},
    why="onnxruntime takes the whole length where the official suite has the exact one")
case("Upsample", "z = Upsample(x0, s)", "n c h w", constants={"s": np.float32([1, 1, 2, 3])}, opset=9)
case(
    "RoiAlign", "z = RoiAlign<output_height=2, output_width=2, sampling_ratio=2>(x0, x1, x2)",
    "n c h w", "r 4", "int64: r", values={"x1": within(0.0, 3.0), "x2": positions(0, 0, backward=False)})


def _regions(generator, shape, shapes):
    """Images' numbers and corners of regions, whose scaled places are no halves."""
    numbers = generator.integers(0, max(shapes[0][0], 1), shape[:1])[:, None]
    return np.concatenate([numbers, generator.integers(-2, 9, (*shape[:1], max(shape[1] - 1, 0))) + 0.1], axis=1)[:, :shape[1]]


for _scale in (1.0, 0.5):
    case(
        f"MaxRoiPool, scale {_scale}", f"z = MaxRoiPool<pooled_shape=[2, 3], spatial_scale={_scale}>(x0, x1)", "n c h w", "r 5",
        values={"x1": _regions}, undefined=lambda shapes: is_empty(shapes) or shapes[1][1] != 5)
case("GridSample", "z = GridSample(x0, x1)", "n c h w", "n p q =2", opset=20)
case(
    "GridSample, nearest and border", 'z = GridSample<mode="nearest", padding_mode="border">(x0, x1)', "n c h w", "n p q =2",
    opset=20)
case("GridSample 3d", "z = GridSample(x0, x1)", "n c d h w", "n p q r =3", opset=20)
case("AffineGrid", "z = AffineGrid(x0, s)", "2 =2 =3", constants={"s": [2, 1, 3, 4]}, opset=20)
case(
    "AffineGrid of a shape", "s = Shape(x1)\nz = AffineGrid<align_corners=1>(x0, s)", "n =2 =3", "n c h w", opset=20,
    undefined=lambda shapes: 1 in shapes[1][2:])

# Losses


def has_targets(scores, targets, weights=None):
    """Whether there is a target for each sample, and a weight for each class."""
    return targets == scores[:1] + scores[2:] and weights in (None, scores[1:2])


for _name in ("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"):
    _target = {"x1": positions(0, 1, backward=False)}
    _departs = dict(
        departs="onnxruntime does not compare samples with targets, nor classes with weights, and refuses images of none",
        fits=lambda shapes: (shapes[0][0] > 0 and is_empty(shapes) or None) if has_targets(*shapes) else False)
    case(_name, f"z = {_name}(x0, x1)", "n c", "int64: n", values=_target, undefined=is_empty, **_departs)
    case(
        f"{_name}, weighted", f"z = {_name}(x0, x1, x2)", "n c", "int64: n", "c", values=_target | {"x2": within(0.5, 1.5)},
        undefined=is_empty, **_departs)
    case(
        f"{_name} of images", f'z = {_name}<reduction="none">(x0, x1)', "n c h w", "int64: n h w", values=_target,
        undefined=lambda shapes: shapes[0][1] == 0, **_departs)

# Quantization

_SCALE = within(0.05, 0.5)
case("QuantizeLinear", "z = QuantizeLinear(x0, x1, x2)", "m n", "", "uint8:", values={"x1": _SCALE})
case(
    "QuantizeLinear of an axis", "z = QuantizeLinear<axis=1>(x0, x1, x2)", "n c h", "c", "int8: c",
    values={"x1": _SCALE})
case(
    "QuantizeLinear in blocks", "z = QuantizeLinear<axis=0, block_size=2>(x0, x1, x2)", "2*m n", "m n", "uint8: m n",
    values={"x1": _SCALE}, opset=21)
case("DequantizeLinear", "z = DequantizeLinear(x0, x1, x2)", "uint8: m n", "", "uint8:", values={"x1": _SCALE})
case(
    "DequantizeLinear of an axis", "z = DequantizeLinear<axis=1>(x0, x1, x2)", "int8: n c h", "c", "int8: c",
    values={"x1": _SCALE})
case(
    "DequantizeLinear in blocks", "z = DequantizeLinear<axis=0, block_size=2>(x0, x1, x2)", "uint8: 2*m n", "m n", "uint8: m n",
    values={"x1": _SCALE}, opset=21)
case(
    "DynamicQuantizeLinear", "z, s, p = DynamicQuantizeLinear(x0)", "m n", outputs=("z", "s", "p"), undefined=is_empty)

# Sequences of steps

for _name, _gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
    # Of no steps onnxruntime leaves the final states unset.
    _options = dict(outputs=("z", "y", "c") if _name == "LSTM" else ("z", "y"), undefined=lambda shapes: shapes[0][0] == 0)
    _cell = ", x5" if _name == "LSTM" else ""
    _final = ", y, c" if _name == "LSTM" else ", y"
    case(
        _name, f"z{_final} = {_name}<hidden_size=2>(x0, w, r)", "t b 3", **_options,
        constants={"w": weights(1, 2 * _gates, 3), "r": weights(1, 2 * _gates, 2)})
    case(
        f"{_name}, initial states", f"z{_final} = {_name}<hidden_size=2>(x0, w, r, b, , x1{', x2' if _cell else ''})", "t b 3",
        "1 b 2", *(["1 b 2"] if _cell else []), **_options,
        constants={"w": weights(1, 2 * _gates, 3), "r": weights(1, 2 * _gates, 2), "b": weights(1, 4 * _gates)})
    case(
        f"{_name}, lengths", f"z{_final} = {_name}<hidden_size=2>(x0, w, r, , x1)", "t b 3", "int32: b", **_options,
        constants={"w": weights(1, 2 * _gates, 3), "r": weights(1, 2 * _gates, 2)},
        values={"x1": lengths(0, 0)})
    case(
        f"{_name}, computed weights", f"z{_final} = {_name}<hidden_size=2>(x0, x1, x2, x3, , x4{_cell})", "t b i",
        f"=1 ={2 * _gates} i", f"=1 ={2 * _gates} =2", f"1 {4 * _gates}", "1 b 2", *(["1 b 2"] if _cell else []), **_options)
    case(
        f"{_name}, both directions",
        f'z{_final} = {_name}<hidden_size=2, direction="bidirectional">(x0, w, r, , , x1{", x2" if _cell else ""})', "t b 3",
        "2 b 2", *(["2 b 2"] if _cell else []), **_options,
        constants={"w": weights(2, 2 * _gates, 3), "r": weights(2, 2 * _gates, 2)})

# Attention


def has_positions(heads, cosines, sines, places):
    """Whether there is a position for each element of the sequences, and a cosine and a sine of half of a head for each."""
    return cosines == sines and cosines[1] * 2 == heads[3] and places == [heads[0], heads[2]]


def broadcasts(shapes):
    """True for a mask of one row for all queries, or of fewer numbers than there are keys (which masks the rest), where all fits."""
    queries, keys, values, mask = shapes
    rows = [queries[0], queries[1], queries[2]][4 - len(mask):]
    fits = queries[:2] == keys[:2] == values[:2] and keys[2] == values[2] and queries[3] == keys[3]
    fits = fits and all(size in (1, row) for size, row in zip(mask, rows)) and mask[-1] <= keys[2] and 0 not in queries
    return True if fits and (mask[-2] != queries[2] or mask[-1] != keys[2]) else None


_HEADS = ["b =2 q =3", "b =2 k =3", "b =2 k =3"]
case("Attention", "z = Attention(x0, x1, x2)", *_HEADS, opset=23)
case("Attention, causal", "z = Attention<is_causal=1>(x0, x1, x2)", *_HEADS, opset=23)
_departs = dict(
    departs="onnxruntime refuses masks that end before the keys, or are the same for all queries", fits=broadcasts)
case("Attention with a mask", "z = Attention(x0, x1, x2, x3)", *_HEADS, "q k", opset=23, **_departs)
case("Attention with a mask of batches", "z = Attention(x0, x1, x2, x3)", *_HEADS, "bool: b 1 q k", opset=23, **_departs)
case("Attention, groups of heads", "z = Attention(x0, x1, x2)", "b =4 q =3", "b =2 k =3", "b =2 k =2", opset=23)
case(
    "Attention, heads in a row", "z = Attention<q_num_heads=2, kv_num_heads=2>(x0, x1, x2)", "b q =6", "b k =6", "b k =4",
    opset=23)
case(
    "Attention with a past", "z, k, v = Attention(x0, x1, x2, , x3, x4)", *_HEADS, "b =2 p =3", "b =2 p =3",
    outputs=("z", "k", "v"), opset=23)
case("RotaryEmbedding", "z = RotaryEmbedding(x0, x1, x2)", "b h s =4", "b s 2", "b s 2", opset=23)
case(
    "RotaryEmbedding, positions", "z = RotaryEmbedding(x0, x1, x2, x3)", "b h s =4", "p 2", "p 2", "int64: b s",
    values={"x3": positions(1, 0, backward=False)}, opset=23,
    undefined=lambda shapes: shapes[1][0] == 0 and not is_empty(shapes[3:]),
    departs="onnxruntime refuses sequences longer than the tables, whatever their positions",
    fits=lambda shapes: True if shapes[1][0] < shapes[0][2] and has_positions(*shapes) else None)

# Graphs inside

case(
    "If over a size", """
    n = Shape(x1)
    s = Squeeze(n)
    c = Equal(s, two)
    z = If(c)<then_branch = yes () => (a) { a = Neg(x0) }, else_branch = no () => (b) { b = Add(x0, x0) }>
    """, "m n", "a", constants={"two": np.int64(2)})
case(
    "If over a value", """
    z = If(x1)<then_branch = yes () => (a) { a = Add(x0, x2) }, else_branch = no () => (b) { b = Mul(x0, x2) }>
    """, "m n", "bool:", "m n")
case(
    "Loop, as often as a size says", """
    s = Shape(x1)
    n = Squeeze(s)
    z = Loop(n, go, x0)<body = turn (int64 i, bool c, float[p, q] v) => (d, w) { d = Identity(c) u = Neg(v) w = Exp(u) }>
    """, "m n", "a", constants={"go": np.bool_(True)})
case(
    "Loop, sums of rows", """
    s = Shape<start=0, end=1>(x0)
    n = Squeeze(s)
    y, z = Loop(n, go, zero)<body = turn (int64 i, bool c, float v) => (d, w, u) {
      d = Identity(c)
      u = Gather(x0, i)
      r = ReduceSum<keepdims=0>(u)
      w = Add(v, r)
    }>
    """, "t n", outputs=("y", "z"), constants={"go": np.bool_(True), "zero": np.float32(0)}, undefined=has_no_steps)
case(
    "Loop, a state added to", """
    s = Shape<start=0, end=1>(x0)
    n = Squeeze(s)
    y, z = Loop(n, go, x1)<body = turn (int64 i, bool c, float[p] v) => (d, w, u) {
      d = Identity(c)
      r = Gather(x0, i)
      w = Add(v, r)
      u = Identity(w)
    }>
    """, "t n", "n", outputs=("y", "z"), constants={"go": np.bool_(True)})
case(
    "Scan", """
    y, z = Scan<num_scan_inputs=1, body = turn (float v, float[p] x) => (w, u) {
      r = ReduceSum<keepdims=0>(x)
      w = Add(v, r)
      u = Mul(x, w)
    }>(x0, x1)
    """, "", "t n", outputs=("y", "z"), undefined=has_no_steps)
case(
    "Scan of two", """
    y, z = Scan<num_scan_inputs=2, body = turn (float v, float[p] x, float[p] a) => (w, u) {
      u = Mul(x, a)
      r = ReduceSum<keepdims=0>(u)
      w = Add(v, r)
    }>(x0, x1, x2)
    """, "", "t n", "t n", outputs=("y", "z"), undefined=has_no_steps)
case(
    "Scan, a state added to", """
    y, z = Scan<num_scan_inputs=1, body = turn (float[p] v, float[p] x) => (w, u) {
      w = Add(v, x)
      u = Mul(w, x)
    }>(x0, x1)
    """, "n", "t n", outputs=("y", "z"), undefined=lambda shapes: shapes[1][0] == 0)
