#!/usr/bin/env python3
"""Runs operators at random sizes of inputs, those that fit and those that do not, beside onnxruntime.

    sizes.py --sinter .build/release/sinter                        # all of size_cases.py
    sizes.py --sinter .build/release/sinter --verbose Gemm Concat  # those whose names begin so, with examples

Each operator is compiled once, every input dimension being a symbol of its own, and then run at many choices of sizes from 0 to
4: ones that fit, ones with a dimension changed, and ones where all are independent. Of each choice is told:

  right       both give results, and equal ones        refuses     what fits is refused
  both refuse neither gives a result                   wrong       results differ, in values, types or shapes
  takes       what does not fit gives a result         died        the library crashed or did not end

The judge is onnxruntime without optimizations, or onnx's reference implementation where the table of operators says why.
Where the table says that the judge departs from the definition at some sizes, the other of the two judges those that fit, and
those that do not are to be refused. Choices at which the judge itself crashes are left out. An operator fails unless all choices
are right or refused by both, and some are right; one that may be refused when it is compiled, as the table says, does not fail
by that.
"""

import argparse
import collections
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import warnings
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import onnx
import onnx.parser
import onnxruntime
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from child import Died, forked
from exact_bytes import exact
from library import Library
import microsoft_cases  # noqa: F401, adds its cases
from size_cases import CASES, REFERENCE

KINDS = ("right", "both refuse", "takes", "refuses", "wrong", "died")
GOOD = ("right", "both refuse")
LARGEST = 4
SECONDS = 60
REFUSED = "does not compile"


class Refused(Exception):
    """What one side says instead of results."""


# Models and inputs


def model_of(case):
    ports = []
    for i, (element, sizes) in enumerate(case.inputs):
        shape = ", ".join(size[1:] if size[0] == "=" else f"d{i}_{axis}" for axis, size in enumerate(sizes))
        ports.append(f"{element}[{shape}] x{i}" if shape else f"{element} x{i}")
    graph = onnx.parser.parse_graph(f"sizes ({', '.join(ports)}) => ({', '.join(case.outputs)}) {{\n{case.body}\n}}")
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in case.constants.items())
    opsets = [onnx.helper.make_opsetid("", case.opset), onnx.helper.make_opsetid("com.microsoft", 1)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)


def choose(case, generator):
    """Shapes of all inputs: half of the time ones that fit."""
    least = generator.integers(0, 2)
    letters = {letter: int(generator.integers(least, LARGEST + 1)) for letter in "abcdefghijklmnopqrstuvwxyz"}
    shapes = [[int(eval(size.lstrip("="), {}, letters)) for size in sizes] for _, sizes in case.inputs]
    open_axes = [(i, axis) for i, (_, sizes) in enumerate(case.inputs) for axis, size in enumerate(sizes) if size[0] != "="]
    draw = generator.random()
    if draw > 0.85:
        for i, axis in open_axes:
            shapes[i][axis] = int(generator.integers(0, LARGEST + 1))
    elif draw > 0.5 and open_axes:
        i, axis = open_axes[generator.integers(len(open_axes))]
        shapes[i][axis] = 1 if draw > 0.75 else int(generator.integers(0, LARGEST + 1))
    return choose(case, generator) if case.undefined(shapes) else shapes


def fill(case, shapes, generator):
    """Values of all inputs."""
    feed = []
    for i, (element, _) in enumerate(case.inputs):
        dtype = np.dtype(element.replace("float", "float32"))
        if draw := case.values.get(f"x{i}"):
            value = draw(generator, shapes[i], shapes)
        elif dtype.kind == "f":
            value = generator.standard_normal(shapes[i])
        elif dtype.kind == "b":
            value = generator.random(shapes[i]) < 0.5
        else:
            value = generator.integers(*((0, 256) if dtype.kind == "u" else (-3, 4)), shapes[i])
        feed.append(np.asarray(value).astype(dtype).reshape(shapes[i]))
    return feed


# Answers


