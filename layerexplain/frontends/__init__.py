"""Any source of an architecture → `Model`. The kind of a file is recognised by its content, never by its name.

`FORMATS` lists what is read. Each format is a module that is loaded when a source of that format is met: a .keras file
loads neither yaml nor h5py. To read another, write its module and add a row.
"""

from __future__ import annotations

import io
import os
from collections import ChainMap
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from layerexplain.errors import ArgumentError, LayerExplainError, NotAModel, SourceError, raise_any
from layerexplain.frontends.code_source import CodeSource, code_source, named_source, source_name
from layerexplain.frontends.opened import (
    Opened,
    as_source_errors,
    begins_as_json,
    holds_code,
    is_code,
    is_hdf5,
    is_text,
    is_zip,
    looks_like_json,
    opened_path,
    opened_stdin,
)
from layerexplain.model import Model, Note
from layerexplain.records import NamedTuple
from layerexplain.sources import is_remote

if TYPE_CHECKING:
    from layerexplain.frontends.own_layers import Code
    from layerexplain.layers.declaration import Declaration
    from layerexplain.sources.names import Remote

_BINARY_ENDINGS = {".keras": "not a zip archive", ".h5": "not an HDF5 file", ".hdf5": "not an HDF5 file"}
"""What a file that is neither of these nor a text is not, by the end of its name."""


def read(source: Any, code: Code = ()) -> Model:
    """Read an architecture. Nothing in it is imported or executed.

    Args:
        source: The path of a Keras file (.keras, .h5, config JSON) or of a YAML spec, "-" for standard input, the bytes
            of a file, a config as a dict, a live Keras model, or a live module of PyTorch, whose `forward` is read from
            its source.
        code: Files that say what custom layers of the source compute (`own_layers.read_own_layers`).

    Returns:
        The model; its `faults` are the errors of single layers.

    Raises:
        LayerExplainError: if the source cannot be opened or holds no model.

    >>> model = read(b"input: [784]\\nlayers:\\n  - Dense: 10\\n")
    >>> [layer.type for layer in model.layers]
    ['InputLayer', 'Dense']
    """
    name = source_name(source)
    source = named_source(source)
    own: Mapping[str, Declaration] = {}
    if code:
        from layerexplain.frontends.own_layers import read_own_layers

        own = read_own_layers(code)
    try:
        code = code_source(source) if isinstance(source, str) and ":" in source else source  # `train.py:build_model`
        model = _read_code_source(code, own) if isinstance(code, CodeSource) else _read(source, name, own)
        if own:
            from layerexplain.frontends.own_layers import notes_of, with_own_models

            model = with_own_models(model, own)
            model = model._replace(notes=tuple(dict.fromkeys([*model.notes, *notes_of(own)])))
        graphless = not model.calls and model.type not in ("Functional", "Sequential")
        if graphless and model.format in ("keras-archive", "h5") and _is_stored(source, name):
            from layerexplain.frontends.keras.weight_tree import with_stored_layers

            model = with_stored_layers(model, source)
        for fault in model.faults:
            fault.with_place(source=name)
        if own:
            model = model._replace(declarations=ChainMap(model.declarations, own))  # type: ignore[arg-type]
        return model._replace(source=name)
    except LayerExplainError as error:
        raise error.with_place(source=name) from None
    except RecursionError:
        raise SourceError("is nested too deeply to be a model", source=name) from None


def _read_code_source(source: CodeSource, own: Mapping[str, Declaration]) -> Model:
    path = None if source == "-" else str(source)
    if source.content is not None:
        return _read_code(source.content, path, own, source.request, source.given)
    with as_source_errors(), opened_stdin() if path is None else opened_path(path) as opened:
        if not source.request and not holds_code(opened.head, path):
            raise SourceError("is not Python code, whose names --set could give values to")
        return _read_code(opened.text(), path, own, source.request, source.given)


def model_of(source: Any, code: Code = ()) -> Model:
    """Return a model that was read already, or read it. Raises as `read` does, and for `code` with a model."""
    if not isinstance(source, Model):
        return read(source, code)
    if code:
        raise ArgumentError("code cannot be used with a model that was read; give it to read")
    return source


def read_faultless(source: Any, code: Code = ()) -> Model:
    """Return the same, of a source without faults: raises the one that it has, or an ErrorGroup of several."""
    model = read(source, code)
    raise_any(model.faults)
    return model


