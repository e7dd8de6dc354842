"""Operations between layers that rearrange: reshape, transpose, slices, concatenation, repetition, padding.

They compute nothing. Unlike layers, `keras.ops` and TensorFlow count the batch among the axes. Reference: keras.ops.
"""

from collections.abc import Sequence
from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.expr import BATCH, Expr, Size, constant
from layerexplain.layers.arguments import Anything, AxisArgument, Int, PositiveInt, is_int
from layerexplain.layers.registry import layer
from layerexplain.ops import arrange
from layerexplain.ops import movement as m
from layerexplain.ops.lookup import gather, take_along
from layerexplain.ops.sizes import normalize_axes, normalize_axis, product, shape_text, size_text

# Reshape --------------------------------------------------------------------------------------------------------


def target_shape(shape: Any) -> tuple[Size, ...]:
    """A shape with the batch, as a file has it: what is no number is only known at run time, first the batch."""
    sizes: list[Size] = [s if is_int(s) else None for s in (shape if isinstance(shape, list | tuple) else (shape,))]
    if sizes and sizes[0] is None:
        sizes[0] = BATCH
    if -1 not in sizes and sizes.count(None) == 1:
        sizes[sizes.index(None)] = -1
    return tuple(sizes)


def reshaped(x: Expr, shape: Any) -> Expr:
    """The same elements in another shape, the batch included."""
    target = target_shape(shape)
    if target and target[0] == -1 and BATCH in x.shape and None not in x.shape and BATCH not in target:
        rest = product(target[1:])
        if rest is not None and rest == product(x.shape):
            target = (BATCH, *target[1:])
    return m.reshape(x, shape=target)


@layer("ops.Reshape")
def reshape(x: Expr, *, newshape: Anything) -> Expr:
    """Lays the same elements out in the shape {newshape}, the batch included; -1 is what is left."""
    return reshaped(x, newshape)


@layer("tf.reshape")
def tf_reshape(x: Expr, *, shape: Anything) -> Expr:
    """Lays the same elements out in the shape {shape}, the batch included; -1 is what is left."""
    return reshaped(x, shape)


@layer("ops.Ravel")
def ravel(x: Expr) -> Expr:
    """Lays all elements out in one row, those of all examples."""
    return m.reshape(x, shape=(-1,))


@layer("tf.keras.backend.batch_flatten")
def batch_flatten(x: Expr) -> Expr:
    """Lays the elements of each example out in one row."""
    size = product(x.shape[1:])
    return m.reshape(x, shape=(BATCH, -1 if size is None else size))


