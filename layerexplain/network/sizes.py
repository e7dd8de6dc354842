"""The shapes of a model's tensors with their unknown sizes named, so that two of them can be compared."""

from __future__ import annotations

from layerexplain.derive.same_sizes import SameSizes, Sizes, fresh
from layerexplain.model import TensorRef
from layerexplain.network.traced import Network


def named_sizes(network: Network) -> dict[TensorRef, Sizes]:
    """The shape of each tensor of a network.

    A size that is not known until run time is an `Unknown` where the specs have None: it is the same object wherever
    it is the same size, such as the steps of an input along both branches of a model.

    Args:
        network: the traced network. Nested models are one call each.

    Returns:
        The shapes by tensor; tensors whose shape is not known at all are left out.
    """
    sizes = SameSizes()
    found: dict[TensorRef, Sizes] = {}
    for made in network.calls:
        args = [found[ref] for ref in made.sources if ref in found]
        if made.definition is not None and not made.built and len(args) == len(made.sources):
            results = sizes.of_call(made.definition, args)
        else:
            results = [fresh(spec.shape) if spec is not None else () for spec in made.outputs]
        for i, (spec, result) in enumerate(zip(made.outputs, results, strict=False)):
            if spec is not None:
                found[TensorRef(made.call.layer, made.call.index, i)] = result
    return found
