"""A file that is written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

from layerexplain.errors import LayerExplainError


@contextmanager
def replacing(path: str) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of `path` in the end, so that no one ever sees half a file.

    A device or a pipe, which cannot be replaced, is written itself.

    Raises:
        LayerExplainError: if the file cannot be made. Who writes to it asks `writing` for the same.
    """
    target = os.path.realpath(path)
    new: IO[bytes]
    with writing(path):
        if os.path.exists(target) and not os.path.isfile(target):
            new = open(target, "wb")  # noqa: SIM115 (closed below)
        else:
            from tempfile import NamedTemporaryFile

            new = NamedTemporaryFile(dir=os.path.dirname(target), prefix=".layerexplain-", delete=False)  # noqa: SIM115
    try:
        yield new
        with writing(path):
            new.close()
            if new.name != target:
                os.chmod(new.name, _mode_of(target))
                os.replace(new.name, target)
    except BaseException:  # whatever it was, half a file is nobody's
        new.close()
        if new.name != target:
            os.unlink(new.name)
        raise


def must_be_another(path: str, sources: Iterable[Any]) -> None:
    """Raise LayerExplainError where a path is one of the files that are read: what is written would replace it."""
    for source in sources:
        try:
            is_same = isinstance(source, str | os.PathLike) and os.path.samefile(path, source)
        except (OSError, ValueError):  # one of them is no file
            continue
        if is_same:
            raise LayerExplainError("is read itself, and would be replaced; give another name", source=path)


@contextmanager
def writing(path: str) -> Iterator[None]:
    """Raise a LayerExplainError that names the file for whatever the system refuses inside."""
    try:
        yield
    except OSError as error:
        raise LayerExplainError(f"cannot be written: {error.strerror or error}", source=path) from error


def _mode_of(path: str) -> int:
    """Return the mode of the file that is replaced, or the default mode of a new file: a temporary one is private."""
    if os.path.exists(path):
        return os.stat(path).st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
