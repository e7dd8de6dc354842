"""JSON and JSON Lines: the Report as it is, by the contract in docs/report.schema.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from layerexplain.render.columns import rows_of
from layerexplain.render.escape import json_safe
from layerexplain.report.data import LayerReport, Report


def json_text(reports: Sequence[Report], *, several: bool, nested: bool = False, ascii_only: bool = False) -> str:
    """One object, or with `several` an array of them; `nested` puts the layers of a nested model under `layers`.

    Laid out with a line for each layer, so that it can be read, searched and compared.
    """
    objects = [_laid_out(report.to_dict(nested=nested)) for report in reports]
    text = "[\n" + ",\n".join(objects) + "\n]" if several else objects[0]
    return json_safe(text, ascii_only) + "\n"


def json_lines(reports: Iterable[Report], *, nested: bool = False, ascii_only: bool = False) -> str:
    """A line a layer: its object with `source` and `model` in front; with `nested` also those inside nested models."""
    lines = [_line(row.report, row.layer) for report in reports for row in rows_of(report, nested)]
    return json_safe("".join(line + "\n" for line in lines), ascii_only)


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
