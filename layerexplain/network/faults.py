"""Which faults the layers of a model have, also behind the first of them.

Behind a fault the shapes are not known, but faults that do not follow from it are found all the same. A guess is a
shape with the number of axes, and those sizes, that a layer gives whatever the sizes of its input. It is used to look
for faults alone and never shown. A layer behind a fault is wrong for itself where it refuses its input with every size
that the open ones may have.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from layerexplain.call_binding import NOTHING_BOUND, BoundCall
from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.model import Layer, TensorRef, values_inside
from layerexplain.network.definitions import Define
from layerexplain.network.scope import Scope, Specs

# Faults -------------------------------------------------------------------------------------------------------------

_TRIED = (None, 64, 96)
"""Sizes for those that are open: unknown, and two that most windows fit into and most groups and heads divide."""

_MOST_TRIED = 10**12
_MOST_VALUES = 10_000
"""Of a layer with more values in its arguments nothing is guessed: each guess goes through them again."""

_MAKES_AXES = frozenset(
    {"axes", "cell", "cells", "dims", "equation", "keepdims", "layer", "layers", "output_mode", "output_shape"}
    | {"return_attention_scores", "return_sequences", "return_state", "target_shape"}
)
"""Arguments that say how many axes, or how many results, a layer gives."""


class Guesses:
    """What is guessed of the tensors of a model, to look for faults behind a fault."""

    def __init__(self, scope: Scope, define: Define) -> None:
        self._define = define
        self._specs = scope.guesses

    def look(self, layer: Layer, call: int, declaration: Declaration, bound: BoundCall, known: Specs) -> None:
        """Guess the result of a call with inputs that are not all `known`. Raises the error with which it refuses them,
        whatever their sizes; where nothing is guessed of an input, nothing is looked at."""
        specs: list[Spec | None] = []
        opened: list[bool] = []
        for ref, spec in zip(bound.tensors, known, strict=True):
            guess = None if ref is None or spec is not None else self._specs.get(ref)
            if ref is not None and spec is None and guess is None:
                return
            specs.append(guess or spec)
            opened.append(guess is not None)
        definitions, errors = self._try(layer, declaration, bound, specs, opened)
        if not definitions:
            raise errors.pop(0)
        self._keep(layer, call, definitions, sizes=True)

    def are_refused(self, layer: Layer, declaration: Declaration, bound: BoundCall, specs: Specs) -> bool:
        """Return whether a call refuses inputs whatever those sizes are that are not known."""
        if bound.masks or any(ref is not None and spec is None for ref, spec in zip(bound.tensors, specs, strict=True)):
            return False
        sizes = {size for spec in specs if spec is not None for size in spec.shape if isinstance(size, int)}
        return not self._try(layer, declaration, bound, specs, [True] * len(specs), sizes)[0]

    def after(
        self, layer: Layer, call: int, declaration: Declaration, sources: Sequence[TensorRef], known: Specs
    ) -> None:
        """Guess what a call gives that is at fault: what it would give for an input, or with arguments, that fit."""
        if len([*islice(values_inside(layer), _MOST_VALUES)]) == _MOST_VALUES:
            return
        guessed = [_open(spec or self._specs.get(ref)) for ref, spec in zip(sources, known, strict=True)]
        inputs = [guessed] if any(spec is not None for spec in guessed) else []
        if declaration.ndim is not None:
            inputs.append([Spec((BATCH, *(None,) * (declaration.ndim - 1)), "float"), *guessed[1:]])
        elif guessed and guessed[0] is not None:  # a sequence in place of one step of it
            inputs.append([Spec((*guessed[0].shape, None), guessed[0].dtype), *guessed[1:]])
        for number, other in enumerate(_mended(layer, declaration)):
            for specs in inputs:
                definitions, _ = self._try(other, declaration, NOTHING_BOUND, specs, [True] * len(specs))
                if definitions:
                    return self._keep(layer, call, definitions, sizes=number == 0)

    def hand_in(self, inner: Scope, guessed: Specs) -> None:
        """Guess the inputs of a nested model, of whose inputs some are not known."""
        pairs = zip(inner.model.inputs, guessed, strict=False)
        inner.guesses.update({ref: spec for ref, spec in pairs if spec is not None})

    def hand_out(self, layer: Layer, call: int, inner: Scope) -> None:
        """Take over what is guessed of the outputs of a nested model, which was traced."""
        for i, ref in enumerate(inner.model.outputs):
            if ref in inner.guesses:
                self._specs[TensorRef(layer.name, call, i)] = inner.guesses[ref]

    def _try(
        self,
        layer: Layer,
        declaration: Declaration,
        bound: BoundCall,
        specs: Specs,
        opened: Sequence[bool],
        sizes: Collection[int] = (),
    ) -> tuple[list[Definition], list[LayerExplainError]]:
        """Return the definitions of a call, and its errors, for each size to try in the specs that are `opened`."""
        definitions: list[Definition] = []
        errors: list[LayerExplainError] = []
        for size in [*_tried(layer), *sizes]:
            filled = [
                Spec(tuple([size if s is None else s for s in spec.shape]), spec.dtype) if spec and is_open else spec
                for spec, is_open in zip(specs, opened, strict=True)
            ]
            try:
                definitions.append(self._define(declaration, layer, bound, filled, ()))
            except LayerExplainError as error:
                errors.append(error.as_data())
        return definitions, errors

    def _keep(self, layer: Layer, call: int, definitions: list[Definition], *, sizes: bool) -> None:
        """Keep what all of `found` have in common: with `sizes` also the sizes, else the number of axes."""
        for i, results in enumerate(zip(*[definition.results.values() for definition in definitions], strict=False)):
            shapes = [result.shape for result in results]
            if len({len(shape) for shape in shapes}) == 1 and shapes[0]:
                rest = [column[0] if sizes and len({*column}) == 1 else None for column in zip(*shapes, strict=True)]
                self._specs[TensorRef(layer.name, call, i)] = Spec((BATCH, *rest[1:]), results[0].dtype)


def _tried(layer: Layer) -> list[int | None]:
    """Return the sizes to try for those that are open: the usual ones, and a multiple of all numbers in the layer's
    arguments, which groups of any number divide and windows of any size fit into."""
    size = 96
    for value in values_inside(layer):
        if type(value) is int and value and size <= _MOST_TRIED:
            size = math.lcm(size, value)
    return [*_TRIED, size] if size <= _MOST_TRIED else [*_TRIED]


def _open(spec: Spec | None) -> Spec | None:
    """Return a spec with none of its sizes."""
    return None if spec is None else Spec((BATCH, *(None,) * (len(spec.shape) - 1)), spec.dtype)


def _mended(layer: Layer, declaration: Declaration) -> Iterator[Layer]:
    """Yield the layer as it is, then without the arguments that are at fault, then with examples of those alone that it
    must have, and what says how many axes it gives."""
    yield layer
    config = dict(layer.config)
    faulty = {key for key, _ in declaration.faults(config)}
    required = {name for name, value in declaration.arguments.items() if value.default is Argument.REQUIRED}
    missing = required - (config.keys() - faulty)
    misspelt = any(key is not None and key not in declaration.arguments for key in faulty)
    if _MAKES_AXES & (faulty | missing) or (misspelt and _MAKES_AXES & declaration.arguments.keys()):
        return
    written = {name: declaration.arguments[name].check.example.replace("'", '"') for name in required - _MAKES_AXES}
    examples = {name: json.loads(text) for name, text in written.items()}
    sound = {key: value for key, value in config.items() if key not in faulty}
    yield layer._replace(config={**examples, **sound})
    yield layer._replace(config={**examples, **{key: value for key, value in sound.items() if key in _MAKES_AXES}})
