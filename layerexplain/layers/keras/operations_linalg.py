"""Operations between layers on matrices, the last two axes of a tensor, and on grids: rows of numbers, all pairs.

Input shape: (…, rows, columns), of grids as each says. Output shape: as each says. Unlike layers, `keras.ops` counts
the batch among the axes. Reference: keras.ops.linalg, keras.ops.numpy; Golub and Van Loan, 2013.
"""

from typing import Any

from layerexplain.errors import ArgumentError, ShapeError
from layerexplain.lang.axes import Size, has_batch
from layerexplain.lang.expr import CONSTANT, Expr, constant, named
from layerexplain.layers.arguments import Anything, AxisArgument, Bool, Int, Number, PositiveInt, short
from layerexplain.layers.keras.operations_reduce import countable, measurable
from layerexplain.layers.keras.operations_shape import divided, in_a_row, moved, numbered
from layerexplain.layers.registry import layer
from layerexplain.layers.signature import Facts
from layerexplain.ops import arrange, contract, joining, reduce
from layerexplain.ops import convolution as windows
from layerexplain.ops import elementwise as e
from layerexplain.ops import linalg as a_
from layerexplain.ops import movement as m
from layerexplain.ops.arrange import full_like
from layerexplain.ops.contract import matmul, turned
from layerexplain.ops.sizes import few, misfit, normalize_axis, product, shape_text

USES = (contract, countable, in_a_row)
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
[ops.SVD|tf.linalg.svd](x, full_matrices: Bool = [True|False], compute_uv: Bool = True):
    *parts = singular_parts(x, ..., first='[u|sizes]')
    | Computes the singular value decomposition of each matrix[|; the singular values come first].
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

# Grids and tables
ops.Logspace(start, stop, num: PositiveInt = 50, endpoint: Bool = True, base: Number = 10.0, dtype: Anything = None,
    axis: Int = 0):
    base ** _between(start, stop, num=num, endpoint=endpoint, axis=axis, dtype=dtype)
    | Returns {num} values evenly spaced on a logarithmic scale, {base} to the power of the first tensor to the
    second.
ops.Size, tf.size(x, out_type: Ignored): prod(shape_of(x)) | Returns the number of elements of its input.
ops.[Vsplit|Dsplit](x, indices_or_sections: Anything):
    *parts = Split(x, indices_or_sections=indices_or_sections, axis=[0|2])
    | Splits its input along the [first|third] axis.
ops.[Fliplr|Flipud](x): reverse(x, axis=[1|0]) | Reverses its input along the [second|first] axis.
ops.Hsplit(x, indices_or_sections: Anything): *parts = columns(x, at=indices_or_sections)
    | Splits its input along the second axis.
ops.Dstack(*xs): in_depth(*xs) | Concatenates its inputs along the third axis.
ops.Array(x, dtype: Dtype = None): x if dtype is None else cast(x, to=dtype) | Returns its input.
ops.Full(fill_value, shape: Anything, dtype: Anything = None): filled(fill_value, ...)
    | Fills a tensor of shape {shape} with its input.
tf.fill(dims, value): filled_with(dims, value) | Fills a tensor of a given shape with one value.
ops.Vdot(x1, x2): dot(in_a_row(x1), in_a_row(x2)) | Computes the dot product of all elements.
ops.Linspace(start, stop, num: PositiveInt = 50, endpoint: Bool = True, retstep: Bool = False, dtype: Anything = None,
    axis: Int = 0): linspace(...)
    | Returns {num} evenly spaced values from the first tensor to the second, along a new axis.
ops.Geomspace(start, stop, num: PositiveInt = 50, endpoint: Bool = True, dtype: Anything = None, axis: Int = 0):
    geomspace(...)
    | Returns {num} values from the first tensor to the second, each a constant multiple of the previous one.
"""


EPSILON = 1.1920928955078125e-07
"""The distance from 1 to the next larger float32."""


def solved(a: Expr, b: Expr) -> Expr:
    """The x with a · x = b; b is a matrix, or a vector with an axis less than a."""
    if b.ndim == a.ndim - 1:
        return a_.solve(a, b[..., None])[..., 0]
    return a_.solve(a, b)


def singular_parts(x: Expr, full_matrices: bool, compute_uv: bool, first: str) -> dict[str, Expr]:
    """The singular value decomposition in Keras's order, or with the sizes `first` as TensorFlow has it."""
    if not compute_uv:
        return {"y": a_.singular_values(x)}
    u, sizes, v = a_.svd(x, full=full_matrices)
    return {"u": u, "sizes": sizes, "v": v} if first == "u" else {"sizes": sizes, "u": u, "v": turned(v)}


