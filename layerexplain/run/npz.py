"""Activations as an .npz file, written array by array, so that memory use does not grow with their number.

A key is the path of a layer for the first output of its first call: `encoder/dense`. All other
keys append the numbers of call and output, counted from 0: `encoder/dense//call/1/output/0`. No layer path looks like
that, since keys encode `/` and `%` in a name as `%2F` and `%25`, and an empty name as `%`.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from layerexplain.replacing import replacing, writing


def npz_key(path: Sequence[str], call: int, output: int) -> str:
    """Return the key of an array. `path` has the names that lead to the layer."""
    names = "/".join(name.replace("%", "%25").replace("/", "%2F") or "%" for name in path)
    return names if call == output == 0 else f"{names}//call/{call}/output/{output}"


@contextmanager
def npz_writer(file: str | os.PathLike[str]) -> Iterator[Callable[[Sequence[str], int, int, Any], None]]:
    """Give what writes one array, as `add(path, call, output, array)`; the file is there once all are.

    Raises:
        LayerExplainError: if the file cannot be written.
    """
    import numpy as np

    name = os.fspath(file)
    with replacing(name) as new, zipfile.ZipFile(new, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:

        def add(path: Sequence[str], call: int, output: int, array: Any) -> None:
            value = np.asarray(array)
            if value.dtype.kind == "O":  # text; nothing is ever pickled
                value = value.astype(str)
            with writing(name), archive.open(f"{npz_key(path, call, output)}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(value).reshape(value.shape), allow_pickle=False)

        yield add
