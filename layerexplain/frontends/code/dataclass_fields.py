"""Classes whose `__init__` Python writes: dataclasses, and named tuples that are classes."""

from __future__ import annotations

import ast
from typing import Any

from layerexplain.frontends.code.parts import InterpreterPart
from layerexplain.frontends.code.values import Bound, Class, Function, Instance, Setting
from layerexplain.frontends.code.values.base import ProgramError, Unknown

FIELD = "dataclasses"
"""The path of a `Setting` that `dataclasses.field(…)` gives."""
_NAMED = "__named_tuple__"
_METHODS = frozenset({"_replace", "_asdict", "_make", "index", "count"})
"""Methods of named tuples."""


def is_record(cls: Class) -> bool:
    """Whether Python writes the `__init__` of a class."""
    root = cls.root()
    return bool(cls.find("__dataclass__")) or (root is not None and root.last == "NamedTuple")


def is_named_tuple(cls: Class) -> bool:
    """Return whether the objects of a class are named tuples."""
    root = cls.root()
    return cls.has(_NAMED) or (root is not None and root.last == "NamedTuple")


def fields_of(value: Any) -> tuple[Any, ...] | None:
    """Return the values of a named tuple in order; None for anything else."""
    if not isinstance(value, Instance) or not is_named_tuple(value.cls):
        return None
    return tuple(field_values(value).values())


def named_tuple(name: str, fields: Any, defaults: Any = ()) -> Class | None:
    """Return the class that `collections.namedtuple` makes; None where its fields are not known."""
    if isinstance(fields, str):
        fields = fields.replace(",", " ").split()
    if type(fields) not in (list, tuple):
        return None
    names = [one[0] if type(one) is tuple and one else one for one in fields]  # typing.NamedTuple gives types too
    if not all(isinstance(one, str) for one in names) or type(defaults) not in (list, tuple):
        return None
    made = Class(name, [], None, 0)
    behind = dict(zip(reversed(names), reversed(defaults), strict=False))
    made.attributes.update({"__dataclass__": True, _NAMED: True, "__fields__": names, **behind})
    return made


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

    def of_named_tuple(self, of: Instance | Class, name: str) -> Any:
        """Return what every named tuple, or its class, has under a name; None for anything else."""
        cls = of.cls if isinstance(of, Instance) else of
        if not is_named_tuple(cls):
            return None
        if name == "_fields":
            return tuple(_each(cls, "__fields__"))
        return Bound(of, name) if name in _METHODS else None

    def named_tuple_method(self, of: Instance | Class, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Return what a method of a named tuple, or of its class, gives."""
        if isinstance(of, Class):
            items = self.items(args[0]) if name == "_make" and args else self.unknown(f"{name} of {of.name}")
            return items if isinstance(items, Unknown) else self.record(of, items, {})
        if name == "_asdict":
            return self.new_container(field_values(of))
        if name == "_replace":
            values = field_values(of)
            unexpected = [one for one in kwargs if one not in values]
            if unexpected:
                raise ProgramError("ValueError", f"Got unexpected field names: {unexpected!r}", self.place())
            return self.record(of.cls, [], {**values, **kwargs})
        method = getattr(fields_of(of), name)
        try:
            return method(*args)
        except (TypeError, ValueError) as error:
            raise ProgramError(type(error).__name__, str(error), self.place()) from None

    def record(self, cls: Class, args: list[Any], kwargs: dict[str, Any]) -> Instance:
        """An object of a class whose `__init__` Python writes."""
        stated, only = _each(cls, "__stated__"), _each(cls, "__only_given__")
        fields = [*_each(cls, "__fields__")]
        taken = [name for name in fields if stated.get(name, {}).get("init") is not False]
        if len(args) > len(taken):
            words = f"{cls.name}() takes {len(taken)} arguments ({', '.join(taken)}), got {len(args)}"
            raise ProgramError("TypeError", words, self.place())
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
