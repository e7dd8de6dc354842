"""Which colour a box has in a picture: by what its layer does, whichever framework it is of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from layerexplain.layers.index import family_of as module_of
from layerexplain.render.graph.diagram import family_of

OF_LAYERS = [
    # The module that declares a type, its family, and types of it.
    ("convolutional", "weights", "Conv1D Conv2D"), ("convolutional_transpose", "weights", "Conv2DTranspose"),
    ("depthwise_separable", "weights", "DepthwiseConv2D SeparableConv1D"), ("reversible_embedding", "weights", "ReversibleEmbedding"),
    ("operations_product", "weights", "ops.Matmul ops.Einsum"), ("pooling", "windows", "MaxPooling2D GlobalAveragePooling1D"),
    ("operations_reduce", "windows", "ops.Mean ops.Max"), ("reshaping", "shape", "Flatten Permute"), ("operations_shape", "shape", "ops.Reshape ops.Transpose"),
    ("operations_repeat", "shape", "ops.Tile ops.Repeat"), ("normalization", "normal", "BatchNormalization LayerNormalization"),
    ("activation_layers", "activation", "ReLU Softmax"), ("core", "activation", "Activation Identity"),
    ("rnn", "sequence", "LSTM GRU"), ("rnn_cells", "sequence", "LSTMCell"), ("convolutional_recurrent", "sequence", "ConvLSTM2D"),
    ("wrappers", "sequence", "TimeDistributed"), ("attention", "attention", "MultiHeadAttention Attention"), ("merging", "join", "Add Concatenate"),
    ("regularization", "random", "Dropout GaussianNoise"), ("augmentation", "random", "RandomFlip"), ("image_transforms", "random", "RandomCrop"),
]  # fmt: skip
LAYERS = [(module, family, type_) for module, family, types in OF_LAYERS for type_ in types.split()]


def layer(
    type_: str,
    sources: int = 1,
    operation: str = "",
    macs: int | None = 0,
    weights: tuple[tuple[int, ...] | None, ...] = (),
) -> Any:
    shapes = tuple([SimpleNamespace(shape=shape) for shape in weights])
    return SimpleNamespace(type=type_, sources=("x",) * sources, operation=operation, macs=macs, weights=shapes)


@pytest.mark.parametrize(
    ("module", "family", "type_"), LAYERS, ids=[f"{module} {family} {type_}" for module, family, type_ in LAYERS]
)
def test_the_family_of_a_module_of_declarations(module: str, family: str, type_: str) -> None:
    assert module_of(type_) == module
    assert family_of(layer(type_)) == family


OTHERS = [
    # A Dense has weights; of an operation by element two tensors are joined, and one is an activation.
    ("weights", layer("Dense", weights=((3, 5), (5,)))), ("weights", layer("EinsumDense", weights=((3, 5),))),
    ("join", layer("ops.Add", 2, "x1 + x2")), ("activation", layer("ops.Add", 1, "x + 3")), ("weights", layer("ops.Multiply", 2, "x1 * x2", macs=7)),
    ("activation", layer("ops.Sqrt", 1, "sqrt(x)")),
    # Modules of PyTorch, by the names of their classes.
    ("weights", layer("Linear", weights=((3, 5),))), ("random", layer("Dropout1d")), ("activation", layer("GELU")), ("activation", layer("Softplus")), ("weights", layer("Conv2d")), ("windows", layer("MaxPool2d")), ("normal", layer("BatchNorm2d")),
    ("random", layer("Dropout2d")), ("shape", layer("PixelShuffle")),
    # What a model's own classes compute: something with a matrix, or nothing that is known.
    ("weights", layer("Mine", operation="dot(x, W)", weights=((3, 5),))), ("", layer("Mine", operation="x * w", weights=((5,), None))),
    ("weights", layer("Mine", operation="x @ x", macs=9)), ("weights", layer("Mine", operation="x", macs=None)),
    ("", layer("Mine", operation="Mine(x)", weights=((3, 5),))), ("", layer("Functional", operation="Functional(x)", macs=5)),
]  # fmt: skip


@pytest.mark.parametrize(("family", "of"), OTHERS, ids=[f"{family} {of.type} {of.operation}" for family, of in OTHERS])
def test_the_family_of_other_layers_and_of_operations_by_element(family: str, of: Any) -> None:
    assert family_of(of) == family
