#!/usr/bin/env python3
"""Exports the smallest test of each operator in ONNX's own suite at several opsets, and holds each file against the test.

    opsets.py --sinter .build/release/sinter                    # each opset from 13 on
    opsets.py --sinter .build/release/sinter --quick            # two of them, and the first that has each operator
    opsets.py --sinter .build/release/sinter --all Reduce       # all tests of operators whose names begin so

A file must pass onnx's checker with full shape inference, declare the opset that was asked for, and give what the test expects in onnxruntime or
onnx's reference implementation. What an opset cannot say must be refused with the opset that can; from the opset in `NEWER` on, nothing is refused.
"""

import argparse
import logging
import multiprocessing
import re
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import onnx

from conformance import DEFAULT_FOLDER
from versions import candidates, close, load_data

OPSETS = range(13, 29)
QUICK = (13, 18)

# The first opset at which the smallest test of an operator is written, where that is not 13: what has attributes, inputs or elements that came later, or
# axes and sizes that are known at run time only.
NEWER = {
    "Add": 14, "AffineGrid": 20, "Attention": 25, "AveragePool": 22, "BitCast": 26, "BitShift": 28, "BitwiseAnd": 18,
    "BitwiseNot": 18, "BitwiseOr": 18, "BitwiseXor": 18, "BlackmanWindow": 17, "Cast": 25, "CastLike": 25, "Celu": 28,
    "CenterCropPad": 18, "Col2Im": 18, "CumProd": 26, "DFT": 17, "DequantizeLinear": 19, "HammingWindow": 17,
    "HannWindow": 17, "ImageDecoder": 20, "IsInf": 20, "LinearAttention": 27, "LpPool": 18, "MelWeightMatrix": 17,
    "OneHot": 28, "QLinearMatMul": 21, "Range": 27, "ReduceL1": 18, "ReduceL2": 18, "ReduceLogSum": 18,
    "ReduceLogSumExp": 18, "ReduceMean": 18, "ReduceSumSquare": 18, "Reshape": 14, "ReverseSequence": 28, "RoiAlign": 16,
    "STFT": 17, "ScatterND": 18, "TensorScatter": 24,
}

REFUSAL = re.compile(r"needs opset (\d+), but opset (\d+) was asked for")


def runs(model, feed):
    """What each implementation that runs a file makes of it."""
    import onnxruntime
    from onnx.reference import ReferenceEvaluator

    names = [port.name for port in model.graph.input]
    given = dict(zip(names, feed))

    def in_onnxruntime():
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"]).run(None, given)

    for run in (in_onnxruntime, lambda: ReferenceEvaluator(model).run(None, given)):
        try:
            with np.errstate(all="ignore"):
                yield [np.asarray(value) for value in run()]
        except Exception:  # whatever an implementation raises on what it does not have
            continue


def is_valid(path):
    try:
        onnx.checker.check_model(onnx.load(path), full_check=True)
        return True
    except Exception:
        return False


def judged(sinter, path, opset, folder):
    """A word for the outcome, and what there is to tell."""
    target = Path(folder, "exported.onnx")
    done = subprocess.run([sinter, "export", str(path), "-o", str(target), "--opset", str(opset)], capture_output=True, text=True)
    if done.returncode != 0:
        found = REFUSAL.findall(done.stderr)
        if found and "internal error" not in done.stderr and all(int(asked) == opset < int(needed) for needed, asked in found):
            return "refused", done.stderr.strip().splitlines()[0]
        return "FAIL", done.stderr.strip()
    try:
        model = onnx.load(target)
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # whatever the checker raises
        if not is_valid(path):
            return "not checked", "the checker refuses the test's own file"
        return "FAIL", f"the checker says: {str(error).strip()[:600]}"
    declared = {entry.domain: entry.version for entry in model.opset_import}
    if declared.get("", opset) != opset:
        return "FAIL", f"the file declares opset {declared['']}"
    feed, expected = load_data(path)
    results = list(runs(model, feed))
    if not results:
        return "not run", "no implementation runs it"
    if any(close(result, expected) for result in results):
        return "right", ""
    return "FAIL", "other values than the test expects"


def run(operator, path, opsets, sinter):
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="sinter-opsets-") as folder:
        for opset in opsets:
            outcomes.append((opset, *judged(sinter, path, opset, folder)))
    return operator, path.parent.name, outcomes


def plain(path):
    """Whether a test has tensors of numbers alone, and a result that does not depend on chance."""
    if path.parent.name.startswith(("test_bernoulli", "test_dropout", "test_training_dropout")):
        return False
    inputs, outputs = load_data(path)
    values = [value for value in inputs + outputs if value is not None]
    return all(isinstance(value, np.ndarray) and value.dtype.kind != "O" for value in values)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sinter", required=True)
    parser.add_argument("--folder", default=DEFAULT_FOLDER)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help=f"opsets {QUICK} and the first that has an operator")
    parser.add_argument("--all", action="store_true", help="all tests of each operator")
    parser.add_argument("--verbose", action="store_true", help="tell refusals and what was not run as well")
    parser.add_argument("operators", nargs="*", help="beginnings of operators' names; all without one")
    arguments = parser.parse_args()
    opsets = QUICK if arguments.quick else OPSETS
    work = []
    for operator, paths in sorted(candidates(arguments.folder).items()):
        if arguments.operators and not operator.startswith(tuple(arguments.operators)):
            continue
        paths = [path for path in paths if plain(path)]
        own = sorted({*opsets, NEWER.get(operator, OPSETS[0])} & {*OPSETS}) if arguments.quick else opsets
        work += [(operator, path, own, arguments.sinter) for path in (paths if arguments.all else paths[:1])]
    counts, newest, failed = {}, {}, 0
    with ProcessPoolExecutor(arguments.jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        for operator, test, outcomes in pool.map(run, *zip(*work)):
            for opset, word, text in outcomes:
                late = word == "refused" and not arguments.all and opset >= NEWER.get(operator, OPSETS[0])
                if late:
                    word, text = "FAIL", f"refused, though other builds write it: {text}"
                counts[word] = counts.get(word, 0) + 1
                if word == "refused":
                    newest[operator] = max(newest.get(operator, 0), opset)
                if word == "FAIL" or (arguments.verbose and word != "right"):
                    print(f"{word}: {operator} ({test}) at opset {opset}: {text}", flush=True)
                failed += word == "FAIL"
    print(", ".join(f"{count} {word}" for word, count in sorted(counts.items())))
    if arguments.verbose:
        print("refused up to:", newest)
    return 1 if failed or not counts else 0


if __name__ == "__main__":
    sys.exit(main())
