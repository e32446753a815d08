#!/usr/bin/env python3
"""Draws records of `examples/bench` as a roofline picture, or a sweep as a picture of how the time grows.

    plot_roofline.py OUT.png RECORD.jsonl...
    plot_roofline.py --scaling OUT.png SWEEP.jsonl...

The roofline (Williams, Waterman and Patterson 2009) has a device's two measured ceilings, multiply-adds and copies, as lines, and every case as
a point: how many operations it does for each byte, and how fast. Points may lie above the slope where the operands fit a cache.

`--scaling` takes records made with `bench kernels --sweep`: each dimension doubled in turn. It lists the neighbours between which the time grew more
than 15 % faster than the work, and ends with status 1 if there are any. Needs the package `matplotlib`.
"""

import argparse
import itertools
import json
import math
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

CASES = {"fwd": "tab:blue", "dx": "tab:orange", "dw": "tab:green", "db": "tab:red", "bwd": "tab:purple", "bwd_no_db": "tab:brown"}
CONTENDERS = {"wgpu-linear": "o", "naive": "x", "ndarray": "^"}
SIZES = {"m": "batch", "k": "inputs", "n": "outputs"}
SLACK = 1.15


def read(paths, sync):
    """The lines of the records that have a time, with the given `sync`."""
    texts = [pathlib.Path(path).read_text(encoding="utf-8") for path in paths]
    lines = [json.loads(line) for text in texts for line in text.splitlines() if line.strip()]
    return [line for line in lines if "ms_median" in line and line.get("sync") == sync]


def merged(lines):
    """One line where several records hold the same case: the fastest, since whatever else a machine does can only slow it down."""
    cases = {}
    for line in lines:
        key = tuple(line.get(name) for name in ("case", "contender", "m", "k", "n", "sweep", "device"))
        cases.setdefault(key, []).append(line)
    return [min(same, key=lambda line: line["ms_median"]) for same in cases.values()]


