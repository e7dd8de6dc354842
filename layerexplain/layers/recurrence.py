"""What recurrent layers share: the loop over the steps, its masks, initial states, dropout, and what comes out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.definition import loop
from layerexplain.lang.expr import BATCH, Expr, Shape, item, named
from layerexplain.layers.arguments import Activation, Bool, Share
from layerexplain.ops.elementwise import where
from layerexplain.ops.movement import reverse, take_slice, zeros
from layerexplain.ops.random import dropout
from layerexplain.ops.sizes import agree, shape_text
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


class Returned(NamedTuple):
    """The arguments of a recurrent layer that say which results come out of it, and from which end it begins."""

    return_sequences: Bool = False
    return_state: Bool = False
    go_backwards: Bool = False


def recurrent_mask(tensors: list[Expr], masks: list[Expr | None], arguments: Mapping[str, Any]) -> Any:
    """A recurrent layer hands its mask on with whole sequences only; its states carry none."""
    mask = masks[0] if masks else None
    return mask if arguments.get("return_sequences") else None


def need_sequence(type_: str, x: Expr) -> None:
    """Raise ShapeError unless x is a sequence."""
    if x.ndim != 3:
        missing = ", without steps" if x.ndim == 2 else f" with {x.ndim} axes"
        raise ShapeError(f"{type_} needs an input of (batch, steps, features), got {shape_text(x.shape)}{missing}")


def _state_shape(size: StateSize) -> Shape:
    return (BATCH, size) if isinstance(size, int) else (BATCH, *size)


def _need_states(type_: str, initial: Sequence[Expr], sizes: Mapping[str, StateSize]) -> None:
    if len(initial) != len(sizes):
        raise ShapeError(
            f"{type_} needs {len(sizes)} initial state{'s' if len(sizes) > 1 else ''} ({', '.join(sizes)}), "
            f"got {len(initial)}"
        )
    for (name, size), state in zip(sizes.items(), initial, strict=True):
        wanted = _state_shape(size)
        if state.ndim != len(wanted) or not all(map(agree, state.shape[1:], wanted[1:])):
            listed = ", ".join(map(str, wanted[1:]))
            raise ShapeError(f"{type_} needs its initial {name} as (batch, {listed}), got {shape_text(state.shape)}")


def recur(
    type_: str,
    cell: Cell,
    x: Expr,
    sizes: Mapping[str, StateSize],
    initial: Sequence[Expr],
    returned: Returned,
    mask: Expr | None = None,
    zero_output_for_mask: bool = False,
    *,
    shown: int = 0,
) -> Mapping[str, Expr]:
    """Run `cell(x_t, *states) -> new states` over the steps of x; state number `shown` is also the output.

    `sizes` are those of the states, by their names.

    A masked step keeps the states; its output is the one before, or 0 with `zero_output_for_mask`. Results are y, and
    with return_state the last states under their names.
    """
    names, shape = list(sizes), _state_shape(list(sizes.values())[shown])
    if initial:
        _need_states(type_, initial, sizes)
        states = dict(zip(names, initial, strict=True))
    else:
        states = {name: zeros(shape=_state_shape(size)) for name, size in sizes.items()}
    sequences = returned.return_sequences
    if returned.go_backwards:
        x = named("xr", reverse(x))
    over = [x]
    if mask is not None:
        m = named("m", take_slice(mask, key=(Ellipsis, *[None] * (len(shape) - 1))))
        over.append(named("mr", reverse(m)) if returned.go_backwards else m)
    # The output of a masked step is the state that is kept, but for two cases: it is to be 0, or no step came before,
    # where the output is 0 and the state the one that was given.
    differs = mask is not None and (zero_output_for_mask or bool(initial))
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
    if returned.return_state:
        results.update(zip(names, parts, strict=False))
    return results


class Dropout:
    """The dropout of a recurrent layer in training: which parts of its input and state are dropped, the same ones at
    every step. With `recurrent_dropout` each gate draws its own, else all share one.

    Reference: keras.layers.LSTMCell (implementation 1 and 2); Gal and Ghahramani, 2016.
    """

    def __init__(
        self,
        x: Expr,
        units: int,
        gates: str,
        rate: float = 0.0,
        recurrent_rate: float = 0.0,
        *,
        training: bool = False,
        shared: bool = False,
    ) -> None:
        each = "" if shared or not recurrent_rate else gates
        self._inputs = self._draw("Dx", x.shape[-1], rate, each) if training else {}
        self._states = self._draw("Dh", units, recurrent_rate, each) if training else {}

    @staticmethod
    def _draw(label: str, size: Any, rate: float, gates: str) -> dict[str, Expr]:
        if not 0 < rate < 1:
            return {}
        names = {gate: f"{label}_{gate}" for gate in gates} or {"": label}
        return {g: named(name, dropout(zeros(shape=(BATCH, size)) + 1, rate=rate)) for g, name in names.items()}

    def input(self, x_t: Expr, gate: str = "") -> Expr:
        """Return the step's input as a gate reads it."""
        return _kept(x_t, self._inputs, gate)

    def state(self, h: Expr, gate: str = "") -> Expr:
        """Return the state as a gate reads it."""
        return _kept(h, self._states, gate)


def _kept(value: Expr, drawn: Mapping[str, Expr], gate: str) -> Expr:
    keep = drawn.get(gate, drawn.get(""))
    return value if keep is None else value * keep
