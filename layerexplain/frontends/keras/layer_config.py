"""One serialized layer of a Keras file → `Layer`: where its class comes from, its arguments, its nested model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layerexplain.errors import SpecError
from layerexplain.files.limits import MAX_AXES
from layerexplain.frontends.json_text import kind_of_value, short_text
from layerexplain.frontends.keras.config_values import (
    KERAS_ROOTS,
    ConfigContext,
    code_in_file,
    dtype_name,
    is_shape,
    plain_config,
    shape_value,
)
from layerexplain.frontends.keras.old_names import modern_layer
from layerexplain.layers.registry import facts_of
from layerexplain.model import ForeignFunction, Kind, Layer, Shape, package_and_class, values_inside

TF_OPERATIONS = frozenset(
    {"TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "ClassMethod", "InstanceMethod", "InstanceProperty"}
)
"""The layer classes by which tf.keras keeps a TensorFlow call that stood between layers."""

GRAPH_CLASSES = frozenset({"Functional", "Model"})

# Layers that keras.applications define beside its models; tf_keras registers one as a user's would be.
_APPLICATION_LAYERS = frozenset({"LayerScale", "CustomScaleLayer"})

# The layers of Keras 3 whose configuration does not say whether they are trainable.
_NEVER_TRAINABLE = frozenset({"InputLayer", "Pipeline", "Discretization", "HashedCrossing"})

# Layers for which Keras opens another file, or loads what is pickled.
_LEAD_ELSEWHERE = frozenset({"TextVectorization", "StringLookup", "IntegerLookup", "TFSMLayer", "TorchModuleWrapper"})

# What a Lambda of Keras 1 and 2 says of its functions beside them.
_BESIDE_FUNCTIONS = frozenset({"function_type", "module", "output_shape_type", "output_shape_module"})

_INPUT_KEYS = ("batch_shape", "batch_input_shape", "shape", "input_shape")


def read_layer(item: Any, context: ConfigContext, owner: str = "", *, keras3: bool = False) -> Layer:
    """Return a layer object {class_name, config, …} as a `Layer`; `name` is "" where the file gives none.

    `owner` is the layer whose configuration holds it ("" for one that is listed in a model); `keras3` says that
    the model's nodes are those of Keras 3, where an operation in an .h5 file has no module to tell it by.
    Raises SpecError where class_name or config is missing or of the wrong type.
    """
    class_name, config = class_and_config(item, owner)
    layer = _layer(item, class_name, config, context, owner, keras3)
    if context.numbers is None or "shared_object_id" not in item or layer.type == "InputLayer":
        return layer
    from layerexplain.frontends.keras.shared_objects import object_number

    number = object_number(item, config)
    context.numbers.extend([] if number is None else [number])
    return layer._replace(number=number)


def _layer(
    item: Mapping[str, Any], class_name: str, config: Any, context: ConfigContext, owner: str, keras3: bool
) -> Layer:
    name = _name(item, config, class_name)
    kind, type_name, package = _origin(item, class_name, config, keras3)
    built = item.get("build_config")
    recorded = built.get("shapes_dict", built.get("input_shape")) if isinstance(built, dict) else None
    build_shape = shape_value(recorded)
    if is_model(class_name, config):
        inner = context.inside(owner or name)
        model = context.model(item, inner, name)
        kept = {key: config[key] for key in ("trainable", "dtype") if key in config}
        if not context.old:
            # Where Keras 3 loads a configuration, each weight follows the flag of the layer that owns it.
            model = model._replace(trainable=True)
            kept.pop("trainable", None)
        if "dtype" in kept:
            kept["dtype"] = dtype_name(kept["dtype"])
        return Layer(name, type_name, "model", kept, model, package, build_shape)
    if type_name == "InputLayer":
        return Layer(name, "InputLayer", "layer", input_config(config, name))
    if isinstance(config, list):
        raise SpecError("config is a list; an object with the layer's arguments is needed", layer=name or class_name)
    if type_name == "TensorFlowOpLayer":
        from layerexplain.frontends.keras.tensorflow_ops import raw_operation

        return Layer(name, type_name, kind, raw_operation(config, name), None, package, build_shape)
    if kind == "layer":
        type_name, config = modern_layer(type_name, config, tells_module="module" in item)
        config = without_input_keys(config, type_name)
    if type_name in _LEAD_ELSEWHERE:
        _note_what_it_leads_to(type_name, config, owner or name, context)
    if type_name == "Lambda":
        config = _without_code(config, owner or name, context)
    plain = plain_config(config, owner or name, context)
    if kind == "layer" and plain.get("trainable") is False and not context.old and _hands_on_nothing(type_name, plain):
        del plain["trainable"]
    return Layer(name, type_name, kind, plain, None, package, build_shape)


def _hands_on_nothing(type_name: str, config: Mapping[str, Any]) -> bool:
    """Return whether `trainable: false` freezes nothing of a layer that Keras 3 loads: the layers that own its weights
    have flags of their own, in its configuration or as it makes them."""
    holds_layers = any(isinstance(item, Layer) for item in values_inside([*config.values()]))
    return holds_layers or facts_of(type_name).trains_inside


def class_and_config(item: Any, owner: str = "") -> tuple[str, Any]:
    """Return the class name and the configuration (a dict, or a list where a Sequential may have one) of an object."""
    where = f"in '{owner}', a" if owner else "a"
    if not isinstance(item, dict):
        raise SpecError(f"{where} layer is {kind_of_value(item)}; an object with class_name and config is needed")
    class_name = item.get("class_name")
    if not isinstance(class_name, str) or not class_name:
        named = item.get("name")
        place = f" (name {named!r})" if isinstance(named, str) else ""
        raise SpecError(f"{where} layer{place} has class_name {class_name!r}; the name of its class is needed")
    config = item.get("config")
    if config is None:
        config = {}
    if not isinstance(config, (dict, list, tuple)):
        raise SpecError(f"config is {kind_of_value(config)}; an object is needed", layer=class_name)
    return class_name, list(config) if isinstance(config, tuple) else config


def is_model(class_name: str, config: Any) -> bool:
    """Return whether an object holds a model: a Sequential, or whatever lists layers and how they are wired."""
    if class_name == "Sequential" or is_graph(class_name, config):
        return True
    if not isinstance(config, dict) or not isinstance(config.get("layers"), (list, tuple)):
        return False
    return class_name in GRAPH_CLASSES or ("input_layers" in config and "output_layers" in config)


def is_graph(class_name: str, config: Any) -> bool:
    """Return whether an object is a Graph container of Keras 0.3 or 1."""
    return class_name == "Graph" and isinstance(config, dict) and "node_config" in config


def input_config(config: Any, name: str) -> dict[str, Any]:
    """Return an InputLayer's arguments of any generation as {"batch_shape": tuple or None, "dtype": str}."""
    if not isinstance(config, dict):
        raise SpecError(f"config is {kind_of_value(config)}; an object with batch_shape is needed", layer=name)
    key = next((key for key in _INPUT_KEYS if config.get(key) is not None), None)
    shape = None if key is None else sizes(config[key], key, name)
    if shape is not None and key in ("shape", "input_shape"):
        shape = (None, *shape)
    dtype = dtype_name(config.get("dtype", config.get("input_dtype")))
    return {"batch_shape": shape, "dtype": dtype if isinstance(dtype, str) else "float32"}


