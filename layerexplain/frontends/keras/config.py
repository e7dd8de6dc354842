"""A Keras model configuration of any generation → `Model`.

What the dialects have in common: an object {class_name, config, …} whose config lists layers; a Sequential's are
called one after the other, a Functional's are wired by `inbound_nodes`. Structure decides, never a version string.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.errors import NotAModel, SourceError, SpecError
from layerexplain.frontends.json_text import arguments_text, kind_of_value, parse_json
from layerexplain.frontends.keras.config_values import ConfigContext, name_in, plain_config, plain_value, shape_value
from layerexplain.frontends.keras.layer_config import (
    GRAPH_CLASSES,
    class_and_config,
    first_input_shape,
    is_graph,
    is_model,
    read_layer,
)
from layerexplain.frontends.model_builder import FreeNames, ModelBuilder, default_name, known_types, layers_in_config
from layerexplain.model import Layer, Model, ObjectNumber, Shape, is_before_keras_3, package_and_class

_HUGGING_FACE = "is a configuration of another library (Hugging Face); a Keras configuration has class_name and config"
_FOREIGN = (
    ({"weight_map"}, "is an index of sharded weights, without an architecture; give the model's .keras or config JSON"),
    ({"keras_version", "date_saved"}, "is the metadata.json of an unzipped .keras; give its folder or its config.json"),
    (
        {"architectures"},
        "is a configuration of Hugging Face's without model_type, which says what the model is; add it",
    ),
    ({"model_type"}, _HUGGING_FACE),
)
"""Keys of JSON texts that are surely no Keras configuration, and what these are."""


def model_of_document(document: Any, *, keras_version: Any = None, numbered: bool = False) -> Model:
    """Return the model of a parsed configuration; `keras_version` is what stands beside it, `numbered` as in
    `read_config`."""
    if isinstance(document, Mapping) and ("modelTopology" in document or "weightsManifest" in document):
        return _tfjs(document)
    keys = document.keys() if isinstance(document, Mapping) else set()
    for told_by, words in _FOREIGN:
        if told_by <= keys:
            raise NotAModel(words)
    return read_config(document, keras_version=keras_version, numbered=numbered)._replace(format="config-json")


def is_spec(document: Any) -> bool:
    """Return whether a parsed JSON text is a spec written as JSON, rather than a Keras configuration."""
    if not isinstance(document, Mapping) or {"class_name", "input_layers"} & document.keys() or is_keras_0(document):
        return False
    if {"input", "inputs", "outputs"} & document.keys():
        return True
    layers = document.get("layers")
    return isinstance(layers, list) and any(
        isinstance(item, str) or (isinstance(item, Mapping) and "class_name" not in item) for item in layers
    )


def _tfjs(document: Mapping[str, Any]) -> Model:
    """Return the model of a TensorFlow.js model.json, from the Keras configuration in it; its weights are not read."""
    topology = document.get("modelTopology")
    if not isinstance(topology, Mapping):
        raise SourceError("is a TensorFlow.js model.json without a topology: weights without an architecture")
    if document.get("format") == "graph-model" or "node" in topology:
        raise SourceError(
            "is a TensorFlow.js graph model, which stores no Keras layers; convert the Keras model with "
            "--output_format=tfjs_layers_model, or give it as .keras"
        )
    # What converters write has the configuration one level further in than what model.save() of JavaScript writes.
    config = topology.get("model_config", topology)
    if isinstance(config, str):
        config = parse_json(config, "model_config")
    if not isinstance(config, Mapping) or "class_name" not in config:
        raise SourceError("is a TensorFlow.js model.json, but its topology is not a Keras configuration")
    version = topology.get("keras_version")
    # `tfjs-layers 4.20.0` is no version of Keras.
    stated = version if isinstance(version, str) and version[:1].isdigit() else None
    training = topology.get("training_config")
    return read_config(config, training=training)._replace(format="tfjs-layers", keras_version=stated)


def read_config(document: Any, *, keras_version: Any = None, numbered: bool = False, training: Any = None) -> Model:
    """Return the model that a configuration describes: {class_name, config}, a bare get_config(), or a list of layers.

    `numbered` says that objects which it gives one number (`shared_object_id`) are the same; `training` is what stands
    beside it of the loss and the optimizer. Raises SpecError where the
    configuration is none of these or is damaged.
    """
    item = _as_object(document)
    keras_version = item.get("keras_version") if keras_version is None else keras_version
    class_name, config = class_and_config(item)
    numbers: list[ObjectNumber] | None = [] if numbered else None
    context = ConfigContext([], read_layer, _nested_model, old=_is_old(config, keras_version), numbers=numbers)
    model = _read_model(item, class_name, config, context, top=True)
    model = _with_notes(model, keras_version, context)
    compiled = training or item.get("compile_config") or (item if "loss" in item else None)
    if compiled is not None:
        from layerexplain.frontends.training import with_training

        model = with_training(model, compiled)
    if numbers:
        from layerexplain.frontends.keras.shared_objects import with_shared_objects

        return with_shared_objects(model)
    return model


def _is_old(config: Any, keras_version: Any) -> bool:
    """Return whether Keras 1 or 2 wrote a configuration. Some files do not say; the layers of Keras 3 state their
    module."""
    if isinstance(keras_version, str):
        return is_before_keras_3(keras_version)
    first = _first(config.get("layers") if isinstance(config, dict) else config)
    return isinstance(first, dict) and "module" not in first


def _first(layers: Any) -> Any:
    return layers[0] if isinstance(layers, (list, tuple)) and layers else None


def _as_object(document: Any) -> Mapping[str, Any]:
    """Return the document as an object {class_name, config}; a bare configuration gets the class that it is of."""
    if isinstance(document, (list, tuple)):
        if document and all(isinstance(item, dict) and "class_name" in item for item in document):
            return {"class_name": "Sequential", "config": list(document)}
        raise SpecError("is a list, but not a list of layers; an object with class_name and config is needed")
    if isinstance(document, Mapping) and not isinstance(document, dict):
        document = dict(document)
    if not isinstance(document, dict):
        raise NotAModel(f"is {kind_of_value(document)}; an object with class_name and config is needed")
    if "class_name" in document:
        return document
    if is_keras_0(document):
        from layerexplain.frontends.keras.old_containers import keras_0_item

        return keras_0_item(document)
    if isinstance(document.get("layers"), (list, tuple)):
        return {"class_name": "Functional" if "input_layers" in document else "Sequential", "config": document}
    shown = ", ".join([repr(str(key)[:40]) for key in list(document)[:4]] + ["…"] * (len(document) > 4))
    keys = f"the keys {shown}" if document else "no keys"
    raise NotAModel(f"has {keys}; a model's configuration has class_name and config")


def is_keras_0(document: Mapping[str, Any]) -> bool:
    """Return whether an object is a model of Keras 0.3 or older, which keeps the class where the name stands today."""
    if document.get("name") == "Graph":
        return "node_config" in document
    first = _first(document.get("layers"))
    is_layer = isinstance(first, dict) and "class_name" not in first and isinstance(first.get("name"), str)
    return is_layer and document.get("name") == "Sequential"


def _nested_model(item: Mapping[str, Any], context: ConfigContext, name: str) -> Model:
    class_name, config = class_and_config(item)
    model = _read_model(item, class_name, config, context, top=False)
    return model._replace(name=name) if name else model


def _read_model(item: Mapping[str, Any], class_name: str, config: Any, context: ConfigContext, *, top: bool) -> Model:
    if class_name == "Sequential" or (top and _is_sequence(config)):
        return _sequential(item, config, context, top=top)
    if is_graph(class_name, config):
        from layerexplain.frontends.keras.old_containers import read_graph

        return read_graph(config, context)
    if is_model(class_name, config):
        return _functional(config, context)
    if class_name in GRAPH_CLASSES and "layers" in config:
        raise SpecError(f"layers is {kind_of_value(config['layers'])}; a list of layers is needed")
    bare = package_and_class(class_name)[1]
    if class_name not in GRAPH_CLASSES and (_is_keras_layer(item) or bare in known_types()):
        raise SpecError(f"is a single layer ({bare}); a model is needed")
    return _graphless(bare, config, context)


def read_graphless(item: Mapping[str, Any], below: list[Any], *, keras_version: Any = None) -> Model:
    """Return the model of a subclassed model, with the layers that a file lists beside its configuration.

    Each of `below` is a layer object; what hangs below that, where its class is no layer of Keras, is under `below`.
    """
    class_name, config = class_and_config(item)
    context = ConfigContext([], read_layer, _nested_model, old=_is_old(below, keras_version))
    model = _graphless(package_and_class(class_name)[1], config, context)
    below_layers = [_graphless_layer(entry, context) for entry in below]
    return _with_notes(model._replace(layers=_distinct([*model.layers, *below_layers])), keras_version, context)


def _with_notes(model: Model, version: Any, context: ConfigContext) -> Model:
    return model._replace(keras_version=version if isinstance(version, str) else None, notes=tuple(context.notes))


def _graphless_layer(item: Mapping[str, Any], context: ConfigContext) -> Layer:
    """Return a layer below a subclassed model; a user-defined class is shown with the layers below it."""
    layer = read_layer(item, context)
    below = item.get("below")
    if not below or layer.model is not None or (layer.kind == "layer" and layer.type in known_types()):
        return layer
    inside = context.inside(layer.name)
    layers = _distinct([_graphless_layer(entry, inside) for entry in below])
    model = Model(layer.name, layer.type, layers, (), (), (), layer.config.get("trainable") is not False)
    return layer._replace(kind="custom", model=model)


def _graphless(class_name: str, config: Any, context: ConfigContext) -> Model:
    """Return a model of a class of its own: no graph, and of its layers those that its configuration holds."""
    words = (
        f"{class_name} is a user-defined class, and the file stores no graph of its layers; only its code connects them"
    )
    context.note("no-graph", None, words)
    arguments = arguments_text(config)
    if arguments:
        context.note("hyper-parameters", None, f"the file says which arguments {class_name} was made with: {arguments}")
    values = config.items() if isinstance(config, dict) else ()
    nested = {str(k): plain_value(v, str(k), "", context) for k, v in values if isinstance(v, (dict, list, tuple))}
    name = name_in(config) or default_name(class_name)
    own_arguments = plain_config(config, "", context) if isinstance(config, dict) else {}
    return Model(name, class_name, layers_in_config(nested), (), (), (), _trainable(config), arguments=own_arguments)


def _distinct(layers: list[Layer]) -> tuple[Layer, ...]:
    """Return the layers, each under a name of its own."""
    names = FreeNames()
    return tuple([layer._replace(name=names.take(layer.name or default_name(layer.type))) for layer in layers])


def _is_sequence(config: Any) -> bool:
    """Return a subclass of Sequential: layer objects that are not wired."""
    layers = config.get("layers") if isinstance(config, dict) and "input_layers" not in config else None
    return isinstance(layers, list) and bool(layers) and all(isinstance(x, dict) and "class_name" in x for x in layers)


def _is_keras_layer(item: Mapping[str, Any]) -> bool:
    module = item.get("module")
    return isinstance(module, str) and module.startswith(("keras.layers", "keras.src.layers"))


def _trainable(config: Any) -> bool:
    return not (isinstance(config, dict) and config.get("trainable") is False)


def _layer_items(layers: Any) -> list[Any]:
    if not isinstance(layers, (list, tuple)):
        raise SpecError(f"layers is {kind_of_value(layers)}; a list of layers is needed")
    return list(layers)


def _functional(config: Mapping[str, Any], context: ConfigContext) -> Model:
    from layerexplain.frontends.keras.functional_nodes import form_of_ends, is_keras3_nodes, read_wires

    items = _layer_items(config["layers"])
    keras3 = is_keras3_nodes(items)
    layers = [read_layer(item, context, keras3=keras3) for item in items]
    unnamed = next((layer for layer in layers if not layer.name), None)
    if unnamed is not None:
        raise SpecError(f"a {unnamed.type} layer has no name; each layer of a Functional model needs one")
    _names_that_differ(layers)
    calls, inputs, outputs, recorded = read_wires(items, layers, config, context)
    name = name_in(config) or "functional"
    forms = [form_of_ends(config.get(key, []), keras3=keras3) for key in ("input_layers", "output_layers")]
    model = Model(name, "Functional", tuple(layers), calls, inputs, outputs, _trainable(config), recorded)
    return (
        model._replace(input_form=forms[0], output_form=forms[1]) if any(form is not None for form in forms) else model
    )


def _sequential(item: Mapping[str, Any], config: Any, context: ConfigContext, *, top: bool) -> Model:
    mapping: Mapping[str, Any] = config if isinstance(config, dict) else {}
    items = _layer_items(mapping.get("layers", []) if isinstance(config, dict) else config)
    name = name_in(mapping) or "sequential"
    branches = _merged_branches(items)
    if branches is not None:
        from layerexplain.frontends.keras.old_containers import read_merged_sequence

        return read_merged_sequence(name, branches, items, context, _trainable(config))
    layers = _named([read_layer(entry, context) for entry in items])
    if not layers or layers[0].type != "InputLayer":
        shape, dtype = _sequence_input(item, mapping, items, layers)
        if shape is None and top:
            context.note("unknown-input", None, "the file does not say the shape of the input; give it with --input")
        taken = {layer.name for layer in layers}
        input_ = {"batch_shape": shape, "dtype": dtype}
        layers.insert(0, Layer(FreeNames(taken).take("input_layer"), "InputLayer", "layer", input_))
    builder = ModelBuilder()
    last = builder.add_input(layers[0])
    for layer in layers[1:]:
        if layer.type == "InputLayer":
            raise SpecError("an InputLayer comes after other layers; it must come first", layer=layer.name)
        last = builder.add_layer(layer, (last,))
    return builder.model(name, [last], type_="Sequential", trainable=_trainable(config))


def _merged_branches(items: list[Any]) -> list[Any] | None:
    """Return the branches that a Sequential of Keras 0.3 or 1 begins with, or None where it is an ordinary one."""
    first = _first(items)
    config = first.get("config") if isinstance(first, dict) and first.get("class_name") == "Merge" else None
    branches = config.get("layers") if isinstance(config, dict) else None
    return branches if isinstance(branches, list) and branches else None


def _named(layers: list[Layer]) -> list[Layer]:
    """Return the layers, those without a name named after their class; raises SpecError for a name that comes twice."""
    names = FreeNames(_names_that_differ(layers))
    return [layer if layer.name else layer._replace(name=names.take(default_name(layer.type))) for layer in layers]


def _names_that_differ(layers: list[Layer]) -> set[str]:
    taken: set[str] = set()
    for layer in layers:
        if layer.name in taken:
            raise SpecError("two layers have this name; names must differ", layer=layer.name)
        taken |= {layer.name} - {""}
    return taken


def _sequence_input(
    item: Mapping[str, Any], config: Mapping[str, Any], items: list[Any], layers: list[Layer]
) -> tuple[Shape | None, str]:
    """Shape and dtype of a Sequential's input where no InputLayer says them, from whatever else does."""
    shape: Shape | None = None
    dtype = "float32"
    if layers:
        first = layers[0]
        _, first_config = class_and_config(items[0])
        if isinstance(first_config, dict) and isinstance(first_config.get("input_dtype"), str):
            dtype = first_config["input_dtype"]
        shape = first_input_shape(first.type, first_config)
        if shape is None and first.model is not None and len(first.model.inputs) == 1:
            inner = next(layer for layer in first.model.layers if layer.name == first.model.inputs[0].layer)
            shape, dtype = inner.config["batch_shape"], inner.config["dtype"]
    first_built = [entry.get("build_config") for entry in items[:1]]
    for value in (config.get("build_input_shape"), item.get("build_config"), *first_built):
        if shape is None:
            recorded = shape_value(value.get("input_shape") if isinstance(value, dict) else value)
            if isinstance(recorded, tuple) and all(size is None or type(size) is int for size in recorded):
                shape = recorded
    return shape, dtype
