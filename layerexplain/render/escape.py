"""Escaping: what a file calls its layers must never steer a terminal, a spreadsheet or a markdown page.

Every text that leaves the program goes through `clean` (or, in JSON, through `json_safe`); the formats that have
a syntax of their own add `csv_cell`, `markdown_prose` or `markdown_code`.
"""

from __future__ import annotations

import re

# Patterns are compiled where they are first needed: at start-up each would cost half a millisecond.
_UNSAFE = (
    "["
    "\x00-\x1f\x7f-\x9f"  # C0 and C1 controls: ESC, CSI, backspace, newline
    "\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"  # bidirectional and invisible controls, zero-width space
    "\u2028\u2029\ufeff\ufff9-\ufffb"  # line and paragraph separators, byte order mark, annotations
    "\ud800-\udfff"  # lone surrogates: UTF-8 cannot carry them
    "\U000e0000-\U000e007f"  # tag characters, invisible
    "]"
)
_NOT_ASCII = r"[^\x00-\x7f]"
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}

_GLYPHS = {
    "█": "#", "→": "->", "←": "<-", "↦": "->", "×": "x", "·": "*", "⋅": "*", "⊙": "*", "∘": "o", "−": "-",
    "Σ": "sum", "∑": "sum", "Π": "prod", "∏": "prod", "√": "sqrt", "∞": "inf", "±": "+-", "∂": "d", "∥": "||",
    "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "≡": "==", "∈": "in", "∉": "not in", "∀": "all",
    "⌊": "floor(", "⌋": ")", "⌈": "ceil(", "⌉": ")", "…": "...", "–": "-", "—": "-", "‘": "'", "’": "'",
    "“": '"', "”": '"', "•": "*", "─": "-", "│": "|", "└": "`", "├": "|",
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "Δ": "Delta", "ε": "epsilon", "η": "eta",
    "θ": "theta", "λ": "lambda", "μ": "mu", "µ": "mu", "π": "pi", "ρ": "rho", "σ": "sigma", "τ": "tau",
    "φ": "phi", "Φ": "Phi", "ω": "omega", "Ω": "Omega",
    "⁻": "^-", "ᵀ": "^T", "ⁿ": "^n",
    **{glyph: f"^{digit}" for digit, glyph in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    **{glyph: f"_{digit}" for digit, glyph in enumerate("₀₁₂₃₄₅₆₇₈₉")},
    **{glyph: f"_{letter}" for letter, glyph in zip("aehijklmnoprstuvx", "ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True)},
}  # fmt: skip
_ASCII = str.maketrans(_GLYPHS)
_ROOT_OF_NUMBER = r"√(\d+(?:\.\d+)?|\w+)"

_FORMULA_START = tuple("=+-@\t\r＝＋－＠")
_PLAIN_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_MARKDOWN = r"([\\`*_\[\]<>|~#!$@])"


def clean(text: str, ascii_only: bool = False) -> str:
    """Return one printable line: control, bidirectional and other invisible characters become `\\x1b`-like escapes.

    With `ascii_only` mathematical signs are spelt out (`×` is `x`, `→` is `->`) and the rest is escaped.
    """
    if not text.isprintable():  # all unsafe characters are none that Python would print
        text = re.sub(_UNSAFE, _escaped, text)
    return to_ascii(text) if ascii_only else text


def to_ascii(text: str) -> str:
    """Return the same in ASCII: signs spelt out, accents dropped, anything else as `\\uXXXX`."""
    if text.isascii():
        return text
    if "√" in text:
        text = re.sub(_ROOT_OF_NUMBER, r"sqrt(\1)", text)
    text = text.translate(_ASCII)
    if text.isascii():
        return text
    import unicodedata

    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return plain.encode("ascii", "backslashreplace").decode("ascii")


def json_safe(encoded: str, ascii_only: bool) -> str:
    """JSON text whose unsafe characters are `\\uXXXX` escapes: it means the same, and nothing acts on a terminal.

    Only a lone surrogate changes, to U+FFFD, since strict parsers refuse it. The newlines between values are the
    encoder's own (those of strings are escaped already) and stay.
    """
    encoded = re.sub(_UNSAFE, lambda match: match[0] if match[0] == "\n" else _json_escape(match[0]), encoded)
    return re.sub(_NOT_ASCII, lambda match: _json_escape(match[0]), encoded) if ascii_only else encoded


def csv_cell(text: str) -> str:
    """Return a cell that no spreadsheet runs: one that starts like a formula, and is no plain number, gets a leading
    `'`. Some spreadsheets drop spaces in front."""
    inner = text.lstrip(" \xa0\u3000")
    if inner.startswith(_FORMULA_START) and not re.fullmatch(_PLAIN_NUMBER, inner):
        return "'" + text
    return text


def escaped(text: str) -> str:
    """Return a text in which nothing is read as markup of HTML or XML.

    >>> escaped('<b a="1">&')
    '&lt;b a=&quot;1&quot;&gt;&amp;'
    """
    for sign, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(sign, name)
    return text


def markdown_prose(text: str) -> str:
    """Return running text: every sign that markdown or HTML would read is escaped, and no address becomes a link."""
    text = re.sub(_MARKDOWN, r"\\\1", text.replace("&", "&amp;"))
    return text.replace("://", ":&#47;/").replace("www.", "www&#46;")


def markdown_code(text: str, in_table: bool = False) -> str:
    """Return a code span, fenced with more backticks than the text has in a row; `in_table` also escapes its pipes."""
    if not text:
        return ""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    if in_table:
        text = text.replace("|", "\\|")
    return f"{fence}{space}{text}{space}{fence}"


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    code = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(character: str) -> str:
    code = ord(character)
    if 0xD800 <= code < 0xE000:
        return r"\ufffd"
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
