"""Functions, classes, their objects and methods, as a program defines them (each uses the others, hence the length)."""

from __future__ import annotations

import ast
import types
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from layerexplain.call_signature import CallSignature, Misfit
from layerexplain.frontends.code.values.base import (
    Arguments,
    Attributed,
    Evaluator,
    Identity,
    Keywords,
    Place,
    ProgramError,
    ProgramValue,
    Symbol,
    Unknown,
    Value,
    unknown_key,
)
from layerexplain.frontends.code.values.layers import LayerValue, creation_counter
from layerexplain.frontends.code.values.operators import compare
from layerexplain.frontends.code.values.reading import Frame, children, docstring, kept_with_tree, walk
from layerexplain.records import Record


class ModuleLibrary(Protocol):
    """The library whose modules user-defined classes are derived from, as those of PyTorch: what their objects
    answer."""

    roots: frozenset[str]
    """The first parts of its names."""

    def module_has(self, path: str, name: str) -> bool | None:
        """Return whether a module of the library has a name; None where that is not known."""

    def by_convention(self, name: str) -> Symbol | None:
        """Return what a name that is not defined stands for in a program of the library; None for any other name."""

    def leave_trainable_open(self, unknown: Unknown) -> None:
        """Record that a program freezes what nobody knows."""

    def method_of_data(self, data: Unknown, name: str) -> Bound | None:
        """Return the method with which a program states the shape of unknown data, or that of a loss."""

    def reshaped_data(self, sizes: Arguments) -> ProgramValue:
        """Return data with unknown values and the sizes that the program gives them; None where it gives none."""

    def attribute(self, instance: Instance, name: str) -> ProgramValue:
        """Return an attribute that the library gives a module."""

    def has_attribute(self, cls: Class, name: str) -> bool | None:
        """Return whether it gives the objects of a class an attribute; None where that is not known."""

    def finish(self, instance: Instance) -> None:
        """Note a module that is made."""

    def buffer(self, instance: Instance, name: str, value: ProgramValue) -> ProgramValue:
        """Return an attribute of a module that may be a buffer."""

    def items(self, instance: Instance) -> list[ProgramValue] | None:
        """Return the modules that a container holds; None for a module of another kind."""

    def call(self, module: ProgramValue, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what `module(x)` gives."""

    def method(self, instance: Instance, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a method that the library gives a module gives."""

    def apply(self, function: Class, args: Arguments, kwargs: Keywords) -> ProgramValue:
        """Return what a function with a gradient of its own gives."""


FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@kept_with_tree
def signature_of(function: FunctionNode) -> CallSignature:
    """Return what a function of a program takes, `self` included."""
    spec = function.args
    positional = [parameter.arg for parameter in (*spec.posonlyargs, *spec.args)]
    keywords = [parameter.arg for parameter in spec.kwonlyargs]
    required = [name for name, default in zip(keywords, spec.kw_defaults, strict=True) if default is None]
    return CallSignature(
        tuple(positional),
        tuple(keywords),
        (*positional[: len(positional) - len(spec.defaults)], *required),
        "" if spec.vararg is None else spec.vararg.arg,
        "" if spec.kwarg is None else spec.kwarg.arg,
        nameless=len(spec.posonlyargs),
    )


class Function(Attributed, Identity):
    """A function of the program. `names` are those of its parameters without the ones that are given by name alone,
    which are `keywords`."""

    def __init__(self, node: FunctionNode, frame: Frame, name: str, owner: Class | None = None) -> None:
        self.node = node
        self.frame = frame
        self.name = name
        self.owner = owner
        self.kind = ""
        """"property", "classmethod", "staticmethod", "context" for a context manager, or "" """
        self.defaults: list[ProgramValue] = []
        self.keyword_defaults: list[ProgramValue] = []
        self.has_yield = _yields(node)
        self.attributes: dict[str, ProgramValue] = {}
        self.context: Value | None = None
        """What surrounds each call, as `@torch.no_grad()` does."""
        self.is_decorated = False
        """Whether a decorator of a library may have changed what it takes."""
        self.signature = signature_of(node)
        self.names, self.keywords = self.signature.positional, self.signature.keywords

    @property
    def default_values(self) -> dict[str, ProgramValue]:
        """Return the defaults by the names of their parameters."""
        pairs = zip(reversed(self.names), reversed(self.defaults), strict=False)
        named = zip(self.keywords, self.keyword_defaults, strict=True)
        return {name: value for name, value in (*pairs, *named) if name not in self.signature.required}

    def misfit(self, args: Arguments, kwargs: Keywords, elsewhere: Collection[str] | None = None) -> Misfit | None:
        """Return what does not fit of the arguments of a call, `self` included; arguments are missing only where
        `elsewhere`, which has others, is given. None where all fits."""
        signature, unpacked = self.signature, "**" in kwargs
        # The program does not write `self`, and calls a constructor by the name of its class.
        own = int(self.owner is not None and self.kind != "staticmethod" and bool(self.names))
        needed = () if elsewhere is None or unpacked else [item for item in signature.required if item not in elsewhere]
        wrong = signature._replace(
            positional=self.names[own:],
            required=tuple([item for item in needed if item not in self.names[:own]]),
            any_name=signature.any_name or "**" * unpacked,
            nameless=max(signature.nameless - own, 0),
        ).misfit(len(args) - own, kwargs)
        shown = self.owner.name if self.owner is not None and self.name == "__init__" else self.name
        return None if wrong is None else wrong._replace(words=f"{shown}() {wrong.words}")

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        if name in self.attributes:
            return self.attributes[name]
        if name in ("__name__", "__qualname__"):
            return self.name
        if name == "__module__":
            return self.frame.file.name or "__main__"
        if name == "__doc__":
            return None if isinstance(self.node, ast.Lambda) else docstring(self.node) or None
        return evaluator.unknown(f"the attribute {name} of a value")

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        return name in self.attributes or hasattr(types.FunctionType, name)

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        return evaluator.call_function(self, args, kwargs, whole)


@kept_with_tree
def _yields(node: FunctionNode) -> bool:
    """Return whether a function is a generator; what functions inside it yield is theirs."""
    own = walk(*children(node), closed=(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef))
    return any(isinstance(child, ast.Yield | ast.YieldFrom) for child in own)


class Class(Attributed, Identity):
    """A user-defined class. `bases` are classes, symbols and unknown values."""

    def __init__(self, name: str, bases: list[ProgramValue], frame: Frame | None, line: int) -> None:
        self.name = name
        self.bases = bases
        self.frame = frame
        self.place = Place("" if frame is None else frame.file.name, line)
        self.docstring = ""
        self.is_decorated = False
        self.attributes: dict[str, ProgramValue] = {}
        self.members: dict[str, Member] = {}
        """Those of an Enum that were asked for."""
        self.objects: ModuleLibrary | None = None
        """The library whose modules it is derived from; None for other classes."""
        self._order: list[ProgramValue] | None = None

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        result, root, is_enum = self.find(name), self.root(), self.is_enum
        if isinstance(result, Function):
            return Bound(self, result) if result.kind == "classmethod" else result
        if result is not None:
            return self.members.setdefault(name, Member(self, name, result)) if is_enum else result
        if self.has(name):
            return None
        if (of_tuples := evaluator.of_named_tuple(self, name)) is not None:
            return of_tuples
        if name in ("__name__", "__qualname__"):
            return self.name
        if name == "__module__":
            return self.place.file or "__main__"
        if name == "apply" and self.has_own_gradient:
            return Bound(self, name)
        if root is None or is_enum or name == "__members__":
            return evaluator.unknown(f"{self.name} has no {name}")
        return Symbol(f"{root.path}.{name}")

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        if self.has(name) or (self.is_named_tuple and (name in _OF_NAMED_TUPLES or hasattr(tuple, name))):
            return True
        if self.has("__getattr__") or any(isinstance(item, Unknown) for item in self.order()):
            return None
        root = self.root()
        if root is None or root.path.startswith("builtins.object"):
            return hasattr(object, name) or name in ("__dict__", "__module__")
        if (objects := self.objects) is not None:
            return objects.has_attribute(self, name)
        return evaluator.framework_of(root.path).class_has(self, name)

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        is_member = len(args) == 1 and self.is_enum
        return self._member(evaluator, args[0]) if is_member else evaluator.make_instance(self, args, kwargs, whole)

    def get_item(self, evaluator: Evaluator, key: object) -> ProgramValue:
        """Return `Kind["NAME"]` of an Enum."""
        is_member = self.is_enum and isinstance(key, str) and key in self.attributes
        return self.get_attribute(evaluator, str(key)) if is_member else super().get_item(evaluator, key)

    @property
    def is_enum(self) -> bool:
        """Return whether its attributes are the members of an Enum."""
        return any(getattr(item, "path", "").startswith("enum.") for item in self.order())

    def iterate(self) -> list[ProgramValue] | Unknown:
        return [*self._members()] if self.is_enum else super().iterate()

    def length(self) -> ProgramValue:
        return len(self._members()) if self.is_enum else super().length()

    def _members(self) -> list[Member]:
        """Return the members of an Enum in order."""
        own = {name: attribute for name, attribute in self.attributes.items() if not name.startswith("_")}
        known = {name: value for name, value in own.items() if not isinstance(value, Function)}
        return [self.members.setdefault(name, Member(self, name, value)) for name, value in known.items()]

    def _member(self, evaluator: Evaluator, value: ProgramValue) -> ProgramValue:
        """Return the member of an Enum that has a value, or is it."""
        members = [member for member in self._members() if member is value or member.attributes["value"] == value]
        return members[0] if members else evaluator.unknown(f"which member of {self.name} is meant")

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        if self.has_own_gradient and self.objects is not None:
            return self.objects.apply(self, args, kwargs)
        return evaluator.named_tuple_method(self, name, args, kwargs)

    @property
    def has_own_gradient(self) -> bool:
        """Return whether it is a function of PyTorch with a gradient of its own, which `apply` calls."""
        root = self.root()
        return root is not None and root.path == "torch.autograd.Function"

    def order(self) -> list[ProgramValue]:
        """Return the class and its bases in the order in which Python looks attributes up, symbols included.

        Raises ValueError where the bases have no consistent order.
        """
        if self._order is None:
            above = [list(base.order()) if isinstance(base, Class) else [base] for base in self.bases]
            self._order = [self, *_merged([*above, list(self.bases)])]
        return self._order

    def find(self, name: str, after: Class | None = None) -> ProgramValue:
        """Return an attribute of the class or its bases; None where there is none. With `after` of the bases behind
        that."""
        order = self.order()
        if after is not None:
            order = order[order.index(after) + 1 :] if after in order else []
        for item in order:
            if isinstance(item, Class) and name in item.attributes:
                return item.attributes[name]
        return None

    def has(self, name: str) -> bool:
        """Return whether the class or one of its bases has an attribute, which may be None."""
        return any(name in item.attributes for item in self.order() if isinstance(item, Class))

    def root(self) -> Symbol | None:
        """Return the first base that is not a user-defined class."""
        return next((item for item in self.order() if isinstance(item, Symbol)), None)

    @property
    def is_named_tuple(self) -> bool:
        """Return whether its objects are named tuples."""
        root = self.root()
        return self.has(NAMED_TUPLE) or (root is not None and root.last == "NamedTuple")

    @property
    def is_record(self) -> bool:
        """Return whether Python writes its `__init__`: it is a dataclass, or a named tuple."""
        root = self.root()
        return bool(self.find("__dataclass__")) or (root is not None and root.last == "NamedTuple")

    def noted(self, key: str) -> dict[str, ProgramValue]:
        """Return what the classes that a record is made of note under a key, by the names of fields, bases first."""
        results: dict[str, ProgramValue] = {}
        for item in reversed(self.order()):
            noted = item.attributes.get(key, {}) if isinstance(item, Class) and item.is_record else {}
            results.update(noted if type(noted) is dict else dict.fromkeys(noted))
        return results


def _merged(orders: list[list[ProgramValue]]) -> list[ProgramValue]:
    """Merge the method orders of bases as Python does: the first class that no other order has behind another one."""
    results: list[ProgramValue] = []
    while orders := [order for order in orders if order]:
        behind = [other for order in orders for other in order[1:]]
        first = next((order[0] for order in orders if order[0] not in behind), None)
        if first is None:
            raise ValueError("the bases have no consistent method resolution order")
        results.append(first)
        orders = [order[1:] if order[0] == first else order for order in orders]
    return results


NAMED_TUPLE = "__named_tuple__"
_OF_NAMED_TUPLES = ("_fields", "_make", "_replace", "_asdict")
_SETTERS = frozenset({"setattr", "__setattr__", "__dict__", "vars"})


def may_set(cls: Class, name: str) -> bool:
    """Return whether the code of a class may give its objects an attribute: it says so somewhere, or it sets attributes
    by names that it computes."""
    for attribute in cls.attributes.values():
        for node in walk(attribute.node) if isinstance(attribute, Function) else ():
            word = getattr(node, "attr", None) or getattr(node, "id", None)
            if word in _SETTERS or (word == name and isinstance(getattr(node, "ctx", None), ast.Store)):
                return True
    return cls.is_decorated or "__getattr__" in cls.attributes or "__getattribute__" in cls.attributes


_COMPARES = {"Eq": "__eq__", "NotEq": "__ne__", "Lt": "__lt__", "LtE": "__le__", "Gt": "__gt__", "GtE": "__ge__"}
"""Comparisons, and the methods by which classes have their own."""


class Instance(Identity):
    """An object of a user-defined class. `layer` is there where the class is a layer or a model."""

    def __init__(self, cls: Class) -> None:
        self.cls = cls
        self.attributes: dict[str, ProgramValue] = {}
        self.maybe: dict[str, ProgramValue] = {}
        """The choices that attributes hang on."""
        self.layer: LayerValue | None = None
        self.given: dict[str, ProgramValue] = {}
        """The arguments that it was made with, by name."""
        self.statement = 0
        """The number of the statement that makes it."""
        self.is_uncertain = False
        """Whether a choice that only running the program would confirm was taken while it was made."""
        self.created_at = next(creation_counter)

    def copy_to(self, known: dict[int, ProgramValue], copy: Callable[[ProgramValue], ProgramValue]) -> None:
        if self.layer is None:
            instance = known[id(self)] = Instance(self.cls)
            instance.given, instance.is_uncertain = dict(self.given), self.is_uncertain
            instance.attributes = {name: copy(attribute) for name, attribute in self.attributes.items()}
            instance.maybe = {name: copy(value) for name, value in self.maybe.items()}

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        if name in self.attributes:
            if name in self.maybe and not isinstance(self.attributes[name], Unknown):
                evaluator.effects.depend_on(self.maybe[name])
            result = self.attributes[name]
            objects = self.cls.objects
            return (
                result if objects is None or "_buffers" not in self.attributes else objects.buffer(self, name, result)
            )
        result = self.cls.find(name)
        if isinstance(result, Function):
            return self._method(evaluator, result)
        if result is not None or self.cls.has(name):
            return result
        if (of_tuples := evaluator.of_named_tuple(self, name)) is not None:
            return of_tuples
        if name in ("__class__", "__dict__"):
            return self.cls if name == "__class__" else self.attributes
        computed = self.cls.find("__getattr__")
        if isinstance(computed, Function) and not (self.layer is not None and self.layer.framework.is_of_layers(name)):
            return evaluator.call(computed, [self, name], {})
        if self.layer is not None:
            return self.layer.get_attribute(evaluator, name)
        if (objects := self.cls.objects) is not None:
            return objects.attribute(self, name)
        root = self.cls.root()
        if root is None and not any(isinstance(base, Unknown) for base in self.cls.order()):
            raise ProgramError("AttributeError", f"{self.cls.name} has no attribute {name}", evaluator.place())
        return evaluator.unknown(f"the attribute {name} of {root.path if root else self.cls.name}")

    def has_attribute(self, evaluator: Evaluator, name: str) -> bool | None:
        return True if name in self.attributes else self.cls.has_attribute(evaluator, name)

    def set_attribute(self, evaluator: Evaluator, name: str, value: object) -> None:
        method = self.cls.find(f"{name}.setter")
        if isinstance(method, Function):
            evaluator.call(method, [self, value], {})
            return
        if self.layer is not None:
            self.layer.framework.attribute_of_own_layer(self.layer, name, value)
        evaluator.effects.record_attribute_change(self, name, of_model=self.cls.objects is not None)
        self.maybe.pop(name, None)
        self.attributes[name] = value

    def delete_attribute(self, evaluator: Evaluator, name: str) -> None:
        evaluator.effects.record_attribute_change(self, name)
        self.attributes.pop(name, None)

    def fields(self) -> dict[str, ProgramValue]:
        """Return the fields of a record with their values."""
        only = self.cls.noted("__only_given__")
        return {name: self.attributes.get(name) for name in self.cls.noted("__fields__") if name not in only}

    def as_tuple(self) -> ProgramValue:
        return tuple(self.fields().values()) if self.cls.is_named_tuple else self

    def compare(self, evaluator: Evaluator, name: str, left: object, right: object) -> ProgramValue:
        """Call the method of the class for `==` or `<`, where it has one and stands on the left."""
        method = self.cls.find(_COMPARES[name]) if left is self else None
        return evaluator.call(method, [left, right], {}) if isinstance(method, Function) else NotImplemented

    def equals(self, other: object) -> ProgramValue:
        if any(isinstance(item, Instance) and item.cls.has("__eq__") for item in (self, other)):
            return Unknown(f"how objects of {self.cls.name} are compared")
        if self.cls.is_record and isinstance(other, Instance) and self.cls is other.cls:
            return compare("Eq", [*self.fields().values()], [*other.fields().values()])
        return super().equals(other)

    def numbers(self) -> tuple[ProgramValue, ...]:
        return (tuple(self.attributes),)

    def iterate(self) -> list[ProgramValue] | Unknown:
        if (items := self._items()) is not None:
            return items
        return list(self.fields().values()) if self.cls.is_named_tuple else super().iterate()

    def length(self) -> ProgramValue:
        if (items := self._items()) is not None:
            return len(items)
        return len(self.fields()) if self.cls.is_named_tuple else super().length()

    def _items(self) -> list[ProgramValue] | None:
        """Return what a container of a library holds whose class is made into one of the program; None for others."""
        objects = self.cls.objects
        return None if objects is None else objects.items(self)

    def is_instance(self, kind: Symbol) -> bool | None:
        root = self.cls.root()
        if self.cls.is_named_tuple or any(isinstance(item, Unknown) for item in self.cls.order()):
            return None
        if root is None:
            return False
        return root.last == kind.last or kind.last in ("Layer", "Module")

    def _method(self, evaluator: Evaluator, method: Function) -> ProgramValue:
        """Return a function of the class as an attribute of the object."""
        if method.kind == "property":
            return evaluator.call(method, [self], {})
        if method.kind == "staticmethod":
            return method
        return Bound(self.cls if method.kind == "classmethod" else self, method)

    def get_item(self, evaluator: Evaluator, key: object) -> ProgramValue:
        if self.cls.is_named_tuple:
            return evaluator.item(self.as_tuple(), key)
        if self.cls.find("__getitem__") is None and (objects := self.cls.objects) is not None:
            return evaluator.item(objects.items(self), key)
        if self.cls.find("__getitem__") is None or unknown_key(evaluator, key) is not None:
            return super().get_item(evaluator, key)
        return evaluator.call(evaluator.attribute(self, "__getitem__"), [key], {})

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        method = self.cls.find("__call__")
        if isinstance(method, Function):
            return evaluator.call(method, [self, *args], kwargs)
        if (objects := self.cls.objects) is not None:
            return objects.call(self, args, kwargs)
        if self.layer is None:
            return evaluator.unknown("an object is called whose class layerexplain does not read")
        return self.layer.call(evaluator, args, kwargs, whole)

    def call_method(self, evaluator: Evaluator, name: str, args: Arguments, kwargs: Keywords) -> ProgramValue:
        if (objects := self.cls.objects) is not None:
            return objects.method(self, name, args, kwargs)
        return evaluator.named_tuple_method(self, name, args, kwargs)

    def truth(self) -> bool | None:
        return None if self.cls.has("__bool__") or self.cls.has("__len__") else True


class Bound(Record, Value):
    """A method, with the object that it belongs to: an instance, a layer, a list, a text."""

    object: ProgramValue
    function: ProgramValue

    def __repr__(self) -> str:
        return f"a method of {self.object!r}"

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        of, function = self.object, self.function
        if isinstance(function, Symbol):
            if isinstance(of, Instance) and of.cls.is_record and function.last == "__init__":
                of.attributes.update(evaluator.record(of.cls, args, kwargs).attributes)
                return None
            objects = of.cls.objects if isinstance(of, Instance) else None
            if objects is not None:
                return objects.method(of, function.last, args, kwargs)
            return evaluator.framework_of(function.path).call_base(of, function, args, kwargs)
        if not isinstance(function, Function):
            return evaluator.call_method(of, function, args, kwargs)
        if function.name == "build" and isinstance(of, Instance) and of.layer is not None:
            return of.layer.framework.build_by_hand(of, function, args, kwargs)
        return evaluator.call_function(function, [of, *args], kwargs, whole)


class Super(Record, Value):
    """What `super()` gives: an instance, and the class behind which attributes are looked up."""

    instance: Instance
    after: Class

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        result, cls = self.instance.cls.find(name, self.after), self.instance.cls
        if isinstance(result, Function):
            return Bound(self.instance, result)
        if self.instance.layer is not None:
            self.instance.layer.framework.check_attribute(self.instance.layer, name, cls, "super()")
        root = cls.root()
        return Bound(self.instance, Symbol(f"{root.path if root else 'builtins.object'}.{name}"))


class Partial(Record, Value):
    """A `functools.partial`."""

    function: ProgramValue
    args: tuple[ProgramValue, ...]
    kwargs: Mapping[str, ProgramValue]

    def get_attribute(self, evaluator: Evaluator, name: str) -> ProgramValue:
        known = {"func": self.function, "args": self.args, "keywords": dict(self.kwargs)}
        return known[name] if name in known else super().get_attribute(evaluator, name)

    def call(self, evaluator: Evaluator, args: Arguments, kwargs: Keywords, whole: bool) -> ProgramValue:
        return evaluator.call(self.function, [*self.args, *args], {**self.kwargs, **kwargs}, whole=whole)


class Context(Record, Value):
    """The call of a function that is a context manager, before a `with` enters it."""

    function: Function
    args: Arguments
    kwargs: Keywords
    whole: bool

    @property
    def given(self) -> tuple[Function, list[ProgramValue], dict[str, ProgramValue], bool]:
        """Return the function and what it is called with."""
        return self.function, self.args, self.kwargs, self.whole


class Member(Instance):
    """A member of an Enum, which no copy doubles."""

    def __init__(self, cls: Class, name: str, value: ProgramValue) -> None:
        super().__init__(cls)
        self.attributes = {"name": name, "value": value}

    def copy_to(self, known: dict[int, ProgramValue], copy: Callable[[ProgramValue], ProgramValue]) -> None:
        known[id(self)] = self


def layer_of(value: object) -> LayerValue | None:
    """Return the layer that a value is, or is an object of."""
    if isinstance(value, LayerValue):
        return value
    return value.layer if isinstance(value, Instance) else None


CALLED = (Function, Bound, Symbol, Partial)
"""What a Lambda may apply: functions of the program and of libraries."""
