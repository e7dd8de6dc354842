"""Which stored array is which weight of which layer, by what the formats say; disagreements are notes.

A file of class layout numbers the variables of each object in the order in which Keras made them; a legacy file lists
a layer's weights, trainable ones first. Where neither an order nor names fit, nothing is claimed: the layer then has
the file's arrays as they are, with a note.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from layerexplain.errors import SourceError
from layerexplain.frontends.keras.weight_tensors import StoredTensor
from layerexplain.frontends.keras.weight_tree import LOOSE, WeightTree
from layerexplain.frontends.keras.weight_values import WeightFile
from layerexplain.lang.expr import Expr
from layerexplain.model import Layer, Note
from layerexplain.network.reach import get_layers
from layerexplain.network.traced import Network
from layerexplain.ops.sizes import shape_text
from layerexplain.records import NamedTuple
from layerexplain.weights.order import Wanted, assign_by_number, assign_listed
from layerexplain.weights.places import Place, places
from layerexplain.weights.variables import is_stored
from layerexplain.weights.weight_groups import GroupFinder, Groups

if TYPE_CHECKING:
    from layerexplain.weights.shared_weights import FirstUse

SEVERAL = "several layers before it have its name and configuration"


class Slot(NamedTuple):
    """A weight of a layer: what its formula says (`weight`), what the file stores (`tensor`), either of which may be
    None. `at` is the attribute path in the file's own attribute names; `merged` says that Keras adds the values to
    another weight when it saves (LoRA): it stores none, and reads zeros. What only the weights tell of has the `name`
    and the Keras expression (`owner`, of the object) that its groups tell. A weight that is an earlier layer's says so
    in `shared`: the array is that one's."""

    place: Place
    weight: Expr | None
    tensor: StoredTensor | None
    at: str
    merged: bool = False
    name: str = ""
    owner: str | None = None
    shared: FirstUse | None = None


class Matched(NamedTuple):
    """All weights of a model in Keras's order. `rest` are stored arrays that belong to no layer of the model, or that
    a layer stores beside its weights (`beside` has their paths). `opaque` are the layers without a formula of which
    the file tells, also those that have no weights."""

    stored: WeightFile | None
    slots: tuple[Slot, ...]
    rest: tuple[StoredTensor, ...]
    beside: frozenset[str]
    notes: tuple[Note, ...]
    opaque: tuple[Place, ...] = ()

    def of_layer(self, path: str) -> tuple[Slot, ...]:
        """The weights of a layer by the names that lead to it (`encoder/dense`), of a nested model all of its own, in
        the order of the definition's `weights`."""
        return tuple([slot for slot in self.slots if f"{'/'.join(slot.place.path)}/".startswith(f"{path}/")])

    def values(self, path: str) -> list[Any]:
        """The values of a layer's weights as NumPy arrays, in the order of its definition's `weights`.

        Raises SourceError where the file does not have them all, or not in the shapes that the formula needs.
        """
        found = []
        for slot in self.of_layer(path):
            where, name = "/".join(slot.place.path), weight_name(slot)
            if slot.merged and slot.weight is not None:
                import numpy as np

                found.append(np.zeros(tuple(slot.weight.shape), dtype=np.float32))
                continue
            if slot.tensor is None and slot.shared is not None and not slot.shared.is_certain:
                raise SourceError(f"does not tell whose the weight '{name}' of the layer '{where}' is: {SEVERAL}")
            if self.stored is None or slot.tensor is None:
                raise SourceError(f"does not hold the weight '{name}' of the layer '{where}'")
            if slot.weight is not None and tuple(slot.weight.shape) != slot.tensor.shape:
                raise SourceError(
                    f"holds the weight '{name}' of the layer '{where}' as {shape_text(slot.tensor.shape)}; "
                    f"its formula needs {shape_text(slot.weight.shape)}"
                )
            found.append(self.stored.read(slot.tensor))
        return found


def weight_name(slot: Slot) -> str:
    """A weight's name below its layer: the Keras path where the formula is known, else what the file says."""
    if slot.weight is not None:
        path, name = slot.weight.attrs["path"], slot.weight.attrs["name"]
        return f"{path}/{name}" if path else str(name)
    if slot.name or slot.tensor is None:
        return slot.name
    return stored_name(slot.tensor, slot.place.group, slot.place.path[-1])


