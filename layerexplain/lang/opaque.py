"""The ops of what is known by its shape alone: layers and functions whose code is unknown, and large constants."""

from __future__ import annotations

from layerexplain.lang.axes import AxesOfEach, Axis, ResultShapes, Shape
from layerexplain.lang.expr import FREE, NO_MACS, NOT_EVALUATED, NOT_INDEXED, UNKNOWN_COST, UNKNOWN_GRADIENT, Op
from layerexplain.lang.notation import FunctionNotation


def _recorded(shape: Shape) -> list[Axis]:
    return [Axis("", None, size, "not known" if size is None else "as the file recorded it") for size in shape]


opaque = Op(
    "opaque",
    axes=lambda *args, name, shape: (
        AxesOfEach(map(_recorded, shape)) if type(shape) is ResultShapes else _recorded(shape)
    ),
    dtype=lambda *args, name, shape: args[0].dtype if args else "float",
    evaluate=NOT_EVALUATED("its code is not known"),
    cost=UNKNOWN_COST,
    flops=UNKNOWN_COST,
    notation=FunctionNotation(),
    element=NOT_INDEXED("its code is not known"),
    gradient=UNKNOWN_GRADIENT("its code is not known"),
)
"""`QDense(x)`: a layer or function that is not part of Keras. `shape` is the recorded shape, or has unknown axes."""

_NOT_KEPT = "its numbers are not kept"

large_constant = Op(
    "large_constant",
    axes=lambda *, shape, dtype: _recorded(shape),
    dtype=lambda *, shape, dtype: dtype,
    evaluate=NOT_EVALUATED(_NOT_KEPT),
    cost=NO_MACS,
    flops=FREE,
    notation=FunctionNotation(),
    element=NOT_INDEXED(_NOT_KEPT),
    gradient=UNKNOWN_GRADIENT(_NOT_KEPT),
)
"""An array of a file that has so many numbers that they are not read."""
