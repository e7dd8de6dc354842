"""Members of a zip archive, never extracted: every stated size is checked before it is believed, and at most a cap is
unpacked, in memory. A stored member is read where it lies.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO

from layerexplain.errors import LayerExplainError, SourceError, first_line
from layerexplain.files.limits import MAX_CONFIG_BYTES, MAX_INFLATED_BYTES, MAX_MEMBERS, MAX_RATIO, RATIO_FREE_BYTES
from layerexplain.records import grouped

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


def members_by_name(archive: zipfile.ZipFile) -> Members:
    """Return the members of an archive, which may hold several of one name. Raises SourceError for too many."""
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise SourceError(f"is a zip archive of {len(members):,} members; a .keras file has a handful")
    return grouped((member.filename, member) for member in members)


def read_member(archive: zipfile.ZipFile, members: Members, *names: str) -> bytes | None:
    """Return the bytes of the first of these members that exists; None if none does. At most the cap is unpacked."""
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
    """Return a member's bytes, after its stated sizes were checked; never more than the cap is unpacked."""
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


def member_data(archive: zipfile.ZipFile, file: IO[bytes], member: zipfile.ZipInfo) -> int | bytes:
    """Return where a stored member's bytes begin in the archive; the bytes of a compressed one, unpacked up to a cap.

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
    """Return where the bytes of a stored member begin; the local header before them says so."""
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
