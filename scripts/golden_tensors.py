#!/usr/bin/env python3
"""Makes tfevents/tests/golden/tensors.tfevents with the real SummaryWriter of PyTorch: values that newer writers wrap in tensors.

    golden_tensors.py [FILE]

Read by tfevents/tests/suite/reader.rs. Made with torch 2.15.0 and tensorboard 2.21.0. The wall time is fixed; the file's first record is
left out, since the time in it cannot be.
"""

import pathlib
import struct
import sys
import tempfile

from torch.utils.tensorboard import SummaryWriter

WALL_TIME = 1700000000.25


def write(writer):
    writer.add_scalar("new style", 0.1, 1, walltime=WALL_TIME, new_style=True)
    writer.add_scalar("double", 0.1, -2, walltime=WALL_TIME, new_style=True, double_precision=True)
    writer.add_scalar("zero", -0.0, 0, walltime=WALL_TIME, new_style=True)
    writer.add_text("text", "größe", 3, walltime=WALL_TIME)


def main():
    default = pathlib.Path(__file__).parent.parent / "tfevents/tests/golden/tensors.tfevents"
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    with tempfile.TemporaryDirectory() as directory:
        with SummaryWriter(directory) as writer:
            write(writer)
        (file,) = pathlib.Path(directory).iterdir()
        data = file.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    target.write_bytes(data[8 + 4 + length + 4 :])


if __name__ == "__main__":
    main()