def compile_library(sinter, model, folder):
    path = str(Path(folder, "model.onnx"))
    onnx.save(model, path)
    command = [sinter, "compile", path, "-o", f"{folder}/model.so"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise Died("time-out") from None
    if done.returncode < 0:
        raise Died(f"signal {-done.returncode}")
    if done.returncode:
        raise Refused((done.stderr.strip() or f"exit status {done.returncode}").splitlines()[0])
    return f"{folder}/model.so"


def library_runner(path):
    return Library(path).open(threads=1).run


def onnxruntime_runner(model):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    session = onnxruntime.InferenceSession(exact(model).SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_inputs()]
    return lambda feed: session.run(None, dict(zip(names, feed, strict=True)))


def reference_runner(model):
    evaluator = ReferenceEvaluator(model)
    names = [port.name for port in model.graph.input]
    return lambda feed: [np.asarray(value) for value in evaluator.run(None, dict(zip(names, feed, strict=True)))]


def answers(make, feeds):
    """What the function that `make` gives returns for each feed, Refused, or Died; after a death another process goes on."""
    given = []

    def work(send):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what a crash says
        try:
            run = make()
        except Exception as error:  # whatever the other side raises
            send(("unusable", str(error)))
            return
        for feed in feeds[len(given):]:
            try:
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")
                    send(("results", run(feed)))
            except Exception as error:
                send(("refused", str(error)))

    while len(given) < len(feeds):
        try:
            with forked(work, SECONDS) as messages:
                for kind, content in messages:
                    if kind == "unusable":
                        raise Refused(content)
                    given.append(content if kind == "results" else Refused(content))
        except Died as death:
            given.append(death)
    return given


def agree(ours, theirs):
    return len(ours) == len(theirs) and all(
        a.dtype == b.dtype and a.shape == b.shape
        and (np.allclose(a, b, 1e-4, 1e-5, equal_nan=True) if a.dtype.kind == "f" else np.array_equal(a, b))
        for a, b in zip(ours, theirs))


def kind_of(ours, theirs):
    if isinstance(ours, Died):
        return "died"
    if isinstance(ours, Refused):
        return "refuses" if isinstance(theirs, list) else "both refuse"
    return "takes" if not isinstance(theirs, list) else "right" if agree(ours, theirs) else "wrong"


def judged(case, model, shapes, feeds):
    """What the judge says of each choice, or what goes before it, and the number of choices where something does."""
    runners = {"onnxruntime": onnxruntime_runner, REFERENCE: reference_runner}
    judge = runners.pop(case.judge)
    theirs = answers(lambda: judge(model), feeds)
    (other,) = runners.values()
    departs = {place: fits for place, choice in enumerate(shapes) if (fits := case.fits(choice)) is not None}
    fitting = [place for place, fits in departs.items() if fits]
    theirs = [Refused(case.departs) if place in departs else answer for place, answer in enumerate(theirs)]
    for place, answer in zip(fitting, answers(lambda: other(model), [feeds[place] for place in fitting]) if fitting else ()):
        theirs[place] = answer
    return theirs, len(departs)


# One operator


def text(answer):
    if isinstance(answer, list):
        parts = [f"{value.dtype}{list(value.shape)} {np.array2string(value.ravel()[:6], precision=4)}" for value in answer]
        return ", ".join(parts)
    return f"{type(answer).__name__.lower()}: {' '.join(str(answer).split())[:300]}"


def run_case(name, sinter, count, seed):
    """The number of each kind, an example of each that is no good one, and what keeps the operator from being tried."""
    case = CASES[name]
    generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
    shapes = [choose(case, generator) for _ in range(count)]
    feeds = [fill(case, choice, generator) for choice in shapes]
    result = {"name": name, "judge": case.judge, "problem": None, "unjudged": 0, "departs": 0, "examples": {}}
    result["counts"] = dict.fromkeys(KINDS, 0)
    model = model_of(case)
    try:
        theirs, result["departs"] = judged(case, model, shapes, feeds)
    except Refused as refusal:
        return result | {"problem": f"{case.judge} cannot judge: {' '.join(str(refusal).split())}"}
    with tempfile.TemporaryDirectory(prefix="sinter-sizes-") as folder:
        try:
            path = compile_library(sinter, model, folder)
            ours = answers(lambda: library_runner(path), feeds)
        except (Refused, Died) as failure:
            result["problem"] = f"{REFUSED if isinstance(failure, Refused) else 'the compiler died'}: {failure}"
            ours = [failure] * count
    for choice, a, b in zip(shapes, ours, theirs, strict=True):
        if isinstance(b, Died):
            result["unjudged"] += 1
            continue
        kind = kind_of(a, b)
        result["counts"][kind] += 1
        if kind not in GOOD:
            result["examples"].setdefault(kind, f"at {choice}: {text(a)}; {case.judge}: {text(b)}")
    return result


def passes(result):
    counts = result["counts"]
    if CASES[result["name"]].may_be_refused and (result["problem"] or "").startswith(REFUSED):
        return True
    return not result["problem"] and counts["right"] > 0 and sum(counts[kind] for kind in GOOD) == sum(counts.values())


def line(name, cells, remark=""):
    columns = (f"{cell:>{max(len(kind), 5) + 2}}" for kind, cell in zip(KINDS, cells))
    return f"{name:36}{''.join(columns)}  {remark}".rstrip()


def remark(result):
    remarks = [f"beside {result['judge']}: {CASES[result['name']].why}"] if result["judge"] == REFERENCE else []
    remarks += [f"{result['judge']} crashed at {result['unjudged']}"] if result["unjudged"] else []
    remarks += [f"at {result['departs']} {CASES[result['name']].departs}"] if result["departs"] else []
    return "; ".join(remarks)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="how the names of operators to try begin (all)")
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    parser.add_argument("--domain", help="tries only operators of this domain, such as com.microsoft")
    parser.add_argument("--count", type=int, default=40, help="choices of sizes for each operator (40)")
    parser.add_argument("--seed", type=int, default=1, help="another number makes other choices (1)")
    parser.add_argument("--jobs", type=int, default=2, help="operators at once (2)")
    parser.add_argument("--json", type=Path, help="writes each operator's result to this file")
    parser.add_argument("--verbose", action="store_true", help="prints an example of each kind that is no good one")
    arguments = parser.parse_args()
    names = [name for name in CASES if not arguments.names or name.startswith(tuple(arguments.names))]
    names = [name for name in names if not arguments.domain or f" {arguments.domain}." in CASES[name].body]
    sinter, start = str(Path(arguments.sinter).resolve()), time.monotonic()
    results, totals = [], collections.Counter()
    print(line("", KINDS))
    with ProcessPoolExecutor(arguments.jobs, multiprocessing.get_context("fork")) as pool:
        for result in pool.map(run_case, names, *([value] * len(names) for value in (sinter, arguments.count, arguments.seed))):
            results.append(result)
            totals.update(result["counts"])
            print(line(result["name"], result["counts"].values(), remark(result)), flush=True)
            if result["problem"]:
                print(f"  {result['problem']}"[:300])
            elif not result["counts"]["right"]:
                print("  no choice fits: nothing was compared")
            for kind, example in result["examples"].items() if arguments.verbose and not result["problem"] else ():
                print(f"  {kind} {example}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))
    passed = sum(passes(result) for result in results)
    print(line("all", (totals[kind] for kind in KINDS)))
    print(f"{passed} of {len(results)} operators, {time.monotonic() - start:.0f} s")
    good = results and passed == len(results)
    print("PASS" if good else "FAIL")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
