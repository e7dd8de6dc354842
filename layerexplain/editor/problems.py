"""What is wrong with the models of a text: each at its place, with what it comes from and what would mend it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from layerexplain import api
from layerexplain.checks.findings import SEVERITIES
from layerexplain.editor.fixes import Fix, fixes_of
from layerexplain.editor.reading import Reading, ReadModel
from layerexplain.editor.texts import Extent
from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.records import NamedTuple
from layerexplain.render.quantities import shapes_text

_MOST_RELATED = 3
_INSIDE = re.compile(r"in ([^:]+):(\d+)(?::(\d+))?: ")
"""How an error begins that stands inside of a layer of the program, and is found where the layer is called."""


class Problem(NamedTuple):
    """What is wrong at a place: how severe that is (1 is the worst, 4 a hint), the rule, the sentence, other places
    with what they have to do with it, and what would mend it."""

    span: Extent
    severity: int
    code: str
    message: str
    related: tuple[tuple[Extent, str], ...] = ()
    fixes: tuple[Fix, ...] = ()


def problems(reading: Reading, stop: Callable[[], None]) -> list[Problem]:
    """Return what is wrong with a text, the most severe first; nothing for a text without a model. At the beginning
    and before each model `stop` is called, which may raise."""
    stop()
    found: list[Problem] = []
    for model in reading.models:
        stop()
        found += _of_model(model, reading)
    # What a program raises that makes no model is not for this program to tell.
    errors = [one for one in reading.errors if reading.text.is_spec or not isinstance(one, SourceError)]
    found += [one for error in errors for one in _of_error(error, reading)]
    each = {(one.span, one.message): one for one in reversed(found)}
    return sorted(each.values(), key=lambda one: (one.severity, one.span))


def _of_model(read: ReadModel, reading: Reading) -> Iterator[Problem]:
    faults = {one.fact: one for one in (*read.model.faults, *read.report.faults)}
    try:
        checked = api.check(read.model, inputs=read.inputs)
    except LayerExplainError:  # no rule says what is at fault
        yield from [one for fault in faults.values() for one in _of_error(fault, reading)]
        return
    for one in checked:
        inside = _INSIDE.match(one.message)
        at = inside and reading.places.at(inside[1], int(inside[2]), int(inside[3] or 0), innermost=True)
        own = read.span if one.line is None else reading.places.at(one.file, one.line, one.column, innermost=True)
        if (span := at or own) is not None:
            words = one.message if one.severity == "breaks" else f"{one.message}. {one.why} {one.fix}"
            fixes = fixes_of(read.model, one.layer, faults.get(one.message), one.loss, reading.places)
            related = _related(one.message, one.layer, read, span, reading)
            yield Problem(span, 1 + SEVERITIES.index(one.severity), one.code, words, related, fixes)


def _of_error(error: LayerExplainError, reading: Reading) -> Iterator[Problem]:
    """Yield an error that is no finding: of a text of which nothing else is known, or which the rules do not see."""
    span = reading.places.at(error.source, error.line, error.column, innermost=True)
    if span is not None:
        yield Problem(span, 1, "", error.fact)


def _related(
    message: str, layer: str | None, read: ReadModel, span: Extent, reading: Reading
) -> tuple[tuple[Extent, str], ...]:
    """Return the places of the layers that a message names, and of those that give the layer at fault its tensors."""
    names = re.findall(r"'([^']+)'", message)
    names += [ref.layer for call in read.model.calls if call.layer == layer for ref in call.refs]
    at = {one.layer: one for one in reversed(reading.results)}
    others = [at[name] for name in dict.fromkeys(names) if name in at]
    if not names:  # PyTorch stops at the call, of which only the shapes are told
        others = [one for one in reversed(reading.results) if shapes_text(one.shapes) in message]
    others = list({one.span: one for one in reversed(others) if one.span != span}.values())[::-1]
    return tuple([(one.span, f"'{one.layer}' gives {shapes_text(one.shapes)}") for one in others[:_MOST_RELATED]])
