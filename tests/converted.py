"""What two Keras models must have in common to be the same configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from layerexplain.layers.declaration import snake_case

UNNAMED = "functional|sequential|model|input_layer|input"


def configuration(model: Any, *, names: bool = True) -> Any:
    """The configuration of a Keras model as plain data; without `names` that are automatic, which are numbered anew."""
    found = json.loads(model.to_json())
    for gone in ("compile_config", "build_config"):
        found.pop(gone, None)
    counts: dict[str, str] = {}
    if not names:
        for item in _objects(found):
            name = item["config"].get("name")
            stem = snake_case(item["class_name"])
            if isinstance(name, str) and re.fullmatch(rf"({stem}|{UNNAMED})(_\d+)?", name):
                counts.setdefault(name, f"{stem} number {len(counts)}")
    return _plain(found, counts)


def _objects(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        if "class_name" in value and isinstance(value.get("config"), dict) and value["class_name"] != "__keras_tensor__":
            yield value
        for one in value.values():
            yield from _objects(one)
    elif isinstance(value, list):
        for one in value:
            yield from _objects(one)


def _plain(value: Any, counts: dict[str, str]) -> Any:
    if isinstance(value, dict):
        skip = ("build_config", "build_input_shape", "compile_config", "shared_object_id")
        return {key: _plain(one, counts) for key, one in value.items() if key not in skip}
    if isinstance(value, list):
        return [_plain(one, counts) for one in value]
    return counts.get(value, value) if isinstance(value, str) else value
