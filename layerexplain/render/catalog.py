"""The list of layer types, by family: what `layer` without a type prints."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from layerexplain.render.escape import clean, csv_cell, json_safe, markdown_code, markdown_prose
from layerexplain.render.layout import Look, pad, paint, width_of, wrap

Families = Mapping[str, Sequence[tuple[str, str, str]]]
"""Family → (type, its arguments as `units, use_bias=True`, one line) of each layer."""

_FIELDS = ("family", "type", "arguments", "description")


def catalog(families: Families, format: str, look: Look) -> str:
    """All types in one of the formats: json is an array of objects, jsonl one a line."""
    if format == "table":
        return _table(families, look)
    rows = [(family, *entry) for family, entries in families.items() for entry in entries]
    objects = [dict(zip(_FIELDS, row, strict=True)) for row in rows]
    if format == "json":
        return json_safe(json.dumps(objects, indent=2, ensure_ascii=False), look.ascii) + "\n"
    if format == "jsonl":
        return "".join(json_safe(json.dumps(item, ensure_ascii=False), look.ascii) + "\n" for item in objects)
    if format == "markdown":
        return _markdown(families, look)
    return _delimited(rows, "," if format == "csv" else "\t", look)


def _table(families: Families, look: Look) -> str:
    types = [clean(entry[0], look.ascii) for entries in families.values() for entry in entries]
    width = max(map(width_of, types), default=0)
    lines: list[str] = []
    for family, entries in families.items():
        if lines:
            lines.append("")
        lines.append(paint(clean(family, look.ascii), "bold", look))
        for type, _, words in entries:
            head = "  " + pad(clean(type, look.ascii), width) + "  "
            first, *others = wrap((head + clean(words, look.ascii)).rstrip(), look.width, hang=width + 2)
            lines.append(paint(first[: len(head)], "cyan", look) + first[len(head) :])
            lines += others
    return "\n".join(lines) + "\n"


def _markdown(families: Families, look: Look) -> str:
    lines: list[str] = []
    for family, entries in families.items():
        lines += [f"## {markdown_prose(clean(family, look.ascii))}", "", "| Layer | Does |", "| --- | --- |"]
        for type, arguments, words in entries:
            code = markdown_code(clean(f"{type}({arguments})", look.ascii), in_table=True)
            lines.append(f"| {code} | {markdown_prose(clean(words, look.ascii))} |")
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def _delimited(rows: Sequence[tuple[str, ...]], delimiter: str, look: Look) -> str:
    import csv
    from io import StringIO

    out = StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(_FIELDS)
    writer.writerows([csv_cell(clean(cell, look.ascii)) for cell in row] for row in rows)
    return out.getvalue()
