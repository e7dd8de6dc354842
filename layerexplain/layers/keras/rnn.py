"""Recurrent layers: what they share (the loop over the steps, masks, initial states, dropout), then SimpleRNN, GRU,
LSTM, and the CuDNN forms of the last two in older files.

Input shape: (batch, steps, features). Output shape: (batch, units), or (batch, steps, units) with return_sequences;
with return_state the last h, and c of an LSTM, (batch, units) each, follow.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from layerexplain.errors import AxesError, ShapeError
from layerexplain.lang.axes import BATCH, Shape, batch_of
from layerexplain.lang.definition import loop
from layerexplain.lang.expr import Expr, WeightAxes, item, named, state_variable, weight
from layerexplain.layers.arguments import Activation, BatchFirst, Bool, PositiveInt, Share
from layerexplain.layers.declaration import Stored
from layerexplain.layers.keras.activations import activate
from layerexplain.layers.registry import KERNEL_AND_BIAS, layer
from layerexplain.layers.signature import Facts
from layerexplain.ops.contract import dot
from layerexplain.ops.elementwise import where
from layerexplain.ops.joining import split
from layerexplain.ops.movement import reverse, zeros
from layerexplain.ops.numbers import dropout
from layerexplain.ops.sizes import agree, misfit, shape_text
from layerexplain.records import NamedTuple

Cell = Callable[..., Sequence[Expr]]

StateSize = int | tuple[int, ...]
"""The size of a state, or its sizes where it has several axes (those of an image), without the batch."""


class Gating(NamedTuple):
    """The arguments that layers with gates share: their functions, whether there is a bias, and what dropout drops."""

    activation: Activation = "tanh"
    recurrent_activation: Activation = "sigmoid"
    use_bias: Bool = True
    dropout: Share = 0.0
    recurrent_dropout: Share = 0.0


class Ungated(NamedTuple):
    """Those of layers without gates."""

    activation: Activation = "tanh"
    use_bias: Bool = True
    dropout: Share = 0.0
    recurrent_dropout: Share = 0.0


class RecurrenceOptions(NamedTuple):
    """The arguments of a recurrent layer that say which results come out of it, from which end it begins, whether it
    begins where its last call ended, and whether its steps are written out."""

    return_sequences: Bool = False
    return_state: Bool = False
    go_backwards: Bool = False
    stateful: Bool = False
    unroll: Bool = False


def recurrent_mask(tensors: list[Expr], masks: list[Expr | None], arguments: Mapping[str, Any]) -> Any:
    """A recurrent layer hands its mask on with whole sequences only; its states carry none."""
    mask = masks[0] if masks else None
    return mask if arguments.get("return_sequences") else None


def need_sequence(type_: str, x: Expr) -> None:
    """Raise AxesError unless x is a sequence."""
    if x.ndim != 3:
        missing = ", without steps" if x.ndim == 2 else f" with {x.ndim} axes"
        raise AxesError(f"{type_} needs an input of (batch, steps, features), got {shape_text(x.shape)}{missing}")


def _state_shape(x: Expr, size: StateSize) -> Shape:
    return (batch_of(x.shape), *((size,) if isinstance(size, int) else size))


def _need_states(type_: str, initial: Sequence[Expr], sizes: Mapping[str, StateSize]) -> None:
    if len(initial) != len(sizes):
        of_both = len(initial) == 2 * len(sizes)
        advice = (
            "; if they are of a Bidirectional layer, join each with that of the other direction: " if of_both else ""
        )
        raise ShapeError(
            f"{type_} needs {len(sizes)} initial state{'s' if len(sizes) > 1 else ''} ({', '.join(sizes)}), "
            f"got {len(initial)}{advice}{_joined_states(type_, initial, list(sizes)) if of_both else ''}"
        )
    for (name, size), state in zip(sizes.items(), initial, strict=True):
        wanted = _state_shape(state, size)
        if state.ndim != len(wanted) or not all(map(agree, state.shape[1:], wanted[1:])):
            listed = ", ".join(map(str, wanted[1:]))
            raise misfit(f"{type_} needs its initial {name} as (batch, {listed})", state)


def _joined_states(type_: str, initial: Sequence[Expr], names: Sequence[str]) -> str:
    """Return the calls that join the states of two directions, and the units of a layer that takes them."""
    joined = ", ".join([f"Concatenate()([{name}, {name}_backward])" for name in names])
    ends = [initial[0].shape[-1], initial[len(names)].shape[-1]]
    units = sum([end for end in ends if isinstance(end, int)])
    return f"initial_state=[{joined}]" + (f", and give {type_} {units} units" if None not in ends else "")


def recur(
    type_: str,
    cell: Cell,
    x: Expr,
    sizes: Mapping[str, StateSize],
    initial: Sequence[Expr],
    running: RecurrenceOptions,
    mask: Expr | None = None,
    zero_output_for_mask: bool = False,
    *,
    shown: int = 0,
    places: Sequence[tuple[int, ...]] = (),
) -> Mapping[str, Expr] | Stored:
    """Run `cell(x_t, *states) -> new states` over the steps of x; state number `shown` is also the output.

    `sizes` are those of the states, by their names; `places` where each stands in the layer's `states`, if that is no
    flat list.

    A masked step keeps the states; its output is the one before, or 0 with `zero_output_for_mask`. Results are y, and
    with return_state the last states under their names. With `stateful` the layer keeps the last states, and begins
    with them unless it is given others. Of unrolled steps that go backwards, Keras sets outputs to 0 by the mask in
    the order of the input, not by that of the steps.
    """
    names, shape = list(sizes), _state_shape(x, list(sizes.values())[shown])
    zeroed_later = zero_output_for_mask and running.unroll and running.go_backwards and running.return_sequences
    zero_output_for_mask = zero_output_for_mask and not zeroed_later
    left = _states_of_last_call(sizes, places) if running.stateful else []
    if initial:
        _need_states(type_, initial, sizes)
        states = dict(zip(names, initial, strict=True))
    elif left:
        states = dict(zip(names, left, strict=True))
    else:
        states = {name: zeros(shape=_state_shape(x, size)) for name, size in sizes.items()}
    sequences = running.return_sequences
    if running.go_backwards:
        x = named("xr", reverse(x))
    over = [x]
    if mask is not None:
        m = named("m", mask[..., *[None] * (len(shape) - 1)])
        over.append(named("mr", reverse(m)) if running.go_backwards else m)
    # The output of a masked step is the state that is kept, but for two cases: it is to be 0, or no step came before,
    # where the output is 0 and the state the one that was given.
    differs = mask is not None and (zero_output_for_mask or bool(initial) or bool(left))
    apart = differs and not (zero_output_for_mask and sequences)
    if apart:
        states["out"] = zeros(shape=shape)

    def step(*values: Expr) -> tuple[Sequence[Expr], Mapping[str, Expr]]:
        before = values[len(over) :]
        new = list(cell(values[0], *before[: len(names)]))
        output = new[shown]
        if mask is not None:
            m_t = values[1]
            if differs:
                output = where(m_t, new[shown], 0.0 if zero_output_for_mask else before[-1])
            kept = [named(f"{n}_kept", where(m_t, a, b)) for n, a, b in zip(names, new, before, strict=False)]
            output = output if differs else kept[shown]
            new = [*kept, output] if apart else kept
        return new, {"y": output} if sequences else {}

    run = loop(step, over, states)
    count = len(states) + sequences
    parts = [run] if count == 1 else [item(run, i) for i in range(count)]
    results = {"y": parts[-1] if sequences or apart else parts[shown]}
    if zeroed_later and mask is not None:
        results["y"] = zero_where_masked(results["y"], mask)
    if running.return_state:
        results.update(zip(names, parts, strict=False))
    return Stored(results, (), states=dict(zip(left, parts, strict=False))) if left else results


def zero_where_masked(outputs: Expr, mask: Expr) -> Expr:
    """The outputs of all steps, with 0 at masked ones."""
    return where(mask[..., *[None] * (outputs.ndim - 2)], outputs, 0.0)


def _states_of_last_call(sizes: Mapping[str, StateSize], places: Sequence[tuple[int, ...]]) -> list[Expr]:
    """Return the variables in which a layer with stateful=True keeps its states.

    Reference: keras.layers.RNN.states, one `rnn_state` for each state of the cell.
    """
    expressions = []
    for i, (name, size) in enumerate(sizes.items()):
        inside = [("units", size)] if isinstance(size, int) else [(f"axis {a}", n) for a, n in enumerate(size, start=1)]
        at: tuple[str | int, ...] = ("states", *(places[i] if places else (i,)))
        expressions.append(state_variable(f"{name}_last", "rnn_state", [("batch", BATCH), *inside], at=at))
    return expressions


def drawn(
    label: str, x: Expr, sizes: Sequence[Any], rate: float, gates: Iterable[str], training: bool
) -> dict[str, Expr]:
    """What dropout keeps in training of the input or of a state, the same at every step: for each gate its own, or for
    all under "" if none are named; nothing where nothing is dropped.

    Reference: keras.layers.LSTMCell (implementation 1 and 2); Gal and Ghahramani, 2016.
    """
    if not training or not 0 < rate < 1:
        return {}
    names = {gate: f"{label}_{gate}" for gate in gates} or {"": label}
    shape = (batch_of(x.shape), *sizes)
    return {gate: named(name, dropout(zeros(shape=shape) + 1, rate=rate)) for gate, name in names.items()}


def undropped(value: Expr, keep: Mapping[str, Expr], gate: str = "") -> Expr:
    """The input or a state as a gate reads it."""
    mask = keep.get(gate, keep.get(""))
    return value if mask is None else value * mask


RECURRENT = (
    KERNEL_AND_BIAS + " recurrent_initializer recurrent_regularizer recurrent_constraint seed implementation use_cudnn"
)
_GIST = (
    "{units} units, {activation}, {return_sequences:all steps|last step}, {go_backwards:backwards|}, "
    "{initial_state:from a given state|}, {stateful:state kept between calls|}"
)


def cell_weight(name: str, symbol: str, axes: WeightAxes, cell: str) -> Expr:
    """A weight of the layer's cell, which `cell` names; "" where the layer itself owns it."""
    return weight(name, symbol, axes, at="cell" if cell else "", path=cell)


