"""Attention layers: each query is compared with all keys and averages the values of those that match."""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import Expr, named, weight
from layerexplain.layers.arguments import AxisArgument, Bool, PositiveInt, ShapeArgument, Share, choice
from layerexplain.layers.keras.activation_layers import FAR_BELOW
from layerexplain.layers.registry import KERNEL_AND_BIAS, layer
from layerexplain.layers.signature import Facts
from layerexplain.ops.contract import dot, einsum
from layerexplain.ops.elementwise import absolute, greater_equal, less, logical_and, logical_not, sqrt, where
from layerexplain.ops.functions import sigmoid, softmax, tanh
from layerexplain.ops.movement import positions, repeat
from layerexplain.ops.numbers import dropout as drop
from layerexplain.ops.reduce import sum_
from layerexplain.ops.sizes import agree, normalize_axis, shape_text
from layerexplain.records import NamedTuple


def query_mask(tensors: list[Expr], masks: list[Expr | None], arguments: Mapping[str, Any]) -> Expr | None:
    """The result has a step for each of the query's, and its mask."""
    return masks[0] if masks else None


def no_later(query: Expr, value: Expr, axis: int = 1) -> Expr:
    """For each query step and value step whether the value is not later than the query."""
    return greater_equal(*_pairs(query, value, axis))


def _pairs(query: Expr, value: Expr, axis: int) -> tuple[Expr, Expr]:
    """The numbers of the query's steps as a column, those of the value's as a row."""
    return positions(query, axis=axis)[:, None], positions(value, axis=axis)


# One head, nothing learned but the scale ------------------------------------------------------------------------


class Looking(NamedTuple):
    """The arguments that both layers share."""

    dropout: Share = 0.0
    return_attention_scores: Bool = False
    use_causal_mask: Bool = False


def _attend(
    scores: Expr, query: Expr, value: Expr, masks: Sequence[Expr | None], looking: Looking, training: bool
) -> Mapping[str, Expr]:
    """From the scores to the result: masked places far down, shares by softmax, values added up by their shares."""
    of_query, of_value = (*masks, None, None)[:2]
    allowed = None if of_value is None else of_value[..., None, :]
    if looking.use_causal_mask:
        causal_mask = no_later(query, value, query.ndim - 2)
        allowed = causal_mask if allowed is None else logical_and(allowed, causal_mask)
    scores = named("scores", scores, "score of each query with each key")
    if allowed is not None:
        scores = where(logical_not(named("allowed", allowed)), scores - 1e9, scores)
    shares = named("A", softmax(scores), "each row sums to 1")
    taken = _kept_shares(shares, looking.dropout, training)
    lead = "bch"[: query.ndim - 3]
    result = einsum(taken, value, eq=f"n{lead}qk,n{lead}kd->n{lead}qd")
    if of_query is not None:
        result = where(of_query[..., None], result, 0)
    return {"y": result, "scores": shares} if looking.return_attention_scores else {"y": result}


def _kept_shares(shares: Expr, dropout: float, training: bool) -> Expr:
    """The shares of the values, in training without those that dropout drops."""
    return named("A_kept", drop(shares, rate=dropout)) if training and dropout else shares


def _checked(type_: str, query: Expr, value: Expr, key: Expr | None) -> Expr:
    """The key, which is the value if none is given; raises `ShapeError` where the three do not fit."""
    if key is None:
        key = value
    tensors = (query, value, key)
    ndim = query.ndim
    listed = ", ".join(shape_text(t.shape) for t in tensors)
    if not 3 <= ndim <= 6 or any(t.ndim != ndim for t in tensors):
        raise ShapeError(f"{type_} needs query, value and key with 3 axes (batch, steps, features), got {listed}")
    if not agree(query.shape[-1], key.shape[-1]) or not agree(value.shape[-2], key.shape[-2]):
        raise ShapeError(
            f"{type_} needs query and key with equal numbers of features, value and key with equal numbers of steps, "
            f"got query, value, key {listed}"
        )
    return key


def _spread(query: Expr, key: Expr) -> Expr:
    """Every query position with every key position, added up."""
    return query[..., :, None, :] + key[..., None, :, :]


