"""What a spec is told that does not say the shape of an input. Loaded only for such a spec."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod

from layerexplain.errors import SpecError
from layerexplain.layers.keras.examples import SHAPES, example_of
from layerexplain.model import Model, Shape, TensorRef
from layerexplain.network.scope import Scope

_MOST_CALLS = 1000
"""No shapes are tried with a model of more calls."""


def missing_input(model: Model, ref: TensorRef, count_faults: Callable[[Shape], int]) -> SpecError:
    """Return the error of a spec without the shape of an input; it gives one that fits the layers.

    Args:
        model: The model of the spec.
        ref: The input of unknown shape.
        count_faults: Gives the number of layers that are at fault if the input has a shape (without the batch).
    """
    examples = list(dict.fromkeys(_examples(model, ref)))
    if len(model.calls) <= _MOST_CALLS:
        examples.sort(key=count_faults)
    sizes = ", ".join(map(str, examples[0]))
    line = next((layer.line for layer in model.layers if layer.name == ref.layer), None)
    words = f"the shape of the input is missing; add `input: [{sizes}]` (the sizes without the batch)"
    return SpecError(f"{words}, or give --input {sizes.replace(' ', '')}", line=line)


def _examples(model: Model, ref: TensorRef) -> Iterator[Shape]:
    """Yield shapes of inputs without the batch: first the one that the first layer's own example has."""
    scope = Scope(model)
    for layer, _, place in scope.readers.get(ref, ())[:1]:
        declaration = scope.declaration(layer)
        target = layer.config.get("target_shape")
        if isinstance(target, tuple) and all(type(size) is int and size > 0 for size in target):
            yield (prod(target),)
        if declaration is not None:
            yield _shape((example_of(declaration)[1] * (place + 1))[place])
    yield from map(_shape, SHAPES.values())


def _shape(text: str) -> Shape:
    return tuple([int(size) for size in text.replace("x", ",").split(",")])
