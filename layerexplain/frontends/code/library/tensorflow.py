"""Functions of TensorFlow, on tensors of Keras and on numbers."""

from __future__ import annotations

from layerexplain.frontends.code.library.keras_names import tensorflow_function
from layerexplain.frontends.code.library.keras_parts import KerasParts
from layerexplain.frontends.code.library.keras_run_time_sizes import holds_size
from layerexplain.frontends.code.library.signatures import declared, fitting, in_order
from layerexplain.frontends.code.library.table import FunctionTable
from layerexplain.frontends.code.values.base import Arguments, Keywords, ProgramValue, Unknown
from layerexplain.frontends.code.values.layers import GraphTensor, Tensor, tensors_in
from layerexplain.layers.registry import find

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

function: FunctionTable[KerasParts] = FunctionTable()


def call_tensorflow(path: str, args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    """Return what a function of TensorFlow gives, by its name behind `tensorflow.`."""
    args = [keras.operations.with_weights(one) for one in args]
    kwargs = {key: keras.operations.with_weights(one) for key, one in kwargs.items() if key != "name"}
    last = path.rpartition(".")[2]
    given = tensors_in([*args, *kwargs.values()])
    if any(isinstance(one, GraphTensor) for one in given) and path not in _OF_ANY_OBJECT:
        keras.recorder.older(f"Keras 3 refuses tf.{path} on a tensor of Keras; keras.ops has what it takes")
    today = path.removeprefix("compat.v1.").removeprefix("compat.v2.")
    if today in ("shape", "size", "rank"):
        return keras.operations.size(last, args, kwargs)
    of_keras = path.removeprefix("experimental.numpy.")
    if of_keras != path or (of_keras := _AS_KERAS.get(path, "")):
        shown = f"numpy.{of_keras}" if of_keras in path else f"tf.{path}"
        return keras.operations.operation(of_keras, args, kwargs, shown)
    args, kwargs = in_order(f"tf.{tensorflow_function(path) or today}", args, kwargs)
    result = function.call(today, args, kwargs, keras)
    if result is NotImplemented:
        result = keras.sizes.with_run_time_sizes(last, args, kwargs)
    if result is not NotImplemented:
        return result
    if given:
        return _operation(path, args, kwargs, keras)
    if path.startswith(_ONLY_RUN) or not (args or kwargs):
        return keras.interpreter.unknown(f"it comes from tf.{path}(…), which is known only when the code runs")
    result = keras.operations.numbers(_OF_NUMPY.get(last, last), args, kwargs)
    of_numpy = isinstance(result, Unknown) and result.reason.startswith("it comes from np.")
    return result._replace(reason=f"it comes from tf.{path}(…)") if of_numpy else result


@function("Variable")
def _variable(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    return keras.operations.variable(args, kwargs)


@function("ensure_shape")
def _ensure_shape(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    if len(args) > 1 and isinstance(args[0], Tensor):
        keras.own_calls.tell_shape(args[0], args[1])
    return NotImplemented


@function("function")
def _function(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    if tensors_in([*args, *kwargs.values()]):
        return NotImplemented
    return args[0] if args else None


@function("random.set_seed", "config.run_functions_eagerly", "device")
def _do_nothing(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    return NotImplemented if tensors_in([*args, *kwargs.values()]) else None


@function("TensorShape")
def _tensor_shape(args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    if not args or tensors_in([*args, *kwargs.values()]):
        return NotImplemented
    return tuple(args[0]) if type(args[0]) in (list, tuple) else args[0]


def _operation(path: str, args: Arguments, kwargs: Keywords, keras: KerasParts) -> ProgramValue:
    """Return what a function on tensors gives: an operation with a formula, or one that is not read."""
    given = [*args, *kwargs.values()]
    name, last = tensorflow_function(path), path.rpartition(".")[2]
    unknown = next((one for one in given if isinstance(one, Unknown)), None)
    if unknown is not None or name is None:
        return keras.recorder.opaque_call(f"tf.{path}", args, kwargs, unknown)
    call = (f"tf.{name}", f"tf.{path}", args, kwargs)
    if not path.startswith("compat") and not (keras.refusals.check_call(*call) and keras.operations.check_axis(*call)):
        return keras.interpreter.unknown(f"the call of tf.{path}, which does not fit")
    if args and type(args[0]) in (list, tuple) and args[0] and last not in _OF_LISTS:
        args = [keras.graphs.make_operation("Stack", [list(args[0])], {}), *args[1:]]
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
