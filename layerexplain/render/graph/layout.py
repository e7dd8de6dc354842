"""Where boxes and lines of a graph are drawn, in points from the upper left (they share lanes, hence the length).

Everything is placed as if the graph ran from top to bottom; `across` is the direction of a row, `along` that of the
trunk. A graph from left to right is the same with the two exchanged at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from layerexplain.records import NamedTuple, grouped
from layerexplain.render.graph.diagram import Diagram, GraphNode
from layerexplain.render.graph.fold import in_order, sources_of
from layerexplain.render.graph.lanes import Lanes, lanes_of, sifted, targets_of
from layerexplain.render.graph.strips import MOST_BRANCHES, Columns, columns_of

Point = tuple[float, float]

BETWEEN_BOXES = 20.0
BETWEEN_COLUMNS = 80.0
"""An encoder and a decoder beside it are so far apart."""
BETWEEN_LINES = 10.0
BETWEEN_TRACKS = 7.0
BEHIND_BOX = 16.0
"""What is left free behind a box, for the shape that it gives."""
BEFORE_BOX = 11.0
"""What is left free before a box, for the head of an arrow."""
FRAME = 12.0
PORT = 16.0
"""Lines that enter a box are so far apart."""

_TRIED = 100
"""So many drawings of a graph are tried at most, of one with no more nodes than that."""


class BoxSize(NamedTuple):
    """What a box measures: across, along, and of an open one the strip in which its title stands."""

    across: float
    along: float
    title: float = 0.0


class Box(NamedTuple):
    """A placed node; what an open one holds is placed in the same points."""

    node: GraphNode
    x: float
    y: float
    width: float
    height: float
    inner: PlacedDiagram | None = None


class Line(NamedTuple):
    """The way of a node's tensor to one reader."""

    source: str
    target: str
    points: tuple[Point, ...]


class PlacedDiagram(NamedTuple):
    """A graph as it is drawn; `labels` are what nodes give, and where that stands.

    `rows` are where each row of boxes begins and ends, `lanes` where the lines of each lane run and the middles of its
    boxes are, from left to right; the trunk runs at `trunk`. With these a box that is opened pushes the others apart
    without another layout. They count along and across: of a graph from left to right they are exchanged.
    """

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    labels: tuple[tuple[str, Point], ...]
    width: float
    height: float
    rows: tuple[Point, ...] = ()
    lanes: tuple[float, ...] = ()
    trunk: float = 0.0


def layout(
    graph: Diagram,
    size_of: Callable[[GraphNode], BoxSize],
    label_width: Callable[[str], float],
    horizontal: bool = False,
) -> PlacedDiagram:
    """Place a graph. `size_of` gives what a closed box measures, and the title of an open one, as width and height,
    `label_width` how wide a shape is; `horizontal` draws from left to right."""
    nodes = in_order(graph)
    feeds = sources_of(nodes, graph.edges)
    sources = [[number for number in dict.fromkeys(before) if number < at] for at, before in enumerate(feeds)]
    inner = [layout(node.inner, size_of, label_width, horizontal) if node.inner is not None else None for node in nodes]
    sizes, anchors = [], []
    for node, inside in zip(nodes, inner, strict=True):
        width, height, title = size_of(node)
        across, along = (height, width) if horizontal else (width, height)
        anchor = across / 2
        if inside is not None:
            content = (inside.height, inside.width) if horizontal else (inside.width, inside.height)
            before = title if horizontal else FRAME
            anchor = before + inside.trunk
            across = max(before + content[0] + FRAME, title + FRAME if horizontal else width)
            along = max(content[1] + (FRAME if horizontal else title) + FRAME, width if horizontal else 0)
        sizes.append(BoxSize(across, along, title))
        anchors.append(anchor)
    behind = [label_width(node.makes) + 10 if horizontal and node.makes else BEHIND_BOX for node in nodes]
    columns = columns_of(sources, [node.makes for node in nodes])
    if columns is not None:
        drawing: _Drawing = _TwoColumns(columns, sizes, anchors, behind)
    else:
        drawing = _best_drawing(sources, sizes, anchors, behind)
    boxes, lines, labels = [], [], []
    for at, node in enumerate(nodes):
        size = sizes[at]
        a, b = drawing.centre(at) - anchors[at], drawing.tops[drawing.lanes.rows[at]]
        box = Box(node, a, b, size.across, size.along)
        box = Box(node, b, a, size.along, size.across) if horizontal else box
        if (inside := inner[at]) is not None:
            contents = moved(inside, box.x + FRAME, box.y + size.title)
            box = box._replace(inner=contents)
        boxes.append(box)
        if node.makes:
            labels.append((node.makes, drawing.label_at(at, horizontal)))
    for (source, target), points in drawing.ways().items():
        lines.append(Line(nodes[source].name, nodes[target].name, points))
    if horizontal:
        lines = [line._replace(points=tuple([(y, x) for x, y in line.points])) for line in lines]
        labels = [(text, (y, x)) for text, (x, y) in labels]
    width, height = (drawing.end, drawing.breadth) if horizontal else (drawing.breadth, drawing.end)
    width = max([width, *[x + label_width(text) for text, (x, _) in labels]])
    return PlacedDiagram(
        tuple(boxes),
        tuple(lines),
        tuple(labels),
        width,
        height,
        tuple(drawing.rows()),
        tuple(sorted(drawing.lane_at.values())),
        drawing.lane_at.get(0, 0.0),
    )


