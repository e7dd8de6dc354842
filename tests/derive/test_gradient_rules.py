"""The gradient rule of each op: it equals finite differences, and no op is without a rule or a reason."""

import pytest

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.derive.gradient.backward import gradient
from layerexplain.lang.axes import BATCH
from layerexplain.lang.composite import COMPOSITES
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import OPS, CannotDerive, Marker, Op, tensor
from layerexplain.ops import load_all
from tests.support.function_rows import ATTRIBUTES
from tests.support.gradient_formulas import definition_of_text, differences, np

load_all()


ROWS = """
a + c; a - column; a * c; a / p; p ** 2; p ** b; -a; max(a, b); min(a, c); abs(a); exp(a); log(p); sqrt(p); a % p; fmod(a, p)
sin(a); cos(a); tan(u); arctan(a); arctan2(a, p); sinh(a); cosh(a); arcsin(u); arccos(u); arcsinh(a); arccosh(p + 1)
arctanh(u); log2(p); log10(p); erf(a); erfinv(u); cbrt(p); where(mask, a, c); where(a > 0, 1, a); cast(a, to='float64')
sum(a); sum(a, axis=1); sum(a, axis=(0, 2), keepdims=True); mean(a, axis=0); mean(a, axis=(1, 2)); amax(a, axis=1)
amin(a, axis=-1, keepdims=True); amax(a); dot(a, M); dot(a, c); dot(a[:, 0], M); matmul(a, S); matmul(S, T); matmul(a, M)
einsum(a, b, eq='nij,nkj->nik'); einsum(a, M, eq='...j,jk->...k'); einsum(a, eq='nij->nj'); einsum(a, b, eq='nij,nij->n')
reshape(a, shape=(n, 12)); transpose(a, axes=(0, 2, 1)); transpose(a); concatenate(a, b, axis=1); concatenate(a, a * 2)
stack(a, b, axis=1); a[:, 1:3]; a[..., 0]; a[:, None, 2, -2:]; reverse(a); pad(a, pads=((0, 0), (1, 2), (0, 1)))
repeat(a, times=2, axis=1); broadcast_to(column, shape=(n, 4, 3)); broadcast_to(c, shape=(2, 4, 3)); tile(a, times=(1, 2, 3))
roll(a, by=2, axis=1); band(S, below=0); diagonal(S); diagonal(S, offset=1); diag(a); diag(a, offset=-1)
table[places]; table[float_ids]; gather(a, parts, axis=1); gather(table, parts, axis=0); take_along(a, order, axis=1); take_along(a, order[:, :, :1], axis=1);
take_along(a[:, :1], order[:, :2] // 2, axis=2); gather_nd(table, pairs)
sort(a); sort(a, axis=1); cumsum(a, axis=1); segment(v, parts, n=4); scatter(table, pairs, v); scatter(table, pairs, v, how='add')
slice_at(table, start, size=(2, 3)); slice_update(table, start, M[:2, :3]); inv(S); det(S); solve(S, T)
conv(image, K); conv(image, K, strides=2, padding='same'); conv(image, K, dilation_rate=2); conv(image, K_grouped, groups=2)
conv(line, K_line, padding='causal', strides=2); depthwise_conv(image, K_each, padding='same')
conv(image, K, strides=(2, 3), padding='same'); conv(transpose(image, axes=(0, 3, 1, 2)), K, data_format='channels_first')
conv_transpose(image, K_back, strides=2); conv_transpose(image, K_back, strides=2, output_padding=1);
conv_transpose(image, K_back, strides=3, output_padding=(0, 2)); conv_transpose(image, K_back, strides=2, padding='same', output_padding=0); conv_transpose(image, K_back, strides=2, padding='same')
conv_kernel(image, grads, window=(3, 2), strides=2); max_pool(image, size=2); max_pool(image, size=3, strides=2, padding='same')
average_pool(image, size=2); average_pool(image, size=3, strides=2, padding='same'); average_pool_back(grads, to=(7, 8), size=2)
adaptive_max_pool(image, size=(3, 5)); adaptive_average_pool(image, size=(3, 5)); adaptive_average_pool_back(grads, to=(7, 9))
resize(image, size=(5, 9)); resize(image, times=2, method='nearest'); resize(image, size=(10, 3), method='area')
resize(image, size=(5, 9), grid='corners'); resize(image, size=(5, 9), method='cubic', step=(1.3, 0.7))
resize(image, size=(5, 9), method='nearest', grid='edges'); resize(image, size=(3, 9), method='cubic', grid='corners')
resize(image, size=(9, 4), method='bicubic', antialias=True); resize_back(grads, to=(8, 9)); scatter_rows(v[:, None], parts, n=6)
reverse(cumsum(a, axis=1), axis=2); a[:, ::2]; a[:, 3:0:-2, ::-1]; pad(a, pads=((0, 0), (2, 1), (0, 2)), mode='reflect')
pad(a, pads=((0, 0), (2, 1), (0, 2)), mode='symmetric'); pad(a, pads=((0, 0), (2, 1), (1, 0)), mode='edge')
pad(a, pads=((0, 0), (2, 1), (1, 0)), mode='wrap'); diagonal(M); diagonal(M, offset=2); diagonal(M, offset=-1); diagonal(K)
prod(a, axis=1); prod(a, axis=(0, 2), keepdims=True); prod(a); cumprod(a, axis=1); cumprod(p, axis=-1)
i0(a); i1(a); nextafter(a, b); cholesky(matmul(S, transpose(S, axes=(0, 2, 1))) + diag(p[:, 0]))
real(exp(complex(a, b) * complex(b, p))); imag(complex(a, b) * complex(b, p) * a); real(complex(a, b) / complex(p, b))
quantile(a, 0.37, axis=1); quantile(a, shares, axis=(1, 2)); quantile(a, shares, axis=1, keepdims=True)
quantile(a, shares, axis=-1, method='nearest'); quantile(a, shares, axis=-1, method='midpoint')
quantile(a, shares, axis=0, method='lower'); quantile(a, shares, axis=0, method='higher')
quantile(a, 0.6, axis=1, nan='ignored'); unique(v); unique(v, size=7); unique(v, size=3); unique(M, axis=1)
singular_values(T); pinv(T, rcond=1e-7); pinv(S); warp(image, turns); warp(image, turns, method='nearest', fill='reflect')
warp_back(image, turns); homography(corners, ends); sample(M, spots, order=1, fill='nearest'); sample(M, spots, order=1)
sample(M, spots, order=0); sample_back(v, stop_gradient(spots), to=(3, 7), order=1)
rescale(image, stop_gradient(scale), stop_gradient(offset), axes=(1, 2), size=(5, 9), method='bilinear')
rescale_back(image, stop_gradient(scale), stop_gradient(offset), axes=(1, 2), to=(5, 9), method='bilinear'); patches(image, size=2)
patches(image, size=(3, 2), strides=2, padding='same'); patches(image, size=2, strides=1, dilation_rate=2)
patches(transpose(image, axes=(0, 3, 1, 2)), size=2, data_format='channels_first')
patches_back(image, to=(14, 8), size=(2, 1)); fold(windows, size=(3, 4), window=(2, 2))
fold(windows, size=(2, 4), window=(2, 2), strides=(1, 2), padding=(1, 0)); max_pool_pick(image, max_pool(image, size=2), image * 2, size=2)
max_pool_back(stop_gradient(image), max_pool(stop_gradient(image), size=2), grads, size=2); ctc_loss(labels, line, many, steps_of); segment(v, parts, n=4, how='prod'); segment(v, parts, n=4, how='max')
scatter(table, pairs, M[0, :5], how='max'); scatter(table, pairs, v, how='min'); fit(open, size=(3, 4), how='center')
fit(open, size=(3, 4), how='crop'); fit(open, size=(3, 4), how='pad'); fit_back(open, fit(open, size=(3, 4), how='center'), how='center')
first_as_many(line, c, axis=1, of=0); irfft(a, b); irfft(a, b, length=3); irfft(a, b, length=9); istft(a, b, length=4, stride=1, fft=4)
istft(a, b, length=4, stride=2, fft=4, center=False, window=''); stft_back(a, b, to=7, length=3, stride=2, fft=4)
conv(transpose(image, axes=(0, 3, 1, 2)), transpose(K, axes=(3, 2, 0, 1)), padding=(2, 1), strides=2, data_format='NCHW'); conv(image, K, padding=((1, 0), (0, 2)))
conv_transpose(transpose(image, axes=(0, 3, 1, 2)), transpose(K, axes=(2, 3, 0, 1)), padding=1, strides=2, output_padding=1, data_format='NCHW')
average_pool(image, size=3, strides=2, padding=1, count_padding=True); average_pool(image, size=3, strides=2, ceil_mode=True)
average_pool(image, size=3, strides=2, padding=1, ceil_mode=True, count_padding=True); max_pool(image, size=(3, 2), padding=1, ceil_mode=True)
max_pool(transpose(image, axes=(0, 3, 1, 2)), size=2, strides=1, dilation_rate=2, data_format='NCHW')
log_sum_exp(a); log_sum_exp(a, axis=1, keepdims=True); einsum(S, eq='nii->ni'); einsum(S, a, eq='nii,nai->an'); einsum(S, eq='njj->n')
linear(a, transpose(M)); linear(a[:, 0], transpose(M))
"""

