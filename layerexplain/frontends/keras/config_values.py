"""The values in a layer's configuration: Keras's serialized objects → plain Python, `Layer`s and `Function`s.

The dialects of three Keras generations meet here: tagged tuples and slices, functions as names or as objects,
dtype policies, wrapped layers. Names are compared, never looked up; code that a file carries is never decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import prod
from typing import Any
from zlib import crc32

from layerexplain.errors import SpecError
from layerexplain.files.limits import MAX_AXES
from layerexplain.frontends.model_builder import LAYER_ARGUMENTS
from layerexplain.lang.tables import Shaped
from layerexplain.model import KERAS_2_HARD_SIGMOID, ForeignFunction, Layer, Model, Note, ObjectNumber
from layerexplain.records import NamedTuple

KERAS_ROOTS = frozenset({"keras", "tf_keras", "tensorflow", "keras_core"})

# All names that keras.activations.get knows; a function of another name is not Keras's.
_ACTIVATION_NAMES = (
    "celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear"
    " log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus softsign sparse_plus"
    " sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold"
)
ACTIVATIONS = frozenset(_ACTIVATION_NAMES.split())
_SPELLED_OTHERWISE = frozenset(
    {"softmax_v2", "log_softmax_v2", "swish_v2", "ReLU", "ELU", "Softmax", "LeakyReLU", "<lambda>"}
)
"""Names that only files use, and code, which has a note of its own."""

_SCALARS = frozenset({str, int, float, bool, type(None)})
_VALUE_KEYS = ("_initializer", "_regularizer", "_constraint", "_quantizer", "init", "quantization_config")
_VALUE_MODULES = frozenset({
    "initializers", "regularizers", "constraints", "optimizers", "losses", "metrics", "dtype_policies",
    "mixed_precision", "quantizers",
})  # fmt: skip
_NAMED_POLICIES = frozenset({"DTypePolicy", "FloatDTypePolicy", "Policy", "PolicyV1"})
_TAGGED_TUPLES = frozenset({"__tuple__", "TensorShape"})
_MAX_CONSTANT_ITEMS = 100_000
_MAX_NUMBER = 10**18
_WHOLE = frozenset({int})


class ConfigContext(NamedTuple):
    """What reading passes along: the notes made so far, how to read a layer, the path of the model at hand, whether
    Keras 1 or 2 wrote it, and the numbers of objects met so far; None where they tell nothing."""

    notes: list[Note]
    layer: Callable[[Any, ConfigContext, str], Layer]
    model: Callable[[Mapping[str, Any], ConfigContext, str], Model]
    path: str = ""
    old: bool = False
    numbers: list[ObjectNumber] | None = None

    def inside(self, name: str) -> ConfigContext:
        """Return the context for what is nested in the layer `name`."""
        return self._replace(path=f"{self.path}{name}/")

    def note(self, code: str, layer: str | None, message: str) -> None:
        self.notes.append(Note(code, None if layer is None else f"{self.path}{layer}", message))


def plain_config(config: Mapping[str, Any], layer: str, context: ConfigContext) -> dict[str, Any]:
    """Return a layer's arguments, its name left out: each value as `plain_value` has it, the dtype as its policy's
    name."""
    all_text, activation_keys = _kinds_of_keys(tuple(config))
    plain: dict[str, Any] = dict(config) if all_text else {str(key): value for key, value in config.items()}
    plain.pop("name", None)
    for key in [key for key, value in plain.items() if type(value) not in _SCALARS]:
        value = plain[key]
        if key.endswith(_VALUE_KEYS):
            plain[key] = _same_object(value)
        elif key in ("dtype", "dtype_policy"):
            del plain[key]
            plain["dtype"] = dtype_name(value)
        else:
            plain[key] = plain_value(value, key, layer, context)
    for key in activation_keys:
        # A custom activation's name stands where one of Keras's would.
        if type(plain[key]) is str and plain[key] not in ACTIVATIONS:
            plain[key] = ForeignFunction(plain[key])
        elif context.old and plain[key] == "hard_sigmoid":
            plain[key] = KERAS_2_HARD_SIGMOID
        value = plain[key]
        if type(value) is ForeignFunction and value != KERAS_2_HARD_SIGMOID and value.name not in _SPELLED_OTHERWISE:
            words = f"its {key} {value.name[:80]!r} is not a function of Keras, so what it computes is not known"
            context.note("unknown-function", layer, words)
    return plain


@lru_cache(1000)
def _kinds_of_keys(keys: tuple[Any, ...]) -> tuple[bool, tuple[str, ...]]:
    """Return whether a configuration's keys are all texts, and which hold an activation: layers of a type have the
    same."""
    return all(type(key) is str for key in keys), tuple([key for key in map(str, keys) if key.endswith("activation")])


def plain_value(value: Any, key: str, layer: str, context: ConfigContext) -> Any:
    """Return one value: lists of plain items become tuples, serialized objects what they stand for.

    Initializers, regularizers, constraints and objects of unknown kinds stay the dicts that they are.
    """
    kind = type(value)
    if kind in _SCALARS or kind is ForeignFunction or kind is Layer:
        return value
    if isinstance(value, (list, tuple)):
        if _SCALARS.issuperset(map(type, value)):
            return tuple(value)
        items = [item if type(item) in _SCALARS else plain_value(item, key, layer, context) for item in value]
        return tuple(items) if all(type(item) in _SCALARS or type(item) is tuple for item in items) else items
    if isinstance(value, dict):
        class_name = value.get("class_name")
        if isinstance(class_name, str):
            return _object_value(value, class_name, key, layer, context)
        if value.keys() == {"start", "stop", "step"}:
            return slice(value["start"], value["stop"], value["step"])
        return {str(name): plain_value(item, str(name), layer, context) for name, item in value.items()}
    return _foreign_value(value, key)


def name_in(config: Any, key: str = "name") -> str:
    """Return the name that an object states; "" where it states none, or is not an object."""
    name = config.get(key) if isinstance(config, (dict, Mapping)) else None
    return name if isinstance(name, str) else ""


def dtype_name(value: Any) -> Any:
    """Return the name of a plain dtype policy; a quantized policy or a map of them stays the dict that it is."""
    if isinstance(value, dict):
        config = value.get("config")
        if isinstance(config, dict) and name_in(value, "class_name") in _NAMED_POLICIES:
            return config.get("name")
        return dict(value)
    # A live tf.DType or numpy dtype has its name as an attribute.
    return value if value is None or isinstance(value, str) else getattr(value, "name", str(value))


def shape_value(value: Any) -> Any:
    """Return a recorded shape: a tuple of sizes, or a tuple or dict of shapes. None for anything else."""
    if isinstance(value, dict):
        if name_in(value, "class_name") in _TAGGED_TUPLES:
            return shape_value(value.get("items"))
        return {str(key): shape_value(item) for key, item in value.items()}
    if not isinstance(value, (list, tuple)):
        return None
    if is_shape(value):
        return tuple(value)
    nested = all(isinstance(item, (list, tuple, dict)) for item in value)
    return tuple(shape_value(item) for item in value) if nested else None


def is_shape(value: Any) -> bool:
    """Return whether it is a list or tuple of sizes: each None or a whole number from 0."""
    if not isinstance(value, (list, tuple)) or len(value) > MAX_AXES:
        return False
    sizes = [size for size in value if size is not None]
    return not sizes or (_WHOLE.issuperset(map(type, sizes)) and min(sizes) >= 0 and max(sizes) <= _MAX_NUMBER)


def function_value(name: Any, module: Any) -> str | ForeignFunction:
    """Return a serialized function: the name where it is Keras's own, else a `Function` that keeps the name."""
    text = name if isinstance(name, str) else "<function>"
    root = module.split(".", 1)[0] if isinstance(module, str) else None
    if ">" not in text and (root in KERAS_ROOTS or (root in (None, "builtins") and text in ACTIVATIONS)):
        return text
    return ForeignFunction(text)


