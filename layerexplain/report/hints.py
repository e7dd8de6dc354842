"""Sentences that answer what people ask about a layer where it stands: what is surprising about these shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from layerexplain.expr import Definition
from layerexplain.model import Layer
from layerexplain.ops.sizes import default_roles, shape_text
from layerexplain.report.data import LayerReport
from layerexplain.report.traced import Network, TracedCall

Hint = Callable[[LayerReport, Layer, Definition, Sequence[TracedCall], Network], str | None]


def hints(
    row: LayerReport, layer: Layer, definition: Definition, calls: Sequence[TracedCall], network: Network
) -> tuple[str, ...]:
    """All that is worth saying of this layer here."""
    said = [hint(row, layer, definition, calls, network) for hint in _HINTS.get(layer.type, ())]
    return tuple(text for text in said if text)


def _dense_on_sequences(
    row: LayerReport, layer: Layer, definition: Definition, calls: Sequence[TracedCall], network: Network
) -> str | None:
    x = definition.params[0]
    if x.ndim < 3:
        return None
    lead = default_roles(x.ndim)[1:-1]
    sizes = [f"{s} {role}" if isinstance(s, int) else role for role, s in zip(lead, x.shape[1:-1], strict=True)]
    return (
        f"The input has {x.ndim} axes and is not flattened: one and the same matrix W is applied along the last axis, "
        f"at each of the {' × '.join(sizes)}; their number adds no parameters. Put Flatten before it to mix them."
    )


def _dense_without_bias(
    row: LayerReport, layer: Layer, definition: Definition, calls: Sequence[TracedCall], network: Network
) -> str | None:
    if definition.arguments.get("use_bias", True) or not definition.weights:
        return None
    inputs, units = definition.weights[0].shape
    return f"use_bias=False: there is no b, so the {row.params:,} parameters are exactly {inputs:,} × {units:,}."


def _conv_channels(
    row: LayerReport, layer: Layer, definition: Definition, calls: Sequence[TracedCall], network: Network
) -> str | None:
    W = definition.weights[0]  # noqa: N806
    channels = W.shape[-2]
    if definition.arguments.get("groups", 1) != 1 or channels == 1:
        return None
    return (
        f"Each of the {W.shape[-1]} output channels has a kernel slice of its own for every one of the {channels} "
        f"input channels and sums over all of them, then adds one bias."
    )


def _conv_start(
    row: LayerReport, layer: Layer, definition: Definition, calls: Sequence[TracedCall], network: Network
) -> str | None:
    from layerexplain.derive.bodies import nodes
    from layerexplain.ops.window import windows

    if definition.arguments.get("padding") != "same":
        return None
    for node in nodes(definition):
        if node.op.name in ("conv", "depthwise_conv"):
            w = windows(node)[0]
            if w.stride < 2 or w.pads is None:
                return None
            before, after = w.pads
            start = f"{w.stride}i" if before == 0 else f"{w.stride}i-{before}"
            other = w.reach // 2
            compare = (
                f", not at {w.stride}i-{other} as with {other} on each side (PyTorch's padding={other})"
                if before != other
                else ""
            )
            return (
                f"Window i starts at {w.role[:-1]} {start}{compare}: 'same' pads {before} before and {after} after "
                f"here, the odd one at the end."
            )
    return None


def _embedding_reach(
    row: LayerReport, layer: Layer, definition: Definition, calls: Sequence[TracedCall], network: Network
) -> str | None:
    E = definition.weights[0]  # noqa: N806
    return (
        f"The table itself is one weight of shape {shape_text(E.shape)}, a row for each id: "
        f"model.get_layer({layer.name!r}).embeddings; a loss may use that variable. The layer's output is another "
        f"tensor, of shape {shape_text(definition.results['y'].shape)}: the rows that were looked up."
    )


def _sequences(
    row: LayerReport, layer: Layer, definition: Definition, calls: Sequence[TracedCall], network: Network
) -> str | None:
    arguments = definition.arguments
    shape = definition.results["y"].shape
    if arguments.get("return_sequences"):
        consumers = [c.call.layer for c in network.calls if any(ref.layer == layer.name for ref in c.sources)]
        kinds = {one.name: one.type for one in network.model.layers}
        flat = next((name for name in consumers if kinds[name] == "Flatten"), None)
        more = f" '{flat}' lays them out in one row." if flat else " Put Flatten behind it for a row of all of them."
        return f"return_sequences=True: the output of every step comes out, {shape_text(shape)}.{more}"
    return (
        f"Only the last step's output comes out, {shape_text(shape)}; a recurrent layer behind this one needs "
        f"return_sequences=True here. units = {arguments.get('units')} has nothing to do with the number of steps."
    )


def _flatten(
    row: LayerReport, layer: Layer, definition: Definition, calls: Sequence[TracedCall], network: Network
) -> str | None:
    x = definition.params[0]
    if x.ndim < 3 or not all(isinstance(s, int) for s in x.shape[1:]):
        return None
    return f"{' × '.join(str(s) for s in x.shape[1:])} = {definition.results['y'].shape[-1]:,} numbers per example."


_HINTS: dict[str, tuple[Hint, ...]] = {
    "Dense": (_dense_on_sequences, _dense_without_bias),
    "Conv1D": (_conv_channels, _conv_start),
    "Conv2D": (_conv_channels, _conv_start),
    "Conv3D": (_conv_channels, _conv_start),
    "Embedding": (_embedding_reach,),
    "LSTM": (_sequences,),
    "GRU": (_sequences,),
    "SimpleRNN": (_sequences,),
    "Flatten": (_flatten,),
}
