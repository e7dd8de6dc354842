"""Tensors of a run, and functions of them (a table stands behind both, hence the length).

A tensor and its views share memory: one change reaches all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from string import ascii_letters
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.library.signatures import Declared, declared, fitting, in_order
from layerexplain.frontends.code.library.torch_program import TensorRun
from layerexplain.frontends.code.values.array import Array, in_a_tuple
from layerexplain.frontends.code.values.base import Evaluator, Identity, ProgramError, ProgramValue, Symbol, Unknown
from layerexplain.frontends.code.values.program import Bound
from layerexplain.frontends.code.values.reading import numbered
from layerexplain.lang.axes import BATCH, Batch, Shape, has_batch
from layerexplain.layers.declaration import Spec
from layerexplain.model import TensorRef
from layerexplain.ops.reshaping import groups
from layerexplain.ops.sizes import product, quotient, shape_text

# Torch tensors ------------------------------------------------------------------------------------------------------
# Tensors of a run: operators, attributes and parts. A tensor and its views share memory: one change reaches all.

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

    def result_words(self, results: Sequence[Any]) -> str:
        type_ = self.run.sources.get(self.ref.key, ("", []))[0].rpartition(".")[2]
        if type_ not in ("LSTM", "GRU", "RNN") or len(results) != 2:
            return ""
        states = "(h_n, c_n)" if type_ == "LSTM" else "h_n"
        return f"; {type_} gives a pair: write output, {states} = …"

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
        if (unknown := next((part for part in parts if isinstance(part, Unknown)), None)) is not None:
            return unknown
        if any(type(part) is list and part and all(type(place) is int for place in part) for part in parts):
            return picked_by_list(self, parts, evaluator)
        arrays = [part for part in parts if isinstance(part, Tensor | Array)]
        if arrays:
            parts = without_ellipsis(parts, len(self.spec.shape))
            at = parts.index(arrays[0])
            is_whole = len(arrays) == 1 and all(part == slice(None) for part in (*parts[:at], *parts[at + 1 :]))
            ids = self.run.stored(arrays[0]) if isinstance(arrays[0], Array) else arrays[0]
            if not is_whole or not ids.spec.dtype.startswith(("int", "uint8")):
                raise self.run.unknown("a part of a tensor that is picked by another tensor")
            return self.run.operation("getitem", [self, ids], {"key": tuple(parts[:at])})
        is_read = all(part is None or part is Ellipsis or isinstance(part, int | slice) for part in parts)
        if not is_read or parts.count(Ellipsis) > 1:
            raise self.run.unknown("a part of a tensor under a key that is not known")
        clean = _to_the_end(tuple(parts), self.spec.shape)
        if any(isinstance(end, Batch) for item in clean if isinstance(item, slice) for end in (item.start, item.stop)):
            raise self.run.unknown("a part of a tensor to a part of the batch")
        result = self.run.operation("getitem", [self], {"key": clean})
        return result.lies_in(self, clean)

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
        unknown = next((item for item in (left, right) if isinstance(item, Unknown)), None)
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
            item is True or item is False or _is_truth(item) for item in (left, right)
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
    return all(isinstance(item, int) or (isinstance(item, slice) and item.step in (None, 1)) for item in key)


def _apart(item: Sequence[Any], other: Sequence[Any], shape: Sequence[Any]) -> bool:
    """Return whether two parts of a tensor have no element in common."""
    if not (is_settable(tuple(item)) and is_settable(tuple(other))):
        return False
    for first, second, size in zip(item, other, shape, strict=False):
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
    at, given = key.index(Ellipsis), sum(item is not None and item is not Ellipsis for item in key)
    return (*key[:at], *[slice(None)] * (count - given), *key[at + 1 :])


def filled(part: Tensor, value: Any) -> Any:
    """Return what `part[:] = value` leaves there."""
    if isinstance(value, int | float):
        return part.run.operation("full_like", [part], {"fill_value": value})
    return part.run.operation("expand", [value], {"shape": with_batch(part.sizes)})


def with_batch(sizes: Sequence[Any]) -> tuple[Any, ...]:
    """Return sizes as an operation has them: None for the batch, `4 * n` for what depends on it."""
    return tuple([stated(size) for size in sizes])


def stated(size: Any) -> Any:
    """Return a size as an argument states it."""
    return None if size is BATCH else repr(size) if isinstance(size, Batch) else size


def _to_the_end(key: tuple[Any, ...], shape: Shape) -> tuple[Any, ...]:
    """Return a key with a slice for each axis that an ellipsis stands for, and without the ends of slices that are the
    size of their axis, as that of the batch is."""
    whole, axis = list(_all_axes(key, len(shape))), 0
    for i, item in enumerate(whole):
        if isinstance(item, slice) and isinstance(item.stop, Batch) and item.stop is shape[axis]:
            whole[i] = slice(item.start, None, item.step)
        axis += item is not None
    return tuple(whole)


def without_ellipsis(parts: Sequence[ProgramValue], count: int) -> list[ProgramValue]:
    """Return a key for a tensor with `count` axes with a slice for each axis that its ellipsis stands for.

    >>> without_ellipsis([0, ..., 1], 4)
    [0, slice(None, None, None), slice(None, None, None), 1]
    """
    at = next((i for i, part in enumerate(parts) if part is Ellipsis), None)
    if at is None:
        return list(parts)
    used = len(parts) - 1 - sum(part is None for part in parts)
    return [*parts[:at], *[slice(None)] * (count - used), *parts[at + 1 :]]


def picked_by_list(x: Tensor, parts: Sequence[ProgramValue], evaluator: Evaluator) -> ProgramValue:
    """Return the part of a tensor under a key with one list: a copy, whose axis has the places of the list in its
    order."""
    run, parts = x.run, without_ellipsis(parts, len(x.spec.shape))
    at = next((i for i, part in enumerate(parts) if type(part) is list), 0)
    numbers = [i for i, part in enumerate(parts) if type(part) is int]
    # PyTorch moves the axis of a list to the front where a slice stands between it and a number.
    is_plain = [*numbers, at] == [*range(at - len(numbers), at + 1)] and all(
        type(part) in (int, slice) for part in (*parts[:at], *parts[at + 1 :])
    )
    if not is_plain or len(parts) > len(x.spec.shape):
        raise run.unknown("a part of a tensor that is picked by a list and more than slices")
    others = [*parts[:at], slice(None), *parts[at + 1 :]]
    if any(item != slice(None) for item in others):
        x = x.get_item(evaluator, tuple(others))
    places, axis = parts[at], at - len(numbers)
    size = x.spec.shape[axis]
    if isinstance(size, int):
        wrong = next((place for place in places if not -size <= place < size), None)
        if wrong is not None:
            raise run.refused(f"index {wrong} is out of bounds for axis {axis} of {shape_text(x.spec.shape)}")
        places = [place % size for place in places]
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


# Torch functions ----------------------------------------------------------------------------------------------------
# Functions of tensors, and their methods: rows of layers/torch/operations.py, arguments in the order of PyTorch.

SAME = frozenset(["contiguous", "clone", "cuda", "cpu", "requires_grad_", "pin_memory"])
"""Methods that give the tensor itself."""
ALIASES = {
    "multiply": "mul", "divide": "div", "true_divide": "div", "subtract": "sub", "concat": "cat",
    "swapaxes": "transpose", "concatenate": "cat", "negative": "neg", "fix": "trunc", "greater": "gt", "less": "lt",
    "greater_equal": "ge", "less_equal": "le", "not_equal": "ne", "arcsin": "asin", "arccos": "acos", "arctan": "atan",
    "clip": "clamp", "absolute": "abs", "swapdims": "transpose",
    "dropout2d": "dropout", "dropout1d": "dropout", "dropout3d": "dropout", "alpha_dropout": "dropout",
}  # fmt: skip
VIEWS = frozenset(
    """
    view reshape view_as reshape_as permute transpose t unsqueeze squeeze expand expand_as flatten contiguous
    dropout movedim unflatten
    """.split()  # noqa: SIM905
)
"""Functions whose results may lie in the memory of their input."""
DTYPES = {
    "float": "float", "double": "float", "half": "float", "bfloat16": "float", "float16": "float", "float32": "float",
    "float64": "float", "long": "int64", "int": "int32", "short": "int16", "bool": "bool", "byte": "uint8",
    "char": "int8", **{name: name for name in ("int64", "int32", "int16", "int8", "uint8")},
}  # fmt: skip
"""Methods that convert and dtypes, by their names, and what they convert to."""


def function(run: TensorRun, name: str, args: list[Any], kwargs: dict[str, Any], path: str = "") -> Any:
    """Return what `torch.name(x, …)` or `x.name(…)` gives, and note which memory it shares or changes; `path` is the
    function whose arguments these are, in their order. The methods' follow their tensor."""
    x = args[0] if args else None
    changes = name.endswith("_") and not name.startswith("_") and name != "requires_grad_"
    if not isinstance(x, Tensor):
        return _function(run, name, args, kwargs, path)
    if changes and name in ("fill_", "copy_", "zero_"):
        result = filled(x, args[1] if len(args) > 1 else 0)
    else:
        try:
            result = _function(run, name.rstrip("_") if changes else name, args, kwargs, path)
        except LayerExplainError:
            raise
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):  # arguments that PyTorch refuses
            raise run.unknown(f"layerexplain cannot read the arguments of torch.{name}(…)") from None
    if changes or kwargs.get("inplace") is True:
        return x.become(run.interpreter, result)
    if name in VIEWS and isinstance(result, Tensor) and result is not x:
        result.lies_in(x)
    return result


