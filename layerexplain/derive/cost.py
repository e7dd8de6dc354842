"""The cost of a formula: multiply-accumulates and FLOPs, without weights that are not read and products that a mask
hides."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from layerexplain.lang.axes import Factor, ResultShapes, Size, has_batch, smaller
from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import (
    CALL,
    FREE,
    INPUT,
    ITEM,
    LOOP,
    NO_MACS,
    OPS,
    PER_INPUT,
    PER_OUTPUT,
    TWICE_MACS,
    UNKNOWN_COST,
    Expr,
    walk,
)
from layerexplain.lang.visit import ExprInterpreter
from layerexplain.ops.movement import reshape
from layerexplain.ops.sizes import product
from layerexplain.records import NamedTuple

# Chosen weights -----------------------------------------------------------------------------------------------------


def used_share(definition: Definition, weight: Expr) -> tuple[int, int]:
    """Return how many parts of a weight each position reads, and how many there are; (1, 1) for one that is read
    whole."""
    readers = [node for node in definition.order if weight in node.args]
    counts = [_chosen(node, weight) for node in readers]
    if not counts or any(count is None for count in counts):
        return 1, 1
    return max([count for count in counts if count is not None]), int(weight.shape[0])


def _chosen(node: Expr, weight: Expr) -> int | None:
    """Return how many parts a lookup reads for each position; None where the node reads the weight in another way."""
    if node.op is not OPS["take"] or node.args[0] is not weight:
        return None
    ids = node.args[1]
    is_choice = ids.op is ITEM and ids.args[0].op is OPS["top_k"]
    return int(ids.shape[-1]) if is_choice else None


# Causal products ----------------------------------------------------------------------------------------------------
# Products of attention that a causal mask makes needless: they are computed, and what they give is not used.

CAUSAL = "causal"


def is_causal(definition: Definition) -> bool:
    """Return whether a formula has a causal mask."""
    return bool(_masks(definition))


def window_of(definition: Definition) -> int | None:
    """Return the window of a formula's causal mask; None where it has none."""
    windows = [node.attrs["definition"].attrs.get("window") for node in _masks(definition)]
    return windows[0] if windows else None


def needless_products(definition: Definition) -> int | None:
    """Return how many multiply-accumulates of a formula a causal mask makes needless, per example; None where sizes
    are not known."""
    total = 0
    for mask in _masks(definition):
        queries, keys = mask.shape[-2:]
        if not isinstance(queries, int) or not isinstance(keys, int):
            return None
        most = smaller(keys, mask.attrs["definition"].attrs.get("window") or keys)
        rising = smaller(queries, most)  # query i reads i + 1 keys, up to the most
        twice_needed = rising * (rising + 1) + 2 * (queries - rising) * rising
        for node in _products(definition, mask):
            macs = product([size for factor in node.op.cost(node) for size in factor.sizes]) or 0
            total += macs * (2 * queries * keys - twice_needed) // (2 * queries * keys)
    return total


def _masks(definition: Definition) -> list[Expr]:
    return [node for node in definition.order if node.op is CALL and node.attrs["definition"].name == CAUSAL]


def _products(definition: Definition, mask: Expr) -> list[Expr]:
    """Return the contractions that make the scores, and those that read the shares."""
    expressions: list[Expr] = []
    waiting = [*mask.args]
    while waiting:
        node = waiting.pop()
        if node.op.cost is not NO_MACS and node.op is not CALL and node.args:
            expressions.append(node)
        elif node.ndim >= mask.ndim - 1 and has_batch(node.shape):  # sums, quotients, caps
            waiting += node.args
    passed = {mask}
    for node in definition.order:
        if not any(arg in passed for arg in node.args):
            continue
        if node.op.cost is not NO_MACS and node.op is not CALL:
            expressions.append(node)
        else:
            passed.add(node)
    return list(dict.fromkeys(expressions[: _first_reader(expressions, mask)]))


def _first_reader(expressions: list[Expr], mask: Expr) -> int:
    """Return how many are made before the shares were read once: what follows reads what attention gives."""
    after = [place for place, node in enumerate(expressions) if node.serial > mask.serial]
    return after[0] + 1 if after else len(expressions)


# Memory reuse -------------------------------------------------------------------------------------------------------
# Which results of a formula are its first tensor, unchanged or reshaped.


def is_view(definition: Definition, result: int = 0) -> bool:
    """Return whether a result is the first tensor, unchanged or reshaped, and so needs no work and no memory."""
    return _handed_on(definition, list(definition.results.values())[result]) == 0


def _handed_on(definition: Definition, node: Expr) -> int | None:
    """Return the number of the parameter that a node is, unchanged or reshaped; None if it is not a parameter."""
    while True:
        if node.op is reshape:
            node = node.args[0]
        elif node.op is CALL and type(node.shape) is not ResultShapes:
            inner: Definition = node.attrs["definition"]
            i = _handed_on(inner, next(iter(inner.results.values())))
            if i is None:
                return None
            node = node.args[i]
        else:
            return definition.params.index(node) if node in definition.params else None


