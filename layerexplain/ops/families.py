"""The families of ops, each of which gives all the rules that its members share, so that an op is a line or two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from layerexplain.lang.expr import CONSTANT, FREE, GONE, NO_MACS, PER_INPUT, PER_OUTPUT, WEIGHT, Axis, Expr, Op, Shape
from layerexplain.lang.notation import Function, Notation
from layerexplain.lang.scalar import Affine, Apply, At, Fold, Letter, Scalar, letter, number
from layerexplain.ops.sizes import broadcast, normalize_axes, promote, size_text


def aligned(index: Sequence[Affine], node: Expr, arg: Expr) -> tuple[Affine, ...]:
    """The index of a broadcast argument: its axes are the last ones, those of size 1 stay at 0."""
    last = index[len(index) - arg.ndim :]
    sizes = node.shape[len(index) - arg.ndim :]
    return tuple(number(0) if a == 1 and s != 1 else i for i, a, s in zip(last, arg.shape, sizes, strict=True))


def _elementwise_axes(node: Expr) -> list[Axis]:
    """Each axis continues that of the first argument that has it in full; masks, weights and constants come last."""
    axes = []
    ndim = len(node.shape)
    order = sorted(range(len(node.args)), key=lambda i: node.args[i].dtype == "bool" or _is_given(node.args[i]))
    for k, size in enumerate(node.shape):
        source = None
        for i in order:
            arg = node.args[i]
            at = k - (ndim - len(arg.shape))
            if at >= 0 and (source is None or (arg.shape[at] != 1 and node.args[source[0]].shape[source[1]] == 1)):
                source = (i, at)
        before = None if source is None else node.args[source[0]].shape[source[1]]
        stretched = before == 1 and size != 1
        axes.append(Axis("", source, size, f"1 is repeated to {size_text(size)}" if stretched else ""))
    return axes


def _is_given(arg: Expr) -> bool:
    """A weight, a constant, or one that is only laid out anew."""
    while len(arg.args) == 1 and arg.op.flops is FREE:
        arg = arg.args[0]
    return arg.op in (WEIGHT, CONSTANT)


def _elementwise_element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    args = [at(i, aligned(index, node, arg)) for i, arg in enumerate(node.args)]
    return Apply(node.op, tuple(args), node.attrs)


def elementwise(
    name: str,
    evaluate: Callable[..., Any],
    notation: Notation | None = None,
    *,
    dtype: str | None = None,
    flops: Any = PER_OUTPUT,
    defaults: dict[str, Any] | None = None,
) -> Op:
    """An op on each element of tensors that broadcast. `evaluate(np, *values, **attrs)`; `dtype` where it is not
    that of the arguments ("float" turns ints into floats)."""

    def shape(*args: Expr, **attrs: Any) -> Shape:
        return args[0].shape if len(args) == 1 else broadcast(name, [a.shape for a in args])

    def result_dtype(*args: Expr, **attrs: Any) -> str:
        common: str = args[0].dtype
        for a in args:
            if a.dtype != common:
                common = promote(common, a.dtype)
        if dtype is None:
            return common
        return promote(common, dtype) if dtype == "float" else dtype

    return Op(
        name,
        shape=shape,
        axes=_elementwise_axes,
        dtype=result_dtype,
        evaluate=lambda run, *values, **attrs: evaluate(run.np, *values, **attrs),
        cost=NO_MACS,
        flops=flops,
        notation=Function() if notation is None else notation,
        element=_elementwise_element,
        defaults=defaults,
    )


def reduction(
    name: str,
    evaluate: Callable[..., Any],
    words: str,
    *,
    fold: str,
    notation: Notation | None = None,
    dtype: str | None = None,
) -> Op:
    """An op that folds axes of its argument into one value each. `evaluate(np, x, axis=…, keepdims=…)`; `words` say
    what happens to an axis ("summed"), `fold` names the kind of `Fold`."""

    def canonical(attrs: dict[str, Any]) -> dict[str, Any]:
        axis = attrs.get("axis")
        if isinstance(axis, list | tuple):
            attrs["axis"] = axis[0] if len(axis) == 1 else tuple(axis)
        return attrs

    def shape(x: Expr, *, axis: Any = None, keepdims: bool = False) -> Shape:
        axes = normalize_axes(axis, x.ndim)
        if keepdims:
            return tuple(1 if i in axes else s for i, s in enumerate(x.shape))
        return tuple(s for i, s in enumerate(x.shape) if i not in axes)

    def axes_rule(node: Expr) -> list[Axis]:
        (x,) = node.args
        axes = normalize_axes(node.attrs.get("axis"), x.ndim)
        keepdims = node.attrs.get("keepdims", False)
        result, gone = [], []
        for i, size in enumerate(x.shape):
            if i not in axes:
                result.append(Axis("", (0, i), size))
            elif keepdims:
                result.append(Axis("", (0, i), 1, f"all {size_text(size)} are {words}"))
            else:
                gone.append(Axis("", (0, i), GONE, f"all {size_text(size)} are {words}"))
        return result + gone

    def element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
        (x,) = node.args
        axes = normalize_axes(node.attrs.get("axis"), x.ndim)
        rest = iter([i for k, i in enumerate(index) if k not in axes] if node.attrs.get("keepdims") else index)
        full: list[Affine] = []
        letters: list[Letter] = []
        for k, size in enumerate(x.shape):
            if k in axes:
                summed = letter("summed", size)
                full.append(summed)
                letters.append(summed.terms[0][0])  # type: ignore[arg-type]
            else:
                full.append(next(rest))
        return Fold(fold, tuple(letters), at(0, full), ())

    return Op(
        name,
        shape=shape,
        axes=axes_rule,
        dtype=lambda x, **attrs: dtype or x.dtype,
        evaluate=lambda run, x, axis=None, keepdims=False: evaluate(run.np, x, axis=axis, keepdims=keepdims),
        cost=NO_MACS,
        flops=PER_INPUT,
        notation=Function() if notation is None else notation,
        element=element,
        defaults={"axis": None, "keepdims": False},
        canonical=canonical,
    )


def movement(
    name: str,
    *,
    shape: Callable[..., Any],
    axes: Callable[[Expr], list[Axis]],
    evaluate: Callable[..., Any],
    element: Any,
    notation: Notation | None = None,
    dtype: Callable[..., Any] | None = None,
    defaults: dict[str, Any] | None = None,
    canonical: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> Op:
    """An op that only moves data: it costs nothing."""
    return Op(
        name,
        shape=shape,
        axes=axes,
        dtype=dtype or (lambda *args, **attrs: promote(*[a.dtype for a in args])),
        evaluate=evaluate,
        cost=NO_MACS,
        flops=FREE,
        notation=Function() if notation is None else notation,
        element=element,
        defaults=defaults,
        canonical=canonical,
    )
