"""`.keras` archives and the same unzipped: only config.json and metadata.json are read, nothing is extracted."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Mapping
from typing import IO, Any

from layerexplain.errors import SourceError, first_line
from layerexplain.frontends.json_text import parse_json
from layerexplain.frontends.keras.config_json import model_of_document
from layerexplain.frontends.keras.zip_members import DAMAGE, members_by_name, read_member
from layerexplain.frontends.limits import MAX_CONFIG_BYTES
from layerexplain.model import Model

_CONFIG = "config.json"
_METADATA = "metadata.json"
# Keras 2.10 and 2.11 called it so.
_OLD_CONFIG = "config.keras"
# Beside a config.json these tell a Keras model from whatever else has one.
_BESIDE = frozenset({_METADATA, "model.weights.h5", "model.weights.json", "model.weights.npz"})


def read_keras_archive(file: str | IO[bytes]) -> Model:
    """The model of a .keras archive. Raises SourceError where it is damaged, hostile or no .keras archive."""
    try:
        with zipfile.ZipFile(file) as archive:
            by_name = members_by_name(archive)
            folder = _folder(by_name)
            config = read_member(archive, by_name, f"{folder}{_CONFIG}", f"{folder}{_OLD_CONFIG}")
            if config is None:
                from layerexplain.frontends.not_a_model import describe_archive

                raise SourceError(describe_archive(list(by_name)))
            metadata = read_member(archive, by_name, f"{folder}{_METADATA}")
    except DAMAGE as error:
        raise SourceError(f"is a damaged zip archive ({first_line(error, 120)}); was it copied whole?") from None
    return _model(config, metadata)


def _folder(members: Mapping[str, Any]) -> str:
    """The folder that an archive holds its files in: "" as Keras writes it, `model/` where a folder was zipped."""
    if _CONFIG in members:
        return ""
    folders = [name[: -len(_CONFIG)] for name in members if name.endswith(f"/{_CONFIG}")]
    plain = [folder for folder in folders if any(f"{folder}{name}" in members for name in _BESIDE)]
    return plain[0] if len(plain) == 1 else ""


def read_keras_directory(path: str) -> Model:
    """The model of an unzipped .keras archive. Raises SourceError for a directory that is something else."""
    config = _read_file(os.path.join(path, _CONFIG))
    if config is None:
        config = _read_file(os.path.join(path, _OLD_CONFIG))
    if config is None:
        raise SourceError(_describe_directory(path))
    return _model(config, _read_file(os.path.join(path, _METADATA)))


def _model(config: bytes, metadata: bytes | None) -> Model:
    version: Any = None
    if metadata is not None:
        document = parse_json(metadata, _METADATA)
        version = document.get("keras_version") if isinstance(document, dict) else None
    model = model_of_document(parse_json(config, _CONFIG), keras_version=version, numbered=True)
    return model._replace(format="keras-archive")


def _read_file(path: str) -> bytes | None:
    """The bytes of a regular file, or None where there is none."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb") as file:
            return file.read(MAX_CONFIG_BYTES + 1)
    except FileNotFoundError:
        return None


def _describe_directory(path: str) -> str:
    names = set(os.listdir(path))
    if "model.json" in names:
        return "is a folder with a model.json, as TensorFlow.js writes it; give that file"
    inside = sorted(name for name in names if name.endswith((".keras", ".h5", ".json", ".yaml", ".yml")))
    if inside:
        return f"is a folder, not a model; give a file in it, such as {inside[0]!r}"
    return "is a folder without a model; an unzipped .keras file has a config.json"
