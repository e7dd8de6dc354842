"""Calls of layers and models; the graph behind each model; the models that a program makes, and what reaches each."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Protocol, cast

from layerexplain.errors import LayerExplainError, ShapeError
from layerexplain.frontends.code.machine.interpreter import Interpreter
from layerexplain.frontends.code.recorder.nodes import ModelLibrary
from layerexplain.frontends.code.recorder.own_calls import OwnCalls
from layerexplain.frontends.code.recorder.shapes import (
    WEIGHT_TYPE,
    Graph,
    as_recorded,
    declaration_of,
    flat_tensors,
    is_shape,
)
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import Arguments, Keywords, Place, ProgramValue, Unknown, unknown_at
from layerexplain.frontends.code.values.layers import (
    CallTensor,
    CallTrace,
    LayerValue,
    ModelValue,
    Node,
    Tensor,
    Variable,
    unknown_in,
)
from layerexplain.frontends.code.values.operators import each_in, mirrored
from layerexplain.frontends.code.values.program import CALLED, layer_of
from layerexplain.frontends.code.values.reading import RESULT
from layerexplain.frontends.model_builder import FreeNames
from layerexplain.layers.declaration import Spec
from layerexplain.layers.signature import NO_FACTS
from layerexplain.model import Call, Layer, Model, Note, Shape, TensorRef
from layerexplain.records import NamedTuple

# Tracing ------------------------------------------------------------------------------------------------------------


def graphs_of(layer: LayerValue) -> Graphs:
    """Return what the library that makes a layer knows of the graphs of models."""
    return cast("GraphsOfLibrary", layer.framework).graphs


class Graphs:
    """The graph behind each model, and what calls give."""

    def __init__(self, own_calls: OwnCalls) -> None:
        self.own_calls, self.recorder = own_calls, own_calls.recorder
        self.interpreter, self.shapes = own_calls.interpreter, own_calls.shapes
        self.weights: dict[int, tuple[Variable, Tensor]] = {}
        self.lambdas: dict[int, tuple[LayerValue, ModelValue]] = {}
        self.graphs: dict[int, Graph | None] = {}
        self.sequences: dict[ProgramValue, Graph | None] = {}

    def weight_tensor(self, variable: Variable) -> Tensor:
        """Return the tensor of a weight that code makes itself."""
        key = id(variable)
        if variable.choice is not None:
            self.interpreter.effects.record_local_assumption(variable.choice)
        if key not in self.weights:
            layer = self.recorder.layer(WEIGHT_TYPE, "custom", variable.name, {"variable": variable}, variable.place)
            self.weights[key] = (variable, self.recorder.node(layer, (), {}, in_call=True).result())
        weight_tensor: Tensor = self.weights[key][1]
        return weight_tensor

    def weight_value(self, variable: Variable) -> ProgramValue:
        """Return what a weight is where code computes with it: a tensor in a `call`, numbers outside."""
        return self.weight_tensor(variable) if self.recorder.in_call else self.data_of(variable)

    def data_of(self, variable: Variable) -> ProgramValue:
        """Return the numbers of a variable, where code computes with them outside of layers."""
        return Array(tuple(variable.shape)) if is_shape(variable.shape) else variable.shape

    def results(self, layer: LayerValue, node: Node) -> ProgramValue:
        """Return what a call gives: a tensor, or several in the structure that Keras gives them."""
        if isinstance(layer, ModelValue):
            if layer.form == "sequential":
                return node.result()
            structure = layer.outputs if node.trace is None else node.trace.outputs
            numbers = {tensor: i for i, tensor in enumerate(flat_tensors(structure))}
            return mirrored(structure, lambda t: node.result(numbers[t]), Tensor) if numbers else node.result()
        if layer.type.endswith("Cell") and (of_cell := self._states_of_cell(layer)):
            kept = [node.result(1 + i) for i in range(of_cell)]
            return node.result(), kept[0] if of_cell == 1 and isinstance(node.args[-1], Tensor) else kept
        declaration = declaration_of(layer)
        facts = declaration.facts if declaration is not None else NO_FACTS
        if layer.config.get("return_state") is True and facts.states:
            return [node.result(i) for i in range(1 + facts.states)]
        both_ways = layer.type == "Bidirectional" and layer.config.get("merge_mode", "concat") is None
        several = (
            facts.results != 1
            or both_ways
            or layer.config.get("return_state")
            or node.kwargs.get("return_attention_scores")
            or (layer.type in ("Bidirectional", "RNN") and self._inner_states(layer))
        )
        if not several:
            return node.result()
        if node.kwargs.get("return_attention_scores") is True:
            return (node.result(), node.result(1))
        specs = self.shapes.results(node)
        if specs is None and facts.results == 0:
            sections = [*node.args[1:], *node.kwargs.values()]
            number = next((section for section in sections if isinstance(section, int) and section > 0), None)
            lengths = next((len(section) for section in sections if type(section) in (list, tuple)), None)
            result = number if number is not None else lengths
            return [node.result(i) for i in range(min(result, 1000))] if result else self._count_unknown(node)
        number = len(specs) if specs else facts.results if facts.results > 1 else 2 * self._inner_states(layer)
        if not specs and layer.type == "Bidirectional" and (number or both_ways):
            number += 2 if both_ways else 1
        self.interpreter.budget.make(number * RESULT)
        return [node.result(i) for i in range(number)] if number else self._count_unknown(node)

    def _states_of_cell(self, layer: LayerValue) -> int:
        """Return how many states a cell of Keras gives beside its output; 0 for a layer that is not a cell."""
        from layerexplain.layers.keras.rnn_cells import NAMES

        return len(NAMES.get(layer.type, ()))

    def _count_unknown(self, node: Node) -> ProgramValue:
        return self.own_calls.cause_of(node.result(), f"how many results {node.layer.type} gives")

    def _inner_states(self, layer: LayerValue) -> int:
        """Return how many states each direction of a Bidirectional gives; 0 for none, and for any other layer."""
        inner = layer.config.get("layer")
        if layer.type != "Bidirectional" or not isinstance(inner, LayerValue) or not inner.config.get("return_state"):
            return 0
        declaration = declaration_of(inner)
        return 0 if declaration is None else declaration.facts.states

    # Custom layers and models ----------------------------------------------------------------------------------------

    def lambda_model(self, layer: LayerValue) -> ModelValue:
        """Return a Lambda whose function is in the code: what the function does is its graph."""
        key = id(layer)
        if key not in self.lambdas:
            model = self.recorder.model("own", "Lambda", layer.name, layer.place)
            model.config = {key: layer.config.get(key) for key in ("function", "arguments", "output_shape")}
            self.lambdas[key] = (layer, model)
        lambda_model: ModelValue = self.lambdas[key][1]
        return lambda_model

    def split_input(self, tensor: Tensor, parts: list[ProgramValue]) -> ProgramValue:
        """Return the parts that an input of a `call` is unpacked into: it stands for as many inputs."""
        layer = tensor.node.layer
        if self.recorder.tracing and layer.type == "InputLayer" and self.shapes.spec_of(tensor) is None:
            _, placed = self.recorder.tracing[-1]
            if tensor in placed:
                names = [getattr(part, "id", f"{layer.name}_{i + 1}") for i, part in enumerate(parts)]
                result = []
                for name in names:
                    other = self.recorder.layer("InputLayer", "layer", name, dict(layer.config), layer.place)
                    result.append(self.recorder.bare_node(other, in_call=True).result())
                at = placed.index(tensor)
                placed[at : at + 1] = result
                return result
        shape = self.own_calls.shape_tuple(tensor)
        if isinstance(tensor, CallTensor) and not isinstance(shape, Unknown) and shape and shape[0] == len(parts):
            return [self.recorder.framework.tensor_item(tensor, i) for i in range(len(parts))]
        return self.own_calls.cause_of(tensor, "the parts of a tensor that is unpacked")

    # Graphs -------------------------------------------------------------------------------------------------------

    def graph(self, model: ModelValue) -> Graph | None:
        """Return the calls inside a model; None where they are not known."""
        if model.form == "sequential":
            return self._sequence(model)
        if model.form == "own":
            trace = next(iter(model.traces.values()), None)
            return None if trace is None else self.traced_graph(trace)
        if unknown_in(model.inputs) is not None or unknown_in(model.outputs) is not None:
            return None
        key = id(model)
        if key not in self.graphs:
            inputs, outputs = flat_tensors(model.inputs), flat_tensors(model.outputs)
            self.graphs[key] = Graph(inputs, outputs) if outputs else None
        known: Graph | None = self.graphs[key]
        return known

    def traced_graph(self, trace: CallTrace) -> Graph | None:
        """Return the calls that the `call` of a custom layer or model makes; None where they are not known."""
        return None if trace.outputs is None else Graph(list(trace.inputs), flat_tensors(trace.outputs))

    def _sequence(self, model: ModelValue) -> Graph | None:
        key = (id(model), len(model.layers), repr(model.input_shape)[:200])
        if key not in self.sequences:
            layers = list(model.layers)
            if layers and layers[0].type == "InputLayer":
                start = (layers[0].nodes[0] if layers[0].nodes else self._unwritten(layers[0])).result()
                layers = layers[1:]
            else:
                shape = self.first_shape(layers[0]) if layers else None
                if shape is None:
                    shape = model.input_shape
                if shape is None:
                    shape = unknown_at(model.place, "the input of the model has no shape in the code", lacks="shape")
                name = model.added_input or ("input" if self.recorder.keras_2 else "input_layer")
                place = layers[0].place if layers else model.place
                config = {"batch_shape": shape, "dtype": "float32", "implied": layers[0].type if layers else ""}
                first = self.recorder.layer("InputLayer", "layer", name, config, place)
                start = self._unwritten(first).result()
            current = start
            for layer in layers:
                actual = layer
                if layer.type == "Lambda" and isinstance(layer.config.get("function"), CALLED):
                    actual = self.lambda_model(layer)
                self.recorder.framework.check_states(layer, current)
                node = self._unwritten(actual, current)
                if isinstance(actual, ModelValue) and actual.form == "own":
                    node.trace = self.own_calls.trace(actual, [current], {})
                result = self.results(actual, node) if layer is not layers[-1] else None
                if result is not None and not isinstance(result, Tensor | Unknown | dict) and len(result) > 1:
                    words = (
                        f"'{layer.name}' gives {len(result)} tensors; a Sequential model needs layers that return one"
                    )
                    error = ShapeError(words, **layer.place.error_fields)
                    if not any(fault.fact == words for fault in self.interpreter.effects.faults):
                        self.interpreter.effects.record_fault(error, layer.place)
                current = node.result()
            self.sequences[key] = Graph([start], [current])
        graph: Graph | None = self.sequences[key]
        return graph

    def _unwritten(self, layer: LayerValue, *args: ProgramValue) -> Node:
        """Return a call that no line of the program makes."""
        self.interpreter.budget.call()
        node: Node = self.recorder.bare_node(layer, args, place=layer.place)
        node.callers = layer.callers
        return node

    def first_shape(self, layer: LayerValue) -> ProgramValue:
        """Return the input shape (with the batch) that a layer carries, also as the first one of a model inside."""
        results = self.recorder.first_shapes.get(id(layer))
        if results is not None:
            return results[1]
        if isinstance(layer, ModelValue):
            if layer.form == "sequential" and layer.layers:
                first = layer.layers[0]
                return first.config["batch_shape"] if first.type == "InputLayer" else self.first_shape(first)
            if layer.form == "functional":
                inputs = flat_tensors(layer.inputs)
                if len(inputs) == 1 and inputs[0].node.layer.type == "InputLayer":
                    return inputs[0].node.layer.config["batch_shape"]
        inner = layer.config.get("layer")
        if isinstance(inner, LayerValue) and layer.type == "Bidirectional":
            return self.first_shape(inner)
        return None

    def all_layers(self, layer: LayerValue) -> Iterator[LayerValue]:
        """Return a layer and all that it holds, however deep."""
        waiting, seen = [layer], {id(layer)}
        while waiting:
            other = waiting.pop()
            yield other
            inner = [part for part in self.inner_layers(other) if id(part) not in seen]
            seen.update(map(id, inner))
            waiting += inner

    def inner_layers(self, layer: LayerValue) -> list[LayerValue]:
        """Return the layers that a model, or a layer of the program, holds, in Keras's order."""
        if not isinstance(layer, ModelValue):
            return [layer.config[key] for key in ("layer", "cell") if isinstance(layer.config.get(key), LayerValue)]
        if layer.form == "sequential":
            return list(layer.layers)
        if layer.form == "functional":
            graph = self.graph(layer)
            return [] if graph is None else [inner for inner in graph.layers if inner.kind != "operation"]
        if layer.instance is None:
            return []
        results: dict[int, LayerValue] = {}
        for item in each_in(layer.instance.attributes):
            inner = layer_of(item)
            if isinstance(item, Variable):
                known = self.weights.get(id(item))
                inner = (known[1] if known else self.weight_tensor(item)).node.layer
            _, inner = self.lambdas.get(id(inner), (inner, inner))
            if inner is not None and inner is not layer:
                results.setdefault(id(inner), inner)
        return list(results.values())

    def calls_of(self, layer: LayerValue) -> list[Node]:
        """Return the calls of a layer. Those of a Sequential model's are made when somebody asks."""
        for model in self.recorder.models if not layer.nodes else ():
            if model.form == "sequential" and layer in model.layers:
                self.graph(model)
        return layer.nodes

    def make_operation(self, type_: str, args: Arguments, kwargs: Keywords, called: str = "") -> ProgramValue:
        """Call an operation, which is named after its class or another one."""
        layer = self.recorder.layer(type_, "operation", self.recorder.draw(called or type_, operation=True), {})
        return self.results(layer, self.recorder.node(layer, tuple(args), kwargs))


