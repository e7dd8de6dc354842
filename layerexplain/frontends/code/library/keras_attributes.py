"""Attributes and methods of layers, models, tensors and weights."""

from __future__ import annotations

from itertools import pairwise

from layerexplain.errors import ArgumentError, did_you_mean
from layerexplain.frontends.code.library import keras_names
from layerexplain.frontends.code.library.keras_loops import TapeLoops
from layerexplain.frontends.code.library.keras_making import Calling, shapes_of_data
from layerexplain.frontends.code.library.keras_names import base_of, inside_keras, resolve_keras_name
from layerexplain.frontends.code.library.keras_operations import Operations
from layerexplain.frontends.code.recorder.emit import plain_config
from layerexplain.frontends.code.recorder.shapes import CONSTANT_TYPE, WEIGHT_TYPE, flat_tensors
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.array_data import plain
from layerexplain.frontends.code.values.base import (
    Arguments,
    Keywords,
    ProgramError,
    ProgramValue,
    Size,
    Symbol,
    Unknown,
    one_of,
)
from layerexplain.frontends.code.values.layers import GraphTensor, LayerValue, ModelValue, Tensor, Variable
from layerexplain.frontends.code.values.objects import Namespace, Setting
from layerexplain.frontends.code.values.operators import rebuilt
from layerexplain.frontends.code.values.program import Bound, Class, layer_of, may_set
from layerexplain.layers.arguments import short
from layerexplain.layers.registry import find

_METHODS = frozenset(
    """
    add pop compile fit build summary get_layer call __call__ save save_weights load_weights predict evaluate
    add_weight add_variable add_loss add_metric get_config count_params compute_output_shape set_weights get_weights
    export train_on_batch fit_generator to_json get_weight_paths compute_mask adapt get_vocabulary vocabulary_size
    set_vocabulary from_config test_on_batch predict_on_batch reset_states make_train_function save_spec
    compute_loss compiled_loss update_state result reset_state
    """.split()  # noqa: SIM905
)
_TRAINS = frozenset({"fit_generator", "train_on_batch"})
_NOTHING = frozenset(
    """
    summary save save_weights add_loss add_metric export set_weights adapt reset_states set_vocabulary update_state
    reset_state
    """.split()  # noqa: SIM905
)


_OF_TORCH = frozenset(
    {"parameters", "named_parameters", "state_dict", "load_state_dict", "zero_grad", "to", "eval", "cuda"}
)
"""What layers have on the backend PyTorch."""
_OF_TENSORS = frozenset({"numpy", "item", "tolist", "eval", "device"})
"""What tensors with numbers have, of which more is said where it is called, and those of older TensorFlow."""
_PLAIN_BASES = frozenset({"builtins.object", "abc.ABC", "typing.Generic", "tensorflow.Module"})
"""Bases of classes that bring no attributes which not every layer has."""
_DUNDERS = frozenset(dir(object)) | {"__call__", "__getattr__", "__enter__", "__exit__", "__del__"}
_UNSET = frozenset({"quantization_mode", "activity_regularizer"})
"""What every layer of Keras has, and no layer of a program sets."""


def _as_keras_keeps(layer: LayerValue, name: str, value: ProgramValue) -> ProgramValue:
    """Return an argument of a layer as its attribute: a size for several axes is one for each, an activation a
    function."""
    if name in ("activation", "recurrent_activation") and isinstance(value, str):
        return Symbol(f"keras.activations.{value}")
    argument = {"kernel_size", "strides", "dilation_rate", "pool_size"}
    rank = next((int(before) for before, after in pairwise(layer.type) if after == "D" and before.isdecimal()), 0)
    return (value,) * rank if name in argument and type(value) is int and rank else value


