"""Images sampled between their pixels: rotated, scaled, projected or displaced."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from layerexplain.lang.axes import Axis
from layerexplain.lang.expr import NOT_INDEXED, UNKNOWN_COST, CannotDerive, Expr, Op, named
from layerexplain.ops.arrange import full_like
from layerexplain.ops.contract import turned
from layerexplain.ops.elementwise import floor
from layerexplain.ops.families import always, function, without
from layerexplain.ops.image import kernel
from layerexplain.ops.joining import concatenate, of_values, stack
from layerexplain.ops.linalg import solve
from layerexplain.ops.movement import slice_along
from layerexplain.ops.sizes import kept, misfit, product, shape_text, sized

BETWEEN_PIXELS = NOT_INDEXED("the pixels that are read depend on the values")


# Straight lines stay straight -------------------------------------------------------------------------------------


def _warp_axes(x: Expr, transform: Expr, *, method: str, fill: str, value: float) -> list[Axis]:
    if x.ndim != 4 or transform.ndim != 2 or transform.shape[1] not in (8, None):
        raise misfit("warp needs images (batch, rows, columns, channels) and 8 numbers for each", x, transform)
    return kept(x)


def _placed_inside(np: Any, at: Any, size: int, fill: str) -> Any:
    """Map coordinates back into an image of `size` pixels, as TensorFlow's kernel does."""
    last = size - 1
    if fill == "constant":
        return at
    if fill == "nearest":
        return np.clip(at, 0, last)
    if size <= 1:
        return np.where((at < 0) | (at > last), 0, at)
    if fill == "reflect":
        twice = 2 * size
        low = np.where(at < twice, twice * np.trunc(-at / twice) + at, at)
        low = np.where(low < -size, low + twice, -low - 1)
        high = at - twice * np.trunc(at / twice)
        high = np.where(high >= size, twice - high - 1, high)
    else:
        low = at + size * (np.trunc(-at / last) + 1)
        high = at - size * np.trunc(at / last)
    return np.where(at < 0, np.clip(low, 0, last), np.where(at > last, np.clip(high, 0, last), at))


def _warp_value(np: Any, x: Any, transform: Any, *, method: str, fill: str, value: float) -> Any:
    total: Any = 0
    places, lost = _warped_places(np, x.shape, transform, method, fill)
    for share, inside, at in places:
        total = total + share * np.where(inside[..., None], x[at], value)
    return np.where(lost[..., None], value, total)


def _warped_places(np: Any, shape: Any, transform: Any, method: str, fill: str) -> tuple[list[Any], Any]:
    """Return what each pixel reads: (share, whether it lies inside, where) of up to four pixels; and which pixels read
    nothing."""
    count, rows, columns, _ = shape
    # In float32, as TensorFlow's kernel: the nearest pixel may depend on the last digit.
    t = np.broadcast_to(np.asarray(transform, "f4")[..., None, None], (count, 8, 1, 1))
    i, j = np.arange(rows, dtype="f4")[:, None], np.arange(columns, dtype="f4")
    with np.errstate(all="ignore"):
        below = t[:, 6] * j + t[:, 7] * i + 1
        across = _placed_inside(np, (t[:, 0] * j + t[:, 1] * i + t[:, 2]) / below, columns, fill)
        down = _placed_inside(np, (t[:, 3] * j + t[:, 4] * i + t[:, 5]) / below, rows, fill)
    lost = ~(np.isfinite(across) & np.isfinite(down))
    across, down = (np.clip(np.where(lost, -9, z), -9, 2**30) for z in (across, down))
    each = np.arange(count)[:, None, None]

    def read(share: Any, row: Any, column: Any) -> Any:
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        at = (each, np.clip(row, 0, rows - 1).astype("i8"), np.clip(column, 0, columns - 1).astype("i8"))
        return share, inside, at

    if method == "nearest":
        return [read(1.0, *[np.copysign(np.floor(np.abs(z) + 0.5), z) for z in (down, across)])], lost
    top, left = np.floor(down), np.floor(across)
    a, b = (down - top)[..., None], (across - left)[..., None]
    corners = [(i, j) for i in (0, 1) for j in (0, 1)]
    return [read((a if i else 1 - a) * (b if j else 1 - b), top + i, left + j) for i, j in corners], lost


