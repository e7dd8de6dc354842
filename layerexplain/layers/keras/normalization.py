"""Normalization layers: by batch, by layer, by group, by root mean square, to unit length."""

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import Expr, named, weight
from layerexplain.layers.arguments import Anything, AxisArgument, Bool, Epsilon, Int, Number
from layerexplain.layers.declaration import Stored
from layerexplain.layers.registry import layer
from layerexplain.layers.signature import KEEPS_AXES, Facts
from layerexplain.ops.elementwise import as_floats, cast, maximum, minimum, sqrt, where
from layerexplain.ops.functions import l2_normalize
from layerexplain.ops.movement import laid, reshape
from layerexplain.ops.reduce import mean, sum_
from layerexplain.ops.sizes import axis_roles, misfit, normalize_axes, normalize_axis, shape_text

GAMMA_BETA = "beta_initializer gamma_initializer beta_regularizer gamma_regularizer beta_constraint gamma_constraint"


def scaled(y: Expr, gamma: Expr | None, beta: Expr | None, at: tuple[int, ...] | None = None) -> Expr:
    """γ and β applied, where there are any, laid along the axes `at` where these are not the last ones."""
    if at is not None:
        gamma, beta = (None if w is None else laid(w, at, y.ndim) for w in (gamma, beta))
    if gamma is not None:
        y = y * gamma
    return y if beta is None else y + beta


@layer(
    "BatchNormalization",
    mask="pass",
    ignores=GAMMA_BETA + " moving_mean_initializer moving_variance_initializer synchronized virtual_batch_size fused "
    "renorm_momentum adjustment",
    also=["SyncBatchNormalization"],
    facts=Facts(tells_axes="channels", frozen_as_inference=True, own_classes=("SyncBatchNormalization",)),
)
def batch_normalization(
    x: Expr,
    *,
    axis: AxisArgument = -1,
    momentum: Number = 0.99,
    epsilon: Number = 1e-3,
    center: Bool = True,
    scale: Bool = True,
    renorm: Bool = False,
    renorm_clipping: Anything | None = None,
    mask: Expr | None = None,
    training: bool = False,
) -> Stored:
    """Normalizes each of the {features} channels by its running mean μ and variance v{then}.

    In training mean and variance are those of the batch; masked steps are excluded.
    Input shape: any, with the size of `axis` known. Output shape: the same.
    Reference: Ioffe and Szegedy, 2015; renorm: Ioffe, 2017.
    """
    if isinstance(axis, tuple):
        if len(axis) != 1:
            raise ArgumentError(f"BatchNormalization needs one axis, got axis={axis}")
        axis = axis[0]  # tf.keras keeps the axis as a list
    at = normalize_axis(axis, x.ndim)
    axes = [("features", x.shape[at])]
    gamma = weight("gamma", "γ", axes) if scale else None
    beta = weight("beta", "β", axes) if center else None
    μ = weight("moving_mean", "μ", axes, trainable=False)
    v = weight("moving_variance", "v", axes, trainable=False, positive=True)
    stored = [gamma, beta, μ, v]
    if renorm:
        stored.append(weight("moving_stddev", "σ", axes, trainable=False, positive=True))
        stored.append(weight("renorm_mean", "μ_r", axes, trainable=False))
        stored.append(weight("renorm_stddev", "σ_r", axes, trainable=False, positive=True))
    if training:
        centre, spread = _batch_moments(x, at, mask)
        y = (x - centre) / sqrt(spread + epsilon)
        if renorm:
            y = _renormalized(
                y,
                centre,
                spread,
                [laid(w, (at,), x.ndim) for w in stored[-2:] if w is not None],
                epsilon,
                renorm_clipping or {},
            )
    else:
        y = (x - laid(μ, (at,), x.ndim)) / sqrt(laid(v, (at,), x.ndim) + epsilon)
    updates = _moved({"μ": (μ, centre), "v": (v, spread)}, momentum) if training and not renorm else {}
    return Stored(scaled(y, gamma, beta, (at,)), tuple(w for w in stored if w is not None), updates)


def _moved(pairs: Mapping[str, tuple[Expr, Expr]], momentum: float) -> dict[str, Expr]:
    """The running statistics after a training step, from the old ones and those of the batch."""
    from layerexplain.ops.elementwise import average

    return {name: average(old, reshape(new, shape=old.shape), momentum) for name, (old, new) in pairs.items()}


