"""Compiling, and the command's other tools."""

import os
import shutil
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
from models import T, h, model, product, relu

import sinter


class Compile(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_sources_and_options(self):
        x = np.array([[1, -1, 2, -2]], np.float32)
        file = self.folder / "net.onnx"
        onnx.save(relu(), file)
        for source in (file, str(file), relu(), relu().SerializeToString()):
            np.testing.assert_array_equal(sinter.compile(source)(x), np.maximum(x, 0))
        library = self.folder / "libnet.so"
        compiled = sinter.compile(
            file, library, cpu=["x86-64-v2", "x86-64-v3"], sizes={"n": 1}, header=True, name="two words", winograd=False, math="bf16",
            threads=1)
        self.assertEqual(compiled.inputs[0].shape, (1, 4))
        self.assertEqual(compiled.name, "two words")
        self.assertIn("x86-64-v3, x86-64-v2", compiled.target)
        self.assertTrue((self.folder / "two words.h").exists())
        np.testing.assert_array_equal(sinter.load(library)(x), np.maximum(x, 0))
        self.assertIn("producer", sinter.inspect(compiled))
        compiled = sinter.compile(relu(), self.folder / "libbytes.so")
        self.assertEqual(compiled.name, "bytes")

    def test_temporary_files_go_with_the_model(self):
        compiled = sinter.compile(relu())
        path = compiled.path
        self.assertTrue(path.exists())
        del compiled
        self.assertFalse(path.exists())

    def test_weights_beside(self):
        weights = onnx.numpy_helper.from_array(np.eye(4, dtype=np.float32) * 3, "w")
        table = onnx.numpy_helper.from_array(np.zeros(1001, np.float32), "t")  # parts that do not end at words of the hash
        net = model(
            [h.make_node("MatMul", ["x", "w"], ["p"]), h.make_node("Gather", ["t", "i"], ["g"]), h.make_node("Add", ["p", "g"], ["y"])],
            [("x", T.FLOAT, ["n", 4]), ("i", T.INT64, [])], [("y", T.FLOAT, ["n", 4])], initializers=[weights, table])
        sinter.compile(net, self.folder / "libnet.so", weights_beside=True)
        moved = self.folder / "elsewhere"
        os.rename(self.folder / "net.weights", moved)
        x = np.ones((2, 4), np.float32)
        np.testing.assert_array_equal(sinter.load(self.folder / "libnet.so", weights=moved)(x, 5), 3 * x)
        with self.assertRaisesRegex(sinter.InvalidArgumentError, "weights file"):
            sinter.load(self.folder / "libnet.so")
        damaged = self.folder / "damaged"
        damaged.write_bytes(moved.read_bytes()[:-1] + b"!")
        with self.assertRaisesRegex(sinter.InvalidArgumentError, "is not what was written with this library"):
            sinter.load(self.folder / "libnet.so", weights=damaged)

    def test_problems(self):
        wrong = model(
            [h.make_node("NoSuch", ["x"], ["t"], name="first"), h.make_node("MatMul", ["x", "x"], ["y"], name="second")],
            [("x", T.FLOAT, [2, 3])], [("t", T.FLOAT, None), ("y", T.FLOAT, None)])
        with self.assertRaises(sinter.CompileError) as caught:
            sinter.compile(wrong)
        for problems in (caught.exception.problems, sinter.check(wrong)):
            self.assertEqual([problem.kind for problem in problems], ["unsupported", "error"])
            self.assertIn("NoSuch", problems[0].message)
            self.assertIn("first", problems[0].node)
            self.assertIn("second", problems[1].node)
            self.assertRegex(problems[1].message, "3.*2")
        self.assertIn("second", str(caught.exception))
        with self.assertRaises(sinter.CompileError) as caught:
            sinter.compile("no-such-file.onnx")
        self.assertIn("no-such-file.onnx", str(caught.exception))
        with self.assertRaises(sinter.CompileError):
            sinter.compile(b"no model")
        with self.assertRaisesRegex(ValueError, "no-such|symbol=size|batch"):
            sinter.compile(relu(), sizes={"n": -1})
        with self.assertRaisesRegex(TypeError, "a model is a path, bytes, an onnx.ModelProto or a torch.onnx.ONNXProgram, not int"):
            sinter.compile(3)


class Tools(unittest.TestCase):
    def test_check_and_inspect(self):
        self.assertEqual(sinter.check(product()), [])
        found = sinter.inspect(product())
        self.assertEqual(found["inputs"][0], {"name": "a", "type": "f32[m, k]", "element": "f32", "shape": ["m", "k"]})
        self.assertEqual({entry["name"]: entry["count"] for entry in found["operators"]}, {"MatMul": 1, "ReduceSum": 1})
        self.assertEqual(sinter.inspect(product(), sizes={"m": 2, "k": 3, "n": 4})["outputs"][0]["shape"], [2, 4])
        self.assertEqual(sinter.inspect(product(), sizes={"m": 2, "k": 3, "n": 4})["program"]["arenaBytes"] is None, False)

    def test_profile_and_bench(self):
        a = np.ones((16, 16), np.float32)
        profile = sinter.profile(product(), {"a": a, "b": a}, runs=3, peaks=False, threads=1)
        self.assertEqual(profile["runs"], 3)
        self.assertGreater(len(profile["kernels"]), 0)
        self.assertTrue(any("MatMul" in node or "y" in node for kernel in profile["kernels"] for node in kernel["nodes"]))
        compiled = sinter.compile(product(), profile=True, threads=1)
        self.assertEqual(sinter.profile(compiled, sizes={"m": 4}, runs=2, peaks=False)["runs"], 2)
        rows = sinter.bench(compiled, sizes={"m": [1, 2], "k": 8, "n": 8}, threads=[1], seconds=0.01, warm_up=0)
        self.assertEqual([row["sizes"] for row in rows], [["m=1", "k=8", "n=8"], ["m=2", "k=8", "n=8"]])
        self.assertGreater(rows[0]["milliseconds"]["min"], 0)

    def test_export_and_quantize(self):
        rng = np.random.default_rng(2)
        weights = onnx.numpy_helper.from_array(rng.standard_normal((64, 64), np.float32), "w")
        net = model([h.make_node("MatMul", ["x", "w"], ["y"])], [("x", T.FLOAT, ["n", 64])], [("y", T.FLOAT, ["n", 64])], initializers=[weights])
        with tempfile.TemporaryDirectory() as folder:
            simple = sinter.export(net, Path(folder) / "simple.onnx", sizes={"n": 2})
            self.assertEqual(onnx.load(simple).graph.input[0].type.tensor_type.shape.dim[0].dim_value, 2)
            x = rng.standard_normal((20, 64), np.float32)
            report = sinter.quantize(net, Path(folder) / "int8.onnx", {"x": x}, method="entropy")
            self.assertEqual(report["quantized"], 1)
            self.assertLess(report["loss"], 0.05)
            y, wanted = sinter.compile(Path(folder) / "int8.onnx")(x), sinter.compile(net)(x)
            self.assertLess(np.linalg.norm(y - wanted) / np.linalg.norm(wanted), 0.05)
            self.assertEqual(sinter.quantize(net, Path(folder) / "int4.onnx", weights="int4")["quantized"], 1)

    def test_graph(self):
        drawing = sinter.graph(product(), stage="optimized")
        self.assertIn("MatMul", drawing.dot)
        if shutil.which("dot"):
            self.assertIn("<svg", drawing._repr_svg_())
        else:
            self.assertIsNone(drawing._repr_svg_())
            self.assertEqual(repr(drawing), drawing.dot)
        self.assertIn("digraph", sinter.compile(product()).graph(stage="fused").dot)


if __name__ == "__main__":
    unittest.main()
