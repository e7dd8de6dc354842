"""Branches that are alike and meet in one node are one box, "40 branches", which opens."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence

from layerexplain.records import grouped
from layerexplain.render.graph.diagram import Diagram, GraphEdge, GraphNode, costliest_family, parameters_text

MOST_BRANCHES = 6
"""So many branches that are alike are drawn beside each other, and so many lines come to a box one by one."""

Chain = tuple[str, ...]


def with_strips(graph: Diagram) -> Diagram:
    """Return the graph with one box for each group of more than `MOST_BRANCHES` branches that come from one node, or
    begin themselves, have layers of the same types and meet in one node.

    >>> nodes = [GraphNode("x"), *[GraphNode(f"head{n}", type="Dense") for n in range(8)], GraphNode("all")]
    >>> edges = [GraphEdge(a, b) for n in range(8) for a, b in (("x", f"head{n}"), (f"head{n}", "all"))]
    >>> [node.name for node in with_strips(Diagram(tuple(nodes), tuple(edges))).nodes]
    ['x', '8 branches', 'all']
    """
    nodes = {node.name: node for node in graph.nodes}
    sources = grouped((edge.target, edge.source) for edge in dict.fromkeys(graph.edges))
    targets = grouped((edge.source, edge.target) for edge in dict.fromkeys(graph.edges))
    box_of: dict[str, str] = {}
    boxes: dict[str, GraphNode] = {}
    for target, feeds in sources.items():
        if len(feeds) <= MOST_BRANCHES:
            continue
        groups: dict[Hashable, list[Chain]] = {}
        for source in dict.fromkeys(feeds):
            if chain := _chain(source, nodes, sources, targets):
                kinds = tuple([_kind(nodes[name]) for name in chain])
                groups.setdefault((kinds, *sources.get(chain[0], ())), []).append(chain)
        for chains in groups.values():
            if len(chains) > MOST_BRANCHES:
                name = f"{len(chains)} branches"
                name = name if name not in boxes and name not in nodes else f"{name} to {target}"
                box = _strip(name, [[nodes[one] for one in chain] for chain in chains], graph.edges)
                boxes[name] = box
                box_of |= {one: name for chain in chains for one in chain}
    if not boxes:
        return graph
    kept = dict.fromkeys([box_of.get(name, name) for name in nodes])
    edges = [edge._replace(source=box_of.get(edge.source, edge.source), target=box_of.get(edge.target, edge.target))
             for edge in graph.edges]  # fmt: skip
    return Diagram(
        tuple([boxes.get(name) or nodes[name] for name in kept]),
        tuple(dict.fromkeys([edge for edge in edges if edge.source != edge.target])),
    )


def _chain(
    last: str,
    nodes: Mapping[str, GraphNode],
    sources: Mapping[str, Sequence[str]],
    targets: Mapping[str, Sequence[str]],
) -> Chain:
    """Return the nodes in a line that end with one; none where another one reads its tensor, too."""
    chain: list[str] = []
    name = last
    while len({*targets.get(name, ())}) == 1 and not nodes[name].port and len(nodes[name].copies) < 2:
        chain.append(name)
        feeds = {*sources.get(name, ())}
        if len(feeds) != 1:
            return tuple(reversed(chain)) if not feeds else ()
        name = feeds.pop()
    return tuple(reversed(chain))


def _kind(node: GraphNode) -> Hashable:
    """Equal for nodes that do the same with other numbers."""
    return node.type or tuple([re.sub(r"[\d,.]+", "", line) for line in node.about])


def _strip(name: str, chains: Sequence[Sequence[GraphNode]], edges: Sequence[GraphEdge]) -> GraphNode:
    first = chains[0]
    members = [node for chain in chains for node in chain]
    params = sum([node.params for node in members])
    copies = [
        tuple([one for node in chain for one in (node.copies[0] if node.copies else (node.name,))]) for chain in chains
    ]
    inner = first[0].inner
    if len(first) > 1:
        own = {node.name for node in first}
        outside = {
            edge.source: f"from {edge.source}" for edge in edges if edge.target in own and edge.source not in own
        }
        inner = Diagram(
            (*[GraphNode(port, port=True) for port in outside.values()], *first),
            tuple(
                [edge._replace(source=outside.get(edge.source, edge.source)) for edge in edges if edge.target in own]
            ),
        )
    what = ", ".join(
        [node.type or node.about[1 if len(node.about) > 1 else 0] for node in first if node.type or node.about]
    )
    return GraphNode(
        name,
        tuple(filter(None, [f"×{len(chains)}, {copies[0][0]} … {copies[-1][-1]}", what, parameters_text(params)])),
        makes=first[-1].makes,
        params=params,
        inner=inner,
        copies=tuple(copies),
        family=costliest_family(members),
        work=(sum([node.work[0] for node in members]), sum([node.work[1] for node in members])),
    )
