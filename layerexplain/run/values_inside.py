"""Values inside the formula of a layer: those that it gives its weights, and those that regularizers penalize."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.definition import Body, Definition, call, loop, loop_of
from layerexplain.lang.expr import CALL, ITEM, LOOP, Expr, item
from layerexplain.lang.names import identifier
from layerexplain.lang.visit import Copier
from layerexplain.layers.registry import facts_of
from layerexplain.model import Layer, TrainingSetting
from layerexplain.records import NamedTuple
from layerexplain.report.objective import settings_of
from layerexplain.report.settings import setting_of

# Moved inside -------------------------------------------------------------------------------------------------------
# The values that layers themselves give their weights in training, also where they stand inside other layers:
# running statistics, kernels that are divided before they are used.


class Moves(NamedTuple):
    """The new `values` of weights that a formula takes; `unknown` says that others move too. `read` says that the
    formula computes with a weight that it moves."""

    values: Mapping[Expr, Expr]
    unknown: bool = False
    read: bool = False


def moves_of(definition: Definition) -> Moves:
    """Return the new values of the weights of a layer, those of layers inside of it among them."""
    known = definition.answers.get("moves")
    if known is None:
        moves = _moves_in(definition.order)
        by_label = {str(leaf.label): leaf for leaf in definition.weights}
        own = {by_label[label]: value for label, value in definition.updates.items()}
        inside = set(definition.order)
        read = moves.read or any(leaf in inside for leaf in own)
        known = definition.answers["moves"] = moves._replace(values={**moves.values, **own}, read=read)
    assert isinstance(known, Moves)  # noqa: S101 (nothing else is kept under this name)
    return known


def _moves_in(order: Iterable[Expr]) -> Moves:
    values: dict[Expr, Expr] = {}
    unknown = read = False
    for node in order:
        moves = Moves({})
        if node.op is CALL and node.attrs["definition"].kind != "composite":
            moves = _moves_of_call(node, values)
        elif node.op is LOOP:
            moves = _moves_of_loop(node)
        again = bool(values.keys() & moves.values.keys())
        unknown |= moves.unknown or (again and moves.read)
        read |= moves.read
        values.update(moves.values)
    return Moves(values, unknown, read)


def _moves_of_call(node: Expr, before: Mapping[Expr, Expr]) -> Moves:
    called: Definition = node.attrs["definition"]
    moves = moves_of(called)
    if not moves.values:
        return moves
    results = {f"new_{i}": value for i, value in enumerate(moves.values.values())}
    moving = Definition(f"moved_{called.name}", called.params, called.variables, results)
    parts = _parts(call(moving, *[before.get(arg, arg) for arg in node.args]))
    outer = dict(zip(called.leaves, node.args, strict=True))
    return moves._replace(values={outer[leaf]: value for leaf, value in zip(moves.values, parts, strict=True)})


def _moves_of_loop(node: Expr) -> Moves:
    """Move the weights at each step from where the step before left them."""
    body: Body = node.attrs["body"]
    moves = _moves_in(body.order)
    if not moves.values:
        return moves
    if moves.read or body.states or node.attrs.get("backwards"):
        return Moves({}, unknown=True, read=moves.read)

    def step(*given: Expr) -> tuple[Sequence[Expr], Mapping[str, Expr]]:
        env = dict(zip((*body.steps, *moves.values), given, strict=True))
        return Copier().values(list(moves.values.values()), env), {}

    states = {str(leaf.label): leaf for leaf in moves.values}
    last = loop(step, node.args[: len(body.steps)], states)
    return moves._replace(values=dict(zip(moves.values, _parts(last), strict=True)))


def _parts(node: Expr) -> list[Expr]:
    return [item(node, i) for i in range(len(node.shape))] if isinstance(node.shape, ResultShapes) else [node]


# Penalized inside ---------------------------------------------------------------------------------------------------
# The values inside the formula of a layer that have an activity regularizer: outputs of the layers that it holds.

_BY_ELEMENTS = ("L1", "L2", "L1L2")
"""Regularizers whose terms for single steps add up to that for all of them."""


class Penalty(NamedTuple):
    """A regularizer of an output of `holder`, a layer inside another."""

    value: Any
    holder: Layer


class Inside(NamedTuple):
    """A formula that gives penalized values beside its results, by their names, each with its penalty; `unknown` says
    that some of the layers inside have one that is not among them."""

    definition: Definition
    penalties: Mapping[str, Penalty]
    unknown: bool


def penalized_inside(definition: Definition, layer: Layer) -> Inside:
    """Return the formula of a layer, extended by the outputs inside of it that have an activity regularizer."""
    wanted = list(_wanted(layer))
    if not wanted:
        return Inside(definition, {}, False)
    exposing = _Exposing(definition, layer)
    results = dict(zip(definition.results, exposing.values(list(definition.results.values()), {}), strict=True))
    names = [f"activity_{i}" for i in range(1, len(exposing.found) + 1)]
    beside = {name: node for name, (node, _) in zip(names, exposing.found, strict=True)}
    penalties = {name: penalty for name, (_, penalty) in zip(names, exposing.found, strict=True)}
    known = {id(penalty.holder) for penalty in penalties.values()}
    unknown = exposing.refused or any(id(penalty.holder) not in known for penalty in wanted)
    if not beside:
        return Inside(definition, {}, unknown)
    extended = Definition(
        definition.name, definition.params, definition.weights, {**results, **beside}, updates=definition.updates
    )
    return Inside(extended, penalties, unknown)


def own_penalties(layer: Layer) -> Iterator[Penalty]:
    """Yield the activity regularizers of a layer's own outputs."""
    for term in settings_of(layer, "regularizer"):
        if term.of == "activity" and not term.steps:
            yield Penalty(term.value, layer)
    kind = facts_of(layer.type).regularizes
    if kind:
        given = {name: layer.config[name] for name in ("l1", "l2") if layer.config.get(name) is not None}
        yield Penalty({kind: given}, layer)


