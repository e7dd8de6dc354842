"""The weights of a SavedModel: the arrays of its checkpoint, by the layers of Keras's metadata."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from layerexplain.frontends.keras.config_values import name_in
from layerexplain.frontends.keras.saved_model import (
    NO_LAYERS,
    SAVED_MODEL,
    KerasNode,
    SavedObject,
    keras_nodes_in,
    read_saved_model_proto,
)
from layerexplain.frontends.keras.tensor_bundle import (
    ITEM_BYTES,
    BundleEntry,
    Checkpoint,
    TrackedObject,
    read_checkpoint,
)
from layerexplain.frontends.keras.weight_layouts import WeightListing
from layerexplain.frontends.keras.weight_tensors import RawValues, Role, StoredTensor, plain_name, role_of
from layerexplain.model import StoredVariable
from layerexplain.sources.regular_file import in_folder, is_file_in, open_regular

# Saved values -------------------------------------------------------------------------------------------------------

_STEM = "variables"
_COUNTERS = ("save_counter", "iteration", "learning_rate")
_LISTED = "variables"


def saved_model_weights(folder: str) -> tuple[WeightListing, Mapping[str, RawValues]] | None:
    """Return the weights of a SavedModel directory, and where each has its values; None where it has none.

    Raises SourceError where its checkpoint is damaged.
    """
    variables = in_folder(folder, _STEM)
    if not is_file_in(variables, f"{_STEM}.index"):
        return None
    checkpoint = read_checkpoint(variables, _STEM)
    tensors = list(_of_layers(checkpoint, keras_nodes_in(folder)))
    taken = {tensor.path for tensor in tensors}
    tensors += [tensor for tensor in _others(checkpoint) if tensor.path not in taken]
    places = {f"/{key}": RawValues((entry.place,), entry.dtype) for key, entry in checkpoint.entries.items()}
    return WeightListing("names", "saved-model", tensors=tuple(tensors)), places


def _of_layers(checkpoint: Checkpoint, nodes: list[KerasNode]) -> Iterator[StoredTensor]:
    """Yield the weights of the layers of the model, each in the order of Keras's `weights`."""
    for node in nodes:
        above, _, own = node.path.partition(".")
        if above != "root" or not own or "." in own:
            continue
        name = name_in(node.facts)
        number = checkpoint.objects[0].children.get(own) if checkpoint.objects else None
        if not name or number is None:
            continue
        for variable in _variables(checkpoint, number):
            entry = checkpoint.entries.get(variable.key)
            if entry is not None:
                *groups, last = variable.name.split("/")
                parts = (name, *groups, plain_name(last))
                yield _tensor(variable.key, entry, parts, role_of(groups, plain_name(last)), name)


def _variables(checkpoint: Checkpoint, number: int) -> Iterator[TrackedObject]:
    """Yield the variables of an object, in the order in which it lists them; without a list all below it."""
    children = checkpoint.objects[number].children
    listed = checkpoint.objects[children[_LISTED]].children if _LISTED in children else {}
    if listed:
        for key in sorted([key for key in listed if key.isdecimal()], key=int):
            yield checkpoint.objects[listed[key]]
        return
    seen, waiting = {number}, [number]
    for at in waiting:  # grows as it is read
        tracked_object = checkpoint.objects[at]
        if tracked_object.key:
            yield tracked_object
        waiting += [child for child in tracked_object.children.values() if child not in seen]
        seen.update(tracked_object.children.values())


def _others(checkpoint: Checkpoint) -> Iterator[StoredTensor]:
    """Yield what no layer lists: the state of optimizers and metrics, and the variables of objects that are not Keras
    models, by their names."""
    names = {tracked_object.key: tracked_object.name for tracked_object in checkpoint.objects if tracked_object.key}
    for key, entry in checkpoint.entries.items():
        parts = tuple((names.get(key) or key.partition("/.ATTRIBUTES")[0]).split("/"))
        parts = (*parts[:-1], plain_name(parts[-1]))
        owner = "/".join(parts[:-1])
        first = key.partition("/")[0]
        role: Role = role_of(parts[:-1], parts[-1])
        if ".OPTIMIZER_SLOT" in key or first.startswith("optimizer") or parts[-1] in _COUNTERS:
            role = "optimizer"
        elif key.startswith("keras_api/metrics/"):
            role = "metric"
        yield _tensor(key, entry, parts, role, owner)


def _tensor(key: str, entry: BundleEntry, parts: tuple[str, ...], role: Role, layer: str) -> StoredTensor:
    return StoredTensor(f"/{key}", parts, entry.shape, entry.dtype, ITEM_BYTES[entry.dtype], role, layer)


# Saved variables ----------------------------------------------------------------------------------------------------
# The variables of a SavedModel that hang below each of its layers, by the names that lead to the layer.

_LISTS = frozenset({"keras_api", "variables", "trainable_variables", "regularization_losses"})
"""Children of a layer that list what it has under other names, too."""


def variables_of_layers(path: str) -> Mapping[str, tuple[StoredVariable, ...]]:
    """Return the variables of each layer that a SavedModel's object graph shows, none for a layer that has none.

    Args:
        path: The directory, or the saved_model.pb in it.

    Raises:
        SourceError: if the file is damaged.
    """
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    if not is_file_in(folder, SAVED_MODEL):
        return {}
    with open_regular(in_folder(folder, SAVED_MODEL)) as file:
        objects = read_saved_model_proto(file).objects
    wheres: dict[str, str] = {}
    results: dict[str, tuple[StoredVariable, ...]] = {}
    for node in keras_nodes_in(folder):
        if not 0 <= node.number < len(objects):
            continue
        above, _, _ = node.path.rpartition(".")
        name = name_in(node.facts)
        if not above or above not in wheres or not name:
            wheres.setdefault(node.path, "")
            continue
        where = wheres[node.path] = f"{wheres[above]}/{name}".lstrip("/")
        results.setdefault(where, tuple(_below(objects, node.number)))
    return results


def _below(objects: Sequence[SavedObject], root: int) -> Iterator[StoredVariable]:
    """Yield the parameters below an object, each once, under the shortest names that lead to them: `kernel`,
    `cell/bias`."""
    seen = {0, root}
    waiting: list[tuple[int, tuple[str, ...]]] = [(root, ())]
    for number, path in waiting:  # grows as it is read
        for name, child in objects[number].children.items():
            if child in seen or child >= len(objects) or name in _LISTS:
                continue
            seen.add(child)
            saved_object = objects[child]
            if saved_object.variable is not None:
                if role_of(path, name) == "parameter":
                    yield saved_object.variable._replace(name="/".join((*path, name)))
            elif saved_object.identifier not in NO_LAYERS:
                waiting.append((child, (*path, name)))
