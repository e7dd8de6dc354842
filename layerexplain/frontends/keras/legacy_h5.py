"""Legacy `.h5` files (Keras 0.3 to 3): the root's attributes alone, never a weight; files of weights alone."""

from __future__ import annotations

import os
from typing import IO, Any

from layerexplain.errors import SourceError
from layerexplain.frontends.json_text import parse_json
from layerexplain.frontends.keras.config import read_config
from layerexplain.frontends.keras.h5_service import SERVICE, H5Target
from layerexplain.frontends.limits import MAX_CONFIG_BYTES
from layerexplain.model import Model

_MAX_CHUNKS = 10_000
_SECONDS = 3


def read_legacy_h5(file: str | IO[bytes]) -> Model:
    """The model of a legacy .h5 file; of one that holds weights alone, the layers that they tell.

    Raises SourceError where it is damaged or no file of Keras.
    """
    target = H5Target(os.path.abspath(file)) if isinstance(file, str) else H5Target(None, data=_all_bytes(file))
    answer = SERVICE.ask(target, "configuration", seconds=_SECONDS, most=MAX_CONFIG_BYTES)
    config = bytes(answer.data) if answer.value["found"] else None
    version = answer.value["version"]
    if config is None:
        from layerexplain.frontends.keras.weights_only import read_weights_only

        return read_weights_only(
            file if isinstance(file, str) else _all_bytes(file),
            "is an HDF5 file, but neither a Keras model (it has no attribute model_config) nor Keras weights",
        )
    keras_version = version if isinstance(version, str) else None
    document = parse_json(config, "the attribute model_config")
    return read_config(document, keras_version=keras_version)._replace(format="h5")


def configuration(root: Any, most: int = MAX_CONFIG_BYTES) -> tuple[bytes | None, str | None]:
    """What an open file says of its model: the configuration and the version of Keras, either of which may be None.

    For the process that reads HDF5 files; at most `most` bytes are read. Raises SourceError, or what h5py raises for
    damaged bytes.
    """
    config = _attribute(root, "model_config", most)
    version = _attribute(root, "keras_version", most) if config is not None else None
    return config, None if version is None else version.decode("utf-8", "replace")


def _attribute(root: Any, name: str, most: int) -> bytes | None:
    """A text attribute, joined from name0, name1, … where it was too large for one; None where there is none."""
    if name in root.attrs:
        return _text(root, name, most)
    parts: list[bytes] = []
    total = 0
    while len(parts) < _MAX_CHUNKS and f"{name}{len(parts)}" in root.attrs:
        parts.append(_text(root, f"{name}{len(parts)}", most))
        total += len(parts[-1])
        _check_size(total, name, most)
    return b"".join(parts) if parts else None


def _text(root: Any, name: str, most: int) -> bytes:
    """One text attribute; its stated type and size are checked before it is read."""
    import h5py

    attribute = h5py.h5a.open(root.id, name.encode())
    kind = h5py.check_string_dtype(attribute.dtype)
    if kind is None or attribute.shape not in ((), (1,)):
        raise SourceError(f"the attribute {name} is an array of {attribute.dtype}; one text is needed")
    _check_size(attribute.get_storage_size(), name, most)
    value = root.attrs[name]
    if attribute.shape == (1,):
        value = value[0]
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
    _check_size(len(data), name, most)
    return data


def _check_size(size: int, name: str, most: int) -> None:
    if size > most:
        raise SourceError(f"the attribute {name} has {size:,} bytes; a configuration needs at most {most:,}")


def _all_bytes(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()
