"""Traced network → Report: derive/ answers the questions, and frozen plain data comes out."""

from layerexplain.report.build import build

__all__ = ["build"]
