"""Cells, the layers that compute one step of a recurrent layer, and RNN, which runs any of them over all steps."""

from collections.abc import Mapping, Sequence
from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import Expr, item, named
from layerexplain.layers.arguments import BatchFirst, Bool, Cell, Inners, PositiveInt, short
from layerexplain.layers.declaration import Spec, Stored
from layerexplain.layers.keras.rnn import (
    RECURRENT,
    Gating,
    RecurrenceOptions,
    Ungated,
    gru_step,
    lstm_step,
    need_sequence,
    recur,
    recurrent_mask,
    simple_step,
)
from layerexplain.layers.keras.rnn import Cell as Step
from layerexplain.layers.known_definitions import DeclaredLayer, InnerLayer, apply
from layerexplain.layers.registry import LAYERS, declare_once, layer
from layerexplain.layers.signature import Facts
from layerexplain.ops.sizes import agree, shape_text
from layerexplain.records import NamedTuple

NAMES = {"SimpleRNNCell": ("h",), "GRUCell": ("h",), "LSTMCell": ("h", "c")}
"""The states of each cell, each with `units` values; the first is its output, too."""


class States(NamedTuple):
    """The sizes of the states that a cell keeps from step to step, by name; number `shown` is its output as well.
    `places` say where they stand in the lists of stacked cells; a cell alone has none."""

    sizes: Mapping[str, int]
    shown: int = 0
    places: tuple[tuple[int, ...], ...] = ()


def states_of(cell: InnerLayer, number: str = "") -> States:
    """The states of a cell, of stacked cells one after the other; `number` is put behind their names.

    Raises `ArgumentError` for a cell that layerexplain does not know.
    """
    if cell.type == "StackedRNNCells":
        return _states_of_all(_inner(cell.config.get("cells")), number)
    own = cell.declaration.state_sizes(cell.config) if cell.declaration is not None else None
    if own is not None:
        labels = ["h"] if len(own) == 1 else [f"s{i + 1}" for i in range(len(own))]
        return States({f"{label}{number}": size for label, size in zip(labels, own, strict=True)})
    names = NAMES.get(cell.type)
    units = cell.config.get("units")
    if names is None or not isinstance(units, int):
        raise ArgumentError(
            f"a recurrent layer needs cells of Keras ({', '.join(NAMES)}, StackedRNNCells), got {cell.type}; "
            f"the states of other cells are unknown"
        )
    return States({f"{name}{number}": int(units) for name in names})  # True is 1


MOST_CELLS = 32
"""Every cell of a stack reads what all cells below it remember, so that work grows with the square of their number."""


def _states_of_all(cells: Sequence[InnerLayer], number: str = "") -> States:
    if len(cells) > MOST_CELLS:
        raise ArgumentError(f"stacked cells are explained up to {MOST_CELLS}, got {len(cells):,}")
    parts = [states_of(cell, f"{number}_{i + 1}") for i, cell in enumerate(cells)]
    sizes = {name: size for part in parts for name, size in part.sizes.items()}
    places = [(i, *at) for i, part in enumerate(parts) for at in part.places or [(k,) for k in range(len(part.sizes))]]
    return States(sizes, len(sizes) - len(parts[-1].sizes) + parts[-1].shown, tuple(places))


def _inner(cells: Any) -> tuple[InnerLayer, ...]:
    """The cells of a configuration, ready to be applied."""
    if not isinstance(cells, list | tuple) or not cells:
        raise ArgumentError(f"StackedRNNCells needs cells to be a list of cells, got cells={short(cells)}")
    return tuple(cells)


def _need_step(type_: str, x: Expr, states: Sequence[Expr], wanted: Mapping[str, int]) -> None:
    """A cell sees one step, and its states as the step before left them."""
    if x.ndim != 2:
        raise ShapeError(
            f"{type_} needs one step as (batch, features), got {shape_text(x.shape)} with {x.ndim} axes; "
            f"RNN runs a cell over all steps of a sequence"
        )
    listed = ", ".join(f"{name} (batch, {size})" for name, size in wanted.items())
    fits = len(states) == len(wanted) and all(
        state.ndim == 2 and agree(state.shape[1], size) for state, size in zip(states, wanted.values(), strict=True)
    )
    if not fits:
        given = ", ".join(shape_text(s.shape) for s in states) or "none"
        raise ShapeError(f"{type_} needs its states {listed} after the step, got {given}")


def _one_step(type_: str, x: Expr, states: Sequence[Expr], units: int, step: Step) -> Mapping[str, Expr]:
    """The results of a cell: its output, then all states."""
    names = NAMES[type_]
    _need_step(type_, x, states, dict.fromkeys(names, units))
    new = step(x, *states)
    return {"y": new[0], **{f"{name}_new": state for name, state in zip(names, new, strict=True)}}


@layer("SimpleRNNCell", ignores=RECURRENT, called=("h",), gist="{formula}, {units} units", facts=Facts(results=2))
def simple_rnn_cell(
    x: Expr, *states: Expr, units: PositiveInt, ungated: Ungated, training: bool = False
) -> Mapping[str, Expr]:
    """Computes one step of SimpleRNN: a new state h ({units} values) from the {inputs} inputs and the previous h.

    Input shape: (batch, features), and the last h (batch, units). Output shape: (batch, units) twice: the output and
    the new h, which are the same. Reference: Elman, 1990.
    """
    return _one_step("SimpleRNNCell", x, states, units, simple_step(x, units, "", ungated, training))


