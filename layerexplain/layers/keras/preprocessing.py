"""Preprocessing of numbers and images: Rescaling, Normalization, Resizing, CenterCrop."""

from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import Expr, constant, named, weight
from layerexplain.layers.arguments import (
    AxisArgument,
    Bool,
    DataFormat,
    Interpolation,
    Number,
    Numbers,
    PositiveInt,
    WholeDtype,
    choice,
)
from layerexplain.layers.declaration import Stored
from layerexplain.layers.registry import layer
from layerexplain.layers.signature import KEEPS_AXES, Facts
from layerexplain.ops.elementwise import as_floats, cast, maximum, rounded_to, sqrt
from layerexplain.ops.movement import laid, pad_along, slice_along
from layerexplain.ops.sizes import axis_roles, normalize_axis, shape_text
from layerexplain.ops.spatial import spatial_axes

# Preprocessing ------------------------------------------------------------------------------------------------------

EPSILON = 1e-7
"""`keras.config.epsilon()`: the least that Normalization divides by."""


def _fitting(name: str, numbers: Expr, x: Expr) -> Expr:
    """The numbers, if they broadcast along the last axes of x without making it larger."""
    pairs = zip(numbers.shape[::-1], x.shape[::-1], strict=False)
    if numbers.ndim > x.ndim or any(a not in (1, b) and isinstance(b, int) for a, b in pairs):
        raise ShapeError(
            f"{name} needs one number, or one for each of the last axis of {shape_text(x.shape)}, "
            f"got numbers of shape {shape_text(numbers.shape)}"
        )
    return numbers


@layer("Rescaling", mask="pass", facts=KEEPS_AXES._replace(loses_mask_keras_2=True, casts_keras_2=True))
def rescaling(x: Expr, *, scale: Numbers, offset: Numbers = 0.0, dtype: WholeDtype = "") -> Expr:
    """Multiplies each value by {scale}{offset: and adds {offset}|}.

    Input shape: any. Output shape: the same. `scale` and `offset` may be lists with a number for each channel of the
    last axis.
    """
    y = x * _fitting("scale", _number(scale, dtype), x)
    if offset != 0:
        y = y + _fitting("offset", _number(offset, dtype), x)
    return y


def _number(value: Any, dtype: str) -> Expr:
    """A constant, which a layer that computes in whole numbers truncates, as Keras does."""
    return cast(constant(value), to=dtype) if dtype else constant(value)


# Normalization --------------------------------------------------------------------------------------------------


def _kept_axes(axis: Any, x: Expr) -> tuple[int, ...]:
    """The axes along which each place has a mean and a variance of its own."""
    given = () if axis is None else (axis,) if isinstance(axis, int) else axis
    axes = tuple(sorted(normalize_axis(a, x.ndim) for a in given))
    if len(set(axes)) < len(axes):
        raise ArgumentError(f"axis needs each axis once, got axis={list(given)}")
    for a in axes:
        if not isinstance(x.shape[a], int):
            raise ShapeError(
                f"axis needs axes of a known size, got axis={axis}, which has axis {a} of {shape_text(x.shape)}"
            )
    return axes


def _given(mean: Any, variance: Any, axes: tuple[int, ...], x: Expr) -> tuple[Expr, Expr]:
    """The statistics that stand in the configuration."""
    if mean is None or variance is None:
        raise ArgumentError(f"mean and variance need to be given both or neither, got {mean=} and {variance=}")
    m, v = constant(mean), constant(variance)
    shape = m.shape
    if shape != v.shape:
        raise ArgumentError(f"mean and variance need the same shape, got {shape_text(shape)} and {shape_text(v.shape)}")
    if len(shape) > len(axes):
        raise ArgumentError(
            f"mean needs at most as many axes as axis names, got mean of shape {shape_text(shape)} for axes {axes}"
        )
    for size, a in zip(reversed(shape), reversed(axes), strict=False):
        if size not in (1, x.shape[a]):
            raise ShapeError(f"mean needs {x.shape[a]} numbers along axis {a} of {shape_text(x.shape)}, got {size}")
    return m, v


@layer(
    "Normalization",
    mask="pass",
    facts=Facts(
        makes_floats=True,
        keeps_axes=True,
        loses_mask_keras_2=True,
        copies_weights=True,
        attributes={"mean": "adapt_mean", "variance": "adapt_variance"},
    ),
)
def normalization(
    x: Expr,
    *,
    axis: AxisArgument | None = -1,
    mean: Numbers | None = None,
    variance: Numbers | None = None,
    invert: Bool = False,
) -> Any:
    """Normalizes to mean 0 and variance 1, by a mean and variance measured beforehand on data.

    Input shape: any, with the sizes of `axis` known. Output shape: the same. Each place along `axis` has a mean and a
    variance of its own; None has one for all. They are weights that adapt() sets, unless they are given; training
    leaves them alone.
    """
    axes = _kept_axes(axis, x)
    stored: tuple[Expr, ...] = ()
    if mean is None and variance is None:
        named_axes = [("features" if len(axes) == 1 else axis_roles(x)[a], x.shape[a]) for a in axes]
        m = weight("mean", "μ", named_axes, trainable=False)
        v = weight("variance", "v", named_axes, trainable=False, positive=True)
        stored = (m, v, weight("count", "count", [], trainable=False, dtype="int32"))
    else:
        m, v = _given(mean, variance, axes, x)
    m, v = (laid(w, axes[len(axes) - w.ndim :], x.ndim) for w in (m, v))
    deviation = named("σ", maximum(sqrt(v), EPSILON))
    y = m + x * deviation if invert else (x - m) / deviation
    return Stored(y, stored)


