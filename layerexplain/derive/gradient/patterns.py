"""Gradients of whole patterns, which read better than those of their parts put together."""

from __future__ import annotations

from layerexplain.lang.expr import CONSTANT, Expr, named
from layerexplain.ops.elementwise import add, divide, power, sqrt, subtract
from layerexplain.ops.reduce import mean


def normalized(node: Expr) -> tuple[Expr, bool] | None:
    """Return x and whether it is centred, if a node is (x - mean(x)) / sqrt(mean((x - mean(x)) ** 2) + epsilon), or x
    divided by the root of the mean of its squares; else None."""
    if node.op is not divide:
        return None
    above, s = node.args
    if s.op is not sqrt or s.args[0].op is not add:
        return None
    variance = s.args[0].args[0]
    if variance.op is not mean or not variance.options["keepdims"] or variance.args[0].op is not power:
        return None
    base, exponent = variance.args[0].args
    if exponent.op is not CONSTANT or exponent.attrs["value"] != 2 or base is not above:
        return None
    if above.op is subtract and above.args[1].op is mean and above.args[1].args[0] is above.args[0]:
        centre = above.args[1]
        return (above.args[0], True) if centre.attrs == variance.attrs else None
    return above, False


def through_normalization(node: Expr, dy: Expr, centred: bool) -> Expr:
    """Return the gradient of x, given that of the normalized values: what would change the mean or the variance of x is
    taken away."""
    s = node.args[1]
    over = s.args[0].args[0].attrs
    second = mean(dy * node, **over)
    if not centred:
        return (dy - node * second) / s
    return (dy - named("m1", mean(dy, **over)) - node * named("m2", second)) / s
