"""LaTeX: balanced, escaped, and as a dozen cases show it."""

from __future__ import annotations

import re

import pytest

from layerexplain.derive.element.form import element_form
from layerexplain.derive.latex.element import element_latex
from layerexplain.derive.latex.scalars import symbol
from layerexplain.derive.latex.statements import latex
from layerexplain.render.formula_tree import formula_tree
from tests.cases import Case, Wrapped
from tests.drawn_values import TYPES, definitions
from tests.keras_oracle import trace_case


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
        lines = latex(definition)
        assert lines, case.id
        for line in (*lines, *element_latex(element_form(definition))):
            formula_tree(line)  # which the page is typeset from; it refuses what it does not know
        for line in lines:
            assert balanced(line), (case.id, line)
            bare = without_escapes(line)
            # An underscore always begins a subscript in braces; `x_a_b` and `x^a^b` are errors of TeX.
            assert not re.search(r"_(?!\{)", bare), (case.id, line)
            assert "\\" not in re.sub(r"\\[a-zA-Z]+|\\[,;:! ]|\\\\", "", bare), (case.id, line)
            for inside in re.findall(r"\\text\{([^{}]*)\}", bare):
                assert "_" not in inside, (case.id, line)
            assert "**" not in line, (case.id, line)
        assert any(line.startswith((r"y", r"\left(y", r"\mathrm", r"h", r"x")) for line in lines), (case.id, lines)


SNAPSHOTS = [
    (Case("Dense", {"units": 5, "activation": "softmax"}, ((7,),)), (r"y = \mathrm{softmax}\left(x\,W + b\right)",)),
    (
        Case("Conv2D", {"filters": 5, "kernel_size": 3, "activation": "relu"}, ((7, 9, 2),)),
        (r"y_{n,i,j,k} = \mathrm{relu}\left(\sum_{u<3,\,v<3,\,m<2} x_{n,i+u,j+v,m}\,W_{u,v,m,k} + b_{k}\right)",),
    ),
    (
        Case("Conv1D", {"filters": 5, "kernel_size": 3, "padding": "causal"}, ((7, 2),)),
        (
            r"y_{n,t,k} = \sum_{u<3,\,m<2} x_{n,t+u-2,m}\,W_{u,m,k} + b_{k}"
            r" \quad \text{only where } t+u-2 \geq 0",
        ),
    ),
    (
        Case("Conv2D", {"filters": 5, "kernel_size": 3, "activation": "softmax"}, ((7, 9, 2),)),
        (
            r"z_{n,i,j,k} = \sum_{u<3,\,v<3,\,m<2} x_{n,i+u,j+v,m}\,W_{u,v,m,k} + b_{k}",
            r"y = \mathrm{softmax}\left(z\right)",
        ),
    ),
    (Case("Activation", {"activation": "exponential"}, ((7,),)), (r"y = \mathrm{e}^{x}",)),
    (Case("MaxPooling1D", {"pool_size": 3}, ((7, 2),)), (r"y_{n,t,k} = \max_{u<3} x_{n,3t+u,k}",)),
    (Case("GlobalAveragePooling1D", {}, ((7, 2),)), (r"y_{n,k} = \operatorname{mean}_{p<7} x_{n,p,k}",)),
    (Case("Embedding", {"input_dim": 11, "output_dim": 3}, ((5,),), ("int",)), (r"y = E_{\mathrm{ids}}",)),
    (
        Case("BatchNormalization", {}, ((7,),)),
        (r"y = \frac{x - \mu}{\sqrt{v + 0.001}} \odot \gamma + \beta",),
    ),
    (
        Case("Flatten", {}, ((4, 3),)),
        (r"y = \mathrm{reshape}(x) \quad \text{reshape: shape = (n, 12)}",),
    ),
    (
        Case("SimpleRNN", {"units": 5}, ((7, 3),)),
        (
            r"h_{-1} = 0",
            r"\text{for } t = 0, \ldots, 6\colon",
            r"\quad h_{t} = \mathrm{tanh}\left(x_{t}\,W + h_{t-1}\,U + b\right)",
            r"y = h_{6}",
        ),
    ),
    (
        Case("LSTM", {"units": 5, "return_sequences": True}, ((7, 3),)),
        (
            r"\left(W_{i}, W_{f}, W_{g}, W_{o}\right) = \mathrm{split}(W) \quad \text{split: n = 4}",
            r"\left(U_{i}, U_{f}, U_{g}, U_{o}\right) = \mathrm{split}(U) \quad \text{split: n = 4}",
            r"\left(b_{i}, b_{f}, b_{g}, b_{o}\right) = \mathrm{split}(b) \quad \text{split: n = 4}",
            r"h_{-1} = 0",
            r"c_{-1} = 0",
            r"\text{for } t = 0, \ldots, 6\colon",
            r"\quad i_{t} = \mathrm{sigmoid}\left(x_{t}\,W_{i} + h_{t-1}\,U_{i} + b_{i}\right)",
            r"\quad f_{t} = \mathrm{sigmoid}\left(x_{t}\,W_{f} + h_{t-1}\,U_{f} + b_{f}\right)",
            r"\quad g_{t} = \mathrm{tanh}\left(x_{t}\,W_{g} + h_{t-1}\,U_{g} + b_{g}\right)",
            r"\quad o_{t} = \mathrm{sigmoid}\left(x_{t}\,W_{o} + h_{t-1}\,U_{o} + b_{o}\right)",
            r"\quad c_{t} = f_{t} \odot c_{t-1} + i_{t} \odot g_{t}",
            r"\quad h_{t} = o_{t} \odot \mathrm{tanh}\left(c_{t}\right)",
            r"\quad y_{t} = h_{t}",
        ),
    ),
    (
        Case("TimeDistributed", {"layer": Wrapped("Dense", {"units": 2})}, ((5, 3),)),
        (
            r"\mathrm{dense}(x, W, b)\colon",
            r"\quad y = x\,W + b",
            r"\text{for } t = 0, \ldots, 4\colon",
            r"\quad y_{t} = \mathrm{dense}\left(x_{t}, W, b\right)",
        ),
    ),
]


