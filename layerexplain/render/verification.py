"""What `verify` found, in every format: text, markdown, JSON, JSON Lines, CSV and TSV."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from layerexplain.oracle.verify_report import LayerCheck, ParameterCheck, VerifyReport
from layerexplain.records import NamedTuple
from layerexplain.render.escape import clean, csv_cell, json_safe, markdown_code, markdown_prose
from layerexplain.render.fitting import Cells, fitted
from layerexplain.render.grid import GAP
from layerexplain.render.layout import Look, pad, paint, width_of, wrap
from layerexplain.render.quantities import count_text, names_text, origin_text, plural, shapes_text

_STYLES = {"layer": "bold", "type": "dim"}
_NAMES_SHOWN = 6


_DROPPED = ("type", "params", "output_shapes")
"""What a terminal without room for all columns does without, in this order."""


class _Column(NamedTuple):
    """`shown` is the cell of a table, `data` that of a file."""

    name: str
    heading: str
    shown: Callable[[LayerCheck], str]
    data: Callable[[LayerCheck], str]
    is_number: bool = False


def _words(name: str, heading: str, get: Callable[[LayerCheck], str]) -> _Column:
    return _Column(name, heading, get, get)


def _name(check: LayerCheck) -> str:
    return check.path if check.call == 0 else f"{check.path} (call {check.call})"


def _result(check: LayerCheck) -> str:
    status = "DIFFERS" if check.status == "differs" else check.status
    return f"{status}: {check.reason}" if check.reason else status


def _shapes(check: LayerCheck) -> str:
    shapes = check.keras_output_shapes or check.output_shapes
    return "" if shapes is None else shapes_text(shapes)


def _flag(value: bool | None) -> str:
    return {True: "true", False: "false", None: ""}[value]


def _far(check: LayerCheck) -> str:
    return "" if check.difference is None else "0" if check.difference == 0 else f"{check.difference:.1e}"


_COLUMNS = (
    _words("layer", "Layer", _name),
    _words("type", "Type", lambda check: check.type),
    _words("output_shapes", "Output shape", _shapes),
    _Column(
        "params",
        "Parameters",
        lambda check: "" if check.params is None else count_text(check.params),
        lambda check: "" if check.params is None else str(check.params),
        is_number=True,
    ),
    _Column(
        "difference", "Difference", _far, lambda check: "" if check.difference is None else repr(check.difference),
        is_number=True,
    ),
    _words("result", "Result", _result),
)  # fmt: skip

_DATA_COLUMNS = (
    _words("layer", "Layer", lambda check: check.layer),
    _words("type", "Type", lambda check: check.type),
    _words("path", "Path", lambda check: check.path),
    _Column("call", "Call", lambda check: str(check.call), lambda check: str(check.call), is_number=True),
    _words("status", "Status", lambda check: check.status),
    _COLUMNS[2],
    _words("shapes_agree", "Shapes agree", lambda check: _flag(check.shapes_agree)),
    _COLUMNS[3],
    _words("weights_agree", "Weights agree", lambda check: _flag(check.weights_agree)),
    _COLUMNS[4],
    _Column("tolerance", "Tolerance", lambda c: repr(c.tolerance), lambda c: repr(c.tolerance), is_number=True),
    _words("reason", "Reason", lambda check: check.reason),
)


def verification_text(reports: Sequence[VerifyReport], format: str, several: bool, look: Look) -> str:
    """All reports in one of the formats; `several` says that several sources were asked for."""
    if format == "json":
        objects = [_laid_out(report.to_dict()) for report in reports]
        text = "[\n" + ",\n".join(objects) + "\n]" if several else objects[0]
        return json_safe(text, look.ascii) + "\n"
    if format == "jsonl":
        lines = [
            _encoded({"source": report.source, "model": report.model_name, **check.to_dict()})
            for report in reports
            for check in report.layers
        ]
        return json_safe("".join(line + "\n" for line in lines), look.ascii)
    if format in ("csv", "tsv"):
        return _delimited(reports, "," if format == "csv" else "\t", several, look)
    one = _markdown if format == "markdown" else _table
    return "\n".join(one(report, look) for report in reports)


# Text -----------------------------------------------------------------------------------------------------------


def _table(report: VerifyReport, look: Look) -> str:
    grid = [[clean(column.shown(check), look.ascii) for check in report.layers] for column in _COLUMNS]
    width = look.width
    body = _plain(grid, report.layers, look) if width is None else _fitted(grid, report.layers, look, width)
    heading, *rest = [clean(part, look.ascii) for part in _title(report)]
    title = wrap(look.dot.join([heading, *rest]), look.width)
    title[0] = paint(heading, "bold", look) + paint(title[0][len(heading) :], "dim", look)
    closing = [line for text in _closing(report) for line in wrap(clean(text, look.ascii), look.width)]
    parts = [title, body, closing, _notes(report, look)]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _title(report: VerifyReport) -> list[str]:
    origin = origin_text(report.source, report.format, report.keras_version)
    # What trace calls them: only a live model has weights that are in no file.
    whose = "of the file" if report.weights == "of the model" and report.format != "keras-model" else report.weights
    against = f"Keras {report.keras} on {report.backend}"
    return [report.model_name, report.model_type, origin, against, f"weights {whose}, seed {report.seed}"]


def _closing(report: VerifyReport) -> list[str]:
    """The sums, in words: the calls, then the model end to end."""
    agree, differ, other = (len(report.of(status)) for status in ("agrees", "differs", "not compared"))
    counted = f"{agree:,} of {plural(len(report.layers), 'call')} {'agrees' if agree == 1 else 'agree'}"
    text = f"{counted}, {differ:,} {'differs' if differ == 1 else 'differ'}, {other:,} not compared."
    worst = max([c for c in report.layers if c.difference is not None], key=_apart, default=None)
    if worst is not None and worst.difference is not None:
        text += (
            f" Largest difference: {worst.difference:.1e} of the output's largest value, in {worst.path} "
            f"(tolerance {worst.tolerance:.1e})."
        )
    whole = report.whole
    result: str = "DIFFERS" if whole.status == "differs" else whole.status
    if whole.difference is not None:
        result += f", {whole.difference:.1e} (tolerance {whole.tolerance:.1e})"
    if whole.reason:
        result += f": {whole.reason}"
    return [text, f"The model end to end: {result}", _parameters(report.parameters)]


def _parameters(check: ParameterCheck) -> str:
    here, keras = ("not known" if n is None else f"{n:,}" for n in check)
    return f"Parameters: {'DIFFER, ' if check.agree is False else ''}{here} here, {keras} in Keras"


def _apart(check: LayerCheck) -> float:
    return 0.0 if check.difference is None else check.difference


def _plain(grid: list[list[str]], checks: Sequence[LayerCheck], look: Look) -> list[str]:
    """A line a call, columns aligned, nothing cut or wrapped."""
    padded = []
    for column, cells in zip(_COLUMNS, grid, strict=True):
        lines = [clean(column.heading, look.ascii), *cells]
        width = max(map(width_of, lines))
        aligned = [pad(line, width, right=column.is_number) for line in lines]
        if look.color:
            styled = [_styled(column, check) for check in checks]
            painted = [paint(c, style, look) if style else c for c, style in zip(aligned[1:], styled, strict=True)]
            aligned = [paint(aligned[0], "bold", look), *painted]
        padded.append(aligned)
    return [GAP.join(cells).rstrip() for cells in zip(*padded, strict=True)]


def _fitted(grid: list[list[str]], checks: Sequence[LayerCheck], look: Look, width: int) -> list[str]:
    """The table of a terminal `width` columns wide."""
    cells = [
        Cells(
            column.name,
            clean(column.heading, look.ascii),
            texts,
            [_styled(column, check) for check in checks],
            column.is_number,
            column.name == "output_shapes",
        )
        for column, texts in zip(_COLUMNS, grid, strict=True)
    ]
    return fitted(cells, look, width, _DROPPED)


def _styled(column: _Column, check: LayerCheck) -> str:
    if column.name == "result":
        return {"agrees": "", "differs": "yellow", "not compared": "dim"}[check.status]
    return _STYLES.get(column.name, "")


def _noted(report: VerifyReport) -> dict[str, list[str]]:
    """Each message and the layers that it holds for."""
    holds_for: dict[str, list[str]] = {}
    for note in report.notes:
        names = holds_for.setdefault(note.message, [])
        if note.layer is not None and note.layer not in names:
            names.append(note.layer)
    return holds_for


def _notes(report: VerifyReport, look: Look) -> list[str]:
    lines = []
    for message, names in _noted(report).items():
        text = f"{names_text(names, None if look.width is None else _NAMES_SHOWN)}: {message}" if names else message
        lines += wrap("  " + clean(text, look.ascii), look.width)
    return [paint("Notes", "bold", look), *lines] if lines else []


# Markdown and data ----------------------------------------------------------------------------------------------


def _markdown(report: VerifyReport, look: Look) -> str:
    """Names, types and shapes stand in code spans, where nothing is read as markup."""

    def prose(text: str) -> str:
        return markdown_prose(clean(text, look.ascii))

    def cell(column: _Column, check: LayerCheck) -> str:
        text = column.shown(check)
        if column.is_number:
            return text
        return prose(text) if column.name == "result" else markdown_code(clean(text, look.ascii), True)

    name, *rest = _title(report)
    rows = [[cell(column, check) for column in _COLUMNS] for check in report.layers]
    rule = ["---:" if column.is_number else "---" for column in _COLUMNS]
    lines = [f"# {markdown_code(clean(name, look.ascii))}", "", prose(" · ".join(rest)), ""]
    lines += [f"| {' | '.join(cells)} |" for cells in ([c.heading for c in _COLUMNS], rule, *rows)]
    for text in _closing(report):
        lines += ["", prose(text)]
    noted = _noted(report)
    if noted:
        lines += ["", "## Notes", ""]
        for message, names in noted.items():
            place = ", ".join(markdown_code(clean(one, look.ascii)) for one in names)
            lines.append(f"- {place}: {prose(message)}" if place else f"- {prose(message)}")
    return "\n".join(lines) + "\n"


def _encoded(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _laid_out(report: dict[str, Any]) -> str:
    """A line for each field, and within its lists for each item."""
    fields = []
    for name, value in report.items():
        text = _encoded(value)
        if isinstance(value, list) and value:
            text = "[\n    " + ",\n    ".join(map(_encoded, value)) + "\n  ]"
        fields.append(f"  {_encoded(name)}: {text}")
    return "{\n" + ",\n".join(fields) + "\n}"


def _delimited(reports: Sequence[VerifyReport], delimiter: str, several: bool, look: Look) -> str:
    import csv
    from io import StringIO

    out = StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow([*(["source"] if several else []), *[column.name for column in _DATA_COLUMNS]])
    for report in reports:
        front = [csv_cell(clean(report.source, look.ascii))] if several else []
        for check in report.layers:
            cells = [
                column.data(check) if column.is_number else csv_cell(clean(column.data(check), look.ascii))
                for column in _DATA_COLUMNS
            ]
            writer.writerow([*front, *cells])
    return out.getvalue()
