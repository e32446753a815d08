#!/usr/bin/env python3
"""Checks that each line of a record of examples/bench is a JSON object with what it must have.

    check_record.py RECORD.jsonl CASE...

Every CASE must occur.
"""

import json
import sys

ALWAYS = {"case", "device", "backend", "contender", "crate_version"}
TIMED = {"sync", "ms_median", "ms_p10", "ms_p90", "runs", "inner"}
START = {"caches", "ms_median", "ms_p10", "ms_p90", "runs", "open_ms", "prepare_ms", "run_ms", "verify_ms", "m", "k", "n"}
EVENTS = {"threads", "scalars", "scalars_per_call", "rounds", "scalars_per_s", "p50_ns", "p99_ns", "p99_9_ns", "max_ns", "bytes"}
CHECKED = {"kernels": {"gflops", "bytes", "first_ms", "max_err_over_bound", "kernel"}, "training": {"gflops", "mlp", "loss_rel_err"}}


def required(entry):
    """The fields that a line must have."""
    if entry.get("case", "").startswith("peak_"):
        return ALWAYS | TIMED | ({"gflops"} if entry["case"] == "peak_fma" else {"gb_per_s"})
    if entry.get("case", "").startswith("events_"):
        return ALWAYS | EVENTS
    if entry.get("case", "").startswith("start_"):
        return ALWAYS | START
    kind = "training" if entry.get("case", "").startswith("train") else "kernels"
    return ALWAYS | TIMED | CHECKED[kind] | {"m", "k", "n"}


def main():
    path, *cases = sys.argv[1:]
    seen = set()
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            entry = json.loads(line)
            missing = required(entry) - entry.keys()
            rate = entry.get("scalars_per_s", entry.get("ms_median", 0))
            if missing or "error" in entry or not (rate > 0):
                sys.exit(f"{path}:{number}: missing {sorted(missing)}: {line}")
            seen.add(entry["case"])
    if not seen.issuperset(cases):
        sys.exit(f"{path}: no line for {sorted(set(cases) - seen)}")
    print(f"check_record: {path.rsplit('/', 1)[-1]} has {sorted(seen)}")


if __name__ == "__main__":
    main()
