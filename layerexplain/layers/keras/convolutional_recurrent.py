"""Convolutional recurrent layers: ConvLSTM1D, ConvLSTM2D and ConvLSTM3D, an LSTM whose gates are convolutions."""

from collections.abc import Mapping, Sequence

from layerexplain.errors import AxesError, ShapeError
from layerexplain.lang.expr import Expr, named, weight
from layerexplain.layers.arguments import BatchFirst, Bool, PositiveInt
from layerexplain.layers.declaration import Stored
from layerexplain.layers.keras.activations import activate
from layerexplain.layers.keras.convolutional import Sliding
from layerexplain.layers.keras.rnn import (
    RECURRENT,
    Gating,
    RecurrenceOptions,
    drawn,
    gates,
    recur,
    recurrent_mask,
    undropped,
)
from layerexplain.layers.registry import layers_of_rank
from layerexplain.layers.signature import Facts
from layerexplain.ops.convolution import conv
from layerexplain.ops.movement import reshape
from layerexplain.ops.sizes import shape_text
from layerexplain.ops.spatial import SPATIAL, spatial_axes
from layerexplain.ops.window import Window

ROLES = {**SPATIAL, 1: ("positions",)}
"""Names of the axes after the steps."""

CELL = "conv_lstm_cell"
GATES = {"i": "input gate", "f": "forget gate", "g": "candidate", "o": "output gate"}


def _inside(x: Expr, data_format: str) -> tuple[tuple[int, ...], int]:
    """The spatial sizes and the channels of a step, which the states' sizes depend on."""
    axes, channel_axis = spatial_axes(x.ndim - 1, data_format)
    step = (x.shape[0], *x.shape[2:])
    sizes = [step[a] for a in axes]
    channels = step[channel_axis]
    known = tuple(s for s in sizes if isinstance(s, int))
    if len(known) < len(sizes) or not isinstance(channels, int):
        raise ShapeError(
            f"ConvLSTM needs all sizes except the number of steps, because the sizes of its states depend on them, "
            f"got {shape_text(x.shape)}; give these axes of the input fixed sizes"
        )
    return known, channels


@layers_of_rank(
    "ConvLSTM{}D",
    mask=recurrent_mask,
    ignores=RECURRENT + " unit_forget_bias",
    gist="{formula}, {kernel_size} conv, {filters} filters, {return_sequences:all steps|last step}, "
    "{initial_state:from a given state|}, {stateful:state kept between calls|}",
    ndim=None,
    facts=Facts(tells_axes="sequence", states=2, trains_inside=True),
)
def convolutional_lstm(
    x: Expr,
    *initial_state: Expr,
    rank: int,
    filters: PositiveInt,
    sliding: Sliding,
    gating: Gating,
    running: RecurrenceOptions,
    zero_output_for_mask: Bool = False,
    time_major: BatchFirst = False,
    mask: Expr | None = None,
    training: bool = False,
) -> Mapping[str, Expr] | Stored:
    """Runs an LSTM over the {steps} [steps|images|volumes] {order}[, each a row of positions||]; its gates are
    convolutions with {filters} filters of {kernel_size} [positions|pixels|voxels].

    Input shape: (batch, steps, spatial axes, channels), or the channels after the steps with
    data_format='channels_first'. Output shape: (batch, new spatial axes, filters), likewise, with the steps after the
    batch with return_sequences; with return_state the last h and c follow.
    Reference: Shi et al., Convolutional LSTM network, 2015.
    """
    if x.ndim != rank + 3:
        behind = ", ".join([*ROLES[rank], "channels"])
        raise AxesError(
            f"ConvLSTM{rank}D needs an input of (batch, steps, {behind}), got {shape_text(x.shape)} with {x.ndim} axes"
        )
    sliding.window(rank)
    window, stride, dilation = sliding.per_axis(rank)
    data_format = sliding.data_format
    sizes, channels = _inside(x, data_format)
    slides = [Window("", *of_axis, sliding.padding) for of_axis in zip(sizes, window, stride, dilation, strict=True)]
    places = tuple(w.number or 0 for w in slides)
    if min(places) < 1:
        raise ShapeError(f"kernel_size needs to fit into {shape_text(sizes)}, got kernel_size={sliding.kernel_size}")
    first = data_format == "channels_first"
    state = (filters, *places) if first else (*places, filters)
    packed = [("gates", 4), ("filters", filters)]
    spatial = list(zip(ROLES[rank], window, strict=True))
    W = gates(weight("kernel", "W", [*spatial, ("channels", channels), packed], at="cell", path=CELL), "ifgo")
    U = gates(weight("recurrent_kernel", "U", [*spatial, ("filters", filters), packed], at="cell", path=CELL), "ifgo")
    b = gates(weight("bias", "b", [packed], at="cell", path=CELL), "ifgo") if gating.use_bias else {}
    if first:
        laid = {g: reshape(part, shape=(1, filters, *(1,) * rank)) for g, part in b.items()}
        b = {g: named(f"b_{g}_laid", part) for g, part in laid.items()}
    keep_x = drawn("Dx", x, (channels, *sizes) if first else (*sizes, channels), gating.dropout, GATES, training)
    keep_h = drawn("Dh", x, state, gating.recurrent_dropout, GATES, training)

    def cell(x_t: Expr, h: Expr, c: Expr) -> Sequence[Expr]:
        def gate(of: str) -> Expr:
            z = conv(undropped(x_t, keep_x, of), W[of], **sliding.how, data_format=data_format)
            if b:
                z = z + b[of]
            z = z + conv(undropped(h, keep_h, of), U[of], padding="same", data_format=data_format)
            return named(of, activate(gating.activation if of == "g" else gating.recurrent_activation, z), GATES[of])

        i, f, g, o = (gate(of) for of in GATES)
        c_new = named("c_new", f * c + i * g)
        return named("h_new", o * activate(gating.activation, c_new)), c_new

    type_, states = f"ConvLSTM{rank}D", {"h": state, "c": state}
    return recur(type_, cell, x, states, initial_state, running, mask, zero_output_for_mask)
