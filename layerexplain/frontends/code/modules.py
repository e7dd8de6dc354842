"""The modules that a program imports: files beside it, of its package, and below the folders that were named. They are
read as text; nothing is imported."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.bounds import MOST_SOURCE
from layerexplain.frontends.code.frames import File
from layerexplain.frontends.code.sources import read_text

PRESENT = frozenset({"keras", "tensorflow", "tf_keras", "numpy"})
"""Libraries that are there where a program of Keras runs. What they do is known, so that their files are not read,
though they lie beside an installed package."""

_MOST_LEVELS = 20
"""How many folders lead up to that of a package."""


Lender = Callable[[str], "File | None"]
"""Gives the file beside a program (`--code`) that defines a class or a function; None where none does."""


class Modules:
    """Finds the modules of a program. `roots` are folders in which imports by a whole name are looked for, besides the
    folder of the file and that of its package; `lend` gives the files of names that none of these has."""

    def __init__(self, roots: Sequence[str] = (), lend: Lender = lambda name: None) -> None:
        self.roots = tuple(roots)
        self.lend = lend

    def load(self, name: str, file: File) -> File | None:
        """The module of a name as a file imports it (`.layers`, `models.unet`); None where there is none."""
        if file.folder is None:
            return None
        level = len(name) - len(name.lstrip("."))
        parts = [part for part in name.lstrip(".").split(".") if part]
        if not all(part.isidentifier() for part in parts) or level > _MOST_LEVELS:
            return None
        if level:
            return self._below(os.path.join(file.folder, *[os.pardir] * (level - 1)), parts, file)
        package = package_of(file.folder)
        around = [os.path.dirname(package)] if package is not None and os.path.basename(package) == parts[0] else []
        for base in (file.folder, *around, *(self.roots if parts and parts[0] not in PRESENT else ())):
            found = self._below(base, parts, file)
            if found is not None:
                return found
        return None

    def _below(self, base: str, parts: Sequence[str], file: File) -> File | None:
        place = os.path.normpath(os.path.join(base, *parts))
        for path in (f"{place}.py", os.path.join(place, "__init__.py")):
            if os.path.isfile(path) and not os.path.islink(path):
                package = package_of(os.path.dirname(path))
                start = os.path.dirname(package) if package is not None else self._start(path, file)
                return read_module(path, os.path.relpath(path, start))
        return None

    def _start(self, path: str, file: File) -> str:
        """The folder from which a module's path is shown."""
        inside = [root for root in self.roots if os.path.commonpath([os.path.abspath(root), os.path.abspath(path)])
                  == os.path.abspath(root)]  # fmt: skip
        return inside[0] if inside else file.folder or "."


@lru_cache(maxsize=4096)
def package_of(folder: str) -> str | None:
    """The folder of the whole package that a folder belongs to; None outside of packages."""
    found = None
    for _ in range(_MOST_LEVELS):
        if not os.path.isfile(os.path.join(folder, "__init__.py")):
            break
        found = folder
        folder = os.path.dirname(os.path.abspath(folder))
    return found


@lru_cache(maxsize=4096)
def read_module(path: str, shown: str) -> File | None:
    """A file of Python code, as text; None where it cannot be read."""
    try:
        with open(path, "rb") as opened:
            data = opened.read(MOST_SOURCE + 1)
        return File(shown, os.path.dirname(path), read_text(data, path).tree, os.path.abspath(path))
    except (OSError, LayerExplainError):
        return None


def package_folder(name: str) -> str | None:
    """The folder of an installed package, or of one inside it (`keras_hub.models`), found without importing it; None
    where there is none."""
    top, *rest = name.split(".")
    if not all(part.isidentifier() for part in (top, *rest)):
        return None
    try:
        spec = find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return None
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    found = next((path for place in places if os.path.isdir(path := os.path.join(place, *rest))), None)
    return found
