"""The ONNX backend suite of the installed onnx package, written out as one folder per test.

A folder holds `model.onnx`, for people and the compiler, and `data.pickle`: the data sets as Python values.
"""

import json
import pickle
import re
import shutil
import warnings
from pathlib import Path

import numpy as np

GROUPS = ["node", "simple", "pytorch-operator", "pytorch-converted", "light"]

# The expected outputs of these are draws of NumPy's generator, which ONNX does not prescribe.
RANDOM = re.compile(r"test_bernoulli(_double|_seed)?(_expanded.*)?|test_training_dropout(_default)?(_mask)?")

# Where the suite's own tolerance is too narrow for the reference implementation itself: (relative, absolute).
TOLERANCES = [
    (re.compile(r"test_dft(_axis|_inverse)?(_opset19)?"), (1e-3, 1e-6)),
    (re.compile(r"test_celu_bfloat16_expanded"), (1e-2, 1e-2)),
    (re.compile(r"test_attention_4d_causal_fp16_expanded"), (1e-3, 1e-3)),  # rounds each product to half precision
]


def load(folder):
    """The index of the suite below `folder`, a list of dicts; writes the suite on first use."""
    import onnx

    root = Path(folder) / onnx.__version__
    index = root / "index.json"
    if not index.exists():
        print(f"writing the tests of onnx {onnx.__version__} to {root}", flush=True)
        shutil.rmtree(root, ignore_errors=True)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            entries = [entry for group in GROUPS for entry in _write_group(group, root)]
        index.write_text(json.dumps(entries, indent=1))
    return [entry | {"folder": str(root / entry["group"] / entry["name"])} for entry in json.loads(index.read_text())]


def _write_group(group, root):
    import onnx
    from onnx.backend.test.loader import load_model_tests

    cases = load_model_tests(kind="real" if group == "light" else group)
    operators = {case.name: case.model.graph.node[0].op_type for case in cases if case.model}
    for case in sorted(cases, key=lambda case: case.name):
        if RANDOM.fullmatch(case.name):
            continue
        folder = root / group / case.name
        folder.mkdir(parents=True)
        if case.model:
            model = case.model
            data = [tuple([_plain(v) for v in side] for side in data_set) for data_set in case.data_sets]
            operator = operators.get(case.name.partition("_expanded")[0], operators[case.name])
        elif group == "light":
            model, data, operator = *_light(case), case.name.removeprefix("test_")
        else:
            model = onnx.load(Path(case.model_dir) / "model.onnx")
            sets = sorted(Path(case.model_dir).glob("test_data_set_*"), key=lambda path: int(path.name.rsplit("_", 1)[1]))
            data = [(_read(path, "input", fed(model)), _read(path, "output", model.graph.output)) for path in sets]
            operator = case.name.removeprefix("test_").partition("_")[0] if group == "simple" else model.graph.node[0].op_type
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        (folder / "data.pickle").write_bytes(pickle.dumps(data))
        relative, absolute = next((pair for name, pair in TOLERANCES if name.fullmatch(case.name)), (case.rtol, case.atol))
        yield {
            "name": case.name, "group": group, "operator": operator, "relative": relative, "absolute": absolute,
            "inputs": [port.name for port in fed(model)], "outputs": [port.name for port in model.graph.output],
        }


def fed(model):
    """The graph's inputs that a caller provides."""
    given = {tensor.name for tensor in model.graph.initializer}
    given |= {tensor.values.name for tensor in model.graph.sparse_initializer}
    return [port for port in model.graph.input if port.name not in given]


def _plain(value):
    import onnx

    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, dict) else np.asarray(value)


def _read(folder, role, ports):
    return [_read_one((folder / f"{role}_{i}.pb").read_bytes(), port.type) for i, port in enumerate(ports)]


def _read_one(content, kind):
    import onnx
    from onnx import numpy_helper

    match kind.WhichOneof("value"):
        case "optional_type":
            return numpy_helper.to_optional(onnx.OptionalProto.FromString(content))
        case "sequence_type":
            return list(numpy_helper.to_list(onnx.SequenceProto.FromString(content)))
        case "map_type":
            return numpy_helper.to_dict(onnx.MapProto.FromString(content))
        case _:
            return numpy_helper.to_array(onnx.TensorProto.FromString(content))


def _light(case):
    """A network whose weights are made by ConstantOfShape: fed a ramp, expected outputs come with the package."""
    import onnx
    from onnx.backend.test.runner import Runner

    path = Path(onnx.__file__).parent.parent / case.url
    model = onnx.load(path)
    inputs = [Runner.generate_dummy_data(port, seed=0, name=case.model_name, random=False) for port in fed(model)]
    outputs = [
        _read_one(path.with_name(f"{path.stem}_output_{i}.pb").read_bytes(), port.type)
        for i, port in enumerate(model.graph.output)
    ]
    return model, [(inputs, outputs)]
