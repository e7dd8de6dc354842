"""Layers that Keras 0.3 and 1 had and later versions dropped, for the files of their time."""

from layerexplain.lang.expr import Expr, named, weight
from layerexplain.layers.arguments import Activation, AxisArgument, Bool, Number, PositiveInt
from layerexplain.layers.keras.activations import activate
from layerexplain.layers.registry import KERNEL_AND_BIAS, layer
from layerexplain.ops.contract import dot, einsum
from layerexplain.ops.functions import sigmoid
from layerexplain.ops.movement import laid
from layerexplain.ops.reduce import amax
from layerexplain.ops.sizes import normalize_axis


@layer("MaxoutDense", ndim=2, ignores=KERNEL_AND_BIAS)
def maxout_dense(x: Expr, *, units: PositiveInt, nb_feature: PositiveInt = 4, use_bias: Bool = True) -> Expr:
    """Each of the {units} outputs is the maximum of {pieces} weighted sums of all {inputs} inputs.

    Input shape: (batch, inputs). Output shape: (batch, units).
    Reference: keras.layers.MaxoutDense of Keras 1; Goodfellow et al., 2013.
    """
    inputs = x.shape[-1]
    W = weight("W", "W", [("pieces", nb_feature), ("inputs", inputs), ("units", units)])
    z = einsum(x, W, eq="ni,kio->nko")
    if use_bias:
        z = z + weight("b", "b", [("pieces", nb_feature), ("units", units)])
    return amax(named("z", z), axis=1)


@layer("Highway", ndim=2, ignores=KERNEL_AND_BIAS)
def highway(x: Expr, *, activation: Activation = "linear", use_bias: Bool = True) -> Expr:
    """A learned gate T controls, for each of the {inputs} inputs, how much is transformed and how much passes
    unchanged.

    Input shape: (batch, inputs). Output shape: the same.
    Reference: keras.layers.Highway of Keras 1; Srivastava et al., 2015.
    """
    square = [("inputs", x.shape[-1]), ("units", x.shape[-1])]
    W, C = weight("W", "W", square), weight("W_carry", "C", square)
    z, gate = dot(x, W), dot(x, C)
    if use_bias:
        z = z + weight("b", "b", square[1:])
        gate = gate + weight("b_carry", "c", square[1:])
    T = named("T", sigmoid(gate), "transform gate")
    return T * named("H", activate(activation, z)) + (1 - T) * x


@layer("BatchNormalization0", ignores="mode momentum")
def batch_normalization_0(x: Expr, *, axis: AxisArgument | None = None, epsilon: Number = 1e-6) -> Expr:
    """Normalizes each element, or with an axis each channel, by its mean and standard deviation over the training
    batches, then scales by γ and shifts by β.

    Input shape: (batch, …); without an axis with all sizes known. Output shape: the same.
    Reference: keras.layers.BatchNormalization of Keras 0.3, which had no axis before 0.3.2, and no variance.
    """
    at = None if axis is None else normalize_axis(axis[0] if isinstance(axis, tuple) else axis, x.ndim)
    axes = [(f"axis {i}", size) for i, size in enumerate(x.shape[1:], 1)] if at is None else [("features", x.shape[at])]
    g, b = weight("gamma", "γ", axes), weight("beta", "β", axes)
    mean = weight("running_mean", "μ", axes, trainable=False)
    deviation = weight("running_std", "σ", axes, trainable=False, positive=True)
    if at is not None:
        g, b, mean, deviation = (laid(expression, (at,), x.ndim) for expression in (g, b, mean, deviation))
    return named("x_hat", (x - mean) / (deviation + epsilon)) * g + b
