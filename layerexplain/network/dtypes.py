"""In what a layer keeps its variables and computes, by its dtype policy."""

from __future__ import annotations

from collections.abc import Mapping

from layerexplain.model import Layer
from layerexplain.ops.sizes import INTS

BYTES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1, "float8_e5m2": 1,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint64": 8, "uint32": 4, "uint16": 2, "uint8": 1, "bool": 1,
}  # fmt: skip
"""Bytes of one element, by dtype."""

VARIABLE_DTYPES = {"mixed_float16": "float32", "mixed_bfloat16": "float32"}
COMPUTE_DTYPES = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}


def policy_of(layer: Layer) -> str:
    """Return the name of a layer's policy (`mixed_float16`, `int8_from_float32`): float32 where the source does not
    say."""
    policy = layer.config.get("dtype")
    if isinstance(policy, str):
        return policy
    if isinstance(policy, Mapping):
        config = policy.get("config")
        said = config if isinstance(config, Mapping) else {}
        policy = said.get("name")
        if not isinstance(policy, str):
            mode, policy = said.get("mode"), said.get("source_name")
            policy = f"{mode}_from_{policy}" if isinstance(mode, str) and isinstance(policy, str) else policy
    return policy if isinstance(policy, str) else "float32"


def dtypes_of(layer: Layer) -> tuple[str, str]:
    """Return the dtypes of a layer's variables and computation; for a quantized layer, of what is not quantized."""
    policy = policy_of(layer).rpartition("_from_")[2]
    return VARIABLE_DTYPES.get(policy, policy), COMPUTE_DTYPES.get(policy, policy)


def float_of(layer: Layer) -> str:
    """Return the float in which a layer computes: also one whose policy is of whole numbers divides in float32."""
    computes = dtypes_of(layer)[1]
    return "float32" if whole_numbers(layer) or computes == "float" else computes


def dtype_of_result(layer: Layer, dtype: str) -> str:
    """Return the dtype of a result of a layer; one that consists of Python's numbers is float32 or int32."""
    return "int32" if dtype == "weak int" else float_of(layer) if dtype in ("float", "weak float") else dtype


def whole_numbers(layer: Layer) -> str:
    """Return the dtype in which a layer computes if it is one of whole numbers: Keras casts its inputs to it; else
    ""."""
    dtype = layer.config.get("dtype") if layer.kind == "layer" else None
    return dtype if type(dtype) is str and (dtype in INTS or dtype == "bool") else ""


def dtype_words(layer: Layer) -> str:
    """Return `mixed_float16: computes in float16, weights in float32`; "" for float32, the default."""
    policy = policy_of(layer)
    if policy == "float32":
        return ""
    variables, computes = dtypes_of(layer)
    words = f"{policy}: computes in {computes}, weights in {variables}"
    mode, quantized, _ = policy.rpartition("_from_")
    return f"{words}; quantized parts in {mode.partition('/')[0]}" if quantized else words
