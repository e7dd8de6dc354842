"""What a check found, as plain data, and the budgets of a model. `to_dict()` is the JSON contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from layerexplain.errors import must_be_known
from layerexplain.model import InputShapes, Model, Note
from layerexplain.records import NamedTuple
from layerexplain.report.build import build
from layerexplain.report.data import LayerReport
from layerexplain.report.report import Report
from layerexplain.report.rows import Rows, about, count_of, origin_fields, to_jsonable

# Findings -----------------------------------------------------------------------------------------------------------

SEVERITIES = ("breaks", "wrong", "wasteful", "hint")
"""What a finding means, the worst first: Keras refuses the model, when it is built or in fit(); it runs, but cannot
compute or learn what is meant; it does more than it needs to; it may be better in another way."""

CONFIDENCES = ("certain", "likely", "hint")
"""How sure a rule is, the surest first."""

IN_MESSAGE = "The message says what would be right."
"""What is to be done, where a rule has no advice but that of each message."""

RAISES = "raises an error"
"""What Keras says of each layer that it refuses."""

LEVELS = (*SEVERITIES, *CONFIDENCES[:-1])
"""What `reaches` takes: "hint" is the last severity and the last confidence, and means any finding."""


def must_be_levels(*levels: str) -> None:
    """Raise ArgumentError for a level that there is not.

    >>> must_be_levels("wrong", "likly")
    Traceback (most recent call last):
    layerexplain.errors.ArgumentError: no level 'likly'; did you mean 'likely'?
    """
    for level in levels:
        must_be_known("level", level, LEVELS, f"there are {', '.join(LEVELS)}, and never")


class Finding(NamedTuple):
    """One thing that is wrong: by which rule, how severe and how sure that is, the layer (None: the model as a whole)
    and its line in a spec or in code; what is wrong with the numbers of this model, why it matters, what to do, where
    the rule is from, and what Keras itself says ("" for nothing). In code there is a column too, and `file` is a module
    beside the source or a cell of a notebook. `loss` is the one that fits instead, where another loss mends it."""

    code: str
    severity: str
    confidence: str
    layer: str | None
    line: int | None
    message: str
    why: str
    fix: str
    reference: str = ""
    keras: str = ""
    column: int | None = None
    file: str = ""
    loss: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON has it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "confidence": self.confidence,
            "reference": self.reference,
            "layer": self.layer,
            "line": self.line,
            "column": self.column,
            "file": self.file,
            "message": self.message,
            "why": self.why,
            "fix": self.fix,
            "keras": self.keras,
        }


class CheckReport(Rows[Finding]):
    """What was found in one model: a sequence of findings, the most severe first, then in the order of its layers.

    The path of a layer or the code of a rule gives all its findings. `notes` name the layers that no rule could
    look at, each with the reason.

    >>> import layerexplain
    >>> found = layerexplain.check(b"name: net\\ninput: [4]\\nlayers:\\n  - Dense: {units: 1, activation: softmax}\\n")
    >>> found, [finding.layer for finding in found["softmax-over-one"]]
    (<CheckReport of 'net' (<bytes>): 1 finding>, ['dense'])
    """

    source: str
    format: str
    model_name: str
    model_type: str
    keras_version: str | None
    findings: tuple[Finding, ...]
    notes: tuple[Note, ...] = ()

    _row_noun = "finding of"
    _names_one_row = False

    def _rows(self) -> Sequence[Finding]:
        return self.findings

    def _named_rows(self) -> Iterator[tuple[str, Finding]]:
        for finding in self.findings:
            yield finding.code, finding
            if finding.layer is not None:
                yield finding.layer, finding

    def _about(self) -> str:
        return about(self.source, self.model_name, count_of(len(self.findings), "finding"))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as the JSON contract has it (docs/check.schema.json)."""
        findings = [self.fields_of(finding) for finding in self.findings]
        return {**origin_fields(self), "findings": findings, "notes": to_jsonable(self.notes)}

    def fields_of(self, finding: Finding) -> dict[str, Any]:
        """Return a finding as JSON has it, with the file that its line is in."""
        own = {} if finding.file or finding.line is None else {"file": self.source}
        return {**finding.to_dict(), **own}

    def reaches(self, *levels: str) -> bool:
        """Return whether one finding is at least as severe, and as sure, as each of the levels says.

        >>> CheckReport("", "", "m", "Sequential", None, ()).reaches("wrong", "likely")
        False
        """
        return any(all(_reaches(finding, level) for level in levels) for finding in self.findings)


def _reaches(finding: Finding, level: str) -> bool:
    if level in SEVERITIES:
        return SEVERITIES.index(finding.severity) <= SEVERITIES.index(level)
    return CONFIDENCES.index(finding.confidence) <= CONFIDENCES.index(level)


# Budgets ------------------------------------------------------------------------------------------------------------
# Budgets: how many parameters, operations and bytes a model may have.

_Number = int | None


def _inference(report: Report) -> _Number:
    return None if report.memory is None else report.memory.inference


def _activations(report: Report) -> _Number:
    return None if report.memory is None else report.memory.activations


BUDGETS: dict[str, tuple[str, Callable[[Report], _Number], Callable[[LayerReport], _Number] | None]] = {
    "params": ("parameters", lambda report: report.totals.params, lambda layer: layer.params),
    "macs": ("MACs per example", lambda report: report.totals.macs, lambda layer: layer.macs),
    "flops": ("FLOPs per example", lambda report: report.totals.flops, lambda layer: layer.flops),
    "weights": ("bytes of weights", lambda report: report.totals.bytes, None),
    "activations": ("bytes of activations per example", _activations, None),
    "memory": ("bytes at inference, of one example", _inference, None),
}
"""Name → what is counted in words, in the model, and in a layer."""

_MOST = 3
"""So many layers are named."""


def over_budget(model: Model, inputs: InputShapes, budgets: Mapping[str, float]) -> Iterator[Finding]:
    """Yield a finding for each budget that a model exceeds, or of which it cannot be said whether it does.

    Raises ArgumentError for a budget of nothing in `BUDGETS`.
    """
    for name in budgets:
        must_be_known("budget", name, BUDGETS, f"there are {', '.join(BUDGETS)}")
    memory = 1 if {"memory", "activations"} & budgets.keys() else None
    report = build(model, inputs=inputs, detail=False, batch=memory)
    for name, most in budgets.items():
        words, total_of, of_layer = BUDGETS[name]
        total = total_of(report)
        if total is not None and total <= most:
            continue
        message = f"{words} are not known" if total is None else f"{total:,} {words}; the budget is {most:,.0f}"
        if total is not None and of_layer is not None:
            counted = sorted([(of_layer(layer) or 0, layer.layer) for layer in report.layers], reverse=True)[:_MOST]
            message += f"; the most have {', '.join(f'{layer} ({count:,})' for count, layer in counted if count)}"
        why = "A budget was given on the command line."
        fix = "Make the model smaller, or the budget larger."
        yield Finding("over-budget", "wrong", "certain", None, None, message, why, fix)
