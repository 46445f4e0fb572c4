"""Models of versions of operators that the tests of ONNX's suite cannot be rewritten to, for `versions.py`."""

from dataclasses import dataclass, field

import numpy as np

# The names that inputs had as attributes once: by operator and input.
RENAMED = {
    ("Pad", "pads"): ("paddings",), ("Pad", "constant_value"): ("value",), ("TopK", "K"): ("k",),
}

# Versions that have no model here, and why.
UNTRIED = {}


@dataclass
class Case:
    inputs: list
    attributes: dict = field(default_factory=dict)
    expected: list | None = None
    name: str = ""
    constants: tuple = ()
    outputs: int = 1
    result: int = 0


def ramp(*shape):
    return (np.arange(np.prod(shape), dtype=np.float32) - 3).reshape(shape) / 2


A, B, ROW = ramp(2, 3, 4), ramp(2, 3, 4)[::-1].copy(), np.array([1, 2, 4], np.float32)
MIDDLE = ROW.reshape(1, 3, 1)
TRUE = np.array([[True, False, True], [False, False, True]])


def broadcasting(function, a=A, row=ROW, middle=MIDDLE, result=0, **attributes):
    """The forms of opsets before 7: equal shapes, and a smaller right side whose first axis is told, or which stands at the end."""
    last = a[0, 0] if a.ndim == 3 else a[0]
    return [
        Case([a, a[::-1].copy()], dict(attributes), [function(a, a[::-1])], result=result),
        Case([a, row], {"broadcast": 1, "axis": 1, **attributes}, [function(a, middle)], "axis", result=result),
        Case([a, last], {"broadcast": 1, **attributes}, [function(a, last)], "suffix", result=result),
    ]


def _div(a, b):
    with np.errstate(all="ignore"):
        return (a / b).astype(a.dtype)


P = np.abs(A) + 1
T3 = np.stack([TRUE, ~TRUE])
CASES = {}
for since in (1, 6):
    extra = {"consumed_inputs": [0, 0]} if since == 1 else {}
    CASES["Add", since] = broadcasting(np.add, **extra)
    CASES["Sub", since] = broadcasting(np.subtract, **extra)
    CASES["Mul", since] = broadcasting(np.multiply, **extra)
    CASES["Div", since] = broadcasting(_div, a=P, **extra)
CASES["Pow", 1] = broadcasting(np.power, a=P)
for name, function in (("Greater", np.greater), ("Less", np.less)):
    CASES[name, 1] = broadcasting(function, result=9)
CASES["Equal", 1] = broadcasting(np.equal, a=A.astype(np.int32), row=ROW.astype(np.int32), middle=MIDDLE.astype(np.int32), result=9)
for name, function in (("And", np.logical_and), ("Or", np.logical_or), ("Xor", np.logical_xor)):
    CASES[name, 1] = broadcasting(function, a=T3, row=np.array([True, False]), middle=np.array([True, False]).reshape(1, 2, 1), result=9)
X2, W2 = ramp(2, 3), ramp(3, 4)
for since in (1, 6):
    CASES["Gemm", since] = [
        Case([X2, W2, ramp(2, 4)], {}, [X2 @ W2 + ramp(2, 4)]),
        Case([X2, W2, ramp(4)], {"broadcast": 1, "alpha": 0.5, "beta": 2.0}, [0.5 * (X2 @ W2) + 2 * ramp(4)], "broadcast"),
    ]
IMAGE = ramp(2, 3, 2, 2)
SCALE, BIAS, MEAN, VAR = (np.array(v, np.float32) for v in ([1, 2, 3], [0.5, 0, -1], [0.25, 1, 2], [1, 4, 0.5]))


def normalized(epsilon=1e-5):
    c = (1, 3, 1, 1)
    return ((IMAGE - MEAN.reshape(c)) / np.sqrt(VAR.reshape(c) + epsilon) * SCALE.reshape(c) + BIAS.reshape(c)).astype(np.float32)


