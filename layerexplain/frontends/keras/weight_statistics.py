"""The statistics of a stored tensor, read piece by piece: memory does not follow the number of its values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from layerexplain.records import NamedTuple


class Statistics(NamedTuple):
    """What the values of a tensor are like. `min`, `max`, `mean` and `std` (of all values, not of a sample) are over
    the finite ones, None where there are none; the others count values."""

    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    zeros: int
    nans: int
    infinities: int


def statistics(blocks: Iterable[Any]) -> Statistics:
    """Of all values in some NumPy arrays. Means and spreads of the pieces are joined as Chan et al., 1979, do."""
    import numpy as np

    low, high = math.inf, -math.inf
    count = zeros = nans = infinities = 0
    mean = spread = 0.0
    for block in blocks:
        values = np.asarray(block).astype(np.float64, copy=False).reshape(-1)
        finite = np.isfinite(values)
        if not finite.all():
            nans += int(np.isnan(values).sum())
            infinities += int(np.isinf(values).sum())
            values = values[finite]
        if values.size == 0:
            continue
        zeros += int(values.size - np.count_nonzero(values))
        low, high = min(low, float(values.min())), max(high, float(values.max()))
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is reported as not known
            own_mean = float(values.mean())
            own_spread = float(((values - own_mean) ** 2).sum())
        total = count + values.size
        apart = own_mean - mean
        mean += apart * values.size / total
        spread += own_spread + apart * apart * count * values.size / total
        count = total
    if count == 0:
        return Statistics(None, None, None, None, zeros, nans, infinities)
    std = math.sqrt(spread / count) if math.isfinite(spread) else None
    return Statistics(low, high, mean if math.isfinite(mean) else None, std, zeros, nans, infinities)
