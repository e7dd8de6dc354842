"""How an op is written: the kinds of notation, and one table of binding strengths for text, LaTeX and indices.

A printer asks the record for its kind and does the rest, so that no op writes its own brackets.
"""

from __future__ import annotations

from typing import Final

from layerexplain.records import NamedTuple

# Binding strengths, weakest first, as in Python, so that Python's parser reads what we print.
COMPARE: Final = 40
SUM: Final = 50
PRODUCT: Final = 60
NEGATE: Final = 70
POWER: Final = 80
ATOM: Final = 100


class Infix(NamedTuple):
    """`a + b`. `latex` joins the two sides; `chains` tells that a op (b op c) needs no brackets on the left only."""

    symbol: str
    bind: int
    latex: str
    scalar: str = ""
    """The sign in element forms, where it differs (`·` for `*`)."""


class Prefix(NamedTuple):
    """`-a`."""

    symbol: str
    bind: int
    latex: str


class Function(NamedTuple):
    """`name(a, b, key=value)`. `latex` is a template over `{0}`, `{1}`, …; "" makes an upright function name."""

    latex: str = ""


class Index(NamedTuple):
    """`E[ids]`: the first argument indexed by the second."""


class Slice(NamedTuple):
    """`x[..., 2:5]`: the first argument cut by the attribute `key`."""


class Fraction(NamedTuple):
    """`a / b` in text, a fraction in LaTeX."""

    symbol: str = "/"
    bind: int = PRODUCT


Notation = Infix | Prefix | Function | Index | Slice | Fraction
