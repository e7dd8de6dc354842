"""The relative difference of two arrays, and the tolerance that rounding asks for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

from layerexplain.derive.evaluate import CannotEvaluate, Evaluation, Evaluator, evaluate
from layerexplain.errors import LayerExplainError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import FREE, PER_OUTPUT, Expr
from layerexplain.records import NamedTuple

# Tolerance ----------------------------------------------------------------------------------------------------------

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


# Rounding -----------------------------------------------------------------------------------------------------------
# How far rounding alone may move the values of a formula: an estimate by random rounding in float64.

_UNITS = {"float16": 2.0**-11, "bfloat16": 2.0**-8, "float32": 2.0**-24, "float64": 2.0**-53}
"""Half of the distance from 1 to the next number."""

_FAR = {_UNITS["float16"]: 1e4}
"""Unit → the size from which a value is a score that a mask has put far below 0: -3e4 in float16, -1e9 otherwise.
Rounding makes all of them equal, in any order, so they are not moved at random."""

_RUNS = 4
"""A single run may be close to the exact one by chance."""


class Roundings:
    """What rounding in a precision may do to the results and masks of a formula on given arrays, worked out when first
    needed."""

    def __init__(
        self, definition: Definition, arrays: Sequence[Any], weights: Sequence[Any], batch: int, dtypes: Iterable[str]
    ) -> None:
        self._given = definition, [*arrays], [*weights]
        self._batch = batch
        self._unit = max([_UNITS.get(dtype, 0.0) for dtype in dtypes], default=0.0) or _UNITS["float32"]

    def effect_on(self, place: int) -> float:
        """Return how far rounding may move the values of an output of the definition; 0 where it cannot be
        estimated."""
        try:
            return self._each[place]
        except (CannotEvaluate, LayerExplainError, ValueError, IndexError):  # an index that is computed, and moved
            return 0.0

    @cached_property
    def _each(self) -> list[float]:
        definition, arrays, weights = self._given
        exact = evaluate(definition, arrays, weights, Evaluation(self._batch, "float64"))
        runs = [_Rounded(Evaluation(self._batch, "float64", run), self._unit) for run in range(_RUNS)]
        rounded = [evaluate(definition, arrays, weights, run.run, run) for run in runs]
        return [max(_apart(item, values[i]) for values in rounded) for i, item in enumerate(exact)]


class _Rounded(Evaluator):
    """Rounds each computed value at random: the result of an operation, and what an operation sums up."""

    def __init__(self, run: Evaluation, unit: float) -> None:
        super().__init__(run)
        self.unit = unit
        self.far = _FAR.get(unit, 1e8)
        self.noise = run.np.random.default_rng(run.random.integers(2**32))

    def op(self, node: Expr, env: dict[Expr, Any]) -> Any:
        if node.op.flops is FREE:
            return super().op(node, env)
        if node.op.flops is not PER_OUTPUT:
            env = {argument: self.rounded(env[argument]) for argument in node.args}
        return self.rounded(super().op(node, env))

    def call(self, node: Expr, env: dict[Expr, Any]) -> Any:
        value = super().call(node, env)
        return value if node.attrs["definition"].stable is None else self.rounded(value)

    def rounded(self, value: Any) -> Any:
        """Return a value, or several, with a random part of the rounding error of the precision added."""
        if isinstance(value, tuple):
            return tuple(map(self.rounded, value))
        if getattr(value, "dtype", None) is None or value.dtype.kind not in "fc":
            return value
        np = self.run.np
        moved = value * (1 + self.noise.uniform(-self.unit, self.unit, value.shape))
        return np.where(np.abs(value) < self.far, moved, value)


def _apart(exact: Any, rounded: Any) -> float:
    """Return the largest difference of two arrays where both are finite."""
    import numpy as np

    if exact.dtype.kind not in "fc":
        return 0.0
    with np.errstate(invalid="ignore"):
        apart = np.abs(exact - rounded)
    return float(np.max(apart, initial=0, where=np.isfinite(apart)))
