"""The layer type probably meant by an unknown name: other libraries' names, short ones, misspelt ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from layerexplain.lang.axes import Shape
from layerexplain.layers.arguments import Argument
from layerexplain.layers.declaration import Declaration
from layerexplain.layers.registry import TORCH, layer_types

# Meant types --------------------------------------------------------------------------------------------------------

_WORDS = {
    "AveragePooling2D": "avgpool",
    "BatchNormalization": "batchnorm batchnorm1d batchnorm2d bn",
    "Bidirectional": "bilstm",
    "Concatenate": "concat",
    "Conv1DTranspose": "convtranspose1d",
    "Conv2D": "conv convolution",
    "Conv2DTranspose": "deconv deconvolution",
    "Conv3DTranspose": "convtranspose3d",
    "Dense": "affine fc fullyconnected inner innerproduct linear",
    "GlobalAveragePooling2D": "gap globalavgpool",
    "GlobalMaxPooling2D": "globalmaxpool",
    "GroupNormalization": "groupnorm instancenorm",
    "LayerNormalization": "layernorm",
    "MaxPooling2D": "maxpool",
    "MultiHeadAttention": "attn mha selfattention",
    "RMSNormalization": "rmsnorm",
    "UpSampling2D": "upsample",
    "ZeroPadding2D": "zeropad",
}
SYNONYMS = {word: type_ for type_, words in _WORDS.items() for word in words.split()}
"""Name in lower case and in one word → the type. Where Keras has one for each number of axes, that for images. What
is near enough by its letters needs no row."""

_NEAR = 0.66
"""How alike a name and a type must be spelt, of 1."""
_AS_NEAR = 0.05
"""Types whose similarity differs by less count as equally near."""

CHAIN = "Pipeline"
"""What layers that are typed one after the other are: the layer of Keras that calls its layers in order."""


def same_word(name: str, known: Iterable[str]) -> str:
    """Return the type that a name is but for capitals and signs between words, or "".

    >>> same_word("max_pooling2d", ["MaxPooling1D", "MaxPooling2D"])
    'MaxPooling2D'
    """
    return {_word(type_): type_ for type_ in sorted(known, reverse=True)}.get(_word(name), "")


def as_typed(name: str, known: Iterable[str]) -> tuple[str, dict[str, str]]:
    """Return the type that a name is in other capitals, or an Activation for the name of one, with its arguments.

    >>> as_typed("tanh", ["Dense"]), as_typed("DENSE", ["Dense"])
    (('Activation', {'activation': 'tanh'}), ('Dense', {}))
    """
    from layerexplain.layers.keras.activations import NAMES

    if found := same_word(name, known):
        return found, {}
    return ("Activation", {"activation": name.lower()}) if name.lower() in NAMES else (name, {})


def meant_type(name: str, known: Iterable[str]) -> str:
    """The type of the `known` ones that a name stands for, or ""."""
    types = sorted(known)
    if found := same_word(name, types):
        return found
    word = _word(name)
    by_word = {_word(type_): type_ for type_ in reversed(types)}
    synonym = SYNONYMS.get(word) or SYNONYMS.get(word.removesuffix("layer"))
    if synonym in types:
        return str(synonym)
    return by_word.get(word.removesuffix("layer"), "") or _spelt_out(word, types) or _nearest(word, by_word)


_LEAST_INITIALS = 4
"""Fewer initials stand for too many types."""


def _spelt_out(word: str, types: Iterable[str]) -> str:
    """The type whose initials a word is, or ""."""
    if len(word) < _LEAST_INITIALS:
        return ""
    return next((one for one in types if "".join(filter(str.isupper, one)).lower() == word), "")


def what_is_meant(name: str, known: Iterable[str]) -> str:
    """`did you mean 'Dense'?`, or that a name is an activation's, or where all types are listed."""
    type_ = meant_type(name, known)
    if type_ and _word(type_) == _word(name):
        return f"did you mean '{type_}'?"
    from layerexplain.layers.keras.activations import NAMES

    if name.lower() in NAMES and name.lower() != "linear":
        return f"it is an activation: did you mean 'Activation' with activation={name.lower()}?"
    return f"did you mean '{type_}'?" if type_ else "`layerexplain layer` lists all types"


def _word(name: str) -> str:
    """`keras.layers.Max_Pool(2)` → `maxpool`."""
    bare = name.partition("(")[0].rpartition(".")[2].lower()
    return "".join(sign for sign in bare if sign.isalnum())


def _nearest(word: str, by_word: dict[str, str]) -> str:
    from difflib import SequenceMatcher, get_close_matches

    near = {found: SequenceMatcher(None, found, word).ratio() for found in get_close_matches(word, by_word, 8, _NEAR)}
    best = [found for found, ratio in near.items() if ratio >= max(near.values()) - _AS_NEAR]
    return by_word[min(best, key=lambda found: ("2d" not in found, -near[found]))] if best else ""


# Opaque layers ------------------------------------------------------------------------------------------------------
# The layer classes and operations of Keras that have no formula here, each with the reason: shown as opaque rows.

