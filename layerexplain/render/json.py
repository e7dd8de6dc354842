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
    for one in annotations:
        line = f",line={one.line}" if one.line is not None else ""
        line += f",col={one.column}" if one.column is not None else ""
        place = f"file={_property(one.file)}{line},title={_property(one.rule)}"
        lines.append(f"::{_GITHUB[one.level]} {place}::{_data(f'{one.message} {one.help}')}\n")
    text = "".join(lines)
    return text if not look.ascii else "".join([clean(line, True) + "\n" for line in text.splitlines()])


def _data(text: str) -> str:
    return clean(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def sarif(annotations: Sequence[Annotation], look: Look) -> str:
    """Return one run of SARIF, with the rules that found something."""
    rules = [{"id": one, "help": {"text": text}} for one, text in {one.rule: one.help for one in annotations}.items()]
    driver = {"name": "layerexplain", "rules": rules}
    run: dict[str, Any] = {"tool": {"driver": driver}, "results": [_result(one) for one in annotations]}
    return json_safe(json.dumps(run, ensure_ascii=False, indent=2), look.ascii)


def _result(one: Annotation) -> dict[str, Any]:
    location: dict[str, Any] = {"artifactLocation": {"uri": _uri(one.file)}}
    if one.line is not None:
        column = {} if one.column is None else {"startColumn": one.column}
        location["region"] = {"startLine": one.line, **column}
    return {
        "ruleId": one.rule,
        "level": one.level,
        "message": {"text": one.message},
        "locations": [{"physicalLocation": location}],
    }


def _uri(file: str) -> str:
    """Return the reference to a file as SARIF has it: that of a path has no signs with a meaning of their own."""
    from urllib.parse import quote

    return file if "://" in file else quote(file.replace("\\", "/"), safe="/~+@,=!$&'();*")
