"""`clone_model`, and the inputs that tensors hang on."""

from __future__ import annotations

from collections.abc import Callable

from layerexplain.errors import ArgumentError
from layerexplain.frontends.code.recorder.tracing import Graphs
from layerexplain.frontends.code.values.base import ProgramError, ProgramValue
from layerexplain.frontends.code.values.layers import LayerValue, ModelValue, Tensor, Variable, calls_before, unknown_in
from layerexplain.frontends.code.values.operators import mirrored, mirrored_call
from layerexplain.frontends.code.values.program import Bound, Function, Instance, layer_of
from layerexplain.layers.registry import facts_of


def source_inputs(value: object) -> list[Tensor]:
    """Return the inputs that a tensor hangs on."""
    calls = sorted(calls_before(value), key=lambda node: node.number)
    return [node.result() for node in calls if node.layer.type == "InputLayer"]


class Cloning:
    """Copies of models."""

    def __init__(self, graphs: Graphs) -> None:
        self.graphs, self.own_calls, self.recorder = graphs, graphs.own_calls, graphs.recorder
        self.interpreter, self.fault = graphs.interpreter, graphs.recorder.fault

    def check_clone(self, model: LayerValue | None) -> None:
        """Keep the fault of a model that `clone_model` cannot copy. It makes each layer from its configuration, which
        has functions, and classes of layers inside of others, by their names: Keras knows those that are registered."""
        if self.recorder.has_custom_objects or not isinstance(model, ModelValue) or model.form == "own":
            return
        right = "register it: @keras.saving.register_keras_serializable()"
        waiting: list[tuple[LayerValue, LayerValue]] = [(other, model) for other in self.graphs.inner_layers(model)]
        seen: set[int] = set()
        while waiting:
            layer, outer = waiting.pop(0)
            if id(layer) in seen:
                continue
            seen.add(id(layer))
            applied = layer.config.get("function")
            if isinstance(applied, Function | Bound):
                self.recorder.older(
                    f"clone_model of '{layer.name}', a Lambda with a function of the program, is refused by Keras 3"
                )
            elif isinstance(layer, ModelValue) and layer.form == "own":
                if layer.instance is not None and outer is not model:
                    words = f"got {layer.type} '{layer.name}' inside of '{outer.name}'"
                    self.fault(ArgumentError(f"clone_model needs classes that Keras knows, {words}; {right}"))
                continue
            for value in layer.config.values():
                if isinstance(value, ModelValue) and "function" in value.config:
                    words = f"got {value.name} of {layer.type} '{layer.name}'"
                    self.fault(ArgumentError(f"clone_model needs functions that Keras knows, {words}; {right}"))
            waiting += [(other, layer) for other in self.graphs.inner_layers(layer)]

    def clone(self, layer: LayerValue | None) -> ProgramValue:
        """Clone a model as `clone_model` does: new layers under the same names."""
        if not isinstance(layer, ModelValue) or layer.form == "own":
            return self.interpreter.unknown("a clone of an unknown model")
        copies: dict[int, LayerValue] = {}

        def copy(layer: LayerValue) -> LayerValue:
            if isinstance(layer, ModelValue) and layer.form == "own" and id(layer) not in copies:
                copies[id(layer)] = self._object_anew(layer) or self._object_like(layer, copy)
            if isinstance(layer, ModelValue) and id(layer) not in copies:
                result = self.clone(layer)
                copies[id(layer)] = (
                    result if isinstance(result, LayerValue) else self.recorder.opaque_model(layer.type, result.reason)
                )
            if id(layer) not in copies:
                _, config = mirrored_call((), layer.config, copy, LayerValue)
                new = copies[id(layer)] = self.recorder.layer(layer.type, layer.kind, layer.name, config, layer.place)
                new.trainable, new.reason, new.declaration = layer.trainable, layer.reason, layer.declaration
                new.parts_trained = not layer.trainable and facts_of(layer.type).trains_inside
                if id(layer) in self.recorder.first_shapes:
                    self.recorder.first_shapes[id(new)] = (new, self.recorder.first_shapes[id(layer)][1])
            return copies[id(layer)]

        result = self.recorder.model(layer.form, layer.type, layer.name, layer.place)
        result.input_shape, result.open = layer.input_shape, list(layer.open)
        self.recorder.register(result)
        if layer.form == "sequential":
            result.trainable = layer.trainable  # Keras hands that on of a Sequential alone
            result.layers = [
                inner_layer if inner_layer.type == "InputLayer" else copy(inner_layer) for inner_layer in layer.layers
            ]
            return result
        graph = self.graphs.graph(layer)
        if graph is None:
            return self.interpreter.unknown("a clone of an unknown model")
        nodes: dict[int, ProgramValue] = {}

        def anew(tensor: Tensor) -> ProgramValue:
            return nodes[id(tensor.node)].result(tensor.index)

        for node in graph.nodes:
            new = copy(node.layer)
            args, kwargs = mirrored_call(node.args, node.kwargs, anew, Tensor)
            nodes[id(node)] = self.recorder.node(new, tuple(args), kwargs)
            if isinstance(new, ModelValue) and new.form == "own":
                nodes[id(node)].trace = self.own_calls.trace(new, args, kwargs)
        result.inputs, result.outputs = [mirrored(tensor, anew, Tensor) for tensor in (layer.inputs, layer.outputs)]
        return result

    def _object_anew(self, layer: ModelValue) -> LayerValue | None:
        """Return an object of a user-defined class made again from its configuration, as Keras does; None where the
        code does not say that."""
        old, interpreter = layer.instance, self.interpreter
        init = old.cls.find("__init__") if old is not None else None
        if old is None or not isinstance(init, Function):
            return None
        takes, others = {*init.names, *init.keywords}, init.node.args.kwarg
        config: ProgramValue = {**old.given, "name": layer.name, "trainable": layer.trainable}
        if "name" not in takes and (others is None or others.arg != "kwargs"):  # Keras looks for that very name
            del config["name"]
        try:
            if isinstance(method := old.cls.find("get_config"), Function):
                config = interpreter.call(Bound(old, method), [], {})
            if type(config) is not dict or unknown_in(config) is not None:
                return None
            if isinstance(method := old.cls.find("from_config"), Function):
                result = interpreter.call(interpreter.attribute(old.cls, "from_config"), [config], {})
            else:
                given = {key: value for key, value in config.items() if others is not None or key in takes}
                result = interpreter.call(old.cls, [], given)
        except ProgramError:
            return None
        return layer_of(result)

    def _object_like(self, layer: ModelValue, copy: Callable[[LayerValue], LayerValue]) -> ModelValue:
        """Return an object of a user-defined class anew, with copies of the layers and weights that it holds."""
        model = self.recorder.model("own", layer.type, layer.name, layer.place)
        model.config, model.trainable, model.reason = dict(layer.config), layer.trainable, layer.reason
        old = layer.instance
        if old is None:
            return model
        model.instance = Instance(old.cls)
        model.instance.layer, model.instance.given = model, old.given
        weights: dict[int, Variable] = {}

        def copied(value: ProgramValue) -> ProgramValue:
            if isinstance(value, LayerValue):
                return copy(value)
            if isinstance(value, Instance):
                return value if value.layer is None else model.instance if value is old else copy(value.layer).instance
            new = Variable(self.recorder.framework, value.name, value.shape, value.dtype, value.trainable, value.place)
            new.choice = value.choice
            return weights.setdefault(id(value), new)

        _, model.instance.attributes = mirrored_call((), old.attributes, copied, (Instance, LayerValue, Variable))
        return model
