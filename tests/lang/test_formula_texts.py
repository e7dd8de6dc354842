"""The formula language as a user writes it: what is read, what is refused and how, and the page that tells of it."""

import doctest
import re
from pathlib import Path

import pytest

from layerexplain.derive.same import same
from layerexplain.errors import FormulaError, LayerExplainError
from layerexplain.lang.axes import BATCH, batches
from layerexplain.lang.expr import tensor
from layerexplain.lang.names import uses
from layerexplain.lang.parse import parse, parse_expression
from layerexplain.lang.syntax import checked_tree
from layerexplain.ops import load_all
from tests.support.paths import ROOT
from tests.support.steps import at_most

load_all()

PAGE = ROOT / "docs" / "internals" / "formula-language.md"

# What a user writes ---------------------------------------------------------------------------------------------

X = tensor("x", (BATCH, 5, 3))
W = tensor("W", (3, 3))
IDS = tensor("ids", (BATCH, 5), "int32")
LEAVES = {"x": X, "W": W, "ids": IDS}


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("y = dot(x, W)", (BATCH, 5, 3)),
        ("y = -x ** 2 / 3 // 4 % 5", (BATCH, 5, 3)),
        ("y = x[..., 1:3]", (BATCH, 5, 2)),
        ("y = x[:, -1]", (BATCH, 3)),
        ("y = x[:, ::2, None]", (BATCH, 3, 1, 3)),
        ("y = W[0]", (3,)),
        ("y = W[ids]", (BATCH, 5, 3)),
        ("y = W[ids + 1]", (BATCH, 5, 3)),
        ("y = x >= 0.5", (BATCH, 5, 3)),
        ("y = reshape(x, shape=(n, -1))", (BATCH, 15)),
        ("y = reshape(x, shape=(5 * n, 3))", (batches(5), 3)),
        ("y = reshape(x, shape=(n / 2, 30))", (batches(1, 2), 30)),
        ("y = reshape(x, shape=(3 * n / 2, 10))", (batches(3, 2), 10)),
        ("y = reshape(reshape(x, shape=(15 * n,)), shape=(n, 3, 5))", (BATCH, 3, 5)),
        ("y = x * ((1, 2, 3),)", (BATCH, 5, 3)),
        ("y = relu(x, max_value=6.0)", (BATCH, 5, 3)),
        ("a, _, y = split(W, n=3)", (3, 1)),
        ("def f(a, b):\n    c = a + b\n    return c, a * b\n_, y = f(x, W[0])", (BATCH, 5, 3)),
        ("def f(a):\n    return a[0]\ny = f(f(x))", (3,)),
        ("h = zeros(shape=(n, 3))\nfor t in steps(x):\n    h = tanh(x[t] + dot(h, W))\ny = h", (BATCH, 3)),
        ("for step in steps(x, ids):\n    y[step] = x[step] + W[ids[step]]", (BATCH, 5, 3)),
        ("h = zeros(shape=(n,))\nfor t in steps(x):\n    for s in steps(x[t]):\n        h = h + x[t][s]\ny = h", (BATCH,)),
    ],
)  # fmt: skip
def test_a_formula_can_be_written_by_hand(text: str, shape: tuple[object, ...]) -> None:
    assert parse(text, LEAVES)["y"].shape == shape


