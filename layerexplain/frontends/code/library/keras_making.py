"""Layers, inputs, models and settings as code makes them, and calls of layers (one object, hence the length)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from layerexplain.call_signature import CallSignature, Misfit
from layerexplain.errors import ArgumentError, SpecError
from layerexplain.frontends.code.library import keras_names
from layerexplain.frontends.code.library.keras_loops import LoopSetting, TapeLoops
from layerexplain.frontends.code.library.keras_names import MERGES, resolve_keras_name
from layerexplain.frontends.code.library.keras_refused_calls import Refusals
from layerexplain.frontends.code.library.keras_refused_data import DataChecks
from layerexplain.frontends.code.recorder.emit import plain_config
from layerexplain.frontends.code.recorder.grade import missing_settings
from layerexplain.frontends.code.recorder.shapes import as_recorded, declaration_of
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.array_data import plain
from layerexplain.frontends.code.values.base import (
    Arguments,
    Keywords,
    Place,
    ProgramError,
    ProgramValue,
    Symbol,
    Unknown,
)
from layerexplain.frontends.code.values.layers import LayerValue, ModelValue, Tensor, Variable, tensors_in, unknown_in
from layerexplain.frontends.code.values.objects import Setting
from layerexplain.frontends.code.values.operators import copied, each_in, mirrored, rebuilt
from layerexplain.frontends.code.values.program import CALLED, Bound, Function, Instance, layer_of
from layerexplain.frontends.code.values.reading import Assumption
from layerexplain.frontends.keras.old_names import modern_layer, todays_argument
from layerexplain.frontends.spec.settings import todays_form
from layerexplain.layers.registry import facts_of, find, positional_arguments
from layerexplain.model import ForeignFunction as NamedFunction
from layerexplain.model import Note

# Keras making -------------------------------------------------------------------------------------------------------
# Layers, inputs, models and settings as code makes them.

_OF_INPUT = (
    "input_shape", "batch_input_shape", "batch_size", "input_dim", "input_length", "batch_shape", "input_dtype",
)  # fmt: skip
_OF_INPUT_CALL = ("shape", "batch_size", "dtype")
_KERAS_1 = frozenset({"border_mode", "subsample", "nb_filter", "nb_row", "dim_ordering", "init", "W_regularizer"})
FOR_FILES = frozenset({"dynamic", "activity_regularizer", "autocast", "weights", "implementation", "unroll"})
_FIRST = {
    "Wrapper": ("layer",),
    "Lambda": ("function", "output_shape", "mask", "arguments"),
    "Merge": ("layers", "mode"),
}


class LayerFactory:
    """What Keras makes: layers, inputs, models."""

    def __init__(self, data: DataChecks, refusals: Refusals) -> None:
        self.data, self.refusals = data, refusals
        self.graphs, self.recorder = data.graphs, data.recorder
        self.interpreter, self.fault = data.interpreter, data.fault
        self.implied: dict[str, Tensor] = {}
        """The inputs that names stand for which the code does not define."""

    def make_layer(self, type_: str, args: Arguments, kwargs: Keywords, shown: str = "") -> ProgramValue:
        """Return a layer of Keras with the arguments of its call."""
        interpreter = self.interpreter
        interpreter.effects.record_model_event()
        place = interpreter.place()
        if type_ in ("Input", "InputLayer"):
            return self.make_input(args, kwargs).node.layer
        if tensors_in(args) and type_ not in ("Wrapper", "Lambda", "Merge"):
            words = (
                f"{type_} gets a tensor as an argument; create the layer first, then call it: {shown or type_}(…)(x)"
            )
            self.fault(ArgumentError(words), next(i for i, argument in enumerate(args) if tensors_in(argument)))
            return self.recorder.opaque_model(type_, words)
        parts = args[0] if args and type(args[0]) in (list, tuple) else ()
        if today(type_) in MERGES.values() and any(isinstance(layer_of(part), LayerValue) for part in parts):
            inputs, outputs = [", ".join([f"{name}.{end}" for name in ("one", "other")]) for end in ("input", "output")]
            words = (
                f"{type_} gets models or layers as an argument, and takes tensors when it is called: "
                f"y = {type_}()([{outputs}]), then keras.Model([{inputs}], y); a Sequential model has no branches"
            )
            self.fault(ArgumentError(words), 0)
            return self.recorder.opaque_model(type_, words)
        given = dict(kwargs)
        self._positional(type_, args, given, shown or type_)
        trainable = given.pop("trainable", True)
        if isinstance(trainable, str):
            words = f"{type_} needs trainable to be True or False, got trainable={trainable[:40]!r}"
            self.fault(ArgumentError(words), "trainable")
        for key in [key for key in given if key.endswith("activation")]:
            given[key] = self.own_function(given[key])
        if type_ == "Lambda" and given.pop("mask", None) is not None:
            interpreter.effects.mark_incomplete(interpreter.unknown("the mask of a Lambda is not read"))
        if type_ == "Lambda" and isinstance(given.get("function"), bool | int | float | str):
            words = f"Lambda needs a function, got {given['function']!r}; for example lambda x: x * 2"
            self.fault(ArgumentError(words), "function", _FIRST["Lambda"])
        inner = {key: given.pop(key) for key in list(given) if isinstance(layer_of(given[key]), LayerValue)}
        shape = self._first_shape(type_, given)
        reason = given.pop("**", None)
        name = self.recorder.take_name(today(type_), given)
        layer = self.recorder.layer(type_, "layer", name, {}, place)
        layer.callers = self.recorder.callers()
        layer.trainable = bool(trainable) if isinstance(trainable, bool | int) else True
        if isinstance(trainable, Unknown | Symbol):
            self.set_trainable(layer, trainable)
        layer.parts_trained = not layer.trainable and facts_of(today(type_)).trains_inside
        layer.reason = reason
        if self.recorder.policy and "dtype" not in given:
            given["dtype"] = self.recorder.policy
        of_images = find(today(type_))
        if self.recorder.data_format and of_images is not None and "data_format" in of_images.arguments:
            given["data_format"] = given.get("data_format") or self.recorder.data_format
        of_activity = {"activity_regularizer": given.get("activity_regularizer")}
        self.refusals.check_settings(shown or type_, given | of_activity)
        takes = find(today(type_))
        if "activation" in given and given["activation"] is None and takes is not None:
            given["activation"] = "linear" if "activation" in takes.arguments else None  # tanh of an LSTM
        config = {key: value for key, value in given.items() if value is not None or key != "activation"}
        config.update({key: layer_of(value) for key, value in inner.items()})
        plain: ProgramValue = plain_config(config)
        if type_ == "Lambda" and isinstance(config.get("function"), CALLED):
            plain["function"] = config["function"]
        type_, plain = modern_layer(type_, plain, tells_module=True)
        self.refusals.fill_older(type_, plain)
        unread = {
            NamedFunction(symbol.last): symbol
            for symbol in each_in(config)
            if isinstance(symbol, Symbol) and interpreter.no_function(symbol) is not symbol
        }
        layer.type, layer.config = type_, self._checked(type_, dict(plain), name, unread)
        layer.missing = missing_settings(type_, plain)
        if takes is not None and "weights" in kwargs:
            self.data.check_weights(layer, kwargs["weights"], "weights")
        self.refusals.check_arguments(shown or type_, kwargs, takes)
        if shape is not None:
            self.recorder.first_shapes[id(layer)] = (layer, shape)
        interpreter.budget.call()
        return layer

    def own_function(self, value: object) -> ProgramValue:
        """Return a function of the program as what a layer applies: the layer that computes it."""
        function = value.function if isinstance(value, Bound) else value
        if not isinstance(function, Function):
            return value
        model = self.recorder.model("own", function.name, function.name)
        model.config = {"function": value}
        return model

    def _positional(self, type_: str, args: Arguments, given: dict[str, ProgramValue], shown: str) -> None:
        """Put the arguments without a name under the names that they have in Keras."""
        declaration = find(today(type_))
        names = _order(type_)
        args = list(args)
        convolution = type_.startswith("Conv") and "2D" in type_ and "Transpose" not in type_
        is_old = shown == "Convolution2D" or not _KERAS_1.isdisjoint(given)
        if convolution and is_old and len(args) == 3 and all(isinstance(argument, int) for argument in args[1:]):
            words = f"{shown}(n, {args[1]}, {args[2]}) is read as Keras 1 meant it: a kernel of {args[1]} × {args[2]}"
            self.interpreter.effects.record_assumption(Assumption(self.interpreter.line, words))
            args = [args[0], (args[1], args[2])]
        signature = CallSignature(tuple(names), any_name="**")
        if declaration is not None and (wrong := signature.misfit(len(args), given)) is not None:
            self.fault(ArgumentError(f"{type_} {wrong.words}"), wrong.argument)
        given.update(zip(names, args, strict=False))

    def _first_shape(self, type_: str, given: dict[str, ProgramValue]) -> ProgramValue:
        """Return the input shape (with the batch) that a first layer carries itself; its arguments are taken out."""
        takes = find(today(type_))
        arguments = takes.arguments if takes is not None else {}
        results = {key: given.pop(key) for key in _OF_INPUT if key in given and key not in arguments}
        for key in ("batch_input_shape", "batch_shape"):
            if results.get(key) is not None:
                return results[key]
        batch = results.get("batch_size")
        if (shape := results.get("input_shape")) is not None:
            if isinstance(shape, int):
                words = f"{type_} needs input_shape to be a shape without the batch, got {shape}; write ({shape},)"
                self.fault(ArgumentError(words), "input_shape")
            return (batch, *shape) if type(shape) in (tuple, list) else shape
        length, size = results.get("input_length"), results.get("input_dim")
        if "Embedding" in type_:
            return (batch, length) if length is not None else None
        sizes = [length, size] if length is not None or type_ in ("LSTM", "GRU", "SimpleRNN", "Conv1D") else [size]
        return (batch, *sizes) if size is not None else None

    def _checked(
        self, type_: str, config: dict[str, ProgramValue], name: str, unread: Mapping[NamedFunction, Symbol]
    ) -> dict[str, ProgramValue]:
        """Return the arguments without those that today's Keras does not have; each wrong one is a fault. Where no
        function fits, names of libraries that are not read are not known."""
        declaration = find(type_)
        if declaration is None:
            return config
        ignored = [key for key in config if key in declaration.ignores and unknown_in(config[key]) is not None]
        config = {key: value for key, value in config.items() if key not in ignored}
        known = {key: value for key, value in config.items() if unknown_in(value) is None}
        try:
            faults = declaration.faults(known)
        except (TypeError, ValueError, RecursionError):
            return config
        for key, fault in faults:
            if key is None:
                if "'" not in fault.fact or fault.fact.split("'")[1] not in config:
                    self.fault(fault)
                continue
            read = mirrored(
                config[key], lambda item: self.interpreter.no_function(unread.get(item, item)), NamedFunction
            )
            if key in declaration.arguments and read != config[key]:
                config[key] = read
                continue
            form = todays_form(type_, key, config.get(key)) or todays_argument(type_, key)
            for_files = key in FOR_FILES or key.endswith(("_initializer", "_regularizer", "_constraint"))
            if form or for_files or (key not in declaration.arguments and self.refusals.passes_over(type_, key)):
                if form:
                    words = f"{key} is an argument of older Keras; in Keras 3: {form}"
                    self.interpreter.notes.append(Note("old-argument", name, words))
                config.pop(key, None)
            else:
                self.fault(fault, key, _order(type_))
        return config

    # Inputs -----------------------------------------------------------------------------------------------------

    def make_input(self, args: Arguments, kwargs: Keywords) -> Tensor:
        """Evaluate `keras.Input(shape=…)`."""
        given = dict(kwargs)
        for name, value in zip(_OF_INPUT_CALL, args, strict=False):
            given.setdefault(name, value)
        shape: ProgramValue = given.get("batch_shape", given.get("batch_input_shape"))
        if shape is not None and given.get("shape") is not None:
            self.fault(ArgumentError("Input takes shape or batch_shape, got both; leave one out"), "batch_shape")
        if shape is None:
            shape = given.get("shape", given.get("input_shape"))
            if isinstance(shape, int):
                self.recorder.older(f"only older Keras accepts Input(shape={shape}); in Keras 3: shape=({shape},)")
                shape = (shape,)
            shape = plain(mirrored(shape, self.interpreter.no_function, Symbol))
            self._check_shape(shape)
            shape = (given.get("batch_size"), *shape) if type(shape) in (tuple, list) else shape
            if shape is None:
                tensor = given.get("tensor")
                if tensor is None and "**" not in given and not given.keys() & {"sparse", "ragged", "type_spec"}:
                    self.fault(ArgumentError("Input is given no shape; write shape=(…) without the batch"))
                shape = tensor if isinstance(tensor, Unknown) else self.interpreter.unknown("the input has no shape")
        dtype = given.get("dtype")
        self.refusals.check_settings("Input", {"dtype": dtype})
        dtype = dtype if isinstance(dtype, str) else getattr(dtype, "last", "float32")
        return self.recorder.new_input(self.recorder.take_name("InputLayer", given), shape, dtype)

    def _check_shape(self, shape: ProgramValue) -> None:
        """Record an error where the shape of an input is not valid."""
        sizes = shape if type(shape) in (tuple, list) else ()
        negative = any(isinstance(size, float) or (isinstance(size, int) and size < 0) for size in sizes)
        if negative or isinstance(shape, str):
            right = "each of its sizes is an integer, or None if unknown: shape=(28, 28, 1)"
            fact = f"Input needs a shape without the batch, got shape={shape!r}; {right}"
            self.fault(ArgumentError(fact), "shape", _OF_INPUT_CALL)

    # Models -----------------------------------------------------------------------------------------------------

    def make_model(self, type_: str, args: Arguments, kwargs: Keywords, into: Instance | None = None) -> ProgramValue:
        """Return a Sequential or a functional model; with `into` the object of a user-defined class becomes one."""
        interpreter = self.interpreter
        interpreter.effects.record_model_event()
        given = dict(kwargs)
        if type_ == "Sequential":
            layers = given.pop("layers", args[0] if args else None)
            if layer_of(layers) is not None or isinstance(layers, Tensor):
                other = layer_of(layers)
                what = "a tensor" if other is None else f"the layer '{other.name}'"
                self.fault(SpecError(f"Sequential takes a list of layers, got {what}; write them in [ and ]"), 0)
                layers = [layers]
            if len(args) > 1 and isinstance(args[1], str):
                given.setdefault("name", args[1])
            model = self.recorder.model("sequential", "Sequential", "")
            model.name = self.recorder.take_name("Sequential" if into is None else into.cls.name, given)
            self.recorder.register(model)
            if isinstance(layers, Unknown):
                model.open.append(layers)
            for number, layer in enumerate(layers if type(layers) in (list, tuple, dict) else ()):
                self.add(model, layer, interpreter.item_place("layers", number), rebuild=False)
            self.rebuild(model)
        else:
            for name, value in zip(("inputs", "outputs", "name"), args, strict=False):
                given.setdefault(name, value)
            inputs = given.pop("inputs", given.pop("input", None))
            inputs = mirrored(inputs, lambda item: self.implied.get(stands_for(item), item), Unknown)
            outputs = given.pop("outputs", given.pop("output", None))
            if inputs is None and outputs is None:
                return interpreter.unknown("a keras.Model without inputs and outputs")
            model = self.recorder.model("functional", "Functional", "")
            model.name = self.recorder.take_name("Functional" if into is None else into.cls.name, given)
            self.recorder.register(model)
            model.inputs, model.outputs = copied(inputs), copied(outputs)
            self._outputs_are_tensors(inputs, outputs)
            for other in (inputs, outputs):
                unknown = unknown_in(other)
                if unknown is not None:
                    model.open.append(unknown)
        if isinstance(given.get("trainable"), bool | Unknown | Symbol):
            self.set_trainable(model, given["trainable"])
        if into is not None:
            model.instance = into
        return model

    def _outputs_are_tensors(self, inputs: object, outputs: object) -> None:
        """Keep an error where a model of tensors is given no outputs, or layers in their place."""
        if not tensors_in(inputs) or tensors_in(outputs) or unknown_in(outputs) is not None:
            return
        layer = layer_of(outputs)
        where = ("outputs", ("inputs", "outputs"))
        if outputs is None:
            self.fault(SpecError("Model needs outputs: the tensors that its last layers return; got None"), *where)
        elif layer is not None and layer.reason is None:
            fact = f"Model needs tensors as outputs, got the layer '{layer.name}'; call it: {layer.type}(…)(x)"
            self.fault(SpecError(fact), *where)

    def rebuild(self, model: ModelValue, called: bool = False) -> None:
        """Draw the names that Keras draws when it makes a functional model of the layers of a Sequential one: after
        each change where the first layer states a shape, else when the model is called or built."""
        first = model.layers[0] if model.layers else None
        if first is None or self.recorder.keras_2 or model.form != "sequential" or (called and model.is_built):
            return
        stated = first.type == "InputLayer" or bool(model.added_input)
        if not stated and id(first) in self.recorder.first_shapes:
            model.added_input, stated = self.recorder.draw("InputLayer"), True
        nested = isinstance(first, ModelValue) and (first.is_built or first.form == "functional")
        model.is_built = called or (
            (stated and len(model.layers) + bool(model.added_input) > 1)
            or (nested and len(model.layers) > 1 and self.graphs.first_shape(first) is not None)
        )
        if not model.is_built:
            return
        if not stated:
            model.added_input = self.recorder.draw("InputLayer")
        for layer in model.layers:
            if isinstance(layer, ModelValue):
                self.rebuild(layer, called=True)
        if any(isinstance(layer, ModelValue) and layer.form == "own" for layer in model.layers):
            self.graphs.graph(model)  # whose `call` makes layers, before those that follow
        self.recorder.draw("Functional")

    def add(self, model: ModelValue, item: ProgramValue, place: Place | int = 0, *, rebuild: bool = True) -> None:
        """Evaluate `model.add(layer)`. `place` is where the layer stands: by its number among the arguments."""
        self.interpreter.effects.record_model_change(model)
        if isinstance(item, Tensor) and item.node.layer.type == "InputLayer":
            model.layers.append(item.node.layer)
            self.rebuild(model)
            return
        layer = layer_of(item)
        if layer is None:
            if type(item) in (list, tuple) and item:
                self.fault(
                    SpecError(f"{model.type} takes layers one by one, got a {type(item).__name__} of them"), place
                )
                for other in item:
                    self.add(model, other, place)
                return
            why = item if isinstance(item, Unknown) else self.interpreter.unknown("what is added is not a layer")
            if (fact := _no_layer(item)) is not None:
                self.fault(SpecError(f"{model.type} takes layers, got {fact}"), place)
            layer = self.recorder.layer(why.name or "Layer", "custom", why.name or "layer", {})
            layer.reason = why
        model.layers.append(layer)
        if rebuild:
            self.rebuild(model)

    def set_trainable(self, layer: LayerValue, value: object) -> None:
        """Evaluate `layer.trainable = …`, which holds for all that is inside too."""
        if isinstance(value, Symbol):
            value = self.interpreter.unknown(f"the value of {value.path} is not known", value.last)
        if isinstance(value, Unknown):
            layer.mark_changed()
            self.interpreter.effects.mark_incomplete(value)
            layer.trainable = layer.trains_unknown = True
            for inner in self.graphs.inner_layers(layer):
                self.set_trainable(inner, value)
            return
        if not isinstance(value, bool | int) or (value is layer.trainable and not self.recorder.keras_2):
            return  # Keras 3 passes over an attribute that is the same object already, and what is inside with it
        if layer.trainable != bool(value):
            self.interpreter.effects.record_model_change(layer)
        layer.trainable, layer.parts_trained, layer.trains_unknown = bool(value), False, False
        for inner in self.graphs.inner_layers(layer):
            self.set_trainable(inner, bool(value))

    def leave_trainable_open(self, unknown: Unknown) -> None:
        """Record that a program freezes what nobody knows: it may be any layer of its models."""
        for model in self.recorder.models:
            self.set_trainable(model, unknown)

    def make_setting(self, path: str, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return an optimizer, a loss, a metric, a regularizer, an initializer."""
        names = keras_names.arguments(path) or (("learning_rate",) if path.startswith("optimizers.") else ())
        config = {**dict(zip(names, () if "y_true" in names else args, strict=False)), **kwargs}
        config = {key: value for key, value in config.items() if key != "**"}
        loops = self.interpreter.kept(TapeLoops)
        if loops.are_followed and "y_true" in names and tensors_in([args, kwargs]):
            return self.recorder.opaque_call(path, args, kwargs)
        return LoopSetting(name, config, path, loops=loops) if loops.are_followed else Setting(name, config, path)


