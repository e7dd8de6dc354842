"""SavedModel directories of tf.keras → `Model`, from the Keras metadata beside or inside saved_model.pb; of an export
without such metadata (Keras 3's `export()`, plain TensorFlow) the signatures and variables. TensorFlow is not needed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import IO, Any

from layerexplain.errors import SourceError
from layerexplain.frontends.json_text import parse_json
from layerexplain.frontends.keras.config import read_config, read_graphless
from layerexplain.frontends.keras.config_values import name_in
from layerexplain.frontends.keras.layer_config import is_model
from layerexplain.frontends.keras.saved_model_proto import (
    KERAS_IDENTIFIER,
    KerasNode,
    SavedModel,
    ServedFunction,
    Variable,
    keras_nodes_of_metadata,
    keras_nodes_of_objects,
    read_saved_model_proto,
)
from layerexplain.frontends.keras.weight_tensors import role_of
from layerexplain.frontends.keras.weights_only import variable_rows
from layerexplain.frontends.limits import MAX_CONFIG_BYTES
from layerexplain.frontends.model_builder import FreeNames
from layerexplain.frontends.value_text import kind_of_value
from layerexplain.model import Call, Layer, Model, Note, StoredVariable, TensorRef
from layerexplain.records import NamedTuple

SAVED_MODEL = "saved_model.pb"
METADATA = "keras_metadata.pb"

# Keras's own objects of a SavedModel that are no layers.
_NO_LAYERS = ("_tf_keras_metric", "_tf_keras_optimizer", "_tf_keras_loss")


class _KerasObject(NamedTuple):
    """A Keras object with its metadata, and the objects that hang below it."""

    path: str
    metadata: Mapping[str, Any]
    below: list[_KerasObject]


def is_saved_model(head: bytes) -> bool:
    """Whether a file begins as saved_model.pb does: the schema's version, then the graph."""
    return head[:3] == b"\x08\x01\x12"


def is_keras_metadata(head: bytes) -> bool:
    """Whether a file begins as keras_metadata.pb does."""
    return head[:1] == b"\n" and KERAS_IDENTIFIER.encode() in head[:256]


def read_saved_model_directory(path: str) -> Model:
    """The model of a SavedModel directory. Raises SourceError where it is damaged."""
    if os.path.isfile(os.path.join(path, SAVED_MODEL)):
        with open(os.path.join(path, SAVED_MODEL), "rb") as file:
            return read_saved_model_file(file, path)
    with open(os.path.join(path, METADATA), "rb") as file:
        return read_keras_metadata(file)


def read_saved_model_file(file: IO[bytes], directory: str | None) -> Model:
    """The model of a saved_model.pb; what Keras wrote beside it, in its directory, is read with it."""
    if directory is not None and os.path.isfile(os.path.join(directory, METADATA)):
        with open(os.path.join(directory, METADATA), "rb") as metadata:
            return read_keras_metadata(metadata)
    saved = read_saved_model_proto(file)
    nodes = keras_nodes_of_objects(saved)
    if nodes and nodes[0].path == "root" and nodes[0].metadata:
        return _keras_model(nodes)
    if not saved.objects and not saved.signatures:
        raise SourceError(f"{SAVED_MODEL} holds neither objects nor signatures; was the SavedModel copied whole?")
    return _export(saved, os.path.basename(os.path.abspath(directory)) if directory is not None else "")


def read_keras_metadata(file: IO[bytes]) -> Model:
    """The model of a keras_metadata.pb."""
    data = file.read(MAX_CONFIG_BYTES + 1)
    if len(data) > MAX_CONFIG_BYTES:
        raise SourceError(f"{METADATA} has more than {MAX_CONFIG_BYTES:,} bytes; no model needs that many")
    nodes = keras_nodes_of_metadata(data)
    if not nodes or not any(node.path == "root" for node in nodes):
        raise SourceError(f"{METADATA} has no root object; is the SavedModel that of a Keras model?")
    return _keras_model(nodes)


def _keras_model(nodes: list[KerasNode]) -> Model:
    root = _tree(nodes)
    facts = root.metadata
    item = _item(root)
    version = facts.get("keras_version")
    if is_model(item["class_name"], item["config"]):
        model = read_config(item, keras_version=version)
    else:
        model = read_graphless(item, [_graphless_item(below) for below in root.below], keras_version=version)
    if name_in(facts) and isinstance(item["config"], dict) and "name" not in item["config"]:
        model = model._replace(name=name_in(facts))
    return model._replace(format="saved-model")


