"""The optimizers and schedules of keras.optimizers: how one weight, and what is kept for it, change in a step.

Each takes the weight `W`, the gradient `g` of the loss by it, and the number of the step from 1 on, and gives the new
weight and the new slots. `@optimizer` adds what all have in common: learning rate schedules, clipping, weight decay,
moving averages, accumulated gradients. Reference: keras.optimizers; keras/src/optimizers/base_optimizer.py.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import WEIGHT, Expr, named, walk
from layerexplain.layers.arguments import (
    Annotated,
    Bool,
    Check,
    Int,
    NonNegative,
    Number,
    Numbers,
    PositiveInt,
    RefusedValue,
    Share,
    argument_of,
    is_number,
)
from layerexplain.layers.declaration import Declaration, Stored
from layerexplain.layers.registry import find, first_paragraph, part_of, register, training_part
from layerexplain.layers.signature import Signature, signature_of
from layerexplain.ops import elementwise as e
from layerexplain.ops import reduce
from layerexplain.ops.elementwise import average
from layerexplain.records import NamedTuple

# Optimizer declaration ----------------------------------------------------------------------------------------------


class InnerDeclaration(NamedTuple):
    """A part of training in an argument of another one: a schedule as learning rate, or the optimizer in a wrapper."""

    declaration: Declaration
    arguments: dict[str, Any]

    @property
    def type(self) -> str:
        """The class name."""
        return self.declaration.type.rpartition(".")[2]

    @property
    def config(self) -> Mapping[str, Any]:
        """The arguments."""
        return self.arguments

    def formula(self, *tensors: Expr | None) -> Any:
        """What its formula makes of tensors, with all its arguments."""
        declaration = self.declaration
        return declaration.formula(*tensors, **declaration.keywords({**declaration.default_values, **self.arguments}))

    @property
    def loss_scale(self) -> float:
        """By what Keras multiplies the loss before its gradient is taken; the step divides the gradient by it."""
        given = {**self.declaration.default_values, **self.arguments}
        return float(given.get("initial_scale") or given.get("loss_scale_factor") or 1)

    @property
    def inner(self) -> "InnerDeclaration":
        """The optimizer that makes the step: the one that it wraps, or itself."""
        result = self.arguments.get("inner_optimizer")
        return result if isinstance(result, InnerDeclaration) else self

    def with_rate(self, rate: float) -> "InnerDeclaration":
        """Return it with another learning rate."""
        if self.inner is not self:
            return self._replace(arguments={**self.arguments, "inner_optimizer": self.inner.with_rate(rate)})
        return self._replace(arguments={**self.arguments, "learning_rate": rate})

    def __str__(self) -> str:
        return self.type


HOMES = {"schedules": "optimizers.schedules"}
"""The modules of Keras whose names are not those of the kinds."""


def part(kind: str, value: Any) -> InnerDeclaration:
    """Return the part of training that a value names: `{"CosineDecay": {…}}`, or an object with name and config.

    Raises `Refused` for a value that names none.
    """
    if isinstance(value, InnerDeclaration):
        return value
    name, config = getattr(value, "name", None), getattr(value, "config", {})
    if isinstance(value, str):
        name = value
    elif isinstance(value, Mapping) and len(value) == 1:
        ((name, config),) = value.items()
    elif isinstance(value, Mapping) and "class_name" in value:
        name, config = value["class_name"], value.get("config")
    known = part_of(kind, name) if isinstance(name, str) else None
    declaration = None if known is None else find(known)
    if declaration is None:
        text = str(name or value)[:60]
        of_torch = text.startswith("torch.")
        raise RefusedValue(
            f"{text} {'has no formula here' if of_torch else f'is not one of keras.{HOMES.get(kind, kind)}'}"
        )
    try:
        given = config if isinstance(config, Mapping) else {}
        return InnerDeclaration(declaration, declaration.bind(given, strict=declaration.type.startswith("torch.")))
    except ArgumentError as error:
        raise RefusedValue(error.fact) from None


LearningRate = Annotated[
    Any,
    Check(
        "a number or a schedule",
        "{CosineDecay: {initial_learning_rate: 0.001, decay_steps: 1000}}",
        lambda value: float(value) if is_number(value) else part("schedules", value),
        plain=False,
    ),
]
Inner = Annotated[
    Any, Check("an optimizer", "{Adam: {learning_rate: 0.001}}", lambda value: part("optimizers", value), plain=False)
]


class Common(NamedTuple):
    """The arguments of all optimizers."""

    weight_decay: NonNegative | None = None
    clipnorm: NonNegative | None = None
    clipvalue: NonNegative | None = None
    global_clipnorm: NonNegative | None = None
    use_ema: Bool = False
    ema_momentum: Share = 0.99
    ema_overwrite_frequency: PositiveInt | None = None
    loss_scale_factor: NonNegative | None = None
    gradient_accumulation_steps: PositiveInt | None = None


GATHERED = "G"
"""The symbol of the sum of gradients, where several steps make one update."""


def slot(name: str, symbol: str, like: Expr, initial: Any = 0.0, *, shape: tuple[int, ...] | None = None) -> Expr:
    """Return a value that the optimizer keeps for a weight; of the weight's shape, if none is given.

    Args:
        name: Its name in Keras.
        symbol: Its letter in the formula.
        like: The weight.
        initial: Its value before the first step: a number, or "W" for the weight's own.
        shape: Its shape; () for one number that all weights share.
    """
    sizes: Any = like.shape if shape is None else shape
    axes = tuple([(("", size),) for size in sizes])
    attrs: dict[str, Any] = {"name": name, "axes": axes, "at": (), "path": (), "trainable": False, "positive": False}
    attrs |= {"initial": initial, "shared": shape == ()}
    return Expr(WEIGHT, (), attrs, tuple(sizes), "float", symbol)


F = TypeVar("F", bound=Callable[..., Any])
Decay = Callable[[Expr, "Common", Mapping[str, Any]], float | None]


def optimizer(
    type_: str, decay: Decay = lambda W, common, arguments: common.weight_decay, **defaults: Any
) -> Callable[[F], F]:
    """Declare an optimizer by its step: a function of `W, g, lr, step` and its arguments, to new values by symbol.

    Args:
        type_: The class name.
        decay: How much of a weight decays, where the arguments have several answers.
        defaults: Of the common arguments, and of `learning_rate`, where they are not those of all.
    """

    def declare(function: F) -> F:
        own, common = signature_of(function), signature_of(_common)
        rate = {"learning_rate": argument_of(LearningRate, defaults.pop("learning_rate", 0.001))}
        taken = {**rate, **own.arguments, **common.arguments}
        groups = {**own.groups, **common.groups}
        signature = Signature(("W", "g", "step", "global_norm"), taken, 1, groups=groups).default(**defaults)

        register_optimizer(type_, partial(_step, function, decay), signature, first_paragraph(function))
        return function

    return declare


def register_optimizer(
    type_: str,
    formula: Callable[..., Stored],
    signature: Signature | None = None,
    description: str | None = None,
    **declared: Any,
) -> None:
    """Declare an optimizer by a whole step: a function of `W, g, step, global_norm` and its arguments.

    The results are those leaves that get a new value, by their labels; the weights are the slots, with their `initial`
    values.
    """
    paragraph = first_paragraph(formula) if description is None else description
    if not declared:
        declared = {"ignores": "jit_compile decay is_legacy_optimizer dynamic", "renamed": {"lr": "learning_rate"}}
    name = type_ if "." in type_ else f"optimizers.{type_}"
    register([name], lambda: Declaration(name, formula, signature, description=paragraph, kind="update", **declared))


def _common(*, common: Common) -> None:
    """Takes the arguments of all optimizers."""


def _step(
    function: Callable[..., Any],
    decay: Decay,
    W: Expr,
    g: Expr,
    step: Expr,
    global_norm: Expr | None = None,
    *,
    learning_rate: Any,
    common: Common,
    **arguments: Any,
) -> Stored:
    """One step of a weight: the gradient is made ready, the weight decays, is updated, and its average follows."""
    every, new = common.gradient_accumulation_steps, {}
    due, calls = None, step
    if common.loss_scale_factor:
        g = g / common.loss_scale_factor
    if every:
        due = named("due", e.equal(e.mod(step, every), 0))
        step = named("update", e.floor((step - 1) / every) + 1)
        gathered = slot("gradient_accumulator", GATHERED, W)
        total = named("total", gathered + g)
        new[GATHERED] = e.where(due, 0.0, total)
        g = named("g_mean", total / every)
    g = _clipped(g, global_norm, common)
    lr: Any = learning_rate
    if isinstance(lr, InnerDeclaration):
        lr = named("lr", lr.formula(calls - 1)["y"])
    weight = W
    lost = decay(W, common, arguments)
    if lost:
        weight = named("decayed", W - lr * lost * W)
    values = function(weight, g, lr, step, **arguments)
    values, unread = (values.result, values.weights) if isinstance(values, Stored) else (values, ())
    new |= values
    if due is not None:
        new = only_if(due, new, W, unread)
    if common.use_ema:
        kept = slot("average", "W_avg", W)
        mean = e.where(e.equal(step, 1), new["W"], average(kept, new["W"], common.ema_momentum))
        new["W_avg"] = mean
        if common.ema_overwrite_frequency:
            overwrite = e.equal(e.mod(step, common.ema_overwrite_frequency), 0)
            new["W"] = e.where(overwrite, mean, new["W"])
    return Stored(new, unread)


def only_if(due: Expr, new: Mapping[str, Expr], W: Expr, unread: Sequence[Expr]) -> dict[str, Expr]:
    """The new values where an update is due, the old ones elsewhere; `unread` are slots that no formula reads."""
    old = {node.label: node for node in (*walk(new.values()), *unread) if node.op is WEIGHT}
    return {
        label: value if label == GATHERED else e.where(due, value, W if label == "W" else old[label])
        for label, value in new.items()
    }


def _clipped(g: Expr, global_norm: Expr | None, common: Common) -> Expr:
    given = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(common, name) is not None]
    if len(given) > 1:
        raise ArgumentError(
            f"an optimizer takes one of clipnorm, clipvalue and global_clipnorm, got {', '.join(given)}"
        )
    if common.clipnorm:
        length = named("length", e.sqrt(reduce.sum_(g**2, axis=None)))
        return named("clipped", g * (common.clipnorm / e.maximum(length, common.clipnorm)))
    if common.clipvalue:
        return named("clipped", e.minimum(e.maximum(g, -common.clipvalue), common.clipvalue))
    if common.global_clipnorm:
        if global_norm is None:
            raise ArgumentError("global_clipnorm needs the norm of all gradients of the model together")
        return named("clipped", g * (common.global_clipnorm / e.maximum(global_norm, common.global_clipnorm)))
    return g


# Schedules ----------------------------------------------------------------------------------------------------------
# The learning rate schedules of keras.optimizers.schedules: the rate by the number of updates made before.

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
    bounds, rates = (item if isinstance(item, tuple) else (item,) for item in (boundaries, values))
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
