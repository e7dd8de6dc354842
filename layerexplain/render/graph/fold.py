"""Folding: repeated blocks are drawn once, layers under one name are one box (both nest, hence the length).

Several nodes become one box, in this order, as copies of a block that are the same; as copies that differ in their
channels alone; as neighbours whose names begin alike (`conv2_block1_1_conv`, `conv2_block1_1_bn`); and in a large graph
as neighbours whose names end alike (`normal_conv_1_7`, `normal_add_5_7`), as branches that come from one tensor and
meet again, or as chains of the same types that are met all over it (a convolution, its normalization, its activation).
What repeats begins and ends where names say that blocks do.
Every node stays in the result: a box knows the names of all its copies.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property, lru_cache
from heapq import heappop, heappush
from itertools import groupby, pairwise  # noqa: F401 (one in the example)

from layerexplain.frontends.model_builder import beginning
from layerexplain.records import NamedTuple, sources_first
from layerexplain.render.graph.diagram import Diagram, GraphEdge, GraphNode, costliest_family, parameters_text
from layerexplain.render.graph.lanes import targets_of
from layerexplain.render.graph.strips import with_strips
from layerexplain.render.quantities import plural

_PERIODS = 60
"""So many lengths of blocks are tried, those that occur most."""
_LEAST_PART = 3
"""From so many nodes on, a name that they share makes them one box."""
LARGE = 60
"""A graph of more nodes is large."""
_CHAINS = range(3, 9)
"""So long are chains that are met all over a graph."""
_LEAST_MET = 3
_LEAST_CELL = 8
"""So many names that end with the same number make neighbours one box."""
_NEAR = 4
"""Names that Keras gave stand for themselves where there are so many in a row."""
_LONGEST_BLOCK = 40
"""Branches that meet again within so many nodes are one block."""
_LEAST_SAVED = 0.01
"""A chain that belongs together saves this share of all boxes."""
_MOSTLY = 0.8
"""Such a share of the nodes of one of its types stands in a chain that belongs together."""


class RepeatedBlock(NamedTuple):
    """`copies` blocks of `length` nodes, one after the other, from `start` on; `exact` where they are the same."""

    start: int
    length: int
    copies: int
    exact: bool

    @property
    def end(self) -> int:
        return self.start + self.length * self.copies


def fold(graph: Diagram, piles: bool = True, large: bool = False) -> Diagram:
    """Return the graph with boxes for what repeats and for what is named alike; nested graphs are folded too. Without
    `piles` each copy of what repeats is a box of its own; `large` folds as a large graph is, whatever its size.

    >>> chain = [GraphNode(name, same=name[0]) for name in ("a", "b1", "c1", "b2", "c2", "b3", "c3", "d")]
    >>> edges = [GraphEdge(x.name, y.name) for x, y in pairwise(chain)]
    >>> [node.name for node in fold(Diagram(tuple(chain), tuple(edges))).nodes]
    ['a', 'b1 … c3', 'd']
    """
    nodes = tuple([n._replace(inner=fold(n.inner, piles)) if n.inner is not None else n for n in graph.nodes])
    sources = sources_of(nodes, graph.edges)
    orders = dict.fromkeys((_by_number(sources), _by_depth(sources)))
    folded = [_Folder([nodes[at] for at in order], graph.edges, piles, large).folded(0, len(nodes)) for order in orders]
    return min(folded, key=lambda diagram: len(diagram.nodes))


def in_order(graph: Diagram, by_branch: bool = False) -> list[GraphNode]:
    """Return the nodes so that each comes behind those that feed it, else in their own order, or branch by branch."""
    return [graph.nodes[at] for at in (_by_depth if by_branch else _by_number)(sources_of(graph.nodes, graph.edges))]


def sources_of(nodes: Sequence[GraphNode], edges: Sequence[GraphEdge]) -> list[list[int]]:
    """Return the places of the nodes that feed each."""
    place = {node.name: at for at, node in enumerate(nodes)}
    sources: list[list[int]] = [[] for _ in nodes]
    for edge in edges:
        if edge.source in place and edge.target in place:
            sources[place[edge.target]].append(place[edge.source])
    return sources


def _by_number(sources: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return the places in an order of calls that departs least from the one there is."""
    waits = [len({*before}) for before in sources]
    followers = targets_of(sources)
    ready = [at for at, count in enumerate(waits) if not count]
    order: list[int] = []
    while ready:
        order.append(heappop(ready))
        for target in followers[order[-1]]:
            waits[target] -= 1
            if not waits[target]:
                heappush(ready, target)
    return (*order, *sorted({*range(len(sources))} - {*order}))  # the rest: a circle, which no model has


