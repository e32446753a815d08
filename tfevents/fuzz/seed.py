#!/usr/bin/env python3
"""Makes the seeds of both targets from tests/golden: fuzz/seeds/reader and fuzz/seeds/event.

    seed.py

The short golden files as they are, and the data of the first record of each that is new in kind.
"""

import pathlib
import struct

HERE = pathlib.Path(__file__).parent
MOST_BYTES = 700


def records(data):
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<Q", data, at)
        yield data[at + 12 : at + 12 + length]
        at += 12 + length + 4


def main():
    for target in ("reader", "event"):
        (HERE / "seeds" / target).mkdir(parents=True, exist_ok=True)
    for file in sorted((HERE.parent / "tests/golden").glob("*.tfevents")):
        data = file.read_bytes()
        if len(data) <= MOST_BYTES:
            (HERE / "seeds/reader" / file.stem).write_bytes(data)
        first = min((record for record in records(data) if b"brain.Event" not in record), key=len)
        if len(first) <= MOST_BYTES:
            (HERE / "seeds/event" / file.stem).write_bytes(first)


if __name__ == "__main__":
    main()
