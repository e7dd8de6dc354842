"""The modules of js/ as one script: a browser loads no modules from a file beside the page, so they are joined."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from posixpath import dirname, join, normpath

_HERE = Path(__file__).parent / "js"
_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.\.?/[\w/]+)\.js";\n', re.MULTILINE)
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*(?:/\*\*.*?\*/|//[^\n]*)[ \t]*\n", re.MULTILINE | re.DOTALL)
_TYPE = re.compile(r"/\*\* .*? \*/ ?")


@cache
def script(start: str = "main") -> str:
    """Return the module `start` after all that it imports, each once, as one script in strict mode.

    Modules import with `import { a, b } from "./file.js";` alone, in run/ also from "../file.js", and export at the
    declaration; since all stand in one scope, no two declare the same name (tested). Comments on lines of their own,
    those that say types, and indents are left out, so no text goes over several lines. Signs that are not ASCII are
    written as JavaScript's escapes, so that a page can be printed in any encoding.
    """
    texts = [_INDENT.sub("", _TYPE.sub("", _COMMENT.sub("", text))).strip() for text in modules(start).values()]
    body = re.sub(r"^export ", "", "\n".join(texts), flags=re.MULTILINE)
    return f'(() => {{\n"use strict";\n{body}\n}})();\n'.encode("ascii", "backslashreplace").decode()


def modules(start: str) -> dict[str, str]:
    """Return the texts of a module and of all that it imports, without imports, each after those it needs."""
    texts: dict[str, str] = {}
    _add(start, texts, ())
    return texts


def _add(name: str, texts: dict[str, str], around: tuple[str, ...]) -> None:
    if name in texts:
        return
    if name in around:
        raise ValueError(f"modules import each other: {' imports '.join([*around, name])}")
    text = (_HERE / f"{name}.js").read_text(encoding="utf-8")
    for needed in _IMPORT.findall(text):
        _add(normpath(join(dirname(name), needed)), texts, (*around, name))
    texts[name] = _IMPORT.sub("", text)
