#!/usr/bin/env python3
"""Compiles small models of sequences, optionals and maps, and runs them beside onnx's reference implementation or onnxruntime.

    sequences.py --sinter .build/release/sinter            # all
    sequences.py --sinter .build/release/sinter Loop       # those whose names hold this text

Each model is run on several feeds, with sequences of no element and elements without elements among them. Where the judge refuses a feed, the
library must, and the other way round.
"""

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from judging import main
from library import LibraryError
from sizes import onnxruntime_runner

GENERATOR = np.random.default_rng(5)


def f(*shape):
    return GENERATOR.integers(-9, 9, shape).astype(np.float32)


def i(*values):
    return np.array(values, np.int64)


def s(value):
    return np.array(value, np.int64)


def model(text):
    return onnx.parser.parse_model('<ir_version: 8, opset_import: ["" : 17]>\nmodel ' + text)


def split_models():
    for axis in (0, 1, -1):
        for split in ("", "scalar", "vector"):
            port = {"": "", "scalar": ", int64 split", "vector": ", int64[k] split"}[split]
            use = ", split" if split else ""
            sizes = [None] if not split else [s(1), s(2), s(5), s(0), s(-1)] if split == "scalar" else \
                [i(1, 3, 1), i(5), i(0, 5), i(2, 2), i(-1, 6)]
            for keeps in (1, 0) if not split else (1,):
                text = f"(float[a, b, c] x{port}) => (seq(float[]) y, int64 n) {{ y = SplitToSequence <axis = {axis}, keepdims = {keeps}> (x{use}) n = SequenceLength(y) }}"
                feeds = [[f(5, 5, 5)] + ([] if size is None else [size]) for size in sizes]
                feeds += [[f(5, 0, 5)] + ([] if not split else [feeds[0][1]])]
                yield f"SplitToSequence, axis {axis}, {split or 'ones'}, keepdims {keeps}", model(text), feeds
    yield ("SplitToSequence, parts of a known number", model(
        "(float[a, 6] x) => (seq(float[]) y) { p = Constant <value_ints = [1, 2, 3]>() y = SplitToSequence <axis = 1> (x, p) }"), [[f(2, 6)], [f(0, 6)]])


def join_models():
    for axis in (0, 1, 2, -1):
        feeds = [[[f(2, 3, n) if axis in (2, -1) else f(2, n, 3) if axis == 1 else f(n, 2, 3) for n in sizes]] for sizes in ([1, 2, 0, 3], [2], [0, 0], [1] * 9)]
        feeds += [[[]], [[f(1, 2, 3), f(3, 2, 2)]]]
        yield f"ConcatFromSequence, axis {axis}", model(f"(seq(float[a, b, c]) x) => (float[d, e, g] y) {{ y = ConcatFromSequence <axis = {axis}> (x) }}"), feeds
    for axis in (0, 1, 2, -1):
        feeds = [[[f(2, 3) for _ in range(n)]] for n in (1, 4)] + [[[f(0, 3), f(0, 3)]], [[]], [[f(2, 3), f(3, 2)]]]
        yield f"ConcatFromSequence, new axis {axis}", model(f"(seq(float[a, b]) x) => (float[d, e, g] y) {{ y = ConcatFromSequence <axis = {axis}, new_axis = 1> (x) }}"), feeds


def walk_models():
    text = "(seq(float[a, b]) x, int64 p, int64 q, float[c, d] t) => (seq(float[]) y, float[e, g] z, int64 n)"
    body = "{ u = SequenceInsert(x, t, p) y = SequenceErase(u, q) z = SequenceAt(u, q) n = SequenceLength(y) }"
    sequence = lambda: [f(2, 3), f(0, 4), f(1, 1)]
    yield "insert, erase, at", model(text + body), [[sequence(), s(p), s(q), f(2, 2)] for p, q in ((0, 0), (3, -1), (-1, 2), (1, -4), (4, 0), (-4, 0), (0, 4), (0, -5))] + [
        [[], s(0), s(0), f(3, 0)], [[], s(1), s(0), f(3, 0)]]
    yield "erase the last, insert behind", model(
        "(seq(float[a]) x, float[b] t) => (seq(float[]) y) { u = SequenceErase(x) y = SequenceInsert(u, t) }"), [[[f(2), f(3)], f(1)], [[f(0)], f(0)], [[], f(1)]]
    yield "two types", model(
        "(seq(int64[a]) x, seq(bool[]) m) => (int64[c] y, seq(bool[]) k) { p = Constant <value_int = -1>() y = SequenceAt(x, p) k = Identity(m) }"), [
            [[i(1, 2), i(3)], [np.array(True), np.array([[False]])]], [[i()], []]]


