"""The axis in which a program joins the batch with other axes, `(b t) c`: how many times the batch it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.values.base import ProgramValue
from layerexplain.lang.axes import BATCH, Shape
from layerexplain.layers.registry import EINOPS
from layerexplain.layers.torch.axis_patterns import sides_at
from layerexplain.ops.sizes import product

if TYPE_CHECKING:
    from layerexplain.frontends.code.library.torch_tensors import Tensor

_MOVES = frozenset({"torch.reshape", "torch.flatten", f"{EINOPS}rearrange", f"{EINOPS}Rearrange"})
"""What joins and splits axes, and keeps all values."""


def values_of_each(shape: Shape, times: int) -> int | None:
    """Return how many values of a tensor each example has; None where that is not known.

    >>> values_of_each((BATCH, 3, 5), 0), values_of_each((None, 5), 3), values_of_each((None, 5), 0)
    (15, 15, None)
    """
    whole = product([size for size in shape if size is not None])
    open_ = sum(size is None for size in shape)
    return whole if not open_ else whole * times if whole and times and open_ == 1 and BATCH not in shape else None


def times_after(type_: str, tensors: Sequence[Tensor], shape: Shape) -> int:
    """Return how many times the batch the axis of unknown size of a result is; 0 where it has none or that is not
    known."""
    if sum(size is None for size in shape) != 1 or BATCH in shape or not tensors:
        return 0
    if type_ in _MOVES:
        total = values_of_each(tensors[0].spec.shape, tensors[0].times)
        each = product([size for size in shape if size is not None])
        return total // each if total and each and total % each == 0 else 0
    known = {one.times for one in tensors if None in one.spec.shape}
    return known.pop() if len(known) == 1 else 0


def at_shapes(
    type_: str, config: Mapping[str, ProgramValue], tensors: Sequence[ProgramValue]
) -> Mapping[str, ProgramValue]:
    """Return the arguments of a pattern of einops, with the axes that are the batch where it is split off again."""
    times = getattr(tensors[0], "times", 0) if tensors else 0
    if not type_.startswith(EINOPS) or not times:
        return config
    shape, given = tensors[0].spec.shape, dict(config.get("sizes") or {})
    try:
        group = sides_at(config["pattern"], shape)[0][shape.index(None)]
    except LayerExplainError:
        return config  # the declaration says what is wrong
    known = [given.get(name, int(name.partition("#")[0]) if "#" in name else 0) for name in group]
    rest, has_batch = product([one for one in known if one]), None in known
    open_ = [name for name, one in zip(group, known, strict=True) if one == 0]
    if len(open_) == 1 and rest and times % rest == 0 and (has_batch or times == rest):
        given[open_[0]] = times // rest if has_batch else None
    return {**config, "sizes": given}
