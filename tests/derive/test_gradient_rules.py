"""The gradient rule of each op: it equals finite differences, and no op is without a rule or a reason."""

from __future__ import annotations

from typing import Any

import pytest

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.derive.gradient.backward import gradient
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import NO_GRADIENT, OPS, STRUCTURAL, UNKNOWN_GRADIENT, CannotDerive, Marker, Op, tensor
from layerexplain.lang.parse import parse
from layerexplain.ops import load_all

np = pytest.importorskip("numpy")

load_all()

LEAVES = {
    "a": ((BATCH, 4, 3), "float"),
    "b": ((BATCH, 4, 3), "float"),
    "c": ((3,), "float"),
    "column": ((4, 1), "float"),
    "p": ((BATCH, 4, 3), "positive"),
    "q": ((BATCH, 4, 3), "positive"),
    "u": ((BATCH, 4, 3), "unit"),
    "v": ((5,), "float"),
    "M": ((3, 7), "float"),
    "S": ((BATCH, 3, 3), "float"),
    "Q": ((3, 3), "float"),
    "T": ((BATCH, 3, 2), "float"),
    "table": ((6, 5), "float"),
    "line": ((BATCH, 11, 4), "float"),
    "image": ((BATCH, 7, 8, 4), "float"),
    "K": ((3, 2, 4, 6), "float"),
    "K_grouped": ((3, 2, 2, 6), "float"),
    "K_each": ((3, 2, 4, 2), "float"),
    "K_back": ((3, 2, 5, 4), "float"),
    "K_line": ((3, 4, 6), "float"),
    "places": ((BATCH, 5), "ids"),
    "float_ids": ((BATCH, 5), "float ids"),
    "order": ((BATCH, 4, 3), "ids"),
    "pairs": ((5, 2), "ids"),
    "parts": ((5,), "ids"),
    "start": ((2,), "start"),
    "mask": ((BATCH, 4, 3), "bool"),
    "grads": ((BATCH, 3, 4, 4), "float"),
    "shares": ((2,), "unit share"),
    "turns": ((BATCH, 8), "turns"),
    "corners": ((BATCH, 4, 2), "corners"),
    "ends": ((BATCH, 4, 2), "corners"),
    "spots": ((2, 5), "positive"),
    "scale": ((2,), "positive"),
    "offset": ((2,), "positive"),
    "windows": ((BATCH, 8, 6), "float"),
    "labels": ((BATCH, 2), "labels"),
    "many": ((BATCH,), "many"),
    "steps_of": ((BATCH,), "steps"),
    "open": ((BATCH, None, None, 2), "float"),
}

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
log_sum_exp(a); log_sum_exp(a, axis=1, keepdims=True); einsum(S, eq='nii->ni'); einsum(S, a, eq='nii,nai->an'); einsum(S, eq='njj->n')
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


GIVEN = {
    "start": [1, 2],
    "unit share": [0.37, 0.81],
    "turns": [[0.9, 0.2, 0.3, -0.1, 1.1, 0.4, 0.01, 0.02], [1.2, -0.3, 0.6, 0.2, 0.7, 0.1, 0.0, 0.01]],
    "labels": [[1, 2], [3, 3]],
    "many": [2, 1],
    "steps": [9, 11],
}
"""Values that have to fit."""


def _leaf(rng: Any, shape: tuple[Any, ...], kind: str) -> Any:
    shape = tuple([2 if size is BATCH else 6 if size is None else size for size in shape])
    if kind.endswith("ids"):
        return rng.integers(0, 4, shape)
    if kind in GIVEN:
        return np.array(GIVEN[kind])
    if kind == "corners":
        return np.array([[0.0, 0.0], [0.0, 5.0], [5.0, 0.0], [5.0, 5.0]]) + rng.uniform(-1, 1, shape)
    if kind == "bool":
        return rng.random(shape) < 0.5
    if kind == "unit":
        return rng.uniform(-0.9, 0.9, shape)
    return rng.uniform(0.5, 2, shape) if kind == "positive" else rng.normal(size=shape)


def _definition(text: str) -> Definition:
    dtypes = dict.fromkeys(("ids", "start", "labels", "many", "steps"), "int32") | {"bool": "bool"}
    leaves = {name: tensor(name, shape, dtypes.get(kind, "float")) for name, (shape, kind) in LEAVES.items()}
    results = {name: e for name, e in parse(text, leaves).items() if type(e.shape) is tuple}
    definition = Definition("case", tuple(leaves.values()), (), results)
    used = set(definition.order)
    return Definition("case", tuple([leaf for leaf in leaves.values() if leaf in used]), (), results)


class Precise(Evaluation):
    """An evaluation in float64, that of complex numbers too."""

    def dtype(self, name: str) -> str | None:
        return "complex128" if name == "complex64" else super().dtype(name)


