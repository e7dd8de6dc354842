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
}
"""The same in Keras 2 and tf.keras."""


def get_layers(path: Sequence[str]) -> str:
    """The expression that gives a layer by the names that lead to it."""
    return "model" + "".join(f".get_layer({json.dumps(name, ensure_ascii=False)})" for name in path)


def reach(path: Sequence[str], at: str, name: str, type_: str, keras_version: str | None = None) -> str:
    """The expression that gives the variable `name` of a layer of class `type_`; `at` is the attribute path inside."""
    key = (type_, name)
    old = keras_version is not None and keras_version.startswith(("1.", "2.", "0."))
    attribute = (_ATTRIBUTES_KERAS_2.get(key) if old else None) or _ATTRIBUTES.get(key, name)
    return ".".join(part for part in (get_layers(path), at, attribute) if part)
