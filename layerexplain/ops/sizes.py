"""Arithmetic of sizes, shapes and dtypes, shared by the ops. A result that depends on an unknown size is unknown."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.axes import Axis, Batch, Shape, Size, batch_is, batches, has_batch, need_batch
from layerexplain.lang.expr import CALL, MOST_AXES, PER_OUTPUT, STRUCTURAL, WEIGHT, CannotDerive, Expr, axes_of
from layerexplain.ops.spatial import SPATIAL, image_axes

FLOATS = ("float", "float64", "float32", "bfloat16", "float16", "weak float")
INTS = ("int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "weak int")
_FARTHEST = 50
"""The most nodes searched between an op and a weight."""


def shape_text(shape: Iterable[Size]) -> str:
    """Return a shape as Keras prints it: `(None, 28, 28, 3)`."""
    sizes = [size_text(s) for s in shape]
    if len(sizes) > MOST_AXES:  # no array has so many, but a file may
        sizes = [*sizes[:8], f"… {len(sizes) - 8:,} more"]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"


def misfit(needs: str, *tensors: Expr) -> ShapeError:
    """Return the error for tensors whose shapes do not fit: what the op needs, then their shapes."""
    return ShapeError(f"{needs}, got {' and '.join([shape_text(x.shape) for x in tensors])}")


def product(sizes: Iterable[Size]) -> int | None:
    """Return the product without the batch; None if a size is unknown, or the product no whole number.

    >>> from layerexplain.lang.axes import BATCH, batches
    >>> product([batches(3), 7]), product([BATCH, 7, None]), product([batches(1, 2), 6])
    (21, None, 3)
    """
    numbers, parts = list[int](), 1
    for size in sizes:
        if size is None or (isinstance(size, Batch) and size.plus):
            return None
        if isinstance(size, Batch):
            parts *= size.per
            size = size.times
        numbers.append(size)
    whole = prod(numbers)
    return whole if parts == 1 else None if whole % parts else whole // parts


def quotient(sizes: Iterable[Size], others: Iterable[Size]) -> Size:
    """Return the size that makes a product of sizes another one, the batch included. A part of the batch is taken to be
    whole; None where a size is unknown, or where no whole number makes it.

    >>> from layerexplain.lang.axes import BATCH, batches
    >>> quotient([BATCH, 8, 6], [BATCH, 12]), quotient([BATCH, 8, 6], [32]), quotient([BATCH, 8], [BATCH, 5])
    (4, 3 * n / 2, None)
    """
    left, right = list(sizes), list(others)
    whole: Size = 1
    for size in [batch for batch in left if isinstance(batch, Batch) and batch.plus]:
        left.remove(size)
        if size in right:
            right.remove(size)
        else:
            whole = size if whole == 1 else None
    above, below, power = _ratio(left, right) or (0, 0, 0)
    if whole != 1:
        return whole if above == below and not power else None
    if not below or power not in (0, 1):
        return None
    if above % below == 0:
        return batches(above // below) if power and above else above // below
    return batches(above, below) if power else None


def batch_between(sizes: Iterable[Size], others: Iterable[Size]) -> int | None:
    """Return the number of examples at which two products of sizes are equal: 0 for any, None for none.

    >>> from layerexplain.lang.axes import BATCH
    >>> batch_between([BATCH, 8], [BATCH, 2, 4]), batch_between([BATCH, 8], [32]), batch_between([BATCH, 8], [5, 5])
    (0, 4, None)
    """
    below, above, power = _ratio(sizes, others) or (0, 1, 0)
    if power < 0:
        above, below, power = below, above, -power
    if not below or above % below or (power == 0 and above != below):
        return None
    examples = round((above // below) ** (1 / power)) if power else 0
    return examples if power == 0 or (examples and examples**power == above // below) else None


def _ratio(sizes: Iterable[Size], others: Iterable[Size]) -> tuple[int, int, int] | None:
    """Return the numerator and the denominator of a quotient of sizes, and the power of the batch in it; None where a
    size is unknown."""
    above = below = 1
    power = 0
    for sign, part in ((1, sizes), (-1, others)):
        for size in part:
            if size is None or (isinstance(size, Batch) and size.plus):
                return None
            times, per = (size.times, size.per) if isinstance(size, Batch) else (size, 1)
            if isinstance(size, Batch):
                power += sign
                need_batch("%", per)
            above, below = (above * times, below * per) if sign > 0 else (above * per, below * times)
    return above, below, power


def total(counts: Iterable[int | None]) -> int | None:
    """Return the sum; None if a count is unknown."""
    numbers = list(counts)
    return None if None in numbers else sum(numbers)  # type: ignore[arg-type]


def known(size: Size) -> bool:
    """Return whether a size is a number."""
    return isinstance(size, int)


def sized(x: Expr, axes: Iterable[int], of: str = "") -> tuple[int, ...]:
    """Return the sizes of axes that a gradient needs. Raises `CannotDerive` if one is not known; the message says so of
    that axis, or of all that they are sizes `of`."""
    axes = tuple(axes)
    for axis in axes:
        if not known(x.shape[axis]):
            needs = f"the sizes of {of}; give them" if of else f"the size of axis {axis}; give it"
            raise CannotDerive(f"needs {needs} with --input")
    return tuple([x.shape[axis] for axis in axes])


def image_size(node: Expr, arg: int = 0) -> tuple[int, ...]:
    """Return the rows and columns of the image that a node reads. Raises `CannotDerive` if one is not known."""
    return sized(node.args[arg], image_axes(node)[0], "the image")


def agree(a: Size, b: Size) -> bool:
    """Return whether two sizes are equal, or could be once they are known."""
    if isinstance(a, Batch) and isinstance(b, Batch):
        return a is b
    for batch, other in ((a, b), (b, a)):
        if isinstance(batch, Batch) and isinstance(other, int):
            return batch_is(batch, other)
    return a == b or not isinstance(a, int) or not isinstance(b, int)


def meet(a: Shape, i: int, b: Shape, j: int) -> bool:
    """Return whether an axis of one tensor and one of another have equal sizes, or could have them. A number is not the
    size of a batch where its own tensor has the batch along another axis.

    >>> from layerexplain.lang.axes import BATCH
    >>> meet((8, 3), 0, (BATCH, 5), 0), meet((BATCH, 8), 1, (BATCH, 5), 0)
    (True, False)
    """
    pairs = (a[i], b[j], a), (b[j], a[i], b)
    apart = any(isinstance(item, int) and isinstance(other, Batch) and has_batch(of) for item, other, of in pairs)
    return agree(a[i], b[j]) and not apart


def merge(a: Size, b: Size) -> Size:
    """Return the known one of two sizes that are equal."""
    if isinstance(a, Batch) or isinstance(b, Batch):
        return a if isinstance(a, Batch) else b
    return b if a is None else a


def broadcast(name: str, shapes: Sequence[Shape]) -> Shape:
    """Return the common shape by NumPy's broadcasting rule. Raises ShapeError if there is none."""
    longest = max(shapes, key=len)
    for s in shapes:
        if s and s is not longest and s != longest[-len(s) :]:
            break
    else:
        return longest
    ndim = len(longest)
    result: list[Size] = []
    for axis in range(-ndim, 0):
        across = [shape for shape in shapes if len(shape) >= -axis and shape[axis] != 1]
        for i, shape in enumerate(across):
            if not all(meet(shape, axis, other, axis) for other in across[:i]):
                raise ShapeError(
                    f"{name} needs shapes that broadcast: equal sizes or 1, aligned at the last axis; "
                    f"got {' and '.join(map(shape_text, shapes))}"
                )
        result.append(functools.reduce(merge, [shape[axis] for shape in across], None) if across else 1)
    return tuple(result)


