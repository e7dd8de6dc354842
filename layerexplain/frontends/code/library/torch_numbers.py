"""Tensors whose numbers a program of PyTorch makes itself: arrays, under PyTorch's names."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from itertools import pairwise
from typing import Any

from layerexplain.frontends.code.library.numpy import call_numpy
from layerexplain.frontends.code.library.signatures import fitting, in_order
from layerexplain.frontends.code.library.torch_program import Parameter, run_of
from layerexplain.frontends.code.library.torch_tensors import (
    ALIASES,
    CUTS,
    OPERATORS,
    Tensor,
    is_tensor,
    sizes_of_pieces,
)
from layerexplain.frontends.code.library.torch_tensors import function as tensor_function
from layerexplain.frontends.code.values.array import Array, array_of, cast, in_a_tuple, key_of, listed, name_of_dtype
from layerexplain.frontends.code.values.array_data import (
    axis_of,
    broadcast,
    count_of,
    is_small,
    joined,
    number_of,
    paired,
    plain,
)
from layerexplain.frontends.code.values.base import ProgramError, Symbol, Unknown
from layerexplain.frontends.code.values.operators import COMPARISONS, each_in, mirrored
from layerexplain.frontends.code.values.program import Bound
from layerexplain.frontends.code.values.reading import MOST_ITEMS, RESULT, numbered


class Numbers(Array):
    """A tensor of numbers that a program makes itself. A number of it is a tensor too."""

    def get_attribute(self, evaluator: Any, name: str) -> Any:
        if name in ("data", "T", "mT"):
            return self if name == "data" else _transposed(self, -2, -1) if len(self.shape) > 1 else self
        if name in ("grad", "requires_grad", "is_cuda"):
            return None if name == "grad" else False
        if name in ("device", "dtype"):
            return Symbol("torch.device" if name == "device" else f"torch.{self.dtype}")
        return tuple(self.shape) if name == "shape" else len(self.shape) if name == "ndim" else Bound(self, name)

    def has_attribute(self, evaluator: Any, name: str) -> bool | None:
        return None

    def is_instance(self, kind: Symbol) -> bool | None:
        return kind.last in ("Tensor", "FloatTensor")

    def call_method(self, evaluator: Any, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if name.endswith("_") and name != "requires_grad_":
            return self._change(evaluator, name[:-1], args, kwargs)
        args, kwargs = in_order(f"torch.Tensor.{name}", args, kwargs, is_tensor)
        if name.startswith("new_") and (result := numbers(name[4:], args, kwargs, evaluator)) is not NotImplemented:
            return _as(result, self.dtype) if isinstance(result, Array) and not kwargs.get("dtype") else result
        if name == "where" and args:
            return computed(name, [args[0], self, *args[1:]], kwargs, evaluator)
        return computed(name, [self, *args], kwargs, evaluator, f"torch.Tensor.{name}")

    def _change(self, evaluator: Any, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Do a method that changes the tensor in place, and with it all tensors that share its memory."""
        _refuse_tensors(evaluator, args)
        evaluator.mutate(self)
        if name in ("fill", "copy", "zero"):
            result: Any = 0 if name == "zero" else args[0] if args else None
        else:
            result = computed(name, [self, *args], kwargs, evaluator)
        if name in _LAID_OUT and isinstance(result, Array):
            self.__dict__.update(shape=result.shape, cells=result.cells)
        else:
            self.write(array_of(result))
        return self

    def set_item(self, evaluator: Any, key: Any, value: Any) -> None:
        _refuse_tensors(evaluator, [key, value])
        super().set_item(evaluator, key, value)

    def get_item(self, evaluator: Any, key: Any) -> Any:
        evaluator.budget.look_at(key)
        run = run_of(evaluator)
        if run is None or (self.is_known and not isinstance(key, Tensor)):
            result = self.part(key_of(key))
            evaluator.budget.look_at(result)
            if run is None or _is_known(result):
                return result
        return run.stored(self).get_item(evaluator, key)

    def iterate(self) -> list[Any] | Unknown:
        results = super().iterate()
        if isinstance(results, Unknown) or len(self.shape) > 1:
            return results
        return [self.view((), [i]) for i in range(len(results))]

    def operate(self, evaluator: Any, name: str, left: Any, right: Any) -> Any:
        return self._paired(evaluator, "operate", name, left, right)

    def compare(self, evaluator: Any, name: str, left: Any, right: Any) -> Any:
        return self._paired(evaluator, "compare", name, left, right)

    def _paired(self, evaluator: Any, method: str, name: str, left: Any, right: Any) -> Any:
        """Return an operator on two arrays: inside of a run a row, unless its numbers are known."""
        if isinstance(right if left is self else left, Tensor | Parameter):
            return NotImplemented
        result = getattr(super(), method)(evaluator, name, left, right)
        result, run = result if result is NotImplemented else of_array(array_of(result)), run_of(evaluator)
        if run is None and result is NotImplemented:  # values that are not known are compared to others of that kind
            both = [array_of(item) for item in (left, right)]
            if all(isinstance(item, Array) for item in both):
                return Numbers(broadcast(both[0].shape, both[1].shape), None, None, "bool")
        if run is None or _is_known(result):
            return result
        given = [run.stored(item) if isinstance(item, Array) else item for item in (left, right)]
        return getattr(run.stored(self), method)(evaluator, name, *given)


