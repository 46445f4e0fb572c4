#!/usr/bin/env python3
"""Quantizes classifiers of digits, and holds the files against the ONNX checker, ONNX Runtime and the models' own accuracy.

    python test_quantize.py SINTER FOLDER     # the binary; where the demo left digits.onnx

The models are the demo's network and a small one that is trained here, with nothing but numpy.
"""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(sys.argv.pop() if len(sys.argv) > 2 else ".build/test")
SINTER = sys.argv.pop() if len(sys.argv) > 1 else ".build/debug/sinter"
DATA = Path(__file__).parents[2] / "models/digits/data"
POINTS = 0.003


def read_idx(path):
    data = path.read_bytes()
    shape = np.frombuffer(data, ">u4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def digits(part):
    images = read_idx(DATA / f"{part}-images-idx3-ubyte")[:, None] / np.float32(16)
    return images, read_idx(DATA / f"{part}-labels-idx1-ubyte")


def windows(images):
    """The 3x3 windows of images [n, 1, 8, 8] with a border of zeros: [n, 64, 9]."""
    padded = np.pad(images[:, 0], ((0, 0), (1, 1), (1, 1)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return views.reshape(len(images), 64, 9)


def train(images, labels):
    """Weights of convolution, relu, mean pool 2x2, product: found by gradient descent with momentum."""
    rng = np.random.default_rng(5)
    w = {
        "conv.w": rng.standard_normal((16, 9)) * 0.3, "conv.b": np.zeros(16),
        "fc.w": rng.standard_normal((256, 10)) * 0.06, "fc.b": np.zeros(10),
    }
    speed = {name: np.zeros_like(value) for name, value in w.items()}
    patches = windows(images).astype(np.float64)
    for step in range(1500):
        rows = rng.integers(0, len(images), 64)
        x = patches[rows]
        z = x @ w["conv.w"].T + w["conv.b"]  # [n, 64, 16]
        active = np.maximum(z, 0)
        pooled = active.reshape(64, 4, 2, 4, 2, 16).mean((2, 4)).transpose(0, 3, 1, 2).reshape(64, 256)
        scores = pooled @ w["fc.w"] + w["fc.b"]
        chances = np.exp(scores - scores.max(1, keepdims=True))
        chances /= chances.sum(1, keepdims=True)
        chances[np.arange(64), labels[rows]] -= 1
        back = (chances / 64 @ w["fc.w"].T).reshape(64, 16, 4, 4).transpose(0, 2, 3, 1)
        back = np.repeat(np.repeat(back, 2, 1), 2, 2).reshape(64, 64, 16) / 4 * (z > 0)
        slopes = {
            "fc.w": pooled.T @ chances / 64, "fc.b": chances.mean(0),
            "conv.w": np.einsum("npc,npk->ck", back, x), "conv.b": back.sum((0, 1)),
        }
        for name in w:
            speed[name] = 0.9 * speed[name] - 0.2 * slopes[name]
            w[name] += speed[name]
    return {name: value.astype(np.float32) for name, value in w.items()}


def small_model(path):
    w = train(*digits("train"))
    w["conv.w"] = w["conv.w"].reshape(16, 1, 3, 3)
    nodes = [
        helper.make_node("Conv", ["image", "conv.w", "conv.b"], ["z"], "conv", pads=[1, 1, 1, 1], doc_string="finds edges"),
        helper.make_node("Relu", ["z"], ["active"], "relu"),
        helper.make_node("AveragePool", ["active"], ["pooled"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["pooled"], ["flat"], "flatten"),
        helper.make_node("Gemm", ["flat", "fc.w", "fc.b"], ["scores"], "fc"),
    ]
    graph = helper.make_graph(
        nodes, "small", [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(value, name) for name, value in w.items()], "a small graph")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, doc_string="a small model")
    helper.set_model_props(model, {"license": "free"})
    onnx.save(model, path)


def session(path, optimized=None):
    """The file in ONNX Runtime; its optimized form is left at `optimized`.

    On x86 processors without VNNI, sums of two products of 8 bits overflow 16 there, unless it is asked for precision.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.x64quantprecision", "1")
    if optimized:
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Quantized(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = Path(cls.folder.name)
        small_model(cls.path / "small.onnx")
        cls.models = {"small": cls.path / "small.onnx", "digits": FOLDER / "digits.onnx"}
        images, _ = digits("train")
        np.savez(cls.path / "samples.npz", image=images[:200])
        cls.images, cls.labels = digits("heldout")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def quantize(self, model, *options, data=True):
        path = self.path / "quantized.onnx"
        given = ["--data", str(self.path / "samples.npz")] if data else []
        command = [SINTER, "quantize", str(model), *given, "-o", str(path), "--report", str(self.path / "report.json"), *options]
        result = subprocess.run(command, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.report = json.loads((self.path / "report.json").read_text())
        onnx.checker.check_model(str(path), full_check=True)
        return path

    def scores(self, path, optimized=None):
        return session(path, optimized).run(None, {"image": self.images})[0]

    def accuracy(self, path):
        return (self.scores(path).argmax(1) == self.labels).mean()

    def test_accuracy_stays(self):
        ways = [[], ["--per-tensor"], ["--symmetric"], ["--results", "all"], ["--results", "none"]]
        ways += [["--method", method] for method in ("percentile", "entropy", "mse")]
        for name, model in self.models.items():
            own = self.accuracy(model)
            self.assertGreaterEqual(own, 0.95, name)
            for way in ways:
                with self.subTest(model=name, way=way):
                    path = self.quantize(model, *way)
                    self.assertGreaterEqual(self.accuracy(path), own - POINTS)
                    # What Sinter measured on training data is what onnxruntime differs by on the held-out.
                    ours, theirs = self.scores(model), self.scores(path)
                    loss = np.sqrt(((ours - theirs) ** 2).mean() / (ours ** 2).mean())
                    self.assertLess(loss, 2 * self.report["loss"])
                    self.assertGreater(loss, self.report["loss"] / 3)

    def test_weights_of_four_bits(self):
        for name, model in self.models.items():
            for form in ("qdq", "matmulnbits"):
                with self.subTest(model=name, form=form):
                    path = self.quantize(model, "--weights", "int4", "--format", form, data=False)
                    ours, theirs = self.scores(model), self.scores(path)
                    self.assertLess(np.sqrt(((ours - theirs) ** 2).mean() / (ours ** 2).mean()), 0.1)
                    self.assertGreaterEqual(self.accuracy(path), self.accuracy(model) - 2 * POINTS)

    def test_onnxruntime_computes_in_bytes(self):
        for name, convolutions in (("small", 1), ("digits", 3)):
            optimized = self.path / "optimized.onnx"
            self.scores(self.quantize(self.models[name]), optimized)
            operators = [node.op_type for node in onnx.load(optimized).graph.node]
            self.assertEqual(operators.count("QLinearConv"), convolutions, operators)
            self.assertEqual([kind for kind in operators if kind in ("Conv", "FusedConv")], [])

    def test_channels_have_scales_of_their_own(self):
        model = onnx.load(self.models["small"])
        weights = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        quantized = onnx.load(self.quantize(self.models["small"]))
        found = {t.name: numpy_helper.to_array(t) for t in quantized.graph.initializer}
        for name, axes in (("conv.w", (1, 2, 3)), ("fc.w", (0,))):
            scales = np.abs(weights[name]).max(axes) / np.float32(127)
            np.testing.assert_array_equal(found[f"{name}_scale"], scales)
            shape = [-1 if axis not in axes else 1 for axis in range(weights[name].ndim)]
            expected = np.rint(weights[name] / scales.reshape(shape)).astype(np.int8)
            np.testing.assert_array_equal(found[f"{name}_quantized"], expected)
            bias = name.replace(".w", ".b")
            source = "image" if name == "conv.w" else "flat"
            np.testing.assert_array_equal(found[f"{bias}_scale"], scales * found[f"{source}_scale"])
            exact = weights[bias].astype(np.float64) / found[f"{bias}_scale"].astype(np.float64)
            np.testing.assert_array_equal(found[f"{bias}_quantized"], np.rint(exact).astype(np.int32))

    def test_odd_layers_run(self):
        rng = np.random.default_rng(9)

        def layer(kind, shape, weights, bias=None, left=False, **attributes):
            return kind, shape, weights, bias, left, attributes

        layers = {
            "constant on the left": layer("MatMul", [3, 6, 2], [4, 6], left=True),
            "vector": layer("MatMul", [6], [6, 5]),
            "batch of matrices": layer("MatMul", [2, 3, 6], [2, 6, 5]),
            "transposed": layer("Gemm", [6, 3], [5, 6], [5], alpha=0.5, beta=2.0, transA=1, transB=1),
            "one number": layer("Gemm", [3, 6], [6, 5], [1]),
            "constant on the left of Gemm": layer("Gemm", [6, 3], [5, 6], [5, 1], left=True),
            "groups": layer("Conv", [2, 4, 5, 5], [6, 2, 3, 3], [6], group=2),
            "one axis, one channel a group": layer("Conv", [2, 4, 9], [4, 1, 3], group=4),
            "three axes": layer("Conv", [2, 3, 4, 5, 6], [4, 3, 2, 2, 2], [4]),
        }
        for name, (kind, shape, weights, bias, left, attributes) in layers.items():
            constants = [numpy_helper.from_array(rng.standard_normal(weights).astype(np.float32), "w")]
            if bias:
                constants.append(numpy_helper.from_array(rng.standard_normal(bias).astype(np.float32), "b"))
            inputs = (["w", "x"] if left else ["x", "w"]) + (["b"] if bias else [])
            nodes = [
                helper.make_node(kind, inputs, ["y"], "layer", **attributes), helper.make_node("Tanh", ["y"], ["z"], "tanh")]
            graph = helper.make_graph(
                nodes, "odd", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)], constants)
            path = self.path / "odd.onnx"
            onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
            samples = rng.standard_normal([4, *shape]).astype(np.float32)
            np.savez(self.path / "odd.npz", x=samples)
            for way in ([], ["--per-tensor"], ["--symmetric"], ["--results", "all"]):
                with self.subTest(layer=name, way=way):
                    data = ["--data", str(self.path / "odd.npz")]
                    quantized = self.quantize(path, *data, *way, data=False)
                    results = []
                    for file in (path, quantized):
                        runs = session(file)
                        results.append(np.stack([runs.run(None, {"x": sample})[0] for sample in samples]))
                    loss = np.sqrt(((results[0] - results[1]) ** 2).mean() / (results[0] ** 2).mean())
                    self.assertLess(loss, 0.05)
                    self.assertLess(abs(loss - self.report["loss"]), 0.2 * loss)

    def test_names_and_texts_stay(self):
        quantized = onnx.load(self.quantize(self.models["small"]))
        self.assertEqual(quantized.doc_string, "a small model")
        self.assertEqual([(p.key, p.value) for p in quantized.metadata_props], [("license", "free")])
        self.assertEqual(quantized.graph.doc_string, "a small graph")
        nodes = {node.name: node for node in quantized.graph.node}
        self.assertEqual(nodes["conv"].doc_string, "finds edges")
        self.assertTrue({"conv", "relu", "pool", "flatten", "fc"} <= set(nodes))

    def test_loss_is_kept(self):
        for name, model in self.models.items():
            self.quantize(model)
            most = self.report["loss"] * 0.6
            path = self.quantize(model, "--max-loss", str(most))
            self.assertLessEqual(self.report["loss"], most)
            left = [layer["name"] for layer in self.report["layers"] if layer["outcome"] == "too lossy"]
            self.assertTrue(left, name)
            ours, theirs = self.scores(model), self.scores(path)
            self.assertLess(np.sqrt(((ours - theirs) ** 2).mean() / (ours ** 2).mean()), 2 * most)


if __name__ == "__main__":
    unittest.main()
