"""Attention: MultiheadAttention, and the layers of a transformer that are made of it."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeAlias

from layerexplain.errors import ArgumentError, AxesError, ShapeError
from layerexplain.lang.axes import BATCH, Batch, Shape
from layerexplain.lang.expr import Expr, WeightAxes, named, weight
from layerexplain.layers.arguments import Bool, Number, PositiveInt, Share, choice
from layerexplain.layers.keras.attention import no_later
from layerexplain.layers.keras.normalization import scaled
from layerexplain.layers.signature import Facts
from layerexplain.layers.torch.construction import module, need_channels
from layerexplain.ops.contract import einsum, linear
from layerexplain.ops.elementwise import sqrt, where
from layerexplain.ops.functions import gelu, relu, softmax
from layerexplain.ops.joining import concatenate, split
from layerexplain.ops.movement import broadcast_to, pad_along, reshape
from layerexplain.ops.numbers import dropout as drop
from layerexplain.ops.reduce import mean
from layerexplain.ops.sizes import agree, meet, shape_text
from layerexplain.records import NamedTuple

FAR_BELOW = float("-inf")


class AttentionSizes(NamedTuple):
    """The sizes of an attention in heads, what its weights are called after, and how it reads its tensors."""

    width: int
    heads: int
    key_width: int
    value_width: int
    bias: bool = True
    extra_key: bool = False
    zero_key: bool = False
    batch_first: bool = False
    at: str = ""
    mark: str = ""
    masks: str = "attn"
    """What the name of its mask begins with, and in a transformer that of the mask of its keys."""


class Weights(NamedTuple):
    """The weights of an attention in heads: the matrices and biases by which query, key and value are projected, the
    key and the value that are added to all, and those of the projection of the result."""

    matrices: Sequence[Expr]
    biases: Sequence[Expr | None]
    extra: Sequence[Expr]
    W_o: Expr
    b_o: Expr | None


def weights_of(heads: AttentionSizes) -> Weights:
    """Return the weights in PyTorch's order; the projections are one packed matrix where all are of one width."""
    d, at, mark = heads.width, heads.at, heads.mark
    packed = ("query, key, value", 3), ("features", d)
    if heads.key_width == heads.value_width == d:
        whole = weight("in_proj_weight", f"W{mark}", [[*packed], ("inputs", d)], at=at)
        matrices = [named(f"W{mark}_{s}", part) for s, part in zip("qkv", split(whole, n=3, axis=0), strict=True)]
    else:
        matrices = [
            weight(f"{s}_proj_weight", f"W{mark}_{s}", [("features", d), ("inputs", n)], at=at)
            for s, n in zip("qkv", (d, heads.key_width, heads.value_width), strict=True)
        ]
    biases: list[Expr | None] = [None] * 3
    if heads.bias:
        b = weight("in_proj_bias", f"b{mark}", [[*packed]], at=at)
        biases = [named(f"b{mark}_{s}", part) for s, part in zip("qkv", split(b, n=3), strict=True)]
    lead = [("repeated", 1), ("repeated", 1), ("features", d)]
    extra = [weight(f"bias_{s}", f"{s}{mark}_0", lead, at=at) for s in "kv"] if heads.extra_key else []
    inner = f"{at}.out_proj" if at else "out_proj"
    W_o = weight("weight", f"W{mark}_o", [("outputs", d), ("features", d)], at=inner)
    return Weights(
        matrices, biases, extra, W_o, weight("bias", f"b{mark}_o", [("outputs", d)], at=inner) if heads.bias else None
    )


def _masked(scores: Expr, masks: tuple[Expr | None, Expr | None], heads: AttentionSizes) -> Expr:
    """The scores (batch, heads, queries, keys), minus infinity where a mask says True: PyTorch's masks say where not to
    look. A mask of numbers is added."""
    padding, pairs = masks
    if padding is not None:
        scores = _hidden(scores, padding[..., None, None, :])
    if pairs is not None:
        if pairs.ndim == 3:  # one for each example and head
            pairs = reshape(pairs, shape=(scores.shape[0], heads.heads, *pairs.shape[1:]))
        scores = _hidden(scores, pairs)
    return scores


