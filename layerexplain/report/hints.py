"""Sentences that answer what people ask about a layer where it stands: what is surprising about these shapes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.model import Layer
from layerexplain.network.traced import Network
from layerexplain.ops.sizes import axis_roles, product, shape_text
from layerexplain.records import NamedTuple
from layerexplain.report.data import LayerReport
from layerexplain.weights.keras_expression import layer_expression


class Place(NamedTuple):
    """A layer where it stands: its row, its first call's definition, and the model around it."""

    row: LayerReport
    layer: Layer
    definition: Definition
    network: Network

    def argument(self, name: str) -> Any:
        """An argument of the layer, its default where it is not given."""
        return self.definition.arguments.get(name)

    @property
    def x(self) -> Expr:
        """The first tensor that the layer takes."""
        return self.definition.params[0]

    @property
    def y(self) -> Expr:
        """The first result."""
        return next(iter(self.definition.results.values()))

    def readers(self) -> list[Layer]:
        """The layers that take what this one gives."""
        layers = {one.name: one for one in self.network.model.layers}
        names = [c.call.layer for c in self.network.calls if any(ref.layer == self.layer.name for ref in c.sources)]
        return [layers[name] for name in dict.fromkeys(names)]


Hint = Callable[[Place], str | None]


def hints(row: LayerReport, layer: Layer, definition: Definition, network: Network) -> tuple[str, ...]:
    """All that is worth saying of this layer here."""
    if not definition.params:
        return ()
    place = Place(row, layer, definition, network)
    said = [hint(place) for hint in _HINTS.get(layer.type, ())]
    return tuple(text for text in said if text)


# Dense and activations --------------------------------------------------------------------------------------------


def _dense_on_sequences(at: Place) -> str | None:
    x = at.x
    if x.ndim < 3:
        return None
    lead = axis_roles(x)[1:-1]
    sizes = [f"{s} {role}" if isinstance(s, int) else role for role, s in zip(lead, x.shape[1:-1], strict=True)]
    return (
        f"The input has {x.ndim} axes and is not flattened: one and the same matrix W is applied along the last axis, "
        f"at each of the {' × '.join(sizes)}; their number adds no parameters. Put Flatten before it to mix them."
    )


def _dense_without_bias(at: Place) -> str | None:
    if at.argument("use_bias") or not at.definition.weights:
        return None
    inputs, units = at.definition.weights[0].shape
    return f"use_bias=False: there is no b, so the {at.row.params:,} parameters are exactly {inputs:,} × {units:,}."


def _softmax(at: Place) -> str | None:
    given = at.argument("activation")
    size = at.y.shape[-1] if at.y.ndim else None
    if getattr(given, "name", given) != "softmax" or not isinstance(size, int):
        return None
    return (
        f"softmax does not work element by element: it turns the {size:,} numbers along the last axis into shares "
        f"from 0 to 1 that sum to 1."
    )


def _relu_arguments(at: Place) -> str | None:
    slope, threshold, most = (at.argument(name) for name in ("negative_slope", "threshold", "max_value"))
    said = []
    if threshold:
        said.append(f"threshold={threshold:g}: only what is larger is kept.")
    if slope:
        said.append(f"negative_slope={slope:g}: the rest becomes {slope:g} times its distance from {threshold:g}.")
    if most is not None:
        said.append(f"max_value={most:g}: nothing larger comes out.")
    return " ".join(said) or None


# Convolutions and pooling -----------------------------------------------------------------------------------------


def _conv_channels(at: Place) -> str | None:
    channels, filters = at.definition.weights[0].shape[-2:]
    groups = at.argument("groups") or 1
    if groups != 1 and isinstance(channels, int) and isinstance(filters, int):
        return (
            f"groups={groups}: the {groups * channels} input channels are split into {groups} groups of {channels}; "
            f"each group feeds {filters // groups} of the {filters} filters, which see no other channel."
        )
    if channels == 1:
        return None
    bias = ", then adds one bias" if at.argument("use_bias") else ""
    return (
        f"Each of the {filters} output channels has a kernel slice of its own for every one of the {channels} "
        f"input channels and sums over all of them{bias}."
    )


