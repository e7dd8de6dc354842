"""Which variables of a real Keras layer or model are the weights of a definition, in the definition's order."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any

from layerexplain.lang.definition import Definition
from layerexplain.network.traced import Network
from layerexplain.oracle.keras_graph import KerasGraph

_MODEL = re.compile(r"""get_layer\(('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\)""")
_STEP = re.compile(rf"""{_MODEL.pattern}|(\w+)|\[(\d+)\]""")


def variables_of_layer(layer: Any, definition: Definition) -> list[Any]:
    """The variables of one layer. Those of a model inside it are taken by the names of the model's layers: Keras keeps
    these in an order of its own."""
    own = list(getattr(layer, "weights", ()))
    if not any(_MODEL.search(str(w.attrs["at"])) for w in definition.weights):
        return own if len(own) >= len(definition.weights) else _one_by_one(layer, definition) or own
    found: list[Any] = []
    taken: dict[str, int] = {}
    for weight in definition.weights:
        inside = ""
        for match in _MODEL.finditer(str(weight.attrs["at"])):
            inside = str(weight.attrs["at"])[: match.end()]
        variables = own if not inside else list(_reached(layer, inside).weights)
        number = taken.get(inside, 0)
        taken[inside] = number + 1
        if number < len(variables):
            found.append(variables[number])
    counted = {id(v) for v in found}
    return found + [v for v in own if id(v) not in counted]


def _one_by_one(layer: Any, definition: Definition) -> list[Any]:
    """The variables of a layer that holds one object in two places: Keras lists them once. None of them where one is
    not found."""
    found: list[Any] = []
    taken: dict[str, int] = {}
    for weight in definition.weights:
        at = str(weight.attrs["at"])
        try:
            variables = list(_reached(layer, at).weights)
        except (AttributeError, IndexError, TypeError):
            return []
        number = taken.get(at, 0)
        taken[at] = number + 1
        if number >= len(variables):
            return []
        found.append(variables[number])
    return found


def _reached(layer: Any, path: str) -> Any:
    for match in _STEP.finditer(path):
        name, attribute, index = match.groups()
        if name is not None:
            layer = layer.get_layer(ast.literal_eval(name))
        else:
            layer = layer[int(index)] if index is not None else getattr(layer, attribute)
    return layer


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
