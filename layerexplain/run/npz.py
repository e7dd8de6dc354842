"""Activations as an .npz file, written array by array, so that memory does not follow their number.

A key is the path of a layer for the first output of its first call: `encoder/dense`. All others have the numbers of
call and output behind two slashes, counted from 0: `encoder/dense//call/1/output/0`. No layer can be named so that
its path looks like that: in keys the `/` and `%` of a name are written `%2F` and `%25`, and a name that is empty `%`,
so that no path has two slashes in a row.
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
    """The key of an array. `path` are the names that lead to the layer."""
    names = "/".join(name.replace("%", "%25").replace("/", "%2F") or "%" for name in path)
    return names if call == output == 0 else f"{names}//call/{call}/output/{output}"


class NpzWriter:
    """Writes arrays beside `file`, in a file that takes its place when all went well."""

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