class GraphsOfLibrary(ModelLibrary, Protocol):
    """A library that keeps the graphs of its models here."""

    graphs: Graphs


# Uncalled -----------------------------------------------------------------------------------------------------------
# Models without a `call`, as a GAN is that has its own `train_step`: they are what they hold.


def parts_not_given(value: ModelValue) -> list[LayerValue]:
    """Return the parts of a model that nobody makes: arguments without a value, which it keeps."""
    attributes = value.instance.attributes if value.instance is not None else {}
    result: list[LayerValue] = []
    for name, attribute in attributes.items():
        if isinstance(attribute, Unknown) and attribute.lacks == "argument":
            result.append(LayerValue(value.framework, "Layer", "custom", name, {}, value.place))
            result[-1].reason = attribute
    return result


def model_of_parts(
    library: Graphs,
    value: ModelValue,
    inner: Sequence[LayerValue],
    layers: Sequence[Layer],
    names: FreeNames,
    gaps: list[tuple[Unknown, str]],
) -> tuple[Model, Note]:
    """Return a model of which each part is called once, on inputs of its own, and a note that says so. A part that no
    input of the code reaches is one of the `gaps`: its shapes are not known."""
    calls: list[Call] = []
    recorded: dict[TensorRef, tuple[Shape, str]] = {}
    outputs: list[TensorRef] = []
    for other, layer in zip(inner, layers, strict=True):
        graph = library.graph(other) if isinstance(other, ModelValue) else None
        specs = [] if graph is None else [library.shapes.spec_of(tensor) for tensor in graph.inputs]
        known = [spec for spec in specs if isinstance(spec, Spec)]
        if graph is None or len(known) < len(specs):
            if other.type != WEIGHT_TYPE:
                why = unknown_at(other.place, f"no input of {other.name} is in the code")
                gaps.append((other.reason or why, layer.name))
            continue
        refs = [TensorRef(names.take(tensor.node.layer.name)) for tensor in graph.inputs]
        recorded.update(zip(refs, map(as_recorded, known), strict=True))
        calls.append(Call(layer.name, 0, (refs[0] if len(refs) == 1 else refs,), {}))
        outputs += [TensorRef(layer.name, 0, number) for number in range(len(graph.outputs))]
    words = f"{value.type} has no `call`: its layers are explained separately, each on an input of its own"
    model = Model(value.name, value.type, tuple(layers), tuple(calls), tuple(recorded), tuple(outputs), value.trainable)
    return model._replace(recorded=recorded), Note("no-call", None, words)


