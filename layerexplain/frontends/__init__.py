"""Any source of an architecture → `Model`. The kind of a file is told by its content, never by its name.

Each format has one module, loaded when a source of that format is met: a .keras file loads neither yaml nor h5py.
"""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Mapping
from typing import IO, Any

from layerexplain.errors import LayerExplainError, SourceError, raise_any
from layerexplain.model import Model

_HEAD = 4096
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_HDF5 = b"\x89HDF\r\n\x1a\n"
# HDF5 allows a foreign block of 512 · 2**n bytes in front.
_HDF5_OFFSETS = (0, 512, 1024, 2048)


_BINARY_ENDINGS = {".keras": "no zip archive", ".h5": "no HDF5 file", ".hdf5": "no HDF5 file"}
"""What a file that is neither of these nor a text is not, by the end of its name."""


def read(source: Any) -> Model:
    """The architecture that `source` holds.

    `source` is a path, "-" for standard input, the bytes of a file, a configuration as a dict, or a live Keras
    model. The model's `faults` are the errors of single layers. Raises SourceError for what cannot be opened or is no
    model, SpecError (or an ErrorGroup of them) where no model can be made; every message names the source.
    """
    name = source_name(source)
    try:
        model = _read(source, name)
        graphless = not model.calls and model.type not in ("Functional", "Sequential")
        if graphless and model.format in ("keras-archive", "h5"):
            model = _with_layers_of_weights(model, source, name)
        for fault in model.faults:
            fault.with_place(source=name)
        return model._replace(source=name)
    except LayerExplainError as error:
        raise error.with_place(source=name) from None
    except RecursionError:
        raise SourceError("is nested too deeply to be a model", source=name) from None


def read_faultless(source: Any) -> Model:
    """The same, of a source without faults: raises the one that it has, or an ErrorGroup of several."""
    model = read(source)
    raise_any(model.faults)
    return model


def _with_layers_of_weights(model: Model, source: Any, name: str) -> Model:
    """A subclassed model, whose layers only its weights tell; from a pipe, which is read once, nothing more is told."""
    from layerexplain.frontends.keras.weights_only import with_stored_layers

    if isinstance(source, bytes | bytearray | memoryview):
        return with_stored_layers(model, bytes(source))
    if name == "<stdin>" or not isinstance(source, str | os.PathLike):
        return model
    path = os.fsdecode(os.fspath(source))
    return with_stored_layers(model, path) if os.path.isfile(path) or os.path.isdir(path) else model


def source_name(source: Any) -> str:
    """How messages and reports call a source: its path, `<stdin>`, or what kind of object it is."""
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        text = os.fsdecode(path) if isinstance(path, bytes) else path
        return "<stdin>" if text == "-" else text
    if isinstance(source, bytes | bytearray | memoryview):
        return "<bytes>"
    if isinstance(source, Mapping | list):
        return "<config>"
    return f"<{type(source).__name__}>"


def _read(source: Any, name: str) -> Model:
    if name == "<stdin>":
        return _read_standard_input()
    if isinstance(source, str | os.PathLike):
        return _read_path(os.fspath(source))
    if isinstance(source, bytes | bytearray | memoryview):
        return _read_stream(io.BytesIO(bytes(source)), name)
    if isinstance(source, Mapping | list):
        from layerexplain.frontends.keras.config_json import model_of_document

        return model_of_document(source)
    from layerexplain.frontends.keras.live_model import is_live_model, read_live_model

    if is_live_model(source):
        return read_live_model(source)
    raise SourceError(f"a {type(source).__name__} is no source; give a path, bytes, a configuration or a Keras model")


def _read_path(path: str | bytes) -> Model:
    text = os.fsdecode(path)
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            return _read_directory(text)
        with open(path, "rb") as file:
            if stat.S_ISREG(mode):
                return _read_stream(file, text)
            return _read_pipe(file, text)
    except FileNotFoundError:
        raise SourceError("no such file") from None
    except PermissionError:
        raise SourceError("may not be read (permission denied)") from None
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"cannot be read: {words}") from None


def _read_directory(path: str) -> Model:
    names = set(os.listdir(path))
    if "config.json" not in names and {"saved_model.pb", "keras_metadata.pb"} & names:
        from layerexplain.frontends.keras.saved_model import read_saved_model_directory

        return read_saved_model_directory(path)
    from layerexplain.frontends.keras.archive import read_keras_directory

    return read_keras_directory(path)


