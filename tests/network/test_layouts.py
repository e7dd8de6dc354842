"""Axes that are not what their number tells: channels that come first are called so by every layer behind them."""

from pathlib import Path
from typing import Any

import pytest

from layerexplain.frontends import read
from layerexplain.network.recorded_shapes import _roles_alone
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
        ("TimeDistributed: {Conv2D: {filters: 4, kernel_size: 3}}", "[5, 8, 9, 3]", [("steps", "5"), ("rows", "6"), ("columns", "7"), ("channels", "4")]),
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


ALONE: list[tuple[str, list[str], list[tuple[int, ...]], tuple[str, ...], str]] = [
    # the whole shape of the input, the layers behind it, the shapes that Keras has, the names of the axes, the reach
    ("[32, 30, 3]", ["Rescaling: 2", "Resizing: {height: 20, width: 22}", "RandomFlip: horizontal"],
     [(32, 30, 3), (20, 22, 3), (20, 22, 3)], ("rows", "columns", "channels"), "rows (8i+1)//5 to (8i+1)//5+1, columns "),
    ("[3, 32, 30]", ["Resizing: {height: 20, width: 22, data_format: channels_first}",
                     "RandomFlip: {data_format: channels_first}", "Activation: relu"],
     [(3, 20, 22)] * 3, ("channels", "rows", "columns"), "rows (8i+1)//5 to (8i+1)//5+1, columns "),
    ("[32, 30, 3]", ["RandomZoom: 0.2", "CenterCrop: {height: 8, width: 9}"],
     [(32, 30, 3), (8, 9, 3)], ("rows", "columns", "channels"), "one pixel of the input: row i+12, column j+10"),
    ("[32, 30, 3]", ["Pipeline: {layers: [{RandomFlip: horizontal}, {Resizing: {height: 20, width: 22}}]}"],
     [(20, 22, 3)], ("rows", "columns", "channels"), "rows (8i+1)//5 to (8i+1)//5+1, columns "),
]  # fmt: skip


@pytest.mark.parametrize(("sizes", "layers", "shapes", "names", "reach"), ALONE)
def test_the_axes_of_one_image(
    sizes: str, layers: list[str], shapes: list[tuple[int, ...]], names: tuple[str, ...], reach: str, tmp_path: Path
) -> None:
    file = tmp_path / "m.yaml"
    file.write_text("\n  - ".join([f"input: {{batch_shape: {sizes}}}\nlayers:", *layers]))
    first, *found = build(read(str(file)), detail=True).layers
    assert first.operation == f"input({sizes[1:-1]})" and first.output_shapes == (
        tuple(map(int, sizes[1:-1].split(","))),
    )
    assert first.explanation is not None
    assert first.explanation.sentence == f"An input of the model, without a batch ({', '.join(names)})."
    assert [row.output_shapes for row in found] == [(shape,) for shape in shapes]
    letters = ", ".join({"rows": "i", "columns": "j", "channels": "k"}[name] for name in names)
    for row in found:
        assert row.explanation is not None
        assert tuple([axis.role for axis in row.explanation.axes]) == names
        assert f"y[{letters}] = " in "\n".join(row.explanation.element)
    assert found[-1].explanation is not None and reach in found[-1].explanation.receptive_field[0]


@pytest.mark.keras
@pytest.mark.parametrize("case", ALONE, ids=lambda case: case[1][-1])
def test_keras_has_the_shapes_of_one_image(case: tuple[str, list[str], list[tuple[int, ...]], object, str]) -> None:
    keras = pytest.importorskip("keras")
    import yaml

    def made(item: str) -> Any:
        ((type_, given),) = yaml.safe_load(item).items()
        if type_ == "Pipeline":
            return keras.layers.Pipeline([made(yaml.dump(one)) for one in given["layers"]])
        kind = getattr(keras.layers, type_)
        return kind(**given) if isinstance(given, dict) else kind(given)

    y = keras.Input(batch_shape=yaml.safe_load(case[0]))
    for item, shape in zip(case[1], case[2], strict=True):
        y = made(item)(y)
        assert y.shape == shape


@pytest.mark.parametrize(
    ("data_format", "roles"),
    [("channels_first", ("channels", "rows", "columns")), ("channels_last", ("rows", "columns", "channels"))],
)
def test_axes_of_one_image_are_those_that_its_layer_reads(data_format: str, roles: tuple[str, ...]) -> None:
    spec = f"input: [8, 8, 8]\nlayers:\n  - Resizing: {{height: 4, width: 4, data_format: {data_format}}}\n"
    model = read(spec.encode())
    assert _roles_alone(model, model.inputs[0], 3) == roles
