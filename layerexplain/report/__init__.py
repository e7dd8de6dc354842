"""Model → Report: the calls are walked, derive/ is asked, and frozen plain data comes out."""

from layerexplain.report.build import build, build_layer

__all__ = ["build", "build_layer"]
