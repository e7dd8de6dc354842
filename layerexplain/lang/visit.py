"""The walks over formulas: an interpreter that gives every node a value, a copier, and the nodes and calls of a body.

Whoever asks a question of formulas says what it is for a leaf, an op, a call and a loop; the order, the sharing of
nodes, the calls and the bodies of loops are the interpreter's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import CALL, CONSTANT, INPUT, ITEM, LOOP, WEIGHT, Expr, Op, walk

Value = TypeVar("Value")


class Interpreter(Generic[Value]):
    """Gives each node a value, made from the values of its arguments.

    A subclass says what the value of a `leaf`, an `op`, a `call` and a `loop` is. Values stand in a mapping from nodes,
    `env`, which holds those of the arguments when a node's turn comes. Where a node has several results, its value
    is a sequence of as many values, and `item` picks one. Nodes are visited in the order of creation, so that a chain
    of any length needs no recursion.
    """

    _rules: ClassVar[dict[Op, Callable[[Any, Expr, dict[Expr, Any]], Any]]]

    def __init_subclass__(cls) -> None:
        leaf = cls.leaf
        cls._rules = {INPUT: leaf, WEIGHT: leaf, CONSTANT: leaf, ITEM: cls.item, CALL: cls.call, LOOP: cls.loop}

    def __init__(self) -> None:
        self._called: dict[Definition, list[Any]] = {}

    def leaf(self, node: Expr, env: dict[Expr, Any]) -> Value:
        """The value of an input, a weight or a constant that `env` does not know."""
        raise NotImplementedError

    def op(self, node: Expr, env: dict[Expr, Any]) -> Any:
        """The value of an op applied to its arguments."""
        raise NotImplementedError

    def call(self, node: Expr, env: dict[Expr, Any]) -> Any:
        """The value of a call. By default that of its definition, whatever the arguments."""
        values = self.outputs(node.attrs["definition"])
        return values if len(values) > 1 else values[0]

    def loop(self, node: Expr, env: dict[Expr, Any]) -> Any:
        """The value of a loop. `step` gives the values of its body."""
        raise NotImplementedError

    def item(self, node: Expr, env: dict[Expr, Any]) -> Value:
        """The value of one result of a node that has several."""
        value: Value = env[node.args[0]][node.attrs["i"]]
        return value

    # The walk -----------------------------------------------------------------------------------------------------

    def visit(self, nodes: Sequence[Expr], env: dict[Expr, Any]) -> dict[Expr, Any]:
        """Give each of the nodes, arguments first, its value in `env`, which is returned. What it knows stays."""
        rules = self._rules
        op: Callable[[Any, Expr, dict[Expr, Any]], Any] = type(self).op
        for node in nodes:
            if node not in env:
                env[node] = rules.get(node.op, op)(self, node, env)
        return env

    def values(self, roots: Sequence[Expr], env: dict[Expr, Any]) -> list[Any]:
        """The values of nodes, given those in `env` that they end at."""
        self.visit(walk(roots, env), env)
        return [env[e] for e in roots]

    def outputs(self, definition: Definition) -> list[Any]:
        """The values of a definition's results and masks by themselves. A definition is visited once."""
        known = self._called.get(definition)
        if known is None:
            env = self.visit(definition.order, self.parameters(definition))
            known = self._called[definition] = [env[e] for e in definition.outputs]
        return known

    def parameters(self, definition: Definition) -> dict[Expr, Any]:
        """The values of a definition's parameters where they are not those of any leaf."""
        return {}

    def step(self, body: Body, leaves: Iterable[Any]) -> list[Any]:
        """The values of a loop's new states and what it collects, given those of the body's leaves in their order."""
        env = self.visit(body.order, dict(zip(body.leaves, leaves, strict=True)))
        return [env[e] for e in body.outputs]


class Copier(Interpreter[Expr]):
    """Copies a formula. A subclass changes some of the nodes on the way; the base changes none."""

    def leaf(self, node: Expr, env: dict[Expr, Any]) -> Expr:
        return node

    def op(self, node: Expr, env: dict[Expr, Any]) -> Any:
        return self.like(node, env, node.attrs)

    def call(self, node: Expr, env: dict[Expr, Any]) -> Any:
        return self.like(node, env, node.attrs)

    def loop(self, node: Expr, env: dict[Expr, Any]) -> Any:
        body: Body = node.attrs["body"]
        fresh = [Expr(INPUT, (), e.attrs, e.shape, e.dtype, e.label) for e in (*body.steps, *body.states)]
        outputs = self.step(body, [*fresh, *[env[e] for e in body.captured]])
        steps, states = len(body.steps), len(body.states)
        copied = Body(
            tuple(fresh[:steps]),
            tuple(fresh[steps:]),
            tuple(outputs[:states]),
            dict(zip(body.collected, outputs[states:], strict=True)),
            tuple([env[e] for e in body.captured]),
        )
        return self.like(node, env, {**node.attrs, "body": copied})

    def item(self, node: Expr, env: dict[Expr, Any]) -> Expr:
        return self.like(node, env, node.attrs)

    def like(self, node: Expr, env: Mapping[Expr, Any], attrs: dict[str, Any]) -> Expr:
        """The node on the copies of its arguments."""
        args = tuple([env[a] for a in node.args])
        return labelled(Expr(node.op, args, attrs, node.shape, node.dtype), node)


def labelled(copy: Expr, original: Expr) -> Expr:
    """The copy with the original's label, unless it has one or is a leaf."""
    if copy.label is None and copy.args:
        copy.label, copy.note = original.label, original.note
    return copy


# Bodies and calls -------------------------------------------------------------------------------------------------


def nodes(definition: Definition) -> Iterator[Expr]:
    """All nodes of the definition's body, those of loop bodies included, called definitions not."""
    pending: list[list[Expr]] = [definition.order]
    while pending:
        for node in pending.pop():
            yield node
            if node.op is LOOP:
                pending.append(node.attrs["body"].order)


def inner_definitions(definition: Definition) -> list[Definition]:
    """All definitions that are called from this one, composites included, each once, callers before the called."""
    if not any(node.op is CALL or node.op is LOOP for node in definition.order):
        return []
    calls: dict[Definition, list[Definition]] = {}
    done: set[Definition] = {definition}
    order: list[Definition] = []
    pending: list[tuple[Definition, int]] = [(definition, 0)]
    while pending:  # depth first; a definition is listed when all that it calls are
        current, i = pending.pop()
        if current not in calls:
            called = sorted([n for n in nodes(current) if n.op is CALL], key=lambda node: node.serial)
            calls[current] = list(dict.fromkeys([node.attrs["definition"] for node in called]))
        if i == len(calls[current]):
            order.append(current)
            continue
        pending.append((current, i + 1))
        inner = calls[current][i]
        if inner not in done:
            done.add(inner)
            pending.append((inner, 0))
    return order[-2::-1]
