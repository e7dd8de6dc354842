"""The tour of a model: each layer in a few lines; what repeats once, with its places.

Repeats are found as pictures find them (render/graph/fold.py). In a long model a layer that computes what an earlier
one does, at other sizes, is one row that names it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import groupby
from shlex import quote

from layerexplain.records import NamedTuple
from layerexplain.render import document as doc
from layerexplain.render.documents.explanation import TOUR, ShownParts, section
from layerexplain.render.graph.diagram import Diagram, GraphNode, graph_of, kind_of
from layerexplain.render.graph.fold import fold, in_order
from layerexplain.render.quantities import count_text, plural, shapes_text
from layerexplain.render.sections import Listing, Section
from layerexplain.report.data import LayerReport, Report

_LONG = 20
"""A model of more layers is long."""


class _Row(NamedTuple):
    """A layer, or several in a row, that an earlier one explains."""

    name: str
    like: str
    shape: str
    params: int | None


_ROW_COLUMNS = (
    doc.words("layer", "Layer", lambda row: row.name),
    doc.words("like", "Like", lambda row: f"like {row.like}", kind="prose"),
    doc.words("shape", "Output", lambda row: row.shape, kind="shape"),
    doc.number("params", "Params", lambda row: row.params or None, count_text),
)


def tour(report: Report, layers: Sequence[LayerReport]) -> list[doc.Block]:
    """Return the sections of a tour, with a last line on how to see more."""
    deep = any(layer.depth for layer in layers)
    shown = [layer for layer in layers if not layer.depth]
    if report.language is not None and len(shown) == len(report.layers):
        from layerexplain.render.documents.language_model import folded

        shown = [*folded(report).layers]
    items = _Tour(report, long=len(layers) > _LONG, deep=deep).blocks(fold(graph_of(shown, deep)), shown)
    blocks: list[doc.Block] = []
    for are_rows, group in groupby(items, lambda item: isinstance(item, _Row)):
        found = list(group)
        blocks += [Section((Listing(_ROW_COLUMNS, found, head=1),))] if are_rows else found  # type: ignore[arg-type]
    source = quote(report.source) if report.source and report.source[0] != "<" else "SOURCE"
    return [*blocks, doc.Prose((f"More: layerexplain explain {source} NAME, or --full",))]


class _Tour:
    """Walks a folded graph, and remembers what was explained."""

    def __init__(self, report: Report, long: bool, deep: bool) -> None:
        self.report = report
        self.long = long
        self.deep = deep
        self.said: set[str] = set()
        self.seen: dict[Hashable, str] = {}

    def blocks(self, graph: Diagram, layers: Sequence[LayerReport]) -> Iterator[doc.Block | _Row]:
        """Yield what is shown of a graph of these layers."""
        by_name = {layer.layer: layer for layer in layers}
        for node in in_order(graph):
            if not node.port:
                yield from self._of_node(node, by_name)

    def _of_node(self, node: GraphNode, by_name: Mapping[str, LayerReport]) -> Iterator[doc.Block | _Row]:
        if node.inner is not None and node.copies and len(node.copies[0]) > 1:
            yield from self._of_block(node, node.inner, by_name)
            return
        names = [names[0] for names in node.copies] or [node.name]
        layer = by_name.get(names[0])
        if layer is None:  # a further call of a layer, which its first shows
            return
        copies = [by_name[name] for name in names[1:] if name in by_name]
        yield self._of_layer(layer, copies, node.name)
        if node.inner is not None:
            yield from self.blocks(node.inner, layer.layers)

    def _of_block(
        self, node: GraphNode, inner: Diagram, by_name: Mapping[str, LayerReport]
    ) -> Iterator[doc.Block | _Row]:
        """Yield what is shown of layers that stand in a box: those of a block that was explained have one line."""
        block = [by_name[name] for name in node.copies[0] if name in by_name]
        key = tuple([_kind(layer) for layer in block])
        like = self.seen.setdefault(key, node.name)
        times, known = len(node.copies), like != node.name
        if times > 1 or known:
            words = [
                plural(len(block), "layer"),
                f"{times} times" if times > 1 else "",
                f"like {like.partition(' … ')[0]}" if known else "",
            ]
            beside = plural(node.params, "parameter") if node.params else ""
            title = (doc.Span(node.name, "name"), doc.Span(", ".join(filter(None, words)), "prose"))
            yield Section((doc.Heading(2, title, beside=beside),))
        if not known:
            yield from self.blocks(inner, block)

    def _of_layer(self, layer: LayerReport, copies: Sequence[LayerReport], name: str) -> doc.Block | _Row:
        kind = _kind(layer) if self.long else (layer.group, _arguments(layer))
        like = self.seen.setdefault(kind, layer.path)
        if like == layer.path:
            return section(
                self.report, self._news(layer), ShownParts(TOUR), copies, hidden=bool(layer.layers) and not self.deep
            )
        params = None if layer.params is None else sum([one.params or 0 for one in (layer, *copies)])
        return _Row(name if copies else layer.path, like, shapes_text(layer.output_shapes), params)

    def _news(self, layer: LayerReport) -> LayerReport:
        """Return the layer without remarks that stand at an earlier one."""
        explained = layer.explanation
        if explained is None:
            return layer
        watch = tuple([text for text in explained.watch if text not in self.said])
        self.said.update(watch)
        return layer._replace(explanation=explained._replace(watch=watch))


def _kind(layer: LayerReport) -> Hashable:
    """Return a key that is equal for layers with the same formula, arguments and remarks, whatever their sizes."""
    watch = () if layer.explanation is None else layer.explanation.watch
    return kind_of(layer), watch, _arguments(layer), layer.notes


def _arguments(layer: LayerReport) -> tuple[str, ...]:
    return () if layer.explanation is None else layer.explanation.arguments
