"""Write a derived formula as a textbook does: no `1 *`, no `+ 0`, no reshape that undoes another, common parts once.

Each rule looks at one node whose arguments are simplified already and returns a node of the same shape, or None. Values
do not change, but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import reduce
from math import prod
from typing import Any

from layerexplain.lang.expr import CALL, CONSTANT, ITEM, LEAVES, LOOP, RANDOM, Expr, Op, constant, named
from layerexplain.lang.visit import Copier, labelled
from layerexplain.ops.contract import dot, einsum
from layerexplain.ops.convolution import conv_transpose
from layerexplain.ops.elementwise import add, divide, greater, less, multiply, negative, subtract, where
from layerexplain.ops.families import is_elementwise
from layerexplain.ops.joining import concatenate, split, stack
from layerexplain.ops.movement import pad, reshape, reverse, take_slice, transpose
from layerexplain.ops.reduce import count_of, mean, sum_
from layerexplain.ops.reshaping import expand_key
from layerexplain.ops.sizes import normalize_axes


class Sharing(Copier):
    """Copy formulas so that equal nodes become one. Nodes whose arguments do not change stay as they are."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[Any, Expr] = {}

    def like(self, node: Expr, env: Mapping[Expr, Any], attrs: dict[str, Any]) -> Expr:
        same = attrs is node.attrs and all([env[a] is a for a in node.args])
        return self.once(node if same else super().like(node, env, attrs))

    def once(self, node: Expr) -> Expr:
        """Return the first of equal nodes. Two draws of random numbers are never equal."""
        if node.op.element is RANDOM or node.op is LOOP or not node.args:
            return node
        attrs: Any = node.attrs["definition"] if node.op is CALL else repr(sorted(node.attrs.items()))
        return self.known.setdefault((node.op, tuple([_key(a) for a in node.args]), attrs), node)


Plain = Callable[[Expr, Op], bool]
"""Tells whether a node is an op that may be taken apart: it has no name and is not one of the forward pass."""


class Simplifier(Sharing):
    """Simplify formulas by the rules below; `forward` are nodes that stay whole, since their values are kept."""

    def __init__(self, forward: Collection[Expr]) -> None:
        super().__init__()
        self.forward = forward
        self.done = set(forward)

    def once(self, node: Expr) -> Expr:
        first = super().once(node)
        return first if first is node or first in self.forward else labelled(first, node)

    def is_unlabelled(self, e: Expr, op: Op) -> bool:
        """Return whether a node is this op and may be taken apart."""
        return e.op is op and e.label is None and e not in self.forward

    def op(self, node: Expr, env: dict[Expr, Any]) -> Any:
        return self.simple(self.like(node, env, node.attrs))

    def simple(self, node: Expr) -> Expr:
        """Return the simplest form of a node. Most arguments are in theirs already: a rule makes a few nodes."""
        if node in self.done or not node.args:
            return node
        result = self._of_simple(node)
        while True:
            rule = RULES.get(result.op.name)
            better = _without_spreading(result, self.is_unlabelled) or (
                None if rule is None else rule(result, self.is_unlabelled)
            )
            if better is None or better is result or better.shape != node.shape:
                break
            result = better if better.op in LEAVES else labelled(self._of_simple(better), node)
        result = result if result.op in LEAVES else self.once(result)
        self.done.add(result)
        return result

    def _of_simple(self, node: Expr) -> Expr:
        """Return a node with its arguments in their simplest form."""
        return self.like(node, {a: self.simple(a) for a in node.args}, node.attrs)


def _key(node: Expr) -> Any:
    return (type(node.attrs["value"]), repr(node.attrs["value"])) if node.op is CONSTANT else node


# The rules --------------------------------------------------------------------------------------------------------


def number(e: Expr) -> Any:
    """Return the value of a number, None for a tensor."""
    return e.attrs["value"] if e.op is CONSTANT and e.shape == () and not isinstance(e.attrs["value"], bool) else None


_LONGEST_NUMBER = 8
"""Digits of a quotient that is worked out."""

_MOVES = ("broadcast_to", "slice", "reshape")


