"""What Keras refuses of a program: names that it does not have, arguments that do not fit, settings that it has not.

Each is a fault with its line. What Keras 2 takes and Keras 3 refuses is a note: such a program is an older one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from layerexplain.errors import ArgumentError, ShapeError, did_you_mean
from layerexplain.frontends.code.library import keras_names
from layerexplain.frontends.code.library.keras_names import KerasName, inside_keras, layer_names, resolve_keras_name
from layerexplain.frontends.code.messages import todays_code
from layerexplain.frontends.code.recorder.nodes import Recorder
from layerexplain.frontends.code.values.base import DTYPES, Arguments, Keywords, ProgramValue, Symbol
from layerexplain.frontends.code.values.layers import (
    GraphTensor,
    LayerValue,
    ModelValue,
    Tensor,
    Variable,
    calls_before,
    tensors_in,
)
from layerexplain.frontends.code.values.objects import Setting
from layerexplain.frontends.code.values.operators import each_in
from layerexplain.frontends.code.values.program import layer_of
from layerexplain.frontends.keras.old_names import is_older
from layerexplain.frontends.spec.settings import OLD_ARGUMENTS, STILL_TAKEN
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.registry import facts_of, find, part_names, part_of

_WHOLE = frozenset(
    """
    activations losses metrics optimizers initializers regularizers constraints ops random optimizers.schedules
    """.split()  # noqa: SIM905
)
"""Modules of which today's names are all that there ever were, but for other spellings."""

_OLD_MODULES = frozenset(
    """
    engine objectives np_utils generic_utils core convolutional recurrent embeddings noise wrappers merge pooling
    local advanced_activations convolutional_recurrent normalization visualize_util vis_utils data_utils layer_utils
    topology training legacy io_utils conv_utils multi_gpu_utils test_utils tensorflow_backend load_backend common
    contrib network base_layer sequential input_layer callbacks_v1 python api src scikit_learn tensorflow_backend
    cntk_backend preprocessing containers advanced attention rnn image_preprocessing text_dataset feature_column
    estimator premade premade_models activity_l1 activity_l2 activity_l1l2 WeightRegularizer
    """.split()  # noqa: SIM905
)
"""Modules and names of older Keras, and those inside of its source."""

_INSIDE = ("keras.src", "tf_keras.src", "tensorflow.python", "keras_core")
"""Where there are other names than the public ones of today."""

_OF_OPTIMIZERS = frozenset(
    """
    name weight_decay clipnorm clipvalue global_clipnorm use_ema ema_momentum ema_overwrite_frequency
    loss_scale_factor gradient_accumulation_steps jit_compile is_legacy_optimizer lr decay epsilon momentum
    """.split()  # noqa: SIM905
)
_STARS: dict[str, frozenset[str]] = {
    "Model.compile": frozenset({"sample_weight_mode", "target_tensors", "distribute", "options", "run_metadata"}),
    "Input": frozenset({"batch_input_shape", "input_shape"}),
}
"""What stands for `**` in what is called."""

_OLD = {
    "Model.fit": "nb_epoch nb_val_samples samples_per_epoch nb_worker val_samples show_accuracy nb_batch",
    "Model.fit_generator": "nb_epoch nb_val_samples samples_per_epoch nb_worker pickle_safe max_q_size",
    "Model.evaluate": "show_accuracy val_samples",
    "Model.compile": "class_mode theano_mode",
    "layers.Attention": "causal",
    "layers.AdditiveAttention": "causal",
}
_OLD_OF_TENSORFLOW = frozenset(
    ["reduction_indices", "keep_dims", "dim", "concat_dim", "split_dim", "squeeze_dims", "logits", "targets"]
)

OF_LAYERS = frozenset(
    """
    activity_regularizer trainable dtype autocast name input_shape batch_input_shape input_dim batch_size
    dynamic weights input_dtype implementation input_length
    """.split()  # noqa: SIM905
)
"""What `super().__init__()` of a layer takes."""

_OF_OLDER_LAYERS = frozenset(["batch_input_shape", "batch_size", "input_length", "weights"])
"""Arguments that all layers had before Keras 3."""

_POLICIES = frozenset({"mixed_float16", "mixed_bfloat16", "float", "half", "double", "int", "string", "resource"})

