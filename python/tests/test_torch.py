"""torch.compile with Sinter behind it. Needs torch, torchvision and transformers; skipped without torch."""

import sys
import tempfile
import unittest
import warnings
from pathlib import Path

import numpy as np

import sinter

try:
    import torch
except ImportError:
    torch = None


def compiled(module, **options):
    torch._dynamo.reset()
    return torch.compile(module, backend=sinter.torch.backend, **options)


@unittest.skipIf(torch is None, "torch is not installed")
class Torch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import sinter.torch

        # Transformers imports torchvision too, whose compiled operators may be of another build of torch.
        sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "Tests" / "Peers" / "models"))
        import torchvision_import  # noqa: F401

        torch.set_num_threads(1)

    def setUp(self):
        torch.manual_seed(0)
        sinter.torch_fallback.told.clear()

    def same(self, module, *args, tolerance=1e-4, fallbacks=0):
        """Runs the module compiled and as it is; returns the compiled one."""
        module = module.eval()
        run = compiled(module)
        with torch.no_grad(), warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            got, wanted = run(*args), module(*args)
        told = [str(w.message) for w in told if issubclass(w.category, sinter.torch.TorchFallbackWarning)]
        self.assertEqual(len(told), fallbacks, told)
        torch.testing.assert_close(got, wanted, rtol=tolerance, atol=tolerance)
        return run, told

    def test_resnet18(self):
        import torchvision

        self.same(torchvision.models.resnet18(), torch.randn(1, 3, 64, 64), tolerance=1e-3)

    def test_bert(self):
        import transformers

        config = transformers.BertConfig(
            vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
        model = transformers.BertModel(config).eval()
        run = compiled(model)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("error", sinter.torch.TorchFallbackWarning)
            for batch, length in ((1, 7), (2, 9), (3, 5)):
                ids = torch.randint(0, 100, (batch, length))
                mask = torch.ones_like(ids)
                mask[:, -2:] = 0
                got, wanted = run(ids, attention_mask=mask), model(ids, attention_mask=mask)
                torch.testing.assert_close(got.last_hidden_state, wanted.last_hidden_state, rtol=1e-4, atol=1e-4)
                torch.testing.assert_close(got.pooler_output, wanted.pooler_output, rtol=1e-4, atol=1e-4)

    def test_lstm(self):
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.lstm = torch.nn.LSTM(8, 16, num_layers=2, batch_first=True)
                self.head = torch.nn.Linear(16, 3)

            def forward(self, x):
                return self.head(self.lstm(x)[0][:, -1])

        # Dynamo leaves recurrent layers to torch unless it is told otherwise.
        with torch._dynamo.config.patch(allow_rnn=True):
            self.same(Net(), torch.randn(2, 5, 8))
        run = sinter.export(Net().eval(), (torch.randn(2, 5, 8),))
        self.assertEqual(run(torch.randn(2, 5, 8)).shape, (2, 3))

    def test_sizes_stay_open(self):
        net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 4)).eval()
        run = compiled(net, dynamic=True)
        made = []
        original = sinter.compiler.compile
        sinter.compiler.compile = lambda *args, **options: made.append(original(*args, **options)) or made[-1]
        try:
            with torch.no_grad():
                for rows in (2, 5, 17):
                    x = torch.randn(rows, 8)
                    torch.testing.assert_close(run(x), net(x), rtol=1e-4, atol=1e-4)
        finally:
            sinter.compiler.compile = original
        self.assertEqual(len(made), 1)

    def test_weights_that_change_are_compiled_anew(self):
        net = torch.nn.Linear(4, 4).eval()
        x = torch.randn(3, 4)
        run = compiled(net)
        with torch.no_grad():
            torch.testing.assert_close(run(x), net(x))
            net.weight.mul_(-2)
            torch.testing.assert_close(run(x), net(x))

    def test_weights_in_other_memory_are_compiled_anew(self):
        net = torch.nn.Linear(4, 4).eval()
        x = torch.randn(3, 4)
        run = compiled(net)
        with torch.no_grad():
            torch.testing.assert_close(run(x), net(x))
            net.weight.data = net.weight.data * -3
            torch.testing.assert_close(run(x), net(x))

    def test_weights_of_inference_mode(self):
        with torch.inference_mode():
            net = torch.nn.Linear(4, 4).eval()
            self.assertTrue(net.weight.is_inference())
            self.same(net, torch.randn(3, 4))

    def test_what_cannot_be_exported_runs_in_torch(self):
        class Net(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.a, self.b = torch.nn.Linear(6, 6), torch.nn.Linear(6, 6)

            def forward(self, x):
                x = torch.relu(self.a(x)) + 4 * torch.eye(6)  # far from singular: else the last bits decide what qr gives
                x, _ = torch.linalg.qr(x)
                return self.b(x) + 1

        run, told = self.same(Net(), torch.randn(6, 6), fallbacks=1)
        self.assertIn("qr", told[0])
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("error")
            run(torch.randn(6, 6))  # told once

    def test_what_is_not_a_function_of_its_inputs_runs_in_torch(self):
        class Counts(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("count", torch.zeros(1))

            def forward(self, x):
                self.count.add_(1)
                return x * 2 + self.count

        net = Counts()
        run = compiled(net)
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for turn in range(1, 4):
                self.assertEqual(run(torch.zeros(2))[0].item(), turn)
        dropout = compiled(torch.nn.Dropout(0.5).train())
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x = torch.ones(64, 64)
            self.assertFalse(torch.equal(dropout(x), dropout(x)))
        self.same(torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5)), torch.ones(2, 4))

    def test_programs_of_the_exporter(self):
        net, x = torch.nn.Sequential(torch.nn.Linear(40, 30), torch.nn.ReLU(), torch.nn.Linear(30, 2)).eval(), torch.randn(3, 40)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program, wanted = torch.onnx.export(net, (x,), dynamo=True, verbose=False), net(x)
        torch.testing.assert_close(sinter.compile(program)(x), wanted, rtol=1e-4, atol=1e-4)
        self.assertEqual(sinter.check(program), [])
        with tempfile.TemporaryDirectory() as folder:
            sinter.export(program, f"{folder}/exported.onnx")
            torch.testing.assert_close(sinter.compile(f"{folder}/exported.onnx")(x), wanted, rtol=1e-4, atol=1e-4)

    def test_gradients(self):
        net = torch.nn.Linear(4, 4)
        run = compiled(net)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            run(torch.ones(2, 4)).sum().backward()
        self.assertTrue(any("gradients are asked for" in str(w.message) for w in told))
        self.assertIsNotNone(net.weight.grad)

    def test_tensors_of_torch(self):
        run = sinter.export(torch.nn.ReLU(), (torch.randn(2, 3),), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
        x = torch.randn(5, 3)
        self.assertIsInstance(run(x), torch.Tensor)
        torch.testing.assert_close(run(x), x.relu())
        torch.testing.assert_close(run(x.clone().requires_grad_()), x.relu())
        torch.testing.assert_close(run(torch.randn(3, 5).t()[:, ::1].contiguous().flip(0)).shape, torch.Size([5, 3]))
        view = torch.randn(3, 5).t()
        torch.testing.assert_close(run(view), view.relu())
        with self.assertRaisesRegex(sinter.InvalidArgumentError, "overlaps input"):
            run(x, out=x)
        out = torch.empty(5, 3)
        self.assertIs(run(x, out=out), out)
        torch.testing.assert_close(out, x.relu())
        self.assertIsInstance(run(x.numpy()), np.ndarray)
        half = sinter.export(torch.nn.ReLU(), (torch.randn(2, 3, dtype=torch.bfloat16),))
        x = torch.randn(2, 3, dtype=torch.bfloat16)
        torch.testing.assert_close(half(x), x.relu())

    def test_conjugate_and_negative_views(self):
        from ctypes import c_float

        run = sinter.export(torch.nn.ReLU(), (torch.randn(2, 3),))
        z = torch.randn(2, 3, dtype=torch.complex64)
        negative = z.conj().imag
        self.assertTrue(negative.is_neg())
        torch.testing.assert_close(run(negative), negative.relu())
        with self.assertRaisesRegex(ValueError, "output .* is a conjugate or negative view"):
            run(torch.ones(2, 3), out=torch.zeros(2, 3, dtype=torch.complex64).conj().imag)
        # No operator takes complex numbers as they are, so this looks at what a library is handed.
        session, keep = run.session(), []
        session._write([z.conj()], keep)
        parts = (c_float * 12).from_address(session._inputs[0].tensor.data)
        self.assertEqual(list(parts), torch.view_as_real(z.conj().resolve_conj()).ravel().tolist())

    def test_the_backend_is_found_by_name(self):
        from importlib.metadata import entry_points

        if not any(entry.name == "sinter" for entry in entry_points(group="torch_dynamo_backends")):
            self.skipTest("the package is not installed, only imported")
        net = torch.nn.Linear(4, 4).eval()
        torch._dynamo.reset()
        with torch.no_grad():
            torch.testing.assert_close(torch.compile(net, backend="sinter")(torch.ones(2, 4)), net(torch.ones(2, 4)))


if __name__ == "__main__":
    unittest.main()
