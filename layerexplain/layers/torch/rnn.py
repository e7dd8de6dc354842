"""Recurrent modules: RNN, LSTM and GRU of several layers and both directions, and their cells.

Input shape: (steps, batch, features), or (batch, steps, features) with batch_first. Output shape: likewise, with
hidden_size values a step, twice as many with both directions; then h_n and, of an LSTM, c_n:
(layers · directions, batch, hidden_size), also with batch_first.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from layerexplain.errors import ArgumentError, AxesError, ShapeError
from layerexplain.lang.axes import Shape
from layerexplain.lang.definition import loop
from layerexplain.lang.expr import Expr, item, named, rounds, weight
from layerexplain.layers.arguments import Bool, NaturalInt, PositiveInt, Share, choice
from layerexplain.layers.signature import Facts
from layerexplain.layers.torch.construction import module, need_channels
from layerexplain.ops.contract import linear
from layerexplain.ops.functions import relu, sigmoid, tanh
from layerexplain.ops.joining import concatenate, split, stack
from layerexplain.ops.movement import transpose, zeros
from layerexplain.ops.numbers import dropout as drop
from layerexplain.ops.sizes import agree, shape_text
from layerexplain.records import NamedTuple

SEQUENCE = Facts(tells_axes="steps", results=0, batch_second=("h_0", "c_0"))
GIST = "{hidden_size} units, {num_layers} layers, {bidirectional:both directions|}"


class Kind(NamedTuple):
    """A kind of recurrence: its states, the letters of its gates in PyTorch's order, and its step, which takes the
    weighted sums of the input and of h for each gate, and the states."""

    states: tuple[str, ...]
    gates: str
    step: Callable[..., Sequence[Expr]]


Sums = Callable[..., Expr]
"""The weighted sum for a gate, `sums(gate)`, or added to what stands before it."""


def _plain_step(activation: Callable[[Expr], Expr]) -> Callable[..., Sequence[Expr]]:
    def step(of_x: Sums, of_h: Sums, h: Expr) -> Sequence[Expr]:
        return [named("h_new", activation(of_h("", of_x(""))))]

    return step


def _lstm_step(of_x: Sums, of_h: Sums, h: Expr, c: Expr) -> Sequence[Expr]:
    i, f, g, o = (
        named(gate, function(of_h(gate, of_x(gate))), words)
        for gate, function, words in (
            ("i", sigmoid, "input gate"),
            ("f", sigmoid, "forget gate"),
            ("g", tanh, "candidate"),
            ("o", sigmoid, "output gate"),
        )
    )
    c_new = named("c_new", f * c + i * g)
    return named("h_new", o * tanh(c_new)), c_new


def _gru_step(of_x: Sums, of_h: Sums, h: Expr) -> Sequence[Expr]:
    r = named("r", sigmoid(of_h("r", of_x("r"))), "reset gate")
    z = named("z", sigmoid(of_h("z", of_x("z"))), "update gate")
    new = named("new", tanh(of_x("n") + r * of_h("n")), "candidate")
    return [named("h_new", (1 - z) * new + z * h)]


LSTM = Kind(("h", "c"), "ifgo", _lstm_step)
GRU = Kind(("h",), "rzn", _gru_step)
PLAIN = {name: Kind(("h",), "", _plain_step(function)) for name, function in (("tanh", tanh), ("relu", relu))}


class RecurrentSizes(NamedTuple):
    """The sizes of one layer in one direction: of what it reads, of its h and of what its gates have."""

    inputs: int
    shown: int
    hidden: int


def _packed(name: str, symbol: str, kind: Kind, hidden: int, summed: tuple[str, int] | None = None) -> dict[str, Expr]:
    """A weight for all gates, one behind the other, in parts: `W_i, W_f, W_g, W_o = split(W, n=4, axis=0)`."""
    count = max(len(kind.gates), 1)
    first: Any = [("gates", count), ("units", hidden)] if count > 1 else ("units", hidden)
    whole = weight(name, symbol, [first] if summed is None else [first, summed])
    if count == 1:
        return {"": whole}
    parts = split(whole, n=count) if summed is None else split(whole, n=count, axis=0)
    return {gate: named(f"{symbol}_{gate}", part) for gate, part in zip(kind.gates, parts, strict=True)}


def _step(
    kind: Kind, sizes: RecurrentSizes, bias: bool, ends: tuple[str, str], projected: bool = False
) -> Callable[..., Sequence[Expr]]:
    """The step of a layer: its weights with the ends of their names and of their symbols, in PyTorch's order."""
    end, mark = ends
    W = _packed(f"weight_ih{end}", f"W{mark}", kind, sizes.hidden, ("inputs", sizes.inputs))
    U = _packed(f"weight_hh{end}", f"U{mark}", kind, sizes.hidden, ("states", sizes.shown))
    b = _packed(f"bias_ih{end}", f"b{mark}", kind, sizes.hidden) if bias else {}
    a = _packed(f"bias_hh{end}", f"a{mark}", kind, sizes.hidden) if bias else {}
    P = (
        weight(f"weight_hr{end}", f"P{mark}", [("outputs", sizes.shown), ("units", sizes.hidden)])
        if projected
        else None
    )

    def step(x_t: Expr, *states: Expr) -> Sequence[Expr]:
        def of_x(gate: str) -> Expr:
            z = linear(x_t, W[gate])
            return z + b[gate] if bias else z

        def of_h(gate: str, before: Expr | None = None) -> Expr:
            z = linear(states[0], U[gate])
            z = z if before is None else before + z
            return z + a[gate] if bias else z

        new = kind.step(of_x, of_h, *states)
        return new if P is None else (named("h_out", linear(new[0], P)), *new[1:])

    return step


