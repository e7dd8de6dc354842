"""What a named source is, a path of this machine or a URL; and what listing sources gives, as plain data."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from layerexplain.errors import CREDENTIALS, LayerExplainError, hidden_login, without_passwords
from layerexplain.records import NamedTuple

if TYPE_CHECKING:
    from layerexplain.sources.ranges import RangeFile

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?:://|::)")
_LOCAL = ("file://", "local://")
_MIB = 1024 * 1024

MOST_DEEP = 64
"""How deep directories are walked: deeper ones are circles."""

Tell = Callable[[int], None]
"""Is told how many bytes were fetched of a file so far."""


class Reach(NamedTuple):
    """How a remote source is read: seconds that a server may be silent, how often a failure that may pass is tried
    again, seconds before the first of these tries (each later one waits twice as long), and the most bytes that are
    read of a file whose server sends no ranges."""

    timeout: float = 30
    retries: int = 3
    wait: float = 0.5
    max_download: int = 64 * _MIB


USUAL = Reach()


class Passwords(dict[str, str]):
    """The passwords of URLs, by user and host, beside texts that have none.

    >>> known = Passwords()
    >>> known.taken_out("ftp://me:secret@host/m.keras")
    'ftp://me:***@host/m.keras'
    >>> known.put_back("ftp://me:***@host/other.keras"), known.put_back("ftp://me:***@elsewhere/m.keras")
    ('ftp://me:secret@host/other.keras', 'ftp://me:***@elsewhere/m.keras')
    """

    def taken_out(self, source: str) -> str:
        """Return a source without its passwords, which are remembered."""
        if isinstance(source, Remote):
            self.update(source.passwords)
            return str(source)
        self.update({hidden_login(match): match[0] for match in re.finditer(CREDENTIALS, source)})
        printed = without_passwords(source)
        self[printed] = source  # two hosts may have a `?token=***` each
        return printed

    def hidden_in(self, text: str) -> str:
        """Return a text of a library, which may quote a URL in parts, without the passwords; also one that it cuts.

        >>> known = Passwords()
        >>> _ = known.taken_out("hf://me:secret@host/m.keras")
        >>> known.hidden_in("no namespace in 'me:secret'; use me, not m%C3%A9:secre")
        "no namespace in 'me:***'; use me, not m%C3%A9:***"
        """
        from urllib.parse import quote, unquote

        for printed, full in self.items():
            before, _, after = printed.partition("***")
            secret = full[len(before) : len(full) - len(after)]
            for form in {secret, unquote(secret), quote(secret), repr(secret)[1:-1]} - {""}:
                text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", "***", text)
                cut = next((n for n in range(len(form) - 1, 3, -1) if text.endswith(form[:n])), 0)
                text = f"{text[:-cut]}***" if cut else text
        return text

    def put_back(self, source: str) -> str:
        """Return a source with the passwords that were taken out of it."""
        if source in self or not self:
            return self.get(source, source)
        return re.sub(CREDENTIALS, lambda match: self.get(match[0], match[0]), source)


class RemotePlace(Protocol):
    """Where a source is."""

    def describe(self) -> Entry:
        """Return a file's or directory's size and mark. Raises SourceError where there is none."""

    def may_be_listed(self) -> bool:
        """Return whether it is a directory, or a page that may be the index of one."""

    def entries(self) -> list[Entry]:
        """Return what a directory lists, in the order of names. Raises SourceError."""

    def names(self) -> set[str]:
        """Return the names of the files in a directory. Raises SourceError."""

    def open(self) -> RangeFile:
        """Return the file, at its beginning; what was fetched of it is shared. Raises SourceError."""


class Remote(str):
    """A URL, or a place in an archive, and how it is reached. As text it is the URL without its passwords, so that
    whoever prints, cuts or compares sources needs to know nothing of them; `address` is what is opened. `place` is
    where it is, once that was looked up: a summary, its weights and their values fetch nothing twice. `tell` is told
    of what is fetched.

    >>> Remote("https://me:secret@host/m.keras")
    'https://me:***@host/m.keras'
    """

    reach: Reach
    passwords: Passwords
    place: RemotePlace | None
    tell: Tell | None
    _members: dict[str, Remote]

    def __new__(cls, url: str, reach: Reach = USUAL, passwords: Passwords | None = None) -> Remote:
        """Make one of a URL, whose passwords are in it or given beside it."""
        known = Passwords(passwords or {})
        remote = super().__new__(cls, url if passwords is not None else known.taken_out(url))
        remote.reach, remote.passwords, remote.place, remote.tell, remote._members = reach, known, None, None, {}
        return remote

    def __reduce__(self) -> tuple[Any, ...]:
        # `listed` says of one that was found that it was not named.
        return Remote, (str(self), self.reach, self.passwords), {"listed": getattr(self, "listed", False)}

    @property
    def address(self) -> str:
        """The URL with its passwords, for whoever opens it and for nobody else."""
        return self.passwords.put_back(str(self))

    def at(self, url: str) -> Remote:
        """Return another place that is reached in the same way."""
        return Remote(url, self.reach, self.passwords)

    def inside(self, name: str) -> Remote:
        """Return the place of a name in this directory."""
        between = "" if self.endswith("::") else "/"
        return self.at(f"{self.rstrip('/')}{between}{name}")

    def member(self, name: str) -> Remote:
        """Return the same of a model's directory, of whose files each is looked up once."""
        if name not in self._members:
            self._members[name] = self.inside(name)
            self._members[name].tell = self.tell
        return self._members[name]

    @property
    def folder(self) -> Remote:
        """The directory that this file is in."""
        folder, between, _ = self.rpartition("/")
        inner = self.rfind("::")
        return self.at(folder if inner < len(folder) and between else self[: inner + 2])


