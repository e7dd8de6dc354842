"""What a formula costs per example: multiply-accumulates of contractions, and FLOPs of all that is printed.

MACs are products of named factors. FLOPs are 2 for each MAC, 1 per output element of an infix operator, comparison
or named scalar function, 1 per input element of a reduction; movement and casts are free, and so is what no input
reaches. What is not known is None, never 0. Sources: DESIGN of this project; keras-flops and fvcore differ.
"""

from __future__ import annotations

from collections import Counter

from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import (
    CALL,
    FREE,
    INPUT,
    LOOP,
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
from layerexplain.ops.sizes import product
from layerexplain.records import NamedTuple


class Cost(NamedTuple):
    """MACs and FLOPs per example; None is unknown."""

    macs: int | None
    flops: int | None


class Term(NamedTuple):
    """The MACs of one contraction: its factors, the loops around it first. `once` says that no input reaches it: it is
    needed once per call, however many examples there are, and is no cost per example."""

    factors: tuple[Factor, ...]
    once: bool = False

    @property
    def macs(self) -> int | None:
        """The product of the factors."""
        return product(size for factor in self.factors for size in factor.sizes)


class Costs:
    """Costs of definitions, each computed once."""

    def __init__(self) -> None:
        self._known: dict[Definition, Cost] = {}
        self._terms_of: dict[Definition, Counter[Term]] = {}

    def of(self, definition: Definition) -> Cost:
        """The cost of one call of a definition."""
        known = self._known.get(definition)
        if known is None:
            known = self._known[definition] = self._body(_order(definition), set(definition.params))
        return known

    def terms(self, definition: Definition) -> Counter[Term]:
        """The contractions of a definition, calls and loops opened, and how often each comes."""
        known = self._terms_of.get(definition)
        if known is None:
            known = self._terms_of[definition] = self._terms(_order(definition), set(definition.params))
        return known

    def _body(self, order: list[Expr], fed: set[Expr]) -> Cost:
        """The cost of nodes, arguments first; `fed` are those that depend on an input, and grow by what does."""
        macs: int | None = 0
        flops: int | None = 0
        for node in order:
            args = node.args
            if not args:
                if node.op is INPUT:
                    fed.add(node)
                continue
            if fed.isdisjoint(args):
                continue
            fed.add(node)
            own_macs, own_flops = self._node(node, fed)
            macs = None if macs is None or own_macs is None else macs + own_macs
            flops = None if flops is None or own_flops is None else flops + own_flops
        return Cost(macs, flops)

    def _node(self, node: Expr, fed: set[Expr]) -> tuple[int | None, int | None]:
        """The MACs and FLOPs of a node."""
        op = node.op
        if op is CALL:
            definition: Definition = node.attrs["definition"]
            if definition.scalar:
                return 0, product(node.shape)
            return self.of(definition)
        if op is LOOP:
            body = node.attrs["body"]
            order = walk(body.outputs, {*body.captured, *body.steps, *body.states})
            step = self._body(order, {*body.steps, *body.states, *[c for c in body.captured if c in fed]})
            return times(step.macs, node.args[0].shape[1]), times(step.flops, node.args[0].shape[1])
        if op.cost is NO_MACS:
            return 0, _flops(node, 0)
        if op.cost is UNKNOWN_COST:
            return None, None
        macs = product([size for factor in op.cost(node) for size in factor.sizes])
        return macs, _flops(node, macs)

    def _terms(self, order: list[Expr], fed: set[Expr]) -> Counter[Term]:
        found: Counter[Term] = Counter()
        for node in order:
            if not node.args:
                if node.op is INPUT:
                    fed.add(node)
                continue
            op = node.op
            once = fed.isdisjoint(node.args)
            if not once:
                fed.add(node)
            inside: Counter[Term] = Counter()
            around: tuple[Factor, ...] = ()
            if op is CALL:
                definition: Definition = node.attrs["definition"]
                inside = self.terms(definition) if not definition.scalar else inside
            elif op is LOOP:
                body = node.attrs["body"]
                reached = {*body.steps, *body.states, *[c for c in body.captured if c in fed]}
                inside = self._terms(walk(body.outputs, {*body.captured, *body.steps, *body.states}), reached)
                around = (Factor("steps", (node.args[0].shape[1],)),)
            elif op.cost is not NO_MACS and op.cost is not UNKNOWN_COST:
                inside[Term(tuple(op.cost(node)))] = 1
            for term, count in inside.items():
                found[Term((*around, *term.factors), once or term.once)] += count
        return found


def _order(definition: Definition) -> list[Expr]:
    """The nodes that cost: those of the results; masks are told apart."""
    if definition.masks and any([m is not None for m in definition.masks]):
        return walk(definition.results.values())
    return definition.order


def times(cost: int | None, count: Size) -> int | None:
    """A cost that many times; None if either is unknown, 0 stays 0."""
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
