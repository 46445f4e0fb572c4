"""Models on Spark, on a cluster of two executors that are processes of this machine."""

import os
import signal
import sys
import tempfile
import threading
import unittest
from pathlib import Path

import numpy as np
import pyspark
import tables
from models import T, counter, h, model
from pyspark.sql import SparkSession, types

import sinter
import sinter.spark

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
import spark_batches  # noqa: E402


class Spark(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = Path(cls.folder.name)
        cls.model = sinter.compile(tables.slow(), cls.path / "libslow.so", threads=1)
        os.environ["SPARK_HOME"] = os.path.dirname(pyspark.__file__)
        os.environ["PYSPARK_PYTHON"] = sys.executable
        settings = {
            "spark.executorEnv.PYTHONPATH": os.environ["PYTHONPATH"], "spark.sql.execution.arrow.maxRecordsPerBatch": 16,
            "spark.ui.enabled": "false", "spark.log.level": "ERROR", "spark.sql.shuffle.partitions": 4, "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
        }
        builder = SparkSession.builder.master("local-cluster[2,1,1024]")
        for name, value in settings.items():
            builder = builder.config(name, value)
        cls.spark = builder.getOrCreate()

    @classmethod
    def tearDownClass(cls):
        cls.spark.stop()
        cls.folder.cleanup()

    def frame(self, x, partitions):
        schema = "id long, pixels array<float>"
        return self.spark.createDataFrame([(i, row.tolist()) for i, row in enumerate(x)], schema).repartition(partitions)

    def check(self, rows, x):
        self.assertEqual([row["id"] for row in rows], list(range(len(x))))
        y = tables.expected(x)
        np.testing.assert_allclose(np.array([row["y"] for row in rows]), y, rtol=1e-3, atol=1e-4)
        self.assertEqual([row["best"] for row in rows], np.argmax([row["y"] for row in rows], axis=1).tolist())

    def test_rows_of_any_number_and_of_pieces(self):
        x = tables.inputs(37)
        fixed = sinter.compile(tables.slow(rows=8), self.path / "libfixed.so", threads=1)
        for library in (self.model, str(fixed.path)):
            scored = sinter.spark.map_in_pandas(self.frame(x, 3), library, inputs={"x": "pixels"}, outputs={"top": "best"}, keep=["id"])
            self.assertEqual([(field.name, field.dataType.simpleString()) for field in scored.schema], [
                ("id", "bigint"), ("y", "array<float>"), ("best", "bigint")])
            self.check(scored.orderBy("id").collect(), x)

    def test_types(self):
        """Texts, bytes without a sign, truth values, axes inside of rows, flat and nested, names with dots in them, and what does not fit."""
        nodes = [
            h.make_node("StringConcat", ["text", "text"], ["twice"]), h.make_node("Transpose", ["matrix"], ["turned"], perm=[0, 2, 1]),
            h.make_node("Cast", ["byte"], ["same"], to=T.UINT8), h.make_node("Greater", ["byte", "hundred"], ["large"]),
        ]
        library = sinter.compile(model(
            nodes, [("text", T.STRING, ["n"]), ("matrix", T.INT32, ["n", 2, 3]), ("byte", T.UINT8, ["n"])],
            [("twice", T.STRING, ["n"]), ("turned", T.INT32, ["n", 3, 2]), ("same", T.UINT8, ["n"]), ("large", T.BOOL, ["n"])],
            initializers=[h.make_tensor("hundred", T.UINT8, [], [100])]), self.path / "libtypes.so")
        flat = [("가", [1, 2, 3, 4, 5, 6], 200), ("", [6, 5, 4, 3, 2, 1], 7)]
        nested = [(text, [numbers[:3], numbers[3:]], byte) for text, numbers, byte in flat]
        for rows, kind in ((flat, "array<int>"), (nested, "array<array<int>>")):
            frame = self.spark.createDataFrame(rows, f"text string, `a.matrix` {kind}, byte short")
            scored = sinter.spark.map_in_pandas(frame, library, inputs={"matrix": "a.matrix"}, keep=[])
            self.assertEqual(scored.schema["turned"].dataType, types.ArrayType(types.ArrayType(types.IntegerType())))
            self.assertEqual(sorted(map(tuple, scored.collect())), [
                ("", [[6, 3], [5, 2], [4, 1]], 7, False), ("가가", [[1, 4], [2, 5], [3, 6]], 200, True)])
        large = self.spark.createDataFrame([("", [1] * 6, 300)], "text string, matrix array<int>, byte short")
        with self.assertRaisesRegex(Exception, "column 'byte' holds integers from 300 to 300, which input byte: uint8"):
            sinter.spark.map_in_pandas(large, library).collect()
        real = self.spark.createDataFrame([("", [1.5] * 6, 3)], "text string, matrix array<double>, byte short")
        with self.assertRaisesRegex(Exception, "column 'matrix' holds float64, which input matrix: int32"):
            sinter.spark.map_in_pandas(real, library).collect()

    def test_an_executor_is_killed(self):
        """No row is lost and none is there twice; weights are in memory once."""
        x = tables.inputs(1200)
        scored = sinter.spark.map_in_pandas(self.frame(x, 20), self.model, inputs={"x": "pixels"}, outputs={"top": "best"}, keep=["id"])
        library, result = sinter.shipping.LibraryFiles.of(self.model).path(), []
        thread = threading.Thread(target=lambda: result.extend(scored.orderBy("id").collect()))
        thread.start()

        def working():
            found = {pid: lines for pid, lines in tables.holders(library).items() if tables.resident(lines) > 4_000_000}
            return found if len(found) == 2 else None

        seen = tables.wait(working, 120)
        inodes = {line.split()[4] for lines in seen.values() for line in lines if line.endswith(library)}
        self.assertEqual(len(inodes), 1)
        for lines in seen.values():
            self.assertLess(tables.dirty(lines), 1_000_000)
        os.kill(self.executor(min(seen)), signal.SIGKILL)
        self.assertTrue(thread.is_alive(), "the rows were done before an executor was killed")
        tables.wait(lambda: [pid for pid in tables.holders(library) if pid not in seen], 120)  # another one took its place
        thread.join(300)
        self.check(result, x)

    def executor(self, worker: int) -> int:
        """The Java process above a worker in Python."""
        while True:
            status = Path(f"/proc/{worker}/status").read_text()
            if "Name:\tjava" in status:
                return worker
            worker = int(status.split("PPid:")[1].split()[0])

    def test_example(self):
        x = tables.inputs(20)
        self.frame(x, 2).write.parquet(f"{self.path}/in")
        spark_batches.main([str(self.model.path), f"{self.path}/in", f"{self.path}/out", "--input", "x=pixels", "--output", "top=best", "--keep", "id"])
        self.check(self.spark.read.parquet(f"{self.path}/out").orderBy("id").collect(), x)

    def test_refusals(self):
        frame = self.frame(tables.inputs(2), 1)
        with self.assertRaisesRegex(sinter.Error, "there is no column 'x'; columns are id, pixels"):
            sinter.spark.map_in_pandas(frame, self.model)
        with self.assertRaisesRegex(sinter.Error, "keeps state .state."):
            sinter.spark.map_in_pandas(frame, sinter.compile(counter(), self.path / "libcounter.so"))
        short = self.spark.createDataFrame([(1, [1.0, 2.0]), (2, [1.0])], "id long, pixels array<float>").coalesce(1)
        with self.assertRaisesRegex(Exception, "rows of column 'pixels' have different sizes"):
            sinter.spark.map_in_pandas(short, self.model, inputs={"x": "pixels"}).collect()
        empty = self.spark.createDataFrame([(1, None)], "id long, pixels array<float>")
        with self.assertRaisesRegex(Exception, "column 'pixels' has no value in row 0"):
            sinter.spark.map_in_pandas(empty, self.model, inputs={"x": "pixels"}).collect()


if __name__ == "__main__":
    unittest.main()