def promote(*dtypes: str) -> str:
    """Return the common dtype: float before int before bool; a Python number adapts to the tensors."""
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
        # A Python float with an int tensor results in the layer's float.
        return "float" if winner == "weak float" and not loser.startswith("weak") else winner
    order = FLOATS if rank_a[0] == 3 else INTS
    return a if a in order and (b not in order or order.index(a) < order.index(b)) else b


def normalize_axis(axis: int, ndim: int, what: str = "axis") -> int:
    """Return the axis as a non-negative number. Raises ShapeError if it does not exist."""
    if not isinstance(axis, int) or not -ndim <= axis < ndim:
        raise ShapeError(f"{what} needs to be from {-ndim} to {ndim - 1} for a tensor with {ndim} axes, got {axis!r}")
    return axis % ndim


def normalize_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return the axes as non-negative numbers in ascending order; None means all axes."""
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    return tuple(sorted({normalize_axis(a, ndim) for a in axes}))


@functools.lru_cache(MOST_AXES)
def default_roles(ndim: int) -> tuple[str, ...]:
    """Return the names of the axes of an input tensor, given their number."""
    if ndim <= 1:
        return ("batch",)[:ndim]
    spatial = SPATIAL.get(ndim - 2) or [f"axis {i}" for i in range(1, ndim - 1)]
    return ("batch", *spatial, "features" if ndim <= 3 else "channels")


def axis_roles(x: Expr) -> tuple[str, ...]:
    """Return the names of the axes of a layer's tensor: its own if it has some, else the default ones."""
    return x.attrs.get("roles") or default_roles(x.ndim)