def read_for_weights(source: Any, code: Code = ()) -> tuple[Any, Model]:
    """Return a source that is read again later, for its weights, and its model without faults: standard input as its
    bytes."""
    if isinstance(source, Model):
        return source, model_of(source, code)
    source = named_source(source)
    if source_name(source) != "<stdin>":
        return source, read_faultless(source, code)
    from layerexplain.frontends.code_source import piped

    content = piped(source)
    return content, read_faultless(content, code)._replace(source="<stdin>")


def _is_stored(source: Any, name: str) -> bool:
    """Return whether a source can be read again for its weights, as a pipe cannot."""
    if is_remote(source):
        return True
    is_path = isinstance(source, str) and name != "<stdin>"
    return isinstance(source, bytes) or (is_path and (os.path.isfile(source) or os.path.isdir(source)))


def _read(source: Any, name: str, own: Mapping[str, Declaration]) -> Model:
    if isinstance(source, str) and name == "<stdin>":
        with opened_stdin() as opened:
            return _read_opened(opened._replace(own=own))
    if isinstance(source, str):
        if is_remote(source):
            return _read_remote(source, own)
        with as_source_errors():
            if os.path.isdir(source):
                return _read_directory(source)
            with opened_path(source) as opened:
                return _read_opened(opened._replace(own=own))
    if isinstance(source, bytes):
        return _read_opened(Opened.from_file(io.BytesIO(source), None)._replace(own=own))
    if isinstance(source, Mapping | list):
        from layerexplain.frontends.hugging_face import is_configuration

        if isinstance(source, Mapping) and is_configuration(source):
            from layerexplain.frontends.hugging_face.reader import read_configuration

            return read_configuration(source)
        from layerexplain.frontends.keras.config import model_of_document

        return model_of_document(source)
    from layerexplain.frontends.code.live_module import is_live_module, read_live_module
    from layerexplain.frontends.keras.live_model import is_live_model, read_live_model

    if is_live_module(source):
        return read_live_module(source)
    if is_live_model(source):
        return read_live_model(source)
    given = type(source).__name__
    raise SourceError(
        f"a {given} is not a source; give a path, bytes, a configuration, a Keras model or a module of PyTorch"
    )


def _read_remote(source: Remote, own: Mapping[str, Declaration]) -> Model:
    """Return the model behind a URL; where it is a directory, of the files in it."""
    from layerexplain.sources.regular_file import is_folder
    from layerexplain.sources.remote import open_remote

    if is_folder(source):
        return _read_directory(source)
    file = open_remote(source)
    model = _read_opened(Opened.from_file(file.as_io(), source)._replace(own=own))
    if file.ranges.whole:
        words = f"the server sends no ranges, so that all {file.size:,} bytes were read"
        model = model._replace(notes=(*model.notes, Note("no-ranges", None, words)))
    return model


# Formats ----------------------------------------------------------------------------------------------------------


def _read_directory(path: str) -> Model:
    from layerexplain.sources.regular_file import names_in

    names = names_in(path)
    if "config.json" not in names and {"saved_model.pb", "keras_metadata.pb"} & names:
        from layerexplain.frontends.keras.saved_model import read_saved_model_directory

        return read_saved_model_directory(path)
    if "config.json" in names and "metadata.json" not in names:
        from layerexplain.frontends.hugging_face.reader import read_folder

        model = read_folder(path)
        if model is not None:
            return model
    from layerexplain.frontends.keras.archive import read_keras_directory

    return read_keras_directory(path)


def _read_opened(opened: Opened) -> Model:
    return next(item.read for item in FORMATS if item.accepts(opened))(opened)


def _read_zip(opened: Opened) -> Model:
    from layerexplain.frontends.keras.archive import read_keras_archive

    return read_keras_archive(opened.file)


def _read_hdf5(opened: Opened) -> Model:
    from layerexplain.frontends.keras.weight_tree import read_legacy_h5

    if opened.path is not None and is_remote(opened.path):
        return read_legacy_h5(opened.path)
    return read_legacy_h5(opened.file.getvalue() if isinstance(opened.file, io.BytesIO) else opened.file.name)


def _is_saved_model(opened: Opened) -> bool:
    if opened.head[:1] not in (b"\n", b"\x08"):
        return False
    from layerexplain.frontends.keras.saved_model import is_keras_metadata, is_saved_model

    return is_saved_model(opened.head) or is_keras_metadata(opened.head)


def _read_saved_model(opened: Opened) -> Model:
    from layerexplain.frontends.keras.saved_model import is_saved_model, read_keras_metadata, read_saved_model_file
    from layerexplain.sources.regular_file import folder_of

    folder = None if opened.path is None else folder_of(opened.path)
    is_model = is_saved_model(opened.head)
    return read_saved_model_file(opened.file, folder) if is_model else read_keras_metadata(opened.file)


