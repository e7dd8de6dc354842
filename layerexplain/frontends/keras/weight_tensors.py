"""The tensors of a file of weights, and values that lie there as plain numbers, one behind another."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from layerexplain.errors import SourceError
from layerexplain.frontends.model_builder import FreeNames, types_by_default_name
from layerexplain.model import Layer, StoredVariable
from layerexplain.records import NamedTuple
from layerexplain.sources import is_remote
from layerexplain.sources.regular_file import in_folder, is_file_in, open_regular

# Raw values ---------------------------------------------------------------------------------------------------------


class Piece(NamedTuple):
    """So many bytes of a file, from a place on."""

    path: str
    start: int
    size: int


class RawValues(NamedTuple):
    """Where the values of an array lie, and as what: `dtype` as NumPy calls it, in little-endian order, or bfloat16;
    `scale` and `least` where they are whole numbers that stand for scale · number + least."""

    pieces: tuple[Piece, ...]
    dtype: str
    scale: float | None = None
    least: float = 0.0

    def read(self, shape: tuple[int, ...]) -> Any:
        """Return the values as a NumPy array; bfloat16 comes as float32. Raises SourceError where bytes lack."""
        import numpy as np

        data = b"".join(_bytes_of(piece) for piece in self.pieces)
        if self.dtype == "bfloat16":
            halves = np.frombuffer(data, "<u2").astype(np.uint32) << 16
            return halves.view(np.float32).reshape(shape)
        values = np.frombuffer(data, np.dtype(self.dtype).newbyteorder("<")).reshape(shape)
        if self.scale is not None:
            return (values.astype(np.float64) * self.scale + self.least).astype(np.float32)
        # In the machine's own order, as all others.
        return values.astype(np.dtype(self.dtype), copy=False)


def _bytes_of(piece: Piece) -> bytes:
    with open_regular(piece.path, os.path.basename(piece.path)) as file:
        file.seek(piece.start)
        data = file.read(piece.size)
    if len(data) != piece.size:
        raise SourceError(
            f"{os.path.basename(piece.path)} is shorter than the data that it should contain; was it copied whole?"
        )
    return data


def file_beside(folder: str, name: str) -> str:
    """Return the path of a file that another one names, by its bare name, beside itself.

    Raises SourceError for a name that leads elsewhere, for a link, and for what is not there.
    """
    if not name or name.startswith(".") or set(name) & set("/\\:\0"):
        raise SourceError(f"names the file {name[:80]!r}; only files beside it are read")
    path = in_folder(folder, name)
    if not is_file_in(folder, name) or (not is_remote(path) and os.path.islink(path)):
        raise SourceError(f"names {name!r}, and that file is not in its directory")
    return path


# Weight tensors -----------------------------------------------------------------------------------------------------
# Stored weights as plain data: each array, whose state it is, and what its values are like.

Layout = Literal["classes", "names", "paths"]
"""How a file names what it stores: groups after the classes of layers, after the layers, or the paths of modules."""

Groups = tuple[str, ...]
"""The names of groups that lead to a place in a file."""

Role = Literal["parameter", "optimizer", "seed", "metric", "beside"]
"""Whose state a tensor is; "beside" is what a layer stores in addition to its own weights."""

_OPTIMIZER = re.compile(r"(?:^|_)optimizers?(?:_weights)?(?:_\d+)?$")
_METRIC = re.compile(r"(?:^|_)(?:compile_)?metrics?(?:_\d+)?$|(?:^|_)tracker(?:_\d+)?$")
_SEED = re.compile(r"^_*(?:seed_generators?|random_generator)(?:_\d+)?$")
_SPECTRAL = re.compile(r"^spectral_normalization(?:_\d+)?$")
_SEED_VARIABLE = re.compile(r"^(?:seed_generator_state|statevar)(?:_\d+)?$", re.IGNORECASE)


class StoredTensor(NamedTuple):
    """One array in a file. `path` is its place in the file, `parts` the same without what all places share: the
    groups from the layer down, then the variable; `layer` is the name of the layer that the file gives, or "".
    `file` is the file that holds it where several do, else ""."""

    path: str
    parts: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    itemsize: int
    role: Role
    layer: str = ""
    file: str = ""

    @property
    def size(self) -> int:
        """The number of values."""
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        """The size of the values, unpacked."""
        return self.size * self.itemsize


def role_of(groups: Sequence[str], variable: str) -> Role:
    """Whose state a variable is, by the groups that lead to it and by its name."""
    if groups and _OPTIMIZER.search(groups[0]):
        return "optimizer"
    if any(_SEED.search(group) for group in groups) or _SEED_VARIABLE.match(variable):
        return "seed"
    # The wrapper keeps a reference to the kernel that it normalises, and Keras stores that once more.
    if groups and _SPECTRAL.match(groups[-1]) and variable == "0":
        return "beside"
    # A layer may be called what it likes: only what stands beside the layers is a metric or another optimizer.
    own = [group for group in groups[:2] if group not in ("layers", "vars")] if groups[:1] != ("layers",) else []
    if any(_METRIC.search(group) for group in own):
        return "metric"
    return "parameter"


def stem(name: str) -> str:
    """Return a name without its number: `dense_1` → `dense`."""
    return re.sub(r"_\d+\Z", "", name)


def plain_name(name: str) -> str:
    """Return a variable's name without TensorFlow's number of the output: `kernel:0` → `kernel`."""
    return re.sub(r":\d+$", "", name)


class Statistics(NamedTuple):
    """What the values of a tensor are like. `min`, `max`, `mean` and `std` (of all values, not of a sample) are over
    the finite ones, None where there are none; the others count values. Of complex numbers, which have no order, they
    are those of the absolute values."""

    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    zeros: int
    nans: int
    infinities: int


def statistics(blocks: Iterable[Any]) -> Statistics:
    """Return the statistics of all values in some NumPy arrays; memory does not follow their number. Means
    and spreads of the pieces are joined as Chan et al., 1979, do."""
    import numpy as np

    low, high = math.inf, -math.inf
    count = zeros = nans = infinities = 0
    mean = spread = 0.0
    for block in blocks:
        values = np.asarray(block).reshape(-1)
        if values.dtype.kind == "c":
            values = np.abs(values.astype(np.complex128, copy=False))
        values = values.astype(np.float64, copy=False)
        finite = np.isfinite(values)
        if not finite.all():
            nans += int(np.isnan(values).sum())
            infinities += int(np.isinf(values).sum())
            values = values[finite]
        if values.size == 0:
            continue
        zeros += int(values.size - np.count_nonzero(values))
        low, high = min(low, float(values.min())), max(high, float(values.max()))
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is reported as not known
            own_mean = float(values.mean())
            own_spread = float(((values - own_mean) ** 2).sum())
        total = count + values.size
        apart = own_mean - mean
        mean += apart * values.size / total
        spread += own_spread + apart * apart * count * values.size / total
        count = total
    if count == 0:
        return Statistics(None, None, None, None, zeros, nans, infinities)
    std = math.sqrt(spread / count) if math.isfinite(spread) else None
    return Statistics(low, high, mean if math.isfinite(mean) else None, std, zeros, nans, infinities)


def variable_rows(owners: Mapping[str, Iterable[StoredVariable]], taken: set[str]) -> list[Layer]:
    """Return one row per owner of variables, under a free name; its type is the Keras layer of that name, if any."""
    types = types_by_default_name()
    rows, names = [], FreeNames(taken)
    for owner, variables in owners.items():
        name = names.take(owner)
        type_ = types.get(stem(owner.rpartition("/")[2]), "Variables")
        rows.append(Layer(name, type_, "custom", {"variables": tuple(variables)}))
    return rows