def plain(axis):
    """1000 instead of 10³."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def shape(line):
    sizes = line["m"], line["k"], line["n"]
    return f"{sizes[0]}³" if len(set(sizes)) == 1 else "×".join(map(str, sizes))


# ---------------------------------------------------------------------- roofline


def ceilings(lines):
    """{device: (GFLOP/s, GB/s)}, the best of each."""
    found = {}
    for line in lines:
        if line["case"] in ("peak_fma", "peak_copy"):
            flops, bandwidth = found.get(line["device"], (0, 0))
            found[line["device"]] = max(flops, line.get("gflops", 0)), max(bandwidth, line.get("gb_per_s", 0))
    return found


def draw_ceiling(axes, device, flops, bandwidth, left, right, style):
    ridge = flops / bandwidth
    axes.plot([left, ridge, right], [left * bandwidth, flops, flops], color="black", linewidth=1.2, linestyle=style)
    axes.annotate(f"{flops:,.0f} GFLOP/s in multiply-adds", (right, flops), (-4, 4), textcoords="offset points", ha="right", fontsize=8)
    axes.annotate(f"{bandwidth:,.0f} GB/s in a copy", (left, left * bandwidth), (8, 14), textcoords="offset points", fontsize=8, rotation_mode="anchor", rotation=angle(axes))


def angle(axes):
    """The slope of y ∝ x on these logarithmic axes, in degrees of the page."""
    start, end = axes.transData.transform([(1, 1), (10, 10)])
    return math.degrees(math.atan2(end[1] - start[1], end[0] - start[0]))


def roofline(lines, out):
    points = [line for line in lines if line["case"] in CASES and line.get("flop_per_byte") and not line.get("sweep")]
    peaks = ceilings(lines)
    if not points or not peaks:
        sys.exit("the records hold no cases, or no ceilings")
    figure, axes = pyplot.subplots(figsize=(9, 4.8), layout="constrained")
    left = min(point["flop_per_byte"] for point in points) / 1.6
    right = max([point["flop_per_byte"] for point in points] + [2 * flops / bandwidth for flops, bandwidth in peaks.values()]) * 1.6
    axes.set(xscale="log", yscale="log", xlim=(left, right), xlabel="arithmetic intensity, FLOP / byte", ylabel="GFLOP/s")
    highest = max(flops for flops, _ in peaks.values())
    axes.set_ylim(min(point["gflops"] for point in points) / 1.8, 2.2 * max(highest, max(point["gflops"] for point in points)))
    figure.draw_without_rendering()
    for (device, (flops, bandwidth)), style in zip(peaks.items(), ["-", "--", ":", "-."]):
        draw_ceiling(axes, device, flops, bandwidth, left, right, style)
    for point in points:
        axes.plot(
            point["flop_per_byte"], point["gflops"], CONTENDERS.get(point["contender"], "s"), color=CASES[point["case"]],
            markersize=5, alpha=1.0 if point["contender"] == "wgpu-linear" else 0.45, markeredgewidth=1.0,
        )
    label_best(axes, points)
    legend(figure, axes, points)
    plain(axes.xaxis)
    plain(axes.yaxis)
    axes.grid(alpha=0.3)
    axes.set_title(", ".join(peaks), fontsize=10)
    figure.savefig(out, dpi=110)


def label_best(axes, points):
    """Names each shape once, at its fastest forward pass of the crate; where two would overlap, the slower stays without."""
    taken = []
    forward = [point for point in points if point["case"] == "fwd" and point["contender"] == "wgpu-linear"]
    for point in sorted(forward, key=lambda point: -point["gflops"]):
        x, y = axes.transData.transform((point["flop_per_byte"], point["gflops"]))
        if all(abs(x - other[0]) > 75 or abs(y - other[1]) > 11 for other in taken):
            taken.append((x, y))
            axes.annotate(shape(point), (point["flop_per_byte"], point["gflops"]), (6, 3), textcoords="offset points", fontsize=7)


def legend(figure, axes, points):
    cases = [case for case in CASES if any(point["case"] == case for point in points)]
    contenders = [name for name in CONTENDERS if any(point["contender"] == name for point in points)]
    handles = [Line2D([], [], color=CASES[case], marker="s", linestyle="", markersize=6, label=case) for case in cases]
    handles += [Line2D([], [], color="black", marker=CONTENDERS[name], linestyle="", markersize=5, label=name) for name in contenders]
    figure.legend(handles=handles, loc="outside right upper", fontsize=8, frameon=False)


# ---------------------------------------------------------------------- scaling


def work(line):
    """What the time should grow with: operations, or bytes where there is nothing but reading."""
    return line["m"] * line["n"] if line["case"] == "db" else line["m"] * line["k"] * line["n"]


def growth(points):
    """(smaller, larger, growth of time over growth of work) for neighbours."""
    for smaller, larger in itertools.pairwise(points):
        more_work = work(larger) / work(smaller)
        if more_work > 1:
            yield smaller, larger, larger["ms_median"] / smaller["ms_median"] / more_work


def scaling(lines, out):
    lines = [line for line in lines if line.get("sweep") and line["contender"] == "wgpu-linear"]
    if not lines:
        sys.exit("the record holds no sweep")
    figure, rows = pyplot.subplots(2, 3, figsize=(10, 5.4), layout="constrained", sharex=True, sharey="row", height_ratios=[3, 2])
    flagged = []
    for dimension, (times, ratios) in zip("mkn", rows.T):
        for case, color in CASES.items():
            points = [line for line in lines if line["sweep"] == dimension and line["case"] == case]
            points.sort(key=lambda line: line[dimension])
            times.plot([point[dimension] for point in points], [point["ms_median"] for point in points], "o-", color=color, markersize=3, linewidth=1.2, label=case if points else None)
            grown = list(growth(points))
            ratios.plot([larger[dimension] for _, larger, _ in grown], [ratio for *_, ratio in grown], "o-", color=color, markersize=3, linewidth=1.2)
            flagged += [(case, shape(a), shape(b), ratio) for a, b, ratio in grown if not ratio <= SLACK]
            for _, larger, ratio in grown:
                if not ratio <= SLACK:
                    ratios.plot(larger[dimension], ratio, "o", color="none", markeredgecolor="red", markersize=9)
        times.set(xscale="log", yscale="log", title=f"{SIZES[dimension]} doubled")
        times.title.set_fontsize(10)
        ratios.axhspan(0, SLACK, color="tab:green", alpha=0.08)
        ratios.axhline(1, color="gray", linewidth=0.8)
        ratios.set(xlabel=SIZES[dimension], ylim=(0, None))
        ratios.set_xticks([64, 256, 1024])
        plain(ratios.xaxis)
        plain(times.yaxis)
        for axes in (times, ratios):
            axes.grid(alpha=0.3)
    rows[0][0].set_ylabel("ms")
    rows[1][0].set_ylabel("growth of time\n÷ growth of work")
    handles, labels = rows[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=8, frameon=False)
    figure.suptitle(f"{lines[0]['device']}; the other two sizes are 256", fontsize=10)
    figure.savefig(out, dpi=110)
    return flagged


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", metavar="OUT.png")
    parser.add_argument("records", metavar="RECORD.jsonl", nargs="+")
    parser.add_argument("--scaling", action="store_true", help="the picture of a sweep")
    parser.add_argument("--sync", choices=["each", "end"], default="end", help="which timing to draw (default: end)")
    arguments = parser.parse_args()
    lines = read(arguments.records, arguments.sync)
    if arguments.scaling:
        lines = merged(lines)
    if not arguments.scaling:
        roofline(lines, arguments.out)
        return 0
    flagged = scaling(lines, arguments.out)
    for case, smaller, larger, ratio in flagged:
        print(f"{case} from {smaller} to {larger}: the time grew {ratio:.2f} times as fast as the work")
    return 1 if flagged else 0


if __name__ == "__main__":
    sys.exit(main())