def everywhere(epsilon=1e-5):
    """Statistics of each place: spatial = 0."""
    s, b, m, v = (np.broadcast_to(t.reshape(3, 1, 1), (3, 2, 2)).copy() + ramp(3, 2, 2) * k for t, k in ((SCALE, 0.5), (BIAS, 1), (MEAN, 0.25), (VAR, 0)))
    return Case([IMAGE, s, b, m, v], {"spatial": 0}, [((IMAGE - m) / np.sqrt(v + epsilon) * s + b).astype(np.float32)], "places")


for since in (1, 6, 7):
    extra = {"is_test": 1} if since < 7 else {}
    extra |= {"consumed_inputs": [0, 0, 0, 1, 1]} if since == 1 else {}
    places = everywhere()
    places.attributes |= extra
    CASES["BatchNormalization", since] = [Case([IMAGE, SCALE, BIAS, MEAN, VAR], extra, [normalized()]), places]
CASES["Cast", 1] = [Case([A], {"to": "INT32"}, [A.astype(np.int32)], result=6), Case([A], {"to": "BOOL"}, [A != 0], "bool", result=9)]
CASES["Concat", 1] = [
    Case([A, B], {}, [np.concatenate([A, B], 1)], "default axis"), Case([A, B], {"axis": 2}, [np.concatenate([A, B], 2)])]
CASES["Tile", 1] = [Case([A, np.float32(3), np.float32(1)], {}, [np.tile(A, (1, 3, 1))], constants=("x1", "x2"))]
CASES["Upsample", 1] = [Case([IMAGE], {"height_scale": 2.0, "width_scale": 3.0, "mode": "nearest"}, [IMAGE.repeat(2, 2).repeat(3, 3)])]
CASES["Upsample", 7] = [Case([IMAGE], {"scales": [1.0, 1.0, 2.0, 3.0]}, [IMAGE.repeat(2, 2).repeat(3, 3)])]
UP = np.array([1, 1, 2, 3], np.float32)
CASES["Upsample", 9] = [Case([IMAGE, UP], {}, [IMAGE.repeat(2, 2).repeat(3, 3)], constants=("x1",))]
CASES["Upsample", 10] = CASES["Upsample", 9]
CASES["Resize", 10] = [Case([IMAGE, UP], {}, [IMAGE.repeat(2, 2).repeat(3, 3)], constants=("x1",))]
CASES["Pad", 1] = [Case([X2], {"paddings": [0, 1, 2, 0], "value": 1.5}, [np.pad(X2, ((0, 2), (1, 0)), constant_values=1.5)])]
CASES["Pad", 2] = [Case([X2], {"pads": [0, 1, 2, 0], "value": 1.5}, [np.pad(X2, ((0, 2), (1, 0)), constant_values=1.5)])]
CASES["TopK", 1] = [Case([X2], {"k": 2}, [X2[:, :0:-1]])]
CASES["TopK", 10] = [Case([X2, np.array([2])], {}, [X2[:, :0:-1]], constants=("x1",))]
CASES["Reshape", 1] = [Case([A], {"shape": [0, -1]}, [A.reshape(2, 12)])]
CASES["Split", 1] = [
    Case([A], {"axis": 2, "split": [1, 3]}, [A[:, :, :1], A[:, :, 1:]], outputs=2),
    Case([A], {"axis": 2}, [A[:, :, :2], A[:, :, 2:]], "equal parts", outputs=2)]
CASES["Split", 2] = CASES["Split", 1]


def flattened(function):
    return lambda x, axis: function(x.reshape(int(np.prod(x.shape[:axis])), -1)).reshape(x.shape)


def _softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return (e / e.sum(1, keepdims=True)).astype(np.float32)


def _hardmax(x):
    return (np.arange(x.shape[1]) == x.argmax(1, keepdims=True)).astype(np.float32)


for name, function in (("Softmax", _softmax), ("LogSoftmax", lambda x: np.log(_softmax(x))), ("Hardmax", _hardmax)):
    for since in (1, 11):
        CASES[name, since] = [
            Case([A], {}, [flattened(function)(A, 1)], "default axis"), Case([A], {"axis": 2}, [flattened(function)(A, 2)], "axis 2"),
            Case([A], {"axis": 0}, [flattened(function)(A, 0)], "axis 0")]
