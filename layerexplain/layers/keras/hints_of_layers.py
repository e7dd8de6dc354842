"""The hints of all layers: where windows start, what is masked, how parameters add up, which channels are mixed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from layerexplain.errors import in_a_row
from layerexplain.lang.visit import nodes
from layerexplain.layers.hints import COUNT, WATCH, LayerInModel, hint
from layerexplain.layers.keras.wrappers import alike
from layerexplain.layers.registry import find
from layerexplain.ops.sizes import axis_roles, ordinal, product, shape_text
from layerexplain.ops.spatial import spatial_axes
from layerexplain.ops.window import first_windows


@hint("Conv{}D")
def conv_channels(at: LayerInModel) -> str | None:
    channels, filters = at.definition.weights[0].shape[-2:]
    groups = at.argument("groups") or 1
    if groups != 1 and isinstance(channels, int) and isinstance(filters, int):
        return (
            f"groups={groups}: the {groups * channels} input channels are split into {groups} groups of {channels}; "
            f"each group feeds {filters // groups} of the {filters} filters, which read no other channels."
        )
    if channels == 1:
        return None
    bias = ", then adds one bias" if at.argument("use_bias") else ""
    return (
        f"Each of the {filters} output channels has its own kernel slice for each of the {channels} "
        f"input channels, and sums over all of them{bias}."
    )


@hint("Conv{}D", "DepthwiseConv{}D", "SeparableConv{}D")
def conv_start(at: LayerInModel) -> str | None:
    slides = first_windows(at.definition)
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
        compare = f", not at {w.stride}i-{other} as with {other} on each side"
    odd = ", the extra one at the end" if before != after else ""
    pads = f"'same' pads {before} before and {after} after here{odd}"
    return f"Window i starts at {w.role[:-1]} {start}{compare}: {pads}."


@hint("Conv{}D", "DepthwiseConv{}D", "SeparableConv{}D")
def conv_gaps(at: LayerInModel) -> str | None:
    said = []
    for w in first_windows(at.definition)[:1]:
        if w.dilation > 1 and w.k > 1:
            said.append(
                f"dilation_rate={w.dilation} leaves gaps: a window of {w.k} reads every {ordinal(w.dilation)} of "
                f"{w.reach} {w.role}, with no additional weights."
            )
        if w.padding == "causal":
            said.append("'causal' pads only before the first step: no output step depends on a later input step.")
    return " ".join(said) or None


@hint("Conv{}D")
def conv_pointwise(at: LayerInModel) -> str | None:
    slides = first_windows(at.definition)
    if not slides or any(w.k != 1 for w in slides):
        return None
    place = _one(slides)
    return (
        f"A window of 1 reads no neighbours: it is a Dense layer on the channels of each {place}, with shared weights."
    )


@hint("MaxPooling{}D", "AveragePooling{}D")
def pool_strides(at: LayerInModel) -> str | None:
    if at.argument("strides") is not None:
        return None
    return "strides is not given, so it equals pool_size: windows touch and do not overlap."


@hint("Conv{}D", "DepthwiseConv{}D", "SeparableConv{}D", "MaxPooling{}D", "AveragePooling{}D", kind=WATCH)
def skipped(at: LayerInModel) -> str | None:
    """What a stride longer than the window leaves out between windows."""
    slides = [w for w in first_windows(at.definition) if w.stride > w.reach]
    if not slides:
        return None
    parts = [
        f"only every {ordinal(w.stride)} {w.role[:-1]}" if w.k == 1 else f"{w.reach} of every {w.stride} {w.role}"
        for w in slides
    ]
    return f"The stride is longer than the window, which reads {' and '.join(parts)}; the others are ignored."


@hint("Conv{}D", "DepthwiseConv{}D", "SeparableConv{}D", "MaxPooling{}D", "AveragePooling{}D", kind=WATCH)
def unread_edge(at: LayerInModel) -> str | None:
    """What windows with a stride leave unread at the end: 9 rows in windows of 2 leave row 8."""
    left, helps = [], True
    for i, w in enumerate(first_windows(at.definition)):
        # Zeros that the layer before has put there are no loss, and neither is what is skipped everywhere.
        if w.unread <= _zeros_after(at, i) or w.k == 1:
            continue
        left.append(w.last(w.unread))
        same = w._replace(padding="same")
        read = same.covers((same.number or 1) - 1)
        helps &= read is not None and w.n is not None and read.has(w.n - 1)
    if not left:
        return None
    advice = "; padding='same' would include them" if helps else ""
    return f"No window reaches {' and '.join(left)}: these inputs are ignored{advice}."


def _zeros_after(at: LayerInModel, axis: int) -> int:
    """The number of zeros that the layer before appends to a spatial axis."""
    source = at.source
    pads = [node.attrs["pads"] for node in nodes(source) if node.op.name == "pad"] if source is not None else []
    axes, _ = spatial_axes(at.x.ndim, at.argument("data_format") or "channels_last")
    return int(pads[-1][axes[axis]][1]) if pads else 0


@hint("Conv{}DTranspose")
def transposed_kernel(at: LayerInModel) -> str | None:
    W = at.definition.weights[0]
    filters, channels = W.shape[-2:]
    return (
        f"The transpose of a convolution: a stride enlarges the result. The last axes of the kernel are "
        f"(filters {filters}, channels {channels}), in the opposite order to those of a convolution."
    )


@hint("Conv{}DTranspose", kind=WATCH)
def uneven_overlap(at: LayerInModel) -> str | None:
    """Where a stride does not divide the window, neighbouring outputs sum different numbers of windows."""
    for w in first_windows(at.definition, ("conv_transpose",)):
        if 1 < w.stride < w.k and w.k % w.stride:
            few, many = w.k // w.stride, -(-w.k // w.stride)
            return (
                f"Windows of {w.k} with stride {w.stride} overlap unevenly: along an axis an output sums {few} or "
                f"{many} of them, which shows as a checkerboard. A window that the stride divides avoids it; so "
                f"does UpSampling{len(at.x.shape) - 2}D followed by a convolution."
            )
    return None


@hint("UpSampling{}D", kind=WATCH)
def upsampling_learns_nothing(at: LayerInModel) -> str | None:
    return (
        "It learns nothing: a convolution after it can learn to refine the larger image. Conv"
        f"{at.x.ndim - 2}DTranspose enlarges and learns in one layer."
    )


@hint("GlobalMaxPooling{}D", "GlobalAveragePooling{}D")
def not_flattened(at: LayerInModel) -> str | None:
    many = product(at.x.shape[1:])
    few = product(at.y.shape[1:])
    if many is None or few is None or at.x.ndim < 3 or at.argument("keepdims"):
        return None
    return f"{few:,} values per example remain, instead of the {many:,} that Flatten would return."


def _one(slides: Sequence[Any]) -> str:
    return {1: "step", 2: "pixel", 3: "voxel"}[len(slides)]


@hint("Dense", kind=WATCH)
def dense_on_sequences(at: LayerInModel) -> str | None:
    x = at.x
    if x.ndim < 3:
        return None
    lead = axis_roles(x)[1:-1]
    sizes = [f"{s} {role}" if isinstance(s, int) else role for role, s in zip(lead, x.shape[1:-1], strict=True)]
    return (
        f"The input has {x.ndim} axes and is not flattened: the same matrix W is applied along the last axis, "
        f"at each of the {' × '.join(sizes)}, which adds no parameters. Put Flatten before it to mix them."
    )


@hint("Dense")
def dense_without_bias(at: LayerInModel) -> str | None:
    if at.argument("use_bias") or not at.definition.weights:
        return None
    inputs, units = at.definition.weights[0].shape
    return f"use_bias=False: there is no b, so the {at.params:,} parameters are exactly {inputs:,} × {units:,}."


@hint("Dense", "Activation", "Conv{}D")
def softmax(at: LayerInModel) -> str | None:
    given = at.argument("activation")
    size = at.y.shape[-1] if at.y.ndim else None
    if getattr(given, "name", given) != "softmax" or not isinstance(size, int):
        return None
    return (
        f"softmax is not element-wise: it turns the {size:,} values along the last axis into probabilities "
        f"that sum to 1."
    )


@hint("Embedding")
def embedding_reach(at: LayerInModel) -> str | None:
    E = at.definition.weights[0]
    return (
        f"The table is one weight of shape {shape_text(E.shape)}, one row per id: "
        f"{at.expression}.embeddings; a loss may use that variable. The output of the layer is another "
        f"tensor, of shape {shape_text(at.y.shape)}: the rows that are looked up. The {at.params:,} parameters do not "
        f"depend on the number of ids in an example."
    )


@hint("Embedding", kind=WATCH)
def embedding_ids(at: LayerInModel) -> str | None:
    count = at.argument("input_dim")
    text = f"Ids are integers from 0 to {count - 1:,}."
    if at.argument("mask_zero"):
        text += (
            f" mask_zero=True: id 0 is padding, which leaves {count - 1:,} ids for data. Its row is looked up like "
            f"any other and is not zero; the mask ids != 0 is passed on, and later layers that use it skip these steps."
        )
    return text


@hint("BatchNormalization")
def four_per_channel(at: LayerInModel) -> str | None:
    if not at.definition.weights:
        return None
    names = [w.attrs["name"] for w in at.definition.weights]
    own = at.config.get("trainable", True)
    learned = not at.trained.isdisjoint(("gamma", "beta"))
    kept = "μ and v are running statistics, updated in training and not trainable."
    if not own:
        kept = "μ and v are stored. Frozen (trainable=False): training uses them and does not update them."
    words = {"gamma": "γ scales" + " and is trainable" * learned, "beta": "β shifts" + " and is trainable" * learned}
    channels = at.definition.weights[0].shape[0]
    meanings = "; ".join(words[name] for name in names if name in words)
    count = f"{len(names)} numbers per channel, {len(names)} × {channels} = {at.params:,} parameters"
    return f"{count}: {meanings}. {kept}" if meanings else f"{count}: {kept}"


@hint("LayerNormalization", "GroupNormalization")
def by_itself(at: LayerInModel) -> str | None:
    each = "position of an example" if at.x.ndim > 2 and at.argument("axis") in (-1, [-1], (-1,)) else "example"
    return f"Each {each} is normalized by its own statistics: no running statistics, same in training as at inference."


@hint("Dropout")
def dropout_scale(at: LayerInModel) -> str | None:
    rate = at.argument("rate")
    if not isinstance(rate, int | float) or not 0 < rate < 1:
        return None
    return f"The factor 1 / (1 - {rate:g}) = {1 / (1 - rate):.4g} preserves the expected sum."


@hint("Normalization", kind=WATCH)
def measured(at: LayerInModel) -> str | None:
    if not at.definition.weights:
        return None
    return "μ and v are not trained: layer.adapt(data) computes them."


@hint("Flatten")
def flatten(at: LayerInModel) -> str | None:
    x = at.x
    if x.ndim < 3 or not all(isinstance(s, int) for s in x.shape[1:]):
        return None
    return f"{' × '.join(str(s) for s in x.shape[1:])} = {at.y.shape[-1]:,} values per example."


@hint("Reshape", kind=WATCH)
def not_permuted(at: LayerInModel) -> str | None:
    if at.x.ndim < 3 or at.y.ndim < 3:
        return None
    return "The elements keep their order; to swap axes, use Permute."


_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}


@hint("LSTM", "GRU", "SimpleRNN", "CuDNNLSTM", "CuDNNGRU", "RNN", "ConvLSTM{}D")
def sequences(at: LayerInModel) -> str | None:
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
    for reader in at.readers:
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


@hint(
    "LSTM",
    "GRU",
    "SimpleRNN",
    "CuDNNLSTM",
    "CuDNNGRU",
    "RNN",
    "ConvLSTM{}D",
    "Bidirectional",
    "TimeDistributed",
    kind=WATCH,
)
def kept_state(at: LayerInModel) -> str | None:
    """What stateful=True keeps, how it begins again, and the batch that it needs."""
    names = [str(leaf.label) for leaf in at.definition.states]
    if not names:
        return None
    holder = f"{at.expression}.layer" if at.type == "TimeDistributed" else at.expression
    batch = f"Input(batch_shape=({', '.join(map(str, (32, *at.x.shape[1:])))}))"
    keeps, them = ("is kept", "it") if len(names) == 1 else ("are kept", "them")
    reset = f"{holder}.reset_states() sets {them} to 0 again"
    if at.type == "RNN" and any(len(leaf.attrs["at"]) > 2 for leaf in at.definition.states):
        reset = f"Keras's reset_states() fails for stacked cells: assign 0 to each variable in {holder}.states"
    return (
        f"stateful=True: {in_a_row(names)} {keeps} between calls and at first 0; {reset}. Each example of a call "
        f"continues the one at its place in the call before, so the batch size must be fixed: {batch}, the order of "
        "the batches counts (fit with shuffle=False), and a last batch with fewer examples fails: leave it out."
    )


@hint("LSTM", "GRU", "SimpleRNN", kind=COUNT)
def recurrent_count(at: LayerInModel) -> str | None:
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
def two_copies(at: LayerInModel) -> str | None:
    inner, other = at.argument("layer"), at.argument("backward_layer")
    halves = [0, 0]
    for w in at.definition.weights:
        halves[w.attrs["at"][:1] == ("backward_layer",)] += product(w.shape) or 0
    number, two = halves
    # Keras writes the copy that it made into every file.
    if other is None or alike(inner, other):
        text = f"Two copies of the {inner.type}, with separate weights: 2 × {number:,} = {number + two:,} parameters."
    else:
        both = f"Two different layers, {inner.type} forwards and {other.type} backwards"
        text = f"{both}: {number:,} + {two:,} = {number + two:,} parameters."
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
def gru_biases(at: LayerInModel) -> str | None:
    inner = [item for item in (at.argument("layer"), at.argument("backward_layer"), at.argument("cell")) if item]
    bias = any(w.attrs["name"] == "bias" and len(w.shape) == 2 for w in at.definition.weights)
    if not bias or not all(getattr(item, "type", "") in ("GRU", "GRUCell") for item in inner):
        return None
    return (
        "reset_after=True, the default: one bias is added to the product with the input and another to the product "
        "with the state, so b has 2 rows. With reset_after=False it has one."
    )


@hint("LSTM", "GRU", "SimpleRNN", "CuDNNLSTM", "CuDNNGRU", "RNN", "ConvLSTM{}D", "Bidirectional", kind=WATCH)
def states(at: LayerInModel) -> str | None:
    """Which result is what, and how a spec takes it."""
    names = list(at.definition.results)
    if len(names) < 2:
        return None
    taken = [f'"{at.name}[{i}]"' if i else at.name for i in range(len(names))]
    listed = [f"{item} ({name})" for item, name in zip(taken, names, strict=True)]
    kept = ", ".join(item for item, name in zip(taken, names, strict=True) if not name.startswith("y"))
    handed = f" from: [target, {kept}] gives the states to another layer." if kept else ""
    return f"Returns {len(names)} results: {in_a_row(names)}. A spec takes them as {in_a_row(listed)}.{handed}"


@hint("TimeDistributed", kind=WATCH)
def one_copy(at: LayerInModel) -> str | None:
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
def heads(at: LayerInModel) -> str | None:
    results, width = at.argument("num_heads"), at.argument("key_dim")
    return (
        f"key_dim={width} is the width of one head, not of all: queries and keys have {results} × {width} = "
        f"{results * width} values at each position. Keras takes its tensors in the order query, value, key. The "
        f"{at.params:,} parameters do not depend on the number of positions. Doubling the heads and halving key_dim "
        "leaves their count unchanged."
    )


@hint("RandomCrop", kind=WATCH)
def whole_image(at: LayerInModel) -> str | None:
    if at.x.shape == at.y.shape:
        return None
    return (
        f"Keras 3.15 returns something else at inference: the whole image, {shape_text(at.x.shape)}, although the "
        f"shape that it infers is {shape_text(at.y.shape)}. The formula is what Keras documents and Keras 2 computes."
    )
