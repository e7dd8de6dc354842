"""The parts of Keras in one program, and its functions beside keras.ops, with those of TensorFlow."""

from __future__ import annotations

from layerexplain.errors import ArgumentError
from layerexplain.frontends.code.library import keras_datasets as datasets
from layerexplain.frontends.code.library.keras_attributes import LayerAttributes
from layerexplain.frontends.code.library.keras_cloning import Cloning, source_inputs
from layerexplain.frontends.code.library.keras_loops import TapeLoops
from layerexplain.frontends.code.library.keras_making import Calling, LayerFactory
from layerexplain.frontends.code.library.keras_names import KerasName, tensorflow_function
from layerexplain.frontends.code.library.keras_operations import SIZES, Operations
from layerexplain.frontends.code.library.keras_refused_calls import Refusals
from layerexplain.frontends.code.library.keras_refused_data import DataChecks
from layerexplain.frontends.code.library.keras_run_time_sizes import BATCH_FLATTEN, RunTimeSizes, holds_size
from layerexplain.frontends.code.library.signatures import declared, fitting, in_order
from layerexplain.frontends.code.machine.interpreter import FunctionTable, Interpreter
from layerexplain.frontends.code.recorder.nodes import ModelLibrary, Recorder
from layerexplain.frontends.code.recorder.own_calls import OwnCalls
from layerexplain.frontends.code.recorder.tracing import Graphs
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import Arguments, Keywords, ProgramError, ProgramValue, Symbol, Unknown
from layerexplain.frontends.code.values.layers import GraphTensor, ModelValue, Tensor, tensors_in
from layerexplain.frontends.code.values.objects import Setting
from layerexplain.frontends.code.values.program import Partial, layer_of
from layerexplain.layers.registry import find

# Keras parts --------------------------------------------------------------------------------------------------------
# Keras in one program, in parts that each do one job.