def moved(placed: PlacedDiagram, x: float, y: float) -> PlacedDiagram:
    """Return it at another place."""
    return placed._replace(
        boxes=tuple([
            b._replace(x=b.x + x, y=b.y + y, inner=None if b.inner is None else moved(b.inner, x, y))
            for b in placed.boxes
        ]),
        lines=tuple([line._replace(points=tuple([(a + x, b + y) for a, b in line.points])) for line in placed.lines]),
        labels=tuple([(text, (a + x, b + y)) for text, (a, b) in placed.labels]),
    )  # fmt: skip


def _best_drawing(
    sources: Sequence[Sequence[int]], sizes: Sequence[BoxSize], anchors: Sequence[float], behind: Sequence[float]
) -> _Drawing:
    """Return the drawing with fewest crossings, and of those a narrow one. Strands are sifted; where a graph is not too
    large for that, drawings with strands on the other side of the trunk are tried, too."""
    first: tuple[int, ...] = ()
    lanes = lanes_of(sources)
    if len(sources) > _TRIED:
        return _Drawing(sifted(lanes, sources), sources, sizes, anchors, behind)
    best = _Drawing(lanes, sources, sizes, anchors, behind)
    worth = best.worth()
    trials, is_better = 0, True
    while is_better and (worth[0] or best.has_boxes_on_both_sides()):
        is_better = False
        for moved, front in _moves(best.lanes):
            trials += 1
            if trials > _TRIED:
                break
            ahead = (*front, *first)
            drawing = _Drawing(lanes_of(sources, moved, ahead), sources, sizes, anchors, behind)
            if drawing.worth() < worth:
                best, first, worth = drawing, ahead, drawing.worth()
                is_better = True
                break
    other = _Drawing(sifted(best.lanes, sources), sources, sizes, anchors, behind) if worth[0] else best
    best = min(best, other, key=_Drawing.worth)
    aside = _skips_on_one_side(best, sources)
    if aside is None:
        return best
    other = _Drawing(aside, sources, sizes, anchors, behind)
    return best if other.crossings() > best.crossings() else other


def _skips_on_one_side(drawing: _Drawing, sources: Sequence[Sequence[int]]) -> Lanes | None:
    """Return the lanes with all lines that pass boxes by at the right of the trunk, as the skips of a U-Net are drawn;
    None where they are on one side already."""
    own = {drawing.lanes.lanes[node]: node for node in range(len(sources))}
    lines = {source: lane for lane, _, _, source in drawing.lanes.taken if lane not in own}
    if len({lane > 0 for lane in lines.values()}) < 2:
        return None
    sides = {source: 1 if lane > 0 or source in lines else -1 for lane, _, _, source in drawing.lanes.taken}
    return lanes_of(sources, sides)


def _moves(lanes: Lanes) -> Iterator[tuple[dict[int, int], tuple[int, ...]]]:
    """Yield what may make a better drawing, as `lanes_of` takes it: a side for each strand, and which is nearest to the
    trunk. A strand goes to the other side, alone or with those that then have to go too, since one ends where the next
    begins; or it goes nearer to the trunk."""
    side = {source: 1 if lane > 0 else -1 for lane, _, _, source in lanes.taken}
    begin = grouped((top - 1, source) for _, top, _, source in lanes.taken)
    end = grouped((bottom, source) for _, _, bottom, source in lanes.taken)
    meet = {source: (*end.get(top - 1, ()), *begin.get(bottom, ())) for _, top, bottom, source in lanes.taken}
    seen: set[int] = set()
    for number in side:
        together = [] if number in seen else [number]
        for source in together:  # grows as it is read
            seen.add(source)
            together += [other for other in meet[source] if other not in together]
        if len(together) > 1:
            yield {**side, **{source: -side[source] for source in together}}, ()
    for source in side:
        yield {**side, source: -side[source]}, ()
        yield side, (source,)


