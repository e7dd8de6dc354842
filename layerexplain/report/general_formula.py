"""The formula of a layer whose input shape, or an argument, is not known: what holds whatever the sizes are."""

from __future__ import annotations

from typing import Any

from layerexplain.derive.gist import gist
from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import BATCH
from layerexplain.lang.text import statements
from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.layers.inner import DeclaredLayer
from layerexplain.layers.registry import find
from layerexplain.model import Layer

_TRIED = ((30, 24), (42, 36))
"""Sizes of axes, and numbers for arguments, that are tried; what is said of both is said of all."""

_MOST_AXES = 5


def general_formula(layer: Layer, declaration: Declaration | None) -> tuple[str, tuple[str, ...]] | None:
    """Return the operation and the statements of a layer without a shape, where they are the same for all sizes.

    >>> general_formula(Layer("d", "Dense", "layer", {"units": None, "activation": "relu"}), find("Dense"))
    ('relu(dot(x, W) + b)', ('y = relu(dot(x, W) + b)',))
    """
    if declaration is None or declaration.facts.runs_code or declaration.variadic is not None:
        return None
    texts = [_formula_at(layer, declaration, *sizes) for sizes in _TRIED]
    return texts[0] if texts[0] == texts[1] else None


def _formula_at(layer: Layer, declaration: Declaration, size: int, number: int) -> tuple[str, tuple[str, ...]] | None:
    config: dict[str, Any] = {}
    for name, argument in declaration.arguments.items():
        value = layer.config.get(name)
        if isinstance(value, Layer):
            inner = find(value.type)
            value = None if inner is None else DeclaredLayer(inner, value.config)
        if value is None and argument.default is Argument.REQUIRED:
            value = number
        if value is not None or name in layer.config:
            config[name] = value
    axes = range(2, _MOST_AXES + 1) if declaration.ndim is None else (declaration.ndim,)
    count = len(declaration.tensors) - declaration.optional
    for ndim in axes:
        spec = Spec((BATCH, *(size,) * (ndim - 1)), "float")
        try:
            definition = declaration.trace([spec] * count, declaration.bind(config))
            lines = tuple(["    " * line.indent + line.text for line in statements(definition)])
            return gist(definition, lines), lines
        except (LayerExplainError, TypeError, ValueError, AttributeError):
            continue
    return None
