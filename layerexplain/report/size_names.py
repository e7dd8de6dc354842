"""Which sizes a model takes, found by a run with sizes that have names (one search, hence the length).

A model is traced with sizes that remember how they were computed, at examples. Its comparisons become conditions. Where
the examples fail, the comparison that failed says which sizes would fit. Which sizes are taken is read off the
conditions and tried: a size that the conditions exclude and that the model takes all the same goes another way through
the declarations, whose conditions are added.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from math import lcm
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from layerexplain.errors import ArgumentError, LayerExplainError, did_you_mean, each_of, raise_any
from layerexplain.lang.axes import Need, batch_of_all
from layerexplain.lang.named_sizes import SizeNames
from layerexplain.lang.open_sizes import Condition, Recording, Sizes
from layerexplain.lang.size_terms import Rest, Terms, rest_in, without_floor
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.registry import find
from layerexplain.model import Layer
from layerexplain.records import NamedTuple
from layerexplain.report.size_words import LARGEST, as_conditions, in_words, relation, relation_words, step_of

if TYPE_CHECKING:
    from layerexplain.report.report import Report

T = TypeVar("T")
Attempt = Callable[[Mapping[str, int]], Any]
"""Reads a model with sizes in place of names, and may return how many layers it has then; raises LayerExplainError
where it does not take them."""

_EXAMPLES = (211, 223, 227, 229, 233, 239, 241, 251, 257, 263, 269, 271, 277, 281, 283, 293)
_SMALL_EXAMPLES = (31, 29, 23, 19, 17, 13, 11, 37, 41, 43, 47, 53, 59, 61, 67, 71)
_STEPS = (1, 2, 4, 8, 16, 32, 64, 3, 5, 6, 7, 9, 10, 12, 24, 48)
_FAR = 2048
"""Sizes of the run of which a report is."""

_SMALLEST = (1, 2, 3)
"""Sizes that a model may take by chance: an axis of size 1 broadcasts."""

_HEADS = 5
"""An example of a size by which others divide."""

_MOST_DIVISORS = 6
_MOST_TRIES = 24
_MOST_WAYS = 4


class SizeReport(NamedTuple):
    """A named size: an `example`, the `conditions` as expressions of Python, under which all expressions of the report
    are true, and in words which sizes the model `takes`."""

    name: str
    example: int
    conditions: tuple[str, ...]
    takes: str


class Again:
    """Makes a report with numbers in place of names. It takes no part in comparisons of reports."""

    def __init__(
        self,
        make: Callable[[Mapping[str, int]], Report],
        sizes: Sequence[SizeReport],
        recording: Recording,
        report: Report,
        conditions: Sequence[Condition],
        fixed: Mapping[str, bool],
    ) -> None:
        self._make = make
        self._sizes = tuple(sizes)
        self.recording = recording
        """The run that the report is of."""
        self.report = report
        """The report before its sizes were written over their names."""
        self.conditions = tuple(conditions)
        """On which its shapes and counts rest; its explanations may need more."""
        self.fixed = fixed
        """As `NamedRun.fixed`."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Again)

    def __hash__(self) -> int:
        return 0

    def at(self, values: Mapping[str, int]) -> Report:
        """Return the report with numbers. Raises ArgumentError for names that are missing or unknown, or for what is no
        size, and the model's error for sizes that it does not take."""
        known = [size.name for size in self._sizes]
        for name in values:
            if name not in known:
                hint = did_you_mean(name, known) or f"its sizes: {', '.join(known)}"
                raise ArgumentError(f"the report has no size '{name}'; {hint}")
        missing = [name for name in known if name not in values]
        if missing:
            raise ArgumentError(f"at() needs a number for each size; {', '.join(missing)} is missing")
        for name, value in values.items():
            if type(value) is not int or value < 1:
                raise ArgumentError(f"the size {name} needs to be an integer ≥ 1, got {value!r}")
        try:
            report = self._make(values)
            raise_any(report.faults)
        except LayerExplainError as error:
            takes = "; ".join([f"{size.name}: {size.takes}" for size in self._sizes])
            error.fact = f"{error.fact} (the model takes {takes})"
            raise
        return report


class NamedRun(NamedTuple):
    """The examples that a model takes, what is known of each name, and the conditions of that way through the model."""

    examples: Mapping[str, int]
    sizes: tuple[SizeReport, ...]
    names: SizeNames
    recording: Recording
    fixed: Mapping[str, bool]
    """The names whose size is the example, as another size goes another way through the model, and whether that way has
    another number of layers."""