def _by_depth(sources: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return the places so that what one tensor is computed from stands together: a file may mix the branches of a
    block."""
    read = {source for before in sources for source in before}
    order = sources_first([at for at in range(len(sources)) if at not in read], sources.__getitem__)
    return (*order, *sorted({*range(len(sources))} - {*order}))


class _Folder:
    """The nodes of one graph in order, with what is asked of them again and again."""

    def __init__(self, nodes: list[GraphNode], edges: Sequence[GraphEdge], piles: bool, large: bool) -> None:
        self.large = large or len(nodes) > LARGE
        self.nodes = nodes
        self.piles = piles
        self.edges = edges
        self.sources = sources_of(nodes, edges)
        self.last_reader = list(range(len(nodes)))
        for target, before in enumerate(self.sources):
            for source in before:
                self.last_reader[source] = max(self.last_reader[source], target)
        self.titles: set[str] = {node.name for node in nodes}
        self.same = _numbered([node.same for node in nodes])
        self.alike = _numbered([node.alike for node in nodes])

    @cached_property
    def cells(self) -> dict[int, int]:
        return _cells(self.nodes) if self.large else {}

    @cached_property
    def chains(self) -> dict[int, int]:
        return self._chains() if self.large else {}

    @cached_property
    def branches(self) -> dict[int, int]:
        return self._branches() if self.large else {}

    def folded(self, start: int, end: int, ports: bool = False) -> Diagram:
        """Return the graph of the nodes from `start` to `end`; with `ports` it has one for each tensor from before."""
        boxes: list[tuple[GraphNode, int, int]] = []
        for start_at, end_at, run in self._pieces(start, end, by_name=not ports):
            run, step = (run, end_at - start_at) if run is None or self.piles else (None, run.length)
            for first in range(start_at, end_at, step):
                last = first + step
                box = self.nodes[first] if step == 1 else self._box(first, last, run)
                boxes.append((box, first, last))
        return self._wired(boxes, ports)

    def _pieces(self, start: int, end: int, by_name: bool) -> list[tuple[int, int, RepeatedBlock | None]]:
        """Return what the boxes of a range stand for: runs, parts and single nodes, in order."""
        results: list[tuple[int, int, RepeatedBlock | None]] = []
        waiting = [(start, end, True)]
        while waiting:
            first, last, exact = waiting.pop()
            run = self._best(first, last, exact)
            if run is None and exact:
                waiting.append((first, last, False))
            elif run is None:
                results += self._parts(first, last) if by_name else [(at, at + 1, None) for at in range(first, last)]
            else:
                results.append((run.start, run.end, run))
                waiting += [(a, b, exact) for a, b in ((first, run.start), (run.end, last)) if a < b]
        return sorted(results)

    def _best(self, start: int, end: int, exact: bool) -> RepeatedBlock | None:
        """Return the run that saves most boxes."""
        tokens = self.same if exact else self.alike
        best: tuple[tuple[int, int], RepeatedBlock] | None = None
        for period in _periods(tokens, start, end):
            for run in self._runs(tokens, start, end, period, exact):
                worth = ((run.copies - 1) * run.length, -run.length)
                if best is None or worth > best[0]:
                    best = (worth, run)
        return None if best is None else best[1]

    def _runs(self, tokens: list[int], start: int, end: int, period: int, exact: bool) -> list[RepeatedBlock]:
        runs = []
        first = start
        for at in range(start, end - period + 1):
            if at < end - period and tokens[at] == tokens[at + period] and self._wired_alike(at, period, first):
                continue
            if at - first >= (period if period > 1 else 2) and (run := self._phase(first, at + period, period, exact)):
                runs.append(run)
            first = at + 1
        return runs

    def _wired_alike(self, at: int, period: int, first: int) -> bool:
        """Return whether a node and the one a period on read the same: as far before them, or one tensor from before
        all."""
        ours, its = self.sources[at], self.sources[at + period]
        return len(ours) == len(its) and all(
            b - a == period or (a == b and a < first) for a, b in zip(ours, its, strict=True)
        )

    def _phase(self, start: int, end: int, period: int, exact: bool) -> RepeatedBlock | None:
        """Return where the blocks of a run begin: so that fewest tensors pass from one to the next, and then so that
        the names in a block have most in common. Only the last copy may be read from behind the run."""
        choices = []
        for first in range(start, start + period):
            copies = (end - first) // period
            while copies > 1 and any(
                self.last_reader[at] >= first + copies * period for at in range(first, first + (copies - 1) * period)
            ):
                copies -= 1
            if copies < 2 or (period == 1 and copies < 3):
                continue
            if self._cuts_names(first, period, copies):
                continue
            block = range(first, first + period)
            passed = len({source for at in block for source in self.sources[at] if source < first})
            prefix = len(beginning([self.nodes[at].name for at in block])) if period > 1 else 0
            begins = self.nodes[first].family == "weights"  # a convolution stands before its normalization
            choices.append(((copies, -passed, prefix, begins, -first), RepeatedBlock(first, period, copies, exact)))
        return max(choices)[1] if choices else None

    def _cuts_names(self, first: int, period: int, copies: int) -> bool:
        """Return whether the run begins or ends inside of what names hold together (`block1a_…`), and its copies do
        not: it has the end of one block and the beginning of the next."""
        last = first + period * copies
        between = min([self._shared_words(at) for at in range(first + period, last, period)])
        return max(self._shared_words(first), self._shared_words(last)) > between

    def _shared_words(self, at: int) -> int:
        """Return how many words of their names, up to the last number in what they share, hold a node and the one
        before it together. A name that Keras gave goes with those around it."""
        around = self.nodes[max(at - _NEAR, 0) : at][::-1], self.nodes[at : at + _NEAR]
        named = [next((node for node in side if not is_counted(node.name, node.type)), None) for side in around]
        nodes = [node for node in named if node is not None]
        return len(re.findall(r"[^_./]+", _part_of(nodes))) if len(nodes) == 2 else 0

    def _parts(self, start: int, end: int) -> list[tuple[int, int, RepeatedBlock | None]]:
        """Neighbours with a numbered beginning of their names in common are a piece."""
        pieces: list[tuple[int, int, RepeatedBlock | None]] = []
        at = start
        while at < end:
            last = at + 1
            named = [self.nodes[at]]
            for after in range(at + 1, end):
                node = self.nodes[after]
                if not self._is_joined(at, after) or node.inner is not None or node.is_input:
                    break
                if is_counted(node.name, node.type):  # it goes with the next one
                    continue
                if not _part_of([*named, node]):
                    break
                named.append(node)
                last = after + 1
            if last - at < _LEAST_PART:
                last = at + 1
                cell = (
                    min(self.cells.get(at, at), end) if end - at >= _LEAST_CELL else at
                )  # what no run has taken of it
                chain = self.chains.get(at, at) if end - at >= _CHAINS.start else at
                branches = self.branches.get(at, at)
                if cell - at >= _LEAST_CELL:
                    last = cell
                elif at < branches <= end:
                    last = branches
                elif at < chain <= end:
                    last = chain
            if any([node.is_faulty for node in self.nodes[at:last]]):  # it stays to be seen
                last = at + 1
            pieces.append((at, last, None))
            at = last
        return pieces

    def _branches(self) -> dict[int, int]:
        """Return where branches begin that come from one tensor and meet again (a residual block, an inception module),
        and where each ends; of those inside of one another the outer ones."""
        results = sorted(
            [span for at in range(len(self.nodes)) if (span := self._meeting(at))], key=lambda s: s[0] - s[1]
        )
        taken: set[int] = set()
        spans = {}
        for start, end in results:
            if taken.isdisjoint(range(start, end)):
                taken.update(range(start, end))
                spans[start] = end
        return spans

    def _meeting(self, at: int) -> tuple[int, int] | None:
        """Return the nodes up to one at which branches meet, from behind the tensor that all of them come from. A skip
        that comes from there itself has the shape of what it meets: the one of a U-Net, which is concatenated, passes
        by half of the model, and is no block."""
        open_ends = set(self.sources[at])
        if len(open_ends) < 2:
            return None
        skips = {source for source in open_ends if self.nodes[source].makes != self.nodes[at].makes}
        for start in range(at - 1, max(at - _LONGEST_BLOCK, -1), -1):
            if start not in open_ends or self.last_reader[start] > at:
                return None
            open_ends = (open_ends - {start}).union(self.sources[start])
            if len(open_ends) == 1:
                return (start, at + 1) if at - start >= _LEAST_PART - 1 and not open_ends & skips else None
        return None

    def _chains(self) -> dict[int, int]:
        """Return where chains begin whose types are met all over the graph, and where each ends."""
        readers = Counter([source for before in self.sources for source in {*before}])
        words: list[tuple[int, int]] = []
        start = 0
        for at in range(1, len(self.nodes) + 1):
            if at < len(self.nodes) and self.sources[at] == [at - 1] and readers[at - 1] == 1:
                continue
            words.append((start, at))
            start = at
        types = [node.type for node in self.nodes]
        totals = Counter(types)
        results: dict[int, int] = {}
        while (chain := _commonest(types, words, totals)) is not None:
            rest = []
            for first, last in words:
                at = free = first
                while at + len(chain) <= last:
                    if tuple(types[at : at + len(chain)]) != chain:
                        at += 1
                        continue
                    results[at] = at + len(chain)
                    rest.append((free, at))
                    at = free = at + len(chain)
                rest.append((free, last))
            words = rest
        return results

    def _is_joined(self, first: int, at: int) -> bool:
        """Return whether a node reads one of those from `first` on, or reads what they read."""
        before = {source for number in range(first, at) for source in self.sources[number]}
        return any(source >= first or source in before for source in self.sources[at])

    def _box(self, first: int, last: int, run: RepeatedBlock | None) -> GraphNode:
        length = run.length if run is not None else last - first
        copies = [tuple([n.name for n in self.nodes[at : at + length]]) for at in range(first, last, length)]
        block = self.nodes[first : first + length]
        named = [
            [n.name for n in self.nodes[at : at + length] if not is_counted(n.name, n.type)]
            for at in range(first, last, length)
        ]
        title = _title(copies, [names or [*copy] for names, copy in zip(named, copies, strict=True)])
        if title in self.titles:
            title = f"{copies[0][0]} … {copies[-1][-1]}"
        self.titles.add(title)
        kinds = Counter(node.type for node in block if node.type)
        contents = ", ".join([f"{count} {kind}" if count > 1 else kind for kind, count in kinds.items()])
        if length == 1 and (run is None or run.exact) and block[0].about[:1] and block[0].about[0].startswith(contents):
            contents = block[0].about[0]
        layers = plural(length, "layer") if length > 1 else ""
        if run is not None:
            layers = f"×{len(copies)}{f', {layers} each' if layers else ''}{self._what_differs(run)}"
        nodes = self.nodes[first:last]
        params = sum([node.params for node in nodes])
        return GraphNode(
            title,
            tuple(filter(None, [layers, contents, parameters_text(params)])),
            block[0].type if length == 1 else "",
            self.nodes[last - 1].makes,
            params,
            inner=self.folded(first, first + length, ports=True) if length > 1 else block[0].inner,
            copies=tuple(copies),
            family=costliest_family(block),
            work=(sum([node.work[0] for node in nodes]), sum([node.work[1] for node in nodes])),
        )

    def _what_differs(self, run: RepeatedBlock) -> str:
        """Say what the copies of a run differ in: the shapes that they make, or numbers that do not change these."""
        if run.exact:
            return ""
        pairs = [*zip(self.nodes[run.start : run.end], self.nodes[run.start + run.length : run.end], strict=False)]
        if any([node.makes != other.makes for node, other in pairs]):
            return ", channels differ"
        return ", rates differ" if any([node.about != other.about for node, other in pairs]) else ""

    def _wired(self, boxes: list[tuple[GraphNode, int, int]], ports: bool) -> Diagram:
        box_of = {at: box.name for box, first, last in boxes for at in range(first, last)}
        place = {self.nodes[at].name: at for at in box_of}
        outside: dict[str, GraphNode] = {}
        edges: dict[GraphEdge, None] = {}
        for edge in self.edges:
            target = place.get(edge.target)
            if target is None:
                continue
            source = place.get(edge.source)
            if source is not None:
                name = box_of[source]
            elif ports:
                name = outside.setdefault(edge.source, GraphNode(f"from {edge.source}", port=True)).name
            else:
                continue
            if name != box_of[target]:
                edges[GraphEdge(name, box_of[target], edge.label)] = None
        return with_strips(Diagram((*outside.values(), *[box for box, _, _ in boxes]), tuple(edges)))


def _cells(nodes: Sequence[GraphNode]) -> dict[int, int]:
    """Return of neighbours whose names end with the same number where they end. Names that Keras gives
    (`activation_7`) count layers, and go with the next name that does not."""
    ends = []
    following = ""
    for node in reversed(nodes):
        begin = node.name.rstrip("0123456789")
        counted = is_counted(node.name, node.type)
        if not counted:
            numbered = begin.endswith("_") and node.inner is None and not node.is_input
            following = node.name[len(begin) :] if numbered else ""
        ends.append((following, not counted))
    cells: dict[int, int] = {}
    start = 0
    for (end, _), group in groupby(reversed(ends), key=lambda item: (item[0], None)):
        named = [is_named for _, is_named in group]
        if end and sum(named) >= _LEAST_CELL:
            cells.update(dict.fromkeys(range(start, start + len(named)), start + len(named)))
        start += len(named)
    return cells


@lru_cache(maxsize=256)
def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


@lru_cache(maxsize=256)
def _counted_names(type_name: str) -> tuple[str, str]:
    """Return what the names that Keras gives layers of a type begin with, without underscores."""
    words = re.sub(r"[^a-z0-9]", "", type_name.lower())
    return re.sub(r"\d", "", words), words


def _commonest(
    types: Sequence[str], words: Sequence[tuple[int, int]], totals: Mapping[str, int]
) -> tuple[str, ...] | None:
    """Return the chain of types that saves most boxes in these words, each a range of nodes in a line. It is often all
    of a line; or one of its types is met in it nearly always, and it is no shorter chain twice."""
    met: Counter[tuple[str, ...]] = Counter()
    for length in _CHAINS:
        until: dict[tuple[str, ...], int] = {}
        for first, last in words:
            for at in range(first, last - length + 1):
                chain = tuple(types[at : at + length])
                if until.get(chain, 0) <= at:  # one that overlaps the one before does not count
                    until[chain] = at + length
                    met[chain] += 1
    whole = Counter([tuple(types[first:last]) for first, last in words if last - first in _CHAINS])
    best: tuple[int, tuple[str, ...]] = (0, ())
    for chain, count in met.items():
        repeats = any(len(chain) % n == 0 and chain[:n] * (len(chain) // n) == chain for n in range(1, len(chain)))
        mostly = max([count * chain.count(kind) / totals[kind] for kind in chain]) >= _MOSTLY and not repeats
        if count >= _LEAST_MET and (mostly or whole[chain] >= _MOSTLY * count):
            best = max(best, (count * (len(chain) - 1), chain))
    return best[1] if best[0] >= _LEAST_SAVED * sum(totals.values()) else None


def _numbered(tokens: list[Hashable]) -> list[int]:
    """Return a number for each token, another one for each None."""
    numbers: dict[Hashable, int] = {}
    return [
        numbers.setdefault(token, len(numbers)) if token is not None else -1 - at for at, token in enumerate(tokens)
    ]


def _periods(tokens: list[int], start: int, end: int) -> list[int]:
    """Return the distances at which a token is met again, those that occur most first."""
    seen: dict[int, int] = {}
    distances: Counter[int] = Counter()
    for at in range(start, end):
        if tokens[at] in seen:
            distances[at - seen[tokens[at]]] += 1
        seen[tokens[at]] = at
    return [period for period, _ in distances.most_common(_PERIODS)]


def is_counted(name: str, type_name: str) -> bool:
    """Return whether Keras gave the layer its name, by counting layers of its type: `activation_7`."""
    return _letters(name.rstrip("0123456789")) in _counted_names(type_name)


def _part_of(nodes: Sequence[GraphNode]) -> str:
    """Return the numbered beginning that the names have in common, as a whole word: `conv2_block1`; "" if there is
    none."""
    if any(node.inner is not None or node.is_input for node in nodes):
        return ""
    return shared_part([node.name for node in nodes])


def shared_part(names: Sequence[str]) -> str:
    """Return the numbered beginning that names have in common, as a whole word; "" if there is none.

    >>> shared_part(["block2a_conv", "block2a_bn"]), shared_part(["block2a_conv", "block2b_conv"])
    ('block2a', '')
    """
    match = re.match(r"(.*\d[^_./]*)[_./]", beginning([f"{name}_" for name in names]))
    return match[1] if match else ""


def _title(copies: Sequence[tuple[str, ...]], named: Sequence[Sequence[str]]) -> str:
    """Return what names a box: what its names begin with, of the first and of the last copy; `named` are those that
    somebody gave, if there are any."""
    begins = [beginning(names).rstrip("_./ ") if len(names) > 1 else "" for names in (named[0], named[-1])]
    if len(copies) == 1:
        return begins[0] or f"{copies[0][0]} … {copies[0][-1]}"
    if all(begins) and begins[0] != begins[1]:
        return f"{begins[0]} … {begins[1]}"
    return f"{copies[0][0]} … {copies[-1][-1]}"
