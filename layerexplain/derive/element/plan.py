"""Decide which nodes of a formula get their own line in the element form, and the roles of all axes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from layerexplain.derive.roles import AxisRoles
from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import CALL, FREE, ITEM, LEAVES, LOOP, Expr, Marker, Op, picked, walk
from layerexplain.lang.scalar import CannotIndex, Fold, Guard, Number, letter
from layerexplain.lang.visit import Copier, labelled
from layerexplain.ops.order import top_k

DEEPEST = 12
"""Inline parts nested more deeply than this get a line."""

WIDEST = 9
"""Inline parts that read more elements than this are split."""


class Plan:
    """The nodes of a definition with expanded composites, and the decisions about them. `called_roles` are the roles of
    the results of called layers.

    `order` are all nodes, including loop bodies, in the order of creation; `named` those that get a line; `loops` the
    loops; `loop_of` maps the leaves of a loop's body (x[t] and the states) to the loop; `stable` maps what a composite
    gives to its call, where that computes what its body cannot in floats; `roles` are those of the axes of nodes.
    """

    def __init__(self, definition: Definition, called_roles: Mapping[Definition, Sequence[tuple[str, ...]]]) -> None:
        opener = _CompositeInliner()
        # Copies, made in the order of creation, in terms of the definition's own params and weights.
        copies = opener.values(definition.outputs, {leaf: leaf for leaf in definition.leaves})
        self.results: dict[str, Expr] = dict(zip(definition.results, copies, strict=False))
        self.masks: tuple[Expr, ...] = tuple(copies[len(self.results) :])
        self.stable = opener.stable
        self.order: list[Expr] = []
        self.loops: list[Expr] = []
        self.loop_of: dict[Expr, Expr] = {}
        self.named: set[Expr] = set()
        self._around: dict[Expr, tuple[Expr, ...]] = {}
        self._base: dict[Expr, tuple[Expr, ...]] = {}
        """The computing nodes whose elements each node contains."""
        self._collect()
        self._choose()
        self.roles = AxisRoles(called_roles).within(definition, [e for e in self.order if not self.loops_of(e)])

    def loops_of(self, node: Expr) -> tuple[Expr, ...]:
        """Return the loops that contain the node, outermost first."""
        return self._around.get(node, ())

    def _collect(self) -> None:
        """Find all nodes and the loops that contain them."""
        pending: list[tuple[list[Expr], Iterable[Expr], tuple[Expr, ...]]] = [
            ([*self.results.values(), *self.masks], (), ())
        ]
        while pending:
            roots, stop, around = pending.pop()
            for node in walk(roots, stop):
                if node in self._around:
                    continue
                self._around[node] = () if node.op in LEAVES else around
                self.order.append(node)
                if node.op is LOOP:
                    body: Body = node.attrs["body"]
                    self.loops.append(node)
                    for leaf in (*body.steps, *body.states):
                        self.loop_of[leaf] = node
                        self._around[leaf] = (*around, node)
                        self.order.append(leaf)
                    inside = {*body.captured, *body.steps, *body.states}
                    pending.append((body.outputs, inside, (*around, node)))
        self.order.sort(key=lambda e: e.serial)
        self.loops.sort(key=lambda e: e.serial)

    def _choose(self) -> None:
        """Choose the nodes that get a line."""
        uses: Counter[Expr] = Counter()
        for node in self.order:
            kind = kind_of(node)
            self._base[node] = self._base_of(node, kind)
            if _is_found(node):  # what reads it names it, since no formula gives its elements
                self.named.add(node)
            if kind == "moves":
                continue
            args = node.args[: node.attrs["sequences"]] if node.op is LOOP else node.args
            for behind in (b for a in args for b in self._base[a]):
                uses[behind] += 1
                if kind == "folds" or node.op is LOOP or uses[behind] > 1:
                    self.named.add(behind)
            if node.op is LOOP:
                self.named.update(b for c in node.attrs["body"].captured for b in self._base[c])
            elif node.op is CALL and not node.attrs["definition"].scalar:
                self.named.update(filter(None, (self._whole(a) for a in node.args)))
            elif node.label and node.op not in LEAVES:
                self.named.add(node)
        states = {new for loop in self.loops for new in loop.attrs["body"].next}
        self._cut(states | set(self.results.values()))

    def _base_of(self, node: Expr, kind: str) -> tuple[Expr, ...]:
        if node in self.loop_of or node.op in LEAVES:
            return ()
        if node.op is ITEM or (node.op is LOOP and len(node.attrs["body"].outputs) == 1):
            source, i = picked(node)
            if source.op is LOOP:
                body: Body = source.attrs["body"]
                collected = list(body.collected.values())
                return () if i < len(body.states) else self._base[collected[i - len(body.states)]]
            return (node,) if source.op is CALL or _is_found(node) else self._base[source]
        if kind == "moves":
            return tuple(dict.fromkeys(b for a in node.args for b in self._base[a]))
        return (node,)

    def _whole(self, arg: Expr) -> Expr | None:
        """Return the node that needs a line so that a layer can be called on it as a whole tensor."""
        while arg in self.loop_of:
            loop = self.loop_of[arg]
            body: Body = loop.attrs["body"]
            if arg not in body.steps:
                return None
            arg = loop.args[body.steps.index(arg)]
        return None if arg.op in LEAVES else arg

    def _cut(self, lines: set[Expr]) -> None:
        """Give lines to parts that would nest too deeply or become too wide."""
        depth: dict[Expr, int] = {}
        width: dict[Expr, int] = {}
        for node in self.order:
            args = node.args[:0] if node.op is LOOP else node.args
            deep = 1 + max((depth[a] for a in args), default=0)
            wide = max(sum(width[a] for a in args), 1)
            if deep > DEEPEST or (wide > WIDEST and kind_of(node) != "moves"):
                for arg in sorted(args, key=lambda a: -width[a])[:1] if deep <= DEEPEST else args:
                    if arg.args and width[arg] + depth[arg] > 2 and type(arg.shape) is tuple:
                        self.named.add(arg)
                        depth[arg], width[arg] = 0, 1
                deep = 1 + max((depth[a] for a in args), default=0)
                wide = max(sum(width[a] for a in args), 1)
            is_line = node in self.named or node in lines
            depth[node], width[node] = (0, 1) if is_line else (deep, wide)


def _is_found(node: Expr) -> bool:
    """Return whether a node is a named result of a choice of the largest, which is found by values, not computed."""
    return node.op is ITEM and node.label is not None and node.args[0].op is top_k


def kind_of(node: Expr) -> str:
    """Return the kind of a node: "moves" (one element of an argument), "folds" (sums over letters) or "computes"."""
    op: Op = node.op
    if op is ITEM or op in LEAVES:
        return "moves"
    if op is CALL or op is LOOP or isinstance(op.element, Marker) or op.element is None:
        return "moves" if op.flops is FREE and op not in (CALL, LOOP) and op.element is None else "computes"
    probe = tuple([letter("", size) for size in node.shape])
    try:
        value = op.element(node, probe, lambda i, index: Number(0))
    except CannotIndex:
        return "computes"
    if isinstance(value, Fold):
        return "folds"
    return "moves" if op.flops is FREE and not isinstance(value, Guard) else "computes"


# Expanded composites --------------------------------------------------------------------------------------------------


class _CompositeInliner(Copier):
    """Copy nodes, replacing calls of composites that are not scalar functions by their bodies."""

    def __init__(self) -> None:
        super().__init__()
        self.stable: dict[Expr, Expr] = {}

    def call(self, node: Expr, env: dict[Expr, Any]) -> Any:
        definition: Definition = node.attrs["definition"]
        if definition.kind != "composite" or definition.scalar:
            return super().call(node, env)
        args = [env[a] for a in node.args]
        copies = self.values(definition.outputs, dict(zip(definition.params, args, strict=True)))
        if len(copies) > 1:
            return copies
        if definition.stable is not None:
            self.stable[copies[0]] = super().call(node, env)
        return labelled(copies[0], node)

    def item(self, node: Expr, env: dict[Expr, Any]) -> Expr:
        return labelled(super().item(node, env), node)
