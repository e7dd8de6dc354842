"""One item of a spec's `layers:` → the type, the arguments and the wishes (name, from, repeat, reuse) that it states.

All forms that people write are read: a type alone, a type and its first argument, a type and its arguments, the
form with a `type:` key, and wrappers around any of these.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from layerexplain.attribute_path import Steps, list_steps
from layerexplain.errors import ArgumentError, did_you_mean
from layerexplain.frontends.json_text import kind_of_value
from layerexplain.frontends.keras.old_names import todays_argument
from layerexplain.frontends.model_builder import LAYER_ARGUMENTS, default_name, known_types
from layerexplain.frontends.spec.settings import (
    OLD_ARGUMENTS,
    Objects,
    is_path,
    setting_kind,
    todays_form,
    written_setting,
)
from layerexplain.frontends.spec.yaml_nodes import OF_ITEMS as WISHES
from layerexplain.frontends.spec.yaml_nodes import SpecFaults, YamlNode, to_python
from layerexplain.model import KERAS_2_HARD_SIGMOID, Kind, Layer, Model, Note, Shape
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from layerexplain.layers.declaration import Declaration

TYPE_KEYS = ("type", "class", "class_name")
OPERATIONS = "ops."
MODEL_TYPES = frozenset({"Sequential", "Functional", "Model"})
INPUT_KEYS = ("input_shape", "batch_input_shape", "batch_shape", "input_dim", "input_length", "batch_size")

_HELD = frozenset({*LAYER_ARGUMENTS, "layers"})
_MAYBE_LAYER_ARGUMENTS = frozenset({"activation", "recurrent_activation"})


class Item(NamedTuple):
    """An item as written: its type ("" where it only reuses a layer), the arguments by name, the wishes, and what
    declares the type."""

    type: str
    arguments: dict[str, YamlNode]
    wishes: dict[str, YamlNode]
    line: int
    declaration: Declaration | None = None


class Maker(NamedTuple):
    """What turning items into layers needs: where faults and notes go, how a nested model is read,
    how a layer without a name is called, whether arguments are still to be checked, and the shape of the model's input
    where it is the layer's own arguments that say it. `objects` are the layers so far, of which any may be used again
    elsewhere, and `path` leads to the layer that is made, or to the model that it is made in. `own` are the layers that
    the spec may have beside Keras's; in the configuration of one of these, `names` stand for unknown values.
    """

    faults: SpecFaults
    model: Callable[[str, YamlNode, str, Steps], Model | None]
    name: Callable[[str], str]
    notes: list[Note]
    check: bool = True
    input_shape: Shape | None = None
    own: Mapping[str, Declaration] = MappingProxyType({})
    names: frozenset[str] = frozenset()
    objects: Objects | None = None
    path: Steps = ()

    def inside(self, type_name: str, key: str) -> Maker:
        """Return what makes the layers in an argument of the layer; one that is copied is not that of another place."""
        is_copied = False
        if key == "layer":
            from layerexplain.frontends.keras.shared_objects import has_two_ways

            is_copied = has_two_ways(type_name)
        return self._replace(path=(*self.path, key), objects=None if is_copied else self.objects)

    def entered(self, layer: Layer) -> Layer:
        """Return the layer, which may be used again from now on."""
        if self.objects is not None:
            self.objects.add(self.path, layer)
        return layer

    def find(self, type_name: str) -> Declaration | None:
        """Return what declares a type: a custom layer before one of Keras's."""
        from layerexplain.layers.registry import find

        return self.own.get(type_name) or find(type_name)


