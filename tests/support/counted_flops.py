"""FLOPs counted while the formula runs: the independent count for derive/cost.py.

The body runs with arrays of one example, each step of a loop and each call on its own. Every node that runs adds what it
does to these arrays, by a table of this file's own: an operation for each element that comes out, one for each element
that is folded, two for each product that is summed. What no input reaches adds nothing.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.derive.evaluate import Evaluation, evaluate_nodes
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr, walk

FREE = {
    "cast",
    "concatenate",
    "full_like",
    "gather",
    "mel_filters",
    "pad",
    "positions",
    "repeat",
    "reshape",
    "reverse",
    "slice",
    "split",
    "stack",
    "take",
    "transpose",
    "zeros",
}
"""They move elements, or make them of nothing."""

ELEMENTWISE = {
    "abs",
    "add",
    "arctan2",
    "divide",
    "equal",
    "exp",
    "floor_divide",
    "greater",
    "greater_equal",
    "isnan",
    "less",
    "log",
    "log10",
    "logical_and",
    "logical_not",
    "logical_or",
    "max",
    "min",
    "mod",
    "multiply",
    "negative",
    "not_equal",
    "one_hot",
    "power",
    "round",
    "rounded",
    "sqrt",
    "subtract",
    "where",
}
FOLDS = {"amax", "amin", "any", "mean", "sum"}
SCALAR = {"sigmoid", "relu", "leaky_relu", "tanh", "softsign", "hard_tanh", "hard_sigmoid", "elu"}
"""Functions of one number that count as one operation."""


class Uncounted(Exception):
    """The formula holds an op that this file does not count."""


class Counter:
    """Runs formulas and counts."""

    def __init__(self) -> None:
        self.run = Evaluation(1, "float64")
        self.flops = 0

    def definition(self, definition: Definition, values: Sequence[Any], fed: Sequence[bool]) -> list[Any]:
        """The results, of values for parameters and weights; `fed` says which of these come from an input."""
        leaves = (*definition.params, *definition.weights)
        env = dict(zip(leaves, values, strict=True))
        reached = {leaf for leaf, one in zip(leaves, fed, strict=True) if one}
        results = list(definition.results.values())
        self._nodes(walk(results, env), env, reached)
        masks = [mask for mask in definition.masks if mask is not None]
        return [env[e] for e in results] + evaluate_nodes(masks, dict(zip(leaves, values, strict=True)), self.run)

    def _nodes(self, nodes: Sequence[Expr], env: dict[Expr, Any], reached: set[Expr]) -> None:
        for node in nodes:
            if not reached.isdisjoint(node.args):
                reached.add(node)
            env[node] = self._value(node, env, reached)

    def _value(self, node: Expr, env: Mapping[Expr, Any], reached: set[Expr]) -> Any:
        name = node.op.name
        args = [env[a] for a in node.args]
        if name == "item":
            return args[0][node.attrs["i"]]
        if name == "loop":
            return self._loop(node, args, env, reached)
        if name == "call":
            return self._call(node, args, node in reached, [a in reached for a in node.args])
        (value,) = evaluate_nodes([node], dict(zip(node.args, args, strict=True)), self.run)
        if node in reached:
            self.flops += operations(node, args, value)
        return value

    def _call(self, node: Expr, args: list[Any], fed: bool, which: Sequence[bool]) -> Any:
        inner: Definition = node.attrs["definition"]
        if inner.name in SCALAR and inner.kind == "composite":
            (value,) = evaluate_nodes([node], dict(zip(node.args, args, strict=True)), self.run)
            self.flops += value.size if fed else 0
            return value
        before = self.flops
        results = self.definition(inner, args, which)
        if not fed:
            self.flops = before
        return results[0] if len(results) == 1 else tuple(results)

    def _loop(self, node: Expr, args: list[Any], env: Mapping[Expr, Any], reached: set[Expr]) -> Any:
        body = node.attrs["body"]
        count = node.attrs["sequences"]
        states = args[count : count + len(body.states)]
        outside = {e: env[e] for e in body.captured}
        inside = {*body.steps, *body.states, *[e for e in body.captured if e in reached]}
        collected: list[list[Any]] = [[] for _ in body.collected]
        before = self.flops
        for t in range(args[0].shape[1]):
            inner = {**outside, **dict(zip(body.steps, [s[:, t] for s in args[:count]], strict=True))}
            inner.update(zip(body.states, states, strict=True))
            self._nodes(walk(body.outputs, {*inner}), inner, set(inside))
            states = [inner[e] for e in body.next]
            for values, e in zip(collected, body.collected.values(), strict=True):
                values.append(inner[e])
        if node not in reached:
            self.flops = before
        results = [*states, *[self.run.np.stack(values, axis=1) for values in collected]]
        return results[0] if len(results) == 1 else tuple(results)


def operations(node: Expr, args: Sequence[Any], value: Any) -> int:
    """The operations of one node on these arrays."""
    name, attrs = node.op.name, node.attrs
    if name in FREE:
        return 0
    if name in ELEMENTWISE:
        return int(value.size)
    if name in FOLDS:
        return int(args[0].size)
    if name == "dot":
        return 2 * int(value.size) * int(args[0].shape[-1])
    if name == "einsum":
        return 2 * _letters(attrs["eq"], args)
    if name == "conv":
        return 2 * int(value.size) * math.prod(args[1].shape[:-1])
    if name == "depthwise_conv":
        return 2 * int(value.size) * math.prod(args[1].shape[:-2])
    if name == "conv_transpose":  # each input element is multiplied by its channel's slice of the kernel
        return 2 * int(args[0].size) * math.prod(args[1].shape[:-1])
    if name in ("max_pool", "average_pool"):
        size = attrs["size"]
        return int(value.size) * (size ** (value.ndim - 2) if isinstance(size, int) else math.prod(size))
    raise Uncounted(name)


def _letters(equation: str, args: Sequence[Any]) -> int:
    """The products of an einsum of two tensors: one for each value of all letters."""
    inputs = equation.replace(" ", "").partition("->")[0].split(",")
    sizes: dict[str, int] = {}
    for text, array in zip(inputs, args, strict=True):
        head, dots, tail = text.partition("...")
        rest = array.shape[len(head) : array.ndim - len(tail)]
        names = [*head, *[f".{len(rest) - i}" for i in range(len(rest))], *tail] if dots else list(text)
        sizes.update((n, max(sizes.get(n, 1), s)) for n, s in zip(names, array.shape, strict=True))
    return math.prod(sizes.values())
