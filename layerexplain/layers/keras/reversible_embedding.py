"""ReversibleEmbedding: a table that gives the row of an id and, in reverse, how well a row fits each id."""

from typing import Any

from layerexplain.lang.expr import Expr
from layerexplain.layers.arguments import Bool, Number, PositiveInt, Text
from layerexplain.layers.declaration import Stored
from layerexplain.layers.keras.quantization import Compression, EmbeddingTable
from layerexplain.layers.registry import layer
from layerexplain.layers.signature import Facts
from layerexplain.ops.elementwise import as_floats, cast, not_equal
from layerexplain.ops.functions import tanh
from layerexplain.ops.sizes import agree, misfit


def _nonzero(tensors: list[Expr], masks: list[Expr | None], arguments: dict[str, Any]) -> Expr | None:
    return not_equal(tensors[0], 0) if arguments["mask_zero"] and not arguments["reverse"] else None


@layer(
    "ReversibleEmbedding",
    gist="{formula}, {input_dim} × {output_dim}",
    mask=_nonzero,
    ignores="embeddings_initializer embeddings_regularizer embeddings_constraint weights",
    facts=Facts(ids_below="input_dim", tells_axes="ids"),
)
def reversible_embedding(
    x: Expr,
    *,
    input_dim: PositiveInt,
    output_dim: PositiveInt,
    tie_weights: Bool = True,
    mask_zero: Bool = False,
    reverse_dtype: Text | None = None,
    logit_soft_cap: Number | None = None,
    compression: Compression,
    reverse: Bool = False,
) -> Any:
    """Looks up, for each id, its row in a table of {input_dim} rows of {output_dim} values; in reverse, multiplies its
    input by every row.

    Input shape: (batch, …), integers from 0 to input_dim - 1; called with reverse=True (batch, …, output_dim).
    Output shape: (batch, …, output_dim); with reverse=True (batch, …, input_dim). Both ways use one table, or one each
    with tie_weights=False. Reference: Press and Wolf, 2016.
    """
    table = EmbeddingTable("ReversibleEmbedding", input_dim, output_dim, compression, tied=tie_weights)
    if not reverse:
        return Stored(table.look_up(x), table.weights)
    if x.ndim < 1 or not agree(x.shape[-1], output_dim):
        raise misfit(f"ReversibleEmbedding in reverse needs (batch, …, output_dim={output_dim})", x)
    x = as_floats(x)
    if reverse_dtype is not None and compression.dtype is None:
        x = cast(x, to=reverse_dtype)
    y = table.score(x)
    if logit_soft_cap is not None:
        y = tanh(y / logit_soft_cap) * logit_soft_cap
    return Stored(y, table.weights)