# Cost ---------------------------------------------------------------------------------------------------------------
# The cost of a formula per example: multiply-accumulates of contractions, and FLOPs of all printed operations.


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


class _Bill:
    """What the nodes of a body cost. `parts` are its contractions, and its calls and loops with the bill of what is
    inside, each with whether it depends on an input."""

    def __init__(self) -> None:
        self.macs: int | None = 0
        self.flops: int | None = 0
        self.parts: list[tuple[Expr, _Bill | None, bool]] = []

    def add(self, macs: int | None, flops: int | None) -> None:
        self.macs = None if self.macs is None or macs is None else self.macs + macs
        self.flops = None if self.flops is None or flops is None else self.flops + flops

    @functools.cached_property
    def terms(self) -> Counter[Contraction]:
        """How often each contraction occurs, including those that depend on no input."""
        terms: Counter[Contraction] = Counter()
        for node, inside, reached in self.parts:
            if inside is None:
                terms[Contraction(tuple(node.op.cost(node)), not reached)] += 1
                continue
            around = (Factor("steps", (node.args[0].shape[1],)),) if node.op is LOOP else ()
            for term, count in inside.terms.items():
                terms[Contraction((*around, *term.factors), not reached or term.once)] += count
        return terms


class Costs(ExprInterpreter[bool]):
    """Costs of definitions, each computed once. The value of a node is whether it depends on an input: only then it
    costs."""

    def __init__(self) -> None:
        super().__init__()
        self._bill = _Bill()

    def cost_of(self, definition: Definition) -> Cost:
        """Return the cost of one call of a definition."""
        bill = self._of(definition)
        return Cost(bill.macs, bill.flops)

    def terms(self, definition: Definition) -> Counter[Contraction]:
        """Return how often each contraction occurs in a definition, including its calls and loops."""
        return self._of(definition).terms

    def _of(self, definition: Definition) -> _Bill:
        bill: _Bill | None = definition.answers.get("cost")
        if bill is None:
            reached = dict.fromkeys(definition.params, True)
            reached.update(dict.fromkeys(definition.weights, False))
            bill = definition.answers["cost"] = self._body(_order(definition), reached)
        return bill

    def _body(self, order: list[Expr], reached: dict[Expr, Any]) -> _Bill:
        outside, self._bill = self._bill, _Bill()
        self.visit(order, reached)
        bill, self._bill = self._bill, outside
        return bill

    def leaf(self, node: Expr, env: dict[Expr, Any]) -> bool:
        return node.op is INPUT

    def item(self, node: Expr, env: dict[Expr, Any]) -> bool:
        return bool(env[node.args[0]])

    def op(self, node: Expr, env: dict[Expr, Any]) -> bool:
        reached = any([env[arg] for arg in node.args])
        cost = node.op.cost
        macs: int | None = None if cost is UNKNOWN_COST else 0
        if cost is not NO_MACS and cost is not UNKNOWN_COST and node.args:
            self._bill.parts.append((node, None, reached))
            macs = _total(node) if reached else 0
        if reached:
            self._bill.add(macs, _flops(node, macs))
        return reached

    def call(self, node: Expr, env: dict[Expr, Any]) -> bool:
        reached = any([env[arg] for arg in node.args])
        definition: Definition = node.attrs["definition"]
        if not definition.scalar:
            self._inside(node, self._of(definition), reached, 1)
        elif reached:
            self._bill.add(0, product(node.shape))
        return reached

    def loop(self, node: Expr, env: dict[Expr, Any]) -> bool:
        reached = any([env[arg] for arg in node.args])
        body: Body = node.attrs["body"]
        leaves = dict.fromkeys((*body.steps, *body.states), True)
        inside = self._body(body.order, {**leaves, **{c: env[c] for c in body.captured}})
        self._inside(node, inside, reached, node.args[0].shape[1])
        return reached

    def _inside(self, node: Expr, bill: _Bill, reached: bool, count: Size) -> None:
        self._bill.parts.append((node, bill, reached))
        if reached:
            self._bill.add(times(bill.macs, count), times(bill.flops, count))


def _total(node: Expr) -> int | None:
    """Return the MACs of a node: the product of its factors, which contractions know without making them."""
    total = getattr(node.op.cost, "total", None)
    return product([size for factor in node.op.cost(node) for size in factor.sizes]) if total is None else total(node)


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


_FLOPS: Final[Mapping[Any, Callable[[Expr, int | None], int | None]]] = {
    FREE: lambda node, macs: 0,
    PER_OUTPUT: lambda node, macs: product(node.shape),
    PER_INPUT: lambda node, macs: product(node.args[0].shape),
    TWICE_MACS: lambda node, macs: None if macs is None else 2 * macs,
    UNKNOWN_COST: lambda node, macs: None,
}


def _flops(node: Expr, macs: int | None) -> int | None:
    rule = _FLOPS.get(node.op.flops)
    result: int | None = node.op.flops(node) if rule is None else rule(node, macs)
    return result