def _batch_moments(x: Expr, at: int, mask: Expr | None) -> tuple[Expr, Expr]:
    """Mean and variance of each channel over the batch and all other axes, masked steps excluded."""
    others = tuple(i for i in range(x.ndim) if i != at)
    if mask is None:
        centre = named("batch_mean", mean(x, axis=others, keepdims=True))
        return centre, named("batch_var", mean((x - centre) ** 2, axis=others, keepdims=True))
    if mask.ndim != x.ndim - 1:
        raise ShapeError(
            f"BatchNormalization needs a mask with one axis less than its input, got {shape_text(mask.shape)} for "
            f"{shape_text(x.shape)}"
        )
    from layerexplain.ops.arrange import full_like  # no model needs it but for this

    counted = named("counted", mask[..., None])
    # Keras adds 1e-7 lest it divide by 0.
    count = named("count", sum_(where(counted, full_like(x, value=1), 0), axis=others, keepdims=True) + 1e-7)
    centre = named("batch_mean", sum_(where(counted, x, 0), axis=others, keepdims=True) / count)
    spread = sum_(where(counted, (x - centre) ** 2, 0), axis=others, keepdims=True) / count
    return centre, named("batch_var", spread)


def _renormalized(
    y: Expr, centre: Expr, spread: Expr, running: Sequence[Expr], epsilon: float, clipping: dict[str, Any]
) -> Expr:
    """Batch renormalization: the batch's statistics brought near the running ones, within the limits of clipping."""
    running_mean, running_deviation = running
    deviation = named("deviation", maximum(running_deviation, sqrt(epsilon)))
    r = sqrt(spread + epsilon) / deviation
    d = (centre - running_mean) / deviation
    if clipping.get("rmin") is not None:
        r = maximum(r, clipping["rmin"])
    if clipping.get("rmax") is not None:
        r = minimum(r, clipping["rmax"])
    if clipping.get("dmax") is not None:
        d = minimum(maximum(d, -clipping["dmax"]), clipping["dmax"])
    return y * named("ratio", r) + named("shift", d)


@layer(
    "LayerNormalization",
    mask="pass",
    ignores=GAMMA_BETA,
    facts=KEEPS_AXES._replace(takes_floats=True),
    gist="{formula}, axis {axis}",
)
def layer_normalization(
    x: Expr,
    *,
    axis: AxisArgument = -1,
    epsilon: Epsilon = 1e-3,
    center: Bool = True,
    scale: Bool = True,
    rms_scaling: Bool = False,
) -> Expr:
    """Normalizes the values {along} to mean 0 and variance 1{then}.

    Each example, and each position in it, is normalized separately.
    Input shape: any, with the sizes of `axis` known. Output shape: the same.
    Reference: Ba, Kiros and Hinton, 2016.
    """
    x = as_floats(x, "float32")
    given, shape = _axes_and_shape(x, axis)
    axes = [("features", x.shape[a]) for a in given]
    if len(axes) > 1:
        axes = [(axis_roles(x)[normalize_axis(a, x.ndim)], x.shape[a]) for a in given]
    gamma = _laid(weight("gamma", "γ", axes), shape) if scale or rms_scaling else None
    beta = _laid(weight("beta", "β", axes), shape) if center and not rms_scaling else None
    over = given[0] if len(given) == 1 else given
    μ = named("μ", mean(x, axis=over, keepdims=True))
    v = named("v", mean((x - μ) ** 2, axis=over, keepdims=True))
    return scaled((x if rms_scaling else x - μ) / sqrt(v + epsilon), gamma, beta)


def _axes_and_shape(x: Expr, axis: Any) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """The axes in Keras's order (sorted as given, negative ones first), and the shape that weights are laid out in."""
    given = tuple(sorted(axis)) if isinstance(axis, tuple) else (axis,)
    inside = normalize_axes(given, x.ndim)
    if 0 in inside or len(inside) != len(given):
        raise ShapeError(f"a normalization needs axes other than the batch (0), each once, got axis={axis}")
    return given, tuple(s if i in inside else 1 for i, s in enumerate(x.shape))


