"""layerexplain reads a neural network's architecture and explains it, layer by layer.

    >>> import layerexplain
    >>> report = layerexplain.explain_layer("Dense", units=10, activation="relu", input_shape=(None, 784))
    >>> report.layers[0].operation
    'relu(dot(x, W) + b)'

Importing it loads nothing heavy: each name is loaded on first use.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as `typing` has it, which takes longer to load than all else here
if TYPE_CHECKING:
    from typing import Any

    from layerexplain.api import (
        catalogue,
        check,
        convert,
        diff,
        draw,
        explain,
        explain_layer,
        format_report,
        gradient_element,
        gradient_statistics,
        layer_page,
        layer_type,
        layer_types,
        list_weights,
        make_inputs,
        optimizers,
        page,
        read,
        trace,
        trace_element,
        trace_statistics,
        verify,
    )
    from layerexplain.errors import LayerExplainError
    from layerexplain.model import Model

__version__ = "0.1.0"

__all__ = [
    "LayerExplainError",
    "Model",
    "Report",
    "__version__",
    "catalogue",
    "check",
    "convert",
    "diff",
    "draw",
    "explain",
    "explain_layer",
    "format_report",
    "gradient_element",
    "gradient_statistics",
    "layer_page",
    "layer_type",
    "layer_types",
    "list_weights",
    "make_inputs",
    "optimizers",
    "page",
    "read",
    "trace",
    "trace_element",
    "trace_statistics",
    "verify",
]

_HOMES = {"LayerExplainError": "layerexplain.errors", "Model": "layerexplain.model"}
"""Where the classes are that are not in `api`."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOMES.get(name, "layerexplain.api")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
