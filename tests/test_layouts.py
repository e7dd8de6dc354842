"""Axes that are not what their number tells: channels that come first are called so by every layer behind them."""

from pathlib import Path

import pytest

from layerexplain.frontends import read
from layerexplain.report import build
from layerexplain.report.data import LayerReport

CONV = "- Conv2D: {filters: 8, kernel_size: 3, data_format: channels_first}\n    name: conv"
MODELS = {
    "behind a convolution": f"input: [3, 32, 30]\nlayers:\n  {CONV}\n  - LAYER\n    name: it",
    "before a convolution": f"input: [8, 30, 28]\nlayers:\n  - LAYER\n    name: it\n  {CONV}",
    "behind a normalization": "input: [8, 30, 28]\nlayers:\n  - BatchNormalization: {axis: 1}\n  - LAYER\n    name: it",
    "behind a model": "input: [3, 32, 30]\nlayers:\n  - Sequential: [ReLU, {Conv2D: {filters: 8, kernel_size: 3, "
    "data_format: channels_first}}]\n  - LAYER\n    name: it",
}  # fmt: skip
LAYERS = ["PReLU: {shared_axes: [2, 3]}", "BatchNormalization: {axis: 1}", "GroupNormalization: {groups: 2, axis: 1}",
          "LayerNormalization: {axis: [1, 2]}", "Dropout: 0.5"]  # fmt: skip


def row(text: str, folder: Path, name: str = "it") -> LayerReport:
    """The row of one layer of a spec, explained."""
    file = folder / "m.yaml"
    file.write_text(text)
    return next(r for r in build(read(str(file)), detail=True).layers if r.layer == name)


def roles(found: LayerReport) -> list[tuple[str, str]]:
    """The axes of the result with their sizes."""
    assert found.explanation is not None
    return [(axis.role, axis.after) for axis in found.explanation.axes if axis.after != "removed"]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("place", MODELS)
def test_every_layer_calls_the_axes_by_their_names(place: str, layer: str, tmp_path: Path) -> None:
    found = row(MODELS[place].replace("LAYER", layer), tmp_path)
    assert roles(found) == [("channels", "8"), ("rows", "30"), ("columns", "28")]
    assert found.explanation is not None
    # Its letters are those of the convolution: k channel, i row, j column.
    assert any("[n, k, i, j] = " in line for line in found.explanation.element)


@pytest.mark.parametrize(
    ("layer", "factors"),
    [
        ("PReLU: {shared_axes: [2, 3]}", "channels 8 × rows 1 × columns 1"),
        ("LayerNormalization: {axis: [1, 2]}", "channels 8 × rows 30"),
        ("BatchNormalization: {axis: 1}", "features 8"),
    ],
)
def test_weights_are_told_by_the_axes_of_the_input(layer: str, factors: str, tmp_path: Path) -> None:
    found = row(MODELS["behind a convolution"].replace("LAYER", layer), tmp_path)
    assert found.explanation is not None
    assert found.explanation.weights[0].factors == factors


@pytest.mark.parametrize(
    ("axis", "shape", "said"),
    [(1, "[8, 30, 28]", "each of the 8 channels"), (-1, "[8, 30, 28]", "each of the 28 channels"),
     ([1], "[8, 30, 28]", "each of the 8 channels"), (2, "[8, 30, 28]", "each of the 30 channels"),
     (1, "[8, 30]", "each of the 8 channels"), (1, "[8]", "each of the 8 channels")],
)  # fmt: skip
def test_the_channels_are_those_of_the_axis(axis: object, shape: str, said: str, tmp_path: Path) -> None:
    found = row(f"input: {shape}\nlayers:\n  - BatchNormalization: {{axis: {axis}}}\n    name: it", tmp_path)
    assert found.explanation is not None
    assert said in found.explanation.sentence


def test_what_permutes_back_ends_it(tmp_path: Path) -> None:
    text = f"input: [3, 32, 30]\nlayers:\n  {CONV}\n  - Permute: {{dims: [2, 3, 1]}}\n  - ReLU:\n    name: it"
    assert roles(row(text, tmp_path)) == [("rows", "30"), ("columns", "28"), ("channels", "8")]


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        ("ConvLSTM2D: {filters: 4, kernel_size: 3, return_sequences: true}", "[5, 8, 9, 3]",
         [("steps", "5"), ("rows", "6"), ("columns", "7"), ("channels", "4")]),
        ("ConvLSTM2D: {filters: 4, kernel_size: 3, return_sequences: true, data_format: channels_first}",
         "[5, 3, 8, 9]", [("steps", "5"), ("channels", "4"), ("rows", "6"), ("columns", "7")]),
        ("TimeDistributed: {Conv2D: {filters: 4, kernel_size: 3}}", "[5, 8, 9, 3]",
         [("steps", "5"), ("rows", "6"), ("columns", "7"), ("channels", "4")]),
    ],
)  # fmt: skip
def test_sequences_of_images_have_steps(
    layer: str, shape: str, expected: list[tuple[str, str]], tmp_path: Path
) -> None:
    text = f"input: {shape}\nlayers:\n  - {layer}\n    name: first\n  - ReLU:\n    name: it"
    assert roles(row(text, tmp_path, "first")) == expected
    assert roles(row(text, tmp_path)) == expected


def test_the_reach_counts_rows_and_columns(tmp_path: Path) -> None:
    text = "input: [3, 32, 30]\nlayers:\n  - BatchNormalization: {axis: 1}\n  - MaxPooling2D: {pool_size: 2, "
    found = row(text + "data_format: channels_first}\n    name: it", tmp_path)
    assert found.receptive_field is not None
    assert [(axis.role, axis.of) for axis in found.receptive_field[0].axes] == [("rows", 32), ("columns", 30)]
