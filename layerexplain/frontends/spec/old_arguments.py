"""Arguments of older Keras that a spec may have and Keras 3 refuses or ignores: they are read, and a note gives
today's form.
"""

from __future__ import annotations

from layerexplain.model import Shape

_LEFT_OUT = "leave it out"
_FORMS = {
    "weights": "leave it out, and call set_weights() on the layer once it is built",
    "implementation": _LEFT_OUT,
    "time_major": "leave it out; the batch is the first axis",
    "fused": _LEFT_OUT,
    "causal": "`use_causal_mask: true`, an argument of the call in Keras",
    "virtual_batch_size": _LEFT_OUT,
}
_SHAPES = ("batch_input_shape", "batch_shape", "input_length", "batch_size")
STILL_TAKEN = {
    "implementation": ("LSTM", "GRU", "LSTMCell", "GRUCell"),
    "weights": ("Embedding", "ReversibleEmbedding"),
}
"""The layers of Keras 3 that have the argument."""
OLD_ARGUMENTS = frozenset({*_FORMS, *_SHAPES})
"""The arguments that `todays_form` knows."""


def todays_form(type_: str, argument: str, shape: Shape | None) -> str:
    """Return how a spec of today says what an argument of older Keras says; "" for an argument that Keras 3 takes.

    `shape` is that of the input, with the batch, where it is this layer that says it: the first layer of a model
    without `input:`.

    >>> todays_form("Dense", "batch_input_shape", (None, 5)), todays_form("Dense", "batch_input_shape", (8, 5))
    ('`input: [5]` before the layers', '`input: {shape: [5], batch_size: 8}` before the layers')
    >>> todays_form("Dense", "batch_input_shape", None)
    'leave it out; `input:` gives the shape'
    >>> todays_form("LSTM", "implementation", None)
    ''
    """
    if argument in _SHAPES:
        if not shape:
            return "leave it out; `input:` gives the shape"
        batch, *sizes = ["null" if size is None else str(size) for size in shape]
        given = f"[{', '.join(sizes)}]"
        given = given if batch == "null" else f"{{shape: {given}, batch_size: {batch}}}"
        return f"`input: {given}` before the layers"
    return "" if type_ in STILL_TAKEN.get(argument, ()) else _FORMS.get(argument, "")