def gates(w: Expr, names: str, stem: str = "") -> dict[str, Expr]:
    """A packed weight's parts, one a gate: `W_i, W_f, W_g, W_o = split(W, n=4)`."""
    parts = split(w, n=len(names))
    return {gate: named(f"{stem or w.label}_{gate}", part) for gate, part in zip(names, parts, strict=True)}


class Gates(NamedTuple):
    """What the gates take from the input or from the state: a kernel and a bias each (none if `biases` is empty), and
    what dropout keeps of it."""

    kernels: Mapping[str, Expr]
    biases: Mapping[str, Expr]
    keep: Mapping[str, Expr]

    def sum(self, v: Expr, gate: str, after: Expr | None = None) -> Expr:
        """The weighted sum for a gate, added to what stands before it: `… + dot(v, W_i) + b_i`."""
        z = dot(undropped(v, self.keep, gate), self.kernels[gate])
        z = z if after is None else after + z
        return z + self.biases[gate] if self.biases else z


def _taken(
    x: Expr, units: int, names: str, cell: str, bias: str, gating: Gating, training: bool, *, one_of_state: bool = False
) -> tuple[Gates, Gates]:
    """What the gates take from the input and from the state, and their weights. With `recurrent_dropout` each gate
    drops its own part, else all share one. `bias` is "", "one" for each gate,
    "two" (a row for the input and one for the state), or "flat": the same two, one behind the other."""
    each = names if gating.recurrent_dropout else ""
    keep_x = drawn("Dx", x, x.shape[-1:], gating.dropout, each, training)
    keep_h = drawn("Dh", x, (units,), gating.recurrent_dropout, each, training)
    packed = [("gates", len(names)), ("units", units)]
    W = cell_weight("kernel", "W", [("inputs", x.shape[-1]), packed], cell)
    U = cell_weight("recurrent_kernel", "U", [("states", units), packed], cell)
    W_gates, U_gates = gates(W, names), gates(U, names)
    b: dict[str, Expr] = {}
    halves: Sequence[Expr] = ()
    if bias == "one":
        b = gates(cell_weight("bias", "b", [packed], cell), names)
    elif bias == "two":
        both = cell_weight("bias", "b", [("bias rows", 2), packed], cell)
        halves = [both[i] for i in (0, 1)]
    elif bias == "flat":
        both = split(cell_weight("bias", "b", [[("bias rows", 2), *packed]], cell), n=2)
        halves = [named(f"b_{of}", half) for of, half in zip("xh", both, strict=True)]
    b_x, b_h = ({}, b) if one_of_state else (b, {})
    if halves:
        b_x, b_h = (gates(half, names, f"b{s}") for half, s in zip(halves, "xh", strict=True))
    return Gates(W_gates, b_x, keep_x), Gates(U_gates, b_h, keep_h)


