#!/usr/bin/env python3
"""Runs the official ONNX backend suite through `sinter compile` and the compiled libraries.

    conformance.py --sinter .build/release/sinter                          # all of it
    conformance.py --sinter .build/release/sinter --only conv --verbose    # tests whose name matches
    conformance.py --sinter .build/release/sinter --baseline passing.txt   # exactly these pass

A test passes when its model compiles, the library has the model's ports, and two runs in one session give for each data
set what the suite expects: kind, element type, shape, and values (floats within the suite's tolerance, all else
exactly). Each test loads its library in a process of its own, so that a crash or an endless loop fails only itself.

With a baseline, a file of names, the run fails where a listed test does not pass, and where one passes that is not listed;
`--bless`, or SINTER_BLESS=1, writes the list anew.
"""

import argparse
import json
import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy only compares here, and forks need no threads

import ml_dtypes
import numpy as np

import suite
from child import Died, forked
from library import Library, LibraryError

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


def check_library(test, path, send):
    """In a child process: loads and runs the library at `path`; sends each stage's name, and (kind, detail) of a failure."""
    try:
        send("load")
        library = Library(path)
        for role, ports in (("inputs", library.inputs), ("outputs", library.outputs)):
            if [port.name for port in ports] != test[role]:
                raise Failure("wrong port", f"the {role} are {[port.name for port in ports]}, expected {test[role]}")
        with library.open() as session:
            for inputs, outputs in pickle.loads(Path(test["folder"], "data.pickle").read_bytes()):
                for attempt in ("first run", "second run"):
                    send(attempt)
                    try:
                        results = session.run(inputs)
                    except LibraryError as error:
                        raise Failure("run error", str(error)) from error
                    for port, expected, actual in zip(library.outputs, outputs, results, strict=True):
                        compare(expected, actual, test["relative"], test["absolute"], port.name)
                    for port, value in zip(library.inputs + library.outputs, inputs + results, strict=True):
                        if refusal := port.refusal(value):
                            raise Failure("wrong port", refusal)
            send("close")
        send("done")
    except Failure as failure:
        send((failure.kind, failure.detail))
    except (LibraryError, OSError, AttributeError, ValueError) as error:
        send(("load error", f"{type(error).__name__}: {error}"))


def compile_model(test, sinter, path, seconds, flags=()):
    command = [sinter, "compile", str(Path(test["folder"], "model.onnx")), "-o", path, *flags]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=seconds)
    except subprocess.TimeoutExpired:
        raise Failure("time-out", f"compile took over {seconds} s") from None
    if done.returncode < 0:
        raise Failure("crash", f"compile: {signal.Signals(-done.returncode).name}")
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode} without a message"]
        raise Failure("compile error", "\n".join(lines[:5]))


def run_library(test, path, seconds):
    stage = "start"
    try:
        with forked(lambda send: check_library(test, path, send), seconds) as messages:
            for message in messages:
                if isinstance(message, str):
                    stage = message
                elif message:
                    raise Failure(*message)
    except Died as death:
        if str(death) == "time-out":
            raise Failure("time-out", f"{stage} took over {seconds} s") from None
        raise Failure("crash", f"{stage}: {death}") from None
    if stage != "done":
        raise Failure("crash", f"{stage}: no more was heard")


def run_test(test, sinter, seconds):
    start = time.monotonic()
    result = {key: test[key] for key in ("name", "group", "operator")} | {"failure": None, "detail": None}
    with tempfile.TemporaryDirectory(prefix="sinter-conformance-") as folder:
        path = str(Path(folder, "model.so"))
        try:
            compile_model(test, sinter, path, seconds)
            run_library(test, path, seconds)
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


def against_baseline(results, path, only, blesses):
    """Holds the results against the list of what passes; gives how many agree and how many do not."""
    listed = {name for name in path.read_text().split() if re.search(only, name)} if path.exists() else set()
    ran = {result["name"]: result for result in results}
    passed = {name for name, result in ran.items() if not result["failure"]}
    if blesses:
        kept = [name for name in path.read_text().split() if not re.search(only, name)] if path.exists() else []
        path.write_text("".join(f"{name}\n" for name in sorted({*kept, *passed})))
        print(f"\n{path}: {len(passed - listed)} added, {len(listed - passed)} removed")
        return len(passed), 0
    for name in sorted(listed - passed):
        result = ran.get(name, {"failure": "missing", "detail": "the suite has no such test"})
        print(f"{name} is listed in {path}, but does not pass: {result['failure']}: {result['detail']}")
    for name in sorted(passed - listed):
        print(f"{name} passes now: add it to {path}, or have SINTER_BLESS=1 write the list anew")
    print(f"\n{len(ran.keys() - passed - listed)} more do not pass, as is known")
    return len(listed & passed), len(listed ^ passed)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    parser.add_argument("--only", default="", help="a regular expression; tests whose name has a match are run")
    parser.add_argument("--jobs", type=int, default=2, help="tests at once (2)")
    parser.add_argument("--timeout", type=float, default=240, help="seconds for compiling, and for each step of running (240)")
    parser.add_argument("--baseline", type=Path, help="the list of the tests that pass, and of no others")
    parser.add_argument("--bless", action="store_true", help="writes the baseline instead of comparing with it")
    parser.add_argument("--json", type=Path, help="writes each test's result to this file")
    parser.add_argument("--failed-in", type=Path, help="runs only what failed according to such a file")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where the suite is kept between runs")
    parser.add_argument("--verbose", action="store_true", help="prints each failure as it happens")
    arguments = parser.parse_args()
    if arguments.baseline and arguments.failed_in:
        parser.error("--baseline and --failed-in do not go together")
    tests = [test for test in suite.load(arguments.folder) if re.search(arguments.only, test["name"])]
    if arguments.failed_in:
        failed = {result["name"] for result in json.loads(arguments.failed_in.read_text()) if result["failure"]}
        tests = [test for test in tests if test["name"] in failed]
    sinter = str(Path(arguments.sinter).resolve())
    results, start = [], time.monotonic()
    with ProcessPoolExecutor(arguments.jobs, multiprocessing.get_context("fork")) as pool:
        for done in as_completed([pool.submit(run_test, test, sinter, arguments.timeout) for test in tests]):
            results.append(result := done.result())
            if arguments.verbose and result["failure"]:
                print(f"{result['name']}: {result['failure']}: {result['detail']}", flush=True)
            elif len(results) % 100 == 0:
                failed = sum(1 for result in results if result["failure"])
                print(f"{len(results)} of {len(tests)}, {failed} failed, {time.monotonic() - start:.0f} s", flush=True)
    results.sort(key=lambda result: (result["group"], result["name"]))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    if not results:
        print("no test ran")
        return 1
    passed, failed = summarize(results)
    if arguments.baseline:
        blesses = arguments.bless or os.environ.get("SINTER_BLESS", "0") not in ("", "0")
        passed, failed = against_baseline(results, arguments.baseline, arguments.only, blesses)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
