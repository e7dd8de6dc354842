"""The gradient rule of each op: it equals finite differences, and no op is without a rule or a reason."""

from __future__ import annotations

from typing import Any

import pytest

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.derive.gradient.backward import gradient
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import BATCH, NO_GRADIENT, NOT_DERIVED, OPS, STRUCTURAL, CannotDerive, Marker, Op, tensor
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
table[places]; table[float_ids]; gather(a, parts, axis=1); gather(table, parts, axis=0); take_along(a, order, axis=1); gather_nd(table, pairs)
sort(a); sort(a, axis=1); cumsum(a, axis=1); segment(v, parts, n=4); scatter(table, pairs, v); scatter(table, pairs, v, how='add')
slice_at(table, start, size=(2, 3)); slice_update(table, start, M[:2, :3]); inv(S); det(S); solve(S, T)
conv(image, K); conv(image, K, strides=2, padding='same'); conv(image, K, dilation_rate=2); conv(image, K_grouped, groups=2)
conv(line, K_line, padding='causal', strides=2); depthwise_conv(image, K_each, padding='same')
conv(image, K, strides=(2, 3), padding='same'); conv(transpose(image, axes=(0, 3, 1, 2)), K, data_format='channels_first')
conv_transpose(image, K_back, strides=2); conv_transpose(image, K_back, strides=2, padding='same')
conv_kernel(image, grads, window=(3, 2), strides=2); max_pool(image, size=2); max_pool(image, size=3, strides=2, padding='same')
average_pool(image, size=2); average_pool(image, size=3, strides=2, padding='same'); average_pool_back(grads, to=(7, 8), size=2)
adaptive_max_pool(image, size=(3, 5)); adaptive_average_pool(image, size=(3, 5)); adaptive_average_pool_back(grads, to=(7, 9))
resize(image, size=(5, 9)); resize(image, times=2, method='nearest'); resize(image, size=(10, 3), method='area')
resize(image, size=(9, 4), method='bicubic', antialias=True); resize_back(grads, to=(8, 9)); scatter_rows(v[:, None], parts, n=6)
reverse(cumsum(a, axis=1), axis=2)
"""

SEVERAL = {
    "split": "x, y = split(a, n=2, axis=1)",
    "top_k": "x, y_ids = top_k(a, k=2)",
    "slogdet": "sign_of, x = slogdet(S)",
}
"""Formulas with several results."""

FORMULAS = [row.strip() for row in ROWS.replace("\n", ";").split(";") if row.strip()]


def _leaf(rng: Any, shape: tuple[Any, ...], kind: str) -> Any:
    shape = tuple([2 if size is BATCH else size for size in shape])
    if kind.endswith("ids"):
        return rng.integers(0, 4, shape)
    if kind == "start":
        return np.array([1, 2])
    if kind == "bool":
        return rng.random(shape) < 0.5
    if kind == "unit":
        return rng.uniform(-0.9, 0.9, shape)
    return rng.uniform(0.5, 2, shape) if kind == "positive" else rng.normal(size=shape)


def _definition(text: str) -> Definition:
    dtypes = {"ids": "int32", "start": "int32", "bool": "bool"}
    leaves = {name: tensor(name, shape, dtypes.get(kind, "float")) for name, (shape, kind) in LEAVES.items()}
    results = {name: e for name, e in parse(text, leaves).items() if type(e.shape) is tuple}
    definition = Definition("case", tuple(leaves.values()), (), results)
    used = set(definition.order)
    return Definition("case", tuple([leaf for leaf in leaves.values() if leaf in used]), (), results)


@pytest.mark.parametrize("text", [*[f"y = {row}" for row in FORMULAS], *SEVERAL.values()])
def test_a_rule_equals_finite_differences(text: str) -> None:
    rng = np.random.default_rng(11)
    definition = _definition(text)
    values = [_leaf(rng, *LEAVES[str(p.label)]) for p in definition.params]
    if "pairs" in text:  # each place once: a later update overwrites an earlier one
        values = [np.array([[0, 0], [1, 3], [4, 2], [5, 4], [2, 2]]) if p.label == "pairs" else v
                  for p, v in zip(definition.params, values, strict=True)]  # fmt: skip

    def run(given: list[Any]) -> list[Any]:
        return evaluate(definition, given, [], Evaluation(2, "float64"))

    found = gradient(definition).whole
    outputs = dict(zip(definition.results, run(values), strict=True))
    seeds = {f"d{name}": rng.normal(size=value.shape) for name, value in outputs.items() if value.dtype.kind == "f"}
    given = [*values, *[seeds[str(p.label)] for p in found.params[len(values) :]]]
    made = dict(zip(found.results, evaluate(found, given, [], Evaluation(2, "float64")), strict=True))
    assert made
    for at, param in enumerate(definition.params):
        if f"d{param.label}" not in made:
            continue
        gradient_of = made[f"d{param.label}"]
        assert gradient_of.shape == values[at].shape
        direction, slopes = rng.normal(size=values[at].shape), []
        for sign in (1, -1):
            moved = [v + sign * 1e-6 * direction if i == at else v for i, v in enumerate(values)]
            results = dict(zip(definition.results, run(moved), strict=True))
            slopes.append(sum(np.sum(results[name[1:]] * dy) for name, dy in seeds.items()))
        slope = (slopes[0] - slopes[1]) / 2e-6
        step = 1e-5
        assert float(np.sum(gradient_of * direction)) == pytest.approx(float(slope), rel=step, abs=step)


def test_every_rule_has_a_row() -> None:
    used: set[Op] = set()
    for text in [*[f"y = {row}" for row in FORMULAS], *SEVERAL.values()]:
        used |= {node.op for node in _definition(text).order}
    named = {name for name, op in OPS.items() if callable(op.gradient) and not isinstance(op.gradient, Marker)}
    assert named - {op.name for op in used} == set()


def test_an_op_without_a_rule_says_why() -> None:
    markers = {name: op.gradient for name, op in OPS.items() if isinstance(op.gradient, Marker)}
    assert all(isinstance(m, NO_GRADIENT | NOT_DERIVED) or m is STRUCTURAL for m in markers.values())
    assert all(str(m) for m in markers.values())


@pytest.mark.parametrize("text", ["y = cumprod(a, axis=1)", "y = prod(a, axis=1)", "y = quantile(a, 0.5, axis=1)"])
def test_what_is_not_derived_is_refused(text: str) -> None:
    with pytest.raises(CannotDerive):
        gradient(_definition(text))


@pytest.mark.parametrize(
    "text", ["y = stop_gradient(a)", "y = round(a)", "y = sign(a) * 2", "y = cast(a > 0, to='float')"]
)
def test_nothing_passes_a_step(text: str) -> None:
    found = gradient(_definition(text))
    assert found.whole.results == {}
    assert found.unreached == ("a",)
