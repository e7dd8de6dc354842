"""Where the arrays of a file belong when a model holds models, is frozen in part, or comes from another framework."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from layerexplain.attribute_path import LayerNamed
from layerexplain.errors import SourceError
from layerexplain.frontends import read
from layerexplain.frontends.keras.weight_files import open_weights
from layerexplain.model import SharedObject
from layerexplain.network.trace import trace_model
from layerexplain.report.weight_table import list_weights
from layerexplain.weights.match import match
from layerexplain.weights.stored_weights import stored_weights
from tests.support.h5_files import archive, array, classes, h5_bytes, legacy

Json = dict[str, Any]


def layer(type_: str, name: str, **config: Any) -> Json:
    """A layer of config.json, as Keras 3 writes it."""
    module = config.pop("module", "keras.layers")
    registered = f"{module}>{type_}" if module == "mine" else None
    return {
        "module": module, "class_name": type_, "config": {"name": name, **config}, "registered_name": registered,
    }  # fmt: skip


def sequential(name: str, *layers: Json, shape: list[int | None] | None = None, **config: Any) -> Json:
    first = [layer("InputLayer", f"{name}_in", batch_shape=shape)] if shape is not None else []
    return layer("Sequential", name, module="keras", layers=[*first, *layers], **config)


def in_archive(path: Path, model: Json, tensors: Mapping[str, Any]) -> Path:
    members = {"config.json": json.dumps(model).encode(), "model.weights.h5": h5_bytes(classes(tensors))}
    return archive(path / "m.keras", members)


def in_h5(path: Path, model: Json, layers: Mapping[str, Mapping[str, Any]], version: str | None = "2.9.0") -> Path:
    def fill(root: h5py.File) -> None:
        legacy(layers, "model_weights", version)(root)
        root.attrs["model_config"] = json.dumps(model)

    (path / "m.h5").write_bytes(h5_bytes(fill))
    return path / "m.h5"


def values(path: Path, where: str) -> list[Any]:
    """The values of a layer, from the file of its model."""
    with open_weights(path) as stored:
        return match(trace_model(read(path)), stored).values(where)


def test_a_model_inside_a_wrapper_has_groups_of_its_own(tmp_path: Path) -> None:
    inner = sequential("inner", layer("Dense", "a", units=2), layer("Dense", "b", units=2), shape=[None, 3])
    model = sequential("m", layer("TimeDistributed", "each", layer=inner), shape=[None, 4, 3])
    group = "layers/time_distributed/layer/layers"
    first, second = [array(3, 2), array(2, start=20)], [array(2, 2, start=40), array(2, start=60)]
    path = in_archive(tmp_path, model, {f"{group}/dense": first, f"{group}/dense_1": second})
    for found, wanted in zip(values(path, "each"), [*first, *second], strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert list_weights(path).notes == ()


def test_a_file_without_a_weight_has_no_values(tmp_path: Path) -> None:
    model = sequential("m", layer("Dense", "d", units=2), shape=[None, 3])
    path = in_archive(tmp_path, model, {"layers/dense": []})
    with pytest.raises(SourceError, match="does not contain the weight 'kernel' of the layer 'd'"):
        values(path, "d")


def test_a_layer_without_a_formula_has_the_values_as_they_lie(tmp_path: Path) -> None:
    model = sequential("m", layer("Mine", "x", module="mine"), shape=[None, 3])
    own = array(4, 3, 2)
    (found,) = values(in_archive(tmp_path, model, {"layers/mine": [own]}), "x")
    np.testing.assert_array_equal(found, own)


def test_a_layer_without_a_formula_of_which_a_legacy_file_lists_nothing_has_no_weights(tmp_path: Path) -> None:
    model = sequential("m", layer("A", "a", module="mine"), layer("B", "b", module="mine"), shape=[None, 3])
    path = in_h5(tmp_path, model, {"a": {"a/w:0": array(5)}, "b": {}})
    found = stored_weights(trace_model(read(path))).variables
    assert {where: [one.shape for one in own] for where, own in found.items()} == {"a": [(5,)], "b": []}


def test_weights_that_take_too_long_to_list_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("layerexplain.weights.stored_weights._PATIENCE", 0)  # seconds of the processor's time
    path = in_archive(tmp_path, sequential("m", layer("Mine", "x", module="mine"), shape=[None, 3]), {})
    (note,) = stored_weights(trace_model(read(path))).notes
    assert note.code == "weights-unreadable" and note.message.endswith("listing them takes too long")


def test_arrays_that_a_nested_model_has_beside_its_weights_are_no_weights(tmp_path: Path) -> None:
    inside = [layer("Dense", "d", units=2), layer("A", "a", module="mine"), layer("B", "b", module="mine")]
    model = sequential("m", sequential("n", *inside, shape=[None, 3]), shape=[None, 3])
    own = {"d/kernel:0": array(3, 2), "d/bias:0": array(2), "a/w:0": array(5), "other/count:0": array(7)}
    table = list_weights(in_h5(tmp_path, model, {"n": own}))
    assert [(row.layer, row.size) for row in table.weights] == [("n/d", 6), ("n/d", 2), ("n/a", 5)]
    assert [(row.path, row.size) for row in table.state] == [("/model_weights/n/other/count:0", 7)]
    assert "weight-unclaimed" not in [note.code for note in table.notes]


@pytest.mark.parametrize(
    ("model_config", "own", "trainable"),
    [({}, {}, None), ({}, {"trainable": False}, False), ({"trainable": False}, {}, None)],
)
def test_what_is_frozen_is_not_trained(model_config: Json, own: Json, trainable: bool | None, tmp_path: Path) -> None:
    """The flag of a model around it freezes nothing where Keras 3 loads a file (test_trainable_flags compares that)."""
    held = sequential("n", layer("Mine", "x", module="mine", **own), **model_config)
    model = sequential("m", layer("Dense", "d", units=2), held, shape=[None, 3])
    tensors = {"layers/dense": [array(3, 2), array(2)], "layers/sequential/layers/mine": [array(5)]}
    rows = {row.layer: row.trainable for row in list_weights(in_archive(tmp_path, model, tensors)).weights}
    assert rows == {"d": True, "n/x": trainable}


@pytest.mark.parametrize(("version", "kernel"), [("2.13.0", 40), ("3.0.0", 80)])
def test_keras_2_does_not_count_a_layer_that_it_has_stored_before(version: str, kernel: int, tmp_path: Path) -> None:
    first, second = (layer("Dense", name, units=3) for name in "de")
    model = sequential("m", sequential("n", first), sequential("o", first, second), shape=[None, 3])
    own = [array(3, 3), array(3)]
    tensors = {
        "layers/sequential/layers/dense": own,
        "layers/sequential_1/layers/dense": [array(3, 3, start=40), array(3)],
        "layers/sequential_1/layers/dense_1": [array(3, 3, start=80), array(3)],
    }
    path = in_archive(tmp_path, model, tensors)
    d, again = ((LayerNamed(name), LayerNamed("d")) for name in "no")
    told = read(path)._replace(shared=(SharedObject(again, (d,)),), keras_version=version)
    with open_weights(path) as stored:
        assert match(trace_model(told), stored).values("o/e")[0][0, 0] == kernel


@pytest.mark.parametrize(("stored", "codes"), [([], ["unbuilt"]), ([array(3, 2), array(2)], [])])
def test_a_layer_whose_weights_are_stored_was_built(stored: list[Any], codes: list[str], tmp_path: Path) -> None:
    model = sequential("m", layer("Dense", "d", units=2))  # without the shape of an input
    notes = list_weights(in_archive(tmp_path, model, {"layers/dense": stored, "layers/other": [array(1)]})).notes
    assert [note.code for note in notes if note.layer == "d" and note.code == "unbuilt"] == codes


# Keras 1 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "shape", "axes"),
    [
        # What Keras 2 does to them when it loads them: keras/engine/topology.py, preprocess_weights_for_loading.
        ({"dim_ordering": "th"}, (5, 4, 3, 2), (2, 3, 1, 0)),
        ({"dim_ordering": "tf"}, (3, 2, 4, 5), (0, 1, 2, 3)),
    ],
)
def test_kernels_of_keras_1_are_turned_to_todays_order(
    arguments: Json, shape: tuple[int, ...], axes: tuple[int, ...], tmp_path: Path
) -> None:
    inputs = [None, 4, 8, 8] if arguments["dim_ordering"] == "th" else [None, 8, 8, 4]
    config = {"name": "c", "nb_filter": 5, "nb_row": 3, "nb_col": 2, "batch_input_shape": inputs, **arguments}
    model = {"class_name": "Sequential", "config": [{"class_name": "Convolution2D", "config": config}]}
    kernel, bias = array(*shape), array(5)
    path = in_h5(tmp_path, model, {"c": {"c_W": kernel, "c_b": bias}}, None)
    found = values(path, "c")
    np.testing.assert_array_equal(found[0], kernel.transpose(axes))
    np.testing.assert_array_equal(found[1], bias)


def test_a_kernel_of_keras_1_with_too_few_axes_is_told(tmp_path: Path) -> None:
    config = {"name": "c", "nb_filter": 5, "nb_row": 3, "nb_col": 2, "batch_input_shape": [None, 4, 8, 8],
              "dim_ordering": "th"}  # fmt: skip
    model = {"class_name": "Sequential", "config": [{"class_name": "Convolution2D", "config": config}]}
    path = in_h5(tmp_path, model, {"c": {"c_W": array(5, 4), "c_b": array(5)}}, None)
    with pytest.raises(SourceError, match=r"'kernel' of the layer 'c' as \(5, 4\); its formula needs \(3, 2, 4, 5\)"):
        values(path, "c")


# Live models: what stands for them has what they have ------------------------------------------------------------------


INNER, OUTER = LayerNamed("inner"), LayerNamed("outer")
