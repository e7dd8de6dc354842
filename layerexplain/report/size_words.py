"""Which sizes are taken, as conditions in Python and in words: `H % 8 == 0`, "multiples of 8, from 16"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import gcd

from layerexplain.lang.size_terms import Rest, Terms, name_terms
from layerexplain.lang.size_texts import PYTHON, text_of

LARGEST = 512
"""Up to this size it is said which ones a model takes; what repeats up to here repeats farther."""


def relation(terms: Terms, sign: str, holds: bool, name: str) -> str:
    """Return a condition as Python: solved for a name where it is one of the parts, else what is subtracted stands on
    the other side."""
    if isinstance(terms.only_atom, Rest):
        return f"{text_of(terms, PYTHON)[1:-1]} == 0"
    alone = name_terms(name)
    rest, turned = terms - alone, terms + alone
    if name not in rest.names():  # name + rest, compared with 0
        return f"{name} {'==' if sign == '==' else '<' if holds else '>='} {text_of(-rest, PYTHON)}"
    if name not in turned.names():  # rest - name
        return f"{name} {'==' if sign == '==' else '>' if holds else '<='} {text_of(turned, PYTHON)}"
    left = Terms({product: factor for product, factor in terms.products.items() if factor > 0})
    right = Terms({product: -factor for product, factor in terms.products.items() if factor < 0})
    word = "==" if sign == "==" else "<" if holds else ">="
    return f"{text_of(left, PYTHON)} {word} {text_of(right, PYTHON)}"


def relation_words(text: str, name: str) -> str:
    """Return what a relation asks of a name.

    >>> relation_words("H >= k", "H"), relation_words("b == a", "b"), relation_words("2*a >= b", "b")
    ('at least k', 'equal to a', '2*a >= b')
    >>> relation_words("dim % heads == 0", "heads"), relation_words("dim % heads == 0", "dim")
    ('a divisor of dim', 'a multiple of heads')
    """
    if (divides := re.fullmatch(r"(.+) % (.+) == 0", text)) is not None:
        above, below = divides.groups()
        return f"a divisor of {above}" if below == name else f"a multiple of {below}" if above == name else text
    first, sign, *rest = text.split(" ")
    words = {">=": "at least", "<=": "at most", "==": "equal to", "<": "below", ">": "above"}
    return " ".join([words[sign], *rest]) if first == name else text


def step_of(sizes: Sequence[int]) -> int:
    """Return the step between sizes, by which all of them differ."""
    return gcd(*[b - a for a, b in pairwise(sizes)]) if len(sizes) > 1 else 1


def as_conditions(name: str, sizes: Sequence[int]) -> Iterator[str]:
    """Yield conditions that a size is one of some, as Python."""
    if len(sizes) == 1:
        yield f"{name} == {sizes[0]}"
        return
    step = step_of(sizes)
    if step > 1:
        yield f"{name} % {step} == {sizes[0] % step}"
    if sizes and sizes[0] > step:
        yield f"{name} >= {sizes[0]}"
    if sizes and sizes[-1] <= LARGEST - step:
        yield f"{name} <= {sizes[-1]}"


def in_words(sizes: Sequence[int]) -> str:
    """Return which sizes are taken.

    >>> in_words(range(8, 513, 8)), in_words(range(1, 513)), in_words(range(33, 513)), in_words([50])
    ('multiples of 8', 'any', 'from 33', 'only 50')
    >>> in_words([28, 29])
    'only 28 or 29'
    """
    if len(sizes) == 1 or (len(sizes) < 4 and sizes[-1] <= LARGEST - step_of(sizes)):
        return f"only {' or '.join(map(str, sizes))}"
    step, first, last = step_of(sizes), sizes[0], sizes[-1]
    rest = first % step
    words = "any" if step == 1 else f"multiples of {step}" if not rest else f"{rest} more than a multiple of {step}"
    bounds = []
    if first > (rest or step):
        bounds.append(f"from {first}")
    if last <= LARGEST - step:
        bounds.append(f"up to {last}")
    if len(sizes) <= (last - first) // step:
        return f"some: {', '.join(map(str, sizes[:6]))}, …"
    return ", ".join([*([] if words == "any" and bounds else [words]), *bounds])
