"""Open the calls of a formula that have no gradient rule of their own: layers, and composites without a slope."""

from __future__ import annotations

from typing import Any

from layerexplain.lang.composite import COMPOSITES
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CALL, LOOP, Expr, Shapes, walk
from layerexplain.lang.visit import Copier


def opened(definition: Definition) -> tuple[dict[str, Expr], list[Expr]]:
    """Return a definition's results with the calls opened, and all their nodes in the order of creation."""
    results = dict(definition.results)
    if any(node.op is LOOP or (node.op is CALL and not has_rule(node)) for node in definition.order):
        copier = _Opener()
        made = copier.values(list(results.values()), {})
        results = dict(zip(results, made, strict=True))
    return results, walk(results.values())


def has_rule(node: Expr) -> bool:
    """Return whether a call's gradient is declared."""
    definition: Definition = node.attrs["definition"]
    if definition.kind != "composite":
        return False
    composite = COMPOSITES[definition.name]
    return composite.gradient is not None or composite.slope is not None


class _Opener(Copier):
    def call(self, node: Expr, env: dict[Expr, Any]) -> Any:
        if has_rule(node):
            return super().call(node, env)
        definition: Definition = node.attrs["definition"]
        inside = {
            leaf: env[arg] for leaf, arg in zip((*definition.params, *definition.weights), node.args, strict=True)
        }
        self.visit(walk(definition.outputs, inside), inside)
        made = [inside[e] for e in definition.outputs]
        return made if type(node.shape) is Shapes else made[0]

    def item(self, node: Expr, env: dict[Expr, Any]) -> Expr:
        source = env[node.args[0]]
        if isinstance(source, list):
            part: Expr = source[node.attrs["i"]]
            return part
        return super().item(node, env)

    def like(self, node: Expr, env: Any, attrs: dict[str, Any]) -> Expr:
        if attrs is node.attrs and all(env[a] is a for a in node.args):
            return node
        return super().like(node, env, attrs)
