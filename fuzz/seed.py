#!/usr/bin/env python3
"""Makes the seeds of the targets, seeds/TARGET: small files of each kind, as others write them.

    seed.py

Needs numpy and pyarrow; networks are those of tests/data. Others stay: `npz/many-claimed` was found
by a run, an archive that claims 26,112 entries.
"""

import io
import json
import pathlib
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent
MOST_BYTES = 3000


def put(target, name, data):
    folder = HERE / "seeds" / target
    folder.mkdir(parents=True, exist_ok=True)
    data = data.encode() if isinstance(data, str) else data
    (folder / name).write_bytes(data[:MOST_BYTES])


def text():
    iris = (ROOT / "data/iris.csv").read_text().splitlines()
    put("text", "iris", "\n".join(iris[:8] + iris[60:64] + iris[-4:]) + "\n")
    put("text", "german", "name;wert;klasse\nä;1,5;x\nb;-2,25e3;y\nc;;x\n")
    put("text", "quoted", 'a,b,target\r\n"x, ""y""",1,2\r\n"two\nlines",?,3\r\n')
    put("text", "tabs", "1\t2\t0\n3\tNA\t1\n")
    put("text", "bar", "\ufeffx|y|label\n1|2|a\n3|4|b\n")
    put("csv", "digits", "0.5,1,7\n2,3,0\n-1e-3,inf,4\n")
    put("csv", "quoted", '"1","2",3\n')


def npy(array, **options):
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(array), **options)
    return out.getvalue()


def idx(array, kind):
    array = np.asarray(array)
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, kind, array.ndim]) + sizes + array.tobytes()


def arrays():
    two = struct.Struct("<H").pack
    x = np.arange(12, dtype="<f4").reshape(4, 3)
    labels = np.array([0, 1, 1, 0], dtype="u1")
    kinds = ["<f8", ">f4", "<i2", "u1", "|b1", "<f2", "<i8"]
    for kind in kinds:
        put("arrays", kind.strip("<>|"), two(0xFFFF) + npy(x.astype(kind)))
    put("arrays", "fortran", two(0xFFFF) + npy(np.asfortranarray(x)))
    put("arrays", "version2", two(0xFFFF) + npy(x, version=(2, 0)))
    images = npy(x)
    put("arrays", "labels", two(len(images)) + images + npy(labels))
    images = idx(np.arange(16, dtype="u1").reshape(4, 2, 2), 8)
    put("arrays", "idx", two(len(images)) + images + idx(labels, 8))
    put("arrays", "idx-floats", two(0xFFFF) + idx(x.astype(">f4"), 13))
    for name, save in [("stored", np.savez), ("deflated", np.savez_compressed)]:
        out = io.BytesIO()
        save(out, x=x, y=labels)
        put("npz", name, out.getvalue())


def parquet():
    table = pa.table(
        {
            "x": [1.5, None, -2.0, 4.0],
            "size": pa.array([1, 2, 3, 4], pa.int32()),
            "kind": ["a", "b", None, "a"],
            "flag": [True, False, True, True],
        }
    )
    for name, options in [
        ("plain", {"compression": "NONE", "use_dictionary": False}),
        ("snappy", {"compression": "SNAPPY"}),
        ("gzip", {"compression": "GZIP", "data_page_version": "2.0"}),
    ]:
        out = io.BytesIO()
        pq.write_table(table.drop(["x"]), out, store_schema=False, write_statistics=False, **options)
        put("parquet", name, out.getvalue())


def safetensors(tensors, metadata=None):
    head, data = {}, b""
    if metadata:
        head["__metadata__"] = metadata
    for name, (kind, array) in tensors.items():
        end = len(data) + array.nbytes
        head[name] = {"dtype": kind, "shape": array.shape, "data_offsets": [len(data), end]}
        data += array.tobytes()
    head = json.dumps(head).encode()
    head += b" " * (-len(head) % 8)
    return struct.pack("<Q", len(head)) + head + data


