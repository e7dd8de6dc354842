"""What is shown of layers: at the end of a line `→ (None, 26, 26, 32) · 320`; under the mouse the sentence, the shape,
the parameters and the formula of a layer, or what a layer type takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from layerexplain import api
from layerexplain.editor.reading import LineResult, Places, Reading
from layerexplain.editor.texts import EditedText, Extent, Settings, moved_lines
from layerexplain.errors import LayerExplainError
from layerexplain.ops.sizes import total
from layerexplain.records import NamedTuple, grouped
from layerexplain.render import document as doc
from layerexplain.render.documents.catalogue import layer_type_page
from layerexplain.render.documents.explanation import LAYER, ShownParts, explained
from layerexplain.render.layout import Look
from layerexplain.render.markup import markdown
from layerexplain.render.quantities import count_text, shapes_text
from layerexplain.report.rows import every_row

_MOST_SHOWN = 12
"""Results of one line that its tooltip lists."""
_NAME = re.compile(r"[A-Za-z_][\w.]*")
_OPTION = re.compile(
    r"give (?:for example )?(?:--set (?:'(?P<expression>[^']+)'|(?P<name>\w[^\s=]*))=|--input )(?P<value>[^\s;]+)"
)
"""How a note names an option of the command line, in place of which a comment stands here."""


class Hint(NamedTuple):
    """Words at the end of a line (from 0) of a cell, and what is shown when they are pointed at."""

    cell: str
    line: int
    label: str
    tooltip: str


def hints(reading: Reading, settings: Settings) -> list[Hint]:
    """Return the hints of a text, a line each."""
    lines = grouped(((one.span.cell, one.span.end_line), one) for one in reading.results)
    found = [Hint(*at, _label(each, reading.places, settings), _tooltip(each)) for at, each in lines.items()]
    return sorted([one for one in found if one.label])


def _label(results: Sequence[LineResult], places: Places, settings: Settings) -> str:
    """Return the hint of a line: what its last call gives, in a loop in the first and the last pass."""
    of_expressions = grouped((one.span, one) for one in results)
    last = max(of_expressions, key=lambda span: results.index(of_expressions[span][0]))
    passes, stages = of_expressions[last], places.stages(last)
    shown = passes[stages - 1 :: stages] if len(passes) % stages == 0 else passes[-1:]
    shapes = " … ".join(dict.fromkeys([shapes_text(shown[0].shapes), shapes_text(shown[-1].shapes)]))
    layers = {one.layer: one for one in results}.values()
    params, macs = total([one.params for one in layers]), total([one.macs for one in layers])
    parts = [f"→ {shapes}"] if settings.shapes else []
    if settings.parameters and params != 0 and (parts, params) != (["→ ?"], None):
        parts.append(count_text(params))
    if settings.macs and macs != 0:
        parts.append(f"{count_text(macs)} MACs")
    return " · ".join(parts)


def _tooltip(results: Sequence[LineResult]) -> str:
    """Return a line for each layer, and why something is not known."""
    lines = [
        f"{one.layer or 'this statement'}: {shapes_text(one.shapes)}"
        + (f", {count_text(one.params)} parameters" if one.params else "")
        + (f", {count_text(one.macs)} MACs" if one.macs else "")
        for one in results
    ]
    lines[_MOST_SHOWN:] = [f"and {len(lines) - _MOST_SHOWN} more"] * (len(lines) > _MOST_SHOWN)
    lines += dict.fromkeys([f"?: {one.reason}" for one in results if one.reason])
    text = "\n".join(lines).replace("give it with --input", "write `# layerexplain: input=SHAPE`")
    return _OPTION.sub(_comment, text)


def _comment(option: re.Match[str]) -> str:
    name = option["expression"] or option["name"]
    return f"write `# layerexplain: {name + '=' if name else ''}{option['value']}`"


def kept_hints(found: Sequence[Hint], before: EditedText, reading: Reading) -> list[Hint]:
    """Return the hints that stay: of cells that do not parse any more where their lines are now; of a file that gives
    nothing now, as while a name is half typed, those before all that was changed."""
    if "" in before.cells and not (reading.gaps or reading.results):
        old, new = before.cells[""].lines, reading.text.cells[""].lines
        return [one for one in found if old[: one.line + 1] == new[: one.line + 1]]
    by_uri = {reading.text.cells[name].uri: name for name in reading.gaps}
    cells = {name: by_uri[cell.uri] for name, cell in before.cells.items() if cell.uri in by_uri}
    moved = {old: moved_lines(before.cells[old].lines, reading.text.cells[new].lines) for old, new in cells.items()}
    here = [one for one in found if one.line in moved.get(one.cell, ())]
    return [one._replace(cell=cells[one.cell], line=moved[one.cell][one.line]) for one in here]


def hover(reading: Reading, cell: str, line: int, column: int) -> tuple[Extent, str] | None:
    """Return what is shown at a place: of the layer that is called there, else of the type whose name stands there."""
    words = [one for one in _NAME.finditer(reading.text.line(cell, line)) if one.start() <= column <= one.end()]
    if not words:
        return None
    span = Extent(cell, line, words[0].start(), line, words[0].end())
    # A layer is called in the first line of its expression, or in a spec in its item.
    called = [one for one in reading.results if one.layer and one.span[:2] == span[:2] and one.span[:3] <= span[:3]]
    inner = min([one for one in called if span[1:3] < one.span[3:]], key=lambda one: one.span[3:], default=None)
    shown = (_of_layer(reading, inner.layer) if inner else None) or _of_type(words[0][0])
    return (span, shown) if shown else None


def _of_layer(reading: Reading, path: str) -> str | None:
    for read in reading.models:
        if path in [row.path for row in every_row(read.report.layers)]:
            report = api.explain(read.model, layers=partial(str.__eq__, path), inputs=read.inputs, partial=True)
            rows = [row for row in every_row(report.layers) if row.path == path]
            return markdown(doc.Document(tuple(explained(report, rows, False, ShownParts(LAYER)))), Look())
    return None


def _of_type(name: str) -> str | None:
    """Return what is shown over the name of a type: of Keras, or of PyTorch where it is one of `nn` or no other's."""
    last = name.rpartition(".")[2]
    types = [f"torch.nn.{last}"] if name.endswith(f"nn.{last}") else [last, f"torch.nn.{last}"]
    for type_ in types if last[:1].isupper() else ():
        with suppress(LayerExplainError):
            entry = api.layer_type(type_)
            words = ["layerexplain", "layer", type_, *entry.example]
            return markdown(doc.Document(layer_type_page(entry, words, head=True)), Look())
    return None
