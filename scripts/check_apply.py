#!/usr/bin/env python3
"""Compares the example 04_apply with numpy in float64, on every device and in both weight layouts.

    check_apply.py PATH/TO/04_apply

Errors are measured against Σ |a||b|, as a rounding error is: a result may lose (k + 1)·2⁻²³ of it over a sum of k products.
Needs the packages `numpy` and `safetensors`.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from safetensors.numpy import load_file, save_file

SHAPES = [(1, 1, 1), (5, 3, 2), (65, 70, 3), (2, 200, 130), (0, 3, 2), (4, 0, 3)]


class Mismatch(Exception):
    """The example did not do what it should."""


def check(condition, message):
    # Not `assert`, which `python -O` drops. A comparison with NaN is false, so NaN fails.
    if not condition:
        raise Mismatch(message)


def run(example, inputs, folder, *options):
    """The tensors that 04_apply writes for `inputs`."""
    source, target = folder / "in.safetensors", folder / "out.safetensors"
    target.unlink(missing_ok=True)
    save_file({name: np.ascontiguousarray(value) for name, value in inputs.items()}, source)
    done = subprocess.run([example, source, target, *options], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"exit code {done.returncode}: {done.stderr}")
    return load_file(target)


def product(a, b):
    """a·b in float64, and the rounding error that float32 may make."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    return a @ b, (a.shape[1] + 1) * 2.0**-23 * (abs(a) @ abs(b)) + 1e-37


def expected(inputs):
    """{name: (value, allowed error)} for w given as inputs × outputs."""
    x, w = inputs["x"], inputs["w"]
    t, error = product(x, w)
    if "b" in inputs:
        t = t + inputs["b"]
        error = error + (x.shape[1] + 1) * 2.0**-23 * abs(inputs["b"])
    results = {"t": (t, error)}
    if "dt" in inputs:
        dt = inputs["dt"]
        ones = np.ones((1, x.shape[0]), np.float32)
        results["dx"] = product(dt, w.T)
        results["dw"] = product(x.T, dt)
        results["db"] = tuple(part[0] for part in product(ones, dt))
    return results


def compare(results, wanted, what):
    check(set(results) == set(wanted), f"{what}: tensors {sorted(results)}, expected {sorted(wanted)}")
    for name, (value, error) in wanted.items():
        check(results[name].dtype == np.float32, f"{what}: {name} is {results[name].dtype}")
        check(results[name].shape == value.shape, f"{what}: {name} is {results[name].shape}, not {value.shape}")
        check((abs(results[name] - value) <= error).all(), f"{what}: {name} is wrong")


def make_inputs(random, shape):
    batch, inputs, outputs = shape
    real = lambda *size: random.uniform(-1, 1, size).astype(np.float32)
    return {"x": real(batch, inputs), "w": real(inputs, outputs), "b": real(outputs), "dt": real(batch, outputs)}


def check_results(example, folder):
    random = np.random.default_rng(1)
    count = 0
    for shape in SHAPES:
        everything = make_inputs(random, shape)
        for left_out in [(), ("b",), ("dt",), ("b", "dt")]:
            inputs = {name: value for name, value in everything.items() if name not in left_out}
            wanted = expected(inputs)
            for device in ["gpu", "cpu"]:
                what = f"{shape} without {left_out} on {device}"
                compare(run(example, inputs, folder, "--device", device), wanted, what)
                transposed = {**inputs, "w": inputs["w"].T}
                results = run(example, transposed, folder, "--device", device, "--weight-layout", "out-in")
                if "dw" in results:
                    results["dw"] = results["dw"].T
                compare(results, wanted, f"{what}, out-in")
                count += 2
    return count


def check_refusal(example, inputs, folder, message):
    try:
        run(example, inputs, folder, "--device", "cpu")
    except Mismatch as error:
        check("exit code 1" in str(error) and message in str(error), f"expected {message!r}: {error}")
        check(not (folder / "out.safetensors").exists(), "an output was written all the same")
        return
    raise Mismatch(f"accepted, expected {message!r}")


def check_refusals(example, folder):
    good = make_inputs(np.random.default_rng(2), (4, 3, 2))
    for change, message in [
        ({"w": good["w"].T}, "--weight-layout"),
        ({"b": good["dt"][0][:1]}, "b has 1 elements"),
        ({"dt": good["dt"].T}, "dt is 2 × 4"),
        ({"x": good["x"].astype(np.float64)}, "F64"),
        ({"x": good["x"][0]}, "`x` has shape [3]"),
        ({"b": good["dt"]}, "`b` has shape [4, 2]"),
        ({"bias": good["b"]}, "`bias`"),
    ]:
        check_refusal(example, {**good, **change}, folder, message)
    check_refusal(example, {"x": good["x"]}, folder, "no tensor `w`")
    check_refusal(example, {"w": good["w"]}, folder, "no tensor `x`")
    done = subprocess.run([example, folder / "none", folder / "out"], capture_output=True, text=True, check=False)
    check(done.returncode == 1 and "none" in done.stderr, f"a missing file: {done.stderr}")
    (folder / "broken").write_bytes(b"\x10\0\0\0\0\0\0\0not json")
    done = subprocess.run([example, folder / "broken", folder / "out"], capture_output=True, text=True, check=False)
    check(done.returncode == 1 and "error:" in done.stderr, f"a broken file: {done.stderr}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("example", metavar="PATH/TO/04_apply")
    example = pathlib.Path(parser.parse_args().example).resolve()
    try:
        with tempfile.TemporaryDirectory() as folder:
            count = check_results(example, pathlib.Path(folder))
            check_refusals(example, pathlib.Path(folder))
    except Mismatch as mismatch:
        print(f"check_apply: {mismatch}", file=sys.stderr)
        return 1
    print(f"check_apply: {count} runs equal numpy's results within the rounding error")
    return 0


if __name__ == "__main__":
    sys.exit(main())
