"""The layers of a model that may have weights, at any depth, each with what its formula says of them."""

from __future__ import annotations

from collections.abc import Iterator

from layerexplain.attribute_path import Steps, layer_steps
from layerexplain.frontends.keras.weight_tensors import Groups
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.model import Layer
from layerexplain.network.scope import has_no_weights
from layerexplain.network.traced import Network, uses_of
from layerexplain.records import NamedTuple
from layerexplain.weights.layer_groups import GroupFinder, layer_groups


class WeightedLayer(NamedTuple):
    """A layer: the names that lead to it, its definition (None where its formula is not known), whether it or a model
    around it is frozen, and its group in a file of class layout."""

    path: tuple[str, ...]
    layer: Layer
    definition: Definition | None
    frozen: bool
    group: Groups | None

    @property
    def where(self) -> str:
        """The names that lead to it, as notes have them: `encoder/dense`."""
        return "/".join(self.path)

    @property
    def weights(self) -> tuple[Expr, ...]:
        """The weights that its formula has, in Keras's order."""
        return () if self.definition is None else self.definition.weights

    @property
    def is_known(self) -> bool:
        """Whether its formula, and so its weights, are known."""
        if has_no_weights(self.layer):
            return True
        return self.definition is not None and self.definition.kind != "opaque"


def weighted_layers(network: Network, finder: GroupFinder | None = None) -> Iterator[WeightedLayer]:
    """Yield all layers in the model's order, those of a nested model in its place."""
    again: frozenset[Steps] = frozenset()
    if network.model.shared and finder is not None and (network.model.keras_version or "").startswith("2."):
        again = frozenset([one.steps for one in network.model.shared])

    def inside(network: Network, path: tuple[str, ...], group: Groups | None, frozen: bool) -> Iterator[WeightedLayer]:
        model = network.model
        frozen = frozen or not model.trainable
        before = {layer.name for layer in model.layers if layer_steps((*path, layer.name)) in again} if again else ()
        classes = layer_groups(model, before) if finder is not None and group is not None else {}
        uses = uses_of([(network, 1)])
        for layer in model.layers:
            calls = [use.call for use in uses.get(layer.name, ())]
            own = None
            if finder is not None and group is not None and layer.kind != "operation":
                own = finder.of_layer(layer, group, classes.get(layer.name))
            inner = next((call.network for call in calls if call.network is not None), None)
            still = frozen or not layer.config.get("trainable", True)
            if inner is not None:
                yield from inside(inner, (*path, layer.name), own, still)
            else:
                definition = calls[0].definition if calls else None
                yield WeightedLayer((*path, layer.name), layer, definition, still, own)

    yield from inside(network, (), (), False)
