#!/usr/bin/env python3
"""sinter-serve beside clients that others wrote: tritonclient over HTTP and gRPC, wrk, and sockets by hand.

    SINTER=.build/debug/sinter SINTER_SERVE=.build/serve/debug/sinter-serve python3 -m unittest test_serve
"""

import concurrent.futures
import http.client
import json
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

import grpc
import ml_dtypes
import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import InferenceServerException

import models
from server import Server

SINTER = os.environ["SINTER"]
SERVE = os.environ["SINTER_SERVE"]
# A build of the trait ServeHTTP has no gRPC.
HAS_GRPC = os.environ.get("SINTER_SERVE_TRAIT", "Serve") == "Serve"
HERE = Path(__file__).resolve().parent


def setUpModule():
    global MADE
    MADE = Path(tempfile.mkdtemp(prefix="sinter-serve-test-"))
    for name, make in {
        "twice": lambda path: models.scale(path, 2), "thrice": lambda path: models.scale(path, 3),
        "types": models.types, "network": models.network, "lengths": models.lengths, "slow": models.slow,
    }.items():
        models.compile(SINTER, make(MADE / f"{name}.onnx"), MADE / f"{name}.so")


def tearDownModule():
    shutil.rmtree(MADE)


def place(name, path):
    """Puts a compiled model where a server looks for it, over what is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    copy = path.with_name("." + path.name)
    shutil.copy(MADE / f"{name}.so", copy)
    copy.replace(path)


class ServeTest(unittest.TestCase):
    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="sinter-serve-models-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def serve(self, *options, **more):
        server = Server(SERVE, self.folder, *options, **more)
        self.addCleanup(server.__exit__)
        self.assertEqual(server.grpc is not None, HAS_GRPC)
        return server

    def clients(self, server):
        """A client for each protocol, with its module."""
        return [(self.http(server), triton_http)] + ([(self.grpc(server), triton_grpc)] if HAS_GRPC else [])

    def http(self, server):
        client = triton_http.InferenceServerClient(server.http, concurrency=4)
        self.addCleanup(client.close)
        return client

    def grpc(self, server):
        client = triton_grpc.InferenceServerClient(server.grpc)
        self.addCleanup(client.close)
        return client


def infer(client, kind, model, arrays, outputs=None, **options):
    """One request by tritonclient, over HTTP (`kind` its module) or gRPC."""
    inputs = []
    for name, (datatype, array, *binary) in arrays.items():
        given = kind.InferInput(name, list(array.shape), datatype)
        given.set_data_from_numpy(array, *binary)
        inputs.append(given)
    return client.infer(model, inputs, outputs=outputs, **options)


class ProtocolTests(ServeTest):
    def setUp(self):
        super().setUp()
        place("types", self.folder / "types.so")
        place("network", self.folder / "network" / "7" / "libnetwork.so")
        self.server = self.serve()

    def test_metadata(self):
        for client, _ in self.clients(self.server):
            self.assertTrue(client.is_server_live())
            self.assertTrue(client.is_server_ready())
            self.assertTrue(client.is_model_ready("network"))
            self.assertTrue(client.is_model_ready("network", "7"))
            self.assertFalse(client.is_model_ready("network", "8"))
            self.assertFalse(client.is_model_ready("none"))
        server = self.http(self.server).get_server_metadata()
        self.assertEqual(server["name"], "sinter")
        self.assertIn("binary_tensor_data", server["extensions"])
        model = self.http(self.server).get_model_metadata("network")
        self.assertEqual(model, {
            "name": "network", "versions": ["7"], "platform": "sinter",
            "inputs": [{"name": "images", "datatype": "FP32", "shape": [-1, 1, 8, 8]}],
            "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 10]}]})

    @unittest.skipUnless(HAS_GRPC, "no gRPC")
    def test_metadata_over_grpc(self):
        server = self.grpc(self.server).get_server_metadata()
        self.assertEqual((server.name, list(server.extensions)), ("sinter", ["binary_tensor_data", "model_repository"]))
        over_grpc = self.grpc(self.server).get_model_metadata("network")
        self.assertEqual(list(over_grpc.inputs[0].shape), [-1, 1, 8, 8])
        self.assertEqual(over_grpc.outputs[0].datatype, "FP32")

    def arrays(self, count):
        rng = np.random.default_rng(count)
        arrays = {}
        for datatype in models.TYPES:
            name = datatype.lower()
            if datatype == "BYTES":
                texts = ["", "grün\n\"x\"", "😀", "0" * 1000, "\x00"]
                arrays[name] = np.array([texts[i % 5] for i in range(count)], dtype=np.object_)
            elif datatype == "BOOL":
                arrays[name] = rng.integers(0, 2, count).astype(bool)
            elif datatype.startswith(("INT", "UINT")):
                dtype = np.dtype(datatype.lower())
                limits = np.iinfo(dtype)
                arrays[name] = rng.integers(limits.min, limits.max, count, dtype=dtype, endpoint=True)
            else:
                dtype = {"FP16": np.float16, "FP32": np.float32, "BF16": ml_dtypes.bfloat16, "FP64": np.float64}[datatype]
                arrays[name] = rng.normal(0, 3, count).astype(dtype)
        return arrays

    def check_types(self, client, kind, count, binary):
        arrays = self.arrays(count)
        # tritonclient has no JSON for floats of 16 bits.
        only_binary = {"fp16", "bf16"} if kind is triton_http else set()
        inputs = {
            name: (name.upper(), array) + ((binary or name in only_binary,) if kind is triton_http else ())
            for name, array in arrays.items()}
        outputs = None
        if kind is triton_http:
            outputs = [
                kind.InferRequestedOutput(name + "_out", binary_data=binary or name in only_binary) for name in arrays]
        result = infer(client, kind, "types", inputs, outputs, request_id="id-1")
        self.assertEqual(result.get_response()["id"] if kind is triton_http else result.get_response().id, "id-1")
        for name, array in arrays.items():
            got = result.as_numpy(name + "_out")
            self.assertEqual(got.shape, (count,), name)
            if name == "bytes":
                texts = [text if isinstance(text, str) else text.decode() for text in got]
                self.assertEqual(texts, list(array))
            else:
                self.assertEqual(got.tobytes(), array.tobytes(), name)

    def test_all_element_types(self):
        for count in (0, 1, 2, 100):
            for binary in (False, True):
                with self.subTest(count=count, binary=binary):
                    self.check_types(self.http(self.server), triton_http, count, binary)
            for client, kind in self.clients(self.server)[1:]:
                with self.subTest(count=count, over="gRPC"):
                    self.check_types(client, kind, count, True)

    @unittest.skipUnless(HAS_GRPC, "no gRPC")
    def test_elements_in_fields_of_grpc(self):
        fields = {
            "bool": "bool_contents", "int8": "int_contents", "int16": "int_contents", "int32": "int_contents",
            "int64": "int64_contents", "uint8": "uint_contents", "uint16": "uint_contents", "uint32": "uint_contents",
            "uint64": "uint64_contents", "fp32": "fp32_contents", "fp64": "fp64_contents", "bytes": "bytes_contents"}
        stub = service_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(self.server.grpc))
        arrays = {name: array for name, array in self.arrays(5).items()}
        request = service_pb2.ModelInferRequest(model_name="types")
        for name in arrays:
            tensor = request.inputs.add(name=name, datatype=name.upper(), shape=[5])
            if name in fields:
                data = [t.encode() for t in arrays[name]] if name == "bytes" else arrays[name].tolist()
                getattr(tensor.contents, fields[name]).extend(data)
        # Floats of 16 bits have no field.
        with self.assertRaises(grpc.RpcError) as error:
            stub.ModelInfer(request)
        self.assertEqual(error.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
        self.assertIn("'fp16'", error.exception.details())
        network = service_pb2.ModelInferRequest(model_name="network", model_version="7")
        image = np.random.default_rng(0).normal(size=(2, 1, 8, 8)).astype(np.float32)
        tensor = network.inputs.add(name="images", datatype="FP32", shape=image.shape)
        tensor.contents.fp32_contents.extend(image.ravel().tolist())
        by_fields = stub.ModelInfer(network)
        del tensor.contents.fp32_contents[:]
        tensor.ClearField("contents")
        network.raw_input_contents.append(image.tobytes())
        self.assertEqual(stub.ModelInfer(network).raw_output_contents, by_fields.raw_output_contents)
        network.raw_input_contents.append(b"")
        with self.assertRaises(grpc.RpcError) as error:
            stub.ModelInfer(network)
        self.assertIn("1 inputs, but 2 raw_input_contents", error.exception.details())

    def test_errors_name_model_port_expected_and_given(self):
        image = np.zeros((1, 1, 8, 7), np.float32)
        for client, kind in self.clients(self.server):
            for arrays, sentence in (
                ({"images": ("FP32", image)}, "input 'images' of model 'network': dimension 3 is 7, expected 8"),
                ({"images": ("FP64", image.astype(np.float64))}, "expected elements of type FP32, given FP64"),
                ({"image": ("FP32", image)}, "model 'network' has no input 'image'; it takes 'images'"),
            ):
                with self.assertRaises(InferenceServerException) as error:
                    infer(client, kind, "network", arrays)
                self.assertIn(sentence, str(error.exception))
            with self.assertRaises(InferenceServerException) as error:
                infer(client, kind, "none", {"images": ("FP32", image)})
            self.assertIn("there is no model 'none'", str(error.exception))

    def test_predictions(self):
        image = np.random.default_rng(1).normal(size=(2, 1, 8, 8)).astype(np.float32)
        expected = infer(self.http(self.server), triton_http, "network", {"images": ("FP32", image)})
        expected = expected.as_numpy("probabilities")
        for path, body in (
            ("/predictions/network", image.tolist()), ("/predictions/network/7", {"images": image.tolist()}),
        ):
            status, got = self.server.json("POST", path, body)
            self.assertEqual(status, 200)
            self.assertEqual(np.array(got, np.float32).tobytes(), expected.tobytes())
        status, _, text = self.server.ask(
            "PUT", "/predictions/network", image.tobytes(), {"Content-Type": "application/octet-stream"})
        self.assertEqual(np.array(json.loads(text), np.float32).tobytes(), expected.tobytes())

    def test_one_line_of_json_says_what_is_served(self):
        file = Path(self.folder, "../" + self.folder.name + ".json").resolve()
        self.addCleanup(file.unlink, missing_ok=True)
        with Server(SERVE, self.folder, "--json", file) as server:
            report = json.loads(file.read_text())
            self.assertEqual(len(file.read_text().splitlines()), 1)
            self.assertIn("http://" + server.http, report["listening"])
            self.assertEqual({model["name"] for model in report["models"]}, {"types", "network"})
            for model in report["models"]:
                status, facts = server.json("GET", "/v2/models/" + model["name"])
                self.assertEqual((status, facts["inputs"], facts["outputs"]), (200, model["inputs"], model["outputs"]))
                self.assertIn(model["version"], facts["versions"])

    def started(self, *options):
        return subprocess.Popen(
            [SERVE, self.folder, "--port", "0", "--grpc-port", "-1", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True)

    def test_json_and_silence_take_the_place_of_the_text(self):
        with self.started("--json", "-") as process:
            self.assertIn("listening", json.loads(process.stdout.readline()))
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.communicate(timeout=60), ("", ""))
            self.assertEqual(process.returncode, 0)
        file = Path(self.folder, "../" + self.folder.name + ".json").resolve()
        self.addCleanup(file.unlink, missing_ok=True)
        with self.started("--quiet", "--json", file) as process:
            while not (file.exists() and file.read_text().endswith("\n")):
                self.assertIsNone(process.poll())
                time.sleep(0.05)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.communicate(timeout=60), ("", ""))

    def test_verbose_tells_of_each_request(self):
        with Server(SERVE, self.folder, "--verbose") as server:
            self.assertEqual(server.json("POST", "/predictions/network", np.zeros((1, 1, 8, 8)).tolist())[0], 200)
            self.assertEqual(server.json("POST", "/predictions/none", [])[0], 404)
            server.process.send_signal(signal.SIGTERM)
            lines = server.process.communicate(timeout=60)[1].splitlines()
        self.assertRegex(lines[0], r"^[0-9.]+ s  model 'network', version \S+: answered in [0-9.]+ ms$")
        self.assertRegex(lines[1], r"^[0-9.]+ s  refused with status 404: ")

    def test_sinter_serve_hands_over(self):
        path = os.path.dirname(os.path.abspath(SERVE)) + ":" + os.environ["PATH"]
        shown = subprocess.run(
            [SINTER, "serve", "/none", "--port", "0"], env={**os.environ, "PATH": path}, capture_output=True, text=True)
        self.assertEqual(shown.returncode, 1)
        self.assertIn("sinter-serve: error: the folder /none cannot be read", shown.stderr)


class HostileTests(ServeTest):
    def setUp(self):
        super().setUp()
        place("types", self.folder / "types.so")
        place("network", self.folder / "network.so")
        self.server = self.serve("--body-limit", 1, "--body-timeout", 2, "--idle-timeout", 2)

    def answers(self):
        status, got = self.server.json("POST", "/predictions/network", np.zeros((1, 1, 8, 8)).tolist())
        self.assertEqual(status, 200)
        self.assertAlmostEqual(sum(got[0]), 1, places=5)

    def test_mutated_bodies_get_a_sentence(self):
        header = json.dumps({"inputs": [
            {"name": "images", "shape": [1, 1, 8, 8], "datatype": "FP32", "parameters": {"binary_data_size": 256}}]})
        texts = json.dumps({"inputs": [{"name": "images", "shape": [1, 1, 8, 8], "datatype": "FP32", "data": [0.5] * 64}]})
        rng = random.Random(11)
        seen = {}
        for turn in range(600):
            binary = turn % 2 == 0
            body = bytearray((header if binary else texts).encode() + (bytes(256) if binary else b""))
            for _ in range(rng.randint(1, 4)):
                at = rng.randrange(len(body))
                what = rng.randrange(4)
                if what == 0:
                    body[at] = rng.randrange(256)
                elif what == 1:
                    del body[at:at + rng.randint(1, 20)]
                elif what == 2:
                    body[at:at] = bytes(rng.choice(b"[]{},:\"0123456789-e") for _ in range(rng.randint(1, 6)))
                else:
                    body[at:at] = body[rng.randrange(len(body)):][:50]
            length = {"Inference-Header-Content-Length": str(rng.choice([len(header), len(header) + rng.randint(-9, 9)]))}
            status, _, text = self.server.ask("POST", "/v2/models/network/infer", bytes(body), length if binary else {})
            self.assertIn(status, (200, 400, 422), text)
            if status != 200:
                self.assertGreater(len(json.loads(text)["error"]), 15, text)
            seen[status] = seen.get(status, 0) + 1
        self.assertGreater(seen[400], 300, seen)
        self.answers()

    def test_bodies_that_lie(self):
        for body, length in (
            (b"", None), (b"{", None), (b"[" * 500_000, None), (b"\xff\xfe", None), (b'{"inputs": 7}', None),
            (b'{"inputs": []}', "999"), (b'{"inputs": []}', "-3"), (b'{"inputs": []}', "x"),
            (b'{"inputs": [{"name": "images", "shape": [9223372036854775807, 1, 8, 8], "datatype": "FP32", "data": []}]}', None),
            (b'{"inputs": [{"name": "images", "shape": [99999999999999999999, 1, 8, 8], "datatype": "FP32", "data": []}]}', None),
        ):
            headers = {"Inference-Header-Content-Length": length} if length else {}
            status, _, text = self.server.ask("POST", "/v2/models/network/infer", body, headers)
            self.assertEqual(status, 400, text)
            self.assertIn("error", json.loads(text))
        self.answers()

    @unittest.skipUnless(HAS_GRPC, "no gRPC")
    def test_messages_that_lie(self):
        # Raw bytes that are too short, shapes that are none, a message that is no message.
        stub = service_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(self.server.grpc))
        for shape, raw in (([1, 1, 8, 8], b"1"), ([-1, 1, 8, 8], b""), ([2**62, 2**62, 8, 8], b""), ([], bytes(4))):
            request = service_pb2.ModelInferRequest(model_name="network", raw_input_contents=[raw])
            request.inputs.add(name="images", datatype="FP32", shape=shape)
            with self.assertRaises(grpc.RpcError) as error:
                stub.ModelInfer(request)
            self.assertEqual(error.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
            self.assertIn("input 'images' of model 'network'", error.exception.details())
        call = grpc.insecure_channel(self.server.grpc).unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with self.assertRaises(grpc.RpcError):
            call(b"\xff" * 100)
        self.answers()

    def test_too_large(self):
        status, _, text = self.server.ask("POST", "/v2/models/network/infer", bytes(3 << 20))
        self.assertEqual(status, 413, text)
        # In pieces, without saying how large it will be.
        with socket.create_connection(self.server.address) as client:
            client.sendall(b"POST /v2/models/network/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                for _ in range(60):
                    client.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
            except OSError:
                pass
            self.assertIn(b" 413 ", client.recv(100))
        self.answers()

    def test_slow_clients_hold_nobody_up(self):
        clients = [socket.create_connection(self.server.address) for _ in range(300)]
        self.addCleanup(lambda: [client.close() for client in clients])
        stop = threading.Event()
        closed = {}

        def drip():
            start = time.monotonic()
            pieces = {
                0: b"",  # says nothing at all
                1: b"G",  # a header that never ends
                2: b"POST /v2/models/network/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",  # no body
                3: b"POST /v2/models/network/infer HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"}  # a body bit by bit
            for i, client in enumerate(clients):
                client.setblocking(False)
                client.send(pieces[i % 4])
            while not stop.is_set() and len(closed) < len(clients):
                for i, client in enumerate(clients):
                    if i in closed:
                        continue
                    try:
                        if i % 4 in (1, 3):
                            client.send(b"x")
                        if client.recv(1000) == b"":
                            closed[i] = time.monotonic() - start
                    except BlockingIOError:
                        pass
                    except OSError:
                        closed[i] = time.monotonic() - start
                stop.wait(0.2)

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            waits = []
            for _ in range(20):
                start = time.monotonic()
                self.answers()
                waits.append(time.monotonic() - start)
                time.sleep(0.1)
            self.assertLess(sorted(waits)[len(waits) // 2], 1)
            deadline = time.monotonic() + 30
            while len(closed) < len(clients) and time.monotonic() < deadline:
                time.sleep(0.1)
            kinds = [sum(1 for i in closed if i % 4 == kind) for kind in range(4)]
            self.assertEqual(kinds, [75] * 4)
        finally:
            stop.set()
            thread.join()


class TrafficTests(ServeTest):
    def test_batches_are_bit_by_bit_what_single_requests_are(self):
        place("network", self.folder / "network.so")
        place("lengths", self.folder / "lengths.so")
        rng = np.random.default_rng(5)
        images = [rng.normal(size=(1 + i % 3, 1, 8, 8)).astype(np.float32) for i in range(200)]
        rows = [rng.normal(size=(1, 3 + i % 4)).astype(np.float32) for i in range(200)]

        def all_answers(server, workers):
            client = triton_http.InferenceServerClient(server.http, concurrency=workers)
            clients = [triton_http.InferenceServerClient(server.http) for _ in range(workers)]

            def one(job):
                model, port, array, output = job
                local = clients[job_worker()]
                return infer(local, triton_http, model, {port: ("FP32", array)}).as_numpy(output).tobytes()

            names, lock = {}, threading.Lock()

            def job_worker():
                with lock:
                    return names.setdefault(threading.get_ident(), len(names))

            jobs = [("network", "images", image, "probabilities") for image in images]
            jobs += [("lengths", "x", row, "y") for row in rows]
            with concurrent.futures.ThreadPoolExecutor(workers) as pool:
                answers = list(pool.map(one, jobs))
            client.close()
            for other in clients:
                other.close()
            return answers

        with self.serve() as single:
            expected = all_answers(single, 1)
        with self.serve("--max-batch", 16, "--max-delay", 20) as server:
            self.assertEqual(all_answers(server, 16), expected)
            for model in "network", "lengths":
                requests = server.metric("sinter_batch_requests_sum", model=model)
                runs = server.metric("sinter_batch_requests_count", model=model)
                self.assertEqual(requests, 200)
                self.assertLess(runs, 150, model)

    def test_ten_thousand_requests_while_models_are_swapped(self):
        place("twice", self.folder / "scale" / "1" / "scale.so")
        server = self.serve("--queue", 4096, "--max-batch", 8)
        stop, swaps = threading.Event(), []

        def swap():
            while not stop.is_set():
                place(("thrice", "twice")[len(swaps) % 2], self.folder / "scale" / "1" / "scale.so")
                swaps.append(server.ask("POST", "/v2/repository/models/scale/load")[0])
                stop.wait(0.05)

        thread = threading.Thread(target=swap)
        thread.start()
        totals = [0] * 5
        try:
            while totals[0] < 10_000:
                shown = subprocess.run(
                    ["wrk", "-t2", "-c32", "-d3s", "--timeout", "30s", "-s", HERE / "swaps.lua", "http://" + server.http],
                    capture_output=True, text=True, check=True).stdout
                numbers = next(line for line in shown.splitlines() if line.startswith("RESULT")).split()[1:]
                totals = [total + int(number) for total, number in zip(totals, numbers)]
        finally:
            stop.set()
            thread.join()
        answers, wrong, twice, thrice, errors = totals
        self.assertEqual((wrong, errors), (0, 0), totals)
        self.assertEqual(twice + thrice, answers)
        self.assertGreater(min(twice, thrice), 100, totals)
        self.assertEqual(set(swaps), {200})
        self.assertGreater(len(swaps), 10)
        for outcome in "refused", "failed", "overloaded", "expired":
            self.assertEqual(server.metric("sinter_requests_total", outcome=outcome), 0)
        # wrk leaves when its time is over, with requests under way.
        self.assertGreaterEqual(server.metric("sinter_requests_total", outcome="answered"), answers)
        print(f"\n{answers} requests and {len(swaps)} swaps: {twice} answers of one build, {thrice} of the other")

    def test_traffic_is_split_by_weight(self):
        place("twice", self.folder / "scale" / "1" / "scale.so")
        place("thrice", self.folder / "scale" / "2" / "scale.so")
        (self.folder / "scale" / "serve.json").write_text('{"split": {"1": 9, "2": 1}}')
        server = self.serve()
        clients = self.clients(server)
        client = clients[0][0]
        x = np.ones((1, 1), np.float32)
        counts = {2: 0, 3: 0}
        for turn in range(300):
            asked, kind = clients[turn % len(clients)]
            result = infer(asked, kind, "scale", {"x": ("FP32", x)})
            counts[int(result.as_numpy("y")[0, 0])] += 1
            version = result.get_response()["model_version"] if kind is triton_http else result.get_response().model_version
            self.assertEqual({"1": 2, "2": 3}[version], result.as_numpy("y")[0, 0])
        self.assertEqual(counts, {2: 270, 3: 30})
        for version, count in ("1", 270), ("2", 30):
            self.assertEqual(server.metric("sinter_requests_total", version=version, outcome="answered"), count)
        named = infer(client, triton_http, "scale", {"x": ("FP32", x)}, model_version="2")
        self.assertEqual(named.as_numpy("y")[0, 0], 3)

    def test_loading_and_unloading(self):
        place("twice", self.folder / "scale" / "1" / "scale.so")
        server = self.serve()
        x = np.ones((1, 1), np.float32)
        for client, kind in self.clients(server):
            client.unload_model("scale")
            self.assertFalse(client.is_model_ready("scale"))
            with self.assertRaises(InferenceServerException):
                infer(client, kind, "scale", {"x": ("FP32", x)})
            client.load_model("scale")
            self.assertEqual(infer(client, kind, "scale", {"x": ("FP32", x)}).as_numpy("y")[0, 0], 2)
            with self.assertRaises(InferenceServerException) as error:
                client.load_model("none")
            self.assertIn("there is no model 'none'", str(error.exception))
        self.assertEqual(
            self.http(server).get_model_repository_index(),
            [{"name": "scale", "version": "1", "state": "READY", "reason": ""}])
        if HAS_GRPC:
            index = self.grpc(server).get_model_repository_index()
            self.assertEqual([(m.name, m.version, m.state) for m in index.models], [("scale", "1", "READY")])


class LimitTests(ServeTest):
    def setUp(self):
        super().setUp()
        place("slow", self.folder / "slow.so")

    def body(self, turns, **parameters):
        return json.dumps({"parameters": parameters, "inputs": [
            {"name": "turns", "shape": [], "datatype": "INT64", "data": [turns]}]})

    def turns(self, server, seconds):
        """So many turns as take about that long here."""
        start = time.monotonic()
        self.assertEqual(server.ask("POST", "/v2/models/slow/infer", self.body(2000))[0], 200)
        return int(2000 * seconds / max(time.monotonic() - start, 0.001))

    def test_a_full_queue_says_when_to_come_again(self):
        server = self.serve("--queue", 2)
        turns = self.turns(server, 1)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _: server.ask("POST", "/v2/models/slow/infer", self.body(turns)), range(8)))
        statuses = sorted(status for status, _, _ in replies)
        self.assertEqual(set(statuses), {200, 503}, statuses)
        self.assertGreaterEqual(statuses.count(503), 4)
        for status, headers, text in replies:
            if status == 503:
                self.assertEqual({name.lower(): value for name, value in headers.items()}["retry-after"], "1")
                self.assertIn("2 requests wait already", json.loads(text)["error"])

    def test_time_is_over_when_it_is(self):
        server = self.serve()
        turns = self.turns(server, 3)
        start = time.monotonic()
        status, _, text = server.ask("POST", "/v2/models/slow/infer", self.body(turns, timeout=200_000))
        self.assertEqual(status, 504, text)
        self.assertLess(time.monotonic() - start, 1.5)
        self.assertIn("did not answer within 200 ms", json.loads(text)["error"])
        # The first still runs, so that this one waits and is given up while it does.
        start = time.monotonic()
        self.assertEqual(server.ask("POST", "/v2/models/slow/infer", self.body(1, timeout=300_000))[0], 504)
        self.assertLess(time.monotonic() - start, 1.5)
        if HAS_GRPC:
            given = triton_grpc.InferInput("turns", [], "INT64")
            given.set_data_from_numpy(np.array(1))
            with self.assertRaises(InferenceServerException) as error:
                self.grpc(server).infer("slow", [given], client_timeout=0.3)
            self.assertIn("DEADLINE_EXCEEDED", str(error.exception.status()))
        # The first run goes on to its end.
        deadline = time.monotonic() + 60
        while server.metric("sinter_requests_running") and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(server.ask("POST", "/v2/models/slow/infer", self.body(1))[0], 200)

    def test_stops_when_all_are_answered(self):
        server = self.serve()
        turns = self.turns(server, 0.7)
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            under_way = [
                pool.submit(server.ask, "POST", "/v2/models/slow/infer", self.body(turns)) for _ in range(4)]
            over_grpc = pool.submit(self.slow_grpc, server, turns) if HAS_GRPC else None
            time.sleep(0.5)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            with self.assertRaises(OSError):
                socket.create_connection(server.address, timeout=5)
            self.assertIsNone(server.process.poll(), "it ended before the requests did")
            self.assertEqual([job.result()[0] for job in under_way], [200] * 4)
            if over_grpc:
                self.assertTrue(np.isfinite(over_grpc.result()))
        self.assertEqual(server.process.wait(20), 0)

    def test_what_takes_longer_than_it_may_ends_with_the_server(self):
        server = self.serve("--stop-timeout", 0.5)
        turns = self.turns(server, 8)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            job = pool.submit(server.ask, "POST", "/v2/models/slow/infer", self.body(turns))
            time.sleep(0.5)
            start = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(20), 1)
            self.assertLess(time.monotonic() - start, 4)
            self.assertIsInstance(job.exception(), (OSError, http.client.HTTPException))
        self.assertIn("--stop-timeout", server.process.stderr.read())

    def test_ports_and_hosts(self):
        server = Server(SERVE, self.folder, "--grpc-port", -1)
        self.addCleanup(server.__exit__)
        self.assertIsNone(server.grpc)
        port = server.http.rsplit(":", 1)[1]
        for options in [["--port", port]] + ([["--port", "0", "--grpc-port", port]] if HAS_GRPC else []):
            shown = subprocess.run([SERVE, self.folder, *options], capture_output=True, text=True, timeout=60)
            self.assertEqual(shown.returncode, 1, shown.stderr)
            self.assertIn(f"cannot listen at 127.0.0.1:{port}: Address already in use", shown.stderr)
        named = self.serve("--host", "localhost")
        self.assertEqual(named.ask("GET", "/v2/health/live")[0], 200)
        shown = subprocess.run(
            [SERVE, self.folder, "--host", "no.such.host.invalid"], capture_output=True, text=True, timeout=60)
        self.assertNotEqual(shown.returncode, 0)
        self.assertIn("no.such.host.invalid", shown.stderr)
        status, headers, body = server.ask("HEAD", "/v2")
        headers = {name.lower(): value for name, value in headers.items()}
        self.assertEqual((status, body), (200, b""))
        self.assertEqual(int(headers["content-length"]), len(server.ask("GET", "/v2")[2]))
        allowed = {name.lower(): value for name, value in server.ask("POST", "/metrics")[1].items()}
        self.assertEqual(allowed["allow"], "GET, HEAD")

    def slow_grpc(self, server, turns):
        with triton_grpc.InferenceServerClient(server.grpc) as client:
            given = triton_grpc.InferInput("turns", [], "INT64")
            given.set_data_from_numpy(np.array(turns))
            return float(client.infer("slow", [given]).as_numpy("sum"))

    def test_all_that_cannot_be_served_is_told_at_once(self):
        (self.folder / "broken.so").write_text("no library")
        (self.folder / "empty").mkdir()
        shown = subprocess.run([SERVE, self.folder], capture_output=True, text=True, timeout=60)
        self.assertEqual(shown.returncode, 1)
        self.assertIn("broken.so", shown.stderr)
        self.assertIn("holds no library", shown.stderr)


if __name__ == "__main__":
    unittest.main()
