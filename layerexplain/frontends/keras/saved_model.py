"""SavedModel directories of tf.keras → `Model`, from the Keras metadata beside or inside saved_model.pb; of an export
without such metadata (Keras 3's `export()`, plain TensorFlow) the signatures and variables. TensorFlow is not needed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import IO, Any

from layerexplain.errors import SourceError
from layerexplain.files.limits import MAX_AXES, MAX_CONFIG_BYTES, MAX_SAVED_OBJECTS, MAX_SAVED_PATH, MAX_SERVED
from layerexplain.frontends.json_text import kind_of_value, parse_json
from layerexplain.frontends.keras.config import read_config, read_graphless
from layerexplain.frontends.keras.config_values import name_in
from layerexplain.frontends.keras.layer_config import is_model
from layerexplain.frontends.keras.tensor_bundle import DTYPES, Value, fields, messages, sections, signed, text
from layerexplain.frontends.keras.weight_tensors import role_of, variable_rows
from layerexplain.frontends.model_builder import FreeNames, layers_in_config
from layerexplain.layers.registry import find
from layerexplain.model import Call, Layer, Model, Note, Shape, StoredVariable, TensorRef
from layerexplain.records import NamedTuple
from layerexplain.sources.regular_file import in_folder, is_file_in, name_of_folder, names_in, open_regular

SAVED_MODEL = "saved_model.pb"
METADATA = "keras_metadata.pb"

KERAS_IDENTIFIER = "_tf_keras_"

# Keras's own objects of a SavedModel that are no layers.
NO_LAYERS = ("_tf_keras_metric", "_tf_keras_optimizer", "_tf_keras_loss")


class SavedObject(NamedTuple):
    """A node of the object graph: its children by name, what kind of object it is, and the JSON that Keras kept."""

    children: Mapping[str, int]
    identifier: str
    metadata: bytes
    variable: StoredVariable | None


class ServedFunction(NamedTuple):
    """A function that the SavedModel serves: its tensors by name, as (dtype, shape)."""

    name: str
    inputs: Mapping[str, tuple[str, Shape | None]]
    outputs: Mapping[str, tuple[str, Shape | None]]


class SavedModel(NamedTuple):
    """The objects (the first is the root) and signatures of a saved_model.pb; its graph is passed over."""

    objects: tuple[SavedObject, ...]
    signatures: tuple[ServedFunction, ...]


class KerasNode(NamedTuple):
    """A layer or model of a SavedModel: its number among the objects, where it hangs (`root.layer-0`), what its JSON
    says, and those below it."""

    number: int
    path: str
    facts: Mapping[str, Any]
    below: list[KerasNode]


def is_saved_model(head: bytes) -> bool:
    """Return whether a file begins as saved_model.pb does: the schema's version, then the graph."""
    return head[:3] == b"\x08\x01\x12"


def is_keras_metadata(head: bytes) -> bool:
    """Return whether a file begins as keras_metadata.pb does."""
    return head[:1] == b"\n" and KERAS_IDENTIFIER.encode() in head[:256]


def read_saved_model_directory(path: str) -> Model:
    """Return the model of a SavedModel directory. Raises SourceError where it is damaged."""
    has_objects = SAVED_MODEL in names_in(path)
    name = SAVED_MODEL if has_objects else METADATA
    with open_regular(in_folder(path, name), name) as file:
        return read_saved_model_file(file, path) if has_objects else read_keras_metadata(file)


def read_saved_model_file(file: IO[bytes], directory: str | None) -> Model:
    """Return the model of a saved_model.pb; what Keras wrote beside it, in its directory, is read with it."""
    if directory is not None and is_file_in(directory, METADATA):
        with open_regular(in_folder(directory, METADATA)) as metadata:
            model = read_keras_metadata(metadata)
        return model if model.calls else _with_variables(model, read_saved_model_proto(file))
    saved = read_saved_model_proto(file)
    nodes = _nodes_of_objects(saved)
    if nodes and nodes[0].path == "root" and nodes[0].facts:
        model = _keras_model(nodes)
        return model if model.calls else _with_variables(model, saved)
    if not saved.objects and not saved.signatures:
        raise SourceError(f"{SAVED_MODEL} holds neither objects nor signatures; was the SavedModel copied whole?")
    return _export(saved, name_of_folder(directory) if directory is not None else "")


