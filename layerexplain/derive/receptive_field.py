"""Which elements of its inputs one element of a formula sees: the span along each axis, by the element form's rules.

An op's element rule says which elements of its arguments one element of its result reads; here those indices are put
one into the other, letters that are summed over run over their range, and what several paths read is joined to its
hull (a dilated window has holes, its hull has none). Values do not matter: what a mask or a weight of 0 hides is seen.

Windows keep their full size at the border, where part of what they see is padding. A step of a recurrence sees all
steps before it. Nothing here knows of a layer or of a convolution: only what moves or weighs elements in a way that
its element rule does not spell out has a rule here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from layerexplain.derive.known_values import NOTHING, Facts, facts, is_far, of_number
from layerexplain.derive.receptive_rules import RULES, Read
from layerexplain.derive.spans import Span, at, depth, difference, hull, letters_in, looks_up, through, whole, width
from layerexplain.expr import CALL, CONSTANT, INPUT, ITEM, LOOP, WEIGHT, Body, Definition, Expr, Marker, Size, walk
from layerexplain.ops.movement import split, split_element
from layerexplain.ops.positions import positions
from layerexplain.records import NamedTuple
from layerexplain.scalar import (
    BEYOND,
    Affine,
    Apply,
    Between,
    CannotIndex,
    Condition,
    Element,
    Fold,
    Guard,
    Holds,
    Letter,
    Lookup,
    Named,
    Quotient,
    Scalar,
    add,
    floor_divide,
    number,
    scale,
)

Seen: TypeAlias = tuple[Span, ...] | str
"""A span for each axis of a source, or why it is not known."""


MOST_ROUNDED = 40
"""Enlarged by one factor and shrunk by another over and over, an index is a quotient of quotients of quotients."""


class View(NamedTuple):
    """What an element of a tensor sees: `letters` are its index, `seen` has each source that it depends on; `facts`
    are what its index alone tells of its value."""

    letters: tuple[Letter, ...]
    seen: dict[Expr, Seen]
    facts: Facts = NOTHING

    def read(self, place: Sequence[Span], into: dict[Expr, Seen]) -> None:
        """Add to `into` what the elements at a place see."""
        # Where all is unknown there may be no letters.
        env = dict(zip(self.letters, place, strict=False))
        for source, seen in self.seen.items():
            _join(into, source, seen if isinstance(seen, str) else _substituted(source, seen, env))


def _substituted(source: Expr, seen: tuple[Span, ...], env: Mapping[Letter, Span]) -> Seen:
    spans = tuple([through(span, env, size) for span, size in zip(seen, source.shape, strict=True)])
    if any(depth(end) > MOST_ROUNDED for span in spans for end in (span.low, span.high) if end is not None):
        return f"it is rounded more than {MOST_ROUNDED} times on the way"
    return spans


def source_view(leaf: Expr) -> View:
    """A source itself: each element sees itself."""
    letters = _letters(leaf.shape)
    return View(letters, {leaf: tuple([at(_index(one)) for one in letters])})


def _letters(shape: Sequence[Size]) -> tuple[Letter, ...]:
    return tuple([Letter("", size if isinstance(size, int) else None) for size in shape])


def _index(letter: Letter) -> Affine:
    return Affine(((letter, 1),), 0)


def _join(into: dict[Expr, Seen], source: Expr, seen: Seen) -> None:
    before = into.get(source)
    if before is None or isinstance(before, str):
        into[source] = seen if before is None else before
    elif isinstance(seen, str):
        into[source] = seen
    else:
        into[source] = tuple([hull(a, b, size) for a, b, size in zip(before, seen, source.shape, strict=True)])


class ReceptiveFields:
    """The views of definitions, each computed once."""

    def __init__(self) -> None:
        self._known: dict[Definition, list[View]] = {}

    def of(self, definition: Definition) -> list[View]:
        """For each result, then each mask that there is: what an element of it sees of the params."""
        known = self._known.get(definition)
        if known is None:
            views: dict[Expr, list[View]] = {}
            self._body(definition.order, views)
            roots = [*definition.results.values(), *[m for m in definition.masks if m is not None]]
            known = self._known[definition] = [views[root][0] for root in roots]
        return known

    def called(self, definition: Definition, args: Sequence[View]) -> list[View]:
        """The results of a definition that is called with tensors; masks and weights may be left out behind them."""
        known = dict(zip(definition.params, args, strict=False))
        found = []
        for view in self.of(definition):
            seen: dict[Expr, Seen] = {}
            for param, spans in view.seen.items():
                if param in known:
                    _through_argument(known[param], spans, seen)
            found.append(View(view.letters, seen))
        return found

    def _body(self, order: Sequence[Expr], views: dict[Expr, list[View]]) -> None:
        for node in order:
            if node not in views:
                views[node] = self._node(node, views)

    def _node(self, node: Expr, views: Mapping[Expr, list[View]]) -> list[View]:
        op = node.op
        if op is INPUT:
            return [source_view(node)]
        if op is WEIGHT or op is CONSTANT:
            return [View(_letters(node.shape), {})]
        if op is ITEM:
            return [views[node.args[0]][node.attrs["i"]]]
        args = [views[a][0] for a in node.args]
        if op is CALL:
            definition: Definition = node.attrs["definition"]
            if definition.kind == "composite" and any([arg.facts is not NOTHING for arg in args]):
                return self._opened(definition, args)
            return self.called(definition, args)
        if op is LOOP:
            return self._loop(node, args)
        shapes = [node.shape] if type(node.shape) is tuple else list(node.shape)
        return [_result(node, i, _letters(shape), args) for i, shape in enumerate(shapes)]

    def _opened(self, definition: Definition, args: Sequence[View]) -> list[View]:
        """The results of a composite, with what is known of the values that it is given: a softmax of masked scores."""
        views = {}
        for param, arg in zip(definition.params, args, strict=False):
            own = source_view(param)
            env = {old: _index(new) for old, new in zip(arg.letters, own.letters, strict=True)}
            views[param] = [own._replace(facts=arg.facts.at(env))]
        self._body(definition.order, views)
        given = dict(zip(definition.params, args, strict=False))
        found = []
        for result in definition.results.values():
            view = views[result][0]
            seen: dict[Expr, Seen] = {}
            for param, spans in view.seen.items():
                _through_argument(given[param], spans, seen)
            found.append(view._replace(seen=seen))
        return found

    # Recurrences ------------------------------------------------------------------------------------------------

    def _loop(self, node: Expr, args: Sequence[View]) -> list[View]:
        body: Body = node.attrs["body"]
        leaves = (*body.steps, *body.states, *body.captured)
        views = {leaf: [source_view(leaf)] for leaf in leaves}
        self._body(walk(body.outputs, leaves), views)
        for output in body.outputs:
            if output not in views:  # a number
                views[output] = [View(_letters(output.shape), {})]
        after = _over_time(body, [views[e][0] for e in body.next])
        length = node.args[0].shape[1]
        given = dict(zip(leaves, args, strict=True))
        results = [View(view.letters, _outside(body, view.seen, given, whole(length))) for view in after]
        for e in body.collected.values():
            view = views[e][0]
            step = Letter("steps", length if isinstance(length, int) else None)
            now = {leaf: seen for leaf, seen in view.seen.items() if leaf not in body.states}
            before: dict[Expr, Seen] = {}
            for state, earlier in zip(body.states, after, strict=True):
                if state in view.seen:
                    _join(before, state, view.seen[state])
                    _through_argument(earlier, view.seen[state], before)
            seen = _outside(body, now, given, at(_index(step)))
            past = Span(number(0), add(_index(step), -1))
            for source, spans in _outside(body, before, given, past).items():
                _join(seen, source, spans)
            results.append(View((view.letters[0], step, *view.letters[1:]), seen))
        return results


def _through_argument(arg: View, seen: Seen, into: dict[Expr, Seen]) -> None:
    if isinstance(seen, str):
        for source in arg.seen:
            _join(into, source, seen)
    else:
        arg.read(seen, into)


def _over_time(body: Body, direct: Sequence[View]) -> list[View]:
    """What the states see of the leaves of a loop's body after any number of steps, the steps left out."""
    total = [View(view.letters, dict(view.seen)) for view in direct]
    for last in (False, False, True):
        grown = []
        for view in direct:
            seen = dict(view.seen)
            for state, earlier in zip(body.states, total, strict=True):
                if state in view.seen:
                    _through_argument(earlier, view.seen[state], seen)
            grown.append(View(view.letters, seen))
        if all(a.seen == b.seen for a, b in zip(grown, total, strict=True)):
            break
        if last:
            # What still grows (a convolution of the state, step by step) reaches the ends of its axis.
            grown = [View(b.letters, _widened(a.seen, b.seen)) for a, b in zip(total, grown, strict=True)]
        total = grown
    return total