def _of_warp(y: Expr, dy: Expr, i: int) -> Expr | None:
    """Back to the pixels that were read; as in TensorFlow, nothing passes to the numbers of the transformation."""
    return None if i else warp_back(dy, y.args[1], **without(y, "value"))


warp: Op = function(
    "warp",
    axes=_warp_axes,
    value=_warp_value,
    flops=lambda node: product((*node.shape, 8)) if node.options["method"] == "bilinear" else 0,
    element=BETWEEN_PIXELS,
    defaults={"method": "bilinear", "fill": "constant", "value": 0},
    gradient=_of_warp,
)
"""`warp(x, t)`: the pixel in row i and column j is read at row (t₃j + t₄i + t₅) / (t₆j + t₇i + 1) and column (t₀j + t₁i
+ t₂) / (t₆j + t₇i + 1) of the image; between pixels by bilinear interpolation."""


def _warp_back_value(np: Any, dy: Any, transform: Any, *, method: str, fill: str) -> Any:
    result = np.zeros(dy.shape)
    places, lost = _warped_places(np, dy.shape, transform, method, fill)
    for share, inside, at in places:
        np.add.at(result, np.broadcast_arrays(*at), share * np.where((inside & ~lost)[..., None], dy, 0))
    return result


warp_back = function(
    "warp_back",
    axes=lambda dy, transform, **attrs: kept(dy),
    value=_warp_back_value,
    flops=lambda node: product((*node.shape, 8)) if node.options["method"] == "bilinear" else 0,
    element=BETWEEN_PIXELS,
    defaults={"method": "bilinear", "fill": "constant"},
    gradient=lambda y, dy, i: None if i else warp(dy, y.args[1], **y.attrs),
)
"""`warp_back(dy, t)`: what goes back through `warp`: each pixel collects from all that read it, with their shares."""


def _homography_axes(start: Expr, end: Expr) -> list[Axis]:
    for points in (start, end):
        if points.ndim != 3 or points.shape[1:] != (4, 2):
            raise misfit("homography needs 4 points, (batch, 4, 2)", points)
    return [*kept(start)[:1], Axis("", None, 8, "the parameters of a projection")]


def _homography_value(np: Any, start: Any, end: Any) -> Any:
    x, y = np.moveaxis(np.asarray(end, "f8"), -1, 0)
    u, v = np.moveaxis(np.asarray(start, "f8"), -1, 0)
    item, none = np.ones_like(x), np.zeros_like(x)
    across = np.stack([x, y, item, none, none, none, -u * x, -u * y], axis=-1)
    down = np.stack([none, none, none, x, y, item, -v * x, -v * y], axis=-1)
    table = np.stack([across, down], axis=2).reshape(-1, 8, 8)
    return np.linalg.solve(table, np.stack([u, v], axis=-1).reshape(-1, 8, 1))[..., 0]


def _of_homography(y: Expr, dy: Expr, i: int) -> Expr:
    """Differentiate A · t = start, which the projection solves: a point moves the equations in which it stands."""
    start, end = y.args
    (u, v), (x, z) = [[p[..., k] for k in (0, 1)] for p in (start, end)]
    expression, none = full_like(x, value=1), full_like(x, value=0)
    across = stack(x, z, expression, none, none, none, -u * x, -u * z, axis=-1)
    down = stack(none, none, none, x, z, expression, -v * x, -v * z, axis=-1)
    table = named("A", concatenate(across, down, axis=1), "the equations of the 4 points")
    sent = solve(turned(table), dy[..., None])[..., 0]
    of_u, of_v = sent[:, :4], sent[:, 4:]
    t = [y[:, k : k + 1] for k in range(8)]
    if i == 0:
        below = t[6] * x + t[7] * z + 1
        return stack(of_u * below, of_v * below, axis=-1)
    columns = [of_u * (u * t[6 + k] - t[k]) + of_v * (v * t[6 + k] - t[3 + k]) for k in (0, 1)]
    return stack(*columns, axis=-1)


homography = function(
    "homography",
    axes=_homography_axes,
    dtype=always("float"),
    value=_homography_value,
    flops=lambda node: product((node.shape[0], round(2 * 8**3 / 3 + 2 * 8**2))),
    element=NOT_INDEXED("it solves a system of equations"),
    gradient=_of_homography,
)
"""`homography(start, end)`: the 8 parameters of the projection that maps the 4 points `end` to `start` (see warp)."""


# Any places -----------------------------------------------------------------------------------------------------


