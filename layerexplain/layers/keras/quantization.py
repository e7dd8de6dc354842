"""Quantized and LoRA forms of Dense, EinsumDense, Embedding and ReversibleEmbedding: their weights and formulas.

Keras creates the trained variables first, then those of the quantization; the leaves have the same order.
Reference: keras.quantizers; keras.layers.Dense.quantize and enable_lora; Hu et al., LoRA, 2021.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from layerexplain.errors import ArgumentError
from layerexplain.lang.expr import Expr, named, weight
from layerexplain.layers.arguments import Annotated, Check, Number, PositiveInt
from layerexplain.ops.contract import dot, einsum
from layerexplain.ops.joining import gather, take
from layerexplain.ops.movement import reshape, transpose
from layerexplain.ops.numbers import dequantize, fake_float8, quantize, rounded, unpack_int4
from layerexplain.records import NamedTuple

# Dtype policies -----------------------------------------------------------------------------------------------------
# What a layer's dtype and quantization_config say: which policy, how inputs are quantized; and what LoRA adds.


class Policy(NamedTuple):
    """A quantized dtype policy: int8, int4 (in blocks of so many inputs, 0: one for each output) or float8, with the
    length of the history that float8 keeps. `compute` is the dtype that is computed with."""

    mode: str
    block: int = 0
    history: int = 1024
    compute: str = "float32"


class Quantizer(NamedTuple):
    """How the inputs are quantized on the way: to whole numbers from low to high."""

    low: float = -127
    high: float = 127
    epsilon: float = 1e-7


class Lora(NamedTuple):
    """The product of two thin matrices that is added to a kernel, `alpha / rank` times."""

    rank: int
    alpha: float


def policy_of(value: Any) -> Policy | None:
    """What a layer's dtype says of quantization; None for a plain dtype, which is what nearly all have."""
    if isinstance(value, str):
        mode, quantized, source = value.partition("_from_")
        return _of_mode(mode, source, {}) if quantized else None
    if value is None:
        return None
    if not isinstance(value, Mapping):
        return value if isinstance(value, Policy) else None
    config = value.get("config")
    if not isinstance(config, Mapping) or not isinstance(config.get("mode"), str):
        return None
    return _of_mode(config["mode"], str(config.get("source_name") or "float32"), config)


def _of_mode(mode: str, source: str, config: Mapping[str, Any]) -> Policy:
    kind, _, block = mode.partition("/")
    history = config.get("amax_history_length", 1024)
    size = int(block) if kind == "int4" and re.fullmatch(r"-?\d+", block) else 0
    compute = source.removeprefix("mixed_")
    return Policy(kind, max(size, 0), history if isinstance(history, int) else 1024, compute)


def _quantizer(value: Any) -> Quantizer | str:
    """The quantizer of the inputs that a quantization_config names; "none" where it says that there is none."""
    if isinstance(value, Quantizer | str):
        return value
    config = value.get("config") if isinstance(value, Mapping) else None
    activation_quantizer = config.get("activation_quantizer") if isinstance(config, Mapping) else None
    if not isinstance(activation_quantizer, Mapping):
        return "none"
    options = activation_quantizer.get("config")
    options = options if isinstance(options, Mapping) else {}
    low, high = options.get("value_range", (-127, 127))
    return Quantizer(low, high, options.get("epsilon", 1e-7))


DtypePolicy = Annotated[
    Any, Check("a dtype, or a quantized dtype policy of Keras", "'float32'", policy_of, plain=False)
]
QuantizationConfig = Annotated[Any, Check("a quantization config of Keras", "null", _quantizer, plain=False)]


class Compression(NamedTuple):
    """The arguments that layers with one large kernel or table share: what LoRA adds, and how they are quantized."""

    lora_rank: PositiveInt | None = None
    lora_alpha: Number | None = None
    quantization_config: QuantizationConfig | None = None
    dtype: DtypePolicy | None = None

    @property
    def is_used(self) -> bool:
        """Whether there is either."""
        return self.dtype is not None or self.lora_rank is not None

    @property
    def parts(self) -> tuple[Lora | None, Policy | None, Quantizer | str | None]:
        """What LoRA adds, the policy, and how inputs are quantized."""
        rank, alpha = self.lora_rank, self.lora_alpha
        low_rank = None if rank is None else Lora(rank, rank if alpha is None else alpha)
        return low_rank, self.dtype, self.quantization_config


# Quantization -------------------------------------------------------------------------------------------------------


