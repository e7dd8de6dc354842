"""How axes come about: sources exist, and the arithmetic that is printed gives the size."""

import ast
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from layerexplain.derive.shape_reasons import shape_reasons
from layerexplain.lang.axes import BATCH, GONE, AxesOfEach, Axis
from layerexplain.lang.definition import Definition, call
from layerexplain.lang.expr import CALL, ITEM, LEAVES, LOOP, Expr, tensor
from layerexplain.lang.visit import inner_definitions, nodes
from layerexplain.ops.elementwise import exp
from tests.support.drawn_values import TYPES, definitions

ARITHMETIC = {ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.USub}
FUNCTIONS = {"ceil": math.ceil, "floor": math.floor, "max": max, "min": min}


def calculate(text: str) -> float | None:
    """The value of `ceil(28 / 2)`, `4 × 4 × 3`; None if the text is no arithmetic of numbers."""
    try:
        tree = ast.parse(text.replace("×", "*").strip(), mode="eval").body
    except SyntaxError:
        return None
    try:
        return value_of(tree)
    except KeyError:
        return None


def value_of(tree: Any) -> float:
    if isinstance(tree, ast.Constant) and isinstance(tree.value, int | float):
        return tree.value
    if isinstance(tree, ast.BinOp) and type(tree.op) in ARITHMETIC:
        a, b = value_of(tree.left), value_of(tree.right)
        operations = {ast.Add: a + b, ast.Sub: a - b, ast.Mult: a * b}
        return operations[type(tree.op)] if type(tree.op) in operations else a / b
    if isinstance(tree, ast.UnaryOp) and type(tree.op) in ARITHMETIC:
        return -value_of(tree.operand)
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        return FUNCTIONS[tree.func.id](*[value_of(a) for a in tree.args])
    raise KeyError(ast.dump(tree))


def equations(why: str) -> list[tuple[float, int]]:
    """The equations in a reason, both sides: `ceil(28 / 2) = 14; 'same' pads 1` has (14, 14)."""
    found = []
    for clause in re.split(r";|, (?=then|in |the )|\((?=window|output_padding)|: ", why):
        left, equals, right = clause.rpartition(" = ")
        number = re.match(r"\s*(\d+)", right)
        value = calculate(left.removeprefix("then ")) if equals else None
        if value is not None and number:
            found.append((value, int(number[1])))
    return found


def op_nodes(definition: Definition) -> Iterator[Expr]:
    for body in (definition, *inner_definitions(definition)):
        for node in nodes(body):
            if node.op not in LEAVES and node.op not in (ITEM, CALL, LOOP):
                yield node


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("type_", TYPES)
def test_rules_say_sources_that_exist_and_arithmetic_that_is_right(type_: str, fixed: bool) -> None:
    for case, definition in definitions(type_, fixed=fixed):
        for node in op_nodes(definition):
            made = node.op.axes(*node.args, **node.options)
            for axes in made if isinstance(made, AxesOfEach) else [made]:
                assert_axes(axes, node, case.id)


def assert_axes(axes: Sequence[Axis], node: Expr, case: str) -> None:
    """Axes that are gone stand last, sources exist, and the arithmetic that is printed is right."""
    gone = [axis.after == GONE for axis in axes]
    assert gone == sorted(gone), (case, node)
    for axis in axes:
        if axis.source is not None:
            arg, at = axis.source
            assert 0 <= at < len(node.args[arg].shape), (case, node, axis)
        said = equations(axis.reason)
        assert all(value == size for value, size in said), (case, axis.reason)
        assert not said or said[-1][1] == axis.after, (case, axis.reason)


@pytest.mark.parametrize("type_", TYPES)
def test_reasons_end_at_the_shape_of_the_result(type_: str) -> None:
    for case, definition in definitions(type_, fixed=True):
        result = next(iter(definition.results.values()))
        sizes = [str(size) for size in result.shape if isinstance(size, int)]
        told = [axis for axis in shape_reasons(definition).axes if axis.after != GONE]
        assert [axis.after for axis in told][len(told) - len(sizes) :] == sizes, case.id
        assert all(axis.role and axis.before and axis.why for axis in told), (case.id, told)


def test_nested_calls_end_somewhere() -> None:
    x = tensor("x", (BATCH, 3))
    inner = Definition("net", (x,), (), {"y": exp(x)})
    for _ in range(21):
        x = tensor("x", (BATCH, 3))
        y = x
        for _ in range(4):
            y = call(inner, y)
        inner = Definition("net", (x,), (), {"y": y}, kind="model")
    assert [tuple(axis) for axis in shape_reasons(inner).axes] == [
        ("features", "?", "3", "through more than 100,000 steps")
    ]
