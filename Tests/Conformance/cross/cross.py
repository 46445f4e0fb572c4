#!/usr/bin/env python3
"""Compiles for AArch64 and RISC-V and runs the libraries under qemu, in a small program in C.

    cross.py --sinter .build/release/sinter                       # all
    cross.py --sinter .build/release/sinter nodes --only conv     # tests of the official ONNX suite whose names match
    cross.py --sinter .build/release/sinter integers floats       # some parts
    cross.py --sinter .build/release/sinter files --file a.onnx   # ONNX files of your own, on random inputs beside ONNX Runtime

nodes: 300 tests of the official suite, at least one of each operator. integers: products of bytes, bit for bit as exact sums and as the
libraries for x86-64 have them. floats: small networks beside ONNX Runtime, and weights of few bits beside the library for x86-64. programs: archives, objects, assembly and packages. refusals:
processors that lack what a library needs.

Needs qemu-user and Debian's cross compilers: see make cross-test. Nothing is timed: an emulator tells nothing about speed.
"""

import argparse
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import onnx
import onnxruntime

import networks
from emulated import HERE, Machine

import suite  # noqa: E402  (emulated.py put its folder on the path)
from conformance import DEFAULT_FOLDER, Failure, compare, compile_model  # noqa: E402
from library import Library, LibraryError  # noqa: E402

SECONDS = 600
SAMPLE = 300


def machines(folder):
    return [
        Machine("aarch64", "generic", "cortex-a57", folder), Machine("aarch64", "neoverse-n1", "neoverse-n1", folder),
        Machine("aarch64", "neoverse-v1", "max", folder), Machine("riscv64", "generic", None, folder)]


# Tests of the official suite


def sample(folder, count, only):
    """Tests that pass on x86-64: of each operator the first, then of each the second, and so on. Image files are decoded by libraries of the
    system that compiles, so for others that operator is refused: see `refusal_problems`."""
    listed = set((HERE.parent / "passing.txt").read_text().split())
    tests = [
        test for test in suite.load(folder)
        if test["group"] in ("node", "simple") and test["name"] in listed and test["operator"] != "ImageDecoder"]
    if only:
        import re

        return [test for test in tests if re.search(only, test["name"])]
    places = {}
    ranked = []
    for test in sorted(tests, key=lambda test: ("expanded" in test["name"], test["name"])):
        places[test["operator"]] = places.get(test["operator"], -1) + 1
        ranked.append((places[test["operator"]], test["name"], test))
    return [test for _, _, test in sorted(ranked, key=lambda item: item[:2])[:count]]


def node_problem(test, machine, sinter):
    with tempfile.TemporaryDirectory(prefix="sinter-cross-") as folder:
        path = f"{folder}/model.so"
        try:
            compile_model(Path(test["folder"], "model.onnx"), sinter, path, SECONDS, machine.flags)
            data = pickle.loads(Path(test["folder"], "data.pickle").read_bytes())
            for (_, expected), turns in zip(data, machine.run(path, [inputs for inputs, _ in data]), strict=True):
                for results in turns:
                    for name, wanted, given in zip(test["outputs"], expected, results, strict=True):
                        compare(wanted, given, test["relative"], test["absolute"], name)
        except Failure as failure:
            return f"{failure.kind}: {failure.detail}"
        except (LibraryError, ValueError) as error:
            return str(error)
    return ""


# Models of networks.py


def compiled(sinter, model, path, flags):
    if not isinstance(model, (str, Path)):
        onnx.save(model, f"{path}.onnx")
        model = f"{path}.onnx"
    done = subprocess.run([sinter, "compile", str(model), "-o", path, *flags], capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        raise LibraryError("does not compile: " + (done.stderr.strip() or f"exit status {done.returncode}")[:300])
    return path


def exact(model, data):
    """Sums of products in 64 bits, wrapped to 32; None where results are rounded."""
    node = model.graph.node[0]
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor).astype(np.int64) for tensor in model.graph.initializer}
    names = [port.name for port in model.graph.input]
    values = constants | dict(zip(names, [array.astype(np.int64) for array in data], strict=True))
    get = [values.get(name, np.int64(0)) for name in node.input] + [np.int64(0)] * 2
    if node.op_type == "MatMulInteger":
        left = get[0] - get[2]
        return ((left @ (get[1] - get[3])) & 0xFFFFFFFF).astype(np.uint32).view(np.int32)
    return None


