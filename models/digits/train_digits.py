#!/usr/bin/env python3
"""Trains the digit classifier of the demo and writes digits.safetensors: python train_digits.py

Needs torch, numpy and safetensors. Deterministic on one machine: one thread, fixed seeds. The held-out digits take no
part in training nor in the choice of an epoch: the weights after the last epoch are what is written and measured.
"""

import platform
import struct
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

SEED = 123
EPOCHS = 60
BATCH = 64
FOLDER = Path(__file__).parent


class DigitNet(nn.Module):
    """The same network, name for name, as DigitNet.swift."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(32)
        self.conv3 = nn.Conv2d(32, 32, 3, padding=1)
        self.norm3 = nn.BatchNorm2d(32)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(32 * 2 * 2, 64)
        self.drop = nn.Dropout(0.25)
        self.fc2 = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.norm1(self.conv1(x)))
        x = self.pool(F.relu(self.norm2(self.conv2(x))))
        x = self.pool(F.relu(self.norm3(self.conv3(x))))
        x = self.drop(F.relu(self.fc1(torch.flatten(x, 1))))
        return self.fc2(x)


def read_idx(path):
    data = path.read_bytes()
    rank = data[3]
    shape = struct.unpack_from(f">{rank}I", data, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def load(name):
    """Images as [n, 1, 8, 8] in 0...1 (a pixel of the files is 0...16), and labels."""
    images = read_idx(FOLDER / "data" / f"{name}-images-idx3-ubyte")
    labels = read_idx(FOLDER / "data" / f"{name}-labels-idx1-ubyte")
    return torch.from_numpy(images / np.float32(16)).unsqueeze(1), torch.from_numpy(labels.astype(np.int64))


def augment(images):
    """A random turn of up to 12 degrees, a stretch of up to 10 % and a shift of up to half a pixel, per image."""
    n = len(images)
    angle = (torch.rand(n) - 0.5) * 2 * np.deg2rad(12)
    scale = 1 + (torch.rand(n) - 0.5) * 0.2
    shift = (torch.rand(n, 2) - 0.5) * 2 * (0.5 / 4)
    row0 = torch.stack([angle.cos() * scale, -angle.sin() * scale, shift[:, 0]], 1)
    row1 = torch.stack([angle.sin() * scale, angle.cos() * scale, shift[:, 1]], 1)
    grid = F.affine_grid(torch.stack([row0, row1], 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def correct(net, images, labels):
    net.eval()
    with torch.no_grad():
        return int((net(images).argmax(1) == labels).sum())


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    images, labels = load("train")
    net = DigitNet()
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=1e-2)
    steps = EPOCHS * -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    for epoch in range(1, EPOCHS + 1):
        net.train()
        total = 0.0
        for batch in torch.randperm(len(images)).split(BATCH):
            loss = F.cross_entropy(net(augment(images[batch])), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        if epoch % 10 == 0:
            print(f"epoch {epoch:2}: training loss {total / len(images):.4f}")
    for name in ("train", "heldout"):
        images, labels = load(name)
        right = correct(net, images, labels)
        print(f"{name}: {right} of {len(images)} right, {100 * right / len(images):.2f} %")
    weights = {name: value for name, value in net.state_dict().items() if not name.endswith("num_batches_tracked")}
    save_file(weights, FOLDER / "digits.safetensors")
    print(f"{sum(value.numel() for value in weights.values())} numbers in digits.safetensors")
    print(f"seed {SEED}, torch {torch.__version__}, numpy {np.__version__}, Python {platform.python_version()}")


if __name__ == "__main__":
    main()
