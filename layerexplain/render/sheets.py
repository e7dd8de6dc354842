"""Which sheet a report has."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.render.formats import Sheet

if TYPE_CHECKING:
    from layerexplain.layer_names import Layers
    from layerexplain.report.data import Report


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
    if kind == "Report" and (explain or full):
        from layerexplain.render.documents.explanation import FULL, ShownParts, explanation
        from layerexplain.render.documents.layer_columns import layers_of

        layers = [row.layer for row in layers_of(report, nested)]
        return explanation(report, layers, columns=columns, nested=nested, asked=ShownParts(FULL) if full else None)
    if kind not in _BUILDERS:
        raise TypeError(f"a report is needed, got {kind}")
    given = {"explain": explain or None, "full": full or None, "nested": nested or None, "columns": columns}
    options = {name: value for name, value in given.items() if value is not None}
    for name in options.keys() - _OPTIONS.get(kind, set()):
        raise ArgumentError(f"{name} has no meaning for a {kind}")
    module = _BUILDERS[kind]
    result: Sheet = getattr(import_module(f"layerexplain.render.documents.{module}"), module)(report, **options)
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
        raise LayerExplainError("the report has no explanation of these layers; explain(source) makes one with them")
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
    "ElementReport": "worked_element",
    "GradientTrace": "gradients",
}
"""For each kind of report the module of documents/ that has a function of the same name."""
