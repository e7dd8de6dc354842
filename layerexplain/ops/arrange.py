"""Ops that rearrange elements: tiles, rolls, triangles, diagonals, constants, and patches of images."""

from __future__ import annotations

from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.axes import BATCH, GONE, Axis, LazyAxes, Shape, Size
from layerexplain.lang.expr import NO_GRADIENT, NOT_INDEXED, PER_INPUT, CannotDerive, Expr, Op
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.ops.families import along_an_axis, function, movement, needed, without
from layerexplain.ops.movement import pad_along, reshape, runtime, to_length, transpose
from layerexplain.ops.reduce import of_copies
from layerexplain.ops.sizes import (
    changed,
    equation,
    image_size,
    kept,
    kept_along,
    misfit,
    normalize_axis,
    product,
    shape_text,
    size_text,
    sized,
)
from layerexplain.ops.spatial import each, image_axes, spatial_axes
from layerexplain.ops.window import (
    canonical,
    canonical_size,
    channels_last,
    channels_of,
    laid_back,
    pool_windows,
    window_axes,
    window_places,
    windows,
)

# Arrange ------------------------------------------------------------------------------------------------------------


def _tile_axes(x: Expr, *, times: tuple[Size, ...]) -> list[Axis]:
    if len(times) != x.ndim:
        raise ShapeError(f"tile needs one count for each axis of {shape_text(x.shape)}, got {times}")
    axes = kept(x)
    for i, (size, count) in enumerate(zip(x.shape, times, strict=True)):
        if count != 1:
            after = None if count is None else product([size, count])
            axes[i] = Axis("", (0, i), after, equation(f"{size_text(size)} × {size_text(count)}", after))
    return axes


def _tile_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    place = list(index)
    for i, (size, times) in enumerate(zip(node.args[0].shape, node.attrs["times"], strict=True)):
        if times != 1:
            place[i] = sc.remainder(index[i], needed(size, i, " to know where it repeats"))
    return at(0, place)


def _of_tile(y: Expr, dy: Expr, i: int) -> Expr:
    times = {axis: count for axis, count in enumerate(y.attrs["times"]) if count != 1}
    return of_copies(y.args[0], dy, times, whole=True) if times else dy


tile = movement(
    "tile",
    axes=_tile_axes,
    evaluate=lambda run, x, times: run.np.tile(x, runtime(run, times)),
    element=_tile_element,
    gradient=_of_tile,
)
"""`tile(x, times=(1, 2, 1))`: the whole tensor repeated: a b a b."""


roll: Op = along_an_axis(
    "roll",
    axes=kept_along,
    value=lambda np, x, by, axis: np.roll(x, by, axis=axis),
    reads=lambda index, size, attrs: sc.remainder(sc.add(index, -attrs["by"] % size), size),
    needs=" to know which elements wrap around",
    gradient=lambda y, dy, i: roll(dy, by=-y.attrs["by"], axis=y.attrs["axis"]),
)
"""`roll(x, by=1, axis=1)`: elements shifted along the axis; those past the end reappear at the start."""


def _band_value(np: Any, x: Any, *, below: int | None, above: int | None) -> Any:
    rows, columns = np.arange(x.shape[-2])[:, None], np.arange(x.shape[-1])
    inside = np.ones((x.shape[-2], x.shape[-1]), bool)
    if below is not None:
        inside &= rows - columns <= below
    if above is not None:
        inside &= columns - rows <= above
    return np.where(inside, x, 0)


def _band_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    below, above = node.options["below"], node.options["above"]
    row, column = index[-2], index[-1]
    conditions: tuple[sc.Condition, ...] = ()
    if below is not None:
        conditions += sc.between(sc.add(column, sc.scale(row, -1)), -below, sc.BEYOND)
    if above is not None:
        conditions += sc.between(sc.add(row, sc.scale(column, -1)), -above, sc.BEYOND)
    return sc.guarded(conditions, at(0, index))


def _band_axes(x: Expr, *, below: int | None, above: int | None) -> list[Axis]:
    if x.ndim < 2:
        raise ShapeError(f"band needs matrices (at least 2 axes), got {shape_text(x.shape)} with {x.ndim}")
    return kept(x)


