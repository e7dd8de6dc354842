"""What running a language model takes: bytes of weights, cache and activations, whether they fit; bounds on speed."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from layerexplain.errors import ArgumentError, did_you_mean
from layerexplain.lang.axes import is_open
from layerexplain.records import NamedTuple
from layerexplain.report.language_model import LanguageModel, bytes_of, language_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from layerexplain.network.traced import Network
    from layerexplain.report.data import LayerReport, Totals
    from layerexplain.report.explanation_data import Memory

BITS = {
    "float32": 32, "float16": 16, "bfloat16": 16, "float8": 8, "int8": 8, "int4": 4,
    "fp32": 32, "fp16": 16, "bf16": 16, "fp8": 8, "f32": 32, "f16": 16, "nf4": 4, "fp4": 4,
    "8bit": 8, "8-bit": 8, "4bit": 4, "4-bit": 4,
}  # fmt: skip
"""Bits of a number, by the names of dtypes that are used for language models."""


class Hardware(NamedTuple):
    """A machine: bytes of its memory, bytes that it reads of that in a second, and floating-point operations a second;
    None where it is not said."""

    memory: float | None
    bandwidth: float | None
    speed: float | None


class ServingOptions(NamedTuple):
    """What is asked of running a language model; None is what the model's file says, and no machine."""

    dtype: str | None = None
    weights_dtype: str | None = None
    hardware: Hardware | None = None


_CARDS: Mapping[str, tuple[int, int, int]] = {
    "t4": (16, 320, 65), "v100": (32, 900, 125), "a10": (24, 600, 125), "a10040gb": (40, 1555, 312),
    "a100": (80, 2039, 312), "a10080gb": (80, 2039, 312), "l4": (24, 300, 121), "l40s": (48, 864, 362),
    "a6000": (48, 768, 155), "h100": (80, 3350, 989), "h10080gb": (80, 3350, 989), "h100pcie": (80, 2000, 756),
    "h200": (141, 4800, 989), "b200": (180, 8000, 2250), "mi300x": (192, 5300, 1307),
    "3090": (24, 936, 71), "4090": (24, 1008, 165), "5090": (32, 1792, 209),
}  # fmt: skip
"""Cards by name: memory in GB, bandwidth in GB/s, dense 16-bit TFLOP/s, of their makers' data sheets."""

_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15}
_COUNT = r"(?:([0-9]{1,6})\s*[x×*]\s*)?"
_AMOUNT = _COUNT + r"([0-9]*\.?[0-9]+)\s*([kmgtp]?)(i?)(b/s|b|flops?/s|flops)\Z"


def hardware_of(text: str) -> Hardware:
    """Return the machine that a text describes, of several as one (`2x24GB`, `2xH100`). Raises `ArgumentError` for a
    part that describes no machine.

    >>> hardware_of("80GB, 2.0TB/s, 990TFLOP/s")
    Hardware(memory=80000000000.0, bandwidth=2000000000000.0, speed=990000000000000.0)
    >>> hardware_of("2x24GB").memory
    48000000000.0
    >>> hardware_of("A100 80GB")
    Hardware(memory=80000000000.0, bandwidth=2039000000000.0, speed=312000000000000.0)
    """
    results: dict[str, float] = {}
    for part in text.split(","):
        named = re.match(_COUNT + r"(?:nvidia|geforce|rtx|amd)*(\w+)\Z", re.sub(r"[\s-]", "", part.lower()))
        if named is not None and named[2] in _CARDS and named[1] != "0":
            memory, bandwidth, speed = [int(named[1] or 1) * number for number in _CARDS[named[2]]]
            results |= {"memory": memory * 1e9, "bandwidth": bandwidth * 1e9, "speed": speed * 1e12}
            continue
        match = re.match(_AMOUNT, part.strip().lower())
        if match is None or float(match[2]) == 0 or match[1] == "0":
            example = "for example '80GB, 2.0TB/s, 990TFLOP/s', '2xH100' or 'RTX 4090'"
            raise ArgumentError(f"hardware needs memory, bandwidth and speed, got {part.strip()[:40]!r}; {example}")
        number = float(match[2]) * (1024.0 ** "kmgtp".find(match[3]) * 1024 if match[4] else _UNITS[match[3]])
        kind = "speed" if "flop" in match[5] else "bandwidth" if match[5] == "b/s" else "memory"
        results[kind] = number * int(match[1] or 1)
    return Hardware(results.get("memory"), results.get("bandwidth"), results.get("speed"))


