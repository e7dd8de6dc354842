"""The hash of an architecture: equal for the same graph, whatever its names, its format and its version of Keras.

The graph is written down without names. The calls are numbered in the order in which a walk from the outputs, sources
first, meets them, and the layers in the order of their first calls, so that a layer that is called twice is not two
layers that are alike. A layer stands there with its class, its arguments in their normal form (`normal_form`) and
whether it is trained; an operation with its formula, since versions call the same operation by several names. Initial
values, dtypes, names and what the model was compiled with are not part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from json import JSONEncoder
from typing import Any

from layerexplain.lang.definition import Definition, form
from layerexplain.lang.expr import Op
from layerexplain.model import CallKey, Layer, TensorRef
from layerexplain.network.trace import trace_model
from layerexplain.network.traced import Network, TracedCall
from layerexplain.records import NamedTuple, sources_first
from layerexplain.report.normal_form import Declarations, arguments_of, is_trained
from layerexplain.report.normal_values import Normal

_DIGITS = 32
"""Hexadecimal digits of a hash: 128 bits."""

_NOWHERE = '"?"'


class Architecture(NamedTuple):
    """What is equal for models with the same graph. `family` leaves out all arguments: it is equal for models of other
    sizes, with another number of classes or another activation, and the same layers and connections."""

    hash: str
    family: str


def architecture(network: Network, outer: Declarations | None = None) -> Architecture:
    """Return the hashes of a model.

    Args:
        network: The model, traced.
        outer: Where it is nested in another, the declarations of that; then the shapes of its inputs follow from its
            calls, and do not count.

    >>> from layerexplain import read
    >>> specs = ("Dense: 3", "{type: Dense, units: 3, name: top}")
    >>> models = [read(f"input: [4]\\nlayers:\\n  - {spec}\\n".encode()) for spec in specs]
    >>> one, other = (architecture(trace_model(model)) for model in models)
    >>> one == other
    True
    """
    walk = _GraphNumbering(network, {**(outer or {}), **network.model.declarations}, is_nested=outer is not None)
    walk.visit([ref.key for ref in network.model.outputs])
    walk.visit_others()
    ends = _listed([walk.numbered(refs) for refs in (network.model.inputs, network.model.outputs)])
    layers, types = walk.layers()
    calls = [f"[{number},{sources},{special}]" for number, sources, special in walk.calls]
    wires = [f"[{number},{sources}]" for number, sources, _ in walk.calls]
    return Architecture(_digest(layers, calls, ends), _digest(types, wires, ends))


class _GraphNumbering:
    """The layers and calls of a model, numbered in the order of a walk. An entry of `calls` is the number of the call's
    layer, its sources, and how it differs from other calls of that layer, the last two in canonical text."""

    def __init__(self, network: Network, declarations: Declarations, *, is_nested: bool) -> None:
        self.calls: list[tuple[int, str, str]] = []
        self._declarations = declarations
        self._is_nested = is_nested
        self._network = network
        self._numbers: dict[str, int] = {}
        self._met: dict[CallKey, int] = {}
        self._calls = {call.call.key: call for call in network.calls}

    def visit(self, ends: Iterable[CallKey]) -> None:
        """Give numbers to the calls that lead to these, and these: what feeds a call comes before it."""
        calls = self._calls

        def sources_of(key: CallKey) -> list[CallKey]:
            return [ref.key for ref in calls[key].sources if ref.key in calls]

        for key in sources_first([key for key in ends if key in calls], sources_of):
            if key not in self._met:
                self._number(key)

    def visit_others(self) -> None:
        """Give numbers to the calls that lead to no output, in an order that does not depend on their names as far as
        the layers that they end in tell it."""
        others = [key for key in self._calls if key not in self._met]
        if others:
            read = {ref.key for key in others for ref in self._calls[key].sources}
            ends = [key for key in others if key not in read]
            self.visit(sorted(ends, key=lambda key: self._arguments(self._network.layer(key[0]), self._calls[key])))

    def _number(self, key: CallKey) -> None:
        call, name = self._calls[key], key[0]
        number = self._numbers.setdefault(name, len(self._numbers))
        self._met[key] = len(self._met)
        several = len(self._network.calls_of(name)) > 1
        special = self._arguments(self._network.layer(name), call) if several else "null"
        self.calls.append((number, self.numbered(call.sources), special))

    def numbered(self, refs: Iterable[TensorRef]) -> str:
        """Return tensors without names: of each the number of the call that makes it, and which of its results it
        is."""
        met = self._met
        return _listed([f"[{met.get((layer, call), _NOWHERE)},{output}]" for layer, call, output in refs])

    def layers(self) -> tuple[list[str], list[str]]:
        """Return the layers in the order of their numbers, those without a call last; and what they are without
        arguments."""
        full: list[str] = []
        types: list[str] = []
        every = self._network.model.layers_by_name
        for name in [*self._numbers, *[name for name in every if name not in self._numbers]]:
            layer, calls = every[name], self._network.calls_of(name)
            trained = "true" if is_trained(layer) else "false"
            if layer.model is not None:
                known = next((call.network for call in calls if call.network is not None), None)
                inner = architecture(known or trace_model(layer.model), self._declarations)
                full.append(f'["{inner.hash}",{trained}]')
                types.append(f'"{inner.family}"')
            else:
                arguments = self._arguments(layer, calls[0] if len(calls) == 1 else None)
                if layer.kind == "operation":
                    full.append(arguments)
                    types.append(arguments)
                else:
                    kind = _kind(layer.kind, layer.type)
                    full.append(f"[{kind},{arguments},{trained}]")
                    types.append(f"[{kind}]")
        return full, types

    def _arguments(self, layer: Layer, call: TracedCall | None) -> str:
        if self._is_nested and layer.type == "InputLayer":
            return "{}"
        if call is None or call.definition is None or call.origin is None:
            return _canonical(self._own_arguments(layer, call))
        # What they are in their normal form follows from the definition, which layers share.
        question = f"arguments of {layer.kind} {layer.type}"
        known: str | None = call.definition.answers.get(question)
        if known is None:
            known = call.definition.answers[question] = _canonical(self._own_arguments(layer, call))
        return known

    def _own_arguments(self, layer: Layer, call: TracedCall | None) -> Any:
        if call is not None and layer.kind == "operation" and call.definition is not None:
            formula = _formula(call.definition)
            if formula is not None:
                return formula
        spec = call.inputs[0] if call is not None and call.inputs else None
        rank = 0 if spec is None else len(spec.shape)
        arguments = arguments_of(layer, None if call is None else call.call, rank, self._declarations)
        return (layer.type, arguments) if layer.kind == "operation" else arguments


def _formula(definition: Definition) -> Any:
    """Return what an operation computes, without the names of its tensors; None where its formula has no key."""
    key = form(definition)
    if key is None:
        return None
    leaves = 2 + len(definition.params) + len(definition.weights)
    results = len(key) - 2 * len(definition.results)
    parts = [part.name if isinstance(part, Op) else str(part) for part in key[leaves:results]]
    return parts, key[results + 1 :: 2], [str(result.shape) for result in definition.results.values()]


def _digest(layers: Sequence[str], calls: Sequence[str], ends: str) -> str:
    text = _listed([_listed(layers), _listed(calls), ends])
    return sha256(text.encode()).hexdigest()[:_DIGITS]


def _listed(texts: Iterable[str]) -> str:
    return f"[{','.join(texts)}]"


@lru_cache(1000)
def _kind(kind: str, type_: str) -> str:
    return f"{_canonical(kind)},{_canonical(type_)}"


def _canonical(value: Any) -> str:
    """Return a value as text: mappings by their keys.

    >>> _canonical({"b": (1, None), "a": [True]})
    '{"a":[true],"b":[1,null]}'
    """
    return _ENCODER(value)


def _spelt(value: Any) -> Any:
    if isinstance(value, Normal):
        return [value.type, sorted(value.arguments.items())]
    if isinstance(value, Mapping):
        return dict(value)
    return [type(value).__name__, repr(value)]


_ENCODER = JSONEncoder(sort_keys=True, separators=(",", ":"), default=_spelt).encode
