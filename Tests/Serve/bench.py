#!/usr/bin/env python3
"""Times sinter-serve beside ONNX Runtime behind FastAPI and uvicorn, one process each, under the same load by wrk.

    bench.py --sinter SINTER --serve SINTER-SERVE --threads 2 --connections 8 resnet18.onnx digits.onnx

Prints a row for each model, body and server: answers a second, and latencies of the middle and of the slowest hundredth. Both servers get the same
numbers, once as JSON and once as bytes, and their first answers are held against each other. They take turns, since machines change their speed, and of
each the turn with the most answers counts. The threads are those of each run (`one`), or a run has one (`each`) and there are as many runs at
once, of which FastAPI's pool of threads takes as many as there are requests anyway; the better of both counts for either server.
"""

import argparse
import importlib.metadata
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import onnx

from server import Server


def first_input(path):
    """Name and random contents of the one input, symbolic sizes as 1."""
    graph = onnx.load(path, load_external_data=False).graph
    given = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in given]
    if len(inputs) != 1 or inputs[0].type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
        sys.exit(f"{path}: one input of floats is expected")
    shape = [size.dim_value or 1 for size in inputs[0].type.tensor_type.shape.dim]
    return inputs[0].name, np.random.default_rng(0).normal(size=shape).astype(np.float32)


def bodies(name, array):
    """The request as JSON, and as a text with bytes behind it."""
    port = {"name": name, "shape": list(array.shape), "datatype": "FP32"}
    as_json = json.dumps({"inputs": [{**port, "data": [float(x) for x in array.ravel()]}]}).encode()
    head = json.dumps({
        "parameters": {"binary_data_output": True},
        "inputs": [{**port, "parameters": {"binary_data_size": array.nbytes}}]}).encode()
    return {
        "JSON": (as_json, {"Content-Type": "application/json"}),
        "bytes": (head + array.tobytes(), {"Inference-Header-Content-Length": str(len(head))})}


def answer(url, body, headers):
    reply = urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60)
    text, length = reply.read(), reply.headers.get("Inference-Header-Content-Length")
    if length:
        return np.frombuffer(text[int(length):], np.float32)
    return np.array(json.loads(text)["outputs"][0]["data"], np.float32)


def load(url, body, headers, seconds, connections, folder):
    """Answers a second and latencies in milliseconds."""
    Path(folder, "body").write_bytes(body)
    lines = [f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()]
    Path(folder, "load.lua").write_text(
        f'wrk.method = "POST"\nlocal file = io.open("{folder}/body", "rb")\nwrk.body = file:read("*a")\n' + "\n".join(lines))
    command = ["wrk", "-t1", f"-c{connections}", "--timeout", "60s", "--latency", "-s", f"{folder}/load.lua"]
    subprocess.run([*command, "-d1s", url], check=True, stdout=subprocess.DEVNULL)
    shown = subprocess.run([*command, f"-d{seconds}s", url], check=True, capture_output=True, text=True).stdout
    units = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
    latency = {
        part: float(value) * units[unit] for part, value, unit in re.findall(r"^\s+(\d+)%\s+([\d.]+)(us|ms|s|m)\s*$", shown, re.M)}
    if "Non-2xx" in shown or "Socket errors" in shown or not {"50", "99"} <= latency.keys():
        sys.exit(f"{url}: {shown}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", shown)[1]), latency["50"], latency["99"]


class Peer:
    """ONNX Runtime behind FastAPI, in a process of its own."""

    def __init__(self, model, threads):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.http = f"127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "peer:app", "--port", str(self.port), "--log-level", "error", "--no-access-log"],
            cwd=Path(__file__).parent, env={**os.environ, "MODEL": str(model), "THREADS": str(threads)})

    def __enter__(self):
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except OSError:
                time.sleep(0.1)
        sys.exit("uvicorn did not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--sinter", required=True)
    parser.add_argument("--serve", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--libraries", type=Path, help="a folder that keeps the compiled libraries for the next time")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each server")
    parser.add_argument("--compile", default="", help="more options of sinter compile")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="relative; answers may differ by this")
    parser.add_argument("--options", default="", help="more options of sinter-serve")
    options = parser.parse_args()
    processor = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("onnxruntime", "fastapi", "uvicorn"))
    print(f"{processor}, {os.cpu_count()} processors; {versions}; {options.connections} connections, {options.threads} threads\n")
    print("| model | body | server | threads are | answers/s | median ms | 99 % ms |\n|---|---|---|---|---|---|---|", flush=True)
    for model in options.models:
        name, array = first_input(model)
        title = model.stem if model.stem != "model" else model.parent.name
        with tempfile.TemporaryDirectory() as folder:
            library = Path(options.libraries or folder, title, f"{title}.so")
            library.parent.mkdir(parents=True, exist_ok=True)
            if not library.exists():
                command = [options.sinter, "compile", model, "-o", library, *options.compile.split()]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

            def own(instances, threads):
                more = options.options.split()
                return Server(options.serve, library.parent, *more, "--instances", instances, threads=threads), f"v2/models/{title}/infer"

            def peer(instances, threads):
                return Peer(model.resolve(), threads), "infer"

            for kind, (body, headers) in bodies(name, array).items():
                answers, best = [], {}
                for _ in range(options.rounds):
                    for shape, sizes in {"one": (1, options.threads), "each": (options.threads, 1)}.items():
                        for server, start in {"sinter serve": own, "FastAPI": peer}.items():
                            process, path = start(*sizes)
                            with process:
                                url = f"http://{process.http}/{path}"
                                answers.append(answer(url, body, headers))
                                row = (*load(url, body, headers, options.seconds, options.connections, folder), shape)
                            best[server] = max(best.get(server, row), row)
                for server, (rate, median, slowest, shape) in best.items():
                    print(f"| {title} | {kind} | {server} | {shape} | {rate:.0f} | {median:.2f} | {slowest:.2f} |", flush=True)
                for other in answers[1:]:
                    if not np.allclose(answers[0], other, rtol=options.tolerance, atol=options.tolerance / 10):
                        sys.exit(f"{title}: the answers differ by {np.abs(answers[0] - other).max()}")


if __name__ == "__main__":
    main()
