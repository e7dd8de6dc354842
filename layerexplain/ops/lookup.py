"""Ops that pick rows of a table by number."""

from __future__ import annotations

from layerexplain.expr import FREE, NO_MACS, Axis, Expr, Op, Shape
from layerexplain.notation import Index
from layerexplain.ops.sizes import size_text
from layerexplain.scalar import Affine, At, Lookup, Scalar


def _axes(node: Expr) -> list[Axis]:
    table, ids = node.args
    axes = [Axis("", (1, i), size) for i, size in enumerate(ids.shape)]
    for i, size in enumerate(table.shape[1:]):
        name = table.attrs["axes"][i + 1][-1][0] if "axes" in table.attrs else "features"
        axes.append(Axis(name, None, size, f"each id becomes a row of {size_text(size)} numbers"))
    return axes


def _shape(table: Expr, ids: Expr) -> Shape:
    return (*ids.shape, *table.shape[1:])


def _element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    ids = node.args[1]
    row = Affine(((Lookup(at(1, index[: ids.ndim])), 1),), 0)
    return at(0, (row, *index[ids.ndim :]))


take = Op(
    "take",
    shape=_shape,
    axes=_axes,
    dtype=lambda table, ids: table.dtype,
    evaluate=lambda run, table, ids: table[run.np.asarray(ids).astype("int64")],
    cost=NO_MACS,
    flops=FREE,
    notation=Index(),
    element=_element,
)
"""`E[ids]`: for each id its row of E. A lookup, not a product with one-hot rows."""
