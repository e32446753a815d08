#!/usr/bin/env python3
"""Prints a Markdown table of what the planner chose and what was the fastest when measured.

    planner_table.py RECORD.jsonl...

Takes the lines with the case `tune`, as `05_tune --json` writes them; others may be between them. A ratio is the planner's time over
the winner's: 1 is the best there is.
"""

import json
import sys
from statistics import median


def read(paths):
    """{(device, operation, m, k, n): [line of a candidate]}; a candidate that was measured again counts once, as it was last."""
    found = {}
    for path in paths:
        with open(path, encoding="utf-8") as file:
            for line in filter(str.strip, file):
                entry = json.loads(line)
                if entry.get("case") == "tune":
                    what = entry["device"], entry["operation"], entry["m"], entry["k"], entry["n"]
                    found.setdefault(what, {})[entry["plan"]] = entry
    return {what: list(plans.values()) for what, plans in found.items()}


def main():
    found = read(sys.argv[1:])
    if not found:
        sys.exit("no line with the case `tune`")
    print("| operation | shape | planned | ms | fastest | ms | its rank | planned / fastest |")
    print("|---|---|---|--:|---|--:|--:|--:|")
    ratios = []
    for (_, operation, *shape), plans in sorted(found.items()):
        best = min(plans, key=lambda entry: entry["ms_median"])
        planned = next((entry for entry in plans if entry["planned"]), None)
        name, ms, ratio = "none that is right", "", ""
        if planned:
            ratios.append(planned["ms_median"] / best["ms_median"])
            name, ms, ratio = planned["plan"], f"{planned['ms_median']:.4g}", f"{ratios[-1]:.2f}"
        sizes = "×".join(map(str, shape))
        print(f"| {operation} | {sizes} | {name} | {ms} | {best['plan']} | {best['ms_median']:.4g} | {best['rank'] + 1} | {ratio} |")
    if ratios:
        within = sum(ratio <= 1.1 for ratio in ratios)
        print(f"\nplanned / fastest: median of {len(ratios)} {median(ratios):.3f}, largest {max(ratios):.2f}, {within} within 10 %")


if __name__ == "__main__":
    main()
