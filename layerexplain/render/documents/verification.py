"""The document of `verify`: a row a call, then what all of them come to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from layerexplain.oracle.verify_report import Compared, LayerCheck, VerifyReport
from layerexplain.render.document import (
    Document,
    Heading,
    Prose,
    Span,
    Table,
    noted,
    notes_block,
    number,
    words,
)
from layerexplain.render.formats import Sheet
from layerexplain.render.quantities import count_text, origin_text, plural, shapes_text

_DROPPED = ("type", "params", "output_shapes")
"""What a terminal without room for all columns does without, in this order."""


def _name(check: LayerCheck) -> str:
    return check.path if check.call == 0 else f"{check.path} (call {check.call})"


def _result(check: LayerCheck) -> str:
    status = "DIFFERS" if check.status == "differs" else check.status
    return f"{status}: {check.reason}" if check.reason else status


def _result_style(check: LayerCheck) -> str:
    return {"agrees": "", "differs": "yellow", "not compared": "dim"}[check.status]


def _shapes(check: LayerCheck) -> str:
    shapes = check.output_shapes.keras or check.output_shapes.formula
    return "" if shapes is None else shapes_text(shapes)


def _flag(value: bool | None) -> str:
    return {True: "true", False: "false", None: ""}[value]


def _share(value: float | None) -> str:
    return "" if value is None else "0" if value == 0 else f"{value:.1e}"


_SHAPES = words("output_shapes", "Output shape", _shapes, firm=True)
_PARAMS = number(
    "params", "Parameters", lambda check: check.params, lambda count: "" if count is None else count_text(count)
)
_DIFFERENCE = number("difference", "Difference", lambda check: check.difference, _share)

_COLUMNS = (
    words("layer", "Layer", _name, style="bold"),
    words("type", "Type", lambda check: check.type, style="dim"),
    _SHAPES,
    _PARAMS,
    _DIFFERENCE,
    words("result", "Result", _result, kind="prose", style=_result_style),
)

_DATA_COLUMNS = (
    words("layer", "Layer", lambda check: check.layer),
    words("type", "Type", lambda check: check.type),
    words("path", "Path", lambda check: check.path),
    number("call", "Call", lambda check: check.call, str),
    words("status", "Status", lambda check: check.status),
    _SHAPES,
    words("shapes_agree", "Shapes agree", lambda check: _flag(check.output_shapes.agree)),
    _PARAMS,
    words("weights_agree", "Weights agree", lambda check: _flag(check.weight_shapes.agree)),
    _DIFFERENCE,
    number("tolerance", "Tolerance", lambda check: check.tolerance, repr),
    words("reason", "Reason", lambda check: check.reason),
)


def verification(report: VerifyReport, several: bool = False) -> Sheet:
    """What `verify` prints; `several` says that several sources were asked for."""
    source = words("source", "Source", lambda _: report.source)
    return Sheet(
        document=lambda: _document(report),
        data=report.to_dict,
        records=lambda: _records(report),
        columns=(source, *_DATA_COLUMNS) if several else _DATA_COLUMNS,
        rows=lambda: report.layers,
    )


def _records(report: VerifyReport) -> Iterator[dict[str, Any]]:
    for check in report.layers:
        yield {"source": report.source, "model": report.model_name, **check.to_dict()}


def _document(report: VerifyReport) -> Document:
    origin = origin_text(report.source, report.format, report.keras_version)
    # What trace calls them: only a live model has weights that are in no file.
    whose = "of the file" if report.weights == "of the model" and report.format != "keras-model" else report.weights
    against = f"Keras {report.keras} on {report.backend}"
    about = [report.model_type, origin, against, f"weights {whose}, seed {report.seed}"]
    return Document(
        (
            Heading(1, (Span(report.model_name, "name"),), tuple([(Span(one),) for one in about])),
            Table(_COLUMNS, report.layers, _DROPPED),
            Prose(tuple(_closing(report))),
            notes_block(noted(report.notes)),
        )
    )


def _closing(report: VerifyReport) -> list[str]:
    """The sums, in words: the calls, then the model end to end."""
    agree, differ, other = (len(report.of(status)) for status in ("agrees", "differs", "not compared"))
    counted = f"{agree:,} of {plural(len(report.layers), 'call')} {'agrees' if agree == 1 else 'agree'}"
    text = f"{counted}, {differ:,} {'differs' if differ == 1 else 'differ'}, {other:,} not compared."
    compared = [(check.difference, check) for check in report.layers if check.difference is not None]
    if compared:
        difference, worst = max(compared, key=lambda one: one[0])
        text += (
            f" Largest difference: {difference:.1e} of the output's largest value, in {worst.path} "
            f"(tolerance {worst.tolerance:.1e})."
        )
    whole = report.whole
    result: str = "DIFFERS" if whole.status == "differs" else whole.status
    if whole.difference is not None:
        result += f", {whole.difference:.1e} (tolerance {whole.tolerance:.1e})"
    if whole.reason:
        result += f": {whole.reason}"
    return [text, f"The model end to end: {result}", _parameters(report.parameters)]


def _parameters(check: Compared) -> str:
    here, keras = ("not known" if n is None else f"{n:,}" for n in check)
    return f"Parameters: {'DIFFER, ' if check.agree is False else ''}{here} here, {keras} in Keras"
