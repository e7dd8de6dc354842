"""The rule on linear layers with nothing between them that is not linear: together they are one linear layer."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from layerexplain.checks.calls import (
    argument_of,
    derived,
    ends_with,
    is_linear,
    is_output,
    keras_type_of,
    once,
    only_readers,
    weights_of,
)
from layerexplain.checks.rules import Found, Torch, rule
from layerexplain.lang.axes import Shape
from layerexplain.network.traced import Network, TracedCall
from layerexplain.suggest import in_a_row

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
        before, after = (_window_first(one) for one in (call, behind))
        known = [size for size in (*before, *after) if isinstance(size, int)]
        first, second = known[: len(before)], known[len(before) :]
        if len(known) < len(before) + len(after):
            continue
        # A middle that is smaller than both ends is a bottleneck, which is meant; normalized, one of the same size too.
        middle, least = prod(second[:-1]), min(prod(first[:-1]), second[-1])
        is_normalized = any(keras_type_of(network, one) == "BatchNormalization" for one in passed)
        if middle < least or (middle == least and is_normalized):
            continue
        names = [f"'{one.name}'" for one in passed]
        through = f", through {in_a_row(names)}" if names else ""
        said = f"'{call.name}' ({first[-2]} → {first[-1]}) has no activation, and '{behind.name}' "
        said += f"({second[-2]} → {second[-1]}) takes its output as it is{through}"
        if any(keras_type_of(network, one) in _MAXIMA for one in passed):
            yield call, f"{said}, where only the maximum is not linear", "hint"
        elif _is_one_linear_map(network):
            yield call, f"{said}: up to its last activation the model is one linear map", "wrong"
        else:
            yield call, said


_LAST = ("inputs", "channels", "units", "filters")
"""The axes of weights that stand behind those of the window: what is summed, then what is computed."""


def _window_first(call: TracedCall) -> Shape:
    """Return the shape of the weights of a linear layer: the window, the inputs, the outputs, by their axes' names."""
    weight = weights_of(call)[0]
    names = [factors[0][0] for factors in weight.attrs["axes"]]
    sizes = zip(names, weight.shape, strict=True)
    return tuple([size for _, size in sorted(sizes, key=lambda one: _LAST.index(one[0]) if one[0] in _LAST else -1)])


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
