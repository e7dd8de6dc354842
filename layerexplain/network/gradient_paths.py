"""What a call computes in training, and which weights a gradient reaches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from layerexplain.attribute_path import weight_name
from layerexplain.derive.gradient.flows import Flow, flow
from layerexplain.errors import LayerExplainError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import OPS, Marker, constant
from layerexplain.layers.declaration import Declaration
from layerexplain.model import Layer, TensorRef
from layerexplain.network.traced import Network, Origin, TracedCall
from layerexplain.ops.sizes import FLOATS
from layerexplain.records import NamedTuple

# Trained ------------------------------------------------------------------------------------------------------------


def trained_definition(layer: Layer, call: TracedCall) -> Definition | None:
    """Return what a call computes in training: what it computes at inference, too, where that is the same; None if it
    cannot be traced."""
    definition, declaration, origin = call.definition, call.declaration, call.origin
    if definition is None or declaration is None or origin is None:
        return definition
    if not declaration.trains(bool(layer.config.get("trainable", True))):
        return definition
    if definition not in _KNOWN:
        _KNOWN[definition] = _traced(definition, declaration, origin)
    result = _KNOWN[definition]
    return None if isinstance(result, str) else result


def why_untrained(call: TracedCall) -> str:
    """Return why it is not known what a call computes in training."""
    result = _KNOWN.get(call.definition) if call.definition is not None else None
    words = "its formula in training is not known"
    return f"{words}: {result}" if isinstance(result, str) else words


_KNOWN: WeakKeyDictionary[Definition, Definition | str] = WeakKeyDictionary()
"""What definitions compute in training, or why that is not known: layers that are alike have one."""


def _traced(definition: Definition, declaration: Declaration, origin: Origin) -> Definition | str:
    constants = {i: constant(value) for i, value in origin.bound.constants.items()}
    try:
        return declaration.trace(
            origin.specs, dict(definition.arguments), origin.masks, training=True, constants=constants
        )
    except LayerExplainError as error:
        return error.fact


# Gradient paths -----------------------------------------------------------------------------------------------------
# Where gradients go in a model: which tensors and weights the loss reaches, which gradients a step needs, and where
# the way to a weight ends.

_Found = TypeVar("_Found")

UNUSED = ""
"""The op of an end where nothing reads the tensor."""


class End(NamedTuple):
    """Where the way of a gradient ends: at an op of a layer, or at an output of it that is UNUSED."""

    layer: str
    op: str


_WORDS = {
    UNUSED: "at an output of '{layer}' that nothing reads",
    "stop_gradient": "at stop_gradient in '{layer}'",
    "cast": "in '{layer}', where floats become integers or booleans",
}


def end_words(end: End) -> str:
    """Return where a path ends, in words.

    >>> end_words(End("best", "argmax"))
    "at argmax in 'best', which has no gradient: positions"
    """
    if end.op in _WORDS:
        return _WORDS[end.op].format(layer=end.layer)
    rule = OPS[end.op].gradient if end.op in OPS else None
    why = f": {rule.reason}" if isinstance(rule, Marker) else ""
    return f"at {end.op} in '{end.layer}', which has no gradient{why}"


class NeededGradients(NamedTuple):
    """What a training step asks of a call: `results` are the numbers of those that get a gradient, `inputs` those
    of the definition's parameters whose gradient something before them needs."""

    results: tuple[int, ...]
    inputs: tuple[int, ...]


class LostWeight(NamedTuple):
    """A trainable weight without a gradient: the path of its layer, its name there, and where the ways to it end."""

    layer: str
    weight: str
    ends: tuple[End, ...]


class GradientPaths(NamedTuple):
    """The ways of gradients in a network. `needs` has for each call, by its path and number, what is asked of it;
    `lost` are the trainable weights that get none, `reached` says whether another gets one."""

    needs: Mapping[tuple[str, int], NeededGradients]
    lost: tuple[LostWeight, ...]
    reached: bool


def lost_weights(network: Network) -> tuple[LostWeight, ...]:
    """Return the trainable weights of a model that get no gradient in training. A model without a loss in which no
    weight gets one is for inference: it has none to report."""
    if not gradient_paths(network, as_in_training=False).lost:  # the formulas of inference are there already
        return ()
    paths = gradient_paths(network)
    training = network.model.training
    return paths.lost if paths.reached or (training is not None and training.losses) else ()


def gradient_paths(network: Network, *, as_in_training: bool = True, thawed: bool = False) -> GradientPaths:
    """Return how gradients pass a model, from its losses (all outputs, where it is not known which have one).

    Without `as_in_training` the formulas are those of inference; `thawed`, nothing is frozen."""
    ways = _Ways(as_in_training, thawed)
    ways.forward(network, "", [False] * len(network.model.inputs), False)
    training = network.model.training
    losses = training.losses if training is not None and training.are_all else {}
    has_loss = [not losses or ref.layer in losses or "" in losses for ref in network.model.outputs]
    ways.backward(network, "", has_loss, False, [{End(ref.layer, UNUSED)} for ref in network.model.outputs])
    lost = [LostWeight(*key, tuple(sorted(ends))) for key, ends in ways.lost.items() if key not in ways.found]
    return GradientPaths(ways.needs, tuple(lost), bool(ways.found))