# Found models -------------------------------------------------------------------------------------------------------
# The models that a program makes, and the names that they go by.


class FoundModel(NamedTuple):
    """A model of a program, and the name that the source knows it by."""

    name: str
    value: ModelValue
    loose: bool = False
    """Whether no name of the source stands for it."""
    asked: str = ""
    """What was asked for."""


def is_empty(model: ModelValue) -> bool:
    """Return whether a model is a Sequential that nothing was added to."""
    return model.form == "sequential" and not model.layers and not model.open


def distinct(models: list[FoundModel], first: Container[str] = ()) -> list[FoundModel]:
    """Return the models under different names; those that the source knows by a name of `first` have it before
    others."""
    names = FreeNames()
    order = sorted(range(len(models)), key=lambda place: models[place].name not in first or models[place].loose)
    taken = {place: names.take(models[place].name) for place in order}
    return [model._replace(name=taken[place]) for place, model in enumerate(models)]


def models_in(result: ProgramValue) -> list[ModelValue]:
    """Return the models that a function gave: its result, or those in a row or a dictionary."""
    items = result if type(result) in (list, tuple) else list(result.values()) if type(result) is dict else [result]
    return [layer for item in items if isinstance(layer := layer_of(item), ModelValue)]


# Reach --------------------------------------------------------------------------------------------------------------
# Choices and errors of a program that affect a model: those before the line that builds it.