def _no_model(opened: Opened) -> str | None:
    """Return what a source is that holds no model; None where it may be a text that does."""
    if not opened.head:
        return "is empty; a .keras or .h5 file, a config JSON or a YAML spec is needed"
    if begins_as_json(opened.head) and is_text(opened.head):
        return None
    from layerexplain.frontends.not_a_model import describe_foreign

    foreign = describe_foreign(opened.head)
    if foreign is not None or is_text(opened.head):
        return foreign
    must_be = _BINARY_ENDINGS.get(os.path.splitext(opened.path or "")[1].lower())
    return must_be and f"is {must_be}; the file is damaged, or is not a model that Keras saved"


def _refuse(opened: Opened) -> Model:
    raise NotAModel(_no_model(opened) or "contains no model")


def _is_json(opened: Opened) -> bool:
    return begins_as_json(opened.head) or (not opened.head.strip() and begins_as_json(opened.text()))


def _read_json(opened: Opened) -> Model:
    """Return a Keras configuration; a spec may be written as JSON, too, and YAML may begin as JSON does."""
    from layerexplain.frontends.json_text import TooManyValues, parse_json
    from layerexplain.frontends.keras.config import is_spec, model_of_document

    data = opened.text()
    try:
        document = parse_json(data, "the text")
    except TooManyValues:
        raise
    except SourceError:
        if looks_like_json(data):
            raise
        return _read_spec(data, opened)
    if isinstance(document, dict) and "nbformat" in document and ("cells" in document or "worksheets" in document):
        return _read_code(data, opened.path, opened.own)
    if isinstance(document, dict) and "weight_map" in document and opened.path is not None:
        from layerexplain.frontends.keras.weight_tree import read_weights_only

        return read_weights_only(opened.path, "is an index of sharded weights, but not one of Keras")
    from layerexplain.frontends.hugging_face import is_configuration

    if is_configuration(document):
        from layerexplain.frontends.hugging_face.reader import read_configuration

        return read_configuration(document)
    return _read_spec(data, opened) if is_spec(document) else model_of_document(document)


def _read_spec(data: bytes, opened: Opened) -> Model:
    from layerexplain.frontends.spec.document import read_yaml_spec

    return read_yaml_spec(data, opened.path or "", opened.own)


def _read_code(
    data: bytes,
    path: str | None,
    own: Mapping[str, Declaration],
    request: str = "",
    given: Mapping[str, str] = MappingProxyType({}),
) -> Model:
    from layerexplain.frontends.code.reader import read_code

    try:
        return read_code(data, path, request, given, getattr(own, "lend", None))
    except LayerExplainError as error:
        model = None if request or given else _model_of_question(data, path)
        if model is None:
            raise _with_loss(error, data, path) from None
        return model


def _with_loss(error: LayerExplainError, data: bytes, path: str | None) -> LayerExplainError:
    """Return the error of a text without a model; of one that asks about a loss, with the command that explains it."""
    from layerexplain.frontends.code.asked_layers import may_ask, named_loss
    from layerexplain.frontends.code.reader import makes_model

    text = data.decode("utf-8", "replace")
    if error.line is None and may_ask(text, path) and not makes_model(data) and (loss := named_loss(text)):
        error.fact += f"; the loss alone: layerexplain layer {loss} --input 10, the shape of one output"
    return error


def _model_of_question(data: bytes, path: str | None) -> Model | None:
    """Return the model of the configuration or the layer that a text without a program asks about."""
    from layerexplain.frontends.code.asked_layers import may_ask
    from layerexplain.frontends.code.reader import makes_model, model_of_question
    from layerexplain.frontends.hugging_face.pasted import configuration_in

    text = data.decode("utf-8", "replace")
    if not may_ask(text, path) or makes_model(data):
        return None
    return configuration_in(text) or model_of_question(data)


class Format(NamedTuple):
    """A kind of file: whether a source is one, and the function that reads it."""

    accepts: Callable[[Opened], bool]
    read: Callable[[Opened], Model]


FORMATS = (
    Format(lambda opened: is_zip(opened.head), _read_zip),
    Format(lambda opened: is_hdf5(opened.head), _read_hdf5),
    Format(_is_saved_model, _read_saved_model),
    Format(lambda opened: _no_model(opened) is not None, _refuse),
    Format(_is_json, _read_json),
    Format(is_code, lambda opened: _read_code(opened.text(), opened.path, opened.own)),
    Format(lambda opened: True, lambda opened: _read_spec(opened.text(), opened)),
)
"""What is read, in the order in which it is tried; the first that accepts a source reads it."""
