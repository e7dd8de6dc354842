"""`convert` of random models: what is written runs in Keras and gives the same outputs in the same structure as what
Keras loads of the source, or is refused for a reason that is listed here. `LAYEREXPLAIN_FUZZ` asks for more of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from layerexplain.conversions.forms import convert
from layerexplain.errors import LayerExplainError
from tests.support.conversion_models import drawn_model
from tests.support.tries import tries

pytestmark = pytest.mark.keras

BATCH = 3
FORMS = ("py", "json", "yaml", "keras")
REFUSED = {
    "yaml": ("for which a spec has no word", "has no word in a spec", "not all of which have a name"),
    "keras": (),
    "py": (),
    "json": (),
}
"""Form → the reasons for which a model of Keras may be refused."""


def inputs_of(model: Any) -> Any:
    """Numbers for the inputs of a model, in their structure."""
    import keras
    import numpy as np

    rng = np.random.default_rng(5)
    return keras.tree.map_structure(
        lambda t: rng.normal(size=(BATCH, *t.shape[1:])).astype("float32"), model._inputs_struct
    )


def loaded(source: Path, form: str, folder: Path) -> tuple[Any, tuple[str, ...]]:
    """What Keras makes of a source in another form, and what `convert` says."""
    import keras

    target = folder / f"made.{form}"
    made = convert(source, target, force=True)
    if form == "py":
        space: dict[str, Any] = {}
        exec(compile(made.text, "<code>", "exec"), space)  # our own output
        return space["model"], made.notes
    if form == "keras":
        return keras.models.load_model(target, safe_mode=True), made.notes
    text = made.text if form == "json" else convert(target, "-", to="json").text
    return keras.models.model_from_json(text), made.notes


def compare(model: Any, folder: Path) -> list[str]:
    """Convert a model of Keras to each form; return what is wrong."""
    import keras
    import numpy as np

    rng = np.random.default_rng(7)
    model.set_weights([rng.uniform(0.2, 0.9, w.shape).astype(w.dtype) for w in model.get_weights()])
    source = folder / "source.keras"
    model.save(source)
    theirs = keras.models.load_model(source)
    given = inputs_of(theirs)
    expected = theirs(given)
    wrong = []
    for form in FORMS:
        try:
            ours, notes = loaded(source, form, folder)
        except LayerExplainError as error:
            if not any(words in str(error) for words in REFUSED[form]):
                wrong.append(f"{form} is refused: {error}")
            continue
        if form != "keras":
            ours.set_weights(theirs.get_weights())
        flat = keras.tree.flatten(given)
        made = ours(
            given if form != "yaml" else flat[0] if len(flat) == 1 else dict(zip(names(theirs), flat, strict=True))
        )
        if not any("list of one output" in note for note in notes):
            keras.tree.assert_same_structure(expected, made)
        pairs = zip(keras.tree.flatten(expected), keras.tree.flatten(made), strict=True)
        for number, (one, other) in enumerate(pairs):
            if one.dtype != other.dtype or not np.allclose(one, other, rtol=1e-3, atol=1e-5, equal_nan=True):
                wrong.append(f"{form}: output {number} differs")
    return wrong


def names(model: Any) -> list[str]:
    """The names of the inputs in the order in which Keras flattens them."""
    import keras

    return [one.name for one in keras.tree.flatten(model._inputs_struct)]


def _made(function: Callable[..., Any], *shapes: tuple[int, ...]) -> Any:
    import keras

    inputs = [keras.Input(shape) for shape in shapes]
    return keras.Model(inputs[0] if len(inputs) == 1 else inputs, function(keras, *inputs))


def _nested_mapping(k: Any, x: Any, y: Any) -> Any:
    a, b = k.Input((4,), name="zz"), k.Input((4,), name="aa")
    made = k.Model({"zz": a, "aa": b}, {"o": a - 2 * b, "p": [a + b]})({"zz": x, "aa": y})
    return [made["p"][0], made["o"] * 3]


CASES: dict[str, tuple[Callable[..., Any], tuple[tuple[int, ...], ...]]] = {
    "the first of three parts": (lambda k, x: k.ops.split(x, 3, axis=1)[0], ((6,),)),
    "the only part": (lambda k, x: k.ops.split(x, 1, axis=1)[0], ((6,),)),
    "unstack": (lambda k, x: k.ops.unstack(x, axis=1)[1], ((3, 4),)),
    "moments": (lambda k, x: k.ops.moments(x, axes=[1])[0], ((3, 4),)),
    "top_k": (lambda k, x: k.ops.top_k(x, 2)[0], ((7,),)),
    "scores": (lambda k, x: k.layers.MultiHeadAttention(2, 3)(x, x, return_attention_scores=True)[0], ((5, 4),)),
    "states": (lambda k, x: k.layers.Bidirectional(k.layers.LSTM(3, return_state=True))(x)[0], ((5, 4),)),
    "two directions": (lambda k, x: k.layers.Bidirectional(k.layers.LSTM(3), merge_mode=None)(x)[0], ((5, 4),)),
    "slices": (lambda k, x: x[:, 0, None] * x[..., 1:2, :] + x[:, -1:, ::2][:, :, :1], ((5, 4),)),
    "casts": (lambda k, x: k.ops.cast(k.ops.cast(x > 0, "int32") * 2, "float32"), ((5, 4),)),
    "einsum": (lambda k, x, y: k.ops.einsum("bij,bkj->bik", x, y), ((5, 4), (3, 4))),
    "an array": (lambda k, x: x + k.ops.arange(4.0), ((5, 4),)),
    "an array first": (lambda k, x: k.ops.matmul(k.ops.ones((3, 5)), x), ((5, 4),)),
    "resize": (lambda k, x: k.ops.image.resize(x, (3, 5)), ((6, 6, 2),)),
    "normalization": (lambda k, x: k.ops.layer_normalization(x, k.ops.ones((4,)), k.ops.zeros((4,))), ((5, 4),)),
    "infinity": (lambda k, x: k.ops.max(x, axis=1, initial=-float("inf")), ((4,),)),
    "a mapping": (lambda k, x: {"b": k.layers.Dense(2)(x), "a": [x * 2, x + 1]}, ((4,),)),
    "a list of one": (lambda k, x: [k.layers.Dense(2)(x)], ((4,),)),
    "mappings inside": (_nested_mapping, ((4,), (4,))),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_model_is_the_same_in_each_form(name: str, tmp_path: Path) -> None:
    import keras

    keras.backend.clear_session()
    function, shapes = CASES[name]
    assert compare(_made(function, *shapes), tmp_path) == []


def test_a_long_crop_is_tried_at_a_size_that_it_takes(tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((None, 2)), keras.layers.Cropping1D(10_000), keras.layers.Dense(3)])
    model.save(tmp_path / "source.keras")
    assert convert(tmp_path / "source.keras", tmp_path / "made.keras").form == "keras"


@pytest.mark.parametrize("ending", ["h5", "keras"])
def test_what_keras_does_not_save_of_a_loss_is_said(ending: str, tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile(loss=keras.losses.Huber(delta=0.5))
    model.save(tmp_path / f"source.{ending}")
    (note,) = convert(tmp_path / f"source.{ending}", "-", to="py").notes
    assert note == "Keras did not save delta of the loss Huber; the new model has its default, delta=1.0"


@pytest.mark.parametrize("seed", range(tries(12, 250)))
def test_a_random_model_is_the_same_in_each_form(seed: int, tmp_path: Path) -> None:
    import keras

    keras.backend.clear_session()
    assert compare(drawn_model(keras, seed), tmp_path) == []