@layer("GRUCell", ignores=RECURRENT, called=("h",), gist="{formula}, {units} units", facts=Facts(results=2))
def gru_cell(
    x: Expr, *states: Expr, units: PositiveInt, gating: Gating, reset_after: Bool = True, training: bool = False
) -> Mapping[str, Expr]:
    """Computes one step of GRU: gate z controls how much of the state h ({units} values) is kept, gate r how much of it
    the candidate g depends on.

    Input shape: (batch, features), and the last h (batch, units). Output shape: (batch, units) twice: the output and
    the new h, which are the same. Reference: Cho et al., 2014, where z and 1 - z change places.
    """
    return _one_step("GRUCell", x, states, units, gru_step(x, units, "", gating, reset_after, training))


@layer(
    "LSTMCell",
    ignores=RECURRENT + " unit_forget_bias",
    called=("h", "c"),
    gist="{formula}, {units} units",
    facts=Facts(results=3),
)
def lstm_cell(x: Expr, *states: Expr, units: PositiveInt, gating: Gating, training: bool = False) -> Mapping[str, Expr]:
    """Computes one step of LSTM: the cell state c ({units} values) is the memory; gates control how much is kept (f),
    written (i) and output (o).

    Input shape: (batch, features), and the last h and c, (batch, units) each. Output shape: (batch, units) three
    times: the output, which is the new h, the new h and the new c.
    Reference: Hochreiter and Schmidhuber, 1997.
    """
    return _one_step("LSTMCell", x, states, units, lstm_step(x, units, "", gating, training))


@layer("StackedRNNCells", gist="{layers}", facts=Facts(results=0))
def stacked_rnn_cells(x: Expr, *states: Expr, cells: Inners, training: bool = False) -> Mapping[str, Expr]:
    """Computes one step of stacked cells; each reads the output of the cell below.

    Input shape: (batch, features), and the states of all cells in order. Output shape: the output of the last cell,
    then the new states of all cells.
    """
    stack = _inner(cells)
    _need_step("StackedRNNCells", x, states, _states_of_all(stack).sizes)
    left = list(states)
    results: dict[str, Expr] = {}
    for i, cell in enumerate(stack):
        own = states_of(cell, f"_{i + 1}")
        count = len(own.sizes)
        run = apply(cell, [x, *left[:count]], at=("cells", i), suffix=f"_{i + 1}", training=training)
        left = left[count:]
        x = named(f"y_{i + 1}", item(run, 0))
        results.update({f"{name}_new": item(run, k + 1) for k, name in enumerate(own.sizes)})
    return {"y": x, **results}


def _with_output(cell: InnerLayer, states: States, x: Expr, training: bool) -> States:
    """The states of a cell; of one of the author's own with the state that is its output too. Raises `ArgumentError`
    where none is."""
    if cell.type in NAMES or cell.type == "StackedRNNCells":
        return states
    before = [Spec((x.shape[0], size), "float") for size in states.sizes.values()]
    definition = cell.definition([Spec((x.shape[0], *x.shape[2:]), x.dtype), *before], training=training)
    output, *new = definition.results.values()
    if len(new) != len(states.sizes):
        raise ArgumentError(f"{cell.type} needs to return its output and {len(states.sizes)} states, got {len(new)}")
    shown = next((i for i, expression in enumerate(new) if expression is output), None)
    if shown is None:
        raise ArgumentError(f"the output of {cell.type} is none of its states, which RNN is not explained with")
    return states._replace(shown=shown)


def _stacked(cells: tuple[InnerLayer, ...]) -> DeclaredLayer:
    return DeclaredLayer(declare_once(LAYERS["StackedRNNCells"]), {"cells": cells})


@layer(
    "RNN",
    mask=recurrent_mask,
    ignores="constants",
    gist="{layer}, {return_sequences:all steps|last step}, {go_backwards:backwards|}, "
    "{stateful:state kept between calls|}",
)
def rnn(
    x: Expr,
    *initial_state: Expr,
    cell: Cell,
    running: RecurrenceOptions,
    zero_output_for_mask: Bool = False,
    time_major: BatchFirst = False,
    mask: Expr | None = None,
    training: bool = False,
) -> Mapping[str, Expr] | Stored:
    """Runs {cell} over the {steps} steps {order} and passes its states from each step to the next.

    In training, a cell's dropout drops the same values at every step.
    Input shape: (batch, steps, features). Output shape: (batch, width of the cell's output), or
    (batch, steps, width) with return_sequences; with return_state the last states of the cell follow.
    """
    need_sequence("RNN", x)
    one: InnerLayer = _stacked(cell) if isinstance(cell, tuple) else cell
    states = _with_output(one, states_of(one), x, training)

    def step(x_t: Expr, *before: Expr) -> Sequence[Expr]:
        run = apply(one, [x_t, *before], at=("cell",), training=training)
        return [named(f"{name}_new", item(run, i + 1)) for i, name in enumerate(states.sizes)]

    shown, places = states.shown, states.places
    return recur(
        "RNN", step, x, states.sizes, initial_state, running, mask, zero_output_for_mask, shown=shown, places=places
    )
