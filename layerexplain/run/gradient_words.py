"""What the sizes of gradients show, in sentences: one that vanishes or explodes, layers and weights that get none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from layerexplain.run.gradient_report import ReachedRow, WeightRow
from layerexplain.suggest import in_a_row

FAR = 1000.0
"""A gradient that shrinks or grows by more than this on its way through the model is said to vanish or explode."""

MOSTLY = 0.9
"""A layer is named if this share of the gradient that reaches it is 0."""


def gradient_words(layers: Sequence[ReachedRow], weights: Sequence[WeightRow]) -> Iterator[str]:
    """Yield sentences on a run backwards; the rows are in the order of computation."""
    odd = [row for row in layers if row.gradient is not None and row.gradient.odd]
    if odd:
        one = odd[-1]
        where = f"{len(odd)} output{'s' * (len(odd) != 1)}"
        yield f"The gradient holds NaN or infinity at {where}; seen from the loss, '{one.path}' is the first."
    yield from _course(layers)
    yield from _stopped(layers)
    without = [row.where for row in weights if row.trainable and row.gradient is None and not row.reason]
    if without:
        verb = "is" if len(without) == 1 else "are"
        yield f"{_listed(without)} {verb} trainable and {'gets' if len(without) == 1 else 'get'} no gradient."
    dead = [row.where for row in weights if row.gradient is not None and row.gradient.is_zero]
    if dead:
        yield (
            f"The gradient of {_listed(dead)} is 0 everywhere: these numbers do not change it."
            if len(dead) == 1
            else f"The gradients of {_listed(dead)} are 0 everywhere."
        )


def _course(layers: Sequence[ReachedRow]) -> Iterator[str]:
    """Whether the gradient vanishes or explodes between the last and the first layer that learns."""
    learn = [row for row in layers if row.weights is not None and row.gradient is not None and not row.gradient.odd]
    if len(learn) < 2:
        return
    first, last = learn[0], learn[-1]
    if first.gradient is None or last.gradient is None or not last.gradient.norm:
        return
    ratio = first.gradient.norm / last.gradient.norm
    course = f"of {last.gradient.norm:.3g} at '{last.path}', {first.gradient.norm:.3g} reaches '{first.path}'"
    between = [row for row in layers if row.passed is not None and row.passed > 0]
    if ratio == 0:
        return
    if ratio < 1 / FAR:
        least = min(between, key=lambda row: row.passed or 0, default=None)
        most = "" if least is None else f" The least passes '{least.path}': {least.passed:.2g} of what reaches it."
        yield f"The gradient vanishes on its way back: {course}, {1 / ratio:.2g} times less.{most}"
    elif ratio > FAR:
        largest = max(between, key=lambda row: row.passed or 0, default=None)
        most = "" if largest is None else f" It grows most in '{largest.path}': {largest.passed:.3g} times."
        yield f"The gradient explodes on its way back: {course}, {ratio:.2g} times more.{most}"
    else:
        yield f"The gradient neither vanishes nor explodes: {course}."


def _stopped(layers: Sequence[ReachedRow]) -> Iterator[str]:
    """Where a gradient that is not 0 becomes 0, or nearly."""
    ended = [row for row in layers if row.passed == 0 and row.gradient is not None and row.gradient.norm > 0]
    if ended:
        yield f"Nothing of the gradient passes {_listed([row.path for row in ended])}: it is 0 behind."
    few = [row for row in layers if row.gradient is not None and MOSTLY <= row.gradient.share_of_zeros < 1]
    if few:
        row = max(few, key=lambda row: row.gradient.share_of_zeros if row.gradient is not None else 0)
        share = row.gradient.share_of_zeros if row.gradient is not None else 0
        yield f"Most of the gradient that reaches '{row.path}' is 0: {share:.0%} of its numbers."


def _listed(names: Sequence[str]) -> str:
    more = [f"{len(names) - 4} more"] if len(names) > 4 else []
    return in_a_row([*[f"'{name}'" for name in names[:4]], *more])
