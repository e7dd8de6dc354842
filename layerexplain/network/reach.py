"""The Keras expression that gives a variable: `model.get_layer("embedding").embeddings`."""

from __future__ import annotations

import json
from collections.abc import Sequence

_ATTRIBUTES = {
    ("Normalization", "mean"): "adapt_mean",
    ("Normalization", "variance"): "adapt_variance",
}
"""Variables that a layer keeps in an attribute of another name."""

_ATTRIBUTES_KERAS_2 = {
    ("DepthwiseConv1D", "kernel"): "depthwise_kernel",
    ("DepthwiseConv2D", "kernel"): "depthwise_kernel",
    **{("MultiHeadAttention", f"{part}_dense"): f"_{part}_dense" for part in ("query", "key", "value", "output")},
}
"""The same, and attributes that hold layers, in Keras 2 and tf.keras."""


def get_layers(path: Sequence[str]) -> str:
    """The expression that gives a layer by the names that lead to it."""
    return "model" + "".join(f".get_layer({json.dumps(name, ensure_ascii=False)})" for name in path)


def reach(path: Sequence[str], at: str, name: str, type_: str, keras_version: str | None = None) -> str:
    """The expression that gives the variable `name` of a layer of class `type_`; `at` is the attribute path inside."""
    if keras_version is not None and keras_version.startswith(("0.", "1.", "2.")):
        at = _ATTRIBUTES_KERAS_2.get((type_, at), at)
        name = _ATTRIBUTES_KERAS_2.get((type_, name), name)
    attribute = _ATTRIBUTES.get((type_, name), name)
    return ".".join(part for part in (get_layers(path), at, attribute) if part)
