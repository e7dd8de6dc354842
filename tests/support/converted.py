"""What two Keras models must have in common to be the same configuration."""

import json
import re
from typing import Any

from layerexplain.layers.declaration import snake_case

_UNNAMED = "functional|sequential|model|input_layer|input"
_NOT_OF_IT = ("build_config", "build_input_shape", "compile_config", "shared_object_id")


def configuration(model: Any, *, names: bool = True) -> Any:
    """The configuration of a Keras model, or of its JSON, as plain data; without `names` that are automatic, which are
    numbered anew in each model."""
    return _plain(json.loads(model if isinstance(model, str) else model.to_json()), {}, names)


def _plain(value: Any, known: dict[str, str], names: bool) -> Any:
    if isinstance(value, dict):
        config = value.get("config")
        if not names and isinstance(config, dict) and isinstance(config.get("layers"), list):
            known = {**known}
            own: dict[str, str] = {}
            for item in config["layers"]:
                name, stem = item["config"].get("name"), snake_case(item["class_name"])
                # The functions of keras.ops take no names.
                is_operation = str(item.get("module")).startswith("keras.src.ops")
                if is_operation or re.fullmatch(rf"({stem}|{_UNNAMED})(_\d+)?", str(name)):
                    own[name] = f"{stem} number {len(own)}"
            inside = {key: _plain(one, own, names) for key, one in config.items() if key not in (*_NOT_OF_IT, "name")}
            name = str(config.get("name"))
            unnamed = re.fullmatch(rf"({_UNNAMED})(_\d+)?", name)
            called = known.get(name, "unnamed" if unnamed else name)
            outer = {key: _plain(one, known, names) for key, one in value.items() if key not in (*_NOT_OF_IT, "config")}
            return {**outer, "config": {**inside, "name": called}}
        return {key: _plain(one, known, names) for key, one in value.items() if key not in _NOT_OF_IT}
    if isinstance(value, list):
        return [_plain(one, known, names) for one in value]
    return known.get(value, value) if isinstance(value, str) else value
