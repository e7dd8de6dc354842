"""Operations between layers that repeat, pad, turn round and fill: `keras.ops.tile`, `tf.pad`, `keras.ops.zeros_like`.

They compute nothing. Unlike layers, `keras.ops` and TensorFlow count the batch among the axes. Reference: keras.ops.
"""

from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.axes import Size
from layerexplain.lang.expr import Expr, constant
from layerexplain.layers.arguments import Anything, Int, is_int, short
from layerexplain.layers.registry import layer
from layerexplain.ops import arrange
from layerexplain.ops import movement as m
from layerexplain.ops.joining import gather
from layerexplain.ops.sizes import few, misfit, normalize_axes, normalize_axis

ROWS = """
ops.Flip, tf.reverse(x, axis: AxisArgument = None): flipped(x, ...) | Reverses the order of the elements {along}.
ops.Roll, tf.roll(x, shift: AxisArgument, axis: AxisArgument = None): rolled(x, ...)
    | Shifts the elements cyclically by {shift} positions {along}.
ops.Tile(x, repeats: Anything): tiled(x, ...) | Repeats the whole tensor {repeats} times along its axes.
tf.tile(x, multiples: Anything): Tile(x, repeats=multiples) | Repeats the whole tensor {multiples} times along its axes.
[ops.Pad|tf.pad, tf.compat.v1.pad](x, [pad_width|paddings]: Anything, mode: Anything = '[constant|CONSTANT]',
    constant_values: Anything = [None|0]):
    padded(x, amounts=[pad_width|paddings], mode=mode, value=constant_values)
    | Pads its axes by {[pad_width|paddings]} (before, after).
ops.[ZerosLike|OnesLike], tf.[zeros_like|ones_like], tf.raw_ops.[ZerosLike|OnesLike](x, dtype: Anything = None):
    filled_like(x, value=[0|1], ...) | Returns a tensor of [zeros|ones] with the shape of its input.
ops.FullLike(x, fill_value: Anything, dtype: Anything = None): filled_like(x, value=fill_value, dtype=dtype)
    | Returns a tensor with the shape of its input, filled with {fill_value}.
ops.EmptyLike(x, dtype: Anything = None): filled_like(x, value=0, ...)
    | Returns an uninitialized tensor with the shape of its input; in TensorFlow it holds zeros.
ops.Tril(x, k: Int = 0): band(x, above=k)
    | Keeps the lower triangle of each matrix, up to diagonal {k} (0 is the main one), and sets the rest to 0.
ops.Triu(x, k: Int = 0): band(x, below=-k)
    | Keeps the upper triangle of each matrix, from diagonal {k} on (0 is the main one), and sets the rest to 0.
tf.linalg.band_part(x, num_lower: Int, num_upper: Int): banded(x, below=num_lower, above=num_upper)
    | Keeps {num_lower} diagonals below and {num_upper} above the main one of each matrix (-1: all).
tf.shape, tf.compat.v1.shape, tf.raw_ops.Shape(x, out_type: Ignored): shape_of(x)
    | Returns the shape of its input as a tensor.
"""


def flipped(x: Expr, axis: Any) -> Expr:
    """The elements in the opposite order along some axes, along all if none is given."""
    for other in normalize_axes(axis, x.ndim):
        x = m.reverse(x, axis=other)
    return x


def rolled(x: Expr, shift: Any, axis: Any) -> Expr:
    """All elements moved on along some axes, each by its own number of places."""
    if axis is None:
        raise ArgumentError("roll needs an axis, got axis=None")
    axes = axis if isinstance(axis, tuple) else (axis,)
    shifts = shift if isinstance(shift, tuple) else (shift,) * len(axes)
    for by, at in zip(shifts, axes, strict=True):
        x = arrange.roll(x, by=by, axis=at)
    return x


@layer("ops.Repeat", also=("tf.repeat",))
def repeat(x: Expr, *, repeats: Anything, axis: Int | None = None) -> Expr:
    """Repeats each element {repeats} times {along}."""
    if axis is None:
        x, axis = m.reshape(x, shape=(-1,)), 0
    if isinstance(repeats, list | tuple) and len(repeats) == 1:
        repeats = repeats[0]
    counts = repeats if isinstance(repeats, list | tuple) else (repeats,)
    if not all(is_int(times) and times >= 0 for times in counts):
        raise ArgumentError(f"repeat needs an integer ≥ 0, or one per element, got repeats={repeats!r}")
    if is_int(repeats):
        return m.repeat(x, times=repeats, axis=normalize_axis(axis, x.ndim))
    few(sum(repeats))
    ids = tuple(i for i, times in enumerate(repeats) for _ in range(times))
    return gather(x, constant(ids), axis=normalize_axis(axis, x.ndim))


def tiled(x: Expr, repeats: Any) -> Expr:
    """The whole tensor several times behind itself along each axis; missing axes come first."""
    times = tuple(repeats) if isinstance(repeats, list | tuple) else (repeats,)
    # A count that the model computes is given as the name of its tensor; it is not known.
    if not all(hasattr(t, "layer") or (is_int(t) and t >= 0) for t in times):
        raise ArgumentError(f"tile needs an integer ≥ 0 for each axis, got {repeats!r}")
    times = tuple([None if hasattr(t, "layer") else t for t in times])
    times = (1,) * (x.ndim - len(times)) + times
    if len(times) > x.ndim:
        x = x[(None,) * (len(times) - x.ndim)]
    return arrange.tile(x, times=times)


@layer("ops.BroadcastTo", also=("tf.broadcast_to",))
def broadcast_to(x: Expr, *, shape: Anything) -> Expr:
    """Broadcasts its input to shape {shape}."""
    sizes = [s if is_int(s) and s >= 0 else None for s in shape]
    lead = len(sizes) - x.ndim
    if lead < 0:
        raise ShapeError(f"broadcast_to needs a shape of at least {x.ndim} axes, got {short(shape)}")
    target: list[Size] = []
    for i, size in enumerate(sizes):
        old = x.shape[i - lead] if i >= lead else 1
        target.append((None if old == 1 else old) if size is None else size)
        if isinstance(size, int) and isinstance(old, int) and old not in (1, size):
            raise misfit(f"broadcast_to needs size 1 or {size} on axis {i}", x)
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


# Constants and triangles ----------------------------------------------------------------------------------------


def filled_like(x: Expr, value: Any, dtype: Any) -> Expr:
    """A tensor in the shape of another, with the same number everywhere."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ArgumentError(f"full_like needs a number as its value, got fill_value={value!r}")
    return arrange.full_like(x, value=value, to="" if dtype is None else str(dtype))


def banded(x: Expr, below: int, above: int) -> Expr:
    """So many diagonals on either side of the middle one; a negative number means all."""
    return arrange.band(x, below=None if below < 0 else below, above=None if above < 0 else above)