@layer(
    "Attention",
    mask=query_mask,
    ignores="seed",
    renamed={"causal": "use_causal_mask"},
    facts=Facts(takes_list=True),
    gist="softmax({score_mode} scores) · value, {use_scale:scaled|}, {use_causal_mask:causal|}",
)
def attention(
    query: Expr,
    value: Expr,
    key: Expr | None = None,
    *,
    use_scale: Bool = False,
    score_mode: choice("dot", "concat") = "dot",  # type: ignore[valid-type]
    looking: Looking,
    masks: list[Expr | None],
    training: bool = False,
) -> Mapping[str, Expr]:
    """Scores each query against every key, and averages the values weighted by the softmax of the scores.

    Input shape: query (batch, queries, features), value (batch, values, width), key like value with the query's
    features. Output shape: (batch, queries, width), with return_attention_scores also (batch, queries, values).
    Reference: Luong, Pham and Manning, 2015.
    """
    key = _checked("Attention", query, value, key)
    scale = weight("scale", "g", []) if use_scale else None
    if score_mode == "concat":
        z = _spread(query, key)
        scores = weight("concat_score_weight", "w", []) * sum_(tanh(z if scale is None else scale * z), axis=-1)
    else:
        lead = "bch"[: query.ndim - 3]
        scores = einsum(query, key, eq=f"n{lead}qd,n{lead}kd->n{lead}qk")
        if scale is not None:
            scores = scores * scale
    return _attend(scores, query, value, masks, looking, training)


@layer(
    "AdditiveAttention",
    mask=query_mask,
    ignores="seed score_mode",
    renamed={"causal": "use_causal_mask"},
    facts=Facts(takes_list=True, initializers={"scale": "GlorotUniform"}),
    gist="softmax(sum({use_scale:g * |}tanh(query + key))) · value, {use_causal_mask:causal|}",
)
def additive_attention(
    query: Expr,
    value: Expr,
    key: Expr | None = None,
    *,
    use_scale: Bool = True,
    looking: Looking,
    masks: list[Expr | None],
    training: bool = False,
) -> Mapping[str, Expr]:
    """Scores each query against every key by the tanh of their sum, and averages the values weighted by the softmax of
    the scores.

    Input shape: query (batch, queries, features), value (batch, values, width), key like value with the query's
    features. Output shape: (batch, queries, width), with return_attention_scores also (batch, queries, values).
    Reference: Bahdanau, Cho and Bengio, 2015.
    """
    key = _checked("AdditiveAttention", query, value, key)
    fits = tanh(_spread(query, key))
    if use_scale:
        fits = weight("scale", "g", [("features", query.shape[-1])]) * fits
    return _attend(sum_(fits, axis=-1), query, value, masks, looking, training)


# Several heads --------------------------------------------------------------------------------------------------


class HeadOptions(NamedTuple):
    """The arguments that all attention in heads shares."""

    sliding_window: PositiveInt | None = None
    use_gate: Bool = False
    return_attention_scores: Bool = False
    use_causal_mask: Bool = False


def _shares_of(scores: Expr, allowed: Expr | None, axis: Any, looks: int, *, zeros: bool) -> Expr:
    """The shares that the scores come to along `axis`, 0 where a query may not look; each query has `looks` axes.

    A query that may look nowhere gets zeros if `zeros` says so, as in Keras 3 where it has dropout or scores to return;
    otherwise, and in Keras 2, it looks everywhere alike.
    """
    if allowed is None:
        return named("A", softmax(scores, axis=axis), "each row sums to 1")
    for _ in range(scores.ndim - allowed.ndim):
        # For the heads, and what else the mask does not tell apart.
        allowed = allowed[None, ...] if allowed.ndim < 2 * looks else allowed[..., None, *[slice(None)] * 2 * looks]
    allowed = named("allowed", allowed, "which positions each query attends to")
    shares = softmax(where(allowed, scores, FAR_BELOW), axis=axis)
    return named("A", where(allowed, shares, 0) if zeros else shares, "each row sums to 1")


@layer(
    "MultiHeadAttention",
    mask=query_mask,
    ignores=KERNEL_AND_BIAS + " flash_attention seed query_shape key_shape value_shape query_mask",
    gist="softmax(Q · Kᵀ / sqrt({key_dim})) · V, {num_heads} heads, {use_causal_mask:causal|}",
    facts=Facts(
        inner_outputs={"": ("Q", "K", "V")},
        takes_masks_off=True,
        makes="Softmax Dropout",
        trains_inside=True,
        attributes_keras_2={f"{part}_dense": f"_{part}_dense" for part in ("query", "key", "value", "output")},
    ),
)
def multi_head_attention(
    query: Expr,
    value: Expr,
    key: Expr | None = None,
    attention_mask: Expr | None = None,
    *,
    num_heads: PositiveInt,
    key_dim: PositiveInt,
    value_dim: PositiveInt | None = None,
    dropout: Share = 0.0,
    use_bias: Bool = True,
    output_shape: ShapeArgument | None = None,
    attention_axes: AxisArgument | None = None,
    heads: HeadOptions,
    masks: list[Expr | None],
    training: bool = False,
    keras_2: bool = False,
) -> Mapping[str, Expr]:
    """Each of the {query_size} queries attends to the {value_size} value positions, in {num_heads} heads of width
    {key_dim}.

    Input shape: query (batch, queries, features), value and key (batch, values, their features); Keras's order is
    query, value, key. Output shape: the query's, with return_attention_scores also
    (batch, num_heads, queries, values).
    Reference: Vaswani et al., 2017.
    """
    axes = _attention_axes(query, value, value if key is None else key, attention_axes)
    # Keras takes 0 for none given, as it does None.
    features = query.shape[-1:] if not output_shape or output_shape == (0,) else tuple(output_shape)
    sizes = HeadSizes(num_heads, num_heads, key_dim, value_dim or key_dim, features)
    given = (query, value, key, attention_mask)
    return _in_heads(given, axes, sizes, use_bias, dropout, heads, masks, training, keras_2=keras_2)


