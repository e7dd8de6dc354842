"""The modules that a program imports: files beside it, of its package, and below the folders that were named. They are
read as text; nothing is imported.

An import finds what Python would find, and no more: nothing above the top of a package, no links.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.sources import read_text
from layerexplain.frontends.code.values.bounds import MOST_SOURCE
from layerexplain.frontends.code.values.frames import File
from layerexplain.sources.regular_file import open_regular

PRESENT = frozenset({"keras", "tensorflow", "tf_keras", "numpy"})
"""Libraries that are there where a program of Keras runs. What they do is known, so that their files are not read,
though they lie beside an installed package."""

_MOST_LEVELS = 20
"""How many folders lead up to that of a package."""


Lender = Callable[[str], "File | None"]
"""Gives the file beside a program (`--code`) that defines a class or a function; None where none does."""


class Refused(Exception):
    """A relative import from above the package. `by_python` says whether Python refuses it for sure: in a folder
    without an `__init__.py` the way in which the program is started decides."""

    def __init__(self, *, by_python: bool) -> None:
        super().__init__("the relative import leads out of the package; nothing above it is read")
        self.by_python = by_python


class Modules:
    """Finds the modules of a program. `folder` is the one that the user named: outside of packages, imports by a whole
    name are looked for there too. `lend` gives the files of names that no other place has."""

    def __init__(self, folder: str | None = None, lend: Lender = lambda name: None) -> None:
        self.folder = folder
        self.lend = lend

    def load(self, name: str, file: File, program: File) -> File | None:
        """Return the module of a name as a file of a program imports it (`.layers`, `models.unet`); None where there is
        none. Raises Refused for an import from above the package."""
        if file.folder is None:
            return None
        level = len(name) - len(name.lstrip("."))
        parts = [part for part in name.lstrip(".").split(".") if part]
        if not all(part.isidentifier() for part in parts):
            return None
        if level:
            return self._below(_above(file.folder, level - 1, self._top(file.folder)), parts, program)
        for base in self._places(parts[0] if parts else "", file, program):
            found = self._below(base, parts, program)
            if found is not None:
                return found
        return None

    def is_named(self, path: str) -> bool:
        """Return whether a file lies in the folder that the user named."""
        return self.folder is not None and _is_inside(path, self.folder)

    def _places(self, first: str, file: File, program: File) -> list[str]:
        """Return the folders in which an import by a whole name is looked for: that of the program, whoever imports;
        the one that holds the package of that name which the file is part of, or the file's own folder if that has the
        name; the one that was named."""
        places = [] if program.folder is None else [program.folder]
        # A folder may be a package without an `__init__.py`; only files beside the importing one are found in it.
        package = package_of(file.folder or "") or os.path.abspath(file.folder or ".")
        if os.path.basename(package) == first:
            places.append(os.path.dirname(package))
        is_named = self.folder is not None and package_of(self.folder) is None and first not in PRESENT
        return [*places, self.folder] if is_named and self.folder is not None else places

    def _top(self, folder: str) -> str:
        """Return the highest folder that a relative import in `folder` may reach: the top of its package, the named
        folder around it, or itself."""
        return package_of(folder) or self._named_around(folder) or folder

    def _named_around(self, path: str) -> str | None:
        return self.folder if self.is_named(path) else None

    def _below(self, base: str, parts: Sequence[str], program: File) -> File | None:
        place = os.path.normpath(os.path.join(base, *parts))
        for path in (*([f"{place}.py"] if parts else []), os.path.join(place, "__init__.py")):
            if os.path.isfile(path) and not _has_link(path, len(parts) + 1):
                package = package_of(os.path.dirname(path))
                start = os.path.dirname(package) if package is not None else self._named_around(path) or program.folder
                return read_module(path, os.path.relpath(path, start or "."))
        return None


def _above(folder: str, levels: int, top: str) -> str:
    """Return the folder so many levels above one. Raises Refused beyond `top`."""
    for _ in range(levels):
        if os.path.abspath(folder) == os.path.abspath(top):
            raise Refused(by_python=package_of(folder) is not None)
        folder = os.path.dirname(os.path.abspath(folder))
    return folder


def _has_link(path: str, count: int) -> bool:
    """Return whether one of the last parts of a path is a link."""
    for _ in range(count):
        if os.path.islink(path):
            return True
        path = os.path.dirname(path)
    return False


def _is_inside(path: str, folder: str) -> bool:
    inner, outer = os.path.abspath(path), os.path.abspath(folder)
    return inner == outer or inner.startswith(outer.rstrip(os.sep) + os.sep)


@lru_cache(maxsize=4096)
def package_of(folder: str) -> str | None:
    """Return the folder of the whole package that a folder belongs to; None outside of packages."""
    found = None
    for _ in range(_MOST_LEVELS):
        marker = os.path.join(folder, "__init__.py")
        if not os.path.isfile(marker) or os.path.islink(marker):
            break
        found = folder
        folder = os.path.dirname(os.path.abspath(folder))
    return found


@lru_cache(maxsize=256)
def read_module(path: str, shown: str) -> File | None:
    """Return a file of Python code, as text; None where it cannot be read."""
    try:
        with open_regular(path) as opened:
            data = opened.read(MOST_SOURCE + 1)
        text = read_text(data, path)
        return File(shown, os.path.dirname(path), text.tree, os.path.abspath(path), text.size)
    except (OSError, LayerExplainError):
        return None


def package_folder(name: str) -> str | None:
    """Return the folder of an installed package, or of one inside it (`keras_hub.models`), found without importing it;
    None where there is none."""
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
