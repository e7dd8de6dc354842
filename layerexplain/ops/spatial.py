"""The spatial axes of images, sequences and volumes: their names, where they are, and one value for each."""

from __future__ import annotations

from typing import Any

from layerexplain.lang.expr import Expr

SPATIAL = {1: ("steps",), 2: ("rows", "columns"), 3: ("planes", "rows", "columns")}
"""The names of the spatial axes by their number."""


def spatial_axes(ndim: int, data_format: str) -> tuple[range, int]:
    """Return the spatial axes and the channel axis."""
    if data_format == "channels_first":
        return range(2, ndim), 1
    return range(1, ndim - 1), ndim - 1


def image_axes(node: Expr) -> tuple[range, int]:
    """Return the spatial axes and the channel axis of an image node."""
    return spatial_axes(len(node.shape), node.attrs.get("data_format", "channels_last"))


def each(value: Any, rank: int) -> tuple[Any, ...]:
    """Return one value per spatial axis."""
    return tuple(value) if isinstance(value, (list, tuple)) else (value,) * rank
