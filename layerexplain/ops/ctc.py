"""Connectionist temporal classification (Graves et al., 2006): the loss and the decoding."""

from __future__ import annotations

from typing import Any

from layerexplain.lang.axes import AxesOfEach, Axis
from layerexplain.lang.expr import NO_GRADIENT, NOT_INDEXED, UNKNOWN_COST, UNKNOWN_GRADIENT, Expr, named
from layerexplain.ops.families import function
from layerexplain.ops.functions import softmax
from layerexplain.ops.movement import slice_along
from layerexplain.ops.reduce import sum_
from layerexplain.ops.sizes import kept, misfit, promote

OVER_ALL_PATHS = NOT_INDEXED("it sums over all alignments of the labels with the steps")


def _loss_axes(target: Expr, output: Expr, target_length: Expr, output_length: Expr, *, blank: int) -> list[Axis]:
    if target.ndim != 2 or output.ndim != 3:
        raise misfit("ctc_loss needs labels (batch, labels) and scores (batch, steps, classes)", target, output)
    return [Axis("batch", (1, 0), target.shape[0])]


def _logs(np: Any, output: Any) -> Any:
    """Return the logarithms of the probabilities of all classes."""
    scores = np.asarray(output, "f8")
    top = scores.max(axis=-1, keepdims=True)
    return scores - top - np.log(np.exp(scores - top).sum(axis=-1, keepdims=True))


def _loss_value(np: Any, target: Any, output: Any, target_length: Any, output_length: Any, *, blank: int) -> Any:
    losses = []
    for labels, rows, many, steps in zip(target, _logs(np, output), target_length, output_length, strict=True):
        spelled = labels[: int(many)]
        reached = _reached(np, *_path(np, spelled, blank % output.shape[-1]), rows[: int(steps)])
        nothing = 0.0 if not len(spelled) else np.inf  # a reading of no steps
        losses.append(-float(np.logaddexp.reduce(reached[-1, -2:])) if len(reached) else nothing)
    return np.array(losses)


def _path(np: Any, labels: Any, blank: int) -> tuple[Any, Any]:
    """Return the labels with blanks around them, and where a path may skip the blank before."""
    path = np.full(2 * len(labels) + 1, blank)
    path[1::2] = labels
    skips = np.zeros(len(path), bool)
    skips[2:] = (path[2:] != blank) & (path[2:] != path[:-2])
    return path, skips


def _reached(np: Any, path: Any, skips: Any, rows: Any) -> Any:
    """Return the log-probability of all beginnings of paths, for each step and place: the forward algorithm."""
    result = np.full((len(rows), len(path)), -np.inf)
    if len(rows):
        result[0, :2] = rows[0, path[:2]]
    with np.errstate(all="ignore"):
        for t in range(1, len(rows)):
            before = result[t - 1]
            item = np.concatenate([[-np.inf], before[:-1]])
            two = np.where(skips, np.concatenate([[-np.inf] * 2, before])[: len(path)], -np.inf)
            result[t] = np.logaddexp(np.logaddexp(before, item), two) + rows[t][path]
    return result


def _of_loss(y: Expr, dy: Expr, i: int) -> Expr | None:
    """p - q: what the classes have, less what they have on the paths that spell the labels."""
    if i != 1:
        return None
    output = y.args[1]
    spelled = named("share", ctc_share(*y.args, **y.attrs), "of the paths that spell the labels")
    return slice_along(dy, {1: None, 2: None}) * (softmax(output) * sum_(spelled, axis=-1, keepdims=True) - spelled)


ctc_loss = function(
    "ctc_loss",
    axes=_loss_axes,
    dtype=lambda target, output, *lengths, **attrs: promote(output.dtype, "float"),
    value=_loss_value,
    flops=UNKNOWN_COST,
    element=OVER_ALL_PATHS,
    defaults={"blank": 0},
    gradient=_of_loss,
)
"""`ctc_loss(target, output, target_length, output_length)`: the negative log-probability of the labels:
of one class per step, by the softmax of the scores, with repeats merged and blanks removed."""


def _share_value(np: Any, target: Any, output: Any, target_length: Any, output_length: Any, *, blank: int) -> Any:
    """Return what is reached from the front and from the end: the forward-backward algorithm."""
    logs = _logs(np, output)
    result = np.zeros(logs.shape)
    for n, (labels, many, steps) in enumerate(zip(target, target_length, output_length, strict=True)):
        spelled, rows = labels[: int(many)], logs[n, : int(steps)]
        if not len(rows):
            continue
        path, skips = _path(np, spelled, blank % output.shape[-1])
        reached = _reached(np, path, skips, rows)
        rest = _reached(np, *_path(np, spelled[::-1], blank % output.shape[-1]), rows[::-1])[::-1, ::-1]
        whole = np.logaddexp.reduce(reached[-1, -2:])
        if np.isfinite(whole):  # else no path spells the labels
            with np.errstate(all="ignore"):
                shares = np.exp(reached + rest - rows[:, path] - whole)
            np.add.at(result[n, : len(rows)].T, path, shares.T)
    return result


ctc_share = function(
    "ctc_share",
    axes=lambda target, output, *lengths, **attrs: kept(output, 1),
    dtype=lambda target, output, *lengths, **attrs: promote(output.dtype, "float"),
    value=_share_value,
    flops=UNKNOWN_COST,
    element=OVER_ALL_PATHS,
    defaults={"blank": 0},
    gradient=UNKNOWN_GRADIENT("TensorFlow computes no second gradient of this loss"),
)
"""`ctc_share(target, output, target_length, output_length)`: of each step, the share that each class has in the paths
that spell the labels, weighted by their probabilities; 0 after the last step, and where no path spells them."""


def _decode_axes(output: Expr, length: Expr, *, blank: int, merge: bool) -> AxesOfEach:
    if output.ndim != 3:
        raise misfit("ctc_decode needs scores (batch, steps, classes)", output)
    batch = Axis("batch", (0, 0), output.shape[0])
    steps = Axis("steps", (0, 1), output.shape[1], "padded with -1")
    return AxesOfEach([[Axis("", None, 1, "one reading"), batch, steps], [batch, Axis("", None, 1, "one score")]])


def _decode_value(np: Any, output: Any, length: Any, *, blank: int, merge: bool) -> Any:
    result = np.full(output.shape[:2], -1)
    score = np.zeros((len(output), 1))
    for n, (rows, steps) in enumerate(zip(output, length, strict=True)):
        best = rows[: int(steps)].argmax(axis=-1)
        score[n] = -rows[: int(steps)].max(axis=-1).sum()
        kept = best != blank % output.shape[-1]
        if merge:
            kept[1:] &= best[1:] != best[:-1]
        result[n, : kept.sum()] = best[kept]
    return result[None], score


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
