"""The forms in which a graph is written: SVG and what is made of it, and languages that others lay out."""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.errors import ArgumentError, LayerExplainError
from layerexplain.render.graph.diagram import SHOWN, graph_of, open_boxes
from layerexplain.report.data import LayerReport
from layerexplain.suggest import must_be_known


class Svg(str):
    """A picture as SVG, which a notebook shows."""

    __slots__ = ()

    def _repr_svg_(self) -> str:
        return str(self)


class Png(bytes):
    """A picture as PNG, which a notebook shows."""

    __slots__ = ()

    def _repr_png_(self) -> bytes:
        return bytes(self)


FORMS = ("svg", "png", "pdf", "dot", "mmd")
THEMES = ("light", "dark")


def must_be_drawn(form: str, depth: int, show: Sequence[str], theme: str) -> None:
    """Raise ArgumentError for a form, a depth, a theme or a part of a box that there is not."""
    must_be_known("form", form, FORMS)
    must_be_known("theme", theme, THEMES)
    must_be_shown(show)
    if depth < 0:
        raise ArgumentError(f"depth needs to be at least 0, at which every box is closed, got depth={depth}")


def must_be_shown(show: Sequence[str]) -> None:
    """Raise ArgumentError for names of parts that a box does not show."""
    for name in show:
        must_be_known("part of a box", name, SHOWN, f"a box shows {', '.join(SHOWN)}")


def drawn(
    layers: Sequence[LayerReport], form: str, fold: bool, depth: int, show: Sequence[str], theme: str, horizontal: bool
) -> str | bytes:
    """Write the graph of these layers; `api.draw` says what the arguments mean."""
    graph = graph_of(layers, nested=True, shown=show)
    if fold:
        from layerexplain.render.graph.fold import fold as folded

        graph = folded(graph)
    graph = open_boxes(graph, depth)
    if form == "dot":
        from layerexplain.render.graph.dot import dot

        return dot(graph, horizontal)
    if form == "mmd":
        from layerexplain.render.layout import Look
        from layerexplain.render.mermaid import mermaid

        return mermaid(graph, Look(), horizontal)
    from layerexplain.render.graph.svg import svg

    picture = Svg(svg(graph, theme, horizontal))
    return picture if form == "svg" else {"png": _png, "pdf": _pdf}[form](picture)


def _png(picture: str) -> bytes:
    try:
        import reportlab
        from resvg_py import svg_to_bytes
    except ImportError:
        raise _missing("PNG") from None
    from pathlib import Path

    # A machine without fonts would draw no text at all: the fonts that reportlab brings stand in.
    fonts = str(Path(reportlab.__file__).parent / "fonts")
    vera = "Bitstream Vera Sans"
    return Png(svg_to_bytes(svg_string=picture, zoom=2, font_dirs=[fonts], sans_serif_family=vera))


def _pdf(picture: str) -> bytes:
    try:
        from reportlab.graphics.renderPDF import drawToString
        from svglib.svglib import svg2rlg
    except ImportError:
        raise _missing("PDF") from None
    from io import BytesIO

    return bytes(drawToString(svg2rlg(BytesIO(picture.encode("utf-8")))))


def _missing(form: str) -> LayerExplainError:
    return LayerExplainError(f"drawing {form} needs `pip install '.[draw]'` in a clone; SVG needs no extra package")
