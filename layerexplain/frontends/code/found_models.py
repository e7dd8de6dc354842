"""The models that a program makes; which choices and errors of the program reach each."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

from layerexplain.errors import LayerExplainError
from layerexplain.frontends.code.machine.interpreter import Interpreter
from layerexplain.frontends.code.recorder.tracing import graphs_of
from layerexplain.frontends.code.values.base import Place, ProgramValue
from layerexplain.frontends.code.values.layers import LayerValue, ModelValue, Variable
from layerexplain.frontends.code.values.program import layer_of
from layerexplain.frontends.model_builder import FreeNames
from layerexplain.records import NamedTuple

# Found models -------------------------------------------------------------------------------------------------------
# The models that a program makes, and the names that they go by.


class FoundModel(NamedTuple):
    """A model of a program, and the name that the source knows it by."""

    name: str
    value: ModelValue
    loose: bool = False
    """Whether no name of the source stands for it."""
    asked: str = ""
    """What was asked for."""


def is_empty(model: ModelValue) -> bool:
    """Return whether a model is a Sequential that nothing was added to."""
    return model.form == "sequential" and not model.layers and not model.open


def distinct(found: list[FoundModel], first: Container[str] = ()) -> list[FoundModel]:
    """Return the models under different names; those that the source knows by a name of `first` have it before
    others."""
    names = FreeNames()
    order = sorted(range(len(found)), key=lambda place: found[place].name not in first or found[place].loose)
    taken = {place: names.take(found[place].name) for place in order}
    return [one._replace(name=taken[place]) for place, one in enumerate(found)]


def models_in(result: ProgramValue) -> list[ModelValue]:
    """Return the models that a function gave: its result, or those in a row or a dictionary."""
    items = result if type(result) in (list, tuple) else list(result.values()) if type(result) is dict else [result]
    return [layer for one in items if isinstance(layer := layer_of(one), ModelValue)]


# Reach --------------------------------------------------------------------------------------------------------------
# What reaches a model of a program: choices that were taken before it was made, errors of the program.

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
