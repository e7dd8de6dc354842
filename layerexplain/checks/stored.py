"""What the stored values of a model's weights are like, a weight at a time: as much as the rules on weights ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.network.traced import Network
from layerexplain.records import NamedTuple


class StoredWeight(NamedTuple):
    """A weight as the file stores it: its layer and name, how many of its numbers are NaN or infinite, how many units
    have only zeros (of how many) where it is a kernel, and a digest by which equal kernels are told; "" for one in
    which all numbers are the same."""

    layer: str
    name: str
    size: int
    not_finite: int
    dead: int
    units: int
    digest: str


def stored_weights(source: Any, network: Network) -> tuple[StoredWeight, ...]:
    """Return the weights of a file, each read and left again.

    Raises LayerExplainError where the source stores no weights.
    """
    import os

    from layerexplain.frontends.keras.weight_files import open_weights
    from layerexplain.weights.match import match

    content = (
        source if isinstance(source, bytes | str) else os.fspath(source) if hasattr(source, "__fspath__") else None
    )
    if content is None:
        raise LayerExplainError("--weights reads the weights of a file; this source is none")
    with open_weights(content) as stored:
        if stored is None or not stored.tensors:
            raise LayerExplainError("stores no weights that --weights could read", source=network.model.source or None)
        matched = match(network, stored)
        return tuple(_each(matched.stored, matched.weights))


def _each(stored: Any, weights: Any) -> Iterator[StoredWeight]:
    import hashlib

    import numpy as np

    for one in weights:
        if one.tensor is None or one.shared is not None or not one.fits:
            continue
        values = stored.read(one.tensor)
        if values.dtype.kind not in "fiu" or not values.size:
            continue
        is_kernel = one.name.rpartition("/")[2] == "kernel" and values.ndim > 1
        numbers = values.astype(np.float32) if values.dtype.kind != "f" else values
        dead = int((~numbers.reshape(-1, numbers.shape[-1]).any(axis=0)).sum()) if is_kernel else 0
        varied = is_kernel and bool((numbers != numbers.flat[0]).any())
        digest = hashlib.sha256(repr(values.shape).encode() + values.tobytes()).hexdigest() if varied else ""
        units = int(values.shape[-1]) if is_kernel else 0
        not_finite = int((~np.isfinite(numbers)).sum())
        yield StoredWeight(one.owner.where, one.name, int(values.size), not_finite, dead, units, digest)
