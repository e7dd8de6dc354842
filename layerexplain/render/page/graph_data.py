"""The graph of a page: boxes and lines as they are placed when all boxes are closed, level by level.

A graph is `{boxes, lines, rows, lanes, trunk, width, height}`. `rows` are where each row of boxes begins and ends,
`lanes` where the lines of each lane run and the middles of its boxes are, so that the page can push rows and lanes
apart where a box is opened, without a layout of its own.

A box is `{x, y, w, h, lines, family}` and, where there is something to tell: `call`, the number of its call in
`data.calls`; `copies`, of a block that repeats, for each copy the calls in it, and `single` if a copy is one layer;
`inner`, the graph that shows when it is open, and `tw`, `th`, what its title takes then; `port` for a point at which a
tensor enters; `input`; `faulty`, if something in it is wrong; `makes`, the shape that it gives. `lines` are the texts
in it, the first its name. A line is `[from, to, x1, y1, x2, y2, …]`, the first two numbers of boxes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from layerexplain.records import grouped
from layerexplain.render.escape import clean
from layerexplain.render.graph.diagram import Diagram, GraphNode, call_name, graph_of, open_boxes
from layerexplain.render.graph.fold import fold as folded
from layerexplain.render.graph.layout import Box, layout
from layerexplain.render.graph.svg import size_of, width_of
from layerexplain.report.data import LayerReport

_LABEL = 12.0
"""The size of the font in which shapes stand."""
_MOST_DRAWN = 200
"""So many boxes are drawn at once, at most, where all are opened."""


class CallNumbers:
    """The number of each call in a page, by the layers around it and the name of its node."""

    def __init__(self, layers: Sequence[LayerReport]) -> None:
        self.layers: list[LayerReport] = []
        """All layers, those inside of others behind them."""
        self.parents: list[int] = []
        self.calls: list[list[int]] = []
        """For each call its layer and its number."""
        self.names: dict[int, dict[str, int]] = {}
        """By the layer around them (-1 for none), the calls by the names of their nodes."""
        self._add(layers, -1)

    def _add(self, layers: Sequence[LayerReport], parent: int) -> None:
        names = self.names.setdefault(parent, {})
        for layer in layers:
            number = len(self.layers)
            self.layers.append(layer)
            self.parents.append(parent)
            for call in range(max(len(layer.calls), 1)):
                names[call_name(layer.layer, call)] = len(self.calls)
                self.calls.append([number, call])
            if layer.layers:
                self._add(layer.layers, number)

    def with_inner(self, call: int) -> list[int]:
        """Yield a call, and after that of a model the calls inside of it, in the same order in each copy of a model."""
        layer, number = self.calls[call]
        if not self.layers[layer].layers or number:
            return [call]
        return [call, *[item for inner in self.names[layer].values() for item in self.with_inner(inner)]]


def graph_data(
    calls: CallNumbers, layers: Sequence[LayerReport], fold: bool, outputs: Collection[str] = (), large: bool = False
) -> dict[str, Any]:
    """Return the graphs of the layers of a model: `graph` of all that leads to one of the `outputs`, with what repeats
    folded if wanted (`fold` says what `large` is), and where it is another one, `whole` of all layers (operations that
    compute masks alone included), and `every` with each copy of what repeats, up to `_MOST_DRAWN` boxes."""
    whole = graph_of(layers, nested=True)
    main = _leading_to(whole, outputs)
    drawn = {"graph": folded(main, large=large) if fold else main}
    if whole != main:
        drawn["whole"] = folded(whole, large=large) if fold else whole
    if fold and _count(main) <= _MOST_DRAWN and (every := folded(main, False, large)) != drawn["graph"]:
        drawn["every"] = every
    return {name: _level(graph, calls, -1) for name, graph in drawn.items()}


def _count(graph: Diagram) -> int:
    """Return how many boxes hold no others."""
    return sum([1 if node.inner is None else _count(node.inner) for node in graph.nodes])


def _leading_to(graph: Diagram, outputs: Collection[str]) -> Diagram:
    """Return the part of a graph from which tensors flow to one of the layers that are outputs; inputs stay."""
    sources = grouped((edge.target, edge.source) for edge in graph.edges)
    ahead = [node.name for node in graph.nodes if node.name in outputs or node.is_input]
    kept = set(ahead)
    for name in ahead:  # grows as it is read
        ahead += [source for source in dict.fromkeys(sources.get(name, ())) if source not in kept]
        kept.update(sources.get(name, ()))
    if len(kept) == len(graph.nodes) or not any(node.name in outputs for node in graph.nodes):
        return graph
    return Diagram(
        tuple([node for node in graph.nodes if node.name in kept]),
        tuple([edge for edge in graph.edges if edge.source in kept and edge.target in kept]),
    )


def _level(graph: Diagram, calls: CallNumbers, parent: int) -> dict[str, Any]:
    placed = layout(open_boxes(graph, 0), size_of, lambda text: width_of(text, _LABEL))
    inner = {node.name: node.inner for node in graph.nodes}
    number = {box.node.name: at for at, box in enumerate(placed.boxes)}
    names = calls.names[parent]
    return {
        "boxes": [
            _box(box, inner[box.node.name], calls, names, parent) for box in placed.boxes
        ],
        "lines": [
            [number[line.source], number[line.target], *[_n(value) for point in line.points for value in point]]
            for line in placed.lines
        ],
        "rows": [[_n(a), _n(b)] for a, b in placed.rows],
        "lanes": [_n(lane) for lane in placed.lanes],
        "trunk": _n(placed.trunk),
        "width": _n(placed.width),
        "height": _n(placed.height),
    }  # fmt: skip


def _box(
    placed: Box, inner: Diagram | None, calls: CallNumbers, names: Mapping[str, int], parent: int
) -> dict[str, Any]:
    node = placed.node
    box: dict[str, Any] = {"x": _n(placed.x), "y": _n(placed.y), "w": _n(placed.width), "h": _n(placed.height)}
    if node.port:
        return {**box, "port": True, "lines": [clean(node.name)]}
    box["lines"] = [clean(line) for line in (node.name, *node.about) if line]
    box["family"] = node.family
    call = names.get(node.name) if not node.copies else None
    if call is not None:
        box["call"] = call
        parent = calls.calls[call][0]
    if node.copies:
        box["copies"] = [[call for name in copy for call in calls.with_inner(names[name])] for copy in node.copies]
        box["single"] = len(node.copies[0]) == 1
    if node.is_input:
        box["input"] = True
    if node.is_faulty:
        box["faulty"] = True
    if node.makes:
        box["makes"] = node.makes
    if inner is not None:
        box["inner"] = _level(inner, calls, _around(node, names, calls, parent))
        title = size_of(node)
        box["tw"], box["th"] = _n(title.across), _n(title.title)
    return box


def _around(node: GraphNode, names: Mapping[str, int], calls: CallNumbers, parent: int) -> int:
    """Return the layer that the calls in an opened box belong to: of a block the same as its own, of a model that
    model."""
    if node.copies and len(node.copies[0]) == 1:
        return calls.calls[names[node.copies[0][0]]][0]
    return parent


def _n(number: float) -> float:
    """Return a number with one decimal, or as an integer."""
    short = round(number, 1)
    return int(short) if short == int(short) else short


LETTERS = "Conv2D normalization 0123456789"
"""By this text a page compares the browser's font with the one in which boxes are measured."""


def letters() -> tuple[str, float]:
    """Return `LETTERS`, and how wide they are in a font of size 1."""
    return LETTERS, round(width_of(LETTERS, 1), 3)