def simple_step(x: Expr, units: int, name: str, ungated: Ungated, training: bool) -> Cell:
    """The step of a SimpleRNN whose cell is called `name`."""
    keep_x = drawn("Dx", x, x.shape[-1:], ungated.dropout, "", training)
    keep_h = drawn("Dh", x, (units,), ungated.recurrent_dropout, "", training)
    W = cell_weight("kernel", "W", [("inputs", x.shape[-1]), ("units", units)], name)
    U = cell_weight("recurrent_kernel", "U", [("states", units), ("units", units)], name)
    b = cell_weight("bias", "b", [("units", units)], name) if ungated.use_bias else None

    def cell(x_t: Expr, h: Expr) -> Sequence[Expr]:
        z = dot(undropped(x_t, keep_x), W) + dot(undropped(h, keep_h), U)
        return [named("h_new", activate(ungated.activation, z if b is None else z + b))]

    return cell


@layer("SimpleRNN", mask=recurrent_mask, ignores=RECURRENT, gist=f"SimpleRNN, {_GIST}", facts=Facts(states=1))
def simple_rnn(
    x: Expr,
    *initial_state: Expr,
    units: PositiveInt,
    ungated: Ungated,
    running: RecurrenceOptions,
    zero_output_for_mask: Bool = False,
    time_major: BatchFirst = False,
    mask: Expr | None = None,
    training: bool = False,
) -> Mapping[str, Expr] | Stored:
    """Reads the {steps} steps {order}. At each step, its state h ({units} values) is computed from the input and the
    previous h.

    Reference: Elman, 1990.
    """
    need_sequence("SimpleRNN", x)
    cell = simple_step(x, units, "simple_rnn_cell", ungated, training)
    return recur("SimpleRNN", cell, x, {"h": units}, initial_state, running, mask, zero_output_for_mask)


