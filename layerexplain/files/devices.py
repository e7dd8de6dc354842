"""Devices are no sources: some never end."""

from __future__ import annotations

import os
import stat
from typing import IO, Any

from layerexplain.errors import SourceError

_STANDARD_INPUTS = ("/dev/stdin", "/dev/fd/0", os.devnull)


def refuse_device(file: IO[Any], path: str) -> int:
    """Return the mode of an open file. Raises SourceError for a device, which may never end."""
    mode = os.fstat(file.fileno()).st_mode
    if (stat.S_ISCHR(mode) and path not in _STANDARD_INPUTS) or stat.S_ISBLK(mode):
        raise SourceError("is a device, not a file; give a file, or - for standard input")
    return mode
