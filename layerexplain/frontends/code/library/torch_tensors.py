"""Tensors of a run: operators, attributes and parts. A tensor and its views share memory: one change reaches all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from layerexplain.frontends.code.library.signatures import in_order
from layerexplain.frontends.code.library.torch_program import TensorRun
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import (
    Evaluator,
    Identity,
    ProgramError,
    ProgramValue,
    Symbol,
    Unknown,
)
from layerexplain.frontends.code.values.bounds import numbered
from layerexplain.frontends.code.values.program import Bound
from layerexplain.lang.axes import BATCH, Batch, Shape
from layerexplain.layers.declaration import Spec
from layerexplain.model import TensorRef
from layerexplain.ops.sizes import shape_text

OPERATORS = {
    "Add": "add", "Sub": "sub", "Mult": "mul", "Div": "div", "Pow": "pow", "MatMult": "matmul", "Mod": "remainder",
    "FloorDiv": "floor_divide", "Eq": "eq", "NotEq": "ne", "Lt": "lt", "LtE": "le", "Gt": "gt", "GtE": "ge",
    "BitAnd": "bitwise_and", "BitOr": "bitwise_or", "BitXor": "bitwise_xor",
}  # fmt: skip
"""Python's operators on tensors, by the functions of torch that they are."""
_OF_TRUTH = {"BitAnd": "logical_and", "BitOr": "logical_or", "BitXor": "logical_xor"}
_IN_ORDER = frozenset(["Div", "Pow", "Mod", "FloorDiv", "Lt", "LtE", "Gt", "GtE"])
"""Those that are others with their sides exchanged."""


