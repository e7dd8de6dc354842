"""Printing reports in the tests: all formats with the options that the commands have."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from layerexplain.render.documents.catalogue import Families, catalogue
from layerexplain.render.documents.explanation import FULL, ShownParts
from layerexplain.render.documents.explanation import explanation as explanation_sheet
from layerexplain.render.documents.summary import summary
from layerexplain.render.formats import pieces, printed
from layerexplain.render.layout import Look
from layerexplain.report.data import LayerReport
from layerexplain.report.report import Report


class Wanted(NamedTuple):
    """What an output is to have."""

    format: str = "table"
    columns: tuple[str, ...] | None = None
    nested: bool = False
    several: bool = False
    full: bool = False


class Chosen(NamedTuple):
    """The layers of a report to explain; `whole` says that none were left out."""

    report: Report
    layers: Sequence[LayerReport]
    whole: bool = True


def summary_pieces(report: Report, wanted: Wanted, look: Look) -> Iterable[str]:
    sheet = summary(report, wanted.columns, wanted.nested, wanted.several)
    return pieces(sheet, wanted.format, look)


def summary_text(reports: Iterable[Report], wanted: Wanted, look: Look) -> str:
    sheets = [summary(report, wanted.columns, wanted.nested, wanted.several) for report in reports]
    return printed(sheets, wanted.format, look, wanted.several)


def explanation_text(chosen: Iterable[Chosen], wanted: Wanted, look: Look) -> str:
    asked = ShownParts(FULL) if wanted.full else None
    sheets = [
        explanation_sheet(one.report, one.layers, one.whole, wanted.columns, wanted.nested, asked) for one in chosen
    ]
    return printed(sheets, wanted.format, look, wanted.several)


def table(report: Report, look: Look, columns: tuple[str, ...] | None = None, nested: bool = False) -> str:
    return summary_text([report], Wanted("table", columns, nested), look)


def explanation(
    report: Report, layers: Sequence[LayerReport], look: Look, whole: bool = True, full: bool = False
) -> str:
    return explanation_text([Chosen(report, layers, whole)], Wanted(full=full), look)


def catalog(families: Families, format: str, look: Look) -> str:
    return printed([catalogue(families)], format, look)
