"""Where a result is what rounding leaves, `verify` and `convert` know it: real Keras and NumPy written out compute in
another order, and a fault of a thousandth still shows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerexplain.converted import convert
from layerexplain.frontends import read
from layerexplain.oracle.comparison import computed
from layerexplain.oracle.tolerance import JUDGED, Roundings, verdict
from layerexplain.oracle.verify import traced, verify
from tests.support.frameworks import keras

PROGRAMS = {
    "sum of a normalized vector": "z = ops.sum(layers.LayerNormalization(scale=False, center=False)(x), axis=-1)",
    "mean of what is without its mean": "z = ops.mean(x - ops.mean(x, axis=-1, keepdims=True), axis=-1)",
    "two orders of a product": "w = ops.matmul(ops.matmul(x, x), x) - ops.matmul(x, ops.matmul(x, x))\nz = w[:, 0]",
    "a normalized remainder": "y = ops.sum(ops.softmax(x), axis=-1, keepdims=True) - 1\nz = layers.Rescaling(1e6)(y)",
}


def _total(x: Any) -> Any:
    """The sum along the last axis from its end, one number after the other, in the precision of x."""
    return np.add.accumulate(x[..., ::-1], axis=-1)[..., -1]


def _without_mean(x: Any) -> Any:
    return x - (_total(x) / np.float32(x.shape[-1]))[..., None]


def _normalized(x: Any) -> Any:
    centred = _without_mean(x)
    return centred / np.sqrt(_total(centred * centred) / np.float32(x.shape[-1]) + np.float32(1e-3))[..., None]


def _softmax(x: Any) -> Any:
    return np.exp(x) / _total(np.exp(x))[..., None]


def _product(x: Any, y: Any) -> Any:
    return _total(x[:, :, None, :] * np.swapaxes(y, 1, 2)[:, None])


LONGHAND = {
    "sum of a normalized vector": lambda x: _total(_normalized(x)),
    "mean of what is without its mean": lambda x: _total(_without_mean(x)) / np.float32(11),
    "two orders of a product": lambda x: (_product(_product(x, x), x) - _product(x, _product(x, x)))[:, 0],
    "a normalized remainder": lambda x: (_total(_softmax(x)) - 1)[..., None] * np.float32(1e6),
}
SHAPE = {"two orders of a product": (7, 7)}


def program(name: str) -> bytes:
    """The program of a row; `z` is 0 but for rounding, whatever x is."""
    shape = SHAPE.get(name, (5, 11))
    return (
        f"import keras\nfrom keras import layers, ops\nx = keras.Input({shape}, name='x')\n{PROGRAMS[name]}\n"
        "model = keras.Model(x, z)\n"
    ).encode()


@pytest.mark.parametrize("name", PROGRAMS)
def test_rounding_explains_another_order_and_no_fault(name: str) -> None:
    network = traced(read(program(name)), {})
    assert network.definition is not None
    for seed in range(20):
        given = np.random.default_rng(seed).normal(size=(3, *SHAPE.get(name, (5, 11)))).astype("float32")
        ours = computed(network.definition, [given], [], 3, "float32")
        theirs = LONGHAND[name](given)
        assert theirs.dtype == np.float32
        found = ours.verdict(0, theirs, 1e-4)
        assert found.agrees, (seed, found)
        size = {"a normalized remainder": 1e6}.get(name, 1.0)
        wrong = ours.verdict(0, theirs + np.float32(1e-3 * size), 1e-4)
        assert not wrong.agrees, (seed, wrong)


def test_the_effect_of_rounding_is_that_of_float32() -> None:
    """64 ones and a normalized vector: the estimate lies between a half of a unit in the last place and the worst."""
    model = read(b"import keras\nx = keras.Input((64,))\nmodel = keras.Model(x, keras.ops.sum(x, axis=-1))\n")
    definition = traced(model, {}).definition
    assert definition is not None
    ones = np.ones((2, 64), "float32")
    for dtype, unit in (("float16", 2.0**-11), ("bfloat16", 2.0**-8), ("float32", 2.0**-24), ("float64", 2.0**-53)):
        effect = Roundings(definition, [ones], [], 2, (dtype,)).effect_on(0)
        assert 4 * unit < effect < 128 * unit, dtype


def test_whole_numbers_shapes_and_infinities_are_not_judged_by_rounding() -> None:
    def rounding() -> float:
        return 1e9

    whole = verdict(np.array([1, 2]), np.array([1, 3]), 1e-4, rounding)
    assert not whole.agrees and whole.rounding is None
    assert not verdict(np.array([1.0]), np.array([[1.0]]), 1e-4, rounding).agrees
    assert not verdict(np.array([np.inf]), np.array([1.0]), 1e-4, rounding).agrees
    zero = verdict(np.array([1e-7]), np.array([0.0]), 1e-4, lambda: 1e-7)
    assert zero.agrees and zero.apart == 1e-7 and zero.tolerance == JUDGED * 1e-7 and not zero.words
    far = verdict(np.array([1e-3]), np.array([0.0]), 1e-4, lambda: 1e-7)
    assert not far.agrees and far.words == "Keras returns 0 everywhere, the formula up to 0.001"


@pytest.mark.keras
@pytest.mark.parametrize("name", PROGRAMS)
def test_verify_and_convert_agree_on_what_rounding_leaves(name: str, tmp_path: Path) -> None:
    report = verify(program(name), gradient=True)
    assert report.agrees, [one for one in report.layers if one.status != "agrees"]
    keras.backend.clear_session(free_memory=False)
    space: dict[str, Any] = {}
    exec(compile(program(name), "<code>", "exec"), space)  # our own program
    space["model"].save(tmp_path / "source.keras")
    assert convert(tmp_path / "source.keras", tmp_path / "made.keras").form == "keras"