SEVERAL = {
    "split": "x, y = split(a, n=2, axis=1)",
    "top_k": "x, y_ids = top_k(a, k=2)",
    "slogdet": "sign_of, x = slogdet(S)",
    "fft": "x, y = fft(a, b)",
    "fft of one": "x, y_im = fft(a, b, rank=2, inverse=True); z = x * 2",
    "rfft": "x, y = rfft(a)",
    "rfft of more": "x, y = rfft(a, length=7)",
    "rfft of less": "x, y = rfft(line, length=3)",
    "stft": "x, y = stft(line[..., 0], length=3, stride=2, fft=4)",
    "stft without ends": "x, y = stft(line[..., 0], length=4, stride=3, fft=5, center=False, window='')",
    "istft_back": "x, y = istft_back(line[:, :3, 0], frames=4, length=4, stride=1, fft=4)",
    "lu": "x, y_ids = lu(S)",
    "qr": "x, y = qr(T)",
    "wide qr": "x, y = qr(a[:, :2])",
    "qr of squares": "x, y = qr(S, mode='complete')",
    "svd": "x, y, z = svd(T)",
    "svd of squares": "x, y, z = svd(S, full=True)",
    "eigh": "x, y = eigh(S)",
}
"""Formulas with several results."""

FORMULAS = [row.strip() for row in ROWS.replace("\n", ";").split(";") if row.strip()]
FORMULAS += [
    f"{name}({', '.join(['K', *[f'{key}={value!r}' for key, value in attrs.items()]])})"
    for name, attrs in [*ATTRIBUTES, ("sparsemax", {})]
    if name in COMPOSITES
]


