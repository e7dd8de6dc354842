"""Sizes that remember how they were computed: what a program says with them is what it says of numbers."""

import copy
import math
import pickle
import random
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import pytest

from layerexplain.lang.axes import exact, is_open
from layerexplain.lang.open_sizes import OpenSize, Recording, Sizes, marked
from tests.support.tries import tries

Program = Callable[[int, int], Any]


def derived(program: Program, a: int, b: int) -> tuple[Sizes, Recording, Any]:
    sizes = Sizes()
    run = Recording(sizes)
    return sizes, run, marked(program(run.size("a", a), run.size("b", b)))


def holding(program: Program, a: int, b: int, others: range) -> int:
    """At how many other numbers what was derived at (a, b) holds; at each it is what the program says of them."""
    sizes, run, shown = derived(program, a, b)
    assert sizes.filled(shown, {"a": a, "b": b}, {}) == marked(program(a, b)), (a, b)
    assert sizes.hold(run.conditions, {"a": a, "b": b}, {}), (a, b)
    count = 0
    for x, y in product(others, others):
        given: dict[str, int] = {"a": x, "b": y}
        known: dict[int, int] = {}
        if sizes.hold(run.conditions, given, known):
            count += 1
            assert sizes.filled(shown, given, known) == marked(program(x, y)), (a, b, x, y)
    return count


def _window(n: int, k: int) -> str:
    if k > n:
        return f"{k} do not fit into {n}"
    return " ".join([f"{i}:{i + k}" for i in range(exact(min(n - k + 1, 3)))]) + f" of {n - k + 1:,}"


