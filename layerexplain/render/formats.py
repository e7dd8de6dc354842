"""Which printer a format has: what reports give to printers in, the text of the output out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from layerexplain.errors import ArgumentError, must_be_known
from layerexplain.records import NamedTuple
from layerexplain.render.document import Column, Document
from layerexplain.render.layout import Look

if TYPE_CHECKING:
    from layerexplain.render.graph.diagram import Diagram
    from layerexplain.render.json import Annotation

FORMATS = ("table", "json", "jsonl", "csv", "tsv", "markdown", "latex", "html")
FORM_ENDINGS = {"md": "markdown", "tex": "latex", "txt": "table"}
"""Endings of files → the form that these have."""

GRAPH_FORMATS = (*FORMATS, "mermaid")
"""Those of a report that has a graph."""

FINDING_FORMATS = (*FORMATS, "github", "sarif")
"""Those of a report on places in files."""

ROWS_ALONE = frozenset({"jsonl", "csv", "tsv", "github", "sarif"})
"""Those that have nothing but a row, a line or an annotation for each thing that a report tells of."""

_DELIMITERS = {"csv": ",", "tsv": "\t"}


class Sheet(NamedTuple):
    """A report, as printers ask for it: a document to read; for programs its own data, a record a line, and rows with
    their columns; of a model its graph. Each is made when a format needs it."""

    document: Callable[[], Document]
    data: Callable[[], Any]
    records: Callable[[], Iterable[dict[str, Any]]]
    columns: tuple[Column, ...]
    rows: Callable[[], Iterable[Any]]
    graph: Callable[[], Diagram] | None = None
    annotations: Callable[[], Sequence[Annotation]] | None = None


def sheet(
    report: Any, origin: Any, document: Callable[[], Document], columns: tuple[Column, ...], rows: Iterable[Any]
) -> Sheet:
    """Return the sheet of a report whose rows have a `to_dict`: a record is a row with the source and model of
    `origin`."""
    front = {"source": origin.source, "model": origin.model_name}
    return Sheet(document, report.to_dict, lambda: ({**front, **row.to_dict()} for row in rows), columns, lambda: rows)


def must_be_format(format: str, columns: Sequence[str] | None = None) -> None:
    """Raise ArgumentError for an unknown format, and for columns of one that always has everything."""
    must_be_known("format", format, dict.fromkeys([*GRAPH_FORMATS, *FINDING_FORMATS]))
    if columns is not None and format in ("json", "jsonl"):
        raise ArgumentError(f"columns cannot be used with {format}, which always has every field")


def printed(sheets: Iterable[Sheet], format: str, look: Look, several: bool = False) -> str:
    """Return all sheets in one of the `FORMATS`; `several` says that several sources were requested, however many of
    them could be read."""
    waiting = iter(sheets)
    first = next(waiting, None)
    if first is None:
        return ""
    parts = (pieces(sheet, format, look) for group in ([first], waiting) for sheet in group)
    return "".join(joined(parts, format, first.columns, several))


def pieces(sheet: Sheet, format: str, look: Look) -> Iterable[str]:
    """Return what one sheet adds to an output: one piece, or where a format has a line for each row many."""
    if format == "table":
        from layerexplain.render.text import text

        return [text(sheet.document(), look)]
    if format == "markdown":
        from layerexplain.render.markup import markdown

        return [markdown(sheet.document(), look)]
    if format == "latex":
        from layerexplain.render.latex import latex

        return [latex(sheet.document())]
    if format == "html":
        from layerexplain.render.html import html

        return [html(sheet.document(), look, sheet.graph and sheet.graph())]
    if format == "mermaid":
        from layerexplain.render.graph.forms import mermaid

        return [mermaid(needed_graph(sheet), look)]
    if format in ("github", "sarif"):
        if sheet.annotations is None:
            raise ArgumentError(f"{format} is for findings; this report has none")
        from layerexplain.render.json import github, sarif

        return [(github if format == "github" else sarif)(sheet.annotations(), look)]
    if format in _DELIMITERS:
        from layerexplain.render.json import delimited

        return delimited(sheet.columns, sheet.rows(), _DELIMITERS[format], look.ascii)
    from layerexplain.render.json import json_lines, json_value

    return [json_value(sheet.data(), look.ascii)] if format == "json" else json_lines(sheet.records(), look.ascii)


def needed_graph(sheet: Sheet) -> Diagram:
    """Return the graph of a sheet. Raises ArgumentError where its report has none."""
    if sheet.graph is None:
        raise ArgumentError("mermaid draws the graph of a model; this report has none")
    return sheet.graph()


def joined(
    parts: Iterable[Iterable[str]], format: str, columns: Sequence[Column], several: bool = False
) -> Iterator[str]:
    """Yield the pieces of all sheets with what stands before, between and behind them; none where there is no sheet.
    `columns` are those of csv and tsv."""
    before, between, behind = "", "\n", ""
    if format == "json":
        before, between, behind = ("[\n", ",\n", "\n]\n") if several else ("", "", "\n")
    elif format in ("jsonl", "github"):
        between = ""
    elif format == "sarif":
        from layerexplain.render.json import AFTER, BEFORE

        before, between, behind = BEFORE, ",\n", AFTER
    elif format == "latex":
        from layerexplain.render.latex import AFTER, BEFORE

        before, behind = BEFORE, AFTER
    elif format == "html":
        from layerexplain.render import html

        before, behind = html.before(), html.AFTER
    elif format in _DELIMITERS:
        from layerexplain.render.json import header

        before, between = header(columns, _DELIMITERS[format]), ""
    number = -1
    for number, part in enumerate(parts):
        yield between if number else before
        yield from part
    if number >= 0:
        yield behind