def test_all_names_of_the_top_level_are_bound() -> None:
    bound = parse("a = x + 1\nh = a[:, 0]\nfor t in steps(a):\n    b = a[t] * 2\n    h = h + b\n    y[t] = h", LEAVES)
    assert list(bound) == ["a", "h", "y"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("y = z", 1, "'z' is not defined"),
        ("y = x + 1\ny = x", 2, "'y' is assigned twice"),
        ("y = rleu(x)", 1, "there is no function 'rleu', did you mean 'relu'?"),
        ("a = x\ny = dot(x, W[:2])", 2, "dot needs the last axis"),
        ("y = relu(x, slope=1)", 1, "relu cannot take these arguments"),
        ("y = reshape(x, shape=3)", 1, "reshape cannot take these arguments"),
        ("y = reshape(x, shape=x)", 1, "a keyword argument must be a number"),
        ("y = reshape(x, shape=(0 * n, 3))", 1, "a keyword argument must be a number"),
        ("y = reshape(x, shape=(n * 5, 3))", 1, "a keyword argument must be a number"),
        ("y = reshape(x, shape=(2.5 * n, 6))", 1, "a keyword argument must be a number"),
        ("y = reshape(x, shape=(3 * n, 3))", 1, "got (None, 5, 3) with 15 per example into (None, 3) with 9"),
        ("a, b = split(W, n=3)", 1, "needs as many names on its left"),
        ("y = split(W, n=3)", 1, "needs as many names on its left"),
        ("y = split(W, n=1000000000)", 1, "needs as many names on its left"),
        ("a, b = x", 1, "need a call with 2 results"),
        ("n = x", 1, "'n' is the size of the batch"),
        ("y = n", 1, "it can be used only in shapes"),
        ("y = x + t", 1, "'t' is not defined"),
        ("for t in x:\n    y[t] = x[t]", 1, "the only loop of the language"),
        ("for t in steps(x):\n    y[t] = W[t]", 2, "add it to the loop header"),
        ("for t in steps(x):\n    y[t] = t", 2, "is the loop variable"),
        ("for t in steps(x):\n    y = x[t]", 1, "a loop needs a state"),
        ("y[t] = x", 1, "a sequence must be collected inside a loop"),
        ("h = x\nfor h in steps(x):\n    y[h] = x[h]", 2, "'h' is already assigned; use a new name for the loop"),
        ("h = x[:, 0]\nfor t in steps(x):\n    for t in steps(x):\n        h = h + x[t]", 3, "use a new name for the loop variable"),
        ("for t in steps(x):\n    y[t] = x[t]\n    y[t] = x[t]", 3, "'y' is already assigned"),
        ("h = x[:, 0]\nfor t in steps(x):\n    h = h + 1\n    h = h + 2", 4, "'h' is assigned twice"),
        ("def f(a):\n    return f(a)\ny = f(x)", 2, "'f' calls itself"),
        ("def f(a):\n    return a + x\ny = f(x)", 2, "'x' is not defined"),
        ("def f(a, b):\n    return a\ny = f(x)", 3, "f(a, b) takes 2 tensors"),
        ("def f(a):\n    return a\ndef f(a):\n    return a", 3, "'f' is defined twice"),
        ("def f(a):\n    b = a", 2, "a def must end with: return y"),
        ("y = (1, (2, 3)) * x", 1, "a table of numbers with rows of equal length"),
        ("y = steps(x)", 1, "steps(…) can be used only in a loop header"),
        ("y = x[1.5]", 1, "a slice takes integers"),
        ("y = x[0, 0, 0, 0]", 1, "a slice needs at most 3"),
        ("y = x[::0]", 1, "the step of a slice must not be 0"),
        ("y = 'text'", 1, "is not a tensor, a number or a table"),
        ("y = None", 1, "is not a tensor, a number or a table"),
        ("y = x == x == x", 1, "a comparison needs two sides"),
        ("y = add(x, x, x, k=input(x))", 1, ""),
        ("y = exp(x, x)", 1, "exp takes 1 tensor, got 2"),
        ("y = add(x)", 1, "add takes 2 tensors, got 1"),
        ("y.a = x", 1, "the target of an assignment must be a name"),
        ("a = x\ny[0] = x", 2, "the target of an assignment must be a name"),
        ("y = input(x)", 1, "there is no function 'input'"),
        ("y = slice(x, key=1)", 1, "there is no function 'slice'"),
        ("", 0, ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, words: str) -> None:
    if not text:
        assert parse(text, LEAVES) == {}
        return
    with pytest.raises(LayerExplainError) as refusal:
        parse(text, LEAVES)
    assert refusal.value.line == line, refusal.value
    assert words in str(refusal.value)


def test_a_choice_between_what_has_no_order_is_told_so() -> None:
    with pytest.raises(FormulaError, match="line 2: 'mode > 1' compares 'sum' with 1"):
        parse("a = x\ny = a if mode > 1 else -a", LEAVES, settings={"mode": "sum"}, choices=True)


@pytest.mark.parametrize(
    ("text", "tensors", "values"),
    [
        ("y = E[k]", {"E", "k"}, set()),
        ("y = E[k + 1]", {"E", "k"}, set()),
        ("y = E[:k]", {"E"}, {"k"}),
        ("y = E[:, k]", {"E"}, {"k"}),
        ("y = E[0, j:k]", {"E"}, {"j", "k"}),
        ("y = relu(E, slope=k)", {"E"}, {"k"}),
    ],
)
def test_names_in_a_slice_stand_for_numbers(text: str, tensors: set[str], values: set[str]) -> None:
    used = uses(checked_tree(text))
    assert (set(used.tensors), set(used.values)) == (tensors, values)


# Hostile texts --------------------------------------------------------------------------------------------------

HOSTILE = {
    "attribute": "y = x.shape",
    "method": "y = x.__class__.__bases__()",
    "import": "import os",
    "import from": "from os import system",
    "lambda": "y = (lambda: x)()",
    "list comprehension": "y = [x for a in x]",
    "generator": "y = sum(x for a in x)",
    "f-string": "y = f'{x}'",
    "dunder name": "y = __import__",
    "dunder call": "y = __import__('os')",
    "dunder keyword": "y = relu(x, __a=1)",
    "dunder def": "def __f(a):\n    return a",
    "dunder parameter": "def f(__a):\n    return __a",
    "walrus": "y = (z := x)",
    "starred": "y = concatenate(*x)",
    "double starred": "y = relu(x, **x)",
    "while": "while x:\n    y = x",
    "if": "if x:\n    y = x",
    "conditional": "y = x if x else x",
    "class": "class A:\n    pass",
    "exec": "exec('1')",
    "del": "del x",
    "global": "global x",
    "try": "try:\n    y = x\nexcept E:\n    y = x",
    "with": "with x:\n    y = x",
    "assert": "assert x",
    "raise": "raise x",
    "decorator": "@f\ndef g(a):\n    return a",
    "default": "def g(a=1):\n    return a",
    "annotation": "y: int = 1",
    "augmented": "y += x",
    "chained": "y = z = x",
    "attribute target": "x.y = x",
    "item target": "x[0] = x",
    "nested def": "def f(a):\n    def g(b):\n        return b\n    return a",
    "await": "y = await x",
    "yield": "y = yield",
    "dict": "y = {1: x}",
    "set": "y = {x}",
    "bytes": "y = b'a'",
    "complex": "y = 1j",
    "list attribute": "y = reshape(x, shape=[n, 15])",
    "matmul": "y = x @ W",
    "and": "y = x and x",
    "not": "y = not x",
    "for else": "for t in steps(x):\n    y[t] = x[t]\nelse:\n    z = x",
    "null byte": "y = x\x00",
    "lone surrogate": "y = '\ud800'",
    "tab soup": "y = x\n\tz = x",
    "escape": "y = relu(x, a='\\q')",
    "brackets": "y = " + "(" * 90 + "x" + ")" * 90 + "(",
    "deep brackets": "y = " + "(" * 5000 + "x" + ")" * 5000,
    "deep unary": "y = " + "-" * 50_000 + "x",
    "deep sum": "y = " + " + ".join(["x"] * 20_000),
    "deep power": "y = " + " ** ".join(["x"] * 20_000),
    "deep calls": "y = " + "relu(" * 150 + "x" + ")" * 150,
    "deep attributes": "y = x" + ".a" * 50_000,
    "deep subscripts": "y = x" + "[0]" * 50_000,
    "deep blocks": "\n".join("    " * i + f"for t{i} in steps(x):" for i in range(150)),
    "long": "y = x" + " " * 1_000_000,
    "many": "\n".join(f"y{i} = x + x * x" for i in range(90_000))[:999_990],
    "huge number": "y = x * " + "9" * 5000,
    "recursion": "def f(a):\n    return f(a)\ny = f(x)",
    "mutual recursion": "def f(a):\n    return g(a)\ndef g(a):\n    return f(a)\ny = f(x)",
    "deep definitions": "def f0(a):\n    return a\n" + "".join(f"def f{i}(a):\n    return f{i - 1}(a)\n" for i in range(1, 3000)) + "y = f2999(x)",
    "shapes without end": "def f0(a):\n    return sum(a)\n"
    + "".join(
        f"def f{i}(a):\n    b = f{i - 1}(repeat(a, times=2, axis=1))\n"
        f"    return b + f{i - 1}(repeat(a, times={2 * i + 1}, axis=2))\n"
        for i in range(1, 40)
    )
    + "y = f39(x)",
}  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_texts_are_refused_with_the_line(text: str) -> None:
    with at_most(3_000_000), pytest.raises(FormulaError) as refusal:
        parse(text, LEAVES)
    assert refusal.value.line is not None
    assert re.match(r"line \d+: \S", str(refusal.value))
    assert len(str(refusal.value)) < 400


def test_nothing_of_a_text_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(FormulaError):
        parse(f"y = open({str(mark)!r}, 'w')", {})
    with pytest.raises(FormulaError):
        parse(f"y = relu(x, a=open({str(mark)!r}, 'w'))", LEAVES)
    assert not mark.exists()


# The page -------------------------------------------------------------------------------------------------------

PAGE_LEAVES = {
    "x": tensor("x", (BATCH, 5, 3)),
    "W": tensor("W", (3, 4)),
    "b": tensor("b", (4,)),
    "U": tensor("U", (4, 4)),
    "E": tensor("E", (10, 3)),
    "ids": tensor("ids", (BATCH, 5), "int32"),
    "mask": tensor("mask", (BATCH, 5), "bool"),
}


def examples(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("text", examples("formula"))
def test_examples_of_the_page_are_formulas(text: str) -> None:
    assert parse(text, PAGE_LEAVES)


@pytest.mark.parametrize("text", examples("formula-refused"))
def test_refused_examples_of_the_page_say_why(text: str) -> None:
    with pytest.raises(LayerExplainError) as refusal:
        parse(text, PAGE_LEAVES)
    assert text.rpartition("# ")[2].strip() in str(refusal.value)


def test_the_page_shows_true_sessions() -> None:
    outcome = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert outcome.attempted > 5
    assert not outcome.failed


def test_the_parser_shows_a_true_session() -> None:
    import layerexplain.lang.parse

    assert not doctest.testmod(layerexplain.lang.parse).failed


# One expression -------------------------------------------------------------------------------------------------


def test_one_expression_takes_its_configuration_by_name() -> None:
    settings = {"axis": -1, "rate": 0.5, "keepdims": True}
    y = parse_expression("sum(x * rate, axis=axis, keepdims=keepdims)", LEAVES, settings=settings)
    assert same(y, parse("y = sum(x * 0.5, axis=-1, keepdims=True)", LEAVES)["y"])


def test_one_expression_may_have_several_results() -> None:
    assert len(parse_expression("top_k(x, k=2)", LEAVES).shape) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("y = x", "not a valid formula"),
        ("x +", "not a valid formula"),
        ("x if x else W", "if … else is not part"),
        ("x + axi", "'axi' is not defined, did you mean 'axis'?"),
        ("x + axis", "'axis' is not a tensor, a number or a table"),
        ("sum(x, axis=other)", "a keyword argument must be a number"),
    ],
)
def test_one_expression_that_is_refused(text: str, words: str) -> None:
    with pytest.raises(FormulaError, match=re.escape(words)):
        parse_expression(text, LEAVES, settings={"axis": "rows"})


def test_a_refused_operator_is_reported_on_its_own_line() -> None:
    for lines in (3, 1, 2):
        with pytest.raises(FormulaError, match=f"line {lines}: the operator @"):
            parse("\n" * (lines - 1) + "y = x @ W", LEAVES)
