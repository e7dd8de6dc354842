"""Weights whose values lie in files beside the model: those of SavedModels and of TensorFlow.js. What is written here by
hand is the oracle; tests/conversions/test_carried.py has the files that Keras itself wrote."""

import itertools
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerexplain
from layerexplain.errors import LayerExplainError
from layerexplain.frontends.keras.weight_files import open_weights
from tests.support.checkpoints import entry, table, write_checkpoint
from tests.support.saved_models import keras_metadata_pb

KERNEL = np.linspace(0.1, 0.9, 15, dtype=np.float32).reshape(5, 3)
BIAS = np.array([0.25, -0.5, 0.75], np.float32)
VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


def dense_config(name: str, units: int) -> dict[str, Any]:
    return {"class_name": "Dense", "config": {"name": name, "units": units}}


def topology(*units: int) -> dict[str, Any]:
    first = {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 5], "name": "x"}}
    layers = [first, *[dense_config(f"d{n}", size) for n, size in enumerate(units, 1)]]
    return {"class_name": "Sequential", "config": {"name": "net", "layers": layers}}


@pytest.fixture
def saved_model(tmp_path: Path) -> Path:
    """A SavedModel of one Dense, whose checkpoint lists its bias before its kernel, with an optimizer beside it."""
    folder = tmp_path / "saved"
    write_checkpoint(
        folder / "variables",
        {f"layer_with_weights-0/bias{VALUE}": BIAS, f"layer_with_weights-0/kernel{VALUE}": KERNEL,
         f"optimizer/iter{VALUE}": np.array(7, np.int64), f"layer_with_weights-0/kernel/.OPTIMIZER_SLOT/optimizer/m{VALUE}": KERNEL,
         f"keras_api/metrics/0/total{VALUE}": np.float32(2)},
        [({"layer-0": 1, "optimizer": 5}, "", ""), ({"variables": 2, "bias": 4, "kernel": 3}, "", ""), ({"0": 3, "1": 4}, "", ""),
         ({}, "d1/kernel", f"layer_with_weights-0/kernel{VALUE}"), ({}, "d1/bias", f"layer_with_weights-0/bias{VALUE}"),
         ({"iter": 6}, "", ""), ({}, "iter", f"optimizer/iter{VALUE}")],
    )  # fmt: skip
    root = {"name": "net", "class_name": "Sequential", "config": topology(3)["config"], "keras_version": "2.9.0"}
    layer = {"name": "d1", "class_name": "Dense", "config": {"name": "d1", "units": 3}}
    nodes = [("root", "_tf_keras_sequential", root), ("root.layer-0", "_tf_keras_layer", layer)]
    (folder / "keras_metadata.pb").write_bytes(keras_metadata_pb(nodes))
    return folder


def write_tfjs(folder: Path, groups: list[dict[str, Any]], files: dict[str, bytes], model: Any = None) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    document = {
        "format": "layers-model",
        "modelTopology": {"model_config": model or topology(3)},
        "weightsManifest": groups,
    }
    (folder / "model.json").write_text(json.dumps(document))
    return folder / "model.json"


