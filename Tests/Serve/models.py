"""Small ONNX models for the tests of sinter-serve, compiled with the command that is tested."""

import subprocess

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES = {
    "BOOL": TensorProto.BOOL, "UINT8": TensorProto.UINT8, "UINT16": TensorProto.UINT16, "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64, "INT8": TensorProto.INT8, "INT16": TensorProto.INT16, "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64, "FP16": TensorProto.FLOAT16, "FP32": TensorProto.FLOAT, "FP64": TensorProto.DOUBLE,
    "BF16": TensorProto.BFLOAT16, "BYTES": TensorProto.STRING,
}


def save(path, nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(nodes, path.stem, inputs, outputs, list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def scale(path, factor):
    """y = factor * x, which tells by its answer which build it is."""
    return save(
        path, [helper.make_node("Mul", ["x", "factor"], ["y"])], [value("x", ["n", "k"])], [value("y", ["n", "k"])],
        [constant("factor", np.float32(factor))])


def types(path):
    """Each element type of the protocol, given back as it came."""
    names = [name.lower() for name in TYPES]
    return save(
        path, [helper.make_node("Identity", [name], [name + "_out"]) for name in names],
        [value(name, ["n"], TYPES[name.upper()]) for name in names],
        [value(name + "_out", ["n"], TYPES[name.upper()]) for name in names])


def network(path):
    """A convolution and two products, for any batch."""
    random = np.random.default_rng(3)
    weights = {
        "w0": random.normal(0, 0.4, (8, 1, 3, 3)), "b0": random.normal(0, 0.1, 8),
        "w1": random.normal(0, 0.1, (512, 33)), "b1": random.normal(0, 0.1, 33),
        "w2": random.normal(0, 0.3, (33, 10)), "b2": random.normal(0, 0.1, 10),
    }
    nodes = [
        helper.make_node("Conv", ["images", "w0", "b0"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "w1", "b1"], ["g"]),
        helper.make_node("Tanh", ["g"], ["t"]),
        helper.make_node("Gemm", ["t", "w2", "b2"], ["h"]),
        helper.make_node("Softmax", ["h"], ["probabilities"], axis=1),
    ]
    return save(
        path, nodes, [value("images", ["batch", 1, 8, 8])], [value("probabilities", ["batch", 10])],
        [constant(name, array.astype(np.float32)) for name, array in weights.items()])


def lengths(path):
    """Rows of any length, which no other row may change: x - mean(x) of each row."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Sub", ["x", "mean"], ["y"]),
    ]
    return save(path, nodes, [value("x", ["n", "k"])], [value("y", ["n", "k"])])


def slow(path):
    """As slow as its input says: that many turns of a loop over 4096 sines, whose last sum comes out."""
    body = helper.make_graph(
        [
            helper.make_node("Sin", ["state"], ["sine"]),
            helper.make_node("Add", ["sine", "start"], ["next"]),
            helper.make_node("Identity", ["go"], ["go_on"]),
        ], "body",
        [value("turn", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("state", [4096])],
        [value("go_on", [], TensorProto.BOOL), value("next", [4096])])
    nodes = [
        helper.make_node("Loop", ["turns", "", "start"], ["last"], body=body),
        helper.make_node("ReduceSum", ["last"], ["sum"], keepdims=0),
    ]
    return save(
        path, nodes, [value("turns", [], TensorProto.INT64)], [value("sum", [])],
        [constant("start", np.linspace(0, 1, 4096, dtype=np.float32))])


def compile(sinter, model, library):
    """Compiles beside the place and moves there, so that a server sees one library or the other."""
    library.parent.mkdir(parents=True, exist_ok=True)
    made = library.with_name("." + library.name + ".new.so")
    subprocess.run([sinter, "compile", model, "-o", made], check=True, stdout=subprocess.DEVNULL)
    made.replace(library)