def _wrapped_layer(layer: Layer) -> Layer | None:
    """Return the one layer that a wrapper holds."""
    result = layer.config.get("layer")
    return result if isinstance(result, Layer) else None


def _wanted(layer: Layer) -> Iterator[Penalty]:
    """Yield the penalties of all layers inside of a layer, its own where it hands them on to them."""
    inner = facts_of(layer.type).inner_outputs
    if "" in inner:
        yield from own_penalties(layer)
    inside = [*layer.config.values(), *(() if layer.model is None else layer.model.layers)]
    inside += [one for value in inside if isinstance(value, list | tuple) for one in value]
    for other in inside:
        if isinstance(other, Layer):
            if not (other is _wrapped_layer(layer) and facts_of(layer.type).skips_activity):
                yield from own_penalties(other)
            yield from _wanted(other)


class _Exposing(Copier):
    """Copies a formula so that calls and loops in it also give what is penalized inside of them; `found` has that."""

    def __init__(self, definition: Definition, layer: Layer) -> None:
        super().__init__()
        self.found: list[tuple[Expr, Penalty]] = []
        self.refused = False
        self.layer = layer
        self.called = dict(_called(definition, layer))
        self.labelled: dict[Expr, list[Penalty]] = {}
        names = {node: name for name, node in definition.results.items()}
        for labels, penalties in _of_labels(layer):
            for node in definition.order:
                if node.args and any(_fits(names.get(node) or str(node.label), label) for label in labels):
                    self.labelled.setdefault(node, []).extend(penalties)

    def visit(self, nodes: Sequence[Expr], env: dict[Expr, Any]) -> dict[Expr, Any]:
        for node in nodes:
            if node not in env:
                super().visit([node], env)
                self.found += [(env[node], penalty) for penalty in self.labelled.get(node, ())]
        return env

    def call(self, node: Expr, env: dict[Expr, Any]) -> Any:
        definition: Definition = node.attrs["definition"]
        layer, own = self.called.get(node) or self._wrapped_and_skipped(definition)
        if layer is None:
            return super().call(node, env)
        inside = penalized_inside(definition, layer)
        self.refused |= inside.unknown
        penalties = list(own_penalties(layer)) if own else []
        if not inside.penalties and not penalties:
            return super().call(node, env)
        called = inside.definition
        if inside.penalties:
            called = Definition(
                called.name, called.params, called.weights, called.results,
                kind=definition.kind, masks=definition.masks, states=definition.states,
            )  # fmt: skip
        parts = _parts(call(called, *[env[argument] for argument in node.args]))
        count, more = len(definition.results), len(inside.penalties)
        self.found += zip(parts[count : count + more], inside.penalties.values(), strict=True)
        self.found += [(part, penalty) for part in parts[:count] for penalty in penalties]
        kept = [*parts[:count], *parts[count + more :]]
        return kept if isinstance(node.shape, ResultShapes) else kept[0]

    def _wrapped_and_skipped(self, definition: Definition) -> tuple[Layer | None, bool]:
        """Return the layer that a wrapper calls past its own regularizer, and that this does not count."""
        is_it = definition.kind != "composite" and facts_of(self.layer.type).skips_activity
        return (_wrapped_layer(self.layer) if is_it else None), False

    def loop(self, node: Expr, env: dict[Expr, Any]) -> Any:
        before, self.found = self.found, []
        copied: Expr = super().loop(node, env)
        inside, self.found = self.found, before
        if not inside:
            return copied
        body: Body = copied.attrs["body"]
        collected = {f"activity_{i}": value for i, (value, _) in enumerate(inside, start=1)}
        extended = Body(body.steps, body.states, body.next, {**body.collected, **collected}, body.captured)
        parts = _parts(loop_of(extended, copied.args, copied.attrs))
        count = len(body.outputs)
        for part, (_, penalty) in zip(parts[count:], inside, strict=True):
            setting = penalty.value if isinstance(penalty.value, TrainingSetting) else setting_of(penalty.value)
            if setting is not None and setting.name in _BY_ELEMENTS:
                self.found.append((part, penalty))
            else:
                self.refused = True
        return parts[:count] if isinstance(node.shape, ResultShapes) else parts[0]