def integer_problem(name, model, data, machine, sinter, folder):
    given = [turns[0][0] for turns in machine.run(compiled(sinter, model, f"{folder}/cross.so", machine.flags), data)]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_inputs()]
    for values, result in zip(data, given, strict=True):
        where = f"inputs of the shapes {[value.shape for value in values]}"
        wanted = exact(model, values)
        if wanted is None and result.size:
            wanted = session.run(None, dict(zip(names, values, strict=True)))[0]
            least = 1 if result.dtype == np.uint8 else 0  # ONNX Runtime rounds requantized sums in another order
            if np.abs(result.astype(int) - wanted.astype(int)).max(initial=0) > least:
                return f"{where}: not as in ONNX Runtime"
        elif wanted is not None and not np.array_equal(result, wanted):
            return f"{where}: not the exact sums"
    for level in host_levels():
        library = Library(compiled(sinter, model, f"{folder}/{level}.so", ["--cpu", level]))
        with library.open(threads=1) as session:
            for values, result in zip(data, given, strict=True):
                if not np.array_equal(session.run(values)[0], result):
                    return f"inputs of the shapes {[value.shape for value in values]}: not as the library for {level} has it"
    return ""


def block_problem(name, model, data, machine, sinter, folder):
    """Weights of few bits: as the library for x86-64 has them, but for the order of sums of floats."""
    given = [turns[0][0] for turns in machine.run(compiled(sinter, model, f"{folder}/cross.so", machine.flags), data)]
    with Library(compiled(sinter, model, f"{folder}/host.so", ["--cpu", host_levels()[0]])).open(threads=1) as session:
        for values, result in zip(data, given, strict=True):
            wanted = session.run(values)[0]
            error = np.abs(wanted - result).max() / np.abs(wanted).max()
            if not error <= 2e-5:
                return f"{len(values[0])} rows: off by {error:.2g} of the largest"
    return ""


def host_levels():
    flags = Path("/proc/cpuinfo").read_text().partition("flags")[2].partition("\n")[0].split()
    levels = [("x86-64-v2", "sse4_2"), ("x86-64-v3", "avx2"), ("x86-64-v4", "avx512vl")]
    return [level for level, flag in levels if flag in flags]


def float_problem(name, model, data, machine, sinter, folder, tolerance=2e-5):
    library = compiled(sinter, model, f"{folder}/cross.so", machine.flags)
    content = model.SerializeToString() if not isinstance(model, (str, Path)) else str(model)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [port.name for port in session.get_inputs()]
    for threads in (1, 3):
        for values, turns in zip(data, machine.run(library, data, seconds=SECONDS, threads=threads), strict=True):
            wanted = session.run(None, dict(zip(names, values, strict=True)))
            if any(first.tobytes() != second.tobytes() for first, second in zip(*turns, strict=True)):
                return f"inputs of the shapes {[value.shape for value in values]}: the second run gives something else"
            for results in turns:
                for port, expected, result in zip(session.get_outputs(), wanted, results, strict=True):
                    where = f"{port.name}, inputs of the shapes {[value.shape for value in values]}, {threads} threads"
                    if expected.shape != result.shape or expected.dtype != result.dtype:
                        return f"{where}: {result.dtype}{result.shape} instead of {expected.dtype}{expected.shape}"
                    if expected.dtype.kind != "f":
                        if not np.array_equal(expected, result):
                            return f"{where}: other values"
                        continue
                    largest = np.abs(expected).max(initial=1e-30)
                    error = np.abs(expected - result).max(initial=0) / largest
                    if not error <= tolerance:
                        return f"{where}: off by {error:.2g} of the largest"
    return ""


def file_data(path, seed=3):
    """Random inputs of a file: open sizes are 2, integers 0 and 1, masks 1."""
    generator = np.random.default_rng(seed)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(int32)": np.int32}
    values = []
    for port in session.get_inputs():
        shape = [size if isinstance(size, int) else 2 for size in port.shape]
        kind = kinds[port.type]
        numbers = generator.standard_normal(shape) if kind in (np.float32, np.float64) else generator.integers(0, 2, shape)
        values.append((np.ones(shape) if "mask" in port.name else numbers).astype(kind))
    return [values]


# Programs that are linked with a model, and packages

