"""Functions of NumPy on arrays of which the shape is known, and on small ones whose values are."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from layerexplain.frontends.code.bounds import MOST_ITEMS
from layerexplain.frontends.code.builtin_functions import call_builtin, items_of
from layerexplain.frontends.code.operators import TOO_LARGE, is_plain
from layerexplain.frontends.code.values.array import (
    FOLDS,
    SAME,
    Array,
    array_of,
    attribute,
    axis_of,
    cast,
    differ,
    fold,
    folded,
    known_array,
    operate,
    plain,
    reshaped,
)
from layerexplain.frontends.code.values.base import Evaluator, ProgramError, Size, Unknown, UnknownValue, unknown_value
from layerexplain.frontends.code.values.symbols import DTYPES
from layerexplain.frontends.code.values.tensors import Tensor
from layerexplain.model import Shape


def call_numpy(name: str, args: list[Any], kwargs: dict[str, Any], evaluator: Evaluator) -> Any:
    """A function of NumPy by its name behind `numpy.`."""
    try:
        return _result(name, args, kwargs, evaluator)
    except UnknownValue as why:
        return why.value


def _result(name: str, args: list[Any], kwargs: dict[str, Any], evaluator: Evaluator) -> Any:
    function = _FUNCTIONS.get(name)
    first: Any = args[0] if args else None
    if function is not None:
        return function(args, kwargs)
    if any(isinstance(one, Tensor) for one in args):
        return Unknown(f"np.{name} of a tensor, which Keras refuses")
    if name.rstrip("_") in DTYPES and is_plain(first):
        return call_builtin("int" if "int" in name else "float", args, kwargs, evaluator)
    if name in SAME:
        return cast(known_array(first), kwargs.get("dtype", args[1] if len(args) > 1 else None))
    if name in _EACH and not is_plain(plain(first)) and not isinstance(first, Size):
        return _of_each_value(known_array(first), _EACH[name])
    if name.startswith("random."):
        return _random(name.partition(".")[2], args, kwargs)
    if name in ("round", "around") and isinstance(plain(first), int | float):
        return float(call_builtin("round", [plain(first), *(args[1:2] or [0])], {}, evaluator))
    if name == "abs" and is_plain(plain(first)) and not isinstance(plain(first), str):
        return abs(plain(first))
    if name in ("sqrt", "exp", "log", "log2", "log10", "ceil", "floor", "sin", "cos", "tan") and is_plain(plain(first)):
        value = plain(first)
        if isinstance(value, str):
            raise ProgramError("TypeError", f"np.{name} of a text")
        try:
            made = getattr(math, name)(value)
            return float(made)
        except (ValueError, OverflowError, TypeError):
            return math.nan
    if name in ("ceil", "floor", "sqrt", "exp", "log") and isinstance(first, Size):
        return Size()
    if name in ("prod", "product", "sum", "max", "min", "mean", "amax", "amin") and len(args) == 1 and not kwargs:
        if type(first) in (tuple, list) and any(isinstance(one, Size) or one is None for one in first):
            return Size()
        return fold({"product": "prod", "amax": "max", "amin": "min"}.get(name, name), known_array(first))
    if name in FOLDS and isinstance(first, Array):
        return folded(name, first, args[1:], kwargs)
    raise unknown_value(args, f"it comes from np.{name}(…)")


_EACH: dict[str, Any] = {
    "sqrt": math.sqrt, "exp": math.exp, "log": math.log, "sin": math.sin, "cos": math.cos, "abs": abs, "clip": None,
    "round": round,
    "normalize": None,
}  # fmt: skip
"""Functions that give an array of the same shape; None for one whose values are not computed here."""


def _of_each_value(array: Array, function: Any) -> Array:
    if array.values is None:
        return array
    try:
        values = None if function is None else tuple([function(one) for one in array.values])
    except (ValueError, OverflowError, TypeError):
        values = None
    return array._replace(values=values, dtype=array.dtype if function is abs else "float64")


def _shape(value: Any) -> Shape:
    """Sizes as they are given: a number or several. Raises UnknownValue where one of them is not known."""
    value = plain(value)
    sizes = value if type(value) in (tuple, list) else (value,)
    if any(isinstance(one, Unknown) for one in sizes):
        raise unknown_value(sizes, "sizes")
    if any(isinstance(one, float) for one in sizes):
        raise ProgramError("TypeError", f"the sizes {sizes} are not integers (// divides whole numbers)")
    if any(isinstance(one, int) and (one < 0 or one > 10**12) for one in sizes):
        raise unknown_value((), TOO_LARGE)
    return tuple([one if isinstance(one, int) else None for one in sizes])


def _filled(fill: Any) -> Callable[..., Any]:
    def made(args: list[Any], kwargs: dict[str, Any]) -> Any:
        if len(args) > 1 and isinstance(args[1], int | float):
            raise ProgramError(
                "TypeError", f"{args[1]} is no dtype; give the shape as one value: ({args[0]}, {args[1]})"
            )
        shape = _shape(kwargs.get("shape", args[0] if args else ()))
        count = math.prod([size for size in shape if size is not None])
        is_large = None in shape or count > 1000
        return Array(shape, None if is_large or fill is None else (fill,) * count)

    return made


def _random(name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
    if name in ("rand", "randn"):
        return Array(_shape(tuple(args)))
    if name not in ("random", "random_sample", "normal", "uniform", "randint"):
        return Unknown(f"it comes from np.random.{name}(…)")
    sizes = kwargs.get("size", args[0] if name.startswith("random") and args else args[2] if len(args) > 2 else None)
    return Unknown("a random number") if sizes is None else Array(_shape(sizes))


def _first(args: list[Any]) -> Array:
    """The array that a function is given first. Raises UnknownValue where it is not known."""
    return known_array(args[0] if args else Unknown("an array"))


def _rows(args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Array], int]:
    """The arrays that a function is given as one list, and the axis. Raises UnknownValue where they are not known."""
    rows = [array_of(one) for one in args[0]] if args and type(args[0]) in (list, tuple) else []
    axis = args[1] if len(args) > 1 else kwargs.get("axis", 0)
    if not rows or not isinstance(axis, int) or any(isinstance(one, Unknown) for one in rows):
        raise unknown_value(rows, "arrays that are not known")
    return rows, axis


def _expand(args: list[Any], kwargs: dict[str, Any]) -> Any:
    array = _first(args)
    axis = plain(args[1] if len(args) > 1 else kwargs.get("axis", 0))
    if not isinstance(axis, int):
        return Unknown("an axis that is not known")
    at = axis_of(axis, len(array.shape) + 1)
    return array._replace(shape=(*array.shape[:at], 1, *array.shape[at:]))


def _without(shape: Shape, axis: int) -> Shape:
    at = axis_of(axis, len(shape))
    return (*shape[:at], *shape[at + 1 :])


def _fit_together(words: str, shapes: list[Shape]) -> None:
    """Refuse arrays whose other sizes are not the same."""
    for one in shapes[1:]:
        if len(one) != len(shapes[0]) or any(map(differ, one, shapes[0])):
            raise ProgramError("ValueError", f"arrays cannot {words} whose other axes are {shapes[0]} and {one}")


def _concatenate(args: list[Any], kwargs: dict[str, Any]) -> Any:
    rows, axis = _rows(args, kwargs)
    _fit_together("be joined", [_without(row.shape, axis) for row in rows])
    sizes = [row.shape[axis] for row in rows if -len(row.shape) <= axis < len(row.shape)]
    known = [size for size in sizes if size is not None]
    total = None if len(known) < len(rows) else sum(known)
    shape = list(rows[0].shape)
    if shape:
        shape[axis] = total
    values = None
    if len(shape) == 1 and all(row.values is not None for row in rows) and (total or 0) <= MOST_ITEMS:
        values = tuple([one for row in rows for one in row.values or ()])
    return Array(tuple(shape), values, rows[0].classes, rows[0].dtype)


def _vstack(args: list[Any], kwargs: dict[str, Any]) -> Any:
    """`np.vstack(arrays)`: those of one axis are rows."""
    rows, _ = _rows(args[:1], {})
    return _concatenate([[one if len(one.shape) > 1 else reshaped(one, [1, -1]) for one in rows]], {})


def _append(args: list[Any], kwargs: dict[str, Any]) -> Any:
    """`np.append(array, values)`: without an axis of all numbers in a row."""
    both = [known_array(one) for one in args[:2]]
    if len(args) < 3 and "axis" not in kwargs:
        both = [reshaped(one, [-1]) for one in both]
    return _concatenate([both, *args[2:]], kwargs)


def _stack(args: list[Any], kwargs: dict[str, Any]) -> Any:
    rows, axis = _rows(args, kwargs)
    shape = rows[0].shape
    at = axis_of(axis, len(shape) + 1)
    _fit_together("be stacked", [row.shape for row in rows])
    return Array((*shape[:at], len(rows), *shape[at:]))


def _reshape(args: list[Any], kwargs: dict[str, Any]) -> Any:
    sizes = args[1] if len(args) > 1 else kwargs.get("newshape", kwargs.get("shape"))
    return reshaped(_first(args), sizes if type(sizes) in (tuple, list) else [sizes])


def _linspace(args: list[Any], kwargs: dict[str, Any]) -> Any:
    start, stop, count = (*map(plain, args), kwargs.get("num", 50))[:3]
    if not all(isinstance(one, int | float) for one in (start, stop)) or not isinstance(count, int):
        raise unknown_value((start, stop, count), "numbers")
    if not 0 <= count <= 1000:
        return Array((count,)) if count > 0 else Unknown(TOO_LARGE)
    step = (stop - start) / (count - 1) if count > 1 else 0.0
    return Array((count,), tuple([start + step * i for i in range(count)]))


def _arange(args: list[Any], kwargs: dict[str, Any]) -> Any:
    given = [*args, *[kwargs[key] for key in ("start", "limit", "stop", "delta", "step") if key in kwargs]]
    numbers = [plain(one) for one in given]
    if not numbers or not all(isinstance(one, int) for one in numbers):
        raise unknown_value(numbers, "a range of numbers")
    try:
        rows = range(*numbers)
    except (TypeError, ValueError) as error:
        raise ProgramError(type(error).__name__, str(error)) from None
    if max(abs(rows.start), abs(rows.stop)) > 10**15:
        return Unknown(TOO_LARGE)
    return Array((len(rows),), tuple(rows) if len(rows) <= MOST_ITEMS else None, None, "int64")


def _shape_of(args: list[Any], kwargs: dict[str, Any]) -> Any:
    if args and isinstance(args[0], Tensor):
        return Unknown("the shape of a tensor")
    return attribute(_first(args), "shape")


def _unique(args: list[Any], kwargs: dict[str, Any]) -> Any:
    """`np.unique(labels)`: as many as there are classes."""
    if len(args) != 1 or kwargs:
        return Unknown("it comes from np.unique(…)")
    array = known_array(args[0])
    if array.values is not None:
        return array_of(sorted(set(array.values)))
    return Array((array.classes,), None, None, array.dtype)


def _delete(args: list[Any], kwargs: dict[str, Any]) -> Any:
    """`np.delete(values, places)` of a list of numbers."""
    values, places = (items_of(one) if not isinstance(one, int) else [one] for one in [*args, None, None][:2])
    if isinstance(values, Unknown) or isinstance(places, Unknown) or not all(isinstance(one, int) for one in places):
        return Unknown("it comes from np.delete(…)")
    left_out = {one % len(values) for one in places if values}
    return array_of([one for place, one in enumerate(values) if place not in left_out])


MAKES = frozenset(
    """
    zeros ones empty linspace eye random.rand random.randn random.random random.normal random.uniform
    """.split()  # noqa: SIM905
)
"""Functions of NumPy that make arrays of float64 where they are not told another dtype."""


def _product(args: list[Any], kwargs: dict[str, Any]) -> Any:
    """`np.dot(x, y)` of arrays with two axes."""
    both = [known_array(one) for one in args[:2]]
    flat = len(both) < 2 or any(len(one.shape) != 2 for one in both)
    return Unknown("a product of arrays") if flat else operate("MatMult", *both)


def _like(args: list[Any], kwargs: dict[str, Any]) -> Any:
    array = array_of(args[0])
    return array._replace(values=None) if isinstance(array, Array) else args[0]


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "dot": _product, "matmul": _product,
    "zeros": _filled(0.0), "ones": _filled(1.0), "empty": _filled(None), "expand_dims": _expand, "reshape": _reshape,
    "concatenate": _concatenate, "vstack": _vstack, "append": _append,
    "delete": _delete, "unique": _unique, "stack": _stack, "linspace": _linspace, "arange": _arange, "shape": _shape_of,
    "zeros_like": _like, "ones_like": _like,
}  # fmt: skip
