"""The index of sharded weights: which files hold them. Its names are only ever those of files beside it."""

from __future__ import annotations

from layerexplain.errors import SourceError
from layerexplain.frontends.json_text import parse_json

_MAX_SHARDS = 10_000
_ENDING = ".weights.h5"


def shard_files(data: bytes, what: str) -> list[str]:
    """The names of the files that an index `{"weight_map": {path: name or names}}` lists, each once.

    Raises SourceError where it is no such index, or where a name is not that of a file beside it.
    """
    document = parse_json(data, what)
    listed = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(listed, dict):
        raise SourceError(f"{what} has no weight_map; an index of weights lists its files there")
    names: dict[str, None] = {}
    for value in listed.values():
        for name in value if isinstance(value, list) else [value]:
            if not isinstance(name, str) or not _is_plain(name):
                raise SourceError(
                    f"{what} names the file {str(name)[:80]!r}; only files beside it that end in {_ENDING} are read"
                )
            names[name] = None
    if len(names) > _MAX_SHARDS:
        raise SourceError(f"{what} lists {len(names):,} files; at most {_MAX_SHARDS:,} are read")
    return list(names)


def _is_plain(name: str) -> bool:
    """Whether a name is that of a file, with no way out of its folder in it."""
    return name.endswith(_ENDING) and not name.startswith(".") and not set(name) & set("/\\:\0")
