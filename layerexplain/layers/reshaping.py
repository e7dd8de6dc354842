"""Layers that rearrange: Flatten, Reshape, Permute, RepeatVector, padding, cropping and upsampling."""

from layerexplain.expr import BATCH, Expr
from layerexplain.layers.arguments import DataFormat
from layerexplain.layers.registry import layer
from layerexplain.ops.movement import reshape, transpose
from layerexplain.ops.sizes import product


@layer("Flatten")
def flatten(x: Expr, *, data_format: DataFormat = "channels_last") -> Expr:
    """Lays the elements of each example out in one row; nothing is computed and nothing is learned.

    Input shape: (batch, …). Output shape: (batch, product of all other sizes).
    Reference: keras.layers.Flatten.
    """
    if data_format == "channels_first" and x.ndim > 2:
        x = transpose(x, axes=(0, *range(2, x.ndim), 1))
    size = product(x.shape[1:])
    return reshape(x, shape=(BATCH, -1 if size is None else size))
