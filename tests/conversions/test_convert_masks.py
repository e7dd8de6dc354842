"""`convert` of masked models of Keras 2: the layers see in Keras 3 the masks that they saw before."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerexplain import api
from layerexplain.errors import LayerExplainError
from tests.support.frameworks import keras, tf_keras

np = pytest.importorskip("numpy")


def _ids(layers: Any, name: str = "tokens", steps: int = 5) -> tuple[Any, Any]:
    x = layers.Input((steps,), dtype="int32", name=name)
    return x, layers.Embedding(7, 4, mask_zero=True, name=f"{name}_embedded")(x)


def _block(layers: Any, y: Any, name: str, dropout: float = 0.0, **call: Any) -> Any:
    """Attention, then Add, then LayerNormalization: a transformer that normalizes last."""
    attended = layers.MultiHeadAttention(2, 3, dropout=dropout, name=f"{name}_attend")(y, y, **call)
    return layers.LayerNormalization(name=f"{name}_norm")(layers.Add(name=f"{name}_add")([y, attended]))


def _transformer(m: Any, head: str, dropout: float = 0.1) -> Any:
    layers = m.layers
    x, y = _ids(layers)
    y = _block(layers, _block(layers, y, "first", dropout, use_causal_mask=True), "second", dropout)
    return m.Model(x, {"pool": layers.GlobalAveragePooling1D(name="end"), "flat": layers.Flatten(name="end")}[head](y))


def _translator(m: Any) -> Any:
    layers = m.layers
    (s, source), (t, target) = _ids(layers, "source"), _ids(layers, "target", 3)
    memory, y = _block(layers, source, "encoder"), _block(layers, target, "decoder", use_causal_mask=True)
    y = layers.Add(name="sum")([y, layers.MultiHeadAttention(2, 3, name="cross")(y, memory)])
    return m.Model([s, t], layers.Dense(7, activation="softmax", name="word")(y))


def _joined(m: Any) -> Any:
    layers = m.layers
    a, left = _ids(layers, "a")
    b = layers.Input((5, 4), name="b")
    return m.Model([a, b], layers.LSTM(3, name="end")(layers.Concatenate(name="joined")([left, b])))


def _masking(m: Any) -> Any:
    layers = m.layers
    x = layers.Input((5, 3), name="x")
    y = layers.Masking(0.0, name="masked")(x)
    y = layers.Attention(name="attend")(
        [y, layers.Multiply(name="gated")([y, layers.Dense(3, activation="sigmoid", name="gate")(y)])]
    )
    model = m.Model(x, layers.GRU(3, return_sequences=True, name="end")(y))
    model.compile("adam", "mse")
    return model


def _nested(m: Any) -> Any:
    layers = m.layers
    x, y = _ids(layers, "ids")
    encoder = m.Model(x, layers.GlobalAveragePooling1D(name="pool")(_block(layers, y, "one")), name="encoder")
    tokens = layers.Input((5,), dtype="int32", name="tokens")
    return m.Model(tokens, layers.Dense(3, name="end")(encoder(tokens)))


def _masked_from_outside(m: Any) -> Any:
    layers = m.layers
    x = layers.Input((5, 4), name="x")
    encoder = m.Model(x, layers.GlobalAveragePooling1D(name="pool")(_block(layers, x, "one")), name="encoder")
    tokens, y = _ids(layers)
    return m.Model(tokens, encoder(y))


def _unweighted(m: Any) -> Any:
    layers = m.layers
    x = layers.Input((5, 3), name="x")
    y = layers.Rescaling(0.5, name="scaled")(layers.Masking(0.0, name="masked")(x))
    return m.Model(x, layers.GlobalAveragePooling1D(name="end")(y))


def _tagger(m: Any) -> Any:
    layers = m.layers
    return m.Sequential([
        layers.Input((5,), dtype="int32"), layers.Embedding(7, 4, mask_zero=True), layers.LSTM(3, return_sequences=True), layers.Dense(2),
    ])  # fmt: skip


MODELS: dict[str, tuple[Callable[[Any], Any], tuple[str, ...]]] = {
    "a transformer": (lambda m: _transformer(m, "pool"), ("'first_attend', 'second_attend', 'end' get their masks",)),
    "encoder and decoder": (_translator, ("'decoder_attend', 'encoder_attend', 'cross' get their masks",)),
    "one mask in a Concatenate": (_joined, ("so 'end' gets its mask",)),
    "a Multiply of masked tensors": (_masking,
        ("'attend', 'end' get their masks as arguments, and 'gated' gets its input without the mask",
        "the optimizer's state")),
    "inside a nested model": (_nested, ("'encoder/one_attend', 'encoder/pool' get their masks",)),
    "no weights, and a mask that ends in Keras 2": (_unweighted, ("so 'end' gets its input without the mask",)),
    "nothing that Keras 3 does in another way": (_tagger, ()),
}  # fmt: skip


def filled(model: Any) -> Any:
    rng = np.random.default_rng(5)
    for one in model.weights:
        one.assign(rng.uniform(-1, 1, one.shape) + (1 if "norm" in one.name else 0))
    return model


def drawn(model: Any) -> dict[str, Any]:
    """Values with paddings in them."""
    rng = np.random.default_rng(7)
    found = {}
    for one in model.inputs:
        shape = (4, *one.shape[1:])
        values = rng.integers(0, 3, shape) if "int" in str(one.dtype) else rng.normal(size=shape)
        found[one.name] = np.where(rng.random((*shape[:2], *[1] * (len(shape) - 2))) < 0.4, 0, values).astype(
            str(getattr(one.dtype, "name", one.dtype))
        )
    return found


def run(model: Any, given: dict[str, Any]) -> Any:
    return np.asarray(model([given[x.name] for x in model.inputs] if len(given) > 1 else next(iter(given.values()))))


@pytest.mark.keras
@pytest.mark.parametrize("name", MODELS)
def test_layers_see_the_masks_that_they_saw(name: str, tmp_path: Path) -> None:
    tf_keras.backend.clear_session()
    make, words = MODELS[name]
    old = filled(make(tf_keras))
    given = drawn(old)
    expected = run(old, given)
    old.save(tmp_path / "old.keras")
    (traced,) = api.trace(tmp_path / "old.keras", given).outputs
    np.testing.assert_allclose(traced, expected, atol=1e-5)
    notes = api.convert(tmp_path / "old.keras", tmp_path / "new.keras").notes
    assert len(notes) == len(words) and all(word in note for word, note in zip(words, notes, strict=True))
    new = keras.models.load_model(tmp_path / "new.keras", safe_mode=True)
    np.testing.assert_allclose(run(new, given), expected, atol=1e-5)
    for form in ("py", "yaml", "json") if name in ("encoder and decoder", "a Multiply of masked tensors") else ():
        api.convert(tmp_path / "old.keras", tmp_path / f"new.{form}")
        told = api.diff(tmp_path / "new.keras", tmp_path / f"new.{form}")
        assert {change.kind for change in told.changes} <= {"renamed"}, form
    if name == "a Multiply of masked tensors":
        keras.utils.clear_session(free_memory=False)
        space: dict[str, Any] = {}
        exec(compile((tmp_path / "new.py").read_text(), "<code>", "exec"), space)  # our own output
        space["model"].set_weights(new.get_weights())
        np.testing.assert_allclose(run(space["model"], given), expected, atol=1e-5)


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "zeros at masked steps": (lambda m: _transformer(m, "flat"),
        "nothing was written; at masked steps 'first_attend' averages all values in Keras 2 and none in Keras 3, "
        "because it has dropout"),
    "a mask into a nested model": (_masked_from_outside, "layer 'encoder': gets masks that Keras 3 passes on differently inside it"),
}  # fmt: skip


@pytest.mark.keras
@pytest.mark.parametrize("name", REFUSED)
def test_what_keras_3_cannot_compute_is_not_written(name: str, tmp_path: Path) -> None:
    tf_keras.backend.clear_session()
    make, words = REFUSED[name]
    filled(make(tf_keras)).save(tmp_path / "old.keras")
    with pytest.raises(LayerExplainError, match=words):
        api.convert(tmp_path / "old.keras", tmp_path / "new.keras")
    assert not (tmp_path / "new.keras").exists()


# What is written, without Keras -----------------------------------------------------------------------------------------


MASKED = {
    "a Functional": ("x = keras.Input((5, 8))\ninner = keras.Model(x, layers.LSTM(4)(x))\ny = inner(e, mask=m)",
        ", mask: input_layer_1"),
    "a Sequential": ("inner = keras.Sequential([keras.Input((5, 8)), layers.GRU(3)])\ny = inner(e, mask=m)",
        ", mask: input_layer_1"),
    "two inputs, one with a mask": ("a, b = keras.Input((5, 8)), keras.Input((5, 4))\n"
        "inner = keras.Model([a, b], layers.Concatenate()([layers.LSTM(4)(a), layers.GRU(3)(b)]))\n"
        "y = inner([e, layers.Dense(4)(e)], mask=[m, None])", ", mask: [input_layer_1, null]"),
}  # fmt: skip


@pytest.mark.parametrize("name", MASKED)
def test_a_spec_has_the_mask_of_a_nested_model_and_diff_sees_it(name: str, tmp_path: Path) -> None:
    lines, mask = MASKED[name]
    head = "import keras\nfrom keras import layers\nt, m = keras.Input((5,)), keras.Input((5,), dtype='bool')\n"
    source = f"{head}e = layers.Embedding(20, 8)(t)\n{lines}\nmodel = keras.Model([t, m], layers.Dense(2)(y))\n"
    (tmp_path / "model.py").write_text(source)
    api.convert(str(tmp_path / "model.py"), str(tmp_path / "model.yaml"))
    spec = (tmp_path / "model.yaml").read_text()
    assert spec.count(mask) == 1
    (tmp_path / "other.yaml").write_text(spec.replace(mask, ""))
    same, other = [api.diff(str(tmp_path / "model.py"), str(tmp_path / name)) for name in ("model.yaml", "other.yaml")]
    assert not same
    assert other
