"""A definition with its composite functions opened: softmax, moments and the like replaced by their bodies.

Scalar functions (relu, sigmoid) stay calls, and so do layers and models, which are scopes of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.lang.definition import Body, Definition
from layerexplain.lang.expr import CALL, CONSTANT, INPUT, ITEM, LOOP, WEIGHT, Expr, walk
from layerexplain.records import NamedTuple


class Expanded(NamedTuple):
    """The results by name and the masks that there are, in terms of the definition's own params and weights."""

    results: dict[str, Expr]
    masks: tuple[Expr, ...]


def expanded(definition: Definition) -> Expanded:
    """A copy of the definition's body without calls of composites that are not scalar. Nodes of the copy are new,
    in the author's order; params and weights are the definition's."""
    copier = _Copier({leaf: leaf for leaf in (*definition.params, *definition.weights)})
    masks = [m for m in definition.masks if m is not None]
    copier.copy([*definition.results.values(), *masks])
    return Expanded(
        {name: copier.known[e] for name, e in definition.results.items()}, tuple(copier.known[m] for m in masks)
    )


def is_opened(definition: Definition) -> bool:
    """Whether a call of the definition is replaced by its body."""
    return definition.kind == "composite" and not definition.scalar


class _Copier:
    """Copies nodes; `known` maps what was copied to its copy, `several` an opened call to its results."""

    def __init__(self, known: dict[Expr, Expr]) -> None:
        self.known = known
        self.several: dict[Expr, list[Expr]] = {}

    def copy(self, roots: Sequence[Expr]) -> None:
        """Copy all that the roots need, in the order of creation, which is also an order of evaluation."""
        for node in sorted(walk(roots, [*self.known, *self.several]), key=lambda e: e.serial):
            self._copy(node)

    def _copy(self, node: Expr) -> None:
        op = node.op
        if op in (INPUT, WEIGHT, CONSTANT):
            self.known[node] = node
        elif op is CALL and is_opened(node.attrs["definition"]):
            self._open(node)
        elif op is ITEM and node.args[0] in self.several:
            self.known[node] = _labelled(self.several[node.args[0]][node.attrs["i"]], node)
        elif op is LOOP:
            self.known[node] = self._loop(node)
        else:
            self.known[node] = self._like(node, node.attrs)

    def _like(self, node: Expr, attrs: dict[str, object]) -> Expr:
        args = tuple([self.known[a] for a in node.args])
        return _labelled(Expr(node.op, args, attrs, node.shape, node.dtype), node)

    def _open(self, node: Expr) -> None:
        definition: Definition = node.attrs["definition"]
        inner = _Copier(dict(zip(definition.params, [self.known[a] for a in node.args], strict=True)))
        roots = [*definition.results.values(), *[m for m in definition.masks if m is not None]]
        inner.copy(roots)
        results = [inner.known[e] for e in roots]
        if len(results) == 1:
            self.known[node] = _labelled(results[0], node)
        else:
            self.several[node] = results

    def _loop(self, node: Expr) -> Expr:
        body: Body = node.attrs["body"]
        copies = {e: Expr(INPUT, (), e.attrs, e.shape, e.dtype, e.label) for e in (*body.steps, *body.states)}
        inner = _Copier({**{e: self.known[e] for e in body.captured}, **copies})
        inner.copy(body.outputs)
        copied = Body(
            tuple(copies[e] for e in body.steps),
            tuple(copies[e] for e in body.states),
            tuple(inner.known[e] for e in body.next),
            {name: inner.known[e] for name, e in body.collected.items()},
            tuple(inner.known[e] for e in body.captured),
        )
        return self._like(node, {**node.attrs, "body": copied})


def _labelled(copy: Expr, original: Expr) -> Expr:
    """The copy with the original's label, unless it has one or is a leaf."""
    if copy.label is None and copy.args:
        copy.label, copy.note = original.label, original.note
    return copy
