"""Hints that compare: what a number of parameters depends on, and what differs from PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from layerexplain.lang.expr import CONSTANT, INPUT
from layerexplain.lang.visit import nodes
from layerexplain.layers.hints import CONVENTION, EVERYWHERE, FACTS, KINDS, WATCH, Hint, LayerInModel, hint
from layerexplain.ops.sizes import FLOATS, INTS
from layerexplain.ops.spatial import each
from layerexplain.ops.window import first_windows, windows

# Hints compared -----------------------------------------------------------------------------------------------------


@hint("Conv{}D", "Conv{}DTranspose", "DepthwiseConv{}D", "SeparableConv{}D", "ConvLSTM{}D")
def same_at_every_position(at: LayerInModel) -> str | None:
    """Why the number of parameters does not depend on the image."""
    if not at.params:
        return None
    over_time = at.type.startswith("ConvLSTM")
    spatial = {3: "sequence", 4: "images", 5: "volumes"}[at.x.ndim - over_time]
    size = "length" if spatial == "sequence" else "size"
    steps = " and the number of steps" if over_time else ""
    return (
        f"The {at.params:,} parameters do not depend on the {size} of the {spatial}{steps}: the same kernel is used at "
        "every position."
    )


@hint("Dense")
def dense_of_flattened(at: LayerInModel) -> str | None:
    """Why the number of parameters depends on the image."""
    source = at.source
    if source is None or source.name != "flatten":
        return None
    sizes = source.params[0].shape[1:]
    return (
        f"{at.x.shape[-1]:,} inputs = {' × '.join(map(str, sizes))}, all that Flatten joins: the number of parameters "
        "grows with them."
    )


# PyTorch ------------------------------------------------------------------------------------------------------------
# Its conventions are those of its documentation: torch.nn.Linear, Conv2d, ConvTranspose2d, LSTM, GRU, BatchNorm2d,
# LayerNorm and torch.nn.functional.scaled_dot_product_attention.


@hint("Dense", "Conv{}D", "DepthwiseConv{}D", kind=CONVENTION)
def torch_kernel(at: LayerInModel) -> str | None:
    """In which order the axes of a kernel stand."""
    if not at.definition.weights or at.argument("lora_rank") or at.argument("dtype"):
        return None
    axes = [packed[0][0] for packed in at.definition.weights[0].attrs["axes"]]
    if at.type == "Dense":
        return "PyTorch's Linear stores the transpose of W, (units, inputs)."
    spatial = axes[:-2]
    if at.type.startswith("Depthwise"):
        return (
            f"PyTorch stores the kernel of groups=channels as (channels × depth_multiplier, 1, {', '.join(spatial)})."
        )
    order = (len(axes) - 1, len(axes) - 2, *range(len(axes) - 2))
    return f"PyTorch stores W as (filters, channels, {', '.join(spatial)}): W.transpose{order}."


@hint("LSTM", "GRU", "SimpleRNN", kind=CONVENTION)
def torch_gates(at: LayerInModel) -> str | None:
    """In which order the gates stand, and how many biases there are."""
    order = {
        "LSTM": "has the gates in the same order (i, f, g, o)",
        "GRU": "has the gates in the order r, z, g, here z, r, g",
        "SimpleRNN": "computes the same",
    }[at.type]
    biases = [w for w in at.definition.weights if w.attrs["name"] == "bias"]
    text = f"PyTorch {order} and stores the transposes of W and U"
    if at.type == "GRU" and not at.argument("reset_after"):
        return f"{text}; it has no form with reset_after=False."
    if biases and len(biases[0].shape) == 1:
        text += "; its second bias is added to the first, so it may be 0"
    return f"{text}."


@hint("BatchNormalization", kind=CONVENTION)
def torch_batch_norm(at: LayerInModel) -> str | None:
    epsilon, momentum = at.argument("epsilon"), at.argument("momentum")
    replaced = round(1 - momentum, 10)
    return (
        f"epsilon={epsilon:g}, in PyTorch by default 1e-05. momentum={momentum:g} is the share of the running "
        f"statistics that is kept; PyTorch's is the share that is replaced, here {replaced:g}, by default 0.1."
    )


@hint("LayerNormalization", "GroupNormalization", kind=CONVENTION)
def torch_epsilon(at: LayerInModel) -> str | None:
    return f"epsilon={at.argument('epsilon'):g}, in PyTorch by default 1e-05."


@hint("Attention", kind=CONVENTION)
def torch_scale(at: LayerInModel) -> str | None:
    width = at.x.shape[-1]
    if at.argument("score_mode") != "dot" or at.argument("use_scale"):
        return None
    return (
        f"The scores are not divided by √{width}, as they are in MultiHeadAttention and in PyTorch's "
        "scaled_dot_product_attention. use_scale=True multiplies them by a learned number."
    )


@hint("Conv{}DTranspose", kind=CONVENTION)
def torch_output_padding(at: LayerInModel) -> str | None:
    """The paddings with which PyTorch returns the same, of one axis where all are alike."""
    node = next(node for node in nodes(at.definition) if node.op.name == "conv_transpose")
    slides = windows(node)
    results = [
        _torch_paddings(w, more)
        for w, more in zip(slides, each(node.attrs.get("output_padding"), len(slides)), strict=True)
    ]
    only = results[0] if results and all([item == results[0] for item in results]) else None
    if only is None:
        return None
    before, more, fits = only
    if not fits:
        return (
            f"PyTorch's padding= cannot reproduce this: it crops both sides equally, Keras crops {before} at the "
            f"start and {before - more} at the end."
        )
    return f"The same as padding={before}, output_padding={more} in PyTorch."


def _torch_paddings(w: Any, output_padding: int | None) -> tuple[int, int, bool] | None:
    """What is cut off before, how much less behind, and whether PyTorch can do that."""
    size = w.transposed_size(output_padding)
    if size is None:
        return None
    before = w.transposed_start(size)
    more = size - ((w.n - 1) * w.stride + w.reach - 2 * before)
    return before, more, 0 <= more < max(w.stride, w.dilation)


# TensorFlow ---------------------------------------------------------------------------------------------------------


def _casts(at: LayerInModel) -> str | None:
    """What a cast to whole numbers makes of numbers and leaves undefined; of 32 bits with a sign nobody meets the
    bounds."""
    for node in nodes(at.definition):
        if node.op.name != "cast" or node.args[0].dtype not in FLOATS:
            continue
        (x,), to = node.args, str(node.dtype)
        value = x.attrs.get("value") if x.op is CONSTANT else None
        if isinstance(value, float) and to in INTS and abs(value) < 2**31 and value != int(value):
            return f"Keras casts its numbers to {to}, too: {value:.5g} becomes {int(value)}."
        if x.op is INPUT and to in _NARROW:
            least, most = _NARROW[to]
            return (
                f"Floats of {least - 1:,} and less or {most + 1:,} and more have no defined value in {to}: what "
                "TensorFlow gives depends on where in the tensor they stand. All others lose their fraction."
            )
    return None


_NARROW = {"int8": (-128, 127), "int16": (-(2**15), 2**15 - 1)} | {f"uint{n}": (0, 2**n - 1) for n in (8, 16, 32, 64)}
"""The least and the largest whole number of each dtype."""


def _grouped_queries(at: LayerInModel) -> str | None:
    """Why attention has fewer heads of keys than of queries."""
    heads, shared = at.definition.arguments.get("heads"), at.definition.arguments.get("kv_heads")
    if not isinstance(heads, int) or not isinstance(shared, int) or not 0 < shared < heads:
        return None
    times = heads // shared
    if shared == 1:
        return f"All {heads} query heads share one head of keys and values, so the cache is {heads} times smaller."
    return (
        f"Grouped queries: each of the {shared} heads of keys and values serves {times} of the {heads} query heads, so "
        f"the cache is {times} times smaller."
    )


for _everywhere in (_casts, _grouped_queries):
    EVERYWHERE.append(_everywhere)
    KINDS[_everywhere] = WATCH


# Layers of PyTorch itself: what its documentation of torch.nn.LSTM says.


@hint("torch.nn.LSTM", "torch.nn.GRU", "torch.nn.RNN")
def results_of_steps(at: LayerInModel) -> str:
    """What each of the results is."""
    cells = "; c_n its cell states" if at.type == "torch.nn.LSTM" else ""
    return f"y is h of the last layer at every step; h_n is h of every layer after its last step{cells}."


@hint("torch.nn.LSTM", "torch.nn.GRU", "torch.nn.RNN")
def state_keeps_its_order(at: LayerInModel) -> str | None:
    """Why h_n does not have the batch in front."""
    if not at.argument("batch_first"):
        return None
    return "h_n is (layers × directions, batch, units) whatever batch_first says: that orders the input and y alone."


@hint("torch.nn.LSTM", "torch.nn.GRU", "torch.nn.RNN")
def last_step_of_both_directions(at: LayerInModel) -> str | None:
    """What the last step of a bidirectional layer has seen."""
    if not at.argument("bidirectional"):
        return None
    last = "y[:, -1]" if at.argument("batch_first") else "y[-1]"
    return f"In {last} the backward half has read one step only; h_n[-2] and h_n[-1] are the ends of both directions."


@hint("torch.nn.LSTM", "torch.nn.RNN")
def second_bias(at: LayerInModel) -> str | None:
    """Why there are two biases."""
    if at.argument("bias") is False:
        return None
    return "The two biases are only added, so one would do: PyTorch keeps both as cuDNN does. Keras's layer has one."


# Gradient facts -----------------------------------------------------------------------------------------------------
# What is worth knowing of the gradients of layers: a sentence or two beside the formulas that `--gradient` prints.

fact = partial(hint, among=FACTS)


@fact("Dense", "EinsumDense")
def dense(at: LayerInModel) -> str | None:
    """The bias is added to every example and position."""
    if not at.gives("db"):
        return None
    where = "every example" if at.x.ndim == 2 else "every example and position"
    return f"The bias is added to {where}; its gradient is the sum over them."


@fact("Dense", "Conv{}D", "DepthwiseConv{}D", "SeparableConv{}D", "Conv{}DTranspose")
def bias_without_effect(at: LayerInModel) -> str | None:
    """What is the same everywhere, the mean takes away."""
    readers = at.readers
    normalized = len(readers) == 1 and readers[0].type == "BatchNormalization"
    if not normalized or not at.gives("db") or at.argument("activation") not in (None, "linear"):
        return None
    return f"db is 0 up to rounding: '{readers[0].name}' subtracts the mean of the batch, which includes the bias."


@fact("Activation", "Dense", "Softmax")
def softmax_over_one(at: LayerInModel) -> str | None:
    """A softmax over one value is always 1."""
    name = at.argument("activation") if at.type != "Softmax" else "softmax"
    if name != "softmax" or at.y.shape[-1:] != (1,):
        return None
    return "All gradients that pass are 0: a softmax over one value is always 1."


@fact("Conv{}D")
def convolution(at: LayerInModel) -> str | None:
    """The kernel is read turned round."""
    if not at.gives("dx") or not first_windows(at.definition) or all(w.k == 1 for w in first_windows(at.definition)):
        return None
    return (
        "dx is a transposed convolution with the same kernel: each input position collects from all windows that read "
        "it, so that the kernel is read from its end."
    )


SAID = """
MultiHeadAttention (db_k): db_k is 0 up to rounding: the bias of the keys adds the same number to all
  scores of a query, which softmax ignores.
