"""Which layers of a model are one object in several places: written once, and named wherever else it stands."""

from __future__ import annotations

from collections import Counter

from layerexplain.attribute_path import Steps, step_text
from layerexplain.errors import LayerExplainError
from layerexplain.frontends.keras.shared_objects import all_layers
from layerexplain.frontends.model_builder import layers_among
from layerexplain.model import Layer, Model
from layerexplain.weights.shared_weights import Originals


class OneObject:
    """The layers that are one object with others, by the place where that object comes first.

    >>> OneObject(Model("m", "Sequential", (), (), (), ())).first_place(Layer("d", "Dense", "layer", {})) is None
    True
    """

    def __init__(self, model: Model) -> None:
        self.names: dict[Steps, str] = {}
        """Of each object, by its first place."""
        self._first: dict[int, Steps] = {}
        self._places: dict[int, Steps] = {}
        # Layers are compared by `id`, which is theirs alone as long as the model is alive.
        self._model = model
        if not model.shared:
            return
        originals = Originals(model.shared)
        kept = {originals.first_place(steps)[0] for one in model.shared for steps in (one.steps, *one.same_as)}
        for placed in all_layers(model):
            first = originals.first_place(placed.steps)[0]
            self._places[id(placed.layer)] = placed.steps
            if first in kept:
                self._first[id(placed.layer)] = first
                self.names.setdefault(first, placed.layer.name)

    def first_place(self, layer: Layer) -> Steps | None:
        """Return the first place of the object that a layer is; None for a layer that stands in one place alone."""
        return self._first.get(id(layer))

    def place(self, layer: Layer) -> Steps:
        """Return the steps to a layer."""
        return self._places[id(layer)]

    def number(self, layer: Layer) -> int | None:
        """Return a number that all places of an object have in common; None as for `of`."""
        first = self.first_place(layer)
        return None if first is None else list(self.names).index(first)


def must_be_certain(model: Model) -> None:
    """Raise LayerExplainError where the source does not say which of several layers an object is, or where it is one
    parameter alone, which no other form says."""
    for one in model.shared:
        if model.framework == "torch":
            fact = f"its {one.steps[-1]} is that of '{step_text(one.same_as[0][:1])}', which only code can express"
            raise LayerExplainError(fact, layer=step_text(one.steps[:1]))
        if len(one.same_as) > 1:
            names = " or ".join(f"'{step_text(steps)}'" for steps in one.same_as)
            raise LayerExplainError(
                f"is one object with {names}, and the file does not say which", layer=step_text(one.steps)
            )


def nodes_before(model: Model, objects: OneObject) -> dict[int, int]:
    """Return how often Keras, when it loads a model, has called a layer elsewhere before it calls it in one place.

    Keras counts the calls of an object over all graphs that it stands in, and finds tensors by that count. It makes all
    layers of a graph, those of nested models with their calls, before it calls one. The keys are those of `id`.
    """
    counts: Counter[Steps] = Counter()
    created: set[Steps] = set()
    found: dict[int, int] = {}

    def make(layer: Layer) -> None:
        first = objects.first_place(layer)
        if first in created:
            return
        if first is not None:
            created.add(first)
        if layer.model is not None:
            make_all(layer.model)
        for one in layers_among(layer.config):
            make(one)

    def make_all(model: Model) -> None:
        for layer in model.layers:
            make(layer)
        calls = Counter([call.layer for call in model.calls])
        own = [layer for layer in model.layers if layer.type != "InputLayer"]
        known = model.layers[0].config.get("batch_shape") is not None
        for place, layer in enumerate(own):
            first = objects.first_place(layer)
            if first is None:
                continue
            found[id(layer)] = counts[first]
            # A Sequential whose input is known is built again for each layer that is added to it.
            again = len(own) - place if known else 1
            counts[first] += again if model.type == "Sequential" else calls[layer.name]

    make_all(model)
    return found
