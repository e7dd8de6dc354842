"""What a check found, as plain data. `to_dict()` is the JSON contract."""

from __future__ import annotations

from typing import Any

from layerexplain.model import Note
from layerexplain.records import NamedTuple
from layerexplain.report.data import origin_fields, told

CONFIDENCES = ("certain", "likely", "hint")
"""How sure a rule is, the surest first."""


class Finding(NamedTuple):
    """One thing that is wrong: by which rule, how sure that is, the layer (None: the model as a whole) and its line in
    a spec or in code; what is wrong with the numbers of this model, why it matters, what to do, where the rule is from,
    and what Keras itself says ("" for nothing). In code there is a column too, and `file` is a module beside the source
    or a cell of a notebook."""

    code: str
    confidence: str
    layer: str | None
    line: int | None
    message: str
    why: str
    fix: str
    source: str = ""
    keras: str = ""
    column: int | None = None
    file: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The finding as JSON has it."""
        return told(self, "code confidence source layer line column file message why fix keras")


class CheckReport(NamedTuple):
    """What was found in one model, in the order of its layers. `notes` name the layers that no rule could look at, each
    with the reason."""

    source: str
    format: str
    model_name: str
    model_type: str
    keras_version: str | None
    findings: tuple[Finding, ...]
    notes: tuple[Note, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The report as the JSON contract has it (docs/check.schema.json)."""
        return {**origin_fields(self), **told(self, "findings notes")}

    def reaches(self, confidence: str) -> bool:
        """Whether a finding is at least so sure.

        >>> CheckReport("", "", "m", "Sequential", None, ()).reaches("hint")
        False
        """
        most = CONFIDENCES.index(confidence)
        return any(CONFIDENCES.index(finding.confidence) <= most for finding in self.findings)
