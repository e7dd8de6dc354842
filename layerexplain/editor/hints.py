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
    shapes = " … ".join(dict.fromkeys([_shapes(shown[0].shapes), _shapes(shown[-1].shapes)]))
    layers = {one.layer: one for one in results}.values()
    params, macs = _counted([one.params for one in layers]), _counted([one.macs for one in layers])
    parts = [f"→ {shapes}" if settings.shapes else ""]
    parts.append(params if settings.parameters and (parts[0], params) != ("→ ?", "?") else "")
    parts.append(f"{macs} MACs" if settings.macs and macs else "")
    return " · ".join(filter(None, parts))


def _last_of_line(results: Sequence[LineResult]) -> list[LineResult]:
    """Return what that expression of a line gives which is computed last, in each pass."""
    of_expressions = list(grouped((one.span, one) for one in results).values())
    last = max(of_expressions, key=lambda several: results.index(several[0]))
    stages = last[0].stages
    return last[stages - 1 :: stages] if len(last) % stages == 0 else last[-1:]


def _shapes(shapes: Sequence[Shape | None]) -> str:
    return shapes_text(shapes) if shapes else "?"


def _counted(counts: Sequence[int | None]) -> str:
    """Return a sum in words: "?" where a part of it is not known, "" for none."""
    known = [one for one in counts if one is not None]
    return "?" if len(known) < len(counts) else count_text(sum(known)) if sum(known) else ""


def _tooltip(results: Sequence[LineResult]) -> str:
    """Return a line for each layer, and why something is not known."""
    lines = [
        f"{one.layer or 'this statement'}: {_shapes(one.shapes)}"
        + (f", {count_text(one.params)} parameters" if one.params else "")
        + (f", {count_text(one.macs)} MACs" if one.macs else "")
        for one in results
    ]
    if len(lines) > _MOST_SHOWN:
        lines[_MOST_SHOWN:] = [f"and {len(lines) - _MOST_SHOWN} more"]
    return "\n".join([*lines, *dict.fromkeys([f"?: {one.reason}" for one in results if one.reason])])


def kept_hints(found: Sequence[Hint], before: EditedText, after: EditedText, gaps: frozenset[str]) -> list[Hint]:
    """Return the hints of cells that do not parse any more, where their lines are now."""
    by_uri = {cell.uri: name for name, cell in after.cells.items() if name in gaps}
    here = [(one, before.cells[one.cell], by_uri.get(before.cells[one.cell].uri)) for one in found]
    moved = [
        (one, cell, moved_line(old.lines, after.cells[cell].lines, one.line))
        for one, old, cell in here
        if cell is not None
    ]
    return [one._replace(cell=cell, line=line) for one, cell, line in moved if line is not None]
