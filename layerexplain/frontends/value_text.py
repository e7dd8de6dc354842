"""Values of configurations as text: in messages, and as the arguments of a class that is not known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.model import ForeignFunction, Layer

_MOST_ARGUMENTS = 24
_MOST_ITEMS = 8
_LONGEST_TEXT = 40
_BESIDE = frozenset({"name", "trainable", "dtype", "layers", "variables", "group"})


def arguments_text(config: Any) -> str:
    """Return the arguments of a configuration, those that are None left out; "" where there are none."""
    if not isinstance(config, Mapping):
        return ""
    shown = [(str(key), value) for key, value in config.items() if key not in _BESIDE and value is not None]
    parts = [f"{key[:_LONGEST_TEXT]}={value_text(value)}" for key, value in shown[:_MOST_ARGUMENTS]]
    return ", ".join(parts + ["…"] * (len(shown) > _MOST_ARGUMENTS))


def value_text(value: Any, deep: bool = False) -> str:
    """Return one argument: numbers and short texts as they are, an object by its class."""
    if isinstance(value, Layer):
        return f"{value.type}(…)"
    if isinstance(value, ForeignFunction):
        return value.name[:_LONGEST_TEXT]
    if isinstance(value, Mapping):
        class_name = value.get("class_name")
        if not isinstance(class_name, str):
            return "{…}" if value else "{}"
        return f"{class_name[:_LONGEST_TEXT]}({'…' if value.get('config') else ''})"
    if isinstance(value, list | tuple):
        if deep:
            return "[…]" if value else "[]"
        items = [value_text(item, True) for item in value[:_MOST_ITEMS]]
        return f"[{', '.join(items + ['…'] * (len(value) > _MOST_ITEMS))}]"
    text = repr(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 1]}…"


def kind_of_value(value: Any) -> str:
    """Return a value's kind in the words of a message: `a list`, `the text 'x'`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {short_text(value)}"
    if isinstance(value, int | float):
        return f"the number {short_text(value)}"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "an object" if isinstance(value, dict) else f"a {type(value).__name__}"


def short_text(value: Any) -> str:
    """Return a value in a message, not too long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
