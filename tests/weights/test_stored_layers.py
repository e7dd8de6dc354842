"""Layers that only a tree of weights tells of: keras-hub's backbones, subclassed models, classes inside a known graph.

The files and what Keras itself said of them when they were made are in tests/data (see make_hub_files.py there).
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from layerexplain import api
from layerexplain.frontends import read
from layerexplain.report.build import build
from layerexplain.report.data import LayerReport
from layerexplain.report.weight_table import list_weights
from tests.support.frameworks import keras
from tests.support.h5_files import array, classes, h5_bytes
from tests.support.paths import TESTS

DATA = TESTS / "data"
TRUTH = json.loads((DATA / "hub_truth.json").read_text())
GRAPHLESS = [name for name in TRUTH if name != "bert_in_functional"]


def file_of(name: str) -> Path:
    return DATA / "hub" / f"{name}.keras"


def all_rows(rows: Sequence[LayerReport]) -> Iterator[LayerReport]:
    for row in rows:
        yield row
        yield from all_rows(row.layers)


def shapes(truth: dict[str, Any]) -> Counter[tuple[int, ...]]:
    return Counter([tuple(shape) for _, shape, _, _ in truth["weights"]])


@pytest.mark.parametrize("name", TRUTH)
def test_totals_are_those_of_keras(name: str) -> None:
    truth = TRUTH[name]
    report = build(read(file_of(name)))
    assert (report.model_type, report.totals.params) == (truth["class_name"], truth["params"])
    assert report.totals.bytes == 4 * truth["params"]
    assert sum(row.params or 0 for row in report.layers) == truth["params"]
    assert Counter([w.shape for row in report.layers for w in row.weights]) == shapes(truth)
    table = list_weights(file_of(name))
    assert (table.totals.params, table.totals.bytes) == (truth["params"], 4 * truth["params"])
    assert Counter([row.shape for row in table.weights]) == shapes(truth)
    trained = name in ("bert_trained", "bert_in_functional", "subclassed_trained")
    assert {row.role for row in table.state} >= ({"optimizer"} if trained else set())
    assert "parameter" not in {row.role for row in table.state}


@pytest.mark.parametrize("name", TRUTH)
def test_each_layer_of_the_model_is_a_row_with_its_count(name: str) -> None:
    rows = build(read(file_of(name))).layers
    told = {row.layer: row.params for row in rows}
    assert len(told) == len(rows)
    for layer in TRUTH[name]["layers"]:
        assert told[layer["name"]] == layer["params"], layer
    if TRUTH[name]["class_name"] != "Subclassed":  # Keras saves what a Functional model has in the order of its layers
        assert [row for row in told if row in {layer["name"] for layer in TRUTH[name]["layers"]}] == [
            layer["name"] for layer in TRUTH[name]["layers"]
        ]


@pytest.mark.keras
def test_layers_stand_in_the_order_of_the_model_where_the_file_has_gaps(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("stored")
    class Backbone(keras.Model):  # type: ignore[misc]
        """As those of keras-hub: its own arguments make the graph, and no layer stands in its configuration."""

        def __init__(self, units: int, **more: Any) -> None:
            ids, kinds = (keras.Input((None,), dtype="int32", name=name) for name in ("ids", "kinds"))
            words = keras.layers.Embedding(29, units, name="words")(ids)
            x = keras.layers.Add(name="sum")([words, keras.layers.Embedding(2, units, name="of_kind")(kinds)])
            x = keras.layers.Dropout(0.1, name="drop")(keras.layers.LayerNormalization(name="norm")(x))
            for number in range(3):
                x = keras.layers.Dense(units, name=f"dense_{number}")(x)
                x = keras.layers.MultiHeadAttention(2, 3, name=f"attention_{number}")(x, x)
            super().__init__({"ids": ids, "kinds": kinds}, x, **more)
            self.units = units

        def get_config(self) -> dict[str, Any]:
            return {"name": self.name, "units": self.units}

    model = Backbone(5)
    path = tmp_path / "backbone.keras"
    model.save(path)
    names = [layer.name for layer in model.layers]
    assert [layer.name for layer in read(path).layers] == names
    live = read(model)
    assert (live.type, [layer.name for layer in live.layers]) == ("Functional", names)
    assert len(live.calls) >= len(names)


@pytest.mark.parametrize("name", TRUTH)
def test_each_block_has_its_layers(name: str) -> None:
    """Keras's paths of weights say how layers nest: what is inside a layer adds up to the same."""
    inside: Counter[tuple[str, str]] = Counter()
    if name == "t5":  # keras-hub names the relative biases, 32 buckets of 2 heads, without the block that they are in
        inside = Counter({(f"transformer_{part}coder_layer_0", "self_attention"): 64 for part in ("en", "de")})
    for path, shape, _, _ in TRUTH[name]["weights"]:
        parts = path.removeprefix("mine/").split("/")
        if len(parts) > 2:
            inside[parts[0], parts[1]] += math.prod(shape)
    rows = list(all_rows(build(read(file_of(name))).layers))
    told = {(row.path.split("/")[-2], row.layer): row.params for row in rows if row.depth}
    checked = [told[key] == count for key, count in inside.items() if key in told]
    assert all(checked)
    if name in ("bert", "gpt2", "llama", "t5", "whisper", "bert_trained"):
        assert len(checked) == len(inside) >= 2


