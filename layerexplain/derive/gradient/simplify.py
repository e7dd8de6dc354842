"""Write a derived formula as a textbook does: no `1 *`, no `+ 0`, no reshape that undoes another, common parts once.

Each rule looks at one node whose arguments are simplified already and returns a node of the same shape, or None. Values
do not change, but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from layerexplain.lang.expr import CALL, CONSTANT, INPUT, WEIGHT, Expr, constant
from layerexplain.lang.visit import Copier, labelled
from layerexplain.ops.elementwise import add, divide, multiply, negative, subtract, where
from layerexplain.ops.families import is_elementwise
from layerexplain.ops.movement import reshape, reverse, transpose
from layerexplain.ops.reduce import count_of, mean, sum_
from layerexplain.ops.reshaping import expand_key
from layerexplain.ops.sizes import normalize_axes


class Simplifier(Copier):
    """Simplify formulas. Equal nodes become one."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[Any, Expr] = {}

    def op(self, node: Expr, env: dict[Expr, Any]) -> Any:
        args = tuple([env[a] for a in node.args])
        unchanged = all(a is b for a, b in zip(args, node.args, strict=True))
        made = node if unchanged else labelled(Expr(node.op, args, node.attrs, node.shape, node.dtype), node)
        while True:
            rule = RULES.get(made.op.name)
            better = _without_spreading(made) or (None if rule is None else rule(made))
            if better is None or better is made or better.shape != node.shape:
                break
            made = _relabelled(better, node)
        return self._once(made)

    def call(self, node: Expr, env: dict[Expr, Any]) -> Any:
        return self._once(self.like(node, env, node.attrs))

    def item(self, node: Expr, env: dict[Expr, Any]) -> Expr:
        return self._once(self.like(node, env, node.attrs))

    def like(self, node: Expr, env: Mapping[Expr, Any], attrs: dict[str, Any]) -> Expr:
        if attrs is node.attrs and all(env[a] is a for a in node.args):
            return node
        return super().like(node, env, attrs)

    def _once(self, node: Expr) -> Expr:
        """Return the first of equal nodes."""
        if node.op in (INPUT, WEIGHT):
            return node
        if node.op is CALL:
            attrs: Any = node.attrs["definition"]
        else:
            attrs = repr(sorted(node.attrs.items(), key=lambda kv: kv[0]))
        args = tuple([_key(a) for a in node.args])
        return self.known.setdefault((node.op, args, attrs), node)


def _key(node: Expr) -> Any:
    return (type(node.attrs["value"]), repr(node.attrs["value"])) if node.op is CONSTANT else node


def _relabelled(better: Expr, node: Expr) -> Expr:
    return better if better.op in (CONSTANT, INPUT, WEIGHT) else labelled(better, node)


# The rules --------------------------------------------------------------------------------------------------------


def number(e: Expr) -> Any:
    """Return the value of a number, None for a tensor."""
    return e.attrs["value"] if e.op is CONSTANT and e.shape == () and not isinstance(e.attrs["value"], bool) else None


def _plain(e: Expr, op: Any) -> bool:
    """Return whether a node is this op and has no name, so that it may be taken apart."""
    return e.op is op and e.label is None


_MOVES = ("broadcast_to", "slice", "reshape")


def _one_value(e: Expr) -> Expr | None:
    """Return the number that a tensor holds throughout, as a tensor without axes; None where it holds others."""
    if not e.shape:
        return e
    if e.label is None and e.op.name in _MOVES:
        return _one_value(e.args[0])
    if e.label is None and e.args and is_elementwise(e.op):
        values = [value for arg in e.args if (value := _one_value(arg)) is not None]
        if len(values) == len(e.args):
            made = e.op(*values, **e.attrs)
            rule = RULES.get(e.op.name)
            return (None if rule is None else rule(made)) or made
    return None


def _without_spreading(node: Expr) -> Expr | None:
    """One number for each element of another tensor is that number: it is spread by the operation itself."""
    if len(node.args) != 2 or not is_elementwise(node.op):
        return None
    for i, arg in enumerate(node.args):
        value = _one_value(arg) if arg.shape else None
        if value is not None and node.args[1 - i].shape == node.shape:
            return node.op(*[value if k == i else other for k, other in enumerate(node.args)], **node.attrs)
    return None


def _product(node: Expr) -> Expr | None:
    a, b = node.args
    x, y = number(a), number(b)
    if x is not None and y is not None:
        return constant(x * y)
    if y is not None:
        return multiply(b, a)  # numbers first
    if x is not None:
        if x == 1 and b.dtype == node.dtype:
            return b
        if x == -1:
            return negative(b)
        if _plain(b, negative):
            return multiply(-x, b.args[0])
        if _plain(b, multiply) and number(b.args[0]) is not None:
            return multiply(x * number(b.args[0]), b.args[1])
        if _plain(b, multiply):
            return multiply(multiply(a, b.args[0]), b.args[1])
        if _plain(b, divide) and number(b.args[0]) is not None:
            return divide(constant(x * number(b.args[0])), b.args[1])
        return None
    if _plain(a, negative):
        return negative(multiply(a.args[0], b))
    if _plain(b, negative):
        return negative(multiply(a, b.args[0]))
    if _plain(b, multiply):
        if number(b.args[0]) is not None:
            return multiply(multiply(b.args[0], a), b.args[1])
        return multiply(multiply(a, b.args[0]), b.args[1])
    if _plain(b, divide):
        if number(b.args[0]) == 1:
            return divide(a, b.args[1])
        return divide(multiply(a, b.args[0]), b.args[1])
    if _plain(b, where) and 0 in (number(b.args[1]), number(b.args[2])):
        return None
    return None


