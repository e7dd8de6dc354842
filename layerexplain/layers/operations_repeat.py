"""Operations between layers that repeat, pad, turn round and fill: `keras.ops.tile`, `tf.pad`, `keras.ops.zeros_like`.

They compute nothing. Unlike layers, `keras.ops` and TensorFlow count the batch among the axes. Reference: keras.ops.
"""

from collections.abc import Sequence
from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import Expr, Size, constant
from layerexplain.layers.arguments import Anything, AxisArgument, Int, is_int, short
from layerexplain.layers.registry import layer
from layerexplain.ops import arrange
from layerexplain.ops import movement as m
from layerexplain.ops.lookup import gather
from layerexplain.ops.sizes import few, normalize_axes, normalize_axis, shape_text


def reversed_along(x: Expr, axes: Sequence[int]) -> Expr:
    """The elements along each of the axes in the opposite order."""
    for axis in axes:
        x = m.reverse(x, axis=axis)
    return x


@layer("ops.Flip", also=("tf.reverse",))
def flip(x: Expr, *, axis: AxisArgument = None) -> Expr:
    """Turns the order of the elements round {along}."""
    return reversed_along(x, normalize_axes(axis, x.ndim))


@layer("ops.Roll", also=("tf.roll",))
def roll(x: Expr, *, shift: AxisArgument, axis: AxisArgument = None) -> Expr:
    """Moves all elements {shift} places on {along}; what falls off the end comes in at the start."""
    if axis is None:
        raise ArgumentError("roll is known along an axis, got axis=None")
    axes = axis if isinstance(axis, tuple) else (axis,)
    shifts = shift if isinstance(shift, tuple) else (shift,) * len(axes)
    for by, at in zip(shifts, axes, strict=True):
        x = arrange.roll(x, by=by, axis=at)
    return x


@layer("ops.Repeat", also=("tf.repeat",))
def repeat(x: Expr, *, repeats: Anything, axis: Int | None = None) -> Expr:
    """Puts each element {repeats} times in a row {along}."""
    if axis is None:
        x, axis = m.reshape(x, shape=(-1,)), 0
    if isinstance(repeats, list | tuple) and len(repeats) == 1:
        repeats = repeats[0]
    counts = repeats if isinstance(repeats, list | tuple) else (repeats,)
    if not all(is_int(times) and times >= 0 for times in counts):
        raise ArgumentError(
            f"repeat needs a whole number of at least 0, or one for each element, got repeats={repeats!r}"
        )
    if is_int(repeats):
        return m.repeat(x, times=repeats, axis=normalize_axis(axis, x.ndim))
    few(sum(repeats))
    ids = tuple(i for i, times in enumerate(repeats) for _ in range(times))
    return gather(x, constant(ids), axis=normalize_axis(axis, x.ndim))


def tiled(x: Expr, repeats: Any) -> Expr:
    """The whole tensor several times behind itself along each axis; missing axes come first."""
    times = tuple(repeats) if isinstance(repeats, list | tuple) else (repeats,)
    if not all(is_int(t) and t >= 0 for t in times):
        raise ArgumentError(f"tile needs a whole number for each axis, got {repeats!r}")
    times = (1,) * (x.ndim - len(times)) + times
    if len(times) > x.ndim:
        x = m.take_slice(x, key=(None,) * (len(times) - x.ndim))
    return arrange.tile(x, times=times)


@layer("ops.Tile")
def tile(x: Expr, *, repeats: Anything) -> Expr:
    """Lays copies of the whole tensor behind each other: {repeats} along its axes."""
    return tiled(x, repeats)


@layer("tf.tile")
def tf_tile(x: Expr, *, multiples: Anything) -> Expr:
    """Lays copies of the whole tensor behind each other: {multiples} along its axes."""
    return tiled(x, multiples)


@layer("ops.BroadcastTo", also=("tf.broadcast_to",))
def broadcast_to(x: Expr, *, shape: Anything) -> Expr:
    """Repeats axes of size 1 until the tensor has the shape {shape}."""
    sizes = [s if is_int(s) and s >= 0 else None for s in shape]
    lead = len(sizes) - x.ndim
    if lead < 0:
        raise ShapeError(f"broadcast_to needs a shape of at least {x.ndim} axes, got {short(shape)}")
    target: list[Size] = []
    for i, size in enumerate(sizes):
        old = x.shape[i - lead] if i >= lead else 1
        target.append(old if size is None else size)
        if isinstance(size, int) and isinstance(old, int) and old not in (1, size):
            raise ShapeError(f"broadcast_to needs size 1 or {size} on axis {i}, got {shape_text(x.shape)}")
    return m.broadcast_to(x, shape=tuple(target))


