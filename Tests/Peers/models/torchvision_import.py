"""Imports torchvision where its compiled operators do not load either, as beside a PyTorch of another build. Networks need none of them.

The package registers shapes for operators that only its compiled part declares, and ends with an error where that is missing.
"""

import sys

import torch

try:
    import torchvision
except RuntimeError as error:
    if "torchvision::nms" not in str(error):
        raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    # Kept for as long as Python runs: a library takes its declarations along.
    declarations = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        declarations.define(name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision  # noqa: F401