def _conv_start(at: Place) -> str | None:
    slides = _windows(at)
    if at.argument("padding") != "same" or not slides:
        return None
    w = slides[0]
    if w.stride < 2 or w.pads is None:
        return None
    before, after = w.pads
    start = f"{w.stride}i" if before == 0 else f"{w.stride}i-{before}"
    other = w.reach // 2
    compare = ""
    if before != other:
        compare = f", not at {w.stride}i-{other} as with {other} on each side (PyTorch's padding={other})"
    odd = ", the odd one at the end" if before != after else ""
    pads = f"'same' pads {before} before and {after} after here{odd}"
    return f"Window i starts at {w.role[:-1]} {start}{compare}: {pads}."


def _conv_gaps(at: Place) -> str | None:
    said = []
    for w in _windows(at)[:1]:
        if w.dilation > 1 and w.k > 1:
            said.append(
                f"dilation_rate={w.dilation} leaves gaps: a window of {w.k} reads every {_ordinal(w.dilation)} of "
                f"{w.reach} {w.role} and has no more weights."
            )
        if w.padding == "causal":
            said.append("'causal' pads only before the first step: no output step sees a later input step.")
    return " ".join(said) or None


def _conv_pointwise(at: Place) -> str | None:
    slides = _windows(at)
    if not slides or any(w.k != 1 for w in slides):
        return None
    return f"A window of 1 sees no neighbours: it is a Dense on the channels of each {_one(slides)}, the same for all."


def _unread_edge(at: Place) -> str | None:
    """What windows with a stride leave unread at the end: 9 rows in windows of 2 leave row 8."""
    left = []
    for w in _windows(at):
        if w.padding != "valid" or not isinstance(w.n, int) or w.number is None:
            continue
        rest = w.n - ((w.number - 1) * w.stride + w.reach)
        if rest > 0:
            left.append(f"{w.role[:-1]} {w.n - 1}" if rest == 1 else f"{w.role} {w.n - rest} to {w.n - 1}")
    if not left:
        return None
    return f"No window reaches {' and '.join(left)}: what stands there is dropped; padding='same' would keep it."


def _pool_strides(at: Place) -> str | None:
    if at.argument("strides") is not None:
        return None
    return "strides is not given, so windows are as far apart as they are large, and none overlap."


def _transposed_kernel(at: Place) -> str | None:
    W = at.definition.weights[0]  # noqa: N806
    filters, channels = W.shape[-2:]
    return (
        f"A convolution's wiring run backwards, so a stride makes the result larger. The kernel's last axes are "
        f"(filters {filters}, channels {channels}), the other way round than in a convolution's."
    )


def _not_flattened(at: Place) -> str | None:
    many = product(at.x.shape[1:])
    few = product(at.y.shape[1:])
    if many is None or few is None or at.x.ndim < 3 or at.argument("keepdims"):
        return None
    return f"{few:,} numbers per example are left, in place of the {many:,} that Flatten would hand on."


def _windows(at: Place) -> list[Any]:
    """The windows of the layer's first convolution or pooling, an axis each."""
    from layerexplain.lang.visit import nodes
    from layerexplain.ops.window import windows

    for node in nodes(at.definition):
        if node.op.name in ("conv", "depthwise_conv", "max_pool", "average_pool"):
            return windows(node)
    return []


def _one(slides: Sequence[Any]) -> str:
    return {1: "step", 2: "pixel", 3: "voxel"}[len(slides)]


def _ordinal(number: int) -> str:
    return {2: "2nd", 3: "3rd"}.get(number, f"{number}th")


# Embeddings and recurrent layers ----------------------------------------------------------------------------------


def _embedding_reach(at: Place) -> str | None:
    E = at.definition.weights[0]  # noqa: N806
    return (
        f"The table itself is one weight of shape {shape_text(E.shape)}, a row for each id: "
        f"{layer_expression([at.layer.name])}.embeddings; a loss may use that variable. The layer's output is another "
        f"tensor, of shape {shape_text(at.y.shape)}: the rows that were looked up."
    )


