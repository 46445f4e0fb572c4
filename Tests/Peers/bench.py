#!/usr/bin/env python3
"""Times compiled models beside ONNX Runtime, and holds their outputs against its outputs.

    bench.py --sinter .build/release/sinter model.onnx --size batch=8 --size sequence=128

Both run in this process, in turns, on the same random inputs; the medians of all calls are printed. A named size that is
not given is 1. Integer inputs are random in 0..<100, or 0 and 1 where the name ends in `mask`.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime

sys.path.insert(0, str(Path(__file__).parents[1] / "Conformance"))
from library import Library  # noqa: E402

ROUNDS = 5


def random_inputs(library, sizes, dimension_names):
    generator = np.random.default_rng(0)
    for port, names in zip(library.inputs, dimension_names):
        shape = [n if n >= 0 else sizes.get(name, 1) for n, name in zip(port.shape, names)]
        if port.dtype.kind == "f":
            yield generator.standard_normal(shape).astype(port.dtype)
        elif port.name.endswith("mask"):
            yield np.ones(shape, port.dtype)
        else:
            yield generator.integers(0, 2 if port.dtype == bool else 100, shape).astype(port.dtype)


def peer(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def milliseconds_of(call, budget):
    """Times of single calls for `budget` seconds, after one that does not count."""
    call()
    times, end = [], time.perf_counter() + budget
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def bench(path, arguments, sizes, folder):
    compiled = str(Path(folder, Path(path).stem + ".so"))
    start = time.perf_counter()
    subprocess.run([arguments.sinter, "compile", path, "-o", compiled], check=True, stdout=subprocess.DEVNULL)
    compile_time = time.perf_counter() - start
    runtime = peer(path, arguments.threads)
    library = Library(compiled)
    inputs = list(random_inputs(library, sizes, [port.shape for port in runtime.get_inputs()]))
    feeds = {port.name: value for port, value in zip(runtime.get_inputs(), inputs)}
    with library.open(arguments.threads) as session:
        worst = 0.0
        for ours, theirs in zip(session.run(inputs), runtime.run(None, feeds)):
            if np.shape(ours) != np.shape(theirs):
                return f"wrong shape {np.shape(ours)}, expected {np.shape(theirs)}"
            if ours.size and ours.dtype.kind in "fiub":
                scale = max(float(np.abs(theirs).max()), 1e-9)
                worst = max(worst, float(np.abs(ours.astype("f8") - theirs.astype("f8")).max()) / scale)
        ours_ms, theirs_ms = [], []
        for _ in range(ROUNDS):
            ours_ms += milliseconds_of(lambda: session.run(inputs), arguments.seconds / ROUNDS)
            theirs_ms += milliseconds_of(lambda: runtime.run(None, feeds), arguments.seconds / ROUNDS)
    ours_ms, theirs_ms = statistics.median(ours_ms), statistics.median(theirs_ms)
    return (f"{ours_ms:9.3f} ms, ONNX Runtime {theirs_ms:9.3f} ms, ratio {ours_ms / theirs_ms:5.2f}, "
            f"largest difference {worst:.1e}, compiled in {compile_time:.1f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="ONNX files")
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    parser.add_argument("--size", action="append", default=[], metavar="NAME=N", help="the value of a named size")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2, help="for each model and side (2)")
    arguments = parser.parse_args()
    sizes = {name: int(value) for name, _, value in (entry.partition("=") for entry in arguments.size)}
    failed = False
    with tempfile.TemporaryDirectory(prefix="sinter-bench-") as folder:
        for path in arguments.models:
            try:
                print(f"{Path(path).stem:24} {bench(path, arguments, sizes, folder)}", flush=True)
            except Exception as error:  # one model must not end the others
                failed = True
                print(f"{Path(path).stem:24} failed: {type(error).__name__}: {error}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
