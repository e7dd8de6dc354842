"""The shapes that a person gives for the inputs of a model: for which input each is, and whether it has a batch.

A shape without None in front has no batch. One with None in front has it, as Keras prints it (`(None, 784)`), unless
the first axis is one of unknown size. The layers of the model decide: an LSTM takes (batch, steps, features), so
`None, 80` in a model with one has unknown steps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from layerexplain.errors import ArgumentError, did_you_mean
from layerexplain.lang.axes import is_open
from layerexplain.layers.index import family_of
from layerexplain.layers.keras.examples import example_of
from layerexplain.layers.registry import find
from layerexplain.model import TORCH_MODULE, InputShapes, InputShapesOf, Layer, Model, Shape

_OF_SEQUENCES = frozenset({"attention", "grouped_attention", "rnn", "rnn_cells", "convolutional_recurrent", "wrappers"})
"""Families whose layers check the number of axes themselves."""

_SIZE = r"(?:[0-9]{1,18}|none|null|\?)"
_NAME = r"(?![0-9])\w+"
_UNKNOWN = ("none", "null", "?")
_BETWEEN = r"(?: *[,x×] *| +)"


def shapes_for(model: Model, inputs: InputShapes | InputShapesOf | None) -> InputShapes:
    """Return the shapes that are given for a model's inputs, without the batch. What a function gives for the model is
    taken as it is.

    Raises:
        ArgumentError: if the model has no such input, or if a shape is not one.

    >>> from layerexplain.frontends import read
    >>> shapes_for(read(b"layers:\\n  - Dense: 10\\n"), {"input": (None, 784)})
    {'input': (784,)}
    >>> shapes_for(read(b"layers:\\n  - Dense: 10\\n"), (784,))
    {'input': (784,)}
    """
    given = inputs(model) if callable(inputs) else inputs or {}
    names = input_names(model) if given else ()
    if not isinstance(given, Mapping):
        given = _by_name(given, names)
    for name in given:
        if name not in names:
            raise no_input(name, names)
    if callable(inputs):
        return given
    shapes = {name: _checked(name, shape) for name, shape in given.items()}
    if model.format == TORCH_MODULE:  # in PyTorch's order, with the batch
        return {name: shape[1:] for name, shape in shapes.items()}
    return {name: shape[1:] if begins_with_batch(model, name, shape) else shape for name, shape in shapes.items()}


def _by_name(shapes: Any, names: Sequence[str]) -> InputShapes:
    """Return shapes without names by those of a model's inputs: one shape, or a list of them."""
    alone = one_shape(shapes)
    listed = [alone] if alone is not None else [*shapes] if isinstance(shapes, list | tuple) else []
    if not listed or len(listed) > len(names):
        words = f"a shape for each of {', '.join(names) or 'none'}"
        raise ArgumentError(f"inputs needs a shape such as (28, 28, 1), or {words}, got {shapes!r}")
    return dict(zip(names, listed, strict=False))


def input_names(model: Model) -> tuple[str, ...]:
    """Return the names of a model's inputs, in its order."""
    return tuple(dict.fromkeys([ref.layer for ref in model.inputs]))


def no_input(name: object, names: Sequence[str], what: str = "input") -> ArgumentError:
    """Return the error for a name that no input of a model has (or no `what`).

    >>> str(no_input("inptu", ["input"]))
    "the model has no input 'inptu'; did you mean 'input'?"
    """
    hint = did_you_mean(str(name), names) or f"its {what}s: {', '.join(names) or 'none'}"
    return ArgumentError(f"the model has no {what} '{name}'; {hint}")


def parse_shape(text: str) -> Shape | None:
    """Return the sizes in `224,224,3`, `28x28x1`, `(28, 28, 1)` or `[None, 3]`; None if it is no shape. `()` has no
    sizes."""
    text = text.strip()
    bracketed = (text[:1], text[-1:]) in (("(", ")"), ("[", "]"))
    if bracketed:
        text = text[1:-1].strip().removesuffix(",")
    if not text:
        return () if bracketed else None
    if not re.fullmatch(f"{_SIZE}(?:{_BETWEEN}{_SIZE})*", text, re.IGNORECASE):
        return _with_names(text)
    return tuple(int(size) if size.isdecimal() else None for size in re.findall(_SIZE, text, re.IGNORECASE))


