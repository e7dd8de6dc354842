"""Rows of operations: each type with its arguments and the tensors that it is called with, from tests/data/operations.txt."""

import ast
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from layerexplain.lang.axes import BATCH, Batch
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import find

FILE = Path(__file__).parents[1] / "data" / "operations.txt"
EXAMPLES, OPEN = 2, 7
"""The number of examples, and what sizes are that are not known."""


class Row(NamedTuple):
    """A type with its arguments, its tensors and their masks as `float n,5,3`, and how it is traced and drawn
    ("training", "keras_2", "positive" numbers)."""

    type: str
    arguments: dict[str, Any]
    tensors: tuple[str, ...]
    masks: tuple[str, ...]
    options: tuple[str, ...]

    @property
    def id(self) -> str:
        """The type and its arguments."""
        return f"{self.type}({', '.join(f'{name}={value}' for name, value in self.arguments.items())})"


def rows() -> list[Row]:
    """Return the rows of the file."""
    return [Row(*ast.literal_eval(line)) for line in FILE.read_text("utf-8").splitlines()]


def _spec(text: str) -> Spec | None:
    dtype, _, sizes = text.partition(" ")
    known: dict[str, Any] = {"n": BATCH, "?": None}
    shape = [known[size] if size in known else int(size) for size in sizes.split(",") if size]
    return Spec(tuple(shape), dtype) if dtype else None


def _sizes(e: Expr) -> list[int]:
    return [EXAMPLES * s.times if isinstance(s, Batch) else OPEN if s is None else s for s in e.shape]


def _drawn(leaf: Expr, random: Any, *, positive: bool) -> Any:
    sizes = _sizes(leaf)
    if leaf.dtype == "bool":
        return random.random(sizes) < 0.6
    if leaf.dtype.lstrip("u").startswith("int"):
        return random.integers(0, 3, sizes)
    return random.uniform(0.1, 0.95, sizes) if positive else random.normal(size=sizes)


def traced(row: Row) -> Definition:
    """Return the definition of a row."""
    declaration = find(row.type)
    assert declaration is not None, row.type
    return declaration.trace(
        [_spec(text) for text in row.tensors],
        row.arguments,
        [_spec(text) for text in row.masks],
        training="training" in row.options,
        keras_2="keras_2" in row.options,
    )


def drawn(row: Row, definition: Definition) -> tuple[list[Any], list[Any]]:
    """Return arrays for the tensors and for the weights and states, always the same for a row."""
    random = np.random.default_rng(zlib.crc32(row.id.encode()))
    values = [_drawn(leaf, random, positive="positive" in row.options) for leaf in definition.params]
    return values, [random.uniform(0.2, 0.9, _sizes(leaf)) for leaf in definition.variables]
