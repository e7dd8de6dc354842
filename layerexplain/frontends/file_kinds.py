"""What kind of file the first bytes of a source tell."""

from __future__ import annotations

HEAD = 4096
"""How many first bytes tell the kind of a file."""

_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_HDF5 = b"\x89HDF\r\n\x1a\n"
# HDF5 allows a foreign block of 512 · 2**n bytes in front.
_HDF5_OFFSETS = (0, 512, 1024, 2048)


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