INDICES = np.array([[1, 0, 1, 0]] * 2)
for name, since in (("Scatter", 9), ("Scatter", 11)):
    scattered = X2.copy()
    scattered[1, 0], scattered[0, 1], scattered[1, 2] = 10, 11, 12
    CASES[name, since] = [Case([X2, np.array([[1, 0, 1]]), np.array([[10, 11, 12]], np.float32)], {}, [scattered])]
CASES["Dropout", 1] = [Case([A], {"is_test": 1, "consumed_inputs": [0]}, [A])]
CASES["Dropout", 6] = [Case([A], {"is_test": 1}, [A])]
CASES["Dropout", 7] = [Case([A], {}, [A])]
CASES["Dropout", 10] = [Case([A], {}, [A])]
CASES["Clip", 1] = [Case([A], {"min": -1.0, "max": 2.0, "consumed_inputs": [0]}, [A.clip(-1, 2)]), Case([A], {"max": 2.0}, [A.clip(None, 2)], "open below")]
CASES["Clip", 6] = [Case([A], {"min": -1.0, "max": 2.0}, [A.clip(-1, 2)]), Case([A], {}, [A], "open")]
CASES["PRelu", 1] = [Case([A, ROW], {"consumed_inputs": [0, 0]}, [np.where(A < 0, A * MIDDLE, A)], "channels"), Case([A, ROW[:1]], {}, [A], "one")]
CASES["PRelu", 6] = [Case([A, ROW], {}, [np.where(A < 0, A * MIDDLE, A)], "channels")]
CASES["LpPool", 1] = [Case([np.abs(IMAGE)], {"kernel_shape": [2, 1], "p": 3.0}, [((np.abs(IMAGE) ** 3).sum(2, keepdims=True) ** (1 / 3)).astype(np.float32)])]
CASES["GlobalLpPool", 1] = [Case([np.abs(IMAGE)], {"p": 3.0}, [((np.abs(IMAGE) ** 3).sum((2, 3), keepdims=True) ** (1 / 3)).astype(np.float32)])]
CASES["GlobalLpPool", 2] = [Case([np.abs(IMAGE)], {"p": 3}, [((np.abs(IMAGE) ** 3).sum((2, 3), keepdims=True) ** (1 / 3)).astype(np.float32)])]
CASES["GlobalLpPool", 22] = CASES["GlobalLpPool", 2]
FOUR = ramp(2, 4, 3)


def groups(scale, bias):
    """Two groups of two channels; scale and bias already one per channel."""
    rows = FOUR.reshape(2, 2, 6).astype(np.float64)
    rows = (rows - rows.mean(2, keepdims=True)) / np.sqrt(rows.var(2, keepdims=True) + 1e-5)
    return (rows.reshape(2, 4, 3) * scale.reshape(1, 4, 1) + bias.reshape(1, 4, 1)).astype(np.float32)


PAIR, CHANNELS = np.array([1, 3], np.float32), np.array([1, 2, 3, 4], np.float32)
CASES["GroupNormalization", 18] = [Case([FOUR, PAIR, PAIR + 1], {"num_groups": 2}, [groups(PAIR.repeat(2), PAIR.repeat(2) + 1)])]
CASES["GroupNormalization", 21] = [Case([FOUR, CHANNELS, CHANNELS + 1], {"num_groups": 2}, [groups(CHANNELS, CHANNELS + 1)])]
CASES["MeanVarianceNormalization", 13] = [
    Case([IMAGE], {"axes": [0, 2, 3]}, [((IMAGE - IMAGE.mean((0, 2, 3), keepdims=True)) / (IMAGE.std((0, 2, 3), keepdims=True) + 1e-9)).astype(np.float32)])]
