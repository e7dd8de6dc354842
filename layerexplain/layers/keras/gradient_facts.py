"""What is worth knowing of the gradients of layers: a sentence or two beside the formulas that `--gradient` prints."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from layerexplain.layers.hints import FACTS, Hint, LayerInModel, hint
from layerexplain.ops.window import first_windows

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
