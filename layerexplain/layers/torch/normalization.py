"""Normalization: by batch, instance, layer, group, root mean square, and across neighbouring channels."""

from collections.abc import Sequence
from functools import reduce
from typing import Any

from layerexplain.errors import ArgumentError, AxesError, ShapeError
from layerexplain.lang.expr import Expr, named, weight
from layerexplain.layers.arguments import Bool, Number, PositiveInt, Sizes
from layerexplain.layers.declaration import Stored
from layerexplain.layers.keras.normalization import scaled
from layerexplain.layers.signature import Facts
from layerexplain.layers.torch.construction import module, modules_of_rank, need_channels, need_divisor
from layerexplain.ops.elementwise import sqrt
from layerexplain.ops.movement import laid, pad_along, reshape, slice_along
from layerexplain.ops.reduce import mean
from layerexplain.ops.sizes import agree, product, shape_text
from layerexplain.records import NamedTuple

CHANNELS = Facts(channels_first=True)
FLOAT32_EPSILON = 1.1920928955078125e-07
"""The distance of 1 to the next float32: what torch.nn.RMSNorm adds if no eps is given."""


def _need_axes(type_: str, x: Expr, allowed: Sequence[int]) -> None:
    if x.ndim not in allowed:
        wanted = " or ".join(map(str, allowed))
        raise AxesError(f"{type_} needs an input with {wanted} axes (batch, channels, …), got {shape_text(x.shape)}")


def _moments(x: Expr, axes: tuple[int, ...], prefix: str = "") -> tuple[Expr, Expr]:
    """Mean and variance over some axes, which stay with size 1."""
    over: Any = axes[0] if len(axes) == 1 else axes
    centre = named(f"{prefix}μ", mean(x, axis=over, keepdims=True))
    return centre, named(f"{prefix}v", mean((x - centre) ** 2, axis=over, keepdims=True))


def _channel_weights(count: int, affine: bool) -> tuple[Expr | None, Expr | None]:
    axes = [("channels", count)]
    return (weight("weight", "γ", axes), weight("bias", "β", axes)) if affine else (None, None)


class BatchStatistics(NamedTuple):
    """The arguments of a batch normalization, on one device or on several."""

    num_features: PositiveInt
    eps: Number = 1e-5
    momentum: Number | None = 0.1
    affine: Bool = True
    track_running_stats: Bool = True


def _by_batch(type_: str, x: Expr, statistics: BatchStatistics, training: bool) -> Stored:
    """Each channel normalized over the batch."""
    count, eps, _, affine, tracked = statistics
    need_channels(type_, "num_features", count, x)
    return _by_channel(x, count, eps, affine, tracked, tuple(i for i in range(x.ndim) if i != 1), training)


def _by_channel(
    x: Expr, count: int, eps: float, affine: bool, tracked: bool, over: tuple[int, ...], use_batch: bool
) -> Stored:
    """Each channel normalized by running statistics, or by those of this batch or example over some axes."""
    gamma, beta = _channel_weights(count, affine)
    stored = [w for w in (gamma, beta) if w is not None]
    if tracked:
        axes = [("channels", count)]
        μ = weight("running_mean", "μ", axes, trainable=False, buffer=True)
        v = weight("running_var", "v", axes, trainable=False, positive=True, buffer=True)
        number = weight("num_batches_tracked", "k", [], trainable=False, dtype="int64", buffer=True)
        stored += [μ, v, number]
    if use_batch or not tracked:
        centre, spread = _moments(x, over, "batch_" if tracked else "")
    else:
        centre, spread = laid(μ, (1,), x.ndim), laid(v, (1,), x.ndim)
    return Stored(scaled((x - centre) / sqrt(spread + eps), gamma, beta, (1,)), tuple(stored))


@modules_of_rank("BatchNorm{}d", ndim=None)
def batch_norm(x: Expr, *, statistics: BatchStatistics, training: bool = False, rank: int) -> Stored:
    """Normalizes each of the {num_features} channels by its running mean μ and variance v{then}.

    In training mean and variance are those of the batch; momentum is the share of them that enters the running ones.
    Input shape: (batch, channels, spatial axes). Output shape: the same. Reference: torch.nn.BatchNorm2d.
    """
    type_ = f"BatchNorm{rank}d"
    _need_axes(type_, x, (2, 3) if rank == 1 else (rank + 2,))
    return _by_batch(type_, x, statistics, training)


@module("SyncBatchNorm", facts=CHANNELS)
def sync_batch_norm(
    x: Expr, *, statistics: BatchStatistics, process_group: Number | None = None, training: bool = False
) -> Stored:
    """Normalizes each of the {num_features} channels by its running mean μ and variance v{then}.

    In training mean and variance are those of the batch on all devices.
    Input shape: (batch, channels, …). Output shape: the same. Reference: torch.nn.SyncBatchNorm.
    """
    return _by_batch("SyncBatchNorm", x, statistics, training)


@modules_of_rank("InstanceNorm{}d")
def instance_norm(
    x: Expr,
    *,
    num_features: PositiveInt,
    eps: Number = 1e-5,
    momentum: Number | None = 0.1,
    affine: Bool = False,
    track_running_stats: Bool = False,
    training: bool = False,
    rank: int,
) -> Stored:
    """Normalizes each channel of each example to mean 0 and variance 1{then}.

    With track_running_stats it uses running statistics, as BatchNorm does.
    Input shape: (batch, channels, spatial axes). Output shape: the same. Reference: torch.nn.InstanceNorm2d.
    """
    if affine or track_running_stats:
        need_channels(f"InstanceNorm{rank}d", "num_features", num_features, x)
    over = tuple(range(2, x.ndim))
    if not track_running_stats and product(x.shape[2:]) == 1:
        raise ShapeError(f"InstanceNorm{rank}d needs more than one value for each channel, got {shape_text(x.shape)}")
    return _by_channel(x, num_features, eps, affine, track_running_stats, over, training)


