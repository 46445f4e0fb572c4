#!/usr/bin/env python3
"""Compiles a small model of every version of every operator of ONNX that Sinter has, and runs it beside other implementations.

    versions.py --sinter .build/release/sinter             # all
    versions.py --sinter .build/release/sinter Squeeze Pad  # these operators
    versions.py --sinter .build/release/sinter --list       # what is tried of each version, and what is not

The models are the smallest tests of ONNX's own suite, rewritten to what each version's schema asks for: inputs that were attributes once become
attributes again, attributes that a version lacks go, those of its own come. Where that gives no valid model, `version_cases.py` has one by hand.
A result is right where it is that of onnxruntime or of onnx's reference implementation; where neither runs a version, that of the test, or what
the table says.
"""

import argparse
import logging
import multiprocessing
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

import suite
from conformance import DEFAULT_FOLDER
from sizes import Died, Refused, answers, compile_library, library_runner, onnxruntime_runner, reference_runner, text
from version_cases import CASES, RENAMED, UNTRIED

DOMAINS = ("", "ai.onnx.ml")
UNKNOWN = "is not known, used"


def schemas():
    """All versions of all operators, the newest of each first."""
    found = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain in DOMAINS:
            found.setdefault((schema.domain, schema.name), {})[schema.since_version] = schema
    return {key: [versions[number] for number in sorted(versions, reverse=True)] for key, versions in sorted(found.items())}


def candidates(folder):
    """Tests of one node by domain and operator, the smallest first: models with their inputs and expected outputs."""
    found = {}
    for entry in suite.load(folder):
        if entry["group"] != "node" or "_expanded" in entry["name"]:
            continue
        path = Path(entry["folder"], "model.onnx")
        found.setdefault(entry["operator"], []).append((path.stat().st_size + Path(entry["folder"], "data.pickle").stat().st_size, path))
    return {operator: [path for _, path in sorted(paths)] for operator, paths in found.items()}


def rewritten(path, schema):
    """The model of a test with the node as a version's schema has it, its inputs, and what the test expects; None where that is not possible."""
    model = onnx.load(path)
    if len(model.graph.node) != 1 or model.graph.node[0].op_type != schema.name or model.graph.node[0].domain != schema.domain:
        return None
    data, expected = load_data(path)
    node, graph = model.graph.node[0], model.graph
    newest = onnx.defs.get_schema(schema.name, model.opset_import[0].version, schema.domain)
    if any(not isinstance(value, np.ndarray) or value.dtype.kind == "O" for value in data + expected):
        return None
    values = dict(zip([port.name for port in graph.input], data))
    attributes = {attribute.name: attribute for attribute in node.attribute}
    inputs = list(node.input)
    # Inputs that this version has as attributes.
    for place in reversed(range(len(inputs))):
        formal = newest.inputs[min(place, len(newest.inputs) - 1)].name
        own = [port.name for port in schema.inputs]
        if formal in own or newest.inputs[-1].option == onnx.defs.OpSchema.FormalParameterOption.Variadic or place < schema.min_input:
            continue
        name = next((known for known in (formal, *RENAMED.get((schema.name, formal), ())) if known in schema.attributes), None)
        if inputs[place] and name is None and place >= schema.max_input:
            return None
        if inputs[place] and name is not None:
            value = values.pop(inputs[place])
            kind = schema.attributes[name].type
            if not value.size:
                return None
            attributes[name] = helper.make_attribute(name, value.tolist() if "S" == str(kind)[-1] else value.ravel()[0].item())
            del inputs[place]
        elif place >= schema.max_input:
            del inputs[place]
    while inputs and not inputs[-1]:
        inputs.pop()
    for name in list(attributes):
        if name not in schema.attributes:
            default = newest.attributes[name].default_value if name in newest.attributes else None
            given = helper.get_attribute_value(attributes.pop(name))
            if default is None or not default.type or helper.get_attribute_value(default) != given:
                return None
            continue
        wanted = schema.attributes[name].type
        value = helper.get_attribute_value(attributes[name])
        if str(wanted).endswith(".FLOAT") and isinstance(value, int):
            attributes[name] = helper.make_attribute(name, float(value))
        if str(wanted).endswith(".STRING") and isinstance(value, int):  # Cast names its type
            attributes[name] = helper.make_attribute(name, onnx.TensorProto.DataType.Name(value))
    if "consumed_inputs" in schema.attributes:
        attributes["consumed_inputs"] = helper.make_attribute("consumed_inputs", [0] * len(inputs))
    if schema.name == "BatchNormalization" and "is_test" in schema.attributes:
        attributes["is_test"] = helper.make_attribute("is_test", 1)
    del node.input[:], node.attribute[:]
    node.input.extend(inputs)
    node.attribute.extend(attributes[name] for name in sorted(attributes))
    ports = [port for port in graph.input if port.name in values and port.name in inputs or any(port.name in str(a.g) for a in node.attribute if a.HasField("g"))]
    del graph.input[:]
    graph.input.extend(ports)
    versioned(model, schema)
    feed = [values[port.name] for port in ports]
    try:
        onnx.checker.check_model(model)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except Exception:  # whatever the checker raises
        return None
    return model, feed, expected