Conv{}D DepthwiseConv{}D SeparableConv{}D (dW dW_d dW_p): Each weight of the kernel is used at every position; its
    gradient is the sum over all of them.
Conv{}DTranspose (dx): dx is the ordinary convolution that this layer transposes, with the same kernel and strides.
GlobalMaxPooling{}D: Only the largest of all positions gets a gradient (several equal ones share it); the rest get 0.
MaxPooling{}D AdaptiveMaxPooling{}D: Only the largest element of each window gets a gradient (the first of several
    equal ones); the rest get 0.
AveragePooling{}D GlobalAveragePooling{}D: All elements of a window get an equal share of its gradient.
Embedding (dE): Only rows whose id occurs in the batch get a gradient, the sum over its occurrences; ids are whole
    numbers and have none.
LayerNormalization GroupNormalization: Adding a constant to all values that share a mean does not change the result, so
    the gradients that reach them sum to 0.
Subtract: The first tensor gets the whole gradient, the second one the same with its sign turned round.
Add: The gradient reaches every branch undiminished: this is why residual connections train deep networks.
Dropout SpatialDropout{}D: Elements that are dropped get no gradient in this step.
SpectralNormalization: Keras stores the divided kernel W_new in the variable before it is used, so that the gradient by
    which its optimizers change the kernel is dW_new.