@pytest.mark.parametrize("name", TRUTH)
def test_no_class_is_told_that_a_layer_is_not_of(name: str) -> None:
    """A row says `Layer` rather than a class that Keras does not find the layer to be an instance of."""
    known = TRUTH[name]["classes"]
    seen = 0
    for row in all_rows(build(read(file_of(name))).layers):
        if row.layer in known and row.type != "Layer":
            assert row.type in known[row.layer], row.path
            seen += 1
    assert seen >= 3


def test_weights_have_the_names_that_their_class_gives_them() -> None:
    """Where a name is told, it is that of Keras for an array of that shape in that layer."""
    for name in TRUTH:
        known = {(w.split("/")[-2], w.split("/")[-1], tuple(shape)) for w, shape, _, _ in TRUTH[name]["weights"]}
        layers = {(variable, shape) for _, variable, shape in known}
        told = [(row.name.split("/")[-1], row.shape) for row in list_weights(file_of(name)).weights]
        assert {pair for pair in told if not pair[0].isdecimal()} <= layers
        assert sum(not variable.isdecimal() for variable, _ in told) >= 1, name


def test_a_frozen_backbone_trains_nothing() -> None:
    truth = TRUTH["bert_in_functional"]
    report = build(read(file_of("bert_in_functional")))
    trainable = sum(math.prod(shape) for _, shape, _, trained in truth["weights"] if trained)
    assert (report.totals.trainable, truth["trainable"]) == (trainable, trainable)
    assert [(row.trainable, row.params) for row in report.layers if row.layer == "bert_backbone"] == [(0, 1438)]
    assert report.totals.macs is None  # what the backbone computes is not told


def test_what_is_known_and_what_is_not_is_said() -> None:
    report = api.explain(file_of("bert"))
    codes = [note.code for note in report.notes]
    assert codes == ["no-graph", "hyper-parameters", "layers-from-weights"]
    said = next(note.message for note in report.notes if note.code == "hyper-parameters")
    assert "BertBackbone" in said and "num_layers=2" in said and "hidden_dim=6" in said
    inside = {row.layer: row for row in all_rows(report.layers)}
    block = inside["transformer_layer_0"]
    assert block.type == "TransformerEncoder" and block.explanation is not None
    assert "7 layers" in block.explanation.sentence
    attention = inside["self_attention_layer"]
    assert attention.type == "MultiHeadAttention" and attention.explanation is not None
    weights = [(w.name, w.shape, w.factors, w.params) for w in attention.explanation.weights]
    assert ("query_dense/kernel", (6, 2, 3), "6 × 2 × 3", 36) in weights
    wrapped = api.explain(file_of("bert_in_functional"))
    row = next(row for row in wrapped.layers if row.layer == "bert_backbone")
    assert row.explanation is not None and "num_heads=2" in row.explanation.sentence
    assert row.calls[0].output_shapes == ((None, 6),)


def test_expressions_lead_through_attributes_and_names() -> None:
    reached = {row.path: row.reach for row in list_weights(file_of("subclassed")).weights}
    assert reached["/embed/vars/0"] == "model.embed.weights[0]"
    assert reached["/blocks/block/vars/0"] == 'model.get_layer("first").weights[0]'
    assert (
        reached["/blocks/block_1/attend/query_dense/vars/1"]
        == 'model.get_layer("second").attend.query_dense.weights[1]'
    )
    # The items of a list in a layer have no names to ask for.
    assert reached["/blocks/block/feed/dense/vars/0"] is None


TREE = {
    "layers/dense": [array(3, 2), array(2)],
    "layers/dense_1": [array(7)],  # no kernel has one axis
    "layers/custom_thing_2": [array(4)],
    "layers/custom_thing_2/inner": [array(5, 1), array(1)],
    "layers/lstm/cell": [array(3, 8), array(2, 8), array(8)],
    "layers/lstm": [],
    "layers/dropout/seed_generator": [array(2)],
    "layers/dropout": [],
    "blocks/conv2d": [array(3, 3, 1, 2)],
    "part": [],
    "part/layers/dense": [array(2, 2), array(2)],
    "optimizer": [array(3, 2)],
    "metrics/mean": [array(1)],
    "": [],
}


def test_a_tree_without_names_of_layers(tmp_path: Path) -> None:
    """As Keras before 3.6 wrote it."""
    path = tmp_path / "m.weights.h5"
    path.write_bytes(h5_bytes(classes(TREE)))
    rows = [(row.path, row.type, row.params, row.trainable) for row in all_rows(build(read(path)).layers)]
    assert sorted(rows) == [
        ("group conv2d", "Conv2D", 18, None),
        ("group custom_thing_2", "CustomThing", 10, None),
        ("group custom_thing_2/inner", "Layer", 6, None),
        ("group custom_thing_2/weights", "Variables", 4, None),
        ("group dense", "Dense", 8, None),
        ("group dense_1", "Layer", 7, None),
        ("group dropout", "Dropout", 0, 0),
        ("group lstm", "LSTM", 48, None),
        ("part", "Layer", 6, None),
        ("part/group dense", "Dense", 6, None),
    ]
    names = {row.path: (row.layer, row.name) for row in list_weights(path).weights}
    assert names["/layers/lstm/cell/vars/1"] == ("group lstm", "cell/recurrent_kernel")
    assert names["/layers/dense/vars/1"] == ("group dense", "bias")
    assert names["/layers/custom_thing_2/vars/0"] == ("group custom_thing_2", "0")


def test_depth_has_an_end(tmp_path: Path) -> None:
    path = tmp_path / "deep.weights.h5"
    path.write_bytes(h5_bytes(classes({"layers" + "/a" * n: [array(1)] for n in range(1, 190)})))
    assert build(read(path)).totals.params == 189
    assert list_weights(path).totals.params == 189