def parts_of(model: LayerValue) -> dict[int, LayerValue]:
    """Return all layers and models inside a model, by their identities."""
    return {id(layer): layer for layer in graphs_of(model).all_layers(model) if layer is not model}


def last_change(interpreter: Interpreter, model: ModelValue) -> tuple[int, set[ProgramValue]]:
    """Return when a model, or something in it, was changed last: choices that were taken later do not reach it; and
    those that the `call` of one of the program's classes met."""
    waiting: list[tuple[LayerValue, list[tuple[int, int]]]] = [(model, [])]
    last, seen = 0, {id(model)}
    met: set[ProgramValue] = set()
    while waiting:
        layer, spans = waiting.pop()
        if not any(start <= layer.changed_at <= end for start, end in spans):  # `met` holds what that hangs on
            last = max(last, layer.changed_at)
        if isinstance(layer, ModelValue):
            met |= layer.depends_on
            spans = spans + [trace.span for trace in layer.traces.values()]
        if isinstance(variable := layer.config.get("variable"), Variable) and variable.choice is not None:
            interpreter.effects.record_local_assumption(variable.choice)
            met.add(variable.choice)
        for other in graphs_of(layer).inner_layers(layer):
            if id(other) not in seen:
                seen.add(id(other))
                waiting.append((other, spans))
    return last, met


