"""All models of `keras.applications`, in Keras 3 and in tf_keras: each layer's output shapes and parameters, and the
totals, equal what real Keras says (tests/truth), and every layer has a formula."""

import importlib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from layerexplain.frontends import read
from layerexplain.model import Shape
from layerexplain.report import build
from layerexplain.report.data import LayerReport
from layerexplain.report.report import Report
from tests.support.tries import some
from tests.truth import applications, load
from tests.truth.record_applications import MODULES, record

STORED = [(generation, name) for generation in MODULES for name in applications(generation)]

# Between them: plain layers, layers of a custom class, nested models, operations between layers, a Normalization.
AFRESH = [("keras3", "MobileNetV3Small"), ("keras3", "ConvNeXtTiny"), ("tf_keras", "RegNetY002")]


class Facts(NamedTuple):
    """What is compared of a layer: the output shapes of each call, and the three counts."""

    calls: tuple[tuple[Shape | None, ...], ...]
    params: int | None
    trainable: int | None
    non_trainable: int | None


def facts_of_keras(rows: list[dict[str, Any]], path: str = "") -> dict[str, Facts]:
    """Of recorded rows, by the layer's path."""
    facts = {}
    for row in rows:
        calls = tuple(tuple(tuple(shape) for shape in call) for call in row["calls"])
        facts[path + row["name"]] = Facts(calls, row["params"], row["trainable"], row["non_trainable"])
        facts |= facts_of_keras(row.get("layers", []), f"{path}{row['name']}/")
    return facts


def facts_of_report(rows: tuple[LayerReport, ...], path: str = "") -> dict[str, Facts]:
    """Of a report's rows, by the layer's path."""
    facts = {}
    for row in rows:
        calls = tuple(call.output_shapes for call in row.calls)
        facts[path + row.layer] = Facts(calls, row.params, row.trainable, row.non_trainable)
        facts |= facts_of_report(row.layers, f"{path}{row.layer}/")
    return facts


def compare(report: Report, truth: dict[str, Any]) -> None:
    """Assert that the report says of every layer what Keras says, and has a formula for each."""
    ours, keras = facts_of_report(report.layers), facts_of_keras(truth["layers"])
    assert sorted(ours) == sorted(keras)
    # Only what differs: a diff of a thousand layers takes pytest minutes.
    assert {path: (ours[path], keras[path]) for path in keras if ours[path] != keras[path]} == {}
    assert {key: getattr(report.totals, key) for key in truth["totals"]} == truth["totals"]
    assert [note for note in report.notes if note.code == "opaque"] == []
    assert [row.path for row in everything(report.layers) if not row.operation or not row.formula] == []


def everything(rows: tuple[LayerReport, ...]) -> list[LayerReport]:
    return [inner for row in rows for inner in (row, *everything(row.layers))]


@pytest.mark.parametrize(("generation", "name"), some(STORED))
def test_a_stored_configuration_is_read_as_keras_reads_it(generation: str, name: str, tmp_path: Path) -> None:
    truth = load(generation, name)
    file = tmp_path / "model.json"
    file.write_text(truth["config"], "utf-8")
    compare(build(read(str(file))), truth)


def test_all_applications_are_stored() -> None:
    assert len(list(applications("keras3"))) == 40
    assert len(list(applications("tf_keras"))) == 71


@pytest.mark.keras
# Keras's own: NumPy's deprecations on saving, and tf_keras on .h5.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:You are saving your model as an HDF5:UserWarning")
@pytest.mark.parametrize(("generation", "name"), AFRESH)
def test_a_model_made_afresh_is_read_from_everything_that_it_is_saved_as(
    generation: str, name: str, tmp_path: Path
) -> None:
    library = importlib.import_module(MODULES[generation])
    library.backend.clear_session()
    model = getattr(library.applications, name)(weights=None)
    truth = record(generation, model)
    stored = load(generation, name)
    assert facts_of_keras(truth["layers"]) == facts_of_keras(stored["layers"])
    assert truth["totals"] == stored["totals"]
    (tmp_path / "model.json").write_text(truth["config"], "utf-8")
    model.save(tmp_path / "model.keras")
    model.save(tmp_path / "model.h5")
    for source in (tmp_path / "model.json", tmp_path / "model.keras", tmp_path / "model.h5"):
        compare(build(read(str(source))), truth)
    compare(build(read(model)), truth)
