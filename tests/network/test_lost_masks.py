"""Masks that are lost: at layers that do not hand them on, and in Keras's MultiHeadAttention, which takes them off its
inputs while it runs. Which layers see what is compared with Keras.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerexplain.frontends import read
from layerexplain.layers.registry import find
from layerexplain.network.trace import trace_model
from layerexplain.oracle.verify import verify
from layerexplain.report.build import build
from tests.cases import CASES, Case
from tests.support.keras_oracle import keras_layer

pytestmark = pytest.mark.keras
keras = pytest.importorskip("keras")
layers = keras.layers


def tokens(name: str, length: int = 7) -> tuple[Any, Any]:
    ids = keras.Input((length,), dtype="int32", name=f"{name}_ids")
    return ids, layers.Embedding(11, 8, mask_zero=True, name=name)(ids)


def norm_last() -> Any:
    """A transformer that normalizes last: Add sees the mask of attention's output and none of its own input."""
    ids, x = tokens("tokens")
    for i in range(2):
        x = layers.Add(name=f"add{i}")([x, layers.MultiHeadAttention(2, 4, name=f"attend{i}")(x, x)])
        x = layers.LayerNormalization(name=f"norm{i}")(x)
        x = layers.Add(name=f"add_dense{i}")([x, layers.Dense(8, name=f"dense{i}")(x)])
    return keras.Model(ids, layers.LSTM(3, name="read")(x))


def norm_first() -> Any:
    ids, x = tokens("tokens")
    y = layers.LayerNormalization(name="norm")(x)
    x = layers.Add(name="add")([x, layers.MultiHeadAttention(2, 4, name="attend")(y, y)])
    return keras.Model(ids, layers.GlobalAveragePooling1D(name="mean")(x))


def values_by_mask() -> Any:
    """Multiply and Maximum compute with the masks that their tensors carry; Dense beside them goes first."""
    ids, x = tokens("tokens")
    side = layers.Dense(8, name="side")(x)
    y = layers.Multiply(name="multiply")([x, layers.MultiHeadAttention(2, 4, name="attend")(x, x)])
    return keras.Model(ids, layers.GlobalAveragePooling1D(name="mean")(layers.Maximum(name="largest")([y, side, x])))


def decoder() -> Any:
    """The second block's attention over the encoder finds no mask there: the first block's took it off."""
    source, encoded = tokens("encoded")
    target, x = tokens("decoded", 5)
    for i in range(2):
        own = layers.MultiHeadAttention(2, 4, name=f"own{i}")(x, x, use_causal_mask=True)
        x = layers.LayerNormalization(name=f"norm_own{i}")(layers.Add(name=f"add_own{i}")([x, own]))
        cross = layers.MultiHeadAttention(2, 4, name=f"cross{i}")(x, encoded)
        x = layers.LayerNormalization(name=f"norm_cross{i}")(layers.Add(name=f"add_cross{i}")([x, cross]))
    return keras.Model([source, target], layers.Dense(4, name="out")(x))


def nested() -> Any:
    """A nested model gives its inputs the masks that they had when the model was built."""
    ids, x = tokens("tokens")
    given = keras.Input((7, 8))
    inner = keras.Model(given, layers.Multiply(name="m")([given, layers.Dropout(0.1, name="d")(given)]), name="inner")
    attended = layers.MultiHeadAttention(2, 4, name="attend")(x, x)
    return keras.Model(ids, layers.GRU(3, name="read")(layers.Multiply(name="all")([x, inner(x), attended])))


