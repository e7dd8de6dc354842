"""Rules on language models, which configurations describe, and on weights, whose values --weight-values reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from layerexplain.checks.rules import Found, Torch, rule
from layerexplain.checks.weight_values import StoredWeight
from layerexplain.network.traced import Network, TracedCall

# Of language models -------------------------------------------------------------------------------------------------
# Rules on language models, which configurations describe.

_MULTIPLE = 64
"""Sizes that processors for matrices like are multiples of this."""

_LARGE = 0.2
"""The share of the parameters from which a head of its own is worth a word."""


def _tables(network: Network) -> Iterator[TracedCall]:
    """Yield the calls that embed tokens."""
    for call in network.calls:
        if network.layer(call.name).type == "TokenEmbedding" and call.definition is not None:
            yield call


@rule(
    "vocabulary-not-padded",
    "A vocabulary that is not a multiple of 64",
    "wasteful",
    "hint",
    why="Processors for matrices compute whole tiles: a product with such a table takes as long as one with the next "
    "multiple, or longer.",
    fix="Pad the table with rows that no token uses, up to the next multiple of 64.",
    source="NVIDIA, Matrix Multiplication Background User's Guide, section 3.1",
)
def vocabulary_not_padded(network: Network) -> Iterator[Found]:
    for call in _tables(network):
        vocabulary = network.layer(call.name).config.get("vocabulary")
        if isinstance(vocabulary, int) and vocabulary % _MULTIPLE:
            padded = -(-vocabulary // _MULTIPLE) * _MULTIPLE
            yield call, f"the table has {vocabulary:,} rows; with {padded - vocabulary:,} more there are {padded:,}"


@rule(
    "untied-head",
    "A separate head that is a large part of the model",
    "hint",
    "hint",
    why="The head has as many numbers as the table that embeds tokens. Small models share them: tie_word_embeddings.",
    fix="Tie the head to the embedding if you train the model from scratch; a trained model needs the head it has.",
    source="Press and Wolf: Using the Output Embedding to Improve Language Models (2017)",
)
def untied_head(network: Network) -> Iterator[Found]:
    last = network.calls[-1] if network.calls else None
    tables = [prod(w.shape) for call in _tables(network) if call.definition for w in call.definition.weights]
    if last is None or last.definition is None or not tables or network.layer(last.name).type != "Linear":
        return
    own = sum([prod(weight.shape) for weight in last.definition.weights])
    whole = sum(
        [prod(w.shape) for call in network.calls if call.definition is not None for w in call.definition.weights]
    )
    if own >= tables[0] and own > _LARGE * whole:
        yield last, f"the head has {own:,} of {whole:,} parameters ({100 * own / whole:.0f} %), as the embedding has"


# Of weights ---------------------------------------------------------------------------------------------------------
# Rules on the values of the weights, which are read with --weight-values alone.


@rule(
    "weights-not-finite",
    "NaN or infinity in the weights",
    "wrong",
    "certain",
    why="Every result computed with such a number is NaN or infinite, and training cannot repair it.",
    fix="Go back to earlier weights; a smaller learning rate or clipnorm keeps them finite.",
    source="keras/src/callbacks/terminate_on_nan.py",
    of="weights",
    torch=Torch(fix="Go back to earlier weights; a smaller learning rate or clip_grad_norm_ keeps them finite."),
)
def weights_not_finite(stored: Sequence[StoredWeight]) -> Iterator[Found]:
    for weight in stored:
        if weight.not_finite:
            yield (
                weight.layer,
                f"{weight.not_finite:,} of the {weight.size:,} numbers in {weight.name} are NaN or infinite",
            )


@rule(
    "dead-units",
    "Units whose weights are all 0",
    "wasteful",
    "hint",
    why="They return the same number for every input: the model computes the same without them.",
    fix="Remove the units, or find out why they died (a high learning rate with relu, strong regularization).",
    source="Lu et al.: Dying ReLU and Initialization (2019)",
    of="weights",
)
def dead_units(stored: Sequence[StoredWeight]) -> Iterator[Found]:
    for weight in stored:
        if weight.dead:
            yield weight.layer, f"{weight.dead} of {weight.units} units have only zeros in {weight.name}"


@rule(
    "equal-layers",
    "Layers with equal weights",
    "hint",
    "hint",
    why="Layers that were trained differ; equal ones were copied, or never trained.",
    fix="Share one layer if they are meant to be equal; otherwise check whether the weights were loaded twice.",
    source="keras/src/saving/saving_lib.py",
    of="weights",
)
def equal_layers(stored: Sequence[StoredWeight]) -> Iterator[Found]:
    first: dict[str, str] = {}
    for weight in stored:
        if weight.digest and first.setdefault(weight.digest, weight.layer) != weight.layer:
            yield weight.layer, f"{weight.name} is the same {weight.size:,} numbers as in '{first[weight.digest]}'"
