"""The inputs of a spec → InputLayers: `input:`, `inputs:`, `- InputLayer: …`, or a first layer's `input_shape`."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

from layerexplain.errors import batch_words, did_you_mean
from layerexplain.files.limits import MAX_AXES
from layerexplain.frontends.input_shapes import is_batch
from layerexplain.frontends.model_builder import FreeNames
from layerexplain.frontends.spec.items import Item, takes, words_for
from layerexplain.frontends.spec.yaml_nodes import SpecFaults, YamlNode, to_python
from layerexplain.layers.arguments import is_int
from layerexplain.model import Layer, Note, Shape

_INPUT_KEYS = ("shape", "batch_shape", "batch_size", "dtype", "name", "sparse", "ragged", "optional")
_OLD_KEYS = ("input_shape", "batch_input_shape")
_WHOLE_KEYS = ("batch_shape", "batch_input_shape")
BARE = "shape as typed"
"""The key of a shape that stands without one; of an input of which the first axis is None it says so until the layers
of its model are known."""
_SHAPE_KEYS = ("batch_input_shape", "batch_shape", "input_shape")


def read_inputs(keys: dict[str, tuple[YamlNode, YamlNode]], faults: SpecFaults, taken: Set[str]) -> list[Layer]:
    """Return the InputLayers that `input:` or `inputs:` describe; `taken` are the names of layers."""
    pair = keys.get("input") or keys.get("inputs")
    if pair is None:
        return []
    key, node = pair
    named = node.kind == "mapping" and not _is_one_input(str(key.value), [str(k.value) for k, _ in node.value])
    if named:
        if not node.value:
            faults.add(f"`{key.value}` is empty; give a shape, like [28, 28, 1]", node.line)
        layers = [_input(str(k.value), value, faults) for k, value in node.value]
    elif node.kind == "list" and node.value and any(item.kind != "scalar" for item in node.value):
        layers = [_input(f"input_{number}", value, faults) for number, value in enumerate(node.value, 1)]
    else:
        layers = [_input(FreeNames(set(taken)).take("input"), node, faults)]
    for number, layer in enumerate(layers):
        if layer.name in taken or any(layer.name == before.name for before in layers[:number]):
            faults.add(f"an input and a layer are both called '{layer.name}'; names must differ", layer.line)
    return layers


def read_input_layer(name: str, arguments: dict[str, YamlNode], line: int, faults: SpecFaults) -> Layer:
    """Return the InputLayer of `- InputLayer: {shape: …}` or `- Input: […]`, or of an input's mapping."""
    shape: Shape | None = None
    shape_key = ""  # the key that says the shape: the last one
    batch: int | None = None
    dtype = "float32"
    for key, node in arguments.items():
        if key in _WHOLE_KEYS:
            shape, shape_key = _sizes(node, key, faults, batch=True), key
        elif key in ("shape", "input_shape", BARE):
            inner = _sizes(node, "shape" if key == BARE else key, faults)
            shape, shape_key = None if inner is None else (None, *inner), key
        elif key == "batch_size":
            if node.value is not None and (type(node.value) is not int or node.value < 1):
                faults.add(f"batch_size is {words_for(node)}; a whole number from 1 is needed", node.line, name)
            else:
                batch = node.value
        elif key == "dtype":
            if isinstance(node.value, str):
                dtype = node.value
            else:
                faults.add(f"dtype is {words_for(node)}; a name like float32 is needed", node.line, name)
        elif key not in _INPUT_KEYS:
            hint = did_you_mean(key, _INPUT_KEYS) or "an input has shape and dtype"
            faults.add(f"unknown key '{key}' of an input; {hint}", node.line, name)
    if not shape_key:
        faults.add("an input has no shape; give one, like {shape: [28, 28, 1]}", line, name)
    if batch is not None and shape is not None:
        shape = (batch, *shape[1:])
    is_open = shape_key not in _WHOLE_KEYS and batch is None and shape is not None and shape[:2] == (None, None)
    typed = {BARE: shape_key == BARE} if is_open else {}
    return Layer(name, "InputLayer", "layer", {"batch_shape": shape, "dtype": dtype, **typed}, line=line)


