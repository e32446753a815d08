#!/usr/bin/env python3
"""What scripts/reach found, as lines of JSON and as a table.

    reach_table.py found NAME FOLDER       the line of an implementation, from the logs in FOLDER; fails
                                           where anything failed
    reach_table.py merge RECORD FOUND      puts the lines of FOUND into RECORD, in the place of older ones
    reach_table.py table RECORD            a table in Markdown, and each failure by its name
"""

import datetime
import json
import pathlib
import re
import sys

TESTS = ["wgpu_linear", "suite"]
SHAPES = [64, 256, 512]


def counted(folder, programs):
    """Tests that passed, failed or were left out; those that a time limit cut are named as well."""
    found = {"passed": 0, "failed": [], "left_out": 0, "cut": []}
    for program in programs:
        path = folder / f"{program}.log"
        if not path.exists():
            continue
        text = path.read_text(errors="replace")
        found["passed"] += len(re.findall(r"^test \S.* \.\.\. ok", text, re.MULTILINE))
        found["failed"] += sorted(re.findall(r"^test (\S+).* \.\.\. FAILED", text, re.MULTILINE))
        found["left_out"] += len(re.findall(r"^test \S.* \.\.\. ignored", text, re.MULTILINE))
        filtered = re.search(r"(\d+) filtered out", text)
        found["left_out"] += int(filtered[1]) if filtered else 0
        if "test result: " not in text:
            ended = set(re.findall(r"^test (\S+).* \.\.\. ", text, re.MULTILINE))
            begun = set(re.findall(r"^test (\S+) has been running", text, re.MULTILINE))
            found["cut"] += sorted(begun - ended) or [program]
    return found


def found(name, folder):
    """The line of an implementation."""
    tests, examples = counted(folder, TESTS), counted(folder, ["programs"])
    line = {"implementation": name, "day": datetime.date.today().isoformat(), "tests": tests, "examples": examples, "bench": {}}
    bench = folder / "bench.jsonl"
    for entry in map(json.loads, bench.read_text().splitlines() if bench.exists() else []):
        line.update({key: entry[key] for key in ("device", "driver", "host") if key in entry})
        if entry["case"] in ("fwd", "dx", "dw") and entry.get("sync") == "each":
            kept = {key: entry[key] for key in ("first_ms", "gflops", "max_err_over_bound", "kernel", "error") if key in entry}
            line["bench"][f"{entry['case']} {entry['m']}x{entry['k']}x{entry['n']}"] = kept
    print(json.dumps(line))
    bad = tests["failed"] + tests["cut"] + examples["failed"] + examples["cut"]
    wrong = [case for case, entry in line["bench"].items() if not entry.get("max_err_over_bound", 2) <= 1]
    if not line["bench"] or not tests["passed"]:
        bad.append("nothing was measured")
    return 1 if bad or wrong else 0


def merge(record, lines):
    """Lines by implementation, the new ones first."""
    path = pathlib.Path(record)
    old = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    new = [json.loads(line) for line in pathlib.Path(lines).read_text().splitlines()]
    kept = {line["implementation"]: line for line in old + new}
    path.write_text("".join(json.dumps(line) + "\n" for line in kept.values()))


def ratio(found):
    """Passed, failed, cut and left out, in a word."""
    if not any(found.values()):
        return "not run"
    words = [f"{found['passed']} pass"]
    words += [f"**{len(found[kind])} {kind}**" for kind in ("failed", "cut") if found[kind]]
    words += [f"{found['left_out']} left out"] if found["left_out"] else []
    return ", ".join(words)


def measured(line, case, size, field):
    """A figure of the benchmark."""
    return line["bench"].get(f"{case} {size}x{size}x{size}", {}).get(field, float("nan"))


def table(record):
    """A table in Markdown."""
    lines = [json.loads(line) for line in pathlib.Path(record).read_text().splitlines()]
    print("| implementation | tests | examples | first call at 64³: forward, dX, dW, s | GFLOP/s at 64³, 256³, 512³ |")
    print("|---|---|---|--:|--:|")
    for line in lines:
        first = ", ".join(f"{measured(line, case, 64, 'first_ms') / 1000:.2f}" for case in ("fwd", "dx", "dw"))
        speed = ", ".join(f"{measured(line, 'fwd', size, 'gflops'):.1f}" for size in SHAPES)
        driver = line.get("driver", "").removeprefix("llvmpipe ")
        name = "llvmpipe, " + driver if "llvmpipe" in line.get("device", "") else line.get("device", line["implementation"])
        print(f"| {name} | {ratio(line['tests'])} | {ratio(line['examples'])} | {first} | {speed} |")
    for line in lines:
        for part in ("tests", "examples"):
            for kind in ("failed", "cut"):
                for name in line[part][kind]:
                    print(f"\n{line['implementation']}: {kind}: {name}", end="")
    print()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["found", name, folder]:
            sys.exit(found(name, pathlib.Path(folder)))
        case ["merge", record, lines]:
            merge(record, lines)
        case ["table", record]:
            table(record)
        case _:
            sys.exit(__doc__)
