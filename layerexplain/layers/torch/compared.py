"""Which layer of Keras stands in the place of a module of PyTorch, what is different, and an example of each module."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.registry import TORCH

# Compared -----------------------------------------------------------------------------------------------------------

_LAYOUT = "PyTorch's channels come right after the batch, Keras's are last unless data_format='channels_first'."
_STEPS = "PyTorch's axes are (steps, batch, features) unless batch_first=True; Keras's batch is first."
_GIVES = "PyTorch gives all steps and the last states; Keras the last step, all with return_sequences, states with "
_SENTENCES: Mapping[str, str] = {
    "Linear Dense": "PyTorch keeps W as (outputs, inputs), Keras as (inputs, outputs): each is the other's transpose.",
    "Conv Conv": f"{_LAYOUT}|PyTorch keeps W as (filters, channels, window), Keras as (window, channels, filters).|"
    "PyTorch pads by a number on both sides; Keras's 'same' with a stride may put more at the end.",
    "ConvTranspose ConvTranspose": f"{_LAYOUT}|PyTorch's padding crops both sides equally: "
    "(n - 1) · stride - 2 · padding + kernel + output_padding.",
    "MaxPool MaxPooling": f"{_LAYOUT}|PyTorch pads by a number; ceil_mode keeps a last window that reaches beyond.",
    "AvgPool AveragePooling": f"{_LAYOUT}|PyTorch counts zeros of the padding unless count_include_pad=False; Keras "
    "never does.",
    "BatchNorm BatchNormalization": "PyTorch's momentum is the share that is replaced (0.1 by default), Keras's the "
    "share that is kept (0.99).|Keras adds 0.001 to the variance by default, PyTorch 1e-05.|Running mean and "
    "variance are non-trainable parameters in Keras, and buffers, which are not counted, in PyTorch.",
    "LayerNorm LayerNormalization": "Keras adds 0.001 to the variance by default, PyTorch 1e-05.",
    "GroupNorm GroupNormalization": f"{_LAYOUT}|Keras adds 0.001 to the variance by default, PyTorch 1e-05.",
    "LSTM LSTM": "PyTorch has two biases for each gate, Keras one, which is their sum.|"
    "Both keep their gates in the order input, forget, candidate, output; PyTorch as rows, Keras as columns.|"
    f"{_GIVES}return_state.|{_STEPS}",
    "GRU GRU": "PyTorch keeps its gates in the order reset, update, candidate; Keras update, reset, candidate.|"
    f"Both have two biases for each gate, and reset after the product.|{_GIVES}return_state.|{_STEPS}",
    "RNN SimpleRNN": f"PyTorch has two biases, Keras one, which is their sum.|{_GIVES}return_state.|{_STEPS}",
    "MultiheadAttention MultiHeadAttention": "PyTorch is called with (query, key, value), Keras with (query, value, "
    "key).|In PyTorch embed_dim is the width of all heads together, in Keras key_dim that of one.|True in a mask hides "
    f"a position in PyTorch, and shows it in Keras.|PyTorch also returns the attention weights, averaged over the "
    f"heads.|{_STEPS}",
    "Embedding Embedding": "PyTorch's padding_idx is a row that is not trained; Keras's mask_zero hides steps from "
    "later layers.",
    "Flatten Flatten": "PyTorch has channels before rows and columns, Keras after them: the order of numbers differs.",
    "LeakyReLU LeakyReLU": "The slope is 0.01 in PyTorch by default, 0.3 in Keras.",
    "Softmax Softmax": "Without dim, PyTorch chooses the axis by the number of axes; Keras uses the last one.",
    "Dropout Dropout": "PyTorch calls the rate p, and takes 0.5 by default.",
    "AlphaDropout AlphaDropout": "PyTorch calls the rate p, and takes 0.5 by default.",
}
"""By the names of both without their number of axes; a bar stands between sentences."""
_OTHER_NAMES: Mapping[str, str] = {
    **{f"torch.nn.Dropout{rank}d": f"SpatialDropout{rank}D" for rank in "123"},
    **{f"torch.max_pool{rank}d": f"MaxPooling{rank}D" for rank in "123"},
    **{f"torch.avg_pool{rank}d": f"AveragePooling{rank}D" for rank in "123"},
    "torch.dropout": "Dropout",
    "torch.reshape": "Reshape",
    "torch.embedding": "Embedding",
}
"""By the types of modules whose names follow no rule, and of functions."""


def compared(torch_type: str, keras_type: str) -> tuple[str, ...]:
    """Return what is different.

    >>> compared("Linear", "Dense")
    ("PyTorch keeps W as (outputs, inputs), Keras as (inputs, outputs): each is the other's transpose.",)
    """
    text = _SENTENCES.get(f"{_without_rank(torch_type)} {_without_rank(keras_type)}", "")
    return tuple(text.split("|")) if text else ()


def in_keras(torch_type: str) -> tuple[str, ...]:
    """Return which layer of Keras stands in the place of a module, and what it does otherwise; none for other modules.

    >>> " ".join(in_keras("LeakyReLU"))
    'In Keras it is LeakyReLU. The slope is 0.01 in PyTorch by default, 0.3 in Keras.'
    >>> in_keras("ConvTranspose2d")[0], in_keras("BatchNorm1d")[0], in_keras("Bilinear")
    ('In Keras it is Conv2DTranspose.', 'In Keras it is BatchNormalization.', ())
    """
    name = keras_type(f"torch.nn.{torch_type}")
    return () if "." in name else (f"In Keras it is {name}.", *compared(torch_type, name))


@lru_cache(1024)
def keras_type(type_: str) -> str:
    """Return the layer of Keras that does what a module or function of PyTorch does; other types as they are.

    >>> keras_type("torch.nn.ConvTranspose2d"), keras_type("torch.nn.Dropout2d"), keras_type("torch.dropout")
    ('Conv2DTranspose', 'SpatialDropout2D', 'Dropout')
    >>> keras_type("torch.nn.Bilinear"), keras_type("Dense")
    ('torch.nn.Bilinear', 'Dense')
    """
    module = type_.removeprefix("torch.nn.")
    if module == type_ or type_ in _OTHER_NAMES:
        return _OTHER_NAMES.get(type_, type_)
    plain = _without_rank(module)
    name = next((item.partition(" ")[2] for item in _SENTENCES if item.partition(" ")[0] == plain), "")
    rank = next((letter for letter in "123" if f"{letter}d" in module), "")
    if rank and name and not name.endswith("Normalization"):
        base, transposed = name.removesuffix("Transpose"), "Transpose" * name.endswith("Transpose")
        name = f"{base}{rank}D{transposed}"
    return name or type_


def _without_rank(name: str) -> str:
    for rank in "123":
        name = name.replace(f"{rank}DTranspose", "Transpose").replace(f"{rank}d", "").replace(f"{rank}D", "")
    return name


# Examples -----------------------------------------------------------------------------------------------------------
# An example of each module of PyTorch: arguments and the shapes of inputs, as they are typed.

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
        f"{key}={_VALUES.get(key, value.check.example)}"
        for key, value in declaration.arguments.items()
        if value.default is Argument.REQUIRED
    ]
    rank = name[-2:-1]  # Conv2d
    return tuple(given), (_SHAPES.get(int(rank) + 2 if rank.isdecimal() else 0, "784"),)