class _Drawing:
    """Rows, lanes and gaps of one graph, as points."""

    apart = 0.0
    """So much further than it needs to be the first lane at the right is from the trunk."""
    begin = 0.0
    """Where the first row begins."""

    def __init__(
        self,
        lanes: Lanes,
        sources: Sequence[Sequence[int]],
        sizes: Sequence[BoxSize],
        anchors: Sequence[float],
        behind: Sequence[float],
    ) -> None:
        self.lanes, self.sources, self.sizes, self.anchors, self.behind = lanes, sources, sizes, anchors, behind
        self.targets = targets_of(sources)
        self.met = {node for node, before in enumerate(sources) if len(before) > MOST_BRANCHES}
        """What so many tensors come to that they share one line."""
        self.count = max(lanes.rows, default=-1) + 1  # of rows
        self.lane_at, self.breadth = self._across()
        self.ports = self._ports()
        self.tracks = self._tracks()
        self.tops, self.gaps, self.end = self._along()

    def crossings(self) -> int:
        """Return at how many points lines cross."""
        level, upright = [], []
        for way in self.ways().values():
            for (a, b), (c, d) in pairwise(way):
                if b == d:
                    level.append((b, min(a, c), max(a, c)))
                else:
                    upright.append((a, min(b, d), max(b, d)))
        return sum([left < x < right and top < y < bottom for y, left, right in level for x, top, bottom in upright])

    def worth(self) -> tuple[int, int, int]:
        """Return how good the drawing is, less being better: crossings, width in points, and how far out its lanes
        are."""
        return self.crossings(), round(self.breadth), sum([abs(lane) for lane, *_ in self.lanes.taken])

    def has_boxes_on_both_sides(self) -> bool:
        """Return whether boxes stand left of the trunk, and right of it."""
        return min(self.lanes.lanes, default=0) < 0 < max(self.lanes.lanes, default=0)

    def centre(self, node: int) -> float:
        """Return where the lines of a node's lane run."""
        return self.lane_at[self.lanes.lanes[node]]

    def label_at(self, node: int, horizontal: bool) -> Point:
        """Return where the shape that a node gives stands: right of the line that leaves it, or above it."""
        across, along = (-4, 5) if horizontal else (5, 11)
        return self.centre(node) + across, self.tops[self.lanes.rows[node]] + self.sizes[node].along + along

    def ways(self) -> dict[tuple[int, int], tuple[Point, ...]]:
        """Return the points of each edge, from the box that it leaves to the box that it enters."""
        result = {}
        for node, readers in enumerate(self.targets):
            start = (self.centre(node), self.tops[self.lanes.rows[node]] + self.sizes[node].along)
            for target in readers:
                points = [start]
                for gap, before, after in self._steps(node, target):
                    points += self._across_gap(gap, self._net(gap, node, target), before, after)
                end = (self.ports[node, target], self.tops[self.lanes.rows[target]])
                result[node, target] = _plain((*points, end))
        return result

    def _steps(self, node: int, target: int) -> list[tuple[int, float, float]]:
        """Return the gaps in which a node's tensor turns on its way to a reader: where it comes down to each, and goes
        on."""
        row, end_row, enters = self.lanes.rows[node], self.lanes.rows[target], self.ports[node, target]
        if end_row <= row + 1:
            return [(row, self.centre(node), enters)]
        lane = self._lane_of(node, target)
        return [(row, self.centre(node), lane), (end_row - 1, lane, enters)]

    def _net(self, gap: int, node: int, target: int) -> int:
        """Return what runs on one track: a node's tensor, or all that come to one that many meet in, below 0."""
        return -1 - target if target in self.met and gap == self.lanes.rows[target] - 1 else node

    def _across_gap(self, row: int, net: int, before: float, after: float) -> list[Point]:
        if before == after:
            return []
        y = self.gaps[row] + self.tracks[row, net] * BETWEEN_TRACKS
        return [(before, y), (after, y)]

    def _lane_of(self, node: int, target: int) -> float:
        return self.lane_at[self.lanes.lane_between(node, target)]

    def rows(self) -> list[Point]:
        """Return where each row of boxes begins and ends."""
        return [(top, top + height) for top, height in zip(self.tops, self.heights, strict=True)]

    def _across(self) -> tuple[dict[int, float], float]:
        """Return where each lane runs, and how wide all are. A lane is as near to the trunk as its rows allow."""
        box = {(self.lanes.lanes[node], row): node for node, row in enumerate(self.lanes.rows)}
        taken = grouped((lane, range(top, bottom + 1)) for lane, top, bottom, _ in self.lanes.taken)
        at: dict[int, float] = {0: 0.0}
        first = last = 0.0
        for side in (1, -1):
            edges = [0.0] * self.count  # how far from the trunk each row is taken
            for lane in [0, *sorted((number for number in taken if number * side > 0), key=abs)]:
                rows = [row for rows in taken.get(lane, [range(self.count)]) for row in rows]
                halves = {row: self._halves(box[lane, row], side) for row in rows if (lane, row) in box}
                if lane:
                    gaps = [BETWEEN_BOXES + halves[row][0] if row in halves else BETWEEN_LINES for row in rows]
                    at[lane] = side * max([edges[row] + gap for row, gap in zip(rows, gaps, strict=True)])
                    at[lane] += self.apart if lane == 1 else 0.0
                for row in rows:
                    edges[row] = abs(at[lane]) + (halves[row][1] if row in halves else 0.0)
            first, last = (first, max(edges, default=0.0)) if side > 0 else (-max(edges, default=0.0), last)
        return {lane: x - first for lane, x in at.items()}, last - first

    def _halves(self, node: int, side: int) -> tuple[float, float]:
        """Return how far a box reaches from its lane to the trunk, and away from it, on this side."""
        left, right = self.anchors[node], self.sizes[node].across - self.anchors[node]
        return (left, right) if side > 0 else (right, left)

    def _ports(self) -> dict[tuple[int, int], float]:
        """Return where each tensor enters a box: a straight one at the middle, the others beside it in the order in
        which they come, so that they do not cross."""
        ports = {}
        for node, before in enumerate(self.sources):
            middle = self.centre(node)
            comes = sorted([(self._comes_at(source, node), source) for source in before])
            straight = next((at for at, (x, _) in enumerate(comes) if x == middle), None)
            base = (len(comes) - 1) / 2 if straight is None else straight
            room = min(self.anchors[node], self.sizes[node].across - self.anchors[node])
            step = 0.0 if node in self.met else min(PORT, room / (len(comes) or 1))
            for at, (_, source) in enumerate(comes):
                ports[source, node] = middle + (at - base) * step
        return ports

    def _comes_at(self, source: int, target: int) -> float:
        far = self.lanes.rows[target] > self.lanes.rows[source] + 1
        return self._lane_of(source, target) if far else self.centre(source)

    def _tracks(self) -> dict[tuple[int, int], int]:
        """Return on which track a node's tensor runs across a gap. Where one comes down to a point from which another
        goes on down, the first turns off above the other."""
        spans: dict[int, dict[int, Net]] = {}
        for node, readers in enumerate(self.targets):
            for target in readers:
                for gap, above, below in self._steps(node, target):
                    ends = spans.setdefault(gap, {}).setdefault(self._net(gap, node, target), (set(), set()))
                    ends[0].add(above)
                    ends[1].add(below)
        tracks = {}
        for gap, nets in spans.items():
            across = {net: ends for net, ends in nets.items() if len(ends[0] | ends[1]) > 1}
            for net, track in _assigned(across).items():
                tracks[gap, net] = track
        return tracks

    def _along(self) -> tuple[list[float], list[float], float]:
        """Return where each row begins, where the tracks of the gap behind it begin, and where all ends."""
        self.heights, behind = [0.0] * self.count, [0.0] * self.count
        for node, row in enumerate(self.lanes.rows):
            self.heights[row] = max(self.heights[row], self.sizes[node].along)
            behind[row] = max(behind[row], self.behind[node])
        used = [0] * self.count
        for (gap, _), track in self.tracks.items():
            used[gap] = max(used[gap], track + 1)
        tops, gaps, y = [], [], self.begin
        for row in range(self.count):
            tops.append(y)
            y += self.heights[row]
            gaps.append(y + behind[row])
            if row < self.count - 1:
                y += behind[row] + max(used[row] - 1, 0) * BETWEEN_TRACKS + BEFORE_BOX
        return tops, gaps, y + (behind[-1] if self.count else 0)


