"""The values that layers themselves give their weights in training, also where they stand inside other layers: running
statistics, kernels that are divided before they are used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from layerexplain.lang.axes import ResultShapes
from layerexplain.lang.definition import Body, Definition, call, loop
from layerexplain.lang.expr import CALL, LOOP, Expr, item
from layerexplain.lang.visit import Copier
from layerexplain.records import NamedTuple


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
        found = _moves_in(definition.order)
        by_label = {str(leaf.label): leaf for leaf in definition.weights}
        own = {by_label[label]: value for label, value in definition.updates.items()}
        inside = set(definition.order)
        read = found.read or any(leaf in inside for leaf in own)
        known = definition.answers["moves"] = found._replace(values={**found.values, **own}, read=read)
    assert isinstance(known, Moves)  # noqa: S101 (nothing else is kept under this name)
    return known


def _moves_in(order: Iterable[Expr]) -> Moves:
    values: dict[Expr, Expr] = {}
    unknown = read = False
    for node in order:
        found = Moves({})
        if node.op is CALL and node.attrs["definition"].kind != "composite":
            found = _moves_of_call(node, values)
        elif node.op is LOOP:
            found = _moves_of_loop(node)
        again = bool(values.keys() & found.values.keys())
        unknown |= found.unknown or (again and found.read)
        read |= found.read
        values.update(found.values)
    return Moves(values, unknown, read)


def _moves_of_call(node: Expr, before: Mapping[Expr, Expr]) -> Moves:
    called: Definition = node.attrs["definition"]
    found = moves_of(called)
    if not found.values:
        return found
    results = {f"new_{i}": value for i, value in enumerate(found.values.values())}
    moving = Definition(f"moved_{called.name}", called.params, called.variables, results)
    parts = _parts(call(moving, *[before.get(arg, arg) for arg in node.args]))
    outer = dict(zip(called.leaves, node.args, strict=True))
    return found._replace(values={outer[leaf]: value for leaf, value in zip(found.values, parts, strict=True)})


def _moves_of_loop(node: Expr) -> Moves:
    """Move the weights at each step from where the step before left them."""
    body: Body = node.attrs["body"]
    found = _moves_in(body.order)
    if not found.values:
        return found
    if found.read or body.states or node.attrs.get("backwards"):
        return Moves({}, unknown=True, read=found.read)

    def step(*given: Expr) -> tuple[Sequence[Expr], Mapping[str, Expr]]:
        env = dict(zip((*body.steps, *found.values), given, strict=True))
        return Copier().values(list(found.values.values()), env), {}

    states = {str(leaf.label): leaf for leaf in found.values}
    last = loop(step, node.args[: len(body.steps)], states)
    return found._replace(values=dict(zip(found.values, _parts(last), strict=True)))


def _parts(node: Expr) -> list[Expr]:
    return [item(node, i) for i in range(len(node.shape))] if isinstance(node.shape, ResultShapes) else [node]