def check_name(name: str) -> str:
    """Return the name of a size. Raises ArgumentError for what is not a name of Python.

    >>> check_name("H")
    'H'
    """
    if not name.isidentifier() or keyword.iskeyword(name):
        raise ArgumentError(f"the name of a size needs to be a name of Python such as H or steps, got '{name[:40]}'")
    return name


def named_run(
    attempt: Attempt,
    names: Sequence[str],
    small: Collection[str] = (),
    counts: Mapping[str, int] = MappingProxyType({}),
) -> NamedRun:
    """Find examples that a model takes, and which others it takes.

    Args:
        attempt: Reads the model with sizes in place of the names.
        names: The names, in the order in which they are listed.
        small: Those that are arguments of a layer, such as a window, which are smaller than its input.
        counts: Examples of those that say how often something is repeated.

    Raises:
        LayerExplainError: if no examples were found that the model takes: its error for the first ones.
    """
    taken = set[int]()
    examples: dict[str, int] = {}
    for name in [name for name in names if name not in counts]:
        primes = _SMALL_EXAMPLES if name in small else _EXAMPLES
        examples[name] = next((size for size in primes if size not in taken), 1009 + 2 * len(examples))
        taken.add(examples[name])
    examples = {name: {**examples, **counts}[name] for name in names}
    examples, run = _fitting(attempt, next(_multiples(attempt, examples, counts), examples))
    finder = _Finder(attempt, examples, run)
    reports = tuple([finder.report(name) for name in names])
    known = SizeNames(examples, run.sizes, finder.remainders())
    return NamedRun(examples, reports, known, run, finder.fixed)


def named_report(
    make: Callable[[Mapping[str, int]], Report],
    attempt: Attempt,
    names: Sequence[str],
    small: Collection[str] = (),
    counts: Mapping[str, int] = MappingProxyType({}),
) -> Report:
    """Return a report in which sizes have names.

    Args:
        make: Makes the report with sizes in place of the names.
        attempt: As `named_run` takes it: no report is made where only the shapes matter.
        names, small, counts: As `named_run` takes them.

    Raises:
        LayerExplainError: as `named_run` does.
    """
    run = named_run(attempt, names, small, counts)
    whole, report = recorded(make, _far_examples(run, {*small, *counts}), run.names.sizes)
    shown: Report = run.names.shown(report)
    sizes = tuple([_fixed_where(whole, run, size) for size in run.sizes])
    return shown._replace(
        sizes=(*sizes, *shown.sizes), again=Again(make, sizes, whole, report, run.recording.conditions, run.fixed)
    )