def read_keras_metadata(file: IO[bytes]) -> Model:
    """Return the model of a keras_metadata.pb."""
    return _keras_model(_nodes_of_metadata(file))


def _keras_model(nodes: list[KerasNode]) -> Model:
    root = _tree(nodes)
    facts = root.facts
    item = _item(root)
    version = facts.get("keras_version")
    if is_model(item["class_name"], item["config"]):
        model = read_config(item, keras_version=version, training=facts.get("training_config"))
    else:
        model = read_graphless(item, [_graphless_item(below) for below in root.below], keras_version=version)
    if name_in(facts) and isinstance(item["config"], dict) and "name" not in item["config"]:
        model = model._replace(name=name_in(facts))
    return model._replace(format="saved-model")


def _tree(nodes: list[KerasNode]) -> KerasNode:
    """Return the root, with the nodes as a tree by their paths: `root.block.d1` hangs below `root.block`."""
    trees: dict[str, KerasNode] = {}
    for node in nodes:
        if trees.setdefault(node.path, node) is not node:
            continue
        above = node.path.rpartition(".")[0]
        while above and above not in trees:
            above = above.rpartition(".")[0]
        if above:
            trees[above].below.append(node)
    if "root" not in trees:
        raise SourceError("has no root object; is the SavedModel that of a Keras model?")
    return trees["root"]


def _item(tree: KerasNode) -> dict[str, Any]:
    """Return a layer or model as the {class_name, config, …} that a configuration has."""
    facts = tree.facts
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


def _graphless_item(tree: KerasNode) -> dict[str, Any]:
    """Return an object below a subclassed model, with those below it that its configuration does not list."""
    item = _item(tree)
    facts = tree.facts
    if isinstance(item["config"], dict) and "name" not in item["config"]:
        own = {key: facts[key] for key in ("name", "trainable", "dtype") if key in facts}
        item["config"] = {**own, **item["config"]}
    item["below"] = [_graphless_item(below) for below in tree.below]
    return item


def _with_variables(model: Model, saved: SavedModel) -> Model:
    """Return a model without a graph whose layers of unknown classes have the variables that are named after them:
    `m/mine/w` is one of `mine`. Those that are named after no layer have rows of their own."""
    everyone = {layer.name for layer in model.layers}
    names = {
        layer.name
        for layer in model.layers
        if layer.model is None and find(layer.type) is None and not layers_in_config(layer.config)
    }
    own: dict[str, list[StoredVariable]] = {}
    nobodys = []
    for variable in _variables(saved):
        *owners, name = variable.name.partition(":")[0].split("/")
        owner = next((part for part in owners if part in names), None)
        if owner is not None and role_of(owners, name) == "parameter":
            own.setdefault(owner, []).append(variable._replace(name=name))
        elif everyone.isdisjoint(owners):
            nobodys.append(variable)
    if not own:
        return model
    configs = [(layer, {**layer.config, "variables": tuple(own.get(layer.name, ()))}) for layer in model.layers]
    layers = [layer._replace(kind="custom", config=config) if layer.name in own else layer for layer, config in configs]
    return model._replace(layers=(*layers, *_owners(nobodys, everyone)))


# What has no Keras metadata -----------------------------------------------------------------------------------------


def _export(saved: SavedModel, name: str) -> Model:
    """Return the signatures and variables of a SavedModel without layers."""
    signatures = [signature for signature in saved.signatures if not signature.name.startswith("__")]
    first = sorted(signatures, key=lambda function: function.name != "serving_default")[:1]
    inputs = [
        Layer(tensor, "InputLayer", "layer", {"batch_shape": shape, "dtype": dtype})
        for function in first
        for tensor, (dtype, shape) in function.inputs.items()
    ]
    variables = _variables(saved)
    message = (
        "the file stores no graph of layers, as Keras 3's export() writes it: only what it serves and its variables "
        "are known; save the model as .keras"
    )
    notes = [
        Note("no-graph", None, message),
        *[Note("signature", None, _signature_text(signature)) for signature in signatures],
    ]
    layers = (*inputs, *_owners(variables, {layer.name for layer in inputs}))
    calls = tuple([Call(layer.name, 0, (), {}) for layer in inputs])
    refs = tuple([TensorRef(layer.name) for layer in inputs])
    name = name or "saved_model"
    return Model(name, "SavedModel", layers, calls, refs, (), format="saved-model", notes=tuple(notes))


