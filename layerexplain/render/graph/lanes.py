"""Where the nodes of a graph stand: in which row and lane, in the order in which fewest lines cross.

Strands run straight down, so that two lines can cross only in the gap between two rows, where one at least goes from
one strand to another. Which do depends on the order of strands from left to right alone. Sifting takes one strand after
the other and puts it where its lines cross fewest others, until nothing gets better. It takes a bounded number of
steps, so that a large graph stays quick.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

from layerexplain.records import NamedTuple

# Sifting ------------------------------------------------------------------------------------------------------------

_STEPS = 3_000_000
"""So many pairs of lines are looked at, at most."""


def sifted(lanes: Lanes, sources: Sequence[Sequence[int]]) -> Lanes:
    """Return the strands in an order in which fewer of their lines cross, each in a lane of its own; unchanged where
    none do. `sources` are the nodes that feed each, as for `lanes_of`."""
    sifter = _Sifter(lanes, sources)
    return sifter.lanes() if sifter.sift() else lanes


class _Sifter:
    """The strands of a graph by numbers: 0 is the trunk, the others stand in `taken`."""

    def __init__(self, lanes: Lanes, sources: Sequence[Sequence[int]]) -> None:
        self.before = lanes
        self.steps = 0
        taken = lanes.taken
        self.own = [0] * len(sources)
        self.last = {source: number for number, (*_, source) in enumerate(taken, 1)}
        ahead = {b: a for a, b in lanes.follows.items()}
        for number, (lane, top, bottom, source) in enumerate(taken, 1):
            if lanes.lanes[source] == lane and top <= lanes.rows[source] <= bottom:
                node: int | None = source
                while node is not None:
                    self.own[node] = number
                    node = ahead.get(node)
        rows = [row for node, row in enumerate(lanes.rows) if not self.own[node]]
        self.spans = [(min(rows, default=0), max(rows, default=0)), *[(top, bottom) for _, top, bottom, _ in taken]]
        self.across: dict[int, list[tuple[int, int]]] = {}
        """By the row above, the lines that go from one strand to another in a gap."""
        for target, feeds in enumerate(sources):
            for source in dict.fromkeys(feeds):
                self._enter(source, target)
        self.gaps: list[list[int]] = [[] for _ in self.spans]
        """Of each strand the gaps, with lines across, that it runs through or in which one of its lines runs across."""
        self.through: dict[int, list[int]] = {}
        """By the row above, the strands that run through a gap, of those with lines across."""
        ordered = sorted(self.across)
        for number, (top, bottom) in enumerate(self.spans):
            touched = [gap for gap in ordered if top - 1 <= gap <= bottom]
            self.gaps[number] = touched
            for gap in touched:
                if top <= gap < bottom:
                    self.through.setdefault(gap, []).append(number)
        places = [0, *[lane for lane, *_ in taken]]
        self._set(sorted(range(len(places)), key=lambda item: (places[item], item)))

    def _set(self, order: list[int]) -> None:
        self.order = order
        self.place = [0] * len(order)
        for at, strand in enumerate(order):
            self.place[strand] = at

    def _enter(self, source: int, target: int) -> None:
        rows, follows = self.before.rows, self.before.follows
        a, b = self.own[source], self.own[target]
        if rows[target] <= rows[source] + 1:
            steps = [(rows[source], a, b)]
        else:
            lane = a if follows.get(source) == target else self.last.get(source, a)
            steps = [(rows[source], a, lane), (rows[target] - 1, lane, b)]
        for gap, above, below in steps:
            if above != below:
                self.across.setdefault(gap, []).append((above, below))

    def sift(self) -> bool:
        """Return whether another order was found."""
        result = False
        is_better = True
        while is_better and self.steps < _STEPS:
            is_better = False
            for strand in sorted(range(1, len(self.spans)), key=lambda number: self.spans[number][0]):
                if self.steps > _STEPS:
                    break
                is_better |= self._put(strand)
            result |= is_better
        return result

    def _put(self, strand: int) -> bool:
        """Put a strand where its lines cross fewest others; whether that is another place than before."""
        if not self._is_crossed(strand):
            return False
        now = self.place[strand]
        rest = self.order[:now] + self.order[now + 1 :]
        costs = self._costs(strand, rest)
        best = min(range(len(costs)), key=lambda at: (costs[at], abs(at - now)))
        if costs[best] >= costs[now]:
            return False
        self._set([*rest[:best], strand, *rest[best:]])
        return True

    def _is_crossed(self, strand: int) -> bool:
        """Return whether a line of a strand crosses another one where it stands now."""
        place = self.place
        top, bottom = self.spans[strand]
        for gap in self.gaps[strand]:
            others = [(place[a], place[b]) for a, b in self.across[gap]]
            own = [(place[a], place[b]) for a, b in self.across[gap] if strand in (a, b)]
            if own:
                others += [(place[number], place[number]) for number in self.through.get(gap, ())]
            if top <= gap < bottom:
                own.append((place[strand], place[strand]))
            self.steps += len(own) * len(others)
            if any([(a - c) * (b - d) < 0 for a, b in own for c, d in others]):
                return True
        return False

    def _costs(self, strand: int, rest: Sequence[int]) -> list[int]:
        """Return how many lines those of a strand cross, by the place at which it stands among the rest."""
        rank = {number: at for at, number in enumerate(rest)}
        self.steps += len(rest)
        changes = [0] * (len(rest) + 2)

        def left_of(at: int) -> None:
            changes[0] += 1
            changes[at + 1] -= 1

        def right_of(at: int) -> None:
            changes[at + 1] += 1

        top, bottom = self.spans[strand]
        for gap in self.gaps[strand]:
            lines = self.across[gap]
            through = self.through.get(gap, ())
            others = [(rank[a], rank[b]) for a, b in lines if strand not in (a, b)]
            down = [rank[b] for a, b in lines if a == strand]
            up = [rank[a] for a, b in lines if b == strand]
            self.steps += len(lines) + (len(down) + len(up)) * (len(others) + len(through))
            if top <= gap < bottom:
                for a, b in others:
                    changes[min(a, b) + 1] += 1
                    changes[max(a, b) + 1] -= 1
            for end in (*down, *up):
                for number in through:
                    if number != strand and rank[number] != end:
                        (left_of if rank[number] < end else right_of)(rank[number])
            for end in down:
                for above, below in others:
                    if below != end:
                        (left_of if end > below else right_of)(above)
                for number in up:
                    left_of(min(end, number))
                    right_of(max(end, number))
            for end in up:
                for above, below in others:
                    if above != end:
                        (left_of if end > above else right_of)(below)
        return [*accumulate(changes[:-1])]

    def lanes(self) -> Lanes:
        """Return the lanes in the order that was found."""
        middle = self.order.index(0)
        lane = {strand: at - middle for at, strand in enumerate(self.order)}
        return self.before._replace(
            lanes=tuple([lane[number] for number in self.own]),
            line_lanes={source: lane[number] for source, number in self.last.items()},
            taken=tuple([
                (lane[number], top, bottom, source)
                for number, (_, top, bottom, source) in enumerate(self.before.taken, 1)
            ]),
        )  # fmt: skip


# Lanes --------------------------------------------------------------------------------------------------------------
# Where the nodes of a graph stand: in which row, and in which lane beside the trunk.


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
    # What no line leads to or from stands below one another, as if a line went through it: beside each other, many
    # would be drawn too small to be named.
    alone = [node for node, before in enumerate(sources) if not before and not targets[node]]
    above = dict(zip(alone[1:], alone, strict=False))
    sources = [[above[node]] if node in above else before for node, before in enumerate(sources)]
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
    result = []
    last = len(first)
    order = {source: at for at, source in enumerate(first)}
    for strand in sorted(strands, key=lambda s: (order.get(s.source, last), s.bottom - s.top, s.top, s.source)):
        is_fed = not strand.nodes or bool(sources[strand.nodes[0]])
        wanted = sides.get(strand.source, 0)
        lane = taken.lane_for(strand, is_fed, bool(targets[strand.source]), wanted)
        result.append((lane, strand.top, strand.bottom, strand.source))
        for node in strand.nodes:
            lanes[node] = lane
        line_lanes[strand.source] = lane
    return Lanes(tuple(rows), tuple(lanes), line_lanes, follows, tuple(result))


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
    node = max(range(len(rows)), key=lambda number: (below[number], -number))
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
