#!/usr/bin/env python3
"""Runs the official ONNX backend suite through `sinter compile` and the compiled libraries.

    conformance.py --sinter .build/release/sinter                       # all of it
    conformance.py --sinter .build/release/sinter --only conv --verbose # tests whose name matches

A test passes when its model compiles, the library has the model's ports, and two runs in one session give for each data
set what the suite expects: kind, element type, shape, and values (floats within the suite's tolerance, all else
exactly). Each test loads its library in a process of its own, so that a crash or an endless loop fails only itself.
"""

import argparse
import json
import multiprocessing
import pickle
import re
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ml_dtypes
import numpy as np

import suite
from library import Library, LibraryError

MEMORY = 16 << 30
DEFAULT_FOLDER = Path(__file__).parents[2] / ".build" / "conformance"


class Failure(Exception):
    """A test that failed: what kind of failure, and the details."""

    def __init__(self, kind, detail):
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail


# Comparing


def compare(expected, actual, relative, absolute, where):
    """Raises Failure where `actual` is not what is expected."""
    if isinstance(expected, dict):
        if not isinstance(actual, dict):
            raise Failure("wrong kind", f"{where}: {type(actual).__name__}, expected a map")
        expected, actual = [np.array(list(side)) for m in (expected,) for side in (m.keys(), m.values())], [
            np.array(list(side)) for m in (actual,) for side in (m.keys(), m.values())]
    if isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            got = f"a sequence of {len(actual)}" if isinstance(actual, list) else type(actual).__name__
            raise Failure("wrong kind", f"{where}: {got}, expected a sequence of {len(expected)}")
        for i, pair in enumerate(zip(expected, actual)):
            compare(*pair, relative, absolute, f"{where}[{i}]")
        return
    if expected is None or not isinstance(actual, np.ndarray):
        if expected is not actual:
            raise Failure("wrong kind", f"{where}: {type(actual).__name__}, expected {type(expected).__name__}")
        return
    if expected.dtype.kind in "OUS":
        expected = np.vectorize(lambda s: s.decode() if isinstance(s, bytes) else str(s), otypes=[object])(expected) \
            if expected.size else expected.astype(object)
    if actual.dtype != expected.dtype:
        raise Failure("wrong type", f"{where}: {actual.dtype}, expected {expected.dtype}")
    if actual.shape != expected.shape:
        raise Failure("wrong shape", f"{where}: {actual.shape}, expected {expected.shape}")
    wrong = ~agreement(expected, actual, relative, absolute)
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise Failure(
            "wrong values", f"{where}: {wrong.sum()} of {wrong.size}, first {actual[at]!r} at {list(at)}, "
            f"expected {expected[at]!r}")


def agreement(expected, actual, relative, absolute):
    """Elementwise: exact for all but floats and complex numbers; NaN agrees with NaN, an infinity with itself."""
    dtype = expected.dtype
    if dtype.kind not in "fc" and "float" not in dtype.name:
        return np.asarray(expected == actual)
    if dtype == ml_dtypes.bfloat16:
        relative = max(relative, 2.0**-6)
    wide = complex if dtype.kind == "c" else float
    expected, actual = np.asarray(expected).astype(wide), np.asarray(actual).astype(wide)
    with np.errstate(all="ignore"):
        near = np.abs(actual - expected) <= absolute + relative * np.abs(expected)
        near &= np.isfinite(expected) & np.isfinite(actual)
    return near | (expected == actual) | (np.isnan(expected) & np.isnan(actual))


# One test