class _TwoColumns(_Drawing):
    """A graph whose decoder runs up beside its encoder: its lines are those of one that runs down, turned round."""

    apart = BETWEEN_COLUMNS - BETWEEN_BOXES

    def __init__(
        self, columns: Columns, sizes: Sequence[BoxSize], anchors: Sequence[float], behind: Sequence[float]
    ) -> None:
        self.columns = columns
        self.begin = max([behind[node] for node in columns.decoder if not columns.lanes.rows[node]], default=0.0)
        super().__init__(columns.lanes, columns.sources, sizes, anchors, behind)

    def label_at(self, node: int, horizontal: bool) -> Point:
        """Return where the shape that a node gives stands: of the decoder above it."""
        if node not in self.columns.decoder:
            return super().label_at(node, horizontal)
        across, along = (-4, -self.behind[node] + 5) if horizontal else (5, -4)
        return self.centre(node) + across, self.tops[self.lanes.rows[node]] + along

    def ways(self) -> dict[tuple[int, int], tuple[Point, ...]]:
        """Return the points of each edge: of the decoder's upwards, and of what skips sideways."""
        decoder = self.columns.decoder
        results = {
            (target, source) if target in decoder and source in decoder else (source, target): way[::-1]
            if target in decoder and source in decoder
            else way
            for (source, target), way in super().ways().items()
        }
        *skips, (end, begin) = self.columns.across
        for source, target in skips:
            left = self.centre(source) - self.anchors[source] + self.sizes[source].across
            right = self.centre(target) - self.anchors[target]
            y = self.tops[self.lanes.rows[source]] + min(self.sizes[source].along, self.sizes[target].along) / 2
            results[source, target] = ((left, y), (right, y))
        left, x = self.centre(end) - self.anchors[end] + self.sizes[end].across, self.centre(begin)
        y = self.tops[self.lanes.rows[end]] + self.sizes[end].along / 2
        below = self.tops[self.lanes.rows[begin]] + self.sizes[begin].along
        results[end, begin] = ((left, y), (x, y), (x, below))
        return results