@layer("ops.ExpandDims", also=("tf.expand_dims",))
def expand_dims(x: Expr, *, axis: AxisArgument) -> Expr:
    """Puts in a new axis of size 1 as axis {axis}."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    new = normalize_axes(axes, x.ndim + len(axes))
    return m.take_slice(x, key=tuple(None if i in new else slice(None) for i in range(x.ndim + len(axes))))


@layer("ops.Squeeze", also=("tf.squeeze", "tf.compat.v1.squeeze"))
def squeeze(x: Expr, *, axis: AxisArgument = None) -> Expr:
    """Drops axis {axis}, which has size 1; without an axis all of size 1."""
    ones = tuple(i for i, s in enumerate(x.shape) if s == 1)
    gone = ones if axis is None or axis == () else normalize_axes(axis, x.ndim)
    for i in gone:
        size = x.shape[i]
        if isinstance(size, int) and size != 1:
            raise ShapeError(f"squeeze needs axis {i} to have size 1, got {shape_text(x.shape)}")
    return m.take_slice(x, key=tuple(0 if i in gone else slice(None) for i in range(x.ndim))) if gone else x


# Transpose ------------------------------------------------------------------------------------------------------


@layer("ops.Transpose")
def transpose(x: Expr, *, axes: AxisArgument = None) -> Expr:
    """Puts the axes into the order {axes}; without one into the reverse order."""
    order = tuple(reversed(range(x.ndim))) if axes is None else tuple(a % x.ndim for a in axes)
    return m.transpose(x, axes=order)


@layer("tf.transpose", also=("tf.compat.v1.transpose",))
def tf_transpose(x: Expr, *, perm: AxisArgument = None) -> Expr:
    """Puts the axes into the order {perm}; without one into the reverse order."""
    return m.transpose(x, axes=tuple(reversed(range(x.ndim))) if perm is None else tuple(a % x.ndim for a in perm))


@layer("ops.Swapaxes")
def swapaxes(x: Expr, *, axis1: Int, axis2: Int) -> Expr:
    """Lets axis {axis1} and axis {axis2} change places."""
    order = list(range(x.ndim))
    a, b = normalize_axis(axis1, x.ndim), normalize_axis(axis2, x.ndim)
    order[a], order[b] = b, a
    return m.transpose(x, axes=tuple(order))


def moved(x: Expr, source: Any, destination: Any) -> Expr:
    """The axes `source` at the places `destination`, all others in their order."""
    sources = [normalize_axis(a, x.ndim) for a in (source if isinstance(source, tuple) else (source,))]
    places = [normalize_axis(a, x.ndim) for a in (destination if isinstance(destination, tuple) else (destination,))]
    if len(sources) != len(places):
        raise ArgumentError(f"destination needs as many axes as source, got {destination} and {source}")
    order = [a for a in range(x.ndim) if a not in sources]
    for place, axis in sorted(zip(places, sources, strict=True)):
        order.insert(place, axis)
    return x if order == list(range(x.ndim)) else m.transpose(x, axes=tuple(order))


@layer("ops.Moveaxis")
def moveaxis(x: Expr, *, source: AxisArgument, destination: AxisArgument) -> Expr:
    """Moves axis {source} to the place {destination}."""
    return moved(x, source, destination)


# Together and apart ---------------------------------------------------------------------------------------------


@layer("ops.Concatenate", also=("tf.concat",))
def concatenate(*xs: Expr, axis: Int = 0) -> Expr:
    """Puts its inputs one behind the other along axis {axis}."""
    return m.concatenate(*xs, axis=axis)


@layer("ops.Hstack")
def hstack(*xs: Expr) -> Expr:
    """Puts its inputs one behind the other along the second axis."""
    return m.concatenate(*xs, axis=1 if xs[0].ndim > 1 else 0)


@layer("ops.Vstack")
def vstack(*xs: Expr) -> Expr:
    """Puts its inputs one behind the other along the first axis."""
    return m.stack(*xs) if xs[0].ndim == 1 else m.concatenate(*xs, axis=0)


@layer("ops.Append")
def append(x1: Expr, x2: Expr, *, axis: Int | None = None) -> Expr:
    """Puts the second tensor behind the first along axis {axis}."""
    if axis is None:
        return m.concatenate(m.reshape(x1, shape=(-1,)), m.reshape(x2, shape=(-1,)), axis=0)
    return m.concatenate(x1, x2, axis=axis)


@layer("ops.Stack", also=("tf.stack",))
def stack(*xs: Expr, axis: Int = 0) -> Expr:
    """Lays its inputs on top of each other, along a new axis {axis}."""
    return m.stack(*xs, axis=axis)


def parts(x: Expr, ends: Sequence[int | None], axis: int) -> dict[str, Expr]:
    """The runs between the given ends along an axis, the last up to the end."""
    at = normalize_axis(axis, x.ndim)
    lead = (slice(None),) * at
    starts = [0, *ends[:-1]]
    pieces = [m.take_slice(x, key=(*lead, slice(a or None, b))) for a, b in zip(starts, ends, strict=True)]
    return numbered(pieces)


def numbered(results: Sequence[Expr]) -> dict[str, Expr]:
    """Results by name: y1, y2, …"""
    return {"y": results[0]} if len(results) == 1 else {f"y{i + 1}": e for i, e in enumerate(results)}


def equal_parts(x: Expr, count: int, axis: int) -> dict[str, Expr]:
    """An axis in so many equal parts."""
    normalize_axis(axis, x.ndim)
    return {"y": x} if count == 1 else numbered(list(m.split(x, n=count, axis=axis)))


@layer("ops.Split")
def split(x: Expr, *, indices_or_sections: Anything, axis: Int = 0) -> dict[str, Expr]:
    """Cuts axis {axis} into parts: into {indices_or_sections}, if that is a number, else at those places."""
    if is_int(indices_or_sections):
        return equal_parts(x, indices_or_sections, axis)
    return parts(x, [*indices_or_sections, None], axis)


@layer("ops.ArraySplit")
def array_split(x: Expr, *, indices_or_sections: Anything, axis: Int = 0) -> dict[str, Expr]:
    """Cuts axis {axis} into {indices_or_sections} parts, the first ones longer by 1 where it does not divide."""
    size = x.shape[normalize_axis(axis, x.ndim)]
    if not is_int(indices_or_sections):
        return parts(x, [*indices_or_sections, None], axis)
    if not isinstance(size, int):
        raise ShapeError(f"array_split needs the size of axis {axis}, got {size_text(size)}")
    whole, longer = divmod(size, indices_or_sections)
    ends = [whole * i + min(i, longer) for i in range(1, indices_or_sections + 1)]
    return parts(x, [*ends[:-1], None], axis)


@layer("tf.split")
def tf_split(x: Expr, *, num_or_size_splits: Anything, axis: Int = 0) -> dict[str, Expr]:
    """Cuts axis {axis} into parts: into {num_or_size_splits}, if that is a number, else into parts of those sizes."""
    if is_int(num_or_size_splits):
        return equal_parts(x, num_or_size_splits, axis)
    ends = [sum(num_or_size_splits[: i + 1]) for i in range(len(num_or_size_splits))]
    return parts(x, [*ends[:-1], None], axis)


@layer("ops.Unstack", also=("tf.unstack",))
def unstack(x: Expr, *, num: Int | None = None, axis: Int = 0) -> dict[str, Expr]:
    """Takes axis {axis} apart: a tensor for each of its places."""
    at = normalize_axis(axis, x.ndim)
    size = x.shape[at]
    count = num if num is not None else size
    if not isinstance(count, int) or (isinstance(size, int) and size != count):
        raise ShapeError(f"unstack needs the size of axis {axis}, got {size_text(size)} and num={num}")
    return numbered([m.take_slice(x, key=(*[slice(None)] * at, i)) for i in range(count)])


# Slices ---------------------------------------------------------------------------------------------------------


def sliced(x: Expr, key: Any) -> Expr:
    """x[key], the key as a file has it: one index or several; numbers, slices, None and an ellipsis."""
    keys = tuple(key) if isinstance(key, list | tuple) else (key,)
    for k in keys:
        bounds = (k.start, k.stop, k.step) if isinstance(k, slice) else (k,)
        if not all(b is None or b is Ellipsis or is_int(b) for b in bounds):
            raise ArgumentError(f"a slice needs numbers, ranges of numbers, None or '...', got {k!r}")
    return m.take_slice(x, key=keys)


@layer("ops.GetItem")
def get_item(x: Expr, *, key: Anything) -> Expr:
    """Takes a part of its input, as x[…] does in Python."""
    return sliced(x, key)


@layer("tf.__operators__.getitem")
def tf_get_item(x: Expr, *, slice_spec: Anything) -> Expr:
    """Takes a part of its input, as x[…] does in Python."""
    return sliced(x, slice_spec)


def _picked(x: Expr, indices: Expr, axis: int | None) -> Expr:
    if axis is None:
        return gather(m.reshape(x, shape=(-1,)), indices, axis=0)
    return gather(x, indices, axis=normalize_axis(axis, x.ndim))


@layer("ops.Take")
def take(x: Expr, indices: Expr, *, axis: Int | None = None) -> Expr:
    """Picks, along axis {axis}, the parts with the given numbers."""
    return _picked(x, indices, axis)


@layer("tf.gather", also=("tf.compat.v1.gather",), ignores="validate_indices")
def tf_gather(x: Expr, indices: Expr, *, axis: Int | None = None, batch_dims: Int = 0) -> Expr:
    """Picks, along axis {axis}, the parts with the given numbers."""
    if batch_dims:
        raise ArgumentError(f"gather is known for batch_dims=0, got batch_dims={batch_dims}")
    return _picked(x, indices, 0 if axis is None else axis)


@layer("ops.TakeAlongAxis")
def take_along_axis(x: Expr, indices: Expr, *, axis: Int | None = None) -> Expr:
    """Puts into each place the element along axis {axis} whose number stands there."""
    if axis is None:
        return take_along(m.reshape(x, shape=(-1,)), m.reshape(indices, shape=(-1,)), axis=0)
    return take_along(x, indices, axis=axis)


@layer("ops.Diff")
def diff(a: Expr, *, n: Int = 1, axis: Int = -1) -> Expr:
    """Subtracts from each element the one before it along axis {axis}, {n} times."""
    lead = (slice(None),) * normalize_axis(axis, a.ndim)
    for _ in range(n):
        a = m.take_slice(a, key=(*lead, slice(1, None))) - m.take_slice(a, key=(*lead, slice(None, -1)))
    return a


# Repetition and padding -----------------------------------------------------------------------------------------


def reversed_along(x: Expr, axes: Sequence[int]) -> Expr:
    """The elements along each of the axes in the opposite order."""
    for axis in axes:
        x = m.reverse(x, axis=axis)
    return x


@layer("ops.Flip", also=("tf.reverse",))
def flip(x: Expr, *, axis: AxisArgument = None) -> Expr:
    """Turns the order along axis {axis} round; without an axis along all."""
    return reversed_along(x, normalize_axes(axis, x.ndim))


@layer("tf.image.flip_left_right")
def flip_left_right(x: Expr) -> Expr:
    """Turns the order of the columns round."""
    return m.reverse(x, axis=x.ndim - 2)


@layer("ops.Roll", also=("tf.roll",))
def roll(x: Expr, *, shift: AxisArgument, axis: AxisArgument = None) -> Expr:
    """Moves all elements {shift} places on along axis {axis}; what falls off the end comes in at the start."""
    if axis is None:
        raise ArgumentError("roll is known along an axis, got axis=None")
    axes = axis if isinstance(axis, tuple) else (axis,)
    shifts = shift if isinstance(shift, tuple) else (shift,) * len(axes)
    for by, at in zip(shifts, axes, strict=True):
        x = arrange.roll(x, by=by, axis=at)
    return x


@layer("ops.Repeat", also=("tf.repeat",))
def repeat(x: Expr, *, repeats: Anything, axis: Int | None = None) -> Expr:
    """Puts each element {repeats} times in a row along axis {axis}."""
    if axis is None:
        x, axis = m.reshape(x, shape=(-1,)), 0
    if isinstance(repeats, list | tuple) and len(repeats) == 1:
        repeats = repeats[0]
    if is_int(repeats):
        return m.repeat(x, times=repeats, axis=normalize_axis(axis, x.ndim))
    if not isinstance(repeats, list | tuple) or not all(is_int(r) for r in repeats):
        raise ArgumentError(f"repeat needs a whole number, or one for each element, got repeats={repeats!r}")
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
    """Puts the whole tensor several times behind itself: {repeats} times along its axes."""
    return tiled(x, repeats)


@layer("tf.tile")
def tf_tile(x: Expr, *, multiples: Anything) -> Expr:
    """Puts the whole tensor several times behind itself: {multiples} times along its axes."""
    return tiled(x, multiples)


@layer("ops.BroadcastTo", also=("tf.broadcast_to",))
def broadcast_to(x: Expr, *, shape: Anything) -> Expr:
    """Repeats axes of size 1 until the tensor has the shape {shape}."""
    sizes = [s if is_int(s) and s >= 0 else None for s in shape]
    lead = len(sizes) - x.ndim
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
    if mode not in ("constant", "reflect", "symmetric"):
        raise ArgumentError(f"pad needs mode 'constant', 'reflect' or 'symmetric', got mode={mode!r}")
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise ArgumentError(f"pad needs a number as its value, got {value!r}")
    return m.pad(x, pads=pairs, mode=mode, value=value or 0)


@layer("ops.Pad")
def pad(x: Expr, *, pad_width: Anything, mode: Anything = "constant", constant_values: Anything = None) -> Expr:
    """Adds {pad_width} elements before and after along the axes."""
    return padded(x, pad_width, mode, constant_values)


@layer("tf.pad", also=("tf.compat.v1.pad",))
def tf_pad(x: Expr, *, paddings: Anything, mode: Anything = "CONSTANT", constant_values: Anything = 0) -> Expr:
    """Adds {paddings} elements before and after along the axes."""
    return padded(x, paddings, mode, constant_values)


def channel_axes_last(x: Expr, data_format: Any) -> bool:
    """Whether a data format of Keras's or TensorFlow's puts the channels last."""
    if data_format not in (None, "channels_last", "channels_first", "NHWC", "NCHW"):
        raise ArgumentError(f"data_format needs to be 'channels_last' or 'channels_first', got {data_format!r}")
    return data_format in (None, "channels_last", "NHWC")


@layer("ops.DepthToSpace", also=("tf.nn.depth_to_space",))
def depth_to_space(x: Expr, *, block_size: PositiveInt, data_format: Anything = "channels_last") -> Expr:
    """Lays channels out as pixels: each becomes a block of {block_size} by {block_size}."""
    last = channel_axes_last(x, data_format)
    z = x if last else m.transpose(x, axes=(0, 2, 3, 1))
    rows, columns, channels = z.shape[1:]
    b = block_size
    if not isinstance(rows, int) or not isinstance(columns, int) or not isinstance(channels, int) or channels % (b * b):
        raise ShapeError(f"depth_to_space needs channels that {b * b} divides, and fixed sizes, got {shape_text(x.shape)}")
    z = m.reshape(z, shape=(BATCH, rows, columns, b, b, channels // (b * b)))
    z = m.reshape(m.transpose(z, axes=(0, 1, 3, 2, 4, 5)), shape=(BATCH, rows * b, columns * b, channels // (b * b)))
    return z if last else m.transpose(z, axes=(0, 3, 1, 2))


@layer("ops.SpaceToDepth", also=("tf.nn.space_to_depth",))
def space_to_depth(x: Expr, *, block_size: PositiveInt, data_format: Anything = "channels_last") -> Expr:
    """Lays pixels out as channels: each block of {block_size} by {block_size} becomes one pixel."""
    last = channel_axes_last(x, data_format)
    z = x if last else m.transpose(x, axes=(0, 2, 3, 1))
    rows, columns, channels = z.shape[1:]
    b = block_size
    if not isinstance(rows, int) or not isinstance(columns, int) or not isinstance(channels, int):
        raise ShapeError(f"space_to_depth needs fixed sizes, got {shape_text(x.shape)}")
    if rows % b or columns % b:
        raise ShapeError(f"space_to_depth needs rows and columns that {b} divides, got {shape_text(x.shape)}")
    z = m.reshape(z, shape=(BATCH, rows // b, b, columns // b, b, channels))
    z = m.reshape(m.transpose(z, axes=(0, 1, 3, 2, 4, 5)), shape=(BATCH, rows // b, columns // b, channels * b * b))
    return z if last else m.transpose(z, axes=(0, 3, 1, 2))


# Constants and triangles ----------------------------------------------------------------------------------------


def _dtype(dtype: Any) -> str:
    return "" if dtype is None else str(dtype)


@layer("ops.ZerosLike", also=("tf.zeros_like",))
def zeros_like(x: Expr, *, dtype: Anything = None) -> Expr:
    """A tensor of zeros in the shape of its input."""
    return arrange.full_like(x, value=0, to=_dtype(dtype))


@layer("ops.OnesLike", also=("tf.ones_like",))
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
    """Keeps what lies on and below diagonal {k} of each matrix; the rest becomes 0."""
    return arrange.band(x, above=k)


@layer("ops.Triu")
def triu(x: Expr, *, k: Int = 0) -> Expr:
    """Keeps what lies on and above diagonal {k} of each matrix; the rest becomes 0."""
    return arrange.band(x, below=-k)


@layer("tf.linalg.band_part")
def band_part(x: Expr, *, num_lower: Int, num_upper: Int) -> Expr:
    """Keeps {num_lower} diagonals below and {num_upper} above the middle one of each matrix (-1: all)."""
    return arrange.band(
        x, below=None if num_lower < 0 else num_lower, above=None if num_upper < 0 else num_upper
    )


@layer("tf.shape", also=("tf.compat.v1.shape",), ignores="out_type")
def shape(x: Expr) -> Expr:
    """Gives the sizes of the axes of its input as a tensor."""
    return arrange.shape_of(x)
