"""How the stored values of the weights of two models differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from layerexplain.attribute_path import weight_name
from layerexplain.errors import LayerExplainError
from layerexplain.model import Model
from layerexplain.network.trace import trace_model
from layerexplain.network.traced import Network
from layerexplain.report.comparison import WeightChange, WeightChanges
from layerexplain.run.weight_source import stored_values, weight_source
from layerexplain.weights.weighted_layers import weighted_layers


@contextmanager
def weight_changes(sources: tuple[Any, Any], models: tuple[Model, Model]) -> Iterator[WeightChanges]:
    """Open the weights of two sources, files or live models. Raises LayerExplainError for one that has none.

    Values are compared as the formulas take them, so that kernels which versions of Keras store in several orders are
    equal where they compute the same.
    """
    with ExitStack() as opened:
        found = [
            opened.enter_context(_side(source, model, trace_model(model)))
            for source, model in zip(sources, models, strict=True)
        ]

        def changes(path: str, other: str) -> Iterator[WeightChange]:
            one, two = found[0](path), found[1](other)
            for name, values in one.items():
                if name in two and values.shape == two[name].shape:
                    yield from _compared(name, values, two[name])

        yield changes


_Values = Callable[[str], dict[str, Any]]
"""Gives the arrays of a layer by the names of its weights."""


@contextmanager
def _side(source: Any, model: Model, network: Network) -> Iterator[_Values]:
    with weight_source(source, network, seed=0) as weights:
        if weights.origin == "drawn":
            raise LayerExplainError("stores no weights that can be compared", source=model.source or None)
        layers = {layer.where: layer for layer in weighted_layers(network)}

        def values(path: str) -> dict[str, Any]:
            layer = layers.get(path)
            if layer is None:
                return {}
            if layer.definition is not None:
                try:
                    arrays = weights.arrays_of(layer.path, layer.definition)
                except LayerExplainError:
                    pass  # a file that lacks a weight, or has it in another shape: what it does have is compared
                else:
                    names = [weight_name(weight.attrs, layer.layer) for weight in layer.weights]
                    return dict(zip(names, arrays, strict=False))
            return stored_values(weights, path)

        yield values


def _compared(name: str, before: Any, after: Any) -> Iterator[WeightChange]:
    import numpy as np

    if before.dtype.kind not in "fiu" or after.dtype.kind not in "fiu":
        return
    a, b = before.astype(np.float64), after.astype(np.float64)
    changed = int(((a != b) & ~(np.isnan(a) & np.isnan(b))).sum())
    if not changed:
        return
    apart = float(np.nanmax(np.abs(a - b))) if np.isfinite(a - b).any() else float("nan")
    norms = [f"norm {np.sqrt(np.square(values).sum()):.4g}" for values in (a, b)]
    share = f"{changed / a.size:.0%}" if changed / a.size >= 0.01 else f"{changed:,} of {a.size:,}"
    yield WeightChange(name, norms[0], f"{norms[1]}; {share} changed, by at most {apart:.3g}")
