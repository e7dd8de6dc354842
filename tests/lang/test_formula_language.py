"""The formula language: what is printed is read again as the same expression, and nothing else is read."""

import random
import re
from collections.abc import Callable

import pytest

from layerexplain.derive.same import same, same_definition
from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition, call, loop
from layerexplain.lang.expr import Expr, constant, item, named, tensor, weight
from layerexplain.lang.text import program
from layerexplain.ops import load_all
from layerexplain.ops.contract import einsum
from layerexplain.ops.joining import split
from layerexplain.ops.movement import pad, zeros
from tests.cases import CASES, DRAWS, Case
from tests.cases.rnn import STATEFUL
from tests.support.keras_oracle import trace_case
from tests.support.redefined import redefine
from tests.support.steps import at_most
from tests.support.tries import tries

load_all()

DRAWN = tries(few=6, many=24)


def check_laws(definition: Definition) -> None:
    """The text parses to the same formula, and the parsed formula prints as the same text."""
    text = program(definition)
    again = redefine(definition, text)
    for name, result in definition.results.items():
        assert same(again.results[name], result), f"{name} of:\n{text}"
    for state, new in definition.states.items():
        assert same(again.states[state], new), f"{state.label} of:\n{text}"
    assert program(again) == text


def traced(case: Case) -> Definition | None:
    """The definition of a row; None if the row is there to be refused."""
    try:
        return trace_case(case)
    except LayerExplainError:
        return None


@pytest.mark.parametrize("case", [*CASES, *STATEFUL], ids=lambda c: c.id)
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_work_of_comparing_grows_with_the_nodes_and_not_with_the_paths() -> None:
    x = inputs(3)

    def chain(length: int) -> Expr:
        y = x
        for _ in range(length):
            y = y + 1
        return y

    def doubled(times: int) -> Expr:
        y = x
        for _ in range(times):
            y = y + y
        return y

    long, again, shorter = chain(20_000), chain(20_000), chain(19_999)
    with at_most(2_000_000):
        assert same(long, again)
        assert not same(long, shorter)
    with at_most(100_000):
        assert same(doubled(60), doubled(60))
        assert not same(doubled(60), doubled(61))
        check_laws(Definition("doubled", (x,), (), {"y": doubled(60)}))


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
