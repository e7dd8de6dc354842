"""The masks that layers hand on, against real Keras: for every case whose tensors carry masks, or that makes one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from layerexplain.api import explain
from layerexplain.derive.evaluate import evaluate
from layerexplain.frontends import read
from layerexplain.layers.registry import find
from layerexplain.model import Layer, TensorRef
from layerexplain.network.masks import as_keras_runs
from layerexplain.network.trace import trace_model
from tests.cases import CASES, Case
from tests.support.frameworks import keras, tf, tf_keras
from tests.support.keras_oracle import keras_layer, run_keras, trace_case
from tests.support.operation_networks import network_of

MERGES = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")
MAKERS = ("Embedding", "ReversibleEmbedding", "Masking")
NOT_HERE = ("LSTM", "GRU", "SimpleRNN", "Bidirectional", "TimeDistributed", "RNN", "Softmax")
"""Wrappers and recurrent layers have their own tests; Softmax reads a mask that is none of steps."""


def _masked(case: Case) -> bool:
    return case.type not in NOT_HERE and (any(case.masks) or case.type in MAKERS)


def _keras_mask(case: Case, inputs: list[Any], masks: list[Any]) -> Any:
    """The mask of the first result, as a model of Keras would hand it on."""
    from keras.src.backend import get_keras_mask, set_keras_mask

    layer = keras_layer(case.type, case.config)
    tensors = [keras.ops.convert_to_tensor(x) for x in inputs]
    for x, mask in zip(tensors, masks, strict=True):
        if mask is not None:
            set_keras_mask(x, keras.ops.convert_to_tensor(mask))
    if case.type in ("MultiHeadAttention", "GroupQueryAttention"):
        more = {"attention_mask": tensors[3]} if len(tensors) > 3 else {}
        result = layer(*tensors[:3], **more, **case.call)
    else:
        result = layer(tensors if len(tensors) > 1 else tensors[0], **case.call)
    mask = get_keras_mask(result[0] if isinstance(result, list | tuple) else result)
    return None if mask is None else np.asarray(mask)


def _our_mask(case: Case, inputs: list[Any], masks: list[Any], weights: list[Any]) -> Any:
    declaration = find(case.type)
    assert declaration is not None
    if declaration.mask == "pass":
        return masks[0]
    if declaration.mask == "stop":
        return None
    definition = trace_case(case, fixed=True)
    if not any(m is not None for m in definition.masks):
        return None
    given = [m for m in masks if m is not None][: len(definition.params) - len(inputs)]
    return evaluate(definition, [*inputs, *given], weights)[len(definition.results)]


@pytest.mark.keras
@pytest.mark.parametrize("case", [c for c in CASES if _masked(c)], ids=lambda c: f"{c.id}{c.masks}")
def test_masks_equal_keras(case: Case) -> None:
    theirs = run_keras(case)
    expected = _keras_mask(case, theirs.inputs, theirs.masks)
    ours = _our_mask(case, theirs.inputs, theirs.masks, theirs.weight_values)
    assert (ours is None) == (expected is None), (ours, expected)
    if ours is not None:
        np.testing.assert_array_equal(np.broadcast_to(ours, expected.shape), expected)


@pytest.mark.keras
@pytest.mark.parametrize(
    "type_", sorted({c.type for c in CASES if len(c.shapes) == 1} - {"Lambda", *MAKERS, *NOT_HERE})
)
def test_a_layer_hands_on_the_mask_of_its_one_tensor_as_keras_does(type_: str) -> None:
    """Whether a layer supports masking is part of its declaration."""
    declaration = find(type_)
    assert declaration is not None
    case = next(c for c in CASES if c.type == type_ and len(c.shapes) == 1)
    layer = keras_layer(type_, case.config)
    if callable(declaration.mask) or not isinstance(layer, keras.layers.Layer):
        return
    mask = object()
    passes = layer.supports_masking and layer.compute_mask(None, mask) is mask
    assert passes == (declaration.mask == "pass"), type_


@pytest.mark.keras
@pytest.mark.parametrize(("shape", "dtype"), [((5, 1), "float32"), ((5, 6), "float32"), ((5, 6), "bool")])
def test_group_normalization_of_keras_2_weighs_by_its_mask(shape: tuple[int, ...], dtype: str, tmp_path: Path) -> None:
    """Keras 3 has no mask there; Keras 2 takes one that broadcasts to the input, of any numbers."""
    x, mask = tf_keras.Input((5, 6)), tf_keras.Input(shape, dtype=dtype)
    model = tf_keras.Model([x, mask], tf_keras.layers.GroupNormalization(3)(x, mask=mask))
    rng = np.random.default_rng(5)
    weights = [rng.normal(1, 0.3, w.shape).astype("float32") for w in model.weights]
    model.set_weights(weights)
    values = [rng.normal(size=(2, 5, 6)).astype("float32"), (rng.random((2, *shape)) * 2).astype(dtype)]
    if dtype == "bool":
        values[1] = rng.random((2, *shape)) > 0.4
    path = tmp_path / "m.json"
    path.write_text(model.to_json())
    network = network_of(path)
    assert network.definition is not None
    ours = evaluate(network.definition, values, weights)[0]  # then the mask
    np.testing.assert_allclose(ours, np.asarray(model(values)), atol=1e-5)
    (row,) = [row for row in explain(path, detail=True).layers if row.type == "GroupNormalization"]
    assert "left out" in str(row.explanation.mask if row.explanation else "")


OF_KERAS_2 = [
    case
    for case in CASES
    if any(case.masks)
    and (case.type in MERGES or case.type in ("Attention", "AdditiveAttention", "MultiHeadAttention"))
    and case.id != "Concatenate(axis=1)[5x3;4x3]"  # which tf_keras cannot run with one mask
]


@pytest.mark.keras
@pytest.mark.parametrize("case", OF_KERAS_2, ids=lambda c: f"{c.id}{c.masks}")
def test_masks_of_keras_2(case: Case) -> None:
    """Keras 2 joins masks by "and", leaves out tensors without one, computes without masks in Multiply, Maximum and
    Minimum, and lets a query that may look nowhere look everywhere."""
    rng = np.random.default_rng(len(case.id))
    layer = getattr(tf_keras.layers, case.type)(**case.config)
    values = [rng.normal(size=(2, *shape)).astype("float32") for shape in case.shapes]
    masks = [rng.random(x.shape[:2]) < 0.6 if masked else None for x, masked in zip(values, case.masks, strict=False)]
    masks += [None] * (len(values) - len(masks))
    tensors = [tf.constant(x) for x in values]
    for x, mask in zip(tensors, masks, strict=True):
        if mask is not None:
            x._keras_mask = tf.constant(mask)
    if case.type == "MultiHeadAttention":
        more = {"attention_mask": tensors[3]} if len(tensors) > 3 else {}
        made = layer(*tensors[:3], **more, **case.call)
    else:
        made = layer(tensors, **case.call)
    theirs = made if isinstance(made, list | tuple) else [made]
    definition = trace_case(case, fixed=True, keras_2=True)
    given = [m for m in masks if m is not None][: len(definition.params) - len(values)]
    ours = evaluate(definition, [*values, *given], [np.asarray(w) for w in layer.weights])
    results, own = ours[: len(theirs)], ours[len(theirs) :]
    for mine, other in zip(results, theirs, strict=True):
        np.testing.assert_allclose(mine, np.asarray(other), atol=1e-4)
    expected = getattr(theirs[0], "_keras_mask", None)
    assert (expected is None) == (not own)
    if own:
        np.testing.assert_array_equal(np.broadcast_to(own[0], expected.shape), expected)


def test_calls_run_by_their_distance_from_the_outputs() -> None:
    spec = """