def _last_axes(type_: str, x: Expr, normalized_shape: Any) -> tuple[tuple[int, ...], list[tuple[str, int]]]:
    """The axes that are normalized, counted from the end, and the axes of their weights."""
    shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    behind: tuple[Any, ...] = x.shape[x.ndim - len(shape) :] if len(shape) <= x.ndim else ()
    if len(behind) != len(shape) or not all(map(agree, behind, shape)):
        raise ShapeError(
            f"{type_} needs an input whose last axes are normalized_shape={shape_text(shape)}, got "
            f"{shape_text(x.shape)}; write normalized_shape={behind[0] if len(behind) == 1 else shape_text(behind)}"
        )
    names = ["features"] if len(shape) == 1 else [f"features {i + 1}" for i in range(len(shape))]
    return tuple(range(-len(shape), 0)), list(zip(names, shape, strict=True))


@module("LayerNorm", gist="{formula}, over {normalized_shape}")
def layer_norm(
    x: Expr, *, normalized_shape: Sizes, eps: Number = 1e-5, elementwise_affine: Bool = True, bias: Bool = True
) -> Expr:
    """Normalizes the last {normalized_shape} values to mean 0 and variance 1{then}.

    Each example, and each position in it, is normalized separately.
    Input shape: (…, *normalized_shape). Output shape: the same. Reference: torch.nn.LayerNorm.
    """
    over, axes = _last_axes("LayerNorm", x, normalized_shape)
    gamma = weight("weight", "γ", axes) if elementwise_affine else None
    beta = weight("bias", "β", axes) if elementwise_affine and bias else None
    centre, spread = _moments(x, over)
    return scaled((x - centre) / sqrt(spread + eps), gamma, beta)


@module("RMSNorm", gist="{formula}, over {normalized_shape}")
def rms_norm(x: Expr, *, normalized_shape: Sizes, eps: Number | None = None, elementwise_affine: Bool = True) -> Expr:
    """Divides the last {normalized_shape} values by their root mean square{scaled}.

    Without an eps that of float32 is added, 1.19e-07.
    Input shape: (…, *normalized_shape). Output shape: the same. Reference: torch.nn.RMSNorm.
    """
    over, axes = _last_axes("RMSNorm", x, normalized_shape)
    gamma = weight("weight", "γ", axes) if elementwise_affine else None
    squares = mean(x**2, axis=over[0] if len(over) == 1 else over, keepdims=True)
    rms = named("rms", sqrt(squares + (FLOAT32_EPSILON if eps is None else eps)))
    return scaled(x / rms, gamma, None)


@module("GroupNorm", gist="(z - μ) / sqrt(v + {eps}){affine: * γ + β|}, {num_groups} groups", facts=CHANNELS)
def group_norm(
    x: Expr, *, num_groups: PositiveInt, num_channels: PositiveInt, eps: Number = 1e-5, affine: Bool = True
) -> Expr:
    """Splits the {num_channels} channels into {num_groups} groups and normalizes each to mean 0 and variance 1{then}.

    Input shape: (batch, channels, …). Output shape: the same. Reference: torch.nn.GroupNorm.
    """
    if x.ndim < 2:
        raise AxesError(f"GroupNorm needs an input of (batch, channels, …), got {shape_text(x.shape)}")
    need_divisor("num_groups", num_groups, "num_channels", num_channels)
    need_channels("GroupNorm", "num_channels", num_channels, x)
    gamma, beta = _channel_weights(num_channels, affine)
    shape = (x.shape[0], num_groups, num_channels // num_groups, *x.shape[2:])
    z = named("z", reshape(x, shape=shape), "with an axis for the groups")
    centre, spread = _moments(z, tuple(range(2, z.ndim)))
    y = reshape((z - centre) / sqrt(spread + eps), shape=x.shape)
    return scaled(y, gamma, beta, (1,))


MOST_NEIGHBOURS = 100


@module(
    "LocalResponseNorm", gist="x / ({k} + {alpha} * mean of squares over {size} channels) ** {beta}", facts=CHANNELS
)
def local_response_norm(
    x: Expr, *, size: PositiveInt, alpha: Number = 1e-4, beta: Number = 0.75, k: Number = 1.0
) -> Expr:
    """Divides each value by a power of the mean square of the {size} channels around it; channels beyond the ends
    count as 0.

    Input shape: (batch, channels, …). Output shape: the same. Reference: torch.nn.LocalResponseNorm.
    """
    if x.ndim < 3:
        raise AxesError(f"LocalResponseNorm needs an input of (batch, channels, …), got {shape_text(x.shape)}")
    if size > MOST_NEIGHBOURS:
        raise ArgumentError(f"LocalResponseNorm has a formula here for sizes up to {MOST_NEIGHBOURS}, got size={size}")
    channels = x.shape[1]
    if not isinstance(channels, int):
        raise ShapeError("LocalResponseNorm needs a known number of channels, got None; give that axis a size")
    squares = named("squares", pad_along(x**2, {1: (size // 2, (size - 1) // 2)}))
    total = reduce(lambda a, b: a + b, [slice_along(squares, {1: slice(i, i + channels)}) for i in range(size)])
    return x / (k + alpha * (total / size)) ** beta