def is_remote(source: str) -> bool:
    """Return whether a source is a URL or a place in an archive, and no path.

    >>> [is_remote(one) for one in ("m.keras", "s3://bucket/m.h5", "train.py:build", "file:///m.keras")]
    [False, True, False, False]
    """
    if ":" not in source or isinstance(source, Remote):
        return isinstance(source, Remote)
    # A path has no user; as a URL it is refused, and printed without the password. Mistyped URLs are such, too.
    if source.startswith(_LOCAL):
        return source.split("/")[2] != "" and re.search(CREDENTIALS, source) is not None
    if _URL.match(source) is not None:
        return True
    if "@" in source and re.search(CREDENTIALS, source) is not None and not os.path.lexists(source):
        return True
    return "::" in source and not os.path.exists(source) and os.path.isfile(source.partition("::")[0])


def source_reference(source: str, reach: Reach = USUAL) -> str:
    """Return a source as it was typed: a URL as `Remote`, `file://` as the path that it is, a path as itself."""
    if isinstance(source, Remote):
        return source
    if is_remote(source):
        if source.startswith("zip://") and "::" in source:  # as fsspec writes a place in an archive
            inner, _, outer = source.removeprefix("zip://").partition("::")
            source = f"{outer}::{inner}"
        return Remote(source, reach)
    return next((source.removeprefix(item) for item in _LOCAL if source.startswith(item)), source)


class FoundSource(NamedTuple):
    """A source that was named, matched or found.

    `source` is what `read` takes. `size` is in bytes, None where it is not known, as of a directory. `mark` is a text
    that changes when the content does (the time of the last change, or an ETag), "" where nothing tells. `fault` says
    why a name, a pattern or a directory has nothing to read; then nothing else is known.
    """

    source: str
    size: int | None = None
    mark: str = ""
    fault: LayerExplainError | None = None

    @property
    def is_remote(self) -> bool:
        """Whether it is behind a URL, or in an archive."""
        return isinstance(self.source, Remote)


class Entry(NamedTuple):
    """What a directory lists: a name, whether it is a directory, its size and its mark."""

    name: str
    is_directory: bool
    size: int | None = None
    mark: str = ""
