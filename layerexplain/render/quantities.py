"""How shapes, counts and bytes read: one wording for every format."""

from __future__ import annotations

from collections.abc import Iterable

from layerexplain.model import Shape

UNKNOWN = "?"
"""What a table prints for a count or a shape that is not known."""


def shape_text(shape: Shape | None, unknown: str = UNKNOWN) -> str:
    """`(None, 28, 28, 3)`; a shape that is not known at all is `unknown`."""
    if shape is None:
        return unknown
    if len(shape) == 1:
        return f"({shape[0]},)"
    return f"({', '.join(map(str, shape))})"


def shapes_text(shapes: Iterable[Shape | None], unknown: str = UNKNOWN) -> str:
    """Several shapes, joined by `; `."""
    return "; ".join(shape_text(shape, unknown) for shape in shapes)


def count_text(count: int | None) -> str:
    """`25,636,712`, or `?` where it is not known."""
    return UNKNOWN if count is None else f"{count:,}"


def bytes_text(count: int | None) -> str:
    """`102.5 MB`, in powers of 1000; below 1 kB `448 bytes`."""
    if count is None:
        return UNKNOWN
    if count < 1000:
        return "1 byte" if count == 1 else f"{count} bytes"
    value = count / 1000
    units = ["kB", "MB", "GB", "TB", "PB"]
    while value >= 999.95 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:,.1f} {units[0]}"


def plural(count: int, noun: str) -> str:
    """`1 layer`, `1,024 layers`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def names_text(names: list[str], limit: int | None) -> str:
    """`a, b, c (and 14 more)`; all of them where `limit` is None."""
    if limit is None or len(names) <= limit + 1:
        return ", ".join(names)
    return f"{', '.join(names[:limit])} (and {len(names) - limit:,} more)"
