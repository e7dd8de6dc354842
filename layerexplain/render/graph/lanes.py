"""Where the nodes of a graph stand: in which row, and in which lane beside the trunk.

The longest path is the trunk, straight from the first row to the last. The other nodes are cut into strands, which are
paths too, and each strand has a lane of its own for the rows that it takes, lines that join it included. So has each
tensor that goes to a row further down. Short strands are inside. No line crosses a box, since a lane has one thing in
a row, and what runs across runs between two rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

from layerexplain.records import NamedTuple


class Strand(NamedTuple):
    """What takes a lane from row `top` to row `bottom`: `nodes`, or none for a line alone."""

    top: int
    bottom: int
    nodes: tuple[int, ...]
    source: int
    """The node whose tensor goes down the lane at its end."""


class Lanes(NamedTuple):
    """The row and the lane of each node (0 is the trunk, lanes on the left are negative), the lane in which the tensor
    of a node goes down to rows that are further away, the node that comes next in a strand, and what takes the lanes
    beside the trunk: of each strand its lane, its first and last row, and the node whose tensor leaves at its end."""

    rows: tuple[int, ...]
    lanes: tuple[int, ...]
    line_lanes: dict[int, int]
    follows: dict[int, int]
    taken: tuple[tuple[int, int, int, int], ...] = ()

    def lane_between(self, source: int, target: int) -> int:
        """Return the lane in which a tensor goes down to a row that is further away than the next."""
        own = self.lanes[source]
        return own if self.follows.get(source) == target else self.line_lanes.get(source, own)


def lanes_of(
    sources: Sequence[Sequence[int]], sides: Mapping[int, int] | None = None, first: Sequence[int] = ()
) -> Lanes:
    """Return rows and lanes for nodes in an order of calls; `sources` are the nodes that feed each. Strands are named
    by the node whose tensor goes down at their end: `sides` says of some on which side they are, 1 or -1, and those in
    `first` are nearest to the trunk.

    >>> lanes_of([[], [0], [1], [2, 0]])  # a residual connection: the tensor of node 0 has a lane beside 1 and 2
    Lanes(rows=(0, 1, 2, 3), lanes=(0, 0, 0, 0), line_lanes={0: 1}, follows={}, taken=((1, 1, 2, 0),))
    """
    targets = targets_of(sources)
    rows = rows_of(sources, targets)
    trunk = longest_path(rows, targets)
    return lanes_in(rows, trunk, strands_of(rows, targets, {*trunk}), sources, sides or {}, first)


def lanes_in(
    rows: Sequence[int],
    trunk: Sequence[int],
    strands: Sequence[Strand],
    sources: Sequence[Sequence[int]],
    sides: Mapping[int, int],
    first: Sequence[int],
) -> Lanes:
    """Return the lanes of nodes whose rows, trunk and strands are known, as `lanes_of` does."""
    targets = targets_of(sources)
    lanes = [0] * len(sources)
    line_lanes = {}
    follows = {a: b for strand in strands for a, b in pairwise(strand.nodes)}
    follows |= {a: b for a, b in pairwise(trunk) if rows[b] > rows[a] + 1}
    strands = [*strands, *_lines(rows, targets, follows, {strand.source for strand in strands})]
    taken = _Taken()
    found = []
    last = len(first)
    order = {source: at for at, source in enumerate(first)}
    for strand in sorted(strands, key=lambda s: (order.get(s.source, last), s.bottom - s.top, s.top, s.source)):
        is_fed = not strand.nodes or bool(sources[strand.nodes[0]])
        wanted = sides.get(strand.source, 0)
        lane = taken.lane_for(strand, is_fed, bool(targets[strand.source]), wanted)
        found.append((lane, strand.top, strand.bottom, strand.source))
        for node in strand.nodes:
            lanes[node] = lane
        line_lanes[strand.source] = lane
    return Lanes(tuple(rows), tuple(lanes), line_lanes, follows, tuple(found))


def targets_of(sources: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the nodes that read what each gives."""
    targets: list[list[int]] = [[] for _ in sources]
    for target, before in enumerate(sources):
        for source in dict.fromkeys(before):
            targets[source].append(target)
    return targets


