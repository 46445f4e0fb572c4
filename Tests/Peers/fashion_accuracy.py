#!/usr/bin/env python3
"""What quantization costs a small network on Fashion-MNIST: it is trained here with PyTorch, quantized by each method, and classifies the test images.

    fashion_accuracy.py --sinter .build/release/sinter [--data /usr/share/datasets/fashion-mnist] [--epochs 3]

The data are those of the Debian package dataset-fashion-mnist. The network is that of models/fashion. Ranges come from 200 images of the training
set. It fails where a quantized network is more than 0.3 points worse than the one in f32.
"""

import argparse
import gzip
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent.parent / "Conformance"))
from library import Library  # noqa: E402

LARGEST_LOSS = 0.003


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(1, 32, 3, padding=1), nn.BatchNorm2d(32)
        self.conv2, self.norm2 = nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64)
        self.drop, self.fc1, self.fc2 = nn.Dropout(0.25), nn.Linear(7 * 7 * 64, 128), nn.Linear(128, 10)

    def forward(self, x):
        x = F.max_pool2d(self.norm1(self.conv1(x)).relu(), 2)
        x = F.max_pool2d(self.norm2(self.conv2(x)).relu(), 2)
        return self.fc2(self.drop(self.fc1(x.flatten(1)).relu()))


def read(folder, name):
    """Images, normalized, and labels."""
    images = np.frombuffer(gzip.open(f"{folder}/{name}-images-idx3-ubyte.gz").read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    labels = np.frombuffer(gzip.open(f"{folder}/{name}-labels-idx1-ubyte.gz").read(), np.uint8, offset=8)
    return ((images / 255 - 0.286) / 0.353).astype(np.float32), labels.astype(np.int64)


def trained(images, labels, epochs):
    torch.manual_seed(123)
    net, images, labels = Net(), torch.from_numpy(images), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * (len(images) // 100))
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(100):
            x, flipped = images[batch], torch.rand(len(batch)) < 0.5
            x[flipped] = x[flipped].flip(3)
            optimizer.zero_grad()
            F.cross_entropy(net(x), labels[batch]).backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def accuracy(sinter, model, images, labels):
    library = str(Path(model).with_suffix(".so"))
    subprocess.run([sinter, "compile", model, "-o", library], check=True)
    run = Library(library).open().run
    right = sum(int((run([images[at : at + 500]])[0].argmax(1) == labels[at : at + 500]).sum()) for at in range(0, len(images), 500))
    return right / len(images)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sinter", required=True, help="the compiler's binary")
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist", help="folder of the four files")
    parser.add_argument("--epochs", type=int, default=3)
    arguments = parser.parse_args()
    sinter = str(Path(arguments.sinter).resolve())
    images, labels = read(arguments.data, "train")
    test, wanted = read(arguments.data, "t10k")
    net = trained(images, labels, arguments.epochs)
    with tempfile.TemporaryDirectory(prefix="sinter-fashion-") as folder:
        source, samples = f"{folder}/f32.onnx", f"{folder}/samples.npz"
        torch.onnx.export(net, (torch.from_numpy(images[:1]),), source, dynamo=False, opset_version=17, input_names=["image"], dynamic_axes={"image": {0: "n"}})
        np.savez(samples, image=images[np.random.default_rng(0).choice(len(images), 200, replace=False)])
        best = accuracy(sinter, source, test, wanted)
        print(f"f32 {best:.4f}", flush=True)
        plans = {method: ["--data", samples, "--method", method] for method in ("minmax", "percentile", "entropy", "mse")}
        plans |= {"symmetric, a tensor": ["--data", samples, "--symmetric", "--per-tensor"], "weights int4": ["--weights", "int4", "--block", "32"]}
        failed = False
        for name, options in plans.items():
            target = f"{folder}/{name.replace(', ', '-').replace(' ', '-')}.onnx"
            subprocess.run([sinter, "quantize", source, *options, "-o", target], check=True, stdout=subprocess.DEVNULL)
            found = accuracy(sinter, target, test, wanted)
            failed |= found < best - LARGEST_LOSS
            print(f"{name} {found:.4f}", flush=True)
    print("FAIL" if failed else "PASS")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
