"""GroupQueryAttention: attention in which several heads of the query share one head of key and value."""

from collections.abc import Mapping

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import Expr, named, weight
from layerexplain.layers.activation_layers import FAR_BELOW
from layerexplain.layers.arguments import Bool, PositiveInt, Share
from layerexplain.layers.attention import allowed_pairs, query_mask, with_axis
from layerexplain.layers.registry import KERNEL_AND_BIAS, layer
from layerexplain.ops.contract import dot, einsum
from layerexplain.ops.elementwise import sqrt, where
from layerexplain.ops.functions import sigmoid, softmax
from layerexplain.ops.movement import repeat
from layerexplain.ops.random import dropout as drop
from layerexplain.ops.sizes import agree, shape_text


def _checked(query: Expr, value: Expr, key: Expr) -> None:
    listed = ", ".join(shape_text(t.shape) for t in (query, value, key))
    if any(t.ndim != 3 for t in (query, value, key)):
        raise ShapeError(f"GroupQueryAttention needs query, value and key as (batch, steps, features), got {listed}")
    if not agree(query.shape[-1], value.shape[-1]) or not agree(value.shape[1], key.shape[1]):
        raise ShapeError(
            f"GroupQueryAttention needs query and value with equally many features, value and key with equally many "
            f"steps, got query, value, key {listed}"
        )


@layer(
    "GroupQueryAttention",
    mask=query_mask,
    ignores=KERNEL_AND_BIAS + " flash_attention seed",
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
    sliding_window: PositiveInt | None = None,
    use_gate: Bool = False,
    return_attention_scores: Bool = False,
    use_causal_mask: Bool = False,
    masks: list[Expr | None],
    training: bool = False,
) -> Mapping[str, Expr]:
    """Attention in {num_query_heads} heads of width {head_dim}, which share {num_key_value_heads} of keys and values.

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
        heads = [("heads", count), ("per head", head_dim)]
        at = f"_{name}_dense"
        z = dot(x, weight("kernel", f"W_{symbol}", [("features", x.shape[-1]), *heads], at=at, path=name))
        return z + weight("bias", f"b_{symbol}", heads, at=at, path=name) if use_bias else z

    shared = f"each head for {times} of the query's"
    q = named("Q", project(query, "query", "q", num_query_heads))
    k = named("K", project(key, "key", "k", num_key_value_heads), "" if key_given else "key = value")
    gate = named("gate", sigmoid(project(query, "gate", "g", num_query_heads))) if use_gate else None
    v = named("V", project(value, "value", "v", num_key_value_heads))
    if times > 1:
        k, v = (named(f"{x.label}_shared", repeat(x, times=times, axis=2), shared) for x in (k, v))
    # Letters: n batch, q the query's positions, k the value's, a head, d per head, o the output's features.
    scores = einsum(q, k, eq="nqad,nkad->naqk") / sqrt(float(head_dim))
    scores = named("scores", scores, "how well each query fits each key")
    allowed = allowed_pairs(query, value, masks, attention_mask, causal=use_causal_mask, window=sliding_window)
    # Without dropout and scores to return Keras takes another path, on which a query that may look nowhere looks
    # everywhere alike; on this one it gets zeros.
    fused = not dropout and not return_attention_scores
    if allowed is None:
        shares = named("A", softmax(scores), "each row sums to 1")
    else:
        for _ in range(4 - allowed.ndim):
            allowed = with_axis(allowed, 2)
        allowed = named("allowed", allowed, "who may look where")
        shares = softmax(where(allowed, scores, FAR_BELOW))
        shares = named("A", shares if fused else where(allowed, shares, 0), "each row sums to 1")
    taken = named("A_kept", drop(shares, rate=dropout)) if training and dropout else shares
    context = named("context", einsum(taken, v, eq="naqk,nkad->nqad"))
    if gate is not None:
        context = named("gated", context * gate)
    at, path = "_output_dense", "attention_output"
    features = ("features", query.shape[-1])
    W = weight("kernel", "W_o", [("heads", num_query_heads), ("per head", head_dim), features], at=at, path=path)
    y = einsum(context, W, eq="nqad,ado->nqo")
    if use_bias:
        y = y + weight("bias", "b_o", [features], at=at, path=path)
    return {"y": y, "A": shares} if return_attention_scores else {"y": y}
