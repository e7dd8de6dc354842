"""What Keras's `load_weights` would take over of one model into another: by the names of layers, and by their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from layerexplain.lang.axes import Shape
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple
from layerexplain.report.data import LayerReport, to_jsonable
from layerexplain.report.rows import count_of


class ByName(NamedTuple):
    """`layers` with `params` parameters are taken; `differ` are in both models with other shapes, `missing` in the
    second alone."""

    layers: int
    params: int
    differ: tuple[str, ...]
    missing: tuple[str, ...]


class Loading(NamedTuple):
    """What is taken by name, and what prevents that all is taken by order; "" if nothing does."""

    by_name: ByName
    by_order: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {"by_name": to_jsonable(self.by_name), "by_order": {"fits": not self.by_order, "why": self.by_order}}


def loading(before: Sequence[LayerReport], after: Sequence[LayerReport]) -> Loading:
    """Return what the second model would take of the first one's weights. A nested model counts as one layer."""
    old, new = ([(row.layer, list(_shapes(row)), row.params or 0) for row in rows] for rows in (before, after))
    old, new = ([one for one in some if one[1]] for some in (old, new))
    stored = {name: shapes for name, shapes, _ in old}
    fits = [(name, params) for name, shapes, params in new if stored.get(name) == shapes]
    differ = tuple([name for name, shapes, _ in new if name in stored and stored[name] != shapes])
    missing = tuple([name for name, _, _ in new if name not in stored])
    by_name = ByName(len(fits), sum(params for _, params in fits), differ, missing)
    return Loading(by_name, _by_order(old, new))


def _by_order(old: Sequence[tuple[str, list[Shape], int]], new: Sequence[tuple[str, list[Shape], int]]) -> str:
    if len(old) != len(new):
        return f"{count_of(len(old), 'layer')} with weights, not {len(new)}"
    for (name, shapes, _), (other, wanted, _) in zip(old, new, strict=True):
        if shapes != wanted:
            has, needs = (" ".join(map(shape_text, some)) for some in (shapes, wanted))
            return f"'{name}' has {has}, '{other}' needs {needs}"
    return ""


def _shapes(row: LayerReport) -> Iterator[Shape]:
    """Yield the shapes of a layer's weights: the row of a model has all of those inside; a layer of which only the
    configuration names layers has none of its own."""
    if row.weights:
        yield from [weight.shape for weight in row.weights]
        return
    for inner in row.layers:
        yield from _shapes(inner)
