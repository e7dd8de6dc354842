"""Whole models, built in Keras 3 and tf.keras: shapes, counts and values of the report are those of Keras itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerexplain.derive.evaluate import evaluate
from layerexplain.frontends import read
from layerexplain.network.trace import trace_at
from layerexplain.report import build
from layerexplain.report.data import LayerReport
from layerexplain.report.report import Report
from tests.support import real_models
from tests.support.live_truth import LayerTruth, flat, size, truth, weights

pytestmark = [pytest.mark.keras, pytest.mark.filterwarnings("ignore")]

TOLERANCE = 1e-4


@pytest.fixture(params=["keras", "tf_keras"])
def keras(request: pytest.FixtureRequest) -> Any:
    """Keras 3, then tf.keras, with nothing built before."""
    module = pytest.importorskip(request.param)
    module.backend.clear_session()
    module.utils.set_random_seed(7)
    return module


def sources(model: Any, folder: Path) -> dict[str, Any]:
    """The model in every format that its Keras writes, and the live object itself."""
    for ending in ("keras", "h5"):
        model.save(str(folder / f"m.{ending}"))
    (folder / "m.json").write_text(model.to_json())
    return {"live": model, "keras": folder / "m.keras", "h5": folder / "m.h5", "json": folder / "m.json"}


def facts(row: LayerReport) -> tuple[int | None, int | None, int | None]:
    return row.params, row.trainable, row.non_trainable


def compare(rows: tuple[LayerReport, ...], layers: list[LayerTruth], *, exact: bool, at: str = "") -> None:
    """Each layer's row against Keras. `exact` is False within nested models, where a size that Keras does not know
    may be known by us, who trace the model anew for every call."""
    by_name = {row.layer: row for row in rows}
    for layer in layers:
        row = by_name[layer.name]
        where = f"{at}{layer.name}"
        assert facts(row) == (layer.params, layer.trainable, layer.non_trainable), where
        assert len(row.calls) == len(layer.calls), where
        for call, shapes in zip(row.calls, layer.calls, strict=True):
            assert len(call.output_shapes) == len(shapes), where
            for ours, theirs in zip(call.output_shapes, shapes, strict=True):
                assert ours is not None and fits(ours, theirs, exact), (where, ours, theirs)
        if layer.layers:
            compare(row.layers, layer.layers, exact=False, at=f"{where}/")


def fits(ours: tuple[int | None, ...], theirs: tuple[int | None, ...], exact: bool) -> bool:
    if exact:
        return ours == theirs
    return len(ours) == len(theirs) and all(b is None or a == b for a, b in zip(ours, theirs, strict=True))


def check_totals(report: Report, model: Any) -> None:
    assert report.totals.params == model.count_params() == size(model.weights)
    assert report.totals.trainable == size(model.trainable_weights)
    assert report.totals.non_trainable == size(model.non_trainable_weights)
    assert report.totals.params == sum(row.params or 0 for row in report.layers)


@pytest.mark.parametrize("make", real_models.DERIVED, ids=lambda f: f.__name__)
def test_shapes_and_counts_of_every_call(make: Callable[[Any], Any], keras: Any, tmp_path: Path) -> None:
    model = make(keras)
    expected = truth(model)
    passed_over = make is real_models.translator and keras.__name__ == "keras"
    notes = {"mask-passed-over"} if passed_over else set()
    for format_, source in sources(model, tmp_path).items():
        report = build(read(source))
        assert {note.code for note in report.notes} == notes, format_
        compare(report.layers, expected, exact=True)
        check_totals(report, model)
        assert [o.shape for o in report.outputs] == [tuple(t.shape) for t in flat(model.outputs)], format_
        assert [i.shape for i in report.inputs] == [tuple(t.shape) for t in flat(model.inputs)], format_


def model_inputs(model: Any) -> dict[str, Any]:
    """Arrays for the model's inputs, by name: ids below 11 with zeros at the end, bools with holes, floats around 0."""
    rng = np.random.default_rng(3)
    arrays = {}
    for tensor in flat(model.inputs):
        shape = [2 if tensor.shape[0] is None else tensor.shape[0], *[9 if s is None else s for s in tensor.shape[1:]]]
        dtype = getattr(tensor.dtype, "name", tensor.dtype)
        if dtype == "int32":
            ids = rng.integers(1, 11, shape)
            ids[0, -2:] = 0
            ids[-1, 1] = 0
            arrays[tensor.name] = ids.astype("int32")
        elif dtype == "bool":
            keep = rng.random(shape) < 0.6
            keep[..., 0] = True
            arrays[tensor.name] = keep
        else:
            arrays[tensor.name] = rng.normal(0, 1, shape).astype("float32")
    return arrays


def draw_weights(model: Any) -> list[Any]:
    """Weights that are neither 0 nor 1, set in the model; in the order of its layers."""
    rng = np.random.default_rng(5)
    variables = weights(model)
    for variable in variables:
        value = rng.uniform(0.2, 0.9, variable.shape)
        if "variance" not in variable.name:
            value *= rng.choice([-1, 1], variable.shape)
        variable.assign(value.astype("float32"))
    return variables


