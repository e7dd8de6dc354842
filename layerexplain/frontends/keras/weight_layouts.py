"""The two ways in which Keras lays out weights in HDF5, read as `StoredTensor`s in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from layerexplain.frontends.keras.h5_tree import (
    Dataset,
    H5Tree,
    has_attribute,
    list_tree,
    names_attribute,
    text_attribute,
)
from layerexplain.frontends.keras.weight_tensors import Groups, Layout, Role, StoredTensor, plain_name, role_of
from layerexplain.model import Note
from layerexplain.records import NamedTuple

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
    found = _class_layout(root) if classes else _any_layout(root)
    return {**found._asdict(), "objects": list(found.objects), "names": list(found.names.items())}


def as_listing(value: Mapping[str, Any]) -> WeightListing:
    """Return the listing that `list_weights` gave, from JSON."""
    fields = {key: _as_tuples(one) for key, one in value.items()}
    fields["tensors"] = tuple([StoredTensor(*one) for one in fields["tensors"]])
    fields["notes"] = tuple([Note(*one) for one in fields["notes"]])
    return WeightListing(**fields | {"objects": frozenset(fields["objects"]), "names": dict(fields["names"])})


def _as_tuples(value: Any) -> Any:
    return tuple([_as_tuples(one) for one in value]) if isinstance(value, list) else value


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