def _embedding_ids(at: Place) -> str | None:
    count = at.argument("input_dim")
    text = f"Ids are whole numbers from 0 to {count - 1:,}."
    if at.argument("mask_zero"):
        text += (
            f" mask_zero=True: id 0 is padding, which leaves {count - 1:,} for what is meant; the mask ids != 0 goes "
            f"to the layers behind, and those that read it leave the padding out."
        )
    return text


def _sequences(at: Place) -> str | None:
    shape = shape_text(at.y.shape)
    if not at.argument("return_sequences"):
        return (
            f"Only the last step's output comes out, {shape}; a recurrent layer behind this one needs "
            f"return_sequences=True here. units = {at.argument('units')} has nothing to do with the number of steps."
        )
    more = " Put Flatten behind it for a row of all of them."
    for reader in at.readers():
        if reader.type == "Flatten":
            more = f" '{reader.name}' lays them out in one row."
        elif reader.type in RECURRENT:
            more = f" '{reader.name}' reads them one by one."
        elif reader.type in ("Dense", "TimeDistributed"):
            more = f" '{reader.name}' works on each of them alike."
        else:
            continue
        break
    return f"return_sequences=True: the output of every step comes out, {shape}.{more}"


def _recurrent_count(at: Place) -> str | None:
    """Where the parameters of a recurrent layer come from, in the form in which people know it."""
    gates = GATES[at.layer.type]
    units, inputs = at.argument("units"), at.x.shape[-1]
    biases = [w for w in at.definition.weights if w.attrs["name"] == "bias"]
    each = biases[0].shape[0] if biases and len(biases[0].shape) > 1 else len(biases)
    bias = "" if not biases else " + 1 bias" if each == 1 else f" + {each} biases"
    head = f"{gates} gates × " if gates > 1 else ""
    return (
        f"{at.row.params:,} parameters = {head}{units} units × ({inputs} inputs + {units} states{bias}), "
        f"the same ones at every step."
    )


def _gru_biases(at: Place) -> str | None:
    if not at.argument("use_bias") or not at.argument("reset_after"):
        return None
    return (
        "reset_after=True, the default: one bias is added to what comes from the input and another to what comes from "
        "the state, so b has 2 rows; with reset_after=False there is one."
    )


RECURRENT = ("LSTM", "GRU", "SimpleRNN", "Bidirectional", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")
GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}


# Wrappers and attention -------------------------------------------------------------------------------------------


def _two_copies(at: Place) -> str | None:
    from layerexplain.layers.wrappers import alike

    inner, other = at.argument("layer"), at.argument("backward_layer")
    halves = [0, 0]
    for w in at.definition.weights:
        halves[w.attrs["at"][:1] == ("backward_layer",)] += product(w.shape) or 0
    one, two = halves
    # Keras writes the copy that it made into every file.
    if other is None or alike(inner, other):
        text = f"Two copies of the {inner.type}, each with weights of its own: 2 × {one:,} = {one + two:,} parameters."
    else:
        both = f"A layer of its own each way, {inner.type} forwards and {other.type} backwards"
        text = f"{both}: {one:,} + {two:,} = {one + two:,} parameters."
    text += _merging(at.argument("merge_mode"), at.y.shape[-1])
    if not inner.config.get("return_sequences"):
        text += " Each gives its last output, which for the backward one is that at the first step."
    return text


def _merging(mode: str | None, width: Any) -> str:
    """What becomes of the two outputs of a Bidirectional."""
    if not isinstance(width, int):
        return ""
    if mode is None:
        return f" Without a merge_mode both outputs are handed on, each with {width} features."
    if mode == "concat":
        return f" 'concat' puts their outputs side by side: {width // 2} + {width // 2} = {width} features."
    what = {"sum": "adds their outputs", "mul": "multiplies their outputs", "ave": "takes the mean of their outputs"}
    return f" '{mode}' {what[mode]} element by element: {width} features."


def _one_copy(at: Place) -> str | None:
    inner = at.argument("layer")
    steps = at.x.shape[1]
    text = ""
    if at.row.params:
        text = f"One copy of the {inner.type}: {at.row.params:,} parameters, however many steps there are."
    if inner.type == "Dense":
        text += " A Dense alone does the same: it works along the last axis anyway."
    elif isinstance(steps, int):
        text += f" It runs {steps} times, on inputs of shape {shape_text((at.x.shape[0], *at.x.shape[2:]))}."
    return text.strip() or None


