"""The lines of a tour: how a shape comes about, parameters as a product; and how weights begin, by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain.derive.shape_reasons import AxisReason
from layerexplain.model import TrainingSetting
from layerexplain.report import default_initializers as di
from layerexplain.report.short_lines import calls_text, parameters, product_text, shape_line, with_separators

A = AxisReason
SHAPES: list[tuple[list[AxisReason], str]] = [
    ([A("steps", "9", "9", "kept"), A("features", "5", "5", "kept")], ""), ([A("features", "5", "5", "axis of W")], ""),
    ([A(role, "28", "26", "28 - 3 + 1 = 26") for role in ("rows", "columns")], "28 - 3 + 1 = 26 rows and columns"), ([A(role, "3", "1", "3 - 3 + 1 = 1") for role in ("rows", "columns")], "3 - 3 + 1 = 1 row and column"),
    ([A("rows", "28", "26", "28 - 3 + 1 = 26"), A("columns", "9", "7", "9 - 3 + 1 = 7")], "28 - 3 + 1 = 26 rows; 9 - 3 + 1 = 7 columns"),
    ([A("steps", "9", "9", "kept; 'same' pads 1 before and 1 after")], "9 steps kept ('same')"), ([A("steps", "9", "9", "kept; 'same' pads 1"), A("features", "5", "6", "filters = 6")], "9 steps kept ('same'); 6 features, one per filter"),
    ([A("steps", "None", "None", "kept"), A("features", "5", "6", "units = 6")], "steps kept; 6 features, one per unit"), ([A("features", "5", "6", "units = 6, then 3")], "features 5 → 6: units = 6, then 3"),
    ([A("steps", "9", "removed", "all 9 are averaged")], "all 9 steps are averaged"), ([A("steps", "9", "removed", "the last is returned")], "steps removed: the last is returned"),
    ([A("steps", "9", "9", "kept; from a"), A("features", "5", "6", "units = 6")], "9 steps kept (from a); 6 features, one per unit"), ([A("steps", "9", "removed", "all 9 are summed; from a")], "all 9 steps are summed (from a)"),
    ([A("features", "5", "5", "was axis 2"), A("steps", "9", "9", "was axis 1")], "5 features, axis 2 of the input; 9 steps, axis 1 of the input"), ([A("features", "5", "7", "was axis 2")], "features 5 → 7: was axis 2"),
    ([A(role, "6", "2", "6 becomes 2 × 3") for role in ("rows", "columns")], "6 becomes 2 × 3, in the same order"), ([A("rows", "6", "2", "6 becomes 2 × 3"), A("new axis", "new", "1", "axis")], "6 becomes 2 × 3, in the same order; new axis of 1"),
    ([A("rows", "28", "20", "28 resized to 20"), A("columns", "28", "20", "28 resized to 20")], "rows and columns: 28 resized to 20"), ([A("features", "new", "2000", "features = 2000")], "2,000 new features"),
    ([A("new axis", "new", "1", "axis = -1")], "new axis of 1: axis = -1"), ([A("heads", "new", "2", "num_heads = 2")], "2 new heads: num_heads = 2"), ([A("features", "3", "12", "3 × 4 = 12; two")], "3 × 4 = 12 features (two)"),
    ([A("rows", "5", "10", "size = 10")], "10 rows = size"), ([A("rows", "2", "removed", "multiplied, then summed"), A("features", "5", "6", "units = 6")], "6 features, one per unit"), ([A("features", "5", "12345", "units = 12345")], "12,345 features, one per unit"),
]  # fmt: skip


@pytest.mark.parametrize(("axes", "line"), SHAPES, ids=[line or "nothing" for _, line in SHAPES])
def test_a_shape_line(axes: list[AxisReason], line: str) -> None:
    assert shape_line(axes) == line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("98 = 56448, 1234 (None, 20000, 8) (5000,) 999", "98 = 56,448, 1,234 (None, 20000, 8) (5000,) 999"),
        ("f(1000)", "f(1000)"),
    ],
)
def test_large_numbers_have_separators(text: str, expected: str) -> None:
    assert with_separators(text) == expected


def row(params: int, shared: str = "", trainable: int | None = None, calls: int = 1) -> Any:
    return SimpleNamespace(
        params=params, shared=shared, trainable=params if trainable is None else trainable, calls=[None] * calls
    )


def leaf(*axes: Any, buffer: bool = False) -> Any:
    return SimpleNamespace(attrs={"axes": [one if isinstance(one, list) else [one] for one in axes], "buffer": buffer})


KERNEL, BIAS = leaf(("inputs", 3), ("units", 5)), leaf(("units", 5))
PARAMETERS: list[tuple[Any, list[Any], str]] = [
    (row(20), [KERNEL, BIAS], "20 = 3 × 5 + 5"), (row(20), [KERNEL, BIAS, leaf(("units", 7), buffer=True)], "20 = 3 × 5 + 5"), (row(5), [leaf(("units", 5))], "5"), (row(0), [], ""), (row(0, "weights of a"), [], "weights of a"),
    (row(20, trainable=5), [KERNEL, BIAS], "20 = 3 × 5 + 5, 5 trainable"), (row(20, trainable=0), [KERNEL, BIAS], "20 = 3 × 5 + 5, none trainable"), (row(20, calls=2), [KERNEL, BIAS], "20 = 3 × 5 + 5, shared by both calls"),
    (row(20, calls=3), [KERNEL, BIAS], "20 = 3 × 5 + 5, shared by all 3 calls"), (row(20, "b is that of a"), [KERNEL, BIAS], "20; b is that of a"), (row(4000), [leaf(("a", 4000))], "4,000"), (row(1), [leaf()], "1"), (row(20), [], "20"),
]  # fmt: skip


@pytest.mark.parametrize(("of", "weights", "text"), PARAMETERS)
def test_parameters_are_a_product(of: Any, weights: list[Any], text: str) -> None:
    assert parameters(of, weights) == text
    assert (calls_text(2), calls_text(3)) == ("both calls", "all 3 calls")


GATES = (("gates", 4), ("units", 6))
PRODUCTS: list[tuple[list[Any], str]] = [
    ([(("rows", 3), ("filters", 32)), (("filters", 32),)], "3 × 32 + 32"), ([(("features", 64),)] * 4, "4 × 64"), ([(("a", 2), ("b", 3))] * 2, "2 × (2 × 3)"), ([(("a", 2), ("b", 3)), (("b", 3), ("a", 2))], "2 × (2 × 3)"),
    ([(("inputs", 5), *GATES), (("units", 6), *GATES), GATES], "4 gates × 6 units × (5 inputs + 6 units + 1)"), ([(("inputs", 5), *GATES), GATES], "5 × 4 × 6 + 4 × 6"),
    ([(("inputs", 5), *GATES), (("states", 6), *GATES), GATES, GATES], "4 gates × 6 units × (5 inputs + 6 states + 2)"), ([(("inputs", 5), *GATES), (("states", 6), *GATES), GATES] * 2, "2 × 4 gates × 6 units × (5 inputs + 6 states + 1)"),
    ([(("units", 1), ("a", 2)), (("units", 1), ("b", 3)), (("units", 1), ("c", 5))], "1 unit × (2 a + 3 b + 5 c)"), ([(("a", 2),), (("b", 3),), (("c", 5),)], "2 + 3 + 5"), ([()], "1"), ([], ""), ([(("a", 2000), ("b", 3))], "2,000 × 3"),
    ([(("a", 2),), (("a", 2),), (("b", 3),)], "2 × 2 + 3"),
]  # fmt: skip


@pytest.mark.parametrize(("terms", "text"), PRODUCTS)
def test_a_product_text(terms: list[Any], text: str) -> None:
    assert product_text(terms) == text


# How weights begin --------------------------------------------------------------------------------------------------

ARGUMENTS = {
    "kernel": "GlorotUniform", "depthwise": "GlorotUniform", "pointwise": "GlorotUniform", "recurrent": "Orthogonal", "embeddings": "RandomUniform", "bias": "Zeros", "beta": "Zeros", "alpha": "Zeros",
    "moving_mean": "Zeros", "gamma": "Ones", "moving_variance": "Ones",
}  # fmt: skip


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_default_initializer_of_an_argument(name: str) -> None:
    assert di.default_initializer(f"{name}_initializer") == ARGUMENTS[name]
    assert (
        di.default_initializer(f"{name}_regularizer") is None
        and di.default_initializer(f"x_{name}_initializer") is None
    )


WEIGHTS: list[tuple[str, str, str | None]] = [
    ("Dense", "kernel", "GlorotUniform"), ("SeparableConv2D", "depthwise_kernel", "GlorotUniform"), ("SeparableConv2D", "pointwise_kernel", "GlorotUniform"), ("LSTM", "recurrent_kernel", "Orthogonal"), ("Embedding", "embeddings", "RandomUniform"),
    ("Dense", "lora_kernel_a", "HeUniform"), ("Embedding", "lora_embeddings_a", "HeUniform"), ("Dense", "lora_kernel_b", "Zeros"), ("Embedding", "lora_embeddings_b", "Zeros"), ("BatchNormalization", "renorm_mean", "Zeros"), ("Normalization", "mean", "Zeros"),
    ("BatchNormalization", "moving_stddev", "Ones"), ("BatchNormalization", "renorm_stddev", "Ones"), ("Normalization", "variance", "Ones"), ("Attention", "scale", "Ones"), ("Attention", "concat_score_weight", "Ones"),
    ("ReversibleEmbedding", "reverse_embeddings", "RandomUniform"), ("SpectralNormalization", "vector_u", "TruncatedNormal"), ("Dense", "nothing", None),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "weight", "name"), WEIGHTS)
def test_the_usual_initializer_of_a_weight(type_: str, weight: str, name: str | None) -> None:
    found = di.usual_initializer(type_, weight)
    assert (None if found is None else found.name) == name
    assert weight != "vector_u" or (found is not None and found.config == {"stddev": 0.02})


FANS = [((3, 3, 16, 32), (144, 288)), ((5,), (5, 5)), ((), (1, 1)), ((3, 5), (3, 5)), ((2, 3, 5), (6, 10))]


@pytest.mark.parametrize(("shape", "expected"), FANS)
def test_fans_are_counted_as_keras_does(shape: tuple[int, ...], expected: tuple[int, int]) -> None:
    assert di.fans(shape) == expected


SQUARES: list[tuple[str, dict[str, Any], tuple[int, ...], float | None]] = [
    # The variance, and the square of the mean: 2 / (in + out), 2 / in, 1 / in; of a uniform number (a² + ab + b²) / 3.
    ("GlorotUniform", {}, (3, 5), 2 / 8), ("GlorotNormal", {}, (3, 5), 2 / 8), ("HeUniform", {}, (3, 5), 2 / 3), ("HeNormal", {}, (3, 5), 2 / 3), ("LecunUniform", {}, (3, 5), 1 / 3), ("LecunNormal", {}, (3, 5), 1 / 3),
    ("VarianceScaling", {}, (3, 5), 1 / 3), ("VarianceScaling", {"scale": 2.0, "mode": "fan_out"}, (3, 5), 2 / 5), ("VarianceScaling", {"mode": "fan_avg"}, (3, 5), 1 / 4), ("VarianceScaling", {"scale": 1e30}, (3, 5), 1 / 3), ("VarianceScaling", {"scale": "x"}, (3, 5), 1 / 3),
    ("RandomUniform", {}, (3, 5), 0.05**2 / 3), ("RandomUniform", {"minval": 1.0, "maxval": 2.0}, (3, 5), 7 / 3), ("RandomNormal", {}, (3, 5), 0.05**2), ("RandomNormal", {"mean": 2.0, "stddev": 3.0}, (3, 5), 13.0), ("TruncatedNormal", {"mean": 2.0, "stddev": 1.0}, (3, 5), 4.774),
    ("Orthogonal", {}, (3, 5), 1 / 5), ("Orthogonal", {"gain": 2.0}, (7, 5), 4 / 7), ("Orthogonal", {}, (2, 3, 5), 1 / 6), ("Orthogonal", {}, (5,), None), ("Zeros", {}, (5,), 0.0), ("Ones", {}, (5,), 1.0), ("Mine", {}, (5,), None), ("GlorotUniform", {}, (0, 0), 1.0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "config", "shape", "square"), SQUARES)
def test_the_mean_square_of_what_an_initializer_draws(
    name: str, config: dict[str, Any], shape: tuple[int, ...], square: float | None
) -> None:
    assert di.mean_square(TrainingSetting(name, config), shape) == (None if square is None else pytest.approx(square))
