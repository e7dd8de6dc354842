"""Files and directories behind a URL, through fsspec: it knows the protocols, we say what is read and how often it is
tried."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from layerexplain.errors import SourceError, first_line
from layerexplain.sources.faults import NoRanges, fault_of
from layerexplain.sources.names import Entry, Reach, Remote
from layerexplain.sources.ranges import RangeFile, Ranges

_Result = TypeVar("_Result")

_MARKS = ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "Last-Modified", "last_modified",
          "mtime", "updated", "blob_id", "xet_hash")  # fmt: skip
"""The names that file systems give to a mark that changes with a file's content."""

_REFUSED = {"reference": "which reads whatever other files a file names", "file": "a path", "local": "a path"}
"""Protocols of fsspec that are not followed."""

_LONGEST_WAIT = 60.0
"""Seconds between two tries, whatever the server asks for."""

_PROBED = ("config.json", "metadata.json", "saved_model.pb", "keras_metadata.pb", "model.weights.h5")
"""The files of a model's directory, which are asked for one by one where a server lists no directories."""


class FsspecFiles:
    """The file system of a URL, and paths in it."""

    def __init__(self, source: Remote) -> None:
        self._source = source
        self._system, self._path = tried(lambda: _file_system(source), source)
        self._opened: Ranges | None = None
        self._is_http = "http" in self._system.protocol

    def describe(self) -> Entry:
        """Return a file's or directory's size and mark. Raises SourceError where there is none."""
        if self._is_http and self._path.endswith("/"):
            return Entry(self._path, True)
        return _entry(self._path, self._info)

    def may_be_listed(self) -> bool:
        """Return whether it is a directory, or a page that may be the index of one."""
        return self.describe().is_directory or self._info.get("mimetype") == "text/html"

    def entries(self) -> list[Entry]:
        """Return what the directory lists. Raises SourceError."""
        base = self._path.rstrip("/") + "/"
        # A server's index of a directory is at the place that ends so.
        listed = tried(lambda: self._system.ls(base if self._is_http else self._path, detail=True), self._source)
        result = {}
        for info in listed:
            name = str(info["name"])
            inner = name.removeprefix(base).rstrip("/")
            # What lies elsewhere is not followed.
            if name.startswith(base) and inner not in ("", ".", "..") and not set(inner) & set("/?#"):
                result[inner] = _entry(inner, info)
        return [result[name] for name in sorted(result)]

    def names(self) -> set[str]:
        """Return the names of the files in the directory; of those of a model where the server lists none."""
        try:
            return {entry.name for entry in self.entries() if not entry.is_directory}
        except SourceError:
            base = self._path.rstrip("/")
            names = {name for name in _PROBED if self._has(f"{base}/{name}")}
            if not names:
                raise
            return names

    def _has(self, path: str) -> bool:
        try:
            return bool(tried(lambda: self._system.info(path), self._source))
        except SourceError:
            return False

    def open(self) -> RangeFile:
        """Return the file, at its beginning; what was fetched of it is shared. Raises SourceError."""
        if self._opened is None:
            try:
                self._opened = self._ranges()
            except NoRanges:
                self._opened = self._whole()
        return RangeFile(self._opened)

    def _ranges(self) -> Ranges:
        size = self._info.get("size")
        if size == 0:
            return Ranges.of_bytes(b"")
        if not isinstance(size, int) or self._info.get("partial") is False:
            raise NoRanges("the server says so")
        options: dict[str, Any] = {"cache_type": "none"}
        if self._is_http:
            mark = _mark(self._info)
            match = {"If-Match": mark} if mark.startswith('"') else {}
            options |= {"size": size, "headers": {**self._system.kwargs.get("headers", {}), **match}}
        file = tried(lambda: self._system.open(self._path, "rb", **options), self._source)
        if not file.seekable():
            raise NoRanges("the library reads it from its beginning")

        def fetch(start: int, end: int) -> bytes:
            def read() -> bytes:
                file.seek(start)
                return bytes(file.read(end - start))

            return tried(read, self._source)

        ranges = Ranges(fetch, size)
        if self._is_http:
            ranges.read(0, 1)
        return ranges

    def _whole(self) -> Ranges:
        """Return a file of a server that sends no ranges, read whole up to a limit."""
        size, most = self._info.get("size"), self._source.reach.max_download
        length = (
            f"the file has {size:,} bytes" if isinstance(size, int) else "the server does not say how long the file is"
        )
        words = (
            f"the server sends no ranges, and {length}; without ranges at most {most:,} are downloaded (--max-download)"
        )
        if isinstance(size, int) and size > most:
            raise SourceError(words)

        def read() -> bytes:
            data = bytearray()
            with self._system.open(self._path, "rb", **({"block_size": 0} if self._is_http else {})) as file:
                while piece := file.read(1024 * 1024):
                    data += piece
                    if len(data) > most:
                        raise SourceError(words)
            if isinstance(size, int) and len(data) < size:
                raise ConnectionError("short")
            return bytes(data)

        return Ranges.of_bytes(tried(read, self._source), whole=True)

    @cached_property
    def _info(self) -> dict[str, Any]:
        return tried(lambda: self._system.info(self._path), self._source)


