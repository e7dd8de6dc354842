"""Formulas that are no layer's as plain data: of a loss, with its gradient at the output, and of an update."""

from __future__ import annotations

from layerexplain.derive.gradient.backward import gradient_of_number
from layerexplain.derive.latex.statements import latex
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CannotDerive, Expr
from layerexplain.report.explanation import statements_of
from layerexplain.report.step_data import FormulaReport
from layerexplain.report.where import where


def loss_gradient(loss: Definition, by: Expr) -> FormulaReport | None:
    """Return how a term of the loss changes with an output or a weight; None where that is not derived."""
    try:
        return formula_report("", gradient_of_number(loss, by))
    except CannotDerive:
        return None


def formula_report(sentence: str, definition: Definition) -> FormulaReport:
    """Return a formula as plain data."""
    return FormulaReport(sentence, statements_of(definition), where(definition), latex(definition))