_KINDS = {
    "initializer": ("initializers", "he_normal"),
    "regularizer": ("regularizers", "l2"),
    "constraint": ("constraints", "max_norm"),
}
"""Arguments of layers by their last word: the module that has them, and one of them."""

_ALSO = frozenset({"acc", "accuracy", "crossentropy", "ce", "auc", "zero", "one", "uniform", "normal"})


def _plainly(name: str) -> str:
    return name.replace("_", "").replace(".", "").lower()


class Refusals:
    """What Keras refuses of names, arguments and settings."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder, self.interpreter, self.fault = recorder, recorder.interpreter, recorder.fault

    def check_states(self, layer: LayerValue, tensor: object) -> None:
        """Keep the fault of a layer that keeps its states between batches and does not know how many examples they are
        of. Nothing is said behind what may fix the batch: an operation, or code that is not read."""
        inner = layer.config.get("layer")
        parts = [layer, inner] if isinstance(inner, LayerValue) else [layer]
        keeps = next((part for part in parts if part.config.get("stateful") is True), None)
        declaration = find(keeps.type) if keeps is not None and keeps.kind == "layer" else None
        if keeps is None or declaration is None or not declaration.takes_states:
            return
        shapes = _input_shapes(tensor) if isinstance(tensor, GraphTensor) else None
        if shapes and all(shape[0] is None for shape in shapes):
            right = f"Input(batch_shape=({', '.join(map(str, (32, *shapes[0][1:])))}))"
            fact = f"{keeps.type} with stateful=True needs a fixed batch size, got None; for example {right}"
            self.fault(ShapeError(fact), layer.place)

    # Names ----------------------------------------------------------------------------------------------------------

    @staticmethod
    def is_older_module(path: str) -> bool:
        """Return whether a name is a module of an older Keras."""
        return path.rpartition(".")[2] in _OLD_MODULES or keras_names.is_module(inside_keras(path) or "")

    def check_name(self, path: str) -> None:
        """Keep the fault of a name that Keras does not have: a module, a layer, a loss."""
        inside = inside_keras(path)
        if not inside or path.startswith(_INSIDE):
            return
        module, _, name = inside.rpartition(".")
        if name in ("get_custom_objects", "custom_object_scope", "CustomObjectScope", "register_keras_serializable"):
            self.recorder.has_custom_objects = True
        today = keras_names.is_known(inside, only_today=True) or inside.startswith("preprocessing.")
        if keras_names.is_module(inside) and not today:
            missing = path if keras_names.is_known(module, only_today=True) else path.rpartition(".")[0]
            self.recorder.older(f"Keras 3 has no module '{missing}'")
        if name.startswith("_") or name in _OLD_MODULES or keras_names.is_known(inside) or module.startswith("backend"):
            return
        if any(part in _OLD_MODULES for part in module.split(".")) or not keras_names.is_module(module):
            return
        if name in layer_names() and module in ("", "layers", "models"):
            self.recorder.older(f"{path} is a name of older Keras", than=2)
            return
        known = keras_names.names_in(module)
        if module in _WHOLE and _plainly(name) in {_plainly(item) for item in known}:
            return
        of_its_kind = [item for item in known if item[:1].isupper() == name[:1].isupper()]
        hint = did_you_mean(name, of_its_kind) or did_you_mean(name, known)
        if hint or module in _WHOLE:
            before = path.rpartition(".")[0]
            self.fault(ArgumentError(f"{before} has no '{name}'" + (f"; {hint}" if hint else "")))

    # Calls ----------------------------------------------------------------------------------------------------------

    def check_call(self, path: str, shown: str, args: Arguments, kwargs: Keywords, stars: Collection[str] = ()) -> bool:
        """Keep the fault of a call that does not fit what Keras's function takes. Returns whether it fits."""
        if "**" in kwargs:
            return True
        old = _OLD.get(path, "").split()
        if path.startswith("tf."):
            old = list(_OLD_OF_TENSORFLOW)
        for name in [name for name in kwargs if name in old]:
            misfit = keras_names.misfit(path, 0, [name], stars or _STARS.get(path, ()))
            if misfit is not None and f"'{name}'" in misfit.words:
                self.recorder.older(f"{name} of {shown} is an argument of older versions", than=2)
        names = [name for name in kwargs if name not in old]
        misfit = keras_names.misfit(path, len(args), names, stars or _STARS.get(path, ()))
        if misfit is None or misfit.only_today or (len(names) < len(kwargs) and "is given no" in misfit.words):
            return True
        self.fault(ArgumentError(f"{shown} {misfit.words}"), misfit.argument)
        return False

    def check_named_call(self, what: KerasName, args: Arguments, kwargs: Keywords) -> bool:
        """Keep the fault of a call of a name of Keras. Returns whether it fits."""
        kind, path = what.kind, what.path
        mark = self.interpreter.effects.mark()
        if kind == "setting":
            is_optimizer = path.startswith("optimizers.") and "schedules" not in path
            stars = _OF_OPTIMIZERS if is_optimizer else frozenset({"l"}) if path.startswith("regularizers.") else ()
            self.check_call(path, what.name, args, kwargs, stars)
            if is_optimizer and "lr" in kwargs:
                self.recorder.older(f"lr of {what.name} is an argument of older Keras; in Keras 3: learning_rate")
            rate = args[0] if args else kwargs.get("learning_rate")
            if is_optimizer and isinstance(rate, str):
                words = f"{what.name} needs learning_rate to be a number or a schedule, got {rate[:40]!r}"
                self.fault(ArgumentError(words), "learning_rate", ("learning_rate",))
        elif kind == "operation" or path in ("Input", "layers.Input", "layers.InputLayer"):
            self.check_call(path, f"keras.{path}" if kind == "operation" else what.name, args, kwargs)
        elif what.name == "Sequential":
            if len(args) > 1 and type(args[1]) in (list, tuple):
                self.fault(ArgumentError("Sequential takes one list of layers, got two; join them"), 1)
            elif len(args) == 1 or not args:
                self.check_call("Sequential", "Sequential", args, kwargs)
        elif what.name == "Model":
            if len(args) > 3:
                self.fault(ArgumentError(f"Model takes inputs, outputs and name, got {len(args)} values"), 3)
            if kwargs.keys() & {"input", "output"}:
                self.recorder.older(
                    "input and output of Model are arguments of older Keras; in Keras 3: inputs and outputs", than=2
                )
        return not self.interpreter.effects.since(mark).faults

    def check_method(self, layer: LayerValue, name: str, args: Arguments, kwargs: Keywords) -> None:
        """Keep the fault of a method that is called with other arguments than it takes."""
        owners = ["Model", "Layer"] if isinstance(layer, ModelValue) else ["Layer"]
        if isinstance(layer, ModelValue) and layer.form == "sequential":
            owners.append("Sequential")
        owner = next((item for item in owners if keras_names.is_known(f"{item}.{name}")), None)
        if name in ("call", "__call__", "build", "compute_mask", "add_loss", "add_metric") or owner is None:
            return
        if name == "add_weight" and args and isinstance(args[0], str):
            self.recorder.older("add_weight takes the shape first in Keras 3; give the name as name=")
            return
        if self.check_call(f"{owner}.{name}", f"{name}()", args, kwargs) and name == "compile":
            self._check_compiled(args, kwargs)
        if name == "add_weight":
            for key in ("initializer", "regularizer", "constraint"):
                self.check_setting(key, kwargs.get(key), "add_weight")

    def check_layer_call(self, layer: LayerValue, args: Arguments, kwargs: Keywords) -> bool:
        """Keep the fault of a layer of Keras that is called with more or other than it takes. Returns whether it
        fits."""
        if layer.kind != "layer" or isinstance(layer, ModelValue) or "**" in kwargs:
            return True
        path, type_ = f"layers.{layer.type}.call", layer.type
        if not keras_names.is_known(path):
            return True
        names = [name for name in kwargs if name not in ("training", "constants")]
        misfit = keras_names.misfit(path, len(args), names)
        if misfit is not None and not misfit.only_today:
            listed = (
                len(args) > 1
                and all(tensors_in([argument]) for argument in args)
                and keras_names.misfit(path, 1, names) is None
            )
            takes_list = type_ in keras_names.MERGES.values()
            hint = "; give the same tensor twice for self-attention" if "given no value" in misfit.words else ""
            if listed and takes_list:
                hint = f"; give them as one list: {type_}(…)([a, b])"
            self.fault(ArgumentError(f"the call of {type_} {misfit.words}{hint}"), misfit.argument)
            return False
        if len(args) > 1 and isinstance(args[1], Tensor) and keras_names.arguments(path)[1:2] == ("training",):
            fact = f"the call of {type_} takes one tensor, got {len(args)}; make one of them first, for example with"
            self.fault(ArgumentError(f"{fact} Concatenate()"), 1)
            return False
        first = args[0] if args else None
        if isinstance(first, Tensor) and facts_of(type_).takes_list and len(args) > 1 and isinstance(args[1], Tensor):
            self.fault(ArgumentError(f"the call of {type_} takes its tensors as one list: {type_}(…)([a, b])"), 1)
            return False
        declaration = find(type_)
        one_tensor = declaration is not None and len(declaration.tensors) == 1 and declaration.variadic is None
        several = [*first] if type(first) in (list, tuple) else []  # type: ignore[misc]  # known by its type
        if one_tensor and not facts_of(type_).takes_list and len(several) > 1 and len(tensors_in(several)) > 1:
            fact = f"the call of {type_} takes one tensor, got a list of {len(several)}; join them first"
            self.fault(ArgumentError(f"{fact}, for example with Concatenate()"), 0)
            return False
        if not self.recorder.in_call and args and (words := _no_tensor(first)) is not None:
            self.fault(ArgumentError(f"{type_} is called on {words}"), 0)
            return False
        return True

    def check_arguments(self, type_: str, kwargs: Mapping[str, ProgramValue], declaration: Declaration | None) -> None:
        """Keep the fault of an argument that a layer of Keras does not take, though files and older Kerases have it, or
        other layers."""
        if declaration is None:
            return
        known = {*declaration.arguments, *declaration.ignores, *OF_LAYERS, *OLD_ARGUMENTS, "unroll"}
        for name, value in kwargs.items():
            if name in _OF_OLDER_LAYERS and type_ not in STILL_TAKEN.get(name, ()) and value is not None:
                shown = str(value) if type(value) in (int, tuple) else ""
                takes = "ignores" if (type_, name) == ("Embedding", "input_length") else "refuses"
                self.recorder.older(f"Keras 3 {takes} {name} of {type_}: {todays_code(type_, name, shown)}")
            if (name not in known and not name.endswith(tuple(_KINDS))) or is_older(type_, name):
                continue
            if name in _OLD.get(f"layers.{type_}", "").split():
                self.recorder.older(f"{name} of {type_} is an argument of older Keras")
                continue
            misfit = keras_names.misfit(f"layers.{type_}", 0, [name], OF_LAYERS, whole=False)
            if misfit is not None and misfit.only_today:
                self.recorder.older(f"{name} of {type_} is an argument of older Keras")
            elif misfit is not None:
                self.fault(ArgumentError(f"{type_} {misfit.words}"), name)

    def fill_older(self, type_: str, given: dict[str, ProgramValue]) -> None:
        """Give the argument that only older Keras had a default for."""
        if type_.startswith("AveragePooling") and "pool_size" not in given:
            given["pool_size"] = 2
            self.recorder.older(f"{type_}() without pool_size is older Keras; in Keras 3: pool_size=2")

    def passes_over(self, type_: str, name: str) -> bool:
        """Return whether Keras takes an argument of a layer that no declaration has: what it does stays open."""
        path = f"layers.{type_}"
        misfit = keras_names.misfit(path, 0, [name], OF_LAYERS, whole=False)
        if not keras_names.is_known(path) or not (misfit is None or misfit.only_today):
            return False
        self.interpreter.effects.mark_incomplete(self.interpreter.unknown(f"what {name} of {type_} does is not known"))
        return True

    # Settings -------------------------------------------------------------------------------------------------------

    def check_settings(self, type_: str, given: dict[str, ProgramValue]) -> None:
        """Keep the faults of initializers, regularizers, constraints and dtypes that Keras does not have."""
        for key, value in given.items():
            self.check_setting(key, value, type_)
        dtype = given.get("dtype")
        if isinstance(dtype, str) and dtype not in DTYPES | _POLICIES and "_from_" not in dtype:
            hint = did_you_mean(dtype, sorted(DTYPES | _POLICIES)) or "for example dtype='float32'"
            words = f"{type_} needs dtype to be one of Keras's, got dtype='{dtype[:40]}'; {hint}"
            self.fault(ArgumentError(words), "dtype")

    def check_setting(self, key: str, value: object, type_: str) -> None:
        """Keep the fault of one such argument."""
        kind = _KINDS.get(key.rpartition("_")[2])
        if kind is None or value is None or self.recorder.has_custom_objects:
            return
        module, example = kind
        word = key.rpartition("_")[2]
        if isinstance(value, bool | int | float):
            right = f"{key}='{example}'" if word != "regularizer" else f"{key}=keras.regularizers.L2({value})"
            words = f"{type_} needs {key} to be {_a(word)}, got {key}={value!r}; for example {right}"
            self.fault(ArgumentError(words), key)
        elif isinstance(value, str):
            known = keras_names.names_in(module)
            if _plainly(value) not in {_plainly(item) for item in known} | _ALSO:
                hint = did_you_mean(value, known) or f"for example {key}='{example}'"
                self.fault(ArgumentError(f"Keras has no {word} '{value[:40]}' ({key} of {type_}); {hint}"), key)

    def _check_compiled(self, args: Arguments, kwargs: Keywords) -> None:
        """Keep the faults of a loss, an optimizer or a metric that Keras does not have."""
        order = ("optimizer", "loss", "loss_weights", "metrics")
        given = {**dict(zip(order, args, strict=False)), **kwargs}
        optimizer = given.get("optimizer")
        if (
            isinstance(optimizer, Symbol)
            and (what := resolve_keras_name(optimizer.path)) is not None
            and what.kind == "setting"
        ):
            words = f"compile needs an optimizer, got the class {optimizer.last}; make one: {optimizer.last}()"
            self.fault(ArgumentError(words), "optimizer", order)
        for module, kind, example, values in (
            ("optimizers", "optimizer", "adam", [optimizer]),
            ("losses", "loss", "mse", each_in(given.get("loss"))),
            ("metrics", "metric", "accuracy", each_in(kwargs.get("metrics"))),
        ):
            for value in values:
                if isinstance(value, bool | int | float) or (isinstance(value, str) and not self._has(module, value)):
                    hint = did_you_mean(str(value), _names_like(module)) or f"for example {example}"
                    words = f"Keras has no {kind} {value!r}; {hint}"
                    self.fault(ArgumentError(words), module if module in order else kind, order)

    def _has(self, module: str, name: str) -> bool:
        if self.recorder.has_custom_objects or name == "":
            return True
        known = {_plainly(item) for item in keras_names.names_in(module)} | _ALSO
        if module == "metrics":
            known |= {_plainly(item) for item in keras_names.names_in("losses")}
        return _plainly(name) in known or (module in ("losses", "optimizers") and part_of(module, name) is not None)


