"""The codes by which a pipeline refuses a file: what a configuration leads to, and links among the weights."""

import json
from pathlib import Path
from typing import Any

import pytest

from layerexplain.frontends import read
from layerexplain.report.build import build
from layerexplain.report.weight_table import list_weights
from layerexplain.run.trace import trace
from tests.support.keras_configs import sequence

ENTRY = {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [None, 4], "name": "x"}}


def model(class_name: str, module: str = "keras.layers", **config: Any) -> dict[str, Any]:
    layer = {"module": module, "class_name": class_name, "config": {"name": "d", **config}}
    return {"module": "keras", **sequence(ENTRY, layer)}


CONFIGURATIONS: list[tuple[dict[str, Any], str, str]] = [
    (model("StringLookup", vocabulary="/etc/passwd"), "external-file", "'/etc/passwd', which is not opened"),
    (model("TextVectorization", vocabulary="words.txt"), "external-file", "'words.txt'"),
    (model("TFSMLayer", filepath="/srv/model"), "external-file", "'/srv/model'"),
    (model("TorchModuleWrapper", module="gASV"), "code-in-file", "not unpickled"),
    (model("Dense", units=3, activation="my_own"), "unknown-function", "its activation 'my_own'"),
    (
        model("Dense", units=3, activation={"module": "builtins", "class_name": "function", "config": "exec"}),
        "unknown-function", "its activation 'exec' is not a function of Keras",
    ),
]  # fmt: skip


@pytest.mark.parametrize("document, code, words", CONFIGURATIONS)
def test_what_a_configuration_leads_to(document: dict[str, Any], code: str, words: str) -> None:
    notes = [note for note in build(read(json.dumps(document).encode())).notes if note.code == code]
    assert len(notes) == 1 and notes[0].layer == "d" and words in notes[0].message


@pytest.mark.parametrize("activation", ["relu", "linear", None, "softmax_v2"])
def test_functions_of_keras_are_no_news(activation: str | None) -> None:
    assert not build(read(json.dumps(model("Dense", units=3, activation=activation)).encode())).notes


def test_a_vocabulary_is_no_weight() -> None:
    report = build(read(json.dumps(model("StringLookup", vocabulary=["a", "b"])).encode()))
    assert (report.layers[-1].params, report.totals.params) == (0, 0)


def linked(path: Path) -> Path:
    h5py = pytest.importorskip("h5py")
    layer = {"class_name": "Dense", "config": {"name": "d", "units": 3, "batch_input_shape": [None, 4]}}
    with h5py.File(path, "w") as root:
        root.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": [layer]})
        weights = root.create_group("model_weights")
        weights.attrs["layer_names"] = [b"d"]
        group = weights.create_group("d")
        group.attrs["weight_names"] = [b"d/kernel", b"d/bias"]
        group.create_group("d")["kernel"] = h5py.ExternalLink("/etc/passwd", "/x")
        group["d"]["bias"] = h5py.SoftLink("/nowhere")
    return path


def test_links_are_told_by_all_that_open_the_weights(tmp_path: Path) -> None:
    path = linked(tmp_path / "linked.h5")
    wanted = {"external-link", "soft-link"}
    assert wanted <= {note.code for note in build(read(path), detail=True).notes}
    assert wanted <= {note.code for note in list_weights(path).notes}
    assert wanted <= {note.code for note in trace(path, [[1.0, 2.0, 3.0, 4.0]]).notes}


def test_a_stated_size_does_not_break_the_watch(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    h5py = pytest.importorskip("h5py")
    path = linked(tmp_path / "bomb.h5")
    with h5py.File(path, "a") as root:
        del root["model_weights/d/d/kernel"]
        root["model_weights/d/d"].create_dataset("kernel", (10**8, 10**8), "f4", chunks=(1000, 1000))
    table = list_weights(path, stats=True)
    assert "bomb" in " ".join(note.message for note in table.notes)
    assert capfd.readouterr().err == ""
