"""Weights in safetensors: the headers of a file, or of the shards that an index lists, read by ranges; values one by
one. A header is a length of eight bytes, then JSON: of each tensor its dtype, its shape, and where its bytes lie.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from layerexplain.errors import SourceError
from layerexplain.files.limits import MAX_AXES, MAX_CONFIG_BYTES
from layerexplain.frontends.json_text import parse_json
from layerexplain.frontends.keras.weight_files import WeightFile
from layerexplain.frontends.keras.weight_layouts import WeightListing
from layerexplain.frontends.keras.weight_tensors import Piece, RawValues, StoredTensor, file_beside
from layerexplain.records import NamedTuple
from layerexplain.sources.regular_file import in_folder, open_regular

ENDING = ".safetensors"
INDEX = "model.safetensors.index.json"
MOST_TENSORS = 500_000
_MOST_FILES = 1_000

_BITS = {
    "BOOL": ("bool", 8), "U8": ("uint8", 8), "I8": ("int8", 8), "U16": ("uint16", 16), "I16": ("int16", 16),
    "U32": ("uint32", 32), "I32": ("int32", 32), "U64": ("uint64", 64), "I64": ("int64", 64), "F16": ("float16", 16),
    "BF16": ("bfloat16", 16), "F32": ("float32", 32), "F64": ("float64", 64), "F8_E4M3": ("float8_e4m3fn", 8),
    "F8_E5M2": ("float8_e5m2", 8), "F8_E8M0": ("float8_e8m0fnu", 8), "F4": ("float4_e2m1fn", 4),
}  # fmt: skip


class _Listed(NamedTuple):
    """What a header says of a tensor."""

    tensor: StoredTensor
    values: RawValues


def safetensors_weights(folder: str, names: Any) -> WeightFile | None:
    """Return the weights in the safetensors files of a folder that holds files of these names; None where there are
    none. Raises SourceError for a header that is damaged, and for shards that are missing."""
    results: dict[str, _Listed] = {}
    for name in _files(folder, names):
        for path, listed in _header(file_beside_links(folder, name), name).items():
            if path in results:
                raise SourceError(f"has the tensor {path[:80]!r} in two files")
            results[path] = listed
            if len(results) > MOST_TENSORS:
                raise SourceError(f"has more than {MOST_TENSORS:,} tensors; no model has that many")
    if not results:
        return None
    listing = WeightListing("paths", "safetensors", tensors=tuple([item.tensor for item in results.values()]))
    return WeightFile(
        "safetensors", listing, raw={path: value.values for path, value in results.items()}, has_model=True
    )


def file_beside_links(folder: str, name: str) -> str:
    """Return the path of a file beside another. A snapshot of the hub consists of links into its store of blobs, which
    are followed where they are the folder's own entries."""
    import os

    from layerexplain.sources import is_remote

    path = in_folder(folder, name)
    if not is_remote(path) and os.path.islink(path) and os.path.isfile(path):
        return path
    return file_beside(folder, name)


def _files(folder: str, names: Any) -> list[str]:
    """Return the files that store the tensors: those of the index, or all that end so."""
    if INDEX not in names:
        return sorted(name for name in names if name.endswith(ENDING))
    with open_regular(in_folder(folder, INDEX), INDEX) as file:
        document = parse_json(file.read(MAX_CONFIG_BYTES + 1), INDEX)
    listed = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(listed, dict):
        raise SourceError(f"{INDEX} has no weight_map; an index of weights lists its files there")
    files = sorted({str(name) for name in listed.values()})
    if len(files) > _MOST_FILES:
        raise SourceError(f"{INDEX} lists {len(files):,} files; at most {_MOST_FILES:,} are read")
    missing = [name for name in files if name not in names]
    if missing:
        raise SourceError(
            f"{INDEX} lists {len(files)} files, and {missing[0][:80]!r} is not there; download all of them"
        )
    return files


def _header(path: str, name: str) -> dict[str, _Listed]:
    with open_regular(path, name) as file:
        size = file.seek(0, 2)
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, MAX_CONFIG_BYTES):
            raise SourceError(f"{name} is not a safetensors file: its header would have {length:,} of {size:,} bytes")
        document = parse_json(file.read(length), f"the header of {name}")
    if not isinstance(document, dict):
        raise SourceError(f"the header of {name} is not a mapping of tensors; is the file damaged?")
    start = 8 + length
    return {
        key: _tensor(key, value, Piece(path, start, size - start), name)
        for key, value in document.items()
        if key != "__metadata__"
    }


def _tensor(key: str, value: Any, data: Piece, name: str) -> _Listed:
    said = value if isinstance(value, Mapping) else {}
    dtype = said.get("dtype")
    shape, offsets = _sizes(said.get("shape")), _sizes(said.get("data_offsets"))
    if dtype not in _BITS:
        raise SourceError(f"{name} has {key[:80]!r} of the dtype {str(dtype)[:20]!r}, which is not read")
    if shape is None or len(shape) > MAX_AXES or offsets is None or len(offsets) != 2:
        raise SourceError(f"{name} says of {key[:80]!r} no shape or no place; is the file damaged?")
    kind, bits = _BITS[dtype]
    first, last = offsets
    if last - first != math.prod(shape) * bits // 8 or last > data.size:
        raise SourceError(f"{key[:80]!r} is cut off in {name}; was the file copied whole?")
    parts = tuple(key.split("."))
    tensor = StoredTensor(key, parts, tuple(shape), kind, max(bits // 8, 1), "parameter", file=name)
    return _Listed(tensor, RawValues((Piece(data.path, data.start + first, last - first),), kind))


def _sizes(value: Any) -> list[int] | None:
    """Return a list of whole numbers; None for anything else."""
    are_sizes = isinstance(value, list) and all([type(item) is int and 0 <= item <= 10**18 for item in value])
    return value if are_sizes else None
