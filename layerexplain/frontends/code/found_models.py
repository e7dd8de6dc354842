"""The models that a program makes, and the names that they go by."""

from __future__ import annotations

from collections.abc import Container

from layerexplain.frontends.code.values.base import ProgramValue
from layerexplain.frontends.code.values.layers import ModelValue
from layerexplain.frontends.code.values.program import layer_of
from layerexplain.frontends.model_builder import FreeNames
from layerexplain.records import NamedTuple


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
