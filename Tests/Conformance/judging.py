"""What the tests of files that other tools write share: a judge for each file, and the loop over all of them."""

import argparse
import logging
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from onnx.reference import ReferenceEvaluator

from child import Died
from sizes import Refused, compile_library, library_runner, onnxruntime_runner


def judge(model):
    """onnxruntime, or onnx's reference implementation for what it lacks."""
    try:
        return onnxruntime_runner(model)
    except Exception:  # whatever onnxruntime raises
        evaluator = ReferenceEvaluator(model)
        names = [port.name for port in model.graph.input]
        return lambda feed: evaluator.run(None, dict(zip(names, feed, strict=True)))


def main(description, files, more=None):
    """Tries files and ends the process: with 0 where there are some and all agree. With `--more`, those of `more` too.

    `files(folder)` yields a name, a model or a function that makes one (or None: told already), and a function that compares: of a compiled library's runner and of the judge's it makes a
    text that says what differs, empty where nothing does.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="texts in the names of those to try (all)")
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    if more:
        parser.add_argument("--more", action="store_true", help="tries what takes minutes as well")
    arguments = parser.parse_args()
    sources = [files] + ([more] if more and arguments.more else [])
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    sinter, start, tried, failed = str(Path(arguments.sinter).resolve()), time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory(prefix="sinter-files-") as folder:
        for name, model, compare in (case for source in sources for case in source(folder)):
            if arguments.names and not any(text in name for text in arguments.names):
                continue
            if callable(model) and (model := model()) is None:
                continue
            tried += 1
            try:
                run = library_runner(compile_library(sinter, model, tempfile.mkdtemp(dir=folder)))
                problem = compare(run, judge(model))
            except Refused as refusal:
                problem = f"does not compile: {refusal}"
            failed += bool(problem)
            print(f"{'FAIL' if problem else 'ok':6}{name}{': ' if problem else ''}{problem[:300]}", flush=True)
    print(f"{tried - failed} of {tried} files, {time.monotonic() - start:.0f} s")
    print("PASS" if tried and not failed else "FAIL")
    sys.exit(0 if tried and not failed else 1)


# Files beside what the framework itself computes


def flat(value):
    """The arrays in a result: of a tensor, a sequence, or a map, whose keys are put in order."""
    if isinstance(value, dict):
        keys = sorted(value)
        return [np.array(keys), np.array([value[key] for key in keys], np.float32)]
    return [array for item in value for array in flat(item)] if isinstance(value, (list, tuple)) else [np.asarray(value)]


def difference(ours, expected, tolerance=1e-3):
    """What keeps two lists of results from agreeing; empty where nothing does. Numbers may differ by a part of their own size, and by a
    fiftieth of that part of the largest."""
    for index, (a, b) in enumerate(zip(flat(ours), flat(expected), strict=True)):
        if a.shape != b.shape or a.dtype != b.dtype and not {a.dtype.kind, b.dtype.kind} <= set("OU"):
            return f"result {index} is {a.dtype}{list(a.shape)}, not {b.dtype}{list(b.shape)}"
        if b.dtype.kind != "f":
            if (a != b).any():
                return f"result {index}: {(a != b).mean():.1%} of elements differ"
        elif not np.allclose(a, b, rtol=tolerance, atol=tolerance / 50 * max(1.0, float(np.abs(b[np.isfinite(b)]).max(initial=0))), equal_nan=True):
            return f"result {index}: differs by {np.nanmax(np.abs(a - b)):.3g}"
    return ""


def verdict(sinter, model, trials, folder, tolerance=1e-3):
    """What came of one file, and a text: ok, refused, exporter, wrong or internal.

    `trials` holds inputs and what the framework computes of them. Where onnxruntime, on the same file, differs from that as well or refuses
    the file too, the exporter has written another model, and the file counts for nobody.
    """
    if not trials:
        return "left out", "nothing to compare with"
    try:
        run = library_runner(compile_library(sinter, model, folder))
    except Refused as refusal:
        text = str(refusal)
        if "internal" in text:
            return "internal", text
        try:
            onnxruntime_runner(model)(trials[0][0])
        except Exception as error:  # whatever onnxruntime raises
            return "exporter", f"{text}; onnxruntime: {str(error).strip()}"
        return "refused", text
    except Died as death:
        return "internal", f"the compiler ended by {death}"
    for feed, expected in trials:
        try:
            problem = difference(run(feed), expected, tolerance)
        except Exception as error:  # a run that fails
            problem = str(error)
        if not problem:
            continue
        try:
            theirs = difference(onnxruntime_runner(model)(feed), expected, tolerance)
        except Exception as error:  # whatever onnxruntime raises
            theirs = str(error)
        return ("exporter" if theirs else "wrong"), f"{problem}; onnxruntime: {theirs or 'right'}"
    return "ok", ""


def tally(description, files):
    """Tries files and ends the process: with 0 where enough of them are right, the rest refused by name, and none wrong.

    `files(folder)` yields a name and a function of the compiler's path that gives a verdict.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="texts in the names of those to try (all)")
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    parser.add_argument("--least", type=float, default=0.97, help="the part of files that must be right")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    sinter, start, counts = str(Path(arguments.sinter).resolve()), time.monotonic(), {}
    with tempfile.TemporaryDirectory(prefix="sinter-exporters-") as root:
        for name, judged in files(root):
            if arguments.names and not any(text in name for text in arguments.names):
                continue
            outcome, text = judged(sinter)
            counts[outcome] = counts.get(outcome, 0) + 1
            if outcome != "ok":
                print(f"{outcome:9} {name}: {text[:400]}", flush=True)
    count = sum(counts.get(key, 0) for key in ("ok", "refused", "wrong", "internal"))
    print(f"{counts.get('ok', 0)} of {count} files right, {counts}, {time.monotonic() - start:.0f} s")
    passed = count and counts.get("ok", 0) >= arguments.least * count and not counts.get("wrong") and not counts.get("internal")
    print("PASS" if passed else "FAIL")
    sys.exit(0 if passed else 1)