def given_back() -> Any:
    """Attention takes the mask off, a nested model that runs after it puts it back, and the product that follows
    sees it."""
    ids, x = tokens("tokens")
    attended = layers.Flatten(name="flat")(layers.MultiHeadAttention(2, 4, name="attend")(x, x))
    attended = layers.Dense(8, name="last")(layers.Dense(3, name="first")(attended))
    given = keras.Input((7, 8))
    inner = keras.Model(given, layers.Flatten(name="rows")(given), name="inner")
    narrow = layers.Dense(8, name="narrow_2")(layers.Dense(3, name="narrow_1")(inner(x)))
    square = layers.GlobalAveragePooling1D(name="mean")(layers.Multiply(name="square")([x, x]))
    return keras.Model(ids, layers.Add(name="sum")([layers.Dense(8, name="more")(attended), narrow, square]))


MODELS: dict[Callable[[], Any], list[str]] = {
    norm_last: ["add0"],
    norm_first: [],
    values_by_mask: ["multiply"],
    decoder: ["add_own0"],
    nested: ["all"],
    given_back: [],
}


@pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
def test_every_layer_sees_the_masks_that_it_sees_in_keras(make: Callable[[], Any], tmp_path: Path) -> None:
    model = make()
    path = tmp_path / "model.keras"
    model.save(path)
    for source in (model, path):
        report = verify(source, drawn=True)
        assert report.agrees and not report.of("not compared")
        assert report.whole.difference is not None and report.whole.difference < 1e-5
        told = [note.layer for note in build(read(source)).notes if note.code == "mask-taken-off"]
        assert told == MODELS[make]


BUILT_BEFORE = """
input: {shape: [7], dtype: int32}
layers:
  - Embedding: {input_dim: 11, output_dim: 8, mask_zero: true}
    name: tokens
  - MultiHeadAttention: {num_heads: 2, key_dim: 4}
    name: attend
    from: [tokens, tokens]
  - Flatten
  - Dense: 3
  - {Dense: 8, name: last}
  - {Dropout: 0.1, name: late, from: tokens}
  - {LSTM: 8, name: read}
  - Add:
    from: [last, read]
"""


def test_a_layer_keeps_the_mask_that_it_was_built_with() -> None:
    # Dropout runs behind attention and sees no mask; LSTM behind it was given one when the model was built.
    report = verify(BUILT_BEFORE.encode(), drawn=True)
    assert report.agrees and not report.of("not compared")
    rows = {row.layer: row for row in build(read(BUILT_BEFORE.encode())).layers}
    assert {name: rows[name].calls[0].mask for name in ("late", "read")} == {"late": None, "read": "tokens"}


