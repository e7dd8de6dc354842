"""Activation functions as modules."""

from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import Expr, weight
from layerexplain.layers.signature import KEEPS_AXES
from layerexplain.ops import functions
from layerexplain.ops.elementwise import greater, minimum, where
from layerexplain.ops.movement import laid
from layerexplain.ops.sizes import agree, shape_text

USES = (functions,)
FACTS = KEEPS_AXES
IGNORES = "inplace device dtype"
ROWS = """
torch.nn.ReLU(x): relu(x) | Keeps positive values and sets the rest to 0.
torch.nn.ReLU6(x): relu6(x) | Clips values to the range 0 to 6.
torch.nn.LeakyReLU(x, negative_slope: Number = 0.01): leaky_relu(x, ...)
    | Keeps positive values and multiplies the rest by {negative_slope}.
torch.nn.PReLU(x, num_parameters: PositiveInt = 1, init: Number = 0.25): prelu(...)
    | Keeps positive values and multiplies the rest by a learned slope α, one for each channel if there are several.
torch.nn.RReLU(x, lower: Number = 0.125, upper: Number = 0.3333333333333333): rrelu(...)
    | Keeps positive values and multiplies the rest by the mean of {lower} and {upper}; in training by a random slope.
torch.nn.[ELU|CELU](x, alpha: Number = 1.0): [elu|celu](x, ...)
    | Keeps positive values; the rest follows an exponential curve down to -{alpha}.
torch.nn.SELU(x): selu(x)
    | Multiplies positive values by 1.0507; the rest follows an exponential curve down to -1.7581.
torch.nn.GELU(x, approximate: choice('none', 'tanh') = 'none'): gelu(...)
    | Multiplies each element by the standard normal distribution function at that element.
torch.nn.[SiLU|Mish|Hardswish](x): [silu|mish|hard_silu](x)
    | Multiplies each element by its [sigmoid|tanh of the softplus|hard sigmoid].
torch.nn.[Sigmoid|Hardsigmoid|Tanh|Softsign|Tanhshrink|LogSigmoid](x):
    [sigmoid|hard_sigmoid|tanh|softsign|tanh_shrink|log_sigmoid](x)
    | [Maps each element to the range 0 to 1|Maps each element to the range 0 to 1 by a line|Maps each element to the
    range -1 to 1|Divides each element by 1 plus its absolute value|Subtracts from each element its tanh|Takes the
    logarithm of the sigmoid of each element].
torch.nn.Hardtanh(x, min_val: Number = -1.0, max_val: Number = 1.0): min(max(x, min_val), max_val)
    | Clips each element to the range {min_val} to {max_val}.
torch.nn.Threshold(x, threshold: Number, value: Number): threshold(x, threshold=threshold, default_value=value)
    | Keeps values above {threshold} and replaces the rest by {value}.
torch.nn.Softplus(x, beta: Number = 1.0, threshold: Number = 20.0): softplus(...)
    | Smooth ReLU, log(1 + exp({beta} x)) / {beta}; where {beta} x is above {threshold}, x itself.
torch.nn.Hardshrink(x, lambd: Number = 0.5): hard_shrink(x, threshold=lambd)
    | Sets values from -{lambd} to {lambd} to 0 and keeps the rest.
torch.nn.Softshrink(x, lambd: Number = 0.5): soft_shrink(x, threshold=lambd)
    | Sets values from -{lambd} to {lambd} to 0 and moves the rest towards 0 by {lambd}.
torch.nn.[Softmax|LogSoftmax](x, dim: Int = None): [softmax|log_softmax](...)
    | [Turns values along one axis into probabilities that sum to 1|Takes the logarithm of the softmax along one axis].
torch.nn.Softmin(x, dim: Int = None): softmin(...)
    | Turns values along one axis into probabilities that sum to 1; the smallest value gets the largest.
torch.nn.Softmax2d(x): softmax_of_channels(...)
    | Turns the values of each pixel into probabilities of channels that sum to 1.
torch.nn.GLU(x, dim: Int = -1): glu(x, axis=dim)
    | Splits an axis into two halves and multiplies the first by the sigmoid of the second.
"""


def prelu(x: Expr, *, num_parameters: int, init: float) -> Expr:
    """The formula of PReLU: one slope, or one for each channel (axis 1)."""
    alpha = weight("weight", "α", [("channels", num_parameters)])
    if num_parameters > 1 and (x.ndim < 2 or not agree(x.shape[1], num_parameters)):
        raise ShapeError(
            f"PReLU needs {num_parameters} channels, num_parameters={num_parameters}, got {shape_text(x.shape)}"
        )
    slope = alpha if num_parameters == 1 else laid(alpha, (1,), x.ndim)
    return where(greater(x, 0), x, slope * x)


def rrelu(x: Expr, *, lower: float, upper: float) -> Expr:
    """The formula of RReLU at inference."""
    return functions.leaky_relu(x, negative_slope=(lower + upper) / 2)


def gelu(x: Expr, *, approximate: str) -> Expr:
    """The formula of GELU."""
    return functions.gelu(x, approximate=approximate == "tanh")


def softplus(x: Expr, *, beta: float, threshold: float) -> Expr:
    """The formula of Softplus; it is a line where its curve is one in floating point."""
    if beta == 1:
        curve = functions.softplus(minimum(x, threshold))
    else:
        curve = functions.softplus(minimum(beta * x, threshold)) / beta
    return where(greater(x if beta == 1 else beta * x, threshold), x, curve)


def _axis(dim: int | None, ndim: int) -> int:
    """The axis that torch.nn.Softmax takes if none is given: 0 for 0, 1 and 3 axes, else 1."""
    if dim is not None:
        return dim
    return 0 if ndim in (0, 1, 3) else 1


def softmax(x: Expr, *, dim: int | None) -> Expr:
    """The formula of Softmax."""
    return functions.softmax(x, axis=_axis(dim, x.ndim))


def log_softmax(x: Expr, *, dim: int | None) -> Expr:
    """The formula of LogSoftmax."""
    return functions.log_softmax(x, axis=_axis(dim, x.ndim))


def softmin(x: Expr, *, dim: int | None) -> Expr:
    """The formula of Softmin."""
    return functions.softmax(-x, axis=_axis(dim, x.ndim))


def softmax_of_channels(x: Expr) -> Any:
    """The formula of Softmax2d."""
    if x.ndim not in (3, 4):
        raise ArgumentError(f"Softmax2d needs (batch, channels, rows, columns), got {shape_text(x.shape)}")
    return functions.softmax(x, axis=-3)
