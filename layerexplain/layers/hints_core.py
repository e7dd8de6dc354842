"""Hints about Dense, activations, embeddings, normalization, dropout, and layers that rearrange."""

from __future__ import annotations

from layerexplain.layers.hints import Place, hint
from layerexplain.ops.sizes import axis_roles, shape_text


@hint("Dense")
def dense_on_sequences(at: Place) -> str | None:
    x = at.x
    if x.ndim < 3:
        return None
    lead = axis_roles(x)[1:-1]
    sizes = [f"{s} {role}" if isinstance(s, int) else role for role, s in zip(lead, x.shape[1:-1], strict=True)]
    return (
        f"The input has {x.ndim} axes and is not flattened: the same matrix W is applied along the last axis, "
        f"at each of the {' × '.join(sizes)}, which adds no parameters. Put Flatten before it to mix them."
    )


@hint("Dense")
def dense_without_bias(at: Place) -> str | None:
    if at.argument("use_bias") or not at.definition.weights:
        return None
    inputs, units = at.definition.weights[0].shape
    return f"use_bias=False: there is no b, so the {at.params:,} parameters are exactly {inputs:,} × {units:,}."


@hint("Dense", "Activation", "Conv{}D")
def softmax(at: Place) -> str | None:
    given = at.argument("activation")
    size = at.y.shape[-1] if at.y.ndim else None
    if getattr(given, "name", given) != "softmax" or not isinstance(size, int):
        return None
    return (
        f"softmax is not element-wise: it turns the {size:,} values along the last axis into probabilities "
        f"that sum to 1."
    )


@hint("ReLU")
def relu_arguments(at: Place) -> str | None:
    slope, threshold, most = (at.argument(name) for name in ("negative_slope", "threshold", "max_value"))
    said = []
    if threshold:
        said.append(f"threshold={threshold:g}: only larger values are kept.")
    if slope:
        said.append(f"negative_slope={slope:g}: the rest becomes {slope:g} times its distance from {threshold:g}.")
    if most is not None:
        said.append(f"max_value={most:g}: larger values are clipped to it.")
    return " ".join(said) or None


@hint("Embedding")
def embedding_reach(at: Place) -> str | None:
    E = at.definition.weights[0]
    return (
        f"The table is one weight of shape {shape_text(E.shape)}, one row per id: "
        f"{at.expression}.embeddings; a loss may use that variable. The output of the layer is another "
        f"tensor, of shape {shape_text(at.y.shape)}: the rows that are looked up."
    )


@hint("Embedding")
def embedding_ids(at: Place) -> str | None:
    count = at.argument("input_dim")
    text = f"Ids are integers from 0 to {count - 1:,}."
    if at.argument("mask_zero"):
        text += (
            f" mask_zero=True: id 0 is padding, which leaves {count - 1:,} ids for data; the mask ids != 0 is passed "
            f"to later layers, and those that use it skip the padding."
        )
    return text


@hint("BatchNormalization")
def four_per_channel(at: Place) -> str | None:
    if not at.definition.weights:
        return None
    names = [w.attrs["name"] for w in at.definition.weights]
    own = at.config.get("trainable", True)
    learned = any(at.trains(name) for name in ("gamma", "beta"))
    kept = "μ and v are running statistics, updated in training and not trainable"
    if not own:
        kept = "μ and v are stored. Frozen (trainable=False): not updated in training, which uses them too"
    words = {
        "gamma": "γ scales" + " and is trainable" * learned,
        "beta": "β shifts" + " and is trainable" * learned,
        "moving_mean": kept,
    }
    channels = at.definition.weights[0].shape[0]
    told = "; ".join(words[name] for name in names if name in words)
    return f"{len(names)} numbers per channel, {len(names)} × {channels} = {at.params:,} parameters: {told}."


@hint("LayerNormalization", "GroupNormalization")
def by_itself(at: Place) -> str | None:
    return "Each example is normalized by its own statistics: no running statistics, same in training as at inference."


@hint("Dropout")
def dropout_scale(at: Place) -> str | None:
    rate = at.argument("rate")
    if not isinstance(rate, int | float) or not 0 < rate < 1:
        return None
    return f"The factor 1 / (1 - {rate:g}) = {1 / (1 - rate):.4g} preserves the expected sum."


@hint("Normalization")
def measured(at: Place) -> str | None:
    if not at.definition.weights:
        return None
    return "μ and v are not trained: layer.adapt(data) computes them."


@hint("Flatten")
def flatten(at: Place) -> str | None:
    x = at.x
    if x.ndim < 3 or not all(isinstance(s, int) for s in x.shape[1:]):
        return None
    return f"{' × '.join(str(s) for s in x.shape[1:])} = {at.y.shape[-1]:,} values per example."


@hint("Reshape")
def not_permuted(at: Place) -> str | None:
    if at.x.ndim < 3 or at.y.ndim < 3:
        return None
    return "The elements keep their order; to swap axes, use Permute."


@hint("RandomCrop")
def whole_image(at: Place) -> str | None:
    if at.x.shape == at.y.shape:
        return None
    return (
        f"Keras 3.15 returns something else at inference: the whole image, {shape_text(at.x.shape)}, although the "
        f"shape that it infers is {shape_text(at.y.shape)}. The formula is what Keras documents and Keras 2 computes."
    )