def _variables(saved: SavedModel) -> list[StoredVariable]:
    """Return the variables of a SavedModel, once each: those that a Keras export lists, or else all."""
    objects = saved.objects
    listed = objects[0].children.get("variables", len(objects)) if objects else 0
    children = objects[listed].children if listed < len(objects) else {}
    numbers = [children[key] for key in sorted([key for key in children if key.isdecimal()], key=int)]
    variables = [objects[number].variable for number in numbers or range(len(objects)) if number < len(objects)]
    return [variable for variable in variables if variable is not None]


def _owners(variables: list[StoredVariable], taken: set[str]) -> list[Layer]:
    """Return one row per object that the variables' names show: `dense/kernel` and `dense/bias` belong to `dense`."""
    owners: dict[str, tuple[FreeNames, list[StoredVariable]]] = {}
    for variable in variables:
        owner, _, name = variable.name.partition(":")[0].rpartition("/")
        if role_of(owner.split("/"), name) == "parameter":
            names, own = owners.setdefault(owner or "variables", (FreeNames(), []))
            own.append(variable._replace(name=names.take(name or "variable")))
    return variable_rows({owner: own for owner, (_, own) in owners.items()}, taken)


def _signature_text(signature: ServedFunction) -> str:
    """Return a signature in words: `serving_default(x: float32 (None, 4)) → output_0: float32 (None, 2)`."""

    def side(tensors: Mapping[str, tuple[str, Any]]) -> str:
        return ", ".join(
            f"{name}: {dtype} {'of unknown rank' if shape is None else tuple(shape)}"
            for name, (dtype, shape) in list(tensors.items())[:20]
        )

    return f"serves {signature.name}({side(signature.inputs)}) → {side(signature.outputs)}"


# The files, whose field numbers are those of TensorFlow's saved_model.proto, saved_object_graph.proto and Keras's
# saved_metadata.proto ---------------------------------------------------------------------------------------------


def read_saved_model_proto(file: IO[bytes]) -> SavedModel:
    """Return the objects and signatures of a saved_model.pb. Raises SourceError where it is damaged or is something
    else.

    The graph, which may hold gigabytes of constants, is passed over.
    """
    end = file.seek(0, os.SEEK_END)
    objects: list[SavedObject] = []
    signatures: list[ServedFunction] = []
    edges = 0
    for start, stop in sections(file, 0, end, 2):
        for at, until in sections(file, start, stop, 7):
            for node in messages(_section(file, at, until), 1):
                objects.append(_object(node))
                edges += len(objects[-1].children)
                _must_be_few(len(objects), MAX_SAVED_OBJECTS, "objects")
                _must_be_few(edges, 4 * MAX_SAVED_OBJECTS, "edges between objects")
        for at, until in sections(file, start, stop, 5):
            signatures.append(_signature(_section(file, at, until)))
            _must_be_few(len(signatures), MAX_SERVED, "functions that it serves")
        break
    return SavedModel(tuple(objects), tuple(signatures))


def keras_nodes_in(folder: str) -> list[KerasNode]:
    """Return the layers and models that a SavedModel directory tells of, each before what hangs below it."""
    if is_file_in(folder, METADATA):
        with open_regular(in_folder(folder, METADATA), METADATA) as file:
            return _nodes_of_metadata(file)
    if not is_file_in(folder, SAVED_MODEL):
        return []
    with open_regular(in_folder(folder, SAVED_MODEL), SAVED_MODEL) as file:
        return _nodes_of_objects(read_saved_model_proto(file))


def _must_be_few(count: int, most: int, what: str) -> None:
    if count > most:
        raise SourceError(f"has more than {most:,} {what}; no model needs that many")


def _checked_path(path: str) -> str:
    """Return the way to an object; raises SourceError for one that no model has."""
    if len(path) > MAX_SAVED_PATH:
        raise SourceError(f"an object lies {len(path):,} characters deep; a path has at most {MAX_SAVED_PATH:,}")
    return path


def _nodes_of_objects(saved: SavedModel) -> list[KerasNode]:
    """Return those of an object graph (TensorFlow before 2.5), each under the shortest path to it."""
    objects = saved.objects
    paths = {0: "root"} if objects else {}
    waiting = [*paths]
    for number in waiting:  # grows as it is read
        for name, child in objects[number].children.items():
            if child not in paths and child < len(objects):
                paths[child] = _checked_path(f"{paths[number]}.{name}")
                waiting.append(child)
    return _of_keras([(n, paths[n], objects[n].identifier, objects[n].metadata) for n in waiting])