@pytest.mark.parametrize(("case", "lines"), SNAPSHOTS, ids=[case.id for case, _ in SNAPSHOTS])
def test_snapshot(case: Case, lines: tuple[str, ...]) -> None:
    assert latex(trace_case(case)) == lines


def test_conditions_one_behind_the_other_are_rows_of_one_bracket() -> None:
    joined = trace_case(Case("Concatenate", {}, ((3,), (5,), (2,))))
    x1, x2, x3 = (rf"\mathrm{{x{i}}}" for i in (1, 2, 3))
    rows = rf"{x1}[n, k] & \text{{if }} k < 3 \\ {x2}[n, k-3] & \text{{if }} 3 \leq k < 8 \\ {x3}[n, k-8] & \text{{otherwise}}"
    assert element_latex(element_form(joined)) == (rf"y[n, k] = \begin{{cases}} {rows} \end{{cases}}",)


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
    assert symbol(name, ["k"]) == written
    formula_tree(written)


TREES = {
    r"y_{n,i} = \sum_{u<3} x_{n,i+u}\,W_{u}": [
        "row", ["sub", "y", ["row", "n", ["o", ","], "i"]], ["o", "="],
        ["under", ["o", "∑"], ["row", "u", ["o", "<"], ["n", "3"]]],
        ["sub", "x", ["row", "n", ["o", ","], "i", ["o", "+"], "u"]], ["p"], ["sub", "W", "u"],
    ],
    r"{\left(x - \mu\right)}^{2}": ["sup", ["fence", "(", ")", "x", ["o", "−"], "μ"], ["n", "2"]],
    r"\frac{a}{\sqrt{b}}": ["frac", "a", ["root", "b"]],
    r"\text{for } t = 0, \ldots": ["row", ["t", "for "], "t", ["o", "="], ["n", "0"], ["o", ","], ["o", "…"]],
    r"\begin{cases} a & \text{if } i \leq 2 \\ 0 & \text{otherwise} \end{cases}": [
        "cases", ["a", ["row", ["t", "if "], "i", ["o", "≤"], ["n", "2"]]], [["n", "0"], ["t", "otherwise"]],
    ],
    r"W^{(q)}_{m}": ["both", "W", "m", ["fence", "(", ")", "q"]],
    r"x[n, k]": ["row", "x", ["fence", "[", "]", "n", ["o", ","], "k"]],
}  # fmt: skip


@pytest.mark.parametrize("line", TREES)
def test_a_formula_as_a_tree(line: str) -> None:
    assert formula_tree(line) == TREES[line]


@pytest.mark.parametrize("line", [r"\unheard{x}", r"\frac{a", r"\begin{matrix} a \end{matrix}"])
def test_what_no_formula_is_written_with(line: str) -> None:
    with pytest.raises(ValueError, match="LaTeX"):
        formula_tree(line)
