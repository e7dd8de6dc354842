"""The normal form of a size: a sum of products over named sizes, in which equal sizes are written in one way.

`open_sizes.py` records how a size was computed, operation by operation. Here that record becomes `Terms`: numbers
first, like terms joined, powers, floors simplified. A product of sums stays a product (`C·F·(H - 2)·(W - 2)`) where
that is shorter than its expansion. Where it is known that a size is a multiple of 8, `floor(H/8)` is exactly `H/8`.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import gcd, lcm
from typing import TypeAlias

Atom: TypeAlias = "str | Floor | Rest | Sum"
Product: TypeAlias = "tuple[tuple[Atom, int], ...]"
"""Atoms with their powers, in the order of their texts."""

Remainders: TypeAlias = Mapping[str, tuple[int, int]]
"""What is known of named sizes: the size is `rest` more than a multiple of `by`."""


class Terms:
    """A sum of products, each with its factor: `{(("C", 1), ("k", 2)): 4, (): 1}` is `4·k²·C + 1`.

    A factor is a fraction only where the product is known to make the sum whole: `H/8` of a multiple of 8.
    """

    __slots__ = ("_expanded", "_key", "products")

    def __init__(self, products: Mapping[Product, Fraction | int] | None = None) -> None:
        self.products: dict[Product, Fraction] = {
            product: Fraction(factor) for product, factor in (products or {}).items() if factor
        }
        self._key: tuple[tuple[str, Fraction], ...] | None = None
        self._expanded: Terms | None = None

    def key(self) -> tuple[tuple[str, Fraction], ...]:
        """Return what two equal sums have in common."""
        if self._key is None:
            rows = [
                ("*".join([f"{_atom_key(atom)}^{power}" for atom, power in p]), f) for p, f in self.products.items()
            ]
            self._key = tuple(sorted(rows))
        return self._key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Terms) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())

    def __add__(self, other: Terms) -> Terms:
        products = dict(self.products)
        for product, factor in other.products.items():
            products[product] = products.get(product, Fraction(0)) + factor
        return Terms(products)

    def __neg__(self) -> Terms:
        return self.times(-1)

    def __sub__(self, other: Terms) -> Terms:
        return self + -other

    def times(self, factor: Fraction | int) -> Terms:
        """Return the sum multiplied by a number."""
        return Terms({product: own * factor for product, own in self.products.items()})

    def __mul__(self, other: Terms) -> Terms:
        """Return the product; one of two sums keeps both as factors."""
        if len(self.products) > 1 and len(other.products) > 1:
            (a, of_a), (b, of_b) = self._primitive(), other._primitive()
            return Terms({_multiplied(_multiplied(of_a[0], ((Sum(a), 1),)), ((Sum(b), 1),)): of_a[1]}) * Terms(
                {of_b[0]: of_b[1]}
            )
        products: dict[Product, Fraction] = {}
        for left, a_factor in self.products.items():
            for right, b_factor in other.products.items():
                product = _multiplied(left, right)
                products[product] = products.get(product, Fraction(0)) + a_factor * b_factor
        return Terms(products)

    def _primitive(self) -> tuple[Terms, tuple[Product, Fraction]]:
        """Return the sum without the factor that all its products share, and that factor."""
        shared, number = self.common_factor()
        return self.divided(shared, number), (shared, number)

    def common_factor(self) -> tuple[Product, Fraction]:
        """Return the largest product, with its number, that divides all products of the sum."""
        shared: dict[Atom, int] | None = None
        for product in self.products:
            powers = dict(product)
            shared = powers if shared is None else {a: min(n, powers[a]) for a, n in shared.items() if a in powers}
        numbers = [abs(factor) for factor in self.products.values()]
        by = lcm(*[number.denominator for number in numbers])
        number = Fraction(gcd(*[int(number * by) for number in numbers]), by) if numbers else Fraction(1)
        return _ordered(shared or {}), number

    def divided(self, product: Product, number: Fraction) -> Terms:
        """Return the sum divided by a product that divides all of it."""
        inverse = tuple([(atom, -power) for atom, power in product])
        return Terms({_multiplied(own, inverse): factor / number for own, factor in self.products.items()})

    @property
    def number(self) -> int | None:
        """The number that the sum is; None if it depends on named sizes."""
        if not self.products:
            return 0
        value = self.products.get(())
        return int(value) if value is not None and len(self.products) == 1 and value.denominator == 1 else None

    @property
    def only_atom(self) -> Atom | None:
        """The one atom that the sum consists of; None for others."""
        (product, factor), *more = [*self.products.items()] or [((), Fraction(0))]
        return product[0][0] if not more and factor == 1 and len(product) == 1 and product[0][1] == 1 else None

    def expanded(self) -> Terms:
        """Return the sum without products of sums: equal sizes have the same expansion."""
        if self._expanded is None:
            result = Terms()
            for product, factor in self.products.items():
                part = Terms({(): factor})
                for atom, power in product:
                    if not isinstance(atom, Sum):
                        part = Terms({_multiplied(own, ((atom, power),)): f for own, f in part.products.items()})
                        continue
                    for _ in range(power):
                        part = _expanded_product(part, atom.terms.expanded())
                result = result + part
            self._expanded = result
        return self._expanded

    def names(self) -> frozenset[str]:
        """Return the named sizes in the sum."""
        results: set[str] = set()
        for product in self.products:
            for atom, _ in product:
                results |= {atom} if isinstance(atom, str) else atom.names()
        return frozenset(results)

    def at(self, values: Mapping[str, int]) -> Fraction:
        """Return the value for numbers in place of the names."""
        total = Fraction(0)
        for product, factor in self.products.items():
            for atom, power in product:
                factor *= Fraction(values[atom] if isinstance(atom, str) else atom.at(values)) ** power
            total += factor
        return total


class Floor:
    """The largest whole number that a quotient is not below."""

    __slots__ = ("_key", "above", "below", "texts")

    def __init__(self, above: Terms, below: Terms) -> None:
        self.above = above
        self.below = below
        self.texts: dict[object, list[tuple[bool, bool, str]]] = {}
        """The ways to write it by the signs of `size_texts.py`, found once: quotients nest."""
        self._key = ""

    def key(self) -> str:
        """Return what two equal atoms have in common."""
        self._key = self._key or f"{type(self).__name__}({self.above.expanded().key()},{self.below.expanded().key()})"
        return self._key

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.key() == other.key()

    def __hash__(self) -> int:
        return hash(self.key())

    def names(self) -> frozenset[str]:
        """Return the named sizes in it."""
        return self.above.names() | self.below.names()

    def at(self, values: Mapping[str, int]) -> int:
        """Return the value for numbers in place of the names."""
        return self.above.at(values) // self.below.at(values)


class Rest(Floor):
    """What a division leaves."""

    __slots__ = ()

    def at(self, values: Mapping[str, int]) -> int:
        """Return the value for numbers in place of the names."""
        return int(self.above.at(values) % self.below.at(values))


class Least(Floor):
    """The smaller of two sizes."""

    __slots__ = ()

    def at(self, values: Mapping[str, int]) -> int:
        """Return the value for numbers in place of the names."""
        return int(min(self.above.at(values), self.below.at(values)))


class Sum:
    """A sum that is a factor."""

    __slots__ = ("terms",)

    def __init__(self, terms: Terms) -> None:
        self.terms = terms

    def key(self) -> str:
        """Return what two equal atoms have in common."""
        return f"Sum({self.terms.key()})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sum) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(self.key())

    def names(self) -> frozenset[str]:
        """Return the named sizes in it."""
        return self.terms.names()

    def at(self, values: Mapping[str, int]) -> Fraction:
        """Return the value for numbers in place of the names."""
        return self.terms.at(values)


def number_terms(value: int) -> Terms:
    """Return a number."""
    return Terms({(): value})


def name_terms(name: str) -> Terms:
    """Return a named size."""
    return Terms({((name, 1),): 1})


def floor_of(above: Terms, below: Terms, known: Remainders) -> Terms:
    """Return `above // below`: what the divisor divides stands outside the floor, a floor of a floor is one floor.

    >>> from layerexplain.lang.size_texts import text_of
    >>> H = name_terms("H")
    >>> text_of(floor_of(H - number_terms(2), number_terms(2), {}) + number_terms(1))
    'floor(H/2)'
    >>> text_of(floor_of(floor_of(H, number_terms(2), {}), number_terms(4), {"H": (8, 0)}))
    'H/8'
    """
    outside, inside, below = _divided(above.expanded(), below.expanded(), known)
    if not inside.products:
        return outside
    return outside + Terms({((Floor(inside, below), 1),): 1})


def rest_of(above: Terms, below: Terms, known: Remainders) -> Terms:
    """Return `above % below`."""
    above, below = above.expanded(), below.expanded()
    by = below.number
    if by is not None and by < 0:
        return -rest_of(-above, -below, known)
    _, inside = _reduced(above, below, known)
    if by is not None and inside.number is not None:
        return number_terms(inside.number)
    if by is not None and is_negative(inside, by):  # adding multiples of the divisor changes no rest
        inside = Terms({product: factor + by if factor < 0 else factor for product, factor in inside.products.items()})
    return Terms({((Rest(inside, below), 1),): 1}) if inside.products else inside


def without_floor(terms: Terms) -> Terms:
    """Return a sum that is below 0 where another is: `floor(a/b) + c` is where `a + b·c` is.

    >>> from layerexplain.lang.size_texts import text_of
    >>> text_of(without_floor(floor_of(name_terms("T") - name_terms("k"), name_terms("s"), {}) + number_terms(1)))
    'T + s - k'
    """
    constant = terms.products.get((), Fraction(0))
    atom = (terms - Terms({(): constant})).only_atom
    if type(atom) is not Floor or not (isinstance(atom.below.only_atom, str) or (atom.below.number or 0) > 0):
        return terms
    return atom.above + atom.below.times(constant)


def rest_in(terms: Terms) -> Terms | None:
    """Return `x % y` for a sum that is 0 where that is: a multiple of `x - y·floor(x/y)`, or of the rest itself.

    >>> from layerexplain.lang.size_texts import text_of
    >>> x, y = name_terms("dim"), name_terms("heads")
    >>> text_of(rest_in((x - y * floor_of(x, y, {})).times(9)) or x)
    '(dim % heads)'
    """
    plain = terms.expanded()._primitive()[0]
    for atom in [atom for product in plain.products for atom, _ in product if isinstance(atom, Floor)]:
        if type(atom) is Rest and plain.only_atom == atom:
            shared = (atom.above + atom.below).common_factor()
            above, below = atom.above.divided(*shared), atom.below.divided(*shared)
            return Terms({((Rest(above, below), 1),): 1})
        whole = (atom.above - atom.below * Terms({((atom, 1),): 1})).expanded()._primitive()[0]
        if type(atom) is Floor and plain in (whole, -whole):
            return Terms({((Rest(atom.above, atom.below), 1),): 1})
    return None


def least_of(a: Terms, b: Terms) -> Terms:
    """Return the smaller of two sizes.

    >>> from layerexplain.lang.size_texts import text_of
    >>> text_of(least_of(name_terms("T"), number_terms(100)).times(2))
    '2·min(T, 100)'
    """
    difference = (a - b).expanded().number
    if difference is not None:
        return a if difference <= 0 else b
    for terms, other in ((a, b), (b, a)):  # min(T, min(T, 100))
        least = other.only_atom
        if isinstance(least, Least) and terms in (least.above, least.below):
            return other
    return Terms({((Least(a, b), 1),): 1})


def _reduced(above: Terms, below: Terms, known: Remainders) -> tuple[Terms, Terms]:
    """Return what is whole in a quotient, whose divisor is not negative, and the numerator of the rest."""
    by = below.number
    outside, left = Terms(), Terms()
    if by is None:
        if len(below.products) == 1:
            (product, factor), *_ = below.products.items()
            parts = {p: f for p, f in above.products.items() if _divides(product, p) and (f / factor).denominator == 1}
            outside = Terms(parts).divided(product, factor)
            above = Terms({p: f for p, f in above.products.items() if p not in parts})
        elif above == below:
            return number_terms(1), Terms()
        return outside, above
    for product, factor in above.products.items():
        is_whole, rest = _whole_part(product, factor, by, known)
        outside, left = outside + is_whole, left + rest
    constant = left.products.get((), Fraction(0))
    whole = constant // by
    return outside + number_terms(int(whole)), left + Terms({(): -whole * by})


def _divided(above: Terms, below: Terms, known: Remainders) -> tuple[Terms, Terms, Terms]:
    """Return what is whole in a quotient, and the numerator and denominator of what is left under the floor."""
    by = below.number
    if by is not None and by < 0:
        return _divided(-above, -below, known)
    outside, left = _reduced(above, below, known)
    if by is None or left.number is not None:
        return outside, Terms() if by is not None else left, below
    lead = min(left.products.items(), key=lambda row: (-degree(row[0]), _product_key(row[0])))
    if lead[1] < 0:  # floor(-a/b) is -floor((a + b - 1)/b)
        more, inside, by_now = _divided(-left + number_terms(by - 1), below, known)
        return outside - more - Terms({((Floor(inside, by_now), 1),): 1} if inside.products else {}), Terms(), below
    for product, factor in left.products.items():
        inner = Terms({product: factor}).only_atom
        inner_by = inner.below.number if type(inner) is Floor else None
        if type(inner) is Floor and inner_by:  # a floor of a floor is one floor
            others = left - Terms({product: 1})
            more, inside, by_now = _divided(inner.above + others.times(inner_by), number_terms(inner_by * by), known)
            return outside + more, inside, by_now
    return outside, left, below


def _whole_part(product: Product, factor: Fraction, by: int, known: Remainders) -> tuple[Terms, Terms]:
    """Return what of a product divides by a number, divided, and the rest, which stays under the floor."""
    if not product:
        return Terms(), Terms({(): factor})
    multiple = 1
    for atom, power in product:
        step, rest = known.get(atom, (1, 0)) if isinstance(atom, str) else (1, 0)
        if rest == 0:
            multiple *= step**power
        elif product == ((atom, 1),) and (factor * step / by).denominator == 1:  # a size that is rest + step·m
            return Terms({product: factor / by, (): -factor * rest / by}), Terms({(): factor * rest})
    if (factor * multiple / by).denominator == 1:
        return Terms({product: factor / by}), Terms()
    quotient = int(factor / by)  # towards 0
    return Terms({product: quotient}), Terms({product: factor - quotient * by})


def _expanded_product(left: Terms, right: Terms) -> Terms:
    products: dict[Product, Fraction] = {}
    for a, a_factor in left.products.items():
        for b, b_factor in right.products.items():
            product = _multiplied(a, b)
            products[product] = products.get(product, Fraction(0)) + a_factor * b_factor
    return Terms(products)


def _multiplied(a: Product, b: Product) -> Product:
    powers = dict(a)
    for atom, power in b:
        powers[atom] = powers.get(atom, 0) + power
    return _ordered(powers)


def _ordered(powers: Mapping[Atom, int]) -> Product:
    rows = [(atom, power) for atom, power in powers.items() if power]
    return tuple(sorted(rows, key=lambda row: (not isinstance(row[0], str), -row[1], _atom_key(row[0]))))


def _divides(divisor: Product, product: Product) -> bool:
    powers = dict(product)
    return all(powers.get(atom, 0) >= power for atom, power in divisor)


def degree(product: Product) -> int:
    return sum(power for _, power in product)


def _product_key(product: Product) -> str:
    return "*".join([f"{_atom_key(atom)}^{power}" for atom, power in product])


def _atom_key(atom: Atom) -> str:
    return atom if isinstance(atom, str) else atom.key()


def is_negative(terms: Terms, by: int | None) -> bool:
    """Return whether all is subtracted above a divisor, but for a number that rounds up."""
    return all([factor < 0 for product, factor in terms.products.items() if product or by is None])
