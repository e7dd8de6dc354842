"""The output of real Keras for the same inputs and weights, at one call of one layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.model import Model
from layerexplain.network.traced import Network
from layerexplain.oracle.keras_graph import as_array
from layerexplain.oracle.keras_import import first_line, without_warnings
from layerexplain.oracle.keras_model import KerasModel, loaded
from layerexplain.run.weight_source import WeightSource


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
    with without_warnings():
        reference = loaded(source, model)
        try:
            if weights.origin == "drawn":
                reference.assign(network, weights)
            return _walked(reference, network, arrays, path, call, output)
        except LayerExplainError:
            raise
        except Exception as error:  # Keras raises whatever its backend raises
            raise LayerExplainError(first_line(error)) from None


def _walked(
    reference: KerasModel, network: Network, arrays: Sequence[Any], path: Sequence[str], call: int, output: int
) -> Any:
    """Run call by call up to the layer, entering the nested models on its path."""
    numbers = _call_numbers(network, path, call)
    graph = reference.graph(network, arrays)
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
                inner = graph.enter(key, given)
                assert inner is not None and made.network is not None  # noqa: S101 (a layer inside is a model's)
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