def _one_value(e: Expr, plain: Plain) -> Expr | None:
    """Return the number that a tensor holds throughout, as a tensor without axes; None where it holds others."""
    if not e.shape:
        return e
    if plain(e, e.op) and e.op.name in _MOVES:
        return _one_value(e.args[0], plain)
    if plain(e, e.op) and e.args and is_elementwise(e.op):
        values = [value for arg in e.args if (value := _one_value(arg, plain)) is not None]
        if len(values) == len(e.args):
            result = e.op(*values, **e.attrs)
            rule = RULES.get(e.op.name)
            return (None if rule is None else rule(result, plain)) or result
    return None


def _without_spreading(node: Expr, plain: Plain) -> Expr | None:
    """Put the number in place of a tensor that has it at each element: the operation spreads it itself."""
    if len(node.args) < 2 or not is_elementwise(node.op):
        return None
    for i, arg in enumerate(node.args):
        value = _one_value(arg, plain) if arg.shape else None
        if value is not None and any(other.shape == node.shape for k, other in enumerate(node.args) if k != i):
            return node.op(*[value if k == i else other for k, other in enumerate(node.args)], **node.attrs)
    return None


def _product(node: Expr, plain: Plain) -> Expr | None:
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
        if plain(b, negative):
            return multiply(-x, b.args[0])
        if plain(b, multiply):
            return multiply(multiply(a, b.args[0]), b.args[1])
        if plain(b, divide) and number(b.args[0]) is not None:
            return divide(constant(x * number(b.args[0])), b.args[1])
        return None
    if plain(a, negative):
        return negative(multiply(a.args[0], b))
    if plain(b, negative):
        return negative(multiply(a, b.args[0]))
    if plain(b, multiply):
        return multiply(multiply(a, b.args[0]), b.args[1])
    return divide(multiply(a, b.args[0]), b.args[1]) if plain(b, divide) else None


def _sum(node: Expr, plain: Plain) -> Expr | None:
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
    if plain(b, negative):
        return subtract(a, b.args[0])
    if plain(a, negative):
        return subtract(b, a.args[0])
    if plain(b, multiply) and (number(b.args[0]) or 0) < 0:
        return subtract(a, multiply(-number(b.args[0]), b.args[1]))
    if a.op is where and b.op is where and a.args[0] is b.args[0]:
        (chosen, expression, nothing), (_, zero, other) = a.args, b.args
        if number(nothing) == 0 and number(zero) == 0:
            return expression if expression is other else where(chosen, expression, other)
        if number(expression) == 0 and number(other) == 0:
            return where(chosen, zero, nothing)
    if b.label is None and _weight_of(b) is not None:
        return _gates(node)
    if plain(a, pad) and plain(b, pad) and _row_of_two(a) == 1 and _row_of_two(b) == 0:
        return stack(*[e.args[0].args[0] for e in (b, a)])
    return None


def terms_of(e: Expr) -> list[Expr]:
    """Return the terms of a sum."""
    expressions: list[Expr] = []
    pending = [e]
    while pending:
        expression = pending.pop()
        if expression.op is add:
            pending += reversed(expression.args)
        else:
            expressions.append(expression)
    return expressions


def last_axis(e: Expr, ndim: int) -> bool:
    """Return whether the axis of a split or of a concatenation is the last one."""
    return e.options["axis"] in (-1, ndim - 1)


def _gates(node: Expr) -> Expr | None:
    """Make of products with each part of a weight, added up, the product with the weight: all gates at once."""
    terms = terms_of(node)
    of: dict[tuple[Expr, Op, str], dict[int, Expr]] = {}
    for term in terms:
        part = _weight_of(term)
        if part is not None and part.op is ITEM:
            of.setdefault((part.args[0], term.op, repr(term.attrs)), {})[part.attrs["i"]] = term
    for (source, op, _), products in of.items():
        if source.op is split and len(products) == len(source.shape) and last_axis(source, source.args[0].ndim):
            (weight,) = source.args
            dz = joined([products[i].args[0] for i in range(len(products))], products[0].attrs, weight)
            whole = op(dz, weight if op is conv_transpose else transpose(weight), **products[0].attrs)
            return reduce(add, [*[term for term in terms if term not in products.values()], whole])
    return None


def joined(parts: Sequence[Expr], attrs: Mapping[str, Any], weight: Expr | None = None) -> Expr:
    """Return the gradients of all gates as one tensor, along the channels of a product with these attributes: `dz` of
    `dz_i, dz_f, …`. If not all are those of gates, it is called by the weight: `dz_U`."""
    first = attrs.get("data_format", "channels_last") != "channels_last"
    result = concatenate(*parts, axis=1) if first else concatenate(*parts)
    labels = [part.label.split("_") for part in parts if part.label and "_" in part.label]
    if not labels:
        return result
    base, _, *more = labels[0]
    if len(labels) == len(parts) and all(label[0] == base for label in labels):
        return named("_".join((base, *more)), result)
    return named(f"{base}_{weight.label}", result) if weight is not None else result


