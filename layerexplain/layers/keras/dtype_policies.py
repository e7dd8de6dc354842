"""What a layer's dtype and quantization_config say: which policy, how inputs are quantized; and what LoRA adds."""

import re
from collections.abc import Mapping
from typing import Any

from layerexplain.layers.arguments import Annotated, Check, Number, PositiveInt
from layerexplain.records import NamedTuple


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
