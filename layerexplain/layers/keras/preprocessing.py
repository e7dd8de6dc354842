"""Preprocessing of numbers and images: Rescaling, Normalization, Resizing, CenterCrop."""

from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.axes import Shape
from layerexplain.lang.expr import Expr, constant, named, weight
from layerexplain.lang.opaque import opaque
from layerexplain.layers.arguments import (
    Anything,
    AxisArgument,
    Bool,
    DataFormat,
    Int,
    Interpolation,
    NaturalInt,
    NonNegative,
    Number,
    Numbers,
    PositiveInt,
    WholeDtype,
    choice,
)
from layerexplain.layers.declaration import Stored
from layerexplain.layers.registry import layer
from layerexplain.layers.signature import KEEPS_AXES, Facts
from layerexplain.ops.elementwise import as_floats, cast, equal, greater_equal, maximum, mod, rounded_to, sqrt, where
from layerexplain.ops.joining import one_hot
from layerexplain.ops.movement import laid, pad_along, reshape, slice_along
from layerexplain.ops.reduce import amax, any_, sum_
from layerexplain.ops.sizes import FLOATS, axis_roles, normalize_axis, shape_text
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


# Encoding -----------------------------------------------------------------------------------------------------------
# Numbers and ids as features: CategoryEncoding, Discretization and IntegerLookup.

LONGEST = 1000
"""A longer vocabulary is not written out in a formula."""


def _encoded_shape(x: Expr, mode: str, depth: int | None) -> Shape:
    if mode == "one_hot":
        return (*(x.shape[:-1] if x.ndim > 1 and x.shape[-1] == 1 else x.shape), depth)
    return (x.shape[0], *x.shape[2:], depth)


def _whole(ids: Expr) -> Expr:
    """The ids as Keras reads them: floats cut to whole numbers."""
    return cast(ids, to="int64") if ids.dtype in FLOATS else ids


def _encode(type_: str, ids: Expr, mode: str, depth: int, count_weights: Expr | None = None) -> Expr:
    """Ids from 0 to depth - 1 as features, in one of the ways that Keras has."""
    ids = _whole(ids)
    if mode == "one_hot":
        shape = _encoded_shape(ids, mode, depth)
        return one_hot(ids if len(shape) == ids.ndim + 1 else reshape(ids, shape=shape[:-1]), n=depth)
    if ids.ndim < 2:
        raise ShapeError(
            f"{type_} with output_mode='{mode}' needs (batch, ids), got {shape_text(ids.shape)}; "
            f"Reshape to (1,) makes each id a list of one"
        )
    rows = one_hot(ids, n=depth)
    if mode == "multi_hot":
        return amax(rows, axis=1)
    if count_weights is not None:
        rows = rows * count_weights[..., None]
    return sum_(rows, axis=1)


@layer("CategoryEncoding", ignores="sparse", facts=Facts(ids_below="num_tokens"))
def category_encoding(
    x: Expr,
    count_weights: Expr | None = None,
    *,
    num_tokens: PositiveInt,
    output_mode: choice("multi_hot", "one_hot", "count", "binary") = "multi_hot",  # type: ignore[valid-type]
) -> Expr:
    """Encodes ids as {num_tokens} values, one per id: 1 where the id occurs (with 'count', how often it occurs).

    Input shape: (batch, ids), integers below num_tokens. Output shape: (batch, num_tokens); with 'one_hot'
    (batch, ids, num_tokens), the axis of ids gone where it is 1. `count_weights`, like the ids, is what each counts.
    """
    mode = "multi_hot" if output_mode == "binary" else output_mode
    if count_weights is not None and mode != "count":
        raise ArgumentError(f"count_weights need output_mode='count', got output_mode='{output_mode}'")
    if mode != "one_hot" and x.ndim > 2:
        raise ShapeError(
            f"CategoryEncoding with output_mode='{mode}' needs (batch, ids), got {shape_text(x.shape)}; "
            f"for more axes Keras's shape and Keras's result contradict each other"
        )
    return _encode("CategoryEncoding", x, mode, num_tokens, count_weights)


@layer("Discretization", ignores="sparse epsilon")
def discretization(
    x: Expr,
    *,
    bin_boundaries: Numbers | None = None,
    num_bins: NaturalInt | None = None,
    epsilon: NonNegative = 0.01,
    output_mode: choice("int", "one_hot", "multi_hot", "count") = "int",  # type: ignore[valid-type]
) -> Expr:
    """Replaces each number by the index of its bin: the number of boundaries that are at or below it.

    Input shape: any. Output shape: the same for 'int'; else a new last axis for the bins, in place of axis 1 for
    'multi_hot' and 'count'. Boundaries are given, or found by adapt(), whose num_bins alone give no formula.
    """
    if bin_boundaries is None:
        if num_bins is None:
            raise ArgumentError("Discretization needs bin_boundaries or num_bins, got neither")
        return _not_given("Discretization", x, output_mode, num_bins, "int32")
    edges = bin_boundaries if isinstance(bin_boundaries, tuple) else (bin_boundaries,)
    if list(edges) != sorted(edges):
        raise ArgumentError(f"Discretization needs bin_boundaries in rising order, got bin_boundaries={edges}")
    x = as_floats(x)
    passed = greater_equal(x[..., None], constant(edges))
    ids = named("bin", sum_(cast(passed, to="int32"), axis=-1), "boundaries at or below x")
    return ids if output_mode == "int" else _encode("Discretization", ids, output_mode, len(edges) + 1)


