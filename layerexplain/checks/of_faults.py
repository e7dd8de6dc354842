"""Rules on errors of a spec, which make it no model, and the faults of the layers behind the first one."""

from __future__ import annotations

from collections.abc import Iterator

from layerexplain.checks.calls import noted
from layerexplain.checks.findings import IN_MESSAGE, RAISES
from layerexplain.checks.rules import Found, Torch, rule, written_faults
from layerexplain.errors import LayerExplainError
from layerexplain.model import Layer, Model, TensorRef
from layerexplain.network.trace import trace_model
from layerexplain.network.traced import Network

# Of faults ----------------------------------------------------------------------------------------------------------

_GENERAL = "layer-at-fault"

_SAYS: dict[str, str] = {"data-shape": " of shape (examples"}
"""Code → what the error of a layer says."""


def code_of(fact: str) -> str:
    """Return the code of an error by what it says.

    >>> code_of("groups needs to divide the 3 input channels, got groups=2"), code_of("no such thing")
    ('groups-do-not-divide', 'layer-at-fault')
    """
    return next((code for code, says in _SAYS.items() if says and says in fact), _GENERAL)


def _fault(
    code: str, name: str, *, says: str = "", why: str, fix: str = IN_MESSAGE, source: str, torch: Torch | None = None
) -> None:
    """Declare a rule that finds the errors which say something."""

    def look(network: Network) -> Iterator[Found]:
        for fault in written_faults(network):
            if code_of(fault.fact) == code:
                yield fault, fault.fact

    look.__module__ = __name__
    _SAYS[code] = says
    rule(code, name, "breaks", "certain", why=why, fix=fix, source=source, keras=RAISES, torch=torch)(look)


_fault(
    "no-sequence",
    "A recurrent layer that gets no sequence",
    says="without steps",
    why="A recurrent layer reads a sequence for each example: (batch, steps, features).",
    fix="If the layer before it is recurrent, set return_sequences=True there. To read a sequence of images, wrap the "
    "layers before it in TimeDistributed.",
    source="keras/src/layers/rnn/rnn.py",
)

_fault(
    "map-used-up",
    "A feature map that has become too small",
    says="the window needs to fit into",
    why="Each convolution without padding and each pooling makes the map smaller, until no window fits.",
    source="keras/src/ops/operation_utils.py, compute_conv_output_shape",
)

_fault(
    "strides-with-dilation",
    "Strides with dilation",
    says="strides or dilation_rate needs to be 1",
    why="Keras supports one or the other: a dilated window with strides would skip most of its input.",
    fix="Set strides or dilation_rate to 1.",
    source="keras/src/layers/convolutional/base_conv.py",
)

_fault(
    "groups-do-not-divide",
    "Groups that do not divide",
    says="groups needs to divide",
    why="Each group takes the same number of channels and makes the same number of filters.",
    fix="Use a number of groups that divides the input channels and the filters.",
    source="keras/src/layers/convolutional/base_conv.py",
)

_fault(
    "unknown-axis",
    "An unknown axis that weights depend on",
    says="needs the size of its",
    why="Keras cannot create weights whose number is not known, or match a known size with an open one.",
    fix="Give the input a fixed size; in place of Flatten a global pooling leaves it open.",
    source="keras/src/layers/core/dense.py",
)

_fault(
    _GENERAL,
    "A layer that Keras refuses",
    why="Keras stops there with an error.",
    source="keras/src/layers/layer.py",
    torch=Torch("PyTorch stops there with an error.", IN_MESSAGE),
)


@rule(
    "pasted-error",
    "An error that was pasted, of a model that Keras takes today",
    "breaks",
    "certain",
    why="The version that raised it refuses what is read here without a fault, or its data are not in the code.",
    fix=IN_MESSAGE,
    source="keras/src/layers/input_spec.py",
)
def pasted_error(network: Network) -> Iterator[Found]:
    yield from noted(network, "pasted-error") if not written_faults(network) else ()


@rule(
    "older-keras",
    "Code of an older Keras",
    "hint",
    "hint",
    why="Keras 3, which TensorFlow has from 2.16 on, rejects it or interprets it differently.",
    fix="Write it as Keras 3 has it, or install tf_keras and set the environment variable TF_USE_LEGACY_KERAS=1.",
    source="keras/src/layers/layer.py, Layer.__init__",
)
def older_keras(network: Network) -> Iterator[Found]:
    model = network.model
    yield from noted(network, "old-argument") if model.format == "code" and model.keras_version != "2" else ()


# Behind faults ------------------------------------------------------------------------------------------------------
# The layers behind a layer at fault, traced as if the fault were fixed.

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
            shape = (None, *[other if isinstance(other, int) else size for other in spec.shape[1:]])
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
