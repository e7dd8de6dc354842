"""Modules that lay images out anew: padding, upsampling, pixel shuffles."""

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.errors import ArgumentError, AxesError, ShapeError
from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Anything, Bool, Naturals, Number, Numbers, PositiveInt, Sizes, choice
from layerexplain.layers.keras.operations_filter import fold, unfold
from layerexplain.layers.signature import Facts
from layerexplain.layers.torch.construction import IMAGES, LAYOUT, module, modules_of_rank, sizes
from layerexplain.ops.movement import pad, repeat, reshape, transpose
from layerexplain.ops.sizes import shape_text
from layerexplain.ops.spatial import each

# Padding: PyTorch counts from the last axis, before and after each ------------------------------------------------


def pads_of(type_: str, padding: Any, rank: int) -> tuple[tuple[int, int], ...]:
    """Return (before, after) of each axis, the batch and the channels included, from the last axis' pair on."""
    numbers = (padding,) * 2 * rank if isinstance(padding, int) else tuple(padding)
    if len(numbers) != 2 * rank or not all(isinstance(n, int) for n in numbers):
        raise ArgumentError(f"{type_} needs padding as one integer or {2 * rank}, got padding={padding}")
    pairs = [(numbers[2 * i], numbers[2 * i + 1]) for i in reversed(range(rank))]
    return ((0, 0), (0, 0), *pairs)


def _padded(type_: str, x: Expr, padding: Any, mode: str = "constant", value: float = 0) -> Expr:
    pads = pads_of(type_, padding, x.ndim - 2)
    for size, (before, after) in zip(x.shape, pads, strict=True):
        least = {"reflect": 1, "wrap": 0}.get(mode)
        if least is not None and isinstance(size, int) and max(before, after) > size - least:
            raise ShapeError(f"{type_} needs padding below the size {size} of its axis, got padding={padding}")
        if isinstance(size, int) and size + before + after < 1:
            raise ShapeError(f"{type_} leaves nothing of an axis of {size}, got padding={padding}")
    if min(n for pair in pads for n in pair) < 0:
        cut = tuple([slice(-min(a, 0) or None, min(b, 0) or None) for a, b in pads])
        x, pads = x[cut], tuple([(max(a, 0), max(b, 0)) for a, b in pads])
    return pad(x, pads=pads, value=value, mode=mode) if any(map(any, pads)) else x


@modules_of_rank("ZeroPad{}d", gist="pad by {padding}")
def zero_pad(x: Expr, *, padding: Anything, rank: int) -> Expr:
    """Puts zeros around the [sequence|image|volume]: {padding}, from the last axis on, before and after.

    Input shape: (batch, channels, spatial axes). Output shape: likewise, larger. Reference: torch.nn.ZeroPad2d.
    """
    return _padded(f"ZeroPad{rank}d", x, padding)


@modules_of_rank("ConstantPad{}d", gist="pad by {padding} with {value}")
def constant_pad(x: Expr, *, padding: Anything, value: Number, rank: int) -> Expr:
    """Puts {value} around the [sequence|image|volume]: {padding}, from the last axis on, before and after.

    Input shape: (batch, channels, spatial axes). Output shape: likewise, larger. Reference: torch.nn.ConstantPad2d.
    """
    return _padded(f"ConstantPad{rank}d", x, padding, value=value)


@modules_of_rank("ReflectionPad{}d", gist="pad by {padding}, reflected")
def reflection_pad(x: Expr, *, padding: Anything, rank: int) -> Expr:
    """Puts the mirror image, without the edge itself, around the [sequence|image|volume]: {padding}, from the last axis
    on, before and after.

    Input shape: (batch, channels, spatial axes). Output shape: likewise, larger. Reference: torch.nn.ReflectionPad2d.
    """
    return _padded(f"ReflectionPad{rank}d", x, padding, "reflect")


