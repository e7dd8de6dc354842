"""SavedModel files by hand, in protocol buffers' wire format; TensorFlow is not needed to write or read them."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

DTYPES = {"float32": 1, "int32": 3, "int64": 9, "bool": 10}
GRAPH = b"\x0a\x10constant" + b"\x00" * 7


def varint(number: int) -> bytes:
    """An unsigned number, seven bits to a byte; a negative one as its complement of 64 bits."""
    number &= (1 << 64) - 1
    data = bytearray()
    while number > 0x7F:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*data, number])


def field(number: int, value: int | bytes | str) -> bytes:
    """One field of a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def shape_proto(shape: tuple[int | None, ...] | None) -> bytes:
    if shape is None:
        return field(3, 1)
    return b"".join(field(2, field(1, -1 if size is None else size)) for size in shape)


class Node(NamedTuple):
    """An object: its children by name (numbers of nodes), its kind and JSON, or what variable it is."""

    children: Mapping[str, int] = {}
    identifier: str = ""
    metadata: Any = None
    variable: tuple[str, str, tuple[int | None, ...] | None, bool] | None = None

    def proto(self) -> bytes:
        data = b"".join(field(1, field(1, child) + field(2, name)) for name, child in self.children.items())
        if self.identifier:
            text = "" if self.metadata is None else json.dumps(self.metadata)
            data += field(4, field(1, self.identifier) + field(2, field(1, 1)) + field(3, text))
        if self.variable is not None:
            name, dtype, shape, trainable = self.variable
            data += field(
                7, field(1, DTYPES[dtype]) + field(2, shape_proto(shape)) + field(3, int(trainable)) + field(6, name)
            )
        return data


def tensor_info(dtype: str, shape: tuple[int | None, ...] | None) -> bytes:
    return field(1, "name:0") + field(2, DTYPES[dtype]) + field(3, shape_proto(shape))


def signature(name: str, inputs: Mapping[str, bytes], outputs: Mapping[str, bytes]) -> bytes:
    body = b"".join(field(1, field(1, key) + field(2, info)) for key, info in inputs.items())
    body += b"".join(field(2, field(1, key) + field(2, info)) for key, info in outputs.items())
    return field(1, name) + field(2, body)


def saved_model_pb(nodes: list[Node], signatures: tuple[bytes, ...] = (), graph: bytes = GRAPH) -> bytes:
    """A saved_model.pb."""
    meta = field(1, field(4, "serve")) + field(2, graph)
    meta += b"".join(field(5, one) for one in signatures)
    meta += field(7, b"".join(field(1, node.proto()) for node in nodes))
    return field(1, 1) + field(2, meta)


def keras_metadata_pb(nodes: list[tuple[str, str, Any]]) -> bytes:
    """A keras_metadata.pb: (path, identifier, JSON) for each object."""
    data = b""
    for number, (path, identifier, metadata) in enumerate(nodes):
        body = (field(2, number) if number else b"") + field(3, path) + field(4, identifier)
        data += field(1, body + field(5, json.dumps(metadata)) + field(6, field(1, 1)))
    return data
