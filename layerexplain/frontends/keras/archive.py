"""`.keras` archives and the same unzipped: only config.json and metadata.json are read, nothing is extracted."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO, Any

from layerexplain.errors import SourceError
from layerexplain.frontends.json_text import parse_json
from layerexplain.frontends.keras.config_json import model_of_document
from layerexplain.frontends.limits import MAX_CONFIG_BYTES, MAX_MEMBERS, MAX_RATIO, RATIO_FREE_BYTES
from layerexplain.model import Model

_CONFIG = "config.json"
_METADATA = "metadata.json"
# Keras 2.10 and 2.11 called it so.
_OLD_CONFIG = "config.keras"
# Beside a config.json these tell a Keras model from whatever else has one.
_BESIDE = frozenset({_METADATA, "model.weights.h5", "model.weights.json", "model.weights.npz"})

# All that zipfile and zlib raise for bytes that are not what they claim to be.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    OSError,
    ValueError,
)


def read_keras_archive(file: str | IO[bytes]) -> Model:
    """The model of a .keras archive. Raises SourceError where it is damaged, hostile or no .keras archive."""
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise SourceError(f"is a zip archive of {len(members):,} members; a .keras file has a handful")
            by_name: dict[str, list[zipfile.ZipInfo]] = {}
            for member in members:
                by_name.setdefault(member.filename, []).append(member)
            folder = _folder(by_name)
            config = _only(archive, by_name, [f"{folder}{_CONFIG}", f"{folder}{_OLD_CONFIG}"])
            if config is None:
                from layerexplain.frontends.not_a_model import describe_archive

                raise SourceError(describe_archive(list(by_name)))
            metadata = _only(archive, by_name, [f"{folder}{_METADATA}"])
    except _DAMAGE as error:
        raise SourceError(f"is a damaged zip archive ({_first_line(error)}); was it copied whole?") from None
    return _model(config, metadata)


def _folder(members: Mapping[str, Any]) -> str:
    """The folder that an archive holds its files in: "" as Keras writes it, `model/` where a folder was zipped."""
    if _CONFIG in members:
        return ""
    folders = [name[: -len(_CONFIG)] for name in members if name.endswith(f"/{_CONFIG}")]
    plain = [folder for folder in folders if any(f"{folder}{name}" in members for name in _BESIDE)]
    return plain[0] if len(plain) == 1 else ""


def _only(archive: zipfile.ZipFile, members: Mapping[str, list[zipfile.ZipInfo]], names: list[str]) -> bytes | None:
    """The bytes of the first of these members that there is; None where there is none."""
    name = next((name for name in names if name in members), None)
    if name is None:
        return None
    same = members[name]
    if len(same) > 1:
        raise SourceError(f"holds {name} {len(same)} times; a .keras file has one")
    start, end = same[0].header_offset, same[0].header_offset + same[0].compress_size
    for others in members.values():
        for other in others:
            if other is not same[0] and start <= other.header_offset < end:
                raise SourceError(
                    f"its members {name} and {other.filename} overlap, as those of zip bombs do; "
                    "a .keras file has them one behind the other"
                )
    return _read_member(archive, same[0])


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


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A member's bytes, after its stated sizes were checked; never more than the cap is unpacked."""
    name, size = member.filename, member.file_size
    if size > MAX_CONFIG_BYTES:
        raise SourceError(f"{name} unpacks to {size:,} bytes; a configuration needs at most {MAX_CONFIG_BYTES:,}")
    if size > RATIO_FREE_BYTES and size > MAX_RATIO * max(member.compress_size, 1):
        ratio = size // max(member.compress_size, 1)
        raise SourceError(f"{name} unpacks to {ratio:,} times its stored size, as zip bombs do; at most {MAX_RATIO}")
    if member.flag_bits & 0x1:
        raise SourceError(f"{name} is encrypted; a .keras file is not")
    try:
        with archive.open(member) as stream:
            data = stream.read(MAX_CONFIG_BYTES + 1)
    except _DAMAGE as error:
        raise SourceError(f"{name} cannot be unpacked ({_first_line(error)}); was the file copied whole?") from None
    if len(data) < size:
        raise SourceError(f"{name} ends after {len(data):,} of {size:,} bytes; was the file copied whole?")
    return data


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


def _first_line(error: BaseException) -> str:
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return text[:120]
