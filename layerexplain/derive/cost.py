"""The cost of a formula per example: multiply-accumulates of contractions, and FLOPs of all printed operations.

MACs are products of named factors. FLOPs are 2 per MAC, 1 per output element of an infix operator, comparison or named
scalar function, and 1 per input element of a reduction. Data movement, casts and operations that depend on no input
are free. An unknown cost is None, never 0. keras-flops and fvcore count differently.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Generic, TypeVar

from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import (
    FREE,
    INPUT,
    NO_MACS,
    PER_INPUT,
    PER_OUTPUT,
    TWICE_MACS,
    UNKNOWN_COST,
    Expr,
    Factor,
    Size,
    walk,
)
from layerexplain.lang.visit import Interpreter
from layerexplain.ops.sizes import product
from layerexplain.records import NamedTuple

Charge = TypeVar("Charge")


class Cost(NamedTuple):
    """MACs and FLOPs per example; None is unknown."""

    macs: int | None
    flops: int | None


class Contraction(NamedTuple):
    """The MACs of one contraction: its factors, after those of the enclosing loops. `once` marks one that depends on no
    input: it is computed once per call, not once per example."""

    factors: tuple[Factor, ...]
    once: bool = False

    @property
    def macs(self) -> int | None:
        """The product of the factors."""
        return product(size for factor in self.factors for size in factor.sizes)


class Costs:
    """Costs of definitions, each computed once."""

    def __init__(self) -> None:
        self._sums = _Sums()
        self._terms = _Terms()

    def of(self, definition: Definition) -> Cost:
        """Return the cost of one call of a definition."""
        cost: Cost = self._sums.of(definition)
        return cost

    def terms(self, definition: Definition) -> Counter[Contraction]:
        """Return how often each contraction occurs in a definition, including its calls and loops."""
        terms: Counter[Contraction] = self._terms.of(definition)
        return terms


class _Charges(Interpreter[bool], Generic[Charge]):
    """Compute whether each node depends on an input and collect the costs of nodes, once for each definition."""

    def __init__(self) -> None:
        super().__init__()
        self.gathered: list[Charge] = []
        self._known: dict[Definition, Any] = {}

    def of(self, definition: Definition) -> Any:
        """Return the cost of one call of a definition."""
        known = self._known.get(definition)
        if known is None:
            reached = dict.fromkeys(definition.params, True)
            reached.update(dict.fromkeys(definition.weights, False))
            known = self._known[definition] = self.body(_order(definition), reached)
        return known

    def body(self, order: list[Expr], reached: dict[Expr, Any]) -> Any:
        """Return the total cost of the nodes of a body."""
        outside, self.gathered = self.gathered, []
        self.visit(order, reached)
        gathered, self.gathered = self.gathered, outside
        return self.total(gathered)

    def steps(self, node: Expr, env: dict[Expr, Any]) -> Any:
        """Return the cost of one step of a loop."""
        body: Body = node.attrs["body"]
        reached = dict.fromkeys((*body.steps, *body.states), True)
        return self.body(body.order, {**reached, **{c: env[c] for c in body.captured}})

    def total(self, gathered: list[Charge]) -> Any:
        """Return the total of charges."""
        raise NotImplementedError

    def leaf(self, node: Expr, env: dict[Expr, Any]) -> bool:
        return node.op is INPUT

    def item(self, node: Expr, env: dict[Expr, Any]) -> bool:
        return bool(env[node.args[0]])


class _Sums(_Charges[tuple[int | None, int | None]]):
    """Add the MACs and FLOPs of the nodes that depend on an input."""

    def total(self, gathered: list[tuple[int | None, int | None]]) -> Cost:
        macs: int | None = 0
        flops: int | None = 0
        for own_macs, own_flops in gathered:
            macs = None if macs is None or own_macs is None else macs + own_macs
            flops = None if flops is None or own_flops is None else flops + own_flops
        return Cost(macs, flops)

    def op(self, node: Expr, env: dict[Expr, Any]) -> bool:
        for arg in node.args:
            if env[arg]:
                break
        else:
            return False
        cost = node.op.cost
        if cost is NO_MACS:
            self.gathered.append((0, _flops(node, 0)))
        elif cost is UNKNOWN_COST:
            self.gathered.append((None, None))
        else:
            macs = product([size for factor in cost(node) for size in factor.sizes])
            self.gathered.append((macs, _flops(node, macs)))
        return True

    def call(self, node: Expr, env: dict[Expr, Any]) -> bool:
        if not any([env[a] for a in node.args]):
            return False
        definition: Definition = node.attrs["definition"]
        self.gathered.append((0, product(node.shape)) if definition.scalar else self.of(definition))
        return True

    def loop(self, node: Expr, env: dict[Expr, Any]) -> bool:
        if not any([env[a] for a in node.args]):
            return False
        step, length = self.steps(node, env), node.args[0].shape[1]
        self.gathered.append((times(step.macs, length), times(step.flops, length)))
        return True


class _Terms(_Charges[tuple[Contraction, int]]):
    """Count the contractions, including those that depend on no input."""

    def total(self, gathered: list[tuple[Contraction, int]]) -> Counter[Contraction]:
        found: Counter[Contraction] = Counter()
        for term, count in gathered:
            found[term] += count
        return found

    def op(self, node: Expr, env: dict[Expr, Any]) -> bool:
        reached = any([env[a] for a in node.args])
        cost = node.op.cost
        if node.args and cost is not NO_MACS and cost is not UNKNOWN_COST:
            self.gathered.append((Contraction(tuple(cost(node)), not reached), 1))
        return reached

    def call(self, node: Expr, env: dict[Expr, Any]) -> bool:
        definition: Definition = node.attrs["definition"]
        return self._inside(node, env, Counter() if definition.scalar else self.of(definition), ())

    def loop(self, node: Expr, env: dict[Expr, Any]) -> bool:
        return self._inside(node, env, self.steps(node, env), (Factor("steps", (node.args[0].shape[1],)),))

    def _inside(
        self, node: Expr, env: dict[Expr, Any], inside: Counter[Contraction], around: tuple[Factor, ...]
    ) -> bool:
        reached = any([env[a] for a in node.args])
        for term, count in inside.items():
            self.gathered.append((Contraction((*around, *term.factors), not reached or term.once), count))
        return reached


def _order(definition: Definition) -> list[Expr]:
    """Return the nodes whose cost counts: those of the results, without masks."""
    if definition.masks and any([m is not None for m in definition.masks]):
        return walk(definition.results.values())
    return definition.order


def times(cost: int | None, count: Size) -> int | None:
    """Return cost × count, None if either is unknown; 0 stays 0."""
    if cost == 0:
        return 0
    return cost * count if cost is not None and isinstance(count, int) else None


def _flops(node: Expr, macs: int | None) -> int | None:
    rule = node.op.flops
    if rule is FREE:
        return 0
    if rule is PER_OUTPUT:
        return product(node.shape)
    if rule is PER_INPUT:
        return product(node.args[0].shape)
    if rule is TWICE_MACS:
        return None if macs is None else 2 * macs
    if rule is UNKNOWN_COST:
        return None
    result: int | None = rule(node)
    return result
