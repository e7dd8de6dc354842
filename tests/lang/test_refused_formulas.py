"""What the formula language refuses: each text with the line and the words; and what arguments and conditions are."""

from __future__ import annotations

import ast
from typing import Any

import pytest

from layerexplain.errors import FormulaError, LayerExplainError
from layerexplain.lang.axes import BATCH, batches
from layerexplain.lang.expr import tensor, weight
from layerexplain.lang.parse import parse
from layerexplain.lang.settings import NotGiven, attribute, holds
from layerexplain.lang.syntax import DEEPEST, LARGEST, LONGEST
from layerexplain.ops import load_all

load_all()

LEAVES = {
    "x": tensor("x", (BATCH, 5, 3)),
    "W": weight("kernel", "W", [("inputs", 3), ("units", 4)]),
    "ids": tensor("ids", (BATCH, 5), "int32"),
    "mask": tensor("mask", (BATCH, 5), "bool"),
}
NOT_A_PART = " is not part of the formula language, which has assignments, calls, operators, for and def"
REFUSED = [
    ('y = z = x', 1, 'an assignment has one target; write one line for each name'),
    ('import os', 1, f'import{NOT_A_PART}'),
    ('del x', 1, f"'Delete'{NOT_A_PART}"),
    ('y += x', 1, f'an assignment such as `+=`{NOT_A_PART}'),
    ('y = x.shape', 1, f'attribute access{NOT_A_PART}'),
    ('y = relu', 1, "'relu' is not defined"),
    ('y = f(x)', 1, "there is no function 'f'"),
    ('y = x[()]', 1, 'square brackets need an index'),
    ('x.y = 3', 1, 'the target of an assignment must be a name, several names, or a collected sequence (y[t])'),
    ('y = (lambda a: a)(x)', 1, f'lambda{NOT_A_PART}'),
    ('y = x(3)(4)', 1, 'only a name can be called'),
    ('y = relu(**x)', 1, 'each keyword argument needs a name, and each name may be given once'),
    ('y = pad(x, axis=1, axis=1)', 1, 'each keyword argument needs a name, and each name may be given once'),
    ('y = __x', 1, "a name must not contain '__', got '__x'"),
    ('y = relu(x, __a=1)', 1, "a name must not contain '__', got '__a'"),
    ('n = x', 1, "'n' is the size of the batch and cannot be assigned; use another name"),
    ('steps = x', 1, "'steps' is the function that loops run over and cannot be assigned; use another name"),
    ('y = steps(x)', 1, 'steps(…) can be used only in a loop header: for t in steps(x):'),
    ("y = b'a'", 1, 'bytes is not part of the formula language, which has numbers and texts'),
    ('y = 1j', 1, 'complex is not part of the formula language, which has numbers and texts'),
    ('y = +x', 1, 'the only prefix operator of a tensor is -'),
    ('y = not x', 1, f'not{NOT_A_PART}'),
    ('y = ~x', 1, 'the only prefix operator of a tensor is -'),
    ('y = x < 3 < 4', 1, 'a comparison needs two sides and one of == != < <= > >='),
    ('y = x in W', 1, 'a comparison needs two sides and one of == != < <= > >='),
    ('y = x and W', 1, f'and/or{NOT_A_PART}'),
    ('[a, b] = split(x, n=3)', 1, 'the target of an assignment must be a name, several names, or a collected sequence (y[t])'),
    ('a, b = x', 1, '2 names need a call with 2 results, such as split(x, n=2)'),
    ('a, b = split(x, n=3)', 1, 'split(…, n=3) needs as many names on its left side, got 2'),
    ('a, b, c, d = split(x, n=3)', 1, 'split(…, n=3) needs as many names on its left side, got 4'),
    ('y = split(x, n=3)', 1, 'split(…, n=3) needs as many names on its left side, got 1'),
    ('x = relu(x)', 1, "'x' is already assigned; use a new name"),
    ('y = x\ny = W', 2, "'y' is assigned twice; only a loop may assign a name again, once per step"),
    ('for t in x:\n    y[t] = x[t]', 1, 'the only loop of the language is: for t in steps(x, …):'),
    ('for t in steps(x):\n    y[t] = x[t]\nelse:\n    z = x', 1, 'the only loop of the language is: for t in steps(x, …):'),
    ('for t, u in steps(x):\n    y[t] = x[t]', 1, 'the only loop of the language is: for t in steps(x, …):'),
    ('for t in steps():\n    y[t] = x', 1, 'steps() takes one or more tensors and no keyword arguments'),
    ('for t in steps(x, axis=1):\n    y[t] = x[t]', 1, 'steps() takes one or more tensors and no keyword arguments'),
    ('for t in steps(x):\n    return x', 2, "a loop can contain only assignments and loops, got 'Return'"),
    ('for t in steps(x):\n    z = x[t]', 1, 'a loop needs a state (assigned before it and in it) or a collected sequence'),
    ('for x in steps(x):\n    y[x] = x[x]', 1, "'x' is already assigned; use a new name for the loop variable"),
    ('for t in steps(x[0, 0]):\n    y[t] = x[t]', 1, 'steps() needs tensors with a batch axis and a step axis, got x[0, 0]'),
    ('for t in steps(x):\n    y[u] = x[t]', 2, "a sequence must be collected with 'y[t] = …', got 'y[u] = …'"),
    ('y[t] = x', 1, "a sequence must be collected inside a loop, got 'y[t] = …'"),
    ('for t in steps(x):\n    y[t] = t', 2, "'t' is the loop variable; it can be used only as an index: x[t]"),
    ('for t in steps(x):\n    x[t] = x[t]', 2, "'x' is already assigned; collect into a new name"),
    ('def f(x=1):\n    return x\ny = f(x)', 1, 'a def takes plain parameters only: def f(x, W):'),
    ('def f(*x):\n    return x\ny = f(x)', 1, 'a def takes plain parameters only: def f(x, W):'),
    ('def f(a, a):\n    return a\ny = f(x)', 1, 'parameter names must be different'),
    ('def f(a: int):\n    return a\ny = f(x)', 1, "a parameter must be a plain name other than n and steps, got 'a'"),
    ('def f(n):\n    return n\ny = f(x)', 1, "a parameter must be a plain name other than n and steps, got 'n'"),
    ('def f(a):\n    b = a\ny = f(x)', 2, 'a def must end with: return y'),
    ('def f(a):\n    return\ny = f(x)', 2, 'a def must end with: return y'),
    ('def f(a):\n    del a\n    return a\ny = f(x)', 2, "a def can contain only assignments and loops, got 'Delete'"),
    ('def __f(a):\n    return a\ny = __f(x)', 1, "a name must not contain '__', got '__f'"),
    ('def f(a):\n    return a\ny = f(x, x)', 3, "f(a) takes 1 tensors, got 'f(x, x)'"),
    ('def f(a):\n    return a, a\ny = f(x)', 3, 'this has 2 results; unpack them first: a, b = …'),
    ('return x', 1, f"'Return'{NOT_A_PART}"),
    ('y = reshape(x, shape=n + 1)', 1, "a keyword argument must be a number, a text, None, True, False, n or a tuple, got 'n + 1'"),
    ('y = reshape(x, shape=(n, foo))', 1, "a keyword argument must be a number, a text, None, True, False, n or a tuple, got 'foo'"),
    ('y = x + n', 1, "'n' is the size of the batch; it can be used only in shapes: shape=(n, 6)"),
    ('y = foo', 1, "'foo' is not defined"),
    ('y = rleu(x)', 1, "there is no function 'rleu', did you mean 'relu'?"),
    ('y = (1, (2, 3)) * x', 1, "'(1, (2, 3))' is not a tensor, a number or a table of numbers with rows of equal length"),
    ("y = 'text'", 1, "''text'' is not a tensor, a number or a table of numbers with rows of equal length"),
    ('y = None', 1, "'None' is not a tensor, a number or a table of numbers with rows of equal length"),
    ('y = x[1.5]', 1, "a slice takes integers, `...` and None, got '1.5'"),
    ('y = x[0:n]', 1, "a slice takes integers, `...` and None, got 'n'"),
    ('y = x[::0]', 1, 'the step of a slice must not be 0'),
    ('y = relu(x, y=3)', 1, "relu cannot take these arguments: relu() got an unexpected keyword argument 'y'"),
    ('y = x if x else W', 1, f'if … else{NOT_A_PART}'),
    ('y = x @ W', 1, f'the operator @{NOT_A_PART}'),
    ('y = x << 2', 1, f"'LShift'{NOT_A_PART}"),
    ('y = where(x, x)', 1, 'where takes 3 tensors, got 2'),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "message"), REFUSED)