def need_mode(type_: str, policy: Policy | None, *modes: str) -> None:
    if policy is not None and policy.mode not in modes:
        raise ArgumentError(
            f"layerexplain has formulas for {type_} quantized to {' or '.join(modes)}, got mode={policy.mode}"
        )


def inputs_quantizer(policy: Policy, config: Quantizer | str | None) -> Quantizer | None:
    """By default int8 quantizes the inputs as well, int4 the kernel alone."""
    if isinstance(config, Quantizer):
        return config
    return Quantizer() if config is None and policy.mode == "int8" else None


def in_whole_numbers(x: Expr, axis: Any, how: Quantizer) -> tuple[Expr, Expr]:
    """x in whole numbers, and how many of them make 1."""
    q, s = quantize(x, axis=axis, low=how.low, high=how.high, epsilon=how.epsilon)
    return named("q", q, "x as integers"), named("s_x", s, "q is s_x times x")


def factors(axes: list[tuple[str, int]], low_rank: Lora | None, of: str) -> tuple[Any, Any]:
    """LoRA's two matrices, whose product is as large as the kernel; Keras keeps them as float32 whatever the policy."""
    if low_rank is None:
        return None, None
    rank = ("rank", low_rank.rank)
    a = weight(f"lora_{of}_a", "A", [*axes[:-1], rank], dtype="float32")
    return a, weight(f"lora_{of}_b", "B", [rank, axes[-1]], dtype="float32")


def scaled(learned: Expr, low_rank: Lora) -> Expr:
    """Return LoRA's update: its product times alpha / rank."""
    factor = low_rank.alpha / low_rank.rank
    return learned if factor == 1 else factor * learned


def with_lora(W: Expr, A: Expr, B: Expr, low_rank: Lora) -> Expr:
    """The kernel plus LoRA's update."""
    return named("W_lora", W + scaled(dot(A, B), low_rank), "W plus LoRA's update")


# Dense and EinsumDense ------------------------------------------------------------------------------------------


class Product(NamedTuple):
    """The product of a layer: its input, the equation ("" for the matrix of Dense), the kernel's axes as (name, size),
    and the bias' axes, None if there is none."""

    x: Expr
    eq: str
    axes: list[tuple[str, int]]
    bias: list[Any] | None

    @property
    def letters(self) -> tuple[str, str, str]:
        """The letters of input, kernel and result."""
        if not self.eq:
            lead = "ABCDEFGH"[: self.x.ndim - 1]
            return f"{lead}i", "io", f"{lead}o"
        left, _, result = self.eq.replace(" ", "").partition("->")
        taken, _, kernel = left.partition(",")
        return taken, kernel, result

    @property
    def summed(self) -> Any:
        """The axes of the input that are summed."""
        taken, _, result = self.letters
        axes = tuple(i for i, c in enumerate(taken) if c not in result)
        return -1 if axes == (self.x.ndim - 1,) else axes

    def apply(self, x: Expr, kernel: Expr) -> Expr:
        """The product with a kernel of the same axes."""
        return einsum(x, kernel, eq=self.eq) if self.eq else dot(x, kernel)

    def along_result(self, s: Expr) -> Expr:
        """The scale of the inputs, kept with axes of 1, with its axes where the result has them."""
        if not self.eq:
            return s
        taken, _, result = self.letters
        kept = [c for c in taken if c in result]
        s = s[tuple(slice(None) if c in result else 0 for c in taken)]
        order = tuple(sorted(range(len(kept)), key=lambda i: result.index(kept[i])))
        s = s if order == tuple(range(len(kept))) else transpose(s, axes=order)
        return s[tuple(slice(None) if c in kept else None for c in result)]


def product_of(type_: str, product: Product, compression: Compression) -> tuple[Expr, tuple[Expr, ...]]:
    """A Dense or EinsumDense with LoRA, quantized, or both, its bias included; and weights that its formula does not
    use."""
    low_rank, policy, config = compression.parts
    if policy is None:
        return _low_rank(product, low_rank), ()
    need_mode(type_, policy, "int8", "int4", "float8")
    if policy.mode == "float8":
        return _float8(type_, product, policy, low_rank)
    if "..." in product.eq:
        raise ArgumentError(f"{type_} needs an equation without '...' to be quantized, got equation={product.eq!r}")
    b = weight("bias", "b", product.bias) if product.bias is not None else None
    A, B = factors(product.axes, low_rank, "kernel")
    how = inputs_quantizer(policy, config)
    y = _int8(product, how) if policy.mode == "int8" else _int4(product, policy, how)
    if low_rank is not None:
        y = y + scaled(dot(product.apply(product.x, A), B), low_rank)
    return (y if b is None else y + b), ()


