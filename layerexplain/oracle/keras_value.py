"""The output of real Keras for the same inputs and weights, at one call of one layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.network.traced import Network
from layerexplain.oracle.keras_graph import as_array
from layerexplain.oracle.keras_model import KerasModel, same_model
from layerexplain.run.activations import Activation
from layerexplain.run.trace import RunnableModel


def keras_output(source: Any, running: RunnableModel, step: Activation, output: int) -> Any:
    """Return an output of a call of a layer that was run, as an array.

    Raises:
        LayerExplainError: with a one-line reason, if Keras cannot compute it.
    """
    with same_model(source, running) as reference:
        return _walked(reference, running, step)[output]


def _walked(reference: KerasModel, running: RunnableModel, step: Activation) -> list[Any]:
    """Run call by call up to the layer, entering the nested models on its path; return its outputs."""
    network = running.activations.network
    numbers = _call_numbers(network, step.path, step.call)
    graph = reference.graph(network, running.arrays)
    for depth, wanted in enumerate(zip(step.path, numbers, strict=True), start=1):
        inputs = {layer.name for layer in network.model.layers if layer.type == "InputLayer"}
        calls = {call.call.key: call for call in network.calls if not call.built}
        if wanted not in calls:
            raise LayerExplainError(f"Keras's model has no such call of '{wanted[0]}'")
        for key in [*calls][: [*calls].index(wanted)]:
            if key[0] not in inputs:
                graph.run(key)
        if depth == len(step.path):
            break
        inner, within = graph.enter(wanted, graph.arguments(wanted) or []), calls[wanted].network
        assert inner is not None and within is not None  # noqa: S101 (a layer inside is a model's)
        graph, network = inner, within
    return [as_array(one) for one in graph.run(wanted)]


def _call_numbers(network: Network, path: Sequence[str], call: int) -> list[int]:
    """Return the number of the call at each level, from one that counts through all runs of nested models."""
    counts = []
    for name in path:
        calls = network.calls_of(name)
        counts.append(len(calls))
        inner = next((traced.network for traced in calls if traced.network is not None), None)
        network = inner if inner is not None else network
    numbers = []
    for count in reversed(counts):
        call, number = divmod(call, count)
        numbers.append(number)
    return numbers[::-1]
