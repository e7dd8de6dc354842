"""Layers and calls as code made them → the `Model` that a file would have given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from layerexplain.attribute_path import LayerNamed, Steps, list_steps
from layerexplain.errors import SpecError
from layerexplain.frontends.code.library.keras_names import inside_keras, resolve_keras_name
from layerexplain.frontends.code.recorder.grade import SIZE, names_of_unknowns, without_unknowns
from layerexplain.frontends.code.recorder.shapes import (
    CONSTANT_TYPE,
    DEEPEST,
    STATED_SHAPE,
    WEIGHT_TYPE,
    Graph,
    as_recorded,
    flat,
    is_shape,
    loose_error,
    plain_call,
)
from layerexplain.frontends.code.recorder.tracing import Graphs, model_of_parts, parts_not_given
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.array_data import plain
from layerexplain.frontends.code.values.base import ProgramValue, Size, Symbol, Unknown, unknown_at
from layerexplain.frontends.code.values.layers import LayerValue, ModelValue, Node, Tensor, Variable, unknown_in
from layerexplain.frontends.code.values.objects import Setting
from layerexplain.frontends.code.values.operators import Rebuilding, rebuilt
from layerexplain.frontends.code.values.program import Function, Instance, layer_of
from layerexplain.frontends.code.values.reading import MOST_LAYERS, MOST_NESTED, Exhausted
from layerexplain.frontends.keras.shared_objects import has_two_ways
from layerexplain.frontends.model_builder import FreeNames, ModelBuilder
from layerexplain.layers.keras.activations import NAMES as ACTIVATIONS
from layerexplain.model import Call, Layer, Model, Note, SharedObject, TensorRef
from layerexplain.model import ForeignFunction as NamedFunction
from layerexplain.nesting import form_of

_WITHOUT_INPUT = frozenset({"InputLayer", WEIGHT_TYPE, CONSTANT_TYPE})


def plain_config(config: Mapping[str, ProgramValue]) -> dict[str, ProgramValue]:
    """Return a layer's arguments with functions by their names and objects as a file has them; Unknown stays."""
    return {key: plain_value(value, key) for key, value in config.items()}


def plain_value(value: ProgramValue, key: str) -> ProgramValue:
    """Return one argument. Lists become tuples, but for lists of layers."""
    if isinstance(value, Size):
        return Unknown(f"{key} is a size that is known only when the code runs")
    return rebuilt(value, _plain, _joined, key)


def _joined(kind: type, items: list[ProgramValue]) -> ProgramValue:
    if kind is dict:
        return {str(name): item for name, item in items}
    return items if any(isinstance(item, LayerValue) for item in items) else tuple(items)


def _plain(value: ProgramValue, inside: Rebuilding) -> ProgramValue:
    if isinstance(value, Symbol):
        return _function(value.path, inside.key)
    if isinstance(value, Function):
        return NamedFunction(value.name)
    if isinstance(value, Instance):
        return layer_of(value) or NamedFunction(value.cls.name)
    if isinstance(value, Setting):
        if value.path.startswith("activations"):
            return _function(value.class_name, inside.key)
        if value.class_name == "dtype":
            return value.config.get("name")
        if value.path.endswith((".get", ".deserialize")):
            return value.class_name
        return {"class_name": value.class_name, "config": inside(dict(value.config))}
    if isinstance(value, Array):
        return Unknown("an array of unknown values") if value.values is None else plain(value)
    return None if isinstance(value, Size) else value


def _function(path: str, key: str) -> ProgramValue:
    """Return a function of a library, by its name where it is one of Keras's."""
    last = path.rpartition(".")[2]
    if key in ("dtype", "output_dtype", "to"):
        return last
    if path.startswith("tensorflow.") or inside_keras(path) is not None or "." not in path:
        if last in ACTIVATIONS or key.endswith(("initializer", "regularizer", "constraint", "loss")):
            return last
        if (what := resolve_keras_name(path)) is not None and what.kind == "setting":
            return last
    return NamedFunction(last)


def is_shown(value: ProgramValue) -> bool:
    """Return whether an argument of a custom layer is a value that can be shown."""
    if type(value) in (list, tuple):
        return all(map(is_shown, value))
    return isinstance(value, bool | int | float | str)


