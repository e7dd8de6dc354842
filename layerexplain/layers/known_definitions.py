"""The definitions of layers: those that were met last, of layers inside others, and with arguments that are open.

The definitions that were met last are kept, whoever asked for them: alike layers of one model, of many, or of a text
that is read again after each keystroke are traced once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import cycle, islice, product
from typing import Any, Protocol

from layerexplain.attribute_path import InnerName
from layerexplain.errors import ArgumentError, LayerExplainError, ShapeError
from layerexplain.lang.axes import ResultShapes, Size
from layerexplain.lang.definition import Definition, call
from layerexplain.lang.expr import Expr, constant, item
from layerexplain.layers.arguments import NOT_SAID, Argument
from layerexplain.layers.declaration import Declaration, Spec, snake_case
from layerexplain.layers.registry import inner_weights
from layerexplain.records import NamedTuple

# Known definitions --------------------------------------------------------------------------------------------------

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
        definition = self._young.get(key)
        if definition is None and (definition := self._old.get(key)) is not None:
            self[key] = definition
        return definition

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


# Inner --------------------------------------------------------------------------------------------------------------
# Layers inside layers: what a wrapper, a cell list or an `activation` argument holds, ready to be applied.


class InnerLayer(Protocol):
    """A layer in another layer's configuration."""

    type: str
    name: str
    trainable: bool
    config: Mapping[str, Any]

    @property
    def declaration(self) -> Declaration | None:
        """None for a model, and for a layer that is not known."""

    def definition(
        self,
        specs: Sequence[Spec | None],
        masks: Sequence[Spec | None] = (),
        *,
        training: bool = False,
        **overrides: Any,
    ) -> Definition:
        """Return the layer traced at given shapes; `overrides` are arguments that the wrapper forces."""


class DeclaredLayer:
    """An inner layer that has a declaration: `layer: {LSTM: {units: 6}}`. Layers in its own `config` are inner layers
    already; `type_` is its class name where the declaration has another one."""

    __slots__ = ("config", "declaration", "name", "trainable", "type")

    def __init__(self, declaration: Declaration, config: Mapping[str, Any], name: str = "", type_: str = "") -> None:
        self.type = type_ or declaration.type
        self.declaration = declaration
        self.config = config
        self.name = name or str(config.get("name") or snake_case(self.type))
        self.trainable = bool(config.get("trainable", True))

    def __repr__(self) -> str:
        return self.type  # as messages show it

    def as_key(self, freeze: Callable[[Any], Any]) -> Any:
        """Return what its formula follows from, as a key. Not its name: alike layers have one definition."""
        return (self.type, self.declaration, freeze({k: v for k, v in self.config.items() if k != "name"}))

    def definition(
        self,
        specs: Sequence[Spec | None],
        masks: Sequence[Spec | None] = (),
        *,
        training: bool = False,
        **overrides: Any,
    ) -> Definition:
        """Return the layer traced at given shapes."""
        arguments = self.declaration.bind({**self.config, **overrides})
        return self.declaration.trace(specs, arguments, masks, training=training)

    def apply(self, x: Expr) -> Expr:
        """Apply a layer without weights, given in place of an activation function."""
        y = apply(self, [x], at=("activation",))
        # One that makes a mask has that beside its result.
        return item(y, 0) if type(y.shape) is ResultShapes else y


def apply(
    inner: InnerLayer, tensors: Sequence[Expr], *, at: tuple[str | int, ...], suffix: str = "", training: bool = False
) -> Expr:
    """Return a call of an inner layer. Its weights become the outer layer's: `at` leads to the inner layer, through
    attributes that are called as its arguments; `suffix` is added to their symbols."""
    definition = inner.definition([Spec(t.shape, t.dtype) for t in tensors], training=training)
    weights = inner_weights(definition, at, InnerName(at).around, suffix, inner.trainable)
    return call(definition, *tensors, *weights)


def inner_definition(
    type_: str, layer: InnerLayer, x: Spec, masks: Sequence[Spec | None] = (), *, training: bool = False
) -> tuple[Definition, list[Expr]]:
    """Return the definition of the layer with one output that a wrapper holds, and its weights as the wrapper's."""
    definition = layer.definition([x], masks, training=training)
    if len(definition.results) != 1:
        raise ShapeError(f"{type_} needs a layer with one output, got {layer.type} with {len(definition.results)}")
    return definition, inner_weights(definition, ("layer",), InnerName(("layer",)).around, trainable=layer.trainable)


# Open arguments -----------------------------------------------------------------------------------------------------
# What a layer gives some of whose arguments are not known: the sizes that are the same whatever these are.

_TRIED = ((1, 2, 4, 6), (2, 1, 3, 5), (3, 5, 1, 8), (4, 3, 7, 2), (7, 4, 2, 11), (6, 8, 5, 9))
"""Values in place of arguments that are not known, of each layer in the order of its arguments."""

