"""One object in several places: counted once, computed with everywhere, as real Keras does; hostile numbers."""

import copy
import io
import json
import zipfile
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import layerexplain
from layerexplain.attribute_path import LayerNamed, step_text
from layerexplain.frontends import read
from layerexplain.report.build import build
from layerexplain.report.data import LayerReport
from layerexplain.report.report import Report
from layerexplain.report.weight_table import list_weights
from tests.support.shared_models import MODELS, drawn_inputs, filled

KERAS = ("keras", "tf_keras")
CASES = [(keras, name) for keras in KERAS for name in MODELS]
BUILT: dict[tuple[str, str], Any] = {}

STORED_ELSEWHERE = {("tf_keras", "bidirectional_keeps_a_copy")}
"""tf_keras stores the weights of the layer beside those of the wrapper, and cannot load them again."""

NO_LEGACY_FILE = {"cell_twice_in_a_stack"}
"""Its .h5 file holds less than either Keras asks for when it loads it."""


def model_of(keras: str, name: str) -> Any:
    """The live model, built once."""
    module = pytest.importorskip(keras)
    if (keras, name) not in BUILT:
        module.backend.clear_session()
        BUILT[keras, name] = filled(MODELS[name](module))
    return BUILT[keras, name]


@pytest.fixture(scope="module", autouse=True)
def forget() -> Iterator[None]:
    yield
    BUILT.clear()


def report_of(source: Any) -> Report:
    return build(read(source))


def predicted(model: Any) -> list[Any]:
    given = drawn_inputs(model)
    made = model(list(given.values()) if len(given) > 1 else next(iter(given.values())), training=False)
    return [np.asarray(one) for one in (made if isinstance(made, list) else [made])]


def traced(source: Any, model: Any) -> list[Any]:
    given = drawn_inputs(model)
    return layerexplain.trace(source, given if len(given) > 1 else next(iter(given.values()))).outputs


def rows_add_up(rows: tuple[LayerReport, ...], params: int) -> bool:
    """Whether the rows' own parameters, and those of the rows inside nested models, add up to theirs."""
    inner = all(rows_add_up(row.layers, row.params or 0) for row in rows if row.layers)
    listed = all(sum(w.params for w in row.weights) == row.params for row in rows)
    return inner and listed and sum(row.params or 0 for row in rows) == params


# Against Keras ------------------------------------------------------------------------------------------------------


@pytest.mark.keras
@pytest.mark.parametrize(("keras", "name"), CASES)
def test_an_archive_counts_as_the_model_that_was_saved(keras: str, name: str, tmp_path: Path) -> None:
    model = model_of(keras, name)
    path = tmp_path / "m.keras"
    model.save(path)
    report = report_of(path)
    trainable = sum(prod(w.shape) for w in model.trainable_weights)
    assert (report.totals.params, report.totals.trainable) == (model.count_params(), trainable)
    assert report.totals.bytes == 4 * model.count_params()
    assert rows_add_up(report.layers, model.count_params())
    table = list_weights(path)
    assert (table.totals.params, len(table.weights)) == (model.count_params(), len(model.weights))
    if (keras, name) in STORED_ELSEWHERE:
        return
    stored = sorted(row.path or "" for row in table.weights)
    assert len(set(stored)) == len(stored) and all(stored)
    for ours, theirs in zip(traced(path, model), predicted(model), strict=True):
        assert np.allclose(ours, theirs, atol=1e-4)


@pytest.mark.keras
@pytest.mark.parametrize(("keras", "name"), CASES)
def test_each_weight_is_reached_in_keras(keras: str, name: str, tmp_path: Path) -> None:
    model = model_of(keras, name)
    path = tmp_path / "m.keras"
    model.save(path)
    table = list_weights(path)
    reached = [eval(row.reach or "", {"model": model}) for row in table.weights]
    assert len({id(variable) for variable in reached}) == len(model.weights)
    with zipfile.ZipFile(path) as archive, h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as stored:
        for row, variable in zip(table.weights, reached, strict=True):
            assert tuple(variable.shape) == row.shape
            if row.path is not None:
                assert np.array_equal(stored[row.path][()], np.asarray(variable)), row.path


@pytest.mark.keras
@pytest.mark.parametrize(("keras", "name"), CASES)
def test_a_legacy_file_counts_as_the_model_that_keras_loads(keras: str, name: str, tmp_path: Path) -> None:
    if name in NO_LEGACY_FILE:
        pytest.skip("no Keras loads the file")
    module, path = pytest.importorskip(keras), tmp_path / "m.h5"
    model = filled(MODELS[name](module))  # one that tf_keras has written so loses numbers when it is written again
    model.save(path)
    loaded = module.models.load_model(path, compile=False)
    report = report_of(path)
    assert report.totals.params == loaded.count_params()
    assert list_weights(path).totals.params == loaded.count_params()
    assert not [note for note in report.notes if note.code == "shared-weights"]
    for ours, theirs in zip(traced(path, model), predicted(loaded), strict=True):
        assert np.allclose(ours, theirs, atol=1e-4)