def without_typed_batch(layer: Layer, layers: Sequence[Layer], notes: list[Note]) -> Layer:
    """Return an input without the batch that was typed in front of its shape, if the layers show that; a note says
    so."""
    if BARE not in layer.config:
        return layer
    config = {key: value for key, value in layer.config.items() if key != BARE}
    typed = config["batch_shape"][1:]
    if is_batch(typed, layers, by_keras=not layer.config[BARE]):
        config["batch_shape"] = typed
        rest = ", ".join(map(str, typed[1:]))
        if typed[1] is not None:
            words = batch_words(f"[{rest}]", f"[None, None, {rest}]")
            notes.append(Note("batch-in-shape", layer.name, words))
    return layer._replace(config=config)


def shape_of_first(item: Item, name: str, faults: SpecFaults) -> Layer | None:
    """Return the InputLayer that a first layer's own input_shape (input_dim, …) stands for, or None where it has
    none."""
    arguments = item.arguments
    given = {key: arguments[key] for key in [key for key in _SHAPE_KEYS if key in arguments][:1]}
    if not given:
        sizes = [arguments[key] for key in ("input_length", "input_dim") if key in arguments]
        if takes(item.declaration, "input_dim"):
            sizes = [arguments["input_length"]] if "input_length" in arguments else []
        if sizes:
            given["input_shape"] = YamlNode("list", sizes, sizes[0].line)
    if not given:
        return None
    # A layer's dtype is a policy, and its input has the float that the policy computes in.
    for key in ("batch_size", "dtype") if item.type == "InputLayer" else ("batch_size",):
        if key in arguments and isinstance(arguments[key].value, int | str):
            given[key] = arguments[key]
    return read_input_layer(name, given, item.line, faults)


def input_of_nested(layer: Layer, first: Layer | None = None) -> Layer:
    """Return an InputLayer of unknown shape with that of the nested model that takes it first, if this says it."""
    nested = None if first is None else first.model
    if nested is None or len(nested.inputs) != 1:
        return layer
    own = next(inner_layer for inner_layer in nested.layers if inner_layer.name == nested.inputs[0].layer)
    return layer._replace(config=own.config)


def _is_one_input(where: str, keys: list[str]) -> bool:
    """Return whether keys say something of one input, misspelt or not, rather than being the names of inputs."""
    if any(key in _OLD_KEYS or key in _INPUT_KEYS for key in keys):
        return True
    return where == "input" and bool(keys) and all(did_you_mean(key, _INPUT_KEYS[:4]) for key in keys)


def _input(name: str, node: YamlNode, faults: SpecFaults) -> Layer:
    if node.kind != "mapping":
        return read_input_layer(name, {BARE: node}, node.line, faults)
    arguments = {str(key.value): value for key, value in node.value if key.value != "name"}
    own = next((value for key, value in node.value if key.value == "name"), None)
    if own is not None:
        if isinstance(own.value, str) and own.value:
            name = own.value
        else:
            faults.add(f"a name is {words_for(own)}; a text is needed", own.line)
    return read_input_layer(name, arguments, node.line, faults)


def _sizes(node: YamlNode, key: str, faults: SpecFaults, *, batch: bool = False) -> Shape | None:
    """Return a shape as written: a list of sizes, or a single size. None, with a fault, for anything else."""
    value: Any = to_python(node)
    value = (value,) if is_int(value) else value
    is_list = isinstance(value, tuple)
    wrong = [size for size in value if size is not None and not (is_int(size) and size >= 1)] if is_list else []
    if not is_list:
        example = "[null, 28, 28, 1]" if batch else "[28, 28, 1]"
        words = f"is {words_for(node)}; a list of sizes is needed, like {example}"
    elif len(value) > MAX_AXES:
        words = f"has {len(value):,} axes; at most {MAX_AXES} are read"
    elif wrong:
        words = f"has the size {wrong[0]!r}; sizes are whole numbers from 1, null for unknown, or names under sizes:"
    else:
        return tuple(value)
    faults.add(f"{key} {words}", node.line)
    return None
