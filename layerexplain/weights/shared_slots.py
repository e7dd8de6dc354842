"""Stored arrays for weights that stand in several places of a model: a file keeps each once, with one of these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layerexplain.frontends.keras.weight_tensors import StoredTensor
from layerexplain.model import Note
from layerexplain.network.traced import Network
from layerexplain.weights.shared_weights import FirstUse, Path, shared_weights

if TYPE_CHECKING:
    from layerexplain.weights.match import Matched, Slot

_Weight = tuple[Path, int]


def with_shared_slots(matched: Matched, network: Network) -> Matched:
    """The weights with the arrays that are theirs wherever they stand; `shared` says which are counted elsewhere."""
    shared = shared_weights(network)
    if shared is None or not shared.first:
        return matched
    numbered = [(slot, _number(slot)) for slot in matched.slots]
    stored: dict[_Weight, StoredTensor] = {}
    for slot, number in numbered:
        first = shared.first.get(slot.place.path, {}).get(number)
        if slot.tensor is not None and (first is None or (first.is_certain and first.weight is not None)):
            stored.setdefault(_home(slot, number, first), slot.tensor)
    slots = []
    for slot, number in numbered:
        first = shared.first.get(slot.place.path, {}).get(number)
        tensor = slot.tensor or (stored.get(_home(slot, number, first)) if number >= 0 else None)
        if first is not None and not first.is_certain:
            tensor = slot.tensor
        slots.append(slot._replace(tensor=tensor, shared=first))
    touched = {"/".join(path) for path in shared.first}
    touched |= {"/".join(first.path) for found in shared.first.values() for first in found.values()}
    notes = [note for note in matched.notes if note.code != "weight-missing" or note.layer not in touched]
    return matched._replace(slots=tuple(slots), notes=(*notes, *_missing(slots, touched)))


def _home(slot: Slot, number: int, first: FirstUse | None) -> _Weight:
    return (slot.place.path, number) if first is None else (first.path, first.number)


def _number(slot: Slot) -> int:
    """The number of a weight in its layer's definition; -1 for what only the file tells of."""
    return next((i for i, weight in enumerate(slot.place.weights) if weight is slot.weight), -1)


def _missing(slots: list[Slot], touched: set[str]) -> list[Note]:
    """Notes on weights of these layers that the file stores in no place."""
    from layerexplain.weights.match import missing_note, weight_name

    names: dict[str, list[str]] = {}
    for slot in slots:
        where = "/".join(slot.place.path)
        if where in touched and slot.tensor is None and slot.shared is None and not slot.merged:
            names.setdefault(where, []).append(weight_name(slot))
    return [missing_note(where, missing) for where, missing in names.items()]
