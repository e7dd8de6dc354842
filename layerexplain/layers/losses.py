"""The losses of Keras, by what they ask of the targets; the names of its optimizers."""

from __future__ import annotations

from collections.abc import Callable

from layerexplain.lang.expr import Shape
from layerexplain.layers.declaration import snake_case
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple

Targets = Callable[[Shape], str]
"""Says which targets fit an output of a shape."""


class Loss(NamedTuple):
    """A loss: its other names, what its targets are, and of what: `probabilities`, `classes` or `numbers`."""

    name: str
    aliases: tuple[str, ...]
    targets: Targets
    of: str


def _each(what: str) -> Targets:
    return lambda shape: f"{what}, of shape {shape_text(shape)}"


def _class_numbers(shape: Shape) -> str:
    last = shape[-1] if shape else None
    upto = f"0 to {last - 1}" if isinstance(last, int) else "from 0 on"
    return f"whole numbers {upto}, of shape {shape_text(shape[:-1])}"


def _one_hot(shape: Shape) -> str:
    classes = "one number per class" if not shape or shape[-1] is None else shape[-1]
    return f"rows of {classes} that sum to 1, of shape {shape_text(shape)}"


LOSSES = {
    loss.name: loss
    for loss in (
        Loss("sparse_categorical_crossentropy", (), _class_numbers, "classes"),
        Loss("categorical_crossentropy", (), _one_hot, "classes"),
        Loss("categorical_focal_crossentropy", (), _one_hot, "classes"),
        Loss("binary_crossentropy", ("bce",), _each("0 or 1"), "probabilities"),
        Loss("binary_focal_crossentropy", (), _each("0 or 1"), "probabilities"),
        Loss("mean_squared_error", ("mse",), _each("numbers"), "numbers"),
        Loss("mean_absolute_error", ("mae",), _each("numbers"), "numbers"),
        Loss("mean_absolute_percentage_error", ("mape",), _each("numbers, none of them 0"), "numbers"),
        Loss("mean_squared_logarithmic_error", ("msle",), _each("numbers above -1"), "numbers"),
        Loss("huber", ("huber_loss",), _each("numbers"), "numbers"),
        Loss("log_cosh", ("logcosh",), _each("numbers"), "numbers"),
        Loss("circle", (), _class_numbers, "numbers"),
        Loss("ctc", (), lambda shape: "rows of label numbers from 1 on, padded with 0", "numbers"),
        Loss("categorical_generalized_cross_entropy", (), _class_numbers, "classes"),
        Loss("poisson", (), _each("counts from 0 on"), "numbers"),
        Loss("kl_divergence", ("kld", "kullback_leibler_divergence"), _each("probabilities that sum to 1"), "classes"),
        Loss("hinge", (), _each("-1 or 1"), "numbers"),
        Loss("squared_hinge", (), _each("-1 or 1"), "numbers"),
        Loss("categorical_hinge", (), _one_hot, "numbers"),
        Loss("cosine_similarity", ("cosine_proximity", "cosine"), _each("vectors along the last axis"), "numbers"),
        Loss("tversky", (), _each("0 or 1"), "probabilities"),
        Loss("dice", (), _each("0 or 1"), "probabilities"),
    )
}
"""Name, in snake case → loss."""

_ALIASES = {alias: loss for loss in LOSSES.values() for alias in loss.aliases}


def loss_of(name: str) -> Loss | None:
    """Return the loss of a name, an alias or a class name; None for one that Keras does not have.

    >>> loss_of("mse") is loss_of("MeanSquaredError") is LOSSES["mean_squared_error"]
    True
    """
    key = snake_case(name) if not name.islower() else name
    return LOSSES.get(key) or _ALIASES.get(key) or _ALIASES.get(name.lower())


OPTIMIZERS = (
    "adam", "sgd", "adamw", "rmsprop", "adagrad", "adadelta", "adamax", "nadam", "ftrl", "lion", "lamb", "muon",
    "adafactor", "schedulefreeadamw", "multioptimizer",
)  # fmt: skip
"""The optimizers of Keras 3, in lower case."""


def is_optimizer(name: str) -> bool:
    """Return whether Keras has an optimizer of this name.

    >>> is_optimizer("RMSprop"), is_optimizer("Adams")
    (True, False)
    """
    return name.lower() in OPTIMIZERS
