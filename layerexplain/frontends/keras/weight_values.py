"""An open file of weights: what is in it, and the values of one array when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from layerexplain.errors import SourceError
from layerexplain.frontends.keras.h5_service import SERVICE, H5Target
from layerexplain.frontends.keras.weight_statistics import Statistics
from layerexplain.frontends.keras.weight_tensors import StoredTensor
from layerexplain.model import Note

Layout = Literal["classes", "names"]

_BYTES_A_SECOND = 10_000_000
"""How fast values are read at least, by the slowest machine and the hardest compression."""


class WeightFile:
    """The weights of one source. `format` says what kind of file it is; `has_model` whether an architecture is
    beside them; `tensors` are in the file's own order; `names` are the names of layers, by their groups, where the
    file keeps them (class layout, Keras 3.6 and later); `groups` are all groups, in the order in which they lie in the
    file, `objects` those that stand for a layer or what a layer holds, not for a list of them."""

    def __init__(self, format: str, layout: Layout, *, has_model: bool = False) -> None:
        self.format = format
        self.layout: Layout = layout
        self.has_model = has_model
        self.keras_version: str | None = None
        self.tensors: tuple[StoredTensor, ...] = ()
        self.names: Mapping[tuple[str, ...], str] = {}
        self.groups: Mapping[tuple[str, ...], None] = {}
        self.objects: frozenset[tuple[str, ...]] = frozenset()
        self.notes: tuple[Note, ...] = ()
        self.files: Mapping[str, H5Target] = {}

    def read(self, tensor: StoredTensor) -> Any:
        """The values of a tensor as a NumPy array; bfloat16 comes as float32, which holds all of its values.

        Raises SourceError where they are damaged or absurdly larger than stored.
        """
        import numpy as np

        answer = SERVICE.ask(
            self.files[tensor.file],
            "values",
            seconds=_patience(tensor),
            most=16 * tensor.size,
            path=tensor.path,
            dtype=tensor.dtype,
        )
        dtype = np.dtype(str(answer.value["dtype"]))
        if dtype.kind not in "biufc" or len(answer.data) != tensor.size * dtype.itemsize:
            raise SourceError(f"{tensor.path} cannot be read (it is not what was listed)")
        return np.frombuffer(answer.data, dtype=dtype).reshape(tensor.shape)

    def statistics(self, tensor: StoredTensor) -> Statistics:
        """What the values of a tensor are like; memory does not follow their number. Raises as `read` does."""
        answer = SERVICE.ask(
            self.files[tensor.file], "statistics", seconds=_patience(tensor), path=tensor.path, dtype=tensor.dtype
        )
        return Statistics(*answer.value["statistics"])


def _patience(tensor: StoredTensor) -> float:
    return 10 + tensor.bytes / _BYTES_A_SECOND