def _low_rank(product: Product, low_rank: Lora | None) -> Expr:
    W = weight("kernel", "W", product.axes, trainable=low_rank is None)
    b = weight("bias", "b", product.bias) if product.bias is not None else None
    if low_rank is not None:
        A, B = factors(product.axes, low_rank, "kernel")
        W = with_lora(W, A, B, low_rank)
    y = product.apply(product.x, W)
    return y if b is None else y + b


def _int8(product: Product, how: Quantizer | None) -> Expr:
    W = weight("kernel", "W", product.axes, trainable=False, dtype="int8")
    axes = product.axes[-1:]
    if product.eq:
        _, kernel, result = product.letters
        sizes = dict(zip(kernel, product.axes, strict=True))
        axes = [sizes.get(c, ("repeated", 1)) for c in result]
    S = weight("kernel_scale", "S", axes, trainable=False, positive=True)
    if how is None:
        return product.apply(product.x, W) / S
    q, s = in_whole_numbers(product.x, product.summed, how)
    return product.apply(q, W) / (S * product.along_result(s))


def _int4(product: Product, policy: Policy, how: Quantizer | None) -> Expr:
    """Two numbers lie in a byte, along the outputs; with blocks, each block of inputs has a scale and a zero point."""
    _, kernel, result = product.letters
    sizes = list(zip(kernel, product.axes, strict=True))
    rows = math.prod(size for c, (_, size) in sizes if c not in result)
    columns = math.prod(size for c, (_, size) in sizes if c in result)
    packed = [("inputs", rows), ("bytes", -(-columns // 2))]
    W = weight("kernel", "W", packed, trainable=False, dtype="int8")
    K = named("K", unpack_int4(W, n=columns), "two values from each byte")
    if policy.block:
        scale, zero, block = blocks("kernel", ("inputs", rows), ("units", columns), policy.block)
        F = dequantize(K, take(scale, block), take(zero, block))
        how = None  # Keras passes over a quantizer of the inputs here.
    else:
        S = weight("kernel_scale", "S", [("units", columns)], trainable=False, positive=True)
        F = K / S
    shape = tuple(size for _, size in product.axes)
    F = named("F", F if shape == (rows, columns) else reshape(F, shape=shape), "the dequantized values")
    if how is None:
        return product.apply(product.x, F)
    q, s = in_whole_numbers(product.x, product.summed, how)
    return product.apply(q, F) / product.along_result(s)


def blocks(
    of: str, grouped: tuple[str, int], other: tuple[str, int], block: int, *, first: bool = True
) -> tuple[Expr, Expr, Expr]:
    """Scale and zero point of each block and output, and the block that each input is in. `first`: blocks come before
    outputs among the axes."""
    groups = ("blocks", -(-grouped[1] // block))
    axes = [groups, other] if first else [other, groups]
    S = weight(f"{of}_scale", "S", axes, trainable=False, positive=True)
    Z = weight(f"{of}_zero", "Z", axes, trainable=False, dtype="int8")
    return S, Z, weight("g_idx", "k", [grouped], trainable=False, dtype="float32")


def _float8(type_: str, product: Product, policy: Policy, low_rank: Lora | None) -> tuple[Expr, tuple[Expr, ...]]:
    """Inputs and kernel are rounded to float8. The histories serve training alone; they are trained variables to
    Keras, since it overwrites them in place of adding their gradients."""
    if low_rank is not None:
        raise ArgumentError(f"{type_} needs lora_rank or float8, got both, which Keras does not compute")
    scales: dict[str, Expr] = {}
    stored: list[Expr] = []
    for name in ("inputs", "kernel", "outputs_grad"):
        scales[name] = weight(f"{name}_scale", f"s_{name[0]}", [], dtype="float32", positive=True)
        history = f"history_{name[0]}"
        stored.append(weight(f"{name}_amax_history", history, [("steps", policy.history)], dtype="float32"))
    stored.append(scales["outputs_grad"])
    W = weight("kernel", "W", product.axes)
    b = weight("bias", "b", product.bias) if product.bias is not None else None
    y = product.apply(
        named("x_8", fake_float8(product.x, scales["inputs"]), "x rounded to float8"),
        named("W_8", fake_float8(W, scales["kernel"]), "W rounded to float8"),
    )
    if b is not None:
        y = y + (rounded(b, to="bfloat16") if policy.compute == "float32" else b)
    return y, tuple(stored)


class EmbeddingTable:
    """The table of an Embedding, `ids` rows of `width` numbers, with the weights that the policy makes of it.

    `tied` is None for an Embedding; else whether the table serves for the way back, or a second one does.
    """

    def __init__(self, type_: str, ids: int, width: int, compression: Compression, tied: bool | None = None) -> None:
        low_rank, policy, config = compression.parts
        need_mode(type_, policy, "int8", "int4")
        self.low_rank = low_rank
        self.mode = policy.mode if policy is not None else ""
        self.block = policy.block if policy is not None else 0
        self.width = width
        self.tied = tied is not False
        # The way back quantizes its input unless the configuration says otherwise.
        self.how = config if isinstance(config, Quantizer) else Quantizer() if config is None else None
        rows, columns = ("ids", ids), ("features", width)
        if not self.mode:
            self.E = weight("embeddings", "E", [rows, columns], trainable=low_rank is None)
        self.R = weight("reverse_embeddings", "R", [columns, rows]) if not self.tied and not self.mode else None
        self.A, self.B = factors([rows, columns], low_rank, "embeddings")
        if self.mode:
            self._quantized(rows, columns)

    def _quantized(self, rows: tuple[str, int], columns: tuple[str, int]) -> None:
        packed = ("bytes", -(-self.width // 2)) if self.mode == "int4" else columns
        self.E = weight("embeddings", "E", [rows, packed], dtype="int8", trainable=False)
        if self.block:
            self.S, self.Z, self.k = blocks("embeddings", columns, rows, self.block, first=False)
        else:
            self.S = weight("embeddings_scale", "S", [rows], positive=True, trainable=False)
        if self.tied:
            return
        self.R = weight("reverse_embeddings", "R", [packed, rows], dtype="int8", trainable=False)
        groups = [("blocks", -(-self.width // self.block)), rows] if self.block else [rows]
        self.RS = weight("reverse_embeddings_scale", "S_R", groups, positive=True, trainable=False)
        if self.block:
            self.RZ = weight("reverse_embeddings_zero", "Z_R", groups, trainable=False)

    @property
    def weights(self) -> tuple[Expr, ...]:
        """All weights of the table, whichever way it is used."""
        return tuple(v for v in vars(self).values() if isinstance(v, Expr))

    def _updated(self) -> Expr:
        """The table with what LoRA adds to it."""
        if self.low_rank is None:
            return self.E
        return named("E_lora", self.E + scaled(dot(self.A, self.B), self.low_rank), "E plus LoRA's update")

    def look_up(self, ids: Expr) -> Expr:
        """The row of each id."""
        if not self.mode:
            return take(self._updated(), ids)
        whole = take(self.E, ids)
        if self.mode == "int4":
            whole = named("K", unpack_int4(whole, n=self.width), "two values from each byte")
        scale = take(self.S, ids)
        if self.block:
            scale, zero = (gather(v, self.k, axis=-1) for v in (scale, take(self.Z, ids)))
            y = dequantize(whole, scale, zero)
        else:
            y = whole / scale[..., None]
        if self.low_rank is not None:
            y = y + scaled(dot(take(self.A, ids), self.B), self.low_rank)
        return y

    def score(self, x: Expr) -> Expr:
        """How well x fits each id: its product with every row."""
        if not self.mode:
            table = self._updated()
            return dot(x, transpose(table, axes=(1, 0)) if self.R is None else self.R)
        kernel = transpose(self.E, axes=(1, 0)) if self.R is None else self.R
        if self.mode == "int4":
            kernel = named("K", unpack_int4(kernel, n=self.width, axis=0), "two values from each byte")
        if self.block:
            turned = [transpose(v, axes=(1, 0)) for v in (self.S, self.Z)] if self.R is None else [self.RS, self.RZ]
            scale, zero = (take(v, self.k) for v in turned)
            kernel = named("F", dequantize(kernel, scale, zero), "the dequantized values")
        q, s = (x, None) if self.how is None else in_whole_numbers(x, -1, self.how)
        y = dot(q, kernel)
        if not self.block:
            scale = self.S if self.R is None else self.RS
            return y / (scale if s is None else s * scale)
        return y if s is None else y / s
