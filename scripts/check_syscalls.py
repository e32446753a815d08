#!/usr/bin/env python3
"""Counts the system calls by which event files are written, and fails if there are too many.

    check_syscalls.py target/release/examples/bench [SCALARS]

Runs `bench events` under `strace`. Each event file has to be opened once for writing (as a new one, never truncated), closed once, and
written to at most 0.002 times per scalar. Since `strace` slows writing down, and what waits meanwhile is written together, the benchmark
runs once more without it, and the counter of the system has to say the same.

Needs `strace`, thus Linux.
"""

import json
import math
import os
import re
import subprocess
import sys
import tempfile

# Its record of 54 bytes and a buffer of 64 KiB make 0.0008.
WRITES_PER_SCALAR = 0.002
TRACED = "openat,openat2,open,creat,write,writev,pwrite64,pwritev,fsync,fdatasync,ftruncate,close,futex"
WRITES = {"write", "writev", "pwrite64", "pwritev"}
# With -f a process, with -y the path behind each descriptor. A call that another thread interrupts is told where it begins.
CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)$")


class File:
    """What was done to one event file."""

    def __init__(self):
        self.opened, self.closed, self.writes, self.other = 0, 0, 0, []

    def is_open(self):
        return self.opened > self.closed


def trace(command):
    """The lines that strace writes."""
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "strace")
        strace = ["strace", "-f", "-y", "-s", "0", "-e", f"trace={TRACED}", "-o", log, *command]
        subprocess.run(strace, check=True, stdout=subprocess.DEVNULL)
        with open(log, encoding="utf-8", errors="replace") as file:
            return file.readlines()


def count(lines):
    """Event files in the order in which they were opened, and how many calls of `futex` there were."""
    files, by_path, futexes = [], {}, 0
    for name, arguments in (found.groups() for line in lines if (found := CALL.match(line))):
        futexes += name == "futex"
        path = re.search(r'["<]([^">]*tfevents[^">]*)[">]', arguments)
        if not path:
            continue
        file = by_path.get(path.group(1))
        if name in ("open", "openat", "openat2", "creat"):
            if "O_RDONLY" in arguments:
                continue
            # The same name may come back in a new folder, once the former was closed.
            if file is None or not file.is_open():
                file = by_path[path.group(1)] = File()
                files.append(file)
            file.opened += 1
            if "O_EXCL" not in arguments or "O_TRUNC" in arguments:
                file.other.append(arguments.strip())
        elif file is not None and file.is_open():
            file.closed += name == "close"
            file.writes += name in WRITES
            if name == "ftruncate":
                file.other.append(name)
    return files, futexes


def complaints(files, scalars):
    if not files:
        yield "no event file was opened"
    for number, file in enumerate(files, 1):
        if (file.opened, file.closed) != (1, 1):
            yield f"file {number}: opened {file.opened} times, closed {file.closed} times"
        if not 0 < file.writes <= WRITES_PER_SCALAR * scalars:
            yield f"file {number}: {file.writes} writes for {scalars} scalars, more than {WRITES_PER_SCALAR} each, or none"
        if file.other:
            yield f"file {number}: {file.other}"


def counted(bench, scalars):
    """Calls of write(2) in each case, by the counter of the system, at full speed."""
    with tempfile.TemporaryDirectory() as folder:
        record = os.path.join(folder, "events.jsonl")
        command = [bench, "events", "--rounds", "3", "--scalars", str(scalars), "--json", record]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with open(record, encoding="utf-8") as file:
            return {entry["case"]: entry["writes"] for entry in map(json.loads, file)}


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__.split("\n\n")[1].strip())
    # As many as the benchmark reads back, so that all of its runs are of one size.
    bench, scalars = sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 200_000
    files, futexes = count(trace([bench, "events", "--rounds", "1", "--scalars", str(scalars)]))
    found = list(complaints(files, scalars))
    cases = counted(bench, scalars)
    found += [f"{case}: {writes} writes for {scalars} scalars" for case, writes in cases.items() if not writes <= WRITES_PER_SCALAR * scalars]
    for complaint in found:
        print(f"check_syscalls: {complaint}", file=sys.stderr)
    print(
        f"check_syscalls: {len(files)} files of {scalars} scalars: opened {[file.opened for file in files]}, closed "
        f"{[file.closed for file in files]} times, {[file.writes for file in files]} writes; {futexes} waits and wake-ups of threads in all"
    )
    print(f"check_syscalls: writes without strace: {cases}; {max(cases.values(), default=math.nan) / scalars:.5f} per scalar at most")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