band: Op = movement(
    "band",
    axes=_band_axes,
    value=_band_value,
    element=_band_element,
    defaults={"below": None, "above": None},
    gradient=lambda y, dy, i: band(dy, **y.attrs),
)
"""`band(x, above=0)`: keeps at most `below` diagonals below and `above` above the main diagonal of each
matrix; the rest is 0."""


def _diagonal_length(sides: Shape, offset: int) -> Size:
    rows, columns = sides
    if not isinstance(rows, int) or not isinstance(columns, int):
        return None
    return max(min(rows + min(offset, 0), columns - max(offset, 0)), 0)


def _diagonal_axes(x: Expr, *, offset: int) -> list[Axis]:
    if x.ndim < 2:
        raise ShapeError(f"diagonal needs matrices (at least 2 axes), got {shape_text(x.shape)} with {x.ndim} axes")
    lead, length = x.ndim - 2, _diagonal_length(x.shape[-2:], offset)
    return [
        *kept(x)[:lead],
        Axis("", (0, lead), length, "the length of the diagonal"),
        Axis("", (0, lead + 1), GONE, "one element of each row"),
    ]


def _diagonal_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    offset = node.options["offset"]
    return at(0, (*index[:-1], sc.add(index[-1], max(-offset, 0)), sc.add(index[-1], max(offset, 0))))


def _of_diagonal(y: Expr, dy: Expr, i: int) -> Expr:
    rows, columns = sized(y.args[0], (-2, -1), "the matrices")
    square = diag(dy, offset=y.options["offset"])
    return to_length(to_length(square, square.ndim - 2, rows), square.ndim - 1, columns)


diagonal = movement(
    "diagonal",
    axes=_diagonal_axes,
    value=lambda np, x, offset: np.diagonal(x, offset, -2, -1),
    element=_diagonal_element,
    defaults={"offset": 0},
    gradient=_of_diagonal,
)
"""`diagonal(x)`: the diagonal of each matrix, or the one `offset` columns to its right."""


def _diag_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    offset = node.options["offset"]
    along = sc.add(index[-1], -offset) if offset > 0 else index[-1]
    on_it = sc.between(sc.add(sc.add(index[-1], sc.scale(index[-2], -1)), -offset), 0, 1)
    return sc.guarded(on_it, at(0, (*index[:-2], along)))


def _diag_value(np: Any, x: Any, *, offset: int) -> Any:
    n = x.shape[-1] + abs(offset)
    result = np.zeros((*x.shape[:-1], n, n), x.dtype)
    places = np.arange(x.shape[-1])
    result[..., places + max(-offset, 0), places + max(offset, 0)] = x
    return result


def _diag_axes(x: Expr, *, offset: int) -> list[Axis]:
    size = x.shape[-1]
    side = size + abs(offset) if isinstance(size, int) else None if offset else size
    lead = x.ndim - 1
    return [
        *kept(x)[:lead],
        Axis("", (0, lead), side),
        Axis("", (0, lead), None if side is BATCH else side, "as many columns as rows"),
    ]


diag = movement(
    "diag",
    axes=_diag_axes,
    value=_diag_value,
    element=_diag_element,
    defaults={"offset": 0},
    gradient=lambda y, dy, i: diagonal(dy, **y.attrs),
)
"""`diag(x)`: matrices with the last axis on their diagonal, or `offset` columns to its right."""


full_like = movement(
    "full_like",
    axes=lambda x, *, value, to: kept(x),
    value=lambda np, x, value, to: np.full(x.shape, value),
    element=lambda node, index, at: sc.Number(node.attrs["value"]),
    dtype=lambda x, *, value, to: to or x.dtype,
    defaults={"to": ""},
    gradient=NO_GRADIENT("a constant"),
)
"""`full_like(x, value=0)`: a tensor of the shape of x, filled with one number."""


def _first_axes(x: Expr, like: Expr, *, axis: int, of: int) -> list[Axis]:
    size = like.shape[normalize_axis(of, like.ndim)]
    why = f"as long as axis {of} of another tensor" if isinstance(size, int) else size_text(size)
    return changed(x, normalize_axis(axis, x.ndim), size, why)


