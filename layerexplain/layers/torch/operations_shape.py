"""Functions of torch that move and pick elements and change no value: `torch.cat`, `x.reshape(…)`, `x[…]`, a row each.

The batch is one of the axes. Reference: torch.
"""

import math
from collections.abc import Mapping
from functools import partial
from itertools import accumulate
from typing import Any

from layerexplain.errors import ArgumentError, NotKnown, ShapeError
from layerexplain.lang.expr import Expr, constant, rounds
from layerexplain.lang.tables import ConstantArray
from layerexplain.layers.keras.operations_repeat import flipped
from layerexplain.layers.keras.operations_shape import expanded, moved, permuted, picked, sliced, squeezed, swapped
from layerexplain.layers.torch.construction import sizes as each_axis
from layerexplain.layers.torch.core import flatten, merged, unflatten
from layerexplain.layers.torch.einops import size_in
from layerexplain.ops import arrange, joining
from layerexplain.ops import movement as m
from layerexplain.ops.elementwise import equal, where
from layerexplain.ops.joining import concatenate
from layerexplain.ops.sizes import normalize_axis, shape_text

USES = (arrange, joining, expanded, flatten, flipped, moved, permuted, sliced, squeezed, swapped, unflatten)
IGNORES = "inplace device dtype out memory_format"
ROWS = """
torch.flatten(x, start_dim: Int = 0, end_dim: Int = -1): flatten(...)
    | Flattens axes {start_dim} to {end_dim} into one.
torch.reshape(x, shape: Anything): reshaped(...) | Reshapes to {shape}; -1 is computed.
torch.permute(x, dims: AxisArgument): permuted(x, axes=dims) | Reorders the axes to {dims}.
torch.transpose(x, dim0: Int, dim1: Int): swapped(x, axis1=dim0, axis2=dim1) | Swaps axis {dim0} and axis {dim1}.
torch.movedim(x, source: AxisArgument, destination: AxisArgument): moved(x, ...)
    | Moves axis {source} to position {destination}.
torch.unsqueeze(x, dim: Int): expanded(x, axis=dim) | Inserts a new axis of size 1 at position {dim}.
torch.squeeze(x, dim: AxisArgument = None): removed(...) | Removes axes of size 1.
torch.unflatten(x, dim: Int, sizes: Anything): unflatten(x, dim=dim, unflattened_size=sizes)
    | Divides axis {dim} into axes of the sizes {sizes}.
torch.windows(x, dimension: Int, size: PositiveInt, step: PositiveInt): windows_along(...)
    | Lays the windows of {size} values along axis {dimension}, {step} apart, out as a last axis: Tensor.unfold.
torch.gather(x, indices, dim: Int): picked_along(...) | Replaces each index by the value at it along axis {dim}.
torch.take_along_dim(x, indices, dim: Int): take_along(x, indices, axis=dim)
    | Replaces each index by the value at it along axis {dim}.
torch.index_select(x, indices, dim: Int): gather(x, indices, axis=dim)
    | Takes the parts of its input with the given indices along axis {dim}.
torch.one_hot(x, num_classes: PositiveInt): cast(one_hot(x, n=num_classes), to='int64')
    | Encodes each id as {num_classes} numbers: 1 at the id, 0 elsewhere.
torch.[tril|triu](x, diagonal: Int = 0): band(x, [above=diagonal|below=-diagonal])
    | Keeps each matrix [up to|from] diagonal {diagonal} (0 is the main one) and sets the rest to 0.
torch.flip(x, dims: AxisArgument): flipped(x, axis=dims) | Reverses the order of the elements along axes {dims}.
torch.cat(*xs, dim: Int = 0): concatenate(*xs, axis=dim) | Concatenates its inputs along axis {dim}.
torch.stack(*xs, dim: Int = 0): stack(*xs, axis=dim) | Stacks its inputs along a new axis at position {dim}.
torch.split(x, sizes: Anything, dim: Int = 0): *parts = parts_of(x, sizes=sizes, dim=dim)
    | Splits its input along axis {dim} into parts of the sizes {sizes}.
torch.getitem(x, indices=None, key: Anything): part_of(...) | Returns a part of its input, as x[…] does in Python.
torch.setitem(x, part, key: Anything): replaced(...) | Puts other values into a part of its input, as x[…] = does.
torch.[zeros|ones](shape: Anything): [no|unit](...) | Returns [zeros|ones] of the shape {shape}.
torch.[zeros_like|ones_like](x): [no|unit](...) | Returns [zeros|ones] of the shape of its input.
torch.full_like(x, fill_value: Number): filled(...)
    | Returns a tensor of the shape of its input, each value {fill_value}.
torch.expand(x, shape: Anything): spread(...) | Repeats axes of size 1.
torch.broadcast_to(x, size: Anything): spread(x, shape=size) | Repeats axes of size 1.
torch.diag(x, diagonal: Int = 0): Diag(x, k=diagonal)
    | Builds a matrix with the elements on its diagonal; for a matrix, returns its diagonal.
torch.diagonal(x, offset: Int = 0, dim1: Int = 0, dim2: Int = 1): Diagonal(x, offset=offset, axis1=dim1, axis2=dim2)
torch.embedding(x, W, padding_idx: Ignored, scale_grad_by_freq: Ignored, sparse: Ignored): gather(W, x, axis=0)
    | Replaces each id by its row of a table.
torch.view_as_complex(x): ViewAsComplex(x)
torch.view_as_real(x): ViewAsReal(x)
torch.[max_unpool1d|max_unpool2d|max_unpool3d](x, indices, kernel_size: Sizes, stride: Sizes = None,
    padding: Naturals = 0, output_size: Anything = None): back_[1|2|3](...)
    | Puts each value back to the position of its maximum; all others are 0.
torch.repeat(x, times: Anything): tile(x, times=times)
    | Repeats the whole tensor along each axis: {times} times.
torch.repeat_interleave(x, repeats: PositiveInt, dim: Int = None):
    repeat(reshape(x, shape=(-1,)), times=repeats, axis=0) if dim is None else repeat(x, times=repeats, axis=dim)
    | Repeats each element {repeats} times in a row, along dim={dim}; None flattens the input first.
torch.roll(x, shifts: AxisArgument, dims: AxisArgument = None): turned_round(...)
    | Moves elements along axes {dims} by {shifts}; elements that leave one end enter at the other.
torch.pad(x, pad: Anything, mode: Text = 'constant', value: Number = 0.0): padded(...)
    | Puts numbers around the last axes: {pad}, from the last axis on, before and after.
"""


