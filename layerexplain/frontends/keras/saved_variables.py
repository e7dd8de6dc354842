"""The variables of a SavedModel that hang below each of its layers, by the names that lead to the layer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from layerexplain.frontends.keras.config_values import name_in
from layerexplain.frontends.keras.saved_model import (
    NO_LAYERS,
    SAVED_MODEL,
    SavedObject,
    keras_nodes_in,
    read_saved_model_proto,
)
from layerexplain.frontends.keras.weight_tensors import role_of
from layerexplain.model import StoredVariable
from layerexplain.sources.regular_file import in_folder, is_file_in, open_regular

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
    found: dict[str, tuple[StoredVariable, ...]] = {}
    for node in keras_nodes_in(folder):
        if not 0 <= node.number < len(objects):
            continue
        above, _, _ = node.path.rpartition(".")
        name = name_in(node.facts)
        if not above or above not in wheres or not name:
            wheres.setdefault(node.path, "")
            continue
        where = wheres[node.path] = f"{wheres[above]}/{name}".lstrip("/")
        found.setdefault(where, tuple(_below(objects, node.number)))
    return found


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
            one = objects[child]
            if one.variable is not None:
                if role_of(path, name) == "parameter":
                    yield one.variable._replace(name="/".join((*path, name)))
            elif one.identifier not in NO_LAYERS:
                waiting.append((child, (*path, name)))
