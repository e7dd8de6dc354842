"""Arithmetic of sizes, shapes and dtypes that the ops share. An unknown size makes what depends on it unknown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import BATCH, Axis, Batch, Expr, Shape, Size

FLOATS = ("float", "float64", "float32", "bfloat16", "float16", "weak float")
INTS = ("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "weak int")


_MOST_SIZES = 64
"""No array has more axes; what a file says of more is not printed whole."""


def shape_text(shape: Iterable[Size]) -> str:
    """A shape as Keras prints it: `(None, 28, 28, 3)`."""
    sizes = ["None" if s is None or s is BATCH else str(s) for s in shape]
    if len(sizes) > _MOST_SIZES:
        sizes = [*sizes[:8], f"… {len(sizes) - 8:,} more"]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"


def product(sizes: Iterable[Size]) -> int | None:
    """The product, the batch left out; None if a size is unknown."""
    numbers = [size for size in sizes if size is not BATCH]
    return None if None in numbers else prod(numbers)  # type: ignore[arg-type]


def known(size: Size) -> bool:
    """A size that is a number."""
    return isinstance(size, int)


def agree(a: Size, b: Size) -> bool:
    """The sizes are equal, or may be once they are known."""
    return a == b or not isinstance(a, int) or not isinstance(b, int)


def merge(a: Size, b: Size) -> Size:
    """What is known of a size from two that are equal."""
    if a is BATCH or b is BATCH:
        return BATCH
    return b if a is None else a


def broadcast(name: str, shapes: Sequence[Shape]) -> Shape:
    """The common shape, by NumPy's rule."""
    first = shapes[0]
    for s in shapes:
        if s and s is not first and s != first[-len(s) :]:
            break
    else:
        return first
    ndim = max(len(s) for s in shapes)
    result: list[Size] = []
    for axis in range(-ndim, 0):
        size: Size = 1
        for shape in shapes:
            other = shape[axis] if len(shape) >= -axis else 1
            if size == 1:
                size = other
            elif other != 1:
                if not agree(size, other):
                    raise ShapeError(
                        f"{name} needs shapes that broadcast: equal sizes or 1, aligned at the last axis; "
                        f"got {' and '.join(map(shape_text, shapes))}"
                    )
                size = merge(size, other)
        result.append(size)
    return tuple(result)


def promote(*dtypes: str) -> str:
    """The common dtype: a float before an int before a bool; Python's numbers give way."""
    best = dtypes[0]
    for dtype in dtypes[1:]:
        if dtype != best:
            best = _promote_pair(best, dtype)
    return best


def _rank(dtype: str) -> tuple[int, bool]:
    if dtype in FLOATS:
        return 3, not dtype.startswith("weak")
    if dtype in INTS:
        return 2, not dtype.startswith("weak")
    return (1, True) if dtype == "bool" else (4, True)


def _promote_pair(a: str, b: str) -> str:
    rank_a, rank_b = _rank(a), _rank(b)
    if rank_a != rank_b:
        winner, loser = (a, b) if rank_a > rank_b else (b, a)
        # A Python float beside an int tensor makes the layer's float.
        return "float" if winner == "weak float" and not loser.startswith("weak") else winner
    order = FLOATS if rank_a[0] == 3 else INTS
    return a if a in order and (b not in order or order.index(a) < order.index(b)) else b


def normalize_axis(axis: int, ndim: int, what: str = "axis") -> int:
    """A non-negative axis."""
    if not isinstance(axis, int) or not -ndim <= axis < ndim:
        raise ShapeError(f"{what} needs to be from {-ndim} to {ndim - 1} for a tensor with {ndim} axes, got {axis!r}")
    return axis % ndim


def normalize_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Non-negative axes in rising order; None is all of them."""
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    return tuple(sorted({normalize_axis(a, ndim) for a in axes}))


def default_roles(ndim: int) -> tuple[str, ...]:
    """What the axes of a tensor that comes from outside are called, by their number."""
    if ndim <= 1:
        return ("batch",)[:ndim]
    spatial = {2: (), 3: ("steps",), 4: ("rows", "columns"), 5: ("planes", "rows", "columns")}.get(ndim)
    if spatial is None:
        return ("batch", *(f"axis {i}" for i in range(1, ndim - 1)), "channels")
    return ("batch", *spatial, "features" if ndim <= 3 else "channels")


def axis_roles(x: Expr) -> tuple[str, ...]:
    """What the axes of a layer's tensor are called: as where it comes from, else by their number."""
    return x.attrs.get("roles") or default_roles(x.ndim)


def channels_at(ndim: int, axis: int) -> tuple[str, ...]:
    """The default roles with the channels moved to another axis."""
    *others, channels = default_roles(ndim)
    return (*others[:axis], channels, *others[axis:])


def kept(x: Expr, arg: int = 0) -> list[Axis]:
    """Each axis is that of `x`, the argument of this number, unchanged."""
    return [Axis("", (arg, i), size) for i, size in enumerate(x.shape)]


def new_axes(shape: Iterable[Size], why: str = "") -> list[Axis]:
    """Axes that continue none of an argument's."""
    return [Axis("", None, size, why) for size in shape]


def equation(text: str, size: Size) -> str:
    """`6 * 2 = 12`; the arithmetic alone where its result is not known."""
    return text if size is None else f"{text} = {size_text(size)}"


def size_text(size: Any) -> str:
    """A size in a sentence."""
    return "None" if size is None or isinstance(size, Batch) else str(size)


MOST_RESULTS = 10_000
"""More results than this no operation of a model has; each would be a row of its own."""


def few(count: int) -> int:
    """The number of results or of steps, refused where it is absurd."""
    if count > MOST_RESULTS:
        raise ShapeError(f"an operation needs to have at most {MOST_RESULTS:,} results or steps, got {count:,}")
    return count