def of_array(result: Any) -> Any:
    """Return an array as a tensor of the program, which shares its memory; anything else as it is."""

    def numbers(array: Array) -> Array:
        is_ours = isinstance(array, Numbers)
        return array if is_ours else Numbers(array.shape, array.cells, array.classes, array.dtype)

    return mirrored(result, numbers, Array)


def _is_known(value: Any) -> bool:
    return isinstance(value, Array) and value.is_known


def _arrays(values: Iterable[Any]) -> list[Array]:
    return [item for item in each_in([*values]) if isinstance(item, Array)]


def _refuse_tensors(evaluator: Any, given: list[Any]) -> None:
    """Stop a run where numbers of the program change to those of a tensor of the run."""
    run = run_of(evaluator)
    if run is not None and any(isinstance(item, Tensor | Parameter) for item in given):
        raise run.unknown("a part of a tensor that is changed in place")


# Functions ----------------------------------------------------------------------------------------------------------


def computed(name: str, args: list[Any], kwargs: dict[str, Any], evaluator: Any, path: str = "") -> Any:
    """Return what a function of torch, or a method, gives for numbers of the program. Inside of a run what is not known
    here, or too large, is a row."""
    if name not in _OPERATORS:  # operators count what they go through themselves
        evaluator.budget.look_at(*args, *kwargs.values())
    run, arrays = run_of(evaluator), _arrays([*args, *kwargs.values()])
    if run is None or all(map(_is_known, arrays)):
        result = of_array(_computed(ALIASES.get(name, name), args, kwargs, evaluator, path or f"torch.{name}"))
        if _is_known(result) and count_of(result.shape) > sum(count_of(array.shape) for array in arrays):
            evaluator.budget.look_at(result)
        if type(result) is tuple:
            evaluator.budget.make(len(result) * RESULT)
        unclear = isinstance(result, Unknown) or not all(map(_is_known, _arrays([result])))
        if run is None or not unclear or not arrays:
            dtype = kwargs.get("dtype")
            return _as(result, dtype) if isinstance(result, Array) and isinstance(dtype, Symbol) else result
    return tensor_function(run, name, args, kwargs, path)


