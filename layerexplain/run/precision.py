"""The floats that Keras computes with, in NumPy: half precisions are kept as what they round to.

A layer of a half precision gets inputs and weights that are rounded to it, computes in float32, and its results are
rounded: a whole layer rounds once where Keras may round after each operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

HALVES = frozenset({"float16", "bfloat16"})
_WIDTHS = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}


def is_float(dtype: str) -> bool:
    """Whether a dtype is one of the floats that layers compute with."""
    return dtype in _WIDTHS


def computed_in(dtype: str) -> str:
    """The dtype in which NumPy computes what Keras computes in `dtype`."""
    return "float64" if dtype == "float64" else "float32"


def common_float(dtypes: Sequence[str]) -> str:
    """The float in which an operation between tensors of these dtypes computes; float32 if none of them is one."""
    floats = {d for d in dtypes if is_float(d)}
    if not floats:
        return "float32"
    if floats == HALVES:
        return "float32"
    return max(floats, key=lambda d: _WIDTHS[d])


def rounded_to(value: Any, dtype: str) -> Any:
    """An array of floats as it is after a cast to `dtype`; other arrays as they are.

    bfloat16, which NumPy lacks, comes as the float32 that has its value: rounded to the nearest, ties to even.
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
    made = (nearest & np.uint32(0xFFFF0000)).view(np.float32)
    return np.where(np.isnan(single), single, made).reshape(value.shape)
