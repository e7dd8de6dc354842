"""The tour of a model: each layer in a few lines; what repeats once, with its places.

Repeats are found as pictures find them (render/graph/fold.py). In a long model a layer that computes what an earlier
one does, at other sizes, is one row that names it, and so are several that are connected as earlier ones are.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import groupby
from shlex import quote

from layerexplain.frontends.model_builder import beginning
from layerexplain.records import NamedTuple
from layerexplain.render import document as doc
from layerexplain.render.document import Labelled, Listing, Points, Section
from layerexplain.render.documents.explanation import TOUR, ShownParts, section
from layerexplain.render.graph.diagram import Diagram, GraphNode, family_of, graph_of, kind_of
from layerexplain.render.graph.fold import fold, in_order, is_counted, shared_part
from layerexplain.render.quantities import count_text, plural, shapes_text
from layerexplain.report.data import LayerReport
from layerexplain.report.explanation_data import BEHIND
from layerexplain.report.layer_arguments import changed_arguments
from layerexplain.report.report import Report

_LONG = 20
"""A model of more layers is long."""
_LONG_NAME = 10
"""So much that two names begin with is written once."""
_MOST_BEHIND = 8
"""Layers that are not computed are named up to this number."""
_MOST_COMPARED = 50
"""Layers in a row are compared with the first so many places where such a row may begin."""


class _Row(NamedTuple):
    """A layer, or several in a row, that an earlier one explains. `at` is its place among those that are explained,
    None where it stands for itself; so many blocks have ended before it."""

    name: str
    like: str
    shape: str
    params: int | None
    at: int | None = None
    ended: int = 0


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
    behind = [layer for layer in shown if is_behind(layer)]
    shown = [layer for layer in shown if layer not in behind] if len(behind) > 1 else shown
    walk = _Tour(report, long=len(layers) > _LONG, deep=deep)
    items = [*walk.blocks(fold(graph_of(shown, deep)), shown)]
    blocks: list[doc.Block] = []
    for _, group in groupby(items, lambda item: item.ended if isinstance(item, _Row) else None):
        result = list(group)
        rows = [item for item in result if isinstance(item, _Row)]
        blocks += (
            [Section((Listing(_ROW_COLUMNS, walk.joined(rows), head=1),))]
            if rows
            else [item for item in result if not isinstance(item, _Row)]
        )
    source = quote(report.source) if report.source and report.source[0] != "<" else "SOURCE"
    if len(behind) > 1:
        names = doc.Names(tuple([layer.layer for layer in behind]), _MOST_BEHIND)
        line = (doc.Span(f"{len(behind)} layers after it are not computed: "), names)
        blocks.append(Section((Points((line,), tone="warning"),)))
    return [*blocks, doc.Prose((f"More: layerexplain explain {source} NAME, or --full",))]


def is_behind(layer: LayerReport) -> bool:
    """Return whether a layer is not computed since one before it is not."""
    return layer.explanation is not None and layer.explanation.sentence.startswith(BEHIND)


class _Tour:
    """Walks a folded graph, and remembers what was explained."""

    def __init__(self, report: Report, long: bool, deep: bool) -> None:
        self.report = report
        self.long = long
        self.deep = deep
        self.said: set[str] = set()
        self.seen: dict[Hashable, LayerReport] = {}
        self.explained: list[LayerReport] = []
        self.places: dict[str, int] = {}
        self.kinds: list[Hashable] = []
        self.keys: list[Hashable] = []
        self.ended = 0
        self.with_key: dict[Hashable, list[int]] = {}
        is_alone = sum(layer.type != "InputLayer" for layer in report.layers) == 1
        self.parts = ShownParts(TOUR, all_remarks=is_alone)

    def blocks(self, graph: Diagram, layers: Sequence[LayerReport]) -> Iterator[doc.Block | _Row]:
        """Yield what is shown of a graph of these layers."""
        by_name = {layer.layer: layer for layer in layers}
        for node in in_order(graph, by_branch=True):
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
        others = [copy for copy in copies if _sizes(copy) != _sizes(layer)]  # a run may differ in its channels
        equal = copies if not others else [copy for copy in copies if _sizes(copy) == _sizes(layer)]
        if others and self._key(layer) in self.seen:
            others, equal = copies, []
        yield self._of_layer(layer, equal, node.name)
        for _, group in groupby(others, _sizes):
            yield self._row([*group], self.seen[self._key(layer)])
        if node.inner is not None:
            yield from self.blocks(node.inner, layer.layers)

    def _of_block(
        self, node: GraphNode, inner: Diagram, by_name: Mapping[str, LayerReport]
    ) -> Iterator[doc.Block | _Row]:
        """Yield what is shown of layers that stand in a box: those of a block that was explained have one line."""
        place = {name: at for at, name in enumerate(_names_in(inner))}
        order = sorted(range(len(node.copies[0])), key=lambda at: place.get(node.copies[0][at], -1))
        copies = [[by_name[names[at]] for at in order if names[at] in by_name] for names in node.copies]
        first = copies[0]
        like = self._like(first)
        times = len(node.copies)
        if times > 1 or like:
            ends = f", the first up to {first[-1].layer}" if not like and not _part(first) else ""
            words = [
                plural(len(first), "layer"),
                f"{times} times{ends}" if times > 1 else "",
                f"like {self._name(like)}" if like else "",
            ]
            beside = plural(node.params, "parameter") if node.params else ""
            name = node.name if _part(first) else _range((first[0], copies[-1][-1]))
            title = (doc.Span(name, "name"), doc.Span(", ".join(filter(None, words)), "prose"))
            changes = Points(tuple([(doc.Span(text),) for text in _changes(copies, like or first)]))
            yield Section(
                (doc.Heading(2, title, beside=beside), *([Labelled("but", (changes,))] if changes.items else ()))
            )
        if not like:
            yield from self.blocks(inner, first)
            self.ended += times > 1

    def _like(self, block: Sequence[LayerReport]) -> Sequence[LayerReport]:
        """Return the layers in a row that explain those of a block, whatever their sizes; none where nothing does."""
        kinds = [_kind(layer, sizes=True) for layer in block]
        places = range(len(self.kinds) - len(kinds) + 1)
        at = next((at for at in places if self.kinds[at : at + len(kinds)] == kinds), None)
        return () if at is None else self.explained[at : at + len(kinds)]

    def _of_layer(self, layer: LayerReport, copies: Sequence[LayerReport], name: str) -> doc.Block | _Row:
        key = self._key(layer)
        like = self.seen.setdefault(key, layer)
        at = self._explain(layer, key)
        if like is layer:
            hidden, of_code = bool(layer.layers) and not self.deep, self.report.format == "code"
            return section(self._news(layer), self.parts, copies, hidden=hidden, of_code=of_code)
        row = self._row([layer, *copies], like, name if copies else "")
        alone = copies or changed_arguments(layer, like) or layer.type == "InputLayer"
        return row._replace(at=None if alone else at)

    def _key(self, layer: LayerReport) -> Hashable:
        return _kind(layer) if self.long else (layer.group, _arguments(layer))

    def _row(self, layers: Sequence[LayerReport], like: LayerReport, name: str = "") -> _Row:
        """Return the row of layers of the same sizes that an earlier one explains."""
        first = layers[0]
        params = None if first.params is None else sum([layer.params or 0 for layer in layers])
        what = ", ".join(filter(None, [like.path, changed_arguments(first, like)]))
        return _Row(name or _range(layers), what, shapes_text(first.output_shapes), params, None, self.ended)

    def _explain(self, layer: LayerReport, key: Hashable) -> int:
        """Note that a layer has a section or a row, and return its place among those."""
        at = len(self.explained)
        self.kinds.append(_kind(layer, sizes=True))
        self.keys.append(key)
        self.with_key.setdefault(key, []).append(at)
        self.places[layer.layer] = at
        self.explained.append(layer)
        return at

    def _name(self, layers: Sequence[LayerReport]) -> str:
        """Return what names layers in a row: what their names begin with, if no others begin so; else the first and
        the last."""
        part = _part(layers)
        if part and sum(name.startswith(part) for name in self.places) <= len(layers):
            return part
        return _range(layers)

    def joined(self, rows: Sequence[_Row]) -> list[_Row]:
        """Return the rows, with one for layers that are connected as earlier ones of the same kinds are."""
        result: list[_Row] = []
        while rows:
            first, (length, like) = rows[0], self._longest(rows)
            if length > 1 and first.at is not None:
                name, what = (_range(self.explained[at : at + length]) for at in (first.at, like))
                params = sum([row.params or 0 for row in rows[:length]])
                first = _Row(name, what, rows[length - 1].shape, params, first.at, first.ended)
            result.append(first)
            rows = rows[length:]
        return result

    def _longest(self, rows: Sequence[_Row]) -> tuple[int, int]:
        """Return how many of the rows, from the first on, are connected as earlier layers are, and where these are."""
        best = (1, 0)
        start = rows[0].at
        if start is None:
            return best
        until = next((i for i, row in enumerate(rows) if row.at != start + i or self._cuts(start, row.at)), len(rows))
        for earlier in self.with_key[self.keys[start]][:_MOST_COMPARED]:
            length = 1
            while length < min(until, start - earlier) and self._continues(start, earlier, length):
                length += 1
            best = max(best, (length, -earlier))
        return best[0], -best[1]

    def _cuts(self, start: int, at: int) -> bool:
        """Return whether a row of layers ends before a place: there a part of another name begins, or a layer with a
        kernel where the first has none."""
        first, layer = self.explained[start], self.explained[at]
        if family_of(first) != "weights" == family_of(layer):
            return True
        apart = not shared_part([first.layer, layer.layer])
        return apart and all(
            shared_part([other.layer]) and not is_counted(other.layer, other.type) for other in (first, layer)
        )

    def _continues(self, start: int, earlier: int, length: int) -> bool:
        """Return whether the layer behind so many reads them as the one at the earlier place does."""
        if self.keys[start + length] != self.keys[earlier + length]:
            return False
        reads = []
        for first in (start, earlier):
            sources = [self.places.get(name, -1) for name in self.explained[first + length].sources]
            reads.append(sorted([at - first for at in sources if at >= first]))
        return reads[0] == reads[1] != []

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


def _sizes(layer: LayerReport) -> Hashable:
    return layer.params, layer.input_shapes, layer.output_shapes


def _part(layers: Sequence[LayerReport]) -> str:
    """Return what the names begin with that somebody gave layers in a row."""
    begins = beginning([layer.layer for layer in layers if not is_counted(layer.layer, layer.type)])
    return begins.rstrip("_./") if begins.rstrip("_./") != begins else ""


def _range(layers: Sequence[LayerReport]) -> str:
    """Return the first and the last of layers in a row: `block1_conv … _bn`."""
    first, last = layers[0].path, layers[-1].path
    if len(layers) == 1:
        return first
    shared = max(map(beginning([first, last]).rfind, "_./"))
    return f"{first} … {last[shared if shared >= _LONG_NAME else 0 :]}"


def _names_in(graph: Diagram) -> Iterator[str]:
    """Yield the names of the nodes of a graph, and of those that they stand for, in the order in which these are
    read."""
    for node in in_order(graph, by_branch=True):
        yield from [name for names in node.copies for name in names] or [node.name]


def _changes(copies: Sequence[Sequence[LayerReport]], other: Sequence[LayerReport]) -> list[str]:
    """Return what the layers of a block do differently from those of one that it is like, a text for each layer; where
    copies of the block differ, of each."""
    changes = []
    read, wanted = _reads(copies[0]), _reads(other)
    for at, (like, *layers) in enumerate(zip(other, *copies, strict=False)):
        texts = list(dict.fromkeys([changed_arguments(layer, like) for layer in layers]))
        inputs = [f"inputs {', '.join(layers[0].sources)}"] if read[at] != wanted[at] else []
        if any(texts) or inputs:
            changed = [", then ".join([text or "the same" for text in texts])] if any(texts) else []
            changes.append(f"{layers[0].layer}: {'; '.join([*changed, *inputs])}")
    return changes


def _reads(block: Sequence[LayerReport]) -> list[list[int | str]]:
    """Return what each layer of a block reads: the places of layers in the block, what the first one reads, others."""
    places = {layer.layer: at for at, layer in enumerate(block)}
    return [
        [places.get(name, "first" if name in block[0].sources else "other") for name in layer.sources]
        for layer in block
    ]


def _arguments(layer: LayerReport) -> tuple[str, ...]:
    return () if layer.explanation is None else layer.explanation.arguments
