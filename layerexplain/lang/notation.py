"""How an op is written: the kinds of notation, and one table of binding strengths for text, LaTeX and indices.

A printer asks the record for its kind and does the rest, so that no op writes its own brackets.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
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
    """`a + b`. `latex` joins the two sides."""

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


# Brackets -------------------------------------------------------------------------------------------------------


class Written(NamedTuple):
    """A text and how strongly it binds. `chain` are the symbols of the operators that stand in it at that strength
    outside of brackets: `a·b / c` has `/` and `*`."""

    text: str
    bind: int = ATOM
    chain: tuple[str, ...] = ()


UNLIKE: Final = ("?",)
"""The chain of a text that no operator of its strength takes without brackets on its right."""
PREFIXED: Final = ("f",)
"""That of `\\ln x`, which would take in a factor behind it."""

# The operators that may stand in an operand which binds as strongly, where people read it: a + (b - c) is a + b - c.
_ON_THE_LEFT: Final = {"*": {"*"}}  # the sign of a product is the closest, so that a / b·c would read as a / (b·c)
_ON_THE_RIGHT: Final = {"+": {"+", "-"}, "*": {"*", "/", *PREFIXED}}


def needs_brackets(
    notation: Infix | Prefix | Fraction, bind: int, *, right: bool = False, chain: Collection[str] | None = None
) -> bool:
    """Whether an operand that binds with the strength `bind` needs brackets.

    Without a `chain` the text is for a parser: what Python groups otherwise is bracketed, and no more. With one it is
    for people, who also know that sums and products may be grouped as one likes.
    """
    own = notation.bind
    if bind != own:
        return bind < own
    if own == COMPARE:
        return True
    if chain is None:
        return own != NEGATE and right != (own == POWER)
    if own in (POWER, NEGATE):
        return True
    allowed = _ON_THE_RIGHT.get(notation.symbol, ()) if right else _ON_THE_LEFT.get(notation.symbol, chain)
    return not all([symbol in allowed for symbol in chain])


def joined(
    notation: Infix | Fraction, left: Written, right: Written, sign: str, brackets: Callable[[str], str]
) -> Written:
    """Two operands with a sign between them, in brackets where people need them."""
    chain = [notation.symbol]
    texts = []
    for operand, is_right in ((left, False), (right, True)):
        if needs_brackets(notation, operand.bind, right=is_right, chain=operand.chain):
            texts.append(brackets(operand.text))
        else:
            texts.append(operand.text)
            chain += operand.chain if operand.bind == notation.bind else ()
    return Written(sign.join(texts), notation.bind, tuple(dict.fromkeys(chain)))
