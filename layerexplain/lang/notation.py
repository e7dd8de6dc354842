"""The notation of ops: its kinds, one table of binding strengths for text, LaTeX and indices, attributes as text.

Printers read the kind of notation from the op's record and add brackets themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from layerexplain.lang.axes import Batch
from layerexplain.lang.tables import table_shape
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from layerexplain.lang.latex import Node

# Binding strengths, weakest first, the same as Python's, so that Python's parser can read the printed text.
COMPARE: Final = 40
SUM: Final = 50
PRODUCT: Final = 60
NEGATE: Final = 70
POWER: Final = 80
ATOM: Final = 100


class Infix(NamedTuple):
    """`a + b`. `typeset` is the sign between the two sides; "" is a thin space."""

    symbol: str
    bind: int
    typeset: str
    scalar: str = ""
    """The sign in element forms if it differs (`·` for `*`)."""


class Prefix(NamedTuple):
    """`-a`."""

    symbol: str
    bind: int


class FunctionNotation(NamedTuple):
    """`name(a, b, key=value)`. `typeset` is its tree (lang/latex.py), in which numbers stand for the arguments; None
    is an upright name with the arguments in brackets. What reads as one sign, such as a root, is an `is_atom`."""

    typeset: Node = None


class Index(NamedTuple):
    """`E[ids]`: the first argument indexed by the second."""


class Slice(NamedTuple):
    """`x[..., 2:5]`: the first argument cut by the attribute `key`."""


class Fraction(NamedTuple):
    """`a / b` in text, a fraction in LaTeX."""

    symbol: str = "/"
    bind: int = PRODUCT


Notation = Infix | Prefix | FunctionNotation | Index | Slice | Fraction


# Brackets -------------------------------------------------------------------------------------------------------


class BoundText(NamedTuple):
    """A text and its binding strength. `chain` are the symbols of its operators with that strength outside of
    brackets: `/` and `*` for `a·b / c`."""

    text: str
    bind: int = ATOM
    chain: tuple[str, ...] = ()


UNLIKE: Final = ("?",)
"""The chain of a text that needs brackets to the right of any operator of its strength."""
PREFIXED: Final = ("f",)
"""The chain of `\\ln x`, which would absorb a factor after it."""

# Operators that need no brackets in an operand of equal strength, in text for people: a + (b - c) is a + b - c.
_ON_THE_LEFT: Final = {"*": {"*"}}  # the product sign looks closest, so that a / b·c would be read as a / (b·c)
_ON_THE_RIGHT: Final = {"+": {"+", "-"}, "*": {"*", "/", *PREFIXED}}


def needs_brackets(
    notation: Infix | Prefix | Fraction, bind: int, *, right: bool = False, chain: Collection[str] | None = None
) -> bool:
    """Return whether an operand of binding strength `bind` needs brackets.

    Without a `chain`, the text is for Python's parser and gets only the brackets that it needs. With a `chain`, it is
    for people, who know that sums and products are associative.
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


class Binding(Protocol):
    """What decides on brackets: see `BoundText`."""

    @property
    def bind(self) -> int: ...
    @property
    def chain(self) -> tuple[str, ...]: ...


def bracketed_operands(
    notation: Infix | Fraction, left: Binding, right: Binding
) -> tuple[tuple[bool, bool], tuple[str, ...]]:
    """Return which of two operands people need brackets around, and the chain of the whole."""
    chain = [notation.symbol]
    needed = []
    for operand, is_right in ((left, False), (right, True)):
        needed.append(needs_brackets(notation, operand.bind, right=is_right, chain=operand.chain))
        if not needed[-1]:
            chain += operand.chain if operand.bind == notation.bind else ()
    return (needed[0], needed[1]), tuple(dict.fromkeys(chain))


_MOST_ITEMS = 100
"""A table of more numbers is written as its shape."""


def _count(value: Any) -> int:
    return sum(map(_count, value)) if isinstance(value, tuple) else 1


def value_text(value: Any) -> str:
    """Return an attribute as text."""
    if isinstance(value, Batch):
        return repr(value)
    if isinstance(value, tuple):
        if len(value) > _MOST_ITEMS or (value and isinstance(value[0], tuple) and _count(value) > _MOST_ITEMS):
            return f"constant{value_text(table_shape(value) or (len(value),))}"
        inner = ", ".join(value_text(v) for v in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "1e999" if value > 0 else "-1e999"
    return repr(value)


def key_text(key: Sequence[Any]) -> str:
    """Return the key of a slice as text: `..., 2:5`."""
    parts = []
    for k in key:
        if k is Ellipsis:
            parts.append("...")
        elif isinstance(k, slice):
            start, stop = ("" if v is None else str(v) for v in (k.start, k.stop))
            parts.append(f"{start}:{stop}" + ("" if k.step is None else f":{k.step}"))
        else:
            parts.append(str(k))
    return ", ".join(parts)
