"""The weights of a row that stands for the variables of an export: what the file says of them, no formula."""

from __future__ import annotations

import math
from collections.abc import Mapping

from layerexplain.model import Layer
from layerexplain.report.data import WeightReport

VARIABLES = "Variables"
"""The type of such a row."""


def stored_variables(layer: Layer, frozen: bool) -> tuple[WeightReport, ...] | None:
    """The weights that the file lists for a row of variables; None for any other layer, and where a shape is open."""
    listed = layer.config.get("variables") if layer.type == VARIABLES and layer.kind == "custom" else None
    if not isinstance(listed, Mapping):
        return None
    found = []
    for name, facts in listed.items():
        shape = facts["shape"]
        if shape is None or any(size is None for size in shape):
            return None
        found.append(
            WeightReport(name, name, shape, facts["dtype"], facts["trainable"] and not frozen, math.prod(shape))
        )
    return tuple(found)