def missing_note(where: str, names: Sequence[str]) -> Note:
    """A note that a file lacks weights of a layer."""
    words = ", ".join(names[:6]) + (", …" if len(names) > 6 else "")
    return Note("weight-missing", where, f"the file does not store {words}")


def stored_name(tensor: StoredTensor, group: Groups | None, layer: str) -> str:
    """An array's name below its layer as the file has it: `d1/0`, or `dense/kernel` in a legacy file."""
    parts = tensor.parts
    if group is not None and parts[: len(group)] == group:
        return "/".join(parts[len(group) :])
    # A legacy path begins with the model's and the layer's name, as the path of the variable in Keras does.
    inside = parts[1:]
    return "/".join(inside[inside.index(layer) + 1 :] if layer in inside[:-1] else inside)


def match(network: Network, stored: WeightFile | None) -> Matched:
    """The weights of a traced model and what a file stores of them; without a file, what the formulas say alone."""
    matched = _match(network, stored)
    if not network.model.shared:
        return matched
    from layerexplain.weights.shared_slots import with_shared_slots

    return with_shared_slots(matched, network)


def _match(network: Network, stored: WeightFile | None) -> Matched:
    if stored is None:
        slots = [Slot(place, w, None, w.attrs["at"]) for place in places(network) for w in place.weights]
        return Matched(None, tuple(slots), (), frozenset(), ())
    matcher = _Matcher(stored)
    if stored.layout == "classes":
        for place in places(network, matcher.finder):
            matcher.by_class(place)
    else:
        for name, group in groupby(places(network), key=lambda place: place.path[0]):
            inside = list(group)
            if name not in matcher.layers and any(place.path[-1] in matcher.layers for place in inside):
                # Keras 1 listed the layers of a Sequential inside another as those of the model.
                for place in inside:
                    matcher.by_name(place.path[-1], [place])
            else:
                matcher.by_name(name, inside)
    return matcher.matched()


def parameters(stored: WeightFile) -> list[StoredTensor]:
    """What a file stores without the state of optimizers, random generators and metrics."""
    return [tensor for tensor in stored.tensors if tensor.role == "parameter"]