"""
"""A fact per row: layer types, in brackets gradients of which at least one must be printed, and the sentence."""


def _said(sentence: str, gradients: Sequence[str]) -> Hint:
    return lambda at: sentence if not gradients or any(map(at.gives, gradients)) else None


for _row in SAID.replace("\n ", " ").strip().split("\n"):
    _types, _, _sentence = " ".join(_row.split()).partition(": ")
    _types, _, _gradients = _types.rstrip(")").partition(" (")
    fact(*_types.split())(_said(_sentence, _gradients.split()))


@fact("BatchNormalization")
def batch_normalization(at: LayerInModel) -> str | None:
    """Examples depend on each other, unless the layer is frozen."""
    if at.gives("dx") and not at.gives("m1"):
        return (
            "It is frozen: mean and variance are constants, so that the gradient of each example passes independently."
        )
    return (
        "In training the mean and the variance depend on the whole batch, so that each example sends a gradient to all "
        "others; the gradients of a channel sum to 0."
    )


@fact("LSTM", "GRU", "SimpleRNN", "ConvLSTM{}D")
def recurrent(at: LayerInModel) -> str | None:
    """Backpropagation through time."""
    steps = at.x.shape[1]
    count = f"all {steps}" if isinstance(steps, int) else "all"
    learns = any(at.gives(name) for name in ("dW", "dU"))
    more = "; every step adds to the gradients of the same weights" if learns else ""
    return f"The gradient runs back through {count} steps{more}."


SATURATES = {"sigmoid": "0.25", "tanh": "1", "hard_sigmoid": "1/6"}
"""The largest slope of functions that saturate."""


@fact("Dense", "Conv{}D", "Activation")
def saturation(at: LayerInModel) -> str | None:
    """How much an activation passes at most."""
    name = at.argument("activation")
    if name == "relu":
        return "relu passes the gradient where its argument is positive and blocks it elsewhere."
    if name == "softmax":
        return "With cross-entropy as the loss, the gradient of the argument of softmax is p - y."
    most = SATURATES.get(name) if isinstance(name, str) else None
    return None if most is None else f"{name} passes at most {most} of the gradient, and almost nothing far from 0."
