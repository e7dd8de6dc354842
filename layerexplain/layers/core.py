"""Layers at the core of every model: Dense, Embedding, Activation and those that only pass data on."""

from typing import Any

from layerexplain.expr import Expr, weight
from layerexplain.layers.activations import activate
from layerexplain.layers.arguments import Activation, Bool, PositiveInt
from layerexplain.layers.registry import KERNEL_AND_BIAS, layer
from layerexplain.ops.contract import dot
from layerexplain.ops.elementwise import not_equal
from layerexplain.ops.lookup import take


@layer("Dense", mask="pass", ignores=KERNEL_AND_BIAS)
def dense(x: Expr, *, units: PositiveInt, activation: Activation = "linear", use_bias: Bool = True) -> Expr:
    """Each of the {units} outputs is a weighted sum of all {inputs} inputs along the last axis.

    Input shape: (batch, …, inputs). Output shape: (batch, …, units).
    Reference: keras.layers.Dense.
    """
    y = dot(x, weight("kernel", "W", [("inputs", x.shape[-1]), ("units", units)]))
    if use_bias:
        y = y + weight("bias", "b", [("units", units)])
    return activate(activation, y)


def _nonzero(tensors: list[Expr], masks: list[Expr | None], arguments: dict[str, Any]) -> Expr | None:
    return not_equal(tensors[0], 0) if arguments["mask_zero"] else None


@layer(
    "Embedding",
    mask=_nonzero,
    ignores="embeddings_initializer embeddings_regularizer embeddings_constraint weights input_length lora_rank "
    "lora_alpha quantization_config",
)
def embedding(ids: Expr, *, input_dim: PositiveInt, output_dim: PositiveInt, mask_zero: Bool = False) -> Expr:
    """Looks up, for each id, its row of {output_dim} learned numbers in a table of {input_dim} rows.

    Input shape: (batch, …), whole numbers from 0 to input_dim - 1. Output shape: (batch, …, output_dim).
    Reference: keras.layers.Embedding.
    """
    return take(weight("embeddings", "E", [("ids", input_dim), ("features", output_dim)]), ids)


@layer("Activation", mask="pass")
def activation(x: Expr, *, activation: Activation) -> Expr:
    """Applies {activation} to every element.

    Input shape: any. Output shape: the same.
    Reference: keras.layers.Activation.
    """
    return activate(activation, x)
