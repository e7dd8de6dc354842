"""The vocabulary: one record an op, by family. Composite functions (softmax, gelu, …) are in functions.py."""

from layerexplain.ops import elementwise  # Expr's operators look their ops up here

__all__ = ["elementwise", "load_all"]


def load_all() -> None:
    """Import every module of the package, so that a formula may call any op and composite by name."""
    import importlib
    import pkgutil

    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