def _sampled_axes(x: Expr, places: Expr, *, order: int, fill: str, value: float) -> list[Axis]:
    if places.ndim < 2 or places.shape[0] not in (x.ndim, None):
        raise misfit(f"sample needs {x.ndim} rows of coordinates, one per axis of {shape_text(x.shape)}", places)
    return kept(places, 1)[1:]


def _sampled_value(np: Any, x: Any, places: Any, *, order: int, fill: str, value: float) -> Any:
    total: Any = 0
    for index, valid, share in _corners(np, places, x.shape, order, fill):
        total = total + share * np.where(valid, x[index].astype("f8"), value)
    return np.round(total) if x.dtype.kind in "iu" else total


def _corners(np: Any, places: Any, shape: Any, order: int, fill: str) -> list[Any]:
    """Return (where, whether it lies inside, share) of each element that a place reads."""
    nodes = []
    for at, size in zip(np.asarray(places, "f8"), shape, strict=True):
        if order == 0:
            results = [(np.round(at), np.ones_like(at))]
        else:
            low = np.floor(at)
            results = [(low, 1 - (at - low)), (low + 1, at - low)]
        nodes.append([(*_index(np, i, size, fill), weight) for i, weight in results])
    corners = []
    for corner in itertools.product(*nodes):
        index, valid, weights = zip(*corner, strict=True)
        corners.append((tuple(index), np.all(valid, axis=0), np.prod(weights, axis=0)))
    return corners


def _index(np: Any, at: Any, size: int, fill: str) -> tuple[Any, Any]:
    at = at.astype("i8")
    everywhere = np.ones(at.shape, bool)
    if fill == "constant":
        return np.clip(at, 0, size - 1), (at >= 0) & (at < size)
    if fill == "nearest":
        return np.clip(at, 0, size - 1), everywhere
    if fill == "wrap":
        return at % size, everywhere
    rest = np.abs(at) % (2 * size)
    beyond = 2 * size - rest - (1 if fill == "reflect" else 0)
    return np.where(rest < size, rest, beyond), everywhere


def _of_sample(y: Expr, dy: Expr, i: int) -> Expr | None:
    """Send the gradient to x back to the elements that were read; to a place, along each axis: the next element less
    the one before."""
    x, places = y.args
    if i == 0:
        return sample_back(dy, places, to=sized(x, range(x.ndim), "the tensor"), **without(y, "value"))
    if y.attrs["order"] == 0:
        return None
    parts = []
    for axis in range(x.ndim):
        before = floor(slice_along(places, {0: slice(axis, axis + 1)}))
        first, rest = slice_along(places, {0: slice(axis)}), slice_along(places, {0: slice(axis + 1, None)})
        ends = [[expression for expression in (first, at, rest) if expression.shape[0]] for at in (before, before + 1)]
        low, high = (concatenate(*end, axis=0) if len(end) > 1 else end[0] for end in ends)
        parts.append(dy * (sample(x, high, **y.attrs) - sample(x, low, **y.attrs)))
    return stack(*parts)


sample: Op = function(
    "sample",
    axes=_sampled_axes,
    value=_sampled_value,
    flops=lambda node: product((*node.shape, 2 * 2 ** node.args[0].ndim if node.attrs["order"] else 0)),
    element=BETWEEN_PIXELS,
    defaults={"fill": "constant", "value": 0},
    gradient=_of_sample,
)
"""`sample(x, places, order=1)`: x sampled at any positions, whose coordinates are along the first axis of `places`: by
linear interpolation between elements, or with order=0 at the nearest one."""


def _sample_back_value(np: Any, dy: Any, places: Any, *, to: Any, order: int, fill: str) -> Any:
    result = np.zeros(to)
    for index, valid, share in _corners(np, places, to, order, fill):
        np.add.at(result, index, np.where(valid, share * dy, 0))
    return result


sample_back = function(
    "sample_back",
    axes=lambda dy, places, *, to, **attrs: [Axis("", None, size, "before sampling") for size in to],
    value=_sample_back_value,
    flops=lambda node: product((*node.args[0].shape, 2 * 2 ** len(node.attrs["to"]) if node.attrs["order"] else 0)),
    element=BETWEEN_PIXELS,
    defaults={"fill": "constant"},
    gradient=of_values(lambda y, dy, i: sample(dy, y.args[1], **without(y, "to"))),
)
"""`sample_back(dy, places, to=(8, 8), order=1)`: what goes back through `sample`: each element collects from all places
that read it, with the same shares; `to` gives the sizes of the tensor."""


