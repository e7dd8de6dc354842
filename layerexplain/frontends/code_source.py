"""A source of code with what is requested of it: `train.py:build_model`, `--set filters=64`.

It is the path as text, so that whoever names, opens or compares sources needs to know nothing of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from layerexplain.errors import ArgumentError
from layerexplain.frontends.opened import holds_code
from layerexplain.sources import is_elsewhere, is_remote

if TYPE_CHECKING:
    from layerexplain.model import Model
    from layerexplain.sources.names import Remote

OTHER_ENDINGS = (".keras", ".h5", ".hdf5", ".json", ".yaml", ".yml", ".pb", ".npz", ".safetensors")
"""Endings of files that are no code, which need not be opened to know that."""

_HEAD = 4096


class Piped(bytes):
    """The content of standard input."""


class CodeSource(str):
    """A path, and beside it the name of a model (`request`), values for names (`given`), and its content where that was
    read already, from standard input or from a URL (`content`)."""

    request: str
    given: Mapping[str, str]
    content: bytes | None

    def __new__(
        cls, path: str, request: str = "", given: Mapping[str, str] = MappingProxyType({}), content: bytes | None = None
    ) -> CodeSource:
        """Make one of a path."""
        source = super().__new__(cls, path)
        source.request, source.given, source.content = request, dict(given), content
        return source


def code_source(source: Any, given: Mapping[str, str] = MappingProxyType({})) -> Any:
    """Return a source with what is requested of it: `train.py:build(3)` is the file `train.py` and a request. A source
    without a request and without `given` values stays as it is.

    >>> code_source("model.keras")
    'model.keras'
    """
    if not isinstance(source, str) or isinstance(source, CodeSource) or hasattr(source, "fault"):
        return source
    if is_elsewhere(source):
        from layerexplain.sources.names import Remote, source_reference

        source = source_reference(source)
        if isinstance(source, Remote):
            return _code_behind(source, given)
    path, request = source, ""
    if source != "-" and ":" in source and not os.path.exists(source):
        at = source.find(":", 2 if source[1:2] == ":" and source[0].isalpha() else 0)
        if os.path.isfile(source[:at]) or source[:at] == "-":
            path, request = source[:at], source[at + 1 :]
    return CodeSource(path, request, given) if request or given else source


def _code_behind(source: Remote, given: Mapping[str, str]) -> Any:
    """Return a URL of code with what is requested of it, and with its content, which is fetched; any other URL as it
    is."""
    import re

    match = re.fullmatch(r"(.*\.(?:py|ipynb))(?::([^/:].*))?", source, re.DOTALL)
    if match is None:
        return source
    from layerexplain.errors import LayerExplainError
    from layerexplain.files.limits import MAX_CONFIG_BYTES
    from layerexplain.sources.remote import open_remote

    place = source.at(match[1])
    try:
        content = open_remote(place).read(MAX_CONFIG_BYTES)
    except LayerExplainError:  # whoever reads it says why
        return place
    return CodeSource(str(place), match[2] or "", given, content)


def named_source(source: Any) -> Any:
    """Return a path as text, a URL as `Remote`, what holds a file's bytes as bytes; any other source as it is."""
    if isinstance(source, bytearray | memoryview):
        return bytes(source)
    if isinstance(source, os.PathLike):
        return os.fsdecode(os.fspath(source))
    if isinstance(source, str) and not isinstance(source, CodeSource) and is_elsewhere(source):
        from layerexplain.sources.names import source_reference

        return source_reference(source)
    return source


def source_name(source: Any) -> str:
    """Return how messages and reports call a source: its path, `<stdin>`, or what kind of object it is."""
    source = named_source(source)
    if isinstance(source, str):
        if is_remote(source):
            return source
        return "<stdin>" if source == "-" else str(source)
    if isinstance(source, bytes):
        return "<stdin>" if isinstance(source, Piped) else "<bytes>"
    if isinstance(source, Mapping | list):
        return "<config>"
    return f"<{type(source).__name__}>"


def place_of(model: Model) -> str | None:
    """Return the path or URL that a model was read from, if it is there to be read again."""
    place = named_source(model.source)
    return place if is_remote(place) or os.path.exists(place) else None


def each_model(source: Any, given: Mapping[str, str] = MappingProxyType({})) -> list[Any]:
    """Return a source for each model of a source: of code that makes several models one for each, else itself."""
    source = code_source(source, given)
    if not isinstance(source, str) or source.endswith(OTHER_ENDINGS) or os.path.isdir(source):
        return [source]
    code = source if isinstance(source, CodeSource) else CodeSource(source)
    result = code.content if code.content is not None else _content(source)
    path = None if source == "-" else str(source)
    if result is None or (code.request and path is not None):
        return [source]
    content = result if path is None else code.content
    names = [code.request]
    if not code.request:
        from layerexplain.errors import LayerExplainError
        from layerexplain.frontends.code.reader import model_names

        with suppress(LayerExplainError):  # whoever reads it says why
            several = model_names(result, path, code.given)
            names = several if len(several) > 1 else names
    if names == [""] and content is None and not code.given:
        return [source]
    return [CodeSource(str(source), name, code.given, content) for name in names]


