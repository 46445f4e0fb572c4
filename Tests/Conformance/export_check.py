#!/usr/bin/env python3
"""Holds what `sinter export` writes beside the file it came from: in onnxruntime and OpenVINO, results and speed.

    export_check.py --sinter .build/release/sinter resnet50.onnx bert.onnx

Results must agree up to a thousandth of the largest. Times are the best of several runs on one thread, each runtime with its own
optimizations, the two files by turns, in three pairs of sessions, since one session may lie worse in memory than another. A runtime that is
not installed is told and skipped. It fails where results differ, where a runtime takes the original alone, and where the geometric mean of
onnxruntime's speed, the exported file's beside the original's, is under `--least`.
"""

import argparse
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime


def inputs(model, size):
    """Random inputs; open sizes become `size`, and so do negative ones, which some files declare."""
    generator = np.random.default_rng(3)
    stored = {tensor.name for tensor in model.graph.initializer}
    feed = {}
    for port in model.graph.input:
        if port.name in stored:
            continue
        tensor = port.type.tensor_type
        shape = [dimension.dim_value if dimension.dim_value > 0 else size for dimension in tensor.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        whole = np.issubdtype(dtype, np.integer)
        feed[port.name] = generator.integers(0, 2, shape).astype(dtype) if whole or dtype == bool else generator.standard_normal(shape).astype(dtype)
    return feed


def onnxruntime_session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda feed: session.run(None, feed)


def openvino_session(path):
    import openvino

    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"})
    request = compiled.create_infer_request()
    return lambda feed: [np.array(value) for value in request.infer(feed).values()]


RUNTIMES = {"onnxruntime": onnxruntime_session, "OpenVINO": openvino_session}


def best(runs, feed, seconds):
    """The shortest time of each run, by turns, and at least two of each."""
    times, start, rounds = [math.inf] * len(runs), time.perf_counter(), 0
    while rounds < 2 or time.perf_counter() - start < seconds:
        for index, run in enumerate(runs):
            begin = time.perf_counter()
            run(feed)
            times[index] = min(times[index], time.perf_counter() - begin)
        rounds += 1
    return times


def difference(ours, theirs):
    worst = 0.0
    for a, b in zip(ours, theirs, strict=True):
        if a.shape != b.shape or a.dtype != b.dtype:
            return math.inf
        scale = max(float(np.abs(b[np.isfinite(b)]).max(initial=0)), 1e-30) if b.dtype.kind == "f" else 1
        worst = max(worst, float(np.abs(a.astype(np.float64) - b).max(initial=0)) / scale)
    return worst


def check(sinter, path, folder, size, seconds):
    """The ratio of speeds in onnxruntime, or None, and what is wrong."""
    written, problems, ratio = str(Path(folder, "exported.onnx")), [], None
    done = subprocess.run([sinter, "export", path, "-o", written], capture_output=True, text=True)
    if done.returncode:
        print(f"{path} is not exported: {done.stderr.strip()[:200]}", flush=True)
        return None, ["is not exported"]
    feed, told = inputs(onnx.load(path, load_external_data=False), size), []
    for name, session in RUNTIMES.items():
        try:
            original = session(path)
            expected = original(feed)
        except ImportError:
            told.append(f"{name} is not installed")
            continue
        except Exception as error:  # a file that the runtime does not take
            told.append(f"{name} does not run the original: {str(error).strip().splitlines()[0][:80]}")
            continue
        try:
            exported = session(written)
            distance = difference(exported(feed), expected)
        except Exception as error:  # whatever the runtime raises
            problems.append(f"{name} does not run the exported file: {str(error).strip().splitlines()[0][:200]}")
            continue
        if not distance <= 1e-3:
            problems.append(f"{name}'s results differ by {distance:.2g}")
        before, after = best([original, exported], feed, seconds / 3)
        for _ in range(2):
            original = exported = None
            exported, original = session(written), session(path)  # the first may get the better memory
            again = best([original, exported], feed, seconds / 3)
            before, after = min(before, again[0]), min(after, again[1])
        told.append(f"{name} {before * 1e3:.3f} → {after * 1e3:.3f} ms ({before / after:.2f})")
        ratio = before / after if name == "onnxruntime" else ratio
    nodes = [len(onnx.load(file, load_external_data=False).graph.node) for file in (path, written)]
    print(f"{Path(path).stem if Path(path).stem != 'model' else Path(path).parent.name:22} {nodes[0]:5} → {nodes[1]:4} nodes; {'; '.join(told + problems)}", flush=True)
    return ratio, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="ONNX files")
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    parser.add_argument("--size", type=int, default=1, help="number for sizes that a file leaves open (1)")
    parser.add_argument("--seconds", type=float, default=3, help="how long each pair of files is timed in a runtime (3)")
    parser.add_argument("--least", type=float, default=0.98, help="the least geometric mean of speeds (0.98, since times scatter)")
    arguments = parser.parse_args()
    ratios, failed = [], 0
    for path in arguments.models:
        with tempfile.TemporaryDirectory(prefix="sinter-export-") as folder:
            ratio, problems = check(str(Path(arguments.sinter).resolve()), path, folder, arguments.size, arguments.seconds)
        failed += bool(problems)
        ratios += [ratio] if ratio else []
    mean = math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else 0
    print(f"{len(arguments.models) - failed} of {len(arguments.models)} files agree; onnxruntime runs {len(ratios)} exported files {mean:.3f} times as fast")
    good = not failed and mean >= arguments.least
    print("PASS" if good else "FAIL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
