"""TensorFlow's checkpoints: their index and the wire format of protocol buffers, as far as reading needs them.

Every length is checked against what is there before it is believed; groups, which nobody writes today, are refused.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from typing import IO

from layerexplain.errors import SourceError
from layerexplain.files.limits import MAX_AXES, MAX_CONFIG_BYTES, MAX_SAVED_OBJECTS
from layerexplain.frontends.keras.weight_tensors import Piece, file_beside
from layerexplain.records import NamedTuple
from layerexplain.sources.regular_file import in_folder, open_regular, size_of

# Protobuf -----------------------------------------------------------------------------------------------------------

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
    for result, value in fields(data):
        if result == number and isinstance(value, memoryview):
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

    for result, wire, at, stop, _ in _heads(part, start, end):
        if result == number and wire == BYTES:
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


# Tensor bundle ------------------------------------------------------------------------------------------------------
# TensorFlow's checkpoints: `variables.index`, a sorted table of LevelDB, says which bytes of `variables.data-…` are
# which variable; the graph of objects that it holds says which object has it. TensorFlow is not needed.

_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE = "VARIABLE_VALUE"
_FOOTER = 48
_MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
_BEHIND_BLOCK = 5
"""Bytes behind a block: one that says how it is compressed, and a checksum."""
_CHECKSUM = 4

ITEM_BYTES = {
    "float32": 4, "float64": 8, "int32": 4, "uint8": 1, "int16": 2, "int8": 1, "complex64": 8, "int64": 8, "bool": 1,
    "bfloat16": 2, "uint16": 2, "complex128": 16, "float16": 2, "uint32": 4, "uint64": 8,
}  # fmt: skip
"""Dtype → the bytes of one number."""


class BundleEntry(NamedTuple):
    """An array of a checkpoint."""

    dtype: str
    shape: tuple[int, ...]
    place: Piece


class TrackedObject(NamedTuple):
    """An object of a checkpoint: its children by name (numbers of objects); of a variable, its name and its key among
    the entries."""

    children: Mapping[str, int]
    name: str
    key: str


class Checkpoint(NamedTuple):
    """What a checkpoint holds: its arrays by their keys, and its objects, of which the first is the root."""

    entries: Mapping[str, BundleEntry]
    objects: tuple[TrackedObject, ...]


def read_checkpoint(folder: str, stem: str) -> Checkpoint:
    """Return what the checkpoint `stem` in a folder holds. Raises SourceError where it is damaged."""
    with open_regular(in_folder(folder, f"{stem}.index"), f"{stem}.index") as file:
        data = file.read(MAX_CONFIG_BYTES + 1)
    if len(data) > MAX_CONFIG_BYTES:
        raise SourceError(f"{stem}.index has more than {MAX_CONFIG_BYTES:,} bytes; no model needs that many")
    table = dict(_pairs(data, f"{stem}.index"))
    shards = max(signed(dict(fields(table.pop("", b""))).get(1)), 1)
    entries: dict[str, BundleEntry] = {}
    graph: Piece | None = None
    files: dict[int, tuple[str, int]] = {}
    for key, value in table.items():
        results = dict(fields(value))
        number = signed(results.get(3))
        if number not in files:
            path = file_beside(folder, f"{stem}.data-{number:05d}-of-{shards:05d}")
            files[number] = path, size_of(path)
        path, size = files[number]
        place = Piece(path, signed(results.get(4)), signed(results.get(5)))
        if place.start < 0 or place.size < 0 or place.start + place.size > size:
            raise SourceError(
                f"{key[:80]!r} lies outside of {os.path.basename(path)}; was the checkpoint copied whole?"
            )
        dtype = DTYPES.get(signed(results.get(1)), "")
        if key == _OBJECTS:
            graph = place
            continue
        shape = _shape(results.get(2))
        if 7 not in results and math.prod(shape) * ITEM_BYTES.get(dtype, -1) == place.size:
            entries[key] = BundleEntry(dtype, shape, place)
    return Checkpoint(entries, _objects(graph) if graph is not None else ())


def _shape(value: Value | None) -> tuple[int, ...]:
    sizes: list[int] = []
    for dimension in messages(value, 2) if isinstance(value, memoryview) else ():
        sizes.append(signed(dict(fields(dimension)).get(1)))
        if len(sizes) > MAX_AXES or sizes[-1] < 0:
            raise SourceError("an array of the checkpoint has an impossible shape; is the file damaged?")
    return tuple(sizes)


# The table --------------------------------------------------------------------------------------------------------


def _pairs(data: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the keys and values of a sorted table."""
    if len(data) < _FOOTER or not data.endswith(_MAGIC):
        raise SourceError(f"{name} is not a TensorFlow table; is the file damaged?")
    view = memoryview(data)
    footer = view[-_FOOTER:]
    at = start = size = 0
    for _ in range(2):  # the index of filters, which nobody writes, and that of the blocks
        start, at = read_varint(footer, at)
        size, at = read_varint(footer, at)
    count = 0
    for _, block in _entries(_block(view, start, size, name), name):
        start, behind = read_varint(block, 0)
        size, _ = read_varint(block, behind)
        for key, value in _entries(_block(view, start, size, name), name):
            count += 1
            if count > MAX_SAVED_OBJECTS:
                raise SourceError(f"{name} lists more than {MAX_SAVED_OBJECTS:,} arrays; no model has that many")
            yield key.decode("utf-8", "replace"), bytes(value)


