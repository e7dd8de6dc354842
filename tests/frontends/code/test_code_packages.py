"""`--code` of folders and installed packages: modules are read as text when a class of theirs is asked for."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import layerexplain
from layerexplain.frontends.code.library.keras_framework import keras_folder
from layerexplain.frontends.code.sources import package_folder
from layerexplain.frontends.own_layers import read_own_layers
from layerexplain.lang.axes import BATCH
from layerexplain.lang.text import statements
from layerexplain.layers.declaration import Spec
from tests.support.commands import invoke
from tests.support.paths import TESTS

DATA = TESTS / "data"
TRUTH = json.loads((DATA / "hub_truth.json").read_text())
HUB = ("bert", "gpt2", "llama", "vit", "t5", "whisper", "bert_trained", "bert_in_functional")

NOTES = {
    "bert_trained": [
        "keras_hub/src/models/text_classifier.py:91: from_logits is not known: the attribute activation of the layer "
        "'bert_text_classifier'; SparseCategoricalCrossentropy is explained with its default from_logits; give --set "
        "from_logits=VALUE"
    ]
}
"""A note on a model: its classifier sets from_logits by an activation that is an argument."""

needs_hub = pytest.mark.skipif(
    package_folder("keras_hub") is None or keras_folder() is None, reason="keras-hub's source is not installed"
)


@needs_hub
@pytest.mark.parametrize("name", HUB)
def test_a_backbone_of_keras_hub_comes_out_whole(name: str) -> None:
    path, truth = DATA / "hub" / f"{name}.keras", TRUTH[name]
    own = read_own_layers("keras_hub")
    report = layerexplain.explain(path, code=own)
    assert (report.totals.params, report.totals.trainable) == (truth["params"], truth["trainable"])
    rows = {row.layer: row.params for row in report.layers}
    assert {one["name"]: one["params"] for one in truth["layers"]} == {
        one["name"]: rows[one["name"]] for one in truth["layers"]
    }
    assert all(shape is not None for row in report.layers for shape in row.output_shapes), "a shape is not known"
    assert [note.message for note in report.notes] == NOTES.get(name, [])
    weights = layerexplain.list_weights(path, code=own).weights
    assert len(weights) == len(truth["weights"]) and all(row.path is not None for row in weights)
    recorded = np.load(DATA / "hub_outputs.npz")
    given: dict[str, Any] = {}
    wanted = []
    for key in sorted(recorded):
        of, _, rest = key.partition("/")
        if of == name and rest.startswith("in_"):
            given[rest.removeprefix("in_")] = recorded[key]
        elif of == name:
            wanted.append(recorded[key])
    made = layerexplain.trace(path, given, code=own)
    assert len(made.outputs) == len(wanted)
    for ours, theirs in zip(made.outputs, wanted, strict=True):
        assert np.abs(ours - theirs).max() < 1e-4
    assert "keras_hub" not in sys.modules


MODULES = {
    "__init__.py": "from .parts import *\nraise RuntimeError('imported')\n",
    "parts.py": "import keras\nfrom parts_of_mine.inner.base import Base, RATE\nfrom .inner import sizes as s\n"
    "class Gate(Base):\n    def call(self, x):\n        gated = self.scaled(x)\n        return gated + s.SHIFT\n",
    "inner/__init__.py": "",
    "inner/sizes.py": "SHIFT = 0.25\n",
    "inner/base.py": "import keras\nfrom ..parts import Gate\nRATE = 3\nclass Base(keras.layers.Layer):\n"
    "    def __init__(self, units=2, **kw):\n        super().__init__(**kw)\n        self.units = units\n"
    "    def scaled(self, x):\n        return x * RATE * self.units\n",
    "broken.py": "class Broken(:\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in MODULES.items():
        path = tmp_path / "parts_of_mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "parts_of_mine"


def lines(declaration: Any, **config: Any) -> list[str]:
    made = declaration.trace([Spec((BATCH, 3), "float")], declaration.bind(config))
    return [f"{line.text}  # {line.nodes[0].note}" for line in statements(made)]


def test_modules_of_a_folder_import_each_other(folder: Path) -> None:
    own = read_own_layers(folder)
    assert {"Gate", "Base"} <= set(own)
    place = "parts_of_mine/inner/base.py:9"
    assert lines(own["Gate"], units=5) == [
        f"gated = x * 3 * 5  # {place}",
        "y = gated + 0.25  # parts_of_mine/parts.py:7",
    ]


def test_an_installed_package_is_found_and_not_imported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder.parent))
    own = read_own_layers("parts_of_mine")
    assert len(lines(own["Gate"])) == 2
    assert "parts_of_mine" not in sys.modules


def test_links_and_what_is_no_package_are_not_followed(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("import keras\nclass Secret(keras.layers.Layer):\n    def call(self, x):\n        return x\n")
    (folder / "linked.py").symlink_to(outside)
    assert "Secret" not in set(read_own_layers(folder))
    spec = tmp_path / "m.yaml"
    spec.write_text("input: [3]\nlayers:\n  - Gate: {units: 5}\n")
    made = invoke("summary", spec, "--code", folder)
    assert made.exit_code == 0 and "gated + 0.25" in made.output, made.output
    made = invoke("summary", spec, "--code", "no_such_package_of_mine")
    assert made.exit_code == 1 and "or an installed package" in made.output
