"""Rules on activations, and on the initial values that they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import exp

from layerexplain.checks.calls import (
    activation_of,
    argument_of,
    derived,
    ending_with,
    ends_with,
    functions_alone,
    is_linear,
    is_output,
    keras_type_of,
    losses_of,
    maker_of,
    only_readers,
    readers_of,
    source_of,
    weights_of,
)
from layerexplain.checks.rules import Found, Torch, rule
from layerexplain.lang.axes import has_batch
from layerexplain.model import Layer
from layerexplain.network.traced import Network, TracedCall
from layerexplain.ops.sizes import shape_text
from layerexplain.report.compared import last_node

_MANY_SIGMOIDS = 3
_TOO_MANY_SIGMOIDS = 4
_MANY_TANHS = 10

_MANY_DIGITS = 12
"""Up to so many sigmoids the part that passes is written out."""


@rule(
    "softmax-twice",
    "A softmax of a softmax, or a sigmoid of a sigmoid",
    "wrong",
    "certain",
    why="The second one gets only values from 0 to 1, so that no probability can come near 1.",
    fix="Remove one of them.",
    source="keras/src/activations/activations.py",
    inside=True,
)
def softmax_twice(network: Network) -> Iterator[Found]:
    for before, call in functions_alone(network, "softmax"):
        if activation_of(network, before) == "softmax":
            yield call, f"'{call.name}' takes the softmax of '{before.name}', which ends with one"
    for before, call in functions_alone(network, "sigmoid"):
        if activation_of(network, before) == "sigmoid" and is_given_out(network, call):
            message = f"'{call.name}' takes the sigmoid of '{before.name}', which ends with one"
            yield call, f"{message}: its values lie between 0.5 and 0.73"
    for compiled in losses_of(network):
        for (first, _), (function, line) in pairwise(compiled.functions):
            if first == function and function in ("softmax", "sigmoid"):
                yield compiled.call, f"line {line} takes the {function} of the output, which is one already"


@rule(
    "log-softmax-twice",
    "A log_softmax before a loss that applies one",
    "wasteful",
    "certain",
    why="The log_softmax of log-probabilities is these again: the loss and its gradients are right, and the first is "
    "computed for nothing.",
    fix="Return the scores; or keep the log_softmax and use NLLLoss.",
    source="torch.nn.CrossEntropyLoss",
)
def log_softmax_twice(network: Network) -> Iterator[Found]:
    for compiled in losses_of(network):
        if (compiled.loss.of, compiled.takes, compiled.ends_with) == ("classes", "logits", "log_softmax"):
            yield compiled.call, f"{compiled.words}, and {compiled.loss_words}"


def is_given_out(network: Network, call: TracedCall) -> bool:
    """Return whether the model gives out the values of a call, perhaps moved to another shape."""
    readers = readers_of(network, call)
    return is_output(network, call) or any(
        not ends_with(reader) and is_given_out(network, reader) for reader in readers
    )


_BOUNDED = {"sigmoid": 1, "hard_sigmoid": 1, "tanh": 2, "hard_tanh": 2, "softsign": 2}
"""Activation → how far apart its values may be at most."""


@rule(
    "bounded-before-softmax",
    "A softmax of values that an activation bounds",
    "wrong",
    "certain",
    why="A softmax turns differences of its inputs into ratios: with bounded inputs no class "
    "can come near a probability of 1. A softmax inside a model, which weighs steps, is not meant.",
    fix="Remove the first activation: give the softmax a linear layer.",
    source="keras/src/activations/activations.py",
    inside=True,
)
def bounded_before_softmax(network: Network) -> Iterator[Found]:
    for before, call in functions_alone(network, "softmax"):
        first, spec = activation_of(network, before), call.outputs[0]
        classes = None if spec is None or not spec.shape else spec.shape[-1]
        if first not in _BOUNDED or not is_given_out(network, call):
            continue
        message = f"the softmax of '{call.name}' gets what '{before.name}' ends with: {first}"
        if isinstance(classes, int) and classes > 1:
            most = 1 / (1 + (classes - 1) * exp(-_BOUNDED[first]))
            message += f"; of {classes} classes none can get more than {most:.2f}"
        yield call, message


@rule(
    "softmax-axis",
    "A softmax over the wrong axis",
    "wrong",
    "likely",
    why="The values that sum to 1 are then not the classes of one example.",
    fix="Use axis=-1, the default.",
    source="keras/src/layers/activations/softmax.py",
    inside=True,
    torch=Torch(fix="Use dim=1, the axis of the classes."),
)
def softmax_axis(network: Network) -> Iterator[Found]:
    is_torch = network.model.framework == "torch"
    for call in [*ending_with(network, "softmax"), *ending_with(network, "log_softmax")]:
        spec, axis = call.outputs[0], _axis_of(call) if is_torch else argument_of(call, "axis")
        if spec is None or not isinstance(axis, int) or not spec.shape:
            continue
        if axis % len(spec.shape) == 0 and (not is_torch or has_batch(spec.shape[:1])):
            name = "dim" if is_torch else "axis"
            yield call, f"'{call.name}' has {name}={axis}: the examples of a batch compete, and sum to 1"
        elif is_torch:
            continue  # whose losses read the classes from axis 1
        elif is_output(network, call) and axis % len(spec.shape) != len(spec.shape) - 1:
            shape = shape_text(spec.shape)
            yield call, f"'{call.name}' has axis={axis}, and returns {shape}: losses and metrics read the last axis"


def _axis_of(call: TracedCall) -> object:
    """Return the axis of the softmax that a call ends with, which a module of PyTorch may choose itself."""
    node = None if call.definition is None else last_node(call.definition)
    return None if node is None else node.attrs["definition"].attrs.get("axis", -1)


@rule(
    "relu-twice",
    "relu twice",
    "wasteful",
    "certain",
    why="relu leaves values above 0 as they are: the second relu changes nothing.",
    fix="Remove one of them.",
    source="keras/src/activations/activations.py",
    inside=True,
)
def relu_twice(network: Network) -> Iterator[Found]:
    for before, call in functions_alone(network, "relu"):
        if activation_of(network, before) != "relu" or not _is_plain_relu(call):
            continue
        first = maker_of(network, before)
        if first is not None and _is_plain_relu(first, bounded=True):
            yield call, f"'{call.name}' applies relu to the output of '{before.name}', which ends with one"


@rule(
    "relu-around-batchnorm",
    "A BatchNormalization between two relu",
    "hint",
    "likely",
    why="What the first relu cuts off is 0 in all examples; the normalization makes a constant of it, below the mean, "
    "and the second relu cuts it off again, with what is below the mean.",
    fix="Remove the first relu, or the second.",
    source="Ioffe, Szegedy: Batch Normalization (2015), section 3.2",
    inside=True,
)
def relu_around_batchnorm(network: Network) -> Iterator[Found]:
    ends = {call.name for call in ending_with(network, "relu")}
    for before, norm in only_readers(network):
        if before.name not in ends or keras_type_of(network, norm) != "BatchNormalization":
            continue
        readers = readers_of(network, norm)
        if len(readers) != 1 or ends_with(readers[0]) != "relu":
            continue
        if readers[0].definition is not None and not weights_of(readers[0]):
            yield norm, f"'{norm.name}' takes the relu of '{before.name}', and '{readers[0].name}' applies relu again"


def _is_plain_relu(call: TracedCall, bounded: bool = False) -> bool:
    """Return whether a call ends with a relu that is 0 below 0 and, unless it may be bounded, has no upper bound."""
    bounds = () if bounded else ("max_value", "threshold")
    return ends_with(call) == "relu" and not any(argument_of(call, name) for name in ("negative_slope", *bounds))


@rule(
    "relu-before-softmax",
    "A relu straight into a softmax",
    "wrong",
    "likely",
    why="Scores below 0 become 0 and pass no gradient: unlikely classes cannot be distinguished.",
    fix="Remove the relu: give the softmax a linear layer.",
    source="Goodfellow, Bengio, Courville: Deep Learning (2016), section 6.2.2",
    inside=True,
)
def relu_before_softmax(network: Network) -> Iterator[Found]:
    for before, call in functions_alone(network, "softmax"):
        if activation_of(network, before) == "relu":
            yield call, f"the softmax of '{call.name}' gets what '{before.name}' cut off at 0"


@rule(
    "selu-without-its-conditions",
    "selu without the initializer and the dropout that it needs",
    "hint",
    "certain",
    why="selu keeps mean and variance only with lecun_normal kernels; plain Dropout changes both.",
    fix="Use kernel_initializer='lecun_normal', and AlphaDropout in place of Dropout.",
    source="Klambauer et al.: Self-Normalizing Neural Networks (2017)",
    inside=True,
    torch=Torch("selu keeps mean and variance, plain Dropout changes both.", "Use nn.AlphaDropout in its place."),
)
def selu_without_its_conditions(network: Network) -> Iterator[Found]:
    for call in ending_with(network, "selu"):
        layer = network.layer(call.name)
        name = initializer(layer, "kernel_initializer")
        if name and name.lower().replace("_", "") not in ("lecunnormal", "lecunnormalv2"):
            yield layer.name, f"'{layer.name}' has selu with kernel_initializer={name!r}"
        for other in readers_of(network, call):
            if keras_type_of(network, other) == "Dropout":
                yield other, f"'{other.name}' is a plain Dropout after the selu of '{layer.name}'"


def initializer(layer: Layer, key: str) -> str:
    """Return the name of an initializer as the layer states it; "" where it states none."""
    value = layer.config.get(key)
    if isinstance(value, str):
        return value
    result = value.get("class_name") if isinstance(value, Mapping) else getattr(value, "type", "")
    return result if isinstance(result, str) else ""


@rule(
    "constant-kernel",
    "A kernel that starts as one constant",
    "wrong",
    "certain",
    why="All units compute the same and get the same gradient: they never become different.",
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
        merged = any(ends_with(item) == "add" and len(item.sources) > 1 for item in readers_of(network, call))
        if name in ("zeros", "ones", "constant", "zero", "one") and several and not merged:
            yield layer.name, f"all weights of '{layer.name}' start as one constant (kernel_initializer={name!r})"


@rule(
    "sigmoids-in-a-row",
    "A chain of sigmoids",
    "hint",
    "likely",
    why="A sigmoid passes on at most a quarter of the gradient: the first layers of a chain hardly learn.",
    fix="Use relu inside the model, and a sigmoid at its end.",
    source="Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks (2010)",
    causes=("vanishing-gradient",),
    inside=True,
)
def sigmoids_in_a_row(network: Network) -> Iterator[Found]:
    for call, count in _chains(network, "sigmoid"):
        if count >= _MANY_SIGMOIDS:
            part = f"1/{4**count:,}" if count <= _MANY_DIGITS else f"1/4^{count}"
            message = f"{count} sigmoids follow each other: their slopes pass at most {part} of a gradient"
            yield call, message, "wrong" if count >= _TOO_MANY_SIGMOIDS else "hint"


@rule(
    "tanhs-in-a-row",
    "A long chain of tanh layers",
    "hint",
    "likely",
    why="The slope of tanh is 1 only at 0: in a long chain, the first layers get a small part of the gradient.",
    fix="Use relu, or put a shortcut (Add) or a normalization after every few layers.",
    source="Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks (2010)",
    causes=("vanishing-gradient",),
    inside=True,
)
def tanhs_in_a_row(network: Network) -> Iterator[Found]:
    for call, count in _chains(network, "tanh"):
        if count >= _MANY_TANHS:
            yield call, f"{count} tanh layers follow each other, with no shortcut or normalization between"


def _chains(network: Network, function: str) -> Iterator[tuple[TracedCall, int]]:
    """Yield the last layer and the length of each chain of layers that end with a function and have nothing between
    them but what is linear."""
    chains: dict[str, tuple[TracedCall, int]] = {}
    """By the layer whose output comes from it without another function: the last one of a chain, and its length."""
    if len(ending_with(network, function)) < _MANY_SIGMOIDS:
        return
    ends: dict[str, tuple[TracedCall, int]] = {}
    for call in derived(network):
        before = source_of(network, call)
        chain = None if before is None else chains.get(before.name)
        last = ends_with(call)
        if last == function:
            if chain is not None:
                ends.pop(chain[0].name, None)
            chain = ends[call.name] = call, 1 if chain is None else chain[1] + 1
        if chain is not None and (last in ("", "dropout", function) or is_linear(call)):
            chains[call.name] = chain
    yield from ends.values()


@rule(
    "bias-away-from-zero",
    "A bias that starts away from 0",
    "hint",
    "hint",
    why="All units start shifted by the same amount; with relu some are then always on or always off.",
    fix="Use bias_initializer='zeros', except in the last layer of a classifier with unbalanced classes.",
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
