"""Runs a model forwards and then backwards: each layer's derived gradient, on what its forward pass kept.

The gradient that runs is the one that `explain --gradient` prints. The forward pass computes each layer's results and,
beside them, what its gradient reads; the backward pass goes over the calls from the last to the first and hands what
comes out of one to the calls before it. What several calls send to one tensor is added.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from layerexplain.derive.evaluate import Evaluation, evaluate_nodes
from layerexplain.derive.gradient.backward import Gradient, gradient, is_float
from layerexplain.errors import ShapeError
from layerexplain.lang.definition import Definition
from layerexplain.lang.expr import ITEM, CannotDerive, Expr, picked
from layerexplain.model import Layer
from layerexplain.records import NamedTuple
from layerexplain.report.gradient import before_last_function
from layerexplain.run.activations import LayerExecution, ModelRun, NestedBoundary, NetworkRun, tensors_of
from layerexplain.run.arrays import rounded_to
from layerexplain.run.objective import NoGradient, Penalties, added
from layerexplain.run.values_inside import Inside, moves_of, penalized_inside

CallNumber = tuple[tuple[str, ...], int]
"""A call of a layer: the names that lead to the layer, and the number of the call, as an `Activation` has them."""


class Taped(NamedTuple):
    """A call of a layer that was run. `gradient` is its gradient, or why there is none; `arrays` are those that it
    reads, by the leaves of its backward formula; `penalties` what its results get back from the loss itself, and
    `inside` what values in its formula get back so."""

    ran: LayerExecution
    gradient: Gradient | NoGradient
    arrays: Mapping[Expr, Any]
    penalties: Sequence[Any]
    run: Evaluation
    inside: Mapping[str, Any] = {}


class SentBack(NamedTuple):
    """What the backward pass found at one call of a layer.

    `outputs` are the gradients that reach its results: None for one to which none comes back, `NoGradient` for one that
    is not known. `params` and `weights` are what the call sends to its tensors and weights; None where nothing passes.
    `held` are the values of its weights, as they are stored. `before_last` is the gradient that reaches what its last
    function is applied to, where the loss is computed from that.
    `formula` is the gradient that ran, on `arrays` (by the leaves of its backward formula), None where none did.
    """

    path: tuple[str, ...]
    layer: Layer
    call: int
    outputs: tuple[Any, ...]
    params: tuple[Any, ...] = ()
    weights: tuple[Any, ...] = ()
    stored: tuple[Any, ...] = ()
    definition: Definition | None = None
    formula: Gradient | None = None
    arrays: Mapping[Expr, Any] = {}
    refusal: str = ""
    before_last: Any = None

    @property
    def name(self) -> str:
        """The path of the layer as in reports."""
        return "/".join(self.path)

    @property
    def known(self) -> dict[int, Any]:
        """The gradients that reach its results, as far as they are known, by the numbers of these."""
        result = enumerate(self.outputs)
        return {i: item for i, item in result if item is not None and not isinstance(item, NoGradient)}


class Tape(ModelRun):
    """A run of a model, as it is `given`, that keeps what gradients read. After `run`, `back` runs it backwards.

    `logits` are the calls that give an output whose loss is computed from what their last function is applied to:
    `before_last` then has that. `frozen` says which layers are not trained; `home` where a weight
    of a layer, by its number, is counted, if several layers share it.
    """

    def __init__(
        self,
        run: ModelRun,
        *,
        wanted: Sequence[Expr | None],
        logits: Collection[CallNumber],
        frozen: Collection[tuple[str, ...]],
        home: Callable[[tuple[str, ...], int], tuple[tuple[str, ...], int]],
    ) -> None:
        super().__init__(run.network, run.weights, run.seed, run.max_memory, in_float64=run.in_float64)
        self.wanted = wanted
        self.logits = frozenset(logits)
        self.frozen = frozenset(frozen)
        self.penalties = Penalties()
        self.before_last: dict[CallNumber, Any] = {}
        self.home = home
        self.moved: dict[tuple[tuple[str, ...], int], Any] = {}
        """The weights that layers themselves give new values in training: running statistics, divided kernels."""
        self._tape: list[Taped | NestedBoundary] = []
        self._sent: dict[NetworkRun, dict[tuple[Expr, int], Any]] = {}
        self._known: dict[Any, Gradient | NoGradient] = {}
        self._inside: dict[tuple[Definition, tuple[str, ...]], Inside] = {}

    # Forwards -------------------------------------------------------------------------------------------------------

    def results_of(self, ran: LayerExecution, run: Evaluation) -> list[Any]:
        definition = ran.definition
        at = (ran.path, ran.number)
        arrays = self._arrays(ran)
        moves = moves_of(definition)
        if moves.values:
            self._move(ran, moves.values, run)
        inside = self._penalized(ran)
        form = self._form(ran, at)
        found = self._gradient(inside.definition, ran.path in self.frozen, form)
        if isinstance(found, NoGradient):
            results = super().results_of(ran, run)
            self._tape.append(Taped(ran, found, {}, (), run))
            return results
        masks = [mask for mask in definition.masks if mask is not None]
        values = evaluate_nodes([*found.forward.values(), *masks, *found.kept.values()], arrays, run)
        count = len(found.forward)
        forward = dict(zip(found.forward, values, strict=False))
        if at in self.logits:
            self.before_last[at] = forward["z"]
        sent = {
            name: self.penalties.of_tensor(
                penalty.value, forward[name], f"a layer inside '{'/'.join(ran.path)}'", 1 / run.batch
            )
            for name, penalty in inside.penalties.items()
        }
        if not definition.results.keys() <= forward.keys():
            ((name, result),) = definition.results.items()
            (forward[name],) = evaluate_nodes([result], {result.args[0]: forward["z"]}, run)
        results = [forward[name] for name in definition.results]
        states = evaluate_nodes([*definition.states.values()], ran.arrays, run) if definition.states else []
        kept = dict(zip(found.kept, values[count + len(masks) :], strict=True))
        arrays = {leaf: value for leaf, value in {**arrays, **kept}.items() if leaf in found.backward.leaves}
        self._tape.append(Taped(ran, found, arrays, self.penalties.of_outputs(ran, results), run, sent))
        return [*results, *values[count : count + len(masks)], *states]

    def _penalized(self, ran: LayerExecution) -> Inside:
        """Return the formula of a call with the penalized values inside of it; note those that are left out."""
        key = (ran.definition, ran.path)
        if key not in self._inside:
            self._inside[key] = penalized_inside(ran.definition, ran.layer)
        if self._inside[key].unknown:
            where = "/".join(ran.path)
            self.penalties.notes.append(
                f"The activity_regularizer of a layer inside '{where}' is left out of the loss."
            )
        return self._inside[key]

    def _homes(self, ran: LayerExecution) -> dict[Expr, tuple[tuple[str, ...], int]]:
        return {leaf: self.home(ran.path, number) for number, leaf in enumerate(ran.definition.weights)}

    def _arrays(self, ran: LayerExecution) -> dict[Expr, Any]:
        """Return the arrays of a call; of weights that an earlier call of a layer moved, the new values."""
        moved = (
            {leaf: self.moved[at] for leaf, at in self._homes(ran).items() if at in self.moved} if self.moved else {}
        )
        return {**ran.arrays, **moved}

    def _move(self, ran: LayerExecution, moves: Mapping[Expr, Expr], run: Evaluation) -> None:
        """Keep what layers store themselves in training: running statistics, a kernel that they divided."""
        homes = self._homes(ran)
        traced = evaluate_nodes(list(moves.values()), self._arrays(ran), run)
        self.moved.update({homes[leaf]: value for leaf, value in zip(moves, traced, strict=True)})

    def _form(self, ran: LayerExecution, at: CallNumber) -> str:
        """Return which gradient of a call is needed: of its results, or of what its last function is applied to ("z"),
        or of both, where its result goes elsewhere too."""
        if at not in self.logits:
            return "y"
        walk, node = ran.walk, ran.call.node
        used = any(call is not ran.call and any(e is node for e in tensors_of(call)) for call in walk.network.calls)
        penalized = bool(ran.layer.config.get("activity_regularizer"))
        return "yz" if used or penalized or walk is not self.root else "z"

    def _gradient(self, definition: Definition, frozen: bool, form: str) -> Gradient | NoGradient:
        """Return the gradient of a formula, derived once for all layers that are alike."""
        key = (definition, frozen, form)
        if key not in self._known:
            wanted = definition if form == "y" else before_last_function(definition, beside=form == "yz")
            try:
                self._known[key] = gradient(wanted, frozen=frozen)
            except (CannotDerive, ShapeError) as why:
                self._known[key] = NoGradient(f"its gradient is not known: {why}")
        return self._known[key]

    def crossed(self, border: NestedBoundary) -> None:
        self._tape.append(border)

    # Backwards ------------------------------------------------------------------------------------------------------

    def back(self, outputs: Sequence[Any], logits: Mapping[CallNumber, Any]) -> Iterator[SentBack]:
        """Run the model backwards; yield what is found at each call, from the last to the first, then at the inputs.

        Args:
            outputs: The gradient of the loss by each output of the model; None for one that it does not depend on.
            logits: The same by what `before_last` has.
        """
        root = self.root
        assert root is not None  # noqa: S101 (the model was run)
        for ref, dy in zip(self.network.model.outputs, outputs, strict=True):
            node = self.network.node(ref)
            if dy is not None and node is not None:
                self._send(root, node, dy, ref.output)
        while self._tape:
            entry = self._tape.pop()
            if isinstance(entry, Taped):
                yield self._back(entry, logits)
            elif entry.begins:
                yield from self._begun(entry)
            else:
                yield self._ended(entry)
        yield from self._inputs(root, [traced.node for traced in self.network.calls])

    def _send(self, walk: NetworkRun, e: Expr, value: Any, at: int = 0) -> None:
        if e.op is ITEM:
            e, at = picked(e)
        sent = self._sent.setdefault(walk, {})
        sent[e, at] = added(sent.get((e, at)), value)

    def _received(self, walk: NetworkRun, node: Expr | None, count: int) -> list[Any]:
        """Return the gradients of a node's results, which are needed no more."""
        sent = self._sent.get(walk, {})
        return [None if node is None else sent.pop((node, i), None) for i in range(count)]

    def _back(self, taped: Taped, logits: Mapping[CallNumber, Any]) -> SentBack:
        ran, result = taped.ran, taped.gradient
        definition, at = ran.definition, (ran.path, ran.number)
        received = self._received(ran.walk, ran.call.node, len(definition.results))
        for i, more in enumerate(taped.penalties):
            received[i] = added(received[i], more)
        dz = logits.get(at)
        sent_back = SentBack(ran.path, ran.layer, ran.number, tuple(received), stored=ran.stored, definition=definition)
        sent_back = sent_back._replace(before_last=dz)
        unknown = next((item for item in received if isinstance(item, NoGradient)), None)
        if unknown is None and isinstance(result, NoGradient) and any(item is not None for item in received):
            unknown = result
        if unknown is not None:
            for e, param in zip(tensors_of(ran.call), definition.params, strict=True):
                if is_float(param):
                    self._send(ran.walk, e, NoGradient(f"that of '{'/'.join(ran.path)}' is not known"))
            return sent_back._replace(refusal=str(unknown), weights=(unknown,) * len(definition.weights))
        if dz is None and all(item is None for item in (*received, *taped.inside.values())):
            return sent_back._replace(weights=(None,) * len(definition.weights))
        assert not isinstance(result, NoGradient)  # noqa: S101 (asked above)
        arrays = {**taped.arrays, **self._seeds(taped, result, received, dz)}
        backward = result.backward
        gradients = evaluate_nodes(backward.outputs, {leaf: arrays[leaf] for leaf in backward.leaves}, taped.run)
        by_name = dict(zip(backward.results, gradients, strict=True))
        of = {leaf: by_name[name] for leaf, name in result.of.items()}
        params = tuple([of.get(param) for param in definition.params])
        for e, value in zip(tensors_of(ran.call), params, strict=True):
            if value is not None:
                self._send(ran.walk, e, value)
        weights = tuple([of.get(weight) for weight in definition.weights])
        return sent_back._replace(params=params, weights=weights, formula=result, arrays=arrays)

    def _seeds(self, taped: Taped, result: Gradient, received: Sequence[Any], dz: Any) -> dict[Expr, Any]:
        """Return the gradients of the results, by the leaves that stand for them."""
        run, ran = taped.run, taped.ran
        given = dict(zip(ran.definition.results, received, strict=True))
        given["z"] = given.get("z") if dz is None else dz
        given |= taped.inside
        leaves = result.whole.params[len(ran.definition.params) :]
        names = [name for name, e in result.forward.items() if is_float(e)]
        seeds = {}
        for name, leaf in zip(names, leaves, strict=True):
            value = given[name]
            if value is None:
                value = run.np.zeros([run.batch if not isinstance(s, int) else s for s in leaf.shape], run.float)
            seeds[leaf] = rounded_to(value, run.float)
        return seeds

    def _ended(self, entry: NestedBoundary) -> SentBack:
        """Hand what reaches the results of a nested model to the calls in it that give them."""
        definition = entry.call.definition
        assert definition is not None  # noqa: S101 (it was run)
        received = self._received(entry.outer, entry.call.node, len(definition.results))
        for e, value in zip(definition.results.values(), received, strict=True):
            if value is not None:
                self._send(entry.inner, e, value)
        layer = entry.outer.network.layer(entry.call.call.layer)
        number = entry.outer.call_number(entry.call)
        return SentBack((*entry.outer.path, layer.name), layer, number, tuple(received))

    def _begun(self, entry: NestedBoundary) -> Iterator[SentBack]:
        """Hand what reaches the inputs of a nested model to the tensors that it was called on."""
        definition = entry.call.definition
        assert definition is not None  # noqa: S101 (it was run)
        sent = self._sent.get(entry.inner, {})
        for e, param in zip(tensors_of(entry.call), definition.params, strict=True):
            value = sent.get((param, 0))
            if value is not None:
                self._send(entry.outer, e, value)
        yield from self._inputs(entry.inner, definition.params)
        self._sent.pop(entry.inner, None)

    def _inputs(self, walk: NetworkRun, leaves: Sequence[Expr | None]) -> Iterator[SentBack]:
        for traced in walk.network.calls:
            layer = walk.network.layer(traced.call.layer)
            if layer.type == "InputLayer" and any(leaf is traced.node for leaf in leaves):
                received = self._received(walk, traced.node, 1)
                yield SentBack((*walk.path, layer.name), layer, walk.call_number(traced), tuple(received))
