"""Weights of a model that are an earlier layer's: those of one object that stands in several places of it.

Each is counted, and listed, where its object comes first; wherever it stands it is computed with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import takewhile
from math import prod
from typing import Any

from layerexplain.attribute_path import LayerNamed, Steps, layer_steps
from layerexplain.frontends.keras.weight_tensors import StoredTensor
from layerexplain.model import Note, SharedObject
from layerexplain.network.traced import Network
from layerexplain.records import grouped
from layerexplain.weights.matched import FirstUse, MatchedWeight, MatchedWeights, missing_note
from layerexplain.weights.weighted_layers import WeightedLayer, weighted_layers

Path = tuple[str, ...]


def shared_weights(network: Network) -> SharedWeights | None:
    """Return the weights of a whole model that are counted elsewhere in it; None where there are none."""
    shared = network.model.shared
    if not shared:
        return None
    known = SharedWeights(shared)
    for layer in weighted_layers(network):
        known.meet(layer)
    return known if known.first or known.notes else None


def weight_count(network: Network) -> int | None:
    """Return how many numbers the weights of a whole model hold, each counted once, without PyTorch's buffers; None
    where a layer's are not known."""
    shared = shared_weights(network)
    count = 0
    for layer in weighted_layers(network):
        if layer.layer.config.get("uncalled") is True:
            count += sum([prod([size or 0 for size in variable.shape]) for variable in layer.layer.stored_variables])
            continue
        if not layer.is_known:
            return None
        elsewhere = shared.first.get(layer.path, {}) if shared is not None else {}
        own = [w for number, w in enumerate(layer.weights) if number not in elsewhere and not w.attrs.get("buffer")]
        count += sum([prod(w.shape) for w in own])
    return count


def with_shared_arrays(matched: MatchedWeights, network: Network) -> MatchedWeights:
    """Give each weight its array, also where the file stores it with an earlier layer; `shared` says which."""
    known = shared_weights(network)
    if known is None or not known.first:
        return matched
    uses = []
    stored: dict[tuple[Path, int | None], StoredTensor] = {}
    for weight in matched.weights:
        number = weight.number
        first = None if number is None else known.first.get(weight.owner.path, {}).get(number)
        home = (weight.owner.path, number) if first is None else (first.path, first.number)
        uses.append((weight, number, first, home))
        if weight.tensor is not None and (first is None or (first.is_certain and first.weight is not None)):
            stored.setdefault(home, weight.tensor)
    weights = []
    for weight, number, first, home in uses:
        tensor = weight.tensor
        if tensor is None and number is not None and (first is None or first.is_certain):
            tensor = stored.get(home)
        weights.append(weight._replace(tensor=tensor, shared=first))
    if matched.stored is None:
        return matched._replace(weights=tuple(weights))
    touched = {"/".join(path) for path in known.first}
    touched |= {"/".join(first.path) for result in known.first.values() for first in result.values()}
    notes = [note for note in matched.notes if note.code != "weight-missing" or note.layer not in touched]
    return matched._replace(weights=tuple(weights), notes=(*notes, *_missing(weights, touched)))


def _missing(weights: Iterable[MatchedWeight], touched: Container[str]) -> list[Note]:
    """Return notes on weights of these layers that the file stores in no layer."""
    lacking = [weight for weight in weights if weight.tensor is None and weight.shared is None and not weight.merged]
    names = grouped((weight.owner.where, weight.name) for weight in lacking if weight.owner.where in touched)
    return [missing_note(where, missing) for where, missing in names.items()]


class Originals:
    """The first place of each object that stands in several."""

    def __init__(self, shared: Sequence[SharedObject]) -> None:
        self._same: dict[Steps, tuple[Steps, bool]] = {}
        for other in shared:
            first, is_certain, _ = self.first_place(other.same_as[0])
            self._same[other.steps] = first, is_certain and len(other.same_as) == 1

    def first_place(self, steps: Steps) -> tuple[Steps, bool, Path]:
        """Return an object's first place, whether that is certain, and the path of the layer that is or holds it."""
        is_certain = True
        owner: Path = ()
        for _ in self._same:
            end = next((end for end in range(len(steps), 0, -1) if steps[:end] in self._same), 0)
            if not end:
                break
            first, known = self._same[steps[:end]]
            steps, is_certain, owner = (*first, *steps[end:]), is_certain and known, _layer_of(first)
        return steps, is_certain, owner