def _computed(name: str, args: list[Any], kwargs: dict[str, Any], evaluator: Any, path: str) -> Any:
    if name == "to" and isinstance(args[0], Array):  # an unknown device changes no number
        args = [argument for argument in args if not isinstance(argument, Unknown)]
    unknown = next((argument for argument in [*args, *kwargs.values()] if isinstance(argument, Unknown)), None)
    if unknown is not None:
        return unknown
    not_computed = f"it comes from torch.{name}(…), which layerexplain does not compute"
    if name in _FUNCTIONS:
        try:
            return _FUNCTIONS[name](*args, **kwargs)
        except (TypeError, ValueError, IndexError, KeyError, AttributeError):
            return evaluator.unknown(not_computed)
    if name in _COMPARISONS and len(args) == 2 and isinstance(args[0], Numbers):
        return args[0].compare(evaluator, _OPERATORS[name], *args)
    if name in _OPERATORS and len(args) == 2 and not kwargs:
        return array_of(evaluator.operate(_OPERATORS[name], *args))
    named = {_RENAMED.get(key, key): value for key, value in kwargs.items() if key not in ("dtype", "device")}
    if name in ("max", "min") and (len(args) > 1 or named):
        return evaluator.unknown(not_computed)
    signature = fitting(path, args[path.startswith("torch.Tensor.") :], kwargs, is_tensor)
    if signature is not None and len(args) > 2:  # NumPy has `keepdims` elsewhere
        names = [*["self"] * path.startswith("torch.Tensor."), *signature.positional]
        named |= {_RENAMED.get(key, key): item for key, item in list(zip(names, args, strict=False))[2:]}
        args = args[:2]
    if name == "meshgrid":
        args, named = [*in_a_tuple(args)], {"indexing": "ij", **named}
    result = call_numpy({"amax": "max", "amin": "min", "cat": "concatenate"}.get(name, name), args, named, evaluator)
    if isinstance(result, Unknown) and result.reason == f"it comes from np.{name}(…)":
        return evaluator.unknown(not_computed)
    result = array_of(result) if isinstance(result, int | float) else result
    is_single = isinstance(result, Array) and result.dtype == "float64"
    is_single &= not any(array.dtype == "float64" for array in _arrays(args))
    return result._replace(dtype="float32") if is_single else result


def _viewed(x: Array, *sizes: Any) -> Any:
    result = x.reshaped(in_a_tuple(sizes))
    if _is_known(result) and not isinstance(result, Unknown) and result.shared.memory is not x.shared.memory:
        raise ProgramError("RuntimeError", "view size is not compatible with the tensor's strides; write .reshape(…)")
    return result


def _transposed(x: Array, dim0: int = 0, dim1: int = 1) -> Array:
    axes = [*range(len(x.shape))]
    axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
    return x.permuted(axes)


def _flattened(x: Array, start_dim: int = 0, end_dim: int = -1) -> Any:
    first, last = axis_of(start_dim, len(x.shape)), axis_of(end_dim, len(x.shape))
    return x.reshaped([*x.shape[:first], count_of(x.shape[first : last + 1]), *x.shape[last + 1 :]])


def _expanded(x: Array, *sizes: Any) -> Array:
    wanted = in_a_tuple(sizes)
    own = (None,) * (len(wanted) - len(x.shape)) + x.shape
    return x.spread(tuple([was if size == -1 else size for was, size in zip(own, wanted, strict=True)]))


def _repeated(x: Array, *times: Any) -> Any:
    counts = in_a_tuple(times)
    x = x.view((*(1,) * (len(counts) - len(x.shape)), *x.shape))
    shape = tuple([None if size is None else size * count for size, count in zip(x.shape, counts, strict=True)])
    if not is_small(shape):
        return x._replace(shape=shape, cells=None)
    for axis, count in enumerate(counts):
        x = joined([x for _ in numbered(count)], axis)  # type: ignore[assignment]  # of arrays it is one
    return x


def _chosen(condition: Any, x: Any, y: Any) -> Array:
    parts = [array_of(item) for item in (condition, x, y)]
    pairs = paired(parts[1], parts[2], lambda a, b: (a, b))
    chosen = paired(parts[0], pairs, lambda is_first, pair: pair[not is_first])
    if (known := chosen.values) is None:
        return Array(chosen.shape)
    return Array(chosen.shape, known, None, "float32" if float in map(type, known) else parts[1].dtype)


