"""Layers of keras.applications, Keras 1 and timm, pipelines, and what normalizes the weights of a layer."""

from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.definition import call
from layerexplain.lang.expr import Expr, item, named, weight
from layerexplain.layers.arguments import (
    Activation,
    Anything,
    AxisArgument,
    Bool,
    Inner,
    Inners,
    Number,
    PositiveInt,
    Share,
)
from layerexplain.layers.declaration import Spec, Stored
from layerexplain.layers.keras.activations import activate
from layerexplain.layers.known_definitions import apply, inner_definition
from layerexplain.layers.registry import KERNEL_AND_BIAS, TIMM, layer
from layerexplain.layers.signature import Facts
from layerexplain.ops.contract import dot, einsum, matmul
from layerexplain.ops.elementwise import cast, floor
from layerexplain.ops.functions import l2_normalize, sigmoid
from layerexplain.ops.movement import laid, reshape, stop_gradient, transpose
from layerexplain.ops.numbers import uniform_like
from layerexplain.ops.reduce import amax
from layerexplain.ops.sizes import FLOATS, normalize_axis

# Applications -------------------------------------------------------------------------------------------------------
# Layers defined in modules of keras.applications: parts of ConvNeXt and Inception-ResNet.


@layer("LayerScale", facts=Facts(home="convnext"))
def layer_scale(x: Expr, *, init_values: Anything = 1e-6, projection_dim: PositiveInt) -> Expr:
    """Multiplies each of the {projection_dim} channels by a learned scale.

    Input shape: (batch, …, projection_dim). Output shape: the same.
    Reference: keras.applications.convnext; Touvron et al., 2021.
    """
    return x * weight("gamma", "γ", [("channels", projection_dim)])


@layer("StochasticDepth", gist="x; in training {call}", facts=Facts(home="convnext"))
def stochastic_depth(x: Expr, *, drop_path_rate: Share, training: bool = False) -> Expr:
    """In training, sets whole examples to 0 with probability {drop_path_rate} and scales the rest by 1 / (1 -
    {drop_path_rate}){equals}. At inference, returns its input unchanged.

    Input shape: any. Output shape: the same.
    Reference: keras.applications.convnext; Huang et al., 2016.
    """
    if not training or not drop_path_rate:
        return x

    one = x[:, *[slice(0, 1)] * (x.ndim - 1)]
    keep = floor(1 - drop_path_rate + uniform_like(one))
    return x / (1 - drop_path_rate) * named("keep", keep, "0 or 1, drawn for each example")


@layer("CustomScaleLayer", facts=Facts(home="inception_resnet_v2"))
def custom_scale_layer(*xs: Expr, scale: Number) -> Expr:
    """Adds {scale} times its second input to its first.

    Input shape: two tensors of one shape. Output shape: the same.
    Reference: keras.applications.inception_resnet_v2; Szegedy et al., 2016.
    """
    if len(xs) != 2:
        raise ShapeError(f"CustomScaleLayer needs two inputs, got {len(xs)}; give it a list of two tensors")
    return xs[0] + xs[1] * scale


# Keras 1 ------------------------------------------------------------------------------------------------------------
# Layers that Keras 0.3 and 1 had and later versions dropped, for the files of their time.


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
        g, b, mean, deviation = (laid(one, (at,), x.ndim) for one in (g, b, mean, deviation))
    return named("x_hat", (x - mean) / (deviation + epsilon)) * g + b


# Pipeline -----------------------------------------------------------------------------------------------------------
# Pipeline, a list of layers as one, and SpectralNormalization, which keeps a layer's kernel in bounds in training.

MOST_ITERATIONS = 100
"""Each of them is two lines of the formula; Keras's default is one."""


