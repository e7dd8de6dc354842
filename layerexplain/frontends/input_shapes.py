"""Whether the unknown size in front of a shape that a person typed is the batch: `(None, 784)`, as Keras prints it.

Shapes are typed without the batch, and an axis of unknown size is `None` as well. The layers of the model decide: an
LSTM takes (batch, steps, features), so `None, 80` in a model with one has unknown steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from layerexplain.layers.examples import example_of
from layerexplain.layers.index import module_of
from layerexplain.layers.registry import find
from layerexplain.model import Layer, Model, Shape

_OF_SEQUENCES = frozenset({"attention", "grouped_attention", "rnn", "rnn_cells", "convolutional_recurrent", "wrappers"})
"""Families whose layers check the number of axes themselves."""


def is_batch(shape: Shape, layers: Iterable[Layer], *, by_keras: bool = False) -> bool:
    """Whether the first size of a shape that was typed is the batch.

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
    """Whether a shape that was typed for the input `name` of a model begins with the batch.

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
    """How many axes a layer's input has; None for one that takes any number."""
    declaration = find(layer.type)
    if declaration is None:
        return None
    inner = layer.config.get(declaration.holds) if declaration.holds else None
    if isinstance(inner, Layer):
        axes = _axes_of(inner)
        return axes + 1 if axes is not None and layer.type == "TimeDistributed" else axes or 3
    if declaration.ndim is not None or module_of(declaration.type) not in _OF_SEQUENCES:
        return declaration.ndim
    return 2 + example_of(declaration)[1][0].count(",")
