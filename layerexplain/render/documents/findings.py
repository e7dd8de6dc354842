"""The documents of `check`: what was found, and the list of rules."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from layerexplain.checks.findings import CONFIDENCES, IN_MESSAGE, RAISES, SEVERITIES, CheckReport, Finding
from layerexplain.checks.rules import Rule
from layerexplain.records import grouped
from layerexplain.render import document as doc
from layerexplain.render.document import Points, Section
from layerexplain.render.documents.summary import missing_values
from layerexplain.render.formats import Sheet, sheet
from layerexplain.render.json import Annotation
from layerexplain.render.quantities import names_text, origin_text, plural

_COLUMNS = doc.columns_by_name(
    doc.words("code", "Rule", lambda finding: finding.code),
    doc.words("severity", "Severity", lambda finding: finding.severity),
    doc.words("confidence", "Sure", lambda finding: finding.confidence),
    doc.words("layer", "Layer", lambda finding: finding.layer),
    doc.number("line", "Line", lambda finding: finding.line, str),
    doc.words("message", "Found", lambda finding: finding.message, kind="prose"),
    doc.words("why", "Why", lambda finding: finding.why, kind="prose"),
    doc.words("fix", "What to do", lambda finding: finding.fix, kind="prose"),
)

_RULE_COLUMNS = (
    doc.words("code", "Rule", lambda rule: rule.code),
    doc.words("severity", "Severity", lambda rule: rule.severity),
    doc.words("confidence", "Sure", lambda rule: rule.confidence),
    doc.words("name", "Finds", lambda rule: rule.name, kind="prose"),
    doc.words("why", "Why", lambda rule: rule.why, kind="prose", only=doc.MARKDOWN),
    doc.words("fix", "What to do", lambda rule: rule.fix, kind="prose", only=doc.MARKDOWN),
    doc.words("source", "Source", lambda rule: rule.source, kind="prose", only=doc.MARKDOWN),
)


def findings(report: CheckReport, several: bool = False) -> Sheet:
    """Return what `check` prints; `several` says that several sources were asked for."""
    columns = {"source": doc.words("source", "Source", lambda _: report.source), **_COLUMNS}
    result = sheet(report, report, lambda: _document(report), doc.picked(columns, _COLUMNS, several), report.findings)
    return result._replace(
        annotations=lambda: [_annotation(finding, report) for finding in report.findings],
        records=lambda: (_line(finding, report) for finding in report.findings),
    )


def _line(finding: Finding, report: CheckReport) -> dict[str, Any]:
    """Return a finding as a line of its own."""
    return {"source": report.source, "model": report.model_name, **report.fields_of(finding)}


_LEVELS = {"breaks": "error", "wrong": "error", "wasteful": "warning", "hint": "note"}


def _annotation(finding: Finding, report: CheckReport) -> Annotation:
    place = f"{finding.layer}: " if finding.layer else ""
    level = _LEVELS[finding.severity]
    help = f"{finding.why} {finding.fix}"
    file, line, column = report.source, finding.line, finding.column
    if finding.file.endswith(".py"):
        beside = os.path.join(os.path.dirname(file), finding.file)
        file = beside if os.path.exists(beside) else finding.file
    elif finding.file:  # a line of a cell is none of the file of the notebook
        place, line, column = f"{finding.file}:{line}, {place}", None, None
    return Annotation(file, line, level, finding.code, f"{place}{finding.message}.", help, column)


def _document(report: CheckReport) -> doc.Document:
    by_rule = grouped(((finding.severity, finding.code), finding) for finding in report.findings)
    groups = {key: _identical(of_rule) for key, of_rule in by_rule.items()}
    kinds = grouped((severity, len(group)) for (severity, _), group in groups.items())
    counts = [_counted(name, sum(kinds[name])) for name in SEVERITIES if name in kinds]
    origin = origin_text(report.source, report.format, report.keras_version)
    unseen = {note.layer for note in report.notes if note.layer is not None}
    left = [f"{plural(len(unseen), 'layer')} not checked"] if unseen else []
    heading = doc.title(report.model_name, (origin, ", ".join([*(counts or ["nothing found"]), *left])))
    notes = doc.notes_block(doc.noted(report.notes))
    return doc.Document((heading, *map(_section, groups.values()), notes, *missing_values(report.notes)))


def note_lines(report: CheckReport) -> list[str]:
    """Return which layers no rule could look at, and what was run, a line each: beside formats whose rows are
    findings."""
    notes = [(names_text(list(names), _MOST), message) for message, names in doc.noted(report.notes).items()]
    return [f"{report.source}: {f'{names}: not checked: ' if names else ''}{message}" for names, message in notes]


_MOST = 4
"""How many places of one rule, or layers of one note, are listed; of more, their number is given."""

_SEVERAL = 2
"""Findings that say the same are listed up to this number; of more, the first and how many there are."""


def _counted(severity: str, count: int) -> str:
    """Return `1 hint`, `2 hints`, `1 breaking`, `2 wrong`."""
    return plural(count, "hint") if severity == "hint" else f"{count:,} {severity.replace('breaks', 'breaking')}"


def _identical(findings: list[Finding]) -> list[list[Finding]]:
    """Return the findings of a rule in groups that say the same but for names and numbers."""
    return [*grouped((re.sub(r"'[^']*'|[\d,.]+", "", finding.message), finding) for finding in findings).values()]


def _section(groups: list[list[Finding]]) -> Section:
    first = groups[0][0]
    places = []
    for group in groups:
        shown = group if len(group) <= _SEVERAL else group[:1]
        places += [f"{_place(finding)}{finding.message}" for finding in shown]
        more = [finding.layer or "the model" for finding in group[len(shown) :]]
        if more:
            places[-1] += f"; likewise {len(more):,} more: {names_text(more, _MOST)}"
    count = sum(map(len, groups))
    beside = ", ".join(dict.fromkeys([first.severity, first.confidence])) + (f", {count:,} times" if count > 1 else "")
    heading = doc.Heading(2, (doc.Span(first.code, "name"),), beside=beside)
    points = Points(doc.lines(places))
    fix = () if first.fix == IN_MESSAGE else (first.fix,)
    keras = () if first.keras in ("", RAISES) else (f"Keras {first.keras}.",)  # "breaks" says that it is refused
    return Section((heading, points, doc.Prose((first.why, *fix, *keras))))


_FIRST = 3
"""Findings that an explanation begins with."""


def answers(lines: Sequence[str]) -> list[doc.Block]:
    """Return what computes the numbers that a question asks about, for the beginning of another document."""
    return [Section((doc.Heading(2, (doc.Span("asked"),)), Points(doc.lines(lines))))] if lines else []


def mistakes(found: Sequence[Finding]) -> list[doc.Block]:
    """Return the worst findings in two lines each, what is wrong and what to do, for the beginning of another
    document."""
    if not found:
        return []
    found = sorted(
        found, key=lambda finding: (SEVERITIES.index(finding.severity), CONFIDENCES.index(finding.confidence))
    )
    counts = [_counted(name, sum(finding.severity == name for finding in found)) for name in SEVERITIES]
    title = ", ".join([count for count in counts if not count.startswith("0 ")])
    more = f"{len(found) - _FIRST} more: layerexplain check" if len(found) > _FIRST else ""
    lines = []
    for finding in found[:_FIRST]:
        lines.append((doc.Span(f"{_place(finding)}{finding.message}"),))
        lines += [(doc.Span(f"→ {finding.fix}"),)] if finding.fix != IN_MESSAGE else []
    points = Points((*lines, *doc.lines([more])), tone="warning")
    return [Section((doc.Heading(2, (doc.Span(title),)), points))]


def _place(finding: Finding) -> str:
    """Return where a finding is: its line and its layer, unless the message names them."""
    column = f":{finding.column}" if finding.column else ""
    where = f"{finding.file or 'line'}{':' if finding.file else ' '}{finding.line}"
    is_named = finding.line is None or f"({where})" in finding.message
    parts = [] if is_named else [f"{where}{column}"]
    parts += [finding.layer] if finding.layer is not None and f"'{finding.layer}'" not in finding.message else []
    return f"{', '.join(parts)}: " if parts else ""


def rules(rules: Sequence[Rule]) -> Sheet:
    """Return what `check --list` prints."""

    def record(rule: Rule) -> dict[str, Any]:
        return {
            name: getattr(rule, name)
            for name in ("code", "name", "severity", "confidence", "why", "fix", "source", "keras")
        }

    return Sheet(
        document=lambda: doc.Document((doc.Table(_RULE_COLUMNS, rules),)),
        data=lambda: [record(rule) for rule in rules],
        records=lambda: map(record, rules),
        columns=_RULE_COLUMNS,
        rows=lambda: rules,
    )