def _nodes_of_metadata(file: IO[bytes]) -> list[KerasNode]:
    """Return those of a keras_metadata.pb."""
    data = file.read(MAX_CONFIG_BYTES + 1)
    if len(data) > MAX_CONFIG_BYTES:
        raise SourceError(f"{METADATA} has more than {MAX_CONFIG_BYTES:,} bytes; no model needs that many")
    results: list[tuple[int, str, str, bytes]] = []
    for message in messages(data, 1):
        entry = dict(fields(message))
        results.append(
            (signed(entry.get(2)), _checked_path(text(entry.get(3))), text(entry.get(4)), _bytes(entry.get(5)))
        )
        _must_be_few(len(results), MAX_SAVED_OBJECTS, "objects")
    return _of_keras(results)


def _of_keras(results: list[tuple[int, str, str, bytes]]) -> list[KerasNode]:
    """Return the layers and models among objects (number, path, identifier, metadata), each before what hangs below
    it."""
    nodes = []
    for number, path, identifier, metadata in results:
        if identifier.startswith(KERAS_IDENTIFIER) and identifier not in NO_LAYERS:
            what = f"the metadata of {path[:80]!r}"
            facts = parse_json(metadata, what) if metadata else {}
            if not isinstance(facts, dict):
                raise SourceError(f"{what} is {kind_of_value(facts)}; an object is needed")
            nodes.append(KerasNode(number, path, facts, []))
    return sorted(nodes, key=lambda node: node.path.count("."))


def _section(file: IO[bytes], start: int, end: int) -> bytes:
    if end - start > MAX_CONFIG_BYTES:
        raise SourceError(f"a part of it has {end - start:,} bytes; a model needs at most {MAX_CONFIG_BYTES:,}")
    file.seek(start)
    return file.read(end - start)


def _bytes(value: Value | None) -> bytes:
    return bytes(value) if isinstance(value, memoryview) else b""


def _object(data: memoryview) -> SavedObject:
    children: dict[str, int] = {}
    identifier, metadata, variable = "", b"", None
    for number, value in fields(data):
        if not isinstance(value, memoryview):
            continue
        if number == 1:
            results = dict(fields(value))
            children[text(results.get(2))] = signed(results.get(1))
        elif number == 4:
            results = dict(fields(value))
            identifier, metadata = text(results.get(1)), _bytes(results.get(3))
        elif number == 7:
            variable = _variable(value)
    return SavedObject({name: child for name, child in children.items() if child >= 0}, identifier, metadata, variable)


def _variable(data: memoryview) -> StoredVariable | None:
    """Return a variable of an object graph; None where its rank is not stated."""
    results = dict(fields(data))
    shape = _shape(results.get(2))
    if shape is None:
        return None
    return StoredVariable(text(results.get(6)), shape, _dtype(results.get(1)), signed(results.get(3)) != 0)


def _dtype(value: Value | None) -> str:
    number = signed(value)
    return DTYPES.get(number, f"dtype {number}")


def _shape(value: Value | None) -> Shape | None:
    """Return a TensorShapeProto; a dimension of -1 is unknown, and so is the rank where that is said."""
    if not isinstance(value, memoryview):
        return ()
    sizes: list[int | None] = []
    for number, part in fields(value):
        if number == 3 and part:
            return None
        if number == 2 and isinstance(part, memoryview):
            size = signed(dict(fields(part)).get(1))
            sizes.append(size if size >= 0 else None)
            _must_be_few(len(sizes), MAX_AXES, "axes in a tensor")
    return tuple(sizes)


def _signature(entry: bytes) -> ServedFunction:
    results = dict(fields(entry))
    tensors: dict[int, dict[str, tuple[str, Shape | None]]] = {1: {}, 2: {}}
    if isinstance(results.get(2), memoryview):
        for number, value in fields(_bytes(results[2])):
            if number in tensors and isinstance(value, memoryview):
                pair = dict(fields(value))
                info = dict(fields(_bytes(pair.get(2))))
                tensors[number][text(pair.get(1))] = (_dtype(info.get(2)), _shape(info.get(3)))
                _must_be_few(len(tensors[number]), MAX_SERVED, "tensors in a function that it serves")
    return ServedFunction(text(results.get(1)), tensors[1], tensors[2])
