#!/usr/bin/env python3
"""Times sinter-serve beside ONNX Runtime behind FastAPI and uvicorn, one process each, under the same load by wrk.

    bench.py --sinter SINTER --serve SINTER-SERVE --threads 2 --connections 8 resnet18.onnx digits.onnx

Prints a row for each model, body and server: answers a second, and latencies of the middle and of the slowest hundredth. Both servers get the same
numbers, once as JSON and once as bytes, and their first answers are held against each other.
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
    parser.add_argument("--options", default="", help="more options of sinter-serve")
    options = parser.parse_args()
    processor = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("onnxruntime", "fastapi", "uvicorn"))
    print(f"{processor}, {os.cpu_count()} processors; {versions}; {options.connections} connections\n")
    print("| model | body | server | answers/s | median ms | 99 % ms |\n|---|---|---|---|---|---|", flush=True)
    for model in options.models:
        name, array = first_input(model)
        title = model.stem if model.stem != "model" else model.parent.name
        with tempfile.TemporaryDirectory() as folder:
            library = Path(options.libraries or folder, title, f"{title}.so")
            library.parent.mkdir(parents=True, exist_ok=True)
            if not library.exists():
                subprocess.run([options.sinter, "compile", model, "-o", library], check=True, stdout=subprocess.DEVNULL)
            for kind, (body, headers) in bodies(name, array).items():
                answers, rows = [], []
                for server in "sinter serve", "FastAPI":
                    if server == "FastAPI":
                        with Peer(model.resolve(), options.threads) as peer:
                            url = f"http://127.0.0.1:{peer.port}/infer"
                            answers.append(answer(url, body, headers))
                            rows.append(load(url, body, headers, options.seconds, options.connections, folder))
                    else:
                        with Server(options.serve, library.parent, *options.options.split(), threads=options.threads) as own:
                            url = f"http://{own.http}/v2/models/{title}/infer"
                            answers.append(answer(url, body, headers))
                            rows.append(load(url, body, headers, options.seconds, options.connections, folder))
                    rate, median, slowest = rows[-1]
                    print(f"| {title} | {kind} | {server} | {rate:.0f} | {median:.2f} | {slowest:.2f} |", flush=True)
                if not np.allclose(answers[0], answers[1], rtol=1e-3, atol=1e-4):
                    sys.exit(f"{title}: the answers differ by {np.abs(answers[0] - answers[1]).max()}")


if __name__ == "__main__":
    main()
