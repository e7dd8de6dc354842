"""The arrays of a run: how large one may be, half-precision dtypes, and .npz files written one array at a time."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from layerexplain.errors import LayerExplainError
from layerexplain.files.replacing import replacing, writing
from layerexplain.lang.axes import Batch, ResultShapes, Size
from layerexplain.lang.definition import Definition
from layerexplain.lang.visit import inner_definitions, nodes

# Memory limit -------------------------------------------------------------------------------------------------------
# How large an array may be that a run makes: what does not fit is refused before it is allocated.

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
    for other in shape:
        size *= other.at(batch) if isinstance(other, Batch) else 1 if other is None else other
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
    for other in (definition, *inner_definitions(definition)):
        for node in nodes(other):
            yield from node.shape if type(node.shape) is ResultShapes else [node.shape]


# Precision ----------------------------------------------------------------------------------------------------------
# Keras's floating-point dtypes in NumPy: half-precision values are rounded and kept as float32.

HALVES = frozenset({"float16", "bfloat16"})
_WIDTHS = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}


def is_float(dtype: str) -> bool:
    """Return whether a dtype is one of the floats that layers compute with."""
    return dtype in _WIDTHS


def computed_in(dtype: str) -> str:
    """Return the NumPy dtype that stands for Keras's compute dtype."""
    return "float64" if dtype == "float64" else "float32"


def common_float(dtypes: Sequence[str]) -> str:
    """Return the float in which an operation on tensors of these dtypes computes; float32 if none is a float."""
    floats = {d for d in dtypes if is_float(d)}
    if not floats or floats == HALVES:
        return "float32"
    return max(floats, key=lambda d: _WIDTHS[d])


def rounded_to(value: Any, dtype: str) -> Any:
    """Return an array of floats cast to `dtype`; other arrays unchanged.

    bfloat16, which NumPy lacks, is returned as float32 of the same value: rounded to nearest, ties to even.
    """
    import numpy as np

    value = np.asarray(value)
    if value.dtype.kind != "f" or not is_float(dtype):
        return value
    if dtype != "bfloat16":
        with np.errstate(over="ignore"):  # beyond the range of float16 is infinity
            return value if value.dtype == dtype else value.astype(dtype)
    single = np.ascontiguousarray(value, dtype=np.float32)
    bits = single.view(np.uint32)
    with np.errstate(over="ignore"):
        nearest = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    bfloat16 = (nearest & np.uint32(0xFFFF0000)).view(np.float32)
    return np.where(np.isnan(single), single, bfloat16).reshape(value.shape)


# Npz ----------------------------------------------------------------------------------------------------------------
# Activations as an .npz file, written array by array, so that memory use does not grow with their number.


class Add(Protocol):
    """Writes one array: an output of a call of a layer, or what the layer has `of` its own."""

    def __call__(self, path: Sequence[str], call: int, output: int, array: Any, of: str = "") -> None: ...


def npz_key(path: Sequence[str], call: int, output: int, of: str = "") -> str:
    """Return the key of an array. `path` has the names that lead to the layer.

    >>> npz_key(("encoder", "dense"), 0, 0), npz_key(("dense",), 0, 0, "weight/kernel/gradient")
    ('encoder/dense', 'dense//weight/kernel/gradient')
    """
    names = "/".join(name.replace("%", "%25").replace("/", "%2F") or "%" for name in path)
    if of:
        return f"{names}//{of}"
    return names if call == output == 0 else f"{names}//call/{call}/output/{output}"


@contextmanager
def npz_writer(file: str | os.PathLike[str]) -> Iterator[Add]:
    """Give what writes one array, as `add(path, call, output, array)`; the file is there once all are.

    Raises:
        LayerExplainError: if the file cannot be written.
    """
    import numpy as np

    name = os.fspath(file)
    with replacing(name) as new, zipfile.ZipFile(new, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:

        def add(path: Sequence[str], call: int, output: int, array: Any, of: str = "") -> None:
            value = np.asarray(array)
            if value.dtype.kind == "O":  # text; nothing is ever pickled
                value = value.astype(str)
            with writing(name), archive.open(f"{npz_key(path, call, output, of)}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.ascontiguousarray(value).reshape(value.shape), allow_pickle=False)

        yield add
