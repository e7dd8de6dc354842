"""The product of matrices: rows times columns, for each pair of matrices in a stack of them."""

from __future__ import annotations

from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import GONE, TWICE_MACS, Axis, Batch, Expr, Factor, Op, Shape
from layerexplain.lang.notation import Function
from layerexplain.lang.scalar import Affine, Apply, At, Fold, Scalar, letter, number
from layerexplain.ops.elementwise import multiply
from layerexplain.ops.families import aligned
from layerexplain.ops.sizes import agree, broadcast, promote, shape_text, size_text


def _shape(a: Expr, b: Expr) -> Shape:
    if a.ndim < 2 or b.ndim < 2 or not agree(a.shape[-1], b.shape[-2]):
        raise ShapeError(
            "matmul needs matrices, the first with as many columns as the second has rows, "
            f"got {shape_text(a.shape)} and {shape_text(b.shape)}"
        )
    return (*broadcast("matmul", [a.shape[:-2], b.shape[:-2]]), a.shape[-2], b.shape[-1])


def _axes(node: Expr) -> list[Axis]:
    a, b = node.args
    axes = []
    for k, size in enumerate(node.shape[:-2]):
        arg = 0 if k - node.ndim + a.ndim >= 0 else 1
        axes.append(Axis("", (arg, k - node.ndim + node.args[arg].ndim), size))
    axes.append(Axis("", (0, a.ndim - 2), a.shape[-2]))
    axes.append(Axis("", (1, b.ndim - 1), b.shape[-1], "the columns of the second"))
    gone = f"all {size_text(a.shape[-1])} are multiplied and summed"
    return [*axes, Axis("", (0, a.ndim - 1), GONE, gone)]


def _cost(node: Expr) -> list[Factor]:
    a, b = node.args
    stack = tuple(s for s in node.shape[:-2] if not isinstance(s, Batch) and s != 1)
    factors = [Factor("matrices", stack)] if stack else []
    inner = a.shape[-1] if isinstance(a.shape[-1], int) else b.shape[-2]
    return [*factors, Factor("outputs", node.shape[-2:]), Factor("products", (inner,))]


def _element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    a, b = node.args
    inner = a.shape[-1] if isinstance(a.shape[-1], int) else b.shape[-2]
    summed = letter("inputs", inner)
    # Both sides with the index of the stack alone, then their own rows and columns.
    left = [*aligned((*index[:-1], number(0)), node, a)[:-1], summed]
    right = [*aligned((*index[:-2], number(0), index[-1]), node, b)[:-2], summed, index[-1]]
    left[-2] = index[-2]
    body = Apply(multiply, (at(0, left), at(1, right)), {})
    return Fold("sum", (summed.terms[0][0],), body, ())  # type: ignore[arg-type]


def _value(run: Any, a: Any, b: Any) -> Any:
    return run.np.matmul(a, b)


matmul = Op(
    "matmul",
    shape=_shape,
    axes=_axes,
    dtype=lambda a, b: promote(a.dtype, b.dtype),
    evaluate=_value,
    cost=_cost,
    flops=TWICE_MACS,
    notation=Function(r"{0}\,{1}"),
    element=_element,
)
"""`matmul(a, b)`: the last two axes are matrices; the axes before them say which matrices meet."""