def reaching(
    interpreter: Interpreter, model: ModelValue, is_open: bool, faults: Sequence[LayerExplainError]
) -> tuple[list[LayerExplainError], list[LayerExplainError]]:
    """Return the errors of a program that a model hangs on, and all others.

    The cells of a notebook behind one that fails are run all the same. There an error reaches the models that its
    statement makes, changes or calls a method of, those that call a layer in its line, and those of which something is
    not known; in a script it ends the program. Data that do not fit a model are an error of that model alone.
    """
    effects = interpreter.effects
    parts = [model, *parts_of(model).values()]

    def reaches(fault: LayerExplainError) -> bool:
        owner = effects.fault_models.get(id(fault))
        if owner is not None and owner not in parts:
            return False
        if not interpreter.is_notebook or is_open:
            return True
        origin = effects.origin(fault)
        if origin is None:  # one of the model itself
            return True
        statement, place = origin
        end = effects.end_of(statement)
        return any(
            (part.created_at < end and statement <= part.changed_at)
            or (statement, id(part)) in effects.uses
            or (isinstance(part, ModelValue) and fault in part.depends_on)
            or any(Place(*node.place[:2]) == Place(*place[:2]) for node in part.nodes)
            for part in parts
        )

    errors = [fault for fault in faults if reaches(fault)]
    return errors, [fault for fault in faults if fault not in errors]