@layer("ops.Lstsq")
def lstsq(a: Expr, b: Expr, *, rcond: Anything = None) -> Expr:
    """Solves linear equations by least squares."""
    if a.ndim != 2 or b.ndim not in (1, 2):
        raise misfit("lstsq needs one matrix and a vector or matrix", a, b)
    sizes = [s for s in a.shape if isinstance(s, int)]
    least = EPSILON * max(sizes, default=1) if rcond is None else rcond
    if rcond is None and len(sizes) < 2:
        raise misfit("lstsq needs a matrix of a fixed size, or rcond", a)
    z = a_.pinv(a, rcond=least)
    if b.ndim == 1:
        return matmul(z, b[..., None])[..., 0]
    return matmul(z, b)


@layer("ops.MatrixRank", also=("tf.linalg.matrix_rank",))
def matrix_rank(x: Expr, *, tol: Anything = None) -> Expr:
    """Computes the rank of each matrix."""
    s = named("s", a_.singular_values(x), "the singular values")
    if tol is not None:
        return reduce.sum_(e.cast(e.greater(s, tol), to="int32"), axis=-1)
    sizes = [size for size in x.shape[-2:] if isinstance(size, int)]
    if len(sizes) < 2:
        raise misfit("matrix_rank needs matrices of a fixed size, or tol", x)
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


# Rows of numbers ------------------------------------------------------------------------------------------------


def _between(start: Expr, stop: Expr, num: int, endpoint: bool, axis: int, dtype: Any) -> Expr:
    """Numbers from start to stop, evenly apart, along a new axis."""
    few(num)
    start, stop = measurable(start), measurable(stop)
    steps = num - 1 if endpoint else num
    ndim = max(start.ndim, stop.ndim)
    place = normalize_axis(axis, ndim + 1)
    shares = constant(tuple(i / max(steps, 1) for i in range(num)))
    if ndim > place:
        shares = m.reshape(shares, shape=(num, *[1] * (ndim - place)))
    wide = [m.slice_along(z, {place: None}) if z.ndim else z for z in (start, stop)]
    if start.ndim != stop.ndim and min(start.ndim, stop.ndim):
        raise misfit("linspace needs ends of one shape", start, stop)
    y = wide[0] + (wide[1] - wide[0]) * shares
    if dtype is None:
        return y
    return e.cast(e.floor(y) if "int" in str(dtype) else y, to=str(dtype))


def linspace(
    start: Expr, stop: Expr, num: int, endpoint: bool, retstep: bool, dtype: Any, axis: int
) -> dict[str, Expr]:
    """The formula of ops.Linspace."""
    y = _between(start, stop, num, endpoint, axis, dtype)
    if not retstep:
        return {"y": y}
    return {"y": y, "step": (measurable(stop) - measurable(start)) / max(num - 1 if endpoint else num, 1)}


def geomspace(start: Expr, stop: Expr, num: int, endpoint: bool, dtype: Any, axis: int) -> Expr:
    """The formula of ops.Geomspace."""
    ends = [e.log10(e.absolute(measurable(z))) for z in (start, stop)]
    size = e.power(10.0, _between(ends[0], ends[1], num, endpoint, axis, dtype))
    sign = e.sign(measurable(start))
    if not sign.ndim:
        return size * sign
    return size * m.slice_along(sign, {normalize_axis(axis, sign.ndim + 1): None})


@layer("ops.Vander")
def vander(x: Expr, *, N: PositiveInt | None = None, increasing: Bool = False) -> Expr:
    """Returns the powers of each element along a new axis, highest first."""
    size = x.shape[0] if N is None else N
    if x.ndim != 1 or not isinstance(size, int):
        raise misfit("vander needs a row of numbers, and N where its length is not known", x)
    powers = tuple(float(i) for i in (range(few(size)) if increasing else reversed(range(few(size)))))
    y = measurable(x)[:, None] ** constant(powers)
    return y if y.dtype == x.dtype else e.cast(y, to=x.dtype)