@modules_of_rank("ReplicationPad{}d", gist="pad by {padding} with the edge")
def replication_pad(x: Expr, *, padding: Anything, rank: int) -> Expr:
    """Repeats the edge around the [sequence|image|volume]: {padding}, from the last axis on, before and after.

    Input shape: (batch, channels, spatial axes). Output shape: likewise, larger. Reference: torch.nn.ReplicationPad2d.
    """
    return _padded(f"ReplicationPad{rank}d", x, padding, "edge")


@modules_of_rank("CircularPad{}d", gist="pad by {padding} with the other end")
def circular_pad(x: Expr, *, padding: Anything, rank: int) -> Expr:
    """Continues the [sequence|image|volume] with its other end: {padding}, from the last axis on, before and after.

    Input shape: (batch, channels, spatial axes). Output shape: likewise, larger. Reference: torch.nn.CircularPad2d.
    """
    return _padded(f"CircularPad{rank}d", x, padding, "wrap")


# Pixel shuffles -------------------------------------------------------------------------------------------------


def _image(type_: str, x: Expr) -> tuple[Any, int, Any, Any]:
    if x.ndim != 4 or not isinstance(x.shape[1], int):
        raise AxesError(f"{type_} needs an input of (batch, channels, rows, columns), got {shape_text(x.shape)}")
    batch, channels, rows, columns = x.shape
    return batch, channels, rows, columns


def _times(size: Any, factor: int) -> Any:
    return size * factor if isinstance(size, int) else None