def _of_first(y: Expr, dy: Expr, i: int) -> Expr | None:
    """Give the elements that are left out the gradient 0."""
    if i == 1:
        return None
    axis = y.attrs["axis"] % y.ndim
    whole, size = y.args[0].shape[axis], y.shape[axis]
    if not isinstance(whole, int) or not isinstance(size, int):
        raise CannotDerive("how many elements are left out is known at run time only")
    return pad_along(dy, {axis: (0, whole - size)})


first_as_many = movement(
    "first_as_many",
    axes=_first_axes,
    value=lambda np, x, like, axis, of: np.take(x, np.arange(like.shape[of]), axis=axis),
    element=lambda node, index, at: at(0, index),
    gradient=_of_first,
)
"""`first_as_many(x, like, axis=0, of=1)`: of an axis of x the first elements, as many as axis `of` of `like` has."""


# Patches ------------------------------------------------------------------------------------------------------------
# Patches of an image laid out as channels, and their inverse.


def _axes(x: Expr, **attrs: Any) -> LazyAxes:
    factors = (*each(attrs["size"], x.ndim - 2), channels_of(x, attrs))
    after = product(factors)
    return window_axes(x, pool_windows(x, attrs), attrs, after, equation(" * ".join(map(size_text, factors)), after))


@channels_last
def _value(np: Any, x: Any, **attrs: Any) -> Any:
    from layerexplain.ops.products import of_tap, padded

    slides = pool_windows(x, attrs)
    x = padded(np, x, slides, 0)
    shape = (len(x), *[w.number or 1 for w in slides])
    return np.concatenate([of_tap(x, slides, place, shape) for place in np.ndindex(*[w.k for w in slides])], axis=-1)


def _element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    (x,) = node.args
    _, channel_axis = image_axes(node)
    channels = x.shape[channel_axis]
    if not isinstance(channels, int):
        raise sc.CannotIndex("needs the number of channels; give it with --input")
    rest = sc.floor_divide(index[channel_axis], channels)
    taps = []
    for w in reversed(windows(node)):
        taps.append(sc.remainder(rest, w.k))
        rest = sc.floor_divide(rest, w.k)
    place, conditions = window_places(node, index, taps[::-1])
    place[channel_axis] = sc.remainder(index[channel_axis], channels)
    return sc.guarded(conditions, at(0, place))


patches: Op = movement(
    "patches",
    axes=_axes,
    value=_value,
    element=_element,
    defaults={"padding": "valid", "dilation_rate": 1, "data_format": "channels_last"},
    canonical=canonical_size,
    gradient=lambda y, dy, i: patches_back(dy, to=image_size(y), **y.attrs),
)
"""`patches(x, size=16)`: each window of the image becomes one pixel whose channels are the window's elements, row
by row; `strides` default to the window's size."""


