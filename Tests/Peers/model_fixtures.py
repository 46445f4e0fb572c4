"""Writes Tests/SinterTests/Fixtures/models.txt: for each of torchvision's networks the number of its parameters, and a hash of all names and shapes.

    pip install torch==2.13.0 torchvision && python Tests/Peers/model_fixtures.py [FOLDER]

The hash is FNV-1a, 64 bits, of the sorted lines "name shape" of the state_dict, without num_batches_tracked. With a FOLDER the networks' first weights
are written there as safetensors, with what they give for an image: `test_models.py` compares with these.
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent / "models"))
from torchvision_import import torchvision

models = torchvision.models

NETWORKS = {
    "resnet18": lambda: models.resnet18(), "resnet34": lambda: models.resnet34(), "resnet50": lambda: models.resnet50(),
    "resnet101": lambda: models.resnet101(), "resnext50_32x4d": lambda: models.resnext50_32x4d(),
    "wide_resnet50_2": lambda: models.wide_resnet50_2(), "vgg11": lambda: models.vgg11(), "vgg13_bn": lambda: models.vgg13_bn(),
    "vgg16": lambda: models.vgg16(), "vgg19_bn": lambda: models.vgg19_bn(), "alexnet": lambda: models.alexnet(),
    "googlenet": lambda: models.googlenet(aux_logits=True, init_weights=False),
    "googlenet_plain": lambda: models.googlenet(aux_logits=False, init_weights=False),
    "densenet121": lambda: models.densenet121(), "densenet169": lambda: models.densenet169(), "densenet201": lambda: models.densenet201(),
    "mobilenet_v2": lambda: models.mobilenet_v2(),
}
RUN = ["resnet18", "resnet50", "alexnet", "googlenet_plain", "densenet121", "mobilenet_v2", "resnext50_32x4d"]


def fnv(text):
    value = 0xCBF29CE484222325
    for byte in text.encode():
        value = ((value ^ byte) * 0x100000001B3) % 2**64
    return value


lines = []
for name, make in NETWORKS.items():
    torch.manual_seed(123)
    net = make().eval()
    state = {key: value for key, value in net.state_dict().items() if not key.endswith("num_batches_tracked")}
    listed = "\n".join(sorted(f"{key} {list(value.shape)}" for key, value in state.items()))
    lines.append(f"{name} {sum(p.numel() for p in net.parameters())} {fnv(listed):016x}")
    if len(sys.argv) > 1 and name in RUN:
        # Statistics as training leaves them, so that numbers neither vanish nor explode.
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        with torch.no_grad():
            net.train()(torch.randn(8, 3, 96, 96))
        net.eval()
        image = torch.randn(1, 3, 96, 96)
        with torch.no_grad():
            result = net(image)
        save_file({key: value.contiguous() for key, value in state.items()}, f"{sys.argv[1]}/{name}.safetensors")
        save_file({"image": image, "result": result.contiguous()}, f"{sys.argv[1]}/{name}.results")
(Path(__file__).parents[1] / "SinterTests" / "Fixtures" / "models.txt").write_text("\n".join(lines) + "\n")
print("\n".join(lines))