Net = tuple[set[float], set[float]]
"""Where a tensor comes down to a gap, and where it goes on down from it."""

_COMPARED = 100
"""Of more nets in a gap it is not looked for which is best above which."""
_ON_ANOTHER = 1000
"""So many crossings is it worth that two lines do not run on one another."""


def _assigned(nets: dict[int, Net]) -> dict[int, int]:
    """Return a track for each net, counted from above, such that those that share one do not touch and few lines
    cross."""
    spans = {net: (min(above | below), max(above | below)) for net, (above, below) in nets.items()}
    left = sorted(nets, key=lambda net: (spans[net][0], net))
    waits: dict[int, dict[int, int]] = {net: {} for net in nets}
    """For each net those that are better above it, with how many crossings that is worth."""
    for number, other in _pairs(nets, left, spans):
        worth = _crossed(nets[other], nets[number]) - _crossed(nets[number], nets[other])
        if worth:
            below, above = (other, number) if worth > 0 else (number, other)
            waits[below][above] = abs(worth)
    tracks: dict[int, int] = {}
    ends: list[list[tuple[float, float]]] = []
    while left:
        waiting = [sum([worth for above, worth in waits[net].items() if above not in tracks]) for net in left]
        net = left.pop(waiting.index(min(waiting)))  # a circle is cut where that costs least
        low, high = spans[net]
        track = max([tracks[number] + 1 for number in waits[net] if number in tracks], default=0)
        while track < len(ends) and any(low <= b + 2 and a <= high + 2 for a, b in ends[track]):
            track += 1
        while track >= len(ends):
            ends.append([])
        ends[track].append((low, high))
        tracks[net] = track
    return tracks


def _pairs(
    nets: dict[int, Net], ordered: Sequence[int], spans: dict[int, tuple[float, float]]
) -> Iterator[tuple[int, int]]:
    """Yield the pairs of nets whose order, one above the other, may matter; of very many, those that might run on one
    another."""
    if len(nets) > _COMPARED:
        comes = {x: net for net, (above, _) in nets.items() for x in above}
        for net, (_, below) in nets.items():
            yield from [(comes[x], net) for x in below if comes.get(x, net) != net]
        return
    for at, number in enumerate(ordered):
        for other in ordered[at + 1 :]:
            if spans[other][0] > spans[number][1] + 2:
                break
            yield number, other


def _crossed(upper: Net, lower: Net) -> int:
    """Return how many lines cross if one net runs above another: the upper one goes on down through the track of the
    lower one, which comes down through that of the upper one."""
    high, low = upper[0] | upper[1], lower[0] | lower[1]
    through = sum([min(low) < x < max(low) for x in upper[1]]) + sum([min(high) < x < max(high) for x in lower[0]])
    return through + _ON_ANOTHER * len(upper[1] & lower[0])


def _plain(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return the points without those at which a line goes straight on."""
    kept = [points[0]]
    for (before, point), after in zip(pairwise(points), (*points[2:], None), strict=True):
        if point == before:
            continue
        a = kept[-1]
        if after is not None and (a[0] == point[0] == after[0] or a[1] == point[1] == after[1]):
            continue
        kept.append(point)
    return tuple(kept)
