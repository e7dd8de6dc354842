"""NumPy: functions of arrays with known shapes, and of small ones with known values."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from itertools import accumulate
from typing import TYPE_CHECKING, cast

from layerexplain.frontends.code.library.builtins import call_builtin
from layerexplain.frontends.code.library.signatures import in_order
from layerexplain.frontends.code.machine.interpreter import Implementation, Library
from layerexplain.frontends.code.values.array import (
    FOLDS,
    SAME,
    Array,
    array_of,
    attribute,
    differ,
    fold,
    folded,
    known_array,
    operate,
)
from layerexplain.frontends.code.values.array import cast as cast_array
from layerexplain.frontends.code.values.array_data import axis_of, count_of, is_small, joined, paired, plain
from layerexplain.frontends.code.values.base import (
    DTYPES,
    Arguments,
    Evaluator,
    Keywords,
    ProgramError,
    ProgramValue,
    Size,
    Unknown,
    UnknownValue,
    unknown_value,
)
from layerexplain.frontends.code.values.layers import GraphTensor, tensors_in
from layerexplain.frontends.code.values.operators import is_plain
from layerexplain.frontends.code.values.python import iterate
from layerexplain.frontends.code.values.reading import MOST_ITEMS, TOO_LARGE
from layerexplain.model import Shape

if TYPE_CHECKING:
    from layerexplain.frontends.code.machine.interpreter import Interpreter

_MAKES = frozenset(
    """
    zeros ones empty linspace eye random.rand random.randn random.random random.normal random.uniform
    """.split()  # noqa: SIM905
)
"""Functions that make arrays of float64 where they are not told another dtype."""
_OTHER_NAMES = {"product": "prod", "amax": "max", "amin": "min"}
_OF_NUMBERS = ("sqrt", "exp", "log", "log2", "log10", "ceil", "floor", "sin", "cos", "tan")
_EACH: dict[str, Callable[[ProgramValue], ProgramValue] | None] = {
    "sqrt": math.sqrt, "exp": math.exp, "log": math.log, "sin": math.sin, "cos": math.cos, "abs": abs, "clip": None,
    "round": round, "log2": math.log2, "log10": math.log10, "tanh": math.tanh, "floor": math.floor, "ceil": math.ceil,
    "sign": lambda item: (item > 0) - (item < 0), "square": lambda item: item * item,
    "logical_not": lambda item: not item, "normalize": None,
}  # fmt: skip
"""Functions that give an array of the same shape; None for one whose values are not computed here."""


_OPERATORS = {
    "power": "Pow", "float_power": "Pow", "add": "Add", "subtract": "Sub", "multiply": "Mult", "divide": "Div",
    "true_divide": "Div", "floor_divide": "FloorDiv", "mod": "Mod", "remainder": "Mod",
}  # fmt: skip
"""Functions of two values that are operators."""


_CHANGE = frozenset({"random.shuffle", "fill_diagonal", "copyto", "put", "place", "putmask"})
"""Functions that change an array in a way that is not computed here."""


class Numpy(Library):
    """NumPy, whose functions a `call` may give tensors."""

    def call(self, path: str, args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
        name = path.partition(".")[2]
        if tensors := tensors_in([*args, *kwargs.values()]):
            if any(isinstance(tensor, GraphTensor) for tensor in tensors):
                last = path.rpartition(".")[2]
                words = f"np.{last} needs numbers, got a tensor of Keras; use keras.ops.{last}"
                raise ProgramError("TypeError", words, interpreter.place())
            return tensors[0].framework.operation(name, args, kwargs, path)
        args, kwargs = in_order(path, args, kwargs)
        result = super().call(path, args, kwargs, interpreter)
        if isinstance(result, Array) and result.dtype == "float32" and name in _MAKES:
            given = args[1] if len(args) > 1 and name in ("zeros", "ones", "empty") else None
            result = cast_array(result, kwargs.get("dtype", given) or "float64")
        return result


LIBRARY: Numpy = Numpy("numpy")
function = LIBRARY.function


def call_numpy(name: str, args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    """Return what a function of NumPy gives, by its name behind `numpy.`."""
    row = function.find(f"numpy.{name}") or _other(name)
    try:
        return row(args, kwargs, cast("Interpreter", evaluator))
    except UnknownValue as why:
        return why.value


@LIBRARY.family("numpy")
def _other(name: str) -> Implementation:
    return lambda args, kwargs, interpreter: _of_name(name, args, kwargs, interpreter)


def _of_name(name: str, args: Arguments, kwargs: Keywords, evaluator: Evaluator) -> ProgramValue:
    """Return what a function that is read as one of many gives: of a dtype, of each value, of all values."""
    first: ProgramValue = args[0] if args else None
    number: ProgramValue = first if isinstance(first, Array) and first.shape else plain(first)
    if name.rstrip("_") in DTYPES and is_plain(first):
        return call_builtin("int" if "int" in name else "float", args, kwargs, evaluator)
    if name in SAME:
        return cast_array(known_array(first), kwargs.get("dtype", args[1] if len(args) > 1 else None))
    if name in _EACH and not is_plain(number) and not isinstance(first, Size):
        return _of_each_value(name, known_array(first), args[1:])
    if name in _OPERATORS and len(args) == 2 and not kwargs:
        return evaluator.operate(
            _OPERATORS[name], *[argument if is_plain(argument) else known_array(argument) for argument in args]
        )
    if name in _CHANGE and isinstance(first, Array):
        evaluator.mutate(first)
        first.write(None)
        return None
    if name.startswith("random."):
        return _random(name.partition(".")[2], args, kwargs)
    if name in ("round", "around") and isinstance(number, int | float):
        return float(call_builtin("round", [number, *(args[1:2] or [0])], {}, evaluator))
    if name == "abs" and is_plain(number) and not isinstance(number, str):
        return abs(number)
    if name in _OF_NUMBERS and is_plain(number):
        return _of_number(name, number)
    if name in ("ceil", "floor", "sqrt", "exp", "log") and isinstance(first, Size):
        return Size()
    if name in ("prod", "product", "sum", "max", "min", "mean", "amax", "amin") and len(args) == 1 and not kwargs:
        if type(first) in (tuple, list) and any(isinstance(item, Size) or item is None for item in first):
            return Size()
        return fold(_OTHER_NAMES.get(name, name), known_array(first))
    if name in FOLDS and isinstance(first, Array):
        return folded(name, first, args[1:], kwargs)
    raise unknown_value(args, f"it comes from np.{name}(…)")


def _of_number(name: str, value: object) -> float:
    if isinstance(value, str):
        raise ProgramError("TypeError", f"np.{name} of a text")
    try:
        return float(getattr(math, name)(value))
    except (ValueError, OverflowError, TypeError):
        return math.nan


_KEEP_DTYPE = ("abs", "sign", "square", "logical_not")


def _of_each_value(name: str, array: Array, others: Arguments) -> Array:
    compute = _EACH[name] if not others else None
    if array.values is None:
        return array._replace(cells=None, bounds=None)
    try:
        values = None if compute is None else tuple([compute(value) for value in array.values])
    except (ValueError, OverflowError, TypeError):
        values = None
    keeps = name in _KEEP_DTYPE or array.dtype.startswith("float")
    return cast_array(array._replace(cells=values), array.dtype if keeps else "float64")


def _shape(value: ProgramValue) -> Shape:
    """Return sizes as they are given: a number or several. Raises UnknownValue where one of them is not known."""
    value = plain(value)
    sizes = value if type(value) in (tuple, list) else (value,)
    if any(isinstance(size, Unknown) for size in sizes):
        raise unknown_value(sizes, "sizes")
    if any(isinstance(size, float) for size in sizes):
        raise ProgramError("TypeError", f"the sizes {sizes} are not integers (// divides whole numbers)")
    if any(isinstance(size, int) and (size < 0 or size > 10**12) for size in sizes):
        raise unknown_value((), TOO_LARGE)
    return tuple([size if isinstance(size, int) else None for size in sizes])


def _filled(fill: float | None, args: Arguments, kwargs: Keywords) -> ProgramValue:
    if len(args) > 1 and isinstance(args[1], int | float):
        raise ProgramError(
            "TypeError", f"{args[1]} is not a dtype; give the shape as one value: ({args[0]}, {args[1]})"
        )
    shape = _shape(kwargs.get("shape", args[0] if args else ()))
    count = count_of(shape)
    is_large = None in shape or count > 1000
    return Array(shape, None if is_large or fill is None else (fill,) * count)


@function("numpy.eye", "numpy.identity")
def _eye(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    """Evaluate `np.eye(rows, columns, k)`: ones on the k-th diagonal."""
    rows, columns, k = [plain(argument) for argument in [*args[:3], None, None, None][:3]]
    rows, columns, k = kwargs.get("N", rows), kwargs.get("M", columns), kwargs.get("k", k)
    shape = _shape((rows, rows if columns is None else columns))
    if not is_small(shape) or not isinstance(k, int | None):
        return Array(shape)
    return Array(shape, tuple([float(j - i == (k or 0)) for i in range(shape[0] or 0) for j in range(shape[1] or 0)]))


def _random(name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
    if name in ("rand", "randn"):
        return Array(_shape(tuple(args)), bounds=(0, 1) if name == "rand" else None)
    if name not in ("random", "random_sample", "normal", "uniform", "randint"):
        return Unknown(f"it comes from np.random.{name}(…)")
    sizes = kwargs.get("size", args[0] if name.startswith("random") and args else args[2] if len(args) > 2 else None)
    if sizes is None:
        return Unknown("a random number")
    if type(sizes) in (list, tuple) and len(sizes) > 1 and isinstance(sizes[0], Unknown):
        sizes = (None, *sizes[1:])  # so many examples as is not known
    if name == "normal":
        return Array(_shape(sizes))
    if name.startswith("random"):
        return Array(_shape(sizes), bounds=(0, 1))
    return Array(_shape(sizes), None, None, "int64" if name == "randint" else "float64", _ends(name, args, kwargs))


def _ends(name: str, args: Arguments, kwargs: Keywords) -> tuple[float, float] | None:
    """Return the ends of `np.random.randint` or `uniform`, None where they are not known."""
    given = [plain(argument) for argument in args[:2]]
    low = kwargs.get("low", given[0] if given else 0)
    high = kwargs.get("high", given[1] if len(given) > 1 else None)
    if name == "randint":
        low, high = (0, low) if high is None else (low, high)
    elif high is None:
        high = 1
    if not isinstance(low, int | float) or not isinstance(high, int | float) or not low < high:
        return None
    return low, high - (name == "randint")


def _first(args: Arguments) -> Array:
    """Return the array that a function is given first. Raises UnknownValue where it is not known."""
    return known_array(args[0] if args else Unknown("an array"))


def _rows(args: Arguments, kwargs: Keywords) -> tuple[list[Array], int]:
    """Return the arrays that a function is given as one list, and the axis. Raises UnknownValue where they are not
    known."""
    rows = [array_of(item) for item in args[0]] if args and type(args[0]) in (list, tuple) else []
    axis = args[1] if len(args) > 1 else kwargs.get("axis", 0)
    if not rows or not isinstance(axis, int) or any(isinstance(row, Unknown) for row in rows):
        raise unknown_value(rows, "unknown arrays")
    return rows, axis


@function("numpy.expand_dims")
def _expand(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    array = _first(args)
    axis = plain(args[1] if len(args) > 1 else kwargs.get("axis", 0))
    if not isinstance(axis, int):
        return Unknown("an unknown axis")
    return array.expanded(axis)


def _without(shape: Shape, axis: int) -> Shape:
    at = axis_of(axis, len(shape))
    return (*shape[:at], *shape[at + 1 :])


def _fit_together(words: str, shapes: list[Shape]) -> None:
    """Refuse arrays whose other sizes are not the same."""
    for shape in shapes[1:]:
        if len(shape) != len(shapes[0]) or any(map(differ, shape, shapes[0])):
            raise ProgramError("ValueError", f"arrays cannot {words} whose other axes are {shapes[0]} and {shape}")


@function("numpy.concatenate")
def _concatenate(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    rows, axis = _rows(args, kwargs)
    _fit_together("be joined", [_without(row.shape, axis) for row in rows])
    return joined(rows, axis)


def _flat(array: Array) -> Array:
    result = array.reshaped([-1])
    if isinstance(result, Unknown):
        raise UnknownValue(result)
    return result


@function("numpy.vstack")
def _vstack(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    """Evaluate `np.vstack(arrays)`: those of one axis are rows."""
    rows, _ = _rows(args[:1], {})
    return _concatenate([[row if len(row.shape) > 1 else row.reshaped([1, -1]) for row in rows]], {}, interpreter)


@function("numpy.append")
def _append(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    """Evaluate `np.append(array, values)`: without an axis of all numbers in a row."""
    both = [known_array(argument) for argument in args[:2]]
    if len(args) < 3 and "axis" not in kwargs:
        both = [_flat(array) for array in both]
    return _concatenate([both, *args[2:]], kwargs, interpreter)


@function("numpy.stack")
def _stack(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    rows, axis = _rows(args, kwargs)
    _fit_together("be stacked", [row.shape for row in rows])
    return joined([row.expanded(axis) for row in rows], axis)


@function("numpy.transpose", "numpy.permute")
def _transpose(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    array, axes = _first(args), args[1] if len(args) > 1 else kwargs.get("axes", kwargs.get("dims"))
    return array.permuted(reversed(range(len(array.shape))) if axes is None else axes)


@function("numpy.squeeze")
def _squeeze(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    axis = args[1] if len(args) > 1 else kwargs.get("axis")
    return _first(args).squeezed((axis,) if isinstance(axis, int) else axis)


@function("numpy.meshgrid")
def _meshgrid(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    """Evaluate `np.meshgrid(x, y)`: the first two axes are swapped, as in a picture, unless indexing='ij'."""
    rows = [_flat(known_array(argument)) for argument in args]
    shape = tuple([row.shape[0] for row in rows])
    if not is_small(shape):
        return [Array(shape, None, None, row.dtype) for row in rows]
    arrays = []
    for axis, row in enumerate(rows):
        lying = row.view(tuple([size if i == axis else 1 for i, size in enumerate(shape)]))
        arrays.append(lying.spread(shape).copied())
    order = [1, 0, *range(2, len(shape))]
    swaps = kwargs.get("indexing", "xy") == "xy" and len(shape) > 1
    return [array.permuted(order) for array in arrays] if swaps else arrays


def _triangle(args: Arguments, kwargs: Keywords, keeps: Callable[[int, int], bool]) -> ProgramValue:
    array, k = _first(args), args[1] if len(args) > 1 else kwargs.get("k", kwargs.get("diagonal", 0))
    if array.values is None or not isinstance(k, int) or len(array.shape) < 2:
        return array._replace(cells=None)
    rows, columns = array.shape[-2:]
    places = [divmod(i % ((rows or 1) * (columns or 1)), columns or 1) for i in range(len(array.values))]
    kept = [
        value if keeps(column - row, k) else type(value)(0)
        for value, (row, column) in zip(array.values, places, strict=True)
    ]
    return array._replace(cells=tuple(kept))


@function("numpy.reshape")
def _reshape(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    sizes: ProgramValue = args[1] if len(args) > 1 else kwargs.get("newshape", kwargs.get("shape"))
    return _first(args).reshaped(sizes if type(sizes) in (tuple, list) else [sizes])


def _of_pairs(pick: Callable[[float, float], float], args: Arguments) -> ProgramValue:
    """Return what is picked of each pair of numbers of two arrays that broadcast."""
    left, right = [known_array(array_of(argument)) for argument in args[:2]]
    dtype = left.dtype if left.dtype == right.dtype else "float64"
    array = paired(left, right, pick)._replace(dtype=dtype)
    return array if array.shape else plain(array)


@function("numpy.cumsum")
def _cumsum(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    """Evaluate `np.cumsum(a, axis)`; along one of several axes only its shape is known."""
    array, axis = _first(args), [*args, None][1]
    if axis is not None and len(array.shape) > 1:
        return array._replace(cells=None, bounds=None)
    flat = _flat(array)
    sums = None if flat.values is None else tuple(accumulate(flat.values))
    return Array(flat.shape, sums, None, flat.dtype)


@function("numpy.linspace")
def _linspace(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    start, stop, count = (*map(plain, args), kwargs.get("num", 50))[:3]
    if not all(isinstance(item, int | float) for item in (start, stop)) or not isinstance(count, int):
        raise unknown_value((start, stop, count), "numbers")
    if not 0 <= count <= 1000:
        return Array((count,)) if count > 0 else Unknown(TOO_LARGE)
    step = (stop - start) / (count - 1) if count > 1 else 0.0
    return Array((count,), tuple([start + step * i for i in range(count)]))


@function("numpy.arange")
def _arange(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    given = [*args, *[kwargs[key] for key in ("start", "limit", "stop", "delta", "step") if key in kwargs]]
    numbers = [plain(item) for item in given]
    if not numbers or not all(isinstance(number, int) for number in numbers):
        raise unknown_value(numbers, "a range of numbers")
    try:
        rows = range(*numbers)
    except (TypeError, ValueError) as error:
        raise ProgramError(type(error).__name__, str(error)) from None
    if max(abs(rows.start), abs(rows.stop)) > 10**15:
        return Unknown(TOO_LARGE)
    return Array((len(rows),), tuple(rows) if len(rows) <= MOST_ITEMS else None, None, "int64")


function.add(
    {
        "numpy.zeros": lambda args, kwargs, interpreter: _filled(0.0, args, kwargs),
        "numpy.ones": lambda args, kwargs, interpreter: _filled(1.0, args, kwargs),
        "numpy.empty": lambda args, kwargs, interpreter: _filled(None, args, kwargs),
        "numpy.tril": lambda args, kwargs, interpreter: _triangle(args, kwargs, operator.le),
        "numpy.triu": lambda args, kwargs, interpreter: _triangle(args, kwargs, operator.ge),
        "numpy.minimum numpy.fmin": lambda args, kwargs, interpreter: _of_pairs(min, args),
        "numpy.maximum numpy.fmax": lambda args, kwargs, interpreter: _of_pairs(max, args),
        "numpy.shape": lambda args, kwargs, interpreter: attribute(_first(args), "shape"),
    }
)


@function("numpy.unique")
def _unique(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    """Evaluate `np.unique(labels)`: as many as there are classes."""
    if len(args) != 1 or kwargs:
        return Unknown("it comes from np.unique(…)")
    array = known_array(args[0])
    if array.values is not None:
        return array_of(sorted(set(array.values)))
    return Array((array.classes,), None, None, array.dtype)


@function("numpy.delete")
def _delete(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    """Evaluate `np.delete(values, places)` of a list of numbers."""
    values, places = (
        iterate(argument) if not isinstance(argument, int) else [argument] for argument in [*args, None, None][:2]
    )
    if (
        isinstance(values, Unknown)
        or isinstance(places, Unknown)
        or not all(isinstance(place, int) for place in places)
    ):
        return Unknown("it comes from np.delete(…)")
    left_out = {place % len(values) for place in places if values}
    return array_of([value for place, value in enumerate(values) if place not in left_out])


@function("numpy.dot", "numpy.matmul")
def _product(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    """Evaluate `np.dot(x, y)` of arrays with two axes."""
    both = [known_array(argument) for argument in args[:2]]
    flat = len(both) < 2 or any(len(array.shape) != 2 for array in both)
    return Unknown("a product of arrays") if flat else operate("MatMult", *both)


@function("numpy.zeros_like", "numpy.ones_like")
def _like(args: Arguments, kwargs: Keywords, interpreter: Interpreter) -> ProgramValue:
    array = array_of(args[0])
    return array._replace(cells=None) if isinstance(array, Array) else args[0]
