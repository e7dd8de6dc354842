"""Layers that join tensors: Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate, Dot.

Input shape: two or more that broadcast; missing axes are inserted after the batch. Output shape: the common one.
Concatenate and Dot say their own.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.axes import Shape
from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import AxisArgument, Bool, Int
from layerexplain.layers.registry import layer
from layerexplain.layers.signature import CARRIES_IDS, KEEPS_AXES
from layerexplain.ops import elementwise
from layerexplain.ops.contract import einsum
from layerexplain.ops.elementwise import logical_and, logical_or, where
from layerexplain.ops.functions import l2_normalize
from layerexplain.ops.joining import concatenate as joined
from layerexplain.ops.reduce import any_
from layerexplain.ops.sizes import misfit, normalize_axis, shape_text

NEEDS_LIST = "joins the tensors of a list, got one bare tensor of shape {shape}; give it a list"


def same_rank(xs: Sequence[Expr]) -> list[Expr]:
    """The tensors with as many axes each, as Keras's merge layers make them: new ones of size 1 after the batch."""
    ndim = max(x.ndim for x in xs)
    return [x if x.ndim == ndim else x[:, *[None] * (ndim - x.ndim)] for x in xs]


def either(tensors: list[Expr], masks: list[Expr | None], arguments: Mapping[str, Any]) -> Expr | None:
    """A step counts if it counts in one of the tensors; without a mask for each there is none."""
    expressions = [m for m in masks if m is not None]
    return reduce(logical_or, expressions) if expressions and len(expressions) == len(tensors) else None


def every(tensors: list[Expr], masks: list[Expr | None], arguments: Mapping[str, Any]) -> Expr | None:
    """The mask that Keras 2 makes: a step counts if it counts in all tensors; one without a mask is masked nowhere."""
    expressions = [m for m in masks if m is not None]
    return reduce(logical_and, expressions) if expressions else None


def _open_where_one_is(shapes: Sequence[Shape], arguments: Mapping[str, Any]) -> Sequence[Shape]:
    """The shapes that Keras 3 merges: a size is open where that of another tensor is, though it could only be equal."""
    ndim = max(map(len, shapes))
    full = [(*shape[:1], *[1] * (ndim - len(shape)), *shape[1:]) for shape in shapes]
    columns = [{*sizes} - {1} for sizes in zip(*full, strict=True)]
    is_open = [axis for axis, sizes in enumerate(columns) if axis and None in sizes and len(sizes) == 2]
    return [
        tuple([None if i and i + ndim - len(shape) in is_open and size != 1 else size for i, size in enumerate(shape)])
        for shape in shapes
    ]


MERGES = KEEPS_AXES._replace(mask_keras_2=every, sizes_keras_3=_open_where_one_is)


def _of_steps(type_: str, mask: Expr, x: Expr) -> Expr:
    """The mask of a tensor, which has one axis less."""
    if mask.ndim != x.ndim - 1:
        raise ShapeError(
            f"{type_} needs masks with one axis less than their tensors, got a mask of shape "
            f"{shape_text(mask.shape)} for {shape_text(x.shape)}"
        )
    return mask


def over_features(type_: str, xs: Sequence[Expr], masks: Sequence[Expr | None]) -> list[Expr | None]:
    """The masks with an axis for the features. Those of tensors that had to be given more axes are lost in Keras."""
    ndim = max(x.ndim for x in xs)
    pairs = zip(xs, masks or [None] * len(xs), strict=True)
    return [None if m is None or x.ndim < ndim else _of_steps(type_, m, x)[..., None] for x, m in pairs]


@layer("Add", mask=either, alone=NEEDS_LIST, facts=MERGES)
def add(*xs: Expr) -> Expr:
    """Adds the tensors element-wise{broadcast}."""
    return reduce(elementwise.add, same_rank(xs))


@layer("Subtract", mask=either, alone=NEEDS_LIST, facts=MERGES)
def subtract(*xs: Expr) -> Expr:
    """Subtracts the second tensor from the first, element-wise{broadcast}."""
    if len(xs) != 2:
        raise ShapeError(f"Subtract needs exactly 2 tensors, got {len(xs)}")
    a, b = same_rank(xs)
    return a - b


@layer("Multiply", mask=either, alone=NEEDS_LIST, facts=MERGES)
def multiply(*xs: Expr, masks: list[Expr | None], keras_2: bool = False) -> Expr:
    """Multiplies the tensors element-wise{broadcast}.

    A masked step of one tensor counts as 1, a step that is masked in all of them becomes 0 (Keras 3 only).
    """
    masks = [] if keras_2 else masks
    wide = over_features("Multiply", xs, masks)
    factors = [x if m is None else where(m, x, 1) for x, m in zip(same_rank(xs), wide, strict=True)]
    product = reduce(elementwise.multiply, factors)
    known = [m for m in wide if m is not None]
    return where(reduce(logical_or, known), product, 0) if len(known) == len(xs) else product


@layer("Average", mask=either, alone=NEEDS_LIST, facts=MERGES)
def average(*xs: Expr) -> Expr:
    """Averages the tensors element-wise{broadcast}."""
    return reduce(elementwise.add, same_rank(xs)) / len(xs)


def _extreme(op: Callable[[Expr, Expr], Expr], type_: str, xs: Sequence[Expr], masks: Sequence[Expr | None]) -> Expr:
    """The largest or smallest of the tensors. A step that is masked in one tensor takes the other's value; one
    tensor without a mask from there on counts as masked nowhere."""
    wide = over_features(type_, xs, masks)
    tensors = same_rank(xs)
    result, seen = tensors[0], wide[0]
    for x, mask in zip(tensors[1:], wide[1:], strict=True):
        if mask is not None:
            x = where(mask, x, result)
        if seen is not None:
            result = where(seen, result, x)
        seen = None if mask is None or seen is None else logical_or(seen, mask)
        result = op(result, x)
    return result


