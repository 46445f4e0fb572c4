#!/usr/bin/env python3
"""Holds what the demo of the digits made against the ONNX checker, ONNX Runtime and onnx's reference.

    python test_digits.py FOLDER     # where the demo left digits.onnx, libdigits.so, digits_step.onnx and libdigits_step.so
"""

import sys
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

sys.path.insert(0, str(Path(__file__).parents[1] / "Conformance"))
from library import Library  # noqa: E402

FOLDER = Path(sys.argv.pop() if len(sys.argv) > 1 else ".build/demo")
DATA = Path(__file__).parents[2] / "models/digits/data"


def read_idx(path):
    data = path.read_bytes()
    shape = np.frombuffer(data, ">u4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


class Digits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.path = str(FOLDER / "digits.onnx")
        cls.images = read_idx(DATA / "heldout-images-idx3-ubyte")[:, None] / np.float32(16)
        cls.labels = read_idx(DATA / "heldout-labels-idx1-ubyte")

    def peer(self, images):
        session = onnxruntime.InferenceSession(self.path, providers=["CPUExecutionProvider"])
        return session.run(None, {session.get_inputs()[0].name: images})[0]

    def test_is_standard_onnx(self):
        model = onnx.load(self.path)
        onnx.checker.check_model(model, full_check=True)
        self.assertEqual({node.domain for node in model.graph.node} - {"", "ai.onnx"}, set())

    def test_is_as_accurate_in_onnx_runtime(self):
        accuracy = (self.peer(self.images).argmax(1) == self.labels).mean()
        self.assertGreaterEqual(accuracy, 0.97)

    def test_library_agrees_with_onnx_runtime(self):
        library = Library(FOLDER / "libdigits.so")
        for batch in (1, 2, 7, len(self.images)):
            with self.subTest(batch=batch), library.open() as session:
                (ours,) = session.run([self.images[:batch]])
                np.testing.assert_allclose(ours, self.peer(self.images[:batch]), rtol=1e-5, atol=1e-5)


class Step(unittest.TestCase):
    """A step of training: the file is a function from the state to the next one, the library keeps it."""

    @classmethod
    def setUpClass(cls):
        cls.path = str(FOLDER / "digits_step.onnx")
        cls.model = onnx.load(cls.path)
        images = read_idx(DATA / "train-images-idx3-ubyte")[:40, None] / np.float32(16)
        labels = read_idx(DATA / "train-labels-idx1-ubyte")[:40].astype(np.int64)
        cls.feeds = {"image": images, "label": labels, "learning_rate": np.array(0.003, np.float32)}

    def states(self):
        prefix = "sinter.state:"
        return {entry.key.removeprefix(prefix): entry.value for entry in self.model.metadata_props if entry.key.startswith(prefix)}

    def test_is_standard_onnx(self):
        onnx.checker.check_model(self.model, full_check=True)
        self.assertEqual({node.domain for node in self.model.graph.node} - {"", "ai.onnx"}, set())

    def hold(self, run, steps):
        """Some steps of a peer, each from the state that the one before gave, beside the library."""
        names = [output.name for output in self.model.graph.output]
        state = {}
        with Library(FOLDER / "libdigits_step.so").open() as session:
            for _ in range(steps):
                results = dict(zip(names, run({**self.feeds, **state})))
                loss, accuracy = session.run([self.feeds[name] for name in ("image", "label", "learning_rate")])
                np.testing.assert_allclose(loss, results["loss"], rtol=1e-4)
                np.testing.assert_allclose(accuracy, results["accuracy"], rtol=1e-6)
                state = {name: results[output] for name, output in self.states().items() if output}

    def test_onnx_runtime_trains_the_same(self):
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # it warns of each input that has a default
        session = onnxruntime.InferenceSession(self.path, options, providers=["CPUExecutionProvider"])
        self.hold(lambda feeds: session.run(None, feeds), 20)

    def test_the_reference_takes_the_same_step(self):
        reference = ReferenceEvaluator(self.model)
        initial = {tensor.name: numpy_helper.to_array(tensor) for tensor in self.model.graph.initializer}
        self.hold(lambda feeds: reference.run(None, {**{name: initial[name] for name in self.states()}, **feeds}), 1)


if __name__ == "__main__":
    unittest.main()
