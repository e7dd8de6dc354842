"""What stands at the end of a line: `→ (None, 26, 26, 32) · 320`."""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.editor.reading import LineResult, Reading
from layerexplain.editor.settings import Settings
from layerexplain.editor.texts import EditedText, moved_line
from layerexplain.model import Shape
from layerexplain.records import NamedTuple, grouped
from layerexplain.render.quantities import count_text, shapes_text

_MOST_SHOWN = 12
"""Results of one line that its tooltip lists."""


class Hint(NamedTuple):
    """Words at the end of a line (from 0) of a cell, and what is shown when they are pointed at."""

    cell: str
    line: int
    label: str
    tooltip: str


def hints(reading: Reading, settings: Settings) -> list[Hint]:
    """Return the hints of a text, a line each."""
    lines = grouped(((one.span.cell, one.span.end_line), one) for one in reading.results)
    found = [Hint(cell, line, _label(results, settings), _tooltip(results)) for (cell, line), results in lines.items()]
    return sorted([one for one in found if one.label], key=lambda one: (one.cell, one.line))


def _label(results: Sequence[LineResult], settings: Settings) -> str:
    """Return the hint of a line: what its last call gives, in a loop in the first and the last pass."""
    shown = _last_of_line(results)
    parts: list[str] = []
    if settings.shapes:
        first, last = _shapes(shown[0].shapes), _shapes(shown[-1].shapes)
        parts.append(f"→ {first}" if first == last else f"→ {first} … {last}")
    layers = {one.layer: one for one in results}.values()
    if settings.parameters and (parts[:1] != ["→ ?"] or None not in [one.params for one in layers]):
        parts += _counted([one.params for one in layers], "{}")
    if settings.macs:
        parts += _counted([one.macs for one in layers], "{} MACs")
    return " · ".join(parts)


def _last_of_line(results: Sequence[LineResult]) -> list[LineResult]:
    """Return what that expression of a line gives which is computed last, in each pass."""
    of_expressions = list(grouped((one.span, one) for one in results).values())
    last = max(of_expressions, key=lambda several: results.index(several[0]))
    stages = last[0].stages
    return last[stages - 1 :: stages] if len(last) % stages == 0 else last[-1:]


def _shapes(shapes: Sequence[Shape | None]) -> str:
    return shapes_text(shapes) if shapes else "?"


def _counted(counts: Sequence[int | None], form: str) -> list[str]:
    if None in counts:
        return [form.format("?")]
    total = sum([one for one in counts if one is not None])
    return [form.format(count_text(total))] if total else []


def _tooltip(results: Sequence[LineResult]) -> str:
    """Return a line for each layer, and why something is not known."""
    lines = [
        f"{one.layer or 'this statement'}: {_shapes(one.shapes)}"
        + (f", {count_text(one.params)} parameters" if one.params else "")
        + (f", {count_text(one.macs)} MACs" if one.macs else "")
        for one in results
    ]
    left = len(lines) - _MOST_SHOWN
    reasons = dict.fromkeys([f"?: {one.reason}" for one in results if one.reason])
    return "\n".join([*lines[:_MOST_SHOWN], *([f"and {left} more"] if left > 0 else []), *reasons])


def kept_hints(found: Sequence[Hint], before: EditedText, after: EditedText, gaps: frozenset[str]) -> list[Hint]:
    """Return the hints of cells that do not parse any more, where their lines are now."""
    by_uri = {cell.uri: name for name, cell in after.cells.items()}
    kept: list[Hint] = []
    for one in found:
        old = before.cells[one.cell]
        cell = by_uri.get(old.uri, "none")
        line = moved_line(old.lines, after.cells[cell].lines, one.line) if cell in gaps else None
        if line is not None:
            kept.append(one._replace(cell=cell, line=line))
    return kept
