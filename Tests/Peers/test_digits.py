#!/usr/bin/env python3
"""Holds the exported digits.onnx against the ONNX checker, ONNX Runtime and the compiled library.

    python test_digits.py FOLDER     # where the demo left digits.onnx and libdigits.so
"""

import sys
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

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


if __name__ == "__main__":
    unittest.main()
