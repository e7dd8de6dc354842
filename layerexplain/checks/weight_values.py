"""What the values of a model's weights are like, a weight at a time: as much as the rules on weights ask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.network.traced import Network
from layerexplain.records import NamedTuple

# Weight values ------------------------------------------------------------------------------------------------------


class StoredWeight(NamedTuple):
    """A weight of a file or a live model: its layer and name, how many of its numbers are NaN or infinite, how many
    units have only zeros (of how many) where it is a kernel, and a digest by which equal kernels are told; "" for one
    in which all numbers are the same."""

    layer: str
    name: str
    size: int
    not_finite: int
    dead: int
    units: int
    digest: str


def stored_weights(source: Any, network: Network) -> tuple[StoredWeight, ...]:
    """Return the weights of a file or of a live model, each read and left again.

    Raises LayerExplainError where the source stores no weights.
    """
    from layerexplain.frontends.keras.live_model import is_live_model
    from layerexplain.frontends.keras.weight_files import content_of, open_weights
    from layerexplain.weights.match import match

    content = content_of(source)
    if content is None and is_live_model(source):
        return tuple(_described(_of_live(source, network)))
    with open_weights(content) if content is not None else nullcontext() as stored:
        if stored is None or not stored.tensors:
            raise LayerExplainError(
                "stores no weights that --weight-values could read", source=network.model.source or None
            )
        matched: Any = match(network, stored)
        own = [
            weight for weight in matched.weights if weight.tensor is not None and weight.shared is None and weight.fits
        ]
        return tuple(_described((item.owner.where, item.name, matched.stored.read(item.tensor)) for item in own))


_Value = tuple[str, str, Any]
"""The layer of a weight, its name, and its values as an array."""


def _of_live(model: Any, network: Network) -> Iterator[_Value]:
    from layerexplain.attribute_path import weight_name
    from layerexplain.weights.weighted_layers import LiveWeights, plain_floats, weighted_layers

    live = LiveWeights(model)
    seen: set[int] = set()
    for layer in weighted_layers(network):
        if layer.definition is None:
            continue
        for number, variable in enumerate(live.variables(layer.path, layer.definition)):
            if id(variable) in seen:
                continue
            seen.add(id(variable))
            known = layer.weights[number : number + 1]
            name = weight_name(known[0].attrs, layer.layer) if known else variable.name
            yield layer.where, name, plain_floats(variable)


def _described(values: Iterator[_Value]) -> Iterator[StoredWeight]:
    import hashlib

    import numpy as np

    for layer, name, array in values:
        if array.dtype.kind not in "fiu" or not array.size:
            continue
        is_kernel = name.rpartition("/")[2] == "kernel" and array.ndim > 1
        numbers = array.astype(np.float32) if array.dtype.kind != "f" else array
        dead = int((~numbers.reshape(-1, numbers.shape[-1]).any(axis=0)).sum()) if is_kernel else 0
        varied = is_kernel and bool((numbers != numbers.flat[0]).any())
        digest = hashlib.sha256(repr(array.shape).encode() + array.tobytes()).hexdigest() if varied else ""
        units = int(array.shape[-1]) if is_kernel else 0
        not_finite = int((~np.isfinite(numbers)).sum())
        yield StoredWeight(layer, name, int(array.size), not_finite, dead, units, digest)