class SharedWeights:
    """What is known of the weights met so far, in the model's order.

    `first` says, by the names that lead to a layer and the numbers of its weights, where those that are an earlier
    layer's are counted. `words` say so for a reader; `notes` are these, once for what is one object.
    """

    def __init__(self, shared: Sequence[SharedObject]) -> None:
        self.first: dict[Path, dict[int, FirstUse]] = {}
        self.words: dict[Path, str] = {}
        self.notes: list[Note] = []
        self._originals = Originals(shared)
        self._seen: dict[Any, FirstUse] = {}
        self._opaque: dict[Steps, Path] = {}
        self._noted: set[Path] = set()
        self._others = {item.steps: item.same_as for item in shared}
        self._inside: dict[Steps, list[Path]] = {}
        for steps in self._others:
            owner = self._originals.first_place(steps)[2]
            for end in range(1, len(steps)):
                self._inside.setdefault(steps[:end], []).append(owner)

    def meet(self, layer: WeightedLayer) -> None:
        """Enter the weights of a layer."""
        here = layer_steps(layer.path)
        if not layer.is_known:
            self._opaque.setdefault(self._originals.first_place(here)[0], layer.path)
            if here in self._inside:
                self._note(layer.path, _words(dict.fromkeys(self._inside[here]), "some of its"))
            return
        uses: list[tuple[int, Steps, FirstUse, Path]] = []
        times: Counter[tuple[Steps, str]] = Counter()
        other: dict[Steps, Path] = {}
        for number, weight in enumerate(layer.weights):
            at, name = weight.attrs["at"], str(weight.attrs["name"])
            (*place, first_name), is_certain, owner = self._originals.first_place((*here, *at, name))
            steps, key = tuple(place), (tuple(place), first_name, times[at, name])
            times[at, name] += 1
            own = FirstUse(layer.path, number, weight, True)
            first = self._in_an_opaque_layer(steps) or self._seen.setdefault(key, own)
            if first is not own and first.weight is not None and first.weight.shape != weight.shape:
                other.setdefault(steps, first.path)
            uses.append((number, steps, first._replace(is_certain=is_certain), owner or first.path))
        for path in other.values():
            words = (
                f"the file says that it and '{'/'.join(path)}' are one object, but their shapes differ: both are "
                "counted"
            )
            self.notes.append(Note("not-shared", layer.where, words))
        uses = [use for use in uses if use[1] not in other and use[2][:2] != (layer.path, use[0])]
        if uses:
            results = {number: first for number, _, first, _ in uses}
            self.first[layer.path] = results
            self._tell(layer, here, results, list(dict.fromkeys([owner for *_, owner in uses])))

    def _in_an_opaque_layer(self, steps: Steps) -> FirstUse | None:
        """Return a layer without a formula that holds the object: what the file stores of it is counted there."""
        ends = range(1, len(steps) + 1)
        path = next((self._opaque[steps[:end]] for end in ends if steps[:end] in self._opaque), None)
        return None if path is None else FirstUse(path, 0, None, True)

    def _tell(self, layer: WeightedLayer, here: Steps, results: Mapping[int, FirstUse], owners: Sequence[Path]) -> None:
        """Tell the layer words, and leave a note at the outermost thing that is all one object."""
        top = next((end for end in range(1, len(here) + 1) if here[:end] in self._others), 0)
        if top:
            same = self._others[here[:top]]
            first = same if len(same) > 1 else [self._originals.first_place(here[:top])[0]]
            words = _words([_layer_of(steps) for steps in first])
            if len(same) > 1:
                words += "; the file does not say which"
            self._note(layer.path[:top], words)
            self.words[layer.path] = words
            return
        count, of = len(results), len(layer.weights)
        if owners == [layer.path]:
            words = f"{count} of its {of} weights are duplicates of its other weights, counted once"
        else:
            words = _words(owners, "its" if count == of else f"{count} of its {of}")
        if not all(first.is_certain for first in results.values()):
            words += "; another layer of the same name may own them instead"
        self._note(layer.path, words)

    def _note(self, path: Path, words: str) -> None:
        self.words[path] = words
        if path not in self._noted:
            self._noted.add(path)
            self.notes.append(Note("shared-weights", "/".join(path), words))


def _words(owners: Iterable[Path], which: str = "its") -> str:
    names = " and ".join([f"'{'/'.join(path)}'" for path in owners])
    return f"{which} weights are those of {names}, counted there"


def _layer_of(steps: Steps) -> Path:
    """Return the layer of a model in which an object is."""
    named = takewhile(lambda step: isinstance(step, LayerNamed), steps)
    return tuple([step.name for step in named if isinstance(step, LayerNamed)])