input: [5, 4]
layers:
  - MultiHeadAttention: {num_heads: 2, key_dim: 3}
    name: attention
    from: [input, input]
  - {Dense: 4, name: first, from: input}
  - {Dense: 4, name: second}
  - {Add: , name: sum, from: [attention, second]}
"""
    model = read(spec.encode())
    ran = [call.layer for call in as_keras_runs(model, list(model.calls))]
    # Keras's map_graph: the sum has the depth 0, attention and second 1, first 2.
    assert ran.index("first") < min(ran.index("attention"), ran.index("second"))
    assert [model.calls[1].layer, ran[-1]] == ["attention", "sum"]


def test_a_nested_model_with_a_mask_that_is_not_known_has_its_shape() -> None:
    inner = read(b"name: inner\ninput: [5, 4]\nlayers:\n  - LSTM: 3\n")
    model = read(b"input: [5, 4]\nlayers:\n  - {Dense: 4, name: mine}\n  - {Dense: 4, name: inner, from: input}\n")
    of_input, mine, nested = model.layers
    mine = mine._replace(type="Mine", kind="custom", config={})
    nested = Layer(nested.name, "Functional", "model", {}, model=inner)
    first, second, last = model.calls
    last = last._replace(kwargs={"mask": TensorRef("mine", 0, 0)})
    network = trace_model(model._replace(layers=(of_input, mine, nested), calls=(first, second, last)))
    shapes = {made.call.layer: [spec and spec.shape[1:] for spec in made.outputs] for made in network.calls}
    assert shapes == {"input": [(5, 4)], "mine": [None], "inner": [(3,)]}
