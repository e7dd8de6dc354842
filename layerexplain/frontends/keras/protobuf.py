"""Protocol buffers' wire format, as far as reading needs it: numbered fields, no schema, no generated code.

Every length is checked against what is there before it is believed; groups, which nobody writes today, are refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import IO

from layerexplain.errors import SourceError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_MAX_FIELDS = 1_000_000
_HEAD = 20
"""Bytes that hold the head of any field: two numbers of up to ten bytes."""

DTYPES = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 8: "complex64",
    9: "int64", 10: "bool", 14: "bfloat16", 17: "uint16", 18: "complex128", 19: "float16", 22: "uint32", 23: "uint64",
}  # fmt: skip
"""TensorFlow's numbers of dtypes (types.proto)."""

Value = int | memoryview
"""A field's value: a number (unsigned), or the bytes of a text, a message or packed numbers."""


def fields(data: bytes | memoryview) -> Iterator[tuple[int, Value]]:
    """Yield (number, value) of each field of a message, in its order. Raises SourceError for bytes that are not a
    message."""
    view = memoryview(data)
    for number, _, at, stop, value in _heads(lambda start, end: view[start:end], 0, len(view)):
        yield number, view[at:stop] if value is None else value


def messages(data: bytes | memoryview, number: int) -> Iterator[memoryview]:
    """Yield the values of all fields of one number that hold bytes."""
    for found, value in fields(data):
        if found == number and isinstance(value, memoryview):
            yield value


def text(value: Value | None) -> str:
    """Return a field's value as text; "" where it is a number or missing. What is no UTF-8 is replaced."""
    return bytes(value).decode("utf-8", "replace") if isinstance(value, memoryview) else ""


def signed(value: Value | None) -> int:
    """Return a field's value as a signed number of 64 bits; 0 where it is bytes or missing."""
    if not isinstance(value, int):
        return 0
    return value - (1 << 64) if value >= 1 << 63 else value


def sections(file: IO[bytes], start: int, end: int, number: int) -> Iterator[tuple[int, int]]:
    """Return (start, end) of each field of one number that holds bytes, in the message at those places of a file.

    Only the heads of fields are read: what lies between is passed over, however large.
    """

    def part(start: int, end: int) -> memoryview:
        file.seek(start, os.SEEK_SET)
        return memoryview(file.read(end - start))

    for found, wire, at, stop, _ in _heads(part, start, end):
        if found == number and wire == BYTES:
            yield at, stop


def _heads(
    part: Callable[[int, int], memoryview], at: int, end: int
) -> Iterator[tuple[int, int, int, int, int | None]]:
    """Yield (number, wire type, start, end, value) of each field; the value only of a number in the head itself."""
    count = 0
    while at < end:
        count += 1
        if count > _MAX_FIELDS:
            raise SourceError(f"a message has more than {_MAX_FIELDS:,} fields; no model needs that many")
        head = part(at, min(at + _HEAD, end))
        tag, done = read_varint(head, 0)
        value, size, wire = None, 0, tag & 7
        if wire == VARINT:
            value, done = read_varint(head, done)
        elif wire == BYTES:
            size, done = read_varint(head, done)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise SourceError(f"a field has the wire type {wire}, which does not exist; is the file damaged?")
        at += done
        if size > end - at or (tag >> 3 == 0 and wire != VARINT):
            raise SourceError("a field declares more bytes than there are; is the file damaged?")
        yield tag >> 3, wire, at, at + size, value
        at += size


def numbers(packed: memoryview) -> Iterator[int]:
    """Packed numbers, unsigned."""
    at = 0
    while at < len(packed):
        value, at = read_varint(packed, at)
        yield value


def read_varint(view: memoryview, at: int) -> tuple[int, int]:
    """Return a number of up to 64 bits, seven to a byte, and the place behind it."""
    result = shift = 0
    while True:
        if at >= len(view) or shift > 63:
            raise SourceError("a number of a message has no end; is the file damaged?")
        byte = view[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & (1 << 64) - 1, at
        shift += 7
