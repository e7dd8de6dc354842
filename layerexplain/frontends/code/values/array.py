"""NumPy as far as models hang on it: shapes of arrays, and the values of small ones."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable

from layerexplain.frontends.code.bounds import MOST_BITS, MOST_ITEMS, Budget, fits
from layerexplain.frontends.code.operators import binary, is_plain
from layerexplain.frontends.code.values.base import (
    Arguments,
    Evaluator,
    Keywords,
    ProgramError,
    ProgramValue,
    Size,
    Unknown,
    UnknownValue,
    Value,
)
from layerexplain.frontends.code.values.program import Bound
from layerexplain.frontends.code.values.symbols import Symbol
from layerexplain.model import Shape
from layerexplain.records import Record

SAME = frozenset(
    """
    astype copy numpy asarray array ascontiguousarray float32 float64 squeeze_ nan_to_num convert_to_tensor constant
    as_tensor cast
    """.split()  # noqa: SIM905
)
_ALL_CLASSES = 1000
"""Labels of a data set of Keras that hold all of its classes for sure; a few of them may lack some."""

CONSTANTS = {"pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan, "newaxis": None}


_ATTRIBUTES = frozenset(
    """
    T all any argmax argmin astype copy dtype flatten item max mean min ndim prod ravel reshape shape size sort squeeze
    std sum tolist transpose var
    """.split()  # noqa: SIM905
)
_OF_TENSORS = frozenset({"cpu", "detach", "get_shape", "numpy", "eval"})
"""What tensors have, by which code tells them from arrays."""
_MOST_ROWS = 100
_MOST_VALUE = 1e30
_MOST_POWER = 10


class Array(Record, Value):
    """An array of NumPy, or the data of a data set: its shape, with None for sizes that are not known, and its values
    in a flat tuple where they are few and known. `classes` says how many classes its labels are of, `bounds` between
    which numbers random values lie."""

    shape: Shape
    values: tuple[ProgramValue, ...] | None = None
    classes: int | None = None
    dtype: str = "float32"
    bounds: tuple[float, float] | None = None

    def range(self) -> tuple[float, float] | None:
        """Return the smallest and the largest number, None where they are not known. Of random numbers there must be so
        many that the ends are among them, or close."""
        values = [float(one) for one in self.values or () if isinstance(one, int | float) and abs(one) < _MOST_VALUE]
        if values and len(values) == len(self.values or ()):
            return min(values), max(values)
        if self.bounds is None or None in self.shape:
            return None
        low, high = self.bounds
        places = high - low + 1 if "int" in self.dtype else 1
        return self.bounds if math.prod([size or 0 for size in self.shape]) >= 10 * places else None

    def numbers(self) -> tuple[ProgramValue, ...]:
        rows = self.shape[0] if self.shape else 0
        return self.shape, self.values or range(rows if rows is not None and rows <= _MOST_ROWS else 0)

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return attribute(self, name)

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        return True if name in _ATTRIBUTES else False if name in _OF_TENSORS else None

    def get_item(self, evaluator: Evaluator, key: object) -> ProgramValue:
        evaluator.budget.look_at(self, key)
        result = item(self, key)
        framework = evaluator.call_framework
        if framework is not None and self.values is not None and getattr(result, "values", result) is None:
            return framework.item_of_table(self, key)
        return result

    def operate(self, evaluator: Evaluator, name: str, left: object, right: object) -> ProgramValue:
        other = right if left is self else left
        if isinstance(other, Value) and not isinstance(other, Array | Size | Unknown):
            return NotImplemented
        evaluator.budget.look_at(left, right)
        result = operate(name, left, right)
        framework = evaluator.call_framework
        if framework is None or getattr(result, "values", result) is not None:
            return result
        given = [one.values if isinstance(one, Array) else one for one in (left, right)]
        return result if None in given else framework.operator(name, left, right)

    def operate_alone(self, evaluator: Evaluator, name: str) -> ProgramValue:
        return evaluator.operate("Mult", self, -1 if name == "USub" else 1)

    def compare(self, evaluator: Evaluator, name: str, left: object, right: object) -> ProgramValue:
        framework = evaluator.call_framework
        return NotImplemented if framework is None else framework.operator(name, left, right)

    def is_instance(self, kind: Symbol) -> bool | None:
        return kind.last == "ndarray"

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        evaluator.budget.look(places(self.shape) if is_small(self.shape) else 0)
        return call_method(self, name, args, kwargs)

    def iterate(self) -> list[ProgramValue] | Unknown:
        if not self.shape or self.shape[0] is None or self.shape[0] > _MOST_ROWS:
            return Unknown("the rows of data")
        rows, inner = self.shape[0], self.shape[1:]
        if self.values is None:
            return [Array(inner, None, self.classes, self.dtype)] * rows
        if not inner:
            return list(self.values)
        size = len(self.values) // rows
        return [Array(inner, self.values[i * size : (i + 1) * size], None, self.dtype) for i in range(rows)]

    def length(self) -> ProgramValue:
        if not self.shape:
            return Unknown("the length of data")
        return Size() if self.shape[0] is None else self.shape[0]

    def truth(self) -> bool | None:
        return None


def array_of(value: ProgramValue) -> ProgramValue:
    """Return the array of a nested list of numbers; Unknown for what is none."""
    if isinstance(value, Array | Unknown):
        return value
    if is_plain(value):
        return Array((), (value,), None, "int64" if isinstance(value, int) else "float64")
    if type(value) not in (list, tuple, range) or not fits(value):
        return Unknown("an array of unknown values")
    if {*map(type, value)} <= {int, float}:
        return Array((len(value),), tuple(value), None, "int64" if value and type(value[0]) is int else "float64")
    rows = [array_of(one) for one in value]
    unknown = next((one for one in rows if isinstance(one, Unknown)), None)
    if unknown is not None:
        return unknown
    shapes = {row.shape for row in rows}
    if len(shapes) > 1:
        return Unknown("an array of rows of different lengths")
    inner = shapes.pop() if shapes else ()
    known = all([row.values is not None for row in rows]) and sum([len(row.values) for row in rows]) <= MOST_ITEMS
    values = tuple([one for row in rows for one in row.values]) if known else None
    return Array((len(rows), *inner), values, None, rows[0].dtype if rows else "float64")


def known_array(value: object) -> Array:
    """Return the array of a nested list of numbers. Raises UnknownValue for what is none."""
    array = array_of(value)
    if isinstance(array, Unknown):
        raise UnknownValue(array)
    result: Array = array
    return result


def is_small(shape: Shape) -> bool:
    """Return whether all places of an array can be gone through; one without numbers may have giant axes."""
    return None not in shape and places(shape) <= MOST_ITEMS


def places(shape: Shape) -> int:
    """Count the rows that going through an array meets, those without numbers too."""
    return math.prod([max(size or 0, 1) for size in shape])


def plain(value: object) -> ProgramValue:
    """Return a number for an array of one; nested tuples for a small array; anything else as it is."""
    if not isinstance(value, Array) or value.values is None or not is_small(value.shape):
        return value
    return _nested(value.shape, value.values) if value.shape else value.values[0]


def _nested(shape: Shape, values: tuple[ProgramValue, ...]) -> tuple[ProgramValue, ...]:
    if len(shape) == 1:
        return tuple(values)
    rows = shape[0] or 0
    size = len(values) // max(rows, 1)
    return tuple([_nested(shape[1:], values[i * size : (i + 1) * size]) for i in range(rows)])


def broadcast(one: Shape, other: Shape) -> ProgramValue:
    """Return the shape of an operation on two arrays."""
    count = max(len(one), len(other))
    first, second = (1,) * (count - len(one)) + one, (1,) * (count - len(other)) + other
    sizes: list[int | None] = []
    for a, b in zip(first, second, strict=True):
        if a == b or b == 1:
            sizes.append(a)
        elif a == 1:
            sizes.append(b)
        elif a is None or b is None:
            sizes.append(None)
        else:
            raise ProgramError("ValueError", f"shapes {one} and {other} do not broadcast")
    return tuple(sizes)


def differ(one: int | None, other: int | None) -> bool:
    """Return whether two sizes are known and not the same."""
    return one is not None and other is not None and one != other


def axis_of(axis: int, count: int) -> int:
    """Return an axis counted from the first one. Raises `ProgramError` where there is none."""
    if not -count <= axis < count:
        raise ProgramError("AxisError", f"axis {axis} is out of bounds for an array of {count} axes")
    return axis % count


def operate(name: str, left: object, right: object) -> ProgramValue:
    """Return what an operator on arrays and numbers gives."""
    first, second = array_of(left), array_of(right)
    if isinstance(left, Size) or isinstance(right, Size):
        return Size()
    for one in (first, second):
        if isinstance(one, Unknown):
            return one
    if name == "MatMult":
        if first.shape and second.shape and differ(first.shape[-1], second.shape[-2:][0]):
            raise ProgramError(
                "ValueError", f"a product needs as many columns as rows, got {first.shape} and {second.shape}"
            )
        if len(first.shape) >= 1 and len(second.shape) >= 2:
            return Array((*first.shape[:-1], second.shape[-1]))
        return Unknown("a product of arrays")
    shape = broadcast(first.shape, second.shape)
    values = None
    one, other = first.values, second.values
    if one is not None and other is not None and shape in (first.shape, second.shape):
        lengths = {len(one), len(other)}
        if first.shape == second.shape or 1 in lengths:  # a number goes with each value of the other
            budget = Budget()
            pairs = zip(*(each * max(lengths) if len(each) == 1 else each for each in (one, other)), strict=True)
            result = [binary(name, a, b, budget) for a, b in pairs]
            values = None if any(isinstance(value, Unknown) for value in result) else tuple(result)
    if not shape and values is not None:
        return values[0]
    floats = [one.dtype for one in (first, second) if one.shape and one.dtype.startswith("float")]
    dtype = floats[0] if floats else "float32" if name == "Div" else first.dtype
    return Array(shape, values, None, dtype, _bounds(name, first, second))


_BOUNDED = frozenset(one.__name__ for one in (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow))


def _bounds(name: str, first: Array, second: Array) -> tuple[float, float] | None:
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


def item(array: Array, key: object) -> ProgramValue:
    """`array[key]`."""
    keys = key if type(key) is tuple else (key,)
    given = sum(one is not None and one is not Ellipsis for one in keys)
    if Ellipsis in keys:
        at = keys.index(Ellipsis)
        keys = (*keys[:at], *[slice(None)] * (len(array.shape) - given), *keys[at + 1 :])
    sizes: list[int | None] = []
    axes = iter(array.shape)
    plain_keys = all(one is None or one is Ellipsis or isinstance(one, int | slice) for one in keys)
    if given > len(array.shape) and plain_keys:
        raise ProgramError("IndexError", f"{given} indices for an array of {len(array.shape)} axes")
    for one in keys:
        if one is None:
            sizes.append(1)
            continue
        size = next(axes, None)
        if isinstance(one, slice):
            sizes.append(_sliced(one, size))
        elif isinstance(one, Array):
            sizes += [None] if one.dtype == "bool" else one.shape
        elif type(one) is list:
            sizes.append(len(one))
        elif isinstance(one, Unknown):
            return Unknown("unknown rows of data")
    shape = (*sizes, *axes)
    small = array.values is not None and is_small(array.shape)
    if small and array.values is not None and (places := _places(array.shape, keys)) is not None:
        found = tuple([array.values[one] for one in places])
        return found[0] if not shape else Array(shape, found, None, array.dtype)
    if not shape:
        return Unknown("a value of the data")
    if all(one is None or one == slice(None) for one in keys if not isinstance(one, Array)):
        return array._replace(shape=shape)
    classes = array.classes if isinstance(shape[0], int) and shape[0] >= _ALL_CLASSES else None
    return Array(shape, None, classes, array.dtype)


def _places(shape: Shape, keys: tuple[ProgramValue, ...]) -> list[int] | None:
    """Return where the values of `array[keys]` stand among its own; None for keys that are no numbers and slices of
    them."""
    picked: list[ProgramValue] = []
    sizes = iter(shape)
    for one in keys:
        size = next(sizes, None) if one is not None else 0
        if isinstance(one, bool) or size is None:
            return None
        if isinstance(one, int):
            if not -size <= one < size:
                raise ProgramError("IndexError", "index is out of bounds")
            picked.append([one % size])
        elif isinstance(one, slice) and all(
            type(part) in (int, type(None)) for part in (one.start, one.stop, one.step)
        ):
            picked.append(range(*one.indices(size)))
        elif one is not None:
            return None
    picked += [range(size or 0) for size in sizes]
    places = [0]
    for size, rows in zip(shape, picked, strict=True):
        places = [place * (size or 0) + row for place in places for row in rows]
    return places


def changed(array: Array, key: object, value: object) -> Array:
    """Return the array after `array[key] = value`; without its values where they are not known then."""
    places = item(Array(array.shape, tuple(range(len(array.values or ()))), None, "int64"), key)
    where = [places] if isinstance(places, int) else getattr(places, "values", None)
    given = getattr(array_of(value), "values", None)
    if array.values is None or where is None or given is None or len(given) not in (1, len(where)):
        return array._replace(values=None)
    found = list(array.values)
    for place, one in zip(where, given * len(where) if len(given) == 1 else given, strict=True):
        found[place] = float(one) if isinstance(found[place], float) and isinstance(one, int) else one
    return array._replace(values=tuple(found))


def _sliced(key: slice, size: int | None) -> int | None:
    parts = (key.start, key.stop, key.step)
    if size is None or not all(one is None or isinstance(one, int) for one in parts):
        if parts == (None, None, None):
            return size
        return None
    return len(range(*key.indices(size)))


def attribute(array: Array, name: str) -> ProgramValue:
    """`array.name`."""
    if name == "shape":
        return tuple([Size("rows") if size is None else size for size in array.shape])
    if name == "ndim":
        return len(array.shape)
    if name == "size" and None not in array.shape:
        return math.prod(array.shape)
    if name == "T":
        return Array(array.shape[::-1], None, None, array.dtype)
    if name == "dtype":
        return array.dtype
    return Bound(array, name)


def name_of_dtype(dtype: object) -> str:
    """Return the name of a dtype that is given as a text or as `np.float32`; "" for what is none."""
    return dtype if isinstance(dtype, str) else getattr(dtype, "last", "")


def cast(array: Array, dtype: object) -> Array:
    """Return an array of another dtype: whole numbers are cut towards 0, as NumPy cuts them."""
    name = {"int": "int64", "float": "float64"}.get(name_of_dtype(dtype), name_of_dtype(dtype)) or array.dtype
    values = array.values
    if values is not None and "int" in name:
        known = all(isinstance(one, int) or (isinstance(one, float) and math.isfinite(one)) for one in values)
        values = tuple(map(int, values)) if known else None
    elif values is not None and "float" in name and all(isinstance(one, int | float) for one in values):
        values = tuple(map(float, values))
    elif values is not None and name == "bool":
        values = tuple(map(bool, values))
    return array._replace(values=values, dtype=name)


def reshaped(array: Array, sizes: ProgramValue) -> ProgramValue:
    """Return the array with another shape."""
    sizes = [plain(one) for one in sizes]
    if any(isinstance(one, Unknown) for one in sizes):
        return next(one for one in sizes if isinstance(one, Unknown))
    known = [one for one in sizes if isinstance(one, int) and one >= 0]
    if None not in array.shape and len(known) + sizes.count(-1) == len(sizes) and sizes.count(-1) < 2:
        total, product = math.prod(array.shape), math.prod(known)  # type: ignore[arg-type]
        if total != product if -1 not in sizes else product == 0 or total % product:
            raise ProgramError(
                "ValueError", f"an array of {array.shape} has {total:,} numbers, no {tuple(sizes)} of them"
            )
    if len(known) == len(sizes):
        return Array(tuple(known), array.values, array.classes, array.dtype)
    if None not in array.shape and sizes.count(-1) == 1 and len(known) == len(sizes) - 1 and math.prod(known):
        rest = math.prod(array.shape) // math.prod(known)  # type: ignore[arg-type]
        return Array(tuple([rest if one == -1 else one for one in sizes]), array.values, array.classes, array.dtype)
    shape = tuple([one if isinstance(one, int) and one >= 0 else None for one in sizes])
    return Array(shape, None, array.classes, array.dtype)


def call_method(array: Array, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
    """Return what a method of an array gives."""
    if name == "reshape":
        return reshaped(array, args[0] if len(args) == 1 and type(args[0]) in (tuple, list) else args)
    if name == "flatten" or name == "ravel":
        return reshaped(array, [-1])
    if name in SAME:
        return cast(array, args[0] if args else kwargs.get("dtype")) if name == "astype" else array
    if name == "tolist":
        return _listed(plain(array))
    if name in FOLDS:
        return folded(name, array, args, kwargs)
    if name == "transpose" and args and all(isinstance(one, int) for one in args):
        if sorted([axis_of(one, len(array.shape)) for one in args]) != [*range(len(array.shape))]:
            raise ProgramError("ValueError", f"the axes {tuple(args)} are not those of an array of {array.shape}")
        return Array(tuple([array.shape[one] for one in args]))
    if name == "item" and array.values is not None and len(array.values) == 1:
        return array.values[0]
    return Unknown(f"the method {name} of an array")


FOLDS = frozenset({"sum", "prod", "max", "min", "mean", "std", "var", "any", "all", "argmax", "argmin", "median"})


def folded(name: str, array: Array, args: Arguments, kwargs: Keywords) -> ProgramValue:
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
    sizes = [1 if i in gone else size for i, size in enumerate(array.shape) if keeps or i not in gone]
    return Array(tuple(sizes))


def product(values: Iterable[ProgramValue]) -> ProgramValue:
    """Return all values multiplied; Unknown where one of them is, or where the product is too large."""
    result: ProgramValue = 1
    budget = Budget()
    for one in values:
        result = one if isinstance(one, Unknown) else binary("Mult", result, one, budget)
        if isinstance(result, Unknown):
            break
    return result


def _listed(value: object) -> ProgramValue:
    return [_listed(one) for one in value] if type(value) is tuple else value


def fold(name: str, array: Array) -> ProgramValue:
    if name == "max" and array.classes and array.values is None:
        return array.classes - 1
    if array.values is None or not array.values:
        return Unknown(f"the {name} of data")
    if name == "prod":
        # Of many numbers at once, as far as the result is small: no step is counted here.
        kinds = {*map(type, array.values)}
        whole = kinds <= {int, bool}
        bits = sum(map(int.bit_length, filter((1).__ne__, array.values))) if whole else 0
        if whole and 0 in array.values:
            return 0
        return math.prod(array.values) if kinds == {float} or (whole and bits <= MOST_BITS) else product(array.values)
    if name == "mean":
        return sum(array.values) / len(array.values)
    if name not in ("sum", "max", "min"):
        return Unknown(f"the {name} of numbers")
    folds: dict[str, Callable[[ProgramValue], ProgramValue]] = {"sum": sum, "max": max, "min": min}
    return folds[name](array.values)
