"""Another order of the strands of a graph, in which fewer lines cross.

Strands run straight down, so that two lines can cross only in the gap between two rows, where one at least goes from
one strand to another. Which do depends on the order of strands from left to right alone. Sifting takes one strand after
the other and puts it where its lines cross fewest others, until nothing gets better. It takes a bounded number of
steps, so that a large graph stays quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from layerexplain.render.graph.lanes import Lanes

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
        self._set(sorted(range(len(places)), key=lambda one: (places[one], one)))

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
        found = False
        is_better = True
        while is_better and self.steps < _STEPS:
            is_better = False
            for strand in sorted(range(1, len(self.spans)), key=lambda one: self.spans[one][0]):
                if self.steps > _STEPS:
                    break
                is_better |= self._put(strand)
            found |= is_better
        return found

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
                others += [(place[one], place[one]) for one in self.through.get(gap, ())]
            if top <= gap < bottom:
                own.append((place[strand], place[strand]))
            self.steps += len(own) * len(others)
            if any([(a - c) * (b - d) < 0 for a, b in own for c, d in others]):
                return True
        return False

    def _costs(self, strand: int, rest: Sequence[int]) -> list[int]:
        """Return how many lines those of a strand cross, by the place at which it stands among the rest."""
        rank = {one: at for at, one in enumerate(rest)}
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
                for one in through:
                    if one != strand and rank[one] != end:
                        (left_of if rank[one] < end else right_of)(rank[one])
            for end in down:
                for above, below in others:
                    if below != end:
                        (left_of if end > below else right_of)(above)
                for one in up:
                    left_of(min(end, one))
                    right_of(max(end, one))
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
