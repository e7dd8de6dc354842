"""How large an array may be that a run makes: what does not fit is refused before it is allocated."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import Batch, ResultShapes, Size
from layerexplain.lang.definition import Definition
from layerexplain.lang.visit import inner_definitions, nodes

_NUMBER = 4
"""Bytes of a number, at least."""


def machine_memory() -> int:
    """Return the memory of this machine in bytes; 8 GB where that is not known."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 8 * 10**9


def _words(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 10**8 else f"{count:,} bytes"


def largest(shapes: Iterable[Iterable[Size]], batch: int) -> str:
    """Return the size of the largest array of these shapes in words."""
    return _words(max([_bytes(shape, batch) for shape in shapes], default=0))


def _bytes(shape: Iterable[Size], batch: int) -> int:
    size = _NUMBER
    for one in shape:
        size *= one.at(batch) if isinstance(one, Batch) else 1 if one is None else one
    return size


def must_fit(shapes: Iterable[Iterable[Size]], what: str, batch: int, most: int | None) -> None:
    """Raise LayerExplainError where one array of these shapes needs more than `most` bytes, by default all memory of
    the machine. Sizes that are not known count as 1."""
    most = machine_memory() if most is None else most
    for shape in shapes:
        size = _bytes(shape, batch)
        if size > most:
            raise LayerExplainError(
                f"{what} needs an array of {_words(size)}; at most {_words(most)} are used (--max-memory raises it)"
            )


def shapes_in(definition: Definition) -> Iterator[tuple[Size, ...]]:
    """Yield the shapes of all arrays that a formula computes with."""
    for one in (definition, *inner_definitions(definition)):
        for node in nodes(one):
            yield from node.shape if type(node.shape) is ResultShapes else [node.shape]
