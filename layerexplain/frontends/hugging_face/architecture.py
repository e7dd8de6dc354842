"""The rows of `architectures.yaml`: what a `model_type` consists of, and its layers, which `blocks.yaml` defines."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from layerexplain.layers.declaration import Declaration
from layerexplain.records import NamedTuple

Texts = Mapping[str, Any]
"""Expressions by the names of what they give."""


class Stack(NamedTuple):
    """Blocks that follow one another: the number after the last, the name that their numbers follow, the formula of
    one, the inputs that all of them take beside what the one before gives, and the number of the first."""

    number: str
    name: str
    formula: str
    inputs: tuple[str, ...] = ()
    first: str = "0"


class Architecture(NamedTuple):
    """A row, with what it takes from the rows that it is like; `architectures.yaml` says what each part is."""

    type: str
    text_type: str
    defaults: Mapping[str, Any]
    aliases: Mapping[str, str]
    fields: Texts
    roots: Texts
    must: tuple[str, ...]
    unused: tuple[str, ...]
    blocks: Mapping[str, Mapping[str, Texts]]
    names: Mapping[str, str]
    paths: Mapping[str, str]
    modules: Mapping[str, str]
    stacks: Mapping[str, Stack]
    of_layer: Mapping[str, tuple[str, str]]
    model: str
    text: str
    vision: str
    images: str
    image_note: str
    prefix: str
    inputs: Mapping[str, tuple[Any, ...]]
    parts: Mapping[str, Mapping[str, Any]]
    inside: Mapping[str, Any]


def model_types() -> list[str]:
    """Return the model types that are read."""
    return [name for name in _rows() if name not in _BASES]


_BASES = ("decoder",)
_TEXTS = ("must", "unused", "model", "text", "vision", "images", "image_note", "prefix")
_MAPPINGS = (
    "defaults",
    "aliases",
    "fields",
    "roots",
    "blocks",
    "names",
    "paths",
    "modules",
    "stacks",
    "of_layer",
    "parts",
    "inside",
    "inputs",
)


@cache
def _rows() -> Mapping[str, Any]:
    rows: Mapping[str, Any] = _data("architectures.yaml")
    return rows


def _data(name: str) -> Any:
    from layerexplain.frontends.spec.yaml_nodes import SpecFaults, parse_yaml, to_python

    return to_python(parse_yaml((files(__package__) / name).read_bytes(), SpecFaults()))


@cache
def architecture(model_type: str, text_type: str = "") -> Architecture:
    """Return the row of a model type of `model_types()`, of one with parts as what its text part is like."""
    row = _whole(model_type, text_type)
    stacks = {name: Stack(**stack) for name, stack in row["stacks"].items()}
    parts = {name: row[name] for name in _MAPPINGS}
    return Architecture(
        type=model_type, text_type=text_type, **{**parts, "stacks": stacks, **{key: row[key] for key in _TEXTS}}
    )


def _whole(name: str, text_type: str = "") -> dict[str, Any]:
    """Join a row to the one that it is like: mappings name by name, the arguments of a role one by one. The row that
    others are like is in the end like the one of the text part, where there is one."""
    row = _rows()[name]
    empty: dict[str, Any] = {**{part: {} for part in _MAPPINGS}, **dict.fromkeys(_TEXTS, ""), "must": (), "unused": ()}
    like = row.get("like", text_type)
    base = _whole(like, text_type if "like" in row else "") if like else empty
    row_with_base = {**base, **{key: row[key] for key in _TEXTS if key in row}}
    row_with_base["inputs"] = row.get("inputs") or base["inputs"]
    for part in _MAPPINGS[:-1]:
        row_with_base[part] = _joined(base[part], row.get(part) or {})
    return row_with_base


def _joined(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    joined = {**old}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            of_another_type = key.islower() and all(name[:1].isupper() and name not in before for name in value)
            joined[key] = {**value} if of_another_type and value else _joined(before, value)
        else:
            joined[key] = value
    return joined


@cache
def _definitions() -> Mapping[str, Declaration]:
    from layerexplain.frontends.spec.define import read_definitions

    return read_definitions((files(__package__) / "blocks.yaml").read_bytes(), "blocks.yaml")


@cache
def declarations(model_type: str, text_type: str = "", dtype: str = "float") -> Mapping[str, Declaration]:
    """Return the layers of an architecture, whose weights are held where transformers holds them, in a dtype."""
    from layerexplain.layers.formula_layer import FormulaLayer

    paths = architecture(model_type, text_type).paths
    results: dict[str, Declaration] = {}
    for type_, declaration in _definitions().items():
        own = declaration.formula.__self__  # type: ignore[attr-defined]  # the method of a FormulaLayer
        if not isinstance(own, FormulaLayer):
            raise TypeError(f"{type_} is not a layer with a formula")
        at = {w.at: paths.get(f"{type_}.{w.at}", paths.get(w.at, w.at)) for w in own.weights}
        weights = tuple([w._replace(at=at[w.at], dtype=dtype) for w in own.weights])
        results[type_] = own._replace(weights=weights, find=results.get).declaration()
    return results