def _with_names(text: str) -> Shape | None:
    """Return a shape in which some sizes have names, `H,W,3`; None if it is none."""
    parts = [part.strip() for part in text.split(",")]
    if not all([re.fullmatch(f"{_SIZE}|{_NAME}", part, re.IGNORECASE) for part in parts]):
        return None
    sizes = [int(part) if part.isdecimal() else None if part.lower() in _UNKNOWN else part for part in parts]
    return cast(Shape, tuple(sizes))


def one_shape(shape: Any) -> Shape | None:
    """Return what is given as a shape as a tuple of sizes; None for anything else.

    >>> one_shape([None, 28, 28]), one_shape(784), one_shape((28, -1)), one_shape("H,W,3")
    ((None, 28, 28), None, None, ('H', 'W', 3))
    """
    if isinstance(shape, str):
        words = [part.strip() for part in shape.split(",")]
        shape = [int(word) if word.isdecimal() else None if word in ("None", "?") else word for word in words]
    if not isinstance(shape, Sequence) or isinstance(shape, bytes):
        return None
    sizes = [size if size is None or isinstance(size, str) else _number(size) for size in shape]
    return None if any(isinstance(size, int) and size < 0 for size in sizes) else cast(Shape, tuple(sizes))


def _number(size: Any) -> int:
    """Return a size as an int, -1 for what is none; one that is open stays what it is."""
    return size if is_open(size) else int(getattr(size, "__index__", lambda: -1)())


def _checked(name: str, shape: Any) -> Shape:
    results = one_shape(shape)
    if results is None:
        raise ArgumentError(
            f"the shape of the input '{name}' needs to be a tuple of sizes such as (28, 28, 1), got {shape!r}"
        )
    return results


def is_batch(shape: Shape, layers: Iterable[Layer], *, by_keras: bool = False) -> bool:
    """Return whether the first size of a shape that was typed is the batch.

    Args:
        shape: The shape as typed.
        layers: The layers of the model that it feeds.
        by_keras: The shape was typed under a name that is without the batch in Keras too (`shape:`). It has one only
            where a layer would refuse it otherwise.

    >>> is_batch((None, 784), [Layer("dense", "Dense", "layer", {"units": 3})])
    True
    >>> is_batch((None, 80), [Layer("lstm", "LSTM", "layer", {"units": 3})])
    False
    """
    if len(shape) < 2 or shape[0] is not None:
        return False
    wanted = set(_axes_wanted(layers))
    return len(shape) + 1 not in wanted and (not by_keras or len(shape) in wanted)


def begins_with_batch(model: Model, name: str, shape: Shape) -> bool:
    """Return whether a shape that was typed for the input `name` of a model begins with the batch.

    >>> from layerexplain.frontends import read
    >>> begins_with_batch(read(b"layers:\\n  - Dense: 10\\n"), "input", (None, 784))
    True
    """
    own = next((layer.config.get("batch_shape") for layer in model.layers if layer.name == name), None)
    known = isinstance(own, tuple)
    return shape[:1] == (None,) and (len(own or ()) == len(shape) if known else is_batch(shape, model.layers))


def _axes_wanted(layers: Iterable[Layer]) -> Iterator[int]:
    for layer in layers:
        if layer.model is not None:
            yield from _axes_wanted(layer.model.layers)
        elif layer.kind == "layer" and (axes := _axes_of(layer)) is not None:
            yield axes


def _axes_of(layer: Layer) -> int | None:
    """Return how many axes a layer's input has; None for one that takes any number."""
    declaration = find(layer.type)
    if declaration is None:
        return None
    inner = layer.config.get(declaration.holds) if declaration.holds else None
    if isinstance(inner, Layer):
        axes = _axes_of(inner)
        return axes + 1 if axes is not None and layer.type == "TimeDistributed" else axes or 3
    if declaration.ndim is not None or family_of(declaration.type) not in _OF_SEQUENCES:
        return declaration.ndim
    return 2 + example_of(declaration)[1][0].count(",")
