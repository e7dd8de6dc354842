"""Brackets: an independent reader reads element text and LaTeX back and gets the value of the expression.

Two readings must agree with it: that of a parser, where all signs of products bind alike from the left, and that of an
eye, for which the sign of a product binds closer than `/`, `//` and `%`.
"""

import math
import operator
import random
import re
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from layerexplain.derive.element.form import element_form
from layerexplain.derive.element.text import element_text
from layerexplain.derive.same import same
from layerexplain.derive.typeset.statements import typeset
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import OPS, Expr, constant, tensor
from layerexplain.lang.parse import parse
from layerexplain.lang.text import program
from layerexplain.ops import functions, load_all
from tests.support.tries import tries

load_all()

LEAVES = {name: tensor(name, (BATCH, 3)) for name in "xyz"}
VALUES = {"x": 1.7, "y": 2.3, "z": 0.6}

BINARY: dict[str, Callable[[float, float], Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": lambda a, b: a / b if b else 0.0,
    "floor_divide": lambda a, b: a // b if b else 0.0,
    "mod": lambda a, b: a % b if b else 0.0,
    "power": lambda a, b: min(abs(a) ** max(min(b, 3.0), -3.0), 1e6) if a else 0.0,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
    "max": max,
    "min": min,
    "arctan2": math.atan2,
}
"""What the ops mean here; powers are tamed, since only the grouping counts."""
UNARY: dict[str, Callable[[float], float]] = {
    "negative": operator.neg,
    "abs": abs,
    "floor": lambda a: float(math.floor(max(min(a, 1e9), -1e9))),
    "exp": lambda a: math.exp(max(min(a, 3.0), -3.0)),
    "log": lambda a: math.log(abs(a) + 0.1),
    "sqrt": lambda a: math.sqrt(abs(a)),
    "sin": lambda a: math.sin(max(min(a, 1e9), -1e9)),
    "sign": lambda a: float((a > 0) - (a < 0)),
    "relu": lambda a: max(a, 0.0),
}

Tree = tuple[Any, ...] | str | float


def drawn(choose: random.Random, depth: int) -> Tree:
    """A random expression as nested tuples of an op's name and its arguments."""
    kind = choose.random()
    if depth == 0 or kind < 0.15:
        return choose.choice([*LEAVES, *LEAVES, 2.0, 0.5, -3.0])
    if kind < 0.35:
        inner = drawn(choose, depth - 1)
        # A parser takes the sign of a number as a part of it.
        return (choose.choice([op for op in UNARY if op != "negative" or not isinstance(inner, float)]), inner)
    infix = ["multiply", "mod", "divide", "floor_divide", "add", "subtract", "power"]
    name = choose.choice([*infix, *infix, *BINARY])
    return (name, drawn(choose, depth - 1), drawn(choose, depth - 1))


def value(tree: Tree) -> float:
    if isinstance(tree, str):
        return VALUES[tree]
    if not isinstance(tree, tuple):
        return tree
    name, *args = tree
    return float((UNARY.get(name) or BINARY[name])(*[value(arg) for arg in args]))


def built(tree: Tree) -> Expr:
    if isinstance(tree, str):
        return LEAVES[tree]
    if not isinstance(tree, tuple):
        return constant(tree)
    name, *args = tree
    return (functions.relu if name == "relu" else OPS[name])(*[built(arg) for arg in args])


TREES = [
    tree
    for seed in range(tries(few=300, many=1500))
    if isinstance(tree := drawn(random.Random(seed), 2 + seed % 3), tuple)
]


def definition_of(tree: Tree) -> Definition:
    return Definition("drawn", tuple(LEAVES.values()), (), {"r": built(tree)})


# Readers --------------------------------------------------------------------------------------------------------


class Reader:
    """Reads a text from the left. `tight` are the signs of products that an eye takes first."""

    tokens: ClassVar[re.Pattern[str]]
    compares: ClassVar[dict[str, str]]
    products: ClassVar[dict[str, str]]
    tight: ClassVar[frozenset[str]]

    def __init__(self, text: str, by_eye: bool) -> None:
        self.rest = [match[0].strip() for match in self.tokens.finditer(text)]
        assert "".join(self.rest).replace(" ", "") == text.replace(" ", ""), text
        self.by_eye = by_eye

    def whole(self) -> float:
        result = self.compare()
        assert not self.rest, self.rest
        return float(result)

    def next_is(self, *wanted: str) -> bool:
        return bool(self.rest) and self.rest[0] in wanted

    def take(self, wanted: str = "") -> str:
        token = self.rest.pop(0)
        assert not wanted or token == wanted, (token, wanted, self.rest)
        return token

    def compare(self) -> float:
        left = self.sum()
        if self.next_is(*self.compares):
            left = float(BINARY[self.compares[self.take()]](left, self.sum()))
            assert not self.next_is(*self.compares), "comparisons are not chained"
        return left

    def sum(self) -> float:
        total = self.product()
        while self.next_is("+", "-"):
            total = total + self.product() if self.take() == "+" else total - self.product()
        return total

    def product(self) -> float:
        signs = set(self.products) - (self.tight if self.by_eye else set())
        operand = self.close_product if self.by_eye else self.signed
        return self._products(operand, signs)

    def close_product(self) -> float:
        return self._products(self.signed, set(self.tight))

    def _products(self, operand: Callable[[], float], signs: set[str]) -> float:
        total = operand()
        while self.next_is(*signs):
            total = float(BINARY[self.products[self.take()]](total, operand()))
        return total

    def signed(self) -> float:
        if self.next_is("-"):
            self.take()
            assert not self.next_is("-"), "two signs stand side by side"
            return -self.power()
        return self.power()

    def power(self) -> float:
        raise NotImplementedError

    def function(self, name: str, close: str) -> float:
        args = [self.compare()]
        while self.next_is(","):
            self.take()
            args.append(self.compare())
        self.take(close)
        return float((UNARY.get(name) or BINARY[name])(*args))


class ElementReader(Reader):
    tokens = re.compile(r"[a-z]+[a-z\d]*\[n, k\]|[a-z]\w*|\d[\d.]*|//|==|!=|.|\n")
    compares: ClassVar = {
        "<": "less",
        "≤": "less_equal",
        ">": "greater",
        "≥": "greater_equal",
        "==": "equal",
        "!=": "not_equal",
    }
    products: ClassVar = {"·": "multiply", "/": "divide", "//": "floor_divide", "%": "mod"}
    tight = frozenset({"·"})

    def __init__(self, text: str, by_eye: bool) -> None:
        super().__init__(text, by_eye)
        self.rest = [token for token in self.rest if token]

    def power(self) -> float:
        base = self.atom()
        if self.next_is("^"):
            self.take()
            base = float(BINARY["power"](base, self.atom()))
            assert not self.next_is("^"), "powers are not chained"
        return base

    def atom(self) -> float:
        token = self.take()
        if token == "(":
            inside = self.compare()
            self.take(")")
            return inside
        if token.endswith("[n, k]"):
            return VALUES[token[0]]
        if token[0].isdigit():
            return float(token)
        self.take("(")
        return self.function(token, ")")


class LatexReader(Reader):
    tokens = re.compile(r"\\left\(|\\right\)|\\mathbin\{\\mathrm\{div\}\}|\\mathrm\{\w+\}|\\[a-z]+|\\,|e\^|\d[\d.]*|.")
    compares: ClassVar = {
        "<": "less", r"\leq": "less_equal", ">": "greater", r"\geq": "greater_equal", "=": "equal", r"\neq": "not_equal",
    }  # fmt: skip
    products: ClassVar = {
        r"\odot": "multiply", r"\,": "multiply", r"\cdot": "multiply", r"\bmod": "mod",
        r"\mathbin{\mathrm{div}}": "floor_divide",
    }  # fmt: skip
    tight = frozenset({r"\odot", r"\,", r"\cdot"})

    def __init__(self, text: str, by_eye: bool) -> None:
        super().__init__(text, by_eye)
        self.rest = [token for token in self.rest if token]

    def braced(self) -> float:
        self.take("{")
        inside = self.compare()
        self.take("}")
        return inside

    def enclosed(self, close: str) -> float:
        inside = self.compare()
        self.take(close)
        return inside

    def power(self) -> float:
        base = self.braced() if self.next_is("{") else self.atom()
        if self.next_is("^"):
            self.take()
            base = float(BINARY["power"](base, self.braced()))
            assert not self.next_is("^"), "powers are not chained"
        return base

    def atom(self) -> float:
        token = self.take()
        if token in VALUES:
            return VALUES[token]
        if token[0].isdigit():
            return float(token)
        if token in (r"\left(", "("):
            return self.enclosed(r"\right)" if len(token) > 1 else ")")
        if token == r"\frac":
            return float(BINARY["divide"](self.braced(), self.braced()))
        if token == r"\mathrm{e}":
            self.take("^")
            return float(UNARY["exp"](self.braced()))
        if token == r"\sqrt":
            return float(UNARY["sqrt"](self.braced()))
        if token == r"\ln":
            return float(UNARY["log"](self.atom()))
        if token == r"\lvert":
            return float(UNARY["abs"](self.enclosed(r"\rvert")))
        if token == r"\lfloor":
            return float(UNARY["floor"](self.enclosed(r"\rfloor")))
        name = re.sub(r"\\mathrm\{(\w+)\}|\\(\w+)", r"\1\2", token)
        if self.next_is(r"\left("):
            self.take()
            return self.function(name, r"\right)")
        self.take("(")
        return self.function(name, ")")


def agrees(read: float, tree: Tree) -> bool:
    expected = value(tree)
    return read == pytest.approx(expected, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("by_eye", [False, True])
def test_element_text_reads_as_the_value(by_eye: bool) -> None:
    read = 0
    for tree in TREES:
        lines = element_text(element_form(definition_of(tree))).lines
        if len(lines) == 1:
            read += 1
            assert agrees(ElementReader(lines[0].partition(" = ")[2], by_eye).whole(), tree), (lines, tree)
    assert read > len(TREES) // 2


@pytest.mark.parametrize("by_eye", [False, True])
def test_latex_reads_as_the_value(by_eye: bool) -> None:
    read = 0
    for tree in TREES:
        lines = [line.latex for line in typeset(definition_of(tree))]
        if len(lines) == 1:
            read += 1
            assert agrees(LatexReader(lines[0].partition(" = ")[2], by_eye).whole(), tree), (lines, tree)
    assert read > len(TREES) // 2


def test_text_parses_to_the_same_formula() -> None:
    for tree in TREES:
        definition = definition_of(tree)
        text = program(definition)
        assert same(parse(text, LEAVES)["r"], definition.results["r"]), text


@pytest.mark.parametrize(
    ("formula", "text", "tex"),
    [
        ("x * (y % 2)", "x[n, k]·(y[n, k] % 2)", r"x \odot (y \bmod 2)"),
        ("x * (y % z / x)", "x[n, k]·(y[n, k] % z[n, k] / x[n, k])", r"x \odot \frac{y \bmod z}{x}"),
        ("x % y * z", "(x[n, k] % y[n, k])·z[n, k]", r"(x \bmod y) \odot z"),
        ("x * (y / z) * x", "(x[n, k]·y[n, k] / z[n, k])·x[n, k]", r"x \odot \frac{y}{z} \odot x"),
        ("x * y * z", "x[n, k]·y[n, k]·z[n, k]", r"x \odot y \odot z"),
        ("x + (y - z)", "x[n, k] + y[n, k] - z[n, k]", "x + y - z"),
        ("x - (y - z)", "x[n, k] - (y[n, k] - z[n, k])", r"x - (y - z)"),
        ("(x < y) == z", "(x[n, k] < y[n, k]) == z[n, k]", r"(x < y) = z"),
        ("x * -3.0", "x[n, k]·-3", r"x\,(-3)"),
        ("log(x) * y", "log(x[n, k])·y[n, k]", r"(\ln x) \odot y"),
        ("y * log(x)", "y[n, k]·log(x[n, k])", r"y \odot \ln x"),
        ("(-x) ** 2", "(-x[n, k])^2", r"{(-x)}^{2}"),
    ],
)
def test_brackets_stand_where_they_are_needed(formula: str, text: str, tex: str) -> None:
    definition = Definition("d", tuple(LEAVES.values()), (), {"r": parse(f"r = {formula}", LEAVES)["r"]})
    assert element_text(element_form(definition)).lines == (f"r[n, k] = {text}",)
    assert [line.latex for line in typeset(definition)] == [f"r = {tex}"]
