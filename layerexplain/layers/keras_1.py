"""Layers that Keras 0.3 and 1 had and later versions dropped, for the files of their time."""

from layerexplain.lang.expr import Expr, named, weight
from layerexplain.layers.activations import activate
from layerexplain.layers.arguments import Activation, Bool, Number, PositiveInt
from layerexplain.layers.registry import KERNEL_AND_BIAS, layer
from layerexplain.ops.contract import dot, einsum
from layerexplain.ops.functions import sigmoid
from layerexplain.ops.reduce import amax


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
    return amax(z, axis=1)


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
    return T * activate(activation, z) + (1 - T) * x


@layer("BatchNormalization0", ignores="mode momentum")
def batch_normalization_0(x: Expr, *, epsilon: Number = 1e-6) -> Expr:
    """Normalizes each element by its mean and standard deviation over the training batches, then scales by γ and shifts
    by β.

    Input shape: (batch, …), all sizes known. Output shape: the same.
    Reference: keras.layers.BatchNormalization of Keras 0.3, which had no axis.
    """
    axes = [(f"axis {i}", size) for i, size in enumerate(x.shape[1:], 1)]
    g, b = weight("gamma", "γ", axes), weight("beta", "β", axes)
    mean = weight("running_mean", "μ", axes, trainable=False)
    deviation = weight("running_std", "σ", axes, trainable=False)
    return (x - mean) / (deviation + epsilon) * g + b