def check_library(test, path, report):
    """In a child process: loads and runs the library at `path`; sends its stage, then None or (kind, detail)."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        report.send("load")
        library = Library(path)
        for role, ports in (("inputs", library.inputs), ("outputs", library.outputs)):
            if [port.name for port in ports] != test[role]:
                raise Failure("wrong port", f"the {role} are {[port.name for port in ports]}, expected {test[role]}")
        with library.open() as session:
            for inputs, outputs in pickle.loads(Path(test["folder"], "data.pickle").read_bytes()):
                for attempt in ("first run", "second run"):
                    report.send(attempt)
                    try:
                        results = session.run(inputs)
                    except LibraryError as error:
                        raise Failure("run error", str(error)) from error
                    for port, expected, actual in zip(library.outputs, outputs, results, strict=True):
                        compare(expected, actual, test["relative"], test["absolute"], port.name)
                    for port, value in [*zip(library.inputs, inputs), *zip(library.outputs, results)]:
                        if refusal := port.refusal(value):
                            raise Failure("wrong port", refusal)
            report.send("close")
        report.send(("done", None))
    except Failure as failure:
        report.send(("done", (failure.kind, failure.detail)))
    except (LibraryError, OSError, AttributeError, ValueError) as error:
        report.send(("done", ("load error", f"{type(error).__name__}: {error}")))


def compile_model(test, sinter, path, seconds):
    command = [sinter, "compile", str(Path(test["folder"], "model.onnx")), "-o", path]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failure("time-out", f"compile took over {seconds} s") from None
    if done.returncode < 0:
        raise Failure("crash", f"compile: {signal.Signals(-done.returncode).name}")
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode} without a message"]
        raise Failure("compile error", "\n".join(lines[:5]))


def run_child(test, path, seconds):
    context = multiprocessing.get_context("forkserver")
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=check_library, args=(test, path, send))
    child.start()
    send.close()
    stage, end = "start", time.monotonic() + seconds
    try:
        while receive.poll(max(0, end - time.monotonic())):
            message = receive.recv()
            if isinstance(message, str):
                stage = message
            elif message[1]:
                raise Failure(*message[1])
            else:
                return
        raise Failure("time-out", f"{stage} took over {seconds} s")
    except EOFError:
        child.join()
        code = child.exitcode
        raise Failure("crash", f"{stage}: {signal.Signals(-code).name if code < 0 else f'exit status {code}'}") from None
    finally:
        child.kill()
        child.join()
        receive.close()


def run_test(test, sinter, seconds):
    start = time.monotonic()
    result = {key: test[key] for key in ("name", "group", "operator")} | {"failure": None, "detail": None}
    with tempfile.TemporaryDirectory(prefix="sinter-conformance-") as folder:
        path = str(Path(folder, "model.so"))
        try:
            compile_model(test, sinter, path, seconds)
            run_child(test, path, seconds)
        except Failure as failure:
            result |= {"failure": failure.kind, "detail": failure.detail}
    return result | {"seconds": round(time.monotonic() - start, 3)}


# Reporting


def pattern_of(detail):
    """A message without what is particular to one test, so that equal causes count together."""
    line = re.sub(r"^[Ee]rror: ", "", detail.strip().splitlines()[0])
    line = re.sub(r"(, used .*)? \((node|/).*", "", line)  # where it happened, and what to do
    line = re.sub(r"'[^']*'|\"[^\"]*\"", "'…'", line)
    return re.sub(r"\d+", "N", line)[:150]


def summarize(results):
    failed = [result for result in results if result["failure"]]
    causes = defaultdict(list)
    for result in failed:
        numeric = result["failure"].startswith("wrong")
        causes[result["failure"] + ("" if numeric else ": " + pattern_of(result["detail"]))].append(result["name"])
    if causes:
        print("\nby cause")
        for cause, names in sorted(causes.items(), key=lambda item: -len(item[1]))[:40]:
            print(f"  {len(names):5}  {cause}  (as {names[0]})")
    totals = Counter(result["operator"] for result in results)
    operators = Counter(result["operator"] for result in failed)
    if operators:
        print("\nby operator, failed of all")
        for operator, count in operators.most_common():
            print(f"  {count:5} of {totals[operator]:3}  {operator}")
    slow = sorted(results, key=lambda result: -result["seconds"])[:3]
    print("\nslowest: " + ", ".join(f"{result['name']} {result['seconds']:.1f} s" for result in slow))
    return len(results) - len(failed), len(failed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    parser.add_argument("--only", default="", help="a regular expression; tests whose name has a match are run")
    parser.add_argument("--jobs", type=int, default=2, help="tests at once (2)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for compiling, and again for running (60)")
    parser.add_argument("--json", type=Path, help="writes each test's result to this file")
    parser.add_argument("--failed-in", type=Path, help="runs only what failed according to such a file")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where the suite is kept between runs")
    parser.add_argument("--verbose", action="store_true", help="prints each failure as it happens")
    arguments = parser.parse_args()
    tests = [test for test in suite.load(arguments.folder) if re.search(arguments.only, test["name"])]
    if arguments.failed_in:
        failed = {result["name"] for result in json.loads(arguments.failed_in.read_text()) if result["failure"]}
        tests = [test for test in tests if test["name"] in failed]
    sinter = str(Path(arguments.sinter).resolve())
    results, lock, start = [], threading.Lock(), time.monotonic()

    def one(test):
        result = run_test(test, sinter, arguments.timeout)
        with lock:
            results.append(result)
            if arguments.verbose and result["failure"]:
                print(f"{result['name']}: {result['failure']}: {result['detail']}", flush=True)
            elif len(results) % 100 == 0:
                failed = sum(1 for result in results if result["failure"])
                print(f"{len(results)} of {len(tests)}, {failed} failed, {time.monotonic() - start:.0f} s", flush=True)

    with ThreadPoolExecutor(arguments.jobs) as pool:
        list(pool.map(one, tests))
    results.sort(key=lambda result: (result["group"], result["name"]))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    passed, failed = summarize(results) if results else (0, 0)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
