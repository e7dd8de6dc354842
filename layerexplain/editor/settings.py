"""What a person sets: what hints show, and values for names and inputs that a text leaves open."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from layerexplain.frontends.code_source import settings_in
from layerexplain.frontends.input_shapes import input_names, parse_shape, shapes_for
from layerexplain.model import InputShapes, Model
from layerexplain.records import NamedTuple

_COMMENT = re.compile(r"^[ \t]*#[ \t]*layerexplain:(.*)$", re.MULTILINE)


class Settings(NamedTuple):
    """Which parts a hint has, the values by names, and where the docs are (the folder's address; "" for those here)."""

    shapes: bool = True
    parameters: bool = True
    macs: bool = False
    values: Mapping[str, str] = MappingProxyType({})
    docs: str = ""


def settings_of(sent: Any, before: Settings = Settings()) -> Settings:  # noqa: B008  # plain immutable data
    """Return the settings that an editor sends, alone or under `layerexplain`; what it leaves out or misspells stays.

    >>> settings_of({"layerexplain": {"hints": {"macs": True}, "values": {"n": 128}}}).values
    {'n': '128'}
    """
    own = sent.get("layerexplain", sent) if isinstance(sent, dict) else None
    if not isinstance(own, dict):
        return before
    hints, values, docs = own.get("hints"), own.get("values"), own.get("docs")
    shown = hints if isinstance(hints, dict) else {}
    given = {name: shown[name] for name in ("shapes", "parameters", "macs") if isinstance(shown.get(name), bool)}
    if isinstance(values, dict):
        written = {str(name): str(value) for name, value in values.items()}
        given["values"] = {known: text for name, text in written.items() for known in settings_in(f"{name}=") or [name]}
    return before._replace(**given, docs=docs if isinstance(docs, str) else before.docs)


def values_in(text: str) -> dict[str, str]:
    """Return what the comments of a text give names, and what has none, as `--set` takes them.

    >>> values_in("# layerexplain: n_hidden=128, input=28,28,1, len(words)=5000")
    {'n_hidden': '128', 'input': '28,28,1', 'len(words)': '5000'}
    """
    return {name: value for comment in _COMMENT.findall(text) for name, value in settings_in(comment).items()}


def input_shapes(model: Model, values: Mapping[str, str]) -> InputShapes:
    """Return the shapes that values give the inputs of a model, without the batch; `input` stands for the first one."""
    names = input_names(model)
    by_name = {names[0] if one == "input" and names else one: value for one, value in values.items()}
    shapes = {name: shape for name, text in by_name.items() if name in names and (shape := parse_shape(text))}
    return shapes_for(model, shapes)
