"""JSON and JSON Lines: a report's own data, by the contracts in docs/*.schema.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from layerexplain.render.escape import json_safe

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