@layer(
    "GroupQueryAttention",
    mask=query_mask,
    ignores=KERNEL_AND_BIAS + " flash_attention seed",
    gist="softmax(Q · Kᵀ / sqrt({head_dim})) · V, {num_query_heads} heads on {num_key_value_heads}, "
    "{use_causal_mask:causal|}",
    also=("GroupedQueryAttention",),
    facts=Facts(
        makes="Softmax Dropout",
        trains_inside=True,
        inner_outputs={"": ("Q", "K", "V", "y")},
        class_name="GroupedQueryAttention",
    ),
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
    heads: HeadOptions,
    masks: list[Expr | None],
    training: bool = False,
) -> Mapping[str, Expr]:
    """Attention in which {num_query_heads} query heads of width {head_dim} share {num_key_value_heads} key and value
    heads.

    Input shape: query (batch, queries, features), value (batch, values, features), key (batch, values, its features);
    Keras's order is query, value, key. Output shape: the query's, with return_attention_scores also
    (batch, num_query_heads, queries, values).
    Reference: Ainslie et al., 2023.
    """
    of_key = value if key is None else key
    listed = ", ".join(shape_text(t.shape) for t in (query, value, of_key))
    if any(t.ndim != 3 for t in (query, value, of_key)):
        raise ShapeError(f"GroupQueryAttention needs query, value and key as (batch, steps, features), got {listed}")
    if not agree(query.shape[-1], value.shape[-1]) or not agree(value.shape[1], of_key.shape[1]):
        raise ShapeError(
            f"GroupQueryAttention needs query and value with equal numbers of features, value and key with equal "
            f"numbers of steps, got query, value, key {listed}"
        )
    if num_query_heads % num_key_value_heads:
        raise ArgumentError(
            f"num_key_value_heads needs to divide the {num_query_heads} heads of the query, "
            f"got num_key_value_heads={num_key_value_heads}"
        )
    sizes = HeadSizes(num_query_heads, num_key_value_heads, head_dim, head_dim, query.shape[-1:], attributes="_")
    return _in_heads((query, value, key, attention_mask), (1,), sizes, use_bias, dropout, heads, masks, training)


class HeadSizes(NamedTuple):
    """How many heads the query has, and key and value; their widths; the sizes of the result's features; and what
    Keras puts before the attributes that hold its projections."""

    query: int
    shared: int
    key_width: int
    value_width: int
    out: tuple[Any, ...]
    attributes: str = ""


