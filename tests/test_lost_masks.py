"""Masks that Keras's MultiHeadAttention takes off its inputs while it runs: which layers see what, held against Keras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerexplain.frontends import read
from layerexplain.oracle.verify import verify
from layerexplain.report.build import build

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


MODELS: dict[Callable[[], Any], list[str]] = {
    norm_last: ["add0"],
    norm_first: [],
    values_by_mask: ["multiply"],
    decoder: ["add_own0"],
    nested: ["all"],
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


def test_tf_keras_leaves_the_masks_where_they_are(tmp_path: Path) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    ids = tf_keras.Input((7,), dtype="int32")
    x = tf_keras.layers.Embedding(11, 8, mask_zero=True)(ids)
    y = tf_keras.layers.Multiply()([x, tf_keras.layers.MultiHeadAttention(2, 4)(x, x)])
    model = tf_keras.Model(ids, tf_keras.layers.LSTM(3)(y))
    report = build(read(model))
    assert not report.notes
    assert report.layers[-1].calls[0].mask is not None