@pytest.mark.keras
def test_a_live_model_may_have_one_cell_twice() -> None:
    keras = pytest.importorskip("keras")
    x = keras.Input((5, 4))
    cell = keras.layers.LSTMCell(4)
    model = keras.Model(x, keras.layers.RNN([cell, cell], name="rnn")(x))
    assert [one.steps for one in read(model).shared] == [(LayerNamed("rnn"), "cell", "cells", 1)]
    assert report_of(model).totals.params == model.count_params()


@pytest.mark.keras
@pytest.mark.parametrize(("keras", "name"), CASES)
def test_a_live_model_tells_the_same(keras: str, name: str, tmp_path: Path) -> None:
    model = model_of(keras, name)
    path = tmp_path / "m.keras"
    model.save(path)
    live = report_of(model)
    assert live.totals.params == model.count_params()
    stored = report_of(path)
    assert [(row.path, row.params) for row in live.layers] == [(row.path, row.params) for row in stored.layers]
    if keras == "keras":
        for ours, theirs in zip(traced(model, model), predicted(model), strict=True):
            assert np.allclose(ours, theirs, atol=1e-4)


@pytest.mark.keras
@pytest.mark.parametrize("name", MODELS)
def test_verify_compares_the_count(name: str, tmp_path: Path) -> None:
    model = model_of("keras", name)
    path = tmp_path / "m.keras"
    model.save(path)
    for source in (path, model):
        report = layerexplain.verify(source)
        assert report.agrees, report.to_dict()
        assert report.parameters == (model.count_params(), model.count_params())
        assert report.to_dict()["parameters"] == {
            "formula": model.count_params(), "keras": model.count_params(), "agree": True,
        }  # fmt: skip


@pytest.mark.keras
def test_another_count_makes_verify_fail() -> None:
    model = model_of("keras", "layer_in_a_wrapper")
    report = layerexplain.verify(model)
    apart = report._replace(parameters=report.parameters._replace(formula=24))
    assert report.agrees and not apart.agrees


