"""The hash of an architecture: equal for one graph in any words, different for any other."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

import layerexplain
from layerexplain.conversions.code import to_code
from layerexplain.conversions.config import to_config
from layerexplain.conversions.older_keras import in_todays_names
from layerexplain.conversions.spec import to_spec
from layerexplain.network.trace import trace_model
from layerexplain.report.architecture import Architecture, architecture
from tests.support.diff_edits import BASE, EDITS
from tests.support.frameworks import keras
from tests.support.old_files import OLD
from tests.support.paths import ROOT
from tests.support.tries import some
from tests.truth import applications, load
from tests.truth.record_applications import MODULES

SAMPLES = sorted(
    path for path in (ROOT / "sample_models").iterdir() if path.suffix in (".json", ".keras", ".h5", ".yaml")
)


def hashes(source: Any) -> Architecture:
    return architecture(trace_model(layerexplain.read(source)))


GROUPS: dict[str, list[list[str]]] = {
    # Models that one script wrote with several versions, by what they compute: other defaults are other models.
    "convnet": [["0.3.3"], ["1.2.2"], ["2.1.6", "2.2.4", "2.2.4-tf", "2.15.0", "3.0.5"]],
    "graph": [["0.3.3"], ["2.1.6", "2.2.4", "2.2.4-tf", "2.15.0", "3.0.5"]],
    # Keras 2.3 made GRU's reset_after and the activation sigmoid the default.
    "recurrent": [["0.3.3"], ["1.2.2", "2.1.6", "2.2.4", "2.2.4-tf"], ["2.15.0", "3.0.5"]],
    "operations": [["2.15.0", "3.0.5"]],
    "cudnn": [["2.1.6", "2.2.4", "2.2.4-tf"]],
    "branches": [["1.2.2"]],
    "merges": [["1.2.2"]],
}  # fmt: skip


def test_formats_and_versions_of_one_model_have_one_hash(tmp_path: Path) -> None:
    found: dict[str, dict[str, set[str]]] = {}
    files = 0
    for archive in OLD:
        version = archive.stem.rpartition("_")[2]
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(tmp_path / archive.stem)
        for path in (tmp_path / archive.stem).iterdir():
            # An export without layers, and weights alone, do not hold the architecture.
            if "weights" not in path.name and not path.name.endswith("_export"):
                name = path.name.removesuffix("_saved_model").partition(".")[0]
                found.setdefault(name, {}).setdefault(hashes(str(path)).hash, set()).add(version)
                files += 1
    assert {name: sorted(map(sorted, some.values())) for name, some in found.items()} == {
        name: sorted(map(sorted, some)) for name, some in GROUPS.items()
    }
    assert files > 50


FAMILIES = [
    "ConvNeXtTiny",
    "DenseNet121",
    "EfficientNetB0",
    "EfficientNetV2B0",
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Small",
    "NASNetMobile",
    "RegNetX002",
    "RegNetY002",
    "ResNet50",
    "ResNet50V2",
    "ResNetRS50",
    "VGG16",
    "Xception",
]
"""One of each family of keras.applications."""


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_what_a_model_is_converted_to_has_its_hash(path: Path, tmp_path: Path) -> None:
    own = hashes(str(path))
    for ending in (".yaml", ".json", ".py"):
        target = tmp_path / f"model{ending}"
        layerexplain.convert(str(path), target)
        assert hashes(str(target)) == own, ending


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_changes_the_hash_and_other_words_do_not(name: str) -> None:
    old, new = EDITS[name][0]
    before, after = hashes(BASE.encode()), hashes(BASE.replace(old, new, 1).encode())
    same = name in ("nothing", "a default written out", "a renamed layer")
    assert (before.hash == after.hash) == same
    family = same or name in ("a changed stride", "a frozen layer", "a nested change", "renamed and changed")
    assert (before.family == after.family) == family


SIAMESE = """
inputs: {left: [8], right: [8]}
layers:
  - Dense: 5
    name: one
    from: left
  - {second}
  - Concatenate:
    from: [one, two]
"""
ENDS = "input: [4]\nlayers:\n  - Dense: 3\n    name: a\n  - Dense: 3\n    name: b\n    from: input\noutputs: [%s]\n"

CALLED = """
import keras
from keras import layers
x = keras.Input((5, 6))
attend = layers.MultiHeadAttention(2, 3)
y = attend(attend(x, x), x%s)
model = keras.Model(x, y)
"""

APART = {
    "an argument of the second call of a layer": (CALLED % "", CALLED % ", use_causal_mask=True"),
    "shared weights": (SIAMESE.replace("{second}", "{reuse: one, name: two, from: right}"),
        SIAMESE.replace("{second}", "Dense: 5\n    name: two\n    from: right")),
    "which tensor comes first": (ENDS.replace("Dense: 3\n    name: b", "Dense: 5\n    name: b") % "a, b",
        ENDS.replace("Dense: 3\n    name: b", "Dense: 5\n    name: b") % "b, a"),
    "the shape of the input": ("input: [4]\nlayers: [{Dense: 3}]", "input: [5]\nlayers: [{Dense: 3}]"),
    "an output that nobody reads": (ENDS % "a, b", ENDS % "a"),
    "a layer in a wrapper": ("input: [4, 6]\nlayers: [{TimeDistributed: {Dense: 3}}]",
        "input: [4, 6]\nlayers: [{TimeDistributed: {Dense: {units: 3, use_bias: false}}}]"),
}  # fmt: skip


@pytest.mark.parametrize("name", APART)
def test_graphs_that_differ_have_two_hashes(name: str) -> None:
    one, other = (hashes(text.encode()).hash for text in APART[name])
    assert one != other


@pytest.mark.keras
@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNetV3Small", "EfficientNetB0"])
def test_code_has_the_hash_of_what_keras_makes_of_it(name: str) -> None:
    code = f"import keras\nmodel = keras.applications.{name}(weights=None)\n"
    made = getattr(keras.applications, name)(weights=None).to_json()
    assert hashes(code.encode()) == hashes(made.encode())


@pytest.mark.parametrize(
    ("generation", "name"), some([(one, name) for one in MODULES for name in applications(one) if name in FAMILIES])
)
def test_applications_as_code_and_specs_have_their_hash(generation: str, name: str) -> None:
    """The readers of code and of specs are the oracles: they share nothing with what is written."""
    model, _ = in_todays_names(layerexplain.read(json.loads(load(generation, name)["config"])))
    own = architecture(trace_model(model))
    for written in (to_code(model).encode(), to_spec(model).encode(), json.dumps(to_config(model)).encode()):
        again = layerexplain.read(written)
        assert not again.faults and again.grade == "complete"
        assert architecture(trace_model(again)) == own