@pytest.mark.parametrize(
    "make", [m for m in real_models.DERIVED if m is not real_models.half_precision], ids=lambda f: f.__name__
)
def test_the_whole_model_computes_what_keras_computes(make: Callable[[Any], Any], keras: Any) -> None:
    model = make(keras)
    variables = draw_weights(model)
    arrays = model_inputs(model)
    given: Any = arrays if make is real_models.named_ends else list(arrays.values())
    outputs = model(given if len(arrays) > 1 else given[0])
    if isinstance(outputs, dict):  # model.outputs has them in the order of their keys
        outputs = [outputs[key] for key in sorted(outputs)]
    expected = [np.asarray(t) for t in flat(outputs)]

    ours = read(model)
    definition = trace_at(ours, linked=True).definition
    assert definition is not None
    names = [w.attrs["name"] for w in definition.weights]
    assert names == [v.name.rpartition("/")[2].removesuffix(":0") for v in variables]
    values = [arrays[ref.layer] for ref in ours.inputs] if len(arrays) > 1 else list(arrays.values())
    results = evaluate(definition, values, [np.asarray(v) for v in variables])[: len(definition.results)]
    assert len(results) == len(expected)
    for result, theirs in zip(results, expected, strict=True):
        assert result.shape == theirs.shape
        np.testing.assert_allclose(result, theirs, rtol=0, atol=TOLERANCE * max(1.0, float(np.abs(theirs).max())))


@pytest.mark.parametrize("make", [real_models.any_size, real_models.translator], ids=lambda f: f.__name__)
def test_sizes_that_are_fixed_by_hand(make: Callable[[Any], Any], keras: Any) -> None:
    model = make(keras)
    sizes: dict[str, tuple[int, ...]] = {"any_size": {"x": (31, 17, 3)}, "translator": {"source": (9,)}}[model.name]  # type: ignore[assignment]
    report = build(read(model), inputs=sizes)
    if model.name == "any_size":
        rows = [row for row in report.layers if row.type != "InputLayer"]
        assert [row.output_shapes[0] for row in rows] == [
            (None, 31, 17, 4),
            (None, 15, 8, 4),
            (None, 30, 16, 4),
            (None, 4),
        ]
    assert report.totals.macs is not None
    assert build(read(model)).totals.macs is None


@pytest.mark.parametrize("make", real_models.OPAQUE, ids=lambda f: f.__name__)
def test_the_walk_goes_on_behind_what_cannot_be_seen_into(
    make: Callable[[Any], Any], keras: Any, tmp_path: Path
) -> None:
    model = make(keras)
    hidden, after = model.layers[-2].name, model.layers[-1].name
    expected = {layer.name: layer for layer in truth(model)}
    for format_, source in sources(model, tmp_path).items():
        report = build(read(source), detail=True)
        rows = {row.layer: row for row in report.layers}
        explanation = rows[hidden].explanation
        assert explanation is not None
        lambda_ = type(model.layers[-2]).__name__ == "Lambda"
        said = "Custom code, which is not executed; what it computes" if lambda_ else "Its formula"
        assert explanation.sentence.startswith(f"{said} is not known."), format_
        assert rows[hidden].operation == f"{type(model.layers[-2]).__name__}(x)"
        assert any(note.layer == hidden for note in report.notes), format_
        assert rows[hidden].macs is None
        if format_ == "h5" and keras.__name__ == "tf_keras" and not lambda_:  # a Lambda says its output_shape itself
            # Such a file records no shape of a tensor: those behind are not known and not guessed. It has weights.
            assert (rows[hidden].output_shapes, rows[after].output_shapes) == ((None,), (None,))
        else:
            assert rows[after].output_shapes == (expected[after].calls[0][0],), format_
        assert rows[after].params == expected[after].params, format_
        if format_ in ("keras", "h5"):
            assert rows[hidden].params == expected[hidden].params, format_
            assert report.totals.params == model.count_params(), format_


def test_masks_are_named_by_who_made_them(keras: Any) -> None:
    rows = {row.layer: row for row in build(read(real_models.masks_on_their_way(keras))).layers}
    made = {name: rows[name].calls[0].mask for name in ("drop", "each", "add", "join", "mean", "gru")}
    assert made["drop"] == "embed_left"
    # Keras 3 writes the masks that a call reads as operations of their own between the layers.
    assert made["each"] == ("not_equal" if keras.__name__ == "keras" else "embed_left")
    assert None not in made.values()
    rows = {row.layer: row for row in build(read(real_models.mask_by_keyword(keras))).layers}
    assert rows["lstm"].calls[0].mask == "keep"


def test_shared_weights_count_once_and_each_call_has_its_cost(keras: Any) -> None:
    rows = {row.layer: row for row in build(read(real_models.shared_at_two_lengths(keras)), detail=True).layers}
    shared = rows["shared"]
    assert shared.params == 4 * 3 * 5 + 5
    assert [call.output_shapes for call in shared.calls] == [((None, 3, 5),), ((None, 9, 5),)]
    assert shared.macs == (3 + 9) * 5 * 12
    assert shared.explanation is not None
    assert "shared by both calls and counted once" in shared.explanation.weights_note


def test_dtypes_of_mixed_precision(keras: Any) -> None:
    report = build(read(real_models.half_precision(keras)))
    assert {w.dtype for row in report.layers for w in row.weights} == {"float32"}
    assert [o.dtype for o in report.outputs] == ["float32"]