def _tree(nodes: list[KerasNode]) -> _KerasObject:
    """The Keras objects as a tree, by their paths: `root.block.d1` hangs below `root.block`."""
    trees: dict[str, _KerasObject] = {}
    for node in sorted(nodes, key=lambda node: node.path.count(".")):
        if node.identifier in _NO_LAYERS or not node.identifier.startswith(KERAS_IDENTIFIER) or node.path in trees:
            continue
        document = parse_json(node.metadata, f"the metadata of {node.path[:80]!r}") if node.metadata else {}
        if not isinstance(document, dict):
            raise SourceError(f"the metadata of {node.path[:80]!r} is {kind_of_value(document)}; an object is needed")
        tree = trees[node.path] = _KerasObject(node.path, document, [])
        above = node.path.rpartition(".")[0]
        while above and above not in trees:
            above = above.rpartition(".")[0]
        if above:
            trees[above].below.append(tree)
    if "root" not in trees:
        raise SourceError("has no root object; is the SavedModel that of a Keras model?")
    return trees["root"]


def _item(tree: _KerasObject) -> dict[str, Any]:
    """A Keras object as the {class_name, config, …} that a configuration has."""
    facts = tree.metadata
    model = facts.get("model_config")
    if isinstance(model, dict) and isinstance(model.get("class_name"), str) and model.get("config"):
        item = {"class_name": model["class_name"], "config": model["config"]}
    else:
        config = facts.get("config")
        item = {"class_name": name_in(facts, "class_name") or tree.path.rpartition(".")[2]}
        item["config"] = config if isinstance(config, (dict, list)) else {}
    if facts.get("build_input_shape") is not None:
        item["build_config"] = {"input_shape": facts["build_input_shape"]}
    return item


def _graphless_item(tree: _KerasObject) -> dict[str, Any]:
    """An object below a subclassed model, with those below it where its configuration does not tell them."""
    item = _item(tree)
    facts = tree.metadata
    if isinstance(item["config"], dict) and "name" not in item["config"]:
        own = {key: facts[key] for key in ("name", "trainable", "dtype") if key in facts}
        item["config"] = {**own, **item["config"]}
    item["below"] = [_graphless_item(below) for below in tree.below]
    return item


# What has no Keras metadata -----------------------------------------------------------------------------------------


def _export(saved: SavedModel, name: str) -> Model:
    """The signatures and variables of a SavedModel that tells nothing of layers."""
    signatures = [one for one in saved.signatures if not one.name.startswith("__")]
    first = sorted(signatures, key=lambda one: one.name != "serving_default")[:1]
    inputs = [
        Layer(tensor, "InputLayer", "layer", {"batch_shape": shape, "dtype": dtype})
        for one in first
        for tensor, (dtype, shape) in one.inputs.items()
    ]
    variables = _variables(saved)
    message = (
        "the file stores no graph of layers, as Keras 3's export() writes it: only what it serves and its variables "
        "are known; save the model as .keras"
    )
    notes = [Note("no-graph", None, message), *[Note("signature", None, _signature_text(one)) for one in signatures]]
    return Model(
        name or "saved_model",
        "SavedModel",
        (*inputs, *_owners(variables, {layer.name for layer in inputs})),
        tuple([Call(layer.name, 0, (), {}) for layer in inputs]),
        tuple([TensorRef(layer.name) for layer in inputs]),
        (),
        format="saved-model",
        notes=tuple(notes),
    )


def _variables(saved: SavedModel) -> list[Variable]:
    """The variables of a SavedModel, once each: those that a Keras export lists, or else all."""
    listed = saved.objects[0].children.get("variables") if saved.objects else None
    numbers: list[int] = []
    if listed is not None and listed < len(saved.objects):
        children = saved.objects[listed].children
        numbers = [children[key] for key in sorted((k for k in children if k.isdecimal()), key=int)]
    if not numbers:
        numbers = list(range(len(saved.objects)))
    found = [saved.objects[number].variable for number in numbers if number < len(saved.objects)]
    return [variable for variable in found if variable is not None]


def _owners(variables: list[Variable], taken: set[str]) -> list[Layer]:
    """A row for each object that the variables' names tell: `dense/kernel` and `dense/bias` are those of `dense`."""
    owners: dict[str, tuple[FreeNames, list[StoredVariable]]] = {}
    for variable in variables:
        owner, _, name = variable.name.partition(":")[0].rpartition("/")
        if role_of(owner.split("/"), name) != "parameter" or variable.shape is None:
            continue
        names, own = owners.setdefault(owner or "variables", (FreeNames(), []))
        own.append(StoredVariable(names.take(name or "variable"), variable.shape, variable.dtype, variable.trainable))
    return variable_rows({owner: own for owner, (_, own) in owners.items()}, taken)


def _signature_text(signature: ServedFunction) -> str:
    """A signature in words: `serving_default(x: float32 (None, 4)) → output_0: float32 (None, 2)`."""

    def side(tensors: Mapping[str, tuple[str, Any]]) -> str:
        return ", ".join(
            f"{name}: {dtype} {'of unknown rank' if shape is None else tuple(shape)}"
            for name, (dtype, shape) in list(tensors.items())[:20]
        )

    return f"serves {signature.name}({side(signature.inputs)}) → {side(signature.outputs)}"
