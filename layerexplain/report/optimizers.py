"""The optimizers of Keras, by what they keep for each weight: as many numbers as their formulas have slots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from math import prod
from typing import Any, Final

from layerexplain.layers.registry import part_names
from layerexplain.network.dtypes import BYTES
from layerexplain.report.data import LayerReport

VARIANTS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "sgd-momentum": ("SGD", {"momentum": 0.9}),
    "adam-amsgrad": ("Adam", {"amsgrad": True}),
}
"""Optimizers that keep more than at their default arguments."""

_WRAPPERS = ("LossScaleOptimizer", "MultiOptimizer")
_FIRST = ("none", "sgd", "sgd-momentum", "adam", "adam-amsgrad")


@cache
def optimizers() -> tuple[str, ...]:
    """List the optimizers that `explain` knows the memory of.

    Returns:
        Their names, as `explain(optimizer=…)` takes them.

    >>> optimizers()[:4]
    ('none', 'sgd', 'sgd-momentum', 'adam')
    """
    others = [name.lower() for name in part_names("optimizers") if name not in _WRAPPERS]
    return (*_FIRST, *[name for name in others if name not in _FIRST])


def slot_bytes(optimizer: str, rows: Iterable[LayerReport]) -> tuple[int, int | None]:
    """Return the bytes that an optimizer keeps for the trainable weights of rows, in the dtype of each; and how many
    values for each parameter, None where that differs from weight to weight."""
    from layerexplain.layers.keras.optimizer_declaration import part
    from layerexplain.report.training_part import update_formulas

    name, arguments = VARIANTS.get(optimizer, (optimizer, {}))
    chosen = part("optimizers", {name: arguments})
    weights = [(f"{row.path}/{weight.name}", weight) for row in rows for weight in row.weights if weight.trainable]
    formulas = update_formulas(chosen, [(path, weight.shape) for path, weight in weights])
    total, each = 0, set()
    for (_, weight), formula in zip(weights, formulas, strict=True):
        kept = sum(prod(leaf.shape) for leaf in formula.weights if not leaf.attrs["shared"])
        total += kept * BYTES[weight.dtype]
        each.add(kept / weight.params if weight.params else 0)
    (one,) = each if len(each) == 1 else (None,)
    return total, int(one) if one is not None and one == int(one) else None