def _weight_of(term: Expr) -> Expr | None:
    """Return W of `dot(dz, transpose(W))` and of `conv_transpose(dz, W)`."""
    if term.op is conv_transpose and term.options["groups"] == 1:
        return term.args[1]
    return term.args[1].args[0] if term.op is dot and term.args[1].op is transpose else None


def _row_of_two(e: Expr) -> int | None:
    """Return which of two rows a padded row is."""
    first, *others = e.attrs["pads"]
    expression = e.args[0]
    row = expression.op is take_slice and expression.attrs["key"] == (None,) and len(e.attrs) == 1
    return {(0, 1): 0, (1, 0): 1}.get(first) if row and not any(map(any, others)) else None


def _difference(node: Expr, plain: Plain) -> Expr | None:
    a, b = node.args
    x, y = number(a), number(b)
    if x is not None and y is not None:
        return constant(x - y)
    if y == 0 and a.dtype == node.dtype:
        return a
    if x == 0:
        return negative(b)
    if plain(b, negative):
        return add(a, b.args[0])
    if plain(a, multiply) and plain(b, multiply) and a.args[0] is b.args[0] and number(a.args[0]) is None:
        return multiply(a.args[0], subtract(a.args[1], b.args[1]))
    return None


def _quotient(node: Expr, plain: Plain) -> Expr | None:
    a, b = node.args
    x, y = number(a), number(b)
    if y == 1 and a.dtype == node.dtype:
        return a
    if x is not None and y:
        value = constant(x / y)
        return value if len(repr(x / y)) <= _LONGEST_NUMBER else None  # 2 / 3 stays
    if plain(a, negative):
        return negative(divide(a.args[0], b))
    if y and plain(a, sum_):
        (summed,) = a.args
        count = count_of(summed, a.options["axis"])
        if count == y:
            return mean(summed, **a.attrs)
    if plain(a, sum_) and b.op.name == "size_of":
        return mean(a.args[0], **a.attrs) if count_of(a.args[0], a.options["axis"]).attrs == b.attrs else None  # type: ignore[union-attr]
    return None


def _power(node: Expr, plain: Plain) -> Expr | None:
    a, b = node.args
    if number(b) == 1 and a.dtype == node.dtype:
        return a
    x, y = number(a), number(b)
    return constant(x**y) if x is not None and y is not None and (x > 0 or y >= 0) else None


def _negative(node: Expr, plain: Plain) -> Expr | None:
    (a,) = node.args
    if number(a) is not None:
        return constant(-number(a))
    if plain(a, negative):
        return a.args[0]
    if plain(a, subtract):
        return subtract(a.args[1], a.args[0])
    if plain(a, multiply) and number(a.args[0]) is not None:
        return multiply(-number(a.args[0]), a.args[1])
    return None


def _reshape(node: Expr, plain: Plain) -> Expr | None:
    (a,) = node.args
    if a.shape == node.shape and None not in a.shape:
        return a
    if plain(a, reshape):
        return reshape(a.args[0], shape=node.attrs["shape"])
    return _sum_of_reshaped(node, a) if plain(a, sum_) else None


def _sum_of_reshaped(node: Expr, a: Expr) -> Expr | None:
    """Turn a sum along one axis that is then reshaped into the sum of the reshaped tensor, so that sums meet."""
    axes = normalize_axes(a.options["axis"], a.args[0].ndim)
    if a.options["keepdims"] or len(axes) != 1 or None in node.shape or node.shape[:1] != a.shape[:1]:
        return None
    (at,) = axes
    before = prod(a.shape[1:at])
    for k in range(1, node.ndim + 1):
        if at and prod(node.shape[1:k]) == before:
            shape = (*node.shape[:k], a.args[0].shape[at], *node.shape[k:])
            return sum_(reshape(a.args[0], shape=shape), axis=k)
    return None


