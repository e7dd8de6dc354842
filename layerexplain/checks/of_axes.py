"""Rules on axes: of channels, that a layer takes elsewhere, and of size 1, over which it normalizes."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from layerexplain.checks.calls import argument_of, derived, ends_with, losses_of, once, type_of
from layerexplain.checks.rules import Found, rule
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CALL, Expr
from layerexplain.lang.visit import nodes
from layerexplain.model import TensorRef
from layerexplain.network.traced import Network, TracedCall
from layerexplain.ops.sizes import shape_text
from layerexplain.report.objective import loss_definition


@rule(
    "batchnorm-axis",
    "BatchNormalization along an axis other than the channels",
    "wrong",
    "certain",
    why="It then normalizes each row or column separately, and its parameters fix the size of the image.",
    fix="Use axis=-1 for channels_last, axis=1 for channels_first.",
    source="keras/src/layers/normalization/batch_normalization.py",
    inside=True,
)
def batchnorm_axis(network: Network) -> Iterator[Found]:
    for call, axis, maker in _channels(network):
        if type_of(network, call) != "BatchNormalization" or call.inputs[0] is None:
            continue
        own = argument_of(call, "axis", -1)
        if isinstance(own, int) and own % len(call.inputs[0].shape) != axis:
            yield call, f"'{call.name}' has axis={own}; the channels of '{maker}' are axis {axis}"


@rule(
    "channels-elsewhere",
    "A layer that takes another axis for the channels",
    "wrong",
    "certain",
    why="It pools or filters channels as if they were rows, and keeps rows as if they were channels.",
    fix="Use one data_format in all layers, or Permute between.",
    source="keras/src/layers/pooling/base_pooling.py, data_format",
    inside=True,
)
def channels_elsewhere(network: Network) -> Iterator[Found]:
    if all(layer.config.get("data_format") != "channels_first" for layer in network.model.layers):
        return
    for call, axis, maker in _channels(network):
        own = _channel_axis(call) if ends_with(call) else None  # Flatten only orders its values by it
        if own is not None and own != axis and call.inputs[0] is not None:
            shape, given = shape_text(call.inputs[0].shape), argument_of(call, "data_format")
            message = f"'{call.name}' has data_format='{given}' and reads axis {own} of {shape} as channels"
            yield call, f"{message}; '{maker}' puts them in axis {axis}"


@once
def _channels(network: Network) -> list[tuple[TracedCall, int, str]]:
    """Return the calls that read a map of known channels: their axis, and the layer with filters that made it."""
    axes: dict[TensorRef, tuple[int, str]] = {}
    reading: list[tuple[TracedCall, int, str]] = []
    for call in network.calls:
        known = {axes.get(ref) for ref in call.sources}
        before = known.pop() if len(known) == 1 else None
        if before is not None and call.number == 0:
            reading.append((call, *before))
        output = call.outputs[0] if call.outputs else None
        if output is None or call.definition is None:
            continue
        takes_steps = call.declaration is not None and call.declaration.takes_states
        own = _channel_axis(call) if "filters" in call.definition.arguments and not takes_steps else None
        source = call.inputs[0] if call.inputs else None
        if own is not None:
            axes[call.results[0]] = own, call.name
        elif (
            before is not None
            and call.network is None
            and source is not None
            and len(source.shape) == len(output.shape)
            and next(iter(call.definition.results.values())).op.name not in ("transpose", "reshape")
        ):
            axes[call.results[0]] = before
    return reading


def _channel_axis(call: TracedCall) -> int | None:
    """Return the axis that a layer of maps takes for the channels, by its data_format."""
    layout, spec = argument_of(call, "data_format"), call.inputs[0] if call.inputs else None
    if spec is None or len(spec.shape) < 3 or layout not in ("channels_first", "channels_last"):
        return None
    return 1 if layout == "channels_first" else len(spec.shape) - 1


@rule(
    "normalization-over-one",
    "A normalization of a single value",
    "wrong",
    "certain",
    why="A value that is normalized alone loses its size: at most its sign is left of what was computed.",
    fix="Remove the normalization, or normalize an axis of several values; give a cosine vectors of several numbers.",
    source="keras/src/layers/normalization/layer_normalization.py",
    inside=True,
)
def normalization_over_one(network: Network) -> Iterator[Found]:
    for call in derived(network):
        if call.definition is not None and _has_single_values(call) and (words := normalized_alone(call.definition)):
            yield call, f"'{call.name}' normalizes over an axis of size 1: {words}"
    for compiled in losses_of(network):
        shape, loss = compiled.shape, compiled.loss
        if loss.of != "numbers" or shape is None or shape[-1:] != (1,):
            continue
        if normalized_alone(loss_definition(loss, loss.bind(compiled.setting.config), shape)):
            message = f"{loss.name} gets {shape_text(shape)} and normalizes its last axis"
            yield compiled.call, f"{message}: each number becomes its sign"


def _has_single_values(call: TracedCall) -> bool:
    """Return whether a call may take values one by one: along an axis of size 1, or in groups."""
    shape = call.inputs[0].shape if call.inputs and call.inputs[0] is not None else ()
    return 1 in shape[1:] or argument_of(call, "groups", 1) != 1


_ALONE = "each value is divided by its own size, and its sign is left"
_CENTRED = "each value minus itself is 0, and the output is the same for all inputs"


def normalized_alone(definition: Definition) -> str:
    """Return what becomes of values that a formula normalizes over axes with one value; "" where it does not.

    >>> from layerexplain.lang.axes import BATCH
    >>> from layerexplain.lang.expr import tensor
    >>> from layerexplain.ops import functions
    >>> one, two = (tensor("x", (BATCH, size)) for size in (1, 2))
    >>> each = [Definition("d", (x,), (), {"y": functions.l2_normalize(x, axis=-1)}) for x in (one, two)]
    >>> [normalized_alone(d) for d in each]
    ['each value is divided by its own size, and its sign is left', '']
    """
    order = [*nodes(definition)]
    if any(
        node.op is CALL and node.attrs["definition"].name == "l2_normalize" and _is_over_one(node) for node in order
    ):
        return _ALONE
    means = {node for node in order if node.op.name == "mean" and _is_over_one(node)}
    if not any(node.op.name == "divide" and _comes_from(node.args[1], means) for node in order):
        return ""
    return _CENTRED if any(node.op.name == "subtract" and node.args[1] in means for node in order) else _ALONE


def _is_over_one(node: Expr) -> bool:
    """Return whether a node reduces axes that have one value together."""
    attrs = node.attrs["definition"].attrs if node.op is CALL else node.attrs
    shape, axis = node.args[0].shape, attrs.get("axis", -1)
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple | list) else (axis,)
    sizes = [shape[at] for at in axes]
    return all(isinstance(size, int) for size in sizes) and prod(sizes) == 1 and bool(sizes)


def _comes_from(node: Expr, sources: set[Expr]) -> bool:
    """Return whether a node is computed from one of others."""
    waiting, seen = [node], {node}
    while waiting:
        current = waiting.pop()
        if current in sources:
            return True
        fresh = [arg for arg in current.args if arg not in seen]
        seen.update(fresh)
        waiting += fresh
    return False
