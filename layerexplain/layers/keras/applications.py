"""Layers that keras.applications and timm define beside their models: LayerScale, StochasticDepth, DropPath."""

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import Expr, named, weight
from layerexplain.layers.arguments import Anything, Bool, Number, PositiveInt, Share
from layerexplain.layers.registry import TIMM, layer
from layerexplain.layers.signature import Facts
from layerexplain.ops.elementwise import floor
from layerexplain.ops.numbers import uniform_like


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

    expression = x[:, *[slice(0, 1)] * (x.ndim - 1)]
    keep = floor(1 - drop_path_rate + uniform_like(expression))
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


@layer(f"{TIMM}DropPath", gist="x; in training {call}")
def drop_path(x: Expr, *, drop_prob: Share = 0.0, scale_by_keep: Bool = True, training: bool = False) -> Expr:
    """In training, sets whole examples to 0 with probability {drop_prob}. At inference, returns its input unchanged.

    The others are divided by 1 - drop_prob, unless scale_by_keep is false.
    Input shape: any. Output shape: the same. Reference: timm.layers.DropPath.
    """
    y: Expr = stochastic_depth(x, drop_path_rate=drop_prob, training=training)
    return y if scale_by_keep or y is x else y * (1 - drop_prob)
