"""LaTeX: balanced, escaped, and as a dozen cases show it."""

import re

import pytest

from layerexplain.derive.element.form import element_form
from layerexplain.derive.typeset.statements import typeset, typeset_element
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
