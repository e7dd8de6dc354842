"""A model at given shapes, as data: every call with its definition and where that comes from, and what is at fault."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from layerexplain.call_binding import BoundCall
from layerexplain.derive.cost import Cost, Costs
from layerexplain.errors import LayerExplainError
from layerexplain.lang.axes import Need
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import Expr
from layerexplain.layers.declaration import Declaration, Spec
from layerexplain.model import Call, CallKey, Layer, Model, Note, TensorRef
from layerexplain.records import NamedTuple, Record, grouped


class MaskSource(NamedTuple):
    """A tensor that gives a call a mask: `carried` says that it carries the mask, otherwise it is the mask."""

    tensor: TensorRef
    carried: bool


class LostMask(NamedTuple):
    """A mask that ends at a layer: the layer that made it, and the later ones that would have used it."""

    source: str
    readers: tuple[str, ...]


class Origin(NamedTuple):
    """What a call's definition was traced from: `bound` are the call's arguments in the declaration's terms.

    `specs` are those of the declaration's tensors, None for one that is not given; `masks` those of the masks that the
    tensors carry, empty where the declaration reads none. `mask_sources` says where each mask parameter of the
    definition comes from, in their order.
    """

    bound: BoundCall
    specs: tuple[Spec | None, ...] = ()
    masks: tuple[Spec | None, ...] = ()
    mask_sources: tuple[MaskSource, ...] = ()


class TracedCall(NamedTuple):
    """One call of a layer: what feeds it, the definition at these shapes, what comes out.

    `definition` is None where the shapes that reach the layer are not known. `mask` is the layer that made the mask
    that it reads or hands on. `network` is that of a nested model. `built` says that the file tells of no call: the
    layer is traced at the shapes with which it was built, and how often it is called is not known. `node` is the call
    in the model's own expression, an input its leaf; None where a model is walked without making one. `declaration` is
    that of the layer, also where its shapes are not known; `origin` is there for each definition of a declared layer.
    """

    call: Call
    sources: tuple[TensorRef, ...] = ()
    inputs: tuple[Spec | None, ...] = ()
    outputs: tuple[Spec | None, ...] = (None,)
    definition: Definition | None = None
    mask: str | None = None
    network: Network | None = None
    built: bool = False
    node: Expr | None = None
    declaration: Declaration | None = None
    origin: Origin | None = None

    @property
    def name(self) -> str:
        """The name of the layer."""
        return self.call.layer

    @property
    def number(self) -> int:
        """The number of the call among those of its layer."""
        return self.call.index

    @property
    def results(self) -> list[TensorRef]:
        """The tensors that the call makes."""
        return [TensorRef(self.call.layer, self.call.index, i) for i in range(len(self.outputs))]


class Use(NamedTuple):
    """A call, and how often the models around it make it."""

    call: TracedCall
    times: int


class Network(Record):
    """A model at given input shapes, as a graph: `call` finds what makes a tensor, `readers` what reads it.

    `calls` are in the order of computation; `definition` is the model as a formula, made for nested ones only; None,
    too, where the shapes are not known. `faults` are those of its layers, in the order of their lines, those that
    reading found among them. `reasons` say why a layer has no formula, and `lost` which mask it loses, by its name.
    `guesses` are the shapes that the outputs of layers at fault, and what depends on them, would have.
    """

    model: Model
    calls: tuple[TracedCall, ...]
    definition: Definition | None
    notes: tuple[Note, ...]
    faults: tuple[LayerExplainError, ...] = ()
    reasons: Mapping[str, str] = {}
    lost: Mapping[str, LostMask] = {}
    guesses: Mapping[TensorRef, Spec] = {}

    @cached_property
    def answers(self) -> dict[Any, Any]:
        """What was found of the network already, by the question."""
        return {}

    @cached_property
    def _call_of(self) -> dict[CallKey, TracedCall]:
        return {call.call[:2]: call for call in self.calls}

    @cached_property
    def _calls_of(self) -> dict[str, list[TracedCall]]:
        calls = grouped((call.name, call) for call in self.calls)
        return {name: sorted(own, key=lambda call: call.number) for name, own in calls.items()}

    @cached_property
    def _readers_of(self) -> dict[CallKey, list[TracedCall]]:
        results: dict[CallKey, list[TracedCall]] = {}
        for call in self.calls:
            for key in {ref[:2]: None for ref in call.sources}:
                results.setdefault(key, []).append(call)
        return results

    @cached_property
    def needs_of_batch(self) -> tuple[Need, ...]:
        """What the formulas of all layers need of the batch."""
        inside = [call.network.needs_of_batch for call in self.calls if call.network is not None]
        own = [call.definition.needs for call in self.calls if call.definition is not None]
        code = self.model.source_code
        computed = [] if code is None else [code.needs]
        return tuple(dict.fromkeys([need for needs in (*computed, *own, *inside) for need in needs]))

    def layer(self, name: str) -> Layer:
        """Return the layer of a name."""
        return self.model.layers_by_name[name]

    def call(self, ref: TensorRef | Call) -> TracedCall | None:
        """Return the call that makes a tensor, or the traced one of a call; None where there is none."""
        return self._call_of.get(ref[:2])

    def node(self, ref: TensorRef) -> Expr | None:
        """Return the call that makes a tensor in the model's own expression; None where there is none."""
        call = self.call(ref)
        return None if call is None else call.node

    def calls_of(self, name: str) -> Sequence[TracedCall]:
        """Return the calls of a layer, in the order of their numbers."""
        return self._calls_of.get(name, ())

    def readers(self, call: TracedCall) -> Sequence[TracedCall]:
        """Return the calls that read what a call makes, each once, in the order of computation."""
        return self._readers_of.get(call.call[:2], ())

    def why_without_formula(self, name: str, note: Note) -> str:
        """Return what a note on a layer says, without its words on shapes where it says why there is no formula."""
        return self.reasons.get(name, note.message) if note.code in ("opaque", "not-derived") else note.message

    def why_unknown(self, path: Sequence[str]) -> str:
        """Return why a layer has no formula; `path` has the names that lead to it."""
        note = next((note for note in self.notes if note.layer == "/".join(path)), None)
        return "its formula is unknown" if note is None else self.why_without_formula(path[-1], note)

    def faults_of_layers(self) -> dict[str, tuple[str, ...]]:
        """Return what is wrong with layers, by their paths; a fault that names none is that of the one layer in its
        line."""
        lines = grouped((layer.line, layer.name) for layer in self.model.layers)
        results: dict[str, tuple[str, ...]] = {}
        for fault in self.faults:
            path = fault.layer
            there = lines.get(fault.line, []) if fault.line is not None else []
            if path is None and len(there) == 1:
                path = there[0]
            if path is not None:
                results[path] = (*results.get(path, ()), fault.fact)
        return results

    def calls_of_layers(self) -> Iterator[tuple[Layer, TracedCall]]:
        """Yield the calls with their layers, without the inputs that no layer makes."""
        layers = self.model.layers_by_name
        return ((layers[call.name], call) for call in self.calls if call.name in layers)


