"""Files and directories behind a URL, through fsspec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

from layerexplain.errors import SourceError
from layerexplain.sources.listing import Entry, Found
from layerexplain.sources.names import Remote

_MARKS = (
    "ETag",
    "etag",
    "md5Hash",
    "content_md5",
    "LastModified",
    "Last-Modified",
    "last_modified",
    "mtime",
    "updated",
)


def facts_of(source: Remote) -> Found:
    """A file's size and mark, or a directory. Raises SourceError where there is none."""
    system, path = _system(source)
    try:
        info = system.info(path)
    except Exception as error:
        raise _fault(error) from None
    is_directory = info.get("type") == "directory"
    return Found(source, None if is_directory else info.get("size"), _mark(info))


def open_remote(source: Remote) -> IO[bytes]:
    """A file that can be read and moved in: what is read of it is fetched by ranges. Raises SourceError."""
    system, path = _system(source)
    try:
        file: IO[bytes] = system.open(path, "rb")
    except Exception as error:
        raise _fault(error) from None
    return file


def is_directory(source: Remote) -> bool:
    """Whether a URL is that of a directory."""
    system, path = _system(source)
    try:
        return bool(system.isdir(path))
    except Exception as error:
        raise _fault(error) from None


class RemoteTree:
    """The directories of a server."""

    def entries(self, directory: str) -> Sequence[Entry]:
        """What a directory lists."""
        assert isinstance(directory, Remote)  # noqa: S101
        system, path = _system(directory)
        try:
            listed = system.ls(path, detail=True)
        except Exception as error:
            raise _fault(error) from None
        base = path.rstrip("/") + "/"
        found = {}
        for one in listed:
            name = str(one["name"])
            inner = name.removeprefix(base).rstrip("/")
            if name.startswith(base) and inner and "/" not in inner and inner not in (".", ".."):
                found[inner] = Entry(inner, one.get("type") == "directory", one.get("size"), _mark(one))
        return [found[name] for name in sorted(found)]

    def inside(self, directory: str, name: str) -> Remote:
        """The URL of a name in a directory."""
        assert isinstance(directory, Remote)  # noqa: S101
        return Remote(f"{directory.rstrip('/')}/{name}", directory.reach)


def _mark(info: Any) -> str:
    return next((str(info[name]) for name in _MARKS if info.get(name)), "")


def _system(source: Remote) -> tuple[Any, str]:
    try:
        import fsspec.core
    except ImportError:
        raise SourceError("is a URL, which fsspec is needed to read; `pip install 'layerexplain[remote]'`") from None
    try:
        system, path = fsspec.core.url_to_fs(str(source))
    except Exception as error:
        raise _fault(error) from None
    return system, path


def _fault(error: Exception) -> SourceError:
    return SourceError("no such file" if isinstance(error, FileNotFoundError) else f"cannot be read: {error}")