def tried(call: Callable[[], _Result], source: Remote) -> _Result:
    """Return what a call on a source gives, tried again where its failure may pass; each time after a longer wait.
    Raises SourceError, without the passwords that a library quotes."""
    reach = source.reach
    wait = reach.wait
    for left in range(reach.retries, -1, -1):
        try:
            return call()
        # Whatever the libraries behind fsspec raise: it is told in one line.
        except Exception as error:
            fault = fault_of(error, reach.timeout)
            fault.error.fact = source.passwords.hidden_in(fault.error.fact)
        if not fault.passes or not left:
            break
        time.sleep(min(max(wait, fault.after or 0), _LONGEST_WAIT))
        wait *= 2
    if fault.passes and reach.retries:
        fault.error.fact += f" (tried {reach.retries + 1} times)"
    raise fault.error from None


def _file_system(source: Remote) -> tuple[Any, str]:
    try:
        import fsspec.core
    except ImportError:
        raise SourceError("is a URL, which needs fsspec; `pip install fsspec aiohttp`") from None
    if "://[" in source:
        raise SourceError("has an address in brackets, which fsspec cannot read; give the host's name")
    protocols = [link.partition("://")[0] for link in source.split("::")]
    refused = next((protocol for protocol in protocols if protocol in _REFUSED), None)
    if refused is not None:
        raise SourceError(f"the protocol {refused} is {_REFUSED[refused]}, and is not opened as a URL")
    try:
        options = {protocol: own for protocol in protocols if (own := _options(protocol, source.reach))}
        system, path = fsspec.core.url_to_fs(source.address, **options)
    except ImportError as error:
        package = getattr(error.__cause__ or error, "name", None)
        missing = f"is a URL, which needs {package} besides fsspec; `pip install {package}`"
        raise SourceError(missing if package else f"cannot be opened: {first_line(error)}") from None
    except ValueError as error:
        raise SourceError(f"is not a URL that fsspec can open: {first_line(error)}") from None
    return system, str(path)


def _options(protocol: str, reach: Reach) -> dict[str, Any]:
    """Return what a file system of fsspec is told of time-outs and redirects."""
    if protocol in ("http", "https"):
        from layerexplain.sources.http_client import client_maker

        return {"get_client": client_maker(reach)}
    if protocol in ("s3", "s3a"):
        from fsspec.config import conf

        own = conf.get("s3", {}).get("config_kwargs", {})
        limits = {"connect_timeout": reach.timeout, "read_timeout": reach.timeout, "retries": {"max_attempts": 1}}
        return {"config_kwargs": {**limits, **own}, "use_listings_cache": False}
    # What was listed would fill the memory, and hide what changes.
    return {"use_listings_cache": False} if protocol in ("gs", "gcs") else {}


def _entry(name: str, info: Any) -> Entry:
    is_directory = info.get("type") == "directory"
    return Entry(name, is_directory, None if is_directory else info.get("size"), _mark(info))


def _mark(info: Any) -> str:
    return next((str(info[name]) for name in _MARKS if info.get(name)), "")
