"""The input elements on which one output element depends: a span along each axis, by the element rules of ops.

An op's element rule states which elements of its arguments one element of its result reads. These indices are composed,
summed letters run over their range, and the spans of several paths are joined to their hull (a dilated window has
holes, its hull has none). Values are ignored: an element with a weight of 0 counts. Only elements that a comparison of
positions excludes, as in a causal mask, do not count; another mask makes a span loose.

Windows keep their full size at the border, including padding. A step of a recurrence depends on all earlier steps.
This package has no rules for layers, and rules only for ops whose element rule does not state what they read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from layerexplain.derive.receptive_field.reads import NOTHING, Known, ValueFacts, marked, reads
from layerexplain.derive.receptive_field.spans import (
    AxisSpan,
    at,
    depth,
    extremes,
    hull,
    letters_of,
    slope,
    through,
    whole,
)
from layerexplain.lang.axes import ResultShapes, Shape, Size
from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import INPUT, Expr
from layerexplain.lang.scalar import Affine, CannotIndex, Letter, add, number
from layerexplain.lang.visit import ExprInterpreter
from layerexplain.records import NamedTuple

Seen: TypeAlias = tuple[AxisSpan, ...] | str
"""A span for each axis of a source, or the reason why it is unknown."""


MOST_ROUNDED = 40
"""Limit on nested quotients in an index, as from enlarging by one factor and shrinking by another repeatedly."""


class Dependence(NamedTuple):
    """The dependencies of an element of a tensor: `letters` are its index, `seen` has the spans of each source, and
    `facts` what follows from its index alone about its value."""

    letters: tuple[Letter, ...]
    seen: dict[Expr, Seen]
    facts: ValueFacts = NOTHING

    def read(self, place: Sequence[AxisSpan], into: dict[Expr, Seen]) -> None:
        """Add the dependencies of the elements at a place to `into`."""
        # A tensor of unknown shape may have no letters.
        if all([span == at(letter.index) for letter, span in zip(self.letters, place, strict=False)]):
            for source, seen in self.seen.items():
                _join(into, source, seen)
            return
        # The tensors of a long sum are all read alike: each way once, found by its identity before its value.
        placed: dict[Any, Seen] = {}
        for source, seen in self.seen.items():
            if not isinstance(seen, str):
                same = (id(seen), source.shape)
                if same not in placed:
                    placed[same] = _placed(self.letters, tuple(place), seen, source.shape)
                seen = placed[same]
            _join(into, source, seen)


@lru_cache(maxsize=10_000)
def _placed(letters: tuple[Letter, ...], place: tuple[AxisSpan, ...], seen: tuple[AxisSpan, ...], shape: Shape) -> Seen:
    """Return the spans of a source of a given shape with a view's letters running over a place."""
    env = dict(zip(letters, place, strict=False))
    beyond = list(_beyond(env))
    cut = [_cut(span, size, beyond) for span, size in zip(seen, shape, strict=True)] if beyond else seen
    spans = tuple([through(span, env, size) for span, size in zip(cut, shape, strict=True)])
    if any(depth(end) > MOST_ROUNDED for span in spans for end in (span.low, span.high) if end is not None):
        return f"its index is rounded more than {MOST_ROUNDED} times"
    return spans


def _beyond(env: Mapping[Letter, AxisSpan]) -> Iterator[tuple[Letter, int, int]]:
    """Yield, for each letter whose span reaches into the padding, the first position outside the axis and the position
    inside that is read with it."""
    for letter, span in env.items():
        least = extremes(span.low)[0]
        if least is None or least < 0:
            yield letter, -1, span.step - 1
        most = None if letter.size is None or span.high is None else extremes(span.high)[1]
        if letter.size is not None and most is not None and most >= letter.size:
            yield letter, letter.size, letter.size - span.step


