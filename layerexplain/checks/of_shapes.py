"""Rules on windows (what they skip, never read, or only pad) and on sizes that the model leaves open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from layerexplain.checks.calls import config_of, derived, keras_type_of, readers_of, source_of, type_of, with_source
from layerexplain.checks.rules import Found, Torch, rule
from layerexplain.derive.roles import SameSizes, Sizes, UnknownSize, fresh
from layerexplain.lang.axes import Shape, Size
from layerexplain.lang.visit import nodes
from layerexplain.model import TensorRef
from layerexplain.network.trace import trace_model
from layerexplain.network.traced import Network, TracedCall
from layerexplain.ops.sizes import default_roles, shape_text
from layerexplain.ops.spatial import seems_channels_first
from layerexplain.ops.window import first_windows

# Of shapes ----------------------------------------------------------------------------------------------------------


@rule(
    "skipped-pixels",
    "A stride longer than the window",
    "wrong",
    "likely",
    why="What lies between two windows is never read.",
    fix="Use a stride of at most the window's size, or a pooling that reads all of it.",
    source="Dumoulin, Visin: A guide to convolution arithmetic for deep learning (2016)",
    inside=True,
)
def skipped_pixels(network: Network) -> Iterator[Found]:
    for call in derived(network):
        for w in first_windows(call.definition):
            # A window of 1 with a stride is the shortcut of a residual block.
            if w.k > 1 and w.stride > w.reach and w.number not in (None, 1):
                skipped = w.stride - w.reach
                are = "is" if skipped == 1 else "are"
                yield call, f"windows of {w.reach} {w.role} start {w.stride} apart, so that {skipped} {are} skipped"
                break


@rule(
    "examples-mixed",
    "A view that mixes examples",
    "breaks",
    "certain",
    why="With -1 for the batch, PyTorch cuts the numbers of all examples into rows of the size that is given: the rows "
    "are no longer the examples, and the loss refuses them.",
    fix="Write torch.flatten(x, 1), and give the Linear after it the number of features that an example has.",
    source="torch.Tensor.view",
)
def examples_mixed(network: Network) -> Iterator[Found]:
    for call in derived(network):
        before, after = call.inputs[0], call.outputs[0]
        if type_of(network, call) != "torch.reshape" or before is None or after is None or len(after.shape) != 2:
            continue
        sizes, row = [size for size in before.shape[1:] if isinstance(size, int)], after.shape[1]
        whole = [prod(sizes[i:]) for i in range(len(sizes))]
        # A view of all steps of sequences as rows keeps the last axes whole, and is meant.
        if isinstance(row, int) and len(sizes) == len(before.shape) - 1 and whole and row not in whole:
            message = f"{whole[0]} = {' × '.join(map(str, sizes))} numbers of an example are cut into rows of {row}"
            yield call, f"{message}; write torch.flatten(x, 1), and Linear({whole[0]}, …)"


@rule(
    "mostly-padding",
    "A window larger than its map",
    "wasteful",
    "likely",
    why="With padding='same' such a window always reads more padding than data.",
    fix="Use a smaller kernel_size here, or fewer poolings before.",
    source="Dumoulin, Visin: A guide to convolution arithmetic for deep learning (2016)",
    inside=True,
)
def mostly_padding(network: Network) -> Iterator[Found]:
    for call in derived(network):
        for w in first_windows(call.definition):
            if w.padding == "same" and w.dilation == 1 and w.n is not None and w.k > 2 * w.n - 1 > 0 and w.k > 1:
                yield call, f"a window of {w.k} {w.role} slides over {w.n}: {w.k - w.n} of them are always padding"
                break


@rule(
    "unread-edge",
    "Rows that no window reads",
    "hint",
    "hint",
    why="The last rows or columns of the input have no influence at all.",
    fix="Use padding='same', or an input size that the windows cover.",
    source="Dumoulin, Visin: A guide to convolution arithmetic for deep learning (2016)",
    inside=True,
    torch=Torch(fix="Use ceil_mode=True in a pooling, padding in a convolution, or a size that the windows cover."),
)
def unread_edge(network: Network) -> Iterator[Found]:
    for call in derived(network):
        before = source_of(network, call)
        source = None if before is None else before.definition
        if source is not None and any(node.op.name == "pad" for node in nodes(source)):
            continue
        for w in first_windows(call.definition):
            if w.unread and w.k > 1:
                yield call, f"no window reaches {w.last(w.unread)}, of {w.n} {w.role}"
                break


@rule(
    "checkerboard",
    "A transposed convolution that produces checkerboard patterns",
    "hint",
    "likely",
    why="Its window is not a multiple of its stride, so that neighbouring outputs sum different numbers of terms.",
    fix="Use a kernel_size that is a multiple of the stride, or UpSampling2D before a Conv2D.",
    source="Odena, Dumoulin, Olah: Deconvolution and Checkerboard Artifacts (2016)",
    inside=True,
    torch=Torch(fix="Use a kernel_size that is a multiple of the stride, or nn.Upsample before a Conv2d."),
)
def checkerboard(network: Network) -> Iterator[Found]:
    for call in derived(network):
        for w in first_windows(call.definition, ("conv_transpose",)):
            if w.stride > 1 and w.k % w.stride:
                terms = f"{w.k // w.stride} or {-(-w.k // w.stride)} terms"
                yield call, f"with a window of {w.k} and a stride of {w.stride}, outputs are sums of {terms}"
                break


@rule(
    "reshape-for-permute",
    "Reshape where Permute was meant",
    "hint",
    "hint",
    why="Reshape reads the numbers in the same order into other rows: rows and columns are mixed, not exchanged.",
    fix="Use Permute to exchange axes.",
    source="keras/src/layers/reshaping/permute.py",
    inside=True,
    torch=Torch(
        "view and reshape read the numbers in the same order into other rows: rows and columns are mixed, not "
        "exchanged.",
        "Use permute or transpose to exchange axes.",
    ),
)
def reshape_for_permute(network: Network) -> Iterator[Found]:
    for call in derived(network):
        given, result = call.inputs[0], call.outputs[0]
        if keras_type_of(network, call) != "Reshape" or given is None or result is None:
            continue
        # An axis of size 1 may stand anywhere: the numbers stay where they were.
        before, after = ([size for size in spec.shape[1:] if size != 1] for spec in (given, result))
        known = all(isinstance(size, int) for size in (*before, *after))
        if known and before != after and sorted(map(str, before)) == sorted(map(str, after)):
            yield call, f"the axes {shape_text(given.shape)} become {shape_text(result.shape)}: the same sizes"
        elif _moves_the_batch(given.shape, result.shape):
            message = f"the axes {shape_text(given.shape)} become {shape_text(result.shape)}"
            yield call, f"{message}: each row gets numbers of several examples"


def _moves_the_batch(given: Shape, result: Shape) -> bool:
    """Return whether a reshape puts the one axis of unknown size behind other sizes than before."""
    both = [[i for i, size in enumerate(shape) if not isinstance(size, int)] for shape in (given, result)]
    if [len(items) for items in both] != [1, 1]:
        return False
    # Steps that are merged into the batch, as by view(-1, features), stay in order.
    whole, before = (
        [prod(n for n in item if isinstance(n, int)) for item in pair]
        for pair in ((given, result), (given[: both[0][0]], result[: both[1][0]]))
    )
    return whole[0] == whole[1] and before[0] != before[1]


@rule(
    "channels-first-as-last",
    "Channels first, read as channels last",
    "wrong",
    "likely",
    why="The window slides over the channels, and treats the columns or the steps as channels.",
    fix="Give the channels last, or use data_format='channels_first', or Permute before: (2, 3, 1) for images, (2, 1) "
    "for sequences.",
    source="keras/src/layers/convolutional/base_conv.py",
    causes=("map-used-up", "layer-at-fault"),
)
def channels_first_as_last(network: Network) -> Iterator[Found]:
    inputs = network.model.inputs
    for call in network.calls:
        declaration, spec = call.declaration, call.inputs[0] if call.inputs else None
        if declaration is None or spec is None or call.number or not set(call.sources[:1]) & set(inputs):
            continue
        layout = config_of(network, call).get("data_format") or declaration.default_values.get("data_format")
        slides = any(window.reach > 1 for window in first_windows(call.definition))
        if call.definition is None:
            slides = "padding" in declaration.arguments
        if layout == "channels_last" and slides and seems_channels_first(spec.shape):
            first, *sides = spec.shape[1:]
            if len(set(sides)) == 1:
                noun = "row" if len(sides) > 1 else "step"
                read = f"{first} {noun}{'s' * (first != 1)} with {sides[-1]} channels"
                yield call, f"its input {shape_text(spec.shape)} is read as {read}"


@rule(
    "small-receptive-field",
    "A receptive field smaller than the input",
    "hint",
    "hint",
    why="No feature before the pooling sees the whole input: distant parts are never combined.",
    fix="Use more layers with strides or dilation, or a smaller input.",
    source="Luo et al.: Understanding the Effective Receptive Field in Deep Convolutional Neural Networks (2016)",
)
def small_receptive_field(network: Network) -> Iterator[Found]:
    # What pools a map that goes on beside it weighs channels (squeeze and excitation).
    pools = [
        call
        for before, call in with_source(network)
        if _pools_all(network, call) and len(readers_of(network, before)) == 1
    ]
    inputs = network.model.inputs
    least = _least_reaches(network) if len(inputs) == 1 else {}
    pools = [
        call for call in pools if not _covers(least.get(call.sources[0]), network.call(TensorRef(inputs[0].layer)))
    ]
    if not pools or len(inputs) > 1:
        return
    from layerexplain.report.receptive_field import fields_of

    fields = fields_of(network)
    for call in pools:
        for field in fields.get(call.sources[0].layer, {}).get(call.sources[0].call, ()):
            axes = [axis for axis in field.axes if axis.role in ("rows", "columns")]
            short = [axis for axis in axes if axis.of is not None and axis.size is not None and axis.size < axis.of]
            if short:
                axis = short[0]
                yield call, f"a feature that '{call.name}' pools sees {axis.size} of {axis.of} {axis.role}"
                break


def _pools_all(network: Network, call: TracedCall) -> bool:
    """Return whether a layer pools all rows and columns into one place."""
    name, spec = type_of(network, call), call.outputs[0]
    adaptive = name.rpartition(".")[2].lower().replace("_", "").startswith("adaptive")
    return name in ("GlobalAveragePooling2D", "GlobalMaxPooling2D") or (
        adaptive and spec is not None and spec.shape[2:] == (1, 1)
    )


_Reach = tuple[tuple[int, int], ...]
"""For rows and columns: how many positions of the input one element depends on at least, and how far apart those of
neighbours begin."""


def _covers(reach: _Reach | None, entry: TracedCall | None) -> bool:
    """Return whether elements depend on at least as many positions as the input has, by the cheap bound."""
    spec = entry.outputs[0] if entry is not None and entry.outputs else None
    sizes = spec.shape[1:] if spec is not None and reach is not None and len(spec.shape) == 4 else ()
    # Channels may be first or last: both readings of the sizes must be covered.
    known = [size for size in sizes if isinstance(size, int)]
    if len(sizes) == 3 and len(known) < 2:
        return True  # of an input of any size nothing can be said
    return len(known) == 3 and reach is not None and all(seen >= max(known) for seen, _ in reach)


def _least_reaches(network: Network, entry: _Reach = ((1, 1), (1, 1))) -> dict[TensorRef, _Reach]:
    """Return how far the elements of each map reach at least, by the windows on one way from the input; the exact
    fields, which ask each formula, take several times as long as the rest of a check."""
    results: dict[TensorRef, _Reach] = dict.fromkeys(network.model.inputs, entry)
    for call in network.calls:
        spec = call.outputs[0] if call.outputs else None
        given = [results[ref] for ref in call.sources if ref in results]
        if not given or spec is None or len(spec.shape) != 4:
            continue
        before = max(given)
        place = TensorRef(call.name, call.number)
        if call.network is not None:
            inside = _least_reaches(call.network, before).get(call.network.model.outputs[0])
            results.update({} if inside is None else {place: inside})
            continue
        names = {node.op.name for node in nodes(call.definition)} if call.definition is not None else _MOVED
        windows = first_windows(call.definition)
        kept = (
            windows
            or "pad" in names
            or any(other is not None and other.shape[1:3] == spec.shape[1:3] for other in call.inputs)
        )
        if names & _MOVED or len(windows) not in (0, 2) or not kept:
            continue
        reach = zip(before, windows, strict=True) if windows else ()
        made_of = tuple([(seen + (w.reach - 1) * apart, apart * w.stride) for (seen, apart), w in reach]) or before
        results[place] = made_of
    return results


_MOVED = frozenset({"reshape", "transpose", "conv_transpose", "resize", "repeat", "gather"})
"""Operations behind which rows and columns are not what they were."""


# Of sizes -----------------------------------------------------------------------------------------------------------
# Rules on sizes that the model leaves open: it takes any, but not all of them pass.

_TRIED = (101, 4_099)
"""Primes: no stride divides them. The larger one is for models that use up the smaller."""
_MULTIPLES = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024)


@rule(
    "not-all-sizes",
    "Unknown sizes of which only some fit",
    "hint",
    "hint",
    why="Keras builds the model, and fails at the first input of a size that does not fit.",
    fix="Give inputs of such sizes, or pad and crop: ZeroPadding2D where a pooling lost a row, Cropping2D where one is "
    "too many.",
    source="Ronneberger, Fischer, Brox: U-Net (2015), section 2",
    torch=Torch(
        "PyTorch fails at the first input of a size that does not fit.",
        "Give inputs of such sizes, or write F.interpolate(x, size=skip.shape[2:]) before they meet.",
    ),
)
def not_all_sizes(network: Network) -> Iterator[Found]:
    open_inputs = dict(_open_inputs(network))
    joins = set(_joins_of_sizes_that_may_differ(network)) if open_inputs else set()
    if not joins or network.faults:
        return
    for size in _TRIED:
        tried = _with_size(network, open_inputs, size)
        if not tried.faults:
            return
        layer = tried.faults[0].layer
        if layer in joins:
            break
    else:
        return
    passing = next((m for m in _MULTIPLES if not _with_size(network, open_inputs, 61 * m).faults), None)
    name, shape = next(iter(open_inputs.items()))
    roles = default_roles(1 + len(shape))[1:]
    taken = " and ".join([role for role, known in zip(roles, shape, strict=True) if known is None])
    joined = next((call.inputs for call in tried.calls if call.name == layer), ())
    shapes = " and ".join([shape_text(spec.shape) for spec in joined if spec is not None])
    multiples = "" if passing is None else f"; multiples of {passing} fit"
    given = shape_text(_filled(shape, size))
    yield (
        layer,
        f"'{name}' takes any {taken}, but with {given} the tensors here are {shapes}, which do not fit{multiples}",
    )


def _open_inputs(network: Network) -> Iterator[tuple[str, tuple[Size, ...]]]:
    """Yield the inputs with unknown sizes: their names and shapes, without the batch."""
    for ref in network.model.inputs:
        call = network.call(ref)
        spec = None if call is None else call.outputs[0]
        layer = network.model.layers_by_name.get(ref.layer)
        is_implied = layer is not None and bool(layer.config.get("implied"))  # whoever runs it knows the sizes
        if spec is not None and None in spec.shape[1:] and not is_implied:
            yield ref.layer, spec.shape[1:]


def _joins_of_sizes_that_may_differ(network: Network) -> Iterator[str]:
    """Yield the layers that take several tensors whose unknown sizes were computed in different ways."""
    if all(len(call.sources) < 2 for call in network.calls):
        return
    sizes = sizes_of(network)
    for call in network.calls:
        given = [sizes[ref] for ref in call.sources if ref in sizes]
        if _may_differ(given):
            yield call.name


def sizes_of(network: Network) -> dict[TensorRef, Sizes]:
    """Return the shapes of a network's tensors, in which an unknown size equals only those that are the same as it.

    Tensors of unknown shape are left out.
    """
    sizes, result = SameSizes(), dict[TensorRef, Sizes]()
    for call in network.calls:
        results = [None if spec is None else fresh(spec.shape) for spec in call.outputs]
        inputs = [result.get(ref) for ref in call.sources]
        if call.definition is not None and None not in inputs:
            results = [*sizes.of_call(call.definition, [tensor for tensor in inputs if tensor is not None])]
        result.update({ref: size for ref, size in zip(call.results, results, strict=False) if size is not None})
    return result


def _may_differ(given: Sequence[Sizes]) -> bool:
    return any(
        len({size for size in along if isinstance(size, UnknownSize)}) > 1 for along in zip(*given, strict=False)
    )


def _with_size(network: Network, inputs: dict[str, tuple[Size, ...]], size: int) -> Network:
    return trace_model(network.model, {name: _filled(shape, size) for name, shape in inputs.items()})


def _filled(shape: Sequence[Size], size: int) -> tuple[int, ...]:
    return tuple([other if isinstance(other, int) else size for other in shape])
