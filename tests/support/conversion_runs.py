"""Convert a model of Keras to each form and run what is written: which outputs differ, and which forms are refused."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from layerexplain.converted import convert
from layerexplain.errors import LayerExplainError
from tests.support.frameworks import keras

FORMS = ("py", "json", "yaml", "keras")
BATCH = 3


class Outcome(NamedTuple):
    """What became of a conversion: why it was refused, or what is wrong with what was written; "" for neither."""

    form: str
    refused: str = ""
    wrong: str = ""


def numbers_for(model: Any) -> Any:
    """Return numbers for the inputs of a model, in their structure."""
    rng = np.random.default_rng(5)
    graph = getattr(model, "_functional", model)  # that of a Sequential
    return keras.tree.map_structure(
        lambda t: rng.normal(size=(BATCH, *[size or 16 for size in t.shape[1:]])).astype("float32"),
        graph._inputs_struct,
    )


def source_of(model: Any, folder: Path) -> Path:
    """Save a model, with weights that are neither zero nor one, as a .keras file."""
    rng = np.random.default_rng(7)
    model.set_weights([rng.uniform(0.2, 0.9, w.shape).astype(w.dtype) for w in model.get_weights()])
    model.save(folder / "source.keras")
    return folder / "source.keras"


def written_model(source: Path, form: str, folder: Path) -> tuple[Any, tuple[str, ...]]:
    """Return what Keras makes of a source in another form, and the notes of `convert`."""
    target = folder / f"written.{form}"
    converted = convert(source, target, to=form, force=True)
    if form == "keras":
        return keras.models.load_model(target, safe_mode=True), converted.notes
    if form == "json":
        return keras.models.model_from_json(converted.text), converted.notes
    text = converted.text if form == "py" else convert(target, "-", to="py").text
    space: dict[str, Any] = {}
    exec(compile(text, "<code>", "exec"), space)  # our own output
    return space["model"], converted.notes


def outcome(source: Path, form: str, folder: Path, given: Any, expected: Any, weights: Any) -> Outcome:
    """Convert a source to one form and compare what Keras computes of it with the outputs that are expected."""
    try:
        ours, notes = written_model(source, form, folder)
    except LayerExplainError as error:
        return Outcome(form, refused=str(error))
    if form != "keras":
        ours.set_weights(weights)
    if form == "yaml":  # a spec has its inputs in a row
        flat = keras.tree.flatten(given)
        given = flat[0] if len(flat) == 1 else flat
    made = ours(given)
    if not any("list of one output" in note for note in notes):
        keras.tree.assert_same_structure(expected, made)
    pairs = zip(keras.tree.flatten(expected), keras.tree.flatten(made), strict=True)
    return Outcome(form, wrong="; ".join(_differences(pairs)))


def _differences(pairs: Any) -> Iterator[str]:
    for number, (one, other) in enumerate(pairs):
        if one.dtype != other.dtype:
            yield f"output {number} is {other.dtype}, not {one.dtype}"
        elif not np.allclose(one, other, rtol=1e-3, atol=1e-5, equal_nan=True):
            yield f"output {number} differs"


def outcomes(model: Any, folder: Path) -> list[Outcome]:
    """Convert a model of Keras to each form; Keras's own reading of the source is the oracle."""
    source = source_of(model, folder)
    theirs = keras.models.load_model(source)
    given = numbers_for(theirs)
    expected = theirs(given)
    return [outcome(source, form, folder, given, expected, theirs.get_weights()) for form in FORMS]


def faults(found: list[Outcome], allowed: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return what is wrong with outcomes: outputs that differ, and refusals for no reason that is allowed."""
    wrong = [f"{one.form}: {one.wrong}" for one in found if one.wrong]
    for one in found:
        if one.refused and not any(words in one.refused for words in allowed.get(one.form, ())):
            wrong.append(f"{one.form} is refused: {one.refused}")
    return wrong