METHODS = {"linear": "bilinear", "bilinear": "bilinear", "trilinear": "bilinear", "triangle": "bilinear"}
METHODS |= {"cubic": "bicubic", "bicubic": "bicubic", "tricubic": "bicubic"}
METHODS |= {"lanczos3": "lanczos3", "lanczos5": "lanczos5"}


def _lengths(x: Expr, axes: Any, lengths: Any, words: str) -> list[Axis]:
    result = kept(x)
    for axis, length in zip(axes, lengths, strict=True):
        result[axis] = Axis("", (0, axis), length, words.format(length))
    return result


def _rescaled_value(
    np: Any, x: Any, scales: Any, shifts: Any, *, axes: Any, size: Any, method: str, antialias: bool
) -> Any:
    y = np.asarray(x, "f8")
    sizes = [x.shape[axis] for axis in axes]
    for axis, weights in zip(axes, _shares(np, sizes, size, scales, shifts, method, antialias), strict=True):
        y = np.moveaxis(np.tensordot(y, weights, axes=(axis, 1)), -1, axis)
    return np.clip(np.round(y), x.min(), x.max()) if x.dtype.kind in "iu" else y


def _shares(np: Any, before: Any, after: Any, scales: Any, shifts: Any, method: str, antialias: bool) -> Iterator[Any]:
    """Yield for each axis the share of each place before in each place after: a matrix (after, before)."""
    for n, length, by, shift in zip(before, after, np.asarray(scales, "f8"), np.asarray(shifts, "f8"), strict=True):
        at = (np.arange(length) + 0.5 - shift) / by - 0.5
        wide = max(1 / by, 1) if antialias else 1
        weights = kernel(np, method, (at[:, None] - np.arange(n)) / wide)
        total = weights.sum(axis=1, keepdims=True)
        weights = np.where(np.abs(total) > 1000 * np.finfo("f4").eps, weights / np.where(total == 0, 1, total), 0)
        yield np.where(((at >= -0.5) & (at <= n - 0.5))[:, None], weights, 0)


def _of_rescale(y: Expr, dy: Expr, i: int) -> Expr:
    """Back to what was read."""
    if i:
        raise CannotDerive(
            "a scale or a shift moves every sampled position, so the weights of all elements depend on it"
        )
    return rescale_back(dy, *y.args[1:], to=sized(y.args[0], y.attrs["axes"], "the image"), **without(y, "size"))


rescale: Op = function(
    "rescale",
    axes=lambda x, *_, axes, size, **attrs: _lengths(x, axes, size, "scaled and shifted to {}"),
    value=_rescaled_value,
    flops=UNKNOWN_COST,
    element=BETWEEN_PIXELS,
    defaults={"antialias": True},
    gradient=_of_rescale,
)
"""`rescale(x, scales, shifts, axes=(1, 2), size=(24, 32), method='bilinear')`: along each axis, place i of the result
is read at (i + ½ - shift) / scale - ½; outside of the image it is 0."""


def _rescaled_back_value(
    np: Any, dy: Any, scales: Any, shifts: Any, *, axes: Any, to: Any, method: str, antialias: bool
) -> Any:
    after = [dy.shape[axis] for axis in axes]
    for axis, weights in zip(axes, _shares(np, to, after, scales, shifts, method, antialias), strict=True):
        dy = np.moveaxis(np.tensordot(dy, weights, axes=(axis, 0)), -1, axis)
    return dy


def _of_rescale_back(y: Expr, dy: Expr, i: int) -> Expr | None:
    size = tuple([y.args[0].shape[axis] for axis in y.attrs["axes"]])
    return None if i else rescale(dy, *y.args[1:], size=size, **without(y, "to"))


rescale_back = function(
    "rescale_back",
    axes=lambda dy, *_, axes, to, **attrs: _lengths(dy, axes, to, "{} before"),
    value=_rescaled_back_value,
    flops=UNKNOWN_COST,
    element=BETWEEN_PIXELS,
    defaults={"antialias": True},
    gradient=_of_rescale_back,
)
"""`rescale_back(dy, scales, shifts, axes=(1, 2), to=(8, 8), method='bilinear')`: what goes back through `rescale`: each
pixel collects from all that it was weighed into, with the same shares; `to` gives the sizes before."""
