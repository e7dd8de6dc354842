"""What we cannot see into: a name, a shape and words. It claims nothing else."""

from __future__ import annotations

from typing import Any

from layerexplain.lang.expr import NOT_EVALUATED, NOT_INDEXED, UNKNOWN_COST, Axis, Op
from layerexplain.lang.notation import Function

opaque = Op(
    "opaque",
    shape=lambda *args, name, shape: shape,
    axes=lambda node: [Axis("", None, size, "as the file recorded it") for size in node.shape],
    dtype=lambda *args, name, shape: args[0].dtype if args else "float",
    evaluate=NOT_EVALUATED("its code is not known"),
    cost=UNKNOWN_COST,
    flops=UNKNOWN_COST,
    notation=Function(),
    element=NOT_INDEXED("its code is not known"),
)
"""`QDense(x)`: a layer or function that is not one of Keras's. `shape` is what was recorded, or all axes unknown."""


def is_opaque(node: Any) -> bool:
    """Whether a node is one that we cannot see into."""
    return node.op is opaque
