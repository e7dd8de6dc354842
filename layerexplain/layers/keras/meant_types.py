"""The layer type probably meant by an unknown name: other libraries' names, short ones, misspelt ones."""

from __future__ import annotations

from collections.abc import Iterable

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

    if result := same_word(name, known):
        return result, {}
    return ("Activation", {"activation": name.lower()}) if name.lower() in NAMES else (name, {})


def meant_type(name: str, known: Iterable[str]) -> str:
    """The type of the `known` ones that a name stands for, or ""."""
    types = sorted(known)
    if result := same_word(name, types):
        return result
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
    return next((kind for kind in types if "".join(filter(str.isupper, kind)).lower() == word), "")


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

    near = {
        result: SequenceMatcher(None, result, word).ratio() for result in get_close_matches(word, by_word, 8, _NEAR)
    }
    best = [result for result, ratio in near.items() if ratio >= max(near.values()) - _AS_NEAR]
    return by_word[min(best, key=lambda result: ("2d" not in result, -near[result]))] if best else ""
