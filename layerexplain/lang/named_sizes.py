"""Sizes with names, as they are shown: `H/8`, `9·C·F + F`. What a run with open sizes gave, written over their names.

A run (`open_sizes.Recording`) gives numbers that know how they were computed, texts with marks, and conditions.
`SizeNames` knows what the conditions say of the named sizes (H is a multiple of 8), and turns numbers into `NamedSize`
and marks into text.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from typing import Any, cast

from layerexplain.lang.axes import OpenNumber
from layerexplain.lang.open_sizes import MARKS, OpenSize, Sizes
from layerexplain.lang.size_terms import Remainders, Terms, floor_of, least_of, name_terms, number_terms, rest_of
from layerexplain.lang.size_texts import LATEX, PLAIN, PYTHON, Signs, is_compound, text_of
from layerexplain.records import Record

_MARK = re.compile(f"{MARKS[0]}([0-9]+),?{MARKS[1]}")
_TWICE = re.compile(r"(?:^|(?<=: ))([^=;:]+) = \1(?=$|;)")
"""`H - k + 1 = H - k + 1`: a calculation that is its own result."""

_LETTER = re.compile("[a-z](?![a-z])")
"""An index behind a number is multiplied by it: `2t` is `s·t` of a size."""

_BINDS_LEFT = "·*/×^%-−+"
_BINDS_RIGHT = "·*/×^%²³"

_AS_PYTHON = frozenset({"operation", "formula", "text", "computes"})
"""Fields of reports in which formulas stand, in the formula language."""

_AS_LATEX = frozenset({"latex", "element_latex"})


class NamedSize(OpenNumber):
    """A size as an expression over named sizes: `str`, arithmetic and equality are those of the expression. For
    `isinstance` it is an int. What is compared otherwise goes the way of the example.

    >>> H = SizeNames({"H": 224}, Sizes()).size("H")
    >>> str(H // 2 * 3), (H - 2) // 2 + 1 == H // 2, H.python
    ('3·floor(H/2)', True, 'H')
    """

    __slots__ = ("names", "terms")
    __class__ = property(lambda self: int)  # what isinstance asks

    def __init__(self, terms: Terms, names: SizeNames) -> None:
        self.terms = terms
        self.names = names

    @property
    def example(self) -> int:
        """The value where the named sizes are their examples."""
        return int(self.terms.at(self.names.examples))

    @property
    def python(self) -> str:
        """The size as an expression of Python over the names."""
        return text_of(self.terms, PYTHON)

    def smaller(self, other: int) -> int:
        """Return the smaller of this size and another."""
        terms = _terms(other)
        return self.exact() if terms is None else self.names.plain(least_of(self.terms, terms))

    def exact(self, why: str = "") -> int:
        """Refuse: the size is no number. Raises TypeError."""
        raise TypeError(f"{self} has no number; report.at({', '.join([f'{n}=…' for n in sorted(self.terms.names())])})")

    def __str__(self) -> str:
        return text_of(self.terms, PLAIN)

    def __repr__(self) -> str:
        return str(self)

    def __format__(self, spec: str) -> str:
        return format(str(self), re.sub(r"[,d]", "", spec))

    def __hash__(self) -> int:
        return hash(self.terms.expanded())

    def __reduce__(self) -> Any:
        return NamedSize, (self.terms, self.names)

    def __deepcopy__(self, known: Any) -> NamedSize:
        return self

    def __bool__(self) -> bool:
        return bool(self.terms.products)

    def __eq__(self, other: object) -> bool:
        terms = _terms(other)
        return terms is not None and self.terms.expanded() == terms.expanded()

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: Any) -> bool:
        return bool(self.example < _example(other))

    def __le__(self, other: Any) -> bool:
        return bool(self == other or self < other)

    def __gt__(self, other: Any) -> bool:
        return bool(self.example > _example(other))

    def __ge__(self, other: Any) -> bool:
        return bool(self == other or self > other)

    def __pos__(self) -> NamedSize:
        return self

    def __neg__(self) -> int:
        return self.names.plain(-self.terms)

    def __add__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: a + b)

    __radd__ = __add__

    def __mul__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: a * b)

    __rmul__ = __mul__

    def __sub__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: b - a)

    def __floordiv__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: floor_of(a, b, self.names.remainders))

    def __rfloordiv__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: floor_of(b, a, self.names.remainders))

    def __mod__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: rest_of(a, b, self.names.remainders))

    def __rmod__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: rest_of(b, a, self.names.remainders))

    def __truediv__(self, other: Any) -> float:
        """Return the ratio to a size of which this one is a multiple. Raises TypeError for others."""
        terms = _terms(other)
        return self.exact() if terms is None or (ratio := _ratio(self.terms, terms)) is None else ratio

    def _with(self, other: Any, operation: Any) -> Any:
        terms = _terms(other)
        return NotImplemented if terms is None else self.names.plain(operation(self.terms, terms))


def _exactly(self: NamedSize, *others: Any) -> Any:
    return self.exact()


for _name in ("int", "index", "float", "round", "trunc", "ceil", "floor", "rtruediv", "pow", "rpow"):
    setattr(NamedSize, f"__{_name}__", _exactly)


class SizeNames:
    """The named sizes of a run: their examples, and what is known of their remainders."""

    def __init__(self, examples: Mapping[str, int], sizes: Sizes, remainders: Remainders | None = None) -> None:
        self.examples = dict(examples)
        self.sizes = sizes
        self.remainders = dict(remainders or {})
        self._terms: dict[int, Terms] = {}

    def size(self, name: str) -> int:
        """Return a named size."""
        return self.plain(name_terms(name))

    def plain(self, terms: Terms) -> int:
        """Return a size; a number where it depends on no name."""
        number = terms.expanded().number
        return cast(int, NamedSize(terms, self)) if number is None else number

    def terms(self, node: int) -> Terms:
        """Return the normal form of a node of the run."""
        if node not in self._terms:
            of = self.sizes.nodes[node]
            if isinstance(of, int):
                terms = number_terms(of)
            elif isinstance(of, str):
                terms = name_terms(of)
            else:
                sign, left, right = of[0], self.terms(of[1]), self.terms(of[2])
                if sign in ("+", "-"):
                    terms = left + right if sign == "+" else left - right
                elif sign in ("*", "min"):
                    terms = left * right if sign == "*" else least_of(left, right)
                else:
                    terms = (floor_of if sign == "//" else rest_of)(left, right, self.remainders)
            self._terms[node] = terms
        return self._terms[node]

    def shown(self, value: Any, signs: Signs = PLAIN) -> Any:
        """Return what a run gave, numbers as named sizes and marks as text: records, mappings and lists of any depth.
        Fields that hold formulas have the signs of the formula language, those that hold LaTeX have LaTeX's."""
        if type(value) is OpenSize:
            return self.plain(self.terms(value.node))
        if isinstance(value, str):
            if MARKS[0] not in value:
                return value
            return _TWICE.sub(r"\1", _MARK.sub(lambda mark: self._in_text(mark, signs), value))
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            named = zip(value._fields, value, strict=True)
            fields = [self.shown(item, _signs_of(name, signs)) for name, item in named]
            return value if all(map(operator.is_, fields, value)) else value._make(fields)  # type: ignore[attr-defined]
        if isinstance(value, Record):
            return value._replace(
                **{name: self.shown(getattr(value, name), _signs_of(name, signs)) for name in value._fields}
            )
        if isinstance(value, tuple | list):
            items = [self.shown(item, signs) for item in value]
            return value if all(map(operator.is_, items, value)) else type(value)(items)
        if isinstance(value, Mapping):
            return {key: self.shown(item, _signs_of(str(key), signs)) for key, item in value.items()}
        return value.with_names(self) if hasattr(value, "with_names") else value

    def _in_text(self, mark: re.Match[str], signs: Signs) -> str:
        """Return a size for its place in a text, in brackets where what stands beside it binds more strongly."""
        text = text_of(self.terms(int(mark[1])), signs)
        before, behind = mark.string[: mark.start()].rstrip()[-1:], mark.string[mark.end() :].lstrip()[:1]
        binds = (before and before in _BINDS_LEFT) or (behind and behind in _BINDS_RIGHT)
        is_factor = _LETTER.match(mark.string, mark.end()) is not None
        text = f"({text})" if (binds or is_factor) and is_compound(text) else text
        return f"{text}{signs.times}" if is_factor else text


def _ratio(a: Terms, b: Terms) -> float | None:
    """Return the number that one size is of another, whatever the names stand for; None where there is none."""
    above, below = a.expanded().products, b.expanded().products
    ratios = {above[product] / below[product] for product in above if product in below}
    return float(ratios.pop()) if above.keys() == below.keys() and len(ratios) == 1 else None


def _signs_of(field: str, signs: Signs) -> Signs:
    return PYTHON if field in _AS_PYTHON else LATEX if field in _AS_LATEX else signs


def _terms(value: object) -> Terms | None:
    if type(value) is NamedSize:
        return value.terms
    return number_terms(value) if type(value) is int else None


def _example(value: Any) -> Any:
    return value.example if type(value) is NamedSize else value


def as_python(value: Any) -> Any:
    """Return a value as JSON has it, named sizes as expressions of Python."""
    if type(value) is NamedSize:
        return value.python
    if isinstance(value, Mapping):
        return {key: as_python(item) for key, item in value.items()}
    return [as_python(item) for item in value] if isinstance(value, list | tuple) else value