def stands_for(value: Unknown) -> str:
    """Return the name of an input that a value may be: one that the code does not define, or an argument that a
    function is not given; "" for any other."""
    return (value.option or value.name) if value.lacks in ("name", "argument") else ""


def _no_layer(item: object) -> str | None:
    """Return what stands where a layer should, and what would be right; None for what may be one."""
    if isinstance(item, Tensor):
        type_ = item.node.layer.type
        return f"a tensor, the result of a layer that is called; give the layer: {type_}(…) without (x)"
    if isinstance(item, Symbol) and (what := resolve_keras_name(item.path)) is not None and what.kind == "layer":
        return f"the class {item.last}; make one: {item.last}(…)"
    if isinstance(item, Symbol | Setting) and (path := getattr(item, "path", "")) and "activations" in path:
        name = item.last if isinstance(item, Symbol) else item.class_name
        return f"the function {name}; make a layer of it: Activation('{name}')"
    if isinstance(item, Function):
        return f"the function {item.name}; give what it returns, or Lambda({item.name})"
    plain = isinstance(item, int | float | str | type(None))
    return f"{item!r}; give layers alone" if plain else "an array" if isinstance(item, Array) else None


def _order(type_: str) -> Sequence[str]:
    """Return the arguments of a layer that are given without a name, in Keras's order."""
    declaration = find(today(type_))
    of_keras = _FIRST.get(type_) or keras_names.arguments(f"layers.{today(type_)}")
    return of_keras or (positional_arguments(declaration) if declaration is not None else ())


