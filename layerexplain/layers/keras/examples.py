"""An example of each layer type: arguments and input shapes, as they are typed, on which it shows what it does."""

from __future__ import annotations

from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.registry import TORCH, layer_types

SHAPES = {2: "784", 3: "9,5", 4: "28x28x3", 5: "8x8x8x3"}
"""By the number of axes that a layer needs, the batch included."""

USUAL_SIZES = (
    28,
    32,
    64,
    224,
    48,
    96,
    100,
    128,
    150,
    256,
    227,
    299,
    300,
    416,
    512,
    84,
    200,
    250,
    400,
    14,
    16,
    20,
    40,
    50,
)
"""Sizes of images that people have, the usual ones first."""

_SEQUENCES = frozenset({"attention", "rnn", "spectrogram"})
_IMAGES = frozenset({"augmentation", "image_transforms", "preprocessing", "pipeline"})

_OWN: dict[str, tuple[str, str]] = {
    "losses.CTC": ("", "9,10 4"),
    "optimizers.LossScaleOptimizer": ("inner_optimizer={Adam: {learning_rate: 0.001}}", "784x10"),
    "schedules.CosineDecay": ("initial_learning_rate=0.1 decay_steps=1000", ""),
    "schedules.CosineDecayRestarts": ("initial_learning_rate=0.1 first_decay_steps=1000", ""),
    "schedules.ExponentialDecay": ("initial_learning_rate=0.1 decay_steps=1000 decay_rate=0.96", ""),
    "schedules.InverseTimeDecay": ("initial_learning_rate=0.1 decay_steps=1000 decay_rate=0.5", ""),
    "schedules.PiecewiseConstantDecay": ("boundaries=[1000, 2000] values=[0.1, 0.01, 0.001]", ""),
    "schedules.PolynomialDecay": ("initial_learning_rate=0.1 decay_steps=1000", ""),
    "AdditiveAttention": ("", "4,16 10,16"),
    "Attention": ("", "4,16 10,16"),
    "AugMix": ("", "28x28x3"),
    "Bidirectional": ("layer={LSTM: {units: 16}}", "9,5"),
    "CategoryEncoding": ("num_tokens=16", "3"),
    "ConvLSTM1D": ("filters=8 kernel_size=3", "5,28,3"),
    "ConvLSTM2D": ("filters=8 kernel_size=3", "5,28,28,3"),
    "ConvLSTM3D": ("filters=8 kernel_size=3", "5,8,8,8,3"),
    "CustomScaleLayer": ("scale=0.5", "7,7,16 7,7,16"),
    "Discretization": ("bin_boundaries=[0,1,2]", "3"),
    "Dot": ("axes=-1", "9,5 4,5"),
    "EinsumDense": ("equation=abc,cd->abd output_shape=[null,16]", "9,5"),
    "Embedding": ("input_dim=1000 output_dim=16", "9"),
    "Flatten": ("", "28x28x3"),
    "GRUCell": ("units=16", "5 16"),
    "GroupNormalization": ("groups=4", "28x28x16"),
    "GroupQueryAttention": ("head_dim=8 num_query_heads=4 num_key_value_heads=2", "4,16 10,16"),
    "Highway": ("", "16"),
    "IntegerLookup": ("vocabulary=[7,8,9]", "3"),
    "Lambda": ("function=f output_shape=[16]", "784"),
    "LSTMCell": ("units=16", "5 16 16"),
    "LayerScale": ("projection_dim=16", "7,7,16"),
    "Masking": ("", "9,5"),
    "MaxNumBoundingBoxes": ("max_number=16", "5,4"),
    "MelSpectrogram": ("", "16000"),
    "MultiHeadAttention": ("num_heads=2 key_dim=8", "4,16 10,16"),
    "Permute": ("dims=[2,1]", "9,5"),
    "Pipeline": ("layers=[{Rescaling: 0.5}, {RandomFlip: horizontal}]", "28x28x3"),
    "RNN": ("cell={LSTMCell: 16}", "9,5"),
    "RepeatVector": ("n=9", "5"),
    "Reshape": ("target_shape=[28,28,1]", "784"),
    "ReversibleEmbedding": ("input_dim=1000 output_dim=16", "9"),
    "STFTSpectrogram": ("", "16000,1"),
    "SimpleRNNCell": ("units=16", "5 16"),
    "SpectralNormalization": ("layer={Dense: 10}", "784"),
    "StackedRNNCells": ("cells=[{LSTMCell: 8}, {GRUCell: 4}]", "5 8 8 4"),
    "TimeDistributed": ("layer={Dense: 10}", "9,5"),
}
"""What cannot be told from a declaration."""


def example_of(declaration: Declaration) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(arguments as NAME=VALUE, input shapes as `--input` takes them)."""
    if declaration.facts.example is not None:
        return declaration.facts.example
    if declaration.type.startswith(TORCH):
        from layerexplain.layers.torch import compared

        return compared.example_of(declaration)
    if declaration.type in _OWN:
        arguments, inputs = _OWN[declaration.type]
        # A value may have blanks: each argument but the first begins behind one, with its name and `=`.
        return tuple(_split(arguments)), tuple(inputs.split())
    given = [
        f"{name}={value.check.example}"
        for name, value in declaration.arguments.items()
        if value.default is Argument.REQUIRED
    ]
    count = 1 if declaration.tensors else 2
    return tuple(given), (_shape_for(declaration),) * count


def _split(arguments: str) -> list[str]:
    parts: list[str] = []
    for word in arguments.split():
        if word.partition("=")[0].isidentifier() and "=" in word:
            parts.append(word)
        else:
            parts[-1] += f" {word}"
    return parts


def _shape_for(declaration: Declaration) -> str:
    if declaration.kind != "layer":
        return "10" if declaration.kind == "loss" else "784x10"
    if declaration.ndim is not None:
        return SHAPES.get(declaration.ndim, "784")
    family = next(
        name for name, entries in layer_types().items() if declaration.type in [entry[0] for entry in entries]
    )
    return SHAPES[3] if family in _SEQUENCES else SHAPES[4] if family in _IMAGES else SHAPES[2]