def _need_masks(masks: tuple[Expr | None, Expr | None], heads: AttentionSizes, query: Expr, key: Expr) -> None:
    """Raise ShapeError for a mask of another shape than PyTorch takes, with what makes one of it."""
    axis = 0 if heads.batch_first else 1
    batch, queries, keys = query.shape[axis], query.shape[1 - axis], key.shape[1 - axis]
    padding, pairs = masks
    padding_name = "key_padding_mask" if heads.masks == "attn" else f"{heads.masks}_key_padding_mask"
    name, cure = f"{heads.masks}_mask", ""
    if padding is not None and not _fits(padding, (batch, keys)):
        if padding.shape == (keys, batch):
            cure = f"; the batch stands first: write {padding_name}.T"
        raise ShapeError(_misfit(padding_name, "(batch, keys)", (batch, keys), padding) + cure)
    if pairs is None:
        return
    if pairs.ndim == 3:
        wanted: Shape = (None if batch is None else batch * heads.heads, queries, keys)
        if not _fits(pairs, wanted):
            if heads.heads > 1 and pairs.shape == (batch, queries, keys):
                cure = f"; write {name}.repeat_interleave({heads.heads}, dim=0), or one mask (queries, keys) for all"
            raise ShapeError(_misfit(name, "(batch × heads, queries, keys)", wanted, pairs) + cure)
    elif not _fits(pairs, (queries, keys)):
        if pairs.shape == (batch, keys):
            cure = f"; one that says which keys are padding is {padding_name}="
        elif pairs.shape == (batch, batch) and not heads.batch_first:
            cure = "; the data have the steps first: where they are (batch, steps, features) write batch_first=True"
        raise ShapeError(_misfit(name, "(queries, keys)", (queries, keys), pairs) + cure)


def _misfit(name: str, axes: str, wanted: Shape, mask: Expr) -> str:
    return f"{name} needs the shape {axes}, here {_in_words(wanted)}, got {_in_words(mask.shape)}"


def _in_words(shape: Shape) -> str:
    words = ["batch" if n is BATCH else f"{n.times}·batch" if isinstance(n, Batch) else str(n) for n in shape]
    return f"({', '.join(words)})"


def _fits(mask: Expr, wanted: Shape) -> bool:
    """Return whether a mask has a shape; that of the batch is no number beside a batch along another axis."""
    is_batch = [isinstance(n, Batch) and isinstance(m, int) for n, m in zip(mask.shape, wanted, strict=False)]
    return mask.ndim == len(wanted) and all(meet(mask.shape, i, wanted, i) for i in range(mask.ndim)) > any(is_batch)


def _hidden(scores: Expr, mask: Expr) -> Expr:
    return where(mask, FAR_BELOW, scores) if mask.dtype == "bool" else scores + mask


def attend(
    query: Expr,
    key: Expr,
    value: Expr,
    masks: tuple[Expr | None, Expr | None],
    heads: AttentionSizes,
    weights: Weights,
    dropout: float = 0.0,
    training: bool = False,
    causal: bool = False,
) -> tuple[Expr, Expr]:
    """The result of an attention in heads, and its shares, (batch, heads, queries, keys)."""
    _need_masks(masks, heads, query, key)
    first, second = ("nq", "nk") if heads.batch_first else ("qn", "kn")
    at = 0 if heads.batch_first else 1
    size, per_head, mark = heads.heads, heads.width // heads.heads, heads.mark
    parts = []
    for x, W, b in zip((query, key, value), weights.matrices, weights.biases, strict=True):
        z = linear(x, W)
        parts.append(z if b is None else z + b)
    if heads.extra_key:
        for i, expression in enumerate(weights.extra, start=1):
            shape = (parts[i].shape[0], 1, heads.width) if heads.batch_first else (1, parts[i].shape[1], heads.width)
            parts[i] = concatenate(parts[i], broadcast_to(expression, shape=shape), axis=1 - at)
        masks = (_one_more(masks[0]), _one_more(masks[1]))
    if heads.zero_key:
        parts[1:] = [pad_along(part, {1 - at: (0, 1)}) for part in parts[1:]]
        masks = (_one_more(masks[0]), _one_more(masks[1]))
    split_up = [reshape(part, shape=(*part.shape[:2], size, per_head)) for part in parts]
    Q, K, V = (named(f"{s}{mark}", part) for s, part in zip("QKV", split_up, strict=True))
    scores = einsum(Q, K, eq=f"{first}ad,{second}ad->naqk") / sqrt(per_head)
    scores = _masked(named(f"scores{mark}", scores, "score of each query with each key"), masks, heads)
    if causal:
        scores = where(no_later(query, key, 1 - at), scores, FAR_BELOW)
    shares = named(f"A{mark}", softmax(scores), "each row sums to 1")
    taken = drop(shares, rate=dropout) if training and dropout else shares
    context = einsum(taken, V, eq=f"naqk,{second}ad->{first}ad")
    context = named(f"context{mark}", reshape(context, shape=(*query.shape[:-1], heads.width)))
    y = linear(context, weights.W_o)
    return (y if weights.b_o is None else y + weights.b_o), shares


