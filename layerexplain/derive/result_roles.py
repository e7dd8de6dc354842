"""What the axes of a layer's results are called where that is not what their number tells: channels that come first.

A layer hands on the layout of what it is fed with: each axis of a result is followed back to the axis of the input that
it continues, as the reasons of its shape are.
"""

from __future__ import annotations

from layerexplain.derive.roles import Roles, input_roles
from layerexplain.derive.shape_reasons import origin
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.ops.sizes import default_roles


def result_roles(definition: Definition) -> tuple[Roles | None, ...]:
    """The roles of each result's axes, None where they are the default ones or cannot be told."""
    return tuple([_roles(definition, result) for result in definition.results.values()])


def _roles(definition: Definition, result: Expr) -> Roles | None:
    usual = default_roles(result.ndim)
    if result.ndim <= 2:
        return None
    channels = usual[-1]
    found: list[str] = []
    for axis in range(result.ndim):
        leaf, leaf_axis = origin(result, axis)
        role = "" if leaf not in definition.params else input_roles(leaf, definition)[leaf_axis]
        found.append(channels if role in CHANNELS else role)
    # The channels of a convolution are new: its filters.
    if channels not in found and found.count("") == 1:
        found[found.index("")] = channels
    order = [ORDER.index(role) if role in ORDER else -1 for role in found if role != channels]
    if found.count(channels) != 1 or order != sorted({*order}) or order[0] != 0:
        return None
    return tuple(found) if tuple(found) != usual else None


CHANNELS = frozenset({"channels", "features"})
ORDER = ("batch", "steps", "planes", "rows", "columns")
