"""A source in another form, and the file that gets it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from layerexplain.conversions.explicit_masks import with_explicit_masks
from layerexplain.conversions.forms import TEXT_FORMS, text_of, with_all_input_layers
from layerexplain.conversions.older_keras import in_todays_names, layer_paths
from layerexplain.errors import LayerExplainError, must_be_known, raise_any
from layerexplain.frontends.input_shapes import shapes_for
from layerexplain.model import InputShapes, InputShapesOf, Layer, Model
from layerexplain.records import NamedTuple
from layerexplain.report.objective import todays_training

_ENDINGS = {".keras": "keras", ".py": "py", ".yaml": "yaml", ".yml": "yaml", ".json": "json"}


class Converted(NamedTuple):
    """What was written: the form, its text ("" for a .keras file), and what could not be carried over."""

    form: str
    text: str
    notes: tuple[str, ...]


def convert(
    source: Any,
    target: str | os.PathLike[str],
    *,
    to: str | None = None,
    force: bool = False,
    inputs: InputShapes | InputShapesOf | None = None,
    code: Any = (),
    weights: str | os.PathLike[str] | bytes | None = None,
    backend: str | None = None,
) -> Converted:
    """Write a model in another form: today's .keras, Keras code (.py), a spec (.yaml) or a configuration (.json).

    Args:
        source: Whatever `read` takes.
        target: The file to write; "-" writes none and returns the text.
        to: "keras", "py", "yaml" or "json"; by the ending of the target if it is not given.
        force: Whether a target that exists is replaced.
        inputs: The shapes of inputs by name, without the batch, where the model leaves sizes open; or what gives them.
        code: Files that say what custom layers compute.
        weights: For .keras, a file of weights alone, where the source is the configuration of the model.
        backend: For .keras, what Keras 1 ran on, "tensorflow" or "theano", which its files do not say.

    Returns:
        The form, its text, and notes on what could not be carried over.

    Raises:
        LayerExplainError: if the source cannot be read, if the format cannot express a part of it, if the target exists
            or cannot be written; and for .keras, if the new model does not compute the same.

    >>> spec = b"name: net\\ninput: [4]\\nlayers:\\n  - Dense: 10\\n"
    >>> convert(spec, "-", to="yaml").text == spec.decode()
    True
    """
    from layerexplain.frontends import read_for_weights
    from layerexplain.frontends.code_source import source_name

    name = os.fspath(target)
    form = to or _ENDINGS.get(os.path.splitext(name)[1].lower())
    if to is not None:
        must_be_known("form", to, (*TEXT_FORMS, "keras"))
    if backend is not None:
        must_be_known("backend", backend, ("tensorflow", "theano"))
    if form is None:
        known = "'.keras', '.py', '.yaml' or '.json'"
        raise LayerExplainError(
            f"the format to write is unknown: end the target with {known}, or give --format", source=name
        )
    if name == "-" and form == "keras":
        raise LayerExplainError("a .keras file is not text; name a file")
    if weights is not None and form != "keras":
        raise LayerExplainError(f"weights can be written only to a .keras file, got '.{form}'", source=name)
    if name != "-" and os.path.lexists(name) and not force:
        raise LayerExplainError("already exists; use --overwrite", source=name)
    from layerexplain.files.replacing import must_be_another

    must_be_another(name, [source, weights, *(code if isinstance(code, list | tuple) else [code])])
    source, model = read_for_weights(source, code)
    try:
        shapes = shapes_for(model, inputs)
        model = model.at(shapes)
        raise_any(model.faults)
        if model.format == "hugging-face":
            words = (
                "is a model of transformers, which no other format can express; keep its config.json and safetensors"
            )
            raise LayerExplainError(words)
        if model.framework != "keras" and form != "yaml":
            raise LayerExplainError("its layers are PyTorch's, not Keras's; convert it to .yaml")
        model = with_all_input_layers(_with_shapes(model, shapes))
        today, renamed = in_todays_names(model)
        names = dict(zip(layer_paths(model), layer_paths(today), strict=True))
        today, masked = with_explicit_masks(today)
        changes = (*renamed, *masked)
        if form == "keras":
            stored = source if weights is None else weights
            from layerexplain.oracle.converted_file import to_keras_file

            content, notes = to_keras_file(stored, model, today, names, shapes, backend)
            converted = Converted(form, "", (*changes, *notes))
        else:
            converted = Converted(
                form, text_of(today, form), (*changes, *_of_training(today, form), *_of_structure(today, form))
            )
            content = converted.text.encode()
    except LayerExplainError as error:
        cause = next((note.message for note in model.notes if note.code == "open"), None)
        if cause is not None and not model.faults:  # code leaves something open, and the note says what gives it
            raise LayerExplainError(cause, source=model.source or source_name(source)) from None
        raise error.with_place(source=model.source or source_name(source)) from None
    if name != "-":
        from layerexplain.files.replacing import replacing, writing

        with replacing(name) as file, writing(name):
            file.write(content)
    return converted


def _of_training(model: Model, form: str) -> Iterator[str]:
    """Yield the training settings of a model that are uncertain or not carried over."""
    training = todays_training(model)
    if training is None or form == "json":
        return
    yield from [f"{item} is not part of Keras 3; it is left out" for item in training.left_out]
    yield from training.unsaid


def _of_structure(model: Model, form: str) -> Iterator[str]:
    if form == "yaml" and model.output_form == [0]:
        yield "the model returns a list of one output; built from a spec, it returns the tensor itself"


def _with_shapes(model: Model, shapes: InputShapes) -> Model:
    """Return a model with the shapes that are given for its inputs. One with a size that code leaves open has none."""
    left_open = {note.layer for note in model.notes if note.code == "open"}

    def fixed(layer: Layer) -> Layer:
        if layer.type != "InputLayer" or (layer.name not in shapes and layer.name not in left_open):
            return layer
        known = layer.config.get("batch_shape")
        given = (known[0] if known else None, *shapes[layer.name]) if layer.name in shapes else None
        return layer._replace(config={**layer.config, "batch_shape": given})

    return model._replace(layers=tuple(map(fixed, model.layers))) if shapes or left_open else model
