#!/usr/bin/env python3
"""Prints a Markdown table that compares records of `examples/bench` with those of others.

    compare.py OURS.jsonl PEER.jsonl...
    compare.py --sync each --device llvmpipe --contender naive OURS.jsonl PEER.jsonl...

A record has one JSON object a line, with `case`, `m`, `k`, `n` (and `mlp` for training), `sync` and `ms_median`. Both sides are compared under the
same `sync`: "each" waits after every operation, "end" after many. Training lines of others may lack `sync`: there the case says it (`train`,
`train_loss`). A ratio is the other's time over ours: above 1, ours is faster.
"""

import argparse
import json
import math
import sys
from statistics import median

# What others measure under another name: the three gradients as plain operations.
SAME_CASE = {"bwd_ops": "bwd"}
ORDER = ["fwd", "dx", "dw", "db", "bwd", "bwd_no_db", "train", "train_loss"]


def read(path):
    """The objects of a record; says which line is not one."""
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield json.loads(line)
                except ValueError as error:
                    sys.exit(f"{path}:{number}: {error}")


def key(entry, sync):
    """What a line is the time of, or None where it is not to be compared."""
    case = SAME_CASE.get(entry.get("case"), entry.get("case"))
    if case not in ORDER or "ms_median" not in entry or entry.get("sweep"):
        return None
    if not case.startswith("train") and entry.get("sync", "each") != sync:
        return None
    return case, entry.get("mlp", ""), entry["m"], entry["k"], entry["n"]


def who(entry):
    """Name of a contender: the crate's own, or a peer with its backend."""
    name = entry.get("contender") or f"{entry.get('peer', '?')} {entry.get('backend', '')}"
    return name.strip()


def columns(paths, sync, device, cases):
    """{contender: {key: milliseconds}}, in the order of appearance.

    Where a record has a case several times, as rounds of runs in turn have, the median counts; of two names for the same case, the faster one.
    """
    found = {}
    for path in paths:
        for entry in read(path):
            what = key(entry, sync)
            if what is None or device not in entry.get("device", "") or (cases and what[0] not in cases):
                continue
            times = found.setdefault(who(entry), {}).setdefault(what, {})
            times.setdefault(entry["case"], []).append(entry["ms_median"])
    return {name: {what: min(map(median, times.values())) for what, times in cases.items()} for name, cases in found.items()}


def shown(milliseconds):
    return f"{milliseconds:.4g}" if milliseconds < 1000 else f"{milliseconds:.0f}"


def geometric_mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def table(ours, peers):
    """The lines of the Markdown table. Cases that no peer has are left out."""
    yield "| case | shape | ours, ms | " + " | ".join(f"{name}, ms | ratio" for name in peers) + " |"
    yield "|---|---|--:|" + "--:|--:|" * len(peers)
    ratios = {name: [] for name in peers}
    for what in sorted(ours, key=lambda what: (ORDER.index(what[0]), what[1], what[2] * what[3] * what[4])):
        cells = []
        for name, times in peers.items():
            if what not in times:
                cells.append("– | –")
                continue
            ratio = times[what] / ours[what]
            ratios[name].append(ratio)
            cells.append(f"{shown(times[what])} | {ratio:.2f}")
        if any(cell != "– | –" for cell in cells):
            case, mlp, m, k, n = what
            shape = f"{mlp}, batch {m}" if mlp else f"{m}×{k}×{n}"
            yield f"| {case} | {shape} | {shown(ours[what])} | " + " | ".join(cells) + " |"
    means = [f"| **{geometric_mean(values):.2f}** ({len(values)})" if values else "| –" for values in ratios.values()]
    yield "| **geometric mean** | | | " + " ".join(f" {mean} |" for mean in means)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ours", metavar="OURS.jsonl")
    parser.add_argument("peers", metavar="PEER.jsonl", nargs="+")
    parser.add_argument("--sync", choices=["each", "end"], default="end", help="which timing to compare (default: end)")
    parser.add_argument("--contender", default="wgpu-linear", help="whose times in OURS are ours (default: wgpu-linear)")
    parser.add_argument("--device", default="", help="only lines whose device contains this text")
    parser.add_argument("--cases", default="", help="only these cases, with commas")
    arguments = parser.parse_args()
    cases = [case for case in arguments.cases.split(",") if case]
    ours = columns([arguments.ours], arguments.sync, "", cases).get(arguments.contender)
    if not ours:
        sys.exit(f"{arguments.ours}: no times of {arguments.contender} with sync \"{arguments.sync}\"")
    peers = columns(arguments.peers, arguments.sync, arguments.device, cases)
    # A record may be compared with another contender in itself.
    peers = {name: times for name, times in peers.items() if name != arguments.contender or arguments.ours not in arguments.peers}
    shared = {name: times for name, times in peers.items() if times.keys() & ours.keys()}
    if not shared:
        sys.exit("no case that both sides have")
    print("\n".join(table(ours, shared)))


if __name__ == "__main__":
    main()
