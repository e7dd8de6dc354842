"""The variables of a real Keras model: their match with a network's weights, and drawn values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerexplain.layers.registry import facts_of
from layerexplain.network.traced import Network
from layerexplain.oracle.keras_graph import KerasGraph
from layerexplain.run.drawn import drawn_weight
from layerexplain.run.live_weights import variables_of_layer


def variables_of_network(network: Network, graph: KerasGraph) -> list[list[Any]]:
    """Return the variables of a whole model, one list per layer that contributes weights to its definition."""
    found: list[list[Any]] = []
    for layer in network.model.layers:
        # A layer's weights are those of its first call that has a formula.
        first = next((made for made in network.calls if made.call.layer == layer.name and made.definition), None)
        if first is None or first.definition is None:
            continue
        real = graph.layer(layer.name)
        if first.network is not None:
            found += variables_of_network(first.network, KerasGraph(real))
        else:
            found.append(variables_of_layer(real, first.definition)[: len(first.definition.weights)])
    return found


def shapes_of(variables: Sequence[Any]) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of variables."""
    return tuple(tuple(int(size) for size in v.shape) for v in variables)


def draw_weights(keras_model: Any, rng: Any) -> None:
    """Draw a value for every weight of a Keras model, scaled so that activations stay near 1."""
    for variable in keras_model.weights:
        if "float" in str(variable.dtype):
            variable.assign(drawn_weight(variable.path, tuple(variable.shape), rng).astype("float32"))
    after_assigning(keras_model)


def after_assigning(keras_model: Any) -> None:
    """Refresh layers that compute with copies of their weights."""
    for layer in keras_model._flatten_layers():
        if facts_of(type(layer).__name__).copies_weights and layer.built:
            layer.finalize_state()
