"""Models on columns of tables, and their files on the way to other machines."""

import os
import pickle
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from models import T, h, model
from onnx import numpy_helper

import sinter
from sinter.rows import RowModel
from sinter.shipping import LibraryFiles

WEIGHTS = np.arange(12, dtype=np.float32).reshape(4, 3)


def linear(rows):
    return model(
        [h.make_node("MatMul", ["x", "w"], ["y"])], [("x", T.FLOAT, [rows, 4])], [("y", T.FLOAT, [rows, 3])],
        initializers=[numpy_helper.from_array(WEIGHTS, "w")])


class Rows(unittest.TestCase):
    def test_any_number_of_rows_in_pieces(self):
        x = np.random.default_rng(0).standard_normal((9, 4)).astype(np.float32)
        for size in ("n", 1, 3, 4):
            rows = RowModel(sinter.compile(linear(size)), {"x": "features"}, {"y": "result"})
            for count in range(10):
                found = rows({"features": x[:count], "id": np.arange(count)}, count)
                self.assertEqual(list(found), ["result"])
                self.assertEqual((found["result"].shape, found["result"].dtype), ((count, 3), np.float32))
                np.testing.assert_allclose(found["result"], x[:count].astype(float) @ WEIGHTS, rtol=1e-5, atol=1e-5, err_msg=f"{size} {count}")

    def test_what_columns_hold(self):
        rows = RowModel(sinter.compile(linear("n")))
        wanted = [[42, 48, 54], [114, 136, 158]]
        for column in (
            [[0, 1, 2, 3], [4, 5, 6, 7]], np.array([[0, 1, 2, 3], [4, 5, 6, 7]], np.float64), np.array([[0, 1, 2, 3], [4, 5, 6, 7]], np.uint8),
            [np.arange(4.0), [4, 5, 6, 7]],
        ):
            values = column
            if isinstance(column, list):
                values = np.empty(2, object)
                values[:] = [column[0], column[1]]
            np.testing.assert_array_equal(rows({"x": values}, 2)["y"], wanted)
        ragged = np.empty(2, object)
        ragged[:] = [[1.0, 2.0, 3.0, 4.0], [1.0]]
        missing = np.empty(2, object)
        missing[:] = [[1.0, 2.0, 3.0, 4.0], None]
        for column, message in (
            (ragged, r"rows of column 'x' have different sizes, \[1\] and \[4\]"), (missing, "column 'x' has no value in row 1"),
            (np.array([["a"] * 4] * 2), "column 'x' holds <U1, which input x: float32"),
        ):
            with self.assertRaisesRegex(sinter.Error, message):
                rows({"x": column}, 2)
        with self.assertRaisesRegex(sinter.Error, "there is no column 'x' for input x: float32.n, 4.; columns are z"):
            rows({"z": ragged}, 2)

    def test_rows_that_do_not_come_out(self):
        places = sinter.compile(model(
            [h.make_node("NonZero", ["x"], ["p"]), h.make_node("Transpose", ["p"], ["y"])], [("x", T.FLOAT, ["n", 4])], [("y", T.INT64, ["m", 2])]))
        with self.assertRaisesRegex(sinter.Error, r"the sizes \[12, 2\] for 3 rows"):
            RowModel(places)({"x": np.ones((3, 4), np.float32)}, 3)
        with self.assertRaisesRegex(sinter.Error, "differ in the size of their first axis"):
            RowModel(sinter.compile(model(
                [h.make_node("ReduceSum", ["x"], ["y"], keepdims=1)], [("x", T.FLOAT, [2, 4])], [("y", T.FLOAT, [1, 1])])))
        with self.assertRaisesRegex(sinter.Error, "two outputs become the column 'x'"):
            RowModel(sinter.compile(model(
                [h.make_node("Neg", ["x"], ["y"]), h.make_node("Abs", ["x"], ["z"])], [("x", T.FLOAT, ["n"])],
                [("y", T.FLOAT, ["n"]), ("z", T.FLOAT, ["n"])])), outputs={"y": "x", "z": "x"})


class Shipping(unittest.TestCase):
    def test_weights_beside_travel_along(self):
        with tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory() as there:
            made = sinter.compile(linear("n"), Path(here, "liblinear.so"), weights_beside=True)
            self.assertEqual({path.suffix for path in Path(here).iterdir()}, {".so", ".weights"})
            carried = pickle.dumps(LibraryFiles.of(made))
            for path in Path(here).iterdir():
                path.unlink()
            with mock.patch.object(tempfile, "tempdir", there):
                files = pickle.loads(carried)
                first = files.path()
                stamp = os.stat(first).st_mtime_ns
                self.assertEqual(files.path(), first)
                self.assertEqual(os.stat(first).st_mtime_ns, stamp)  # not written again
                os.truncate(first, 100)  # what a cleaner of temporary files left
                self.assertEqual(files.path(), first)
                np.testing.assert_array_equal(files.open(1)(np.ones((1, 4), np.float32)), [[18, 22, 26]])
                self.assertEqual(len(os.listdir(os.path.dirname(first))), 2)
                self.assertEqual(os.stat(os.path.dirname(os.path.dirname(first))).st_mode & 0o777, 0o700)

    def test_folders_of_others_are_refused(self):
        with tempfile.TemporaryDirectory() as there, mock.patch.object(tempfile, "tempdir", there):
            files = LibraryFiles.of(sinter.compile(linear("n")))
            folder = Path(there, f"sinter-{os.getuid()}")
            folder.mkdir()
            folder.chmod(0o777)
            with self.assertRaisesRegex(sinter.Error, "only this user can write to"):
                files.path()
            folder.rmdir()
            Path(there, "elsewhere").mkdir(0o700)
            folder.symlink_to(Path(there, "elsewhere"))
            with self.assertRaisesRegex(sinter.Error, "only this user can write to"):
                files.path()

    def test_shared_files_stay_where_they_are(self):
        made = sinter.compile(linear("n"))
        files = LibraryFiles.of(made, shared=True)
        self.assertEqual(files.path(), str(made.path))
        self.assertLess(len(pickle.dumps(files)), 1000)


if __name__ == "__main__":
    unittest.main()
