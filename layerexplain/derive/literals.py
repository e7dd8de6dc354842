"""The values that stand in a text: those of keywords, numbers and tables of numbers, and the keys of slices."""

from __future__ import annotations

import ast
from typing import Any

from layerexplain.derive.syntax import refuse
from layerexplain.lang.expr import BATCH


def attribute(node: ast.expr) -> Any:
    """The value of a keyword: a number, a text, None, a truth value, `n`, or a tuple of these."""
    if isinstance(node, ast.Constant) and node.value is not Ellipsis:
        return node.value
    if isinstance(node, ast.Tuple):
        return tuple(attribute(e) for e in node.elts)
    if isinstance(node, ast.Name) and node.id == "n":
        return BATCH
    if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
        value = node.operand.value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return -value
    raise refuse(node, f"a keyword takes a number, a text, None, True, False, n or a tuple, got '{ast.unparse(node)}'")


def table_shape(value: Any) -> tuple[int, ...] | None:
    """The shape of a number or of nested tuples of numbers; None for anything else."""
    if not isinstance(value, tuple):
        return () if isinstance(value, int | float) else None
    shapes = {table_shape(v) for v in value}
    inner = shapes.pop() if len(shapes) == 1 else None
    return None if inner is None else (len(value), *inner)


def is_key(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp):
        node = node.operand
    return isinstance(node, ast.Slice | ast.Constant)


def key_part(node: ast.expr) -> Any:
    """A part of a slice's key: `...`, None, a whole number, or `2:5`."""
    if isinstance(node, ast.Slice):
        start, stop, step = (None if e is None else _whole(e) for e in (node.lower, node.upper, node.step))
        if step == 0:
            raise refuse(node, "a slice needs a step other than 0")
        return slice(start, stop, step)
    if isinstance(node, ast.Constant) and (node.value is None or node.value is Ellipsis):
        return node.value
    return _whole(node)


def _whole(node: ast.expr) -> int:
    value = attribute(node)
    if not isinstance(value, int) or isinstance(value, bool):
        raise refuse(node, f"a slice takes whole numbers, `...` and None, got '{ast.unparse(node)}'")
    return value
