"""Which layers no rule could look at, and why: those without a formula, and those behind them of unknown shapes."""

from __future__ import annotations

from collections.abc import Iterator

from layerexplain.model import Note
from layerexplain.network.traced import Network

_REASONS = frozenset({"opaque", "not-derived", "unknown-input"})
"""The codes of the notes of a network that say why something is not known."""


def unchecked(network: Network, path: str = "") -> Iterator[Note]:
    """Yield a note for each layer of a network that no rule could look at, also inside its nested models.

    A spec with a layer at fault has none: the fault is a finding, which says that no other rule is asked.
    """
    if network.model.strict and network.faults:
        return
    noted = {note.layer for note in network.notes if note.code in _REASONS}
    yield from (note for note in network.notes if note.code in _REASONS)
    for call in network.calls:
        where = path + call.name
        if call.network is not None:
            if call.number == 0:
                yield from unchecked(call.network, f"{where}/")
        elif call.definition is None and None in call.inputs and where not in noted:
            noted.add(where)
            yield Note("not-derived", where, "the shape of its input is not known")
