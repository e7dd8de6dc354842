"""How the layers of a Functional model are wired: the `inbound_nodes` of three Keras generations → `Call`s.

Keras 3 writes each call as {"args", "kwargs"} with tensors as `__keras_tensor__` objects anywhere inside. Before,
a call is a list of [layer, node, tensor] (Keras 1) or [layer, node, tensor, kwargs] (Keras 2, tf.keras), bare and
not in a list for the operations of tf.keras, and tensors among the kwargs are bare triples.

The node numbers of a nested model start at 1 in Keras 1, 2 and tf.keras and in Keras 3's `output_layers` of a
Functional, but at 0 in Keras 3's `keras_history` and for its nested Sequential. `TensorRef.call` starts at 0 always.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from layerexplain.errors import SpecError
from layerexplain.frontends.json_text import kind_of_value
from layerexplain.frontends.keras.config_values import ConfigContext, is_shape, plain_value
from layerexplain.frontends.keras.layer_config import TF_OPERATIONS
from layerexplain.lang.tables import ConstantArray
from layerexplain.model import Call, ForeignFunction, Layer, Model, Shape, TensorRef, replaced
from layerexplain.nesting import form_of, in_model_order

_CONSTANT = "_CONSTANT_VALUE"
_SLICE = ("start", "stop", "step")


Wires = tuple[tuple[Call, ...], tuple[TensorRef, ...], tuple[TensorRef, ...], Mapping[TensorRef, tuple[Shape, str]]]
"""The wiring of one model: its calls, inputs and outputs, and the shapes that the file recorded."""


def is_keras3_nodes(layers: list[Any]) -> bool:
    """Return whether the nodes of these layer objects are those of Keras 3; True where no layer is called at all."""
    for item in layers:
        nodes = item.get("inbound_nodes") if isinstance(item, dict) else None
        if isinstance(nodes, (list, tuple)) and nodes:
            return isinstance(nodes[0], dict)
    return True


def read_wires(items: list[Any], layers: list[Layer], config: Mapping[str, Any], context: ConfigContext) -> Wires:
    """Return the wires between `layers`, which were read from `items` in the same order.

    Raises SpecError for a node of no known form, and for a tensor of a layer that the model does not list.
    """
    reader = _NodeReader({layer.name: layer for layer in layers}, context, is_keras3_nodes(items))
    calls: list[Call] = []
    counts: dict[str, int] = {}
    for item, layer in zip(items, layers, strict=True):
        nodes = item.get("inbound_nodes")
        nodes = [] if nodes is None else nodes
        if not isinstance(nodes, (list, tuple)):
            raise SpecError(f"inbound_nodes is {kind_of_value(nodes)}; a list of calls is needed", layer=layer.name)
        if layer.type == "InputLayer":
            calls_of_layer = [Call(layer.name, 0, (), {})]
        else:
            calls_of_layer = [Call(layer.name, index, *reader.call(node, layer)) for index, node in enumerate(nodes)]
        if layer.model is not None:
            calls_of_layer = [_in_model_order(call, layer.model) for call in calls_of_layer]
        calls += calls_of_layer
        counts[layer.name] = len(calls_of_layer)
    if reader.keras3:  # its numbers inside and at the ends differ, so each are looked at alone
        numbers = _call_numbers(reader, reader.take_used(), counts)
    inputs, outputs = (tuple(reader.ends(config.get(key, []), key)) for key in ("input_layers", "output_layers"))
    outer_numbers = _call_numbers(reader, reader.take_used(), counts, ends=True)
    if not reader.keras3:
        numbers = outer_numbers
    recorded = reader.recorded
    if any(numbers.values()):
        calls = [
            call._replace(args=_renumber(call.args, numbers), kwargs=_renumber(call.kwargs, numbers)) for call in calls
        ]
        recorded = {_renumber(ref, numbers): facts for ref, facts in recorded.items()}
    inputs = tuple([ref._replace(call=0) for ref in inputs])
    return tuple(calls), inputs, _renumber(outputs, outer_numbers), recorded


def _in_model_order(call: Call, model: Model) -> Call:
    """Call a nested model with its inputs in their order."""
    names = [ref.layer for ref in model.inputs]
    return call._replace(args=tuple([in_model_order(argument, model.input_form, names) for argument in call.args]))


class _NodeReader:
    """Reads the nodes of one model and keeps count of which call numbers the file uses for each layer."""

    def __init__(self, layers: dict[str, Layer], context: ConfigContext, keras3: bool) -> None:
        self.layers = layers
        self.context = context
        self.keras3 = keras3
        self.used: dict[str, set[int]] = {}
        self.recorded: dict[TensorRef, tuple[Shape, str]] = {}

    def take_used(self) -> dict[str, set[int]]:
        """Return the call numbers that were used since the last time this was asked."""
        used, self.used = self.used, {}
        return used

    def call(self, node: Any, layer: Layer) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return (args, kwargs) of one node."""
        if isinstance(node, dict) and ("args" in node or "kwargs" in node):
            args, kwargs = node.get("args", []), node.get("kwargs", {})
            if isinstance(args, (list, tuple)) and isinstance(kwargs, dict):
                return tuple(self.argument(args, layer)), {str(k): self.argument(v, layer) for k, v in kwargs.items()}
        elif isinstance(node, (dict, list, tuple)):
            return self.old_call(node, layer)
        raise SpecError("a call in inbound_nodes is neither a list nor an object of args and kwargs", layer=layer.name)

    def argument(self, value: Any, layer: Layer, *, old: bool = False) -> Any:
        """Return an argument with its tensors as `TensorRef`; before Keras 3 (`old`) these are bare triples."""
        if isinstance(value, dict):
            class_name = value.get("class_name")
            if class_name == "__keras_tensor__" and not old:
                return self.keras_tensor(value.get("config"), layer)
            if isinstance(class_name, str):
                return self.constant(value, layer)
            results = {str(key): self.argument(item, layer, old=old) for key, item in value.items()}
            return slice(*[results[key] for key in _SLICE]) if old and value.keys() == {*_SLICE} else results
        if not isinstance(value, (list, tuple)):
            return value
        if old and _is_triple(value) and len(value) == 3 and value[0] in self.layers:
            return self.ref(value, layer.name)
        return value[2] if old and _is_constant(value) else [self.argument(item, layer, old=old) for item in value]

    def constant(self, value: dict[str, Any], layer: Layer) -> Any:
        """Return an object in a call: an array as `Array`, which counts as a tensor there; the others as a
        configuration."""
        constant, config = plain_value(value, "", layer.name, self.context), value.get("config")
        dtype = config.get("dtype") if isinstance(config, dict) else None
        is_array = value["class_name"] in ("__numpy__", "__tensor__") and type(constant) is not ForeignFunction
        return ConstantArray(constant, dtype) if is_array and isinstance(dtype, str) else constant

    def keras_tensor(self, config: Any, layer: Layer) -> TensorRef:
        if not isinstance(config, dict) or not _is_triple(config.get("keras_history")):
            raise SpecError("a __keras_tensor__ has no keras_history [layer, node, tensor]", layer=layer.name)
        ref = self.ref(config["keras_history"], layer.name)
        shape: Any = config.get("shape")
        dtype = config.get("dtype")
        if is_shape(shape) and isinstance(dtype, str):
            self.recorded[ref] = (tuple(shape), dtype)
        return ref

    def ref(self, triple: Any, user: str | None) -> TensorRef:
        """Return a [layer, node, tensor] as `TensorRef`, with the file's own node number."""
        name, call, output = triple[:3]
        if name not in self.layers:
            from layerexplain.errors import did_you_mean

            hint = did_you_mean(name, self.layers) or "each layer that is used must be listed under layers"
            raise SpecError(f"a tensor comes from '{name}', which the model does not list; {hint}", layer=user)
        self.used.setdefault(name, set()).add(call)
        return TensorRef(name, call, output)

    def old_call(self, node: Any, layer: Layer) -> tuple[tuple[Any, ...], dict[str, Any]]:
        kwargs: dict[str, Any] = {}
        first = self.old_first(node, layer, kwargs)
        if layer.type == "TensorFlowOpLayer":
            tensors = first if isinstance(first, list) else [first]
            from layerexplain.frontends.keras.tensorflow_ops import with_constants

            return tuple(with_constants(tensors, layer.config.get("constants", {}))), kwargs
        if isinstance(first, list) and layer.type not in TF_OPERATIONS:
            from layerexplain.layers.registry import find

            if len(first) == 1:
                first = first[0]
            elif first and (declared := find(layer.type)) is not None and declared.takes_states:
                # Before Keras 3 initial states (and constants) stand in the first argument, behind the sequence.
                constants = layer.config.get("num_constants") or 0
                last = len(first) - constants if type(constants) is int and 0 < constants < len(first) else len(first)
                for name, results in (("initial_state", first[1:last]), ("constants", first[last:])):
                    if results and kwargs.get(name) is None:  # a Bidirectional writes that it was given none by name
                        kwargs[name] = results
                first = first[0]
        return (first,), kwargs

    def old_first(self, value: Any, layer: Layer, kwargs: dict[str, Any]) -> Any:
        """Return the first argument of a call before Keras 3; keyword arguments that its tensors carry go to
        `kwargs`."""
        if isinstance(value, dict):
            return {str(key): self.old_first(item, layer, kwargs) for key, item in value.items()}
        if not isinstance(value, (list, tuple)):
            fact = f"a call in inbound_nodes holds {kind_of_value(value)}; [layer, node, tensor] is needed"
            raise SpecError(fact, layer=layer.name)
        is_constant = _is_constant(value)
        if not is_constant and not _is_triple(value):
            if value and isinstance(value[0], str):
                fact = f"a call refers to {list(value[:3])}; [layer, node, tensor] is needed"
                raise SpecError(fact, layer=layer.name)
            items = [self.old_first(item, layer, kwargs) for item in value]
            tables = [_is_constant(item) and isinstance(item[2], (list, tuple)) for item in value]
            return [ConstantArray(one, "") if is_table else one for one, is_table in zip(items, tables, strict=True)]
        first = self.argument(value[2], layer, old=True) if is_constant else self.ref(value, layer.name)
        for key, item in value[3].items() if len(value) > 3 and isinstance(value[3], dict) else ():
            # The label of a TensorFlow call is no argument of what is computed.
            if str(key) not in kwargs and not (key == "name" and layer.type in TF_OPERATIONS):
                kwargs[str(key)] = self.argument(item, layer, old=True)
        return first

    def ends(self, value: Any, key: str) -> Iterator[TensorRef]:
        """input_layers or output_layers, one bare triple or any nest of them, in the model's order."""
        if _is_triple(value):
            yield self.ref(value, None)
            return
        if isinstance(value, dict):
            value = [value[name] for name in sorted(value)]  # the order in which Keras flattens a dict
        elif not isinstance(value, (list, tuple)) or (value and isinstance(value[0], str)):
            raise SpecError(f"{key} holds {kind_of_value(value)}; [layer, node, tensor] is needed")
        for item in value:
            yield from self.ends(item, key)


