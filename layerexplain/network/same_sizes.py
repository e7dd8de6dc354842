"""Which unknown sizes of a model's tensors are the same."""

from __future__ import annotations

from layerexplain.derive.same_sizes import SameSizes, Sizes, fresh
from layerexplain.model import TensorRef
from layerexplain.network.traced import Network


def sizes_of(network: Network) -> dict[TensorRef, Sizes]:
    """Return the shapes of a network's tensors, in which an unknown size equals only those that are the same as it.

    Tensors of unknown shape are left out.
    """
    sizes, found = SameSizes(), dict[TensorRef, Sizes]()
    for made in network.calls:
        results = [None if spec is None else fresh(spec.shape) for spec in made.outputs]
        given = [found.get(ref) for ref in made.sources]
        if made.definition is not None and None not in given:
            results = [*sizes.of_call(made.definition, [one for one in given if one is not None])]
        for i, result in enumerate(results):
            if result is not None:
                found[TensorRef(made.call.layer, made.call.index, i)] = result
    return found