REASONS: Final[dict[str, str]] = {
    "Layer": "the base class of all layers: it computes nothing itself",
    "Wrapper": "the base class of wrappers: it computes nothing itself",
    "ContrastLimitedAdaptiveHistogramEqualization": "it maps colours by tables computed from histograms of the image",
    "Hashing": "its bins are remainders of FarmHash64 or SipHash64 of the value as text, not a formula over numbers",
    "HashedCrossing": "its bins are remainders of FarmHash64 of several values as text, not a formula over numbers",
    "StringLookup": "its input is words, not numbers",
    "TextVectorization": "its input is text, not numbers",
    "FlaxLayer": "it runs a module of Flax, whose code is not in the file",
    "JaxLayer": "it runs a function of JAX, whose code is not in the file",
    "TorchModuleWrapper": "it runs a module of PyTorch, pickled in the file, which is not unpickled",
    "TFSMLayer": "it runs a SavedModel outside the file, which is not opened",
}
"""Class → why; tests/layers/test_registry.py holds it against Keras."""

WITHOUT_WEIGHTS: Final = frozenset(
    {"ContrastLimitedAdaptiveHistogramEqualization", "Hashing", "HashedCrossing", "StringLookup", "TextVectorization"}
)
"""Those that have no weights all the same: a vocabulary is a table of words, which Keras does not count."""


FIRST_ARGUMENTS: Final = {
    "ContrastLimitedAdaptiveHistogramEqualization": "value_range",
    "Hashing": "num_bins",
    "HashedCrossing": "num_bins",
    "StringLookup": "max_tokens",
    "TextVectorization": "max_tokens",
}
"""What a single value stands for, as in `Hashing(16)`."""


def known_result(type_: str, config: Mapping[str, Any], shape: Shape) -> tuple[Shape, str] | None:
    """Return the shape and dtype of what one of these returns for an input of a shape; None where it is not known.

    >>> known_result("Hashing", {"num_bins": 5, "output_mode": "one_hot"}, (None, 1))
    ((None, 5), 'float')
    """
    if type_ == "ContrastLimitedAdaptiveHistogramEqualization":
        return shape, "float"
    if type_ == "Lambda":
        sizes = config.get("output_shape")
        if isinstance(sizes, list | tuple) and all(size is None or type(size) is int for size in sizes):
            return (*shape[:1], *sizes), "float"
        return None
    mode, bins = config.get("output_mode", "int"), config.get("num_bins")
    if type_ == "StringLookup" and mode == "int":
        return shape, "int64"
    if type_ == "TextVectorization" and mode == "int" and not config.get("ragged"):
        steps = config.get("output_sequence_length")
        return (*shape[:1], steps if type(steps) is int else None), "int64"
    if type_ not in ("Hashing", "HashedCrossing") or mode not in ("int", "one_hot") or not isinstance(bins, int):
        return None
    if mode == "int":
        return shape, "int64"
    return (*(shape[:-1] if shape[-1:] == (1,) else shape), bins), "float"


OPERATIONS: Final[dict[str, str]] = {
    "Operation": "the base class of all operations: it computes nothing itself",
    "SegmentReduction": "the base class of the four reductions of segments: it computes nothing itself",
    "Function": "a whole graph of operations, which files do not store",
    "Map": "it runs a Python function stored in the file, which is not executed",
    "VectorizedMap": "it runs a Python function stored in the file, which is not executed",
    "Scan": "it runs a Python function stored in the file, which is not executed",
    "AssociativeScan": "it runs a Python function stored in the file, which is not executed",
    "WhileLoop": "it runs Python functions stored in the file, which are not executed",
    "ForiLoop": "it runs a Python function stored in the file, which is not executed",
    "Cond": "it runs one of two Python functions stored in the file, which are not executed",
    "Switch": "it runs one of several Python functions stored in the file, which are not executed",
    "JVP": "it differentiates a Python function stored in the file, which is not executed",
    "Eig": "the order of its eigenvalues and the scale of its eigenvectors are not defined",
    "Argpartition": "the order within its two parts is not defined",
    "ElasticTransform": "it distorts images at random",
    "Arange": "the size of its result depends on values; Keras does not store it in a model",
    "tf.einsum": "tf.keras stores its equation without its tensors, so that no version of Keras can load this layer",
    "Ndim": "its result is known in advance; Keras makes no tensor for it",
}
"""Class → why; tests/layers/test_operations_registry.py holds it against Keras."""


def why_not(type_: str, reasons: dict[str, str] = REASONS) -> str:
    """Return the note for one of these types (`Hashing has no formula: …`), "" for any other."""
    return f"{type_} has no formula: {reasons[type_]}" if type_ in reasons else ""


# Examples -----------------------------------------------------------------------------------------------------------
# An example of each layer type: arguments and input shapes, as they are typed, on which it shows what it does.

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
        f"{name}={one.check.example}" for name, one in declaration.arguments.items() if one.default is Argument.REQUIRED
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
    family = next(name for name, entries in layer_types().items() if declaration.type in [one[0] for one in entries])
    return SHAPES[3] if family in _SEQUENCES else SHAPES[4] if family in _IMAGES else SHAPES[2]
