"""Functions of PyTorch that are rows of a table: shapes and values as PyTorch's."""

import zlib
from typing import Any

import pytest

from layerexplain.derive.evaluate import Evaluation, evaluate
from layerexplain.lang.axes import BATCH
from layerexplain.layers.declaration import Spec
from layerexplain.layers.index import types
from layerexplain.layers.registry import find

np = pytest.importorskip("numpy")
torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = [pytest.mark.torch, pytest.mark.filterwarnings("ignore::UserWarning")]

A, IMAGE, B = "2x3x5", "2x3x7x9", "b:2x3x5"
ROWS: list[tuple[str, dict[str, Any], str, str]] = [
    *[(name, {}, f"{A} {A}", f"torch.{name}(a, b)") for name in ("add", "sub", "mul", "div", "maximum", "minimum")],
    *[(name, {}, f"{A} {A}", f"torch.{name}(a, b)") for name in ("eq", "ne", "lt", "le", "gt", "ge")],
    ("floor_divide", {}, f"{A} {A}", "torch.floor_divide(a, b)"),
    ("remainder", {}, f"{A} {A}", "torch.remainder(a, b)"),
    ("pow", {}, f"p:{A} {A}", "torch.pow(a, b)"),
    ("logical_and", {}, f"{B} {B}", "torch.logical_and(a, b)"),
    ("logical_or", {}, f"{B} {B}", "torch.logical_or(a, b)"),
    ("logical_xor", {}, f"{B} {B}", "torch.logical_xor(a, b)"),
    ("bitwise_xor", {}, f"{B} {B}", "a ^ b"),
    ("bitwise_not", {}, B, "~a"),
    *[(name, {}, f"{one} i9:2x7", f"torch.{name}(a, b)") for name in ("bitwise_and", "bitwise_or", "bitwise_xor") for one in ("i7:2x7", "b:2x7")],
    ("bitwise_not", {}, "i9:2x7", "~a"),
    ("logical_not", {}, B, "torch.logical_not(a)"),
    ("where", {}, f"{B} {A} {A}", "torch.where(a, b, c)"),
    ("masked_fill", {"value": -3.0}, f"{A} {B}", "a.masked_fill(b, -3.0)"),
    *[(name, {}, A, f"torch.{name}(a)") for name in ["neg", "exp", "sin", "cos", "abs", "erf", "sign", "floor", "ceil", "square", "sigmoid", "tanh", "detach"]],
    *[(name, {}, f"p:{A}", f"torch.{name}(a)") for name in ("log", "sqrt", "rsqrt")],
    ("clamp", {"min": -0.3, "max": 0.5}, A, "torch.clamp(a, -0.3, 0.5)"),
    ("clamp", {"max": 0.5}, A, "torch.clamp(a, max=0.5)"),
    *[(n, {}, A, f"F.{n}(a)") for n in ["relu", "relu6", "selu", "silu", "mish", "hardswish", "hardsigmoid", "softsign", "logsigmoid", "softplus"]],
    ("leaky_relu", {}, A, "F.leaky_relu(a)"),
    ("elu", {"alpha": 0.5}, A, "F.elu(a, 0.5)"),
    ("gelu", {"approximate": "tanh"}, A, "F.gelu(a, approximate='tanh')"),
    ("hardtanh", {}, A, "F.hardtanh(a)"),
    ("softmax", {"dim": 1}, A, "F.softmax(a, 1)"),
    ("softmax", {}, A, "F.softmax(a)"),
    ("log_softmax", {}, IMAGE, "F.log_softmax(a)"),
    *[(f"conv{r}d", {"stride": 2, "padding": 1, "groups": 3}, f"{s} 6x1x{'x'.join('3' * r)} 6", f"F.conv{r}d(a, b, c, 2, 1, groups=3)")
      for r, s in ((1, "2x3x7"), (2, IMAGE), (3, "2x3x4x5x4"))],
    ("conv2d", {"padding": "same", "dilation": 2}, f"{IMAGE} 5x3x3x3", "F.conv2d(a, b, padding='same', dilation=2)"),
    ("conv2d", {}, "3x7x9 5x3x3x3", "F.conv2d(a, b)"),
    ("unfold", {"kernel_size": 3, "padding": 1, "stride": 2}, IMAGE, "F.unfold(a, 3, padding=1, stride=2)"),
    ("fold", {"output_size": (7, 9), "kernel_size": 3}, "2x27x35", "F.fold(a, (7, 9), 3)"),
    ("log_softmax", {"dim": -1}, A, "F.log_softmax(a, -1)"),
    ("glu", {}, "2x3x6", "F.glu(a)"),
    ("dropout", {}, A, "F.dropout(a, training=False)"),
    *[(name, {"dim": 1, "keepdim": True}, A, f"torch.{name}(a, 1, True)") for name in ("sum", "mean", "amax", "amin", "prod")],
    ("mean", {}, A, "a.mean()"),
    ("sum", {"dim": (0, 2)}, A, "a.sum((0, 2))"),
    ("var", {"dim": 1}, A, "torch.var(a, 1)"),
    ("var", {"dim": (0, 2), "unbiased": False, "keepdim": True}, A, "torch.var(a, (0, 2), unbiased=False, keepdim=True)"),
    ("var", {"correction": 3}, A, "torch.var(a, correction=3)"),
    ("std", {"dim": -1}, A, "torch.std(a, -1)"),
    ("max", {"dim": 1}, A, "torch.max(a, 1)"),
    ("min", {"dim": -1, "keepdim": True}, A, "torch.min(a, -1, True)"),
    ("norm", {"dim": 1}, A, "torch.norm(a, dim=1)"),
    ("normalize", {"dim": -1}, A, "F.normalize(a, dim=-1)"),
    ("matmul", {}, "2x3x5 2x5x7", "a @ b"),
    ("matmul", {}, "2x3x5 5", "a @ b"),
    ("matmul", {}, "5 2x5x3", "a @ b"),
    ("linear", {}, "2x3x5 7x5 7", "F.linear(a, b, c)"),
    ("einsum", {"equation": "nij,nkj->nik"}, "2x3x5 2x7x5", "torch.einsum('nij,nkj->nik', a, b)"),
    ("scaled_dot_product_attention", {}, "2x3x5x4 2x3x7x4 2x3x7x6", "F.scaled_dot_product_attention(a, b, c)"),
    ("scaled_dot_product_attention", {"is_causal": True}, "2x5x4 2x5x4 2x5x4", "F.scaled_dot_product_attention(a, b, c, is_causal=True)"),
    ("scaled_dot_product_attention", {"scale": 0.3}, "2x3x4 2x5x4 2x5x4 b:3x5", "F.scaled_dot_product_attention(a, b, c, attn_mask=d, scale=0.3)"),
    ("flatten", {}, A, "torch.flatten(a)"),
    ("flatten", {"start_dim": 1}, A, "torch.flatten(a, 1)"),
    ("reshape", {"shape": (5, -1)}, A, "a.reshape(5, -1)"),
    ("permute", {"dims": (2, 0, 1)}, A, "a.permute(2, 0, 1)"),
    ("transpose", {"dim0": -1, "dim1": 1}, A, "a.transpose(-1, 1)"),
    ("movedim", {"source": 0, "destination": 2}, A, "torch.movedim(a, 0, 2)"),
    ("unsqueeze", {"dim": -1}, A, "a.unsqueeze(-1)"),
    ("squeeze", {}, "2x1x5x1", "a.squeeze()"),
    ("squeeze", {"dim": 0}, A, "a.squeeze(0)"),
    ("cat", {"dim": 1}, "2x3x5 2x7x5", "torch.cat([a, b], 1)"),
    ("stack", {"dim": 1}, f"{A} {A}", "torch.stack([a, b], 1)"),
    ("split", {"sizes": (2, 3), "dim": -1}, A, "torch.split(a, [2, 3], -1)"),
    ("getitem", {"key": (slice(None), -1, slice(1, 4))}, A, "a[:, -1, 1:4]"),
    ("getitem", {"key": (slice(None),)}, "2x3x5 i3:2x7", "a[:, b]"),
    ("setitem", {"key": (slice(None), slice(1, 3), -1)}, "2x3x5 2x2", "_with(a, (slice(None), slice(1, 3), -1), b)"),
    ("zeros", {"shape": (None, 3)}, "", "torch.zeros(2, 3)"),
    ("ones", {"shape": (3, None)}, "", "torch.ones(3, 2)"),
    ("zeros_like", {}, A, "torch.zeros_like(a)"),
    ("ones_like", {}, A, "torch.ones_like(a)"),
    ("full_like", {"fill_value": 0.7}, A, "torch.full_like(a, 0.7)"),
    ("expand", {"shape": (2, -1, 4)}, "2x3x1", "a.expand(2, -1, 4)"),
    ("repeat", {"times": (2, 1, 3)}, A, "a.repeat(2, 1, 3)"),
    ("repeat_interleave", {"repeats": 3, "dim": 1}, A, "a.repeat_interleave(3, 1)"),
    ("repeat_interleave", {"repeats": 3}, A, "a.repeat_interleave(3)"),
    ("roll", {"shifts": (1, 2), "dims": (1, 2)}, A, "torch.roll(a, (1, 2), (1, 2))"),
    ("interpolate", {"scale_factor": 2}, IMAGE, "F.interpolate(a, scale_factor=2)"),
    ("interpolate", {"size": (9, 13), "mode": "bilinear", "align_corners": False}, IMAGE, "F.interpolate(a, (9, 13), mode='bilinear', align_corners=False)"),
    ("interpolate", {"size": (3, 5), "mode": "bicubic", "antialias": True}, IMAGE, "F.interpolate(a, (3, 5), mode='bicubic', antialias=True)"),
    ("interpolate", {"size": (3, 13), "mode": "bilinear", "antialias": True}, IMAGE, "F.interpolate(a, (3, 13), mode='bilinear', antialias=True)"),
    ("pad", {"pad": (1, 2, 3, 0), "value": 0.7}, IMAGE, "F.pad(a, (1, 2, 3, 0), value=0.7)"),
    ("pad", {"pad": (-1, 2)}, A, "F.pad(a, (-1, 2))"),
    ("pad", {"pad": (1, 1), "mode": "reflect"}, A, "F.pad(a, (1, 1), mode='reflect')"),
    *[(f"max_pool{r}d", {"kernel_size": 2, "stride": 1}, s, f"F.max_pool{r}d(a, 2, 1)") for r, s in ((1, A), (2, IMAGE), (3, "2x3x4x5x4"))],
    # Without a batch: three axes are an image for what pools images.
    ("max_pool2d", {"kernel_size": 2}, "3x7x9", "F.max_pool2d(a, 2)"),
    ("avg_pool2d", {"kernel_size": 3}, "3x7x9", "F.avg_pool2d(a, 3)"),
    ("adaptive_avg_pool2d", {"output_size": (2, 5)}, "3x7x9", "F.adaptive_avg_pool2d(a, (2, 5))"),
    *[(f"avg_pool{r}d", {"kernel_size": 2, "padding": 1}, s, f"F.avg_pool{r}d(a, 2, padding=1)") for r, s in ((1, A), (2, IMAGE), (3, "2x3x4x5x4"))],
    *[(f"adaptive_avg_pool{r}d", {"output_size": 2}, s, f"F.adaptive_avg_pool{r}d(a, 2)") for r, s in ((1, A), (2, IMAGE), (3, "2x3x4x5x4"))],
    *[(f"adaptive_max_pool{r}d", {"output_size": 2}, s, f"F.adaptive_max_pool{r}d(a, 2)") for r, s in ((1, A), (2, IMAGE))],
    ("layer_norm", {"normalized_shape": (5,)}, "2x3x5 5 5", "F.layer_norm(a, (5,), b, c)"),
    ("logsumexp", {"dim": (0, 2)}, A, "torch.logsumexp(a, (0, 2))"),
    ("cosine_similarity", {"dim": -1, "eps": 0.1}, f"{A} {A}", "F.cosine_similarity(a, b, -1, 0.1)"),
    ("pixel_shuffle", {"upscale_factor": 2}, "2x12x3x5", "F.pixel_shuffle(a, 2)"),
    ("bmm", {}, "2x3x5 2x5x7", "torch.bmm(a, b)"),
    ("mm", {}, "3x5 5x7", "torch.mm(a, b)"),
    ("add", {"alpha": 3}, f"{A} {A}", "torch.add(a, b, alpha=3)"),
    ("sub", {"alpha": 0.5}, f"{A} {A}", "a.sub(b, alpha=0.5)"),
    ("div", {"rounding_mode": "floor"}, f"{A} {A}", "torch.div(a, b, rounding_mode='floor')"),
    ("div", {"rounding_mode": "trunc"}, f"{A} {A}", "torch.div(a, b, rounding_mode='trunc')"),
    *[(name, {}, A, f"torch.{name}(a)") for name in ("round", "trunc", "tan", "sinh", "cosh", "atan", "expm1", "reciprocal", "isnan", "isinf", "isfinite")],
    *[(name, {}, f"p:{A}", f"torch.{name}(a)") for name in ("log2", "log10", "log1p")],
    *[(name, {}, "u:2x3x5", f"torch.{name}(a)") for name in ("asin", "acos")],
    ("lerp", {}, f"{A} {A} 5", "torch.lerp(a, b, c)"),
    ("atan2", {}, f"{A} {A}", "torch.atan2(a, b)"),
    *[("to", {"dtype": dtype}, kind, f"a.to(torch.{dtype})") for dtype in ("int64", "bool") for kind in (A, "i3:2x7")],
    ("to", {"dtype": "float"}, B, "a.float()"),
    ("to", {"dtype": "int32"}, B, "a.int()"),
    ("clamp_min", {"min": 0.3}, A, "a.clamp_min(0.3)"),
    ("clamp_max", {"max": 0.3}, A, "a.clamp_max(0.3)"),
    ("threshold", {"threshold": 0.1, "value": 7.0}, A, "F.threshold(a, 0.1, 7.0)"),
    ("hardshrink", {"lambd": 0.3}, A, "F.hardshrink(a, 0.3)"),
    ("softshrink", {"lambd": 0.3}, A, "F.softshrink(a, 0.3)"),
    ("tanhshrink", {}, A, "F.tanhshrink(a)"),
    ("prelu", {}, f"{A} 3", "F.prelu(a, b)"),
    ("prelu", {}, f"{A} 1", "F.prelu(a, b)"),
    ("celu", {"alpha": 0.5}, A, "F.celu(a, 0.5)"),
    ("softplus", {"beta": 2.0, "threshold": 1.5}, A, "F.softplus(a, 2.0, 1.5)"),
    ("softmin", {"dim": 1}, A, "F.softmin(a, 1)"),
    ("sum", {"dim": 1}, B, "a.sum(1)"),
    ("prod", {"dim": 1}, B, "a.prod(1)"),
    *[(name, {"dim": 1, "keepdim": True}, B, f"torch.{name}(a, 1, True)") for name in ("any", "all")],
    *[(name, {"dim": 1, "keepdim": True}, A, f"torch.{name}(a, 1, True)") for name in ("argmax", "argmin")],
    ("argmax", {}, A, "a.argmax()"),
    ("topk", {"k": 2, "dim": 1}, A, "torch.topk(a, 2, 1)"),
    ("topk", {"k": 3, "largest": False}, A, "torch.topk(a, 3, largest=False)"),
    ("sort", {"dim": 1}, A, "torch.sort(a, 1)"),
    ("sort", {"descending": True}, A, "a.sort(descending=True)"),
    ("argsort", {"dim": 1, "descending": True}, A, "a.argsort(1, True)"),
    *[(name, {"dim": 1}, A, f"torch.{name}(a, 1)") for name in ("cumsum", "cumprod")],
    ("cumsum", {"dim": 2}, B, "a.cumsum(2)"),
    ("addmm", {"beta": 0.5, "alpha": 2}, "7 3x5 5x7", "torch.addmm(a, b, c, beta=0.5, alpha=2)"),
    ("baddbmm", {}, "2x3x7 2x3x5 2x5x7", "torch.baddbmm(a, b, c)"),
    ("cdist", {}, "2x3x5 2x7x5", "torch.cdist(a, b)"),
    ("cdist", {"p": 1.0}, "2x3x5 2x7x5", "torch.cdist(a, b, 1.0)"),
    ("unflatten", {"dim": 1, "sizes": (2, -1)}, "2x6x5", "a.unflatten(1, (2, -1))"),
    ("windows", {"dimension": 1, "size": 3, "step": 2}, "2x8x5", "a.unfold(1, 3, 2)"),
    ("windows", {"dimension": -1, "size": 2, "step": 3}, A, "a.unfold(-1, 2, 3)"),
    ("gather", {"dim": 1}, "2x3x5 i3:2x7x5", "a.gather(1, b)"),
    ("gather", {"dim": -1}, "2x3x5 i5:2x1x2", "torch.gather(a, -1, b)"),
    ("take_along_dim", {"dim": 1}, "2x3x5 i3:2x7x1", "a.take_along_dim(b, 1)"),
    ("index_select", {"dim": 1}, "2x3x5 i3:7", "a.index_select(1, b)"),
    ("one_hot", {"num_classes": 5}, "i5:2x3", "F.one_hot(a, 5)"),
    ("tril", {"diagonal": -1}, A, "a.tril(-1)"),
    ("triu", {"diagonal": 1}, A, "a.triu(1)"),
    ("triu", {}, A, "a.triu()"),
    ("flip", {"dims": (1, 2)}, A, "a.flip(1, 2)"),
    ("roll", {"shifts": 2}, A, "torch.roll(a, 2)"),
    ("norm", {"p": "fro", "dim": 1}, A, "torch.norm(a, 'fro', 1)"),
    ("norm", {"p": float("inf"), "dim": 1}, A, "torch.norm(a, float('inf'), 1)"),
    ("renorm", {"p": 2.0, "dim": 1, "maxnorm": 1.3}, A, "torch.renorm(a, 2.0, 1, 1.3)"),
    ("outer", {}, "3 5", "torch.outer(a, b)"),
    ("diag", {"diagonal": 1}, "5", "torch.diag(a, 1)"),
    ("diag", {"diagonal": -1}, "5x7", "torch.diag(a, -1)"),
    ("diagonal", {"offset": 1, "dim1": 1, "dim2": 2}, A, "torch.diagonal(a, 1, 1, 2)"),
    ("broadcast_to", {"size": (2, 3, 7, 5)}, "3x1x5", "torch.broadcast_to(a, (2, 3, 7, 5))"),
    ("view_as_complex", {}, "2x3x2", "torch.view_as_complex(a)"),
    ("embedding", {}, "i9:2x3 9x5", "F.embedding(a, b)"),
    ("view_as_real", {}, "c:2x3", "torch.view_as_real(a)"),
    *[(f"max_unpool{r}d", {"kernel_size": k}, f"{s} w:{s}", f"F.max_unpool{r}d(a, b, {k})")
      for r, k, s in ((1, 3, "2x3x2"), (2, (2, 3), "2x3x3x2"), (3, 2, "2x3x2x2x2"))],
    ("group_norm", {"num_groups": 3}, "2x6x5 6 6", "F.group_norm(a, 3, b, c)"),
    ("batch_norm", {"eps": 0.1}, "2x6x5 6 p:6 6 6", "F.batch_norm(a, b, c, d, e, eps=0.1)"),
    ("var_mean", {"dim": (1, 2), "unbiased": False, "keepdim": True}, A, "torch.var_mean(a, (1, 2), unbiased=False, keepdim=True)"),
    ("std_mean", {"dim": 1}, A, "torch.std_mean(a, 1)"),
    ("local_response_norm", {"size": 2, "alpha": 0.3}, IMAGE, "F.local_response_norm(a, 2, 0.3)"),
]  # fmt: skip


