#!/usr/bin/env python3
"""Times compiled models beside those of Sinter's peers that are installed, and holds the outputs against theirs.

    bench.py --sinter .build/release/sinter model.onnx --size batch=8 --threads 1,2 --markdown table.md

Peers are ONNX Runtime, OpenVINO, PyTorch where MODEL.pt2 or MODEL.pt lies beside the ONNX file, and llama.cpp where MODEL.gguf does. Each system runs in a process
of its own, on the same random inputs; they take turns, and who waits is stopped, so that its threads disturb nobody. The medians of
all calls are printed. A system whose outputs differ from the first peer's by more than 1e-3 of the largest magnitude (5e-3 where the
model holds floats of 16 bits, 0.1 where it rounds activations to bytes: a float that differs in its last bit may be another byte) is not
timed. A named size that is not given is 1. Inputs come from MODEL.npz beside the ONNX file if it is there; otherwise floats are normally
distributed, and integers random in 0..<100, 0 or 1 where the name has `type` in it, and 1 where it ends in `mask`.
"""

import argparse
import json
import math
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx

import peers

ROUNDS = 5
TOLERANCE, TOLERANCE_OF_HALVES = 1e-3, 5e-3
# ONNX Runtime's results of bert_base in bytes with its optimizations and without them are 0.074 apart.
TOLERANCE_OF_BYTES = 1e-1