def _block(view: memoryview, start: int, size: int, name: str) -> memoryview:
    if start + size + _BEHIND_BLOCK > len(view):
        raise SourceError(f"{name} points beyond its end; was it copied completely?")
    if view[start + size]:
        raise SourceError(f"{name} is compressed, which TensorFlow does not do; it is not read")
    return view[start : start + size]


def _entries(block: memoryview, name: str) -> Iterator[tuple[bytes, memoryview]]:
    """Yield the pairs of a block: a key says how much of it is as in the one before."""
    if len(block) < 4:
        raise SourceError(f"{name} has a block that is too short; is the file damaged?")
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 - 4 * restarts
    if end < 0:
        raise SourceError(f"{name} has a block that is too short; is the file damaged?")
    body, at, key = block[:end], 0, b""
    while at < end:
        same, at = read_varint(body, at)
        own, at = read_varint(body, at)
        size, at = read_varint(body, at)
        if same > len(key) or own > end - at or size > end - at - own:
            raise SourceError(f"{name} has an entry that is longer than its block; is the file damaged?")
        key = key[:same] + bytes(body[at : at + own])
        at += own
        yield key, body[at : at + size]
        at += size


# The objects ------------------------------------------------------------------------------------------------------


def _objects(place: Piece) -> tuple[TrackedObject, ...]:
    """Return the objects of a checkpoint, from the one text in which they lie."""
    if place.size > MAX_CONFIG_BYTES:
        raise SourceError(f"the objects of the checkpoint have {place.size:,} bytes; no model needs that many")
    with open_regular(place.path) as file:
        file.seek(place.start)
        data = memoryview(file.read(place.size))
    _, at = read_varint(data, 0)  # the length of the text
    tracked_objects: list[TrackedObject] = []
    for message in messages(data[at + _CHECKSUM :], 1):
        children: dict[str, int] = {}
        name = key = ""
        for number, value in fields(message):
            if number not in (1, 2) or not isinstance(value, memoryview):
                continue
            part = dict(fields(value))
            if number == 1:
                children[text(part.get(2))] = signed(part.get(1))
            elif text(part.get(1)) == _VALUE:
                name, key = text(part.get(2)), text(part.get(3))
        tracked_objects.append(TrackedObject(children, name, key))
        if len(tracked_objects) > MAX_SAVED_OBJECTS:
            raise SourceError(f"the checkpoint has more than {MAX_SAVED_OBJECTS:,} objects; no model needs that many")
    count = len(tracked_objects)
    if any(not 0 <= child < count for tracked_object in tracked_objects for child in tracked_object.children.values()):
        raise SourceError("an object of the checkpoint names one that is not there; is the file damaged?")
    return tuple(tracked_objects)