def _fits(label: str, wanted: str) -> bool:
    return label.endswith(wanted[1:]) if wanted.startswith("*") else label == wanted


def _of_labels(layer: Layer) -> Iterator[tuple[Sequence[str], list[Penalty]]]:
    """Yield the labels of the values that the layers inside of a layer output, with the penalties of these."""
    facts = facts_of(layer.type)
    for argument, labels in facts.inner_outputs.items():
        holder = layer.config.get(argument) if argument else layer
        if holder is None and argument in facts.inner_copies:
            holder = layer.config.get(facts.inner_copies[argument][0])
        if isinstance(holder, Layer):
            yield labels, list(own_penalties(holder))


def _called(definition: Definition, layer: Layer) -> Iterator[tuple[Expr, tuple[Layer, bool]]]:
    """Yield the calls of the layers of a nested model in its formula, each with its layer."""
    if layer.model is None:
        return
    by_label: dict[str, Layer | None] = {}
    for inner_layer in layer.model.layers:
        calls = sum(call.layer == inner_layer.name for call in layer.model.calls)
        for index in range(calls):
            label = identifier(inner_layer.name) + (f"_{index + 1}" if index else "")
            by_label[label] = None if label in by_label else inner_layer
    for node in definition.order:
        base = node.args[0] if node.op is ITEM else node
        label = str(node.label).removesuffix("_0") if node.op is ITEM else str(node.label)
        result = by_label.get(str(node.label)) or by_label.get(label)
        if base.op is CALL and result is not None and base.attrs["definition"].kind != "composite":
            yield base, (result, True)
