"""Which variables of a real Keras layer or model are the weights of a definition, in the definition's order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerexplain.attribute_path import LayerNamed, Steps, reached
from layerexplain.lang.definition import Definition
from layerexplain.network.traced import Network
from layerexplain.oracle.keras_graph import KerasGraph


def variables_of_layer(layer: Any, definition: Definition) -> list[Any]:
    """The variables of one layer. Those of a model inside it are taken by the names of the model's layers: Keras keeps
    these in an order of its own."""
    own = list(getattr(layer, "weights", ()))
    inside = [_to_nested_model(w.attrs["at"]) for w in definition.weights]
    if not any(inside):
        return own if len(own) >= len(definition.weights) else _one_by_one(layer, definition) or own
    found: list[Any] = []
    taken: dict[Steps, int] = {}
    for at in inside:
        variables = own if not at else list(reached(layer, at).weights)
        number = taken.get(at, 0)
        taken[at] = number + 1
        if number < len(variables):
            found.append(variables[number])
    counted = {id(v) for v in found}
    return found + [v for v in own if id(v) not in counted]


def _one_by_one(layer: Any, definition: Definition) -> list[Any]:
    """The variables of a layer that holds one object in two places: Keras lists them once. None of them where one is
    not found."""
    found: list[Any] = []
    taken: dict[Steps, int] = {}
    for weight in definition.weights:
        at = weight.attrs["at"]
        try:
            variables = list(reached(layer, at).weights)
        except (AttributeError, IndexError, TypeError):
            return []
        number = taken.get(at, 0)
        taken[at] = number + 1
        if number >= len(variables):
            return []
        found.append(variables[number])
    return found


def _to_nested_model(at: Steps) -> Steps:
    """The steps to the last layer of a nested model on the way; none where there is no model on it."""
    ends = [end for end, step in enumerate(at, 1) if isinstance(step, LayerNamed)]
    return at[: ends[-1]] if ends else ()


def variables_of_network(network: Network, graph: KerasGraph) -> list[list[Any]]:
    """The variables of a whole model, a list for each of its layers that the model's definition takes weights from."""
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
    """Their shapes."""
    return tuple(tuple(int(size) for size in v.shape) for v in variables)
