"""What stands in a formula and is no tensor: keyword arguments, slices, and conditions on the arguments of a layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.lang.axes import BATCH, Batch, batches
from layerexplain.lang.expr import LARGEST
from layerexplain.lang.syntax import COMPARISONS, OPERATORS, ast, refuse, source_of

NO_SETTINGS: Mapping[str, Any] = {}


class NotGiven:
    """A setting without a value, falsy in conditions: a size that only run time tells, a tensor that is left out."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def __bool__(self) -> bool:
        return False


def attribute(node: ast.expr, settings: Mapping[str, Any] = NO_SETTINGS) -> Any:
    """Return the value of a keyword argument: a number, text, boolean, None, `n`, a setting, or a tuple of these.
    Where there are settings, also what `+ - * / // %` make of numbers."""
    if isinstance(node, ast.Constant) and node.value is not Ellipsis:
        return node.value
    if isinstance(node, ast.Tuple):
        return tuple([attribute(e, settings) for e in node.elts])
    if isinstance(node, ast.Name):
        if node.id in settings:
            value = settings[node.id]
            if isinstance(value, NotGiven):
                raise refuse(node, value.reason)
            return value
        if node.id == "n":
            return BATCH
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        if isinstance(node.operand, ast.Constant) and _is_number(node.operand.value):
            return -node.operand.value  # type: ignore[operator]
        if settings and _is_number(value := attribute(node.operand, settings)):
            return -value
    if isinstance(node, ast.BinOp) and (of_batch := _of_batch(node)):
        return of_batch
    if settings and isinstance(node, ast.IfExp):
        return attribute(node.body if holds(node.test, settings) else node.orelse, settings)
    if settings and isinstance(node, ast.BinOp) and type(node.op) in OPERATORS and type(node.op) is not ast.Pow:
        return _computed(node, settings)
    raise refuse(
        node, f"a keyword argument must be a number, a text, None, True, False, n or a tuple, got '{source_of(node)}'"
    )


def size_of_batch(text: str) -> Batch | None:
    """Return the size that a text such as `4 * n` states; None for another text.

    >>> size_of_batch("4 * n"), size_of_batch("n / 3"), size_of_batch("h")
    (4 * n, n / 3, None)
    """
    try:
        tree: Any = compile(text[:40], "size", "eval", ast.PyCF_ONLY_AST, dont_inherit=True)
        return _of_batch(tree.body)
    except (SyntaxError, ValueError):
        return None


def _of_batch(node: ast.expr) -> Batch | None:
    """Return the size that `10 * n`, `n / 2` or `3 * n / 2 - 1` is; None for another expression."""
    if isinstance(node, ast.Name) and node.id == "n":
        return BATCH
    if not isinstance(node, ast.BinOp):
        return None
    batch, number = (node.right, node.left) if isinstance(node.op, ast.Mult) else (node.left, node.right)
    size = _of_batch(batch)
    value = number.value if isinstance(number, ast.Constant) else 0
    if size is None or type(value) is not int or not 0 < value <= LARGEST:
        return None
    if isinstance(node.op, ast.Add | ast.Sub) and not size.plus:
        return batches(size.times, size.per, value if isinstance(node.op, ast.Add) else -value)
    if size.plus or not isinstance(node.op, ast.Mult | ast.Div):
        return None
    return (
        batches(size.times, size.per * value) if isinstance(node.op, ast.Div) else batches(value * size.times, size.per)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _computed(node: ast.BinOp, settings: Mapping[str, Any]) -> Any:
    """Return the value of an operator between numbers. Operands are bounded, and so is what they make."""
    left, right = attribute(node.left, settings), attribute(node.right, settings)
    if not (_is_number(left) and _is_number(right)):
        raise refuse(node, f"'{source_of(node)}' needs two numbers, got {str(left)[:40]} and {str(right)[:40]}")
    if max(abs(left), abs(right)) > LARGEST:
        raise refuse(node, f"'{source_of(node)}' needs numbers up to 10**18")
    try:
        return OPERATORS[type(node.op)][2](left, right)
    except ZeroDivisionError:
        raise refuse(node, f"'{source_of(node)}' divides by zero") from None


def holds(test: ast.expr, settings: Mapping[str, Any]) -> bool:
    """Return whether a condition on settings holds: a name, `not`, `and`, `or`, comparisons, `is None`. `None` and
    False do not hold, nor does a tensor that is left out. Raises `FormulaError` where it depends on values of
    tensors."""
    if isinstance(test, ast.BoolOp):
        each = (holds(value, settings) for value in test.values)
        return all(each) if isinstance(test.op, ast.And) else any(each)
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return not holds(test.operand, settings)
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        kind = type(test.ops[0])
        if kind in COMPARISONS or kind in (ast.Is, ast.IsNot):
            left, right = (_condition(node, settings) for node in (test.left, test.comparators[0]))
            if kind not in COMPARISONS:
                return (left is right) == (kind is ast.Is)
            try:
                return bool(COMPARISONS[kind][2](left, right))
            except TypeError:
                raise refuse(test, f"'{source_of(test)}' compares {left!r} with {right!r}") from None
    if isinstance(test, (ast.Name, ast.Constant)):
        return bool(_condition(test, settings))
    raise refuse(test, f"a condition is made of arguments, sizes and comparisons of them, got '{source_of(test)}'")


def _condition(node: ast.expr, settings: Mapping[str, Any]) -> Any:
    """Return a value in a condition; None for what is not given."""
    value = settings.get(node.id) if isinstance(node, ast.Name) and node.id in settings else attribute(node, settings)
    return None if isinstance(value, NotGiven) else value


def table_shape(value: Any) -> tuple[int, ...] | None:
    """Return the shape of a number or of nested tuples of numbers; None for anything else."""
    if not isinstance(value, tuple):
        return () if isinstance(value, (int, float)) else None
    shapes = {table_shape(v) for v in value}
    inner = shapes.pop() if len(shapes) == 1 else None
    return None if inner is None else (len(value), *inner)


def is_key(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, (ast.Slice, ast.Constant))


def key_part(node: ast.expr, settings: Mapping[str, Any] = NO_SETTINGS) -> Any:
    """Return one part of a slice's key: `...`, None, an integer, or `2:5`."""
    if isinstance(node, ast.Slice):
        start, stop, step = (None if e is None else _whole(e, settings) for e in (node.lower, node.upper, node.step))
        if step == 0:
            raise refuse(node, "the step of a slice must not be 0")
        return slice(start, stop, step)
    if isinstance(node, ast.Constant) and (node.value is None or node.value is Ellipsis):
        return node.value
    return _whole(node, settings)


def _whole(node: ast.expr, settings: Mapping[str, Any]) -> int:
    value = attribute(node, settings)
    if not isinstance(value, int) or isinstance(value, bool):
        raise refuse(node, f"a slice takes integers, `...` and None, got '{source_of(node)}'")
    return value
