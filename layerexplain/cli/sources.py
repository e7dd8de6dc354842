"""Reading and explaining the sources of a command; one that fails is told of, the others still count."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any, Generic, TypeVar

from layerexplain import api
from layerexplain.api import Report
from layerexplain.cli.failures import lines_of, tell_lines
from layerexplain.cli.input_shapes import InputShape, inputs_of
from layerexplain.cli.workers import Partly, outcomes
from layerexplain.errors import LayerExplainError

_Result = TypeVar("_Result")

STANDARD_INPUT = "<stdin>"


def report_of(
    source: str,
    inputs: Sequence[InputShape],
    *,
    detail: bool = False,
    only: Callable[[str], bool] | None = None,
    receptive_field: bool = False,
    batch: int | None = None,
    optimizer: str | None = None,
) -> Report:
    """The Report of a source (`-` is standard input), with its inputs' shapes as typed.

    `detail` asks for explanations, of the layers whose path satisfies `only`; `receptive_field` for those alone,
    `batch` or `optimizer` for the memory. The report has the faults of single layers; others are raised, as a
    LayerExplainError.
    """
    return api.explain(
        source,
        inputs=lambda model: inputs_of(model, inputs),
        detail=detail,
        only=only,
        receptive_field=receptive_field,
        batch=batch,
        optimizer=optimizer,
        partial=True,
    )


def content_of(source: str) -> Any:
    """What is read more than once: the source, or all of standard input."""
    return sys.stdin.buffer.read() if source == "-" else source


def name_of(source: str) -> str:
    """What messages and reports call the source."""
    return STANDARD_INPUT if source == "-" else source


def with_faults(value: _Result, faults: Sequence[LayerExplainError]) -> _Result | Partly:
    """What a source gave, with the faults to tell of where there are any."""
    return Partly(value, tuple([line for fault in faults for line in lines_of(fault)])) if faults else value


def of_each(
    sources: Sequence[str], ask: Callable[[str], _Result | Partly], jobs: int = 1
) -> tuple[list[_Result], bool]:
    """What `ask` gives for each source, and whether it did for all; a failure is a line on stderr."""
    answers = Answers(sources, ask, jobs)
    return list(answers), answers.fine


class Answers(Generic[_Result]):
    """What `ask` gives for each source, in order and one by one; a failure is a line on stderr when its turn comes.

    `fine` says whether there was none so far. With more than one job `ask` and its answers must be something that
    can be pickled, and processes share the sources.
    """

    def __init__(self, sources: Sequence[str], ask: Callable[[str], _Result | Partly], jobs: int = 1) -> None:
        self._outcomes = outcomes(sources, ask, jobs)
        self.fine = True

    def __iter__(self) -> Generator[_Result, None, None]:
        with closing(self._outcomes) as found:
            for one in found:
                if one.has_value:
                    yield one.value
                if one.failure is not None:
                    self.fine = False
                    tell_lines(one.failure)
