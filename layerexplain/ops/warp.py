"""Images sampled between their pixels: rotated, scaled, projected or displaced."""

from __future__ import annotations

import itertools
from typing import Any

from layerexplain.lang.expr import NOT_DERIVED, NOT_INDEXED, UNKNOWN_COST, Axis, Expr
from layerexplain.ops.families import always, function
from layerexplain.ops.image import kernel
from layerexplain.ops.sizes import kept, misfit, product, shape_text

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
    count, rows, columns, _ = x.shape
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

    def read(row: Any, column: Any) -> Any:
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        taken = x[each, np.clip(row, 0, rows - 1).astype("i8"), np.clip(column, 0, columns - 1).astype("i8")]
        return np.where(inside[..., None], taken, value)

    if method == "nearest":
        made = read(*[np.copysign(np.floor(np.abs(z) + 0.5), z) for z in (down, across)])
    else:
        top, left = np.floor(down), np.floor(across)
        a, b = (down - top)[..., None], (across - left)[..., None]
        upper = (1 - b) * read(top, left) + b * read(top, left + 1)
        lower = (1 - b) * read(top + 1, left) + b * read(top + 1, left + 1)
        made = (1 - a) * upper + a * lower
    return np.where(lost[..., None], value, made)


warp = function(
    "warp",
    axes=_warp_axes,
    value=_warp_value,
    flops=lambda node: product((*node.shape, 8)) if node.options["method"] == "bilinear" else 0,
    element=BETWEEN_PIXELS,
    defaults={"method": "bilinear", "fill": "constant", "value": 0},
    gradient=NOT_DERIVED("the gradient of warp is not derived yet"),
)
"""`warp(x, t)`: the pixel in row i and column j is read at row (t₃j + t₄i + t₅) / (t₆j + t₇i + 1) and column (t₀j + t₁i
+ t₂) / (t₆j + t₇i + 1) of the image; between pixels by bilinear interpolation."""


def _homography_axes(start: Expr, end: Expr) -> list[Axis]:
    for points in (start, end):
        if points.ndim != 3 or points.shape[1:] != (4, 2):
            raise misfit("homography needs 4 points, (batch, 4, 2)", points)
    return [*kept(start)[:1], Axis("", None, 8, "the parameters of a projection")]


def _homography_value(np: Any, start: Any, end: Any) -> Any:
    x, y = np.moveaxis(np.asarray(end, "f8"), -1, 0)
    u, v = np.moveaxis(np.asarray(start, "f8"), -1, 0)
    one, none = np.ones_like(x), np.zeros_like(x)
    across = np.stack([x, y, one, none, none, none, -u * x, -u * y], axis=-1)
    down = np.stack([none, none, none, x, y, one, -v * x, -v * y], axis=-1)
    table = np.stack([across, down], axis=2).reshape(-1, 8, 8)
    return np.linalg.solve(table, np.stack([u, v], axis=-1).reshape(-1, 8, 1))[..., 0]


homography = function(
    "homography",
    axes=_homography_axes,
    dtype=always("float"),
    value=_homography_value,
    flops=lambda node: product((node.shape[0], round(2 * 8**3 / 3 + 2 * 8**2))),
    element=NOT_INDEXED("it solves a system of equations"),
    gradient=NOT_DERIVED("the gradient of homography is not derived yet"),
)
"""`homography(start, end)`: the 8 parameters of the projection that maps the 4 points `end` to `start` (see warp)."""


# Any places -----------------------------------------------------------------------------------------------------


def _sampled_axes(x: Expr, places: Expr, *, order: int, fill: str, value: float) -> list[Axis]:
    if places.ndim < 2 or places.shape[0] not in (x.ndim, None):
        raise misfit(f"sample needs {x.ndim} rows of coordinates, one per axis of {shape_text(x.shape)}", places)
    return kept(places, 1)[1:]


def _sampled_value(np: Any, x: Any, places: Any, *, order: int, fill: str, value: float) -> Any:
    nodes = []
    for at, size in zip(np.asarray(places, "f8"), x.shape, strict=True):
        if order == 0:
            found = [(np.round(at), np.ones_like(at))]
        else:
            low = np.floor(at)
            found = [(low, 1 - (at - low)), (low + 1, at - low)]
        nodes.append([(*_index(np, i, size, fill), weight) for i, weight in found])
    made: Any = 0
    for corner in itertools.product(*nodes):
        index, valid, weights = zip(*corner, strict=True)
        taken = np.where(np.all(valid, axis=0), x[tuple(index)].astype("f8"), value)
        made = made + np.prod(weights, axis=0) * taken
    return np.round(made) if x.dtype.kind in "iu" else made


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


sample = function(
    "sample",
    axes=_sampled_axes,
    value=_sampled_value,
    flops=lambda node: product((*node.shape, 2 * 2 ** node.args[0].ndim if node.attrs["order"] else 0)),
    element=BETWEEN_PIXELS,
    defaults={"fill": "constant", "value": 0},
    gradient=NOT_DERIVED("the gradient of sample is not derived yet"),
)
"""`sample(x, places, order=1)`: x sampled at any positions, whose coordinates are along the first axis of `places`: by
linear interpolation between elements, or with order=0 at the nearest one."""


METHODS = {"linear": "bilinear", "bilinear": "bilinear", "trilinear": "bilinear", "triangle": "bilinear"}
METHODS |= {"cubic": "bicubic", "bicubic": "bicubic", "tricubic": "bicubic"}
METHODS |= {"lanczos3": "lanczos3", "lanczos5": "lanczos5"}


def _rescaled_axes(
    x: Expr, scales: Expr, shifts: Expr, *, axes: Any, size: Any, method: str, antialias: bool
) -> list[Axis]:
    made = kept(x)
    for axis, length in zip(axes, size, strict=True):
        made[axis] = Axis("", (0, axis), length, f"scaled and shifted to {length}")
    return made


def _rescaled_value(
    np: Any, x: Any, scales: Any, shifts: Any, *, axes: Any, size: Any, method: str, antialias: bool
) -> Any:
    y = np.asarray(x, "f8")
    for axis, length, by, shift in zip(axes, size, np.asarray(scales, "f8"), np.asarray(shifts, "f8"), strict=True):
        n = x.shape[axis]
        at = (np.arange(length) + 0.5 - shift) / by - 0.5
        wide = max(1 / by, 1) if antialias else 1
        weights = kernel(np, method, (at[:, None] - np.arange(n)) / wide)
        total = weights.sum(axis=1, keepdims=True)
        weights = np.where(np.abs(total) > 1000 * np.finfo("f4").eps, weights / np.where(total == 0, 1, total), 0)
        weights = np.where(((at >= -0.5) & (at <= n - 0.5))[:, None], weights, 0)
        y = np.moveaxis(np.tensordot(y, weights, axes=(axis, 1)), -1, axis)
    return np.clip(np.round(y), x.min(), x.max()) if x.dtype.kind in "iu" else y


rescale = function(
    "rescale",
    axes=_rescaled_axes,
    value=_rescaled_value,
    flops=UNKNOWN_COST,
    element=BETWEEN_PIXELS,
    defaults={"antialias": True},
    canonical=lambda attrs: {**attrs, "axes": tuple(attrs["axes"]), "size": tuple(attrs["size"])},
    gradient=NOT_DERIVED("the gradient of rescale is not derived yet"),
)
"""`rescale(x, scales, shifts, axes=(1, 2), size=(24, 32), method='bilinear')`: along each axis, place i of the result
is read at (i + ½ - shift) / scale - ½; outside of the image it is 0."""