def taking_models():
    """Loops and branches that take from a sequence whose length is known, or that may be too short for a branch that is not taken."""
    loop = """({ports}) => (int64 n, float[] last) {{ t = Constant <value_int = 1>() go = Cast <to = 9>(t) z = Constant <value_int = 0>() p = Constant <value_int = -1>()
        {first} u = Loop(count, go, start) <body = b (int64 i, bool g, seq(float[q, 2]) s) => (bool again, seq(float[q, 2]) next) {{ again = Identity(g) {body} }}>
        n = SequenceLength(u) last = SequenceAt(u, p) }}"""
    four = "start = SequenceConstruct(x, x, x, x)"
    bodies = {
        "erase": "next = SequenceErase(s, z)", "erase the last": "next = SequenceErase(s)",
        "move to the end": "h = SequenceAt(s, z) r = SequenceErase(s, z) next = SequenceInsert(r, h)",
        "insert, erase": "h = SequenceAt(s, z) r = SequenceInsert(s, h) next = SequenceErase(r, z)",
        "insert what is there": "h = SequenceAt(s, z) next = SequenceInsert(s, h)",
    }
    for name, body in bodies.items():
        yield f"Loop, {name}", model(loop.format(ports="int64 count, float[a, 2] x", first=four, body=body)), [[s(n), f(1, 2)] for n in (0, 1, 3, 4, 5)]
    erases = """next = If(long) <then_branch = t () => (seq(float[q, 2]) st) { st = SequenceErase(s, z) },
        else_branch = e () => (seq(float[q, 2]) se) { se = SequenceInsert(s, x) }>"""
    choice = "k = SequenceLength(s) o = Constant <value_int = 1>() long = Greater(k, o) " + erases
    yield "Loop, insert or erase from nothing on", model(
        loop.format(ports="int64 count, float[a, 2] x", first="start = SequenceEmpty()", body=choice)), [[s(n), f(1, 2)] for n in (1, 2, 3, 6)]
    yield "If, erase or insert", model(
        "(seq(float[a, 2]) s, float[b, 2] x) => (int64 n) { z = Constant <value_int = 0>() " + choice + " n = SequenceLength(next) }"), [
            [[f(1, 2) for _ in range(n)], f(2, 2)] for n in (0, 1, 2, 3)]


def map_models():
    yield "SequenceMap", model("""(seq(float[a, b]) x, float[b] t) => (seq(float[]) y, seq(int64[]) z) {
        y, z = SequenceMap (x, t) <body = inner (float[a, b] xi, float[b] ti) => (float[a, b] yi, int64[2] zi) { yi = Add(xi, ti) zi = Shape(xi) }> }"""), [
            [[f(2, 3), f(0, 3), f(5, 3)], f(3)], [[], f(3)], [[f(1, 3)], f(3)]]
    yield "SequenceMap of two", model("""(seq(float[a]) x, seq(float[a]) t) => (seq(float[]) y) {
        y = SequenceMap (x, t) <body = inner (float[a] xi, float[a] ti) => (float[a] yi) { yi = Mul(xi, ti) }> }"""), [
            [[f(2), f(0)], [f(2), f(0)]], [[], []]]
    yield "SequenceMap of parts", model("""(float[6, 4] x) => (float[b, c] y) {
        p = SplitToSequence <axis = 0, keepdims = 1> (x)
        m = SequenceMap (p) <body = inner (float[a, b] xi) => (float[a, b] yi) { yi = Relu(xi) }>
        y = ConcatFromSequence <axis = 1> (m) }"""), [[f(6, 4)]]


