"""The relative difference of two arrays, and the tolerance for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from layerexplain.records import NamedTuple

_ROUNDING = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
_ROUNDINGS = 10
"""The number of half-precision roundings that may add up within one layer."""

TOLERANCE = 1e-4
"""How far a value may be off, as a share of the largest value of an output, where nothing else is said. A smaller one
is taken as it is: what rounding does is no excuse then."""

JUDGED = 8
"""How many times what rounding does to a formula Keras may be off: it rounds in another order."""


class Verdict(NamedTuple):
    """How far two arrays are apart, and the tolerance for that, relative to the largest value of the second array (as
    they are where it is 0 everywhere); what is wrong, in words; and what rounding alone does, where that was asked."""

    apart: float
    tolerance: float
    words: str = ""
    rounding: float | None = None

    @property
    def agrees(self) -> bool:
        """Whether the difference is within the tolerance."""
        return self.apart <= self.tolerance


def verdict(
    ours: Any, theirs: Any, tolerance: float, rounding: Callable[[], float], framework: str = "Keras"
) -> Verdict:
    """Compare two arrays. Where they differ by more than the tolerance, they may still differ by a few times what
    `rounding` gives, the most that rounding alone does to a value of ours: not where less than `TOLERANCE` was asked
    for."""
    worst, scale, wrong = _measured(ours, theirs, framework)
    apart, words = _relative(worst, scale, wrong, framework)
    numbers = {_kind(ours), _kind(theirs)} <= {"float", "complex"}
    if apart <= tolerance or tolerance < TOLERANCE or not numbers or not math.isfinite(worst):
        return Verdict(apart, tolerance, words)
    apart, by_rounding = worst / (scale or 1), rounding() / (scale or 1)
    most = judged(tolerance if scale else 0.0, by_rounding)
    return Verdict(apart, most, words if apart > most else "", by_rounding)


def difference(ours: Any, theirs: Any, framework: str = "Keras") -> tuple[float, str]:
    """Return the largest difference relative to the largest value of `theirs`, and what is wrong if the arrays are
    incomparable (the difference is then infinite). Two NaN, or two equal infinities, agree."""
    return _relative(*_measured(ours, theirs, framework), framework)


def _relative(worst: float, scale: float, wrong: str, framework: str) -> tuple[float, str]:
    if worst == 0 or wrong:
        return worst, wrong
    if scale == 0:
        return math.inf, f"{framework} returns 0 everywhere, the formula up to {worst:.3g}"
    return worst / scale, ""


def _measured(ours: Any, theirs: Any, framework: str) -> tuple[float, float, str]:
    """Return the largest difference, the largest value of `theirs` that is finite, and what is wrong if the arrays are
    incomparable."""
    import numpy as np

    if ours.shape != theirs.shape:
        return math.inf, 0.0, f"the values have shape {ours.shape} in the formula and {theirs.shape} in {framework}"
    if _kind(ours) != _kind(theirs):
        return math.inf, 0.0, f"the values are {ours.dtype} in the formula and {theirs.dtype} in {framework}"
    if ours.size == 0:
        return 0.0, 0.0, ""
    if _kind(ours) == "text":
        same = bool(np.all(np.asarray(_texts(ours)) == np.asarray(_texts(theirs))))
        return (0.0, 0.0, "") if same else (math.inf, 0.0, "the strings differ")
    a, b = (np.asarray(x, dtype="complex128" if x.dtype.kind == "c" else "float64") for x in (ours, theirs))
    odd = ~(np.isfinite(a) & np.isfinite(b))
    if odd.any():
        alike = (np.isnan(a) & np.isnan(b)) | (a == b)
        if not alike[odd].all():
            return math.inf, 0.0, "NaN or infinity on one side only"
        a, b = np.where(odd, 0, a), np.where(odd, 0, b)
    return float(np.abs(a - b).max()), float(np.abs(b).max()), ""


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
    """Return the tolerance where rounding is the judge: what is allowed anyway, or a few times what rounding does."""
    return max(most, JUDGED * rounding)


def _kind(array: Any) -> str:
    return {"b": "bool", "i": "int", "u": "int", "f": "float", "c": "complex"}.get(array.dtype.kind, "text")


def _texts(array: Any) -> list[str]:
    return [v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v) for v in array.reshape(-1)]
