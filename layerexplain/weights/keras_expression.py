"""The Python expression that gives a variable in real Keras: `model.get_layer("embedding").embeddings`."""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.attribute_path import Steps, expression, layer_steps
from layerexplain.lang.expr import Expr
from layerexplain.model import Layer

_ATTRIBUTES = {
    ("Normalization", "mean"): "adapt_mean",
    ("Normalization", "variance"): "adapt_variance",
}
"""Variables that a layer keeps in an attribute of another name."""

_ATTRIBUTES_KERAS_2 = {
    ("DepthwiseConv1D", "kernel"): "depthwise_kernel",
    ("DepthwiseConv2D", "kernel"): "depthwise_kernel",
    **{("MultiHeadAttention", f"{part}_dense"): f"_{part}_dense" for part in ("query", "key", "value", "output")},
}
"""The same, and attributes that hold layers, in Keras 2 and tf.keras."""


def layer_expression(path: Sequence[str]) -> str:
    """The expression that gives a layer by the names that lead to it."""
    return expression(layer_steps(path))


def variable_expression(
    path: Sequence[str], layer: Layer, weight: Expr, keras_version: str | None = None, at: Steps | None = None
) -> str:
    """The expression that gives a weight of the layer to which the names in `path` lead.

    `at` leads from the layer to what holds the variable, where the file has other attributes than the formula says.
    """
    at = weight.attrs["at"] if at is None else at
    held = layer.config.get("layer") if at == ("layer",) else None
    type_ = held.type if isinstance(held, Layer) else layer.type
    name = str(weight.attrs["name"])
    if keras_version is not None and keras_version.startswith(("0.", "1.", "2.")):
        if len(at) == 1:
            at = (_ATTRIBUTES_KERAS_2.get((type_, str(at[0])), at[0]),)
        name = _ATTRIBUTES_KERAS_2.get((type_, name), name)
    return expression((*layer_steps(path), *at, _ATTRIBUTES.get((type_, name), name)))
