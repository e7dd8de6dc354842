"""The output of real Keras for the same inputs and weights, at one call of one layer."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.model import Model
from layerexplain.network.traced import Network
from layerexplain.oracle.comparison import inputs_in_order
from layerexplain.oracle.keras_graph import KerasGraph, as_array, mask_of
from layerexplain.oracle.keras_import import first_line
from layerexplain.oracle.layer_weights import after_assigning
from layerexplain.oracle.verify import keras_model
from layerexplain.run.live_weights import variables_of_layer
from layerexplain.run.weight_source import WeightSource
from layerexplain.weights.weighted_layers import weighted_layers


def keras_is_installed() -> bool:
    """Return whether Keras and TensorFlow can be imported, without importing them."""
    from importlib.util import find_spec

    return find_spec("keras") is not None and find_spec("tensorflow") is not None


def keras_output(
    source: Any,
    model: Model,
    network: Network,
    weights: WeightSource,
    arrays: Sequence[Any],
    path: Sequence[str],
    call: int,
    output: int,
) -> Any:
    """Return an output of a call of a layer, as an array. `path` and `call` are those of an `Activation`.

    Raises:
        LayerExplainError: with a one-line reason, if Keras cannot compute it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        real, _ = keras_model(source, model)
        try:
            if weights.origin == "drawn":
                _assign(real, network, weights)
            return _walked(real, network, arrays, path, call, output)
        except LayerExplainError:
            raise
        except Exception as error:  # Keras raises whatever its backend raises
            raise LayerExplainError(first_line(error)) from None


def _assign(real: Any, network: Network, weights: WeightSource) -> None:
    """Assign the drawn weights to a Keras model."""
    for weighted in weighted_layers(network):
        if weighted.definition is None or not weighted.definition.weights:
            continue
        owner = real
        for name in weighted.path[:-1]:
            owner = KerasGraph(owner).layer(name)
        layer = KerasGraph(owner).layer(weighted.path[-1])
        values = weights.of(weighted.path, weighted.definition)
        for variable, value in zip(variables_of_layer(layer, weighted.definition), values, strict=True):
            variable.assign(value)
    after_assigning(real)


def _walked(real: Any, network: Network, arrays: Sequence[Any], path: Sequence[str], call: int, output: int) -> Any:
    """Run call by call up to the layer, entering the nested models on its path."""
    numbers = _call_numbers(network, path, call)
    graph = KerasGraph(real)
    graph.feed(inputs_in_order(network, graph, arrays))
    for depth, (name, number) in enumerate(zip(path, numbers, strict=True)):
        layers = {layer.name: layer for layer in network.model.layers}
        last = depth == len(path) - 1
        for made in network.calls:
            key = (made.call.layer, made.call.index)
            if layers[made.call.layer].type == "InputLayer" or made.built:
                continue
            if key == (name, number):
                if last:
                    return as_array(graph.run(key)[output])
                given = graph.arguments(key) or []
                inner = KerasGraph(graph.nodes[key].operation)
                inner.feed(given, [mask_of(one) for one in given])
                assert made.network is not None  # noqa: S101 (only a nested model has a layer inside)
                graph, network = inner, made.network
                break
            graph.run(key)
        else:
            raise LayerExplainError(f"Keras's model has no such call of '{name}'")
    raise LayerExplainError(f"'{'/'.join(path)}' is not a layer")


def _call_numbers(network: Network, path: Sequence[str], call: int) -> list[int]:
    """Return the number of the call at each level, from one that counts through all runs of nested models."""
    counts = []
    for name in path:
        calls = network.of_layer(name)
        counts.append(len(calls))
        inner = next((made.network for made in calls if made.network is not None), None)
        network = inner if inner is not None else network
    numbers = []
    for count in reversed(counts):
        call, number = divmod(call, count)
        numbers.append(number)
    return numbers[::-1]
