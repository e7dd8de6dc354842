"""The forms in which a graph is written: SVG and what is made of it, DOT and Mermaid."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from layerexplain.errors import ArgumentError, LayerExplainError, must_be_known
from layerexplain.render.escape import clean
from layerexplain.render.graph.diagram import SHOWN, Diagram, graph_of, open_boxes
from layerexplain.render.layout import Look
from layerexplain.report.data import LayerReport

# Mermaid ------------------------------------------------------------------------------------------------------------

_PLAIN = r"[^\w ,.:/+=()×→·-]"


def mermaid(graph: Diagram, look: Look, horizontal: bool = False) -> str:
    """Return the graph as a Mermaid flowchart, from top to bottom or from left to right; of the look only `ascii`
    counts."""
    return "\n".join([f"flowchart {'LR' if horizontal else 'TD'}", *_lines(graph, "    ", "n", look.ascii)]) + "\n"


def _lines(graph: Diagram, indent: str, prefix: str, ascii_only: bool) -> Iterator[str]:
    ids = {node.name: f"{prefix}{number}" for number, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        label = "<br/>".join([_text(line, ascii_only) for line in (node.name, *node.about) if line])
        if node.port:
            yield f'{indent}{ids[node.name]}(("."))'
        elif node.inner is not None:
            yield f'{indent}subgraph {ids[node.name]}["{label}"]'
            yield from _lines(node.inner, indent + "    ", ids[node.name] + "_", ascii_only)
            yield f"{indent}end"
        else:
            start, end = ("([", "])") if node.is_input else ("[", "]")
            yield f'{indent}{ids[node.name]}{start}"{label}"{end}'
    for node in graph.nodes:
        if node.is_faulty:
            yield f"{indent}style {ids[node.name]} stroke:red,stroke-width:2px"
    for edge in graph.edges:
        if edge.source in ids and edge.target in ids:
            label = f'|"{_text(edge.label, ascii_only)}"|' if edge.label else ""
            yield f"{indent}{ids[edge.source]} -->{label} {ids[edge.target]}"


def _text(text: str, ascii_only: bool) -> str:
    """Return a text in quotes, in which every sign that Mermaid or HTML might read is written as its number."""
    return re.sub(_PLAIN, lambda match: f"#{ord(match[0])};", clean(text, ascii_only))


# Dot ----------------------------------------------------------------------------------------------------------------
# DOT: a graph for graphviz, which lays it out itself.

_LONGEST_LABEL = 16_000
"""Bytes; graphviz refuses a text of 16,384."""


def dot(graph: Diagram, horizontal: bool = False, ascii_only: bool = False) -> str:
    """Return the graph as a `digraph`; boxes that hold others are clusters.

    >>> from layerexplain.render.graph.diagram import GraphEdge, GraphNode
    >>> print(dot(Diagram((GraphNode("x"), GraphNode("dense", ("Dense",))), (GraphEdge("x", "dense", "(None, 4)"),))))
    digraph model {
      rankdir=TB; compound=true; node [shape=box, style=rounded, fontname="Helvetica"]; edge [fontname="Helvetica"];
      n0 [label="x"];
      n1 [label="dense\\nDense"];
      n0 -> n1 [label="(None, 4)"];
    }
    <BLANKLINE>
    """
    common = 'compound=true; node [shape=box, style=rounded, fontname="Helvetica"]; edge [fontname="Helvetica"];'
    lines = _dot_lines(graph, "n", "  ", ascii_only)
    return "\n".join(["digraph model {", f"  rankdir={'LR' if horizontal else 'TB'}; {common}", *lines, "}"]) + "\n"


def _dot_lines(graph: Diagram, prefix: str, indent: str, ascii_only: bool) -> Iterator[str]:
    ids = {node.name: f"{prefix}{number}" for number, node in enumerate(graph.nodes)}
    nested = {node.name: node.inner for node in graph.nodes if node.inner is not None and node.inner.nodes}
    for node in graph.nodes:
        label = _label([node.name, *node.about], ascii_only)
        if node.name in nested:
            yield f"{indent}subgraph cluster_{ids[node.name]} {{"
            yield f'{indent}  label="{label}"; fontname="Helvetica";{" color=red; penwidth=2;" * node.is_faulty}'
            yield from _dot_lines(nested[node.name], f"{ids[node.name]}_", f"{indent}  ", ascii_only)
            yield f"{indent}}}"
        elif node.port:
            yield f'{indent}{ids[node.name]} [label="", shape=point];'
        else:
            yield f'{indent}{ids[node.name]} [label="{label}"{", color=red, penwidth=2" * node.is_faulty}];'
    for edge in graph.edges:
        if edge.source not in ids or edge.target not in ids:
            continue
        options = [f'label="{_label([edge.label], ascii_only)}"'] if edge.label else []
        source, target = ids[edge.source], ids[edge.target]
        # An edge joins nodes; of a cluster, its last and its first, and it is cut off at the frame.
        if edge.source in nested:
            options.append(f"ltail=cluster_{source}")
            source = _end(nested[edge.source], f"{source}_", -1)
        if edge.target in nested:
            options.append(f"lhead=cluster_{target}")
            target = _end(nested[edge.target], f"{target}_", 0)
        attributes = f" [{', '.join(options)}]" if options else ""
        yield f"{indent}{source} -> {target}{attributes};"


def _end(graph: Diagram, prefix: str, at: int) -> str:
    """Return the first or the last node inside of a cluster, however deep."""
    number = at % len(graph.nodes)
    inner = graph.nodes[number].inner
    return f"{prefix}{number}" if inner is None or not inner.nodes else _end(inner, f"{prefix}{number}_", at)


def _label(lines: Sequence[str], ascii_only: bool) -> str:
    """Return the lines of a label; where graphviz would refuse it, each as far as there is room."""
    shown = [clean(line, ascii_only) for line in lines if line]
    label = "\\n".join(map(_quoted, shown))
    if len(label.encode("utf-8", "replace")) <= _LONGEST_LABEL:
        return label
    room = _LONGEST_LABEL // (2 * len(shown)) - 4
    cut = [line.encode("utf-8", "replace")[:room].decode("utf-8", "ignore") for line in shown]
    more = "..." if ascii_only else "…"
    return "\\n".join([_quoted(short) + more * (short != line) for short, line in zip(cut, shown, strict=True)])


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


# Forms --------------------------------------------------------------------------------------------------------------
# The forms in which a graph is written: SVG and what is made of it, and languages that others lay out.


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
        return dot(graph, horizontal)
    if form == "mmd":
        from layerexplain.render.layout import Look

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
