"""Rules on sizes that the model leaves open: it takes any, but not all of them pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from layerexplain.checks.rules import Found, Torch, rule
from layerexplain.derive.same_sizes import SameSizes, Sizes, UnknownSize, fresh
from layerexplain.lang.axes import Size
from layerexplain.model import TensorRef
from layerexplain.network.trace import trace_model
from layerexplain.network.traced import Network
from layerexplain.ops.sizes import default_roles, shape_text

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
    sizes, found = SameSizes(), dict[TensorRef, Sizes]()
    for call in network.calls:
        results = [None if spec is None else fresh(spec.shape) for spec in call.outputs]
        inputs = [found.get(ref) for ref in call.sources]
        if call.definition is not None and None not in inputs:
            results = [*sizes.of_call(call.definition, [one for one in inputs if one is not None])]
        found.update({ref: size for ref, size in zip(call.results, results, strict=False) if size is not None})
    return found


def _may_differ(given: Sequence[Sizes]) -> bool:
    return any(
        len({size for size in along if isinstance(size, UnknownSize)}) > 1 for along in zip(*given, strict=False)
    )


def _with_size(network: Network, inputs: dict[str, tuple[Size, ...]], size: int) -> Network:
    return trace_model(network.model, {name: _filled(shape, size) for name, shape in inputs.items()})


def _filled(shape: Sequence[Size], size: int) -> tuple[int, ...]:
    return tuple([one if isinstance(one, int) else size for one in shape])
