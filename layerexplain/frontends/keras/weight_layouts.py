"""The two ways in which Keras lays out weights in HDF5, read as `StoredTensor`s in their order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from layerexplain.errors import SourceError
from layerexplain.files.limits import MAX_AXES, MAX_SAVED_OBJECTS
from layerexplain.frontends.keras.config_values import name_in
from layerexplain.frontends.keras.h5_tree import (
    Dataset,
    H5Tree,
    has_attribute,
    list_tree,
    names_attribute,
    text_attribute,
)
from layerexplain.frontends.keras.tensor_bundle import ITEM_BYTES
from layerexplain.frontends.keras.weight_tensors import (
    Groups,
    Layout,
    Piece,
    RawValues,
    Role,
    StoredTensor,
    file_beside,
    plain_name,
    role_of,
)
from layerexplain.model import Note
from layerexplain.records import NamedTuple
from layerexplain.sources.regular_file import size_of

# Weight layouts -----------------------------------------------------------------------------------------------------

VARIABLES = "vars"
LAYERS = "layers"
_LAYERS_2_12 = "_layer_checkpoint_dependencies"
_LEGACY = "model_weights"
_OPTIMIZER = "optimizer_weights"
_GRAPH_0 = "graph"
"""Where Keras 0.3 kept all weights of a Graph, in the order of its nodes."""
_TOP_LEVEL = "top_level_model_weights"


class WeightListing(NamedTuple):
    """What one HDF5 file stores: `layout` is None for one that holds no weights of Keras; `groups` are in the order
    in which they lie in the file. The child process that reads the file makes it, and sends it as JSON."""

    layout: Layout | None
    format: str = ""
    keras_version: str | None = None
    tensors: tuple[StoredTensor, ...] = ()
    groups: tuple[Groups, ...] = ()
    objects: frozenset[Groups] = frozenset()
    names: Mapping[Groups, str] = {}
    notes: tuple[Note, ...] = ()
    backend: str | None = None
    """What Keras ran on, where a legacy file says it."""


def list_weights(root: Any, *, classes: bool) -> dict[str, Any]:
    """Return the listing of an open file as JSON has it; `classes` says that its layout is known to be the class
    layout."""
    weight_listing = _class_layout(root) if classes else _any_layout(root)
    return {
        **weight_listing._asdict(),
        "objects": list(weight_listing.objects),
        "names": list(weight_listing.names.items()),
    }


def as_listing(value: Mapping[str, Any]) -> WeightListing:
    """Return the listing that `list_weights` gave, from JSON."""
    fields = {key: _as_tuples(item) for key, item in value.items()}
    fields["tensors"] = tuple([StoredTensor(*item) for item in fields["tensors"]])
    fields["notes"] = tuple([Note(*item) for item in fields["notes"]])
    return WeightListing(**fields | {"objects": frozenset(fields["objects"]), "names": dict(fields["names"])})


def _as_tuples(value: Any) -> Any:
    return tuple([_as_tuples(item) for item in value]) if isinstance(value, list) else value


# Groups named after classes: .keras and .weights.h5 ---------------------------------------------------------------


def _class_layout(root: Any) -> WeightListing:
    """Return weights as Keras 2.12 and later keep them: `/layers/dense_1/vars/0`."""
    tree = list_tree(root)
    return WeightListing(
        "classes",
        "weights-h5",
        tensors=tuple([_class_tensor(dataset) for dataset in tree.datasets]),
        groups=tuple(dict.fromkeys([_without_variables(path) for path in tree.groups])),
        objects=frozenset([_without_variables(path) for path in tree.groups if path[-1:] == (VARIABLES,)]),
        names={_without_variables(path): name for path, name in tree.names.items() if path[-1:] == (VARIABLES,)},
        notes=tree.notes,
    )


def joined(shards: Mapping[str, WeightListing]) -> WeightListing:
    """Return the class layout of a model stored in several files; tensors in the order of their numbers."""
    names = {path: name for shard in shards.values() for path, name in shard.names.items()}
    tensors = [tensor._replace(file=file) for file, shard in shards.items() for tensor in shard.tensors]
    tensors.sort(key=lambda tensor: [_by_number(part) for part in tensor.parts])
    return WeightListing(
        "classes",
        "weights-h5",
        tensors=tuple([tensor._replace(layer=layer_of(tensor.parts[:-1], names)[0]) for tensor in tensors]),
        groups=tuple(dict.fromkeys([path for shard in shards.values() for path in shard.groups])),
        objects=frozenset().union(*[shard.objects for shard in shards.values()]),
        names=names,
        notes=tuple([note for shard in shards.values() for note in shard.notes]),
    )


def _without_variables(path: Groups) -> Groups:
    """Return the groups down to a layer, as later versions name them."""
    own = path[:-1] if path[-1:] == (VARIABLES,) else path
    return tuple([LAYERS if part == _LAYERS_2_12 else part for part in own])


def _class_tensor(dataset: Dataset) -> StoredTensor:
    groups, variable = _without_variables(dataset.parts[:-1]), dataset.parts[-1]
    return _tensor(dataset, (*groups, variable), role_of(groups, variable))


def _tensor(dataset: Dataset, parts: Groups, role: Role, layer: str = "") -> StoredTensor:
    path, shape, dtype, itemsize = dataset
    return StoredTensor("/" + "/".join(path), parts, shape, dtype, itemsize, role, layer)


def _by_number(part: str) -> tuple[str, int, str]:
    """Return the sort key that puts `dense_10` behind `dense_9`, `10` behind `9`."""
    stem = part.rstrip("0123456789")
    digits = part[len(stem) :]
    return stem, int(digits) if digits and len(digits) < 10 else -1, part


def layer_of(groups: Groups, names: Mapping[Groups, str]) -> tuple[str, Groups]:
    """Return the path of the layer that groups lead to, by names where the file has them, and the groups inside that
    layer.

    A layer is what a container `layers` holds, or what stands at the top (an attribute of a subclassed model).
    """
    path: list[str] = []
    at = 0
    while at < len(groups):
        if groups[at] == LAYERS and at + 1 < len(groups):
            at += 1
        elif path:
            break
        path.append(names.get(groups[: at + 1], groups[at]))
        at += 1
    return "/".join(path), groups[at:]


# Groups named after layers: legacy .h5 ----------------------------------------------------------------------------


def _any_layout(root: Any) -> WeightListing:
    """Return the weights of any HDF5 file that Keras writes; without a layout for one of another kind."""
    top = {name.decode("utf-8", "backslashreplace") for name in root.id}
    whole = has_attribute(root.id, "model_config") or has_attribute(root.id, "model_config0")
    is_graph_0 = top == {_GRAPH_0} and not whole and has_attribute(root[_GRAPH_0].id, "nb_params")
    lists_layers = any(has_attribute(root.id, name) for name in ("layer_names", "layer_names0", "nb_layers"))
    if not (whole or is_graph_0 or lists_layers or _LEGACY in top):
        return _class_layout(root) if top & {LAYERS, _LAYERS_2_12, VARIABLES} else WeightListing(None)
    tree = list_tree(root)
    base = (_LEGACY,) if _LEGACY in top else ()
    reader = _Legacy(root, tree)
    return WeightListing(
        "names",
        "h5" if whole else "h5-weights",
        text_attribute(reader.open(base), "keras_version"),
        (*reader.layers(base), *reader.optimizer()),
        tuple([path[len(base) :] for path in tree.groups]),
        notes=(*tree.notes, *reader.unlisted()),
        backend=text_attribute(reader.open(base), "backend"),
    )


class _Legacy:
    """Reads one file's lists of layers and of their weights."""

    def __init__(self, root: Any, tree: H5Tree) -> None:
        self.root = root
        self.tree = tree
        self.groups = frozenset(tree.groups)
        self.datasets = {dataset.parts: dataset for dataset in tree.datasets}
        self.taken: set[Groups] = set()

    def open(self, path: Groups) -> Any:
        """Return a group of the tree, which holds no link that was not looked at."""
        return self.root["/" + "/".join(path)].id

    def layers(self, base: Groups) -> Iterator[StoredTensor]:
        """Yield the weights of all layers, in the order of the lists."""
        listed = names_attribute(self.open(base), "layer_names")
        if listed is None:
            inside = {path[: len(base) + 1] for path in self.groups if len(path) > len(base)}
            listed = sorted([path[-1] for path in inside if path != (_OPTIMIZER,)], key=_by_number)
        for name in dict.fromkeys([*listed, _TOP_LEVEL]):
            group = (*base, *name.split("/"))
            if group in self.groups:
                yield from self._layer("" if name == _TOP_LEVEL else name, group)

    def _layer(self, name: str, group: Groups) -> Iterator[StoredTensor]:
        listed = names_attribute(self.open(group), "weight_names")
        if listed is None:
            inside = [path for path in self.datasets if path[: len(group)] == group]
            paths: Iterable[Groups] = sorted(inside, key=lambda path: [_by_number(part) for part in path])
        else:
            paths = [(*group, *weight.split("/")) for weight in listed]
        for path in paths:
            dataset = self.datasets.get(path)
            if dataset is not None and path not in self.taken:
                self.taken.add(path)
                own = path[len(group) :]
                variable = plain_name(own[-1])
                yield _tensor(dataset, (name, *own[:-1], variable), role_of(own[:-1], variable), name)

    def optimizer(self) -> Iterator[StoredTensor]:
        """Yield the optimizer's state."""
        for dataset in self.tree.datasets:
            if dataset.parts[0] == _OPTIMIZER:
                self.taken.add(dataset.parts)
                yield _tensor(dataset, dataset.parts, "optimizer")

    def unlisted(self) -> list[Note]:
        """Return a note for each array that no list names: Keras does not read it either."""
        words = "is not in any list of weights, so Keras ignores it"
        left = [path for path in self.datasets if path not in self.taken]
        return [Note("unlisted-weight", None, f"/{'/'.join(path)} {words}") for path in left]


# Tfjs weights -------------------------------------------------------------------------------------------------------
# The weights of TensorFlow.js's model.json: a manifest names files beside it, and what lies in them in which order.

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
    numbers = [float(item) if isinstance(item, int | float) else None for item in (scale, least)]
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