@layer("ops.Meshgrid", facts=Facts(results=0))
def meshgrid(*x: Expr, indexing: Anything = "xy") -> dict[str, Expr]:
    """Broadcasts vectors over the grid that they span, one tensor for each."""
    rows = [z if z.ndim == 1 else m.reshape(z, shape=(-1,)) for z in x]
    count = len(rows)
    order = list(range(count))
    if indexing == "xy" and count > 1:
        order[0], order[1] = 1, 0
    elif indexing not in ("xy", "ij"):
        raise ArgumentError(f"meshgrid needs 'xy' or 'ij', got indexing={short(indexing)}")
    shape = tuple(rows[i].shape[0] for i in order)
    if None in shape:
        raise ShapeError(f"meshgrid needs rows of a fixed length, got {', '.join(shape_text(z.shape) for z in rows)}")
    grids = []
    for i, row in enumerate(rows):
        place = order.index(i)
        key = tuple(slice(None) if axis == place else None for axis in range(count))
        grids.append(m.broadcast_to(row[key] if count > 1 else row, shape=shape))
    return numbered(grids)


# Products of all pairs ------------------------------------------------------------------------------------------


@layer("ops.Kron")
def kron(x1: Expr, x2: Expr) -> Expr:
    """Computes the Kronecker product of two tensors."""
    ndim = max(x1.ndim, x2.ndim)
    first, second = (z[(None,) * (ndim - z.ndim)] if z.ndim < ndim else z for z in (x1, x2))
    left = first[(slice(None), None) * ndim]
    right = second[(None, slice(None)) * ndim]
    shape: list[Size] = []
    for a, b in zip(first.shape, second.shape, strict=True):
        if has_batch((a, b)) and 1 not in (a, b):
            shape.append(-1 if -1 not in shape else None)
        else:
            shape.append(b if a == 1 else a if b == 1 else product((a, b)))
    return m.reshape(left * right, shape=tuple(shape))


@layer("ops.Cross", also=("tf.linalg.cross",))
def cross(x1: Expr, x2: Expr, *, axisa: Int = -1, axisb: Int = -1, axisc: Int = -1, axis: Int | None = None) -> Expr:
    """Computes the cross product of two vectors."""
    if axis is not None:
        axisa = axisb = axisc = axis
    first, second = moved(x1, axisa, -1), moved(x2, axisb, -1)
    sizes = first.shape[-1], second.shape[-1]
    if not all(size in (2, 3) for size in sizes):
        raise misfit("cross needs vectors of 2 or 3 numbers", x1, x2)

    def part(z: Expr, i: int) -> Expr | None:
        return z[..., i] if i < z.shape[-1] else None

    def minus(i: int, j: int) -> Expr:
        a, b, c, d = part(first, i), part(second, j), part(first, j), part(second, i)
        plus = None if a is None or b is None else a * b
        less = None if c is None or d is None else c * d
        if plus is not None and less is not None:
            return plus - less
        if plus is not None:
            return plus
        return -less if less is not None else full_like(first, value=0)

    if sizes == (2, 2):
        return minus(0, 1)
    return moved(joining.stack(minus(1, 2), minus(2, 0), minus(0, 1), axis=-1), -1, axisc)


@layer("ops.Corrcoef")
def corrcoef(x: Expr) -> Expr:
    """Computes the correlation coefficient of each pair of rows."""
    if x.ndim != 2 or not isinstance(x.shape[-1], int):
        raise misfit("corrcoef needs rows of numbers of a fixed length", x)
    x = measurable(x)
    off = named("off", x - reduce.mean(x, axis=-1, keepdims=True), "the distance from the mean")
    together = matmul(off, turned(off)) / (x.shape[-1] - 1)
    spread = named("s", e.sqrt(reduce.sum_(off**2, axis=-1) / (x.shape[-1] - 1)), "the standard deviation of each row")
    both = spread[:, None] * spread
    return e.minimum(e.maximum(together / both, -1.0), 1.0)


