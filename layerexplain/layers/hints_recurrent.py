"""Hints about layers that read sequences: recurrent layers, their wrappers, and attention."""

from __future__ import annotations

from typing import Any

from layerexplain.layers.hints import Place, hint
from layerexplain.layers.registry import find
from layerexplain.layers.wrappers import alike
from layerexplain.ops.sizes import product, shape_text

_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}


@hint("LSTM", "GRU", "SimpleRNN", "CuDNNLSTM", "CuDNNGRU", "RNN", "ConvLSTM{}D")
def sequences(at: Place) -> str | None:
    shape, backwards, units = shape_text(at.y.shape), at.argument("go_backwards"), at.argument("units")
    if not at.argument("return_sequences"):
        last = "step 0, which is read last," if backwards else "the last step"
        own = f" units = {units} is independent of the number of steps." if units else ""
        return (
            f"Only the output of {last} is returned, {shape}; a recurrent layer after this one needs "
            f"return_sequences=True here.{own}"
        )
    shape += ", in the order of reading: that of the last step comes first" * bool(backwards)
    more = " Put Flatten after it to get them as one vector."
    for reader in at.readers():
        declaration = find(reader.type)
        if reader.type == "Flatten":
            more = f" '{reader.name}' flattens them to one vector."
        elif declaration is not None and declaration.takes_states:
            more = f" '{reader.name}' reads them one by one."
        elif reader.type in ("Dense", "TimeDistributed"):
            more = f" '{reader.name}' is applied to each of them."
        else:
            continue
        break
    return f"return_sequences=True: the output of every step is returned, {shape}.{more}"


@hint("LSTM", "GRU", "SimpleRNN")
def recurrent_count(at: Place) -> str | None:
    """Where the parameters of a recurrent layer come from, in the form in which people know it."""
    gates = _GATES[at.type]
    units, inputs = at.argument("units"), at.x.shape[-1]
    biases = [w for w in at.definition.weights if w.attrs["name"] == "bias"]
    each = biases[0].shape[0] if biases and len(biases[0].shape) > 1 else len(biases)
    bias = "" if not biases else " + 1 bias" if each == 1 else f" + {each} biases"
    head = f"{gates} gates × " if gates > 1 else ""
    return (
        f"{at.params:,} parameters = {head}{_of(units, 'unit')} × "
        f"({_of(inputs, 'input')} + {_of(units, 'state')}{bias}), shared by all steps."
    )


def _of(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


@hint("Bidirectional")
def two_copies(at: Place) -> str | None:
    inner, other = at.argument("layer"), at.argument("backward_layer")
    halves = [0, 0]
    for w in at.definition.weights:
        halves[w.attrs["at"][:1] == ("backward_layer",)] += product(w.shape) or 0
    one, two = halves
    # Keras writes the copy that it made into every file.
    if other is None or alike(inner, other):
        text = f"Two copies of the {inner.type}, with separate weights: 2 × {one:,} = {one + two:,} parameters."
    else:
        both = f"Two different layers, {inner.type} forwards and {other.type} backwards"
        text = f"{both}: {one:,} + {two:,} = {one + two:,} parameters."
    text += _merging(at.argument("merge_mode"), at.y.shape[-1])
    turned = bool(inner.config.get("go_backwards"))
    if turned:
        text += (
            " go_backwards=True: the forward layer reads from the last step to the first, the backward layer in order."
        )
    if not inner.config.get("return_sequences"):
        way = "forward" if turned else "backward"
        text += f" Each returns its last output, which for the {way} one is that of the first step."
    return text


def _merging(mode: str | None, width: Any) -> str:
    """What becomes of the two outputs of a Bidirectional."""
    if not isinstance(width, int):
        return ""
    if mode is None:
        return f" Without a merge_mode both outputs are returned, each with {width} features."
    if mode == "concat":
        return f" 'concat' concatenates their outputs: {width // 2} + {width // 2} = {width} features."
    what = {"sum": "adds their outputs", "mul": "multiplies their outputs", "ave": "averages their outputs"}
    return f" '{mode}' {what[mode]} element-wise: {width} features."


@hint("GRU", "Bidirectional", "RNN")
def gru_biases(at: Place) -> str | None:
    inner = [held for held in (at.argument("layer"), at.argument("backward_layer"), at.argument("cell")) if held]
    bias = any(w.attrs["name"] == "bias" and len(w.shape) == 2 for w in at.definition.weights)
    if not bias or not all(getattr(held, "type", "") in ("GRU", "GRUCell") for held in inner):
        return None
    return (
        "reset_after=True, the default: one bias is added to the product with the input and another to the product "
        "with the state, so b has 2 rows; with reset_after=False it has one."
    )


@hint("LSTM", "GRU", "SimpleRNN", "CuDNNLSTM", "CuDNNGRU", "RNN", "ConvLSTM{}D", "Bidirectional")
def states(at: Place) -> str | None:
    """Which result is what, and how a spec takes it."""
    names = list(at.definition.results)
    if len(names) < 2:
        return None
    taken = [f'"{at.name}[{i}]"' if i else at.name for i in range(len(names))]
    listed = [f"{one} ({name})" for one, name in zip(taken, names, strict=True)]
    kept = ", ".join(one for one, name in zip(taken, names, strict=True) if not name.startswith("y"))
    handed = f"; from: [target, {kept}] gives the states to another layer" if kept else ""
    return (
        f"Returns {len(names)} results: {', '.join(names[:-1])} and {names[-1]}. A spec takes them as "
        f"{', '.join(listed[:-1])} and {listed[-1]}{handed}."
    )


@hint("TimeDistributed")
def one_copy(at: Place) -> str | None:
    inner = at.argument("layer")
    steps = at.x.shape[1]
    text = ""
    if at.params:
        text = f"One copy of the {inner.type}: {at.params:,} parameters, however many steps there are."
    if inner.type == "Dense":
        text += " A Dense layer alone does the same: it is applied along the last axis."
    elif isinstance(steps, int):
        text += f" It runs {steps} times, on inputs of shape {shape_text((at.x.shape[0], *at.x.shape[2:]))}."
    return text.strip() or None


@hint("MultiHeadAttention")
def heads(at: Place) -> str | None:
    heads, width = at.argument("num_heads"), at.argument("key_dim")
    return (
        f"key_dim={width} is the width of one head, not of all: queries and keys have {heads} × {width} = "
        f"{heads * width} values at each position. Keras takes its tensors in the order query, value, key."
    )