def picked_along(x: Expr, indices: Expr, *, dim: int) -> Expr:
    """The formula of gather: of other axes it takes as many parts as the indices have."""
    at = normalize_axis(dim, x.ndim, "dim")
    if x.ndim != indices.ndim:
        raise ShapeError(f"gather needs as many axes of its indices as of its input, got {indices.ndim} and {x.ndim}")
    pairs = [(i, a, b) for i, (a, b) in enumerate(zip(x.shape, indices.shape, strict=True)) if i != at and a != b]
    if any(not isinstance(b, int) or (isinstance(a, int) and a < b) for _, a, b in pairs):
        shapes = f"{shape_text(indices.shape)} for {shape_text(x.shape)}"
        raise ShapeError(f"gather needs indices that are no larger than its input along the other axes, got {shapes}")
    x = m.slice_along(x, {i: slice(0, b) for i, _, b in pairs}) if pairs else x
    return joining.take_along(x, indices, axis=at)


_MOST_PLACES = 1_000_000
"""Places that are listed: those in all windows of an axis, or those of a map."""


def put_back(
    x: Expr, indices: Expr, *, rank: int, kernel_size: Any, stride: Any, padding: Any, output_size: Any
) -> Expr:
    """The formula of max_unpool: an output position has its window's value where the window's index is its own."""
    size, step, pads = (each_axis("max_unpool", item, rank) for item in (kernel_size, stride or kernel_size, padding))
    if size != step or any(pads):
        raise NotKnown(f"max_unpool{rank}d is read with windows that do not overlap and no padding")
    own = tuple([n * k for n, k in zip(x.shape[-rank:], size, strict=True)])
    whole = own if output_size is None else tuple(output_size)[-rank:]
    if not all(isinstance(n, int) for n in (*own, *whole)):
        raise NotKnown(f"max_unpool{rank}d needs known sizes")
    if math.prod(whole) > _MOST_PLACES:
        raise NotKnown(f"max_unpool{rank}d of more than {_MOST_PLACES} positions")
    for axis, count in enumerate(size, x.ndim - rank):
        x, indices = m.repeat(x, times=count, axis=axis), m.repeat(indices, times=count, axis=axis)
    places = constant(ConstantArray(tuple(range(math.prod(whole))), "int64"))
    places = m.reshape(places, shape=whole)[tuple([slice(0, n) for n in own])]
    y = where(equal(indices, places), x, 0.0)
    after = [(0, n - n_own) for n, n_own in zip(whole, own, strict=True)]
    return m.pad(y, pads=((0, 0),) * (x.ndim - rank) + tuple(after)) if whole != own else y


