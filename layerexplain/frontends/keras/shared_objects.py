"""Objects that a file or a live model holds in several places: which layers have the same weights as earlier ones.

A .keras archive gives an object that it writes for a second time a number, `shared_object_id`, and puts that into what
it wrote first, too, but for where that was copied meanwhile (into the configuration of a wrapper or a nested model):
there the number is lost. What was written first is then the object before it of the same class, name and configuration.
Other formats are read by Keras without regard to such numbers, and store the weights of each place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from layerexplain.attribute_path import LayerNamed, Steps, list_steps, step_text
from layerexplain.model import Layer, Model, Note, ObjectNumber, SharedObject
from layerexplain.records import NamedTuple, grouped

_OF_THE_DTYPE = ("dtype", "dtype_policy")

_MOST_NAMED = 3
"""How many candidates are kept for an object that may be one of several."""


def object_number(item: Mapping[str, Any], config: Any) -> ObjectNumber | None:
    """Return the number of a serialized layer that a file holds in several places; None where it has none, or no
    number."""
    number = item.get("shared_object_id")
    if type(number) is not int:
        return None
    values = [value for key, value in config.items() if key not in _OF_THE_DTYPE] if isinstance(config, dict) else []
    inside = [one for value in values for one in (value if isinstance(value, list) else [value]) if _is_object(one)]
    return ObjectNumber(number, bool(inside) and all("shared_object_id" in one for one in inside))


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("class_name"), str) and "config" in value


class PlacedLayer(NamedTuple):
    """A layer at any depth, the steps to it and to its holder, and whether the wrapper around it holds a copy."""

    steps: Steps
    layer: Layer
    holder: Steps = ()
    is_copied: bool = False


def all_layers(model: Model) -> Iterator[PlacedLayer]:
    """Yield all layers of a model, those of nested models and those in the arguments of layers too, in the file's
    order."""
    waiting = [PlacedLayer((LayerNamed(layer.name),), layer) for layer in reversed(model.layers)]
    while waiting:
        placed = waiting.pop()
        layer = placed.layer
        if layer.type == "InputLayer":
            continue
        yield placed
        inside: list[tuple[Steps, Layer, bool]] = []
        if layer.model is not None:
            inside = [((LayerNamed(inner_layer.name),), inner_layer, False) for inner_layer in layer.model.layers]
        for key, value in layer.config.items():
            if isinstance(value, Layer):
                copies = key == "layer" and has_two_ways(layer.type)
                inside.append((("forward_layer" if copies else key,), value, copies))
            elif isinstance(value, list | tuple):
                items = enumerate(value)
                inside += [((*list_steps((key,)), i), item, False) for i, item in items if isinstance(item, Layer)]
        for steps, item, copied in reversed(inside):
            waiting.append(PlacedLayer((*placed.steps, *steps), item, placed.steps, placed.is_copied or copied))


def with_shared_objects(model: Model) -> Model:
    """Return the model with what its layers' numbers say; notes where they cannot be true."""
    shared, notes = _ObjectNumbers(list(all_layers(model))).resolved()
    return model._replace(shared=tuple(shared), notes=(*model.notes, *notes)) if shared or notes else model


def with_live_objects(model: Model, live: Any) -> Model:
    """Return the model that was read of a live one, with what is the same object in that."""
    objects: dict[Steps, Any] = {(): live}
    listed: dict[Steps, dict[Any, Any]] = {}
    first: dict[int, Steps] = {}
    same: set[Steps] = set()
    shared: list[SharedObject] = []
    for steps, _, holder, _ in all_layers(model):
        if holder not in objects or holder in same:
            same |= {steps} if holder in same else set()
            continue
        current = objects[holder]
        for step in steps[len(holder) :]:
            if isinstance(step, LayerNamed):
                if holder not in listed:
                    listed[holder] = {
                        getattr(item, "name", None): item for item in _items(_attribute(current, "layers"))
                    }
                current = listed[holder].get(step.name)
            else:
                current = (
                    dict(enumerate(_items(current))).get(step) if isinstance(step, int) else _attribute(current, step)
                )
        if current is None:
            continue
        objects[steps] = current
        if first.setdefault(id(current), steps) != steps:
            same.add(steps)
            shared.append(SharedObject(steps, (first[id(current)],)))
    return model._replace(shared=tuple(shared)) if shared else model


def _attribute(holder: Any, name: str) -> Any:
    try:
        return getattr(holder, name, None)
    except Exception:  # a property of a user-defined class may raise anything
        return None


def _items(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


class _ObjectNumbers:
    """The numbers of one model's objects, followed in the order in which they were written."""

    def __init__(self, layers: list[PlacedLayer]) -> None:
        self.layers = layers
        own = [(at, placed.layer) for at, placed in enumerate(layers) if not placed.is_copied]
        self.count = Counter([layer.number.number for _, layer in own if layer.number is not None])
        self._content: Callable[[int], Any] = cache(lambda at: _content(layers[at].layer))
        unnumbered = grouped(((layer.type, layer.name), at) for at, layer in own if layer.number is None)
        self._alike: Callable[[str, str], dict[Any, list[int]]] = cache(
            lambda type_, name: grouped((self._content(at), at) for at in unnumbered.get((type_, name), []))
        )

    def resolved(self) -> tuple[list[SharedObject], list[Note]]:
        shared: list[SharedObject] = []
        notes: list[Note] = []
        firsts: dict[int, int] = {}
        same: set[Steps] = set()
        for at, placed in enumerate(self.layers):
            number = placed.layer.number
            if number is None or placed.is_copied:
                continue
            first = firsts.setdefault(number.number, at)
            if any(placed.steps[:end] in same for end in range(1, len(placed.steps))):
                continue  # what holds it is the same object, and so is all in it
            if first != at:
                if self._content(first) != self._content(at):
                    path, other = step_text(placed.steps), step_text(self.layers[first].steps)
                    words = f"the file says that it and '{other}' are one object, but they differ: both are counted"
                    notes.append(Note("not-shared", path, words))
                    continue
                earlier = [first]
            else:
                lost = number.again or self.count[number.number] == 1
                earlier = self._alike_before(at) if lost else []
            if earlier:
                same.add(placed.steps)
                shared.append(SharedObject(placed.steps, tuple([self.layers[i].steps for i in earlier])))
        return shared, notes

    def _alike_before(self, at: int) -> list[int]:
        """Return the objects without a number that may be the one whose number was lost."""
        layer = self.layers[at].layer
        alike = self._alike(layer.type, layer.name).get(self._content(at), [])
        return [i for i in alike[:_MOST_NAMED] if i < at]


def _content(value: Any) -> Any:
    """Return all that a file says of an object, without its number; equal for two configurations of one object."""
    kind = type(value)
    if kind is Layer:
        return ("layer", value.type, value.name, value.kind, _content(value.config), _content(value.model))
    if kind is Model:
        layers = tuple([_content(layer) for layer in value.layers])
        return ("model", value.type, value.trainable, layers, _content(value.calls), value.inputs, value.outputs)
    if kind is dict:
        return ("dict", tuple([(key, _content(item)) for key, item in value.items()]))
    if isinstance(value, list | tuple):
        return (kind.__name__, tuple([_content(item) for item in value]))
    # 1 and true are equal, and NaN is not equal to itself.
    return value if kind is str or value is None else f"{kind.__name__} {value!r}"


def has_two_ways(type_: str) -> bool:
    """Return whether a layer of this type makes copies of the one that it is given: one forwards, one backwards."""
    from layerexplain.layers.registry import find

    declaration = find(type_)
    return declaration is not None and "backward_layer" in declaration.arguments
