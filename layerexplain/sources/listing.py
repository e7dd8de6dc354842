"""What there is: one named source, the files that a glob matches, all files below a directory; local or remote.

Directories are walked one at a time and in the order of names, so that memory does not follow the number of files.
"""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence

from layerexplain.errors import LayerExplainError, NotAModel, SourceError, why_unread
from layerexplain.sources.names import MOST_DEEP, USUAL, Entry, FoundSource, Reach, Remote, source_reference
from layerexplain.sources.regular_file import place_behind

_MAGIC = re.compile(r"[*?\[]")
_MAGIC_OF_URLS = re.compile(r"[*\[]")
"""A question mark begins the query of a URL."""

_Matches = Callable[[str], object]

_ANY_DEPTH: _Matches = re.compile(r"(?!\.)").match
"""The part `**` of a pattern: any name that is not hidden."""

_CODE = (".py", ".ipynb")
"""Endings of files whose reading takes long, of which few below a directory make a model."""

_BESIDE_CONFIG = frozenset({"metadata.json", "model.weights.h5", "model.weights.json", "model.weights.npz"})
_SAFETENSORS = (".safetensors", ".safetensors.index.json")
_SAVED_MODEL = frozenset({"saved_model.pb", "keras_metadata.pb"})


def describe(source: str, reach: Reach = USUAL) -> FoundSource:
    """Return one named source, which exists. Raises SourceError where it does not."""
    source = source_reference(source, reach)
    if source == "-":
        return FoundSource(source)
    if isinstance(source, Remote):
        is_directory, size, mark = place_behind(source, anew=True).describe()[1:]
    else:
        try:
            status = os.stat(source)
        except OSError as error:
            raise SourceError(why_unread(error), source=source) from None
        is_directory = stat.S_ISDIR(status.st_mode)
        size, mark = status.st_size if stat.S_ISREG(status.st_mode) else None, str(status.st_mtime_ns)
    return _model_directory(source, entries_of(source)) if is_directory else FoundSource(source, size, mark)


def find_sources(sources: Sequence[str], *, recursive: bool = False, reach: Reach = USUAL) -> Iterator[FoundSource]:
    """List what named sources, globs (`models/**/*.keras`, `s3://bucket/*.h5`) and, with `recursive`, directories hold.

    A directory that is one model (a SavedModel, an unzipped .keras) is one source. Hidden files are passed over, and
    links to directories are not followed. What cannot be listed, or matches nothing, is found with its fault.
    """
    for source in sources:
        try:
            yield from _found(source_reference(source, reach), recursive)
        except LayerExplainError as error:
            yield FoundSource(source, fault=error.with_place(source=source))


def _found(source: str, recursive: bool) -> Iterator[FoundSource]:
    if has_magic(source):
        matches = _matches(source)
        first = next(matches, None)
        if first is None:
            raise SourceError("matches no file")
        yield first
        yield from matches
    elif recursive and source != "-" and _is_directory(source):
        yield from below(source)
    else:
        yield describe(source)


def has_magic(source: str) -> bool:
    """Return whether a source is a pattern, and not the name of a file with such signs in it."""
    return _magic_in(source) is not None and (isinstance(source, Remote) or not os.path.exists(source))


def _magic_in(source: str) -> int | None:
    """Return where the first sign of a pattern is; the host of a URL may be written in brackets."""
    host = source.find("://")
    path = 0 if host < 0 else max(source.find("/", host + 3), 0)
    magic = (_MAGIC_OF_URLS if isinstance(source, Remote) else _MAGIC).search(source, path)
    return None if magic is None else magic.start()


# Walking ------------------------------------------------------------------------------------------------------------


def below(directory: str, depth: int = 0) -> Iterator[FoundSource]:
    """Yield all files below a directory; a directory that is a model is one."""
    entries = entries_of(directory)
    if is_model_directory({entry.name for entry in entries}):
        yield _model_directory(directory, entries)
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        place = inside(directory, entry)
        if not entry.is_directory:
            fault = NotAModel("is code, which is read only if it is named") if entry.name.endswith(_CODE) else None
            yield FoundSource(place, entry.size, entry.mark, fault)
        elif depth < MOST_DEEP:
            try:
                yield from below(place, depth + 1)
            except LayerExplainError as error:
                yield FoundSource(place, fault=error.with_place(source=place))