@module("PixelShuffle", gist="channels to pixels, {upscale_factor} × {upscale_factor}", facts=IMAGES[2], ndim=4)
def pixel_shuffle(x: Expr, *, upscale_factor: PositiveInt) -> Expr:
    """Rearranges {upscale_factor} × {upscale_factor} channels of each pixel into a block of pixels.

    Input shape: (batch, channels · r², rows, columns). Output shape: (batch, channels, rows · r, columns · r).
    Reference: torch.nn.PixelShuffle.
    """
    batch, channels, rows, columns = _image("PixelShuffle", x)
    r = upscale_factor
    if channels % r**2:
        raise ShapeError(f"PixelShuffle needs channels divisible by upscale_factor² = {r**2}, got {channels}")
    apart = reshape(x, shape=(batch, channels // r**2, r, r, rows, columns))
    turned = transpose(apart, axes=(0, 1, 4, 2, 5, 3))
    return reshape(turned, shape=(batch, channels // r**2, _times(rows, r), _times(columns, r)))


@module("Unfold", gist="patches of {kernel_size}", facts=IMAGES[2], ndim=4)
def unfold_module(
    x: Expr, *, kernel_size: Sizes, dilation: Sizes = 1, padding: Naturals = 0, stride: Sizes = 1
) -> Expr:
    """Lays the values of each patch of {kernel_size} pixels out as one column.

    Input shape: (batch, channels, rows, columns). Output shape: (batch, channels · pixels of a patch, patches).
    Reference: torch.nn.Unfold.
    """
    given = {"kernel_size": kernel_size, "dilation": dilation, "padding": padding, "stride": stride}
    return unfold(x, **{name: sizes(name, value, 2) for name, value in given.items()})


@module("Fold", gist="sum of patches of {kernel_size}", ndim=3, facts=Facts(alone_ndim=2))
def fold_module(
    x: Expr, *, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1, padding: Naturals = 0, stride: Sizes = 1
) -> Expr:
    """Puts columns of patches of {kernel_size} pixels back into an image of {output_size}; overlapping values add up.

    Input shape: (batch, channels · pixels of a patch, patches). Output shape: (batch, channels, rows, columns).
    Reference: torch.nn.Fold.
    """
    given = {"output_size": output_size, "kernel_size": kernel_size, "dilation": dilation}
    given |= {"padding": padding, "stride": stride}
    return fold(x, **{name: sizes(name, value, 2) for name, value in given.items()})


@module("PixelUnshuffle", gist="pixels to channels, {downscale_factor} × {downscale_factor}", facts=IMAGES[2], ndim=4)
def pixel_unshuffle(x: Expr, *, downscale_factor: PositiveInt) -> Expr:
    """Rearranges each block of {downscale_factor} × {downscale_factor} pixels into channels of one pixel.

    Input shape: (batch, channels, rows · r, columns · r). Output shape: (batch, channels · r², rows, columns).
    Reference: torch.nn.PixelUnshuffle.
    """
    batch, channels, rows, columns = _image("PixelUnshuffle", x)
    r = downscale_factor
    if not isinstance(rows, int) or not isinstance(columns, int) or rows % r or columns % r:
        raise ShapeError(f"PixelUnshuffle needs rows and columns divisible by {r}, got {shape_text(x.shape)}")
    apart = reshape(x, shape=(batch, channels, rows // r, r, columns // r, r))
    turned = transpose(apart, axes=(0, 1, 3, 5, 2, 4))
    return reshape(turned, shape=(batch, channels * r**2, rows // r, columns // r))


@module("ChannelShuffle", gist="channels of {groups} groups interleaved")
def channel_shuffle(x: Expr, *, groups: PositiveInt) -> Expr:
    """Interleaves the channels of {groups} groups.

    Input shape: (batch, channels, …). Output shape: the same. Reference: torch.nn.ChannelShuffle.
    """
    channels = x.shape[1] if x.ndim > 2 else None
    if not isinstance(channels, int) or channels % groups:
        raise ShapeError(f"ChannelShuffle needs channels divisible by groups={groups}, got {shape_text(x.shape)}")
    apart = reshape(x, shape=(x.shape[0], groups, channels // groups, *x.shape[2:]))
    return reshape(transpose(apart, axes=(0, 2, 1, *range(3, x.ndim + 1))), shape=x.shape)


# Upsampling -----------------------------------------------------------------------------------------------------

_RANKS = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}
_MODES = ("nearest", "linear", "bilinear", "bicubic", "trilinear", "nearest-exact", "area")


def resized(
    x: Expr,
    size: Any,
    scale: Any,
    mode: str,
    align_corners: bool | None,
    recompute: bool | None = None,
    antialias: bool = False,
) -> Expr:
    """Return a signal, image or volume in another size, as torch.nn.functional.interpolate gives it."""
    rank = x.ndim - 2
    if (size is None) == (scale is None):
        raise ArgumentError("interpolate needs either size or scale_factor; give one of them")
    if mode not in _MODES or _RANKS.get(mode, rank) != rank or rank not in (1, 2, 3):
        raise AxesError(f"mode={mode!r} is not for an input with {x.ndim} axes, {shape_text(x.shape)}")
    if align_corners is not None and mode not in _RANKS:
        raise ArgumentError(f"align_corners cannot be used with mode={mode!r}; leave it out")
    if antialias and (mode not in ("bilinear", "bicubic") or align_corners):
        raise ArgumentError(f"antialias needs mode='bilinear' or 'bicubic' without align_corners, got mode={mode!r}")
    before: Sequence[Any] = x.shape[2:]
    scales: Sequence[Any] = each(scale, rank)
    after = (
        each(size, rank)
        if size is not None
        else [int(n * s) if isinstance(n, int) else None for n, s in zip(before, scales, strict=True)]
    )
    if mode in ("nearest", "nearest-exact") and all(
        (isinstance(n, int) and m % n == 0) if isinstance(n, int) else s is not None and s == int(s)
        for n, m, s in zip(before, after, scales, strict=True)
    ):
        for axis, (n, m, s) in enumerate(zip(before, after, scales, strict=True), start=2):
            times = m // n if isinstance(n, int) else int(s)
            x = repeat(x, times=times, axis=axis) if times > 1 else x
        return x
    if not all(isinstance(n, int) for n in (*before, *after)):
        from layerexplain.lang.opaque import opaque

        return opaque(x, name="interpolate", shape=(*x.shape[:2], *after))
    if mode == "area":
        from layerexplain.ops.pooling import adaptive_average_pool

        return adaptive_average_pool(x, size=tuple(after), data_format=LAYOUT[rank])
    how: dict[str, Any] = {"method": "nearest" if mode.startswith("nearest") else "bilinear"}
    if mode == "bicubic":
        how["method"] = "bicubic" if antialias else "cubic"
    how |= {"antialias": antialias, "grid": "corners" if align_corners else "edges" if mode == "nearest" else "centres"}
    exact = all(s is None or n * s == m for n, m, s in zip(before, after, scales, strict=True))
    steps = None if exact or recompute or align_corners else [1 / s for s in scales]
    return _by_axes(x, after, steps, how)


def _by_axes(x: Expr, after: Sequence[Any], steps: Sequence[float] | None, how: Mapping[str, Any]) -> Expr:
    """Return a signal or a volume resized as images are: along two axes at a time."""
    from layerexplain.ops.image import resize

    def image(y: Expr, size: Sequence[int], *step: float) -> Expr:
        return resize(y, size=tuple(size), data_format="NCHW", **how, **({"step": step} if steps is not None else {}))

    s = [1.0] * len(after) if steps is None else steps
    if len(after) == 1:
        return image(x[:, :, None], (1, after[0]), 1.0, s[0])[:, :, 0]
    if len(after) == 2:
        return image(x, after, s[0], s[1])
    batch, channels, planes, rows, columns = x.shape
    flat = image(reshape(x, shape=(batch, _times(channels, planes), rows, columns)), after[1:], s[1], s[2])
    area = after[1] * after[2]
    return reshape(
        image(reshape(flat, shape=(batch, channels, planes, area)), (after[0], area), s[0], 1.0),
        shape=(batch, channels, *after),
    )


BATCHES = IMAGES[2]._replace(alone_ndim=0)
"""The facts of modules that take no image without a batch: three axes are those of a batch of signals."""


@module("Upsample", gist="upsample by {scale_factor}, to {size}, {mode}", facts=BATCHES)
def upsample(
    x: Expr,
    *,
    size: Sizes | None = None,
    scale_factor: Numbers | None = None,
    mode: choice(*_MODES) = "nearest",  # type: ignore[valid-type]
    align_corners: Bool | None = None,
    recompute_scale_factor: Bool | None = None,
) -> Expr:
    """Resizes a signal, image or volume: each new pixel is copied from, or interpolated between, input pixels.

    Input shape: (batch, channels, spatial axes). Output shape: (batch, channels, *size), or sizes times scale_factor,
    rounded down. Reference: torch.nn.Upsample.
    """
    return resized(x, size, scale_factor, mode, align_corners, recompute_scale_factor)


@module("UpsamplingNearest2d", gist="upsample by {scale_factor}, to {size}", facts=BATCHES)
def upsampling_nearest(x: Expr, *, size: Sizes | None = None, scale_factor: Numbers | None = None) -> Expr:
    """Resizes an image: each new pixel is a copy of the nearest input pixel.

    Input shape: (batch, channels, rows, columns). Output shape: with other rows and columns.
    Reference: torch.nn.UpsamplingNearest2d.
    """
    return resized(x, size, scale_factor, "nearest", None)


@module("UpsamplingBilinear2d", gist="upsample by {scale_factor}, to {size}, corners aligned", facts=BATCHES, ndim=4)
def upsampling_bilinear(x: Expr, *, size: Sizes | None = None, scale_factor: Numbers | None = None) -> Expr:
    """Resizes an image: new pixels are interpolated between input pixels, with the corners aligned.

    Input shape: (batch, channels, rows, columns). Output shape: with other rows and columns.
    Reference: torch.nn.UpsamplingBilinear2d.
    """
    return resized(x, size, scale_factor, "bilinear", True)
