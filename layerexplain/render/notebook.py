"""What a notebook shows of a report: its table, and of a model a picture."""

from __future__ import annotations

from layerexplain.render.html import html
from layerexplain.render.layout import Look
from layerexplain.render.sheets import sheet_of
from layerexplain.report.rows import Reported

_STYLE = """<style>
.layerexplain :is(h1, p) { overflow-wrap: anywhere }
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


def notebook_html(report: Reported) -> str:
    """Return a report as HTML for a cell of a notebook."""
    sheet = sheet_of(report)
    shown = html(sheet.document(), Look(), sheet.graph and sheet.graph())
    return f'{_STYLE}<div class="layerexplain">\n{shown}</div>\n'