class KerasParts:
    """The parts, each of which knows those before it alone."""

    def __init__(self, framework: ModelLibrary, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self.recorder = Recorder(framework, interpreter)
        self.own_calls = OwnCalls(self.recorder)
        self.graphs = Graphs(self.own_calls)
        self.refusals = Refusals(self.recorder)
        self.data = DataChecks(self.graphs)
        self.factory = LayerFactory(self.data, self.refusals)
        self.calling = Calling(self.factory)
        self.sizes = RunTimeSizes(self.graphs)
        self.operations = Operations(self.sizes)
        self.attributes = LayerAttributes(self.calling, self.operations)
        self.cloning = Cloning(self.graphs)


# Tensorflow ---------------------------------------------------------------------------------------------------------
# Functions of TensorFlow, on tensors of Keras and on numbers.

_AS_KERAS = {"einsum": "einsum", "linalg.einsum": "einsum", "nn.moments": "moments"}
"""Functions that are those of keras.ops."""
_OF_LISTS = frozenset({"add_n", "concat", "stack", "meshgrid", "parallel_stack"})
"""Functions that take a list of tensors; to the others a list is one tensor with an axis more."""
_OF_ANY_OBJECT = frozenset({"is_tensor", "get_static_value", "cond", "function"})
"""Functions that take a tensor of Keras 3 outside of any layer, as they take any object."""
_OF_NUMPY = {"reduce_prod": "prod", "reduce_sum": "sum", "range": "arange", "concat": "concatenate"}
"""Functions that NumPy has under another name."""
_ONLY_RUN = ("data.", "io.", "image.", "train.", "distribute.", "config.")
"""Modules of which is known only when the code runs what they give."""

tensorflow: FunctionTable[KerasParts] = FunctionTable()


def call_tensorflow(path: str, args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    """Return what a function of TensorFlow gives, by its name behind `tensorflow.`."""
    args = [keras.operations.with_weights(argument) for argument in args]
    kwargs = {key: keras.operations.with_weights(value) for key, value in kwargs.items() if key != "name"}
    last = path.rpartition(".")[2]
    tensors = tensors_in([*args, *kwargs.values()])
    if any(isinstance(tensor, GraphTensor) for tensor in tensors) and path not in _OF_ANY_OBJECT:
        words = f"Keras 3 refuses tf.{path} on a tensor of Keras"
        is_of_today = "keras" in keras.interpreter.import_roots and not keras.recorder.is_older
        if is_of_today and not keras.interpreter.kept(TapeLoops).has_tape:
            keras.interpreter.fault(
                ArgumentError(f"{words} outside of a layer: use keras.ops, or tf.keras before 2.16")
            )
        else:
            keras.recorder.older(f"{words}; keras.ops has what it takes")
    today = path.removeprefix("compat.v1.").removeprefix("compat.v2.")
    if today in ("shape", "size", "rank"):
        return keras.operations.size(last, args, kwargs)
    of_keras = path.removeprefix("experimental.numpy.")
    if of_keras != path or (of_keras := _AS_KERAS.get(path, "")):
        shown = f"numpy.{of_keras}" if of_keras in path else f"tf.{path}"
        return keras.operations.operation(of_keras, args, kwargs, shown)
    args, kwargs = in_order(f"tf.{tensorflow_function(path) or today}", args, kwargs)
    result = tensorflow.call(today, args, kwargs, keras)
    if result is NotImplemented:
        result = keras.sizes.with_run_time_sizes(last, args, kwargs)
    if result is not NotImplemented:
        return result
    if tensors:
        return _operation(path, args, kwargs, keras)
    if path.startswith(_ONLY_RUN) or not (args or kwargs):
        return keras.interpreter.unknown(f"it comes from tf.{path}(…), which is known only when the code runs")
    result = keras.operations.numbers(_OF_NUMPY.get(last, last), args, kwargs)
    of_numpy = isinstance(result, Unknown) and result.reason.startswith("it comes from np.")
    return result._replace(reason=f"it comes from tf.{path}(…)") if of_numpy else result


tensorflow.add({"Variable": lambda args, kwargs, keras: keras.operations.variable(args, kwargs)})


@tensorflow("ensure_shape")
def _ensure_shape(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    if len(args) > 1 and isinstance(args[0], Tensor):
        keras.own_calls.tell_shape(args[0], args[1])
    return NotImplemented


@tensorflow("function")
def _function(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    if tensors_in([*args, *kwargs.values()]):
        return NotImplemented
    return args[0] if args else None


@tensorflow("random.set_seed", "config.run_functions_eagerly", "device")
def _without_effect(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    return NotImplemented if tensors_in([*args, *kwargs.values()]) else None


@tensorflow("TensorShape")
def _tensor_shape(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    if not args or tensors_in([*args, *kwargs.values()]):
        return NotImplemented
    return tuple(args[0]) if type(args[0]) in (list, tuple) else args[0]


def _operation(path: str, args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    """Return what a function on tensors gives: an operation with a formula, or one that is not read."""
    given = [*args, *kwargs.values()]
    name, last = tensorflow_function(path), path.rpartition(".")[2]
    unknown = next((item for item in given if isinstance(item, Unknown)), None)
    if unknown is not None or name is None:
        return keras.recorder.opaque_call(f"tf.{path}", args, kwargs, unknown)
    call = (f"tf.{name}", f"tf.{path}", args, kwargs)
    if not path.startswith("compat") and not (keras.refusals.check_call(*call) and keras.operations.check_axis(*call)):
        return keras.interpreter.unknown(f"the call of tf.{path}, which does not fit")
    if args and type(args[0]) in (list, tuple) and args[0] and last not in _OF_LISTS:
        args = [keras.operations.stacked(args[0]), *args[1:]]
    args, kwargs = keras.operations.with_sizes("TFOpLambda", args, kwargs)
    declaration, signature = find(f"tf.{name}"), fitting(f"tf.{name}", args, kwargs)
    if declaration is not None and signature is not None and not signature.any_count:
        args, kwargs, unread = declared(declaration, signature, args, kwargs)
        if unread:
            why = keras.interpreter.unknown(f"{unread[0]} of tf.{path}")
            return keras.recorder.opaque_call(f"tf.{path}", args, kwargs, why)
    if holds_size([*args, *kwargs.values()]):
        why = keras.interpreter.unknown("a size known at run time only")
        return keras.recorder.opaque_call(f"tf.{path}", args, kwargs, why)
    layer = keras.recorder.layer("TFOpLambda", "operation", "", {"function": name})
    layer.name = keras.recorder.draw(f"tf.{name}" if keras.recorder.keras_2 else last, operation=True)
    return keras.graphs.results(layer, keras.recorder.node(layer, tuple(args), kwargs))


# Backend ------------------------------------------------------------------------------------------------------------
# `keras.backend`, whose functions Keras 3 has in `keras.ops`.

_SAME_NAME = """
sum mean max min prod exp log sqrt square abs clip softmax relu tanh sigmoid softplus elu concatenate reshape
expand_dims squeeze stack transpose cast argmax argmin maximum minimum sign sin cos var std any all cumsum cumprod tile
equal greater less not_equal stop_gradient round logsumexp zeros_like ones_like one_hot hard_sigmoid
"""
TODAY = {
    "pow": "power",
    "permute_dimensions": "transpose",
    "repeat_elements": "repeat",
    "identity": "copy",
    **{name: name for name in _SAME_NAME.split()},
}
"""Functions of keras.backend that are those of keras.ops, in today's names."""
_OF_TENSORFLOW = {
    "l2_normalize": "math.l2_normalize", "switch": "where", "gather": "gather",
    "reverse": "reverse",
}  # fmt: skip
"""Functions of keras.backend that are those of TensorFlow."""
_LAYERS = {
    "repeat": "RepeatVector", "batch_flatten": "Flatten", "temporal_padding": "ZeroPadding1D", "dropout": "Dropout",
    "spatial_2d_padding": "ZeroPadding2D", "spatial_3d_padding": "ZeroPadding3D",
}  # fmt: skip
"""Functions of keras.backend that compute what a layer does."""
_SETTINGS = {
    "epsilon": 1e-7, "floatx": "float32", "backend": "tensorflow", "is_flash_attention_enabled": False,
    "image_data_format": "channels_last", "image_dim_ordering": "tf",
}  # fmt: skip
"""What Keras's settings are where no program changes them."""
_NUMBERS = {
    "random_normal": "normal", "random_uniform": "uniform", "constant": "constant", "zeros": "zeros", "ones": "ones",
}  # fmt: skip
"""Functions that make numbers, and their names in keras.ops and keras.random."""

function: FunctionTable[KerasParts] = FunctionTable()


def call_backend(name: str, args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    """Return what a function of keras.backend gives."""
    path = f"backend.{name}"
    args, kwargs = in_order(path, args, kwargs)
    result = function.call(name, args, kwargs, keras)
    if result is not NotImplemented:
        return result
    if name in ("image_data_format", "image_dim_ordering") and keras.recorder.data_format:
        return keras.recorder.data_format if name == "image_data_format" else "th"
    if name in _SETTINGS:
        return _SETTINGS[name]
    if name in SIZES:
        return keras.operations.size(name, args, kwargs)
    if name in TODAY:
        return keras.operations.operation(TODAY[name], args, kwargs, path)
    if tensors_in([*args, *kwargs.values()]):
        signature, layer = fitting(path, args, kwargs), find(_LAYERS.get(name, ""))
        if signature is not None and layer is not None:
            tensors, config, unread = declared(layer, signature, args, kwargs)
            if not unread and not any(type(item) in (list, tuple) for item in tensors):
                return keras.calling.call_layer(keras.factory.make_layer(layer.type, [], config), tensors, {})
        if name in _OF_TENSORFLOW:
            return call_tensorflow(_OF_TENSORFLOW[name], args, {}, keras)
        return keras.recorder.opaque_call(f"keras.backend.{name}", args, kwargs)
    if name in _NUMBERS:
        return keras.operations.numbers(_NUMBERS[name], args, kwargs)
    return keras.interpreter.unknown(f"it comes from keras.backend.{name}(…)")


@function("clear_session", "reset_uids")
def _clear_session(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    keras.recorder.counters.clear()
    keras.interpreter.effects.record_model_event()


@function("set_image_data_format", "set_image_dim_ordering")
def _set_image_data_format(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    known = {"channels_last": "", "tf": "", "channels_first": "channels_first", "th": "channels_first"}
    if args and isinstance(args[0], str) and args[0] in known:
        keras.recorder.data_format = known[args[0]]
        return
    why = keras.interpreter.unknown("set_image_data_format changes the axes of images")
    keras.interpreter.effects.mark_program_incomplete(why)


@function("get_keras_mask")
def _get_mask(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    if not args:
        return NotImplemented
    return keras.own_calls.mask_of(args[0]) if isinstance(args[0], Tensor) else None


@function("set_keras_mask")
def _set_mask(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    if not args or not isinstance(args[0], Tensor):
        return NotImplemented
    mask = args[1] if len(args) > 1 else kwargs.get("mask")
    keras.recorder.masks[args[0]] = mask if isinstance(mask, Tensor) else None
    return None


function.add(
    {
        "set_learning_phase set_floatx set_session set_value": lambda args, kwargs, keras: None,
        "standardize_dtype": lambda args, kwargs, keras: args[0] if args else NotImplemented,
        "is_keras_tensor": lambda args, kwargs, keras: bool(args) and isinstance(args[0], Tensor),
        "variable": lambda args, kwargs, keras: keras.operations.variable(args, kwargs),
        "Variable": lambda args, kwargs, keras: keras.operations.variable(args, kwargs, of_keras=True),
        "dot": lambda args, kwargs, keras: keras.operations.operation("matmul", args, kwargs, "backend.dot"),
    }
)


@function("bias_add")
def _bias_add(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    """Evaluate `K.bias_add(x, bias, data_format)`: a bias of the channels, or of all axes behind that of examples."""
    given = [
        keras.own_calls.shape_tuple(argument) if isinstance(argument, Tensor) else argument for argument in args[:2]
    ]
    shapes = [item.shape if isinstance(item, Array) else item for item in given]
    ranks = [len(shape) for shape in shapes if type(shape) is tuple]
    if len(ranks) != 2:
        return call_tensorflow("nn.bias_add", args, kwargs, keras)
    if ranks[1] not in (1, ranks[0] - 1):
        wanted = "1 axis" if ranks[0] <= 2 else f"1 or {ranks[0] - 1} axes"
        words = f"bias_add needs a bias with {wanted}, got {ranks[1]}"
        raise ProgramError("ValueError", words, keras.interpreter.place())
    data_format = (args[2] if len(args) > 2 else None) or keras.recorder.data_format or "channels_last"
    if ranks[1] == 1:
        layout = "NCHW" if data_format == "channels_first" else None
        return call_tensorflow("nn.bias_add", args[:2], {"data_format": layout}, keras)
    if data_format == "channels_first":
        return keras.recorder.opaque_call("keras.backend.bias_add", args, kwargs)
    return keras.operations.operation("add", args[:2], {}, "backend.bias_add")


@function("batch_dot")
def _batch_dot(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    """Evaluate `K.batch_dot(x, y, axes)`: the layer Dot; without axes the last one of x and the one before of y."""
    axes = args[2] if len(args) > 2 else None
    shapes = [keras.own_calls.shape_tuple(argument) if isinstance(argument, Tensor) else None for argument in args[:2]]
    ranks = [len(shape) for shape in shapes if type(shape) is tuple]
    if len(ranks) != 2:
        return NotImplemented
    if axes is None:
        axes = (ranks[0] - 1, max(ranks[1] - 2, 1))
    return keras.calling.call_layer(keras.factory.make_layer("Dot", [], {"axes": axes}), [args[:2]], {})


@function("relu")
def _relu(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    if len(args) < 2 or not isinstance(args[0], Tensor):
        return NotImplemented
    names = ("negative_slope", "max_value", "threshold")
    layer = keras.factory.make_layer("ReLU", [], dict(zip(names, args[1:], strict=False)))
    return keras.calling.call_layer(layer, args[:1], {})


@function("batch_flatten")
def _batch_flatten(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    """Evaluate `K.batch_flatten(x)`: the layer Flatten, but Keras knows its sizes only where it knows the batch, or the
    layer around it says its shape."""
    is_known = keras.own_calls.states_shape() or keras.recorder.has_fixed_batches
    if is_known or not args or not isinstance(args[0], Tensor):
        return NotImplemented
    return keras.sizes.run_time_operation(BATCH_FLATTEN, args[:1], {})


@function("tile")
@tensorflow("tile")
def _tile(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    """Check `K.tile(x, n)` and `tf.tile(x, multiples)`, which take one number for each axis, where `keras.ops.tile`
    puts ones before fewer."""
    shape = keras.own_calls.shape_tuple(args[0]) if args and isinstance(args[0], Tensor) else ()
    given = args[1] if len(args) > 1 else None
    count = len(given) if isinstance(given, list | tuple) else 1 if isinstance(given, int) else None
    if type(shape) is tuple and shape and count not in (None, len(shape)):
        words = f"tile needs one number for each of {len(shape)} axes, got {count}"
        raise ProgramError("ValueError", words, keras.interpreter.place())
    return NotImplemented


@function("flatten")
def _flatten(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    return keras.operations.operation("reshape", [*args, (-1,)], kwargs) if args else NotImplemented


# Utilities ----------------------------------------------------------------------------------------------------------
# `keras.utils`, `keras.saving`, `keras.mixed_precision` and the rest that makes no layer.

_OF_BACKEND = frozenset({"image_data_format", "set_image_data_format", "floatx", "epsilon", "backend"})
_FROM_FILES = frozenset({"load_model", "model_from_json", "model_from_config", "from_pretrained"})

utility: FunctionTable[KerasParts] = FunctionTable()


def call_utility(what: KerasName, args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    """Return what a function of Keras gives that makes no layer."""
    name = what.name
    if what.path.startswith("config.") and name in _OF_BACKEND:
        return call_backend(name, args, kwargs, keras)
    result = utility.call(what.path, args, kwargs, keras)
    if result is NotImplemented:
        result = utility.call(name, args, kwargs, keras)
    if result is not NotImplemented:
        return result
    if name in datasets.FUNCTIONS:
        return datasets.call(name, args, kwargs)
    if name in datasets.IMAGE_FUNCTIONS:
        return datasets.batches_of_images(name, args, kwargs)
    if name in _FROM_FILES:
        return keras.interpreter.unknown(f"it comes from {name}(…), which reads a file that is not opened")
    if tensors_in([*args, *kwargs.values()]):
        return keras.recorder.opaque_call(what.path, args, kwargs)
    if "layers" in what.path.split(".")[:-1] and name[:1].isupper():
        return keras.recorder.opaque_model(name, f"{name} is a layer that is not known here", kwargs)
    words = f"it comes from keras.{what.path}(…), which is known only when the code runs"
    return keras.interpreter.unknown(words)


@utility("set_global_policy", "set_policy", "set_dtype_policy", "experimental.set_policy")
def _set_policy(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    given = args[0] if args else kwargs.get("policy")
    given = given.config.get("name") if isinstance(given, Setting) else given
    if isinstance(given, str):
        keras.recorder.policy = "" if given == "float32" else given


@utility("dtype_policies.get", "dtype_policies.deserialize")
def _get_policy(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    if not args:
        return NotImplemented
    return Setting("dtype", {"name": args[0]}, "") if isinstance(args[0], str) else args[0]


@utility("Policy", "DTypePolicy")
def _policy(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    return Setting("dtype", {"name": args[0] if args else kwargs.get("name")}, "")


@utility("clone_model")
def _clone(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    if not args:
        return NotImplemented
    if not kwargs:
        keras.cloning.check_clone(layer_of(args[0]))
    return keras.cloning.clone(layer_of(args[0]))


@utility("register_keras_serializable")
def _register(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    return Partial(Symbol("typing.cast"), (None,), {})  # a function that gives back the class


@utility("standardize_tuple", "normalize_tuple")
def _tuple(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    """Evaluate `standardize_tuple(value, n, name)`: one number for each of n axes."""
    value, count = [*args, None, None][:2]
    if type(value) is int and type(count) is int and 0 < count <= 10:
        return (value,) * count
    is_whole = type(value) in (list, tuple) and len(value) == count and all(type(item) is int for item in value)
    return tuple(value) if is_whole else NotImplemented


utility.add(
    {
        "clear_session reset_uids": lambda args, kwargs, keras: call_backend("clear_session", args, kwargs, keras),
        "set_random_seed plot_model enable_unsafe_deserialization": lambda args, kwargs, keras: None,
        "Lambda": lambda args, kwargs, keras: keras.factory.make_layer("Lambda", args, kwargs),
        "Variable": lambda args, kwargs, keras: keras.operations.variable(args, kwargs, of_keras=True),
        "get_source_inputs": lambda args, kwargs, keras: source_inputs(args[0]) if args else NotImplemented,
    }
)


@utility("load_model")
def _load_model(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    saved = keras.attributes.saved.get(args[0]) if args and isinstance(args[0], str) else None
    if saved is None:
        return NotImplemented
    loaded = keras.cloning.clone(saved)
    if isinstance(loaded, ModelValue):
        loaded.compiled = saved.compiled
    return loaded
