#!/usr/bin/env python3
"""Draws records of `bench precision`: the largest error of a sum over the number of its terms, against its bound.

    plot_precision.py OUT.png RECORD.jsonl...

Errors are shares of Σ|x||w|. Points are measured, lines are bounds as `docs/PRECISION.md` has them; each kind of numbers is a panel of its own, and each
series of the records a colour. Where several records hold the same case, the largest error is drawn. Needs the package `matplotlib`.
"""

import argparse
import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot

COLORS = ["tab:blue", "tab:green", "tab:red", "tab:purple", "tab:brown", "tab:cyan"]
MARKERS = "os^vDP"
STYLES = ["-", "--", ":", "-."]
PANELS = {"both signs": "uniform in ±1", "positive": "uniform from 0 to 1", "equal": "all factors alike"}


def read(paths):
    texts = [pathlib.Path(path).read_text(encoding="utf-8") for path in paths]
    lines = [json.loads(line) for text in texts for line in text.splitlines() if line.strip()]
    return [line for line in lines if line.get("case") == "precision" and "largest_error" in line]


def points(lines, value):
    """{terms: the largest of these values}."""
    largest = {}
    for line in lines:
        largest[line["k"]] = max(largest.get(line["k"], 0), line[value])
    return dict(sorted(largest.items()))


def draw(axes, title, lines, series):
    bounds = {}
    for name, color, marker in zip(series, COLORS, MARKERS):
        own = [line for line in lines if line["series"] == name]
        errors, bound = points(own, "largest_error"), points(own, "bound")
        # A logarithm has no place for what is exact.
        errors = {k: error for k, error in errors.items() if error > 0}
        axes.plot(list(errors), list(errors.values()), marker, color=color, markersize=5, fillstyle="none", label=name)
        bounds.setdefault(tuple(bound.items()), []).append(name)
    # Series that share a bound share a line.
    for (bound, names), style in zip(bounds.items(), STYLES):
        axes.plot(*zip(*bound), style, color="black", linewidth=1, label=f"bound of {' and '.join(f'“{name}”' for name in names)}")
    axes.set(yscale="log", xlabel="terms of a sum, K")
    axes.set_xscale("log", base=2)
    axes.set_title(title, fontsize=10)
    axes.grid(alpha=0.3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", metavar="OUT.png")
    parser.add_argument("records", metavar="RECORD.jsonl", nargs="+")
    arguments = parser.parse_args()
    lines = read(arguments.records)
    if not lines:
        sys.exit("the records hold no errors")
    series = list(dict.fromkeys(line["series"] for line in lines))
    kinds = list(dict.fromkeys(line["numbers"] for line in lines))
    figure, panels = pyplot.subplots(1, len(kinds), figsize=(10, 4.2), layout="constrained", sharey=True, squeeze=False)
    for axes, kind in zip(panels[0], kinds):
        draw(axes, PANELS.get(kind, kind), [line for line in lines if line["numbers"] == kind], series)
    first = panels[0][0]
    first.set_ylabel("largest error ÷ Σ|x||w|")
    handles, labels = first.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=8, frameon=False)
    devices = dict.fromkeys(f"{line['device']}, {line['driver']}" for line in lines)
    figure.suptitle("; ".join(devices), fontsize=10)
    figure.savefig(arguments.out, dpi=110)


if __name__ == "__main__":
    main()
