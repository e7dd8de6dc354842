"""The table of weights in every format: text, markdown, JSON, JSON Lines, CSV and TSV."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from layerexplain.records import NamedTuple
from layerexplain.render.escape import clean, csv_cell, json_safe, markdown_code, markdown_prose
from layerexplain.render.fitting import Cells, fitted
from layerexplain.render.grid import GAP
from layerexplain.render.layout import Look, pad, paint, width_of, wrap
from layerexplain.render.quantities import bytes_text, count_text, names_text, plural
from layerexplain.render.weight_columns import COLUMNS, Column, Row, default_columns, rows_of
from layerexplain.report.weight_data import WeightTable

_STYLES = {"layer": "bold", "dtype": "dim", "role": "dim", "reach": "cyan"}
_LIKED = 44
"""How wide a column of a terminal's table likes to be at most."""
_DROPPED = ("reach", "infinities", "std", "dtype", "trainable", "zeros", "mean", "nans", "bytes")
"""What a terminal without room for all columns does without, in this order."""
_NAMES_SHOWN = 6
_ROLES = {
    "optimizer": "Optimizer state", "seed": "Random generators", "metric": "Metrics",
    "beside": "Beside the weights",
}  # fmt: skip


class WantedWeights(NamedTuple):
    """What an output is to have: as `Wanted` of `summary`, and whether what is no weight is listed too."""

    format: str = "table"
    columns: tuple[str, ...] | None = None
    state: bool = False
    several: bool = False


def weights_text(tables: Sequence[WeightTable], wanted: WantedWeights, look: Look) -> str:
    """All tables in one of the formats."""
    if wanted.format == "json":
        objects = [_laid_out(table.to_dict()) for table in tables]
        text = "[\n" + ",\n".join(objects) + "\n]" if wanted.several else objects[0]
        return json_safe(text, look.ascii) + "\n"
    if wanted.format == "jsonl":
        return json_safe("".join(_json_lines(table, wanted) for table in tables), look.ascii)
    if wanted.format in ("csv", "tsv"):
        return _delimited(tables, wanted, look)
    one = _markdown if wanted.format == "markdown" else _table
    return "\n".join(one(table, wanted, look) for table in tables)


def _chosen(table: WeightTable, wanted: WantedWeights) -> list[Column]:
    names = wanted.columns or default_columns(table, wanted.format, stats=table.stats, state=wanted.state)
    if wanted.format in ("csv", "tsv") and wanted.several and "source" not in names:
        names = ("source", *names)
    return [COLUMNS[name] for name in names]


# Text -----------------------------------------------------------------------------------------------------------


def _table(table: WeightTable, wanted: WantedWeights, look: Look) -> str:
    rows = list(rows_of(table, wanted.state))
    chosen = _chosen(table, wanted)
    grid = [[clean(column.shown(row), look.ascii) for row in rows] for column in chosen]
    if look.width is None:
        body = _plain(grid, chosen, look)
    else:
        cells = [
            Cells(
                column.name,
                clean(column.heading, look.ascii),
                texts,
                [_STYLES.get(column.name, "")] * len(texts),
                column.is_number,
                column.name in ("shape", "dtype"),
                _LIKED,
            )
            for column, texts in zip(chosen, grid, strict=True)
        ]
        body = fitted(cells, look, look.width, _DROPPED if wanted.columns is None else ())
    parts = [_heading(table, look), body, _totals(table, look), _notes(table, look)]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _plain(grid: list[list[str]], chosen: list[Column], look: Look) -> list[str]:
    """A line a weight, columns aligned, nothing cut or wrapped."""
    padded = []
    for column, cells in zip(chosen, grid, strict=True):
        lines = [clean(column.heading, look.ascii), *cells]
        width = max(map(width_of, lines))
        aligned = [pad(line, width, right=column.is_number) for line in lines]
        if look.color:
            style = _STYLES.get(column.name, "")
            aligned = [paint(aligned[0], "bold", look), *[paint(c, style, look) if style else c for c in aligned[1:]]]
        padded.append(aligned)
    return [GAP.join(cells).rstrip() for cells in zip(*padded, strict=True)]


def _heading(table: WeightTable, look: Look) -> list[str]:
    name, rest = _title(table)
    text = clean(name, look.ascii)
    first, *others = wrap(look.dot.join([text, *[clean(part, look.ascii) for part in rest]]), look.width)
    if first.startswith(text):
        first = paint(text, "bold", look) + paint(first[len(text) :], "dim", look)
    return [first, *[paint(line, "dim", look) for line in others]]


def _title(table: WeightTable) -> tuple[str, list[str]]:
    """What the table is of: the model, or the file of weights alone; how many weights; where from."""
    origin = f"{table.format}, Keras {table.keras_version}" if table.keras_version else table.format
    count = plural(len(table.weights), "weight")
    if table.model_name is None:
        return table.source, [count, origin]
    return table.model_name, [table.model_type or "", count, f"{table.source} ({origin})"]


