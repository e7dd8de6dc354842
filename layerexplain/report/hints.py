"""A layer where it stands in a network, as the hints of layers/ see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.model import Layer
from layerexplain.network.traced import Network
from layerexplain.records import NamedTuple
from layerexplain.report.data import LayerReport
from layerexplain.weights.keras_expression import layer_expression


class LayerInNetwork(NamedTuple):
    """A layer with its row, the definition of its first call, and the network around it."""

    row: LayerReport
    layer: Layer
    definition: Definition
    network: Network

    @property
    def name(self) -> str:
        """Its name in the model."""
        return self.layer.name

    @property
    def type(self) -> str:
        """Its class name."""
        return self.layer.type

    @property
    def config(self) -> Mapping[str, Any]:
        """Its arguments as they were given."""
        return self.layer.config

    @property
    def params(self) -> int | None:
        """How many parameters it has."""
        return self.row.params

    @property
    def expression(self) -> str:
        """The Python expression that gives it in Keras."""
        return layer_expression([self.layer.name])

    @property
    def x(self) -> Expr:
        """The first tensor that it takes."""
        return self.definition.params[0]

    @property
    def y(self) -> Expr:
        """Its first result."""
        return next(iter(self.definition.results.values()))

    def argument(self, name: str) -> Any:
        """An argument, its default where it is not given."""
        return self.definition.arguments.get(name)

    def trains(self, name: str) -> bool:
        """Whether the weight of this name is trained."""
        return any(w.trainable for w in self.row.weights if w.name == name)

    def source(self) -> Definition | None:
        """What the layer computes whose output it takes first; None for an input or where that is not known."""
        own = self.network.of_layer(self.layer.name)
        first = own[0].sources[0] if own and own[0].sources else None
        return next(
            (c.definition for c in self.network.calls if first is not None and c.call.layer == first.layer), None
        )

    def readers(self) -> list[Layer]:
        """The layers that take what it gives."""
        layers = {one.name: one for one in self.network.model.layers}
        names = [c.call.layer for c in self.network.calls if any(ref.layer == self.layer.name for ref in c.sources)]
        return [layers[name] for name in dict.fromkeys(names)]
