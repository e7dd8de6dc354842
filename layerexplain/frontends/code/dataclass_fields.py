"""Classes whose `__init__` Python writes: dataclasses, and named tuples that are classes."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from layerexplain.frontends.code.parts import InterpreterPart
from layerexplain.frontends.code.values.base import Arguments, Keywords, ProgramError, ProgramValue, Unknown, Value
from layerexplain.frontends.code.values.program import NAMED_TUPLE, Bound, Class, Function, Instance
from layerexplain.records import Record

_METHODS = frozenset({"_replace", "_asdict", "_make", "index", "count"})
"""Methods of named tuples."""


class DataclassField(Record, Value):
    """What `dataclasses.field(…)` states of a field."""

    facts: Mapping[str, ProgramValue]


def named_tuple(name: str, fields: ProgramValue, defaults: ProgramValue = ()) -> Class | None:
    """Return the class that `collections.namedtuple` makes; None where its fields are not known."""
    if isinstance(fields, str):
        fields = fields.replace(",", " ").split()
    if type(fields) not in (list, tuple):
        return None
    names = [one[0] if type(one) is tuple and one else one for one in fields]  # typing.NamedTuple gives types too
    if not all(isinstance(one, str) for one in names) or type(defaults) not in (list, tuple):
        return None
    cls = Class(name, [], None, 0)
    behind = dict(zip(reversed(names), reversed(defaults), strict=False))
    cls.attributes.update({"__dataclass__": True, NAMED_TUPLE: True, "__fields__": names, **behind})
    return cls


def note_field(names: dict[str, ProgramValue], node: ast.AnnAssign) -> None:
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
        if isinstance(value, DataclassField):
            stated[name] = value.facts
            del cls.attributes[name]
            if "default" in value.facts:
                cls.attributes[name] = value.facts["default"]


class Records(InterpreterPart):
    """The part of the interpreter that makes objects of such classes."""

    def of_named_tuple(self, of: Instance | Class, name: str) -> ProgramValue:
        """Return what every named tuple or dataclass, or its class, has under a name; None for anything else."""
        cls = of.cls if isinstance(of, Instance) else of
        if name == "__dataclass_fields__" and cls.is_record:
            return dict.fromkeys(cls.noted("__fields__"))
        if not cls.is_named_tuple:
            return None
        if name == "_fields":
            return tuple(cls.noted("__fields__"))
        return Bound(of, name) if name in _METHODS else None

    def named_tuple_method(self, of: Instance | Class, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a method of a named tuple, or of its class, gives."""
        if isinstance(of, Class):
            items = self.items(args[0]) if name == "_make" and args else self.unknown(f"{name} of {of.name}")
            return items if isinstance(items, Unknown) else self.record(of, items, {})
        if name == "_asdict":
            return self.new_container(of.fields())
        if name == "_replace":
            values = of.fields()
            unexpected = [one for one in kwargs if one not in values]
            if unexpected:
                raise ProgramError("ValueError", f"Got unexpected field names: {unexpected!r}", self.place())
            return self.record(of.cls, [], {**values, **kwargs})
        method = getattr(of.as_tuple(), name)
        try:
            return method(*args)
        except (TypeError, ValueError) as error:
            raise ProgramError(type(error).__name__, str(error), self.place()) from None

    def record(self, cls: Class, args: Arguments, kwargs: Keywords) -> Instance:
        """Return an object of a class whose `__init__` Python writes."""
        stated, only = cls.noted("__stated__"), cls.noted("__only_given__")
        fields = [*cls.noted("__fields__")]
        taken = [name for name in fields if stated.get(name, {}).get("init") is not False]
        if len(args) > len(taken):
            words = f"{cls.name}() takes {len(taken)} arguments ({', '.join(taken)}), got {len(args)}"
            raise ProgramError("TypeError", words, self.place())
        given = {**dict(zip(taken, args, strict=False)), **kwargs}
        instance = Instance(cls)
        for name in fields:
            self.budget.step()
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
            instance.attributes[name] = value
        method = cls.find("__post_init__")
        if isinstance(method, Function):
            self.call(method, [instance, *[instance.attributes.pop(name, None) for name in only]], {})
        return instance
