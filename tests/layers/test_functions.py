"""The composite functions: real keras.activations as the oracle, and each body against its stable evaluator."""

from typing import Any

import numpy as np
import pytest

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.errors import ShapeError
from layerexplain.lang.axes import BATCH
from layerexplain.lang.composite import COMPOSITES
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr, tensor
from layerexplain.layers.keras.activations import NAMES, activate
from layerexplain.model import ForeignFunction
from tests.support.frameworks import keras
from tests.support.function_rows import ATTRIBUTES


def _inputs() -> Any:
    """Numbers around 0 and far from it, with ties and with each function's corners among them."""
    rng = np.random.default_rng(7)
    z = rng.normal(0, 3, (5, 4, 6)).astype("float32")
    z[0] = np.array(
        [-90, -6, -3, -1, -0.5, 0, 0.5, 0.7, 1, 2, 3, 6, 90, 1e-4, -1e-4, -30, 30, 1, 2, 2, 2, 5, -5, 0]
    ).reshape(4, 6)
    return z


def _definition(name: str, attrs: dict[str, Any]) -> Definition:
    z = tensor("z", (BATCH, 4, 6))
    y: Expr = COMPOSITES[name](z, **attrs) if name in COMPOSITES else activate(name, z)
    return Definition("case", (z,), (), {"y": y})


@pytest.mark.keras
@pytest.mark.parametrize(("name", "attrs"), ATTRIBUTES, ids=lambda v: str(v))
def test_values_equal_keras(name: str, attrs: dict[str, Any]) -> None:
    z = _inputs()
    with np.errstate(over="ignore"):  # exponential and the textbook bodies of branches that `where` drops
        ours = evaluate(_definition(name, attrs), [z], [])[0]
    theirs = np.asarray(getattr(keras.activations, name if name != "hard_swish" else "hard_silu")(z, **attrs))
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", sorted(n for n, c in COMPOSITES.items() if c.stable is not None))
def test_a_stable_evaluator_agrees_with_its_body(name: str) -> None:
    rng = np.random.default_rng(3)
    attrs: dict[str, Any] = next((a for n, a in reversed(ATTRIBUTES) if n == name), {})
    composite = COMPOSITES[name]
    values = [rng.normal(0, 2, (3, 4, 6)) if one != "ids" else rng.integers(0, 6, (3, 4)) for one in composite.tensors]
    body = composite.trace([((BATCH, *x.shape[1:]), "float" if x.ndim == 3 else "int64") for x in values], attrs)
    assert body.stable is not None
    expected = body.stable(np, *values, **attrs)
    body.stable = None
    ours = evaluate(body, values, [], Evaluation(3, "float64"))[0]
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)


def test_every_name_of_keras_is_known() -> None:
    names = (
        "celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear "
        "log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus "
        "sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink"
    )
    assert set(names.split()) == NAMES


@pytest.mark.keras
def test_names_are_those_of_the_installed_keras() -> None:
    known = {n for n in dir(keras.activations) if n.islower() and not n.startswith("_")}
    assert known - {"get", "serialize", "deserialize", "threshold"} == NAMES


def test_spellings_that_only_files_have() -> None:
    z = tensor("z", (BATCH, 3))
    assert activate(ForeignFunction("softmax_v2"), z).attrs["definition"].name == "softmax"
    leaky = activate(ForeignFunction("LeakyReLU"), z).attrs["definition"]
    assert (leaky.name, dict(leaky.attrs)) == ("leaky_relu", {"negative_slope": 0.3})
    assert activate(ForeignFunction("my_own"), z).op.name == "opaque"


def test_glu_needs_an_even_axis() -> None:
    with pytest.raises(ShapeError, match=r"glu needs an even size of axis -1, got \(None, 7\)"):
        activate("glu", tensor("z", (BATCH, 7)))


@pytest.mark.keras
@pytest.mark.parametrize("axis", [-1, 1, -2])
def test_sparsemax_is_that_of_the_paper(axis: int) -> None:
    """Keras 3.15 equals it only where one share is kept; where more are, its shares do not sum to 1."""
    z = _inputs()
    ours = np.moveaxis(evaluate(_definition("sparsemax", {"axis": axis}), [z], [])[0], axis, -1)
    theirs = np.moveaxis(np.asarray(keras.activations.sparsemax(z, axis=axis)), axis, -1)
    np.testing.assert_allclose(ours.sum(-1), np.ones(ours.shape[:-1]), atol=1e-5)
    for row, scores, other in zip(
        *(a.reshape(-1, a.shape[-1]) for a in (ours, np.moveaxis(z, axis, -1), theirs)), strict=True
    ):
        np.testing.assert_allclose(row, _projected(scores), atol=1e-5)
        if (row > 0).sum() == 1:
            np.testing.assert_allclose(row, other, atol=1e-5)


def _projected(scores: Any) -> Any:
    """The point of the simplex that is nearest to the scores, written out with a sort."""
    falling = np.sort(scores.astype("float64"))[::-1]
    sums = np.cumsum(falling)
    count = max(k for k in range(1, len(scores) + 1) if 1 + k * falling[k - 1] > sums[k - 1])
    return np.maximum(scores - (sums[count - 1] - 1) / count, 0)