def test_tf_keras_leaves_the_masks_where_they_are(tmp_path: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    ids = tf_keras.Input((7,), dtype="int32")
    x = tf_keras.layers.Embedding(11, 8, mask_zero=True)(ids)
    y = tf_keras.layers.Multiply()([x, tf_keras.layers.MultiHeadAttention(2, 4)(x, x)])
    model = tf_keras.Model(ids, tf_keras.layers.LSTM(3)(y))
    report = build(read(model))
    assert not report.notes
    assert report.layers[-1].calls[0].mask is not None


# Layers that do not hand a mask on ------------------------------------------------------------------------------------

NOT_ASKED = {"Embedding", "ReversibleEmbedding", "Masking", "Lambda", "Softmax", "Discretization", "IntegerLookup",
             "RepeatVector", "SpectralNormalization"}  # fmt: skip
"""Layers that make a mask or take one that is not of steps, run code, or take no sequences of numbers."""
ONE_TENSOR: dict[str, Case] = {}
for _case in CASES:
    _declared = find(_case.type)
    _asked = "." not in _case.type and _case.type not in NOT_ASKED and _declared is not None
    if _asked and not _declared.takes_list and [len(shape) for shape in _case.shapes] == [2]:
        ONE_TENSOR.setdefault(_case.type, _case)
ONE_TENSOR["Rescaling"] = Case("Rescaling", {"scale": 2.0}, ((6, 4),))


def masked(of: Any, case: Case, layer: Any) -> tuple[Any, Any, list[str]]:
    """A model in which a masked tensor goes through the layer to an LSTM; the layer's output; who Keras warns of."""
    x = of.Input(case.shapes[0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out = layer(of.layers.Masking(name="made")(x))
        first = out[0] if isinstance(out, list | tuple) else out
        y = of.layers.LSTM(2, name="reads")(first) if len(first.shape) == 3 and first.shape[-1] else first
        model = of.Model(x, y)
    return model, first, [str(w.message).split("'")[1] for w in caught if "destroy the mask" in str(w.message)]


def read_too(model: Any) -> tuple[list[str], dict[str, str]]:
    """The layers that lose a mask by our account, and what the notes say of them."""
    model = read(model)
    notes = {note.layer or "": note.message for note in build(model).notes if note.code == "mask-lost"}
    return list(trace_model(model).lost), notes


@pytest.mark.parametrize("type_", sorted(ONE_TENSOR))
def test_a_mask_is_lost_where_keras_warns(type_: str) -> None:
    layer = keras_layer(type_, ONE_TENSOR[type_].config)
    model, _, warned = masked(keras, ONE_TENSOR[type_], layer)
    lost, notes = read_too(model)
    assert lost == warned
    reads = warned and model.layers[-1].name == "reads"
    words = "the mask of 'made' is lost here; therefore 'reads' also reads the padding"
    assert notes == ({layer.name: words} if reads else {})


@pytest.mark.parametrize("type_", ["Identity", "Rescaling", "Normalization", "Dense", "Conv1D", "Flatten", "Permute",
                                   "UpSampling1D", "MaxPooling1D", "SeparableConv1D", "ZeroPadding1D", "Activation"])  # fmt: skip
def test_a_mask_is_lost_where_tf_keras_hands_on_none(type_: str) -> None:
    """tf_keras loses masks without a warning, also at layers that hand them on in Keras 3."""
    tf_keras = pytest.importorskip("tf_keras")
    case = ONE_TENSOR[type_]
    layer = getattr(tf_keras.layers, type_).from_config(dict(case.config))
    model, out, _ = masked(tf_keras, case, layer)
    lost, _ = read_too(model)
    assert lost == ([layer.name] if getattr(out, "_keras_mask", None) is None else [])


def test_layers_far_behind_read_the_padding() -> None:
    """The first layer that loses the mask is named, once, for all that would use it; also inside nested models."""
    ids, x = tokens("tokens")
    x = layers.Reshape((14, 4), name="reshape")(layers.Flatten(name="flatten")(x))
    read_1 = layers.LSTM(3, return_sequences=True, name="read_1")(layers.Conv1D(4, 3, name="conv")(x))
    inner = keras.Sequential([keras.Input((12, 3)), layers.GRU(2, name="read_2")], name="inner")
    lost, notes = read_too(keras.Model(ids, inner(read_1)))
    assert lost == ["flatten"]
    words = "therefore 'read_1' and 'inner/read_2' also read the padding"
    assert notes == {"flatten": f"the mask of 'tokens' is lost here; {words}"}


def test_no_layer_misses_a_mask_where_no_steps_are_left() -> None:
    ids, x = tokens("tokens")
    pooled = layers.RepeatVector(5, name="again")(layers.GlobalMaxPooling1D(name="most")(x))
    lost, notes = read_too(keras.Model(ids, layers.LSTM(3)(pooled)))
    assert (lost, notes) == (["most"], {})


@pytest.mark.parametrize("mask", [None, lambda inputs, mask: mask])
def test_a_lambda_and_operations_lose_a_mask(mask: Any) -> None:
    ids, x = tokens("tokens")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        own = layers.Lambda(lambda t: t * 2, mask=mask, name="own")(x)
    warned = any("destroy the mask" in str(w.message) for w in caught)
    model = keras.Model(ids, [layers.LSTM(3, name="read_own")(own), layers.LSTM(3, name="read_twice")(x * 2.0)])
    lost, notes = read_too(model)
    assert ("own" in lost) == warned == (mask is None)
    assert {name.partition("_")[0] for name in notes} == {"multiply", *(["own"] * warned)}
