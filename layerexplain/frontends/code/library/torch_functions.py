"""Functions of tensors, and their methods: rows of layers/torch/operations.py, arguments in the order of PyTorch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from typing import Any

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.library.signatures import declared, fitting
from layerexplain.frontends.code.library.torch_program import TensorRun
from layerexplain.frontends.code.library.torch_tensors import Tensor, filled, is_tensor, with_batch
from layerexplain.frontends.code.values.array import Array
from layerexplain.frontends.code.values.base import ProgramError, Symbol, Unknown
from layerexplain.frontends.code.values.bounds import numbered
from layerexplain.lang.axes import BATCH, Batch, has_batch
from layerexplain.ops.reshaping import groups
from layerexplain.ops.sizes import product, quotient, shape_text

_SAME = frozenset(["contiguous", "clone", "cuda", "cpu", "requires_grad_", "pin_memory"])
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


def _function(run: TensorRun, name: str, args: list[Any], kwargs: dict[str, Any], path: str = "") -> Any:
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


def _row(run: TensorRun, name: str, args: list[Any], kwargs: dict[str, Any], path: str) -> Any:
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


def _listed(args: Sequence[Any]) -> tuple[Any, ...]:
    """Sizes or axes, given one by one or as one sequence."""
    return tuple(args[0]) if len(args) == 1 and type(args[0]) in (list, tuple) else tuple(args)


def _shape(run: TensorRun, x: Tensor, sizes: Sequence[Any]) -> tuple[Any, ...]:
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
    found = result if type(result) is tuple else (result,)
    for end, one, own in zip(accumulate(sizes), found, sizes, strict=True):
        one.lies_in(x, (*[slice(None)] * dim, slice(end - own, end)))
    return found


def expanded(run: TensorRun, x: Tensor, sizes: Sequence[Any]) -> Any:
    """Return a tensor whose axes of size 1 are repeated to other sizes; -1 keeps one."""
    return run.operation("expand", [x], {"shape": with_batch(sizes)})


def repeated(run: TensorRun, x: Tensor, times: Sequence[Any]) -> Any:
    """Return a tensor `times` times along each axis, new ones in front; an axis of size 1 may become the batch."""
    times = [*[1] * (len(x.spec.shape) - len(times)), *times]
    while len(times) > len(x.spec.shape):
        x = run.operation("unsqueeze", [x], {"dim": 0})
    wide = [isinstance(one, Batch) for one in times]
    if any(wide):
        if any(is_wide and size != 1 for is_wide, size in zip(wide, x.spec.shape, strict=True)):
            raise run.unknown("an axis that is repeated as often as the batch has examples")
        x = expanded(run, x, tuple([one if is_wide else -1 for one, is_wide in zip(times, wide, strict=True)]))
    known = tuple([1 if is_wide else one for one, is_wide in zip(times, wide, strict=True)])
    if not all(type(one) is int for one in known):
        raise run.unknown("how often a tensor is repeated")
    return x if set(known) <= {1} else run.operation("repeat", [x], {"times": known})


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
