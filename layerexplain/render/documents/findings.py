"""The documents of `check`: what was found, and the list of rules."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from layerexplain.checks.findings import CONFIDENCES, CheckReport, Finding
from layerexplain.checks.rules import Rule
from layerexplain.records import grouped
from layerexplain.render import document as doc
from layerexplain.render.annotations import Annotation
from layerexplain.render.formats import Sheet, sheet
from layerexplain.render.quantities import names_text, origin_text, plural
from layerexplain.render.sections import Points, Section

_COLUMNS = doc.named(
    doc.words("code", "Rule", lambda finding: finding.code),
    doc.words("confidence", "Sure", lambda finding: finding.confidence),
    doc.words("layer", "Layer", lambda finding: finding.layer),
    doc.number("line", "Line", lambda finding: finding.line, str),
    doc.words("message", "Found", lambda finding: finding.message, kind="prose"),
    doc.words("why", "Why", lambda finding: finding.why, kind="prose"),
    doc.words("fix", "What to do", lambda finding: finding.fix, kind="prose"),
)

_RULE_COLUMNS = (
    doc.words("code", "Rule", lambda rule: rule.code),
    doc.words("confidence", "Sure", lambda rule: rule.confidence),
    doc.words("name", "Finds", lambda rule: rule.name, kind="prose"),
    doc.words("why", "Why", lambda rule: rule.why, kind="prose", only=doc.MARKDOWN),
    doc.words("fix", "What to do", lambda rule: rule.fix, kind="prose", only=doc.MARKDOWN),
    doc.words("source", "Source", lambda rule: rule.source, kind="prose", only=doc.MARKDOWN),
)


def findings(report: CheckReport, several: bool = False) -> Sheet:
    """What `check` prints; `several` says that several sources were asked for."""
    columns = {"source": doc.words("source", "Source", lambda _: report.source), **_COLUMNS}
    result = sheet(report, report, lambda: _document(report), doc.picked(columns, _COLUMNS, several), report.findings)
    return result._replace(
        annotations=lambda: [_annotation(finding, report) for finding in report.findings],
        records=lambda: (_line(finding, report) for finding in report.findings),
    )


def _line(finding: Finding, report: CheckReport) -> dict[str, Any]:
    """A finding as a line of its own: `source` is the file as in all lines, and `rule_source` what the rule is from."""
    fields = finding.to_dict()
    return {"source": report.source, "model": report.model_name, "rule_source": fields.pop("source"), **fields}


_LEVELS = {"certain": "error", "likely": "warning", "hint": "note"}


def _annotation(finding: Finding, report: CheckReport) -> Annotation:
    place = f"{finding.layer}: " if finding.layer else ""
    level = _LEVELS[finding.confidence]
    help = f"{finding.why} {finding.fix}"
    file, line, column = report.source, finding.line, finding.column
    if finding.file.endswith(".py"):
        beside = os.path.join(os.path.dirname(file), finding.file)
        file = beside if os.path.exists(beside) else finding.file
    elif finding.file:  # a line of a cell is none of the file of the notebook
        place, line, column = f"{finding.file}:{line}, {place}", None, None
    return Annotation(file, line, level, finding.code, f"{place}{finding.message}.", help, column)


def _document(report: CheckReport) -> doc.Document:
    counts = [
        plural(count, "certain finding" if name == "certain" else "likely finding" if name == "likely" else "hint")
        for name in CONFIDENCES
        if (count := sum(finding.confidence == name for finding in report.findings))
    ]
    origin = origin_text(report.source, report.format, report.keras_version)
    unseen = {note.layer for note in report.notes if note.layer is not None}
    left = [f"{plural(len(unseen), 'layer')} not looked at"] if unseen else []
    heading = doc.title(report.model_name, (origin, ", ".join([*(counts or ["nothing found"]), *left])))
    by_code = grouped((finding.code, finding) for finding in report.findings)
    notes = doc.notes_block(doc.noted(report.notes))
    return doc.Document((heading, *[_section(found) for found in by_code.values()], notes))


def note_lines(report: CheckReport) -> list[str]:
    """Which layers no rule could look at, a line for each reason: beside formats of which each row is a finding."""
    notes = [(names_text(list(names), _MOST), message) for message, names in doc.noted(report.notes).items()]
    return [f"{report.source}: {f'{names}: ' if names else ''}not looked at: {message}" for names, message in notes]


_MOST = 4
"""How many places of one rule, or layers of one note, are listed; of more, their number is given."""


def _section(found: list[Finding]) -> Section:
    first = found[0]
    shown = found if len(found) <= _MOST + 1 else found[:_MOST]
    places = [f"{_place(one)}{one.message}" for one in shown]
    if len(shown) < len(found):
        places.append(f"and {len(found) - len(shown):,} more")
    heading = doc.Heading(2, (doc.Span(first.code, "name"),), beside=first.confidence)
    points = Points(doc.lines(places))
    return Section(
        (heading, points, doc.Prose((first.why, first.fix, *([f"Keras {first.keras}."] if first.keras else []))))
    )


def _place(finding: Finding) -> str:
    """Where a finding is: its line, and its layer unless the message names that."""
    column = f":{finding.column}" if finding.column else ""
    where = f"{finding.file}:" if finding.file else "line "
    parts = [f"{where}{finding.line}{column}"] if finding.line is not None else []
    parts += [finding.layer] if finding.layer is not None and f"'{finding.layer}'" not in finding.message else []
    return f"{', '.join(parts)}: " if parts else ""


def rules(found: Sequence[Rule]) -> Sheet:
    """What `check --list` prints."""

    def record(rule: Rule) -> dict[str, Any]:
        return {name: getattr(rule, name) for name in ("code", "name", "confidence", "why", "fix", "source", "keras")}

    return Sheet(
        document=lambda: doc.Document((doc.Table(_RULE_COLUMNS, found),)),
        data=lambda: [record(rule) for rule in found],
        records=lambda: map(record, found),
        columns=_RULE_COLUMNS,
        rows=lambda: found,
    )