def test_a_text_that_is_no_formula(text: str, line: int, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text, LEAVES)
    assert (caught.value.line, caught.value.fact) == (line, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("for t in steps(x, x[:, :2]):\n    y[t] = x[t]", "the sequences of a loop need equal lengths, got 5 and 2"),
        ("h = zeros(shape=(n, 3))\nfor t in steps(x):\n    z = x[t]\n    h = z[..., None]",
         "state 'h' needs the same shape after each step, got (n, 3), (n, 3, 1)"),
        ("y = sum(x, axis=7)", "axis needs to be from -3 to 2 for a tensor with 3 axes, got 7"),
        ("y = sum(x, axis=-4)", "axis needs to be from -3 to 2 for a tensor with 3 axes, got -4"),
    ],
)  # fmt: skip
def test_shapes_that_do_not_fit(text: str, message: str) -> None:
    with pytest.raises(LayerExplainError) as caught:
        parse(text, LEAVES)
    assert caught.value.fact == message


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("z = x\ny = " + "-" * 3000 + "x", 2,
         f"the formula nests deeper than {DEEPEST} levels; name its parts in statements of their own"),
        ("y = x\nz = sum(x, axis=(" + "1, " * LARGEST + "))", 2, f"the formula has more than {LARGEST} parts"),
        ("#" * (LONGEST + 1), 1, f"a formula needs at most {LONGEST} characters, got {LONGEST + 1}"),
        ("\n" * (LONGEST + 1), LONGEST + 1, f"a formula needs at most {LONGEST} characters, got {LONGEST + 1}"),
    ],
)  # fmt: skip
def test_formulas_that_are_too_large(text: str, line: int, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text, {"x": LEAVES["x"]})
    assert (caught.value.line, caught.value.fact) == (line, message)


