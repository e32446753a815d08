#!/usr/bin/env python3
"""Trains a small network with PyTorch in float64, for tests/suite/torch_reference.rs to be compared with.

    torch_reference.py tests/data/torch_reference.safetensors

From equal weights, 100 steps each of SGD, momentum, Nesterov, Adam and AdamW, all with weight decay, the gradient clipped by
its global norm and the learning rate on half a cosine. The file holds what is needed to repeat it: data, first weights, the
weights after the last step, and the settings as metadata. Made with torch 2.15.0. Needs `torch`, `numpy` and `safetensors`.
"""

import argparse
import itertools
import json

import numpy as np
import torch
from safetensors.torch import save_file

SIZES = [5, 16, 8, 3]
ROWS, BATCH, STEPS = 96, 16, 100
CLIP, FLOOR = 0.375, 0.125
# Numbers that f32 and f64 agree on.
SGD = {"lr": 0.125, "weight_decay": 2.0**-7}
ADAM = {"lr": 2.0**-7, "betas": (0.875, 1 - 2.0**-8), "eps": 2.0**-26, "weight_decay": 2.0**-6}
OPTIMIZERS = {
    "sgd": (torch.optim.SGD, SGD),
    "momentum": (torch.optim.SGD, {**SGD, "momentum": 0.875}),
    "nesterov": (torch.optim.SGD, {**SGD, "momentum": 0.875, "nesterov": True}),
    "adam": (torch.optim.Adam, ADAM),
    "adamw": (torch.optim.AdamW, {**ADAM, "weight_decay": 0.25}),
}


def network():
    layers = []
    for inputs, outputs in itertools.pairwise(SIZES):
        layers += [torch.nn.Linear(inputs, outputs), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1]).double()


def data():
    random = np.random.default_rng(7)
    x = random.normal(size=(ROWS, SIZES[0])).astype(np.float32)
    teacher = random.normal(size=(SIZES[0], SIZES[-1]))
    labels = np.argmax(np.tanh(x) @ teacher + 0.3 * random.normal(size=(ROWS, SIZES[-1])), axis=1)
    return torch.from_numpy(x), torch.from_numpy(labels)


def train(first, optimizer_class, settings, x, labels):
    """The weights after the last step, and how many steps were clipped."""
    model = network()
    model.load_state_dict(first)
    optimizer = optimizer_class(model.parameters(), **settings)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS, eta_min=FLOOR * settings["lr"])
    clipped = 0
    for step in range(STEPS):
        begin = step * BATCH % ROWS
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x[begin : begin + BATCH]), labels[begin : begin + BATCH])
        loss.backward()
        clipped += int(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP) > CLIP)
        optimizer.step()
        schedule.step()
    return model.state_dict(), clipped


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    file = parser.parse_args().file
    torch.manual_seed(3)
    # First weights that f32 can hold.
    first = {name: tensor.float().double() for name, tensor in network().state_dict().items()}
    x, labels = data()
    tensors = {"x": x, "labels": labels.int()}
    tensors |= {f"first.{name}": tensor.float() for name, tensor in first.items()}
    settings = {"sizes": SIZES, "batch": BATCH, "steps": STEPS, "clip_norm": CLIP, "floor": FLOOR, "optimizers": {}}
    for name, (optimizer_class, given) in OPTIMIZERS.items():
        last, clipped = train(first, optimizer_class, given, x.double(), labels)
        tensors |= {f"{name}.{key}": tensor for key, tensor in last.items()}
        settings["optimizers"][name] = {**given, "clipped": clipped}
        print(f"{name}: {clipped} of {STEPS} steps clipped")
    metadata = {"settings": json.dumps(settings), "made_with": f"torch {torch.__version__.split('+')[0]}"}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, file, metadata)


if __name__ == "__main__":
    main()
