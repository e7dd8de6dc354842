"""One mutation, tried: read, built, explained and printed, within a time limit."""

import ast
import json
import re
import signal
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

from layerexplain.conversions.forms import TEXT_FORMS, text_of, with_all_input_layers
from layerexplain.errors import LayerExplainError
from layerexplain.frontends import read
from layerexplain.model import Model
from layerexplain.render.formats import FORMATS, GRAPH_FORMATS
from layerexplain.render.layout import Look
from layerexplain.report.build import build
from layerexplain.report.comparison import compare
from layerexplain.run.checking import check
from tests.fuzz.mutations import mutation
from tests.support.printing import Chosen, Wanted, explanation_text, summary_text

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

SECONDS = 10.0
"""No mutation of these small files may take more of the processor's time."""

SECONDS_OF_CODE = 40.0
"""A few lines of code may make a model of thousands of layers. Each command ends within ten seconds; here it goes through
all that eight of them do."""

PATIENCE = 60.0
"""Nor may one wait longer, for the process that reads HDF5 (which gives up on its own) or for anything else."""


class Failure(NamedTuple):
    """What a mutation did that it may not: how it is made again, what happened, and where."""

    kind: str
    number: int
    what: str
    where: str


class _TooLong(BaseException):
    """Not an Exception, so that nothing catches it on the way."""


def attempt(kind: str, number: int, *, every_format: bool = False) -> Failure | None:
    """Try a mutation; None where it was explained or refused as it should be.

    Printing takes longer than all else, so each number prints as a table and in one more format, by turns.
    """
    source = mutation(kind, number)
    formats = GRAPH_FORMATS if every_format else ("table", GRAPH_FORMATS[number // 2 % len(GRAPH_FORMATS)])
    try:
        with _limit(SECONDS_OF_CODE if kind == "code" else SECONDS):
            explain(source, detail=number % 2 == 0, formats=formats)
    except LayerExplainError as error:
        if not str(error):
            return Failure(kind, number, "an error without words", "")
    except _TooLong:
        return Failure(kind, number, "took too long", "")
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        frames = traceback.extract_tb(error.__traceback__)
        where = " < ".join(
            f"{frame.filename.rpartition('layerexplain/')[2]}:{frame.lineno}" for frame in frames[:-4:-1]
        )
        return Failure(kind, number, f"{type(error).__name__}: {str(error)[:200]}", where)
    return None


def explain(source: Any, *, detail: bool, formats: Sequence[str] = GRAPH_FORMATS) -> None:
    """All that `summary` or `explain` does with a source, down to a text without control characters."""
    model = read(source)
    report = build(model, detail=detail) if detail else build(model, receptive_field=True, batch=2, optimizer="adam")
    for format_ in dict.fromkeys(formats if detail else ("table", "csv")):
        wanted = Wanted(format_, nested=True)
        texts = [summary_text([report], wanted, Look())]
        if detail and format_ in FORMATS:
            texts.append(explanation_text([Chosen(report, report.layers)], wanted, Look()))
        for text in texts:
            text.encode()
            assert not _CONTROLS.search(text), f"{format_} holds {_CONTROLS.search(text)}"
    if not report.faults:
        check(model)
        assert not detail or compare((model, report), (model, report)).alike, "it differs from itself"
        for form in TEXT_FORMS if detail else ():
            _convert(model, form, exact=all(note.code != "not-derived" for note in report.notes))


def _convert(model: Model, form: str, *, exact: bool) -> None:
    """What is written for a model is Python, YAML or JSON, and a spec is one of ours."""
    try:
        text = text_of(with_all_input_layers(model), form)
    except LayerExplainError:
        return
    text.encode()
    assert not _CONTROLS.search(text), f"{form} holds {_CONTROLS.search(text)}"
    if form == "py":
        ast.parse(text)
    elif form == "json":
        json.loads(text)
    else:
        again = read(text.encode())
        assert not again.faults, str(again.faults[0])
        assert not exact or text_of(with_all_input_layers(again), form) == text, (
            "a spec is written in another way when it is read back"
        )


@contextmanager
def _limit(seconds: float) -> Iterator[None]:
    """Raise _TooLong after so many seconds of work, or of waiting; only the main thread can be stopped so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise _TooLong

    timers = ((signal.SIGVTALRM, signal.ITIMER_VIRTUAL, seconds), (signal.SIGALRM, signal.ITIMER_REAL, PATIENCE))
    before = [signal.signal(number, stop) for number, _, _ in timers]
    for _, timer, seconds in timers:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for (number, timer, _), handler in zip(timers, before, strict=True):
            signal.setitimer(timer, 0)
            signal.signal(number, handler)
