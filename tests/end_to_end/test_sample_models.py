"""The sample models come out with the numbers that real Keras 3 gives for the same models."""

from typing import NamedTuple

import pytest

from layerexplain.frontends import read
from layerexplain.model import Shape
from layerexplain.render.layout import Look
from layerexplain.report import build
from layerexplain.report.data import LayerReport
from layerexplain.report.report import Report
from tests.support.paths import ROOT
from tests.support.printing import explanation, table
from tests.truth import load

FOLDER = ROOT / "sample_models"


class Row(NamedTuple):
    """What Keras says of a layer: class name, output shape, parameters, of these non-trainable."""

    type: str
    output_shape: Shape
    params: int = 0
    non_trainable: int = 0


DIGITS = [
    Row("Rescaling", (None, 8, 8, 1)),
    Row("Conv2D", (None, 8, 8, 12), 108),
    Row("BatchNormalization", (None, 8, 8, 12), 48, 24),
    Row("ReLU", (None, 8, 8, 12)),
    Row("MaxPooling2D", (None, 4, 4, 12)),
    Row("Conv2D", (None, 2, 2, 24), 2616),
    Row("Flatten", (None, 96)),
    Row("Dropout", (None, 96)),
    Row("Dense", (None, 10), 970),
]

TRANSFORMER_BLOCK = [
    Row("LayerNormalization", (None, 64, 128), 256),
    Row("MultiHeadAttention", (None, 64, 128), 66048),
    Row("Add", (None, 64, 128)),
    Row("LayerNormalization", (None, 64, 128), 256),
    Row("Dense", (None, 64, 512), 66048),
    Row("Dense", (None, 64, 128), 65664),
    Row("Dropout", (None, 64, 128)),
    Row("Add", (None, 64, 128)),
]

# Keras 3.15.1; the rows of what computes something, then the model's parameters.
EXPECTED: dict[str, tuple[list[Row], int]] = {
    "mnist_mlp.yaml": ([Row("Flatten", (None, 784)), Row("Dense", (None, 512), 401_920), Row("Dropout", (None, 512)),
        Row("Dense", (None, 10), 5_130), Row("Activation", (None, 10))], 407_050),
    "stacked_strided_convolutions.yaml": ([Row("Conv2D", (None, 14, 14, 16), 448), Row("Conv2D", (None, 7, 7, 32), 4_640)], 5_088),
    "wide_dense_without_bias.yaml": ([Row("Dense", (None, 25_600), 2_560_000), Row("Reshape", (None, 10, 10, 256))], 2_560_000),
    "unet.yaml": ([Row("Conv2D", (None, None, None, 8), 224), Row("MaxPooling2D", (None, None, None, 8)),
        Row("Conv2D", (None, None, None, 16), 1_168), Row("MaxPooling2D", (None, None, None, 16)),
        Row("Conv2D", (None, None, None, 32), 4_640), Row("MaxPooling2D", (None, None, None, 32)),
        Row("Conv2D", (None, None, None, 64), 18_496), Row("Conv2DTranspose", (None, None, None, 32), 8_224),
        Row("Concatenate", (None, None, None, 64)), Row("Conv2DTranspose", (None, None, None, 16), 4_112),
        Row("Concatenate", (None, None, None, 32)), Row("Conv2DTranspose", (None, None, None, 8), 1_032),
        Row("Concatenate", (None, None, None, 16)), Row("Conv2D", (None, None, None, 2), 34)], 37_930),
    "embedding_then_dense.yaml": ([Row("Embedding", (None, 6, 4), 40), Row("Dense", (None, 6, 10), 40)], 80),
    "stacked_lstm_flatten.yaml": ([Row("LSTM", (None, 20, 32), 5_248), Row("LSTM", (None, 20, 16), 3_136),
        Row("Flatten", (None, 320)), Row("Dense", (None, 1), 321)], 8_705),
    "autoencoder_with_embedding.yaml": ([Row("Embedding", (None, 12, 32), 32_000), Row("LSTM", (None, 24), 5_472),
        Row("RepeatVector", (None, 12, 24)), Row("LSTM", (None, 12, 24), 4_704),
        Row("TimeDistributed", (None, 12, 32), 800)], 42_976),
    "keras_1_convnet.json": (
        # As Keras 1.2 printed them.
        [
            Row("Conv2D", (None, 32, 26, 26), 320),
            Row("Activation", (None, 32, 26, 26)),
            Row("Conv2D", (None, 32, 24, 24), 9_248),
            Row("Activation", (None, 32, 24, 24)),
            Row("MaxPooling2D", (None, 32, 12, 12)),
            Row("Dropout", (None, 32, 12, 12)),
            Row("Flatten", (None, 4608)),
            Row("Dense", (None, 128), 589_952),
            Row("Activation", (None, 128)),
            Row("Dropout", (None, 128)),
            Row("Dense", (None, 10), 1_290),
            Row("Activation", (None, 10)),
        ],
        600_810,
    ),
    "keras_1_branches.h5": (
        # As Keras 1.2.2 counted them when it wrote the file.
        [
            Row("Sequential", (None, 4), 24),
            Row("Sequential", (None, 4), 32),
            Row("Concatenate", (None, 8)),
            Row("Dense", (None, 3), 27),
        ],
        83,
    ),
    "digits.keras": (DIGITS, 3_742),
    "digits.h5": (DIGITS, 3_742),
    "transformer.json": ([Row("Embedding", (None, 64, 128), 1_024_000), Row("Embedding", (None, 64, 128), 8_320),
        Row("Add", (None, 64, 128)), *TRANSFORMER_BLOCK, *TRANSFORMER_BLOCK,
        Row("LayerNormalization", (None, 64, 128), 256), Row("GlobalAveragePooling1D", (None, 128)),
        Row("Dense", (None, 4), 516)], 1_429_636),
}  # fmt: skip

