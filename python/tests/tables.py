"""A model that works for a while on tables of rows, what it computes, and who runs it: for the tests of clusters."""

import os
import time
from pathlib import Path

import numpy as np
from models import T, h, model
from onnx import numpy_helper

WIDTH, TURNS = 1024, 40


def weights() -> np.ndarray:
    """Four megabytes, which shrink what they are multiplied with, so that sums of f32 stay close to those of f64."""
    return (np.random.default_rng(3).standard_normal((WIDTH, WIDTH)) / WIDTH).astype(np.float32)


def slow(rows="n"):
    """y = x after x ← tanh(x · w + x) has been done 40 times, and top, the place of its greatest element."""
    body = h.make_graph(
        [h.make_node("Identity", ["go"], ["on"]), h.make_node("MatMul", ["v", "w"], ["p"]), h.make_node("Add", ["p", "v"], ["s"]),
         h.make_node("Tanh", ["s"], ["next"])],
        "turn", [h.make_tensor_value_info("i", T.INT64, []), h.make_tensor_value_info("go", T.BOOL, []), h.make_tensor_value_info("v", T.FLOAT, None)],
        [h.make_tensor_value_info("on", T.BOOL, []), h.make_tensor_value_info("next", T.FLOAT, None)])
    nodes = [h.make_node("Loop", ["turns", "", "x"], ["y"], body=body), h.make_node("ArgMax", ["y"], ["top"], axis=1, keepdims=0)]
    return model(
        nodes, [("x", T.FLOAT, [rows, WIDTH])], [("y", T.FLOAT, [rows, WIDTH]), ("top", T.INT64, [rows])],
        initializers=[numpy_helper.from_array(weights(), "w"), numpy_helper.from_array(np.array(TURNS), "turns")])


def expected(x: np.ndarray) -> np.ndarray:
    """y of `slow`, computed in f64."""
    value, w = x.astype(np.float64), weights().astype(np.float64)
    for _ in range(TURNS):
        value = np.tanh(value @ w + value)
    return value


def inputs(count: int) -> np.ndarray:
    return np.random.default_rng(5).standard_normal((count, WIDTH)).astype(np.float32)


def holders(path: str) -> dict[int, list[str]]:
    """The processes other than this one that have a file mapped, with the lines of /proc/PID/smaps about it."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        if int(process.name) == os.getpid():
            continue
        try:
            if path in (process / "maps").read_text():
                found[int(process.name)] = _lines(process / "smaps", path)
        except OSError:  # it has ended
            pass
    return found


def _lines(smaps: Path, path: str) -> list[str]:
    lines, inside = [], False
    for line in smaps.read_text().splitlines():
        if not line.split()[0].endswith(":"):
            inside = line.endswith(path)
        if inside:
            lines.append(line)
    return lines


def dirty(lines: list[str]) -> int:
    """Bytes of the mapped file that a process has for itself alone, since it wrote to them."""
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(("Private_Dirty:", "Anonymous:")))


def resident(lines: list[str]) -> int:
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Rss:"))


def wait(condition, seconds: float):
    """What a condition gives as soon as it gives anything."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come in time")
