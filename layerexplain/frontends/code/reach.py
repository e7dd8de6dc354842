"""What reaches a model of a program: choices that were taken before it was made, errors of the program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.machine.interpreter import Interpreter
from layerexplain.frontends.code.recorder.tracing import graphs_of
from layerexplain.frontends.code.values.base import Place, ProgramValue
from layerexplain.frontends.code.values.layers import LayerValue, ModelValue, Variable

if TYPE_CHECKING:
    pass


def parts_of(model: ModelValue) -> dict[int, LayerValue]:
    """Return all layers and models inside a model, by their identities."""
    waiting: list[LayerValue] = list(graphs_of(model).inner_layers(model))
    seen: dict[int, LayerValue] = {}
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen[id(one)] = one
            waiting += graphs_of(one).inner_layers(one)
    return seen


def last_change(interpreter: Interpreter, model: ModelValue) -> tuple[int, set[ProgramValue]]:
    """Return when a model, or something in it, was changed last: choices that were taken later do not reach it; and
    those that the `call` of one of the program's classes met."""
    waiting: list[tuple[LayerValue, list[tuple[int, int]]]] = [(model, [])]
    last, seen = 0, {id(model)}
    met: set[ProgramValue] = set()
    while waiting:
        layer, spans = waiting.pop()
        if not any(start <= layer.changed_at <= end for start, end in spans):  # `met` holds what that hangs on
            last = max(last, layer.changed_at)
        if isinstance(layer, ModelValue):
            met |= layer.depends_on
            spans = spans + [trace.span for trace in layer.traces.values()]
        if isinstance(variable := layer.config.get("variable"), Variable) and variable.choice is not None:
            interpreter.effects.record_local_assumption(variable.choice)
            met.add(variable.choice)
        for one in graphs_of(layer).inner_layers(layer):
            if id(one) not in seen:
                seen.add(id(one))
                waiting.append((one, spans))
    return last, met


def reaching(
    interpreter: Interpreter, model: ModelValue, is_open: bool, faults: Sequence[LayerExplainError]
) -> tuple[list[LayerExplainError], list[LayerExplainError]]:
    """Return the errors of a program that a model hangs on, and all others.

    The cells of a notebook behind one that fails are run all the same. There an error reaches the models that its
    statement makes, changes or calls a method of, those that call a layer in its line, and those of which something is
    not known; in a script it ends the program. Data that do not fit a model are an error of that model alone.
    """
    effects = interpreter.effects
    parts = [model, *parts_of(model).values()]

    def reaches(fault: LayerExplainError) -> bool:
        owner = effects.owner(fault)
        if owner is not None and owner not in parts:
            return False
        if not interpreter.is_notebook or is_open:
            return True
        origin = effects.origin(fault)
        if origin is None:  # one of the model itself
            return True
        statement, place = origin
        end = effects.end_of(statement)
        return any(
            (one.created_at < end and statement <= one.changed_at)
            or effects.is_used(one, statement)
            or (isinstance(one, ModelValue) and fault in one.depends_on)
            or any(Place(*node.place[:2]) == Place(*place[:2]) for node in one.nodes)
            for one in parts
        )

    found = [one for one in faults if reaches(one)]
    return found, [one for one in faults if one not in found]
