"""Rules on normalisation, dropout, embeddings, masks and dtypes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from layerexplain.checks.calls import (
    activation_of,
    chained,
    config_of,
    derived,
    ending_with,
    ends_with,
    is_linear,
    is_output,
    keras_type_of,
    maker_of,
    noted,
    readers_of,
    source_of,
    type_of,
    weights_of,
    with_source,
)
from layerexplain.checks.rules import Found, Torch, rule
from layerexplain.layers.torch.compared import keras_type
from layerexplain.model import Layer, is_before_keras_3
from layerexplain.network.masks import lost_words
from layerexplain.network.traced import Network, TracedCall
from layerexplain.ops.sizes import FLOATS, shape_text


@rule(
    "bias-before-batchnorm",
    "A bias that a BatchNormalization cancels",
    "wasteful",
    "certain",
    why="BatchNormalization subtracts the mean of the batch, and the bias with it; its beta replaces the bias.",
    fix="Use use_bias=False in the layer before.",
    source="Ioffe, Szegedy: Batch Normalization (2015), section 3.2",
    inside=True,
    torch=Torch(
        "BatchNorm subtracts the mean of the batch, and the bias with it; its own bias replaces it.",
        "Use bias=False in the module before.",
    ),
)
def bias_before_batchnorm(network: Network) -> Iterator[Found]:
    for call, behind in chained(network, "BatchNormalization"):
        if is_linear(call):
            biases = [
                expression for expression in weights_of(call) if expression.attrs["name"].rpartition("/")[2] == "bias"
            ]
            if biases and any(
                expression.attrs["name"].rpartition("/")[2] in ("beta", "bias") for expression in weights_of(behind)
            ):
                count = biases[0].shape[-1]
                yield call, f"the {count} biases of '{call.name}' feed '{behind.name}' alone"


_NORMALIZING = (
    "BatchNormalization",
    "LayerNormalization",
    "GroupNormalization",
    "RMSNormalization",
    "UnitNormalization",
)


@rule(
    "normalization-after-softmax",
    "A normalization of probabilities",
    "wrong",
    "certain",
    why="After it the values no longer sum to 1 and may be negative: they are not probabilities.",
    fix="Put the normalization before the last Dense, and end with the softmax.",
    source="Ioffe, Szegedy: Batch Normalization (2015)",
    inside=True,
    torch=Torch(fix="Put the normalization before the last Linear."),
)
def normalization_after_softmax(network: Network) -> Iterator[Found]:
    for before in ending_with(network, "softmax"):
        for call in readers_of(network, before):
            if keras_type_of(network, call) in _NORMALIZING:
                name = type_of(network, call).rpartition(".")[2]
                yield call, f"'{call.name}' ({name}) takes the softmax of '{before.name}'"


@rule(
    "unread-input",
    "An input that nothing reads",
    "wrong",
    "certain",
    why="Values for it must be given to fit() and predict(), and change nothing.",
    fix="Connect it, or remove it from the inputs of the model.",
    source="keras/src/models/functional.py",
    torch=Torch("Values for it must be given, and change nothing.", "Use it in forward(), or remove the argument."),
)
def unread_input(network: Network) -> Iterator[Found]:
    # A program may end before its outputs, at a fault or where the shape of an input is not known.
    for ref in network.model.inputs if len(network.model.inputs) > 1 and network.model.outputs else ():
        call = network.call(ref)
        if call is not None and not network.readers(call) and not is_output(network, call):
            yield call, f"no layer reads '{call.name}'"


@rule(
    "uncalled-module",
    "A module with weights that the model never calls",
    "wrong",
    "likely",
    why="Its parameters go to the optimizer and into each checkpoint, and no gradient reaches them. "
    "DistributedDataParallel stops with an error that its parameters were not used.",
    fix="Call it in forward(), or remove it from __init__().",
    source="torch/nn/parallel/distributed.py, find_unused_parameters",
)
def uncalled_module(network: Network) -> Iterator[Found]:
    in_training = {name for name, _ in noted(network, "called-in-training")}
    for layer in network.model.layers:
        if layer.config.get("uncalled") is True and layer.name not in in_training:
            yield layer.name, f"the model makes '{layer.name}' and never calls it"


@rule(
    "dropout-before-batchnorm",
    "Dropout straight before BatchNormalization",
    "hint",
    "likely",
    why="Dropout changes the variance in training but not at inference, so that the moving variance is wrong there.",
    fix="Put the Dropout after the last BatchNormalization.",
    source="Li et al.: Understanding the Disharmony between Dropout and Batch Normalization (2019)",
    inside=True,
    torch=Torch(
        "Dropout changes the variance in training but not at inference, so that the running variance is wrong there.",
        "Put the Dropout after the last BatchNorm.",
    ),
)
def dropout_before_batchnorm(network: Network) -> Iterator[Found]:
    yield from _dropout_before(network, "BatchNormalization")


@rule(
    "whole-image-at-inference",
    "RandomCrop that Keras 3 skips at inference",
    "wrong",
    "certain",
    why="Keras infers the cropped shape, but passes on the whole image at inference: a Dense after it fails, and other "
    "layers compute something else than in training.",
    fix="Crop outside of the model, in the data set, or use CenterCrop, which crops in training and at inference.",
    source="keras/src/layers/preprocessing/image_preprocessing/random_crop.py, Keras 3.0 to 3.15",
    inside=True,
)
def whole_image_at_inference(network: Network) -> Iterator[Found]:
    for call in derived(network):
        if type_of(network, call) != "RandomCrop" or call.definition is None or call.outputs[0] is None:
            continue
        before, after = call.definition.params[0].shape, call.outputs[0].shape
        if before != after and not is_before_keras_3(network.model.keras_version):
            yield call, f"Keras passes on {shape_text(before)}, and infers {shape_text(after)}"


def _dropout_before(network: Network, *types: str) -> Iterator[Found]:
    for call, behind in chained(network, *types):
        if rate := _dropout_rate(network.layer(call.name)):
            yield call, f"'{call.name}' (rate {rate}) feeds '{behind.name}'"


def _dropout_rate(layer: Layer, *types: str) -> float:
    """Return the share that a Dropout drops, or a layer of `types` of Keras; 0 for other layers."""
    if keras_type(layer.type) not in (types or ("Dropout",)):
        return 0
    rate = layer.config.get("p", 0.5) if layer.type.startswith("torch.") else layer.config.get("rate")
    return rate if isinstance(rate, int | float) else 0


@rule(
    "dropout-last",
    "Dropout as the last layer",
    "wrong",
    "likely",
    why="In training, outputs are set to 0 at random before the loss compares them with the targets.",
    fix="Put the Dropout before the last Dense.",
    source="Srivastava et al.: Dropout (2014)",
    torch=Torch(fix="Put the Dropout before the last Linear."),
)
def dropout_last(network: Network) -> Iterator[Found]:
    if network.model.training is None and not any(
        activation_of(network, call) == "softmax" for call in derived(network)
    ):
        return  # a backbone, whose head is elsewhere
    for call in derived(network):
        rate = _dropout_rate(network.layer(call.name))
        if rate and is_output(network, call) and not readers_of(network, call):
            yield call, f"'{call.name}' (rate {rate}) is an output of the model"


@rule(
    "dropout-always",
    "Dropout that eval() does not stop",
    "wrong",
    "likely",
    why="F.dropout drops values wherever it is not given training=False, after eval() too: predictions change from "
    "call to call.",
    fix="Write F.dropout(x, p, training=self.training); or use nn.Dropout, which eval() stops.",
    source="torch.nn.functional.dropout",
)
def dropout_always(network: Network) -> Iterator[Found]:
    for layer, _ in noted(network, "dropout-always"):
        yield layer, f"'{layer}' is not given training=self.training"


@rule(
    "dropout-of-all",
    "Dropout that drops every value",
    "wrong",
    "certain",
    why="With a rate of 1 every value is 0 in training: no later layer learns.",
    fix="Use a rate below 1, such as 0.5.",
    source="keras/src/layers/regularization/dropout.py",
    inside=True,
)
def dropout_of_all(network: Network) -> Iterator[Found]:
    types = ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D")
    for layer in network.model.layers_by_name.values():
        if _dropout_rate(layer, *types) == 1:
            yield layer.name, f"'{layer.name}' has a rate of 1"


@rule(
    "high-dropout",
    "A dropout rate above 0.5",
    "hint",
    "hint",
    why="More than half of the values are dropped; the others are scaled up to match, with much noise.",
    fix="Try 0.1 to 0.5; Keras's rate is the share that is dropped, not the share that is kept.",
    source="Srivastava et al.: Dropout (2014), section 7.3",
    inside=True,
    torch=Torch(fix="Try 0.1 to 0.5; p is the share that is dropped, not the share that is kept."),
)
def high_dropout(network: Network) -> Iterator[Found]:
    for layer in network.model.layers_by_name.values():
        rate = _dropout_rate(layer)
        if 0.5 < rate < 1:
            yield layer.name, f"'{layer.name}' drops {rate:.0%} of the values"


@rule(
    "mask-lost",
    "A mask that is lost on its way",
    "wrong",
    "certain",
    why="A later layer reads the padding as if it were data.",
    fix="Put the layer that needs the mask before the one that loses it, or leave padding out.",
    source="keras/src/layers/layer.py, which warns of it at run time",
    keras="warns when the layer is called",
)
def mask_lost(network: Network) -> Iterator[Found]:
    for name, mask in network.lost.items():
        call = network.calls_of(name)[0]
        if mask.readers:
            yield name, f"the mask of '{mask.source}' is {lost_words(mask)}"
        elif _joins_steps(call) and call.outputs[0] is not None and network.readers(call):
            message = f"the mask of '{mask.source}' ends here: all steps become one row of {call.outputs[0].shape[-1]}"
            yield name, f"{message}, the padding too"


def _joins_steps(call: TracedCall) -> bool:
    """Return whether a call lays all steps of a sequence in one row."""
    x, y = (specs[0] if specs else None for specs in (call.inputs, call.outputs))
    moves = call.definition is not None and not ends_with(call)
    return moves and x is not None and y is not None and len(x.shape) > 2 and len(y.shape) == 2


@rule(
    "floats-into-embedding",
    "Computed floats into an Embedding",
    "wrong",
    "certain",
    why="An Embedding looks up whole numbers: fractions are cut off, and no gradient passes back.",
    fix="Use a Dense layer, or give the Embedding the ids themselves.",
    source="keras/src/layers/core/embedding.py",
    inside=True,
    torch=Torch(
        "PyTorch stops there with an error: an Embedding looks up whole numbers.",
        "Use a Linear, or give the Embedding the ids themselves.",
    ),
)
def floats_into_embedding(network: Network) -> Iterator[Found]:
    for before, call in with_source(network):
        spec = call.inputs[0]
        if keras_type_of(network, call) != "Embedding" or spec is None or spec.dtype not in FLOATS:
            continue
        scale = _divisor(network, before)
        if scale is not None:
            rows = int(config_of(network, call).get("input_dim", 0))
            most = f"ids up to {rows - 1} become at most {(rows - 1) * scale:.3g}"
            yield call, f"'{before.name}' scales by {scale:.3g}: {most}, and '{call.name}' cuts off fractions"
        elif weights_of(before):
            severity = "breaks" if network.model.framework == "torch" else "wrong"
            yield call, f"'{call.name}' looks up what '{before.name}' computes, which are floats", severity


@rule(
    "half-precision-softmax",
    "A last softmax in float16",
    "wrong",
    "certain",
    why="float16 has three digits: small probabilities become 0, and the logarithm of the loss overflows.",
    fix="Give the last layer dtype='float32'.",
    source="https://www.tensorflow.org/guide/mixed_precision",
)
def half_precision_softmax(network: Network) -> Iterator[Found]:
    for call in network.calls:
        spec = call.outputs[0] if call.outputs else None
        half = "float16" in str(config_of(network, call).get("dtype")) or (spec is not None and spec.dtype == "float16")
        if half and call.sources and is_output(network, call) and ends_with(call) == "softmax":
            yield call, f"the softmax of '{call.name}' is computed in float16"


@rule(
    "rescaled-twice",
    "Rescaling twice",
    "wrong",
    "certain",
    why="The second Rescaling divides once more: values from 0 to 255 end between 0 and 0.004.",
    fix="Remove one of them.",
    source="keras/src/layers/preprocessing/rescaling.py",
)
def rescaled_twice(network: Network) -> Iterator[Found]:
    for direct, call in with_source(network):
        before = maker_of(network, direct)
        scale, own = (None if item is None else _divisor(network, item) for item in (before, call))
        if before is not None and scale is not None and own is not None:
            yield call, f"'{before.name}' has divided already: scales {scale:.4g} and {own:.4g}"
    for call in network.calls:
        inner, before = call.network, source_of(network, call)
        scale = None if before is None else _divisor(network, before)
        if inner is None or before is None or scale is None:
            continue
        for other in derived(inner):
            own = _divisor(inner, other) if other.sources[0] in inner.model.inputs else None
            if own is not None:
                message = f"rescales its input itself by {own:.4g}, after '{before.name}' by {scale:.4g}"
                yield call, f"'{call.name}' {message}"


def _divisor(network: Network, call: TracedCall) -> float | None:
    """Return the scale of a Rescaling that brings whole numbers of pixels near 1; None for any other layer and for a
    scale of 2, or back to 0 to 255, which is meant."""
    scale = config_of(network, call).get("scale") if type_of(network, call) == "Rescaling" else None
    return scale if isinstance(scale, int | float) and abs(scale) <= 1 / 64 else None


@rule(
    "dropout-before-pooling",
    "Dropout before max pooling",
    "hint",
    "hint",
    why="The maximum is taken of the values that remain, so that little is dropped while all values are scaled up.",
    fix="Put the Dropout after the pooling, or use SpatialDropout2D.",
    source="Tompson et al.: Efficient Object Localization Using Convolutional Networks (2015), section 3.3",
    inside=True,
    torch=Torch(fix="Put the Dropout after the pooling, or use Dropout2d."),
)
def dropout_before_pooling(network: Network) -> Iterator[Found]:
    types = {keras_type(layer.type) for layer in network.model.layers}
    yield from _dropout_before(network, *[kind for kind in types if "MaxPool" in kind])


@rule(
    "partly-frozen-batchnorm",
    "A trainable BatchNormalization after a frozen layer",
    "hint",
    "likely",
    why="Its moving mean and variance follow the new data, while the layer before it stays as it was trained.",
    fix="Freeze it too: it then computes as at inference.",
    source="https://keras.io/guides/transfer_learning",
    inside=True,
)
def partly_frozen_batchnorm(network: Network) -> Iterator[Found]:
    if not network.model.trainable:
        return
    for call, behind in chained(network, "BatchNormalization"):
        frozen, learns = (config_of(network, item).get("trainable", True) for item in (call, behind))
        if weights_of(call) and frozen is False and learns:
            yield behind, f"'{call.name}' is frozen, '{behind.name}' after it is not"


@rule(
    "vocabulary-too-large",
    "More ids than an Embedding has rows",
    "breaks",
    "certain",
    why="An id without a row raises an error on a CPU and silently gives a row of zeros on a GPU.",
    fix="Give the Embedding an input_dim of at least the number of ids.",
    source="keras/src/layers/core/embedding.py",
    inside=True,
)
def vocabulary_too_large(network: Network) -> Iterator[Found]:
    for call in network.calls:
        layer = network.layer(call.name)
        rows = layer.config.get("input_dim")
        before = source_of(network, call)
        if layer.type != "Embedding" or not isinstance(rows, int) or before is None:
            continue
        source = network.layer(before.name)
        count = _ids(source.type, source.config)
        if count is not None and count > rows:
            yield layer.name, f"'{source.name}' gives ids from 0 to {count - 1}, '{layer.name}' has {rows} rows"


def _ids(type_: str, config: Mapping[str, Any]) -> int | None:
    """Return how many ids a layer gives, by its configuration; None where that is not known."""
    boundaries, words = config.get("bin_boundaries"), config.get("vocabulary")
    if type_ == "Discretization" and isinstance(boundaries, list | tuple):
        return len(boundaries) + 1
    count = config.get({"Discretization": "num_bins", "Hashing": "num_bins"}.get(type_, "max_tokens"))
    if type_ in ("StringLookup", "IntegerLookup", "TextVectorization") and isinstance(words, list | tuple):
        return len(words) + (config.get("num_oov_indices", 1) or 0) + (config.get("mask_token") is not None)
    known = type_ in ("Discretization", "Hashing", "StringLookup", "IntegerLookup", "TextVectorization")
    return count if known and isinstance(count, int) else None