def layers(prefix=""):
    numbers = np.arange(1, 99, dtype="<f4") / 8
    shapes = {"layer1/w": (2, 3), "layer1/b": (3,), "layer2/w": (3, 2), "layer2/b": (2,)}
    return {prefix + name: ("F32", numbers[: np.prod(s)].reshape(s)) for name, s in shapes.items()}


def networks():
    w, b = np.ones((3, 2), "<f4"), np.ones(3, "<f4")
    half = w.astype("<f2").T.copy()
    plain = {"0.weight": ("F32", w), "0.bias": ("F32", b), "2.weight": ("F16", half)}
    put("safetensors", "plain", safetensors(plain))
    training = dict(plain)
    for layer in ["0.weight", "0.bias"]:
        array = plain[layer][1]
        training[f"optimizer.{layer}.exp_avg"] = ("F32", array)
        training[f"optimizer.{layer}.exp_avg_sq"] = ("F32", array)
    training["optimizer.step"] = ("F32", np.array([3], "<f4"))
    put("safetensors", "training", safetensors(training))
    put("safetensors", "names", safetensors({"fc1.weight": ("F64", w.astype("<f8")), **plain}))
    for file in (ROOT / "tests/data").glob("*.safetensors"):
        if file.stat().st_size <= MOST_BYTES:
            put("safetensors", file.stem, file.read_bytes())
    for file in (ROOT / "tests/data").glob("*.onnx"):
        put("onnx", file.stem, file.read_bytes())


def checkpoints():
    config = {"layer_sizes": [2, 3, 2], "activation": {"leaky_relu": {"slope": 0.25}}, "seed": 4}
    progress = {
        "epochs_done": 1, "batches_done": 2, "step": 9, "seed": 1, "batch": 4, "epochs": 3,
        "examples": 12, "base_learning_rate": "0.001", "best_loss": "NaN",
        "stopping": {"metric": "loss", "waited": 1,
                     "best": {"epoch": 1, "loss": "0.5", "metrics": [["accuracy", "1"]]}},
    }  # fmt: skip
    state = {"moments": ["m", "v"], "scalars": ["corrections"], "batches": 9}
    whole = {"config": config, "state": state, "progress": progress, "extra": {"note": "x"}}
    corrections = {"scalars/corrections": ("F32", np.ones(2, "<f4"))}
    tensors = layers() | layers("moments/m/") | layers("moments/v/") | layers("best/") | corrections
    for name, contents in [("plain", {"config": config}), ("whole", whole)]:
        head = {"format": "wgpu-linear checkpoint", "version": 1, "crc32c": "0", "contents": contents}
        data = layers() if name == "plain" else tensors
        put("checkpoint", name, safetensors(data, {"wgpu-linear": json.dumps(head)}))


def settings():
    put("toml", "whole", """\
[data]
path = "iris.csv"
separator = ";"
header = "yes"
target = ["species"]
impute = true
[split]
test-fraction = 0.2
[network]
hidden = ["64", "32"]
activation = "leaky-relu:0.1"
[training]
epochs = 100
learning-rate = 1e-3
optimizer = "adam"
schedule = "cosine:0.01"
seed = 7
clip-norm = inf
[run]
device = "cpu"
report = false
""")
    put("toml", "strange", 'data = {path = \'x\', target = ["a\\u00e4"]}\nsplit.test-every = 0x10\n')
    line = ["0.1.0", "", "0x0000", "0x0000", "Noop", "", "", "conditions"]
    line += ["Forward", "64", "784", "128", "tiled_64", "1000", "2000", "0"]
    put("tune_cache", "plain", "wgpu-linear tuned plans, format 1\n" + "\t".join(line) + "\n")
    put("tune_cache", "cut", "wgpu-linear tuned pl")


def main():
    for make in [text, arrays, parquet, networks, checkpoints, settings]:
        make()


if __name__ == "__main__":
    main()
