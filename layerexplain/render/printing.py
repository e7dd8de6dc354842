"""How a report becomes text: by `format_report`, by `str`, in a notebook, by `Report.explain`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from layerexplain.errors import ArgumentError, LayerExplainError, names_in
from layerexplain.render.formats import Sheet, must_be_format, printed
from layerexplain.render.layout import LEAST_WIDTH, Look
from layerexplain.report.report import Report
from layerexplain.report.rows import Reported

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
    """Return what a notebook shows of a report, as HTML: its table, and of a model a picture."""
    from layerexplain.render.html import html

    sheet = sheet_of(report)
    shown = html(sheet.document(), Look(), sheet.graph and sheet.graph())
    return f'{_STYLE}<div class="layerexplain">\n{shown}</div>\n'


def explanation_text(report: Report, layers: Layers | None, full: bool = False) -> str:
    """Return the explanations of a report, or of some of its layers, as text."""
    return printed([explanation_of(report, layers, full)], "table", Look())


def fragment(report: Any, form: str) -> str:
    """Return what a notebook shows of a report or of a row of it, as markup for a document, with typeset formulas."""
    from layerexplain.render.latex import latex
    from layerexplain.render.markup import markdown

    document = sheet_of(report).document()
    return latex(document, fragment=True) if form == "latex" else markdown(document, Look(), typeset=True)


def sheet_of(
    report: Any,
    *,
    explain: bool = False,
    full: bool = False,
    nested: bool = False,
    columns: tuple[str, ...] | None = None,
) -> Sheet:
    """Return the sheet of any report; `explain`, `full` and `nested` are for a `Report`. Each builder is loaded when it
    is needed.

    Raises TypeError for anything but a report.
    """
    kind = type(report).__name__
    if kind == "LayerReport":
        from layerexplain.render.documents.explanation import layer_sheet

        return layer_sheet(report)
    if kind == "Report" and (explain or full or (report.format == "layer" and not columns)):
        from layerexplain.render.documents.explanation import FULL, ShownParts, explanation
        from layerexplain.render.documents.layer_columns import layers_of

        layers = [row.layer for row in layers_of(report, nested)]
        asked = ShownParts(FULL) if full else None
        return explanation(report, layers, report.format != "layer", columns, nested, asked)
    if kind not in _BUILDERS:
        raise TypeError(f"a report is needed, got {kind}")
    given = {"explain": explain or None, "full": full or None, "nested": nested or None, "columns": columns}
    options = {name: value for name, value in given.items() if value is not None}
    for name in options.keys() - _OPTIONS.get(kind, set()):
        raise ArgumentError(f"{name} cannot be used with a {kind}")
    module, _, function = _BUILDERS[kind].partition(":")
    result: Sheet = getattr(import_module(f"layerexplain.render.documents.{module}"), function or module)(
        report, **options
    )
    return result


def explanation_of(report: Report, layers: Layers | None, full: bool) -> Sheet:
    """Return the explanations of the chosen layers, however deep; of all that have one where none are chosen.

    Raises LayerExplainError where a pattern matches nothing, or where the report has no explanations.
    """
    from layerexplain.layer_names import LayerCandidate, chosen_rows
    from layerexplain.render.documents.explanation import FULL, ShownParts, explanation
    from layerexplain.report.rows import every_row

    rows = list(every_row(report.layers))
    wanted = chosen_rows([LayerCandidate(row.path, row.layer, row.type) for row in rows], layers)
    chosen = [row for row in rows if (row.explanation is not None if wanted is None else wanted(row.path))]
    if not any(row.explanation is not None for row in chosen):
        raise LayerExplainError("the report has no explanations of these layers; read the model with explain(source)")
    asked = ShownParts(FULL) if full else None
    if wanted is None and all(row.explanation is not None for row in report.layers):
        return explanation(report, asked=asked)
    return explanation(report, chosen, whole=False, asked=asked)


_OPTIONS = {"Report": {"nested", "columns"}, "WeightTable": {"columns"}}
"""What can be chosen of a kind of report."""

_BUILDERS = {
    "Report": "summary",
    "WeightTable": "weights",
    "VerifyReport": "verification",
    "CheckReport": "findings",
    "Comparison": "comparison",
    "TraceReport": "trace",
    "ElementReport": "trace:worked_element",
    "GradientTrace": "gradients",
}
"""For each kind of report the module of documents/ and its function, where that has another name."""


_STYLE = """<style>
.layerexplain :is(h1, p, li) { overflow-wrap: anywhere }
.layerexplain .table, .layerexplain figure { overflow-x: auto }
.layerexplain figure { margin: 1em 0 }
.layerexplain figure svg { border-radius: 8px; height: auto; max-width: 100% }
.layerexplain .table table { border-collapse: collapse }
.layerexplain .table :is(th, td) { padding: .3em .9em .3em 0; text-align: left; vertical-align: top }
.layerexplain .table .right { text-align: right; white-space: nowrap }
</style>
"""
"""For frontends that give tables no space of their own. Colours are the notebook's, whose theme a style sheet cannot
tell; the picture has its own, on white."""
