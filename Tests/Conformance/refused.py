#!/usr/bin/env python3
"""Holds `sinter check` to `sinter compile`: it names a problem exactly where compiling fails.

    refused.py --sinter .build/debug/sinter                  # the corpus of the fuzzers, what the suite does not pass, and 150 broken files
    refused.py --sinter .build/debug/sinter --count 2000 more.onnx

Broken files are those of the official suite with one thing changed: an input or an attribute less, another type, size, operator, domain or opset. Many
of them compile all the same, which is as good: both commands must agree, and every sentence that compile ends with must be among those of check.
"""

import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import onnx

import suite
from conformance import DEFAULT_FOLDER

ROOT = Path(__file__).parents[2]
LARGEST = 1 << 16  # bytes: larger files of the suite are networks, which compile for seconds


# What is changed. Each gets a model that has a node at least, and may leave it as it is.


def less_inputs(model, pick):
    node = pick.choice(model.graph.node)
    if node.input:
        del node.input[pick.randrange(len(node.input)):]


def swapped_inputs(model, pick):
    node = pick.choice(model.graph.node)
    names = list(node.input)
    pick.shuffle(names)
    node.input[:] = names


def less_attributes(model, pick):
    node = pick.choice(model.graph.node)
    if node.attribute:
        del node.attribute[pick.randrange(len(node.attribute))]


def other_attribute(model, pick):
    node = pick.choice(model.graph.node)
    if not node.attribute:
        return
    attribute = pick.choice(node.attribute)
    number = pick.choice((-3, -1, 0, 1, 2, 7, 1 << 20, (1 << 63) - 1))
    match attribute.type:
        case onnx.AttributeProto.INT:
            attribute.i = number
        case onnx.AttributeProto.INTS if attribute.ints:
            attribute.ints[pick.randrange(len(attribute.ints))] = number
        case onnx.AttributeProto.FLOAT:
            attribute.f = pick.choice((float("nan"), float("inf"), -1.0, 0.0, 1e30))
        case onnx.AttributeProto.STRING:
            attribute.s = pick.choice((b"", b"none", b"\xff", attribute.s.upper()))
        case _:
            attribute.name += "_"


def other_type(model, pick):
    port = pick.choice(list(model.graph.input) + list(model.graph.output))
    port.type.tensor_type.elem_type = pick.choice((1, 2, 3, 6, 7, 8, 9, 10, 11, 14, 16, 17, 22, 99))


def other_size(model, pick):
    port = pick.choice(list(model.graph.input) + list(model.graph.output))
    dimensions = port.type.tensor_type.shape.dim
    if not dimensions:
        return
    dimension = pick.choice(dimensions)
    if pick.random() < 0.3:
        dimension.Clear()
        dimension.dim_param = "s"
    else:
        dimension.dim_value = pick.choice((0, 1, 2, 5, 1 << 40))


def more_axes(model, pick):
    port = pick.choice(list(model.graph.input) + list(model.graph.output))
    port.type.tensor_type.shape.dim.add().dim_value = pick.choice((1, 3))


def other_operator(model, pick):
    node = pick.choice(model.graph.node)
    node.op_type = pick.choice(("Add", "Conv", "Gather", "Resize", "Loop", "LSTM", "NoSuchOperator"))


def other_domain(model, pick):
    pick.choice(model.graph.node).domain = pick.choice(("com.microsoft", "ai.onnx.ml", "somebody"))


def other_opset(model, pick):
    if model.opset_import:
        model.opset_import[0].version = pick.choice((1, 7, 10, 13, 18, 999))


def lost_node(model, pick):
    del model.graph.node[pick.randrange(len(model.graph.node))]


CHANGES = (
    less_inputs, swapped_inputs, less_attributes, other_attribute, other_type, other_size, more_axes, other_operator, other_domain, other_opset,
    lost_node)


# Files


def broken(folder, count, seed):
    """Files with something changed, each with a name that tells what."""
    pick = random.Random(seed)
    tests = [test for test in suite.load(folder) if Path(test["folder"], "model.onnx").stat().st_size < LARGEST]
    for number in range(count):
        test, change = pick.choice(tests), pick.choice(CHANGES)
        model = onnx.load(Path(test["folder"], "model.onnx"))
        if model.graph.node:
            change(model, pick)
        yield f"{number}: {test['name']}, {change.__name__.replace('_', ' ')}", model.SerializeToString()


def files(arguments):
    for path in sorted((ROOT / "Tests" / "Fuzz" / "corpus").glob("*.onnx")) + arguments.files:
        yield path.name, path.read_bytes()
    passing = set(Path(__file__).with_name("passing.txt").read_text().split())
    for test in suite.load(arguments.folder):
        if test["name"] not in passing:
            yield test["name"], Path(test["folder"], "model.onnx").read_bytes()
    yield from broken(arguments.folder, arguments.count, arguments.seed)


# Commands


def run(sinter, *command):
    done = subprocess.run([sinter, *command], capture_output=True, text=True, errors="replace", timeout=300)
    return done.returncode, [line for line in done.stderr.splitlines() if line.strip()]


def sentences(lines):
    """What is wrong, without where the file lies and what to do."""
    return {line.removeprefix("sinter: ").split(" (")[0].split("; ")[0] for line in lines}


def problem(sinter, file, library):
    """What is wrong with the two answers; None where they agree."""
    (checked, told), (compiled, said) = run(sinter, "check", file), run(sinter, "compile", file, "-o", library)
    for status, lines, name in ((checked, told, "check"), (compiled, said, "compile")):
        if status not in (0, 1) or any("internal error" in line for line in lines):
            return f"{name} ends with {status}: {lines[:2]}"
    if checked != compiled:
        return f"check ends with {checked} and compile with {compiled}: {(told or said)[:2]}"
    if compiled and not sentences(said) <= sentences(told):
        return f"compile says what check does not: {sorted(sentences(said) - sentences(told))[:2]}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    parser.add_argument("--count", type=int, default=150, help="broken files (150)")
    parser.add_argument("--seed", type=int, default=1, help="which they are (1)")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where the suite is kept between runs")
    parser.add_argument("files", nargs="*", type=Path, help="other files")
    arguments = parser.parse_args()
    sinter = str(Path(arguments.sinter).resolve())
    count = refused = failed = 0
    with tempfile.TemporaryDirectory(prefix="sinter-refused-") as folder:
        file, library = Path(folder, "model.onnx"), Path(folder, "model.so")
        for name, contents in files(arguments):
            file.write_bytes(contents)
            library.unlink(missing_ok=True)
            count += 1
            if found := problem(sinter, file, library):
                failed += 1
                print(f"{name}: {found}", flush=True)
            refused += not library.exists()
    print(f"{count} files, {refused} refused by both, {failed} failed" if not failed else f"{count} files, {failed} failed")
    return 1 if failed or not refused else 0


if __name__ == "__main__":
    sys.exit(main())
