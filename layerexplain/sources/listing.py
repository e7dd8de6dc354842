"""What there is: one named source, the files that a glob matches, all files below a directory; local or remote.

Directories are walked one at a time and in the order of names, so that memory does not follow the number of files.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Iterator, Sequence
from typing import Protocol

from layerexplain.errors import LayerExplainError, SourceError
from layerexplain.records import NamedTuple
from layerexplain.sources.names import USUAL, Reach, Remote, is_remote, named

_MOST_DEEP = 64
"""How deep directories are walked: deeper ones are circles."""

_BESIDE_CONFIG = frozenset({"metadata.json", "model.weights.h5", "model.weights.json", "model.weights.npz"})
_SAVED_MODEL = frozenset({"saved_model.pb", "keras_metadata.pb"})


class Found(NamedTuple):
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
        """Whether it is read through fsspec."""
        return isinstance(self.source, Remote)


class Entry(NamedTuple):
    """What a directory lists: a name, whether it is a directory, its size and its mark."""

    name: str
    is_directory: bool
    size: int | None = None
    mark: str = ""


class Tree(Protocol):
    """Directories, on this machine or elsewhere."""

    def entries(self, directory: str) -> Sequence[Entry]:
        """What a directory lists, in the order of names. Raises SourceError where it cannot be listed."""

    def inside(self, directory: str, name: str) -> str:
        """The place of a name in a directory."""


def describe(source: str, reach: Reach = USUAL) -> Found:
    """One named source, which exists. Raises SourceError where it does not."""
    source = named(source, reach)
    if isinstance(source, Remote):
        from layerexplain.sources.remote import facts_of

        return facts_of(source)
    if source == "-":
        return Found(source)
    try:
        found = os.stat(source)
    except OSError as error:
        raise SourceError(_words(error), source=source) from None
    if stat.S_ISREG(found.st_mode):
        return Found(source, found.st_size, _mark(found))
    return Found(source, None, _mark(found))


def find_sources(sources: Sequence[str], *, recursive: bool = False, reach: Reach = USUAL) -> Iterator[Found]:
    """List what named sources, globs (`models/**/*.keras`, `s3://bucket/*.h5`) and, with `recursive`, directories hold.

    A directory that is one model (a SavedModel, an unzipped .keras) is one source. Hidden files are passed over, and
    links to directories are not followed. What cannot be listed, or matches nothing, is found with its fault.
    """
    for source in sources:
        try:
            yield from _found(named(source, reach), recursive)
        except LayerExplainError as error:
            fault = error.with_place(source=source)
            yield Found(source, fault=fault)


def _found(source: str, recursive: bool) -> Iterator[Found]:
    if has_magic(source):
        count = 0
        for found in _matches(source):
            count += 1
            yield found
        if not count:
            raise SourceError("matches no file")
    elif recursive and source != "-" and _is_directory(source):
        yield from below(_tree(source), source)
    else:
        yield describe(source)


def has_magic(source: str) -> bool:
    """Whether a source is a pattern, and not the name of a file with such signs in it."""
    if isinstance(source, Remote):
        return re.search(r"[*\[]", source) is not None
    return re.search(r"[*?\[]", source) is not None and not os.path.exists(source)


# Walking ------------------------------------------------------------------------------------------------------------


def below(tree: Tree, directory: str, depth: int = 0) -> Iterator[Found]:
    """All files below a directory; a directory that is a model is one."""
    entries = tree.entries(directory)
    if is_model_directory({entry.name for entry in entries}):
        yield Found(directory, None, _joined_marks(entries))
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        place = tree.inside(directory, entry.name)
        if not entry.is_directory:
            yield Found(place, entry.size, entry.mark)
        elif depth < _MOST_DEEP:
            try:
                yield from below(tree, place, depth + 1)
            except LayerExplainError as error:
                yield Found(place, fault=error.with_place(source=place))


def is_model_directory(names: set[str]) -> bool:
    """Whether a directory with these names is one model: a SavedModel, or an unzipped .keras."""
    return bool(names & _SAVED_MODEL) or ("config.json" in names and bool(names & _BESIDE_CONFIG))


def _joined_marks(entries: Sequence[Entry]) -> str:
    return "/".join(entry.mark for entry in entries if not entry.is_directory)


def _matches(pattern: str) -> Iterator[Found]:
    """The files that a pattern matches; `**` is any number of directories."""
    root, parts = _split(pattern)
    yield from _matching(_tree(pattern), root, parts, 0)


def _split(pattern: str) -> tuple[str, list[str]]:
    """The directory in front of the first part that is a pattern, and the parts."""
    at = re.search(r"[*\[]" if isinstance(pattern, Remote) else r"[*?\[]", pattern)
    end = pattern.rfind("/", 0, at.start() if at is not None else 0) + 1
    root = pattern[:end].rstrip("/") or pattern[:end]
    if isinstance(pattern, Remote):
        root = Remote(root, pattern.reach)
    return root, pattern[end:].split("/")


def _matching(tree: Tree, directory: str, parts: list[str], depth: int) -> Iterator[Found]:
    part, rest = parts[0], parts[1:]
    if part == "**":
        if rest:
            yield from _matching(tree, directory, rest, depth)
        inner = parts
    else:
        inner = rest
    matches = re.compile("" if part == "**" else fnmatch.translate(part)).match
    for entry in tree.entries(directory):
        if not matches(entry.name) or (entry.name.startswith(".") and not part.startswith(".")):
            continue
        place = tree.inside(directory, entry.name) if directory else entry.name
        if entry.is_directory:
            if inner and depth < _MOST_DEEP:
                yield from _matching(tree, place, inner, depth + 1)
            elif not rest and part != "**" and is_model_directory({one.name for one in tree.entries(place)}):
                yield Found(place)
        elif not rest:
            yield Found(place, entry.size, entry.mark)


# On this machine ----------------------------------------------------------------------------------------------------


class LocalTree:
    """The directories of this machine."""

    def entries(self, directory: str) -> Sequence[Entry]:
        """What a directory lists: directories, and regular files."""
        try:
            with os.scandir(directory or ".") as listed:
                found = [entry for one in listed if (entry := self._entry(one)) is not None]
        except OSError as error:
            raise SourceError(_words(error), source=directory) from None
        return sorted(found)

    def inside(self, directory: str, name: str) -> str:
        """The path of a name in a directory."""
        return os.path.join(directory, name)

    def _entry(self, one: os.DirEntry[str]) -> Entry | None:
        try:
            if one.is_dir(follow_symlinks=False):
                return Entry(one.name, True)
            found = one.stat()
        except OSError:  # a link to nothing
            return None
        return Entry(one.name, False, found.st_size, _mark(found)) if stat.S_ISREG(found.st_mode) else None


def _is_directory(source: str) -> bool:
    if isinstance(source, Remote):
        from layerexplain.sources.remote import is_directory

        return is_directory(source)
    return os.path.isdir(source)


def _tree(source: str) -> Tree:
    if is_remote(source):
        from layerexplain.sources.remote import RemoteTree

        return RemoteTree()
    return LocalTree()


def _mark(found: os.stat_result) -> str:
    return str(found.st_mtime_ns)


def _words(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, PermissionError):
        return "may not be read (permission denied)"
    return f"cannot be read: {error.strerror or error}"
