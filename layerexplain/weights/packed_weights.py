"""Weights that a file stores packed, a few bits a number: which tensors stand for one, and in which form."""

from __future__ import annotations

from collections.abc import Mapping

from layerexplain.frontends.keras.weight_tensors import StoredTensor
from layerexplain.lang.expr import Expr
from layerexplain.records import NamedTuple

_WORD = 32
"""Bits of the whole numbers that hold several numbers each."""


class Packed(NamedTuple):
    """What stands for a weight: the tensors' paths, and in words how many bits a number has."""

    paths: tuple[str, ...]
    words: str


def packed(path: str, weight: Expr, tensors: Mapping[str, StoredTensor]) -> Packed | None:
    """Return what stands for a weight that a file does not store as it is; None where nothing does."""
    stem = path.removesuffix(".weight")
    beside = tuple([f"{stem}.{name}" for name in _BESIDE if f"{stem}.{name}" in tensors])
    for form in (_in_words, _in_halves, _scaled):
        words = form(stem, weight, tensors)
        if words:
            return Packed(beside, words)
    if not any(name.endswith(_VALUES) for name in beside):
        return None
    return Packed(beside, "their encoding is not known")


_VALUES = ("qweight", "weight_packed", "weight")
_BESIDE = (
    "weight", "qweight", "qzeros", "scales", "g_idx", "weight_packed", "weight_scale", "weight_scale_inv",
    "weight_shape", "weight_zero_point", "weight_g_idx", "input_scale", "SCB", "weight_format", "weight.absmax",
    "weight.quant_map", "weight.nested_absmax", "weight.nested_quant_map", "weight.quant_state.bitsandbytes__nf4",
    "weight.quant_state.bitsandbytes__fp4",
)  # fmt: skip


def _in_words(stem: str, weight: Expr, tensors: Mapping[str, StoredTensor]) -> str:
    """Return several numbers in each int32: GPTQ packs the inputs, AWQ the outputs, compressed-tensors the inputs of
    rows."""
    outputs, inputs = (*weight.shape, 0, 0)[:2]
    for bits in (2, 3, 4, 8):
        for name, shape, form in (
            ("qweight", (inputs * bits // _WORD, outputs), "GPTQ"),
            ("qweight", (inputs, outputs * bits // _WORD), "AWQ"),
            ("weight_packed", (outputs, inputs * bits // _WORD), "compressed-tensors"),
        ):
            found = tensors.get(f"{stem}.{name}")
            if found is not None and found.shape == shape and found.dtype == "int32":
                scales = tensors.get(f"{stem}.{'scales' if name == 'qweight' else 'weight_scale'}")
                groups = 0 if scales is None else scales.shape[0 if name == "qweight" else -1]
                each = f", one scale per {inputs // groups:,} inputs" if groups else ""
                return f"{bits} bits per number, {_WORD // bits} in each int32 of {name} ({form}){each}"
    return ""


def _in_halves(stem: str, weight: Expr, tensors: Mapping[str, StoredTensor]) -> str:
    """Return two numbers in each byte, with a scale for each block: bitsandbytes."""
    found, scales = tensors.get(f"{stem}.weight"), tensors.get(f"{stem}.weight.absmax")
    count = 1
    for size in weight.shape:
        count *= int(size)
    if found is None or scales is None or found.dtype != "uint8" or 2 * found.size != count:
        return ""
    return f"4 bits per number, 2 in each byte (bitsandbytes), one scale per {count // max(scales.size, 1):,} numbers"


def _scaled(stem: str, weight: Expr, tensors: Mapping[str, StoredTensor]) -> str:
    """Return a number in each byte, with scales beside it."""
    found = tensors.get(f"{stem}.weight")
    scales = next((name for name in ("SCB", "weight_scale_inv", "weight_scale") if f"{stem}.{name}" in tensors), "")
    if found is None or not scales or found.shape != tuple(weight.shape) or found.itemsize != 1:
        return ""
    return f"8 bits per number ({found.dtype}), scaled by {scales}"