def _names_like(module: str) -> list[str]:
    """Return the losses, metrics or optimizers of Keras as programs write them."""
    if module == "metrics":
        return ["accuracy", *keras_names.names_in("metrics")]
    return [name.lower() for name in part_names(module)] if module == "optimizers" else part_names(module, aliases=True)


def _a(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _no_tensor(value: object) -> str | None:
    """Return what a layer is called on that is no tensor, and what would be right; None for what may be one."""
    if isinstance(value, str | bool | int | float):
        return f"{value!r}; call it on a tensor: the result of another layer, or an Input"
    if isinstance(value, Symbol) and (what := resolve_keras_name(value.path)) is not None and what.kind == "layer":
        return f"the class {value.last}; make and call it: {value.last}(…)(x)"
    layer = layer_of(value)
    if layer is not None and not isinstance(value, Tensor | Variable | Setting):
        return f"the layer '{layer.name}'; call it: {layer.type}(…)(x)"
    return None


def _input_shapes(tensor: Tensor) -> list[Sequence[ProgramValue]] | None:
    """Return the shapes, with the batch, of the inputs that feed a tensor through layers of Keras alone; None where one
    is not known, or something else stands between."""
    calls = calls_before(tensor)
    shapes = [node.layer.config.get("batch_shape") for node in calls if node.layer.type == "InputLayer"]
    known: list[Sequence[ProgramValue]] = [shape for shape in shapes if isinstance(shape, list | tuple) and shape]
    return known if len(known) == len(shapes) and all(node.layer.kind == "layer" for node in calls) else None
