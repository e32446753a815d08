#!/usr/bin/env python3
"""Draws loss and accuracy of training runs from their TensorBoard event files.

    plot_curves.py OUT.png RUN_DIR...

Each run is a thin line, their mean a thick one. Needs the packages `tensorboard` and `matplotlib`.
"""

import argparse
import statistics

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

COLORS = {"loss/train": "tab:orange", "loss/test": "tab:blue", "accuracy/test": "tab:blue"}
NAMES = {"loss/train": "training set", "loss/test": "test set", "accuracy/test": "test set"}


def read_run(folder, tags):
    """{tag: (steps, values)} of one run."""
    events = EventAccumulator(folder, size_guidance={"scalars": 0})
    events.Reload()
    return {tag: zip(*[(point.step, point.value) for point in events.Scalars(tag)]) for tag in tags}


def draw(axes, runs, tag):
    for steps, values in runs:
        axes.plot(steps, values, color=COLORS[tag], linewidth=0.6, alpha=0.4)
    steps = runs[0][0]
    means = [statistics.fmean(column) for column in zip(*(values for _, values in runs))]
    axes.plot(steps, means, color=COLORS[tag], linewidth=1.8, label=f"{NAMES[tag]}, mean of {len(runs)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", metavar="OUT.png")
    parser.add_argument("runs", metavar="RUN_DIR", nargs="+")
    arguments = parser.parse_args()
    read = [{tag: tuple(curve) for tag, curve in read_run(run, COLORS).items()} for run in arguments.runs]

    figure, (loss, accuracy) = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    for tag in ["loss/train", "loss/test"]:
        draw(loss, [run[tag] for run in read], tag)
    draw(accuracy, [run["accuracy/test"] for run in read], "accuracy/test")
    loss.set(title="cross-entropy", xlabel="step", yscale="log")
    accuracy.set(title="accuracy", xlabel="step", ylim=(0.9, 1.0))
    accuracy.axhline(0.976, color="gray", linewidth=0.8, linestyle="--", label="scikit-learn's MLPClassifier, mean of 5")
    for axes in (loss, accuracy):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.savefig(arguments.out, dpi=110)


if __name__ == "__main__":
    main()
