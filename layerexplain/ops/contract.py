"""Contractions: sums of products over axes that two tensors share."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from layerexplain.errors import ShapeError
from layerexplain.lang.axes import BATCH, GONE, Axis, LazyAxes, Shape, Size, has_batch
from layerexplain.lang.expr import CannotDerive, Expr, Op
from layerexplain.lang.latex import THIN, row
from layerexplain.lang.notation import FunctionNotation
from layerexplain.lang.on_demand import scalar as sc
from layerexplain.ops.families import Term, aligned, contraction
from layerexplain.ops.movement import slice_along, transpose
from layerexplain.ops.sizes import axis_name, broadcast, default_roles, meet, merge, misfit, size_text


def _dot_axes(x: Expr, W: Expr) -> LazyAxes:
    if x.ndim < 1 or W.ndim < 1 or not meet(x.shape, -1, W.shape, 0):
        raise misfit("dot needs the last axis of the first tensor to be as long as the first axis of the second", x, W)
    return LazyAxes((*x.shape[:-1], *W.shape[1:]), _dot_records, x, W)


def _dot_records(x: Expr, W: Expr, shape: Shape) -> list[Axis]:
    lead = x.ndim - 1
    axes = [Axis("", (0, i), size) for i, size in enumerate(shape[:lead])]
    for i, size in enumerate(shape[lead:]):
        role = axis_name(W, i + 1, "features")
        source = (0, lead) if i == W.ndim - 2 else None
        axes.append(Axis(role, source, size, functools.partial(_of_role, role, size)))
    if W.ndim == 1:
        axes.append(Axis("", (0, lead), GONE, functools.partial(_summed_up, x.shape[-1])))
    return axes


def _of_role(role: str, size: Size) -> str:
    return f"{role} = {size_text(size)}"


def _summed_up(size: Size) -> str:
    return f"summed over all {size_text(size)}"


def _dot_outputs(node: Expr) -> list[tuple[str, Sequence[int]]]:
    x, W = node.args
    lead = x.ndim - 1
    outputs: list[tuple[str, Sequence[int]]] = []
    if not has_batch(x.shape[:-1]):  # of weights alone
        outputs += [(axis_name(x, i, "outputs"), (i,)) for i in range(lead)]
    else:
        places = [i for i, size in enumerate(x.shape[:-1]) if size is not BATCH and size != 1]
        roles = default_roles(x.ndim)[1:-1]
        outputs += [(roles[0] if len(roles) == 1 else "positions", places)] if places else []
    return outputs + [(axis_name(W, i, "outputs"), (lead + i - 1,)) for i in range(1, W.ndim)]


def _inputs(a: Size, b: Size) -> list[tuple[str, Any]]:
    """Return the summed letter: its size is that of the axis of either tensor, if known."""
    return [("inputs", a if isinstance(a, int) else b)]


def _dot_term(node: Expr, index: sc.Index, letters: Sequence[sc.Affine]) -> Term:
    lead = node.args[0].ndim - 1
    (summed,) = letters
    return ((*index[:lead], summed), (summed, *index[lead:])), ()


def _of_dot(y: Expr, dy: Expr, i: int) -> Expr:
    x, W = y.args
    if W.ndim == 2 and (x.ndim == 2 or not i):
        return dot(transpose(x), dy) if i else dot(dy, transpose(W))
    lead = {2: "nt", 3: "nij"}.get(x.ndim - 1, "nlijabcd"[: x.ndim - 1])
    rest = "kefg"[: W.ndim - 1]
    if i:
        return einsum(x, dy, eq=f"{lead}m,{lead}{rest}->m{rest}")
    return einsum(dy, W, eq=f"{lead}{rest},m{rest}->{lead}m")


dot = contraction(
    "dot",
    axes=_dot_axes,
    value=lambda np, x, W: np.tensordot(x, W, axes=1),
    outputs=_dot_outputs,
    summed=lambda node: _inputs(node.args[0].shape[-1], node.args[1].shape[0]),
    term=_dot_term,
    notation=FunctionNotation(row(0, THIN, 1)),
    gradient=_of_dot,
)
"""`dot(x, W)`: sums over the last axis of x and the first of W; the other axes remain, those of x first."""


def _linear_axes(x: Expr, W: Expr) -> LazyAxes:
    if x.ndim < 1 or W.ndim != 2 or not meet(x.shape, -1, W.shape, 1):
        raise misfit("linear needs a matrix whose rows are as long as the last axis of the first tensor", x, W)
    return LazyAxes((*x.shape[:-1], W.shape[0]), _linear_records, x, W)


def _linear_records(x: Expr, W: Expr, shape: Shape) -> list[Axis]:
    *axes, _ = [Axis("", (0, i), size) for i, size in enumerate(shape)]
    role = axis_name(W, 0, "features")
    return [*axes, Axis(role, (0, x.ndim - 1), shape[-1], functools.partial(_of_role, role, shape[-1]))]


def _linear_outputs(node: Expr) -> list[tuple[str, Sequence[int]]]:
    *positions, _ = _dot_outputs(node)
    return [*positions, (axis_name(node.args[1], 0, "outputs"), (node.ndim - 1,))]


def _linear_term(node: Expr, index: sc.Index, letters: Sequence[sc.Affine]) -> Term:
    return ((*index[:-1], letters[0]), (index[-1], letters[0])), ()


def _of_linear(y: Expr, dy: Expr, i: int) -> Expr:
    x, W = y.args
    if not i:
        return dot(dy, W)
    lead = "nlijabcd"[: x.ndim - 1]
    return einsum(dy, x, eq=f"{lead}k,{lead}m->km")


linear = contraction(
    "linear",
    axes=_linear_axes,
    value=lambda np, x, W: np.matmul(x, W.T),
    outputs=_linear_outputs,
    summed=lambda node: _inputs(node.args[0].shape[-1], node.args[1].shape[1]),
    term=_linear_term,
    notation=FunctionNotation(row(0, THIN, ("sup", 1, "T"))),
    gradient=_of_linear,
)
"""`linear(x, W)`: the product of the last axis of x with each row of W, which has a row for each output: x times W
transposed, as PyTorch keeps the weights of its linear layers."""


def _matmul_axes(a: Expr, b: Expr) -> list[Axis]:
    if a.ndim < 2 or b.ndim < 2 or not meet(a.shape, -1, b.shape, -2):
        raise misfit("matmul needs matrices, the first with as many columns as the second has rows", a, b)
    stack = broadcast("matmul", [a.shape[:-2], b.shape[:-2]])
    sides = [x.ndim - 2 - len(stack) for x in (a, b)]  # from an axis of the stack to that of the argument
    arg = [0 if k + sides[0] >= 0 else 1 for k in range(len(stack))]
    return [
        *[Axis("", (i, k + sides[i]), size) for k, (i, size) in enumerate(zip(arg, stack, strict=True))],
        Axis("", (0, a.ndim - 2), a.shape[-2]),
        Axis("", (1, b.ndim - 1), b.shape[-1], "the columns of the second"),
        Axis("", (0, a.ndim - 1), GONE, functools.partial(_summed_up, a.shape[-1])),
    ]


def _matmul_outputs(node: Expr) -> list[tuple[str, Sequence[int]]]:
    lead = node.ndim - 2
    stack = [k for k in range(lead) if node.shape[k] is not BATCH and node.shape[k] != 1]
    return [*([("matrices", stack)] if stack else []), ("outputs", (lead, lead + 1))]


def _matmul_term(node: Expr, index: sc.Index, letters: Sequence[sc.Affine]) -> Term:
    a, b = node.args
    (summed,) = letters
    # Index the stack on both sides, then their own rows and columns.
    left = [*aligned((*index[:-1], sc.number(0)), node, a)[:-1], summed]
    right = [*aligned((*index[:-2], sc.number(0), index[-1]), node, b)[:-2], summed, index[-1]]
    left[-2] = index[-2]
    return (left, right), ()


def turned(x: Expr) -> Expr:
    """Return each matrix transposed."""
    *stack, rows, columns = range(x.ndim)
    return transpose(x, axes=(*stack, columns, rows))


matmul: Op = contraction(
    "matmul",
    axes=_matmul_axes,
    value=lambda np, a, b: np.matmul(a, b),
    outputs=_matmul_outputs,
    summed=lambda node: _inputs(node.args[0].shape[-1], node.args[1].shape[-2]),
    term=_matmul_term,
    notation=FunctionNotation(row(0, THIN, 1)),
    gradient=lambda y, dy, i: matmul(turned(y.args[0]), dy) if i else matmul(dy, turned(y.args[1])),
)
"""`matmul(a, b)`: the last two axes are matrices; the axes before them are broadcast."""


def parse_equation(eq: str, ndims: list[int]) -> tuple[list[list[str]], list[str]]:
    """Return the letters of each argument and of the result, with ellipses expanded.

    Raises:
        ShapeError: if the equation does not fit the tensors' numbers of axes.
    """
    left, arrow, right = eq.replace(" ", "").partition("->")
    inputs = left.split(",")
    if not arrow:  # the axes of the result are those whose letter occurs once, in alphabetical order
        right = "..." * ("..." in left) + "".join(sorted(c for c in left if left.count(c) == 1 and c not in ",."))
    if len(inputs) != len(ndims):
        raise ShapeError(f"einsum needs an equation 'ab,bc->ac' with {len(ndims)} inputs, got {eq!r}")
    free = [c for c in "ZYXWVUTSRQPONMLKJIHGFEDCBA" if c not in eq]
    extras = [ndim - len(term.replace("...", "")) for term, ndim in zip(inputs, ndims, strict=True)]
    dots = free[: max([extra for term, extra in zip(inputs, extras, strict=True) if "..." in term], default=0)][::-1]
    terms = []
    for term, extra, ndim in zip(inputs, extras, ndims, strict=True):
        head, ellipsis, tail = term.partition("...")
        if extra < 0 or (extra and not ellipsis):
            raise ShapeError(f"einsum needs {len(head + tail)} axes for {term!r} of {eq!r}, got a tensor with {ndim}")
        terms.append([*head, *(dots[len(dots) - extra :] if ellipsis else []), *tail])
    head, ellipsis, tail = right.partition("...")
    return terms, [*head, *(dots if ellipsis else []), *tail]


def _letters(args: tuple[Expr, ...], eq: str) -> tuple[list[list[str]], list[str], dict[str, Size]]:
    terms, result = parse_equation(eq, [a.ndim for a in args])
    sizes: dict[str, Size] = {}
    places: dict[str, tuple[Shape, int]] = {}
    for term, arg in zip(terms, args, strict=True):
        for i, (name, size) in enumerate(zip(term, arg.shape, strict=True)):
            if not meet(*places.setdefault(name, (arg.shape, i)), arg.shape, i):
                raise misfit(f"einsum {eq!r} needs one size for '{name}'", *args)
            sizes[name] = merge(sizes[name], size) if name in sizes else size
    missing = [name for name in result if name not in sizes]
    if missing:
        raise ShapeError(f"einsum {eq!r} needs every letter of the result in an input, got '{missing[0]}'")
    return terms, result, sizes


def _einsum_axes(*args: Expr, eq: str) -> list[Axis]:
    terms, result, sizes = _letters(args, eq)
    axes: list[Axis] = []
    last_new: int | None = None
    for name in result:
        source = next(((i, term.index(name)) for i, term in enumerate(terms) if name in term), None)
        role = "" if source is None or source[0] == 0 else axis_name(args[source[0]], source[1], "")
        if role:
            last_new = len(axes)
            source = None
        axes.append(Axis(role, source, sizes[name], functools.partial(_of_role, role, sizes[name]) if role else ""))
    gone = [i for i, name in enumerate(terms[0]) if name not in result]
    if last_new is not None and gone:
        # Report the summed axis and the last new one together: 16 → units = 8.
        axes[last_new] = axes[last_new]._replace(source=(0, gone.pop()))
    return axes + [Axis("", (0, i), GONE, functools.partial(_summed_up, sizes[terms[0][i]])) for i in gone]


def _einsum_outputs(node: Expr) -> list[tuple[str, Sequence[int]]]:
    outputs = [i for i, size in enumerate(node.shape) if size is not BATCH]
    return [("outputs", outputs)] if outputs else []


def _einsum_summed(node: Expr) -> list[tuple[str, Any]]:
    _, result, sizes = _letters(node.args, node.attrs["eq"])
    return [("per head" if name == "d" else "inputs", size) for name, size in sizes.items() if name not in result]


def _einsum_term(node: Expr, index: sc.Index, letters: Sequence[sc.Affine]) -> Term:
    terms, result, sizes = _letters(node.args, node.attrs["eq"])
    place = dict(zip(result, index, strict=True))
    place |= zip([name for name in sizes if name not in place], letters, strict=True)
    return [[place[name] for name in term] for term in terms], ()


def _einsum_value(np: Any, *values: Any, eq: str) -> Any:
    if len(values) == 2:
        (of_a, of_b), result = parse_equation(eq, [v.ndim for v in values])
        from layerexplain.ops.products import product_of_two

        product = product_of_two(np, *values, of_a, of_b, result)
        if product is not None:
            return product
    return np.einsum(eq, *values, optimize=True)


def _of_einsum(y: Expr, dy: Expr, i: int) -> Expr:
    terms, result = parse_equation(y.attrs["eq"], [a.ndim for a in y.args])
    own = terms.pop(i)
    if len(set(own)) != len(own):
        return _of_diagonals(y, dy, i, own, terms, result)
    elsewhere = {*result, *[c for term in terms for c in term]}
    others = [a for k, a in enumerate(y.args) if k != i]
    kept = [c for c in own if c in elsewhere]
    gradient = einsum(dy, *others, eq=f"{','.join(map(''.join, [result, *terms]))}->{''.join(kept)}")
    return slice_along(gradient, {k: None for k, c in enumerate(own) if c not in elsewhere})


def _of_diagonals(y: Expr, dy: Expr, i: int, own: list[str], terms: list[list[str]], result: list[str]) -> Expr:
    """Return the gradient of a term that has a letter twice: it reads only a diagonal, which gets the whole
    gradient."""
    from layerexplain.ops.arrange import diag, full_like

    twice = [c for c in dict.fromkeys(own) if own.count(c) > 1]
    if len(twice) > 1 or own.count(twice[0]) > 2:
        raise CannotDerive(
            "an einsum that repeats a letter three times in a term, or two letters twice, has no derived gradient"
        )
    letters = [*[c for c in own if c != twice[0]], twice[0]]
    read = full_like(einsum(y.args[i], eq=f"{''.join(own)}->{''.join(letters)}"), value=1)
    others = [a for k, a in enumerate(y.args) if k != i]
    given = ",".join(map("".join, [result, *terms, letters]))
    gradient = diag(einsum(dy, *others, read, eq=f"{given}->{''.join(letters)}"))
    first = own.index(twice[0])
    places = [len(letters) if c == twice[0] and k != first else letters.index(c) for k, c in enumerate(own)]
    return transpose(gradient, axes=tuple(places))


einsum = contraction(
    "einsum",
    axes=_einsum_axes,
    value=_einsum_value,
    outputs=_einsum_outputs,
    summed=_einsum_summed,
    term=_einsum_term,
    gradient=_of_einsum,
)
"""`einsum(a, b, eq='nqad,nkad->naqk')`: products summed over the letters missing in the result."""
