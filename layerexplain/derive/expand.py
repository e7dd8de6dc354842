"""A definition with its composite functions opened: softmax, moments and the like replaced by their bodies.

Scalar functions (relu, sigmoid) stay calls, and so do layers and models, which are scopes of their own.
"""

from __future__ import annotations

from typing import Any

from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.lang.visit import Copier, labelled
from layerexplain.records import NamedTuple


class Expanded(NamedTuple):
    """The results by name and the masks that there are, in terms of the definition's own params and weights."""

    results: dict[str, Expr]
    masks: tuple[Expr, ...]


def expanded(definition: Definition) -> Expanded:
    """A copy of the definition's body without calls of composites that are not scalar. Nodes of the copy are new,
    in the author's order; params and weights are the definition's."""
    leaves = (*definition.params, *definition.weights)
    copies = _Opener().values(definition.outputs, dict(zip(leaves, leaves, strict=True)))
    count = len(definition.results)
    return Expanded(dict(zip(definition.results, copies, strict=False)), tuple(copies[count:]))


def is_opened(definition: Definition) -> bool:
    """Whether a call of the definition is replaced by its body."""
    return definition.kind == "composite" and not definition.scalar


class _Opener(Copier):
    """Copies nodes; a composite's body stands in place of its call."""

    def call(self, node: Expr, env: dict[Expr, Any]) -> Any:
        definition: Definition = node.attrs["definition"]
        if not is_opened(definition):
            return super().call(node, env)
        args = [env[a] for a in node.args]
        copies = self.values(definition.outputs, dict(zip(definition.params, args, strict=True)))
        return labelled(copies[0], node) if len(copies) == 1 else copies

    def item(self, node: Expr, env: dict[Expr, Any]) -> Expr:
        source = env[node.args[0]]
        return labelled(source[node.attrs["i"]], node) if isinstance(source, list) else super().item(node, env)