def main_model(source: Any, given: Mapping[str, str] = MappingProxyType({})) -> Any:
    """Return a source with what is requested of it: of code that makes several models it stands for the main one."""
    sources = each_model(source, given)
    if len(sources) == 1:
        return sources[0]
    first = sources[0]
    return CodeSource(str(first), "", first.given, first.content)


def piped(source: Any) -> Any:
    """Return what is read more than once: standard input whole, code with what is requested of it and anything else as
    bytes; any other source as it is."""
    if source != "-" or getattr(source, "content", None) is not None:  # code that was read already, to list its models
        return source
    from layerexplain.sources.regular_file import standard_input

    piped = Piped(standard_input())
    if holds_code(piped[:_HEAD], None):
        return CodeSource("-", getattr(source, "request", ""), getattr(source, "given", {}), piped)
    return piped


def _content(source: str) -> bytes | None:
    """Return the content of a source that is code; None for any other. Standard input is read only where it is code."""

    if source == "-":
        import sys

        peek = getattr(getattr(sys.stdin, "buffer", None), "peek", None)
        if peek is None or not holds_code(peek(_HEAD)[:_HEAD], None):
            return None
        from layerexplain.sources.regular_file import standard_input

        return standard_input()
    try:
        if not os.path.isfile(source):
            return None
        with open(source, "rb") as file:
            head = file.read(_HEAD)
            return head + file.read() if holds_code(head, source) and os.path.getsize(source) < 2**26 else None
    except OSError:
        return None


def pasted_text(source: Any) -> str:
    """Return a text that may have more than code: a question beside it. "" for a script, and for any other source."""
    if not isinstance(source, str | bytes) or (isinstance(source, str) and source.endswith((".py", *OTHER_ENDINGS))):
        return ""
    content = source if isinstance(source, bytes) else getattr(source, "content", None)
    if content is None and isinstance(source, str) and source != "-":
        content = _content(source)
    return "" if content is None or b"\0" in content[:_HEAD] else content.decode("utf-8", "replace")


_MOST_LETTERS = 100
"""Letters of what `--set` names that are read."""


def code_settings(texts: tuple[str, ...]) -> dict[str, str]:
    """Return what `--set NAME=VALUE` gives. Raises ArgumentError for a text without a name.

    >>> code_settings(("classes=10", "x_train.shape=60000,28,28"))
    {'classes': '10', 'x_train.shape': '60000,28,28'}
    >>> code_settings(('len(tokenizer.word_index)=5000', 'config["units"]=64'))
    {'len(tokenizer.word_index)': '5000', "config['units']": '64'}
    """
    settings: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        known = _setting_name(name.strip()) if equals else ""
        if not known:
            raise ArgumentError(
                f"--set: '{text}' is not of the form NAME=VALUE; write --set classes=10, or for a value without a name "
                "--set 'len(words)=5000'"
            )
        settings[known] = value.strip()
    return settings


def settings_in(text: str) -> dict[str, str]:
    """Return what a line of settings gives, NAME=VALUE and commas between, names as `--set` takes them.

    >>> settings_in('n=128, input=28,28,1, len(words)=5000, config["units"]=64')
    {'n': '128', 'input': '28,28,1', 'len(words)': '5000', "config['units']": '64'}
    """
    results: dict[str, str] = {}
    last = ""
    for part in _between_commas(text):
        left, equals, value = part.partition("=")
        name = _setting_name(left.strip()) if equals else ""
        if name:
            last, results[name] = name, value.strip()
        elif last:
            results[last] += f",{part.rstrip()}"
    return results


def _between_commas(text: str) -> list[str]:
    """Return the parts of a text between commas that stand in no brackets and no quotes."""
    parts, depth, quote = [""], 0, ""
    for item in text:
        if item in "\"'" and quote in ("", item):
            quote = "" if quote else item
        elif not quote and item in "()[]{}":
            depth = max(depth + (1 if item in "([{" else -1), 0)
        if item == "," and not quote and not depth:
            parts.append("")
        else:
            parts[-1] += item
    return parts


def _setting_name(text: str) -> str:
    """Return a name, or an expression as the reader writes it; "" for neither."""
    if all(part.isidentifier() for part in text.split(".")):
        return text
    import ast

    from layerexplain.frontends.code.machine.parts import setting_name

    with suppress(SyntaxError, ValueError, MemoryError, RecursionError):
        return setting_name(ast.parse(text[:_MOST_LETTERS], mode="eval").body)
    return ""
