"""Operators on arrays, comparisons, and folds along axes: shapes, and the values of small arrays."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable

from layerexplain.frontends.code.values.array_data import (
    ArrayData,
    axis_of,
    broadcast,
    is_small,
    numbers_of,
    spread,
    steps_of,
)
from layerexplain.frontends.code.values.base import Arguments, Keywords, ProgramError, ProgramValue, Unknown
from layerexplain.frontends.code.values.bounds import MOST_BITS, Budget
from layerexplain.frontends.code.values.operators import binary, compare

_MOST_VALUE = 1e30
_MOST_POWER = 10


def differ(one: int | None, other: int | None) -> bool:
    """Return whether two sizes are known and not the same."""
    return one is not None and other is not None and one != other


def operate(name: str, first: ArrayData, second: ArrayData) -> ProgramValue:
    """Return what an operator on arrays gives."""
    if name == "MatMult":
        if first.shape and second.shape and differ(first.shape[-1], second.shape[-2:][0]):
            raise ProgramError(
                "ValueError", f"a product needs as many columns as rows, got {first.shape} and {second.shape}"
            )
        if len(first.shape) >= 1 and len(second.shape) >= 2:
            return _of_shape(first, (*first.shape[:-1], second.shape[-1]))
        return Unknown("a product of arrays")
    budget = Budget()
    result = _paired(first, second, lambda a, b: _of_two(name, a, b, budget))
    known = result.values
    if not result.shape and known is not None:
        return known[0]
    floats = [one.dtype for one in (first, second) if one.shape and one.dtype.startswith("float")]
    is_float = name == "Div" or (known is not None and float in map(type, known))
    dtype = floats[0] if floats else "float32" if is_float else (first if first.shape else second).dtype
    return result._replace(dtype=dtype, bounds=_bounds(name, first, second))


def _of_two(name: str, first: ProgramValue, second: ProgramValue, budget: Budget) -> ProgramValue:
    """Return what an operator on two values of arrays gives. What Python refuses of numbers is inf or nan in an array,
    which is not computed."""
    try:
        found = binary(name, first, second, budget)
    except ProgramError as error:
        if error.kind in ("ZeroDivisionError", "OverflowError"):
            return Unknown("inf or nan")
        raise
    return Unknown("nan") if type(found) is complex else found


def _of_shape(array: ArrayData, shape: Iterable[int | None]) -> ArrayData:
    """Return an array of the same kind with unknown values."""
    return type(array)(tuple(shape))


_BOUNDED = frozenset(one.__name__ for one in (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow))


def _bounds(name: str, first: ArrayData, second: ArrayData) -> tuple[float, float] | None:
    """Return the bounds of an operation on random numbers and one number: those of its ends, and of 0 between them."""
    one, other = (each.bounds or (each.values if not each.shape else None) for each in (first, second))
    if not one or not other or (first.shape and second.shape) or name not in _BOUNDED:
        return None
    if name in ("Div", "Pow") and (len(other) > 1 or (name == "Pow" and other[0] not in range(_MOST_POWER))):
        return None
    zero = [0] if all(isinstance(end, int | float) for end in one) and one[0] < 0 < one[-1] else []
    found = [binary(name, a, b, Budget()) for a in [*one, *zero] for b in other]
    if any(not isinstance(end, int | float) or abs(end) > _MOST_VALUE for end in found):
        return None
    return min(found), max(found)


def _paired(
    first: ArrayData, second: ArrayData, compute: Callable[[ProgramValue, ProgramValue], ProgramValue]
) -> ArrayData:
    """Return what two arrays give that are broadcast, pair by pair of their values."""
    shape = broadcast(first.shape, second.shape)
    one, other = first.values, second.values
    if one is None or other is None or not is_small(shape):
        return _of_shape(first, shape)
    pairs = zip(spread(first.shape, shape), spread(second.shape, shape), strict=True)
    found = tuple([compute(one[a], other[b]) for a, b in pairs])
    values = None if any(isinstance(value, Unknown) for value in found) else found
    return _of_shape(first, shape)._replace(cells=values)


def compared(name: str, first: ArrayData, second: ArrayData) -> ProgramValue:
    """Return the truth values of a comparison, element by element; NotImplemented where the numbers are not known."""
    found = _paired(first, second, lambda a, b: compare(name, a, b))
    return found._replace(dtype="bool") if found.values is not None else NotImplemented


# Folds --------------------------------------------------------------------------------------------------------------

FOLDS = frozenset({"sum", "prod", "max", "min", "mean", "std", "var", "any", "all", "argmax", "argmin", "median"})


def folded(name: str, array: ArrayData, args: Arguments, kwargs: Keywords) -> ProgramValue:
    """Return a fold of all axes, or along one or some of them."""
    axis = args[0] if args else kwargs.get("axis")
    if axis is None:
        return fold(name, array)
    axes = axis if type(axis) in (tuple, list) else (axis,)
    count = len(array.shape)
    if not all(isinstance(one, int) for one in axes):
        return axis if isinstance(axis, Unknown) else Unknown(f"the {name} of data")
    gone = {axis_of(one, count) for one in axes}
    keeps = kwargs.get("keepdims") is True
    result = _of_shape(
        array, [1 if i in gone else size for i, size in enumerate(array.shape) if keeps or i not in gone]
    )
    known, steps = array.values, steps_of(array.shape)
    if known is None or not is_small(array.shape):
        return result
    rest, inside = (
        numbers_of([array.shape[i] for i in some], [steps[i] for i in some])
        for some in ([i for i in range(count) if i not in gone], sorted(gone))
    )
    rows = [array._replace(shape=(len(inside),), cells=tuple([known[a + b] for b in inside])) for a in rest]
    found = [fold(name, one) for one in rows]
    is_known = not any(isinstance(one, Unknown) for one in found)
    if not result.shape:
        return found[0]
    dtype = {"any": "bool", "all": "bool", "mean": "float32"}.get(name, array.dtype)
    return result._replace(cells=tuple(found) if is_known else None, dtype=dtype)


def product(values: Iterable[ProgramValue]) -> ProgramValue:
    """Return all values multiplied; Unknown where one of them is, or where the product is too large."""
    result: ProgramValue = 1
    budget = Budget()
    for one in values:
        result = one if isinstance(one, Unknown) else binary("Mult", result, one, budget)
        if isinstance(result, Unknown):
            break
    return result


_OF_ALL: dict[str, Callable[[tuple[ProgramValue, ...]], ProgramValue]] = {
    "sum": sum, "max": max, "min": min, "any": any, "all": all,
}  # fmt: skip


def fold(name: str, array: ArrayData) -> ProgramValue:
    """Return a fold of all values of an array."""
    known = array.values
    if name == "max" and array.classes and known is None:
        return array.classes - 1
    if not known:
        return Unknown(f"the {name} of data")
    if name == "prod":
        # Of many numbers at once, as far as the result is small: no step is counted here.
        kinds = {*map(type, known)}
        whole = kinds <= {int, bool}
        bits = sum(map(int.bit_length, filter((1).__ne__, known))) if whole else 0
        if whole and 0 in known:
            return 0
        return math.prod(known) if kinds == {float} or (whole and bits <= MOST_BITS) else product(known)
    if name == "mean":
        return sum(known) / len(known)
    return _OF_ALL[name](known) if name in _OF_ALL else Unknown(f"the {name} of numbers")
