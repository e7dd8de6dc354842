"""Real Keras models: of a file, in safe mode, or of layers; whatever would run code is refused before Keras sees it.

Keras's own safe mode has been bypassed more than once, so the configuration is read as data first: every class and
function that it names must belong to Keras, in a module that holds parts of models.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

from layerexplain.conversions.config import to_config
from layerexplain.conversions.older_keras import GONE, in_todays_names
from layerexplain.conversions.today import REPLACED
from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.frontends.json_text import parse_json
from layerexplain.frontends.keras.weight_files import open_weights
from layerexplain.frontends.model_builder import layers_among
from layerexplain.model import KERAS_2_HARD_SIGMOID, ForeignFunction, Layer, Model, is_before_keras_3
from layerexplain.oracle.reference import first_line, load_keras
from layerexplain.sources.regular_file import open_regular

Source = str | os.PathLike[str] | bytes


class KerasRefuses(SourceError):
    """Keras does not load a file. `old` says that its layers may still be rebuilt: an earlier generation of Keras may
    have written it, or it holds one object in several places, which Keras cannot restore."""

    old = False


RUNS_CODE = frozenset({"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
"""Classes of Keras that run other code: code in the file, or a program in another file."""

_ROOTS = frozenset({"keras", "tf_keras"})
_PARTS = frozenset(
    {"layers", "models", "ops", "activations", "initializers", "regularizers", "constraints", "dtype_policies"}
    | {"quantizers", "applications", "engine", "legacy", "mixed_precision", "random"}
    | {"losses", "metrics", "optimizers"}
)
"""The modules of Keras that hold parts of models. Others (`saving`, `utils`, `config`, …) have side effects."""

_FUNCTION_MODULES = frozenset(
    {"activations", "ops", "initializers", "regularizers", "constraints", "losses", "metrics"}
)
_PLAIN_OBJECTS = frozenset(
    {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__slice__", "__ellipsis__", "__tuple__"}
    | {"TensorShape", "__typespec__"}
)


def keras_model_of_file(source: Source, model: Model) -> Any:
    """Return the model that Keras loads from a .keras or .h5 file or a configuration JSON.

    Args:
        source: the file.
        model: what was read of it.

    Raises:
        LayerExplainError: if it names code outside Keras, or with Keras's own error if Keras refuses it.
    """
    if model.format not in _FILES:
        unloadable = KerasRefuses(f"Keras 3 does not load a model from a {model.format}; save it as .keras")
        unloadable.old = True
        raise unloadable
    read, place, ending = _FILES[model.format]
    try:
        document = parse_json(read(source), place)
        return keras_model_of_config(document) if model.format == "config-json" else _loaded(source, document, ending)
    except KerasRefuses as error:
        generation_1_or_2 = model.keras_version is None or is_before_keras_3(model.keras_version)
        error.old = generation_1_or_2 or bool(model.shared)
        raise


def keras_model_of_config(document: Any, *, numbered: bool = False) -> Any:
    """Return the model that Keras creates from a configuration, {"class_name", "config"}, with drawn weights.

    With `numbered`, objects that it gives one number (`shared_object_id`) are one, as in an archive.
    """
    must_be_keras(document)
    keras = load_keras()
    from keras.src.saving.serialization_lib import ObjectSharingScope

    plain = {key: value for key, value in document.items() if key != "compile_config"}
    with _words_of_keras(), _names_from_the_first(), ObjectSharingScope() if numbered else nullcontext():
        keras_model = keras.models.model_from_json(json.dumps(plain))
        if not isinstance(keras_model, keras.Model):  # for Keras 0.3 it returns the configuration itself
            raise KerasRefuses("Keras refuses it: this configuration does not describe a model")
        return keras_model


def keras_model_of_layers(model: Model) -> Any:
    """Return the Functional model that Keras creates from the configuration that `convert` writes, with drawn weights.

    Raises:
        LayerExplainError: if a layer would run code, if Keras 3 has no such layer, or with Keras's own error.
    """
    must_be_keras_alone(model)
    gone = next((layer for layer in _layers(model) if layer.type in GONE or layer.type in REPLACED), None)
    if gone is not None:  # what stands for it has other weights
        raise LayerExplainError(f"Keras 3 has no layer {gone.type}", layer=gone.name)
    shapes = {layer.name: layer.config.get("batch_shape") for layer in model.layers}
    open_input = next((ref.layer for ref in model.inputs if shapes.get(ref.layer) is None), None)
    if open_input is not None:
        raise LayerExplainError(f"the shape of the input '{open_input}' is unknown; give it with --input")
    # A Sequential would choose the sizes that its input leaves open.
    document = to_config(in_todays_names(model._replace(type="Functional"))[0], numbered=True)
    return keras_model_of_config(document, numbered=bool(model.shared))


def must_be_keras_alone(model: Model) -> None:
    """Raise LayerExplainError if a part of a model would run code outside Keras."""
    for layer in _layers(model):
        own = " is not part of Keras; nothing was loaded"
        if layer.type in RUNS_CODE and layer.kind != "operation":
            raise LayerExplainError(f"layer '{layer.name}' is a {layer.type}, whose code{own}")
        if layer.kind == "custom":
            owner = f" of {layer.package}" if layer.package else ""
            raise LayerExplainError(f"layer '{layer.name}' is a {layer.type}{owner}, which{own}")
        foreign = _foreign_function(layer.config)
        if foreign is not None:
            raise LayerExplainError(f"layer '{layer.name}' uses {foreign}, which{own}")


def _layers(model: Model) -> Iterator[Layer]:
    """Yield all layers of a model, including those of nested models and wrappers."""
    waiting = [*reversed(model.layers)]
    while waiting:
        layer = waiting.pop()
        yield layer
        waiting += reversed([*layers_among(layer.config), *(layer.model.layers if layer.model is not None else ())])


def _foreign_function(value: Any) -> str | None:
    """Return the name of a function in a configuration that is not one of Keras's, or None."""
    if isinstance(value, ForeignFunction):
        return None if value == KERAS_2_HARD_SIGMOID else value.name
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    if isinstance(value, Layer):
        return None
    return next((name for name in map(_foreign_function, inner) if name is not None), None)