def _in_heads(
    tensors: tuple[Expr, Expr, Expr | None, Expr | None],
    axes: tuple[int, ...],
    sizes: HeadSizes,
    use_bias: bool,
    dropout: float,
    heads: HeadOptions,
    masks: Sequence[Expr | None],
    training: bool,
    *,
    keras_2: bool = False,
) -> Mapping[str, Expr]:
    """Attention in heads along the axes: projections, scores, shares, the values by their shares, and the result's
    projection. Several of the query's heads may share one of key and value."""
    query, value, key, attention_mask = tensors

    def project(x: Expr, name: str, symbol: str, count: int, size: int) -> Expr:
        at = f"{'_' if name == 'gate' else sizes.attributes}{name}_dense"
        shape = [("heads", count), ("per head", size)]
        z = dot(x, weight("kernel", f"W_{symbol}", [("features", x.shape[-1]), *shape], at=at, path=name))
        return z + weight("bias", f"b_{symbol}", shape, at=at, path=name) if use_bias else z

    width, times = sizes.value_width, sizes.query // sizes.shared
    q = named("Q", project(query, "query", "q", sizes.query, sizes.key_width))
    note = "key = value" if key is None else ""
    k = named("K", project(value if key is None else key, "key", "k", sizes.shared, sizes.key_width), note)
    gate = named("gate", sigmoid(project(query, "gate", "g", sizes.query, width))) if heads.use_gate else None
    v = named("V", project(value, "value", "v", sizes.shared, width))
    if times > 1:
        note = f"each head for {times} of the query's"
        k, v = (named(f"{x.label}_shared", repeat(x, times=times, axis=2), note) for x in (k, v))
    fused = not keras_2 and not dropout and not heads.return_attention_scores and query.ndim == 3
    axes = (1,) if fused else axes  # Keras's fused attention does not look at attention_axes
    # Letters: n batch, b c h axes that both keep, a head; q r s the query's positions, k l m the value's; d per head,
    # o the output's features.
    asked, offered = ("".join(_letters(query.ndim, axes, own)) for own in ("qrst", "klmu"))
    score_term = "".join(
        [c for c in asked if c in offered] + [letters[i] for letters in (asked, offered) for i in axes]
    )
    scores = einsum(q, k, eq=f"{asked}d,{offered}d->{score_term}") / sqrt(sizes.key_width)
    scores = named("scores", scores, "score of each query with each key")
    over: Any = -1 if len(axes) == 1 else tuple(range(-len(axes), 0))
    try:
        allowed = _allowed_pairs(query, value, masks, attention_mask, heads)
        shares = _shares_of(scores, allowed, over, len(axes), zeros=not (fused or keras_2))
    except ShapeError:
        if attention_mask is None or query.ndim != 3:
            raise
        wanted = shape_text((query.shape[0], query.shape[1], value.shape[1]))
        got = shape_text(attention_mask.shape)
        cure = "; a mask of keys is mask[:, None, :]" if attention_mask.ndim == 2 else ""
        axes_of_mask = f"(batch, queries, keys), here {wanted}"
        raise ShapeError(f"attention_mask needs the shape {axes_of_mask}, got {got}{cure}") from None
    taken = _kept_shares(shares, dropout, training)
    context = named("context", einsum(taken, v, eq=f"{score_term},{offered}d->{asked}d"))
    if gate is not None:
        context = named("gated", context * gate)
    new = "oxyzwvutp"[: len(sizes.out)]
    features = [("features", size) for size in sizes.out]
    at, path = f"{sizes.attributes}output_dense", "attention_output"
    W = weight("kernel", "W_o", [("heads", sizes.query), ("per head", width), *features], at=at, path=path)
    y = einsum(context, W, eq=f"{asked}d,{asked[-1]}d{new}->{asked[:-1]}{new}")
    if use_bias:
        y = y + weight("bias", "b_o", features, at=at, path=path)
    return {"y": y, "A": shares} if heads.return_attention_scores else {"y": y}


def _attention_axes(query: Expr, value: Expr, key: Expr, axes: Any) -> tuple[int, ...]:
    """The axes along which positions look at each other, rising; all but batch and features if none are given."""
    listed = ", ".join(shape_text(t.shape) for t in (query, value, key))
    if not 3 <= query.ndim <= 5 or value.ndim != query.ndim or key.ndim != query.ndim:
        raise ShapeError(
            f"MultiHeadAttention needs query, value and key with equal numbers of axes, 3 to 5, got {listed}; "
            f"(batch, steps, features) is usual"
        )
    if not all(agree(a, b) for a, b in zip(value.shape[:-1], key.shape[:-1], strict=True)):
        raise ShapeError(
            f"MultiHeadAttention needs value and key that are equal except along their last axis, "
            f"got query, value, key {listed}"
        )
    if axes is None:
        return tuple(range(1, query.ndim - 1))
    given = (axes,) if isinstance(axes, int) else axes
    chosen = tuple(normalize_axis(axis, query.ndim, "attention_axes") for axis in given)
    if len(set(chosen)) != len(chosen):
        raise ArgumentError(
            f"MultiHeadAttention needs attention_axes to be axes of its query, each once, "
            f"got attention_axes={axes} for a query of shape {shape_text(query.shape)}"
        )
    return chosen


def _letters(ndim: int, axes: tuple[int, ...], own: str) -> Iterator[str]:
    """A letter for each axis of a projection but the last: own ones where positions look at each other. The last axis
    of a query (ndim - 1) is that of the heads then, along which Keras lets them look at each other too."""
    letters, others = iter(own), iter("bch")
    for axis in range(ndim):
        if axis in axes:
            yield next(letters)
        else:
            yield "n" if axis == 0 else "a" if axis == ndim - 1 else next(others)


def _allowed_pairs(
    query: Expr, value: Expr, masks: Sequence[Expr | None], attention_mask: Expr | None, heads: HeadOptions
) -> Expr | None:
    """Which query may look at which value: all masks joined; None where none restricts anything."""
    of_query, of_value, of_key = (*masks, None, None, None)[:3]
    parts: list[Expr] = []
    if attention_mask is not None:
        parts.append(attention_mask)
    if of_query is not None:
        parts.append(of_query[..., None])
    parts += [m[..., None, :] for m in (of_value, of_key) if m is not None]
    if heads.use_causal_mask:
        parts.append(no_later(query, value))
    if heads.sliding_window is not None:
        rows, columns = _pairs(query, value, 1)
        parts.append(less(absolute(rows - columns), heads.sliding_window))
    return reduce(logical_and, parts) if parts else None
