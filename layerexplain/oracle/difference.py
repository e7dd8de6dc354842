"""The relative difference of two arrays, and the tolerance for it."""

from __future__ import annotations

import math
from typing import Any

_ROUNDING = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
_ROUNDINGS = 10
"""The number of half-precision roundings that may add up within one layer."""

JUDGED = 8
"""How many times as far from Keras as from themselves in float64 formulas may be: Keras rounds in another order."""


def difference(ours: Any, theirs: Any) -> tuple[float, str]:
    """Return the largest difference relative to the largest value of `theirs`, and what is wrong if the arrays are
    incomparable (the difference is then infinite). Two NaN, or two equal infinities, agree."""
    import numpy as np

    if ours.shape != theirs.shape:
        return math.inf, f"the values have shape {ours.shape} in the formula and {theirs.shape} in Keras"
    if _kind(ours) != _kind(theirs):
        return math.inf, f"the values are {ours.dtype} in the formula and {theirs.dtype} in Keras"
    if ours.size == 0:
        return 0.0, ""
    if _kind(ours) == "text":
        same = bool(np.all(np.asarray(_texts(ours)) == np.asarray(_texts(theirs))))
        return (0.0, "") if same else (math.inf, "the strings differ")
    a, b = (np.asarray(x, dtype="complex128" if x.dtype.kind == "c" else "float64") for x in (ours, theirs))
    odd = ~(np.isfinite(a) & np.isfinite(b))
    if odd.any():
        alike = (np.isnan(a) & np.isnan(b)) | (a == b)
        if not alike[odd].all():
            return math.inf, "NaN or infinity on one side only"
        a, b = np.where(odd, 0, a), np.where(odd, 0, b)
    worst, scale = float(np.abs(a - b).max()), float(np.abs(b).max())
    if worst == 0:
        return 0.0, ""
    return (worst / scale, "") if scale else (math.inf, f"Keras returns 0 everywhere, the formula up to {worst:.3g}")


def allowed(tolerance: float, *dtypes: str) -> float:
    """Return the tolerance, raised to the accumulated roundings of half precision if a dtype has it."""
    return max([tolerance, *[_ROUNDINGS * _ROUNDING[d] for d in dtypes if d in _ROUNDING]])


def allowed_in_row(tolerance: float, layers: int, *dtypes: str) -> float:
    """Return the tolerance for what passes many layers: roundings add up as the steps of a random walk do, with the
    root of their number.

    >>> allowed_in_row(1e-4, 25), round(allowed_in_row(1e-4, 4, "float16"), 4)
    (0.0005, 0.0195)
    """
    return allowed(tolerance, *dtypes) * math.sqrt(max(layers, 1))


def judged(most: float, rounding: float) -> float:
    """Return the tolerance where float64 is the judge: what is allowed anyway, or some times what the formulas in
    their own precision are from the same formulas in float64."""
    return max(most, JUDGED * rounding)


def _kind(array: Any) -> str:
    return {"b": "bool", "i": "int", "u": "int", "f": "float", "c": "complex"}.get(array.dtype.kind, "text")


def _texts(array: Any) -> list[str]:
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in array.reshape(-1)]
