"""The normal form of sizes: it has the value of what it was computed from, whatever the numbers, and so have its texts."""

import ast
import math
import random
import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import permutations
from typing import Any

import pytest

from layerexplain.lang.size_terms import Remainders, Terms, floor_of, name_terms, number_terms, rest_of
from layerexplain.lang.size_texts import PLAIN, PYTHON, Signs, text_of
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


def as_code(text: str) -> str:
    """A size as people read it, with the operators of Python."""
    for letters, sign in (("·", "*"), (",", "")):
        text = text.replace(letters, sign)
    return re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda power: f"**{''.join(str('⁰¹²³⁴⁵⁶⁷⁸⁹'.index(one)) for one in power[0])}", text)


def read(text: str, at: dict[str, int]) -> Any:
    """The value of a size as people read it: quotients are exact, floor and ceil round them."""
    text = as_code(text)
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


def structure(node: Any) -> Any:
    """What a text says but for the order in which sums and products have their parts."""
    if isinstance(node, ast.BinOp):
        left, right = structure(node.left), structure(node.right)
        if isinstance(node.op, ast.Add | ast.Sub):
            parts = left[1] if left[0] == "sum" else (("+", left),)
            more = right[1] if right[0] == "sum" else (("+", right),)
            if isinstance(node.op, ast.Sub):
                more = tuple([("-" if sign == "+" else "+", part) for sign, part in more])
            return "sum", tuple(sorted((*parts, *more), key=repr))
        if isinstance(node.op, ast.Mult):
            factors = [
                *(left[1] if left[0] == "product" else (left,)),
                *(right[1] if right[0] == "product" else (right,)),
            ]
            return "product", tuple(sorted(factors, key=repr))
        return type(node.op).__name__, left, right
    if isinstance(node, ast.UnaryOp):
        return "minus", structure(node.operand)
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        return node.func.id, *[structure(argument) for argument in node.args]
    return ("name", node.id) if isinstance(node, ast.Name) else ("number", node.value)


def written(size: Any, names: Sequence[str], signs: Signs) -> str:
    """The text of a size under other names, in which these are replaced by those of the size."""
    known = dict(zip(NAMES, names, strict=True))

    def renamed(size: Any) -> Any:
        return known.get(size, size) if isinstance(size, int | str) else (size[0], *map(renamed, size[1:]))

    text = text_of(terms(renamed(size), {}), signs)
    back = {name: own for own, name in known.items()}
    return re.sub(r"[A-Za-z]+", lambda word: back.get(word[0], word[0]), text)


@pytest.mark.parametrize("signs", [PLAIN, PYTHON], ids=["text", "Python"])
def test_a_form_does_not_depend_on_the_order_of_names(signs: Signs) -> None:
    compared = 0
    for seed in range(tries(600, 10_000)):
        size = drawn(random.Random(seed), 3)
        try:
            texts = [written(size, names, signs) for names in permutations(("a", "m", "z"))]
        except ZeroDivisionError:
            continue
        compared += len(set(texts)) > 1
        codes = [re.sub(r"(^|\()-", r"\g<1>0 - ", as_code(text)) for text in texts]  # -a*b is no product of -a
        forms = [structure(ast.parse(code, mode="eval").body) for code in codes]
        assert all(form == forms[0] for form in forms), (size, texts)
    assert compared > 50


@pytest.mark.parametrize("names", list(permutations(("a", "m", "z"))))
def test_windows_are_floors_of_what_they_leave_out(names: Sequence[str]) -> None:
    rows, columns, window = map(name_terms, names)
    a, b, c = names
    one, two = number_terms(1), number_terms(2)
    assert text_of(floor_of(rows - window, two, {}) + one) == f"floor(({a} - {c})/2) + 1"
    assert text_of(window - floor_of(rows, two, {})) == f"{c} - floor({a}/2)"
    assert text_of(-floor_of(window - rows, two, {})) == f"ceil(({a} - {c})/2)"
    assert text_of(rest_of(rows - columns, number_terms(3), {})) == f"(({a} - {b}) % 3)"
    assert text_of(number_terms(5) - rows) == f"5 - {a}"


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
