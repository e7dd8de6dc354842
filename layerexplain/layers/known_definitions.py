"""The definitions that were met last, whoever asked for them: alike layers of one model, of many, or of a text that is
read again after each keystroke are traced once, and what is derived of them is derived once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import constant
from layerexplain.layers.declaration import Declaration, Spec

PLAIN = frozenset({str, type(None)})
"""Kinds of values that are keys as they are: none is equal to a value of another kind, as 1 is to true."""


class KnownDefinitions:
    """The `most` definitions that were met last, and at most twice as many."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._young: dict[Any, Definition] = {}
        self._old: dict[Any, Definition] = {}

    def get(self, key: Any) -> Definition | None:
        """Return the definition of a key, if it is kept."""
        found = self._young.get(key)
        if found is None and (found := self._old.get(key)) is not None:
            self[key] = found
        return found

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def __setitem__(self, key: Any, definition: Definition) -> None:
        if len(self._young) >= self.most:
            self._old, self._young = self._young, {}
        self._young[key] = definition


KNOWN = KnownDefinitions(2000)


def known_definition(key: Any, trace: Callable[[], Definition]) -> Definition:
    """Return the definition of a key, traced where it is not kept."""
    known = KNOWN.get(key)
    if known is None:
        known = KNOWN[key] = trace()
    return known


def is_shared(declaration: Declaration, arguments: Mapping[str, Any]) -> bool:
    """Return whether the definitions of a layer at these arguments say nothing of the model that it stands in: a layer
    of the program's own, and one that holds layers, would keep that alive."""
    return declaration.is_built_in and all([type(arguments.get(name)) in PLAIN for name in declaration.loose])


def definition_at(
    declaration: Declaration,
    specs: Sequence[Spec | None],
    arguments: Mapping[str, Any],
    masks: Sequence[Spec | None] = (),
    constants: Mapping[int, Any] | None = None,
) -> Definition:
    """Return `declaration.trace(…)` at arguments that `bind` gives; `constants` are numbers as a program has them."""
    trace = partial(declaration.trace, specs, arguments, masks, constants=as_constants(declaration, constants))
    if not is_shared(declaration, arguments):
        return trace()
    return known_definition(definition_key(declaration, arguments, specs, masks, constants), trace)


def as_constants(declaration: Declaration, values: Mapping[int, Any] | None) -> dict[int, Any]:
    """Return numbers in place of tensors as formulas have them. Raises ArgumentError for values that are not
    numbers."""
    try:
        return {place: constant(value) for place, value in (values or {}).items()}
    except TypeError as error:
        raise ArgumentError(f"{declaration.type} is called with values that are not tensors: {error}") from None


def definition_key(
    declaration: Declaration,
    arguments: Mapping[str, Any],
    specs: Sequence[Spec | None],
    masks: Sequence[Spec | None],
    constants: Mapping[int, Any] | None,
    training: bool = False,
    whole: str = "",
    keras_2: bool = False,
) -> Any:
    """Return all that a definition follows from, as a key."""
    # The names stand beside the values, since a file may leave arguments out.
    return (
        declaration,
        tuple(arguments),
        tuple(arguments.values()),
        tuple(specs),
        tuple(masks),
        freeze(constants) if constants else None,
        training,
        whole,
        keras_2,
    )


def freeze(value: Any) -> Any:
    """Return a value as a key: equal values of the same kind give equal keys."""
    kind = type(value)
    if kind is str or kind is int or value is None:
        return value
    if kind is dict:
        return tuple([(k, freeze(v)) for k, v in value.items()])
    if kind is list or kind is tuple:
        return tuple([freeze(v) for v in value])
    if kind is float or kind is bool:
        return (kind, value)
    if kind is slice:
        return ("slice", freeze(value.start), freeze(value.stop), freeze(value.step))
    if hasattr(kind, "as_key"):
        return value.as_key(freeze)
    try:
        hash(value)
    except TypeError:
        return (kind.__name__, repr(value))
    return value