def _drawn(text: str, random: np.random.Generator) -> np.ndarray:
    kind, _, sizes = text.rpartition(":")
    shape = tuple(map(int, sizes.split("x")))
    if kind.startswith("i"):
        return random.integers(0, int(kind[1:]), shape)
    if kind == "w":  # of each window its first position, in windows of 3, of 2 x 3 or of 2 x 2 x 2
        whole = [n * k for n, k in zip(shape[2:], {3: (3,), 4: (2, 3), 5: (2, 2, 2)}[len(shape)], strict=True)]
        firsts = np.ix_(*[np.arange(n) * (size // n) for n, size in zip(shape[2:], whole, strict=True)])
        return np.broadcast_to(np.arange(np.prod(whole)).reshape(whole)[firsts], shape).copy()
    drawn = random.normal(size=shape).astype("float32")
    if kind == "c":
        return (drawn + 1j * drawn[::-1]).astype("complex64")
    known = {"b": drawn > -0.7, "p": abs(drawn) + 0.1, "u": np.tanh(drawn)}
    return known.get(kind, drawn)


def _with(x: Any, key: Any, part: Any) -> Any:
    x = x.clone()
    x[key] = part
    return x


@pytest.mark.parametrize(("name", "config", "inputs", "code"), ROWS, ids=lambda one: str(one)[:60])
def test_values_are_those_of_pytorch(name: str, config: dict[str, Any], inputs: str, code: str) -> None:
    random = np.random.default_rng(zlib.crc32(f"{code} {inputs}".encode()))
    arrays = [_drawn(one, random) for one in inputs.split()]
    names = dict(zip("abcde", map(torch.from_numpy, arrays), strict=False))
    result = eval(code, {"_with": _with, "torch": torch, "F": torch.nn.functional, **names})
    wanted = list(result) if isinstance(result, tuple) else [result]
    declaration = find(f"torch.{name}")
    assert declaration is not None
    dtypes = {"b": "bool", "i": "int64", "f": "float", "c": "complex64"}
    specs = [Spec(array.shape, dtypes[array.dtype.kind]) for array in arrays]
    definition = declaration.trace(specs, declaration.bind(config, strict=True))
    shapes = [tuple([2 if size is BATCH else size for size in e.shape]) for e in definition.results.values()]
    assert shapes == [tuple(one.shape) for one in wanted]
    values = evaluate(definition, arrays, [], Evaluation(2, "float64"))
    for value, tensor in zip(values, wanted, strict=True):
        np.testing.assert_allclose(value, tensor.numpy(), rtol=1e-4, atol=1e-5)


def test_every_row_has_a_case() -> None:
    assert {f"torch.{row[0]}" for row in ROWS} | set(DRAWN) == set(types("torch"))


DRAWN = {"torch.randn_like": (0.0, 1.0), "torch.rand_like": (0.5, 1 / 12)}


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_numbers_have_the_mean_and_variance_of_their_distribution(name: str) -> None:
    declaration = find(name)
    assert declaration is not None
    definition = declaration.trace([Spec((200, 300), "float")], {})
    (value,) = evaluate(definition, [np.zeros((200, 300), "float32")], [], Evaluation(200, "float64"))
    assert value.shape == (200, 300)
    np.testing.assert_allclose((value.mean(), value.var()), DRAWN[name], atol=0.02)
