"""The vocabulary: one record an op, by family. Composite functions (softmax, gelu, …) are in functions.py."""

from layerexplain.ops import elementwise  # Expr's operators look their ops up here

__all__ = ["elementwise"]
