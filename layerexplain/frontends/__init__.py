"""Any source of an architecture → `Model`. The kind of a file is recognised by its content, never by its name.

`FORMATS` lists what is read. Each format is a module that is loaded when a source of that format is met: a .keras file
loads neither yaml nor h5py. To read another, write its module and add a row.
"""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from layerexplain.errors import LayerExplainError, SourceError, raise_any
from layerexplain.frontends.limits import MAX_CONFIG_BYTES
from layerexplain.model import Model
from layerexplain.records import NamedTuple

_BINARY_ENDINGS = {".keras": "no zip archive", ".h5": "no HDF5 file", ".hdf5": "no HDF5 file"}
"""What a file that is neither of these nor a text is not, by the end of its name."""

_STANDARD_INPUTS = ("/dev/stdin", "/dev/fd/0", os.devnull)

HEAD = 4096
"""How many first bytes tell the kind of a file."""

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_HDF5 = b"\x89HDF\r\n\x1a\n"
# HDF5 allows a foreign block of 512 · 2**n bytes in front.
_HDF5_OFFSETS = (0, 512, 1024, 2048)


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


def read_for_good(source: Any) -> tuple[Any, Model]:
    """A source that is read again later, for its weights, and its model without faults: standard input as its bytes."""
    if isinstance(source, Model):
        return source, source
    if source_name(source) != "<stdin>":
        return source, read_faultless(source)
    try:
        content = sys.stdin.buffer.read()
    except (OSError, ValueError, AttributeError) as error:
        raise SourceError(f"cannot be read: {error}", source="<stdin>") from None
    return content, read_faultless(content)._replace(source="<stdin>")


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
        with opened_stdin() as opened:
            return _read_opened(opened)
    if isinstance(source, str | os.PathLike):
        path = os.fsdecode(os.fspath(source))
        with as_source_errors():
            if os.path.isdir(path):
                return _read_directory(path)
            with opened_path(path) as opened:
                return _read_opened(opened)
    if isinstance(source, bytes | bytearray | memoryview):
        return _read_opened(Opened.of(io.BytesIO(bytes(source)), None))
    if isinstance(source, Mapping | list):
        from layerexplain.frontends.keras.config import model_of_document

        return model_of_document(source)
    from layerexplain.frontends.keras.live_model import is_live_model, read_live_model

    if is_live_model(source):
        return read_live_model(source)
    raise SourceError(
        f"a {type(source).__name__} is not a source; give a path, bytes, a configuration or a Keras model"
    )


def _with_layers_of_weights(model: Model, source: Any, name: str) -> Model:
    """Return a subclassed model with the layers that its weights show; a pipe is read only once, so it shows none."""
    from layerexplain.frontends.keras.weights_only import with_stored_layers

    if isinstance(source, bytes | bytearray | memoryview):
        return with_stored_layers(model, bytes(source))
    if name == "<stdin>" or not isinstance(source, str | os.PathLike):
        return model
    path = os.fsdecode(os.fspath(source))
    return with_stored_layers(model, path) if os.path.isfile(path) or os.path.isdir(path) else model


# Opening ----------------------------------------------------------------------------------------------------------


def is_zip(head: bytes) -> bool:
    """Whether a file begins as a zip archive does."""
    return head.startswith(_ZIP)


def is_hdf5(head: bytes) -> bool:
    """Whether a file begins as an HDF5 file does."""
    return any(head[offset : offset + 8] == _HDF5 for offset in _HDF5_OFFSETS)


def begins_as_json(data: bytes) -> bool:
    """Whether a text begins as a JSON object or list does."""
    return data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def looks_like_json(data: bytes) -> bool:
    """Whether a text that is no JSON was meant to be: its first key is quoted."""
    import re

    return re.match(rb'(\xef\xbb\xbf)?\s*(\[\s*)?(\{\s*"[^"\n]*"\s*:|[\[{]\s*$)', data) is not None


def is_text(head: bytes) -> bool:
    """Whether the first bytes may be those of a text in UTF-8, which may end within a character."""
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data" and error.start > 0
    return b"\0" not in head


class Opened(NamedTuple):
    """An open source: its first bytes, the file, and its path; None for standard input and bytes."""

    head: bytes
    file: IO[bytes]
    path: str | None

    @classmethod
    def of(cls, file: IO[bytes], path: str | None) -> Opened:
        """A file that stands at its beginning."""
        head = file.read(HEAD)
        file.seek(0)
        return cls(head, file, path)

    def text(self) -> bytes:
        """All bytes of a text. Raises SourceError where no configuration has as many."""
        self.file.seek(0)
        data = self.file.read(MAX_CONFIG_BYTES + 1)
        if len(data) > MAX_CONFIG_BYTES:
            raise SourceError(f"is a text of more than {MAX_CONFIG_BYTES:,} bytes, which no configuration needs")
        return data


