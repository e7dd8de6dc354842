"""Values that lie in a file as plain numbers, one behind another, as in TensorFlow's checkpoints and TensorFlow.js."""

from __future__ import annotations

import os
from typing import Any

from layerexplain.errors import SourceError
from layerexplain.records import NamedTuple
from layerexplain.sources import is_remote
from layerexplain.sources.regular_file import in_folder, is_file_in, open_regular


class Piece(NamedTuple):
    """So many bytes of a file, from a place on."""

    path: str
    start: int
    size: int


class RawValues(NamedTuple):
    """Where the values of an array lie, and as what: `dtype` as NumPy calls it, in little-endian order, or bfloat16;
    `scale` and `least` where they are whole numbers that stand for scale · number + least."""

    pieces: tuple[Piece, ...]
    dtype: str
    scale: float | None = None
    least: float = 0.0

    def read(self, shape: tuple[int, ...]) -> Any:
        """Return the values as a NumPy array; bfloat16 comes as float32. Raises SourceError where bytes lack."""
        import numpy as np

        data = b"".join(_bytes_of(piece) for piece in self.pieces)
        if self.dtype == "bfloat16":
            halves = np.frombuffer(data, "<u2").astype(np.uint32) << 16
            return halves.view(np.float32).reshape(shape)
        values = np.frombuffer(data, np.dtype(self.dtype).newbyteorder("<")).reshape(shape)
        if self.scale is not None:
            return (values.astype(np.float64) * self.scale + self.least).astype(np.float32)
        # In the machine's own order, as all others.
        return values.astype(np.dtype(self.dtype), copy=False)


def _bytes_of(piece: Piece) -> bytes:
    with open_regular(piece.path, os.path.basename(piece.path)) as file:
        file.seek(piece.start)
        data = file.read(piece.size)
    if len(data) != piece.size:
        raise SourceError(
            f"{os.path.basename(piece.path)} is shorter than the data that it should contain; was it copied whole?"
        )
    return data


def file_beside(folder: str, name: str) -> str:
    """Return the path of a file that another one names, by its bare name, beside itself.

    Raises SourceError for a name that leads elsewhere, for a link, and for what is not there.
    """
    if not name or name.startswith(".") or set(name) & set("/\\:\0"):
        raise SourceError(f"names the file {name[:80]!r}; only files beside it are read")
    path = in_folder(folder, name)
    if not is_file_in(folder, name) or (not is_remote(path) and os.path.islink(path)):
        raise SourceError(f"names {name!r}, and that file is not in its directory")
    return path
