"""How a report becomes text: by `format_report`, by `str`, in a notebook, by `Report.explain`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from layerexplain.errors import ArgumentError
from layerexplain.render.formats import must_be_format, printed
from layerexplain.render.layout import LEAST_WIDTH, Look
from layerexplain.render.sheets import explanation_of, sheet_of
from layerexplain.report.data import Report
from layerexplain.report.rows import Reported
from layerexplain.suggest import names_in

if TYPE_CHECKING:
    from layerexplain.layer_names import Layers


def format_report(
    report: Reported,
    format: str = "table",
    *,
    explain: bool = False,
    full: bool = False,
    nested: bool = False,
    columns: str | Sequence[str] | None = None,
    width: int | None = None,
    color: bool = False,
    ascii: bool = False,
) -> str:
    """Print any report as the command line does.

    Args:
        report: What a function of `layerexplain` returned: any report.
        format: "table", "json", "jsonl", "csv", "tsv", "markdown", "latex" or "html"; of a `Report` also "mermaid", of
            findings "github" and "sarif".
        explain: Of a `Report`, print the explanations and not a row a layer: a tour.
        full: Of a `Report`, print all that the explanations have.
        nested: Of a `Report`, also the layers inside nested models.
        columns: The columns of a table, in this order, where it can be chosen.
        width: How many columns text is to fit in; None wraps nothing.
        color: Whether text is coloured for a terminal.
        ascii: Whether signs that are not ASCII are spelt out.

    Returns:
        The text, which ends with a line break.

    Raises:
        LayerExplainError: for an unknown format or column, or for one that such a report does not have.

    >>> import layerexplain
    >>> report = layerexplain.explain(b"name: net\\ninput: [784]\\nlayers:\\n  - Dense: 10\\n", detail=False)
    >>> print(format_report(report, "csv", columns=["layer", "params"]))
    layer,params
    input,0
    dense,7850
    <BLANKLINE>
    """
    chosen = None if columns is None else names_in(columns)
    must_be_format(format, chosen)
    if width is not None and width < LEAST_WIDTH:
        raise ArgumentError(f"width needs to be at least {LEAST_WIDTH}, got width={width}")
    sheet = sheet_of(report, explain=explain, full=full, nested=nested, columns=chosen)
    return printed([sheet], format, Look(width, color, ascii))


def notebook_text(report: Reported) -> str:
    """Return what a notebook shows of a report, as HTML."""
    from layerexplain.render.notebook import notebook_html

    return notebook_html(report)


def explanation_text(report: Report, layers: Layers | None, full: bool = False) -> str:
    """Return the explanations of a report, or of some of its layers, as text."""
    return printed([explanation_of(report, layers, full)], "table", Look())