PROGRAMS: list[tuple[Program, int, int, int]] = [
    # A program, the numbers that it runs with, and at how many of the 81 pairs from 0 to 8 what it says there holds.
    (lambda a, b: a + 2 * b - 1, 3, 5, 81),
    (lambda a, b: (a - b) // 2 if a > b else b - a, 5, 3, 36),
    (lambda a, b: (a - b) // 2 if a > b else b - a, 3, 5, 45),
    (lambda a, b: a // b, 5, 3, 72),
    (lambda a, b: a % (b + 1), 5, 3, 81),
    (lambda a, b: [-a, abs(a - b), +b], 3, 5, 36),
    (lambda a, b: [-a, abs(a - b), +b], 5, 3, 45),
    (lambda a, b: (max(a, b), min(a, b)), 5, 3, 36),
    (lambda a, b: sorted([a, 4, b]), 5, 3, 16),
    (lambda a, b: sum([a, b, 1]) * 3, 5, 3, 81),
    (lambda a, b: math.prod([a, b, 2]), 5, 3, 81),
    (lambda a, b: f"{a} rows" if a != 1 else "one row", 5, 3, 63),
    (lambda a, b: f"{a:>4}|{b}", 5, 3, 7),
    (lambda a, b: f"{1000 * a:,}", 5, 3, 72),
    (lambda a, b: str((a, b)), 5, 3, 49),
    (lambda a, b: "yes" if a and not b else "no", 5, 0, 8),
    (lambda a, b: "yes" if a == b else "no", 5, 5, 9),
    (lambda a, b: "yes" if a >= b <= 4 else "no", 5, 3, 35),
    (lambda a, b: a**2, 5, 3, 9),
    (lambda a, b: a / 2, 5, 3, 9),
    (lambda a, b: 40 / (a + 1), 5, 3, 9),
    (lambda a, b: a * 0.5, 5, 3, 9),
    (lambda a, b: 0.5 - a, 5, 3, 9),
    (lambda a, b: 0.5 * a + 2.5 // a, 5, 3, 9),
    (lambda a, b: [a / 2.5, a**0.5, 2.5 / a, 1.5**a, 2**a], 5, 3, 9),
    (lambda a, b: a < 4.5, 5, 3, 9),
    (lambda a, b: math.gcd(a, 4), 6, 3, 9),
    (lambda a, b: math.isqrt(a), 5, 3, 9),
    (lambda a, b: [math.sqrt(a), Fraction(1, 2) + a, Fraction(a, 2)], 5, 3, 9),
    (lambda a, b: [0] * a + [1] * b, 5, 3, 1),
    (lambda a, b: "abcdefghij"[b:a], 5, 3, 1),
    (lambda a, b: ("x" * a, chr(a)), 5, 3, 9),
    (lambda a, b: [i for i in range(10) if i in (a, 3)], 5, 3, 9),
    (lambda a, b: isinstance(a, int) and not isinstance(a, bool | float | str), 5, 3, 81),
    (lambda a, b: [int(a), float(b)], 5, 3, 1),
    (lambda a, b: divmod(a, 3), 5, 3, 9),
    (lambda a, b: 1 << a, 5, 3, 9),
    (lambda a, b: a.bit_length(), 5, 3, 9),
    (lambda a, b: math.isqrt(exact(a)), 5, 3, 9),
    (lambda a, b: [round(a), math.floor(a), math.ceil(a)], 5, 3, 9),
    (lambda a, b: list(range(exact(a))), 5, 3, 9),
    (lambda a, b: {"size": a, "of": [b, True, None, 2.5]}, 5, 3, 81),
    (_window, 7, 3, 10),
    (_window, 3, 7, 21),
]


@pytest.mark.parametrize(("program", "a", "b", "count"), PROGRAMS)
def test_what_is_derived_holds_where_the_program_goes_the_same_way(
    program: Program, a: int, b: int, count: int
) -> None:
    assert holding(program, a, b, range(9)) == count


def drawn(draw: random.Random, deep: int) -> str:
    """An expression in a and b: sums, products, quotients, choices."""
    if not deep:
        return draw.choice(["a", "b", "a", "b", "0", "1", "2", "3"])
    left, right = drawn(draw, deep - 1), drawn(draw, deep - 1)
    kind = draw.randrange(9)
    if kind < 5:
        sign = draw.choice(["+", "-", "*"])
        return f"({left} {sign} {right})"
    if kind < 7:
        by = draw.choice(["2", "3", "(abs(b) + 1)", "-2"])
        return f"({left} {draw.choice(['//', '%'])} {by})"
    test = draw.choice(["<", "<=", "==", "!=", ">", ">="])
    return f"({left} if {right} {test} {drawn(draw, 0)} else {draw.choice(['a', 'b', '5'])})"


@pytest.mark.parametrize("seed", range(8))
def test_drawn_programs_say_the_same_of_open_sizes(seed: int) -> None:
    draw = random.Random(seed)
    count = 0
    for _ in range(tries(12, 100)):
        text = drawn(draw, 4)
        count += holding(eval(f"lambda a, b: {text}"), draw.randrange(9), draw.randrange(9), range(7))
    assert count > 49 * 3


def test_equal_expressions_are_one_node() -> None:
    sizes = Sizes()
    run = Recording(sizes)
    a, b = run.size("a", 13), run.size("b", 7)
    pairs = [
        (a + b - b, a),
        ((a + 1) - 1, a),
        ((2 * a + 4) // 2, a + 2),
        (3 * a - 2 * a, a),
        (a * 1, a),
        (a + b, b + a),
    ]
    assert [one.node == other.node for one, other in pairs] == [True] * len(pairs)
    assert [a - a, a * 0, (4 * a + 3) % 4, 0 // a] == [0, 0, 3, 0]
    assert not any(map(is_open, (a - a, a * 0, (4 * a + 3) % 4)))
    before = run.conditions
    assert a == a and not a < a and a - a == 0 and run.conditions == before


def test_of_a_size_that_is_one_number_nothing_is_computed_anew() -> None:
    run = Recording(Sizes())
    a, b = run.size("a", 4), run.size("b", 7)
    assert a - 4 == 0 and len(run.conditions) == 1
    assert a * b == 28 and len(run.conditions) == 2  # 4·b = 28, of which b is found
    assert b < 9 and len(run.conditions) == 2


def test_division_by_nothing_is_an_error_where_it_is_one() -> None:
    sizes = Sizes()
    run = Recording(sizes)
    a, none = run.size("a", 4), run.size("b", 0)
    with pytest.raises(ZeroDivisionError):
        a // none
    assert [(sign, sizes.nodes[at], holds) for sign, at, holds in run.conditions] == [("==", "b", True)]


def test_a_size_of_another_run_is_a_number() -> None:
    sizes = Sizes()
    one, other = Recording(sizes), Recording(sizes)
    a = one.size("a", 4)
    assert other.size("a", 5) + a == 9 and other.conditions
    assert pickle.loads(pickle.dumps(a)) == 4 and not is_open(pickle.loads(pickle.dumps(a)))
    assert copy.deepcopy([a])[0] is a and isinstance(a, int) and type(a) is OpenSize