def _facts(table: WeightTable) -> list[tuple[str, str, str]]:
    """(what, number, words) of the sums."""
    sums = table.totals
    split = ""
    if sums.params and sums.trainable is not None:
        split = f"trainable {count_text(sums.trainable)} · non-trainable {count_text(sums.non_trainable)}"
    dtypes = ", ".join(sorted({row.dtype for row in table.weights}))
    held = [f"{sums.bytes:,} bytes"] if sums.bytes is not None and sums.bytes >= 1000 else []
    facts = [
        ("Parameters", count_text(sums.params), split),
        ("Weights", bytes_text(sums.bytes), " · ".join([*held, *([dtypes] if dtypes else [])])),
    ]
    for role, label in _ROLES.items():
        rows = [row for row in table.state if row.role == role]
        if rows:
            words = f"{plural(len(rows), 'array')}, not counted"
            facts.append((label, bytes_text(sum(row.bytes for row in rows)), words))
    return facts


def _totals(table: WeightTable, look: Look) -> list[str]:
    facts = _facts(table)
    name_width = max(len(label) for label, _, _ in facts) + 1
    width = max(len(number) for _, number, _ in facts)
    lines = []
    for label, number, words in facts:
        head = f"{label:<{name_width}}{pad(number, width, right=True)}"
        first, *others = wrap(f"{head}  {clean(words, look.ascii)}".rstrip(), look.width, hang=len(head) + 2)
        lines.append(paint(label, "bold", look) + head[len(label) :] + paint(first[len(head) :], "dim", look))
        lines += [paint(line, "dim", look) for line in others]
    return lines


def _noted(table: WeightTable) -> dict[str, list[str]]:
    """Each message and the layers that it holds for."""
    holds_for: dict[str, list[str]] = {}
    for note in table.notes:
        names = holds_for.setdefault(note.message, [])
        if note.layer is not None and note.layer not in names:
            names.append(note.layer)
    return holds_for


def _notes(table: WeightTable, look: Look) -> list[str]:
    lines = []
    for message, names in _noted(table).items():
        text = f"{names_text(names, None if look.width is None else _NAMES_SHOWN)}: {message}" if names else message
        lines += wrap("  " + clean(text, look.ascii), look.width)
    return [paint("Notes", "bold", look), *lines] if lines else []


# Markdown -------------------------------------------------------------------------------------------------------


def _markdown(table: WeightTable, wanted: WantedWeights, look: Look) -> str:
    """Names, paths and expressions stand in code spans, where nothing is read as markup."""

    def prose(text: str) -> str:
        return markdown_prose(clean(text, look.ascii))

    def code(text: str, in_table: bool = False) -> str:
        return markdown_code(clean(text, look.ascii), in_table)

    name, rest = _title(table)
    chosen = _chosen(table, wanted)
    lines = [f"# {code(name)}", "", prose(" · ".join(part for part in rest if part)), ""]
    lines += _markdown_table(
        [prose(column.heading) for column in chosen],
        [
            [column.shown(row) if column.is_number else code(column.shown(row), True) for column in chosen]
            for row in rows_of(table, wanted.state)
        ],
        [column.is_number for column in chosen],
    )
    facts = [[label, number, prose(words)] for label, number, words in _facts(table)]
    lines += _markdown_table(["Total", "", ""], facts, [False, True, False])
    noted = _noted(table)
    if noted:
        lines += ["## Notes", ""]
        for message, names in noted.items():
            place = ", ".join(code(name) for name in names)
            lines.append(f"- {place}: {prose(message)}" if place else f"- {prose(message)}")
    return "\n".join(lines).rstrip("\n") + "\n"


def _markdown_table(headings: list[str], rows: list[list[str]], right: list[bool]) -> list[str]:
    rule = ["---:" if is_right else "---" for is_right in right]
    return [*[f"| {' | '.join(cells)} |" for cells in (headings, rule, *rows)], ""]


# Data -----------------------------------------------------------------------------------------------------------


def _encoded(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _laid_out(table: dict[str, Any]) -> str:
    """A line for each field, and within its lists for each item."""
    fields = []
    for name, value in table.items():
        text = _encoded(value)
        if isinstance(value, list) and value:
            text = "[\n    " + ",\n    ".join(map(_encoded, value)) + "\n  ]"
        fields.append(f"  {_encoded(name)}: {text}")
    return "{\n" + ",\n".join(fields) + "\n}"


def _json_lines(table: WeightTable, wanted: WantedWeights) -> str:
    """A line a weight: its object with `source`, `model` and `role` in front."""
    front = {"source": table.source, "model": table.model_name}
    lines = [_encoded({**front, "role": "weight", **row.to_dict(stats=table.stats)}) for row in table.weights]
    if wanted.state:
        lines += [_encoded({**front, **row.to_dict(stats=table.stats)}) for row in table.state]
    return "".join(line + "\n" for line in lines)


def _delimited(tables: Sequence[WeightTable], wanted: WantedWeights, look: Look) -> str:
    import csv
    from io import StringIO

    out = StringIO()
    writer = csv.writer(out, delimiter="," if wanted.format == "csv" else "\t", lineterminator="\n")
    columns = _chosen(tables[0], wanted)
    writer.writerow([column.name for column in columns])
    for table in tables:
        for row in rows_of(table, wanted.state):
            writer.writerow([_guarded(column, row, look) for column in columns])
    return out.getvalue()


def _guarded(column: Column, row: Row, look: Look) -> str:
    text = column.data(row)
    return text if column.is_number else csv_cell(clean(text, look.ascii))
