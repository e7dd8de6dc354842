"""Whether two formulas are the same, up to names and sharing.

Value numbering, iteratively: equal numbers mean equal formulas. Weights and inputs count by identity, parameters of
loops and definitions by position, definitions by their body and not their name, constants by type and value, the
letters of an einsum by order of appearance.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import CALL, CONSTANT, INPUT, ITEM, LOOP, WEIGHT, Expr, walk
from layerexplain.lang.visit import inner_definitions, roots


def same(a: Expr, b: Expr) -> bool:
    """Whether two expressions compute the same from the same leaves, by the same operations."""
    numbers = _Numbers()
    return numbers.of(a) == numbers.of(b)


def same_definition(a: Definition, b: Definition) -> bool:
    """Whether two definitions have the same parameters, by shape and dtype, and the same formula."""
    numbers = _Numbers()
    return numbers.of_definition(a) == numbers.of_definition(b)


class _Numbers:
    """One number for each different value, shared by all expressions that are compared."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._definitions: dict[Definition, int] = {}

    def of(self, root: Expr) -> int:
        self._called_from(Definition("", (), (), {"y": root}))
        return self._body([root], {}, 0)[0]

    def of_definition(self, definition: Definition) -> int:
        self._called_from(definition)
        return self._definition(definition)

    def _number(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))

    def _called_from(self, definition: Definition) -> None:
        """Number the definitions that are called, the innermost first, so that nesting needs no recursion."""
        for inner in reversed(inner_definitions(definition)):
            self._definition(inner)

    def _definition(self, definition: Definition) -> int:
        known = self._definitions.get(definition)
        if known is None:
            leaves = (*definition.params, *definition.weights)
            memo = {leaf: self._number(("param", i, leaf.shape, leaf.dtype)) for i, leaf in enumerate(leaves)}
            results = self._body(roots(definition), memo, 0)
            known = self._definitions[definition] = self._number(("definition", len(leaves), tuple(results)))
        return known

    def _body(self, outputs: Sequence[Expr], memo: dict[Expr, int], depth: int) -> list[int]:
        """The numbers of the outputs; `memo` holds what is known, `depth` is how many loops stand around."""
        for node in walk(outputs, memo):
            memo[node] = self._number(self._key(node, memo, depth))
        return [memo[e] for e in outputs]

    def _key(self, node: Expr, memo: dict[Expr, int], depth: int) -> Hashable:
        op = node.op
        if op is INPUT or op is WEIGHT:
            return "leaf", node
        if op is CONSTANT:
            return "constant", repr(node.attrs["value"])
        args = tuple([memo[a] for a in node.args])
        if op is ITEM:
            return "item", args, node.attrs["i"]
        if op is CALL:
            return "call", self._definition(node.attrs["definition"]), args
        if op is LOOP:
            return self._loop(node, memo, depth)
        return op.name, args, tuple(sorted((k, _attribute(k, v)) for k, v in node.attrs.items()))

    def _loop(self, node: Expr, memo: dict[Expr, int], depth: int) -> Hashable:
        body: Body = node.attrs["body"]
        inner = {e: memo[e] for e in body.captured}
        for kind, params in (("step", body.steps), ("state", body.states)):
            for i, param in enumerate(params):
                inner[param] = self._number((kind, depth, i))
        own = tuple([memo[a] for a in node.args[: len(body.steps) + len(body.states)]])
        outputs = tuple(self._body(body.outputs, inner, depth + 1))
        return "loop", len(body.steps), len(body.states), own, outputs


def _attribute(name: str, value: object) -> str:
    """An attribute in its canonical form; `repr` tells 1 from 1.0 and True."""
    if name != "eq":
        return repr(value)
    letters: dict[str, str] = {}
    return " ".join(letters.setdefault(c, str(len(letters))) if c.isalpha() else c for c in str(value) if c != " ")
