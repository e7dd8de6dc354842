"""Text inside LaTeX, by a whitelist: what is not known to be harmless there is spelt out.

TeX reads more than its ten special signs: `^^5c` is a backslash, and a control character may end a line.
"""

from __future__ import annotations

from typing import Final

_HARMLESS: Final = frozenset(" .,:;=+-*/()[]!?@'\"`")
"""ASCII that TeX prints as it is, beside letters and digits."""

_COMMANDS: Final = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
}


def escaped(text: str) -> str:
    """Return text as LaTeX prints it in text mode. Letters and signs outside of ASCII stay.

    >>> escaped("50% of a_b^^5c")
    '50\\\\% of a\\\\_b\\\\textasciicircum{}\\\\textasciicircum{}5c'
    """
    return text if text.isalnum() else "".join([_escaped(sign) for sign in text])


def _escaped(sign: str) -> str:
    if sign in _COMMANDS:
        return _COMMANDS[sign]
    if sign.isalnum() or sign in _HARMLESS or (not sign.isascii() and sign.isprintable()):
        return sign
    code = ord(sign)
    return _COMMANDS["\\"] + (f"x{code:02x}" if code < 0x100 else f"u{code:04x}")
