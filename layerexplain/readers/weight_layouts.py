"""The two ways in which Keras lays out weights in HDF5, read as `StoredTensor`s in their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from layerexplain.model import Note
from layerexplain.readers.h5_tree import Dataset, Tree, has_attribute, list_tree, names_attribute, text_attribute
from layerexplain.readers.weight_tensors import StoredTensor, plain_name, role_of
from layerexplain.readers.weight_values import Opener, WeightFile

VARIABLES = "vars"
LAYERS = "layers"
_LAYERS_2_12 = "_layer_checkpoint_dependencies"
_LEGACY = "model_weights"
_OPTIMIZER = "optimizer_weights"
_TOP_LEVEL = "top_level_model_weights"


# Groups named after classes: .keras and .weights.h5 ---------------------------------------------------------------


def class_layout(files: Mapping[str, Opener], format: str, *, has_model: bool) -> WeightFile:
    """Weights as Keras 2.12 and later keep them: `/layers/dense_1/vars/0`. Several files are shards of one."""
    found = WeightFile(format, "classes", has_model=has_model)
    found.files = files
    tensors: list[StoredTensor] = []
    groups: set[tuple[str, ...]] = set()
    objects: set[tuple[str, ...]] = set()
    names: dict[tuple[str, ...], str] = {}
    notes: list[Note] = []
    for file, opened in files.items():
        with opened() as root:
            tree = list_tree(root)
        groups |= {_without_variables(path) for path in tree.groups}
        objects |= {_without_variables(path) for path in tree.groups if path[-1:] == (VARIABLES,)}
        names |= {_without_variables(path): name for path, name in tree.names.items() if path[-1:] == (VARIABLES,)}
        notes += tree.notes
        tensors += [_class_tensor(dataset, file) for dataset in tree.datasets]
    tensors.sort(key=lambda tensor: [_by_number(part) for part in tensor.parts])
    found.tensors = tuple([tensor._replace(layer=layer_of(tensor.parts[:-1], names)[0]) for tensor in tensors])
    found.groups = frozenset(groups)
    found.objects = frozenset(objects)
    found.names = names
    found.notes = tuple(notes)
    return found


def _without_variables(path: tuple[str, ...]) -> tuple[str, ...]:
    """The groups down to a layer, as later versions name them."""
    own = path[:-1] if path[-1:] == (VARIABLES,) else path
    return tuple([LAYERS if part == _LAYERS_2_12 else part for part in own])


def _class_tensor(dataset: Dataset, file: str) -> StoredTensor:
    groups, variable = _without_variables(dataset.parts[:-1]), dataset.parts[-1]
    return StoredTensor(
        path="/" + "/".join(dataset.parts),
        parts=(*groups, variable),
        shape=dataset.shape,
        dtype=dataset.dtype,
        itemsize=dataset.itemsize,
        role=role_of(groups, variable),
        file=file,
    )


def _by_number(part: str) -> tuple[str, int, str]:
    """`dense_10` behind `dense_9`, `10` behind `9`."""
    stem = part.rstrip("0123456789")
    digits = part[len(stem) :]
    return stem, int(digits) if digits and len(digits) < 10 else -1, part


def layer_of(groups: tuple[str, ...], names: Mapping[tuple[str, ...], str]) -> tuple[str, tuple[str, ...]]:
    """The path of the layer that groups lead to, by names where the file has them, and the groups inside that layer.

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


def legacy_layout(opened: Opener) -> WeightFile | None:
    """The weights of any HDF5 file that Keras writes; None for one of another kind."""
    with opened() as root:
        top = {name.decode("utf-8", "backslashreplace") for name in root.id}
        whole = has_attribute(root.id, "model_config") or has_attribute(root.id, "model_config0")
        if not whole and _LEGACY not in top and not _lists_layers(root.id):
            if top & {LAYERS, _LAYERS_2_12, VARIABLES}:
                return class_layout({"": opened}, "weights-h5", has_model=False)
            return None
        tree = list_tree(root)
        base = (_LEGACY,) if _LEGACY in top else ()
        found = WeightFile("h5" if whole else "h5-weights", "names", has_model=whole)
        found.files = {"": opened}
        reader = _Legacy(root, tree)
        found.keras_version = text_attribute(reader.open(base), "keras_version")
        found.tensors = (*reader.layers(base), *reader.optimizer())
        found.groups = frozenset(path[len(base) :] for path in tree.groups)
        found.notes = (*tree.notes, *reader.unlisted(base))
    return found


def _lists_layers(owner: Any) -> bool:
    return any(has_attribute(owner, name) for name in ("layer_names", "layer_names0", "nb_layers"))


class _Legacy:
    """Reads one file's lists of layers and of their weights."""

    def __init__(self, root: Any, tree: Tree) -> None:
        self.root = root
        self.tree = tree
        self.datasets = {dataset.parts: dataset for dataset in tree.datasets}
        self.taken: set[tuple[str, ...]] = set()

    def open(self, path: tuple[str, ...]) -> Any:
        """A group of the tree, which holds no link that was not looked at."""
        return self.root["/" + "/".join(path)].id

    def layers(self, base: tuple[str, ...]) -> Iterator[StoredTensor]:
        """The weights of all layers, in the order of the lists."""
        listed = names_attribute(self.open(base), "layer_names")
        if listed is None:
            inside = {path[: len(base) + 1] for path in self.tree.groups if len(path) > len(base)}
            listed = sorted([path[-1] for path in inside if path != (_OPTIMIZER,)], key=_by_number)
        for name in dict.fromkeys([*listed, _TOP_LEVEL]):
            group = (*base, *name.split("/"))
            if group in self.tree.groups:
                yield from self._layer("" if name == _TOP_LEVEL else name, group)

    def _layer(self, name: str, group: tuple[str, ...]) -> Iterator[StoredTensor]:
        listed = names_attribute(self.open(group), "weight_names")
        if listed is None:
            inside = [path for path in self.datasets if path[: len(group)] == group]
            paths: Iterable[tuple[str, ...]] = sorted(inside, key=lambda path: [_by_number(part) for part in path])
        else:
            paths = [(*group, *weight.split("/")) for weight in listed]
        for path in paths:
            dataset = self.datasets.get(path)
            if dataset is not None and path not in self.taken:
                self.taken.add(path)
                own = path[len(group) :]
                parts = (name, *own[:-1], plain_name(own[-1]))
                yield self._tensor(dataset, parts, name)

    def optimizer(self) -> Iterator[StoredTensor]:
        """The optimizer's state."""
        for dataset in self.tree.datasets:
            if dataset.parts[0] == _OPTIMIZER:
                self.taken.add(dataset.parts)
                yield self._tensor(dataset, dataset.parts, "")

    def unlisted(self, base: tuple[str, ...]) -> Iterator[Note]:
        """A note for each array that no list names: Keras does not read it either."""
        for path in self.datasets:
            if path not in self.taken:
                yield Note("unlisted-weight", None, f"/{'/'.join(path)} is in no list of weights, so Keras ignores it")

    def _tensor(self, dataset: Dataset, parts: tuple[str, ...], layer: str) -> StoredTensor:
        return StoredTensor(
            path="/" + "/".join(dataset.parts),
            parts=parts,
            shape=dataset.shape,
            dtype=dataset.dtype,
            itemsize=dataset.itemsize,
            role=role_of(dataset.parts[:1] if parts[:1] == (_OPTIMIZER,) else parts[1:-1], parts[-1]),
            layer=layer,
        )