def _far_examples(run: NamedRun, near: Collection[str]) -> Mapping[str, int]:
    """Return larger examples that take the same way through the model, but for names that are `near`. With small ones a
    window behind several poolings covers its whole input, and what it reads would be a number and no formula."""
    steps = {name: run.names.remainders.get(name, (1, 0))[0] for name in run.examples if name not in near}
    more = -(-_FAR // lcm(*steps.values())) * lcm(*steps.values())
    examples = dict(run.examples)
    for names in (list(steps), *[[name] for name in steps]):
        moved = {**examples, **{name: examples[name] + more for name in names if examples[name] < _FAR}}
        if _meets(run.recording.sizes, run.recording.conditions, moved):
            examples = moved
    return examples


def batch_size(needs: Iterable[Need]) -> SizeReport:
    """Return which numbers of examples a model takes: the batch is the size n. Raises ShapeError where it takes none.

    >>> batch_size([("%", 4), ("%", 6)]).takes, batch_size([("==", 4)]).conditions, batch_size([(">=", 600)]).takes
    ('multiples of 12 (the batch)', ('n == 4',), 'from 600 (the batch)')
    """
    step, least, fixed = batch_of_all(needs)
    own = [fixed] if fixed is not None else range(least, max(LARGEST, least) + 2 * step, step)
    return SizeReport("n", own[0], tuple(as_conditions("n", own)), f"{in_words(own)} (the batch)")


def _fixed_where(whole: Recording, run: NamedRun, size: SizeReport) -> SizeReport:
    """Return the report of a size, with the condition that it is its example where something in the report, such as
    a number of a float, has no formula."""
    shapes = set(run.recording.conditions)
    new = [
        condition for condition in whole.conditions if condition[0] == "==" and condition[2] and condition not in shapes
    ]
    if not any(run.names.terms(node).names() == {size.name} for _, node, _ in new):
        return size
    what = why_fixed(whole, run.names, size.name, run.recording.reasons) or "a comparison"
    words = f"{size.takes}; {what} is for {size.name} = {size.example}"
    return size._replace(conditions=(*size.conditions, f"{size.name} == {size.example}"), takes=words)


def why_fixed(run: Recording, names: SizeNames, name: str, but: Collection[int] = ()) -> str:
    """Return what of a run has no formula, so that a size is its example; "" where it is not known."""
    reasons = [why for node, why in run.reasons.items() if node not in but and name in names.terms(node).names()]
    return next((why for why in reasons if why), "")


def names_in_shapes(shapes: Iterable[Sequence[Any]]) -> tuple[str, ...]:
    """Return the names of sizes in shapes, each once. Raises ArgumentError for a name that Python reserves."""
    return tuple(dict.fromkeys([check_name(size) for shape in shapes for size in shape if isinstance(size, str)]))


def with_sizes(shape: Sequence[Any], sizes: Mapping[str, int]) -> tuple[Any, ...]:
    """Return a shape with sizes in place of its names."""
    return tuple([sizes[size] if isinstance(size, str) else size for size in shape])


def names_in_arguments(declaration: Declaration, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names that stand for sizes among the arguments of a layer, and of the layers in it."""
    results: dict[str, None] = {}
    for name, value in arguments.items():
        argument = declaration.arguments.get(declaration.renamed.get(name, name))
        if isinstance(value, Layer):
            inner = find(value.type)
            results.update(dict.fromkeys(names_in_arguments(inner, value.config) if inner is not None else ()))
        elif argument is not None and argument.check.takes_sizes():
            parts = value if isinstance(value, tuple | list) else (value,)
            words = [part for part in parts if isinstance(part, str) and part.isidentifier()]
            results.update(dict.fromkeys([word for word in words if not argument.check.takes(word)]))
    return tuple(results)


def with_named_arguments(value: Any, sizes: Mapping[str, int]) -> Any:
    """Return arguments with sizes in place of their names, also in layers, tuples and mappings."""
    if isinstance(value, str):
        return sizes.get(value, value)
    if isinstance(value, Layer):
        return value._replace(config=with_named_arguments(value.config, sizes))
    if isinstance(value, Mapping):
        return {key: with_named_arguments(item, sizes) for key, item in value.items()}
    return type(value)([with_named_arguments(item, sizes) for item in value]) if type(value) in (tuple, list) else value


def recorded(
    attempt: Callable[[Mapping[str, int]], T], examples: Mapping[str, int], sizes: Sizes
) -> tuple[Recording, T]:
    """Read the model with sizes that remember how they were computed."""
    run = Recording(sizes)
    return run, attempt({name: run.size(name, value) for name, value in examples.items()})


def _multiples(attempt: Attempt, examples: Mapping[str, int], counts: Collection[str]) -> Iterator[dict[str, int]]:
    """Yield examples that a model takes, near the first ones: these, or multiples of one of them, as widths are of the
    number of heads, or of 2, 3, 4, …"""

    def multiples_of(step: int, divisor: str = "") -> dict[str, int]:
        near = {n: size if step == 1 or n in counts else size // step * step + step for n, size in examples.items()}
        return {**near, divisor: step} if divisor else near

    divisors = [name for name in examples if name not in counts][:_MOST_DIVISORS] if len(examples) > 1 else []
    for multiples in (
        multiples_of(1),
        *[multiples_of(_HEADS, name) for name in divisors],
        *map(multiples_of, _STEPS[1:]),
    ):
        try:
            attempt(multiples)
        except LayerExplainError:
            continue
        yield multiples


def _fitting(attempt: Attempt, examples: Mapping[str, int]) -> tuple[dict[str, int], Recording]:
    """Return examples that a model takes, and their run."""
    examples, wanted = dict(examples), list[Terms]()
    errors: list[LayerExplainError] = []
    while True:
        run = Recording(Sizes())
        try:
            attempt({name: run.size(name, value) for name, value in examples.items()})
        except LayerExplainError as error:
            for each in each_of(error):
                each.fact = SizeNames(examples, run.sizes).shown(each.fact)
            errors.append(error)
            moved = next(_moved(attempt, examples, run, wanted, _kind(error)), None)
            if moved is None or len(errors) > _MOST_TRIES:
                raise errors[0] from None
            examples = moved
        else:
            return examples, run


def _moved(
    attempt: Attempt, examples: dict[str, int], run: Recording, wanted: list[Terms], error: str
) -> Iterator[dict[str, int]]:
    """Yield examples at which the comparison that failed last would have held, with which the model goes farther."""
    failed = [item for item in run.conditions if item[0] == "==" and not item[2]]
    names = SizeNames(examples, run.sizes)
    for condition in reversed(failed[-8:]):
        terms = names.terms(condition[1])
        for name in sorted(terms.names()):
            for value in _near(examples[name]):
                moved = {**examples, name: value}
                if all(_holds(("==", 0, True), other, moved) for other in (terms, *wanted)):
                    try:
                        attempt(moved)
                    except LayerExplainError as other_error:
                        if _kind(other_error) == error:
                            break
                    wanted.append(terms)
                    yield moved
                    break


def _near(example: int) -> list[int]:
    """Return sizes, the nearest to an example first."""
    return sorted(range(1, LARGEST), key=lambda size: (abs(size - example), size))


def _kind(error: LayerExplainError) -> str:
    """Return an error without its numbers and without what would mend it: two of one kind stand at the same place."""
    facts = [f"{each.layer} {each.fact.partition('; ')[0]}" for each in each_of(error)]
    return re.sub(r"[^a-zA-Z' ]+", "", " ".join(facts))


class _Finder:
    """Finds which sizes a model takes, one name at a time, the others at their examples."""

    def __init__(self, attempt: Attempt, examples: Mapping[str, int], run: Recording) -> None:
        self.attempt = attempt
        self.examples = dict(examples)
        self.run = run
        self.names = SizeNames(examples, run.sizes)
        equal = [rest_in(self.names.terms(node)) for sign, node, holds in run.conditions if sign == "==" and holds]
        rests = [rest for rest in equal if rest is not None]
        self.divide = [rest for rest in rests if isinstance(atom := rest.only_atom, Rest) and atom.above.only_atom]
        """What has to be 0 since one size divides another, as the number of heads divides a width."""
        self.own: dict[str, list[int]] = {}
        """The sizes of each name at which the model goes the way of the examples."""
        self.fixed: dict[str, bool] = {}
        """As `NamedRun.fixed`."""

    def report(self, name: str) -> SizeReport:
        """Return what is taken in place of a name."""
        own = self.own[name] = self.sizes_of(self.run, name)
        accepted = set(own)
        counts_layers = False
        for _ in range(_MOST_WAYS):
            other = next((value for value in self.doubtful(sorted(accepted), name) if self.takes(name, value)), None)
            if other is None:
                break
            run = Recording(Sizes())
            layers = self.attempt({
                item: run.size(item, other if item == name else at) for item, at in self.examples.items()
            })  # fmt: skip
            counts_layers = counts_layers or (isinstance(layers, int) and layers != self.attempt(self.examples))
            accepted |= {other, *self.sizes_of(run, name)}
        conditions = [*as_conditions(name, sorted(own)), *self.relations(name)]
        reason = "decides how many layers there are" if counts_layers else ""
        if not reason and (what := why_fixed(self.run, self.names, name)):
            reason = f"{what} has no formula"
        decides = f" ({reason})" if reason else "; other sizes go another way"
        others = decides if len(own) == 1 < len(accepted) else ""
        if others:
            self.fixed[name] = counts_layers
        words = f"{own[0]} here{others}" if others else in_words(sorted(accepted))
        small = [size for size in _SMALLEST if size not in accepted and self.takes(name, size)]
        words = f"{words}; also {', '.join(map(str, small))}" if small and not others else words
        needed = [relation_words(text, name) for text in self.needed(name)]
        takes = ", ".join([*([] if words == "any" and needed else [words]), *needed])
        return SizeReport(name, self.examples[name], tuple(conditions), takes)

    def remainders(self) -> dict[str, tuple[int, int]]:
        """Return what is known of the remainders of each name, on the way of the examples."""
        return {
            name: (step, own[0] % step) for name, own in self.own.items() if len(own) > 1 and (step := step_of(own)) > 1
        }

    def alone(self, run: Recording, name: str) -> list[Condition]:
        """Return the conditions of a run that speak of one name, but for sizes that are excluded by chance: it is
        compared with another size that it does not equal."""
        names = SizeNames(self.examples, run.sizes)
        rows = [
            (condition, _compared(names, *condition[:2]))
            for condition in run.conditions
            if condition[0] == "<" or condition[2]
        ]
        return [item for item, terms in rows if terms.names() == {name}]

    def sizes_of(self, run: Recording, name: str) -> list[int]:
        """Return the sizes of a name up to the largest with which the model goes the way of a run."""
        return run.sizes.holding(self.alone(run, name), self.examples, name, range(1, LARGEST + 1))

    def doubtful(self, accepted: Sequence[int], name: str) -> Iterator[int]:
        """Yield sizes that the conditions exclude and that tell most: next to the example and below the smallest."""
        at, all_accepted = self.examples[name], set(accepted)
        step = step_of(accepted)
        if step > 1 or len(accepted) == 1:
            yield from [value for value in (at + 1, at + 2, at - 1) if value not in all_accepted]
        if accepted and accepted[0] > step:
            yield from [self.divided(name, accepted[0] - step, -step), step]
        if accepted and accepted[-1] < LARGEST - step:
            yield self.divided(name, accepted[-1] + step, step)

    def divided(self, name: str, value: int, step: int) -> int:
        """Return the first size from a value on that divides where it has to; the value if there is none."""
        near = (size for size in range(value, value + 64 * step, step) if size > 0 and self.are_divided(name, size))
        return next(near, value)

    def are_divided(self, name: str, size: int) -> bool:
        return all(self.holds("==", True, rest, name, size) for rest in self.divide)

    def takes(self, name: str, value: int) -> bool:
        """Return whether the model takes a size, the others at their examples."""
        if value < 1:
            return False
        try:
            self.attempt({**self.examples, name: value})
        except LayerExplainError:
            return False
        return True

    def needed(self, name: str) -> list[str]:
        """Return the conditions between a name and names before it without which the model does not take it."""
        result = []
        for text, (sign, _, holds), terms in self.compared(name):
            against = [size for size in _near(self.examples[name]) if not self.holds(sign, holds, terms, name, size)]
            others = against if terms in self.divide else [size for size in against if self.are_divided(name, size)]
            if others and not self.takes(name, others[0]):
                result.append(text)
        return result

    def holds(self, sign: str, holds: bool, terms: Terms, name: str, size: int) -> bool:
        """Return whether a condition holds at another size of a name."""
        return _holds((sign, 0, holds), terms, {**self.examples, name: size})

    def relations(self, name: str) -> list[str]:
        """Return the conditions between a name and names before it that do not hold by themselves."""
        return [text for text, _, _ in self.compared(name)]

    def compared(self, name: str) -> list[tuple[str, Condition, Terms]]:
        """Return these conditions, each with its text and what is compared with 0."""
        order = list(self.examples)
        results: dict[str, tuple[Condition, Terms]] = {}
        rows = [(sign, node, holds, _compared(self.names, sign, node)) for sign, node, holds in self.run.conditions]
        rows = [(*row[:3], (rest_in(row[3]) or row[3]) if row[0] == "==" else row[3]) for row in rows]
        rows.sort(key=lambda row: row[3] not in self.divide)
        for sign, node, holds, terms in rows:
            used = terms.names()
            if len(used) < 2 or name not in used or max(used, key=order.index) != name or (sign == "==" and not holds):
                continue
            if _is_usual(terms, sign, holds, [other for item, other in results.values() if item[0] == "=="]):
                continue
            results.setdefault(relation(terms, sign, holds, name), ((sign, node, holds), terms))
        return [(text, condition, terms) for text, (condition, terms) in results.items()]


def _compared(names: SizeNames, sign: str, node: int) -> Terms:
    terms = names.terms(node)
    return without_floor(terms) if sign == "<" else terms


def _meets(sizes: Sizes, conditions: Sequence[Condition], values: Mapping[str, int]) -> bool:
    try:
        return sizes.hold(conditions, values, {})
    except ZeroDivisionError:
        return False


def _holds(condition: Condition, terms: Terms, values: Mapping[str, int]) -> bool:
    try:
        value = terms.at(values)
    except ZeroDivisionError:
        return False
    return (value == 0 if condition[0] == "==" else value < 0) is condition[2]


def _is_usual(terms: Terms, sign: str, holds: bool, known: Sequence[Terms]) -> bool:
    """Return whether a condition holds at nearly all sizes at which those terms are 0 that are known to be."""
    names = sorted(terms.names().union(*[each.names() for each in known]))
    points = [{name: 1 + (7919 * i + 104729 * at) % LARGEST for at, name in enumerate(names)} for i in range(64)]
    for each in known:
        if isinstance(rest := each.only_atom, Rest) and isinstance(name := rest.above.only_atom, str):
            points = [{**at, name: int(rest.below.at(at)) * (1 + at[name] % 11)} for at in points]
    points = [at for at in points if all(_holds(("==", 0, True), each, at) for each in known)]
    return bool(points) and all(_holds((sign, 0, holds), terms, point) for point in points)
