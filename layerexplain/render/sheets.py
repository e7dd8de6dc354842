"""Which sheet a report has."""

from __future__ import annotations

from typing import Any

from layerexplain.render.formats import Sheet


def sheet_of(
    report: Any, *, explain: bool = False, nested: bool = False, columns: tuple[str, ...] | None = None
) -> Sheet:
    """The sheet of any report; `explain` and `nested` are for a `Report`. Each builder is loaded when it is needed.

    Raises TypeError for what is no report.
    """
    kind = type(report).__name__
    if kind == "Report" and explain:
        from layerexplain.render.documents.explanation import explanation
        from layerexplain.render.documents.layer_columns import layers_of

        rows = [row.layer for row in layers_of(report, nested)]
        return explanation(report, rows, columns=columns, nested=nested)
    if kind == "Report":
        from layerexplain.render.documents.summary import summary

        return summary(report, columns, nested)
    if kind == "WeightTable":
        from layerexplain.render.documents.weights import weights

        return weights(report, columns)
    if kind == "VerifyReport":
        from layerexplain.render.documents.verification import verification

        return verification(report)
    if kind == "TraceReport":
        from layerexplain.render.documents.trace import trace

        return trace(report)
    if kind == "ElementReport":
        from layerexplain.render.documents.worked_element import TERMS_SHOWN, worked_element

        return worked_element(report, TERMS_SHOWN)
    raise TypeError(f"a report is needed, got {kind}")