def read_item(node: YamlNode, maker: Maker) -> Item | None:
    """Return what an item states; None, with a fault, where it states no layer."""
    if node.kind == "scalar" and isinstance(node.value, str) and node.value:
        type_name = known_type(node.value, node.line, maker)
        return Item(type_name, {}, {}, node.line, maker.find(type_name))
    if node.kind != "mapping":
        words = f"a layer is {words_for(node)}; a type is needed, like `- Flatten` or `- Dense: 10`"
        maker.faults.add(words, node.line)
        return None
    pairs: dict[str, tuple[YamlNode, YamlNode]] = {str(key.value): (key, value) for key, value in node.value}
    type_key = next((key for key in TYPE_KEYS if key in pairs), None)
    if type_key is not None:
        return _typed_item(pairs, type_key, maker)
    wishes = {key: pairs[key][1] for key in WISHES if key in pairs}
    rest = {key: pair for key, pair in pairs.items() if key not in WISHES}
    if not rest:
        if "reuse" in wishes:
            return Item("", {}, wishes, node.line)
        maker.faults.add("a layer has no type; write one, like `- Dense: 10`", node.line)
        return None
    named = [key for key in rest if _is_type(key, maker) or key[:1].isupper()] or list(rest)[:1]
    type_name = named[0]
    key_node, value = rest[type_name]
    if len(named) > 1:
        shown = ", ".join(named[:4])
        maker.faults.add(f"one item names several layers ({shown}); each needs its own `- `", key_node.line)
        return None
    # `trainable: false` beside the type is meant for the layer, as `name` is.
    beside: dict[str, YamlNode] = {key: rest[key][1] for key in ("trainable", "dtype") if key in rest}
    type_known = known_type(type_name, key_node.line, maker)
    for key in [key for key in rest if key not in beside and key != type_name]:
        example = f"`- {type_name}: {{{key}: …}}`"
        otherwise = f"the arguments of {type_name} stand in braces after it ({example}) or indented below it"
        hint = did_you_mean(key, WISHES) or otherwise
        maker.faults.add(f"unknown key '{key}' beside {type_name}; {hint}", rest[key][0].line)
        if takes(maker.find(type_known), key):
            beside[key] = rest[key][1]  # reported once, and not as missing too
    arguments = _arguments(type_known, value, maker) | beside
    if "reuse" in wishes:
        maker.faults.add("an item has a type and `reuse`; a reused layer has its type already", node.line)
    return _item(type_known, arguments, wishes, key_node.line, maker)


def _code_in_yaml(text: str) -> str:
    """Return what is wrong with a layer that is written as in Python, and the line that says the same here."""
    from layerexplain.keras_code import flow_text, read_call
    from layerexplain.layers.registry import find, positional_arguments

    def names(type_: str) -> Sequence[str]:
        declaration = find(type_)
        return positional_arguments(declaration) if declaration is not None else ()

    try:
        type_, arguments = read_call(text, names)
    except ArgumentError as error:
        return error.fact
    alone = len(arguments) == 1 and [*arguments] == [*names(type_)][:1]
    value = flow_text(next(iter(arguments.values())) if alone else arguments) if arguments else ""
    return f"`{text}` is Python; write `- {type_}{f': {value}' if value else ''}`"


def _without_colon(text: str) -> str:
    """Return what is wrong with `Dense 512` and `Dense:512`, which YAML reads as one word."""
    for sign in (":", "=", " "):
        type_, value = (part.strip() for part in (text.partition(sign)[0], text.partition(sign)[2]))
        if value and _is_declared(type_):
            return f"`{text}` is one word in YAML; write `- {type_}: {value}`, with a blank after the colon"
    return ""


def known_type(name: str, line: int, maker: Maker) -> str:
    """Return the type's own name; a fault where nothing of that name is declared."""
    if name in maker.own:
        return name
    from layerexplain.layers.registry import class_name

    meant = "InputLayer" if name == "Input" else class_name(name)
    if _is_declared(meant):
        return meant
    from layerexplain.layers.keras.opaque_layers import WITHOUT_WEIGHTS, why_not

    if name in WITHOUT_WEIGHTS:
        return name  # its row says why it has no formula; its shape is known all the same

    reason = _code_in_yaml(name) if "(" in name else _without_colon(name) or why_not(name)
    if not reason:
        from layerexplain.layers.keras.meant_types import what_is_meant

        declared = {*known_types(), *maker.own, *MODEL_TYPES, *WITHOUT_WEIGHTS, "InputLayer"}
        reason = f"unknown layer type '{name}'; {what_is_meant(name, declared)}"
    maker.faults.keep(ArgumentError(reason), line)
    return name


