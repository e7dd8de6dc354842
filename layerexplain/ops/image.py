"""Ops on images: resizing, and cropping or padding around the centre."""

from __future__ import annotations

import math
import struct
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.axes import Axis, LazyAxes, Size, exact
from layerexplain.lang.expr import NOT_INDEXED, CannotDerive, Expr, Op, tensor
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.ops.elementwise import absolute, maximum, minimum, multiply, subtract
from layerexplain.ops.elementwise import add as plus
from layerexplain.ops.families import function, letters_of, movement, needed, without
from layerexplain.ops.reduce import of_copies
from layerexplain.ops.sizes import image_size, product, promote
from layerexplain.ops.spatial import each, image_axes, spatial_axes
from layerexplain.ops.window import channels_last, laid_back, laid_out

REACH = {"bilinear": 1, "bicubic": 2, "cubic": 2, "lanczos3": 3, "lanczos5": 5, "gaussian": 1.5, "mitchellcubic": 2}
"""The radius of each kernel in pixels."""

_MOST_COPIES = 10_000
"""How many pixels are looked at, one by one, for whether rounding decides which one is copied."""


# Resizing -------------------------------------------------------------------------------------------------------


def _target(x: Expr, attrs: dict[str, Any]) -> list[tuple[Size, Size]]:
    """Return (size before, size after) of rows and columns."""
    axes, _ = spatial_axes(len(x.shape), attrs["data_format"])
    before = [x.shape[a] for a in axes]
    if attrs["size"] is not None:
        return list(zip(before, each(attrs["size"], 2), strict=True))
    times = each(attrs["times"], 2)
    return [(n, n * t if isinstance(n, int) else n) for n, t in zip(before, times, strict=True)]


def _resize_axes(x: Expr, **attrs: Any) -> list[Axis]:
    spatial = []
    times = each(attrs["times"], 2)
    for role, factor, (before, after) in zip(("rows", "columns"), times, _target(x, attrs), strict=True):
        n = before if isinstance(before, int) else "in"
        text = f"{n} resized to {after}" if factor is None else f"{n} × {factor}"
        spatial.append((role, after, f"{text} = {after}" if factor is not None and isinstance(after, int) else text))
    return laid_out(x, attrs, spatial)


def _canonical(attrs: dict[str, Any]) -> dict[str, Any]:
    times = attrs.get("times")
    if isinstance(times, list | tuple) and len(set(times)) == 1:
        attrs["times"] = times[0]
    return attrs


def kernel(np: Any, method: str, distance: Any) -> Any:
    """Return the weight of a pixel at a distance, before normalization."""
    d = np.abs(distance)
    if method == "bilinear":
        return np.maximum(1 - d, 0)
    if method == "bicubic":  # Keys' cubic with a = -1/2
        near, far = ((1.5 * d - 2.5) * d) * d + 1, ((-0.5 * d + 2.5) * d - 4) * d + 2
        return np.where(d >= 2, 0, np.where(d >= 1, far, near))
    if method == "mitchellcubic":
        near, far = ((7 * d / 6 - 2) * d) * d + 8 / 9, ((-7 * d / 18 + 2) * d - 10 / 3) * d + 16 / 9
        return np.where(d >= 2, 0, np.where(d >= 1, far, near))
    if method == "gaussian":  # with a standard deviation of a third of its reach
        return np.where(d >= 1.5, 0, np.exp(-2 * d * d))
    return np.where(d > REACH[method], 0, np.sinc(d) * np.sinc(d / REACH[method]))


