"""Operations between layers on matrices, the last two axes of a tensor: `keras.ops.linalg`, `tf.linalg`.

Input shape: (…, rows, columns). Output shape: as each says. Reference: keras.ops.linalg; Golub and Van Loan, 2013.
"""

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.expr import Expr, named
from layerexplain.layers.arguments import Anything, Bool, Int
from layerexplain.layers.operations_reduce import countable
from layerexplain.layers.operations_shape import in_a_row, moved
from layerexplain.layers.registry import layer
from layerexplain.ops import arrange, reduce
from layerexplain.ops import elementwise as e
from layerexplain.ops import linalg as a_
from layerexplain.ops import movement as m
from layerexplain.ops.contract import matmul
from layerexplain.ops.sizes import normalize_axis, shape_text

USES = (countable, in_a_row)
ROWS = """
ops.Cholesky, tf.linalg.cholesky(x, upper: Bool = False): z = cholesky(x); turned(z) if upper else z
    | Computes the Cholesky factor of each matrix.
ops.CholeskyInverse(x, upper: Bool = False):
    z := inv(band(x, below=0)) if upper else inv(band(x, above=0));
    matmul(z, turned(z)) if upper else matmul(turned(z), z) | Inverts each matrix, given its Cholesky factor.
ops.Inv, tf.linalg.inv(x, adjoint: Ignored): inv(x) | Inverts each matrix.
ops.Det, tf.linalg.det(x): det(x) | Computes the determinant of each matrix.
ops.Logdet, tf.linalg.logdet(x): 2 * sum(log(diagonal(cholesky(x))), axis=-1)
    | Computes the logarithm of the determinant of each matrix from its Cholesky factor.
ops.Slogdet, tf.linalg.slogdet(x): sign, log_size = slogdet(x)
    | Computes the sign of the determinant of each matrix and the logarithm of its absolute value.
ops.Solve, tf.linalg.solve(a, b, adjoint: Ignored): solved(a, b) | Solves the linear equations a·x = b for x.
ops.SolveTriangular(a, b, lower: Bool = False): solved(band(a, above=0), b) if lower else solved(band(a, below=0), b)
    | Solves linear equations with a triangular matrix; elements outside the triangle are ignored.
ops.LuFactor, tf.linalg.lu(x): factors, order = lu(x)
    | Factors each matrix into a lower and an upper triangle (in one matrix), with the order of its rows.
ops.Qr(x, mode: choice('reduced', 'complete') = 'reduced'): q, r = qr(x, ...)
    | Factors each matrix into an orthogonal matrix Q and an upper triangle R.
ops.Eigh, tf.linalg.eigh(x): w, v = eigh(x)
    | Computes the eigenvalues of each symmetric matrix, in ascending order, and its eigenvectors as columns.
ops.Pinv, tf.linalg.pinv(x, rcond: Anything = None): pinv(x, ...) | Computes the pseudo-inverse of each matrix.
ops.Diagonal(x, offset: Int = 0, axis1: Int = 0, axis2: Int = 1): diagonal_of(x, ...)
    | Returns the diagonal of the matrices along axes {axis1} and {axis2}.
tf.linalg.qr(x, full_matrices: Bool = False): q, r = qr(x, mode='complete') if full_matrices else qr(x, mode='reduced')
    | Factors each matrix into an orthogonal matrix Q and an upper triangle R.
ops.Trace(x, offset: Int = 0, axis1: Int = 0, axis2: Int = 1): sum(countable(diagonal_of(x, ...)), axis=-1)
    | Sums the diagonal of the matrices along axes {axis1} and {axis2}.
ops.Diagflat(x, k: Int = 0): diag(in_a_row(x), offset=k) | Builds a matrix with all elements on its diagonal.
tf.linalg.trace(x): sum(diagonal(x), axis=-1) | Sums the diagonal of each matrix.
tf.linalg.diag_part(x, k: Int = 0, padding_value: Ignored, align: Ignored): diagonal(x, offset=k)
    | Returns the diagonal of each matrix.
tf.linalg.diag(x, k: Int = 0, num_rows: Ignored, num_cols: Ignored, padding_value: Ignored, align: Ignored):
    diag(x, offset=k) | Builds matrices with the elements of the last axis on their diagonals.
"""


