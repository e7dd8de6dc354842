"""Mermaid: the graph of a model as a flowchart, with the shapes on its edges."""

from __future__ import annotations

import re
from collections.abc import Iterator

from layerexplain.render.escape import clean
from layerexplain.render.graph.diagram import Diagram
from layerexplain.render.layout import Look

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