@pytest.mark.keras
@pytest.mark.parametrize(
    "name", ["siamese_sequences", "layer_in_a_wrapper", "two_wrappers", "cell_of_two", "cell_in_a_stack"]
)
def test_keras_loads_what_was_lost(name: str, tmp_path: Path) -> None:
    """With the number put in again that Keras lost, it loads the file, and counts as we did without."""
    module, model = pytest.importorskip("keras"), model_of("keras", name)
    path, mended = tmp_path / "m.keras", tmp_path / "mended.keras"
    model.save(path)
    found = read(path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(mended, "w") as new:
        document = json.loads(old.read("config.json"))
        for one in found.shared:
            number = item_at(document, step_text(one.steps))["shared_object_id"]
            item_at(document, step_text(one.same_as[0]))["shared_object_id"] = number
        for member in old.namelist():
            new.writestr(member, json.dumps(document) if member == "config.json" else old.read(member))
    loaded = module.models.load_model(mended, compile=False)
    assert loaded.count_params() == report_of(path).totals.params == report_of(mended).totals.params
    for ours, theirs in zip(traced(path, model), predicted(loaded), strict=True):
        assert np.allclose(ours, theirs, atol=1e-4)


def item_at(document: Any, where: str) -> Any:
    """The serialized object that a text such as `A/td.cell.cells[0]` leads to."""
    item = document
    for step in where.replace("/", " /").replace(".", " .").split():
        if not step.startswith("."):
            layers = item["config"]["layers"]
            item = next(one for one in layers if one["config"].get("name") == step.lstrip("/"))
            continue
        name, _, place = step[1:].partition("[")
        item = item["config"][name]
        item = item[int(place[:-1])] if place else item
    return item


# By hand ------------------------------------------------------------------------------------------------------------


def keras_object(class_name: str, number: Any = None, **config: Any) -> dict[str, Any]:
    item = {"module": "keras.layers", "class_name": class_name, "config": config, "registered_name": None}
    return item if number is None else {**item, "shared_object_id": number}


def dense(name: str, units: int = 2, number: Any = None, **config: Any) -> dict[str, Any]:
    initializers = {} if number is None else {"shared_object_id": 1}
    return keras_object(
        "Dense", number, name=name, trainable=True, units=units, **config,
        kernel_initializer={"module": "keras.initializers", "class_name": "Zeros", "config": {}, **initializers},
    )  # fmt: skip


def sequence(name: str, *layers: dict[str, Any], number: Any = None) -> dict[str, Any]:
    start = keras_object("InputLayer", batch_shape=[None, 5], dtype="float32", name="in")
    return keras_object("Sequential", number, name=name, trainable=True, layers=[start, *layers])


def archive(document: Any, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", json.dumps({**document, "module": "keras"}))
        file.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
    return path


def blocks(*layers: dict[str, Any]) -> dict[str, Any]:
    """A model in which each layer stands in a nested model of its own: A, B, C, …"""
    return sequence("m", *[sequence(chr(65 + i), layer) for i, layer in enumerate(layers)])


def test_one_of_several_is_counted_once_and_has_no_values(tmp_path: Path) -> None:
    path = archive(blocks(dense("d", 5), dense("d", 5), dense("d", 5, 7)), tmp_path / "m.keras")
    report = report_of(path)
    assert [row.params for row in report.layers] == [0, 30, 30, 0]
    assert [(note.code, note.layer, note.message) for note in report.notes] == [
        (
            "shared-weights",
            "C/d",
            "its weights are those of 'A/d' and 'B/d', counted there; the file does not say which",
        )
    ]
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        for i, group in enumerate(("sequential", "sequential_1")):
            file[f"layers/{group}/layers/dense/vars/0"] = np.full((5, 5), i, np.float32)
            file[f"layers/{group}/layers/dense/vars/1"] = np.zeros(5, np.float32)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("model.weights.h5", weights.getvalue())
    with pytest.raises(
        layerexplain.LayerExplainError, match="does not say which object stores the weight 'kernel' of the layer 'C/d'"
    ):
        layerexplain.trace(path, np.ones((1, 5), np.float32))


def test_an_object_that_says_it_holds_itself(tmp_path: Path) -> None:
    document = sequence("m", sequence("A", sequence("A", dense("d", 5, 7), number=7), number=7))
    report = report_of(archive(document, tmp_path / "m.keras"))
    assert report.totals.params == 30
    assert {note.code for note in report.notes} == {"not-shared"}


def test_many_alike_take_no_time(tmp_path: Path) -> None:
    """A thousand that may each be any of a thousand: told of three, and read in a moment."""
    layers = [dense("d", 5, 100 + i if i >= 1000 else None) for i in range(2000)]
    document = sequence("m", *[sequence(f"b{i}", layer) for i, layer in enumerate(layers)])
    model = read(archive(document, tmp_path / "m.keras"))
    assert len(model.shared) == 1000 and {len(one.same_as) for one in model.shared} == {3}


def test_drawn_weights_are_the_same_in_all_places(tmp_path: Path) -> None:
    path = archive(blocks(dense("d", 5, 7), dense("d", 5, 7)), tmp_path / "m.keras")
    x = np.ones((1, 5), np.float32)
    trace = layerexplain.trace(path, x)
    assert trace.weights == "drawn"
    again = layerexplain.trace(path, trace["A/d"])
    assert np.array_equal(trace["B/d"], again["A/d"])


def test_reading_leaves_the_document_as_it_was() -> None:
    document = blocks(dense("d", 5, 7), dense("d", 5, 7))
    before = copy.deepcopy(document)
    read(document)
    assert document == before


def test_a_layer_that_one_of_an_unknown_class_holds(tmp_path: Path) -> None:
    """What the file stores of it is counted with the first of the two."""
    wrap = {"module": "me", "class_name": "Wrap", "registered_name": "me>Wrap"}
    held = {**wrap, "config": {"name": "w", "trainable": True, "layer": dense("d", 5)}}
    outside = {**dense("d", 5, 7), "build_config": {"input_shape": [None, 5]}}
    path = archive(sequence("m", held, outside), tmp_path / "m.keras")
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/wrap/layer/vars/0"] = np.zeros((5, 5), np.float32)
        file["layers/wrap/layer/vars/1"] = np.zeros(5, np.float32)
        file.create_group("layers/dense/vars")
    with zipfile.ZipFile(path, "a") as archived:
        archived.writestr("model.weights.h5", weights.getvalue())
    report = report_of(path)
    assert {row.path: row.params for row in report.layers} == {"in": 0, "w": 30, "d": 0}
    (note,) = [note for note in report.notes if note.layer == "d"]
    assert (note.code, note.message) == ("shared-weights", "its weights are those of 'w', counted there")
    table = list_weights(path)
    assert (table.totals.params, [row.layer for row in table.weights]) == (30, ["w/layer", "w/layer"])
