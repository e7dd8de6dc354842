"""The table of operations between layers: each row a function of symbolic tensors, in Keras 3 and in tf_keras."""

from collections.abc import Callable
from typing import Any, NamedTuple


class Row(NamedTuple):
    """A model made of operations. `shapes` are without the batch; `dtypes` default to float32; `positive` draws
    positive numbers only, `eager` that Keras runs the function and not the model of it, `batched` that the size of the batch is not known beforehand, `recorded` that the shapes
    and dtypes that Keras derives are those that it then makes."""

    id: str
    function: Callable[..., Any]
    shapes: tuple[tuple[int | None, ...], ...] = ((5, 7),)
    dtypes: tuple[str, ...] = ()
    positive: bool = False
    batched: bool = True
    eager: bool = False
    recorded: bool = True

    @property
    def input_dtypes(self) -> tuple[str, ...]:
        """A dtype for each input."""
        return self.dtypes or ("float32",) * len(self.shapes)


class _Lazy:
    """`ops.exp` looked up when it is called, so that importing the table imports no Keras."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __getattr__(self, name: str) -> Any:
        import importlib

        return getattr(importlib.import_module(self.path), name)


ops: Any = _Lazy("keras.ops")
np: Any = _Lazy("numpy")
tf: Any = _Lazy("tensorflow")
K: Any = _Lazy("tf_keras.backend")

TWO = ((5, 7), (5, 7))
SPREAD = ((5, 7), (1, 7))
IMAGE = ((6, 8, 4),)
OPEN = ((None, 7),)


def _scaled(package: str) -> Callable[..., Any]:
    """The custom layers of keras.applications."""

    def function(x: Any, y: Any) -> list[Any]:
        convnext: Any = _Lazy(f"{package}.src.applications.convnext")
        inception: Any = _Lazy(f"{package}.src.applications.inception_resnet_v2")
        scaled = convnext.LayerScale(1e-6, 7)(x)
        return [scaled, inception.CustomScaleLayer(0.17)([scaled, y]), convnext.StochasticDepth(0.1)(y)]

    return function


def _array(values: Any) -> Any:
    import numpy as np

    return np.array(values, "float32")


def _kernel(*shape: int) -> Any:
    import numpy as np

    return np.linspace(-1, 1, int(np.prod(shape))).reshape(shape).astype("float32")


KERAS_ROWS = [
    Row("applications", _scaled("keras"), TWO),
    # Arithmetic
    Row("x + 1", lambda x: x + 1),
    Row("1 + x", lambda x: 1 + x),
    Row("x + y", lambda x, y: x + y, SPREAD),
    Row("x - y", lambda x, y: x - y, SPREAD),
    Row("2.5 - x", lambda x: 2.5 - x),
    Row("x * y", lambda x, y: x * y, SPREAD),
    Row("x * 2", lambda x: x * 2, ((5,),), ("int32",)),
    Row("x * 0.5", lambda x: x * 0.5, ((5,),), ("int32",)),
    Row("x / y", lambda x, y: x / y, SPREAD),
    Row("1 / x", lambda x: 1 / x, positive=True),
    Row("x / 2 int", lambda x: x / 2, ((5,),), ("int32",)),
    Row("divide", lambda x, y: ops.divide(x, y), TWO),
    Row("divide_no_nan", lambda x: ops.divide_no_nan(x, ops.relu(x))),
    Row("x // 2", lambda x: x // 2),
    Row("x % 3", lambda x: x % 3, ((5,),), ("int32",)),
    Row("x ** 2", lambda x: x**2),
    Row("power", lambda x, y: ops.power(x, y), TWO, positive=True),
    Row("-abs", lambda x: -abs(x)),
    Row("square", lambda x: ops.square(x)),
    Row("sqrt", lambda x: ops.sqrt(x), positive=True),
    Row("rsqrt", lambda x: ops.rsqrt(x), positive=True),
    Row("reciprocal", lambda x: ops.reciprocal(x), positive=True),
    Row("logs", lambda x: [ops.log(x), ops.log1p(x), ops.log2(x), ops.log10(x)], positive=True),
    Row("exps", lambda x: [ops.exp(x), ops.expm1(x), ops.exp2(x), ops.erf(x)]),
    Row("circle", lambda x: [ops.sin(x), ops.cos(x), ops.tan(x), ops.arctan(x), ops.sinh(x), ops.cosh(x)]),
    Row("arcs", lambda x: [ops.arcsin(ops.tanh(x)), ops.arccos(ops.tanh(x)), ops.arctanh(ops.tanh(x)), ops.arcsinh(x), ops.arccosh(x * x + 1)]),
    Row("arctan2", lambda x, y: ops.arctan2(x, y), TWO),
    Row("hypot", lambda x, y: ops.hypot(x, y), TWO),
    Row("logaddexp", lambda x, y: ops.logaddexp(x, y), TWO),
    Row("degrees", lambda x: [ops.deg2rad(x), ops.rad2deg(x)]),
    Row("maximum", lambda x, y: ops.maximum(x, y), SPREAD),
    Row("minimum 0.5", lambda x: ops.minimum(x, 0.5)),
    Row("rounding", lambda x: [ops.sign(x), ops.floor(x), ops.ceil(x), ops.round(x), ops.round(x, 2), ops.trunc(x)]),
    Row("floor int", lambda x: ops.floor(x), ((5,),), ("int32",)),
    Row("clip", lambda x: ops.clip(x, -0.5, 0.7)),
    Row("sqrt int", lambda x: ops.sqrt(x), ((5,),), ("int32",)),
    # Activations
    Row("activations", lambda x: [ops.sigmoid(x), ops.tanh(x), ops.relu(x), ops.relu6(x * 5), ops.silu(x),
        ops.selu(x), ops.softplus(x), ops.softsign(x), ops.hard_sigmoid(x * 3)]),
    Row("activations 2", lambda x: [ops.leaky_relu(x), ops.leaky_relu(x, 0.3), ops.elu(x, 0.7), ops.celu(x, 0.7),
        ops.gelu(x), ops.gelu(x, approximate=False), ops.hard_silu(x * 3), ops.hard_tanh(x), ops.log_sigmoid(x),
        ops.glu(x, axis=1)], ((6, 7),)),
    Row("activations 3", lambda x: [ops.hard_shrink(x), ops.soft_shrink(x, 0.2), ops.tanh_shrink(x),
        ops.threshold(x, 0.1, -2.0), ops.squareplus(x), ops.sparse_plus(x), ops.sparse_sigmoid(x)]),
    Row("softmax", lambda x: [ops.softmax(x), ops.softmax(x, axis=1), ops.log_softmax(x), ops.log_softmax(x, axis=1)]),
    # Comparisons
    Row("compare", lambda x, y: [x > y, x >= y, x < y, x <= y, ops.not_equal(x, 0), ops.equal(x, y)], TWO),
    Row("logic", lambda x, y: [ops.logical_and(x, y), ops.logical_or(x, y), ops.logical_xor(x, y), ops.logical_not(x)], TWO, ("bool", "bool")),
    Row("where", lambda x, y: [ops.where(x > 0, x, y), ops.where(x > 0, x, 0.5)], TWO),
    Row("finite", lambda x: [ops.isnan(x), ops.isinf(x), ops.isfinite(x)]),
    Row("cast", lambda x: [ops.cast(x * 5, "int32"), ops.cast(x > 0, "float32"), ops.stop_gradient(x), ops.copy(x)]),
    Row("mask", lambda x: ops.logical_or(ops.not_equal(x, 0), ops.equal(x, 3)), ((5,),), ("int32",)),
    # Reductions
    Row("sum", lambda x: [ops.sum(x), ops.sum(x, axis=1), ops.sum(x, axis=[1, 2], keepdims=True), ops.sum(x > 0, -1)]),
    Row("mean", lambda x: [ops.mean(x, axis=-1), ops.mean(x, axis=(1, 2)), ops.mean(x > 0, axis=1)]),
    Row("mean int", lambda x: ops.mean(x, axis=1), ((5,),), ("int32",)),
    Row("max min", lambda x: [ops.max(x, axis=1), ops.min(x, axis=-1, keepdims=True), ops.amax(x), ops.amin(x, 1),
        ops.max(x, axis=1, initial=0.2), ops.ptp(x, axis=1)]),
    Row("prod", lambda x: [ops.prod(x, axis=1), ops.var(x, axis=1), ops.std(x, axis=[1, 2], keepdims=True)]),
    Row("any all", lambda x: [ops.any(x > 1, axis=1), ops.all(x > -1, axis=1), ops.count_nonzero(x > 0, axis=1)]),
    Row("moments", lambda x: [*ops.moments(x, axes=[1]), *ops.moments(x, axes=[1, 2], keepdims=True)]),
    Row("logsumexp", lambda x: [ops.logsumexp(x, axis=1), ops.logsumexp(x, axis=-1, keepdims=True)]),
    Row("logsumexp of all", lambda x: [ops.logsumexp(x), ops.logsumexp(x, axis=(2, 1)), ops.logsumexp(x * float("-inf"))]),
    Row("average", lambda x: [ops.average(x, axis=1)]),
    Row("norms", lambda x: [ops.norm(x, axis=-1), ops.norm(x, ord=1, axis=1), ops.norm(x, ord=3, axis=1),
        ops.normalize(x), ops.normalize(x, axis=1, order=1), ops.normalize(x, order=3)]),
    Row("argmax", lambda x: [ops.argmax(x, axis=1), ops.argmin(x, axis=-1, keepdims=True), ops.argmax(x)]),
    Row("order", lambda x: [ops.sort(x, axis=1), ops.argsort(x), *ops.top_k(x, 3)]),
    Row("cumsum", lambda x: [ops.cumsum(x, axis=1), ops.cumprod(x, axis=2), ops.cumsum(x)]),
    Row("one_hot", lambda x: [ops.one_hot(x, 6), ops.one_hot(x, 6, axis=1), ops.multi_hot(x, 6), ops.one_hot(x, 6, dtype="int32")], ((5,),), ("int32",)),
    # Shapes
    Row("reshape", lambda x: [ops.reshape(x, (-1, 35)), ops.reshape(x, (-1, 7, 5)), ops.reshape(x, (-1, 7))]),
    Row("reshape open", lambda x: [ops.reshape(x, (-1, 7)), ops.ravel(x)], OPEN),
    Row("expand", lambda x: [ops.expand_dims(x, 1), ops.expand_dims(x, -1), ops.expand_dims(x, (1, 3)),
        ops.squeeze(ops.expand_dims(x, 2), 2), ops.squeeze(ops.expand_dims(x, 2))]),
    Row("transpose", lambda x: [ops.transpose(x, (0, 3, 1, 2)), ops.transpose(x), ops.swapaxes(x, 1, 2),
        ops.moveaxis(x, 1, 3), ops.moveaxis(x, (1, 2), (-1, 1))], IMAGE),
    Row("concatenate", lambda x, y: [ops.concatenate([x, y], axis=1), ops.concatenate([x, x, y], axis=-2), ops.concatenate([x, x], axis=0)], SPREAD),
    Row("stack", lambda x, y: [ops.stack([x, y], axis=1), ops.stack([x, y], axis=-1), ops.stack([x, y])], TWO),
    Row("stack 2", lambda x, y: [ops.hstack([x, y]), ops.vstack([x, y]), ops.append(x, y, axis=1)], TWO),
    Row("split", lambda x: [*ops.split(x, 2, axis=-1), *ops.split(x, [1, 3], axis=1), *ops.array_split(x, 3, axis=1)], ((5, 6),)),
    Row("unstack", lambda x: ops.unstack(x, axis=1)),
    Row("x[:, 0]", lambda x: x[:, 0]),
    Row("x[...]", lambda x: [x[..., 1:5:2], x[:, -2:], x[:, None], x[:, 1:, ::-1], x[:, 2, None, 3:], x[..., -1], x[0]]),
    Row("x[open]", lambda x: [x[:, :3], x[:, -1], x[:, 1:], x[:, :, 2]], OPEN),
    Row("take", lambda x: [ops.take(x, [0, 2], axis=1), ops.take(x, [[0, 2], [1, 1]], axis=-1), ops.take(x, 1, axis=1)]),
    Row("take_along_axis", lambda x: ops.take_along_axis(x, ops.argsort(x, axis=1), axis=1)),
    Row("flip", lambda x: [ops.flip(x, 1), ops.flip(x, -1), ops.roll(x, 2, axis=1), ops.diff(x, axis=1)]),
    Row("repeat", lambda x: [ops.repeat(x, 2, axis=1), ops.repeat(x, [1, 2, 0, 1, 1], axis=1), ops.tile(x, (1, 2, 3)), ops.tile(x, 2)]),
    Row("tile open", lambda x: [ops.tile(x, (1, 2, 3)), ops.repeat(x, 2, axis=2)], OPEN),
    Row("pad", lambda x: [ops.pad(x, ((0, 0), (1, 2), (0, 3))), ops.pad(x, ((0, 0), (1, 2), (0, 0)), "reflect"),
        ops.pad(x, ((0, 0), (1, 2), (0, 0)), constant_values=2.0)]),
    Row("broadcast_to", lambda x: ops.broadcast_to(x, (BATCH, 5, 7)), ((1, 7),)),
    Row("likes", lambda x: [ops.zeros_like(x), ops.ones_like(x, dtype="int32"), ops.full_like(x, 2.5)]),
    Row("likes open", lambda x: ops.zeros_like(x), OPEN),
    Row("triangles", lambda x: [ops.tril(x), ops.triu(x, 1), ops.tril(x, -2)]),
    Row("depth", lambda x: [ops.depth_to_space(x, 2), ops.space_to_depth(x, 2)], IMAGE),
    Row("images", lambda x: [ops.image.resize(x, (5, 11)), ops.image.resize(x, (12, 4), "nearest"),
        ops.image.pad_images(x, 1, 2, 3, target_width=13),
        ops.image.crop_images(x, 1, 2, target_height=4, target_width=5)], IMAGE),
    # Products
    Row("matmul", lambda x, y: [ops.matmul(x, y), x @ y], ((5, 7), (7, 3))),
    Row("matmul stack", lambda x, y: ops.matmul(x, y), ((4, 5, 7), (1, 7, 3))),
    Row("matmul constant", lambda x: [ops.matmul(x, _kernel(7, 3)), ops.dot(x, _kernel(7, 3)), ops.dot(x, _kernel(7))]),
    Row("einsum", lambda x, y: [ops.einsum("bij,bkj->bik", x, y), ops.einsum("b...j,bkj->b...k", x, y), ops.einsum("bij,bkj", x, y)], TWO),
    Row("einsum constant", lambda x: [ops.einsum("nij,jk->nik", x, _kernel(7, 3)), ops.einsum("ki,nij,jl->nkl", _kernel(2, 5), x, _kernel(7, 4))]),
    Row("lists with constants", lambda x: [ops.concatenate([_kernel(3, 5, 2), x], axis=-1), ops.stack([x[1], _kernel(5, 7)], axis=-1)]),
    Row("constants of other dtypes", lambda x: [ops.cast(x > 0, "uint8") + np.array([1, 2, 3, 4, 5, 6, 7], "uint8"),
        ops.cast(x > 0, "int32") * np.array([1, 2, 3, 4, 5, 6, 7], "int64"), ops.where(np.arange(7) > 3, x, 0.5)]),
    Row("tensordot", lambda x: [ops.tensordot(x, _kernel(7, 3), 1), ops.tensordot(x, _kernel(3, 5), [[1], [1]])]),
    Row("conv", lambda x: [ops.conv(x, _kernel(3, 3, 4, 6), 2, "same"),
        ops.conv(x, _kernel(3, 3, 4, 6), dilation_rate=2),
        ops.depthwise_conv(x, _kernel(3, 3, 4, 2), padding="same")], IMAGE),
    Row("separable_conv", lambda x: ops.separable_conv(x, _kernel(3, 3, 4, 2), _kernel(1, 1, 8, 5)), IMAGE),
    Row("pool", lambda x: [ops.max_pool(x, 2), ops.average_pool(x, 3, 2, "same")], IMAGE),
    Row("layer_norm", lambda x: [ops.layer_normalization(x, _kernel(7), _kernel(7)), ops.layer_normalization(x),
        ops.rms_normalization(x, _kernel(7)), ops.batch_normalization(x, _kernel(7), _kernel(7) ** 2 + 1, -1,
        _kernel(7), _kernel(7))]),
    Row("attention", lambda q, k: ops.dot_product_attention(q, k, k), ((5, 2, 4), (6, 2, 4))),
]  # fmt: skip

BATCH = 3