def weight(name: str, shape: list[int], dtype: str = "float32", **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": shape, "dtype": dtype, **more}


DATA = KERNEL.tobytes() + BIAS.tobytes()
WHOLE = {"paths": ["a.bin"], "weights": [weight("d1/kernel", [5, 3]), weight("d1/bias", [3])]}


def values(source: Path) -> dict[str, Any]:
    with open_weights(source) as stored:
        assert stored is not None
        return {"/".join(one.parts): stored.read(one) for one in stored.parameters}


def test_a_saved_model_has_its_weights_in_the_order_of_its_layers(saved_model: Path) -> None:
    found = values(saved_model)
    assert list(found) == ["d1/d1/kernel", "d1/d1/bias"]
    assert (found["d1/d1/kernel"] == KERNEL).all() and (found["d1/d1/bias"] == BIAS).all()
    listed = layerexplain.list_weights(saved_model)
    assert [(row.layer, row.name, row.shape) for row in listed.weights] == [
        ("d1", "kernel", (5, 3)),
        ("d1", "bias", (3,)),
    ]
    assert {one.role for one in listed.state} == {"optimizer", "metric"} and listed.notes == ()


@pytest.mark.parametrize("shards", [1, 3, 7, 41])
def test_a_weight_of_tensorflow_js_may_lie_in_several_files(shards: int, tmp_path: Path) -> None:
    cuts = [len(DATA) * n // shards for n in range(shards + 1)]
    files = {f"s{n}.bin": DATA[start:end] for n, (start, end) in enumerate(itertools.pairwise(cuts))}
    found = values(write_tfjs(tmp_path / "m", [{**WHOLE, "paths": [*files]}], files))
    assert list(found) == ["d1/d1/kernel", "d1/d1/bias"] and (found["d1/d1/kernel"] == KERNEL).all()
    assert (found["d1/d1/bias"] == BIAS).all()


@pytest.mark.parametrize(("dtype", "scale", "least", "near"), [("uint8", 0.004, 0.1, 0.0021), ("uint16", 1.5e-5, 0.1, 8e-6), ("float16", None, None, 5e-4)])  # fmt: skip
def test_weights_that_were_made_smaller(dtype: str, scale: Any, least: Any, near: float, tmp_path: Path) -> None:
    told = {"dtype": dtype, **({"scale": scale, "min": least} if scale else {})}
    stored = np.round((KERNEL - least) / scale).astype(dtype) if scale else KERNEL.astype(dtype)
    group = {"paths": ["a.bin"], "weights": [weight("d1/kernel", [5, 3], quantization=told)]}
    found = values(write_tfjs(tmp_path / "m", [group], {"a.bin": stored.tobytes()}))["d1/d1/kernel"]
    assert found.dtype == np.float32 and abs(found - KERNEL).max() < near
    exactly = [[int(n) * scale + least for n in row] for row in stored] if scale else stored.astype(float)
    assert abs(found - np.array(exactly)).max() < 1e-7


def test_values_are_compared_checked_and_run(saved_model: Path, tmp_path: Path) -> None:
    javascript = write_tfjs(tmp_path / "m", [WHOLE], {"a.bin": DATA})
    assert layerexplain.diff(saved_model, javascript, weights=True).alike
    broken = KERNEL.copy()
    broken[2, 1] = np.nan
    other = write_tfjs(tmp_path / "n", [WHOLE], {"a.bin": broken.tobytes() + BIAS.tobytes()})
    assert [one.layer for one in layerexplain.diff(saved_model, other, weights=True).changes] == ["d1"]
    assert [one.code for one in layerexplain.check(other, weights=True, select=["weights-not-finite"]).findings]
    ran = layerexplain.trace(saved_model, inputs={"x": np.ones((1, 5), np.float32)})
    assert abs(np.asarray(ran.outputs[0]) - (KERNEL.sum(axis=0) + BIAS)).max() < 1e-6


Break = Callable[[Path], object]
REFUSED: dict[str, tuple[Break, str]] = {
    "the files of values are gone": (lambda at: os.remove(at / "variables.data-00000-of-00001"), "that file is not in its directory"),
    "a link": (lambda at: (os.rename(at / "variables.data-00000-of-00001", at / "x"), os.symlink(at / "x", at / "variables.data-00000-of-00001")), "that file is not in its directory"),
    "cut off": (lambda at: (at / "variables.index").write_bytes((at / "variables.index").read_bytes()[:-9]), "is not a TensorFlow table"),
    "no table": (lambda at: (at / "variables.index").write_bytes(b""), "is not a TensorFlow table"),
    "values cut off": (lambda at: (at / "variables.data-00000-of-00001").write_bytes(b"1234"), "was the checkpoint copied whole"),
    "compressed": (lambda at: (at / "variables.index").write_bytes(table({"a": b"b"}, compressed=True)), "is compressed"),
    "a shape below 0": (lambda at: (at / "variables.index").write_bytes(table({"a": entry("float32", (None,), 0, 4)})), "has an impossible shape"),  # type: ignore[arg-type]
    "a place far away": (lambda at: (at / "variables.index").write_bytes(table({"a": entry("float32", (1,), 1 << 62, 4)})), "was the checkpoint copied whole"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_damaged_checkpoint_is_refused(name: str, saved_model: Path) -> None:
    damage, said = REFUSED[name]
    damage(saved_model / "variables")
    with pytest.raises(LayerExplainError, match=said):
        values(saved_model)


TFJS_REFUSED: dict[str, tuple[Any, str]] = {
    "a way out": ({**WHOLE, "paths": ["../a.bin"]}, "only files beside it are read"),
    "an absolute path": ({**WHOLE, "paths": ["/etc/passwd"]}, "only files beside it are read"),
    "hidden": ({**WHOLE, "paths": [".a"]}, "only files beside it are read"),
    "no such file": ({**WHOLE, "paths": ["b.bin"]}, "that file is not in its directory"),
    "a link": ({**WHOLE, "paths": ["link.bin"]}, "that file is not in its directory"),
    "too short": ({**WHOLE, "weights": [weight("d1/kernel", [500, 3])]}, "is cut off in the weight files"),
    "absurdly large": ({**WHOLE, "weights": [weight("d1/kernel", [10**15, 10**15])]}, "is cut off in the weight files"),
    "below 0": ({**WHOLE, "weights": [weight("d1/kernel", [-5, 3])]}, "sizes are whole numbers"),
    "texts": ({**WHOLE, "weights": [weight("d1/kernel", [5], "string")]}, "states the dtype string"),
    "twice": ({**WHOLE, "weights": [weight("d1/bias", [3]), weight("d1/bias", [3])]}, "twice"),
    "no name": ({**WHOLE, "weights": [{"shape": [3], "dtype": "float32"}]}, "no name or no shape"),
    "no group": (3, "groups are not of paths and weights"),
}  # fmt: skip


@pytest.mark.parametrize("name", TFJS_REFUSED)
def test_a_damaged_manifest_is_refused(name: str, tmp_path: Path) -> None:
    group, said = TFJS_REFUSED[name]
    path = write_tfjs(tmp_path / "m", [group], {"a.bin": DATA})
    os.symlink(tmp_path / "m" / "a.bin", tmp_path / "m" / "link.bin")
    with pytest.raises(LayerExplainError, match=said):
        values(path)


def test_what_is_damaged_anywhere_ends_in_words(saved_model: Path) -> None:
    """Every cut of the table, and bytes changed at random."""
    index = saved_model / "variables" / "variables.index"
    data = index.read_bytes()
    rng = random.Random(5)
    damaged = [data[:n] for n in range(0, len(data), 5)]
    for _ in range(300):
        changed = bytearray(data)
        for _ in range(rng.randint(1, 3)):
            changed[rng.randrange(len(data))] = rng.randrange(256)
        damaged.append(bytes(changed))
    refused = 0
    for one in damaged:
        index.write_bytes(one)
        try:
            values(saved_model)
        except LayerExplainError:
            refused += 1
    assert refused > len(damaged) // 3
