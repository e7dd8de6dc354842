"""Calls of layers and models of Keras, on tensors and on data."""

from __future__ import annotations

from layerexplain.call_signature import Misfit
from layerexplain.errors import SpecError
from layerexplain.frontends.code.library.keras_making import LayerFactory, stands_for
from layerexplain.frontends.code.recorder.shapes import as_recorded
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import Arguments, Keywords, ProgramError, ProgramValue, Unknown
from layerexplain.frontends.code.values.layers import LayerValue, ModelValue, Variable, tensors_in, unknown_in
from layerexplain.frontends.code.values.nested import mirrored, rebuilt
from layerexplain.frontends.code.values.program import CALLED, Function, layer_of


def shapes_of_data(data: ProgramValue) -> ProgramValue:
    """Return the shapes of arrays that a model is trained on, with any number of examples; None where one is not
    known."""

    def join(kind: type, shapes: list[ProgramValue]) -> ProgramValue:
        known = [one[1] for one in shapes] if kind is dict else shapes
        return None if not known or None in known else dict(shapes) if kind is dict else shapes

    shapes = rebuilt(data, lambda one, inside: (None, *one.shape[1:]) if isinstance(one, Array) else None, join)
    return None if isinstance(shapes, Unknown) else shapes


class Calling:
    """What a call of a layer or a model of Keras gives."""

    def __init__(self, factory: LayerFactory) -> None:
        self.factory, self.data, self.refusals = factory, factory.data, factory.refusals
        self.graphs, self.own_calls, self.recorder = factory.graphs, factory.graphs.own_calls, factory.recorder
        self.interpreter, self.shapes, self.fault = factory.interpreter, factory.graphs.shapes, factory.fault

    def call_layer(self, function: object, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return the result of `layer(x)`."""
        layer = layer_of(function)
        if layer is None:
            return self.interpreter.unknown("an object is called whose class layerexplain does not read")
        if not self.refusals.check_layer_call(layer, args, kwargs):
            return self.interpreter.unknown(f"the call of {layer.type}, which does not fit")
        if isinstance(layer, ModelValue):
            layer.built_alone = False
        args = [self._as_tensor(one) for one in args]
        kwargs = {
            key: self._as_tensor(one) if key in ("inputs", "query", "value") else one for key, one in kwargs.items()
        }
        given = [*args, *kwargs.values()]
        tensors = tensors_in(given)
        if not tensors:
            return self._on_data(layer, args, kwargs)
        unknown = next((one for one in args[:1] if isinstance(one, Unknown)), None)
        if unknown is not None:
            return unknown
        trace = None
        if id(layer) in self.recorder.first_shapes and args:
            self.own_calls.tell_shape(args[0], self.recorder.first_shapes[id(layer)][1])
        if isinstance(layer, ModelValue) and layer.form == "own":
            if layer.config.pop("unmade", False):
                fact = f"{layer.type}.__init__ does not call super().__init__(); write it as its first line"
                self.fault(SpecError(fact))
            if (wrong := self._misfit(layer, args, kwargs)) is not None:
                words = wrong.words.replace("call()", f"the call of {layer.type}", 1)
                place = self.interpreter.argument_place(wrong.argument)
                raise ProgramError("TypeError", words, place, certain=True)
            trace = self.own_calls.trace(layer, args, kwargs)
        if layer.type == "Lambda" and isinstance(layer.config.get("function"), CALLED):
            layer = self.graphs.lambda_model(layer)
            trace = self.own_calls.trace(layer, args, kwargs)
        self.refusals.check_states(layer, args[0] if args else None)
        if isinstance(layer, ModelValue):
            if layer.form == "sequential" and not layer.layers and not layer.open:
                self.recorder.older(
                    "Keras 3 refuses to call a Sequential model without layers; write keras.layers.Identity()"
                )
            self.factory.rebuild(layer, called=True)
        node = self.recorder.node(layer, tuple(args), kwargs)
        node.trace = trace
        if isinstance(layer, ModelValue) and layer.form != "own":
            self.data.check_inputs(layer, args)
        return self.graphs.results(layer, node)

    def _misfit(self, layer: ModelValue, args: Arguments, kwargs: Keywords) -> Misfit | None:
        """Return what does not fit of the arguments of a `call` of the program; None where all fits. Keras gives masks
        and `training` itself."""
        method = layer.instance.cls.find(self.recorder.framework.call_name) if layer.instance is not None else None
        if not isinstance(method, Function) or method.is_decorated or "**" in kwargs:
            return None
        names = method.signature.names
        given = {key: one for key, one in kwargs.items() if key in names or key not in ("training", "mask")}
        provided = {one for one in names if one == "training" or one.endswith("mask")}
        asked = method.misfit([layer.instance, *args], given, provided - {"training"})
        if asked is not None and asked.words.split(";")[0].endswith("is given no training"):
            self.recorder.older(
                f"Keras 3 calls {layer.type} without training only if training has a default: write training=None"
            )
        return method.misfit([layer.instance, *args], given, provided)

    def _as_tensor(self, value: ProgramValue) -> ProgramValue:
        """Return a name that the code does not define is an input of that name; a weight is a tensor."""

        def tensor(value: ProgramValue) -> ProgramValue:
            if isinstance(value, Variable):
                return self.graphs.weight_value(value)
            if self.recorder.in_call or not (name := stands_for(value)):
                return value
            if name not in self.factory.implied:
                words = "it is not defined in this code, so it is assumed to be an input"
                shape = value._replace(reason=words, name=name, lacks="named shape")
                self.factory.implied[name] = self.recorder.new_input(name, shape)
            return self.factory.implied[name]

        return mirrored(value, tensor, (Unknown, Variable))

    def _on_data(self, layer: LayerValue, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return the result of a layer for numbers, which builds a model."""
        first = args[0] if args else next(iter(kwargs.values()), None)
        if self.recorder.in_call and isinstance(first, Array) and first.values is not None:
            return self.graphs.results(layer, self.recorder.node(layer, tuple(args), kwargs))
        if isinstance(first, Unknown) and not (isinstance(layer, ModelValue) and layer.is_own_layer):
            return first
        if isinstance(layer, ModelValue) and layer.form == "own" and (layer.is_own_layer or shapes_of_data(first)):
            return self.own_calls.own_on_data(layer, args, kwargs)
        if isinstance(layer, ModelValue) and (shapes := shapes_of_data(first)) is not None:
            self.built(layer, first.shape if layer.form == "sequential" and isinstance(first, Array) else shapes)
            return self.result_on(layer, first)
        if type(layer) is LayerValue and shapes_of_data(first) is not None:
            return self.own_calls.on_arrays(layer, args, kwargs)
        unknown = unknown_in([*args, *kwargs.values()])
        return unknown or self.interpreter.unknown("the result of a layer that is called on data")

    def result_on(self, model: ModelValue, data: object) -> ProgramValue:
        """Return what a model gives for data: an array whose shape is known where the model's is."""
        graph = self.graphs.graph(model) if model.form != "own" else None
        spec = self.shapes.spec_of(graph.outputs[0]) if graph is not None and len(graph.outputs) == 1 else None
        if spec is None or not isinstance(data, Array) or not all(isinstance(one, int) for one in spec.shape[1:]):
            return self.interpreter.unknown("the result of a model that is called on data")
        return Array((data.shape[0], *as_recorded(spec)[0][1:]))

    def built(self, model: ModelValue, shape: object) -> None:
        """Note the shape of the input (with the batch) that a model is built with, where it states none itself."""
        states = model.form == "functional" or (
            model.form == "sequential" and self.graphs.first_shape(model) is not None
        )
        if model.input_shape is None and not states:
            self.interpreter.effects.record_model_event()
            model.mark_changed()
            model.input_shape = shape
            self.factory.rebuild(model, called=True)
