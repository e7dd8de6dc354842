"""Which renderer a format has: reports in, the whole text of the output out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from layerexplain.records import NamedTuple
from layerexplain.render.layout import Look
from layerexplain.report.data import LayerReport, Report

FORMATS = ("table", "json", "jsonl", "csv", "tsv", "markdown")
_DELIMITERS = {"csv": ",", "tsv": "\t"}


class Wanted(NamedTuple):
    """What an output is to have. `columns` None are those that the format has by default; `several` says that
    several sources were asked for, whether or not all of them could be read."""

    format: str = "table"
    columns: tuple[str, ...] | None = None
    nested: bool = False
    several: bool = False


class Chosen(NamedTuple):
    """The layers of a report to explain; `whole` says that none were left out."""

    report: Report
    layers: tuple[LayerReport, ...]
    whole: bool = True


def summary_text(reports: Iterable[Report], wanted: Wanted, look: Look) -> str:
    """The reports as tables, or in one of the formats for programs."""
    return "".join(joined((summary_pieces(report, wanted, look) for report in reports), wanted))


def summary_pieces(report: Report, wanted: Wanted, look: Look) -> Iterable[str]:
    """What a report of its own adds to a summary: one piece, or where a format has a line for each layer many."""
    if wanted.format == "table":
        from layerexplain.render.table import table

        return [table(report, look, wanted.columns, wanted.nested)]
    if wanted.format == "markdown":
        from layerexplain.render.markdown import markdown_table

        return [markdown_table(report, wanted.columns, nested=wanted.nested, ascii_only=look.ascii)]
    return _data_pieces(report, wanted, look)


def joined(reports: Iterable[Iterable[str]], wanted: Wanted) -> Iterator[str]:
    """The pieces of all reports with what stands before, between and behind them; none where there is no report."""
    before, between, behind = "", "\n", ""
    if wanted.format == "json":
        before, between, behind = ("[\n", ",\n", "\n]\n") if wanted.several else ("", "", "\n")
    elif wanted.format == "jsonl":
        between = ""
    elif wanted.format in _DELIMITERS:
        from layerexplain.render.delimited import header

        before, between = header(_names(wanted), delimiter=_DELIMITERS[wanted.format]), ""
    number = -1
    for number, pieces in enumerate(reports):
        yield between if number else before
        yield from pieces
    if number >= 0:
        yield behind


def explanation_text(chosen: Sequence[Chosen], wanted: Wanted, look: Look) -> str:
    """The explanations as text or markdown; the other formats have the chosen layers' rows."""
    if wanted.format == "table":
        from layerexplain.render.explanation import explanation

        return "\n".join(explanation(one.report, one.layers, look, one.whole) for one in chosen)
    if wanted.format == "markdown":
        from layerexplain.render.markdown import markdown_explanation

        return "\n".join(
            markdown_explanation(one.report, one.layers, whole=one.whole, ascii_only=look.ascii) for one in chosen
        )
    reports = [one.report if one.whole else one.report._replace(layers=one.layers) for one in chosen]
    return "".join(joined((_data_pieces(report, wanted, look) for report in reports), wanted))


def _data_pieces(report: Report, wanted: Wanted, look: Look) -> Iterable[str]:
    if wanted.format in ("json", "jsonl"):
        from layerexplain.render.json import json_lines, json_object

        if wanted.format == "jsonl":
            return json_lines(report, nested=wanted.nested, ascii_only=look.ascii)
        return [json_object(report, nested=wanted.nested, ascii_only=look.ascii)]
    from layerexplain.render.delimited import delimited

    delimiter = _DELIMITERS[wanted.format]
    return delimited(report, _names(wanted), delimiter=delimiter, nested=wanted.nested, ascii_only=look.ascii)


def _names(wanted: Wanted) -> tuple[str, ...]:
    """The columns of csv and tsv."""
    from layerexplain.render.columns import DATA_COLUMNS

    names = wanted.columns or DATA_COLUMNS
    if wanted.columns is None and wanted.nested:
        names = ("layer", "type", "path", *names[2:])
    if wanted.several and "source" not in names:
        names = ("source", *names)
    return names