def is_model_directory(names: set[str]) -> bool:
    """Return whether a directory with these names is one model: a SavedModel, an unzipped .keras, or one of
    transformers."""
    beside = names & _BESIDE_CONFIG or any(name.endswith(_SAFETENSORS) for name in names)
    return bool(names & _SAVED_MODEL) or ("config.json" in names and bool(beside))


def _model_directory(directory: str, entries: Sequence[Entry]) -> FoundSource:
    return FoundSource(directory, None, "/".join(entry.mark for entry in entries if not entry.is_directory))


def _matches(pattern: str) -> Iterator[FoundSource]:
    """Yield the files that a pattern matches; `**` is any number of directories."""
    before = pattern[: _magic_in(pattern)]
    end = max([before.rfind(sign) + len(sign) for sign in ("/", "::") if sign in before], default=0)
    root = before[:end].rstrip("/") or before[:end]
    parts = [_part(name) for name in pattern[end:].split("/")]
    yield from _matching(pattern.at(root) if isinstance(pattern, Remote) else root, parts, {0}, 0)


def _part(pattern: str) -> _Matches:
    if pattern == "**":
        return _ANY_DEPTH
    return re.compile(("" if pattern.startswith(".") else r"(?!\.)") + fnmatch.translate(pattern)).match


def _matching(directory: str, parts: Sequence[_Matches], at: set[int], depth: int) -> Iterator[FoundSource]:
    """Yield what a directory holds for the parts of a pattern that may be its turn, all at once: each directory is
    walked once, however many `**` there are."""
    last = len(parts) - 1
    for number in range(last):
        if number in at and parts[number] is _ANY_DEPTH:  # which may be no directory at all
            at = {*at, number + 1}
    for entry in entries_of(directory):
        here = {number for number in at if parts[number](entry.name)}
        if not here:
            continue
        place = inside(directory, entry) if directory else entry.name
        if not entry.is_directory:
            if last in here:
                yield FoundSource(place, entry.size, entry.mark)
            continue
        if last in here and parts[last] is not _ANY_DEPTH:
            listed = entries_of(place)
            if is_model_directory({inner.name for inner in listed}):
                yield _model_directory(place, listed)
        further = {number + (parts[number] is not _ANY_DEPTH) for number in here} - {last + 1}
        if further and depth < MOST_DEEP:
            yield from _matching(place, parts, further, depth + 1)


# Directories --------------------------------------------------------------------------------------------------------


def entries_of(directory: str) -> Sequence[Entry]:
    """Return the directories and regular files that a directory lists, in the order of names. Raises SourceError."""
    if isinstance(directory, Remote):
        return place_behind(directory).entries()
    try:
        with os.scandir(directory or ".") as listed:
            return sorted([entry for item in listed if (entry := _entry(item)) is not None])
    except OSError as error:
        raise SourceError(why_unread(error)) from None


def inside(directory: str, entry: Entry) -> str:
    """Return the place of what a directory lists; a URL tells of itself by its end that it is a directory."""
    if isinstance(directory, Remote):
        return directory.inside(f"{entry.name}/" if entry.is_directory else entry.name)
    return os.path.join(directory, entry.name)


def _entry(item: os.DirEntry[str]) -> Entry | None:
    try:
        if item.is_dir(follow_symlinks=False):
            return Entry(item.name, True)
        status = item.stat()
    except OSError:  # a link to nothing
        return None
    return Entry(item.name, False, status.st_size, str(status.st_mtime_ns)) if stat.S_ISREG(status.st_mode) else None


def _is_directory(source: str) -> bool:
    return place_behind(source).may_be_listed() if isinstance(source, Remote) else os.path.isdir(source)
