"""The modules of js/ as one script: a browser loads no modules from a file beside the page, so they are joined."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent / "js"
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*(?:/\*\*.*?\*/|//[^\n]*)[ \t]*\n", re.MULTILINE | re.DOTALL)


@cache
def script(start: str = "main") -> str:
    """The module `start` behind all that it imports, each once, as one script in strict mode.

    Modules import with `import { a, b } from "./file.js";` alone and export at the declaration; since all stand in one
    scope, no two declare the same name (tested). Comments on lines of their own are left out. Signs that are not ASCII
    are written as JavaScript's escapes, so that a page can be printed in any encoding.
    """
    texts: dict[str, str] = {}
    _add(start, texts, ())
    body = "\n".join(texts.values())
    return f'(() => {{\n"use strict";\n{body}\n}})();\n'.encode("ascii", "backslashreplace").decode()


def _add(name: str, texts: dict[str, str], around: tuple[str, ...]) -> None:
    if name in texts:
        return
    if name in around:
        raise ValueError(f"modules import each other: {' imports '.join([*around, name])}")
    text = (_HERE / f"{name}.js").read_text(encoding="utf-8")
    for needed in _IMPORT.findall(text):
        _add(needed, texts, (*around, name))
    text = _COMMENT.sub("", _IMPORT.sub("", text))
    texts[name] = re.sub(r"^export ", "", text, flags=re.MULTILINE).strip()