def _sum(node: Expr) -> Expr | None:
    a, b = node.args
    x, y = number(a), number(b)
    if x is not None and y is not None:
        return constant(x + y)
    if x == 0 and b.dtype == node.dtype:
        return b
    if y == 0 and a.dtype == node.dtype:
        return a
    if a is b:
        return multiply(2, a)
    if _plain(b, negative):
        return subtract(a, b.args[0])
    if _plain(a, negative):
        return subtract(b, a.args[0])
    if _plain(b, multiply) and (number(b.args[0]) or 0) < 0:
        return subtract(a, multiply(-number(b.args[0]), b.args[1]))
    if a.op is where and b.op is where and a.args[0] is b.args[0]:
        (chosen, one, nothing), (_, zero, other) = a.args, b.args
        if number(nothing) == 0 and number(zero) == 0:
            return one if one is other else where(chosen, one, other)
        if number(one) == 0 and number(other) == 0:
            return where(chosen, zero, nothing)
    return None


def _difference(node: Expr) -> Expr | None:
    a, b = node.args
    x, y = number(a), number(b)
    if x is not None and y is not None:
        return constant(x - y)
    if y == 0 and a.dtype == node.dtype:
        return a
    if x == 0:
        return negative(b)
    if _plain(b, negative):
        return add(a, b.args[0])
    return None


def _quotient(node: Expr) -> Expr | None:
    a, b = node.args
    x, y = number(a), number(b)
    if y == 1 and a.dtype == node.dtype:
        return a
    if x is not None and y:
        return constant(x / y)
    if _plain(a, negative):
        return negative(divide(a.args[0], b))
    if y and _plain(a, sum_):
        (summed,) = a.args
        count = count_of(summed, a.options["axis"])
        if count == y:
            return mean(summed, **a.attrs)
    if _plain(a, sum_) and b.op.name == "size_of":
        return mean(a.args[0], **a.attrs) if count_of(a.args[0], a.options["axis"]).attrs == b.attrs else None  # type: ignore[union-attr]
    return None


def _power(node: Expr) -> Expr | None:
    a, b = node.args
    if number(b) == 1 and a.dtype == node.dtype:
        return a
    x, y = number(a), number(b)
    return constant(x**y) if x is not None and y is not None and (x > 0 or y >= 0) else None


def _negative(node: Expr) -> Expr | None:
    (a,) = node.args
    if number(a) is not None:
        return constant(-number(a))
    if _plain(a, negative):
        return a.args[0]
    if _plain(a, subtract):
        return subtract(a.args[1], a.args[0])
    if _plain(a, multiply) and number(a.args[0]) is not None:
        return multiply(-number(a.args[0]), a.args[1])
    return None


def _reshape(node: Expr) -> Expr | None:
    (a,) = node.args
    if a.shape == node.shape and None not in a.shape:
        return a
    return reshape(a.args[0], shape=node.attrs["shape"]) if _plain(a, reshape) else None


def _transpose(node: Expr) -> Expr | None:
    (a,) = node.args
    if not _plain(a, transpose):
        return None
    outer, inner = (e.options["axes"] or tuple(reversed(range(e.ndim))) for e in (node, a))
    order = tuple(inner[k] for k in outer)
    return a.args[0] if order == tuple(range(node.ndim)) else transpose(a.args[0], axes=order)


def _reverse(node: Expr) -> Expr | None:
    (a,) = node.args
    same = _plain(a, reverse) and a.options["axis"] % a.ndim == node.options["axis"] % a.ndim
    return a.args[0] if same else None


def _reduced(node: Expr) -> Expr | None:
    """A sum of a sum is one sum."""
    (a,) = node.args
    if node.op is sum_ and _plain(a, negative):
        return negative(sum_(a.args[0], **node.attrs))
    return None


def _choice(node: Expr) -> Expr | None:
    chosen, a, b = node.args
    if a is b:
        return a
    if _plain(a, where) and a.args[0] is chosen:
        return where(chosen, a.args[1], b)
    if _plain(b, where) and b.args[0] is chosen:
        return where(chosen, a, b.args[2])
    return None


def _slice(node: Expr) -> Expr | None:
    """A sum whose kept axes are dropped again is one that does not keep them."""
    (a,) = node.args
    if not _plain(a, sum_) or not a.options["keepdims"]:
        return None
    axes = normalize_axes(a.options["axis"], a.ndim)
    key = expand_key(node.attrs["key"], a.ndim)
    wanted = [0 if k in axes else slice(None) for k in range(a.ndim)]
    return sum_(a.args[0], axis=a.options["axis"]) if key == wanted else None


RULES: Mapping[str, Callable[[Expr], Expr | None]] = {
    "multiply": _product,
    "add": _sum,
    "subtract": _difference,
    "divide": _quotient,
    "power": _power,
    "negative": _negative,
    "reshape": _reshape,
    "transpose": _transpose,
    "reverse": _reverse,
    "sum": _reduced,
    "where": _choice,
    "slice": _slice,
}
