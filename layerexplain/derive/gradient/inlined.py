"""Write a formula so that gradients can be derived: calls without a rule of their own are opened, equal parts are one,
and dropout is a product with what it draws, so that forward and backward drop the same elements.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from layerexplain.derive.gradient.simplify import Sharing
from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.composite import COMPOSITES
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr, named, walk
from layerexplain.ops.arrange import full_like
from layerexplain.ops.random import dropout


def inline_calls(definition: Definition) -> tuple[dict[str, Expr], list[Expr]]:
    """Return a definition's results, written in this way, and all their nodes in the order of creation."""
    outputs = _CallInliner().values(list(definition.results.values()), {})
    results = dict(zip(definition.results, outputs, strict=True))
    return results, walk(results.values())


def needed_of(roots: Collection[Expr], known: Collection[Expr]) -> list[Expr]:
    """Return which of the `known` nodes the roots need first, in the order of creation: not what those are made of."""
    met = {*roots, *[arg for node in walk(roots, known) for arg in node.args]}
    return sorted([node for node in met if node in known], key=lambda node: node.serial)


def has_rule(node: Expr) -> bool:
    """Return whether a call's gradient is declared."""
    definition: Definition = node.attrs["definition"]
    composite = COMPOSITES.get(definition.name) if definition.kind == "composite" else None
    return composite is not None and (composite.gradient is not None or composite.slope is not None)


def _suffix(definition: Definition, args: Sequence[Expr]) -> str:
    """Return what the weights of a call are called by behind their names inside: `_fwd` of W_fwd."""
    weights = zip(definition.variables, args[len(definition.params) :], strict=True)
    found = {str(arg.label).removeprefix(str(leaf.label)) if arg.label else "" for leaf, arg in weights}
    (suffix,) = found if len(found) == 1 else ("",)
    return suffix if suffix.startswith("_") else ""


class _CallInliner(Sharing):
    def __init__(self) -> None:
        super().__init__()
        self.suffix = ""

    def like(self, node: Expr, env: Mapping[Expr, Any], attrs: dict[str, Any]) -> Expr:
        result = super().like(node, env, attrs)
        if self.suffix and result is not node and result.label and result.label == node.label:
            result.label += self.suffix
        return result

    def loop(self, node: Expr, env: dict[Expr, Any]) -> Any:
        result = super().loop(node, env)
        body = result.attrs["body"]
        if self.suffix and body is not node.attrs["body"]:
            for state in body.states:
                state.label = f"{state.label}{self.suffix}"
            body.collected = {f"{name}{self.suffix}": e for name, e in body.collected.items()}
        return result

    def op(self, node: Expr, env: dict[Expr, Any]) -> Any:
        if node.op is dropout:
            x = env[node.args[0]]
            drawn = named("D", dropout(full_like(x, value=1), **node.attrs), "1 / (1 - rate) where kept, else 0")
            return x * drawn
        return super().op(node, env)

    def call(self, node: Expr, env: dict[Expr, Any]) -> Any:
        if has_rule(node):
            return super().call(node, env)
        definition: Definition = node.attrs["definition"]
        inside = {leaf: env[arg] for leaf, arg in zip(definition.leaves, node.args, strict=True)}
        outside, self.suffix = self.suffix, self.suffix or _suffix(definition, node.args)
        self.visit(walk(definition.outputs, inside), inside)
        self.suffix = outside
        results = [inside[e] for e in definition.outputs]
        return results if type(node.shape) is ResultShapes else results[0]
