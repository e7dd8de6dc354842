"""What readers share: names of declared types and of layers, a model put together layer by layer, the order of calls.

The registry is imported only when asked, so that reading a Keras file loads no declaration.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from layerexplain.errors import SpecError
from layerexplain.model import Call, Layer, Model, TensorRef

LAYER_ARGUMENTS = frozenset({"layer", "backward_layer", "forward_layer", "cell", "cells"})
"""Arguments of layers that are layers."""


@cache
def known_types() -> frozenset[str]:
    """Return the names of all declared types."""
    from layerexplain.layers import registry

    return frozenset(registry.type_names())


def types_by_default_name() -> dict[str, str]:
    """Default name → type, of all declared types."""
    return {default_name(type_): type_ for type_ in sorted(known_types(), reverse=True)}


def default_name(type_name: str) -> str:
    """Return the name that Keras gives to the first layer of a type: `MaxPooling2D` → `max_pooling2d`."""
    from layerexplain.layers.declaration import snake_case

    return snake_case(type_name)


def automatic(layer: Layer) -> bool:
    """Return whether a layer has a name that Keras gives by itself: that of its type, and a number.

    >>> automatic(Layer("dense_1", "Dense", "layer", {})), automatic(Layer("dense_a", "Dense", "layer", {}))
    (True, False)
    """
    stem, _, number = layer.name.rpartition("_")
    own = {"InputLayer": ("input_layer", "input"), "Functional": ("functional", "model")}
    names = own.get(layer.type, (default_name(layer.type),))
    return not layer.name or layer.name in names or (number.isdecimal() and stem in names)


def beginning(names: Sequence[str]) -> str:
    """Return what all names begin with.

    >>> beginning(["block1_conv", "block1_bn"]), beginning([])
    ('block1_', '')
    """
    first, last = (min(names), max(names)) if names else ("", "")
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:same]


class FreeNames:
    """Names that are taken. What gives many layers a name of their own looks for each only from where it left off."""

    def __init__(self, taken: set[str] | None = None) -> None:
        self.taken = taken if taken is not None else set()
        self._next: dict[str, int] = {}

    def take(self, stem: str) -> str:
        """Return `stem`, or the first of `stem_1`, `stem_2`, … that is free; it is taken from now on."""
        number = self._next.get(stem, 0)
        name = f"{stem}_{number}" if number else stem
        while name in self.taken:
            number += 1
            name = f"{stem}_{number}"
        self._next[stem] = number + 1
        self.taken.add(name)
        return name


def layers_among(value: Any) -> Iterator[Layer]:
    """Yield the layers among the arguments of a layer, and in lists and mappings of them, in order."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Layer):
            yield current
        elif isinstance(current, Mapping):
            waiting += reversed([*current.values()])
        elif isinstance(current, list | tuple):
            waiting += reversed(current)


def layers_in_config(config: Mapping[str, Any]) -> tuple[Layer, ...]:
    """Return the layers among the arguments of a layer, each under a name of its own."""
    names = FreeNames()
    results = [(layer, layer.name or key) for key, value in config.items() for layer in layers_among(value)]
    return tuple([layer._replace(name=names.take(name or default_name(layer.type))) for layer, name in results])


class ModelBuilder:
    """Layers and calls in the order in which they were added; `names` are those that are taken.

    >>> builder = ModelBuilder()
    >>> x = builder.add_input(Layer("x", "InputLayer", "layer", {"batch_shape": (None, 4), "dtype": "float32"}))
    >>> y = builder.add_layer(Layer("hidden", "Dense", "layer", {"units": 3}), (x,))
    >>> builder.model("tiny", [y]).calls[1][:4]
    ('hidden', 0, (TensorRef(layer='x', call=0, output=0),), {})
    """

    def __init__(self, taken: set[str] | None = None) -> None:
        self.layers: list[Layer] = []
        self.calls: list[Call] = []
        self.inputs: list[TensorRef] = []
        self.names = FreeNames(taken)
        self.counts: dict[str, int] = {}
        """How often each layer is called, inputs apart."""

    def add_input(self, layer: Layer) -> TensorRef:
        """Add an InputLayer; its tensor is the next input of the model."""
        self.layers.append(layer)
        self.calls.append(Call(layer.name, 0, (), {}, layer.line))
        self.inputs.append(TensorRef(layer.name))
        return self.inputs[-1]

    def add_layer(self, layer: Layer, args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None) -> TensorRef:
        """Add a layer and call it; returns the first tensor that it makes."""
        self.layers.append(layer)
        return self.call(layer.name, args, kwargs)

    def call(
        self,
        layer: str,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any] | None = None,
        line: int | None = None,
        **where: Any,
    ) -> TensorRef:
        """Call a layer, which may have been called before; returns the first tensor that it makes. `where` are the
        fields of the call's place."""
        index = self.counts.get(layer, 0)
        self.counts[layer] = index + 1
        self.calls.append(Call(layer, index, args, kwargs or {}, line, **where))
        return TensorRef(layer, index)

    def model(
        self, name: str, outputs: Iterable[TensorRef], *, type_: str = "Functional", trainable: bool = True
    ) -> Model:
        """Return the model of what was added so far."""
        layers, calls, inputs = tuple(self.layers), tuple(self.calls), tuple(self.inputs)
        return Model(name, type_, layers, calls, inputs, tuple(outputs), trainable)


def in_order(model: Model, starts: Iterable[Call] | None = None) -> list[Call]:
    """Sort the calls so that each follows those that feed it, in the file's order where that is possible.

    With `starts` only these and what feeds them, as a walk from them meets it. Iterative, since a chain may be long.
    Raises `SpecError` for a cycle, which has no order, and for a call that is not made.
    """
    calls: dict[tuple[str, int], Call] = {}
    names = {layer.name for layer in model.layers}
    # Whether a call is done; what waits for those that feed it is not. What no layer makes is there from the beginning.
    done = {(ref.layer, ref.call): True for ref in model.inputs if ref.layer not in names}
    done.update({(weight.name, 0): True for weight in model.weights})
    order: list[Call] = []
    for start in model.calls if starts is None else starts:
        if start[:2] in done:
            continue
        if all([done.get(ref[:2]) for ref in start.refs]):  # as nearly always
            done[start[:2]] = True
            order.append(start)
            continue
        stack = [(start, [*reversed(start.refs)])]
        while stack:
            current, needs = stack[-1]
            while needs and done.get((needs[-1].layer, needs[-1].call)):
                needs.pop()
            done[current.layer, current.index] = not needs
            if not needs:
                stack.pop()
                order.append(current)
                continue
            calls = calls or {(call.layer, call.index): call for call in model.calls}
            ref = needs[-1]
            wanted = (ref.layer, ref.call)
            if wanted not in calls:
                fact = f"takes call {ref.call} of '{ref.layer}', which has fewer calls"
                raise SpecError(fact, layer=current.layer)
            if wanted in done:
                fact = "depends on its own output: the calls form a cycle"
                raise SpecError(fact, layer=current.layer)
            stack.append((calls[wanted], [*reversed(calls[wanted].refs)]))
    return order
