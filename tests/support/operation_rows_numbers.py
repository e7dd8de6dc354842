"""Rows of operations between layers that few models use: numbers, matrices, signals, places that values tell."""

from typing import Any

from tests.support.operation_rows import TWO, Row, _array, _kernel, _Lazy, ops

nn: Any = _Lazy("keras.ops.nn")
linalg: Any = _Lazy("keras.ops.linalg")

SQUARE = ((4, 4),)
INT = ("int32",)


def _positive_definite(x: Any) -> Any:
    """A matrix that has a Cholesky triangle, with its eigenvalues apart."""
    return ops.matmul(x, ops.swapaxes(x, -1, -2)) + _kernel(4, 4) * 0 + ops.diag(ops.convert_to_tensor([1.0, 2, 3, 4]))


def _regular(x: Any) -> Any:
    return x + ops.convert_to_tensor([[4.0, 0, 0, 0], [0, 5, 0, 0], [0, 0, 6, 0], [0, 0, 0, 7]])


def _holes(x: Any) -> Any:
    """Some numbers are none."""
    return ops.where(x > 0.8, ops.log(-abs(x) - 1), x)


NUMBER_ROWS = [
    # Numbers
    Row("bits", lambda x, y: [ops.bitwise_and(x, y), ops.bitwise_or(x, y), ops.bitwise_xor(x, y), ops.bitwise_not(x),
        ops.left_shift(x, y), ops.right_shift(x, 1), ops.bitwise_and(x, ops.convert_to_tensor(3))], ((5,), (5,)),
        ("int32", "int32")),
    Row("view", lambda x: [ops.view(x, "int32"), ops.view(ops.view(x, "int32"), "float32")]),
    Row("divisors", lambda x, y: [ops.gcd(x, y), ops.lcm(x, y), ops.fmod(x, 3)], ((5,), (5,)), ("int32", "int32")),
    Row("fmod", lambda x, y: [ops.fmod(x, y), ops.nextafter(x, y), ops.signbit(x), ops.heaviside(x, y)], TWO),
    Row("special", lambda x: [ops.cbrt(x), ops.i0(x), ops.erfinv(ops.tanh(x)), ops.sinc(x), ops.erfc(x)]),
    Row("signbit int", lambda x: [ops.signbit(x - 3), ops.cbrt(x), ops.i0(x)], ((5,),), INT),
    Row("powers of 2", lambda x, y: [ops.ldexp(x, ops.cast(y * 3, "int32")), ops.logaddexp2(x, y)], TWO),
    Row("infinite", lambda x: [ops.isposinf(1 / ops.relu(x)), ops.isneginf(-1 / ops.relu(x)), ops.isreal(x)]),
    Row("close", lambda x, y: [ops.isclose(x, y, 0.5, 0.5), ops.isclose(x, x + 1e-9),
        ops.isclose(_holes(x), _holes(x), equal_nan=True), ops.allclose(x, y), ops.allclose(x, x)], TWO),
    Row("isin", lambda x: [ops.isin(x, [1, 4]), ops.isin(x, 3, invert=True), ops.isin(x, [[1], [2]])], ((5,),), INT),
    Row("bins", lambda x: [ops.digitize(x, _array([-0.5, 0.1, 1.0])),
        ops.searchsorted(_array([-0.5, 0.1, 1.0]), x[0, 0]),
        ops.searchsorted(_array([-0.5, 0.1, 1.0]), x[0, 0], side="right")]),
    Row("digitize int", lambda x: ops.digitize(x, _array([1, 3])), ((5,),), INT),
    Row("real", lambda x: [ops.real(x), ops.imag(x), ops.conj(x), ops.angle(x)]),
    Row("complex", lambda x: [ops.view_as_real(ops.view_as_complex(x)), ops.real(ops.conj(ops.view_as_complex(x))),
        ops.imag(ops.conj(ops.view_as_complex(x))), ops.angle(ops.view_as_complex(x))], ((5, 2),), eager=True),
    Row("polar", lambda x, y: [ops.real(nn.polar(x, y)), ops.imag(nn.polar(x, y))], TWO, eager=True),
    # What is no number, and quantiles
    Row("nan_to_num", lambda x: [ops.nan_to_num(_holes(x)), ops.nan_to_num(1 / ops.relu(x), 1.0, 9.0, -9.0)]),
    Row("nan sums", lambda x: [ops.nansum(_holes(x), axis=1), ops.nanprod(_holes(x), axis=-1, keepdims=True),
        ops.nanmean(_holes(x), axis=1), ops.nanvar(_holes(x), axis=(1, 2)),
        ops.nanstd(_holes(x), axis=2, keepdims=True), ops.nancumsum(_holes(x), axis=1),
        ops.nancumprod(_holes(x), axis=2), ops.nansum(_holes(x))]),
    Row("nan extremes", lambda x: [ops.nanmax(_holes(x), axis=1), ops.nanmin(_holes(x), axis=2),
        ops.nanargmax(_holes(x), axis=1), ops.nanargmin(_holes(x), axis=2),
        ops.nanmax(_holes(x) / 0.0, axis=1, keepdims=True)]),
    Row("quantile", lambda x: [ops.quantile(x, 0.3, axis=1), ops.quantile(x, [0.1, 0.5, 0.9], axis=2),
        ops.quantile(x, 0.25, axis=(1, 2), keepdims=True), ops.quantile(x, 0.5)]),
    Row("methods of quantiles", lambda x: [f(x, 40 * scale, axis=1,
        method=method) for f, scale in ((ops.quantile, 0.01), (ops.nanquantile, 0.01), (ops.percentile, 1),
        (ops.nanpercentile, 1)) for method in ("lower", "higher", "nearest", "midpoint")], eager=True),
    Row("median", lambda x: [ops.median(x, axis=1), ops.median(x, axis=-1, keepdims=True), ops.percentile(x, 30, axis=1), ops.percentile(x, [10, 90], axis=2)]),
    Row("nan median", lambda x: [ops.nanmedian(_holes(x), axis=1), ops.nanquantile(_holes(x), 0.3, axis=2), ops.nanpercentile(_holes(x), [20, 80], axis=1)]),
    Row("median int", lambda x: ops.median(x, axis=1), ((6,),), INT),
    # Matrices
    Row("inv", lambda x: [ops.inv(_regular(x)), ops.det(x), ops.logdet(_positive_definite(x))], SQUARE),
    Row("slogdet", lambda x: ops.slogdet(x), SQUARE, recorded=False),
    Row("cholesky", lambda x: [ops.cholesky(_positive_definite(x)), ops.cholesky(_positive_definite(x), upper=True),
        linalg.cholesky_inverse(ops.cholesky(_positive_definite(x))),
        linalg.cholesky_inverse(ops.cholesky(_positive_definite(x), upper=True), upper=True)], SQUARE),
    Row("solve", lambda x, b: [ops.solve(_regular(x), b), ops.solve(_regular(x), b[..., 0]),
        ops.solve_triangular(_regular(x), b, lower=True), ops.solve_triangular(_regular(x), b),
        ops.solve_triangular(_regular(x), b[..., 0], lower=True)], ((4, 4), (4, 3))),
    Row("quantiles kept", lambda x: ops.quantile(x, [0.25], axis=(1, 2), keepdims=True), recorded=False),
    Row("lu_factor", lambda x: ops.lu_factor(x[0]), SQUARE, recorded=False),
    Row("qr", lambda x: [*ops.qr(x), *ops.qr(x, mode="complete")], ((5, 3),)),
    Row("qr wide", lambda x: ops.qr(x), ((3, 5),)),
    Row("svd", lambda x: [ops.svd(x, compute_uv=False), ops.svd(x, full_matrices=False)[1],
        ops.matmul(ops.svd(x, full_matrices=False)[0] * ops.svd(x, full_matrices=False)[1][..., None, :],
        ops.svd(x, full_matrices=False)[2]), abs(ops.svd(x)[2][:, :3])], ((3, 5),)),
    Row("eigh", lambda x: [ops.eigh(_positive_definite(x))[0], abs(ops.eigh(_positive_definite(x))[1])], SQUARE),
    Row("pinv", lambda x: [linalg.pinv(x), linalg.matrix_rank(x), linalg.matrix_rank(x, tol=1.5)], ((3, 5),)),
    Row("lstsq", lambda a, b: [ops.lstsq(a[0], b[0]), ops.lstsq(a[0], b[0, :, 0])], ((6, 4), (6, 2))),
    Row("norm of matrices", lambda x: [ops.norm(x, ord="fro", axis=(1, 2)), ops.norm(x, ord=1, axis=(1, 2)),
        ops.norm(x, ord=-1, axis=(-2, -1), keepdims=True), ops.norm(x, ord=float("inf"), axis=(1, 2)),
        ops.norm(x, ord=float("-inf"), axis=(2, 1)), ops.norm(x, ord=2, axis=(1, 2)),
        ops.norm(x, ord=-2, axis=(1, 2)), ops.norm(x, ord="nuc", axis=(1, 2)), ops.norm(x, ord=0, axis=1),
        ops.norm(x, ord=float("-inf"), axis=1)]),
    Row("diagonals", lambda x: [ops.diagonal(x, axis1=1, axis2=2), ops.diagonal(x, 1, 1, 2),
        ops.diagonal(x, -2, 2, 1), ops.trace(x, axis1=1, axis2=2), ops.diagonal(x[0]), ops.diag(x[0]),
        ops.diag(x[0, 0]), ops.diag(x[0, 0], 2), ops.diagflat(x[0], -1)]),
    # Signals
    Row("fft", lambda x, y: [*ops.fft((x, y)), *ops.fft2((x, y)), *ops.ifft2((x, y))], TWO),
    Row("rfft", lambda x: [*ops.rfft(x), *ops.rfft(x, 4), *ops.rfft(x, 11), ops.irfft(ops.rfft(x)),
        ops.irfft(ops.rfft(x), 9), ops.irfft(ops.rfft(x), 4)], ((3, 8),)),
    Row("stft", lambda x: [*ops.stft(x, 4, 2, 6), *ops.stft(x, 5, 3, 5, window="hamming"),
        *ops.stft(x, 4, 2, 4, window=None), *ops.stft(x, 4, 3, 8, center=False)], ((2, 23),)),
    Row("istft", lambda x: [ops.istft(ops.stft(x, 4, 2, 6), 4, 2, 6),
        ops.istft(ops.stft(x, 4, 2, 6), 4, 2, 6, length=17),
        ops.istft(ops.stft(x, 5, 2, 5, window=None), 5, 2, 5, window=None),
        ops.istft(ops.stft(x, 6, 2, 8, window="hamming"), 6, 2, 8, window="hamming", center=False)], ((24,),)),
    Row("extract_sequences", lambda x: [ops.extract_sequences(x, 3, 2), ops.extract_sequences(x, 4, 4)], ((3, 11),)),
    # Places that values tell
    Row("segments", lambda x, i: [ops.segment_sum(x, i, num_segments=6), ops.segment_max(x, i, num_segments=6),
        ops.segment_sum(x[:, 0], i, num_segments=7), ops.segment_min(x, i, num_segments=6),
        ops.segment_prod(x, i, num_segments=7)], ((4,), ()), ("float32", "int32")),
    Row("counts", lambda i: [ops.bincount(i, minlength=6), *ops.histogram(ops.cast(i[:, 0], "float32"), 4)], ((5,),), INT, eager=True),
    Row("different", lambda i: [*ops.nonzero(i), ops.unique(i), *ops.unique(i[0], return_inverse=True, return_counts=True)], ((5,),), INT),
    Row("unique of size", lambda i: ops.unique(i, return_index=True, size=8), ((5,),), INT),
    Row("in_top_k", lambda x, i: ops.in_top_k(i, x, 2), ((6,), ()), ("float32", "int32")),
    Row("unravel_index", lambda i: ops.unravel_index(i, (2, 3)), ((),), INT),
    Row("scatter", lambda i: [ops.scatter(i[:, None], ops.cast(i, "float32"), (6,)), ops.scatter(ops.stack([i, i], -1), i, (6, 7))], ((),), INT),
    Row("scatter_update", lambda x: [ops.scatter_update(x, [[0, 1, 2], [1, 2, 3]], [1.0, 2.0]),
        ops.scatter_update(x, [[0, 1, 2], [0, 1, 2]], [1.0, 2.0], reduction="add"),
        ops.scatter_update(x, [[0, 1], [1, 2]], _kernel(2, 7), reduction="max")]),
    Row("slice", lambda x: [ops.slice(x, [0, 1, 2], [2, 2, 3]), ops.slice_update(x, [0, 1, 2], _kernel(1, 2, 3))]),
    Row("slice at a tensor", lambda x, i: [ops.slice(x, ops.minimum(ops.stack([i[0], i[1]]), 1), (2, 3)),
        ops.slice_update(x, ops.minimum(ops.stack([i[0], i[1]]), 1), _kernel(1, 3))], ((6,), ()),
        ("float32", "int32")),
]  # fmt: skip