def _weights(np: Any, n: int, out: int, method: str, antialias: bool, grid: str, step: float | None) -> Any:
    """Return the weight of each of n pixels in each of `out`: a matrix (out, n) whose rows sum to 1.

    Pixels are squares: the centre of output i lies over (i + ½) · n/out of the input. With the grid "corners" the first
    lies on the first, and the last on the last; with "edges" output i begins at i · n/out. A `step` stands in place of
    n/out. Shrinking with `antialias` widens the kernel by n/out.
    """
    if method == "nearest":
        return np.eye(n)[_nearest(n, out, grid, step)]
    each_step = n / out if step is None else step
    centre = (np.arange(out, dtype="f4") + np.float32(0.5)) * np.float32(each_step)
    if grid == "corners":
        centre = np.arange(out) * ((n - 1) / max(out - 1, 1)) + 0.5
    if method == "cubic":  # Keys' cubic with a = -3/4 on pixels that repeat beyond the edges
        at = centre.astype("f8") - 0.5
        base = np.floor(at)
        return sum(
            _keys(np, np.abs(at - base - k))[:, None] * np.eye(n)[np.clip(base + k, 0, n - 1).astype("i8")]
            for k in range(-1, 3)
        )
    if method == "area":
        ends = np.arange(out + 1) * (n / out)
        overlap = np.minimum(ends[1:, None], np.arange(1, n + 1)) - np.maximum(ends[:-1, None], np.arange(n))
        return np.maximum(overlap, 0) * (out / n)
    if method == "bilinear" and not antialias:
        at = np.clip(centre.astype("f8") - 0.5, 0, n - 1)
        return kernel(np, method, at[:, None] - np.arange(n))
    if method == "bicubic" and not antialias:
        # TensorFlow looks this kernel up in a table of 1024 steps a pixel.
        at = centre - np.float32(0.5)
        base = np.floor(at)
        at = base.astype("f8") + np.rint((at - base) * np.float32(1024)) / 1024
        weights = kernel(np, method, at[:, None] - np.arange(n))
    else:
        wide = max(n / out, 1) if antialias else 1
        weights = kernel(np, method, (centre.astype("f8")[:, None] - 0.5 - np.arange(n)) / wide)
    return weights / weights.sum(axis=1, keepdims=True)


def _keys(np: Any, d: Any) -> Any:
    near, far = ((1.25 * d - 2.25) * d) * d + 1, ((-0.75 * d + 3.75) * d - 6) * d + 3
    return np.where(d >= 2, 0, np.where(d >= 1, far, near))


def _nearest(n: int, out: int, grid: str, step: float | None) -> list[int]:
    """Return the pixel that each of `out` copies, computed in float32 as the frameworks do."""
    each_step = _float32(n / out if step is None else step)
    first = 0 if grid == "edges" else 0.5
    return [min(int(_float32((i + first) * each_step)), n - 1) for i in range(out)]


