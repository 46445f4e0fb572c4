"""Files of parameters that Sinter's tests have left in a folder, read by PyTorch: `load_state_dict(strict=True)` takes them, and a model computes as it does
in Sinter.

    python Tests/Peers/test_parameters.py FOLDER
"""

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.norm = nn.BatchNorm2d(2)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        return self.fc(torch.relu(self.norm(self.conv(x))).flatten(1))


folder = Path(sys.argv[1])
net = Net()
net.load_state_dict(load_file(folder / "net.safetensors"), strict=True)
case = load_file(folder / "case.safetensors")
worst = (net.eval()(case["x"]) - case["y"]).abs().max().item()
assert worst < 1e-5, worst
assert net.norm.num_batches_tracked.item() == 3, net.norm.num_batches_tracked
print("PyTorch takes the parameters, and its results differ by", worst)
