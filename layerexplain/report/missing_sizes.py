"""Reports of models some of whose sizes have names: names in the shapes of inputs, and what the code of a model leaves
open.

Code may leave open a size, how often a loop runs, or a whole shape. A shape has as many axes as the model takes; where
it takes several numbers of axes, the fewest are assumed, which a note says. What is open only once others are known is
found by reading again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from layerexplain.errors import LayerExplainError, raise_any
from layerexplain.lang.open_sizes import OpenSize
from layerexplain.model import InputShapes, Missing, Model, Note
from layerexplain.network.trace import trace_model
from layerexplain.records import NamedTuple
from layerexplain.report.report import Report
from layerexplain.report.size_names import named_report, names_in_shapes, with_sizes

_ROUNDS = 3
_MOST_AXES = 4
_MOST_READINGS = 6
_EXAMPLES: Mapping[Missing, int] = {"size": 16, "rounds": _ROUNDS, "shape": 64}
"""Sizes with which the number of axes of a shape is tried."""


def report_with_names(
    model: Model, shapes: Mapping[str, Sequence[Any]], make: Callable[[Model, InputShapes], Report]
) -> Report | None:
    """Return the report of a model with sizes that have names; None where there are none, or where the model takes no
    sizes in place of what its code leaves open.

    Args:
        model: As it was read.
        shapes: The shapes of its inputs, in which names stand for sizes.
        make: Makes the report of a model at shapes of its inputs.

    Raises:
        LayerExplainError: the model's error, if a shape of an input has a name.
    """
    is_open = model.grade == "open" or model.format == "yaml-spec"
    code = model.source_code if is_open else None
    in_shapes = names_in_shapes(shapes.values())
    if not in_shapes and (code is None or not code.missing):
        return None
    readings = list(_readings(model)) if code is not None else []
    if in_shapes and not readings:
        readings = [_NamesOfCode({}, ())]
    first: LayerExplainError | None = None
    for names in reversed(readings):
        try:
            return _report_with(model, shapes, in_shapes, names, make)
        except LayerExplainError as error:  # what is open only once others are known may fit no numbers
            first = first or error
    if in_shapes and first is not None:
        raise first
    return None


class _NamesOfCode(NamedTuple):
    """What the code of a model leaves open, each axis of a shape by itself, and what is assumed of it."""

    kinds: Mapping[str, Missing]
    notes: tuple[Note, ...]


def _report_with(
    model: Model,
    shapes: Mapping[str, Sequence[Any]],
    in_shapes: Sequence[str],
    names: _NamesOfCode,
    make: Callable[[Model, InputShapes], Report],
) -> Report:
    def at(sizes: Mapping[str, int]) -> tuple[Model, InputShapes]:
        inputs = {name: with_sizes(shape, sizes) for name, shape in shapes.items()}
        known = {name: sizes[name] for name in names.kinds}
        filled = model.source_code.with_values(known) if known and model.source_code is not None else None
        if filled is None:
            return model, inputs
        grade = "assumed" if names.notes and filled.grade == "complete" else filled.grade
        filled = filled._replace(source=model.source, weights_file=model.weights_file, grade=grade)
        return filled._replace(notes=(*filled.notes, *names.notes)), inputs

    def attempt(sizes: Mapping[str, Any]) -> int:
        known, inputs = at(sizes)
        # Of a run with numbers it is asked only whether it has faults; those of a run with names are shown.
        raise_any(
            _new_faults(model, known, inputs, are_shown=any([isinstance(size, OpenSize) for size in sizes.values()]))
        )
        return len(known.layers)

    small = [name for name, kind in names.kinds.items() if kind == "size"]
    counts = {name: _ROUNDS for name, kind in names.kinds.items() if kind == "rounds"}
    every = tuple(dict.fromkeys([*in_shapes, *names.kinds]))
    report = named_report(lambda sizes: make(*at(sizes)), attempt, every, small, counts)
    repeating = [name for name, counts_layers in _fixed(report).items() if name in small and counts_layers]
    if repeating:  # a size that is also a count, as that of experts is
        counts |= dict.fromkeys(repeating, _ROUNDS)
        with suppress(LayerExplainError):
            report = named_report(lambda sizes: make(*at(sizes)), attempt, every, small, counts)
    return report if model.format == "yaml-spec" else _with_examples(report, [*counts, *small])


def _with_examples(report: Report, names: Sequence[str]) -> Report:
    """Return a report with a note on each size of the code that is an example, which nobody stated: as `n_layers` is,
    which decides how many layers there are. A report that rests on one is assumed."""
    notes = [
        Note("assumed", None, f"{size.name} is {size.example} here, an example; give --set {size.name}=…")
        for size in report.sizes
        if size.name in names and size.name in _fixed(report)
    ]
    grade = "assumed" if notes and report.grade == "complete" else report.grade
    return report._replace(notes=(*report.notes, *notes), grade=grade)


def _fixed(report: Report) -> Mapping[str, bool]:
    return {} if report.again is None else report.again.fixed


def _readings(model: Model) -> Iterator[_NamesOfCode]:
    """Yield the names of all that the code of a model leaves open, with more of them for each reading in which others
    were known."""
    names: dict[str, Missing] = {}
    notes: list[Note] = []
    asked = set[str]()
    filled: Model | None = model
    for _ in range(_MOST_READINGS):
        code = filled.source_code if filled is not None else None
        new = {name: kind for name, kind in code.missing.items() if name not in asked} if code is not None else {}
        if not new:
            break
        asked |= new.keys()
        names |= {name: kind for name, kind in new.items() if kind != "shape"}
        for shape in [name for name, kind in new.items() if kind == "shape"]:
            fitting = list(_fitting_axes(model, names, shape))
            if fitting:
                names = fitting[0] | names
            if len(fitting) > 1:
                sizes = "1 size" if len(fitting[0]) == 1 else f"{len(fitting[0])} sizes"
                notes.append(Note("assumed", None, f"{shape} is assumed to have {sizes}; the model takes more as well"))
        yield _NamesOfCode(dict(names), tuple(notes))
        filled = _filled(model, names)


def _filled(model: Model, names: Mapping[str, Missing]) -> Model | None:
    """Return a model with usual numbers in place of names."""
    values = {name: _EXAMPLES[kind] for name, kind in names.items()}
    return model.source_code.with_values(values) if values and model.source_code is not None else model


def _fitting_axes(model: Model, names: Mapping[str, Missing], shape: str) -> Iterator[dict[str, Missing]]:
    """Yield names for the axes of a shape, for each number of axes that the model takes."""
    for count in range(1, _MOST_AXES + 1):
        axes: dict[str, Missing] = {f"{shape}[{axis}]": "shape" for axis in range(count)}
        try:
            filled = _filled(model, {**names, **axes})
            if filled is not None:
                raise_any(_new_faults(model, filled, {}, are_shown=False))
                yield axes
        except LayerExplainError:
            continue


def _new_faults(model: Model, filled: Model, inputs: InputShapes, *, are_shown: bool) -> list[LayerExplainError]:
    """Return the faults of a model with numbers. Those of the program that no layer has, such as a function that it
    never defines, are there whatever the numbers are. Those that are shown say what would mend them."""
    known = {fault.fact for fault in model.faults if fault.layer is None}
    traced = trace_model(filled, inputs, trials=are_shown).faults
    return [fault for fault in [*filled.faults, *traced] if fault.fact not in known]
