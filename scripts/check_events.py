#!/usr/bin/env python3
"""Compares the scalars of TensorBoard event files, as TensorBoard itself reads them, with a CSV file.

    check_events.py DIR_OR_FILE EXPECTED.csv

EXPECTED.csv has the header `tag,step,wall_time,value`; its rows of one tag stand in the order in which they were written.
Steps have to be equal, wall times equal as float64 and values as float32, bit for bit, except that every NaN equals every
other. Exits with 1 at the first difference, and if there is nothing to compare.

Needs the package `tensorboard`, without TensorFlow.
"""

import argparse
import csv
import math
import struct
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


class Difference(Exception):
    """What was read is not what was expected."""


def float32_bits(value):
    """The bits of `value` as a float32; one pattern for every NaN."""
    if math.isnan(value):
        return "NaN"
    return struct.pack("<f", value).hex()


def float64_bits(value):
    return struct.pack("<d", value).hex()


def read_expected(path):
    """Rows of the CSV file as {tag: [(step, wall_time, value), ...]}."""
    points = {}
    with open(path, newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        header = next(rows, None)
        if header != ["tag", "step", "wall_time", "value"]:
            raise Difference(f"{path}: the header is {header}, not tag,step,wall_time,value")
        for tag, step, wall_time, value in rows:
            points.setdefault(tag, []).append((int(step), float(wall_time), float(value)))
    return points


def read_events(path):
    """Scalars of an event file, or of all event files of a directory, in the same form."""
    # Zero means all of them. By default TensorBoard keeps a sample.
    events = EventAccumulator(path, size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: [(point.step, point.wall_time, point.value) for point in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def compare_tag(tag, expected, actual):
    for index, (want, got) in enumerate(zip(expected, actual)):
        where = f"tag {tag!r}, point {index}"
        if got[0] != want[0]:
            raise Difference(f"{where}: step {got[0]}, expected {want[0]}")
        if float64_bits(got[1]) != float64_bits(want[1]):
            raise Difference(f"{where}: wall time {got[1]!r}, expected {want[1]!r}")
        if float32_bits(got[2]) != float32_bits(want[2]):
            raise Difference(f"{where}: value {got[2]!r}, expected {want[2]!r}")
    if len(actual) != len(expected):
        raise Difference(f"tag {tag!r}: {len(actual)} points, expected {len(expected)}")


def compare(expected, actual):
    """Number of points compared."""
    if set(actual) != set(expected):
        missing, extra = sorted(set(expected) - set(actual)), sorted(set(actual) - set(expected))
        raise Difference(f"tags: missing {missing}, unexpected {extra}")
    for tag in expected:
        compare_tag(tag, expected[tag], actual[tag])
    count = sum(len(points) for points in expected.values())
    if count == 0:
        raise Difference("no points at all: nothing was compared")
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("events", metavar="DIR_OR_FILE")
    parser.add_argument("expected", metavar="EXPECTED.csv")
    arguments = parser.parse_args()
    try:
        count = compare(read_expected(arguments.expected), read_events(arguments.events))
    except Difference as difference:
        print(f"check_events: {arguments.events}: {difference}", file=sys.stderr)
        return 1
    print(f"check_events: {count} points equal")
    return 0


if __name__ == "__main__":
    sys.exit(main())