def rows_of(sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> list[int]:
    """Put each node into the row below the lowest of those that feed it; what nothing feeds, in the row above its
    first reader."""
    rows = [0] * len(sources)
    for node, before in enumerate(sources):
        rows[node] = max([rows[source] + 1 for source in before], default=0)
    for node, before in enumerate(sources):
        if not before and targets[node]:
            rows[node] = min(rows[target] for target in targets[node]) - 1
    return rows


def longest_path(rows: Sequence[int], targets: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return the longest path: from row to row, without a gap."""
    below = [1] * len(rows)
    follows = [-1] * len(rows)
    for node in reversed(range(len(rows))):
        for target in targets[node]:
            if rows[target] == rows[node] + 1 and below[target] + 1 > below[node]:
                below[node], follows[node] = below[target] + 1, target
    if not rows:
        return ()
    node = max(range(len(rows)), key=lambda one: (below[one], -one))
    path = [node]
    while follows[node] >= 0:
        node = follows[node]
        path.append(node)
    return tuple(path)


def strands_of(rows: Sequence[int], targets: Sequence[Sequence[int]], placed: set[int]) -> list[Strand]:
    """Return paths of the nodes that are not placed yet. A strand goes on as long as its tensor has a reader that is
    in none yet."""
    strands = []
    for first in sorted(range(len(rows)), key=rows.__getitem__):
        if first in placed:
            continue
        path = [first]
        placed.add(first)
        while free := [target for target in targets[path[-1]] if target not in placed]:
            path.append(min(free, key=rows.__getitem__))
            placed.add(path[-1])
        last = path[-1]
        bottom = max([rows[target] - 1 for target in targets[last]], default=rows[last])
        strands.append(Strand(rows[first], max(bottom, rows[last]), tuple(path), last))
    return strands


def _lines(
    rows: Sequence[int], targets: Sequence[Sequence[int]], follows: dict[int, int], ends: set[int]
) -> list[Strand]:
    """Return the tensors that go further than to the next row, and not down the lane of their own strand."""
    lines = []
    for node, readers in enumerate(targets):
        far = [rows[t] for t in readers if rows[t] > rows[node] + 1 and follows.get(node) != t]
        if far and node not in ends:
            lines.append(Strand(rows[node] + 1, max(far) - 1, (), node))
    return lines


class _Taken:
    """Which rows of the lanes on each side are taken, as bits."""

    def __init__(self) -> None:
        self.sides: tuple[list[int], list[int]] = ([], [])
        self.through: tuple[list[int], list[int]] = ([], [])
        """The gaps between rows that a lane goes through, as bits of the row above."""
        self.leave: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
        self.enter: tuple[Counter[int], Counter[int]] = (Counter(), Counter())
        """How many strands of a side begin, and end, in a gap: each that ends crosses each that begins."""

    def lane_for(self, strand: Strand, is_fed: bool, is_read: bool, wanted: int = 0) -> int:
        """Return the lane nearest to the trunk that is free, on the side that is wanted, or else on that on which the
        strand crosses fewer others. Something feeds it, or not, and reads it, or not."""
        bits = (1 << (strand.bottom - strand.top + 1)) - 1 << strand.top
        ends = (1 << strand.top >> 1) | (1 << strand.bottom)
        best: tuple[tuple[int, int, int], int, int] | None = None
        for side in (1, 0) if not wanted else (int(wanted > 0),):
            lanes, through = self.sides[side], self.through[side]
            at = next((at for at, taken in enumerate(lanes) if not taken & bits), len(lanes))
            crossed = sum((gaps & ends).bit_count() for gaps in through[:at])
            crossed += is_fed * self.enter[side][strand.top - 1] + is_read * self.leave[side][strand.bottom]
            worth = (crossed, at, -side)
            if best is None or worth < best[0]:
                best = (worth, side, at)
        assert best is not None  # noqa: S101 (there is a side)
        _, side, at = best
        lanes, through = self.sides[side], self.through[side]
        if at == len(lanes):
            lanes.append(0)
            through.append(0)
        lanes[at] |= bits
        through[at] |= bits & (bits >> 1)
        self.leave[side][strand.top - 1] += is_fed
        self.enter[side][strand.bottom] += is_read
        return at + 1 if side else -at - 1
