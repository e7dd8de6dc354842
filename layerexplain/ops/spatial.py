"""The spatial axes of images, sequences and volumes: their names, where they are, and one value for each."""

from __future__ import annotations

from typing import Any

from layerexplain.lang.axes import Shape
from layerexplain.lang.expr import Expr

SPATIAL = {1: ("steps",), 2: ("rows", "columns"), 3: ("planes", "rows", "columns")}
"""The names of the spatial axes by their number."""


def spatial_axes(ndim: int, data_format: str) -> tuple[range, int]:
    """Return the spatial axes and the channel axis. All layouts but 'channels_last' have the channels first."""
    return (range(1, ndim - 1), ndim - 1) if data_format == "channels_last" else (range(2, ndim), 1)


def image_axes(node: Expr) -> tuple[range, int]:
    """Return the spatial axes and the channel axis of an image node."""
    return spatial_axes(len(node.shape), node.attrs.get("data_format", "channels_last"))


def each(value: Any, rank: int) -> tuple[Any, ...]:
    """Return one value per spatial axis."""
    return tuple(value) if isinstance(value, (list, tuple)) else (value,) * rank


_AN_IMAGE = 16
"""From so many rows and columns on, a map is taken for an image."""


def seems_channels_first(shape: Shape) -> bool:
    """Return whether a shape, with the batch, looks like that of images or sequences whose channels are first.

    >>> [seems_channels_first(shape) for shape in ((None, 3, 32, 48), (None, 3, 32, 3), (None, 1, 48))]
    [True, False, True]
    """
    first, *sides = shape[1:] or (None,)
    usual = {1: (1,), 2: (1, 3)}.get(len(sides), ())
    return first in usual and all(isinstance(n, int) and n >= _AN_IMAGE for n in sides)
