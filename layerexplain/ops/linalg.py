"""Ops on matrices, the last two axes of a tensor: inverses, determinants, factorizations. Computed in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from layerexplain.lang.axes import GONE, AxesOfEach, Axis, ResultShapes, Shape, Size
from layerexplain.lang.composite import composite
from layerexplain.lang.expr import NOT_INDEXED, UNKNOWN_COST, CannotDerive, Expr, Marker, Op, item, named
from layerexplain.ops.arrange import band, diag, diagonal, full_like
from layerexplain.ops.contract import dot, matmul, turned
from layerexplain.ops.elementwise import equal, sqrt, where
from layerexplain.ops.families import function
from layerexplain.ops.joining import concatenate, take_along
from layerexplain.ops.movement import transpose
from layerexplain.ops.order import argsort
from layerexplain.ops.reduce import sum_
from layerexplain.ops.sizes import agree, changed, kept, known, misfit, product, promote, sized

EITHER_WAY = "the sign of its vectors is not determined"
"""Why some factorizations are not compared: a vector and its negative are equally valid."""


def _shorter(a: Size, b: Size) -> Size:
    return min(a, b) if isinstance(a, int) and isinstance(b, int) else None


def _lead_axes(x: Expr, shape: Shape) -> list[Axis]:
    """Return axes that continue those of the argument at the same positions; the others are removed."""
    axes = [Axis("", (0, i), size) for i, size in enumerate(shape)]
    return axes + [Axis("", (0, i), GONE, "one value for each matrix") for i in range(len(shape), x.ndim)]


def _matrices(
    name: str,
    *,
    result: Callable[..., Any] = lambda x, *_: x.shape,
    value: Callable[..., Any] | None = None,
    flops: Callable[..., float] | None = None,
    square: bool = True,
    dtypes: Sequence[str] = (),
    why: str = "each element depends on the whole matrix",
    **rules: Any,
) -> Op:
    """Return an op on the matrices of its first argument, by default NumPy's function of the same name.

    `result(x, rows, columns, *others, **attrs)` gives the axes of the result; or its shape, `Shapes` of several, if the
    axes continue those of x at the same positions. `flops(rows, columns)`, and the columns of further arguments, is the
    cost of one matrix by the textbook (Golub and Van Loan); None where the op iterates. `dtypes` are those of several
    results; `why` says why there is no element form.
    """

    def axes(x: Expr, *others: Expr, **attrs: Any) -> Any:
        if x.ndim < 2:
            raise misfit(f"{name} needs matrices, the last two axes of a tensor", x)
        if square and not agree(*x.shape[-2:]):
            raise misfit(f"{name} needs square matrices", x)
        axes_of_result = result(x, *x.shape[-2:], *others, **attrs)
        if type(axes_of_result) is ResultShapes:
            return AxesOfEach(_lead_axes(x, one) for one in axes_of_result)
        return _lead_axes(x, axes_of_result) if type(axes_of_result) is tuple else axes_of_result

    def count(node: Expr) -> int | None:
        first, *others = node.args
        lead, sizes = product(first.shape[:-2]), [*first.shape[-2:], *[x.shape[-1] for x in others]]
        if flops is None or lead is None or not all(map(known, sizes)):
            return None
        return lead * round(flops(*sizes))

    def result_dtype(*args: Expr, **attrs: Any) -> Any:
        own = promote(*[x.dtype for x in args], "float")
        return tuple(own if d == "float" else d for d in dtypes) if dtypes else own

    def of_float64(np: Any, *values: Any, **attrs: Any) -> Any:
        arrays = [np.asarray(v, "f8") for v in values]
        results = getattr(np.linalg, name)(*arrays, **attrs) if value is None else value(np, *arrays, **attrs)
        return tuple(results) if dtypes else results

    return function(
        name,
        axes=axes,
        dtype=result_dtype,
        value=of_float64,
        flops=UNKNOWN_COST if flops is None else count,
        element=NOT_INDEXED(why),
        **rules,
    )


def _of_solve(y: Expr, dy: Expr, i: int) -> Expr:
    right = solve(turned(y.args[0]), dy)
    return right if i else -matmul(right, turned(y))


def _below(x: Expr) -> Expr:
    """Return what is below the diagonal of each matrix."""
    return x - band(x, below=0)


def _of_cholesky(y: Expr, dy: Expr, i: int) -> Expr:
    """Symmetric, as x is; the lower triangle of yᵀ · dy stands inside, with half of its diagonal."""
    whole = matmul(turned(y), dy)
    inner = band(whole, above=0) - diag(diagonal(whole)) / 2
    half = turned(solve(turned(y), turned(solve(turned(y), inner))))
    return (half + turned(half)) / 2


cholesky = _matrices("cholesky", flops=lambda n, _: n**3 / 3, gradient=_of_cholesky)
"""`cholesky(x)`: the lower triangle L with L · Lᵀ = x, of symmetric matrices with positive eigenvalues."""

inv = _matrices("inv", flops=lambda n, _: 2 * n**3, gradient=lambda y, dy, i: -matmul(turned(y), matmul(dy, turned(y))))
"""`inv(x)`: the inverse of each matrix."""

det = _matrices(
    "det",
    result=lambda x, *_: x.shape[:-2],
    flops=lambda n, _: 2 * n**3 / 3,
    gradient=lambda y, dy, i: (dy * y)[..., None, None] * turned(inv(y.args[0])),
)
"""`det(x)`: the determinant of each matrix."""

slogdet = _matrices(
    "slogdet",
    result=lambda x, *_: ResultShapes([x.shape[:-2]] * 2),
    flops=lambda n, _: 2 * n**3 / 3,
    dtypes=("float", "float"),
    gradient=lambda y, dy, i: None if dy[1] is None else dy[1][..., None, None] * turned(inv(y.args[0])),
)
"""`s, d = slogdet(x)`: the sign of the determinant and the logarithm of its absolute value."""


def _solution(a: Expr, rows: Size, _: Size, b: Expr) -> list[Axis]:
    if b.ndim != a.ndim or not agree(rows, b.shape[-2]):
        raise misfit("solve needs b with as many rows as a", a, b)
    return [*kept(a)[:-1], Axis("", (1, b.ndim - 1), b.shape[-1])]


solve = _matrices(
    "solve",
    result=_solution,
    flops=lambda n, _, k: 2 * n**3 / 3 + 2 * n * n * k,
    why="it solves a system of equations",
    gradient=_of_solve,
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


def _of_lu(y: Expr, dy: Sequence[Expr | None], i: int) -> Expr | None:
    """Return the gradient of x[p], whose rows go back to their places."""
    f, expression = item(y, 0), dy[0]
    if expression is None:
        return None
    upper = band(f, below=0)
    lower = named("L", _below(f) + diag(full_like(diagonal(f), value=1)), "with 1 on its diagonal")
    inner = _below(matmul(turned(lower), _below(expression))) + band(
        matmul(band(expression, below=0), turned(upper)), below=0
    )
    gradient = solve(turned(lower), turned(solve(upper, turned(inner))))  # lower⁻ᵀ · inner · upper⁻ᵀ
    where_from = argsort(item(y, 1))
    return take_along(gradient, where_from[..., None], axis=-2)


lu = _matrices(
    "lu",
    result=lambda x, *_: ResultShapes([x.shape, x.shape[:-1]]),
    value=_lu_value,
    flops=lambda n, _: 2 * n**3 / 3,
    dtypes=("float", "int32"),
    gradient=_of_lu,
)
"""`f, p = lu(x)`: x[p] = L · U, both in one matrix: below the diagonal L, whose diagonal is 1, and above it U."""


def _qr_shapes(x: Expr, rows: Size, columns: Size, *, mode: str) -> ResultShapes:
    inner = _shorter(rows, columns) if mode == "reduced" else rows
    return ResultShapes([(*x.shape[:-1], inner), (*x.shape[:-2], inner, columns)])


def _of_qr(y: Expr, dy: Sequence[Expr | None], i: int) -> Expr:
    """Derive x = q · r with r square; the further columns of a wide x are q · (those of r)."""
    x, q, r = y.args[0], item(y, 0), item(y, 1)
    rows, columns = sized(x, (-2, -1), "the matrices")
    if y.options["mode"] == "complete" and rows > columns:
        raise CannotDerive("the remaining columns of q may be any orthogonal ones, so no gradient is determined")
    dq, dr = [full_like(expression, value=0) if d is None else d for expression, d in zip((q, r), dy, strict=True)]
    if columns <= rows:
        return _of_tall_qr(q, r, dq, dr)
    dq = dq + matmul(x[..., rows:], turned(dr[..., rows:]))
    dx = _of_tall_qr(q, r[..., :rows], dq, dr[..., :rows])
    return concatenate(dx, matmul(q, dr[..., rows:]))


def _of_tall_qr(q: Expr, r: Expr, dq: Expr, dr: Expr) -> Expr:
    inner = matmul(r, turned(dr)) - matmul(turned(dq), q)
    symmetric = band(inner, above=0) + turned(_below(inner))
    return turned(solve(r, turned(dq + matmul(q, symmetric))))


qr = _matrices(
    "qr",
    result=_qr_shapes,
    flops=lambda m, n: 4 * (m * min(m, n) * n - min(m, n) ** 3 / 3),
    square=False,
    dtypes=("float", "float"),
    defaults={"mode": "reduced"},
    gradient=_of_qr,
)
"""`q, r = qr(x)`: x = q · r, the columns of q of length 1 and at right angles, r an upper triangle (Householder)."""


def _svd_shapes(x: Expr, rows: Size, columns: Size, *, full: bool) -> ResultShapes:
    inner = _shorter(rows, columns)
    left, right = (rows, columns) if full else (inner, inner)
    return ResultShapes([(*x.shape[:-1], left), (*x.shape[:-2], inner), (*x.shape[:-2], right, columns)])


def _apart(values: Expr) -> Expr:
    """Return by how much each value (of the column) exceeds each (of the row)."""
    return values[..., None, :] - values[..., :, None]


def _over(x: Expr, apart: Expr) -> Expr:
    """Return x / apart, and 0 where values are equal, as on the diagonal."""
    return where(equal(apart, 0), 0, x / apart)


def _of_svd(y: Expr, dy: Sequence[Expr | None], i: int) -> Expr:
    """Return what turns u and v within their own directions, what scales s, and what turns u and v out of them."""
    x, (u, s, v) = y.args[0], [item(y, k) for k in range(3)]
    rows, columns = x.shape[-2:]
    if y.options["full"] and rows != columns:
        raise CannotDerive("the remaining columns of u or v may be any orthogonal ones, so no gradient is determined")
    du, ds, dv = dy
    inner = diag(full_like(s, value=0) if ds is None else ds)
    apart = named("gaps", _apart(s**2), "between the squares of the singular values")
    as_row, as_column = s[..., None, :], s[..., :, None]
    outside = None
    if du is not None:
        own = matmul(turned(u), du)
        inner = inner + _over(own - turned(own), apart) * as_row
        outside = matmul((du - matmul(u, own)) / as_row, v)
    if dv is not None:
        own = matmul(v, turned(dv))
        inner = inner + as_column * _over(own - turned(own), apart)
        more = matmul(u, (dv - matmul(turned(own), v)) / as_column)
        outside = more if outside is None else outside + more
    gradient = matmul(matmul(u, inner), v)
    return gradient if outside is None else gradient + outside


svd = _matrices(
    "svd",
    result=_svd_shapes,
    value=lambda np, x, full: np.linalg.svd(x, full_matrices=full),
    square=False,
    dtypes=("float", "float", "float"),
    defaults={"full": False},
    why=EITHER_WAY,
    gradient=_of_svd,
)
"""`u, s, v = svd(x)`: x = u · diag(s) · v, with the singular values s from the largest to the smallest."""


def _of_singular_values(y: Expr, dy: Expr, i: int) -> Expr:
    """Send each singular value back to its direction of the rows and its direction of the columns."""
    decomposition = svd(y.args[0])
    return matmul(item(decomposition, 0) * dy[..., None, :], item(decomposition, 2))


singular_values = _matrices(
    "singular_values",
    result=lambda x, rows, columns: [
        *changed(x, -2, _shorter(rows, columns), "the length of the shorter side")[:-1],
        Axis("", (0, x.ndim - 1), GONE, "one value for each direction"),
    ],
    value=lambda np, x: np.linalg.svd(x, compute_uv=False),
    square=False,
    why="it iterates",
    gradient=_of_singular_values,
)
"""`singular_values(x)`: the singular values of each matrix, largest first."""


def _of_eigh(y: Expr, dy: Sequence[Expr | None], i: int) -> Expr:
    """Derive as reading only the lower triangle of x: what its upper one would get goes there too."""
    w, v = item(y, 0), item(y, 1)
    dw, dv = dy
    inner = diag(full_like(w, value=0) if dw is None else dw)
    if dv is not None:
        inner = inner + _over(matmul(turned(v), dv), _apart(w))
    whole = matmul(matmul(v, inner), turned(v))
    return band(whole, above=0) + _below(turned(whole))


eigh = _matrices(
    "eigh",
    result=lambda x, *_: ResultShapes([x.shape[:-1], x.shape]),
    dtypes=("float", "float"),
    why=EITHER_WAY,
    gradient=_of_eigh,
)
"""`w, v = eigh(x)`: the eigenvalues of symmetric matrices, smallest first, and the eigenvectors as columns."""


def _pinv_value(np: Any, x: Any, rcond: float | None) -> Any:
    least = 10 * max(x.shape[-2:]) * float(np.finfo("f4").eps) if rcond is None else rcond
    return np.linalg.pinv(x, rcond=least)


def _of_pinv(y: Expr, dy: Expr, i: int) -> Expr:
    """Derive as the inverse, and what lies outside of the rows and columns of x."""
    x = y.args[0]
    columns = turned(dy) - matmul(matmul(x, y), turned(dy))
    rows = turned(dy) - matmul(turned(dy), matmul(y, x))
    outside = matmul(columns, matmul(y, turned(y))) + matmul(matmul(turned(y), y), rows)
    return outside - matmul(turned(y), matmul(dy, turned(y)))


pinv = _matrices(
    "pinv",
    result=lambda x, rows, columns, *, rcond: [
        *kept(x)[:-2],
        Axis("", (0, x.ndim - 1), columns, "was the last axis"),
        Axis("", (0, x.ndim - 2), rows, "was the second to last axis"),
    ],
    value=_pinv_value,
    square=False,
    defaults={"rcond": None},
    why="it iterates",
    gradient=_of_pinv,
)
"""`pinv(x)`: the Moore-Penrose pseudo-inverse; singular values below rcond times the largest count as 0."""


def undetermined(op: Op) -> bool:
    """Return whether an op's results are valid with either sign."""
    return isinstance(op.element, Marker) and op.element.reason == EITHER_WAY


@composite("orthogonalized")
def orthogonalized(x: Expr, *, a: float, b: float, c: float, rounds: int) -> Expr:
    """Brings all singular values of a matrix near 1, by Newton and Schulz's iteration, as Muon wants it."""
    rows, columns = x.shape
    tall = isinstance(rows, int) and isinstance(columns, int) and rows > columns
    if tall:
        x = transpose(x, axes=(1, 0))
    x = x / (sqrt(sum_(x**2, axis=None)) + 1e-7)
    for _ in range(rounds):
        x = named("x", x)
        product = named("p", dot(x, transpose(x, axes=(1, 0))))
        x = a * x + dot(b * product + c * dot(product, product), x)
    return transpose(x, axes=(1, 0)) if tall else x
