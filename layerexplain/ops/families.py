"""The families of ops. Each supplies the rules that its members share, so that an op takes one or two lines."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from math import prod
from typing import Any, TypeAlias

from layerexplain.lang.axes import BATCH, GONE, Axes, Axis, Factor, LazyAxes, Shape, Size
from layerexplain.lang.expr import CONSTANT, FREE, NO_MACS, OPS, PER_INPUT, PER_OUTPUT, TWICE_MACS, WEIGHT, Expr, Op
from layerexplain.lang.notation import FunctionNotation, Notation
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.ops.sizes import broadcast, normalize_axes, product, promote, size_text


def aligned(index: Sequence[sc.Affine], node: Expr, arg: Expr) -> sc.Index:
    """Return the index into a broadcast argument: its axes are the last ones; those of size 1 stay at 0."""
    last = index[len(index) - arg.ndim :]
    sizes = node.shape[len(index) - arg.ndim :]
    return tuple(sc.number(0) if a == 1 and s != 1 else i for i, a, s in zip(last, arg.shape, sizes, strict=True))


def letters_of(indices: Sequence[sc.Affine]) -> tuple[sc.Letter, ...]:
    """Return the letters of indices that consist of one letter each, as `letter` creates them."""
    return tuple([index.terms[0][0] for index in indices])  # type: ignore[misc]


def needed(size: Size, axis: int, purpose: str = "") -> int:
    """Return a size that the element form requires. Raises CannotIndex if it is unknown."""
    if not isinstance(size, int):
        raise sc.CannotIndex(f"needs the size of axis {axis}{purpose}; give it with --input")
    return size


def placed(index: Sequence[sc.Affine], axis: int, at: sc.Affine) -> sc.Index:
    """Return the index with a different position along one axis."""
    return (*index[:axis], at, *index[axis + 1 :])


def without(node: Expr, *names: str) -> dict[str, Any]:
    """Return the attributes of a node but for some."""
    return {name: value for name, value in node.attrs.items() if name not in names}


def of_first(x: Expr, *others: Expr, **attrs: Any) -> Any:
    """Return the dtype of the first argument: a dtype rule."""
    return x.dtype


def common(*args: Expr, **attrs: Any) -> str:
    """Return the common dtype of all arguments: a dtype rule."""
    return promote(*[a.dtype for a in args])


def always(dtype: Any) -> Callable[..., Any]:
    """Return the dtype rule of an op with a fixed result dtype; a tuple for several results."""
    return lambda *args, **attrs: dtype


BY_NAME = FunctionNotation()
"""The notation of an op that is written as a call of its name, in LaTeX too."""


# Each element ---------------------------------------------------------------------------------------------------


def _elementwise_axes(args: Sequence[Expr], shape: Shape) -> list[Axis]:
    """Let each axis continue that of the first argument with its full size; masks, weights and constants come
    last."""
    order = sorted(range(len(args)), key=lambda i: _comes_last(args[i]))
    axes = []
    ndim = len(shape)
    for k, size in enumerate(shape):
        source = None
        for i in order:
            arg = args[i].shape
            at = k - (ndim - len(arg))
            if at >= 0 and (source is None or (arg[at] != 1 and args[source[0]].shape[source[1]] == 1)):
                source = (i, at)
        stretched = size != 1 and source is not None and args[source[0]].shape[source[1]] == 1
        axes.append(Axis("", source, size, f"1 is repeated to {size_text(size)}" if stretched else ""))
    return axes


def _comes_last(arg: Expr) -> bool:
    """Return whether an argument is a mask, a weight, a constant, or one of these reshaped."""
    if arg.dtype == "bool":
        return True
    while len(arg.args) == 1 and arg.op.flops is FREE:
        arg = arg.args[0]
    return arg.op is WEIGHT or arg.op is CONSTANT


def _elementwise_element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
    args = [at(i, aligned(index, node, arg)) for i, arg in enumerate(node.args)]
    return sc.Apply(node.op, tuple(args), node.attrs)


def is_elementwise(op: Op) -> bool:
    """Return whether an op is element-wise, on tensors that broadcast."""
    return op.element is _elementwise_element


def elementwise(
    name: str,
    value: Callable[..., Any],
    notation: Notation = BY_NAME,
    *,
    dtype: str | Callable[..., str] | None = None,
    **rules: Any,
) -> Op:
    """Create an element-wise op on tensors that broadcast.

    Args:
        name: its name in formulas.
        value: `value(np, *values, **attrs)`.
        notation: how it is written; by default a call of its name.
        dtype: of the result if it differs from the arguments': "float" converts ints to floats, any other name is
            the dtype itself, and a function of the arguments is the rule.
        rules: the other rules of `Op`. The gradient of an argument is given before it is summed over repeated axes;
            by default, an element costs 1, and its form is the op applied to the arguments' elements.
    """

    def axes(*args: Expr, **attrs: Any) -> Axes:
        if len(args) == 1:
            return LazyAxes(args[0].shape)
        return LazyAxes(broadcast(name, [a.shape for a in args]), _elementwise_axes, args)

    def result_dtype(*args: Expr, **attrs: Any) -> str:
        common: str = args[0].dtype
        for a in args:
            if a.dtype != common:
                common = promote(common, a.dtype)
        return common if dtype is None else promote(common, "float")

    rule = result_dtype if dtype in (None, "float") else dtype if callable(dtype) else always(dtype)
    rules = {"flops": PER_OUTPUT, "element": _elementwise_element, **rules}
    return function(name, axes=axes, dtype=rule, value=value, notation=notation, **rules)


def unary(name: str, notation: Notation = BY_NAME, **rules: Any) -> Op:
    """Create an element-wise op on one tensor that NumPy has under the same name."""
    return elementwise(name, lambda np, a: getattr(np, name)(a), notation, **rules)


def binary(name: str, notation: Notation = BY_NAME, *, numpy: str = "", **rules: Any) -> Op:
    """Create an element-wise op on two tensors that NumPy has, under the name `numpy` if that is another one."""
    return elementwise(name, lambda np, a, b: getattr(np, numpy or name)(a, b), notation, **rules)


# Axes folded into one value -------------------------------------------------------------------------------------


def folded_axes(x: Expr, axis: Any, keepdims: bool, words: Callable[[Size], str]) -> list[Axis]:
    """Return the axes of an argument after a reduction: reduced axes have size 1 with `keepdims`, else are removed."""
    axes = normalize_axes(axis, x.ndim)
    result, gone = [], []
    for i, size in enumerate(x.shape):
        if i not in axes:
            result.append(Axis("", (0, i), size))
            continue
        why = functools.partial(words, size)
        if keepdims:
            result.append(Axis("", (0, i), 1, why))
        else:
            gone.append(Axis("", (0, i), GONE, why))
    return result + gone


def one_form_of_axis(attrs: dict[str, Any]) -> dict[str, Any]:
    """Return the attributes with `axis` in one form: an int, or a tuple of several."""
    axis = attrs.get("axis")
    if isinstance(axis, list | tuple) and len(axis) == 1:
        attrs["axis"] = axis[0]
    return attrs


def reduction(name: str, words: str, *, fold: str = "", dtype: str | None = None, **rules: Any) -> Op:
    """Create an op that reduces axes of its argument as NumPy's function of the same name does.

    Args:
        name: its name in formulas.
        words: what happens to a reduced axis ("summed").
        fold: the kind of `Fold` of its element form, if that is not its name.
        dtype: of the result; by default that of the argument.
        rules: the other rules of `Op`.
    """

    def axes(x: Expr, *, axis: Any, keepdims: bool) -> Axes:
        return folded_axes(x, axis, keepdims, lambda size: f"all {size_text(size)} are {words}")

    def element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
        (x,) = node.args
        axes = normalize_axes(node.options["axis"], x.ndim)
        rest = iter([i for k, i in enumerate(index) if k not in axes] if node.options["keepdims"] else index)
        full = [sc.letter("summed", size) if k in axes else next(rest) for k, size in enumerate(x.shape)]
        return sc.Fold(fold or name, letters_of([full[k] for k in axes]), at(0, full), ())

    return function(
        name,
        axes=axes,
        dtype=always(dtype) if dtype else of_first,
        value=lambda np, x, **attrs: getattr(np, name)(x, **attrs),
        flops=PER_INPUT,
        element=element,
        defaults={"axis": None, "keepdims": False},
        canonical=one_form_of_axis,
        **rules,
    )


# Sums of products -----------------------------------------------------------------------------------------------


Term: TypeAlias = "tuple[Sequence[Sequence[sc.Affine]], Sequence[sc.Condition]]"
"""The index of each factor of a product, and the conditions under which the product is included in the sum."""


def contraction(
    name: str,
    *,
    outputs: Callable[[Expr], Sequence[tuple[str, Sequence[int]]]],
    summed: Callable[[Expr], Sequence[tuple[str, Any]]],
    term: Callable[..., Term],
    **rules: Any,
) -> Op:
    """Create an op whose elements are sums of products. Its multiply-accumulates follow from the element form: the
    number of elements times the number of values of the summed letters.

    Args:
        name: its name in formulas.
        outputs: `outputs(node)`: the names under which elements are counted ("positions", "filters"), each with its
            axes of the result.
        summed: `summed(node)`: the (role, size) of each letter that is summed over.
        term: `term(node, index, letters)`: which elements of the arguments are multiplied at given letters, and the
            conditions under which the product is included.
        rules: the other rules of `Op`; the cost is among them where far fewer products are computed than the element
            form has.
    """

    def factors(node: Expr) -> list[Factor]:
        shape = node.shape
        factors_of_result = [
            Factor(name, tuple([shape[a] for a in of if shape[a] is not BATCH])) for name, of in outputs(node)
        ]
        sizes = [size for _, size in summed(node) if size is not BATCH]
        return [*factors_of_result, Factor("products", (None if None in sizes else prod(sizes),))]

    # The product of the factors, which every model is asked for, while their names are for one that is explained.
    vars(factors)["total"] = lambda node: product([*node.shape, *[size for _, size in summed(node)]])

    def element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
        letters = [sc.letter(role, size) for role, size in summed(node)]
        places, conditions = term(node, index, letters)
        factors = [at(i, place) for i, place in enumerate(places)]
        body = functools.reduce(lambda a, b: sc.Apply(OPS["multiply"], (a, b), {}), factors)
        return sc.Fold("sum", letters_of(letters), body, tuple(conditions)) if letters else body

    return function(name, **{"dtype": common, "cost": factors, "flops": TWICE_MACS, "element": element, **rules})


# All others -----------------------------------------------------------------------------------------------------


def function(name: str, *, value: Callable[..., Any] | None = None, **rules: Any) -> Op:
    """Create any other op: one that sorts, looks up or transforms.

    `value(np, *values, **options)` is its value, if that takes NumPy alone. Unless the rules say otherwise, it has no
    multiply-accumulates, the dtype of its first argument, and is written as a call of its name."""
    if value is not None:
        rules["evaluate"] = lambda run, *values, **options: value(run.np, *values, **options)
        rules["evaluate"].value = value
    return Op(name, **{"dtype": of_first, "cost": NO_MACS, "notation": BY_NAME, **rules})


movement = functools.partial(function, flops=FREE)
"""Create an op that only moves data, at no cost."""


def along_an_axis(name: str, *, reads: Callable[..., sc.Affine], needs: str = "", **rules: Any) -> Op:
    """Create a movement along the axis `axis`: position `index` reads position `reads(index, size, attrs)` of the
    argument. `needs` says why the size is required (" to count from its end")."""

    def element(node: Expr, index: sc.Index, at: sc.At) -> sc.Scalar:
        attrs = node.options
        axis = attrs["axis"] % node.ndim
        size = node.args[0].shape[axis]
        if size == 0:
            raise sc.CannotIndex("an axis of size 0 has no element")
        return at(0, placed(index, axis, reads(index[axis], needed(size, axis, needs) if needs else size, attrs)))

    return movement(name, element=element, **rules)


def same_shape(x: Expr, *others: Expr, **attrs: Any) -> Axes:
    """Return the axes of the first argument: an axes rule."""
    return LazyAxes(x.shape)