@np.errstate(all="ignore")
def differences(text: str) -> list[str]:
    """The leaves of a formula whose gradient is not the slope along a random direction."""
    rng = np.random.default_rng(11)
    definition = _definition(text)
    values = [_leaf(rng, *LEAVES[str(p.label)]) for p in definition.params]
    if "pairs" in text:  # each place once: a later update overwrites an earlier one
        values = [np.array([[0, 0], [1, 3], [4, 2], [5, 4], [2, 2]]) if p.label == "pairs" else v
                  for p, v in zip(definition.params, values, strict=True)]  # fmt: skip

    def run(given: list[Any]) -> list[Any]:
        return evaluate(definition, given, [], Precise(2, "float64"))

    found = gradient(definition).whole
    outputs = dict(zip(definition.results, run(values), strict=True))
    seeds = {f"d{name}": rng.normal(size=value.shape) for name, value in outputs.items() if value.dtype.kind == "f"}
    given = [*values, *[seeds[str(p.label)] for p in found.params[len(values) :]]]
    made = dict(zip(found.results, evaluate(found, given, [], Precise(2, "float64")), strict=True))
    assert made
    wrong = []
    for at, param in enumerate(definition.params):
        if f"d{param.label}" not in made:
            continue
        gradient_of = made[f"d{param.label}"]
        if gradient_of.shape != values[at].shape:
            wrong.append(f"{param.label}: shape {gradient_of.shape}")
            continue
        direction, slopes = rng.normal(size=values[at].shape), []
        for sign in (1, -1):
            moved = [v + sign * 1e-6 * direction if i == at else v for i, v in enumerate(values)]
            results = dict(zip(definition.results, run(moved), strict=True))
            slopes.append(sum(np.sum(results[name[1:]] * dy) for name, dy in seeds.items()))
        slope = float(slopes[0] - slopes[1]) / 2e-6
        derived = float(np.sum(gradient_of * direction))
        if not abs(derived - slope) <= 1e-5 * max(abs(slope), 1):
            wrong.append(f"{param.label}: {derived} is not {slope}")
    return wrong


@pytest.mark.parametrize("text", [*[f"y = {row}" for row in FORMULAS], *SEVERAL.values()])
def test_a_rule_equals_finite_differences(text: str) -> None:
    assert differences(text) == []


def test_every_rule_has_a_row() -> None:
    used: set[Op] = set()
    for text in [*[f"y = {row}" for row in FORMULAS], *SEVERAL.values()]:
        used |= {node.op for node in _definition(text).order}
    named = {name for name, op in OPS.items() if callable(op.gradient) and not isinstance(op.gradient, Marker)}
    assert named - {op.name for op in used} == {"rounded"}  # which is a step function: gradients pass all the same


def test_an_op_without_a_rule_says_why() -> None:
    markers = {name: op.gradient for name, op in OPS.items() if isinstance(op.gradient, Marker)}
    assert all(isinstance(m, NO_GRADIENT | UNKNOWN_GRADIENT) or m is STRUCTURAL for m in markers.values())
    assert all(str(m) for m in markers.values())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("y, z = qr(T, mode='complete')", "the further columns of q may be any"),
        ("y, z, w = svd(T, full=True)", "the further directions of u or v may be any"),
        ("y = einsum(broadcast_to(M[:2, :2], shape=(2, 2, 2)), eq='iii->i')", "one letter three times"),
    ],
)
def test_what_has_no_gradient_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(CannotDerive, match=why):
        gradient(_definition(text))


@pytest.mark.parametrize(
    ("op", "attrs", "needs"),
    [
        ("average_pool", {"size": 2}, "the sizes of the image; give them"),
        ("resize", {"size": (4, 4)}, "the sizes of the image; give them"),
        ("diagonal", {}, "the sizes of the matrices; give them"),
        ("slice", {"key": (slice(None), slice(1, 3))}, "the size of axis 1; give it"),
        ("fft", {"rank": 2}, "the size of axis 2; give it"),
    ],
)
def test_a_gradient_says_which_size_it_needs(op: str, attrs: dict[str, Any], needs: str) -> None:
    x = tensor("x", (BATCH, None, None, 3))
    result = next(iter(OPS[op](x, x, **attrs))) if op == "fft" else OPS[op](x, **attrs)
    with pytest.raises(CannotDerive, match=f"^needs {needs} with --input$"):
        gradient(Definition("own", (x,), (), {"y": result}))


def test_gradients_pass_what_is_rounded_to_few_bits() -> None:
    """As through Keras's casts and its simulated float8."""
    found = gradient(_definition("y = 3 * rounded(a, to='bfloat16')")).whole
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
        gradient(_definition("y = prod(a, axis=2)")).whole, [a, np.ones((1, 4))], [], Evaluation(1, "float64")
    )
    assert da[0, 0].tolist() == [0, 10, 0]


@pytest.mark.parametrize(
    "text", ["y = stop_gradient(a)", "y = round(a)", "y = sign(a) * 2", "y = cast(a > 0, to='float')"]
)
def test_nothing_passes_a_step(text: str) -> None:
    found = gradient(_definition(text))
    assert found.whole.results == {}
    assert found.unreached == ("a",)
