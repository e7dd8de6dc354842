"""How far rounding alone may move the values of a formula: an estimate by random rounding in float64.

A sum of a normalized vector is 0, but for what its terms were rounded by: its size says nothing about that. So the
formula runs in float64, once exactly and a few times with each computed value off by a random share of what the
precision rounds it by. The results then differ by as much as any order of the same operations may differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from layerexplain.derive.evaluate import CannotEvaluate, Evaluation, Evaluator, evaluate
from layerexplain.errors import LayerExplainError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import FREE, PER_OUTPUT, Expr

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
        rounded = [evaluate(definition, arrays, weights, one.run, one) for one in runs]
        return [max(_apart(one, values[i]) for values in rounded) for i, one in enumerate(exact)]


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
