"""Models as functions: values in and out, memory, errors, threads."""

import gc
import tempfile
import threading
import time
import unittest
from pathlib import Path

import numpy as np
from models import T, counter, h, identity, model, product, relu

import sinter


class Arrays(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.relu = sinter.compile(relu(), threads=1)
        cls.product = sinter.compile(product(), threads=1)

    def test_ports(self):
        (x,) = self.relu.inputs
        self.assertEqual((x.name, x.kind, x.dtype, x.shape, x.optional), ("x", "tensor", "float32", ("n", 4), False))
        self.assertEqual(x.numpy_dtype, np.float32)
        self.assertEqual(str(self.product.outputs[0]), "y: float32[m, n]")
        self.assertIn("(a: float32[m, k], b: float32[k, n])", repr(self.product))

    def test_all_small_sizes(self):
        rng = np.random.default_rng(0)
        for m in range(3):
            for k in range(3):
                for n in range(3):
                    a, b = rng.standard_normal((m, k), np.float32), rng.standard_normal((k, n), np.float32)
                    y, s = self.product(a, b)
                    np.testing.assert_allclose(y, a @ b, rtol=1e-5, atol=1e-6, err_msg=f"{m} {k} {n}")
                    np.testing.assert_allclose(s, a.sum(), rtol=1e-5, atol=1e-6)
                    self.assertEqual((y.dtype, y.shape, s.shape), (np.float32, (m, n), ()))

    def test_names_and_positions(self):
        a, b = np.ones((2, 3), np.float32), np.ones((3, 2), np.float32)
        by_name = self.product(b=b, a=a)
        np.testing.assert_array_equal(by_name.y, by_name["y"])
        self.assertEqual(dict(by_name.items())["s"], 6)
        np.testing.assert_array_equal(self.product(a, b=b)[0], by_name[0])
        self.assertEqual(set(self.product.run({"a": a, "b": b})), {"y", "s"})
        with self.assertRaisesRegex(KeyError, "there is no output 'z'; outputs are y, s"):
            by_name["z"]
        with self.assertRaisesRegex(TypeError, "no value for b: float32"):
            self.product(a)
        with self.assertRaisesRegex(TypeError, "there is no input 'c'; inputs are a, b"):
            self.product(a, c=b)
        with self.assertRaisesRegex(TypeError, "input 'a' is given twice"):
            self.product(a, a=b)
        with self.assertRaisesRegex(TypeError, "3 arguments for 2 inputs"):
            self.product(a, b, a)

    def test_any_strides_read_only_and_lists(self):
        base = np.arange(-48, 48, dtype=np.float32).reshape(8, 12)
        read_only = base[:, :4].copy()
        read_only.flags.writeable = False
        for name, x in {
            "columns": base[:, ::3], "turned": base[::-1, 3::-1], "transposed": base[:4].T[:, :4], "broadcast": np.broadcast_to(base[0, :4], (5, 4)),
            "read-only": read_only, "big-endian": base[:, :4].astype(">f4"), "empty": base[:0, :4],
        }.items():
            np.testing.assert_array_equal(self.relu(x), np.maximum(x, 0), err_msg=name)
        np.testing.assert_array_equal(self.relu([[1, -2, 3, -4]]), [[1, 0, 3, 0]])

    def test_inputs_are_not_copied(self):
        x = np.ones((2, 4), np.float32)
        with self.assertRaisesRegex(sinter.InvalidArgumentError, "output 'y' overlaps input 'x'"):
            self.relu(x, out=x)

    def test_outputs_are_the_librarys_memory(self):
        model = sinter.compile(relu(), threads=1)
        x = np.full((3, 4), 2, np.float32)
        first, second = model(x), model(x * 2)
        self.assertFalse(first.flags.owndata)
        self.assertTrue(first.flags.writeable)
        part = second[1:]
        model.close()
        del model, second
        gc.collect()
        np.testing.assert_array_equal(first, x)
        np.testing.assert_array_equal(part, x[1:] * 2)

    def test_memory_does_not_grow(self):
        import resource

        x = np.ones((1 << 16, 4), np.float32)  # a megabyte
        for _ in range(10):
            self.relu(x)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(200):
            self.relu(x)
        self.assertLess(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, 20 << 10)

    def test_out(self):
        a, b = np.ones((2, 3), np.float32), np.full((3, 2), 2, np.float32)
        y = np.zeros((2, 2), np.float32)
        result = self.product(a, b, out={"y": y})
        self.assertIs(result.y, y)
        np.testing.assert_array_equal(y, a @ b)
        self.assertEqual(result.s, 6)
        y[:] = 0
        self.assertIs(self.product(a, b, out=[y, None])[0], y)
        np.testing.assert_array_equal(y, a @ b)
        for out, error, text in [
            ([y], TypeError, "1 arrays for 2 outputs"), ({"z": y}, TypeError, "no output 'z'"),
            ({"y": np.zeros((2, 3), np.float32)}, sinter.ShapeMismatchError, "dimension 1"),
            ({"y": np.zeros((2, 2))}, sinter.InvalidArgumentError, "output 'y' holds"),
            ({"y": np.zeros((2, 4), np.float32)[:, ::2]}, ValueError, "strides that are not dense"),
            ({"y": [1]}, TypeError, "not into list"),
        ]:
            with self.assertRaisesRegex(error, text):
                self.product(a, b, out=out)
        y.flags.writeable = False
        with self.assertRaisesRegex(ValueError, "read-only"):
            self.product(a, b, out={"y": y})

    def test_errors_by_status(self):
        a = np.ones((2, 3), np.float32)
        with self.assertRaisesRegex(sinter.InvalidArgumentError, "input 'x' holds .*expected"):
            self.relu(np.ones((2, 4)))
        with self.assertRaisesRegex(sinter.ShapeMismatchError, "is 2, expected 3"):
            self.product(a, a)
        with self.assertRaises(RuntimeError):
            self.product(a, a)
        gather = sinter.compile(model(
            [h.make_node("Gather", ["x", "i"], ["y"])], [("x", T.FLOAT, ["n"]), ("i", T.INT64, ["m"])], [("y", T.FLOAT, ["m"])]))
        with self.assertRaises(sinter.DataError):
            gather(np.ones(3, np.float32), np.array([3]))
        np.testing.assert_array_equal(gather(np.arange(3, dtype=np.float32), np.array([2, 0])), [2, 0])
        with self.assertRaisesRegex(sinter.Error, "no library of Sinter"):
            sinter.load(next(line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "/libc.so" in line))
        with self.assertRaisesRegex(sinter.Error, "cannot be loaded"):
            sinter.load("no-such-file.so")

    def test_overhead(self):
        x = np.ones((2, 4), np.float32)
        best = 1.0
        for _ in range(2000):
            start = time.perf_counter()
            for _ in range(20):
                self.relu(x)
            best = min(best, (time.perf_counter() - start) / 20)
        self.assertLess(best, 40e-6)


class Names(unittest.TestCase):
    def test_a_star_import_leaves_pythons_names(self):
        import builtins

        names = {}
        exec("from sinter import *", names)
        self.assertIn("Model", names)
        self.assertEqual([name for name in names if hasattr(builtins, name) and not name.startswith("__")], [])
        self.assertTrue(issubclass(sinter.RunError, RuntimeError))


class Types(unittest.TestCase):
    def test_each_element_type(self):
        import ml_dtypes

        rng = np.random.default_rng(1)
        for name, element in [
            ("float16", T.FLOAT16), ("float32", T.FLOAT), ("float64", T.DOUBLE), ("bfloat16", T.BFLOAT16), ("bool", T.BOOL),
            ("int8", T.INT8), ("int16", T.INT16), ("int32", T.INT32), ("int64", T.INT64), ("uint8", T.UINT8), ("uint16", T.UINT16),
            ("uint32", T.UINT32), ("uint64", T.UINT64), ("float8_e4m3fn", T.FLOAT8E4M3FN), ("float8_e5m2", T.FLOAT8E5M2),
            ("int4", T.INT4), ("uint4", T.UINT4),
        ]:
            dtype = np.dtype(getattr(ml_dtypes, name, None) or name)
            with self.subTest(name):
                run = sinter.compile(identity(element), threads=1)
                self.assertEqual(run.inputs[0].dtype, name)
                for rows in (0, 1, 5):
                    low = 0 if name.startswith("u") else -5
                    x = rng.integers(low, 5, (rows, 3)).astype(dtype)
                    y = run(x)
                    self.assertEqual((y.dtype, y.shape), (x.dtype, x.shape))
                    np.testing.assert_array_equal(y.astype(np.float64), x.astype(np.float64))
                    if name not in ("int4", "uint4"):
                        out = np.zeros(x.shape, dtype)
                        self.assertIs(run(x, out=out), out)
                        np.testing.assert_array_equal(out.astype(np.float64), x.astype(np.float64))
                    np.testing.assert_array_equal(run(x[::-1]).astype(np.float64), x[::-1].astype(np.float64))

    def test_text(self):
        run = sinter.compile(identity(T.STRING))
        x = np.array([["a", "", "Größe"], ["日本", "x" * 1000, "\0"]], object)
        for given in (x, x.astype(str), x.tolist()):
            y = run(given)
            self.assertEqual(y.dtype, object)
            # NumPy's own texts end where their zeros begin.
            self.assertEqual([t.rstrip("\0") for t in y.ravel()], [t.rstrip("\0") for t in x.ravel()])
        self.assertEqual(run(np.empty((0, 3), object)).shape, (0, 3))

    def test_sequences_and_optionals(self):
        sequence = h.make_tensor_sequence_value_info("s", T.FLOAT, None)
        result = h.make_tensor_sequence_value_info("t", T.FLOAT, None)
        run = sinter.compile(model(
            [h.make_node("SequenceInsert", ["s", "x"], ["t"]), h.make_node("SequenceLength", ["s"], ["n"])],
            [sequence, ("x", T.FLOAT, ["k"])], [result, ("n", T.INT64, [])]))
        self.assertEqual(run.inputs[0].kind, "sequence")
        x = np.array([9.0], np.float32)
        for given in ([], [np.ones(2, np.float32)], [np.zeros(0, np.float32), np.arange(3, dtype=np.float32)]):
            t, n = run(given, x)
            self.assertEqual(n, len(given))
            self.assertEqual(len(t), len(given) + 1)
            for got, wanted in zip(t, given + [x]):
                np.testing.assert_array_equal(got, wanted)
        last = run([np.ones(2, np.float32)], x)[0][-1]
        gc.collect()
        np.testing.assert_array_equal(last, x)
        with self.assertRaisesRegex(TypeError, "input 's' is a sequence: give a list"):
            run(3, x)

        optional = h.make_value_info("o", h.make_optional_type_proto(h.make_tensor_type_proto(T.FLOAT, [2])))
        has = sinter.compile(model([h.make_node("OptionalHasElement", ["o"], ["y"])], [optional], [("y", T.BOOL, [])]))
        self.assertTrue(has.inputs[0].optional)
        self.assertFalse(has(None))
        self.assertFalse(has())
        self.assertTrue(has(np.ones(2, np.float32)))

    def test_maps(self):
        maps = h.make_value_info(
            "z", h.make_sequence_type_proto(h.make_map_type_proto(T.STRING, h.make_tensor_type_proto(T.FLOAT, []))))
        run = sinter.compile(model(
            [h.make_node("ZipMap", ["x"], ["z"], domain="ai.onnx.ml", classlabels_strings=["cat", "dog"])],
            [("x", T.FLOAT, ["n", 2])], [maps], domains=[("ai.onnx.ml", 3)]))
        x = np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)
        self.assertEqual(run(x), [{"cat": 0.25, "dog": 0.75}, {"cat": 0.5, "dog": 0.5}])
        self.assertEqual(run(x[:0]), [])

        given = h.make_value_info("m", h.make_map_type_proto(T.INT64, h.make_tensor_type_proto(T.FLOAT, [])))
        back = sinter.compile(model(
            [h.make_node("DictVectorizer", ["m"], ["y"], domain="ai.onnx.ml", int64_vocabulary=[3, 5])], [given],
            [("y", T.FLOAT, [1, 2])], domains=[("ai.onnx.ml", 3)]))
        np.testing.assert_array_equal(back({5: 0.5, 7: 1.0}), [[0, 0.5]])
        with self.assertRaisesRegex(TypeError, "input 'm' is a map: give a dict"):
            back([1])


