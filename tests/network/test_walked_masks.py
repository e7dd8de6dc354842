"""Which mask each layer of a model sees, which layers lose one, and the notes on that: the models that
test_lost_masks.py compares with Keras, and calls that name their masks, as specs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pytest

from layerexplain.frontends import read
from layerexplain.network.trace import trace_model

TOKENS = """
inputs: {ids: {shape: [7], dtype: int32}, x: [7, 8], state: [3]}
layers:
  - {Embedding: {input_dim: 11, output_dim: 8, mask_zero: true}, name: tokens, from: ids}
"""
ATTEND = "  - {MultiHeadAttention: {num_heads: 2, key_dim: 4}, name: attend, from: [tokens, tokens]}\n"
READ = "  - {LSTM: 3, name: read}\n"
CONV = "  - {Conv1D: {filters: 4, kernel_size: 3}, name: conv, from: tokens}\n"
REMOVED = (
    "the mask of 'tokens' does not reach it, nor the layers that read its output: Keras's MultiHeadAttention removes the "
    "mask from its query, value and key when it runs, and other layers read the same tensors"
)
PASSED_OVER = (
    "the mask of 'tokens' is ignored: Keras 3 gives a recurrent layer that is called with an initial_state only a mask "
    "that the call names; pass mask= to skip the masked steps"
)
NOT_READ = (
    "its query_mask is ignored: Keras's MultiHeadAttention reads only the mask that the query carries; value_mask, "
    "key_mask and attention_mask are read"
)


class Row(NamedTuple):
    """Layers behind `tokens`; those that see a mask, with its source; those that lose one, with the layers that miss
    it; the notes on layers."""

    layers: str
    seen: dict[str, str]
    lost: Mapping[str, tuple[str, ...]] = {}
    notes: tuple[tuple[str, str, str], ...] = ()


def missed(layer: str, words: str) -> tuple[tuple[str, str, str], ...]:
    return (("mask-lost", layer, f"the mask of 'tokens' is lost here; therefore {words} the padding"),)


ROWS = {
    "handed on": Row(f"  - {{Dropout: 0.1, name: d, from: tokens}}\n{READ}", {"d": "tokens", "read": "tokens"}),
    "lost where nobody misses it": Row(
        "  - {Flatten: , name: flat, from: tokens}\n  - Dense: 3\n", {"flat": "tokens"}, {"flat": ()}
    ),
    "missed by two": Row(
        f"{CONV}  - {{LSTM: {{units: 3, return_sequences: true}}, name: one}}\n{READ}",
        {"conv": "tokens"}, {"conv": ("one", "read")}, missed("conv", "'one' and 'read' also read"),
    ),
    "flat steps are steps again": Row(
        f"  - {{Flatten: , name: flat, from: tokens}}\n  - Reshape: [14, 4]\n{READ}",
        {"flat": "tokens"}, {"flat": ("read",)}, missed("flat", "'read' also reads"),
    ),
    "no steps are left": Row(
        f"  - {{GlobalMaxPooling1D: , name: most, from: tokens}}\n  - RepeatVector: 5\n{READ}",
        {"most": "tokens"}, {"most": ()},
    ),
    "missed inside a model": Row(
        f"{CONV}  - Sequential: [{{InputLayer: {{shape: [5, 4]}}}}, {{LSTM: 2, name: read}}]\n    name: inner\n",
        {"conv": "tokens"}, {"conv": ("inner/read",)}, missed("conv", "'inner/read' also reads"),
    ),
    "handed on by a model": Row(
        "  - Sequential: [{InputLayer: {shape: [7, 8]}}, {Dropout: 0.5, name: d}]\n    name: inner\n    from: tokens\n"
        f"{READ}",
        {"inner": "tokens", "read": "inner"},
    ),
    "lost by a model": Row(
        "  - Sequential: [{InputLayer: {shape: [7, 8]}}, {Conv1D: {filters: 3, kernel_size: 1}}]\n    name: inner\n"
        f"    from: tokens\n{READ}",
        {"inner": "tokens"}, {"inner": ("read",)}, missed("inner", "'read' also reads"),
    ),
    "handed on by a wrapper": Row(
        f"  - TimeDistributed: {{Dense: 3}}\n    name: each\n    from: tokens\n{READ}",
        {"each": "tokens", "read": "tokens"},
    ),
    "read by a wrapper": Row(
        "  - Bidirectional: {LSTM: {units: 3, return_sequences: true}}\n    name: both\n    from: tokens\n"
        "  - {Dense: 3, name: d}\n",
        {"both": "tokens", "d": "tokens"},
    ),
    "read by a mean": Row("  - {GlobalAveragePooling1D: , name: mean, from: tokens}\n", {"mean": "tokens"}),
    "joined": Row(
        f"  - {{Concatenate: {{axis: 1}}, name: c, from: [tokens, x]}}\n{READ}", {"c": "tokens", "read": "c"}
    ),
    "removed by attention": Row(
        f"{ATTEND}  - {{Add: , name: add, from: [tokens, attend]}}\n{READ}",
        {"attend": "tokens", "add": "tokens", "read": "tokens"}, notes=(("mask-taken-off", "add", REMOVED),),
    ),
    "removed from a copy": Row(
        f"  - {{LayerNormalization: , name: norm, from: tokens}}\n{ATTEND.replace('[tokens, tokens]', '[norm, norm]')}"
        f"  - {{Add: , name: add, from: [tokens, attend]}}\n{READ}",
        {"norm": "tokens", "attend": "tokens", "add": "tokens", "read": "add"},
    ),
    "removed, which is said once": Row(
        f"{ATTEND}  - {{Multiply: , name: m, from: [tokens, attend]}}\n"
        "  - {Multiply: , name: again, from: [tokens, m]}\n",
        {"attend": "tokens", "m": "tokens"}, notes=(("mask-taken-off", "m", REMOVED),),
    ),
    "kept as it was built": Row(
        f"{ATTEND}  - {{Flatten: , name: flat}}\n  - {{Dense: 8, name: last}}\n"
        "  - {Dropout: 0.1, name: late, from: tokens}\n  - {LSTM: 8, name: read}\n  - {Add: , from: [last, read]}\n",
        {"attend": "tokens", "flat": "tokens", "read": "tokens"}, {"flat": ()},
        (("mask-taken-off", "late", REMOVED),),
    ),
    "passed over beside a state": Row(
        "  - {LSTM: 3, name: read, from: [tokens, state, state]}\n", {},
        notes=(("mask-passed-over", "read", PASSED_OVER),),
    ),
    "named": Row(
        "  - {Dropout: 0.1, name: d, from: tokens}\n  - {LSTM: 3, name: read, from: {inputs: d, mask: ids}}\n",
        {"d": "tokens", "read": "ids"},
    ),
    "named beside a state": Row(
        "  - {LSTM: 3, name: read, from: {sequence: tokens, initial_state: [state, state], mask: ids}}\n",
        {"read": "ids"},
    ),
    "of the query, named": Row(
        "  - {MultiHeadAttention: {num_heads: 2, key_dim: 4}, name: a, from: {query: x, value: x, query_mask: ids}}\n",
        {}, notes=(("mask-passed-over", "a", NOT_READ),),
    ),
    "of the value, named": Row(
        "  - {MultiHeadAttention: {num_heads: 2, key_dim: 4}, name: a, from: {query: x, value: x, value_mask: ids}}\n",
        {"a": "ids"},
    ),
    "one of two, named": Row("  - {Attention: , name: a, from: {inputs: [tokens, x], mask: [null, ids]}}\n", {"a": "ids"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_the_masks_of_a_walk(name: str) -> None:
    row = ROWS[name]
    network = trace_model(read(f"{TOKENS}{row.layers}".encode()))
    assert {call.name: call.mask for call in network.calls if call.mask is not None} == row.seen
    assert {layer: (one.source, one.readers) for layer, one in network.lost.items()} == {
        layer: ("tokens", readers) for layer, readers in row.lost.items()
    }
    assert [tuple(note) for note in network.notes] == list(row.notes)
