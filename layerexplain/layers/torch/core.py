"""Modules at the core of every model: Linear, Embedding, Flatten, Dropout, and distances of two tensors."""

from collections.abc import Sequence
from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.axes import Size
from layerexplain.lang.expr import Expr, constant, weight
from layerexplain.lang.tables import ConstantArray
from layerexplain.layers.arguments import Anything, Bool, Int, Number, PositiveInt, ShapeArgument, Share, Text, choice
from layerexplain.layers.keras.regularization import alpha_dropped
from layerexplain.layers.signature import CARRIES_IDS, Facts
from layerexplain.layers.torch.construction import module, modules_of_rank, need_channels
from layerexplain.ops.contract import einsum, linear
from layerexplain.ops.elementwise import absolute, maximum, sqrt
from layerexplain.ops.joining import take
from layerexplain.ops.movement import reshape
from layerexplain.ops.numbers import dropout
from layerexplain.ops.reduce import amax, mean, sum_
from layerexplain.ops.reshaping import stating_batch
from layerexplain.ops.sizes import normalize_axis, product


@module("Linear")
def linear_module(x: Expr, *, in_features: PositiveInt, out_features: PositiveInt, bias: Bool = True) -> Expr:
    """Each of the {out_features} outputs is a weighted sum of all {in_features} inputs along the last axis.

    Input shape: (…, in_features). Output shape: (…, out_features). Reference: torch.nn.Linear.
    """
    need_channels("Linear", "in_features", in_features, x, axis=-1)
    axes = [("units", out_features), ("inputs", in_features)]
    y = linear(x, weight("weight", "W", axes))
    return y + weight("bias", "b", axes[:1]) if bias else y


@module("Bilinear")
def bilinear(
    x1: Expr,
    x2: Expr,
    *,
    in1_features: PositiveInt,
    in2_features: PositiveInt,
    out_features: PositiveInt,
    bias: Bool = True,
) -> Expr:
    """Each of the {out_features} outputs is a weighted sum of the products of each of {in1_features} inputs with each
    of {in2_features}.

    Input shape: (…, in1_features) and (…, in2_features). Output shape: (…, out_features). Reference: torch.nn.Bilinear.
    """
    need_channels("Bilinear", "in1_features", in1_features, x1, axis=-1)
    need_channels("Bilinear", "in2_features", in2_features, x2, axis=-1)
    axes = [("units", out_features), ("inputs 1", in1_features), ("inputs 2", in2_features)]
    lead = "nabcdef"[: x1.ndim - 1]
    y = einsum(x1, weight("weight", "W", axes), x2, eq=f"{lead}m,kmp,{lead}p->{lead}k")
    return y + weight("bias", "b", axes[:1]) if bias else y


@module(
    "Embedding",
    gist="{formula}, {num_embeddings} × {embedding_dim}",
    facts=Facts(ids_below="num_embeddings", tells_axes="ids"),
)
def embedding(
    ids: Expr,
    *,
    num_embeddings: PositiveInt,
    embedding_dim: PositiveInt,
    padding_idx: Int | None = None,
    max_norm: Number | None = None,
    norm_type: Number = 2.0,
    scale_grad_by_freq: Bool = False,
    sparse: Bool = False,
) -> Expr:
    """Looks up, for each id, its row of {embedding_dim} learned values in a table of {num_embeddings} rows.

    The row of padding_idx is 0 at first and is not trained.
    Input shape: any, integers from 0 to num_embeddings - 1. Output shape: (*input, embedding_dim).
    Reference: torch.nn.Embedding.
    """
    if max_norm is not None:
        raise ArgumentError(
            "max_norm changes the table while it is read, which layerexplain has no formula for; leave it out"
        )
    return take(weight("weight", "E", [("ids", num_embeddings), ("features", embedding_dim)]), ids)


