"""The formula of a layer whose input shape, or an argument, is not known: what holds whatever the sizes are."""

from __future__ import annotations

from typing import Any

from layerexplain.derive.gist import gist
from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import BATCH
from layerexplain.lang.definition import Definition
from layerexplain.lang.text import statements
from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.layers.inner import DeclaredLayer
from layerexplain.layers.registry import find
from layerexplain.model import Layer
from layerexplain.report.short_lines import product_text

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


def general_parameters(layer: Layer, declaration: Declaration | None) -> str:
    """Return the parameters of a layer without a shape as a product, with the name of the size that is missing; ""
    where an argument is missing too, or where they do not follow from one size.

    >>> general_parameters(Layer("g", "GRU", "layer", {"units": 64}), find("GRU"))
    '3 gates × 64 units × (inputs + 64 states + 2 bias rows); the number of inputs is not known'
    >>> general_parameters(Layer("c", "Conv2D", "layer", {"filters": 5, "kernel_size": 3}), find("Conv2D"))
    '3 × 3 × channels × 5 + 5; the number of channels is not known'
    """
    if declaration is None or declaration.facts.runs_code or not declaration.tensors:
        return ""
    texts = [_product_at(layer, declaration, size) for size in _PRIMES]
    return texts[0] if texts[0] == texts[1] else ""


_PRIMES = (7919, 7907)
"""Sizes that no argument has."""


def _product_at(layer: Layer, declaration: Declaration, size: int) -> str:
    definition = _definition_at(layer, declaration, size, None)
    if definition is None:
        return ""
    counted = [leaf.attrs["axes"] for leaf in definition.weights if not leaf.attrs.get("buffer")]
    terms = [tuple([(str(name), size) for packed in axes for name, size in packed]) for axes in counted]
    names = {name for term in terms for name, own in term if own == size}
    if len(names) != 1:
        return ""
    (name,) = names
    product = product_text(terms).replace(f"{size:,} {name}", name).replace(f"{size:,}", name)
    return f"{product}; the number of {name} is not known"


def _formula_at(layer: Layer, declaration: Declaration, size: int, number: int) -> tuple[str, tuple[str, ...]] | None:
    definition = _definition_at(layer, declaration, size, number)
    if definition is None:
        return None
    lines = tuple(["    " * line.indent + line.text for line in statements(definition)])
    return gist(definition, lines), lines


def _definition_at(layer: Layer, declaration: Declaration, size: int, number: int | None) -> Definition | None:
    """Return the layer at a size of all axes, with a number for required arguments that are not known."""
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
    count = max(len(declaration.tensors) - declaration.optional, 1)
    for ndim in axes:
        spec = Spec((BATCH, *(size,) * (ndim - 1)), "float")
        try:
            return declaration.trace([spec] * count, declaration.bind(config))
        except (LayerExplainError, TypeError, ValueError, AttributeError):
            continue
    return None
