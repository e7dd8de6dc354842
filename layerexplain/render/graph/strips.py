"""Layouts of a shape: alike branches as one box that opens, an encoder and a decoder beside each other."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import pairwise
from operator import eq

from layerexplain.records import NamedTuple, grouped
from layerexplain.render.graph.diagram import Diagram, GraphEdge, GraphNode, costliest_family, parameters_text
from layerexplain.render.graph.lanes import Lanes, Strand, lanes_in, longest_path, rows_of, strands_of, targets_of

# Strips -------------------------------------------------------------------------------------------------------------

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
                box = _strip(name, [[nodes[item] for item in chain] for chain in chains], graph.edges)
                boxes[name] = box
                box_of |= {item: name for chain in chains for item in chain}
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
        tuple([item for node in chain for item in (node.copies[0] if node.copies else (node.name,))])
        for chain in chains
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


# Columns ------------------------------------------------------------------------------------------------------------
# An encoder and a decoder beside each other: what goes from one to the other runs sideways, and a U can be seen.

_LEAST_SKIPS = 2
_MOST_SKIPS = 300
"""Among more skips it is not looked for those that are inside of one another."""


class Columns(NamedTuple):
    """The lanes of a graph in two columns, and what feeds each node where the decoder is turned round; `across` are
    the tensors that run sideways, the last of them that from the encoder's end to the decoder's begin."""

    lanes: Lanes
    sources: tuple[tuple[int, ...], ...]
    decoder: frozenset[int]
    across: tuple[tuple[int, int], ...]


def columns_of(sources: Sequence[Sequence[int]], makes: Sequence[str]) -> Columns | None:
    """Return the two columns of an encoder and a decoder; None for another graph. `makes` are the shapes that nodes
    give, "" where they are not known.

    >>> columns_of([[], [0], [1], [2], [3, 1], [4, 0]], ["8×8×2", "4×4×2", "2×2×2", "2×2×4", "4×4×4", "8×8×4"]).across
    ((0, 5), (1, 4), (3, 4))
    """
    targets = targets_of(sources)
    trunk = longest_path(rows_of(sources, targets), targets)
    skips = _nested(trunk, sources, makes)
    if len(skips) < _LEAST_SKIPS:
        return None
    first = _first_of_decoder(trunk, skips[-1], makes)
    end, begin = trunk[first - 1], trunk[first]
    decoder = frozenset(_reached(begin, targets))
    across = (*skips, (end, begin))
    turned: list[set[int]] = [set() for _ in sources]
    for target, feeds in enumerate(sources):
        for source in feeds:
            if (source, target) in across:
                continue
            if source in decoder:
                turned[source].add(target)
            else:
                turned[target].add(source)
    rows = _rows(turned, skips, (begin, end))
    if rows is None or any(rows[node] >= rows[end] for node in decoder):
        return None
    down = [tuple(sorted(feeds, key=rows.__getitem__)) for feeds in turned]
    main = trunk[:first], trunk[first:][::-1]
    column = Strand(rows[main[1][0]], rows[end] - 1, main[1], begin)
    strands = [column, *strands_of(rows, targets_of(down), {*trunk})]
    sides = {node: 1 if node in decoder else -1 for node in range(len(sources))}
    lanes = lanes_in(rows, main[0], strands, down, sides, (begin,))
    return Columns(lanes, tuple(down), decoder, across)


def _nested(trunk: Sequence[int], sources: Sequence[Sequence[int]], makes: Sequence[str]) -> list[tuple[int, int]]:
    """Return the most skips of the longest path that are inside of one another, the outermost first; none where all
    give the same sizes."""
    place = {node: at for at, node in enumerate(trunk)}
    pairs = [(place[s], place[t]) for t in trunk for s in sources[t] if s in place and place[t] > place[s] + 1]
    if len(pairs) > _MOST_SKIPS:
        return []
    best: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for pair in sorted(pairs, key=lambda item: item[1] - item[0]):
        inside = [best[item] for item in best if pair[0] < item[0] and item[1] < pair[1]]
        best[pair] = [pair, *max(inside, key=len, default=[])]
    chain = max(best.values(), key=len, default=[])
    shapes = [makes[trunk[source]].split("×") for source, _ in chain]
    is_known = bool(shapes) and "None" not in shapes[0] and shapes[0] != [""]
    shrinks = any(not _has_sizes(outer, inner) for outer, inner in pairwise(shapes)) if is_known else len(chain) > 2
    return [(trunk[a], trunk[b]) for a, b in chain] if shrinks else []


def _first_of_decoder(trunk: Sequence[int], innermost: tuple[int, int], makes: Sequence[str]) -> int:
    """Return where the decoder begins on the path: the first of those that have sizes of the innermost skip again."""
    source, target = [trunk.index(node) for node in innermost]
    sizes = makes[innermost[0]].split("×")
    at = target
    while at > source + 1 and _has_sizes(makes[trunk[at - 1]].split("×"), sizes):
        at -= 1
    return at if at > source + 1 else max(target - 1, source + 2)  # all have them where sizes are not known


def _has_sizes(shape: Sequence[str], sizes: Sequence[str]) -> bool:
    """Return whether sizes are equal but for one, that of the channels."""
    return len(shape) == len(sizes) and sum(map(eq, shape, sizes)) >= max(len(sizes) - 1, 1)


def _reached(node: int, targets: Sequence[Sequence[int]]) -> Iterable[int]:
    reached = {node: None}
    ahead = [node]
    for number in ahead:  # grows as it is read
        ahead += [target for target in targets[number] if target not in reached]
        reached.update(dict.fromkeys(targets[number]))
    return reached


def _rows(turned: Sequence[Iterable[int]], skips: Sequence[tuple[int, int]], last: tuple[int, int]) -> list[int] | None:
    """Return a row for each node, as near as can be to what it leads to, the same for both ends of a skip; None where
    that cannot be."""
    stands_for = {target: source for source, target in skips}
    ends = [stands_for.get(node, node) for node in range(len(turned))]
    before: list[set[int]] = [set() for _ in turned]
    for target, feeds in enumerate(turned):
        before[ends[target]] |= {ends[source] for source in feeds}
    before[ends[last[1]]].add(ends[last[0]])
    after = targets_of([tuple(feeds) for feeds in before])
    waits = [len(feeds) for feeds in before]
    order = [node for node in range(len(turned)) if not waits[node]]
    rows = [0] * len(turned)
    for node in order:  # grows as it is read
        for target in after[node]:
            rows[target] = max(rows[target], rows[node] + 1)
            waits[target] -= 1
            if not waits[target]:
                order.append(target)
    if any(waits):
        return None
    for node in reversed(order):
        rows[node] = min([rows[target] - 1 for target in after[node]], default=rows[node])
    least = min([rows[end] for end in ends], default=0)
    return [rows[end] - least for end in ends]
