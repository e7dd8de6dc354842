"""LaTeX: balanced, escaped, and as a dozen cases show it."""

from __future__ import annotations

import re

import pytest

from layerexplain.derive.element.form import element_form
from layerexplain.derive.typeset.element import typeset_element
from layerexplain.derive.typeset.scalars import symbol
from layerexplain.derive.typeset.statements import typeset
from layerexplain.lang.latex import latex
from layerexplain.lang.typeset import COMMA, EQUALS, MINUS, THIN, applied, fence, filled, is_tall, number, row, sign
from tests.cases import Case
from tests.support.drawn_values import TYPES, definitions
from tests.support.keras_oracle import trace_case


def without_escapes(line: str) -> str:
    return re.sub(r"\\[\\_%&#{}]", "", line)


def balanced(line: str) -> bool:
    """Braces, `\\left … \\right` and environments close in order."""
    stack: list[str] = []
    tokens = r"\\left\b|\\right\b|\\begin\{\w+\}|\\end\{\w+\}|[{}]"
    for token in re.findall(tokens, without_escapes(line)):
        if token in ("{", "\\left") or token.startswith("\\begin"):
            stack.append(token)
        else:
            opens = {"}": "{", "\\right": "\\left"}.get(token) or token.replace("end", "begin")
            if not stack or stack.pop() != opens:
                return False
    return not stack


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("type_", TYPES)
def test_every_case(type_: str, fixed: bool) -> None:
    for case, definition in definitions(type_, fixed=fixed):
        lines = [line.latex for line in typeset(definition)]
        assert lines, case.id
        for line in [*lines, *[line.latex for line in typeset_element(element_form(definition))]]:
            assert balanced(line), (case.id, line)
            bare = without_escapes(line)
            # An underscore always begins a subscript in braces; `x_a_b` and `x^a^b` are errors of TeX.
            assert not re.search(r"_(?!\{)", bare), (case.id, line)
            assert "\\" not in re.sub(r"\\[a-zA-Z]+|\\[,;:! ]|\\\\", "", bare), (case.id, line)
            for inside in re.findall(r"\\text\{([^{}]*)\}", bare):
                assert "_" not in inside, (case.id, line)
            assert "**" not in line, (case.id, line)
        assert any(line.startswith((r"y", r"\left(y", r"\mathrm", r"h", r"x")) for line in lines), (case.id, lines)


def test_conditions_one_behind_the_other_are_rows_of_one_bracket() -> None:
    joined = trace_case(Case("Concatenate", {}, ((3,), (5,), (2,))))
    x1, x2, x3 = (rf"\mathrm{{x{i}}}" for i in (1, 2, 3))
    rows = rf"{x1}[n, k] & \text{{if }} k < 3 \\ {x2}[n, k - 3] & \text{{if }} 3 \leq k < 8 \\ {x3}[n, k - 8] & \text{{otherwise}}"
    assert tuple(line.latex for line in typeset_element(element_form(joined))) == (
        rf"y[n, k] = \begin{{cases}} {rows} \end{{cases}}",
    )


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("β", r"\beta_{k}"),
        ("dβ", r"\mathrm{d}\beta_{k}"),
        ("γβ", r"\gamma\beta_{k}"),
        ("dy", r"\mathrm{dy}_{k}"),
        ("W_θ", r"W^{(\theta)}_{k}"),
        ("relu_x", r"\mathrm{relu\_x}_{k}"),
        ("tanh_c_new", r"\mathrm{tanh\_c\_new}_{k}"),
        ("noise_2", r"\mathrm{noise}^{(2)}_{k}"),
        ("dc_new", r"\mathrm{dc}^{(\mathrm{new})}_{k}"),
    ],
)
def test_names_with_an_index(name: str, written: str) -> None:
    assert latex(symbol(name, ["k"])) == written


TREES = {
    r"y_{n,i} = \sum_{u<3} x_{n,i+u}\,W_{u}": row(
        ("sub", "y", row("n", COMMA, "i")), EQUALS,
        ("under", sign("∑"), row("u", sign("<"), number("3"))),
        ("sub", "x", row("n", COMMA, "i", sign("+"), "u")), THIN, ("sub", "W", "u"),
    ),
    r"{(x - \mu)}^{2}": ("sup", fence("x", MINUS, "μ"), number("2")),
    r"{\left(\frac{a}{b}\right)}^{-1}": ("sup", fence(("frac", "a", "b")), number("-1")),
    r"\frac{-a}{\sqrt{b}}": ("frac", row(MINUS, "a"), ("root", "b")),
    r"\sqrt[3]{x}": ("root", "x", number("3")),
    r"\text{for } t = 0, \ldots": row(("t", "for "), "t", EQUALS, number("0"), COMMA, sign("…")),
    r"\begin{cases} a & \text{if } i \leq 2 \\ 0 & \text{otherwise} \end{cases}": (
        "cases", ("a", row(("t", "if "), "i", sign("≤"), number("2"))), (number("0"), ("t", "otherwise")),
    ),
    r"W^{(q)}_{m}": ("both", "W", "m", fence("q")),
    r"x[n, k]": row("x", fence("n", COMMA, "k", open="[", close="]")),
    r"\ln x + \log_{2} x + \tanh(x)": row(
        ("f", "ln"), "x", sign("+"), ("sub", ("f", "log"), number("2")), "x", sign("+"), applied("tanh", "x")
    ),
    r"\lfloor k/20 \rfloor \bmod 3": row(
        fence("k", sign("/"), number("20"), open="⌊", close="⌋"), sign("mod"), number("3")
    ),
    r"\text{50\% of a\_b \{\#\&\}}": ("t", "50% of a_b {#&}"),
}  # fmt: skip


@pytest.mark.parametrize("line", TREES)
def test_trees_as_latex(line: str) -> None:
    assert latex(TREES[line]) == line


def test_a_notation_is_filled_with_its_arguments() -> None:
    template = row(("f", "ln"), fence(0, sign("+"), ("sup", 1, number("2"))))
    assert latex(filled(template, ["x", row("a", sign("+"), "b")])) == r"\ln(x + {a + b}^{2})"


def test_brackets_show_what_is_tall() -> None:
    assert [is_tall(tree) for tree in ("x", fence("x"), ("frac", "x", "y"), fence(("root", "x")))] == [
        False,
        False,
        True,
        True,
    ]
