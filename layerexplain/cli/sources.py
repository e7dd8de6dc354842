"""Reading and explaining the sources of a command; one that fails is told of, the others still count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from layerexplain.cli.failures import tell
from layerexplain.cli.input_shapes import InputShape, inputs_of
from layerexplain.errors import LayerExplainError
from layerexplain.report.data import Report

_Result = TypeVar("_Result")


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
    `batch` or `optimizer` for the memory. Raises LayerExplainError.
    """
    from layerexplain.readers import read
    from layerexplain.report import build

    model = read(source)
    try:
        return build(
            model,
            inputs=inputs_of(model, inputs),
            detail=detail,
            only=only,
            receptive_field=receptive_field,
            batch=batch,
            optimizer=optimizer,
        )
    except LayerExplainError as error:
        raise error.with_place(source=model.source or source) from None


def of_each(sources: Iterable[str], ask: Callable[[str], _Result]) -> tuple[list[_Result], bool]:
    """What `ask` gives for each source, and whether it did for all; a failure is a line on stderr."""
    results: list[_Result] = []
    fine = True
    for source in sources:
        try:
            results.append(ask(source))
        # The boundary of one source: even a bug that it brings out must not hide the other sources.
        except Exception as error:
            tell(error, source)
            fine = False
    return results, fine
