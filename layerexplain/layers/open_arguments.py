"""What a layer gives some of whose arguments are not known: the sizes that are the same whatever these are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice, product
from typing import Any

from layerexplain.errors import LayerExplainError, ShapeError
from layerexplain.lang.axes import Size
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import NOT_SAID, Argument
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.records import NamedTuple

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
    found: list[Definition] = []
    taken: list[tuple[int, ...]] = []
    refused: list[LayerExplainError] = []
    for values in _values(count, sizes):
        given = [_filled(spec, values[-1]) for spec in specs] if is_open else specs
        try:
            filled = {n: with_value(config[n], None, value) for n, value in zip(unknown, values, strict=False)}
            found.append(define({**config, **filled}, given))
            taken.append(values)
        except LayerExplainError as error:
            refused.append(error)
    if not found and isinstance(refused[0], ShapeError) and len({error.fact for error in refused}) == 1:
        raise refused[0]
    # One that has to be a size of the input, as the channels of a convolution, takes that alone.
    if not found or not all(len(one) >= _ENOUGH or one <= sizes for one in map(set, zip(*taken, strict=True))):
        return None
    first, *others = [list(one.results.items()) for one in found]
    if any([name for name, _ in one] != [name for name, _ in first] for one in others):
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
    masks = [[(one.shape, one.dtype) if one is not None else None for one in each.masks] for each in found]
    same_masks = all(one == masks[0] for one in masks)
    return Outline(tuple(found[0].params), results, tuple(found[0].masks) if same_masks else (), is_whole)


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
    return None if spec is None else spec._replace(shape=tuple([size if one is None else one for one in spec.shape]))


def _values(count: int, sizes: set[int]) -> Iterator[tuple[int, ...]]:
    """Yield values for that many arguments: some of all kinds, the same one for all, which often is one name of the
    program, and each size of the tensors for each argument."""
    yield from [row[:count] for row in _TRIED]
    yield from [(row[0],) * count for row in _TRIED] if count > 1 else ()
    rows = cycle(_TRIED)
    for size, place in product(sorted(sizes), range(count)):
        for row in islice(rows, _ENOUGH):
            yield (*row[:place], size, *row[place + 1 : count])