class _Matcher:
    """Gives the arrays of one file to the weights of one model."""

    def __init__(self, stored: WeightFile) -> None:
        self.stored = stored
        self.finder = GroupFinder(stored)
        self.slots: list[Slot] = []
        self.notes: list[Note] = []
        self.taken: set[str] = set()
        self.beside: set[str] = set()
        self.opaque: list[Place] = []
        self.parameters = parameters(stored)
        self.direct: dict[Groups, list[StoredTensor]] = {}
        self.layers: dict[str, list[StoredTensor]] = {}
        for tensor in self.parameters:
            self.direct.setdefault(tensor.parts[:-1], []).append(tensor)
            self.layers.setdefault(tensor.layer, []).append(tensor)
        self.tree: WeightTree | None = None
        self.order = sorted(self.parameters, key=lambda tensor: tensor.parts)
        self.parts = [tensor.parts for tensor in self.order]

    def matched(self) -> Matched:
        rest = tuple([tensor for tensor in self.parameters if tensor.path not in self.taken])
        beside = frozenset(self.beside)
        return Matched(self.stored, tuple(self.slots), rest, beside, tuple(self.notes), tuple(self.opaque))

    def _below(self, group: Groups) -> list[StoredTensor]:
        from bisect import bisect_left

        found = []
        for i in range(bisect_left(self.parts, group), len(self.parts)):
            if self.parts[i][: len(group)] != group:
                break
            found.append(self.order[i])
        # `order` is that of texts; the file's own has 10 behind 9.
        numbers = {tensor.path: number for number, tensor in enumerate(self.parameters)} if len(found) > 10 else None
        return sorted(found, key=lambda tensor: numbers[tensor.path]) if numbers is not None else found

    # Class layout -----------------------------------------------------------------------------------------------

    def by_class(self, place: Place) -> None:
        """The weights of a layer, from its group."""
        below = self._below(place.group) if place.group is not None else []
        if not place.is_known:
            if place.group is not None:
                self.opaque.append(place)
            self._by_tree(place, below)
            return
        by_attribute: dict[str, list[tuple[int, Wanted]]] = {}
        for number, weight in enumerate(place.weights):
            by_attribute.setdefault(str(weight.attrs["at"]), []).append((number, _wanted(weight)))
        slots: dict[int, Slot] = {}
        for at, numbered in by_attribute.items():
            found = self._of_attribute(place, at, [wanted for _, wanted in numbered], bool(below))
            if found is None:
                self._as_stored(place, below)
                return
            slots.update(zip([number for number, _ in numbered], found, strict=True))
        self._keep(place, [slots[number] for number in sorted(slots)], below)

    def _by_tree(self, place: Place, below: list[StoredTensor]) -> None:
        """What a layer without a formula stores, by the layers in it that its groups tell of."""
        if place.group is None:
            return
        if self.tree is None:
            self.tree = WeightTree(self.stored)
        own = is_stored(place.layer)
        if not own and not self.tree.is_nested(place.group):
            self._as_stored(place, below)
            return
        start, at = ((), "model") if own else (place.group, get_layers(place.path))
        waiting = [place] if own else [*reversed(self._inside(place, self.tree.layers(place.group)))]
        while waiting:
            current = waiting.pop()
            if current.layer.model is not None:
                waiting += reversed(self._inside(current, current.layer.model.layers))
                continue
            group = current.group or ()
            if current.layer.type == LOOSE and len(current.path) > 1:
                # What an object holds beside its layers is its own.
                current = current._replace(path=current.path[:-1])
            for tensor in self.tree.tensors(current.layer, group):
                self.taken.add(tensor.path)
                name, owner = self.tree.name(tensor, group), self.tree.reach(tensor, start, at)
                self.slots.append(Slot(current, None, tensor, "?", name=name, owner=owner))

    def _inside(self, place: Place, layers: Iterable[Layer]) -> list[Place]:
        found = []
        for layer in layers:
            group = self.finder.of_layer(layer, (), None)
            found.append(Place((*place.path, layer.name), layer, None, place.frozen, group))
        return found

    def _of_attribute(self, place: Place, at: str, wanted: list[Wanted], any_stored: bool) -> list[Slot] | None:
        """The weights that one attribute of a layer holds; None where the arrays there do not fit."""
        where = None
        if place.group is not None:
            where = self.finder.inside(place.layer, place.group, at) if at else (place.group, "")
        stored = self.direct.get(where[0], []) if where is not None else []
        at = where[1] if where is not None else at
        if not stored and not any_stored:
            return [Slot(place, w.weight, None, at, w.merged) for w in wanted]
        chosen = assign_by_number(wanted, [tensor.shape for tensor in stored])
        if chosen is None or not self._may_stay([t for i, t in enumerate(stored) if i not in chosen], place):
            self._note_count(place, at, wanted, stored)
            return None
        return [
            Slot(place, w.weight, None if i is None else stored[i], at, w.merged)
            for w, i in zip(wanted, chosen, strict=True)
        ]

    def _may_stay(self, left: Sequence[StoredTensor], place: Place) -> bool:
        """Whether what an object stores beside its weights is none: a copy of another one's, or no variable at all."""
        shapes = {tuple(weight.shape) for weight in place.weights}
        return all(tensor.shape in shapes or not tensor.parts[-1].isdecimal() for tensor in left)

    # Legacy layout ----------------------------------------------------------------------------------------------

    def by_name(self, name: str, inside: Sequence[Place]) -> None:
        """The weights of a layer of the model, with all places in it, from the list that bears its name."""
        stored = self.layers.get(name, [])
        wanted = [
            _wanted(weight, place.path[1:], place.frozen)
            for place in inside
            if place.is_known
            for weight in place.weights
        ]
        unknown = [place for place in inside if not place.is_known]
        chosen = assign_listed(wanted, stored, strict=not unknown) if stored else [None] * len(wanted)
        if chosen is None:
            self._note_count(inside[0], "", wanted, stored)
            self._as_stored(inside[0]._replace(path=(name,)), stored)
            return
        given = iter(zip(wanted, chosen, strict=True))
        used = set(chosen)
        left = {tensor.path: tensor for i, tensor in enumerate(stored) if i not in used}
        for place in inside:
            if place.is_known:
                mine = [(weight, next(given)[1]) for weight in place.weights]
                self._keep(
                    place,
                    [
                        Slot(place, w, None if i is None else stored[i], str(w.attrs["at"]), _wanted(w).merged)
                        for w, i in mine
                    ],
                    [],
                )
                continue
            alone = len(unknown) == 1 or len(place.path) == 1
            own = [tensor for tensor in left.values() if alone or place.path[-1] in tensor.parts[1:]]
            for tensor in own:
                del left[tensor.path]
            if alone or own:
                self.opaque.append(place)
            self._as_stored(place, own)
        self.beside |= set(left)

    # What is kept -----------------------------------------------------------------------------------------------

    def _keep(self, place: Place, slots: Iterable[Slot], below: Iterable[StoredTensor]) -> None:
        where = "/".join(place.path)
        missing = []
        for slot in slots:
            self.slots.append(slot)
            if slot.tensor is None:
                if not slot.merged:
                    missing.append(weight_name(slot))
                continue
            self.taken.add(slot.tensor.path)
            if slot.weight is not None and tuple(slot.weight.shape) != slot.tensor.shape:
                self.notes.append(
                    Note(
                        "weight-shape",
                        where,
                        f"{weight_name(slot)} is stored as {shape_text(slot.tensor.shape)}{_order(slot)}; "
                        f"by its formula it is {shape_text(slot.weight.shape)}",
                    )
                )
        if missing:
            self.notes.append(missing_note(where, missing))
        self.beside |= {tensor.path for tensor in below if tensor.path not in self.taken}

    def _as_stored(self, place: Place, stored: Iterable[StoredTensor]) -> None:
        """A layer whose formula is not known, or does not fit, has what the file stores."""
        for tensor in stored:
            self.taken.add(tensor.path)
            self.slots.append(Slot(place, None, tensor, _attribute_path(place, tensor, self.stored)))

    def _note_count(self, place: Place, at: str, wanted: Sequence[Wanted], stored: Sequence[StoredTensor]) -> None:
        said = ", ".join(shape_text(tensor.shape) for tensor in stored[:6]) or "none"
        ours = ", ".join(shape_text(w.shape) for w in wanted[:6]) or "none"
        inside = f" in {at}" if at else ""
        same_size = _size(w.shape for w in wanted) == _size(tensor.shape for tensor in stored)
        if same_size and wanted and len(stored) >= 3 * len(wanted):
            words = "as Keras 1 did, the file keeps the arrays of each gate apart"
            words += f": {len(stored)} for {len(wanted)} weights"
            self.notes.append(Note("gates-apart", "/".join(place.path), words))
            return
        self.notes.append(
            Note(
                "weight-count",
                "/".join(place.path),
                f"the file stores {len(stored)} arrays{inside} ({said}), which do not fit the {len(wanted)} weights "
                f"of its formula ({ours})",
            )
        )


