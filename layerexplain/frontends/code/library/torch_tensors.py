"""Tensors of a run: operators, attributes and methods, which are rows of layers/torch/operations.py."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.library.signatures import declared, fitting, in_order
from layerexplain.frontends.code.library.torch_views import (
    CUTS,
    DTYPES,
    VIEWS,
    Changes,
    axis_in,
    cut,
    dtype_asked,
    has_list,
    picked_by_list,
    without_ellipsis,
)
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import Evaluator, Identity, ProgramError, Symbol, Unknown
from layerexplain.frontends.code.values.bounds import numbered
from layerexplain.frontends.code.values.program import Bound
from layerexplain.lang.axes import BATCH, Batch, Shape, has_batch
from layerexplain.layers.declaration import Spec
from layerexplain.model import TensorRef
from layerexplain.ops.reshaping import groups
from layerexplain.ops.sizes import product, quotient, shape_text

OPERATORS = {
    "Add": "add", "Sub": "sub", "Mult": "mul", "Div": "div", "Pow": "pow", "MatMult": "matmul", "Mod": "remainder",
    "FloorDiv": "floor_divide", "Eq": "eq", "NotEq": "ne", "Lt": "lt", "LtE": "le", "Gt": "gt", "GtE": "ge",
    "BitAnd": "bitwise_and", "BitOr": "bitwise_or", "BitXor": "bitwise_xor",
}  # fmt: skip
"""Python's operators on tensors, by the functions of torch that they are."""
_OF_TRUTH = {"BitAnd": "logical_and", "BitOr": "logical_or", "BitXor": "logical_xor"}
_IN_ORDER = frozenset(["Div", "Pow", "Mod", "FloorDiv", "Lt", "LtE", "Gt", "GtE"])
"""Those that are others with their sides exchanged."""
_SAME = frozenset(["contiguous", "clone", "cuda", "cpu", "requires_grad_", "pin_memory"])
"""Methods that give the tensor itself."""
ALIASES = {
    "multiply": "mul", "divide": "div", "true_divide": "div", "subtract": "sub", "concat": "cat",
    "swapaxes": "transpose", "concatenate": "cat", "negative": "neg", "fix": "trunc", "greater": "gt", "less": "lt",
    "greater_equal": "ge", "less_equal": "le", "not_equal": "ne", "arcsin": "asin", "arccos": "acos", "arctan": "atan",
    "clip": "clamp", "absolute": "abs", "swapdims": "transpose",
    "dropout2d": "dropout", "dropout1d": "dropout", "dropout3d": "dropout", "alpha_dropout": "dropout",
}  # fmt: skip


class Tensor(Identity):
    """A tensor of a run: which result of which call it is, and its shape."""

    def __init__(self, run: Any, ref: TensorRef, spec: Spec) -> None:
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
        part.become(evaluator, _filled(part, value))

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
        if not all(one is None or one is Ellipsis or isinstance(one, int | slice) for one in parts):
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
            return function(self.run, name, [args[0], self, *args[1:]], kwargs)
        name = "windows" if name == "unfold" else name  # another function than F.unfold
        return function(self.run, name, [self, *args], kwargs, path)


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


def _filled(part: Tensor, value: Any) -> Any:
    """Return what `part[:] = value` leaves there."""
    if isinstance(value, int | float):
        return part.run.operation("full_like", [part], {"fill_value": value})
    return part.run.operation("expand", [value], {"shape": with_batch(part.sizes)})


def with_batch(sizes: Sequence[Any]) -> tuple[Any, ...]:
    """Return sizes as an operation has them: None for the batch."""
    return tuple([None if one is BATCH else one for one in sizes])


def _to_the_end(key: tuple[Any, ...], shape: Shape) -> tuple[Any, ...]:
    """Return a key with a slice for each axis that an ellipsis stands for, and without the ends of slices that are the
    size of their axis, as that of the batch is."""
    whole, axis = list(_all_axes(key, len(shape))), 0
    for i, one in enumerate(whole):
        if isinstance(one, slice) and isinstance(one.stop, Batch) and one.stop is shape[axis]:
            whole[i] = slice(one.start, None, one.step)
        axis += one is not None
    return tuple(whole)


def _listed(args: Sequence[Any]) -> tuple[Any, ...]:
    """Sizes or axes, given one by one or as one sequence."""
    return tuple(args[0]) if len(args) == 1 and type(args[0]) in (list, tuple) else tuple(args)


