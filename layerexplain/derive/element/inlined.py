"""An element form without calls: the lines of the layers that it calls become lines of its own.

`y[n, t, k] = dense(x[t], W, b)[n, k]` becomes `y[n, t, k] = dense[n, t, k]`, behind a line `dense[n, t, k] = …`. A line
of a called layer gets a letter for each letter in the steps at which it is called. Calls on the same arguments share
their lines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from layerexplain.derive.element.form import ElementForm, ElementLine
from layerexplain.derive.element.text import inner_names
from layerexplain.lang import scalar as sc
from layerexplain.lang.names import free
from layerexplain.records import NamedTuple

MOST_LINES = 400
"""A form with more lines, those of called layers included, is not opened."""


class TooManyLines(Exception):
    """Raised if a form has more than MOST_LINES lines; the message says so."""


class _Opened(NamedTuple):
    """The lines of a called layer on its arguments: each line's copy, and the letters that it has besides its own."""

    copies: dict[ElementLine, ElementLine]
    letters: tuple[sc.Letter, ...]


_Leaf = Callable[[Any, sc.Index], sc.Element]
"""Gives an element of a leaf of a form in terms of the outermost form."""

_Arguments = dict[Any, tuple[tuple[sc.Letter, ...], sc.Element]]
"""For each leaf of a called layer the letters of its index, and the element there in terms of the outermost form."""


def inline_calls(form: ElementForm) -> ElementForm:
    """Return the form without calls; the form itself if it calls no layer. Raises TooManyLines.

    Its `inner` is empty, and `nodes` has the nodes of the form's own lines."""
    return _FormInliner(form).inlined() if form.inner else form


class _FormInliner:
    def __init__(self, form: ElementForm) -> None:
        self.form = form
        self.result = ElementForm(form.definition, {})
        self.result.names = set(form.names)
        self.called = inner_names(form)
        self.known: dict[Any, _Opened] = {}

    def inlined(self) -> ElementForm:
        form, result = self.form, self.result
        copies = {line: _copy(line, line.name, ()) for line in form.lines}
        whole = _Opened(copies, ())
        self._fill(form, whole, lambda leaf, index: sc.Element(leaf, index))
        result.results = {name: copies[line] for name, line in form.results.items()}
        result.masks = [copies[line] for line in form.masks]
        result.nodes = {copies[line]: node for line, node in form.nodes.items()}
        result.stable = form.stable
        result.roles = form.roles
        return result

    def _fill(self, form: ElementForm, to: _Opened, leaf: _Leaf) -> None:
        """Say what the copies of a form's lines are, and add them behind those of the layers that they call."""
        for line, copy in to.copies.items():
            copy.refusal = line.refusal
            copy.value = line.value and self._rewritten(line.value, to, leaf)
            copy.start = line.start and self._rewritten(line.start, to, leaf)
            self.result.lines.append(copy)

    def _rewritten(self, whole: Any, to: _Opened, leaf: _Leaf) -> Any:
        if type(whole) is not sc.Element:
            return sc.rebuild(whole, lambda part: self._rewritten(part, to, leaf))
        index = tuple([self._rewritten(place, to, leaf) for place in whole.index])
        if type(whole.of) is ElementLine:
            return _with(to.copies[whole.of], index, [one.index for one in to.letters], whole.of.at)
        if type(whole.of) is sc.CalledResult:
            return self._called(whole.of, index, to, leaf)
        return leaf(whole.of, index)

    def _called(self, called: sc.CalledResult, index: sc.Index, to: _Opened, leaf: _Leaf) -> sc.Element:
        form: ElementForm = called.form
        args: _Arguments = {}
        for inner, part in zip(form.definition.leaves, called.args, strict=True):
            letters = tuple([sc.Letter("", None) for _ in inner.shape])
            at = [one.index for one in letters]
            whole = sc.Element(part.of, (*at[: part.at], *part.times, *at[part.at :]))
            args[inner] = letters, self._rewritten(whole, to, leaf)
        own = {one for letters, _ in args.values() for one in letters}
        read = [part for _, e in args.values() for part in sc.parts(e) if type(part) is sc.Letter]
        outer = list(dict.fromkeys([one for one in read if one not in own]))
        key = (form, tuple([_spelt(element, letters, outer) for letters, element in args.values()]))
        if key not in self.known:
            self.known[key] = self._open(form, args, outer)
        frame = self.known[key]
        line = form.outputs[called.result]
        return _with(frame.copies[line], index, [one.index for one in outer], line.at)

    def _open(self, form: ElementForm, args: _Arguments, outer: list[sc.Letter]) -> _Opened:
        """Add the lines of a called layer, in whose arguments the letters `outer` come from where it is called."""
        fresh = tuple([sc.Letter(one.role, one.size) for one in outer])
        moved = dict(zip(outer, [one.index for one in fresh], strict=True))

        def leaf(node: Any, index: sc.Index) -> sc.Element:
            if node not in args:
                return sc.Element(node, index)  # a constant
            letters, element = args[node]
            found: sc.Element = sc.substituted(element, {**moved, **dict(zip(letters, index, strict=True))})
            return found

        if len(self.result.lines) + len(form.lines) > MOST_LINES:
            raise TooManyLines(f"has more than {MOST_LINES} lines with those of the layers inside it")
        name = self._name(self.called[form.definition])
        sole = form.outputs[0] if len(form.outputs) == 1 else None
        copies = {
            line: _copy(line, name if line is sole else self._name(f"{name}.{line.name}"), fresh) for line in form.lines
        }
        frame = _Opened(copies, fresh)
        self._fill(form, frame, leaf)
        return frame

    def _name(self, wanted: str) -> str:
        name = free(wanted, self.result.names)
        self.result.names.add(name)
        return name


def _copy(line: ElementLine, name: str, more: tuple[sc.Letter, ...]) -> ElementLine:
    letters = (*line.letters[: line.at], *more, *line.letters[line.at :])
    copy = ElementLine(name, letters, line.loops, line.at + len(more))
    copy.number, copy.after = line.number, line.after
    return copy


def _with(copy: ElementLine, index: sc.Index, more: list[sc.Affine], at: int) -> sc.Element:
    return sc.Element(copy, (*index[:at], *more, *index[at:]))


def _spelt(element: sc.Element, places: tuple[sc.Letter, ...], outer: list[sc.Letter]) -> Any:
    """Return the element in a form that is equal for equal arguments: letters are replaced by numbers."""
    numbers = {one: ("axis", i) for i, one in enumerate(places)}
    numbers.update({one: ("letter", i) for i, one in enumerate(outer)})

    def spelt(part: Any) -> Any:
        kind = type(part)
        if kind is sc.Letter:
            return numbers[part]
        if kind is sc.Affine:
            return (tuple([(spelt(atom), factor) for atom, factor in part.terms]), part.const)
        if kind is sc.Quotient:
            return (spelt(part.of), part.by, part.rest)
        return id(part)

    return (element.of, tuple([spelt(place) for place in element.index]))