def _float32(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


@channels_last
def _resize_value(np: Any, x: Any, *, size: Any, times: Any, data_format: str, **how: Any) -> Any:
    if size is None:
        size = [n * t for n, t in zip(x.shape[1:3], each(times, 2), strict=True)]
    rows, columns = _both(np, x.shape[1:3], each(size, 2), **how)
    y = np.einsum("pi,nijc->npjc", rows, x, optimize=True)
    return np.einsum("qj,npjc->npqc", columns, y, optimize=True).astype(x.dtype if x.dtype.kind == "f" else "f4")


def _resize_flops(node: Expr) -> int | None:
    """2 for each pixel that is weighed into an output; nothing for 'nearest', which copies."""
    method, antialias = node.options["method"], node.options["antialias"]
    if method == "nearest":
        return 0
    if method != "area" and not antialias:
        return product((*node.shape, 2 * int(2 * REACH[method]) ** 2))
    _, channel_axis = image_axes(node)
    weighed: list[Size] = [
        _weighed(before, after, method) if isinstance(before, int) and isinstance(after, int) else None
        for before, after in _target(node.args[0], node.options)
    ]
    return product((node.shape[channel_axis], *weighed, 2))


_PIXELS = "the number of pixels that resizing weighs"


def _weighed(n: int, out: int, method: str) -> int:
    """Return how many pixels of n are weighed into all of `out`, where that depends on the sizes: those that an output
    covers ('area'), or those within the reach of a kernel that antialiasing widens by n/out."""
    if not n or not out:
        return 0
    n, out = exact(n, _PIXELS), exact(out, _PIXELS)
    if method == "area":  # from ⌊i·n/out⌋ up to ⌈(i + 1)·n/out⌉
        return floor_sum(out, out, n, n + out - 1) - floor_sum(out, out, n, 0)
    # Whole numbers: the centre lies at (2n·i + n - out) / 2out, the ends of the reach are not in it.
    reach = int(2 * REACH[method] * max(n, out))
    first, last = n + out - reach, n - out + reach
    # From where on the first pixel lies inside of the image, and up to where the last one does.
    inside, ends = min(max(-(first // (2 * n)), 0), out), min(max((2 * out * n - last) // (2 * n) + 1, 0), out)
    lasts = floor_sum(ends, 2 * out, 2 * n, last + 2 * out - 1) + (out - ends) * n
    return lasts - floor_sum(out - inside, 2 * out, 2 * n, 2 * n * inside + first)


def floor_sum(count: int, divisor: int, step: int, start: int) -> int:
    """Return the sum of ⌊(step·i + start) / divisor⌋ for all 0 ≤ i < count, in as many steps as Euclid's algorithm
    takes.

    >>> floor_sum(4, 3, 2, 1) == 1 // 3 + 3 // 3 + 5 // 3 + 7 // 3
    True
    """
    total = 0
    while True:
        total += count * (count - 1) // 2 * (step // divisor) + count * (start // divisor)
        step, start = step % divisor, start % divisor
        end = step * count + start
        if end < divisor:
            return total
        count, start, divisor, step = end // divisor, end % divisor, step, divisor


def _resize_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    (x,) = node.args
    method, antialias = node.options["method"], node.options["antialias"]
    grid = node.options["grid"]
    if method not in ("nearest", "bilinear", "area") or (antialias and method == "bilinear"):
        options = " with antialias" if antialias else ""
        raise sc.CannotIndex(f"the weights of '{method}'{options} have no closed form by index")
    axes, _ = image_axes(node)
    place = list(index)
    body: sc.Scalar | None = None
    letters = []
    for a, sizes, step in zip(axes, _target(x, node.options), each(node.options["step"], 2), strict=True):
        n, out = [needed(size, a) for size in sizes]
        if not n or not out:
            raise sc.CannotIndex("an axis of size 0 has no element")
        if method == "nearest":
            # floor((i + 1/2) · n / out), in whole numbers
            half = 0 if grid == "edges" else n
            is_plain = grid == "centres" and step is None
            if not is_plain and (
                out > _MOST_COPIES
                or _nearest(n, out, grid, step) != [(2 * n * i + half) // (2 * out) for i in range(out)]
            ):
                raise sc.CannotIndex("rounding decides which pixel is copied")
            shared = math.gcd(n, 2 * out) if half else 2 * math.gcd(n, out)
            place[a] = sc.floor_divide(sc.add(sc.scale(index[a], 2 * n // shared), half // shared), 2 * out // shared)
            continue
        p = sc.letter("summed", n)
        place[a] = p
        letters.append(p)
        weight = _overlap(index[a], p, n, out) if method == "area" else _share(index[a], p, n, out, grid, step)
        body = weight if body is None else sc.Apply(multiply, (body, weight), {})
    value = at(0, place)
    if body is None:
        return value
    return sc.Fold("sum", letters_of(letters), sc.Apply(multiply, (value, body), {}), ())


def _share(i: sc.Affine, p: sc.Affine, n: int, out: int, grid: str, step: float | None) -> sc.Scalar:
    """max(0, 1 - |s - p|), with s = (i + 1/2) · n/out - 1/2 kept inside 0 … n-1; of corners s = i · (n-1)/(out-1)."""
    corners = grid == "corners"
    ratio = (n - 1) / max(out - 1, 1) if corners else n / out if step is None else step
    s: sc.Scalar = sc.Apply(multiply, (sc.Position(i), sc.Number(ratio)), {})
    s = s if corners else sc.Apply(plus, (s, sc.Number((ratio - 1) / 2)), {})
    s = sc.Apply(minimum, (sc.Apply(maximum, (s, sc.Number(0)), {}), sc.Number(n - 1)), {})
    distance = sc.Apply(absolute, (sc.Apply(subtract, (s, sc.Position(p)), {}),), {})
    return sc.Apply(maximum, (sc.Apply(subtract, (sc.Number(1), distance), {}), sc.Number(0)), {})


def _overlap(i: sc.Affine, p: sc.Affine, n: int, out: int) -> sc.Scalar:
    """Return the part of output i that input p covers: max(0, min(p + 1, (i + 1) · n/out) - max(p, i · n/out)) ·
    out/n."""
    end: sc.Scalar = sc.Apply(multiply, (sc.Position(sc.add(i, 1)), sc.Number(n / out)), {})
    start: sc.Scalar = sc.Apply(multiply, (sc.Position(i), sc.Number(n / out)), {})
    end, start = sc.Apply(minimum, (sc.Position(sc.add(p, 1)), end), {}), sc.Apply(maximum, (sc.Position(p), start), {})
    shared = sc.Apply(maximum, (sc.Apply(subtract, (end, start), {}), sc.Number(0)), {})
    return sc.Apply(multiply, (shared, sc.Number(out / n)), {})


def _of_resize(y: Expr, dy: Expr, i: int) -> Expr:
    """Collect for each pixel from all that it is weighed into; for one that is repeated, from its copies."""
    options = y.options
    if options["method"] == "nearest" and options["times"] is not None:
        return of_copies(y.args[0], dy, dict(zip(image_axes(y)[0], each(options["times"], 2), strict=True)))
    attrs = {k: options[k] for k in ("method", "antialias", "data_format", "grid", "step")}
    return resize_back(dy, to=image_size(y), **attrs)


_AS_USUAL = {"method": "bilinear", "antialias": False, "data_format": "channels_last", "grid": "centres", "step": None}

resize: Op = function(
    "resize",
    axes=_resize_axes,
    dtype=lambda x, **attrs: x.dtype if attrs["method"] == "nearest" else promote(x.dtype, "float"),
    value=_resize_value,
    flops=_resize_flops,
    element=_resize_element,
    defaults={**_AS_USUAL, "size": None, "times": None},
    canonical=_canonical,
    gradient=_of_resize,
)
"""`resize(x, size=(24, 32), method='bilinear')`: each output pixel is a weighted mean of the pixels around its
position, with half-pixel centres; `times=2` in place of `size` enlarges by a factor. With `grid='corners'` the
outermost centres lie on each other, with `grid='edges'` pixel `i` copies from `i · n/out` on; a `step` stands in place
of `n/out`."""


def _both(np: Any, before: Any, after: Any, *, method: str, antialias: bool, grid: str, step: Any) -> list[Any]:
    """Return the weights of rows and of columns."""
    return [
        _weights(np, n, out, method, antialias, grid, item)
        for n, out, item in zip(before, after, each(step, 2), strict=True)
    ]


@channels_last
def _back_value(np: Any, dy: Any, *, to: tuple[int, int], data_format: str, **how: Any) -> Any:
    rows, columns = _both(np, to, dy.shape[1:3], **how)
    of_rows = np.einsum("pi,npqc->niqc", rows, dy, optimize=True)
    return np.einsum("qj,niqc->nijc", columns, of_rows, optimize=True)


resize_back = function(
    "resize_back",
    axes=lambda dy, *, to, **attrs: laid_back(dy, attrs, to, "before resizing"),
    value=_back_value,
    flops=lambda node: _resize_flops(_forward(node)),
    element=NOT_INDEXED("the number of pixels that read a position depends on the position"),
    defaults=_AS_USUAL,
    gradient=lambda y, dy, i: _resized_as(dy, y.args[0], y),
)
"""`resize_back(dy, to=(8, 8), method='bilinear')`: what goes back through `resize`: each pixel collects from all pixels
that it was weighed into, with the same weights; `to` gives the rows and columns before resizing."""


def _resized_as(x: Expr, like: Expr, back: Expr) -> Expr:
    """Return an image resized to the rows and columns of another, as the op whose gradient `back` is."""
    axes, _ = image_axes(back)
    return resize(x, size=tuple([like.shape[axis] for axis in axes]), **without(back, "to"))


def _forward(back: Expr) -> Expr:
    """Return the resizing that a `resize_back` belongs to, which costs as much."""
    x = tensor("x", back.shape, back.dtype)
    return _resized_as(x, back.args[0], back)


# The middle of an image -----------------------------------------------------------------------------------------


def middle(n: int, wanted: int) -> tuple[int, int]:
    """Return (first, length) of the middle `wanted` of n positions."""
    return (n - wanted) // 2, wanted


def crop_to_ratio(rows: int, columns: int, size: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return (first, length) of rows and of columns: the largest middle part with the ratio of `size`."""
    kept_rows = max(min(rows, columns * size[0] // size[1]), 1)
    kept_columns = max(min(columns, rows * size[1] // size[0]), 1)
    return middle(rows, kept_rows), middle(columns, kept_columns)


def pad_to_ratio(rows: int, columns: int, size: tuple[int, int]) -> tuple[int, int]:
    """Return how many rows are put above and as many below, and columns left and right, to come to the ratio of
    `size`."""
    more_rows = max(rows, columns * size[0] // size[1]) - rows
    more_columns = max(columns, rows * size[1] // size[0]) - columns
    return more_rows // 2, more_columns // 2


@channels_last
def _fit_value(np: Any, x: Any, *, size: Any, how: str, value: float, data_format: str) -> Any:
    rows, columns = x.shape[1:3]
    if how == "pad":
        above, left = pad_to_ratio(rows, columns, size)
        return np.pad(x, ((0, 0), (above, above), (left, left), (0, 0)), constant_values=value)
    if how == "center":
        if rows < size[0] or columns < size[1]:
            raise ShapeError(f"cropping the middle {size} needs an image of at least that size, got {(rows, columns)}")
        parts = middle(rows, size[0]), middle(columns, size[1])
    else:
        parts = crop_to_ratio(rows, columns, size)
    (top, height), (left, width) = parts
    return x[:, top : top + height, left : left + width]


def _fit_axes(x: Expr, *, size: Any, how: str, value: float, data_format: str) -> list[Axis]:
    height, width = size
    words = {"crop": "cropped to", "pad": "padded to"}
    spatial: list[tuple[str, Size, str]] = []
    for role, after in (("rows", height), ("columns", width)):
        if how == "center":
            spatial.append((role, after, f"the middle {after}"))
        else:
            spatial.append((role, None, f"{words[how]} the ratio {height} : {width}, at run time"))
    return laid_out(x, {"data_format": data_format}, spatial)


fit: Op = movement(
    "fit",
    axes=_fit_axes,
    value=_fit_value,
    element=NOT_INDEXED("needs the size of the image; give it with --input"),
    defaults={"value": 0, "data_format": "channels_last"},
    gradient=lambda y, dy, i: fit_back(y.args[0], dy, **without(y, "size", "value")),
)
"""`fit(x, size=(24, 32), how='crop')`: for images of unknown size: the central `size` ('center'), or the centre cropped
or padded to the aspect ratio of `size` ('crop', 'pad')."""


def _fit_back_value(np: Any, x: Any, dy: Any, *, how: str, data_format: str) -> Any:
    """Add as many rows on both sides as are missing, or drop as many."""
    key: list[Any] = [slice(None)] * 4
    for axis in (2, 3) if data_format == "channels_first" else (1, 2):
        n, after = x.shape[axis], dy.shape[axis]
        first = abs(after - n) // 2
        key[axis] = slice(first, first + min(n, after))
    if how == "pad":
        return dy[tuple(key)]
    result = np.zeros(x.shape, dy.dtype)
    result[tuple(key)] = dy
    return result


def _fitted_again(y: Expr, dy: Expr, i: int) -> Expr | None:
    if i == 0:
        return None
    size = image_size(y, 1)
    if y.attrs["how"] != "center":
        raise CannotDerive("needs the sizes of the image; give them with --input")
    return fit(dy, size=size, **y.attrs)


fit_back: Op = movement(
    "fit_back",
    axes=lambda x, dy, **attrs: LazyAxes(x.shape),
    dtype=lambda x, dy, **attrs: dy.dtype,
    value=_fit_back_value,
    element=NOT_INDEXED("needs the size of the image; give it with --input"),
    defaults={"data_format": "channels_last"},
    gradient=_fitted_again,
)
"""`fit_back(x, dy, how='crop')`: what goes back through `fit` to an image of the size of x: what was cut off gets 0,
what was added passes nothing on."""