def keras_model_of_own_file(source: Source, model: Model, objects: Mapping[str, Any]) -> Any:
    """Return the model of a file whose own classes and functions are given by name. The file itself runs no code."""
    if model.format not in _FILES:
        raise KerasRefuses(f"Keras 3 does not load a model from a {model.format}; save it as .keras")
    read, _, ending = _FILES[model.format]
    keras = load_keras()
    with keras.saving.custom_object_scope(dict(objects)), _words_of_keras(), _names_from_the_first():
        if model.format == "config-json":
            return keras.models.model_from_json(read(source))
        with _named(source, ending) as path:
            return keras.models.load_model(path, compile=False, safe_mode=True)


def must_be_keras(document: Any) -> None:
    """Raise LayerExplainError if a configuration names a class, function or module that holds no part of a model."""
    if isinstance(document, Mapping):
        # The model is not compiled, but a nested one would be, so its compile_config is checked.
        document = {key: value for key, value in document.items() if key != "compile_config"}
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list | tuple):
            waiting += value
        elif isinstance(value, Mapping):
            waiting += value.values()
            reason = _foreign(value)
            if reason is not None:
                raise LayerExplainError(f"the configuration {reason}; nothing was loaded")


def _foreign(item: Mapping[str, Any]) -> str | None:
    """Return what an object of a configuration names outside Keras, as text; None if nothing."""
    vocabulary = item.get("vocabulary")
    if isinstance(vocabulary, str):
        return f"names a file to read ({vocabulary!r})"
    name = item.get("class_name")
    if not isinstance(name, str):
        return None
    module = item.get("module")
    if name in RUNS_CODE or name == "__lambda__":
        return f"holds a {name}, which runs code that is not part of Keras"
    if name in _PLAIN_OBJECTS:
        return None
    parts = module.split(".") if isinstance(module, str) else []
    own = [part for part in parts[1:] if part not in ("src", "api", "_tf_keras", "python")]
    if name == "function":
        function = item.get("config")
        known = module in (None, "builtins") or (parts[0] in _ROOTS and own[:1] and own[0] in _FUNCTION_MODULES)
        return None if known and isinstance(function, str) else f"names the function {function!r} of {module}"
    if parts and (parts[0] not in _ROOTS or not (not own or own[0] in _PARTS)):
        return f"names the class {name} of {module}, which is not a module of Keras model parts"
    return None


