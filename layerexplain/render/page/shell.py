"""The HTML file around the data: style sheet and scripts as one file each, and the frame of `layerexplain view`."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any

from layerexplain.render.escape import clean, escaped
from layerexplain.render.graph.svg import THEMES

# Scripts ------------------------------------------------------------------------------------------------------------

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


# Shell --------------------------------------------------------------------------------------------------------------
# The HTML file around the data: one style sheet and the scripts, all named by their hashes in the policy of the
# page.


class Page(str):
    """A page as HTML, which a notebook shows in a frame of its own, with no access to what is around it."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return (
            f'<iframe srcdoc="{escaped(self)}" sandbox="allow-scripts allow-popups allow-modals" '
            'width="100%" height="720" style="border: 1px solid #8886; border-radius: 6px"></iframe>'
        )


def shell(data: Mapping[str, Any], title: str, start: str = "main", sheets: Sequence[str] = (), *weights: str) -> Page:
    """Return the page that shows `data`; `start` names the module of js/ that runs, `sheets` its own style sheets;
    `weights` are those of each model that runs in it, in base64."""
    style, code = styles("page", "reads", *sheets), script(start)
    policy = (
        f"default-src 'none'; script-src '{hashed(_STARTER)}' '{hashed(code)}'; style-src '{hashed(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), check_circular=False, default=str)
    packed = _packed(text.encode("utf-8", "replace"))
    stored = "".join([_stored(f"weights{at or ''}", text) for at, text in enumerate(weights) if text])
    title = _text(clean(title))
    return Page(
        f"{head(title, style, policy)}"
        f"<noscript>{_without_scripts(data)}</noscript>\n"
        f"{_stored('data', packed)}{stored}{_stored('code', _packed(code.encode()))}<script>{_STARTER}</script>\n"
        "</body>\n</html>\n"
    )


_STARTER = """
(async () => {
  const packed = Uint8Array.from(atob(document.getElementById("code").textContent), (sign) => sign.charCodeAt(0));
  const script = document.createElement("script");
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  script.textContent = await new Response(unpacked).text();
  document.getElementById("code").replaceWith(script);
})().catch((error) => document.body.append(`This page needs a browser of 2023 or later: ${error}`));
"""
"""What unpacks the script and starts it."""


_MOST_KINDS = 60
"""So many kinds of layers are told where scripts do not run; the script has them all."""


def _without_scripts(data: Mapping[str, Any]) -> str:
    """Return what a browser without scripts shows: the formulas of each model's layers, alike ones once."""
    parts = ["<p>This page draws a model with a script of its own, which this browser does not run.</p>"]
    for side in [data] if "layers" in data else [item for item in (data.get("before"), data.get("after")) if item]:
        kinds: dict[Any, list[Mapping[str, Any]]] = {}
        for at, layer in enumerate(side["layers"]):
            kinds.setdefault(layer.get("definition", -1 - at), []).append(layer)
        rows = "".join([_row(side, layers) for layers in [*kinds.values()][:_MOST_KINDS]])
        more = f"<p>{len(kinds) - _MOST_KINDS} more kinds of layers</p>" if len(kinds) > _MOST_KINDS else ""
        headings = "".join([f"<th>{item}" for item in ("Layer", "Formula", "Shape", "Parameters")])
        parts.append(f"<h2>{_text(side['model']['title'])}</h2><table><tr>{headings}{rows}</table>{more}")
    return "".join(parts)


def _row(side: Mapping[str, Any], layers: Sequence[Mapping[str, Any]]) -> str:
    first, number = layers[0], layers[0].get("definition")
    formula = [] if number is None else side["definitions"][number].get("formula", [])
    lines = "<br>".join([_text(line[0]) for line in formula]) or _text(first.get("operation", ""))
    alike = f" and {len(layers) - 1} alike" if len(layers) > 1 else ""
    params = "?" if first.get("params") is None else f"{first['params']:,}"
    return f"<tr><td>{_text(first['path'])}{alike}<td>{lines}<td>{_text(first.get('shape', ''))}<td>{params}"


def _text(text: str) -> str:
    return escaped(text).encode("ascii", "xmlcharrefreplace").decode()


def _packed(content: bytes) -> str:
    return b64encode(zlib.compress(content, 9)).decode()


def _stored(name: str, content: str) -> str:
    return f'<script type="application/octet-stream" id="{name}">{content}</script>\n'


def head(title: str, style: str, policy: str = "") -> str:
    """Return the beginning of a page of HTML; `title` is escaped."""
    rule = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n' if policy else ""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{rule}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n"
    )


@cache
def styles(*sheets: str) -> str:
    """Return the style sheets of that name, with the colours of pictures as variables of both themes."""
    light, dark = (_variables(THEMES[name]) for name in ("light", "dark"))
    colours = (
        f":root {{ color-scheme: light; {light} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root:not(.light) {{ color-scheme: dark; {dark} }} }}\n"
        f":root.dark {{ color-scheme: dark; {dark} }}\n"
        f"@media print {{ :root, :root.dark, :root:not(.light) {{ color-scheme: light; {light} }} }}\n"
    )
    here = Path(__file__).parent
    return colours + "".join([(here / f"{name}.css").read_text(encoding="utf-8") for name in sheets])


def _variables(theme: Any) -> str:
    colours = {
        "paper": theme.paper,
        "text": theme.text,
        "quiet": theme.muted,
        "line": theme.line,
        "frame": theme.frame,
        "plain": theme.plain,
        "fault": theme.fault,
    }
    plain = [f"--{name}: {colour};" for name, colour in colours.items()]
    families = [f"--of-{name}: {colour};" for name, colour in theme.families.items()]
    return " ".join([*plain, *families, *[f"--strong-{name}: {colour};" for name, colour in theme.strong.items()]])


def hashed(text: str) -> str:
    """Return the hash of a text as a content security policy names it."""
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


# Viewer -------------------------------------------------------------------------------------------------------------
# The frame that `layerexplain view` puts around a page: it shows what is at fault, and takes the next file.


def viewer() -> str:
    """Return the frame as HTML. Its script asks the server that it comes from, and nothing else."""
    return f"{head('layerexplain', styles('page', 'viewer'))}<script>{script('viewer')}</script>\n</body>\n</html>\n"


def policy_of(html: str) -> str:
    """Return the content security policy of a frame."""
    style, code = (re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)[0] for tag in ("style", "script"))
    return (
        f"default-src 'none'; script-src '{hashed(code)}'; style-src '{hashed(style)}'; connect-src 'self'; "
        "frame-src 'self'; base-uri 'none'; form-action 'none'"
    )