def _shape(run: Any, x: Tensor, sizes: Sequence[Any]) -> tuple[Any, ...]:
    """Return a shape for `reshape`: None for the batch, -1 for a size that is computed."""
    unknown = next((one for one in sizes if isinstance(one, Unknown)), None)
    if unknown is not None:
        run.opened.append(unknown)
        raise run.unknown("an unknown shape")
    if not all(isinstance(one, int | Batch) for one in sizes):
        raise run.unknown("an unknown shape")
    total, found = product(x.spec.shape), list(sizes)
    rows = f"the {total} values of each example in {shape_text(x.spec.shape)}"
    if all(type(one) is int and one > 0 for one in found) and total and (product(found) or 0) % total:
        raise run.refused(f"{rows} do not fit {tuple(found)}")
    if found[:1] == [-1] and has_batch(x.spec.shape) and not has_batch(found) and total is not None:
        rest = product(found[1:]) or 1
        if total == rest:
            found[0] = BATCH
        elif total % rest:
            raise run.refused(
                f"{rows} need to divide into rows of {rest}, got {found}; write {total} in place of {rest}"
            )
    return with_batch(found)


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


def function(run: Any, name: str, args: list[Any], kwargs: dict[str, Any], path: str = "") -> Any:
    """Return what `torch.name(x, …)` or `x.name(…)` gives, and note which memory it shares or changes; `path` is the
    function whose arguments these are, in their order. The methods' follow their tensor."""
    x = args[0] if args else None
    changes = name.endswith("_") and not name.startswith("_") and name != "requires_grad_"
    if not isinstance(x, Tensor):
        return _function(run, name, args, kwargs, path)
    if changes and name in ("fill_", "copy_", "zero_"):
        result = _filled(x, args[1] if len(args) > 1 else 0)
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


def _function(run: Any, name: str, args: list[Any], kwargs: dict[str, Any], path: str = "") -> Any:
    from layerexplain.frontends.code.library.torch_repeats import expanded, repeated

    path = path or f"torch.{name}"
    name = ALIASES.get(name, name)
    x = args[0] if args else None
    given = [x] if name == "to" else [*args, *kwargs.values()]
    unknown = next((one for one in given if isinstance(one, Unknown)), None)
    if unknown is not None:
        return unknown
    if not isinstance(x, Tensor) and type(x) not in (list, tuple) and not isinstance(x, str):
        args = [run.stored(one) if hasattr(one, "shape") and not isinstance(one, Tensor) else one for one in args]
        x = args[0] if args else x
    rest = args[1:]
    if name in ("detach", "numpy") and isinstance(x, Tensor):
        return run.gradients.detached(x)
    if name in _SAME:
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
            sizes = rest[0].sizes if name.endswith("_as") else _listed(rest)
            result = run.operation("reshape", [x], {"shape": _shape(run, x, sizes)})
            if name == "view" and not _in_one_piece(x, result):
                raise run.refused(
                    "view needs a contiguous tensor, got one whose axes permute or transpose reordered; "
                    "write .contiguous().view(…), or .reshape(…)"
                )
            return result
        if name == "permute":
            dims = _listed(rest)
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
            sizes = rest[0].sizes if name == "expand_as" else _listed(rest)
            return expanded(run, x, sizes)
        if name in ("repeat", "tile"):
            times = _listed(rest)
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
        return run.operation("einsum", _listed(args[1:]), {"equation": args[0]})
    return _row(run, name, args, kwargs, path)


def _row(run: Any, name: str, args: list[Any], kwargs: dict[str, Any], path: str) -> Any:
    """Call a row of the table with arguments in PyTorch's order."""
    from layerexplain.layers.registry import find

    declaration = find(f"torch.{name}")
    if declaration is None:
        raise run.unknown(f"layerexplain cannot read torch.{name}(…)")
    is_method = path.startswith("torch.Tensor.")
    signature = fitting(path, args[is_method:], kwargs, is_tensor)
    if signature is None:
        raise run.unknown(f"layerexplain cannot read the arguments of torch.{name}(…)")
    if is_method:
        signature = signature._replace(positional=("self", *signature.positional))
    if signature.any_count and len(signature.positional) < len(args):  # x.flip(0, 1)
        count = len(signature.positional)
        names = [name for name in (*declaration.tensors, *declaration.arguments) if name not in signature.positional]
        signature = signature._replace(positional=(*signature.positional, names[is_method]))
        args = [*args[:count], tuple(args[count:])]
    tensors, config, unread = declared(declaration, signature, args, kwargs)
    if unread:
        raise run.unknown(f"layerexplain cannot read an argument of torch.{name}(…): {unread[0]}")
    if declaration.variadic is not None:
        tensors = list(tensors[0]) if tensors and type(tensors[0]) in (list, tuple) else []
    config = {key: tuple(one) if type(one) is list else one for key, one in config.items()}
    for key, one in config.items():
        if isinstance(one, Array) and not one.shape and one.values:
            config[key] = one.values[0]
        elif isinstance(one, Tensor | Array):
            raise run.unknown(f"layerexplain cannot read torch.{name}(…) with a tensor for {key}")
    is_open = name == "batch_norm" and (config.get("training", False) is not False or None in tensors[1:3])
    if is_open:
        raise run.unknown("layerexplain cannot read torch.batch_norm(…) without its running statistics")
    return run.operation(name, tensors, config)