def make_layer(item: Item, name: str, maker: Maker) -> Layer:
    """Return the layer that an item describes, under the given name."""
    if item.type in MODEL_TYPES:
        pairs = [(YamlNode("scalar", key, node.line), node) for key, node in item.arguments.items()]
        model = maker.model(item.type, YamlNode("mapping", pairs, item.line), name, maker.path)
        kept: dict[str, Any] = {
            key: item.arguments[key].value for key in ("trainable", "dtype") if key in item.arguments
        }
        type_name = item.type if model is None else model.type
        return maker.entered(Layer(name, type_name, "model", kept, model, line=item.line))
    config = {}
    if maker.check:
        item = _of_today(item, name, maker)
    for key, node in item.arguments.items():
        is_own = item.type in maker.own or key == "input_dim"
        if key in INPUT_KEYS and not (is_own and takes(item.declaration, key)):
            continue
        config[key] = _argument(key, node, maker.inside(item.type, key) if key in _HELD else maker)
        if (setting := setting_kind(key)) and maker.check:
            try:
                config[key] = written_setting(item.type, key, setting, config[key])
            except ArgumentError as error:
                maker.faults.keep(error.with_place(layer=name), node.line)
    if maker.check:
        for key in item.arguments:
            if key in OLD_ARGUMENTS and (today := todays_form(item.type, key, maker.input_shape)):
                words = f"{key} is an argument of older Keras; in Keras 3: {today}"
                maker.notes.append(Note("old-argument", name, words))
        _check_arguments(item, name, config, maker)
    if is_operation(item.type):
        return Layer(name, item.type.removeprefix(OPERATIONS), "operation", config, line=item.line)
    kind: Kind = "custom" if item.type in maker.own else "layer"
    return maker.entered(Layer(name, item.type, kind, config, line=item.line))


def _of_today(item: Item, name: str, maker: Maker) -> Item:
    """Return the item with its arguments by today's names, and without what belongs beside its type."""
    arguments: dict[str, YamlNode] = {}
    if all(takes(item.declaration, key) for key in item.arguments):
        return item
    for key, node in item.arguments.items():
        today = "" if takes(item.declaration, key) else todays_argument(item.type, key)
        if key in WISHES and key != "name" and not takes(item.declaration, key):
            where = f"begin it below `{item.type}`, in its column"
            maker.faults.add(f"`{key}:` stands among the arguments of {item.type}; {where}", node.line)
        elif today and today not in item.arguments and takes(item.declaration, today, ignored=True):
            maker.notes.append(
                Note("old-argument", name, f"{key} is an argument of older Keras; in Keras 3: `{today}`")
            )
            arguments[today] = node
        else:
            arguments[key] = node
    return item._replace(arguments=arguments)


def _check_arguments(item: Item, name: str, config: dict[str, Any], maker: Maker) -> None:
    """Tell of every argument that the declared layer refuses, at its own line."""
    declaration = item.declaration
    if declaration is None:
        return
    try:
        declaration.bind(config, strict=True)
    except ArgumentError:
        for argument, error in declaration.faults(config):
            if argument is not None and computed_names(config[argument], maker.names):
                continue
            line = item.arguments[argument].line if argument is not None else item.line
            maker.faults.keep(error.with_place(layer=name), line)


def _typed_item(pairs: dict[str, tuple[YamlNode, YamlNode]], type_key: str, maker: Maker) -> Item | None:
    """Return `{type: Dense, units: 128, …}` and `{class_name: Dense, config: {…}}`."""
    type_node = pairs[type_key][1]
    if type_node.kind != "scalar" or not isinstance(type_node.value, str):
        maker.faults.add(f"`{type_key}` is {words_for(type_node)}; the name of a layer type is needed", type_node.line)
        return None
    type_name = known_type(type_node.value, type_node.line, maker)
    wishes = {key: pairs[key][1] for key in WISHES if key in pairs}
    ignored = {"module", "registered_name", "build_config", "compile_config", "inbound_nodes"}
    skip = {type_key, *WISHES, "config", "args"} | (ignored if "config" in pairs else set())
    arguments = {key: value for key, (_, value) in pairs.items() if key not in skip}
    for key in ("config", "args"):
        if key in pairs:
            arguments = _arguments(type_name, pairs[key][1], maker) | arguments
    return _item(type_name, _wrapped(type_name, arguments, maker), wishes, type_node.line, maker)


