#!/usr/bin/env python3
"""Times torch.compile with Sinter behind it beside inductor: seconds to the first result, from nothing compiled, and then milliseconds a call.

    bench_torch.py --sinter .build/release/sinter resnet18 bert lstm

Each backend is a process of its own, with empty caches. First results are measured one after the other, calls in turns, since machines change their
speed; the fastest call counts. Results are held against the module as it is.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODELS = ("resnet18", "bert", "lstm", "lstm_batch")


def network(name):
    """A module in evaluation mode with random weights, and its arguments."""
    import torch

    sys.path.insert(0, str(HERE / "models"))
    from torchvision_import import torchvision

    torch.manual_seed(0)
    if name == "resnet18":
        return torchvision.models.resnet18().eval(), (torch.randn(1, 3, 224, 224),)
    if name == "bert":
        import transformers

        config = transformers.BertConfig(num_hidden_layers=4)
        return transformers.BertModel(config).eval(), (torch.randint(0, config.vocab_size, (1, 128)),)

    inputs, hidden, batch = {"lstm": (512, 512, 1), "lstm_batch": (128, 256, 8)}[name]

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = torch.nn.LSTM(inputs, hidden, num_layers=2)
            self.head = torch.nn.Linear(hidden, 10)

        def forward(self, x):
            return self.head(self.lstm(x)[0][-1])

    return Net().eval(), (torch.randn(64, batch, inputs),)


def worker(name, backend, threads):
    import torch

    torch.set_num_threads(threads)
    torch._dynamo.config.allow_rnn = True  # dynamo leaves recurrent layers to torch otherwise
    if backend == "sinter":
        import warnings

        import sinter.torch

        warnings.simplefilter("error", sinter.torch.TorchFallbackWarning)
    module, args = network(name)

    def values(result):
        return result if isinstance(result, torch.Tensor) else result[0]

    with torch.no_grad():
        start = time.perf_counter()
        run = torch.compile(module, backend=sinter.torch.backend if backend == "sinter" else backend)
        got = values(run(*args))
        first = time.perf_counter() - start
        torch.testing.assert_close(got, values(module(*args)), rtol=2e-3, atol=2e-3)
        print(first, flush=True)
        for line in sys.stdin:
            end, times = time.perf_counter() + float(line), []
            while time.perf_counter() < end or not times:
                start = time.perf_counter()
                run(*args)
                times.append(time.perf_counter() - start)
            print(min(times) * 1e3, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=MODELS, help=", ".join(MODELS))
    parser.add_argument("--sinter", required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--worker", nargs=2, metavar=("MODEL", "BACKEND"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return worker(*options.worker, options.threads)
    import torch

    processor = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    print(f"{processor}; torch {torch.__version__}; {options.threads} threads\n")
    print("| model | Sinter, ms | inductor, ms | ratio | first result, s | inductor, s | ratio |\n|---|---|---|---|---|---|---|", flush=True)
    for name in options.models:
        workers, first, best = {}, {}, {}
        with tempfile.TemporaryDirectory() as caches:
            for backend in "sinter", "inductor":
                environment = {
                    **os.environ, "SINTER_COMMAND": os.path.abspath(options.sinter), "TORCHINDUCTOR_CACHE_DIR": f"{caches}/{backend}",
                    "XDG_CACHE_HOME": f"{caches}/{backend}-cache",
                    "PYTHONPATH": f"{HERE.parents[1] / 'python' / 'src'}:{os.environ.get('PYTHONPATH', '')}"}
                workers[backend] = subprocess.Popen(
                    [sys.executable, __file__, "--sinter", options.sinter, "--threads", str(options.threads), "--worker", name, backend],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
                first[backend] = float(workers[backend].stdout.readline())
            for _ in range(options.rounds):
                for backend, process in workers.items():
                    process.stdin.write("0.7\n")
                    process.stdin.flush()
                    best[backend] = min(best.get(backend, 1e9), float(process.stdout.readline()))
            for process in workers.values():
                process.stdin.close()
                process.wait()
        print(
            f"| {name} | {best['sinter']:.2f} | {best['inductor']:.2f} | {best['inductor'] / best['sinter']:.2f} "
            f"| {first['sinter']:.1f} | {first['inductor']:.1f} | {first['sinter'] / first['inductor']:.2f} |", flush=True)


if __name__ == "__main__":
    main()