def _read_standard_input() -> Model:
    try:
        return _read_pipe(sys.stdin.buffer, "<stdin>")
    except (OSError, ValueError, AttributeError) as error:
        raise SourceError(f"cannot be read: {error}") from None


def _read_pipe(pipe: IO[bytes], name: str) -> Model:
    """A stream that cannot go back: kept in memory while it is text, in a temporary file where it is an archive."""
    head = pipe.read(_HEAD)
    if not _is_zip(head) and not _is_hdf5(head):
        from layerexplain.frontends.limits import MAX_CONFIG_BYTES

        return _read_stream(io.BytesIO(head + pipe.read(MAX_CONFIG_BYTES + 1)), name)
    import shutil
    import tempfile

    with tempfile.NamedTemporaryFile(prefix="layerexplain-") as copy:
        copy.write(head)
        shutil.copyfileobj(pipe, copy, 1024 * 1024)
        copy.flush()
        copy.seek(0)
        return _read_stream(copy, copy.name)


def _read_stream(file: IO[bytes], name: str) -> Model:
    """A file that can go back, by what its first bytes say; `name` is its path, or `<…>` where it has none."""
    head = file.read(_HEAD)
    file.seek(0)
    if _is_zip(head):
        from layerexplain.frontends.keras.archive import read_keras_archive

        return read_keras_archive(file)
    if _is_hdf5(head):
        from layerexplain.frontends.keras.legacy_h5 import read_legacy_h5

        return read_legacy_h5(file if isinstance(file, io.BytesIO) else name)
    if not head:
        raise SourceError("is empty; a .keras or .h5 file, a config JSON or a YAML spec is needed")
    if head[:1] in (b"\n", b"\x08"):
        from layerexplain.frontends.keras import saved_model

        if saved_model.is_saved_model(head):
            return saved_model.read_saved_model_file(file, None if name[:1] == "<" else os.path.dirname(name) or ".")
        if saved_model.is_keras_metadata(head):
            return saved_model.read_keras_metadata(file)
    from layerexplain.frontends.not_a_model import describe_foreign

    foreign = describe_foreign(head)
    if foreign is not None:
        raise SourceError(foreign)
    must_be = _BINARY_ENDINGS.get(os.path.splitext(name)[1].lower())
    if must_be is not None and not _is_text(head):
        raise SourceError(f"is {must_be}; the file is damaged, or is no model that Keras saved")
    from layerexplain.frontends.limits import MAX_CONFIG_BYTES

    data = file.read(MAX_CONFIG_BYTES + 1)
    if len(data) > MAX_CONFIG_BYTES:
        raise SourceError(f"is a text of more than {MAX_CONFIG_BYTES:,} bytes, which no configuration needs")
    return _read_text(data, name)


def _is_text(head: bytes) -> bool:
    """Whether the first bytes may be those of a text in UTF-8, which may end within a character."""
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and error.start > 0
    return b"\0" not in head


def _read_text(data: bytes, name: str) -> Model:
    """JSON where it begins as JSON does, YAML otherwise; a spec may be written in either."""
    if data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        from layerexplain.frontends.json_text import parse_json
        from layerexplain.frontends.keras.config_json import is_spec, model_of_document

        try:
            document = parse_json(data, "the text")
        except SourceError:
            if _looks_like_json(data):
                raise
        else:
            if isinstance(document, dict) and "weight_map" in document and name[:1] != "<":
                from layerexplain.frontends.keras.weights_only import read_weights_only

                return read_weights_only(name, "is an index of sharded weights, but not one of Keras")
            if not is_spec(document):
                return model_of_document(document)
    from layerexplain.frontends.spec.document import read_yaml_spec

    return read_yaml_spec(data, name)


def _looks_like_json(data: bytes) -> bool:
    """Whether a text that is no JSON was meant to be: its first key is quoted."""
    import re

    return re.match(rb'(\xef\xbb\xbf)?\s*(\[\s*)?(\{\s*"[^"\n]*"\s*:|[\[{]\s*$)', data) is not None


def _is_zip(head: bytes) -> bool:
    return head.startswith(_ZIP)


def _is_hdf5(head: bytes) -> bool:
    return any(head[offset : offset + 8] == _HDF5 for offset in _HDF5_OFFSETS)