class Threads(unittest.TestCase):
    def test_calls_at_once_have_sessions_of_their_own(self):
        run = sinter.compile(product(), threads=1)
        wrong = []

        def work(seed):
            rng = np.random.default_rng(seed)
            for _ in range(50):
                m, k, n = rng.integers(1, 40, 3)
                a, b = rng.standard_normal((m, k), np.float32), rng.standard_normal((k, n), np.float32)
                y, s = run(a, b)
                if not np.allclose(y, a @ b, rtol=1e-4, atol=1e-4) or not np.allclose(s, a.sum(), rtol=1e-4, atol=1e-3):
                    wrong.append((m, k, n))

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_python_goes_on_meanwhile_and_a_session_is_busy(self):
        run = sinter.compile(product(), threads=1)
        session = run.session()
        a = np.ones((1536, 1536), np.float32)
        session(a, a)
        interval, done = [], threading.Event()

        def work():
            interval.append(time.perf_counter())
            session(a, a)
            interval.append(time.perf_counter())
            done.set()

        thread = threading.Thread(target=work)
        seen, busy, others = [], 0, 0
        thread.start()
        while not done.is_set():
            seen.append(time.perf_counter())
            try:
                session(a[:1, :1], a[:1, :1])
            except sinter.BusyError:
                busy += 1
            run(a[:8], a)  # another session computes at the same time
            others += 1
        thread.join()
        inside = [moment for moment in seen if interval[0] < moment < interval[1]]
        self.assertGreater(len(inside), 3)
        self.assertGreater(busy, 3)
        self.assertGreater(others, 3)

    def test_sessions(self):
        run = sinter.compile(relu(), threads=1)
        x = -np.ones((1, 4), np.float32)
        with run.session(threads=2) as session:
            np.testing.assert_array_equal(session(x), 0 * x)
            np.testing.assert_array_equal(session(x=x), 0 * x)


