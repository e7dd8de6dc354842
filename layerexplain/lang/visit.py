"""Walks over formulas: an interpreter that computes a value for every node, a copier, and lists of nodes and calls.

An analysis of formulas defines its value for a leaf, an op, a call and a loop. The interpreter handles the order,
shared nodes, called definitions and the bodies of loops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypeVar

from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import CALL, CONSTANT, INPUT, ITEM, LOOP, RANDOM, WEIGHT, Expr, Op, walk

Value = TypeVar("Value")


class ExprInterpreter(Generic[Value]):
    """Compute a value for each node from the values of its arguments.

    A subclass defines the value of a `leaf`, an `op`, a `call` and a `loop`. `env` maps nodes to their values and
    contains those of a node's arguments when the node is visited. The value of a node with several results is a
    sequence of that length; `item` picks one. Nodes are visited in the order of creation, so that a chain of any
    length needs no recursion.
    """

    _rules: ClassVar[dict[Op, Callable[[Any, Expr, dict[Expr, Any]], Any]]]

    def __init_subclass__(cls) -> None:
        leaf = cls.leaf
        cls._rules = {INPUT: leaf, WEIGHT: leaf, CONSTANT: leaf, ITEM: cls.item, CALL: cls.call, LOOP: cls.loop}

    def __init__(self) -> None:
        self._called: dict[Definition, list[Any]] = {}

    def leaf(self, node: Expr, env: dict[Expr, Any]) -> Value:
        """Return the value of an input, a weight or a constant that is not in `env`."""
        raise NotImplementedError

    def op(self, node: Expr, env: dict[Expr, Any]) -> Any:
        """Return the value of an op applied to its arguments."""
        raise NotImplementedError

    def call(self, node: Expr, env: dict[Expr, Any]) -> Any:
        """Return the value of a call: by default the value of its definition, independent of the arguments."""
        values = self.outputs(node.attrs["definition"])
        return values if len(values) > 1 else values[0]

    def loop(self, node: Expr, env: dict[Expr, Any]) -> Any:
        """Return the value of a loop; `step` computes the values of its body."""
        raise NotImplementedError

    def item(self, node: Expr, env: dict[Expr, Any]) -> Value:
        """Return the value of one result of a node that has several."""
        value: Value = env[node.args[0]][node.attrs["i"]]
        return value

    # The walk -----------------------------------------------------------------------------------------------------

    def visit(self, nodes: Sequence[Expr], env: dict[Expr, Any]) -> dict[Expr, Any]:
        """Compute the values of nodes, arguments first, add them to `env` and return it. Known values are kept."""
        rules = self._rules
        op: Callable[[Any, Expr, dict[Expr, Any]], Any] = type(self).op
        for node in nodes:
            if node not in env:
                env[node] = rules.get(node.op, op)(self, node, env)
        return env

    def values(self, roots: Sequence[Expr], env: dict[Expr, Any]) -> list[Any]:
        """Return the values of nodes, given in `env` the values at which the walk ends."""
        self.visit(walk(roots, env), env)
        return [env[e] for e in roots]

    def outputs(self, definition: Definition) -> list[Any]:
        """Return the values of a definition's results and masks. Each definition is visited once."""
        known = self._called.get(definition)
        if known is None:
            env = self.visit(definition.order, self.parameters(definition))
            known = self._called[definition] = [env[e] for e in definition.outputs]
        return known

    def parameters(self, definition: Definition) -> dict[Expr, Any]:
        """Return the values of a definition's parameters where they differ from those of other leaves."""
        return {}

    def step(self, body: Body, leaves: Iterable[Any]) -> list[Any]:
        """Return the values of a loop's new states and collected tensors, given those of the body's leaves in order."""
        env = self.visit(body.order, dict(zip(body.leaves, leaves, strict=True)))
        return [env[e] for e in body.outputs]


class Copier(ExprInterpreter[Expr]):
    """Copy a formula. A subclass changes some of the nodes; the base class changes none."""

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
        source: Expr | list[Expr] = env[node.args[0]]  # a list: what a call that is opened gives
        return source[node.attrs["i"]] if isinstance(source, list) else self.like(node, env, node.attrs)

    def like(self, node: Expr, env: Mapping[Expr, Any], attrs: dict[str, Any]) -> Expr:
        """Return a copy of the node on the copies of its arguments."""
        args = tuple([env[a] for a in node.args])
        return labelled(Expr(node.op, args, attrs, node.shape, node.dtype), node)


def labelled(copy: Expr, original: Expr) -> Expr:
    """Copy the original's label, unless the copy has one or is a leaf, and return the copy."""
    if copy.label is None and copy.args:
        copy.label, copy.note = original.label, original.note
    return copy


# Bodies and calls -------------------------------------------------------------------------------------------------


def nodes(definition: Definition) -> Iterator[Expr]:
    """Yield all nodes of the definition's body and of its loops; called definitions are not entered."""
    pending: list[list[Expr]] = [definition.order]
    while pending:
        for node in pending.pop():
            yield node
            if node.op is LOOP:
                pending.append(node.attrs["body"].order)


def inner_definitions(definition: Definition) -> list[Definition]:
    """Return all definitions called from this one, directly or not, composites included, callers first."""
    if not any(node.op is CALL or node.op is LOOP for node in definition.order):
        return []
    done: set[Definition] = {definition}
    order: list[Definition] = []
    pending = [(definition, _called(definition))]
    while pending:  # depth first; a definition is listed after all definitions that it calls
        current, called = pending[-1]
        inner = next((item for item in called if item not in done), None)
        if inner is None:
            order.append(current)
            pending.pop()
        else:
            done.add(inner)
            pending.append((inner, _called(inner)))
    return order[-2::-1]


def _called(definition: Definition) -> Iterator[Definition]:
    """Yield the definitions that this one calls, in the order of the calls."""
    for node in sorted([node for node in nodes(definition) if node.op is CALL], key=lambda node: node.serial):
        yield node.attrs["definition"]


def is_random(definition: Definition) -> bool:
    """Return whether a formula draws random numbers."""
    return any(
        node.op.element is RANDOM for item in (definition, *inner_definitions(definition)) for node in nodes(item)
    )
