"""Which colour a box has: that of the family of its layer, by what the layer does."""

from __future__ import annotations

from layerexplain.report.data import LayerReport

_OF_MODULES = {
    "convolutional": "weights", "convolutional_transpose": "weights", "depthwise_separable": "weights",
    "reversible_embedding": "weights", "operations_product": "weights",
    "pooling": "windows", "operations_reduce": "windows",
    "reshaping": "shape", "operations_shape": "shape", "operations_repeat": "shape", "operations_image": "shape",
    "normalization": "normal", "activation_layers": "activation", "core": "activation",
    "rnn": "sequence", "rnn_cells": "sequence", "convolutional_recurrent": "sequence", "wrappers": "sequence",
    "attention": "attention", "merging": "join",
    "regularization": "random", "augmentation": "random", "preprocessing": "random", "image_transforms": "random",
}  # fmt: skip
"""The family of a module of declarations."""

_BY_ELEMENT = ("operations", "operations_numbers", "tf_operations", "tf_raw_operations")
"""Modules of operations that go element by element: of two tensors they join, of one they are activations."""


def family_of(layer: LayerReport) -> str:
    """Return the family of a layer, "" where it has none: of what is not known, and of models."""
    from layerexplain.layers.index import family_of

    module = family_of(layer.type)
    if module in _BY_ELEMENT:
        return "join" if len(layer.sources) > 1 else "activation"
    if module == "core" and layer.weights:
        return "weights"
    return _OF_MODULES.get(module, "")