def _cut(span: AxisSpan, size: Size, beyond: Sequence[tuple[Letter, int, int]]) -> AxisSpan:
    """Return the span, loose if padding stands where an argument was cropped or has holes.

    A position in the padding reads nothing, though its span may hold positions that the source has. That is no loss if
    the position that is read with it, inside the axis, has them too.
    """
    own = letters_of(span)
    for letter, outside, inside in beyond:
        if letter not in own:
            continue
        out, beside = (through(span, {letter: at(number(i))}, size) for i in (outside, inside))
        if out == beside:
            continue
        if (outside > 0) != (slope(span.low) > 0):
            cut = _may_reach(out.high, 0, 1) and _may_reach(beside.low, 1, 1)
        else:
            last = size - 1 if isinstance(size, int) else 0
            cut = isinstance(size, int) and _may_reach(out.low, last, -1) and _may_reach(beside.high, last - 1, -1)
        if cut or span.step > 1 or (letter.size is not None and not 0 <= inside < letter.size):
            return span._replace(loose=True)
    return span


def _may_reach(end: Affine | None, limit: int, direction: int) -> bool:
    """Return whether an end may be at a limit or beyond it: above for direction 1, below for -1."""
    if end is None:
        return direction > 0
    farthest = extremes(end)[direction > 0]
    return farthest is None or farthest * direction >= limit * direction


def source_view(leaf: Expr) -> Dependence:
    """Return the view of a source: each element depends on itself."""
    letters = _letters(leaf.shape)
    return Dependence(letters, {leaf: tuple([at(letter.index) for letter in letters])})


def _letters(shape: Sequence[Size]) -> tuple[Letter, ...]:
    return _letters_of_sizes(tuple([size if isinstance(size, int) else None for size in shape]))


@lru_cache(maxsize=1000)
def _letters_of_sizes(sizes: tuple[int | None, ...]) -> tuple[Letter, ...]:
    """Return the letters of all tensors of the same shape, so that element-wise operations change no span."""
    return tuple([Letter("", size) for size in sizes])


def _join(into: dict[Expr, Seen], source: Expr, seen: Seen) -> None:
    before = into.get(source)
    if before is None or isinstance(before, str):
        into[source] = seen if before is None else before
    elif isinstance(seen, str):
        into[source] = seen
    else:
        into[source] = tuple([hull(a, b, size) for a, b, size in zip(before, seen, source.shape, strict=True)])


class ReceptiveFields(ExprInterpreter[Dependence]):
    """Compute the views of definitions, each once."""

    def dependences(self, definition: Definition) -> list[Dependence]:
        """Return the view of each result, then of each existing mask, in terms of the params."""
        return self.outputs(definition)

    def called(self, definition: Definition, args: Sequence[Dependence]) -> list[Dependence]:
        """Return the views of a called definition's results; trailing masks and weights may be omitted."""
        known = dict(zip(definition.params, args, strict=False))
        return [Dependence(view.letters, _in_terms_of(known, view.seen)) for view in self.dependences(definition)]

    def leaf(self, node: Expr, env: dict[Expr, Any]) -> Dependence:
        return source_view(node) if node.op is INPUT else Dependence(_letters(node.shape), {})

    def op(self, node: Expr, env: dict[Expr, Any]) -> Any:
        args = [env[a] for a in node.args]
        if type(node.shape) is tuple:
            return _result(node, 0, _letters(node.shape), args)
        return [_result(node, i, _letters(shape), args) for i, shape in enumerate(node.shape)]

    def call(self, node: Expr, env: dict[Expr, Any]) -> Any:
        definition: Definition = node.attrs["definition"]
        args = [env[a] for a in node.args]
        opened = definition.kind == "composite" and any([arg.facts is not NOTHING for arg in args])
        views = self._inlined(definition, args) if opened else self.called(definition, args)
        return views if type(node.shape) is ResultShapes else views[0]

    def _inlined(self, definition: Definition, args: Sequence[Dependence]) -> list[Dependence]:
        """Return the views of a composite's results, using facts about its arguments: a softmax of masked scores."""
        views = {}
        for param, arg in zip(definition.params, args, strict=False):
            own = source_view(param)
            env = {old: new.index for old, new in zip(arg.letters, own.letters, strict=True)}
            views[param] = own._replace(facts=arg.facts.at(env))
        given = dict(zip(definition.params, args, strict=False))
        dependences: list[Dependence] = self.values(list(definition.results.values()), views)
        return [view._replace(seen=_in_terms_of(given, view.seen)) for view in dependences]

    def loop(self, node: Expr, env: dict[Expr, Any]) -> Any:
        body: Body = node.attrs["body"]
        views = self.step(body, [source_view(leaf) for leaf in body.leaves])
        after = _over_time(body, views[: len(body.states)])
        length = node.args[0].shape[1]
        given = {leaf: env[arg] for leaf, arg in zip(body.leaves, node.args, strict=True)}
        results = [Dependence(view.letters, _outside(body, view.seen, given, whole(length))) for view in after]
        for view in views[len(body.states) :]:
            step = Letter("steps", length if isinstance(length, int) else None)
            now = {leaf: seen for leaf, seen in view.seen.items() if leaf not in body.states}
            before: dict[Expr, Seen] = {}
            for state, earlier in zip(body.states, after, strict=True):
                if state in view.seen:
                    _join(before, state, view.seen[state])
                    _through_argument(earlier, view.seen[state], before)
            seen = _outside(body, now, given, at(step.index))
            past = AxisSpan(number(0), add(step.index, -1))
            for source, spans in _outside(body, before, given, past).items():
                _join(seen, source, spans)
            results.append(Dependence((view.letters[0], step, *view.letters[1:]), seen))
        return results if len(results) > 1 else results[0]