def load_data(path):
    import pickle

    inputs, outputs = pickle.loads(path.with_name("data.pickle").read_bytes())[0]
    return list(inputs), list(outputs)


def versioned(model, schema):
    """The model with the opset at which a version of an operator is the newest."""
    del model.opset_import[:]
    opsets = [helper.make_opsetid(schema.domain, schema.since_version)]
    if schema.domain:
        opsets.append(helper.make_opsetid("", 15))
    model.opset_import.extend(opsets)
    model.ir_version = max(helper.find_min_ir_version_for([opsets[0]], True) if not schema.domain else 8, 3)


def by_hand(case, schema):
    """A model of a line of the table."""
    names = [f"x{index}" for index in range(len(case.inputs))]
    outputs = [f"y{index}" for index in range(case.outputs)]
    node = helper.make_node(schema.name, [name if value is not None else "" for name, value in zip(names, case.inputs)], outputs, domain=schema.domain, **case.attributes)
    given = [(name, np.asarray(value)) for name, value in zip(names, case.inputs) if value is not None]
    ports, constants, feed = [], [], []
    for index, (name, value) in enumerate(given):
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        ports.append(helper.make_tensor_value_info(name, kind, value.shape))
        if name in case.constants:
            constants.append(numpy_helper.from_array(value, name))
        else:
            feed.append(value)
    if schema.since_version >= 4:
        ports = [port for port in ports if port.name not in case.constants]
    results = [helper.make_tensor_value_info(name, case.result or helper.np_dtype_to_tensor_dtype(given[0][1].dtype), None) for name in outputs]
    model = helper.make_model(helper.make_graph([node], schema.name, ports, results, constants))
    versioned(model, schema)
    return model, feed, case.expected


def tries(key, versions, folder):
    """For each version: a name, and a model with inputs and expected outputs, or None."""
    tests = candidates(folder).get(key[1], [])
    for schema in versions:
        label = f"{schema.domain}{'.' * bool(schema.domain)}{schema.name}-{schema.since_version}"
        hand = CASES.get((schema.name, schema.since_version), [])
        for number, case in enumerate(hand):
            yield f"{label}{f' {case.name}' if case.name else ''}", by_hand(case, schema)
        if not hand or schema is versions[0]:
            made = next((made for path in tests if (made := rewritten(path, schema)) is not None), None)
            if made or not hand:
                yield label, made