@layer("Maximum", mask=either, alone=NEEDS_LIST, facts=MERGES)
def maximum(*xs: Expr, masks: list[Expr | None], keras_2: bool = False) -> Expr:
    """Element-wise maximum of the tensors{broadcast}."""
    return _extreme(elementwise.maximum, "Maximum", xs, [] if keras_2 else masks)


@layer("Minimum", mask=either, alone=NEEDS_LIST, facts=MERGES)
def minimum(*xs: Expr, masks: list[Expr | None], keras_2: bool = False) -> Expr:
    """Element-wise minimum of the tensors{broadcast}."""
    return _extreme(elementwise.minimum, "Minimum", xs, [] if keras_2 else masks)


def _joined_mask(tensors: list[Expr], masks: list[Expr | None], arguments: Mapping[str, Any]) -> Expr | None:
    """The masks joined as the tensors are; a tensor without one is masked nowhere."""
    if not any(m is not None for m in masks):
        return None
    axis = normalize_axis(arguments["axis"], tensors[0].ndim)
    parts = []
    for x, mask in zip(tensors, masks, strict=True):
        if mask is None:
            from layerexplain.ops.arrange import full_like  # few models join masked tensors with others

            parts.append(full_like(x[..., 0], value=True, to="bool"))
        elif mask.ndim == x.ndim:
            parts.append(any_(mask, axis=-1))
        else:
            parts.append(_of_steps("Concatenate", mask, x))
    if axis == tensors[0].ndim - 1:
        return reduce(logical_or, parts)
    return joined(*parts, axis=axis)


def _joined_mask_keras_2(tensors: list[Expr], masks: list[Expr | None], arguments: Mapping[str, Any]) -> Expr | None:
    """In Keras 2 a step of joined features counts if it counts in all tensors."""
    ndim = tensors[0].ndim
    along_features = normalize_axis(arguments["axis"], ndim) == ndim - 1
    fits = all(mask is None or mask.ndim == ndim - 1 for mask in masks)
    return (every if along_features and fits else _joined_mask)(tensors, masks, arguments)


def _open_where_the_first_is(shapes: Sequence[Shape], arguments: Mapping[str, Any]) -> Sequence[Shape]:
    """The shapes that Keras 3 joins: it takes the sizes along all other axes from the first tensor."""
    first, others = shapes[0], shapes[1:]
    if any(len(shape) != len(first) for shape in others):
        return shapes
    along = normalize_axis(arguments["axis"], len(first))
    is_open = [
        axis
        for axis, sizes in enumerate(zip(*shapes, strict=True))
        if axis != along and sizes[0] is None and len({*sizes} - {None}) == 1
    ]
    return [first, *[tuple([None if i in is_open else size for i, size in enumerate(shape)]) for shape in others]]


@layer(
    "Concatenate",
    mask=_joined_mask,
    alone="joins two or more tensors, got one of shape {shape}: it cannot flatten it; "
    "to lay its elements out in one row use Flatten, to arrange them otherwise Reshape",
    facts=CARRIES_IDS._replace(mask_keras_2=_joined_mask_keras_2, sizes_keras_3=_open_where_the_first_is),
)
def concatenate(*xs: Expr, axis: Int = -1) -> Expr:
    """Concatenates the tensors {along}.

    Input shape: two or more, equal except along `axis`. Output shape: the same, with the sizes along `axis` summed.
    """
    normalize_axis(axis, xs[0].ndim)
    return joined(*xs, axis=axis) if len(xs) > 1 else xs[0]


@layer("Dot", alone=NEEDS_LIST)
def dot(*xs: Expr, axes: AxisArgument, normalize: Bool = False) -> Expr:
    """Computes the dot product of the two tensors over axes {axes}, separately for each example.

    With `normalize` the vectors along these axes are first scaled to length 1: the result is their cosine.
    Input shape: two with at least 2 axes. Output shape: (batch, other axes of the first, other axes of the second),
    (batch, 1) where there are none.
    """
    if len(xs) != 2:
        raise ShapeError(f"Dot needs exactly 2 tensors, got {len(xs)}")
    if isinstance(axes, tuple) and len(axes) != 2:
        raise ArgumentError(f"Dot needs axes to be one axis or one for each of its 2 tensors, got axes={axes}")
    pair = axes if isinstance(axes, tuple) else (axes, axes)
    terms, rest, vectors, sizes = [], "", [], []
    for x, axis, letters in zip(xs, pair, ("ijhp", "kloq"), strict=True):
        at = normalize_axis(axis, x.ndim, "axes")
        if at == 0:
            shapes = " and ".join(shape_text(t.shape) for t in xs)
            raise ShapeError(f"Dot needs axes other than the batch (0), got axes={axes} for {shapes}")
        own = letters[: x.ndim - 2]
        if len(own) < x.ndim - 2:
            raise misfit(f"Dot needs tensors with at most {len(letters) + 2} axes", x)
        terms.append(f"n{own[: at - 1]}m{own[at - 1 :]}")
        rest += own
        sizes.append(x.shape[at])
        vectors.append(l2_normalize(x, axis=at, epsilon=1e-7) if normalize else x)
    if (sizes[0] is None) != (sizes[1] is None):  # Keras compares them as they are written
        raise misfit(f"Dot needs the size of its axes={axes} in both tensors, or in neither", *xs)
    result = einsum(*vectors, eq=f"{terms[0]},{terms[1]}->n{rest}")
    return result if rest else named("products", result)[:, None]
