"""The op of layers and functions whose code is unknown: a name and a shape, and nothing else."""

from __future__ import annotations

from layerexplain.lang.expr import (
    NOT_DERIVED,
    NOT_EVALUATED,
    NOT_INDEXED,
    UNKNOWN_COST,
    AxesOfEach,
    Axis,
    Op,
    Shape,
    Shapes,
)
from layerexplain.lang.notation import Function


def _recorded(shape: Shape) -> list[Axis]:
    return [Axis("", None, size, "not known" if size is None else "as the file recorded it") for size in shape]


opaque = Op(
    "opaque",
    axes=lambda *args, name, shape: AxesOfEach(map(_recorded, shape)) if type(shape) is Shapes else _recorded(shape),
    dtype=lambda *args, name, shape: args[0].dtype if args else "float",
    evaluate=NOT_EVALUATED("its code is not known"),
    cost=UNKNOWN_COST,
    flops=UNKNOWN_COST,
    notation=Function(),
    element=NOT_INDEXED("its code is not known"),
    gradient=NOT_DERIVED("its code is not known"),
)
"""`QDense(x)`: a layer or function that is not part of Keras. `shape` is the recorded shape, or has unknown axes."""
