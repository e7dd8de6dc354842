"""`keras.utils`, `keras.saving`, `keras.mixed_precision` and the rest that makes no layer."""

from __future__ import annotations

from layerexplain.frontends.code.library.keras import datasets, image_batches
from layerexplain.frontends.code.library.keras.backend import call_backend
from layerexplain.frontends.code.library.keras.cloning import Cloning
from layerexplain.frontends.code.library.keras.names import KerasName
from layerexplain.frontends.code.library.table import FunctionTable
from layerexplain.frontends.code.values.base import Arguments, Keywords, ProgramValue, Symbol
from layerexplain.frontends.code.values.layers import ModelValue, tensors_in
from layerexplain.frontends.code.values.objects import Setting
from layerexplain.frontends.code.values.program import Partial, layer_of

_OF_BACKEND = frozenset({"image_data_format", "set_image_data_format", "floatx", "epsilon", "backend"})
_FROM_FILES = frozenset({"load_model", "model_from_json", "model_from_config", "from_pretrained"})

function: FunctionTable[Cloning] = FunctionTable()


def call_utility(what: KerasName, args: Arguments, kwargs: Keywords, keras: Cloning) -> ProgramValue:
    """Return what a function of Keras gives that makes no layer."""
    name = what.name
    if what.path.startswith("config.") and name in _OF_BACKEND:
        return call_backend(name, args, kwargs, keras)
    result = function.call(what.path, args, kwargs, keras)
    if result is NotImplemented:
        result = function.call(name, args, kwargs, keras)
    if result is not NotImplemented:
        return result
    if name in datasets.FUNCTIONS:
        return datasets.call(name, args, kwargs)
    if name in image_batches.FUNCTIONS:
        return image_batches.call(name, args, kwargs)
    if name in _FROM_FILES:
        return keras.interpreter.unknown(f"it comes from {name}(…), which reads a file that is not opened")
    if tensors_in([*args, *kwargs.values()]):
        return keras.opaque_call(what.path, args, kwargs)
    if "layers" in what.path.split(".")[:-1] and name[:1].isupper():
        return keras.opaque_model(name, f"{name} is a layer that is not known here", kwargs)
    words = f"it comes from keras.{what.path}(…), which is known only when the code runs"
    return keras.interpreter.unknown(words)


@function("clear_session", "reset_uids")
def _clear_session(args: Arguments, kwargs: Keywords, keras: Cloning) -> ProgramValue:
    return call_backend("clear_session", args, kwargs, keras)


@function("set_global_policy", "set_policy", "set_dtype_policy", "experimental.set_policy")
def _set_policy(args: Arguments, kwargs: Keywords, keras: Cloning) -> ProgramValue:
    given = args[0] if args else kwargs.get("policy")
    given = given.config.get("name") if isinstance(given, Setting) else given
    if isinstance(given, str):
        keras.policy = "" if given == "float32" else given


@function("dtype_policies.get", "dtype_policies.deserialize")
def _get_policy(args: Arguments, kwargs: Keywords, keras: Cloning) -> ProgramValue:
    if not args:
        return NotImplemented
    return Setting("dtype", {"name": args[0]}, "") if isinstance(args[0], str) else args[0]


@function("Policy", "DTypePolicy")
def _policy(args: Arguments, kwargs: Keywords, keras: Cloning) -> ProgramValue:
    return Setting("dtype", {"name": args[0] if args else kwargs.get("name")}, "")


@function("clone_model")
def _clone(args: Arguments, kwargs: Keywords, keras: Cloning) -> ProgramValue:
    if not args:
        return NotImplemented
    if not kwargs:
        keras.check_clone(layer_of(args[0]))
    return keras.clone(layer_of(args[0]))


@function("register_keras_serializable")
def _register(args: Arguments, kwargs: Keywords, keras: Cloning) -> ProgramValue:
    return Partial(Symbol("typing.cast"), (None,), {})  # a function that gives back the class


@function("set_random_seed", "plot_model", "enable_unsafe_deserialization")
def _do_nothing(args: Arguments, kwargs: Keywords, keras: Cloning) -> ProgramValue:
    return None


@function("Lambda")
def _lambda(args: Arguments, kwargs: Keywords, keras: Cloning) -> ProgramValue:
    return keras.make_layer("Lambda", args, kwargs)


@function("Variable")
def _variable(args: Arguments, kwargs: Keywords, keras: Cloning) -> ProgramValue:
    return keras.variable(args, kwargs, of_keras=True)


@function("standardize_tuple", "normalize_tuple")
def _tuple(args: Arguments, kwargs: Keywords, keras: Cloning) -> ProgramValue:
    """Evaluate `standardize_tuple(value, n, name)`: one number for each of n axes."""
    value, count = [*args, None, None][:2]
    if type(value) is int and type(count) is int and 0 < count <= 10:
        return (value,) * count
    is_whole = type(value) in (list, tuple) and len(value) == count and all(type(one) is int for one in value)
    return tuple(value) if is_whole else NotImplemented


@function("get_source_inputs")
def _source_inputs(args: Arguments, kwargs: Keywords, keras: Cloning) -> ProgramValue:
    return keras.source_inputs(args[0]) if args else NotImplemented


@function("load_model")
def _load_model(args: Arguments, kwargs: Keywords, keras: Cloning) -> ProgramValue:
    saved = keras.saved.get(args[0]) if args and isinstance(args[0], str) else None
    if saved is None:
        return NotImplemented
    loaded = keras.clone(saved)
    if isinstance(loaded, ModelValue):
        loaded.compiled = saved.compiled
    return loaded
