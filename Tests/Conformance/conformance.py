#!/usr/bin/env python3
"""Runs the official ONNX backend suite through `sinter compile` and the compiled libraries.

    conformance.py --sinter .build/release/sinter                          # all of it
    conformance.py --sinter .build/release/sinter --only conv --verbose    # tests whose name matches
    conformance.py --sinter .build/release/sinter --baseline passing.txt   # exactly these pass
    conformance.py --sinter .build/release/sinter --mode symbolic --excuses excuses/symbolic.txt   # other files of the same meaning: variants.py

A test passes when its model compiles, the library has the model's ports, and two runs in one session give for each data
set what the suite expects: kind, element type, shape, and values (floats within the suite's tolerance, all else
exactly). Each test loads its library in a process of its own, so that a crash or an endless loop fails only itself.

With a baseline, a file of names, the run fails where a listed test does not pass, and where one passes that is not listed;
`--bless`, or SINTER_BLESS=1, writes the list anew. Otherwise the tests that do not pass may be listed in a file of excuses for the mode, each with the
reason: lines of an expression that matches names, and a sentence. The run fails where any other test does not pass, and where an excuse excuses
none.
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
import ulp
import variants
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
            for inputs, outputs in test["data"]:
                for attempt in ("first run", "second run"):
                    send(attempt)
                    try:
                        results = session.run(inputs)
                    except LibraryError as error:
                        raise Failure("run error", str(error)) from error
                    for port, expected, actual in zip(library.outputs, outputs, results, strict=True):
                        compare(expected, actual, test["relative"], test["absolute"], port.name)
                        if isinstance(expected, np.ndarray) and (error := ulp.error(expected, actual)):
                            send({"ulp": error})
                    for port, value in zip(library.inputs + library.outputs, inputs + results, strict=True):
                        if refusal := port.refusal(value):
                            raise Failure("wrong port", refusal)
            send("close")
        send("done")
    except Failure as failure:
        send((failure.kind, failure.detail))
    except (LibraryError, OSError, AttributeError, ValueError) as error:
        send(("load error", f"{type(error).__name__}: {error}"))


def compile_model(model, sinter, path, seconds, flags=()):
    command = [sinter, "compile", str(model), "-o", path, *flags]
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
    """Runs the library in a process of its own; gives the errors in ULP of its results."""
    stage, errors = "start", []
    try:
        with forked(lambda send: check_library(test, path, send), seconds) as messages:
            for message in messages:
                if isinstance(message, str):
                    stage = message
                elif isinstance(message, dict):
                    errors.append(message["ulp"])
                elif message:
                    raise Failure(*message)
    except Died as death:
        if str(death) == "time-out":
            raise Failure("time-out", f"{stage} took over {seconds} s") from None
        raise Failure("crash", f"{stage}: {death}") from None
    if stage != "done":
        raise Failure("crash", f"{stage}: no more was heard")
    return errors


def files(test, mode, sinter, folder, seconds):
    """The files that a test compiles in a mode, each with the test as it is then: its inputs, and its data."""
    path, data = Path(test["folder"], "model.onnx"), pickle.loads(Path(test["folder"], "data.pickle").read_bytes())
    target = Path(folder, "model.onnx")
    match mode:
        case "plain":
            yield path, test | {"data": data}
        case "symbolic":
            target.write_bytes(variants.symbolic(path).SerializeToString())
            yield target, test | {"data": data}
        case "constant":
            for inputs, outputs in data:
                target.write_bytes(variants.constant(path, inputs).SerializeToString())
                yield target, test | {"inputs": [], "data": [([], outputs)]}
        case _:
            variants.exported(sinter, path, target, mode == "simplified", seconds)
            yield target, test | {"data": data}


def run_test(test, sinter, seconds, mode="plain"):
    start = time.monotonic()
    result = {key: test[key] for key in ("name", "group", "operator")} | {"failure": None, "detail": None, "ulp": []}
    with tempfile.TemporaryDirectory(prefix="sinter-conformance-") as folder:
        path = str(Path(folder, "model.so"))
        try:
            for model, variant in files(test, mode, sinter, folder, seconds):
                compile_model(model, sinter, path, seconds)
                result["ulp"] += run_library(variant, path, seconds)
        except Failure as failure:
            result |= {"failure": failure.kind, "detail": failure.detail}
        except variants.Wrong as problem:
            result |= {"failure": "export", "detail": str(problem)}
        except variants.Impossible as reason:
            result |= {"failure": "impossible", "detail": str(reason)}
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


def against_excuses(results, path, only):
    """Holds the results against the list of what may fail; gives how many tests pass and how many are not as they should be."""
    excuses = []
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            pattern, _, reason = line.partition(" ")
            excuses.append((re.compile(pattern), reason.strip()))
    used, unexcused = Counter(), 0
    for result in results:
        fitting = [pattern for pattern, _ in excuses if pattern.fullmatch(result["name"])]
        if not result["failure"]:
            if fitting:
                print(f"{result['name']} passes now: {path} need not excuse it")
                unexcused += 1
        elif fitting:
            used.update(fitting[:1])
        else:
            print(f"{result['name']} is not excused in {path}: {result['failure']}: {result['detail']}")
            unexcused += 1
    print("\nexcused")
    for pattern, reason in excuses:
        if used[pattern]:
            print(f"  {used[pattern]:5}  {reason}  ({pattern.pattern})")
        elif not only:
            print(f"{pattern.pattern} of {path} excuses no test")
            unexcused += 1
    return sum(1 for result in results if not result["failure"]), unexcused


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    parser.add_argument("--only", default="", help="a regular expression; tests whose name has a match are run")
    parser.add_argument("--jobs", type=int, default=2, help="tests at once (2)")
    parser.add_argument("--timeout", type=float, default=240, help="seconds for compiling, and for each step of running (240)")
    parser.add_argument("--baseline", type=Path, help="the list of the tests that pass, and of no others")
    parser.add_argument("--mode", choices=variants.MODES, default="plain", help="which files of the tests' meaning are compiled (plain)")
    parser.add_argument("--excuses", type=Path, help="the list of the tests that do not pass in the mode, with reasons")
    parser.add_argument("--bless", action="store_true", help="writes the baseline instead of comparing with it")
    parser.add_argument("--json", type=Path, help="writes each test's result to this file")
    parser.add_argument("--ulp", type=Path, help="writes each operator's worst error in ULP to this file; goes with all tests")
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
        for done in as_completed([pool.submit(run_test, test, sinter, arguments.timeout, arguments.mode) for test in tests]):
            results.append(result := done.result())
            if arguments.verbose and result["failure"]:
                print(f"{result['name']}: {result['failure']}: {result['detail']}", flush=True)
            elif len(results) % 100 == 0:
                failed = sum(1 for result in results if result["failure"])
                print(f"{len(results)} of {len(tests)}, {failed} failed, {time.monotonic() - start:.0f} s", flush=True)
    results.sort(key=lambda result: (result["group"], result["name"]))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    if arguments.ulp and not arguments.only:
        ulp.write(results, arguments.ulp)
    if not results:
        print("no test ran")
        return 1
    passed, failed = summarize(results)
    if arguments.excuses:
        passed, failed = against_excuses(results, arguments.excuses, arguments.only)
    if arguments.baseline:
        blesses = arguments.bless or os.environ.get("SINTER_BLESS", "0") not in ("", "0")
        passed, failed = against_baseline(results, arguments.baseline, arguments.only, blesses)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