def today(type_: str) -> str:
    """Return the class that Keras makes by an older name: it names layers after it."""
    return modern_layer(type_, {}, tells_module=True)[0] if type_ != "Merge" else type_


# Keras calling ------------------------------------------------------------------------------------------------------
# Calls of layers and models of Keras, on tensors and on data.


def shapes_of_data(data: ProgramValue) -> ProgramValue:
    """Return the shapes of arrays that a model is trained on, with any number of examples; None where one is not
    known."""

    def join(kind: type, shapes: list[ProgramValue]) -> ProgramValue:
        known = [shape[1] for shape in shapes] if kind is dict else shapes
        return None if not known or None in known else dict(shapes) if kind is dict else shapes

    shapes = rebuilt(data, lambda item, inside: (None, *item.shape[1:]) if isinstance(item, Array) else None, join)
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
        # A program with a tape calls its models on data, whatever is not known of them.
        if not isinstance(layer, ModelValue) or layer.is_own_layer or not self.interpreter.kept(TapeLoops).has_tape:
            args = [self._as_tensor(argument) for argument in args]
            kwargs = {
                key: self._as_tensor(value) if key in ("inputs", "query", "value") else value
                for key, value in kwargs.items()
            }
        declaration = declaration_of(layer) if layer.kind == "layer" and len(args) > 1 else None
        if declaration is not None:  # what stands behind the tensors, masks and flags, has its name in Keras
            names = keras_names.arguments(f"layers.{layer.type}.call")
            tensors = (*declaration.tensors, declaration.variadic, "states")
            at = next((i for i, name in enumerate(names) if i and name not in tensors), len(args))
            behind = dict(zip(names[at:], args[at:], strict=False))
            args, kwargs = args[:at], {**behind, **kwargs}
            for name, value in [item for item in behind.items() if isinstance(item[1], bool)]:
                self.recorder.older(f"Keras 3 takes no number without its name in a call; write {name}={value}")
        if not tensors_in([*args, *kwargs.values()]):
            return self._on_data(layer, args, kwargs)
        unknown = next((argument for argument in args[:1] if isinstance(argument, Unknown)), None)
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
        return self.own_calls.noted(self.graphs.results(layer, node))

    def _misfit(self, layer: ModelValue, args: Arguments, kwargs: Keywords) -> Misfit | None:
        """Return what does not fit of the arguments of a `call` of the program; None where all fits. Keras gives masks
        and `training` itself."""
        method = layer.instance.cls.find(self.recorder.framework.call_name) if layer.instance is not None else None
        if not isinstance(method, Function) or method.is_decorated or "**" in kwargs:
            return None
        names = method.signature.names
        given = {key: value for key, value in kwargs.items() if key in names or key not in ("training", "mask")}
        provided = {name for name in names if name == "training" or name.endswith("mask")}
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
        loops = self.interpreter.kept(TapeLoops)
        if loops.are_followed and isinstance(layer, ModelValue) and not layer.is_own_layer:
            return loops.call_on_data(layer, args, kwargs)
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
            return self.own_calls.on_arrays(layer, args, kwargs, self.graphs.results)
        unknown = unknown_in([*args, *kwargs.values()])
        return unknown or self.interpreter.unknown("the result of a layer that is called on data")

    def result_on(self, model: ModelValue, data: object) -> ProgramValue:
        """Return what a model gives for data: an array whose shape is known where the model's is."""
        graph = self.graphs.graph(model) if model.form != "own" else None
        spec = self.shapes.spec_of(graph.outputs[0]) if graph is not None and len(graph.outputs) == 1 else None
        if spec is None or not isinstance(data, Array) or not all(isinstance(size, int) for size in spec.shape[1:]):
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
