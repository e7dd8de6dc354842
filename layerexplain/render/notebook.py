"""What a notebook shows of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerexplain.report.data import Report as PlainReport

if TYPE_CHECKING:
    from layerexplain.render.page.shell import Page

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


class Report(PlainReport):
    """A report, which a notebook shows as a table with a picture."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        from layerexplain.render.documents.summary import summary
        from layerexplain.render.html import html
        from layerexplain.render.layout import Look

        sheet = summary(self)
        told = html(sheet.document(), Look(), sheet.graph and sheet.graph())
        return f'{_STYLE}<div class="layerexplain">\n{told}</div>\n'

    def page(self, fold: bool = True) -> Page:
        """The page of the model, which a notebook shows; `page` says what is on it."""
        from layerexplain.render.page.data import page_of

        return page_of(self, fold)