class LayerAttributes:
    """Attributes and methods of layers, tensors and weights."""

    def __init__(self, calling: Calling, operations: Operations) -> None:
        self.calling, self.operations, self.factory = calling, operations, calling.factory
        self.data, self.refusals = calling.data, calling.refusals
        self.graphs, self.own_calls, self.recorder = calling.graphs, calling.own_calls, calling.recorder
        self.interpreter, self.shapes, self.fault = calling.interpreter, calling.shapes, calling.fault
        self.saved: dict[str, ModelValue] = {}
        """The models that the program saves, by the names of the files."""

    def attribute(self, layer: LayerValue, name: str) -> ProgramValue:
        """Return an attribute of a layer."""
        if name in ("name", "trainable"):
            return getattr(layer, name)
        if name in layer.attributes:
            return layer.attributes[name]
        if (loops := self.interpreter.kept(TapeLoops)).are_followed and name in loops.ATTRIBUTES:
            return loops.attribute(layer, name)
        if name == "__class__":
            return Namespace({"__name__": layer.type})
        if name in ("output", "input", "outputs", "inputs", "layers"):
            return self._graph_attribute(layer, name)
        if name in ("output_shape", "input_shape"):
            structure = self._graph_attribute(layer, name.partition("_")[0], has_shape=True)
            return rebuilt(
                structure,
                lambda item, inside: self.own_calls.shape_tuple(item) if isinstance(item, Tensor) else item,
                lambda kind, items: dict(items) if kind is dict else items,
            )
        if name in ("variable_dtype", "compute_dtype", "dtype"):
            dtype = layer.config.get("dtype", "float32")
            if not isinstance(dtype, str) or not dtype.startswith("mixed_"):
                return dtype
            return dtype.removeprefix("mixed_") if name == "compute_dtype" else "float32"
        if name == "dtype_policy":
            return Setting("dtype", {"name": layer.config.get("dtype", "float32")}, "")
        if name in layer.config and name not in ("base", "model", "function"):
            return _as_keras_keeps(layer, name, layer.config[name])
        if name in _UNSET:
            return None
        if name in ("add", "pop") and isinstance(layer, ModelValue) and layer.form == "functional":
            words = f"a functional model has no {name}(); make a new one: Model(model.input, …(model.output))"
            raise ProgramError("AttributeError", words, self.interpreter.place())
        if name in _METHODS:
            return Bound(layer, name)
        if name == "built":
            graph = self.graphs.graph(layer) if isinstance(layer, ModelValue) and layer.form != "own" else None
            has_shape = graph is not None and all(self.shapes.spec_of(tensor) is not None for tensor in graph.inputs)
            return has_shape or bool(self.graphs.calls_of(layer))
        declaration = find(layer.type) if layer.kind == "layer" and not self.recorder.keras_2 else None
        value = None if declaration is None else declaration.default_values.get(name)
        if type(value) in (bool, int, float, tuple) or (type(value) is str and name == "padding"):
            return _as_keras_keeps(layer, name, value)
        unread = self.check_attribute(layer, name, layer.instance.cls if layer.instance else None)
        unread = unread or self.interpreter.unknown(f"the attribute {name} of the layer '{layer.name}'")
        return one_of(unread, self.graphs.all_layers(layer)) if isinstance(layer, ModelValue) else unread

    def attribute_of_own_layer(self, layer: LayerValue, name: str, value: object) -> None:
        """Set an attribute of a custom layer."""
        if not self.recorder.in_call:
            layer.mark_changed()
        if name == "trainable":
            self.factory.set_trainable(layer, value)

    def change_argument(self, layer: LayerValue, name: str, value: object) -> bool:
        """Evaluate `layer.activation = …`: an argument of a layer that is made already. Returns whether it is one."""
        declaration = find(layer.type)
        if declaration is None or name not in declaration.arguments or layer.kind != "layer":
            return False
        self.interpreter.effects.record_model_change(layer)
        if name == "activation" and not isinstance(value, str | Unknown):
            layer.config.update(plain_config({name: self.factory.own_function(value)}))
        elif not name.endswith(("_initializer", "_regularizer", "_constraint")):
            words = f"{name} of the layer '{layer.name}' is changed after the layer was created"
            self.interpreter.effects.mark_incomplete(self.interpreter.unknown(words))
        return True

    def check_attribute(
        self, layer: LayerValue | None, name: str, cls: Class | None = None, shown: str = ""
    ) -> Unknown | None:
        """Refuse an attribute that neither Keras nor the program gives a layer, which may be an object of a class of
        the program. Returns why that is not known, where a base of the class is not read."""
        order = [] if cls is None else cls.order()
        unread = next((item for item in order if isinstance(item, Unknown)), None)
        symbols = [item for item in order if isinstance(item, Symbol)]
        roots = [what.name for symbol in symbols if (what := resolve_keras_name(symbol.path)) is not None]
        others = len([symbol for symbol in symbols if symbol.path not in _PLAIN_BASES]) - len(roots)
        if layer is None or layer.kind == "operation" or unread is not None or others:
            return unread
        own = cls is not None and layer.config.get("base") is not None
        kind = "Model" if isinstance(layer, ModelValue) and not own else (roots or [layer.type])[0]
        known = keras_names.members("Model" if kind in ("Sequential", "Functional") else kind)
        dunder = name.startswith("__") and shown
        if not known or name in known | _OF_TORCH or (name.startswith("_") and not dunder) or name in _DUNDERS:
            return None
        if any(isinstance(item, Class) and may_set(item, name) for item in order):
            return None
        form = {"sequential": "a Sequential model", "functional": "a functional model"}.get(getattr(layer, "form", ""))
        hint = did_you_mean(name, ["__init__"] if dunder else sorted(known))
        hint = hint or (f"'{layer.name}' is {form}" if form else "")
        words = f"{shown or layer.type} has no attribute {name}{hint and f'; {hint}'}"
        raise ProgramError("AttributeError", words, self.interpreter.place())

    def _graph_attribute(self, layer: LayerValue, name: str, *, has_shape: bool = False) -> ProgramValue:
        if name == "layers":
            if not isinstance(layer, ModelValue):
                return self.interpreter.unknown(f"the layers of {layer.type}")
            layers = self.graphs.inner_layers(layer)
            if layer.form == "sequential":
                layers = [other for other in layers if other.type != "InputLayer"]
            elif layer.form == "functional":
                graph = self.graphs.graph(layer)
                if graph is None:
                    return self.interpreter.unknown("the layers of a model whose graph is not known")
                layers = [
                    inner_layer
                    for inner_layer in graph.layers
                    if inner_layer.kind != "operation" or self.recorder.keras_2
                ]
            layers = [other for other in layers if other.type not in (WEIGHT_TYPE, CONSTANT_TYPE)]
            return [other if other.instance is None else other.instance for other in layers]
        if isinstance(layer, ModelValue) and layer.form != "own":
            if layer.form == "sequential" and name in ("input", "output") and not layer.nodes and not has_shape:
                self.recorder.older(f"a Sequential model that is not called has no {name} in Keras 3; write {name}s[0]")
            if layer.form == "functional":
                structure = layer.inputs if name.startswith("input") else layer.outputs
            else:
                graph = self.graphs.graph(layer)
                if graph is None:
                    return self.interpreter.unknown(f"the {name} of the model")
                structure = graph.inputs[0] if name.startswith("input") else graph.outputs[0]
            tensors = flat_tensors(structure)
            if name.endswith("s"):
                return tensors
            return tensors[0] if len(tensors) == 1 and type(structure) in (list, tuple) else structure
        nodes = self.graphs.calls_of(layer)
        if not nodes:
            return self.interpreter.unknown(f"the {name} of the layer '{layer.name}', which is not called yet")
        if name.startswith("output"):
            return self.graphs.results(layer, nodes[0]) if name == "output" else [nodes[0].result()]
        tensors = nodes[0].tensors()
        if layer.type == "InputLayer":
            self.recorder.older("the input of an InputLayer is empty in Keras 3; use its output")
            tensors = [nodes[0].result()]
        return tensors[0] if len(tensors) == 1 and name == "input" else tensors

    def tensor_attribute(self, tensor: Tensor, name: str) -> ProgramValue:
        if name == "shape":
            return self.operations.size("int_shape", [tensor], {})
        if name in ("ndim", "rank"):
            shape = self.own_calls.shape_tuple(tensor)
            return shape if isinstance(shape, Unknown) else len(shape)
        if name == "dtype":
            spec = self.shapes.spec_of(tensor)
            return "float32" if spec is None or spec.dtype == "float" else spec.dtype
        if name == "name":
            return tensor.node.layer.name
        if name == "_keras_mask":
            return self.own_calls.mask_of(tensor)
        if name == "T":
            return self.operations.operation("transpose", [tensor], {})
        result, known = tensor.node.layer, keras_names.members("Tensor") | _OF_TENSORS
        is_read = result.reason is None and (
            not isinstance(result, ModelValue) or self.shapes.spec_of(tensor) is not None
        )
        if is_read and isinstance(tensor, GraphTensor) and not name.startswith("_") and name not in known:
            hint = did_you_mean(name, sorted(keras_names.members("Tensor")))
            words = f"a tensor of Keras has no attribute {name}{hint and f'; {hint}'}"
            raise ProgramError("AttributeError", words, self.interpreter.place())
        return Bound(tensor, name)

    def tensor_has(self, name: str) -> bool | None:
        """Return whether every tensor of Keras has an attribute; None where that hangs on the version."""
        if name in ("shape", "dtype", "ndim", "name"):
            return True
        return None if name in keras_names.members("Tensor") else False

    def layer_has(self, layer: LayerValue, name: str) -> bool | None:
        """Return whether a layer of Keras has an attribute that its class gives it; None where it may hang on how it is
        built."""
        declaration = find(layer.type)
        known = keras_names.members(layer.type)
        if declaration is None or not known:
            return None
        if name in ("name", "trainable", "dtype", "weights", "built", "input_spec"):
            return True
        if name not in known:
            return None if name.startswith("_") else False
        return True if name in declaration.arguments else None

    def class_has(self, cls: Class, name: str) -> bool | None:
        """Return whether Keras gives the objects of a user-defined class an attribute; None where that is not
        known."""
        what = base_of(cls)
        known = frozenset() if what is None else keras_names.members("Model" if what.kind == "model" else what.name)
        return None if not known or name in known or name.startswith("_") else False

    def module_has(self, path: str, name: str) -> bool | None:
        """Return whether a module of Keras has a name; None for what differs from version to version."""
        inside = inside_keras(path)
        if inside is None or not keras_names.is_module(inside):
            return None
        if name in keras_names.names_in(inside, only_today=True):
            return True
        return None if name in keras_names.names_in(inside) or name.startswith("_") else False

    def variable_attribute(self, variable: Variable, name: str) -> ProgramValue:
        """Return an attribute of a weight."""
        if name == "shape":
            return tuple(variable.shape) if type(variable.shape) in (tuple, list) else variable.shape
        if name in ("name", "dtype", "trainable"):
            return getattr(variable, name)
        if name == "value":
            return variable
        return self.interpreter.unknown(f"{name} of a weight")

    # Methods ------------------------------------------------------------------------------------------------------

    def call_method(self, layer: LayerValue, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a method of a layer gives."""
        effects = self.interpreter.effects
        effects.uses.add((effects.statement, id(layer)))
        self.refusals.check_method(layer, name, args, kwargs)
        if name in ("__call__", "call"):
            return self.calling.call_layer(layer, args, kwargs)
        if name == "save" and isinstance(layer, ModelValue) and args and isinstance(args[0], str):
            self.saved[args[0]] = layer
        if name == "set_weights" and args:
            self.data.check_weights(layer, args[0])
        if name in _NOTHING:
            return None
        if name in ("add_weight", "add_variable"):
            return self._add_weight(layer, args, kwargs)
        if name == "compute_mask":
            return self.own_calls.base_mask(layer, args, kwargs)
        if not isinstance(layer, ModelValue):
            if name == "compute_output_shape" and args:
                return self.own_calls.shape_behind(layer, args[0])
            if name == "build" and args:
                self.recorder.first_shapes.setdefault(id(layer), (layer, args[0]))
            return self.interpreter.unknown(f"{name}() of the layer '{layer.name}'") if name != "build" else None
        if name == "add":
            if args or "layer" in kwargs:
                self.factory.add(layer, args[0] if args else kwargs["layer"])
            return None
        if name == "pop":
            self.interpreter.effects.record_model_change(layer)
            if not layer.layers:
                raise ProgramError("TypeError", "there are no layers in the model", self.interpreter.place())
            last = layer.layers.pop()
            self.factory.rebuild(layer)
            return last
        if name == "get_layer":
            return self._get_layer(layer, args, kwargs)
        if name == "compile":
            given = dict(zip(("optimizer", "loss", "metrics", "loss_weights"), args, strict=False))
            layer.compiled = {**given, **kwargs}
            layer.trained = self._trained(layer) if self.recorder.keras_2 else None  # Keras 3 looks at the first step
            return None
        if name == "build":
            shape = args[0] if args else kwargs.get("input_shape")
            layer.built_alone = layer.form == "own" and layer.input_shape is None and not layer.nodes
            self.calling.built(layer, shape)
            return None
        if name in ("fit", "predict", "evaluate", "train_on_batch", "fit_generator"):
            layer.built_alone = False
            data: ProgramValue = args[0] if args else kwargs.get("x")
            data = data[0] if type(data) in (list, tuple) and len(data) == 1 else data
            needed = layer.form != "own" and name not in ("predict", "fit_generator")
            if needed and layer.compiled is None and effects.is_certain and not effects.is_model_exposed:
                words = f"{name}() needs a model that is compiled; call {layer.name}.compile(…) before"
                raise ProgramError("RuntimeError", words, self.interpreter.place())
            if (shapes := shapes_of_data(data)) is not None:
                self.calling.built(layer, shapes)
            self.data.check_data(layer, name, args, kwargs)
            # In Keras 3 each method has a function of its own.
            if name == "fit" or (self.recorder.keras_2 and name in _TRAINS):
                self._compare_trained(layer)
            if name == "predict" and isinstance(data, Array) and data.shape:
                return self.calling.result_on(layer, data)
            return self.interpreter.unknown(f"the result of {name}()")
        if name == "to_json" or name == "get_config":
            return {} if layer.form == "own" else self.interpreter.unknown("the configuration of a model")
        return one_of(self.interpreter.unknown(f"{name}() of a model"), self.graphs.all_layers(layer))

    def _compare_trained(self, model: ModelValue) -> None:
        """Note a layer whose `trainable` has changed since Keras made the training function, which it keeps."""
        now = self._trained(model)
        if model.trained is None:
            model.trained = now
        changed = [layer for layer, trains in now.items() if model.trained.get(layer, trains) is not trains]
        if changed:
            model.changed_in_training = changed[0], self.interpreter.where(self.interpreter.place())

    def _trained(self, model: ModelValue) -> dict[LayerValue, bool]:
        """Return which layers of a model train now, those inside of others included."""
        return {layer: layer.trainable for layer in self.graphs.all_layers(model) if layer is not model}

    def _get_layer(self, model: ModelValue, args: Arguments, kwargs: Keywords) -> ProgramValue:
        name = args[0] if args and isinstance(args[0], str) else kwargs.get("name")
        index = kwargs.get(
            "index", args[1] if len(args) > 1 else args[0] if args and isinstance(args[0], int) else None
        )
        layers = self._graph_attribute(model, "layers")
        if isinstance(layers, Unknown):
            return layers
        if isinstance(index, int):
            try:
                return layers[index]
            except IndexError:
                raise ProgramError("ValueError", f"the model has no layer {index}", self.interpreter.place()) from None
        result = next((layer for layer in layers if (layer_of(layer) or layer).name == name), None)
        if result is None and isinstance(name, str):
            raise ProgramError("ValueError", f"the model has no layer {name!r}", self.interpreter.place())
        if result is not None:
            return result
        unknown = next((argument for argument in (*args, *kwargs.values()) if isinstance(argument, Unknown)), None)
        return one_of(unknown or self.interpreter.unknown("a layer by a name that is not known"), layers)

    def _add_weight(self, layer: LayerValue, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Evaluate `self.add_weight(…)`: Keras 3 takes the shape first, Keras 2 the name."""
        given = dict(kwargs)
        names = (
            ("name", "shape", "dtype", "initializer")
            if args and isinstance(args[0], str)
            else ("shape", "initializer", "dtype")
        )
        for key, value in zip(names, args, strict=False):
            given.setdefault(key, value)
        shape = given.get("shape", ())
        shape = () if shape is None else shape
        if isinstance(shape, int):
            words = f"add_weight needs a shape, got shape={shape}; write ({shape},)"
            self.fault(ArgumentError(words), "shape", ("shape",))
        if type(shape) in (list, tuple):
            shape = tuple([plain(size) for size in shape])
            self._check_weight(shape)
            if any(size is None or isinstance(size, Size | float | str) for size in shape):
                shape = self.interpreter.unknown("the shape of a weight depends on an unknown size")
        name, dtype = given.get("name"), given.get("dtype")
        name, dtype = name if isinstance(name, str) else "variable", dtype if isinstance(dtype, str) else "float32"
        trainable = given.get("trainable", True)
        trainable = trainable.operand(self.interpreter) if isinstance(trainable, Symbol) else trainable
        if isinstance(trainable, Unknown):
            layer.trains_unknown = True
            self.interpreter.effects.mark_incomplete(trainable)
        framework, place = self.recorder.framework, self.interpreter.place()
        variable = Variable(framework, name, shape, dtype, trainable is not False, place)
        if layer.instance is not None:
            layer.instance.attributes.setdefault("__weights__", []).append(variable)
            if not layer.trainable:
                self.graphs.weight_tensor(variable).node.layer.trainable = False
        return variable

    def _check_weight(self, shape: tuple[ProgramValue, ...]) -> None:
        """Record the fault of a weight whose sizes are not valid."""
        wrong = next(
            (size for size in shape if isinstance(size, float | str) or (isinstance(size, int) and size < 0)), 0
        )
        sizes = ", ".join("None" if size is None else short(size) for size in shape)
        if wrong:
            hint = " (// divides whole numbers)" if isinstance(wrong, float) else ""
            self.fault(ArgumentError(f"add_weight needs sizes that are integers{hint}, got shape=({sizes})"), "shape")
        elif None in shape and all(model.input_shape is None for model in self.recorder.models):
            words = f"add_weight needs sizes that are known, got shape=({sizes}); None is a size known only at run time"
            self.fault(ArgumentError(f"{words}: the batch, or an axis that the input leaves open"), "shape")

    def tensor_method(self, tensor: Tensor, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        if name in ("get_shape", "shape"):
            if isinstance(tensor, GraphTensor) and name == "get_shape":
                self.recorder.older("a tensor of Keras 3 has no get_shape(); use its attribute shape")
            return self.operations.size("int_shape", [tensor], {})
        if name == "set_shape":
            self.own_calls.tell_shape(tensor, args[0] if args else None)
            return None
        if name in ("numpy", "item", "tolist", "eval") and isinstance(tensor, GraphTensor):
            words = f"a tensor of Keras has no {name}(): it has no values yet; call model.predict(…)"
            raise ProgramError("AttributeError", words, self.interpreter.place())
        if name == "numpy":
            return self.interpreter.unknown("the values of a tensor")
        return self.recorder.opaque_call(name, [tensor, *args], kwargs)