@pytest.mark.parametrize(("depth", "is_taken"), [(DEEPEST - 3, True), (DEEPEST - 2, False)])
def test_how_deep_a_formula_may_be(depth: int, is_taken: bool) -> None:
    text = "y = " + "-" * depth + "x"
    if is_taken:
        assert [*parse(text, LEAVES)] == ["y"]
    else:
        with pytest.raises(FormulaError, match="nests deeper than"):
            parse(text, LEAVES)


SETTINGS: dict[str, Any] = {
    "units": 7,
    "rate": 0.5,
    "off": False,
    "none": None,
    "name": "same",
    "open": NotGiven("no size"),
}


def node(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2), ("-2", -2), ("-0.5", -0.5), ("'a'", "a"), ("None", None), ("(1, n, 'b')", (1, BATCH, "b")), ("n", BATCH),
        ("3 * n", batches(3)), ("units", 7), ("-units", -7), ("units + 2", 9), ("units - 2", 5), ("units * 2", 14),
        ("units / 2", 3.5), ("units // 2", 3), ("units % 4", 3), ("2 if off else 3", 3), ("2 if units else 3", 2),
    ],
)  # fmt: skip
def test_the_value_of_an_argument(text: str, value: Any) -> None:
    assert attribute(node(text), SETTINGS) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name + 2", "'name + 2' needs two numbers, got same and 2"),
        (
            "units * 10 ** 19",
            "a keyword argument must be a number, a text, None, True, False, n or a tuple, got '10 ** 19'",
        ),
        ("units * 1000000000000000001", "'units * 1000000000000000001' needs numbers up to 10**18"),
        ("units / 0", "'units / 0' divides by zero"),
        ("units % (units - 7)", "'units % (units - 7)' divides by zero"),
        ("open", "no size"),
        ("...", "a keyword argument must be a number, a text, None, True, False, n or a tuple, got '...'"),
        ("0 * n", "'0 * n' needs two numbers, got 0 and n"),
    ],
)
def test_what_is_no_argument(text: str, message: str) -> None:
    try:
        found = attribute(node(text), SETTINGS)
    except FormulaError as error:
        assert error.fact == message
    else:
        raise AssertionError(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("units", True), ("off", False), ("not off", True), ("open", False), ("none is None", True), ("open is None", True),
        ("units is not None", True), ("units is None", False), ("units > 6", True), ("units > 7", False),
        ("units >= 7", True), ("units < 8 and off", False), ("units < 8 or off", True), ("name == 'same'", True),
        ("name != 'same'", False), ("rate <= 0.5", True), ("rate < 0.5", False), ("0", False), ("1", True),
    ],
)  # fmt: skip
def test_whether_a_condition_holds(text: str, expected: bool) -> None:
    assert holds(node(text), SETTINGS) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name < 3", "'name < 3' compares 'same' with 3"),
        ("f(units)", "a condition is made of arguments, sizes and comparisons of them, got 'f(units)'"),
        ("1 < units < 9", "a condition is made of arguments, sizes and comparisons of them, got '1 < units < 9'"),
        ("units in name", "a condition is made of arguments, sizes and comparisons of them, got 'units in name'"),
    ],
)
def test_what_is_no_condition(text: str, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        holds(node(text), SETTINGS)
    assert caught.value.fact == message


@pytest.mark.parametrize(("text", "count"), [("y = relu(x, x)", 2), ("y = relu()", 0)])
def test_a_function_takes_as_many_tensors_as_it_has(text: str, count: int) -> None:
    with pytest.raises(LayerExplainError) as caught:
        parse(text, LEAVES)
    assert (caught.value.fact, caught.value.line) == (f"relu takes (z), got {count} tensors", 1)
