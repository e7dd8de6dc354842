"""The normal form of sizes: it has the value of what it was computed from, whatever the numbers, and so have its texts."""

import math
import random
import re
from fractions import Fraction
from typing import Any

import pytest

from layerexplain.lang.size_terms import PYTHON, Remainders, Terms, floor_of, name_terms, number_terms, rest_of, text_of
from tests.support.tries import tries

NAMES = ("H", "W", "k")


def drawn(draw: random.Random, depth: int) -> Any:
    """A number, a name, or an operation on two drawn sizes."""
    if depth == 0:
        return draw.randint(0, 9) if draw.random() < 0.5 else draw.choice(NAMES)
    return draw.choice("+-*/%"), drawn(draw, draw.randrange(depth)), drawn(draw, draw.randrange(depth))


def value(size: Any, at: dict[str, int]) -> int:
    """The value by Python's own arithmetic."""
    if isinstance(size, int | str):
        return size if isinstance(size, int) else at[size]
    a, b = value(size[1], at), value(size[2], at)
    return {"+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a // b, "%": lambda: a % b}[
        size[0]
    ]()


def terms(size: Any, known: Remainders) -> Terms:
    if isinstance(size, int | str):
        return number_terms(size) if isinstance(size, int) else name_terms(size)
    sign, a, b = size[0], terms(size[1], known), terms(size[2], known)
    if sign in "/%":
        return (floor_of if sign == "/" else rest_of)(a, b, known)
    return a * b if sign == "*" else a + b if sign == "+" else a - b


def read(text: str, at: dict[str, int]) -> Any:
    """The value of a size as people read it: quotients are exact, floor and ceil round them."""
    for letters, sign in (("·", "*"), (",", "")):
        text = text.replace(letters, sign)
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda power: f"**{''.join(str('⁰¹²³⁴⁵⁶⁷⁸⁹'.index(one)) for one in power[0])}", text)
    text = re.sub(r"(?<![\w*])(\d+)", r"F(\1)", text)
    return eval(text, {"floor": math.floor, "ceil": math.ceil, "F": Fraction}, {n: Fraction(v) for n, v in at.items()})


@pytest.mark.parametrize("part", range(4))
def test_forms_and_texts_have_the_value_of_the_computation(part: int) -> None:
    compared = 0
    for seed in range(part, tries(1200, 20_000), 4):
        draw = random.Random(seed)
        size = drawn(draw, 4)
        known: Remainders = {} if seed % 8 < 4 else {"H": (8, draw.randint(0, 7)), "W": (4, 0)}
        try:
            form = terms(size, known)
        except ZeroDivisionError:
            continue
        for _ in range(3):
            at = {name: draw.randint(1, 60) for name in NAMES}
            for name, (by, rest) in known.items():
                at[name] = by * draw.randint(1, 9) + rest
            try:
                expected = value(size, at)
            except ZeroDivisionError:
                continue
            compared += 1
            assert form.at(at) == form.expanded().at(at) == expected, (size, at)
            assert eval(text_of(form, PYTHON), {}, dict(at)) == expected, (size, at, text_of(form, PYTHON))
            assert read(text_of(form), at) == expected, (size, at, text_of(form))
    assert compared > 500


H, W, k, C, F, u, m = map(name_terms, ("H", "W", "k", "C", "F", "u", "m"))
two, one = number_terms(2), number_terms(1)


@pytest.mark.parametrize(
    "form, text",
    [  # as a textbook writes them
        (k * k * C * F + F, "k²·C·F + F"),
        ((H - k + one) * (W - k + one) * k * k * C * F, "k²·C·F·(H - k + 1)·(W - k + 1)"),
        ((u * m + u * u + u).times(4), "4·u·(m + u + 1)"),
        (floor_of(H - two, two, {}) + one, "floor(H/2)"),
        (-floor_of(-H, two, {}), "ceil(H/2)"),
        (-floor_of(-H, k, {}), "ceil(H/k)"),
        (floor_of(H - k, k, {}) + one, "floor(H/k)"),
        (floor_of(floor_of(H, two, {}), two, {}), "floor(H/4)"),
        (floor_of(H, two, {"H": (8, 0)}) * W.times(128), "64·H·W"),
        (floor_of(H - number_terms(4), two, {"H": (16, 4)}), "(H - 4)/2"),
        ((H * W).times(19280), "19,280·H·W"),
    ],
)
def test_sizes_are_written_as_in_a_textbook(form: Terms, text: str) -> None:
    assert text_of(form) == text
