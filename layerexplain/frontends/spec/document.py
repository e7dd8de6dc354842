"""The YAML spec → `Model`: inputs, layers in order, wires by name, nested models. Every fault has its line.

    name: mnist_cnn
    input: [28, 28, 1]
    layers:
      - Conv2D: {filters: 16, kernel_size: 3, activation: relu}
      - Flatten
      - Dense: 10

A Keras configuration written as YAML is read as what it is.
"""

from __future__ import annotations

import os
import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from layerexplain.attribute_path import LayerNamed, Steps
from layerexplain.errors import ArgumentError, LayerExplainError, SpecError, did_you_mean, raise_any
from layerexplain.files.limits import MAX_SPEC_LAYERS
from layerexplain.frontends.model_builder import ModelBuilder, default_name
from layerexplain.frontends.spec.inputs import (
    input_of_nested,
    read_input_layer,
    read_inputs,
    shape_of_first,
    without_typed_batch,
)
from layerexplain.frontends.spec.items import (
    MODEL_TYPES,
    Item,
    Maker,
    is_operation,
    make_layer,
    read_item,
    refuse_wishes,
    words_for,
)
from layerexplain.frontends.spec.settings import Objects, is_path, with_declarations, with_named_sizes
from layerexplain.frontends.spec.yaml_nodes import SpecFaults, YamlNode, parse_yaml, to_python
from layerexplain.layers.registry import TORCH
from layerexplain.model import Layer, Missing, Model, Note, SourceCode, TensorRef, fixed_batch, keeps_state

if TYPE_CHECKING:
    from layerexplain.layers.declaration import Declaration

_TRAINING_KEYS = ("loss", "loss_weights", "optimizer", "metrics")
_KEYS = ("name", "input", "inputs", "layers", "output", "outputs", "define", "trainable", "dtype", *_TRAINING_KEYS)

_OUTPUT = r"(.+)\[([0-9]{1,4})\]\Z"


def read_yaml_spec(
    data: bytes,
    source: str = "",
    own: Mapping[str, Declaration] = MappingProxyType({}),
    values: Mapping[str, int] = MappingProxyType({}),
) -> Model:
    """Return the model that a spec describes.

    `source` is its path: a spec without a name is called as its file. `own` are layers that it may have beside Keras's
    and those that it defines itself; `values` stand in place of the names that it declares under `sizes:`, whose
    examples stand there otherwise. Faults of single layers are the model's `faults`;
    with any other, raises SpecError for one fault, an ErrorGroup for several.
    """
    faults = SpecFaults()
    root = parse_yaml(data, faults)
    root, sizes = with_named_sizes(root, values, faults)
    if _is_keras_config(root):
        from layerexplain.frontends.keras.config import read_config

        raise_any(faults.found())
        return read_config(to_python(root, list))._replace(format="yaml-spec")
    stem = os.path.splitext(os.path.basename(source))[0] if source[:1] not in ("", "<") else ""
    reader = _SpecReader(faults, own)
    try:
        model = reader.model("", root, stem, top=True)
    except LayerExplainError as error:
        faults.keep(error, None)
        model = None
    results = tuple([with_declarations(fault, sizes) for fault in faults.found()])
    if model is None or not all(isinstance(fault, ArgumentError) for fault in results):
        raise_any(results)
    if model is None:
        raise SpecError("contains no model; `input:` and `layers:` are needed")
    named: dict[str, Missing] = dict.fromkeys(sizes, "size")
    code = SourceCode(tuple, missing=named, with_values=partial(read_yaml_spec, data, source, own))
    return model._replace(
        source_code=code if sizes else None,
        format="yaml-spec",
        framework="torch" if any(layer.type.startswith("torch.") for layer in model.layers) else "keras",
        strict=True,
        notes=tuple(reader.notes),
        faults=(*results, *_without_batch(model)),
        declarations=reader.own,
        shared=tuple(reader.objects.shared),
    )