def close(ours, theirs):
    if len(ours) < len(theirs):
        return False
    for a, b in zip(ours, theirs):
        b = np.asarray(b)
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        if a.dtype.kind in "fcV" or "float" in str(a.dtype):
            wide = np.complex128 if a.dtype.kind == "c" else np.float64
            tolerance = 1e-4 if a.dtype.itemsize >= 4 else 2e-2
            if not np.allclose(a.astype(wide), b.astype(wide), tolerance, tolerance, equal_nan=True):
                return False
        elif not np.array_equal(a, b):
            return False
    return True


def run(name, model, feed, expected, sinter):
    """A word for the outcome, and what there is to tell."""
    with tempfile.TemporaryDirectory(prefix="sinter-versions-") as folder:
        try:
            path = compile_library(sinter, model, folder)
            ours = answers(lambda: library_runner(path), [feed])[0]
        except Died as death:
            return "FAIL", f"the compiler died: {death}"
        except Refused as refusal:
            return ("unknown" if UNKNOWN in str(refusal) else "FAIL"), str(refusal)
    if not isinstance(ours, list):
        return "FAIL", text(ours)
    judged = []
    if name in BY_DEFINITION:
        judged.append(("the definition", expected))
    else:
        for judge, make in (("onnxruntime", onnxruntime_runner), ("the reference", reference_runner)):
            try:
                given = answers(lambda make=make: make(model), [feed])[0]
            except Refused:
                continue
            if isinstance(given, list):
                judged.append((judge, given))
    if expected is not None and not judged:
        judged.append(("the test", expected))
    if not judged:
        return "FAIL", "nobody gives a value"
    if any(close(ours, theirs) for _, theirs in judged):
        return "ok", " and ".join(who for who, theirs in judged if close(ours, theirs))
    return "FAIL", f"{text(ours)}; " + "; ".join(f"{who}: {text(list(theirs))}" for who, theirs in judged)


BY_DEFINITION = {
    f"{name}-{since}{f' {case.name}' if case.name else ''}" for (name, since), cases in CASES.items() for case in cases if case.expected is not None}


def work(task):
    name, made, sinter = task
    if made is None:
        return name, ("untried", "no model")
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    return name, run(name, onnx.load_from_string(made[0]), *made[1:], sinter)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="the operators to try (all)")
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="where the official suite is written to")
    parser.add_argument("--jobs", type=int, default=2, help="versions at once (2)")
    parser.add_argument("--list", action="store_true", help="prints every version, and who agrees")
    arguments = parser.parse_args()
    sinter, start = str(Path(arguments.sinter).resolve()), time.monotonic()
    tasks = []
    for key, versions in schemas().items():
        if arguments.names and key[1] not in arguments.names:
            continue
        for name, made in tries(key, versions, arguments.folder):
            tasks.append((name, made and (made[0].SerializeToString(), *made[1:]), sinter))
    counts, results = {}, []
    with ProcessPoolExecutor(arguments.jobs, multiprocessing.get_context("fork")) as pool:
        for name, (word, detail) in pool.map(work, tasks):
            if word == "untried" and name in UNTRIED:
                word, detail = "left out", UNTRIED[name]
            results.append((name, word, detail))
            counts[word] = counts.get(word, 0) + 1
            if arguments.list or word in ("FAIL", "untried"):
                print(f"{word:9}{name}: {detail[:400]}", flush=True)
    has = {name.partition("-")[0] for name, word, _ in results if word not in ("unknown", "untried", "left out")}
    failed = [name for name, word, _ in results if word == "FAIL" or word in ("untried", "unknown") and name.partition("-")[0] in has]
    print(f"{counts.get('ok', 0)} of {len(results)} versions right, {', '.join(f'{n} {w}' for w, n in sorted(counts.items()) if w != 'ok')}; {time.monotonic() - start:.0f} s")
    for name in failed:
        print(f"  {name}")
    print("FAIL" if failed or not counts.get("ok") else "PASS")
    return 1 if failed or not counts.get("ok") else 0


if __name__ == "__main__":
    sys.exit(main())
