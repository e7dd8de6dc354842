"""An example of each module of PyTorch: arguments and the shapes of inputs, as they are typed."""

from __future__ import annotations

from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.registry import TORCH

_SHAPES = {3: "3,9", 4: "3,28,28", 5: "3,8,8,8"}

_OWN: dict[str, tuple[str, str]] = {
    "Bilinear": ("in1_features=5 in2_features=3 out_features=16", "5 3"),
    "ChannelShuffle": ("groups=2", "4,7,7"),
    "CosineSimilarity": ("", "16 16"),
    "Dropout1d": ("", "3,9"),
    "Embedding": ("num_embeddings=1000 embedding_dim=16", "9"),
    "EmbeddingBag": ("num_embeddings=1000 embedding_dim=16", "9"),
    "FeatureAlphaDropout": ("", "3,28,28"),
    "Flatten": ("", "3,28,28"),
    "GroupNorm": ("num_groups=4 num_channels=16", "16,28,28"),
    "LSTMCell": ("input_size=5 hidden_size=16", "5 16 16"),
    "LayerNorm": ("normalized_shape=16", "9,16"),
    "Linear": ("in_features=784 out_features=10", "784"),
    "LocalResponseNorm": ("size=5", "16,7,7"),
    "MultiheadAttention": ("embed_dim=16 num_heads=2 batch_first=true", "4,16 10,16 10,16"),
    "PairwiseDistance": ("", "16 16"),
    "PixelShuffle": ("upscale_factor=2", "12,7,7"),
    "PixelUnshuffle": ("downscale_factor=2", "3,8,8"),
    "RMSNorm": ("normalized_shape=16", "9,16"),
    "Softmax2d": ("", "3,28,28"),
    "SyncBatchNorm": ("num_features=3", "3,28,28"),
    "Threshold": ("threshold=0.1 value=20", "784"),
    "TransformerDecoderLayer": ("d_model=16 nhead=2 dim_feedforward=32 batch_first=true", "9,16 4,16"),
    "TransformerEncoderLayer": ("d_model=16 nhead=2 dim_feedforward=32 batch_first=true", "9,16"),
    "Unflatten": ("dim=1 unflattened_size=[28,28]", "784"),
    "Upsample": ("scale_factor=2", "3,28,28"),
    "UpsamplingBilinear2d": ("scale_factor=2", "3,28,28"),
    "UpsamplingNearest2d": ("scale_factor=2", "3,28,28"),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), ("input_size=5 hidden_size=16 batch_first=true", "9,5")),
    **dict.fromkeys(("GRUCell", "RNNCell"), ("input_size=5 hidden_size=16", "5 16")),
}
"""What cannot be told from a declaration."""

_VALUES = {
    "in_channels": "3",
    "num_features": "3",
    "output_size": "7",
    "norm_type": "2",
    "kernel_size": "3",
    "padding": "1",
    "value": "0.5",
}


def example_of(declaration: Declaration) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(arguments as NAME=VALUE, input shapes as `--input` takes them)."""
    name = declaration.type.removeprefix(TORCH)
    if name in _OWN:
        arguments, inputs = _OWN[name]
        return tuple(arguments.split()), tuple(inputs.split())
    given = [
        f"{key}={_VALUES.get(key, one.check.example)}"
        for key, one in declaration.arguments.items()
        if one.default is Argument.REQUIRED
    ]
    rank = name[-2:-1]  # Conv2d
    return tuple(given), (_SHAPES.get(int(rank) + 2 if rank.isdecimal() else 0, "784"),)