_ENOUGH = 3
"""With so many of them a size is the same, where it does not depend on the arguments."""

Specs = Sequence[Spec | None]


class Outline(NamedTuple):
    """The parameters, results and masks of a layer; a size is None where it depends on an argument that is not
    known."""

    params: tuple[Expr, ...]
    results: dict[str, Spec]
    masks: tuple[Expr | None, ...]
    is_whole: bool
    """Whether no size depends on them."""


def outline(
    declaration: Declaration,
    config: Mapping[str, Any],
    specs: Specs,
    define: Callable[[Mapping[str, Any], Specs], Definition],
    *,
    has_open_sizes: bool = False,
) -> Outline | None:
    """Return what a layer gives whose unknown arguments are None in its configuration: an Embedding's results do not
    depend on the number of its rows. With `has_open_sizes` the sizes of its tensors that are None are unknown too.
    `define` gives its definition with other values in their places. None where the number of axes depends on them, or
    where too few values show that it does not. Raises ShapeError where the tensors are refused whatever they are."""
    arguments = declaration.arguments
    unknown = [
        n
        for n, value in config.items()
        if n in arguments and is_left_open(value) and not (value is None and arguments[n].optional)
    ]
    is_open = has_open_sizes and any(None in spec.shape for spec in specs if spec is not None)
    count = len(unknown) + is_open
    if not 0 < count <= len(_TRIED[0]):
        return None
    sizes = {size for spec in specs if spec is not None for size in spec.shape if type(size) is int}
    definitions: list[Definition] = []
    taken: list[tuple[int, ...]] = []
    refused: list[LayerExplainError] = []
    for values in _values(count, sizes):
        result = [_filled(spec, values[-1]) for spec in specs] if is_open else specs
        try:
            filled = {n: with_value(config[n], None, value) for n, value in zip(unknown, values, strict=False)}
            definitions.append(define({**config, **filled}, result))
            taken.append(values)
        except LayerExplainError as error:
            refused.append(error)
    if not definitions and isinstance(refused[0], ShapeError) and len({error.fact for error in refused}) == 1:
        raise refused[0]
    # One that has to be a size of the input, as the channels of a convolution, takes that alone.
    if not definitions or not all(len(one) >= _ENOUGH or one <= sizes for one in map(set, zip(*taken, strict=True))):
        return None
    first, *others = [list(definition.results.items()) for definition in definitions]
    if any([name for name, _ in items] != [name for name, _ in first] for items in others):
        return None
    results: dict[str, Spec] = {}
    is_whole = True
    for (name, expr), *rest in zip(first, *others, strict=True):
        if any((one.ndim, one.dtype) != (expr.ndim, expr.dtype) for _, one in rest):
            return None
        shape: list[Size] = [
            size if all(one.shape[axis] == size for _, one in rest) else None for axis, size in enumerate(expr.shape)
        ]
        is_whole &= tuple(shape) == expr.shape
        results[name] = Spec(tuple(shape), expr.dtype)
    masks = [[(mask.shape, mask.dtype) if mask is not None else None for mask in each.masks] for each in definitions]
    same_masks = all(mask == masks[0] for mask in masks)
    return Outline(tuple(definitions[0].params), results, tuple(definitions[0].masks) if same_masks else (), is_whole)


def is_left_open(value: Any) -> bool:
    """Return whether an argument, or an item of it, is not known."""
    return value is None or value is NOT_SAID or (type(value) in (tuple, list) and NOT_SAID in value)


def with_value(value: Any, argument: Argument | None, number: int) -> Any:
    """Return the value of an argument with a number, or a truth value, in the place of what is not known of it."""
    if type(value) in (tuple, list):
        return tuple([number if one is NOT_SAID else one for one in value])
    example = number if argument is None else argument.check.example_value
    return bool(number % 2) if type(example) is bool else example if type(example) in (float, str) else number


def _filled(spec: Spec | None, size: int) -> Spec | None:
    """Return a tensor with a size in the place of each that is not known."""
    return (
        None if spec is None else spec._replace(shape=tuple([size if other is None else other for other in spec.shape]))
    )


def _values(count: int, sizes: set[int]) -> Iterator[tuple[int, ...]]:
    """Yield values for that many arguments: some of all kinds, the same one for all, which often is one name of the
    program, and each size of the tensors for each argument."""
    yield from [row[:count] for row in _TRIED]
    yield from [(row[0],) * count for row in _TRIED] if count > 1 else ()
    rows = cycle(_TRIED)
    for size, place in product(sorted(sizes), range(count)):
        for row in islice(rows, _ENOUGH):
            yield (*row[:place], size, *row[place + 1 : count])
