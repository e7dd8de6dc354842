"""The layers behind a layer at fault, traced as if the fault were fixed.

However it is fixed, the output of such a layer has the same number of axes, and often some sizes are known. Each
unknown size is guessed twice. A rule's finding is kept if it is found with both guesses.
"""

from __future__ import annotations

from collections.abc import Iterator

from layerexplain.errors import LayerExplainError
from layerexplain.model import Layer, Model, TensorRef
from layerexplain.network.trace import trace_model
from layerexplain.network.traced import Network

_SIZES = (64, 96)
"""Sizes that most windows fit into, and most groups and heads divide."""


def unseen_layers(network: Network) -> frozenset[str]:
    """Return the layers of a network whose formula is not known for the shapes at which they are called."""
    return frozenset([call.name for call in network.calls if call.definition is None and call.sources])


def networks_behind(network: Network) -> Iterator[Network]:
    """Yield the network with an input in place of each layer at fault whose output can be guessed, for each size."""
    faulty = {fault.layer for fault in network.faults}
    guesses = {
        ref: spec for ref, spec in network.guesses.items() if ref.layer in faulty and not ref.call and not ref.output
    }
    model = network.model
    for size in _SIZES if guesses else ():
        inputs: dict[str, Layer] = {}
        for ref, spec in guesses.items():
            shape = (None, *[one if isinstance(one, int) else size for one in spec.shape[1:]])
            inputs[ref.layer] = Layer(ref.layer, "InputLayer", "layer", {"batch_shape": shape, "dtype": spec.dtype})
        try:
            yield trace_model(_with_inputs(model, inputs))
        except LayerExplainError:  # the wires make no graph with this layer
            return


def _with_inputs(model: Model, inputs: dict[str, Layer]) -> Model:
    """Return the model with inputs in place of the layers of their names."""
    return model._replace(
        layers=tuple([inputs.get(layer.name, layer) for layer in model.layers]),
        calls=tuple(
            [
                call._replace(args=(), kwargs={}) if call.layer in inputs else call
                for call in model.calls
                if call.layer not in inputs or not call.index
            ]
        ),
        inputs=(*model.inputs, *[TensorRef(name) for name in inputs]),
        faults=(),
        source_code=None,
    )
