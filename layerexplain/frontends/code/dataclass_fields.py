"""Classes whose `__init__` Python writes: dataclasses, and named tuples that are classes."""

from __future__ import annotations

import ast
from typing import Any

from layerexplain.frontends.code.operators import Raised
from layerexplain.frontends.code.parts import InterpreterPart
from layerexplain.frontends.code.values import Class, Function, Instance, Setting, Unknown

FIELD = "dataclasses"
"""The path of a `Setting` that `dataclasses.field(…)` gives."""


def is_record(cls: Class) -> bool:
    """Whether Python writes the `__init__` of a class."""
    root = cls.root()
    return bool(cls.find("__dataclass__")) or (root is not None and root.last == "NamedTuple")


def note_field(names: dict[str, Any], node: ast.AnnAssign) -> None:
    """Note an annotated name of a class body as a field; one that `__post_init__` alone is given is marked."""
    if not isinstance(node.target, ast.Name):
        return
    kind = ast.unparse(node.annotation).strip("'\"").partition("[")[0].rpartition(".")[2]
    if kind != "ClassVar":
        names.setdefault("__fields__", []).append(node.target.id)
    if kind == "InitVar":
        names.setdefault("__only_given__", []).append(node.target.id)


def make_dataclass(cls: Class) -> None:
    """Turn a class into a dataclass: a default that a `field(…)` states is one of the class."""
    cls.attributes["__dataclass__"] = True
    stated = cls.attributes["__stated__"] = {}
    for name in cls.attributes.get("__fields__", []):
        value = cls.attributes.get(name)
        if isinstance(value, Setting) and value.path == FIELD:
            stated[name] = value.config
            del cls.attributes[name]
            if "default" in value.config:
                cls.attributes[name] = value.config["default"]


def _each(cls: Class, key: str) -> dict[str, Any]:
    """What the classes that a dataclass is made of note under a key, by the names of fields, its bases first."""
    found: dict[str, Any] = {}
    for one in reversed(cls.order()):
        noted = one.attributes.get(key, {}) if isinstance(one, Class) and is_record(one) else {}
        found.update(noted if type(noted) is dict else dict.fromkeys(noted))
    return found


def field_values(made: Instance) -> dict[str, Any]:
    """The fields of an object with their values."""
    only = _each(made.cls, "__only_given__")
    return {name: made.attributes.get(name) for name in _each(made.cls, "__fields__") if name not in only}


class Records(InterpreterPart):
    """The part of the interpreter that makes objects of such classes."""

    def record(self, cls: Class, args: list[Any], kwargs: dict[str, Any]) -> Instance:
        """An object of a class whose `__init__` Python writes."""
        stated, only = _each(cls, "__stated__"), _each(cls, "__only_given__")
        fields = [*_each(cls, "__fields__")]
        taken = [name for name in fields if stated.get(name, {}).get("init") is not False]
        if len(args) > len(taken):
            words = f"{cls.name}() takes {len(taken)} arguments ({', '.join(taken)}), got {len(args)}"
            raise Raised("TypeError", words, self.place())
        given = {**dict(zip(taken, args, strict=False)), **kwargs}
        made = Instance(cls)
        for name in fields:
            if name in given:
                value = given[name]
            elif "default_factory" in stated.get(name, {}):
                value = self.call(stated[name]["default_factory"], [], {})
            elif cls.has(name):
                value = cls.find(name)
            elif name not in taken:
                continue
            else:
                missing: Unknown = self.unknown(f"{cls.name}() is given no {name}", name)
                value = missing._replace(lacks="argument", option=name)
            made.attributes[name] = value
        method = cls.find("__post_init__")
        if isinstance(method, Function):
            self.call(method, [made, *[made.attributes.pop(name, None) for name in only]], {})
        return made
