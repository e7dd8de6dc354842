"""Contractions: sums of products over axes that two tensors share."""

from __future__ import annotations

from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.expr import (
    BATCH,
    CALL,
    GONE,
    PER_OUTPUT,
    STRUCTURAL,
    TWICE_MACS,
    WEIGHT,
    Axis,
    Expr,
    Factor,
    Op,
    Shape,
    Size,
)
from layerexplain.lang.notation import Function
from layerexplain.lang.scalar import Affine, Apply, At, Fold, Letter, Scalar, letter
from layerexplain.ops.einsum_products import product_of_two
from layerexplain.ops.elementwise import multiply
from layerexplain.ops.sizes import agree, default_roles, merge, product, promote, shape_text, size_text

__all__ = ["dot", "einsum"]


def _dot_shape(x: Expr, W: Expr) -> Shape:
    if x.ndim < 1 or W.ndim < 1 or not agree(x.shape[-1], W.shape[0]):
        raise ShapeError(
            f"dot needs the last axis of the first tensor as long as the first axis of the second, "
            f"got {shape_text(x.shape)} and {shape_text(W.shape)}"
        )
    return (*x.shape[:-1], *W.shape[1:])


_FARTHEST = 50
"""Nodes between a product and a weight that are looked at."""


def _axis_name(W: Expr, axis: int, otherwise: str) -> str:
    """What the weight calls the axis that an axis continues: W itself, or one that W is computed from, as with LoRA."""
    ahead = [(W, axis)]
    for node, at in ahead:  # grows as it is read
        if node.op is WEIGHT:
            return str(node.attrs["axes"][at][-1][0])
        if type(node.shape) is tuple and BATCH in node.shape:  # an input, whose axes are no weight's
            continue
        if node.op.name in ("item", "split"):
            ahead.append((node.args[0], at))
        elif (node.op is CALL or node.op.flops is PER_OUTPUT) and len(ahead) < _FARTHEST:
            # Element by element; W may be the one that broadcasts, or be packed.
            places = [(arg, at - node.ndim + arg.ndim) for arg in node.args if type(arg.shape) is tuple]
            ahead += [(arg, i) for arg, i in places if i >= 0 and arg.shape[i] == node.shape[at]]
        elif node.op.axes is not STRUCTURAL and node.args and len(ahead) < _FARTHEST:
            rule = node.op.axes(node)[at]
            if rule.source is not None:
                ahead.append((node.args[rule.source[0]], rule.source[1]))
            elif rule.role:
                return str(rule.role)
    return otherwise


def _dot_axes(node: Expr) -> list[Axis]:
    x, W = node.args
    lead = x.ndim - 1
    axes = [Axis("", (0, i), size) for i, size in enumerate(x.shape[:-1])]
    for i, size in enumerate(W.shape[1:]):
        role = _axis_name(W, i + 1, "features")
        why = f"{role} = {size_text(size)}"
        axes.append(Axis(role, (0, lead) if i == W.ndim - 2 else None, size, why))
    if W.ndim == 1:
        axes.append(Axis("", (0, lead), GONE, f"all {size_text(x.shape[-1])} are multiplied and summed"))
    return axes


def _dot_cost(node: Expr) -> list[Factor]:
    x, W = node.args
    lead = node.shape[: x.ndim - 1]
    factors = []
    if BATCH not in lead:  # of weights alone
        factors += [Factor(_axis_name(x, i, "outputs"), (size,)) for i, size in enumerate(lead)]
    elif any((isinstance(s, int) and s != 1) or s is None for s in lead):
        roles = default_roles(x.ndim)[1:-1]
        name = roles[0] if len(roles) == 1 else "positions"
        factors.append(Factor(name, tuple(s for s in lead if s != 1 and s is not BATCH)))
    for i, size in enumerate(W.shape[1:]):
        factors.append(Factor(_axis_name(W, i + 1, "outputs"), (size,)))
    return [*factors, Factor("products", (x.shape[-1],))]


def _dot_element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    x, W = node.args
    summed = letter("inputs", x.shape[-1] if isinstance(x.shape[-1], int) else W.shape[0])
    lead = x.ndim - 1
    body = Apply(multiply, (at(0, (*index[:lead], summed)), at(1, (summed, *index[lead:]))), {})
    return Fold("sum", (summed.terms[0][0],), body, ())  # type: ignore[arg-type]


dot = Op(
    "dot",
    shape=_dot_shape,
    axes=_dot_axes,
    dtype=lambda x, W: promote(x.dtype, W.dtype),
    evaluate=lambda run, x, W: run.np.tensordot(x, W, axes=1),
    cost=_dot_cost,
    flops=TWICE_MACS,
    notation=Function(r"{0}\,{1}"),
    element=_dot_element,
)
"""`dot(x, W)`: sums the last axis of x against the first of W; all other axes stay, those of x first."""


