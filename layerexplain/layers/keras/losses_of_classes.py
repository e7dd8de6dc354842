"""Losses of classes and probabilities: cross-entropies, overlaps, CTC. Reference: keras.losses."""

from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import AxisArgument, Bool, Int, Number, Share
from layerexplain.layers.keras.losses import (
    EPSILON,
    Targets,
    binary,
    class_numbers,
    each,
    inside,
    loss,
    one_per_class,
    operation,
)
from layerexplain.ops import elementwise as e
from layerexplain.ops import functions, reduce
from layerexplain.ops import movement as m
from layerexplain.ops.contract import dot
from layerexplain.ops.sizes import misfit
from layerexplain.records import NamedTuple

# Losses of classes --------------------------------------------------------------------------------------------------


def _smoothed(y_true: Expr, smoothing: float, share: float | None) -> Expr:
    """Targets moved a little towards `share` each, None for that of one class among those of the last axis."""
    if not smoothing:
        return y_true
    if share is None:
        classes = y_true.shape[-1]
        if not isinstance(classes, int):
            raise misfit("label_smoothing needs a known number of classes", y_true)
        share = 1 / classes
    return named("target", (1 - smoothing) * y_true + smoothing * share)


@loss("CategoricalCrossentropy", one_per_class, "classes", exact=True)
def categorical_crossentropy(
    y_true: Expr, y_pred: Expr, *, from_logits: Bool = False, label_smoothing: Share = 0.0, axis: Int = -1
) -> Expr:
    """Negative log-probability of the correct class; targets are one-hot."""
    target = _smoothed(y_true, label_smoothing, None)
    return operation("CategoricalCrossentropy", target, y_pred, from_logits=from_logits, axis=axis)


@loss("SparseCategoricalCrossentropy", class_numbers, "classes", exact=True)
def sparse_crossentropy(
    y_true: Expr, y_pred: Expr, *, from_logits: Bool = False, ignore_class: Int | None = None, axis: Int = -1
) -> Any:
    """Negative log-probability of the correct class; targets are class numbers."""
    if ignore_class is None:
        return operation("SparseCategoricalCrossentropy", y_true, y_pred, from_logits=from_logits, axis=axis)
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = y_true[..., 0]
    counts = named("counts", e.not_equal(y_true, ignore_class))
    ids = e.where(counts, y_true, 0)
    values = operation("SparseCategoricalCrossentropy", ids, y_pred, from_logits=from_logits, axis=axis)
    return e.where(counts, values, 0.0), counts


class Focal(NamedTuple):
    """The arguments that focal losses share: how much what is sure counts less, and what outputs and targets are."""

    alpha: Number = 0.25
    gamma: Number = 2.0
    from_logits: Bool = False
    label_smoothing: Share = 0.0


@loss("CategoricalFocalCrossentropy", one_per_class, "classes")
def categorical_focal_crossentropy(y_true: Expr, y_pred: Expr, *, focal: Focal, axis: Int = -1) -> Expr:
    """Categorical cross-entropy that gives less weight to classes of which the model is already sure.

    Reference: Lin et al., 2018.
    """
    target = _smoothed(y_true, focal.label_smoothing, None)
    shares = functions.softmax(y_pred, axis=axis) if focal.from_logits else y_pred
    p = named("p", inside(shares / reduce.sum_(shares, axis=axis, keepdims=True)))
    return reduce.sum_(focal.alpha * (1 - p) ** focal.gamma * (-target * e.log(p)), axis=axis)


@loss("BinaryCrossentropy", binary, "probabilities", "bce", exact=True)
def binary_crossentropy(
    y_true: Expr, y_pred: Expr, *, from_logits: Bool = False, label_smoothing: Share = 0.0, axis: AxisArgument = -1
) -> Expr:
    """Minus the logarithm of the probability given to the correct label; each output is an independent yes/no question.

    With `label_smoothing` the targets move towards 0.5.
    """
    target = _smoothed(y_true, label_smoothing, 0.5)
    return reduce.mean(operation("BinaryCrossentropy", target, y_pred, from_logits=from_logits), axis=axis)


@loss("BinaryFocalCrossentropy", binary, "probabilities", exact=True)
def binary_focal_crossentropy(
    y_true: Expr, y_pred: Expr, *, apply_class_balancing: Bool = False, focal: Focal, axis: AxisArgument = -1
) -> Expr:
    """Binary cross-entropy that gives less weight to outputs of which the model is already sure.

    Reference: Lin et al., 2018.
    """
    target = _smoothed(y_true, focal.label_smoothing, 0.5)
    output = named("q", functions.sigmoid(y_pred)) if focal.from_logits else y_pred
    values = operation("BinaryCrossentropy", target, y_pred, from_logits=focal.from_logits)
    right = named("right", target * output + (1 - target) * (1 - output))
    values = (1 - right) ** focal.gamma * values
    if apply_class_balancing:
        values = (target * focal.alpha + (1 - target) * (1 - focal.alpha)) * values
    return reduce.mean(values, axis=axis)


