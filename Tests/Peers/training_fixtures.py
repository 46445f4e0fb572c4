"""Writes Tests/SinterGradientTests/Fixtures/training.safetensors: twenty steps of each of PyTorch's optimizers on a small network.

    pip install torch==2.13.0 safetensors && python Tests/Peers/training_fixtures.py

The tests compare Sinter's steps with these numbers; the file is made again only where a case is added.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn, optim

STEPS = 20
OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "sgd_momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, dampening=0.1, weight_decay=0.01),
    "sgd_nesterov": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.01, nesterov=True),
    "adam": lambda p: optim.Adam(p, lr=0.01),
    "adam_decay": lambda p: optim.Adam(p, lr=0.01, weight_decay=0.05, amsgrad=True),
    "adamw": lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.05),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, eps=1e-4),  # of tiny gradients the default keeps little but their sign
    "rmsprop_centered": lambda p: optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True, weight_decay=0.01),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.05, lr_decay=0.01),
    "adadelta": lambda p: optim.Adadelta(p, lr=1.0, weight_decay=0.01),
    "sgd_clipped": lambda p: optim.SGD(p, lr=0.1),
}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1, bias=False)  # a bias before a batch norm has no gradient but rounding
        self.norm = nn.BatchNorm2d(4)
        self.fc1 = nn.Linear(4 * 4 * 4, 8)
        self.fc2 = nn.Linear(8, 3)

    def forward(self, x):
        h = torch.max_pool2d(torch.relu(self.norm(self.conv(x))), 2)
        return self.fc2(torch.tanh(self.fc1(h.flatten(1))))


def state(net):
    return {name: value.clone() for name, value in net.state_dict().items() if not name.endswith("num_batches_tracked")}


torch.manual_seed(123)
first = state(Net())
images, labels = torch.randn(STEPS, 6, 1, 8, 8), torch.randint(0, 3, (STEPS, 6))
tensors = {"images": images, "labels": labels} | {f"initial.{name}": value for name, value in first.items()}
for name, make in OPTIMIZERS.items():
    net = Net()
    net.load_state_dict(first, strict=False)
    optimizer = make(net.parameters())
    losses = []
    for x, y in zip(images, labels):
        loss = nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        if name == "sgd_clipped":
            nn.utils.clip_grad_norm_(net.parameters(), 0.5)
        optimizer.step()
        losses.append(loss.detach())
    tensors[f"{name}.losses"] = torch.stack(losses)
    tensors |= {f"{name}.{key}": value for key, value in state(net).items()}

target = Path(__file__).parents[1] / "SinterGradientTests" / "Fixtures" / "training.safetensors"
target.parent.mkdir(exist_ok=True)
save_file(tensors, target, metadata={"torch": torch.__version__})
