"""`.keras` archives and the same unzipped, never extracted: configurations are unpacked in memory, weights are read
where they are stored, and every stated size is checked before it is believed.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from layerexplain.errors import LayerExplainError, SourceError, first_line
from layerexplain.files.limits import MAX_CONFIG_BYTES
from layerexplain.files.zip_members import DAMAGE, member_data, members_by_name, read_member
from layerexplain.frontends.json_text import parse_json
from layerexplain.frontends.keras.config import model_of_document
from layerexplain.model import Model

if TYPE_CHECKING:
    from layerexplain.frontends.keras.h5_service import H5Target

_CONFIG = "config.json"
_METADATA = "metadata.json"
# Keras 2.10 and 2.11 called it so.
_OLD_CONFIG = "config.keras"
# Next to a config.json, these files identify a Keras model.
_BESIDE = frozenset({_METADATA, "model.weights.h5", "model.weights.json", "model.weights.npz"})


def read_keras_archive(file: str | IO[bytes]) -> Model:
    """Return the model of a .keras archive. Raises SourceError where it is damaged, hostile or no .keras archive."""
    try:
        with zipfile.ZipFile(file) as archive:
            by_name = members_by_name(archive)
            folder = _folder(by_name)
            config = read_member(archive, by_name, f"{folder}{_CONFIG}", f"{folder}{_OLD_CONFIG}")
            if config is None:
                from layerexplain.frontends.not_a_model import describe_archive

                raise describe_archive(list(by_name))
            metadata = read_member(archive, by_name, f"{folder}{_METADATA}")
    except LayerExplainError:
        raise
    except DAMAGE as error:
        raise SourceError(f"is a damaged zip archive ({first_line(error, 120)}); was it copied whole?") from None
    return _model(config, metadata)


def _folder(members: Mapping[str, Any]) -> str:
    """Return the folder that an archive holds its files in: "" as Keras writes it, `model/` where a folder was
    zipped."""
    if _CONFIG in members:
        return ""
    folders = [name[: -len(_CONFIG)] for name in members if name.endswith(f"/{_CONFIG}")]
    plain = [folder for folder in folders if any(f"{folder}{name}" in members for name in _BESIDE)]
    return plain[0] if len(plain) == 1 else ""


def read_keras_directory(path: str) -> Model:
    """Return the model of an unzipped .keras archive. Raises SourceError for a directory that is something else."""
    from layerexplain.sources.regular_file import names_in

    names = names_in(path)
    name = _CONFIG if _CONFIG in names else _OLD_CONFIG
    if name not in names:
        raise SourceError(_describe_directory(names))
    return _model(config_bytes(path, name), config_bytes(path, _METADATA) if _METADATA in names else None)


def _model(config: bytes, metadata: bytes | None) -> Model:
    version: Any = None
    if metadata is not None:
        document = parse_json(metadata, _METADATA)
        version = document.get("keras_version") if isinstance(document, dict) else None
    model = model_of_document(parse_json(config, _CONFIG), keras_version=version, numbered=True)
    return model._replace(format="keras-archive")


def config_bytes(folder: str, name: str) -> bytes:
    """Return the bytes of a file in a folder, as many as a configuration may have and one more."""
    from layerexplain.sources.regular_file import in_folder, open_regular

    with open_regular(in_folder(folder, name), name) as file:
        return file.read(MAX_CONFIG_BYTES + 1)


def _describe_directory(names: set[str]) -> str:
    if "model.json" in names:
        return "is a folder with a model.json, as TensorFlow.js writes it; give that file"
    inside = sorted(name for name in names if name.endswith((".keras", ".h5", ".json", ".yaml", ".yml")))
    if inside:
        return f"is a folder, not a model; -r reads all models in it; or give one, such as {inside[0]!r}"
    return "is a folder without a model; an unzipped .keras file has a config.json"


def member_target(archive: zipfile.ZipFile, file: IO[bytes], path: str | None, member: zipfile.ZipInfo) -> H5Target:
    """Return a member as a place in the archive where it is stored, else unpacked into memory, up to a cap. `path` is
    that of the archive, None for one in memory.

    Raises SourceError where it is encrypted, damaged, or unpacks to more than the cap.
    """
    from layerexplain.frontends.keras.h5_service import H5Target

    result = member_data(archive, file, member)
    if isinstance(result, bytes):
        return H5Target(None, data=result)
    if path is not None:
        whole = H5Target.from_source(path)
        if whole.served is not None:
            return H5Target(None, served=whole.served.part(result, member.file_size))
        return H5Target(path, result, member.file_size)
    file.seek(result)
    return H5Target(None, data=file.read(member.file_size))