def _not_given(type_: str, x: Expr, mode: str, depth: int | None, whole: str) -> Expr:
    """The shape alone, where the table that is looked up in does not stand in the configuration."""
    if mode != "int" and depth is None:
        raise ArgumentError(f"{type_} needs its vocabulary for output_mode='{mode}', got none in the configuration")
    shape, dtype = (x.shape, whole) if mode == "int" else (_encoded_shape(x, mode, depth), "float")
    # The op itself would hand on the dtype of x.
    return Expr(opaque, (x,), {"name": type_, "shape": shape}, shape, dtype)


@layer(
    "IntegerLookup",
    ignores="sparse encoding vocabulary_dtype has_input_vocabulary",
    gist="place of x in the vocabulary, {output_mode}",
)
def integer_lookup(
    x: Expr,
    *,
    max_tokens: PositiveInt | None = None,
    num_oov_indices: NaturalInt = 1,
    mask_token: Int | None = None,
    oov_token: Int | None = -1,
    vocabulary: Anything | None = None,
    idf_weights: Anything | None = None,
    invert: Bool = False,
    output_mode: choice("int", "one_hot", "multi_hot", "binary", "count", "tf_idf", "tf-idf") = "int",  # type: ignore[valid-type]
    pad_to_max_tokens: Bool = False,
    oov_method: choice("floormod", "farmhash") = "floormod",  # type: ignore[valid-type]
    salt: Anything | None = None,
    vocabulary_size: PositiveInt | None = None,
) -> Expr:
    """Replaces each integer by its index in a vocabulary. Number of leading indices reserved for other values:
    {num_oov_indices}.

    Input shape: any, integers. Output shape: the same for 'int'; else a new last axis for the indices, in place of
    axis 1 for 'multi_hot' and 'count'. A vocabulary that adapt() found, a file of one, and 'tf_idf' give no formula.
    """
    mode = {"binary": "multi_hot", "tf-idf": "tf_idf"}.get(output_mode, output_mode)
    tokens = _tokens(vocabulary, mask_token, oov_token, num_oov_indices, mode)
    masked = mask_token is not None and mode == "int"
    start = masked + num_oov_indices
    size = vocabulary_size if tokens is None else start + len(tokens)
    if max_tokens is not None and size is not None and size > max_tokens:
        raise ArgumentError(f"max_tokens needs to be at least the {size} places of the vocabulary, got {max_tokens}")
    if pad_to_max_tokens and max_tokens is None:
        raise ArgumentError("pad_to_max_tokens=True needs max_tokens, got max_tokens=None")
    depth = max_tokens if pad_to_max_tokens else size
    hashed = num_oov_indices > 1 and oov_method == "farmhash"
    if tokens is None or len(tokens) > LONGEST or invert or hashed or salt is not None or mode == "tf_idf":
        return _not_given("IntegerLookup", x, "count" if mode == "tf_idf" else mode, depth, "int64")
    x = _whole(x)
    is_token = named("is_token", equal(x[..., None], constant(tokens)))
    places = constant(tuple(range(start, start + len(tokens))))
    place = sum_(where(is_token, places, 0), axis=-1)
    other: Any = int(masked) if num_oov_indices else -1
    if num_oov_indices > 1:
        other = mod(cast(x, to="int32"), num_oov_indices) + int(masked)
    ids = where(any_(is_token, axis=-1), place, other)
    if mask_token is not None:
        # Number -1 is that of no place: where places become features, what is masked is none of them.
        ids = where(equal(x, mask_token), 0 if masked else -1, ids)
    ids = cast(named("place", ids), to="int64")
    if mode == "int":
        return ids
    assert depth is not None  # noqa: S101 (the vocabulary is there)
    return cast(_encode("IntegerLookup", ids, mode, depth), to="int64")


def _tokens(
    vocabulary: Any, mask_token: int | None, oov_token: int | None, num_oov_indices: int, mode: str
) -> tuple[int, ...] | None:
    """The vocabulary without the special tokens that may stand in front of it; None if it is not given as a list."""
    if not isinstance(vocabulary, list | tuple) or not all(isinstance(v, int) for v in vocabulary):
        return None
    front = [mask_token] * (mask_token is not None and mode == "int") + [oov_token] * num_oov_indices
    given = list(vocabulary)
    tokens = given[len(front) :] if given[: len(front)] == front else given
    if not tokens or len(set(tokens)) < len(tokens) or (mask_token is not None and mask_token in tokens):
        raise ArgumentError(
            f"IntegerLookup needs a vocabulary of different numbers, mask_token={mask_token} not among them, "
            f"got vocabulary={given[:8]}"
        )
    return tuple(tokens)