@module(
    "EmbeddingBag",
    gist="{mode} of E[ids], {num_embeddings} × {embedding_dim}",
    facts=Facts(ids_below="num_embeddings", tells_axes="ids"),
)
def embedding_bag(
    ids: Expr,
    *,
    num_embeddings: PositiveInt,
    embedding_dim: PositiveInt,
    max_norm: Number | None = None,
    norm_type: Number = 2.0,
    scale_grad_by_freq: Bool = False,
    mode: choice("mean", "sum", "max") = "mean",  # type: ignore[valid-type]
    sparse: Bool = False,
    include_last_offset: Bool = False,
    padding_idx: Int | None = None,
) -> Any:
    """Looks up the rows of {embedding_dim} learned values of all ids of a bag and joins them by their {mode}.

    Input shape: (bags, ids in a bag). Output shape: (bags, embedding_dim). Reference: torch.nn.EmbeddingBag.
    """
    if ids.ndim != 2 or max_norm is not None or padding_idx is not None:
        raise ArgumentError(
            "layerexplain has a formula for EmbeddingBag only with ids (bags, ids in a bag), no max_norm and no "
            "padding_idx"
        )
    rows = take(weight("weight", "E", [("ids", num_embeddings), ("features", embedding_dim)]), ids)
    return {"mean": mean, "sum": sum_, "max": amax}[mode](rows, axis=1)


@module("Identity", facts=CARRIES_IDS)
def identity(x: Expr) -> Expr:
    """Returns its input unchanged.

    Input shape: any. Output shape: the same. Reference: torch.nn.Identity, which takes any arguments.
    """
    return x


@module("Flatten")
def flatten(x: Expr, *, start_dim: Int = 1, end_dim: Int = -1) -> Expr:
    """Flattens axes {start_dim} to {end_dim} into one; the values stay the same.

    Input shape: any. Output shape: one axis in place of those. Reference: torch.nn.Flatten.
    """
    if x.ndim == 0:
        return reshape(x, shape=(1,))
    first, last = normalize_axis(start_dim, x.ndim, "start_dim"), normalize_axis(end_dim, x.ndim, "end_dim")
    if first > last:
        raise ArgumentError(f"Flatten needs start_dim before end_dim, got start_dim={start_dim}, end_dim={end_dim}")
    if first == last:
        return x
    if first == 0:
        return merged(x, (-1, *x.shape[last + 1 :]))
    inside = x.shape[first : last + 1]
    whole = product(inside)
    return reshape(x, shape=(*x.shape[:first], -1 if whole is None else whole, *x.shape[last + 1 :]))


def merged(x: Expr, sizes: Sequence[Size]) -> Expr:
    """The same elements in another shape: an axis of -1 that the batch is merged into is a multiple of it."""
    return reshape(x, shape=stating_batch(x, sizes))


@module("Unflatten")
def unflatten(x: Expr, *, dim: Int, unflattened_size: ShapeArgument) -> Expr:
    """Reshapes axis {dim} to axes of the sizes {unflattened_size}; the values stay the same.

    Input shape: any. Output shape: those axes in place of one. Reference: torch.nn.Unflatten.
    """
    at, sizes = normalize_axis(dim, x.ndim, "dim"), list(unflattened_size)
    own = x.shape[at]
    if -1 in sizes and isinstance(own, int):
        others = product(size for size in sizes if size != -1) or 1
        sizes[sizes.index(-1)] = own // others
    if isinstance(own, int) and product(sizes) != own:
        raise ShapeError(f"Unflatten needs sizes whose product is the {own} of axis {dim}, got {unflattened_size}")
    return reshape(x, shape=(*x.shape[:at], *sizes, *x.shape[at + 1 :]))


# In training alone ----------------------------------------------------------------------------------------------


@module("Dropout", facts=CARRIES_IDS, gist="x; in training dropout(x, rate={p})")
def dropout_module(x: Expr, *, p: Share = 0.5, training: bool = False) -> Expr:
    """In training, sets each value to 0 with probability {p} and scales the rest by 1 /
    (1 - {p}){equals}. At inference, returns its input unchanged.

    Input shape: any. Output shape: the same. Reference: torch.nn.Dropout.
    """
    return dropout(x, rate=p) if training and p else x


