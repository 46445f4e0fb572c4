"""Records that Sinter's tests have left in a folder, read by TensorBoard's and MLflow's own readers.

    pip install tensorboard==2.21.0 mlflow-skinny==3.17.2 && python Tests/Peers/test_records.py FOLDER
"""

import os
import struct
import sys
import zlib
from pathlib import Path

os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
from mlflow import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

folder = Path(sys.argv[1]).resolve()
events = EventAccumulator(str(folder / "events"))
events.Reload()
tags = events.Tags()
assert [(e.step, e.value) for e in events.Scalars("training/loss")] == [(1, 0.5), (2, 0.25)], events.Scalars("training/loss")
assert "validation/accuracy" in tags["scalars"] and "learning_rate" in tags["scalars"], tags
histogram = events.Histograms("fc.weight")[0].histogram_value
assert (histogram.num, histogram.min, histogram.max, histogram.sum) == (100, 0, 99, 4950), histogram
assert len(histogram.bucket) == len(histogram.bucket_limit) == 30 and sum(histogram.bucket) == 100
image = events.Images("digits")[0]
assert image.encoded_image_string.startswith(b"\x89PNG") and (image.height, image.width) == (8, 14), (image.height, image.width)
width, height = struct.unpack(">II", image.encoded_image_string[16:24])
assert (width, height) == (14, 8)
nodes = {node.name: node for node in events.Graph().node} if hasattr(events.Graph(), "node") else {}
if not nodes:
    from tensorboard.compat.proto.graph_pb2 import GraphDef

    graph = GraphDef()
    graph.ParseFromString(events.Graph() if isinstance(events.Graph(), bytes) else events.Graph().SerializeToString())
    nodes = {node.name: node for node in graph.node}
assert {"input", "fc/weight", "outputs/loss"} <= set(nodes), sorted(nodes)[:20]
for node in nodes.values():
    assert all(name.split(":")[0] in nodes for name in node.input), node
assert nodes["fc/weight"].attr["_output_shapes"].list.shape[0].dim[1].size == 4
print(f"TensorBoard reads {len(tags['scalars'])} scalars, a histogram, an image and a graph of {len(nodes)} nodes")

client = MlflowClient((folder / "mlruns").as_uri())
experiment = client.get_experiment_by_name("it: a test")
run = client.search_runs([experiment.experiment_id])[0]
assert run.info.status == "FINISHED" and run.info.run_name == "first: run", run.info
assert run.data.params == {"learning_rate": "0.1", "net/layers": "2"}, run.data.params
assert [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, "loss")] == [(1, 0.5), (2, 0.25)]
assert run.data.metrics["validation_accuracy"] == 0.75 and run.data.tags["kind"] == "demo"
assert [a.path for a in client.list_artifacts(run.info.run_id)] == ["loss.svg"]
print("MLflow reads the run, its parameters, metrics, tags and artifacts")