def _clamped(x: Array, min: Any = None, max: Any = None) -> Array:
    low, high = (-math.inf if min is None else min), (math.inf if max is None else max)
    limited = None if x.values is None else [low if value < low else value for value in x.values]
    return x._replace(cells=None if limited is None else tuple([high if item > high else item for item in limited]))


def _dtype(given: Any) -> str:
    """Return NumPy's name of a dtype."""
    name = name_of_dtype(given).rpartition(".")[2]  # x.type("torch.LongTensor")
    return _CLASSES.get(name) or _DTYPES.get(name, name)


def _as(x: Array, dtype: Any) -> Array:
    return x if _dtype(dtype) == x.dtype else cast(x, _dtype(dtype))


def _to(x: Array, *given: Any, **named: Any) -> Array:
    dtypes = [item for item in (*given, *named.values()) if _dtype(item) in _KNOWN_DTYPES]
    others = [item.dtype for item in given if isinstance(item, Array)]
    return _as(x, [*dtypes, *others, x.dtype][0])


def _at(x: Array, dim: int, key: Any) -> Any:
    """Return the part under a key of one axis."""
    return x.part((*[slice(None)] * axis_of(dim, len(x.shape)), key))


def _shifted(x: Array, shifts: Any, dims: Any) -> Any:
    for by, axis in zip(in_a_tuple((shifts,)), in_a_tuple((dims,)), strict=True):
        size = x.shape[axis] or 1
        if not x.is_known:
            return x
        x = _at(x, axis, array_of([(i - by) % size for i in range(size)]))
    return x


def _pieces(name: str, x: Array, asked: Any, dim: int = 0) -> tuple[Any, ...]:
    start, result = 0, []
    for piece in sizes_of_pieces(name, asked, x.shape[dim] or 0):
        result.append(_at(x, dim, slice(start, start + piece)))
        start += piece
    return tuple(result)


def _differences(x: Array) -> Any:
    known = x.values
    if known is None or len(x.shape) != 1:
        return _UNKNOWN
    return x._replace(shape=(len(known) - 1,), cells=tuple([b - a for a, b in pairwise(known)]))


_UNKNOWN = Unknown("unknown numbers")
_LAID_OUT = frozenset({"unsqueeze", "squeeze", "transpose", "t", "swapaxes"})
"""Functions that lay a tensor out anew in place where their names end with a line."""

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "size": lambda x, dim=None: tuple(x.shape) if dim is None else x.shape[dim],
    "dim": lambda x: len(x.shape),
    "numel": lambda x: count_of(x.shape),
    "item": lambda x: x.values[0] if x.values and len(x.values) == 1 else _UNKNOWN,
    "tolist": lambda x: listed(plain(x)) if _is_known(x) else _UNKNOWN,
    "view": _viewed,
    "reshape": lambda x, *sizes: x.reshaped(in_a_tuple(sizes)),
    "flatten": _flattened,
    "permute": lambda x, *axes: x.permuted(in_a_tuple(axes)),
    "transpose": _transposed,
    "t": lambda x: _transposed(x) if len(x.shape) > 1 else x,
    "unsqueeze": lambda x, dim: x.expanded(dim),
    "squeeze": lambda x, dim=None: x.squeezed((dim,) if isinstance(dim, int) else dim),
    "expand": _expanded,
    "repeat": _repeated,
    "contiguous": lambda x: x if x.shared.is_one_piece else x.copied(),
    "clone": lambda x, **named: x.copied(),
    "roll": lambda x, shifts, dims=None: _shifted(x, shifts, dims) if dims is not None else _shifted(
        x.reshaped([-1]), shifts, 0).reshaped(x.shape),
    "where": _chosen,
    "masked_fill": lambda x, mask, value: _chosen(mask, value, x)._replace(dtype=x.dtype),
    "clamp": _clamped,
    "type_as": lambda x, other: _as(x, other.dtype),
    **{name: partial(_pieces, name) for name in CUTS},
    "unbind": lambda x, dim=0: tuple([_at(x, dim, i) for i in numbered(x.shape[dim] or 0)]),
    "diff": _differences,
    "to": _to,
    "type": _to,
    **dict.fromkeys("detach cuda cpu requires_grad_ data".split(), lambda x, *given, **named: x),  # noqa: SIM905
    **{name: lambda x, name=name, **named: _as(x, name) for name in ("float", "double", "half", "long", "int", "bool")},
}  # fmt: skip
"""Functions and methods that NumPy has under another name, or with other arguments."""