def _widened(before: Mapping[Expr, Seen], after: Mapping[Expr, Seen]) -> dict[Expr, Seen]:
    found: dict[Expr, Seen] = {}
    for source, seen in after.items():
        old = before.get(source)
        if isinstance(seen, str) or isinstance(old, str):
            found[source] = seen
        elif old is None:
            found[source] = tuple([whole(size) for size in source.shape])
        else:
            found[source] = tuple(
                [b if a == b else whole(size) for a, b, size in zip(old, seen, source.shape, strict=True)]
            )
    return found


def _outside(body: Body, seen: Mapping[Expr, Seen], given: Mapping[Expr, View], times: Span) -> dict[Expr, Seen]:
    """What is seen of the leaves of a loop's body, in terms of the tensors that the loop is given; of the sequences
    the steps `times`."""
    found: dict[Expr, Seen] = {}
    for leaf, spans in seen.items():
        if leaf in body.steps and not isinstance(spans, str):
            spans = (spans[0], times, *spans[1:])
        _through_argument(given[leaf], spans, found)
    return found


# One op ---------------------------------------------------------------------------------------------------------


def _result(node: Expr, i: int, letters: tuple[Letter, ...], args: Sequence[View]) -> View:
    """Result number `i` of an op."""
    seen: dict[Expr, Seen] = {}
    index = tuple([_index(one) for one in letters])
    known = _Known(node, args)
    try:
        for arg, place in _reads(node, i, index, known):
            args[arg].read(place, seen)
        told = known.of(node.op.element(node, index, _marked)) if known else NOTHING
    except CannotIndex as why:
        return View(letters, {source: str(why) for arg in args for source in arg.seen})
    return View(letters, seen, told)


