"""What compile() makes of a loss and a metric: the class that a name stands for at given shapes, and which losses are
computed from the values before the last activation.

Compared with Keras in tests/layers/test_compiled.py. Reference: keras/src/trainers/compile_utils.py (get_metric,
get_loss); keras/src/backend/tensorflow/nn.py (_get_logits).
"""

from __future__ import annotations

from layerexplain.lang.axes import Shape
from layerexplain.layers.keras.losses import Loss, loss_of

_ACCURACIES = frozenset({"accuracy", "acc"})
_CROSSENTROPIES = frozenset({"crossentropy", "ce"})

ACCURACY_COUNTS = {
    "BinaryAccuracy": "outputs above 0.5 as 1, all others as 0, and counts those that equal their target",
    "CategoricalAccuracy": "the largest of the {units} outputs, and counts examples where the target is largest too",
    "SparseCategoricalAccuracy": "the number of the largest of the {units} outputs, and counts those that equal it",
}
"""Metric that "accuracy" stands for → what it takes, in words."""

_REMEMBERED = ("softmax", "sigmoid")
_OF_LOGITS = ("categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy")

_FOCAL_OF_LOGITS = ("binary_focal_crossentropy", "sigmoid")


def is_of_logits(loss: Loss, activation: str) -> bool:
    """Return whether Keras computes a loss from what the last activation is applied to: on TensorFlow it remembers that
    of softmax and sigmoid (`_keras_logits`), whichever of the two the loss is made for.

    >>> mse, sparse = loss_of("mse"), loss_of("sparse_categorical_crossentropy")
    >>> is_of_logits(sparse, "sigmoid"), is_of_logits(sparse, "tanh"), is_of_logits(mse, "softmax")
    (True, False, False)
    """
    return (loss.name in _OF_LOGITS and activation in _REMEMBERED) or (loss.name, activation) == _FOCAL_OF_LOGITS


def is_of_both(loss: Loss, activation: str) -> bool:
    """Return whether Keras computes one factor of a loss from the output, and one from what was before it."""
    return (loss.name, activation) == ("binary_focal_crossentropy", "softmax")


def suited_losses(activation: str) -> tuple[str, ...]:
    """Return the losses that are made for outputs of a last activation.

    >>> suited_losses("sigmoid"), suited_losses("linear")
    (('binary_crossentropy',), ('mean_squared_error',))
    """
    if activation == "softmax":
        return ("categorical_crossentropy", "sparse_categorical_crossentropy")
    return ("binary_crossentropy",) if activation == "sigmoid" else ("mean_squared_error",)


def is_accuracy(metric: str) -> bool:
    """Return whether a metric is the one that Keras chooses by shapes."""
    return metric.lower() in _ACCURACIES


def accuracy_at(targets: Shape | None, output: Shape | None) -> str:
    """Return the class that "accuracy" stands for; "" where the shapes do not decide it.

    >>> accuracy_at(None, (None, 1)), accuracy_at((None, 3), (None, 3)), accuracy_at((None, 1), (None, 3))
    ('BinaryAccuracy', 'CategoricalAccuracy', 'SparseCategoricalAccuracy')
    >>> accuracy_at(None, (None, 3))
    ''
    """
    kind = _kind_at(targets, output)
    return f"{''.join(word.capitalize() for word in kind.split('_'))}Accuracy" if kind else ""


def loss_at(name: str, output: Shape | None = None, targets: Shape | None = None) -> Loss | None:
    """Return the loss of a name; None for one that Keras does not have, and where it would choose it by shapes that are
    not known.

    >>> loss_at("ce", (None, 1)).name, loss_at("crossentropy", (None, 3), (None,)).name, loss_at("ce", (None, 3))
    ('binary_crossentropy', 'sparse_categorical_crossentropy', None)
    """
    if name.lower() not in _CROSSENTROPIES:
        return loss_of(name)
    kind = _kind_at(targets, output)
    return loss_of(f"{kind}_crossentropy") if kind else None


def _kind_at(targets: Shape | None, output: Shape | None) -> str:
    """Return whether targets and output are of two classes, of one-hot rows or of class numbers; "" if unknown."""
    if not output:
        return ""
    if output[-1] == 1:
        return "binary"
    if targets is None or not isinstance(output[-1], int):
        return ""
    return "sparse_categorical" if len(targets) < len(output) or targets[-1:] == (1,) else "categorical"
