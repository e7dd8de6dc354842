"""The element form as text: `y[n, i, j, k] = relu(Σ u<3, v<3, m<3  x[n, 2i+u, 2j+v, m]·W[u, v, m, k] + b[k])`.

This text is for people and is not the formula language. Notes below the lines state the conditions of sums.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from layerexplain.derive.element.form import ElementForm, ElementLine
from layerexplain.derive.element.scalars import LAST, SIGNS, ScalarWriter, choose, index_text, number_text
from layerexplain.lang import scalar as sc
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CONSTANT, Expr
from layerexplain.lang.names import free
from layerexplain.lang.notation import BoundText
from layerexplain.records import NamedTuple, grouped

# Text ---------------------------------------------------------------------------------------------------------------


class ElementText(NamedTuple):
    """The lines, and notes on the conditions of sums and on lines that could not be written."""

    lines: tuple[str, ...]
    notes: tuple[str, ...]


def element_text(form: ElementForm) -> ElementText:
    """Return the form as text, after the forms of the layers that it calls."""
    names = inner_names(form)
    lines: list[str] = []
    notes: list[str] = []
    for called in form.inner.values():
        printer = Printer(called, names)
        leaves = ", ".join(str(p.label) for p in called.definition.leaves)
        lines.append(f"{names[called.definition]}({leaves}):")
        lines += [f"    {line}" for line in printer.lines()]
        notes += printer.notes
    printer = Printer(form, names)
    lines += printer.lines()
    return ElementText(tuple(lines), tuple(dict.fromkeys([*notes, *printer.notes])))


def inner_names(form: ElementForm) -> dict[Definition, str]:
    """Return a name for each called layer, the outermost first."""
    names: dict[Definition, str] = {}
    taken: set[str] = set()
    for definition in reversed(form.inner):
        names[definition] = free(definition.name, taken)
        taken.add(names[definition])
    return names


class Equation(NamedTuple):
    """`name[index] = value`. `names` are those of its letters; `is_start` says that it is the start of a recurrence."""

    name: str
    index: sc.Index  # type: ignore[assignment]  # hides tuple.index on purpose
    value: sc.Scalar
    names: dict[sc.Letter, str]
    is_start: bool = False


def shown_lines(form: ElementForm) -> list[ElementLine]:
    """Return the lines of a form without those that stand for masks or new states alone."""
    beside = {*form.masks} - {*form.results.values()}
    return [line for line in form.lines if line not in beside]


def equations(form: ElementForm) -> Iterator[list[Equation]]:
    """Yield the equations of a form that can be written, in order: one, or the starts of the states of a loop."""
    started: set[Expr] = set()
    for line in shown_lines(form):
        for loop in line.loops:
            if loop not in started:
                started.add(loop)
                states = sorted(form.lines, key=lambda item: item.number)
                starts = [
                    _start(state, state.start, form) for state in states if state.loops[-1:] == (loop,) and state.start
                ]
                if starts:
                    yield starts
        if line.value is not None:
            yield [Equation(line.name, line.index, line.value, letter_names(line, form))]


def _start(line: ElementLine, start: sc.Scalar, form: ElementForm) -> Equation:
    index = (*line.index[: line.step], line.after or sc.number(-1), *line.index[line.step + 1 :])
    return Equation(line.name, index, start, letter_names(line, form), True)


def letter_names(line: ElementLine, form: ElementForm) -> dict[sc.Letter, str]:
    """Return names for the letters of a line."""
    return choose(line.letters, {}, form.names)


class Printer(ScalarWriter):
    """Print the lines of one form."""

    def __init__(self, form: ElementForm, names: Mapping[Definition, str]) -> None:
        super().__init__(form.names)
        self.form = form
        self.names = names
        self.notes: list[str] = []
        self._conditions: list[tuple[sc.Fold, dict[sc.Letter, str]]] = []

    def lines(self) -> list[str]:
        """Return the lines that can be written, and fill `notes`."""
        for line in shown_lines(self.form):
            if line.value is None:
                self.notes.append(f"{line.name} has no element form: {line.refusal}")
            elif _reads_last(line.value):
                self.notes.append(f"{LAST} is the last step")
        printed: list[str] = []
        noted: list[tuple[str, list[str]]] = []
        for group in equations(self.form):
            self._conditions = []
            texts = [f"{self.indexed(e.name, e.index, e.names)} = {self.text(e.value, e.names)}" for e in group]
            printed.append(", ".join(texts))
            said = [note for fold, inside in self._conditions for note in self._fold_notes(fold, inside)]
            if said and not group[0].is_start:
                noted.append((group[0].name, list(dict.fromkeys(said))))
        for name, said in noted:
            self.notes += [f"{name}: {note}" if len(noted) > 1 else note for note in said]
        return printed

    def letters(self, line: ElementLine) -> dict[sc.Letter, str]:
        """Return names for the letters of a line."""
        return letter_names(line, self.form)

    def indexed(self, name: str, index: Sequence[sc.Affine], names: Mapping[sc.Letter, str]) -> str:
        """Return `name[2i+u, 3, k]`, or the name for a tensor without axes."""
        if not index:
            return name
        return f"{name}[{', '.join(self.index(i, names) for i in index)}]"

    def element(self, e: sc.Element, names: Mapping[sc.Letter, str]) -> str:
        return self.indexed(self._name_of(e.of, names), e.index, names)

    def _name_of(self, of: Any, names: Mapping[sc.Letter, str]) -> str:
        if isinstance(of, ElementLine):
            return of.name
        if isinstance(of, sc.CalledResult):
            args = ", ".join(self._part(part, names) for part in of.args)
            call = f"{self.names[of.form.definition]}({args})"
            several = [*of.form.results, *["mask"] * len(of.form.masks)]
            return call if len(several) == 1 else f"{call}.{several[of.result]}"
        return number_text(of.attrs["value"]) if of.op is CONSTANT else str(of.label)

    def _part(self, part: sc.Passed, names: Mapping[sc.Letter, str]) -> str:
        name = self._name_of(part.of, names)
        return f"{name}[{', '.join(index_text(t, names) for t in part.times)}]" if part.times else name

    def fold(self, e: sc.Fold, names: dict[sc.Letter, str]) -> BoundText:
        self._conditions.append((e, self.inside(e, names)))
        return super().fold(e, names)

    # Conditions --------------------------------------------------------------------------------------------------

    def _fold_notes(self, fold: sc.Fold, names: dict[sc.Letter, str]) -> Iterator[str]:
        padding = [c for c in fold.conditions if isinstance(c, sc.Between) and window_role(c)]
        others = [c for c in fold.conditions if c not in padding]
        if padding:
            outside = grouped((self._outside(c, names), window_role(c)) for c in padding)
            where = " and ".join(f"{' and '.join(roles)} {text}" for text, roles in outside.items())
            yield f"{where} are padding and {_COUNTED.get(fold.kind, 'are excluded')}"
        if others:
            sign = SIGNS.get(fold.kind, fold.kind)
            yield f"{sign} only where {' and '.join(self.condition(c, names) for c in others)}"

    def _outside(self, c: sc.Between, names: dict[sc.Letter, str]) -> str:
        least, most = sc.bounds(c.index)
        if c.high is None:
            return "outside the input"
        if least is not None and least >= c.low:
            return f"from {c.high} on"
        if most is not None and most < c.high:
            return f"before {c.low}"
        return f"outside {self.condition(c, names)}"


_COUNTED: Final = {"sum": "count as 0", "mean": "are excluded: the average divides by the number of elements inside"}


def window_role(c: sc.Between) -> str:
    """Return the role of the axis along which a window slides, "" if the index is not that of a window."""
    roles = [atom.role for atom, _ in c.index.terms if isinstance(atom, sc.Letter)]
    if "window" not in roles:
        return ""
    return next((r for r in roles if r in ("steps", "rows", "columns", "planes")), "positions")


def _reads_last(e: sc.Scalar) -> bool:
    """Return whether a line is the last state of a loop with an unknown number of steps."""
    return isinstance(e, sc.Element) and any(
        isinstance(atom, sc.Letter) and atom.role == "last step" for index in e.index for atom, _ in index.terms
    )


# Inlined ------------------------------------------------------------------------------------------------------------
# An element form without calls: the lines of the layers that it calls become lines of its own.

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
            return _with(to.copies[whole.of], index, [letter.index for letter in to.letters], whole.of.at)
        if type(whole.of) is sc.CalledResult:
            return self._called(whole.of, index, to, leaf)
        return leaf(whole.of, index)

    def _called(self, called: sc.CalledResult, index: sc.Index, to: _Opened, leaf: _Leaf) -> sc.Element:
        form: ElementForm = called.form
        args: _Arguments = {}
        for inner, part in zip(form.definition.leaves, called.args, strict=True):
            letters = tuple([sc.Letter("", None) for _ in inner.shape])
            at = [letter.index for letter in letters]
            whole = sc.Element(part.of, (*at[: part.at], *part.times, *at[part.at :]))
            args[inner] = letters, self._rewritten(whole, to, leaf)
        own = {letter for letters, _ in args.values() for letter in letters}
        read = [part for _, e in args.values() for part in sc.parts(e) if type(part) is sc.Letter]
        outer = list(dict.fromkeys([letter for letter in read if letter not in own]))
        key = (form, tuple([_spelt(element, letters, outer) for letters, element in args.values()]))
        if key not in self.known:
            self.known[key] = self._open(form, args, outer)
        frame = self.known[key]
        line = form.outputs[called.result]
        return _with(frame.copies[line], index, [letter.index for letter in outer], line.at)

    def _open(self, form: ElementForm, args: _Arguments, outer: list[sc.Letter]) -> _Opened:
        """Add the lines of a called layer, in whose arguments the letters `outer` come from where it is called."""
        fresh = tuple([sc.Letter(letter.role, letter.size) for letter in outer])
        moved = dict(zip(outer, [letter.index for letter in fresh], strict=True))

        def leaf(node: Any, index: sc.Index) -> sc.Element:
            if node not in args:
                return sc.Element(node, index)  # a constant
            letters, element = args[node]
            leaf: sc.Element = sc.substituted(element, {**moved, **dict(zip(letters, index, strict=True))})
            return leaf

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
    numbers = {place: ("axis", i) for i, place in enumerate(places)}
    numbers.update({letter: ("letter", i) for i, letter in enumerate(outer)})

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
