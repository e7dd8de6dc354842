"""How values and tensors are written in formulas, and what a loop is without its options."""

from __future__ import annotations

import pytest

from layerexplain.lang.definition import loop
from layerexplain.lang.expr import Expr, tensor
from layerexplain.lang.names import name_from_maker
from layerexplain.lang.notation import value_text
from layerexplain.ops.elementwise import maximum


@pytest.mark.parametrize(
    ("value", "text"),
    [((), "()"), ((3,), "(3,)"), ((1, 2), "(1, 2)"), (tuple(range(1000)), "constant(1000,)"),
     (((1, 2),), "((1, 2),)"), (tuple([(1.0,) * 50] * 40), "constant(40, 50)")],
)  # fmt: skip
def test_values_in_notation(value: object, text: str) -> None:
    assert value_text(value) == text


def test_what_a_value_is_called_by_what_it_is_made_of() -> None:
    x, y = tensor("x", (2, 3)), tensor("y", (2, 3))
    names = {x: "x", y: "y"}
    assert name_from_maker(maximum(x, y), names.get) is None  # of two there is no short name
    assert name_from_maker(x * y, names.get) == "xy"


def test_a_loop_begins_at_the_first_step() -> None:
    x = tensor("x", (2, 5, 3))

    def step(x_t: Expr, s: Expr) -> tuple[list[Expr], dict[str, Expr]]:
        return [s + x_t], {"y": s}

    node = loop(step, [x], {"s": tensor("s", (2, 3))})
    assert not node.attrs.get("backwards")