def control_models():
    yield "Loop that collects", model("""(int64 n, float[a] x) => (seq(float[]) y) {
        c = Constant <value = bool {1}>() e = SequenceEmpty()
        y = Loop (n, c, e) <body = turn (int64 k, bool go, seq(float[a]) s) => (bool again, seq(float[a]) t) {
          again = Identity(go) zero = Constant <value_ints = [0]>() ax = Constant <value_ints = [0]>() one = Constant <value_int = 1>()
          k1 = Add(k, one) end = Unsqueeze(k1, ax) part = Slice(x, zero, end) t = SequenceInsert(s, part) }> }"""), [
            [s(3), f(5)], [s(0), f(5)], [s(4), f(2)], [s(2), f(0)]]
    yield "Loop that reads and shrinks", model("""(int64 n, seq(float[a]) x) => (seq(float[]) y, float total) {
        c = Constant <value = bool {1}>() z = Constant <value_float = 0.0>()
        y, total = Loop (n, c, x, z) <body = turn (int64 k, bool go, seq(float[a]) s, float sum) => (bool again, seq(float[a]) t, float next) {
          again = Identity(go) p = Constant <value_int = 0>() first = SequenceAt(s, p) part = ReduceSum <keepdims = 0> (first) next = Add(sum, part) t = SequenceErase(s, p) }> }"""), [
            [s(2), [f(3), f(1), f(0)]], [s(0), [f(1)]], [s(3), [f(1), f(2), f(3)]], [s(2), [f(1)]]]
    yield "Loop over a list outside", model("""(float[4] x, float[2] z, int64 n) => (float[k, 1] y) {
        l = SequenceConstruct(x, z) c = Constant <value = bool {1}>()
        y = Loop (n, c) <body = turn (int64 k, bool go) => (bool again, float[1] v) { again = Identity(go) t = SequenceAt(l, k) ax = Constant <value_ints = [0]>() v = ReduceSum <keepdims = 1> (t, ax) }> }"""), [
            [f(4), f(2), s(2)], [f(4), f(2), s(0)], [f(4), f(2), s(3)]]
    for kinds, then, other in (
        ("lists of one length", "r = SequenceConstruct(x, t)", "r = SequenceConstruct(t, t)"), ("lists of two lengths", "r = SequenceConstruct(x, t)", "r = SequenceConstruct(t)"),
        ("one of them given", "r = Identity(g)", "r = SequenceConstruct(t)"), ("one of them empty", "r = SequenceEmpty()", "r = Identity(g)")):
        text = f"""(bool c, float[a] x, float[b] t, seq(float[d]) g) => (seq(float[]) y, int64 n) {{
        y = If (c) <then_branch = yes () => (seq(float[]) r) {{ {then} }}, else_branch = no () => (seq(float[]) q) {{ {other.replace("r =", "q =")} }}>
        n = SequenceLength(y) }}"""
        yield f"If, {kinds}", model(text), [[np.array(c), f(2), f(3), g] for c in (True, False) for g in ([f(1), f(2)], [])]
    yield "If that reads", model("""(bool c, seq(float[d]) g, int64 p) => (float[e] y) {
        y = If (c) <then_branch = yes () => (float[e] r) { r = SequenceAt(g, p) }, else_branch = no () => (float[e] q) { q = ConcatFromSequence <axis = 0> (g) }> }"""), [
            [np.array(c), [f(2), f(3)], s(p)] for c in (True, False) for p in (0, -1, 2)]