def layers_of_losses(network: Network) -> dict[str, tuple[str, ...]]:
    """Return the layers whose weights each loss of a model with several trains, in the model's order; empty where there
    is one, or where not all are known."""
    training = network.model.training
    if training is None or not training.are_all or len(training.losses) < 2 or "" in training.losses:
        return {}
    result = {}
    for name in training.losses:
        ways = _Ways(False, False, penalties=False)  # the formulas of inference are there already
        ways.forward(network, "", [False] * len(network.model.inputs), False)
        has_loss = [ref.layer == name for ref in network.model.outputs]
        ways.backward(network, "", has_loss, False, [set()] * len(has_loss))
        result[name] = tuple(reversed(dict.fromkeys([layer for layer, _ in ways.found])))
    return result


class _Ways:
    def __init__(self, as_in_training: bool, thawed: bool, *, penalties: bool = True) -> None:
        self.as_in_training = as_in_training
        self.thawed = thawed
        self.penalties = penalties
        self._known: dict[Any, Any] = {}
        self.wanted: dict[tuple[str, TensorRef], bool] = {}
        self.needs: dict[tuple[str, int], NeededGradients] = {}
        self.lost: dict[tuple[str, str], set[End]] = {}
        self.found: dict[tuple[str, str], None] = {}

    def _is_frozen(self, layer: Layer, frozen: bool) -> bool:
        return not self.thawed and (frozen or not layer.config.get("trainable", True))

    def _once(
        self, walk: Callable[..., _Found], network: Network, path: str, given: Sequence[bool], frozen: bool, *more: Any
    ) -> _Found:
        """Walk a nested model that may be called again: models in models would be walked without end."""
        key = (walk, id(network), path, tuple(given), frozen)
        if key not in self._known:
            self._known[key] = walk(network, path, given, frozen, *more)
        result: _Found = self._known[key]
        return result

    # Forwards: what depends on a trainable weight -----------------------------------------------------------------

    def forward(self, network: Network, path: str, given: Sequence[bool], frozen: bool) -> list[bool]:
        """Note which tensors depend on something that is trained; return that of the outputs."""
        wanted = dict(zip(network.model.inputs, given, strict=False))
        own = frozen or not network.model.trainable
        for layer, call in network.calls_of_layers():
            is_frozen = self._is_frozen(layer, own)
            refs = call.results
            if layer.type == "InputLayer":
                results = [wanted.get(ref, False) for ref in refs]
            elif call.network is not None:
                inner = [wanted.get(ref, True) for ref in call.sources]
                results = self._once(self.forward, call.network, f"{path}{layer.name}/", inner, is_frozen)
            else:
                results = self._results(layer, call, wanted, is_frozen)
            for ref, result in zip(refs, results, strict=False):
                wanted[ref] = result
                self.wanted[path, ref] = self.wanted.get((path, ref), False) or result
        return [wanted.get(ref, True) for ref in network.model.outputs]

    def _results(self, layer: Layer, call: TracedCall, wanted: Mapping[TensorRef, bool], is_frozen: bool) -> list[bool]:
        known = self._flow(layer, call)
        if known is None:
            some = any(wanted.get(ref, True) for ref in call.sources)
            return [some or not is_frozen] * len(call.outputs)
        ways, refs, count = known
        definition = call.definition
        leaves = sum(1 << i for i, ref in enumerate(refs) if ref is not None and wanted.get(ref, True))
        if not is_frozen and definition is not None:
            leaves |= sum(1 << (count + i) for i, w in enumerate(definition.weights) if w.attrs["trainable"])
        return [bool(result & leaves) for result in ways.results[: len(call.outputs)]]

    # Backwards: what the loss reaches -----------------------------------------------------------------------------

    def backward(
        self, network: Network, path: str, gets: Sequence[bool], frozen: bool, ends: Sequence[set[End]]
    ) -> tuple[list[bool], list[set[End]]]:
        """Note what gets a gradient, given which outputs do, and where the way to others ended; return that of the
        inputs."""
        got: dict[TensorRef, bool] = {}
        ended: dict[TensorRef, set[End]] = {}

        def send(ref: TensorRef, flag: bool, why: set[End]) -> None:
            got[ref] = got.get(ref, False) or flag
            ended.setdefault(ref, set()).update(why)

        for output, flag, why in zip(network.model.outputs, gets, ends, strict=True):
            send(output, flag, set() if flag else why)
        own = frozen or not network.model.trainable
        for layer, call in reversed(list(network.calls_of_layers())):
            is_frozen = self._is_frozen(layer, own)
            name = path + layer.name
            refs = call.results
            results = [got.get(ref, False) for ref in refs]
            for number, spec in enumerate(call.outputs):
                if spec is None:
                    continue
                if spec.dtype not in FLOATS:
                    results[number] = False
                elif self.penalties and _penalized(layer, call):
                    results[number] = True
            whys = [ended.get(ref) or {End(name, UNUSED)} for ref in refs]
            if layer.type == "InputLayer":
                continue
            if call.network is not None:
                # Where shapes are not known, a call may tell of more or fewer results than the model has outputs.
                count = len(call.network.model.outputs)
                more = [TensorRef(layer.name, call.number, i) for i in range(len(refs), count)]
                results = [*results, *[got.get(ref, False) for ref in more]][:count]
                whys = [*whys, *[ended.get(ref) or {End(name, UNUSED)} for ref in more]][:count]
                inner, ends_of = self._once(self.backward, call.network, f"{name}/", results, is_frozen, whys)
                for ref, flag, why in zip(call.sources, inner, ends_of, strict=False):
                    send(ref, flag, why)
                continue
            self._through(layer, call, name, results, whys, is_frozen, send)
        inputs = network.model.inputs
        return [got.get(ref, False) for ref in inputs], [ended.get(ref) or set() for ref in inputs]

    def _through(
        self,
        layer: Layer,
        call: TracedCall,
        name: str,
        results: Sequence[bool],
        whys: Sequence[set[End]],
        is_frozen: bool,
        send: Callable[[TensorRef, bool, set[End]], None],
    ) -> None:
        """Pass a call that has a formula, or one without, which is taken to pass all on."""
        known = self._flow(layer, call)
        key = (name, call.number)
        if known is None:
            for ref in call.sources:
                send(ref, True, set())
            self.needs[key] = NeededGradients(tuple(range(len(results))), tuple(range(len(call.sources))))
            return
        ways, refs, count = known
        path = name[: len(name) - len(layer.name)]
        needed = []
        for i, source in enumerate(refs):
            if source is None:
                continue
            flag, why = self._way(ways, i, name, results, whys)
            send(source, flag, why)
            if flag and self.wanted.get((path, source), True):
                needed.append(i)
        before = self.needs.get(key, NeededGradients((), ()))
        gets = [i for i, result in enumerate(results) if result]
        self.needs[key] = NeededGradients(
            tuple(sorted({*before.results, *gets})), tuple(sorted({*before.inputs, *needed}))
        )
        for i, weight in enumerate(call.definition.weights if call.definition is not None else ()):
            if is_frozen or not weight.attrs["trainable"]:
                continue
            own = weight_name(weight.attrs, layer)
            flag, why = self._way(ways, count + i, name, results, whys)
            if flag or (self.penalties and _is_regularized(layer, str(weight.attrs["name"]))):
                self.found[name, own] = None
            else:
                self.lost.setdefault((name, own), set()).update(why or {End(name, UNUSED)})

    def _flow(self, layer: Layer, call: TracedCall) -> tuple[Flow, list[TensorRef | None], int] | None:
        """Return how gradients pass a call, the tensor that each of its parameters is, and how many these are; None
        where its formula in training is not known."""
        definition = trained_definition(layer, call) if self.as_in_training else call.definition
        if definition is None or definition.kind == "opaque" or call.origin is None or call.built:
            return None
        result = [ref for ref in call.origin.bound.tensors if ref is not None]
        refs = [*result, *[None] * len(definition.params)][: len(definition.params)]
        return flow(definition), refs, len(definition.params)

    @staticmethod
    def _way(
        ways: Flow, leaf: int, name: str, results: Sequence[bool], whys: Sequence[set[End]]
    ) -> tuple[bool, set[End]]:
        """Return whether a leaf gets a gradient, and if not, where its ways end."""
        to = [i for i in ways.reaches(leaf) if i < len(results)]
        if any(results[i] for i in to):
            return True, set()
        ends = {End(name, op) for op in ways.stops(leaf)}
        return False, ends.union(*[whys[i] for i in to])


def _is_regularized(layer: Layer, weight: str) -> bool:
    """Return whether a regularizer of the layer, or of one that it holds, has a gradient for a weight."""
    if layer.config.get(f"{weight}_regularizer") is not None:
        return True
    return any(isinstance(inner, Layer) and _is_regularized(inner, weight) for inner in layer.config.values())


def _penalized(layer: Layer, call: TracedCall) -> bool:
    """Return whether a layer adds to the loss what it computes."""
    declared = call.declaration is not None and bool(call.declaration.facts.regularizes)
    return declared or layer.config.get("activity_regularizer") is not None