@contextmanager
def opened_path(path: str) -> Iterator[Opened]:
    """Open the file or pipe at a path. Raises SourceError for a device, of which no read need end."""
    with open(path, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if (stat.S_ISCHR(mode) and path not in _STANDARD_INPUTS) or stat.S_ISBLK(mode):
            raise SourceError("is a device, not a file; give a file, or - for standard input")
        if stat.S_ISREG(mode):
            yield Opened.of(file, path)
        else:
            with _kept(file, path) as opened:
                yield opened


@contextmanager
def as_source_errors() -> Iterator[None]:
    """Turns what the system raises inside into a SourceError."""
    try:
        yield
    except FileNotFoundError:
        raise SourceError("no such file") from None
    except PermissionError:
        raise SourceError("may not be read (permission denied)") from None
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"cannot be read: {words}") from None


@contextmanager
def opened_stdin() -> Iterator[Opened]:
    """Standard input. Raises SourceError where it cannot be read."""
    try:
        with _kept(sys.stdin.buffer, None) as opened:
            yield opened
    except (OSError, ValueError, AttributeError) as error:
        raise SourceError(f"cannot be read: {error}") from None


@contextmanager
def _kept(pipe: IO[bytes], path: str | None) -> Iterator[Opened]:
    """A stream that cannot go back: kept in memory while it is text, in a temporary file where it is an archive."""
    head = pipe.read(HEAD)
    if not is_zip(head) and not is_hdf5(head):
        yield Opened(head, io.BytesIO(head + pipe.read(MAX_CONFIG_BYTES + 1)), path)
        return
    import shutil
    import tempfile

    with tempfile.NamedTemporaryFile(prefix="layerexplain-") as copy:
        copy.write(head)
        shutil.copyfileobj(pipe, copy, 1024 * 1024)
        copy.flush()
        copy.seek(0)
        yield Opened(head, copy, path)


# Formats ----------------------------------------------------------------------------------------------------------


def _read_directory(path: str) -> Model:
    names = set(os.listdir(path))
    if "config.json" not in names and {"saved_model.pb", "keras_metadata.pb"} & names:
        from layerexplain.frontends.keras.saved_model import read_saved_model_directory

        return read_saved_model_directory(path)
    from layerexplain.frontends.keras.archive import read_keras_directory

    return read_keras_directory(path)


def _read_opened(opened: Opened) -> Model:
    return next(one.read for one in FORMATS if one.accepts(opened))(opened)


def _read_zip(opened: Opened) -> Model:
    from layerexplain.frontends.keras.archive import read_keras_archive

    return read_keras_archive(opened.file)


def _read_hdf5(opened: Opened) -> Model:
    from layerexplain.frontends.keras.legacy_h5 import read_legacy_h5

    return read_legacy_h5(opened.file if isinstance(opened.file, io.BytesIO) else opened.file.name)


def _is_saved_model(opened: Opened) -> bool:
    if opened.head[:1] not in (b"\n", b"\x08"):
        return False
    from layerexplain.frontends.keras.saved_model import is_keras_metadata, is_saved_model

    return is_saved_model(opened.head) or is_keras_metadata(opened.head)


def _read_saved_model(opened: Opened) -> Model:
    from layerexplain.frontends.keras.saved_model import is_saved_model, read_keras_metadata, read_saved_model_file

    if not is_saved_model(opened.head):
        return read_keras_metadata(opened.file)
    return read_saved_model_file(opened.file, None if opened.path is None else os.path.dirname(opened.path) or ".")


def _no_model(opened: Opened) -> str | None:
    """What a source is that holds no model; None where it may be a text that does."""
    if not opened.head:
        return "is empty; a .keras or .h5 file, a config JSON or a YAML spec is needed"
    from layerexplain.frontends.not_a_model import describe_foreign

    foreign = describe_foreign(opened.head)
    if foreign is None and not is_text(opened.head) and opened.path is not None:
        must_be = _BINARY_ENDINGS.get(os.path.splitext(opened.path)[1].lower())
        foreign = must_be and f"is {must_be}; the file is damaged, or is not a model that Keras saved"
    return foreign


def _refuse(opened: Opened) -> Model:
    raise SourceError(_no_model(opened) or "holds no model")


def _is_json(opened: Opened) -> bool:
    return begins_as_json(opened.head) or (not opened.head.strip() and begins_as_json(opened.text()))


def _read_json(opened: Opened) -> Model:
    """A Keras configuration; a spec may be written as JSON, too, and YAML may begin as JSON does."""
    from layerexplain.frontends.json_text import parse_json
    from layerexplain.frontends.keras.config import is_spec, model_of_document

    data = opened.text()
    try:
        document = parse_json(data, "the text")
    except SourceError:
        if looks_like_json(data):
            raise
        return _read_spec(data, opened.path)
    if isinstance(document, dict) and "weight_map" in document and opened.path is not None:
        from layerexplain.frontends.keras.weights_only import read_weights_only

        return read_weights_only(opened.path, "is an index of sharded weights, but not one of Keras")
    return _read_spec(data, opened.path) if is_spec(document) else model_of_document(document)


def _read_spec(data: bytes, path: str | None) -> Model:
    from layerexplain.frontends.spec.document import read_yaml_spec

    return read_yaml_spec(data, path or "")


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
    Format(lambda opened: True, lambda opened: _read_spec(opened.text(), opened.path)),
)
"""What is read, in the order in which it is tried; the first that accepts a source reads it."""
