"""NumPy as far as models hang on it: shapes of arrays, and the values of small ones with what is computed of them."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Sequence

from layerexplain.frontends.code.values.array_data import (
    ArrayData,
    axis_of,
    common_dtype,
    count_of,
    is_small,
    number_of,
    numbers_of,
    paired,
    places,
    plain,
    steps_of,
)
from layerexplain.frontends.code.values.base import (
    Arguments,
    Evaluator,
    Keywords,
    ProgramError,
    ProgramValue,
    Size,
    Symbol,
    Unknown,
    UnknownValue,
    Value,
)
from layerexplain.frontends.code.values.operators import binary, compare, is_plain
from layerexplain.frontends.code.values.program import Bound
from layerexplain.frontends.code.values.reading import MOST_BITS, MOST_ITEMS, Budget, fits

# Array arithmetic ---------------------------------------------------------------------------------------------------
# Operators on arrays, comparisons, and folds along axes: shapes, and the values of small arrays.

_MOST_VALUE = 1e30
_MOST_POWER = 10


def differ(number: int | None, other: int | None) -> bool:
    """Return whether two sizes are known and not the same."""
    return number is not None and other is not None and number != other


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
    result = paired(first, second, lambda a, b: _of_two(name, a, b, budget))
    known = result.values
    if not result.shape and known is not None:
        return known[0]
    floats = [array.dtype for array in (first, second) if array.shape and array.dtype.startswith("float")]
    is_float = name == "Div" or (known is not None and float in map(type, known))
    dtype = floats[0] if floats else "float32" if is_float else (first if first.shape else second).dtype
    return result._replace(dtype=dtype, bounds=_bounds(name, first, second))


def _of_two(name: str, first: ProgramValue, second: ProgramValue, budget: Budget) -> ProgramValue:
    """Return what an operator on two values of arrays gives. What Python refuses of numbers is inf or nan in an array,
    which is not computed."""
    try:
        result = binary(name, first, second, budget)
    except ProgramError as error:
        if error.kind in ("ZeroDivisionError", "OverflowError"):
            return Unknown("inf or nan")
        raise
    return Unknown("nan") if type(result) is complex else result


def _of_shape(array: ArrayData, shape: Iterable[int | None]) -> ArrayData:
    """Return an array of the same kind with unknown values."""
    return type(array)(tuple(shape))


_BOUNDED = frozenset(item.__name__ for item in (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow))


def _bounds(name: str, first: ArrayData, second: ArrayData) -> tuple[float, float] | None:
    """Return the bounds of an operation on random numbers and one number: those of its ends, and of 0 between them."""
    item, other = (each.bounds or (each.values if not each.shape else None) for each in (first, second))
    if not item or not other or (first.shape and second.shape) or name not in _BOUNDED:
        return None
    if name in ("Div", "Pow") and (len(other) > 1 or (name == "Pow" and other[0] not in range(_MOST_POWER))):
        return None
    zero = [0] if all(isinstance(end, int | float) for end in item) and item[0] < 0 < item[-1] else []
    results = [binary(name, a, b, Budget()) for a in [*item, *zero] for b in other]
    if any(not isinstance(end, int | float) or abs(end) > _MOST_VALUE for end in results):
        return None
    return min(results), max(results)


def compared(name: str, first: ArrayData, second: ArrayData) -> ProgramValue:
    """Return the truth values of a comparison, element by element; NotImplemented where the numbers are not known."""
    array = paired(first, second, lambda a, b: compare(name, a, b))
    return array._replace(dtype="bool") if array.values is not None else NotImplemented


# Folds --------------------------------------------------------------------------------------------------------------

FOLDS = frozenset({"sum", "prod", "max", "min", "mean", "std", "var", "any", "all", "argmax", "argmin", "median"})


def folded(name: str, array: ArrayData, args: Arguments, kwargs: Keywords) -> ProgramValue:
    """Return a fold of all axes, or along one or some of them."""
    axis = args[0] if args else kwargs.get("axis")
    if axis is None:
        return fold(name, array)
    axes = axis if type(axis) in (tuple, list) else (axis,)
    count = len(array.shape)
    if not all(isinstance(item, int) for item in axes):
        return axis if isinstance(axis, Unknown) else Unknown(f"the {name} of data")
    gone = {axis_of(item, count) for item in axes}
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
    results = [fold(name, row) for row in rows]
    is_known = not any(isinstance(item, Unknown) for item in results)
    if not result.shape:
        return results[0]
    dtype = {"any": "bool", "all": "bool", "mean": "float32"}.get(name, array.dtype)
    return result._replace(cells=tuple(results) if is_known else None, dtype=dtype)


def product(values: Iterable[ProgramValue]) -> ProgramValue:
    """Return all values multiplied; Unknown where one of them is, or where the product is too large."""
    result: ProgramValue = 1
    budget = Budget()
    for value in values:
        result = value if isinstance(value, Unknown) else binary("Mult", result, value, budget)
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


# Array --------------------------------------------------------------------------------------------------------------
# NumPy as far as models hang on it: shapes of arrays, and the values of small ones.

SAME = frozenset(
    """
    astype copy numpy asarray array ascontiguousarray float32 float64 squeeze_ nan_to_num convert_to_tensor constant
    as_tensor cast
    """.split()  # noqa: SIM905
)

CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan, "newaxis": None}


_ATTRIBUTES = frozenset(
    """
    T all any argmax argmin astype copy dtype flatten item max mean min ndim prod ravel reshape shape size sort squeeze
    std sum tolist transpose var
    """.split()  # noqa: SIM905
)
_OF_TENSORS = frozenset({"cpu", "detach", "get_shape", "numpy", "eval"})
"""What tensors have, by which code tells them from arrays."""
_CHANGES = frozenset("sort partition resize put byteswap setfield itemset".split())  # noqa: SIM905
"""Methods that change an array in a way that is not computed here."""
_MOST_ROWS = 100


class Array(ArrayData):
    """An array of NumPy, or the data of a data set."""

    def numbers(self) -> tuple[ProgramValue, ...]:
        rows = self.shape[0] if self.shape else 0
        return self.shape, self.values or range(rows if rows is not None and rows <= _MOST_ROWS else 0)

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return attribute(self, name)

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        return True if name in _ATTRIBUTES else False if name in _OF_TENSORS else None

    def get_item(self, evaluator: Evaluator, key: object) -> ProgramValue:
        evaluator.budget.look_at(key)
        result = self.part(key_of(key))
        evaluator.budget.look_at(result)
        if isinstance(result, ArrayData) and not result.shape:
            result = Unknown("a value of the data") if result.values is None else result.values[0]
        framework = evaluator.call_framework
        if framework is not None and self.is_known and getattr(result, "values", result) is None:
            return framework.item_of_table(self, key)
        return result

    def operate(self, evaluator: Evaluator, name: str, left: object, right: object) -> ProgramValue:
        other = right if left is self else left
        if isinstance(other, Value) and not isinstance(other, Array | Size | Unknown):
            return NotImplemented
        if isinstance(other, Size):
            return Size()
        evaluator.budget.look_at(left, right)
        first, second = array_of(left), array_of(right)
        if isinstance(first, Unknown) or isinstance(second, Unknown):
            return first if isinstance(first, Unknown) else second
        result = operate(name, first, second)
        evaluator.budget.look_at(result)
        framework = evaluator.call_framework
        if framework is None or getattr(result, "values", result) is not None:
            return result
        given = [item.values if isinstance(item, Array) else item for item in (left, right)]
        return result if None in given else framework.operator(name, left, right)

    def operate_alone(self, evaluator: Evaluator, name: str) -> ProgramValue:
        if name == "Invert":
            known = self.values if self.dtype == "bool" else None
            return self._replace(cells=None if known is None else tuple([not item for item in known]))
        return evaluator.operate("Mult", self, -1 if name == "USub" else 1)

    def compare(self, evaluator: Evaluator, name: str, left: object, right: object) -> ProgramValue:
        framework = evaluator.call_framework
        if framework is not None:
            return framework.operator(name, left, right)
        evaluator.budget.look_at(left, right)
        first, second = array_of(left), array_of(right)
        return NotImplemented if Unknown in (type(first), type(second)) else compared(name, first, second)

    def become(self, evaluator: Evaluator, value: object) -> ProgramValue:
        if not isinstance(value, Array) or value.shape != self.shape:
            return value
        evaluator.mutate(self)
        self.write(value)
        return self if self.is_known else value

    def set_item(self, evaluator: Evaluator, key: object, value: object) -> None:
        if self.shared.memory.values is None:
            return
        evaluator.budget.look_at(value, key)
        evaluator.mutate(self)
        target = self.under(key_of(key))
        evaluator.budget.look_at(target)
        if isinstance(target, Unknown):
            self.shared.write(None)
        else:
            target.write(array_of(value))

    def is_instance(self, kind: Symbol) -> bool | None:
        return kind.last == "ndarray"

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        evaluator.budget.look(places(self.shape) if is_small(self.shape) else 0)
        if name == "fill" or name in _CHANGES:
            evaluator.mutate(self)
            self.write(array_of(args[0]) if name == "fill" and args else None)
            return None
        return call_method(self, name, args, kwargs)

    def iterate(self) -> list[ProgramValue] | Unknown:
        if not self.shape or self.shape[0] is None or self.shape[0] > _MOST_ROWS:
            return Unknown("the rows of data")
        rows, inner = self.shape[0], self.shape[1:]
        known = self.values
        if known is None:
            return [self._replace(shape=inner, cells=None)] * rows
        if not inner:
            return list(known)
        size = count_of(inner)
        return [self.view(inner, range(i * size, (i + 1) * size)) for i in range(rows)]

    def length(self) -> ProgramValue:
        if not self.shape:
            return Unknown("the length of data")
        return Size() if self.shape[0] is None else self.shape[0]

    def truth(self) -> bool | None:
        known = self.values
        return bool(known[0]) if known is not None and len(known) == 1 else None


def array_of(value: ProgramValue) -> ProgramValue:
    """Return the array of a nested list of numbers; Unknown for other values."""
    if isinstance(value, Array | Unknown):
        return value
    if is_plain(value):
        return Array((), (value,), None, _DTYPES.get(type(value), "float64"))
    if type(value) not in (list, tuple, range) or not fits(value):
        return Unknown("an array of unknown values")
    if {*map(type, value)} <= {int, float}:
        dtype = "int64" if {*map(type, value)} == {int} else "float64"
        return Array((len(value),), tuple(map(number_of(dtype), value)), None, dtype)
    rows = [array_of(item) for item in value]
    unknown = next((row for row in rows if isinstance(row, Unknown)), None)
    if unknown is not None:
        return unknown
    shapes = {row.shape for row in rows}
    if len(shapes) > 1:
        return Unknown("an array of rows of different lengths")
    inner = shapes.pop() if shapes else ()
    dtype = common_dtype(rows) if rows else "float64"
    known = all([row.is_known for row in rows]) and sum([len(row.values) for row in rows]) <= MOST_ITEMS
    values = tuple([item for row in rows for item in row.values]) if known else None
    if values is not None and {row.dtype for row in rows} != {dtype} and {*map(type, values)} <= {bool, int, float}:
        values = tuple(map(number_of(dtype), values))
    return Array((len(rows), *inner), values, None, dtype)


_DTYPES = {bool: "bool", int: "int64"}


def key_of(key: object) -> ProgramValue:
    """Return what stands between the brackets of `array[key]`, with arrays in the place of lists."""
    keys = key if type(key) is tuple else (key,)
    return tuple([_listed_rows(item) if type(item) is list else item for item in keys])


def _listed_rows(rows: list[ProgramValue]) -> Array:
    result = array_of(rows)
    return Array((len(rows),), None, None, "int64") if isinstance(result, Unknown) else result


def memory_of(value: ProgramValue) -> ProgramValue:
    """Return what a change of a value changes: the memory of an array, else the value itself."""
    return value.shared.memory if isinstance(value, Array) else value


def known_array(value: object) -> Array:
    """Return the array of a nested list of numbers. Raises UnknownValue for other values."""
    array = array_of(value)
    if isinstance(array, Unknown):
        raise UnknownValue(array)
    result: Array = array
    return result


def attribute(array: Array, name: str) -> ProgramValue:
    """Evaluate `array.name`."""
    if name == "shape":
        first, *others = array.shape or (0,)
        known = [Unknown(array.unknown_width) if size is None else size for size in others]
        return (Size("rows") if first is None else first, *known) if array.shape else ()
    if name == "ndim":
        return len(array.shape)
    if name == "size" and None not in array.shape:
        return count_of(array.shape)
    if name == "T":
        return array.permuted(reversed(range(len(array.shape))))
    if name == "dtype":
        return array.dtype
    return Bound(array, name)


def name_of_dtype(dtype: object) -> str:
    """Return the name of a dtype that is given as a text or as `np.float32`; "" for other values."""
    return dtype if isinstance(dtype, str) else getattr(dtype, "last", "")


def cast(array: Array, dtype: object) -> Array:
    """Return an array of another dtype: whole numbers are cut towards 0, as NumPy cuts them."""
    name = {"int": "int64", "float": "float64"}.get(name_of_dtype(dtype), name_of_dtype(dtype)) or array.dtype
    values = array.values
    if values is not None and "int" in name:
        known = all(isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)) for value in values)
        values = tuple(map(int, values)) if known else None
    elif values is not None and "float" in name and all(isinstance(value, int | float) for value in values):
        values = tuple(map(float, values))
    elif values is not None and name == "bool":
        values = tuple(map(bool, values))
    return array._replace(cells=values, dtype=name)


def call_method(array: Array, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
    """Return what a method of an array gives."""
    if name == "reshape":
        return array.reshaped(in_a_tuple(args))
    if name == "flatten" or name == "ravel":
        return (array if name == "ravel" else array.copied()).reshaped([-1])
    if name in SAME:
        array = array.copied() if name in ("copy", "astype") else array
        return cast(array, args[0] if args else kwargs.get("dtype")) if name == "astype" else array
    if name == "squeeze" and all(isinstance(argument, int) for argument in args):
        axis = kwargs.get("axis")
        return array.squeezed(args or ([axis] if isinstance(axis, int) else axis))
    if name == "tolist":
        return listed(plain(array))
    if name in FOLDS:
        return folded(name, array, args, kwargs)
    if name == "transpose" and args and all(isinstance(argument, int) for argument in args):
        return array.permuted(args)
    if name == "item" and array.values is not None and len(array.values) == 1:
        return array.values[0]
    return Unknown(f"the method {name} of an array")


def in_a_tuple(args: Sequence[ProgramValue]) -> tuple[ProgramValue, ...]:
    """Return sizes or axes, which are given one by one or as one sequence."""
    return tuple(args[0] if len(args) == 1 and type(args[0]) in (list, tuple) else args)


def listed(value: object) -> ProgramValue:
    """Return nested tuples as nested lists."""
    return [listed(item) for item in value] if type(value) is tuple else value