_OF_SIZES = frozenset({"view", "reshape", "unflatten", "expand", "repeat", "chunk", "split", "tile"})
"""Methods whose arguments are sizes: one that is not known is a size of the model."""


def _function(run: TensorRun, name: str, args: list[Any], kwargs: dict[str, Any], path: str = "") -> Any:
    path = path or f"torch.{name}"
    name = ALIASES.get(name, name)
    x = args[0] if args else None
    given = [x] if name == "to" else [*args, *kwargs.values()]
    unknown = next((item for item in given if isinstance(item, Unknown)), None)
    if unknown is not None:
        if isinstance(x, Tensor) and name in _OF_SIZES:
            run.opened.append(unknown._replace(example=unknown.example or "4"))
        return unknown
    if not isinstance(x, Tensor) and type(x) not in (list, tuple) and not isinstance(x, str):
        args = [
            run.stored(argument) if hasattr(argument, "shape") and not isinstance(argument, Tensor) else argument
            for argument in args
        ]
        x = args[0] if args else x
    rest = args[1:]
    if name in ("detach", "numpy") and isinstance(x, Tensor):
        return run.gradients.detached(x)
    if name in SAME:
        return x.now if name in ("contiguous", "clone") and isinstance(x, Tensor) else x
    if isinstance(x, Tensor):
        if name in DTYPES or name in ("to", "type", "type_as"):
            given = [Symbol(name)] if name in DTYPES else [*rest, *kwargs.values()]
            dtype = dtype_asked(given, x.spec.dtype)
            return run.operation("to", [x], {"dtype": dtype}) if dtype != x.spec.dtype else x
        if name in ("narrow", "select"):
            at, start, length = [*rest, None][:3]
            at = axis_in(run, x, at)
            size = x.spec.shape[at]
            if name == "narrow" and type(size) is type(start) is type(length) is int and start + length > size:
                raise run.refused(f"narrow needs start + length to be at most {size}, got {start} + {length}")
            part = start if name == "select" else slice(start, start + length)
            return x.get_item(run.interpreter, (*[slice(None)] * at, part))
        if name == "size":
            at = rest[0] if rest else None
            return x.sizes if at is None else x.sizes[axis_in(run, x, at)]
        if name in ("numel", "nelement") and None not in x.spec.shape:
            count = product(x.spec.shape) or 0
            return quotient(x.spec.shape, ()) if has_batch(x.spec.shape) else count
        if name in ("dim", "ndimension"):
            return len(x.spec.shape)
        if name in ("view", "reshape", "view_as", "reshape_as"):
            sizes = rest[0].sizes if name.endswith("_as") else in_a_tuple(rest)
            result = run.operation("reshape", [x], {"shape": _shape(run, x, sizes)})
            if name == "view" and not _in_one_piece(x, result):
                raise run.refused(
                    "view needs a contiguous tensor, got one whose axes permute or transpose reordered; "
                    "write .contiguous().view(…), or .reshape(…)"
                )
            return result
        if name == "permute":
            dims = in_a_tuple(rest)
            return _turned(x, run.operation("permute", [x], {"dims": dims}), dims)
        if name == "t" and len(x.spec.shape) > 2:
            raise run.refused(f"t() needs at most 2 axes, got {shape_text(x.spec.shape)}; write .transpose(…) or .mT")
        if name in ("t", "transpose"):
            first, second = rest or (0, 1)
            result = run.operation("transpose", [x], {"dim0": first, "dim1": second})
            places = list(range(len(x.order)))
            places[first], places[second] = places[second], places[first]
            return _turned(x, result, places)
        if name in ("expand", "expand_as"):
            sizes = rest[0].sizes if name == "expand_as" else in_a_tuple(rest)
            return expanded(run, x, sizes)
        if name in ("repeat", "tile"):
            times = in_a_tuple(rest)
            if name == "repeat" and len(times) < len(x.spec.shape):
                raise run.refused(f"repeat needs a number for each axis of {shape_text(x.spec.shape)}, got {times}")
            return repeated(run, x, times)
        if name in CUTS:
            return cut(run, name, x, rest)
        if name == "unbind":
            dim = axis_in(run, x, rest[0] if rest else 0)
            size = x.spec.shape[dim]
            if not isinstance(size, int):
                raise run.unknown("the parts of a tensor along its batch")
            keys = [(*[slice(None)] * dim, i) for i in numbered(size)]
            return tuple([run.operation("getitem", [x], {"key": key}).lies_in(x, key) for key in keys])
        if name in ("max", "min") and not rest:
            return run.operation(f"a{name}", [x], {})
        if name == "where" and not rest and not kwargs:
            raise run.unknown("where a tensor is true")
        if name in ("max", "min") and rest and isinstance(rest[0], Tensor | Array):
            return run.operation({"max": "maximum", "min": "minimum"}[name], [x, rest[0]], {})
    if name == "einsum":
        lists = [] if isinstance(args[0], str) else args[1::2] + args[2 * (len(args) // 2) :: 2]
        if lists and {*range(52), ...}.issuperset([i for item in lists for i in in_a_tuple([item])]):
            letters = ["".join(["..." if i is ... else ascii_letters.swapcase()[i] for i in item]) for item in lists]
            pairs = len(args) // 2  # of a tensor and the numbers of its axes; those of the result may follow
            args = ["->".join([",".join(letters[:pairs]), *letters[pairs:]]), *args[: 2 * pairs : 2]]
        return run.operation("einsum", in_a_tuple(args[1:]), {"equation": args[0]})
    return _row(run, name, args, kwargs, path)


def _row(run: TensorRun, name: str, args: list[Any], kwargs: dict[str, Any], path: str) -> Any:
    """Call a row of the table with arguments in PyTorch's order."""
    from layerexplain.layers.registry import find

    declaration = find(f"torch.{name}")
    if declaration is None:
        raise run.unknown(f"layerexplain cannot read torch.{name}(…)")
    bound = bound_row(name, args, kwargs, path)
    if bound is None:
        raise run.unknown(f"layerexplain cannot read the arguments of torch.{name}(…)")
    tensors, config, unread = bound
    if unread:
        raise run.unknown(f"layerexplain cannot read an argument of torch.{name}(…): {unread[0]}")
    if declaration.variadic is not None:
        tensors = list(tensors[0]) if tensors and type(tensors[0]) in (list, tuple) else []
    config = {key: tuple(value) if type(value) is list else value for key, value in config.items()}
    for key, value in config.items():
        if isinstance(value, Array) and not value.shape and value.values:
            config[key] = value.values[0]
        elif isinstance(value, Tensor | Array):
            raise run.unknown(f"layerexplain cannot read torch.{name}(…) with a tensor for {key}")
    is_open = name == "batch_norm" and (config.get("training", False) is not False or None in tensors[1:3])
    if is_open:
        raise run.unknown("layerexplain cannot read torch.batch_norm(…) without its running statistics")
    return run.operation(name, tensors, config)


def bound_row(name: str, args: list[Any], kwargs: dict[str, Any], path: str) -> Declared | None:
    """Return the arguments of a function, or a method, in the terms of its row of the table; None where there is no
    such row, or they do not fit."""
    from layerexplain.layers.registry import find

    declaration, is_method = find(f"torch.{name}"), path.startswith("torch.Tensor.")
    signature = None if declaration is None else fitting(path, args[is_method:], kwargs, is_tensor)
    if declaration is None or signature is None:
        return None
    if is_method:
        signature = signature._replace(positional=("self", *signature.positional))
    if signature.any_count and len(signature.positional) < len(args):  # x.flip(0, 1)
        count = len(signature.positional)
        names = [name for name in (*declaration.tensors, *declaration.arguments) if name not in signature.positional]
        signature = signature._replace(positional=(*signature.positional, names[is_method]))
        args = [*args[:count], tuple(args[count:])]
    return declared(declaration, signature, args, kwargs)


def _shape(run: TensorRun, x: Tensor, sizes: Sequence[Any]) -> tuple[Any, ...]:
    """Return a shape for `reshape`: None for the batch, -1 for a size that is computed."""
    unknown = next((size for size in sizes if isinstance(size, Unknown)), None)
    if unknown is not None:
        run.opened.append(unknown)
        raise run.unknown("an unknown shape")
    if not all(isinstance(size, int | Batch) for size in sizes):
        raise run.unknown("an unknown shape")
    total, results = product(x.spec.shape), list(sizes)
    each = "each example in " if has_batch(x.spec.shape) else ""
    rows = f"the {total} values of {each}{shape_text(x.spec.shape)}"
    if all(type(item) is int and item > 0 for item in results) and total and (product(results) or 0) % total:
        raise run.refused(f"{rows} do not fit {tuple(results)}")
    if results[:1] == [-1] and has_batch(x.spec.shape) and not has_batch(results) and total is not None:
        rest = product(results[1:]) or 1
        if total == rest:
            results[0] = BATCH
        elif total % rest:
            run.cut_rows = total, rest
            raise run.refused(
                f"{rows} need to divide into rows of {rest}, got {results}; write {total} in place of {rest}"
            )
    return with_batch(results)


def _turned(x: Tensor, result: Tensor, dims: Sequence[int]) -> Tensor:
    result.order = tuple([x.order[axis] for axis in dims])
    return result


def _in_one_piece(x: Tensor, result: Tensor) -> bool:
    """Return whether the axes that a view joins lie one behind the other in memory; True where sizes do not say it."""
    if x.order == tuple(range(len(x.order))):
        return True
    for left, right in groups(x.spec.shape, result.spec.shape):
        steps = [x.order[b] - x.order[a] for a, b in pairwise(left)]
        if len(right) < len(left) and any(step != 1 for step in steps):
            return any(x.spec.shape[axis] == 1 for axis in left)
    return True


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


def axis_in(run: TensorRun, x: Tensor, dim: Any) -> int:
    """Return an axis of a tensor, counted from its first one; stop the run where there is none."""
    count = len(x.spec.shape)
    if not isinstance(dim, int):
        raise run.unknown("an axis of a tensor")
    if not -count <= dim < count:
        raise run.refused(f"dim needs to be from {-count} to {count - 1} for a tensor with {count} axes, got {dim}")
    return dim % count


def cut(run: TensorRun, name: str, x: Tensor, rest: Sequence[Any]) -> Any:
    """Return the pieces of a tensor of a run, which share its memory."""
    asked, dim = (*rest, 0)[:2]
    dim = axis_in(run, x, dim)
    size = x.spec.shape[dim]
    if not isinstance(size, int) or not isinstance(asked, int | list | tuple):
        raise run.unknown(f"the parts of a {name}")
    sizes = sizes_of_pieces(name, asked, size)
    result = run.operation("split", [x], {"sizes": tuple(sizes), "dim": dim})
    results = result if type(result) is tuple else (result,)
    for end, item, own in zip(accumulate(sizes), results, sizes, strict=True):
        item.lies_in(x, (*[slice(None)] * dim, slice(end - own, end)))
    return results


def expanded(run: TensorRun, x: Tensor, sizes: Sequence[Any]) -> Any:
    """Return a tensor whose axes of size 1 are repeated to other sizes; -1 keeps one."""
    return run.operation("expand", [x], {"shape": with_batch(sizes)})


def repeated(run: TensorRun, x: Tensor, times: Sequence[Any]) -> Any:
    """Return a tensor `times` times along each axis, new ones in front; an axis of size 1 may become the batch."""
    times = [*[1] * (len(x.spec.shape) - len(times)), *times]
    while len(times) > len(x.spec.shape):
        x = run.operation("unsqueeze", [x], {"dim": 0})
    wide = [isinstance(item, Batch) for item in times]
    if any(wide):
        if any(is_wide and size != 1 for is_wide, size in zip(wide, x.spec.shape, strict=True)):
            raise run.unknown("an axis that is repeated as often as the batch has examples")
        x = expanded(run, x, tuple([item if is_wide else -1 for item, is_wide in zip(times, wide, strict=True)]))
    known = tuple([1 if is_wide else item for item, is_wide in zip(times, wide, strict=True)])
    if not all(type(item) is int for item in known):
        raise run.unknown("how often a tensor is repeated")
    return x if set(known) <= {1} else run.operation("repeat", [x], {"times": known})


def dtype_of(name: str) -> str:
    """Return a dtype as formulas have it."""
    return "float" if name.startswith(("float", "bfloat")) else name


def dtype_asked(given: Iterable[Any], own: str) -> str:
    """Return the dtype that the arguments of `x.to(…)` or `x.type(…)` ask for, the `own` one where that stays."""
    dtype = own
    for item in given:
        if isinstance(item, Symbol | str):
            word = (item.last if isinstance(item, Symbol) else item).rpartition(".")[2]
            dtype = DTYPES.get(word.removesuffix("Tensor").lower() or "float", dtype)
        elif hasattr(item, "spec"):
            dtype = item.spec.dtype
    both_whole = own.startswith(("int", "uint")) and dtype.startswith(("int", "uint"))
    return own if both_whole else dtype