EPSILON = 1.1920928955078125e-07
"""The distance from 1 to the next larger float32."""


def turned(x: Expr) -> Expr:
    """Rows as columns."""
    return moved(x, -1, x.ndim - 2)


def solved(a: Expr, b: Expr) -> Expr:
    """The x with a · x = b; b is a matrix, or a vector with an axis less than a."""
    if b.ndim == a.ndim - 1:
        return m.take_slice(a_.solve(a, m.take_slice(b, key=(Ellipsis, None))), key=(Ellipsis, 0))
    return a_.solve(a, b)


@layer("ops.SVD")
def svd(x: Expr, *, full_matrices: Bool = True, compute_uv: Bool = True) -> dict[str, Expr]:
    """Computes the singular value decomposition of each matrix."""
    if not compute_uv:
        return {"y": a_.singular_values(x)}
    u, sizes, v = a_.svd(x, full=full_matrices)
    return {"u": u, "sizes": sizes, "v": v}


@layer("tf.linalg.svd")
def tf_svd(x: Expr, *, full_matrices: Bool = False, compute_uv: Bool = True) -> dict[str, Expr]:
    """Computes the singular value decomposition of each matrix; the singular values come first."""
    if not compute_uv:
        return {"y": a_.singular_values(x)}
    u, sizes, v = a_.svd(x, full=full_matrices)
    return {"sizes": sizes, "u": u, "v": turned(v)}


@layer("ops.Lstsq")
def lstsq(a: Expr, b: Expr, *, rcond: Anything = None) -> Expr:
    """Solves linear equations by least squares."""
    if a.ndim != 2 or b.ndim not in (1, 2):
        raise ShapeError(
            f"lstsq needs one matrix and a vector or matrix, got {shape_text(a.shape)} and {shape_text(b.shape)}"
        )
    sizes = [s for s in a.shape if isinstance(s, int)]
    least = EPSILON * max(sizes, default=1) if rcond is None else rcond
    if rcond is None and len(sizes) < 2:
        raise ShapeError(f"lstsq needs a matrix of a fixed size, or rcond, got {shape_text(a.shape)}")
    z = a_.pinv(a, rcond=least)
    if b.ndim == 1:
        return m.take_slice(matmul(z, m.take_slice(b, key=(Ellipsis, None))), key=(Ellipsis, 0))
    return matmul(z, b)


@layer("ops.MatrixRank", also=("tf.linalg.matrix_rank",))
def matrix_rank(x: Expr, *, tol: Anything = None) -> Expr:
    """Computes the rank of each matrix."""
    s = named("s", a_.singular_values(x), "the singular values")
    if tol is not None:
        return reduce.sum_(e.cast(e.greater(s, tol), to="int32"), axis=-1)
    sizes = [size for size in x.shape[-2:] if isinstance(size, int)]
    if len(sizes) < 2:
        raise ShapeError(f"matrix_rank needs matrices of a fixed size, or tol, got {shape_text(x.shape)}")
    least = reduce.amax(s, axis=-1, keepdims=True) * (EPSILON * max(sizes))
    return reduce.sum_(e.cast(e.greater(s, least), to="int32"), axis=-1)


# Diagonals ------------------------------------------------------------------------------------------------------


def diagonal_of(x: Expr, offset: int, axis1: int, axis2: int) -> Expr:
    """What stands on a diagonal of the matrices along two axes, as the last axis."""
    first, second = normalize_axis(axis1, x.ndim), normalize_axis(axis2, x.ndim)
    if first == second:
        raise ArgumentError(f"a diagonal needs two axes, got {axis1} and {axis2}")
    return arrange.diagonal(moved(x, (first, second), (-2, -1)), offset=offset)


@layer("ops.Diag")
def diag(x: Expr, *, k: Int = 0) -> Expr:
    """Builds a matrix with the elements on its diagonal; for a matrix, returns its diagonal."""
    if x.ndim == 1:
        return arrange.diag(x, offset=k)
    if x.ndim != 2:
        raise ShapeError(f"diag needs a vector or a matrix, got {shape_text(x.shape)} with {x.ndim} axes")
    return arrange.diagonal(x, offset=k)
