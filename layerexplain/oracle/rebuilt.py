"""Rebuild a file that Keras does not load: a Keras model of its layers, with the file's weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.model import Model, Note
from layerexplain.network.traced import Network
from layerexplain.oracle.keras_files import KerasRefuses
from layerexplain.oracle.keras_graph import KerasGraph
from layerexplain.oracle.keras_import import load_keras
from layerexplain.oracle.to_keras import to_keras
from layerexplain.run.live_weights import variables_of_layer
from layerexplain.run.weight_source import weight_source


def rebuilt(source: Any, model: Model, network: Network, refusal: LayerExplainError) -> tuple[Any, bool, Note]:
    """Return the model built from current classes, whether it has the file's weights, and a note.

    Args:
        source: the file.
        model: what was read of it.
        network: the traced model.
        refusal: Keras's error for the file.

    Raises:
        KerasRefuses: if Keras refuses the layers too.
        LayerExplainError: if weights of the file do not fit.
    """
    try:
        real = to_keras(model)
    except LayerExplainError as error:
        place = f"layer '{error.layer}': " if error.layer is not None else ""
        raise KerasRefuses(
            f"{refusal.fact.partition('. ')[0].rstrip('.')}; its layers cannot be rebuilt either: {place}{error.fact}"
        ) from None
    graph = KerasGraph(real)
    with weight_source(source, network, seed=0) as weights:
        stored = weights.origin == "of the file"
        if stored:
            for path, variables, arrays in _pairs(network, graph, weights, ()):
                _assign("/".join(path), variables, arrays)
    whose = "the file's weights" if stored else "drawn weights"
    version = load_keras().__version__
    message = (
        f"Keras {version} does not load this file, so its layers were rebuilt in Keras with {whose}. "
        f"Keras's error: {refusal.fact.removeprefix('Keras refuses it: ')}"
    )
    return real, stored, Note("made-anew", None, message)


def _pairs(
    network: Network, graph: KerasGraph, weights: Any, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], list[Any], list[Any]]]:
    """Yield (path, Keras's variables, the file's arrays) for each layer with weights."""
    for layer in network.model.layers:
        first = next((made for made in network.calls if made.call.layer == layer.name and made.definition), None)
        if first is None or first.definition is None:
            continue
        real, own = graph.layer(layer.name), (*path, layer.name)
        if first.network is not None:
            yield from _pairs(first.network, KerasGraph(real), weights, own)
        elif first.definition.weights:
            variables = variables_of_layer(real, first.definition)[: len(first.definition.weights)]
            yield own, variables, weights.of(own, first.definition)


def _assign(path: str, variables: list[Any], arrays: list[Any]) -> None:
    shapes = [tuple(v.shape) for v in variables], [tuple(a.shape) for a in arrays]
    if shapes[0] != shapes[1]:
        raise LayerExplainError(f"the file's weights have the shapes {shapes[1]}, Keras's {shapes[0]}", layer=path)
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