def _recurrent(
    type_: str, kind: Kind, x: Expr, initial: Sequence[Expr | None], arguments: Mapping[str, Any], training: bool
) -> Mapping[str, Expr]:
    """All layers and directions of a recurrent module over the steps of x."""
    hidden, layers, bias = arguments["hidden_size"], arguments["num_layers"], arguments["bias"]
    projected = arguments.get("proj_size", 0)
    directions = 2 if arguments["bidirectional"] else 1
    if projected >= hidden:
        raise ArgumentError(f"{type_} needs proj_size below hidden_size={hidden}, got proj_size={projected}")
    alone = x.ndim == 2
    if x.ndim not in (2, 3):
        wanted = "(batch, steps, features)" if arguments["batch_first"] else "(steps, batch, features)"
        raise AxesError(f"{type_} needs an input of {wanted}, or (steps, features) of one, got {shape_text(x.shape)}")
    need_channels(type_, "input_size", arguments["input_size"], x, axis=-1)
    if alone:
        x = x[None]
    elif not arguments["batch_first"]:
        x = named("xt", transpose(x, axes=(1, 0, 2)), "the batch first")
    batch, shown = x.shape[0], projected or hidden
    widths = [shown, hidden][: len(kind.states)]
    first = _initial(type_, kind, initial, (layers * directions, batch), widths, alone, arguments["batch_first"])
    last: dict[str, list[Expr]] = {name: [] for name in kind.states}
    for number in rounds(layers):
        outputs = []
        for backwards in range(directions):
            several = layers * directions > 1
            mark = (f"{number}" if layers > 1 else "") + ("b" if backwards else "") if several else ""
            ends = f"_l{number}{'_reverse' if backwards else ''}", mark
            sizes = RecurrentSizes(arguments["input_size"] if number == 0 else shown * directions, shown, hidden)
            step = _step(kind, sizes, bias, ends, bool(projected))
            place = number * directions + backwards
            states = {name: part[place % len(part)] for name, part in first.items()}
            run = loop(partial(_with_output, step), [x], states, backwards=bool(backwards))
            for k, name in enumerate(kind.states):
                last[name].append(item(run, k))
            outputs.append(item(run, len(kind.states)))
        x = outputs[0] if directions == 1 else named(f"y{number}", concatenate(*outputs), "both directions")
        if number + 1 < layers and training and arguments["dropout"]:
            x = drop(x, rate=arguments["dropout"])
    ends_of = {f"{name}_n": stack(*parts) for name, parts in last.items()}
    if alone:
        return {"y": x[0], **{name: e[:, 0] for name, e in ends_of.items()}}
    return {"y": x if arguments["batch_first"] else transpose(x, axes=(1, 0, 2)), **ends_of}


