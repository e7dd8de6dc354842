"""Rows of layers and operations with the values of their formulas, as tests/data/layer_values.txt has them.

The rows are those that the tests with Keras and PyTorch compare with these: what they found right is recorded, so that
tests that need neither notice when it changes. After a change that those tests agree with, `python -m
tests.support.recorded_values` writes the file again.
"""

from __future__ import annotations

import ast
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from layerexplain.derive.evaluate import CannotEvaluate, Evaluation, evaluate
from layerexplain.lang.axes import BATCH, Batch
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.layers.declaration import Spec
from layerexplain.layers.registry import find

FILE = Path(__file__).parents[1] / "data" / "layer_values.txt"
EXAMPLES, OPEN = 2, 7
"""The number of examples, and what sizes are that are not known."""


class Recorded(NamedTuple):
    """A row: a type with its arguments, its tensors and their masks as `float n,5,3`, how it is traced and drawn
    ("training", "keras_2", "positive" numbers), its weights, and its outputs with a number for all values of each."""

    type: str
    arguments: dict[str, Any]
    tensors: tuple[str, ...]
    masks: tuple[str, ...]
    options: tuple[str, ...]
    weights: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The type and its arguments."""
        return f"{self.type}({', '.join(f'{name}={value}' for name, value in self.arguments.items())})"


def rows() -> list[Recorded]:
    """Return the rows of the file."""
    return [Recorded(*ast.literal_eval(line)) for line in FILE.read_text("utf-8").splitlines()]


def _spec(text: str) -> Spec | None:
    dtype, _, sizes = text.partition(" ")
    known: dict[str, Any] = {"n": BATCH, "?": None}
    shape = [known[size] if size in known else int(size) for size in sizes.split(",") if size]
    return Spec(tuple(shape), dtype) if dtype else None


def _shape(e: Expr) -> str:
    return ",".join("n" if isinstance(size, Batch) else "?" if size is None else str(size) for size in e.shape)


def _sizes(e: Expr) -> list[int]:
    return [EXAMPLES * s.times if isinstance(s, Batch) else OPEN if s is None else s for s in e.shape]


def _drawn(leaf: Expr, random: Any, *, positive: bool) -> Any:
    sizes = _sizes(leaf)
    if leaf.dtype == "bool":
        return random.random(sizes) < 0.6
    if leaf.dtype.lstrip("u").startswith("int"):
        return random.integers(0, 3, sizes)
    return random.uniform(0.1, 0.95, sizes) if positive else random.normal(size=sizes)


def _number(np: Any, value: Any) -> float:
    """Return one number for all values of an array and their places."""
    array = np.asarray(value).ravel()
    parts = np.concatenate([array.real, array.imag]) if array.dtype.kind == "c" else array
    known = np.clip(np.nan_to_num(np.asarray(parts, "float64"), nan=3.0), -1e6, 1e6)
    return float(np.sum(known * np.cos(np.arange(1, known.size + 1))))


def traced(row: Recorded) -> Definition:
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


def drawn(row: Recorded, definition: Definition) -> tuple[list[Any], list[Any]]:
    """Return arrays for the tensors and for the weights and states, always the same for a row."""
    import numpy as np

    random = np.random.default_rng(zlib.crc32(row.id.encode()))
    values = [_drawn(leaf, random, positive="positive" in row.options) for leaf in definition.params]
    return values, [random.uniform(0.2, 0.9, _sizes(leaf)) for leaf in definition.variables]


def numbers(row: Recorded, definition: Definition, seed: int = 1) -> list[float] | None:
    """Return a number for all values of each output; None where an op has none. The seed is that of random ops."""
    import numpy as np

    try:
        found = evaluate(definition, *drawn(row, definition), Evaluation(EXAMPLES, "float64", seed))
    except CannotEvaluate:
        return None
    return [_number(np, one) for one in found]


def weights_of(definition: Definition) -> tuple[str, ...]:
    """Return the names and shapes of the weights."""
    return tuple([f"{w.attrs['name']} {_shape(w)}" for w in definition.weights])


def shapes_of(definition: Definition) -> list[str]:
    """Return the dtypes and shapes of the outputs."""
    return [f"{e.dtype} {_shape(e)}" for e in definition.outputs]


def recorded(row: Recorded) -> Recorded:
    """Return the row as its formula has it today; what is random has no number."""
    definition = traced(row)
    outputs = shapes_of(definition)
    found, again = (numbers(row, definition, seed) for seed in (1, 2))
    if found is not None and again is not None:
        triples = zip(outputs, found, again, strict=True)
        outputs = [f"{text} = {one:.6g}" if one == other else text for text, one, other in triples]
    return row._replace(weights=weights_of(definition), outputs=tuple(outputs))


if __name__ == "__main__":
    FILE.write_text("".join(f"{tuple(recorded(row))}\n" for row in rows()), "utf-8")