class State(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.library = Path(cls.folder.name) / "libcounter.so"
        sinter.compile(counter(), cls.library)

    def test_a_model_goes_on_where_it_was(self):
        run, x = sinter.load(self.library, threads=1), np.arange(2)
        (state,) = run.states
        self.assertEqual((state.name, state.type), ("state", "int64[]"))
        self.assertEqual([port.name for port in (*run.inputs, *run.outputs)], ["x", "y"])
        self.assertEqual(run.state("state"), 5)
        for turn in range(3):
            np.testing.assert_array_equal(run(x), x + 5 + turn)
        copy = run.state("state")
        self.assertEqual((copy.dtype, copy.shape, copy), (np.int64, (), 8))
        copy[...] = 0
        self.assertEqual(run.state("state"), 8)
        for value in (-3, np.int64(-3), np.array(-3), np.array([-3, 9])[::2].reshape(())):
            run.set_state("state", value)
            np.testing.assert_array_equal(run(x), x - 3)
        with self.assertRaisesRegex(KeyError, "there is no state 'x'; states are state"):
            run.state("x")
        with self.assertRaises(sinter.RunError):
            run.set_state("state", np.array([1, 2]))
        with self.assertRaises(sinter.RunError):
            run.set_state("state", np.float32(1))
        with self.assertRaises(sinter.RunError):
            run(np.zeros(2, np.float32))  # a run that fails changes nothing
        self.assertEqual(run.state("state"), -2)
        run.close()
        self.assertEqual(run.state("state"), 5)

    def test_files(self):
        run, file = sinter.load(self.library, threads=1), Path(self.folder.name) / "state.safetensors"
        run(np.zeros(0, np.int64))
        run.save_state(file)
        run(np.zeros(1, np.int64))
        run.restore_state(str(file))
        self.assertEqual(run.state("state"), 6)
        file.write_bytes(file.read_bytes()[:-1])
        for path in (file, file.with_name("none")):
            with self.assertRaises(sinter.RunError):
                run.restore_state(path)
        with self.assertRaises(sinter.RunError):
            run.save_state(file / "beyond")
        self.assertEqual(run.state("state"), 6)

    def test_sessions_have_their_own(self):
        run = sinter.load(self.library, threads=1)
        run.set_state("state", 100)
        with run.session() as one, run.session() as other:
            one(np.zeros(1, np.int64))
            self.assertEqual((one.state("state"), other.state("state"), run.state("state")), (6, 5, 100))
            one.set_state("state", 7)
            self.assertEqual((one.state("state"), other.state("state")), (7, 5))
        with self.assertRaisesRegex(sinter.Error, "closed"):
            one.state("state")
        with self.assertRaisesRegex(sinter.Error, "closed"):
            one(np.zeros(1, np.int64))

    def test_calls_of_several_threads_take_turns(self):
        run, seen = sinter.load(self.library, threads=1), []

        def work():
            for _ in range(200):
                seen.append(int(run(np.zeros(1, np.int64))[0]))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(seen), list(range(5, 805)))

    def test_libraries_without_state(self):
        run = sinter.compile(relu(), threads=1)
        self.assertEqual((run.states, run.session().states), ((), ()))
        with self.assertRaisesRegex(sinter.Error, "has no state"):
            run.state("x")
        with self.assertRaisesRegex(KeyError, "the library has none"):
            run.session().state("x")
        with self.assertRaisesRegex(sinter.Error, "has no state"):
            run.session().save_state("x")


if __name__ == "__main__":
    unittest.main()
