"""Checkpoints of TensorFlow by hand: the sorted table of `variables.index`, and the arrays in `variables.data-…`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.saved_models import field, shape_proto, varint

DTYPES = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int64": 9, "bool": 10, "float16": 19}
MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")


def block(pairs: list[tuple[bytes, bytes]], *, compressed: bool = False) -> bytes:
    """A block of a table: each key says how many bytes of the one before it begins with."""
    data, before = b"", b""
    for key, value in pairs:
        same = 0
        while same < min(len(key), len(before)) and key[same] == before[same]:
            same += 1
        data += varint(same) + varint(len(key) - same) + varint(len(value)) + key[same:] + value
        before = key
    data += bytes(4) + (1).to_bytes(4, "little")  # one restart, at 0
    return data + bytes([compressed]) + bytes(4)


def table(pairs: Mapping[str, bytes], *, compressed: bool = False, each: int = 3) -> bytes:
    """A sorted table, so many pairs to a block."""
    ordered = sorted((key.encode(), value) for key, value in pairs.items())
    data, handles = b"", []
    for start in range(0, len(ordered), each):
        part = ordered[start : start + each]
        written = block(part, compressed=compressed)
        handles.append((part[-1][0], varint(len(data)) + varint(len(written) - 5)))
        data += written
    index = block(handles)
    footer = varint(0) + varint(0) + varint(len(data)) + varint(len(index) - 5)
    return data + index + footer.ljust(40, b"\0") + MAGIC


def object_graph(objects: list[tuple[Mapping[str, int], str, str]]) -> bytes:
    """(children by name, variable's name, its key) for each object; the first is the root."""
    data = b""
    for children, name, key in objects:
        node = b"".join(field(1, field(1, child) + field(2, called)) for called, child in children.items())
        if key:
            node += field(2, field(1, "VARIABLE_VALUE") + field(2, name) + field(3, key))
        data += field(1, node)
    return data


def entry(dtype: str, shape: tuple[int, ...], start: int, size: int, *, sliced: bool = False) -> bytes:
    made = field(1, DTYPES.get(dtype, 7)) + field(2, shape_proto(shape)) + field(4, start) + field(5, size)
    return made + (field(7, b"") if sliced else b"")


def write_checkpoint(
    folder: Path, arrays: Mapping[str, Any], objects: list[tuple[Mapping[str, int], str, str]], **options: Any
) -> None:
    """Write `variables.index` and `variables.data-00000-of-00001` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    data, pairs = b"", {"": field(1, 1)}
    for key, array in arrays.items():
        values = np.asarray(array)
        pairs[key] = entry(str(values.dtype), values.shape, len(data), values.nbytes)
        data += values.tobytes()
    graph = object_graph(objects)
    text = varint(len(graph)) + bytes(4) + graph
    pairs["_CHECKPOINTABLE_OBJECT_GRAPH"] = entry("string", (), len(data), len(text))
    (folder / "variables.data-00000-of-00001").write_bytes(data + text)
    (folder / "variables.index").write_bytes(table(pairs, **options))
