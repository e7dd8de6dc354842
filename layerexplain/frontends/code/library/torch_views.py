"""What a run changes in place: a tensor and its views share memory, so that one change reaches all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import Evaluator, ProgramError, ProgramValue, Symbol
from layerexplain.frontends.code.values.bounds import numbered
from layerexplain.ops.sizes import shape_text

if TYPE_CHECKING:
    from layerexplain.frontends.code.library.torch_tensors import Tensor


# Torch changes ------------------------------------------------------------------------------------------------------

VIEWS = frozenset(
    """
    view reshape view_as reshape_as permute transpose t unsqueeze squeeze expand expand_as flatten contiguous
    dropout movedim unflatten
    """.split()  # noqa: SIM905
)
"""Functions whose results may lie in the memory of their input."""


class Changes:
    """The changes of a tensor and its views in place, in order: which part of the tensor, and what is there now if it
    has the shape of that part."""

    def __init__(self, root: Tensor) -> None:
        self.root = root
        self.parts: list[tuple[tuple[Any, ...], Tensor | None]] = []

    def note(self, tensor: Tensor) -> None:
        """Note that a tensor which shares this memory is changed."""
        self.parts.append((tensor.region, tensor.now if tensor.is_region else None))
        tensor.seen = len(self.parts)

    def catch_up(self, tensor: Tensor) -> None:
        """Bring a tensor up to date that is used now. Raises Stopped where that is not known."""
        while tensor.seen < len(self.parts):
            region, now = self.parts[tensor.seen]
            tensor.seen += 1
            if _apart(tensor.region, region, self.root.spec.shape):
                continue
            if now is None or tensor is not self.root or not is_settable(region):
                raise tensor.run.unknown("a tensor that is changed in place through another one")
            changed = tensor.run.operation("setitem", [tensor.now, now], {"key": region})
            tensor.ref, tensor.spec = changed.ref, changed.spec


def is_settable(key: tuple[Any, ...]) -> bool:
    """Return whether a part may be put in: numbers, and slices without steps."""
    return all(isinstance(one, int) or (isinstance(one, slice) and one.step in (None, 1)) for one in key)


def _apart(one: Sequence[Any], other: Sequence[Any], shape: Sequence[Any]) -> bool:
    """Return whether two parts of a tensor have no element in common."""
    if not (is_settable(tuple(one)) and is_settable(tuple(other))):
        return False
    for first, second, size in zip(one, other, shape, strict=False):
        if isinstance(size, int):
            rows = [range(size)[key] if isinstance(key, slice) else [key % size] for key in (first, second)]
            if not {*rows[0]} & {*rows[1]}:
                return True
    return False


# Torch pieces -------------------------------------------------------------------------------------------------------
# The pieces into which `split`, `chunk` and `tensor_split` cut a tensor.

CUTS = frozenset({"chunk", "split", "tensor_split"})
"""Functions that give pieces of a tensor."""


def sizes_of_pieces(name: str, asked: int | Sequence[int], size: int) -> list[int]:
    """Return how long the pieces of an axis are.

    >>> sizes_of_pieces("split", 3, 7), sizes_of_pieces("chunk", 3, 7), sizes_of_pieces("tensor_split", 3, 7)
    ([3, 3, 1], [3, 3, 1], [3, 2, 2])
    >>> sizes_of_pieces("split", [2, 5], 7), sizes_of_pieces("tensor_split", [2, 5], 7)
    ([2, 5], [2, 3, 2])
    """
    if isinstance(asked, int):
        if asked < 1:
            raise ProgramError("RuntimeError", f"{name} needs at least 1, got {asked}")
        if name == "tensor_split":
            return [size // asked + (i < size % asked) for i in numbered(asked)]
        each = -(-size // asked) if name == "chunk" else asked
        return [min(each, size - i * each) for i in numbered(-(-size // each) if size else 0)]
    if name == "tensor_split":
        ends = [0, *[slice(end).indices(size)[1] for end in asked], size]
        return [max(0, end - start) for start, end in pairwise(ends)]
    return list(asked)


def axis_in(run: Any, x: Tensor, dim: Any) -> int:
    """Return an axis of a tensor, counted from its first one; stop the run where there is none."""
    count = len(x.spec.shape)
    if not isinstance(dim, int):
        raise run.unknown("an axis of a tensor")
    if not -count <= dim < count:
        raise run.refused(f"dim needs to be from {-count} to {count - 1} for a tensor with {count} axes, got {dim}")
    return dim % count


def cut(run: Any, name: str, x: Tensor, rest: Sequence[Any]) -> Any:
    """Return the pieces of a tensor of a run, which share its memory."""
    asked, dim = (*rest, 0)[:2]
    dim = axis_in(run, x, dim)
    size = x.spec.shape[dim]
    if not isinstance(size, int) or not isinstance(asked, int | list | tuple):
        raise run.unknown(f"the parts of a {name}")
    sizes = sizes_of_pieces(name, asked, size)
    result = run.operation("split", [x], {"sizes": tuple(sizes), "dim": dim})
    found = result if type(result) is tuple else (result,)
    for end, one, own in zip(accumulate(sizes), found, sizes, strict=True):
        one.lies_in(x, (*[slice(None)] * dim, slice(end - own, end)))
    return found


# Torch keys ---------------------------------------------------------------------------------------------------------
# Parts of tensors that lists of places pick: `x[:, [-1], 1:]`.


def has_list(parts: Sequence[ProgramValue]) -> bool:
    """Return whether a key has a list of whole numbers among its parts."""
    return any(type(one) is list and one and all(type(place) is int for place in one) for one in parts)


def without_ellipsis(parts: Sequence[ProgramValue], count: int) -> list[ProgramValue]:
    """Return a key for a tensor with `count` axes with a slice for each axis that its ellipsis stands for.

    >>> without_ellipsis([0, ..., 1], 4)
    [0, slice(None, None, None), slice(None, None, None), 1]
    """
    at = next((i for i, one in enumerate(parts) if one is Ellipsis), None)
    if at is None:
        return list(parts)
    used = len(parts) - 1 - sum(one is None for one in parts)
    return [*parts[:at], *[slice(None)] * (count - used), *parts[at + 1 :]]


def picked_by_list(x: Tensor, parts: Sequence[ProgramValue], evaluator: Evaluator) -> ProgramValue:
    """Return the part of a tensor under a key with one list: a copy, whose axis has the places of the list in its
    order."""
    run, parts = x.run, without_ellipsis(parts, len(x.spec.shape))
    at = next((i for i, one in enumerate(parts) if type(one) is list), 0)
    numbers = [i for i, one in enumerate(parts) if type(one) is int]
    # PyTorch moves the axis of a list to the front where a slice stands between it and a number.
    is_plain = [*numbers, at] == [*range(at - len(numbers), at + 1)] and all(
        type(one) in (int, slice) for one in (*parts[:at], *parts[at + 1 :])
    )
    if not is_plain or len(parts) > len(x.spec.shape):
        raise run.unknown("a part of a tensor that is picked by a list and more than slices")
    others = [*parts[:at], slice(None), *parts[at + 1 :]]
    if any(one != slice(None) for one in others):
        x = x.get_item(evaluator, tuple(others))
    places, axis = parts[at], at - len(numbers)
    size = x.spec.shape[axis]
    if isinstance(size, int):
        wrong = next((one for one in places if not -size <= one < size), None)
        if wrong is not None:
            raise run.refused(f"index {wrong} is out of bounds for axis {axis} of {shape_text(x.spec.shape)}")
        places = [one % size for one in places]
    before = [slice(None)] * axis
    if (row := _as_slice(places)) is not None:
        return run.operation("getitem", [x], {"key": (*before, row)})
    return x.get_item(evaluator, (*before, Array((len(places),), tuple(places), None, "int64")))


def _as_slice(places: Sequence[int]) -> slice | None:
    """Return places at equal distances as a slice; None for others.

    >>> _as_slice([0, 2, 4]), _as_slice([-1]), _as_slice([0, 1, 0])
    (slice(0, 5, 2), slice(-1, None, None), None)
    """
    steps = {b - a for a, b in pairwise(places)} or {1}
    if len(steps) > 1 or min(steps) < 1 or (places[0] < 0 <= places[-1]):
        return None
    step = steps.pop()
    return slice(places[0], places[-1] + 1 or None, step if step > 1 else None)


# Torch dtypes -------------------------------------------------------------------------------------------------------
# The dtypes of PyTorch as formulas have them, and what a conversion asks for: `x.long()`, `x.to(torch.float32)`.

DTYPES = {
    "float": "float", "double": "float", "half": "float", "bfloat16": "float", "float16": "float", "float32": "float",
    "float64": "float", "long": "int64", "int": "int32", "short": "int16", "bool": "bool", "byte": "uint8",
    "char": "int8", **{name: name for name in ("int64", "int32", "int16", "int8", "uint8")},
}  # fmt: skip
"""Methods that convert and dtypes, by their names, and what they convert to."""


def dtype_of(name: str) -> str:
    """Return a dtype as formulas have it."""
    return "float" if name.startswith(("float", "bfloat")) else name


def dtype_asked(given: Iterable[Any], own: str) -> str:
    """Return the dtype that the arguments of `x.to(…)` or `x.type(…)` ask for, the `own` one where that stays."""
    dtype = own
    for one in given:
        if isinstance(one, Symbol | str):
            word = (one.last if isinstance(one, Symbol) else one).rpartition(".")[2]
            dtype = DTYPES.get(word.removesuffix("Tensor").lower() or "float", dtype)
        elif hasattr(one, "spec"):
            dtype = one.spec.dtype
    both_whole = own.startswith(("int", "uint")) and dtype.startswith(("int", "uint"))
    return own if both_whole else dtype
