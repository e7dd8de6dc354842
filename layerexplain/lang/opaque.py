"""What we cannot see into: a name, a shape and words. It claims nothing else."""

from __future__ import annotations

from layerexplain.lang.expr import NOT_EVALUATED, NOT_INDEXED, UNKNOWN_COST, AxesOfEach, Axis, Op, Shape, Shapes
from layerexplain.lang.notation import Function


def _recorded(shape: Shape) -> list[Axis]:
    return [Axis("", None, size, "as the file recorded it") for size in shape]


opaque = Op(
    "opaque",
    axes=lambda *args, name, shape: AxesOfEach(map(_recorded, shape)) if type(shape) is Shapes else _recorded(shape),
    dtype=lambda *args, name, shape: args[0].dtype if args else "float",
    evaluate=NOT_EVALUATED("its code is not known"),
    cost=UNKNOWN_COST,
    flops=UNKNOWN_COST,
    notation=Function(),
    element=NOT_INDEXED("its code is not known"),
)
"""`QDense(x)`: a layer or function that is not one of Keras's. `shape` is what was recorded, or all axes unknown."""
