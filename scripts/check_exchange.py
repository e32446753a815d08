#!/usr/bin/env python3
"""Exchanges networks between this crate and PyTorch, onnxruntime and onnx. tests/suite/exchange/peers.rs runs it.

    check_exchange.py read FOLDER     loads what the crate has written there, and compares the outputs
    check_exchange.py write FOLDER    writes networks of PyTorch and onnx there, with their outputs
    check_exchange.py begin FOLDER    begins two trainings there, and says how they would go on
    check_exchange.py end FOLDER      goes on where the crate has left off
    check_exchange.py golden FOLDER   renews the files of tests/data/ that are a few of those of `write`

Needs the packages `torch`, `onnx`, `onnxruntime`, `onnxscript`, `numpy` and `safetensors`.
"""

import argparse
import itertools
import json
import pathlib
import shutil
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file, save_file
from torch import nn


class Mismatch(Exception):
    """The two do not agree."""


def check(condition, message):
    # Not `assert`, which `python -O` drops. A comparison with NaN is false, so NaN fails.
    if not condition:
        raise Mismatch(message)


def check_close(ours, theirs, bound, what):
    """|ours − theirs| within `bound` of 1 + |theirs|; the largest."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    check(ours.shape == theirs.shape, f"{what}: shapes {ours.shape} and {theirs.shape}")
    error = (abs(ours - theirs) / (1 + abs(theirs))).max()
    check(error <= bound, f"{what}: differs by {error}")
    return error


# What an optimizer remembers, to a file and back: docs/EXCHANGE.md shows these two functions.


def save_training(path, model, optimizer):
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state[parameter].items():
            if key == "step":
                tensors["optimizer.step"] = torch.as_tensor(value).long().reshape(())
            elif value is not None:
                tensors[f"optimizer.{key}.{name}"] = value.contiguous()
    save_file(tensors, path)


def load_training(path, model, optimizer):
    tensors = load_file(path)
    step = tensors.pop("optimizer.step", None)
    model.load_state_dict({name: tensor for name, tensor in tensors.items() if not name.startswith("optimizer.")})
    for name, parameter in model.named_parameters():
        state = {} if step is None else {"step": step.float()}
        for key, tensor in tensors.items():
            if key.startswith("optimizer.") and key.split(".", 2)[2] == name:
                state[key.split(".", 2)[1]] = tensor
        optimizer.state[parameter] = state


class Sine(nn.Module):
    def __init__(self, frequency):
        super().__init__()
        self.frequency = frequency

    def forward(self, t):
        return torch.sin(self.frequency * t)


def activation(name, parameter):
    simple = {
        "identity": nn.Identity,
        "relu": nn.ReLU,
        "tanh": nn.Tanh,
        "sigmoid": nn.Sigmoid,
        "gelu": nn.GELU,
        "silu": nn.SiLU,
        "softplus": nn.Softplus,
    }
    if name in simple:
        return simple[name]()
    return {"leaky_relu": nn.LeakyReLU, "sine": Sine}[name](parameter)


def sequential(sizes, function, dropout=False):
    """Linear layers with a function between them, and a dropout behind that if asked for."""
    modules = []
    for inputs, outputs in itertools.pairwise(sizes):
        modules += [nn.Linear(inputs, outputs), function, *([nn.Dropout(0.5)] if dropout else [])]
    return nn.Sequential(*modules[: -2 if dropout else -1])


class Named(nn.Module):
    """Layers under names of their own."""

    def __init__(self, sizes, function, prefixes):
        super().__init__()
        self.function, self.order = function, prefixes
        for prefix, inputs, outputs in zip(prefixes, sizes, sizes[1:], strict=False):
            self.add_module(prefix, nn.Linear(inputs, outputs))

    def forward(self, x):
        *hidden, last = [getattr(self, prefix) for prefix in self.order]
        for layer in hidden:
            x = self.function(layer(x))
        return last(x)


def read_state_dict(folder, case):
    function = activation(case["activation"], case["parameter"])
    if case["prefixes"]:
        model = Named(case["sizes"], function, case["prefixes"])
    else:
        model = sequential(case["sizes"], function, dropout=case["stride"] == 3)
    model.load_state_dict(load_file(folder / f"{case['name']}.safetensors"), strict=True)
    values = load_file(folder / f"{case['name']}.values.safetensors")
    with torch.no_grad():
        outputs = model.eval()(values["x"])
    return check_close(outputs, values["outputs"], 1e-5, f"state dict {case['name']}")


def read_onnx(folder, name):
    file = folder / f"{name}.onnx"
    onnx.checker.check_model(onnx.load(file), full_check=True)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (put, got) = (session.get_inputs()[0], session.get_outputs()[0])
    check(put.shape[0] == got.shape[0] == "batch", f"{name}: shapes {put.shape} and {got.shape}")
    values = load_file(folder / f"{name}.values.safetensors")
    x, expected = values["x"].numpy(), values["outputs"].numpy()
    check((put.shape[1], got.shape[1]) == (x.shape[1], expected.shape[1]), f"{name}: columns")
    check(session.get_modelmeta().custom_metadata_map.get("class.0") == "first", f"{name}: no names of classes")
    # Any number of rows.
    for rows in [1, len(x)]:
        error = check_close(session.run(None, {put.name: x[:rows]})[0], expected[:rows], 1e-5, f"ONNX {name}")
    return error


def read(folder):
    cases = json.loads((folder / "cases.json").read_text())
    dicts = [read_state_dict(folder, case) for case in cases["state_dicts"]]
    graphs = [read_onnx(folder, name) for name in cases["onnx"]]
    print(f"PyTorch agrees on {len(dicts)} networks within {max(dicts):.1e}")
    print(f"onnxruntime agrees on {len(graphs)} networks within {max(graphs):.1e}")


def write_torch(folder, name, model, x):
    """A state dict, and ONNX by both exporters that PyTorch has."""
    model.eval()
    with torch.no_grad():
        save_file({"x": x, "outputs": model(x)}, folder / f"{name}.values.safetensors")
    save_file(model.state_dict(), folder / f"{name}.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = ({0: torch.export.Dim("batch")},)
        torch.onnx.export(model, (x,), folder / f"{name}.dynamo.onnx", dynamo=True, external_data=False,
                          dynamic_shapes=batch, verbose=False)
        torch.onnx.export(model, (x,), folder / f"{name}.script.onnx", dynamo=False, opset_version=17,
                          dynamic_axes={"x": {0: "batch"}}, input_names=["x"], output_names=["y"])


def write_helper(folder, random):
    """What is done by hand or by other converters: MatMul and Add, a standardisation, f16 and f64, constants as nodes."""
    real = lambda *shape: random.normal(size=shape)
    tensor = lambda name, value, kind=np.float32: numpy_helper.from_array(np.asarray(value, kind), name)
    w1, b1, w2, b2 = real(4, 6), real(6), real(3, 6), real(1, 3)
    nodes = [
        helper.make_node("Mul", ["x", "factor"], ["scaled"]),
        helper.make_node("Add", ["scaled", "shift"], ["z"]),
        helper.make_node("Cast", ["w1_half"], ["w1"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["z", "w1"], ["product"]),
        helper.make_node("Constant", [], ["b1"], value=tensor("", b1)),
        helper.make_node("Add", ["b1", "product"], ["t1"]),
        helper.make_node("LeakyRelu", ["t1"], ["a1"], alpha=0.0),
        helper.make_node("Dropout", ["a1"], ["d1", "mask"]),
        helper.make_node("Gemm", ["d1", "w2", "b2"], ["t2"], transB=1, alpha=0.5, beta=2.0),
        helper.make_node("Softmax", ["t2"], ["y"], axis=1),
    ]
    initializers = [
        tensor("factor", real(4)),
        tensor("shift", real(1, 4)),
        tensor("w1_half", w1, np.float16),
        tensor("w2", w2),
        helper.make_tensor("b2", TensorProto.FLOAT, (1, 3), b2.ravel(), raw=False),
    ]
    value = lambda name, columns: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", columns])
    graph = helper.make_graph(nodes, "by_hand", [value("x", 4)], [value("y", 3)], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, folder / "by_hand.onnx")
    x = random.normal(size=(5, 4)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {"x": x})[0]
    save_file({"x": torch.from_numpy(x), "outputs": torch.from_numpy(outputs)}, folder / "by_hand.values.safetensors")


def write(folder):
    torch.manual_seed(5)
    names = []
    for name in ["identity", "relu", "leaky_relu", "tanh", "sigmoid", "gelu", "silu", "sine", "softplus"]:
        function = activation(name, 0.25 if name == "leaky_relu" else 3.0)
        write_torch(folder, name, sequential([7, 16, 8, 3], function), 3 * torch.randn(11, 7))
        names.append(name)
    layers = [nn.Flatten(), nn.Linear(7, 5, bias=False), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 3)]
    write_torch(folder, "no_bias", nn.Sequential(*layers), torch.randn(4, 7))
    write_helper(folder, np.random.default_rng(6))
    (folder / "cases.json").write_text(json.dumps([*names, "no_bias"]))
    print(f"wrote {len(names) + 2} networks")


def golden(folder):
    """A few of what `write` writes, less what the exporter says of its machine."""
    with tempfile.TemporaryDirectory() as everything:
        everything = pathlib.Path(everything)
        write(everything)
        for name in ["gelu.script", "softplus.dynamo", "silu.dynamo", "by_hand"]:
            model = onnx.load(everything / f"{name}.onnx")
            for part in [model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input,
                         *model.graph.output, *model.graph.initializer]:
                del part.metadata_props[:]
            onnx.save(model, folder / f"{name}.onnx")
        for name in ["gelu.safetensors", *(f"{name}.values.safetensors" for name in ["gelu", "softplus", "silu", "by_hand"])]:
            shutil.copyfile(everything / name, folder / name)


OPTIMIZERS = {
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=2.0**-7, weight_decay=2.0**-8),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=2.0**-7, weight_decay=0.25),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.0625, momentum=0.875),
}
TRAINED = [6, 12, 4]


def train(model, optimizer, data, steps):
    for step in steps:
        rows = slice(step % 5 * 16, step % 5 * 16 + 16)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(data["x"][rows]), data["labels"][rows].long()).backward()
        optimizer.step()


def begin(folder):
    torch.manual_seed(8)
    data = {"x": torch.randn(80, TRAINED[0]), "labels": torch.randint(TRAINED[-1], (80,), dtype=torch.int32)}
    save_file(data, folder / "data.safetensors")
    for name, make in OPTIMIZERS.items():
        model = sequential(TRAINED, nn.Tanh())
        optimizer = make(model.parameters())
        train(model, optimizer, data, range(20))
        save_training(folder / f"{name}.20.safetensors", model, optimizer)
        for steps in [40, 60]:
            train(model, optimizer, data, range(steps - 20, steps))
            save_file(model.state_dict(), folder / f"{name}.{steps}.safetensors")
    print(f"began {len(OPTIMIZERS)} trainings")


def end(folder):
    data, errors = load_file(folder / "data.safetensors"), []
    for name, make in OPTIMIZERS.items():
        model = sequential(TRAINED, nn.Tanh())
        optimizer = make(model.parameters())
        load_training(folder / f"{name}.ours.safetensors", model, optimizer)
        train(model, optimizer, data, range(40, 60))
        for key, expected in load_file(folder / f"{name}.60.safetensors").items():
            error = (model.state_dict()[key] - expected).norm() / expected.norm()
            check(error <= 1e-4, f"{name}, {key}: differs by {error}")
            errors.append(float(error))
    print(f"{len(OPTIMIZERS)} trainings went there and back within {max(errors):.1e}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["read", "write", "begin", "end", "golden"])
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        commands = {"read": read, "write": write, "begin": begin, "end": end, "golden": golden}
        commands[arguments.what](arguments.folder)
    except Mismatch as mismatch:
        print(f"check_exchange: {mismatch}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
