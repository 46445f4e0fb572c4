#!/usr/bin/env python3
"""Compiles networks that come inside Python wheels, and runs them beside onnxruntime.

    wheels.py --sinter .build/release/sinter                # all of wheels.json; wheels are kept in ~/.cache/sinter/wheels
    wheels.py --sinter .build/release/sinter ocr speech     # those whose names hold one of these texts
    wheels.py --sinter .build/release/sinter --found FILE   # a wheel that is not listed: all ONNX files in it, and their lines for wheels.json

Inputs are random, of shapes that the list tells where a file leaves sizes open. Nobody here made these files, and none is kept here: each is held
against its hash. Results must agree with onnxruntime's up to a thousandth of the largest, or of 0.001 where all are smaller; in halves, up to a
hundredth; where a model quantizes activations as it runs, one rounding that differs moves others, and a twentieth of the root mean square is let pass.
"""

import argparse
import hashlib
import json
import math
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from judging import flat
from library import Library

LIST = Path(__file__).with_name("wheels.json")
SECONDS = 900


def wheel(requirement, folder):
    """The path of a wheel, from the package index unless it is there already."""
    name, version = requirement.split("==")
    beginning = f"{name.replace('-', '_')}-{version}-".lower()
    for _ in range(2):
        for file in sorted(folder.glob("*.whl")):
            if file.name.replace("-", "_").lower().startswith(beginning.replace("-", "_")):
                return file
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "-d", str(folder), requirement]
        subprocess.run(command, check=True, capture_output=True, text=True)
    raise FileNotFoundError(f"no wheel of {requirement}")


def draw(port, sizes, limits, generator):
    """A random value for a port. `sizes` has the numbers of open sizes, by name or by input and axis; `limits` what integers stay under."""
    tensor = port.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    shape = [
        item.dim_value if item.HasField("dim_value") and item.dim_value >= 0 else sizes.get(item.dim_param, sizes.get(f"{port.name}.{axis}", 1))
        for axis, item in enumerate(tensor.shape.dim)]
    if f"{port.name}.0" in sizes and not shape:
        shape = [sizes[f"{port.name}.{axis}"] for axis in range(sum(key.startswith(f"{port.name}.") for key in sizes))]
    if dtype == object:
        return np.array(["text"] * int(np.prod(shape)), object).reshape(shape)
    if dtype == bool:
        return generator.random(shape) < 0.5
    if np.issubdtype(dtype, np.integer):
        low, high = limits.get(port.name, (0, 2))
        return generator.integers(low, high, shape).astype(dtype)
    return (generator.standard_normal(shape) * limits.get(port.name, (0, 1))[1]).astype(dtype)


def inputs(model, entry):
    stored, generator = {tensor.name for tensor in model.graph.initializer}, np.random.default_rng(9)
    ports = [port for port in model.graph.input if port.name not in stored]
    return {port.name: draw(port, entry.get("sizes", {}), entry.get("values", {}), generator) for port in ports}


def difference(ours, theirs, rough, part):
    for index, (a, b) in enumerate(zip(flat(ours), flat(theirs), strict=True)):
        if a.shape != b.shape or (a.dtype != b.dtype and a.dtype.kind not in "OU"):
            return f"result {index} is {a.dtype}{list(a.shape)}, not {b.dtype}{list(b.shape)}"
        if not a.size:
            continue
        if b.dtype.kind != "f":
            if (a != b).mean() > (0.05 if rough else 0):
                return f"result {index}: {(a != b).mean():.1%} of elements differ"
            continue
        if not np.array_equal(np.isfinite(a), np.isfinite(b)):
            return f"result {index}: infinities or NaN in other places"
        kept = np.isfinite(b)
        a, b = a[kept].astype(np.float64), b[kept].astype(np.float64)
        apart, size = np.abs(a - b), np.abs(b)
        if rough:
            apart, size = np.sqrt(np.mean(apart ** 2, keepdims=True)), np.sqrt(np.mean(size ** 2, keepdims=True))
        if (worst := apart.max(initial=0) / max(size.max(initial=0), 1e-3)) > part:
            return f"result {index}: differs by {worst:.2g} of the largest"
    return ""


