#!/usr/bin/env python3
"""Trains networks on raw tables with `wgpu-linear train`, and the same with scikit-learn.

    check_training.py PATH/TO/wgpu-linear [--seeds N] [--json FILE]

The tables are as a stranger has them: digits without a header, iris and breast cancer with a header and labels as text, diabetes with a header and
numbers to predict. Of each, `wgpu-linear train` makes its own split; scikit-learn gets the same rows, the same layers, batches and epochs, and
standardised inputs. The means over the seeds are compared: where classes are predicted, ours must not be more than 0.01 below. R² is printed side by
side. Needs scikit-learn, which also has the tables.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
from statistics import mean

import numpy as np
from sklearn import datasets
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

ALLOWED = 0.01
DIGITS = pathlib.Path(__file__).resolve().parent.parent / "data" / "digits.csv.gz"


def write_table(path, data, targets):
    """A table with a header, its target last."""
    names = [name.replace(" (cm)", "") for name in data.feature_names]
    with open(path, "w", encoding="utf-8") as file:
        print(",".join(f'"{name}"' for name in [*names, "target"]), file=file)
        for row, target in zip(data.data, targets, strict=True):
            print(",".join([*(repr(float(value)) for value in row), str(target)]), file=file)


def tables(folder):
    """Name, path, inputs and targets of each table, in the order of its rows."""
    digits = np.loadtxt(DIGITS, delimiter=",")
    yield "digits", DIGITS, digits[:, :-1], digits[:, -1].astype(int).astype(str)
    for name, data in [("iris", datasets.load_iris()), ("breast cancer", datasets.load_breast_cancer())]:
        labels = data.target_names[data.target]
        path = folder / f"{name.replace(' ', '_')}.csv"
        write_table(path, data, labels)
        yield name, path, data.data, labels
    diabetes = datasets.load_diabetes(scaled=False)
    path = folder / "diabetes.csv"
    write_table(path, diabetes, diabetes.target)
    yield "diabetes", path, diabetes.data, diabetes.target


def train(program, path, out, seed, options):
    """What `wgpu-linear train` says, and the rows of its test."""
    command = [program, "train", path, "--out", out, "--device", "cpu", "--seed", seed, "--split-seed", seed, "--json", "--quiet", *options]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")
    with open(out / "predictions.csv", encoding="utf-8") as file:
        rows = [int(line.split(",", 1)[0]) - 1 for line in file.readlines()[1:]]
    return json.loads(done.stdout), np.array(rows)


def settings(out):
    """Batch, epochs and hidden layers of a run, from the settings that it left."""
    import tomllib

    with open(out / "config.toml", "rb") as file:
        config = tomllib.load(file)
    training = config["training"]
    return training["batch"], training["epochs"], tuple(map(int, config["network"]["hidden"]))


def scikit(x, y, test, seed, out, is_values):
    """The score of scikit-learn on the same rows."""
    batch, epochs, hidden = settings(out)
    rest = np.setdiff1d(np.arange(len(y)), test)
    scaler = StandardScaler().fit(x[rest])
    kind = MLPRegressor if is_values else MLPClassifier
    network = kind(
        hidden_layer_sizes=hidden, batch_size=min(batch, len(rest)), max_iter=epochs, random_state=seed, n_iter_no_change=epochs, tol=0
    )
    targets = y
    if is_values:
        targets = (y - y[rest].mean()) / y[rest].std()
    network.fit(scaler.transform(x[rest]), targets[rest])
    return network.score(scaler.transform(x[test]), targets[test])


def compare(name, table, program, folder, seeds, options):
    """Means over the seeds: ours, and scikit-learn's."""
    path, x, y = table
    ours, theirs = [], []
    for seed in range(seeds):
        out = folder / f"{name.replace(' ', '_')}-{seed}{'-'.join(options)}"
        said, test = train(program, path, out, seed, options)
        is_values = y.dtype.kind == "f"
        ours.append(said["test"]["metrics"]["r2" if is_values else "accuracy"])
        theirs.append(scikit(x, y, test, seed, out, is_values))
    return mean(ours), mean(theirs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", metavar="PATH/TO/wgpu-linear")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("options", nargs="*", help="behind --: options for wgpu-linear train")
    arguments = parser.parse_args()
    failed = []
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name, *table in tables(folder):
            ours, theirs = compare(name, table, arguments.program, folder, arguments.seeds, arguments.options)
            is_values = table[2].dtype.kind == "f"
            found[name] = {"ours": ours, "scikit-learn": theirs}
            print(f"{name:<14} {'R²' if is_values else 'accuracy':<9} ours {ours:.4f}  scikit-learn {theirs:.4f}", flush=True)
            # A NaN is no success.
            if not is_values and not ours >= theirs - ALLOWED:
                failed.append(name)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if failed:
        sys.exit(f"more than {ALLOWED} below scikit-learn: {', '.join(failed)}")


if __name__ == "__main__":
    main()