def _item(type_name: str, arguments: dict[str, YamlNode], wishes: dict[str, YamlNode], line: int, maker: Maker) -> Item:
    """Return an item; a name that stands among the arguments, where Keras has it, is the one that it wishes for."""
    name = arguments.get("name")
    if name is None:
        return Item(type_name, arguments, wishes, line, maker.find(type_name))
    if "name" in wishes and wishes["name"].value != name.value:
        maker.faults.add(f"two names: '{wishes['name'].value}' and '{name.value}'; a layer has one", name.line)
    own = {key: value for key, value in arguments.items() if key != "name"}
    return Item(type_name, own, {"name": name, **wishes}, line, maker.find(type_name))


def _arguments(type_name: str, value: YamlNode, maker: Maker) -> dict[str, YamlNode]:
    """Return the arguments that stand after `Type:`: a mapping of them, the first one alone, or the wrapped layer."""
    if value.kind == "mapping":
        arguments = {str(key.value): item for key, item in value.value}
        return arguments if type_name in MODEL_TYPES else _wrapped(type_name, arguments, maker)
    if type_name in MODEL_TYPES:
        return {"layers": value}
    if value.kind == "scalar" and value.value is None:
        return {}
    if type_name == "InputLayer":
        return {"shape": value}
    declaration = maker.find(type_name)
    first = _wrapped_argument(type_name, maker) or (next(iter(declaration.arguments), None) if declaration else None)
    if first is None and declaration is None:
        from layerexplain.layers.keras.opaque_layers import FIRST_ARGUMENTS

        first = FIRST_ARGUMENTS.get(type_name)
    if first is not None:
        return {first: value}
    if declaration is not None:
        words = f"{type_name} takes no arguments, got {words_for(value)}; write `- {type_name}`"
        maker.faults.keep(ArgumentError(words), value.line)
    return {}


def _wrapped(type_name: str, arguments: dict[str, YamlNode], maker: Maker) -> dict[str, YamlNode]:
    """Return a wrapper's arguments where its layer stands among them under its type: `{LSTM: {…}, merge_mode: sum}`."""
    inner = _wrapped_argument(type_name, maker)
    if inner is None or inner in arguments:
        return arguments
    results = [key for key in arguments if _is_type(key, maker) or key[:1].isupper()]
    if len(results) != 1:
        return arguments
    node = arguments[results[0]]
    layer = YamlNode("mapping", [(YamlNode("scalar", results[0], node.line), node)], node.line)
    return {inner: layer, **{key: value for key, value in arguments.items() if key != results[0]}}


def _argument(key: str, node: YamlNode, maker: Maker) -> Any:
    """Return an argument's value: a wrapped layer as `Layer`, lists of plain values as tuples."""
    if key.endswith("activation") and node.value == KERAS_2_HARD_SIGMOID.name:
        return KERAS_2_HARD_SIGMOID
    if key not in _HELD and not (key in _MAYBE_LAYER_ARGUMENTS and node.kind == "mapping"):
        return to_python(node)
    if node.kind != "list":
        return inner_layer(node, maker)
    at = list_steps(maker.path)
    layers = [inner_layer(item, maker._replace(path=(*at, i))) for i, item in enumerate(node.value)]
    if key in ("cells", "layers"):
        return layers
    return one_cell(layers, maker.name(_STACKED), node.line)


def one_cell(cells: Sequence[Any], name: str = "", line: int | None = None) -> Layer:
    """Return the cell that Keras's RNN makes of a list of them."""
    return Layer(name or default_name(_STACKED), _STACKED, "layer", {"cells": list(cells)}, line=line)