@pytest.mark.parametrize("text", [*[f"y = {row}" for row in FORMULAS], *SEVERAL.values()])
def test_a_rule_equals_finite_differences(text: str) -> None:
    assert differences(text) == []


def test_every_rule_has_a_row() -> None:
    used: set[Op] = set()
    for text in [*[f"y = {row}" for row in FORMULAS], *SEVERAL.values()]:
        used |= {node.op for node in definition_of_text(text).order}
    named = {name for name, op in OPS.items() if callable(op.gradient) and not isinstance(op.gradient, Marker)}
    assert named - {op.name for op in used} == {"rounded"}  # which is a step function: gradients pass all the same


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("y, z = qr(T, mode='complete')", "the remaining columns of q may be any"),
        ("y, z, w = svd(T, full=True)", "the remaining columns of u or v may be any"),
        ("y = einsum(broadcast_to(M[:2, :2], shape=(2, 2, 2)), eq='iii->i')", "a letter three times"),
    ],
)
def test_what_has_no_gradient_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(CannotDerive, match=why):
        gradient(definition_of_text(text))


def test_gradients_pass_what_is_rounded_to_few_bits() -> None:
    """As through Keras's casts and its simulated float8."""
    found = gradient(definition_of_text("y = 3 * rounded(a, to='bfloat16')")).whole
    (da,) = evaluate(found, [np.ones((2, 4, 3)), np.ones((2, 4, 3))], [], Evaluation(2, "float64"))
    assert np.all(da == 3)


def test_a_depthwise_convolution_of_no_channels() -> None:
    """In as many groups as there are channels, by whose number nothing can be divided."""
    x, W = tensor("x", (BATCH, 5, 7, 0)), tensor("W", (3, 3, 0, 2))
    found = gradient(Definition("d", (x, W), (), {"y": OPS["depthwise_conv"](x, W)})).backward
    assert [made.shape for made in found.results.values()] == [(BATCH, 5, 7, 0), (3, 3, 0, 2)]


def test_an_element_that_is_0_gets_its_share_of_a_product() -> None:
    a = np.array([[[2.0, 0.0, 5.0]] * 4])
    (da,) = evaluate(
        gradient(definition_of_text("y = prod(a, axis=2)")).whole, [a, np.ones((1, 4))], [], Evaluation(1, "float64")
    )
    assert da[0, 0].tolist() == [0, 10, 0]


@pytest.mark.parametrize(
    "text", ["y = stop_gradient(a)", "y = round(a)", "y = sign(a) * 2", "y = cast(a > 0, to='float')"]
)
def test_nothing_passes_a_step(text: str) -> None:
    found = gradient(definition_of_text(text))
    assert found.whole.results == {}
    assert found.unreached == ("a",)
