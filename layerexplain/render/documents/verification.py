"""The document of `verify`: a row a call, then what all of them come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from layerexplain.oracle.verify_report import LayerCheck, StepCheck, ValuesCheck, VerifyReport
from layerexplain.render import document as doc
from layerexplain.render.formats import Sheet, sheet
from layerexplain.render.quantities import origin_text, plural, shapes_text


def _name(check: LayerCheck) -> str:
    return check.path if check.call == 0 else f"{check.path} (call {check.call})"


def _status_text(check: LayerCheck | ValuesCheck | StepCheck) -> str:
    return "DIFFERS" if check.status == "differs" else check.status


def _result(check: LayerCheck) -> str:
    result = f"{_status_text(check)}: {check.reason}" if check.reason else _status_text(check)
    back = check.gradient
    return (
        result if back is None or back.status == "agrees" else f"{result}; gradient {_status_text(back)}: {back.reason}"
    )


def _result_style(check: LayerCheck) -> str:
    if check.gradient is not None and check.gradient.status == "differs":
        return "yellow"
    return {"agrees": "", "differs": "yellow", "not compared": "dim"}[check.status]


def _shapes(check: LayerCheck) -> str:
    return shapes_text(check.output_shapes.keras or check.output_shapes.formula or ())


def _far(difference: float | None) -> str:
    return "not compared" if difference is None else f"{difference:.1e}" if difference else "0"


_COLUMNS = doc.columns_by_name(
    doc.Column("layer", "Layer", _name, lambda check: check.layer, style="bold"),
    doc.words("type", "Type", lambda check: check.type, style="dim"),
    doc.words("path", "Path", lambda check: check.path),
    doc.number("call", "Call", lambda check: check.call, str),
    doc.words("status", "Status", lambda check: check.status),
    doc.words("output_shapes", "Output shape", _shapes, firm=True),
    doc.flag("shapes_agree", "Shapes agree", lambda check: check.output_shapes.agree),
    doc.number("params", "Parameters", lambda check: check.params),
    doc.flag("weights_agree", "Weights agree", lambda check: check.weight_shapes.agree),
    doc.number("difference", "Difference", lambda check: check.difference, _far),
    doc.number("gradient_difference", "Gradient", doc.part("gradient.difference"), _far)._replace(optional=True),
    doc.words("gradient_status", "", doc.part("gradient.status")),
    doc.words("gradient_reason", "", doc.part("gradient.reason")),
    doc.number("tolerance", "Tolerance", lambda check: check.tolerance, repr),
    doc.words("reason", "Reason", lambda check: check.reason),
)

_READ = (
    *doc.picked(_COLUMNS, ("layer", "type", "output_shapes", "params", "difference", "gradient_difference")),
    doc.words("result", "Result", _result, kind="prose", style=_result_style),
)
"""The columns of a table; those for programs are all the others."""

_DROPPED = ("type", "params", "output_shapes")
"""What a terminal without room for all columns does without, in this order."""


def verification(report: VerifyReport, several: bool = False) -> Sheet:
    """Return what `verify` prints; `several` says that several sources were asked for."""
    columns = {"source": doc.words("source", "Source", lambda _: report.source), **_COLUMNS}
    return sheet(report, report, lambda: _document(report), doc.picked(columns, _COLUMNS, several), report.layers)


def _document(report: VerifyReport) -> doc.Document:
    origin = origin_text(report.source, report.format, report.keras_version)
    # What trace calls them: only a live model has weights that are in no file.
    whose = "of the file" if report.weights == "of the model" and report.format != "keras-model" else report.weights
    against = f"{f'Keras {report.keras}' if _framework(report) == 'Keras' else report.keras} on {report.backend}"
    return doc.Document(
        (
            doc.title(report.model_name, [report.model_type, origin, against, f"weights {whose}, seed {report.seed}"]),
            doc.Table(doc.filled(_READ, report.layers), report.layers, _DROPPED),
            doc.Prose(tuple(_closing(report))),
            doc.notes_block(doc.noted(report.notes)),
        )
    )


def _counted(checks: Sequence[LayerCheck | ValuesCheck], of: str = "") -> str:
    """Return `3 of 4 calls agree, 1 differs, 0 not compared.`"""
    counts = Counter(check.status for check in checks)
    agree, differ = counts["agrees"], counts["differs"]
    return (
        f"{agree:,}{of} {'agrees' if agree == 1 else 'agree'}, {differ:,} {'differs' if differ == 1 else 'differ'}, "
        f"{counts['not compared']:,} not compared."
    )


def _closing(report: VerifyReport) -> list[str]:
    """Return the sums, in words: the calls, then the model end to end."""
    text = _counted(report.layers, f" of {plural(len(report.layers), 'call')}")
    compared = [(check.difference, check) for check in report.layers if check.difference is not None]
    if compared:
        difference, worst = max(compared, key=lambda item: item[0])
        text += (
            f" Largest difference: {difference:.1e} of the output's largest value, in {worst.path} "
            f"(tolerance {worst.tolerance:.1e})."
        )
        by_rounding = _by_rounding(report.layers)
        text += f" {by_rounding}" if by_rounding else ""
    whole = report.whole
    result = _status_text(whole)
    if whole.difference is not None:
        judge = "" if whole.rounding is None else f"; rounding alone gives {whole.rounding:.1e}"
        result += f", {whole.difference:.1e} (tolerance {whole.tolerance:.1e}{judge})"
    if whole.reason:
        result += f": {whole.reason}"
    return [text, f"The model end to end: {result}", *_gradients(report), _parameters(report)]


def _by_rounding(checks: Sequence[LayerCheck | ValuesCheck]) -> str:
    """Return how many calls agree since rounding alone does as much; "" for none."""
    count = sum(check.rounding is not None and check.status == "agrees" for check in checks)
    agree = "agrees" if count == 1 else "agree"
    return f"{plural(count, 'call')} {agree} within rounding error, estimated in float64." if count else ""


def _gradients(report: VerifyReport) -> Iterator[str]:
    """Yield what was found of the gradients: of the calls together, and of a training step."""
    checks = [check.gradient for check in report.layers if check.gradient is not None]
    if checks:
        worst = max([check.difference for check in checks if check.difference is not None], default=0.0)
        yield (
            f"Gradients of {plural(len(checks), 'call')}: {_counted(checks)} Largest difference: {worst:.1e} of the "
            "largest gradient of the call."
        )
        by_rounding = _by_rounding(checks)
        if by_rounding:
            yield by_rounding
    for step in report.steps:
        where = f"A training step, layers in {'training' if step.mode == 'training' else 'inference'} mode"
        status = _status_text(step)
        if step.losses is None:
            yield f"{where}: {status}: {step.reason}"
            continue
        said = [
            f"loss {step.losses.formula:.6g} here, {step.losses.keras:.6g} in {_framework(report)} ({step.loss})",
            f"gradients {_far(step.gradient_difference)}",
        ]
        if step.optimizer:
            said.append(f"the step of {step.optimizer} {_far(step.step_difference)}")
        reason = f" in {step.reason}" if step.reason else ""
        yield f"{where}: {status}{reason} ({_tolerance(step)}): {'; '.join(said)}"


def _tolerance(step: StepCheck) -> str:
    """Return what a step was allowed, and why."""
    if step.rounding is None:
        return f"tolerance {step.tolerance:.1e}, by precision and number of layers"
    return f"tolerance {step.tolerance:.1e}; rounding alone gives {step.rounding:.1e}"


def _parameters(report: VerifyReport) -> str:
    check = report.parameters
    here, keras = ("not known" if n is None else f"{n:,}" for n in check)
    return f"Parameters: {'DIFFER, ' if check.agree is False else ''}{here} here, {keras} in {_framework(report)}"


def _framework(report: VerifyReport) -> str:
    """Return the name of what was compared with: versions of Keras are numbers alone, others begin with a name."""
    name = report.keras.partition(" ")[0]
    return "Keras" if name[:1].isdecimal() else name