def _in_terms_of(args: Mapping[Expr, Dependence], seen: Mapping[Expr, Seen]) -> dict[Expr, Seen]:
    """Return spans of a definition's params in terms of the sources of its arguments."""
    results: dict[Expr, Seen] = {}
    for param, spans in seen.items():
        if param in args:
            _through_argument(args[param], spans, results)
    return results


def _through_argument(arg: Dependence, seen: Seen, into: dict[Expr, Seen]) -> None:
    if isinstance(seen, str):
        for source in arg.seen:
            _join(into, source, seen)
    else:
        arg.read(seen, into)


def _over_time(body: Body, direct: Sequence[Dependence]) -> list[Dependence]:
    """Return the views of the states in terms of the body's leaves after any number of steps, without the steps."""
    total = [Dependence(view.letters, dict(view.seen)) for view in direct]
    for last in (False, False, True):
        grown = []
        for view in direct:
            seen = dict(view.seen)
            for state, earlier in zip(body.states, total, strict=True):
                if state in view.seen:
                    _through_argument(earlier, view.seen[state], seen)
            grown.append(Dependence(view.letters, seen))
        if all(a.seen == b.seen for a, b in zip(grown, total, strict=True)):
            break
        if last:
            # A span that still grows (a convolution of the state at each step) reaches the ends of its axis.
            grown = [Dependence(b.letters, _widened(a.seen, b.seen)) for a, b in zip(total, grown, strict=True)]
        total = grown
    return total


def _widened(before: Mapping[Expr, Seen], after: Mapping[Expr, Seen]) -> dict[Expr, Seen]:
    results = dict(after)
    for source, seen in after.items():
        old = before.get(source) or (None,) * len(seen)
        if not isinstance(seen, str) and not isinstance(old, str):
            axes = zip(old, seen, source.shape, strict=True)
            results[source] = tuple([b if a == b else whole(size) for a, b, size in axes])
    return results


def _outside(
    body: Body, seen: Mapping[Expr, Seen], given: Mapping[Expr, Dependence], times: AxisSpan
) -> dict[Expr, Seen]:
    """Return spans of the leaves of a loop's body in terms of the loop's arguments, with the steps `times` of the
    sequences."""
    placed = dict(seen)
    for leaf in body.steps:
        spans = seen.get(leaf, "")
        if not isinstance(spans, str):
            placed[leaf] = (spans[0], times, *spans[1:])
    return _in_terms_of(given, placed)


# One op ---------------------------------------------------------------------------------------------------------


def _result(node: Expr, i: int, letters: tuple[Letter, ...], args: Sequence[Dependence]) -> Dependence:
    """Return the view of result number `i` of an op."""
    seen: dict[Expr, Seen] = {}
    index = tuple([letter.index for letter in letters])
    known = Known(node, args)
    try:
        for arg, place in reads(node, i, index, known):
            args[arg].read(place, seen)
        value_facts = (
            known.facts_of(node.op.element(node, index, marked)) if known and callable(node.op.element) else NOTHING
        )
    except CannotIndex as why:
        return Dependence(letters, {source: str(why) for arg in args for source in arg.seen})
    return Dependence(letters, seen, value_facts)