def gru_step(
    x: Expr, units: int, name: str, gating: Gating, reset_after: bool, training: bool = False, *, flat: bool = False
) -> Cell:
    """The step of a GRU whose cell is called `name`; with a `flat` bias for that of CuDNN."""
    bias = "flat" if flat else "" if not gating.use_bias else "two" if reset_after else "one"
    from_x, from_h = _taken(x, units, "zrg", name, bias, gating, training)

    def cell(x_t: Expr, h: Expr) -> Sequence[Expr]:
        z = named("z", activate(gating.recurrent_activation, from_h.sum(h, "z", from_x.sum(x_t, "z"))), "update gate")
        r = named("r", activate(gating.recurrent_activation, from_h.sum(h, "r", from_x.sum(x_t, "r"))), "reset gate")
        looked = r * from_h.sum(h, "g") if reset_after else dot(r * undropped(h, from_h.keep, "g"), from_h.kernels["g"])
        candidate = from_x.sum(x_t, "g") + looked
        g = named("g", activate(gating.activation, candidate), "candidate")
        return [named("h_new", z * h + (1 - z) * g)]

    return cell


@layer("GRU", mask=recurrent_mask, ignores=RECURRENT, gist=f"GRU, {_GIST}", facts=Facts(states=1))
def gru(
    x: Expr,
    *initial_state: Expr,
    units: PositiveInt,
    gating: Gating,
    running: RecurrenceOptions,
    reset_after: Bool = True,
    zero_output_for_mask: Bool = False,
    time_major: BatchFirst = False,
    mask: Expr | None = None,
    training: bool = False,
) -> Mapping[str, Expr] | Stored:
    """Reads the {steps} steps {order}. Its state h ({units} values) is its memory; gate z controls how much of it is
    kept, gate r how much of it enters the candidate g.

    Reference: Cho et al., 2014, where z and 1 - z change places.
    """
    need_sequence("GRU", x)
    cell = gru_step(x, units, "gru_cell", gating, reset_after, training)
    return recur("GRU", cell, x, {"h": units}, initial_state, running, mask, zero_output_for_mask)


