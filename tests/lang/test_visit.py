"""The walks over formulas: each node once, definitions once, loops entered, chains of any length."""

from typing import Any

import pytest

from layerexplain.derive.same import same, same_definition
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition, call, loop
from layerexplain.lang.expr import Expr, item, named, tensor, weight
from layerexplain.lang.visit import Copier, ExprInterpreter, inner_definitions, nodes
from layerexplain.ops.elementwise import add, sqrt
from layerexplain.ops.joining import split
from layerexplain.ops.movement import zeros

X = tensor("x", (BATCH, 5, 3))
W = weight("kernel", "W", [("inputs", 3)])


class Depth(ExprInterpreter[int]):
    """How many ops stand between a node and the leaves; `entered` are the nodes that were visited."""

    def __init__(self) -> None:
        super().__init__()
        self.entered: list[Expr] = []

    def leaf(self, node: Expr, env: dict[Expr, Any]) -> int:
        return 0

    def op(self, node: Expr, env: dict[Expr, Any]) -> Any:
        self.entered.append(node)
        deep = 1 + max([env[a] for a in node.args], default=0)
        return [deep] * len(node.shape) if node.op is split else deep

    def call(self, node: Expr, env: dict[Expr, Any]) -> Any:
        return super().call(node, env) + max(env[a] for a in node.args)

    def loop(self, node: Expr, env: dict[Expr, Any]) -> Any:
        outputs = self.step(node.attrs["body"], [env[a] for a in node.args])
        return outputs if len(outputs) > 1 else outputs[0]


def recurrent(x: Expr) -> Expr:
    """A loop with a state, a collected sequence, and a node that it captures."""
    doubled = named("d", W * 2.0)

    def step(x_t: Expr, h: Expr) -> Any:
        new = sqrt(x_t * doubled + h)
        return [new], {"y": new + 1.0}

    return loop(step, [x], {"h": zeros(shape=(BATCH, 3))})


def test_a_shared_node_is_visited_once() -> None:
    shared = sqrt(X)
    depth = Depth()
    assert depth.values([add(shared, shared) * shared], {}) == [3]
    assert depth.entered.count(shared) == 1


@pytest.mark.slow
def test_a_long_chain_needs_no_recursion() -> None:
    y = X
    for _ in range(100_000):
        y = y + 1.0
    assert Depth().values([y], {}) == [100_000]


def test_one_of_several_results_is_picked() -> None:
    first, second = split(X, n=3, axis=-1), split(sqrt(X), n=3, axis=-1)
    assert Depth().values([item(first, 0), item(second, 2)], {}) == [1, 2]


def test_a_definition_is_visited_once_however_often_it_is_called() -> None:
    p = tensor("p", (BATCH, 5, 3))
    inner = Definition("inner", (p,), (), {"y": sqrt(p) * 2.0})
    y = X
    for _ in range(3):
        y = call(inner, y)
    depth = Depth()
    assert depth.values([y], {}) == [6]
    assert len(depth.entered) == 2


def test_nested_calls_cost_what_their_definitions_do() -> None:
    definition = Definition("d0", (X,), (), {"y": sqrt(X)})
    for level in range(1, 22):
        x = tensor("x", X.shape)
        y = x
        for _ in range(4):
            y = call(definition, y)
        definition = Definition(f"d{level}", (x,), (), {"y": y})
    depth = Depth()
    assert depth.outputs(definition) == [4**21]
    assert len(depth.entered) == 1
    assert [inner.name for inner in inner_definitions(definition)] == [f"d{level}" for level in range(20, -1, -1)]


def test_a_loop_is_entered_with_what_it_captures() -> None:
    run = recurrent(X)
    depth = Depth()
    last, collected = depth.values([item(run, 0), item(run, 1)], {})
    # W * 2, x_t * d, + h, sqrt; the collected value adds 1 on top.
    assert (last, collected) == (4, 5)
    body = run.attrs["body"]
    assert [node.label for node in body.captured] == ["d"]
    assert set(body.order).isdisjoint(body.leaves)


def test_nodes_of_a_definition_include_those_of_loops() -> None:
    run = recurrent(X)
    found = list(nodes(Definition("rnn", (X,), (W,), {"y": item(run, 1)})))
    assert len(found) == len(set(found))
    assert {*run.attrs["body"].order, run, X, W} <= set(found)


def test_a_copy_is_the_same_formula_in_new_nodes() -> None:
    run = recurrent(X)
    result = named("out", item(run, 0) + 3.0)
    (copy,) = Copier().values([result], {X: X, W: W})
    assert copy is not result
    assert copy.label == "out"
    assert same(copy, result)


def test_a_copy_on_other_leaves_is_the_formula_of_those() -> None:
    other = tensor("z", X.shape)
    (copy,) = Copier().values([sqrt(X) * W], {X: other})
    assert same(copy, sqrt(other) * W)
    assert not same(copy, sqrt(X) * W)


def test_definitions_that_differ_in_a_loop_are_told_apart() -> None:
    def rnn(change: float) -> Definition:
        x = tensor("x", X.shape)
        run = loop(lambda x_t, h: ([sqrt(x_t + h) * change], {}), [x], {"h": zeros(shape=(BATCH, 3))})
        return Definition("rnn", (x,), (), {"y": run})

    assert same_definition(rnn(1.0), rnn(1.0))
    assert not same_definition(rnn(1.0), rnn(1.5))
