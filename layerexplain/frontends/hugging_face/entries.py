"""The entries of a configuration in any text: `"hidden_size": 64`, `hidden_size=64`, `hidden_size is 64`."""

from __future__ import annotations

import re

ENTRY = re.compile(
    r"(?<![\w.])[\"'`]?(?P<key>[a-z]\w*)[\"'`]?[ \t]*(?:=|:|\bis\b|\bof\b)[ \t]*"
    r"(?P<value>\"[^\"\n]*\"|'[^'\n]*'|-?\d[\d_]*(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null|True|False|None)"
)
WIDTHS = ("hidden_size", "n_embd", "d_model", "dim", "n_embed")
_DEPTHS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_decoder_layers")
LONGEST = 200_000
"""Letters of a text that are read."""


def names_configuration(text: str) -> bool:
    """Return whether a text has a width and a number of layers by the names that configurations give them.

    >>> names_configuration('It has "hidden_size": 64 and num_hidden_layers=2'), names_configuration("d_model: 3")
    (True, False)
    """
    keys = {match["key"] for match in ENTRY.finditer(text[:LONGEST])}
    return any(one in keys for one in WIDTHS) and any(one in keys for one in _DEPTHS)
