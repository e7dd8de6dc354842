"""What a training step costs and keeps: the forward pass as in training, and the gradients that are needed.

All numbers are per example. The loss, the update of the weights, and what is computed once for a batch are left out.
What is kept of the forward pass is what the backward formulas read: outputs of layers, each once however many read it,
and values inside of layers. Weights are there anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from layerexplain.derive.cost import Cost, Costs, is_view
from layerexplain.derive.gradient.backward import Gradient
from layerexplain.errors import ShapeError
from layerexplain.lang.axes import has_batch
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import CannotDerive, Expr
from layerexplain.model import Layer, TensorRef
from layerexplain.network.definitions import BYTES, dtype_of_result
from layerexplain.network.gradient_paths import GradientPaths, gradient_paths
from layerexplain.network.traced import Network, TracedCall
from layerexplain.ops.sizes import product, total
from layerexplain.records import NamedTuple
from layerexplain.report.data import LayerReport
from layerexplain.report.gradient import before_last_function, derived, in_training
from layerexplain.report.objective import output_losses
from layerexplain.report.training_data import StepCost

NOTHING = Cost(0, 0)


def with_step_cost(network: Network, rows: Sequence[LayerReport]) -> tuple[StepCost, tuple[LayerReport, ...]]:
    """Return what a step costs and keeps, and the rows with what each layer's backward pass costs."""
    step = _Step(network, thawed=False)
    needed = step.walk(network, "", False)
    saved: int | None = None
    if _has_frozen(network):
        without = _Step(network, thawed=True)
        thawed = without.walk(network, "", False)
        if thawed.backward.macs is not None and needed.backward.macs is not None:
            saved = thawed.backward.macs - needed.backward.macs
    whole = _sum(needed.forward, needed.backward)
    cost = StepCost(
        forward_macs=needed.forward.macs,
        forward_flops=needed.forward.flops,
        backward_macs=needed.backward.macs,
        backward_flops=needed.backward.flops,
        macs=whole.macs,
        flops=whole.flops,
        saved_macs=saved,
        kept=needed.kept,
        unknown=tuple(step.unknown),
    )
    return cost, tuple(_with_cost(rows, step.of))


def step_cost(network: Network) -> StepCost:
    """Return what a training step costs and keeps."""
    return with_step_cost(network, ())[0]


def _with_cost(rows: Sequence[LayerReport], of: Mapping[str, Cost]) -> Iterator[LayerReport]:
    for row in rows:
        yield row._replace(backward=of.get(row.path, NOTHING), layers=tuple(_with_cost(row.layers, of)))


def _has_frozen(network: Network) -> bool:
    """Return whether a layer that has weights to train is not trained."""
    if not network.model.trainable:
        return True
    for layer, call in network.calls_of_layers():
        frozen = not layer.config.get("trainable", True)
        if call.network is not None and (frozen or _has_frozen(call.network)):
            return True
        weights = call.definition.weights if call.definition is not None else ()
        if frozen and any(weight.attrs["trainable"] for weight in weights):
            return True
    return False


class _Inside(NamedTuple):
    """What a step asks of a model: its cost, the bytes that it keeps without its inputs, and which of its inputs and
    outputs are among what is kept."""

    forward: Cost
    backward: Cost
    kept: int | None
    inputs: frozenset[int]
    outputs: frozenset[int]


class _Step:
    def __init__(self, network: Network, *, thawed: bool) -> None:
        self.paths: GradientPaths = gradient_paths(network, thawed=thawed)
        self.thawed = thawed
        self.costs = Costs()
        self.of: dict[str, Cost] = {}
        self.unknown: list[str] = []
        self.walked: dict[tuple[int, str], _Inside] = {}
        losses = output_losses(network, lambda ref, why: None)
        self.of_logits = {"/".join(loss.path) for loss in losses if loss.activation}

    def walk(self, network: Network, path: str, frozen: bool) -> _Inside:
        """Return what a step asks of a model that is called once."""
        known = self.walked.get((id(network), path))
        if known is not None:
            return known
        frozen = frozen or not network.model.trainable
        forward = backward = NOTHING
        account = _Kept(network, bool(path))
        for layer, call in network.calls_of_layers():
            is_frozen = frozen or not layer.config.get("trainable", True)
            name = f"{path}{layer.name}"
            if layer.type == "InputLayer":
                account.enter(layer, call, None)
                continue
            if call.network is not None:
                inside = self.walk(call.network, f"{name}/", is_frozen)
                account.nested(layer, call, inside)
                forward, backward = _sum(forward, inside.forward), _sum(backward, inside.backward)
                self._count(name, inside.backward)
                continue
            definition = in_training(layer, call)
            if isinstance(definition, str):
                account.enter(layer, call, None)
                account.unknown = True
                ahead = back = Cost(None, None)
                self._miss(name, definition)
            else:
                ahead = self.costs.cost_of(definition)
                account.enter(layer, call, definition)
                back = self._back(layer, call, definition, name, is_frozen and not self.thawed, account)
            forward, backward = _sum(forward, ahead), _sum(backward, back)
            self._count(name, back)
        result = _Inside(forward, backward, *account.total())
        self.walked[id(network), path] = result
        return result

    def _back(
        self, layer: Layer, call: TracedCall, definition: Definition, name: str, frozen: bool, account: _Kept
    ) -> Cost:
        needs = self.paths.needs.get((name, call.number))
        if needs is None or not needs.results:
            return NOTHING
        if name in self.of_logits:
            definition = before_last_function(definition)
        try:
            gradient = derived(definition, frozen, needs.inputs, needs.results)
        except (CannotDerive, ShapeError) as why:
            self._miss(name, str(why))
            account.unknown = True
            return Cost(None, None)
        account.keep(layer, call, gradient)
        return self.costs.cost_of(gradient.backward)

    def _count(self, name: str, cost: Cost) -> None:
        self.of[name] = _sum(self.of.get(name, NOTHING), cost)

    def _miss(self, name: str, why: str) -> None:
        words = f"{name}: {why}"
        if words not in self.unknown:
            self.unknown.append(words)


