"""Functions of attention in language models, against NumPy longhand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from layerexplain.derive.cost import Costs
from layerexplain.derive.element.form import element_form
from layerexplain.derive.element.text import element_text
from layerexplain.derive.evaluate import evaluate
from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import tensor, weight
from layerexplain.lang.parse import parse
from layerexplain.ops import load_all

load_all()
RNG = np.random.default_rng(11)
HEADS = RNG.normal(size=(2, 5, 3, 8))
SCORES = RNG.normal(size=(2, 3, 5, 7))


def defined(text: str, shape: tuple[int, ...]) -> Definition:
    x = tensor("x", (BATCH, *shape[1:]))
    W = weight("kernel", "W", [("units", 11), ("inputs", 8)])
    made = parse(text, {"x": x, "W": W})
    return Definition("case", (x,), (W,), {"y": made["y"]})


def value(text: str, x: Any) -> Any:
    return evaluate(defined(text, x.shape), [x], [RNG.normal(size=(11, 8))])[0]


def turned(x: Any, frequencies: Any, pairs: Any) -> Any:
    """Each pair of features as a complex number, times e to the angle."""
    y = x.copy()
    for (a, b), f in zip(pairs, frequencies, strict=True):
        for t in range(x.shape[1]):
            number = (x[:, t, :, a] + 1j * x[:, t, :, b]) * np.exp(1j * t * f)
            y[:, t, :, a], y[:, t, :, b] = number.real, number.imag
    return y


HALVES = [(0, 4), (1, 5), (2, 6), (3, 7)]


def test_rope_turns_pairs_of_halves() -> None:
    f = [100.0 ** (-2 * i / 8) for i in range(4)]
    made = value("y = rope(x, angles(x, theta=100.0, features=8))", HEADS)
    np.testing.assert_allclose(made, turned(HEADS, f, HALVES), atol=1e-6)


def test_rope_turns_neighbours_and_leaves_the_rest() -> None:
    f = [10000.0 ** (-2 * i / 4) for i in range(2)]
    made = value("y = rope(x, angles(x, features=4), neighbours=True)", HEADS)
    np.testing.assert_allclose(made, turned(HEADS, f, [(0, 1), (2, 3)]), atol=1e-6)


def test_rope_is_scaled() -> None:
    plain = value("y = rope(x, angles(x, features=8))", HEADS)
    np.testing.assert_allclose(value("y = rope(x, angles(x, features=8), scale=1.5)", HEADS), 1.5 * plain, atol=1e-6)


def test_frequencies_of_llama_3_pass_from_slow_to_fast() -> None:
    f = []
    for i in range(4):
        own = 10000.0 ** (-2 * i / 8)
        length = 2 * math.pi / own
        if length > 160 / 1.0:
            f.append(own / 8)
        elif length < 160 / 4.0:
            f.append(own)
        else:
            share = (160 / length - 1) / 3
            f.append((1 - share) * own / 8 + share * own)
    assert f[0] == 1.0
    assert f[-1] == pytest.approx(0.001 / 8)
    made = value("y = angles(x, features=8, scaling=('llama3', 8.0, 1.0, 4.0, 160))", HEADS)
    np.testing.assert_allclose(made, np.arange(5)[:, None] * np.array(f), rtol=1e-6)


@pytest.mark.parametrize("length", [4, 5])
@pytest.mark.parametrize("is_known", [True, False])
def test_frequencies_by_the_length_of_the_text(length: int, is_known: bool) -> None:
    x = HEADS if is_known else None
    factors = (1.5, 2.0, 2.5, 3.0, 11.0, 13.0, 17.0, 19.0)
    plain = np.array([10000.0 ** (-2 * i / 8) for i in range(4)])
    made = run_at(f"y = angles(x, features=8, scaling=('longrope', {length}, {', '.join(map(str, factors))}))", x)
    used = factors[4:] if length < 5 else factors[:4]
    np.testing.assert_allclose(made, np.arange(5)[:, None] * (plain / used), rtol=1e-6)
    made = run_at(f"y = angles(x, features=8, scaling=('dynamic', 3.0, {length}))", x)
    base = 10000.0 * (3.0 * 5 / length - 2.0) ** (8 / 6)
    np.testing.assert_allclose(
        made, np.arange(5)[:, None] * np.array([base ** (-2 * i / 8) for i in range(4)]), rtol=1e-6
    )


def run_at(text: str, x: Any) -> Any:
    """The value for HEADS, whose length the formula knows where x is given."""
    if x is not None:
        return value(text, x)
    open_x = tensor("x", (BATCH, None, 3, 8))
    return evaluate(Definition("case", (open_x,), (), {"y": parse(text, {"x": open_x})["y"]}), [HEADS], [])[0]


@pytest.mark.parametrize("apart", [True, False])
def test_angles_of_a_grid_follow_its_rows_and_columns(apart: bool) -> None:
    """As Pixtral (apart) and Qwen2-VL have them: half of the pairs for the row of a patch, half for its column."""
    x = RNG.normal(size=(2, 15, 3, 8))
    made = value(f"y = grid_angles(x, columns=5, theta=100.0, features=8, apart={apart})", x)
    own = [100.0 ** (-2 * i / 8) for i in range(4)]
    rows, columns = (own[0::2], own[1::2]) if apart else (own[0::2], own[0::2])
    for patch in range(15):
        row, column = divmod(patch, 5)
        expected = [*[row * f for f in rows], *[column * f for f in columns]]
        np.testing.assert_allclose(made[patch], expected, rtol=1e-6)


@pytest.mark.parametrize(("window", "text"), [(None, "causal(x)"), (3, "causal(x, window=3)")])
def test_causal_keeps_earlier_keys_of_the_window(window: int | None, text: str) -> None:
    made = value(f"y = {text}", SCORES)
    for i in range(5):
        for j in range(7):
            seen = j <= i and (window is None or j > i - window)
            expected = SCORES[:, :, i, j] if seen else -math.inf
            np.testing.assert_allclose(made[:, :, i, j], expected, rtol=1e-6)


def test_slopes_of_heads_are_those_of_the_paper() -> None:
    made = value("y = alibi(x)", np.zeros((1, 8, 2, 4)))
    np.testing.assert_allclose(made[0, :, 1, 1], [2.0 ** -(i + 1) for i in range(8)])
    np.testing.assert_allclose(made[0, 0, 0], [0, 0.5, 1, 1.5])
    three = value("y = alibi(x)", SCORES) - SCORES
    np.testing.assert_allclose(three[0, :, 0, 1], [2.0**-4, 2.0**-8, 2.0**-2], rtol=1e-5)


def test_buckets_are_those_of_the_loop() -> None:
    def bucket(distance: int) -> int:
        number = 4 if distance > 0 else 0
        beyond = abs(distance)
        if beyond < 2:
            return number + beyond
        return number + min(2 + int(math.log(beyond / 2) / math.log(16 / 2) * 2), 3)

    made = value("y = relative_buckets(x, buckets=8, most=16)", np.zeros((1, 13, 2)))
    assert made.tolist() == [[bucket(j - i) for j in range(13)] for i in range(13)]
    causal = value("y = relative_buckets(x, buckets=8, most=16, both=False)", np.zeros((1, 5, 2)))
    assert causal.tolist() == [[max(i - j, 0) for j in range(5)] if i < 5 else [] for i in range(5)]


def test_linear_has_a_row_of_weights_for_each_output() -> None:
    made = defined("y = linear(x, W)", (2, 5, 8))
    W = RNG.normal(size=(11, 8))
    x = RNG.normal(size=(2, 5, 8))
    np.testing.assert_allclose(evaluate(made, [x], [W])[0], x @ W.T, rtol=1e-5, atol=1e-6)
    assert Costs().cost_of(made).macs == 5 * 11 * 8
    assert element_text(element_form(made)).lines == ("y[n, t, k] = Σ m<8 x[n, t, m]·W[k, m]",)


@pytest.mark.parametrize(
    "text",
    [
        "linear(x, x)",
        "rope(x, x)",
        "angles(x, features=0)",
        "grid_angles(x, columns=5, features=6)",
        "alibi(x[0])",
        "causal(x[0, 0, 0, 0])",
    ],
)
def test_what_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(LayerExplainError):
        value(f"y = {text}", HEADS)
