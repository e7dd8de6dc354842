"""What is worth knowing of the gradients of layers: a sentence or two beside the formulas that `--gradient` prints."""

from __future__ import annotations

from functools import partial

from layerexplain.layers.hints import FACTS, Place, hint
from layerexplain.ops.window import first_windows

fact = partial(hint, among=FACTS)


@fact("Dense", "EinsumDense")
def dense(at: Place) -> str | None:
    """The bias is added to every example and position."""
    if not at.gives("db"):
        return None
    where = "every example" if at.x.ndim == 2 else "every example and position"
    return f"The bias is added to {where}; its gradient is the sum over them."


@fact("Dense", "Conv{}D", "DepthwiseConv{}D", "SeparableConv{}D", "Conv{}DTranspose")
def bias_without_effect(at: Place) -> str | None:
    """What is the same everywhere, the mean takes away."""
    readers = at.readers()
    normalized = len(readers) == 1 and readers[0].type == "BatchNormalization"
    if not normalized or not at.gives("db") or at.argument("activation") not in (None, "linear"):
        return None
    return (
        f"db is 0, but for rounding: '{readers[0].name}' takes away the mean of the batch, and with it whatever the "
        "bias adds."
    )


@fact("MultiHeadAttention")
def bias_of_keys(at: Place) -> str | None:
    """Softmax does not see what is added to all scores."""
    if not at.gives("db_k"):
        return None
    return (
        "db_k is 0, but for rounding: the bias of the keys adds the same to all scores of a query, which softmax does "
        "not see."
    )


@fact("Activation", "Dense", "Softmax")
def softmax_over_one(at: Place) -> str | None:
    """A softmax over one value is always 1."""
    name = at.argument("activation") if at.type != "Softmax" else "softmax"
    if name != "softmax" or at.y.shape[-1:] != (1,):
        return None
    return "All gradients that pass are 0: a softmax over one value is always 1."


@fact("Conv{}D")
def convolution(at: Place) -> str | None:
    """The kernel is read turned round."""
    if not at.gives("dx") or not first_windows(at.definition) or all(w.k == 1 for w in first_windows(at.definition)):
        return None
    return (
        "dx is a transposed convolution with the same kernel: each input position collects from all windows that read "
        "it, so that the kernel is read from its end."
    )


@fact("Conv{}D", "DepthwiseConv{}D", "SeparableConv{}D")
def kernel_of_convolution(at: Place) -> str | None:
    """Each weight is used at every position."""
    if not any(at.gives(name) for name in ("dW", "dW_d", "dW_p")):
        return None
    return "Each weight of the kernel is used at every position; its gradient is the sum over all of them."


@fact("Conv{}DTranspose")
def transposed(at: Place) -> str | None:
    """Its gradient is the convolution."""
    if not at.gives("dx"):
        return None
    return "dx is the ordinary convolution that this layer turns round, with the same kernel and strides."


@fact("GlobalMaxPooling{}D")
def global_max_pooling(at: Place) -> str | None:
    """The largest element of all gets everything."""
    return "Only the largest of all positions gets a gradient (several equal ones share it); the rest get 0."


@fact("MaxPooling{}D", "AdaptiveMaxPooling{}D")
def max_pooling(at: Place) -> str | None:
    """Only the largest element gets something."""
    return "Only the largest element of each window gets a gradient (the first of several equal ones); the rest get 0."


@fact("AveragePooling{}D", "GlobalAveragePooling{}D")
def average_pooling(at: Place) -> str | None:
    """All elements share."""
    return "All elements of a window get an equal share of its gradient."


@fact("Embedding")
def embedding(at: Place) -> str | None:
    """Only rows that were looked up."""
    if not at.gives("dE"):
        return None
    return (
        "Only rows whose id occurs in the batch get a gradient, the sum over its occurrences; ids are whole numbers "
        "and have none."
    )


@fact("BatchNormalization")
def batch_normalization(at: Place) -> str | None:
    """Examples depend on each other, unless the layer is frozen."""
    if at.gives("dx") and not at.gives("m1"):
        return "It is frozen: mean and variance are the stored ones, so that each example's gradient passes by itself."
    return (
        "In training the mean and the variance depend on the whole batch, so that each example sends a gradient to all "
        "others; the gradients of a channel sum to 0."
    )


@fact("LayerNormalization", "GroupNormalization")
def normalization(at: Place) -> str | None:
    """What the mean takes away."""
    return (
        "Adding a constant to all values that share a mean does not change the result, so the gradients that reach "
        "them sum to 0."
    )


@fact("Subtract")
def difference(at: Place) -> str | None:
    """The second gets the negative."""
    return "The first tensor gets the whole gradient, the second one the same with its sign turned round."


@fact("Add")
def residual(at: Place) -> str | None:
    """A residual branch passes the gradient on unchanged."""
    return "The gradient reaches every branch undiminished: this is why residual connections train deep networks."


@fact("Dropout", "SpatialDropout{}D")
def dropout(at: Place) -> str | None:
    """What is dropped learns nothing."""
    return "Elements that are dropped get no gradient in this step."


@fact("LSTM", "GRU", "SimpleRNN", "ConvLSTM{}D")
def recurrent(at: Place) -> str | None:
    """Backpropagation through time."""
    steps = at.x.shape[1]
    count = f"all {steps}" if isinstance(steps, int) else "all"
    learns = any(at.gives(name) for name in ("dW", "dU"))
    more = "; every step adds to the gradients of the same weights" if learns else ""
    return f"The gradient runs back through {count} steps{more}."


@fact("SpectralNormalization")
def spectral_normalization(at: Place) -> str | None:
    """Keras assigns the divided kernel before it is used."""
    return (
        "Keras stores the divided kernel W_new in the variable before it is used, so that the gradient by which its "
        "optimizers change the kernel is dW_new."
    )


SATURATES = {"sigmoid": "0.25", "tanh": "1", "hard_sigmoid": "1/6"}
"""The largest slope of functions that saturate."""


@fact("Dense", "Conv{}D", "Activation")
def saturation(at: Place) -> str | None:
    """How much an activation passes at most."""
    name = at.argument("activation")
    if name == "relu":
        return "relu passes the gradient where its argument is positive and blocks it elsewhere."
    if name == "softmax":
        return "With cross-entropy as the loss, the gradient of the argument of softmax is p - y."
    most = SATURATES.get(name) if isinstance(name, str) else None
    return None if most is None else f"{name} passes at most {most} of the gradient, and almost nothing far from 0."
