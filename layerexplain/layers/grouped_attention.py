"""GroupQueryAttention: attention in which several heads of the query share one head of key and value."""

from collections.abc import Mapping

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import Expr, named, weight
from layerexplain.layers.arguments import Bool, PositiveInt, Share
from layerexplain.layers.attention import Heads, allowed_pairs, in_heads, kept_shares, query_mask, shares_of
from layerexplain.layers.registry import KERNEL_AND_BIAS, layer
from layerexplain.ops.contract import einsum
from layerexplain.ops.elementwise import sqrt
from layerexplain.ops.functions import sigmoid
from layerexplain.ops.movement import repeat
from layerexplain.ops.sizes import agree, shape_text


def _checked(query: Expr, value: Expr, key: Expr) -> None:
    listed = ", ".join(shape_text(t.shape) for t in (query, value, key))
    if any(t.ndim != 3 for t in (query, value, key)):
        raise ShapeError(f"GroupQueryAttention needs query, value and key as (batch, steps, features), got {listed}")
    if not agree(query.shape[-1], value.shape[-1]) or not agree(value.shape[1], key.shape[1]):
        raise ShapeError(
            f"GroupQueryAttention needs query and value with equal numbers of features, value and key with equal "
            f"numbers of steps, got query, value, key {listed}"
        )


@layer(
    "GroupQueryAttention",
    mask=query_mask,
    ignores=KERNEL_AND_BIAS + " flash_attention seed",
    gist="softmax(Q · Kᵀ / sqrt({head_dim})) · V, {num_query_heads} heads on {num_key_value_heads}, "
    "{use_causal_mask:causal|}",
    also=("GroupedQueryAttention",),
)
def group_query_attention(
    query: Expr,
    value: Expr,
    key: Expr | None = None,
    attention_mask: Expr | None = None,
    *,
    head_dim: PositiveInt,
    num_query_heads: PositiveInt,
    num_key_value_heads: PositiveInt,
    dropout: Share = 0.0,
    use_bias: Bool = True,
    heads: Heads,
    masks: list[Expr | None],
    training: bool = False,
) -> Mapping[str, Expr]:
    """Attention in which {num_query_heads} query heads of width {head_dim} share {num_key_value_heads} key and value
    heads.

    Input shape: query (batch, queries, features), value (batch, values, features), key (batch, values, its features);
    Keras's order is query, value, key. Output shape: the query's, with return_attention_scores also
    (batch, num_query_heads, queries, values).
    Reference: keras.layers.GroupQueryAttention; Ainslie et al., 2023.
    """
    key_given, key = key is not None, value if key is None else key
    _checked(query, value, key)
    times, rest = divmod(num_query_heads, num_key_value_heads)
    if rest:
        raise ArgumentError(
            f"num_key_value_heads needs to divide the {num_query_heads} heads of the query, "
            f"got num_key_value_heads={num_key_value_heads}"
        )

    def project(x: Expr, name: str, symbol: str, count: int) -> Expr:
        return in_heads(x, symbol, count, head_dim, use_bias, at=f"_{name}_dense", path=name)

    shared = f"each head for {times} of the query's"
    q = named("Q", project(query, "query", "q", num_query_heads))
    k = named("K", project(key, "key", "k", num_key_value_heads), "" if key_given else "key = value")
    gate = named("gate", sigmoid(project(query, "gate", "g", num_query_heads))) if heads.use_gate else None
    v = named("V", project(value, "value", "v", num_key_value_heads))
    if times > 1:
        k, v = (named(f"{x.label}_shared", repeat(x, times=times, axis=2), shared) for x in (k, v))
    # Letters: n batch, q the query's positions, k the value's, a head, d per head, o the output's features.
    scores = einsum(q, k, eq="nqad,nkad->naqk") / sqrt(float(head_dim))
    scores = named("scores", scores, "score of each query with each key")
    allowed = allowed_pairs(query, value, masks, attention_mask, heads)
    shares = shares_of(scores, allowed, -1, 1, fused=not dropout and not heads.return_attention_scores)
    taken = kept_shares(shares, dropout, training)
    context = named("context", einsum(taken, v, eq="naqk,nkad->nqad"))
    if gate is not None:
        context = named("gated", context * gate)
    at, path = "_output_dense", "attention_output"
    features = ("features", query.shape[-1])
    W = weight("kernel", "W_o", [("heads", num_query_heads), ("per head", head_dim), features], at=at, path=path)
    y = einsum(context, W, eq="nqad,ado->nqo")
    if use_bias:
        y = y + weight("bias", "b_o", [features], at=at, path=path)
    return {"y": y, "A": shares} if heads.return_attention_scores else {"y": y}
