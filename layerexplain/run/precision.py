"""Keras's floating-point dtypes in NumPy: half-precision values are rounded and kept as float32.

A half-precision layer gets rounded inputs and weights, computes in float32 and rounds its results: once per layer,
where Keras may round after each operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

HALVES = frozenset({"float16", "bfloat16"})
_WIDTHS = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}


def is_float(dtype: str) -> bool:
    """Return whether a dtype is one of the floats that layers compute with."""
    return dtype in _WIDTHS


def computed_in(dtype: str) -> str:
    """Return the NumPy dtype that stands for Keras's compute dtype."""
    return "float64" if dtype == "float64" else "float32"


def common_float(dtypes: Sequence[str]) -> str:
    """Return the float in which an operation on tensors of these dtypes computes; float32 if none is a float."""
    floats = {d for d in dtypes if is_float(d)}
    if not floats or floats == HALVES:
        return "float32"
    return max(floats, key=lambda d: _WIDTHS[d])


def rounded_to(value: Any, dtype: str) -> Any:
    """Return an array of floats cast to `dtype`; other arrays unchanged.

    bfloat16, which NumPy lacks, is returned as float32 of the same value: rounded to nearest, ties to even.
    """
    import numpy as np

    value = np.asarray(value)
    if value.dtype.kind != "f" or not is_float(dtype):
        return value
    if dtype != "bfloat16":
        with np.errstate(over="ignore"):  # beyond the range of float16 is infinity
            return value if value.dtype == dtype else value.astype(dtype)
    single = np.ascontiguousarray(value, dtype=np.float32)
    bits = single.view(np.uint32)
    with np.errstate(over="ignore"):
        nearest = bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    bfloat16 = (nearest & np.uint32(0xFFFF0000)).view(np.float32)
    return np.where(np.isnan(single), single, bfloat16).reshape(value.shape)
