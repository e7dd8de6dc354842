"""What there is: one named source, the files that a glob matches, all files below a directory; local or remote.

Directories are walked one at a time and in the order of names, so that memory does not follow the number of files.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Iterator, Sequence

from layerexplain.errors import LayerExplainError, NotAModel, SourceError, why_unread
from layerexplain.sources.names import USUAL, Entry, FoundSource, Reach, Remote, source_reference

_MAGIC = re.compile(r"[*?\[]")
_MAGIC_OF_URLS = re.compile(r"[*\[]")
"""A question mark begins the query of a URL."""

_CODE = (".py", ".ipynb")
"""Endings of files whose reading takes long, of which few below a directory make a model."""

_MOST_DEEP = 64
"""How deep directories are walked: deeper ones are circles."""

_BESIDE_CONFIG = frozenset({"metadata.json", "model.weights.h5", "model.weights.json", "model.weights.npz"})
_SAFETENSORS = (".safetensors", ".safetensors.index.json")
_SAVED_MODEL = frozenset({"saved_model.pb", "keras_metadata.pb"})


def describe(source: str, reach: Reach = USUAL) -> FoundSource:
    """Return one named source, which exists. Raises SourceError where it does not."""
    source = source_reference(source, reach)
    if isinstance(source, Remote):
        from layerexplain.sources.remote import describe_remote

        found = describe_remote(source)
    elif source == "-":
        return FoundSource(source)
    else:
        try:
            status = os.stat(source)
        except OSError as error:
            raise SourceError(why_unread(error), source=source) from None
        is_file = stat.S_ISREG(status.st_mode)
        found = FoundSource(source, status.st_size if is_file else None, _mark(status))
        if stat.S_ISDIR(status.st_mode):
            found = found._replace(mark="")
    if found.size is None and not found.mark:
        found = found._replace(mark=_joined_marks(entries_of(source)))
    return found


def find_sources(sources: Sequence[str], *, recursive: bool = False, reach: Reach = USUAL) -> Iterator[FoundSource]:
    """List what named sources, globs (`models/**/*.keras`, `s3://bucket/*.h5`) and, with `recursive`, directories hold.

    A directory that is one model (a SavedModel, an unzipped .keras) is one source. Hidden files are passed over, and
    links to directories are not followed. What cannot be listed, or matches nothing, is found with its fault.
    """
    for source in sources:
        try:
            yield from _found(source_reference(source, reach), recursive)
        except LayerExplainError as error:
            fault = error.with_place(source=source)
            yield FoundSource(source, fault=fault)


def _found(source: str, recursive: bool) -> Iterator[FoundSource]:
    if has_magic(source):
        count = 0
        for found in _matches(source):
            count += 1
            yield found
        if not count:
            raise SourceError("matches no file")
    elif recursive and source != "-" and _is_directory(source):
        yield from below(source)
    else:
        yield describe(source)


def has_magic(source: str) -> bool:
    """Return whether a source is a pattern, and not the name of a file with such signs in it."""
    return _magic_in(source) is not None and (isinstance(source, Remote) or not os.path.exists(source))


def _magic_in(source: str) -> re.Match[str] | None:
    """Return the first sign of a pattern; the host of a URL may be written in brackets."""
    host = source.find("://")
    path = 0 if host < 0 else max(source.find("/", host + 3), 0)
    return (_MAGIC_OF_URLS if isinstance(source, Remote) else _MAGIC).search(source, path)


# Walking ------------------------------------------------------------------------------------------------------------


def below(directory: str, depth: int = 0) -> Iterator[FoundSource]:
    """Yield all files below a directory; a directory that is a model is one."""
    entries = entries_of(directory)
    if is_model_directory({entry.name for entry in entries}):
        yield FoundSource(directory, None, _joined_marks(entries))
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        place = inside(directory, entry)
        if not entry.is_directory:
            fault = NotAModel("is code, which is read only if it is named") if entry.name.endswith(_CODE) else None
            yield FoundSource(place, entry.size, entry.mark, fault)
        elif depth < _MOST_DEEP:
            try:
                yield from below(place, depth + 1)
            except LayerExplainError as error:
                yield FoundSource(place, fault=error.with_place(source=place))


def is_model_directory(names: set[str]) -> bool:
    """Return whether a directory with these names is one model: a SavedModel, an unzipped .keras, or one of
    transformers."""
    beside = names & _BESIDE_CONFIG or any(name.endswith(_SAFETENSORS) for name in names)
    return bool(names & _SAVED_MODEL) or ("config.json" in names and bool(beside))


def _joined_marks(entries: Sequence[Entry]) -> str:
    return "/".join(entry.mark for entry in entries if not entry.is_directory)


def _matches(pattern: str) -> Iterator[FoundSource]:
    """Yield the files that a pattern matches; `**` is any number of directories."""
    magic = _magic_in(pattern)
    place = 0 if magic is None else magic.start()
    end = max(pattern.rfind("/", 0, place) + 1, pattern.rfind("::", 0, place) + 2 if "::" in pattern[:place] else 0)
    root = pattern[:end].rstrip("/") or pattern[:end]
    if isinstance(pattern, Remote):
        root = pattern.at(root)
    parts = [_Part(name) for name in pattern[end:].split("/")]
    yield from _matching(root, parts, {0}, 0)


class _Part:
    """What stands between two slashes of a pattern."""

    def __init__(self, name: str) -> None:
        self.is_any_depth = name == "**"
        self._sees_hidden = name.startswith(".")
        self._match = re.compile("" if self.is_any_depth else fnmatch.translate(name)).match

    def matches(self, name: str) -> bool:
        """Return whether a file or directory is meant."""
        return self._match(name) is not None and (self._sees_hidden or not name.startswith("."))


def _matching(directory: str, parts: Sequence[_Part], at: set[int], depth: int) -> Iterator[FoundSource]:
    """Yield what a directory holds for the parts of a pattern that may be its turn, all at once: each directory is
    walked once, however many `**` there are."""
    at = set(at)
    last = len(parts) - 1
    for number, part in enumerate(parts):
        if number in at and part.is_any_depth and number < last:
            at.add(number + 1)
    for entry in entries_of(directory):
        here = [number for number in at if parts[number].matches(entry.name)]
        if not here:
            continue
        place = inside(directory, entry) if directory else entry.name
        if not entry.is_directory:
            if last in here:
                yield FoundSource(place, entry.size, entry.mark)
            continue
        if last in here and not parts[last].is_any_depth:
            listed = entries_of(place)
            if is_model_directory({one.name for one in listed}):
                yield FoundSource(place, None, _joined_marks(listed))
        below = {number if parts[number].is_any_depth else number + 1 for number in here} - {last + 1}
        if below and depth < _MOST_DEEP:
            yield from _matching(place, parts, below, depth + 1)


# Directories --------------------------------------------------------------------------------------------------------


def entries_of(directory: str) -> Sequence[Entry]:
    """Return the directories and regular files that a directory lists, in the order of names. Raises SourceError."""
    if isinstance(directory, Remote):
        from layerexplain.sources.remote import place_of

        return place_of(directory).entries()
    try:
        with os.scandir(directory or ".") as listed:
            return sorted([entry for one in listed if (entry := _entry(one)) is not None])
    except OSError as error:
        raise SourceError(why_unread(error)) from None


def inside(directory: str, entry: Entry) -> str:
    """Return the place of what a directory lists; a URL tells of itself by its end that it is a directory."""
    if isinstance(directory, Remote):
        return directory.inside(f"{entry.name}/" if entry.is_directory else entry.name)
    return os.path.join(directory, entry.name)


def _entry(one: os.DirEntry[str]) -> Entry | None:
    try:
        if one.is_dir(follow_symlinks=False):
            return Entry(one.name, True)
        status = one.stat()
    except OSError:  # a link to nothing
        return None
    return Entry(one.name, False, status.st_size, _mark(status)) if stat.S_ISREG(status.st_mode) else None


def _is_directory(source: str) -> bool:
    if isinstance(source, Remote):
        from layerexplain.sources.remote import place_of

        return place_of(source).may_be_listed()
    return os.path.isdir(source)


def _mark(status: os.stat_result) -> str:
    return str(status.st_mtime_ns)
