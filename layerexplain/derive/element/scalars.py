"""Write scalars of the element form as text.

The role of an axis decides its letter, and no letter is also a symbol of the layer: n batch · t s r steps · i j l rows,
columns, planes · u v w inside windows · p q r summed positions · k output unit, filter, channel or feature · m input
unit or channel · a head · d per head · T the last step.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final

from layerexplain.lang import scalar as sc
from layerexplain.lang.axes import is_open
from layerexplain.lang.notation import (
    COMPARE,
    NEGATE,
    PRODUCT,
    SUM,
    UNLIKE,
    BoundText,
    Fraction,
    Infix,
    Prefix,
    bracketed_operands,
    needs_brackets,
    value_text,
)
from layerexplain.records import NamedTuple

LETTERS: Final = {
    "batch": "n",
    "steps": "tsr",
    "rows": "ijl",
    "columns": "jil",
    "planes": "lij",
    "window": "uvw",
    "interval": "uvw",
    "summed": "pqr",
    "inputs": "mkpq",
    "heads": "a",
    "per head": "d",
}
"""The letters of each role; the first free one is used."""

OTHERS: Final = "kepqrmuvwzijlsdagfoch"
"""Letters for other roles, such as units and channels, and for roles whose letters are all used."""


def choose(letters: Sequence[sc.Letter], taken: dict[sc.Letter, str], symbols: Collection[str]) -> dict[sc.Letter, str]:
    """Return `taken` with a name added for each of `letters`, different from all taken names and symbols; "" for the
    letter of an axis of size 1, which is printed as 0."""
    names = dict(taken)
    used = {name for name in names.values() if name}
    for letter in letters:
        if letter.size == 1:
            names[letter] = ""
            continue
        candidates = itertools.chain(LETTERS.get(letter.role, ""), OTHERS, (f"k{i}" for i in itertools.count(1)))
        names[letter] = next(name for name in candidates if name not in used and name not in symbols)
        used.add(names[letter])
    return names


# Text ---------------------------------------------------------------------------------------------------------

SIGNS: Final = {"sum": "Σ", "prod": "Π"}
LAST: Final = "T"
"""The last step of a sequence of unknown length."""
_GUARD: Final = 0
"""The weakest binding strength: `a where …, else b`."""


def number_text(value: Any) -> str:
    """Return a constant as text, without the `.0` of an integral float. No other number reads as a whole one.

    >>> number_text(3.0), number_text(0.1234567), number_text(0.9999999)
    ('3', '0.123457', '0.9999999')
    """
    if value is None or is_open(value) or isinstance(value, bool | tuple | str):
        return value_text(value)
    if value in (float("inf"), float("-inf")):
        return "∞" if value > 0 else "-∞"
    if value != value:
        return "nan"
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    texts = (f"{value:.{digits}g}" for digits in range(6, 18))
    text = next(text for text in texts if abs(value) >= 1e6 or not float(text).is_integer() or float(text) == value)
    digits, e, exponent = text.partition("e")
    return f"{digits}e{int(exponent)}" if e else digits


def index_parts(index: sc.Affine, names: Mapping[sc.Letter, str]) -> list[tuple[int, sc.Atom | None]]:
    """Return the factors and atoms of an index in the order in which they are written; the constant has no atom.
    Letters with the name "" are left out."""
    shown = [(factor, atom) for atom, factor in index.terms if not isinstance(atom, sc.Letter) or names.get(atom) != ""]
    parts: list[tuple[int, sc.Atom | None]] = sorted(shown, key=lambda part: part[0] < 0)
    if not index.const and parts:
        return parts
    constant = (index.const, None)
    return [constant, *parts] if parts and parts[0][0] < 0 else [*parts, constant]


def letter_name(letter: sc.Letter, names: Mapping[sc.Letter, str]) -> str:
    """Return the name of a letter."""
    return LAST if letter.role == "last step" else names[letter]


def index_text(
    index: sc.Affine, names: Mapping[sc.Letter, str], value: Callable[[sc.Scalar], str] | None = None
) -> str:
    """Return an index as text: `2i+u-1`, `8-t`, `k//20%5`.

    Args:
        index: The index.
        names: The names of its letters; a letter with the name "" is left out.
        value: Writes a value that is looked up.
    """
    result = ""
    for factor, atom in index_parts(index, names):
        if isinstance(atom, sc.Letter):
            text = letter_name(atom, names)
        elif isinstance(atom, sc.Lookup):
            text = value(atom.value) if value is not None else ""
        elif atom is None:
            text = ""
        else:
            of, simple = index_text(atom.of, names, value), len(atom.of.terms) == 1 and not atom.of.const
            text = f"{of if simple and atom.of.terms[0][1] == 1 else f'({of})'}{'%' if atom.rest else '//'}{atom.by}"
            text = text if abs(factor) == 1 else f"({text})"
        result += ("-" if factor < 0 else "+") + str(abs(factor)) * (atom is None or abs(factor) != 1) + text
    return result.removeprefix("+")


class IndexBound(NamedTuple):
    """What is written of the bounds of an index: `low ≤ index sign number`, without a `low` of None. `lies_inside`
    says that the upper bound is the size of the input, which is not known."""

    low: int | None
    sign: str
    number: int
    lies_inside: bool = False


def bound_of(c: sc.Between) -> IndexBound:
    """Return the bounds of a condition without those that always hold."""
    least, most = sc.bounds(c.index)
    if c.high is None:
        return IndexBound(None, "≥", c.low, True)
    if c.high == c.low + 1:
        return IndexBound(None, "=", c.low)
    if c.high < sc.BEYOND and least is not None and least >= c.low:
        return IndexBound(None, "<", c.high)
    if c.high >= sc.BEYOND or (most is not None and most < c.high):
        return IndexBound(None, "≥", c.low)
    return IndexBound(c.low, "<", c.high)


class ScalarWriter:
    """Write scalars as text; `symbols` are names that letters must not have."""

    def __init__(self, symbols: Collection[str]) -> None:
        self.symbols = symbols

    def written(self, e: sc.Scalar, names: dict[sc.Letter, str]) -> BoundText:
        """Return a scalar with its binding strength."""
        if isinstance(e, sc.Element):
            return BoundText(self.element(e, names))
        if isinstance(e, sc.Apply):
            return self.applied(e, [self.written(a, names) for a in e.args])
        if isinstance(e, sc.Number):
            text = self.number(e.value)
            return BoundText(text, NEGATE) if text.startswith("-") else BoundText(text)
        if isinstance(e, sc.Fold):
            return self.fold(e, names)
        if isinstance(e, sc.NamedFunction):
            definition = e.node.attrs["definition"]
            return self.function(definition.name, [self.written(a, names) for a in e.args], definition.attrs)
        if isinstance(e, sc.Position):
            text = self.index(e.index, names)
            if text.isdigit() or text.isalpha():
                return BoundText(text)
            return BoundText(text, PRODUCT, ("*",)) if text.isalnum() else BoundText(text, SUM, UNLIKE)
        return self.guard(e, names)

    def text(self, e: sc.Scalar, names: Mapping[sc.Letter, str]) -> str:
        """Return a scalar as text that stands alone."""
        return self.written(e, dict(names)).text

    def inside(self, e: sc.Fold, names: dict[sc.Letter, str]) -> dict[sc.Letter, str]:
        """Return the names of letters inside a sum."""
        return choose(e.letters, names, self.symbols)

    def fold(self, e: sc.Fold, names: dict[sc.Letter, str]) -> BoundText:
        """Return a sum over letters."""
        inside = self.inside(e, names)
        body = self.written(e.body, inside)
        letters = [letter for letter in e.letters if letter.size != 1]
        if not letters:
            return body
        over = [inside[letter] if letter.size is None else f"{inside[letter]}<{letter.size}" for letter in letters]
        text = body.text if body.bind > SUM else f"({body.text})"
        gap = " " if len(over) == 1 else "  "
        return BoundText(f"{SIGNS.get(e.kind, e.kind)} {', '.join(over)}{gap}{text}", SUM, ("+",))

    def condition(self, c: sc.Condition, names: dict[sc.Letter, str]) -> str:
        """Return a condition, without a bound that always holds."""
        if isinstance(c, sc.Holds):
            written = self.written(c.value, names)
            return written.text if written.bind >= COMPARE else f"({written.text})"
        index = self.index(c.index, names)
        if isinstance(c, sc.Divisible):
            return f"{c.by} divides {index}"
        low, relation, number, lies_inside = bound_of(c)
        front = "" if low is None else f"{low} ≤ "
        return f"{front}{index} {relation} {number}{' lies inside' * lies_inside}"

    def element(self, e: sc.Element, names: Mapping[sc.Letter, str]) -> str:
        """Return an element of a tensor."""
        raise NotImplementedError

    def number(self, value: Any) -> str:
        """Return a constant."""
        return number_text(value)

    def index(self, index: sc.Affine, names: Mapping[sc.Letter, str]) -> str:
        """Return an index."""
        return index_text(index, names, lambda scalar: self.text(scalar, names))

    def applied(self, e: sc.Apply, args: Sequence[BoundText]) -> BoundText:
        """Return an op applied to scalars."""
        notation = e.op.notation
        if isinstance(notation, Infix | Fraction):
            left, right = args
            sign = notation.symbol if isinstance(notation, Fraction) else notation.scalar or notation.symbol
            if e.op.name == "add" and right.text.startswith("-") and isinstance(e.args[1], sc.Number):
                sign, right = "-", BoundText(right.text[1:])
            (brackets, more), chain = bracketed_operands(notation, left, right)
            texts = [f"({left.text})" if brackets else left.text, f"({right.text})" if more else right.text]
            return BoundText((sign if sign in "·^" else f" {sign} ").join(texts), notation.bind, chain)
        if isinstance(notation, Prefix):
            (inner,) = args
            bare = not needs_brackets(notation, inner.bind, chain=inner.chain)
            return BoundText(notation.symbol + (inner.text if bare else f"({inner.text})"), notation.bind)
        return self.function(e.op.name, args, e.attrs)

    def function(self, name: str, args: Sequence[BoundText], attrs: Mapping[str, Any]) -> BoundText:
        """Return a function by its name."""
        alone = len(args) == 1
        parts = [a.text if a.bind > _GUARD or alone else f"({a.text})" for a in args]
        return BoundText(f"{name}({', '.join([*parts, *[f'{k}={value_text(v)}' for k, v in attrs.items()]])})")

    def guard(self, e: sc.Guard, names: dict[sc.Letter, str]) -> BoundText:
        """Return a choice."""
        return self.choice(e, self.written(e.body, names), self.text(e.otherwise, names), names)

    def choice(self, e: sc.Guard, body: BoundText, otherwise: str, names: dict[sc.Letter, str]) -> BoundText:
        """Return a choice whose two cases are written already."""
        where = " and ".join(self.condition(c, names) for c in e.conditions)
        text = f"({body.text})" if body.bind == _GUARD else body.text
        return BoundText(f"{text} where {where}, else {otherwise}", _GUARD)
