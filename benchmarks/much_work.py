"""Measures what files that are small and ask for much work cost each command: the table of docs/safety.md.

    python benchmarks/much_work.py            # all; eight minutes
    python benchmarks/much_work.py inputs     # the rows whose name has this word

Prints seconds of processor time, and the largest memory of each row in MiB. docs/safety.md promises 10 s and 1 GiB.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from processes import layerexplain, run

# Each command, with the options that it takes for its output.
OPTIONS: dict[str, Callable[[str], list[str]]] = {
    **{command: lambda _: [] for command in ("summary", "explain", "weights", "check")},
    "draw": lambda folder: ["-o", f"{folder}/model.svg"],
    "page": lambda folder: ["-o", f"{folder}/model.html"],
    "catalogue": lambda folder: ["--to", f"{folder}/models.jsonl", "--jobs", "1"],
}


def entry(name: str, **config: Any) -> dict[str, Any]:
    """A layer of a functional model in the form of Keras 2, with what it is made of."""
    type_, *sources = config.pop("of", ["InputLayer"])
    nodes = [[[source, 0, 0, {}] for source in sources]] if sources else []
    return {"class_name": type_, "name": name, "config": {"name": name, **config}, "inbound_nodes": nodes}


def model(layers: list[dict[str, Any]], output: str) -> str:
    """A functional model of these layers, as JSON."""
    inputs = [[layer["name"], 0, 0] for layer in layers if layer["class_name"] == "InputLayer"]
    config = {"name": "much", "layers": layers, "input_layers": inputs, "output_layers": [[output, 0, 0]]}
    return json.dumps({"class_name": "Functional", "keras_version": "2.15.0", "config": config})


def source(name: str = "x") -> dict[str, Any]:
    """An Input of 7 features."""
    return entry(name, batch_input_shape=[None, 7], dtype="float32")


def added(count: int) -> str:
    """An Add of as many tensors, each of a layer of its own."""
    terms = [entry(f"a{i}", of=["Activation", "x"], activation="relu") for i in range(count)]
    return model([source(), *terms, entry("y", of=["Add", *(term["name"] for term in terms)])], "y")


def dense_sums(count: int) -> str:
    """Layers that each add all before them."""
    names = ["x", "a0"]
    layers = [source(), entry("a0", of=["Activation", "x"], activation="relu")]
    for i in range(1, count):
        layers.append(entry(f"a{i}", of=["Add", *names]))
        names.append(f"a{i}")
    return model(layers, names[-1])


def inputs(count: int) -> str:
    """Inputs that are concatenated."""
    names = [f"x{i}" for i in range(count)]
    return model([*map(source, names), entry("y", of=["Concatenate", *names], axis=-1)], "y")


def cells(count: int) -> str:
    """An RNN of stacked cells."""
    stack = [{"class_name": "LSTMCell", "config": {"name": f"c{i}", "units": 3 + i}} for i in range(count)]
    held = {"class_name": "StackedRNNCells", "config": {"name": "cells", "cells": stack}}
    layers = [{"class_name": "RNN", "config": {"name": "rnn", "cell": held, "batch_input_shape": [None, 5, 7]}}]
    return json.dumps({"class_name": "Sequential", "config": {"name": "stacked", "layers": layers}})


def flattens(count: int) -> str:
    """Flatten layers in a spec, one behind the other."""
    return "input: [7, 5]\nlayers:\n" + "  - Flatten\n" * count


def few_definitions(count: int) -> str:
    """Three layers, again and again."""
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("Dense", {"units": 7}),
        ("Activation", {"activation": "relu"}),
        ("LayerNormalization", {}),
    )
    layers, before = [source()], "x"
    for i in range(count):
        type_, config = kinds[i % len(kinds)]
        layers.append(entry(f"a{i}", of=[type_, before], **config))
        before = f"a{i}"
    return model(layers, before)


def reverse(count: int) -> str:
    """Layers of which each reads the one that stands after it in the file."""
    layers = [entry(f"a{i}", of=["Activation", f"a{i + 1}"], activation="relu") for i in range(count)]
    return model([*layers, source(f"a{count}")], "a0")


def groups(path: Path) -> None:
    """40,000 groups of HDF5 with 20,000 arrays, beside a model of one layer."""
    layer = {"class_name": "Dense", "config": {"name": "dense", "units": 3, "batch_input_shape": [None, 4]}}
    config = {"class_name": "Sequential", "config": {"name": "s", "layers": [layer]}}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["keras_version"] = b"2.15.0"
        for i in range(200):
            outer = file.create_group(f"model_weights/a{i}")
            for j in range(200):
                inner = outer.create_group(f"b{j}")
                if j % 2:
                    inner.create_dataset("w", data=np.float32(1))


def written(text: str) -> Callable[[Path], object]:
    """What writes a text to a file."""
    return lambda path: path.write_text(text)


FILES: dict[str, tuple[str, Callable[[], Callable[[Path], object]]]] = {
    "an Add of 3,000 tensors of as many layers": (".json", lambda: written(added(3_000))),
    "200 layers that each add all before": (".json", lambda: written(dense_sums(200))),
    "3,000 inputs": (".json", lambda: written(inputs(3_000))),
    "30 stacked cells (60 and 300 are refused)": (".json", lambda: written(cells(30))),
    "20,000 Flatten in a spec": (".yaml", lambda: written(flattens(20_000))),
    "10,000 layers of three definitions": (".json", lambda: written(few_definitions(10_000))),
    "30,000 layers in reverse order": (".json", lambda: written(reverse(30_000))),
    "40,000 groups and 20,000 arrays in HDF5": (".h5", lambda: groups),
}


def main(words: list[str]) -> None:
    """Print the table."""
    heads = [f"`{command}`" for command in OPTIONS]
    print("| file |", " | ".join(heads), "| MiB |")
    print("| --- |" + " --- |" * (len(OPTIONS) + 1))
    with tempfile.TemporaryDirectory() as folder:
        for name, (ending, make) in FILES.items():
            if words and not any(word in name for word in words):
                continue
            path = Path(folder) / f"model{ending}"
            make()(path)
            cells, most = [], 0.0
            for command in OPTIONS:
                with tempfile.TemporaryDirectory() as made:
                    took = run(layerexplain(command, str(path), *OPTIONS[command](made)))
                cells.append(f"{took.processor:.1f}")
                most = max(most, took.mebibytes)
            path.unlink()
            print(f"| {name} |", " | ".join(cells), f"| {most:.0f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