class _Known:
    """What is known of the values of the arguments of a node; false where that is nothing."""

    def __init__(self, node: Expr, args: Sequence[View]) -> None:
        self.node = node
        self.args = args

    def __bool__(self) -> bool:
        if self.node.op is positions or any([arg.facts is not NOTHING for arg in self.args]):
            return True
        return any([arg.op is CONSTANT and is_far(arg.attrs["value"]) for arg in self.node.args])

    def of(self, scalar: Scalar) -> Facts:
        """What is known of a scalar in terms of the arguments' elements."""
        told = facts(scalar, self._element)
        return NOTHING if told == NOTHING else told

    def _element(self, element: Element) -> Facts:
        arg = self.node.args[element.of]
        if arg.op is CONSTANT:
            return of_number(arg.attrs["value"])
        view = self.args[element.of]
        return view.facts.at(dict(zip(view.letters, element.index, strict=False)))


def _reads(node: Expr, i: int, index: tuple[Affine, ...], known: _Known) -> Iterator[Read]:
    rule = RULES.get(node.op.name)
    reads = None if rule is None else rule(node, index)
    if reads is not None:
        yield from reads
        return
    if node.op is split:
        yield from _found(node, split_element(node, i, index, _marked), {}, known)
        return
    if isinstance(node.op.element, Marker) or node.op.element is None:
        reason = node.op.element.reason if node.op.element is not None else "it is not written by index"
        raise CannotIndex(f"{node.attrs.get('name', node.op.name)}: {reason}")
    yield from _found(node, node.op.element(node, index, _marked), {}, known)


def _marked(arg: int, place: Sequence[Affine]) -> Scalar:
    """What stands for an argument's element in the op's rule: the number of the argument."""
    return Element(arg, tuple(place))