_OPERATORS = {function: operator for operator, function in OPERATORS.items()}
_COMPARISONS = frozenset([OPERATORS[item] for item in COMPARISONS])
_DTYPES = {"float": "float32", "double": "float64", "half": "float16", "long": "int64", "int": "int32"}
"""PyTorch's short names of dtypes."""
_KNOWN_DTYPES = frozenset("float16 bfloat16 float32 float64 int8 uint8 int16 int32 int64 bool".split())  # noqa: SIM905
_RENAMED = {"dim": "axis", "keepdim": "keepdims", "diagonal": "k"}


# Numbers that a program makes ---------------------------------------------------------------------------------------

_OF_SIZES = frozenset("randn rand zeros ones empty full randint eye randperm Tensor".split())  # noqa: SIM905
_OF_DRAWN = frozenset({"randn", "rand", "zeros", "ones", "empty"})
_LIKE = frozenset(f"{item}_like" for item in ("zeros", "ones", "rand", "randn", "full", "empty"))
_OF_DATA = frozenset({"tensor", "from_numpy", "as_tensor"})
_CLASSES = {
    "Tensor": "float32",
    "FloatTensor": "float32",
    "DoubleTensor": "float64",
    "HalfTensor": "float16",
    "LongTensor": "int64",
    "IntTensor": "int32",
    "ByteTensor": "uint8",
    "BoolTensor": "bool",
}
"""The classes of tensors, which take sizes or data, and their dtypes."""
_FILLS: dict[str, Any] = {"zeros": 0.0, "ones": 1.0}


def numbers(name: str, args: list[Any], kwargs: dict[str, Any], evaluator: Any) -> Any:
    """Return numbers that a program makes; NotImplemented for other functions."""
    if name not in _OF_SIZES | _LIKE | _OF_DATA | _CLASSES.keys() | {"arange", "linspace"}:
        return NotImplemented
    if name in _OF_DRAWN and "size" in kwargs:
        args, kwargs = [kwargs["size"]], {key: value for key, value in kwargs.items() if key != "size"}
    args = _of_unknown_batch(name, args, evaluator)
    given = [*args, *[value for key, value in kwargs.items() if key not in ("device", "requires_grad")]]
    unknown = next((item for item in given if isinstance(item, Unknown)), None)
    if unknown is not None:
        is_size = name in _OF_SIZES and len(in_a_tuple(args)) > 1 and run_of(evaluator) is None
        return unknown._replace(example=unknown.example or "32") if is_size else unknown
    dtype = _dtype(kwargs.get("dtype"))
    try:
        result = of_array(_created(name, args, kwargs, evaluator, dtype))
    except (IndexError, KeyError, TypeError, ValueError):  # arguments that PyTorch refuses
        return evaluator.unknown(f"layerexplain cannot read the arguments of torch.{name}(…)")
    return _as(result, dtype) if isinstance(result, Array) and dtype in _KNOWN_DTYPES else result


def _of_unknown_batch(name: str, args: list[Any], evaluator: Any) -> list[Any]:
    """Return arguments with None for a first size that is not known, where the program makes data for its model:
    `torch.randn(batch, 100)` is 100 numbers for each example."""
    if name not in _OF_DRAWN or run_of(evaluator) is not None:
        return args
    sizes = in_a_tuple(args)
    is_batch = len(sizes) > 1 and isinstance(sizes[0], Unknown) and all(type(size) is int for size in sizes[1:])
    return [None, *sizes[1:]] if is_batch else args


