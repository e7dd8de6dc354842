"""Normalization layers."""

from layerexplain.expr import Expr, weight
from layerexplain.layers.arguments import Bool, Int, Number
from layerexplain.layers.registry import layer
from layerexplain.ops.elementwise import sqrt
from layerexplain.ops.movement import reshape
from layerexplain.ops.sizes import normalize_axis


def along(w: Expr, axis: int, ndim: int) -> Expr:
    """A vector laid along one axis, so that it broadcasts."""
    if axis == ndim - 1:
        return w
    return reshape(w, shape=tuple(w.shape[0] if i == axis else 1 for i in range(ndim)))


@layer(
    "BatchNormalization",
    mask="pass",
    training=True,
    ignores="beta_initializer gamma_initializer moving_mean_initializer moving_variance_initializer "
    "beta_regularizer gamma_regularizer beta_constraint gamma_constraint synchronized virtual_batch_size fused "
    "renorm_clipping renorm_momentum adjustment",
)
def batch_normalization(
    x: Expr,
    *,
    axis: Int = -1,
    momentum: Number = 0.99,
    epsilon: Number = 1e-3,
    center: Bool = True,
    scale: Bool = True,
    training: bool = False,
) -> Expr:
    """Shifts and scales each of the {features} channels by its running mean and variance, then by learned γ and β.

    Input shape: any, with the size of `axis` known. Output shape: the same.
    Reference: keras.layers.BatchNormalization; Ioffe and Szegedy, 2015.
    """
    at = normalize_axis(axis, x.ndim)
    axes = [("features", x.shape[at])]
    gamma = weight("gamma", "γ", axes) if scale else None
    beta = weight("beta", "β", axes) if center else None
    mean = weight("moving_mean", "μ", axes, trainable=False)
    variance = weight("moving_variance", "v", axes, trainable=False, positive=True)
    y = (x - along(mean, at, x.ndim)) / sqrt(along(variance, at, x.ndim) + epsilon)
    if gamma is not None:
        y = y * along(gamma, at, x.ndim)
    if beta is not None:
        y = y + along(beta, at, x.ndim)
    return y