back_1, back_2, back_3 = (partial(put_back, rank=rank) for rank in (1, 2, 3))


def windows_along(x: Expr, *, dimension: int, size: int, step: int) -> Expr:
    """The formula of Tensor.unfold."""
    at = normalize_axis(dimension, x.ndim, "dimension")
    length = x.shape[at]
    if not isinstance(length, int) or length < size:
        raise ShapeError(f"unfold needs at least {size} values along axis {dimension}, got {length}")
    count = (length - size) // step + 1
    places = constant(
        ConstantArray(tuple([i // size * step + i % size for i in rounds(count * size, _MOST_PLACES)]), "int32")
    )
    y = joining.gather(x, m.reshape(places, shape=(count, size)), axis=at)
    return moved(y, source=at + 1, destination=-1)


def removed(x: Expr, *, dim: Any) -> Expr:
    """The formula of squeeze, which keeps an axis of another size."""
    if dim is None:
        return squeezed(x, axis=None)
    axes = [normalize_axis(axis, x.ndim, "dim") for axis in (dim if isinstance(dim, tuple) else (dim,))]
    ones = tuple(axis for axis in axes if x.shape[axis] == 1)
    return squeezed(x, axis=ones) if ones else x


def parts_of(x: Expr, *, sizes: Any, dim: int) -> Mapping[str, Expr]:
    """The parts of an axis: of the given sizes."""
    at = normalize_axis(dim, x.ndim, "dim")
    size = x.shape[at]
    if isinstance(size, int) and sum(sizes) != size:
        raise ShapeError(f"split needs sizes that add up to the {size} of axis {dim}, got {tuple(sizes)}")
    ends = list(accumulate(sizes))
    return {
        f"part_{i + 1}": m.slice_along(x, {at: slice(end - own, end)})
        for i, (end, own) in enumerate(zip(ends, sizes, strict=True))
    }


def part_of(x: Expr, indices: Expr | None, *, key: Any) -> Expr:
    """The formula of x[key]; indices pick along the axis behind those of the key."""
    key = _as_in_code(key)
    return sliced(x, key=key) if indices is None else picked(x, indices, len(key))


def _as_in_code(key: Any) -> tuple[Any, ...]:
    """Return a key as code has it: a spec says `1:4` and `...` in words."""
    return tuple(
        [_part(item) if isinstance(item, str) else item for item in (key if isinstance(key, tuple | list) else [key])]
    )


def _part(words: str) -> Any:
    try:
        return Ellipsis if words == "..." else slice(*[int(item) if item else None for item in words.split(":")])
    except (TypeError, ValueError):
        raise ArgumentError(f"a key needs parts such as 3, '1:4' or '...', got {words!r}") from None


def replaced(x: Expr, part: Expr, *, key: Any, axis: int = 0) -> Expr:
    """The formula of x[key] = part: what stands before the part, the part, and what stands behind it, axis by axis."""
    key = _as_in_code(key)
    while axis < len(key) and key[axis] in (slice(None), slice(0, None), slice(0, x.shape[axis])):
        axis += 1
    if axis >= len(key):
        return m.reshape(part, shape=x.shape)
    size = x.shape[axis]
    if not isinstance(size, int):
        raise ShapeError(f"x[…] = needs a known size of axis {axis}, got {size}")
    at = key[axis]
    rows = range(size)[at] if isinstance(at, slice) else range(at % size, at % size + 1)
    inside = replaced(m.slice_along(x, {axis: slice(rows.start, rows.stop)}), part, key=key, axis=axis + 1)
    ends = [(0, rows.start), (rows.stop, size)]
    before, behind = ([m.slice_along(x, {axis: slice(*end)})] if end[0] < end[1] else [] for end in ends)
    return concatenate(*before, inside, *behind, axis=axis)


def filled(x: Expr | None = None, *, fill_value: float, shape: Any = ()) -> Expr:
    """A tensor of one number, in the shape of another tensor or of the given sizes: None for the batch."""
    sizes = [*map(size_in, shape)] if x is None else x.shape
    return m.broadcast_to(constant(fill_value), shape=tuple(sizes))


no, unit = partial(filled, fill_value=0.0), partial(filled, fill_value=1.0)


def reshaped(x: Expr, *, shape: Any) -> Expr:
    """The formula of reshape: None is the batch, -1 is computed."""
    sizes = shape if isinstance(shape, list | tuple) else (shape,)
    return merged(x, [*map(size_in, sizes)])


def spread(x: Expr, *, shape: Any) -> Expr:
    """The formula of expand: -1 keeps an axis."""
    sizes = list(shape)
    behind = len(sizes) - x.ndim
    if behind < 0:
        raise ShapeError(f"expand needs at least {x.ndim} sizes, got {tuple(sizes)}")
    target = [x.shape[i - behind] if size == -1 else size_in(size) for i, size in enumerate(sizes)]
    return m.broadcast_to(x, shape=tuple(target))


def turned_round(x: Expr, *, shifts: Any, dims: Any) -> Expr:
    """The formula of roll."""
    from layerexplain.ops.arrange import roll

    if dims is None:  # as one axis
        return m.reshape(roll(m.reshape(x, shape=(-1,)), by=shifts, axis=0), shape=x.shape)
    steps, axes = (shift if isinstance(shift, tuple) else (shift,) for shift in (shifts, dims))
    for by, axis in zip(steps, axes, strict=True):
        x = roll(x, by=by, axis=axis)
    return x


_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def padded(x: Expr, *, pad: Any, mode: str, value: float) -> Expr:
    """The formula of pad, which counts from the last axis."""
    numbers = tuple(pad)
    if len(numbers) % 2 or len(numbers) > 2 * x.ndim or mode not in _MODES:
        raise ArgumentError(f"pad needs two numbers for each of the last axes and a known mode, got {pad}, {mode!r}")
    pairs = [(0, 0)] * x.ndim
    for i in range(len(numbers) // 2):
        pairs[-1 - i] = numbers[2 * i], numbers[2 * i + 1]
    if any(n < 0 for pair in pairs for n in pair):
        x = x[tuple([slice(-min(a, 0) or None, min(b, 0) or None) for a, b in pairs])]
        pairs = [(max(a, 0), max(b, 0)) for a, b in pairs]
    return m.pad(x, pads=tuple(pairs), value=value, mode=_MODES[mode])
