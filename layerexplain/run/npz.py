"""Activations as an .npz file, written array by array, so that memory use does not grow with their number.

A key is the path of a layer for the first output of its first call: `encoder/dense`. All other
keys append the numbers of call and output, counted from 0: `encoder/dense//call/1/output/0`. Of a run with gradients,
`encoder/dense//call/0/output/0/gradient` is what reaches an output (`…/z/gradient` what reaches z, to which the layer
applies its last function), `encoder/dense//weight/kernel/gradient` the gradient of a weight, and
`encoder/dense//weight/kernel/new` the weight after the step. No layer path looks like that, since keys encode `/` and
`%` in a name as `%2F` and `%25`, and an empty name as `%`.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from layerexplain.files.replacing import replacing, writing


class Add(Protocol):
    """Writes one array: an output of a call of a layer, or what the layer has `of` its own."""

    def __call__(self, path: Sequence[str], call: int, output: int, array: Any, of: str = "") -> None: ...


def npz_key(path: Sequence[str], call: int, output: int, of: str = "") -> str:
    """Return the key of an array. `path` has the names that lead to the layer.

    >>> npz_key(("encoder", "dense"), 0, 0), npz_key(("dense",), 0, 0, "weight/kernel/gradient")
    ('encoder/dense', 'dense//weight/kernel/gradient')
    """
    names = "/".join(name.replace("%", "%25").replace("/", "%2F") or "%" for name in path)
    if of:
        return f"{names}//{of}"
    return names if call == output == 0 else f"{names}//call/{call}/output/{output}"


@contextmanager
def npz_writer(file: str | os.PathLike[str]) -> Iterator[Add]:
    """Give what writes one array, as `add(path, call, output, array)`; the file is there once all are.

    Raises:
        LayerExplainError: if the file cannot be written.
    """
    import numpy as np

    name = os.fspath(file)
    with replacing(name) as new, zipfile.ZipFile(new, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:

        def add(path: Sequence[str], call: int, output: int, array: Any, of: str = "") -> None:
            value = np.asarray(array)
            if value.dtype.kind == "O":  # text; nothing is ever pickled
                value = value.astype(str)
            with writing(name), archive.open(f"{npz_key(path, call, output, of)}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(value).reshape(value.shape), allow_pickle=False)

        yield add