def form_of_ends(value: Any, *, keras3: bool) -> Any:
    """Return how input_layers or output_layers nest their tensors, as `Model.output_form` says it.

    >>> form_of_ends({"b": ["y", 0, 0], "a": [["x", 0, 0]]}, keras3=True)
    {'b': 1, 'a': [0]}
    """
    return form_of(value, _is_triple, keras3=keras3)


def _is_constant(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) >= 3 and value[0] == _CONSTANT


def _is_triple(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) >= 3
        and isinstance(value[0], str)
        and type(value[1]) is int
        and type(value[2]) is int
        and value[1] >= 0
        and value[2] >= 0
    )


def _call_numbers(
    reader: _NodeReader, used: dict[str, set[int]], counts: dict[str, int], *, ends: bool = False
) -> dict[str, dict[int, int]]:
    """Return for each layer the file's call numbers → numbers from 0; empty where they are the same."""
    numbers: dict[str, dict[int, int]] = {}
    for name, indices in used.items():
        count = counts[name]
        layer = reader.layers[name]
        if len(indices) == count == 1 and 0 in indices:  # as nearly always
            numbers[name] = {}
            continue
        if count == 0:
            raise SpecError("is used but never called; inbound_nodes needs a call", layer=name)
        # In Keras 3 only the ends of a nested Functional count from 1; else the numbers themselves decide.
        from_one = not reader.keras3 or (ends and layer.type != "Sequential") or max(indices) == count
        offset = 1 if layer.kind == "model" and 0 not in indices and from_one else 0
        if all(0 <= index - offset < count for index in indices):
            numbers[name] = {index: index - offset for index in indices} if offset else {}
        elif len(indices) == count:
            # Early Keras 3 kept the numbers of calls that belong to other models too; their order is right.
            numbers[name] = {index: rank for rank, index in enumerate(sorted(indices))}
        else:
            raise SpecError(f"call {max(indices)} of it is used, but the file lists only {count}", layer=name)
    return numbers


def _renumber(value: Any, numbers: dict[str, dict[int, int]]) -> Any:
    def numbered(ref: TensorRef) -> TensorRef:
        mapping = numbers.get(ref.layer)
        return ref._replace(call=mapping[ref.call]) if mapping else ref

    return replaced(value, TensorRef, numbered)