def sizes(value: Any, key: str, layer: str) -> Shape:
    """Return a shape that must be one: sizes from 0, or None. Raises SpecError otherwise."""
    if isinstance(value, (list, tuple)) and len(value) > MAX_AXES:
        raise SpecError(f"{key} has {len(value):,} axes; at most {MAX_AXES} are read", layer=layer)
    shape = shape_value(value)
    if not is_shape(shape):
        raise SpecError(f"{key} is {short_text(value)}; a list of sizes is needed, like [null, 28, 28, 1]", layer=layer)
    return tuple(shape)


def first_input_shape(type_name: str, config: Any) -> Shape | None:
    """Return the input shape (with the batch) that a first layer carries itself, as Keras 1 and 2 wrote it, or None."""
    if not isinstance(config, dict):
        return None
    for key in ("batch_input_shape", "batch_shape"):
        if config.get(key) is not None:
            return sizes(config[key], key, type_name)
    length = config.get("input_length")
    length = length if type(length) is int else None
    # Keras 0.3 gave an Embedding its vocabulary as input_shape, and its input the shape (None, input_length).
    if config.get("input_shape") is not None and not (type_name.endswith("Embedding") and length is not None):
        return (None, *sizes(config["input_shape"], "input_shape", type_name))
    if type_name.endswith("Embedding"):
        return sizes((None, length), "input_length", type_name) if length is not None else None
    width = config.get("input_dim")
    if type(width) is not int:
        return None
    return sizes((None, length, width) if "input_length" in config else (None, width), "input_dim", type_name)


