"""Runs the networks of models/vision that Sinter exports in ONNX Runtime, beside torchvision's.

    mkdir files && python Tests/Peers/model_fixtures.py files
    SINTER_MODEL_FILES=files swift test --filter ModelTests && python Tests/Peers/test_models.py files
"""

import sys
from pathlib import Path

import numpy
import onnxruntime
from safetensors.numpy import load_file

failed = 0
paths = sorted(Path(sys.argv[1]).glob("*.onnx"))
for path in paths:
    expected = load_file(path.with_suffix(".results"))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    result = session.run(None, {session.get_inputs()[0].name: expected["image"]})[0]
    worst = numpy.abs(result - expected["result"]).max() / max(1e-6, numpy.abs(expected["result"]).max())
    print(f"{path.stem}: differs by {worst:.1e} of the greatest score")
    failed += worst > 1e-4
sys.exit(failed > 0 or not paths)
