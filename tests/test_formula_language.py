"""The formula language: what is printed is read again as the same expression, and nothing else is read."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from layerexplain.derive.parse import parse, redefine
from layerexplain.derive.same import same, same_definition
from layerexplain.derive.text import program
from layerexplain.errors import FormulaError, LayerExplainError
from layerexplain.expr import BATCH, Definition, Expr, call, constant, item, loop, named, tensor, weight
from layerexplain.ops.contract import einsum
from layerexplain.ops.movement import pad, split, zeros
from tests.cases import CASES, DRAWS, Case
from tests.keras_oracle import trace_case

DRAWN = 24


def check_laws(definition: Definition) -> None:
    """The text parses to the same formula, and the parsed formula prints as the same text."""
    text = program(definition)
    again = redefine(definition, text)
    for name, result in definition.results.items():
        assert same(again.results[name], result), f"{name} of:\n{text}"
    assert program(again) == text


def traced(case: Case) -> Definition | None:
    """The definition of a row; None if the row is there to be refused."""
    try:
        return trace_case(case)
    except LayerExplainError:
        return None


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_rows_are_read_as_they_are_printed(case: Case) -> None:
    definition = traced(case)
    if definition is not None:
        check_laws(definition)


@pytest.mark.parametrize("type_", sorted(DRAWS))
def test_drawn_configurations_are_read_as_they_are_printed(type_: str) -> None:
    drawn = [traced(DRAWS[type_](random.Random(f"language {type_}{seed}"))) for seed in range(DRAWN)]
    formulas = [definition for definition in drawn if definition is not None]
    assert formulas
    for definition in formulas:
        check_laws(definition)


# Mutants --------------------------------------------------------------------------------------------------------

MUTATIONS: list[tuple[str, str]] = [
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r" \* ", " / "),
    (r"\bsigmoid\(", "tanh("),
    (r"\btanh\(", "sigmoid("),
    (r"\brelu\(", "tanh("),
    (r"\bW_i\)", "W_f)"),
    (r"\bU_z\)", "U_r)"),
    (r"\bb_o\)", "b_f)"),
    (r"padding='same'", "padding='valid'"),
    (r"padding='valid'", "padding='same'"),
    (r"strides=2", "strides=1"),
    (r"reverse\((\w+)\)", r"\1"),
    (r"\bsteps\((\w+)\)", r"steps(reverse(\1))"),
    (r"\[t\] = h$", "[t] = tanh(h)"),
    (r"axis=1\b", "axis=2"),
    (r"dot\((\S+), W", r"dot(\1, U"),
    (r"\bh\b(?= \* )", "c"),
    (r"maximum|max\(", "min("),
    (r"_fwd", "_bwd"),
    (r"0\.001", "0.002"),
    (r"where\((\S+), (\S+), (\S+)\)", r"where(\1, \3, \2)"),
]


def mutants(text: str) -> list[str]:
    """The text with one place changed, for each place where a change applies."""
    found = []
    for pattern, replacement in MUTATIONS:
        for match in re.finditer(pattern, text, re.MULTILINE):
            mutant = text[: match.start()] + match.expand(replacement) + text[match.end() :]
            if mutant != text:
                found.append(mutant)
    return found


def test_no_mutant_of_a_text_is_the_same_formula() -> None:
    unequal = refused = 0
    for case in CASES:
        definition = traced(case)
        if definition is None or case.type not in MUTATED:
            continue
        for mutant in mutants(program(definition)):
            try:
                again = redefine(definition, mutant)
            except LayerExplainError:
                refused += 1
                continue
            assert not all(same(again.results[n], e) for n, e in definition.results.items()), mutant
            unequal += 1
    assert unequal > 200
    assert refused > 10


MUTATED = {"Dense", "Conv2D", "Conv1D", "SimpleRNN", "GRU", "LSTM", "Bidirectional", "BatchNormalization"}


# Sameness -------------------------------------------------------------------------------------------------------


def inputs(*shape: int) -> Expr:
    return tensor("x", (BATCH, *shape))


def test_names_sharing_and_order_do_not_matter() -> None:
    x = inputs(3)
    shared = named("v", x + 1)
    assert same(shared * shared, (x + 1) * (x + 1))
    a, b = call(doubling("f", x), x), call(doubling("g", x), x)
    assert same(a, b)
    assert same(einsum(x, x, eq="ab,ac->bc"), einsum(x, x, eq="nk,nm->km"))
    assert not same(einsum(x, x, eq="ab,ac->bc"), einsum(x, x, eq="ab,ac->cb"))


def doubling(name: str, x: Expr) -> Definition:
    z = tensor("z" if name == "f" else "w", x.shape)
    return Definition(name, (z,), (), {"y": z + z})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda x: x + 1, lambda x: x + 1.0),
        (lambda x: x + 1, lambda x: x + True),
        (lambda x: x - 2, lambda x: 2 - x),
        (lambda x: x, lambda x: inputs(3)),
        (lambda x: pad(x, pads=((0, 0), (1, 2))), lambda x: pad(x, pads=((0, 0), (2, 1)))),
        (lambda x: item(split(x, n=3), 0), lambda x: item(split(x, n=3), 1)),
        (lambda x: x * constant((1, 2, 3)), lambda x: x * constant((1, 2, 4))),
    ],
)
def test_what_differs_is_not_the_same(one: Callable[[Expr], Expr], other: Callable[[Expr], Expr]) -> None:
    x = inputs(3)
    assert same(one(x), one(x))
    assert not same(one(x), other(x))


def test_weights_count_by_identity() -> None:
    x = inputs(3)
    axes = [("units", 3)]
    a, b = weight("bias", "b", axes), weight("bias", "b", axes)
    assert same(x + a, x + a)
    assert not same(x + a, x + b)


def test_a_long_chain_and_many_doublings_are_compared_in_no_time() -> None:
    started = time.perf_counter()
    x = inputs(3)

    def chain(length: int) -> Expr:
        y = x
        for _ in range(length):
            y = y + 1
        return y

    assert same(chain(100_000), chain(100_000))
    assert not same(chain(100_000), chain(99_999))

    def doubled(times: int) -> Expr:
        y = x
        for _ in range(times):
            y = y + y
        return y

    assert same(doubled(60), doubled(60))
    assert not same(doubled(60), doubled(61))
    check_laws(Definition("doubled", (x,), (), {"y": doubled(60)}))
    assert time.perf_counter() - started < 20


def test_definitions_nested_in_definitions_are_compared_once_each() -> None:
    x = inputs(3)

    def nested(depth: int) -> Definition:
        inner = doubling("f", x)
        for level in range(depth):
            z = tensor("z", x.shape)
            y = call(inner, call(inner, call(inner, call(inner, z))))
            inner = Definition(f"level{level}", (z,), (), {"y": y})
        return inner

    assert same_definition(nested(21), nested(21))
    assert not same_definition(nested(21), nested(20))
    check_laws(nested(21))


# Printing what is hard to print ---------------------------------------------------------------------------------


def step_loop(step: Callable[..., tuple[list[Expr], dict[str, Expr]]], *names: str) -> Definition:
    x = inputs(5, 3)
    states = {name: zeros(shape=(BATCH, 3)) for name in names}
    run = loop(step, [x], states)
    count = len(run.shape) if len(names) > 1 or type(run.shape[0]) is tuple else 1
    parts = [run] if count == 1 else [item(run, i) for i in range(count)]
    return Definition("f", (x,), (), {f"y{i}": part for i, part in enumerate(parts)})


@pytest.mark.parametrize(
    ("step", "names"),
    [
        # Each state reads the other's value of before the step.
        (lambda x, a, b: ([b, a], {}), ("a", "b")),
        (lambda x, a, b: ([a + b + x, a - b], {}), ("a", "b")),
        (lambda x, a, b: ([b + x, a * x], {}), ("a", "b")),
        # A shift: what comes in moves through three states.
        (lambda x, a, b, c: ([x + a, a, b], {}), ("a", "b", "c")),
        (lambda x, a, b, c: ([c, a, b], {}), ("a", "b", "c")),
        # A sequence of what the state was before.
        (lambda x, a, b: ([a + x, b + a], {"old": a}), ("a", "b")),
        (lambda x, a, b: ([a + x, b], {"both": a * b}), ("a", "b")),
        (lambda x, a, b: ([a + x, a + x], {"both": a - b}), ("a", "b")),
        (lambda x, a, b: ([x, zeros(shape=(BATCH, 3))], {"both": a - b}), ("a", "b")),
    ],
)
def test_states_keep_their_order(step: Callable[..., tuple[list[Expr], dict[str, Expr]]], names: tuple[str]) -> None:
    check_laws(step_loop(step, *names))


def test_results_keep_their_names_and_others_make_way() -> None:
    x = inputs(3)
    first = named("y", x + 1)
    check_laws(Definition("f", (x,), (), {"y": first * first}))
    check_laws(Definition("f", (x,), (), {"z": first, "y": first * first}))
    check_laws(Definition("f", (x,), (), {"y": x, "z": x}))


@pytest.mark.parametrize("name", ["softmax", "add", "lambda", "my model/1", "a__b", "1st", "für"])
def test_definitions_with_odd_names_are_called_by_a_name_of_the_language(name: str) -> None:
    from layerexplain.ops.functions import softmax

    x, z = inputs(3), tensor("z", (BATCH, 3))
    inner = Definition(name, (z,), (), {"y": softmax(z + 1)})
    check_laws(Definition("outer", (x,), (), {"y": call(inner, x)}))


def test_a_mask_of_an_inner_definition_is_one_of_its_results() -> None:
    x, z = inputs(3), tensor("z", (BATCH, 3))
    inner = Definition("f", (z,), (), {"y": z + 1}, masks=(z + 2,))
    run = call(inner, x)
    check_laws(Definition("outer", (x,), (), {"y": item(run, 0), "w": item(run, 1)}))


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
        ("y = x * ((1, 2, 3),)", (BATCH, 5, 3)),
        ("y = relu(x, max_value=6.0)", (BATCH, 5, 3)),
        ("a, _, y = split(W, n=3)", (3, 1)),
        ("def f(a, b):\n    c = a + b\n    return c, a * b\n_, y = f(x, W[0])", (BATCH, 5, 3)),
        ("def f(a):\n    return a[0]\ny = f(f(x))", (3,)),
        ("h = zeros(shape=(n, 3))\nfor t in steps(x):\n    h = tanh(x[t] + dot(h, W))\ny = h", (BATCH, 3)),
        ("for step in steps(x, ids):\n    y[step] = x[step] + W[ids[step]]", (BATCH, 5, 3)),
        (
            "h = zeros(shape=(n,))\nfor t in steps(x):\n    for s in steps(x[t]):\n        h = h + x[t][s]\ny = h",
            (BATCH,),
        ),
    ],
)
def test_a_formula_can_be_written_by_hand(text: str, shape: tuple[object, ...]) -> None:
    assert parse(text, LEAVES)["y"].shape == shape


def test_all_names_of_the_top_level_are_bound() -> None:
    bound = parse("a = x + 1\nh = a[:, 0]\nfor t in steps(a):\n    b = a[t] * 2\n    h = h + b\n    y[t] = h", LEAVES)
    assert list(bound) == ["a", "h", "y"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("y = z", 1, "nothing is called 'z' here"),
        ("y = x + 1\ny = x", 2, "'y' is bound twice"),
        ("y = rleu(x)", 1, "there is no function 'rleu', did you mean 'relu'?"),
        ("a = x\ny = dot(x, W[:2])", 2, "dot needs the last axis"),
        ("y = relu(x, slope=1)", 1, "relu cannot take these arguments"),
        ("y = reshape(x, shape=3)", 1, "reshape cannot take these arguments"),
        ("y = reshape(x, shape=x)", 1, "a keyword takes a number"),
        ("a, b = split(W, n=3)", 1, "needs as many names on its left"),
        ("y = split(W, n=3)", 1, "needs as many names on its left"),
        ("y = split(W, n=1000000000)", 1, "needs as many names on its left"),
        ("a, b = x", 1, "need a call with 2 results"),
        ("n = x", 1, "'n' is the size of the batch"),
        ("y = n", 1, "it stands in shapes only"),
        ("y = x + t", 1, "nothing is called 't'"),
        ("for t in x:\n    y[t] = x[t]", 1, "the one loop of the language"),
        ("for t in steps(x):\n    y[t] = W[t]", 2, "list it in that loop"),
        ("for t in steps(x):\n    y[t] = t", 2, "counts the steps"),
        ("for t in steps(x):\n    y = x[t]", 1, "a loop needs a state"),
        ("y[t] = x", 1, "a sequence is collected inside a loop"),
        ("for t in steps(x):\n    y[t] = x[t]\n    y[t] = x[t]", 3, "'y' is bound already"),
        ("h = x[:, 0]\nfor t in steps(x):\n    h = h + 1\n    h = h + 2", 4, "'h' is bound twice"),
        ("def f(a):\n    return f(a)\ny = f(x)", 2, "'f' calls itself"),
        ("def f(a):\n    return a + x\ny = f(x)", 2, "nothing is called 'x'"),
        ("def f(a, b):\n    return a\ny = f(x)", 3, "f(a, b) takes 2 tensors"),
        ("def f(a):\n    return a\ndef f(a):\n    return a", 3, "'f' is defined twice"),
        ("def f(a):\n    b = a", 2, "a def ends with: return y"),
        ("y = (1, (2, 3)) * x", 1, "nor rows of as many numbers each"),
        ("y = steps(x)", 1, "steps(…) stands in a loop only"),
        ("y = x[1.5]", 1, "a slice takes whole numbers"),
        ("y = x[0, 0, 0, 0]", 1, "a slice needs at most 3"),
        ("y = x[::0]", 1, "a slice needs a step other than 0"),
        ("y = 'text'", 1, "is neither a tensor nor a number"),
        ("y = None", 1, "is neither a tensor nor a number"),
        ("y = x == x == x", 1, "a comparison needs two sides"),
        ("y = add(x, x, x, k=input(x))", 1, ""),
        ("y = input(x)", 1, "there is no function 'input'"),
        ("y = slice(x, key=1)", 1, "there is no function 'slice'"),
        ("", 0, ""),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, words: str) -> None:
    if not text:
        assert parse(text, LEAVES) == {}
        return
    with pytest.raises(LayerExplainError) as refusal:
        parse(text, LEAVES)
    assert refusal.value.line == line, refusal.value
    assert words in str(refusal.value)


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
    "deep definitions": "def f0(a):\n    return a\n"
    + "".join(f"def f{i}(a):\n    return f{i - 1}(a)\n" for i in range(1, 3000))
    + "y = f2999(x)",
    "shapes without end": "def f0(a):\n    return sum(a)\n"
    + "".join(
        f"def f{i}(a):\n    b = f{i - 1}(repeat(a, times=2, axis=1))\n"
        f"    return b + f{i - 1}(repeat(a, times={2 * i + 1}, axis=2))\n"
        for i in range(1, 40)
    )
    + "y = f39(x)",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_texts_are_refused_with_the_line(text: str) -> None:
    started = time.perf_counter()
    with pytest.raises(FormulaError) as refusal:
        parse(text, LEAVES)
    assert refusal.value.line is not None
    assert re.match(r"line \d+: \S", str(refusal.value))
    assert len(str(refusal.value)) < 400
    assert time.perf_counter() - started < 20


def test_nothing_of_a_text_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(FormulaError):
        parse(f"y = open({str(mark)!r}, 'w')", {})
    with pytest.raises(FormulaError):
        parse(f"y = relu(x, a=open({str(mark)!r}, 'w'))", LEAVES)
    assert not mark.exists()