def without_input_keys(config: Mapping[str, Any], type_name: str) -> Mapping[str, Any]:
    """Return the arguments without those that only say what the first layer's input is."""
    drop = {"batch_input_shape", "input_shape", "input_length", "batch_size"}
    if not type_name.endswith("Embedding"):
        drop |= {"input_dim", "batch_shape"}
    return {key: value for key, value in config.items() if key not in drop} if drop & config.keys() else config


def _name(item: Mapping[str, Any], config: Any, class_name: str) -> str:
    name = item.get("name")
    if name is None:
        name = config.get("name") if isinstance(config, dict) else None
    if name is None:
        return ""
    if not isinstance(name, str) or not name:
        raise SpecError(f"a {class_name} layer's name is {kind_of_value(name)}; a text is needed")
    return name


def _origin(item: Mapping[str, Any], class_name: str, config: Any, keras3: bool) -> tuple[Kind, str, str]:
    """Return (kind, type, package) of a class, by its module, its registered name, and in old files by structure."""
    module, registered = item.get("module"), item.get("registered_name")
    if class_name in TF_OPERATIONS:
        return "operation", class_name, ""
    package, bare = package_and_class(class_name)
    if package:
        if bare in _APPLICATION_LAYERS and package == "Custom":
            return "layer", bare, ""
        return "custom", bare, package
    if "." in class_name:
        return "custom", class_name, module if isinstance(module, str) else ""
    if isinstance(module, str):
        parts = module.split(".")
        if parts[0] in KERAS_ROOTS:
            return ("operation" if "ops" in parts else "layer"), class_name, ""
        return "custom", class_name, module
    if "module" in item and class_name not in GRAPH_CLASSES and class_name != "Sequential":
        package = package_and_class(registered)[0] if isinstance(registered, str) else ""
        if not isinstance(registered, str) or package or registered == class_name:
            return "custom", class_name, package
    # Nearly every layer's configuration says whether it is trainable; an operation's has its arguments alone.
    if keras3 and isinstance(config, dict) and "trainable" not in config and class_name not in _NEVER_TRAINABLE:
        return "operation", class_name, ""
    return "layer", class_name, ""


def _note_what_it_leads_to(type_name: str, config: Mapping[str, Any], name: str, context: ConfigContext) -> None:
    """Note files that Keras would open for a layer, and a pickle that it would load."""
    if type_name == "TorchModuleWrapper":
        context.note("code-in-file", name, "contains a pickled PyTorch module, which is not unpickled")
    for key in ("vocabulary", "filepath"):
        if isinstance(config.get(key), str):
            context.note("external-file", name, f"names a file to read, {config[key][:200]!r}, which is not opened")


def _without_code(config: Mapping[str, Any], name: str, context: ConfigContext) -> dict[str, Any]:
    """Return a Lambda's arguments with each function that is kept as code (Keras 1 and 2) replaced by a `Function`."""
    plain = {key: value for key, value in config.items() if key not in _BESIDE_FUNCTIONS}
    noted: list[ForeignFunction] = []
    for key in ("function", "output_shape", "mask"):
        value = plain.get(key)
        if config.get(f"{key}_type") == "lambda" or (key == "function" and isinstance(value, (list, tuple))):
            noted = noted or [code_in_file(name, context, config.get("function"))]
            plain[key] = noted[0]
        elif isinstance(value, str):
            plain[key] = ForeignFunction(value)
    return plain
