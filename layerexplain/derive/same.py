"""Compare formulas, up to names and sharing of nodes.

Each formula gets a number, without recursion; equal numbers mean equal formulas (value numbering). Weights and inputs
are compared by identity, parameters of loops and definitions by position, definitions by their body, constants by type
and value, and the letters of an einsum by order of appearance.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import CONSTANT, Expr
from layerexplain.lang.visit import ExprInterpreter, inner_definitions


def same(a: Expr, b: Expr) -> bool:
    """Return whether two expressions apply the same operations to the same leaves.

    >>> from layerexplain.lang.expr import tensor
    >>> from layerexplain.ops.elementwise import multiply
    >>> x = tensor("x", (3,), "float")
    >>> same(multiply(x, 2.0), multiply(x, 2.0)), same(multiply(x, 2.0), multiply(x, 3.0))
    (True, False)
    """
    numbers = _Numbers()
    return numbers.of(a) == numbers.of(b)


def same_definition(a: Definition, b: Definition) -> bool:
    """Return whether two definitions have the same parameters, by shape and dtype, and the same formula.

    >>> from layerexplain.lang.expr import tensor
    >>> x, z = tensor("x", (3,), "float"), tensor("z", (3,), "float")
    >>> same_definition(Definition("f", (x,), (), {"y": x}), Definition("g", (z,), (), {"a": z}))
    True
    """
    numbers = _Numbers()
    return numbers.of_definition(a) == numbers.of_definition(b)


class _Numbers(ExprInterpreter[int]):
    """Assign one number to each different value, shared by all compared expressions."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers: dict[Hashable, int] = {}
        self._definitions: dict[Definition, int] = {}
        self._depth = 0
        """The number of enclosing loops."""

    def of(self, root: Expr) -> int:
        self._called_from(Definition("", (), (), {"y": root}))
        number: int = self.values([root], {})[0]
        return number

    def of_definition(self, definition: Definition) -> int:
        self._called_from(definition)
        return self._definition(definition)

    def _number(self, *key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _called_from(self, definition: Definition) -> None:
        """Give numbers to the called definitions, the innermost first, so that nested calls need no recursion."""
        for inner in reversed(inner_definitions(definition)):
            self._definition(inner)

    def _definition(self, definition: Definition) -> int:
        known = self._definitions.get(definition)
        if known is None:
            count = len(definition.leaves)
            depth, self._depth = self._depth, 0
            known = self._number("definition", count, tuple(self.outputs(definition)))
            self._definitions[definition], self._depth = known, depth
        return known

    def parameters(self, definition: Definition) -> dict[Expr, int]:
        return {leaf: self._number("param", i, leaf.shape, leaf.dtype) for i, leaf in enumerate(definition.leaves)}

    def leaf(self, node: Expr, env: dict[Expr, Any]) -> int:
        return (
            self._number("constant", repr(node.attrs["value"])) if node.op is CONSTANT else self._number("leaf", node)
        )

    def item(self, node: Expr, env: dict[Expr, Any]) -> int:
        return self._number("item", env[node.args[0]], node.attrs["i"])

    def op(self, node: Expr, env: dict[Expr, Any]) -> int:
        attrs = tuple(sorted((k, _attribute(k, v)) for k, v in node.attrs.items()))
        return self._number(node.op.name, tuple([env[a] for a in node.args]), attrs)

    def call(self, node: Expr, env: dict[Expr, Any]) -> int:
        return self._number("call", self._definition(node.attrs["definition"]), tuple([env[a] for a in node.args]))

    def loop(self, node: Expr, env: dict[Expr, Any]) -> int:
        body: Body = node.attrs["body"]
        steps, states = len(body.steps), len(body.states)
        own = [self._number("step", self._depth, i) for i in range(steps)]
        own += [self._number("state", self._depth, i) for i in range(states)]
        self._depth += 1
        outputs = self.step(body, [*own, *[env[e] for e in body.captured]])
        self._depth -= 1
        backwards = node.attrs.get("backwards", False)
        return self._number(
            "loop", backwards, steps, states, tuple([env[a] for a in node.args[: steps + states]]), tuple(outputs)
        )


def _attribute(name: str, value: object) -> str:
    """Return an attribute in its canonical form; `repr` distinguishes 1, 1.0 and True."""
    if name != "eq":
        return repr(value)
    letters: dict[str, str] = {}
    return " ".join(letters.setdefault(c, str(len(letters))) if c.isalpha() else c for c in str(value) if c != " ")
