"""Files in safetensors, written as the format's description has it: a length, a header in JSON, the bytes."""

import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

NAMES = {"float32": "F32", "float16": "F16", "int32": "I32", "int64": "I64", "uint8": "U8", "uint16": "BF16"}


def safetensors_bytes(arrays: Mapping[str, Any]) -> bytes:
    """The bytes of a file; a dtype of uint16 is written as the upper halves of float32 (BF16)."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": NAMES[str(array.dtype)],
            "shape": list(array.shape),
            "data_offsets": [start, start + array.nbytes],
        }
        start += array.nbytes
    text = json.dumps(header).encode()
    return b"".join([struct.pack("<Q", len(text)), text, *[array.tobytes() for array in arrays.values()]])


def weight_values(name: str, shape: tuple[int, ...]) -> Any:
    """The values that scripts/language_model_rows.py gives a tensor of this name."""
    values = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    around_one = len(shape) == 1 and name.endswith("weight")
    return (1 + 0.3 * values if around_one else 0.2 * values).astype(np.float32)


def model_folder(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, list[int]]) -> Path:
    """A folder as transformers writes it, with drawn weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    arrays = {name: weight_values(name, tuple(shape)) for name, shape in tensors.items()}
    (folder / "model.safetensors").write_bytes(safetensors_bytes(arrays))
    return folder
