"""Where files are: on this machine, behind a URL that fsspec opens, or in an archive (`file.zip::inside/m.keras`).

Readers see a name and a file that can be read and moved in. A plain path imports nothing of what URLs need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from layerexplain.sources.names import Remote


def is_elsewhere(source: str) -> bool:
    """Return whether a source may be a URL or a place in an archive; `sources.names` knows."""
    return "://" in source or "::" in source


def is_remote(source: Any) -> TypeGuard[Remote]:
    """Return whether a source is a URL or a place in an archive, which `named_source` made a `Remote`."""
    if not isinstance(source, str) or not is_elsewhere(source):
        return False
    from layerexplain.sources.names import Remote

    return isinstance(source, Remote)
