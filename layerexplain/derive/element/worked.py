"""Work out one element: its formula, the formula at its index, every term of its sums, and the numbers.

`y[0, 3, 4, 7] = relu(Σ u<3, v<3, m<16  x[0, 6+u, 8+v, m]·W[u, v, m, 7] + b[7]) = relu(0.1279 - 0.0183) = 0.1096`.
The lines that it reads follow, each at the place where it is read; a sum of elements of lines is followed along its
largest term.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from layerexplain.derive.element.form import ElementForm, ElementLine
from layerexplain.derive.element.text import Printer, inner_names
from layerexplain.derive.element.value import ArrayFrame, ElementFrame, Index, plain_number
from layerexplain.derive.evaluate import Evaluation
from layerexplain.lang import scalar as sc
from layerexplain.lang.expr import CONSTANT, Expr
from layerexplain.ops.elementwise import multiply
from layerexplain.records import NamedTuple

MOST_LINES = 12
"""Limit on the lines that are worked out."""

MOST_TERMS = 500_000
"""Limit on the terms of a sum that are kept."""


class WorkedTerm(NamedTuple):
    """One term of a sum. `place` are the numbers of the letters; `factors` the multiplied elements (one if the term is
    not a product); `value` its value."""

    place: tuple[int, ...]
    factors: tuple[float, ...]
    value: float


class WorkedFold(NamedTuple):
    """A sum (product, mean, max, …) with its terms, in the order of its letters.

    `kind` is "sum", "prod", "mean", "max", "min", "any" or "all"; `text` the printed fold; `letters` are the
    names of its letters, with `sizes` and `roles`; `factors` the texts of the multiplied elements. `taken` is the
    number of terms, of which `terms` has at most MOST_TERMS; `left_out` terms are excluded by a condition (padding).
    """

    kind: str
    text: str
    letters: tuple[str, ...]
    sizes: tuple[int, ...]
    roles: tuple[str, ...]
    factors: tuple[str, ...]
    terms: tuple[WorkedTerm, ...]
    taken: int
    left_out: int
    value: float


class WorkedLine(NamedTuple):
    """One line at one index. `inside` is the name of the called layer that contains it, or "".

    `formula` is the line, `here` the line at this index, and `numbers` the same with numbers for sums and elements;
    `name` is its left side at this index. `reads` are the elements outside of sums and the ids looked up in their
    indices, in the order of the text."""

    inside: str
    name: str
    formula: str
    here: str
    numbers: str
    folds: tuple[WorkedFold, ...]
    reads: tuple[tuple[str, float], ...]
    value: float


class Worked(NamedTuple):
    """A worked element: the requested line, then those that it reads. `shortened` tells whether lines were omitted."""

    lines: tuple[WorkedLine, ...]
    value: float
    shortened: bool


def worked_element(
    form: ElementForm, arrays: Mapping[Expr, Any], result: int, index: Index, *, batch: int, dtype: str = "float32"
) -> Worked:
    """Work out an element of a result.

    Args:
        form: The element form.
        arrays: Those of the params of its definition, including masks, and of its weights.
        result: The number of the result.
        index: The index of the element.
        batch: The size of the batch.
        dtype: The dtype in which whole lines are computed.

    Raises:
        CannotIndex: The line, or one that it needs, has no element form.
    """
    frame = ArrayFrame(form, arrays, Evaluation(batch, "float64"), dtype)
    with frame.run.np.errstate(all="ignore"):
        return _ElementWorker(form).work(frame, form.outputs[result], index)


Site: TypeAlias = tuple[ElementFrame, ElementLine, Index]
"""A line at an index, in a frame."""


class _ElementWorker:
    def __init__(self, form: ElementForm) -> None:
        self.form = form
        self.names = inner_names(form)
        self.waiting: list[Site] = []
        self.seen: set[tuple[int, ElementLine]] = set()

    def work(self, frame: ElementFrame, line: ElementLine, index: Index) -> Worked:
        self._ask(frame, line, index)
        lines: list[WorkedLine] = []
        while self.waiting and len(lines) < MOST_LINES:
            lines.append(self._line(*self.waiting.pop(0)))
        return Worked(tuple(lines), lines[0].value, bool(self.waiting))

    def _ask(self, frame: ElementFrame, line: ElementLine, index: Index) -> None:
        """Request a line, each line once: a recurrence is not followed into earlier steps."""
        key = (id(frame), line)
        if key not in self.seen:
            self.seen.add(key)
            self.waiting.append((frame, line, index))

    def _line(self, frame: ElementFrame, line: ElementLine, index: Index) -> WorkedLine:
        form = frame.form
        scalar = line.formula(index)
        printer = Printer(form, self.names)
        general = printer.letters(line)
        value = ElementFrame.line(frame, line, index)  # by its formula; the lines that it reads are looked up
        if isinstance(frame, ArrayFrame) and not frame.trusts(float(value)):
            frame = frame.plain
            value = frame.line(line, index)
        reader = _ScalarReader(frame, printer, general)
        place = [sc.number(i) for i in index]
        here = reader.chosen(sc.substituted(scalar, dict(zip(line.letters, place, strict=True))))
        shown = reader.numbers(here)
        for site in list(reader.sites(here)) or reader.largest:
            self._ask(*site)
        return WorkedLine(
            inside="" if form is self.form else self.names[form.definition],
            name=printer.indexed(line.name, place, {}),
            formula=f"{printer.indexed(line.name, line.index, general)} = {printer.text(scalar, general)}",
            here=printer.text(here, general),
            numbers=printer.text(shown, {}),
            folds=tuple(reader.folds),
            reads=tuple(reader.reads),
            value=float(value),
        )


class _ScalarReader:
    """Replace the sums and elements of a scalar, whose indices are numbers, by their values, and record them."""

    def __init__(self, frame: ElementFrame, printer: Printer, taken: dict[sc.Letter, str]) -> None:
        self.frame = frame
        self.printer = printer
        self.taken = taken
        self.folds: list[WorkedFold] = []
        self.reads: list[tuple[str, float]] = []
        self.largest: list[Site] = []
        """What the largest terms of sums read."""

    def chosen(self, e: sc.Scalar) -> sc.Scalar:
        """Return the scalar with each choice outside of sums replaced by the branch that applies."""
        if isinstance(e, sc.Guard):
            return self.chosen(e.body if self.frame.hold(e.conditions, {}) else e.otherwise)
        chosen: sc.Scalar = sc.rebuild(e, self.chosen) if isinstance(e, sc.Apply | sc.NamedFunction) else e
        return chosen

    def sites(self, e: sc.Scalar) -> Iterator[Site]:
        """Yield the lines, and those of called layers, that a chosen scalar reads outside of sums."""
        if isinstance(e, sc.Element):
            index = tuple([self.frame.index(i, {}) for i in e.index])
            if isinstance(e.of, ElementLine):
                yield self.frame, e.of, index
            elif isinstance(e.of, sc.CalledResult):
                yield self.frame.called(e.of, {}), e.of.form.outputs[e.of.result], index
        elif isinstance(e, sc.Apply | sc.NamedFunction):
            for part in sc.children(e):
                yield from self.sites(part)

    def numbers(self, e: sc.Scalar) -> sc.Scalar:
        """Return the scalar with its sums and elements replaced by numbers."""
        if isinstance(e, sc.Element):
            for index in e.index:
                for atom in sc.children(index):
                    if isinstance(atom, sc.Lookup):
                        self.reads.append((self.printer.text(atom.value, {}), float(self.frame.scalar(atom.value, {}))))
            value = self.frame.scalar(e, {})
            if isinstance(e.of, ElementLine | sc.CalledResult) or e.of.op is not CONSTANT:
                self.reads.append((self.printer.text(e, {}), float(value)))
            return sc.Number(_plain(value))
        if isinstance(e, sc.Fold):
            return sc.Number(_plain(self._fold(e)))
        if isinstance(e, sc.Apply | sc.NamedFunction):
            shown: sc.Scalar = sc.rebuild(e, self.numbers)
            return shown
        if isinstance(e, sc.Position):
            return sc.Number(self.frame.index(e.index, {}))
        return e

    def _fold(self, e: sc.Fold) -> Any:
        lengths = {letter: size or 0 for letter, size in zip(e.letters, self.frame.sizes(e), strict=True)}
        count = math.prod(lengths.values())
        names = self.printer.inside(e, self.taken)
        shown = [letter for letter in e.letters if lengths[letter] != 1]
        factors = _factors(e.body)
        terms: list[WorkedTerm] = []
        values: list[Any] = []
        largest: tuple[float, dict[sc.Letter, int]] | None = None
        for env in self.frame.places(e, {}):
            results = [self.frame.scalar(f, env) for f in factors]
            value = math.prod(results) if len(factors) > 1 else results[0]
            values.append(value)
            if len(terms) < MOST_TERMS:
                terms.append(
                    WorkedTerm(tuple([env[letter] for letter in shown]), tuple(map(float, results)), float(value))
                )
            if largest is None or abs(value) > largest[0]:
                largest = abs(value), dict(env)
        folded = self.frame.folded(e.kind, values)
        self.folds.append(
            WorkedFold(
                kind=e.kind,
                text=self.printer.text(e, dict(self.taken)),
                letters=tuple([names[letter] for letter in shown]),
                sizes=tuple([lengths[letter] for letter in shown]),
                roles=tuple([letter.role for letter in shown]),
                factors=tuple([self.printer.text(f, dict(names)) for f in factors]),
                terms=tuple(terms),
                taken=len(values),
                left_out=count - len(values),
                value=float(folded),
            )
        )
        if largest is not None:
            at = {letter: sc.number(place) for letter, place in largest[1].items()}
            self.largest += self.sites(self.chosen(sc.substituted(e.body, at)))
        return folded


def _factors(body: sc.Scalar) -> list[sc.Scalar]:
    """Return the factors of a term, or the term itself if it is not a product."""
    if isinstance(body, sc.Apply) and body.op is multiply:
        return [factor for arg in body.args for factor in _factors(arg)]
    return [body]


def _plain(value: Any) -> Any:
    """Return a Python number, which prints all significant digits."""
    value = plain_number(value)
    return value if isinstance(value, bool | int) else float(value)