class Child:
    """One system with one model, stopped unless it is its turn."""

    def __init__(self, system, arguments, folder):
        self.outputs_path = folder / f"{system}.npz"
        self.errors = open(folder / f"{system}.log", "w+")
        self.process = subprocess.Popen(
            [sys.executable, peers.__file__, system, *arguments[:3], self.outputs_path, arguments[3]],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.answer()
        self.process.send_signal(signal.SIGSTOP)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise RuntimeError((self.errors.read().strip() or "ended without a word").splitlines()[-1][:300])
        return line

    def outputs(self):
        with np.load(self.outputs_path, allow_pickle=True) as file:
            return [file[key] for key in file.files]

    def seconds(self, count):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        times = json.loads(self.answer())
        self.process.send_signal(signal.SIGSTOP)
        return [time * 1e-9 for time in times]

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.errors.close()


def make_inputs(path, sizes):
    """Values for the inputs that have no initializer, by name."""
    given = Path(path).with_suffix(".npz")
    if given.exists():
        with np.load(given) as file:
            return {name: file[name] for name in file.files}
    graph = onnx.load(path, load_external_data=False).graph
    initialized = {tensor.name for tensor in graph.initializer}
    generator = np.random.default_rng(0)
    inputs = {}
    for port in graph.input:
        if port.name in initialized:
            continue
        tensor = port.type.tensor_type
        shape = [sizes.get(dim.dim_param, 1) if dim.dim_param else dim.dim_value for dim in tensor.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if dtype.kind == "f":
            inputs[port.name] = generator.standard_normal(shape).astype(dtype)
        elif port.name.endswith("mask"):
            inputs[port.name] = np.ones(shape, dtype)
        else:
            inputs[port.name] = generator.integers(0, 2 if dtype == bool or "type" in port.name else 100, shape).astype(dtype)
    return inputs


def distance(ours, theirs):
    """The largest difference, relative to the largest magnitude; infinity where shapes differ."""
    worst = 0.0
    for a, b in zip(ours, theirs, strict=True):
        if a.shape != b.shape:
            return math.inf
        if a.size and a.dtype.kind in "fiub":
            a, b = a.astype("f8"), b.astype("f8")
            difference = np.abs(a - b).max() / max(float(np.abs(b).max()), 1e-9)
            worst = max(worst, math.inf if np.isnan(difference) else float(difference))
    return worst


def tolerance(path):
    """What outputs may differ by, as a share of the largest."""
    graph = onnx.load(path, load_external_data=False).graph
    halves = {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}
    if any(rounds_to_bytes(node) for node in graph.node):
        return TOLERANCE_OF_BYTES
    return TOLERANCE_OF_HALVES if any(tensor.data_type in halves for tensor in graph.initializer) else TOLERANCE


def rounds_to_bytes(node):
    """Whether a node rounds floats to bytes, or may."""
    if node.op_type == "MatMulNBits":
        return any(attribute.name == "accuracy_level" and attribute.i == 4 for attribute in node.attribute)
    return node.op_type.startswith(("QLinear", "Dynamic")) or node.op_type == "QuantizeLinear"


def bench(path, library, compile_seconds, threads, arguments, folder):
    """The figures of one model on so many threads."""
    inputs_path = folder / "inputs.npz"
    np.savez(inputs_path, **make_inputs(path, arguments.sizes))
    result = {"model": label(path), "threads": threads, "compile_s": compile_seconds, "median_ms": {}, "problems": {}}
    children = {}
    try:
        for system in peers.available(path):
            if system not in ("sinter", *arguments.peers):
                continue
            try:
                children[system] = Child(system, [path, library, inputs_path, str(threads)], folder)
            except RuntimeError as problem:
                result["problems"][system] = str(problem)
        allowed = tolerance(path)
        reference = next((name for name in children if name != "sinter"), None)
        expected = children[reference].outputs() if reference else None
        for system in list(children):
            if reference and system != reference:
                worst = distance(children[system].outputs(), expected[:peers.SYSTEMS[system].outputs_given])
                if system == "sinter":
                    result["difference"] = worst
                if worst > allowed:
                    result["problems"][system] = f"outputs differ from those of {reference} by {worst:.1e}"
                    children.pop(system).stop()
        times = take_turns(children, arguments.seconds)
        result["median_ms"] = {system: statistics.median(all_times) * 1e3 for system, all_times in times.items()}
    finally:
        for child in children.values():
            child.stop()
    return result


def take_turns(children, seconds):
    counts = {}
    for system, child in children.items():  # warms up, and tells how many calls fill a turn
        times = child.seconds(2)
        start, spent = time.monotonic(), list(times)
        while time.monotonic() - start < min(0.2, seconds):
            spent += child.seconds(max(1, int(0.05 / max(min(spent), 1e-6))))
        counts[system] = max(1, min(20000, int(seconds / ROUNDS / max(min(spent), 1e-6))))
    times = {system: [] for system in children}
    for _ in range(ROUNDS):
        for system, child in children.items():
            child.seconds(1)  # brings the caches back
            times[system] += child.seconds(counts[system])
    return times


def label(path):
    return Path(path).stem if Path(path).stem != "model" else Path(path).resolve().parent.name


def rows(results):
    """Cells of a table: a column for each system, and how much faster Sinter is than the best of the others."""
    systems = [name for name in peers.SYSTEMS if any(name in result["median_ms"] for result in results)]
    head = ["model", "threads"] + [f"{name}, ms" for name in systems] + ["best peer / sinter", "difference"]
    lines = []
    for result in results:
        times = result["median_ms"]
        best = min((value for name, value in times.items() if name != "sinter"), default=None)
        ratio = f"{best / times['sinter']:.2f}" if best and "sinter" in times else ""
        difference = f"{result['difference']:.0e}" if "difference" in result else ""
        cells = [f"{times[name]:.3g}" if name in times else "" for name in systems]
        lines.append([result["model"], str(result["threads"])] + cells + [ratio, difference])
    return head, lines


def markdown(results):
    head, lines = rows(results)
    text = f"Median latency on {processor()}; {versions()}. A ratio above 1 means that Sinter is faster than the best peer.\n\n"
    for line in [head, ["---"] + ["---:"] * (len(head) - 1)] + lines:
        text += "| " + " | ".join(line) + " |\n"
    for result in results:
        for system, problem in result["problems"].items():
            text += f"\n{system} on {result['model']}, {result['threads']} threads: {problem}\n"
    return text


def processor():
    try:
        names = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
        return f"{names[0]}, {len(names)} processors"
    except (OSError, IndexError):
        return platform.machine()


def versions():
    installed = [
        f"{name} {version(getattr(system, 'package', system.module))}" for name, system in peers.SYSTEMS.items()
        if system.module and peers.importlib.util.find_spec(system.module)]
    return ", ".join(installed) or "no peer is installed"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", help="ONNX files")
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    parser.add_argument("--size", action="append", default=[], metavar="NAME=N", help="the value of a named size")
    parser.add_argument("--threads", default="1", help="numbers of threads with commas between (1)")
    parser.add_argument("--seconds", type=float, default=2, help="for each model and system (2)")
    parser.add_argument("--peers", default=",".join(name for name in peers.SYSTEMS if name != "sinter"), metavar="NAMES",
                        help="the peers to run, with commas between (all that are installed: %(default)s)")
    parser.add_argument("--json", help="a file for all figures")
    parser.add_argument("--markdown", help="a file for the table")
    arguments = parser.parse_args()
    arguments.sizes = {name: int(value) for name, _, value in (entry.partition("=") for entry in arguments.size)}
    arguments.peers = arguments.peers.split(",")
    if unknown := [name for name in arguments.peers if name not in peers.SYSTEMS]:
        parser.error(f"no peer is called {', '.join(unknown)}; known are {', '.join(peers.SYSTEMS)}")
    results, failed = [], False
    print(f"{processor()}; {versions()}", flush=True)
    for path in arguments.models:
        with tempfile.TemporaryDirectory(prefix="sinter-bench-") as name:
            library, start = f"{name}/model.so", time.monotonic()
            try:
                subprocess.run([arguments.sinter, "compile", path, "-o", library], check=True)
                compile_seconds = time.monotonic() - start
                for threads in map(int, arguments.threads.split(",")):
                    results.append(bench(path, library, compile_seconds, threads, arguments, Path(name)))
                    head, lines = rows(results[-1:])
                    print("  ".join(f"{key} {value}" for key, value in zip(head, lines[0]) if value), flush=True)
                    for system, problem in results[-1]["problems"].items():
                        failed = failed or system == "sinter"
                        print(f"  {system}: {problem}", flush=True)
            except Exception as error:  # one model must not end the others
                failed = True
                print(f"{label(path)} failed: {type(error).__name__}: {error}", flush=True)
    if arguments.json:
        about = {"processor": processor(), "versions": versions(), "results": results}
        Path(arguments.json).write_text(json.dumps(about, indent=2) + "\n")
    if arguments.markdown:
        Path(arguments.markdown).write_text(markdown(results))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