class Emitter:
    """Makes `Model`s. `gaps` are the unknown values that what was made hangs on, each with the layer."""

    def __init__(self, library: Graphs) -> None:
        self.library = library
        self.gaps: list[tuple[Unknown, str]] = []
        self.missing: list[tuple[Unknown, str]] = []
        """Values that are missing and on which no formula hangs, each with the layer."""
        self.notes: list[Note] = []
        self.faults: list[ProgramValue] = []
        self.deep = 0
        self.left = MOST_LAYERS
        self.path: Steps = ()
        self.nesting = 0
        self.copied = False
        """Whether what holds a layer makes a copy of it, with weights of its own."""
        self.first: dict[int, Steps] = {}
        """Where each layer stands first."""
        self.shared: list[SharedObject] = []

    def model(self, value: ModelValue) -> Model:
        """Return the model that the code builds."""
        for unknown in value.open:
            self.gaps.append((unknown, ""))
        if value.weights_note:
            self.notes.append(Note("stored-weights", None, value.weights_note))
        self.deep += 1
        if self.deep > MOST_NESTED:
            raise Exhausted(f"nests models more than {MOST_NESTED} deep")
        try:
            graph = self.library.graph(value) if self.deep <= DEEPEST else None
            if graph is None:
                return self._graphless(value)
            return self._wired(value, graph)
        finally:
            self.deep -= 1

    def _graphless(self, value: ModelValue) -> Model:
        """Return a model whose layers are known, and not how they are called."""
        names = FreeNames()
        inner = [layer for layer in self.library.inner_layers(value) if layer.type != "InputLayer"]
        holds_alone = self.library.own_calls.has_no_call(value)
        inner += parts_not_given(value) if holds_alone else []
        layers = tuple([self.layer(other, names.take(other.name)) for other in inner])
        if holds_alone:
            model, note = model_of_parts(self.library, value, inner, layers, names, self.gaps)
            self.notes.append(note)
            return model
        if value.reason is not None:
            self.gaps.append((value.reason, ""))
        call_trace = next(iter(value.traces.values()), None)
        lacks = call_trace is not None and any(
            self.library.shapes.spec_of(tensor) is None for tensor in call_trace.inputs
        )
        unshaped = call_trace.inputs if call_trace is not None and lacks else []
        inputs = tuple([TensorRef(names.take(tensor.node.layer.name)) for tensor in unshaped])
        return Model(value.name, value.type, layers, (), inputs, (), value.trainable)

    def _wired(self, value: ModelValue, graph: Graph) -> Model:
        for tensor in graph.loose:
            self.faults.append(loose_error(tensor).with_place(**value.place.error_fields))
        own = value.form == "own"
        builder, layer_names = ModelBuilder(), {}
        names = builder.names
        hidden = {id(tensor.node) for tensor in graph.inputs} if own else set()
        inputs = {tensor: TensorRef(names.take(tensor.node.layer.name)) for tensor in graph.inputs} if own else {}
        ordered = self._ordered(value, graph) if own else graph.layers
        if own:
            self._mark_unheld_parts(value, graph)
        if value.built_alone and self.deep == 1:
            words = (
                f"Keras 3 creates the weights of {value.type} at its first call, not in build(…); they are counted here"
            )
            self.notes.append(Note("built-without-call", None, words))
        for layer in ordered:
            if any(id(node) in hidden for node in layer.nodes) and own:
                continue
            name = names.take(layer.name)
            if name != layer.name and not own and layer.type != CONSTANT_TYPE:
                fact = f"two layers are called '{layer.name}'; names of the layers of a model must differ"
                self.faults.append(SpecError(fact).with_place(**layer.place.error_fields))
            layer_names[id(layer)] = name
            builder.layers.append(self.layer(layer, name))
        cut = {t: TensorRef(names.take(f"{t.node.layer.name}_input")) for t in graph.inputs
               if not own and t.node.layer.type != "InputLayer"}  # fmt: skip
        refs: dict[int, TensorRef] = {}

        def ref(tensor: Tensor) -> TensorRef:
            layer = tensor.node.layer
            first = refs.get(id(tensor.node)) or TensorRef(layer_names.get(id(layer), layer.name))
            return inputs.get(tensor) or cut.get(tensor) or first._replace(output=tensor.index)

        for tensor, result in cut.items():
            spec = self.library.shapes.spec_of(tensor)
            shape = (
                None if spec is None else (None, *[size if isinstance(size, int) else None for size in spec.shape[1:]])
            )
            config = {"batch_shape": shape, "dtype": "float32"}
            builder.layers.insert(0, Layer(result.layer, "InputLayer", "layer", config))
            builder.calls.append(Call(result.layer, 0, (), {}))
        recorded = {}
        for node in graph.nodes:
            if id(node) in hidden:
                continue
            name = layer_names[id(node.layer)]
            unknown = unknown_in([*node.args, *node.kwargs.values()])
            if unknown is not None:
                self.gaps.append((unknown, name))
            place = self.library.interpreter.locate(node.place)
            args, kwargs = ((), {}) if node.layer.type in _WITHOUT_INPUT else plain_call(node, ref)
            refs[id(node)] = builder.call(name, args, kwargs, callers=node.callers, **place.row_fields)
            stated = node.layer.config.get(STATED_SHAPE) is not None
            if stated and (spec := self.library.shapes.spec_of(node.result())) is not None:
                recorded[refs[id(node)]] = as_recorded(spec)
        for weight in builder.layers:
            if weight.type == WEIGHT_TYPE and weight.name not in builder.counts:
                builder.call(weight.name, ())
        for tensor, result in inputs.items():
            spec = self.library.shapes.spec_of(tensor)
            if spec is None and self.deep == 1:
                like = tensor.node.layer.config.get("like")
                shape = like.node.layer.config.get("batch_shape") if isinstance(like, Tensor) else None
                why = unknown_at(value.place, f"the input of {value.type} has no shape in the code", lacks="shape")
                self._open(shape if isinstance(shape, Unknown) else why, result.layer)
            if spec is not None and self.deep == 1:
                recorded[result] = as_recorded(spec)
        builder.inputs = [ref(tensor) for tensor in graph.inputs]
        outputs = [ref(tensor) for tensor in graph.outputs]
        return builder.model(value.name, outputs, type_=value.type, trainable=value.trainable)._replace(
            recorded=recorded,
            input_form=self._form(value.inputs, graph.inputs),
            output_form=self._form(value.outputs, graph.outputs),
        )

    def _mark_unheld_parts(self, value: ModelValue, graph: Graph) -> None:
        """Leave open which weights a model has where its `call` uses a layer that no attribute holds."""
        inside = {id(other) for other in self.library.all_layers(value)}
        for node in graph.nodes:
            if id(node.layer) not in inside and self._has_weights(node):
                words = f"{node.layer.type} is created inside `call`, or stored where Keras does not find its weights"
                self._open(unknown_at(node.place, words), node.layer.name)

    def _has_weights(self, node: Node) -> bool:
        """Return whether what is called has weights, or a layer inside of it whose weights are not known."""
        if node.layer.type == WEIGHT_TYPE or self.library.shapes.weights(node):
            return True
        models = [other for other in self.library.all_layers(node.layer) if isinstance(other, ModelValue)]
        graphs = [graph for other in models if (graph := self.library.graph(other)) is not None]
        inner = [child for graph in graphs for child in graph.nodes]
        called = [child for child in inner if child.layer.kind == "layer" and child.tensors()]
        is_weight = any(child.layer.type == WEIGHT_TYPE for child in inner)
        return is_weight or any(self.library.shapes.weights(child) != [] for child in called)

    def _form(self, given: object, tensors: Sequence[Tensor]) -> ProgramValue:
        """Return how a model of tensors nests its inputs or outputs; None where that is usual."""
        if flat(given) != [*tensors]:  # a Sequential has none, and what is not known is left out of the graph
            return None
        return form_of(given, lambda item: isinstance(item, Tensor), keras3=not self.library.recorder.keras_2)

    def _ordered(self, value: ModelValue, graph: Graph) -> list[LayerValue]:
        """Return the layers of a model of the program in the order of its calls, those that it does not call behind
        them."""
        called = {id(node.layer): node.layer for node in graph.nodes}
        inner = self.library.inner_layers(value)
        return [*called.values(), *[layer for layer in inner if id(layer) not in called]]

    def layer(self, layer: LayerValue, name: str) -> Layer:
        """Return one layer with its arguments."""
        self.left -= 1
        if self.left < 0:
            raise Exhausted(f"has more than {MOST_LAYERS:,} layers")
        place = self.library.interpreter.locate(layer.place)
        return self._layer(layer, name)._replace(**place.row_fields)

    def _layer(self, layer: LayerValue, name: str) -> Layer:
        line = layer.place.line
        self._place(layer, name)
        if isinstance(layer, ModelValue) and layer.is_own_layer:
            opaque = self._inside_own(layer) if layer.traced or not self.nesting else []
            opaque = [
                item for item in opaque if item.lacks != "shape"
            ]  # `--input` closes that, and the formula is there
            masked = any(trace.mask_inputs for trace in layer.traces.values())
            if not opaque or masked or self.library.graph(layer) is None or self.nesting:
                return self._own_layer(layer, name, opaque)
            # What is not known in it is a row of its own, with line and reason, among what is known.
        if isinstance(layer, ModelValue):
            outer, depth = self.path, self.nesting
            self.path, self.nesting = (*outer, *(() if depth else (LayerNamed(name),))), 0
            inner = self.model(layer)
            self.path, self.nesting = outer, depth
            if inner.calls or layer.form != "own":  # Keras asks each layer inside whether it is trained
                kind = "Sequential" if layer.form == "sequential" else layer.type
                return Layer(name, kind, "model", {}, inner._replace(name=name, trainable=True))
            kept: dict[str, ProgramValue] = {} if layer.trainable else {"trainable": False}
            self._open(layer.reason or Unknown(f"what {layer.type} computes is not known", line), name)
            inner_layers = {other.name: self.layer(other, other.name) for other in self.library.inner_layers(layer)}
            return Layer(name, layer.type, "custom", {**kept, **inner_layers}, missing=self._open_trainable(layer))
        if layer.type == WEIGHT_TYPE:
            variable: Variable = layer.config["variable"]
            shape = variable.shape if is_shape(variable.shape) else None
            if shape is None:
                why = unknown_in(variable.shape) or Unknown(f"the shape of the weight {name} is not known", line)
                self._open(why, name)
            config = {"shape": shape, "dtype": variable.dtype, "trainable": layer.trainable and variable.trainable}
            return Layer(name, WEIGHT_TYPE, "custom", config)
        outer, here = self.path, (*self.path, *(() if self.nesting else (LayerNamed(name),)))
        config = {}
        for key, value in layer.config.items():
            self.path, self.copied = (*here, key), key == "layer" and has_two_ways(layer.type)
            config[key] = self._inside(value)
        self.path, self.copied = outer, False
        if layer.type == "InputLayer":
            config = self._input(layer, name)
        elif not self._trains(layer):
            config["trainable"] = False
        if layer.reason is not None:
            self._open(layer.reason, name)
        self.missing += [(item, name) for item in layer.missing]
        known, unknown = without_unknowns(layer.type, config)
        for other in unknown:
            self._open(other, name)
        missing = (*names_of_unknowns(config), *self._open_trainable(layer))
        result = Layer(name, layer.type, layer.kind, known, missing=missing)  # type: ignore[arg-type]
        return result if layer.declaration is None else result._replace(declaration=layer.declaration)

    def _open_trainable(self, layer: LayerValue) -> tuple[str, ...]:
        return ("trainable",) if any(other.trains_unknown for other in self.library.all_layers(layer)) else ()

    def _own_layer(self, layer: ModelValue, name: str, opaque: list[Unknown]) -> Layer:
        """Return a layer of the program, with its formula."""
        given = layer.instance.given if layer.instance is not None else {}
        plain = {key: plain_value(value, key) for key, value in given.items() if key != "name"}
        config = {key: value for key, value in plain.items() if is_shown(value) and key != "trainable"}
        if not layer.trainable and not self._trains(layer):
            config["trainable"] = False
        for unknown in opaque:
            self._open(unknown, name)
        result = self.library.recorder.framework.declaration(layer)
        missing = self._open_trainable(layer)
        return Layer(name, layer.type, "custom", config, declaration=result, missing=missing)

    def _trains(self, layer: LayerValue) -> bool:
        """Return whether a layer, or one that it holds, is trained."""
        return any(other.trainable or other.parts_trained for other in self.library.all_layers(layer))

    def _inside_own(self, layer: ModelValue) -> list[Unknown]:
        """Return the unknown values in the computation of a user-defined layer, and of those inside it."""
        unknowns: list[Unknown] = []
        waiting, seen = [layer], {id(layer)}
        while waiting and len(unknowns) < 20:
            current = waiting.pop()
            trace = next(iter(current.traces.values()), None)
            graph = self.library.graph(current)
            if graph is None:
                why = trace.reason if trace is not None else None
                unknowns.append(
                    why or unknown_at(current.place, f"what {current.type} computes is not known: it is not called")
                )
                continue
            for node in graph.nodes:
                other = node.layer
                variable = other.config.get("variable")
                shape = variable.shape if isinstance(variable, Variable) else None
                unknown = unknown_in([*node.args, *node.kwargs.values(), other.config, shape])
                if isinstance(other, ModelValue) and (other.form == "own" or other.reason is None):
                    if id(other) not in seen:
                        seen.add(id(other))
                        waiting.append(other)
                elif other.reason is not None or unknown is not None:
                    unknowns.append(other.reason or unknown)  # type: ignore[arg-type]  # one of them is there
        return unknowns

    def _place(self, layer: LayerValue, name: str) -> None:
        """Note where a layer stands: one that stands in two places has its weights once."""
        if layer.type == "InputLayer" or self.copied:
            return
        steps = self.path if self.nesting else (*self.path, LayerNamed(name))
        first = self.first.setdefault(id(layer), steps)
        if first != steps:
            self.shared.append(SharedObject(steps, (first,)))

    def _inside(self, value: object) -> ProgramValue:
        """Return an argument whose layers are `Layer`s."""
        if isinstance(value, LayerValue):
            self.nesting += 1
            result = self.layer(value, value.name)
            self.nesting -= 1
            return result
        if type(value) is list:
            outer, found = self.path, []
            for i, item in enumerate(value):
                self.path = (*list_steps(outer), i)
                found.append(self._inside(item))
            self.path = outer
            return found
        return value

    def _input(self, layer: LayerValue, name: str) -> dict[str, ProgramValue]:
        shape: ProgramValue = layer.config.get("batch_shape")
        dtype = layer.config.get("dtype", "float32")
        unknown = unknown_in(shape)
        implied = layer.config.get("implied")
        if type(shape) in (tuple, list) and any(isinstance(size, Size) for size in shape[1:]):
            unknown = unknown or Unknown("a size of the input is known only when the code runs", layer.place.line)
        if unknown is None and type(shape) in (tuple, list):
            return {"batch_shape": tuple([size if isinstance(size, int) else None for size in shape]), "dtype": dtype}
        if implied == "Embedding":
            return {"batch_shape": (None, None), "dtype": dtype, "implied": True}
        if implied is None or self.deep <= 1:
            sizes = [size for size in shape if isinstance(size, Unknown)] if type(shape) in (tuple, list) else []
            why = unknown or Unknown("the shape of the input is not known", layer.place.line)
            why = why._replace(lacks="sizes") if why is shape and not why.lacks.endswith("shape") else why
            for other in [size._replace(example=SIZE) for size in sizes[:20]] or [why]:
                self._open(other, name)
        if type(shape) in (tuple, list) and shape:
            stated = tuple([size if isinstance(size, int) else None for size in shape])
            return {"batch_shape": stated, "dtype": dtype, "implied": True}
        return {"batch_shape": None, "dtype": dtype}

    def _open(self, unknown: Unknown, name: str) -> None:
        self.gaps.append((unknown, name))


def settings(value: ProgramValue) -> ProgramValue:
    """Return a loss, an optimizer or metrics as a file has them."""
    result = rebuilt(value, _setting, lambda kind, items: {str(k): v for k, v in items} if kind is dict else items)
    return None if isinstance(result, Unknown) else result


def _setting(value: ProgramValue, inside: Rebuilding) -> ProgramValue:
    if isinstance(value, Symbol | Function):  # one of the program, whatever Keras has under that name
        return value.last if isinstance(value, Symbol) else f"{value.name}()"
    if isinstance(value, Setting):
        known = {key: item for key, item in value.config.items() if unknown_in(item) is None}
        if isinstance(known.get("learning_rate"), Symbol | Function):  # the rate is what it gives
            del known["learning_rate"]
        config = inside(known)
        return {
            "class_name": value.class_name,
            "config": {key: item for key, item in config.items() if item is not None},
        }
    if isinstance(value, Instance):
        return {"class_name": f"{value.cls.name}()", "config": {}}
    return value if isinstance(value, bool | int | float | str) else None
