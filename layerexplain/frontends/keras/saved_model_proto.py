"""What SavedModel files hold, as plain data: objects, variables and signatures, and the Keras metadata beside them.

Field numbers are those of TensorFlow's saved_model.proto, saved_object_graph.proto and Keras's saved_metadata.proto.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import IO

from layerexplain.errors import SourceError
from layerexplain.frontends.keras.protobuf import DTYPES, Value, fields, messages, sections, signed, text
from layerexplain.frontends.limits import MAX_CONFIG_BYTES
from layerexplain.model import Shape
from layerexplain.records import NamedTuple

KERAS_IDENTIFIER = "_tf_keras_"
_MAX_OBJECTS = 1_000_000


class Variable(NamedTuple):
    """A variable of an object graph; `shape` is None where its rank is not stated."""

    name: str
    dtype: str
    shape: Shape | None
    trainable: bool


class SavedObject(NamedTuple):
    """A node of the object graph: its children by name, what kind of object it is, and the JSON that Keras kept."""

    children: Mapping[str, int]
    identifier: str
    metadata: bytes
    variable: Variable | None


class ServedFunction(NamedTuple):
    """A function that the SavedModel serves: its tensors by name, as (dtype, shape)."""

    name: str
    inputs: Mapping[str, tuple[str, Shape | None]]
    outputs: Mapping[str, tuple[str, Shape | None]]


class SavedModel(NamedTuple):
    """The objects (the first is the root) and signatures of a saved_model.pb; its graph is passed over."""

    objects: tuple[SavedObject, ...]
    signatures: tuple[ServedFunction, ...]


class KerasNode(NamedTuple):
    """A Keras object of a SavedModel: where it hangs (`root.layer-0`), what it is, and its JSON."""

    path: str
    identifier: str
    metadata: bytes


def read_saved_model_proto(file: IO[bytes]) -> SavedModel:
    """The objects and signatures of a saved_model.pb. Raises SourceError where it is damaged or is something else.

    The graph, which may hold gigabytes of constants, is passed over.
    """
    end = file.seek(0, os.SEEK_END)
    objects: list[SavedObject] = []
    signatures: list[ServedFunction] = []
    for start, stop in sections(file, 0, end, 2):
        for at, until in sections(file, start, stop, 7):
            objects = [_object(node) for node in messages(_section(file, at, until), 1)]
            if len(objects) > _MAX_OBJECTS:
                raise SourceError(f"has {len(objects):,} objects; no model needs that many")
        signatures = [_signature(_section(file, at, until)) for at, until in sections(file, start, stop, 5)]
        break
    return SavedModel(tuple(objects), tuple(signatures))


def keras_nodes_of_objects(saved: SavedModel) -> list[KerasNode]:
    """The Keras objects of an object graph, each under the shortest path that leads to it, as TensorFlow before 2.5
    kept them."""
    paths = {0: "root"}
    waiting = [0]
    for number in waiting:
        for name, child in saved.objects[number].children.items() if number < len(saved.objects) else ():
            if child not in paths and child < len(saved.objects):
                paths[child] = f"{paths[number]}.{name}"
                waiting.append(child)
    return [
        KerasNode(paths[number], saved.objects[number].identifier, saved.objects[number].metadata)
        for number in waiting
        if number < len(saved.objects) and saved.objects[number].identifier.startswith(KERAS_IDENTIFIER)
    ]


def keras_nodes_of_metadata(data: bytes) -> list[KerasNode]:
    """The Keras objects of a keras_metadata.pb."""
    nodes = []
    for message in messages(data, 1):
        found = dict(fields(message))
        nodes.append(KerasNode(text(found.get(3)), text(found.get(4)), _bytes(found.get(5))))
    return nodes


def _section(file: IO[bytes], start: int, end: int) -> bytes:
    if end - start > MAX_CONFIG_BYTES:
        raise SourceError(f"a part of it has {end - start:,} bytes; a model needs at most {MAX_CONFIG_BYTES:,}")
    file.seek(start)
    return file.read(end - start)


def _bytes(value: Value | None) -> bytes:
    return bytes(value) if isinstance(value, memoryview) else b""


def _object(data: memoryview) -> SavedObject:
    children: dict[str, int] = {}
    identifier, metadata, variable = "", b"", None
    for number, value in fields(data):
        if not isinstance(value, memoryview):
            continue
        if number == 1:
            found = dict(fields(value))
            children[text(found.get(2))] = signed(found.get(1))
        elif number == 4:
            found = dict(fields(value))
            identifier, metadata = text(found.get(1)), _bytes(found.get(3))
        elif number == 7:
            variable = _variable(value)
    return SavedObject({name: child for name, child in children.items() if child >= 0}, identifier, metadata, variable)


def _variable(data: memoryview) -> Variable:
    found = dict(fields(data))
    dtype = signed(found.get(1))
    return Variable(
        text(found.get(6)), DTYPES.get(dtype, f"dtype {dtype}"), _shape(found.get(2)), signed(found.get(3)) != 0
    )


def _shape(value: Value | None) -> Shape | None:
    """A TensorShapeProto; a dimension of -1 is unknown, and so is the rank where that is said."""
    if not isinstance(value, memoryview):
        return ()
    sizes: list[int | None] = []
    for number, part in fields(value):
        if number == 3 and part:
            return None
        if number == 2 and isinstance(part, memoryview):
            size = signed(dict(fields(part)).get(1))
            sizes.append(size if size >= 0 else None)
    return tuple(sizes)


def _signature(entry: bytes) -> ServedFunction:
    found = dict(fields(entry))
    tensors: dict[int, dict[str, tuple[str, Shape | None]]] = {1: {}, 2: {}}
    if isinstance(found.get(2), memoryview):
        for number, value in fields(_bytes(found[2])):
            if number in tensors and isinstance(value, memoryview):
                pair = dict(fields(value))
                info = dict(fields(_bytes(pair.get(2))))
                dtype = signed(info.get(2))
                tensors[number][text(pair.get(1))] = (DTYPES.get(dtype, f"dtype {dtype}"), _shape(info.get(3)))
    return ServedFunction(text(found.get(1)), tensors[1], tensors[2])
