"""Rules on linear layers with nothing between them that is not linear, and on recurrent layers."""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt, prod

from layerexplain.checks.calls import (
    argument_of,
    config_of,
    derived,
    ends_with,
    is_linear,
    is_output,
    keras_type_of,
    once,
    only_readers,
    source_of,
    weights_of,
)
from layerexplain.checks.of_activations import initializer
from layerexplain.checks.rules import Found, Torch, rule
from layerexplain.errors import in_a_row
from layerexplain.lang.axes import BATCH, Shape, Size, has_batch
from layerexplain.lang.visit import nodes
from layerexplain.layers.registry import facts_of
from layerexplain.layers.torch.compared import keras_type
from layerexplain.model import Layer, TensorRef
from layerexplain.network.traced import Network, TracedCall
from layerexplain.ops.sizes import shape_text

# Of linear maps -----------------------------------------------------------------------------------------------------
# The rule on linear layers with nothing between them that is not linear: together they are one linear layer.

_SUMS = ("Dense", "Conv1D", "Conv2D", "Conv3D")
"""Layers that are one weighted sum. A depthwise convolution beside another is a separable one, which is meant; a
transposed one behind another enlarges a map of scores."""

_LINEAR = frozenset(
    {"Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "AlphaDropout", "GaussianDropout"}
    | {"GaussianNoise", "BatchNormalization", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D"}
    | {"GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D"}
    | {"ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D", "Cropping1D", "Cropping2D", "Cropping3D"}
)
"""Layers that compute, at inference, sums with fixed factors."""


_MAXIMA = frozenset({"MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "GlobalMaxPooling1D", "GlobalMaxPooling2D"})
"""Layers that are not linear, but do little of what an activation does."""


@rule(
    "linear-twice",
    "Two linear maps in a row",
    "wasteful",
    "likely",
    why="Two weighted sums with nothing nonlinear between them compute no more than one; two convolutions, no more "
    "than one with a larger window.",
    fix="Give the first an activation, such as activation='relu', or leave one out.",
    source="Goodfellow, Bengio, Courville: Deep Learning (2016), section 6.1",
    inside=True,
    torch=Torch(fix="Put an activation between them, such as nn.ReLU, or leave one out."),
)
def linear_twice(network: Network) -> Iterator[Found]:
    for call, passed, behind in _pairs(network):
        before, after = (_window_first(item) for item in (call, behind))
        known = [size for size in (*before, *after) if isinstance(size, int)]
        first, second = known[: len(before)], known[len(before) :]
        if len(known) < len(before) + len(after):
            continue
        # A middle that is smaller than both ends is a bottleneck, which is meant; normalized, one of the same size too.
        middle, least = prod(second[:-1]), min(prod(first[:-1]), second[-1])
        is_normalized = any(keras_type_of(network, item) == "BatchNormalization" for item in passed)
        if middle < least or (middle == least and is_normalized):
            continue
        names = [f"'{item.name}'" for item in passed]
        through = f", through {in_a_row(names)}" if names else ""
        message = f"'{call.name}' ({first[-2]} → {first[-1]}) has no activation, and '{behind.name}' "
        message += f"({second[-2]} → {second[-1]}) takes its output as it is{through}"
        if any(keras_type_of(network, item) in _MAXIMA for item in passed):
            yield call, f"{message}, where only the maximum is not linear", "hint"
        elif _is_one_linear_map(network):
            yield call, f"{message}: up to its last activation the model is one linear map", "wrong"
        else:
            yield call, message


_LAST = ("inputs", "channels", "units", "filters")
"""The axes of weights that stand behind those of the window: what is summed, then what is computed."""


def _window_first(call: TracedCall) -> Shape:
    """Return the shape of the weights of a linear layer: the window, the inputs, the outputs, by their axes' names."""
    weight = weights_of(call)[0]
    names = [factors[0][0] for factors in weight.attrs["axes"]]
    sizes = zip(names, weight.shape, strict=True)
    return tuple([size for _, size in sorted(sizes, key=lambda item: _LAST.index(item[0]) if item[0] in _LAST else -1)])


def _is_sum(network: Network, call: TracedCall) -> bool:
    """Return whether a layer is one weighted sum of all channels: groups beside another layer are a separable one."""
    return keras_type_of(network, call) in _SUMS and argument_of(call, "groups", 1) == 1


def _pairs(network: Network) -> Iterator[tuple[TracedCall, list[TracedCall], TracedCall]]:
    """Yield each linear layer with the layers that its output passes, and the linear one that then takes it."""
    following = {call.call.key: reader for call, reader in only_readers(network)}
    for call in derived(network):
        if not _is_sum(network, call) or not is_linear(call):
            continue
        passed: list[TracedCall] = []
        behind = following.get(call.call.key)
        while behind is not None and _passes(network, behind):
            passed.append(behind)
            behind = following.get(behind.call.key)
        if behind is not None and _is_sum(network, behind) and weights_of(behind):
            yield call, passed, behind


def _passes(network: Network, call: TracedCall) -> bool:
    passing = _LINEAR | _MAXIMA
    return call.definition is not None and (ends_with(call) == "" or keras_type_of(network, call) in passing)


@once
def _is_one_linear_map(network: Network) -> bool:
    """Return whether all layers but the last are linear."""
    return all(
        call.definition is not None
        and call.network is None
        and (is_output(network, call) or is_linear(call) or _passes(network, call))
        and keras_type_of(network, call) not in _MAXIMA
        for call in network.calls
        if call.sources
    )


# Of recurrence ------------------------------------------------------------------------------------------------------
# Rules on recurrent layers.

_MANY_STEPS = 500
"""From so many steps of one number each on, a recurrent layer hardly learns what lies far back."""


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
    for layer, item in _gated(network):
        usual = {"activation": "tanh", "recurrent_activation": "sigmoid", "recurrent_dropout": 0, "unroll": False}
        usual |= {"use_bias": True} | ({"reset_after": True} if item.type == "GRU" else {})
        other = [f"{key}={item.config[key]!r}" for key, value in usual.items() if item.config.get(key, value) != value]
        if other:
            yield layer.name, f"'{layer.name}' has {', '.join(other)}"


@rule(
    "relu-in-recurrence",
    "relu inside an LSTM or GRU",
    "hint",
    "likely",
    why="Without the bound of tanh, and of sigmoid for the gates, the state may grow at each step, until it overflows.",
    fix="Use the defaults: activation='tanh', recurrent_activation='sigmoid'.",
    source="Le, Jaitly, Hinton: A Simple Way to Initialize Recurrent Networks of Rectified Linear Units (2015)",
    inside=True,
)
def relu_in_recurrence(network: Network) -> Iterator[Found]:
    for layer, other in _gated(network):
        if other.config.get("activation") == "relu":
            yield layer.name, f"'{layer.name}' ({other.type}) has activation='relu'"
        if (gate := other.config.get("recurrent_activation")) in _UNBOUNDED:
            message = f"the gates of '{layer.name}' ({other.type}) are {gate}, which exceeds 1"
            yield layer.name, f"{message}: each step multiplies the state by it", "wrong"


_UNBOUNDED = ("relu", "linear", "elu", "selu", "gelu", "silu", "swish", "softplus", "exponential", "leaky_relu")
"""Activations that may exceed 1."""


def _gated(network: Network) -> Iterator[tuple[Layer, Layer]]:
    """Yield the layers that are an LSTM or a GRU or hold one, each with that."""
    for layer in network.model.layers_by_name.values():
        inner = layer.config.get("layer")
        other = inner if isinstance(inner, Layer) else layer
        if other.type in ("LSTM", "GRU"):
            yield layer, other


@rule(
    "one-step",
    "A recurrent layer over a single step",
    "wasteful",
    "certain",
    why="With a single step the recurrent weights multiply only the initial state, which is 0: the layer "
    "remembers nothing.",
    fix="Give it sequences: windows of several steps, as (examples, steps, features). Without them a Dense layer does "
    "the same.",
    source="keras/src/layers/rnn/rnn.py",
    inside=True,
    torch=Torch(fix="Give it sequences: windows of several steps. Without them a Linear does the same."),
)
def one_step(network: Network) -> Iterator[Found]:
    for call, layer in _recurrent(network):
        steps, _ = _steps_and_features(call, layer)
        if steps == 1 and len(call.sources) == 1 and not layer.config.get("stateful"):
            shape = shape_text(call.inputs[0].shape) if call.inputs[0] is not None else ""
            yield call, f"'{call.name}' ({layer.type.rpartition('.')[2]}) gets {shape}: sequences of 1 step"


@rule(
    "pixels-as-steps",
    "A recurrent layer over very many steps of one number",
    "hint",
    "likely",
    why="Each step multiplies the gradient once more: what happened hundreds of steps before is hardly learned, and "
    "the steps run one by one.",
    fix="Make a row of the image a step: Reshape((28, 28)) for 784 pixels. Shorten long signals with Conv1D and "
    "strides before.",
    torch=Torch(fix="Make a row of the image a step: x.view(-1, 28, 28) for 784 pixels."),
    source="Le, Jaitly, Hinton: A Simple Way to Initialize Recurrent Networks of Rectified Linear Units (2015)",
    inside=True,
)
def pixels_as_steps(network: Network) -> Iterator[Found]:
    for call, layer in _recurrent(network):
        steps, features = _steps_and_features(call, layer)
        if features != 1 or not isinstance(steps, int) or steps < _MANY_STEPS or _keeps_gradients(layer):
            continue
        flat = isqrt(steps) ** 2 == steps or (steps % 3 == 0 and isqrt(steps // 3) ** 2 == steps // 3)
        message = f"'{call.name}' ({layer.type.rpartition('.')[2]}) reads {steps} steps of 1 number each"
        if _is_flattened(network, call) or (flat and source_of(network, call) is not None):
            yield call, f"{message}: one for each pixel of a flattened image", "wrong"
        else:
            yield call, message


def _keeps_gradients(layer: Layer) -> bool:
    """Return whether a recurrent layer begins as the identity, which is made for very long sequences (IRNN)."""
    name = initializer(layer, "recurrent_initializer").lower()
    return name.startswith("identity") and layer.config.get("activation") == "relu"


def _is_flattened(network: Network, call: TracedCall) -> bool:
    """Return whether the input of a call was an image before: several axes larger than 1, laid out in one."""
    before = source_of(network, call)
    while before is not None and before.inputs and not ends_with(before):
        spec = before.inputs[0]
        if spec is not None and len([size for size in spec.shape[1:3] if not isinstance(size, int) or size > 1]) > 1:
            return True
        before = source_of(network, before)
    return False


@once
def _recurrent(network: Network) -> list[tuple[TracedCall, Layer]]:
    """Return the calls of recurrent layers, each with the layer, or the one that it holds."""
    layers = {name: value.config.get("layer", value) for name, value in network.model.layers_by_name.items()}
    types = {layer.type for layer in layers.values() if isinstance(layer, Layer)}
    recurrent = {type_ for type_ in types if facts_of(keras_type(type_)).states}
    recurrent_layers = {
        name: layer for name, layer in layers.items() if isinstance(layer, Layer) and layer.type in recurrent
    }
    return (
        [(call, recurrent_layers[call.name]) for call in derived(network) if call.name in recurrent_layers]
        if recurrent_layers
        else []
    )


def _steps_and_features(call: TracedCall, layer: Layer) -> tuple[Size, Size]:
    """Return the axes of a recurrent layer's input that are its steps and its features; None for one that is not
    there."""
    shape = call.inputs[0].shape if call.inputs and call.inputs[0] is not None else ()
    if not layer.type.startswith("torch."):
        return shape[1] if len(shape) > 1 else None, shape[2] if len(shape) > 2 else None
    at = 1 if layer.config.get("batch_first") is True and len(shape) == 3 else 0
    return shape[at] if shape else None, shape[-1] if len(shape) > 1 else None


@rule(
    "opposite-order",
    "Sequences in opposite order that are joined",
    "wrong",
    "certain",
    why="A layer with go_backwards=True returns the steps last first: what is joined then belongs to different steps.",
    fix="Turn one of them before: layers.Lambda(lambda x: ops.flip(x, axis=1)), or use Bidirectional, which does.",
    source="keras/src/layers/rnn/rnn.py; keras/src/layers/rnn/bidirectional.py",
    inside=True,
)
def opposite_order(network: Network) -> Iterator[Found]:
    turned: dict[TensorRef, str] = {}
    """Sequences whose steps run from the last to the first, with the layer that turned them."""
    layers = network.model.layers
    may_turn = any(
        layer.config.get("go_backwards") or layer.type.rpartition(".")[2] in ("Flip", "flip") for layer in layers
    )
    for call in network.calls if may_turn else ():
        spec = call.outputs[0] if call.outputs else None
        if spec is None or len(spec.shape) != 3 or not call.sources:
            continue
        ways = {ref: turned.get(ref) for ref in call.sources}
        before = [way for way in ways.values() if way is not None]
        joins = len(ways) > 1 and not weights_of(call) and ends_with(call) in _JOINS and argument_of(call, "axis") != 1
        if joins and 0 < len(before) < len(ways):
            straight = next(ref.layer for ref, way in ways.items() if way is None)
            yield call, f"step 0 of '{straight}' is joined with the last step, which '{before[0]}' returns first"
        if _is_turning(call) != bool(before):
            turned.update(dict.fromkeys(call.results, before[0] if before else call.name))


_JOINS = frozenset({"add", "subtract", "multiply", "divide", "concatenate", "maximum", "minimum", "stack"})


def _is_turning(call: TracedCall) -> bool:
    """Return whether a call turns the order of steps: an odd number of times."""
    definition = call.definition
    return definition is not None and sum(node.op.name == "reverse" for node in nodes(definition)) % 2 == 1


@rule(
    "example-for-step",
    "One example of the batch where the last step was meant",
    "wrong",
    "likely",
    why="Recurrent modules of PyTorch take (steps, batch, features): x[:, -1] is the last example of a batch, and its "
    "steps go on as if they were examples.",
    fix="Give the module batch_first=True where the data are (batch, steps, features); or take x[-1], the last step.",
    source="torch.nn.LSTM, batch_first",
)
def example_for_step(network: Network) -> Iterator[Found]:
    for call, layer in _recurrent(network) if network.model.framework == "torch" else ():
        shape = call.inputs[0].shape if call.inputs[0] is not None else ()
        if len(shape) == 2 and has_batch(shape[:1]) and len(call.sources) == 1:
            message = (
                f"'{call.name}' ({layer.type.rpartition('.')[2]}) gets {shape_text(shape)}, without an axis of steps"
            )
            axis = int(layer.config.get("batch_first") is True)
            yield (
                call,
                f"{message}: the examples are read as the steps of one sequence; x.unsqueeze({axis}) adds the axis",
            )
    for call in network.calls:
        key = config_of(network, call).get("key")
        spec = call.inputs[0] if call.inputs else None
        if not isinstance(key, tuple) or spec is None or BATCH not in spec.shape[1:]:
            continue
        axis = spec.shape.index(BATCH)
        before = key[: axis + 1]
        if len(before) > axis and isinstance(before[axis], int) and Ellipsis not in before and None not in before:
            yield call, f"of {shape_text(spec.shape)}, (steps, batch, features), one example of the batch is taken"
