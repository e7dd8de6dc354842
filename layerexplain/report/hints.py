"""A layer where it stands in a network, as the hints of layers/ see it."""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.lang.definition import Definition
from layerexplain.layers.hints import Place
from layerexplain.model import Layer
from layerexplain.network.traced import Network, TracedCall
from layerexplain.records import NamedTuple, grouped
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
        numbered = sorted(network.calls, key=lambda made: made.call.index)
        self.calls = grouped((made.call.layer, made) for made in numbered)
        self.readers: dict[str, dict[str, None]] = {}
        for made in network.calls:
            for ref in made.sources:
                self.readers.setdefault(ref.layer, {})[made.call.layer] = None
        self.lost = network.lost
        self.missed = {name: loser for loser, lost in reversed([*network.lost.items()]) for name in lost.readers}
        self._unknown: dict[tuple[str, int], str | None] = {}
        for made in network.calls:
            if None in made.outputs:
                here = made.call.layer if made.sources else None
                self._unknown[made.call.layer, made.call.index] = self.first_unknown([made], here)

    def first_unknown(self, calls: Sequence[TracedCall], here: str | None = None) -> str | None:
        """Return the layer before these calls that is the first of unknown shape; None for an input of the model, and
        `here` where there is none."""
        sources = ((ref.layer, ref.call) for made in calls for ref in made.sources)
        return next((self._unknown[source] for source in sources if source in self._unknown), here)


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

    def seen(self, definition: Definition, gradients: Sequence[str] = ()) -> Place:
        """The layer as hints ask for it, with the gradients that are printed for it."""
        name, around = self.layer.name, self.around
        own = around.calls.get(name)
        before = around.calls.get(own[0].sources[0].layer, ()) if own and own[0].sources else ()
        return Place(
            name,
            self.layer.type,
            self.layer.config,
            definition,
            params=self.row.params,
            expression=layer_expression([name]),
            trained=frozenset([weight.name for weight in self.row.weights if weight.trainable]),
            source=before[0].definition if before else None,
            readers=[around.layers[reader] for reader in around.readers.get(name, ())],
            gradients=gradients,
        )
