"""What is stored in a file of weights, as plain data: a `StoredTensor` an array, and whose state it is."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

from layerexplain.records import NamedTuple

Layout = Literal["classes", "names"]
"""How a file names what it stores: groups after the classes of layers, or after the layers."""

Groups = tuple[str, ...]
"""The names of groups that lead to a place in a file."""

Role = Literal["parameter", "optimizer", "seed", "metric", "beside"]
"""Whose state a tensor is: a layer's, the optimizer's, a random generator's or a metric's; "beside" is what a layer
stores beside its own weights."""

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
    """A name without its number: `dense_1` → `dense`."""
    return re.sub(r"_\d+\Z", "", name)


def plain_name(name: str) -> str:
    """A variable's name without TensorFlow's number of the output: `kernel:0` → `kernel`."""
    return re.sub(r":\d+$", "", name)
