"""Keras: what calls of its names make, and what is read of the source of an installed one (both, hence its length)."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from typing import cast

from layerexplain.errors import ArgumentError, did_you_mean
from layerexplain.frontends.code.library import keras_datasets as datasets
from layerexplain.frontends.code.library import keras_names
from layerexplain.frontends.code.library.keras_functions import KerasParts, call_backend, call_tensorflow, call_utility
from layerexplain.frontends.code.library.keras_loops import GradientTape, TapeLoops
from layerexplain.frontends.code.library.keras_names import KerasName, inside_keras, resolve_keras_name
from layerexplain.frontends.code.library.keras_refused_calls import OF_LAYERS
from layerexplain.frontends.code.library.keras_refused_data import Callback, callback
from layerexplain.frontends.code.library.python import CONSTANTS
from layerexplain.frontends.code.machine.interpreter import Interpreter
from layerexplain.frontends.code.machine.parts import dotted
from layerexplain.frontends.code.recorder.own_layers import Code, OwnLayer
from layerexplain.frontends.code.sources import read_module
from layerexplain.frontends.code.values import array as arrays
from layerexplain.frontends.code.values.base import DTYPES, Arguments, Keywords, ProgramValue, Symbol, Unknown
from layerexplain.frontends.code.values.layers import LayerValue, ModelValue, tensors_in, unknown_in
from layerexplain.frontends.code.values.objects import Setting
from layerexplain.frontends.code.values.program import Class, Function, Instance, layer_of
from layerexplain.frontends.code.values.reading import Assumption, Frame
from layerexplain.frontends.model_builder import default_name
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.registry import find

# Keras framework ----------------------------------------------------------------------------------------------------
# What calls of Keras's and TensorFlow's names make, and what attributes and methods of layers and tensors give.


class Keras:
    """What the reader knows of Keras while it reads one program."""

    roots: frozenset[str] = frozenset({"keras", "tensorflow", "tf_keras", "keras_core", "tensorflow_core"})
    """The first parts of its names."""
    call_name = "call"

    def __init__(self, interpreter: Interpreter) -> None:
        self.interpreter, self.fault = interpreter, interpreter.fault
        self.parts = parts = KerasParts(self, interpreter)
        self.recorder, self.graphs = parts.recorder, parts.graphs
        self.counters, self.models = parts.recorder.counters, parts.recorder.models
        self.declarations: dict[int, Declaration] = {}
        # What values ask of the library that makes them (values/layers.py): a part answers.
        self.opaque_call, self.build_by_hand = parts.recorder.opaque_call, parts.own_calls.build_by_hand
        self.graph, self.traced_graph = parts.graphs.graph, parts.graphs.traced_graph
        self.data_of, self.weight_value = parts.graphs.data_of, parts.graphs.weight_value
        self.split_input, self.call_layer = parts.graphs.split_input, parts.calling.call_layer
        self.check_states, self.check_error = parts.refusals.check_states, parts.data.check_error
        self.make_layer, self.set_trainable = parts.factory.make_layer, parts.factory.set_trainable
        self.leave_trainable_open = parts.factory.leave_trainable_open
        self.operation, self.operator = parts.operations.operation, parts.operations.operator
        self.tensor_item, self.item_of_table = parts.operations.tensor_item, parts.operations.item_of_table
        answers = parts.attributes
        self.attribute, self.check_attribute = answers.attribute, answers.check_attribute
        self.layer_has, self.class_has, self.module_has = answers.layer_has, answers.class_has, answers.module_has
        self.attribute_of_own_layer, self.change_argument = answers.attribute_of_own_layer, answers.change_argument
        self.tensor_attribute, self.tensor_has = answers.tensor_attribute, answers.tensor_has
        self.variable_attribute, self.tensor_method = answers.variable_attribute, answers.tensor_method
        self.call_method = answers.call_method

    @property
    def in_call(self) -> bool:
        """Return whether a `call` of the program is followed now."""
        return self.recorder.in_call

    # Names --------------------------------------------------------------------------------------------------------

    def names_of_star(self, module: str) -> list[str]:
        """Return the names that `from … import *` brings of a module of Keras."""
        inside = inside_keras(module)
        if inside is None or not keras_names.is_module(inside):
            return []
        return [f"{module}.{name}" for name in keras_names.names_in(inside, only_today=not self.recorder.keras_2)]

    def by_convention(self, name: str, stars: list[str]) -> Symbol | None:
        """Return what a name that is not defined stands for in Keras."""
        path = keras_names.by_convention(name)
        if path is None and name[:1].isupper() and keras_names.is_known(f"applications.{name}"):
            path = f"keras.applications.{name}"
        if path is None:
            for star in reversed(stars):
                inside = inside_keras(star)
                if inside is not None and keras_names.is_known(f"{inside}.{name}".lstrip(".")):
                    return Symbol(f"{star}.{name}")
        if path is None:
            return None
        foreign = next((star for star in stars if star.partition(".")[0] not in _KNOWN_STARS), None)
        if foreign is not None:
            words = f"{name} is assumed to be {path}; `from {foreign} import *` may define another one"
            self.interpreter.effects.depend_on(Assumption(self.interpreter.line, words))
        return Symbol(path)

    def owns(self, path: str) -> bool:
        """Return whether a name is one of Keras's."""
        return inside_keras(path) is not None

    def makes(self, path: str) -> int:
        """Return what a name may do: nothing, make layers, change those that are there or how they are made."""
        what = resolve_keras_name(path)
        return int(what is not None and (what.kind in _OF_MODELS or what.name in _CHANGING))

    def is_method_of(self, path: str, instance: Instance) -> bool:
        """Return whether a name is a method of a class above that of an object: `keras.layers.Layer.__init__`."""
        owner, above = resolve_keras_name(path.rpartition(".")[0]), keras_names.base_of(instance.cls)
        if instance.layer is None or owner is None or above is None:
            return False
        return owner.name in (above.name, "Layer")

    def with_source(self, cls: Class) -> None:
        """Put the source of Keras's layers in place of bases whose computation a class changes."""
        with_source(self.interpreter, cls)

    def is_of_layers(self, name: str) -> bool:
        """Return whether every layer of Keras has an attribute."""
        return name in keras_names.members("Layer")

    def check_import(self, module: str, name: str, others: Sequence[str] = ()) -> None:
        """Record the fault of an import of a module, or of a name in one, that Keras does not have; with `others` these
        names of a module are imported."""
        if module.startswith("tf_keras"):
            self.recorder.keras_2 = True
        path = f"{module}.{name}" if name else module
        is_lacking = not self.recorder.keras_2 and self.lacks(path)
        mark = self.interpreter.effects.mark()
        if others:
            self.parts.refusals.check_name(path)  # it may be misspelt
        if self.interpreter.effects.since(mark).faults:
            return
        if is_lacking and not name:
            parts = module.split(".")
            above = next(item for end in range(len(parts), 0, -1) if not self.lacks(item := ".".join(parts[:end])))
            in_keras = inside_keras(above) or ""
            today = [item for item in others if keras_names.is_known(f"{in_keras}.{item}".strip("."), only_today=True)]
            cure = f"; write `from {above} import {', '.join(today)}`" if today and len(today) == len(others) else ""
            words = f"Keras 3 has no module '{module}': its import raises ModuleNotFoundError{cure}"
            self.fault(ArgumentError(words))
        elif is_lacking and self.parts.refusals.is_older_module(path) and not self.lacks(module):
            of_import = isinstance(self.interpreter.node, ast.alias | ast.stmt)
            raised = "its import raises ImportError" if of_import else "an AttributeError"
            if not any(f"'{path}" in fault.fact for fault in self.interpreter.effects.faults):
                self.fault(ArgumentError(f"Keras 3 has no module '{path}': {raised}"))
        elif not is_lacking or name:
            self.parts.refusals.check_name(path)

    def lacks(self, path: str) -> bool:
        """Return whether Keras 3, under its own name, lacks a name or module, `keras.engine`, or both Keras 3 and Keras
        2 lack it as part of TensorFlow."""
        inside, roots = inside_keras(path), ("keras.", "tensorflow.keras.")
        is_public = path.startswith(roots) and not path.startswith(("keras.src", "keras.api")) and "._" not in path
        only_today = path.startswith("keras.")
        return bool(inside) and is_public and not keras_names.is_known(inside or "", only_today=only_today)

    def symbol_attribute(self, symbol: Symbol, name: str) -> ProgramValue:
        """Evaluate a name behind a name: `keras.layers.Dense`, `np.pi`."""
        path = f"{symbol.path}.{name}"
        if path in self.interpreter.settings:
            return self.interpreter.settings[path]
        if symbol.path == "numpy" and name in arrays.CONSTANTS:
            return arrays.CONSTANTS[name]
        if path in CONSTANTS:
            return CONSTANTS[path]
        if symbol.path.startswith("tf_keras"):
            self.recorder.keras_2 = True
        if name == "newaxis":
            return None
        if path.startswith("tensorflow.") and symbol.path == "tensorflow" and name in DTYPES:
            return name
        self.check_import(symbol.path, name)
        if name == "__version__":
            return self.interpreter.unknown("the version of a library", path)
        supplied = self.interpreter.supplied_definition(path)
        return Symbol(path) if supplied is None else supplied

    # Calls --------------------------------------------------------------------------------------------------------

    def call_symbol(self, symbol: Symbol, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return the result of a call of a name; NotImplemented where the name is not one of Keras or TensorFlow."""
        what = resolve_keras_name(symbol.path)
        owner = resolve_keras_name(symbol.path.rpartition(".")[0]) if symbol.last in _OF_OBJECTS else None
        if owner is not None and owner.kind == "model" and not (args and isinstance(args[0], Instance | ModelValue)):
            words = f"{symbol.last} is a method of a model, got the class {owner.name}; make one first: {owner.name}()"
            self.fault(ArgumentError(words))
            return self.interpreter.unknown("a method of a class")
        if what is not None:
            return self._keras(what, symbol, args, kwargs)
        root, _, path = symbol.path.partition(".")
        loops = self.interpreter.kept(TapeLoops)
        if loops.are_followed and symbol.last == "GradientTape":
            return GradientTape(loops)
        return call_tensorflow(path, args, kwargs, self.parts) if root == "tensorflow" and path else NotImplemented

    def _keras(self, what: KerasName, symbol: Symbol, args: Arguments, kwargs: Keywords) -> ProgramValue:
        name = what.name
        if what.kind == "other" and what.path.startswith("callbacks."):
            self.parts.refusals.check_call(what.path, name, args, kwargs)
            result = callback(name, self.interpreter.unknown(f"the callback {name}"), args, kwargs)
            if isinstance(result, Callback):
                return result
        fits = self.parts.refusals.check_named_call(what, args, kwargs)
        if not fits and (what.kind == "operation" or name == "Input"):
            return self.interpreter.unknown(f"the call of {name}, which does not fit")
        if what.kind == "model":
            return self.parts.factory.make_model(name, args, kwargs)
        if what.kind == "layer":
            if name == "Input":
                return self.parts.factory.make_input(args, kwargs)
            if name in keras_names.MERGES:
                return self._merge(name, args, kwargs)
            return self.make_layer(name, args, kwargs, symbol.last)
        if what.kind == "function":
            if args and tensors_in(args):
                return self._activation(name, args, kwargs)
            if name in ("get", "deserialize") and args:
                given = "linear" if args[0] is None else args[0]
                return Symbol(f"{symbol.path.rpartition('.')[0]}.{given}") if isinstance(given, str) else given
            return Setting(name, {}, "activations")
        if what.kind == "setting":
            if name in ("get", "deserialize") and args:
                return Setting(args[0], {}, what.path) if isinstance(args[0], str) else args[0]
            return self.parts.factory.make_setting(what.path, name, args, kwargs)
        if what.kind == "operation" and name == "SeedGenerator":
            return Setting(name, dict(kwargs), what.path)
        if what.kind == "operation":
            return self.operation(name, args, kwargs, what.path)
        if what.kind == "backend":
            return call_backend(name, args, kwargs, self.parts)
        if what.kind == "data":
            return datasets.load(what.path, args, kwargs)
        if what.kind == "application":
            return self._application(what, args, kwargs)
        return call_utility(what, args, kwargs, self.parts)

    def _merge(self, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Evaluate `keras.layers.add([a, b])`: a layer made and called at once; Keras 1's `merge([a, b], mode=…)`
        too."""
        given = dict(kwargs)
        inputs = args[0] if args else given.pop("inputs", None)
        if name == "merge":
            given["mode"] = args[1] if len(args) > 1 else given.get("mode", "sum")
        elif name == "dot" and len(args) > 1:
            given["axes"] = args[1]
        return self.call_layer(self.make_layer(keras_names.MERGES[name], [], given), [inputs], {})

    def _application(self, what: KerasName, args: Arguments, kwargs: Keywords) -> ProgramValue:
        if what.name in ("preprocess_input", "decode_predictions"):
            if not args or not tensors_in(args):
                return args[0] if args else None
            module = what.path.split(".")[-2].replace("resnet50", "resnet")
            found = application(self.interpreter, what.name, args, kwargs, module)
            return self.opaque_call(what.path, args, kwargs) if isinstance(found, Unknown) else found
        result = application(self.interpreter, what.name, args, kwargs)
        if isinstance(result, Unknown) and what.name[:1].isupper():
            return self.recorder.opaque_model(what.name, result.reason, kwargs)
        if isinstance(result, ModelValue):
            given = {**dict(zip(keras_names.arguments(what.path), args, strict=False)), **kwargs}
            result.weights_note = without_values(given.get("weights", "imagenet"), self.interpreter)
        return result

    def call_unknown(
        self, function: Unknown, node: ast.Call, args: Arguments, kwargs: Keywords, frame: Frame
    ) -> ProgramValue:
        """Call what is not known. `X.add(layer)` on an undefined name makes X a Sequential model; what is
        called with tensors is an operation that is not known; what returns layers is a layer that is not known."""
        func = node.func
        if function.lacks == "name" and isinstance(func, ast.Name):
            words, is_class = f"{func.id} is not defined in this code", func.id[:1].isupper()
            words += "; give its code too" if is_class else ""
            function = function._replace(reason=words, lacks="", option="" if is_class else None)
        of = func.value if isinstance(func, ast.Attribute) and func.attr == "add" else None
        adds = bool(args) and layer_of(args[0]) is not None
        own = dotted(of).startswith("self.") if isinstance(of, ast.Attribute) else False
        is_own = own and (frame.holder("self") is None or frame.module.names.get("self") is not None)
        if of is not None and adds and ((isinstance(of, ast.Name) and frame.holder(of.id) is None) or is_own):
            model = self.recorder.model("sequential", "Sequential", "")
            model.name = self.recorder.draw("Sequential")
            self.recorder.register(model)
            self.interpreter.assign(of, model, frame)
            self.interpreter.effects.undefined.pop(of.id if isinstance(of, ast.Name) else "", None)
            self.parts.factory.add(model, args[0])
            return None
        if tensors_in([*args, *kwargs.values()]):
            return self.opaque_call(function.name or "function", args, kwargs, function)
        for layer in (layer_of(argument) for argument in [*args, *kwargs.values()]):
            if layer is not None:
                self.interpreter.effects.record_exposure(layer)
        return function

    # User-defined classes -------------------------------------------------------------------------------------------

    def declaration(self, layer: ModelValue) -> Declaration:
        """Return the declaration of a layer of the program."""
        if id(layer) not in self.declarations:
            cls = layer.instance.cls if layer.instance is not None else None
            code = Code(self.graphs, self.interpreter.where)
            self.declarations[id(layer)] = OwnLayer(cls, code, layer.type, layer)
        return self.declarations[id(layer)]

    def begin_instance(self, instance: Instance) -> None:
        """Prepare a new object of a class that the program defines: a layer, a model or another one."""
        root, what = instance.cls.root(), keras_names.base_of(instance.cls)
        is_module = root is not None and root.path in ("tensorflow.Module", "keras.Layer")
        if what is None and not is_module:
            return
        if what is not None and what.kind not in ("layer", "model") and what.name != "Layer":
            return
        layer = self.recorder.model("own", instance.cls.name, "")
        layer.instance = instance
        layer.config = {
            "base": what.name if what is not None else "Layer",
            "model": bool(what and what.kind == "model"),
        }
        if layer.config["base"] not in ("Layer", "Model", "Functional", "Sequential"):
            layer.reason = self.interpreter.unknown(f"{instance.cls.name} is a subclass of {layer.config['base']}")
        instance.layer = layer
        self.interpreter.effects.record_model_event()

    def finish_instance(self, instance: Instance) -> None:
        """End the making of an object: one that called no `super().__init__()` gets its name now."""
        layer = instance.layer
        if isinstance(layer, ModelValue) and layer.form == "own":
            if not layer.name:
                init = instance.cls.find("__init__")
                root = instance.cls.root()
                own = isinstance(init, Function) and not self.recorder.in_call and self.interpreter.effects.is_certain
                layer.config["unmade"] = own and root is not None and root.path != "tensorflow.Module"
                layer.name = default_name(layer.type) if isinstance(init, Function) else self.recorder.draw(layer.type)
            if layer.config.get("model"):
                self.recorder.register(layer)

    def call_base(self, of: object, function: Symbol, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return a method of Keras's own that a user-defined class calls: `super().__init__(…)`."""
        method = function.last
        instance = of if isinstance(of, Instance) else None
        layer = layer_of(of)
        if instance is None or layer is None:
            return None if method == "__init__" else self.interpreter.unknown(f"{function.path}(…)")
        if method == "__init__":
            self._base_init(instance, layer, args, kwargs)
            return None
        if method == "call" and isinstance(layer, ModelValue):
            if layer.form in ("sequential", "functional"):
                return self.call_layer(layer, args, kwargs)
            return self.interpreter.unknown(f"the call of {function.path}")
        if method == "compute_mask":
            return self.parts.own_calls.base_mask(instance, args, kwargs)
        if method in ("build", "__setattr__"):
            return None
        if method == "get_config":
            return {"name": layer.name, "trainable": layer.trainable}
        return self.call_method(layer, method, args, kwargs)

    def _base_init(self, instance: Instance, layer: LayerValue, args: Arguments, kwargs: Keywords) -> None:
        given = dict(kwargs)
        base = layer.config.get("base", "Layer")
        by_tensors = base in ("Model", "Functional") and (len(args) >= 2 or {"inputs", "outputs"} & given.keys())
        if by_tensors or base == "Sequential":
            model = self.parts.factory.make_model("Model" if by_tensors else "Sequential", args, given, instance)
            if isinstance(model, ModelValue):
                if layer in self.recorder.models:
                    self.recorder.models.remove(layer)
                instance.layer = model
            return
        if layer.config.get("base") not in (None, "Layer", "Model", "Functional") and layer.reason is not None:
            derived = self.derived(instance, str(base), args, given)
            if derived is not None:
                instance.layer = derived
                return
        wrong = next((key for key in given if key not in OF_LAYERS and key != "**"), None)
        if base == "Layer" and wrong is not None:
            hint = did_you_mean(wrong, sorted(OF_LAYERS)) or "it takes name, dtype and trainable"
            self.fault(ArgumentError(f"super().__init__() of {layer.type} has no argument '{wrong}'; {hint}"), wrong)
        if isinstance(layer, ModelValue) and not layer.name:
            if isinstance(given.get("trainable"), bool):
                layer.trainable = given["trainable"]
            layer.name = self.recorder.take_name(layer.type, given)

    def derived(
        self, instance: Instance, base: str, args: Arguments, given: dict[str, ProgramValue]
    ) -> LayerValue | None:
        """Return the layer of Keras that an object is whose class changes its arguments alone; None where it changes
        more."""
        declaration = find(base)
        if declaration is None or instance.cls.find("call") is not None:
            return None
        name = given.pop("name", None)
        layer: LayerValue = self.make_layer(base, args, {**given, "name": self.recorder.draw(instance.cls.name, name)})
        layer.declaration, layer.kind, layer.type = declaration, "custom", instance.cls.name
        layer.instance = instance
        return layer

    def _activation(self, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a function of keras.activations gives: that of keras.ops, whose gelu approximates unless told not
        to."""
        if name == "linear" and args:
            return args[0]
        if name == "relu" and unknown_in(args) is None:  # keras.activations has a class of its own for it
            return self.graphs.make_operation("Relu", args, kwargs, "ReLU")
        return self.operation(name, args, {"approximate": False, **kwargs} if name == "gelu" else kwargs)

    def call_setting(self, setting: Setting, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return a loss, an activation or an initializer that is called."""
        if setting.path == "activations" and tensors_in(args):
            return self._activation(setting.class_name, args, kwargs)
        if tensors_in([*args, *kwargs.values()]):
            return self.opaque_call(setting.class_name, args, kwargs)
        shape = args[0] if args else kwargs.get("shape")
        if "initializers" in setting.path and type(shape) in (list, tuple):
            return self.parts.operations.numbers("normal", [shape], {})
        return self.interpreter.unknown(f"the result of {setting.class_name}")


def keras_of(interpreter: Interpreter) -> Keras:
    """Return what is known of Keras while a program is read."""
    return cast(Keras, interpreter.frameworks[0])


_OF_MODELS = frozenset({"layer", "model", "application", "operation", "function"})
_CHANGING = frozenset({"clear_session", "clone_model", "set_global_policy", "set_policy", "set_image_data_format"})
_OF_OBJECTS = frozenset(["add", "compile", "evaluate", "fit", "predict", "summary"])
"""Methods of a model that are never called on its class without one."""

_KNOWN_STARS = frozenset({"keras", "tensorflow", "tf_keras", "numpy", "math", "os", "matplotlib", "pylab", "typing"})
"""Libraries all of whose names may be imported without hiding a layer of Keras."""


# Source -------------------------------------------------------------------------------------------------------------
# The classes of an installed Keras's layers, from their source: it is found, not imported, and read as text as the
# program is. A user-defined class that changes how such a layer computes is followed through it.

_CLASS = re.compile(r"^class (\w+)\(", re.MULTILINE)
_SAYS_NOTHING = frozenset({"__init__", "get_config", "from_config", "compute_output_shape", "compute_output_spec"})
"""Methods that change nothing of what a layer computes."""


@cache
def keras_folder() -> str | None:
    """Return the folder of the installed Keras, which is found and not imported; None where there is none."""
    try:
        spec = find_spec("keras")
    except (ImportError, ValueError):
        return None
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    return places[0] if places and os.path.isdir(os.path.join(places[0], "src", "layers")) else None


@cache
def _homes() -> dict[str, str]:
    """Return the source file of each layer class of the installed Keras, by class name."""
    folder = keras_folder()
    results: dict[str, str] = {}
    for place, _, names in os.walk(os.path.join(folder, "src", "layers")) if folder is not None else ():
        for name in sorted(names):
            if name.endswith(".py") and not name.endswith("_test.py"):
                path = os.path.join(place, name)
                with open(path, encoding="utf-8") as file:
                    for match in _CLASS.findall(file.read()):
                        results.setdefault(match, path)
    return results


def source_class(interpreter: Interpreter, name: str) -> Class | None:
    """Return a layer class as the source of the installed Keras defines it; None where it has no such class."""
    path, folder = _homes().get(name), keras_folder()
    read = None if path is None or folder is None else read_module(path, os.path.relpath(path, os.path.dirname(folder)))
    if read is None:
        return None
    # Without a folder, what it imports are names of Keras, as they are in a program.
    value = interpreter.module_of(name, read._replace(folder=None)).frame.names.get(name)
    return value if isinstance(value, Class) else None


def with_source(interpreter: Interpreter, cls: Class) -> None:
    """Put the source of Keras's layers in place of bases whose computation a class changes, or that are Keras's own."""
    for place, base in enumerate(cls.bases):
        if not isinstance(base, Symbol) or inside_keras(base.path) is None or base.last in ("Layer", "Wrapper"):
            continue
        what = resolve_keras_name(base.path)
        is_layer = what is not None and what.kind == "layer"
        is_inner = what is not None and what.kind == "other" and "layers" in base.path.split(".")
        if (is_layer and _changes(cls)) or (is_inner and base.last in _homes()):
            result = source_class(interpreter, what.name if what is not None and is_layer else base.last)
            if result is not None and result is not cls:
                cls.bases[place] = result


def _changes(cls: Class) -> bool:
    """Return whether a class has methods that change what its layer computes."""
    own: dict[str, ProgramValue] = cls.attributes
    return any(isinstance(value, Function) and value.kind != "property" and name not in _SAYS_NOTHING
               for name, value in own.items())  # fmt: skip


# Applications -------------------------------------------------------------------------------------------------------
# The models of keras.applications, from the source of an installed Keras: it is read as text, as the program is.

_FOLDER = os.path.join("src", "applications")


@cache
def _applications() -> dict[str, str]:
    """Return the module of each function of keras.applications that makes a model or helps to."""
    folder = keras_folder()
    results: dict[str, str] = {}
    for name in sorted(os.listdir(os.path.join(folder, _FOLDER))) if folder is not None else ():
        if not name.endswith(".py") or name.endswith("_test.py"):
            continue
        with open(os.path.join(folder or "", _FOLDER, name), encoding="utf-8") as file:
            for line in file:
                if line.startswith("def ") and not line.startswith("def preprocess_input"):
                    results.setdefault(line[4:].partition("(")[0], name)
    return results


def application(reader: Interpreter, name: str, args: Arguments, kwargs: Keywords, module: str = "") -> ProgramValue:
    """Return the result of a function of keras.applications, of a module of it where several have the function; Unknown
    where no Keras is installed whose source has it."""
    home, folder = f"{module}.py" if module else _applications().get(name), keras_folder()
    if home is None or folder is None:
        why = (
            "no Keras is installed whose source could be read" if folder is None else "it is not in the installed Keras"
        )
        return Unknown(f"{name} of keras.applications is not known: {why}")
    read = read_module(os.path.join(folder, _FOLDER, home), f"keras/applications/{home}")
    # Without a folder, what it imports are names of Keras, as they are in a program.
    names = {} if read is None else reader.module_of(home, read._replace(folder=None)).frame.names
    if name not in names:
        return Unknown(f"{name} of keras.applications could not be read")
    return reader.call(names[name], args, kwargs)


def without_values(weights: ProgramValue, interpreter: Interpreter) -> str:
    """Return the note on `weights='imagenet'`, which is not loaded; "" where a model has no stored weights."""
    if not isinstance(weights, str):
        return ""
    return (
        f"{interpreter.where(interpreter.place())}: weights={weights!r} are not loaded: shapes and counts are exact, "
        "the values are not known; to see values, run model.save('model.keras') in Python and give that file"
    )