def _heads(at: Place) -> str | None:
    heads, width = at.argument("num_heads"), at.argument("key_dim")
    return (
        f"key_dim={width} is the width of one head, not of all: queries and keys have {heads} × {width} = "
        f"{heads * width} numbers at each position. Keras takes its tensors in the order query, value, key."
    )


# Normalization and regularization ---------------------------------------------------------------------------------


def _four_per_channel(at: Place) -> str | None:
    if not at.definition.weights:
        return None
    names = [w.attrs["name"] for w in at.definition.weights]
    own = at.layer.config.get("trainable", True)
    learned = any(w.trainable for w in at.row.weights if w.name in ("gamma", "beta"))
    kept = "μ and v are running statistics, kept up in training and not trainable"
    if not own:
        kept = "μ and v are stored. Frozen (trainable=False): nothing changes in training, where μ and v are used too"
    words = {
        "gamma": "γ scales" + " and is learned" * learned,
        "beta": "β shifts" + " and is learned" * learned,
        "moving_mean": kept,
    }
    channels = at.definition.weights[0].shape[0]
    told = "; ".join(words[name] for name in names if name in words)
    return f"{len(names)} numbers per channel, {len(names)} × {channels} = {at.row.params:,} parameters: {told}."


def _by_itself(at: Place) -> str | None:
    return "Each example is normalized by its own numbers: no running statistics, the same in training."


def _dropout_scale(at: Place) -> str | None:
    rate = at.argument("rate")
    if not isinstance(rate, int | float) or not 0 < rate < 1:
        return None
    return (
        f"Outside of training it does nothing. In training what stays is multiplied by 1 / (1 - {rate:g}) = "
        f"{1 / (1 - rate):.4g}, which keeps the expected sum."
    )


def _measured(at: Place) -> str | None:
    if not at.definition.weights:
        return None
    return "μ and v are not trained: layer.adapt(data) measures them."


# Shapes -----------------------------------------------------------------------------------------------------------


def _flatten(at: Place) -> str | None:
    x = at.x
    if x.ndim < 3 or not all(isinstance(s, int) for s in x.shape[1:]):
        return None
    return f"{' × '.join(str(s) for s in x.shape[1:])} = {at.y.shape[-1]:,} numbers per example."


def _not_permuted(at: Place) -> str | None:
    if at.x.ndim < 3 or at.y.ndim < 3:
        return None
    return "The numbers keep their order; to swap axes, Permute is the layer."


_CONVOLUTION: tuple[Hint, ...] = (_conv_channels, _conv_start, _conv_gaps, _conv_pointwise, _unread_edge, _softmax)
_SLIDING: tuple[Hint, ...] = (_conv_start, _conv_gaps, _unread_edge)
_POOLING: tuple[Hint, ...] = (_pool_strides, _unread_edge)
_RECURRENT: tuple[Hint, ...] = (_sequences, _recurrent_count)

_HINTS: dict[str, tuple[Hint, ...]] = {
    "Dense": (_dense_on_sequences, _dense_without_bias, _softmax),
    "Activation": (_softmax,),
    "ReLU": (_relu_arguments,),
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D"), _CONVOLUTION),
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D"), _SLIDING),
    **dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), (_transposed_kernel,)),
    **dict.fromkeys((f"{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)), _POOLING),
    **dict.fromkeys((f"Global{kind}Pooling{n}D" for kind in ("Max", "Average") for n in (1, 2, 3)), (_not_flattened,)),
    "Embedding": (_embedding_reach, _embedding_ids),
    "LSTM": _RECURRENT,
    "GRU": (*_RECURRENT, _gru_biases),
    "SimpleRNN": _RECURRENT,
    "Bidirectional": (_two_copies,),
    "TimeDistributed": (_one_copy,),
    "MultiHeadAttention": (_heads,),
    "BatchNormalization": (_four_per_channel,),
    "LayerNormalization": (_by_itself,),
    "GroupNormalization": (_by_itself,),
    "Normalization": (_measured,),
    "Dropout": (_dropout_scale,),
    "Flatten": (_flatten,),
    "Reshape": (_not_permuted,),
}
