"""The weights of a layer without a formula: the variables that a file states."""

from __future__ import annotations

import math
from collections.abc import Sequence

from layerexplain.model import StoredVariable
from layerexplain.report.data import WeightReport


def variable_reports(variables: Sequence[StoredVariable], frozen: bool) -> tuple[WeightReport, ...]:
    """Stored variables as weights. One with a size that the file leaves open is left out: its count is not known."""
    return tuple(
        [
            WeightReport(v.name, v.name, v.shape, v.dtype, v.trainable is not False and not frozen, math.prod(sizes))
            for v in variables
            if len(sizes := [size for size in v.shape if size is not None]) == len(v.shape)
        ]
    )


def variable_counts(variables: Sequence[StoredVariable] | None) -> tuple[int | None, int | None]:
    """Parameters and how many of them are trainable; None where nothing (`variables` is None) or not all is told."""
    if variables is None or any(size is None for v in variables for size in v.shape):
        return None, None
    counts = [math.prod([size for size in v.shape if size is not None]) for v in variables]
    if any(v.trainable is None for v in variables):
        return sum(counts), None
    return sum(counts), sum(count for count, v in zip(counts, variables, strict=True) if v.trainable)
