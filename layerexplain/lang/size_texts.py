"""How a size is written, plain, as Python or in LaTeX: numbers first, a common factor out where that is shorter."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import lcm
from typing import Final, TypeAlias

from layerexplain.lang.size_terms import (
    Atom,
    Floor,
    Least,
    Product,
    Rest,
    Sum,
    Terms,
    degree,
    is_negative,
    number_terms,
)

_SUPERSCRIPTS: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_Way: TypeAlias = tuple[bool, bool, str]
"""How a product is written: whether all names are subtracted inside a floor, whether a minus stands before it, and its
text."""


class Signs:
    """How sizes are written: `times` between factors, powers, and floors."""

    times = "·"

    def number(self, number: int) -> str:
        """Return a number."""
        return f"{number:,}"

    def power(self, base: str, power: int) -> str:
        """Return a power of a factor."""
        return base if power == 1 else base + str(power).translate(_SUPERSCRIPTS)

    def name(self, name: str) -> str:
        """Return a named size."""
        return name

    def quotient(self, above: str, below: str) -> str:
        """Return a quotient that is whole."""
        return f"{above}/{below}"

    def floors(self, atom: Floor) -> list[_Way]:
        """Return the ways to write a quotient that is rounded: as `floor((H - k)/2)`, and as `-ceil((k - H)/2)`."""
        by, ways = atom.below.number, [(False, "floor", atom.above), (True, "ceil", -atom.above)]
        if by is not None:
            up = atom.above - number_terms(by - 1)
            ways += [(False, "ceil", up), (True, "floor", -up)]
        return [
            (is_negative(inside, by), minus, f"{word}({self._inside(inside, atom.below)})")
            for minus, word, inside in ways
        ]

    def rest(self, atom: Rest) -> str:
        """Return what a division leaves."""
        return f"({self._inside(atom.above, atom.below, ' % ')})"

    def _inside(self, above: Terms, below: Terms, sign: str = "/") -> str:
        return f"{_bracketed(text_of(above, self))}{sign}{_bracketed(text_of(below, self), for_divisor=True)}"


class _Python(Signs):
    """Sizes as expressions of Python, whole wherever the conditions hold."""

    times = "*"

    def number(self, number: int) -> str:
        return str(number)

    def power(self, base: str, power: int) -> str:
        return base if power == 1 else f"{base}**{power}"

    def quotient(self, above: str, below: str) -> str:
        return f"{above}//{below}"

    def floors(self, atom: Floor) -> list[_Way]:
        by, ways = atom.below.number, [(False, atom.above)]
        if by is not None:
            ways.append((True, number_terms(by - 1) - atom.above))
        return [
            (is_negative(inside, by), minus, f"({self._inside(inside, atom.below, '//')})") for minus, inside in ways
        ]


class _LatexSigns(Signs):
    r"""Sizes in LaTeX: `\lfloor H / 2 \rfloor`."""

    times = r" \cdot "

    def power(self, base: str, power: int) -> str:
        return base if power == 1 else f"{base}^{{{power}}}"

    def name(self, name: str) -> str:
        return name if len(name) == 1 else rf"\mathrm{{{_escaped(name)}}}"

    def floors(self, atom: Floor) -> list[_Way]:
        ways = [(is_negative, minus, text.split("(", 1)) for is_negative, minus, text in super().floors(atom)]
        return [(a, b, rf"\l{word} {inside.removesuffix(')')} \r{word}") for a, b, (word, inside) in ways]

    def rest(self, atom: Rest) -> str:
        return super().rest(atom).replace("%", r"\bmod")


def _escaped(name: str) -> str:
    return "".join([f"\\{letter}" if letter in "_#$%&{}" else letter for letter in name])


PLAIN: Final = Signs()
PYTHON: Final = _Python()
LATEX: Final = _LatexSigns()


def text_of(terms: Terms, signs: Signs = PLAIN) -> str:
    """Return a size as text: the shortest of its forms, with or without a common factor, expanded or not.

    >>> from layerexplain.lang.size_terms import name_terms
    >>> u, m = name_terms("u"), name_terms("m")
    >>> text_of((u * m + u * u + u).times(4))
    '4·u·(m + u + 1)'
    >>> text_of(name_terms("C") * name_terms("F").times(9) + name_terms("F"), PYTHON)
    '9*C*F + F'
    """
    forms = [terms]
    if any(isinstance(atom, Sum) for product in terms.products for atom, _ in product):
        forms.append(terms.expanded())
    texts = [text for form in forms for text in (_sum_text(form, signs), _factored_text(form, signs)) if text]
    return min(texts, key=len)


def _sum_text(terms: Terms, signs: Signs) -> str:
    by = lcm(*[factor.denominator for factor in terms.products.values()])
    if by > 1 and (len(terms.products) > 1 or signs is PYTHON):
        above = _sum_text(terms.times(by), signs)
        return signs.quotient(_bracketed(above) if len(terms.products) > 1 or signs is PYTHON else above, str(by))
    rows = []
    for product, factor in terms.products.items():
        is_negative, part = _term_text(product, factor, signs)
        rows.append((is_negative, -degree(product), not all(isinstance(atom, str) for atom, _ in product), part))
    rows.sort(key=lambda row: (row[1], row[0], *row[2:]))
    if rows and rows[0][0]:
        rows.sort(key=lambda row: row[0])
    text = ""
    for is_negative, *_, part in rows:
        if not text:
            text = f"-{part}" if is_negative else part
        else:
            text += f" - {part}" if is_negative else f" + {part}"
    return text or "0"


def _factored_text(terms: Terms, signs: Signs) -> str:
    if len(terms.products) < 2:
        return ""
    product, number = terms.common_factor()
    if (not product and number == 1) or number.denominator > 1:
        return ""
    is_negative, outer = _term_text(product, number, signs)
    inner = _sum_text(terms.divided(product, -number if is_negative else number), signs)
    return inner if outer == "1" else f"{outer}{signs.times}({inner})"


def _term_text(product: Product, factor: Fraction, signs: Signs) -> tuple[bool, str]:
    """Return whether a minus stands before a product with its factor, and its text. Of the ways to write a quotient
    that is rounded it has the one in which not all names are subtracted, then the one that needs no minus before it,
    then the shortest: the order of names, on which the normal form depends, is not seen."""
    ways: list[_Way] = [(False, factor < 0, "")]
    for atom, power in product:
        own = [(False, False, _atom_text(atom, signs))] if isinstance(atom, str | Sum) else _ways(atom, signs)
        ways = [
            (a or b, minus is not (more and power % 2 == 1), (text and text + signs.times) + signs.power(base, power))
            for a, minus, text in ways
            for b, more, base in own
        ]
        ways = sorted(ways, key=lambda way: (*way[:2], len(way[2]), way[2].count("ceil"), way[2]))[:16]
    _, is_negative, text = ways[0]
    number = abs(factor.numerator)
    if number != 1 or not text:
        text = f"{signs.number(number)}{signs.times}{text}" if text else signs.number(number)
    return is_negative, text if factor.denominator == 1 else signs.quotient(text, str(factor.denominator))


def _ways(atom: Floor, signs: Signs) -> list[_Way]:
    if signs not in atom.texts:
        atom.texts[signs] = signs.floors(atom) if type(atom) is Floor else [(False, False, _atom_text(atom, signs))]
    return atom.texts[signs]


def _atom_text(atom: Atom, signs: Signs) -> str:
    if isinstance(atom, Sum):
        return f"({text_of(atom.terms, signs)})"
    if isinstance(atom, Least):
        return f"min({text_of(atom.above, signs)}, {text_of(atom.below, signs)})"
    return signs.rest(atom) if isinstance(atom, Rest) else signs.name(str(atom))


def _bracketed(text: str, *, for_divisor: bool = False) -> str:
    """Return a text in parentheses, unless it binds as strongly as what stands around it."""
    return f"({text})" if is_compound(text, " */·%" if for_divisor else " ") else text


def is_compound(text: str, breaking: Iterable[str] = " ") -> bool:
    """Return whether a text has one of some characters outside of parentheses.

    >>> is_compound("floor((H - 2)/3)"), is_compound("H - 1")
    (False, True)
    """
    depth = 0
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if depth == 0 and letter in breaking:
            return True
    return False