def _wanted(weight: Expr, path: tuple[str, ...] = (), frozen: bool = False) -> Wanted:
    attrs: Mapping[str, Any] = weight.attrs
    names = (*path, *[part for part in str(attrs["path"]).split("/") if part], str(attrs["name"]))
    shape = tuple([size if isinstance(size, int) else -1 for size in weight.shape])
    return Wanted(weight, names, shape, bool(attrs["trainable"]) and not frozen)


def _size(shapes: Iterable[Sequence[int]]) -> int:
    return sum(math.prod(shape) for shape in shapes)


def _order(slot: Slot) -> str:
    """Words on a kernel that Theano's Keras wrote: filters and channels first."""
    ours = () if slot.weight is None else tuple(slot.weight.shape)
    theirs = () if slot.tensor is None else slot.tensor.shape
    return ", in Theano's order of axes" if len(ours) > 2 and theirs == (*ours[:-3:-1], *ours[:-2]) else ""


def _attribute_path(place: Place, tensor: StoredTensor, stored: WeightFile) -> str:
    """The attributes that lead to what holds an array, where each group on the way is an attribute; else "?"."""
    if place.group is None or stored.layout != "classes":
        return "?"
    groups = tensor.parts[:-1]
    for depth in range(len(place.group) + 1, len(groups) + 1):
        if groups[:depth] not in stored.objects or not groups[depth - 1].isidentifier():
            return "?"
    return ".".join(groups[len(place.group) :])