def asked_of(dtype: str | None, weights_dtype: str | None, hardware: Hardware | str | None) -> ServingOptions | None:
    """Return what is asked, None for nothing. Raises `ArgumentError` for a dtype or a machine that is not known."""
    hardware = hardware_of(hardware) if isinstance(hardware, str) else hardware
    for name in (dtype, weights_dtype):
        if name is not None:
            bits_of(name)
    asked = ServingOptions(dtype, weights_dtype, hardware)
    return None if asked == ServingOptions() else asked


class Serving(NamedTuple):
    """What a model takes for `batch` texts of `tokens` tokens, in bytes, with the bounds on tokens a second: of texts
    that are read (prefill), and of texts that are written (decoding). `room` is the most tokens of each text whose
    cache fits beside the weights. None is not known, or not asked."""

    batch: int
    tokens: int | None
    weights_dtype: str
    dtype: str
    weights: int
    cache: int | None
    activations: int | None
    total: int | None
    hardware: Hardware | None
    fits: bool | None
    prefill: float | None
    decoding: float | None
    read_bytes: float | None
    room: int | None


def bits_of(name: str) -> int:
    """Return the bits of a number of a dtype. Raises `ArgumentError` for one that is not known.

    >>> bits_of("bf16"), bits_of("int4")
    (16, 4)
    """
    if name not in BITS:
        hint = did_you_mean(name, BITS, before="; ") or f"; known are {', '.join(BITS)}"
        raise ArgumentError(f"unknown dtype {name!r}{hint}")
    return BITS[name]


def serving(
    model: LanguageModel, batch: int, weights_dtype: str, hardware: Hardware | None, peak: int | None
) -> Serving:
    """Return what a model takes. `peak` is the most bytes of activations that live at once, of one text in float32."""
    weights = model.params * bits_of(weights_dtype) // 8
    tokens = model.tokens
    cache = None if tokens is None else batch * model.cache_at(tokens)
    activations = None if peak is None else bytes_of(batch * peak, model.element_bytes) // 4
    total = None if cache is None else weights + cache + (activations or 0)
    fits = prefill = decoding = read = room = None
    if hardware is not None and not is_open(tokens):  # what is compared with a machine needs a number of tokens
        if hardware.memory is not None:
            fits = total <= hardware.memory if total is not None else False if weights > hardware.memory else None
            room = _room(model, batch, hardware.memory - weights)
        if hardware.speed and model.needed_macs:
            prefill = hardware.speed / (2 * model.needed_macs)
        if hardware.bandwidth and cache is not None:
            read = model.active * bits_of(weights_dtype) / 8
            decoding = batch * hardware.bandwidth / (read + cache)
    return Serving(
        batch,
        tokens,
        weights_dtype,
        model.dtype,
        weights,
        cache,
        activations,
        total,
        hardware,
        fits,
        prefill,
        decoding,
        read,
        room,
    )


_LONGEST = 10**9
"""Tokens; a cache of so many that fits has no limit, as that of windows."""


def _room(model: LanguageModel, batch: int, left: float) -> int | None:
    """Return the most tokens of each text whose cache takes no more than what is left; None without a limit."""
    if batch * model.cache_at(_LONGEST) <= left:
        return None
    return max(bisect_right(range(_LONGEST), left, key=lambda tokens: batch * model.cache_at(tokens)) - 1, 0)


def language_model_of(
    network: Network, totals: Totals, rows: Sequence[LayerReport], asked: ServingOptions | None, memory: Memory | None
) -> tuple[LanguageModel | None, Serving | None]:
    """Return what is known of a language model, and what running it takes where that is asked.

    Raises `ArgumentError` where it is asked of a model that is none.
    """
    own = network.model.arguments.get("dtype")
    stored = own if isinstance(own, str) and own in BITS else "bfloat16"
    dtype = (asked.dtype if asked is not None else None) or stored
    model = language_model(network, totals, rows, dtype, bits_of(dtype) / 8)
    if model is None:
        if asked is not None:
            needed = "dtype, weights_dtype and hardware are of language models: layers that keep a cache of each token"
            raise ArgumentError(f"{needed}; this model has none")
        return None, None
    if asked is None and memory is None:
        return model, None
    weights_dtype = (asked.weights_dtype if asked is not None else None) or (asked.dtype if asked else None) or stored
    hardware = asked.hardware if asked is not None else None
    batch, peak = (1, None) if memory is None else (memory.batch, memory.peak)
    return model, serving(model, batch, weights_dtype, hardware, peak)