CASES["MeanVarianceNormalization", 9] = CASES["MeanVarianceNormalization", 13]
CASES["Resize", 11] = [Case([IMAGE, np.zeros(0, np.float32), UP], {}, [IMAGE.repeat(2, 2).repeat(3, 3)], constants=("x1", "x2"))]
REGIONS = np.array([[0, 1, 4, 5], [2, 0, 5, 3], [1, 1, 1.5, 1.5]], np.float32)
for since in (10, 16, 22):
    CASES["RoiAlign", since] = [
        Case([ramp(2, 2, 6, 6), REGIONS, np.array([1, 0, 1])], {"output_height": 2, "output_width": 3, "mode": mode}, None, mode) for mode in ("avg", "max")]


def summing_loop():
    """A body that adds 1.5 to its carried value and gives it out."""
    from onnx import TensorProto, helper

    info = helper.make_tensor_value_info
    add = helper.make_node("Add", ["c", "step"], ["next"])
    step = helper.make_node("Constant", [], ["step"], value=helper.make_tensor("s", TensorProto.FLOAT, [2], [1.5, 1.5]))
    same, out = helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["next"], ["row"])
    return helper.make_graph(
        [step, add, same, out], "body", [info("i", TensorProto.INT64, []), info("go", TensorProto.BOOL, []), info("c", TensorProto.FLOAT, [2])],
        [info("on", TensorProto.BOOL, []), info("next", TensorProto.FLOAT, [2]), info("row", TensorProto.FLOAT, [2])])


START = np.array([1, -2], np.float32)
for since in (1, 11, 13, 16, 19, 21, 23, 24, 25):
    if since == 1:
        continue  # Add needs broadcast there, and Identity has no truth values
    CASES["Loop", since] = [
        Case([np.int64(3), np.bool_(True), START], {"body": summing_loop()}, [START + 4.5, np.stack([START + 1.5 * k for k in (1, 2, 3)])],
             constants=("x0", "x1"), outputs=2, result=1)]

SEQUENCES = "a sequence or an optional value at the border of a library, which libraries lack"
ELSEWHERE = "classical.py tries it, with the attributes that converters write"
UNTRIED |= {f"{name}-{since}": "draws random numbers" for name, versions in {
    "Bernoulli": (15, 22), "Multinomial": (7, 22), "RandomNormal": (1, 22), "RandomNormalLike": (1, 22), "RandomUniform": (1, 22),
    "RandomUniformLike": (1, 22)}.items() for since in versions}
UNTRIED |= {f"{name}-{since}": SEQUENCES for name, versions in {
    "ConcatFromSequence": (11,), "Optional": (15, 28), "SequenceAt": (11,), "SequenceConstruct": (11,), "SequenceEmpty": (11,), "SequenceErase": (11,),
    "SequenceInsert": (11,), "SequenceLength": (11,), "SequenceMap": (17,), "SplitToSequence": (11, 24)}.items() for since in versions}
UNTRIED |= {f"{name}-{since}": "text, which libraries lack" for name, since in (
    ("RegexFullMatch", 20), ("StringConcat", 20), ("StringNormalizer", 10), ("StringSplit", 20))}
UNTRIED |= {f"MaxRoiPool-{since}": "not an operator of Sinter" for since in (1, 22)}
UNTRIED |= {"Loop-1": "its bodies need broadcasting by attributes and no other operator of that opset for truth values"}
UNTRIED |= {f"ai.onnx.ml.{name}-{since}": ELSEWHERE for name, versions in {
    "CategoryMapper": (1,), "FeatureVectorizer": (1,), "Imputer": (1,), "LabelEncoder": (1, 2, 4), "LinearClassifier": (1,), "LinearRegressor": (1,),
    "Normalizer": (1,), "OneHotEncoder": (1,), "SVMClassifier": (1,), "SVMRegressor": (1,), "Scaler": (1,), "TreeEnsembleClassifier": (1, 3, 5),
    "TreeEnsembleRegressor": (1, 3, 5), "ZipMap": (1,)}.items() for since in versions}
UNTRIED |= {f"ai.onnx.ml.{name}-1": "maps, which libraries lack" for name in ("CastMap", "DictVectorizer")}
