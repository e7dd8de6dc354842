"""NumPy's arrays as plain data: their memory, which views share, dtypes and shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any, Self

from layerexplain.errors import ShapeError
from layerexplain.frontends.code.values.base import ProgramError, ProgramValue, Unknown, Value
from layerexplain.frontends.code.values.reading import MOST_ITEMS
from layerexplain.lang.axes import is_open
from layerexplain.model import Shape
from layerexplain.ops.reshaping import groups, slice_range
from layerexplain.ops.sizes import broadcast as common_shape
from layerexplain.records import Record

# Memory -------------------------------------------------------------------------------------------------------------
# The memory of arrays: values that an array and its views share, so that a change through one reaches all.


class ArrayMemory:
    """Values that arrays share; None from the moment on at which a change leaves them unknown."""

    __slots__ = ("values",)

    def __init__(self, values: list[Any] | None) -> None:
        self.values = values


class ArrayCells:
    """The part of a memory that an array shows: the places of its values, in order; None where nobody knows which."""

    __slots__ = ("memory", "places")

    def __init__(self, memory: ArrayMemory, places: Sequence[int] | None) -> None:
        self.memory = memory
        self.places = places

    @property
    def is_known(self) -> bool:
        """Whether the values are known now."""
        return self.memory.values is not None and self.places is not None

    def read(self) -> tuple[Any, ...] | None:
        """Return the values; None where they are not known."""
        known = self.memory.values
        return None if known is None or self.places is None else tuple([known[place] for place in self.places])

    def at(self, numbers: Iterable[int]) -> ArrayCells:
        """Return the cells of a view, by the numbers of its values among those of the array."""
        return ArrayCells(self.memory, None if self.places is None else [self.places[number] for number in numbers])

    def write(self, values: Sequence[Any] | None) -> None:
        """Change all values; None for values that are not known."""
        known = self.memory.values
        if values is None or self.places is None:
            self.memory.values = None
        elif known is not None:
            for place, value in zip(self.places, values, strict=True):
                known[place] = value

    @property
    def is_one_piece(self) -> bool:
        """Return whether the values lie one behind the other in memory, in order; True where that is not known."""
        places = self.places or (0,)
        return [*places] == [*range(places[0], places[0] + len(places))]

    def is_in_order(self, sizes: Sequence[int], runs: Sequence[Sequence[int]]) -> bool:
        """Return whether the axes of each run lie one behind the other in memory."""
        places, steps, step = self.places or (), [0] * len(sizes), 1
        for axis in reversed(range(len(sizes))):
            steps[axis] = places[step] - places[0] if sizes[axis] > 1 else 0
            step *= sizes[axis]
        several = [[axis for axis in run if sizes[axis] > 1] for run in runs]
        return all(steps[a] == steps[b] * sizes[b] for axes in several for a, b in pairwise(axes))


# Array data ---------------------------------------------------------------------------------------------------------
# The shape and the numbers of an array, and its views: parts, other orders of the axes, other shapes.

_ALL_CLASSES = 1000
"""Labels of a data set of Keras that hold all of its classes for sure; a few of them may lack some."""
_MOST_VALUE = 1e30


class ArrayData(Record, Value):
    """The shape of an array, with None for sizes that are not known, and its values in a flat tuple where they are few
    and known, or the cells that it shares with its views. `classes` says how many classes its labels are of, `bounds`
    between which numbers random values lie, `several` that a row of them marks any number of labels with a 1."""

    shape: Shape
    cells: ArrayCells | tuple[ProgramValue, ...] | None = None
    classes: int | None = None
    dtype: str = "float32"
    bounds: tuple[float, float] | None = None
    several: bool = False

    @property
    def unknown_width(self) -> str:
        """Why a size behind the first one is not known."""
        return "it comes from the labels that MultiLabelBinarizer finds" if self.several else "it depends on the data"

    @property
    def values(self) -> tuple[ProgramValue, ...] | None:
        """Its values now; None where they are not known."""
        return self.cells.read() if isinstance(self.cells, ArrayCells) else self.cells

    @property
    def is_known(self) -> bool:
        """Whether its values are known now."""
        cells = self.cells
        return cells.is_known if isinstance(cells, ArrayCells) else cells is not None

    @property
    def shared(self) -> ArrayCells:
        """Its cells, which its views have too."""
        if not isinstance(self.cells, ArrayCells):
            known = self.cells
            self.__dict__["cells"] = ArrayCells(
                ArrayMemory(None if known is None else [*known]), range(len(known or ()))
            )
        cells: ArrayCells = self.__dict__["cells"]
        return cells

    def range(self) -> tuple[float, float] | None:
        """Return the smallest and the largest number, None where they are not known. Of random numbers there must be so
        many that the ends are among them, or close."""
        values = [
            float(value) for value in self.values or () if isinstance(value, int | float) and abs(value) < _MOST_VALUE
        ]
        if values and len(values) == len(self.values or ()):
            return min(values), max(values)
        if self.bounds is None or None in self.shape:
            return None
        low, high = self.bounds
        places = high - low + 1 if "int" in self.dtype else 1
        return self.bounds if count_of(self.shape) >= 10 * places else None

    def ones(self) -> tuple[float, float] | None:
        """Return the smallest and the largest number of ones in a row of zeros and ones; None for anything else."""
        values, width = self.values, self.shape[-1] if len(self.shape) > 1 else None
        if values and width and all(type(value) in (int, float, bool) and value in (0, 1) for value in values):
            counts = [sum(map(bool, values[at : at + width])) for at in range(0, len(values), width)]
            return min(counts), max(counts)
        return (0, math.inf) if self.several else None

    # Views ----------------------------------------------------------------------------------------------------------

    def view(self, shape: Shape, numbers: Iterable[int] | None = None) -> Self:
        """Return a view: all values in another shape, or those of some numbers."""
        cells = self.shared if numbers is None else self.shared.at(numbers)
        return self._replace(shape=shape, cells=cells)

    def copied(self) -> Self:
        """Return the array with a memory of its own."""
        return self._replace(cells=self.values)

    def copy_to(self, known: dict[int, ProgramValue], copy: Callable[[ProgramValue], ProgramValue]) -> None:
        known[id(self)] = self.copied()

    def permuted(self, axes: Iterable[int]) -> Self:
        """Return a view with the axes in another order."""
        order = [axis_of(axis, len(self.shape)) for axis in axes]
        if sorted(order) != [*range(len(self.shape))]:
            raise ProgramError("ValueError", f"the axes {tuple(order)} are not those of an array of {self.shape}")
        shape, steps = tuple([self.shape[axis] for axis in order]), steps_of(self.shape)
        return self.view(shape, numbers_of(shape, [steps[axis] for axis in order]) if self.is_known else None)

    def expanded(self, axis: int) -> Self:
        """Return a view with a new axis of size 1."""
        at = axis_of(axis, len(self.shape) + 1)
        return self.view((*self.shape[:at], 1, *self.shape[at:]))

    def squeezed(self, axes: Iterable[int] | None = None) -> Self:
        """Return a view without axes of size 1: all of them, or some."""
        count = len(self.shape)
        gone = range(count) if axes is None else [axis_of(axis, count) for axis in axes]
        return self.view(tuple([size for i, size in enumerate(self.shape) if i not in gone or size != 1]))

    def spread(self, shape: Shape) -> Self:
        """Return a view of the shape that the array is broadcast to."""
        if not self.is_known or not is_small(shape):
            return self._replace(shape=shape, cells=ArrayCells(self.shared.memory, None))
        return self.view(shape, spread(self.shape, shape))

    def reshaped(self, sizes: Sequence[ProgramValue]) -> Self | Unknown:
        """Return the array with another shape: a view where its axes lie in order in memory, else a copy."""
        sizes = [plain(size) for size in sizes]
        if any(isinstance(size, Unknown) for size in sizes):
            return next(size for size in sizes if isinstance(size, Unknown))
        known = [size for size in sizes if isinstance(size, int) and size >= 0]
        if None not in self.shape and len(known) + sizes.count(-1) == len(sizes) and sizes.count(-1) < 2:
            total, product = count_of(self.shape), math.prod(known)
            if total != product if -1 not in sizes else product == 0 or total % product:
                raise ProgramError(
                    "ValueError", f"an array of {self.shape} has {total:,} numbers, no {tuple(sizes)} of them"
                )
            sizes = [total // product if size == -1 else size for size in sizes]
            known = sizes
        shape = tuple([size if isinstance(size, int) and size >= 0 else None for size in sizes])
        if len(known) < len(sizes):
            return self._replace(shape=shape, cells=None)
        places = self.shared.places
        if self.values and isinstance(places, list):
            runs = [run for run, _ in groups(self.shape, shape)]
            if not self.shared.is_in_order([size or 0 for size in self.shape], runs):
                return self._replace(shape=shape, cells=self.values)
        return self.view(shape)

    def part(self, key: object) -> Self | Unknown:
        """Return the part under a key: a view, or a copy of what arrays in the key pick."""
        result = self.under(key)
        picks = any(isinstance(item, ArrayData) for item in (key if type(key) is tuple else (key,)))
        return result.copied() if picks and not isinstance(result, Unknown) else result

    def under(self, key: object) -> Self | Unknown:
        """Return the view that is changed by `array[key] = …`."""
        keys = _whole(key if type(key) is tuple else (key,), len(self.shape))
        if any(isinstance(item, Unknown) for item in keys):
            return Unknown("unknown rows of data")
        if sum(isinstance(item, ArrayData) and bool(item.shape) for item in keys) > 1:
            return Unknown("a part that is picked by several arrays")
        sizes: list[int | None] = []
        picked: list[tuple[int | None, Sequence[int] | None]] = []
        left = [*self.shape]
        for other in keys:
            if other is None:
                sizes.append(1)
                continue
            axes, left = left[: _axes(other)], left[_axes(other) :]
            size = None if None in axes or len(axes) < _axes(other) else count_of(tuple(axes))
            rows = _rows(other, tuple(axes), size)
            picked.append((size, rows))
            if isinstance(other, slice):
                sizes.append(_sliced(other, size))
            elif isinstance(other, ArrayData):
                sizes += other.shape if other.dtype != "bool" else [None if rows is None else len(rows)]
        shape = (*sizes, *left)
        picked += [(size, None if size is None or is_open(size) else range(size)) for size in left]
        is_known = self.is_known and all(rows is not None for _, rows in picked)
        if is_known and is_small(self.shape) and is_small(shape):
            numbers = [0]
            for size, rows in picked:
                numbers = [number * (size or 0) + row for number in numbers for row in rows or ()]
            return self.view(shape, numbers)._replace(classes=None)
        is_whole = all(item is None or item == slice(None) for item in keys if not isinstance(item, ArrayData))
        has_all = is_whole or (shape and isinstance(shape[0], int) and shape[0] >= _ALL_CLASSES)
        cells = ArrayCells(self.shared.memory, None)
        return self._replace(shape=shape, cells=cells, classes=self.classes if has_all else None)

    def write(self, given: ProgramValue) -> None:
        """Change the values, and with them those of all arrays that share the memory, to those of another array."""
        known = given.values if isinstance(given, ArrayData) else None
        if known is None or not self.is_known or None in self.shape:
            self.shared.write(None)
            return
        fitting = given.view(given.shape[-len(self.shape) :]) if len(given.shape) > len(self.shape) else given
        if broadcast(self.shape, fitting.shape) != self.shape:
            raise ProgramError("ValueError", f"values of the shape {given.shape} do not fit into {self.shape}")
        number = number_of(self.dtype)
        try:
            self.shared.write([number(known[other]) for other in spread(fitting.shape, self.shape)])
        except (TypeError, ValueError, OverflowError):
            self.shared.write(None)


def _whole(keys: tuple[ProgramValue, ...], count: int) -> tuple[ProgramValue, ...]:
    """Return keys without an ellipsis. Raises `ProgramError` for more of them than there are axes."""
    given = sum(map(_axes, keys))
    if any(key is Ellipsis for key in keys):
        at = next(i for i, key in enumerate(keys) if key is Ellipsis)
        keys = (*keys[:at], *[slice(None)] * (count - given), *keys[at + 1 :])
    if given > count and all(key is None or isinstance(key, int | slice) for key in keys):
        raise ProgramError("IndexError", f"{given} indices for an array of {count} axes")
    return keys


def _axes(key: object) -> int:
    """Count the axes that a key stands for: those of an array of truth values, or one."""
    if isinstance(key, ArrayData) and key.dtype == "bool":
        return len(key.shape)
    return int(key is not None and key is not Ellipsis)


def _rows(key: ProgramValue, shape: Shape, size: int | None) -> Sequence[int] | None:
    """Return the rows of axes that a key picks, counted from 0; None where they are not known."""
    if size is None or is_open(size) or isinstance(key, bool):
        return None
    if isinstance(key, slice):
        is_known = all(type(item) in (int, type(None)) for item in (key.start, key.stop, key.step))
        return range(*key.indices(size)) if is_known else None
    known = (key,) if isinstance(key, int) else key.values if isinstance(key, ArrayData) else None
    if known is None or not {*map(type, known)} <= {int, bool}:
        return None
    if isinstance(key, ArrayData) and key.dtype == "bool":
        if key.shape != shape:
            raise ProgramError("IndexError", f"truth values of the shape {key.shape} pick from axes of {shape}")
        return [i for i, item in enumerate(known) if item]
    if any(not -size <= item < size for item in known):
        raise ProgramError("IndexError", "index is out of bounds")
    return [item % size for item in known]


def _sliced(key: slice, size: int | None) -> int | None:
    parts = (key.start, key.stop, key.step)
    if size is None or not all(part is None or isinstance(part, int) for part in parts):
        return size if parts == (None, None, None) else None
    return slice_range(key, size)[1]


# Shapes -------------------------------------------------------------------------------------------------------------


def axis_of(axis: int, count: int) -> int:
    """Return an axis counted from the first one. Raises `ProgramError` where there is none."""
    if not -count <= axis < count:
        raise ProgramError("AxisError", f"axis {axis} is out of bounds for an array of {count} axes")
    return axis % count


def count_of(shape: Shape) -> int:
    """Return how many values an array of known sizes has."""
    return math.prod([size or 0 for size in shape])


def is_small(shape: Shape) -> bool:
    """Return whether all places of an array can be gone through; one without numbers may have giant axes."""
    return not any(size is None or is_open(size) for size in shape) and places(shape) <= MOST_ITEMS


def places(shape: Shape) -> int:
    """Count the rows that going through an array meets, those without numbers too."""
    return math.prod([max(size or 0, 1) for size in shape])


def broadcast(*shapes: Shape) -> Shape:
    """Return the shape of an operation on arrays. Raises `ProgramError` where there is none."""
    try:
        shape: Shape = common_shape("", shapes)  # type: ignore[assignment]  # no array has the batch
        return shape
    except ShapeError:
        raise ProgramError("ValueError", f"shapes {' and '.join(map(str, shapes))} do not broadcast") from None


def paired(
    first: ArrayData, second: ArrayData, compute: Callable[[ProgramValue, ProgramValue], ProgramValue]
) -> ArrayData:
    """Return what two arrays give that are broadcast, pair by pair of their values."""
    shape = broadcast(first.shape, second.shape)
    item, other = first.values, second.values
    if item is None or other is None or not is_small(shape):
        return type(first)(shape)
    pairs = zip(spread(first.shape, shape), spread(second.shape, shape), strict=True)
    results = tuple([compute(item[a], other[b]) for a, b in pairs])
    values = None if any(isinstance(value, Unknown) for value in results) else results
    return type(first)(shape, values)


def steps_of(shape: Shape) -> list[int]:
    """Return for each axis how far its values are apart among those of an array."""
    return [count_of(shape[axis + 1 :]) for axis in range(len(shape))]


def numbers_of(sizes: Iterable[int | None], steps: Iterable[int]) -> list[int]:
    """Return the numbers of the values along axes of some sizes, each with a step from one value to the next."""
    numbers = [0]
    for size, step in zip(sizes, steps, strict=True):
        numbers = [number + i * step for number in numbers for i in range(size or 0)]
    return numbers


def spread(own: Shape, shape: Shape) -> list[int]:
    """Return which value of an array stands at each place of the shape that it is broadcast to."""
    padded = (1,) * (len(shape) - len(own)) + own
    return numbers_of(shape, [0 if size == 1 else step for size, step in zip(padded, steps_of(padded), strict=True)])


# Values -------------------------------------------------------------------------------------------------------------


def number_of(dtype: str) -> type[int | float]:
    """Return the type of Python for the numbers of a dtype."""
    return int if "int" in dtype else bool if dtype == "bool" else float


def common_dtype(rows: Sequence[ArrayData]) -> str:
    """Return the dtype of an array of these: that of the first one with floats, else with integers."""
    return max((row.dtype for row in rows), key=lambda dtype: ("float" in dtype, "int" in dtype))


def plain(value: object) -> ProgramValue:
    """Return a number for an array of one; nested tuples for a small array; anything else as it is."""
    known = value.values if isinstance(value, ArrayData) and is_small(value.shape) else None
    if known is None or not isinstance(value, ArrayData):
        return value
    return _nested(value.shape, known) if value.shape else known[0]


def _nested(shape: Shape, values: tuple[ProgramValue, ...]) -> tuple[ProgramValue, ...]:
    if len(shape) == 1:
        return tuple(values)
    rows = shape[0] or 0
    size = len(values) // max(rows, 1)
    return tuple([_nested(shape[1:], values[i * size : (i + 1) * size]) for i in range(rows)])


def joined(rows: Sequence[ArrayData], axis: int) -> ArrayData:
    """Return arrays one behind the other along an axis; their other sizes are the same."""
    shape, own = list(rows[0].shape), [row.shape[axis] for row in rows]
    shape[axis] = None if None in own else sum([size or 0 for size in own])
    at = axis % len(shape)
    values = None
    if is_small(tuple(shape)) and all(row.is_known for row in rows):
        known = [(row.values or (), count_of(row.shape[at:])) for row in rows]
        lead = range(count_of(tuple(shape[:at])))
        values = tuple([item for i in lead for each, size in known for item in each[i * size : (i + 1) * size]])
    dtype = common_dtype(rows)
    if values is not None and {row.dtype for row in rows} != {dtype}:
        values = tuple(map(number_of(dtype), values))
    return rows[0]._replace(shape=tuple(shape), cells=values, bounds=None, dtype=dtype)