@modules_of_rank("Dropout{}d", ndim=None, gist="x; in training dropout(x, rate={p}) of whole channels")
def channel_dropout(x: Expr, *, p: Share = 0.5, training: bool = False) -> Expr:
    """In training, sets whole channels to 0 with probability {p} and scales the rest by 1 /
    (1 - {p}){equals}. At inference, returns its input unchanged.

    Input shape: (batch, channels, spatial axes). Output shape: the same. Reference: torch.nn.Dropout2d.
    """
    return dropout(x, rate=p, shared=tuple(range(2, x.ndim))) if training and p else x


@module("AlphaDropout", facts=CARRIES_IDS, gist="x; in training {call}")
def alpha_dropout(x: Expr, *, p: Share = 0.5, training: bool = False) -> Expr:
    """In training, sets each value to SELU's lower bound, -1.7581, with probability {p}, then scales and shifts all
    values to preserve mean and variance. At inference, returns its input unchanged.

    Input shape: any. Output shape: the same. Reference: torch.nn.AlphaDropout.
    """
    return alpha_dropped(x, p, ()) if training and p else x


@module("FeatureAlphaDropout", facts=CARRIES_IDS, gist="x; in training {call} of whole channels")
def feature_alpha_dropout(x: Expr, *, p: Share = 0.5, training: bool = False) -> Expr:
    """In training, sets whole channels to SELU's lower bound, -1.7581, with probability {p}, then scales and shifts all
    values to preserve mean and variance. At inference, returns its input unchanged.

    Input shape: (batch, channels, …). Output shape: the same. Reference: torch.nn.FeatureAlphaDropout.
    """
    return alpha_dropped(x, p, tuple(range(2, x.ndim))) if training and p else x


# Two tensors ----------------------------------------------------------------------------------------------------


@module("CosineSimilarity")
def cosine_similarity(x1: Expr, x2: Expr, *, dim: Int = 1, eps: Number = 1e-8) -> Expr:
    """Computes the cosine of the angle of two vectors along axis {dim}: their product divided by their lengths.

    Input shape: two that broadcast. Output shape: without that axis. Reference: torch.nn.CosineSimilarity.
    """
    lengths = [sqrt(sum_(x**2, axis=dim)) for x in (x1, x2)]
    return sum_(x1 * x2, axis=dim) / (maximum(lengths[0], eps) * maximum(lengths[1], eps))


@module("PairwiseDistance")
def pairwise_distance(x1: Expr, x2: Expr, *, p: Number = 2.0, eps: Number = 1e-6, keepdim: Bool = False) -> Expr:
    """Computes the {p}-norm of the difference of two vectors along the last axis; {eps} is added to each number first.

    Input shape: two of (…, features) that broadcast. Output shape: (…). Reference: torch.nn.PairwiseDistance.
    """
    off = absolute(x1 - x2 + eps)
    if p == 2:
        return sqrt(sum_(off**2, axis=-1, keepdims=keepdim))
    return sum_(off**p, axis=-1, keepdims=keepdim) ** (1 / p)


# Tensors that a program makes itself ---------------------------------------------------------------------------


@module("Parameter", gist="{shape}")
def parameter(*, shape: ShapeArgument) -> Expr:
    """A tensor of the shape {shape} that is trained.

    Output shape: that. Reference: torch.nn.Parameter.
    """
    return weight("data", "W", [(f"axis {i}", size) for i, size in enumerate(shape)])


@module("Buffer", gist="{shape}")
def buffer(*, shape: ShapeArgument, dtype: Text = "float32", values: Anything = None) -> Expr:
    """A tensor of the shape {shape} that is stored and not trained. Its values, where they are known, are a flat list.

    Output shape: that. Reference: torch.nn.Buffer.
    """
    if values is not None:
        return reshape(constant(ConstantArray(tuple(values), dtype)), shape=shape)
    axes = [(f"axis {i}", size) for i, size in enumerate(shape)]
    kind = "float" if dtype.startswith(("float", "bfloat")) else dtype
    return weight("data", "W", axes, trainable=False, dtype=kind, buffer=True)
