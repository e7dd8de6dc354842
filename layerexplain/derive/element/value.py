"""Evaluate an element form at an index, by computing the printed sums one product at a time.

Values of lines are cached, so that a recurrence costs as much as its loop. Given arrays, one evaluation of the formula
yields the values of all lines, and an element then takes only the sums of its own line.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Context, Decimal
from typing import Any

from layerexplain.derive.element.form import ElementForm, ElementLine
from layerexplain.derive.evaluate import CannotEvaluate, Evaluation, evaluate, evaluate_nodes
from layerexplain.lang import scalar as sc
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CONSTANT, Expr
from layerexplain.ops.elementwise import divide, exp

Index = tuple[int, ...]

LARGEST_EXPONENT = 600
"""Beyond this, exp would overflow and is kept as a Decimal until a division, so that a softmax stays exact."""

WIDE = Context(prec=20, Emin=-(10**17), Emax=10**17)
_WIDE_FOLDS = {"sum": WIDE.add, "mean": WIDE.add, "prod": WIDE.multiply, "max": WIDE.max, "min": WIDE.min}


class ElementFrame:
    """A form with its arguments, each a function from an index to a value."""

    def __init__(self, form: ElementForm, leaves: Mapping[Expr, Any], run: Evaluation) -> None:
        self.form = form
        self.leaves = leaves
        self.run = run
        self.known: dict[tuple[ElementLine, Index], Any] = {}
        self.frames: dict[Any, ElementFrame] = {}

    def line(self, line: ElementLine, index: Index) -> Any:
        """Return an element of a line."""
        key = (line, index)
        if key not in self.known:
            if line.start is not None:
                # Steps are computed from the first, so that the recursion is only one step deep.
                now = index[line.step]
                earlier = range(now) if line.after is None else range(line.after.const - 1, now, -1)
                for t in earlier:
                    self.line(line, (*index[: line.step], t, *index[line.step + 1 :]))
            self.known[key] = self.scalar(line.formula(index), dict(zip(line.letters, index, strict=True)))
        return self.known[key]

    def scalar(self, e: sc.Scalar, env: Mapping[sc.Letter, int]) -> Any:
        """Return the value of a scalar at given numbers for its letters."""
        if isinstance(e, sc.Element):
            return self._element(e, tuple([self.index(i, env) for i in e.index]), env)
        if isinstance(e, sc.Apply):
            return self._apply(e, [self.scalar(a, env) for a in e.args])
        if isinstance(e, sc.Fold):
            return self.folded(e.kind, [self.scalar(e.body, inner) for inner in self.places(e, env)])
        if isinstance(e, sc.NamedFunction):
            return self._named(e.node.attrs["definition"], [self.scalar(a, env) for a in e.args])
        if isinstance(e, sc.Guard):
            return self.scalar(e.body if self.hold(e.conditions, env) else e.otherwise, env)
        if isinstance(e, sc.Position):
            return self.index(e.index, env)
        return e.value

    def _apply(self, e: sc.Apply, values: list[Any]) -> Any:
        if e.op is exp and abs(values[0]) > LARGEST_EXPONENT:
            return WIDE.exp(Decimal(float(values[0])))
        if any(isinstance(v, Decimal) for v in values):
            if e.op is divide:
                return float(WIDE.divide(_exact(values[0]), _exact(values[1])))
            values = [float(v) for v in values]
        value = e.op.evaluate(self.run, *values, **e.attrs)
        return _cast(value, e.attrs["to"]) if e.op.name == "cast" else value

    def index(self, a: sc.Affine, env: Mapping[sc.Letter, int]) -> int:
        """Return the value of an index."""
        total = a.const
        for atom, factor in a.terms:
            if isinstance(atom, sc.Letter):
                if atom not in env:
                    raise sc.CannotIndex("needs the number of steps to index the last one; give it with --input")
                total += factor * env[atom]
            elif isinstance(atom, sc.Quotient):
                of = self.index(atom.of, env)
                total += factor * (of % atom.by if atom.rest else of // atom.by)
            elif isinstance(atom, sc.Lookup):
                total += factor * int(self.scalar(atom.value, env))
        return total

    def _element(self, e: sc.Element, index: Index, env: Mapping[sc.Letter, int]) -> Any:
        of = e.of
        if isinstance(of, ElementLine):
            return self.line(of, index)
        if isinstance(of, sc.CalledResult):
            return self.called(of, env).line(of.form.outputs[of.result], index)
        return self._tensor(of, index)

    def _tensor(self, of: Expr, index: Index) -> Any:
        if of.op is CONSTANT:
            value = of.attrs["value"]
            for i in index:
                value = value[i]
            return value
        return self.leaves[of](index)

    def called(self, called: sc.CalledResult, env: Mapping[sc.Letter, int]) -> ElementFrame:
        """Return the frame of a called layer with its arguments."""
        parts = [(part, tuple([self.index(t, env) for t in part.times])) for part in called.args]
        key = (called.form, tuple((part.of, times) for part, times in parts))
        if key not in self.frames:
            self.frames[key] = self._inner(called.form, parts)
        return self.frames[key]

    def _inner(self, form: ElementForm, parts: Sequence[tuple[sc.Passed, Index]]) -> ElementFrame:
        given = [self._part(part, times) for part, times in parts]
        return ElementFrame(form, dict(zip(form.definition.leaves, given, strict=True)), self.run)

    def _part(self, part: sc.Passed, times: Index) -> Any:
        def read(index: Index) -> Any:
            full = (*index[: part.at], *times, *index[part.at :])
            return self.line(part.of, full) if isinstance(part.of, ElementLine) else self._tensor(part.of, full)

        return read

    def hold(self, conditions: Sequence[sc.Condition], env: Mapping[sc.Letter, int]) -> bool:
        """Return whether all conditions hold at given numbers for their letters."""
        for condition in conditions:
            if isinstance(condition, sc.Between):
                high = condition.high
                if high is None:
                    raise sc.CannotIndex("needs the size of an axis to know the padding; give it with --input")
                holds = condition.low <= self.index(condition.index, env) < high
            elif isinstance(condition, sc.Divisible):
                holds = self.index(condition.index, env) % condition.by == 0
            elif isinstance(condition, sc.Holds):
                holds = bool(self.scalar(condition.value, env))
            if not holds:
                return False
        return True

    def sizes(self, e: sc.Fold) -> list[int | None]:
        """Return how many numbers each letter of a sum runs over; None where that is not known."""
        return [
            self.run.batch if letter.size is None and letter.role == "batch" else letter.size for letter in e.letters
        ]

    def places(self, e: sc.Fold, env: Mapping[sc.Letter, int]) -> Iterator[dict[sc.Letter, int]]:
        """Yield the numbers of the letters for each term of a sum that satisfies its conditions.

        Terms are skipped as soon as a letter violates a condition. All terms share one mapping, which changes."""
        sizes = self.sizes(e)
        if None in sizes:
            raise sc.CannotIndex("needs the size of the axis that is summed over; give it with --input")
        conditions = _by_depth(e)
        inner = dict(env)

        def from_letter(at: int) -> Iterator[dict[sc.Letter, int]]:
            if not self.hold(conditions[at], inner):
                return
            if at == len(sizes):
                yield inner
                return
            for place in range(sizes[at] or 0):
                inner[e.letters[at]] = place
                yield from from_letter(at + 1)

        yield from from_letter(0)

    def folded(self, kind: str, values: Sequence[Any]) -> Any:
        """Return the fold of terms: their sum, mean, product, …"""
        if kind in ("any", "all"):
            return any(values) if kind == "any" else all(values)
        if any(isinstance(v, Decimal) for v in values):
            folded = functools.reduce(_WIDE_FOLDS[kind], [_exact(v) for v in values])
            return WIDE.divide(folded, Decimal(len(values))) if kind == "mean" else folded
        np = self.run.np
        fold = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min, "prod": np.prod}
        return fold[kind](np.asarray(values))

    def _named(self, definition: Definition, values: list[Any]) -> Any:
        arrays = [self.run.np.asarray(v) for v in values]
        if definition.stable is not None:
            return definition.stable(self.run.np, *arrays, **definition.attrs)
        return evaluate(definition, arrays, [], self.run)[0]


class ArrayFrame(ElementFrame):
    """A form with arrays for its params and weights.

    Whole lines are computed in `dtype`, like the layer; single elements in the float of `run`."""

    def __init__(self, form: ElementForm, arrays: Mapping[Expr, Any], run: Evaluation, dtype: str) -> None:
        super().__init__(form, {leaf: _elements(array) for leaf, array in arrays.items()}, run)
        self.arrays = arrays
        self.dtype = dtype
        self.plain = ElementFrame(form, self.leaves, run)
        """The same without whole lines, which may overflow or divide 0 by 0 where single elements do not."""

    def line(self, line: ElementLine, index: Index) -> Any:
        """Return an element of a line: from its array if it has one, else computed by index."""
        array = self.whole(line)
        if array is None or any(i < 0 for i in index) or (line.start is not None and line.before(index[line.step])):
            return super().line(line, index)
        value = plain_number(array[index])
        return value if self.trusts(value) else self.plain.line(line, index)

    def trusts(self, value: Any) -> bool:
        """Return whether a value is plausible: it is finite, or the arguments are not."""
        return not isinstance(value, float) or math.isfinite(value) or self._takes_infinity

    @functools.cached_property
    def _takes_infinity(self) -> bool:
        isfinite = self.run.np.isfinite
        return any(a.dtype.kind == "f" and not isfinite(a).all() for a in self.arrays.values())

    def whole(self, line: ElementLine) -> Any:
        """Return the array of a line, with its axes in the order of its letters, None if there is none."""
        return self._lines.get(line)

    @functools.cached_property
    def _lines(self) -> dict[ElementLine, Any]:
        np = self.run.np
        nodes = self.form.nodes
        run = Evaluation(self.run.batch, self.dtype)
        run.instead = self.form.stable
        run.recorded = {node: [] for line, node in nodes.items() if node.args}
        roots = [node for line, node in nodes.items() if not line.loops]
        try:
            evaluate_nodes(roots, self.arrays, run)
        except CannotEvaluate:
            return {}
        lines: dict[ElementLine, Any] = {}
        for line, node in nodes.items():
            values = [self.arrays[node]] if node in self.arrays else run.recorded.get(node, [])
            lengths = tuple(loop.args[0].shape[1] for loop in line.loops)
            if None in lengths or len(values) != math.prod(lengths):
                continue
            array = np.stack(values).reshape(*lengths, *np.shape(values[0])) if lengths else np.asarray(values[0])
            steps = tuple(range(len(lengths)))
            lines[line] = np.moveaxis(array, steps, tuple(line.at + i for i in steps))
        return lines

    def _inner(self, form: ElementForm, parts: Sequence[tuple[sc.Passed, Index]]) -> ElementFrame:
        """Return an `ArrayFrame` if each argument is available as an array."""
        arrays = [self._part_array(part, times) for part, times in parts]
        if any(array is None for array in arrays):
            return super()._inner(form, parts)
        return ArrayFrame(form, dict(zip(form.definition.leaves, arrays, strict=True)), self.run, self.dtype)

    def _part_array(self, part: sc.Passed, times: Sequence[int]) -> Any:
        if any(t < 0 for t in times):
            return None
        if isinstance(part.of, ElementLine):
            array = self.whole(part.of)
        elif part.of.op is CONSTANT:
            array = self.run.np.asarray(part.of.attrs["value"])
        else:
            array = self.arrays.get(part.of)
        return None if array is None else array[(slice(None),) * part.at + tuple(times)]


def _elements(array: Any) -> Any:
    return lambda index: plain_number(array[index])


def plain_number(value: Any) -> Any:
    """Return an element as a Python number, so that results are not rounded to its dtype."""
    return value.item() if hasattr(value, "item") else value


def _by_depth(e: sc.Fold) -> list[list[sc.Condition]]:
    """Return the conditions of a sum, grouped by the number of leading letters on which they depend."""
    results: list[list[sc.Condition]] = [[] for _ in range(len(e.letters) + 1)]
    for condition in e.conditions:
        depth = len(e.letters)
        if not isinstance(condition, sc.Holds) and not sc.looks_up(condition.index):
            letters = set(sc.letters_in(condition.index))
            depth = max((i + 1 for i, letter in enumerate(e.letters) if letter in letters), default=0)
        results[depth].append(condition)
    return results


def _exact(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(float(value))


def _cast(value: Any, to: str) -> Any:
    if to == "bool":
        return bool(value)
    return int(value) if to.startswith(("int", "uint")) else value * 1.0
