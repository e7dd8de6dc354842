"""Values of layers in training, quantized, or with their rarer arguments, written out in NumPy; and what they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.lang.axes import BATCH
from layerexplain.lang.expr import tensor
from layerexplain.layers.declaration import Spec
from layerexplain.layers.keras.operations_shape import flat_examples, in_a_row, reshaped, target_shape
from layerexplain.layers.registry import find
from layerexplain.model import Layer
from layerexplain.network.trace import trace_layer as traced
from layerexplain.network.trace import trace_model
from tests.support.tracing import trace_layer

RNG = np.random.default_rng(23)


def normed(x: Any) -> Any:
    return x / np.sqrt((x**2).sum())


def values(definition: Any, arrays: Any, weights: Any, batch: int = 2) -> list[Any]:
    return list(evaluate(definition, arrays, weights, Evaluation(batch, "float64")))


@pytest.mark.parametrize("times", [1, 3])
def test_a_kernel_divided_by_its_largest_singular_value(times: int) -> None:
    inner = Layer("d", "Dense", "layer", {"units": 3})
    config = {"layer": inner, "power_iterations": times}
    layer = Layer("s", "SpectralNormalization", "layer", config)
    x, w, b, u = RNG.normal(size=(2, 4)), RNG.normal(size=(4, 3)), RNG.normal(size=3), RNG.normal(size=(1, 3))
    found: dict[bool, Any] = {}
    for mode in (True, False):
        definition = traced(layer, [Spec((BATCH, 4), "float")], training=mode)
        by_name = {"kernel": w, "bias": b, "vector_u": u}
        found[mode] = values(definition, [x], [by_name[one.attrs["name"]] for one in definition.weights])[0]
    np.testing.assert_allclose(found[False], x @ w + b, atol=1e-6)
    now = u
    for _ in range(times):
        v = normed(now @ w.T)
        now = normed(v @ w)
    np.testing.assert_allclose(found[True], x @ (w / (v @ w @ now.T)) + b, atol=1e-6)


def test_products_of_whole_numbers() -> None:
    """Inputs are scaled so that the largest of each example is 127, kernels by their own scales."""
    x, w = RNG.normal(size=(2, 4)), RNG.integers(-127, 127, (4, 3)).astype("i1")
    b, scale = RNG.normal(size=3), RNG.uniform(50, 150, 3)
    definition = trace_layer("Dense", {"units": 3, "dtype": "int8_from_float32"}, [Spec((BATCH, 4), "float")])
    by_name = {str(one.attrs["name"]): one for one in definition.weights}
    given = {"kernel": w, "bias": b, "kernel_scale": scale}
    (y,) = values(definition, [x], [given[name] for name in by_name])
    s = 127 / (np.abs(x).max(1, keepdims=True) + 1e-7)
    np.testing.assert_allclose(y, np.clip(np.round(x * s), -127, 127) @ w / (scale * s) + b, atol=1e-5)


def test_attention_of_pytorch_gives_its_weights_where_they_are_wanted() -> None:
    declaration = find("torch.nn.MultiheadAttention")
    assert declaration is not None
    given = [Spec((BATCH, 5, 4), "float")] * 3
    for how, names, axes in (
        ({}, ["y", "A"], 3),
        ({"need_weights": False}, ["y"], 0),
        ({"average_attn_weights": False}, ["y", "A"], 4),
    ):
        bound = declaration.bind({"embed_dim": 4, "num_heads": 2, "batch_first": True, **how})
        definition = declaration.trace(given, bound)
        assert [*definition.results] == names and (not axes or definition.results["A"].ndim == axes)


@pytest.mark.parametrize(
    ("a", "b", "shape"),
    [((), (BATCH, 4), (BATCH, 4)), ((BATCH, 4), (), (BATCH, 4)), ((BATCH, 4), (4,), (BATCH,)), ((BATCH, 4), (4, 3), (BATCH, 3))],
)  # fmt: skip
def test_the_dot_of_numpy(a: Any, b: Any, shape: Any) -> None:
    definition = trace_layer("ops.Dot", {}, [Spec(a, "float"), Spec(b, "float")])
    arrays = [RNG.normal(size=tuple(2 if size is BATCH else size for size in one)) for one in (a, b)]
    (found,) = values(definition, arrays, [])
    assert next(iter(definition.results.values())).shape == shape
    np.testing.assert_allclose(found, np.dot(*arrays), atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "target", "expected"),
    [
        ((BATCH, 6), (-1, 2, 3), (BATCH, 2, 3)), ((BATCH, 6), (None, 3, 2), (BATCH, 3, 2)),
        ((BATCH, 2, 3), (-1, 6), (BATCH, 6)), ((4, 6), (-1, 6), (4, 6)), ((4, 6), 24, (24,)),
    ],
)  # fmt: skip
def test_the_batch_in_a_new_shape(shape: Any, target: Any, expected: Any) -> None:
    assert reshaped(tensor("x", shape), target).shape == expected


def test_shapes_of_files() -> None:
    assert (
        target_shape([None, 3, None]) == (BATCH, 3, -1)
        and target_shape(4) == (4,)
        and target_shape(["x", 3]) == (BATCH, 3)
    )
    row = tensor("x", (BATCH, 2, 3))
    assert flat_examples(row).shape == (BATCH, 6) and in_a_row(tensor("x", (4, 3))).shape == (12,)
    one = tensor("x", (5,))
    assert in_a_row(one) is one


@pytest.mark.parametrize(
    ("type_", "config", "words"),
    [
        ("weight_norm", {"type": "Mine", "arguments": {}}, "layerexplain has no formula for nn.Mine"),
        ("spectral_norm", {"type": "Mine", "arguments": {}}, "layerexplain has no formula for nn.Mine"),
        ("weight_norm", {"type": "Linear", "arguments": {"in_features": 4, "out_features": 3}, "name": "other"}, "nn.Linear has no weight 'other' to compute"),
    ],
)  # fmt: skip
def test_weights_that_cannot_be_computed(type_: str, config: dict[str, Any], words: str) -> None:
    declaration = find(f"torch.nn.utils.{type_}")
    assert declaration is not None
    with pytest.raises(LayerExplainError) as found:
        declaration.trace([Spec((BATCH, 4), "float")], declaration.bind(config))
    assert found.value.fact == words


@pytest.mark.parametrize("is_new", [True, False])
def test_a_kernel_in_a_length_and_a_direction(is_new: bool) -> None:
    declaration = find("torch.nn.utils.weight_norm")
    assert declaration is not None
    config = {"type": "Linear", "arguments": {"in_features": 4, "out_features": 3}, "is_new": is_new}
    definition = declaration.trace([Spec((BATCH, 4), "float")], declaration.bind(config))
    x, b, g, v = RNG.normal(size=(2, 4)), RNG.normal(size=3), RNG.normal(size=(3, 1)), RNG.normal(size=(3, 4))
    assert [w.shape for w in definition.weights] == [(3,), (3, 1), (3, 4)]
    names = [(tuple(w.attrs["at"]), w.attrs["name"]) for w in definition.weights[1:]]
    assert [name for _, name in names] == (["original0", "original1"] if is_new else ["weight_g", "weight_v"])
    (y,) = values(definition, [x], [b, g, v])
    w = g * v / np.sqrt((v**2).sum(1, keepdims=True))
    np.testing.assert_allclose(y, x @ w.T + b, atol=1e-6)


@pytest.mark.parametrize(("size", "facts"), [(4, []), (5, ["every call of d needs tensors that fit the same weights"])])
def test_an_own_layer_calls_an_inner_layer_with_the_same_weights(size: int, facts: list[str]) -> None:
    spec = (
        "define:\n  Twice:\n    inputs: {x: [p], z: [q]}\n    layers: {d: {Dense: 3}}\n    formula: y = d(x) + d(z)\n"
        f"inputs: {{a: [4], b: [{size}]}}\nlayers:\n  - Twice:\n    from: [a, b]\n"
    )
    found = [one.fact for one in trace_model(read(spec.encode())).faults]
    assert len(found) == len(facts) and all(words in one for words, one in zip(facts, found, strict=True))
