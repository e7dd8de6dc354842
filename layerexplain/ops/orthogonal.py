"""A matrix with all its directions made equally strong, as the optimizer Muon wants it."""

from layerexplain.lang.composite import composite
from layerexplain.lang.expr import Expr, named
from layerexplain.ops.contract import dot
from layerexplain.ops.elementwise import sqrt
from layerexplain.ops.movement import transpose
from layerexplain.ops.reduce import sum_


@composite("orthogonalized")
def orthogonalized(x: Expr, *, a: float, b: float, c: float, rounds: int) -> Expr:
    """Brings all singular values of a matrix near 1, by Newton and Schulz's iteration."""
    rows, columns = x.shape
    tall = isinstance(rows, int) and isinstance(columns, int) and rows > columns
    if tall:
        x = transpose(x, axes=(1, 0))
    x = x / (sqrt(sum_(x**2, axis=None)) + 1e-7)
    for _ in range(rounds):
        x = named("x", x)
        product = named("p", dot(x, transpose(x, axes=(1, 0))))
        x = a * x + dot(b * product + c * dot(product, product), x)
    return transpose(x, axes=(1, 0)) if tall else x
