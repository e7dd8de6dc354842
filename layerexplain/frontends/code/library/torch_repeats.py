"""Tensors that a run repeats: along axes of known sizes, for each example, and several times for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerexplain.frontends.code.library.torch_tensors import Tensor, with_batch
from layerexplain.lang.axes import Batch


def expanded(run: Any, x: Tensor, sizes: Sequence[Any]) -> Any:
    """Return a tensor whose axes of size 1 are repeated to other sizes; -1 keeps one."""
    return run.operation("expand", [x], {"shape": with_batch(sizes)})


def repeated(run: Any, x: Tensor, times: Sequence[Any]) -> Any:
    """Return a tensor `times` times along each axis, new ones in front; an axis of size 1 may become the batch."""
    times = [*[1] * (len(x.spec.shape) - len(times)), *times]
    while len(times) > len(x.spec.shape):
        x = run.operation("unsqueeze", [x], {"dim": 0})
    wide = [isinstance(one, Batch) for one in times]
    if any(wide):
        if any(is_wide and size != 1 for is_wide, size in zip(wide, x.spec.shape, strict=True)):
            raise run.unknown("an axis that is repeated as often as the batch has examples")
        x = expanded(run, x, tuple([one if is_wide else -1 for one, is_wide in zip(times, wide, strict=True)]))
    known = tuple([1 if is_wide else one for one, is_wide in zip(times, wide, strict=True)])
    if not all(type(one) is int for one in known):
        raise run.unknown("how often a tensor is repeated")
    return x if set(known) <= {1} else run.operation("repeat", [x], {"times": known})