def uses_of(networks: Iterable[tuple[Network, int]]) -> dict[str, list[Use]]:
    """Return the calls of each layer, by its name, in a model that is called like this: traced, and how often each
    is."""
    results = grouped((call.name, Use(call, times)) for network, times in networks for call in network.calls)
    for uses in results.values():
        if len(uses) > 1:
            uses.sort(key=lambda use: use.call.number)
    return results


def networks_of(uses: Sequence[Use]) -> list[tuple[Network, int]]:
    """Return the nested models that calls are of, each as often as it is called: alike ones together."""
    results: dict[int, tuple[Network, int]] = {}
    for call, times in uses:
        if call.network is not None:
            _, before = results.get(id(call.network), (None, 0))
            results[id(call.network)] = (call.network, before + times)
    return list(results.values())


def cost_of(uses: Sequence[Use], costs: Costs) -> Cost:
    """Return what all calls of a layer cost; None where one is not known."""
    macs: int | None = 0
    flops: int | None = 0
    for call, times in uses:
        # Without a call in the file, how often a layer is called is unknown.
        definition = None if call.built else call.definition
        cost = Cost(None, None) if definition is None else costs.cost_of(definition)
        if len(uses) == 1 and times == 1:
            return cost
        macs = None if macs is None or cost.macs is None else macs + times * cost.macs
        flops = None if flops is None or cost.flops is None else flops + times * cost.flops
    return Cost(macs, flops) if uses else Cost(None, None)


def specs_of(results: Iterable[Expr]) -> tuple[Spec, ...]:
    """Return the shapes and dtypes of results."""
    return tuple([Spec(e.shape, e.dtype) for e in results])