def _without_batch(model: Model) -> Iterator[LayerExplainError]:
    """Yield the faults of layers that keep their state between calls, in a model whose batch is not fixed."""
    given = next((layer.config.get("batch_shape") for layer in model.layers if layer.type == "InputLayer"), None)
    if not isinstance(given, tuple) or fixed_batch(model) is not None:
        return
    for layer in model.layers:
        if keeps_state(layer):
            right = ", ".join(map(str, (32, *given[1:])))
            fact = f"{layer.type} with stateful=True needs a fixed batch size, got None"
            yield ArgumentError(f"{fact}; for example input: {{batch_shape: [{right}]}}").with_place(
                layer=layer.name, line=layer.line
            )


def _is_keras_config(root: YamlNode) -> bool:
    if root.kind != "mapping":
        return False
    keys = {key.value for key, _ in root.value}
    return "class_name" in keys or {"layers", "input_layers", "output_layers"} <= keys


class _Graph(ModelBuilder):
    """The model so far: tensors by name, the lines of these names, and names that are given later."""

    def __init__(self, taken: set[str], path: Steps = ()) -> None:
        super().__init__(taken)
        self.path = path
        self.known: dict[str, TensorRef] = {}
        self.lines: dict[str, int | None] = {}
        self.last: TensorRef | None = None
        self.is_graph = False
        self.later: set[str] = set()

    def begin(self, layer: Layer) -> None:
        """Add an input, which the next item takes unless it says otherwise."""
        self.last = self.add_input(layer)
        self.name(layer.name, self.last, layer.line)

    def name(self, name: str | None, tensor: TensorRef | None, line: int | None) -> None:
        """Let a name stand for a tensor."""
        if name is not None and tensor is not None:
            self.known[name], self.lines[name] = tensor, line


