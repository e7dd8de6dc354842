"""A layer where it stands in a network, as the hints of layers/ see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.model import Layer
from layerexplain.network.traced import Network, TracedCall
from layerexplain.records import NamedTuple
from layerexplain.report.data import LayerReport
from layerexplain.weights.keras_expression import layer_expression


class Neighbours:
    """A network by the names of its layers: their calls, in the order of their numbers, the layers that read what they
    give, and which layer loses the mask that one misses. It is made once for all the layers of a network, so that a
    hint takes no longer in a longer one."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.layers = {layer.name: layer for layer in network.model.layers}
        self.outputs = {ref.layer for ref in network.model.outputs}
        self.calls: dict[str, list[TracedCall]] = {}
        self.readers: dict[str, dict[str, None]] = {}
        for made in network.calls:
            self.calls.setdefault(made.call.layer, []).append(made)
            for ref in made.sources:
                self.readers.setdefault(ref.layer, {})[made.call.layer] = None
        self.lost = network.lost
        self.missed = {name: loser for loser, lost in reversed([*network.lost.items()]) for name in lost.readers}
        for own in self.calls.values():
            own.sort(key=lambda made: made.call.index)


class Placed(NamedTuple):
    """A layer with its row and its calls, the network around it, and whether it or a model around it is frozen."""

    row: LayerReport
    layer: Layer
    calls: Sequence[TracedCall]
    around: Neighbours
    frozen: bool

    @property
    def path(self) -> str:
        """The names that lead to it."""
        return self.row.path

    @property
    def definition(self) -> Definition | None:
        """What it computes at its first call."""
        return self.calls[0].definition if self.calls else None


class LayerInNetwork(NamedTuple):
    """A layer with its row, the definition of its first call, and the network around it; the names of its gradients
    where these are told."""

    row: LayerReport
    layer: Layer
    definition: Definition
    around: Neighbours
    gradients: tuple[str, ...] = ()

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

    def gives(self, gradient: str) -> bool:
        """Whether this gradient is among those that are printed."""
        return gradient in self.gradients

    def source(self) -> Definition | None:
        """What the layer computes whose output it takes first; None for an input or where that is not known."""
        own = self.around.calls.get(self.name)
        first = own[0].sources[0] if own and own[0].sources else None
        return None if first is None else next((c.definition for c in self.around.calls.get(first.layer, ())), None)

    def readers(self) -> list[Layer]:
        """The layers that take what it gives."""
        return [self.around.layers[name] for name in self.around.readers.get(self.name, ())]