def axis_name(W: Expr, axis: int, otherwise: str) -> str:
    """Return the name of an axis in its weight: W itself, or one that W is computed from, as with LoRA."""
    ahead = [(W, axis)]
    for node, at in ahead:  # grows as it is read
        if node.op is WEIGHT:
            return str(node.attrs["axes"][at][-1][0])
        if node.op.name in ("item", "split"):
            ahead.append((node.args[0], at))
            continue
        if type(node.shape) is not tuple or has_batch(node.shape):  # an input's axes do not come from a weight
            continue
        if (node.op is CALL or node.op.flops is PER_OUTPUT) and len(ahead) < _FARTHEST:
            # Element-wise; W may broadcast, or be packed.
            places = [(arg, at - node.ndim + arg.ndim) for arg in node.args if type(arg.shape) is tuple]
            ahead += [(arg, i) for arg, i in places if i >= 0 and arg.shape[i] == node.shape[at]]
        elif node.op.element is not STRUCTURAL and node.args and len(ahead) < _FARTHEST:
            rule = axes_of(node)[at]
            if rule.source is not None:
                ahead.append((node.args[rule.source[0]], rule.source[1]))
            elif rule.role:
                return str(rule.role)
    return otherwise


def channels_at(ndim: int, axis: int) -> tuple[str, ...]:
    """Return the default roles with the channels at another axis."""
    *others, channels = default_roles(ndim)
    return (*others[:axis], channels, *others[axis:])


def kept(x: Expr, arg: int = 0) -> list[Axis]:
    """Return the axes of `x`, argument number `arg`, unchanged."""
    return [Axis("", (arg, i), size) for i, size in enumerate(x.shape)]


def kept_along(x: Expr, *, axis: int, **attrs: Any) -> list[Axis]:
    """Return the axes of `x` unchanged: a rule for ops along one of them. Raises ShapeError if it does not exist."""
    normalize_axis(axis, x.ndim)
    return kept(x)


def changed(x: Expr, axis: int, after: Any, why: Any, role: str = "") -> list[Axis]:
    """Return the axes of `x`, argument number 0, with another size of one. Raises ShapeError if it does not exist."""
    axes, at = kept(x), normalize_axis(axis, x.ndim)
    axes[at] = Axis(role, (0, at), after, why)
    return axes


def new_axes(shape: Iterable[Size], why: str = "") -> list[Axis]:
    """Return axes that do not continue an axis of an argument."""
    return [Axis("", None, size, why) for size in shape]


def equation(text: str, size: Size) -> str:
    """Return `6 * 2 = 12`, or only the left side if the result is unknown."""
    return text if size is None else f"{text} = {size_text(size)}"


def size_text(size: Any) -> str:
    """Return a size as text."""
    return "None" if size is None or isinstance(size, Batch) else str(size)


MOST_RESULTS = 10_000
"""The limit on results per operation; each is listed as its own row."""


def few(count: int) -> int:
    """Return the number of results or steps. Raises ShapeError if it exceeds MOST_RESULTS."""
    if count > MOST_RESULTS:
        raise ShapeError(f"an operation may have at most {MOST_RESULTS:,} results or steps, got {count:,}")
    return count


def ordinal(number: int) -> str:
    """Return `2nd`, `3rd`, `12th`, `22nd`."""
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number // 10 % 10 == 1 else ends.get(number % 10, 'th')}"