def _transpose(node: Expr, plain: Plain) -> Expr | None:
    (a,) = node.args
    if node.ndim == 2 and node.options["axes"] == (1, 0):
        return transpose(a)
    if a.op is not transpose or a.label is not None:
        return None
    outer, inner = (e.options["axes"] or tuple(reversed(range(e.ndim))) for e in (node, a))
    order = tuple(inner[k] for k in outer)
    return a.args[0] if order == tuple(range(node.ndim)) else transpose(a.args[0], axes=order)


def _reverse(node: Expr, plain: Plain) -> Expr | None:
    (a,) = node.args
    same = plain(a, reverse) and a.options["axis"] % a.ndim == node.options["axis"] % a.ndim
    return a.args[0] if same else None


def _reduced(node: Expr, plain: Plain) -> Expr | None:
    """Make one sum of a sum of a sum."""
    (a,) = node.args
    if node.op is sum_ and plain(a, negative):
        return negative(sum_(a.args[0], **node.attrs))
    if node.op is sum_ and plain(a, sum_) and not (node.options["keepdims"] or a.options["keepdims"]):
        inner = normalize_axes(a.options["axis"], a.args[0].ndim)
        left = [k for k in range(a.args[0].ndim) if k not in inner]
        outer = [left[k] for k in normalize_axes(node.options["axis"], a.ndim)]
        return sum_(a.args[0], axis=tuple(sorted((*inner, *outer))))
    return None


def _comparison(node: Expr, plain: Plain) -> Expr | None:
    """Turn `-x > 0` into `x < 0`."""
    a, b = node.args
    if not plain(a, negative) or number(b) != 0:
        return None
    return (less if node.op is greater else greater)(a.args[0], b)


def _choice(node: Expr, plain: Plain) -> Expr | None:
    chosen, a, b = node.args
    if a is b:
        return a
    if plain(a, where) and a.args[0] is chosen:
        return where(chosen, a.args[1], b)
    if plain(b, where) and b.args[0] is chosen:
        return where(chosen, a, b.args[2])
    return None


def _slice(node: Expr, plain: Plain) -> Expr | None:
    """Make of a sum whose kept axes are dropped again one that does not keep them."""
    (a,) = node.args
    if not plain(a, sum_) or not a.options["keepdims"]:
        return None
    axes = normalize_axes(a.options["axis"], a.ndim)
    key = expand_key(node.attrs["key"], a.ndim)
    wanted = [0 if k in axes else slice(None) for k in range(a.ndim)]
    return sum_(a.args[0], axis=a.options["axis"]) if key == wanted else None


def _concatenate(node: Expr, plain: Plain) -> Expr | None:
    """Products of one tensor with several, and sums of several, are those of the tensors joined: one line for all gates
    of a recurrent layer."""
    first = node.args[0]
    if len(node.args) < 2 or not first.args or any(e.op is not first.op or e.attrs != first.attrs for e in node.args):
        return None
    if node.options["axis"] not in (-1, node.ndim - 1):
        return None
    axes = normalize_axes(first.options["axis"], first.args[0].ndim) if first.op is sum_ else ()
    of_one_length = first.op is sum_ and len({e.args[0].shape[:-1] for e in node.args}) == 1
    if of_one_length and first.args[0].ndim - 1 not in axes:
        return sum_(joined([e.args[0] for e in node.args], {}), **first.attrs)
    left = all(e.args[0] is first.args[0] for e in node.args)
    if first.op is einsum and left and len(first.args) == 2 and first.attrs["eq"] == "ntm,ntk->mk":
        return einsum(first.args[0], joined([e.args[1] for e in node.args], {}), **first.attrs)
    if first.op is dot and left and first.args[0].ndim == first.args[1].ndim == 2:
        return dot(first.args[0], joined([e.args[1] for e in node.args], {}))
    return None


def _size(node: Expr, plain: Plain) -> Expr | None:
    """Take the number of examples from what came in: it need not be worked out."""
    (a,) = node.args
    axes = node.options["axis"]
    leading = tuple(range(len(axes)))
    while a.args and axes == leading:
        source = next((arg for arg in a.args if arg.shape[: len(axes)] == a.shape[: len(axes)]), None)
        if source is None or None in source.shape[: len(axes)]:
            break
        a = source
    return None if a is node.args[0] else node.op(a, **node.attrs)


RULES: Mapping[str, Callable[[Expr, Plain], Expr | None]] = {
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
    "size_of": _size,
    "concatenate": _concatenate,
    "greater": _comparison,
    "less": _comparison,
}
