"""ONNX Runtime behind FastAPI, written as its users would who care for speed: orjson, bytes without copies, runs in the pool of threads."""

import os

import numpy as np
import onnxruntime
import orjson
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = int(os.environ["THREADS"])
session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
output = session.get_outputs()[0].name
app = FastAPI()


def predict(body, length):
    text = orjson.loads(body[:length] if length else body)
    port = text["inputs"][0]
    if length:
        array = np.frombuffer(body, np.float32, offset=length)
    else:
        array = np.array(port["data"], np.float32)
    result = session.run([output], {port["name"]: array.reshape(port["shape"])})[0]
    described = {"name": output, "datatype": "FP32", "shape": result.shape}
    if not length:
        return orjson.dumps({"outputs": [{**described, "data": result.ravel()}]}, option=orjson.OPT_SERIALIZE_NUMPY), {}
    head = orjson.dumps({"outputs": [{**described, "parameters": {"binary_data_size": result.nbytes}}]})
    return head + result.tobytes(), {"Inference-Header-Content-Length": str(len(head))}


@app.post("/infer")
async def infer(request: Request):
    body = await request.body()
    length = int(request.headers.get("Inference-Header-Content-Length", 0))
    content, headers = await run_in_threadpool(predict, body, length)
    return Response(content, headers=headers, media_type="application/octet-stream" if length else "application/json")
