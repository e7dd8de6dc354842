"""Tables of numbers in a formula: nested tuples with a shape and a dtype."""

from __future__ import annotations

from typing import Any

from layerexplain.records import NamedTuple


class Shaped(NamedTuple):
    """An array of so many numbers that its shape alone is kept."""

    shape: tuple[int, ...]


class ConstantArray(NamedTuple):
    """An array that stands in a call in place of a tensor: its numbers, as nested lists or tuples, or `Shaped`; and its
    dtype, "" where the file does not say."""

    value: Any
    dtype: str


def table(value: Any) -> tuple[Any, tuple[int, ...], str]:
    """Return nested lists or tuples as tuples, with their shape and the dtype of their first number.

    Raises:
        TypeError: Rows differ in length, or a value is not a number or a text.
    """
    value = frozen(value)
    shape = table_shape(value)
    if shape is None:
        raise TypeError("a table of numbers needs rows of equal length and values of one kind")
    first = value
    while isinstance(first, tuple) and first:
        first = first[0]
    return value, shape, "int32" if isinstance(first, int) and not isinstance(first, bool) else "float"


def frozen(value: Any) -> Any:
    """Return a table as nested tuples. Raises `TypeError` for a value that is not a number or a text."""
    if isinstance(value, tuple | list):
        return tuple(frozen(v) for v in value)
    if not isinstance(value, int | float | str):
        raise TypeError(f"a formula takes tensors and numbers, got {type(value).__name__}")
    return value


def table_shape(value: Any) -> tuple[int, ...] | None:
    """Return the shape of a table of numbers or texts, None if its rows differ in length."""
    if not isinstance(value, tuple):
        return ()
    shapes = {table_shape(v) for v in value}
    inner = shapes.pop() if shapes else ()
    if shapes or inner is None or len({isinstance(v, str) for v in value}) > 1:
        return None
    return (len(value), *inner)