def _one_more(mask: Expr | None) -> Expr | None:
    """A mask for one more key, which may be looked at."""
    return None if mask is None else pad_along(mask, {mask.ndim - 1: (0, 1)})


def _need_heads(type_: str, name: str, heads: int, width_name: str, width: int) -> None:
    if width % heads:
        near = min(
            [n for n in range(1, min(2 * heads, 10_000) + 1) if width % n == 0], key=lambda n: (abs(n - heads), -n)
        )
        words = f"write {name}={near}, or {width_name}={-(-width // heads) * heads}"
        raise ArgumentError(f"{type_} needs {name} to divide {width_name}={width}, got {name}={heads}; {words}")


def _takes_one(sequences: int, masks: Sequence[int]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a formula take sequences without an axis for the batch: its first tensors, and masks by their numbers."""

    def declare(formula: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(formula)
        def of_any(*given: Expr | None, **arguments: Any) -> Any:
            if given[0] is None or given[0].ndim != 2 or BATCH in given[0].shape:
                return formula(*given, **arguments)
            first = arguments.get("how", arguments.get("batch_first"))
            key = (None,) if getattr(first, "batch_first", first) else (slice(None), None)
            lifted = [
                t if t is None else t[key] if i < sequences else t[None] if i in masks else t
                for i, t in enumerate(given)
            ]
            result, back = formula(*lifted, **arguments), tuple([0 if item is None else item for item in key])
            if not isinstance(result, Mapping):
                return result[back]
            return {name: value[0] if name == "A" else value[back] for name, value in result.items()}

        return of_any

    return declare


@module(
    "MultiheadAttention",
    gist="softmax(Q · Kᵀ / sqrt(d)) · V, {num_heads} heads, {embed_dim} features",
    facts=Facts(results=2),
)
@_takes_one(3, masks=[3])
def multihead_attention(
    query: Expr,
    key: Expr,
    value: Expr,
    key_padding_mask: Expr | None = None,
    attn_mask: Expr | None = None,
    *,
    embed_dim: PositiveInt,
    num_heads: PositiveInt,
    dropout: Share = 0.0,
    bias: Bool = True,
    add_bias_kv: Bool = False,
    add_zero_attn: Bool = False,
    kdim: PositiveInt | None = None,
    vdim: PositiveInt | None = None,
    batch_first: Bool = False,
    need_weights: Bool = True,
    average_attn_weights: Bool = True,
    is_causal: Bool = False,
    training: bool = False,
) -> Mapping[str, Expr]:
    """Each query attends to all keys, in {num_heads} heads, and sums the values, weighted by attention.

    Input shape: query, key, value (steps, batch, features), or (batch, steps, features) with batch_first. Output shape:
    that of the query, and the shares (batch, queries, keys), averaged over the heads.
    Reference: torch.nn.MultiheadAttention.
    """
    type_ = "MultiheadAttention"
    _need_heads(type_, "num_heads", num_heads, "embed_dim", embed_dim)
    if query.ndim != 3 or key.ndim != 3 or value.ndim != 3:
        listed = ", ".join(shape_text(t.shape) for t in (query, key, value))
        raise AxesError(f"{type_} needs query, key and value with 3 axes, got {listed}")
    need_channels(type_, "embed_dim", embed_dim, query, axis=-1)
    for name, x, size in (("kdim", key, kdim or embed_dim), ("vdim", value, vdim or embed_dim)):
        need_channels(type_, name, size, x, axis=-1)
    if not all(map(agree, key.shape[:2], value.shape[:2])):
        listed = f"{shape_text(key.shape)} and {shape_text(value.shape)}"
        raise ShapeError(f"{type_} needs key and value with equally many steps, got {listed}")
    heads = AttentionSizes(
        embed_dim, num_heads, kdim or embed_dim, vdim or embed_dim, bias, add_bias_kv, add_zero_attn, batch_first
    )
    masks, causal = _with_hint(type_, "attn_mask", (key_padding_mask, attn_mask), is_causal, not need_weights)
    y, shares = attend(query, key, value, masks, heads, weights_of(heads), dropout, training, causal)
    if not need_weights:
        return {"y": y}
    return {"y": y, "A": mean(shares, axis=1) if average_attn_weights else shares}


Masks: TypeAlias = tuple[Expr | None, Expr | None]
"""Of keys, (batch, keys), and of an attention, (queries, keys)."""


def _with_hint(type_: str, name: str, masks: Masks, is_causal: bool, alone: bool = True) -> tuple[Masks, bool]:
    """Return the masks of an attention with the hint that its own is causal, and whether the hint stands for it. Where
    the result is asked for `alone`, it does: PyTorch does not read the mask then, whatever it is."""
    if is_causal and masks[1] is None:
        raise ArgumentError(f"{type_} needs {name} where is_causal=True, which is a hint alone; leave out is_causal")
    causal = is_causal and alone and masks[0] is None
    return (masks[0], None if causal else masks[1]), causal


# Transformers ---------------------------------------------------------------------------------------------------


class Transformer(NamedTuple):
    """The arguments that the layers of a transformer share."""

    d_model: PositiveInt
    nhead: PositiveInt
    dim_feedforward: PositiveInt = 2048
    dropout: Share = 0.1
    activation: choice("relu", "gelu") = "relu"  # type: ignore[valid-type]
    layer_norm_eps: Number = 1e-5
    batch_first: Bool = False
    norm_first: Bool = False
    bias: Bool = True


class _AttentionBlock:
    """The parts of a transformer's layer, with the weights of its sublayers in PyTorch's order."""

    def __init__(self, how: Transformer, training: bool, attentions: Mapping[str, str], norms: int) -> None:
        self_masks = "src" if norms == 2 else "tgt"
        self.how, self.rate = how, how.dropout if training else 0.0
        d, inside = how.d_model, how.dim_feedforward
        self.attentions = {}
        for at, mark in attentions.items():
            masks = "memory" if mark else self_masks
            heads = AttentionSizes(d, how.nhead, d, d, how.bias, False, False, how.batch_first, at, mark, masks)
            self.attentions[at] = heads, weights_of(heads)
        self.linears = [
            self._pair(f"linear{i}", f"W{i}", f"b{i}", [("units", units), ("inputs", inputs)])
            for i, units, inputs in ((1, inside, d), (2, d, inside))
        ]
        self.norms = [self._pair(f"norm{i}", f"γ{i}", f"β{i}", [("features", d)]) for i in range(1, norms + 1)]

    def _pair(self, at: str, weight_symbol: str, bias_symbol: str, axes: WeightAxes) -> tuple[Expr, Expr | None]:
        first = weight("weight", weight_symbol, axes, at=at)
        return first, weight("bias", bias_symbol, axes[:1], at=at) if self.how.bias else None

    def dropped(self, x: Expr) -> Expr:
        """A part as it is added: in training some of it is dropped."""
        return drop(x, rate=self.rate) if self.rate else x

    def attention(self, x: Expr, memory: Expr, at: str, masks: Masks, causal: bool) -> Expr:
        """Attention of x to `memory`."""
        heads, own = self.attentions[at]
        return self.dropped(attend(x, memory, memory, masks, heads, own, self.rate, bool(self.rate), causal)[0])

    def feed_forward(self, x: Expr) -> Expr:
        """Two linear layers with an activation between them."""
        inner, outer = self.linears
        active = {"relu": relu, "gelu": gelu}[self.how.activation](_affine(x, inner))
        return self.dropped(_affine(self.dropped(active), outer))

    def added(self, x: Expr, number: int, part: Callable[[Expr], Expr], name: str) -> Expr:
        """x with a part of it added, normalized behind or, with norm_first, before the part."""
        gamma, beta = self.norms[number - 1]

        def norm(z: Expr) -> Expr:
            centre = named(f"μ{number}", mean(z, axis=-1, keepdims=True))
            spread = named(f"v{number}", mean((z - centre) ** 2, axis=-1, keepdims=True))
            return scaled((z - centre) / sqrt(spread + self.how.layer_norm_eps), gamma, beta)

        if self.how.norm_first:
            return named(name, x + part(named(f"{name}_in", norm(x))))
        return named(name, norm(named(f"{name}_sum", x + part(x))))


def _affine(x: Expr, pair: tuple[Expr, Expr | None]) -> Expr:
    W, b = pair
    return linear(x, W) if b is None else linear(x, W) + b


TRANSFORMER_GIST = "{nhead} heads, {d_model} features, {dim_feedforward} inside, {activation}, {norm_first:norm first|}"


@module("TransformerEncoderLayer", gist=f"self-attention and feed-forward of {TRANSFORMER_GIST}")
@_takes_one(1, masks=[2])
def encoder_layer(
    src: Expr,
    src_mask: Expr | None = None,
    src_key_padding_mask: Expr | None = None,
    *,
    how: Transformer,
    is_causal: Bool = False,
    training: bool = False,
) -> Any:
    """Adds to each step what it attends to, in {nhead} heads, then the output of two linear layers; each sum is
    normalized.

    Input shape: (steps, batch, d_model), or (batch, steps, d_model) with batch_first. Output shape: the same.
    Reference: torch.nn.TransformerEncoderLayer.
    """
    _need_layer("TransformerEncoderLayer", how, src)
    block = _AttentionBlock(how, training, {"self_attn": ""}, 2)
    own = _with_hint("TransformerEncoderLayer", "src_mask", (src_key_padding_mask, src_mask), is_causal)
    y = block.added(src, 1, lambda x: block.attention(x, x, "self_attn", *own), "attended")
    return block.added(y, 2, block.feed_forward, "y")


@module("TransformerDecoderLayer", gist=f"self-attention, attention to memory and feed-forward of {TRANSFORMER_GIST}")
@_takes_one(2, masks=[4, 5])
def decoder_layer(
    tgt: Expr,
    memory: Expr,
    tgt_mask: Expr | None = None,
    memory_mask: Expr | None = None,
    tgt_key_padding_mask: Expr | None = None,
    memory_key_padding_mask: Expr | None = None,
    *,
    how: Transformer,
    tgt_is_causal: Bool = False,
    memory_is_causal: Bool = False,
    training: bool = False,
) -> Any:
    """Adds to each step what it attends to among its own and in the memory, in {nhead} heads, then the output of two
    linear layers; each sum is normalized.

    Input shape: tgt and memory (steps, batch, d_model), or (batch, steps, d_model) with batch_first. Output shape: that
    of tgt. Reference: torch.nn.TransformerDecoderLayer.
    """
    _need_layer("TransformerDecoderLayer", how, tgt, memory)
    block = _AttentionBlock(how, training, {"self_attn": "", "multihead_attn": "_m"}, 3)
    type_ = "TransformerDecoderLayer"
    own = _with_hint(type_, "tgt_mask", (tgt_key_padding_mask, tgt_mask), tgt_is_causal)
    other = _with_hint(type_, "memory_mask", (memory_key_padding_mask, memory_mask), memory_is_causal)
    y = block.added(tgt, 1, lambda x: block.attention(x, x, "self_attn", *own), "attended")
    y = block.added(y, 2, lambda x: block.attention(x, memory, "multihead_attn", *other), "looked_up")
    return block.added(y, 3, block.feed_forward, "y")


def _need_layer(type_: str, how: Transformer, *tensors: Expr) -> None:
    _need_heads(type_, "nhead", how.nhead, "d_model", how.d_model)
    for x in tensors:
        if x.ndim != 3:
            raise AxesError(f"{type_} needs tensors with 3 axes, steps, batch and features, got {shape_text(x.shape)}")
        need_channels(type_, "d_model", how.d_model, x, axis=-1)