class _Kept:
    """The tensors that a model keeps for the way back, as its calls are walked through. A view keeps its source."""

    def __init__(self, network: Network, nested: bool) -> None:
        self.network = network
        self.is_nested = nested
        self.holder: dict[TensorRef, TensorRef] = {}
        self.size: dict[TensorRef, int | None] = {}
        self.kept: dict[TensorRef, None] = {}
        self.inside: int = 0
        self.unknown = False

    def enter(self, layer: Layer, call: TracedCall, definition: Definition | None) -> None:
        """Enter what a call gives."""
        source = call.sources[0] if call.sources else None
        for i, (ref, spec) in enumerate(zip(call.results, call.outputs, strict=True)):
            view = definition is not None and i < len(definition.results) and is_view(definition, i)
            if view and source in self.holder:
                self.holder[ref] = self.holder[source]
                continue
            self.holder[ref] = ref
            self.size[ref] = None if spec is None else _bytes(spec.shape, spec.dtype, layer)
            if layer.type == "InputLayer" and self.is_nested:
                self.size[ref] = 0

    def nested(self, layer: Layer, call: TracedCall, inside: _Inside) -> None:
        """Enter what a nested model gives and keeps."""
        self.enter(layer, call, None)
        for i in inside.outputs:
            self.size[TensorRef(layer.name, call.number, i)] = 0
        for i, ref in enumerate(call.sources):
            if i in inside.inputs:
                self._keep(ref)
        if inside.kept is None:
            self.unknown = True
        else:
            self.inside += inside.kept

    def keep(self, layer: Layer, call: TracedCall, gradient: Gradient) -> None:
        """Note what the backward pass of a call reads."""
        origin = call.origin
        refs = [ref for ref in origin.bound.tensors if ref is not None] if origin is not None else []
        params = call.definition.params if call.definition is not None else ()
        names = {str(leaf.label): ref for leaf, ref in zip(params, refs, strict=False)}
        results = [*gradient.forward.values()]
        for leaf in gradient.backward.params:
            node = gradient.kept.get(leaf)
            if node is None:
                if str(leaf.label) in names:
                    self._keep(names[str(leaf.label)])
            elif node in results:
                self._keep(TensorRef(layer.name, call.number, results.index(node)))
            elif has_batch(_shape(node)):
                size = _bytes(_shape(node), str(node.dtype), layer)
                self.unknown = self.unknown or size is None
                self.inside += size or 0

    def _keep(self, ref: TensorRef) -> None:
        if ref in self.holder:
            self.kept[self.holder[ref]] = None

    def total(self) -> tuple[int | None, frozenset[int], frozenset[int]]:
        """Return the bytes that are kept, and which inputs and outputs are among it."""
        sizes = [self.size[ref] for ref in self.kept]
        known = not self.unknown and None not in sizes
        model = self.network.model
        places = [
            frozenset(i for i, ref in enumerate(refs) if self.holder.get(ref) in self.kept)
            for refs in (model.inputs, model.outputs)
        ]
        return sum(size or 0 for size in sizes) + self.inside if known else None, places[0], places[1]


def _shape(node: Expr) -> tuple[object, ...]:
    return node.shape if type(node.shape) is tuple else ()


def _bytes(shape: Sequence[object], dtype: str, layer: Layer) -> int | None:
    size = BYTES.get(dtype_of_result(layer, dtype))
    return product([*shape, size])  # type: ignore[list-item]


def _sum(a: Cost, b: Cost) -> Cost:
    return Cost(total([a.macs, b.macs]), total([a.flops, b.flops]))
