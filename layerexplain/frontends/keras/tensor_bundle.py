"""TensorFlow's checkpoints: `variables.index`, a sorted table of LevelDB, says which bytes of `variables.data-…` are
which variable; the graph of objects that it holds says which object has it. TensorFlow is not needed.

Every place and size is held against the files before it is believed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping

from layerexplain.errors import SourceError
from layerexplain.files.limits import MAX_AXES, MAX_CONFIG_BYTES, MAX_SAVED_OBJECTS
from layerexplain.frontends.keras.protobuf import DTYPES, Value, fields, messages, read_varint, signed, text
from layerexplain.frontends.keras.raw_values import Piece, file_beside
from layerexplain.records import NamedTuple
from layerexplain.sources.regular_file import in_folder, open_regular, size_of

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
        found = dict(fields(value))
        number = signed(found.get(3))
        if number not in files:
            path = file_beside(folder, f"{stem}.data-{number:05d}-of-{shards:05d}")
            files[number] = path, size_of(path)
        path, size = files[number]
        place = Piece(path, signed(found.get(4)), signed(found.get(5)))
        if place.start < 0 or place.size < 0 or place.start + place.size > size:
            raise SourceError(
                f"{key[:80]!r} lies outside of {os.path.basename(path)}; was the checkpoint copied whole?"
            )
        dtype = DTYPES.get(signed(found.get(1)), "")
        if key == _OBJECTS:
            graph = place
            continue
        shape = _shape(found.get(2))
        if 7 not in found and math.prod(shape) * ITEM_BYTES.get(dtype, -1) == place.size:
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
    found: list[TrackedObject] = []
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
        found.append(TrackedObject(children, name, key))
        if len(found) > MAX_SAVED_OBJECTS:
            raise SourceError(f"the checkpoint has more than {MAX_SAVED_OBJECTS:,} objects; no model needs that many")
    count = len(found)
    if any(not 0 <= child < count for one in found for child in one.children.values()):
        raise SourceError("an object of the checkpoint names one that is not there; is the file damaged?")
    return tuple(found)