def optional_models():
    yield "optional tensor", model("""(optional(float[a]) x, float[b] z) => (float[c] y, bool has) {
        has = OptionalHasElement(x)
        y = If (has) <then_branch = yes () => (float[c] r) { r = OptionalGetElement(x) }, else_branch = no () => (float[c] q) { q = Identity(z) }> }"""), [
            [f(3), f(2)], [None, f(2)], [f(0), f(1)]]
    yield "optional sequence", model("""(optional(seq(float[a])) x) => (optional(seq(float[a])) y, bool has) { y = Identity(x) has = OptionalHasElement(x) }"""), [
        [[f(3), f(0)]], [None], [[]]]
    yield "element of an optional", model("(optional(float[a]) x) => (float[a] y) { y = OptionalGetElement(x) }"), [[f(2)], [None]]


def text_models():
    """What computes nothing, of texts instead of floats."""
    for source in (split_models, join_models, walk_models, taking_models, control_models, optional_models):
        for name, case, feeds in source():
            if any(node.op_type in ("ReduceSum", "Add") for node in nodes(case.graph)):
                continue
            texts = onnx.ModelProto.FromString(case.SerializeToString())
            to_text(texts)
            yield f"{name}, of text", texts, [[worded(value) for value in feed] for feed in feeds]


def nodes(graph):
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from nodes(attribute.g)


def to_text(message):
    """Makes strings of all floats that a message declares, and of what empty sequences hold."""
    if isinstance(message, onnx.TypeProto.Tensor) and message.elem_type == onnx.TensorProto.FLOAT:
        message.elem_type = onnx.TensorProto.STRING
    if isinstance(message, onnx.NodeProto) and message.op_type == "SequenceEmpty":
        message.attribute.append(onnx.helper.make_attribute("dtype", onnx.TensorProto.STRING))
    for _, value in message.ListFields():
        for part in [value] if hasattr(value, "ListFields") else value if not isinstance(value, (str, bytes, int, float)) else []:
            if hasattr(part, "ListFields"):
                to_text(part)


def worded(value):
    if isinstance(value, list):
        return [worded(item) for item in value]
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        return np.array([f"é{number:g}" for number in value.flat] + [None], object)[:-1].reshape(value.shape)
    return value


def same(a, b):
    if isinstance(b, (list, tuple)):
        return isinstance(a, list) and len(a) == len(b) and all(map(same, a, b))
    if b is None or a is None:
        return a is b
    a, b = np.asarray(a), np.asarray(b)
    if {a.dtype.kind, b.dtype.kind} <= set("OU"):
        return a.shape == b.shape and a.tolist() == b.tolist()
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)


def answer(run, feed):
    try:
        return run(feed), ""
    except Exception as error:  # whatever the judge raises
        if not isinstance(error, LibraryError) and "judge" not in run.__qualname__:
            raise
        return None, str(error)


def judge(case):
    """The reference implementation, which takes sequences of mixed shapes as they are."""
    evaluator = ReferenceEvaluator(case)
    names = [port.name for port in case.graph.input]
    return lambda feed: evaluator.run(None, dict(zip(names, feed, strict=True)))


def files(folder):
    for source in (split_models, join_models, walk_models, taking_models, map_models, control_models, optional_models, text_models):
        for name, case, feeds in source():
            def compare(run, theirs, feeds=feeds, case=case):
                judges = [judge(case)]
                try:
                    judges.insert(0, onnxruntime_runner(case))
                except Exception:  # whatever onnxruntime does not take
                    pass
                for feed in feeds:
                    try:
                        ours = run(feed)
                    except LibraryError as error:
                        ours = str(error)
                    given = []
                    for one in judges:
                        try:
                            given.append(one(feed))
                        except Exception as error:  # whatever a judge raises
                            given.append(str(error))
                    shown = [value if isinstance(value, str) else [np.asarray(v).tolist() if not isinstance(v, list) else [w.shape for w in v] for v in value] for value in (ours, *given)]
                    agrees = any(isinstance(ours, str) and isinstance(value, str) or not isinstance(ours, str) and not isinstance(value, str) and same(ours, list(value)) for value in given)
                    if not agrees:
                        return f"of {[getattr(v, 'shape', v) for v in feed]}: {shown}"
                return ""
            yield name, case, compare


if __name__ == "__main__":
    main(__doc__, files)
