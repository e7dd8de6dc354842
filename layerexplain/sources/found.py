"""What listing sources gives, as plain data."""

from __future__ import annotations

from layerexplain.errors import LayerExplainError
from layerexplain.records import NamedTuple
from layerexplain.sources.names import Remote


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
