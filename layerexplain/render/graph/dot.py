"""DOT: a graph for graphviz, which lays it out itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from layerexplain.render.escape import clean
from layerexplain.render.graph.diagram import Diagram

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
    lines = _lines(graph, "n", "  ", ascii_only)
    return "\n".join(["digraph model {", f"  rankdir={'LR' if horizontal else 'TB'}; {common}", *lines, "}"]) + "\n"


def _lines(graph: Diagram, prefix: str, indent: str, ascii_only: bool) -> Iterator[str]:
    ids = {node.name: f"{prefix}{number}" for number, node in enumerate(graph.nodes)}
    nested = {node.name: node.inner for node in graph.nodes if node.inner is not None and node.inner.nodes}
    for node in graph.nodes:
        label = _label([node.name, *node.about], ascii_only)
        if node.name in nested:
            yield f"{indent}subgraph cluster_{ids[node.name]} {{"
            yield f'{indent}  label="{label}"; fontname="Helvetica";{" color=red; penwidth=2;" * node.is_faulty}'
            yield from _lines(nested[node.name], f"{ids[node.name]}_", f"{indent}  ", ascii_only)
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