@layer("Pipeline", gist="{layers}")
def pipeline(x: Expr, *, layers: Inners, training: bool = False) -> Expr:
    """Applies its layers one after the other.

    Input shape: that of the first layer. Output shape: that of the last.
    """
    for i, one in enumerate(layers):
        y = apply(one, [x], at=("layers", i), suffix=f"_{i + 1}", training=training)
        if isinstance(y.shape, ResultShapes):
            raise ShapeError(f"Pipeline needs layers with one output, got {one.type} with {len(y.shape)}")
        x = named(f"x_{i + 2}", y)
    return x


@layer(
    "SpectralNormalization",
    gist="{layer}; in training W / σ",
    facts=Facts(inner_outputs={"layer": ("y",)}),
)
def spectral_normalization(x: Expr, *, layer: Inner, power_iterations: PositiveInt = 1, training: bool = False) -> Any:
    """Applies {layer}. In training, its kernel is first divided by its largest singular value and stored so.

    The largest singular value is found by {power_iterations} steps of power iteration, from the vector u of the last
    time.
    Input shape: that of the inner layer. Output shape: likewise.
    Reference: Miyato et al., 2018.
    """
    definition, weights = inner_definition("SpectralNormalization", layer, Spec(x.shape, x.dtype), training=training)
    inside = [w.attrs["name"] for w in definition.weights if not w.attrs["at"]]
    name = next((n for n in ("kernel", "embeddings") if n in inside), None)
    if name is None:
        raise ArgumentError(
            f"SpectralNormalization needs a layer with a kernel or embeddings, got layer={layer.type}; "
            f"for example layer={{Dense: 10}}"
        )
    # Keras counts the kernel as the wrapper's own: it comes first, then u, then what else the layer has.
    W = weights[inside.index(name)]
    u = weight("vector_u", "u", [("repeated", 1), ("outputs", W.shape[-1])], trainable=False)
    weights = [w if w is W else Expr(w.op, (), w.attrs, w.shape, w.dtype, w.label) for w in weights]
    updates = _normalized(W, u, power_iterations) if training else {}
    y = call(definition, x, *[updates[str(W.label)] if w is W and training else w for w in weights])
    if isinstance(y.shape, ResultShapes):  # an Embedding makes a mask beside it
        y = item(y, 0)
    if y.dtype != x.dtype and x.dtype not in FLOATS:
        y = cast(y, to=x.dtype)
    return Stored(y, (*weights, u), updates)


def _normalized(W: Expr, u: Expr, times: int) -> dict[str, Expr]:
    """What Keras stores before the layer is run: the kernel divided by its largest singular value, and u."""
    if times > MOST_ITERATIONS:
        raise ArgumentError(
            f"SpectralNormalization is written out in training for up to {MOST_ITERATIONS} power_iterations, got "
            f"power_iterations={times:,}"
        )
    kernel, vector = str(W.label), str(u.label)
    M = named("M", reshape(W, shape=(-1, W.shape[-1])), "the kernel as a matrix")
    v = u
    for _ in range(times):
        v = named("v", l2_normalize(matmul(u, transpose(M, axes=(1, 0))), axis=None))
        u = named("u_new", l2_normalize(matmul(v, M), axis=None))
    row = transpose(stop_gradient(u), axes=(1, 0))
    stretch = named("sigma", matmul(matmul(stop_gradient(v), M), row), "the largest singular value")
    return {kernel: named("W_new", W / stretch), vector: u}


# Of timm


@layer(f"{TIMM}DropPath", gist="x; in training {call}")
def drop_path(x: Expr, *, drop_prob: Share = 0.0, scale_by_keep: Bool = True, training: bool = False) -> Expr:
    """In training, sets whole examples to 0 with probability {drop_prob}. At inference, returns its input unchanged.

    The others are divided by 1 - drop_prob, unless scale_by_keep is false.
    Input shape: any. Output shape: the same. Reference: timm.layers.DropPath.
    """
    y: Expr = stochastic_depth(x, drop_path_rate=drop_prob, training=training)
    return y if scale_by_keep or y is x else y * (1 - drop_prob)