def _created(name: str, args: list[Any], kwargs: dict[str, Any], evaluator: Any, dtype: str) -> Any:
    usual = dtype or _CLASSES.get(name, "int64" if name in ("randint", "randperm") else "float32")
    fill = kwargs.get("fill_value", args[1] if len(args) > 1 else None) if name in ("full", "full_like") else None
    if name in _LIKE and args and isinstance(args[0], Array | Parameter):
        own = args[0].dtype if isinstance(args[0], Array) else usual
        return _filled(tuple(args[0].shape), _FILLS.get(name[:-5], fill), dtype or own)
    if name == "eye":
        return call_numpy("eye", [*args[:2], *[kwargs[key] for key in ("n", "m") if key in kwargs]], {}, evaluator)
    if name in ("arange", "linspace"):
        return _row_of(name, args, kwargs, evaluator)
    if name in _OF_DATA and args:
        return _of_data(name, args[0], usual)
    if name in _CLASSES and args and not isinstance(args[0], int):
        data = _of_data(name, args[0], usual)
        return _as(data, usual) if isinstance(data, Array) else data
    sizes: Any = kwargs.get(
        "size", args[-1] if name == "randint" and args else args[0] if name == "full" and args else None
    )
    sizes = in_a_tuple(args) if sizes is None else sizes
    shape = tuple(sizes) if isinstance(sizes, list | tuple) else (sizes,)
    if not all(isinstance(size, int) for size in shape[1:]) or not isinstance(shape[0], int | None):
        return evaluator.unknown("the size of a tensor")
    if name == "full" and type(fill) in (int, bool) and not dtype:
        usual = "bool" if type(fill) is bool else "int64"
    return _filled(shape, _FILLS.get(name, fill), usual)._replace(
        classes=_classes_of(args, kwargs) if name == "randint" else None
    )


def _of_data(name: str, value: Any, dtype: str) -> Any:
    if isinstance(value, Array):
        return value.copied() if name == "tensor" else value
    known = array_of(value)
    if isinstance(known, Array):
        kinds = {type(item) for item in known.values or ()}
        whole = dtype if not kinds and not known.dtype.startswith("int") else "bool" if kinds == {bool} else "int64"
        return known._replace(dtype="float32" if float in kinds else whole)
    lengths = []
    while type(value) in (list, tuple):
        lengths.append(len(value))
        value = value[0] if value else None
    return Array(tuple(lengths), None, None, "int64" if isinstance(value, int) else dtype)


def _filled(shape: Any, fill: Any, dtype: str) -> Array:
    known = isinstance(fill, int | float) and all(isinstance(size, int) for size in shape) and is_small(shape)
    return Array(shape, (number_of(dtype)(fill),) * count_of(shape) if known else None, None, dtype)


def _row_of(name: str, args: list[Any], kwargs: dict[str, Any], evaluator: Any) -> Any:
    if name == "linspace":
        steps = args[2] if len(args) > 2 else kwargs.get("steps", 100)
        return call_numpy("linspace", [*args[:2], steps], {}, evaluator)
    ends = [
        plain(argument) for argument in [*args, *[kwargs[key] for key in ("start", "end", "step") if key in kwargs]]
    ]
    if not ends or not all(isinstance(end, int | float) for end in ends):
        return evaluator.unknown("the size of a tensor")
    start, stop, step = (0, ends[0], 1) if len(ends) == 1 else (*ends, 1)[:3]
    if step == 0:
        raise ProgramError("RuntimeError", "step must be nonzero", evaluator.place())
    count = max(0, math.ceil((stop - start) / step))
    dtype = "int64" if {*map(type, ends)} == {int} else "float32"
    values = tuple([number_of(dtype)(start + i * step) for i in range(count)]) if count <= MOST_ITEMS else None
    return Array((count,), values, None, dtype)


def _classes_of(args: list[Any], kwargs: dict[str, Any]) -> int | None:
    """Return how many class numbers `randint` draws from, where it begins with 0."""
    first = [*args[:-1], kwargs.get("high")]
    low, high = first[:2] if len(first) > 2 else (kwargs.get("low", 0), first[0])
    return high if low == 0 and isinstance(high, int) else None
