"""The weights of a source as the layers of today's model have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.conversions.gone_layers import GONE
from layerexplain.errors import LayerExplainError
from layerexplain.lang.definition import Definition
from layerexplain.model import Note
from layerexplain.network.traced import Network
from layerexplain.run.weight_source import Origin, WeightSource
from layerexplain.weights.old_kernels import cudnn_places
from layerexplain.weights.weighted_layers import weighted_layers


class CarriedWeights:
    """A `WeightSource` for the network of today's model, from the weights of the one that it was made of. `names` has
    for the path of each of its layers the one in today's."""

    def __init__(
        self, weights: WeightSource, network: Network, names: Mapping[tuple[str, ...], tuple[str, ...]]
    ) -> None:
        self.weights = weights
        self.origin: Origin = weights.origin
        self.notes: tuple[Note, ...] = weights.notes
        self.layers = {names.get(one.path, one.path): one for one in weighted_layers(network)}

    def arrays_of(self, path: tuple[str, ...], definition: Definition) -> list[Any]:
        for depth in (len(path), len(path) - 1):
            layer = self.layers.get(path[:depth])
            if layer is None or layer.definition is None:
                continue
            arrays = self.weights.arrays_of(layer.path, layer.definition)
            if layer.layer.type in GONE:
                return GONE[layer.layer.type].weights(layer.layer, arrays)["/".join(path[depth:])]
            return _joined_biases(arrays, layer.definition)
        raise LayerExplainError("no layer of the source has its weights", layer="/".join(path))


def _joined_biases(arrays: list[Any], definition: Definition) -> list[Any]:
    """Return the weights of cuDNN's layers as LSTM and GRU have them: one bias, or one of two rows."""
    found = list(arrays)
    for first, gates in cudnn_places(definition):
        rows = found[first + 2].reshape(2, -1)
        found[first + 2] = rows.sum(axis=0) if gates == 4 else rows
    return found