# Loading each kind of file ------------------------------------------------------------------------------------------


def _content(source: Source) -> bytes:
    if isinstance(source, bytes):
        return source
    with open_regular(source) as file:
        return file.read()


def _in_archive(source: Source) -> bytes:
    if not isinstance(source, bytes) and os.path.isdir(source):
        return _content(os.path.join(source, "config.json"))
    with zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else source) as archive:
        return archive.read("config.json")


def _in_legacy(source: Source) -> bytes:
    import h5py

    with h5py.File(io.BytesIO(source) if isinstance(source, bytes) else source, "r") as root:
        text = root.attrs.get("model_config")
        if text is None:
            raise KerasRefuses("stores its configuration in several attributes, which Keras 3 does not load")
        return text if isinstance(text, bytes) else str(text).encode()


_FILES: dict[str, tuple[Callable[[Source], bytes], str, str]] = {
    "keras-archive": (_in_archive, "config.json", ".keras"),
    "h5": (_in_legacy, "the attribute model_config", ".h5"),
    "config-json": (_content, "the file", ""),
}
"""For each format that Keras 3 loads, what reads its configuration, where that is, and the ending that Keras needs."""


def _loaded(source: Source, document: Any, ending: str) -> Any:
    """Load a file with `load_model`. Keras relies on the file extension, so a file without it gets a second name."""
    must_be_keras(document)
    _values_in_the_file_itself(source)
    keras = load_keras()
    with _named(source, ending) as path, _words_of_keras(), _names_from_the_first():
        return keras.models.load_model(path, compile=False, safe_mode=True)


def _values_in_the_file_itself(source: Source) -> None:
    """Refuse weights in other files, by links or otherwise: older versions of Keras follow them."""
    with open_weights(source) as stored:
        notes = stored.notes if stored is not None else ()
    for note in notes:
        if note.code in ("external-link", "soft-link", "virtual-dataset"):
            raise SourceError(f"{note.message}; nothing was loaded")


@contextmanager
def _named(source: Source, ending: str) -> Iterator[str]:
    if not isinstance(source, bytes):
        path = os.path.abspath(os.fspath(source))
        if os.path.isdir(path) or path.endswith(ending):
            yield path
            return
    with tempfile.TemporaryDirectory(prefix="layerexplain-") as folder:
        name = os.path.join(folder, f"model{ending}")
        if isinstance(source, bytes):
            with open(name, "wb") as file:
                file.write(source)
        else:
            os.symlink(path, name)
        yield name


@contextmanager
def _words_of_keras() -> Iterator[None]:
    """Convert Keras's exceptions to a one-line KerasRefuses."""
    try:
        yield
    except LayerExplainError:
        raise
    except Exception as error:  # Keras raises whatever its parts raise
        raise KerasRefuses(f"Keras refuses it: {first_line(error)}") from None


@contextmanager
def _names_from_the_first() -> Iterator[None]:
    """Let unnamed operations get the names that they have in the file, as in a fresh process: Keras numbers them
    consecutively."""
    from keras.src.backend.common import global_state

    kept = global_state.get_global_attribute("object_name_uids")
    global_state.set_global_attribute("object_name_uids", None)
    try:
        yield
    finally:
        global_state.set_global_attribute("object_name_uids", kept)