def parse_equation(eq: str, ndims: list[int]) -> tuple[list[list[str]], list[str]]:
    """The letters of each argument and of the result; an ellipsis becomes the letters it stands for.

    Raises `ShapeError` where the equation and the tensors' numbers of axes do not fit.
    """
    left, arrow, right = eq.replace(" ", "").partition("->")
    inputs = left.split(",")
    if not arrow or len(inputs) != len(ndims):
        raise ShapeError(f"einsum needs an equation 'ab,bc->ac' with {len(ndims)} inputs, got {eq!r}")
    free = [c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in eq]
    dots: list[str] = []
    terms = []
    for term, ndim in zip(inputs, ndims, strict=True):
        if "..." in term:
            extra = ndim - len(term.replace("...", ""))
            dots = max(dots, free[:extra][::-1], key=len)
    for term, ndim in zip(inputs, ndims, strict=True):
        head, ellipsis, tail = term.partition("...")
        extra = ndim - len(head) - len(tail)
        if extra < 0 or (extra and not ellipsis):
            raise ShapeError(f"einsum needs {len(head + tail)} axes for {term!r} of {eq!r}, got a tensor with {ndim}")
        terms.append([*head, *(dots[len(dots) - extra :] if ellipsis else []), *tail])
    head, ellipsis, tail = right.partition("...")
    return terms, [*head, *(dots if ellipsis else []), *tail]


def _letters(args: tuple[Expr, ...], eq: str) -> tuple[list[list[str]], list[str], dict[str, Size]]:
    terms, result = parse_equation(eq, [a.ndim for a in args])
    sizes: dict[str, Size] = {}
    for term, arg in zip(terms, args, strict=True):
        for name, size in zip(term, arg.shape, strict=True):
            if name in sizes and not agree(sizes[name], size):
                raise ShapeError(
                    f"einsum {eq!r} needs one size for '{name}', got {' and '.join(shape_text(a.shape) for a in args)}"
                )
            sizes[name] = merge(sizes[name], size) if name in sizes else size
    missing = [name for name in result if name not in sizes]
    if missing:
        raise ShapeError(f"einsum {eq!r} needs each letter of the result in an input, got '{missing[0]}'")
    return terms, result, sizes


def _einsum_shape(*args: Expr, eq: str) -> Shape:
    _, result, sizes = _letters(args, eq)
    return tuple(sizes[name] for name in result)


def _einsum_axes(node: Expr) -> list[Axis]:
    terms, result, sizes = _letters(node.args, node.attrs["eq"])
    axes: list[Axis] = []
    last_new: int | None = None
    for name in result:
        source = next(((i, term.index(name)) for i, term in enumerate(terms) if name in term), None)
        role, why = "", ""
        if source is not None and source[0] > 0:
            arg = node.args[source[0]]
            role = _axis_name(arg, source[1], "")
            why = f"{role} = {size_text(sizes[name])}" if role else ""
            if role:
                last_new = len(axes)
                source = None
        axes.append(Axis(role, source, sizes[name], why))
    gone = [i for i, name in enumerate(terms[0]) if name not in result]
    if last_new is not None and gone:
        # The axis that is summed away and the last new one are one story: 16 → units = 8.
        axes[last_new] = axes[last_new]._replace(source=(0, gone.pop()))
    return axes + [
        Axis("", (0, i), GONE, f"all {size_text(sizes[terms[0][i]])} are multiplied and summed") for i in gone
    ]


def _einsum_cost(node: Expr) -> list[Factor]:
    _, result, sizes = _letters(node.args, node.attrs["eq"])
    summed = [name for name in sizes if name not in result]
    outputs = tuple(sizes[n] for n in result if isinstance(sizes[n], int) or sizes[n] is None)
    factors = [Factor("outputs", outputs)] if outputs else []
    return [*factors, Factor("products", (product(sizes[n] for n in summed),))]


def _einsum_element(node: Expr, index: tuple[Affine, ...], at: At) -> Scalar:
    terms, result, sizes = _letters(node.args, node.attrs["eq"])
    place = dict(zip(result, index, strict=True))
    letters: list[Letter] = []
    for name, size in sizes.items():
        if name not in place:
            place[name] = letter("per head" if name == "d" else "inputs", size)
            letters.append(place[name].terms[0][0])  # type: ignore[arg-type]
    parts = [at(i, [place[name] for name in term]) for i, term in enumerate(terms)]
    body = parts[0]
    for part in parts[1:]:
        body = Apply(multiply, (body, part), {})
    return Fold("sum", tuple(letters), body, ()) if letters else body


def _einsum_value(run: Any, *values: Any, eq: str) -> Any:
    if len(values) == 2:
        (of_a, of_b), result = parse_equation(eq, [v.ndim for v in values])
        made = product_of_two(run.np, *values, of_a, of_b, result)
        if made is not None:
            return made
    return run.np.einsum(eq, *values, optimize=True)


einsum = Op(
    "einsum",
    shape=_einsum_shape,
    axes=_einsum_axes,
    dtype=lambda *args, eq: promote(*[a.dtype for a in args]),
    evaluate=_einsum_value,
    cost=_einsum_cost,
    flops=TWICE_MACS,
    notation=Function(),
    element=_einsum_element,
)
"""`einsum(a, b, eq='nqad,nkad->naqk')`: products summed over the letters that the result does not have."""
