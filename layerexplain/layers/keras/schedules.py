"""The learning rate schedules of keras.optimizers.schedules: the rate by the number of updates made before.

Input: `step`, 0 before the first update. Reference: keras/src/optimizers/schedules/learning_rate_schedule.py.
"""

import math
from functools import partial
from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import Bool, Int, NonNegative, Number, Numbers
from layerexplain.layers.registry import training_part
from layerexplain.ops import elementwise as e

schedule = partial(training_part, home="schedules", kind="schedule")
"""Declares a schedule by the formula of the learning rate, a function of the number of updates made before."""


def _share(step: Expr, steps: float, staircase: bool) -> Expr:
    """How often `steps` have gone by, with `staircase` whole times only."""
    if steps <= 0:
        raise ArgumentError(f"a schedule needs decay_steps above 0, got {steps:g}")
    return e.floor(step / steps) if staircase else step / steps


@schedule("ExponentialDecay")
def exponential_decay(
    step: Expr, *, initial_learning_rate: Number, decay_steps: Number, decay_rate: Number, staircase: Bool = False
) -> Expr:
    """Multiplies the learning rate by `decay_rate` every `decay_steps` updates."""
    return initial_learning_rate * e.power(decay_rate, _share(step, decay_steps, staircase))


@schedule("InverseTimeDecay")
def inverse_time_decay(
    step: Expr, *, initial_learning_rate: Number, decay_steps: Number, decay_rate: Number, staircase: Bool = False
) -> Expr:
    """Divides the initial learning rate by 1 + `decay_rate` × updates / `decay_steps`."""
    return initial_learning_rate / (1 + decay_rate * _share(step, decay_steps, staircase))


@schedule("PolynomialDecay")
def polynomial_decay(
    step: Expr,
    *,
    initial_learning_rate: Number,
    decay_steps: Number,
    end_learning_rate: Number = 0.0001,
    power: Number = 1.0,
    cycle: Bool = False,
) -> Expr:
    """Lowers the learning rate to `end_learning_rate` in `decay_steps` updates, as a power of the remaining share."""
    if cycle:
        rounds = e.where(e.equal(step, 0), 1.0, e.ceil(_share(step, decay_steps, False)))
        gone = step / (decay_steps * rounds)
    else:
        gone = _share(e.minimum(step, decay_steps), decay_steps, False)
    left = 1 - gone
    left = left if power == 1 else left**power
    return (initial_learning_rate - end_learning_rate) * left + end_learning_rate


@schedule("PiecewiseConstantDecay")
def piecewise_constant_decay(step: Expr, *, boundaries: Numbers, values: Numbers) -> Expr:
    """Keeps one learning rate up to each boundary, and the last one from then on."""
    bounds, rates = (one if isinstance(one, tuple) else (one,) for one in (boundaries, values))
    if len(bounds) != len(rates) - 1:
        raise ArgumentError(
            f"PiecewiseConstantDecay needs one more of values than of boundaries, got {len(rates)} and {len(bounds)}"
        )
    rate: Any = rates[-1]
    for bound, value in reversed(list(zip(bounds, rates, strict=False))):
        rate = e.where(e.less_equal(step, bound), value, rate)
    return rate  # type: ignore[no-any-return]


@schedule("CosineDecay")
def cosine_decay(
    step: Expr,
    *,
    initial_learning_rate: Number,
    decay_steps: Number,
    alpha: Number = 0.0,
    warmup_target: Number | None = None,
    warmup_steps: Int = 0,
) -> Expr:
    """Lowers the learning rate along half a cosine to `alpha` of it, after a linear warm-up if one is set.

    Reference: Loshchilov and Hutter, 2017.
    """
    if warmup_target is None:
        return _cosine(initial_learning_rate, _share(e.minimum(step, decay_steps), decay_steps, False), alpha)
    gone = e.minimum(step, decay_steps + warmup_steps)
    if not warmup_steps:
        return _cosine(warmup_target, _share(gone, decay_steps, False), alpha)
    rising = initial_learning_rate + (warmup_target - initial_learning_rate) * gone / warmup_steps
    falling = _cosine(warmup_target, _share(gone - warmup_steps, decay_steps, False), alpha)
    return e.where(e.less(gone, warmup_steps), rising, falling)


def _cosine(rate: float, gone: Expr, alpha: float, factor: Any = 1) -> Expr:
    """A rate that falls along half a cosine to `alpha` of it, as `gone` goes from 0 to 1."""
    wave: Expr = 0.5 * factor * (1 + e.cos(math.pi * gone))
    return rate * ((1 - alpha) * wave + alpha if alpha else wave)


@schedule("CosineDecayRestarts")
def cosine_decay_restarts(
    step: Expr,
    *,
    initial_learning_rate: Number,
    first_decay_steps: Number,
    t_mul: NonNegative = 2.0,
    m_mul: NonNegative = 1.0,
    alpha: Number = 0.0,
) -> Expr:
    """Lowers the learning rate along half a cosine repeatedly; each period is `t_mul` times as long and
    `m_mul` times as high.

    Reference: Loshchilov and Hutter, 2017.
    """
    gone = _share(step, first_decay_steps, False)
    if t_mul == 1:
        round_ = named("round", e.floor(gone))
        gone = gone - round_
    else:
        round_ = named("round", e.floor(e.log(1 - gone * (1 - t_mul)) / math.log(t_mul)))
        length = named("length", e.power(t_mul, round_))
        gone = (gone - (1 - length) / (1 - t_mul)) / length
    return _cosine(initial_learning_rate, gone, alpha, 1 if m_mul == 1 else e.power(m_mul, round_))
