"""Models on Ray Data, on a cluster of two nodes that are processes of this machine."""

import os
import signal
import sys
import tempfile
import threading
import unittest
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import ray
import ray.cluster_utils
import tables
from models import counter, product

import sinter
import sinter.ray

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
import ray_batches  # noqa: E402


class RayData(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = Path(cls.folder.name)
        cls.model = sinter.compile(tables.slow(), cls.path / "libslow.so", threads=1)
        cls.cluster = ray.cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        for _ in range(2):
            cls.cluster.add_node(num_cpus=2, object_store_memory=200_000_000)
        ray.init(address=cls.cluster.address, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": os.environ["PYTHONPATH"]}})

    @classmethod
    def tearDownClass(cls):
        ray.shutdown()
        cls.cluster.shutdown()
        cls.folder.cleanup()

    def dataset(self, x, blocks=16):
        return ray.data.from_items([{"id": i, "pixels": row} for i, row in enumerate(x)], override_num_blocks=blocks)

    def check(self, rows, x):
        self.assertEqual([row["id"] for row in rows], list(range(len(x))))
        y = tables.expected(x)
        np.testing.assert_allclose(np.stack([row["y"] for row in rows]), y, rtol=1e-3, atol=1e-4)
        self.assertEqual([row["best"] for row in rows], np.argmax([row["y"] for row in rows], axis=1).tolist())

    def test_rows_of_any_number_and_of_pieces(self):
        x = tables.inputs(37)
        fixed = sinter.compile(tables.slow(rows=8), self.path / "libfixed.so", threads=1)
        for model in (self.model, str(fixed.path)):
            scored = sinter.ray.map_batches(
                self.dataset(x, 3), model, inputs={"x": "pixels"}, outputs={"top": "best"}, keep=["id"], workers=(1, 2), batch_size=13)
            rows = sorted(scored.take_all(), key=lambda row: row["id"])
            self.assertEqual(set(rows[0]), {"id", "y", "best"})
            self.check(rows, x)

    def test_a_worker_is_killed(self):
        """No row is lost and none is there twice; weights are in memory once."""
        x = tables.inputs(1500)
        scored = sinter.ray.map_batches(
            self.dataset(x, 100), self.model, inputs={"x": "pixels"}, outputs={"top": "best"}, keep=["id"], workers=2, batch_size=15)
        library, seen = sinter.shipping.LibraryFiles.of(self.model).path(), {}
        result = []
        thread = threading.Thread(target=lambda: result.extend(scored.take_all()))
        thread.start()

        def working():
            found = {pid: lines for pid, lines in tables.holders(library).items() if tables.resident(lines) > 4_000_000}
            return found if len(found) == 2 else None

        seen.update(tables.wait(working, 120))
        inodes = {line.split()[4] for lines in seen.values() for line in lines if line.endswith(library)}
        self.assertEqual(len(inodes), 1)
        for lines in seen.values():
            self.assertLess(tables.dirty(lines), 1_000_000)
        victim = min(seen)
        os.kill(victim, signal.SIGKILL)
        self.assertTrue(thread.is_alive(), "the rows were done before a worker was killed")
        tables.wait(lambda: [pid for pid in tables.holders(library) if pid not in seen], 120)  # another one took its place
        thread.join(300)
        self.check(sorted(result, key=lambda row: row["id"]), x)

    def test_example(self):
        x = tables.inputs(20)
        parquet.write_table(pa.table({"id": range(20), "pixels": list(x)}), self.path / "in.parquet")
        ray_batches.main([
            str(self.model.path), str(self.path / "in.parquet"), str(self.path / "out"), "--input", "x=pixels", "--output", "top=best",
            "--keep", "id", "--batch", "8"])
        self.check(sorted(parquet.read_table(self.path / "out").to_pylist(), key=lambda row: row["id"]), x)

    def test_refusals(self):
        data = self.dataset(tables.inputs(2), 1)
        with self.assertRaisesRegex(sinter.Error, "there is no input 'z'; inputs are x"):
            sinter.ray.map_batches(data, self.model, inputs={"z": "pixels"})
        with self.assertRaisesRegex(sinter.Error, "keeps state .state."):
            sinter.ray.map_batches(data, sinter.compile(counter(), self.path / "libcounter.so"))
        with self.assertRaisesRegex(sinter.Error, "is not a tensor whose first axis could be the rows"):
            sinter.ray.map_batches(data, sinter.compile(product(), self.path / "libproduct.so"))
        with self.assertRaisesRegex(Exception, "there is no column 'x' for input x: float32"):
            sinter.ray.map_batches(data, self.model).take_all()


if __name__ == "__main__":
    unittest.main()
