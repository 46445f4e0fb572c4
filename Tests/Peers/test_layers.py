"""Runs the layers that Sinter's tests export in ONNX Runtime, beside what PyTorch computes.

    make layers, or: mkdir files && SINTER_LAYER_FILES=files swift test --filter LayerTests && python Tests/Peers/test_layers.py files

The numbers are those of Tests/SinterTests/Fixtures/layers.safetensors. Files that ONNX's checker or ONNX Runtime refuses are errors, but for those
whose operators ONNX Runtime does not have in the type at hand (`MISSING`).
"""

import sys
from pathlib import Path

import numpy
import onnx
import onnxruntime
from safetensors.numpy import load_file

MISSING = ("NOT_IMPLEMENTED",)
# What a step of training writes back has no meaning in a file for use.
TRAINING = (".train", "Embedding.padding")

fixture = load_file(Path(__file__).parents[1] / "SinterTests" / "Fixtures" / "layers.safetensors")
failed = missing = right = 0
for path in sorted(Path(sys.argv[1]).glob("*.onnx")):
    name = path.stem
    if name.endswith(TRAINING):
        continue
    try:
        onnx.checker.check_model(str(path), full_check=True)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        inputs = {port.name: fixture[f"{name}/in{place}"] for place, port in enumerate(session.get_inputs())}
        results = session.run(None, inputs)
    except Exception as error:
        if any(word in str(error) for word in MISSING):
            missing += 1
            print(f"{name}: ONNX Runtime does not have it")
            continue
        failed += 1
        print(f"{name}: {str(error).splitlines()[0][:300]}")
        continue
    worst = max(
        (numpy.abs(result.astype(float) - fixture[f"{name}/out{place}"].astype(float)).max(initial=0) for place, result in enumerate(results)),
        default=0,
    )
    if worst > 1e-4:
        failed += 1
        print(f"{name}: differs by {worst}")
    else:
        right += 1
print(f"{right} right, {failed} wrong, {missing} that ONNX Runtime does not have")
sys.exit(failed > 0)
