"""What a check found, as plain data. `to_dict()` is the JSON contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from layerexplain.model import Note
from layerexplain.records import NamedTuple
from layerexplain.report.data import origin_fields, to_jsonable
from layerexplain.report.rows import Rows, about, count_of
from layerexplain.suggest import must_be_known

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
