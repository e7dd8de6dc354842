"""The tour of a model: each layer in a few lines; what repeats once, with its places.

Repeats are found as pictures find them (render/graph/fold.py). In a long model a layer that computes what an earlier
one does, at other sizes, is one row that names it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import groupby
from shlex import quote

from layerexplain.frontends.model_builder import beginning
from layerexplain.records import NamedTuple
from layerexplain.render import document as doc
from layerexplain.render.documents.explanation import TOUR, ShownParts, section
from layerexplain.render.graph.diagram import Diagram, GraphNode, graph_of, kind_of
from layerexplain.render.graph.fold import fold, in_order
from layerexplain.render.quantities import count_text, plural, shapes_text
from layerexplain.render.sections import Labelled, Listing, Points, Section
from layerexplain.report.data import LayerReport, Report
from layerexplain.report.layer_arguments import changed_arguments

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

        shown, deep = [*folded(report).layers], True  # its blocks, once each, are what it is made of
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
        self.seen: dict[Hashable, LayerReport] = {}
        self.kinds: list[Hashable] = []
        self.explained: list[LayerReport] = []

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
        copies = [[by_name[name] for name in names if name in by_name] for names in node.copies]
        first = copies[0]
        like = self._like(first)
        times = len(node.copies)
        if times > 1 or like:
            names = [layer.layer for layer in like]
            common = beginning(names)
            name = common.rstrip("_./") if common.rstrip("_./") != common else "".join(names[:1])
            words = [
                plural(len(first), "layer"),
                f"{times} times" if times > 1 else "",
                f"like {name}" if like else "",
            ]
            beside = plural(node.params, "parameter") if node.params else ""
            title = (doc.Span(node.name, "name"), doc.Span(", ".join(filter(None, words)), "prose"))
            changes = Points(tuple([(doc.Span(text),) for text in _changes(copies, like or first)]))
            yield Section(
                (doc.Heading(2, title, beside=beside), *([Labelled("but", (changes,))] if changes.items else ()))
            )
        if not like:
            yield from self.blocks(inner, first)

    def _like(self, block: Sequence[LayerReport]) -> Sequence[LayerReport]:
        """Return the layers in a row that explain those of a block, whatever their sizes; none where nothing does."""
        kinds = [_kind(layer, sizes=True) for layer in block]
        places = range(len(self.kinds) - len(kinds) + 1)
        at = next((at for at in places if self.kinds[at : at + len(kinds)] == kinds), None)
        return () if at is None else self.explained[at : at + len(kinds)]

    def _of_layer(self, layer: LayerReport, copies: Sequence[LayerReport], name: str) -> doc.Block | _Row:
        self.kinds.append(_kind(layer, sizes=True))
        self.explained.append(layer)
        kind = _kind(layer) if self.long else (layer.group, _arguments(layer))
        like = self.seen.setdefault(kind, layer)
        if like is layer:
            return section(
                self.report, self._news(layer), ShownParts(TOUR), copies, hidden=bool(layer.layers) and not self.deep
            )
        params = None if layer.params is None else sum([one.params or 0 for one in (layer, *copies)])
        what = ", ".join(filter(None, [like.path, changed_arguments(layer, like)]))
        return _Row(name if copies else layer.path, what, shapes_text(layer.output_shapes), params)

    def _news(self, layer: LayerReport) -> LayerReport:
        """Return the layer without remarks that stand at an earlier one."""
        explained = layer.explanation
        if explained is None:
            return layer
        watch = tuple([text for text in explained.watch if text not in self.said])
        self.said.update(watch)
        return layer._replace(explanation=explained._replace(watch=watch))


def _kind(layer: LayerReport, sizes: bool = False) -> Hashable:
    """Return a key that is equal for layers with the same formula, arguments and remarks, whatever their channels;
    with `sizes` whatever their sizes, which `_changes` names."""
    watch = () if layer.explanation is None or sizes else layer.explanation.watch
    return kind_of(layer, sizes), watch, () if sizes else _arguments(layer), layer.notes


def _changes(copies: Sequence[Sequence[LayerReport]], other: Sequence[LayerReport]) -> list[str]:
    """Return what the layers of a block do differently from those of one that it is like, a text for each layer; where
    copies of the block differ, of each."""
    found = []
    for like, *layers in zip(other, *copies, strict=False):
        texts = list(dict.fromkeys([changed_arguments(layer, like) for layer in layers]))
        if any(texts):
            found.append(f"{layers[0].layer}: {', then '.join([text or 'the same' for text in texts])}")
    return found


def _arguments(layer: LayerReport) -> tuple[str, ...]:
    return () if layer.explanation is None else layer.explanation.arguments