PROGRAM = """
#include <stdio.h>
#include "mlp.h"
#include "elementwise.h"

static int opens(const SinterLibrary *model) {
  SinterSession *session;
  if (model->open(NULL, &session) != SINTER_OK) { puts(model->message(NULL)); return 0; }
  model->close(session);
  return 1;
}

int main(void) {
  const SinterLibrary *mlp = mlp_library(), *other = elementwise_library();
  if (!opens(other)) return 1;
  SinterSession *session;
  if (mlp->open(NULL, &session) != SINTER_OK) return 2;
  float x[3 * 20], y[3 * 10];
  for (int i = 0; i < 60; i++) x[i] = (float)(i % 7) - 3;
  if (mlp_run(mlp, session, 3, x, y) != SINTER_OK) { puts(mlp->message(session)); return 3; }
  mlp->close(session);
  for (int i = 0; i < 30; i++) printf("%.9g\\n", y[i]);
  printf("%s\\n", mlp->target);
  return 0;
}
"""


def program_problem(machine, sinter, folder):
    (first, elementwise, _), (second, mlp, _) = networks.elementwise(), networks.mlp()
    compiled(sinter, mlp, f"{folder}/mlp.a", ["--header", *machine.flags])
    compiled(sinter, elementwise, f"{folder}/elementwise.o", ["--header", *machine.flags])
    compiled(sinter, mlp, f"{folder}/mlp.s", machine.flags)
    Path(folder, "program.c").write_text(PROGRAM)
    compiler = f"{machine.triple}-gcc"
    subprocess.run([compiler, "-c", f"{folder}/mlp.s", "-o", f"{folder}/listed.o"], check=True)
    subprocess.run(
        [compiler, "-std=c11", "-Wall", "-Werror", "-I", folder, f"{folder}/program.c", f"{folder}/mlp.a",
         f"{folder}/elementwise.o", "-lm", "-lpthread", "-o", f"{folder}/program"], check=True)
    done = subprocess.run(machine.emulator() + [f"{folder}/program"], capture_output=True, text=True, timeout=SECONDS)
    lines = done.stdout.split("\n")
    if done.returncode or machine.architecture not in lines[30]:
        return f"the program ends with status {done.returncode}: {done.stdout[-200:]} {done.stderr[-200:]}"
    x = ((np.arange(60) % 7) - 3).astype(np.float32).reshape(3, 20)
    wanted = onnxruntime.InferenceSession(mlp.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    if not np.allclose(np.array(lines[:30], np.float32).reshape(3, 10), wanted, atol=1e-4):
        return "the program's results differ from ONNX Runtime's"
    done = subprocess.run(
        [sinter, "compile", f"{folder}/mlp.a.onnx", "--package", f"{folder}/package", "--name", "mlp", *machine.flags],
        capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        return f"the package: {done.stderr[:300]}"
    page = Path(folder, "package", "README.md").read_text()
    target = json.loads(Path(folder, "package", "provenance.json").read_text())["target"]
    if f"{machine.architecture}-unknown-linux-gnu {machine.cpu}" not in page or machine.architecture not in target:
        return "the package does not name its target"
    list(machine.run(f"{folder}/package/libmlp.so", [[x]]))
    return ""


def refusal_problems(sinter, folder):
    """What an older processor says to a library for a newer one, a library for both, and models that are for this system alone."""
    _, mlp, data = networks.mlp()
    older = Machine("aarch64", "generic", "cortex-a57", folder)
    newer = compiled(sinter, mlp, f"{folder}/new.so", ["--target", "aarch64-linux-gnu", "--cpu", "neoverse-n1"])
    try:
        list(older.run(newer, data))
        yield "neoverse-n1 on cortex-a57", "runs"
    except LibraryError as error:
        text = str(error)
        yield "neoverse-n1 on cortex-a57", "" if "unsupported CPU" in text and "asimddp" in text else text
    both = compiled(sinter, mlp, f"{folder}/both.so", ["--target", "aarch64-linux-gnu", "--cpu", "generic,neoverse-n1"])
    for emulated in ("cortex-a57", "neoverse-n1"):
        try:
            list(Machine("aarch64", "both", emulated, folder).run(both, data))
            yield f"both on {emulated}", ""
        except LibraryError as error:
            yield f"both on {emulated}", str(error)
    for command in (["run", newer, "--random"], ["bench", newer], ["inspect", newer], ["profile", newer]):
        done = subprocess.run([sinter, *command], capture_output=True, text=True, timeout=SECONDS)
        said = "library for aarch64" in done.stderr and done.returncode not in (0, -6, -11)
        yield f"sinter {command[0]} of a library for aarch64", "" if said else f"says {done.stderr[:200]}"
    decoder = onnx.helper.make_model(onnx.helper.make_graph(
        [onnx.helper.make_node("ImageDecoder", ["file"], ["image"])], "decoder",
        [onnx.helper.make_tensor_value_info("file", onnx.TensorProto.UINT8, ["n"])],
        [onnx.helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, ["h", "w", "c"])]),
        opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=9)
    for machine in (older, Machine("riscv64", "generic", None, folder)):
        try:
            compiled(sinter, decoder, f"{folder}/decoder.so", machine.flags)
            yield f"ImageDecoder for {machine.name}", "compiles"
        except LibraryError as error:
            yield f"ImageDecoder for {machine.name}", "" if "ImageDecoder links this system's libraries" in str(error) else str(error)


# All of it


def attempt(work, *arguments):
    try:
        return work(*arguments)
    except (LibraryError, subprocess.SubprocessError, OSError) as error:
        return f"{type(error).__name__}: {error}"


def in_folder(work, *arguments):
    with tempfile.TemporaryDirectory(prefix="sinter-cross-") as folder:
        return attempt(work, *arguments, folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = ["nodes", "integers", "floats", "programs", "refusals", "files"]
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(parts)} (all but files)")
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    parser.add_argument("--only", help="a regular expression: the official tests whose names have a match, instead of the sample")
    parser.add_argument("--machines", default="", help="a text in the names of those to try, as riscv64 or neoverse-n1 (all)")
    parser.add_argument("--file", action="append", default=[], help="an ONNX file for the part files")
    parser.add_argument("--count", type=int, default=SAMPLE, help=f"tests of the official suite ({SAMPLE})")
    parser.add_argument("--jobs", type=int, default=2, help="tests at once (2)")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where the suite is kept between runs")
    arguments = parser.parse_args()
    wanted = arguments.parts or [part for part in parts if part != "files" or arguments.file]
    if unknown := set(wanted) - set(parts):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    sinter, start, tried, failed = str(Path(arguments.sinter).resolve()), time.monotonic(), 0, 0

    with tempfile.TemporaryDirectory(prefix="sinter-cross-") as folder:
        chosen = [machine for machine in machines(folder) if arguments.machines in machine.name]
        for machine in chosen:
            machine.program()

        def told(name, problem):
            nonlocal tried, failed
            tried, failed = tried + 1, failed + bool(problem)
            if problem:
                print(f"FAIL {name}: {problem[:400]}", flush=True)

        with ProcessPoolExecutor(arguments.jobs, multiprocessing.get_context("fork")) as pool:
            def section(title, work):
                """`work`: name and arguments of each item for the pool."""
                before, failures = tried, failed
                jobs = [(name, pool.submit(*call)) for name, call in work]
                for name, job in jobs:
                    told(name, job.result())
                print(f"{title}: {tried - before - (failed - failures)} of {tried - before}, "
                      f"{time.monotonic() - start:.0f} s", flush=True)

            for machine in chosen:
                if "nodes" in wanted and machine.cpu != "neoverse-v1":
                    tests = sample(arguments.folder, arguments.count, arguments.only)
                    section(f"{machine.name}: official tests", [
                        (f"{machine.name} {test['name']}", (attempt, node_problem, test, machine, sinter)) for test in tests])
                if "integers" in wanted:
                    section(f"{machine.name}: integers", [
                        (f"{machine.name} {name}", (in_folder, integer_problem, name, model, data, machine, sinter))
                        for name, model, data in networks.integers()])
                if "floats" in wanted:
                    section(f"{machine.name}: networks", [
                        (f"{machine.name} {name}", (in_folder, float_problem, name, model, data, machine, sinter))
                        for name, model, data in networks.floats()])
                    section(f"{machine.name}: weights of few bits", [
                        (f"{machine.name} {name}", (in_folder, block_problem, name, model, data, machine, sinter))
                        for name, model, data in networks.blocks()])
                if "programs" in wanted:
                    section(f"{machine.name}: programs and packages", [
                        (machine.name, (in_folder, program_problem, machine, sinter))])
                if "files" in wanted and arguments.file:
                    section(f"{machine.name}: files", [
                        (f"{machine.name} {path}", (in_folder, float_problem, path, path, file_data(path), machine, sinter))
                        for path in arguments.file])
        if "refusals" in wanted and any(machine.architecture == "aarch64" for machine in chosen):
            for name, problem in refusal_problems(sinter, folder):
                told(name, problem)
    print(f"{tried - failed} of {tried}, {time.monotonic() - start:.0f} s")
    print("PASS" if tried and not failed else "FAIL")
    sys.exit(0 if tried and not failed else 1)


if __name__ == "__main__":
    main()