def _object_value(value: Mapping[str, Any], class_name: str, key: str, layer: str, context: ConfigContext) -> Any:
    config = value.get("config")
    if class_name in _TAGGED_TUPLES:
        items = value.get("items", config)
        return tuple(plain_value(item, key, layer, context) for item in items) if isinstance(items, list) else ()
    # Keras 2.13 put the code of a Lambda into the configuration of a function.
    if class_name == "__lambda__" or (class_name == "function" and isinstance(config, dict)):
        return code_in_file(layer, context, config)
    if class_name == "function":
        return function_value(config, value.get("module"))
    if class_name == "__ellipsis__":
        return Ellipsis
    if isinstance(config, dict):
        if class_name == "__slice__":
            return slice(config.get("start"), config.get("stop"), config.get("step"))
        if class_name in ("__numpy__", "__tensor__"):
            return _constant(config, key, layer, context)
        if class_name == "__bytes__":
            return str(config.get("value"))
    if class_name in _NAMED_POLICIES:
        return dtype_name(value)
    if _is_layer(value, config, key):
        return context.layer(value, context, layer)
    return _same_object(value)


def _same_object(value: Any) -> Any:
    """Return an object without the number that distinguishes it from equal ones."""
    if isinstance(value, dict) and "shared_object_id" in value:
        return {key: item for key, item in value.items() if key != "shared_object_id"}
    return value


