"""A layer where it stands in a network, as the hints of layers/ see it."""

from __future__ import annotations

from collections.abc import Sequence

from layerexplain.lang.definition import Definition
from layerexplain.layers.hints import LayerInModel
from layerexplain.model import CallKey, Layer
from layerexplain.network.traced import Network, TracedCall
from layerexplain.records import NamedTuple
from layerexplain.report.data import LayerReport
from layerexplain.weights.keras_expression import layer_expression


class Neighbours:
    """A network with the layers that read each layer, and which layer loses the mask that one misses. It is made once
    for all the layers of a network, so that a hint takes no longer in a longer one."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.outputs = {ref.layer for ref in network.model.outputs}
        self.readers: dict[str, dict[str, None]] = {}
        for call in network.calls:
            for ref in call.sources:
                self.readers.setdefault(ref.layer, {})[call.name] = None
        self.lost = network.lost
        self.missed = {name: loser for loser, lost in reversed([*network.lost.items()]) for name in lost.readers}
        self._unknown: dict[CallKey, str | None] = {}
        for call in network.calls:
            if None in call.outputs:
                here = call.name if call.sources else None
                self._unknown[call.call.key] = self.first_unknown([call], here)

    def first_unknown(self, calls: Sequence[TracedCall], here: str | None = None) -> str | None:
        """Return the layer before these calls that is the first of unknown shape; None for an input of the model, and
        `here` where there is none."""
        sources = (ref.key for call in calls for ref in call.sources)
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

    def seen(self, definition: Definition, gradients: Sequence[str] = ()) -> LayerInModel:
        """Return the layer as hints ask for it, with the gradients that are printed for it."""
        name, around = self.layer.name, self.around
        own = around.network.calls_of(name)
        before = around.network.calls_of(own[0].sources[0].layer) if own and own[0].sources else ()
        return LayerInModel(
            name,
            self.layer.type,
            self.layer.config,
            definition,
            params=self.row.params,
            expression=layer_expression([name]),
            trained=frozenset([weight.name for weight in self.row.weights if weight.trainable]),
            source=before[0].definition if before else None,
            readers=[around.network.layer(reader) for reader in around.readers.get(name, ())],
            gradients=gradients,
        )
