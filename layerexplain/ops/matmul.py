"""Matrix multiplication, for each pair of matrices in two stacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import BATCH, GONE, Axis, Expr
from layerexplain.lang.notation import Function
from layerexplain.lang.scalar import Affine, Apply, At, Condition, Scalar, number
from layerexplain.ops.elementwise import multiply
from layerexplain.ops.families import aligned, contraction
from layerexplain.ops.sizes import agree, broadcast, shape_text, size_text


def _axes(a: Expr, b: Expr) -> list[Axis]:
    if a.ndim < 2 or b.ndim < 2 or not agree(a.shape[-1], b.shape[-2]):
        raise ShapeError(
            "matmul needs matrices, the first with as many columns as the second has rows, "
            f"got {shape_text(a.shape)} and {shape_text(b.shape)}"
        )
    stack = broadcast("matmul", [a.shape[:-2], b.shape[:-2]])
    sides = [x.ndim - 2 - len(stack) for x in (a, b)]  # from an axis of the stack to that of the argument
    arg = [0 if k + sides[0] >= 0 else 1 for k in range(len(stack))]
    return [
        *[Axis("", (i, k + sides[i]), size) for k, (i, size) in enumerate(zip(arg, stack, strict=True))],
        Axis("", (0, a.ndim - 2), a.shape[-2]),
        Axis("", (1, b.ndim - 1), b.shape[-1], "the columns of the second"),
        Axis("", (0, a.ndim - 1), GONE, f"summed over all {size_text(a.shape[-1])}"),
    ]


def _outputs(node: Expr) -> list[tuple[str, Sequence[int]]]:
    lead = node.ndim - 2
    stack = [k for k in range(lead) if node.shape[k] is not BATCH and node.shape[k] != 1]
    return [*([("matrices", stack)] if stack else []), ("outputs", (lead, lead + 1))]


def _summed(node: Expr) -> list[tuple[str, Any]]:
    a, b = node.args
    return [("inputs", a.shape[-1] if isinstance(a.shape[-1], int) else b.shape[-2])]


def _term(
    node: Expr, index: tuple[Affine, ...], letters: Sequence[Affine], at: At
) -> tuple[Scalar, tuple[Condition, ...]]:
    a, b = node.args
    (summed,) = letters
    # Index the stack on both sides, then their own rows and columns.
    left = [*aligned((*index[:-1], number(0)), node, a)[:-1], summed]
    right = [*aligned((*index[:-2], number(0), index[-1]), node, b)[:-2], summed, index[-1]]
    left[-2] = index[-2]
    return Apply(multiply, (at(0, left), at(1, right)), {}), ()


matmul = contraction(
    "matmul",
    axes=_axes,
    evaluate=lambda run, a, b: run.np.matmul(a, b),
    outputs=_outputs,
    summed=_summed,
    term=_term,
    notation=Function(r"{0}\,{1}"),
)
"""`matmul(a, b)`: the last two axes are matrices; the axes before them are broadcast."""
