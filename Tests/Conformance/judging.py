"""What the tests of files that other tools write share: a judge for each file, and the loop over all of them."""

import argparse
import logging
import sys
import tempfile
import time
import warnings
from pathlib import Path

from onnx.reference import ReferenceEvaluator

from sizes import Refused, compile_library, library_runner, onnxruntime_runner


def judge(model):
    """onnxruntime, or onnx's reference implementation for what it lacks."""
    try:
        return onnxruntime_runner(model)
    except Exception:  # whatever onnxruntime raises
        evaluator = ReferenceEvaluator(model)
        names = [port.name for port in model.graph.input]
        return lambda feed: evaluator.run(None, dict(zip(names, feed, strict=True)))


def main(description, files):
    """Tries files and ends the process: with 0 where there are some and all agree.

    `files(folder)` yields a name, a model, and a function that compares: of a compiled library's runner and of the judge's it makes a
    text that says what differs, empty where nothing does.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="texts in the names of those to try (all)")
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    sinter, start, tried, failed = str(Path(arguments.sinter).resolve()), time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory(prefix="sinter-files-") as folder:
        for name, model, compare in files(folder):
            if arguments.names and not any(text in name for text in arguments.names):
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
