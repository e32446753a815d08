#!/usr/bin/env python3
"""Makes the golden files of tfevents/tests/suite/golden.rs with the real SummaryWriter of PyTorch.

    golden_events.py [DIR]          DIR is tfevents/tests/golden if left out

Every file is written at the fixed wall time 1700000000.25. Made with torch 2.15.0, tensorboard 2.21.0, protobuf 7.36.2 and
numpy 2.4.6; VERSIONS in DIR says what it was made with this time.

What PyTorch leaves to chance is pinned, and nothing else:

* the name of the file;
* the order of the map of hyperparameters: protobuf for Python writes a map in the order of a hash that differs from run to run.
  Here it is asked for its deterministic form, the order of the keys;
* sums: all values are multiples of 1/8 and small, so that every order of summation gives the same double.

Booleans are left out of the hyperparameters, since PyTorch takes them for numbers.
"""

import pathlib
import sys
import tempfile
import time

import google.protobuf
import numpy
import tensorboard
import torch
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.versions_pb2 import VersionDef
from tensorboard.plugins.hparams import plugin_data_pb2
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard._proto_graph import node_proto

WALL_TIME = 1700000000.25


class Sorted:
    """A message that serialises its maps in the order of their keys."""

    def __init__(self, message):
        self.message = message

    def SerializeToString(self):
        return self.message.SerializeToString(deterministic=True)


def write_scalars(writer):
    writer.add_scalar("train/loss", 0.25, 1)
    writer.add_scalar("train/loss", 0.1, 2)
    writer.add_scalar("größe", -0.0, 0)
    writer.add_scalar("", 0.0, -1)
    writer.add_scalar("steps", float("inf"), 2**40)
    writer.add_scalar("nan", float("nan"), 3)


def write_histograms(writer):
    spread = [k / 8 for k in range(-3, 41)]
    writer.add_histogram("spread", torch.tensor(spread), 1)
    writer.add_histogram("one", torch.tensor([3.0]), 2)
    writer.add_histogram("zeros", torch.zeros(5), 3)
    # On both sides of zero with empty buckets between, below the least edge, and far out.
    writer.add_histogram("tiny", torch.tensor([2.0**-39, -(2.0**-36), 2.0**-50, -0.0]), 4)
    writer.add_histogram("huge", torch.tensor([2.0**60, 2.0**59]), 5)
    writer.add_histogram("negative", torch.tensor([-1.0, -0.125, -7.5, -7.5]), 6)
    writer.add_histogram("negative zero", torch.tensor([-0.0]), 7)


def write_texts(writer):
    writer.add_text("config", "| name | value |\n|---|---|\n| größe | 7 |", 0)
    writer.add_text("empty", "", 1)
    writer.add_text("", "no tag", 2)


def write_hparams(writer):
    params = {"lr": 0.1, "optimizer": "adam", "batch": 64, "zero": 0, "empty": "", "größe": "µ", "a": -1.5}
    metrics = {"accuracy/test": 0.5, "loss": 2.0}
    # A run of its own below the writer's; `run_name` is where.
    writer.add_hparams(params, metrics, run_name="session", global_step=0)


def write_layout(writer):
    writer.add_custom_scalars(
        {
            "losses": {
                "both": ["Multiline", ["loss/train", "loss/test"]],
                "bounds": ["Margin", ["loss/mean", "loss/min", "loss/max"]],
            },
            "empty": {},
        }
    )


def write_pr_curves(writer):
    # Every prediction of 0, 1/1024, ..., 1, with labels that follow them loosely.
    predictions = numpy.arange(1025, dtype=numpy.float32) / 1024
    labels = (numpy.arange(1025) * 37 % 1025) < numpy.arange(1025)
    writer.add_pr_curve("127", labels, predictions, 7, num_thresholds=127)
    # Two thirds of these products are rounded in float32.
    thirds = numpy.arange(100, dtype=numpy.float32) / numpy.float32(99)
    writer.add_pr_curve("100", numpy.arange(100) % 3 == 0, thirds, 8, num_thresholds=100)
    writer.add_pr_curve("no positives", numpy.zeros(3), numpy.array([0, 0.5, 1], dtype=numpy.float32), 9, num_thresholds=2)


def pixels(channels):
    """Five rows of seven pixels, every byte another one."""
    count = 5 * 7 * channels
    return (numpy.arange(count) * 2 % 256).astype(numpy.uint8).reshape(5, 7, channels)


def write_images(writer):
    writer.add_image("gray", pixels(1)[:, :, 0], 1, dataformats="HW")
    writer.add_image("rgb", pixels(3), 2, dataformats="HWC")


def write_graph(writer):
    # As add_graph does from a traced module, but with nodes that both sides can build.
    nodes = [
        node_proto("x", "Placeholder", [], outputsize=[-1, 64], attributes=None),
        node_proto("layer1/w", "Variable", [], outputsize=[64, 10], attributes=None),
        node_proto("layer1/matmul", "MatMul", ["x", "layer1/w"], outputsize=[-1, 10], attributes="{slow: 0}"),
        node_proto("loss", "Sum", ["layer1/matmul"], outputsize=[], attributes=None),
    ]
    graph = GraphDef(node=nodes, versions=VersionDef(producer=22))
    event = Event(graph_def=graph.SerializeToString(deterministic=True))
    writer._get_file_writer().add_event(event, None, WALL_TIME)


FILES = {
    "scalars": write_scalars,
    "histogram": write_histograms,
    "text": write_texts,
    "hparams": write_hparams,
    "layout": write_layout,
    "pr_curve": write_pr_curves,
    "image": write_images,
    "graph": write_graph,
}


def main():
    here = pathlib.Path(__file__).resolve().parent.parent
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here / "tfevents/tests/golden"
    target.mkdir(parents=True, exist_ok=True)
    time.time = lambda: WALL_TIME
    plugin_data = plugin_data_pb2.HParamsPluginData
    plugin_data_pb2.HParamsPluginData = lambda **fields: Sorted(plugin_data(**fields))
    for name, write in FILES.items():
        with tempfile.TemporaryDirectory() as directory:
            with SummaryWriter(directory) as writer:
                write(writer)
            folder = pathlib.Path(directory)
            found = sorted((folder / "session" if name == "hparams" else folder).glob("events.out.tfevents.*"))
            assert len(found) == 1, found
            data = found[0].read_bytes()
        (target / f"{name}.tfevents").write_bytes(data)
        print(f"{name}.tfevents: {len(data)} bytes")
    versions = {
        "torch": torch.__version__,
        "tensorboard": tensorboard.__version__,
        "protobuf": google.protobuf.__version__,
        "numpy": numpy.__version__,
    }
    (target / "VERSIONS").write_text("".join(f"{name} {version}\n" for name, version in versions.items()))


if __name__ == "__main__":
    main()
