"""JSON bytes → Python values, and a number or list typed as text; every way in which it can be bad is one
`SourceError`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from layerexplain.errors import SourceError
from layerexplain.files.limits import MAX_CONFIG_BYTES, MAX_DIGITS, MAX_JSON_VALUES
from layerexplain.model import ForeignFunction, Layer

# Json text ----------------------------------------------------------------------------------------------------------

_SURROGATE = r"\\u[dD][89abAB]"
_ANY_DIGIT = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER = b"0" * (MAX_DIGITS + 2)


class TooManyValues(SourceError):
    """What is refused before it is read, whatever else is wrong with it."""


def parse_json(data: bytes | str, what: str = "the text") -> Any:
    """Return the value that the text states. NaN and Infinity pass, since Keras writes them.

    `what` names the text in messages ("config.json", "the attribute model_config"). Raises SourceError for what
    is too large, not UTF-8, not JSON, nested too deeply, or holds an absurdly long integer or half a character.
    """
    import json  # a spec in YAML needs `decode_utf8` alone

    if len(data) > MAX_CONFIG_BYTES:
        raise SourceError(f"{what} has {len(data):,} bytes; a configuration needs at most {MAX_CONFIG_BYTES:,}")
    text = data if isinstance(data, str) else decode_utf8(data, what)
    # Every value but the first of a list or mapping follows a comma, and an empty list takes fifty bytes of memory.
    values = sum([text.count(mark) for mark in ",[{"]) if len(text) > MAX_JSON_VALUES else 0
    if values > MAX_JSON_VALUES:
        words = f"{what} is JSON with about {values:,} values; a configuration needs at most {MAX_JSON_VALUES:,}"
        raise TooManyValues(words)
    # A function called for every integer costs more than the whole parse, so it is used only where it may matter.
    digits = (text.encode("utf-8", "surrogatepass") if isinstance(data, str) else data).translate(_ANY_DIGIT)
    check = _checked_int if _LONG_NUMBER in digits else None
    try:
        value = json.loads(text, parse_int=check)
        if "\\u" in text and re.search(_SURROGATE, text):
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise SourceError(f"{what} is not valid JSON at {place}: {error.msg[:1].lower()}{error.msg[1:]}") from None
    except RecursionError:
        raise SourceError(f"{what} is nested too deeply to be a model's configuration") from None
    except UnicodeEncodeError:
        raise SourceError(f"{what} holds half a character (a lone surrogate); text needs whole characters") from None
    except ValueError as error:
        raise SourceError(f"{what} is not a configuration: {error}") from None
    return value


def decode_utf8(data: bytes, what: str) -> str:
    """Return the text of UTF-8 bytes, without a byte order mark. Raises SourceError with the line of the first bad
    byte."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise SourceError(f"{what} is UTF-16; save it as UTF-8", line=1)
    data = data.removeprefix(b"\xef\xbb\xbf")  # a byte order mark
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        bad = data[error.start]
        raise SourceError(f"{what} is not UTF-8 (byte 0x{bad:02x}); save it as UTF-8", line=line) from None


def _checked_int(digits: str) -> int:
    if len(digits) > MAX_DIGITS + 1:
        raise ValueError(f"an integer has {len(digits):,} digits; sizes need at most {MAX_DIGITS}")
    return int(digits)


# Value text ---------------------------------------------------------------------------------------------------------
# Values of configurations as text: in messages, and as the arguments of a class that is not known.

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
