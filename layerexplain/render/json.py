"""JSON and JSON Lines: the Report as it is, by the contract in docs/report.schema.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from layerexplain.render.columns import rows_of
from layerexplain.render.escape import json_safe
from layerexplain.report.data import LayerReport, Report

_LINES = 1000


def json_object(report: Report, *, nested: bool = False, ascii_only: bool = False) -> str:
    """The report as one object; `nested` puts the layers of a nested model under `layers`.

    Laid out with a line for each layer, so that it can be read, searched and compared.
    """
    return json_safe(_laid_out(report.to_dict(nested=nested)), ascii_only)


def json_lines(report: Report, *, nested: bool = False, ascii_only: bool = False) -> Iterator[str]:
    """A line a layer: its object with `source` and `model` in front; with `nested` also those inside nested models.
    In pieces of many lines."""
    rows = rows_of(report, nested)
    while lines := [_line(report, row.layer) + "\n" for row in islice(rows, _LINES)]:
        yield json_safe("".join(lines), ascii_only)


def _line(report: Report, layer: LayerReport) -> str:
    return _encoded({"source": report.source, "model": report.model_name, **layer.to_dict()})


def _encoded(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _laid_out(report: dict[str, Any]) -> str:
    """A line for each field, and within its lists for each item."""
    fields = []
    for name, value in report.items():
        text = _encoded(value)
        if isinstance(value, list) and value:
            text = "[\n    " + ",\n    ".join(map(_encoded, value)) + "\n  ]"
        fields.append(f"  {_encoded(name)}: {text}")
    return "{\n" + ",\n".join(fields) + "\n}"