def padded(x: Expr, amounts: Any, mode: str, value: Any) -> Expr:
    """Elements before and after along each axis: an amount for all, a pair for all, or a pair for each."""
    mode = str(mode).lower()
    if is_int(amounts):
        pairs: tuple[Any, ...] = ((amounts, amounts),) * x.ndim
    elif len(amounts) == 2 and all(is_int(a) for a in amounts):
        pairs = (tuple(amounts),) * x.ndim
    elif len(amounts) == 1:
        pairs = (tuple(amounts[0]),) * x.ndim
    else:
        pairs = tuple(tuple(p) for p in amounts)
    if len(pairs) != x.ndim or not all(len(p) == 2 and all(is_int(a) and a >= 0 for a in p) for p in pairs):
        raise ArgumentError(f"pad needs a pair (before, after) for each of {x.ndim} axes, got {amounts!r}")
    if mode not in ("constant", "reflect", "symmetric", "edge", "wrap"):
        raise ArgumentError(f"pad needs mode 'constant', 'reflect', 'symmetric', 'edge' or 'wrap', got mode={mode!r}")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ArgumentError(f"pad needs a number as its value, got {value!r}")
    return m.pad(x, pads=pairs, mode=mode, value=value or 0)


@layer("ops.Pad")
def pad(x: Expr, *, pad_width: Anything, mode: Anything = "constant", constant_values: Anything = None) -> Expr:
    """Adds elements before and after along its axes: {pad_width}."""
    return padded(x, pad_width, mode, constant_values)


@layer("tf.pad", also=("tf.compat.v1.pad",))
def tf_pad(x: Expr, *, paddings: Anything, mode: Anything = "CONSTANT", constant_values: Anything = 0) -> Expr:
    """Adds elements before and after along its axes: {paddings}."""
    return padded(x, paddings, mode, constant_values)


# Constants and triangles ----------------------------------------------------------------------------------------


def _dtype(dtype: Any) -> str:
    return "" if dtype is None else str(dtype)


@layer(
    "ops.ZerosLike",
    also=(
        "tf.zeros_like",
        "tf.raw_ops.ZerosLike",
    ),
)
def zeros_like(x: Expr, *, dtype: Anything = None) -> Expr:
    """A tensor of zeros in the shape of its input."""
    return arrange.full_like(x, value=0, to=_dtype(dtype))


@layer(
    "ops.OnesLike",
    also=(
        "tf.ones_like",
        "tf.raw_ops.OnesLike",
    ),
)
def ones_like(x: Expr, *, dtype: Anything = None) -> Expr:
    """A tensor of ones in the shape of its input."""
    return arrange.full_like(x, value=1, to=_dtype(dtype))


@layer("ops.FullLike")
def full_like(x: Expr, *, fill_value: Anything, dtype: Anything = None) -> Expr:
    """A tensor in the shape of its input, filled with {fill_value}."""
    if isinstance(fill_value, bool) or not isinstance(fill_value, int | float):
        raise ArgumentError(f"full_like needs a number as its value, got fill_value={fill_value!r}")
    return arrange.full_like(x, value=fill_value, to=_dtype(dtype))


@layer("ops.Tril")
def tril(x: Expr, *, k: Int = 0) -> Expr:
    """Keeps what lies on and below diagonal {k} (0 is the middle one) of each matrix; the rest becomes 0."""
    return arrange.band(x, above=k)


@layer("ops.Triu")
def triu(x: Expr, *, k: Int = 0) -> Expr:
    """Keeps what lies on and above diagonal {k} (0 is the middle one) of each matrix; the rest becomes 0."""
    return arrange.band(x, below=-k)


@layer("tf.linalg.band_part")
def band_part(x: Expr, *, num_lower: Int, num_upper: Int) -> Expr:
    """Keeps {num_lower} diagonals below and {num_upper} above the middle one of each matrix (-1: all)."""
    return arrange.band(x, below=None if num_lower < 0 else num_lower, above=None if num_upper < 0 else num_upper)


@layer(
    "tf.shape",
    also=(
        "tf.compat.v1.shape",
        "tf.raw_ops.Shape",
    ),
    ignores="out_type",
)
def shape(x: Expr) -> Expr:
    """Gives the sizes of the axes of its input as a tensor."""
    return arrange.shape_of(x)
