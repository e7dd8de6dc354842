"""The entries of a configuration in any text: `"hidden_size": 64`, `hidden_size=64`, `hidden_size is 64`."""

from __future__ import annotations

import re

ENTRY = re.compile(
    r"(?<![\w.])[\"'`]?(?P<key>[a-z]\w*)[\"'`]?[ \t]*(?:=|:|\bis\b|\bof\b)[ \t]*"
    r"(?P<value>\"[^\"\n]*\"|'[^'\n]*'|-?\d[\d_]*(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null|True|False|None)"
)
WIDTHS = ("hidden_size", "n_embd", "d_model", "dim", "n_embed")
DEPTHS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_decoder_layers")
LONGEST = 50_000
"""Letters of a text that are read."""


_SIZE = (
    r"(?:(?: size| dim(?:ension)?s?| length| width| window)*(?: of| is|:| ?=)? ?)"
    r"(?P<value>\d{1,3}(?:,\d{3})+|\d+)(?![\w.]*\d)"
)
WORDED = {
    "hidden_size": re.compile(rf"\b(?:hidden|embedding|model|embed)(?:ding)?{_SIZE}", re.IGNORECASE),
    "num_hidden_layers": re.compile(
        r"\b(?P<value>\d+)[ -](?:transformer |decoder |encoder |hidden )?(?:layers?|blocks)\b"
    ),
    "num_key_value_heads": re.compile(r"\b(?P<value>\d+) (?:kv|KV|key[/-]value|K/V)[ -]heads?\b"),
    "num_attention_heads": re.compile(r"\b(?P<value>\d+)[ -](?:attention |query )?heads?\b"),
    "intermediate_size": re.compile(rf"\b(?:ffn|feed[ -]?forward|mlp|intermediate){_SIZE}", re.IGNORECASE),
    "vocab_size": re.compile(rf"\bvocab(?:ulary)?{_SIZE}", re.IGNORECASE),
    "max_position_embeddings": re.compile(rf"\b(?:context|sequence){_SIZE}", re.IGNORECASE),
}
"""How prose gives the sizes of a language model, by the keys that configurations have for them."""
_OF_LANGUAGE = re.compile(r"transformer|language model|\bllms?\b|decoder|\bgpt|llama|\bbert|attention", re.IGNORECASE)


def names_configuration(text: str) -> bool:
    """Return whether a text has a width and a number of layers by the names that configurations give them, or in words
    that tell of a language model.

    >>> names_configuration('It has "hidden_size": 64 and num_hidden_layers=2'), names_configuration("d_model: 3")
    (True, False)
    >>> names_configuration("a decoder with d_model = 768, 12 layers and 12 heads"), names_configuration("12 layers")
    (True, False)
    """
    text = text[:LONGEST]
    keys = {match["key"] for match in ENTRY.finditer(text)}
    has_width = any(item in keys for item in WIDTHS)
    if has_width and any(item in keys for item in DEPTHS):
        return True
    worded = {key for key, pattern in WORDED.items() if pattern.search(text)}
    has_width = has_width or "hidden_size" in worded
    return (
        has_width and {"num_hidden_layers", "num_attention_heads"} <= worded and _OF_LANGUAGE.search(text) is not None
    )
