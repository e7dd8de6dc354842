"""Which results of a formula send a gradient to which of its leaves, and where the other paths end.

This needs no derivation: what counts is which ops pass gradients on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, reduce
from operator import or_
from typing import Any

from layerexplain.derive.gradient.backward import is_float, passes
from layerexplain.derive.gradient.loops import has_rule
from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import ITEM, RANDOM, CannotDerive, Expr, tensor
from layerexplain.lang.visit import ExprInterpreter
from layerexplain.ops.families import is_elementwise
from layerexplain.ops.sizes import FLOATS
from layerexplain.records import NamedTuple


class Flow(NamedTuple):
    """How gradients pass a definition. Leaf number i, of the parameters and then of the weights, is the bit 1 << i:
    `results` has for each result the leaves that get a gradient from it, `ends` at which op the way of others ends."""

    results: tuple[int, ...]
    ends: Mapping[str, int]

    def reaches(self, leaf: int) -> list[int]:
        """Return the numbers of the results from which a leaf gets a gradient."""
        return [i for i, leaves in enumerate(self.results) if leaves >> leaf & 1]

    def stops(self, leaf: int) -> tuple[str, ...]:
        """Return the names of the ops at which the way to a leaf ends."""
        return tuple([name for name, leaves in self.ends.items() if leaves >> leaf & 1])


@lru_cache(maxsize=1024)
def flow(definition: Definition) -> Flow:
    """Return how gradients pass a definition.

    >>> from layerexplain.lang.axes import BATCH
    >>> from layerexplain.ops.order import argmax
    >>> x = tensor("x", (BATCH, 3))
    >>> flow(Definition("double", (x,), (), {"y": 2 * x})).reaches(0)
    [0]
    >>> flow(Definition("best", (x,), (), {"y": argmax(x, axis=-1)})).stops(0)
    ('argmax',)
    """
    return _Flows().flow_of(definition)


class _Flows(ExprInterpreter[int]):
    """The value of a node: the leaves that its gradient reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.ends: dict[str, int] = {}

    def flow_of(self, definition: Definition) -> Flow:
        """Return the flow of a definition."""
        env: dict[Expr, Any] = {leaf: (1 << i) if is_float(leaf) else 0 for i, leaf in enumerate(definition.leaves)}
        self.visit(definition.order, env)
        return Flow(tuple([env[e] for e in definition.outputs]), self.ends)

    def leaf(self, node: Expr, env: dict[Expr, Any]) -> int:
        return 0

    def op(self, node: Expr, env: dict[Expr, Any]) -> Any:
        args = enumerate(node.args)
        given = reduce(or_, [env[arg] for i, arg in args if env[arg] and not _takes_none(node, i)], 0)
        if passes(node):
            if type(node.shape) is not ResultShapes:
                return given
            return [given if dtype in FLOATS else 0 for dtype in node.dtype]
        if node.op.element is not RANDOM:  # which reads the shape of its tensor alone
            self._end(node.op.name, given)
        return [0] * len(node.shape) if type(node.shape) is ResultShapes else 0

    def call(self, node: Expr, env: dict[Expr, Any]) -> Any:
        given = [env[arg] for arg in node.args]
        if has_rule(node):
            return self._joined(-1, given) if is_float(node) else 0
        inner = flow(node.attrs["definition"])
        for name, leaves in inner.ends.items():
            self._end(name, self._joined(leaves, given))
        results = [self._joined(leaves, given) for leaves in inner.results]
        return results if len(results) > 1 else results[0]

    def loop(self, node: Expr, env: dict[Expr, Any]) -> Any:
        body: Body = node.attrs["body"]
        given = [env[arg] for arg in node.args]
        first, count = len(body.steps), len(body.states)
        while True:
            results = self.step(body, given)
            states = [a | b for a, b in zip(given[first : first + count], results[:count], strict=True)]
            if states == given[first : first + count]:
                return results if len(results) > 1 else results[0]
            given[first : first + count] = states

    @staticmethod
    def _joined(leaves: int, numbers: Sequence[int]) -> int:
        return reduce(or_, [own for i, own in enumerate(numbers) if leaves >> i & 1], 0)

    def _end(self, name: str, leaves: int) -> None:
        if leaves:
            self.ends[name] = self.ends.get(name, 0) | leaves


def _takes_none(node: Expr, i: int) -> bool:
    """Return whether the rule of an op sends nothing to one of several float arguments: to indices, given as floats."""
    rule = node.op.gradient
    if i == 0 or not callable(rule) or is_elementwise(node.op) or node.op is ITEM or type(node.shape) is ResultShapes:
        return False
    try:
        return rule(node, tensor("dy", node.shape, node.dtype), i) is None
    except CannotDerive:
        return False