class _SpecReader:
    def __init__(self, faults: SpecFaults, own: Mapping[str, Declaration]) -> None:
        self.faults = faults
        self.own = own
        self.notes: list[Note] = []
        self.objects = Objects()
        self.layers_made = 0

    def model(self, kind: str, root: YamlNode, name: str, path: Steps = (), *, top: bool = False) -> Model | None:
        """Return a model from its mapping (or its list of layers); None, with a fault, where it has no layers."""
        if root.kind == "list":
            root = YamlNode("mapping", [(YamlNode("scalar", "layers", root.line), root)], root.line)
        if root.kind != "mapping":
            words = f"holds {words_for(root)}, which is not a spec; `input:` and `layers:` are needed"
            self.faults.add(words, root.line)
            return None
        keys: dict[str, tuple[YamlNode, YamlNode]] = {str(key.value): (key, value) for key, value in root.value}
        if "input_shape" in keys and "input" not in keys:
            keys["input"] = keys.pop("input_shape")
        self._check_keys(keys)
        titled = keys["name"][1] if top and "name" in keys else None
        name = name if titled is None else self._name(titled) or name
        if "define" in keys:
            self._define(*keys["define"], top=top)
        if "layers" not in keys:
            self.faults.add("no `layers:`; a model needs a list of layers", root.line)
            return None
        items = self._items(keys["layers"][1])
        # All names that the items give, so that no made-up name takes one of them.
        wished = [item.wishes["name"].value for item in items if "name" in item.wishes]
        graph = _Graph({one for one in wished if isinstance(one, str)}, path)
        for layer in read_inputs(keys, self.faults, graph.names.taken):
            graph.begin(layer)
        graph.names.taken |= graph.known.keys()
        graph.later = graph.names.taken - graph.known.keys()
        maker = Maker(
            self.faults,
            self.model,
            lambda type_name: self._free(type_name, graph),
            self.notes,
            own=self.own,
            objects=self.objects,
            path=path,
        )
        for item in items:
            if self.faults.many:
                self.faults.add("too many errors; the rest is not read", item.line)
                break
            self._item(item, graph, maker)
        outputs = self._outputs(keys, graph)
        trainable = keys["trainable"][1].value is not False if "trainable" in keys else True
        graph.layers = [without_typed_batch(layer, graph.layers, self.notes) for layer in graph.layers]
        if graph.layers and graph.layers[0].config.get("batch_shape", ()) is None:
            graph.layers[0] = input_of_nested(*graph.layers[:2])
            if top and graph.layers[0].config["batch_shape"] is None:
                self.notes.append(Note("unknown-input", None, "the spec does not say the shape of the input"))
        # Keras's Sequential takes no operations.
        in_a_row = not graph.is_graph and all(layer.kind != "operation" for layer in graph.layers)
        plain_sequence = in_a_row and len(graph.inputs) == 1 and kind in ("", "Sequential")
        type_name = "Sequential" if plain_sequence else "Functional"
        model = graph.model(name or type_name.lower(), outputs, type_=type_name, trainable=trainable)
        if not keys.keys() & set(_TRAINING_KEYS):
            return model
        from layerexplain.frontends.spec.settings import read_training

        return read_training(keys, model, self.faults)

    def _define(self, key: YamlNode, node: YamlNode, *, top: bool) -> None:
        """Define the layers that the spec defines itself, before those of other files."""
        if not top:
            self.faults.add("`define:` stands in a nested model; write it at the top of the spec", key.line)
            return
        from layerexplain.frontends.spec.define import read_define

        self.own = ChainMap(read_define(node, self.faults, self.own, ""), self.own)  # type: ignore[arg-type]

    def _check_keys(self, keys: dict[str, tuple[YamlNode, YamlNode]]) -> None:
        for key, (node, _) in keys.items():
            if key not in _KEYS:
                hint = did_you_mean(key, _KEYS) or f"a model has {', '.join(_KEYS[:6])}"
                self.faults.add(f"unknown key '{key}'; {hint}", node.line)
        for item, several in (("input", "inputs"), ("output", "outputs")):
            if item in keys and several in keys:
                self.faults.add(f"`{item}` and `{several}`; write one of them", keys[several][0].line)

    def _items(self, node: YamlNode) -> list[Item]:
        if node.kind != "list":
            self.faults.add(f"`layers` is {words_for(node)}; a list is needed, with `- ` before each layer", node.line)
            return []
        if not node.value:
            self.faults.add("`layers` is empty; a model needs a layer", node.line)
        maker = Maker(self.faults, self.model, default_name, self.notes, own=self.own)
        items = []
        for entry in node.value:
            if self.faults.many:
                self.faults.add("too many errors; the rest is not read", entry.line)
                break
            item = read_item(entry, maker)
            if item is not None:
                items.append(item)
        return items

    def _free(self, type_name: str, graph: _Graph) -> str:
        return graph.names.take(default_name(type_name) or "layer")

    def _name(self, node: YamlNode) -> str | None:
        """Return a name as written; None, with a fault, for anything else."""
        if isinstance(node.value, str | int | float) and not isinstance(node.value, bool):
            name = str(node.value)
            if name and "/" not in name:
                return name
        self.faults.add(f"a name is {words_for(node)}; a text without '/' is needed", node.line)
        return None

    def _item(self, item: Item, graph: _Graph, maker: Maker) -> None:
        wished = self._name(item.wishes["name"]) if "name" in item.wishes else None
        if wished is not None and wished in graph.known:
            first = graph.lines[wished]
            where = f" (first in line {first})" if first else ""
            self.faults.add(f"two layers are called '{wished}'{where}; names must differ", item.wishes["name"].line)
        if item.type == "InputLayer":
            refuse_wishes(item, "an input", "an input begins the model", self.faults)
            name = wished or self._free("input", graph)
            graph.is_graph = graph.is_graph or bool(graph.counts)
            graph.begin(read_input_layer(name, item.arguments, item.line, self.faults))
            return
        if graph.last is None:
            self._first_input(item, graph)
            maker = maker._replace(input_shape=graph.layers[-1].config["batch_shape"])
        if "reuse" in item.wishes:
            return self._reuse(item, wished, graph, maker)
        for number in range(self._repeat(item)):
            self._make(item, wished, number, graph, maker)

    def _make(self, item: Item, wished: str | None, number: int, graph: _Graph, maker: Maker) -> None:
        """Make the layer of an item; `number` counts its repetitions, each with weights of its own."""
        repeated = "repeat" in item.wishes
        if wished is None:
            name = self._free(item.type, graph)
        else:
            name = f"{wished}_{number + 1}" if repeated else wished
            if repeated and (name in graph.known or name in graph.names.taken):
                self.faults.add(
                    f"`repeat` creates the name '{name}', which is already used; choose another name", item.line
                )
        graph.names.taken.add(name)
        args, kwargs = self._tensors(item, graph, use_from=number == 0)
        kwargs |= self._training(item)
        # The faults of a repeated layer are reported once.
        maker = maker._replace(path=(*graph.path, LayerNamed(name)), check=maker.check and number == 0)
        layer = make_layer(item, name, maker)
        graph.layers.append(layer._replace(ignore=self._ignored(item)) if "ignore" in item.wishes else layer)
        graph.last = graph.call(name, args, kwargs, item.line)
        graph.name(name, graph.last, item.line)
        graph.name(wished, graph.last, item.line)

    def _repeat(self, item: Item) -> int:
        node = item.wishes.get("repeat") or YamlNode("scalar", 1, item.line)
        count: Any = node.value
        if type(count) is not int or count < 1:
            self.faults.add(f"`repeat` is {words_for(node)}; a whole number from 1 is needed", node.line)
            count = 1
        self.layers_made += count
        if self.layers_made > MAX_SPEC_LAYERS:
            self.faults.add(f"more than {MAX_SPEC_LAYERS:,} layers; `repeat` less often", item.line)
            raise_any(self.faults.found())
        return int(count)

    def _reuse(self, item: Item, wished: str | None, graph: _Graph, maker: Maker) -> None:
        node = item.wishes["reuse"]
        graph.is_graph = graph.is_graph or not is_path(node)
        if "repeat" in item.wishes:
            self.faults.add("`reuse` with `repeat`; write one item for each call", item.wishes["repeat"].line)
        known = self._of_elsewhere(node, graph) if is_path(node) else self._look_up(node, graph, "reuse")
        if known is None:
            # What follows can still be read, from whatever came before.
            return graph.name(wished, graph.last, item.line)
        layer = next(layer for layer in graph.layers if layer.name == known.layer)
        if layer.type == "InputLayer":
            self.faults.add(f"'{node.value}' is an input, which is not called; use `from: {node.value}`", node.line)
            return
        type_ = f"ops.{layer.type}" if layer.kind == "operation" else layer.type
        again = item._replace(type=type_, declaration=maker.find(type_))
        args, kwargs = self._tensors(again, graph, use_from=True)
        kwargs |= self._training(item)
        graph.last = graph.call(layer.name, args, kwargs, item.line)
        graph.name(wished, graph.last, item.line)

    def _of_elsewhere(self, node: YamlNode, graph: _Graph) -> TensorRef | None:
        """Return what a layer of another model gives in this one; None, with a fault, where there is none."""
        layer = self.objects.find(node, self.faults)
        if layer is None:
            return None
        if layer.name in graph.known or layer.name in graph.later:
            words = f"`reuse: {node.value}` adds the name '{layer.name}', which another layer here has; rename one"
            self.faults.add(words, node.line)
            return None
        self.objects.share(node, (*graph.path, LayerNamed(layer.name)))
        graph.names.taken.add(layer.name)
        graph.layers.append(layer)
        known = TensorRef(layer.name)
        graph.name(layer.name, known, node.line)
        return known

    def _ignored(self, item: Item) -> tuple[str, ...]:
        """Return the codes of rules of `check` that are left out for a layer; which there are, `check` knows."""
        node = item.wishes["ignore"]
        codes = to_python(node)
        codes = (codes,) if isinstance(codes, str) else codes
        if not isinstance(codes, tuple) or not all(isinstance(code, str) for code in codes):
            self.faults.add(f"`ignore` is {words_for(node)}; codes of rules are needed, like [unread-edge]", node.line)
            return ()
        return codes

    def _training(self, item: Item) -> dict[str, bool]:
        """Return whether a call is said to be as in training, or never to be."""
        node = item.wishes.get("training")
        if node is None:
            return {}
        if not isinstance(node.value, bool):
            self.faults.add(f"`training` is {words_for(node)}; true or false is needed", node.line)
        return {"training": node.value is True}

    def _tensors(self, item: Item, graph: _Graph, *, use_from: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return (args, kwargs) of a call: what `from` names, or what the item before made."""
        node = item.wishes.get("from") if use_from else None
        if node is None:
            if use_from and not graph.counts and len(graph.inputs) > 1:
                names = ", ".join(ref.layer for ref in graph.inputs)
                self.faults.add(f"the model has {len(graph.inputs)} inputs ({names}); say which: `from:`", item.line)
            return (graph.last,), {}
        graph.is_graph = True
        if node.kind == "mapping":
            return self._tensors_by_name(item, node, graph)
        if node.kind == "scalar":
            return (self._tensor(node, graph),), {}
        constants = is_operation(item.type) or (item.type.startswith("torch.") and not item.type.startswith(TORCH))
        tensors = [
            one.value if constants and type(one.value) in (int, float) else self._tensor(one, graph)
            for one in node.value
        ]
        declaration = item.declaration
        if not tensors and (declaration is None or declaration.tensors or declaration.variadic is not None):
            self.faults.add("`from` is an empty list; name at least one layer", node.line)
        if item.type in MODEL_TYPES or (declaration is not None and declaration.takes_list):
            return (tensors,), {}
        if declaration is not None and declaration.takes_states and len(tensors) > 1:
            return (tensors[0],), {"initial_state": tensors[1:]}
        return tuple(tensors), {}

    def _tensors_by_name(self, item: Item, node: YamlNode, graph: _Graph) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return what a mapping names; a layer whose call takes a list gets its tensors as one."""
        named = {str(key.value): self._mask(value, graph) if key.value == "mask" else self._tensor(value, graph)
                 for key, value in node.value}  # fmt: skip
        declaration = item.declaration
        if declaration is None or not declaration.facts.takes_list:
            return (), named
        count = len([name for name in declaration.tensors if name in named])
        first = [named.pop(name) for name in declaration.tensors[:count] if name in named]
        return ((first,) if first else ()), named

    def _mask(self, node: YamlNode, graph: _Graph) -> Any:
        """Return a mask, or a list of them, in which null stands for a tensor without one."""
        if node.kind != "list":
            return self._tensor(node, graph)
        return [
            None if item.kind == "scalar" and item.value is None else self._tensor(item, graph) for item in node.value
        ]

    def _tensor(self, node: YamlNode, graph: _Graph, key: str = "from") -> Any:
        if node.kind == "list" and node.value:
            return [self._tensor(value, graph, key) for value in node.value]
        return self._look_up(node, graph, key) or graph.last

    def _look_up(self, node: YamlNode, graph: _Graph, key: str) -> TensorRef | None:
        """Return what a name stands for; `lstm[1]` is output 1 of `lstm`. None, with a fault, for an unknown one."""
        if node.kind != "scalar" or node.value is None or isinstance(node.value, bool):
            self.faults.add(f"`{key}` holds {words_for(node)}; the name of a layer is needed", node.line)
            return None
        name = str(node.value)
        if name in graph.known:
            return graph.known[name]
        output = re.match(_OUTPUT, name)
        if output is not None and key != "reuse" and output[1] in graph.known:
            return graph.known[output[1]]._replace(output=int(output[2]))
        if name in graph.later:
            what = "a layer that comes later; a layer must stand before those that use it"
        else:
            known = f"known here: {', '.join([*graph.known][-6:])}" if graph.known else "there is no layer before it"
            what = f"no layer; {did_you_mean(name, graph.known) or known}"
        self.faults.add(f"`{key}: {name}` names {what}", node.line)
        return None

    def _outputs(self, keys: dict[str, tuple[YamlNode, YamlNode]], graph: _Graph) -> tuple[TensorRef, ...]:
        pair = keys.get("outputs") or keys.get("output")
        if pair is None:
            return (graph.last,) if graph.last is not None else ()
        graph.is_graph = True
        node = pair[1]
        nodes = [node] if node.kind == "scalar" else node.value
        nodes = [value for _, value in node.value] if node.kind == "mapping" else nodes
        if not nodes:
            self.faults.add("`outputs` is empty; name at least one layer", node.line)
        refs = [self._tensor(entry, graph, str(pair[0].value)) for entry in nodes]
        return tuple(ref for ref in refs if isinstance(ref, TensorRef))

    def _first_input(self, item: Item, graph: _Graph) -> None:
        """Give the input that a spec without `input:` has: what its first layer's input_shape says, else unknown."""
        name = graph.names.take("input")
        layer = shape_of_first(item, name, self.faults)
        if layer is None:
            layer = Layer(name, "InputLayer", "layer", {"batch_shape": None, "dtype": "float32"}, line=item.line)
        graph.begin(layer)