def _constant(config: Mapping[str, Any], key: str, layer: str, context: ConfigContext) -> Any:
    values = config.get("value")
    if isinstance(values, list) and _count(values) > _MAX_CONSTANT_ITEMS:
        shape = list_shape(values)
        if shape is not None:
            words = f"a constant of {prod(shape):,} numbers ({config.get('dtype')}) is known by its shape alone"
            context.note("large-constant", layer, words)
            return Shaped(shape)
    return plain_value(values, key, layer, context)


def list_shape(values: Any) -> tuple[int, ...] | None:
    """Return the shape of nested lists; None if rows differ in length. The numbers in them are not looked at.

    >>> list_shape([[1, 2, 3], [4, 5, 6]]), list_shape([[1], []])
    ((2, 3), None)
    """
    shape, level = [], [values]
    while level and isinstance(level[0], list):
        if len({len(row) if isinstance(row, list) else -1 for row in level}) > 1:
            return None
        shape.append(len(level[0]))
        level = [item for row in level for item in row]
    return None if any(isinstance(item, list) for item in level) else tuple(shape)


def _count(values: Sequence[Any]) -> int:
    """Return numbers in a regular nested list, by the lengths along its first items."""
    count = 1
    while isinstance(values, list):
        count *= len(values)
        values = values[0] if values else ()
    return count


def code_in_file(layer: str, context: ConfigContext, stored: Any) -> ForeignFunction:
    """Return what stands for code that a file carries; a note says so."""
    context.note("code-in-file", layer, "contains Python code, which is not decoded or executed")
    parts = list(stored.values() if isinstance(stored, Mapping) else stored or ())
    return ForeignFunction("<lambda>", format(crc32(repr(parts).encode()), "08x"))


def _is_layer(value: Mapping[str, Any], config: Any, key: str) -> bool:
    """Return whether a serialized object is a layer. Files before Keras 3 do not say, so the configuration's keys
    decide."""
    if key in LAYER_ARGUMENTS:
        return True
    module = value.get("module")
    if isinstance(module, str):
        parts = module.split(".")
        if not _VALUE_MODULES.isdisjoint(parts):
            return False
        if parts[0] in KERAS_ROOTS and ("layers" in parts or "models" in parts):
            return True
    if key.endswith(_VALUE_KEYS):
        return False
    return isinstance(config, dict) and "name" in config and ("trainable" in config or "layers" in config)


def _foreign_value(value: Any, key: str) -> Any:
    """Return a value that JSON cannot hold: numbers and shapes of a live model's get_config."""
    if isinstance(value, slice) or value is Ellipsis:
        return value
    for convert in ("tolist", "as_list", "__index__", "__float__"):
        method = getattr(value, convert, None)
        if callable(method):
            try:
                converted = method()
            except (TypeError, ValueError):
                continue
            return tuple(converted) if isinstance(converted, list) else converted
    name = getattr(value, "__name__", None)
    if callable(value) and isinstance(name, str):
        return function_value(name, getattr(value, "__module__", None))
    raise SpecError(f"argument '{key}' is a {type(value).__name__}; a configuration needs plain values")
