"""Recurrent layers: SimpleRNN, GRU, LSTM."""

from collections.abc import Mapping, Sequence

from layerexplain.expr import Expr, named, weight
from layerexplain.layers.activations import activate
from layerexplain.layers.arguments import Activation, Bool, PositiveInt, Share
from layerexplain.layers.recurrence import recur, recurrent_mask
from layerexplain.layers.registry import KERNEL_AND_BIAS, layer
from layerexplain.ops.contract import dot
from layerexplain.ops.movement import split

RECURRENT = (
    KERNEL_AND_BIAS + " recurrent_initializer recurrent_regularizer recurrent_constraint unroll stateful seed "
    "implementation time_major reset_after unit_forget_bias use_cudnn"
)


def gates(w: Expr, names: str) -> list[Expr]:
    """A packed weight's parts, one a gate: `W_i, W_f, W_g, W_o = split(W, n=4)`."""
    parts = list(split(w, n=len(names)))
    return [named(f"{w.label}_{gate}", part) for gate, part in zip(names, parts, strict=True)]


@layer("LSTM", ndim=3, mask=recurrent_mask, ignores=RECURRENT)
def lstm(
    x: Expr,
    *initial_state: Expr,
    units: PositiveInt,
    activation: Activation = "tanh",
    recurrent_activation: Activation = "sigmoid",
    use_bias: Bool = True,
    dropout: Share = 0.0,
    recurrent_dropout: Share = 0.0,
    return_sequences: Bool = False,
    return_state: Bool = False,
    go_backwards: Bool = False,
    zero_output_for_mask: Bool = False,
    mask: Expr | None = None,
) -> Mapping[str, Expr]:
    """Reads the {steps} steps in order. The cell c is the memory; gates decide what to keep (f), write (i), show (o).

    Input shape: (batch, steps, features). Output shape: (batch, units), or (batch, steps, units) with
    return_sequences; with return_state the last h and c, (batch, units) each, follow.
    Reference: keras.layers.LSTM; Hochreiter and Schmidhuber, 1997.
    """
    packed = [("gates", 4), ("units", units)]
    W = weight("kernel", "W", [("inputs", x.shape[-1]), packed], at="cell", path="lstm_cell")  # noqa: N806
    U = weight("recurrent_kernel", "U", [("units", units), packed], at="cell", path="lstm_cell")  # noqa: N806
    W_i, W_f, W_g, W_o = gates(W, "ifgo")  # noqa: N806
    U_i, U_f, U_g, U_o = gates(U, "ifgo")  # noqa: N806
    biases = gates(weight("bias", "b", [packed], at="cell", path="lstm_cell"), "ifgo") if use_bias else None

    def gate(name: str, x_t: Expr, h: Expr, w: Expr, u: Expr, i: int, function: object, words: str) -> Expr:
        z = dot(x_t, w) + dot(h, u)
        if biases:
            z = z + biases[i]
        return named(name, activate(function, z), words)

    def cell(x_t: Expr, h: Expr, c: Expr) -> Sequence[Expr]:
        i = gate("i", x_t, h, W_i, U_i, 0, recurrent_activation, "write how much")
        f = gate("f", x_t, h, W_f, U_f, 1, recurrent_activation, "keep how much")
        g = gate("g", x_t, h, W_g, U_g, 2, activation, "write what")
        o = gate("o", x_t, h, W_o, U_o, 3, recurrent_activation, "show how much")
        c_new = named("c_new", f * c + i * g)
        return named("h_new", o * activate(activation, c_new)), c_new

    return recur(
        cell,
        x,
        ("h", "c"),
        (units, units),
        initial_state,
        mask=mask,
        return_sequences=return_sequences,
        return_state=return_state,
        go_backwards=go_backwards,
        zero_output_for_mask=zero_output_for_mask,
    )
