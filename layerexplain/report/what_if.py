"""One layer for all sizes at once: its report, in which they are open, and the words among which one chooses.

What the page of a layer says is derived here for a size as it is for a number: the declaration runs with sizes that
remember how they were computed (lang/open_sizes.py). So a report holds for all sizes that meet its conditions, and
whoever shows it puts numbers into it and needs no rule of a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, product
from math import prod
from typing import TYPE_CHECKING, Any

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.own_layers import Code, read_own_layers
from layerexplain.lang.open_sizes import Condition, Node, Recording, Sizes, marked
from layerexplain.layers.arguments import Activation, is_int
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.registry import IN_FILES_ONLY
from layerexplain.ops.sizes import default_roles
from layerexplain.ops.spatial import SPATIAL
from layerexplain.records import NamedTuple
from layerexplain.report.data import LayerReport
from layerexplain.report.one_layer import build_layer, declared

if TYPE_CHECKING:
    from layerexplain.report.weight_table import Progress

MOST_CASES = 80
"""Each takes up to a tenth of a second. There are three times as many without an explanation, which take a tenth of
that."""

_MOST_WRITTEN = 1_000_000
"""Characters of cases with an explanation: a layer that repeats a slider's number of times has long ones, which take
long, as its numbers do: of these there are fewer then."""

_MOST_CHOICES = 4
_MOST_COMBINATIONS = 8
_LEAST_RANGE = 16


class Choice(NamedTuple):
    """An argument with the values that are tried; `given` is the number of the one that was asked for, or of the
    default. `words` say what the argument takes. The value `A_NUMBER` is that of a slider."""

    name: str
    values: tuple[Any, ...]
    given: int
    words: str


A_NUMBER = "a number"


class Slider(NamedTuple):
    """A size from `low` to `high`: one of an argument or of an input, or several that the layer wants equal. `places`
    are `(argument, steps)` or `(number of an input, (axis,))`: the steps lead to a number in tuples, and there are none
    where the argument is that number. `label` names them."""

    label: str
    low: int
    high: int
    given: int
    words: str
    places: tuple[tuple[str | int, tuple[int, ...]], ...]


class Case(NamedTuple):
    """What is shown where all conditions hold, marked with sizes; a text says why the layer takes no such arguments."""

    conditions: tuple[Condition, ...]
    shown: Any


class WhatIf(NamedTuple):
    """`cases` are, for each combination of the choices, the last changing fastest, those of its sizes; the first whose
    conditions hold is true. `nodes` are what conditions and marks name, `arguments` those of the command with marks;
    `fixed` are the arguments that were given and have no control."""

    choices: tuple[Choice, ...]
    sliders: tuple[Slider, ...]
    nodes: tuple[Node, ...]
    cases: tuple[tuple[Case, ...], ...]
    arguments: Mapping[str, Any]
    shapes: tuple[Any, ...]
    fixed: Mapping[str, Any]
    sizes: Sizes

    def at(self, combination: int, sizes: Mapping[str, int]) -> Any:
        """Return what is shown for sizes by label; None where it was not derived."""
        known: dict[int, int] = {}
        for case in self.cases[combination]:
            if self.sizes.hold(case.conditions, sizes, known):
                return self.sizes.filled(case.shown, sizes, known)
        return None


def what_if(
    type_: str,
    arguments: Mapping[str, Any],
    input_shapes: Sequence[Sequence[int | None]],
    *,
    gradient: bool = False,
    code: Code = (),
    most: int = MOST_CASES,
    show: Callable[[LayerReport], Any],
    progress: Progress | None = None,
) -> WhatIf:
    """Explain a layer with its sizes open, in at most `most` cases. Shapes are without the batch.

    All sizes of arguments and inputs have a slider that may have another value by themselves, or together with one of
    the same value. Other arguments have a choice where their kind has values to try (`Check.tries`), and one of them by
    itself is taken and changes what the page shows of the layer; those that are given or required come first.

    Args:
        type_, arguments, input_shapes, gradient, code: As `build_layer` takes them.
        most: How many cases there are at most; each value of each slider alone comes first, then several at once.
        show: Makes of a report what is shown, as JSON has it.
        progress: Called after each case.

    Raises:
        LayerExplainError: as `build_layer` does, for the arguments as they are given.

    >>> found = what_if("Dense", {"units": 4}, [(3,)], show=lambda row: [row.params, row.operation])
    >>> [one.label for one in found.sliders], [one.name for one in found.choices]
    (['units', 'x features'], ['activation', 'use_bias'])
    >>> found.at(1, {"units": 5, "x features": 7})
    [40, 'relu(dot(x, W) + b)']
    """
    layer = _Layer(type_, arguments, input_shapes, gradient, code)
    choices = layer.choices()
    sizes = Sizes()
    combinations_of_choices = list(product(*[range(len(choice.values)) for choice in choices]))
    results: list[list[Case]] = [[] for _ in combinations_of_choices]
    given = {slider.label: slider.given for slider in layer.sliders}
    first = combinations_of_choices.index(tuple([choice.given for choice in choices]))
    order = sorted(range(len(results)), key=lambda at: at != first)
    moved = list(points(layer.sliders))
    alone = max([at for at, point in enumerate(moved) if len(point) == 1], default=-1) + 1
    # Arguments are changed first, and by little: beside each choice that comes before sizes of the input.
    labels = [slider.label for slider in layer.sliders if isinstance(slider.places[0][0], str)]
    near = [{label: given[label] + by} for label in labels for by in (1, -1, 2, 4)]
    near = [point for point in near if point in moved]
    everywhere = [(at, point) for point in [*near, *moved] for at in order]
    explained = [*[(at, {}) for at in order], *[(first, point) for point in moved[:alone]], *everywhere]
    written = 0
    for tries, count, detail in (explained, most, True), (everywhere, 4 * most, False):
        for at, point in tries:
            is_long = written > _MOST_WRITTEN
            if sum(map(len, results)) >= (most if is_long else count) or (detail and is_long):
                break
            there = {**given, **point}
            known: dict[int, int] = {}
            if not any([sizes.hold(case.conditions, there, known) for case in results[at]]):
                chosen = {
                    choice.name: choice.values[i]
                    for choice, i in zip(choices, combinations_of_choices[at], strict=True)
                }
                results[at].append(layer.case(sizes, chosen, there, show, detail))
                written += len(repr(results[at][-1].shown))
                if progress is not None:
                    progress(sum(map(len, results)), 4 * most, "")
    names = {
        *[choice.name for choice in choices],
        *[str(place[0]) for slider in layer.sliders for place in slider.places],
    }
    run = Recording(sizes)
    open_sizes = {slider.label: run.size(slider.label, slider.given + 2) for slider in layer.sliders}
    typed, shapes = layer.filled(open_sizes, {})
    return WhatIf(
        tuple(choices),
        tuple(layer.sliders),
        tuple(sizes.nodes),
        tuple(map(tuple, results)),
        {name: value for name, value in typed.items() if name in names},
        tuple(shapes),
        {name: value for name, value in layer.given.items() if name not in names},
        sizes,
    )


def points(sliders: Sequence[Slider]) -> Iterator[dict[str, int]]:
    """Yield values of sliders that differ from what is given: each slider alone and two with the next value, the
    nearest values first, then all and two at once in turn, by numbers that look drawn and are always the same."""
    for distance in range(1, max([slider.high - slider.low for slider in sliders], default=0) + 1):
        for slider in sliders:
            for value in (slider.given + distance, slider.given - distance):
                if slider.low <= value <= slider.high:
                    yield {slider.label: value}
        if distance == 1:
            yield from [{slider.label: slider.given + 1 for slider in pair} for pair in combinations(sliders, 2)]
    state = 1
    for pair in [pair for _ in range(8) for pair in combinations(sliders, 2)]:
        for several in (sliders, pair):
            values = {}
            for slider in several:
                state = state * 48271 % 2147483647
                values[slider.label] = slider.low + state % (slider.high - slider.low + 1)
            yield values


class _Layer:
    """A layer whose arguments and inputs are changed, with its sliders."""

    def __init__(
        self, type_: str, arguments: Mapping[str, Any], shapes: Sequence[Any], gradient: bool, code: Code
    ) -> None:
        self.type = type_
        self.options: Any = {"gradient": gradient, "code": code}
        self.declaration: Declaration = declared(type_, read_own_layers(code))
        self.given = {self.declaration.renamed.get(name, name): value for name, value in arguments.items()}
        self.shapes = [tuple(shape) for shape in shapes]
        self.base = self.built(self.given, self.shapes)
        bound = {**self.declaration.default_values, **self.declaration.bind(self.given)}
        listed = sorted(set(bound) - IN_FILES_ONLY, key=list(self.declaration.arguments).index)
        self.bound = {name: bound[name] for name in sorted(listed, key=lambda name: name not in self.given)}
        self.sliders: list[Slider] = []
        self.add_sliders()

    def built(self, arguments: Mapping[str, Any], shapes: Sequence[Any], detail: bool = True) -> LayerReport:
        """Return the report of the layer with other arguments."""
        return build_layer(self.type, arguments, shapes, detail=detail, **self.options).layers[-1]

    def row(self, chosen: Mapping[str, Any], sizes: Mapping[str, int], detail: bool = True) -> LayerReport | str:
        """Return the report of the layer, or why it takes no such arguments."""
        try:
            return self.built(*self.filled(sizes, chosen), detail)
        except LayerExplainError as error:
            return error.fact

    def filled(self, sizes: Mapping[str, int], chosen: Mapping[str, Any]) -> tuple[dict[str, Any], list[Any]]:
        """Return the arguments and the shapes with sizes in their places."""
        arguments, shapes = dict(self.given), [list(shape) for shape in self.shapes]
        arguments.update({name: value for name, value in chosen.items() if value != A_NUMBER})
        for slider in self.sliders:
            for of, steps in slider.places:
                if slider.label not in sizes:
                    continue
                if isinstance(of, int):
                    shapes[of][steps[0]] = sizes[slider.label]
                elif chosen.get(of, A_NUMBER) == A_NUMBER:
                    now = arguments.get(of, self.bound[of])
                    arguments[of] = _replaced(now, steps, sizes[slider.label])
        return arguments, [tuple(shape) for shape in shapes]

    def case(self, sizes: Sizes, chosen: Mapping[str, Any], there: Mapping[str, int], show: Any, detail: bool) -> Case:
        """Derive what is shown at sizes, and for which others it holds. It is compared with the explanation of plain
        numbers there. Where they differ, something read a size in a way that is not recorded (by its hash, as a
        dictionary does), and the case holds for these sizes only."""

        def said(at: Mapping[str, int]) -> Any:
            row = self.row(chosen, at, detail)
            return marked(row if isinstance(row, str) else show(row))

        run = Recording(sizes)
        shown = said(self.open_sizes(run, there))
        plain = said(there)
        if sizes.filled(shown, there, {}) == plain:
            return Case(run.conditions, shown)
        run = Recording(sizes)
        for name, value in there.items():
            run.known(name, value)
        return Case(run.conditions, plain)

    def open_sizes(self, run: Recording, there: Mapping[str, int]) -> dict[str, int]:
        """Return the sizes for a run. Axes of one input that are equal are one size in it, as are the numbers of one
        argument: what is shown of them is the same."""
        sizes: dict[str, int] = {}
        for slider in self.sliders:
            name = slider.label
            sizes[name] = run.size(name, there[name])
            for other in self.sliders:
                is_other = other.label in sizes and other is not slider and _of_one_thing(slider, other)
                if is_other and sizes[other.label] == sizes[name]:
                    sizes[name] = sizes[other.label]
                    break
        return sizes

    # Sliders ------------------------------------------------------------------------------------------------------

    def add_sliders(self) -> None:
        """Find the sizes that may have another value, alone or together with others of the same value."""
        alone = list(self.candidates())
        taken = {slider.label: self.taken([slider]) for slider in alone}
        self.sliders = [slider for slider in alone if taken[slider.label]]
        left = [slider for slider in alone if not taken[slider.label]]
        while left:
            slider = left.pop(0)
            alike = [other for other in left if other.given == slider.given]
            for group in [[slider, other] for other in alike] + ([[slider, *alike]] if len(alike) > 1 else []):
                if self.taken(group):
                    left = [other for other in left if other not in group]
                    label = " = ".join([member.label for member in group])
                    places = tuple([place for member in group for place in member.places])
                    self.sliders.append(slider._replace(label=label, places=places))
                    break
        order = [slider.label for slider in alone]
        self.sliders.sort(key=lambda slider: order.index(slider.label.split(" = ")[0]))

    def taken(self, group: Sequence[Slider]) -> bool:
        """Return whether the layer takes another value in the places of some sliders, and says something else then."""
        before, self.sliders = self.sliders, list(group)
        given = group[0].given
        try:
            for value in (given + 1, given - 1, 2 * given):
                if value >= group[0].low:
                    row = self.row({}, {slider.label: value for slider in group})
                    if not isinstance(row, str) and _comparable(row) != _comparable(self.base):
                        return True
        finally:
            self.sliders = before
        return False

    def candidates(self) -> Iterator[Slider]:
        """Yield a slider for each size of an argument or an input."""
        for name, value in self.bound.items():
            argument = self.declaration.arguments[name]
            parts = list(_parts(1 if value is None else value))
            if not parts or not all([is_int(part) for _, part in parts]) or not argument.check.takes_sizes(value):
                continue
            low = 0 if argument.check.takes(0) else 1
            for steps, part in parts:
                # Of a pair in a tuple, the first number is for what is before, the second for what is behind.
                sides = ["before", "after"] if len(steps) == 2 else []
                label = " ".join([name, *[f"{at + 1}" for at in steps[:1]], *[sides[at] for at in steps[1:]]])
                yield Slider(label, low, max(_LEAST_RANGE, 2 * part), part, argument.check.words, ((name, steps),))
        for number, shape in enumerate(self.shapes):
            name, roles = self.roles(number)
            for axis, size in enumerate(shape):
                if size is not None:
                    label = f"{name} {roles[axis] or f'axis {axis + 1}'}"
                    if roles.count(roles[axis]) > 1:
                        label = f"{label} {axis + 1}"
                    high = max(_LEAST_RANGE, 2 * size)
                    yield Slider(label, 1, high, size, "a size of the input", ((number, (axis,)),))

    def roles(self, number: int) -> tuple[str, list[str]]:
        """Return the name of an input, and the roles of its axes but for the batch."""
        rank = len(self.shapes[number]) + 1
        data = self.base.elements[0].data() if self.base.elements else None
        if data is not None and number < data["params"] and len(data["tensors"][number][1]) == rank:
            name, _, roles, _ = data["tensors"][number]
            at = next((i for i, role in enumerate(roles) if role == "batch"), 0)
            return name, [role for i, role in enumerate(roles) if i != at]
        return "input" if len(self.shapes) == 1 else f"input {number + 1}", list(default_roles(rank)[1:])

    # Choices ------------------------------------------------------------------------------------------------------

    def choices(self) -> list[Choice]:
        """Return the arguments with a few values, as many as there is room for."""
        sized = {place[0] for slider in self.sliders for place in slider.places}
        tried: dict[str, list[Any]] = {}
        # A number that was not given says less than words do.
        fine = [name for name, value in self.bound.items() if isinstance(value, float) and name not in self.given]
        for name in (*[item for item in self.bound if item not in fine], *fine):
            value = self.bound[name]
            if name in fine and tried:
                break
            if name in sized:
                if value is None:
                    tried[name] = [None, A_NUMBER]
                continue
            check = self.declaration.arguments[name].check
            others = [item for item in check.tried(value) if item != value]
            if check is Activation and any([shape is not None and len(shape) > 2 for shape in self.base.output_shapes]):
                others = [item for item in others if item not in _OF_VECTORS]
            rows = {repr(item): self.row({name: item}, {}) for item in others}
            taken = [item for item in others if not isinstance(rows[repr(item)], str)]
            if any([_comparable(rows[repr(item)]) != _comparable(self.base) for item in taken]):
                # There may be room for one other value alone: for the default, if that is not the one that was given.
                taken.sort(key=lambda item: item != self.declaration.default_values.get(name))
                tried[name] = [value, *taken, *[item for item in others if item not in taken]]
        counts = _counts({name: len(values) for name, values in tried.items()})
        choices = []
        for name in self.declaration.arguments:
            if name in counts:
                value, check = self.bound[name], self.declaration.arguments[name].check
                values = _in_order(tried[name][: counts[name]], check.tried(value))
                choices.append(Choice(name, values, values.index(value), check.words))
        return choices


_PLACES = {role for roles in SPATIAL.values() for role in roles}


def _of_one_thing(a: Slider, b: Slider) -> bool:
    """Return whether two sliders are numbers of one argument, or rows and columns of one input."""
    both = {place[0] for place in a.places} & {place[0] for place in b.places}
    alike = {a.label.split()[-1], b.label.split()[-1]} <= _PLACES
    return any([isinstance(of, str) or alike for of in both])


def _parts(value: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """Yield the numbers of an argument, each with the steps that lead to it in tuples.

    >>> list(_parts(((1, 2), (0, 3))))
    [((0, 0), 1), ((0, 1), 2), ((1, 0), 0), ((1, 1), 3)]
    """
    if isinstance(value, tuple):
        for at, part in enumerate(value):
            for steps, number in _parts(part):
                yield (at, *steps), number
    else:
        yield (), value


def _replaced(value: Any, steps: Sequence[int], number: int) -> Any:
    """Return an argument with another number where steps lead.

    >>> _replaced(((1, 2), (0, 3)), (1, 0), 5), _replaced(7, (), 5)
    (((1, 2), (5, 3)), 5)
    """
    if not steps:
        return number
    at, *rest = steps
    return (*value[:at], _replaced(value[at], rest, number), *value[at + 1 :])


_OF_VECTORS = ("softmax", "log_softmax")
"""Activations that belong behind a layer that gives a vector: over the channels of a picture they mean little."""


def _comparable(row: LayerReport | str) -> Any:
    """Return what is told of a layer, without what is only a copy of its arguments."""
    if isinstance(row, str):
        return row
    return row.explanation, row.formula, row.calls, row.weights, row.gradient, row.macs, row.flops, row.results


def _counts(available: Mapping[str, int]) -> dict[str, int]:
    """Return how many values each argument gets: two, then more for those that have most left."""
    counts: dict[str, int] = {}
    for name in available:
        if len(counts) < _MOST_CHOICES and 2 * prod(counts.values()) <= _MOST_COMBINATIONS:
            counts[name] = 2
    while True:
        fits = [
            name
            for name, count in counts.items()
            if count < available[name] and prod(counts.values()) // count * (count + 1) <= _MOST_COMBINATIONS
        ]
        if not fits:
            return counts
        counts[max(fits, key=lambda name: available[name] - counts[name])] += 1


def _in_order(values: Sequence[Any], tries: Sequence[Any]) -> tuple[Any, ...]:
    """None first, then numbers by size; other values as their kind has them."""
    if all(value is None or isinstance(value, int | float | tuple) for value in values):
        return tuple(sorted(values, key=_size))
    places = {repr(value): place for place, value in enumerate(tries)}
    return tuple(sorted(values, key=lambda value: (value == A_NUMBER, places.get(repr(value), -1))))


def _size(value: Any) -> float:
    if value is None:
        return float("-inf")
    return max(map(_size, value), default=0) if isinstance(value, tuple) else value
