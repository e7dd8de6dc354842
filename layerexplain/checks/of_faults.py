"""What makes a model no model: errors of a spec, which have codes here. Keras raises them too, in other words."""

from __future__ import annotations

from collections.abc import Iterator

from layerexplain.checks.rules import Found, Look, rule
from layerexplain.checks.view import CheckedNetwork

_GENERAL = "layer-at-fault"

_PATTERNS = {
    "no-sequence": ("without steps",),
    "map-used-up": ("the window needs to fit into",),
    "strides-with-dilation": ("strides or dilation_rate needs to be 1",),
    "groups-do-not-divide": ("groups needs to divide",),
    "unknown-axis": ("needs the size of its axis",),
}
"""Code → what the error of a layer says."""


def code_of(fact: str) -> str:
    """Return the code of an error by what it says.

    >>> code_of("groups needs to divide the 3 input channels, got groups=2"), code_of("no such thing")
    ('groups-do-not-divide', 'layer-at-fault')
    """
    found = (code for code, patterns in _PATTERNS.items() if any(one in fact for one in patterns))
    return next(found, _GENERAL)


def _faults(code: str) -> Look:
    def look(view: CheckedNetwork) -> Iterator[Found]:
        for fault in view.network.faults if view.network.model.strict else ():
            if code_of(fault.fact) == code:
                yield fault.layer, fault.fact

    look.__module__ = __name__
    return look


rule(
    "no-sequence",
    "A recurrent layer that gets no sequence",
    "certain",
    why="By default a recurrent layer gives its last step alone.",
    fix="Give the layer before return_sequences=True.",
    source="keras/src/layers/rnn/rnn.py",
    keras="raises an error",
)(_faults("no-sequence"))

rule(
    "map-used-up",
    "A map that is used up",
    "certain",
    why="Each valid window and each pooling makes the map smaller, until none fits any more.",
    fix="Use a larger input, padding='same' or fewer poolings.",
    source="keras/src/ops/operation_utils.py, compute_conv_output_shape",
    keras="raises an error",
)(_faults("map-used-up"))

rule(
    "strides-with-dilation",
    "Strides with dilation",
    "certain",
    why="Keras runs the one or the other: a dilated window that also jumps would skip most of its input.",
    fix="Set strides or dilation_rate to 1.",
    source="keras/src/layers/convolutional/base_conv.py",
    keras="raises an error",
)(_faults("strides-with-dilation"))

rule(
    "groups-do-not-divide",
    "Groups that do not divide",
    "certain",
    why="Each group takes the same number of channels and makes the same number of filters.",
    fix="Use a number of groups that divides the input channels and the filters.",
    source="keras/src/layers/convolutional/base_conv.py",
    keras="raises an error",
)(_faults("groups-do-not-divide"))

rule(
    "unknown-axis",
    "An unknown axis that weights depend on",
    "certain",
    why="Keras cannot make weights of which it does not know how many there are.",
    fix="Give the input a fixed size, or use a global pooling in place of Flatten.",
    source="keras/src/layers/core/dense.py",
    keras="raises an error",
)(_faults("unknown-axis"))

rule(
    _GENERAL,
    "A layer that Keras refuses",
    "certain",
    why="The model cannot be built, so that no other rule can be asked.",
    fix="The message says what would be right.",
    source="keras/src/layers/layer.py",
    keras="raises an error",
)(_faults(_GENERAL))
