"""The optimizers of torch.optim: how one weight, and what is kept for it, change in a step.

Each takes the weight `W`, the gradient `g` of the loss by it, and the number of the step from 1 on. Names and defaults
are PyTorch's; where a formula is not that of Keras's optimizer of the same name, that is what differs between them.
Reference: torch.optim.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import (
    Annotated,
    Bool,
    Check,
    NonNegative,
    Number,
    RefusedValue,
    Share,
    argument_of,
    is_number,
)
from layerexplain.layers.declaration import Stored
from layerexplain.layers.keras.optimizer_declaration import register_optimizer, slot
from layerexplain.layers.registry import first_paragraph
from layerexplain.layers.signature import Signature, signature_of
from layerexplain.ops import elementwise as e
from layerexplain.ops.elementwise import average

F = TypeVar("F", bound=Callable[..., Any])
Step = Mapping[str, Expr]


def _pair(value: Any) -> tuple[float, float]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise RefusedValue
    if not all(is_number(item) and 0 <= item < 1 for item in value):
        raise RefusedValue
    return float(value[0]), float(value[1])


_IGNORED = "foreach fused capturable differentiable"
Pair = Annotated[Any, Check("two numbers from 0 to below 1", "[0.9,0.999]", _pair)]


def optimizer(
    type_: str, lr: float, weight_decay: float = 0.0, *, before: str, decoupled: bool | None = False, about: str = ""
) -> Callable[[F], F]:
    """Declare an optimizer by its step: a function of `W, g, lr, step` and its arguments, to new values by symbol.

    Args:
        type_: The class name in torch.optim.
        lr: The learning rate by default.
        weight_decay: The weight decay by default.
        before: The argument in front of which weight_decay stands.
        decoupled: Whether the decay is taken off the weight itself, in place of being added to the gradient; None where
            an argument says that.
        about: What it does, if the docstring says it of another one.
    """

    def declare(function: F) -> F:
        own = signature_of(function)
        taken = {
            "lr": argument_of(NonNegative, lr),
            **own.arguments,
            "maximize": argument_of(Bool, False),
            "weight_decay": argument_of(NonNegative, weight_decay),
        }
        if decoupled is None:
            taken["decoupled_weight_decay"] = argument_of(Bool, False)
        signature = Signature(("W", "g", "step", "global_norm"), taken, 1).moved("weight_decay", before=before)
        formula = partial(_step, function, bool(decoupled))
        register_optimizer(
            f"torch.optim.{type_}", formula, signature, about or first_paragraph(function), ignores=_IGNORED
        )
        return function

    return declare


def _step(
    function: Callable[..., Any],
    decoupled: bool,
    W: Expr,
    g: Expr,
    step: Expr,
    global_norm: Expr | None = None,
    *,
    lr: float,
    weight_decay: float,
    maximize: bool,
    decoupled_weight_decay: bool = False,
    **arguments: Any,
) -> Stored:
    """One step of a weight: the gradient or the weight takes the decay, and the weight is updated."""
    if maximize:
        g = -g
    weight = W
    if weight_decay and (decoupled or decoupled_weight_decay):
        weight = named("decayed", W - lr * weight_decay * W)
    elif weight_decay:
        g = named("g_decay", g + weight_decay * W)
    return Stored(dict(function(weight, g, lr, step, **arguments)), ())


@optimizer("SGD", lr=0.001, before="nesterov")
def sgd(
    W: Expr, g: Expr, lr: float, step: Expr, *, momentum: Share = 0.0, dampening: Number = 0.0, nesterov: Bool = False
) -> Step:
    """Gradient descent: moves the weight against its gradient, with momentum if there is one.

    The learning rate multiplies the momentum too, where Keras keeps it inside. Reference: torch.optim.SGD.
    """
    if nesterov and (not momentum or dampening):
        raise ArgumentError("nesterov needs momentum above 0 and dampening=0")
    if not momentum:
        return {"W": W - lr * g}
    fresh = g if not dampening else e.where(e.equal(step, 1), g, (1 - dampening) * g)
    moved = momentum * slot("momentum_buffer", "m", W) + fresh
    return {"m": moved, "W": W - lr * (g + momentum * moved if nesterov else moved)}


@optimizer("Adam", lr=0.001, before="amsgrad", decoupled=None)
@optimizer(
    "AdamW",
    lr=0.001,
    weight_decay=0.01,
    before="amsgrad",
    decoupled=True,
    about="Adam whose weight decay shrinks the weight itself in each step, separately from the gradient.",
)
def adam(
    W: Expr,
    g: Expr,
    lr: float,
    step: Expr,
    *,
    betas: Pair = (0.9, 0.999),
    eps: NonNegative = 1e-8,
    amsgrad: Bool = False,
) -> Step:
    """Moves the weight along the running mean of its gradient, divided by the root of its running mean square.

    m_hat and v_hat make up for averages that begin at 0; weight decay is added to the gradient, by AdamW taken off the
    weight. Reference: Kingma and Ba, 2014; Loshchilov and Hutter, 2017; torch.optim.Adam, torch.optim.AdamW.
    """
    beta_1, beta_2 = betas
    mean = average(slot("exp_avg", "m", W), g, beta_1)
    square = average(slot("exp_avg_sq", "v", W), g**2, beta_2)
    new = {"m": mean, "v": square}
    if amsgrad:
        square = new["v_max"] = e.maximum(slot("max_exp_avg_sq", "v_max", W), square)
    right = named("m_hat", mean / (1 - e.power(beta_1, step)))
    spread = named("v_hat", square / (1 - e.power(beta_2, step)))
    return {**new, "W": W - lr * right / (e.sqrt(spread) + eps)}


@optimizer("RMSprop", lr=0.01, before="momentum")
def rmsprop(
    W: Expr,
    g: Expr,
    lr: float,
    step: Expr,
    *,
    alpha: Share = 0.99,
    eps: NonNegative = 1e-8,
    momentum: Share = 0.0,
    centered: Bool = False,
) -> Step:
    """Divides the gradient by the root of its running mean square, so that all weights move at a similar rate.

    With `centered` by its running deviation. Reference: Graves, 2013; torch.optim.RMSprop.
    """
    square = average(slot("square_avg", "v", W), g**2, alpha)
    new, spread = {"v": square}, square
    if centered:
        mean = average(slot("grad_avg", "a", W), g, alpha)
        new, spread = {"v": square, "a": mean}, square - mean**2
    change = g / (e.sqrt(spread) + eps)
    if momentum:
        change = new["m"] = momentum * slot("momentum_buffer", "m", W) + change
    return {**new, "W": W - lr * change}


@optimizer("Adagrad", lr=0.01, before="initial_accumulator_value")
def adagrad(
    W: Expr,
    g: Expr,
    lr: float,
    step: Expr,
    *,
    lr_decay: NonNegative = 0.0,
    initial_accumulator_value: NonNegative = 0.0,
    eps: NonNegative = 1e-10,
) -> Step:
    """Divides the gradient by the root of the sum of all its squares so far: often changed weights move less and less.

    Reference: Duchi et al., 2011; torch.optim.Adagrad.
    """
    total = slot("sum", "s", W, initial_accumulator_value) + g**2
    rate = named("rate", lr / (1 + (step - 1) * lr_decay)) if lr_decay else lr
    return {"s": total, "W": W - rate * g / (e.sqrt(total) + eps)}
