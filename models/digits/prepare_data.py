#!/usr/bin/env python3
"""Splits scikit-learn's copy of the UCI optical digits into IDX files: python prepare_data.py digits.csv.gz

The file lies in every scikit-learn wheel as sklearn/datasets/data/digits.csv.gz. One digit in five is held out,
equally from each class, drawn with a fixed seed; both halves go to data/ in the format of MNIST's own files.
"""

import gzip
import struct
import sys
from pathlib import Path

import numpy as np

SEED = 2019
HELD_OUT = 0.2
FOLDER = Path(__file__).parent / "data"


def write_idx(path, array):
    """IDX: two zero bytes, 8 for unsigned bytes, the rank, the sizes big-endian, the bytes."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(header + np.ascontiguousarray(array, np.uint8).tobytes())


def main(source):
    with gzip.open(source) as file:
        rows = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    images, labels = rows[:, :64].reshape(-1, 8, 8), rows[:, 64]
    generator = np.random.default_rng(SEED)
    held_out = np.zeros(len(labels), bool)
    for digit in range(10):
        members = generator.permutation(np.flatnonzero(labels == digit))
        held_out[members[: round(HELD_OUT * len(members))]] = True
    FOLDER.mkdir(exist_ok=True)
    for name, chosen in (("train", ~held_out), ("heldout", held_out)):
        write_idx(FOLDER / f"{name}-images-idx3-ubyte", images[chosen])
        write_idx(FOLDER / f"{name}-labels-idx1-ubyte", labels[chosen])
        print(f"{name}: {chosen.sum()} images of 8x8, per class {np.bincount(labels[chosen]).tolist()}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