# Images: the ops on them are loaded with the first layer that needs them, which Rescaling and Normalization do not. ---


def _cut(x: Expr, parts: tuple[tuple[int, int], ...], data_format: str) -> Expr:
    """The part of rows and columns given as (first, length); the image itself if that is all of it."""
    axes, _ = spatial_axes(x.ndim, data_format)
    kept = {a: slice(first or None, first + length) for a, (first, length) in zip(axes, parts, strict=True)}
    return slice_along(x, {a: part if part.stop != x.shape[a] else slice(part.start, None) for a, part in kept.items()})


def with_ratio(x: Expr, size: tuple[int, int], how: str, value: float, data_format: str) -> Expr:
    """The image cropped or padded to the ratio of `size`, around its middle."""
    from layerexplain.ops.image import crop_to_ratio, fit, pad_to_ratio

    axes, _ = spatial_axes(x.ndim, data_format)
    rows, columns = (x.shape[a] for a in axes)
    if not isinstance(rows, int) or not isinstance(columns, int):
        extra = {"value": value} if value else {}
        return fit(x, size=size, how=how, data_format=data_format, **extra)
    if how == "crop":
        return _cut(x, crop_to_ratio(rows, columns, size), data_format)
    amounts = pad_to_ratio(rows, columns, size)
    if amounts == (0, 0):
        return x
    return pad_along(x, {a: (amount, amount) for a, amount in zip(axes, amounts, strict=True)}, value or 0)


@layer("Resizing", ndim=4, facts=Facts(alone_ndim=3), ignores="bounding_box_format factor")
def resizing(
    x: Expr,
    *,
    height: PositiveInt,
    width: PositiveInt,
    interpolation: Interpolation = "bilinear",
    crop_to_aspect_ratio: Bool = False,
    pad_to_aspect_ratio: Bool = False,
    fill_mode: choice("constant") = "constant",  # type: ignore[valid-type]
    fill_value: Number = 0.0,
    antialias: Bool = False,
    data_format: DataFormat = "channels_last",
    dtype: WholeDtype = "",
    keras_2: bool = False,
) -> Expr:
    """Resizes each image to {height} rows and {width} columns by {interpolation} interpolation.

    Input shape: (batch, rows, columns, channels), or (batch, channels, rows, columns) with
    data_format='channels_first'. Output shape: (batch, height, width, channels), likewise. crop_to_aspect_ratio and
    pad_to_aspect_ratio keep the picture from being stretched. Integers stay integers.
    """
    from layerexplain.ops.image import resize

    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ArgumentError("crop_to_aspect_ratio or pad_to_aspect_ratio needs to be false, got true for both")
    size = (height, width)
    if keras_2:
        x = cast(x, to=dtype if dtype and interpolation == "nearest" else "float")
    y = x
    if crop_to_aspect_ratio or pad_to_aspect_ratio:
        how = "crop" if crop_to_aspect_ratio else "pad"
        y = with_ratio(x, size, how, fill_value, data_format)
    y = resize(y, size=size, method=interpolation, antialias=antialias, data_format=data_format)
    y = rounded_to(y, x)
    return cast(y, to=dtype) if keras_2 and dtype else y


@layer("CenterCrop", ndim=4, facts=Facts(alone_ndim=3, casts_keras_2=True), ignores="bounding_box_format factor")
def center_crop(x: Expr, *, height: PositiveInt, width: PositiveInt, data_format: DataFormat = "channels_last") -> Expr:
    """Crops the central {height} rows and {width} columns of each image; a smaller image is cropped to their ratio and
    resized.

    Input shape: (batch, rows, columns, channels), or (batch, channels, rows, columns) with
    data_format='channels_first'. Output shape: (batch, height, width, channels), likewise.
    """
    from layerexplain.ops.image import fit, middle, resize

    x = as_floats(x)
    size = (height, width)
    axes, _ = spatial_axes(x.ndim, data_format)
    before = [x.shape[a] for a in axes]
    if any(isinstance(n, int) and n < wanted for n, wanted in zip(before, size, strict=True)):
        return resize(with_ratio(x, size, "crop", 0, data_format), size=size, data_format=data_format)
    if all(isinstance(n, int) for n in before):
        parts = tuple(middle(n, wanted) for n, wanted in zip(before, size, strict=True))
        return _cut(x, parts, data_format)
    return fit(x, size=size, how="center", data_format=data_format)
