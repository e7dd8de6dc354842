"""Activations as an .npz file, written array by array, so that memory use does not grow with their number.

A key is the path of a layer for the first output of its first call: `encoder/dense`. All other
keys append the numbers of call and output, counted from 0: `encoder/dense//call/1/output/0`. No layer path looks like
that, since keys encode `/` and `%` in a name as `%2F` and `%25`, and an empty name as `%`.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import Any

from layerexplain.errors import LayerExplainError


def npz_key(path: Sequence[str], call: int, output: int) -> str:
    """Return the key of an array. `path` has the names that lead to the layer."""
    names = "/".join(name.replace("%", "%25").replace("/", "%2F") or "%" for name in path)
    return names if call == output == 0 else f"{names}//call/{call}/output/{output}"


class NpzWriter:
    """Writes arrays to a temporary file that replaces `file` on success."""

    def __init__(self, file: str | os.PathLike[str]) -> None:
        self.file = os.path.realpath(os.fspath(file))

    def __enter__(self) -> NpzWriter:
        folder = os.path.dirname(self.file)
        try:
            # Closed by __exit__.
            self._new = NamedTemporaryFile(dir=folder, prefix=".layerexplain-", delete=False)
        except OSError as error:
            raise self._refused(error) from error
        self._archive = zipfile.ZipFile(self._new, "w", zipfile.ZIP_STORED, allowZip64=True)
        return self

    def add(self, path: Sequence[str], call: int, output: int, array: Any) -> None:
        """Write one array. Raises LayerExplainError if the file cannot be written."""
        import numpy as np

        value = np.asarray(array)
        if value.dtype.kind == "O":  # text; nothing is ever pickled
            value = value.astype(str)
        try:
            with self._archive.open(f"{npz_key(path, call, output)}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(value).reshape(value.shape), allow_pickle=False)
        except OSError as error:
            raise self._refused(error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._archive.close()
            self._new.close()
            if kind is None:
                mask = os.umask(0)
                os.umask(mask)
                os.chmod(self._new.name, 0o666 & ~mask)
                os.replace(self._new.name, self.file)
        except OSError as refused:
            raise self._refused(refused) from refused
        finally:
            if os.path.exists(self._new.name):
                os.unlink(self._new.name)

    def _refused(self, error: OSError) -> LayerExplainError:
        return LayerExplainError(f"cannot be written: {error.strerror or error}", source=self.file)
