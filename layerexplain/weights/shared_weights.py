"""Weights of a model that are an earlier layer's: those of one object that stands in several places of it.

Each is counted, and listed, where its object comes first; wherever it stands it is computed with.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

from layerexplain.lang.expr import Expr
from layerexplain.model import Note, SharedObject, Steps
from layerexplain.network.traced import Network
from layerexplain.records import NamedTuple
from layerexplain.weights.places import Place, places

Path = tuple[str, ...]

_STEP = re.compile(r"""get_layer\(('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\)|([^.]+)""")


class FirstUse(NamedTuple):
    """Where a weight is counted: the names that lead to the layer, the weight's number there and itself; 0 and None
    where the layer has no formula. `is_certain` is False where it may be another one, and nothing tells which."""

    path: Path
    number: int
    weight: Expr | None
    is_certain: bool


class SharedWeights(NamedTuple):
    """`first` has the names that lead to a layer and, by the numbers of its weights in its definition, where those are
    counted that are an earlier layer's. `words` say so for a reader; `notes` are these, once for what is one object."""

    first: Mapping[Path, Mapping[int, FirstUse]]
    words: Mapping[Path, str]
    notes: tuple[Note, ...]


def shared_weights(network: Network) -> SharedWeights | None:
    """The weights of a whole model that are counted elsewhere in it; None where there are none."""
    shared = network.model.shared
    if not shared:
        return None
    known = _Known(shared)
    for place in places(network):
        known.meet(place)
    return SharedWeights(known.first, known.words, tuple(known.notes)) if known.first or known.notes else None


def weight_count(network: Network) -> int | None:
    """How many numbers the weights of a whole model hold, each counted once; None where a layer's are not known."""
    shared = shared_weights(network)
    count = 0
    for place in places(network):
        if not place.is_known:
            return None
        elsewhere = shared.first.get(place.path, {}) if shared is not None else {}
        count += sum([prod(w.shape) for number, w in enumerate(place.weights) if number not in elsewhere])
    return count


class Originals:
    """The first place of each object that stands in several."""

    def __init__(self, shared: Sequence[SharedObject]) -> None:
        self._same: dict[Steps, tuple[Steps, bool]] = {}
        for one in shared:
            first, is_certain, _ = self.of(one.same_as[0])
            self._same[one.steps] = first, is_certain and len(one.same_as) == 1

    def of(self, steps: Steps) -> tuple[Steps, bool, Path]:
        """The first place of an object, whether it is certain, and the names that lead to the layer of a model that is
        there, or holds there, what the object is a part of."""
        is_certain = True
        owner: Path = ()
        for _ in range(len(self._same) + 1):
            for end in range(len(steps), 0, -1):
                same = self._same.get(steps[:end])
                if same is not None:
                    steps = (*same[0], *steps[end:])
                    is_certain = is_certain and same[1]
                    owner = _layer_of(same[0])
                    break
            else:
                break
        return steps, is_certain, owner


class _Known:
    """What is known of the weights met so far, in the model's order."""

    def __init__(self, shared: Sequence[SharedObject]) -> None:
        self.first: dict[Path, dict[int, FirstUse]] = {}
        self.words: dict[Path, str] = {}
        self.notes: list[Note] = []
        self._originals = Originals(shared)
        self._seen: dict[Any, FirstUse] = {}
        self._opaque: dict[Steps, Path] = {}
        self._told: set[Path] = set()
        self._others = {one.steps: one.same_as for one in shared}
        self._inside: dict[Steps, list[Path]] = {}
        for steps in self._others:
            owner = self._originals.of(steps)[2]
            for end in range(1, len(steps)):
                self._inside.setdefault(steps[:end], []).append(owner)

    def meet(self, place: Place) -> None:
        """Enter the weights of a layer."""
        here = tuple([f"/{name}" for name in place.path])
        if not place.is_known:
            self._opaque.setdefault(self._originals.of(here)[0], place.path)
            if here in self._inside:
                self._note(place.path, _words(dict.fromkeys(self._inside[here]), "some of its"))
            return
        uses: list[tuple[int, Steps, FirstUse, Path]] = []
        times: Counter[tuple[str, str]] = Counter()
        other: dict[Steps, Path] = {}
        for number, weight in enumerate(place.weights):
            at, name = str(weight.attrs["at"]), str(weight.attrs["name"])
            steps, is_certain, owner = self._originals.of((*here, *_steps(at)))
            key = (steps, name, times[at, name])
            times[at, name] += 1
            own = FirstUse(place.path, number, weight, True)
            first = self._in_an_opaque_layer(steps) or self._seen.setdefault(key, own)
            if first is not own and first.weight is not None and first.weight.shape != weight.shape:
                other.setdefault(steps, first.path)
            uses.append((number, steps, first._replace(is_certain=is_certain), owner or first.path))
        for path in other.values():
            words = f"'{'/'.join(path)}' is said to be the same object, but has other shapes: each counts"
            self.notes.append(Note("not-shared", "/".join(place.path), words))
        uses = [use for use in uses if use[1] not in other and use[2][:2] != (place.path, use[0])]
        if uses:
            found = {number: first for number, _, first, _ in uses}
            self.first[place.path] = found
            self._tell(place, here, found, list(dict.fromkeys([owner for *_, owner in uses])))

    def _in_an_opaque_layer(self, steps: Steps) -> FirstUse | None:
        """A layer without a formula that holds the object: what the file stores of it is counted there."""
        for end in range(1, len(steps) + 1):
            path = self._opaque.get(steps[:end])
            if path is not None:
                return FirstUse(path, 0, None, True)
        return None

    def _tell(self, place: Place, here: Steps, found: Mapping[int, FirstUse], owners: Sequence[Path]) -> None:
        """Words for the layer, and a note at the outermost thing that is all one object."""
        top = next((end for end in range(1, len(here) + 1) if here[:end] in self._others), 0)
        if top:
            same = self._others[here[:top]]
            words = _words(
                [_layer_of(steps) for steps in (same if len(same) > 1 else [self._originals.of(here[:top])[0]])]
            )
            if len(same) > 1:
                words += "; nothing tells of which of them"
            self._note(place.path[:top], words)
            self.words[place.path] = words
            return
        count, of = len(found), len(place.weights)
        if owners == [place.path]:
            words = f"{count} of its {of} weights are others of them, counted once"
        else:
            words = _words(owners, "its" if count == of else f"{count} of its {of}")
        if not all(first.is_certain for first in found.values()):
            words += "; nothing tells whether of another one of this name"
        self._note(place.path, words)

    def _note(self, path: Path, words: str) -> None:
        self.words[path] = words
        if path not in self._told:
            self._told.add(path)
            self.notes.append(Note("shared-weights", "/".join(path), words))


def _words(owners: Iterable[Path], which: str = "its") -> str:
    names = " and ".join([f"'{'/'.join(path)}'" for path in owners])
    return f"{which} weights are those of {names}, counted there"


def _layer_of(steps: Steps) -> Path:
    """The layer of a model in which an object is."""
    names = []
    for step in steps:
        if step[0] != "/":
            break
        names.append(step[1:])
    return tuple(names)


def _steps(at: str) -> Steps:
    """An attribute path as steps: `layer.get_layer("d").cell` → (".layer", "/d", ".cell")."""
    found = []
    for name, attribute in _STEP.findall(at):
        found.append(f"/{ast.literal_eval(name)}" if name else f".{attribute}")
    return tuple(found)
