"""How the stored values of the weights of two models differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.model import Model
from layerexplain.records import NamedTuple


class WeightChange(NamedTuple):
    """A weight with other values: its name, the norm (root of the sum of squares) of each, in words, with the largest
    difference and the share of the numbers that changed."""

    name: str
    before: str
    after: str


Changes = Callable[[str, str], Iterator[WeightChange]]
"""Gives the weights that differ between a layer of the first model and one of the second, by their paths."""


@contextmanager
def weight_changes(sources: tuple[Any, Any], models: tuple[Model, Model]) -> Iterator[Changes]:
    """Open the weights of two sources. Raises LayerExplainError for one that stores none."""
    from layerexplain.frontends.keras.weight_files import content_of, open_weights
    from layerexplain.network.trace import trace_model
    from layerexplain.weights.match import match

    with ExitStack() as opened:
        found = []
        for source, model in zip(sources, models, strict=True):
            content = content_of(source)
            stored = None if content is None else opened.enter_context(open_weights(content))
            if stored is None or not stored.tensors:
                raise LayerExplainError("stores no weights that could be compared", source=model.source or None)
            found.append(match(trace_model(model), stored))

        def changes(path: str, other: str) -> Iterator[WeightChange]:
            one, two = (
                {weight.name: weight for weight in matched.of_layer(place)}
                for matched, place in zip(found, (path, other), strict=True)
            )
            for name, weight in one.items():
                pair = two.get(name)
                if pair is None or weight.tensor is None or pair.tensor is None:
                    continue
                if weight.tensor.shape == pair.tensor.shape:
                    values = [m.stored.read(w.tensor) for m, w in zip(found, (weight, pair), strict=True)]  # type: ignore[union-attr,arg-type]
                    yield from _compared(name, *values)

        yield changes


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
