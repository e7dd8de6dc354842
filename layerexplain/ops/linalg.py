"""Ops on matrices, the last two axes of a tensor: inverses, determinants, factorizations. Computed in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from layerexplain.lang.expr import (
    GONE,
    NOT_INDEXED,
    UNKNOWN_COST,
    AxesOfEach,
    Axis,
    Expr,
    Marker,
    Op,
    Shape,
    Shapes,
    Size,
)
from layerexplain.ops.families import function
from layerexplain.ops.sizes import agree, kept, known, misfit, product, promote

EITHER_WAY = "the sign of its vectors is not determined"
"""Why some factorizations are not compared: a vector and its negative are equally valid."""


def _sides(name: str, x: Expr, square: bool = True) -> tuple[Size, Size]:
    """Rows and columns of the matrices."""
    if x.ndim < 2:
        raise misfit(f"{name} needs matrices, the last two axes of a tensor", x)
    rows, columns = x.shape[-2:]
    if square and not agree(rows, columns):
        raise misfit(f"{name} needs square matrices", x)
    return rows, columns


def _least(a: Size, b: Size) -> Size:
    return min(a, b) if isinstance(a, int) and isinstance(b, int) else None


def _float(*args: Expr) -> str:
    return promote(*[x.dtype for x in args], "float")


def _lead_axes(x: Expr, shape: Shape) -> list[Axis]:
    """Return axes that continue those of the argument at the same positions; the others are removed."""
    axes = [Axis("", (0, i), size) for i, size in enumerate(shape)]
    return axes + [Axis("", (0, i), GONE, "one value for each matrix") for i in range(len(shape), x.ndim)]


def _in_places(shape: Callable[..., Any]) -> Callable[..., Any]:
    """Return the axes rule of a result with the sizes `shape` returns, whose axes continue those of the argument."""

    def axes(x: Expr, **attrs: Any) -> Any:
        made = shape(x, **attrs)
        return AxesOfEach(_lead_axes(x, one) for one in made) if type(made) is Shapes else _lead_axes(x, made)

    return axes


def _matrices(
    name: str,
    axes: Callable[..., Any],
    value: Callable[..., Any],
    flops: Callable[..., float] | None,
    *,
    dtypes: Sequence[str] | None = None,
    why: str = "each element depends on the whole matrix",
    **rules: Any,
) -> Op:
    """An op on the matrices of its first argument. `value(np, *float64 arrays, **attrs)`; `flops(rows, columns)`
    for one matrix (and the columns of further arguments), by the textbook (Golub and Van Loan), None where it
    iterates; `dtypes` those of several results."""

    def count(node: Expr) -> int | None:
        first, *others = node.args
        lead, sizes = product(first.shape[:-2]), [*first.shape[-2:], *[x.shape[-1] for x in others]]
        if flops is None or lead is None or not all(map(known, sizes)):
            return None
        return lead * round(flops(*sizes))

    def result_dtype(*args: Expr, **attrs: Any) -> Any:
        if dtypes is None:
            return _float(*args)
        return tuple(_float(*args) if d == "float" else d for d in dtypes)

    def of_float64(np: Any, *values: Any, **attrs: Any) -> Any:
        return value(np, *[np.asarray(v, "f8") for v in values], **attrs)

    return function(
        name,
        axes=axes,
        dtype=result_dtype,
        value=of_float64,
        flops=UNKNOWN_COST if flops is None else count,
        element=NOT_INDEXED(why),
        **rules,
    )


def _square(name: str) -> Callable[..., list[Axis]]:
    def axes(x: Expr, **attrs: Any) -> list[Axis]:
        _sides(name, x)
        return kept(x)

    return axes


def _of_each(name: str, count: int = 1) -> Callable[..., Any]:
    def shape(x: Expr, **attrs: Any) -> Any:
        _sides(name, x)
        return x.shape[:-2] if count == 1 else Shapes([x.shape[:-2]] * count)

    return _in_places(shape)


cholesky = _matrices("cholesky", _square("cholesky"), lambda np, x: np.linalg.cholesky(x), lambda n, _: n**3 / 3)
"""`cholesky(x)`: the lower triangle L with L · Lᵀ = x, of symmetric matrices with positive eigenvalues."""

inv = _matrices("inv", _square("inv"), lambda np, x: np.linalg.inv(x), lambda n, _: 2 * n**3)
"""`inv(x)`: the inverse of each matrix."""

det = _matrices("det", _of_each("det"), lambda np, x: np.linalg.det(x), lambda n, _: 2 * n**3 / 3)
"""`det(x)`: the determinant of each matrix."""

slogdet = _matrices(
    "slogdet",
    _of_each("slogdet", 2),
    lambda np, x: tuple(np.linalg.slogdet(x)),
    lambda n, _: 2 * n**3 / 3,
    dtypes=("float", "float"),
)
"""`s, d = slogdet(x)`: the sign of the determinant and the logarithm of its absolute value."""


def _solve_axes(a: Expr, b: Expr) -> list[Axis]:
    rows, _ = _sides("solve", a)
    if b.ndim != a.ndim or not agree(rows, b.shape[-2]):
        raise misfit("solve needs b with as many rows as a", a, b)
    return [*kept(a)[:-1], Axis("", (1, b.ndim - 1), b.shape[-1])]


solve = _matrices(
    "solve",
    _solve_axes,
    lambda np, a, b: np.linalg.solve(a, b),
    lambda n, _, k: 2 * n**3 / 3 + 2 * n * n * k,
    why="it solves a system of equations",
)
"""`solve(a, b)`: the x for which a · x = b, column by column."""


def _lu_value(np: Any, x: Any) -> Any:
    """Gaussian elimination with partial pivoting."""
    lu = x.reshape((-1, *x.shape[-2:])).copy()
    count, rows, columns = lu.shape
    order = np.tile(np.arange(rows), (count, 1))
    each = np.arange(count)
    for k in range(min(rows, columns)):
        pivot = k + np.argmax(np.abs(lu[:, k:, k]), axis=1)
        for table in (lu, order):
            table[each, k], table[each, pivot] = table[each, pivot].copy(), table[each, k].copy()
        lu[:, k + 1 :, k] /= lu[:, k, k, None]
        lu[:, k + 1 :, k + 1 :] -= lu[:, k + 1 :, k, None] * lu[:, None, k, k + 1 :]
    return lu.reshape(x.shape), order.reshape(x.shape[:-1])


@_in_places
def _lu_axes(x: Expr) -> Shapes:
    _sides("lu", x)
    return Shapes([x.shape, x.shape[:-1]])


lu = _matrices("lu", _lu_axes, _lu_value, lambda n, _: 2 * n**3 / 3, dtypes=("float", "int32"))
"""`f, p = lu(x)`: x[p] = L · U, both in one matrix: below the diagonal L, whose diagonal is 1, and above it U."""


@_in_places
def _qr_axes(x: Expr, *, mode: str) -> Shapes:
    rows, columns = _sides("qr", x, square=False)
    inner = _least(rows, columns) if mode == "reduced" else rows
    return Shapes([(*x.shape[:-1], inner), (*x.shape[:-2], inner, columns)])


qr = _matrices(
    "qr",
    _qr_axes,
    lambda np, x, mode: tuple(np.linalg.qr(x, mode=mode)),
    lambda m, n: 4 * (m * min(m, n) * n - min(m, n) ** 3 / 3),
    dtypes=("float", "float"),
    defaults={"mode": "reduced"},
)
"""`q, r = qr(x)`: x = q · r, the columns of q of length 1 and at right angles, r an upper triangle (Householder)."""


@_in_places
def _svd_axes(x: Expr, *, full: bool) -> Shapes:
    rows, columns = _sides("svd", x, square=False)
    inner = _least(rows, columns)
    lead = x.shape[:-2]
    left, right = (rows, columns) if full else (inner, inner)
    return Shapes([(*lead, rows, left), (*lead, inner), (*lead, right, columns)])


svd = _matrices(
    "svd",
    _svd_axes,
    lambda np, x, full: tuple(np.linalg.svd(x, full_matrices=full)),
    None,
    dtypes=("float", "float", "float"),
    defaults={"full": False},
    why=EITHER_WAY,
)
"""`u, s, v = svd(x)`: x = u · diag(s) · v, with the singular values s from the largest to the smallest."""


def _singular_axes(x: Expr) -> list[Axis]:
    shorter = _least(*_sides("singular_values", x, square=False))
    return [
        *kept(x)[:-2],
        Axis("", (0, x.ndim - 2), shorter, "the length of the shorter side"),
        Axis("", (0, x.ndim - 1), GONE, "one value for each direction"),
    ]


singular_values = _matrices(
    "singular_values", _singular_axes, lambda np, x: np.linalg.svd(x, compute_uv=False), None, why="it iterates"
)
"""`singular_values(x)`: the singular values of each matrix, largest first."""


@_in_places
def _eigh_axes(x: Expr) -> Shapes:
    _sides("eigh", x)
    return Shapes([x.shape[:-1], x.shape])


eigh = _matrices(
    "eigh", _eigh_axes, lambda np, x: tuple(np.linalg.eigh(x)), None, dtypes=("float", "float"), why=EITHER_WAY
)
"""`w, v = eigh(x)`: the eigenvalues of symmetric matrices, smallest first, and the eigenvectors as columns."""


def _pinv_axes(x: Expr, *, rcond: float | None) -> list[Axis]:
    rows, columns = _sides("pinv", x, square=False)
    return [
        *kept(x)[:-2],
        Axis("", (0, x.ndim - 1), columns, "was the last axis"),
        Axis("", (0, x.ndim - 2), rows, "was the second to last axis"),
    ]


def _pinv_value(np: Any, x: Any, rcond: float | None) -> Any:
    least = 10 * max(x.shape[-2:]) * float(np.finfo("f4").eps) if rcond is None else rcond
    return np.linalg.pinv(x, rcond=least)


pinv = _matrices("pinv", _pinv_axes, _pinv_value, None, defaults={"rcond": None}, why="it iterates")
"""`pinv(x)`: the Moore-Penrose pseudo-inverse; singular values below rcond times the largest count as 0."""


def undetermined(op: Op) -> bool:
    """Return whether an op's results are valid with either sign."""
    return isinstance(op.element, Marker) and op.element.reason == EITHER_WAY
