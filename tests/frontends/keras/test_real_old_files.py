"""Files that real Kerases of all generations wrote: right totals, shapes, counts. No Keras is needed to read them.

tests/data/make_old_files.py made them and recorded what each Keras said of its own models.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from layerexplain.frontends import read
from layerexplain.report.build import build
from layerexplain.report.report import Report
from layerexplain.report.weight_table import list_weights
from tests.support.old_files import FILES, TRUTH, WITH_GRAPH, folder

__all__ = ["folder"]  # a fixture of the module that it comes from

ALONE = [case for case in FILES if case[2].endswith(("weights.h5", "_export"))]

# What the writer itself had wrong: Keras 3.0 forgets trainable=False that is given when a layer is made.
FORGETS_TRAINABLE = ("keras_3.0.5", "convnet")


def told(folder: Path, case: tuple[str, str, str]) -> tuple[Path, Report, dict[str, Any]]:
    keras, model, file = case
    path = folder / keras / file
    return path, build(read(path)), TRUTH[keras][model]


@pytest.mark.parametrize("case", WITH_GRAPH, ids="-".join)
def test_models(case: tuple[str, str, str], folder: Path) -> None:
    path, report, truth = told(folder, case)
    assert [(note.code, note.message) for note in report.notes] == []
    assert report.totals.params == truth["params"]
    if "trainable" in truth and case[:2] != FORGETS_TRAINABLE:
        assert report.totals.trainable == truth["trainable"]
    if report.keras_version is not None:
        assert report.keras_version == truth["version"]
    # Readers add the inputs that a Sequential's file leaves out, and take apart branches that a Sequential begins with.
    rows = [row for row in report.layers if row.type != "InputLayer"]
    layers = [layer for layer in truth["layers"] if layer["class_name"] != "InputLayer"]
    if case[1] == "branches":
        rows, layers = rows[3:], layers[1:]
    elif case[:2] == ("keras_0.3.3", "graph"):
        layers = [{**layer, "name": None} for layer in layers]
        rows = [row for row in rows if row.type == "Dense"]
    elif case[:2] == ("keras_3.0.5", "operations"):  # which are no layers to Keras 3
        rows = [row for row in rows if row.layer in {layer["name"] for layer in layers}]
    assert len(rows) == len(layers)
    for row, layer in zip(rows, layers, strict=True):
        # Layers of Keras 0.3 may have one name; they are told apart here.
        assert layer["name"] is None or row.layer.startswith(layer["name"])
        assert row.params == layer["params"], row.layer
        if layer["output_shape"] is not None:
            shape = row.calls[-1].output_shapes[0]
            assert shape is not None and list(shape) == layer["output_shape"], row.layer
    if path.suffix in (".h5", ".keras"):
        assert all(weight.path is not None for weight in list_weights(path).weights)
    assert list_weights(path).totals.params == truth["params"]


@pytest.mark.parametrize("case", ALONE, ids="-".join)
def test_weights_alone_and_exports(case: tuple[str, str, str], folder: Path) -> None:
    path, report, truth = told(folder, case)
    assert report.totals.params == truth["params"]
    assert sum(row.params or 0 for row in report.layers) == truth["params"]
    assert {note.code for note in report.notes} <= {"weights-only", "no-graph", "signature"}
    table = list_weights(path)
    assert table.totals.params == truth["params"]
    assert Counter([row.shape for row in table.weights]) == Counter([tuple(shape) for shape in truth["weights"]])


def codes(path: Path) -> list[str]:
    return [note.code for note in list_weights(path).notes]


def test_how_keras_1_kept_arrays(folder: Path) -> None:
    keras_1 = folder / "keras_1.2.2"
    # Twelve arrays of an LSTM, nine of each GRU in a Bidirectional.
    assert codes(keras_1 / "recurrent.h5") == ["gates-apart", "gates-apart"]
    # Kernels with filters and channels first.
    notes = list_weights(keras_1 / "convnet.h5").notes
    assert [note.code for note in notes] == ["weight-shape", "weight-shape"]
    assert all("Theano's order" in note.message for note in notes)
    # The layers of branches are listed as if they were the model's own.
    layers = {row.layer: row.path for row in list_weights(keras_1 / "branches.h5").weights}
    assert layers["sequential/dense_3"] == "/model_weights/dense_3/dense_3_b"
    assert codes(keras_1 / "branches.h5") == codes(keras_1 / "merges.h5") == []


def test_classes_that_keras_3_has_no_more(folder: Path) -> None:
    for keras in ("keras_2.1.6", "keras_2.2.4", "tf.keras_2.2.4-tf"):
        rows = build(read(folder / keras / "cudnn.json")).layers[1:]
        assert [row.params for row in rows] == [layer["params"] for layer in TRUTH[keras]["cudnn"]["layers"]]
        assert all(row.operation and row.macs for row in rows)


REFUSED = [case for case in WITH_GRAPH if not case[0].startswith(("keras_3", "keras_0"))]


@pytest.mark.keras
def test_todays_keras_loads_none_of_them(folder: Path) -> None:
    """What the README says: the day that this fails, the sentence there is to be changed."""
    keras = pytest.importorskip("keras")
    loaded = []
    for version, _, file in REFUSED:
        path = folder / version / file
        try:
            if path.suffix == ".json":
                keras.models.model_from_json(path.read_text())
            else:
                keras.saving.load_model(path)
        except (TypeError, ValueError):
            continue
        loaded.append(path)
    assert loaded == []
    assert len(REFUSED) > 40
