"""Functions of one tensor with the attributes that tests try."""

from typing import Any

from layerexplain.layers.keras.activations import NAMES

ATTRIBUTES: list[tuple[str, dict[str, Any]]] = [
    *[(name, {}) for name in sorted(NAMES - {"sparsemax"})],
    ("celu", {"alpha": 0.3}),
    ("elu", {"alpha": 1.7}),
    ("gelu", {"approximate": True}),
    ("glu", {"axis": 1}),
    ("hard_shrink", {"threshold": 1.25}),
    ("leaky_relu", {"negative_slope": 0.05}),
    ("log_softmax", {"axis": 1}),
    ("relu", {"negative_slope": 0.3}),
    ("relu", {"negative_slope": 1.0, "threshold": 0.5}),
    ("relu", {"max_value": 1.5}),
    ("relu", {"max_value": 6}),
    ("relu", {"max_value": 1.5, "threshold": 0.7, "negative_slope": 0.2}),
    ("relu", {"max_value": 1.5, "threshold": -0.7}),
    ("relu", {"threshold": 0.7}),
    ("soft_shrink", {"threshold": 1.25}),
    ("softmax", {"axis": 1}),
    ("squareplus", {"b": 1}),
    ("threshold", {"threshold": 0.5, "default_value": -3.0}),
]
