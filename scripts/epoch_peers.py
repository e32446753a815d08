#!/usr/bin/env python3
"""Times one epoch of 784-128-10 in batches of 128 by other frameworks, on the CPU.

    epoch_peers.py write FOLDER                       images and labels in the size and format of MNIST, made up
    epoch_peers.py torch FOLDER [--optimizer NAME]    needs torch
    epoch_peers.py scikit-learn FOLDER [--optimizer NAME]

NAME is adam, adam-fused (torch alone) or sgd. `wgpu-linear train FOLDER/train-images-idx3-ubyte.gz` trains on the same images; its event file
has the examples per second of each epoch. The numbers of threads are those of OMP_NUM_THREADS and OPENBLAS_NUM_THREADS.
"""

import argparse
import gzip
import pathlib
import struct
import sys
import time
import warnings

import numpy as np

SIDE = 28
BATCH = 128
HIDDEN = 128
CLASSES = 10
# A few batches first, by a network that is thrown away.
WARM = 20 * BATCH


def write(folder):
    """Each class has strokes of its own, with noise; most pixels are 0, as in MNIST."""
    random = np.random.default_rng(0)
    strokes = random.random((CLASSES, SIDE, SIDE)) < 0.19
    for name, count in [("train", 60_000), ("t10k", 10_000)]:
        labels = random.integers(0, CLASSES, count).astype(np.uint8)
        images = strokes[labels] * random.integers(60, 256, (count, SIDE, SIDE))
        noise = random.random(images.shape) < 0.04
        images = np.where(noise, random.integers(0, 256, images.shape), images).astype(np.uint8)
        with gzip.open(folder / f"{name}-images-idx3-ubyte.gz", "wb", 6) as file:
            file.write(struct.pack(">4I", 0x803, count, SIDE, SIDE) + images.tobytes())
        with gzip.open(folder / f"{name}-labels-idx1-ubyte.gz", "wb", 6) as file:
            file.write(struct.pack(">2I", 0x801, count) + labels.tobytes())


def read(folder):
    """Images as rows of numbers from 0 to 1, and labels."""
    images = gzip.decompress((folder / "train-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "train-labels-idx1-ubyte.gz").read_bytes())
    x = np.frombuffer(images, np.uint8, offset=16).reshape(-1, SIDE * SIDE)
    return x.astype(np.float32) / 255, np.frombuffer(labels, np.uint8, offset=8)


def by_torch(x, y, optimizer):
    import torch

    x, y = torch.from_numpy(x), torch.from_numpy(y.astype(np.int64))
    loss = torch.nn.CrossEntropyLoss()

    def epoch(count):
        network = torch.nn.Sequential(torch.nn.Linear(SIDE * SIDE, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, CLASSES))
        if optimizer == "sgd":
            updates = torch.optim.SGD(network.parameters(), 0.01)
        else:
            updates = torch.optim.Adam(network.parameters(), 0.001, fused=optimizer == "adam-fused")
        begin = time.perf_counter()
        order = torch.randperm(len(x))[:count]
        for rows in order.split(BATCH):
            updates.zero_grad()
            loss(network(x[rows]), y[rows]).backward()
            updates.step()
        return time.perf_counter() - begin

    epoch(WARM)
    return epoch(len(x))


def by_scikit(x, y, optimizer):
    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")
    rate = {"adam": 0.001, "sgd": 0.01}[optimizer]

    def epoch(count):
        network = MLPClassifier((HIDDEN,), solver=optimizer, batch_size=BATCH, max_iter=1, alpha=0, learning_rate_init=rate, momentum=0)
        begin = time.perf_counter()
        network.fit(x[:count], y[:count])
        return time.perf_counter() - begin

    epoch(WARM)
    return epoch(len(x))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["write", "torch", "scikit-learn"])
    parser.add_argument("folder", metavar="FOLDER", type=pathlib.Path)
    parser.add_argument("--optimizer", choices=["adam", "adam-fused", "sgd"], default="adam")
    arguments = parser.parse_args()
    if arguments.what == "write":
        arguments.folder.mkdir(parents=True, exist_ok=True)
        return write(arguments.folder)
    if arguments.what == "scikit-learn" and arguments.optimizer == "adam-fused":
        sys.exit("scikit-learn has one Adam: --optimizer adam")
    measure = by_torch if arguments.what == "torch" else by_scikit
    print(f"{arguments.what} {arguments.optimizer}: {measure(*read(arguments.folder), arguments.optimizer):.3f} s")


if __name__ == "__main__":
    main()