def _with_output(step: Callable[..., Sequence[Expr]], *values: Expr) -> tuple[Sequence[Expr], Mapping[str, Expr]]:
    new = step(*values)
    return new, {"y": new[0]}


def _initial(
    type_: str,
    kind: Kind,
    initial: Sequence[Expr | None],
    lead: tuple[int, Any],
    widths: Sequence[int],
    alone: bool,
    batch_first: bool,
) -> dict[str, list[Expr]]:
    """The states that each layer and direction begins with: zeros, or parts of those that are given."""
    count, batch = lead
    result = {}
    for name, width, expression in zip(kind.states, widths, (*initial, None, None), strict=False):
        if expression is None:
            result[name] = [zeros(shape=(batch, width))]  # for all of them
            continue
        wanted = (count, width) if alone else (count, batch, width)
        if alone and expression.ndim == 3:
            raise ShapeError(
                f"{type_} takes an input of two axes for one example of (steps, features), and {name}_0 of "
                f"{shape_text(expression.shape)} is of a batch; where the input is (batch, features), write "
                "x.unsqueeze(1)"
            )
        if expression.ndim != len(wanted) or not all(map(agree, expression.shape, wanted)):
            needs = f"{type_} needs {name}_0 of shape {shape_text(wanted)}: layers times directions first, got "
            raise ShapeError(
                f"{needs}{shape_text(expression.shape)}; {state_cure(wanted, expression.shape, batch_first)}"
            )
        result[name] = [expression[i, None] if alone else expression[i] for i in rounds(count)]
    return result


def state_cure(wanted: Shape, got: Shape, batch_first: bool | None) -> str:
    """Return what gives a state the shape that a recurrent module needs; `batch_first` is None where it is not known.

    >>> state_cure((2, 5, 3), (1, 5, 3), True)
    'its first size is num_layers, or twice that with bidirectional=True: write 2'
    """
    if wanted[:1] != got[:1]:
        return f"its first size is num_layers, or twice that with bidirectional=True: write {wanted[0]}"
    if wanted[-1:] != got[-1:]:
        return f"its last size is hidden_size: write {wanted[-1]}"
    if batch_first is False:
        return (
            "without batch_first=True the input is (steps, batch, features): write batch_first=True where the data are "
            "(batch, steps, features), or else take the batch of the state from x.size(1)"
        )
    return (
        "take the batch from the input, as in torch.zeros(layers, x.size(0), hidden), or leave the state out. With "
        "batch_first=True states still have the batch second"
    )


class Layers(NamedTuple):
    """The arguments that RNN, LSTM and GRU share."""

    input_size: PositiveInt
    hidden_size: PositiveInt
    num_layers: PositiveInt = 1
    bias: Bool = True
    batch_first: Bool = False
    dropout: Share = 0.0
    bidirectional: Bool = False


@module("LSTM", facts=SEQUENCE, gist=f"LSTM, {GIST}, {{proj_size}} projected")
def lstm(
    x: Expr,
    h_0: Expr | None = None,
    c_0: Expr | None = None,
    *,
    layers: Layers,
    proj_size: NaturalInt = 0,
    training: bool = False,
) -> Mapping[str, Expr]:
    """Reads the steps in order. The cell state c is its memory; gates control how much is kept (f), written (i) and
    output (o).

    Reference: torch.nn.LSTM.
    """
    arguments = {**layers._asdict(), "proj_size": proj_size}
    return _recurrent("LSTM", LSTM, x, (h_0, c_0), arguments, training)


@module("GRU", facts=SEQUENCE, gist=f"GRU, {GIST}")
def gru(x: Expr, h_0: Expr | None = None, *, layers: Layers, training: bool = False) -> Mapping[str, Expr]:
    """Reads the steps in order. Its state h ({hidden_size} values) is its memory; gate z controls how much of it is
    kept, gate r how much of it the candidate depends on.

    Reference: torch.nn.GRU.
    """
    return _recurrent("GRU", GRU, x, (h_0,), layers._asdict(), training)