def _back_axes(dy: Expr, *, to: tuple[int, ...], size: Any, **attrs: Any) -> list[Axis]:
    _, channel_axis = spatial_axes(dy.ndim, attrs["data_format"])
    result = laid_back(dy, attrs, to, "before")
    many, area = dy.shape[channel_axis], product(each(size, dy.ndim - 2)) or 1
    result[channel_axis] = result[channel_axis]._replace(after=many // area if isinstance(many, int) else None)
    return result


@channels_last
def _back_value(np: Any, dy: Any, *, to: tuple[int, ...], **attrs: Any) -> Any:
    from layerexplain.ops.products import of_tap, padded, without_padding

    slides = pool_windows(np.empty((0, *to, 0)), attrs)
    places = list(np.ndindex(*[w.k for w in slides]))
    parts = np.split(dy, len(places), axis=-1)
    result = padded(np, np.zeros((len(dy), *to, parts[0].shape[-1])), slides, 0)
    for place, part in zip(places, parts, strict=True):
        collected = of_tap(result, slides, place, dy.shape)
        collected += part
    return without_padding(result, to, slides)


patches_back: Op = function(
    "patches_back",
    axes=_back_axes,
    value=_back_value,
    flops=PER_INPUT,
    element=NOT_INDEXED("the number of windows that cover a position depends on the position"),
    defaults={"padding": "valid", "dilation_rate": 1, "data_format": "channels_last"},
    canonical=canonical_size,
    gradient=lambda y, dy, i: patches(dy, **without(y, "to")),
)
"""`patches_back(dy, to=(32, 32), size=16)`: what goes back through `patches`: each pixel is the sum of what the windows
that hold it got; `to` gives the rows and columns of the image."""


# And back -------------------------------------------------------------------------------------------------------


def _fold_counts(size: Any, window: Any, strides: Any, padding: Any, gaps: Any) -> list[int]:
    return [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(*[each(item, 2) for item in (size, window, strides, padding, gaps)], strict=True)
    ]


def _fold_axes(x: Expr, *, size: Any, window: Any, strides: Any, padding: Any, dilation_rate: Any) -> list[Axis]:
    size, window = each(size, 2), each(window, 2)
    numbers = _fold_counts(size, window, strides, padding, dilation_rate)
    area = product(window) or 1
    channels = x.shape[1] if x.ndim == 3 else None
    fits = x.ndim == 3 and x.shape[2] in (None, product(numbers)) and all(n > 0 for n in numbers)
    if not fits or (isinstance(channels, int) and channels % area):
        raise misfit(f"fold needs (batch, {area} values per channel, {product(numbers)} windows)", x)
    after = channels // area if isinstance(channels, int) else None
    words = "the windows, overlapping"
    return [
        Axis("batch", (0, 0), x.shape[0]),
        Axis("channels", (0, 1), after, f"{size_text(channels)} / {area} = {size_text(after)}"),
        Axis("rows", (0, 2), size[0], words),
        Axis("columns", None, size[1], words),
    ]


def _fold_value(np: Any, x: Any, *, size: Any, window: Any, strides: Any, padding: Any, dilation_rate: Any) -> Any:
    size, (rows, columns) = each(size, 2), each(window, 2)
    (step_i, step_j), (above, left) = each(strides, 2), each(padding, 2)
    gap_i, gap_j = each(dilation_rate, 2)
    many_i, many_j = _fold_counts(size, window, strides, padding, dilation_rate)
    parts = x.reshape(x.shape[0], -1, rows, columns, many_i, many_j)
    result = np.zeros((*parts.shape[:2], size[0] + 2 * above, size[1] + 2 * left), x.dtype)
    for i, j in np.ndindex(rows, columns):
        down = slice(i * gap_i, i * gap_i + (many_i - 1) * step_i + 1, step_i)
        right = slice(j * gap_j, j * gap_j + (many_j - 1) * step_j + 1, step_j)
        result[:, :, down, right] += parts[:, :, i, j]
    return result[:, :, above : above + size[0], left : left + size[1]]


def _number_of_padding(attrs: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes in normal form: the padding that is cut off is a number, 0 by default."""
    attrs = canonical(attrs)
    if attrs.get("padding") == "valid":
        del attrs["padding"]
    return attrs


def _of_fold(y: Expr, dy: Expr, i: int) -> Expr:
    """Return each window again, as it stands in the image."""
    (above, left), window = each(y.options["padding"], 2), each(y.attrs["window"], 2)
    image = pad_along(dy, {2: (above, above), 3: (left, left)}) if above or left else dy
    attrs = {"strides": y.options["strides"], "dilation_rate": y.options["dilation_rate"]}
    columns_of_windows = patches(image, size=window, data_format="channels_first", **attrs)
    batch, _, rows, columns = columns_of_windows.shape
    apart = reshape(columns_of_windows, shape=(batch, *window, dy.shape[1], rows * columns))
    return reshape(transpose(apart, axes=(0, 3, 1, 2, 4)), shape=y.args[0].shape)


fold = function(
    "fold",
    axes=_fold_axes,
    value=_fold_value,
    flops=PER_INPUT,
    element=NOT_INDEXED("the number of windows that cover a position depends on the position"),
    defaults={"strides": 1, "padding": 0, "dilation_rate": 1},
    canonical=_number_of_padding,
    gradient=_of_fold,
)
"""`fold(x, size=(8, 8), window=(3, 3))`: windows put back in their places, summed where they overlap."""
