"""`.keras` archives and the same unzipped, never extracted: configurations are unpacked in memory, weights are read
where they are stored, and every stated size is checked before it is believed.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, Any

from layerexplain.errors import LayerExplainError, SourceError, first_line
from layerexplain.frontends.json_text import parse_json
from layerexplain.frontends.keras.config import model_of_document
from layerexplain.frontends.limits import MAX_CONFIG_BYTES, MAX_INFLATED_BYTES, MAX_MEMBERS, MAX_RATIO, RATIO_FREE_BYTES
from layerexplain.model import Model
from layerexplain.records import grouped

if TYPE_CHECKING:
    from layerexplain.frontends.keras.h5_service import H5Target

_CONFIG = "config.json"
_METADATA = "metadata.json"
# Keras 2.10 and 2.11 called it so.
_OLD_CONFIG = "config.keras"
# Next to a config.json, these files identify a Keras model.
_BESIDE = frozenset({_METADATA, "model.weights.h5", "model.weights.json", "model.weights.npz"})

DAMAGE = (
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
"""All that zipfile, zlib and the system raise for bytes that are not what they claim to be."""

Members = Mapping[str, list[zipfile.ZipInfo]]

_LOCAL_HEADER = 30
_LOCAL_MAGIC = b"PK\x03\x04"
_ENCRYPTED = 0x1
_CODINGS = {zipfile.ZIP_BZIP2: "bzip2", zipfile.ZIP_LZMA: "LZMA", 93: "Zstandard", 95: "XZ"}
_BLOCK = 1024 * 1024


def read_keras_archive(file: str | IO[bytes]) -> Model:
    """The model of a .keras archive. Raises SourceError where it is damaged, hostile or no .keras archive."""
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
    """The folder that an archive holds its files in: "" as Keras writes it, `model/` where a folder was zipped."""
    if _CONFIG in members:
        return ""
    folders = [name[: -len(_CONFIG)] for name in members if name.endswith(f"/{_CONFIG}")]
    plain = [folder for folder in folders if any(f"{folder}{name}" in members for name in _BESIDE)]
    return plain[0] if len(plain) == 1 else ""


def read_keras_directory(path: str) -> Model:
    """The model of an unzipped .keras archive. Raises SourceError for a directory that is something else."""
    from layerexplain.frontends.regular_file import names_in

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
    """The bytes of a file in a folder, as many as a configuration may have and one more."""
    from layerexplain.frontends.regular_file import in_folder, open_regular

    with open_regular(in_folder(folder, name), name) as file:
        return file.read(MAX_CONFIG_BYTES + 1)


def _describe_directory(names: set[str]) -> str:
    if "model.json" in names:
        return "is a folder with a model.json, as TensorFlow.js writes it; give that file"
    inside = sorted(name for name in names if name.endswith((".keras", ".h5", ".json", ".yaml", ".yml")))
    if inside:
        return f"is a folder, not a model; give a file in it, such as {inside[0]!r}"
    return "is a folder without a model; an unzipped .keras file has a config.json"


# Members ---------------------------------------------------------------------------------------------------------


def members_by_name(archive: zipfile.ZipFile) -> Members:
    """The members of an archive, which may hold several of one name. Raises SourceError for too many."""
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise SourceError(f"is a zip archive of {len(members):,} members; a .keras file has a handful")
    return grouped((member.filename, member) for member in members)


def read_member(archive: zipfile.ZipFile, members: Members, *names: str) -> bytes | None:
    """The bytes of the first of these members that exists; None if none does. At most the cap is unpacked."""
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
                    f"its members {name} and {other.filename} overlap, as in a zip bomb; "
                    "a .keras file stores them one after the other"
                )
    return _unpacked(archive, same[0])


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A member's bytes, after its stated sizes were checked; never more than the cap is unpacked."""
    name, size = member.filename, member.file_size
    if size > MAX_CONFIG_BYTES:
        raise SourceError(f"{name} unpacks to {size:,} bytes; a configuration needs at most {MAX_CONFIG_BYTES:,}")
    if size > RATIO_FREE_BYTES and size > MAX_RATIO * max(member.compress_size, 1):
        ratio = size // max(member.compress_size, 1)
        raise SourceError(f"{name} unpacks to {ratio:,} times its stored size, as in a zip bomb; at most {MAX_RATIO}")
    refuse_coding(member)
    try:
        with archive.open(member) as stream:
            data = stream.read(MAX_CONFIG_BYTES + 1)
    except LayerExplainError:
        raise
    except DAMAGE as error:
        raise SourceError(f"{name} cannot be unpacked ({first_line(error, 120)}); was the file copied whole?") from None
    if len(data) < size:
        raise SourceError(f"{name} ends after {len(data):,} of {size:,} bytes; was the file copied whole?")
    return data