APPLICATIONS = {"resnet50.json": "ResNet50", "efficientnet_b0.json": "EfficientNetB0"}


def report_of(file: str) -> Report:
    return build(read(str(FOLDER / file)))


def rows_of(report: Report) -> list[LayerReport]:
    """Without the inputs and the operations by which Keras 3 hands a mask from layer to layer."""
    return [row for row in report.layers if row.type not in {"InputLayer", "NotEqual", "LogicalOr"}]


@pytest.mark.parametrize("file", EXPECTED)
def test_layers_and_totals_are_those_of_keras(file: str) -> None:
    rows, params = EXPECTED[file]
    report = report_of(file)
    assert [
        Row(row.type, row.output_shapes[0] or (), row.params or 0, row.non_trainable or 0) for row in rows_of(report)
    ] == rows
    assert report.totals.params == params
    assert report.totals.non_trainable == sum(row.non_trainable for row in rows)
    assert report.totals.trainable == params - sum(row.non_trainable for row in rows)
    assert report.totals.bytes == 4 * params


@pytest.mark.parametrize("file", [*EXPECTED, *APPLICATIONS])
def test_every_layer_has_a_formula_and_nothing_is_amiss(file: str) -> None:
    report = report_of(file)
    assert all(row.operation for row in report.layers)
    assert not [note for note in report.notes if note.code == "opaque"]


@pytest.mark.parametrize(("file", "name"), APPLICATIONS.items())
def test_configurations_of_applications_have_their_totals(file: str, name: str) -> None:
    assert report_of(file).totals._asdict().items() >= load("keras3", name)["totals"].items()


def test_the_autoencoder_names_the_tensor_that_its_loss_needs() -> None:
    (embedding,) = [row for row in report_of("autoencoder_with_embedding.yaml").layers if row.layer == "embedding"]
    (table,) = embedding.weights
    assert (table.name, table.shape, table.trainable) == ("embeddings", (1_000, 32), True)


def test_padding_reaches_all_of_the_transformer() -> None:
    rows = {row.layer: row for row in report_of("transformer.json").layers}
    assert rows["position_embedding"].calls[0].mask is None
    for name in ("embedded", "block1_attention", "block2_attention", "block2_expand", "mean_of_tokens"):
        assert rows[name].calls[0].mask is not None, name


def test_all_files_are_told_of_in_the_readme_and_are_small() -> None:
    readme = (FOLDER / "README.md").read_text("utf-8")
    files = [file for file in FOLDER.iterdir() if file.suffix in {".yaml", ".keras", ".h5", ".json"}]
    assert {file.name for file in files} == {*EXPECTED, *APPLICATIONS}
    for file in files:
        assert f"`{file.name}`" in readme
        assert file.stat().st_size < (300_000 if file.suffix in {".keras", ".h5"} else 1_000_000)
        if file.suffix == ".yaml":
            assert file.read_text("utf-8").startswith("# ")


@pytest.mark.parametrize("file", [*EXPECTED, *APPLICATIONS])
def test_ascii_is_ascii(file: str) -> None:
    report = build(read(str(FOLDER / file)), detail=True)
    look = Look(None, ascii=True)
    for text in (explanation(report, report.layers, look), table(report, look)):
        assert text.isascii(), sorted({c for c in text if not c.isascii()})
