"""Layers of classes that are not known, in a known graph: what the file says of them, and what is said of the rest."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from layerexplain import api
from layerexplain.frontends import read
from layerexplain.report.build import build
from layerexplain.report.data import LayerReport
from layerexplain.report.report import Report
from tests.support.frameworks import keras
from tests.support.h5_files import array, classes, h5_bytes


def custom(name: str, class_name: str, package: str, built: list[int | None] | None = None, **config: Any) -> Any:
    item = {
        "module": package,
        "class_name": class_name,
        "registered_name": f"{package}>{class_name}",
        "config": {"name": name, "trainable": True, "dtype": "float32", **config},
        "name": name,
    }
    return {**item, "build_config": {"input_shape": built}} if built is not None else item


def dense(name: str, units: int, built: list[int | None] | None = None) -> Any:
    item = custom(name, "Dense", "keras.layers", built, units=units, activation="linear", use_bias=True)
    return {**item, "registered_name": None}


def entry(shape: list[int | None]) -> Any:
    config = {"batch_shape": shape, "dtype": "float32", "name": "x"}
    return {"module": "keras.layers", "class_name": "InputLayer", "config": config, "name": "x", "inbound_nodes": []}


def fed(item: Any, source: str, shape: list[int | None]) -> Any:
    tensor = {
        "class_name": "__keras_tensor__",
        "config": {"shape": shape, "dtype": "float32", "keras_history": [source, 0, 0]},
    }
    return {**item, "inbound_nodes": [{"args": [tensor], "kwargs": {}}]}


def functional(*layers: Any) -> dict[str, Any]:
    ends = {"input_layers": [["x", 0, 0]], "output_layers": [[layers[-1]["name"], 0, 0]]}
    config = {"name": "m", "trainable": True, "layers": list(layers), **ends}
    return {"module": "keras", "class_name": "Functional", "config": config, "registered_name": "Functional"}


QUANTIZER = {"class_name": "quantized_bits", "config": {"bits": 4, "integer": 0}}
Q_DENSE = custom("q", "QDense", "qkeras", [None, 3], units=5, kernel_quantizer=QUANTIZER, activation=None)
RESIDUAL = custom("res", "Residual", "mine", [None, 5], layer=dense("inner", 5, [None, 5]), scale=0.5)

MODEL = functional(
    entry([None, 3]),
    fed(Q_DENSE, "x", [None, 3]),
    fed(RESIDUAL, "q", [None, 5]),
    fed(dense("d", 2, [None, 5]), "res", [None, 5]),
)
WEIGHTS = {
    "layers/q_dense": [array(3, 5), array(5), array(1)],
    "layers/residual": [],
    "layers/residual/layer": [array(5, 5), array(5)],
    "layers/dense": [array(5, 2), array(2)],
}
NAMES = {"layers/q_dense": "q", "layers/residual": "res", "layers/residual/layer": "inner", "layers/dense": "d"}


def saved(path: Path, document: Any, weights: dict[str, Any] = WEIGHTS) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(document))
        archive.writestr("model.weights.h5", h5_bytes(classes(weights, NAMES)))
    return path


def rows(report: Report) -> dict[str, tuple[str, Any, int | None]]:
    found: dict[str, tuple[str, Any, int | None]] = {}

    def add(row: LayerReport) -> None:
        found[row.path] = (row.type, row.calls[0].output_shapes[0] if row.calls else None, row.params)
        for inner in row.layers:
            add(inner)

    for row in report.layers:
        add(row)
    return found


def test_the_walk_goes_on_and_weights_are_counted(tmp_path: Path) -> None:
    report = build(read(saved(tmp_path / "m.keras", MODEL)))
    assert rows(report) == {
        "x": ("InputLayer", (None, 3), 0),
        "q": ("QDense", (None, 5), 21),
        "res": ("Residual", (None, 5), 30),
        "res/inner": ("Dense", (None, 5), 30),
        "d": ("Dense", (None, 2), 12),
    }
    assert (report.totals.params, report.totals.macs) == (63, None)
    notes = [(note.code, note.layer) for note in report.notes]
    assert notes == [
        ("opaque", "q"), ("opaque", "res"), ("stored-weights", "q"), ("stored-weights", "res"), ("partial-total", None)
    ]  # fmt: skip
    assert report.notes[-1].message == "MACs and FLOPs of q, res are not known; those of the others are 10 and 22"
    inner = report.layers[2].layers[0]
    assert inner.operation == "dot(x, W) + b"


def disagreeing(built: list[int | None] | None, recorded: list[int | None]) -> dict[str, Any]:
    """A Dense layer of 2 units on (None, 3), the shape that it was built for, and the recorded one of its output."""
    layer = dense("d", 2) if built is None else dense("d", 2, built)
    return functional(entry([None, 3]), fed(layer, "x", [None, 3]), fed(dense("e", 4), "d", recorded))


DISAGREE = [
    (None, [None, 7], "recorded-shape", "its output is (None, 2) by its formula; the file recorded (None, 7)"),
    ([None, 3], [None, 7], "recorded-shape", "its output is (None, 2) by its formula; the file recorded (None, 7)"),
    ([None, 3], [5, 2, 1], "recorded-shape", "its output is (None, 2) by its formula; the file recorded (None, 2, 1)"),
    ([None, 6], [None, 2], "build-shape", "its input is (None, 3) in this model; the file recorded that it was built for (None, 6)"),
    ([None, 3, 1], [None, 2], "build-shape", "its input is (None, 3) in this model; the file recorded that it was built for (None, 3, 1)"),
    ([None], [None, 2], "build-shape", "its input is (None, 3) in this model; the file recorded that it was built for (None,)"),
]  # fmt: skip


@pytest.mark.parametrize(("built", "recorded", "code", "message"), DISAGREE)
def test_recorded_shapes_are_held_against_derived_ones(
    built: list[int | None] | None, recorded: list[int | None], code: str, message: str
) -> None:
    document = disagreeing(built, recorded)
    for report in (build(read(document)), api.explain(document)):
        assert (code, "d", message) in [tuple(note) for note in report.notes]


@pytest.mark.parametrize("built", [None, [None, 3], [5, 3], [None, None]])
def test_where_recorded_shapes_agree_or_are_open_nothing_is_said(built: list[int | None] | None) -> None:
    for recorded in ([None, 2], [7, 2], [None, None]):
        assert [note.code for note in build(read(disagreeing(built, recorded))).notes] == []


def test_stored_weights_are_held_against_derived_ones(tmp_path: Path) -> None:
    document = functional(entry([None, 3]), fed(dense("d", 2, [None, 3]), "x", [None, 3]))
    right = saved(tmp_path / "right.keras", document, {"layers/dense": [array(3, 2), array(2)]})
    assert api.explain(right).notes == ()
    wrong = saved(tmp_path / "wrong.keras", document, {"layers/dense": [array(4, 2), array(2)]})
    said = [tuple(note) for note in api.explain(wrong).notes]
    assert said == [("weight-shape", "d", "kernel is stored as (4, 2); by its formula it is (3, 2)")]
    fewer = saved(tmp_path / "fewer.keras", document, {"layers/dense": [array(3, 2)]})
    assert [note.code for note in api.explain(fewer).notes] == ["weight-missing"]
    # A layer that a configuration and the weights both tell of.
    inside = saved(tmp_path / "inside.keras", MODEL, {**WEIGHTS, "layers/residual/layer": [array(5, 4), array(4)]})
    report = build(read(inside))
    assert rows(report)["res/inner"] == ("Dense", None, 24)
    assert ("weight-count", "res/inner", "by its configuration it has 30 parameters; the file stores 24") in [
        tuple(note) for note in report.notes
    ]


@pytest.mark.keras
@pytest.mark.parametrize(
    ("type_", "config", "shapes", "dtype"),
    [
        ("ContrastLimitedAdaptiveHistogramEqualization", {}, [(8, 9, 3)], "float32"),
        ("Hashing", {"num_bins": 7}, [(3,)], "int32"),
        ("Hashing", {"num_bins": 7, "output_mode": "one_hot"}, [(1,)], "int32"),
        ("StringLookup", {"vocabulary": ["a", "b"]}, [(3,)], "string"),
        ("TextVectorization", {"vocabulary": ["a", "b"], "output_sequence_length": 7}, [(1,)], "string"),
        ("TextVectorization", {"vocabulary": ["a", "b"]}, [(1,)], "string"),
        ("HashedCrossing", {"num_bins": 5}, [(1,), (1,)], "int32"),
        ("HashedCrossing", {"num_bins": 5, "output_mode": "one_hot"}, [(1,), (1,)], "int32"),
    ],
)
def test_what_has_no_formula_has_the_shape_that_keras_gives(
    type_: str, config: dict[str, Any], shapes: list[tuple[int, ...]], dtype: str, tmp_path: Path
) -> None:
    inputs = [keras.Input(shape, dtype=dtype) for shape in shapes]
    y = getattr(keras.layers, type_)(**config)(tuple(inputs) if len(inputs) > 1 else inputs[0])
    (tmp_path / "model.json").write_text(keras.Model(inputs, y).to_json())
    (output,) = api.explain(tmp_path / "model.json").outputs
    assert (output.shape, output.dtype) == (tuple(y.shape), y.dtype)
