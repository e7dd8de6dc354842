"""One step of an optimizer in numbers: each weight after the update that its formula gives, from fresh slots or from
those that the source stores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.errors import LayerExplainError
from layerexplain.lang.definition import Definition
from layerexplain.layers.arguments import RefusedValue
from layerexplain.layers.keras.optimizer_declaration import InnerDeclaration, part
from layerexplain.model import TrainingSetting
from layerexplain.records import NamedTuple
from layerexplain.report.objective import shortest
from layerexplain.report.training_part import update_formulas
from layerexplain.run.precision import computed_in
from layerexplain.run.stored_slots import Slots


class Update(NamedTuple):
    """The step of one weight: its formula, and its new value."""

    definition: Definition
    new: Any


def optimizer_of(setting: TrainingSetting) -> InnerDeclaration:
    """Return an optimizer with its arguments. Raises LayerExplainError for one that Keras does not have."""
    try:
        return part("optimizers", setting._replace(config=shortest(setting.config)))
    except RefusedValue as refused:
        raise LayerExplainError(f"the optimizer: {refused}") from None


def updates(
    optimizer: InnerDeclaration, weights: Mapping[str, Any], gradients: Mapping[str, Any], stored: Slots | None = None
) -> dict[str, Update]:
    """Return the step of each weight that has a gradient, by its path: the first one, or that from `stored` slots.

    Raises LayerExplainError for an optimizer whose formula is not known.
    """
    import numpy as np

    norm = math.sqrt(sum(float(np.vdot(g, g)) for g in (one.astype("float64") for one in gradients.values())))
    formulas = update_formulas(optimizer, [(path, weights[path].shape) for path in gradients])
    found = {}
    for (path, g), definition in zip(gradients.items(), formulas, strict=True):
        weight = weights[path]
        float_ = computed_in(str(weight.dtype))
        kept = {} if stored is None else stored.of[path]
        scale = kept.get("dynamic_scale", optimizer.loss_scale)
        slots = []
        for leaf in definition.weights:
            initial = leaf.attrs["initial"]
            slot = kept[leaf.attrs["name"]] if kept else weight if initial == "W" else np.full(leaf.shape, initial)
            slots.append(slot.astype(float_))
        step = 1 if stored is None else stored.step
        given = {"W": weight, "g": g * np.asarray(scale, g.dtype), "step": np.asarray(step, float_)}
        given["global_norm"] = np.asarray(norm, float_)
        params = [given[str(param.label)] for param in definition.params]
        results = evaluate(definition, params, slots, Evaluation(1, float_))
        found[path] = Update(definition, results[list(definition.results).index("W")])
    return found
