"""The dtypes of PyTorch as formulas have them, and what a conversion asks for: `x.long()`, `x.to(torch.float32)`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from layerexplain.frontends.code.values.symbols import Symbol

DTYPES = {
    "float": "float", "double": "float", "half": "float", "bfloat16": "float", "float16": "float", "float32": "float",
    "float64": "float", "long": "int64", "int": "int32", "short": "int16", "bool": "bool", "byte": "uint8",
    "char": "int8", **{name: name for name in ("int64", "int32", "int16", "int8", "uint8")},
}  # fmt: skip
"""Methods that convert and dtypes, by their names, and what they convert to."""


def dtype_of(name: str) -> str:
    """Return a dtype as formulas have it."""
    return "float" if name.startswith(("float", "bfloat")) else name


def dtype_asked(given: Iterable[Any], own: str) -> str:
    """Return the dtype that the arguments of `x.to(…)` or `x.type(…)` ask for, the `own` one where that stays."""
    dtype = own
    for one in given:
        if isinstance(one, Symbol | str):
            word = (one.last if isinstance(one, Symbol) else one).rpartition(".")[2]
            dtype = DTYPES.get(word.removesuffix("Tensor").lower() or "float", dtype)
        elif hasattr(one, "spec"):
            dtype = one.spec.dtype
    both_whole = own.startswith(("int", "uint")) and dtype.startswith(("int", "uint"))
    return own if both_whole else dtype