def lstm_step(x: Expr, units: int, name: str, gating: Gating, training: bool = False, *, flat: bool = False) -> Cell:
    """The step of an LSTM whose cell is called `name`; with a `flat` bias for that of CuDNN."""
    bias = "flat" if flat else "one" if gating.use_bias else ""
    from_x, from_h = _taken(x, units, "ifgo", name, bias, gating, training, one_of_state=True)

    def cell(x_t: Expr, h: Expr, c: Expr) -> Sequence[Expr]:
        def gate(of: str, function: Any, words: str) -> Expr:
            return named(of, activate(function, from_h.sum(h, of, from_x.sum(x_t, of))), words)

        i = gate("i", gating.recurrent_activation, "input gate")
        f = gate("f", gating.recurrent_activation, "forget gate")
        g = gate("g", gating.activation, "candidate")
        o = gate("o", gating.recurrent_activation, "output gate")
        c_new = named("c_new", f * c + i * g)
        return named("h_new", o * activate(gating.activation, c_new)), c_new

    return cell


@layer(
    "LSTM", mask=recurrent_mask, ignores=RECURRENT + " unit_forget_bias", gist=f"LSTM, {_GIST}", facts=Facts(states=2)
)
def lstm(
    x: Expr,
    *initial_state: Expr,
    units: PositiveInt,
    gating: Gating,
    running: RecurrenceOptions,
    zero_output_for_mask: Bool = False,
    time_major: BatchFirst = False,
    mask: Expr | None = None,
    training: bool = False,
) -> Mapping[str, Expr] | Stored:
    """Reads the {steps} steps {order}. The cell state c is its memory; gates control how much is kept (f), written (i)
    and output (o).

    Reference: Hochreiter and Schmidhuber, 1997.
    """
    need_sequence("LSTM", x)
    cell = lstm_step(x, units, "lstm_cell", gating, training)
    return recur("LSTM", cell, x, {"h": units, "c": units}, initial_state, running, mask, zero_output_for_mask)


@layer("CuDNNGRU", ignores=RECURRENT, gist=f"CuDNNGRU, {_GIST}", facts=Facts(states=1))
def cudnn_gru(
    x: Expr, *initial_state: Expr, units: PositiveInt, running: RecurrenceOptions, time_major: BatchFirst = False
) -> Mapping[str, Expr] | Stored:
    """Reads the {steps} steps {order}, as GRU with reset_after does. Its state h ({units} values) is its memory.

    Reference: tf.compat.v1.keras.layers.CuDNNGRU.
    """
    need_sequence("CuDNNGRU", x)
    step = gru_step(x, units, "", Gating(), True, flat=True)
    return recur("CuDNNGRU", step, x, {"h": units}, initial_state, running)


@layer("CuDNNLSTM", ignores=RECURRENT + " unit_forget_bias", gist=f"CuDNNLSTM, {_GIST}", facts=Facts(states=2))
def cudnn_lstm(
    x: Expr, *initial_state: Expr, units: PositiveInt, running: RecurrenceOptions, time_major: BatchFirst = False
) -> Mapping[str, Expr] | Stored:
    """Reads the {steps} steps {order}, as LSTM does, with a second bias. Its cell state c ({units} values) is its
    memory.

    Reference: tf.compat.v1.keras.layers.CuDNNLSTM.
    """
    need_sequence("CuDNNLSTM", x)
    step = lstm_step(x, units, "", Gating(), flat=True)
    return recur("CuDNNLSTM", step, x, {"h": units, "c": units}, initial_state, running)
