"""Layers whose input's shape nothing tells: what they have is unknown, never 0; --input fixes it."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.support.commands import invoke
from tests.support.frameworks import keras

KERAS = {"module": "keras", "class_name": "Sequential", "registered_name": None}


def layer(type_: str, **config: Any) -> dict[str, Any]:
    return {"module": "keras.layers", "class_name": type_, "registered_name": None, "config": config}


@pytest.fixture
def unbuilt(tmp_path: Path) -> Path:
    """What Keras saves of Sequential([Dense(4), LayerNormalization(center=False, scale=False), ReLU(), Dense(2)])
    that was never called: groups without variables."""
    layers = [
        layer("Dense", name="first", units=4),
        layer("LayerNormalization", name="norm", center=False, scale=False),
        layer("ReLU", name="relu"),
        layer("Dense", name="last", units=2),
    ]
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        for group in ("dense", "layer_normalization", "re_lu", "dense_1"):
            file.create_group(f"layers/{group}/vars")
    path = tmp_path / "unbuilt.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({**KERAS, "config": {"name": "m", "layers": layers}}))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("model.weights.h5", weights.getvalue())
    return path


def test_what_is_not_known_is_null_and_what_has_no_weights_has_0(unbuilt: Path) -> None:
    report = json.loads(invoke("summary", unbuilt, "--format", "json").output)
    counts = {row["layer"]: row["params"] for row in report["layers"]}
    assert counts == {"input_layer": 0, "first": None, "norm": 0, "relu": 0, "last": None}
    assert (report["totals"]["params"], report["totals"]["bytes"]) == (None, None)
    assert {(note["code"], note["layer"]) for note in report["notes"]} == {
        ("unknown-input", None), ("unbuilt", "first"), ("unbuilt", "last"),
    }  # fmt: skip


@pytest.mark.parametrize("command", ["summary", "weights"])
def test_input_answers_it_and_the_note_goes(unbuilt: Path, command: str) -> None:
    table = json.loads(invoke(command, unbuilt, "--input", "5", "--format", "json").output)
    assert table["totals"]["params"] == 5 * 4 + 4 + 4 * 2 + 2
    assert not [note for note in table["notes"] if note["code"] in ("unknown-input", "unbuilt")]


MISSING = {
    "Dense: 10": "784",
    "Flatten": "28, 28, 3",
    "Conv2D: {filters: 16, kernel_size: 3}": "28, 28, 3",
    "LSTM: 3": "9, 5",
    "Embedding: {input_dim: 10, output_dim: 4}": "9",
    "Reshape: {target_shape: [14, 14]}": "196",
    "TimeDistributed: {Conv2D: {filters: 2, kernel_size: 7}}": "8, 8, 8, 3",
    "Dropout: 0.5\n  - Conv3D: {filters: 2, kernel_size: 2}": "8, 8, 8, 3",
    "Sequential: [Dropout: 0.5, Conv1D: {filters: 2, kernel_size: 2}]": "9, 5",
}
"""The layers of a spec without an input → the shape that its error gives, which fits them."""


@pytest.mark.parametrize("command", ["summary", "explain", "weights", "check"])
@pytest.mark.parametrize("layers", MISSING)
def test_a_spec_without_an_input_is_at_fault(layers: str, command: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(f"layers:\n  - {layers}\n")
    found, sizes = invoke(command, path), MISSING[layers]
    option = sizes.replace(" ", "")
    words = f"the shape of the input is missing; add `input: [{sizes}]` (the sizes without the batch), or give --input"
    assert found.exit_code == 1
    if command == "check":  # a fault is a finding
        assert f"  line 2: {words} {option}\n" in found.stdout and not found.stderr
    else:
        assert found.stderr == f"layerexplain: error: {path}:2: {words} {option}\n"
    assert ("Params" in found.stdout) == (command == "summary")
    assert invoke(command, path, "--input", option).exit_code == 0
    path.write_text(f"input: [{sizes}]\nlayers:\n  - {layers}\n")
    assert invoke(command, path).exit_code == 0


@pytest.mark.parametrize("shape", ["[null]", "[null, null, 3]", "[null, 8]"])
def test_sizes_that_a_spec_leaves_open_are_no_fault(shape: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(f"input: {shape}\nlayers:\n  - Activation: relu\n")
    assert invoke("summary", path).exit_code == 0


GROUPS = {
    "first": "dense",
    "norm": "layer_normalization",
    "parts/dense": "dense_1",
    "parts/own": "own",
    "drop": "dropout",
}
"""The groups of a subclassed model → the names that Keras keeps beside them: an attribute each, `parts` a list."""


def subclassed(folder: Path, built: dict[str, tuple[int, ...]]) -> Path:
    """What Keras saves of a subclassed model whose layers in `built` alone have a kernel of that shape."""
    path = folder / "own.keras"
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        for group, name in GROUPS.items():
            variables = file.create_group(f"{group}/vars")
            variables.attrs["name"] = name
            if group in built:
                variables.create_dataset("0", shape=built[group], dtype="float32")
        file.create_group("vars").attrs["name"] = "net"
    config = {"module": None, "class_name": "Net", "registered_name": "Custom>Net", "config": {"trainable": True}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("model.weights.h5", weights.getvalue())
    return path


SUBCLASSED = {
    # Nothing is stored: that layers of unknown classes have weights cannot be ruled out; Dropout has none.
    "never built": ({}, {"dense": None, "layer_normalization": None, "dense_1": None, "own": None, "dropout": 0}),
    # One layer was never called. The others were, so that an empty group is one of a layer without weights.
    "one layer": ({"first": (7, 5)}, {"dense": 35, "layer_normalization": 0, "dense_1": None, "own": 0, "dropout": 0}),
    "all built": ({"first": (7, 5), "parts/dense": (5, 3)}, {"dense": 35, "layer_normalization": 0, "dense_1": 15, "own": 0, "dropout": 0}),
}  # fmt: skip


@pytest.mark.parametrize("name", SUBCLASSED)
def test_layers_of_a_subclassed_model_that_were_never_built(name: str, tmp_path: Path) -> None:
    built, counts = SUBCLASSED[name]
    path = subclassed(tmp_path, built)
    report = json.loads(invoke("summary", path, "--format", "json").output)
    table = json.loads(invoke("weights", path, "--format", "json").output)
    assert {row["layer"]: row["params"] for row in report["layers"]} == counts
    missing = [layer for layer, params in counts.items() if params is None]
    for found in (report, table):
        assert sorted(note["layer"] for note in found["notes"] if note["code"] == "unbuilt") == sorted(missing)
        assert "layers-from-weights" in [note["code"] for note in found["notes"]]
        assert found["totals"]["params"] == (None if missing else sum(params or 0 for params in counts.values()))
    for layer in missing:
        said = invoke("explain", path, layer).output
        assert "never built" in said and ("does not show whether" in said) == (layer == "own")


@pytest.mark.keras
def test_keras_writes_such_groups_for_a_subclassed_model(tmp_path: Path) -> None:
    class Net(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.unused = keras.layers.Dense(5, name="dense"), keras.layers.LSTM(3, name="lstm")
            self.drop = keras.layers.Dropout(0.5, name="dropout")

        def call(self, x: Any) -> Any:
            return self.drop(self.first(x))

    for called, first in ((False, None), (True, 7 * 5 + 5)):
        model, path = Net(), tmp_path / "net.keras"
        if called:
            model(np.zeros((2, 7), "float32"))
        model.save(path)
        rows = json.loads(invoke("summary", path, "--format", "json").output)["layers"]
        assert {row["layer"]: row["params"] for row in rows} == {"dense": first, "lstm": None, "dropout": 0}