class Tensor(Identity):
    """A tensor of a run: which result of which call it is, and its shape."""

    def __init__(self, run: TensorRun, ref: TensorRef, spec: Spec) -> None:
        self.run = run
        self.ref = ref
        self.spec = spec
        self.result_name = ""
        """What the function calls it that gives it among others: `values`, `indices`."""
        self.order = tuple(range(len(spec.shape)))
        """The places of its axes in memory, which `permute` turns and `view` cannot."""
        self.changes = Changes(self)
        self.region: tuple[Any, ...] = ()
        """The part of the tensor whose memory it shares, and whether it is that part as it lies there."""
        self.is_region = True
        self.seen = 0

    @property
    def now(self) -> Tensor:
        """The tensor as it is now, its axes in order in memory: changes in place do not reach it."""
        result = Tensor(self.run, self.ref, self.spec)
        return result

    def lies_in(self, other: Tensor, key: tuple[Any, ...] | None = None) -> Tensor:
        """Note that this tensor shares the memory of another one: it is its part under a key, or a view of it."""
        is_whole = other is other.changes.root
        self.changes, self.seen = other.changes, other.seen
        self.region = key if key is not None and is_whole else other.region
        self.is_region = key is not None and is_whole
        return self

    def become(self, evaluator: Evaluator, value: object) -> Any:
        if not isinstance(value, Tensor):
            return value
        if len(value.spec.shape) != len(self.spec.shape):
            raise self.run.unknown("a tensor whose shape is changed in place")
        self.ref, self.spec = value.ref, value.spec
        self.changes.note(self)
        return self

    def set_item(self, evaluator: Evaluator, key: object, value: object) -> None:
        part = self.get_item(evaluator, key)
        if isinstance(part, Unknown) or not part.is_region:
            raise self.run.unknown("a part of a tensor that is changed in place")
        part.become(evaluator, filled(part, value))

    @property
    def sizes(self) -> tuple[Any, ...]:
        """Its shape as the program sees it."""
        return tuple([Unknown("the size of an axis is not known") if s is None else s for s in self.spec.shape])

    def get_attribute(self, evaluator: Evaluator, name: str) -> Any:
        if name == "shape":
            return self.sizes
        if name == "ndim":
            return len(self.spec.shape)
        if name in ("T", "mT"):
            axes = list(range(len(self.spec.shape)))
            kept = len(axes) - 2 if name == "mT" else 0
            return self.run.operation("permute", [self], {"dims": (*axes[:kept], *axes[kept:][::-1])})
        if name == "dtype":
            return Symbol(f"torch.{'float32' if self.spec.dtype == 'float' else self.spec.dtype}")
        if name == "device":
            return Symbol("torch.device")
        if name in ("requires_grad", "is_cuda", "training"):
            return False
        if name == "data":
            return self.run.gradients.detached(self)
        return Bound(self, name)

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        return None

    def get_item(self, evaluator: Evaluator, key: Any) -> Any:
        parts: Sequence[Any] = key if type(key) is tuple else (key,)
        if any(isinstance(one, Unknown) for one in parts):
            return next(one for one in parts if isinstance(one, Unknown))
        if has_list(parts):
            return picked_by_list(self, parts, evaluator)
        arrays = [one for one in parts if isinstance(one, Tensor | Array)]
        if arrays:
            parts = without_ellipsis(parts, len(self.spec.shape))
            at = parts.index(arrays[0])
            is_whole = len(arrays) == 1 and all(one == slice(None) for one in (*parts[:at], *parts[at + 1 :]))
            ids = self.run.stored(arrays[0]) if isinstance(arrays[0], Array) else arrays[0]
            if not is_whole or not ids.spec.dtype.startswith(("int", "uint8")):
                raise self.run.unknown("a part of a tensor that is picked by another tensor")
            return self.run.operation("getitem", [self, ids], {"key": tuple(parts[:at])})
        is_read = all(one is None or one is Ellipsis or isinstance(one, int | slice) for one in parts)
        if not is_read or parts.count(Ellipsis) > 1:
            raise self.run.unknown("a part of a tensor under a key that is not known")
        clean = _to_the_end(tuple(parts), self.spec.shape)
        if any(isinstance(end, Batch) for one in clean if isinstance(one, slice) for end in (one.start, one.stop)):
            raise self.run.unknown("a part of a tensor to a part of the batch")
        found = self.run.operation("getitem", [self], {"key": clean})
        return found.lies_in(self, clean)

    def iterate(self) -> list[Any] | Unknown:
        first = self.spec.shape[0] if self.spec.shape else None
        if not isinstance(first, int):
            return Unknown("the parts of a tensor along its batch")
        return [self.run.operation("getitem", [self], {"key": (i,)}) for i in numbered(first)]

    def length(self) -> Any:
        return self.sizes[0]

    def truth(self) -> bool | None:
        return None

    def is_instance(self, kind: Symbol) -> bool | None:
        return kind.last in ("Tensor", "FloatTensor")

    def operate(self, evaluator: Evaluator, name: str, left: Any, right: Any) -> Any:
        unknown = next((one for one in (left, right) if isinstance(one, Unknown)), None)
        if unknown is not None:
            return unknown
        if left is None or right is None:
            raise self.run.unknown("a tensor and None")
        if name not in OPERATORS:
            raise self.run.unknown(f"the operator {name} on a tensor")
        if name == "Sub" and isinstance(left, int | float):
            return self.run.operation("add", [self.run.operation("neg", [right], {}), left], {})
        if isinstance(left, int | float) and name not in _IN_ORDER:
            left, right = right, left
        are_true = name.startswith("Bit") and all(
            one is True or one is False or _is_truth(one) for one in (left, right)
        )
        return self.run.operation((_OF_TRUTH if are_true else OPERATORS)[name], [left, right], {})

    def compare(self, evaluator: Evaluator, name: str, left: Any, right: Any) -> Any:
        return self.operate(evaluator, name, left, right)

    def operate_alone(self, evaluator: Evaluator, name: str) -> Any:
        if name == "UAdd":
            return self
        if name == "Invert" and not _is_truth(self):
            return self.run.operation("bitwise_not", [self], {})
        return self.run.operation("neg" if name == "USub" else "logical_not", [self], {})

    def call(self, evaluator: Evaluator, args: list[Any], kwargs: dict[str, Any], whole: bool) -> Any:
        raise ProgramError("TypeError", "a tensor is called", evaluator.place())

    def call_method(self, evaluator: Evaluator, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        path = f"torch.Tensor.{name.rstrip('_')}"
        args, kwargs = in_order(path, args, kwargs, is_tensor)
        if name.startswith("new_"):
            return self.run.numbers(name[4:], args, kwargs)
        if name == "where" and args:
            return self.run.function(name, [args[0], self, *args[1:]], kwargs)
        name = "windows" if name == "unfold" else name  # another function than F.unfold
        return self.run.function(name, [self, *args], kwargs, path)


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


def is_tensor(value: Any) -> bool:
    """Return whether a value is a tensor to PyTorch: of a run, a parameter, or numbers that the program makes."""
    return isinstance(value, Tensor | Array) or hasattr(value, "requires_grad")


def _is_truth(value: Any) -> bool:
    """Return whether a tensor, or an array, is of truth values."""
    return value.spec.dtype == "bool" if isinstance(value, Tensor) else str(getattr(value, "dtype", "")) == "bool"


def _all_axes(key: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    """Return a key with a slice for each axis that an ellipsis stands for."""
    if Ellipsis not in key:
        return key
    at, given = key.index(Ellipsis), sum(one is not None and one is not Ellipsis for one in key)
    return (*key[:at], *[slice(None)] * (count - given), *key[at + 1 :])


def filled(part: Tensor, value: Any) -> Any:
    """Return what `part[:] = value` leaves there."""
    if isinstance(value, int | float):
        return part.run.operation("full_like", [part], {"fill_value": value})
    return part.run.operation("expand", [value], {"shape": with_batch(part.sizes)})


def with_batch(sizes: Sequence[Any]) -> tuple[Any, ...]:
    """Return sizes as an operation has them: None for the batch, `4 * n` for what depends on it."""
    return tuple([stated(one) for one in sizes])


def stated(size: Any) -> Any:
    """Return a size as an argument states it."""
    return None if size is BATCH else repr(size) if isinstance(size, Batch) else size


def _to_the_end(key: tuple[Any, ...], shape: Shape) -> tuple[Any, ...]:
    """Return a key with a slice for each axis that an ellipsis stands for, and without the ends of slices that are the
    size of their axis, as that of the batch is."""
    whole, axis = list(_all_axes(key, len(shape))), 0
    for i, one in enumerate(whole):
        if isinstance(one, slice) and isinstance(one.stop, Batch) and one.stop is shape[axis]:
            whole[i] = slice(one.start, None, one.step)
        axis += one is not None
    return tuple(whole)


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
