"""The weights of TensorFlow.js's model.json: a manifest names files beside it, and what lies in them in which order."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from layerexplain.errors import SourceError
from layerexplain.files.limits import MAX_AXES, MAX_SAVED_OBJECTS
from layerexplain.frontends.keras.config_values import name_in
from layerexplain.frontends.keras.tensor_bundle import ITEM_BYTES
from layerexplain.frontends.keras.weight_layouts import WeightListing
from layerexplain.frontends.keras.weight_tensors import Piece, RawValues, StoredTensor, file_beside, plain_name, role_of
from layerexplain.sources.regular_file import size_of

MANIFEST = "weightsManifest"
_STORED = ("float32", "int32", "bool", "uint8", "uint16", "float16", "complex64")


def tfjs_weights(document: Any, folder: str) -> tuple[WeightListing, Mapping[str, RawValues]] | None:
    """Return the weights that a parsed model.json lists, and where each has its values; None where it lists none.

    Raises SourceError where a file is missing or too short, or the manifest is damaged.
    """
    groups = document.get(MANIFEST) if isinstance(document, Mapping) else None
    if not isinstance(groups, list) or not groups:
        return None
    layers = frozenset(_layer_names(document.get("modelTopology")))
    tensors: list[StoredTensor] = []
    places: dict[str, RawValues] = {}
    for group in groups:
        paths, weights = (
            (group.get(key) for key in ("paths", "weights")) if isinstance(group, Mapping) else (None, None)
        )
        if not isinstance(paths, list) or not isinstance(weights, list):
            raise SourceError(f"has a {MANIFEST} whose groups are not of paths and weights; is the file damaged?")
        files = [file_beside(folder, str(path)) for path in paths]
        reach = _Reach([(path, size_of(path)) for path in files])
        for weight in weights:
            tensor, values = _weight(weight, reach, layers)
            if tensor.path in places:
                raise SourceError(f"lists the weight {tensor.path[1:81]!r} twice")
            tensors.append(tensor)
            places[tensor.path] = values
            if len(tensors) > MAX_SAVED_OBJECTS:
                raise SourceError(f"lists more than {MAX_SAVED_OBJECTS:,} weights; no model has that many")
    return WeightListing("names", "tfjs-layers", tensors=tuple(tensors)), places


class _Reach:
    """The bytes of a group's files, as if they were one."""

    def __init__(self, files: Sequence[tuple[str, int]]) -> None:
        self.files = files
        self.file = self.start = 0

    def take(self, size: int) -> tuple[Piece, ...] | None:
        """Return the places of the next bytes; None where there are not so many."""
        pieces = []
        while size:
            if self.file == len(self.files):
                return None
            path, length = self.files[self.file]
            part = min(size, length - self.start)
            if part:
                pieces.append(Piece(path, self.start, part))
            self.start += part
            size -= part
            if self.start == length:
                self.file, self.start = self.file + 1, 0
        return tuple(pieces)


def _weight(weight: Any, reach: _Reach, layers: frozenset[str]) -> tuple[StoredTensor, RawValues]:
    name, shape = (weight.get(key) for key in ("name", "shape")) if isinstance(weight, Mapping) else (None, None)
    if not isinstance(name, str) or not isinstance(shape, list) or len(shape) > MAX_AXES:
        raise SourceError(f"has a {MANIFEST} with a weight that has no name or no shape; is the file damaged?")
    if any(type(size) is not int or size < 0 for size in shape):
        raise SourceError(f"states the shape {str(shape)[:80]} of {name[:80]!r}; sizes are whole numbers")
    quantized = weight.get("quantization")
    quantized = quantized if isinstance(quantized, Mapping) else {}
    dtype, stored = str(weight.get("dtype")), str(quantized.get("dtype", weight.get("dtype")))
    if stored not in _STORED or dtype not in _STORED:
        raise SourceError(f"states the dtype {stored[:40]} of {name[:80]!r}, which is not read")
    pieces = reach.take(math.prod(shape) * ITEM_BYTES[stored])
    if pieces is None:
        raise SourceError(f"{name[:80]!r} is cut off in the weight files; were they copied whole?")
    scale, least = (quantized.get(key) for key in ("scale", "min"))
    numbers = [float(one) if isinstance(one, int | float) else None for one in (scale, least)]
    values = RawValues(pieces, stored, numbers[0], numbers[1] or 0.0)
    if stored == "float16" and dtype == "float32":
        values = values._replace(scale=1.0)
    parts = tuple(name.split("/"))
    parts = (*parts[:-1], plain_name(parts[-1]))
    # The name of a variable begins with that of its layer, or with that of a model that the layer is in.
    layer = next((part for part in parts[:-1] if part in layers), parts[0])
    role = role_of(parts[:-1], parts[-1])
    return StoredTensor(f"/{name}", (layer, *parts), tuple(shape), dtype, ITEM_BYTES[dtype], role, layer), values


def _layer_names(topology: Any) -> Iterator[str]:
    """Yield the names of the layers of a model, without those inside them."""
    config = topology.get("model_config", topology) if isinstance(topology, Mapping) else None
    config = config.get("config") if isinstance(config, Mapping) else None
    items = config.get("layers") if isinstance(config, Mapping) else config
    for item in items if isinstance(items, list) else ():
        own = item.get("config") if isinstance(item, Mapping) else None
        for entry in (own, item):
            if isinstance(entry, Mapping) and (name := name_in(entry)):
                yield name
                break
