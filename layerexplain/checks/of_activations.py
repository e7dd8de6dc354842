"""Rules on activations, and on the initial values that they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from layerexplain.checks.calls import (
    activation_of,
    chained,
    derived,
    ends_with,
    is_linear,
    is_output,
    readers_of,
    source_of,
    type_of,
    weights_of,
    with_source,
)
from layerexplain.checks.rules import Found, rule
from layerexplain.model import Layer
from layerexplain.network.traced import Network, TracedCall

_MANY_SIGMOIDS = 3

_MANY_DIGITS = 12
"""Up to so many sigmoids the part that passes is written out."""


@rule(
    "softmax-twice",
    "A softmax of a softmax",
    "wrong",
    "certain",
    why="The second softmax gets values from 0 to 1 alone, so that no class comes near a probability of 1.",
    fix="Take one of them out.",
    source="keras/src/activations/activations.py",
    inside=True,
)
def softmax_twice(network: Network) -> Iterator[Found]:
    for before, call in with_source(network):
        if ends_with(call) == "softmax" and not weights_of(call) and activation_of(network, before) == "softmax":
            yield call, f"'{call.name}' takes the softmax of '{before.name}', which ends with one"


@rule(
    "relu-before-softmax",
    "A relu straight into a softmax",
    "wrong",
    "likely",
    why="All scores below 0 become 0 and pass no gradient: classes that are unlikely are never told apart.",
    fix="Take the relu out: give the softmax a linear layer.",
    source="Goodfellow, Bengio, Courville: Deep Learning (2016), section 6.2.2",
    inside=True,
)
def relu_before_softmax(network: Network) -> Iterator[Found]:
    for before, call in with_source(network):
        if ends_with(call) == "softmax" and not weights_of(call) and activation_of(network, before) == "relu":
            yield call, f"the softmax of '{call.name}' gets what '{before.name}' cut off at 0"


@rule(
    "linear-twice",
    "Two linear maps in a row",
    "wasteful",
    "likely",
    why="Two weighted sums with nothing between them are one: the second computes nothing that the first could not.",
    fix="Give the first an activation, or leave one out.",
    source="Goodfellow, Bengio, Courville: Deep Learning (2016), section 6.1",
    inside=True,
)
def linear_twice(network: Network) -> Iterator[Found]:
    for call, behind in chained(network, "Dense"):
        if not is_linear(call) or type_of(network, call) != "Dense" or behind.definition is None:
            continue
        specs = (call.inputs[0], call.outputs[0], behind.outputs[0])
        sizes = [spec.shape[-1] for spec in specs if spec is not None and spec.shape]
        known = [size for size in sizes if isinstance(size, int)]
        # A middle that is smaller than both ends is a bottleneck, which is meant.
        if len(known) == 3 and known[1] >= min(known[0], known[2]):
            first = f"'{call.name}' ({known[0]} → {known[1]}) has no activation"
            yield call, f"{first}, and '{behind.name}' ({known[1]} → {known[2]}) takes its output as it is"


@rule(
    "selu-without-its-conditions",
    "selu without what it needs",
    "hint",
    "certain",
    why="selu keeps mean and variance only with lecun_normal kernels; plain Dropout changes both.",
    fix="Use kernel_initializer='lecun_normal', and AlphaDropout in place of Dropout.",
    source="Klambauer et al.: Self-Normalizing Neural Networks (2017)",
    inside=True,
)
def selu_without_its_conditions(network: Network) -> Iterator[Found]:
    for call in derived(network):
        if ends_with(call) != "selu":
            continue
        layer = network.layer(call.name)
        name = initializer(layer, "kernel_initializer")
        if name and name.lower().replace("_", "") not in ("lecunnormal", "lecunnormalv2"):
            yield layer.name, f"'{layer.name}' has selu with kernel_initializer={name!r}"
        for one in readers_of(network, call):
            if type_of(network, one) == "Dropout":
                yield one, f"'{one.name}' is a plain Dropout behind the selu of '{layer.name}'"


def initializer(layer: Layer, key: str) -> str:
    """Return the name of an initializer as the layer states it; "" where it states none."""
    value = layer.config.get(key)
    if isinstance(value, str):
        return value
    found = value.get("class_name") if isinstance(value, Mapping) else getattr(value, "type", "")
    return found if isinstance(found, str) else ""


@rule(
    "slow-recurrent",
    "Arguments that keep a recurrent layer off the fast GPU kernel",
    "wasteful",
    "certain",
    why="Keras then runs the steps one by one on a GPU, many times slower; the numbers are the same.",
    fix="Use the default activations, recurrent_dropout=0 and unroll=False where speed matters.",
    source="keras/src/layers/rnn/lstm.py and gru.py",
    inside=True,
)
def slow_recurrent(network: Network) -> Iterator[Found]:
    for layer, one in _gated(network):
        usual = {"activation": "tanh", "recurrent_activation": "sigmoid", "recurrent_dropout": 0, "unroll": False}
        usual |= {"use_bias": True} | ({"reset_after": True} if one.type == "GRU" else {})
        other = [f"{key}={one.config[key]!r}" for key, value in usual.items() if one.config.get(key, value) != value]
        if other:
            yield layer.name, f"'{layer.name}' has {', '.join(other)}"


@rule(
    "relu-in-recurrence",
    "relu inside an LSTM or GRU",
    "hint",
    "likely",
    why="Without the bound of tanh the state may grow at each step, until it overflows.",
    fix="Use the default tanh.",
    source="Le, Jaitly, Hinton: A Simple Way to Initialize Recurrent Networks of Rectified Linear Units (2015)",
    inside=True,
)
def relu_in_recurrence(network: Network) -> Iterator[Found]:
    for layer, one in _gated(network):
        if one.config.get("activation") == "relu":
            yield layer.name, f"'{layer.name}' is a {one.type} with activation='relu'"


def _gated(network: Network) -> Iterator[tuple[Layer, Layer]]:
    """Yield the layers that are an LSTM or a GRU or hold one, each with that."""
    for layer in network.model.layers_by_name.values():
        inner = layer.config.get("layer")
        one = inner if isinstance(inner, Layer) else layer
        if one.type in ("LSTM", "GRU"):
            yield layer, one


@rule(
    "constant-kernel",
    "A kernel that starts as one constant",
    "wrong",
    "certain",
    why="All units compute the same and get the same gradient: they stay equal for ever.",
    fix="Use the default initializer.",
    source="Goodfellow, Bengio, Courville: Deep Learning (2016), section 8.4",
    inside=True,
)
def constant_kernel(network: Network) -> Iterator[Found]:
    for call in derived(network):
        layer = network.layer(call.name)
        name = initializer(layer, "kernel_initializer").lower()
        spec = call.outputs[0]
        several = spec is not None and any(isinstance(size, int) and size > 1 for size in spec.shape[-1:])
        # The last layer of a residual branch may start at 0, so that the block starts as the identity.
        merged = any(ends_with(one) == "add" and len(one.sources) > 1 for one in readers_of(network, call))
        if name in ("zeros", "ones", "constant", "zero", "one") and several and not merged:
            yield layer.name, f"all weights of '{layer.name}' start as one constant (kernel_initializer={name!r})"


@rule(
    "sigmoids-in-a-row",
    "A chain of sigmoids",
    "hint",
    "hint",
    why="A sigmoid passes on at most a quarter of the gradient: the first layers of a chain hardly learn.",
    fix="Use relu inside the model, and a sigmoid at its end.",
    source="Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks (2010)",
    inside=True,
)
def sigmoids_in_a_row(network: Network) -> Iterator[Found]:
    chains: dict[str, tuple[TracedCall, int]] = {}
    """By the layer whose output comes from it without another function: the last sigmoid of a chain, and its length."""
    ends: dict[str, tuple[TracedCall, int]] = {}
    for call in derived(network):
        before = source_of(network, call)
        chain = None if before is None else chains.get(before.name)
        last = ends_with(call)
        if last == "sigmoid":
            if chain is not None:
                ends.pop(chain[0].name, None)
            chain = ends[call.name] = call, 1 if chain is None else chain[1] + 1
        if chain is not None and (last in ("", "dropout", "sigmoid") or is_linear(call)):
            chains[call.name] = chain
    for call, count in ends.values():
        if count >= _MANY_SIGMOIDS:
            part = f"1/{4**count:,}" if count <= _MANY_DIGITS else f"1/4^{count}"
            yield call, f"{count} sigmoids follow each other: their slopes pass at most {part} of a gradient"


@rule(
    "bias-away-from-zero",
    "A bias that starts away from 0",
    "hint",
    "hint",
    why="All units start shifted by the same amount, and with relu some of them always on or always off.",
    fix="Use bias_initializer='zeros', but for the last layer of classes of unequal size.",
    source="Goodfellow, Bengio, Courville: Deep Learning (2016), section 8.4",
    inside=True,
)
def bias_away_from_zero(network: Network) -> Iterator[Found]:
    for call in derived(network):
        layer = network.layer(call.name)
        name = initializer(layer, "bias_initializer").lower()
        value = _argument_of(layer, "bias_initializer", "value")
        away = name in ("ones", "one") or (name == "constant" and value not in (0, None))
        if away and not is_output(network, call) and readers_of(network, call):
            amount = value if name == "constant" else 1
            yield layer.name, f"the biases of '{layer.name}' start at {amount}"


def _argument_of(layer: Layer, key: str, name: str) -> object:
    """Return an argument of an initializer, as the layer states it."""
    value = layer.config.get(key)
    config = value.get("config") if isinstance(value, Mapping) else None
    return config.get(name) if isinstance(config, Mapping) else None
