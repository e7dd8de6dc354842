"""Connectionist temporal classification (Graves et al., 2006): the loss and the decoding."""

from __future__ import annotations

from typing import Any

from layerexplain.lang.expr import NO_GRADIENT, NOT_DERIVED, NOT_INDEXED, UNKNOWN_COST, AxesOfEach, Axis, Expr
from layerexplain.ops.families import function
from layerexplain.ops.sizes import misfit, promote

OVER_ALL_PATHS = NOT_INDEXED("it sums over all alignments of the labels with the steps")


def _loss_axes(target: Expr, output: Expr, target_length: Expr, output_length: Expr, *, blank: int) -> list[Axis]:
    if target.ndim != 2 or output.ndim != 3:
        raise misfit("ctc_loss needs labels (batch, labels) and scores (batch, steps, classes)", target, output)
    return [Axis("batch", (1, 0), target.shape[0])]


def _loss_value(np: Any, target: Any, output: Any, target_length: Any, output_length: Any, *, blank: int) -> Any:
    scores = np.asarray(output, "f8")
    top = scores.max(axis=-1, keepdims=True)
    logs = scores - top - np.log(np.exp(scores - top).sum(axis=-1, keepdims=True))
    made = [
        _example(np, labels[: int(many)], rows[: int(steps)], blank % output.shape[-1])
        for labels, rows, many, steps in zip(target, logs, target_length, output_length, strict=True)
    ]
    return np.array(made)


def _example(np: Any, labels: Any, rows: Any, blank: int) -> float:
    """Return the negative log-probability of all paths that spell `labels`, by the forward algorithm."""
    path = np.full(2 * len(labels) + 1, blank)
    path[1::2] = labels
    skips = np.zeros(len(path), bool)
    skips[2:] = (path[2:] != blank) & (path[2:] != path[:-2])
    reached = np.full(len(path), -np.inf)
    if not len(rows):
        return 0.0 if not len(labels) else np.inf
    reached[:2] = rows[0, path[:2]]
    with np.errstate(all="ignore"):
        for row in rows[1:]:
            one = np.concatenate([[-np.inf], reached[:-1]])
            two = np.where(skips, np.concatenate([[-np.inf] * 2, reached])[: len(path)], -np.inf)
            reached = np.logaddexp(np.logaddexp(reached, one), two) + row[path]
        return -float(np.logaddexp.reduce(reached[-2:]))


ctc_loss = function(
    "ctc_loss",
    axes=_loss_axes,
    dtype=lambda target, output, *lengths, **attrs: promote(output.dtype, "float"),
    value=_loss_value,
    flops=UNKNOWN_COST,
    element=OVER_ALL_PATHS,
    defaults={"blank": 0},
    gradient=NOT_DERIVED("the gradient of ctc_loss is not derived yet"),
)
"""`ctc_loss(target, output, target_length, output_length)`: the negative log-probability of the labels:
of one class per step, by the softmax of the scores, with repeats merged and blanks removed."""


def _decode_axes(output: Expr, length: Expr, *, blank: int, merge: bool) -> AxesOfEach:
    if output.ndim != 3:
        raise misfit("ctc_decode needs scores (batch, steps, classes)", output)
    batch = Axis("batch", (0, 0), output.shape[0])
    steps = Axis("steps", (0, 1), output.shape[1], "padded with -1")
    return AxesOfEach([[Axis("", None, 1, "one reading"), batch, steps], [batch, Axis("", None, 1, "one score")]])


def _decode_value(np: Any, output: Any, length: Any, *, blank: int, merge: bool) -> Any:
    made = np.full(output.shape[:2], -1)
    score = np.zeros((len(output), 1))
    for n, (rows, steps) in enumerate(zip(output, length, strict=True)):
        best = rows[: int(steps)].argmax(axis=-1)
        score[n] = -rows[: int(steps)].max(axis=-1).sum()
        kept = best != blank % output.shape[-1]
        if merge:
            kept[1:] &= best[1:] != best[:-1]
        made[n, : kept.sum()] = best[kept]
    return made[None], score


ctc_decode = function(
    "ctc_decode",
    axes=_decode_axes,
    dtype=lambda output, length, **attrs: ("int32", promote(output.dtype, "float")),
    value=_decode_value,
    flops=UNKNOWN_COST,
    element=NOT_INDEXED("the positions depend on the values"),
    defaults={"blank": 0, "merge": True},
    gradient=NO_GRADIENT("found by searching"),
)
"""`labels, score = ctc_decode(output, length)`: the best class of each step, with repeats merged (`merge`) and
blanks removed, padded with -1; and the negative sum of the best scores."""