def refuse_coding(member: zipfile.ZipInfo) -> None:
    """Check that a member is stored or deflated, and not encrypted, before it is opened.

    The decoders of bzip2 and LZMA unpack a whole block before the first byte can be counted: 3 kB become gigabytes.

    Raises:
        SourceError: if the member is stored in any other way.
    """
    if member.flag_bits & _ENCRYPTED:
        raise SourceError(f"{member.filename} is encrypted; store or deflate it, as Keras does")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        how = _CODINGS.get(member.compress_type, f"method {member.compress_type}")
        raise SourceError(f"{member.filename} is compressed with {how}; store or deflate it, as Keras does")


def member_target(archive: zipfile.ZipFile, file: IO[bytes], path: str | None, member: zipfile.ZipInfo) -> H5Target:
    """A member as a place in the archive where it is stored, else unpacked into memory, up to a cap. `path` is that of
    the archive, None for one in memory.

    Raises SourceError where it is encrypted, damaged, or unpacks to more than the cap.
    """
    from layerexplain.frontends.keras.h5_service import H5Target

    found = member_data(archive, file, member)
    if isinstance(found, bytes):
        return H5Target(None, data=found)
    if path is not None:
        whole = H5Target.of(path)
        if whole.served is not None:
            return H5Target(None, served=whole.served.part(found, member.file_size))
        return H5Target(path, found, member.file_size)
    file.seek(found)
    return H5Target(None, data=file.read(member.file_size))


def member_data(archive: zipfile.ZipFile, file: IO[bytes], member: zipfile.ZipInfo) -> int | bytes:
    """Where a stored member's bytes begin in the archive; the bytes of a compressed one, unpacked up to a cap.

    Raises SourceError where it is encrypted, damaged, or unpacks to more than the cap.
    """
    name = member.filename
    refuse_coding(member)
    if member.compress_type == zipfile.ZIP_STORED:
        return _start_of(archive, file, member)
    if member.file_size > MAX_INFLATED_BYTES:
        raise SourceError(
            f"{name} is compressed and unpacks to {member.file_size:,} bytes; at most {MAX_INFLATED_BYTES:,} are "
            "unpacked in memory; store it uncompressed, as Keras does"
        )
    unpacked = bytearray()
    with archive.open(member) as stream:
        while data := stream.read(_BLOCK):
            # The stated size may be a lie: what really comes out is counted.
            if len(unpacked) + len(data) > MAX_INFLATED_BYTES:
                raise SourceError(f"{name} unpacks to more than {MAX_INFLATED_BYTES:,} bytes, as in a zip bomb")
            unpacked += data
    return bytes(unpacked)


def _start_of(archive: zipfile.ZipFile, file: IO[bytes], member: zipfile.ZipInfo) -> int:
    """Where the bytes of a stored member begin; the local header before them says so."""
    name = member.filename
    file.seek(member.header_offset)
    header = file.read(_LOCAL_HEADER)
    if len(header) < _LOCAL_HEADER or header[:4] != _LOCAL_MAGIC:
        raise SourceError(f"{name} is not where the archive says; was the file copied whole?")
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    start = member.header_offset + _LOCAL_HEADER + lengths
    if member.compress_size != member.file_size or start + member.file_size > archive.start_dir:
        raise SourceError(f"{name} does not fit into the archive; was the file copied whole?")
    return start
