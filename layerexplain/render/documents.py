"""Which renderer a format has: reports in, the whole text of the output out."""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.records import NamedTuple
from layerexplain.render.layout import Look
from layerexplain.report.data import LayerReport, Report

FORMATS = ("table", "json", "jsonl", "csv", "tsv", "markdown")


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


def summary_text(reports: Sequence[Report], wanted: Wanted, look: Look) -> str:
    """The reports as tables, or in one of the formats for programs."""
    if wanted.format == "table":
        from layerexplain.render.table import table

        return "\n".join(table(report, look, wanted.columns, wanted.nested) for report in reports)
    if wanted.format == "markdown":
        from layerexplain.render.markdown import markdown_table

        return "\n".join(
            markdown_table(report, wanted.columns, nested=wanted.nested, ascii_only=look.ascii) for report in reports
        )
    return _data_text(reports, wanted, look)


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
    return _data_text(reports, wanted, look)


def _data_text(reports: Sequence[Report], wanted: Wanted, look: Look) -> str:
    if wanted.format in ("json", "jsonl"):
        from layerexplain.render.json import json_lines, json_text

        if wanted.format == "jsonl":
            return json_lines(reports, nested=wanted.nested, ascii_only=look.ascii)
        return json_text(reports, several=wanted.several, nested=wanted.nested, ascii_only=look.ascii)
    from layerexplain.render.columns import DATA_COLUMNS
    from layerexplain.render.delimited import delimited

    names = wanted.columns or DATA_COLUMNS
    if wanted.columns is None and wanted.nested:
        names = ("layer", "type", "path", *names[2:])
    if wanted.several and "source" not in names:
        names = ("source", *names)
    delimiter = "," if wanted.format == "csv" else "\t"
    return delimited(reports, names, delimiter=delimiter, nested=wanted.nested, ascii_only=look.ascii)