@module("RNN", facts=SEQUENCE, gist=f"RNN, {GIST}, {{nonlinearity}}")
def rnn(
    x: Expr,
    h_0: Expr | None = None,
    *,
    input_size: PositiveInt,
    hidden_size: PositiveInt,
    num_layers: PositiveInt = 1,
    nonlinearity: choice("tanh", "relu") = "tanh",  # type: ignore[valid-type]
    bias: Bool = True,
    batch_first: Bool = False,
    dropout: Share = 0.0,
    bidirectional: Bool = False,
    training: bool = False,
) -> Mapping[str, Expr]:
    """Reads the steps in order. At each step, its state h ({hidden_size} values) is computed from the input and the
    previous h.

    Reference: torch.nn.RNN.
    """
    layers = Layers(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional)
    return _recurrent("RNN", PLAIN[nonlinearity], x, (h_0,), layers._asdict(), training)


# One step -------------------------------------------------------------------------------------------------------


def _one_step(
    type_: str, kind: Kind, x: Expr, states: Sequence[Expr | None], input_size: int, hidden_size: int, bias: bool
) -> Mapping[str, Expr]:
    if x.ndim not in (1, 2):
        raise AxesError(f"{type_} needs one step as (batch, input_size), got {shape_text(x.shape)}")
    need_channels(type_, "input_size", input_size, x, axis=-1)
    step = _step(kind, RecurrentSizes(input_size, hidden_size, hidden_size), bias, ("", ""))
    shape = (*x.shape[:-1], hidden_size)
    before = []
    for name, state in zip(kind.states, states, strict=True):
        if state is not None and (state.ndim != x.ndim or not all(map(agree, state.shape, shape))):
            raise ShapeError(f"{type_} needs {name} of shape {shape_text(shape)}, got {shape_text(state.shape)}")
        before.append(zeros(shape=shape) if state is None else state)
    return {f"{name}_new": e for name, e in zip(kind.states, step(x, *before), strict=True)}


@module("LSTMCell", gist="{formula}, {hidden_size} units", facts=Facts(results=2))
def lstm_cell(
    x: Expr,
    h: Expr | None = None,
    c: Expr | None = None,
    *,
    input_size: PositiveInt,
    hidden_size: PositiveInt,
    bias: Bool = True,
) -> Mapping[str, Expr]:
    """Computes one step of LSTM: the cell state c ({hidden_size} values) is the memory; gates control how much is kept
    (f), written (i) and output (o).

    Input shape: (batch, input_size), and the last h and c, (batch, hidden_size) each. Output shape: the new h and c.
    Reference: torch.nn.LSTMCell.
    """
    return _one_step("LSTMCell", LSTM, x, (h, c), input_size, hidden_size, bias)


@module("GRUCell", gist="{formula}, {hidden_size} units")
def gru_cell(
    x: Expr, h: Expr | None = None, *, input_size: PositiveInt, hidden_size: PositiveInt, bias: Bool = True
) -> Expr:
    """Computes one step of GRU: gate z controls how much of the state h ({hidden_size} values) is kept, gate r how much
    of it the candidate depends on.

    Input shape: (batch, input_size), and the last h (batch, hidden_size). Output shape: the new h.
    Reference: torch.nn.GRUCell.
    """
    return _one_step("GRUCell", GRU, x, (h,), input_size, hidden_size, bias)["h_new"]


@module("RNNCell", gist="{formula}, {hidden_size} units")
def rnn_cell(
    x: Expr,
    h: Expr | None = None,
    *,
    input_size: PositiveInt,
    hidden_size: PositiveInt,
    bias: Bool = True,
    nonlinearity: choice("tanh", "relu") = "tanh",  # type: ignore[valid-type]
) -> Expr:
    """Computes one step of RNN: a new state h ({hidden_size} values) from the {input_size} inputs and the previous h.

    Input shape: (batch, input_size), and the last h (batch, hidden_size). Output shape: the new h.
    Reference: torch.nn.RNNCell.
    """
    return _one_step("RNNCell", PLAIN[nonlinearity], x, (h,), input_size, hidden_size, bias)["h_new"]
