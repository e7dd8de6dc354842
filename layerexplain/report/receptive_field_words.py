"""Receptive fields in words: one wording for explanations and for columns."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from layerexplain.ops.sizes import ordinal
from layerexplain.report.explanation_data import FieldAxis, ReceptiveField
from layerexplain.suggest import in_a_row

UNKNOWN = "?"


def words(field: ReceptiveField, several: bool) -> str:
    """Return `one output element depends on 11 × 11 pixels of the input: rows 4i-5 to 4i+5, columns 4j-5 to 4j+5;
    neighbouring elements are 4 apart`."""
    of = f"'{field.input}'" if several else "the input"
    if field.unknown:
        return f"what one output element depends on in {of} is not known: {field.unknown}"
    axes = field.axes
    if not axes:
        return f"one output element depends on {of}"
    unit = _unit(axes)
    window = _window_text(axes)
    if all(axis.whole or _reaches_all(axis) for axis in axes):
        every = "" if None in [axis.of for axis in axes] else " × ".join(f"{axis.of} " for axis in axes)
        wide = f": its window of {window} covers them at every place" if any(map(_slides, axes)) else ""
        most = "" if all(axis.whole for axis in axes) else "up to "
        return f"one output element depends on {most}all {every.replace('  ', ' ')}{unit} of {of}{wide}"
    where = ", ".join(map(_where, axes))
    # How many varies without a rule that is known; the places say it.
    seen = unit if UNKNOWN in window else f"{seen_text(axes)} {unit}"
    if all(axis.size == 1 for axis in axes):
        most = "at most " if any(axis.at_most for axis in axes) else ""
        seen = f"{most}one {unit.removesuffix('s')}"
    wide = (
        f", in a window of {window}"
        if UNKNOWN not in window and any(_is_wider(axis) or axis.step > 1 for axis in axes)
        else ""
    )
    exist = ", where they exist" if any(axis.padded for axis in axes) else ""
    return f"one output element depends on {seen} of {of}{wide}: {where}{exist}{_apart(axes)}"


def _reaches_all(axis: FieldAxis) -> bool:
    """Return whether nothing of the axis is known not to be seen, though not all need be."""
    last = "" if axis.of is None else str(axis.of - 1)
    return axis.at_most and not axis.places and (axis.first, axis.last) == ("0", last)


def _slides(axis: FieldAxis) -> bool:
    """Return whether the window moves, though it always holds the whole axis."""
    return axis.stride is not None


def _unit(axes: Sequence[FieldAxis]) -> str:
    roles = [axis.role for axis in axes]
    if roles == ["rows", "columns"]:
        return "pixels"
    return "voxels" if roles == ["planes", "rows", "columns"] else roles[0] if len(roles) == 1 else "positions"


def _window_text(axes: Sequence[FieldAxis]) -> str:
    return " × ".join([_extent(axis) for axis in axes])


def field_text(axes: Sequence[FieldAxis]) -> str:
    """Return what `seen_text` does, and the size of the window where not each of its positions is seen: `3 × 3 in 5 ×
    5`."""
    return seen_text(axes) + (f" in {_window_text(axes)}" if any(axis.step > 1 for axis in axes) else "")


def seen_text(axes: Sequence[FieldAxis]) -> str:
    """Return how much is seen along each axis: `11 × 11`, `2 to 3` where it varies, `3 or more` where there is no end,
    `all` where the size of the axis is not known, `at most 8 × 8` where not all of it need be seen.

    It is never more than the axis has: what a window holds beyond it is padding.
    """
    most = "at most " if any(axis.at_most or (_is_wider(axis) and not axis.whole) for axis in axes) else ""
    return most + " × ".join(map(_seen, axes))


def _seen(axis: FieldAxis) -> str:
    return str(_counted(axis.of or 0, axis.step)) if _is_wider(axis) else _extent(axis, axis.step)


def _is_wider(axis: FieldAxis) -> bool:
    """Return whether the window has more positions than the axis."""
    return axis.size is not None and axis.of is not None and axis.size > axis.of


def _counted(size: int, step: int) -> int:
    return -(-size // step)


def _extent(axis: FieldAxis, step: int = 1) -> str:
    """Return the size of the window along an axis, or the number of every `step`-th position in it, padding
    included."""
    least = None if axis.least is None else _counted(max(axis.least, 0), step)
    if axis.size is None:
        return "all" if axis.whole else UNKNOWN if least is None else f"{least} or more"
    most = _counted(axis.size, step)
    return str(most) if axis.at_most or least in (most, None) else f"{least} to {most}"


def _where(axis: FieldAxis) -> str:
    if axis.whole and not _slides(axis):
        return f"all {axis.role}"
    if axis.places:
        return f"{axis.role} {in_a_row(axis.places)}"
    if axis.first == axis.last:
        return f"{axis.role.removesuffix('s')} {axis.first}"
    every = f", every {ordinal(axis.step)}" if axis.step > 1 else ""
    span = f"{axis.first} to {axis.last}" if axis.last else f"from {axis.first} on"
    return f"{axis.role} {span}{every}"


def _apart(axes: Sequence[FieldAxis]) -> str:
    moving = [axis for axis in axes if axis.stride]
    if not moving or all(axis.size == 1 and axis.stride == 1 for axis in moving):
        return ""
    strides = {axis.stride for axis in moving}
    if len(strides) == 1:
        apart = stride_text(moving[0])
    else:
        apart = " and ".join(f"{stride_text(axis)} {axis.role}" for axis in moving)
    average = " on average" if any(axis.stride != int(axis.stride or 0) for axis in moving) else ""
    return f"; neighbouring elements are {apart} apart{average}"


def stride_text(axis: FieldAxis) -> str:
    """Return `4`, `1/2`, or nothing where neighbours see the same or there is no one number."""
    if not axis.stride:
        return ""
    fraction = Fraction(abs(axis.stride)).limit_denominator(1000)
    return str(fraction)