@loss("CategoricalGeneralizedCrossEntropy", class_numbers, "classes")
def categorical_generalized_cross_entropy(y_true: Expr, y_pred: Expr, *, q: Share = 0.5) -> Expr:
    """Lies between cross-entropy (`q` near 0) and absolute error (`q` = 1); robust against wrong labels.

    Reference: Zhang and Sabuncu, 2018.
    """
    if not q:
        raise ArgumentError("CategoricalGeneralizedCrossEntropy needs q above 0, got q=0; for example q=0.5")
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = y_true[..., 0]
    classes = y_pred.shape[-1]
    from layerexplain.ops.joining import one_hot  # a summary asks a loss for its targets alone

    p = named("p", reduce.sum_(y_pred * one_hot(y_true, n=classes), axis=-1))
    return (1 - p**q) / q


@loss("KLDivergence", each("probabilities that sum to 1", "shares"), "classes", "kld", "kullback_leibler_divergence")
def kl_divergence(y_true: Expr, y_pred: Expr) -> Expr:
    """How far the predicted distribution is from the true one: the mean logarithm of true / predicted,
    weighted by the true probabilities."""
    p, q = (named(name, e.minimum(e.maximum(x, EPSILON), 1)) for name, x in (("p", y_true), ("q", y_pred)))
    return reduce.sum_(p * e.log(p / q), axis=-1)


@loss("Dice", binary, "probabilities")
def dice(y_true: Expr, y_pred: Expr, *, axis: AxisArgument | None = None) -> Expr:
    """1 minus the overlap of targets and outputs: twice their intersection divided by the sum of both.

    Without `axis` one number for the whole batch.
    """
    both = reduce.sum_(y_true * y_pred, axis=axis)
    return 1 - 2 * both / (reduce.sum_(y_true, axis=axis) + reduce.sum_(y_pred, axis=axis) + EPSILON)


@loss("Tversky", binary, "probabilities")
def tversky(
    y_true: Expr, y_pred: Expr, *, alpha: Number = 0.5, beta: Number = 0.5, axis: AxisArgument | None = None
) -> Expr:
    """1 minus the overlap of targets and outputs, with separate weights for false negatives and false positives.

    In Keras `alpha` weighs what is missed, and `beta` what is wrongly found. Reference: Salehi et al., 2017.
    """
    both = named("both", reduce.sum_(y_true * y_pred, axis=axis))
    missed = named("missed", reduce.sum_((1 - y_pred) * y_true, axis=axis))
    wrong = named("wrong", reduce.sum_(y_pred * (1 - y_true), axis=axis))
    return 1 - both / (both + missed * alpha + wrong * beta + EPSILON)


@loss("Circle", class_numbers, "numbers")
def circle(
    y_true: Expr, y_pred: Expr, *, gamma: Number = 80.0, margin: Number = 0.4, remove_diagonal: Bool = True
) -> Any:
    """Pulls the outputs of one class together and pushes those of other classes away, within the batch.

    The outputs are vectors of length 1. Examples whose loss is 0 do not count. Reference: Sun et al., 2020.
    """
    if y_pred.ndim != 2:
        raise misfit("Circle needs a vector for each example", y_pred)
    labels = y_true if y_true.ndim == 1 else m.reshape(y_true, shape=(y_true.shape[0],))
    distance = named("distance", e.maximum(1 - dot(y_pred, m.transpose(y_pred, axes=(1, 0))), 0))
    same = named("same", e.equal(labels[:, None], labels[None, :]))
    other = e.logical_not(same)
    if remove_diagonal:
        place = named("place", m.positions(y_pred, axis=0))
        same = named("pairs", e.logical_and(same, e.not_equal(place[:, None], place[None, :])))
    near = named("near", -gamma * (margin + distance) * (margin - distance))
    far = named("far", gamma * e.maximum(1 + margin - distance, 0) * (1 - margin - distance))
    sums = []
    for mask, scores in ((same, near), (other, far)):
        sums.append(functions.log_sum_exp(e.where(mask, scores, float("-inf"))))
    values = named("losses", functions.softplus(sums[0] + sums[1]))
    return values, e.greater(values, 0)


LABELS = Targets(lambda shape: "rows of label numbers from 1 on, padded with 0", "letters")


@loss("CTC", LABELS, "numbers")
def ctc_of_scores(y_true: Expr, y_pred: Expr) -> Expr:
    """CTC loss: minus the logarithm of the probability of a text, over all alignments of its letters with the steps.

    The class 0 is the blank, and pads the labels. Reference: Graves et al., 2006.
    """
    if y_true.ndim != 2 or y_pred.ndim != 3:
        raise misfit("CTC needs labels (batch, labels) and scores (batch, steps, classes)", y_true, y_pred)
    from layerexplain.ops.arrange import full_like  # a summary asks a loss for its targets alone
    from layerexplain.ops.ctc import ctc_loss

    letters = named("letters", reduce.sum_(e.cast(e.not_equal(y_true, 0), to="int32"), axis=-1))
    steps = y_pred.shape[1]
    if not isinstance(steps, int):
        raise misfit("CTC needs a known number of steps", y_pred)
    return ctc_loss(y_true, y_pred, letters, full_like(letters, value=steps))
