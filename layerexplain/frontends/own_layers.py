"""Own layers from files of their own, beside the source of a model: what `--code` names."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from layerexplain.errors import LayerExplainError, SourceError

if TYPE_CHECKING:
    from layerexplain.layers.declaration import Declaration

Code: TypeAlias = "str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Mapping[str, Declaration]"
"""Files that say what own layers compute, or what was read from them."""


def read_own_layers(code: Code) -> Mapping[str, Declaration]:
    """The declarations of own layers, by class name.

    Args:
        code: The path of a file, or of several: YAML with `define:` (docs/spec.md), or Python code, which is read and
            never run.

    Raises:
        LayerExplainError: with the file, if one cannot be read or has faults, or if two define one class.
    """
    if isinstance(code, Mapping):
        return code
    found: dict[str, Declaration] = {}
    where: dict[str, str] = {}
    for one in [code] if isinstance(code, str | os.PathLike) else code:
        path = os.fspath(one)
        try:
            read = _read(path)
            for name in read:
                if name in where:
                    raise SourceError(f"defines '{name}', which {where[name]} defines too; give one of them")
                where[name] = path
        except LayerExplainError as error:
            raise error.with_place(source=path) from None
        found.update(read)
    return found


def _read(path: str) -> Mapping[str, Declaration]:
    from layerexplain.frontends import as_source_errors, holds_code, is_text, opened_path

    with as_source_errors():
        if os.path.isdir(path):
            raise SourceError("is a folder; give the file that defines the layers")
        with opened_path(path) as opened:
            if not is_text(opened.head):
                raise SourceError("is no text; own layers stand in YAML with `define:`")
            data = opened.text()
            if holds_code(opened.head, path):
                from layerexplain.frontends.code.code_files import read_python_layers

                return read_python_layers(data, path)
            from layerexplain.frontends.spec.define import read_definitions

            return read_definitions(data, path)
