#!/usr/bin/env python3
"""Compares the scalars of a run, as the two other readers of TensorBoard see them, with a CSV file.

    check_data_server.py DIR EXPECTED.csv

`check_events.py` asks TensorBoard's reader in Python. Here the same points have to come, bit for bit, from the data server, which is
what TensorBoard runs by default: once as it is started by default, which looks at checksums only where a record cannot be parsed, and
once with `--checksum`. It must not warn of anything. And `tensorboard --inspect` has to list the same tags and steps.

DIR holds the event files of one run, and nothing but scalars. The data server drops earlier points where the steps of a tag go
backwards, so they should not. EXPECTED.csv is as for `check_events.py`.

Needs the package `tensorboard`, without TensorFlow, and `tensorboard_data_server` and `grpcio`, which come with it.
"""

import argparse
import contextlib
import re
import subprocess
import sys

import grpc
import tensorboard_data_server
from check_events import Difference, compare, read_expected
from tensorboard import context
from tensorboard.data import grpc_provider
from tensorboard.data.proto import data_provider_pb2_grpc

# Of points of a tag: all of them.
EVERY = 10**9


@contextlib.contextmanager
def data_server(directory, *flags):
    """The port of a data server that has read the directory once."""
    program = tensorboard_data_server.server_binary()
    command = [program, "--logdir", directory, "--host", "127.0.0.1", "--port", "0", "--reload", "once", "--verbose"]
    server = subprocess.Popen([*command, "--samples-per-plugin=scalars=all", *flags], stderr=subprocess.PIPE, text=True)
    try:
        yield wait_until_read(server.stderr)
    finally:
        server.kill()
        server.wait()
        server.stderr.close()


def wait_until_read(log):
    port, lines = None, []
    for line in log:
        lines.append(line)
        if found := re.match(r"listening on .*:(\d+)$", line):
            port = int(found.group(1))
        if " WARN " in line or " ERROR " in line or "While walking" in line:
            raise Difference(f"the data server complains: {line.strip()}")
        if "Finished load cycle" in line:
            return port
    raise Difference("the data server ended: " + "".join(lines[-3:]))


def read_data_server(directory, *flags):
    """Scalars of a run as {tag: [(step, wall_time, value), ...]}."""
    with data_server(directory, *flags) as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = data_provider_pb2_grpc.TensorBoardDataProviderStub(channel)
        provider = grpc_provider.GrpcDataProvider("the data server", stub)
        everything = {"experiment_id": "", "plugin_name": "scalars", "downsample": EVERY}
        runs = provider.read_scalars(context.RequestContext(), **everything)
    if len(runs) != 1:
        raise Difference(f"{len(runs)} runs, expected one: {sorted(runs)}")
    (tags,) = runs.values()
    return {tag: [(point.step, point.wall_time, point.value) for point in points] for tag, points in tags.items()}


def inspect(directory):
    """What `tensorboard --inspect` says of the scalars: tags, and the least and the greatest step and how many different ones."""
    command = [sys.executable, "-m", "tensorboard.main", "--inspect", "--logdir", directory]
    said = subprocess.run(command, check=True, text=True, capture_output=True).stdout
    tags, _, statistics = said.partition("Event statistics for ")
    scalars = [re.search(r"^scalars\n((?: +.*\n)+)", part, re.MULTILINE) for part in (tags, statistics)]
    if None in scalars or "Event statistics for " in statistics:
        raise Difference(f"tensorboard --inspect does not list one run with scalars:\n{said}")
    numbers = dict(re.findall(r"^ +(min_step|max_step|num_steps) +(-?\d+)$", scalars[1].group(1), re.MULTILINE))
    return [line.strip() for line in scalars[0].group(1).splitlines()], {name: int(number) for name, number in numbers.items()}


def compare_inspection(expected, inspected):
    steps = {point[0] for points in expected.values() for point in points}
    want = sorted(expected), {"min_step": min(steps), "max_step": max(steps), "num_steps": len(steps)}
    if inspected != want:
        raise Difference(f"tensorboard --inspect says {inspected}, expected {want}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", metavar="DIR")
    parser.add_argument("expected", metavar="EXPECTED.csv")
    arguments = parser.parse_args()
    try:
        expected = read_expected(arguments.expected)
        for flags in [], ["--checksum"]:
            count = compare(expected, read_data_server(arguments.directory, *flags))
            print(f"check_data_server: {count} points equal {' '.join(flags)}".rstrip())
        compare_inspection(expected, inspect(arguments.directory))
        print("check_data_server: tensorboard --inspect lists the same tags and steps")
    except Difference as difference:
        print(f"check_data_server: {arguments.directory}: {difference}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
