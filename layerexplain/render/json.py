"""Formats for programs: JSON by the contracts in docs/*.schema.json, CSV and TSV, findings as annotations and SARIF."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from itertools import islice
from typing import Any

from layerexplain.records import NamedTuple
from layerexplain.render.document import Column
from layerexplain.render.escape import clean, csv_cell, json_safe
from layerexplain.render.layout import Look

# Json ---------------------------------------------------------------------------------------------------------------

_LINES = 1000
encoded = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
"""A value on one line. Raises ValueError for NaN and infinity, which JSON does not have."""


def json_value(value: Any, ascii_only: bool = False) -> str:
    """Return a report, laid out so that it can be read, searched and compared: a line for each field, and within lists
    of objects for each of them. A list of objects has a line for each of their fields."""
    if isinstance(value, list):
        return json_safe(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False), ascii_only)
    fields = []
    for name, field in value.items():
        text = encoded(field)
        if isinstance(field, list) and field and isinstance(field[0], dict):
            text = "[\n    " + ",\n    ".join(map(encoded, field)) + "\n  ]"
        fields.append(f"  {encoded(name)}: {text}")
    return json_safe("{\n" + ",\n".join(fields) + "\n}", ascii_only)


def json_lines(records: Iterable[dict[str, Any]], ascii_only: bool = False) -> Iterator[str]:
    """Yield a line for each record, in pieces of many lines."""
    waiting = iter(records)
    while lines := [encoded(record) + "\n" for record in islice(waiting, _LINES)]:
        yield json_safe("".join(lines), ascii_only)


# Delimited ----------------------------------------------------------------------------------------------------------
# CSV and TSV: one header, a row a layer.


def header(columns: Sequence[Column], delimiter: str) -> str:
    """Return the first line, which has the columns' names."""
    return delimiter.join([column.name for column in columns]) + "\n"


def delimited(columns: Sequence[Column], rows: Iterable[Any], delimiter: str, ascii_only: bool) -> Iterator[str]:
    """Yield the rows, in pieces of many lines."""
    import csv

    waiting = iter(rows)
    while some := list(islice(waiting, _LINES)):
        out = StringIO()
        writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
        writer.writerows([_guarded(column, column.data(row), ascii_only) for column in columns] for row in some)
        yield out.getvalue()


def _guarded(column: Column, text: str, ascii_only: bool) -> str:
    return text if column.is_number else csv_cell(clean(text, ascii_only))


# Annotations --------------------------------------------------------------------------------------------------------
# Findings as other programs show them on the lines of files: GitHub's annotations, SARIF 2.1.0.

_GITHUB = {"error": "error", "warning": "warning", "note": "notice"}

BEFORE = '{"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [\n'
AFTER = "\n]}\n"
"""What stands before and behind the runs of all sources in SARIF."""


class Annotation(NamedTuple):
    """A message on a place in a file: `level` is "error", "warning" or "note", `rule` the code of what found it."""

    file: str
    line: int | None
    level: str
    rule: str
    message: str
    help: str
    column: int | None = None


def github(annotations: Sequence[Annotation], look: Look) -> str:
    """Workflow commands, a line each: `::error file=spec.yaml,line=3,title=softmax-over-one::…`."""
    lines = []
    for annotation in annotations:
        line = f",line={annotation.line}" if annotation.line is not None else ""
        line += f",col={annotation.column}" if annotation.column is not None else ""
        place = f"file={_property(annotation.file)}{line},title={_property(annotation.rule)}"
        lines.append(f"::{_GITHUB[annotation.level]} {place}::{_data(f'{annotation.message} {annotation.help}')}\n")
    text = "".join(lines)
    return text if not look.ascii else "".join([clean(line, True) + "\n" for line in text.splitlines()])


def _data(text: str) -> str:
    return clean(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def sarif(annotations: Sequence[Annotation], look: Look) -> str:
    """Return one run of SARIF, with the rules that found something."""
    rules = [
        {"id": item, "help": {"text": text}}
        for item, text in {annotation.rule: annotation.help for annotation in annotations}.items()
    ]
    driver = {"name": "layerexplain", "rules": rules}
    run: dict[str, Any] = {"tool": {"driver": driver}, "results": [_result(annotation) for annotation in annotations]}
    return json_safe(json.dumps(run, ensure_ascii=False, indent=2), look.ascii)


def _result(annotation: Annotation) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": _uri(annotation.file)}}
    if annotation.line is not None:
        column = {} if annotation.column is None else {"startColumn": annotation.column}
        location["region"] = {"startLine": annotation.line, **column}
    return {
        "ruleId": annotation.rule,
        "level": annotation.level,
        "message": {"text": annotation.message},
        "locations": [{"physicalLocation": location}],
    }


def _uri(file: str) -> str:
    """Return the reference to a file as SARIF has it: that of a path has no signs with a meaning of their own."""
    from urllib.parse import quote

    return file if "://" in file else quote(file.replace("\\", "/"), safe="/~+@,=!$&'();*")