_STACKED = "StackedRNNCells"


def inner_layer(node: YamlNode, maker: Maker) -> Any:
    """Return the layer that another one holds; None, with a fault, where none stands there."""
    item = read_item(node, maker)
    if item is None:
        return None
    if not item.type:
        return _again(item, maker)
    refuse_wishes(item, "a wrapped layer", "it belongs to the wrapper", maker.faults)
    named = item.wishes.get("name")
    name = named.value if named is not None and isinstance(named.value, str) else maker.name(item.type)
    return make_layer(item, name, maker._replace(notes=[]))


def _again(item: Item, maker: Maker) -> Layer | None:
    """Return the layer that another one holds where it is one of another place."""
    node = item.wishes["reuse"]
    others = {key: value for key, value in item.wishes.items() if key != "reuse"}
    refuse_wishes(item._replace(wishes=others), "a wrapped layer", "it belongs to the wrapper", maker.faults)
    if maker.objects is None:
        maker.faults.add("the wrapper copies this layer, and each copy gets its own weights; write it out", node.line)
        return None
    if not is_path(node):
        words = f"`reuse: {node.value}` inside a layer needs a path from the top: `reuse: /{node.value}`"
        maker.faults.add(words, node.line)
        return None
    layer = maker.objects.find(node, maker.faults)
    if layer is not None:
        maker.objects.share(node, maker.path)
    return layer


def computed_names(value: Any, names: Container[str]) -> list[str]:
    """Return the names that a value of a configuration is computed from: `units // 2` from `units`; none where it is a
    value.

    >>> computed_names("4 * units", {"units"}), computed_names("relu", {"units"}), computed_names("relu", {"relu"})
    (['units'], [], ['relu'])
    """
    if not isinstance(value, str) or not names:
        return []
    from layerexplain.errors import FormulaError
    from layerexplain.lang.names import uses
    from layerexplain.lang.syntax import checked_expression

    try:
        used = uses(checked_expression(value))
    except FormulaError:
        return []
    return [*used.tensors] if all([name in names for name in used.tensors]) and not used.called else []


def _wrapped_argument(type_name: str, maker: Maker) -> str | None:
    """Return the argument of a wrapper that is the layer inside; None for other layers."""
    if type_name == "Wrapper":  # the base class of Keras, which has no formula of its own
        return "layer"
    declaration = maker.find(type_name)
    return (declaration.holds or None) if declaration is not None else None


def takes(declaration: Declaration | None, argument: str, *, ignored: bool = False) -> bool:
    """Return whether a declared layer has an argument, or, with `ignored`, one that its formula does not depend on."""
    return declaration is not None and (
        argument in declaration.arguments or (ignored and argument in declaration.ignores)
    )


def refuse_wishes(item: Item, what: str, hint: str, faults: SpecFaults) -> None:
    """Faults for what an item that is not called in the graph cannot have."""
    for wish in ("from", "repeat", "reuse", "training", "ignore"):
        if wish in item.wishes:
            faults.add(f"{what} has `{wish}`; {hint}", item.wishes[wish].line)


def _is_type(key: str, maker: Maker) -> bool:
    return key in maker.own or key == "Input" or _is_declared(key)


def _is_declared(name: str) -> bool:
    from layerexplain.layers.registry import OF_TORCH_PROGRAMS

    if name.startswith(OF_TORCH_PROGRAMS):
        from layerexplain.layers.index import module_of

        return module_of(name) is not None
    return name in known_types() or name in MODEL_TYPES or name == "InputLayer" or is_operation(name)


def is_operation(type_name: str) -> bool:
    """Return whether a type is an operation between layers, which a spec calls as `ops.Add`."""
    from layerexplain.layers.registry import find

    return type_name.startswith(OPERATIONS) and find(type_name) is not None


def words_for(node: YamlNode) -> str:
    """Return a node's kind in the words of a message."""
    return {"list": "a list", "mapping": "a mapping"}.get(node.kind) or kind_of_value(node.value)