def check(sinter, archive, entry, folder):
    """What is wrong with one model; empty where nothing is."""
    library = Path(folder, "model.so")
    # Weights may lie in files beside it.
    beside = entry["path"].rpartition("/")[0] + "/"
    for member in archive.namelist():
        if member == entry["path"] or member.startswith(beside) and "data" in Path(member).suffix:
            archive.extract(member, folder)
    path = Path(folder, entry["path"])
    model = onnx.load(path, load_external_data=False)
    feed = inputs(model, entry)
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    expected = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(None, feed)
    # Sizes that the rank of a result hangs on.
    bound = [word for symbol in entry.get("bound", ()) for word in ("--bind", f"{symbol}={entry['sizes'][symbol]}")]
    done = subprocess.run([sinter, "compile", str(path), *bound, "-o", str(library)], capture_output=True, text=True, errors="replace", timeout=SECONDS)
    if done.returncode:
        return f"does not compile: {done.stderr.strip()[:300]}"
    rough = any(node.op_type in ("DynamicQuantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul", "QuantizeLinear") for node in model.graph.node)
    half = any(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in model.graph.initializer)
    try:
        return difference(Library(str(library)).open(threads=1).run(list(feed.values())), expected, rough, 0.05 if rough else 0.01 if half else 1e-3)
    except Exception as error:  # a run that fails
        return str(error)


def found(path):
    """An entry of the list for each ONNX file in a wheel."""
    name, version = Path(path).name.split("-")[:2]
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            if member.endswith(".onnx"):
                yield {"package": f"{name.replace('_', '-')}=={version}", "path": member, "sha256": hashlib.sha256(archive.read(member)).hexdigest()}


def ports(data):
    """What the inputs of a model are, in a line."""
    graph = onnx.load_from_string(data).graph
    stored = {tensor.name for tensor in graph.initializer}

    def shown(port):
        tensor = port.type.tensor_type
        sizes = [str(item.dim_value) if item.HasField("dim_value") else item.dim_param or "?" for item in tensor.shape.dim]
        return f"{port.name}: {onnx.TensorProto.DataType.Name(tensor.elem_type).lower()}[{', '.join(sizes)}]"

    return ", ".join(shown(port) for port in graph.input if port.name not in stored)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="texts in the packages and paths of those to try (all)")
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    parser.add_argument("--wheels", type=Path, default=Path.home() / ".cache/sinter/wheels", help="folder that has or gets the wheels")
    parser.add_argument("--largest", type=float, default=math.inf, help="leaves out models of more megabytes than this")
    parser.add_argument("--found", nargs="+", help="wheels that are not listed")
    arguments = parser.parse_args()
    arguments.wheels.mkdir(parents=True, exist_ok=True)
    sinter, tried, failed = str(Path(arguments.sinter).resolve()), 0, 0
    entries = [dict(entry, file=file) for file in arguments.found for entry in found(file)] if arguments.found else json.loads(LIST.read_text())
    for entry in entries:
        name = f"{entry['package']} {entry['path']}"
        if arguments.names and not any(text in name for text in arguments.names):
            continue
        tried, start, size = tried + 1, time.monotonic(), 0
        with tempfile.TemporaryDirectory(prefix="sinter-wheels-") as folder:
            try:
                file = entry.pop("file", None) or wheel(entry["package"], arguments.wheels)
                archive = zipfile.ZipFile(file)
                size = archive.getinfo(entry["path"]).file_size
                if size > arguments.largest * 1e6:
                    tried -= 1
                    continue
                same = hashlib.sha256(archive.read(entry["path"])).hexdigest() == entry["sha256"]
                problem = check(sinter, archive, entry, folder) if same else "is another file than that of the list"
            except Exception as error:  # no wheel, or onnxruntime does not run the model on these inputs
                problem = f"cannot be tried: {type(error).__name__}: {str(error).strip()[:300]}"
        failed += bool(problem)
        print(f"{'FAIL' if problem else 'ok':6}{name}, {size / 1e6:.1f} MB, {time.monotonic() - start:.0f} s{': ' if problem else ''}{problem}", flush=True)
        if arguments.found:
            print(f"  {json.dumps(entry)},\n  {ports(archive.read(entry['path']))}", flush=True)
    print(f"{tried - failed} of {tried} models")
    print("PASS" if tried and not failed else "FAIL")
    return 0 if tried and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
