"""Modules of timm that programs of PyTorch import beside their own. Reference: timm.layers."""

from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Bool, Share
from layerexplain.layers.keras.applications import stochastic_depth
from layerexplain.layers.registry import TIMM, layer


@layer(f"{TIMM}DropPath", gist="x; in training {call}")
def drop_path(x: Expr, *, drop_prob: Share = 0.0, scale_by_keep: Bool = True, training: bool = False) -> Expr:
    """In training, sets whole examples to 0 with probability {drop_prob}. At inference, returns its input unchanged.

    The others are divided by 1 - drop_prob, unless scale_by_keep is false.
    Input shape: any. Output shape: the same. Reference: timm.layers.DropPath.
    """
    y: Expr = stochastic_depth(x, drop_path_rate=drop_prob, training=training)
    return y if scale_by_keep or y is x else y * (1 - drop_prob)