def _found(node: Expr, scalar: Scalar, ranges: Mapping[Letter, Span], known: _Known) -> Iterator[Read]:
    """What a scalar reads; `ranges` are those of the letters that are summed over."""
    if isinstance(scalar, Element):
        sizes = node.args[scalar.of].shape
        yield scalar.of, tuple([_place(node, i, size, ranges) for i, size in zip(scalar.index, sizes, strict=True)])
        for index in scalar.index:
            for looked_up in _values_in(index):
                yield from _found(node, looked_up, ranges, known)
    elif isinstance(scalar, Apply | Named):
        for arg in scalar.args:
            yield from _found(node, arg, ranges, known)
    elif isinstance(scalar, Fold):
        inner = dict(ranges)
        told = known.of(scalar.body) if known and scalar.kind in ("sum", "mean") else NOTHING
        nonzero = told.nonzero
        for one in scalar.letters:
            inner[one] = _range(one, scalar.conditions, scalar.letters)._replace(loose=told.hidden)
            if nonzero:
                least = _range(one, [*scalar.conditions, *[Between(c, 0, None) for c in nonzero]], scalar.letters)
                # Where all are ruled out, a softmax gives each the same share.
                inner[one] = least if (width(least)[0] or 0) > 0 else inner[one]
        yield from _conditions(node, scalar.conditions, inner, known)
        yield from _found(node, scalar.body, inner, known)
    elif isinstance(scalar, Guard):
        yield from _conditions(node, scalar.conditions, ranges, known)
        yield from _found(node, scalar.body, ranges, known)
        yield from _found(node, scalar.otherwise, ranges, known)


def _conditions(
    node: Expr, conditions: Sequence[Condition], ranges: Mapping[Letter, Span], known: _Known
) -> Iterator[Read]:
    for condition in conditions:
        if isinstance(condition, Holds):
            yield from _found(node, condition.value, ranges, known)


def _place(node: Expr, index: Affine, size: Size, ranges: Mapping[Letter, Span]) -> Span:
    if looks_up(index):
        return _looked_up(node, index, size)
    span = through(at(index), ranges, size)
    return span if span.high is not None else Span(span.low, whole(size).high)


def _looked_up(node: Expr, index: Affine, size: Size) -> Span:
    """What an index that is a value may be: one of a constant's, or any."""
    ((atom, factor), *more) = index.terms
    value = atom.value if isinstance(atom, Lookup) else None
    if isinstance(value, Element) and not more and factor == 1 and isinstance(size, int):
        of = node.args[value.of]
        numbers = list(_numbers(of.attrs["value"])) if of.op is CONSTANT else []
        if numbers and all(isinstance(n, int) and -size <= n < size for n in numbers):
            places = [(n + index.const) % size for n in numbers]
            return Span(number(min(places)), number(max(places)), loose=len(set(places)) > 1)
    return whole(size)._replace(loose=True)


def _numbers(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        for one in value:
            yield from _numbers(one)
    else:
        yield value


def _values_in(index: Affine) -> Iterator[Scalar]:
    for atom, _ in index.terms:
        if isinstance(atom, Lookup):
            yield atom.value
        elif isinstance(atom, Quotient):
            yield from _values_in(atom.of)


def _range(one: Letter, conditions: Sequence[Condition], folded: Sequence[Letter]) -> Span:
    """The positions that a letter runs over: its own range, narrowed by the conditions of the sum.

    The letters of a window keep theirs, since what a window reads outside is padding and counts as seen.
    """
    own = whole(one.size)
    if one.role == "window":
        return own
    low, high = own.low, own.high
    for condition in conditions:
        if not isinstance(condition, Between):
            continue
        factor = dict(condition.index.terms).get(one)
        rest = add(condition.index, scale(_index(one), -(factor or 0)))
        if not factor or not set(folded).isdisjoint(letters_in(rest)):
            continue
        least = add(scale(rest, -1), condition.low)
        most = None if condition.high in (None, BEYOND) else add(scale(rest, -1), (condition.high or 0) - 1)
        first, last = (least, most) if factor > 0 else (most, least)
        by = abs(factor)
        if factor < 0:
            first, last = (None if e is None else scale(e, -1) for e in (first, last))
        if first is not None:
            low = _later(low, floor_divide(add(first, by - 1), by))
        if last is not None:
            last = floor_divide(last, by)
            high = last if high is None else _earlier(high, last)
    return Span(low, high)


def _later(own: Affine, condition: Affine) -> Affine:
    """The narrower lower end; where it depends on the position, that of the condition."""
    _, most = difference(condition, own)
    return own if most is not None and most <= 0 else condition


def _earlier(own: Affine, condition: Affine) -> Affine:
    least, _ = difference(condition, own)
    return own if least is not None and least >= 0 else condition
