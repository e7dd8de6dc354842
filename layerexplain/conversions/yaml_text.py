"""Numbers and texts as YAML."""

from __future__ import annotations

import re
from typing import Any

from layerexplain.errors import SpecError

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")
_NOT_TEXT = re.compile(r"(?i)(null|none|true|false|~|\.?nan|[-+]?\.?inf|[-+.0-9].*)\Z")


def scalar(value: Any) -> str:
    """Return a number or a text as YAML reads it back; a text is quoted where it would be read as something else.

    >>> scalar(True), scalar("relu"), scalar("no: 1"), scalar(float("inf")), scalar(slice(1, None))
    ('true', 'relu', '"no: 1"', '.inf', '"1:"')
    """
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    if isinstance(value, str):
        plain = _WORD.match(value) and not _NOT_TEXT.match(value)
        return value if plain else quoted(value)
    if isinstance(value, float) and value - value != 0:
        return ".nan" if value != value else ".inf" if value > 0 else "-.inf"
    if isinstance(value, int | float):
        return repr(value)
    if value is Ellipsis:
        return quoted("...")
    if isinstance(value, slice):
        ends = [value.start, value.stop, *([] if value.step is None else [value.step])]
        return quoted(":".join(["" if one is None else str(one) for one in ends]))
    raise SpecError(f"a spec cannot express a value of the type {type(value).__name__}")


def quoted(text: str) -> str:
    """Return a text in double quotes, with what cannot be printed by its number.

    >>> quoted('a "b"'), quoted("\\x85")
    ('"a \\\\"b\\\\""', '"\\\\u0085"')
    """
    signs = {'"': '\\"', "\\": "\\\\"}
    return f'"{"".join([signs.get(c, c if c.isprintable() else _number(c)) for c in text])}"'


def _number(sign: str) -> str:
    code = ord(sign)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