def _laid(w: Expr, shape: tuple[Any, ...]) -> Expr:
    """A weight laid along its axes; no more than broadcasting does where these are the last ones."""
    return w if shape[len(shape) - w.ndim :] == w.shape else reshape(w, shape=shape)


@layer(
    "GroupNormalization",
    mask="pass",
    ignores=GAMMA_BETA,
    facts=Facts(tells_axes="channels", takes_floats=True),
    gist="(z - μ) / sqrt(v + {epsilon}){scale: * γ|}{center: + β|}, {groups} groups",
)
def group_normalization(
    x: Expr,
    *,
    groups: Int = 32,
    axis: Int = -1,
    epsilon: Number = 1e-3,
    center: Bool = True,
    scale: Bool = True,
    mask: Expr | None = None,
    keras_2: bool = False,
) -> Expr:
    """Splits the channels into {groups} groups and normalizes each to mean 0 and variance 1{then}.

    With groups=-1 each channel is its own group (instance normalization). In Keras 2, mean and variance are weighted by
    the mask.
    Input shape: any, with the size of `axis` known. Output shape: the same.
    Reference: Wu and He, 2018.
    """
    at = normalize_axis(axis, x.ndim)
    channels = x.shape[at]
    if at == 0 or not isinstance(channels, int):
        raise misfit(f"GroupNormalization needs the size of its channels, axis={axis}", x)
    count = channels if groups == -1 else groups
    if count <= 0 or channels % count:
        raise ShapeError(
            f"GroupNormalization needs groups that divide its {channels} channels, got groups={groups}; "
            f"give a divisor of {channels}, or -1 for one channel each"
        )
    gamma = weight("gamma", "γ", [("features", channels)]) if scale else None
    beta = weight("beta", "β", [("features", channels)]) if center else None
    shape = (*x.shape[:at], count, channels // count, *x.shape[at + 1 :])
    others = tuple(i for i in range(1, x.ndim + 1) if i != at)
    z = named("z", reshape(as_floats(x, "float32"), shape=shape), "with an axis for the groups")
    if mask is None or not keras_2:
        μ = named("μ", mean(z, axis=others, keepdims=True))
        v = named("v", mean((z - μ) ** 2, axis=others, keepdims=True))
    else:
        from layerexplain.ops.movement import broadcast_to

        w = reshape(cast(broadcast_to(mask, shape=x.shape), to=z.dtype), shape=shape)
        w = named("w", w, "what the mask counts")
        counted = named("count", sum_(w, axis=others, keepdims=True))
        μ = named("μ", sum_(w * z, axis=others, keepdims=True) / counted)
        v = named("v", sum_(w * (z - μ) ** 2, axis=others, keepdims=True) / counted)
    y = reshape((z - μ) / sqrt(v + epsilon), shape=x.shape)
    return scaled(y, gamma, beta, (at,))


@layer("RMSNormalization", gist="x / sqrt(mean(x ** 2) + {epsilon}) * γ, axis {axis}")
def rms_normalization(x: Expr, *, axis: AxisArgument = -1, epsilon: Epsilon = 1e-6) -> Expr:
    """Divides the values {along} by their root mean square, then scales by a learned γ.

    Input shape: any, with the sizes of `axis` known; these need to be the last axes. Output shape: the same.
    Reference: Zhang and Sennrich, 2019.
    """
    given, _ = _axes_and_shape(x, axis)
    axes = [("features", x.shape[a]) for a in given]
    gamma = weight("scale", "γ", axes)
    if not all(g in (1, size) for g, size in zip(reversed(gamma.shape), reversed(x.shape), strict=False)):
        raise ShapeError(
            f"RMSNormalization needs its axes to be the last ones, got axis={axis} for {shape_text(x.shape)}"
        )
    rms = named("rms", sqrt(mean(x**2, axis=given[0] if len(given) == 1 else given, keepdims=True) + epsilon))
    return x / rms * gamma


@layer("UnitNormalization", mask="pass", facts=KEEPS_AXES)
def unit_normalization(x: Expr, *, axis: AxisArgument = -1) -> Expr:
    """Scales the values {along} to unit length: their squares sum to 1.

    Input shape: any. Output shape: the same.
    """
    normalize_axes(axis, x.ndim)
    return l2_normalize(x, axis=axis)