@layer("ops.Correlate")
def correlate(x1: Expr, x2: Expr, *, mode: Anything = "valid") -> Expr:
    """Computes the cross-correlation of two vectors."""
    n, k = x1.shape[0] if x1.ndim == 1 else None, x2.shape[0] if x2.ndim == 1 else None
    if not isinstance(n, int) or not isinstance(k, int) or mode not in ("valid", "same", "full"):
        raise ShapeError(
            f"correlate needs two rows of fixed length and mode 'valid', 'same' or 'full', "
            f"got {shape_text(x1.shape)}, {shape_text(x2.shape)} and {mode!r}"
        )
    x1, x2 = measurable(x1), measurable(x2)
    if mode != "valid":
        x1 = m.pad(x1, pads=((k - 1, k - 1),))
    kernel = m.reshape(x2, shape=(k, 1, 1))
    y = m.reshape(windows.conv(x1[None, :, None], kernel), shape=(-1,))
    if mode == "same":
        start = (n + k - 1 - max(n, k)) // 2
        return y[start or None : start + max(n, k)]
    return y


@layer("ops.Trapezoid")
def trapezoid(y: Expr, *, x: Anything = None, dx: Number = 1.0, axis: Int = -1) -> dict[str, Expr]:
    """Integrates {along} by the trapezoidal rule."""
    z = measurable(y)
    at = normalize_axis(axis, y.ndim)
    middle = (m.slice_along(z, {at: slice(1, None)}) + m.slice_along(z, {at: slice(None, -1)})) * 0.5
    if x is None:
        return {"z": reduce.sum_(middle if dx == 1 else middle * dx, axis=axis)}
    places = constant(x)
    if places.ndim != 1:
        raise misfit("trapezoid needs a row of places", places)
    wide = m.slice_along(places, {0: slice(1, None)}) - m.slice_along(places, {0: slice(None, -1)})
    behind = y.ndim - 1 - at
    if behind:
        wide = wide[:, *[None] * behind]
    return {"z": reduce.sum_(middle * wide, axis=axis)}


# Choices --------------------------------------------------------------------------------------------------------


@layer("ops.Select")
def select(*xs: Expr, default: Anything = 0) -> Expr:
    """Selects each element from the tensor of the first condition that is true."""
    count = len(xs) // 2
    if not count:
        raise ShapeError("select needs equal numbers of conditions and tensors, got one tensor")
    y: Any = xs[-1] if len(xs) % 2 else default
    for condition, choice in reversed(list(zip(xs[:count], xs[count : 2 * count], strict=True))):
        y = e.where(condition, choice, y)
    result: Expr = y
    return result


# Apart and together ---------------------------------------------------------------------------------------------


@layer("ops.Rot90")
def rot90(array: Expr, *, k: Int = 1, axes: AxisArgument = (0, 1)) -> Expr:
    """Rotates its input by {k} times 90 degrees in the plane of axes {axes}."""
    if not isinstance(axes, tuple) or len(axes) != 2:
        raise ArgumentError(f"rot90 needs two axes, got axes={short(axes)}")
    first, second = (normalize_axis(axis, array.ndim) for axis in axes)
    order = list(range(array.ndim))
    order[first], order[second] = second, first
    if k % 4 == 0:
        return array
    if k % 4 == 2:
        return m.reverse(m.reverse(array, axis=first), axis=second)
    if k % 4 == 1:
        return m.transpose(m.reverse(array, axis=second), axes=tuple(order))
    return m.reverse(m.transpose(array, axes=tuple(order)), axis=second)


def columns(x: Expr, at: Any) -> dict[str, Expr]:
    """Parts along the second axis, of a row along its only one."""
    return divided(x, at, 1 if x.ndim > 1 else 0)


def in_depth(*xs: Expr) -> Expr:
    """Tensors behind each other along the third axis, those with fewer as NumPy's dstack has them."""
    deep = [x[None, :, None] if x.ndim == 1 else x[..., None] if x.ndim == 2 else x for x in xs]
    return joining.concatenate(*deep, axis=2)


def filled(value: Expr, shape: Any, dtype: Any) -> Expr:
    """A tensor of a shape with one value everywhere."""
    sizes = tuple(shape) if isinstance(shape, list | tuple) else (shape,)
    return m.broadcast_to(e.cast(value, to="float" if dtype is None else str(dtype)), shape=sizes)


def filled_with(dims: Expr, value: Expr) -> Expr:
    """The same with the shape as a constant."""
    if dims.op is not CONSTANT:
        raise ArgumentError("fill needs a constant shape, got a tensor")
    return m.broadcast_to(value, shape=tuple(dims.attrs["value"]))
